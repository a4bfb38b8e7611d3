//! Every way a REC stops, and what comes of it on the next entry.

mod host;

use contract::model::{Action, Event, Model, Size, SystemRegister};
use host::{Host, Realm, fault_ipa};
use rmi::status::Status;
use rmi::v1_0::{
    Command, ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_INJECT_SEA, ENTER_FLAG_TRAP_WFE, ENTER_FLAG_TRAP_WFI,
    RecEnter,
};

const VMID: u16 = 9;
const RAM: u64 = 0x4000_0000;
/// RAM that the host has not populated.
const LAZY: u64 = RAM + 0x5000;
/// Protected and empty.
const EMPTY: u64 = RAM + 0x10_0000;
const SHARED: u64 = 1 << 32;

const SYNC: u64 = 0;
const IRQ: u64 = 1;
const FIQ: u64 = 2;
const SERROR: u64 = 6;

/// A Realm with one REC, about to do something.
fn about_to(actions: impl IntoIterator<Item = Action>) -> (Host, Realm) {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut realm = host.realm(VMID);
    realm.ram(&mut host, LAZY);
    realm.populate(&mut host, RAM, b"code");
    realm.table(&mut host, SHARED);
    realm.rec(&mut host, RAM);
    realm.activate(&mut host);
    model.machine.script(VMID, 0, actions);
    (host, realm)
}

fn events(host: &Host) -> Vec<Event> {
    host.model.machine.events(VMID, 0)
}

fn class(esr: u64) -> u64 {
    esr >> 26
}

fn plain(_: &mut RecEnter) {}

/// A synchronous external abort taken from the kernel to itself.
fn external_abort(far: u64, write: bool) -> Event {
    Event::Exception {
        esr: 0x25 << 26 | 1 << 25 | 1 << 9 | u64::from(write) << 6 | 0x10,
        far,
    }
}

#[test]
fn missing_ram_is_populated_and_the_access_repeated() {
    let (mut host, mut realm) = about_to([Action::write(LAZY + 8, 5), Action::read(LAZY + 8)]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!((exit.exit_reason, class(exit.esr)), (SYNC, 0x24));
    assert_eq!(exit.esr & 0x3f, 0x07);
    assert_eq!(exit.far, 0, "the offset in the page is the Realm's secret");
    assert_eq!(fault_ipa(&exit).raw(), LAZY);
    assert_eq!(exit.gprs, [0; 31], "so is what it writes");
    realm.unknown(&mut host, LAZY);
    realm.enter(&mut host, plain);
    assert_eq!(events(&host), [Event::Done, Event::Loaded(5)]);
    realm.destroy(&mut host);
}

#[test]
fn nothing_that_the_host_had_in_a_page_is_readable_in_the_realm() {
    let (mut host, mut realm) = about_to([Action::read(LAZY)]);
    let page = host.page(b"the host's secret");
    host.ok(Command::GranuleDelegate, &[page]);
    host.ok(Command::DataCreateUnknown, &[realm.rd, page, LAZY]);
    realm.pages.push((LAZY, page));
    realm.enter(&mut host, plain);
    assert_eq!(events(&host), [Event::Loaded(0)]);
}

#[test]
fn empty_and_outer_memory_abort_inside_the_realm() {
    let outside = 1 << 33;
    let (mut host, realm) = about_to([
        Action::read(EMPTY),
        Action::write(outside, 1),
        Action::Fetch { ipa: EMPTY },
        Action::Fetch { ipa: SHARED },
        Action::Fetch { ipa: outside },
    ]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, IRQ, "the host hears of none of it");
    let fetch = |far| Event::Exception {
        esr: 0x21 << 26 | 1 << 25 | 1 << 9 | 0x10,
        far,
    };
    assert_eq!(
        events(&host),
        [
            external_abort(EMPTY, false),
            external_abort(outside, true),
            fetch(EMPTY),
            fetch(SHARED),
            fetch(outside)
        ]
    );
}

#[test]
fn missing_code_is_an_instruction_abort() {
    let (mut host, mut realm) = about_to([Action::Fetch { ipa: LAZY }]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!((exit.exit_reason, class(exit.esr)), (SYNC, 0x20));
    assert_eq!(fault_ipa(&exit).raw(), LAZY);
    let (status, _) = realm.try_enter(&mut host, 0, |enter| {
        enter.flags = ENTER_FLAG_INJECT_SEA;
    });
    assert_eq!(status, Status::ErrorRec);
    realm.unknown(&mut host, LAZY);
    realm.enter(&mut host, plain);
    assert_eq!(events(&host), [Event::Done]);
}

#[test]
fn destroyed_memory_stays_with_the_host() {
    let (mut host, mut realm) = about_to([Action::read(RAM)]);
    let (ipa, data) = realm.pages.remove(0);
    host.ok(Command::DataDestroy, &[realm.rd, ipa]);
    host.undelegate(data);
    for _ in 0..2 {
        let exit = realm.enter(&mut host, plain);
        assert_eq!((exit.exit_reason, class(exit.esr)), (SYNC, 0x24));
        assert_eq!(fault_ipa(&exit).raw(), RAM);
        // Fresh memory in its place does not make it readable.
        if realm.pages.is_empty() {
            realm.unknown(&mut host, RAM);
        }
    }
    assert_eq!(events(&host), []);
}

#[test]
fn an_emulated_read_extends_as_the_instruction_says() {
    let load = |size, signed| Action::Read {
        ipa: SHARED + 0x18,
        size,
        signed,
    };
    let cases = [
        (load(Size::Byte, false), 0, 0x1ff, 0xff),
        (load(Size::Byte, true), 0, 0x80, 0xffff_ffff_ffff_ff80),
        (load(Size::Half, true), 1, 0x7fff, 0x7fff),
        (
            load(Size::Word, true),
            2,
            0x8000_0000,
            0xffff_ffff_8000_0000,
        ),
        (load(Size::Double, false), 3, u64::MAX, u64::MAX),
    ];
    for (action, size, given, loaded) in cases {
        let (mut host, realm) = about_to([action]);
        let exit = realm.enter(&mut host, plain);
        assert_eq!(class(exit.esr), 0x24);
        assert_eq!(exit.esr >> 22 & 0b111, 0b100 | size, "valid, and how much");
        assert_eq!(exit.esr >> 6 & 1, 0, "a read");
        assert_eq!(fault_ipa(&exit).raw(), SHARED + 0x18);
        assert_eq!(exit.gprs[0], 0);
        realm.enter(&mut host, |enter| {
            enter.flags = ENTER_FLAG_EMUL_MMIO;
            enter.gprs[0] = given;
        });
        assert_eq!(events(&host), [Event::Loaded(loaded)]);
        realm.destroy(&mut host);
    }
}

#[test]
fn an_emulated_write_brings_only_what_is_written() {
    let (mut host, realm) = about_to([Action::Write {
        ipa: SHARED + 4,
        size: Size::Half,
        value: 0x1234_5678,
    }]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.gprs[0], 0x5678);
    assert_eq!(exit.esr >> 6 & 1, 1, "a write");
    // Without an answer the access is tried again.
    realm.enter(&mut host, plain);
    assert_eq!(events(&host), []);
    realm.enter(&mut host, |enter| enter.flags = ENTER_FLAG_EMUL_MMIO);
    assert_eq!(events(&host), [Event::Done]);
    // Once.
    let (status, _) = realm.try_enter(&mut host, 0, |enter| enter.flags = ENTER_FLAG_EMUL_MMIO);
    assert_eq!(status, Status::ErrorRec);
}

#[test]
fn an_access_nobody_can_emulate_may_fail() {
    let (mut host, realm) = about_to([Action::WritePair { ipa: SHARED }]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.esr >> 24 & 1, 0, "the syndrome is not valid");
    assert_eq!(exit.gprs[0], 0);
    let (status, _) = realm.try_enter(&mut host, 0, |enter| enter.flags = ENTER_FLAG_EMUL_MMIO);
    assert_eq!(status, Status::ErrorRec);
    realm.enter(&mut host, |enter| enter.flags = ENTER_FLAG_INJECT_SEA);
    assert_eq!(events(&host), [external_abort(SHARED, true)]);
}

#[test]
fn shared_memory_is_shared_both_ways() {
    let (mut host, mut realm) = about_to([Action::read(SHARED), Action::write(SHARED + 8, 22)]);
    let page = host.page(&11u64.to_le_bytes());
    realm.share(&mut host, SHARED, page);
    realm.enter(&mut host, plain);
    assert_eq!(events(&host), [Event::Loaded(11), Event::Done]);
    let mut seen = [0; 16];
    host.model
        .machine
        .read(addr::PhysAddr::new(page), &mut seen)
        .unwrap();
    assert_eq!(seen[8], 22);
}

#[test]
fn a_shared_page_that_the_host_gives_away_aborts_inside_the_realm() {
    let (mut host, mut realm) = about_to([Action::read(SHARED)]);
    let page = host.granule();
    realm.share(&mut host, SHARED, page);
    host.ok(Command::GranuleDelegate, &[page]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, IRQ);
    assert_eq!(events(&host), [external_abort(SHARED, false)]);
}

#[test]
fn a_read_only_shared_page_lets_the_host_see_the_write() {
    let (mut host, realm) = about_to([Action::write(SHARED, 3)]);
    let page = host.granule();
    // Read-only, write-back.
    let args = [realm.rd, SHARED, 3, page | 0x58];
    host.ok(Command::RttMapUnprotected, &args);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.esr & 0x3f, 0x0f, "a permission fault at level 3");
    assert_eq!(exit.gprs[0], 3);
    realm.enter(&mut host, |enter| enter.flags = ENTER_FLAG_EMUL_MMIO);
    assert_eq!(events(&host), [Event::Done]);
}

#[test]
fn waiting_leaves_only_where_the_host_asks_for_it() {
    let (mut host, realm) = about_to([Action::Wfi, Action::Wfe, Action::Wfi, Action::Wfe]);
    let exit = realm.enter(&mut host, |enter| enter.flags = ENTER_FLAG_TRAP_WFI);
    assert_eq!((exit.exit_reason, exit.esr), (SYNC, 0x01 << 26));
    let exit = realm.enter(&mut host, |enter| enter.flags = ENTER_FLAG_TRAP_WFE);
    assert_eq!((exit.exit_reason, exit.esr), (SYNC, 0x01 << 26 | 1));
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, IRQ);
    assert_eq!(events(&host), [Event::Done; 4]);
}

#[test]
fn physical_interrupts_are_the_hosts() {
    let (mut host, realm) = about_to([Action::Irq, Action::Fiq, Action::SError(0x2f << 26 | 0x11)]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!((exit.exit_reason, exit.esr), (IRQ, 0));
    let exit = realm.enter(&mut host, plain);
    assert_eq!((exit.exit_reason, exit.esr), (FIQ, 0));
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, SERROR);
    assert_eq!(exit.esr & 0x3f, 0x11);
}

#[test]
fn an_sgi_is_the_hosts_to_deliver() {
    let (mut host, realm) = about_to([
        Action::WriteRegister(SystemRegister::ICC_SGI1R, 0x0100_0001),
        Action::ReadRegister(SystemRegister::ICC_SGI1R),
    ]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!((exit.exit_reason, class(exit.esr)), (SYNC, 0x18));
    assert_eq!(exit.gprs[0], 0x0100_0001);
    // ICC_SGI1R_EL1, a write, and not from which register.
    assert_eq!(
        exit.esr & 0x1ff_ffff,
        3 << 20 | 5 << 17 | 12 << 10 | 11 << 1
    );
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, IRQ);
    let undefined = Event::Exception {
        esr: 1 << 25,
        far: 0,
    };
    assert_eq!(events(&host), [Event::Done, undefined]);
}

#[test]
fn registers_are_answered_harmless_or_undefined() {
    let nobody = SystemRegister::new(3, 0, 15, 7, 7);
    let (mut host, realm) = about_to([
        Action::ReadRegister(SystemRegister::ID_AA64PFR0),
        Action::ReadRegister(SystemRegister::new(3, 0, 0, 4, 4)),
        Action::WriteRegister(SystemRegister::MDSCR, 1),
        Action::ReadRegister(SystemRegister::MDSCR),
        Action::ReadRegister(nobody),
        Action::WriteRegister(nobody, 1),
        Action::WriteRegister(SystemRegister::ID_AA64PFR0, 1),
        Action::Hvc,
        // Floating point, SVE, pointer authentication, memory copy.
        Action::Exception(0x07 << 26),
    ]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, IRQ);
    let seen = events(&host);
    let undefined = Event::Exception {
        esr: 1 << 25,
        far: 0,
    };
    assert!(matches!(seen[0], Event::Loaded(pfr0) if pfr0 & 0xffff == 0x11));
    assert_eq!(seen[1], Event::Loaded(0), "no SVE");
    assert_eq!(seen[2..4], [Event::Done, Event::Loaded(0)]);
    assert_eq!(seen[4..], [undefined; 5]);
}

#[test]
fn an_exception_that_nobody_knows_reaches_the_host_without_details() {
    let (mut host, realm) = about_to([Action::Exception(0x3e << 26 | 0x1234)]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!((exit.exit_reason, exit.esr), (SYNC, 0));
    assert_eq!(exit.gprs, [0; 31]);
}

#[test]
fn a_broken_memory_reaches_both_sides() {
    let (mut host, realm) = about_to([Action::Exception(0x24 << 26 | 0x10)]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, SYNC);
    assert_eq!(exit.esr, 0x24 << 26 | 0x10);
    assert_eq!((exit.far, exit.hpfar), (0, 0));
    realm.enter(&mut host, plain);
    assert_eq!(events(&host), [external_abort(0, false)]);
}

#[test]
fn a_timer_that_fires_leaves_once_and_again_when_it_is_quiet() {
    let (mut host, realm) = about_to([
        Action::VirtualTimer { ticks: 100 },
        Action::Compute(99),
        Action::Compute(1),
        Action::Compute(50),
        Action::TakeInterrupt,
        Action::StopTimers,
        Action::Wfi,
    ]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, IRQ);
    assert_eq!(exit.cntv_ctl, 0b101, "enabled and fired");
    assert_eq!(exit.cntp_ctl, 0);
    assert_eq!(exit.cntv_cval, host.model.machine.now());
    // The host makes the interrupt pending; the Realm takes it and stops the
    // timer, which the host learns at the next exit.
    let exit = realm.enter(&mut host, |enter| {
        enter.gicv3_lrs[0] = 1 << 62 | 1 << 60 | 27;
        enter.flags = ENTER_FLAG_TRAP_WFI;
    });
    assert_eq!(exit.exit_reason, SYNC);
    assert_eq!(exit.gicv3_lrs[0] >> 62, 0, "the interrupt is over");
    assert_eq!(exit.cntv_ctl, 0);
    assert_eq!(events(&host), [Event::Interrupt(27)]);
}

#[test]
fn a_timer_that_fires_while_the_realm_waits_is_reported_at_once() {
    let (mut host, realm) = about_to([Action::PhysicalTimer { ticks: 100 }, Action::Wfi]);
    let exit = realm.enter(&mut host, |enter| enter.flags = ENTER_FLAG_TRAP_WFI);
    assert_eq!((exit.exit_reason, exit.cntp_ctl), (SYNC, 1));
    host.model.machine.advance(1000);
    let exit = realm.enter(&mut host, plain);
    assert_eq!((exit.exit_reason, exit.cntp_ctl), (IRQ, 0b101));
}

#[test]
fn list_registers_come_back_and_a_maintenance_interrupt_is_told() {
    let (mut host, realm) = about_to([Action::TakeInterrupt, Action::TakeInterrupt, Action::Irq]);
    let eoi = 1 << 41;
    let exit = realm.enter(&mut host, |enter| {
        enter.gicv3_hcr = 1 << 1;
        enter.gicv3_lrs[1] = 1 << 62 | 1 << 60 | 33 | eoi;
        // What is not there cannot come back.
        enter.gicv3_lrs[9] = 1 << 62 | 34;
    });
    assert_eq!(exit.gicv3_misr, 1);
    assert_eq!(exit.gicv3_hcr, 1 << 1);
    assert_eq!(exit.gicv3_lrs[1] & (0b11 << 62), 0);
    assert_eq!(exit.gicv3_lrs[9], 0);
    assert_eq!(events(&host), [Event::Interrupt(33), Event::NoInterrupt]);
}

#[test]
fn a_run_page_that_goes_away_while_the_rec_runs_is_an_error_and_no_harm() {
    let (mut host, realm) = about_to([Action::Compute(1)]);
    let run = addr::GranuleAddr::from_raw(realm.run).unwrap();
    host.model.machine.set_pas(run, addr::Pas::Root);
    host.fails(
        Command::RecEnter,
        &[realm.recs[0].rec, realm.run],
        Status::ErrorInput,
    );
    host.model.machine.set_pas(run, addr::Pas::NonSecure);
    realm.enter(&mut host, plain);
    realm.destroy(&mut host);
}
