//! RAM and what is reserved of it.

use crate::error::{PlatformError, Text};
use crate::tree::Tree;
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

pub(crate) fn read_ram(tree: &Tree<'_>) -> Result<Vec<PhysRange, MAX_RAM>, PlatformError> {
    let mut ram = Vec::new();
    tree.walk(&mut |located| {
        let is_memory = located
            .node
            .property("device_type")
            .is_some_and(|kind| kind.value() == b"memory\0");
        if located.depth() != 1 || !is_memory {
            return Ok(false);
        }
        for index in 0..located.reg_count()? {
            insert(&mut ram, located.reg(index)?)?;
        }
        Ok(false)
    })?;
    if ram.is_empty() {
        return Err(PlatformError::MissingNode(
            "RAM (node /memory with device_type \"memory\")",
        ));
    }
    Ok(ram)
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

pub(crate) fn read_reserved(tree: &Tree<'_>) -> Result<Vec<Reserved, MAX_RESERVED>, PlatformError> {
    let too_many = |_| PlatformError::TooMany {
        what: "reserved ranges",
        limit: MAX_RESERVED,
    };
    let mut reserved = Vec::new();
    for entry in tree.header.memory_reservations() {
        let base = PhysAddr::new(entry.address() as u64);
        let range = PhysRange::with_size(base, entry.size() as u64).map_err(|_| {
            PlatformError::Damaged(Text::format(format_args!(
                "/memreserve/ {:#x} {:#x} is not a range",
                base.raw(),
                entry.size()
            )))
        })?;
        let by = Text::new("/memreserve/");
        let no_map = false;
        reserved
            .push(Reserved { range, no_map, by })
            .map_err(too_many)?;
    }
    tree.walk(&mut |located| {
        let inside = located
            .parent()
            .is_some_and(|parent| parent.name() == "reserved-memory");
        // A node without reg asks the system to choose a place for it.
        if located.depth() != 2 || !inside || located.node.property("reg").is_none() {
            return Ok(false);
        }
        for index in 0..located.reg_count()? {
            reserved
                .push(Reserved {
                    range: located.reg(index)?,
                    no_map: located.node.property("no-map").is_some(),
                    by: located.path(),
                })
                .map_err(too_many)?;
        }
        Ok(false)
    })?;
    Ok(reserved)
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
