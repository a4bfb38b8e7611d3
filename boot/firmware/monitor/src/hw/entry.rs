//! Reset and exception entry: the assembly, its constants, the frame it saves.
#![expect(
    unsafe_code,
    reason = "entry code is assembly, and the tables must lie where the MMU is told"
)]

use crate::hw::{boot, fatal, gic, handler};
use core::arch::global_asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering};
use monitor_logic::interface::Interface;
use monitor_logic::layout::{
    CPUS_PER_CLUSTER, FLASH_TABLES, GICR_BASE, GICR_SHIFT, MAX_CPUS, STACK_SLOT, STACKS_BASE,
    WAKE_SGI,
};
use monitor_logic::smc::World;
use monitor_logic::{el3, map};

/// What a lower level's general registers held, and how it goes on.
#[derive(Debug)]
#[repr(C)]
pub struct Frame {
    /// x0 to x30.
    pub gprs: [u64; 31],
    /// `SP_EL0`.
    pub sp_el0: u64,
    /// `ELR_EL3`.
    pub elr: u64,
    /// `SPSR_EL3`.
    pub spsr: u64,
}

const _: () = assert!(size_of::<Frame>() == 272 && size_of::<Frame>().is_multiple_of(16));
const _: () = assert!(offset_of!(Frame, sp_el0) == 248);

/// What each world's registers held when it was left; on top of the stack.
#[derive(Debug)]
#[repr(C)]
pub struct Frames {
    realm: Frame,
    non_secure: Frame,
}

const _: () = assert!(STACK_SLOT.is_power_of_two() && STACKS_BASE.is_multiple_of(STACK_SLOT));

impl Frames {
    /// The frame of `world`.
    pub fn of(&mut self, world: World) -> &mut Frame {
        match world {
            World::NonSecure => &mut self.non_secure,
            World::Realm => &mut self.realm,
        }
    }

    /// Passes x0 to x7 of the hypervisor to the RMM.
    pub fn pass_command(&mut self) {
        self.realm.gprs[..8].copy_from_slice(&self.non_secure.gprs[..8]);
    }

    /// Gives the RMM's registers from x1 to the hypervisor as x0 and up: as many
    /// as an answer has.
    pub fn pass_answer(&mut self, interface: Interface) {
        // Whole copies of a known length are a few loads and stores.
        match interface {
            Interface::V0_4 => self.answer::<{ Interface::V0_4.answer_registers() }>(),
            Interface::V2_0 => self.answer::<{ Interface::V2_0.answer_registers() }>(),
        }
    }

    fn answer<const REGISTERS: usize>(&mut self) {
        self.non_secure.gprs[..REGISTERS].copy_from_slice(&self.realm.gprs[1..=REGISTERS]);
    }
}

impl Frame {
    const EMPTY: Self = Self {
        gprs: [0; 31],
        sp_el0: 0,
        elr: 0,
        spsr: 0,
    };

    /// A frame that enters EL2 at `entry` with these first registers.
    pub fn enter(entry: u64, args: &[u64]) -> Self {
        let mut frame = Self {
            elr: entry,
            spsr: el3::SPSR_EL2H,
            ..Self::EMPTY
        };
        for (gpr, arg) in frame.gprs.iter_mut().zip(args) {
            *gpr = *arg;
        }
        frame
    }
}

// SAFETY: nothing but the tables is in the section `.tables`, which the linker
// script places at FLASH_TABLES and checks.
#[unsafe(link_section = ".tables")]
#[used]
static TABLES: Tables = Tables(map::build(FLASH_TABLES));

#[repr(C, align(4096))]
struct Tables([map::Table; map::COUNT]);

/// A CPU that is off leaves the pen when its word here is not zero.
static MAILBOX: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

/// Lets CPU `index` out of the pen.
pub fn release(index: usize) {
    if let Some(word) = MAILBOX.get(index) {
        word.store(1, Ordering::Release);
        crate::hw::cache::clean_for_uncached_reader(word);
        gic::wake_cpu(index);
    }
}

/// Keeps CPU `index` in the pen the next time it gets there.
pub fn hold(index: usize) {
    if let Some(word) = MAILBOX.get(index) {
        word.store(0, Ordering::Release);
        crate::hw::cache::clean_for_uncached_reader(word);
    }
}

unsafe extern "C" {
    fn monitor_turn_off(index: usize) -> !;
}

/// Sends this CPU to the pen. Its mailbox is empty since it came on; another CPU
/// may already fill it again.
pub fn turn_off(index: usize) -> ! {
    // SAFETY: the pen needs nothing of the stack, which starts anew when the
    // CPU leaves it.
    unsafe { monitor_turn_off(index) }
}

global_asm!(
    include_str!("entry.S"),
    CPUS_PER_CLUSTER = const CPUS_PER_CLUSTER,
    MAX_CPUS = const MAX_CPUS,
    STACKS_BASE = const STACKS_BASE,
    STACK_SLOT = const STACK_SLOT,
    MAIR = const map::MAIR,
    TCR = const map::TCR,
    SCTLR = const el3::SCTLR,
    TABLES = const FLASH_TABLES,
    FRAME_SIZE = const size_of::<Frame>(),
    FRAMES_SIZE = const size_of::<Frames>(),
    FRAME_ELR = const offset_of!(Frame, elr),
    GICR_BASE = const GICR_BASE,
    GICR_SHIFT = const GICR_SHIFT,
    WAKE_SGI = const WAKE_SGI,
    ICC_SRE = const el3::ICC_SRE,
    MAILBOX = sym MAILBOX,
    COLD = sym boot::cold,
    WARM = sym boot::warm,
    LOWER_SYNC = sym handler::lower_sync,
    FATAL = sym fatal::unexpected,
);
