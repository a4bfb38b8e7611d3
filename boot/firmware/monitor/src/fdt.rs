//! The device tree as QEMU leaves it, and what the monitor adds to it.
//!
//! Under `-bios` the tree has no `/psci` and its CPUs no enable method, because
//! both are the firmware's to give. The RMM's memory is reserved if there is an
//! RMM.

use addr::{GRANULE_SIZE, PhysAddr, PhysRange};
use alloc::vec::Vec;
use core::fmt;
use dtoolkit::Node;
use dtoolkit::error::{FdtParseError, ModelError, PropertyError, StandardError};
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};

/// What the monitor learns from the tree, and the tree for its successor.
#[derive(Debug)]
pub struct Machine {
    /// The edited tree.
    pub blob: Vec<u8>,
    /// RAM, in ascending order.
    pub memory: Vec<PhysRange>,
    /// The affinities of every CPU.
    pub cpus: Vec<u64>,
}

/// Why a device tree cannot be used.
#[derive(Debug)]
pub enum FdtError {
    /// It is damaged.
    Damaged(FdtParseError),
    /// A property is not what the Devicetree Specification says.
    Property(StandardError),
    /// A node or property to be added is refused.
    Edit(ModelError),
    /// It names no CPU.
    NoCpus,
    /// It names no RAM.
    NoMemory,
}

impl fmt::Display for FdtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(cause) => write!(f, "the device tree is damaged: {cause}"),
            Self::Property(cause) => write!(f, "the device tree has a bad property: {cause}"),
            Self::Edit(cause) => write!(f, "the device tree cannot be added to: {cause}"),
            Self::NoCpus => write!(f, "the device tree names no /cpus/cpu node"),
            Self::NoMemory => write!(f, "the device tree names no /memory node with RAM"),
        }
    }
}

impl core::error::Error for FdtError {}

impl From<FdtParseError> for FdtError {
    fn from(cause: FdtParseError) -> Self {
        Self::Damaged(cause)
    }
}

impl From<PropertyError> for FdtError {
    fn from(cause: PropertyError) -> Self {
        Self::Property(cause.into())
    }
}

impl From<StandardError> for FdtError {
    fn from(cause: StandardError) -> Self {
        Self::Property(cause)
    }
}

impl From<ModelError> for FdtError {
    fn from(cause: ModelError) -> Self {
        Self::Edit(cause)
    }
}

/// Reads `blob` and adds PSCI, the CPUs' enable method and the reservation of
/// `rmm`.
pub fn prepare(blob: &[u8], rmm: Option<PhysRange>) -> Result<Machine, FdtError> {
    let fdt = Fdt::new(blob)?;
    let memory = memory(&fdt)?;
    let cpus = cpus(&fdt)?;
    let mut tree = DeviceTree::from_fdt(&fdt);
    tree.root.remove_child("psci");
    tree.root.add_child(psci()?);
    if let Some(nodes) = tree.root.child_mut("cpus") {
        for node in nodes.children_mut() {
            if node.name_without_address() == "cpu" {
                node.add_property(DeviceTreeProperty::new("enable-method", "psci")?);
            }
        }
    }
    if let Some(range) = rmm {
        reserve(&mut tree.root, range)?;
    }
    Ok(Machine {
        blob: tree.to_dtb(),
        memory,
        cpus,
    })
}

fn memory(fdt: &Fdt<'_>) -> Result<Vec<PhysRange>, FdtError> {
    let mut memory = Vec::new();
    for node in fdt.root().children() {
        // A disabled bank is the Secure world's.
        let disabled = node
            .property("status")
            .is_some_and(|status| dtoolkit::Property::value(&status) != b"okay\0");
        if node.name_without_address() != "memory" || disabled {
            continue;
        }
        for reg in node.reg()?.into_iter().flatten() {
            let (base, size): (u64, u64) = (reg.address()?, reg.size()?);
            let whole = size & !(GRANULE_SIZE - 1);
            if let Ok(range) = PhysRange::with_size(PhysAddr::new(base), whole) {
                memory.push(range);
            }
        }
    }
    memory.sort_by_key(|range| range.base());
    if memory.is_empty() {
        return Err(FdtError::NoMemory);
    }
    Ok(memory)
}

fn cpus(fdt: &Fdt<'_>) -> Result<Vec<u64>, FdtError> {
    let mut cpus = Vec::new();
    let root = fdt.root();
    let parent = root.child("cpus").ok_or(FdtError::NoCpus)?;
    for node in parent.children() {
        if node.name_without_address() != "cpu" {
            continue;
        }
        for reg in node.reg()?.into_iter().flatten().take(1) {
            cpus.push(reg.address()?);
        }
    }
    if cpus.is_empty() {
        return Err(FdtError::NoCpus);
    }
    Ok(cpus)
}

fn psci() -> Result<DeviceTreeNode, ModelError> {
    let compatible: &[&str] = &["arm,psci-1.0", "arm,psci-0.2"];
    Ok(DeviceTreeNode::builder("psci")?
        .property(DeviceTreeProperty::new("compatible", compatible)?)
        .property(DeviceTreeProperty::new("method", "smc")?)
        .build())
}

fn reserve(root: &mut DeviceTreeNode, range: PhysRange) -> Result<(), ModelError> {
    const EMPTY: [u8; 0] = [];
    if root.child_mut("reserved-memory").is_none() {
        let node = DeviceTreeNode::builder("reserved-memory")?
            .property(DeviceTreeProperty::new("#address-cells", 2_u32)?)
            .property(DeviceTreeProperty::new("#size-cells", 2_u32)?)
            .property(DeviceTreeProperty::new("ranges", EMPTY)?)
            .build();
        root.add_child(node);
    }
    let (base, size) = (range.base().raw(), range.size());
    let reg = [
        (base >> 32) as u32,
        base as u32,
        (size >> 32) as u32,
        size as u32,
    ];
    let name = alloc::format!("rmm@{base:x}");
    let node = DeviceTreeNode::builder(name)?
        .property(DeviceTreeProperty::new("reg", reg)?)
        .property(DeviceTreeProperty::new("no-map", EMPTY)?)
        .build();
    if let Some(parent) = root.child_mut("reserved-memory") {
        parent.add_child(node);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtoolkit::Property;
    use proptest::prelude::*;

    fn node(name: &str, properties: &[(&str, &[u32])]) -> DeviceTreeNode {
        let mut node = DeviceTreeNode::new(name).unwrap();
        for (name, cells) in properties {
            node.add_property(DeviceTreeProperty::new(*name, *cells).unwrap());
        }
        node
    }

    /// A tree in the shape of QEMU's.
    fn qemu() -> Vec<u8> {
        let mut tree = DeviceTree::new();
        let root = &mut tree.root;
        for name in ["#address-cells", "#size-cells"] {
            root.add_property(DeviceTreeProperty::new(name, 2_u32).unwrap());
        }
        let mut cpus = node("cpus", &[("#address-cells", &[1]), ("#size-cells", &[0])]);
        cpus.add_child(node("cpu-map", &[]));
        cpus.add_child(node("cpu@0", &[("reg", &[0])]));
        cpus.add_child(node("cpu@1", &[("reg", &[1])]));
        root.add_child(cpus);
        root.add_child(node(
            "memory@40000000",
            &[("reg", &[0, 0x4000_0000, 0, 0x8000_0000])],
        ));
        let mut secure = node(
            "memory@e000000",
            &[("reg", &[0, 0x0e00_0000, 0, 0x100_0000])],
        );
        secure.add_property(DeviceTreeProperty::new("status", "disabled").unwrap());
        root.add_child(secure);
        tree.to_dtb()
    }

    fn rmm() -> PhysRange {
        crate::layout::rmm_range().unwrap()
    }

    #[test]
    fn ram_and_cpus_are_found_and_secure_memory_is_not_ram() {
        let machine = prepare(&qemu(), Some(rmm())).unwrap();
        let ram = PhysRange::with_size(PhysAddr::new(0x4000_0000), 0x8000_0000).unwrap();
        assert_eq!(machine.memory, [ram]);
        assert_eq!(machine.cpus, [0, 1]);
    }

    #[test]
    fn psci_enable_methods_and_the_reservation_are_added() {
        let machine = prepare(&qemu(), Some(rmm())).unwrap();
        let fdt = Fdt::new(&machine.blob).unwrap();
        let value = |path: &str, name: &str| {
            let node = fdt.find_node(path).unwrap();
            node.property(name).unwrap().value().to_vec()
        };
        assert_eq!(value("/psci", "method"), b"smc\0");
        assert_eq!(value("/cpus/cpu@1", "enable-method"), b"psci\0");
        assert!(
            fdt.find_node("/cpus/cpu-map")
                .unwrap()
                .property("enable-method")
                .is_none()
        );
        let reserved = fdt.find_node("/reserved-memory/rmm@40100000").unwrap();
        assert!(reserved.property("no-map").is_some());
        let reg = reserved.reg().unwrap().unwrap().next().unwrap();
        assert_eq!(reg.address::<u64>().unwrap(), 0x4010_0000);
        assert_eq!(reg.size::<u64>().unwrap(), 0x0180_0000);
    }

    #[test]
    fn without_an_rmm_nothing_is_reserved() {
        let machine = prepare(&qemu(), None).unwrap();
        let fdt = Fdt::new(&machine.blob).unwrap();
        assert!(fdt.find_node("/reserved-memory").is_none());
    }

    #[test]
    fn trees_without_ram_or_cpus_are_refused() {
        let mut tree = DeviceTree::new();
        assert!(matches!(
            prepare(&tree.to_dtb(), None),
            Err(FdtError::NoMemory)
        ));
        tree.root
            .add_child(node("memory@0", &[("reg", &[0, 0x1000, 0x1000])]));
        assert!(matches!(
            prepare(&tree.to_dtb(), None),
            Err(FdtError::NoCpus)
        ));
        assert!(matches!(prepare(&[0; 64], None), Err(FdtError::Damaged(_))));
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut blob = qemu();
            let at = at.index(blob.len());
            blob[at] = byte;
            let _ = prepare(&blob, Some(rmm()));
        }
    }
}
