//! The core's hardware: each request of [`rmm_core::Hal`], done.

use crate::hw::phys::{self, Page};
use crate::hw::{gic, sha256, smc, sysreg, tlb, world};
use addr::GranuleAddr;
use core::fmt;
use log::Level;
use rmm_core::{
    FpState, GicState, GptRefused, Hal, LogLevel, NsFault, RecContext, RunExit, Stage2, TlbScope,
};

/// This machine.
pub struct Machine {
    has_sha256: bool,
}

impl Machine {
    /// Looks at what the CPU offers.
    pub fn probe() -> Self {
        Self {
            has_sha256: sha256::is_supported(),
        }
    }
}

impl Hal for Machine {
    type Page<'a> = Page<'a>;

    fn page(&self, granule: GranuleAddr) -> Page<'_> {
        phys::page(granule)
    }

    fn zero(&self, granule: GranuleAddr) {
        phys::zero(granule);
    }

    fn copy_from_ns(&self, to: GranuleAddr, from: GranuleAddr) -> Result<(), NsFault> {
        phys::copy_from_ns(to, from)
    }

    fn ns_read(&self, from: GranuleAddr, offset: usize, to: &mut [u8]) -> Result<(), NsFault> {
        phys::ns_read(from, offset, to)
    }

    fn ns_write(&self, to: GranuleAddr, offset: usize, from: &[u8]) -> Result<(), NsFault> {
        phys::ns_write(to, offset, from)
    }

    fn rtte_read(&self, table: GranuleAddr, index: usize) -> u64 {
        phys::rtte_read(table, index)
    }

    fn rtte_write(&self, table: GranuleAddr, index: usize, value: u64) {
        phys::rtte_write(table, index, value);
    }

    fn tlb_invalidate(&self, stage2: &Stage2, scope: TlbScope) {
        tlb::invalidate(stage2, scope);
    }

    fn delegate(&self, granule: GranuleAddr) -> Result<(), GptRefused> {
        smc::delegate(granule).map_err(|refused| {
            log::debug!("EL3 does not delegate {granule}: {}", refused.0);
            GptRefused
        })
    }

    fn undelegate(&self, granule: GranuleAddr) -> Result<(), GptRefused> {
        smc::undelegate(granule).map_err(|refused| {
            log::warn!("EL3 does not undelegate {granule}: {}", refused.0);
            GptRefused
        })
    }

    fn run(
        &self,
        _cpu: usize,
        context: &mut RecContext,
        fp: &mut FpState,
        stage2: &Stage2,
    ) -> RunExit {
        world::run(context, fp, stage2)
    }

    fn gic_take(&self, _cpu: usize, state: &mut GicState) {
        gic::take(state);
    }

    fn gic_give(&self, _cpu: usize, state: &GicState) {
        gic::restore(state);
    }

    fn counter(&self) -> u64 {
        sysreg::counter()
    }

    fn sha256_blocks(&self, state: &mut [u32; 8], blocks: &[[u8; 64]]) {
        if self.has_sha256 {
            sha256::compress(state, blocks);
        } else {
            sha2::block_api::compress256(state, blocks);
        }
    }

    fn log_enabled(&self, level: LogLevel) -> bool {
        to_level(level) <= log::max_level()
    }

    fn log(&self, level: LogLevel, line: fmt::Arguments<'_>) {
        log::log!(to_level(level), "{line}");
    }
}

fn to_level(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::Error,
        LogLevel::Warn => Level::Warn,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
        LogLevel::Trace => Level::Trace,
    }
}
