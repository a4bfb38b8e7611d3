//! What the RMM keeps in the granules of its objects.
//!
//! Both structures fill a page exactly, so laying one over a granule cannot
//! fail; every bit pattern is a value, so a scrubbed granule is a valid one.

use crate::context::{FpState, RecContext, Stage2};
use crate::features::MAX_RECS_ORDER;
use crate::granule::{GranuleTable, Guard};
use crate::hal::{Hal, PAGE_SIZE, PageBytes};
use crate::hash::{Algorithm, Padded};
use crate::measure::Measurement;
use crate::rtt::RealmSpace;
use ::rmi::rtt::IpaSpace;
use ::rmi::v1_0::MAX_AUX;
use addr::GranuleAddr;
use core::mem::size_of;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Measurements that a Realm extends itself.
pub const REMS: usize = 4;

/// RECs a Realm can have.
pub const MAX_RECS: usize = (1 << MAX_RECS_ORDER) - 1;

/// The auxiliary granules of a REC, as many as there are.
pub type Aux = [Option<GranuleAddr>; MAX_AUX];

/// State of a Realm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum RealmState {
    /// Being built.
    New = 0,
    /// Its RECs can be entered.
    Active = 1,
    /// It has powered itself off.
    SystemOff = 2,
    /// The host has ended it (RMI 2.0).
    Zombie = 3,
}

/// The Realm descriptor's page.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RealmPage {
    state: u64,
    s2sz: u64,
    start_level: i64,
    tables: u64,
    base: u64,
    /// VMID.
    pub vmid: u64,
    /// Stage 2 registers.
    pub stage2: Stage2,
    /// Hash algorithm, as in the parameters.
    pub hash_algo: u64,
    /// Breakpoints minus one.
    pub num_bps: u64,
    /// Watchpoints minus one.
    pub num_wps: u64,
    /// RECs created so far: the index of the next.
    pub recs: u64,
    /// Granules of the RECs by index.
    rec_granules: [u64; MAX_RECS],
    /// 1 once a REC may have run since the TLBs last forgot everything of the
    /// Realm while it had no REC: see [`RealmPage::may_be_cached`].
    walked: u64,
    /// RECs inside `REC_ENTER`; kept where RMI 2.0 is spoken.
    pub inside: u64,
    /// Initial measurement.
    pub rim: Padded,
    /// Extensible measurements.
    pub rems: [Padded; REMS],
    /// Personalization value.
    pub rpv: [u8; 64],
    reserved: [u8; PAGE_SIZE - (14 + MAX_RECS) * 8 - 64 * (2 + REMS)],
}

const _: () = assert!(size_of::<RealmPage>() == PAGE_SIZE);

impl RealmPage {
    /// The Realm's state.
    pub fn state(&self) -> RealmState {
        match self.state {
            0 => RealmState::New,
            1 => RealmState::Active,
            2 => RealmState::SystemOff,
            _ => RealmState::Zombie,
        }
    }

    /// Changes the Realm's state.
    pub fn set_state(&mut self, state: RealmState) {
        self.state = state as u64;
    }

    /// Whether a TLB may hold something of the Realm. Hardware walks the tables
    /// only while a REC runs, so a Realm that is being built, or whose last REC
    /// is gone, needs no TLB maintenance.
    pub fn may_be_cached(&self) -> bool {
        self.walked != 0
    }

    /// Notes that a REC is about to run.
    pub fn note_entry(&mut self) {
        self.walked = 1;
    }

    /// Notes that no REC is left and that the TLBs have forgotten everything.
    pub fn note_forgotten(&mut self) {
        self.walked = 0;
    }

    /// The granule of the REC with an index, dead or alive.
    pub fn rec_at(&self, index: u64) -> Option<GranuleAddr> {
        let raw = self.rec_granules.get(usize::try_from(index).ok()?)?;
        GranuleAddr::from_raw(*raw).ok().filter(|_| *raw != 0)
    }

    /// Notes the granule of the next REC. The caller has seen that there may be
    /// one more.
    pub fn add_rec(&mut self, granule: GranuleAddr) {
        let next = usize::try_from(self.recs).ok();
        if let Some(slot) = next.and_then(|next| self.rec_granules.get_mut(next)) {
            *slot = granule.raw();
            self.recs += 1;
        }
    }

    /// The initial measurement so far.
    pub fn initial(&self) -> Measurement {
        self.measurement(&self.rim)
    }

    /// A value of this Realm with the algorithm it was made by.
    pub fn measurement(&self, value: &Padded) -> Measurement {
        Measurement {
            algorithm: Algorithm::from_raw(self.hash_algo).unwrap_or(Algorithm::Sha256),
            value: *value,
        }
    }

    /// The IPA space; `None` only in a page nobody has initialised.
    pub fn space(&self) -> Option<RealmSpace> {
        Some(RealmSpace {
            space: IpaSpace::new(u8::try_from(self.s2sz).ok()?)?,
            start_level: i8::try_from(self.start_level).ok()?,
            base: GranuleAddr::from_raw(self.base).ok()?,
            tables: self.tables,
        })
    }

    /// Notes the IPA space.
    pub fn set_space(&mut self, space: &RealmSpace) {
        self.s2sz = u64::from(space.space.bits());
        self.start_level = i64::from(space.start_level);
        self.tables = space.tables;
        self.base = space.base.raw();
    }
}

/// What a REC waits for before it can go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Pending {
    /// Nothing.
    None = 0,
    /// The host's answer to a change of RIPAS.
    Ripas = 1,
    /// The host's answer to a host call.
    HostCall = 2,
    /// `PSCI_COMPLETE` of a `CPU_ON`.
    CpuOn = 3,
    /// `PSCI_COMPLETE` of an `AFFINITY_INFO`.
    AffinityInfo = 4,
}

/// What the last exit allows the host to do on the next entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum LastExit {
    /// Nothing special.
    Other = 0,
    /// Data abort in the unprotected half: inject an abort.
    Unprotected = 1,
    /// The same with a valid syndrome: emulate the access, too.
    Emulatable = 2,
}

/// A change of RIPAS that the Realm asked for.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RipasRequest {
    /// What is left begins here.
    pub next: u64,
    /// It ends here.
    pub top: u64,
    /// RIPAS asked for.
    pub ripas: u64,
    /// Whether memory that the host destroyed may change.
    pub change_destroyed: u64,
}

/// A PSCI call that waits for the host.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PsciRequest {
    /// Index of the REC that is meant.
    pub target: u64,
    /// `CPU_ON`: where it starts.
    pub entry: u64,
    /// `CPU_ON`: its x0.
    pub context_id: u64,
}

/// The REC's page.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecPage {
    /// State of the virtual CPU.
    pub context: RecContext,
    /// The Realm's stage 2 registers.
    pub stage2: Stage2,
    /// Index in the Realm.
    pub index: u64,
    /// Auxiliary granules; the first has the floating point state.
    aux: [u64; MAX_AUX],
    /// Breakpoints minus one.
    pub num_bps: u64,
    /// Watchpoints minus one.
    pub num_wps: u64,
    pending: u64,
    last_exit: u64,
    /// `ESR_EL2` of the last exit, if it was a data abort.
    pub last_esr: u64,
    /// `FAR_EL2` of the last exit, if it was a data abort.
    pub last_far: u64,
    /// Timer outputs the host was told of (`TIMER_MASK_*`).
    pub timers_reported: u64,
    /// The change of RIPAS that waits.
    pub ripas: RipasRequest,
    /// The PSCI call that waits.
    pub psci: PsciRequest,
    /// IPA of the host call's structure.
    pub host_call: u64,
    reserved: [u8; PAGE_SIZE - size_of::<RecContext>() - (18 + MAX_AUX) * 8],
}

const _: () = assert!(size_of::<RecPage>() == PAGE_SIZE);

impl RecPage {
    /// The auxiliary granules. None of them is granule zero.
    pub fn aux_granules(&self) -> Aux {
        self.aux.map(|raw| {
            let granule = GranuleAddr::from_raw(raw).ok();
            granule.filter(|_| raw != 0)
        })
    }

    /// Notes the auxiliary granules.
    pub fn set_aux_granules(&mut self, aux: &Aux) {
        self.aux = aux.map(|granule| granule.map_or(0, GranuleAddr::raw));
    }

    /// What it waits for.
    pub fn pending(&self) -> Pending {
        match self.pending {
            1 => Pending::Ripas,
            2 => Pending::HostCall,
            3 => Pending::CpuOn,
            4 => Pending::AffinityInfo,
            _ => Pending::None,
        }
    }

    /// Changes what it waits for.
    pub fn set_pending(&mut self, pending: Pending) {
        self.pending = pending as u64;
    }

    /// What the last exit allows.
    pub fn last_exit(&self) -> LastExit {
        match self.last_exit {
            1 => LastExit::Unprotected,
            2 => LastExit::Emulatable,
            _ => LastExit::Other,
        }
    }

    /// Notes what the exit allows.
    pub fn set_last_exit(&mut self, last: LastExit) {
        self.last_exit = last as u64;
    }
}

/// The first auxiliary granule's page.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AuxPage {
    /// Floating point state.
    pub fp: FpState,
    reserved: [u8; PAGE_SIZE - size_of::<FpState>()],
}

const _: () = assert!(size_of::<AuxPage>() == PAGE_SIZE);

/// Lays the Realm descriptor over a page.
pub fn realm(page: &mut PageBytes) -> &mut RealmPage {
    zerocopy::transmute_mut!(page)
}

/// Lays the REC over a page.
pub fn rec(page: &mut PageBytes) -> &mut RecPage {
    zerocopy::transmute_mut!(page)
}

/// Lays the auxiliary state over a page.
pub fn aux(page: &mut PageBytes) -> &mut AuxPage {
    zerocopy::transmute_mut!(page)
}

/// The page of a granule whose lock is held. Borrowing the guard mutably keeps
/// it the only one.
pub fn locked<'h, H: Hal>(hal: &'h H, guard: &'h mut Guard<'_>) -> H::Page<'h> {
    hal.page(guard.granule())
}

/// Hands a locked granule back to the pool of delegated ones, scrubbed.
pub fn release<H: Hal>(hal: &H, guard: &mut Guard<'_>) {
    hal.zero(guard.granule());
    guard.become_state(crate::granule::GranuleState::Delegated);
}

/// Finds an internal granule, which its owner says is in `state`.
pub fn internal<'t>(
    table: &GranuleTable<'t>,
    granule: GranuleAddr,
    state: crate::granule::GranuleState,
) -> Option<Guard<'t>> {
    table.lock(granule, state)
}
