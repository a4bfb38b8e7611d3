//! The world switch of plain VMs: a vCPU's state into the CPU, EL1 entered, and
//! back.
//!
//! [`PlainVcpu::attach`] makes a CPU the vCPU's: EL1 and vector registers, stage 2
//! and the virtual interface of the GIC stay in it over any number of
//! [`PlainVcpu::enter`], until [`PlainVcpu::detach`]. What an exception means, `plain`
//! decides; the page in and out is the one Realms use.
//!
//! An exit leaves SErrors masked: one that a guest has caused and that is still on
//! its way is taken when the next guest is entered, not here.
#![expect(unsafe_code, reason = "EL1 is entered by ERET in assembly")]

use core::arch::global_asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use entry::MAX_CPUS;
use plain::psci::{self, Outcome, Start};
use plain::{Context, Exception, IdRegisters, Next, Vcpu, syndrome};
use rmi::v1_0::{ExitReason, RecExit, RecRun};
use stage2::Registers;
use vcpu::mpidr;

use super::el1::{self, El1, Vectors};
use super::guest_timer::Timers;
use super::ich::VirtualInterface;
use super::sysreg::{field, isb, read, write};
use super::{cpu, stage2 as tables};

const _: () = assert!(offset_of!(Context, gprs) == 0);

global_asm!(include_str!("guest.S"), FPCR = const el1::FPCR);

unsafe extern "C" {
    fn suz_guest_enter(gprs: *mut u64) -> u64;
}

/// `HCR_EL2` while a plain vCPU has the CPU, EL2's own work included: all of it but
/// the routing of interrupts and E2H concerns EL1 and EL0 only.
const HCR_GUEST: u64 = hcr::E2H
    | hcr::RW
    | hcr::VM
    | hcr::SWIO
    | hcr::PTW
    | hcr::FMO
    | hcr::IMO
    | hcr::AMO
    | hcr::FB
    | hcr::BSU_INNER
    | hcr::TWI
    | hcr::TID3
    | hcr::TSC
    | hcr::TIDCP
    | hcr::TACR
    | hcr::TSW
    | hcr::TLOR
    | hcr::TERR
    | hcr::TEA;

/// Bits of `HCR_EL2` (DDI0487 D24.2.49).
mod hcr {
    pub const VM: u64 = 1 << 0;
    pub const SWIO: u64 = 1 << 1;
    pub const PTW: u64 = 1 << 2;
    pub const FMO: u64 = 1 << 3;
    pub const IMO: u64 = 1 << 4;
    pub const AMO: u64 = 1 << 5;
    pub const FB: u64 = 1 << 9;
    pub const BSU_INNER: u64 = 1 << 10;
    pub const TWI: u64 = 1 << 13;
    pub const TID3: u64 = 1 << 18;
    pub const TSC: u64 = 1 << 19;
    pub const TIDCP: u64 = 1 << 20;
    pub const TACR: u64 = 1 << 21;
    pub const TSW: u64 = 1 << 22;
    pub const RW: u64 = 1 << 31;
    pub const E2H: u64 = 1 << 34;
    pub const TLOR: u64 = 1 << 35;
    pub const TERR: u64 = 1 << 36;
    pub const TEA: u64 = 1 << 37;
    /// With `FEAT_S2FWB`.
    pub const FWB: u64 = 1 << 46;
    /// With `FEAT_RME`: granule protection faults of EL1 and EL0 come to EL2.
    pub const GPF: u64 = 1 << 48;
}

/// `CPTR_EL2` with E2H: vector registers for everybody; SVE, SME, trace and
/// activity monitors trap.
const CPTR_GUEST: u64 = 3 << 20 | 1 << 28 | 1 << 30;
/// Everything traps.
const CPTR_HOST: u64 = 1 << 28 | 1 << 30;
/// `MDCR_EL2`: performance monitors (5, 6), debug (9), OS lock (10), ROM address
/// (11), statistical profiling (14), trace filter (19), comms channel (27) trap.
const MDCR_GUEST: u64 = 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 14 | 1 << 19 | 1 << 27;
const MDCR_HPMN: u64 = 0x1f;
/// `MPIDR_EL1`: RES1.
const MPIDR_RES1: u64 = 1 << 31;

/// VMID and index of the vCPU that was attached to each CPU last; zero is nobody's.
static LAST: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

/// Why this machine runs no plain VMs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoVhe;

impl core::fmt::Display for NoVhe {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("plain VMs need a CPU with virtualization host extensions (FEAT_VHE)")
    }
}

/// Sets up, once on each CPU, what governs plain guests and does not change.
pub fn setup() -> Result<(), NoVhe> {
    if !cpu::has_e2h() {
        return Err(NoVhe);
    }
    let counters = match field(read!("id_aa64dfr0_el1"), 8) {
        0 | 0xf => 0,
        _ => read!("pmcr_el0") >> 11 & MDCR_HPMN,
    };
    write!("mdcr_el2", MDCR_GUEST | counters);
    write!("vpidr_el2", read!("midr_el1"));
    fine_grained_traps(field(read!("id_aa64mmfr0_el1"), 56));
    isb();
    Ok(())
}

/// Registers whose trap bit is negative (nPIR, nTPIDR2, nGCS …) trap at zero, and a
/// guest is shown none of them; the positive bits trap nothing.
fn fine_grained_traps(version: u64) {
    if version >= 1 {
        write!("s3_4_c1_c1_4", 0); // HFGRTR_EL2
        write!("s3_4_c1_c1_5", 0); // HFGWTR_EL2
        write!("s3_4_c1_c1_6", 0); // HFGITR_EL2
        write!("s3_4_c3_c1_4", 0); // HDFGRTR_EL2
        write!("s3_4_c3_c1_5", 0); // HDFGWTR_EL2
    }
    if version >= 2 {
        write!("s3_4_c3_c1_2", 0); // HFGRTR2_EL2
        write!("s3_4_c3_c1_3", 0); // HFGWTR2_EL2
        write!("s3_4_c3_c1_7", 0); // HFGITR2_EL2
        write!("s3_4_c3_c1_0", 0); // HDFGRTR2_EL2
        write!("s3_4_c3_c1_1", 0); // HDFGWTR2_EL2
    }
}

/// What guests on this machine find in their identification registers.
pub fn id_registers() -> IdRegisters {
    IdRegisters::new(&el1::cpu_features())
}

/// A vCPU of a plain VM.
#[derive(Clone, Debug)]
pub struct PlainVcpu {
    context: Context,
    vcpu: Vcpu,
    el1: El1,
    vectors: Vectors,
    interface: VirtualInterface,
    timers: Timers,
    stage2: Registers,
    host_hcr: u64,
}

impl PlainVcpu {
    /// A vCPU that starts as `start` says, on `stage2`.
    pub fn new(vcpu: Vcpu, stage2: Registers, start: Start) -> Self {
        Self {
            context: Context::start(start.entry, start.context_id),
            vcpu,
            el1: El1::reset(),
            vectors: Vectors::RESET,
            interface: VirtualInterface::new(),
            timers: Timers::default(),
            stage2,
            host_hcr: 0,
        }
    }

    /// Where the vCPU shall start that the last exit (`CPU_ON`) wants turned on.
    pub fn wanted_start(&self) -> Option<Start> {
        self.vcpu.wanted_start()
    }

    /// Completes the PSCI call of the last exit (`CPU_ON`, `AFFINITY_INFO`) with
    /// what the guest finds in x0.
    pub fn complete(&mut self, x0: u64) {
        self.vcpu.complete(&mut self.context, x0);
    }

    /// Makes this CPU the vCPU's.
    pub fn attach(&mut self) {
        self.host_hcr = read!("hcr_el2");
        tables::load(&self.stage2);
        write!("hcr_el2", guest_hcr());
        write!("cptr_el2", CPTR_GUEST);
        write!(
            "vmpidr_el2",
            MPIDR_RES1 | mpidr::of(self.vcpu.caller().vcpu)
        );
        isb();
        // Two vCPUs of one VM share a VMID, and may mean different things by an
        // ASID. If nobody else was here since, there is nothing of another's.
        if !self.was_last() {
            tables::forget_locally();
        }
        self.el1.load();
        // SAFETY: 1. CPTR_EL2 was written above.
        unsafe { self.vectors.load() };
        self.timers.load();
        self.interface.attach();
    }

    /// Takes the vCPU's state out of this CPU, and gives it back.
    pub fn detach(&mut self) {
        self.interface.detach();
        self.timers.unload();
        // SAFETY: 1. CPTR_EL2 was written by `attach`.
        unsafe { self.vectors.save() };
        self.el1.save();
        write!("cptr_el2", CPTR_HOST);
        write!("hcr_el2", self.host_hcr);
        tables::load(&Registers::default());
    }

    /// Whether this vCPU was the last plain one on this CPU; from now on it is.
    fn was_last(&self) -> bool {
        let vmid = self.stage2.vttbr >> 48;
        let this = vmid << 32 | self.vcpu.caller().vcpu as u64;
        match LAST.get(cpu::number()) {
            Some(last) => last.swap(this, Relaxed) == this,
            None => false,
        }
    }

    /// Runs the guest on the CPU it is attached to, until something happens that is
    /// not to be dealt with here, and describes that as an RMM does.
    #[inline]
    pub fn enter(&mut self, run: &mut RecRun) {
        let RecRun { enter, exit } = run;
        if let Some(injection) = self.vcpu.answer(&mut self.context, el1::level1, enter) {
            el1::inject(&injection);
        }
        self.interface.load(enter);
        self.timers.start();
        while !self.turn(exit) {}
        self.timers.report(exit);
        self.interface.save(exit);
    }

    /// Runs the guest up to an exception that `run` cannot answer; says whether
    /// that ends its turn.
    #[inline]
    fn turn(&mut self, exit: &mut RecExit) -> bool {
        write!("elr_el2", self.context.pc);
        write!("spsr_el2", self.context.pstate);
        let vector = self.run();
        self.context.pc = read!("elr_el2");
        self.context.pstate = read!("spsr_el2");
        match vector {
            0 => return self.synchronous(exit),
            1 => {
                self.timers.acknowledge();
                exit.exit_reason = ExitReason::Irq as u64;
            }
            2 => exit.exit_reason = ExitReason::Fiq as u64,
            _ => {
                exit.exit_reason = ExitReason::SError as u64;
                exit.esr = read!("esr_el2");
            }
        }
        true
    }

    /// Runs the guest, and answers the calls that need no more than its registers
    /// right here.
    #[inline]
    fn run(&mut self) -> u64 {
        loop {
            // SAFETY: the context holds 31 registers at its start, and the
            // assembly leaves all of this CPU's state as the ABI asks but for
            // those. Everything else EL1 runs on was loaded by `attach`, and stage
            // 2 confines it to memory that is the VM's.
            let vector = unsafe { suz_guest_enter(self.context.gprs.as_mut_ptr()) };
            if vector != 0 || read!("esr_el2") != syndrome::HVC_0 {
                return vector;
            }
            match psci::call(&self.context.gprs, self.vcpu.caller()) {
                Outcome::Answer(x0) => self.context.gprs[0] = x0,
                Outcome::Exit(_) => return vector,
            }
        }
    }

    #[inline(always)]
    fn synchronous(&mut self, exit: &mut RecExit) -> bool {
        let why = Exception {
            esr: read!("esr_el2"),
            far: read!("far_el2"),
            hpfar: read!("hpfar_el2"),
        };
        match self
            .vcpu
            .synchronous(&mut self.context, el1::level1, &why, exit)
        {
            Next::Resume => false,
            Next::Inject(injection) => {
                el1::inject(&injection);
                false
            }
            Next::Leave => true,
        }
    }
}

fn guest_hcr() -> u64 {
    let fwb = if tables::features().fwb { hcr::FWB } else { 0 };
    let gpf = if cpu::has_rme() { hcr::GPF } else { 0 };
    HCR_GUEST | fwb | gpf
}
