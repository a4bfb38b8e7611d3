//! A plain VM that does what no guest should. The hypervisor must survive it and
//! give the architected answer each time; each check says which.

use super::common::{device_registers, forged_summary, interrupts, power_calls, store};
use crate::guard::{self, Fault};
use crate::{bits, check, clear_register, power, println, read_register, realm, smc};
use rsi::{host_call, psci};

const GIB: u64 = 1 << 30;
/// Far above any RAM a test gives this payload.
const NO_RAM: u64 = 3 * GIB;
/// Past the end of its address space.
const OUTSIDE: u64 = 8 * GIB;

/// Tries all of it once.
pub fn try_all() {
    println!("hostile: I will do what no guest should");
    forged_summary(0);
    calls_of_other_worlds();
    identification();
    undefined_registers();
    harmless_registers();
    addresses();
    power_calls();
    check!(
        power::psci(psci::CPU_ON_64, [0, NO_RAM, 0]) == psci::INVALID_ADDRESS,
        "nobody starts where no RAM is"
    );
    interrupts(0);
    floods();
    forged_summary(0);
}

fn call(function: u64, argument: u64) -> u64 {
    smc::call([function, argument, 0, 0, 0, 0, 0, 0, 0, 0, 0])[0]
}

/// Firmware must not hear any of it, least of all the RMM: it would take the host
/// for the caller.
fn calls_of_other_worlds() {
    for (function, what) in [
        (0xc400_0150, "RMI_VERSION"),
        (0xc400_0151, "GRANULE_DELEGATE"),
        (0xc400_0152, "GRANULE_UNDELEGATE"),
        (0xc400_0158, "REALM_CREATE"),
        (0xc400_0159, "REALM_DESTROY"),
        (0xc400_015c, "REC_ENTER"),
        (0xc400_015e, "RTT_DESTROY"),
        (0xc400_0190, "RSI_VERSION"),
        (0xc400_0199, "RSI_HOST_CALL"),
        (0xc400_01b0, "a call from the RMM to EL3"),
        (0xc200_0001, "the monitor's count"),
        (0xbf00_ff01, "a Trusted OS"),
        (0x8600_ff01, "a hypervisor's identity"),
        (0xffff_ffff, "nobody"),
        (0xdead_beef_c400_0151, "one with bits above"),
    ] {
        check!(
            call(function, bits::SCRATCH) == u64::MAX && smc::hvc(function) == u64::MAX,
            "{function:#x}, {what}, is not for me: -1"
        );
    }
    bits::write_scratch(0, 42);
    check!(
        bits::read(bits::SCRATCH) == 42,
        "what I tried to give away is still mine"
    );
}

fn identification() {
    let read = |value: Result<u64, Fault>| value.unwrap_or(u64::MAX);
    let pfr0 = read(read_register!("id_aa64pfr0_el1"));
    check!(
        pfr0 & 0xff == 0x11 && pfr0 >> 8 & 0xff == 0,
        "I have EL0 and EL1, in AArch64, and nothing above: {pfr0:#x}"
    );
    check!(
        pfr0 >> 28 & 0xffff == 0 && pfr0 >> 44 & 0xf == 0 && pfr0 >> 52 & 0xf == 0,
        "no RAS, SVE, Secure EL2, MPAM, AMU or RME"
    );
    let dfr0 = read(read_register!("id_aa64dfr0_el1"));
    check!(
        dfr0 >> 4 & 0xff == 0 && dfr0 >> 32 & 0xf == 0,
        "no trace, counters or profiling: {dfr0:#x}"
    );
    let pfr1 = read(read_register!("id_aa64pfr1_el1"));
    check!(
        pfr1 >> 8 & 0xf == 0 && pfr1 >> 24 & 0xf == 0,
        "no MTE, no SME: {pfr1:#x}"
    );
    let hidden = [
        read_register!("s3_0_c0_c4_4"),
        read_register!("s3_0_c0_c4_5"),
        read_register!("s3_0_c0_c6_2"),
        read_register!("s3_0_c0_c6_3"),
        read_register!("s3_0_c0_c7_3"),
        read_register!("s3_0_c0_c7_4"),
        read_register!("s3_0_c0_c5_1"),
        read_register!("s3_0_c0_c1_0"),
        read_register!("s3_0_c0_c2_7"),
        read_register!("s3_0_c0_c7_7"),
    ];
    check!(
        hidden.iter().all(|value| *value == Ok(0)),
        "the identification of what I do not have is zero"
    );
    check!(
        clear_register!("s3_0_c0_c4_0").is_err(),
        "none of it can be written"
    );
    let mpidr = read(read_register!("mpidr_el1"));
    check!(mpidr == 1 << 31, "I am CPU 0: {mpidr:#x}");
}

fn undefined_registers() {
    macro_rules! undefined {
        ($($name:literal $what:literal),+ $(,)?) => {
            $(check!(
                read_register!($name).is_err_and(Fault::is_undefined)
                    && clear_register!($name).is_err_and(Fault::is_undefined),
                "{} is undefined", $what
            );)+
        };
    }
    undefined!(
        "s3_4_c1_c1_0" "HCR_EL2",
        "s3_4_c2_c1_0" "VTTBR_EL2",
        "s3_4_c12_c0_0" "VBAR_EL2",
        "s3_4_c12_c12_0" "ICH_LR0_EL2",
        "s3_6_c1_c1_0" "SCR_EL3",
        "s3_6_c2_c1_4" "GPTBR_EL3",
        "s3_5_c1_c0_0" "SCTLR_EL12",
        "s3_0_c1_c2_1" "TRFCR_EL1",
        "s3_0_c9_c9_0" "PMSCR_EL1",
        "s3_0_c9_c10_0" "PMBLIMITR_EL1",
        "s3_0_c10_c4_3" "LORC_EL1",
        "s3_0_c10_c4_4" "MPAMIDR_EL1",
        "s3_0_c13_c0_7" "SCXTNUM_EL1",
        "s3_0_c2_c1_0" "APIAKEYLO_EL1",
        "s3_0_c5_c3_1" "ERRSELR_EL1",
        "s3_0_c1_c0_6" "GCR_EL1",
        "s3_3_c13_c2_0" "AMCR_EL0",
        "s3_0_c15_c1_0" "an implementation's own register",
        "s2_1_c0_c4_0" "TRCVICTLR",
    );
    // With CPACR_EL1 as it is after a reset these trap to EL1 itself on a CPU that
    // has them, and a host cannot see it.
    check!(
        read_register!("s3_0_c1_c2_0").is_err() && read_register!("s3_0_c1_c2_6").is_err(),
        "ZCR_EL1 and SMCR_EL1 are not to be had"
    );
}

fn harmless_registers() {
    macro_rules! harmless {
        ($($name:literal $what:literal),+ $(,)?) => {
            $(check!(
                read_register!($name) == Ok(0) && clear_register!($name).is_ok(),
                "{} is harmless", $what
            );)+
        };
    }
    harmless!(
        "mdscr_el1" "MDSCR_EL1",
        "s2_0_c0_c0_4" "DBGBVR0_EL1",
        "s2_0_c0_c1_5" "DBGBCR1_EL1",
        "s3_3_c9_c14_0" "PMUSERENR_EL0",
        "s3_3_c9_c12_0" "PMCR_EL0",
        "s3_3_c14_c15_7" "PMCCFILTR_EL0",
        "s3_0_c1_c0_1" "ACTLR_EL1",
    );
    check!(clear_register!("s2_0_c1_c0_4").is_ok(), "so is OSLAR_EL1");
}

fn addresses() {
    for (address, place) in [
        (0, "at zero"),
        (0x0a00_0000, "of a device that is not there"),
        (NO_RAM, "past my RAM"),
        (OUTSIDE, "past my address space"),
    ] {
        check!(
            guard::read(address) == Ok(0) && store(address).is_ok(),
            "a load from {address:#x}, {place}, is zero, a store nothing"
        );
        check!(
            guard::read_with_write_back(address).is_err_and(Fault::is_external_abort),
            "one that no host can emulate aborts in here"
        );
    }
    check!(
        guard::fetch(NO_RAM).is_err_and(Fault::is_external_fetch_abort),
        "a fetch from past my RAM aborts in here"
    );
    device_registers(0);
}

fn floods() {
    let calls = (0..4096).all(|_| smc::hvc(u64::MAX) == u64::MAX && call(0, 0) == u64::MAX);
    check!(calls, "a flood of calls");
    let unknown = (0..1024).all(|_| {
        let mut gprs = [3; 31];
        realm::host_call(999, &mut gprs);
        gprs[0] == host_call::UNKNOWN
    });
    check!(unknown, "a flood of host calls nobody knows");
    let mut gprs = [u64::MAX; 31];
    realm::host_call(host_call::CONSOLE_WRITE, &mut gprs);
    check!(
        gprs[0] <= host_call::CONSOLE_BYTES as u64,
        "the host takes no more bytes for the console than fit"
    );
}
