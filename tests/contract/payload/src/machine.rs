//! What the payloads need of the machine beside memory: SMC, the UART's mapping,
//! exception vectors, power-off, the names that the entry path calls.
#![expect(unsafe_code, reason = "SMC, vectors, and one entry of the early map")]

use core::arch::{asm, global_asm};

use conduit::{Conduit, Regs};
use entry::{BootInfo, MAIR_DEVICE};
use rsi::psci;

use crate::{console, println};

/// The conduit to EL3.
pub struct Smc;

impl Conduit for Smc {
    fn call(&self, regs: Regs) -> Regs {
        let [
            mut x0,
            mut x1,
            mut x2,
            mut x3,
            mut x4,
            mut x5,
            mut x6,
            mut x7,
        ] = regs.0;
        // SAFETY: an SMC changes x0 to x17 at most, as declared, and memory that
        // the cases name: the pool, which Rust sees by volatile accesses only.
        unsafe {
            asm!(
                "smc #0",
                inlateout("x0") x0, inlateout("x1") x1,
                inlateout("x2") x2, inlateout("x3") x3,
                inlateout("x4") x4, inlateout("x5") x5,
                inlateout("x6") x6, inlateout("x7") x7,
                out("x8") _, out("x9") _, out("x10") _, out("x11") _,
                out("x12") _, out("x13") _, out("x14") _, out("x15") _,
                out("x16") _, out("x17") _,
                options(nostack),
            );
        }
        Regs([x0, x1, x2, x3, x4, x5, x6, x7])
    }
}

/// Turns the machine off.
pub fn off() -> ! {
    Smc.call(Regs::call(psci::SYSTEM_OFF, &[]));
    loop {
        core::hint::spin_loop();
    }
}

/// The device tree.
pub fn device_tree(boot: &BootInfo) -> &'static [u8] {
    let header = boot.fdt.raw() as *const [u8; platform::HEADER_SIZE];
    // SAFETY: entry.S has mapped what x0 points to, read-only; nobody writes it.
    let Ok(size) = platform::blob_size(unsafe { &*header }) else {
        off()
    };
    // SAFETY: as above; `blob_size` allows at most the 2 MiB that are mapped.
    unsafe { core::slice::from_raw_parts(boot.fdt.raw() as *const u8, size) }
}

/// Maps the UART that the device tree describes, and prints there.
pub fn open_console(boot: &BootInfo) {
    let Ok(uart) = platform::console(device_tree(boot)) else {
        off()
    };
    let base = uart.registers.base().raw();
    map_device(base);
    // SAFETY: 1. the device tree says so, it has just been mapped, and firmware
    // is done with it.
    unsafe { console::open(base) };
}

/// The root of the early map.
pub fn root_table() -> u64 {
    &raw const __early_tables as u64
}

unsafe extern "C" {
    static mut __early_tables: [[u64; 512]; 2];
}

/// Maps the gigabyte around a device, which nothing else may be in: the early
/// map has the image and the device tree only.
fn map_device(base: u64) {
    const GIB_SHIFT: u32 = 30;
    const VALID_BLOCK: u64 = 1;
    const ACCESSED: u64 = 1 << 10;
    const NEVER_EXECUTE: u64 = 1 << 53 | 1 << 54;
    let index = (base >> GIB_SHIFT) as usize;
    // SAFETY: level 1 of the early map, built by entry.S for the first 512 GiB
    // and written by nobody else; this CPU is the only one.
    let level1 = unsafe { &raw mut __early_tables[1] }.cast::<u64>();
    assert!(index < 512, "the UART lies past the early map");
    let entry = level1.wrapping_add(index);
    // SAFETY: `index` is within the table.
    if unsafe { entry.read_volatile() } & VALID_BLOCK != 0 {
        off()
    }
    let block = (base >> GIB_SHIFT << GIB_SHIFT)
        | VALID_BLOCK
        | ACCESSED
        | NEVER_EXECUTE
        | (MAIR_DEVICE as u64) << 2;
    // SAFETY: as above. The entry was invalid, so that no TLB has it.
    unsafe { entry.write_volatile(block) };
    // SAFETY: orders the entry before the accesses that use it.
    unsafe { asm!("dsb ishst", "isb", options(nostack)) };
}

// Every exception ends the run: interrupts stay masked, and an access that
// faults is a granule that did not come back.
global_asm!(
    ".text",
    ".balign 0x800",
    ".global suz_vectors",
    "suz_vectors:",
    ".rept 16",
    ".balign 0x80",
    "mrs x0, esr_el2",
    "mrs x1, far_el2",
    "mrs x2, elr_el2",
    "b {exception}",
    ".endr",
    exception = sym exception,
);

extern "C" fn exception(esr: u64, far: u64, elr: u64) -> ! {
    println!("Bail out! exception at {elr:#x}: ESR {esr:#x}, FAR {far:#x}");
    off()
}

/// Names the payload's functions: `fn(&BootInfo) -> !` for the boot CPU,
/// `fn(usize) -> !` for every other.
#[macro_export]
macro_rules! entry {
    ($main:path, $secondary:path) => {
        /// First Rust of the boot CPU.
        #[expect(unsafe_code, reason = "the entry assembly calls it by name")]
        #[unsafe(no_mangle)]
        extern "C" fn suz_main(fdt: u64, image_base: u64, entered: u64) -> ! {
            let main: fn(&entry::BootInfo) -> ! = $main;
            main(&entry::BootInfo::new(fdt, image_base, entered))
        }

        /// First Rust of every other CPU.
        #[expect(unsafe_code, reason = "the entry assembly calls it by name")]
        #[unsafe(no_mangle)]
        extern "C" fn suz_secondary_main(cpu: u64) -> ! {
            let secondary: fn(usize) -> ! = $secondary;
            secondary(cpu as usize)
        }
    };
}
