//! `RSI_MEASUREMENT_READ`, `RSI_MEASUREMENT_EXTEND`.

use super::{Args, answer};
use crate::hal::Hal;
use crate::hash::Padded;
use crate::measure;
use crate::rmm::Rmm;
use crate::run::{Next, Running};
use ::rmi::status::Status as RmiStatus;
use ::rsi::Status;

/// Where a slot from 1 lies among the extensible measurements.
fn extensible(slot: u64) -> Option<usize> {
    usize::try_from(slot.checked_sub(1)?).ok()
}

impl<H: Hal> Rmm<'_, H> {
    pub(super) fn measurement_read(&self, running: &mut Running<'_>, slot: u64) -> Next {
        let value = self.with_realm(running.owner, |realm| {
            let value: Option<&Padded> = match slot {
                0 => Some(&realm.rim),
                _ => extensible(slot).and_then(|slot| realm.rems.get(slot)),
            };
            value.copied().ok_or(RmiStatus::ErrorInput)
        });
        let Ok(value) = value else {
            return answer(running, Status::ErrorInput, &[]);
        };
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(value.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        answer(running, Status::Success, &words)
    }

    pub(super) fn measurement_extend(&self, running: &mut Running<'_>, args: &Args) -> Next {
        let [slot, size, data @ ..] = args;
        let mut bytes = [0; 64];
        for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(data) {
            *to = word.to_le_bytes();
        }
        let used = usize::try_from(*size)
            .ok()
            .and_then(|size| bytes.get(..size));
        let done = self.with_realm(running.owner, |realm| {
            let slot = extensible(*slot).ok_or(RmiStatus::ErrorInput)?;
            let used = used.ok_or(RmiStatus::ErrorInput)?;
            let old = realm.rems.get(slot).ok_or(RmiStatus::ErrorInput)?;
            let new = measure::extend(self.hal, &realm.measurement(old), used);
            if let Some(rem) = realm.rems.get_mut(slot) {
                *rem = new;
            }
            Ok(())
        });
        let status = match done {
            Ok(()) => Status::Success,
            Err(_) => Status::ErrorInput,
        };
        answer(running, status, &[])
    }
}
