//! What no driver may do.

use addr::Ipa;

use crate::tests::driver::{AVAIL, BASE, Driver, INDIRECT, PRIVATE, QUEUE, SIZE, Tape, queue_base};
use crate::{Broken, Device, Served};

const DATA: u64 = BASE + 0x4_0000;

fn console() -> Driver {
    Driver::start(Device::console(), Tape::default(), INDIRECT)
}

#[test]
fn a_chain_that_loops_ends() {
    let mut driver = console();
    driver.descriptor(queue_base(1), 0, (DATA, 1, false), 1, 1);
    driver.descriptor(queue_base(1), 1, (DATA, 1, false), 1, 0);
    driver.offer(1, 0);
    let served = driver.notify(1);
    assert_eq!(driver.broke(served), Broken::ChainLength);
    assert!(driver.ram.reads <= 2 + usize::from(QUEUE) + 1);
    assert!(driver.host.printed.is_empty());
}

#[test]
fn a_chain_of_the_whole_queue_is_fine() {
    let mut driver = console();
    driver.ram.put(DATA, b"12345678");
    let buffers: std::vec::Vec<_> = (0..8).map(|n| (DATA + n, 1, false)).collect();
    driver.add(1, &buffers);
    assert_eq!(driver.notify(1), Served::Done);
    assert_eq!(driver.host.printed, b"12345678");
}

#[test]
fn descriptors_past_the_table_break_the_device() {
    for index in [QUEUE, u16::MAX] {
        let broken = Broken::DescriptorIndex {
            index,
            count: QUEUE,
        };
        let mut driver = console();
        driver.offer(1, index);
        let served = driver.notify(1);
        assert_eq!(driver.broke(served), broken);
        let mut driver = console();
        driver.descriptor(queue_base(1), 0, (DATA, 1, false), 1, index);
        driver.offer(1, 0);
        let served = driver.notify(1);
        assert_eq!(driver.broke(served), broken);
    }
}

#[test]
fn an_available_index_that_jumps_breaks_the_device() {
    for index in [QUEUE + 1, 0x8000, u16::MAX] {
        let mut driver = console();
        driver
            .ram
            .put(queue_base(1) + AVAIL + 2, &index.to_le_bytes());
        let served = driver.notify(1);
        let why = Broken::AvailableIndex { index, taken: 0 };
        assert_eq!(driver.broke(served), why);
    }
}

#[test]
fn buffers_the_device_may_not_reach_break_it() {
    let top = BASE + SIZE as u64;
    for (base, length) in [
        (0, 1),
        (BASE - 1, 2),
        (top - 1, 2),
        (top, 1),
        (PRIVATE, 1),
        (PRIVATE - 1, 2),
        (u64::MAX - 7, 4),
    ] {
        let mut driver = console();
        driver.add(1, &[(base, length, false)]);
        let served = driver.notify(1);
        let why = Broken::Inaccessible {
            ipa: Ipa::new(base),
        };
        assert_eq!(driver.broke(served), why, "{base:#x}");
    }
    let mut driver = console();
    driver.add(1, &[(u64::MAX, 1, false)]);
    let served = driver.notify(1);
    let why = Broken::BufferAddress {
        ipa: Ipa::new(u64::MAX),
    };
    assert_eq!(driver.broke(served), why);
}

#[test]
fn huge_lengths_cost_no_more_than_what_is_printed_of_them() {
    let mut driver = console();
    driver.add(1, &[(BASE, u32::MAX, false)]);
    assert_eq!(driver.notify(1), Served::Done);
    assert_eq!(driver.host.printed.len(), 64 << 10);
}

#[test]
fn a_readable_buffer_behind_a_writable_one_breaks_the_device() {
    let mut driver = console();
    driver.add(1, &[(DATA, 1, true), (DATA, 1, false)]);
    let served = driver.notify(1);
    assert_eq!(driver.broke(served), Broken::ChainOrder);
}

#[test]
fn indirect_tables_that_cannot_be_break_the_device() {
    let table = BASE + 0x6_0000;
    for length in [0, 8, 17, 16 * (u32::from(QUEUE) + 1), !15] {
        let mut driver = console();
        driver.descriptor(queue_base(1), 0, (table, length, false), 4, 0);
        driver.offer(1, 0);
        let served = driver.notify(1);
        assert_eq!(driver.broke(served), Broken::Indirect { length });
    }
    // Followed by another descriptor, nested, and not agreed on.
    let mut driver = console();
    driver.descriptor(queue_base(1), 0, (table, 16, false), 5, 1);
    driver.offer(1, 0);
    let served = driver.notify(1);
    assert_eq!(driver.broke(served), Broken::Indirect { length: 16 });
    let mut driver = console();
    driver.descriptor(table, 0, (table, 16, false), 4, 0);
    driver.descriptor(queue_base(1), 0, (table, 16, false), 4, 0);
    driver.offer(1, 0);
    let served = driver.notify(1);
    assert_eq!(driver.broke(served), Broken::Indirect { length: 16 });
    let mut driver = Driver::start(Device::console(), Tape::default(), 0);
    driver.descriptor(queue_base(1), 0, (table, 16, false), 4, 0);
    driver.offer(1, 0);
    let served = driver.notify(1);
    assert_eq!(driver.broke(served), Broken::Indirect { length: 16 });
}

#[test]
fn a_loop_inside_an_indirect_table_ends() {
    let mut driver = console();
    let table = BASE + 0x6_0000;
    driver.descriptor(table, 0, (DATA, 1, false), 1, 0);
    driver.descriptor(queue_base(1), 0, (table, 16, false), 4, 0);
    driver.offer(1, 0);
    let served = driver.notify(1);
    assert_eq!(driver.broke(served), Broken::ChainLength);
}

#[test]
fn a_request_without_room_for_its_status_breaks_the_disk() {
    let host = Tape {
        disk: std::vec![0; 512],
        ..Tape::default()
    };
    let mut driver = Driver::start(Device::block(0, 1, false), host, 0);
    driver.add(0, &[(DATA, 16, false)]);
    let served = driver.notify(0);
    assert_eq!(driver.broke(served), Broken::ShortChain);
}

#[test]
fn an_empty_receive_buffer_breaks_the_device() {
    let mut driver = console();
    driver.host.input.push_back(b'x');
    driver.add(0, &[(DATA, 0, true)]);
    let served = driver.notify(0);
    assert_eq!(driver.broke(served), Broken::ShortChain);
}

#[test]
fn a_broken_device_raises_the_configuration_interrupt_and_lives_again_after_a_reset() {
    let mut driver = console();
    driver.offer(1, QUEUE);
    let served = driver.notify(1);
    driver.broke(served);
    assert_eq!(driver.read(0x60), 2);
    assert!(!driver.set(0x50, 1), "it does not listen");
    driver.set(0x70, 15);
    assert_eq!(driver.read(0x70) & 64, 64, "only a reset mends it");
    let mut driver = Driver::start(driver.device, Tape::default(), 0);
    driver.ram.put(DATA, b"x");
    driver.add(1, &[(DATA, 1, false)]);
    assert_eq!(driver.notify(1), Served::Done);
    assert_eq!(driver.host.printed, b"x");
}

#[test]
fn a_descriptor_that_changes_after_it_was_read_changes_nothing() {
    let mut driver = console();
    driver.ram.put(DATA, b"right");
    driver.add(1, &[(DATA, 5, false)]);
    // Whoever reads it leaves a wild address behind for the next reader.
    driver.ram.meddler = Some(|bytes, at| {
        if at == 0x1_0000 {
            bytes[at..at + 16].fill(0xff);
        }
    });
    assert_eq!(driver.notify(1), Served::Done);
    assert_eq!(driver.host.printed, b"right");
}

#[test]
fn an_index_that_never_rests_keeps_nobody_busy() {
    let mut driver = console();
    driver.ram.put(DATA, b"x");
    driver.add(1, &[(DATA, 1, false)]);
    // The same chain is offered again whenever the index is looked at.
    driver.ram.meddler = Some(|bytes, at| {
        if at == 0x1_0000 + AVAIL as usize + 2 {
            let index = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
            bytes[at..at + 2].copy_from_slice(&index.wrapping_add(1).to_le_bytes());
        }
    });
    assert_eq!(driver.notify(1), Served::More);
    assert!(driver.host.printed.len() <= 256);
}

#[test]
fn an_index_that_goes_back_breaks_the_device() {
    let mut driver = Driver::start(Device::net([2; 6]), Tape::default(), 1 << 15);
    driver.host.frames.push_back(std::vec![0; 4000]);
    driver.add(0, &[(DATA, 64, true)]);
    driver.ram.meddler = Some(|bytes, at| {
        if at == AVAIL as usize + 2 {
            bytes[at] = 3 - bytes[at];
        }
    });
    let served = driver.notify(0);
    let why = Broken::AvailableIndex { index: 1, taken: 2 };
    assert_eq!(driver.broke(served), why);
    assert!(driver.ram.reads < 100);
}

#[test]
fn more_work_than_one_call_may_do_is_left_for_the_next() {
    let host = Tape {
        disk: std::vec![0; 1 << 20],
        ..Tape::default()
    };
    let mut driver = Driver::start(Device::block(0, 2048, true), host, 0);
    driver.ram.put(DATA, &[0; 16]);
    // Each reads the whole disk, a megabyte, into the same quarter of one.
    let parts = [(BASE + 0xc_0000, 0x4_0000, true); 4];
    for _ in 0..8 {
        let table = queue_base(0);
        driver.descriptor(table, 0, (DATA, 16, false), 1, 1);
        for (index, part) in (1..).zip(parts) {
            driver.descriptor(table, index, part, 1, index + 1);
        }
        driver.descriptor(table, 5, (DATA + 16, 1, true), 0, 0);
        driver.offer(0, 0);
    }
    assert_eq!(driver.notify(0), Served::More);
    let first = driver.used(0).len();
    assert!((1..8).contains(&first));
    assert_eq!(driver.serve(), Served::Done);
    assert_eq!(driver.used(0).len(), 8 - first);
}
