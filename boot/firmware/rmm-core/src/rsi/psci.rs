//! PSCI 1.1 and the SMCCC calls around it, as a Realm sees them.

use super::{Args, answer_raw, answer_unknown};
use crate::behaviour::Completion;
use crate::granule::{GranuleState, RecMark};
use crate::hal::Hal;
use crate::pages::{Pending, PsciRequest, RealmState};
use crate::rmm::{Dialect, Rmm};
use crate::run::{Next, Running, reset};
use ::rmi::status::Status;
use ::rmi::v1_0::ExitReason;
use ::rsi::psci;
use addr::Ipa;

/// A call of the 64-bit convention takes its arguments whole.
const SMC64: u32 = 1 << 30;

fn raw(status: i64) -> u64 {
    status as u64
}

fn is_implemented(fid: u32) -> bool {
    matches!(
        fid,
        psci::VERSION
            | psci::CPU_SUSPEND_32
            | psci::CPU_SUSPEND_64
            | psci::CPU_OFF
            | psci::CPU_ON_32
            | psci::CPU_ON_64
            | psci::AFFINITY_INFO_32
            | psci::AFFINITY_INFO_64
            | psci::SYSTEM_OFF
            | psci::SYSTEM_RESET
            | psci::FEATURES
            | psci::SMCCC_VERSION
    )
}

/// Leaves with a PSCI exit; the call is over or completed by the host.
fn leave(running: &mut Running<'_>, fid: u32, target: u64) -> Next {
    running.rec.context.skip_instruction();
    let [first, second, ..] = &mut running.exit.gprs;
    *first = u64::from(fid);
    *second = target;
    running.leave(ExitReason::Psci)
}

impl<H: Hal> Rmm<'_, H> {
    pub(super) fn psci(&self, running: &mut Running<'_>, fid: u32, args: &Args) -> Next {
        let mask = if fid & SMC64 != 0 {
            u64::MAX
        } else {
            0xffff_ffff
        };
        let [a1, a2, a3, ..] = args.map(|argument| argument & mask);
        match fid {
            psci::VERSION => answer_raw(running, psci::VERSION_1_1, &[]),
            psci::SMCCC_VERSION => answer_raw(running, psci::SMCCC_VERSION_1_2, &[]),
            psci::FEATURES => {
                let known = u32::try_from(a1).is_ok_and(is_implemented);
                let status = if known {
                    psci::SUCCESS
                } else {
                    psci::NOT_SUPPORTED
                };
                answer_raw(running, raw(status), &[])
            }
            psci::CPU_SUSPEND_32 | psci::CPU_SUSPEND_64 => {
                running.rec.context.set_gpr(0, raw(psci::SUCCESS));
                leave(running, fid, 0)
            }
            psci::CPU_OFF => {
                if let Some(mut guard) = self.granules.lock(running.granule, GranuleState::Rec) {
                    guard.set_runnable(RecMark::No);
                }
                leave(running, fid, 0)
            }
            psci::CPU_ON_32 | psci::CPU_ON_64 => self.cpu_on(running, fid, [a1, a2, a3]),
            psci::AFFINITY_INFO_32 | psci::AFFINITY_INFO_64 => {
                self.affinity_info(running, fid, a1, a2)
            }
            psci::SYSTEM_OFF | psci::SYSTEM_RESET => {
                // The RD exists for as long as this REC does.
                let _ = self.with_realm(running.owner, |realm| {
                    realm.set_state(RealmState::SystemOff);
                    Ok(())
                });
                leave(running, fid, 0)
            }
            _ => answer_unknown(running),
        }
    }

    /// The index of the REC that `mpidr` names, if the Realm has it.
    fn target(&self, running: &Running<'_>, mpidr: u64) -> Option<u64> {
        let index = reset::index_of(mpidr)?;
        let recs = self.with_realm(running.owner, |realm| Ok(realm.recs));
        recs.is_ok_and(|recs| index < recs).then_some(index)
    }

    fn cpu_on(
        &self,
        running: &mut Running<'_>,
        fid: u32,
        [mpidr, entry, context_id]: [u64; 3],
    ) -> Next {
        let Some(target) = self.target(running, mpidr) else {
            return answer_raw(running, raw(psci::INVALID_PARAMETERS), &[]);
        };
        let protected = self.with_realm(running.owner, |realm| {
            let space = realm.space().ok_or(Status::ErrorInput)?;
            Ok(space.is_protected(Ipa::new(entry)))
        });
        if protected != Ok(true) {
            return answer_raw(running, raw(psci::INVALID_ADDRESS), &[]);
        }
        if target == running.rec.index {
            return answer_raw(running, raw(psci::ALREADY_ON), &[]);
        }
        running.rec.psci = PsciRequest {
            target,
            entry,
            context_id,
        };
        running.rec.set_pending(Pending::CpuOn);
        leave(running, fid, mpidr)
    }

    /// Whether a REC of the Realm is on, where the RMM need not ask the host
    /// which granule it is.
    fn affinity_without_host(&self, running: &Running<'_>, target: u64) -> Option<u64> {
        match self.dialect {
            Dialect::V2_0(behaviour) if behaviour.completion == Completion::ByRmm => {}
            _ => return None,
        }
        let granule = self.with_realm(running.owner, |realm| {
            realm.rec_at(target).ok_or(Status::ErrorInput)
        });
        let rec = self.granules.lock(granule.ok()?, GranuleState::Rec);
        // A REC that was destroyed is off for good.
        let is_on = rec.is_some_and(|rec| {
            rec.owner() == Some(running.owner) && rec.number() == target && rec.is_runnable()
        });
        Some(if is_on {
            psci::AFFINITY_ON
        } else {
            psci::AFFINITY_OFF
        })
    }

    fn affinity_info(
        &self,
        running: &mut Running<'_>,
        fid: u32,
        mpidr: u64,
        lowest_level: u64,
    ) -> Next {
        let target = self.target(running, mpidr).filter(|_| lowest_level == 0);
        let Some(target) = target else {
            return answer_raw(running, raw(psci::INVALID_PARAMETERS), &[]);
        };
        if target == running.rec.index {
            return answer_raw(running, psci::AFFINITY_ON, &[]);
        }
        if let Some(answer) = self.affinity_without_host(running, target) {
            return answer_raw(running, answer, &[]);
        }
        running.rec.psci = PsciRequest {
            target,
            entry: 0,
            context_id: 0,
        };
        running.rec.set_pending(Pending::AffinityInfo);
        leave(running, fid, mpidr)
    }
}
