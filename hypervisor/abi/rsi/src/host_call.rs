//! What the immediate of `RSI_HOST_CALL` means to Suzerain.
//!
//! Immediate 0 is Arm's Realm Host Interface (DEN0148), whose function
//! identifier stands in `gprs[0]`. The others are this project's, so that a
//! payload can print from its first instruction and hand over what only it can
//! read. A call nobody knows comes back with `gprs[0]` = [`UNKNOWN`].

/// Realm Host Interface: `gprs[0]` is the function identifier.
pub const RHI: u16 = 0;
/// Write bytes to the console: `gprs[0]` is their number, at most
/// [`CONSOLE_BYTES`]; they lie packed, little endian, in `gprs[1..]`. Comes
/// back with the number taken in `gprs[0]`.
pub const CONSOLE_WRITE: u16 = 1;
/// Read bytes from the console, without waiting: comes back with their number
/// in `gprs[0]` and the bytes packed as above.
pub const CONSOLE_READ: u16 = 2;
/// Report the RIM that `RSI_MEASUREMENT_READ` gave: `gprs[0]` is its length in
/// bytes, at most 64; the bytes lie packed in `gprs[1..9]`.
pub const REPORT_RIM: u16 = 3;
/// Nothing; comes back unchanged.
pub const NOP: u16 = 4;
/// Mark a point in time for benches: `gprs[0]` is its number.
pub const MARK: u16 = 5;

/// Bytes that a console call carries at most.
pub const CONSOLE_BYTES: usize = 240;
/// What `gprs[0]` holds when nobody answers a call.
pub const UNKNOWN: u64 = u64::MAX;

/// RHI: which revision of the host configuration service is there.
pub const RHI_HOSTCONF_VERSION: u64 = 0xc500_004e;
/// RHI: which functions of it are there.
pub const RHI_HOSTCONF_FEATURES: u64 = 0xc500_004f;
/// RHI: in which steps the host can change an IPA between private and shared.
pub const RHI_HOSTCONF_GET_IPA_CHANGE_ALIGNMENT: u64 = 0xc500_0050;

/// Packs up to [`CONSOLE_BYTES`] of `bytes` into `gprs[1..]`, puts their number
/// into `gprs[0]` and returns it.
pub fn pack(gprs: &mut [u64; 31], bytes: &[u8]) -> usize {
    let taken = bytes.len().min(CONSOLE_BYTES);
    let [count, words @ ..] = gprs;
    *count = taken as u64;
    for (word, chunk) in words
        .iter_mut()
        .zip(bytes.chunks(8).take(CONSOLE_BYTES / 8))
    {
        let mut raw = [0; 8];
        for (to, from) in raw.iter_mut().zip(chunk) {
            *to = *from;
        }
        *word = u64::from_le_bytes(raw);
    }
    taken
}

/// The bytes that [`pack`] packed; a number that is too large is cut.
pub fn unpack(gprs: &[u64; 31]) -> impl Iterator<Item = u8> + '_ {
    let [count, words @ ..] = gprs;
    let count = usize::try_from(*count).unwrap_or(CONSOLE_BYTES);
    words
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .take(count.min(CONSOLE_BYTES))
}
