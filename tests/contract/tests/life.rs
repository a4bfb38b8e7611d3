//! The life of a Realm through the conduit, call by call.

mod host;

use contract::model::{Action, Event, Model};
use host::Host;

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
