//! The Base RevC model of Arm, from its published memory map: RAM in two banks,
//! CPUs with shifted affinities, the UART two buses down, timers and GIC as
//! TF-A's device tree for it has them.

use super::*;

/// Where TF-A for the model enters BL33.
const IMAGE: u64 = 0x8800_0000;

fn bus(dts: Dts, parent: &str, name: &str) -> Dts {
    let path = alloc::format!("{parent}/{name}");
    let parent = if parent.is_empty() { "/" } else { parent };
    dts.add(parent, name)
        .set(&path, "compatible", "simple-bus")
        .set(&path, "#address-cells", 2u32)
        .set(&path, "#size-cells", 1u32)
}

fn root() -> Dts {
    let tree = Dts(DeviceTree::new())
        .set("/", "model", "FVP Base")
        .set("/", "compatible", "arm,fvp-base")
        .set("/", "interrupt-parent", 1u32)
        .set("/", "#address-cells", 2u32)
        .set("/", "#size-cells", 2u32)
        .add("/", "chosen")
        .set("/chosen", "stdout-path", "serial0:115200n8")
        .add("/", "aliases")
        .add("/", "psci")
        .set("/psci", "compatible", "arm,psci-1.0")
        .set("/psci", "method", "smc")
        .add("/", "cpus")
        .set("/cpus", "#address-cells", 2u32)
        .set("/cpus", "#size-cells", 0u32);
    // Two clusters of four; Aff0 is the thread, Aff1 the core, Aff2 the cluster.
    (0..8u32).fold(tree, |tree, index| {
        let mpidr = (index / 4) << 16 | (index % 4) << 8;
        let path = alloc::format!("/cpus/cpu@{mpidr:x}");
        tree.add("/cpus", &path[6..])
            .set(&path, "device_type", "cpu")
            .set(&path, "compatible", "arm,armv8")
            .set(&path, "reg", [0, mpidr])
    })
}

fn fvp() -> Dts {
    let tree = root()
        .add("/", "memory@80000000")
        .set("/memory@80000000", "device_type", "memory")
        .set(
            "/memory@80000000",
            "reg",
            [
                0u32,
                0x8000_0000,
                0,
                0x7c00_0000,
                8,
                0x8000_0000,
                0,
                0x8000_0000,
            ],
        )
        .add("/", "reserved-memory")
        .set("/reserved-memory", "#address-cells", 2u32)
        .set("/reserved-memory", "#size-cells", 2u32)
        .set("/reserved-memory", "ranges", [0u8; 0])
        .add("/reserved-memory", "vram@18000000")
        .set(
            "/reserved-memory/vram@18000000",
            "reg",
            [0u32, 0x1800_0000, 0, 0x80_0000],
        )
        .set("/reserved-memory/vram@18000000", "no-map", [0u8; 0])
        .add("/", "timer")
        .set("/timer", "compatible", "arm,armv8-timer")
        .set(
            "/timer",
            "interrupts",
            [
                1u32, 13, 0xff08, 1, 14, 0xff08, 1, 11, 0xff08, 1, 10, 0xff08,
            ],
        )
        .add("/", "interrupt-controller@2f000000");
    let gic = "/interrupt-controller@2f000000";
    let tree = tree
        .set(gic, "compatible", "arm,gic-v3")
        .set(gic, "phandle", 1u32)
        .set(gic, "interrupt-controller", [0u8; 0])
        .set(gic, "#interrupt-cells", 3u32)
        .set(
            gic,
            "reg",
            [
                0u32,
                0x2f00_0000,
                0,
                0x1_0000,
                0,
                0x2f10_0000,
                0,
                0x20_0000,
                0,
                0x2c00_0000,
                0,
                0x2000,
            ],
        )
        .set(gic, "interrupts", [1u32, 9, 4]);
    uarts(tree)
}

/// The motherboard: chip select 3 of the bus holds the peripherals, whose
/// interrupts go through the bus's map.
fn uarts(tree: Dts) -> Dts {
    let tree = bus(tree, "", "bus@8000000");
    let board = "/bus@8000000";
    let tree = tree
        .set(
            board,
            "ranges",
            [0u32, 0x0800_0000, 0, 0x0800_0000, 0x1800_0000],
        )
        .set(board, "#address-cells", 1u32)
        .set(
            board,
            "ranges",
            [0x0800_0000u32, 0, 0x0800_0000, 0x1800_0000],
        )
        .set(board, "#interrupt-cells", 1u32);
    let tree = bus(tree, board, "motherboard-bus@8000000");
    let mother = "/bus@8000000/motherboard-bus@8000000";
    let tree = tree.set(mother, "ranges", [3u32, 0, 0x1c00_0000, 0x0400_0000]);
    let tree = bus(tree, mother, "iofpga-bus@300000000");
    let fpga = "/bus@8000000/motherboard-bus@8000000/iofpga-bus@300000000";
    let tree = tree
        .set(fpga, "#address-cells", 1u32)
        .set(fpga, "ranges", [0u32, 3, 0, 0x20_0000]);
    let ports = [
        (0x9_0000u32, 5u32),
        (0xa_0000, 6),
        (0xb_0000, 7),
        (0xc_0000, 8),
    ];
    let tree = ports.into_iter().fold(tree, |tree, (base, line)| {
        let name = alloc::format!("serial@{base:x}");
        let path = alloc::format!("{fpga}/{name}");
        tree.add(fpga, &name)
            .set(&path, "compatible", "arm,pl011")
            .set(&path, "reg", [base, 0x1000])
            .set(&path, "interrupts", line)
    });
    let first = alloc::format!("{fpga}/serial@90000");
    tree.set("/aliases", "serial0", first.as_str())
}

#[test]
fn the_machine_of_the_base_model_is_read() {
    let platform = fvp().read().unwrap();
    assert_eq!(platform.model.as_str(), "FVP Base");
    assert_eq!(
        platform.ram.as_slice(),
        [
            range(0x8000_0000, 0x7c00_0000),
            range(0x8_8000_0000, 0x8000_0000)
        ]
    );
    let mpidrs: HeapVec<_> = platform.cpus.iter().map(|cpu| cpu.mpidr).collect();
    assert_eq!(
        mpidrs,
        [
            0, 0x100, 0x200, 0x300, 0x1_0000, 0x1_0100, 0x1_0200, 0x1_0300
        ]
    );
    assert_eq!(platform.psci.conduit, PsciConduit::Smc);
    assert_eq!(platform.gic.distributor, range(0x2f00_0000, 0x1_0000));
    assert_eq!(
        platform.gic.redistributors.as_slice(),
        [range(0x2f10_0000, 0x20_0000)]
    );
    assert_eq!(platform.gic.maintenance_intid, Some(25));
    assert_eq!(
        platform.timer,
        Timer {
            physical: 30,
            virtual_: 27,
            hyp_physical: 26,
            hyp_virtual: None
        }
    );
}

#[test]
fn the_uart_of_the_base_model_is_found_two_buses_down_and_polled() {
    let uart = fvp().read().unwrap().uart;
    assert_eq!(uart.kind, UartKind::Pl011);
    assert_eq!(uart.registers, range(0x1c09_0000, 0x1000));
    // Its line goes through the interrupt-map of a bus, which is not followed.
    assert_eq!(uart.intid, None);
    assert_eq!(console(&fvp().blob()).unwrap().registers, uart.registers);
}

#[test]
fn guests_get_both_banks_of_the_base_model_around_image_and_tree() {
    let platform = fvp().read().unwrap();
    let image = range(IMAGE, 0x100_0000);
    let tree = range(0x8200_0000, 0x4000);
    assert!(platform.is_ram(image) && platform.is_ram(tree));
    let usable = platform.usable_ram(&[image, tree]).unwrap();
    let bounds = |base, top| PhysRange::new(PhysAddr::new(base), PhysAddr::new(top)).unwrap();
    assert_eq!(
        usable.as_slice(),
        [
            bounds(0x8000_0000, 0x8200_0000),
            bounds(0x8200_4000, IMAGE),
            bounds(IMAGE + 0x100_0000, 0xfc00_0000),
            bounds(0x8_8000_0000, 0x9_0000_0000),
        ]
    );
}

#[test]
fn a_reservation_at_the_start_of_ram_is_kept_on_the_base_model() {
    let mut dts = fvp();
    dts.0
        .memory_reservations
        .push(dtoolkit::memreserve::MemoryReservation::new(
            0x8000_0000,
            0x1_0000,
        ));
    let usable = dts.read().unwrap().usable_ram(&[]).unwrap();
    assert_eq!(usable[0], range(0x8001_0000, 0x7bff_0000));
}
