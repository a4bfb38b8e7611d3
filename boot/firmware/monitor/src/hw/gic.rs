//! The GIC as the Non-secure world expects it: every interrupt in Group 1
//! Non-secure, affinity routing on, redistributors awake. The exception is the
//! interrupt that wakes a CPU that is off, which is Root's while it is.
#![expect(unsafe_code, reason = "an SGI is sent by a system register")]

use crate::hw::cpu;
use crate::hw::mmio::Device;
use core::arch::asm;
use monitor_logic::features::Features;
use monitor_logic::layout::{CPUS_PER_CLUSTER, GICR_BASE, WAKE_SGI};

const GICD_CTLR: u64 = 0x0;
const GICD_TYPER: u64 = 0x4;
const GICD_IGROUPR: u64 = 0x80;
const GICD_IGRPMODR: u64 = 0xd00;
/// Affinity routing for both security states; all groups off.
const GICD_CTLR_ARE: u32 = 0b11 << 4;
/// Group 0, in which CPUs that are off are woken.
const GICD_CTLR_GROUP_0: u32 = 1 << 0;
const GICD_CTLR_RWP: u32 = 1 << 31;

const GICR_TYPER: u64 = 0x8;
const GICR_TYPER_AFFINITY: u64 = 0xc;
const GICR_TYPER_VLPIS: u32 = 1 << 1;
const GICR_TYPER_LAST: u32 = 1 << 4;
const GICR_WAKER: u64 = 0x14;
const GICR_WAKER_PROCESSOR_SLEEP: u32 = 1 << 1;
const GICR_WAKER_CHILDREN_ASLEEP: u32 = 1 << 2;
const GICR_SGI: u64 = 0x1_0000;
const GICR_ICENABLER: u64 = 0x180;
const GICR_ICPENDR: u64 = 0x280;
const GICR_FRAME: u64 = 0x2_0000;

/// Reads of a status after which hardware is given up.
const PATIENCE: u32 = 1_000_000;

fn wait(mut done: impl FnMut() -> bool) -> bool {
    (0..PATIENCE).any(|_| done())
}

/// Sets up the distributor: once, by the boot CPU. `false` if it does not react.
pub fn set_up_distributor() -> bool {
    let gicd = Device::GICD;
    gicd.write(GICD_CTLR, 0);
    let idle = || gicd.read(GICD_CTLR) & GICD_CTLR_RWP == 0;
    let mut reacts = wait(idle);
    gicd.write(GICD_CTLR, GICD_CTLR_ARE);
    reacts &= wait(idle);
    let blocks = u64::from(gicd.read(GICD_TYPER) & 0x1f) + 1;
    for block in 1..blocks {
        gicd.write(GICD_IGROUPR + block * 4, u32::MAX);
        gicd.write(GICD_IGRPMODR + block * 4, 0);
    }
    gicd.write(GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_GROUP_0);
    reacts & wait(idle)
}

/// Wakes CPU `index` if it sleeps in the pen; its mailbox is full already.
pub fn wake_cpu(index: usize) {
    if !cpu::features().contains(Features::GIC) {
        return;
    }
    let (cluster, place) = (index / CPUS_PER_CLUSTER, index % CPUS_PER_CLUSTER);
    let target = WAKE_SGI << 24 | (cluster as u64) << 16 | 1 << place;
    // SAFETY: ICC_SGI0R_EL1 exists where there is a GIC, and the interrupt does
    // nothing but end the wait of a CPU in the pen.
    unsafe {
        asm!("dsb sy", "msr s3_0_c12_c11_7, {}", "isb", in(reg) target, options(nostack));
    }
}

/// Wakes the redistributor of the CPU with these affinities and gives its
/// private interrupts to the normal world. `false` if there is none or it does
/// not wake.
pub fn set_up_redistributor(mpidr: u64) -> bool {
    let affinity = (mpidr & 0xff_ffff | mpidr >> 8 & 0xff00_0000) as u32;
    let mut base = GICR_BASE;
    while let Some(frame) = Device::redistributor(base) {
        let kind = frame.read(GICR_TYPER);
        if frame.read(GICR_TYPER_AFFINITY) == affinity {
            return wake(frame);
        }
        if kind & GICR_TYPER_LAST != 0 {
            break;
        }
        // A GICv4 redistributor has two more pages.
        base += if kind & GICR_TYPER_VLPIS != 0 {
            2 * GICR_FRAME
        } else {
            GICR_FRAME
        };
    }
    false
}

fn wake(frame: Device) -> bool {
    let waker = frame.read(GICR_WAKER);
    frame.write(GICR_WAKER, waker & !GICR_WAKER_PROCESSOR_SLEEP);
    let awake = wait(|| frame.read(GICR_WAKER) & GICR_WAKER_CHILDREN_ASLEEP == 0);
    frame.write(GICR_SGI + GICD_IGROUPR, u32::MAX);
    frame.write(GICR_SGI + GICD_IGRPMODR, 0);
    // From here on no call for this CPU to wake arrives; drop one that has.
    frame.write(GICR_SGI + GICR_ICENABLER, 1 << WAKE_SGI);
    frame.write(GICR_SGI + GICR_ICPENDR, 1 << WAKE_SGI);
    awake
}
