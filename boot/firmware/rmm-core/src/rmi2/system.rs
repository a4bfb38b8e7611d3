//! Version, features, configuration, activation, tracking.

use super::{Answer, Outcome2, Refusal, success, with_status};
use crate::features::MAX_RECS_ORDER;
use crate::hal::Hal;
use crate::rmm::Rmm;
use ::rmi::status::Status;
use ::rmi::v2_0::{Command, FeatureFields, Features, Hashes, PARAMS_SIZE};
use ::rmi::version::Version;
use addr::{GRANULE_SIZE, GranuleAddr};
use core::sync::atomic::Ordering;
use zerocopy::IntoBytes;

/// The only configuration there is: regions of 1 GiB, granules of 4 KiB.
static CONFIG: [u8; PARAMS_SIZE] = [0; PARAMS_SIZE];

/// Conventional memory.
const CONVENTIONAL: u64 = 0;
/// A region that nothing can be done with.
const RESERVED: u64 = 0;
/// A region that is tracked granule by granule.
const FINE: u64 = 2;

impl<H: Hal> Rmm<'_, H> {
    /// Whether a command is served before or after activation, as things are.
    pub(super) fn is_allowed_now(&self, command: Command) -> bool {
        self.is_active()
            || matches!(
                command,
                Command::Version
                    | Command::Features
                    | Command::RmmConfigGet
                    | Command::RmmConfigSet
                    | Command::RmmActivate
                    | Command::GranuleTrackingGet
                    | Command::RmmStateGet
                    | Command::GptInfo
            )
    }

    pub(super) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    pub(super) fn version_2(&self, wanted: u64) -> Answer {
        let only = Version::V2_0.raw();
        let status = if wanted == only {
            Status::Success
        } else {
            Status::ErrorInput
        };
        with_status(status.raw(), &[only, only])
    }

    pub(super) fn features_2(&self, index: u64) -> u64 {
        let pps = if self.cpu.pa_bits() == 48 { 5 } else { 4 };
        let features = Features::from(FeatureFields {
            s2sz: self.cpu.pa_bits(),
            num_bps: self.cpu.num_bps() as u8,
            num_wps: self.cpu.num_wps() as u8,
            granules: [true, false, false],
            hashes: Hashes {
                sha_256: true,
                sha_384: true,
                sha_512: true,
            },
            max_recs_order: MAX_RECS_ORDER,
            l0gpt_bits: 30,
            pps,
            ..FeatureFields::default()
        });
        let register = usize::try_from(index).ok();
        register
            .and_then(|index| features.regs.get(index).copied())
            .unwrap_or(0)
    }

    #[inline(never)]
    pub(super) fn config_get(&self, page: u64) -> Outcome2<()> {
        self.hal
            .ns_write(self.host_page(page)?, 0, &CONFIG)
            .map_err(|_| Refusal::Known(Status::ErrorInput))
    }

    #[inline(never)]
    pub(super) fn config_set(&self, page: u64) -> Outcome2<()> {
        if self.is_active() {
            return Err(Refusal::Global);
        }
        let bad = Refusal::Known(Status::ErrorInput);
        let mut config = [0u64; 2];
        self.hal
            .ns_read(self.host_page(page)?, 0, config.as_mut_bytes())
            .map_err(|_| bad)?;
        // 4 KiB granules in regions of 1 GiB: there is nothing to choose.
        if config != [0; 2] {
            return Err(bad);
        }
        Ok(())
    }

    pub(super) fn rmm_activate(&self) -> Outcome2<()> {
        if self.active.swap(true, Ordering::AcqRel) {
            return Err(Refusal::Global);
        }
        Ok(())
    }

    pub(super) fn tracking_get(&self, base: u64, top: u64) -> Answer {
        let granule = GranuleAddr::from_raw(base).ok();
        let Some(granule) = granule.filter(|_| base < top && top.is_multiple_of(GRANULE_SIZE))
        else {
            return with_status(Status::ErrorInput.raw(), &[]);
        };
        let state = match self.granules.peek(granule) {
            Some(_) => FINE,
            None => RESERVED,
        };
        success(&[CONVENTIONAL, state, top])
    }
}
