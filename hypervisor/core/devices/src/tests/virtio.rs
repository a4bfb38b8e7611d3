//! Virtio devices behind a board's slots.

use addr::Ipa;
use rmi::v1_0::RecRun;
use std::boxed::Box;
use std::vec::Vec;
use std::{format, vec};
use vgic::Cpu;
use virtio::{
    Broken, Device, Entropy, Fill, GuestMemory, HEAD, Inaccessible, Media, Served, Storage, Take,
    Terminal, Wire,
};

use super::{SHARED, STORE, Tape, abort, board, load, store};
use crate::Request;

const SLOT: u64 = 0x0a00_0200;
const INTID: u64 = 49;

/// RAM at address zero.
struct Ram(Vec<u8>);

impl GuestMemory for Ram {
    fn read(&mut self, ipa: Ipa, to: &mut [u8]) -> Result<(), Inaccessible> {
        let at = ipa.raw() as usize;
        let from = self.0.get(at..at + to.len()).ok_or(Inaccessible { ipa })?;
        to.copy_from_slice(from);
        Ok(())
    }
    fn write(&mut self, ipa: Ipa, from: &[u8]) -> Result<(), Inaccessible> {
        let at = ipa.raw() as usize;
        let to = self.0.get_mut(at..at + from.len());
        to.ok_or(Inaccessible { ipa })?.copy_from_slice(from);
        Ok(())
    }
}

/// RAM whose available index counts on with every look at it, if so wanted.
struct Endless<'r>(&'r mut Ram, bool);

impl GuestMemory for Endless<'_> {
    fn read(&mut self, ipa: Ipa, to: &mut [u8]) -> Result<(), Inaccessible> {
        self.0.read(ipa, to)?;
        if self.1 && ipa.raw() == 0x2002 {
            let index = u16::from_le_bytes([to[0], to[1]]).wrapping_add(1);
            self.0.write(ipa, &index.to_le_bytes())?;
        }
        Ok(())
    }
    fn write(&mut self, ipa: Ipa, from: &[u8]) -> Result<(), Inaccessible> {
        self.0.write(ipa, from)
    }
}

/// A host that has nothing but sevens.
struct Sevens;

impl Terminal for Sevens {
    fn print(&mut self, _: &[u8]) {}
    fn has_input(&mut self) -> bool {
        false
    }
    fn input(&mut self, _: &mut [u8]) -> usize {
        0
    }
}
impl Entropy for Sevens {
    fn entropy(&mut self, to: &mut [u8]) -> usize {
        to.fill(7);
        to.len()
    }
}
impl Storage for Sevens {
    fn disk(&mut self, _: usize) -> Option<Media<'_>> {
        None
    }
}
impl Wire for Sevens {
    fn send(&mut self, _: &[u8; HEAD], _: usize, _: &mut Fill<'_>) -> Result<(), Broken> {
        Ok(())
    }
    fn receive(&mut self, _: &mut Take<'_>) -> Result<bool, Broken> {
        Ok(false)
    }
}

/// Starts the entropy device with a queue of one at 0x1000, whose only chain is
/// 16 bytes at `buffer`, and notifies it.
fn ask(board: &mut crate::Board<'_>, buffer: u64) -> (Ram, Request) {
    let mut ram = Ram(vec![0; 0x4000]);
    ram.0[0x1000..0x1008].copy_from_slice(&buffer.to_le_bytes());
    ram.0[0x1008] = 16;
    ram.0[0x100c] = 2;
    ram.0[0x2002] = 1;
    let mut tape = Tape::default();
    for (offset, value) in [
        (0x24, 1),
        (0x20, 1),
        (0x70, 11),
        (0x38, 1),
        (0x80, 0x1000),
        (0x90, 0x2000),
        (0xa0, 0x2800),
        (0x44, 1),
        (0x70, 15),
    ] {
        store(board, &mut tape, SLOT + offset, value);
    }
    let mut run = abort(STORE, SHARED | (SLOT + 0x50), 0);
    let request = board.after_exit(0, &mut run, &mut tape);
    (ram, request)
}

/// What a list register would hold for vCPU 0.
fn listed(board: &mut crate::Board<'_>) -> u64 {
    let mut run = Box::<RecRun>::default();
    board.before_enter(0, &mut run.enter);
    run.enter.gicv3_lrs[0] & 0xffff_ffff
}

#[test]
fn a_slot_without_a_device_reads_as_zero_and_is_no_surprise() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    assert!(board.plug(1, Device::entropy()));
    assert!(!board.plug(8, Device::entropy()));
    assert_eq!(load(&mut board, 0x0a00_0000), 0);
    assert_eq!(load(&mut board, SLOT), 0x7472_6976);
    assert_eq!(load(&mut board, SLOT + 8), 4);
    store(&mut board, &mut Tape::default(), 0x0a00_0070, 1);
    assert_eq!(board.unknown.count, 0);
}

#[test]
fn a_notification_is_a_request_and_its_answer_an_interrupt() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    let mut tape = Tape::default();
    board.plug(1, Device::entropy());
    store(&mut board, &mut tape, 0x0800_0000, 2);
    store(&mut board, &mut tape, 0x0800_0084, 1 << 17);
    store(&mut board, &mut tape, 0x0800_0104, 1 << 17);
    let (mut ram, request) = ask(&mut board, 0x3000);
    assert_eq!(request, Request::Device { slot: 1 });
    assert_eq!(listed(&mut board), 0);
    assert_eq!(board.serve(1, &mut ram, &mut Sevens), Served::Done);
    assert_eq!(ram.0[0x3000..0x3011], *[&[7; 16][..], &[0]].concat());
    assert_eq!(listed(&mut board), INTID);
    assert_eq!(load(&mut board, SLOT + 0x60), 1);
    store(&mut board, &mut tape, SLOT + 0x64, 1);
    assert_eq!(listed(&mut board), 0, "acknowledged");
}

#[test]
fn a_broken_device_says_why() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    board.plug(1, Device::entropy());
    let (mut ram, _) = ask(&mut board, 0x3ff8);
    let Served::Broke(why) = board.serve(1, &mut ram, &mut Sevens) else {
        panic!("a buffer past the end of RAM was taken");
    };
    let text = format!("{why}");
    assert!(
        text.contains("0x3ff8") && text.contains("not RAM"),
        "{text}"
    );
}

#[test]
fn a_reset_of_the_board_resets_its_devices_and_keeps_them() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    board.plug(1, Device::entropy());
    ask(&mut board, 0x3000);
    board.reset();
    assert_eq!(load(&mut board, SLOT + 0x70), 0);
    assert_eq!(load(&mut board, SLOT), 0x7472_6976);
    assert_eq!(board.serve(7, &mut Ram(vec![]), &mut Sevens), Served::Done);
}

#[test]
fn work_that_is_left_is_remembered_until_it_is_done_or_reset() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    board.plug(1, Device::entropy());
    let (mut ram, _) = ask(&mut board, 0x3000);
    // The other CPU offers the buffer again whenever the index is read.
    let mut endless = Endless(&mut ram, true);
    assert_eq!(board.serve(1, &mut endless, &mut Sevens), Served::More);
    assert_eq!(board.unfinished(), Some(1));
    endless.1 = false;
    assert_eq!(board.serve(1, &mut endless, &mut Sevens), Served::Done);
    assert_eq!(board.unfinished(), None);
    endless.1 = true;
    endless.0.0[0x2002] = endless.0.0[0x2002].wrapping_add(1);
    assert_eq!(board.serve(1, &mut endless, &mut Sevens), Served::More);
    board.reset();
    assert_eq!(board.unfinished(), None);
}
