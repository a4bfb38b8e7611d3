//! A Realm that does what no guest should. The hypervisor must survive it and
//! give the architected answer each time; each check says which.

use super::common::{device_registers, forged_summary, interrupts, power_calls, store};
use crate::guard::{self, Fault};
use crate::{bits, check, println, realm, smc};
use rsi::{Command, HostCall, Status, host_call};
use vm_config::map;

const GIB: u64 = 1 << 30;
const PAGE: u64 = 4096;
const MIB_2: u64 = 2 << 20;
/// Far above any RAM a test gives this payload, yet protected.
const NO_RAM: u64 = 3 * GIB;
const CHANGE: u64 = rsi::IPA_STATE_CHANGE_DESTROYED;

/// Tries all of it once.
pub fn try_all() {
    println!("hostile: I will do what no guest should");
    let Ok(config) = realm::config() else {
        check!(false, "the RMM tells me my configuration");
        return;
    };
    let shared_bit = map::shared_bit(config.ipa_width as u8);
    forged_summary(shared_bit);
    private_addresses(shared_bit);
    shared_addresses(shared_bit);
    device_addresses(shared_bit);
    calls_of_other_worlds();
    services();
    ipa_states(shared_bit);
    power_calls();
    interrupts(shared_bit);
    floods();
    forged_summary(shared_bit);
}

/// Whether an access ended in an external abort, as the RMM injects it.
fn aborted(access: Result<u64, Fault>) -> bool {
    access.is_err_and(Fault::is_external_abort)
}

fn private_addresses(shared_bit: u64) {
    for (address, place) in [
        (0, "at zero"),
        (map::UART_BASE.raw(), "of a device, without the shared bit"),
        (NO_RAM, "past my RAM"),
        (shared_bit - 8, "at the end of the protected half"),
        (2 * shared_bit, "past my address space"),
    ] {
        check!(
            aborted(guard::read(address)),
            "a load from {address:#x}, {place}, aborts in here"
        );
    }
    check!(
        store(NO_RAM).is_err_and(Fault::is_external_abort),
        "a store past my RAM aborts in here"
    );
    check!(
        guard::fetch(NO_RAM).is_err_and(Fault::is_external_fetch_abort),
        "a fetch from past my RAM aborts in here"
    );
}

fn shared_addresses(shared_bit: u64) {
    let alias = bits::SCRATCH | shared_bit;
    check!(
        aborted(guard::read(alias)),
        "the shared alias of what I never shared is nothing"
    );
    check!(
        store(alias).is_err_and(Fault::is_external_abort),
        "for stores too"
    );
    check!(
        aborted(guard::read(alias + 3)),
        "and for accesses that are not aligned"
    );
    check!(
        aborted(guard::read(NO_RAM | shared_bit)) || guard::read(NO_RAM | shared_bit) == Ok(0),
        "the shared alias of no memory at all is nothing"
    );
}

fn device_addresses(shared_bit: u64) {
    let device = |address: u64| guard::read(address | shared_bit);
    check!(
        device(0x0a00_0000) == Ok(0),
        "a device that is not there reads as zero"
    );
    check!(
        aborted(guard::read_with_write_back(
            map::UART_BASE.raw() | shared_bit
        )),
        "a load that no host can emulate aborts in here"
    );
    check!(
        device(map::UART_BASE.raw() + 0x18).is_ok(),
        "a load of eight bytes from the UART is harmless"
    );
    let odd = device(map::UART_BASE.raw() + 0x1c);
    check!(
        odd.is_err() || odd == Ok(0),
        "so is one that is not aligned to its size"
    );
    device_registers(shared_bit);
}

fn smc(function: u64, argument: u64) -> u64 {
    smc::call([function, argument, 0, 0, 0, 0, 0, 0, 0, 0, 0])[0]
}

fn calls_of_other_worlds() {
    // RMI, RMM to EL3, Secure services, hypervisor services, SMCCC extensions. None
    // of RSI's numbers: what one RMM does not know, another has for planes.
    for function in [
        0xc400_0150,
        0xc400_0151,
        0xc400_018f,
        0xc400_01b0,
        0x8400_0060,
        0xc200_0001,
        0x8600_ff01,
        0x8000_3fff,
        0x0000_0000,
        0xffff_ffff,
        0xdead_beef_c400_01aa,
    ] {
        check!(
            smc(function, bits::SCRATCH) == u64::MAX,
            "SMC {function:#x} is none of a Realm's: -1"
        );
    }
    check!(
        guard::run(|| smc::hvc(0)).is_err_and(Fault::is_undefined),
        "HVC is undefined in a Realm"
    );
}

fn services() {
    let input = |result: Result<_, Status>| result == Err(Status::ErrorInput);
    check!(
        input(realm::measurement_read(5).map(drop)),
        "there is no measurement 5"
    );
    check!(
        input(realm::measurement_extend(1, 65, [0; 8]))
            && input(realm::measurement_extend(9, 8, [0; 8])),
        "nor a measurement of 65 bytes, nor a slot 9"
    );
    for address in [1, NO_RAM, bits::SCRATCH | 1 << 32, 1 << 40, !0xfff] {
        check!(
            smc(Command::RealmConfig.fid().into(), address) == Status::ErrorInput.raw(),
            "the RMM does not write my configuration to {address:#x}"
        );
        check!(
            smc(Command::HostCall.fid().into(), address) == Status::ErrorInput.raw(),
            "nor read a host call from there"
        );
    }
    check!(
        smc(Command::AttestTokenContinue.fid().into(), bits::SCRATCH) != 0,
        "there is no token to go on with"
    );
    let mut gprs = [u64::MAX; 31];
    realm::host_call(host_call::REPORT_RIM, &mut gprs);
    check!(
        gprs[0] == host_call::UNKNOWN,
        "the host takes no measurement of absurd length"
    );
    let mut gprs = [0; 31];
    gprs[0] = u64::MAX;
    realm::host_call(host_call::CONSOLE_WRITE, &mut gprs);
    check!(
        gprs[0] <= host_call::CONSOLE_BYTES as u64,
        "nor more bytes for the console than fit"
    );
}

fn ipa_states(shared_bit: u64) {
    let set = |base, top, ripas| realm::ipa_state_set_once(base, top, ripas, CHANGE);
    let scratch = bits::SCRATCH;
    for (base, top, ripas, what) in [
        (scratch + 1, scratch + PAGE, 0, "a base that is not aligned"),
        (scratch, scratch + PAGE + 8, 0, "a top that is not aligned"),
        (
            scratch + PAGE,
            scratch,
            0,
            "a range that ends before it starts",
        ),
        (scratch, scratch, 0, "an empty range"),
        (scratch, scratch + PAGE, 2, "a state only a host can cause"),
        (scratch, scratch + PAGE, 9, "a state that does not exist"),
        (scratch, 2 * shared_bit, 0, "a range into the shared half"),
        (
            shared_bit,
            shared_bit + PAGE,
            1,
            "a range of the shared half",
        ),
        (
            u64::MAX - PAGE + 1,
            u64::MAX,
            0,
            "a range at the end of all",
        ),
    ] {
        check!(
            set(base, top, ripas) == Err(Status::ErrorInput),
            "the RMM refuses {what}"
        );
    }
    let reached = set(NO_RAM, NO_RAM + MIB_2, 1);
    check!(
        reached != Ok((NO_RAM + MIB_2, rsi::RESPONSE_ACCEPT)),
        "the host gives me no RAM that I was not promised: {reached:x?}"
    );
    let done = (0..64).all(|round| {
        let base = scratch + MIB_2 + (round % 8) * PAGE;
        let top = base + (1 + round % 5) * PAGE;
        realm::ipa_state_set(base, top, 0, CHANGE) == Ok(top)
            && realm::ipa_state_set(base, top, 1, CHANGE) == Ok(top)
    });
    check!(done, "a flood of changes from private to shared and back");
    let whole = (0..8).all(|_| {
        let (base, top) = (scratch + MIB_2, scratch + 2 * MIB_2);
        realm::ipa_state_set(base, top, 0, CHANGE) == Ok(top)
            && realm::ipa_state_set(base, top, 1, CHANGE) == Ok(top)
            && bits::read(base) == 0
    });
    check!(whole, "and of whole blocks, touched in between");
}

fn floods() {
    let calls =
        (0..4096).all(|_| realm::host_call(host_call::NOP, &mut [7; 31]) == Status::Success);
    check!(calls, "a flood of host calls");
    let unknown = (100..1124).all(|imm| {
        let mut gprs = [3; 31];
        realm::host_call(imm, &mut gprs) == Status::Success && gprs[0] == host_call::UNKNOWN
    });
    check!(unknown, "a flood of host calls nobody knows");
    let misplaced = (1..256).all(|offset| {
        let call = HostCall::default();
        let address = core::ptr::from_ref(&call).addr() as u64 + offset;
        smc(Command::HostCall.fid().into(), address) == Status::ErrorInput.raw()
    });
    check!(misplaced, "a flood of host calls from odd places");
}
