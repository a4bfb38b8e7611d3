//! The GPIO controller, and the power key on it.

use std::boxed::Box;

use rmi::v1_0::RecRun;
use vgic::Cpu;

use super::{Tape, board, load, store};
use crate::{Asked, Pl061, PowerKey};

const GPIO: u64 = 0x0903_0000;
const DIR: u64 = 0x400;
const IS: u64 = 0x404;
const IBE: u64 = 0x408;
const IEV: u64 = 0x40c;
const IE: u64 = 0x410;
const RIS: u64 = 0x414;
const MIS: u64 = 0x418;
const IC: u64 = 0x41c;
const AFSEL: u64 = 0x420;
const ALL: u64 = 0x3fc;
/// Line 3, and where it alone is read.
const KEY: u8 = 1 << 3;
const KEY_DATA: u64 = 1 << (3 + 2);

/// Ticks of a second, and seconds of patience.
const SECOND: u64 = 1000;
const PATIENCE: u64 = 20;

#[test]
fn the_controller_identifies_itself_as_linux_expects() {
    let gpio = Pl061::default();
    let id = |first: u64| {
        (0..4)
            .map(|n| u32::from(gpio.read(first + 4 * n)) << (8 * n))
            .sum::<u32>()
    };
    assert_eq!(id(0xfe0) & 0x000f_ffff, 0x0004_1061);
    assert_eq!(id(0xff0), 0xb105_f00d);
    assert_eq!(gpio.read(0xfe1), 0, "between two registers there is none");
}

#[test]
fn registers_start_at_zero_and_keep_what_they_may() {
    let mut gpio = Pl061::default();
    for offset in [DIR, IS, IBE, IEV, IE, AFSEL] {
        assert_eq!(gpio.read(offset), 0);
        gpio.write(offset, 0xa5);
        assert_eq!(gpio.read(offset), 0xa5);
        gpio.write(offset, 0);
    }
    for offset in [RIS, MIS, IC, 0x424, 0x600, 0xfe0, 0xffc] {
        let before = gpio.read(offset);
        gpio.write(offset, 0xa5);
        assert_eq!(gpio.read(offset), before, "{offset:#x} cannot be written");
    }
}

#[test]
fn the_address_masks_data_and_only_outputs_are_driven() {
    let mut gpio = Pl061::default();
    gpio.write(DIR, 0x0f);
    gpio.write(ALL, 0xff);
    assert_eq!(gpio.read(ALL), 0x0f);
    gpio.write(0x3 << 2, 0x00);
    assert_eq!(gpio.read(ALL), 0x0c);
    assert_eq!(gpio.read(0), 0);
    gpio.apply(7, true);
    gpio.apply(2, false);
    assert_eq!(gpio.read(ALL), 0x8c, "an output is what the guest says");
    assert_eq!(gpio.read(0x80 << 2), 0x80);
    assert_eq!(gpio.read(0x7f << 2), 0x0c);
    gpio.write(DIR, 0);
    assert_eq!(gpio.read(ALL), 0x80);
}

#[test]
fn an_edge_stays_until_it_is_cleared() {
    // (both edges, event, after the rise, after the fall)
    for (both, event, rise, fall) in [
        (0, 0, 0, KEY),
        (0, KEY, KEY, 0),
        (KEY, 0, KEY, KEY),
        (KEY, KEY, KEY, KEY),
    ] {
        let mut gpio = Pl061::default();
        gpio.write(IBE, both);
        gpio.write(IEV, event);
        gpio.write(IE, KEY);
        for (level, expected) in [(true, rise), (false, fall)] {
            gpio.apply(3, level);
            gpio.apply(3, level);
            assert_eq!(gpio.read(RIS), expected, "{both} {event} {level}");
            assert_eq!(gpio.interrupt(), expected != 0);
            gpio.write(IC, !KEY);
            assert_eq!(gpio.read(RIS), expected, "another line was cleared");
            gpio.write(IC, KEY);
            assert_eq!(gpio.read(RIS), 0);
            assert!(!gpio.interrupt());
        }
    }
}

#[test]
fn a_level_interrupts_as_long_as_it_lasts() {
    let mut gpio = Pl061::default();
    gpio.write(IS, KEY);
    gpio.write(IE, KEY);
    assert!(gpio.interrupt(), "low is the level that was asked for");
    gpio.write(IEV, KEY);
    assert!(!gpio.interrupt());
    gpio.apply(3, true);
    gpio.write(IC, 0xff);
    assert_eq!(gpio.read(MIS), KEY, "it cannot be cleared");
    gpio.apply(3, false);
    assert!(!gpio.interrupt(), "it is not remembered");
    gpio.write(IS, 0);
    assert_eq!(gpio.read(RIS), 0, "nor is it an edge");
}

#[test]
fn what_is_not_enabled_is_seen_and_does_not_interrupt() {
    let mut gpio = Pl061::default();
    gpio.write(IEV, KEY);
    gpio.apply(3, true);
    assert_eq!((gpio.read(RIS), gpio.read(MIS)), (KEY, 0));
    assert!(!gpio.interrupt());
    gpio.write(IE, KEY);
    assert_eq!(gpio.read(MIS), KEY);
    assert!(gpio.interrupt());
}

#[test]
fn an_output_and_a_line_that_is_not_there_interrupt_nobody() {
    let mut gpio = Pl061::default();
    for (register, value) in [(DIR, KEY), (IBE, 0xff), (IE, 0xff)] {
        gpio.write(register, value);
    }
    gpio.apply(3, true);
    gpio.apply(8, true);
    gpio.apply(u32::MAX, true);
    assert_eq!(gpio.read(RIS), 0);
    assert!(!gpio.interrupt());
}

#[test]
fn the_key_is_released_soon_after_the_guest_has_looked() {
    let mut key = PowerKey::default();
    assert_eq!(key.attend(0), Asked::Not);
    key.press(0, SECOND, PATIENCE);
    assert_eq!(key.read(ALL), KEY);
    assert_eq!(key.attend(99), Asked::Until(199));
    assert_eq!(key.read(KEY_DATA), KEY, "contacts may still bounce");
    assert_eq!(key.attend(100), Asked::Until(20_000));
    assert_eq!(key.read(KEY_DATA), 0);
}

#[test]
fn a_guest_that_does_not_look_finds_the_key_pressed_for_a_while() {
    let mut key = PowerKey::default();
    key.press(0, SECOND, PATIENCE);
    assert_eq!(key.read(!KEY_DATA & ALL), 0);
    assert_eq!(key.read(IE), 0);
    assert_eq!(key.attend(3_999), Asked::Until(4_099));
    assert_eq!(key.attend(4_000), Asked::Until(20_000));
    assert_eq!(key.read(KEY_DATA), 0);
}

#[test]
fn patience_ends_once_and_pressing_again_begins_anew() {
    let mut key = PowerKey::default();
    key.press(0, SECOND, PATIENCE);
    key.attend(4_000);
    key.press(10_000, SECOND, PATIENCE);
    assert_eq!(key.read(KEY_DATA), KEY);
    key.attend(10_100);
    assert_eq!(key.attend(29_999), Asked::Until(30_000));
    assert_eq!(key.attend(30_000), Asked::InVain);
    assert_eq!(key.attend(30_001), Asked::Not);
    // However short the patience, the key does not stay down.
    key.press(40_000, SECOND, 1);
    assert_eq!(key.attend(41_000), Asked::InVain);
    assert_eq!(key.read(KEY_DATA), 0);
}

#[test]
fn a_press_reaches_the_guest_as_an_interrupt_through_the_shared_alias() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    let mut tape = Tape::default();
    // Enable group 1, and INTID 39 in it; both edges of line 3.
    for (ipa, value) in [
        (0x0800_0000, 2),
        (0x0800_0084, 1 << 7),
        (0x0800_0104, 1 << 7),
        (GPIO + IBE, u64::from(KEY)),
        (GPIO + IE, u64::from(KEY)),
    ] {
        store(&mut board, &mut tape, ipa, value);
    }
    let mut run = Box::<RecRun>::default();
    run.exit.exit_reason = 1;
    board.before_enter(0, &mut run.enter);
    assert_eq!(run.enter.gicv3_lrs[0], 0);
    board.press_power_key(0, SECOND, PATIENCE);
    assert_eq!(board.attention(usize::MAX), 1);
    assert!(board.wakes(0, &run.exit, 0));
    board.before_enter(0, &mut run.enter);
    assert_eq!(run.enter.gicv3_lrs[0] & 0xffff_ffff, 39);
    assert_eq!(load(&mut board, GPIO + KEY_DATA), u64::from(KEY));
    store(&mut board, &mut tape, GPIO + IC, u64::from(KEY));
    assert_eq!(load(&mut board, GPIO + MIS), 0);
    assert_eq!(board.attend_power_key(100), Asked::Until(20_000));
    assert_eq!(load(&mut board, GPIO + MIS), u64::from(KEY), "released");
    assert_eq!(board.unknown.count, 0);
    board.reset();
    assert_eq!(board.attend_power_key(101), Asked::Not);
    assert_eq!(load(&mut board, GPIO + IBE), 0);
}
