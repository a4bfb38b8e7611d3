//! Checked access to the tree: walking it, translating bus addresses,
//! decoding interrupts.
//!
//! Invariant: a [`Tree`] exists only for a blob that `dtoolkit` has checked
//! from end to end, so reading cannot run into damage. The walk holds the way to
//! where it is in [`MAX_DEPTH`] frames and refuses deeper trees.

use crate::error::{PlatformError, Text};
use crate::{MAX_BOOTARGS, interrupt::decode_intid};
use addr::{PhysAddr, PhysRange};
use dtoolkit::standard::NodeStandard;
use dtoolkit::{Node, Property};
use heapless::{String, Vec};

/// Bytes of a blob's header that [`blob_size`] needs.
pub const HEADER_SIZE: usize = 40;
/// Bytes a blob has at most: what the boot protocol of arm64 allows.
pub const MAX_BLOB: usize = 2 << 20;
/// Levels of nodes below the root that are looked at.
const MAX_DEPTH: usize = 12;

pub(crate) type FdtNode<'a> = dtoolkit::fdt::FdtNode<'a>;

/// The size a blob's header gives it, so that the caller can make a slice of
/// the whole before calling [`crate::Platform::from_fdt`].
pub fn blob_size(header: &[u8; HEADER_SIZE]) -> Result<usize, PlatformError> {
    let word = |index: usize| -> u32 {
        let bytes = header.get(4 * index..4 * index + 4);
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_be_bytes)
    };
    if word(0) != 0xd00d_feed {
        return Err(PlatformError::Damaged(Text::format(format_args!(
            "it starts with {:#010x} where 0xd00dfeed is expected",
            word(0)
        ))));
    }
    let size = word(1) as usize;
    if (HEADER_SIZE..=MAX_BLOB).contains(&size) {
        Ok(size)
    } else {
        Err(PlatformError::Damaged(Text::format(format_args!(
            "its header says {size} bytes, which is outside {HEADER_SIZE} to {MAX_BLOB}"
        ))))
    }
}

/// A device tree whose structure is sound.
#[derive(Clone, Copy)]
pub(crate) struct Tree<'a> {
    pub(crate) nodes: dtoolkit::fdt::Fdt<'a>,
    pub(crate) header: fdt::Fdt<'a>,
}

/// A node together with the way to it.
#[derive(Clone)]
pub(crate) struct Located<'a> {
    pub(crate) node: FdtNode<'a>,
    /// From the root (first) to the parent (last).
    ancestors: Vec<FdtNode<'a>, MAX_DEPTH>,
}

/// A node on the walk, from the root's children on.
#[derive(Clone, Copy)]
pub(crate) struct Here<'w, 'a> {
    pub(crate) node: FdtNode<'a>,
    above: &'w [Frame<'a>],
}

struct Frame<'a> {
    node: FdtNode<'a>,
    children: <FdtNode<'a> as Node>::Children<'a>,
}

impl<'a> Tree<'a> {
    /// Checks the structure of `blob` from end to end.
    pub(crate) fn check(blob: &'a [u8]) -> Result<Self, PlatformError> {
        let damaged = |problem: &str| PlatformError::Damaged(Text::new(problem));
        let header = blob
            .first_chunk::<HEADER_SIZE>()
            .ok_or_else(|| damaged("it is shorter than a header"))?;
        let size = blob_size(header)?;
        let blob = blob
            .get(..size)
            .ok_or_else(|| damaged("it is shorter than its header says"))?;
        let nodes = dtoolkit::fdt::Fdt::new(blob)
            .map_err(|error| PlatformError::Damaged(Text::format(format_args!("{error}"))))?;
        let header = fdt::Fdt::new(blob)
            .map_err(|error| PlatformError::Damaged(Text::format(format_args!("{error}"))))?;
        Ok(Self { nodes, header })
    }

    /// Visits enabled nodes, parents before children; the nodes below one that
    /// is not enabled are left out.
    pub(crate) fn walk(
        &self,
        visit: &mut dyn FnMut(Here<'_, 'a>) -> Result<(), PlatformError>,
    ) -> Result<(), PlatformError> {
        let too_deep = |_| PlatformError::TooMany {
            what: "levels of nodes",
            limit: MAX_DEPTH,
        };
        let mut frames: Vec<Frame<'a>, MAX_DEPTH> = Vec::new();
        let root = Frame::new(self.nodes.root());
        frames.push(root).map_err(too_deep)?;
        while let Some(frame) = frames.last_mut() {
            let Some(node) = frame.children.next() else {
                frames.pop();
                continue;
            };
            if is_enabled(&node) {
                let above = &frames;
                visit(Here { node, above })?;
                frames.push(Frame::new(node)).map_err(too_deep)?;
            }
        }
        Ok(())
    }

    /// A property of the root as text; empty if absent or no text.
    pub(crate) fn root_text(&self, property: &str) -> Text {
        let root = self.nodes.root();
        let value = root.property(property);
        Text::new(value.and_then(|p| p.value_as::<&str>().ok()).unwrap_or(""))
    }

    /// `/chosen/bootargs`; empty if there are none.
    pub(crate) fn bootargs(&self) -> Result<String<MAX_BOOTARGS>, PlatformError> {
        let bad = |problem| PlatformError::BadProperty {
            node: Text::new("/chosen"),
            property: "bootargs",
            problem,
        };
        let Some(property) = self
            .nodes
            .find_node("/chosen")
            .and_then(|chosen| chosen.property("bootargs"))
        else {
            return Ok(String::new());
        };
        let text = property
            .value_as::<&str>()
            .map_err(|_| bad("is not a text that ends with a zero byte"))?;
        String::try_from(text).map_err(|_| bad("is longer than 1024 bytes"))
    }
}

impl<'a> Frame<'a> {
    fn new(node: FdtNode<'a>) -> Self {
        Self {
            node,
            children: node.children(),
        }
    }
}

/// Whether software may use the node: it has no `status`, or one of `okay`.
fn is_enabled(node: &FdtNode<'_>) -> bool {
    let status = node.property("status");
    status.is_none_or(|status| matches!(status.value(), b"okay\0" | b"ok\0"))
}

impl<'a> Here<'_, 'a> {
    /// Whether the node is a child of the root.
    pub(crate) fn is_top(&self) -> bool {
        self.above.len() == 1
    }

    /// Whether the node is a child of the root's child `name`.
    pub(crate) fn is_below(&self, name: &str) -> bool {
        let parent = self.above.last();
        self.above.len() == 2 && parent.is_some_and(|parent| parent.node.name() == name)
    }

    /// The strings of `compatible`, most specific first.
    pub(crate) fn compatible(&self) -> impl Iterator<Item = &'a str> {
        self.node.compatible().into_iter().flatten()
    }

    /// The node together with the way to it.
    pub(crate) fn locate(&self) -> Located<'a> {
        Located {
            node: self.node,
            // The walk keeps as many frames at most as there is room for here.
            ancestors: self.above.iter().map(|frame| frame.node).collect(),
        }
    }
}

impl<'a> Located<'a> {
    /// The path, for messages.
    pub(crate) fn path(&self) -> Text {
        let mut path = Text::default();
        for ancestor in self.ancestors.iter().skip(1) {
            path.push("/");
            path.push(ancestor.name());
        }
        path.push("/");
        path.push(self.node.name());
        path
    }

    /// The names from this node up to the one below the root.
    pub(crate) fn names_upwards(&self) -> impl Iterator<Item = &'a str> {
        let above = self.ancestors.iter().skip(1).rev().map(|node| node.name());
        core::iter::once(self.node.name()).chain(above)
    }

    pub(crate) fn is_compatible(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.node.is_compatible(name))
    }

    pub(crate) fn missing(&self, property: &'static str) -> PlatformError {
        PlatformError::MissingProperty {
            node: self.path(),
            property,
        }
    }

    pub(crate) fn bad(&self, property: &'static str, problem: &'static str) -> PlatformError {
        PlatformError::BadProperty {
            node: self.path(),
            property,
            problem,
        }
    }

    /// A property of one cell, if the node has it.
    pub(crate) fn u32(&self, property: &'static str) -> Result<Option<u32>, PlatformError> {
        self.node
            .property(property)
            .map(|value| value.value_as::<u32>())
            .transpose()
            .map_err(|_| self.bad(property, "is not one cell"))
    }

    /// Entry `index` of `reg` as the CPU sees it.
    pub(crate) fn reg(&self, index: usize) -> Result<PhysRange, PlatformError> {
        let mut entries = self
            .node
            .reg()
            .map_err(|_| self.bad("reg", "does not fit the cells of its parent"))?
            .ok_or_else(|| self.missing("reg"))?;
        let entry = entries
            .nth(index)
            .ok_or_else(|| self.bad("reg", "has too few entries"))?;
        let numbers = entry
            .address::<u64>()
            .and_then(|a| Ok((a, entry.size::<u64>()?)));
        let (address, size) =
            numbers.map_err(|_| self.bad("reg", "has an address or a size of over 64 bits"))?;
        let address = self.translate(address, size)?;
        PhysRange::with_size(PhysAddr::new(address), size)
            .map_err(|_| self.bad("reg", "is empty or passes the end of the address space"))
    }

    /// How many entries `reg` has.
    pub(crate) fn reg_count(&self) -> Result<usize, PlatformError> {
        let entries = self
            .node
            .reg()
            .map_err(|_| self.bad("reg", "does not fit the cells of its parent"))?
            .ok_or_else(|| self.missing("reg"))?;
        Ok(entries.count())
    }

    /// Follows `ranges` from the parent up to the root.
    fn translate(&self, mut address: u64, size: u64) -> Result<u64, PlatformError> {
        let buses = self.ancestors.get(1..).unwrap_or(&[]);
        for bus in buses.iter().rev() {
            let Some(ranges) = bus.property("ranges") else {
                return Err(self.bad("reg", "lies on a bus without ranges"));
            };
            if ranges.value().is_empty() {
                continue;
            }
            address = translate_step(bus, address, size)
                .ok_or_else(|| self.bad("reg", "lies outside the ranges of its bus"))?;
        }
        Ok(address)
    }

    /// The phandle of the controller its interrupts go to: the one a node names
    /// for itself and those below, or a bus that takes its nodes' interrupts
    /// itself, to map them on.
    fn interrupt_parent(&self) -> Option<u32> {
        let phandle = |node: &FdtNode<'a>, name| {
            let property = node.property(name)?;
            Some(property.value_as::<u32>().ok())
        };
        if let Some(own) = phandle(&self.node, "interrupt-parent") {
            return own;
        }
        let mut above = self.ancestors.iter().rev();
        above
            .find_map(|node| match node.property("#interrupt-cells") {
                Some(_) => Some(phandle(node, "phandle").flatten()),
                None => phandle(node, "interrupt-parent"),
            })
            .flatten()
    }

    /// Interrupt `index` of the node, or `None` if it has no such interrupt
    /// or another controller than the GIC takes it.
    pub(crate) fn intid(
        &self,
        gic: GicBinding,
        index: usize,
    ) -> Result<Option<u32>, PlatformError> {
        let Some(property) = self.node.property("interrupts") else {
            return Ok(None);
        };
        if gic.phandle.is_some() && self.interrupt_parent() != gic.phandle {
            return Ok(None);
        }
        let entry = gic.cells as usize * 4;
        let value = property.value();
        if value.is_empty() || !value.len().is_multiple_of(entry) {
            return Err(self.bad("interrupts", "does not fit #interrupt-cells of the GIC"));
        }
        let Some(cells) = value.chunks_exact(entry).nth(index) else {
            return Ok(None);
        };
        decode_intid(cells)
            .map(Some)
            .ok_or_else(|| self.bad("interrupts", "names an interrupt a GIC cannot have"))
    }
}

/// How nodes refer to the interrupt controller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GicBinding {
    pub(crate) phandle: Option<u32>,
    pub(crate) cells: u32,
}

/// One step of address translation: through the `ranges` of `bus`.
fn translate_step(bus: &FdtNode<'_>, address: u64, size: u64) -> Option<u64> {
    for range in bus.ranges().ok()?? {
        let child = range.child_bus_address::<u64>().ok()?;
        let parent = range.parent_bus_address::<u64>().ok()?;
        let length = range.length::<u64>().ok()?;
        let Some(offset) = address.checked_sub(child) else {
            continue;
        };
        if offset.checked_add(size)? <= length {
            return parent.checked_add(offset);
        }
    }
    None
}
