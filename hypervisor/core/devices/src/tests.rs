use addr::{Ipa, IpaRange};
use rmi::v1_0::{ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_INJECT_SEA, RecRun};
use std::boxed::Box;
use std::vec::Vec;
use vcpu::{Policy, Stop};
use vgic::Cpu;
use vm_config::map;

use crate::{Board, Config, Host, Pl011, Request};

mod power;
mod virtio;

const SHARED: u64 = 1 << 32;
const LOAD: u64 = 0x24 << 26 | 1 << 24 | 2 << 22 | 7;
const STORE: u64 = LOAD | 1 << 6;
const UART: u64 = 0x0900_0000;

#[derive(Default)]
struct Tape {
    out: Vec<u8>,
    input: Vec<u8>,
    rim: Vec<u8>,
    marks: Vec<u64>,
}

impl Host for Tape {
    fn write(&mut self, byte: u8) {
        self.out.push(byte);
    }
    fn read(&mut self) -> Option<u8> {
        (!self.input.is_empty()).then(|| self.input.remove(0))
    }
    fn mark(&mut self, number: u64) {
        self.marks.push(number);
    }
    fn rim(&mut self, rim: &[u8]) {
        self.rim = rim.to_vec();
    }
}

fn board(cpus: &mut [Cpu]) -> Board<'_> {
    let config = Config {
        policy: Policy {
            ram: IpaRange::with_size(map::RAM_BASE, 64 << 20).unwrap(),
            shared_bit: SHARED,
            vcpus: cpus.len(),
        },
        list_registers: 4,
        priority_bits: 5,
    };
    Board::new(cpus, config)
}

fn abort(esr: u64, ipa: u64, value: u64) -> Box<RecRun> {
    let mut run = Box::<RecRun>::default();
    run.exit.esr = esr;
    run.exit.hpfar = ipa >> 12 << 4;
    run.exit.far = ipa & 0xfff;
    run.exit.gprs[0] = value;
    run
}

fn host_call(imm: u64) -> Box<RecRun> {
    let mut run = Box::<RecRun>::default();
    run.exit.exit_reason = 5;
    run.exit.imm = imm;
    run
}

/// What a load through the shared alias gives.
fn load(board: &mut Board<'_>, ipa: u64) -> u64 {
    let mut run = abort(LOAD, SHARED | ipa, 0);
    let request = board.after_exit(0, &mut run, &mut Tape::default());
    assert_eq!(request, Request::Resume);
    assert_eq!(run.enter.flags & ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_EMUL_MMIO);
    run.enter.gprs[0]
}

fn store(board: &mut Board<'_>, tape: &mut Tape, ipa: u64, value: u64) {
    let mut run = abort(STORE, SHARED | ipa, value);
    assert_eq!(board.after_exit(0, &mut run, tape), Request::Resume);
    assert_eq!(run.enter.flags & ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_EMUL_MMIO);
}

#[test]
fn the_uart_identifies_itself_as_linux_expects() {
    let mut uart = Pl011::default();
    let mut id = |first: u64| {
        (0..4)
            .map(|n| uart.read(first + 4 * n) << (8 * n))
            .sum::<u32>()
    };
    assert_eq!(id(0xfe0) & 0x000f_ffff, 0x0004_1011);
    assert_eq!(id(0xff0), 0xb105_f00d);
}

#[test]
fn the_uart_is_found_through_the_shared_alias() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    assert_eq!(load(&mut board, UART + 0x18), 0x97);
    let mut tape = Tape::default();
    for byte in b"hi" {
        store(&mut board, &mut tape, UART, u64::from(*byte));
    }
    assert_eq!(tape.out, b"hi");
}

#[test]
fn a_received_byte_raises_the_line_until_it_is_read() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    let mut tape = Tape::default();
    // Enable group 1, and INTID 33 in it; FIFO, receive and time-out interrupts.
    store(&mut board, &mut tape, 0x0800_0000, 2);
    store(&mut board, &mut tape, 0x0800_0084, 2);
    store(&mut board, &mut tape, 0x0800_0104, 2);
    store(&mut board, &mut tape, UART + 0x2c, 0x70);
    store(&mut board, &mut tape, UART + 0x38, 0x50);
    let mut run = Box::<RecRun>::default();
    run.exit.exit_reason = 1;
    assert!(!board.wakes(0, &run.exit, 0));
    assert!(board.receive(b'x'));
    assert!(board.wakes(0, &run.exit, 0));
    assert_eq!(load(&mut board, UART + 0x40), 0x40);
    board.before_enter(0, &mut run.enter);
    assert_eq!(run.enter.gicv3_lrs[0] & 0xffff_ffff, 33);
    assert_eq!(load(&mut board, UART), u64::from(b'x'));
    assert_eq!(load(&mut board, UART + 0x18) & 0x10, 0x10, "empty again");
    board.before_enter(0, &mut run.enter);
    assert_eq!(run.enter.gicv3_lrs[0], 0);
}

#[test]
fn a_full_receiver_refuses_and_keeps_what_it_has() {
    let mut uart = Pl011::default();
    uart.write(0x2c, 0x10);
    for byte in 0..16 {
        assert!(uart.receive(byte));
    }
    assert_eq!(uart.read(0x18) & 0x40, 0x40);
    assert!(!uart.receive(99));
    for byte in 0..16 {
        assert_eq!(uart.read(0), byte);
    }
    assert_eq!(uart.read(0), 0);
}

#[test]
fn the_transmit_interrupt_comes_with_the_first_byte_and_goes_when_cleared() {
    let mut uart = Pl011::default();
    uart.write(0x38, 0x20);
    assert!(!uart.interrupt());
    assert_eq!(uart.write(0, 0x141), Some(b'A'));
    assert!(uart.interrupt());
    uart.write(0x44, 0x20);
    assert!(!uart.interrupt());
}

#[test]
fn the_interrupt_controller_answers_at_its_addresses() {
    let mut cpus = [Cpu::default(), Cpu::default()];
    let mut board = board(&mut cpus);
    assert_eq!(load(&mut board, 0x0800_ffe8), 0x3b);
    assert_eq!(load(&mut board, 0x080a_ffe8), 0x3b);
    assert_eq!(load(&mut board, 0x080c_0008) & 0x10, 0x10);
    assert_eq!(board.unknown.count, 0);
}

#[test]
fn an_address_without_device_reads_zero_and_is_counted() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    assert_eq!(load(&mut board, 0x0a00_1000), 0);
    assert_eq!(load(&mut board, 0x080c_0000), 0, "no second redistributor");
    assert_eq!(board.unknown.count, 2);
    let first = board.unknown.first.map(|access| access.ipa);
    assert_eq!(first, Some(Ipa::new(0x0a00_1000)));
}

#[test]
fn an_access_that_cannot_be_emulated_aborts_in_the_guest() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    let mut run = abort(0x24 << 26 | 7, SHARED | UART, 0);
    let request = board.after_exit(0, &mut run, &mut Tape::default());
    assert_eq!(request, Request::Resume);
    assert_eq!(
        run.enter.flags & ENTER_FLAG_INJECT_SEA,
        ENTER_FLAG_INJECT_SEA
    );
}

#[test]
fn a_nop_gives_every_register_back() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    let mut run = host_call(4);
    run.exit.gprs = core::array::from_fn(|n| n as u64 * 3);
    let expected = run.exit.gprs;
    let request = board.after_exit(0, &mut run, &mut Tape::default());
    assert_eq!(request, Request::Resume);
    assert_eq!(run.enter.gprs, expected);
    assert_eq!(board.counters.host_call, 1);
}

#[test]
fn a_payload_prints_and_reads_by_host_calls() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    let mut tape = Tape {
        input: b"ok".to_vec(),
        ..Tape::default()
    };
    let mut run = host_call(1);
    rsi::host_call::pack(&mut run.exit.gprs, b"hello, host");
    board.after_exit(0, &mut run, &mut tape);
    assert_eq!(tape.out, b"hello, host");
    assert_eq!(run.enter.gprs[0], 11);
    let mut run = host_call(2);
    board.after_exit(0, &mut run, &mut tape);
    assert_eq!(run.enter.gprs[0], 2);
    assert_eq!(run.enter.gprs[1], u64::from_le_bytes(*b"ok\0\0\0\0\0\0"));
}

#[test]
fn a_console_write_of_absurd_length_is_cut() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    let mut tape = Tape::default();
    let mut run = host_call(1);
    run.exit.gprs[0] = u64::MAX;
    board.after_exit(0, &mut run, &mut tape);
    assert_eq!(run.enter.gprs[0], 240);
    assert_eq!(tape.out.len(), 240);
}

#[test]
fn the_measurement_is_handed_on() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    let mut tape = Tape::default();
    let mut run = host_call(3);
    run.exit.gprs[0] = 32;
    run.exit.gprs[1] = 0x0807_0605_0403_0201;
    board.after_exit(0, &mut run, &mut tape);
    assert_eq!(tape.rim.len(), 32);
    assert_eq!(tape.rim[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_call_nobody_knows_answers_minus_one() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    for imm in [0, 0x7777] {
        let mut run = host_call(imm);
        board.after_exit(0, &mut run, &mut Tape::default());
        assert_eq!(run.enter.gprs[0], u64::MAX);
    }
}

#[test]
fn a_wait_ends_when_the_guests_timer_is_due() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    let mut tape = Tape::default();
    store(&mut board, &mut tape, 0x0800_0000, 2);
    store(&mut board, &mut tape, 0x080b_0080, 0xffff_ffff);
    store(&mut board, &mut tape, 0x080b_0100, 1 << 27);
    let mut run = abort(0x01 << 26, 0, 0);
    run.exit.cntv_ctl = 1;
    run.exit.cntv_cval = 1000;
    assert_eq!(board.after_exit(0, &mut run, &mut tape), Request::Wait);
    assert_eq!(vcpu::timer::next(&run.exit), Some(1000));
    assert!(!board.wakes(0, &run.exit, 999));
    assert!(board.wakes(0, &run.exit, 1000));
    board.before_enter(0, &mut run.enter);
    assert_eq!(run.enter.gicv3_lrs[0] & 0xffff_ffff, 27);
    assert_eq!(board.after_exit(0, &mut run, &mut tape), Request::Wait);
}

#[test]
fn waiting_with_an_interrupt_pending_does_not_wait() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    let mut tape = Tape::default();
    store(&mut board, &mut tape, 0x0800_0000, 2);
    store(&mut board, &mut tape, 0x080b_0080, 0xffff_ffff);
    store(&mut board, &mut tape, 0x080b_0100, 1 << 27);
    let mut run = abort(0x01 << 26, 0, 0);
    run.exit.cntv_ctl = 5;
    assert_eq!(board.after_exit(0, &mut run, &mut tape), Request::Resume);
}

#[test]
fn power_off_reaches_the_loop() {
    let mut cpus = [Cpu::default()];
    let mut board = board(&mut cpus);
    let mut run = Box::<RecRun>::default();
    run.exit.exit_reason = 3;
    run.exit.gprs[0] = u64::from(rsi::psci::SYSTEM_OFF);
    let request = board.after_exit(0, &mut run, &mut Tape::default());
    assert_eq!(request, Request::Stop(Stop::Off));
    assert_eq!(board.counters.psci, 1);
}
