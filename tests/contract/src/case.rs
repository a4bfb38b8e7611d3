//! The words in which cases are written: plain data.

use rmi::status::Status;
use rmi::v1_0::Command;
use rmi::v2_0;

/// Which RMI is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// RMI 1.0.
    V1_0,
    /// RMI 2.0.
    V2_0,
}

/// A granule of the pool, by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot(pub u8);

/// The eight start tables begin here.
pub const START: Slot = Slot(0);
/// Realm descriptor.
pub const RD: Slot = Slot(8);
/// REC.
pub const REC: Slot = Slot(9);
/// The first of sixteen auxiliary granules.
pub const AUX: Slot = Slot(10);
/// The level-3 table for IPA 0.
pub const TABLE: Slot = Slot(26);
/// The level-3 table for the beginning of the shared half.
pub const SHARED_TABLE: Slot = Slot(27);
/// The data granule with the program, at [`CODE_IPA`].
pub const CODE: Slot = Slot(28);
/// Delegated and unused in every fixture but [`Fixture::Nothing`].
pub const SPARE: Slot = Slot(29);
/// Another one.
pub const SPARE2: Slot = Slot(30);
/// Non-secure: parameters of the Realm.
pub const REALM_PARAMS: Slot = Slot(32);
/// Non-secure: parameters of the REC.
pub const REC_PARAMS: Slot = Slot(33);
/// Non-secure: the run page.
pub const RUN: Slot = Slot(34);
/// Non-secure: a source of data.
pub const SOURCE: Slot = Slot(35);
/// Non-secure and unused.
pub const HOST: Slot = Slot(36);
/// Another one.
pub const HOST2: Slot = Slot(37);
/// Non-secure: lists of memory (RMI 2.0).
pub const LIST: Slot = Slot(38);

/// IPA width of the fixture's Realm.
pub const S2SZ: u64 = 33;
/// The first address of its shared half.
pub const SHARED: u64 = 1 << (S2SZ - 1);
/// Where the program lies: protected, measured.
pub const CODE_IPA: u64 = 0x0;
/// RAM that is not populated.
pub const RAM_IPA: u64 = 0x1000;
/// Protected and empty, below the same table.
pub const EMPTY_IPA: u64 = 0x10_0000;
/// VMID of the fixture's Realm.
pub const VMID: u16 = 5;

/// A value in a call.
#[derive(Clone, Copy, Debug)]
pub enum Arg {
    /// Itself.
    Raw(u64),
    /// The address of a granule of the pool.
    Granule(Slot),
    /// An address some bytes behind it. With a multiple of four instead of bytes,
    /// a descriptor of so many delegated granules.
    At(Slot, u64),
    /// The handle of the last operation that has begun.
    Handle,
}

/// A descriptor of delegated granules from a slot on.
pub const fn delegated(slot: Slot, granules: u64) -> Arg {
    Arg::At(slot, granules << 2)
}

/// A descriptor of granules that are the host's.
pub const fn undelegated(slot: Slot, granules: u64) -> Arg {
    Arg::At(slot, granules << 2 | 1 << 63)
}

/// What the fixture's REC does once it is entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// Loads a word from [`RAM_IPA`].
    ReadRam,
    /// Loads a word from [`SHARED`].
    ReadShared,
    /// Stores a word to [`SHARED`].
    WriteShared,
    /// PSCI `SYSTEM_OFF`.
    SystemOff,
    /// PSCI `CPU_OFF`.
    CpuOff,
    /// `RSI_HOST_CALL` of a structure behind the code.
    HostCall,
    /// `RSI_IPA_STATE_SET` of [`EMPTY_IPA`], one page, to RAM.
    AskForRam,
}

/// What stands before the first step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fixture {
    /// Everything is Non-secure; the parameter pages are filled in.
    Nothing,
    /// What a Realm is made of is delegated.
    Granules,
    /// A new Realm without tables.
    Bare,
    /// A new Realm with both level-3 tables, program and RAM.
    New,
    /// The same with a runnable REC, not active.
    WithRec,
    /// The same, active, its REC about to follow a program.
    Active(Program),
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A command, its arguments, its status, and some of its outputs by
    /// register.
    Call(Command, &'static [Arg], Status, &'static [(usize, Arg)]),
    /// The same in RMI 2.0.
    Call2(
        v2_0::Command,
        &'static [Arg],
        v2_0::Status,
        &'static [(usize, Arg)],
    ),
    /// A call by function identifier.
    Fid(u32, &'static [Arg], Status),
    /// The host writes a doubleword into a granule.
    Poke(Slot, u64, Arg),
    /// The host reads a doubleword of a granule: offset, mask, value.
    Peek(Slot, u64, u64, u64),
}

/// A case: from a fixture, some steps.
#[derive(Clone, Copy, Debug)]
pub struct RmiCase {
    /// A sentence of behaviour.
    pub name: &'static str,
    /// What stands before.
    pub fixture: Fixture,
    /// What is done.
    pub steps: &'static [Step],
}
