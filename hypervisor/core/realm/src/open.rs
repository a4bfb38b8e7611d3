//! Finding out which RMM there is, and in which dialect to speak to it.
//!
//! RMI 2.0 is asked for first, then 1.0: no RMM seen serves both, and the
//! question changes nothing. An RMM of 2.0 is configured, activated and asked
//! what is particular about it, so that afterwards nobody needs to know.

use crate::Memory;
use crate::intent::Delegation;
use crate::v2_0::{Host, Quirks};
use addr::{GRANULE_SIZE, GranuleAddr, PhysAddr, PhysRange};
use conduit::{Conduit, Regs};
use core::fmt;
use rmi::client::{Probe, Rmi, RmiError};
use rmi::features::{Features0, Features0Fields};
use rmi::status::Status;
use rmi::v2_0::client::TrackingState;
use rmi::v2_0::{Command, FeatureFields, Features};
use rmi::version::Version;

/// Granules with which it is measured how far one call on a range comes.
const SAMPLE: usize = 16;

/// An RMM in the dialect it speaks.
pub enum Opened<C> {
    /// RMI 1.0.
    V1_0 {
        /// The RMM.
        rmm: Rmi<C>,
        /// What it offers.
        offer: Offer,
    },
    /// RMI 2.0, activated.
    V2_0 {
        /// The RMM.
        rmm: Host<C>,
        /// What it offers.
        offer: Offer,
    },
    /// None that can be served.
    Refused(Refusal),
}

/// What an RMM offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offer {
    /// The revision agreed on.
    pub version: Version,
    /// The highest revision the RMM speaks.
    pub highest: Version,
    /// Its features, as 1.0 words them; in 2.0 the number of list registers is
    /// the CPU's matter.
    pub features: Features0,
    /// What 1.0 has no words for.
    pub more: Option<More>,
}

/// What an RMM of RMI 2.0 says and shows of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct More {
    /// Its features.
    pub features: Features,
    /// What is particular about it.
    pub quirks: Quirks,
}

/// Why there are no Realms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The answer to the question for RMI 1.0.
    Probe(Probe),
    /// An RMM of 2.0 failed before its first Realm.
    Broken {
        /// The command that failed.
        command: Command,
        /// How it failed.
        error: RmiError,
    },
    /// It was configured by somebody else, and otherwise.
    Configured,
    /// It accounts in granules of another size only.
    Granules,
    /// A release of TF-RMM between the specifications.
    Release090,
    /// There is no memory to ask with.
    OutOfMemory,
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RMI {} (RMM up to {}): ", self.version, self.highest)?;
        match self.more {
            Some(more) => more.features.fmt(f),
            None => self.features.fmt(f),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probe(Probe::Mismatch { lower, higher, .. }) => write!(
                f,
                "the RMM speaks RMI {lower} to {higher}, this hypervisor 1.0 and 2.0: \
                 use other firmware; no Realms"
            ),
            Self::Probe(probe) => probe.fmt(f),
            Self::Broken { command, error } => write!(
                f,
                "the RMM answered {} with {error}: it is no RMM this hypervisor knows; no Realms",
                command.name()
            ),
            Self::Configured => f.write_str(
                "the RMM is active with another configuration: restart the machine; no Realms",
            ),
            Self::Granules => f.write_str(
                "the RMM does not account in granules of 4 KiB: use other firmware; no Realms",
            ),
            Self::Release090 => f.write_str(
                "the RMM is TF-RMM 0.9.0, which knows half of RMI 2.0 (no RTT_UNPROT_MAP, no \
                 REALM_TERMINATE): use a later one; no Realms",
            ),
            Self::OutOfMemory => f.write_str("no memory to ask the RMM with; no Realms"),
        }
    }
}

/// Asks for an RMM behind `conduit`, and readies it for the host's `ram`.
pub fn open<C: Conduit + Copy>(
    conduit: C,
    memory: &mut impl Memory,
    ram: &[PhysRange],
) -> Opened<C> {
    let old = Rmi::new(conduit);
    let (status, _, highest) = old.version(Version::V2_0);
    if status == Status::Success && highest >= Version::V2_0 {
        return match open_new(conduit, memory, ram, highest) {
            Ok((rmm, offer)) => Opened::V2_0 { rmm, offer },
            Err(refusal) => Opened::Refused(refusal),
        };
    }
    match old.probe() {
        Probe::Ready(session) => Opened::V1_0 {
            rmm: old,
            offer: Offer {
                version: session.version,
                highest: session.highest,
                features: session.features,
                more: None,
            },
        },
        probe => Opened::Refused(Refusal::Probe(probe)),
    }
}

fn open_new<C: Conduit + Copy>(
    conduit: C,
    memory: &mut impl Memory,
    ram: &[PhysRange],
    highest: Version,
) -> Result<(Host<C>, Offer), Refusal> {
    let asking = Host::new(conduit, Quirks::EARLY);
    let features = asking.rmi().all_features();
    let features = features.map_err(broken(Command::Features))?;
    let fields = features.fields();
    if !fields.granules.first().copied().unwrap_or(false) {
        return Err(Refusal::Granules);
    }
    let page = memory.alloc(1).ok_or(Refusal::OutOfMemory)?;
    memory.write(page.base(), &[0; GRANULE_SIZE as usize]);
    let active = activate(&asking, memory, page.base());
    memory.free(page);
    active?;
    let quirks = flavour(conduit)?;
    let rmm = Host::new(conduit, quirks);
    rmm.calls().absorb(asking.calls());
    ready_ram(&rmm, ram, fields.l0gpt_bits);
    let quirks = measure(&rmm, memory, quirks);
    let offer = Offer {
        version: Version::V2_0,
        highest,
        features: in_old_words(&fields),
        more: Some(More { features, quirks }),
    };
    let known = Host::new(conduit, quirks);
    known.calls().absorb(rmm.calls());
    Ok((known, offer))
}

fn broken(command: Command) -> impl Fn(RmiError) -> Refusal {
    move |error| Refusal::Broken { command, error }
}

/// Configures and activates the RMM. One that is active already must have the
/// configuration that `page`, all zero, asks for.
fn activate<C: Conduit + Copy>(
    rmm: &Host<C>,
    memory: &mut impl Memory,
    page: GranuleAddr,
) -> Result<(), Refusal> {
    let rmi = rmm.rmi();
    let set = rmi.rmm_config_set(page);
    match set.and_then(|()| rmi.rmm_activate()) {
        Ok(()) => Ok(()),
        Err(error) => {
            // ERROR_GLOBAL: somebody was here before.
            rmi.rmm_config_get(page).map_err(|_| Refusal::Broken {
                command: Command::RmmActivate,
                error,
            })?;
            match (memory.get(page, 0), memory.get(page, 1)) {
                (0, 0) => {
                    log::warn!("the RMM was active before: {error}");
                    Ok(())
                }
                _ => Err(Refusal::Configured),
            }
        }
    }
}

/// Which of the flavours that answer 2.0 it is. Descriptor, permissions and
/// states differ, so this must be known before the first Realm.
fn flavour<C: Conduit>(conduit: C) -> Result<Quirks, Refusal> {
    let knows = |command: Command| {
        // No Realm is at zero, so a command that exists refuses this.
        let Regs([x0, ..]) = conduit.call(Regs::call(command.fid(), &[]));
        x0 != conduit::NOT_SUPPORTED
    };
    if knows(Command::RmmStateGet) {
        Ok(Quirks::LATE)
    } else if knows(Command::RttUnprotMap) {
        Ok(Quirks::EARLY)
    } else {
        Err(Refusal::Release090)
    }
}

/// Makes sure that `ram` can be delegated granule by granule.
fn ready_ram<C: Conduit + Copy>(rmm: &Host<C>, ram: &[PhysRange], region_bits: u8) {
    let size = 1u64.checked_shl(region_bits.into()).unwrap_or(1 << 30);
    for bank in ram {
        warn_if_coarse(rmm, *bank);
        let mut region = bank.base().raw() & !(size - 1);
        while region < bank.top().raw() {
            // What exists already is refused, and that is as good.
            let _ = rmm.rmi().gpt_l1_create(PhysAddr::new(region));
            match region.checked_add(size) {
                Some(next) => region = next,
                None => break,
            }
        }
    }
}

/// Warns of memory that cannot be delegated granule by granule; an RMM that
/// does not tell is asked by delegating.
fn warn_if_coarse<C: Conduit + Copy>(rmm: &Host<C>, bank: PhysRange) {
    let (Ok(base), Ok(top)) = (
        GranuleAddr::new(bank.base().align_down(GRANULE_SIZE)),
        GranuleAddr::new(bank.top().align_down(GRANULE_SIZE)),
    ) else {
        return;
    };
    if let Ok(tracking) = rmm.rmi().granule_tracking_get(base, top)
        && tracking.state != TrackingState::Fine
    {
        let state = tracking.state;
        log::warn!("the RMM tracks {bank} as {state:?}: Realms may get no memory of it");
    }
}

/// Finds out how many granules one call on a range moves.
fn measure<C: Conduit + Copy>(rmm: &Host<C>, memory: &mut impl Memory, known: Quirks) -> Quirks {
    let Some(run) = memory.alloc(SAMPLE) else {
        return known;
    };
    let base = run.base();
    let (moved, result) = rmm.delegate(base, SAMPLE);
    let calls = rmm.calls().of_v2_0(Command::GranuleRangeDelegate);
    let (back, _) = match moved {
        0 => (0, Ok(())),
        moved => rmm.undelegate(base, moved),
    };
    if let Err(error) = result {
        log::warn!("the RMM does not take {base}: {error}");
    }
    if back == moved {
        memory.free(run);
    } else {
        log::error!("{} granules from {base} stay with the RMM", moved - back);
    }
    Quirks {
        granules_per_call: moved as u64 / calls.max(1),
        ..known
    }
}

/// Features in the words of 1.0, which descriptions are checked against.
fn in_old_words(fields: &FeatureFields) -> Features0 {
    Features0::from(Features0Fields {
        s2sz: fields.s2sz,
        lpa2: fields.lpa2,
        sve_vl: fields.sve_vl,
        num_bps: fields.num_bps,
        num_wps: fields.num_wps,
        pmu_num_ctrs: fields.pmu_num_ctrs,
        hash_sha_256: fields.hashes.sha_256,
        hash_sha_512: fields.hashes.sha_512,
        gicv3_num_lrs: 0,
        max_recs_order: fields.max_recs_order,
    })
}
