//! Exceptions from lower levels: calls, and instructions that EL3 keeps closed.

use crate::hw::entry::{self, Frame, Frames};
use crate::hw::world::{CpuState, Rmm};
use crate::hw::{cpu, fatal, gpc, inject, power, realm};
use addr::GranuleAddr;
use arm_sysregs::el3::accessors::read_esr_el3;
use gpt::{Gpi, TransitionError};
use monitor_logic::features::Features;
use monitor_logic::layout;
use monitor_logic::psci::Outcome;
use monitor_logic::reserve::Refusal;
use monitor_logic::smc::{self, Call, NOT_SUPPORTED, rmm_el3};
use monitor_logic::trap::{self, Trap};

/// Vector number of a synchronous exception from a lower level.
const LOWER_SYNC: usize = 8;

/// Serves the exception that the running world's frame was saved at, and
/// answers with the frame to leave EL3 with.
pub extern "C" fn lower_sync(frames: &mut Frames) -> &Frame {
    let mut state = cpu::state();
    let frame = frames.of(state.world);
    match trap::classify(read_esr_el3().bits()) {
        Trap::Smc(0) => {
            if call(&mut state, frames) == After::TurnOff {
                // The CPU does not come back here: nothing may stay borrowed.
                drop(state);
                entry::turn_off(cpu::index());
            }
        }
        Trap::Smc(_) => frame.gprs[0] = NOT_SUPPORTED,
        Trap::Undefined if inject::undefined(frame) => {}
        Trap::Undefined | Trap::Unexpected => fatal::unexpected(LOWER_SYNC),
    }
    frames.of(state.world)
}

/// What a CPU does when its call is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum After {
    /// Leave EL3.
    Leave,
    /// Wait until it is turned on again.
    TurnOff,
}

fn call(state: &mut CpuState, frames: &mut Frames) -> After {
    let frame = frames.of(state.world);
    let answer = match smc::route(state.world, frame.gprs[0] as u32, state.interface) {
        Call::Rmi if state.rmm == Rmm::Idle && realm::is_alive() => {
            frames.pass_command();
            state.switch();
            state.rmm = Rmm::Serving;
            return After::Leave;
        }
        Call::RmiComplete if state.rmm == Rmm::Serving => {
            frames.pass_answer(state.interface);
            state.switch();
            state.rmm = Rmm::Idle;
            return After::Leave;
        }
        Call::BootComplete if state.rmm == Rmm::Booting => {
            state.rmm = boot_result(frame.gprs[1] as i64);
            state.token = frame.gprs[2];
            state.switch();
            return After::Leave;
        }
        Call::Delegate => transition(frame.gprs[1], Gpi::Realm),
        Call::Undelegate => transition(frame.gprs[1], Gpi::NonSecure),
        Call::ReserveMemory => reserve_memory(frame),
        Call::Psci => match psci(frame) {
            Some(answer) => answer,
            None => return After::TurnOff,
        },
        Call::SmcccVersion => smc::SMCCC_VERSION,
        Call::SmcccArchFeatures => smc::arch_feature(frame.gprs[1] as u32),
        Call::RealmPasCount => realm_pas_count(),
        // An RMM that is off, or one that speaks out of turn.
        Call::Rmi | Call::RmiComplete | Call::BootComplete => NOT_SUPPORTED,
        Call::Attestation | Call::Unknown => NOT_SUPPORTED,
    };
    frame.gprs[0] = answer;
    After::Leave
}

/// The RMM has booted on this CPU, or failed to: then no CPU enters it again.
fn boot_result(code: i64) -> Rmm {
    if code == 0 {
        return Rmm::Idle;
    }
    say!(
        "no Realms: the RMM failed to boot on CPU {} (code {code})",
        cpu::index()
    );
    realm::set_alive(false);
    Rmm::Off
}

/// Moves the granule at `address` to the Realm world or back.
fn transition(address: u64, to: Gpi) -> u64 {
    let Ok(granule) = GranuleAddr::from_raw(address) else {
        return rmm_el3::BAD_ADDRESS;
    };
    let Some(tables) = gpc::tables() else {
        return rmm_el3::BAD_ADDRESS;
    };
    let machine = gpc::Machine {
        tags: cpu::features().contains(Features::MTE2),
    };
    let _one_at_a_time = gpc::CHANGES.lock();
    let result = if to == Gpi::Realm {
        tables.delegate(granule, &machine)
    } else {
        tables.undelegate(granule, &machine)
    };
    match result {
        Ok(()) => rmm_el3::OK,
        Err(TransitionError::BadAddress(_)) => rmm_el3::BAD_ADDRESS,
        Err(TransitionError::BadPas { .. }) => rmm_el3::BAD_PAS,
    }
}

/// Gives the RMM memory, whose address is the second register of the answer.
fn reserve_memory(frame: &mut Frame) -> u64 {
    match realm::reserve(frame.gprs[1], frame.gprs[2]) {
        Ok(address) => {
            frame.gprs[1] = address;
            rmm_el3::OK
        }
        Err(Refusal::Invalid) => rmm_el3::INVALID,
        Err(Refusal::NoMemory) => rmm_el3::NO_MEMORY,
    }
}

fn realm_pas_count() -> u64 {
    match gpc::tables() {
        Some(tables) => tables.count(Gpi::Realm, layout::rmm_range()),
        None => NOT_SUPPORTED,
    }
}

/// Whether the Non-secure world may start a CPU at `address`.
fn is_enterable(address: u64) -> bool {
    let granule = GranuleAddr::containing(addr::PhysAddr::new(address));
    match gpc::tables() {
        Some(tables) => tables.lookup(granule) == Some(Gpi::NonSecure),
        None => address >= layout::DTB_BASE,
    }
}

/// Serves a PSCI call; without an answer the CPU is off.
fn psci(frame: &Frame) -> Option<u64> {
    let [x0, x1, x2, x3, ..] = frame.gprs;
    // The SVE hint is no part of a PSCI function identifier.
    let fid = x0 & !u64::from(smc::SVE_HINT);
    match cpu::CPUS.call(cpu::index(), &[fid, x1, x2, x3], is_enterable) {
        Outcome::Return(value) => Some(value),
        Outcome::Wake(index) => {
            entry::release(index);
            Some(0)
        }
        Outcome::Off => None,
        Outcome::SystemOff => power::off(),
        Outcome::SystemReset => {
            // Memory survives a reset, and the pen is looked at before the boot
            // CPU has cleared it.
            (0..layout::MAX_CPUS).for_each(entry::hold);
            power::reset()
        }
    }
}
