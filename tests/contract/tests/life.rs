//! The life of a Realm through the conduit, call by call.

mod host;

use contract::model::{Action, Event, Model};
use host::Host;
use rmi::status::Status;
use rmi::v1_0::{Command, RecParams};
use zerocopy::{FromZeros, IntoBytes};

#[test]
fn a_realm_is_built_runs_powers_off_and_leaves_nothing_behind() {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut realm = host.realm(7);
    realm.populate(&mut host, 0x4000_0000, b"hello");
    realm.rec(&mut host, 0x4000_0000);
    realm.activate(&mut host);
    model.machine.script(
        7,
        0,
        [
            Action::read(0x4000_0000),
            Action::smc(rsi::psci::SYSTEM_OFF, &[]),
        ],
    );
    let exit = realm.enter(&mut host, |_| ());
    assert_eq!(exit.exit_reason, 3);
    assert_eq!(exit.gprs[0], u64::from(rsi::psci::SYSTEM_OFF));
    let hello = u64::from_le_bytes(*b"hello\0\0\0");
    assert_eq!(model.machine.events(7, 0), [Event::Loaded(hello)]);
    realm.destroy(&mut host);
    assert_eq!(model.machine.realm_granules(), 0);
}

#[test]
fn building_and_burying_a_realm_costs_no_tlb_maintenance_by_the_page() {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut realm = host.realm(7);
    for page in 0..20 {
        realm.populate(&mut host, 0x4000_0000 + page * 0x1000, b"page");
    }
    realm.rec(&mut host, 0x4000_0000);
    realm.activate(&mut host);
    assert_eq!(model.machine.tlb_maintenance(), 0);
    model.machine.script(7, 0, [Action::read(0x4000_0000)]);
    realm.enter(&mut host, |_| ());
    realm.destroy(&mut host);
    // With the last REC, and before the VMID is free again.
    assert_eq!(model.machine.tlb_maintenance(), 2);
}

#[test]
fn flags_that_nobody_has_defined_are_refused() {
    let model = Model::default();
    let mut host = Host::new(model);
    let realm = host.realm(7);
    let mut params = realm.params.clone();
    params.flags = 1 << 63;
    let page = host.page(params.as_bytes());
    let rd = host.delegated();
    host.fails(Command::RealmCreate, &[rd, page], Status::ErrorInput);
    let mut params = RecParams::new_zeroed();
    params.flags = 2;
    params.num_aux = 1;
    params.aux[0] = host.delegated();
    let page = host.page(params.as_bytes());
    let rec = host.delegated();
    let args = [realm.rd, rec, page];
    host.fails(Command::RecCreate, &args, Status::ErrorInput);
}
