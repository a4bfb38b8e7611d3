use std::vec;
use std::vec::Vec;

use crate::{Broken, HEAD, MAX_FRAME, MAX_PORTS, Mac, PortId, Switch};

const A: Mac = [2, 0, 0, 0, 0, 1];
const B: Mac = [2, 0, 0, 0, 0, 2];
const C: Mac = [2, 0, 0, 0, 0, 3];
const ALL: Mac = [0xff; 6];

fn memory(bytes: usize) -> &'static mut [u8] {
    vec![0; bytes].leak()
}

fn three() -> (Switch<'static>, PortId, PortId, PortId) {
    let mut switch = Switch::new();
    let [a, b, c] = [A, B, C].map(|mac| switch.attach(mac, memory(1 << 16)).unwrap());
    (switch, a, b, c)
}

fn send(switch: &mut Switch<'_>, port: PortId, to: Mac, from: Mac, body: &[u8]) {
    let mut head = [8; HEAD];
    head[..6].copy_from_slice(&to);
    head[6..12].copy_from_slice(&from);
    let fill = &mut |place: &mut [u8]| {
        place.copy_from_slice(body);
        Ok(())
    };
    switch.send(port, &head, body.len(), fill).unwrap();
}

/// The bodies of the frames that wait at a port.
fn drain(switch: &mut Switch<'_>, port: PortId) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let take = &mut |frame: &[u8]| {
        bodies.push(frame[HEAD..].to_vec());
        Ok(true)
    };
    while switch.receive(port, take).unwrap() {}
    bodies
}

#[test]
fn a_frame_for_one_is_seen_by_nobody_else() {
    let (mut switch, a, b, c) = three();
    send(&mut switch, a, B, A, b"secret");
    assert_eq!(switch.take_woken(), 0b010);
    assert_eq!(switch.take_woken(), 0);
    assert_eq!(drain(&mut switch, b), [b"secret".to_vec()]);
    assert!(drain(&mut switch, a).is_empty());
    assert!(drain(&mut switch, c).is_empty());
}

#[test]
fn a_broadcast_reaches_all_but_its_sender_and_is_read_once() {
    let (mut switch, a, b, c) = three();
    let mut head = [0xff; HEAD];
    head[6..12].copy_from_slice(&B);
    let mut reads = 0;
    let fill = &mut |place: &mut [u8]| {
        reads += 1;
        place.fill(reads);
        Ok(())
    };
    switch.send(b, &head, 4, fill).unwrap();
    assert_eq!(drain(&mut switch, a), [vec![1; 4]]);
    assert_eq!(drain(&mut switch, c), [vec![1; 4]]);
    assert!(drain(&mut switch, b).is_empty());
}

#[test]
fn a_frame_from_a_foreign_address_is_dropped_and_counted() {
    let (mut switch, a, b, _) = three();
    for from in [B, C, ALL, [0; 6]] {
        send(&mut switch, a, B, from, b"I am another");
        send(&mut switch, a, ALL, from, b"I am another");
    }
    assert!(drain(&mut switch, b).is_empty());
    assert_eq!(switch.counters(a).spoofed, 8);
    assert_eq!(switch.counters(a).sent, 0);
}

#[test]
fn a_frame_to_nobody_or_to_itself_goes_nowhere() {
    let (mut switch, a, b, c) = three();
    send(&mut switch, a, [2, 9, 9, 9, 9, 9], A, b"hello?");
    send(&mut switch, a, A, A, b"hello me");
    for port in [a, b, c] {
        assert!(drain(&mut switch, port).is_empty());
    }
    assert_eq!(switch.counters(a).unknown, 1);
}

#[test]
fn a_full_port_loses_frames_and_holds_up_nobody() {
    let mut switch = Switch::new();
    let a = switch.attach(A, memory(1 << 16)).unwrap();
    let b = switch.attach(B, memory(100)).unwrap();
    let c = switch.attach(C, memory(1 << 16)).unwrap();
    for n in 0..3 {
        send(&mut switch, a, ALL, A, &[n; 30]);
    }
    assert_eq!(drain(&mut switch, b), [vec![0; 30], vec![1; 30]]);
    assert_eq!(drain(&mut switch, c).len(), 3);
    assert_eq!(switch.counters(b).full, 1);
    assert_eq!(switch.counters(b).received, 2);
}

#[test]
fn what_cannot_be_read_is_not_sent() {
    let (mut switch, a, b, c) = three();
    let mut head = [0xff; HEAD];
    head[6..12].copy_from_slice(&A);
    let sent = switch.send(a, &head, 4, &mut |_| Err(Broken::ShortChain));
    assert_eq!(sent, Err(Broken::ShortChain));
    assert!(drain(&mut switch, b).is_empty());
    assert!(drain(&mut switch, c).is_empty());
    assert_eq!(switch.take_woken(), 0);
}

#[test]
fn a_frame_that_is_not_taken_stays() {
    let (mut switch, a, b, _) = three();
    send(&mut switch, a, B, A, b"later");
    assert_eq!(switch.receive(b, &mut |_| Ok(false)), Ok(false));
    assert_eq!(drain(&mut switch, b), [b"later".to_vec()]);
}

#[test]
fn an_address_has_one_owner_and_is_free_when_it_leaves() {
    let (mut switch, a, b, _) = three();
    assert!(switch.attach(B, memory(64)).is_err());
    assert!(
        switch.attach([3, 0, 0, 0, 0, 9], memory(64)).is_err(),
        "a group"
    );
    send(&mut switch, a, B, A, b"for the old one");
    assert_eq!(switch.detach(b).map(|memory| memory.len()), Some(1 << 16));
    assert!(switch.detach(b).is_none());
    assert_eq!(switch.take_woken(), 0);
    let again = switch.attach(B, memory(1 << 16)).unwrap();
    assert!(
        drain(&mut switch, again).is_empty(),
        "frames do not outlive their port"
    );
}

#[test]
fn ports_run_out() {
    let mut switch = Switch::new();
    for n in 0..MAX_PORTS as u8 {
        assert!(switch.attach([2, 0, 0, 0, 1, n], memory(64)).is_ok());
    }
    assert!(switch.attach(A, memory(64)).is_err());
}

/// A ring and a list are the same thing, whatever is pushed and popped.
#[test]
fn frames_come_out_as_they_went_in_over_many_wraps() {
    let mut switch = Switch::new();
    let a = switch.attach(A, memory(64)).unwrap();
    let b = switch.attach(B, memory(1000)).unwrap();
    let mut expected = std::collections::VecDeque::new();
    let mut seed = 1u32;
    for n in 0..20_000u32 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let body = vec![n as u8; (seed >> 16) as usize % 300];
        if seed >> 8 & 1 == 0 {
            let before = switch.counters(b).full;
            send(&mut switch, a, B, A, &body);
            if switch.counters(b).full == before {
                expected.push_back(body);
            }
        } else {
            let mut got = None;
            let taken = switch.receive(b, &mut |frame| {
                got = Some(frame[HEAD..].to_vec());
                Ok(true)
            });
            assert_eq!(taken, Ok(!expected.is_empty()));
            assert_eq!(got, expected.pop_front());
        }
    }
    assert!(switch.counters(b).received > 5000);
}

#[test]
fn a_frame_past_the_largest_size_is_not_sent() {
    let (mut switch, a, b, _) = three();
    send(&mut switch, a, B, A, &vec![0; MAX_FRAME - HEAD + 1]);
    assert!(drain(&mut switch, b).is_empty());
    send(&mut switch, a, B, A, &vec![7; MAX_FRAME - HEAD]);
    assert_eq!(drain(&mut switch, b).len(), 1);
}
