//! The Realm Initial Measurement, computed by the host from its own calls.
//!
//! While a Realm is built, only a short [`Transcript`] of the measured calls is
//! kept. The measurement itself is computed when somebody asks, which costs
//! one hash of every measured page: doing it during population would double
//! the time a Realm takes to start. [`planned`] gives the transcript that a
//! description leads to without building anything, so that a tool can know the
//! measurement in advance. Layouts: DEN0137, RIM and the measurement
//! descriptors of DATA, REC and RIPAS.

use crate::intent::{Measured, Page, RecStart};
use crate::v1_0::{measured_realm_params, measured_rec_params};
use crate::{Image, RealmSpec};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa};
use core::fmt;
use rmi::client::Contents;
use rmi::rtt::{LAST_LEVEL, entry_size};
use rmi::v1_0::HashAlgo;
use zerocopy::IntoBytes;

/// A measurement by SHA-256.
pub type Rim = [u8; 32];

/// Events a transcript can hold. RAM gives a few, each image and REC one.
pub const MAX_EVENTS: usize = 48;

/// The compression function of SHA-256; the shell may use instructions.
pub trait Sha256 {
    /// Adds blocks to a state.
    fn compress(&self, state: &mut [u32; 8], blocks: &[[u8; 64]]);
}

/// [`Sha256`] in portable code.
#[derive(Clone, Copy, Debug, Default)]
pub struct Portable;

impl Sha256 for Portable {
    fn compress(&self, state: &mut [u32; 8], blocks: &[[u8; 64]]) {
        sha2::block_api::compress256(state, blocks);
    }
}

/// Gives the pages that were copied into a Realm.
pub trait PageSource {
    /// The page at `source`, if it can still be read.
    fn page(&self, source: GranuleAddr) -> Option<&Page>;
}

/// A step that changed the measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// `base..top` became RAM, entry by entry of `level`.
    Ripas {
        /// First address.
        base: Ipa,
        /// First address past it.
        top: Ipa,
        /// Level of the entries.
        level: i8,
    },
    /// Pages were copied in, by ascending IPA.
    Data(Image),
    /// The first REC was created, runnable.
    Rec,
}

/// The measured steps of building a Realm, in order.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    events: heapless::Vec<Event, MAX_EVENTS>,
    overflown: bool,
}

/// A measurement that cannot be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RimError {
    /// The Realm was not built to its end.
    Unfinished,
    /// The hash is not SHA-256.
    Hash(HashAlgo),
    /// More steps than a transcript holds.
    TooLong,
    /// A page that was copied in can no longer be read.
    Source(GranuleAddr),
}

impl fmt::Display for RimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfinished => f.write_str("the Realm was not built to its end: it has no RIM"),
            Self::Hash(hash) => write!(f, "a RIM by {hash:?} is not implemented: use SHA-256"),
            Self::TooLong => write!(f, "more than {MAX_EVENTS} measured steps: use fewer images"),
            Self::Source(page) => write!(f, "the source at {page} cannot be read any more"),
        }
    }
}

impl core::error::Error for RimError {}

impl Transcript {
    /// The steps.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Adds a step, joined to the one before where that says the same.
    pub(crate) fn push(&mut self, event: Event) {
        if let Some(last) = self.events.last_mut()
            && join(last, event)
        {
            return;
        }
        self.overflown |= self.events.push(event).is_err();
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn join(last: &mut Event, next: Event) -> bool {
    match (last, next) {
        (
            Event::Ripas { top, level, .. },
            Event::Ripas {
                base,
                top: new_top,
                level: new_level,
            },
        ) if *top == base && *level == new_level => {
            *top = new_top;
            true
        }
        (Event::Data(last), Event::Data(next)) => {
            let bytes = u64::from(last.pages) * GRANULE_SIZE;
            let follows = last.contents == next.contents
                && last.ipa.checked_add(bytes) == Some(next.ipa)
                && last.source.checked_add(u64::from(last.pages)) == Some(next.source);
            if follows {
                last.pages += next.pages;
            }
            follows
        }
        _ => false,
    }
}

/// The level of the entry that covers `at` when `at..top` becomes RAM and
/// tables exist only where alignment demands them, and the end of the entries
/// of that level and table.
pub(crate) fn chunk(start_level: i8, at: Ipa, top: Ipa) -> (i8, Ipa) {
    let mut level = start_level;
    while level < LAST_LEVEL {
        let size = entry_size(level);
        if at.is_aligned(size) && top.offset_from(at).is_some_and(|left| left >= size) {
            break;
        }
        level += 1;
    }
    let whole = top.align_down(entry_size(level));
    let table_end = match level > start_level {
        true => at
            .checked_add(1)
            .and_then(|next| next.align_up(entry_size(level - 1)))
            .unwrap_or(whole),
        false => whole,
    };
    (level, whole.min(table_end))
}

/// The transcript that building `spec` gives where `measured` is.
pub fn planned(spec: &RealmSpec, measured: Measured) -> Transcript {
    let mut transcript = Transcript::default();
    let (mut at, top) = (spec.ram.base(), spec.ram.top());
    while measured.ripas && at < top {
        let (level, end) = chunk(spec.start_level, at, top);
        transcript.push(Event::Ripas {
            base: at,
            top: end,
            level,
        });
        at = end;
    }
    let images = |wanted: Contents| spec.images.iter().filter(move |i| i.contents == wanted);
    for image in images(Contents::Measured) {
        transcript.push(Event::Data(*image));
    }
    transcript.push(Event::Rec);
    for image in images(Contents::Unmeasured) {
        transcript.push(Event::Data(*image));
    }
    transcript
}

/// The measurement that building `spec` gives where `measured` is.
pub fn of(
    spec: &RealmSpec,
    measured: Measured,
    pages: &impl PageSource,
    hash: &impl Sha256,
) -> Result<Rim, RimError> {
    measure(spec, &planned(spec, measured), pages, hash)
}

/// The measurement that `transcript` gives.
pub fn measure(
    spec: &RealmSpec,
    transcript: &Transcript,
    pages: &impl PageSource,
    hash: &impl Sha256,
) -> Result<Rim, RimError> {
    if spec.hash != HashAlgo::Sha256 {
        return Err(RimError::Hash(spec.hash));
    }
    if transcript.overflown {
        return Err(RimError::TooLong);
    }
    let mut rim = digest(hash, measured_realm_params(spec).as_bytes());
    for event in &transcript.events {
        match *event {
            Event::Ripas { base, top, level } => {
                let size = entry_size(level).max(GRANULE_SIZE);
                let mut at = base;
                while at < top {
                    let end = Ipa::new(at.raw().saturating_add(size));
                    rim = digest(hash, &ripas_descriptor(&rim, at, end));
                    at = end;
                }
            }
            Event::Data(image) => rim = measure_image(rim, &image, pages, hash)?,
            Event::Rec => {
                let start = RecStart {
                    index: 0,
                    runnable: true,
                    pc: spec.pc,
                    gprs: spec.gprs,
                };
                let content = digest(hash, measured_rec_params(&start).as_bytes());
                rim = digest(hash, &rec_descriptor(&rim, &content));
            }
        }
    }
    Ok(rim)
}

fn measure_image(
    mut rim: Rim,
    image: &Image,
    pages: &impl PageSource,
    hash: &impl Sha256,
) -> Result<Rim, RimError> {
    for index in 0..u64::from(image.pages) {
        let lost = RimError::Source(image.source);
        let source = image.source.checked_add(index).ok_or(lost)?;
        let ipa = image.ipa.checked_add(index * GRANULE_SIZE).ok_or(lost)?;
        let content = match image.contents {
            Contents::Measured => {
                let page = pages.page(source).ok_or(RimError::Source(source))?;
                digest(hash, page)
            }
            Contents::Unmeasured => [0; 32],
        };
        let flags = u64::from(image.contents == Contents::Measured);
        rim = digest(hash, &data_descriptor(&rim, ipa, flags, &content));
    }
    Ok(rim)
}

type Descriptor = [u8; 0x100];

/// A descriptor of type `kind` with the measurement so far; the rest is zero.
fn descriptor(kind: u8, rim: &Rim) -> Descriptor {
    let mut bytes = [0; 0x100];
    put(&mut bytes, 0x00, &[kind]);
    put(&mut bytes, 0x08, &0x100u64.to_le_bytes());
    put(&mut bytes, 0x10, rim);
    bytes
}

fn put(bytes: &mut Descriptor, offset: usize, field: &[u8]) {
    if let Some(slot) = bytes.get_mut(offset..offset + field.len()) {
        slot.copy_from_slice(field);
    }
}

fn data_descriptor(rim: &Rim, ipa: Ipa, flags: u64, content: &Rim) -> Descriptor {
    let mut bytes = descriptor(0, rim);
    put(&mut bytes, 0x50, &ipa.raw().to_le_bytes());
    put(&mut bytes, 0x58, &flags.to_le_bytes());
    put(&mut bytes, 0x60, content);
    bytes
}

fn rec_descriptor(rim: &Rim, content: &Rim) -> Descriptor {
    let mut bytes = descriptor(1, rim);
    put(&mut bytes, 0x50, content);
    bytes
}

fn ripas_descriptor(rim: &Rim, base: Ipa, top: Ipa) -> Descriptor {
    let mut bytes = descriptor(2, rim);
    put(&mut bytes, 0x50, &base.raw().to_le_bytes());
    put(&mut bytes, 0x58, &top.raw().to_le_bytes());
    bytes
}

/// SHA-256 (FIPS 180-4) of `data`.
pub fn digest(hash: &impl Sha256, data: &[u8]) -> Rim {
    let mut state = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let (blocks, rest) = data.as_chunks::<64>();
    hash.compress(&mut state, blocks);
    // The end mark and the length in bits, in one more block or two.
    let mut tail = [[0u8; 64]; 2];
    let used = if rest.len() < 56 { 1 } else { 2 };
    let bytes = tail.as_flattened_mut();
    for (slot, byte) in bytes.iter_mut().zip(rest.iter().chain(&[0x80])) {
        *slot = *byte;
    }
    let length = (data.len() as u64) << 3;
    for (slot, byte) in bytes
        .iter_mut()
        .skip(used * 64 - 8)
        .zip(length.to_be_bytes())
    {
        *slot = byte;
    }
    hash.compress(&mut state, tail.get(..used).unwrap_or(&[]));
    let mut out = [0; 32];
    for (slot, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *slot = word.to_be_bytes();
    }
    out
}

#[cfg(test)]
mod tests;
