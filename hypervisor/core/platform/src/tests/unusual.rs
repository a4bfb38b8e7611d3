//! Trees of other machines, and trees that lack something.

use super::*;

#[test]
fn each_missing_node_is_named() {
    for (parent, name, expected) in [
        (
            "/",
            "intc@8000000",
            "GICv3 (node compatible with arm,gic-v3)",
        ),
        (
            "/",
            "memory@40000000",
            "RAM (node /memory with device_type \"memory\")",
        ),
        (
            "/",
            "psci",
            "PSCI (node compatible with arm,psci-1.0 or arm,psci-0.2)",
        ),
        ("/", "timer", "timer (node compatible with arm,armv8-timer)"),
        (
            "/",
            "pl011@9000000",
            "UART (node compatible with arm,pl011 or ns16550a)",
        ),
        ("/", "cpus", "CPU (node /cpus/cpu@*)"),
    ] {
        assert_eq!(
            Dts::qemu().remove(parent, name).refusal(),
            alloc::format!("the device tree has no enabled {expected}")
        );
    }
}

#[test]
fn each_missing_property_is_named_with_its_node() {
    for (node, property) in [
        ("/intc@8000000", "reg"),
        ("/intc@8000000", "#interrupt-cells"),
        ("/memory@40000000", "reg"),
        ("/psci", "method"),
        ("/timer", "interrupts"),
        ("/pl011@9000000", "reg"),
        ("/cpus/cpu@1", "reg"),
    ] {
        assert_eq!(
            Dts::qemu().unset(node, property).refusal(),
            alloc::format!("device tree node {node} has no property {property}")
        );
    }
}

#[test]
fn a_property_of_no_use_is_named_with_what_is_wrong() {
    let cases = [
        (
            Dts::qemu().set("/psci", "method", "svc"),
            "device tree node /psci: property method is neither \"smc\" nor \"hvc\"",
        ),
        (
            Dts::qemu().set("/memory@40000000", "reg", [0u32, 1, 2]),
            "device tree node /memory@40000000: property reg does not fit the cells of its parent",
        ),
        (
            Dts::qemu().set("/memory@40000000", "reg", [u32::MAX, 0, 1, 1]),
            "device tree node /memory@40000000: property reg is empty or passes the end of the address space",
        ),
        (
            Dts::qemu().set("/intc@8000000", "#redistributor-regions", 7u32),
            "device tree node /intc@8000000: property #redistributor-regions is zero or exceeds the entries of reg",
        ),
        (
            Dts::qemu().set("/cpus/cpu@1", "reg", 0u32),
            "device tree node /cpus/cpu@1: property reg is also the affinity of another CPU",
        ),
        (
            Dts::qemu().set("/timer", "interrupts", [1u32, 13, 4, 1, 14, 4]),
            "device tree node /timer: property interrupts lacks the EL1 virtual timer at the GIC",
        ),
        (
            Dts::qemu().set(
                "/chosen",
                "bootargs",
                alloc::string::String::from_iter(['x'; 1025]),
            ),
            "device tree node /chosen: property bootargs is longer than 1024 bytes",
        ),
    ];
    for (dts, expected) in cases {
        assert_eq!(dts.refusal(), expected);
    }
}

#[test]
fn more_cpus_than_fit_are_refused() {
    let mut dts = Dts::qemu();
    for index in 2..=MAX_CPUS as u32 {
        let name = alloc::format!("cpu@{index:x}");
        dts = dts.add("/cpus", &name);
        dts = dts.set(&alloc::format!("/cpus/{name}"), "reg", index);
    }
    assert_eq!(
        dts.refusal(),
        "the device tree has more CPUs than the 64 this build has room for"
    );
}

#[test]
fn an_ns16550_whose_registers_cannot_be_reached_is_refused() {
    let uart = |size: u32, shift: u32, width: u32| {
        Dts::qemu()
            .set("/pl011@9000000", "compatible", "ns16550a")
            .set("/pl011@9000000", "reg", [0u32, 0x900_0000, 0, size])
            .set("/pl011@9000000", "reg-shift", shift)
            .set("/pl011@9000000", "reg-io-width", width)
    };
    assert!(uart(0x18, 2, 4).read().is_ok());
    assert!(uart(6, 0, 1).read().is_ok());
    for (refused, why) in [
        (uart(0x17, 2, 4), "too small"),
        (uart(8, 0, 4), "distance between registers"),
        (uart(0x100, 4, 4), "exceeds 3"),
        (uart(0x100, 2, 8), "is not 1, 2 or 4"),
    ] {
        let refusal = refused.refusal();
        assert!(refusal.contains(why), "{refusal}");
    }
}

#[test]
fn the_uart_of_stdout_path_wins_over_the_first() {
    let second = Dts::qemu()
        .add("/", "serial@a000000")
        .set("/serial@a000000", "compatible", "ns16550a")
        .set("/serial@a000000", "reg", [0u32, 0xa00_0000, 0, 0x100])
        .set("/serial@a000000", "reg-shift", 2u32)
        .set("/serial@a000000", "reg-io-width", 4u32);
    assert_eq!(second.read().unwrap().uart.kind, UartKind::Pl011);

    let by_path = second.set("/chosen", "stdout-path", "/serial@a000000:115200n8");
    let expected = Uart {
        kind: UartKind::Ns16550 {
            reg_shift: 2,
            io_width: 4,
        },
        registers: range(0xa00_0000, 0x100),
        intid: None,
    };
    assert_eq!(by_path.read().unwrap().uart, expected);

    let by_alias = by_path
        .add("/", "aliases")
        .set("/aliases", "serial7", "/serial@a000000")
        .set("/chosen", "stdout-path", "serial7:115200n8");
    assert_eq!(by_alias.read().unwrap().uart, expected);

    let nowhere = by_alias.set("/chosen", "stdout-path", "/gone");
    assert_eq!(nowhere.read().unwrap().uart.kind, UartKind::Pl011);
}

/// The tree with its UART on a bus.
fn uart_on_a_bus() -> Dts {
    Dts::qemu()
        .remove("/", "pl011@9000000")
        .add("/", "soc")
        .set("/soc", "#address-cells", 1u32)
        .set("/soc", "#size-cells", 1u32)
        .add("/soc", "serial@1000")
        .set("/soc/serial@1000", "compatible", "arm,pl011")
        .set("/soc/serial@1000", "reg", [0x1000u32, 0x1000])
        .set("/soc/serial@1000", "interrupts", [0u32, 5, 4])
}

#[test]
fn addresses_on_a_bus_are_translated() {
    let mapped = uart_on_a_bus().set("/soc", "ranges", [0u32, 0x1, 0x2000_0000, 0x1_0000]);
    let uart = mapped.read().unwrap().uart;
    assert_eq!(uart.registers, range(0x1_2000_1000, 0x1000));
    assert_eq!(uart.intid, Some(37));

    let identity = uart_on_a_bus().set("/soc", "ranges", [0u8; 0]);
    assert_eq!(
        identity.read().unwrap().uart.registers,
        range(0x1000, 0x1000)
    );
    assert_eq!(
        uart_on_a_bus().refusal(),
        "device tree node /soc/serial@1000: property reg lies on a bus without ranges"
    );
    assert_eq!(
        uart_on_a_bus()
            .set("/soc", "ranges", [0u32, 0x1, 0x2000_0000, 0x1800])
            .refusal(),
        "device tree node /soc/serial@1000: property reg lies outside the ranges of its bus"
    );
}

#[test]
fn an_interrupt_at_another_controller_means_polling() {
    let platform = Dts::qemu()
        .set("/pl011@9000000", "interrupt-parent", 0x77u32)
        .read()
        .unwrap();
    assert_eq!(platform.uart.intid, None);
}

#[test]
fn named_timer_interrupts_may_come_in_any_order() {
    let names: &[&str] = &["hyp-phys", "virt", "phys"];
    let platform = Dts::qemu()
        .set("/timer", "interrupt-names", names)
        .set("/timer", "interrupts", [1u32, 10, 4, 1, 11, 4, 1, 14, 4])
        .read()
        .unwrap();
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
fn a_tree_without_chosen_has_no_arguments() {
    let platform = Dts::qemu().remove("/", "chosen").read().unwrap();
    assert_eq!(platform.bootargs.as_str(), "");
}

#[test]
fn nodes_blanked_out_by_a_boot_loader_do_not_hide_others() {
    // What libfdt's fdt_nop_node leaves: FDT_NOP where the node's tokens were.
    let blob = Dts::qemu().add("/", "zzzz").add("/zzzz", "yyyy").blob();
    let words = |text: &[u8]| {
        let at = blob.windows(text.len()).position(|w| w == text).unwrap();
        at - 4
    };
    let start = words(b"zzzz\0\0\0\0");
    let mut blob = blob.clone();
    for word in blob[start..start + 32].chunks_exact_mut(4) {
        word.copy_from_slice(&4u32.to_be_bytes());
    }
    let platform = Platform::from_fdt(&blob).unwrap();
    assert_eq!(platform.cpus.len(), 2);
}

#[test]
fn a_tree_too_deep_is_refused() {
    let mut dts = Dts::qemu();
    let mut path = alloc::string::String::from("/");
    for _ in 0..14 {
        dts = dts.add(&path, "a");
        path = alloc::format!("{}/a", path.trim_end_matches('/'));
    }
    assert_eq!(
        dts.refusal(),
        "the device tree has more levels of nodes than the 12 this build has room for"
    );
}
