//! The virtual interface of the GICv3 CPU interface (IHI0069, chapter 12).
#![expect(unsafe_code, reason = "its registers are reached by MRS and MSR only")]

use crate::hw::sysreg::{isb, read, write};
use rmm_core::GicState;

const HCR_EN: u64 = 1 << 0;
const SRE: u64 = 1 << 0;
const SRE_ENABLE: u64 = 1 << 3;
/// `ICH_VTR_EL2`: list registers minus one.
const VTR_LIST_REGS: u64 = 0x1f;
/// `ICH_VTR_EL2.PREbits`: preemption bits minus one.
const VTR_PRE_SHIFT: u32 = 26;
const INTID: u64 = 0xff_ffff;
/// Polls until an interrupt whose source was masked leaves the CPU interface.
const RETIRE_POLLS: u32 = 1000;

/// Expands `$move` for each register that exists, given the number of them.
macro_rules! each {
    ($count:expr, $move:ident, $array:expr, $($index:literal $name:literal),+) => {
        $(if $index < $count { $move!($array[$index], $name); })+
    };
}

macro_rules! load {
    ($slot:expr, $name:literal) => {
        write!($name, $slot)
    };
}

macro_rules! store {
    ($slot:expr, $name:literal) => {
        $slot = read!($name)
    };
}

macro_rules! lrs {
    ($count:expr, $move:ident, $array:expr) => {
        each!(
            $count, $move, $array,
            0 "s3_4_c12_c12_0", 1 "s3_4_c12_c12_1", 2 "s3_4_c12_c12_2", 3 "s3_4_c12_c12_3",
            4 "s3_4_c12_c12_4", 5 "s3_4_c12_c12_5", 6 "s3_4_c12_c12_6", 7 "s3_4_c12_c12_7",
            8 "s3_4_c12_c13_0", 9 "s3_4_c12_c13_1", 10 "s3_4_c12_c13_2", 11 "s3_4_c12_c13_3",
            12 "s3_4_c12_c13_4", 13 "s3_4_c12_c13_5", 14 "s3_4_c12_c13_6", 15 "s3_4_c12_c13_7"
        )
    };
}

macro_rules! ap0r {
    ($count:expr, $move:ident, $array:expr) => {
        each!($count, $move, $array,
            0 "s3_4_c12_c8_0", 1 "s3_4_c12_c8_1", 2 "s3_4_c12_c8_2", 3 "s3_4_c12_c8_3")
    };
}

macro_rules! ap1r {
    ($count:expr, $move:ident, $array:expr) => {
        each!($count, $move, $array,
            0 "s3_4_c12_c9_0", 1 "s3_4_c12_c9_1", 2 "s3_4_c12_c9_2", 3 "s3_4_c12_c9_3")
    };
}

/// What the CPU implements (`ICH_VTR_EL2`).
pub fn vtr() -> u64 {
    read!("s3_4_c12_c11_1")
}

/// Lets EL1 use the system register interface.
pub fn init() {
    let sre = read!("s3_4_c12_c9_5"); // ICC_SRE_EL2
    write!("s3_4_c12_c9_5", sre | SRE | SRE_ENABLE);
    isb();
    write!("s3_4_c12_c11_0", 0); // ICH_HCR_EL2
}

/// Puts a REC's state into the registers, or leaves it there for the host.
pub fn restore(gic: &GicState) {
    let vtr = vtr();
    lrs!(list_registers(vtr), load, gic.lrs);
    ap0r!(active_registers(vtr), load, gic.ap0r);
    ap1r!(active_registers(vtr), load, gic.ap1r);
    write!("s3_4_c12_c11_7", gic.vmcr); // ICH_VMCR_EL2
    write!("s3_4_c12_c11_0", gic.hcr); // ICH_HCR_EL2
}

/// Takes a REC's state out of the registers and switches the interface off.
pub fn save(gic: &mut GicState) {
    take(gic);
    write!("s3_4_c12_c11_0", gic.hcr & !HCR_EN);
}

/// Takes what is in the registers, a REC's state or the host's wishes for it.
pub fn take(gic: &mut GicState) {
    let vtr = vtr();
    lrs!(list_registers(vtr), store, gic.lrs);
    ap0r!(active_registers(vtr), store, gic.ap0r);
    ap1r!(active_registers(vtr), store, gic.ap1r);
    gic.vmcr = read!("s3_4_c12_c11_7");
    gic.hcr = read!("s3_4_c12_c11_0");
    gic.misr = read!("s3_4_c12_c11_2"); // ICH_MISR_EL2
}

/// Waits until none of `intids`, whose sources are masked, is signalled.
///
/// Bounded: an interrupt that stays costs a spurious exit, nothing more.
pub fn wait_retired(intids: &[u64]) {
    isb();
    for _ in 0..RETIRE_POLLS {
        let pending = read!("s3_0_c12_c12_2") & INTID; // ICC_HPPIR1_EL1
        if !intids.contains(&pending) {
            return;
        }
    }
}

fn list_registers(vtr: u64) -> usize {
    (vtr & VTR_LIST_REGS) as usize + 1
}

/// 1, 2 or 4 active priority registers per group for 5, 6 or 7 bits.
fn active_registers(vtr: u64) -> usize {
    let bits = (vtr >> VTR_PRE_SHIFT & 7) + 1;
    1 << bits.saturating_sub(5).min(2)
}
