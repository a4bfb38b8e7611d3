//! The physical GICv3, as far as a host needs it: a handful of interrupts of
//! each CPU and the console's, acknowledged by polling, and the interrupt with
//! which CPUs call each other.
#![expect(unsafe_code, reason = "device memory of the interrupt controller")]

use core::ptr::NonNull;

use arm_gic::gicv3::registers::{Gicd, GicrSgi};
use arm_gic::gicv3::{GicCpuInterface, GicError, GicV3, SgiTarget, SgiTargetGroup};
use arm_gic::{IntId, InterruptGroup, Trigger};
use platform::Platform;
use safe_mmio::UniqueMmioPointer;

use super::cpu;
use super::sysreg::{read, write};

/// The interrupt by which one CPU has another look at its work.
pub const KICK: IntId = IntId::sgi(0);

/// Lets every priority through: RMM and host share the mask, and an interrupt
/// that it holds back ends no guest's turn.
const ALL_PRIORITIES: u8 = 0xff;
const NON_SECURE_PRIORITY: u8 = 0xa0;
/// Redistributors that are looked through for a CPU's.
const FRAMES: usize = 512;

/// The interrupt controller.
pub struct Gic {
    driver: GicV3<'static>,
}

impl Gic {
    /// Sets up the distributor. The platform's registers are mapped as devices
    /// and belong to this driver alone.
    pub fn new(platform: &Platform) -> Result<Self, GicError> {
        let gicd = platform.gic.distributor.base().raw();
        let gicr = platform.gic.redistributors.first();
        let gicr = gicr.map_or(0, |first| first.base().raw());
        let gicd =
            NonNull::new(gicd as *mut Gicd).ok_or(GicError::InvalidRedistributorFrameLayout)?;
        let gicr =
            NonNull::new(gicr as *mut GicrSgi).ok_or(GicError::InvalidRedistributorFrameLayout)?;
        // SAFETY: the caller passes the distributor that the platform describes,
        // mapped as a device, and makes one driver of it.
        let gicd = unsafe { UniqueMmioPointer::new(gicd) };
        GicCpuInterface::enable_system_register_el2(true);
        // SAFETY: as above, for the redistributors. No frame behind the last is
        // touched: `frame` stops there.
        let mut driver = unsafe { GicV3::new(gicd, gicr, FRAMES) }?;
        driver.distributor().configure_default_settings();
        Ok(Self { driver })
    }

    /// Sets up this CPU's interface and the interrupts of it that the host
    /// wants, the kick besides. Every CPU calls it once.
    pub fn set_up_cpu(&mut self, wanted: impl Iterator<Item = IntId>) -> Result<(), GicError> {
        let frame = self.frame()?;
        GicCpuInterface::enable_system_register_el2(true);
        self.driver.init_cpu(frame);
        end_in_two_steps();
        self.driver
            .redistributor(frame)?
            .configure_default_settings();
        GicCpuInterface::set_priority_mask(ALL_PRIORITIES);
        for intid in wanted.filter(|intid| intid.is_private()) {
            self.enable_private(frame, intid)?;
        }
        let mut own = self.driver.redistributor(frame)?;
        own.set_interrupt_priority(KICK, NON_SECURE_PRIORITY)?;
        own.enable_interrupt(KICK, true)?;
        GicCpuInterface::enable_group1(true);
        Ok(())
    }

    fn enable_private(&mut self, frame: usize, intid: IntId) -> Result<(), GicError> {
        let mut own = self.driver.redistributor(frame)?;
        own.set_interrupt_priority(intid, NON_SECURE_PRIORITY)?;
        own.set_trigger(intid, Trigger::Level)?;
        own.enable_interrupt(intid, true)
    }

    /// Enables a level-triggered interrupt of the system, for this CPU to take.
    pub fn enable_shared(&mut self, intid: IntId) -> Result<(), GicError> {
        let shared = self.driver.distributor();
        shared.set_interrupt_priority(intid, NON_SECURE_PRIORITY)?;
        shared.set_trigger(intid, Trigger::Level)?;
        shared.set_routing(intid, Some(cpu::affinity()))?;
        shared.enable_interrupt(intid, true)
    }

    /// The place of this CPU's redistributor: their order is not that of CPUs.
    fn frame(&mut self) -> Result<usize, GicError> {
        for frame in 0..FRAMES {
            let typer = self.driver.gicr_typer(frame)?;
            if typer.core_mpidr() == cpu::affinity() {
                return Ok(frame);
            }
            if typer.last_redistributor() {
                break;
            }
        }
        Err(GicError::InvalidRedistributorIndex(cpu::number()))
    }
}

/// Takes the interrupt with the highest priority, if one is pending.
#[inline]
pub fn acknowledge() -> Option<IntId> {
    GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group1)
}

/// Ends an interrupt that [`acknowledge`] gave.
#[inline]
pub fn end(intid: IntId) {
    GicCpuInterface::end_interrupt(intid, InterruptGroup::Group1);
    write!("s3_0_c12_c11_1", u64::from(u32::from(intid))); // ICC_DIR_EL1
}

/// Has the end of an interrupt drop its priority only, on this CPU: the timers of a
/// plain guest stay active longer (`guest_timer`).
fn end_in_two_steps() {
    const EOIMODE: u64 = 1 << 1;
    write!("s3_0_c12_c12_4", read!("s3_0_c12_c12_4") | EOIMODE); // ICC_CTLR_EL1
}

/// Interrupts the CPU of this affinity.
pub fn kick(mpidr: u64) {
    let [aff0, affinity1, affinity2, _, affinity3, ..] = mpidr.to_le_bytes();
    // The list holds sixteen CPUs of one cluster.
    let target = SgiTarget::List {
        affinity3,
        affinity2,
        affinity1,
        target_list: 1 << (aff0 & 0xf),
    };
    cpu::publish();
    // An SGI's number is one that can be sent.
    let _ = GicCpuInterface::send_sgi(KICK, target, SgiTargetGroup::CurrentGroup1);
}
