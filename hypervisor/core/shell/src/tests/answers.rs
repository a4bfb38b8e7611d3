//! Answers in both forms.
use crate::Form;
use crate::answer::*;
use serde_json::{Value, json};
use std::string::String;

fn text(answer: &dyn Answer) -> String {
    let mut out = String::new();
    answer.write(Form::Text, &mut out).unwrap();
    assert!(out.ends_with('\n') && !out.contains(" \n"), "{out}");
    out
}

fn parsed(answer: &dyn Answer) -> Value {
    let mut out = String::new();
    answer.write(Form::Json, &mut out).unwrap();
    assert_eq!(out.matches('\n').count(), 1);
    serde_json::from_str(&out).unwrap()
}

const WEB: VmRow<'_> = VmRow {
    name: "web",
    is_realm: true,
    state: "running",
    vcpus: 2,
    pins: &[2, 3],
    memory: 256 << 20,
    starts: 1,
    exits: 12345,
    run_micros: 2_340_000,
};

const DB: VmRow<'_> = VmRow {
    name: "database",
    is_realm: false,
    state: "off",
    pins: &[],
    exits: 0,
    run_micros: 0,
    starts: 0,
    ..WEB
};

#[test]
fn the_list_of_vms_lines_up() {
    assert_eq!(
        text(&VmList(&[WEB, DB])),
        "\
NAME      KIND    STATE    VCPUS  CPUS     MEMORY  STARTS  EXITS    RAN
web       realm   running      2  2,3     256 MiB       1  12345  2.3 s
database  normal  off          2  shared  256 MiB       0      0   0 us
"
    );
    let json = parsed(&VmList(&[WEB, DB]));
    assert_eq!(json["vms"][0]["pins"], json!([2, 3]));
    assert_eq!(json["vms"][1]["kind"], "normal");
    assert_eq!(json["vms"][0]["memory"], 256 << 20);
    assert_eq!(parsed(&VmList(&[])), json!({"vms": []}));
}

#[test]
fn a_vm_is_told_with_its_vcpus() {
    let vcpu = VcpuRow {
        index: 0,
        state: "waits",
        cpu: Some(3),
        exits: 7,
        run_micros: 1500,
    };
    let info = VmInfo {
        vm: WEB,
        ended: Some("it \"crashed\""),
        populated: 4 << 20,
        devices: &["console", "net"],
        vcpus: &[
            vcpu,
            VcpuRow {
                index: 1,
                cpu: None,
                ..vcpu
            },
        ],
    };
    assert_eq!(
        text(&info),
        "\
Realm web: running; last time it \"crashed\"
  memory   256 MiB, 4 MiB of it populated
  CPUs     2,3
  started  1 times
  devices  console net
VCPU  STATE  CPU  EXITS     RAN
   0  waits    3      7  1.5 ms
   1  waits    -      7  1.5 ms
"
    );
    let json = parsed(&info);
    assert_eq!(json["ended"], "it \"crashed\"");
    assert_eq!(json["vcpu"][1]["cpu"], Value::Null);
    assert_eq!(json["vcpus"], 2);
}

#[test]
fn a_realm_is_told_with_measurement_tables_and_granules() {
    let info = RealmInfo {
        name: "web",
        state: "active",
        rim: Some(&[0, 0xab]),
        rim_reported: None,
        ipa_bits: 33,
        start_level: 1,
        deepest_level: 3,
        recs: 2,
        granules: &[("RD", 1), ("data", 65536)],
    };
    assert_eq!(
        text(&info),
        "\
Realm web: active
  RIM       00ab
  reported  not yet
  RTT       levels 1 to 3, for 33 bits of address
  RECs      2
  granules
             1  RD
         65536  data
"
    );
    let json = parsed(&info);
    assert_eq!(json["rim"], "00ab");
    assert_eq!(json["rim_reported"], Value::Null);
    assert_eq!(json["granules"], json!({"RD": 1, "data": 65536}));
    assert!(text(&NotARealm("db")).contains("`vm info db`"));
    assert_eq!(parsed(&NotARealm("db"))["name"], "db");
}

#[test]
fn memory_and_ledger_are_told_in_bytes_and_granules() {
    let mem = MemInfo {
        ram: 3 << 30,
        free: 1 << 30,
        largest: 512 << 20,
        hypervisor: 400 << 10,
        bundle: 40 << 20,
        books: 1 << 20,
        delegated: 256 << 20,
        guests: 0,
    };
    assert!(text(&mem).contains("largest free run   512 MiB\n"));
    assert_eq!(parsed(&mem)["ram"], 3u64 << 30);
    let ledger = LedgerInfo {
        delegated: 10,
        undelegated: 4,
        outstanding: 6,
        quarantined: 1,
        kinds: &[("data", 5)],
        vms: &[("web", 6)],
    };
    assert!(text(&ledger).starts_with(
        "10 granules delegated, 4 given back, 6 with the RMM (24 KiB), 1 quarantined\n"
    ));
    assert_eq!(parsed(&ledger)["vms"]["web"], 6);
}

#[test]
fn exits_are_told_with_what_they_cost() {
    let exits = Exits {
        hz: 62_500_000,
        rows: &[ExitRow {
            vm: "web",
            vcpu: 1,
            reason: "data abort",
            count: 1100,
            timed: 1000,
            ticks: 62_500,
        }],
    };
    assert_eq!(
        text(&exits),
        "\
VM   VCPU  REASON      COUNT    TIME    EACH
web     1  data abort   1100  1.0 ms  992 ns
"
    );
    assert_eq!(parsed(&exits)["exits"][0]["ticks"], 62_500);
    let untimed = Exits {
        rows: &[ExitRow {
            timed: 0,
            ..exits.rows[0]
        }],
        ..exits
    };
    assert!(
        text(&untimed)
            .ends_with("-     -\nrare exits are timed always, all others after `trace on`\n")
    );
    let odd = Exits {
        hz: 0,
        rows: &[ExitRow {
            ticks: u64::MAX,
            timed: 0,
            ..exits.rows[0]
        }],
    };
    text(&odd);
}

#[test]
fn cpus_are_told_with_what_they_run() {
    let cpu = CpuRow {
        index: 0,
        mpidr: 0x100,
        state: "runs",
        dedicated: None,
        running: Some(("web", 1)),
        guest_micros: 10,
        idle_micros: 20,
        switches: 3,
    };
    let idle = CpuRow {
        index: 1,
        state: "idle",
        dedicated: Some("db"),
        running: None,
        ..cpu
    };
    assert_eq!(
        text(&Cpus(&[cpu, idle])),
        "\
CPU  MPIDR  STATE  FOR  RUNS   GUESTS   IDLE  SWITCHES
  0  0x100  runs   all  web/1   10 us  20 us         3
  1  0x100  idle   db   -       10 us  20 us         3
"
    );
    let json = parsed(&Cpus(&[cpu, idle]));
    assert_eq!(json["cpus"][0]["vm"], "web");
    assert_eq!(json["cpus"][1]["vcpu"], Value::Null);
}

#[test]
fn the_rmm_is_told_with_its_quirks_and_calls_or_as_absent() {
    let rmm = RmmInfo {
        version: (2, 0),
        flavour: Some("head"),
        quirks: &["one granule per range call"],
        ipa_bits: 48,
        list_registers: 4,
        calls: &[("REC_ENTER", 9)],
    };
    assert_eq!(
        text(&rmm),
        "\
RMI 2.0, flavour head: IPA 48 bits, 4 list registers
  one granule per range call
  calls
             9  REC_ENTER
"
    );
    let json = parsed(&rmm);
    assert_eq!(json["version"], "2.0");
    assert_eq!(json["calls"]["REC_ENTER"], 9);
    assert_eq!(parsed(&NoRmm)["error"], "no RMM");
    assert!(text(&NoRmm).contains("boot log"));
}
