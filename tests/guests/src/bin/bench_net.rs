//! What frames take from one plain VM to another, for `cargo xtask bench`. Two of
//! these run and greet each other: the one with the greater address listens, the
//! other sends.
//!
//! The frames are put into the listener's buffers while the sender waits for its
//! notification to be done, so that all of both sides' work is in what the sender
//! counts.
#![no_std]
#![no_main]

use guests::virtio::{CHAINS, Device, Piece, Queue};
use guests::{bits, check, plain, println, timer};
use vm_config::map;

guests::entry!(main);

static RECEIVE: Queue = Queue::new();
static SEND: Queue = Queue::new();

/// Bytes of `struct virtio_net_hdr`.
const HEADER: u64 = 12;
/// Bytes of a buffer.
const ROOM: u64 = 0x8000;
/// Sizes of frames that are counted: Ethernet's, and near the most there is.
const SIZES: [u64; 2] = [1514, 32_000];
/// Frames of each size; they and the greeting find a buffer each.
const FRAMES: u64 = 15;
const BUFFERS: u64 = 0x10_0000;
/// An Ethernet type for experiments.
const TYPE: [u8; 2] = [0x88, 0xb5];
/// How often is looked for what the other has to send.
const PATIENCE: u64 = 1 << 32;

type Mac = [u8; 6];

fn main(_dtb: u64) {
    plain::announce();
    // All that is sent from and received to is touched before it is counted.
    let end = BUFFERS + CHAINS as u64 * ROOM;
    (0..end)
        .step_by(8)
        .for_each(|at| bits::write_scratch(at, at));
    let card = Device::start(map::VIRTIO_NET, &[&RECEIVE, &SEND]);
    check!(card.is_up(), "the card comes up");
    for chain in 0..CHAINS as u64 {
        let buffer = bits::SCRATCH + BUFFERS + chain * ROOM;
        RECEIVE.offer(chain as usize, &[Piece::Write(buffer, ROOM as u32)]);
    }
    card.notify(0);
    let own = own_address(card);
    compose([0xff; 6], own);
    send(card, 64);
    let greeted = wait_for(1);
    check!(greeted, "the other greets me");
    if greeted {
        let other = sender_of_first();
        match own < other {
            true => count(card, own, other),
            false => check!(
                wait_for(1 + SIZES.len() as u16 * FRAMES as u16),
                "all frames arrive"
            ),
        }
    }
    check!(card.is_up(), "nothing broke it");
}

/// Sends frames of each size and tells what one takes.
fn count(card: Device, own: Mac, other: Mac) {
    compose(other, own);
    for size in SIZES {
        let mut took = [0; FRAMES as usize];
        for took in &mut took {
            let begun = timer::now();
            send(card, size);
            *took = timer::now() - begun;
        }
        took.sort_unstable();
        println!("figure net_{size} {}", took[took.len() / 2]);
    }
}

/// Sends the frame, cut to `size`.
fn send(card: Device, size: u64) {
    let before = SEND.used();
    let frame = Piece::Read(bits::SCRATCH, (HEADER + size) as u32);
    SEND.offer(0, &[frame]);
    card.notify(1);
    while SEND.used() == before {
        core::hint::spin_loop();
    }
}

/// Waits until so many frames have arrived.
fn wait_for(frames: u16) -> bool {
    (0..PATIENCE).any(|_| RECEIVE.used() >= frames)
}

fn own_address(card: Device) -> Mac {
    let [a, b, c, d] = card.config(0).to_le_bytes();
    let [e, f, ..] = card.config(4).to_le_bytes();
    [a, b, c, d, e, f]
}

/// Puts the head of a frame where frames are sent from.
fn compose(to: Mac, from: Mac) {
    let mut bytes = [0; 32];
    let fields = [&to[..], &from, &TYPE];
    let fields = fields.into_iter().flatten();
    let places = bytes.iter_mut().skip(HEADER as usize);
    places.zip(fields).for_each(|(place, byte)| *place = *byte);
    for (at, word) in (0..).step_by(8).zip(bytes.as_chunks().0) {
        bits::write_scratch(at, u64::from_le_bytes(*word));
    }
}

/// Who sent the frame in the first buffer.
fn sender_of_first() -> Mac {
    // Behind the header and the destination, which are 18 bytes.
    let word = bits::read(bits::SCRATCH + BUFFERS + 16);
    let [_, _, a, b, c, d, e, f] = word.to_le_bytes();
    [a, b, c, d, e, f]
}
