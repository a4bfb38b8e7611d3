extern crate alloc;

mod damage;
mod fvp;
mod machine;
mod unusual;

use crate::*;
use addr::PhysAddr;
use alloc::vec::Vec as HeapVec;
use dtoolkit::ToPropertyValue;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};

/// The tree QEMU 10.0 makes for `virt,secure=on,virtualization=on,gic-version=3`
/// with two CPUs, 2 GiB of RAM and boot arguments, without its padding.
pub(crate) const QEMU_VIRT: &[u8] = include_bytes!("../tests/data/qemu-virt.dtb");

fn range(base: u64, size: u64) -> PhysRange {
    PhysRange::with_size(PhysAddr::new(base), size).unwrap()
}

/// A device tree under construction.
struct Dts(DeviceTree);

impl Dts {
    fn qemu() -> Self {
        let fdt = dtoolkit::fdt::Fdt::new(QEMU_VIRT).unwrap();
        Self(DeviceTree::from_fdt(&fdt))
    }

    fn node(&mut self, path: &str) -> &mut DeviceTreeNode {
        self.0.find_node_mut(path).unwrap()
    }

    fn set(mut self, path: &str, name: &str, value: impl ToPropertyValue) -> Self {
        let property = DeviceTreeProperty::new(name, value).unwrap();
        self.node(path).add_property(property);
        self
    }

    fn unset(mut self, path: &str, name: &str) -> Self {
        self.node(path).remove_property(name).unwrap();
        self
    }

    fn add(mut self, parent: &str, name: &str) -> Self {
        let node = DeviceTreeNode::new(name).unwrap();
        self.node(parent).add_child(node);
        self
    }

    fn remove(mut self, parent: &str, name: &str) -> Self {
        self.node(parent).remove_child(name).unwrap();
        self
    }

    fn blob(&self) -> HeapVec<u8> {
        self.0.to_dtb()
    }

    fn read(&self) -> Result<Platform, PlatformError> {
        Platform::from_fdt(&self.blob())
    }

    fn refusal(&self) -> alloc::string::String {
        alloc::format!("{}", self.read().expect_err("the tree is refused"))
    }
}
