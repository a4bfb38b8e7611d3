//! What a Realm asks: RSI and PSCI.

mod host;

use contract::model::{Action, Event, Model};
use host::{Host, Realm, fault_ipa};
use rmi::status::Status;
use rmi::v1_0::{Command, ENTER_FLAG_RIPAS_RESPONSE, RecEnter};
use rsi::psci;

const VMID: u16 = 4;
const RAM: u64 = 0x4000_0000;
const BUFFER: u64 = RAM + 0x1000;
const LAZY: u64 = RAM + 0x5000;
const EMPTY: u64 = RAM + 0x10_0000;
const SHARED: u64 = 1 << 32;

const IRQ: u64 = 1;
const PSCI: u64 = 3;
const RIPAS_CHANGE: u64 = 4;
const HOST_CALL: u64 = 5;
const NOT_SUPPORTED: u64 = u64::MAX;

fn realm_with(recs: usize) -> (Host, Realm) {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut realm = host.realm_with(VMID, |params| params.rpv = [0x5a; 64]);
    realm.ram(&mut host, LAZY);
    realm.populate(&mut host, RAM, b"code");
    realm.populate(&mut host, BUFFER, &[0xee; 4096]);
    for index in 0..recs {
        realm.rec_with(&mut host, RAM, u64::from(index == 0));
    }
    realm.activate(&mut host);
    (host, realm)
}

fn about_to(actions: impl IntoIterator<Item = Action>) -> (Host, Realm) {
    let (host, realm) = realm_with(1);
    host.model.machine.script(VMID, 0, actions);
    (host, realm)
}

fn plain(_: &mut RecEnter) {}

/// The answers of all SMCs: x0 to x2.
fn answers(host: &Host) -> Vec<[u64; 3]> {
    host.model
        .machine
        .events(VMID, 0)
        .iter()
        .map(|event| match event {
            Event::Returned([x0, x1, x2, ..]) => [*x0, *x1, *x2],
            other => panic!("{other:?} is no answer"),
        })
        .collect()
}

/// Makes calls none of which reaches the host.
fn answered(actions: impl IntoIterator<Item = Action>) -> Vec<[u64; 3]> {
    let (mut host, realm) = about_to(actions);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, IRQ);
    answers(&host)
}

fn rsi(command: rsi::Command, args: &[u64]) -> Action {
    Action::rsi(command, args)
}

#[test]
fn the_realm_learns_what_it_runs_on() {
    use rsi::Command::{AttestTokenContinue, AttestTokenInit, Features, Version};
    let seen = answered([
        rsi(Version, &[0x1_0000]),
        rsi(Version, &[0x2_0000]),
        rsi(Features, &[0]),
        rsi(AttestTokenInit, &[]),
        rsi(AttestTokenContinue, &[BUFFER, 0, 4096]),
        rsi(AttestTokenContinue, &[BUFFER, 0, 4097]),
        rsi(AttestTokenContinue, &[BUFFER, u64::MAX, 1]),
        Action::smc(0xc400_019a, &[]),
        Action::smc(0x1234_5678, &[]),
        // The hint that no SVE state is live.
        Action::smc(0xc401_0190, &[0x1_0000]),
    ]);
    let status: Vec<u64> = seen.iter().map(|[x0, ..]| *x0).collect();
    let none = NOT_SUPPORTED;
    assert_eq!(status, [0, 1, 0, 4, 2, 1, 1, none, none, 0]);
    assert_eq!(seen[0], [0, 0x1_0000, 0x1_0000]);
    assert_eq!(seen[1], [1, 0x1_0000, 0x1_0000]);
    assert_eq!(seen[2], [0, 0, 0]);
}

#[test]
fn the_configuration_fills_a_page_of_the_realm() {
    let (mut host, realm) = about_to([
        rsi(rsi::Command::RealmConfig, &[BUFFER]),
        Action::read(BUFFER),
        Action::read(BUFFER + 8),
        Action::read(BUFFER + 0x200),
        Action::read(BUFFER + 0x240),
    ]);
    realm.enter(&mut host, plain);
    let seen = host.model.machine.events(VMID, 0);
    let rpv = u64::from_le_bytes([0x5a; 8]);
    assert_eq!(
        seen[1..],
        [
            Event::Loaded(33),
            Event::Loaded(0),
            Event::Loaded(rpv),
            Event::Loaded(0)
        ]
    );
}

#[test]
fn a_buffer_must_be_the_realms_own_memory() {
    use rsi::Command::{HostCall, RealmConfig};
    let seen = answered([
        rsi(RealmConfig, &[EMPTY]),
        rsi(RealmConfig, &[SHARED]),
        rsi(RealmConfig, &[BUFFER + 8]),
        rsi(RealmConfig, &[1 << 40]),
        rsi(RealmConfig, &[!0xfff]),
        rsi(HostCall, &[EMPTY]),
        rsi(HostCall, &[SHARED]),
        rsi(HostCall, &[BUFFER + 8]),
        rsi(HostCall, &[!0xff]),
    ]);
    assert!(seen.iter().all(|[x0, ..]| *x0 == 1), "{seen:?}");
}

#[test]
fn a_buffer_that_is_not_there_yet_is_fetched_and_the_call_repeated() {
    let (mut host, mut realm) =
        about_to([rsi(rsi::Command::RealmConfig, &[LAZY]), Action::read(LAZY)]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.esr, 0x24 << 26 | 0x07);
    assert_eq!((exit.exit_reason, exit.far), (0, 0));
    assert_eq!(fault_ipa(&exit).raw(), LAZY);
    realm.unknown(&mut host, LAZY);
    realm.enter(&mut host, plain);
    let seen = host.model.machine.events(VMID, 0);
    assert!(matches!(seen[0], Event::Returned([0, ..])));
    assert_eq!(seen[1], Event::Loaded(33));
}

#[test]
fn a_host_call_carries_every_register_both_ways() {
    let call = BUFFER + 0x100;
    let (mut host, realm) = about_to([
        Action::write(call, 0xffff_ffff_ffff_1234),
        rsi(rsi::Command::HostCall, &[call]),
        Action::read(call + 8),
        Action::read(call + 8 + 30 * 8),
        // Beyond it, and before it.
        Action::read(call + 0x100),
        Action::read(call - 8),
    ]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, HOST_CALL);
    assert_eq!(exit.imm, 0x1234);
    assert_eq!(exit.gprs, [0xeeee_eeee_eeee_eeee; 31]);
    realm.enter(&mut host, |enter| {
        for (number, gpr) in enter.gprs.iter_mut().enumerate() {
            *gpr = 100 + number as u64;
        }
    });
    let seen = host.model.machine.events(VMID, 0);
    assert!(matches!(seen[1], Event::Returned([0, ..])));
    let other = Event::Loaded(0xeeee_eeee_eeee_eeee);
    assert_eq!(
        seen[2..],
        [Event::Loaded(100), Event::Loaded(130), other, other]
    );
}

#[test]
fn a_host_call_waits_for_a_page_that_went_away_meanwhile() {
    let (mut host, mut realm) = about_to([
        Action::write(BUFFER, 7),
        rsi(rsi::Command::HostCall, &[BUFFER]),
    ]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!((exit.exit_reason, exit.imm), (HOST_CALL, 7));
    let [granule, ..] = host.ok(Command::DataDestroy, &[realm.rd, BUFFER]);
    realm.pages.retain(|(ipa, _)| *ipa != BUFFER);
    host.undelegate(granule);
    for _ in 0..2 {
        // It is destroyed now: the answer has no place to go.
        let exit = realm.enter(&mut host, |enter| enter.gprs[0] = 1);
        assert_eq!((exit.exit_reason, exit.esr), (0, 0x24 << 26 | 0x07));
        assert_eq!(fault_ipa(&exit).raw(), BUFFER);
    }
    realm.destroy(&mut host);
}

#[test]
fn memory_is_given_up_and_taken_back_without_its_old_contents() {
    use rsi::Command::{IpaStateGet, IpaStateSet};
    let (mut host, mut realm) = about_to([
        Action::write(BUFFER, 0x5ec2e7),
        rsi(IpaStateSet, &[BUFFER, BUFFER + 0x1000, 0, 1]),
        rsi(IpaStateGet, &[BUFFER, BUFFER + 0x1000]),
        Action::read(BUFFER),
        rsi(IpaStateSet, &[BUFFER, BUFFER + 0x1000, 1, 1]),
        Action::read(BUFFER),
    ]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, RIPAS_CHANGE);
    assert_eq!((exit.ripas_base, exit.ripas_top), (BUFFER, BUFFER + 0x1000));
    assert_eq!(exit.ripas_value, 0);
    let range = [realm.rd, realm.recs[0].rec, BUFFER, BUFFER + 0x1000];
    let [top, ..] = host.ok(Command::RttSetRipas, &range);
    assert_eq!(top, BUFFER + 0x1000);
    let [granule, ..] = host.ok(Command::DataDestroy, &[realm.rd, BUFFER]);
    realm.pages.retain(|(ipa, _)| *ipa != BUFFER);
    host.undelegate(granule);
    let mut bytes = [1; 8];
    host.model
        .machine
        .read(addr::PhysAddr::new(granule), &mut bytes)
        .unwrap();
    assert_eq!(bytes, [0; 8], "the host gets the memory, not the secret");

    let exit = realm.enter(&mut host, plain);
    assert_eq!((exit.exit_reason, exit.ripas_value), (RIPAS_CHANGE, 1));
    host.ok(Command::RttSetRipas, &range);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(fault_ipa(&exit).raw(), BUFFER);
    realm.unknown(&mut host, BUFFER);
    realm.enter(&mut host, plain);
    let seen = host.model.machine.events(VMID, 0);
    let done = |event: &Event| matches!(event, Event::Returned([0, top, 0, ..]) if *top == BUFFER + 0x1000);
    assert!(
        done(&seen[1]) && done(&seen[2]) && done(&seen[4]),
        "{seen:x?}"
    );
    assert!(matches!(seen[3], Event::Exception { far: BUFFER, .. }));
    assert_eq!(seen[5], Event::Loaded(0));
    realm.destroy(&mut host);
}

#[test]
fn a_change_of_memory_tells_how_far_it_came_and_whether_it_may_go_on() {
    use rsi::Command::IpaStateSet;
    let change = |ripas| rsi(IpaStateSet, &[EMPTY, EMPTY + 0x2000, ripas, 0]);
    let (mut host, realm) = about_to([change(1), change(1), change(1), change(0)]);
    // Half of it, accepted.
    realm.enter(&mut host, plain);
    let rec = realm.recs[0].rec;
    let half = [realm.rd, rec, EMPTY, EMPTY + 0x1000];
    host.ok(Command::RttSetRipas, &half);
    // Nothing, accepted.
    realm.enter(&mut host, plain);
    // Nothing, rejected.
    realm.enter(&mut host, plain);
    let reject = |enter: &mut RecEnter| enter.flags = ENTER_FLAG_RIPAS_RESPONSE;
    realm.enter(&mut host, reject);
    // Giving up cannot be rejected.
    realm.enter(&mut host, reject);
    assert_eq!(
        answers(&host),
        [
            [0, EMPTY + 0x1000, 0],
            [0, EMPTY, 0],
            [0, EMPTY, 1],
            [0, EMPTY, 0]
        ]
    );
    realm.destroy(&mut host);
}

#[test]
fn a_rejection_of_what_is_done_already_is_none() {
    let set = rsi(rsi::Command::IpaStateSet, &[EMPTY, EMPTY + 0x1000, 1, 0]);
    let (mut host, realm) = about_to([set]);
    realm.enter(&mut host, plain);
    let range = [realm.rd, realm.recs[0].rec, EMPTY, EMPTY + 0x1000];
    host.ok(Command::RttSetRipas, &range);
    realm.enter(&mut host, |enter| enter.flags = ENTER_FLAG_RIPAS_RESPONSE);
    assert_eq!(answers(&host), [[0, EMPTY + 0x1000, 0]]);
}

#[test]
fn destroyed_memory_changes_only_with_the_realms_consent() {
    let set = |flags| {
        rsi(
            rsi::Command::IpaStateSet,
            &[BUFFER, BUFFER + 0x1000, 1, flags],
        )
    };
    let (mut host, mut realm) = about_to([set(0), set(1), Action::read(BUFFER)]);
    let [granule, ..] = host.ok(Command::DataDestroy, &[realm.rd, BUFFER]);
    realm.pages.retain(|(ipa, _)| *ipa != BUFFER);
    host.undelegate(granule);
    let range = [realm.rd, realm.recs[0].rec, BUFFER, BUFFER + 0x1000];
    realm.enter(&mut host, plain);
    let level = Status::ErrorRtt { level: 3 };
    host.fails(Command::RttSetRipas, &range, level);
    realm.enter(&mut host, plain);
    host.ok(Command::RttSetRipas, &range);
    realm.enter(&mut host, plain);
    assert_eq!(answers(&host), [[0, BUFFER, 0], [0, BUFFER + 0x1000, 0]]);
}

#[test]
fn a_request_that_makes_no_sense_never_reaches_the_host() {
    use rsi::Command::{IpaStateGet, IpaStateSet};
    let seen = answered([
        rsi(IpaStateSet, &[EMPTY, EMPTY, 1, 0]),
        rsi(IpaStateSet, &[EMPTY + 0x1000, EMPTY, 1, 0]),
        rsi(IpaStateSet, &[EMPTY + 1, EMPTY + 0x1000, 1, 0]),
        rsi(IpaStateSet, &[EMPTY, EMPTY + 0x1001, 1, 0]),
        rsi(IpaStateSet, &[SHARED, SHARED + 0x1000, 1, 0]),
        rsi(IpaStateSet, &[EMPTY, SHARED + 0x1000, 1, 0]),
        rsi(IpaStateSet, &[EMPTY, EMPTY + 0x1000, 2, 0]),
        rsi(IpaStateSet, &[EMPTY, EMPTY + 0x1000, u64::MAX, 0]),
        rsi(IpaStateSet, &[!0xfff, 0, 1, 0]),
        rsi(IpaStateGet, &[EMPTY, EMPTY]),
        rsi(IpaStateGet, &[SHARED, SHARED + 0x1000]),
        rsi(IpaStateGet, &[0, !0xfff]),
    ]);
    assert!(seen.iter().all(|[x0, ..]| *x0 == 1), "{seen:?}");
}

#[test]
fn runs_of_one_state_are_reported_within_a_table() {
    use rsi::Command::IpaStateGet;
    let seen = answered([
        rsi(IpaStateGet, &[RAM, SHARED]),
        rsi(IpaStateGet, &[RAM, RAM + 0x1000]),
        rsi(IpaStateGet, &[RAM + 0x2000, SHARED]),
        rsi(IpaStateGet, &[0x1000, SHARED]),
    ]);
    assert_eq!(
        seen,
        [
            // Code and buffer.
            [0, RAM + 0x2000, 1],
            [0, RAM + 0x1000, 1],
            // Up to the page that is RAM without memory.
            [0, LAZY, 0],
            // No table below: up to the end of the start table.
            [0, 0x4000_0000, 0]
        ]
    );
}

#[test]
fn psci_says_what_it_can() {
    let features = |fid: u32| Action::smc(psci::FEATURES, &[u64::from(fid)]);
    let seen = answered([
        Action::smc(psci::VERSION, &[]),
        Action::smc(psci::SMCCC_VERSION, &[]),
        features(psci::CPU_ON_64),
        features(psci::SYSTEM_OFF),
        features(psci::SMCCC_VERSION),
        features(0x8400_0014),
        Action::smc(psci::FEATURES, &[u64::MAX]),
        Action::smc(psci::MIGRATE_INFO_TYPE, &[]),
        Action::smc(psci::SMCCC_ARCH_FEATURES, &[0x8000_8000]),
    ]);
    let x0: Vec<u64> = seen.iter().map(|[x0, ..]| *x0).collect();
    let none = NOT_SUPPORTED;
    // The 32-bit convention cuts the question to 32 bits.
    assert_eq!(x0, [0x1_0001, 0x1_0002, 0, 0, 0, none, none, none, none]);
}

#[test]
fn a_second_cpu_is_switched_on_asked_for_and_off() {
    let (mut host, realm) = realm_with(2);
    let machine = host.model.machine;
    let affinity = Action::smc(psci::AFFINITY_INFO_64, &[1, 0]);
    machine.script(
        VMID,
        0,
        [
            affinity,
            Action::smc(psci::CPU_ON_64, &[1, RAM, 0xc0ffee]),
            Action::smc(psci::CPU_ON_64, &[1, RAM, 0]),
            affinity,
        ],
    );
    machine.script(
        VMID,
        1,
        [Action::Fetch { ipa: RAM }, Action::smc(psci::CPU_OFF, &[])],
    );
    let [first, second] = [realm.recs[0].rec, realm.recs[1].rec];
    let complete =
        |host: &Host, status: u64| host.call(Command::PsciComplete, &[first, second, status]).0;
    let (status, _) = realm.try_enter(&mut host, 1, plain);
    assert_eq!(status, Status::ErrorRec, "it is off");

    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, PSCI);
    assert_eq!(exit.gprs[..2], [u64::from(psci::AFFINITY_INFO_64), 1]);
    let (status, _) = realm.try_enter(&mut host, 0, plain);
    assert_eq!(status, Status::ErrorRec, "the host owes an answer");
    assert_eq!(complete(&host, (-3i64) as u64), Status::ErrorInput);
    assert_eq!(complete(&host, 0), Status::Success);
    assert_eq!(complete(&host, 0), Status::ErrorInput);

    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.gprs[..3], [u64::from(psci::CPU_ON_64), 1, 0]);
    assert_eq!(complete(&host, 1), Status::ErrorInput);
    assert_eq!(complete(&host, 0), Status::Success);
    let exit = realm.enter_rec(&mut host, 1, plain);
    assert_eq!(exit.gprs[0], u64::from(psci::CPU_OFF));
    let (status, _) = realm.try_enter(&mut host, 1, plain);
    assert_eq!(status, Status::ErrorRec);

    // On again, but the host does not want to.
    realm.enter(&mut host, plain);
    assert_eq!(complete(&host, (-3i64) as u64), Status::Success);
    realm.enter(&mut host, plain);
    assert_eq!(complete(&host, 0), Status::Success);
    realm.enter(&mut host, plain);
    let x0: Vec<u64> = answers(&host).iter().map(|[x0, ..]| *x0).collect();
    assert_eq!(x0, [1, 0, (-3i64) as u64, 1]);
    assert_eq!(machine.events(VMID, 1)[0], Event::Done);
    realm.destroy(&mut host);
}

#[test]
fn a_cpu_that_is_on_stays_on_and_cannot_be_denied() {
    let (mut host, realm) = realm_with(2);
    let on = Action::smc(psci::CPU_ON_64, &[1, RAM, 0]);
    host.model.machine.script(VMID, 0, [on; 3]);
    let args = |status| [realm.recs[0].rec, realm.recs[1].rec, status];
    realm.enter(&mut host, plain);
    host.ok(Command::PsciComplete, &args(0));
    realm.enter(&mut host, plain);
    host.ok(Command::PsciComplete, &args(0));
    realm.enter(&mut host, plain);
    let denied = args((-3i64) as u64);
    host.fails(Command::PsciComplete, &denied, Status::ErrorInput);
    realm.enter(&mut host, plain);
    let x0: Vec<u64> = answers(&host).iter().map(|[x0, ..]| *x0).collect();
    let already_on = (-4i64) as u64;
    assert_eq!(x0, [0, already_on, already_on]);
}

#[test]
fn the_host_cannot_complete_a_call_with_another_cpu() {
    let (mut host, realm) = realm_with(3);
    let on = Action::smc(psci::CPU_ON_64, &[1, RAM, 0]);
    host.model.machine.script(VMID, 0, [on]);
    realm.enter(&mut host, plain);
    let rec = |index: usize| realm.recs[index].rec;
    let bad = Status::ErrorInput;
    host.fails(Command::PsciComplete, &[rec(0), rec(2), 0], bad);
    host.fails(Command::PsciComplete, &[rec(1), rec(0), 0], bad);
    host.fails(Command::PsciComplete, &[rec(0), rec(0), 0], bad);
    host.ok(Command::PsciComplete, &[rec(0), rec(1), 0]);
    let (status, _) = realm.try_enter(&mut host, 2, plain);
    assert_eq!(status, Status::ErrorRec);
    realm.destroy(&mut host);
}

#[test]
fn nonsense_about_cpus_is_answered_inside() {
    let on = |mpidr, entry| Action::smc(psci::CPU_ON_64, &[mpidr, entry, 0]);
    let seen = answered([
        on(1, RAM),
        on(0x10, RAM),
        on(u64::MAX, RAM),
        on(0, SHARED),
        on(0, 1 << 40),
        on(0, RAM),
        Action::smc(psci::AFFINITY_INFO_64, &[0, 0]),
        Action::smc(psci::AFFINITY_INFO_64, &[0, 1]),
        Action::smc(psci::AFFINITY_INFO_64, &[7, 0]),
    ]);
    let x0: Vec<i64> = seen.iter().map(|[x0, ..]| *x0 as i64).collect();
    assert_eq!(x0, [-2, -2, -2, -9, -9, -4, 0, -2, -2]);
}

#[test]
fn a_suspended_cpu_goes_on_when_it_is_entered() {
    let (mut host, realm) = about_to([Action::smc(psci::CPU_SUSPEND_64, &[0, RAM, 0])]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.exit_reason, PSCI);
    assert_eq!(exit.gprs[0], u64::from(psci::CPU_SUSPEND_64));
    assert_eq!(exit.gprs[1..], [0; 30], "nothing else is disclosed");
    realm.enter(&mut host, plain);
    assert_eq!(answers(&host)[0][0], 0);
}

#[test]
fn a_reset_ends_the_realm_for_all_its_cpus() {
    let (mut host, realm) = about_to([Action::smc(psci::SYSTEM_RESET, &[])]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(exit.gprs[0], u64::from(psci::SYSTEM_RESET));
    let (status, _) = realm.try_enter(&mut host, 0, plain);
    assert_eq!(status, Status::ErrorRealm { index: 1 });
    realm.destroy(&mut host);
    assert_eq!(host.model.machine.realm_granules(), 0);
}
