//! RAM and what is reserved of it.

use crate::error::{PlatformError, Text};
use crate::tree::{Here, Tree};
use addr::{GRANULE_SIZE, PhysAddr, PhysRange};
use dtoolkit::{Node, Property};
use heapless::Vec;

/// Ranges of RAM at most.
pub const MAX_RAM: usize = 16;
/// Reserved ranges at most.
pub const MAX_RESERVED: usize = 32;
/// Ranges of usable RAM at most.
pub const MAX_USABLE: usize = 64;

/// A range software must leave alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// Where it lies.
    pub range: PhysRange,
    /// Whether it may not even be mapped: speculative access is forbidden.
    pub no_map: bool,
    /// Who says so: a path, or `/memreserve/`.
    pub by: Text,
}

/// Adds the RAM a node describes, if it does.
pub(crate) fn read_ram(
    here: Here<'_, '_>,
    ram: &mut Vec<PhysRange, MAX_RAM>,
) -> Result<(), PlatformError> {
    let kind = here.node.property("device_type");
    if !here.is_top() || kind.is_none_or(|kind| kind.value() != b"memory\0") {
        return Ok(());
    }
    let memory = here.locate();
    (0..memory.reg_count()?).try_for_each(|index| insert(ram, memory.reg(index)?))
}

/// Adds a range, keeping the list ascending and merged.
fn insert(ram: &mut Vec<PhysRange, MAX_RAM>, mut range: PhysRange) -> Result<(), PlatformError> {
    ram.retain(|other| {
        let apart = other.top() < range.base() || range.top() < other.base();
        if !apart {
            let base = range.base().min(other.base());
            let top = range.top().max(other.top());
            range = PhysRange::new(base, top).unwrap_or(range);
        }
        apart
    });
    let place = ram.iter().take_while(|r| r.base() < range.base()).count();
    ram.insert(place, range)
        .map_err(|_| PlatformError::TooMany {
            what: "ranges of RAM",
            limit: MAX_RAM,
        })
}

fn push(reserved: &mut Vec<Reserved, MAX_RESERVED>, entry: Reserved) -> Result<(), PlatformError> {
    reserved.push(entry).map_err(|_| PlatformError::TooMany {
        what: "reserved ranges",
        limit: MAX_RESERVED,
    })
}

/// Adds the entries of the memory reservation block.
pub(crate) fn read_reservations(
    tree: &Tree<'_>,
    reserved: &mut Vec<Reserved, MAX_RESERVED>,
) -> Result<(), PlatformError> {
    for entry in tree.header.memory_reservations() {
        let (base, size) = (entry.address() as u64, entry.size() as u64);
        let range = PhysRange::with_size(PhysAddr::new(base), size).map_err(|_| {
            PlatformError::Damaged(Text::format(format_args!(
                "/memreserve/ {base:#x} {size:#x} is not a range"
            )))
        })?;
        let by = Text::new("/memreserve/");
        let no_map = false;
        push(reserved, Reserved { range, no_map, by })?;
    }
    Ok(())
}

/// Adds what a node below `/reserved-memory` reserves, if it does.
pub(crate) fn read_reserved(
    here: Here<'_, '_>,
    reserved: &mut Vec<Reserved, MAX_RESERVED>,
) -> Result<(), PlatformError> {
    // A node without reg asks the system to choose a place for it.
    if !here.is_below("reserved-memory") || here.node.property("reg").is_none() {
        return Ok(());
    }
    let node = here.locate();
    for index in 0..node.reg_count()? {
        let entry = Reserved {
            range: node.reg(index)?,
            no_map: node.node.property("no-map").is_some(),
            by: node.path(),
        };
        push(reserved, entry)?;
    }
    Ok(())
}

/// `ram` without `reserved` and `taken`, cut to whole granules.
pub(crate) fn usable(
    ram: &[PhysRange],
    reserved: &[Reserved],
    taken: &[PhysRange],
) -> Result<Vec<PhysRange, MAX_USABLE>, PlatformError> {
    let too_many = |_| PlatformError::TooMany {
        what: "ranges of usable RAM",
        limit: MAX_USABLE,
    };
    let mut usable = Vec::new();
    for whole in ram {
        let mut next = whole.base();
        while next < whole.top() {
            let holes = reserved
                .iter()
                .map(|r| r.range)
                .chain(taken.iter().copied());
            let Some(hole) = holes
                .filter(|hole| hole.top() > next && hole.base() < whole.top())
                .min_by_key(|hole| hole.base())
            else {
                push_granules(&mut usable, next, whole.top()).map_err(too_many)?;
                break;
            };
            if hole.base() > next {
                push_granules(&mut usable, next, hole.base()).map_err(too_many)?;
            }
            next = hole.top();
        }
    }
    Ok(usable)
}

/// Adds the whole granules of `base..top`, if any.
fn push_granules(
    list: &mut Vec<PhysRange, MAX_USABLE>,
    base: PhysAddr,
    top: PhysAddr,
) -> Result<(), PhysRange> {
    let base = base.align_up(GRANULE_SIZE);
    let top = top.align_down(GRANULE_SIZE);
    match base.and_then(|base| PhysRange::new(base, top).ok()) {
        Some(range) => list.push(range),
        None => Ok(()),
    }
}
