//! The GICv3 and the interrupts of the generic timers.

use crate::error::PlatformError;
use crate::tree::{GicBinding, Located};
use addr::PhysRange;
use dtoolkit::{Node, Property};
use heapless::Vec;

/// Redistributor regions at most.
pub const MAX_REDISTRIBUTOR_REGIONS: usize = 16;

/// A GICv3 interrupt controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gic {
    /// The distributor's registers.
    pub distributor: PhysRange,
    /// The regions that hold the redistributors.
    pub redistributors: Vec<PhysRange, MAX_REDISTRIBUTOR_REGIONS>,
    /// Bytes between redistributors where the tree fixes it; else it follows
    /// from `GICR_TYPER.VLPIS`: 128 KiB, or 256 KiB with GICv4.
    pub redistributor_stride: Option<u64>,
    /// INTID of the maintenance interrupt of virtual interfaces.
    pub maintenance_intid: Option<u32>,
}

/// INTIDs of the generic timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// EL1 physical timer (`CNTP`).
    pub physical: u32,
    /// EL1 virtual timer (`CNTV`).
    pub virtual_: u32,
    /// EL2 physical timer (`CNTHP`).
    pub hyp_physical: u32,
    /// EL2 virtual timer (`CNTHV`), which needs VHE.
    pub hyp_virtual: Option<u32>,
}

/// How nodes refer to the GIC.
pub(crate) fn gic_binding(gic: &Located<'_>) -> Result<GicBinding, PlatformError> {
    let cells = gic
        .u32("#interrupt-cells")?
        .ok_or_else(|| gic.missing("#interrupt-cells"))?;
    if !(3..=4).contains(&cells) {
        return Err(gic.bad("#interrupt-cells", "is neither 3 nor 4"));
    }
    Ok(GicBinding {
        phandle: gic.u32("phandle")?,
        cells,
    })
}

pub(crate) fn read_gic(gic: &Located<'_>, binding: GicBinding) -> Result<Gic, PlatformError> {
    let regions = gic.u32("#redistributor-regions")?.unwrap_or(1) as usize;
    if regions == 0 || regions > gic.reg_count()? {
        return Err(gic.bad(
            "#redistributor-regions",
            "is zero or exceeds the entries of reg",
        ));
    }
    let mut redistributors = Vec::new();
    for index in 1..=regions {
        redistributors
            .push(gic.reg(index)?)
            .map_err(|_| PlatformError::TooMany {
                what: "redistributor regions",
                limit: MAX_REDISTRIBUTOR_REGIONS,
            })?;
    }
    Ok(Gic {
        distributor: gic.reg(0)?,
        redistributors,
        redistributor_stride: read_stride(gic)?,
        // The GIC's own interrupts come to itself whatever its parent says.
        maintenance_intid: gic.intid(
            GicBinding {
                phandle: None,
                ..binding
            },
            0,
        )?,
    })
}

fn read_stride(gic: &Located<'_>) -> Result<Option<u64>, PlatformError> {
    let Some(property) = gic.node.property("redistributor-stride") else {
        return Ok(None);
    };
    let one = property.value_as::<u32>().map(u64::from);
    let stride = one
        .or_else(|_| property.value_as::<u64>())
        .map_err(|_| gic.bad("redistributor-stride", "is neither one nor two cells"))?;
    match stride {
        0 => Ok(None),
        stride if stride.is_multiple_of(0x1_0000) => Ok(Some(stride)),
        _ => Err(gic.bad("redistributor-stride", "is not a multiple of 64 KiB")),
    }
}

pub(crate) fn read_timer(node: &Located<'_>, binding: GicBinding) -> Result<Timer, PlatformError> {
    if node.node.property("interrupts").is_none() {
        return Err(node.missing("interrupts"));
    }
    let intid = |name: &str, place: usize| {
        let place = named_place(node, name).unwrap_or(Some(place));
        match place {
            Some(place) => node.intid(binding, place),
            None => Ok(None),
        }
    };
    let required = |name: &str, place: usize, problem: &'static str| {
        intid(name, place)?.ok_or_else(|| node.bad("interrupts", problem))
    };
    Ok(Timer {
        physical: required("phys", 1, "lacks the EL1 physical timer at the GIC")?,
        virtual_: required("virt", 2, "lacks the EL1 virtual timer at the GIC")?,
        hyp_physical: required("hyp-phys", 3, "lacks the EL2 physical timer at the GIC")?,
        hyp_virtual: intid("hyp-virt", 4)?,
    })
}

/// Where `interrupt-names` puts `name`: `None` without that property,
/// `Some(None)` if it does not list the name.
fn named_place(node: &Located<'_>, name: &str) -> Option<Option<usize>> {
    let names = node.node.property("interrupt-names")?;
    let mut list = names.value().split(|byte| *byte == 0);
    Some(list.position(|entry| entry == name.as_bytes()))
}

/// The INTID of an interrupt specifier of the `arm,gic-v3` binding.
pub(crate) fn decode_intid(cells: &[u8]) -> Option<u32> {
    let cell = |index: usize| -> Option<u32> {
        let bytes = cells.get(4 * index..4 * index + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    match (cell(0)?, cell(1)?) {
        (0, number @ 0..=987) => Some(32 + number),
        (1, number @ 0..=15) => Some(16 + number),
        (2, number @ 0..=1023) => Some(4096 + number),
        (3, number @ 0..=63) => Some(1056 + number),
        _ => None,
    }
}
