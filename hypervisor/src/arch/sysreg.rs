//! System registers by name, for the modules that move many of them.
#![expect(unsafe_code, reason = "MRS, MSR and ISB")]

/// Reads a system register.
macro_rules! read {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reading a register of this list has no effect beside its value.
        unsafe {
            core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value,
                options(nomem, nostack, preserves_flags));
        }
        value
    }};
}

/// Writes a system register.
macro_rules! write {
    ($name:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: the registers written in this way are those of EL1 and EL0, or
        // govern how EL1 runs and is confined; EL2's own translation and vectors
        // are none of them. Not `nomem`: what they govern is memory too.
        unsafe {
            core::arch::asm!(concat!("msr ", $name, ", {}"), in(reg) value,
                options(nostack, preserves_flags));
        }
    }};
}

pub(super) use {read, write};

/// Waits until register writes have taken effect.
pub(super) fn isb() {
    // SAFETY: a barrier changes no state.
    unsafe { core::arch::asm!("isb", options(nostack, preserves_flags)) }
}

/// A field of four bits of an identification register.
pub(super) const fn field(register: u64, low: u32) -> u64 {
    register >> low & 0xf
}
