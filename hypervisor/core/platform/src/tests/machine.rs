//! What is read out of an ordinary tree.

use super::*;

#[test]
fn the_machine_of_qemu_virt_is_read() {
    let platform = Platform::from_fdt(QEMU_VIRT).unwrap();
    assert_eq!(platform.model.as_str(), "linux,dummy-virt");
    assert_eq!(platform.ram.as_slice(), [range(0x4000_0000, 0x8000_0000)]);
    assert!(platform.reserved.is_empty());
    assert_eq!(
        platform.cpus.as_slice(),
        [Cpu { mpidr: 0 }, Cpu { mpidr: 1 }]
    );
    assert_eq!(
        platform.psci,
        Psci {
            conduit: PsciConduit::Smc,
            version: PsciVersion::V1_0
        }
    );
    assert_eq!(platform.gic.distributor, range(0x0800_0000, 0x1_0000));
    assert_eq!(
        platform.gic.redistributors.as_slice(),
        [range(0x080a_0000, 0xf6_0000)]
    );
    assert_eq!(platform.gic.redistributor_stride, None);
    assert_eq!(platform.gic.maintenance_intid, Some(25));
    assert_eq!(
        platform.uart,
        Uart {
            kind: UartKind::Pl011,
            registers: range(0x0900_0000, 0x1000),
            intid: Some(33)
        }
    );
    assert_eq!(
        platform.timer,
        Timer {
            physical: 30,
            virtual_: 27,
            hyp_physical: 26,
            hyp_virtual: Some(28)
        }
    );
    assert_eq!(
        platform.bootargs.as_str(),
        "suzerain.log=debug suzerain.deadline=60"
    );
}

#[test]
fn bytes_after_the_blob_do_not_matter() {
    let mut padded = QEMU_VIRT.to_vec();
    padded.resize(QEMU_VIRT.len() + 4096, 0xa5);
    let header = padded[..HEADER_SIZE].try_into().unwrap();
    assert_eq!(blob_size(header), Ok(QEMU_VIRT.len()));
    assert!(Platform::from_fdt(&padded).is_ok());
}

#[test]
fn a_disabled_node_and_all_it_contains_are_skipped() {
    // QEMU lists the secure RAM and the secure UART as disabled.
    let text = alloc::format!("{}", dtoolkit::fdt::Fdt::new(QEMU_VIRT).unwrap());
    assert!(text.contains("secram@e000000") && text.contains("pl011@9040000"));
    let secure = range(0x0e00_0000, 0x100_0000);
    let platform = Platform::from_fdt(QEMU_VIRT).unwrap();
    assert!(platform.ram.iter().all(|ram| !ram.overlaps(secure)));

    let refusal = Dts::qemu().set("/cpus", "status", "disabled").refusal();
    assert_eq!(
        refusal,
        "the device tree has no enabled CPU (node /cpus/cpu@*)"
    );
    let one = Dts::qemu()
        .set("/cpus/cpu@0", "status", "fail")
        .set("/cpus/cpu@1", "status", "ok")
        .read()
        .unwrap();
    assert_eq!(one.cpus.as_slice(), [Cpu { mpidr: 1 }]);
}

#[test]
fn reserved_memory_is_listed_with_its_owner() {
    let mut dts = Dts::qemu()
        .add("/", "reserved-memory")
        .set("/reserved-memory", "#address-cells", 2u32)
        .set("/reserved-memory", "#size-cells", 2u32)
        .set("/reserved-memory", "ranges", [0u8; 0])
        .add("/reserved-memory", "rmm@40100000")
        .set(
            "/reserved-memory/rmm@40100000",
            "reg",
            [0u32, 0x4010_0000, 0, 0x180_0000],
        )
        .set("/reserved-memory/rmm@40100000", "no-map", [0u8; 0])
        .add("/reserved-memory", "pool")
        .set("/reserved-memory/pool", "size", [0u32, 0x10_0000]);
    dts.0
        .memory_reservations
        .push(dtoolkit::memreserve::MemoryReservation::new(
            0x5000_0000,
            0x1800,
        ));
    let platform = dts.read().unwrap();
    let rmm = Reserved {
        range: range(0x4010_0000, 0x180_0000),
        no_map: true,
        by: Text::new("/reserved-memory/rmm@40100000"),
    };
    let table = Reserved {
        range: range(0x5000_0000, 0x1800),
        no_map: false,
        by: Text::new("/memreserve/"),
    };
    assert_eq!(platform.reserved.as_slice(), [table, rmm]);
}

#[test]
fn usable_ram_is_what_nobody_else_holds_in_whole_granules() {
    let mut platform = Platform::from_fdt(QEMU_VIRT).unwrap();
    for (base, size) in [(0x4010_0000, 0x180_0000), (0x5000_0000, 0x1800)] {
        let reserved = Reserved {
            range: range(base, size),
            no_map: true,
            by: Text::new("/test"),
        };
        platform.reserved.push(reserved).unwrap();
    }
    let image = range(0x6000_0000, 0x20_0000);
    let dtb = range(0x3ff0_0000, 0x20_0000);
    let usable = platform.usable_ram(&[image, dtb]).unwrap();
    let bounds = |base, top| PhysRange::new(PhysAddr::new(base), PhysAddr::new(top)).unwrap();
    assert_eq!(
        usable.as_slice(),
        [
            bounds(0x4190_0000, 0x5000_0000),
            bounds(0x5000_2000, 0x6000_0000),
            bounds(0x6020_0000, 0xc000_0000),
        ]
    );
    assert!(platform.is_ram(usable[2]) && !platform.is_ram(range(0xbfff_f000, 0x2000)));
}

#[test]
fn ranges_of_ram_come_out_ascending_and_merged() {
    let gib = 0x4000_0000u32;
    let platform = Dts::qemu()
        .set(
            "/memory@40000000",
            "reg",
            [8u32, 0, 0, gib, 0, 2 * gib, 0, gib, 0, gib, 0, gib],
        )
        .read()
        .unwrap();
    assert_eq!(
        platform.ram.as_slice(),
        [range(0x4000_0000, 0x8000_0000), range(8 << 32, gib.into()),]
    );
}

#[test]
fn the_console_is_found_however_much_else_is_missing() {
    let bare = Dts::qemu()
        .remove("/", "intc@8000000")
        .remove("/", "memory@40000000")
        .remove("/", "cpus");
    let uart = console(&bare.blob()).unwrap();
    assert_eq!(uart.kind, UartKind::Pl011);
    assert_eq!(uart.registers, range(0x0900_0000, 0x1000));
    assert_eq!(uart.intid, None);
}
