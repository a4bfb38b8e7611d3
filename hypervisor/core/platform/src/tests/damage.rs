//! No damaged blob may panic: these tests have no `catch_unwind`, a panic is
//! their failure.

use super::*;

/// Marsaglia's xorshift64: the same damage in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// A tree with everything `Platform` looks at, small so that damage hits it.
fn small() -> HeapVec<u8> {
    let mut dts = Dts::qemu()
        .add("/", "aliases")
        .set("/aliases", "serial0", "/pl011@9000000")
        .set("/chosen", "stdout-path", "serial0:115200n8")
        .add("/", "reserved-memory")
        .set("/reserved-memory", "#address-cells", 2u32)
        .set("/reserved-memory", "#size-cells", 2u32)
        .set("/reserved-memory", "ranges", [0u8; 0])
        .add("/reserved-memory", "rmm@40100000")
        .set(
            "/reserved-memory/rmm@40100000",
            "reg",
            [0u32, 0x4010_0000, 0, 0x180_0000],
        );
    let keep = [
        "aliases",
        "chosen",
        "cpus",
        "intc@8000000",
        "memory@40000000",
        "pl011@9000000",
        "psci",
        "reserved-memory",
        "timer",
    ];
    let names: HeapVec<_> = dtoolkit::Node::children(&dts.0.root)
        .map(|node| alloc::string::String::from(dtoolkit::Node::name(&node)))
        .collect();
    for name in names {
        if !keep.contains(&name.as_str()) {
            dts = dts.remove("/", &name);
        }
    }
    dts.0
        .memory_reservations
        .push(dtoolkit::memreserve::MemoryReservation::new(
            0x5000_0000,
            0x1000,
        ));
    assert!(dts.read().is_ok());
    dts.blob()
}

/// Damages `blob` in one of the ways memory and boot loaders do.
fn damage(blob: &mut HeapVec<u8>, random: &mut Random) {
    let tokens = [1u32, 2, 3, 4, 5, 9, 0, u32::MAX];
    for _ in 0..1 + random.below(4) {
        let at = random.below(blob.len());
        match random.below(6) {
            0 => blob[at] ^= 1 << random.below(8),
            1 => blob[at] = random.next() as u8,
            2 => {
                let at = at.min(blob.len() - 4) & !3;
                let token = tokens[random.below(tokens.len())];
                blob[at..at + 4].copy_from_slice(&token.to_be_bytes());
            }
            3 => {
                // One of the ten words of the header, off by little.
                let at = 4 * random.below(10);
                let word = u32::from_be_bytes(blob[at..at + 4].try_into().unwrap());
                let word = word.wrapping_add(random.below(64) as u32).wrapping_sub(32);
                blob[at..at + 4].copy_from_slice(&word.to_be_bytes());
            }
            4 => {
                let end = (at + random.below(64)).min(blob.len());
                blob[at..end].fill(0);
            }
            _ => {
                let from = random.below(blob.len());
                let length = random.below(48).min(blob.len() - at.max(from));
                blob.copy_within(from..from + length, at);
            }
        }
    }
}

#[test]
fn no_damage_panics_and_much_of_it_is_read() {
    let good = small();
    let mut random = Random(0x5355_5a45_5241_494e);
    let (mut read, mut refused, mut damaged) = (0u32, 0u32, 0u32);
    for _ in 0..60_000 {
        let mut blob = good.clone();
        damage(&mut blob, &mut random);
        match Platform::from_fdt(&blob) {
            Ok(platform) => {
                read += 1;
                let _ = platform.usable_ram(&[range(0x6000_0000, 0x1000)]);
            }
            Err(error @ PlatformError::Damaged(_)) => {
                damaged += 1;
                assert!(!alloc::format!("{error}").is_empty());
            }
            Err(error) => {
                refused += 1;
                assert!(!alloc::format!("{error}").is_empty());
            }
        }
    }
    // The damage is neither too mild nor too crude to reach every stage.
    assert!(
        read > 2_000 && refused > 2_000 && damaged > 2_000,
        "read {read}, refused {refused}, damaged {damaged}"
    );
}

#[test]
fn every_change_of_one_byte_of_the_header_is_survived() {
    let good = small();
    for at in 0..HEADER_SIZE {
        for value in 0..=255 {
            let mut blob = good.clone();
            blob[at] = value;
            let _ = Platform::from_fdt(&blob);
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let good = small();
    for length in 0..good.len() {
        assert!(matches!(
            Platform::from_fdt(&good[..length]),
            Err(PlatformError::Damaged(_))
        ));
    }
}

#[test]
fn what_is_not_a_device_tree_is_named_so() {
    let error = Platform::from_fdt(&[0x41; 64]).unwrap_err();
    assert_eq!(
        alloc::format!("{error}"),
        "bad device tree: it starts with 0x41414141 where 0xd00dfeed is expected"
    );
    let mut huge = small();
    huge[4..8].copy_from_slice(&0x7fff_ffffu32.to_be_bytes());
    let error = Platform::from_fdt(&huge).unwrap_err();
    assert_eq!(
        alloc::format!("{error}"),
        "bad device tree: its header says 2147483647 bytes, which is outside 40 to 2097152"
    );
}
