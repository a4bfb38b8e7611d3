//! Further CPUs of a guest, turned on by PSCI.
#![expect(unsafe_code, reason = "names the entry in assembly")]

use crate::power;
use core::sync::atomic::{AtomicU64, Ordering};
use rsi::psci;
use vm_config::map;

/// CPUs that can be turned on beside the first.
const MORE: usize = 3;
/// Bytes of the stack of each.
const STACK_SIZE: usize = 16 << 10;

#[repr(C, align(16))]
struct Stack([AtomicU64; STACK_SIZE / 8]);

/// What `guest_secondary` reads: where the stack ends, and what to run on it.
#[repr(C)]
struct Start {
    stack_top: AtomicU64,
    main: AtomicU64,
}

static STACKS: [Stack; MORE] =
    [const { Stack([const { AtomicU64::new(0) }; STACK_SIZE / 8]) }; MORE];
static STARTS: [Start; MORE] = [const {
    Start {
        stack_top: AtomicU64::new(0),
        main: AtomicU64::new(0),
    }
}; MORE];

/// Turns CPU `cpu` on, from 1, and has it run `main` on a stack of its own, with
/// vectors and stage 1 up and interrupts masked. Returns what PSCI `CPU_ON` gives;
/// a number that no stack is there for is an invalid parameter.
///
/// A CPU must be off before it is turned on again: its stack is the same.
pub fn start(cpu: u32, main: extern "C" fn() -> !) -> i64 {
    unsafe extern "C" {
        fn guest_secondary();
    }
    let index = (cpu as usize).wrapping_sub(1);
    let (Some(stack), Some(start)) = (STACKS.get(index), STARTS.get(index)) else {
        return psci::INVALID_PARAMETERS;
    };
    let top = stack.0.as_ptr_range().end;
    start
        .stack_top
        .store(top.expose_provenance() as u64, Ordering::Relaxed);
    start.main.store(main as usize as u64, Ordering::Release);
    let entry = guest_secondary as *const () as u64;
    let context = core::ptr::from_ref(start).expose_provenance() as u64;
    power::psci(psci::CPU_ON_64, [map::mpidr(cpu).into(), entry, context])
}
