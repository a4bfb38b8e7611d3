//! The calls a guest makes of its host.

use rmi::v1_0::{RecEnter, RecExit};
use vcpu::enter;
use vcpu::host_call::{self, Call};

use crate::Host;

/// Answers a host call.
#[inline(always)]
pub fn answer(imm: u16, enter: &mut RecEnter, exit: &RecExit, host: &mut impl Host) {
    match host_call::decode(imm, &exit.gprs) {
        Call::Nop => enter::echo(enter, exit),
        Call::ConsoleWrite => {
            let mut taken = 0;
            for byte in rsi::host_call::unpack(&exit.gprs) {
                host.write(byte);
                taken += 1;
            }
            enter::set_first(enter, taken);
        }
        Call::ConsoleRead => {
            let mut bytes = [0; rsi::host_call::CONSOLE_BYTES];
            let mut count = 0;
            for (slot, byte) in bytes.iter_mut().zip(core::iter::from_fn(|| host.read())) {
                *slot = byte;
                count += 1;
            }
            let bytes = bytes.get(..count).unwrap_or_default();
            rsi::host_call::pack(&mut enter.gprs, bytes);
        }
        Call::ReportRim => {
            enter::echo(enter, exit);
            match host_call::reported_rim(&exit.gprs) {
                Some((rim, length)) => host.rim(rim.get(..length).unwrap_or_default()),
                None => enter::set_first(enter, rsi::host_call::UNKNOWN),
            }
        }
        Call::Mark { number } => {
            enter::echo(enter, exit);
            host.mark(number);
        }
        Call::Rhi { fid } => enter::set_first(enter, host_call::rhi(fid)),
        Call::Unknown => enter::set_first(enter, rsi::host_call::UNKNOWN),
    }
}
