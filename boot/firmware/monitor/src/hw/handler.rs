//! Exceptions from lower levels: calls, and instructions that EL3 keeps closed.

use crate::hw::entry::{self, Frame};
use crate::hw::world::Rmm;
use crate::hw::{cpu, fatal, gpc, inject, power, realm};
use addr::GranuleAddr;
use arm_sysregs::el3::accessors::read_esr_el3;
use gpt::{Gpi, TransitionError};
use monitor_logic::features::Features;
use monitor_logic::layout;
use monitor_logic::psci::Outcome;
use monitor_logic::smc::{self, Call, NOT_SUPPORTED, gtsi};
use monitor_logic::trap::{self, Trap};

/// Vector number of a synchronous exception from a lower level.
const LOWER_SYNC: usize = 8;

/// Serves the exception that `frame` was saved at, and leaves in it how EL3 is
/// left.
pub extern "C" fn lower_sync(frame: &mut Frame) {
    match trap::classify(read_esr_el3().bits()) {
        Trap::Smc(0) => call(frame),
        Trap::Smc(_) => frame.gprs[0] = NOT_SUPPORTED,
        Trap::Undefined if inject::undefined(frame) => {}
        Trap::Undefined | Trap::Unexpected => fatal::unexpected(LOWER_SYNC),
    }
}

fn call(frame: &mut Frame) {
    let world = cpu::state().world;
    let answer = match smc::route(world, frame.gprs[0] as u32) {
        Call::Rmi => return forward(frame),
        Call::RmiComplete => return complete(frame),
        Call::BootComplete => return boot_complete(frame),
        Call::Delegate => transition(frame.gprs[1], Gpi::Realm),
        Call::Undelegate => transition(frame.gprs[1], Gpi::NonSecure),
        Call::Psci => return psci(frame),
        Call::SmcccVersion => smc::SMCCC_VERSION,
        Call::SmcccArchFeatures => smc::arch_feature(frame.gprs[1] as u32),
        Call::RealmPasCount => realm_pas_count(),
        Call::Attestation | Call::Unknown => NOT_SUPPORTED,
    };
    frame.gprs[0] = answer;
}

/// Passes x0 to x7 of an RMI command to the RMM.
fn forward(frame: &mut Frame) {
    let mut state = cpu::state();
    if state.rmm != Rmm::Idle || !realm::is_alive() {
        frame.gprs[0] = NOT_SUPPORTED;
        return;
    }
    let caller = *frame;
    state.switch(frame);
    state.rmm = Rmm::Serving;
    frame.gprs[..8].copy_from_slice(&caller.gprs[..8]);
}

/// Gives x1 to x5 of the RMM to the hypervisor as x0 to x4.
fn complete(frame: &mut Frame) {
    let mut state = cpu::state();
    if state.rmm != Rmm::Serving {
        frame.gprs[0] = NOT_SUPPORTED;
        return;
    }
    let rmm = *frame;
    state.switch(frame);
    state.rmm = Rmm::Idle;
    frame.gprs[..5].copy_from_slice(&rmm.gprs[1..6]);
}

/// The RMM has booted on this CPU, or failed to: then no CPU enters it again.
fn boot_complete(frame: &mut Frame) {
    let mut state = cpu::state();
    if state.rmm != Rmm::Booting {
        frame.gprs[0] = NOT_SUPPORTED;
        return;
    }
    let code = frame.gprs[1] as i64;
    if code == 0 {
        state.rmm = Rmm::Idle;
    } else {
        say!(
            "no Realms: the RMM failed to boot on CPU {} (code {code})",
            cpu::index()
        );
        realm::set_alive(false);
        state.rmm = Rmm::Off;
    }
    state.switch(frame);
}

/// Moves the granule at `address` to the Realm world or back.
fn transition(address: u64, to: Gpi) -> u64 {
    let Ok(granule) = GranuleAddr::from_raw(address) else {
        return gtsi::BAD_ADDRESS;
    };
    let Some(tables) = gpc::tables() else {
        return gtsi::BAD_ADDRESS;
    };
    let machine = gpc::Machine {
        tags: cpu::features().contains(Features::MTE2),
    };
    let result = if to == Gpi::Realm {
        tables.delegate(granule, &machine)
    } else {
        tables.undelegate(granule, &machine)
    };
    match result {
        Ok(()) => gtsi::OK,
        Err(TransitionError::BadAddress(_)) => gtsi::BAD_ADDRESS,
        Err(TransitionError::BadPas { .. }) => gtsi::BAD_PAS,
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

fn psci(frame: &mut Frame) {
    let [x0, x1, x2, x3, ..] = frame.gprs;
    // The SVE hint is no part of a PSCI function identifier.
    let fid = x0 & !u64::from(smc::SVE_HINT);
    match cpu::CPUS.call(cpu::index(), &[fid, x1, x2, x3], is_enterable) {
        Outcome::Return(value) => frame.gprs[0] = value,
        Outcome::Wake(index) => {
            entry::release(index);
            frame.gprs[0] = 0;
        }
        Outcome::Off => entry::turn_off(cpu::index()),
        Outcome::SystemOff => power::off(),
        Outcome::SystemReset => {
            // Memory survives a reset, and the pen is looked at before the boot
            // CPU has cleared it.
            (0..layout::MAX_CPUS).for_each(entry::hold);
            power::reset()
        }
    }
}
