//! The device tree a guest is given.
//!
//! It is measured, so it is the same for the same [`Machine`]: nothing random,
//! no seeds, properties and nodes in a fixed order. All addresses are those of
//! the protected half; a Realm's kernel adds the shared bit to devices itself
//! once it knows that it is one.

use addr::{Ipa, IpaRange};
use dtoolkit::ToPropertyValue;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use vm_config::{VmKind, map};

const GIC_PHANDLE: u32 = 1;
const CLOCK_PHANDLE: u32 = 2;
const GPIO_PHANDLE: u32 = 3;
/// Interrupt specifier: shared peripheral.
const SPI: u32 = 0;
/// Interrupt specifier: private peripheral.
const PPI: u32 = 1;
/// Interrupt specifier: active high level.
const LEVEL_HIGH: u32 = 4;
/// GPIO specifier: high means pressed.
const ACTIVE_HIGH: u32 = 0;
/// `KEY_POWER` of Linux's input events.
const KEY_POWER: u32 = 116;

/// What differs between guests.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What protects it from its host.
    pub kind: VmKind,
    /// Its RAM.
    pub memory: IpaRange,
    /// Its number of vCPUs.
    pub vcpus: u32,
    /// Its virtio-mmio slots that hold a device.
    pub slots: Vec<usize>,
    /// Its kernel's command line.
    pub bootargs: String,
    /// Where its initial file system lies.
    pub initrd: Option<IpaRange>,
}

impl Machine {
    /// The flattened device tree.
    pub fn to_dtb(&self) -> Vec<u8> {
        let mut tree = DeviceTree::new();
        let root = &mut tree.root;
        set(root, "#address-cells", 2u32);
        set(root, "#size-cells", 2u32);
        let names: &[&str] = &["suzerain,guest", "linux,dummy-virt"];
        set(root, "compatible", names);
        set(root, "model", "Suzerain guest");
        set(root, "interrupt-parent", GIC_PHANDLE);
        root.add_child(self.chosen());
        root.add_child(self.memory());
        root.add_child(self.cpus());
        root.add_child(self.psci());
        root.add_child(timer());
        root.add_child(self.gic());
        root.add_child(clock());
        root.add_child(uart());
        root.add_child(gpio());
        root.add_child(keys());
        for slot in &self.slots {
            root.add_child(virtio(*slot));
        }
        tree.to_dtb()
    }

    fn chosen(&self) -> DeviceTreeNode {
        let mut node = node("chosen");
        set(&mut node, "bootargs", self.bootargs.as_str());
        set(&mut node, "stdout-path", uart_path().as_str());
        if let Some(initrd) = self.initrd {
            set(&mut node, "linux,initrd-start", initrd.base().raw());
            set(&mut node, "linux,initrd-end", initrd.top().raw());
        }
        node
    }

    fn memory(&self) -> DeviceTreeNode {
        let mut node = unit("memory", self.memory.base());
        set(&mut node, "device_type", "memory");
        set_reg(&mut node, &[(self.memory.base(), self.memory.size())]);
        node
    }

    fn cpus(&self) -> DeviceTreeNode {
        let mut cpus = node("cpus");
        set(&mut cpus, "#address-cells", 1u32);
        set(&mut cpus, "#size-cells", 0u32);
        for index in 0..self.vcpus {
            let mpidr = map::mpidr(index);
            let mut cpu = node(&format!("cpu@{mpidr:x}"));
            set(&mut cpu, "device_type", "cpu");
            set(&mut cpu, "compatible", "arm,armv8");
            set(&mut cpu, "reg", mpidr);
            set(&mut cpu, "enable-method", "psci");
            cpus.add_child(cpu);
        }
        cpus
    }

    /// A Realm's calls go to the RMM, which takes SMCs only.
    fn psci(&self) -> DeviceTreeNode {
        let mut node = node("psci");
        let names: &[&str] = &["arm,psci-1.0", "arm,psci-0.2"];
        set(&mut node, "compatible", names);
        let method = match self.kind {
            VmKind::Realm => "smc",
            VmKind::Normal => "hvc",
        };
        set(&mut node, "method", method);
        node
    }

    fn gic(&self) -> DeviceTreeNode {
        let mut node = unit("intc", map::GICD_BASE);
        set(&mut node, "compatible", "arm,gic-v3");
        set(&mut node, "#interrupt-cells", 3u32);
        set(&mut node, "#address-cells", 0u32);
        set(&mut node, "interrupt-controller", [0u8; 0]);
        let redistributors = map::GICR_STRIDE * u64::from(self.vcpus);
        set_reg(
            &mut node,
            &[
                (map::GICD_BASE, map::GICD_SIZE),
                (map::GICR_BASE, redistributors),
            ],
        );
        set(&mut node, "phandle", GIC_PHANDLE);
        node
    }
}

fn timer() -> DeviceTreeNode {
    let mut node = node("timer");
    set(&mut node, "compatible", "arm,armv8-timer");
    let intids = [
        map::TIMER_SECURE_INTID,
        map::TIMER_PHYSICAL_INTID,
        map::TIMER_VIRTUAL_INTID,
        map::TIMER_HYP_PHYSICAL_INTID,
    ];
    let cells: Vec<u32> = intids
        .iter()
        .flat_map(|intid| [PPI, intid - 16, LEVEL_HIGH])
        .collect();
    set(&mut node, "interrupts", cells.as_slice());
    set(&mut node, "always-on", [0u8; 0]);
    node
}

fn clock() -> DeviceTreeNode {
    let mut node = node("apb-pclk");
    set(&mut node, "compatible", "fixed-clock");
    set(&mut node, "#clock-cells", 0u32);
    set(&mut node, "clock-frequency", map::UART_CLOCK_HZ);
    set(&mut node, "phandle", CLOCK_PHANDLE);
    node
}

fn uart() -> DeviceTreeNode {
    let mut node = unit("pl011", map::UART_BASE);
    let names: &[&str] = &["arm,pl011", "arm,primecell"];
    set(&mut node, "compatible", names);
    set_reg(&mut node, &[(map::UART_BASE, map::UART_SIZE)]);
    set(
        &mut node,
        "interrupts",
        [SPI, map::UART_INTID - 32, LEVEL_HIGH],
    );
    set(&mut node, "clocks", [CLOCK_PHANDLE, CLOCK_PHANDLE]);
    let clocks: &[&str] = &["uartclk", "apb_pclk"];
    set(&mut node, "clock-names", clocks);
    node
}

fn gpio() -> DeviceTreeNode {
    let mut node = unit("pl061", map::GPIO_BASE);
    let names: &[&str] = &["arm,pl061", "arm,primecell"];
    set(&mut node, "compatible", names);
    set_reg(&mut node, &[(map::GPIO_BASE, map::GPIO_SIZE)]);
    set(
        &mut node,
        "interrupts",
        [SPI, map::GPIO_INTID - 32, LEVEL_HIGH],
    );
    set(&mut node, "gpio-controller", [0u8; 0]);
    set(&mut node, "#gpio-cells", 2u32);
    set(&mut node, "interrupt-controller", [0u8; 0]);
    set(&mut node, "#interrupt-cells", 2u32);
    set(&mut node, "clocks", CLOCK_PHANDLE);
    set(&mut node, "clock-names", "apb_pclk");
    set(&mut node, "phandle", GPIO_PHANDLE);
    node
}

/// The key by which the host asks the guest to stop.
fn keys() -> DeviceTreeNode {
    let mut key = node("poweroff");
    set(&mut key, "label", "Power key");
    set(&mut key, "linux,code", KEY_POWER);
    let line = [GPIO_PHANDLE, map::POWER_KEY_LINE, ACTIVE_HIGH];
    set(&mut key, "gpios", line);
    let mut keys = node("gpio-keys");
    set(&mut keys, "compatible", "gpio-keys");
    keys.add_child(key);
    keys
}

/// Devices see memory as CPUs do: what they write needs no cache maintenance.
fn virtio(slot: usize) -> DeviceTreeNode {
    let (base, intid) = (map::virtio_base(slot), map::virtio_intid(slot));
    let mut node = unit("virtio_mmio", base);
    set(&mut node, "compatible", "virtio,mmio");
    set_reg(&mut node, &[(base, map::VIRTIO_STRIDE)]);
    set(&mut node, "interrupts", [SPI, intid - 32, LEVEL_HIGH]);
    set(&mut node, "dma-coherent", [0u8; 0]);
    node
}

fn uart_path() -> String {
    format!("/pl011@{:x}", map::UART_BASE.raw())
}

fn node(name: &str) -> DeviceTreeNode {
    DeviceTreeNode::new_unchecked(name)
}

fn unit(name: &str, address: Ipa) -> DeviceTreeNode {
    node(&format!("{name}@{:x}", address.raw()))
}

fn set(node: &mut DeviceTreeNode, name: &str, value: impl ToPropertyValue) {
    node.add_property(DeviceTreeProperty::new_unchecked(name, value));
}

fn set_reg(node: &mut DeviceTreeNode, entries: &[(Ipa, u64)]) {
    let bytes: Vec<u8> = entries
        .iter()
        .flat_map(|(base, size)| [base.raw().to_be_bytes(), size.to_be_bytes()])
        .flatten()
        .collect();
    set(node, "reg", bytes);
}
