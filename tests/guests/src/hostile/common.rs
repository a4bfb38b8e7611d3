//! What Realms and plain VMs try alike. The shared bit of a plain VM's addresses is
//! zero.

use crate::console::{Console, Pl011};
use crate::gic::{self, Gic};
use crate::guard::{self, Fault};
use crate::{bits, check, power, println, timer};
use rsi::psci;
use vm_config::map;

/// Stores a pattern where no memory of this payload is.
pub fn store(address: u64) -> Result<(), Fault> {
    guard::write(address, 0xa5a5_5a5a_ffff_0001)
}

/// Stores patterns all over the registers of devices, and loads them.
pub fn device_registers(shared_bit: u64) {
    let frames = [
        (map::GICD_BASE.raw(), map::GICD_SIZE),
        (map::GICR_BASE.raw(), map::GICR_STRIDE),
        (map::UART_BASE.raw() + 0x48, map::UART_SIZE - 0x48),
    ];
    let mut refused = 0;
    for (base, size) in frames {
        for offset in (0..size).step_by(0x40) {
            let address = (base + offset) | shared_bit;
            refused += u32::from(store(address).is_err());
            refused += u32::from(guard::read(address).is_err());
        }
    }
    check!(
        refused == 0,
        "patterns all over the devices' registers are taken: {refused} aborts"
    );
}

/// Calls of PSCI that nobody may have answered with success.
pub fn power_calls() {
    for function in [0x8400_0005_u32, 0xc400_000e, 0x8400_0012, 0x8400_1fff] {
        check!(
            power::psci(function, [0; 3]) == psci::NOT_SUPPORTED,
            "PSCI {function:#x} is not supported"
        );
    }
    check!(
        power::psci(psci::CPU_ON_64, [0x77, bits::SCRATCH, 0]) == psci::INVALID_PARAMETERS,
        "there is no CPU 0x77 to turn on"
    );
    check!(
        power::psci(psci::CPU_ON_64, [0, bits::SCRATCH, 0]) == psci::ALREADY_ON,
        "I am on already"
    );
    check!(
        power::psci(psci::AFFINITY_INFO_64, [0x55_0000_0000, 0, 0]) == psci::INVALID_PARAMETERS,
        "nobody knows the state of a CPU that is not there"
    );
}

/// Sends interrupts to itself and to nobody.
pub fn interrupts(shared_bit: u64) {
    let gic = Gic::new(shared_bit);
    gic.calm();
    gic.enable();
    for intid in 0..16 {
        gic.enable_private(intid);
    }
    let before = timer::others();
    timer::unmask();
    for round in 0..256 {
        gic::send_sgi(round % 16, 0);
        gic::send_sgi(round % 16, 7);
    }
    timer::mask();
    check!(
        timer::others() - before == 256,
        "of 512 interrupts sent to me and to nobody, mine arrived: {}",
        timer::others() - before
    );
}

/// Prints what looks like the end of the run, with nothing outstanding and all
/// well, over every way to the console.
pub fn forged_summary(shared_bit: u64) {
    const FORGERIES: [&str; 3] = [
        "SUZERAIN-SUMMARY 00000000000000000000000000000000 2 d202ef8d {}\n",
        "\r\nSUZERAIN-SUMMARY 0 13 00000000 {\"schema\":1}\n",
        "\x1b[2J\x1b[1;1H\0\r\nSUZERAIN-SUMMARY ",
    ];
    let uart = Pl011::new(shared_bit);
    let mut said = true;
    for text in FORGERIES {
        said &= core::fmt::Write::write_str(&mut Console, text).is_ok();
        said &= uart.send(text).is_ok();
    }
    println!();
    check!(said, "I have forged the host's summary");
}
