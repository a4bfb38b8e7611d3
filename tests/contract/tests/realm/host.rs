//! The hypervisor's `realm` crate on the RMM core: memory of the model, a
//! conduit that remembers, and a loop that does what the hypervisor's does.

use addr::{GRANULE_SIZE, GranuleAddr, Ipa, IpaRange, PhysAddr, PhysRange};
use conduit::{Conduit, Regs};
use contract::model::{Action, Event, Model};
use realm::intent::Backend;
use realm::rim::PageSource;
use realm::{
    Granules, Image, Ledger, Memory, Populate, RamRequests, Realm, RealmSpec, Region, RipasAnswer,
    Undelegated, VmId,
};
use rmi::client::{Contents, Rmi};
use rmi::rtt::{IpaSpace, Ripas};
use rmi::status::Status;
use rmi::v1_0::{Command, ExitReason, HashAlgo, RecRun};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU16;
use zerocopy::{FromZeros, IntoBytes};

/// Where the host's free memory begins and how much of it there is.
pub const POOL: u64 = 0x8000_0000;
pub const POOL_PAGES: u64 = 0x6000;
/// Where the images' sources lie.
pub const SOURCE: u64 = 0x6000_0000;
/// The run page.
pub const RUN: u64 = 0x7000_0000;
/// The guest's RAM.
pub const RAM: u64 = 0x4000_0000;
pub const SHARED: u64 = 1 << 32;
pub const MIB: u64 = 1 << 20;

/// Passes calls on and remembers them; may break one.
pub struct Recorder {
    pub model: Model,
    pub calls: RefCell<Vec<(Command, Status)>>,
    /// The number of the call that goes wrong, and how.
    pub broken: Cell<Option<(usize, Break)>>,
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Break {
    /// It is not made, and this is answered.
    Refuse(u64),
    /// It is made, and this is answered.
    Deny(u64),
}

impl Conduit for Recorder {
    fn call(&self, regs: Regs) -> Regs {
        let number = self.calls.borrow().len();
        let command = Command::from_fid(regs.fid()).expect("the host makes RMI calls only");
        let inner = self.model.conduit();
        let reply = match self.broken.get() {
            Some((at, Break::Refuse(status))) if at == number => {
                Regs([status, 0, 0, 0, 0, 0, 0, 0])
            }
            Some((at, Break::Deny(status))) if at == number => {
                let mut reply = inner.call(regs);
                reply.0[0] = status;
                reply
            }
            _ => inner.call(regs),
        };
        let status = Status::from_raw(reply.0[0]);
        self.calls.borrow_mut().push((command, status));
        reply
    }
}

/// Free memory of the host; notices what is freed twice.
pub struct Pool {
    model: Model,
    free: BTreeSet<u64>,
    pub aside: usize,
}

impl Pool {
    /// All of the host's free memory in `model`.
    pub fn of(model: Model) -> Self {
        Self {
            model,
            free: (0..POOL_PAGES).collect(),
            aside: 0,
        }
    }

    pub fn is_full(&self) -> bool {
        self.free.len() as u64 == POOL_PAGES
    }
}

impl Memory for Pool {
    fn alloc(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        let count = count as u64;
        let first = *self.free.iter().find(|page| {
            *page % count == 0 && (**page..**page + count).all(|page| self.free.contains(&page))
        })?;
        for page in first..first + count {
            self.free.remove(&page);
        }
        let base = GranuleAddr::from_raw(POOL + first * GRANULE_SIZE).unwrap();
        Granules::from_allocator(base, count as usize)
    }

    fn alloc_zeroed(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        let run = self.alloc(count)?;
        for index in 0..count {
            let page = run.get(index).unwrap();
            let machine = self.model.machine;
            machine.write(page.address(), &[0; 4096]).unwrap();
        }
        Some(run)
    }

    fn free(&mut self, granules: Granules<Undelegated>) {
        for index in 0..granules.count() {
            let page = granules.get(index).unwrap();
            // What comes back must be the host's again.
            let mut byte = [0];
            self.model.machine.read(page.address(), &mut byte).unwrap();
            let fresh = self.free.insert((page.raw() - POOL) / GRANULE_SIZE);
            assert!(fresh, "{page} was free already");
        }
    }

    fn set_aside(&mut self, granules: Granules<Undelegated>) {
        self.aside += granules.count();
    }

    fn write(&mut self, page: GranuleAddr, bytes: &[u8; 4096]) {
        self.model.machine.write(page.address(), bytes).unwrap();
    }

    fn put(&mut self, page: GranuleAddr, index: usize, word: u64) {
        let at = page.address().checked_add(8 * index as u64).unwrap();
        self.model.machine.write(at, &word.to_le_bytes()).unwrap();
    }

    fn get(&self, page: GranuleAddr, index: usize) -> u64 {
        let at = page.address().checked_add(8 * index as u64).unwrap();
        let mut bytes = [0; 8];
        self.model.machine.read(at, &mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }
}

/// The images' sources, out of the model's memory.
pub struct Sources(Vec<Box<[u8; 4096]>>);

impl PageSource for Sources {
    fn page(&self, source: GranuleAddr) -> Option<&[u8; 4096]> {
        let index = (source.raw() - SOURCE) / GRANULE_SIZE;
        self.0.get(index as usize).map(|page| &**page)
    }
}

/// A host with one Realm.
pub struct World {
    pub model: Model,
    pub rmm: Rmi<Recorder>,
    table: Vec<AtomicU16>,
    pub sources: Sources,
}

impl World {
    pub fn new() -> Self {
        let model = Model::default();
        let sources = (0..16u8)
            .map(|page| {
                let bytes = Box::new([page + 1; 4096]);
                let at = PhysAddr::new(SOURCE + u64::from(page) * GRANULE_SIZE);
                model.machine.write(at, &*bytes).unwrap();
                bytes
            })
            .collect();
        Self {
            model,
            rmm: Rmi::new(Recorder {
                model,
                calls: RefCell::default(),
                broken: Cell::default(),
            }),
            table: (0..POOL_PAGES).map(|_| AtomicU16::new(0)).collect(),
            sources: Sources(sources),
        }
    }

    pub fn ledger(&self) -> Ledger<'_> {
        let bank = PhysRange::with_size(PhysAddr::new(POOL), POOL_PAGES * GRANULE_SIZE).unwrap();
        Ledger::new(&[bank], &self.table).unwrap()
    }

    pub fn pool(&self) -> Pool {
        Pool::of(self.model)
    }

    /// How often each command was answered with anything but success.
    pub fn failures(&self) -> Vec<(Command, Status)> {
        let calls = self.rmm.conduit().calls.borrow();
        let failed = |(_, status): &&(Command, Status)| *status != Status::Success;
        calls.iter().filter(failed).copied().collect()
    }

    pub fn forget_calls(&self) {
        self.rmm.conduit().calls.borrow_mut().clear();
    }

    /// The calls made, those that repeat joined.
    pub fn transcript(&self) -> String {
        let mut lines: Vec<(String, usize)> = Vec::new();
        for (command, status) in &*self.rmm.conduit().calls.borrow() {
            let mut line = command.name().to_string();
            if *status != Status::Success {
                line = format!("{line} -> {status}");
            }
            match lines.last_mut() {
                Some((last, count)) if *last == line => *count += 1,
                _ => lines.push((line, 1)),
            }
        }
        let print = |(line, count): &(String, usize)| match count {
            1 => format!("{line}\n"),
            count => format!("{line} x{count}\n"),
        };
        lines.iter().map(print).collect()
    }

    /// What was called since the last look, by name.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let calls = self.rmm.conduit().calls.borrow();
        Command::ALL
            .iter()
            .map(|wanted| {
                (
                    wanted.name(),
                    calls.iter().filter(|(c, _)| c == wanted).count(),
                )
            })
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

/// A Realm of `mib` MiB with eight measured pages at the start of RAM and
/// three unmeasured ones 4 MiB further up, if RAM goes that far.
pub fn spec(mib: u64) -> RealmSpec {
    let image = |ipa, page, pages, contents| Image {
        ipa: Ipa::new(ipa),
        source: GranuleAddr::from_raw(SOURCE + page * GRANULE_SIZE).unwrap(),
        pages,
        contents,
    };
    let mut images = vec![image(RAM, 0, 8, Contents::Measured)];
    if mib > 4 {
        images.push(image(RAM + 4 * MIB, 8, 3, Contents::Unmeasured));
    }
    RealmSpec {
        vmid: 1,
        ipa: IpaSpace::new(33).unwrap(),
        start_level: 2,
        start_tables: 8,
        hash: HashAlgo::Sha256,
        num_bps: 1,
        num_wps: 1,
        rpv: [0; 64],
        ram: IpaRange::with_size(Ipa::new(RAM), mib * MIB).unwrap(),
        images: images.into_iter().collect(),
        vcpus: 1,
        pc: Ipa::new(RAM),
        gprs: [0; 8],
        populate: Populate::Block,
        ram_requests: RamRequests::Accept,
    }
}

pub type HostRealm<'a> = Realm<'a, Rmi<Recorder>>;

pub fn vm() -> VmId {
    VmId::new(1).unwrap()
}

pub fn regions() -> Vec<Region> {
    vec![Region::default(); 64]
}

/// Why the Realm is not running any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It called PSCI with this function.
    Psci(u64),
    /// Its script is over.
    Idle,
}

/// Lets the Realm do `actions` and returns what it saw.
pub fn run(
    world: &World,
    realm: &mut HostRealm<'_>,
    pool: &mut Pool,
    actions: impl IntoIterator<Item = Action>,
) -> (Stop, Vec<Event>) {
    let stop = try_run(world, realm, pool, actions).expect("the Realm runs");
    (stop, world.model.machine.events(1, 0))
}

/// Lets the Realm do `actions`; `None` if the host cannot go on.
pub fn try_run(
    world: &World,
    realm: &mut HostRealm<'_>,
    pool: &mut Pool,
    actions: impl IntoIterator<Item = Action>,
) -> Option<Stop> {
    run_on(world.model, 1, realm, pool, actions)
}

/// The same on any RMM, where the Realm has VMID `vmid`.
pub fn run_on<B: Backend>(
    model: Model,
    vmid: u16,
    realm: &mut Realm<'_, B>,
    pool: &mut Pool,
    actions: impl IntoIterator<Item = Action>,
) -> Option<Stop> {
    let machine = model.machine;
    machine.script(vmid, 0, actions);
    let page = PhysAddr::new(RUN);
    let mut run = RecRun::new_zeroed();
    for _ in 0..10_000 {
        machine.write(page, run.as_bytes()).unwrap();
        realm.enter(0, GranuleAddr::containing(page)).ok()?;
        machine.read(page, run.as_mut_bytes()).unwrap();
        run.enter.flags = 0;
        if let Some(stop) = exit(realm, pool, &mut run)? {
            return Some(stop);
        }
    }
    None
}

/// Does what the exit asks for; `None` if that fails.
fn exit<B: Backend>(
    realm: &mut Realm<'_, B>,
    pool: &mut Pool,
    run: &mut RecRun,
) -> Option<Option<Stop>> {
    match ExitReason::from_raw(run.exit.exit_reason) {
        Some(ExitReason::Sync) => {
            let ipa = Ipa::new((run.exit.hpfar & 0xff_ffff_fff0) << 8);
            if ipa.raw() & SHARED == 0 {
                realm.populate_on_fault(pool, ipa).ok()?;
            } else if realm.share_on_fault(pool, ipa).is_err() {
                run.enter.flags = rmi::v1_0::ENTER_FLAG_INJECT_SEA;
            }
            Some(None)
        }
        Some(ExitReason::RipasChange) => {
            let (base, top) = (run.exit.ripas_base, run.exit.ripas_top);
            let ripas = Ripas::from_raw(run.exit.ripas_value)?;
            let answer = realm
                .ripas_change(pool, 0, Ipa::new(base), Ipa::new(top), ripas)
                .ok()?;
            if answer == RipasAnswer::Reject {
                run.enter.flags = rmi::v1_0::ENTER_FLAG_RIPAS_RESPONSE;
            }
            Some(None)
        }
        Some(ExitReason::Psci) => Some(Some(Stop::Psci(run.exit.gprs[0]))),
        Some(ExitReason::Irq) => Some(Some(Stop::Idle)),
        _ => None,
    }
}

/// `RSI_IPA_STATE_SET` of `size` bytes at `base`, memory that was destroyed too.
pub fn set_state(base: u64, size: u64, ripas: Ripas) -> Action {
    Action::rsi(
        rsi::Command::IpaStateSet,
        &[base, base + size, ripas as u64, 1],
    )
}
