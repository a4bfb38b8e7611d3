//! Memory, registers and timing chosen by an enemy: nothing panics, and a call
//! reads no more than its budget explains.

use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

use crate::tests::driver::{AVAIL, BASE, Driver, QUEUE, Tape, queue_base};
use crate::{Device, Served};

/// Reads in one call at most: 256 chains with two reads for the ring and one
/// for each descriptor and buffer of at most twice the queue.
const READS: usize = 256 * (2 + 4 * 8 + 256) + 1000;

fn device(kind: u8) -> Device {
    match kind {
        0 => Device::console(),
        1 => Device::entropy(),
        2 => Device::net([2; 6]),
        _ => Device::block(0, 64, false),
    }
}

fn host() -> Tape {
    Tape {
        disk: vec![0; 64 * 512],
        input: (0..200).collect(),
        frames: (1..20)
            .map(|n| vec![n; 14 + 200 * usize::from(n)])
            .collect(),
        ..Tape::default()
    }
}

/// A descriptor that is often nearly right.
fn descriptor() -> impl Strategy<Value = Vec<u8>> {
    let base = prop_oneof![
        6 => BASE + 0x4_0000..BASE + 0x4_4000,
        1 => any::<u64>(),
        1 => Just(queue_base(0)),
        1 => Just(queue_base(1) + AVAIL),
    ];
    let length = prop_oneof![4 => 0u32..2000, 2 => Just(16), 1 => Just(512), 1 => any::<u32>()];
    let flags = prop_oneof![8 => 0u16..4, 1 => any::<u16>()];
    let next = prop_oneof![8 => 0..QUEUE, 1 => any::<u16>()];
    (base, length, flags, next).prop_map(|(base, length, flags, next)| {
        let mut bytes = base.to_le_bytes().to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        bytes
    })
}

/// Flips a byte of rings and descriptors by where the reader just was.
fn meddle(bytes: &mut [u8], at: usize) {
    let place = at.wrapping_mul(7919) % 0x2_0000;
    bytes[place] = bytes[place].wrapping_add(1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_ring_is_too_wild(
        kind in 0u8..4,
        features in prop_oneof![Just(0), Just(u64::MAX)],
        tables in proptest::collection::vec(descriptor(), 16),
        rings in proptest::collection::vec(0..QUEUE, 16),
        indices in proptest::collection::vec(prop_oneof![6 => 0..QUEUE + 2, 1 => any::<u16>()], 2),
        meddled in any::<bool>(),
        calls in 1usize..6,
    ) {
        let mut driver = Driver::start(device(kind), host(), features);
        for queue in 0..2u64 {
            let base = queue_base(queue);
            for slot in 0..8u64 {
                let at = (8 * queue + slot) as usize;
                driver.ram.put(base + 16 * slot, &tables[at]);
                driver.ram.put(base + AVAIL + 4 + 2 * slot, &rings[at].to_le_bytes());
            }
            driver.ram.put(base + AVAIL + 2, &indices[queue as usize].to_le_bytes());
        }
        driver.ram.meddler = meddled.then_some(meddle);
        let mut broken = 0;
        for _ in 0..calls {
            driver.ram.reads = 0;
            driver.set(0x50, 0);
            broken += usize::from(matches!(driver.serve(), Served::Broke(_)));
            prop_assert!(driver.ram.reads <= READS);
        }
        prop_assert!(broken <= 1, "said once");
        prop_assert_eq!(driver.host.disk.len(), 64 * 512);
    }

    #[test]
    fn no_register_is_too_wild(
        kind in 0u8..4,
        writes in proptest::collection::vec(
            (prop_oneof![0u64..0x110, Just(0x70), Just(0x44), Just(0x50)], any::<u32>(), 0u32..4),
            0..60,
        ),
    ) {
        let mut driver = Driver::start(device(kind), host(), u64::MAX);
        for (offset, value, width) in writes {
            let value = if width == 0 { value % 16 } else { value };
            driver.device.write(offset & !3, 4, value.into());
            driver.device.write(offset, 1 << width, value.into());
            driver.device.read(offset, 1 << width);
            driver.serve();
        }
    }
}
