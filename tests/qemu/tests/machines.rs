//! Machines other than the usual one, and input that is none.

use qemu_tests::Run;
use xtask::exit::Exit;

#[test]
fn without_rme_the_hypervisor_says_so_and_skips_realms() {
    let machine = Run::guest("hello").no_rme().go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome("skipped")
        .expect("no RME");
    assert_eq!(machine.field("/rme"), false);
    assert_eq!(machine.field("/rmi_version"), &serde_json::Value::Null);
    assert_eq!(machine.field("/rmi_calls"), &serde_json::json!({}));
}

#[test]
fn the_verdict_is_written_whole_for_scripts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out.json");
    let machine = Run::guest("hello").no_rme().json(file.clone()).go();
    let written: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(&written, machine.json());
    assert_eq!(written["schema"], 1);
    assert_eq!(written["complete"], true);
    let others: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(others.len(), 1, "{others:?}");
}

#[test]
fn an_unknown_argument_is_named_and_ignored() {
    Run::guest("hello")
        .no_rme()
        .hypervisor_args("suzerain.colour=blue")
        .go()
        .expect_exit(Exit::Good)
        .expect("suzerain.colour=blue");
}

#[test]
fn a_guest_that_does_not_exist_is_refused_by_name() {
    let why = Run::guest("nobody").refusal();
    assert!(
        why.contains("nobody.toml") && why.contains("hello"),
        "{why}"
    );
}

#[test]
fn memory_too_small_for_the_kernel_is_refused_before_boot() {
    let why = Run::guest("linux").memory("16M").refusal();
    assert!(why.contains("memory"), "{why}");
}

#[test]
fn a_kernel_file_that_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lost.toml");
    std::fs::write(&file, "kernel = \"no-such-kernel\"\nmemory = \"64M\"\n").unwrap();
    let why = Run::guest(file.to_str().unwrap()).refusal();
    assert!(why.contains("no-such-kernel"), "{why}");
}

#[test]
fn a_vm_file_with_an_unknown_key_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("odd.toml");
    std::fs::write(&file, "payload = \"hello_realm\"\nmemroy = \"16M\"\n").unwrap();
    let why = Run::guest(file.to_str().unwrap()).refusal();
    assert!(why.contains(":2:") && why.contains("memroy"), "{why}");
}
