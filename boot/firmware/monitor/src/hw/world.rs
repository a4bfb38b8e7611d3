//! Worlds on one CPU: whose registers are loaded, and how they are exchanged.
#![expect(unsafe_code, reason = "loading a world's EL2 registers")]

use crate::hw::bank::Bank;
use crate::hw::cpu;
use crate::hw::entry::Frame;
use monitor_logic::smc::World;

/// What a world left behind on a CPU.
#[derive(Clone, Copy)]
pub struct Context {
    frame: Frame,
    bank: Bank,
}

impl Context {
    const EMPTY: Self = Self {
        frame: Frame::EMPTY,
        bank: Bank::EMPTY,
    };

    /// A world that is first entered with `frame` on this CPU.
    fn starting(frame: Frame) -> Self {
        Self {
            frame,
            bank: Bank::initial(cpu::midr(), cpu::mpidr(), cpu::event_counters()),
        }
    }
}

/// How far the Realm world is on a CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rmm {
    /// It was never entered, or it failed.
    Off,
    /// It boots.
    Booting,
    /// It waits for a command.
    Idle,
    /// It serves a command.
    Serving,
}

/// The state of one CPU.
pub struct CpuState {
    /// Whose registers are loaded.
    pub world: World,
    /// How far the RMM is.
    pub rmm: Rmm,
    non_secure: Context,
    realm: Context,
}

impl CpuState {
    /// A CPU that has not come up.
    pub const NEW: Self = Self {
        world: World::NonSecure,
        rmm: Rmm::Off,
        non_secure: Context::EMPTY,
        realm: Context::EMPTY,
    };

    /// Starts both worlds afresh. The Realm world goes first if it is entered at
    /// all: then `frame` becomes the RMM's, else the hypervisor's.
    pub fn start(&mut self, frame: &mut Frame, hypervisor: Frame, rmm: Option<Frame>) {
        self.non_secure = Context::starting(hypervisor);
        self.realm = Context::starting(rmm.unwrap_or(Frame::EMPTY));
        let (world, next, state) = match rmm {
            Some(_) => (World::Realm, self.realm, Rmm::Booting),
            None => (World::NonSecure, self.non_secure, Rmm::Off),
        };
        self.world = world;
        self.rmm = state;
        cpu::set_world(world);
        let mut before = Bank::EMPTY;
        // SAFETY: (1) the registers are initial ones, (2) of the world that
        // `set_world` selected and that `frame` now enters.
        unsafe { before.exchange(&next.bank, cpu::features()) }
        *frame = next.frame;
    }

    /// Leaves the world that runs and goes on with the other; `frame` changes
    /// from the one's registers to the other's.
    pub fn switch(&mut self, frame: &mut Frame) {
        let (to, from, next) = match self.world {
            World::NonSecure => (World::Realm, &mut self.non_secure, &self.realm),
            World::Realm => (World::NonSecure, &mut self.realm, &self.non_secure),
        };
        from.frame = *frame;
        cpu::set_world(to);
        // SAFETY: (1) each bank was made by `start` or taken here, (2) and is
        // loaded for the world that `set_world` selected.
        unsafe { from.bank.exchange(&next.bank, cpu::features()) }
        *frame = next.frame;
        self.world = to;
    }
}
