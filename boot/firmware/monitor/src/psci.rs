//! PSCI 1.1 for the Non-secure world (DEN0022).
//!
//! [`Cpus`] holds the power state of every CPU in atomics. A CPU goes from off
//! to pending by one compare-and-swap of the CPU that turns it on, and from
//! pending to on by itself, so no two callers turn on the same CPU.

use crate::layout::{CPUS_PER_CLUSTER, MAX_CPUS};
use arm_psci::{AffinityInfo, ErrorCode, Function, FunctionId, Mpidr, PsciFeature};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What `PSCI_VERSION` answers: 1.1.
pub const VERSION: u64 = 0x1_0001;

const ABSENT: u8 = 0;
const OFF: u8 = 1;
const PENDING: u8 = 2;
const ON: u8 = 3;

/// What the monitor has to do for a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Return this in x0.
    Return(u64),
    /// Wake this CPU, which is now pending, and return success.
    Wake(usize),
    /// The caller has left: wait until it is pending again.
    Off,
    /// Power the machine off.
    SystemOff,
    /// Reset the machine.
    SystemReset,
}

/// Where a CPU enters the Non-secure world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The first instruction.
    pub address: u64,
    /// What x0 holds.
    pub context: u64,
}

struct Cpu {
    state: AtomicU8,
    entry: AtomicU64,
    context: AtomicU64,
}

/// The power state of every CPU.
pub struct Cpus([Cpu; MAX_CPUS]);

/// The index of the CPU with these affinities, if the monitor has room for it.
pub fn index_of(mpidr: u64) -> Option<usize> {
    let aff0 = (mpidr & 0xff) as usize;
    let aff1 = (mpidr >> 8 & 0xff) as usize;
    let higher = mpidr & 0xff_00ff_0000;
    let index = aff1 * CPUS_PER_CLUSTER + aff0;
    (higher == 0 && aff0 < CPUS_PER_CLUSTER && index < MAX_CPUS).then_some(index)
}

fn error(code: ErrorCode) -> Outcome {
    Outcome::Return(code as i32 as i64 as u64)
}

impl Default for Cpus {
    fn default() -> Self {
        Self::new()
    }
}

impl Cpus {
    /// No CPU is known yet.
    pub const fn new() -> Self {
        Self(
            [const {
                Cpu {
                    state: AtomicU8::new(ABSENT),
                    entry: AtomicU64::new(0),
                    context: AtomicU64::new(0),
                }
            }; MAX_CPUS],
        )
    }

    /// Makes the CPU with these affinities known as off; `false` if there is no
    /// room for it.
    pub fn add(&self, mpidr: u64) -> bool {
        let cpu = index_of(mpidr).and_then(|index| self.0.get(index));
        if let Some(cpu) = cpu {
            cpu.state.store(OFF, Ordering::Release);
        }
        cpu.is_some()
    }

    /// How many CPUs are known, counted up to the last.
    pub fn count(&self) -> usize {
        self.0
            .iter()
            .rposition(|cpu| cpu.state.load(Ordering::Relaxed) != ABSENT)
            .map_or(0, |last| last + 1)
    }

    /// CPU `index` arrives: it is on from now, and enters there. A CPU that was
    /// not asked to come on has no entry; the boot CPU is such a one.
    pub fn arrive(&self, index: usize) -> Option<Entry> {
        let cpu = self.0.get(index)?;
        let before = cpu.state.swap(ON, Ordering::AcqRel);
        (before == PENDING).then(|| Entry {
            address: cpu.entry.load(Ordering::Relaxed),
            context: cpu.context.load(Ordering::Relaxed),
        })
    }

    /// Decides the call in x0 to x3 that CPU `caller` makes. `enterable` says
    /// whether the Non-secure world may be entered at an address.
    pub fn call(&self, caller: usize, regs: &[u64; 4], enterable: impl Fn(u64) -> bool) -> Outcome {
        let function = match Function::try_from(regs) {
            Ok(function) => function,
            Err(cause) => return error(cause.into()),
        };
        match function {
            Function::Version => Outcome::Return(VERSION),
            Function::Features { psci_func_id } => features(psci_func_id),
            Function::CpuOn { target_cpu, entry } => {
                let entry = Entry {
                    address: entry.entry_point_address(),
                    context: entry.context_id(),
                };
                if enterable(entry.address) {
                    self.cpu_on(target_cpu, entry)
                } else {
                    error(ErrorCode::InvalidAddress)
                }
            }
            Function::CpuOff => match self.0.get(caller) {
                Some(cpu) => {
                    cpu.state.store(OFF, Ordering::Release);
                    Outcome::Off
                }
                None => error(ErrorCode::Denied),
            },
            Function::AffinityInfo {
                mpidr,
                lowest_affinity_level: 0,
            } => self.affinity_info(mpidr),
            Function::AffinityInfo { .. } => error(ErrorCode::InvalidParameters),
            // Nothing resides in the Secure world.
            Function::MigrateInfoType => {
                Outcome::Return(arm_psci::MigrateInfoType::MigrationNotRequired as u64)
            }
            Function::SystemOff => Outcome::SystemOff,
            Function::SystemReset => Outcome::SystemReset,
            _ => error(ErrorCode::NotSupported),
        }
    }

    fn cpu(&self, mpidr: Mpidr) -> Option<(usize, &Cpu)> {
        let index = index_of(u64::from(mpidr))?;
        let cpu = self.0.get(index)?;
        (cpu.state.load(Ordering::Acquire) != ABSENT).then_some((index, cpu))
    }

    fn cpu_on(&self, target: Mpidr, entry: Entry) -> Outcome {
        let Some((index, cpu)) = self.cpu(target) else {
            return error(ErrorCode::InvalidParameters);
        };
        let taken = cpu
            .state
            .compare_exchange(OFF, PENDING, Ordering::AcqRel, Ordering::Acquire);
        match taken {
            Ok(_) => {
                cpu.entry.store(entry.address, Ordering::Relaxed);
                cpu.context.store(entry.context, Ordering::Relaxed);
                Outcome::Wake(index)
            }
            Err(PENDING) => error(ErrorCode::OnPending),
            Err(_) => error(ErrorCode::AlreadyOn),
        }
    }

    fn affinity_info(&self, target: Mpidr) -> Outcome {
        let Some((_, cpu)) = self.cpu(target) else {
            return error(ErrorCode::InvalidParameters);
        };
        Outcome::Return(match cpu.state.load(Ordering::Acquire) {
            ON => AffinityInfo::On as u64,
            PENDING => AffinityInfo::OnPending as u64,
            _ => AffinityInfo::Off as u64,
        })
    }
}

fn features(asked: PsciFeature) -> Outcome {
    let supported = match asked {
        PsciFeature::SmcccVersion => true,
        PsciFeature::PsciFunction(function) => matches!(
            function,
            FunctionId::PsciVersion
                | FunctionId::CpuOff
                | FunctionId::CpuOn32
                | FunctionId::CpuOn64
                | FunctionId::AffinityInfo32
                | FunctionId::AffinityInfo64
                | FunctionId::MigrateInfoType
                | FunctionId::SystemOff
                | FunctionId::SystemReset
                | FunctionId::PsciFeatures
        ),
    };
    if supported {
        Outcome::Return(0)
    } else {
        error(ErrorCode::NotSupported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU_ON: u64 = 0xc400_0003;
    const AFFINITY_INFO: u64 = 0xc400_0004;
    const ENTRY: u64 = 0x6000_0000;

    fn two() -> Cpus {
        let cpus = Cpus::new();
        assert!(cpus.add(0) && cpus.add(1));
        assert_eq!(cpus.arrive(0), None);
        cpus
    }

    fn call(cpus: &Cpus, regs: [u64; 4]) -> Outcome {
        cpus.call(0, &regs, |address| address >= 0x4000_0000)
    }

    fn code(value: i64) -> Outcome {
        Outcome::Return(value as u64)
    }

    #[test]
    fn a_cpu_is_turned_on_once_and_arrives_with_its_entry() {
        let cpus = two();
        assert_eq!(call(&cpus, [AFFINITY_INFO, 1, 0, 0]), code(1));
        assert_eq!(call(&cpus, [CPU_ON, 1, ENTRY, 7]), Outcome::Wake(1));
        assert_eq!(call(&cpus, [CPU_ON, 1, ENTRY, 8]), code(-5));
        assert_eq!(call(&cpus, [AFFINITY_INFO, 1, 0, 0]), code(2));
        let entry = Entry {
            address: ENTRY,
            context: 7,
        };
        assert_eq!(cpus.arrive(1), Some(entry));
        assert_eq!(call(&cpus, [CPU_ON, 1, ENTRY, 8]), code(-4));
        assert_eq!(call(&cpus, [AFFINITY_INFO, 1, 0, 0]), code(0));
    }

    #[test]
    fn a_cpu_that_went_off_can_come_back() {
        let cpus = two();
        assert_eq!(call(&cpus, [CPU_ON, 1, ENTRY, 7]), Outcome::Wake(1));
        cpus.arrive(1);
        assert_eq!(
            cpus.call(1, &[0x8400_0002, 0, 0, 0], |_| true),
            Outcome::Off
        );
        assert_eq!(call(&cpus, [AFFINITY_INFO, 1, 0, 0]), code(1));
        assert_eq!(call(&cpus, [CPU_ON, 1, ENTRY, 9]), Outcome::Wake(1));
    }

    #[test]
    fn absent_cpus_and_bad_entries_are_refused() {
        let cpus = two();
        assert_eq!(call(&cpus, [CPU_ON, 2, ENTRY, 0]), code(-2));
        assert_eq!(call(&cpus, [CPU_ON, 0x10_0000, ENTRY, 0]), code(-2));
        assert_eq!(call(&cpus, [CPU_ON, 1 << 63, ENTRY, 0]), code(-2));
        assert_eq!(call(&cpus, [CPU_ON, 1, 0x1000, 0]), code(-9));
        assert_eq!(call(&cpus, [AFFINITY_INFO, 9, 0, 0]), code(-2));
    }

    #[test]
    fn unserved_functions_are_not_supported_and_features_says_so() {
        let cpus = two();
        assert_eq!(
            call(&cpus, [0x8400_0000, 0, 0, 0]),
            Outcome::Return(0x1_0001)
        );
        for fid in [0x8400_0001, 0xc400_000e, 0x8400_001f] {
            assert_eq!(call(&cpus, [0x8400_000a, fid, 0, 0]), code(-1), "{fid:#x}");
        }
        for fid in [0x8400_0008, 0xc400_0003, 0x8000_0000] {
            assert_eq!(call(&cpus, [0x8400_000a, fid, 0, 0]), code(0), "{fid:#x}");
        }
        assert_eq!(call(&cpus, [0x8400_001f, 0, 0, 0]), code(-1));
        assert_eq!(call(&cpus, [0xc400_0001, 0, 0, 0]), code(-1));
    }

    #[test]
    fn the_machine_can_be_turned_off_and_reset() {
        let cpus = two();
        assert_eq!(call(&cpus, [0x8400_0008, 0, 0, 0]), Outcome::SystemOff);
        assert_eq!(call(&cpus, [0x8400_0009, 0, 0, 0]), Outcome::SystemReset);
    }

    #[test]
    fn indices_follow_the_clusters_and_room_ends_at_the_last() {
        assert_eq!(index_of(0x8000_0000), Some(0));
        assert_eq!(index_of(0x8000_0102), Some(18));
        assert_eq!(index_of(0x10), None);
        assert_eq!(index_of(0x200), None);
        assert_eq!(index_of(0x1_0000), None);
        assert_eq!(index_of(1 << 32), None);
        assert_eq!(two().count(), 2);
    }
}
