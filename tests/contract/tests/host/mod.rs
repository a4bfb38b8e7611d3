//! A host that makes the calls by hand, so that these tests judge the RMM
//! without the hypervisor's code in between.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use addr::{Ipa, PhysAddr};
use conduit::{Conduit, Regs};
use contract::model::{Model, ModelConduit};
use rmi::status::Status;
use rmi::v1_0::{Command, Mpidr, RealmParams, RecEnter, RecExit, RecParams, RecRun};
use zerocopy::{FromZeros, IntoBytes};

/// First granule the host hands out: above the RMM's memory.
const POOL: u64 = 0x5000_0000;

/// The host: a conduit and a pool of granules.
pub struct Host {
    pub model: Model,
    pub conduit: ModelConduit,
    next: u64,
}

impl Host {
    pub fn new(model: Model) -> Self {
        Self {
            model,
            conduit: model.conduit(),
            next: POOL,
        }
    }

    /// A fresh Non-secure granule.
    pub fn granule(&mut self) -> u64 {
        let granule = self.next;
        self.next += 0x1000;
        granule
    }

    /// A fresh delegated granule.
    pub fn delegated(&mut self) -> u64 {
        let granule = self.granule();
        self.ok(Command::GranuleDelegate, &[granule]);
        granule
    }

    pub fn undelegate(&self, granule: u64) {
        self.ok(Command::GranuleUndelegate, &[granule]);
    }

    /// Makes a call and gives back its status and x1 to x4.
    pub fn call(&self, command: Command, args: &[u64]) -> (Status, [u64; 4]) {
        let reply = self.conduit.call(Regs::call(command.fid(), args)).0;
        let mut out = [0; 4];
        out.copy_from_slice(&reply[1..5]);
        (Status::from_raw(reply[0]), out)
    }

    /// Makes a call that has to succeed.
    pub fn ok(&self, command: Command, args: &[u64]) -> [u64; 4] {
        let (status, out) = self.call(command, args);
        assert_eq!(status, Status::Success, "{} {args:x?}", command.name());
        out
    }

    /// Makes a call that has to fail in one way.
    pub fn fails(&self, command: Command, args: &[u64], expected: Status) {
        let (status, _) = self.call(command, args);
        assert_eq!(status, expected, "{} {args:x?}", command.name());
    }

    pub fn write(&self, granule: u64, bytes: &[u8]) {
        self.model
            .machine
            .write(PhysAddr::new(granule), bytes)
            .unwrap();
    }

    /// A page of parameters.
    pub fn page(&mut self, bytes: &[u8]) -> u64 {
        let granule = self.granule();
        self.write(granule, bytes);
        granule
    }

    /// A Realm of 33 bits with eight concatenated start tables at level 2.
    pub fn realm(&mut self, vmid: u16) -> Realm {
        self.realm_with(vmid, |_| ())
    }

    pub fn realm_with(&mut self, vmid: u16, adjust: impl FnOnce(&mut RealmParams)) -> Realm {
        self.next = self.next.next_multiple_of(0x8000);
        let start: Vec<u64> = (0..8).map(|_| self.delegated()).collect();
        let rd = self.delegated();
        let mut params = RealmParams::new_zeroed();
        params.s2sz = 33;
        params.num_bps = 1;
        params.num_wps = 1;
        params.vmid = u64::from(vmid);
        params.rtt_base = start[0];
        params.rtt_level_start = 2;
        params.rtt_num_start = 8;
        adjust(&mut params);
        let page = self.page(params.as_bytes());
        self.ok(Command::RealmCreate, &[rd, page]);
        Realm {
            rd,
            start,
            params,
            tables: Vec::new(),
            pages: Vec::new(),
            recs: Vec::new(),
            run: self.granule(),
        }
    }
}

/// A REC and its auxiliary granule.
#[derive(Clone, Copy)]
pub struct Rec {
    pub rec: u64,
    pub aux: u64,
}

/// A Realm as the host remembers it.
pub struct Realm {
    pub rd: u64,
    pub start: Vec<u64>,
    pub params: RealmParams,
    /// Level-3 tables by the IPA they begin at.
    pub tables: Vec<(u64, u64)>,
    /// Data granules by their IPA.
    pub pages: Vec<(u64, u64)>,
    pub recs: Vec<Rec>,
    pub run: u64,
}

impl Realm {
    /// Makes sure there is a level-3 table for an IPA.
    pub fn table(&mut self, host: &mut Host, ipa: u64) {
        let base = ipa & !0x1f_ffff;
        if !self.tables.iter().any(|(at, _)| *at == base) {
            let table = host.delegated();
            host.ok(Command::RttCreate, &[self.rd, table, base, 3]);
            self.tables.push((base, table));
        }
    }

    /// A measured page with the given contents.
    pub fn populate(&mut self, host: &mut Host, ipa: u64, contents: &[u8]) {
        self.table(host, ipa);
        let source = host.page(contents);
        let data = host.delegated();
        host.ok(Command::DataCreate, &[self.rd, data, ipa, source, 1]);
        self.pages.push((ipa, data));
    }

    /// A page without contents.
    pub fn unknown(&mut self, host: &mut Host, ipa: u64) {
        self.table(host, ipa);
        let data = host.delegated();
        host.ok(Command::DataCreateUnknown, &[self.rd, data, ipa]);
        self.pages.push((ipa, data));
    }

    /// A page of RAM that is not populated.
    pub fn ram(&mut self, host: &mut Host, ipa: u64) {
        self.table(host, ipa);
        host.ok(Command::RttInitRipas, &[self.rd, ipa, ipa + 0x1000]);
    }

    /// Maps a Non-secure page.
    pub fn share(&mut self, host: &mut Host, ipa: u64, granule: u64) {
        self.table(host, ipa);
        let args = [self.rd, ipa, 3, granule | 0xd8];
        host.ok(Command::RttMapUnprotected, &args);
    }

    pub fn rec(&mut self, host: &mut Host, pc: u64) -> Rec {
        self.rec_with(host, pc, 1)
    }

    pub fn rec_with(&mut self, host: &mut Host, pc: u64, flags: u64) -> Rec {
        let rec = Rec {
            rec: host.delegated(),
            aux: host.delegated(),
        };
        let mut params = RecParams::new_zeroed();
        params.flags = flags;
        params.pc = pc;
        params.mpidr = Mpidr::from_index(self.recs.len() as u32).raw();
        params.num_aux = 1;
        params.aux[0] = rec.aux;
        let page = host.page(params.as_bytes());
        host.ok(Command::RecCreate, &[self.rd, rec.rec, page]);
        self.recs.push(rec);
        rec
    }

    pub fn activate(&self, host: &mut Host) {
        host.ok(Command::RealmActivate, &[self.rd]);
    }

    /// Enters REC 0.
    pub fn enter(&self, host: &mut Host, prepare: impl FnOnce(&mut RecEnter)) -> RecExit {
        self.enter_rec(host, 0, prepare)
    }

    pub fn enter_rec(
        &self,
        host: &mut Host,
        index: usize,
        prepare: impl FnOnce(&mut RecEnter),
    ) -> RecExit {
        let (status, exit) = self.try_enter(host, index, prepare);
        assert_eq!(status, Status::Success, "REC_ENTER");
        exit
    }

    pub fn try_enter(
        &self,
        host: &mut Host,
        index: usize,
        prepare: impl FnOnce(&mut RecEnter),
    ) -> (Status, RecExit) {
        let mut run = RecRun::new_zeroed();
        prepare(&mut run.enter);
        host.write(self.run, run.as_bytes());
        let (status, _) = host.call(Command::RecEnter, &[self.recs[index].rec, self.run]);
        host.model
            .machine
            .read(PhysAddr::new(self.run), run.as_mut_bytes())
            .unwrap();
        (status, run.exit)
    }

    /// Takes everything apart and gives every granule back.
    pub fn destroy(self, host: &mut Host) {
        for rec in &self.recs {
            host.ok(Command::RecDestroy, &[rec.rec]);
            host.undelegate(rec.rec);
            host.undelegate(rec.aux);
        }
        for (ipa, data) in &self.pages {
            let [granule, ..] = host.ok(Command::DataDestroy, &[self.rd, *ipa]);
            assert_eq!(granule, *data);
            host.undelegate(granule);
        }
        for (base, table) in &self.tables {
            let [granule, ..] = host.ok(Command::RttDestroy, &[self.rd, *base, 3]);
            assert_eq!(granule, *table);
            host.undelegate(granule);
        }
        host.ok(Command::RealmDestroy, &[self.rd]);
        host.undelegate(self.rd);
        for table in &self.start {
            host.undelegate(*table);
        }
    }
}

/// The faulting address of an exit.
pub fn fault_ipa(exit: &RecExit) -> Ipa {
    Ipa::new((exit.hpfar & 0xfff_ffff_fff0) << 8 | exit.far & 0xfff)
}
