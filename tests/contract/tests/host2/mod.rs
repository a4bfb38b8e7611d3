//! A host of RMI 2.0 that makes the calls by hand.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use addr::PhysAddr;
use conduit::{Conduit, Regs};
use contract::model::{Model, ModelConduit};
use rmi::v2_0::range::{BlockSize, MemState, RangeDesc, StateField};
use rmi::v2_0::{
    Command, MemRequest, Mpidr, RealmParams, RecEnter, RecExit, RecParams, RecRun, Status,
};
use rmm_core::{Behaviour, Dialect};
use zerocopy::{FromZeros, IntoBytes};

const POOL: u64 = 0x5000_0000;
pub const MIB2: u64 = 0x20_0000;

/// One descriptor of delegated memory.
pub fn delegated_range(base: u64, size: BlockSize, count: u64) -> u64 {
    described(base, size, count, MemState::Delegated)
}

/// One descriptor.
pub fn described(base: u64, size: BlockSize, count: u64, state: MemState) -> u64 {
    let base = addr::GranuleAddr::from_raw(base).unwrap();
    let desc = RangeDesc::new(base, size, count, state).unwrap();
    desc.encode(StateField::OneBit)
}

/// A descriptor that the RMM gave: base, granules.
pub fn decoded(raw: u64) -> (u64, u64) {
    let desc = RangeDesc::decode(raw, StateField::OneBit).unwrap();
    (desc.base().raw(), desc.granules())
}

/// Waits for nothing but to be continued.
pub const CONTINUE: Status = incomplete(MemRequest::None, false);
/// The same, and can be called off.
pub const READY: Status = incomplete(MemRequest::None, true);
/// Wants memory, and can be called off.
pub const DONATE: Status = incomplete(MemRequest::Donate, true);
/// Gives memory back.
pub const RECLAIM: Status = incomplete(MemRequest::Reclaim, false);

const fn incomplete(request: MemRequest, can_cancel: bool) -> Status {
    Status::Incomplete {
        request,
        can_cancel,
    }
}

pub struct Host {
    pub model: Model,
    pub conduit: ModelConduit,
    next: u64,
}

impl Host {
    /// An RMM that is active already.
    pub fn new(behaviour: Behaviour) -> Self {
        let host = Self::inactive(behaviour);
        host.ok(Command::RmmActivate, &[]);
        host
    }

    pub fn inactive(behaviour: Behaviour) -> Self {
        let model = Model::speaking(Dialect::V2_0(behaviour));
        Self {
            model,
            conduit: model.conduit(),
            next: POOL,
        }
    }

    /// Fresh Non-secure memory, aligned to its size.
    pub fn memory(&mut self, bytes: u64) -> u64 {
        let base = self.next.next_multiple_of(bytes.next_power_of_two());
        self.next = base + bytes;
        base
    }

    pub fn granule(&mut self) -> u64 {
        self.memory(0x1000)
    }

    pub fn delegate(&self, base: u64, bytes: u64) {
        let mut at = base;
        while at < base + bytes {
            let [next, ..] = self.ok(Command::GranuleRangeDelegate, &[at, base + bytes]);
            assert!(next > at, "no progress");
            at = next;
        }
    }

    pub fn undelegate(&self, base: u64, bytes: u64) {
        let mut at = base;
        while at < base + bytes {
            let [next, ..] = self.ok(Command::GranuleRangeUndelegate, &[at, base + bytes]);
            assert!(next > at, "no progress");
            at = next;
        }
    }

    pub fn delegated(&mut self, bytes: u64) -> u64 {
        let base = self.memory(bytes);
        self.delegate(base, bytes);
        base
    }

    pub fn call(&self, command: Command, args: &[u64]) -> (Status, [u64; 4]) {
        let reply = self.conduit.call(Regs::call(command.fid(), args)).0;
        let mut out = [0; 4];
        out.copy_from_slice(&reply[1..5]);
        (Status::from_raw(reply[0]), out)
    }

    pub fn ok(&self, command: Command, args: &[u64]) -> [u64; 4] {
        let (status, out) = self.call(command, args);
        assert_eq!(status, Status::Success, "{} {args:x?}", command.name());
        out
    }

    pub fn is(&self, command: Command, args: &[u64], expected: Status) -> [u64; 4] {
        let (status, out) = self.call(command, args);
        assert_eq!(status, expected, "{} {args:x?}", command.name());
        out
    }

    /// A call after which an operation wants something, cancellable or not.
    pub fn wants(&self, command: Command, args: &[u64], expected: MemRequest) -> [u64; 4] {
        let (status, out) = self.call(command, args);
        match status {
            Status::Incomplete { request, .. } if request == expected => out,
            _ => panic!("{} {args:x?}: {status}", command.name()),
        }
    }

    pub fn write(&self, at: u64, bytes: &[u8]) {
        self.model.machine.write(PhysAddr::new(at), bytes).unwrap();
    }

    pub fn read(&self, at: u64) -> u64 {
        let mut raw = [0; 8];
        self.model
            .machine
            .read(PhysAddr::new(at), &mut raw)
            .unwrap();
        u64::from_le_bytes(raw)
    }

    pub fn page(&mut self, bytes: &[u8]) -> u64 {
        let granule = self.granule();
        self.write(granule, bytes);
        granule
    }

    pub fn realm(&mut self) -> Realm {
        self.realm_with(|_| ())
    }

    pub fn realm_with(&mut self, adjust: impl FnOnce(&mut RealmParams)) -> Realm {
        let start = self.delegated(8 * 0x1000);
        let rd = self.delegated(0x1000);
        let mut params = RealmParams::new_zeroed();
        params.s2sz = 33;
        params.num_bps = 1;
        params.num_wps = 1;
        params.rtt_base = start;
        params.rtt_level_start = 2;
        params.rtt_num_start = 8;
        adjust(&mut params);
        let page = self.page(params.as_bytes());
        self.ok(Command::RealmCreate, &[rd, page]);
        Realm {
            rd,
            start,
            run: self.granule(),
            list: self.granule(),
            recs: Vec::new(),
        }
    }
}

pub struct Realm {
    pub rd: u64,
    pub start: u64,
    pub run: u64,
    pub list: u64,
    pub recs: Vec<u64>,
}

impl Realm {
    pub fn table(&self, host: &mut Host, ipa: u64) -> u64 {
        let table = host.delegated(0x1000);
        host.ok(Command::RttCreate, &[self.rd, table, ipa, 3]);
        table
    }

    /// Begins a REC and gives it memory, until it only has to be continued.
    pub fn begin_rec(&mut self, host: &mut Host, flags: u64) -> (u64, u64) {
        let rec = host.delegated(0x1000);
        let mut params = RecParams::new_zeroed();
        params.flags = flags;
        params.pc = 0;
        params.mpidr = Mpidr::from_index(self.recs.len() as u32).raw();
        let page = host.page(params.as_bytes());
        let begin = [self.rd, rec, page];
        let [handle, request, ..] = host.wants(Command::RecCreate, &begin, MemRequest::Donate);
        let wanted = request >> 2 & 0x3fff;
        let memory = host.delegated(wanted * 0x1000);
        let desc = delegated_range(memory, BlockSize::Size4K, wanted);
        host.write(self.list, &desc.to_le_bytes());
        let donate = [handle, self.list, 1];
        let [taken, ..] = host.wants(Command::OpMemDonate, &donate, MemRequest::None);
        assert_eq!(taken, wanted);
        (handle, rec)
    }

    pub fn rec(&mut self, host: &mut Host, flags: u64) -> u64 {
        let (handle, rec) = self.begin_rec(host, flags);
        while host.call(Command::OpContinue, &[handle, 0]).0 != Status::Success {}
        self.recs.push(rec);
        rec
    }

    pub fn destroy_rec(&self, host: &Host, rec: u64) {
        let [handle, ..] = host.is(Command::RecDestroy, &[rec], RECLAIM);
        loop {
            let reclaim = [handle, self.list, 3];
            let (status, [entries, ..]) = host.call(Command::OpMemReclaim, &reclaim);
            for entry in 0..entries {
                let (base, granules) = decoded(host.read(self.list + entry * 8));
                host.undelegate(base, granules * 0x1000);
            }
            if status != RECLAIM {
                assert_eq!(status, CONTINUE);
                break;
            }
        }
        while host.call(Command::OpContinue, &[handle, 0]).0 != Status::Success {}
        host.undelegate(rec, 0x1000);
    }

    pub fn enter(&self, host: &Host, index: usize) -> RecExit {
        let (status, exit) = self.try_enter(host, index, |_| ());
        assert_eq!(status, Status::Success);
        exit
    }

    pub fn try_enter(
        &self,
        host: &Host,
        index: usize,
        prepare: impl FnOnce(&mut RecEnter),
    ) -> (Status, RecExit) {
        let mut run = RecRun::new_zeroed();
        prepare(&mut run.enter);
        host.write(self.run, run.as_bytes());
        let (status, _) = host.call(Command::RecEnter, &[self.recs[index], self.run]);
        host.model
            .machine
            .read(PhysAddr::new(self.run), run.as_mut_bytes())
            .unwrap();
        (status, run.exit)
    }

    /// Ends the Realm, which has no data any more, and takes it apart.
    pub fn destroy(self, host: &Host, tables: &[u64]) {
        for rec in &self.recs {
            self.destroy_rec(host, *rec);
        }
        host.ok(Command::RealmTerminate, &[self.rd]);
        for ipa in tables {
            let [table, ..] = host.ok(Command::RttDestroy, &[self.rd, *ipa, 3]);
            host.undelegate(table, 0x1000);
        }
        host.ok(Command::RealmDestroy, &[self.rd]);
        host.undelegate(self.rd, 0x1000);
        host.undelegate(self.start, 0x8000);
    }
}
