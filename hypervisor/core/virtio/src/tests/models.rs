use std::vec;
use std::vec::Vec;

use crate::tests::driver::{
    AVAIL, BASE, Driver, EVENT_IDX, INDIRECT, QUEUE, Tape, USED, queue_base,
};
use crate::{Device, HEAD, MAX_FRAME, Served};

const DATA: u64 = BASE + 0x4_0000;
const MERGEABLE: u64 = 1 << 15;

fn disk(read_only: bool) -> Driver {
    let host = Tape {
        disk: (0..64 * 512).map(|n| (n / 512) as u8).collect(),
        read_only,
        ..Tape::default()
    };
    Driver::start(Device::block(0, 64, read_only), host, 0)
}

/// A request with its data; returns the status byte and the used length.
fn request(driver: &mut Driver, kind: u32, sector: u64, data: &[(u64, u32, bool)]) -> (u8, u32) {
    let mut header = kind.to_le_bytes().to_vec();
    header.extend([0; 4]);
    header.extend(sector.to_le_bytes());
    driver.ram.put(DATA, &header);
    driver.ram.put(DATA + 16, &[0xee]);
    let mut chain = vec![(DATA, 16, false)];
    chain.extend(data);
    chain.push((DATA + 16, 1, true));
    let head = driver.add(0, &chain);
    assert_eq!(driver.notify(0), Served::Done);
    let used = driver.used(0);
    assert_eq!(used.len(), 1);
    assert_eq!(used[0].0, u32::from(head));
    (driver.ram.get(DATA + 16, 1)[0], used[0].1)
}

#[test]
fn a_disk_reads_into_scattered_buffers() {
    let mut driver = disk(true);
    let at = DATA + 0x1000;
    let buffers = [(at, 100, true), (at + 0x2000, 924, true)];
    assert_eq!(request(&mut driver, 0, 5, &buffers), (0, 1025));
    assert_eq!(driver.ram.get(at, 100), vec![5; 100]);
    assert_eq!(driver.ram.get(at + 0x2000, 412), vec![5; 412]);
    assert_eq!(driver.ram.get(at + 0x2000 + 412, 512), vec![6; 512]);
}

#[test]
fn a_disk_keeps_what_was_written_and_flushes() {
    let mut driver = disk(false);
    driver.ram.put(DATA + 0x1000, &[0xab; 512]);
    let out = [(DATA + 0x1000, 512, false)];
    assert_eq!(request(&mut driver, 1, 63, &out), (0, 1));
    assert_eq!(request(&mut driver, 4, 0, &[]), (0, 1));
    assert_eq!(driver.host.disk[63 * 512..], [0xab; 512]);
    assert_eq!(driver.host.disk[62 * 512], 62);
}

#[test]
fn a_disk_refuses_what_lies_past_its_end_or_is_not_whole_sectors() {
    let mut driver = disk(false);
    let before = driver.host.disk.clone();
    let at = DATA + 0x1000;
    for (kind, sector, length) in [
        (0, 64, 512),
        (0, 63, 1024),
        (0, u64::MAX, 512),
        (0, 1 << 55, 512),
        (0, 0, 511),
        (1, 64, 512),
        (1, u64::MAX, 512),
        (1, 0, 513),
    ] {
        let buffer = [(at, length, kind == 0)];
        let (status, used) = request(&mut driver, kind, sector, &buffer);
        assert_eq!(status, 1, "kind {kind} sector {sector:#x} length {length}");
        assert!(used <= 1);
    }
    assert_eq!(driver.host.disk, before);
}

#[test]
fn a_read_only_disk_says_so_and_is_not_written() {
    let mut driver = disk(true);
    driver.set(0x14, 0);
    assert_eq!(driver.read(0x10) & 1 << 5, 1 << 5);
    let out = [(DATA + 0x1000, 512, false)];
    assert_eq!(request(&mut driver, 1, 0, &out).0, 1);
    // The model refuses even when the medium would take it.
    driver.host.read_only = false;
    assert_eq!(request(&mut driver, 1, 0, &out).0, 1);
}

#[test]
fn a_disk_tells_its_name_and_refuses_unknown_requests() {
    let mut driver = disk(true);
    let at = DATA + 0x1000;
    assert_eq!(request(&mut driver, 8, 0, &[(at, 20, true)]), (0, 21));
    assert_eq!(&driver.ram.get(at, 16), b"suzerain-disk-0\0");
    assert_eq!(request(&mut driver, 99, 0, &[(at, 20, true)]).0, 2);
}

#[test]
fn a_disk_that_has_gone_answers_with_an_error() {
    let host = Tape::default();
    let mut driver = Driver::start(Device::block(3, 64, false), host, 0);
    let read = [(DATA + 0x1000, 512, true)];
    assert_eq!(request(&mut driver, 0, 0, &read).0, 1);
}

#[test]
fn a_console_prints_in_order() {
    let mut driver = Driver::start(Device::console(), Tape::default(), 0);
    let text: Vec<u8> = (0..700).map(|n| b'a' + (n % 26) as u8).collect();
    driver.ram.put(DATA, &text);
    driver.add(
        1,
        &[
            (DATA, 3, false),
            (DATA + 3, 0, false),
            (DATA + 3, 597, false),
        ],
    );
    driver.add(1, &[(DATA + 600, 100, false)]);
    assert_eq!(driver.notify(1), Served::Done);
    assert_eq!(driver.host.printed, text);
    assert_eq!(driver.used(1).len(), 2);
}

#[test]
fn input_waits_until_the_guest_has_a_buffer() {
    let mut driver = Driver::start(Device::console(), Tape::default(), EVENT_IDX);
    driver.host.input.extend(b"hello");
    assert_eq!(driver.serve(), Served::Done);
    assert_eq!(driver.host.input.len(), 5, "nothing is lost");
    driver.add(0, &[(DATA, 3, true)]);
    driver.notify(0);
    driver.add(0, &[(DATA + 3, 64, true)]);
    driver.notify(0);
    assert_eq!(
        driver.used(0).iter().map(|used| used.1).collect::<Vec<_>>(),
        [3, 2]
    );
    assert_eq!(driver.ram.get(DATA, 5), b"hello");
}

#[test]
fn entropy_fills_a_buffer_up_to_its_measure() {
    let mut driver = Driver::start(Device::entropy(), Tape::default(), 0);
    driver.add(0, &[(DATA, 4, true), (DATA + 0x100, 4, true)]);
    driver.add(0, &[(DATA + 0x200, 0x1000, true)]);
    driver.notify(0);
    assert_eq!(
        driver.used(0).iter().map(|used| used.1).collect::<Vec<_>>(),
        [8, 256]
    );
    assert_eq!(driver.ram.get(DATA + 0x100, 1), [4 ^ 0x5a]);
}

fn frame(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7) as u8).collect()
}

#[test]
fn a_card_sends_a_frame_without_its_header() {
    let mut driver = Driver::start(Device::net([2; 6]), Tape::default(), 0);
    driver.ram.put(DATA, &frame(1012));
    driver.add(
        1,
        &[
            (DATA, 12, false),
            (DATA + 12, 5, false),
            (DATA + 17, 995, false),
        ],
    );
    assert_eq!(driver.notify(1), Served::Done);
    assert_eq!(driver.host.sent, [frame(1012)[12..].to_vec()]);
}

#[test]
fn frames_of_impossible_length_are_counted_and_given_back() {
    let mut driver = Driver::start(Device::net([2; 6]), Tape::default(), 0);
    driver.add(1, &[(DATA, 12 + HEAD as u32 - 1, false)]);
    driver.add(1, &[(DATA, 12 + MAX_FRAME as u32 + 1, false)]);
    assert_eq!(driver.notify(1), Served::Done);
    assert_eq!(driver.used(1).len(), 2);
    assert_eq!(driver.host.sent.len(), 0);
    assert_eq!(driver.device.dropped(), 2);
}

#[test]
fn a_large_frame_is_spread_over_buffers_that_the_driver_is_told_the_number_of() {
    let mut driver = Driver::start(Device::net([2; 6]), Tape::default(), MERGEABLE);
    for n in 0..4 {
        driver.add(0, &[(DATA + 0x1000 * n, 500, true)]);
    }
    driver.host.frames.push_back(frame(1300));
    assert_eq!(driver.serve(), Served::Done);
    let used: Vec<u32> = driver.used(0).iter().map(|used| used.1).collect();
    assert_eq!(used, [500, 500, 312]);
    assert_eq!(driver.ram.get(DATA + 10, 2), [3, 0]);
    let mut got = driver.ram.get(DATA + 12, 488);
    got.extend(driver.ram.get(DATA + 0x1000, 500));
    got.extend(driver.ram.get(DATA + 0x2000, 312));
    assert_eq!(got, frame(1300));
}

#[test]
fn a_frame_waits_until_there_are_buffers_for_all_of_it() {
    let mut driver = Driver::start(Device::net([2; 6]), Tape::default(), MERGEABLE | EVENT_IDX);
    driver.add(0, &[(DATA, 500, true)]);
    driver.host.frames.push_back(frame(600));
    assert_eq!(driver.serve(), Served::Done);
    assert_eq!(driver.used(0), []);
    let event = queue_base(0) + USED + 4 + 8 * u64::from(QUEUE);
    assert_eq!(driver.ram.get_u16(event), 1, "tell of the next buffer");
    driver.add(0, &[(DATA + 0x1000, 500, true)]);
    assert_eq!(driver.notify(0), Served::Done);
    assert_eq!(driver.used(0), [(0, 500), (1, 112)]);
}

#[test]
fn a_frame_that_no_buffer_holds_is_dropped_and_its_buffer_kept() {
    let mut driver = Driver::start(Device::net([2; 6]), Tape::default(), 0);
    driver.add(0, &[(DATA, 12 + 600, true)]);
    driver.host.frames.push_back(frame(700));
    driver.host.frames.push_back(frame(600));
    driver.serve();
    assert_eq!(driver.used(0), [(0, 612)]);
    assert_eq!(driver.device.dropped(), 1);
}

#[test]
fn interrupts_come_when_the_driver_asked_for_them() {
    let mut driver = Driver::start(Device::entropy(), Tape::default(), EVENT_IDX);
    // `used_event`: not before the second chain.
    let used_event = queue_base(0) + AVAIL + 4 + 2 * u64::from(QUEUE);
    driver.ram.put(used_event, &1u16.to_le_bytes());
    driver.add(0, &[(DATA, 8, true)]);
    driver.notify(0);
    assert!(!driver.device.interrupt());
    driver.add(0, &[(DATA, 8, true)]);
    driver.notify(0);
    assert!(driver.device.interrupt());
    let avail_event = queue_base(0) + USED + 4 + 8 * u64::from(QUEUE);
    assert_eq!(driver.ram.get_u16(avail_event), 2);
}

#[test]
fn a_driver_that_polls_gets_no_interrupts() {
    let mut driver = Driver::start(Device::entropy(), Tape::default(), 0);
    driver.ram.put(queue_base(0) + AVAIL, &1u16.to_le_bytes());
    driver.add(0, &[(DATA, 8, true)]);
    driver.notify(0);
    assert_eq!(driver.used(0).len(), 1);
    assert!(!driver.device.interrupt());
}

#[test]
fn an_indirect_table_stands_for_a_chain() {
    let mut driver = Driver::start(Device::console(), Tape::default(), INDIRECT);
    driver.ram.put(DATA, b"one two");
    let table = BASE + 0x6_0000;
    driver.descriptor(table, 0, (DATA, 3, false), 1, 2);
    driver.descriptor(table, 2, (DATA + 3, 4, false), 0, 0);
    driver.descriptor(queue_base(1), 5, (table, 48, false), 4, 0);
    driver.offer(1, 5);
    assert_eq!(driver.notify(1), Served::Done);
    assert_eq!(driver.host.printed, b"one two");
    assert_eq!(driver.used(1), [(5, 0)]);
}

#[test]
fn indices_go_on_past_their_wrap() {
    let mut driver = Driver::start(Device::console(), Tape::default(), EVENT_IDX);
    driver.ram.put(DATA, b"x");
    for _ in 0..70_000 {
        driver.add(1, &[(DATA, 1, false)]);
        assert_eq!(driver.notify(1), Served::Done);
        assert_eq!(driver.used(1).len(), 1);
    }
    assert_eq!(driver.host.printed.len(), 70_000);
}
