//! The registers of a vCPU, and how exceptions are injected into it.

use crate::syndrome::{self, EXTERNAL, EXTERNAL_ON_WALK, SAME_LEVEL, WNR};

/// `SPSR` of a vCPU that starts: EL1 with its own stack, everything masked.
const PSTATE_START: u64 = MODE_EL1H | DAIF;
const MODE_EL1H: u64 = 0b0101;
const DAIF: u64 = 0xf << 6;
const FLAGS: u64 = 0xf << 28;
const DIT: u64 = 1 << 24;
const PAN: u64 = 1 << 22;
const SSBS: u64 = 1 << 12;
/// AArch32.
const NRW: u64 = 1 << 4;
const MODE_LEVEL: u64 = 0b1100;
const MODE_STACK: u64 = 0b0001;

const SCTLR_SPAN: u64 = 1 << 23;
const SCTLR_DSSBS: u64 = 1 << 44;

/// What is in memory while EL2 runs. The assembly of the world switch knows where
/// `gprs` lies.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Context {
    /// x0 to x30.
    pub gprs: [u64; 31],
    /// Where the guest goes on.
    pub pc: u64,
    /// Its `PSTATE`, as `SPSR_EL2` has it.
    pub pstate: u64,
}

/// Registers of EL1 that decide how it takes an exception.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Level1 {
    /// `VBAR_EL1`.
    pub vbar: u64,
    /// `SCTLR_EL1`.
    pub sctlr: u64,
}

/// Registers of EL1 that an injected exception changes, beside the context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Injection {
    /// `ESR_EL1`.
    pub esr: u64,
    /// `FAR_EL1`, where the exception has one.
    pub far: Option<u64>,
    /// `ELR_EL1`.
    pub elr: u64,
    /// `SPSR_EL1`.
    pub spsr: u64,
}

impl Context {
    /// A vCPU that starts at `pc` with `x0`.
    pub fn start(pc: u64, x0: u64) -> Self {
        let mut context = Self {
            pc,
            pstate: PSTATE_START,
            ..Self::default()
        };
        context.set(0, x0);
        context
    }

    /// Register `index`, of which 31 reads as zero.
    pub(crate) fn get(&self, index: usize) -> u64 {
        self.gprs.get(index).copied().unwrap_or(0)
    }

    /// Writes register `index`, of which 31 is nowhere.
    pub(crate) fn set(&mut self, index: usize, value: u64) {
        if let Some(register) = self.gprs.get_mut(index) {
            *register = value;
        }
    }

    /// Goes on behind the instruction that trapped.
    pub(crate) fn skip(&mut self) {
        self.pc = self.pc.wrapping_add(4);
    }

    /// Has EL1 take an undefined instruction exception.
    pub(crate) fn undefined(&mut self, level1: &Level1) -> Injection {
        let esr = syndrome::with_class(syndrome::EC_UNKNOWN, 0);
        self.inject(level1, esr, None)
    }

    /// Has EL1 take a synchronous external abort for the abort that `esr` and
    /// `far` describe.
    pub(crate) fn external_abort(&mut self, level1: &Level1, esr: u64, far: u64) -> Injection {
        let from_el0 = self.pstate & MODE_LEVEL == 0;
        let class = match (syndrome::class(esr), from_el0) {
            (class, true) => class,
            (class, false) => class | SAME_LEVEL,
        };
        let status = match syndrome::is_walk(esr) {
            true => EXTERNAL_ON_WALK | esr & 0b11,
            false => EXTERNAL,
        };
        let is_data = syndrome::class(esr) == syndrome::EC_DATA_ABORT;
        let write = if is_data { esr & WNR } else { 0 };
        self.inject(
            level1,
            syndrome::with_class(class, write | status),
            Some(far),
        )
    }

    /// Takes an exception to EL1, as DDI0487 D1.3.1 and the pseudocode of
    /// `AArch64.TakeException` have it.
    fn inject(&mut self, level1: &Level1, esr: u64, far: Option<u64>) -> Injection {
        let injection = Injection {
            esr,
            far,
            elr: self.pc,
            spsr: self.pstate,
        };
        let offset = if self.pstate & NRW != 0 {
            0x600
        } else if self.pstate & MODE_LEVEL == 0 {
            0x400
        } else if self.pstate & MODE_STACK != 0 {
            0x200
        } else {
            0
        };
        self.pc = (level1.vbar & !0x7ff).wrapping_add(offset);
        let mut pstate = self.pstate & (FLAGS | DIT | PAN) | PSTATE_START;
        if level1.sctlr & SCTLR_SPAN == 0 {
            pstate |= PAN;
        }
        if level1.sctlr & SCTLR_DSSBS != 0 {
            pstate |= SSBS;
        }
        self.pstate = pstate;
        injection
    }
}
