//! What is noted comes back whole, in order, and in words.
use super::*;
use std::string::{String, ToString};
use std::sync::atomic::{AtomicBool, Ordering};
use std::vec::Vec;

struct Cast;

impl Names for Cast {
    fn guest(&self, vm: u16) -> Option<Guest<'_>> {
        match vm {
            1 => Some(Guest {
                name: "web",
                is_realm: true,
            }),
            2 => Some(Guest {
                name: "db",
                is_realm: false,
            }),
            _ => None,
        }
    }

    fn command(&self, fid: u32) -> Option<&str> {
        (fid == 0xc400_0151).then_some("GRANULE_DELEGATE")
    }

    fn device(&self, address: u64) -> Option<&str> {
        (address & 0xffff_f000 == 0x0900_0000).then_some("UART")
    }
}

fn explain(who: Who, event: Event) -> String {
    let entry = Entry {
        stamp: 0,
        who,
        event,
    };
    Explained {
        entry: &entry,
        names: &Cast,
    }
    .to_string()
}

const WEB: Who = Who::vcpu(1, 1);

fn irq(intid: u32) -> Event {
    Event::Interrupt { intid }
}

fn numbers<const N: usize>(ring: &Ring<N>, cursor: &mut Cursor) -> Vec<Step> {
    std::iter::from_fn(|| ring.read(cursor)).collect()
}

#[test]
fn every_event_comes_back_from_its_words() {
    let all = [
        Event::Exit {
            reason: 0xfe,
            syndrome: u64::MAX,
            address: u64::MAX - 1,
        },
        Event::Enter,
        Event::Rmi {
            fid: 0xc400_01d0,
            status: 0xffff,
            ticks: u32::MAX,
            argument: u64::MAX,
        },
        Event::ScheduledIn,
        Event::ScheduledOut {
            cause: Cause::Moved,
        },
        Event::Wake {
            cause: Cause::Operator,
        },
        Event::Kick { cpu: u16::MAX },
        irq(u32::MAX),
        Event::Life {
            stage: Stage::Destroyed,
        },
        Event::Command {
            text: Text::of("vm restart web-12345"),
        },
        Event::Crash {
            syndrome: 1,
            address: 2,
        },
    ];
    let whos = [Who::HOST, WEB, Who::vm_as_a_whole(0xfff), Who::vcpu(0, 0)];
    for (event, who) in all.into_iter().flat_map(|e| whos.map(|who| (e, who))) {
        let entry = Entry {
            stamp: u64::MAX,
            who,
            event,
        };
        assert_eq!(Entry::from_raw(entry.raw()), Some(entry));
    }
}

#[test]
fn words_that_nobody_wrote_are_no_entry() {
    assert_eq!(Entry::from_raw([0; 4]), None);
    assert_eq!(Entry::from_raw([1, 0x63, 0, 0]), None);
    // A stage that does not exist.
    assert_eq!(Entry::from_raw([1, 0xff09, 0, 0]), None);
}

#[test]
fn who_tells_the_host_from_a_vm_and_a_vm_from_its_vcpu() {
    assert_eq!((Who::HOST.vm(), Who::HOST.index()), (None, None));
    assert_eq!((WEB.vm(), WEB.index()), (Some(1), Some(1)));
    let whole = Who::vm_as_a_whole(7);
    assert_eq!((whole.vm(), whole.index()), (Some(7), None));
}

#[test]
fn a_reader_gets_what_was_written_in_order_and_then_nothing() {
    let ring = Ring::<8>::new();
    let mut cursor = ring.oldest();
    assert_eq!(ring.read(&mut cursor), None);
    for n in 0..5 {
        ring.record(n, Who::HOST, irq(n as u32));
    }
    let stamps: Vec<_> = numbers(&ring, &mut cursor)
        .into_iter()
        .map(|step| match step {
            Step::Entry(entry) => entry.stamp,
            Step::Lost(_) => u64::MAX,
        })
        .collect();
    assert_eq!(stamps, [0, 1, 2, 3, 4]);
    assert_eq!(ring.read(&mut cursor), None);
}

#[test]
fn an_overflow_says_how_many_entries_it_cost() {
    let ring = Ring::<8>::new();
    let mut cursor = ring.oldest();
    for n in 0..20 {
        ring.record(n, Who::HOST, irq(0));
    }
    let steps = numbers(&ring, &mut cursor);
    assert_eq!(steps.first(), Some(&Step::Lost(13)));
    assert_eq!(steps.len(), 8);
    assert!(matches!(steps.last(), Some(Step::Entry(last)) if last.stamp == 19));
    assert!(ring.entry(12).is_none() && ring.entry(13).is_some() && ring.entry(20).is_none());
}

/// Entries whose four words all say the same number, so that a mix of two shows.
fn telling(n: u64) -> Event {
    Event::Rmi {
        fid: n as u32,
        status: n as u16,
        ticks: n as u32,
        argument: n,
    }
}

#[test]
fn no_reader_on_another_cpu_ever_sees_a_torn_entry() {
    let ring = Ring::<4>::new();
    let over = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            let mut cursor = Cursor::default();
            while !over.load(Ordering::Relaxed) || ring.read(&mut cursor).is_some() {
                if let Some(Step::Entry(entry)) = ring.read(&mut cursor) {
                    assert_eq!(entry.event, telling(entry.stamp), "torn");
                    seen += 1;
                }
            }
            seen
        });
        for n in 0..30_000 {
            ring.record(n, Who::HOST, telling(n));
            if n % 64 == 0 {
                std::thread::yield_now();
            }
        }
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(seen > 0);
}

fn three_rings() -> [Ring<8>; 3] {
    let rings = [const { Ring::new() }; 3];
    for n in 0..30 {
        let ring: &Ring<8> = &rings[[0, 2, 2, 0, 1][n % 5]];
        ring.record(n as u64, Who::HOST, irq(0));
    }
    rings
}

#[test]
fn the_last_entries_of_all_cpus_come_in_the_order_of_time() {
    let rings = three_rings();
    let mut seen = Vec::new();
    latest(
        &rings,
        7,
        |_| true,
        |cpu, entry| seen.push((cpu, entry.stamp)),
    );
    let wanted = [
        (0, 23),
        (1, 24),
        (0, 25),
        (2, 26),
        (2, 27),
        (0, 28),
        (1, 29),
    ];
    assert_eq!(seen, wanted);
}

#[test]
fn asking_for_more_than_there_is_gives_what_there_is() {
    let rings = three_rings();
    let mut stamps = Vec::new();
    latest(&rings, 1000, |_| true, |_, entry| stamps.push(entry.stamp));
    // Seven of each busy ring, six of the other.
    assert_eq!(stamps.len(), 20);
    assert!(stamps.is_sorted());
    latest(
        &[const { Ring::<8>::new() }; 2],
        5,
        |_| true,
        |_, _| panic!("empty"),
    );
}

#[test]
fn an_entry_explains_itself_in_words() {
    let uart = Event::Exit {
        reason: Reason::Sync as u8,
        syndrome: 0x24 << 26 | 1 << 24 | 7,
        address: 0x1_0900_0018,
    };
    assert_eq!(
        explain(WEB, uart),
        "Realm web vCPU 1 exited: data abort at 0x109000018 (device UART)"
    );
    let fault = Event::Exit {
        reason: Reason::Sync as u8,
        syndrome: 0x20 << 26 | 6,
        address: 0x4000_0000,
    };
    assert_eq!(
        explain(Who::vcpu(2, 0), fault),
        "VM db vCPU 0 exited: instruction abort at 0x40000000, nothing is mapped there"
    );
    let sgi = Event::Exit {
        reason: Reason::Sync as u8,
        syndrome: 0x18 << 26 | 3 << 20 | 5 << 17 | 12 << 10 | 11 << 1,
        address: 0,
    };
    assert_eq!(
        explain(WEB, sgi),
        "Realm web vCPU 1 exited: write to S3_0_C12_C11_5"
    );
    let on = Event::Exit {
        reason: Reason::Psci as u8,
        syndrome: 0xc400_0003,
        address: 1,
    };
    assert_eq!(explain(WEB, on), "Realm web vCPU 1 exited: PSCI CPU_ON");
    let call = Event::Rmi {
        fid: 0xc400_0151,
        status: 1,
        ticks: 9,
        argument: 0x8000_0000,
    };
    assert_eq!(
        explain(Who::vm_as_a_whole(1), call),
        "Realm web: RMI GRANULE_DELEGATE(0x80000000) gave ERROR_INPUT"
    );
    let typed = Event::Command {
        text: Text::of("vm kill web\x1b[2J and more"),
    };
    assert_eq!(
        explain(Who::HOST, typed),
        "the hypervisor: the operator typed \"vm kill web?[2J \""
    );
}

#[test]
fn reasons_and_numbers_nobody_knows_are_still_explained() {
    let odd = Event::Exit {
        reason: 77,
        syndrome: 0,
        address: 0,
    };
    assert_eq!(
        explain(Who::vcpu(9, 3), odd),
        "VM number 9 vCPU 3 exited: reason 77, which nobody has defined"
    );
}

#[test]
fn what_one_vm_did_last_is_found_among_what_all_did() {
    let rings = [const { Ring::<8>::new() }; 2];
    let db = Who::vm_as_a_whole(2);
    for n in 0..20 {
        let who = if n % 3 == 0 { WEB } else { db };
        rings[n % 2].record(n as u64, who, Event::Enter);
    }
    let mut seen = Vec::new();
    let is_web = |entry: &Entry| entry.who.vm() == Some(1);
    latest(&rings, 3, is_web, |cpu, entry| {
        seen.push((cpu, entry.stamp));
    });
    assert_eq!(seen, [(0, 12), (1, 15), (0, 18)]);
    let mut seen = Vec::new();
    latest(&rings, 9, is_web, |_, entry| seen.push(entry.stamp));
    // Older ones are overwritten.
    assert_eq!(seen, [6, 9, 12, 15, 18]);
}

#[test]
fn a_crash_is_told_with_times_and_cpus() {
    let rings = [const { Ring::<8>::new() }; 2];
    rings[1].record(1_500_000, WEB, Event::Enter);
    rings[0].record(
        3_000_001,
        Who::vm_as_a_whole(2),
        Event::Life { stage: Stage::Stop },
    );
    let mut text = String::new();
    print(&mut text, &rings, 10, 1_000_000, &Cast).unwrap();
    assert_eq!(
        text,
        "[    1.500000] CPU 1: Realm web vCPU 1 runs\r\n\
         [    3.000001] CPU 0: VM db is stopped\r\n"
    );
}

fn lines<const N: usize>(rings: &[Ring<N>]) -> Vec<serde_json::Value> {
    let about = About {
        hz: 62_500_000,
        rmi: Some((1, 0)),
        vms: &[Vm {
            number: 1,
            name: "we\"b",
            is_realm: true,
            vcpus: 2,
        }],
    };
    let mut lines = Vec::new();
    dump(rings, core::iter::empty(), &about, |number, line| {
        assert_eq!(number as usize, lines.len());
        assert!(line.len() <= 2048 && !line.contains('\n'));
        lines.push(serde_json::from_str(line).unwrap());
    });
    lines
}

#[test]
fn a_dump_names_the_vms_and_every_entry_once() {
    let rings = [const { Ring::<256>::new() }; 2];
    for n in 0..300 {
        let event = Event::Exit {
            reason: 0,
            syndrome: u64::MAX,
            address: u64::MAX,
        };
        rings[1].record(u64::MAX - 1000 + n, WEB, event);
    }
    let lines = lines(&rings);
    assert_eq!(lines[0]["hz"], 62_500_000);
    assert_eq!(lines[0]["rmi"], "1.0");
    assert_eq!(lines[1]["name"], "we\"b");
    assert_eq!(lines.last().unwrap()["end"], true);
    let mut number = 45;
    for line in &lines[2..lines.len() - 1] {
        assert_eq!(line["cpu"], 1);
        assert_eq!(line["first"], number);
        assert_eq!(line["lost"], if number == 45 { 45 } else { 0 });
        number += line["events"].as_array().unwrap().len();
    }
    assert_eq!(number, 300);
    let entry = &lines[2]["events"][0];
    assert_eq!(entry[1], "exit");
    assert_eq!((&entry[2], &entry[3]), (&1.into(), &1.into()));
    assert_eq!(entry[7], u64::MAX);
}

#[test]
fn the_host_is_null_in_a_dump() {
    let rings = [const { Ring::<8>::new() }; 1];
    rings[0].record(5, Who::HOST, irq(33));
    let entry = &lines(&rings)[2]["events"][0];
    assert_eq!(
        *entry,
        serde_json::json!([5, "interrupt", null, null, 0, 0, 33, 0])
    );
}

#[test]
fn every_kind_has_a_word_that_leads_back_to_it() {
    for raw in 1..=11 {
        let kind = Kind::of(raw).unwrap();
        assert_eq!(super::kind(kind.word), Some(kind));
    }
}

#[test]
fn a_trail_keeps_the_last_exits_of_each_reason() {
    let (sync, irq) = (Trail::default(), Trail::default());
    for number in 0..20 {
        let hpfar = (0x901_0000 + number) << 4;
        sync.note(number, 100 + 10 * number, 0x9300_0006 + number, hpfar);
    }
    irq.note(0, 215, 0, 0);
    let kept: Vec<_> = sync.entries(20, WEB, 0).collect();
    assert_eq!(kept.len(), 8);
    assert_eq!((kept[0].stamp, kept[7].stamp), (220, 290));
    let last = Event::Exit {
        reason: 0,
        syndrome: 0x9300_0006 + 19,
        address: (0x901_0000 + 19) << 12,
    };
    assert_eq!((kept[7].who, kept[7].event), (WEB, last));
    assert_eq!(irq.entries(1, WEB, 1).count(), 1);
    assert_eq!(sync.entries(0, WEB, 0).count(), 0, "nothing was counted");
    let call = irq.entries(1, WEB, 5).next().unwrap();
    let (entry, names) = (&call, &Cast as &dyn Names);
    let words = Explained { entry, names }.to_string();
    assert!(
        words.ends_with("exited: host call"),
        "no number is made up: {words}"
    );
    assert_eq!(
        Trail::default().entries(3, WEB, 1).count(),
        0,
        "nothing was noted"
    );
}

#[test]
fn the_newest_are_chosen_in_whatever_order_they_are_offered() {
    for stamps in [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [3, 5, 1, 4, 2]] {
        let mut newest = Newest::<3>::new();
        for stamp in stamps {
            newest.offer(Entry {
                stamp,
                who: WEB,
                event: Event::Enter,
            });
        }
        let kept: Vec<_> = newest.iter().map(|entry| entry.stamp).collect();
        assert_eq!(kept, [3, 4, 5], "{stamps:?}");
    }
}

#[test]
fn exits_of_the_trails_are_lines_of_their_own_in_a_dump() {
    let trail = Trail::default();
    trail.note(0, 7, 0x9200_0007, 0);
    let rings = [const { Ring::<8>::new() }; 1];
    let about = About {
        hz: 1,
        rmi: None,
        vms: &[],
    };
    let mut seen = Vec::new();
    dump(&rings, trail.entries(1, WEB, 0), &about, |_, line| {
        seen.push(serde_json::from_str::<serde_json::Value>(line).unwrap());
    });
    let expected = serde_json::json!({"exits": [[7, "exit", 1, 1, 0, 0, 0x9200_0007u64, 0]]});
    assert_eq!(seen[1], expected);
    assert_eq!(seen.last().unwrap()["end"], true);
}
