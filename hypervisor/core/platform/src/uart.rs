//! The console.

use crate::error::PlatformError;
use crate::ns16550;
use crate::tree::{GicBinding, Located, Tree};
use addr::PhysRange;
use dtoolkit::{Node, Property};

/// The programming model of a UART.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UartKind {
    /// Arm PL011, or the subset of it that SBSA calls the generic UART.
    Pl011,
    /// 8250 family.
    Ns16550 {
        /// Base-two logarithm of the bytes between registers.
        reg_shift: u32,
        /// Bytes of an access.
        io_width: u32,
    },
}

/// The UART that is the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uart {
    /// Its programming model.
    pub kind: UartKind,
    /// Its registers.
    pub registers: PhysRange,
    /// Its interrupt, unless it has none at the GIC and must be polled.
    pub intid: Option<u32>,
}

const PL011: [&str; 2] = ["arm,pl011", "arm,sbsa-uart"];
const NS16550: [&str; 4] = ["ns16550a", "ns16550", "snps,dw-apb-uart", "ns8250"];

/// Whether a node is a UART this crate knows.
pub(crate) fn is_known(compatible: &str) -> bool {
    PL011.contains(&compatible) || NS16550.contains(&compatible)
}

/// Reads a UART; without a `binding` to the GIC, as one to be polled.
pub(crate) fn read(node: &Located<'_>, binding: Option<GicBinding>) -> Result<Uart, PlatformError> {
    let intid = match binding {
        Some(binding) => node.intid(binding, 0)?,
        None => None,
    };
    let registers = node.reg(0)?;
    Ok(Uart {
        kind: read_kind(node, registers)?,
        registers,
        intid,
    })
}

fn read_kind(node: &Located<'_>, registers: PhysRange) -> Result<UartKind, PlatformError> {
    if node.is_compatible(&PL011) {
        return Ok(UartKind::Pl011);
    }
    let reg_shift = node.u32("reg-shift")?.unwrap_or(0);
    let io_width = node.u32("reg-io-width")?.unwrap_or(1);
    if reg_shift > 3 {
        return Err(node.bad("reg-shift", "exceeds 3"));
    }
    if !matches!(io_width, 1 | 2 | 4) {
        return Err(node.bad("reg-io-width", "is not 1, 2 or 4"));
    }
    if io_width > 1 << reg_shift {
        return Err(node.bad("reg-io-width", "exceeds the distance between registers"));
    }
    if registers.size() < ns16550::REGISTERS << reg_shift {
        return Err(node.bad("reg", "is too small for the registers"));
    }
    if !registers.base().raw().is_multiple_of(u64::from(io_width)) {
        return Err(node.bad("reg", "is not aligned to its reg-io-width"));
    }
    Ok(UartKind::Ns16550 {
        reg_shift,
        io_width,
    })
}

/// `/chosen/stdout-path` with its alias resolved and its options cut off.
pub(crate) fn stdout_path<'a>(tree: &Tree<'a>) -> Option<&'a str> {
    let chosen = tree.nodes.find_node("/chosen")?;
    let value = chosen.property("stdout-path")?;
    let path = value.value_as::<&'a str>().ok()?.split(':').next()?;
    if path.starts_with('/') {
        return Some(path);
    }
    let aliases = tree.nodes.find_node("/aliases")?;
    aliases.property(path)?.value_as::<&'a str>().ok()
}

/// Whether `path` leads to `node`; unit addresses may be left out of it.
pub(crate) fn is_at(node: &Located<'_>, path: &str) -> bool {
    let mut wanted = path.split('/').filter(|part| !part.is_empty()).rev();
    let mut names = node.names_upwards();
    loop {
        match (wanted.next(), names.next()) {
            (None, None) => return true,
            (Some(part), Some(name)) if part == name => {}
            (Some(part), Some(name)) if name.split('@').next() == Some(part) => {}
            _ => return false,
        }
    }
}
