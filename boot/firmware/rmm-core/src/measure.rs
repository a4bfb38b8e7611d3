//! What a Realm's initial measurement is made of (DEN0137 A7, C1.2).
//!
//! Each step hashes a 256-byte descriptor that contains the measurement so
//! far, so the value depends on what was done and in which order.

use crate::hal::Hal;
use crate::hash::{Algorithm, Padded};
use crate::params::{RealmSpec, RecSpec};
use ::rmi::v1_0::RecParams;
use core::mem::{offset_of, size_of};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

const DATA: u8 = 0;
const REC: u8 = 1;
const RIPAS: u8 = 2;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Descriptor {
    kind: u8,
    reserved_1: [u8; 7],
    size: u64,
    rim: Padded,
    words: [u64; 2],
    content: Padded,
    reserved_a0: [u8; 0x60],
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RecDescriptor {
    kind: u8,
    reserved_1: [u8; 7],
    size: u64,
    rim: Padded,
    content: Padded,
    reserved_90: [u8; 0x70],
}

const _: () = {
    assert!(size_of::<Descriptor>() == 0x100);
    assert!(offset_of!(Descriptor, words) == 0x50);
    assert!(offset_of!(Descriptor, content) == 0x60);
    assert!(size_of::<RecDescriptor>() == 0x100);
    assert!(offset_of!(RecDescriptor, content) == 0x50);
};

/// A measurement: its algorithm and its value so far.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The value.
    pub value: Padded,
}

fn words<H: Hal>(
    hal: &H,
    so_far: &Measurement,
    kind: u8,
    words: [u64; 2],
    content: Padded,
) -> Padded {
    let descriptor = Descriptor {
        kind,
        size: size_of::<Descriptor>() as u64,
        rim: so_far.value,
        words,
        content,
        ..Descriptor::new_zeroed()
    };
    so_far.algorithm.hash(hal, descriptor.as_bytes())
}

/// The measurement a Realm starts with. Of its parameters only what the Realm
/// can rely on counts: not the VMID, the tables or the personalization value.
pub fn realm_create<H: Hal>(hal: &H, algorithm: Algorithm, spec: &RealmSpec) -> Padded {
    algorithm.hash_page(hal, &[(0, spec.measured.as_bytes())])
}

/// Adds a page: its contents if `content` is given, its address in any case.
pub fn data_create<H: Hal>(
    hal: &H,
    so_far: &Measurement,
    ipa: u64,
    flags: u64,
    content: Option<&[u8]>,
) -> Padded {
    let content = content.map_or([0; 64], |bytes| so_far.algorithm.hash(hal, bytes));
    words(hal, so_far, DATA, [ipa, flags], content)
}

/// Adds a REC that can be entered.
pub fn rec_create<H: Hal>(hal: &H, so_far: &Measurement, spec: &RecSpec) -> Padded {
    let content = so_far.algorithm.hash_page(
        hal,
        &[
            (offset_of!(RecParams, flags), spec.flags.as_bytes()),
            (offset_of!(RecParams, pc), spec.pc.as_bytes()),
            (offset_of!(RecParams, gprs), spec.gprs.as_bytes()),
        ],
    );
    let descriptor = RecDescriptor {
        kind: REC,
        size: size_of::<RecDescriptor>() as u64,
        rim: so_far.value,
        content,
        ..RecDescriptor::new_zeroed()
    };
    so_far.algorithm.hash(hal, descriptor.as_bytes())
}

/// Adds one RTT entry that became RAM.
pub fn init_ripas<H: Hal>(hal: &H, so_far: &Measurement, base: u64, top: u64) -> Padded {
    words(hal, so_far, RIPAS, [base, top], [0; 64])
}

/// Extends a measurement that the Realm itself controls.
pub fn extend<H: Hal>(hal: &H, so_far: &Measurement, data: &[u8]) -> Padded {
    let mut buffer = [0; 128];
    let kept = so_far.value.iter().take(so_far.algorithm.size());
    let used = kept.chain(data.iter().take(64));
    let mut length = 0;
    for (to, from) in buffer.iter_mut().zip(used) {
        *to = *from;
        length += 1;
    }
    let bytes = buffer.get(..length).unwrap_or(&buffer);
    so_far.algorithm.hash(hal, bytes)
}
