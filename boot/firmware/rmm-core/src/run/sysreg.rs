//! Trapped system registers.
//!
//! Identification registers are answered from the whitelist, the two registers
//! whose effect is the host's are passed on, debug and performance registers
//! are harmless, everything else is undefined, as it is on a CPU that lacks it.

use super::{Next, Running, inject};
use crate::hal::Hal;
use crate::rmm::{Rmm, log};
use ::rmi::v1_0::ExitReason;

/// Syndrome bits that hold the register read into or written from.
const RT: u64 = 0x1f << 5;
const RT_SHIFT: u32 = 5;
const READ: u64 = 1 << 0;

/// A system register's place in the encoding space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Encoding {
    op0: u8,
    op1: u8,
    crn: u8,
    crm: u8,
    op2: u8,
}

impl Encoding {
    const fn of(esr: u64) -> Self {
        const fn bits(esr: u64, low: u32, mask: u64) -> u8 {
            ((esr >> low) & mask) as u8
        }
        Self {
            op0: bits(esr, 20, 0b11),
            op2: bits(esr, 17, 0b111),
            op1: bits(esr, 14, 0b111),
            crn: bits(esr, 10, 0xf),
            crm: bits(esr, 1, 0xf),
        }
    }

    const fn numbers(self) -> (u8, u8, u8, u8, u8) {
        (self.op0, self.op1, self.crn, self.crm, self.op2)
    }
}

/// What an access to a register means.
enum Kind {
    /// An identification register.
    Identification,
    /// Interrupts are the host's.
    Host,
    /// Reads as zero, ignores writes.
    Harmless,
    /// Not there.
    Undefined,
}

fn kind(register: Encoding) -> Kind {
    match register.numbers() {
        (3, 0, 0, 1..=7, _) => Kind::Identification,
        // ICC_SGI1R_EL1, ICC_ASGI1R_EL1, ICC_SGI0R_EL1, ICC_DIR_EL1.
        (3, 0, 12, 11, 1 | 5..=7) => Kind::Host,
        // Debug registers, data cache maintenance by set and way, auxiliary
        // control, OS-dependent identification, performance monitors.
        (2, ..)
        | (1, 0, 7, 6 | 10 | 14, 2)
        | (3, 0, 1, 0, 1)
        | (3, 0, 0, 0, 6)
        | (3, 1, 0, 0, _)
        | (3, 0, 9, 14, _)
        | (3, 3, 9, 12..=14, _)
        | (3, 3, 14, 8..=15, _) => Kind::Harmless,
        _ => Kind::Undefined,
    }
}

impl<H: Hal> Rmm<'_, H> {
    pub(super) fn system_register(&self, running: &mut Running<'_>, esr: u64) -> Next {
        let register = Encoding::of(esr);
        let target = ((esr & RT) >> RT_SHIFT) as usize;
        let is_read = esr & READ != 0;
        let rec = &mut *running.rec;
        let value = match kind(register) {
            Kind::Identification if is_read => {
                self.cpu
                    .realm_id_register(register.crm, register.op2, rec.num_bps, rec.num_wps)
            }
            Kind::Host if !is_read => {
                let [value, ..] = &mut running.exit.gprs;
                *value = rec.context.gpr(target);
                rec.context.skip_instruction();
                // The host needs the value, not the register it stood in.
                running.exit.esr = esr & !RT;
                return running.leave(ExitReason::Sync);
            }
            Kind::Harmless => {
                self.log_register("harmless", register);
                0
            }
            _ => {
                self.log_register("undefined", register);
                inject::undefined(&mut rec.context);
                return Next::Resume;
            }
        };
        if is_read {
            rec.context.set_gpr(target, value);
        }
        rec.context.skip_instruction();
        Next::Resume
    }

    fn log_register(&self, what: &str, register: Encoding) {
        let (op0, op1, crn, crm, op2) = register.numbers();
        log!(
            self.hal,
            Debug,
            "Realm uses {what} register S{op0}_{op1}_C{crn}_C{crm}_{op2}"
        );
    }
}
