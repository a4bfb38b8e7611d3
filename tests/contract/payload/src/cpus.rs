//! The other CPUs, turned on and off by PSCI.
#![expect(
    unsafe_code,
    reason = "what a CPU starts from lies in memory that it reads with its MMU off"
)]

use core::arch::asm;
use core::cell::UnsafeCell;

use conduit::{Conduit, Regs};
use entry::{MAX_CPUS, SecondaryBoot, secondary_entry, stack_top};
use platform::Platform;
use rsi::psci;

use crate::machine::{self, Smc};

const AFFINITY: u64 = 0xff_00ff_ffff;

struct Boots(UnsafeCell<[SecondaryBoot; MAX_CPUS]>);

// SAFETY: an element is written by the CPU that turns its own one on, while that
// one is off, and read by it alone.
unsafe impl Sync for Boots {}

static BOOTS: Boots = Boots(UnsafeCell::new(
    [SecondaryBoot {
        ttbr: 0,
        stack_top: 0,
        cpu: 0,
    }; MAX_CPUS],
));

/// The CPUs of the machine by number, the boot CPU being 0.
#[derive(Clone, Copy, Debug)]
pub struct Cpus {
    mpidrs: [u64; MAX_CPUS],
    count: usize,
}

impl Cpus {
    /// Those of a device tree for which there are stacks.
    pub fn of(platform: &Platform) -> Self {
        let own = mpidr();
        let mut cpus = Self {
            mpidrs: [own; MAX_CPUS],
            count: 1,
        };
        let others = platform.cpus.iter().map(|cpu| cpu.mpidr);
        let others = others.filter(|mpidr| *mpidr != own);
        for (to, mpidr) in cpus.mpidrs.iter_mut().skip(1).zip(others) {
            *to = mpidr;
            cpus.count += 1;
        }
        cpus
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Turns a CPU on that is off; what PSCI answers.
    pub fn turn_on(&self, number: usize) -> i64 {
        let boot = BOOTS.0.get().cast::<SecondaryBoot>().wrapping_add(number);
        assert!(number < self.count, "there is no CPU {number}");
        let start = SecondaryBoot {
            ttbr: machine::root_table(),
            stack_top: stack_top(number).raw(),
            cpu: number as u64,
        };
        // SAFETY: the element is there, and its CPU is off; if it is not, it has
        // read what is written again.
        unsafe { boot.write_volatile(start) };
        // SAFETY: cleaning a line of mapped memory changes no contents.
        unsafe { asm!("dc cvac, {}", "dsb sy", in(reg) boot, options(nostack)) };
        let args = [self.mpidrs[number], secondary_entry().raw(), boot as u64];
        call(psci::CPU_ON_64, &args)
    }

    /// What PSCI says of a CPU's power.
    pub fn affinity(&self, number: usize) -> i64 {
        call(psci::AFFINITY_INFO_64, &[self.mpidrs[number], 0])
    }
}

/// Turns the calling CPU off. It comes back by the secondary's entry.
pub fn turn_off() -> ! {
    let answer = call(psci::CPU_OFF, &[]);
    panic!("CPU_OFF came back with {answer}");
}

/// A PSCI call.
pub fn call(fid: u32, args: &[u64]) -> i64 {
    let Regs([x0, ..]) = Smc.call(Regs::call(fid, args));
    x0 as i64
}

fn mpidr() -> u64 {
    let mpidr: u64;
    // SAFETY: reading the register has no effect.
    unsafe { asm!("mrs {}, mpidr_el1", out(reg) mpidr, options(nomem, nostack)) };
    mpidr & AFFINITY
}
