//! Executes a script, one action per instruction, until something traps.

use super::machine::Machine;
use super::mmu::{Access, Fault};
use super::script::{Action, Event, Guest, Size, SystemRegister};
use rmm_core::context::{HCR_TWE, HCR_TWI, TIMER_MASK_PHYSICAL, TIMER_MASK_VIRTUAL};
use rmm_core::{RecContext, RunExit, RunExitKind, Stage2};

const EC_SHIFT: u32 = 26;
const IL: u64 = 1 << 25;
const ISV: u64 = 1 << 24;
/// The register that scripts load into and store from.
const REGISTER: usize = 5;

const LR_STATE: u64 = 0b11 << 62;
const LR_PENDING: u64 = 0b01 << 62;
const LR_EOI: u64 = 1 << 41;

fn sync(class: u64, iss: u64) -> RunExit {
    RunExit {
        kind: RunExitKind::Sync,
        esr: class << EC_SHIFT | IL | iss,
        far: 0,
        hpfar: 0,
    }
}

fn asynchronous(kind: RunExitKind) -> RunExit {
    RunExit {
        kind,
        esr: 0,
        far: 0,
        hpfar: 0,
    }
}

fn abort(class: u64, iss: u64, ipa: u64, fault: Fault) -> RunExit {
    RunExit {
        far: ipa,
        hpfar: ipa >> 12 << 4,
        ..sync(class, iss | fault.0)
    }
}

/// Runs a guest until it stops.
pub fn run(
    machine: &Machine,
    guest: &mut Guest,
    context: &mut RecContext,
    stage2: &Stage2,
) -> RunExit {
    context.gic.misr = 0;
    resume(guest, context);
    loop {
        if timer_interrupts(machine, context) {
            return asynchronous(RunExitKind::Irq);
        }
        let Some((action, _)) = guest.current else {
            let Some(next) = guest.actions.pop_front() else {
                if machine.is_counting() {
                    count(guest, context);
                    continue;
                }
                // The script is over: wait for somebody to interrupt.
                return asynchronous(RunExitKind::Irq);
            };
            guest.current = Some((next, context.pc));
            continue;
        };
        match execute(machine, action, context, stage2) {
            Ok(event) => {
                guest.current = None;
                context.pc += 4;
                guest.events.extend(event);
            }
            Err(exit) => {
                // An asynchronous exception comes once.
                if exit.kind != RunExitKind::Sync {
                    guest.current = None;
                    context.pc += 4;
                }
                return exit;
            }
        }
    }
}

/// Whether a REC that counts has not begun yet.
pub fn is_fresh_counter(context: &RecContext) -> bool {
    context.gprs[3] == 0
}

/// One more round of the counter's program; its registers are the REC's own.
fn count(guest: &mut Guest, context: &mut RecContext) {
    // Other CPUs get on while this REC runs.
    std::thread::yield_now();
    let [_, shared, private, counted, ..] = &mut context.gprs;
    *counted += 1;
    let next = [
        Action::write(*private, *counted),
        Action::read(*private),
        Action::PassOn { ipa: *shared },
    ];
    guest.actions.extend(next);
    guest.events.clear();
}

/// Sees what became of the instruction that trapped.
fn resume(guest: &mut Guest, context: &mut RecContext) {
    let Some((action, pc)) = guest.current else {
        return;
    };
    if context.pc == pc && !matches!(action, Action::Exception(_)) {
        // It is executed again.
        return;
    }
    guest.current = None;
    if context.pc == pc {
        context.pc += 4;
        return;
    }
    if context.pc == pc.wrapping_add(4) {
        guest.events.push(match action {
            Action::Read { .. } | Action::ReadRegister(_) => Event::Loaded(context.gprs[REGISTER]),
            Action::Smc(_) => {
                let mut registers = [0; 11];
                registers.copy_from_slice(&context.gprs[..11]);
                Event::Returned(registers)
            }
            _ => Event::Done,
        });
        return;
    }
    assert_eq!(
        context.pc,
        context.el1.vbar + 0x200,
        "the REC goes on where it never was"
    );
    guest.events.push(Event::Exception {
        esr: context.el1.esr,
        far: context.el1.far,
    });
    assert_eq!(
        context.el1.elr, pc,
        "the exception names another instruction"
    );
    // The script's handler skips what failed.
    context.pc = context.el1.elr + 4;
    context.pstate = context.el1.spsr;
}

fn timer_interrupts(machine: &Machine, context: &RecContext) -> bool {
    let timers = &context.timers;
    let now = machine.now();
    let fires = |ctl: u64, cval, mask| ctl & 0b11 == 1 && now >= cval && timers.mask & mask == 0;
    fires(timers.cntv_ctl, timers.cntv_cval, TIMER_MASK_VIRTUAL)
        || fires(timers.cntp_ctl, timers.cntp_cval, TIMER_MASK_PHYSICAL)
}

fn execute(
    machine: &Machine,
    action: Action,
    context: &mut RecContext,
    stage2: &Stage2,
) -> Result<Option<Event>, RunExit> {
    match action {
        Action::Read { ipa, size, signed } => read(machine, context, stage2, ipa, size, signed),
        Action::Write { ipa, size, value } => {
            context.gprs[REGISTER] = value;
            write(machine, stage2, ipa, size, value)
        }
        Action::PassOn { ipa } => {
            let value = context.gprs[REGISTER];
            write(machine, stage2, ipa, Size::Word, value)
        }
        Action::WritePair { ipa } => {
            machine
                .access(stage2, ipa, Access::Write, |_| ())
                .map_err(|fault| abort(0x24, 1 << 6, ipa, fault))?;
            Ok(Some(Event::Done))
        }
        Action::Fetch { ipa } => {
            machine
                .access(stage2, ipa, Access::Execute, |_| ())
                .map_err(|fault| abort(0x20, 0, ipa, fault))?;
            Ok(Some(Event::Done))
        }
        Action::Smc(registers) => {
            context.gprs[..11].copy_from_slice(&registers);
            Err(sync(0x17, 0))
        }
        Action::Hvc => {
            // The preferred return address is behind an HVC.
            context.pc += 4;
            Err(sync(0x16, 0))
        }
        Action::Wfi if context.hcr & HCR_TWI != 0 => Err(sync(0x01, 0)),
        Action::Wfe if context.hcr & HCR_TWE != 0 => Err(sync(0x01, 1)),
        Action::Wfi | Action::Wfe => Ok(Some(Event::Done)),
        Action::ReadRegister(register) => Err(sync(0x18, encoding(register) | 1)),
        Action::WriteRegister(register, value) => {
            context.gprs[REGISTER] = value;
            Err(sync(0x18, encoding(register)))
        }
        Action::TakeInterrupt => take_interrupt(context),
        Action::Irq => Err(asynchronous(RunExitKind::Irq)),
        Action::Fiq => Err(asynchronous(RunExitKind::Fiq)),
        Action::SError(esr) => Err(RunExit {
            esr,
            ..asynchronous(RunExitKind::SError)
        }),
        Action::Exception(esr) => Err(RunExit { esr, ..sync(0, 0) }),
        _ => {
            tick(machine, action, context);
            Ok(None)
        }
    }
}

fn tick(machine: &Machine, action: Action, context: &mut RecContext) {
    let timers = &mut context.timers;
    match action {
        Action::VirtualTimer { ticks } => {
            timers.cntv_cval = machine.now() + ticks;
            timers.cntv_ctl = 1;
        }
        Action::PhysicalTimer { ticks } => {
            timers.cntp_cval = machine.now() + ticks;
            timers.cntp_ctl = 1;
        }
        Action::StopTimers => {
            timers.cntv_ctl = 0;
            timers.cntp_ctl = 0;
        }
        Action::Compute(ticks) => machine.advance(ticks),
        _ => unreachable!("{action:?} takes no time"),
    }
}

fn read(
    machine: &Machine,
    context: &mut RecContext,
    stage2: &Stage2,
    ipa: u64,
    size: Size,
    signed: bool,
) -> Result<Option<Event>, RunExit> {
    let load = |address| machine.load(address, size.bytes());
    let value = machine
        .access(stage2, ipa, Access::Read, load)
        .map_err(|fault| abort(0x24, syndrome(size, signed), ipa, fault))?;
    let unused = 64 - 8 * size.bytes() as u32;
    let value = if signed {
        ((value << unused) as i64 >> unused) as u64
    } else {
        value
    };
    context.gprs[REGISTER] = value;
    Ok(Some(Event::Loaded(value)))
}

fn write(
    machine: &Machine,
    stage2: &Stage2,
    ipa: u64,
    size: Size,
    value: u64,
) -> Result<Option<Event>, RunExit> {
    let store = |address| machine.store(address, size.bytes(), value);
    machine
        .access(stage2, ipa, Access::Write, store)
        .map_err(|fault| abort(0x24, syndrome(size, false) | 1 << 6, ipa, fault))?;
    Ok(Some(Event::Done))
}

fn syndrome(size: Size, signed: bool) -> u64 {
    let wide = signed || size == Size::Double;
    let size = size.bytes().ilog2() as u64;
    ISV | size << 22 | u64::from(signed) << 21 | (REGISTER as u64) << 16 | u64::from(wide) << 15
}

fn encoding(register: SystemRegister) -> u64 {
    u64::from(register.op0) << 20
        | u64::from(register.op2) << 17
        | u64::from(register.op1) << 14
        | u64::from(register.crn) << 10
        | (REGISTER as u64) << 5
        | u64::from(register.crm) << 1
}

fn take_interrupt(context: &mut RecContext) -> Result<Option<Event>, RunExit> {
    assert!(context.gic.hcr & 1 != 0, "the virtual interface is off");
    let pending = context
        .gic
        .lrs
        .iter_mut()
        .find(|lr| **lr & LR_STATE == LR_PENDING);
    let Some(lr) = pending else {
        return Ok(Some(Event::NoInterrupt));
    };
    let interrupt = *lr as u32;
    *lr &= !LR_STATE;
    if *lr & LR_EOI != 0 {
        context.gic.misr |= 1;
    }
    Ok(Some(Event::Interrupt(interrupt)))
}
