//! RSI 1.0 and PSCI: what a Realm asks (DEN0137 B5, DEN0022).
//!
//! A call that cannot finish without the host leaves the REC at the SMC
//! instruction or notes what it waits for; it is completed on the next entry.

mod buffer;
mod host_call;
mod ipa_state;
mod measurement;
mod psci;

use crate::hal::Hal;
use crate::rmm::{Rmm, log};
use crate::run::{Next, Running};
use ::rsi::{Command, RealmConfig, Status, VERSION_1_0};
use conduit::NOT_SUPPORTED;
use core::mem::offset_of;

/// Arguments of a call: x1 to x10.
pub(crate) type Args = [u64; 10];

impl<H: Hal> Rmm<'_, H> {
    /// Serves an SMC of the Realm.
    pub(crate) fn call(&self, running: &mut Running<'_>) -> Next {
        let [x0, args @ ..] = &running.rec.context.gprs;
        // SMCCC: the function identifier is 32 bits wide.
        let fid = (*x0 & 0xffff_ffff) as u32;
        let mut given = [0; 10];
        for (to, from) in given.iter_mut().zip(args) {
            *to = *from;
        }
        match Command::from_fid(fid) {
            Some(command) => {
                let [a1, a2, a3, a4, ..] = given;
                log!(
                    self.hal,
                    Debug,
                    "RSI {} {a1:#x} {a2:#x} {a3:#x} {a4:#x}",
                    command.name()
                );
                self.rsi(running, command, &given)
            }
            None => self.psci(running, fid, &given),
        }
    }

    fn rsi(&self, running: &mut Running<'_>, command: Command, args: &Args) -> Next {
        let [a1, a2, a3, ..] = *args;
        match command {
            Command::Version => {
                let status = if a1 == VERSION_1_0 {
                    Status::Success
                } else {
                    Status::ErrorInput
                };
                answer(running, status, &[VERSION_1_0, VERSION_1_0])
            }
            Command::Features => answer(running, Status::Success, &[0]),
            Command::MeasurementRead => self.measurement_read(running, a1),
            Command::MeasurementExtend => self.measurement_extend(running, args),
            // Tokens need keys that this RMM does not have yet.
            Command::AttestTokenInit => answer(running, Status::ErrorUnknown, &[]),
            Command::AttestTokenContinue => {
                let in_page = a2 < 4096 && a3 <= 4096 - a2;
                let status = if in_page && a1 & 0xfff == 0 {
                    Status::ErrorState
                } else {
                    Status::ErrorInput
                };
                answer(running, status, &[])
            }
            Command::RealmConfig => self.realm_config(running, a1),
            Command::IpaStateSet => self.ipa_state_set(running, args),
            Command::IpaStateGet => self.ipa_state_get(running, a1, a2),
            Command::HostCall => self.host_call(running, a1),
        }
    }

    #[inline(never)]
    fn realm_config(&self, running: &mut Running<'_>, ipa: u64) -> Next {
        if ipa & (addr::GRANULE_SIZE - 1) != 0 {
            return answer(running, Status::ErrorInput, &[]);
        }
        let done = self.with_buffer(running.owner, ipa, |realm, page| {
            // Field by field: a whole page would take much of the stack.
            let width = realm
                .space()
                .map_or(0, |space| u64::from(space.space.bits()));
            page.fill(0);
            put(
                page,
                offset_of!(RealmConfig, ipa_width),
                &width.to_le_bytes(),
            );
            let hash_algo = realm.hash_algo.to_le_bytes();
            put(page, offset_of!(RealmConfig, hash_algo), &hash_algo);
            put(page, offset_of!(RealmConfig, rpv), &realm.rpv);
        });
        self.answer_buffer(running, ipa, done)
    }

    fn answer_buffer(
        &self,
        running: &mut Running<'_>,
        ipa: u64,
        done: Result<(), buffer::BufferError>,
    ) -> Next {
        match done {
            Ok(()) => answer(running, Status::Success, &[]),
            Err(buffer::BufferError::Input) => answer(running, Status::ErrorInput, &[]),
            Err(buffer::BufferError::Missing { level }) => {
                self.leave_for_page(running, addr::Ipa::new(ipa), level)
            }
        }
    }
}

/// Writes bytes into a page where they fit.
fn put(page: &mut [u8], offset: usize, bytes: &[u8]) {
    let place = page
        .get_mut(offset..)
        .and_then(|rest| rest.get_mut(..bytes.len()));
    if let Some(place) = place {
        place.copy_from_slice(bytes);
    }
}

/// Answers in x0 and up and goes on behind the SMC.
pub(crate) fn answer(running: &mut Running<'_>, status: Status, values: &[u64]) -> Next {
    answer_raw(running, status.raw(), values)
}

/// Answers with a value that is no RSI status.
pub(crate) fn answer_raw(running: &mut Running<'_>, x0: u64, values: &[u64]) -> Next {
    let context = &mut running.rec.context;
    context.set_gpr(0, x0);
    for (number, value) in values.iter().enumerate() {
        context.set_gpr(number + 1, *value);
    }
    context.skip_instruction();
    Next::Resume
}

/// Answers that nobody knows the function.
pub(crate) fn answer_unknown(running: &mut Running<'_>) -> Next {
    answer_raw(running, NOT_SUPPORTED, &[])
}
