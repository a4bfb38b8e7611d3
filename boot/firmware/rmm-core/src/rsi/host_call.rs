//! `RSI_HOST_CALL`.

use super::buffer::BufferError;
use super::{answer, buffer};
use crate::hal::Hal;
use crate::pages::Pending;
use crate::rmm::Rmm;
use crate::run::{Next, Running};
use ::rmi::v1_0::ExitReason;
use ::rsi::{HOST_CALL_ALIGN, HostCall, Status};
use addr::{GRANULE_SIZE, Ipa};
use zerocopy::{FromZeros, IntoBytes};

/// The structure's bytes in its page. It is aligned to its size, so it never
/// crosses a page.
fn structure(page: &mut [u8], ipa: u64) -> Option<&mut [u8]> {
    let start = usize::try_from(ipa & (GRANULE_SIZE - 1)).ok()?;
    page.get_mut(start..start.checked_add(size_of::<HostCall>())?)
}

impl<H: Hal> Rmm<'_, H> {
    pub(super) fn host_call(&self, running: &mut Running<'_>, ipa: u64) -> Next {
        if ipa & (HOST_CALL_ALIGN - 1) != 0 {
            return answer(running, Status::ErrorInput, &[]);
        }
        let mut call = HostCall::new_zeroed();
        let read = self.with_buffer(running.owner, ipa, |_, page| {
            if let Some(bytes) = structure(page, ipa) {
                call.as_mut_bytes().copy_from_slice(bytes);
            }
        });
        if read.is_err() {
            return self.answer_buffer(running, ipa, read);
        }
        running.exit.imm = call.imm & 0xffff;
        running.exit.gprs = call.gprs;
        running.rec.host_call = ipa;
        running.rec.set_pending(Pending::HostCall);
        running.leave(ExitReason::HostCall)
    }

    /// Hands the host's answer to the Realm. If its page has gone meanwhile,
    /// the host must bring it back first, and the call stays pending.
    pub(crate) fn complete_host_call(&self, running: &mut Running<'_>) -> Next {
        let ipa = running.rec.host_call;
        let gprs = *running.enter.gprs();
        let written: Result<(), buffer::BufferError> =
            self.with_buffer(running.owner, ipa, |_, page| {
                if let Some((_, to)) =
                    structure(page, ipa).and_then(|at| at.split_at_mut_checked(8))
                {
                    to.copy_from_slice(gprs.as_bytes());
                }
            });
        let status = match written {
            Ok(()) => Status::Success,
            Err(BufferError::Input) => Status::ErrorInput,
            Err(BufferError::Missing { level }) => {
                return self.leave_for_page(running, Ipa::new(ipa), level);
            }
        };
        running.rec.set_pending(Pending::None);
        answer(running, status, &[])
    }
}
