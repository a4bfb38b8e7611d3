//! Each refusal names the place to mend.

use super::*;

fn refusal(text: &str) -> String {
    Fake::new().refusal(text, &Overrides::default())
}

fn refusal_with(text: &str, overrides: Overrides) -> String {
    Fake::new().refusal(text, &overrides)
}

#[test]
fn a_misspelt_key_is_named_with_its_line_and_the_likely_one() {
    assert_eq!(
        refusal("# a comment\nkernel = \"debian\"\nmemroy = \"64M\"\n"),
        "guest.toml:3: unknown key `memroy`; did you mean `memory`?"
    );
    assert_eq!(
        refusal(&format!("{HELLO}[realm]\nipa_bit = 3\n")),
        "guest.toml:4: unknown key `ipa_bit`; did you mean `ipa_bits`?"
    );
    assert_eq!(
        refusal(&format!("{HELLO}\n[place]\nfirmware = 3\n")),
        "guest.toml:5: unknown key `firmware`; known are image, dtb, initrd"
    );
}

#[test]
fn a_value_of_the_wrong_form_is_named_with_its_line() {
    for (line, expected) in [
        (
            "vcpus = \"two\"",
            "guest.toml:3: invalid type: string \"two\", expected u32",
        ),
        (
            "vcpus = 0",
            "guest.toml:3: vcpus: 0 vCPUs, where 1 to 64 are possible",
        ),
        (
            "kind = \"confidential\"",
            "guest.toml:3: kind: \"confidential\" is not one of \"realm\", \"normal\"",
        ),
        (
            "populate = \"1g\"",
            "guest.toml:3: populate: \"1g\" is not one of \"2m\", \"4k\"",
        ),
        (
            "measured = [\"disk\"]",
            "guest.toml:3: measured: \"disk\" is not one of \"kernel\", \"initrd\", \"dtb\", \"payload\"",
        ),
        (
            "name = \"a b\"",
            "guest.toml:3: name: a name is 1 to 31 letters, digits, '-', '_' or '.'",
        ),
        (
            "realm.ipa_bits = 50",
            "guest.toml:3: ipa_bits: ipa_bits is 50, where 32 to 48 are possible",
        ),
        (
            "realm.rtt_start_level = 0",
            "guest.toml:3: rtt_start_level: a table for 33 address bits cannot start at level 0",
        ),
        (
            "realm.breakpoints = 1",
            "guest.toml:3: breakpoints: the number of breakpoints is not 2 to 64",
        ),
        (
            "realm.rpv = \"123\"",
            "guest.toml:3: rpv: it is not up to 128 hexadecimal digits in pairs",
        ),
        (
            "realm.cpu_on = \"maybe\"",
            "guest.toml:3: cpu_on: \"maybe\" is not one of \"accept\", \"deny\"",
        ),
        (
            "cpus = [0, 1]",
            "guest.toml:3: cpus: 2 CPUs for 1 vCPUs, where each vCPU needs its own",
        ),
        (
            "cpus = [256]",
            "guest.toml:3: invalid value: integer `256`, expected u8",
        ),
        (
            "devices.floppy = true",
            "guest.toml:3: unknown key `floppy`; known are console, entropy, network, disk",
        ),
        (
            "devices.disk = [{ size = \"1000\" }]",
            "guest.toml:3: disk 0: its disk 0 is not one or more whole sectors of 512 bytes",
        ),
        (
            "devices.disk = [{ size = \"huge\" }]",
            "guest.toml:3: disk 0: \"huge\" is no size; write for example \"512M\" or \"1G\"",
        ),
        (
            "devices.disk = [{ readonly = true }]",
            "guest.toml:3: disk 0: a disk has either image = \"<file>\" or size = \"<bytes>\"",
        ),
        (
            "devices.disk = [{ image = \"gone\" }]",
            "guest.toml:3: disk 0: cannot read gone: No such file or directory (os error 2)",
        ),
        (
            "devices.disk = [{ size = \"1M\" }, { size = \"1M\" }, { size = \"1M\" }]",
            "guest.toml:3: disk 2: there are more than 2 disks",
        ),
        (
            "realm.hash = \"md5\"",
            "guest.toml:3: hash: \"md5\" is not one of \"sha-256\", \"sha-512\"",
        ),
    ] {
        assert_eq!(refusal(&format!("{HELLO}{line}\n")), expected);
    }
}

#[test]
fn a_size_nobody_can_read_or_use_is_refused() {
    let memory = |size: &str| refusal(&format!("payload = \"hello_realm\"\nmemory = \"{size}\"\n"));
    assert_eq!(
        memory("512X"),
        "guest.toml:2: memory: \"512X\" is no size; write for example \"512M\" or \"1G\""
    );
    assert!(memory("99999999999G").contains("is no size"));
    assert!(memory("0").contains("multiples of 2 MiB"));
    assert!(memory("3M").contains("3 MiB of memory at 0x40000000: both must be multiples"));
    assert!(memory("4G").contains("below the shared half"));
    let overrides = Overrides {
        memory: Some("huge".to_owned()),
        ..Overrides::default()
    };
    assert_eq!(
        refusal_with(HELLO, overrides),
        "--memory huge: \"huge\" is no size; write for example \"512M\" or \"1G\""
    );
    assert_eq!(
        refusal("payload = \"hello_realm\"\n"),
        "guest.toml: memory is missing; add for example memory = \"512M\""
    );
}

#[test]
fn a_kernel_larger_than_the_memory_is_refused() {
    let text = "kernel = \"debian\"\nmemory = \"2M\"\n";
    assert_eq!(
        refusal(text),
        "guest.toml:2: memory: its kernel takes 3 MiB, its memory is only 2 MiB"
    );
    let overrides = Overrides {
        memory: Some("2M".to_owned()),
        ..Overrides::default()
    };
    assert_eq!(
        refusal_with(LINUX, overrides),
        "--memory 2M: its kernel takes 3 MiB, its memory is only 2 MiB"
    );
    assert!(
        refusal("kernel = \"debian\"\nmemory = \"4M\"\n").contains("its dtb at ipa:0x40400000")
    );
}

#[test]
fn a_cpu_that_two_vms_want_for_themselves_is_refused_with_both_names() {
    let fake = Fake::new();
    let parse = |name: &str, cpus: &str| {
        let text = format!("{HELLO}vcpus = 2\ncpus = {cpus}\n");
        VmFile::parse(&fake.path(name), &text, &Overrides::default()).unwrap()
    };
    let files = [parse("a.toml", "[1, 2]"), parse("b.toml", "[3, 2]")];
    assert_eq!(
        bundle_all(&files, &fake).unwrap_err().to_string(),
        "VM b: CPU 2 is dedicated to a already"
    );
}

#[test]
fn overlapping_regions_are_refused_at_the_line_that_places_them() {
    assert!(
        refusal(&format!("{LINUX}[place]\ninitrd = 0x4000_1000\n")).starts_with(
            "guest.toml:5: place.initrd: its kernel and its initrd overlap at ipa:0x40001000.."
        )
    );
    // Only the kernel's BSS is met, which is no part of its file.
    assert_eq!(
        refusal(&format!("{LINUX}[place]\ndtb = 0x402f_0000\n")),
        "guest.toml:5: place.dtb: its kernel and its dtb overlap at ipa:0x402f0000..0x40300000"
    );
    assert_eq!(
        refusal(&format!("{LINUX}[place]\ndtb = 0x4fff_f000\n")),
        "guest.toml:5: place.dtb: its dtb at ipa:0x4ffff000..0x50000000 lies outside its memory ipa:0x40000000..0x44000000"
    );
}

#[test]
fn a_missing_file_is_named() {
    assert_eq!(
        refusal("kernel = \"gone\"\nmemory = \"64M\"\n"),
        "guest.toml:1: kernel: cannot read gone: No such file or directory (os error 2)"
    );
    let overrides = Overrides {
        initrd: Some(PathBuf::from("/nowhere/root")),
        ..Overrides::default()
    };
    assert_eq!(
        refusal_with(LINUX, overrides),
        "--initrd: cannot read /nowhere/root: No such file or directory (os error 2)"
    );
    let missing = bundle(
        Path::new("vms/nobody.toml"),
        &Overrides::default(),
        &Fake::new(),
    );
    assert!(
        format!("{:#}", missing.unwrap_err())
            .starts_with("vms/nobody.toml: cannot read the VM file: ")
    );
    assert_eq!(
        refusal("payload = \"nobody\"\nmemory = \"16M\"\n"),
        "guest.toml:1: payload: \"nobody\": there is no such payload"
    );
}

#[test]
fn a_file_that_is_no_kernel_is_refused_with_what_it_is() {
    let fake = Fake::new();
    let refusal = |bytes: &[u8]| {
        fake.write("mine", bytes);
        fake.refusal(
            "kernel = \"mine\"\nmemory = \"64M\"\n",
            &Overrides::default(),
        )
    };
    let mut gzip = vec![0; 100];
    gzip[..2].copy_from_slice(&[0x1f, 0x8b]);
    assert_eq!(
        refusal(&gzip),
        "guest.toml:1: kernel: it is no arm64 Linux Image but gzip data; unpack it first"
    );
    assert_eq!(
        refusal(&program(100)),
        "guest.toml:1: kernel: it is no arm64 Linux Image but an ELF file; use arch/arm64/boot/Image"
    );
    assert!(refusal(&[0; 10]).contains("shorter than the header"));
    assert!(refusal(&image(100, 0)).contains("older than Linux 3.17"));
    assert!(refusal(&image(0x2000, 0x1000)).contains("its header says 4096 bytes"));
    let mut big = image(100, 0x1000);
    big[24] |= 1;
    assert!(refusal(&big).contains("big-endian"));
    let mut offset = image(100, 0x1000);
    offset[8..16].copy_from_slice(&0x8000_0000u64.to_le_bytes());
    assert!(refusal(&offset).contains("text offset 0x80000000"));
}

#[test]
fn a_vm_with_nothing_or_too_much_to_run_is_refused() {
    assert!(refusal("memory = \"16M\"\n").starts_with("guest.toml: nothing to run; add kernel"));
    assert_eq!(
        refusal(&format!("{HELLO}kernel = \"debian\"\n")),
        "guest.toml:3: kernel: a VM runs a kernel or a payload, not both"
    );
    assert_eq!(
        refusal("kernel = \"u-boot\"\nmemory = \"16M\"\n"),
        "guest.toml:1: kernel: U-Boot cannot be a Realm; add kind = \"normal\""
    );
    assert_eq!(
        refusal(&format!("{HELLO}cmdline = \"a\"\n")),
        "guest.toml:3: cmdline: only a Linux kernel has one"
    );
    let overrides = Overrides {
        kernel: Some(PathBuf::from("Image")),
        ..Overrides::default()
    };
    assert_eq!(
        refusal_with(HELLO, overrides),
        "--kernel: guest.toml runs no Linux kernel; use it with a VM that does, as --guest linux"
    );
}
