//! Only the hypervisor's own line counts.
use super::{MARKER, Nonce, Outcome, Reject, Verified, frame, parse};

/// A good verdict of one Realm.
pub const GOOD: &str = r#"{"schema":1,"complete":true,"firmware":"embedded","rme":true,"rmi_version":"1.0","rmi_calls":{"VERSION":1,"REC_ENTER":7},"vms":[{"name":"demo","kind":"realm","outcome":"off","rim":"00ff","rim_reported":"00ff","exits":{"sync":3,"irq":1,"fiq":0,"psci":1,"ripas_change":1,"host_call":4,"serror":0},"rmi_calls":{"REC_ENTER":7}}],"granules":{"delegated":90,"undelegated":90,"outstanding":0,"realm_pas_at_off":0},"later":"kept"}"#;

fn nonce() -> Nonce {
    Nonce::fixed("0123456789abcdef")
}

fn read(line: &str) -> Result<Verified, Reject> {
    parse(line, &nonce()).expect("a summary line")
}

#[test]
fn the_hypervisors_line_is_read_with_fields_unknown_here_kept() {
    let verified = read(&frame(&nonce(), GOOD)).unwrap();
    assert_eq!(verified.summary.vms[0].outcome, Outcome::Off);
    assert_eq!(verified.summary.vms[0].exits["host_call"], 4);
    assert_eq!(verified.summary.granules.realm_pas_at_off, Some(0));
    assert_eq!(verified.raw["later"], "kept");
}

#[test]
fn a_carriage_return_and_text_before_the_marker_do_no_harm() {
    let line = format!("half a guest line{}\r\n", frame(&nonce(), GOOD));
    assert!(read(&line).is_ok());
}

#[test]
fn an_ordinary_line_is_no_summary() {
    assert!(parse("SUZERAIN is up", &nonce()).is_none());
}

#[test]
fn a_line_without_this_runs_nonce_is_forged() {
    let other = Nonce::fixed("fedcba9876543210");
    assert_eq!(read(&frame(&other, GOOD)), Err(Reject::Forged));
    assert_eq!(read(&format!("{MARKER}{GOOD}")), Err(Reject::Forged));
}

#[test]
fn a_truncated_line_is_refused() {
    let line = frame(&nonce(), GOOD);
    let cut = &line[..line.len() - 5];
    assert_eq!(
        read(cut),
        Err(Reject::Truncated {
            announced: GOOD.len(),
            found: GOOD.len() - 5
        })
    );
    let bare = format!("{MARKER}{} 12", nonce());
    assert!(matches!(read(&bare), Err(Reject::Malformed(_))));
}

#[test]
fn a_changed_byte_fails_the_checksum() {
    let line = frame(&nonce(), GOOD).replace("\"outstanding\":0", "\"outstanding\":1");
    assert!(matches!(read(&line), Err(Reject::Checksum { .. })));
}

#[test]
fn an_unknown_schema_or_missing_field_is_refused() {
    let schema = GOOD.replace("\"schema\":1", "\"schema\":2");
    assert_eq!(read(&frame(&nonce(), &schema)), Err(Reject::Schema(2)));
    let without = GOOD.replace("\"vms\"", "\"machines\"");
    assert!(matches!(
        read(&frame(&nonce(), &without)),
        Err(Reject::Malformed(_))
    ));
}

#[test]
fn an_outcome_of_a_newer_hypervisor_is_not_taken_for_success() {
    let newer = GOOD.replace("\"off\"", "\"migrated\"");
    let verified = read(&frame(&nonce(), &newer)).unwrap();
    assert_eq!(verified.summary.vms[0].outcome, Outcome::Unknown);
}

#[test]
fn nonces_differ() {
    assert_ne!(Nonce::draw().unwrap(), Nonce::draw().unwrap());
}
