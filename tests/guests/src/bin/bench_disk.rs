//! What a plain VM's disk takes, for `cargo xtask bench`: a MiB in requests of 4 KiB,
//! each told of by itself, and as many as fit at once.
//!
//! The payload is the driver and polls, so that what the counter says is the host's
//! work and a few instructions of its own for each request.
#![no_std]
#![no_main]

use guests::virtio::{CHAINS, Device, Piece, Queue};
use guests::{bits, check, plain, println, timer};
use vm_config::map;

guests::entry!(main);

/// Bytes of a request.
const BYTES: u64 = 4096;
/// Requests: a MiB.
const REQUESTS: u64 = 256;
const SECTORS: u64 = BYTES / 512;

/// Where each chain has its header, its status and its data.
const HEADERS: u64 = bits::SCRATCH;
const DATA: u64 = bits::SCRATCH + 0x1_0000;

const READ: u64 = 0;
const WRITE: u64 = 1;

static QUEUE: Queue = Queue::new();

fn main(_dtb: u64) {
    plain::announce();
    let disk = Device::start(map::VIRTIO_DISK, &[&QUEUE]);
    check!(disk.is_up(), "the disk comes up");
    // All of the disk and of the buffers is touched before it is counted.
    let fill = |at| (at * 0x0101_0101) ^ 0x5a5a;
    (0..CHAINS as u64 * BYTES / 8)
        .for_each(|word| bits::write_scratch(0x1_0000 + 8 * word, fill(word)));
    transfer(disk, WRITE, CHAINS as u64);
    println!("figure disk_bytes {}", REQUESTS * BYTES);
    println!("figure disk_write {}", transfer(disk, WRITE, 1));
    println!("figure disk_read {}", transfer(disk, READ, 1));
    println!(
        "figure disk_read_many {}",
        transfer(disk, READ, CHAINS as u64)
    );
    let kept = (0..CHAINS as u64 * BYTES / 8).all(|word| bits::read(DATA + 8 * word) == fill(word));
    check!(kept, "what was written comes back");
    check!(disk.is_up(), "nothing broke it");
}

/// Moves a MiB, so many requests at a notification; returns the ticks it took.
fn transfer(disk: Device, kind: u64, at_once: u64) -> u64 {
    let begun = timer::now();
    for first in (0..REQUESTS).step_by(at_once as usize) {
        (0..at_once).for_each(|number| request(kind, first + number));
        let before = QUEUE.used();
        disk.notify(0);
        while u64::from(QUEUE.used().wrapping_sub(before)) < at_once {
            core::hint::spin_loop();
        }
    }
    timer::now() - begun
}

/// Offers a request for the `number`th 4 KiB.
fn request(kind: u64, number: u64) {
    let chain = number % CHAINS as u64;
    let header = HEADERS + 32 * chain;
    bits::write_scratch(32 * chain, kind);
    bits::write_scratch(32 * chain + 8, number * SECTORS);
    let (data, length) = (DATA + chain * BYTES, BYTES as u32);
    let data = match kind {
        READ => Piece::Write(data, length),
        _ => Piece::Read(data, length),
    };
    let pieces = [Piece::Read(header, 16), data, Piece::Write(header + 16, 1)];
    QUEUE.offer(chain as usize, &pieces);
}
