//! Power-off and reset through the secure PL061: QEMU acts on a rising edge.
#![expect(unsafe_code, reason = "waiting is an instruction")]

use crate::hw::mmio::Device;
use core::arch::asm;

const DIRECTION: u64 = 0x400;
const LINE_OFF: u32 = 1 << 0;
const LINE_RESET: u32 = 1 << 1;

fn pulse(line: u32) {
    // The data register takes its write mask from the address.
    let data = u64::from(line) << 2;
    let direction = Device::GPIO.read(DIRECTION);
    Device::GPIO.write(DIRECTION, direction | line);
    Device::GPIO.write(data, 0);
    Device::GPIO.write(data, line);
}

/// Powers the machine off.
pub fn off() -> ! {
    pulse(LINE_OFF);
    wait()
}

/// Resets the machine.
pub fn reset() -> ! {
    pulse(LINE_RESET);
    wait()
}

fn wait() -> ! {
    loop {
        // SAFETY: waiting for an interrupt touches no memory.
        unsafe { asm!("wfi", options(nomem, nostack)) }
    }
}
