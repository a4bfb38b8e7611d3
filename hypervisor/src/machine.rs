//! The VMs of the plan, one after the other.

use devices::{Board, Config};
use entry::BootInfo;
use heapless::Vec;
use realm::plan::Bundle;
use realm::rim::Rim;
use realm::{Realm, RealmSpec, Region, VmId};
use report::summary::{Exits, Outcome};
use vcpu::{Counters, Policy};
use vm_config::{MAX_VMS, Name, Plan, VmKind, VmPlan};

use crate::arch::{ich, sha256::CpuSha256, timer};
use crate::calls::Calls;
use crate::host::Host;
use crate::memory::{Ram, RunPage, phys};
use crate::rmm::{Dialect, Rmm, Session};
use crate::run::{Ended, Loop, Services};
use crate::selftest;

/// Pages copied into a Realm between two looks at the clock.
const PAGES_PER_STEP: usize = 512;

/// Pages from which on a Realm's images take long enough to tell of progress.
const TOLD_FROM: u64 = 1024;

/// What became of a VM.
pub struct Finished {
    /// Its name.
    pub name: Name,
    /// Whether it is a Realm.
    pub is_realm: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The RIM by the host's own books.
    pub rim: Option<Rim>,
    /// The RIM as the payload reported it.
    pub rim_reported: Option<Vec<u8, 64>>,
    /// Its exits.
    pub exits: Exits,
    /// Calls made for it.
    pub calls: Calls,
}

impl Finished {
    fn skipped(vm: &VmPlan) -> Self {
        Self {
            name: vm.name.clone(),
            is_realm: vm.kind == VmKind::Realm,
            outcome: Outcome::Skipped,
            rim: None,
            rim_reported: None,
            exits: Exits::default(),
            calls: Calls::default(),
        }
    }
}

/// What there is to run, and what it runs on.
pub struct Machine<'a> {
    boot: &'a BootInfo,
    plan: Plan,
    rmm: &'a Rmm,
}

impl<'a> Machine<'a> {
    /// The machine that `plan` describes.
    pub fn new(boot: &'a BootInfo, plan: Plan, rmm: &'a Rmm) -> Self {
        Self { boot, plan, rmm }
    }

    /// Runs every VM to its end.
    pub fn run(&self, ram: &mut Ram, host: &mut Host) -> alloc::vec::Vec<Finished> {
        let mut finished = alloc::vec::Vec::with_capacity(MAX_VMS);
        for (vm, number) in self.plan.vms.iter().zip(1..) {
            let mut result = Finished::skipped(vm);
            match (vm.kind, self.rmm, VmId::new(number)) {
                (VmKind::Realm, Rmm::V1_0(session), Some(id)) => {
                    self.run_realm(session, vm, id, ram, host, &mut result);
                }
                (VmKind::Realm, Rmm::V2_0(session), Some(id)) => {
                    self.run_realm(session, vm, id, ram, host, &mut result);
                }
                (VmKind::Realm, ..) => log::warn!("Realm {} is skipped", vm.name),
                (VmKind::Normal, ..) => {
                    log::error!("VM {}: plain VMs are not supported yet, skipped", vm.name);
                }
            }
            finished.push(result);
        }
        finished
    }

    // Not inlined: one stack frame holds one dialect's Realm, not all.
    #[inline(never)]
    fn run_realm<B: Dialect>(
        &self,
        session: &Session<B>,
        vm: &VmPlan,
        id: VmId,
        ram: &mut Ram,
        host: &mut Host,
        result: &mut Finished,
    ) {
        let rmm = session.rmm.sibling();
        let life = Life {
            boot: self.boot,
            session,
            rmm: &rmm,
            vm,
            id,
        };
        life.run(ram, host, result);
        rmm.count(&mut result.calls);
    }
}

/// One Realm from its description to its end.
struct Life<'a, B> {
    boot: &'a BootInfo,
    session: &'a Session<B>,
    rmm: &'a B,
    vm: &'a VmPlan,
    id: VmId,
}

impl<'a, B: Dialect> Life<'a, B> {
    fn run(&self, ram: &mut Ram, host: &mut Host, result: &mut Finished) {
        result.outcome = Outcome::Crashed;
        let name = &self.vm.name;
        let Some(spec) = self.spec() else {
            log::error!("Realm {name}: its description does not fit this hypervisor");
            return;
        };
        if let Err(error) = spec.fits(self.session.books.offer.features) {
            log::error!("Realm {name}: {error}");
            return;
        }
        let Some(mut regions) = ram.lend::<Region>(Region::count(spec.ram)) else {
            log::error!("Realm {name}: no RAM for its bookkeeping");
            return;
        };
        if let Some(bench) = host.bench {
            bench.memory(self.boot.image.whole().size() + ram.in_use());
        }
        match Realm::new(
            self.rmm,
            &self.session.books.ledger,
            self.id,
            spec,
            regions.get(),
        ) {
            Ok(mut realm) => self.live(&mut realm, ram, host, result),
            Err(error) => log::error!("Realm {name}: {error}"),
        }
        ram.take_back(regions);
    }

    /// Builds, runs and takes down, as often as the description allows.
    fn live(&self, realm: &mut Realm<'a, B>, ram: &mut Ram, host: &mut Host, end: &mut Finished) {
        let name = &self.vm.name;
        let Some(mut page) = RunPage::new(ram) else {
            log::error!("Realm {name}: no RAM for its run page");
            return;
        };
        for life in 0..=self.vm.restarts {
            let ended = match self.build(realm, ram, host) {
                Some(ended) => ended,
                None => {
                    log::info!("Realm {name} runs");
                    self.enter(realm, &mut page, ram, host, end)
                }
            };
            log::info!("Realm {name}: {ended}");
            end.outcome = ended.outcome();
            self.take_down(realm, ram);
            let again = life < self.vm.restarts;
            if !(again && end.outcome == Outcome::Reset) {
                break;
            }
            log::info!("Realm {name} starts again");
        }
        page.release(ram);
        end.rim = self.rim(realm);
    }

    /// Runs the Realm, which is built, to its end.
    fn enter(
        &self,
        realm: &mut Realm<'a, B>,
        page: &mut RunPage,
        ram: &mut Ram,
        host: &mut Host,
        end: &mut Finished,
    ) -> Ended {
        let vm = self.vm;
        if let Some(rec) = realm.rec(0) {
            selftest::read_realm(&host.args, &self.session.books, rec);
        }
        page.clear();
        let mut cpus = [vgic::Cpu::default()];
        let policy = Policy {
            ram: vm.memory,
            shared_bit: vm_config::map::shared_bit(vm.ipa_bits),
            vcpus: cpus.len(),
        };
        let config = Config {
            policy,
            list_registers: self.session.list_registers(),
            priority_bits: ich::priority_bits(),
        };
        let mut board = Board::new(&mut cpus, config);
        let mut services = Services::new(host);
        let ended = Loop {
            rmm: self.rmm,
            realm,
            board: &mut board,
            services: &mut services,
            interface: self.session.interface(),
            page,
            ram,
        }
        .run();
        services.output.flush();
        end.rim_reported = services.rim.or(end.rim_reported.take());
        add(&mut end.exits, &board.counters);
        ended
    }

    /// Builds the Realm; returns why it came to nothing.
    fn build(&self, realm: &mut Realm<'_, B>, ram: &mut Ram, host: &mut Host) -> Option<Ended> {
        let mut told = 0;
        let mut before = 0;
        loop {
            let started = timer::now();
            let step = realm.advance(ram, PAGES_PER_STEP);
            if let (Some(bench), Ok(now)) = (host.bench, &step) {
                let pages = now.done.saturating_sub(before);
                if pages > 0 {
                    bench.measured(timer::now() - started, pages);
                }
                before = now.done;
            }
            match step {
                Ok(now) if now.ready => return None,
                Ok(now) => {
                    let quarters = 4 * now.done / now.total.max(1);
                    if quarters > told && now.total >= TOLD_FROM {
                        told = quarters;
                        let (done, total) = (now.done >> 8, now.total >> 8);
                        log::info!("Realm {}: {done} of {total} MiB are in", self.vm.name);
                    }
                }
                Err(error) => {
                    log::error!("Realm {}: {error}", self.vm.name);
                    return Some(Ended::NotBuilt);
                }
            }
            if host.is_late() {
                return Some(Ended::Killed);
            }
        }
    }

    fn take_down(&self, realm: &mut Realm<'_, B>, ram: &mut Ram) {
        realm.stop();
        let taken = realm.teardown(ram);
        log::info!(
            "Realm {}: {} granules came back, {} stay with the RMM",
            self.vm.name,
            taken.returned,
            taken.kept
        );
    }

    fn rim(&self, realm: &Realm<'_, B>) -> Option<Rim> {
        let bundle = Bundle {
            base: self.boot.bundle?.base(),
            bytes: phys::bundle(self.boot)?,
        };
        realm.rim(&bundle, &CpuSha256::new()).ok()
    }

    fn spec(&self) -> Option<RealmSpec> {
        RealmSpec::of_plan(self.vm, self.id, self.boot.bundle?.base())
    }
}

fn add(exits: &mut Exits, more: &Counters) {
    exits.sync += more.sync;
    exits.irq += more.irq;
    exits.fiq += more.fiq;
    exits.psci += more.psci;
    exits.ripas_change += more.ripas_change;
    exits.host_call += more.host_call;
    exits.serror += more.serror;
}
