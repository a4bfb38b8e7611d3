use super::*;
use std::fs;
use vm_config::{CpuOn, Mac, Plan, Populate, RamRequests, RegionKind, VmKind, VmPlan};

mod contents;
mod refusals;

/// Files as a run would provision them, much smaller.
struct Fake {
    folder: tempfile::TempDir,
}

impl Fake {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = Self { folder };
        fake.write("kernel", &image(0x1_2345, 0x30_0000));
        fake.write("busybox", &program(5000));
        fake.write("payload", &[0x5a; 9000]);
        fake.write("u-boot", &[0xb0; 9000]);
        for debian in [Debian::Newest, Debian::V6_1] {
            fs::create_dir(fake.path(debian.word())).unwrap();
        }
        fake
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// The VMs and the bundle of a VM file of this text.
    fn bundle(&self, text: &str, overrides: &Overrides) -> anyhow::Result<(Vec<VmPlan>, Vec<u8>)> {
        let file = self.write("guest.toml", text.as_bytes());
        let bundle = bundle(&file, overrides, self)?;
        let vms = Plan::decode(&bundle)?.vms().collect();
        Ok((vms, bundle))
    }

    /// Why a VM file of this text is refused, without the folder's name.
    fn refusal(&self, text: &str, overrides: &Overrides) -> String {
        let error = self.bundle(text, overrides).expect_err("it is refused");
        let folder = format!("{}/", self.folder.path().display());
        format!("{error:#}").replace(&folder, "")
    }
}

impl Sources for Fake {
    fn linux(&self, debian: Debian) -> anyhow::Result<LinuxKit> {
        Ok(LinuxKit {
            modules: self.path(debian.word()),
            kernel: self.path("kernel"),
            busybox: self.path("busybox"),
            version: "7.2".to_owned(),
            sha256: String::new(),
        })
    }

    fn u_boot(&self) -> anyhow::Result<PathBuf> {
        Ok(self.path("u-boot"))
    }

    fn payload(&self, bin: &str) -> anyhow::Result<PathBuf> {
        anyhow::ensure!(bin == "hello_realm", "there is no such payload");
        Ok(self.path("payload"))
    }
}

/// A kernel image of `length` bytes that takes `image_size` bytes of memory.
fn image(length: usize, image_size: u64) -> Vec<u8> {
    let mut image = vec![0x11; length];
    image[8..16].copy_from_slice(&0u64.to_le_bytes());
    image[16..24].copy_from_slice(&image_size.to_le_bytes());
    image[24..32].copy_from_slice(&0xau64.to_le_bytes());
    image[56..60].copy_from_slice(b"ARM\x64");
    image
}

/// What passes for an arm64 program.
fn program(length: usize) -> Vec<u8> {
    let mut program = vec![0x22; length];
    program[..4].copy_from_slice(b"\x7fELF");
    program[18..20].copy_from_slice(&[183, 0]);
    program
}

const LINUX: &str = "kernel = \"debian\"\ninitrd = \"builtin\"\nmemory = \"64M\"\n";
const HELLO: &str = "payload = \"hello_realm\"\nmemory = \"16M\"\n";

#[test]
fn a_short_file_gets_the_defaults() {
    let (vms, _) = Fake::new().bundle(LINUX, &Overrides::default()).unwrap();
    let vm = &vms[0];
    assert_eq!(vm.name.as_str(), "guest");
    assert_eq!(vm.kind, VmKind::Realm);
    assert_eq!((vm.vcpus, vm.restarts, vm.ipa_bits), (1, 0, 33));
    assert_eq!(vm.memory.size(), 64 << 20);
    assert_eq!(vm.populate, Populate::Blocks);
    assert_eq!((vm.realm.num_bps, vm.realm.num_wps), (1, 1));
    assert_eq!(vm.realm.ram_requests, RamRequests::Accept);
    assert_eq!(vm.realm.cpu_on, CpuOn::Accept);
    assert!(vm.cpus.is_empty());
    assert_eq!(vm.devices.slots().count(), 0);
    assert_eq!(vm.realm.rpv, [0; 64]);
    assert!(vm.regions.iter().all(|region| region.measured));
}

#[test]
fn every_key_reaches_the_plan() {
    let text = r#"
        name = "other"
        kind = "normal"
        vcpus = 3
        cpus = [2, 0, 1]
        memory = "1G"
        kernel = "kernel"
        restarts = 2
        populate = "4k"
        measured = ["kernel"]
        [realm]
        ipa_bits = 40
        rtt_start_level = 0
        hash = "sha-512"
        breakpoints = 6
        watchpoints = 4
        rpv = "0aff"
        ram_requests = "reject"
        cpu_on = "deny"
        [devices]
        console = true
        entropy = true
        network = true
        [[devices.disk]]
        size = "64K"
        [place]
        image = 0x4020_0000
        dtb = 0x5000_0000
    "#;
    let (vms, _) = Fake::new().bundle(text, &Overrides::default()).unwrap();
    let vm = &vms[0];
    assert_eq!(vm.name.as_str(), "other");
    assert_eq!(vm.kind, VmKind::Normal);
    assert_eq!((vm.vcpus, vm.restarts, vm.ipa_bits), (3, 2, 40));
    assert_eq!(vm.populate, Populate::Granules);
    assert_eq!(vm.realm.geometry.start_level(), 0);
    assert_eq!(vm.realm.hash, vm_config::Hash::Sha512);
    assert_eq!((vm.realm.num_bps, vm.realm.num_wps), (5, 3));
    assert_eq!(vm.realm.rpv[..3], [0x0a, 0xff, 0]);
    assert_eq!(vm.cpus[..], [2, 0, 1]);
    assert_eq!(vm.realm.ram_requests, RamRequests::Reject);
    assert_eq!(vm.realm.cpu_on, CpuOn::Deny);
    assert!(vm.devices.console && vm.devices.entropy && vm.devices.net.is_some());
    assert_eq!(vm.devices.disks[0].size, 64 << 10);
    assert_eq!((vm.entry.raw(), vm.x0), (0x4020_0000, 0x5000_0000));
    let measured: Vec<_> = vm.regions.iter().map(|r| (r.kind, r.measured)).collect();
    assert_eq!(
        measured,
        [(RegionKind::Kernel, true), (RegionKind::Dtb, false)]
    );
}

#[test]
fn the_command_line_wins_over_the_file() {
    let fake = Fake::new();
    let overrides = Overrides {
        kernel: Some(fake.write("mine", &image(0x2_0000, 0x20_0000))),
        initrd: Some(fake.write("root", &[9; 100])),
        cmdline: Some("single".to_owned()),
        memory: Some("128M".to_owned()),
        headless: true,
    };
    let file = fake.write("guest.toml", LINUX.as_bytes());
    let file = VmFile::load(&file, &overrides).unwrap();
    let Guest::Linux {
        kernel,
        initrd,
        cmdline,
    } = file.guest()
    else {
        panic!("a kernel runs");
    };
    assert_eq!(*kernel, Kernel::File(fake.path("mine")));
    assert_eq!(*initrd, Initrd::File(fake.path("root")));
    assert_eq!(cmdline, "single suzerain.checks");
    let (vms, _) = fake.bundle(LINUX, &overrides).unwrap();
    assert_eq!(vms[0].memory.size(), 128 << 20);
    assert_eq!(vms[0].regions[2].range.size(), 4096);
}

#[test]
fn the_early_console_of_a_realm_is_at_the_shared_alias() {
    let load = |text: &str| cmdline(text, &Overrides::default());
    assert!(load(LINUX).starts_with("earlycon=pl011,mmio32,0x109000000 console=ttyAMA0"));
    let wide = format!("{LINUX}[realm]\nipa_bits = 40\n");
    assert!(load(&wide).starts_with("earlycon=pl011,mmio32,0x8009000000 "));
    let normal = format!("{LINUX}kind = \"normal\"\n");
    assert!(load(&normal).starts_with("earlycon=pl011,mmio32,0x9000000 "));
    assert!(!load(LINUX).contains("quiet"));
}

/// The command line of the kernel in a VM file of this text.
fn cmdline(text: &str, overrides: &Overrides) -> String {
    let file = VmFile::parse(Path::new("a.toml"), text, overrides);
    match file.unwrap().guest() {
        Guest::Linux { cmdline, .. } => cmdline.clone(),
        _ => panic!("a kernel runs"),
    }
}

#[test]
fn words_are_appended_to_the_usual_command_line_and_none_is_said_twice() {
    let usual = cmdline(LINUX, &Overrides::default());
    let text = format!("{LINUX}append = \"suzerain.cpus=4 {CHECKS_WORD}\"\n");
    let expected = format!("{usual} suzerain.cpus=4 {CHECKS_WORD}");
    assert_eq!(cmdline(&text, &Overrides::default()), expected);
    let headless = Overrides {
        headless: true,
        ..Overrides::default()
    };
    assert_eq!(cmdline(&text, &headless), expected);
    assert_eq!(cmdline(LINUX, &headless), format!("{usual} {CHECKS_WORD}"));
}

#[test]
fn a_word_for_a_kernel_is_one_of_debian_s_or_a_file() {
    let kernel = |word: &str| {
        let text = format!("kernel = \"{word}\"\nmemory = \"64M\"\n");
        let file = VmFile::parse(Path::new("a.toml"), &text, &Overrides::default());
        match file.unwrap().guest() {
            Guest::Linux { kernel, .. } => kernel.clone(),
            _ => panic!("a kernel runs"),
        }
    };
    assert_eq!(kernel("debian"), Kernel::Debian(Debian::Newest));
    assert_eq!(kernel("debian-6.1"), Kernel::Debian(Debian::V6_1));
    assert_eq!(kernel("Image"), Kernel::File("Image".into()));
}

#[test]
fn u_boot_lies_above_its_device_tree_at_the_start_of_ram() {
    let text = "kind = \"normal\"\nkernel = \"u-boot\"\nmemory = \"64M\"\n";
    let (vms, bundle) = Fake::new().bundle(text, &Overrides::default()).unwrap();
    let vm = &vms[0];
    assert_eq!((vm.entry.raw(), vm.x0), (0x4040_0000, 0x4000_0000));
    let places: Vec<_> = vm
        .regions
        .iter()
        .map(|r| (r.kind, r.range.base().raw()))
        .collect();
    assert_eq!(
        places,
        [
            (RegionKind::Dtb, 0x4000_0000),
            (RegionKind::Payload, 0x4040_0000)
        ]
    );
    let start = vm.regions[1].offset as usize;
    assert_eq!(bundle[start..start + 9000], [0xb0; 9000]);
}

#[test]
fn a_kernel_with_devices_has_room_for_their_data() {
    let slabs = |more: &str| cmdline(&format!("{LINUX}{more}"), &Overrides::default());
    assert!(slabs("").contains(" swiotlb=512 "));
    assert!(slabs("[devices]\nnetwork = true\n").contains(" swiotlb=8192 "));
    assert!(slabs("[[devices.disk]]\nsize = \"1M\"\n").contains(" swiotlb=8192 "));
}

#[test]
fn network_addresses_follow_from_names_and_are_locally_administered() {
    let mac = |name: &str| {
        let text = format!("{HELLO}name = \"{name}\"\n[devices]\nnetwork = true\n");
        let (vms, _) = Fake::new().bundle(&text, &Overrides::default()).unwrap();
        vms[0].devices.net.unwrap()
    };
    let (web, db): (Mac, Mac) = (mac("web"), mac("db"));
    assert_eq!(web, mac("web"));
    assert_ne!(web, db);
    assert!([web, db].iter().all(|mac| mac.0[0] & 3 == 2));
}

#[test]
fn the_files_of_this_repository_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vms");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            VmFile::load(&path, &Overrides::default()).unwrap();
            seen += 1;
        }
    }
    assert!(seen >= 3);
}

#[test]
fn several_files_make_one_bundle() {
    let fake = Fake::new();
    let parse = |name: &str, text: &str| {
        VmFile::parse(&fake.path(name), text, &Overrides::default()).unwrap()
    };
    let files = [parse("a.toml", HELLO), parse("b.toml", LINUX)];
    let bundle = bundle_all(&files, &fake).unwrap();
    let vms = Plan::decode(&bundle).unwrap().vms();
    let names: Vec<_> = vms.map(|vm| vm.name.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
}
