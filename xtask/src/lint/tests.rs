//! Each rule finds what it is for, and leaves good code alone.
use super::layers::{self, Package};
use super::source::Source;
use super::{Finding, register, rules};

fn judge_at(file: &str, text: &str) -> Vec<Finding> {
    rules::judge(&Source::parse(file, text).unwrap())
}

fn judge(text: &str) -> Vec<String> {
    judge_at("hypervisor/core/x/src/lib.rs", text)
        .into_iter()
        .map(|finding| format!("{}: {}", finding.line, finding.what))
        .collect()
}

fn function(lines: usize, attribute: &str) -> String {
    let body = "    step();\n".repeat(lines - 2);
    format!("//! Head.\n{attribute}\nfn long() {{\n{body}}}\n")
}

#[test]
fn a_finding_is_one_line_with_place_and_remedy() {
    let line = judge_at("a/b.rs", "fn f() {}\n")[0].to_string();
    assert!(line.starts_with("a/b.rs:1: the file has no `//!` head; say its purpose"));
    assert!(!line.contains('\n'));
}

#[test]
fn good_code_has_no_findings() {
    assert_eq!(judge("//! Head.\nfn f() -> u8 { 1 }\n"), [""; 0]);
}

#[test]
fn a_function_of_61_lines_is_found_and_one_of_60_is_not() {
    assert_eq!(judge(&function(60, "")), [""; 0]);
    assert_eq!(
        judge(&function(61, "")),
        ["3: long has 61 lines, 60 are allowed"]
    );
}

#[test]
fn a_match_table_may_say_that_it_is_long() {
    let reason = "#[allow(clippy::too_many_lines, reason = \"a table\")]";
    assert_eq!(judge(&function(90, reason)), [""; 0]);
}

#[test]
fn methods_and_default_methods_are_measured() {
    let body = "        step();\n".repeat(70);
    let method = format!("//! H.\nimpl T {{\n    fn m() {{\n{body}    }}\n}}\n");
    let default = format!("//! H.\ntrait T {{\n    fn m() {{\n{body}    }}\n}}\n");
    assert_eq!(judge(&method).len(), 1);
    assert_eq!(judge(&default).len(), 1);
}

#[test]
fn a_file_over_500_lines_is_found_but_its_tests_do_not_count() {
    let code = "//! H.\n".to_owned() + &"const A: u8 = 1;\n".repeat(499);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "// .\n".repeat(99));
    assert_eq!(judge(&(code.clone() + &tests)), [""; 0]);
    let long = code + "const B: u8 = 1;\n";
    assert_eq!(
        judge(&long),
        ["0: 501 lines without tests, 500 are allowed"]
    );
    assert_eq!(judge_at("x/src/foo/tests.rs", &long), []);
    assert_eq!(judge_at("x/tests/foo.rs", &long), []);
    assert_eq!(judge_at("tests/guests/src/foo.rs", &long).len(), 1);
}

#[test]
fn a_feature_may_select_a_module_but_not_decide_in_logic() {
    let select =
        "//! H.\n#[cfg(feature = \"a\")]\nmod a;\n#[cfg(feature = \"a\")]\npub use a::A;\n";
    assert_eq!(judge(select), [""; 0]);
    let bad = "//! H.\n\
        #[cfg(feature = \"a\")]\nfn f() {}\n\
        fn g() {\n    #[cfg(feature = \"a\")]\n    let a = 1;\n    if cfg!(feature = \"a\") {}\n}\n";
    let lines: Vec<_> = judge_at("a.rs", bad)
        .iter()
        .map(|found| found.line)
        .collect();
    assert_eq!(lines, [2, 5, 7]);
    assert_eq!(
        judge("//! H.\n#[cfg(target_os = \"none\")]\nfn f() {}\n"),
        [""; 0]
    );
}

#[test]
fn register_access_is_found_outside_its_places() {
    let imports = [
        "use aarch64_cpu::asm;",
        "use aarch64_cpu::registers::{HCR_EL2, Writeable};",
        "use tock_registers::interfaces::*;",
        "fn f() { aarch64_cpu::asm::wfi() }",
        "use arm_sysregs::read_hcr_el2;",
    ];
    for import in imports {
        let text = format!("//! H.\n{import}\n");
        assert_eq!(judge(&text).len(), 1, "{import}");
        assert_eq!(
            judge_at("hypervisor/src/arch/cpu.rs", &text),
            [],
            "{import}"
        );
        assert_eq!(
            judge_at("hypervisor/src/run.rs", &text).len(),
            1,
            "{import}"
        );
    }
}

#[test]
fn field_types_of_registers_are_allowed_everywhere() {
    let text =
        "//! H.\nuse aarch64_cpu::registers::ESR_EL2;\nuse tock_registers::LocalRegisterCopy;\n";
    assert_eq!(judge(text), [""; 0]);
}

#[test]
fn unsafe_is_seen_in_macros_and_attributes_but_not_in_words() {
    let lines = |text| Source::parse("a.rs", text).unwrap().unsafe_lines;
    assert_eq!(lines("fn f() { unsafe { g() } }\n"), [1]);
    assert_eq!(lines("m! {\n unsafe { g() }\n}\n"), [2]);
    assert_eq!(lines("#[unsafe(no_mangle)]\nfn f() {}\n"), [1]);
    assert_eq!(lines("core::arch::global_asm!(\"nop\");\n"), [1]);
    assert_eq!(
        lines("#![expect(unsafe_code, reason = \"r\")]\nm!();\n"),
        [1]
    );
    assert_eq!(
        lines("#![forbid(unsafe_code)] // unsafe\nconst S: &str = \"unsafe\";\n"),
        [0; 0]
    );
}

#[test]
fn unsafe_code_and_its_register_must_agree() {
    let page = "| module | why |\n|---|---|\n| `a.rs` | x |\n| `b.rs` | y |\n";
    let found = register::compare(page, &[("a.rs".to_owned(), 7), ("c.rs".to_owned(), 9)]);
    let places: Vec<_> = found.iter().map(|f| (f.file.as_str(), f.line)).collect();
    assert_eq!(places, [("c.rs", 9), ("docs/unsafe.md", 4)]);
    let both = [("a.rs".to_owned(), 7), ("b.rs".to_owned(), 9)];
    assert_eq!(register::compare(page, &both), []);
}

fn package(manifest: &str, dependencies: &[&str]) -> Package {
    Package {
        name: manifest.rsplit('/').nth(1).unwrap().to_owned(),
        manifest: manifest.to_owned(),
        dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
    }
}

/// Findings when `user` depends on `used`.
fn layering(user: &str, used: &str) -> usize {
    let used = package(used, &[]);
    let user = package(user, &[&used.name]);
    layers::judge(&[user, used]).len()
}

#[test]
fn the_layers_allow_what_is_written_and_nothing_else() {
    let allowed = [
        (
            "hypervisor/abi/rmi/Cargo.toml",
            "hypervisor/abi/addr/Cargo.toml",
        ),
        (
            "hypervisor/core/realm/Cargo.toml",
            "hypervisor/abi/rmi/Cargo.toml",
        ),
        (
            "boot/firmware/rmm/Cargo.toml",
            "boot/firmware/rmm-core/Cargo.toml",
        ),
        ("hypervisor/Cargo.toml", "hypervisor/core/realm/Cargo.toml"),
        ("hypervisor/Cargo.toml", "boot/entry/Cargo.toml"),
        (
            "tests/contract/Cargo.toml",
            "boot/firmware/rmm-core/Cargo.toml",
        ),
        ("tests/qemu/Cargo.toml", "xtask/Cargo.toml"),
    ];
    for (user, used) in allowed {
        assert_eq!(layering(user, used), 0, "{user} -> {used}");
    }
    let refused = [
        (
            "hypervisor/abi/rmi/Cargo.toml",
            "hypervisor/core/realm/Cargo.toml",
        ),
        ("hypervisor/core/realm/Cargo.toml", "boot/entry/Cargo.toml"),
        (
            "hypervisor/core/realm/Cargo.toml",
            "boot/firmware/rmm-core/Cargo.toml",
        ),
        ("hypervisor/Cargo.toml", "boot/firmware/gpt/Cargo.toml"),
        (
            "boot/firmware/rmm/Cargo.toml",
            "hypervisor/core/realm/Cargo.toml",
        ),
        (
            "tests/guests/Cargo.toml",
            "hypervisor/core/realm/Cargo.toml",
        ),
        ("xtask/Cargo.toml", "boot/firmware/rmm-core/Cargo.toml"),
    ];
    for (user, used) in refused {
        assert_eq!(layering(user, used), 1, "{user} -> {used}");
    }
}

#[test]
fn a_package_outside_the_layout_is_found() {
    assert_eq!(
        layers::judge(&[package("misc/tool/Cargo.toml", &[])]).len(),
        1
    );
}
