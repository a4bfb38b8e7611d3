//! What a guest may see and do, exception by exception.

mod memory;

use crate::psci::{Caller, Outcome, Request, Start};
use crate::{
    Context, CpuFeatures, Exception, IdRegisters, Injection, Level1, Next, Vcpu, psci, syndrome,
};
use addr::{Ipa, IpaRange};
use rmi::v1_0::{ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_INJECT_SEA, RecEnter, RecExit};
use rsi::psci as abi;
use vcpu::{Action, Exit, Mmio, Policy, PsciCall, Stop, Why, Width};

const RAM: u64 = 0x4000_0000;
const EL1H: u64 = 0x5;
const EL0: u64 = 0;
const FLAGS: u64 = 0x6 << 28;
const NOT_SUPPORTED: u64 = u64::MAX;

fn caller() -> Caller {
    Caller {
        vcpu: 1,
        vcpus: 4,
        ram: IpaRange::with_size(Ipa::new(RAM), 0x100_0000).unwrap(),
    }
}

fn policy() -> Policy {
    Policy {
        ram: caller().ram,
        shared_bit: 0,
        vcpus: 4,
    }
}

/// A CPU that claims to have everything.
fn ids() -> IdRegisters {
    IdRegisters::new(&CpuFeatures {
        id_aa64pfr0: 0x3333_3333_3333_3333 & !(0xff << 16),
        id_aa64pfr1: u64::MAX,
        id_aa64isar0: u64::MAX,
        id_aa64isar1: u64::MAX,
        id_aa64mmfr0: 0xffff_ffff_00ff_ffff,
        id_aa64mmfr1: u64::MAX,
        id_aa64mmfr2: u64::MAX,
    })
}

struct Cpu {
    vcpu: Vcpu,
    context: Context,
    exit: RecExit,
    level1: Level1,
}

impl Cpu {
    fn new() -> Self {
        let mut context = Context::start(RAM + 0x1000, 0);
        context.pstate = EL1H | FLAGS;
        Self {
            vcpu: Vcpu::new(caller(), ids()),
            context,
            exit: RecExit::default(),
            level1: Level1 {
                vbar: 0xffff_0000_0000_0800,
                sctlr: 1 << 23,
            },
        }
    }

    fn take(&mut self, esr: u64) -> Next {
        self.take_at(esr, 0)
    }

    fn take_at(&mut self, esr: u64, ipa: u64) -> Next {
        let why = Exception {
            esr,
            far: 0xffff_8000_0000_0000 | ipa & 0xfff,
            hpfar: ipa >> 12 << 4,
        };
        let level1 = self.level1;
        self.vcpu
            .synchronous(&mut self.context, || level1, &why, &mut self.exit)
    }

    fn decoded(&self) -> Exit {
        vcpu::decode(&self.exit, 0)
    }

    fn action(&self) -> Action {
        vcpu::step(&self.decoded(), &policy())
    }

    fn answer(&mut self, flags: u64, value: u64) -> Option<Injection> {
        let mut enter = RecEnter::default();
        enter.flags = flags;
        enter.gprs[0] = value;
        let level1 = self.level1;
        self.vcpu.answer(&mut self.context, || level1, &enter)
    }

    /// MRS (`read`) or MSR of x3.
    fn register(&mut self, [op0, op1, crn, crm, op2]: [u64; 5], read: bool) -> Next {
        let iss =
            op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | 3 << 5 | crm << 1 | u64::from(read);
        self.take(0x18 << 26 | 1 << 25 | iss)
    }

    fn call(&mut self, smc: bool, gprs: &[u64]) -> Next {
        self.context.gprs[..gprs.len()].copy_from_slice(gprs);
        self.take(if smc { 0x17 } else { 0x16 } << 26 | 1 << 25)
    }
}

fn is_undefined(next: Next) -> bool {
    matches!(next, Next::Inject(Injection { esr, far: None, .. }) if esr == 1 << 25)
}

#[test]
fn identification_starts_from_zero() {
    let ids = ids();
    let field = |crm, op2, low: u32| ids.read(crm, op2) >> low & 0xf;
    // EL3, EL2, RAS, SVE, SEL2, MPAM, AMU, RME of PFR0.
    for low in [8, 12, 28, 32, 36, 40, 44, 52] {
        assert_eq!(field(4, 0, low), 0, "PFR0 at {low}");
    }
    // BTI, MTE, RAS_frac, MPAM_frac, SME, and all above.
    for low in [0, 8, 12, 16, 24, 36] {
        assert_eq!(field(4, 1, low), 0, "PFR1 at {low}");
    }
    // Trace, PMU, SPE, trace filter, trace buffer, BRBE.
    for low in [4, 8, 32, 40, 44, 52] {
        assert_eq!(field(5, 0, low), 0, "DFR0 at {low}");
    }
    // Pointer authentication; SPECRES, DGH, BF16, I8MM, XS, LS64.
    for low in [4, 8, 24, 28, 40, 44, 48, 52, 56, 60] {
        assert_eq!(field(6, 1, low), 0, "ISAR1 at {low}");
    }
    assert_eq!(field(7, 0, 0), 5, "48 bits of address where there are more");
    assert_eq!(field(7, 1, 8), 0, "no EL2 to be had: VH");
    // ZFR0, SMFR0, ISAR2, ISAR3, MMFR3, MMFR4, DFR1, and the AArch32 registers.
    for (crm, op2) in [
        (4, 4),
        (4, 5),
        (6, 2),
        (6, 3),
        (7, 3),
        (7, 4),
        (5, 1),
        (1, 0),
        (2, 5),
    ] {
        assert_eq!(ids.read(crm, op2), 0);
    }
}

/// It would do them in software, at every entry.
#[test]
fn a_guest_sees_which_attacks_the_cpu_fends_off_itself() {
    let ids = ids();
    // CSV2 and CSV3, ECBHB, E0PD.
    assert_eq!(ids.read(4, 0) >> 56, 0x11);
    assert_eq!(ids.read(7, 1) >> 60, 1);
    assert_eq!(ids.read(7, 2) >> 60, 1);
}

#[test]
fn registers_outside_the_whitelist_are_undefined() {
    // ZCR, SMCR, TRFCR, PMSCR, LORC, ERRIDR, SCXTNUM, an IMPLEMENTATION DEFINED
    // one, a trace register, CNTHCTL_EL2 as seen from below.
    for register in [
        [3, 0, 1, 2, 0],
        [3, 0, 1, 2, 6],
        [3, 0, 1, 2, 1],
        [3, 0, 9, 9, 0],
        [3, 0, 10, 4, 3],
        [3, 0, 5, 3, 0],
        [3, 0, 13, 0, 7],
        [3, 0, 15, 2, 0],
        [2, 1, 0, 4, 0],
        [3, 4, 14, 1, 0],
    ] {
        for read in [false, true] {
            let mut cpu = Cpu::new();
            assert!(is_undefined(cpu.register(register, read)), "{register:?}");
            assert_eq!(cpu.context.pc, 0xffff_0000_0000_0a00);
        }
    }
    let mut cpu = Cpu::new();
    assert!(
        is_undefined(cpu.register([3, 0, 0, 4, 0], false)),
        "PFR0 is read only"
    );
    assert!(
        is_undefined(cpu.register([3, 0, 12, 11, 5], true)),
        "SGI1R is write only"
    );
}

#[test]
fn what_kernels_touch_unasked_is_harmless() {
    // MDSCR, OSLAR, DBGBVR3, PMUSERENR, PMCR, PMINTENCLR, ACTLR, DC CISW.
    for register in [
        [2, 0, 0, 2, 2],
        [2, 0, 1, 0, 4],
        [2, 0, 0, 3, 4],
        [3, 3, 9, 14, 0],
        [3, 3, 9, 12, 0],
        [3, 0, 9, 14, 2],
        [3, 0, 1, 0, 1],
        [1, 0, 7, 14, 2],
    ] {
        let mut cpu = Cpu::new();
        cpu.context.gprs[3] = 7;
        assert_eq!(cpu.register(register, false), Next::Resume, "{register:?}");
        assert_eq!((cpu.context.pc, cpu.context.gprs[3]), (RAM + 0x1004, 7));
        assert_eq!(cpu.register(register, true), Next::Resume);
        assert_eq!((cpu.context.pc, cpu.context.gprs[3]), (RAM + 0x1008, 0));
    }
}

#[test]
fn a_software_interrupt_reaches_the_devices() {
    let mut cpu = Cpu::new();
    cpu.context.gprs[3] = 0x0500_0001;
    assert_eq!(cpu.register([3, 0, 12, 11, 5], false), Next::Leave);
    let value = 0x0500_0001;
    assert_eq!(cpu.action(), Action::SendSgi { value, group: 1 });
    assert_eq!(
        cpu.context.pc,
        RAM + 0x1004,
        "the host does not step over it"
    );
}

#[test]
fn no_call_reaches_firmware() {
    // GRANULE_DELEGATE, RTT_DESTROY, REC_ENTER, RSI_HOST_CALL, RMM-EL3, the
    // monitor's own, Trusted OS, and what an identifier's upper half may hide.
    for fid in [
        0xc400_0151,
        0xc400_015e,
        0xc400_015c,
        0xc400_0199,
        0xc400_01b0,
        0xc200_0001,
        0xbf00_ff01,
        0xdead_0000_c400_0151,
    ] {
        for smc in [false, true] {
            let mut cpu = Cpu::new();
            assert_eq!(cpu.call(smc, &[fid, RAM]), Next::Resume);
            assert_eq!(cpu.context.gprs[0], NOT_SUPPORTED, "{fid:#x}");
            let pc = RAM + 0x1000 + if smc { 4 } else { 0 };
            assert_eq!(
                cpu.context.pc, pc,
                "HVC returns behind itself, SMC does not"
            );
        }
    }
}

#[test]
fn psci_answers_what_needs_only_the_caller() {
    let answer = |gprs: &[u64]| {
        let mut all = [0; 31];
        all[..gprs.len()].copy_from_slice(gprs);
        match psci::call(&all, &caller()) {
            Outcome::Answer(x0) => x0 as i64,
            Outcome::Exit(request) => panic!("{request:?}"),
        }
    };
    let wide = u64::from(abi::CPU_ON_64);
    assert_eq!(answer(&[abi::VERSION.into()]), 0x1_0001);
    assert_eq!(answer(&[abi::SMCCC_VERSION.into()]), 0x1_0002);
    assert_eq!(answer(&[abi::MIGRATE_INFO_TYPE.into()]), 2);
    assert_eq!(answer(&[abi::FEATURES.into(), wide]), abi::SUCCESS);
    assert_eq!(
        answer(&[abi::FEATURES.into(), 0x8400_000e]),
        abi::NOT_SUPPORTED
    );
    assert_eq!(
        answer(&[abi::SMCCC_ARCH_FEATURES.into(), 0x8000_8000]),
        abi::NOT_SUPPORTED
    );
    assert_eq!(answer(&[wide, 4, RAM]), abi::INVALID_PARAMETERS);
    assert_eq!(answer(&[wide, 0, RAM - 4]), abi::INVALID_ADDRESS);
    assert_eq!(answer(&[wide, 0, RAM + 2]), abi::INVALID_ADDRESS);
    assert_eq!(answer(&[wide, 1, RAM]), abi::ALREADY_ON);
    let info = u64::from(abi::AFFINITY_INFO_64);
    assert_eq!(answer(&[info, 1, 0]), abi::AFFINITY_ON as i64);
    assert_eq!(answer(&[info, 0, 1]), abi::INVALID_PARAMETERS);
    assert_eq!(answer(&[0x8400_0005]), abi::NOT_SUPPORTED, "MIGRATE");
}

#[test]
fn a_vcpu_is_turned_on_through_the_host() {
    let mut cpu = Cpu::new();
    let start = Start {
        entry: RAM + 8,
        context_id: 77,
    };
    assert_eq!(
        cpu.call(true, &[abi::CPU_ON_64.into(), 3, RAM + 8, 77]),
        Next::Leave
    );
    assert_eq!(cpu.decoded(), Exit::Psci(PsciCall::CpuOn { mpidr: 3 }));
    assert_eq!(cpu.action(), Action::CpuOn { target: 3 });
    assert_eq!(cpu.vcpu.wanted_start(), Some(start));
    cpu.vcpu.complete(&mut cpu.context, 0);
    assert_eq!(cpu.context.gprs[0], 0);
    assert_eq!(cpu.answer(0, 99), None);
    assert_eq!(cpu.context.gprs[0], 0, "the answer is given once");
    assert_eq!(cpu.vcpu.wanted_start(), None);
}

#[test]
fn a_call_nobody_completes_is_denied() {
    let mut cpu = Cpu::new();
    cpu.call(true, &[abi::AFFINITY_INFO_64.into(), 3, 0]);
    assert_eq!(cpu.answer(0, 0), None);
    assert_eq!(cpu.context.gprs[0] as i64, abi::DENIED);
}

#[test]
fn arguments_of_32_bit_calls_are_cut() {
    let mut gprs = [0; 31];
    gprs[..4].copy_from_slice(&[abi::CPU_ON_32.into(), 5 << 32, 1 << 40 | RAM, 9 << 32]);
    let request = Request {
        fid: abi::CPU_ON_32,
        mpidr: 0,
        start: Start {
            entry: RAM,
            context_id: 0,
        },
    };
    assert_eq!(psci::call(&gprs, &caller()), Outcome::Exit(request));
}

#[test]
fn power_calls_end_the_vm_and_suspend_waits() {
    for (fid, action) in [
        (abi::SYSTEM_OFF, Action::Stop(Stop::Off)),
        (abi::SYSTEM_RESET, Action::Stop(Stop::Reset)),
        (abi::CPU_OFF, Action::CpuOff),
        (abi::CPU_SUSPEND_64, Action::Wait),
    ] {
        let mut cpu = Cpu::new();
        assert_eq!(cpu.call(false, &[fid.into()]), Next::Leave);
        assert_eq!(cpu.action(), action);
        assert_eq!(
            cpu.context.gprs[0], 0,
            "CPU_SUSPEND comes back with success"
        );
    }
}

#[test]
fn a_host_call_carries_all_registers_there_and_back() {
    let mut cpu = Cpu::new();
    cpu.context.gprs = core::array::from_fn(|index| index as u64);
    assert_eq!(cpu.take(0x16 << 26 | 1 << 25 | 4), Next::Leave);
    assert_eq!(cpu.decoded(), Exit::HostCall { imm: 4 });
    assert_eq!(cpu.exit.gprs, cpu.context.gprs);
    cpu.answer(0, 1234);
    assert_eq!((cpu.context.gprs[0], cpu.context.gprs[30]), (1234, 0));
}

#[test]
fn a_load_from_a_device_ends_in_the_register_it_named() {
    // LDRSB w7: a byte, sign extended to 32 bits.
    let esr = 0x24 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 7 << 16 | 0x07;
    let mut cpu = Cpu::new();
    assert_eq!(cpu.take_at(esr, 0x0900_0018), Next::Leave);
    let access = Mmio {
        ipa: Ipa::new(0x0900_0018),
        width: Width::Byte,
        write: None,
    };
    assert_eq!(cpu.action(), Action::Emulate(access));
    assert_eq!(cpu.answer(ENTER_FLAG_EMUL_MMIO, 0x1_80), None);
    assert_eq!(cpu.context.gprs[7], 0xffff_ff80);
    assert_eq!(cpu.context.pc, RAM + 0x1004);
}

#[test]
fn loads_are_extended_as_the_syndrome_says() {
    const SF: u64 = 1 << 15;
    const SSE: u64 = 1 << 21;
    for (iss, value, loaded) in [
        (0, 0x1ff, 0xff),
        (SSE | SF, 0x80, 0xffff_ffff_ffff_ff80),
        (1 << 22, 0x12_8000, 0x8000),
        (1 << 22 | SSE, 0x8000, 0xffff_8000),
        (2 << 22, 0x1_8000_0000, 0x8000_0000),
        (2 << 22 | SSE | SF, 0x8000_0000, 0xffff_ffff_8000_0000),
        (3 << 22 | SF, u64::MAX, u64::MAX),
    ] {
        assert_eq!(syndrome::loaded(iss, value), loaded, "{iss:#x}");
    }
}

#[test]
fn a_store_to_a_device_carries_its_register_and_xzr_is_zero() {
    let esr = 0x24 << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 1 << 6 | 0x07;
    for (register, value) in [(5, 0x1_0000_0041), (31, 0)] {
        let mut cpu = Cpu::new();
        cpu.context.gprs[5] = 0x1_0000_0041;
        cpu.take_at(esr | register << 16, 0x0900_0000);
        let Action::Emulate(Mmio { write, .. }) = cpu.action() else {
            panic!("{:?}", cpu.action());
        };
        assert_eq!(write, Some(value & 0xffff_ffff));
        cpu.answer(ENTER_FLAG_EMUL_MMIO, 3);
        assert_eq!(cpu.context.gprs[0], 0, "a store changes no register");
    }
}

#[test]
fn a_fault_in_ram_is_populated_and_the_access_made_again() {
    for esr in [
        0x24 << 26 | 0x06,
        0x20 << 26 | 0x07,
        0x24 << 26 | 1 << 7 | 0x05,
    ] {
        let mut cpu = Cpu::new();
        cpu.take_at(esr, RAM + 0x5008);
        let Action::Populate(ipa) = cpu.action() else {
            panic!("{:?}", cpu.action());
        };
        assert_eq!(ipa.align_down(0x1000), Ipa::new(RAM + 0x5000));
        assert_eq!(cpu.answer(0, 5), None);
        assert_eq!((cpu.context.pc, cpu.context.gprs[0]), (RAM + 0x1000, 0));
    }
}

#[test]
fn what_is_no_memory_and_no_device_aborts_in_the_guest() {
    // No description, from EL0; a fetch, from EL1; a walk of stage 1.
    for (esr, pstate, expected, vector) in [
        (0x24 << 26 | 0x07, EL0, 0x24 << 26 | 1 << 25 | 0x10, 0x400),
        (0x20 << 26 | 0x07, EL1H, 0x21 << 26 | 1 << 25 | 0x10, 0x200),
        (
            0x24 << 26 | 1 << 7 | 1 << 6 | 0x07,
            EL1H,
            0x25 << 26 | 1 << 25 | 1 << 6 | 0x17,
            0x200,
        ),
    ] {
        let mut cpu = Cpu::new();
        cpu.context.pstate = pstate;
        cpu.take_at(esr, 0x8000_0000);
        assert_eq!(cpu.action(), Action::InjectSea);
        let injection = cpu.answer(ENTER_FLAG_INJECT_SEA, 0).unwrap();
        assert_eq!(injection.esr, expected);
        assert_eq!(injection.far, Some(0xffff_8000_0000_0000));
        assert_eq!((injection.elr, injection.spsr), (RAM + 0x1000, pstate));
        assert_eq!(cpu.context.pc, 0xffff_0000_0000_0800 + vector);
        assert_eq!(
            cpu.context.pstate & 0x3df,
            0x3c5,
            "EL1 with its own stack, masked"
        );
    }
}

#[test]
fn memory_of_another_world_ends_the_guest_in_words() {
    for esr in [0x24 << 26 | 1 << 24 | 0x28, 0x20 << 26 | 0x25, 0x1e << 26] {
        let mut cpu = Cpu::new();
        cpu.take_at(esr, RAM + 0x2000);
        let Action::Stop(Stop::Crashed(why)) = cpu.action() else {
            panic!("{:?}", cpu.action());
        };
        assert!(matches!(why, Why::GranuleProtection { .. }), "{why:?}");
        assert!(std::format!("{why}").contains("another world"));
    }
}

#[test]
fn instructions_of_hidden_features_are_undefined() {
    // Unknown, FP, pointer authentication, LD64B, MSRR, SVE, SME, MOPS, GCS.
    for class in [0x00, 0x07, 0x09, 0x0a, 0x14, 0x19, 0x1d, 0x27, 0x2d_u64] {
        assert!(
            is_undefined(Cpu::new().take(class << 26 | 1 << 25)),
            "{class:#x}"
        );
    }
}

#[test]
fn an_exception_masks_and_keeps_what_the_architecture_says() {
    const PAN: u64 = 1 << 22;
    const SSBS: u64 = 1 << 12;
    const SINGLE_STEP: u64 = 1 << 21;
    const BTYPE: u64 = 3 << 10;
    let mut cpu = Cpu::new();
    cpu.context.pstate = EL0 | FLAGS | SINGLE_STEP | BTYPE | SSBS;
    cpu.level1.sctlr = 1 << 44;
    cpu.take(1 << 25);
    let pstate = cpu.context.pstate;
    assert_eq!(pstate & FLAGS, FLAGS);
    assert_eq!(pstate & (PAN | SSBS), PAN | SSBS, "SPAN clear, DSSBS set");
    assert_eq!(pstate & (SINGLE_STEP | BTYPE), 0);
    let mut cpu = Cpu::new();
    cpu.context.pstate = 0x10 | FLAGS;
    cpu.take(1 << 25);
    assert_eq!(cpu.context.pc, 0xffff_0000_0000_0e00, "from AArch32");
    assert_eq!(cpu.context.pstate & 0x10, 0);
}

#[test]
fn waiting_leaves_behind_the_instruction() {
    let mut cpu = Cpu::new();
    assert_eq!(cpu.take(0x01 << 26 | 1 << 25), Next::Leave);
    assert_eq!(cpu.action(), Action::Wait);
    assert_eq!(cpu.context.pc, RAM + 0x1004);
}

#[test]
fn an_exception_nobody_knows_ends_only_this_guest() {
    let mut cpu = Cpu::new();
    assert_eq!(cpu.take(0x3f << 26), Next::Leave);
    assert!(matches!(
        cpu.action(),
        Action::Stop(Stop::Crashed(Why::Unhandled { .. }))
    ));
}
