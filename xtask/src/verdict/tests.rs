//! Each way a run can end has its exit code.
use super::{Asked, End, judge, report};
use crate::exit::Exit;
use crate::summary::tests::GOOD;
use crate::summary::{Nonce, Summary, frame, parse};

const RME: Asked = Asked { rme: true };

fn summary(change: impl Fn(&str) -> String) -> Summary {
    let nonce = Nonce::fixed("1");
    let line = frame(&nonce, &change(GOOD));
    parse(&line, &nonce).unwrap().unwrap().summary
}

fn code(end: End, summary: &Summary) -> Exit {
    judge(end, Some(summary), None, RME).exit
}

#[test]
fn a_run_whose_vms_powered_off_is_good() {
    let verdict = judge(End::PoweredOff, Some(&summary(str::to_owned)), None, RME);
    assert_eq!(verdict.exit, Exit::Good);
    assert!(verdict.faults.is_empty());
}

#[test]
fn something_else_that_is_wrong_fails_a_good_run_and_leaves_a_bad_one() {
    let mut good = judge(End::PoweredOff, Some(&summary(str::to_owned)), None, RME);
    good.add("no trace".to_owned());
    assert_eq!((good.exit, good.faults.len()), (Exit::Failed, 1));
    let mut late = judge(End::TimedOut, None, None, RME);
    late.add("no trace".to_owned());
    assert_eq!(late.exit, Exit::TimeOut);
}

#[test]
fn a_vm_that_crashed_or_reset_fails_the_run() {
    for word in ["crashed", "reset", "something-new"] {
        let bad = summary(|good| good.replace("\"off\"", &format!("\"{word}\"")));
        assert_eq!(code(End::PoweredOff, &bad), Exit::Failed, "{word}");
    }
}

#[test]
fn a_killed_vm_is_a_time_out() {
    let killed = summary(|good| good.replace("\"off\"", "\"killed\""));
    assert_eq!(code(End::PoweredOff, &killed), Exit::TimeOut);
}

#[test]
fn skipped_realms_count_only_where_realms_were_asked_for() {
    let skipped = summary(|good| good.replace("\"off\"", "\"skipped\""));
    assert_eq!(code(End::PoweredOff, &skipped), Exit::Failed);
    let verdict = judge(End::PoweredOff, Some(&skipped), None, Asked { rme: false });
    assert_eq!(verdict.exit, Exit::Good);
}

#[test]
fn a_run_in_which_no_realm_could_run_fails() {
    let no_rmm = summary(|good| good.replace("\"rmi_version\":\"1.0\"", "\"rmi_version\":null"));
    assert_eq!(code(End::PoweredOff, &no_rmm), Exit::Failed);
    let mut no_vm = summary(str::to_owned);
    no_vm.vms.clear();
    assert_eq!(code(End::PoweredOff, &no_vm), Exit::Failed);
}

#[test]
fn outstanding_granules_fail_the_run() {
    let held = summary(|good| {
        good.replace("\"outstanding\":0", "\"outstanding\":3")
            .replace("at_off\":0", "at_off\":3")
    });
    let verdict = judge(End::PoweredOff, Some(&held), None, RME);
    assert_eq!(verdict.exit, Exit::Failed);
    assert_eq!(verdict.faults, ["3 granules are still with the RMM"]);
}

#[test]
fn a_witness_that_disagrees_or_is_silent_fails_the_run() {
    let other = summary(|good| good.replace("at_off\":0", "at_off\":2"));
    let silent = summary(|good| good.replace("at_off\":0", "at_off\":null"));
    assert_eq!(code(End::PoweredOff, &other), Exit::Failed);
    assert_eq!(code(End::PoweredOff, &silent), Exit::Failed);
    let external = summary(|good| {
        good.replace("at_off\":0", "at_off\":null")
            .replace("embedded", "external")
    });
    assert_eq!(code(End::PoweredOff, &external), Exit::Good);
}

#[test]
fn measurements_that_differ_fail_the_run() {
    let differ = summary(|good| good.replace("reported\":\"00ff\"", "reported\":\"11ff\""));
    assert_eq!(code(End::PoweredOff, &differ), Exit::Failed);
}

#[test]
fn without_a_summary_the_reason_decides() {
    let code = |end| judge(end, None, None, RME).exit;
    assert_eq!(code(End::PoweredOff), Exit::Failed);
    assert_eq!(code(End::Quit), Exit::Failed);
    assert_eq!(code(End::TimedOut), Exit::TimeOut);
    assert_eq!(code(End::QemuFailed(1)), Exit::BadInput);
}

#[test]
fn qemu_ended_by_the_time_out_is_a_time_out_even_with_a_summary() {
    assert_eq!(code(End::TimedOut, &summary(str::to_owned)), Exit::TimeOut);
}

#[test]
fn the_report_says_calls_and_granules() {
    let text = report(&summary(str::to_owned)).join("\n");
    assert!(text.contains("RMI 1.0 (embedded firmware): 8 calls (REC_ENTER 7, VERSION 1)"));
    assert!(text.contains("90 delegated, 90 given back, 0 outstanding"));
    assert!(text.contains("the monitor counts 0 Realm granules"));
}
