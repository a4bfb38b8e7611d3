//! From the description of a VM to the VM, which is not built yet.

use alloc::boxed::Box;
use alloc::vec::Vec;

use devices::{Board, Config};
use realm::plan::Bundle;
use realm::{Realm, RealmSpec, Region, VmId};
use report::summary::Outcome;
use sched::TaskId;
use stage2::Vmids;
use vcpu::Policy;
use vm_config::{ConfigError, Limits, VmKind, VmPlan};

use super::{Devices, End, Guest, GuestLock, Life, Outlet, Shown, Tally, Vcpu, Vm};
use crate::arch::guest::NoVhe;
use crate::arch::ich;
use crate::bench::Bench;
use crate::cpus;
use crate::io::Holdings;
use crate::machine::Place;
use crate::memory::{Ram, RunPage};
use crate::plain::PlainVm;
use crate::rmm::{Counter, Dialect, Rmm, Session};
use crate::sync::Mutex;

/// The widest address space a VM can have: what a Realm or a stage 2 without
/// FEAT_LPA2 reaches. What this machine's RMM and CPU offer is checked beside.
const IPA_BITS: u8 = 48;

/// What VMs are made of.
pub struct Maker<'m> {
    /// The RMM.
    pub rmm: &'static Rmm,
    /// The bundle they come in.
    pub bundle: Option<Bundle<'static>>,
    /// Where their memory comes from.
    pub ram: &'m mut Ram,
    /// Counts, if asked for.
    pub bench: Option<Bench>,
    /// Bytes of RAM that the VMs made so far may come to need.
    pub promised: u64,
    /// CPUs that the VMs made so far have for themselves.
    pub dedicated: usize,
    /// The VMIDs of plain VMs.
    pub vmids: Vmids,
    /// Whether this machine can run plain VMs.
    pub plain: Result<(), NoVhe>,
}

/// What a VM is made of.
struct Parts {
    guest: Box<dyn Guest>,
    calls: Option<&'static dyn Counter>,
    vcpus: Vec<Vcpu>,
    board: Board<'static>,
    holdings: Holdings,
}

/// A VM's memory, and who counts the calls made for it.
type Made = (Box<dyn Guest>, Option<&'static dyn Counter>);

impl Maker<'_> {
    /// The VM of `plan`, the `number`th of the machine. If this machine cannot
    /// run it, a line in the log says why.
    pub fn make(&mut self, plan: VmPlan, number: u16, steward: TaskId) -> Place {
        let place = usize::from(number) - 1;
        match self.parts(&plan, number) {
            Ok(parts) => Place::Here(Vm {
                place,
                steward,
                guest: GuestLock::new(parts.guest),
                devices: Mutex::new(Devices {
                    board: parts.board,
                    outlet: Outlet::new(place, self.bench),
                    holdings: parts.holdings,
                }),
                vcpus: parts.vcpus,
                life: Mutex::new(Life::new(plan.restarts)),
                calls: parts.calls,
                stage: Shown::new(),
                starts: 1.into(),
                populated: 0.into(),
                end: Mutex::new(End::default()),
                ending: false.into(),
                plan,
            }),
            Err(outcome) => Place::Absent { plan, outcome },
        }
    }

    fn parts(&mut self, plan: &VmPlan, number: u16) -> Result<Parts, Outcome> {
        let name = &plan.name;
        if plan.kind == VmKind::Realm && matches!(self.rmm, Rmm::None) {
            log::warn!("Realm {name} is skipped");
            return Err(Outcome::Skipped);
        }
        self.check_place(plan)
            .inspect_err(|why| log::error!("{why}"))
            .map_err(|_| Outcome::Crashed)?;
        let made = match (plan.kind, self.rmm) {
            (VmKind::Realm, Rmm::V1_0(session)) => self.realm(session, plan, number),
            (VmKind::Realm, Rmm::V2_0(session)) => self.realm(session, plan, number),
            (VmKind::Realm, Rmm::None) => None,
            (VmKind::Normal, _) => self.plain(plan)?,
        };
        let (guest, calls) = made.ok_or(Outcome::Crashed)?;
        let Some((vcpus, mut board)) = self.vcpus(plan) else {
            log::error!("{name} cannot run: no RAM for its vCPUs");
            return Err(Outcome::Crashed);
        };
        let bundle = self.bundle.map_or(&[][..], |bundle| bundle.bytes);
        let holdings = Holdings::plug(
            &mut board,
            &plan.devices,
            bundle,
            self.ram,
            &mut |missing| {
                log::warn!("{name}: {missing}");
            },
        );
        self.promised += plan.memory.size();
        self.dedicated += plan.cpus.len();
        Ok(Parts {
            guest,
            calls,
            vcpus,
            board,
            holdings,
        })
    }

    /// Whether the machine has the CPUs and the memory that a VM asks for, beside
    /// what was promised before.
    fn check_place(&self, plan: &VmPlan) -> Result<(), ConfigError> {
        plan.check_fits(&Limits {
            memory: self.ram.free().saturating_sub(self.promised),
            ipa_bits: IPA_BITS,
            cpus: cpus::count(),
            dedicated: self.dedicated,
        })
    }

    fn realm<B: Dialect>(
        &mut self,
        session: &'static Session<B>,
        plan: &VmPlan,
        number: u16,
    ) -> Option<Made> {
        let name = &plan.name;
        let id = VmId::new(number)?;
        let Some(spec) = RealmSpec::of_plan(plan, id, self.bundle?.base) else {
            log::error!("Realm {name}: its description does not fit this hypervisor");
            return None;
        };
        let fits = spec.fits(session.books.offer.features);
        fits.inspect_err(|error| log::error!("Realm {name}: {error}"))
            .ok()?;
        let Some(regions) = self.ram.keep::<Region>(Region::count(spec.ram)) else {
            log::error!("Realm {name}: no RAM for its bookkeeping");
            return None;
        };
        let rmm: &'static B = Box::leak(Box::new(session.rmm.sibling()));
        let realm = Realm::new(rmm, &session.books.ledger, id, spec, regions);
        let realm = realm
            .inspect_err(|error| log::error!("Realm {name}: {error}"))
            .ok()?;
        Some((Box::new(realm), Some(rmm)))
    }

    fn plain(&mut self, plan: &VmPlan) -> Result<Option<Made>, Outcome> {
        let name = &plan.name;
        if let Err(error) = self.plain {
            log::error!("VM {name} is skipped: {error}");
            return Err(Outcome::Skipped);
        }
        let bundle = self.bundle.ok_or(Outcome::Crashed)?;
        let Some(vm) = PlainVm::new(bundle, plan, &mut self.vmids) else {
            log::error!("VM {name}: its description does not fit this hypervisor");
            return Err(Outcome::Crashed);
        };
        Ok(Some((Box::new(vm), None)))
    }

    fn vcpus(&mut self, plan: &VmPlan) -> Option<(Vec<Vcpu>, Board<'static>)> {
        let count = plan.vcpus as usize;
        let mut vcpus = Vec::new();
        vcpus.try_reserve_exact(count).ok()?;
        for tally in self.ram.keep::<Tally>(count)? {
            vcpus.push(Vcpu::new(RunPage::new(self.ram)?, tally));
        }
        let policy = Policy {
            ram: plan.memory,
            shared_bit: match plan.kind {
                VmKind::Realm => vm_config::map::shared_bit(plan.ipa_bits),
                VmKind::Normal => 0,
            },
            vcpus: count,
        };
        let config = Config {
            policy,
            list_registers: match plan.kind {
                VmKind::Realm => self.rmm.list_registers(),
                VmKind::Normal => ich::list_registers(),
            },
            priority_bits: ich::priority_bits(),
        };
        let cpus = self.ram.keep::<vgic::Cpu>(count)?;
        Some((vcpus, Board::new(cpus, config)))
    }
}
