//! RSI, typed.

use crate::smc::{self, Regs};
use rsi::{Command, HostCall, RealmConfig, Status};

fn call(command: Command, args: [u64; 4]) -> Regs {
    let [a, b, c, d] = args;
    smc::call([u64::from(command.fid()), a, b, c, d, 0, 0, 0, 0, 0, 0])
}

fn value<T>(regs: &Regs, value: T) -> Result<T, Status> {
    match Status::from_raw(regs[0]) {
        Status::Success => Ok(value),
        status => Err(status),
    }
}

/// `RSI_VERSION`: the revision used, if the RMM serves `wanted`.
pub fn version(wanted: u64) -> Result<u64, Status> {
    let regs = call(Command::Version, [wanted, 0, 0, 0]);
    value(&regs, regs[1])
}

/// `RSI_FEATURES`.
pub fn features(index: u64) -> Result<u64, Status> {
    let regs = call(Command::Features, [index, 0, 0, 0]);
    value(&regs, regs[1])
}

/// `RSI_REALM_CONFIG`.
pub fn config() -> Result<RealmConfig, Status> {
    let mut config = RealmConfig::default();
    match Status::from_raw(smc::realm_config(&mut config)) {
        Status::Success => Ok(config),
        status => Err(status),
    }
}

/// `RSI_MEASUREMENT_READ`: 64 bytes, zero padded, as eight words.
pub fn measurement_read(slot: u64) -> Result<[u64; 8], Status> {
    let regs = call(Command::MeasurementRead, [slot, 0, 0, 0]);
    let [_, words @ .., _, _] = regs;
    value(&regs, words)
}

/// `RSI_MEASUREMENT_EXTEND` with `size` bytes of `words`.
pub fn measurement_extend(slot: u64, size: u64, words: [u64; 8]) -> Result<(), Status> {
    let mut regs = [0; 11];
    regs[0] = u64::from(Command::MeasurementExtend.fid());
    regs[1] = slot;
    regs[2] = size;
    regs[3..].copy_from_slice(&words);
    let regs = smc::call(regs);
    value(&regs, ())
}

/// `RSI_IPA_STATE_SET` once: how far it came, and whether the host accepted.
pub fn ipa_state_set_once(
    base: u64,
    top: u64,
    ripas: u64,
    flags: u64,
) -> Result<(u64, u64), Status> {
    let regs = call(Command::IpaStateSet, [base, top, ripas, flags]);
    value(&regs, (regs[1], regs[2]))
}

/// `RSI_IPA_STATE_SET` until all of `base..top` is done or it stops.
pub fn ipa_state_set(base: u64, top: u64, ripas: u64, flags: u64) -> Result<u64, Status> {
    let mut reached = base;
    while reached < top {
        let (next, response) = ipa_state_set_once(reached, top, ripas, flags)?;
        if response != rsi::RESPONSE_ACCEPT || next <= reached {
            break;
        }
        reached = next;
    }
    Ok(reached)
}

/// `RSI_IPA_STATE_GET`: the end of the run that starts at `base`, and its RIPAS.
pub fn ipa_state_get(base: u64, top: u64) -> Result<(u64, u64), Status> {
    let regs = call(Command::IpaStateGet, [base, top, 0, 0]);
    value(&regs, (regs[1], regs[2]))
}

/// `RSI_HOST_CALL`: all registers go there and come back.
pub fn host_call(imm: u16, gprs: &mut [u64; 31]) -> Status {
    let mut call = HostCall {
        imm: u64::from(imm),
        gprs: *gprs,
    };
    let status = Status::from_raw(smc::host_call(&mut call));
    *gprs = call.gprs;
    status
}

/// From here on the hypervisor counts what it does itself, if it runs a bench.
pub const MARK_BEGIN: u64 = 2;
/// To here.
pub const MARK_END: u64 = 3;

/// Marks a point for benches.
pub fn mark(number: u64) {
    let mut gprs = [0; 31];
    gprs[0] = number;
    host_call(rsi::host_call::MARK, &mut gprs);
}

/// Reports the RIM to the host.
pub fn report_rim(bytes: u64, words: &[u64; 8]) -> Status {
    let mut gprs = [0; 31];
    gprs[0] = bytes;
    gprs[1..9].copy_from_slice(words);
    host_call(rsi::host_call::REPORT_RIM, &mut gprs)
}
