//! The demo: a Realm that shows what it is, from the inside.
#![no_std]
#![no_main]

use guests::console::Pl011;
use guests::gic::Gic;
use guests::{bits, check, println, realm, timer};
use rsi::{HostCall, RealmConfig, host_call};
use vm_config::map;

guests::entry!(main);

/// Bytes of the region that is shared and taken back.
const REGION: u64 = 4 * 4096;
const SECRET: u64 = 0x5ec4_e75e_c4e7_5ec4;

fn main(dtb: u64) {
    println!();
    println!("Hello from a Realm. The host that runs me cannot read this memory.");
    check!(
        bits::image_end() <= bits::SCRATCH,
        "the image ends below the scratch memory"
    );
    check!(dtb != 0, "the host gave me a device tree, at {dtb:#x}");
    let Some(config) = identity() else {
        return;
    };
    let shared_bit = map::shared_bit(config.ipa_width as u8);
    measurements(&config);
    sharing(shared_bit);
    devices(shared_bit);
    time(shared_bit);
    calls();
}

fn identity() -> Option<RealmConfig> {
    let version = realm::version(rsi::VERSION_1_0);
    check!(
        version == Ok(rsi::VERSION_1_0),
        "the RMM serves RSI 1.0: {version:x?}"
    );
    let config = realm::config();
    check!(config.is_ok(), "the RMM tells me my configuration");
    let config = config.ok()?;
    check!(
        config.ipa_width == u64::from(map::DEFAULT_IPA_BITS),
        "my address space has {} bits; its upper half is shared with the host",
        config.ipa_width
    );
    Some(config)
}

fn measurements(config: &RealmConfig) {
    let bytes = if config.hash_algo == 0 { 32 } else { 64 };
    let Ok(rim) = realm::measurement_read(0) else {
        check!(false, "the RMM tells me my initial measurement");
        return;
    };
    println!("  my initial measurement, as the RMM took it:");
    println!("        {}", Hex(&rim, bytes));
    check!(
        rim.iter().any(|word| *word != 0),
        "the initial measurement is not empty"
    );
    check!(
        realm::report_rim(bytes as u64, &rim) == rsi::Status::Success,
        "the host takes note of it"
    );
    check!(
        realm::measurement_extend(0, 8, [1; 8]) == Err(rsi::Status::ErrorInput),
        "I cannot change it any more"
    );
    let before = realm::measurement_read(1);
    check!(
        before == Ok([0; 8]),
        "my extensible measurements start at zero"
    );
    let extended = realm::measurement_extend(1, 8, [0x1234; 8]);
    let after = realm::measurement_read(1);
    check!(
        extended.is_ok() && after.is_ok() && after != before,
        "I can extend those"
    );
}

fn sharing(shared_bit: u64) {
    let (base, top) = (bits::SCRATCH, bits::SCRATCH + REGION);
    for offset in (0..REGION).step_by(8) {
        bits::write_scratch(offset, SECRET);
    }
    let reached = realm::ipa_state_set(base, top, 0, rsi::IPA_STATE_CHANGE_DESTROYED);
    check!(
        reached == Ok(top),
        "{REGION} bytes of mine become shared: {reached:x?}"
    );
    check!(
        realm::ipa_state_get(base, top) == Ok((top, 0)),
        "the RMM agrees that they are no longer private"
    );
    let leaked = (0..REGION)
        .step_by(8)
        .filter(|offset| bits::read((base + offset) | shared_bit) == SECRET)
        .count();
    check!(
        leaked == 0,
        "none of the secrets in them shows through the shared alias"
    );
    bits::write_shared_scratch(shared_bit, 0, 42);
    check!(
        bits::read(base | shared_bit) == 42,
        "the shared alias keeps what I write to it"
    );
    let reached = realm::ipa_state_set(base, top, 1, rsi::IPA_STATE_CHANGE_DESTROYED);
    check!(reached == Ok(top), "they become private again");
    let planted = (0..REGION)
        .step_by(8)
        .filter(|offset| matches!(bits::read(base + offset), 42 | SECRET))
        .count();
    check!(
        planted == 0,
        "nothing of what was in them, mine or the host's, comes back"
    );
}

fn devices(shared_bit: u64) {
    let uart = Pl011::new(shared_bit);
    check!(
        uart.send("        (this line went through an emulated PL011)\r\n")
            .is_ok(),
        "the emulated PL011 takes characters"
    );
}

fn time(shared_bit: u64) {
    let gic = Gic::new(shared_bit);
    gic.enable();
    gic.enable_private(map::TIMER_VIRTUAL_INTID);
    let begun = timer::now();
    timer::arm(timer::frequency() / 100);
    let ticked = timer::wait_until(1000, || timer::ticks() > 0);
    let took = timer::now() - begun;
    check!(
        ticked && timer::ticks() == 1,
        "a timer interrupt wakes me once"
    );
    check!(
        took >= timer::frequency() / 100,
        "not before the 10 ms I asked for"
    );
    timer::arm(1);
    check!(
        timer::wait_until(1000, || timer::ticks() > 1),
        "and again, after the first was handled"
    );
    guests::gic::send_sgi(5, 0);
    gic.enable_private(5);
    check!(
        timer::wait_until(1000, || timer::others() == 1),
        "an interrupt I send myself arrives"
    );
}

fn calls() {
    let mut gprs = core::array::from_fn(|index| index as u64);
    let sent = gprs;
    let status = realm::host_call(host_call::NOP, &mut gprs);
    check!(
        status == rsi::Status::Success && gprs == sent,
        "a host call carries 31 registers there and back"
    );
    let mut gprs = [0; 31];
    realm::host_call(999, &mut gprs);
    check!(
        gprs[0] == host_call::UNKNOWN,
        "the host says so when it does not know a call"
    );
    let mut misaligned = [HostCall::default(), HostCall::default()];
    let [_, second] = &mut misaligned;
    let address = core::ptr::from_mut(second).addr() as u64 - 8;
    let status = guests::smc::call([
        u64::from(rsi::Command::HostCall.fid()),
        address,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ])[0];
    check!(
        rsi::Status::from_raw(status) == rsi::Status::ErrorInput,
        "the RMM refuses a host call from a misaligned structure"
    );
}

/// Bytes of a measurement in hexadecimal.
struct Hex<'a>(&'a [u64; 8], usize);

impl core::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for byte in self
            .0
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .take(self.1)
        {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
