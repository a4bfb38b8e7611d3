//! The physical GICv3, as far as a host needs it: a handful of interrupts of
//! this CPU and the console's, acknowledged by polling.
#![expect(unsafe_code, reason = "device memory of the interrupt controller")]

use core::ptr::NonNull;

use arm_gic::gicv3::registers::{Gicd, GicrSgi};
use arm_gic::gicv3::{GicCpuInterface, GicError, GicV3};
use arm_gic::{IntId, InterruptGroup, Trigger};
use platform::Platform;
use safe_mmio::UniqueMmioPointer;

/// Lets every priority through: RMM and host share the mask, and an interrupt
/// that it holds back ends no Realm's turn.
const ALL_PRIORITIES: u8 = 0xff;
const NON_SECURE_PRIORITY: u8 = 0xa0;

/// The interrupt controller.
pub struct Gic {
    driver: GicV3<'static>,
    cpu: usize,
}

impl Gic {
    /// Sets up distributor, the redistributor of this CPU and its interface.
    /// The platform's registers are mapped as devices and belong to this driver
    /// alone; the boot CPU's redistributor is the first.
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
        // SAFETY: as above, for the redistributors.
        let mut driver = unsafe { GicV3::new(gicd, gicr, 1) }?;
        driver.setup(0);
        GicCpuInterface::set_priority_mask(ALL_PRIORITIES);
        Ok(Self { driver, cpu: 0 })
    }

    /// Enables a level-triggered interrupt of this CPU or of the system.
    pub fn enable(&mut self, intid: IntId) -> Result<(), GicError> {
        let cpu = Some(self.cpu);
        self.driver
            .set_interrupt_priority(intid, cpu, NON_SECURE_PRIORITY)?;
        self.driver.set_trigger(intid, cpu, Trigger::Level)?;
        if !intid.is_private() {
            self.driver
                .distributor()
                .set_routing(intid, Some(super::cpu::affinity()))?;
        }
        self.driver.enable_interrupt(intid, cpu, true)
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
}
