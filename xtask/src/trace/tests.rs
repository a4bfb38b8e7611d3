//! A trace is read whole or not at all, and drawn as it was.
use recorder::{About, Cause, Entry, Event, Reason, Ring, Stage, Text, Who};
use report::frame;
use serde_json::Value;

use super::{MARKER, Reject, chrome, collect};
use crate::summary::Nonce;

const WEB: Who = Who::vcpu(1, 0);
const HZ: u64 = 1_000_000;

fn nonce() -> Nonce {
    Nonce::fixed("77")
}

/// A log as a hypervisor would write it: the rings' trace among other lines.
fn log<const N: usize>(rings: &[Ring<N>]) -> String {
    let about = About {
        hz: HZ,
        rmi: Some((1, 0)),
        vms: &[recorder::Vm {
            number: 1,
            name: "web",
            is_realm: true,
            vcpus: 1,
        }],
    };
    let mut log = "up\r\n".to_owned();
    // The last exits of vCPUs are in the dump and in no picture.
    let exits = [Entry {
        stamp: 1,
        who: Who::vcpu(1, 0),
        event: Event::Enter,
    }];
    recorder::dump(rings, exits.into_iter(), &about, |number, json| {
        let nonce = nonce().to_string();
        frame::write(&mut log, frame::TRACE, &nonce, Some(number), json).unwrap();
        log.push_str("\r\n");
    });
    log + "off\r\n"
}

/// One exit on CPU 0 with what belongs to it, a kick and an interrupt on CPU 1.
fn rings() -> [Ring<64>; 2] {
    let rings = [const { Ring::new() }; 2];
    let life = |stage| Event::Life { stage };
    let note = |cpu: usize, stamp, who, event| rings[cpu].record(stamp, who, event);
    note(0, 1000, Who::vm_as_a_whole(1), life(Stage::Active));
    note(0, 1010, WEB, Event::ScheduledIn);
    note(0, 1020, WEB, Event::Enter);
    let exit = Event::Exit {
        reason: Reason::Sync as u8,
        syndrome: 0x24 << 26,
        address: 0x1_0900_0000,
    };
    note(0, 1050, WEB, exit);
    let call = Event::Rmi {
        fid: 0xc400_0151,
        status: 0,
        ticks: 5,
        argument: 0x8000_0000,
    };
    note(0, 1060, WEB, call);
    note(0, 1070, WEB, Event::Enter);
    let irq = Event::Exit {
        reason: Reason::Irq as u8,
        syndrome: 0,
        address: 0,
    };
    note(0, 1080, WEB, irq);
    note(
        0,
        1090,
        WEB,
        Event::ScheduledOut {
            cause: Cause::Slice,
        },
    );
    note(1, 1075, Who::HOST, Event::Kick { cpu: 0 });
    note(1, 1076, Who::HOST, Event::Interrupt { intid: 33 });
    let text = Text::of("vm stop web");
    note(1, 1077, Who::HOST, Event::Command { text });
    rings
}

fn drawn() -> Vec<Value> {
    let trace = collect(&log(&rings()), &nonce()).unwrap();
    let document = chrome::convert(&trace);
    document["traceEvents"].as_array().unwrap().clone()
}

fn found<'e>(events: &'e [Value], name: &str) -> Vec<&'e Value> {
    events
        .iter()
        .filter(|event| event["name"] == name)
        .collect()
}

#[test]
fn a_trace_is_read_from_among_other_lines() {
    let trace = collect(&log(&rings()), &nonce()).unwrap();
    assert_eq!((trace.len(), trace.lost()), (11, 0));
    assert_eq!(trace.vms[&1].name, "web");
}

#[test]
fn time_in_the_guest_and_the_handling_of_exits_are_slices_of_the_vcpu() {
    let events = drawn();
    let inside = found(&events, "in guest");
    assert_eq!(inside.len(), 2);
    let first = inside[0];
    assert_eq!((&first["ts"], &first["dur"]), (&20.0.into(), &30.0.into()));
    assert_eq!((&first["pid"], &first["tid"]), (&11.into(), &0.into()));
    let exit = found(&events, "exit: data abort")[0];
    assert_eq!((&exit["ts"], &exit["dur"]), (&50.0.into(), &20.0.into()));
    assert_eq!(
        exit["args"]["what"],
        "Realm web vCPU 0 exited: data abort at 0x109000000 (device UART)"
    );
    // This one ends when the vCPU leaves the CPU.
    assert_eq!(found(&events, "exit: interrupt")[0]["dur"], 10.0);
}

#[test]
fn who_has_a_cpu_and_its_rmi_calls_are_slices_of_the_cpu() {
    let events = drawn();
    let has = found(&events, "web/0")[0];
    assert_eq!((&has["pid"], &has["tid"]), (&1.into(), &0.into()));
    assert_eq!((&has["ts"], &has["dur"]), (&10.0.into(), &80.0.into()));
    let call = found(&events, "RMI GRANULE_DELEGATE")[0];
    assert_eq!((&call["ts"], &call["dur"]), (&55.0.into(), &5.0.into()));
}

#[test]
fn kicks_interrupts_commands_and_stages_are_marks() {
    let events = drawn();
    for (name, pid, tid) in [
        ("kick CPU 0", 1, 1),
        ("interrupt 33", 1, 1),
        ("> vm stop web", 1, 1),
        ("is active", 11, 1000),
    ] {
        let mark = found(&events, name)[0];
        assert_eq!(mark["ph"], "i", "{name}");
        assert_eq!((&mark["pid"], &mark["tid"]), (&pid.into(), &tid.into()));
    }
}

#[test]
fn every_track_has_a_name() {
    let events = drawn();
    let names: Vec<_> = (events.iter())
        .filter(|event| event["ph"] == "M" && event["name"] != "process_sort_index")
        .map(|event| event["args"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["CPUs", "CPU 0", "CPU 1", "Realm web", "life", "vCPU 0"]
    );
}

#[test]
fn entries_from_the_middle_of_things_are_drawn_as_far_as_they_go() {
    let rings = [const { Ring::<8>::new() }; 1];
    // An exit whose entry is lost, an entry whose exit is still to come.
    let irq = Event::Exit {
        reason: Reason::Irq as u8,
        syndrome: 0,
        address: 0,
    };
    rings[0].record(10, WEB, irq);
    rings[0].record(14, WEB, Event::Enter);
    rings[0].record(20, Who::HOST, Event::Interrupt { intid: 1 });
    let trace = collect(&log(&rings), &nonce()).unwrap();
    let document = chrome::convert(&trace);
    let events = document["traceEvents"].as_array().unwrap();
    assert_eq!(found(events, "exit: interrupt")[0]["dur"], 4.0);
    assert_eq!(found(events, "in guest")[0]["dur"], 6.0);
}

#[test]
fn what_was_overwritten_is_counted() {
    let rings = [const { Ring::<8>::new() }; 1];
    for n in 0..20 {
        rings[0].record(n, WEB, Event::Enter);
    }
    let trace = collect(&log(&rings), &nonce()).unwrap();
    assert_eq!((trace.len(), trace.lost()), (7, 13));
}

#[test]
fn a_line_of_anybody_else_is_not_looked_at() {
    let forged = format!("{MARKER}78 0 2 00000000 {{}}\n");
    assert_eq!(collect(&forged, &nonce()), Err(Reject::None));
    let among = forged.clone() + &log(&rings()) + &forged;
    assert!(collect(&among, &nonce()).is_ok());
}

#[test]
fn a_missing_damaged_or_last_line_is_noticed() {
    let log = log(&rings());
    let lines: Vec<&str> = log.lines().collect();
    let without = |gone: usize| {
        let mut lines = lines.clone();
        lines.remove(gone);
        collect(&lines.join("\n"), &nonce())
    };
    assert_eq!(without(1), Err(Reject::Missing(0)));
    assert_eq!(without(3), Err(Reject::Missing(2)));
    assert_eq!(without(lines.len() - 2), Err(Reject::NoEnd));
    let changed = log.replace("\"exit\"", "\"exix\"");
    assert_eq!(collect(&changed, &nonce()), Err(Reject::Damaged(2)));
    let cut = &log[..log.find("\"end\"").unwrap()];
    assert!(matches!(collect(cut, &nonce()), Err(Reject::Damaged(_))));
}

#[test]
fn what_is_framed_well_but_makes_no_sense_is_refused() {
    let framed = |json: &str| {
        let mut line = String::new();
        frame::write(&mut line, frame::TRACE, "77", Some(0), json).unwrap();
        collect(&line, &nonce())
    };
    for json in [
        "[",
        r#"{"trace":2,"hz":1}"#,
        r#"{"trace":1,"hz":0}"#,
        r#"{"cpu":0,"lost":0,"events":[]}"#,
    ] {
        assert!(
            matches!(framed(json), Err(Reject::Malformed(0, _))),
            "{json}"
        );
    }
}

#[test]
fn entries_of_a_newer_hypervisor_are_left_out() {
    let log = log(&rings());
    let line = log.lines().find(|line| line.contains("\"cpu\":1")).unwrap();
    let (head, json) = line.split_at(line.find('{').unwrap());
    let number: u32 = head.split(' ').nth(2).unwrap().parse().unwrap();
    let mut newer = String::new();
    let json = json.replace("\"kick\"", "\"migrate\"");
    frame::write(&mut newer, frame::TRACE, "77", Some(number), &json).unwrap();
    let trace = collect(&log.replace(line, &newer), &nonce()).unwrap();
    assert_eq!(trace.len(), 10);
}
