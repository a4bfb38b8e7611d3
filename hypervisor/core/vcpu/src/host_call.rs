//! What a guest wants of the host by `RSI_HOST_CALL`.

use rsi::host_call as abi;

/// A host call, decoded. The registers stay where they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// Realm Host Interface, with the function identifier.
    Rhi {
        /// The function identifier.
        fid: u64,
    },
    /// Bytes for the console.
    ConsoleWrite,
    /// Asks for bytes from the console.
    ConsoleRead,
    /// Reports the Realm's initial measurement.
    ReportRim,
    /// Nothing.
    Nop,
    /// A mark in time.
    Mark {
        /// Its number.
        number: u64,
    },
    /// A call nobody knows.
    Unknown,
}

/// Decodes a host call.
#[inline]
pub fn decode(imm: u16, gprs: &[u64; 31]) -> Call {
    let [first, ..] = *gprs;
    match imm {
        abi::NOP => Call::Nop,
        abi::CONSOLE_WRITE => Call::ConsoleWrite,
        abi::CONSOLE_READ => Call::ConsoleRead,
        abi::REPORT_RIM => Call::ReportRim,
        abi::MARK => Call::Mark { number: first },
        abi::RHI => Call::Rhi { fid: first },
        _ => Call::Unknown,
    }
}

/// The initial measurement that a guest reports: its bytes, and how many of
/// them count. A length of no hash is none.
pub fn reported_rim(gprs: &[u64; 31]) -> Option<([u8; 64], usize)> {
    let [length, words @ ..] = gprs;
    let length = match *length {
        32 => 32,
        48 => 48,
        64 => 64,
        _ => return None,
    };
    let mut rim = [0; 64];
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    for (to, from) in rim.iter_mut().zip(bytes).take(length) {
        *to = from;
    }
    Some((rim, length))
}

/// Steps in which the host changes an IPA between private and shared.
const IPA_CHANGE_ALIGNMENT: u64 = 0x1000;
const RHI_VERSION_1_0: u64 = 0x1_0000;
const RHI_HOSTCONF_HAS_ALIGNMENT: u64 = 1;

/// The answer to a call of the Realm Host Interface (DEN0148): of all its
/// services the host has the one that tells its granularity.
pub const fn rhi(fid: u64) -> u64 {
    match fid {
        abi::RHI_HOSTCONF_VERSION => RHI_VERSION_1_0,
        abi::RHI_HOSTCONF_FEATURES => RHI_HOSTCONF_HAS_ALIGNMENT,
        abi::RHI_HOSTCONF_GET_IPA_CHANGE_ALIGNMENT => IPA_CHANGE_ALIGNMENT,
        _ => abi::UNKNOWN,
    }
}
