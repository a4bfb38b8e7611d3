//! Volatile access to memory whose contents another side may change.
#![expect(unsafe_code, reason = "touches memory by address")]

/// Reads eight bytes of the payload's own RAM or of its shared alias.
///
/// The address must be mapped by [`crate::map`]; an access the host or the RMM
/// refuses ends in the vectors, which report it.
pub fn read(address: u64) -> u64 {
    // SAFETY: the runtime's stage 1 maps all addresses below 8 GiB one to one,
    // and a fault of stage 2 is taken by the vectors, which do not return.
    unsafe { core::ptr::with_exposed_provenance::<u64>(address as usize).read_volatile() }
}

/// Writes eight bytes of RAM that no Rust object lives in.
///
/// # Safety
///
/// 1. `address` is a multiple of eight, below 8 GiB, and outside the payload's
///    image and stack.
pub unsafe fn write(address: u64, value: u64) {
    // SAFETY: condition 1 of the caller.
    unsafe {
        core::ptr::with_exposed_provenance_mut::<u64>(address as usize).write_volatile(value);
    }
}

/// The first address past the payload's image and stack.
pub fn image_end() -> u64 {
    unsafe extern "C" {
        static guest_end: u8;
    }
    (&raw const guest_end).addr() as u64
}

/// Memory past the image that payloads may use freely: 2 MiB aligned.
pub const SCRATCH: u64 = 0x4040_0000;

/// Writes eight bytes of scratch memory, by offset.
pub fn write_scratch(offset: u64, value: u64) {
    // SAFETY: SCRATCH lies past every payload's image and stack, which
    // `link.ld` and the first check of each payload keep below it; the
    // offset is masked to a multiple of eight within 16 MiB.
    unsafe { write(SCRATCH + (offset & 0xff_fff8), value) }
}

/// Writes eight bytes through the shared alias of scratch memory, by offset.
pub fn write_shared_scratch(shared_bit: u64, offset: u64, value: u64) {
    // SAFETY: as for `write_scratch`; the alias is memory no Rust object is in.
    unsafe { write((SCRATCH + (offset & 0xff_fff8)) | shared_bit, value) }
}
