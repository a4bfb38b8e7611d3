//! `RMI_VERSION`, `RMI_FEATURES`.

use super::Reply;
use crate::hal::Hal;
use crate::rmm::Rmm;
use ::rmi::status::Status;
use ::rmi::version::Version;

impl<H: Hal> Rmm<'_, H> {
    pub(super) fn version(&self, wanted: u64) -> Reply {
        let only = Version::V1_0.raw();
        let status = if wanted == only {
            Status::Success
        } else {
            Status::ErrorInput
        };
        Reply::with(status, &[only, only])
    }

    pub(super) fn features(&self, index: u64) -> u64 {
        match index {
            0 => self.cpu.features0().raw(),
            _ => 0,
        }
    }
}
