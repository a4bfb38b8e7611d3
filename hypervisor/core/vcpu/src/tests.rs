use addr::{Ipa, IpaRange};
use rmi::v1_0::{ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_TRAP_WFI, RecEnter, RecExit};

use crate::host_call::Call;
use crate::*;
use std::format;

const SHARED: u64 = 1 << 32;
const RAM: u64 = 0x4000_0000;

fn policy() -> Policy {
    Policy {
        ram: IpaRange::with_size(Ipa::new(RAM), 0x1000_0000).unwrap(),
        shared_bit: SHARED,
        vcpus: 20,
    }
}

fn sync(esr: u64, ipa: u64) -> RecExit {
    let mut exit = RecExit::default();
    exit.esr = esr;
    exit.hpfar = (ipa >> 12) << 4;
    exit.far = ipa & 0xfff;
    exit
}

fn reason(reason: u64) -> RecExit {
    let mut exit = RecExit::default();
    exit.exit_reason = reason;
    exit
}

fn decide(exit: &RecExit) -> Action {
    step(&decode(exit, SHARED), &policy())
}

const DABT: u64 = 0x24 << 26;
const IABT: u64 = 0x20 << 26;
const ISV: u64 = 1 << 24;
const WORD: u64 = 2 << 22;
const WNR: u64 = 1 << 6;
const TRANSLATION: u64 = 0x07;

#[test]
fn a_load_from_a_device_is_emulated_at_its_plain_address() {
    let exit = sync(DABT | ISV | WORD | TRANSLATION, SHARED | 0x0900_0018);
    assert_eq!(
        decide(&exit),
        Action::Emulate(Mmio {
            ipa: Ipa::new(0x0900_0018),
            width: Width::Word,
            write: None
        })
    );
}

#[test]
fn a_store_carries_no_more_than_its_width() {
    let mut exit = sync(DABT | ISV | WNR | TRANSLATION, SHARED | 0x0900_0000);
    exit.gprs[0] = 0xffff_ff41;
    assert_eq!(
        decide(&exit),
        Action::Emulate(Mmio {
            ipa: Ipa::new(0x0900_0000),
            width: Width::Byte,
            write: Some(0x41)
        })
    );
}

#[test]
fn an_access_without_description_gets_an_abort() {
    let exit = sync(DABT | TRANSLATION, SHARED | 0x0900_0000);
    assert_eq!(decide(&exit), Action::InjectSea);
}

#[test]
fn the_alias_of_ram_is_shared_and_keeps_its_bit() {
    let exit = sync(DABT | ISV | TRANSLATION, SHARED | RAM | 0x123);
    assert_eq!(decide(&exit), Action::Share(Ipa::new(SHARED | RAM | 0x123)));
}

#[test]
fn protected_ram_is_populated_for_data_and_instructions() {
    for class in [DABT, IABT] {
        let exit = sync(class | TRANSLATION, RAM + 0x5000);
        assert_eq!(decide(&exit), Action::Populate(Ipa::new(RAM + 0x5000)));
    }
}

#[test]
fn a_fault_that_population_cannot_mend_stops_the_vm() {
    let permission = sync(DABT | 0x0f, RAM);
    assert!(matches!(
        decide(&permission),
        Action::Stop(Stop::Crashed(Why::ProtectedFault { .. }))
    ));
    let elsewhere = sync(DABT | TRANSLATION, 0x1000);
    assert_eq!(
        decide(&elsewhere),
        Action::Stop(Stop::Crashed(Why::NoRam {
            ipa: Ipa::new(0x1000)
        }))
    );
}

#[test]
fn an_address_past_both_halves_stops_the_vm() {
    let exit = sync(DABT | ISV | TRANSLATION, 2 * SHARED);
    assert!(matches!(
        decide(&exit),
        Action::Stop(Stop::Crashed(Why::OutsideIpaSpace { .. }))
    ));
}

#[test]
fn waiting_for_an_interrupt_waits_and_for_an_event_does_not() {
    assert_eq!(decide(&sync(0x01 << 26, 0)), Action::Wait);
    assert_eq!(decide(&sync(0x01 << 26 | 1, 0)), Action::Resume);
}

#[test]
fn an_sgi_takes_its_value_from_the_first_register() {
    // MSR ICC_SGI1R_EL1, x5: the register number must not matter.
    let mut exit = sync(
        0x18 << 26 | 3 << 20 | 5 << 17 | 12 << 10 | 5 << 5 | 11 << 1,
        0,
    );
    exit.gprs[0] = 0x0100_0001;
    exit.gprs[5] = 77;
    assert_eq!(
        decide(&exit),
        Action::SendSgi {
            value: 0x0100_0001,
            group: 1
        }
    );
}

#[test]
fn a_read_of_an_unknown_register_gives_zero() {
    assert_eq!(decide(&sync(0x18 << 26 | 1, 0)), Action::ReadAs(0));
}

#[test]
fn a_syndrome_of_zero_stops_the_vm() {
    assert_eq!(
        decide(&sync(0, 0)),
        Action::Stop(Stop::Crashed(Why::Unhandled { esr: 0 }))
    );
}

#[test]
fn an_unknown_exit_reason_stops_the_vm_and_no_more() {
    assert_eq!(
        decide(&reason(0x77)),
        Action::Stop(Stop::Crashed(Why::UnknownReason { raw: 0x77 }))
    );
}

#[test]
fn an_external_abort_is_told_from_a_fault() {
    assert!(matches!(
        decode(&sync(DABT | 0x10, 0), SHARED),
        Exit::ExternalAbort { .. }
    ));
}

#[test]
fn psci_finds_its_target_by_affinity() {
    let mut exit = reason(3);
    exit.gprs[0] = u64::from(rsi::psci::CPU_ON_64);
    exit.gprs[1] = 0x102;
    assert_eq!(decide(&exit), Action::CpuOn { target: 18 });
    exit.gprs[0] = u64::from(rsi::psci::AFFINITY_INFO_64);
    assert_eq!(decide(&exit), Action::AffinityInfo { target: 18 });
    exit.gprs[1] = 0x104;
    assert!(matches!(
        decide(&exit),
        Action::Stop(Stop::Crashed(Why::NoSuchCpu { mpidr: 0x104 }))
    ));
}

#[test]
fn psci_system_calls_end_the_vm_as_asked() {
    let mut exit = reason(3);
    exit.gprs[0] = u64::from(rsi::psci::SYSTEM_OFF);
    assert_eq!(decide(&exit), Action::Stop(Stop::Off));
    exit.gprs[0] = u64::from(rsi::psci::SYSTEM_RESET);
    assert_eq!(decide(&exit), Action::Stop(Stop::Reset));
    exit.gprs[0] = u64::from(rsi::psci::CPU_SUSPEND_64);
    assert_eq!(decide(&exit), Action::Wait);
    exit.gprs[0] = 0x1234;
    assert_eq!(decide(&exit), Action::Resume);
}

#[test]
fn every_index_survives_its_affinity() {
    for index in [0, 1, 15, 16, 255, 4095, 4096, 0xfffff, 0x10_0000] {
        assert_eq!(mpidr::index(mpidr::of(index), usize::MAX), Some(index));
    }
    assert_eq!(mpidr::of(16), 0x100);
    assert_eq!(mpidr::rec(0x10_0000), 0x0100_0000);
    assert_eq!(mpidr::index(0x10, usize::MAX), None);
}

#[test]
fn exits_are_counted_by_reason() {
    let mut counters = Counters::default();
    for exit in [
        sync(0, 0),
        reason(1),
        reason(2),
        reason(3),
        reason(4),
        reason(5),
        reason(6),
    ] {
        counters.count(&decode(&exit, SHARED));
    }
    assert_eq!(
        counters,
        Counters {
            sync: 1,
            irq: 1,
            fiq: 1,
            psci: 1,
            ripas_change: 1,
            host_call: 1,
            serror: 1,
            unknown: 0
        }
    );
}

#[test]
fn a_timer_asserts_only_enabled_unmasked_and_due() {
    for control in 0..8 {
        assert_eq!(timer::asserted(control), control == 5);
    }
}

#[test]
fn the_next_tick_ignores_masked_and_disabled_timers() {
    let mut exit = reason(1);
    exit.cntv_cval = 50;
    exit.cntp_cval = 40;
    assert_eq!(timer::next(&exit), None);
    exit.cntv_ctl = 1;
    exit.cntp_ctl = 3;
    assert_eq!(timer::next(&exit), Some(50));
    exit.cntp_ctl = 1;
    assert_eq!(timer::next(&exit), Some(40));
}

#[test]
fn an_answer_lasts_for_one_entry() {
    let mut enter = RecEnter::default();
    enter::begin(&mut enter);
    enter::load_done(&mut enter, 9);
    assert_eq!(enter.flags, ENTER_FLAG_TRAP_WFI | ENTER_FLAG_EMUL_MMIO);
    assert_eq!(enter.gprs[0], 9);
    enter::begin(&mut enter);
    assert_eq!(enter.flags, ENTER_FLAG_TRAP_WFI);
}

#[test]
fn host_calls_are_told_apart_by_their_immediate() {
    let mut gprs = [0; 31];
    gprs[0] = 7;
    assert_eq!(host_call::decode(5, &gprs), Call::Mark { number: 7 });
    assert_eq!(host_call::decode(0, &gprs), Call::Rhi { fid: 7 });
    assert_eq!(host_call::decode(0x1234, &gprs), Call::Unknown);
}

#[test]
fn a_reported_measurement_has_the_length_of_a_hash() {
    let mut gprs = [0x1111_1111_1111_1111; 31];
    gprs[0] = 32;
    let (rim, length) = host_call::reported_rim(&gprs).unwrap();
    assert_eq!(length, 32);
    assert!(rim[..32].iter().all(|&byte| byte == 0x11));
    assert!(rim[32..].iter().all(|&byte| byte == 0));
    gprs[0] = u64::MAX;
    assert_eq!(host_call::reported_rim(&gprs), None);
}

#[test]
fn unknown_host_interface_calls_answer_minus_one() {
    assert_eq!(host_call::rhi(0xc500_0040), u64::MAX);
    assert_eq!(host_call::rhi(0xc500_0050), 0x1000);
}

#[test]
fn no_exit_whatever_it_holds_panics() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..20_000 {
        let mut exit = reason(next() % 9);
        exit.esr = next() & 0x3ff_ffff | [0x01, 0x18, 0x20, 0x24, 0x3f][next() as usize % 5] << 26;
        exit.far = next();
        exit.hpfar = next();
        exit.imm = next();
        exit.ripas_base = next();
        exit.ripas_top = next();
        exit.gprs[0] = next();
        exit.gprs[1] = next();
        let action = decide(&exit);
        if let Action::Stop(stop) = action {
            assert!(!format!("{stop}").is_empty());
        }
    }
}
