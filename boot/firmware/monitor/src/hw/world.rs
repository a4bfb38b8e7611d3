//! Worlds on one CPU: whose registers are loaded, and how they are exchanged.
//! General registers are not here: each world's frame stays on the stack.
#![expect(unsafe_code, reason = "loading a world's EL2 registers")]

use crate::hw::bank::Bank;
use crate::hw::{cache, cpu};
use arm_sysregs::el3::accessors::{write_cptr_el3, write_mdcr_el3, write_scr_el3};
use arm_sysregs::el3::registers::{CptrEl3, MdcrEl3, ScrEl3};
use monitor_logic::el3;
use monitor_logic::features::Features;
use monitor_logic::interface::Interface;
use monitor_logic::smc::World;

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

/// EL3's own registers that differ between worlds.
#[derive(Clone, Copy)]
struct Settings {
    scr: u64,
    cptr: u64,
    mdcr: u64,
}

/// What a world has on a CPU besides its frame.
struct Context {
    settings: Settings,
    bank: Bank,
}

impl Context {
    const EMPTY: Self = Self {
        settings: Settings {
            scr: 0,
            cptr: 0,
            mdcr: 0,
        },
        bank: Bank::EMPTY,
    };

    /// A world that was never entered on this CPU.
    fn new(world: World, features: Features) -> Self {
        Self {
            settings: Settings {
                scr: el3::scr(world, features),
                cptr: el3::cptr(world, features),
                mdcr: el3::mdcr(world, features),
            },
            bank: Bank::initial(cpu::midr(), cpu::mpidr(), cpu::event_counters()),
        }
    }
}

/// The state of one CPU.
pub struct CpuState {
    /// Whose registers are loaded.
    pub world: World,
    /// How far the RMM is.
    pub rmm: Rmm,
    /// What the RMM gave at the end of its last boot on this CPU, and gets at the
    /// next one; 0 before the first.
    pub token: u64,
    /// The interface that the RMM was offered.
    pub interface: Interface,
    /// What is exchanged with the world.
    features: Features,
    non_secure: Context,
    realm: Context,
}

impl CpuState {
    /// A CPU that has not come up.
    pub const NEW: Self = Self {
        world: World::NonSecure,
        rmm: Rmm::Off,
        token: 0,
        interface: Interface::V0_4,
        features: Features::empty(),
        non_secure: Context::EMPTY,
        realm: Context::EMPTY,
    };

    /// Starts both worlds afresh and loads `first`: the Realm world,
    /// in which the RMM boots, or the Non-secure one.
    pub fn start(&mut self, first: World, interface: Interface) {
        let all = cpu::features();
        self.interface = interface;
        self.features = match interface {
            Interface::V0_4 => all,
            // The worlds share the GIC's registers: they are loaded once, below.
            Interface::V2_0 => all.difference(Features::GIC),
        };
        self.non_secure = Context::new(World::NonSecure, all);
        self.realm = Context::new(World::Realm, all);
        self.world = first;
        let next = match first {
            World::Realm => {
                self.rmm = Rmm::Booting;
                &self.realm
            }
            World::NonSecure => {
                self.rmm = Rmm::Off;
                &self.non_secure
            }
        };
        apply(next.settings);
        let mut before = Bank::EMPTY;
        // SAFETY: (1) the registers are initial ones, (2) of the world whose
        // settings apply now.
        unsafe { before.exchange(&next.bank, all) }
    }

    /// Takes the registers of the world that runs and loads the other's.
    pub fn switch(&mut self) {
        let (to, from, next) = match self.world {
            World::NonSecure => (World::Realm, &mut self.non_secure, &self.realm),
            World::Realm => (World::NonSecure, &mut self.realm, &self.non_secure),
        };
        apply(next.settings);
        // SAFETY: (1) each bank was made by `start` or taken here, (2) and is
        // loaded for the world whose settings apply now.
        unsafe { from.bank.exchange(&next.bank, self.features) }
        self.world = to;
    }
}

/// Opens the next return from EL3, and what it may use there, to a world.
fn apply(settings: Settings) {
    // SAFETY: EL3 itself does not depend on SCR_EL3; the callers load the
    // world's registers before they leave EL3.
    unsafe { write_scr_el3(ScrEl3::from_bits_retain(settings.scr)) }
    // SAFETY: EL3 uses neither vectors nor trace.
    unsafe { write_cptr_el3(CptrEl3::from_bits_retain(settings.cptr)) }
    write_mdcr_el3(MdcrEl3::from_bits_retain(settings.mdcr));
    cache::isb();
}
