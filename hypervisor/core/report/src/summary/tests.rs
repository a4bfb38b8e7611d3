extern crate std;

use super::*;
use std::string::String as Text;

fn one_vm(name: &str) -> Text {
    let mut summary = Summary::new(room());
    summary.begin("embedded", true, Some((1, 0)));
    summary.calls([("VERSION", 1), ("DATA_CREATE", 0)].into_iter());
    let vm = Vm {
        name,
        is_realm: true,
        outcome: Outcome::Off,
        rim: Some(&[0xab; 2]),
        rim_reported: None,
        exits: Exits {
            sync: 3,
            ..Exits::default()
        },
    };
    summary.vm(&vm, [("REC_ENTER", 4)].into_iter());
    summary.granules(Granules {
        delegated: 5,
        undelegated: 5,
        outstanding: 0,
        realm_pas_at_off: Some(0),
    });
    let mut line = Text::new();
    summary.finish("0a", &mut line).unwrap();
    line
}

#[test]
fn the_document_has_every_field_of_the_schema() {
    let line = one_vm("demo");
    let json = line.splitn(5, ' ').last().unwrap();
    assert_eq!(
        json,
        concat!(
            r#"{"schema":1,"complete":true,"firmware":"embedded","rme":true,"rmi_version":"1.0","#,
            r#""rmi_calls":{"VERSION":1},"vms":[{"name":"demo","kind":"realm","outcome":"off","#,
            r#""rim":"abab","rim_reported":null,"exits":{"sync":3,"irq":0,"fiq":0,"psci":0,"#,
            r#""ripas_change":0,"host_call":0,"serror":0},"rmi_calls":{"REC_ENTER":4}}],"#,
            r#""granules":{"delegated":5,"undelegated":5,"outstanding":0,"realm_pas_at_off":0}}"#,
        )
    );
}

#[test]
fn the_frame_carries_nonce_length_and_checksum() {
    let line = one_vm("demo");
    let mut words = line.splitn(5, ' ');
    assert_eq!(words.next(), Some("SUZERAIN-SUMMARY"));
    assert_eq!(words.next(), Some("0a"));
    let length: usize = words.next().unwrap().parse().unwrap();
    let crc = u32::from_str_radix(words.next().unwrap(), 16).unwrap();
    let json = words.next().unwrap();
    assert_eq!(length, json.len());
    assert_eq!(crc, crc32fast::hash(json.as_bytes()));
}

#[test]
fn a_name_cannot_break_out_of_its_string() {
    assert!(one_vm("a\"b\\c\n").contains(r#""name":"a\"b\\c\u000a""#));
}

#[test]
fn a_document_that_does_not_fit_is_refused() {
    let mut summary = Summary::new(room());
    summary.begin("none", false, None);
    summary.calls(core::iter::empty());
    let name = "x".repeat(CAPACITY);
    let vm = Vm {
        name: &name,
        is_realm: false,
        outcome: Outcome::Skipped,
        rim: None,
        rim_reported: None,
        exits: Exits::default(),
    };
    summary.vm(&vm, core::iter::empty());
    assert_eq!(summary.finish("0", &mut Text::new()), Err(TooLong));
}

#[test]
fn what_the_rmm_is_stands_beside_its_version() {
    let mut summary = Summary::new(room());
    summary.begin("external", true, Some((2, 0)));
    let quirks = ["one-granule-ranges", "psci-complete-3-arguments"];
    summary.rmm((2, 0), Some("tf-rmm"), quirks.into_iter());
    summary.calls(core::iter::empty());
    let text = written(&summary);
    assert!(text.contains(
        r#""rmi_version":"2.0","rmm":{"version":"2.0","flavour":"tf-rmm","quirks":["one-granule-ranges","psci-complete-3-arguments"]},"rmi_calls""#
    ));
    let mut old = Summary::new(room());
    old.rmm((1, 0), None, core::iter::empty());
    assert_eq!(
        written(&old),
        r#","rmm":{"version":"1.0","flavour":null,"quirks":[]}"#
    );
}

fn written<'s>(summary: &'s Summary<'_>) -> &'s str {
    core::str::from_utf8(&summary.room[..summary.used]).unwrap()
}

/// Room for a summary.
fn room() -> &'static mut [u8] {
    std::vec![0; CAPACITY].leak()
}
