//! A machine as a value. No other file names a QEMU flag.
//!
//! The memory map is TF-A's for QEMU virt, so that one hypervisor image runs on
//! the embedded firmware and on the public one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the hypervisor image is placed when firmware starts it.
pub const HYPERVISOR_BASE: u64 = 0x6000_0000;

/// How the machine comes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// QEMU virt with RME: firmware in flash, the hypervisor preloaded in RAM.
    Realms {
        /// Flash image: EL3 monitor and RMM.
        flash: PathBuf,
        /// Hypervisor image with its bundle.
        image: PathBuf,
        /// Where the image is placed.
        base: u64,
        /// Code for [`HYPERVISOR_BASE`], where firmware enters, if the image
        /// is elsewhere: see [`jump_to`].
        jump: Option<PathBuf>,
        /// Any small file: QEMU takes a command line only beside a kernel.
        carrier: PathBuf,
    },
    /// QEMU virt without RME: QEMU itself starts the hypervisor at EL2.
    Plain {
        /// Hypervisor image with its bundle.
        image: PathBuf,
    },
    /// QEMU virt without EL2 and EL3: QEMU itself starts a Linux kernel at EL1.
    Kernel {
        /// The kernel.
        image: PathBuf,
        /// Its initial file system.
        initrd: PathBuf,
    },
}

/// How time passes in the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// With the host's clock.
    Host,
    /// One nanosecond per instruction, so that counts repeat exactly.
    Instructions,
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// How it comes up.
    pub start: Start,
    /// Processors.
    pub cpus: u32,
    /// RAM in MiB.
    pub ram_mib: u64,
    /// How time passes.
    pub clock: Clock,
    /// Text for `/chosen/bootargs`.
    pub bootargs: String,
    /// A device tree in place of QEMU's own (only where QEMU starts the software).
    pub device_tree: Option<PathBuf>,
}

impl Board {
    /// The arguments that make QEMU this machine.
    pub fn argv(&self) -> Vec<OsString> {
        let mut argv = Argv::default();
        match &self.start {
            Start::Realms {
                flash,
                image,
                base,
                jump,
                carrier,
            } => {
                argv.two("-machine", "virt,secure=on,virtualization=on,gic-version=3");
                argv.two("-cpu", "max,x-rme=on");
                argv.two("-bios", flash);
                argv.two("-kernel", carrier);
                argv.two("-device", loader(image, *base));
                if let Some(jump) = jump {
                    argv.two("-device", loader(jump, HYPERVISOR_BASE));
                }
            }
            Start::Plain { image } => {
                argv.two("-machine", "virt,virtualization=on,gic-version=3");
                argv.two("-cpu", "max");
                argv.two("-kernel", image);
            }
            Start::Kernel { image, initrd } => {
                argv.two("-machine", "virt,gic-version=3");
                argv.two("-cpu", "max");
                argv.two("-kernel", image);
                argv.two("-initrd", initrd);
            }
        }
        argv.two("-append", &self.bootargs);
        argv.two("-smp", self.cpus.to_string());
        argv.two("-m", format!("{}M", self.ram_mib));
        if let Some(tree) = &self.device_tree {
            argv.two("-dtb", tree);
        }
        if self.clock == Clock::Instructions {
            argv.two("-icount", "shift=0,sleep=off");
        }
        for fixed in [
            ["-nic", "none"],
            ["-display", "none"],
            ["-serial", "stdio"],
            ["-monitor", "none"],
        ] {
            argv.two(fixed[0], fixed[1]);
        }
        argv.one("-no-reboot");
        argv.0
    }
}

fn loader(file: &Path, address: u64) -> OsString {
    let mut text = OsString::from("loader,file=");
    text.push(file);
    text.push(format!(",addr={address:#x},force-raw=on"));
    text
}

/// Machine code that goes on at `address` and leaves x0 to x15 alone.
pub fn jump_to(address: u64) -> Vec<u8> {
    const LDR_X16_8: u32 = 0x5800_0050;
    const BR_X16: u32 = 0xd61f_0200;
    let mut code = Vec::from(LDR_X16_8.to_le_bytes());
    code.extend(BR_X16.to_le_bytes());
    code.extend(address.to_le_bytes());
    code
}

/// Arguments with which a QEMU shows whether its `max` CPU can have RME: it
/// reads monitor commands from stdin, and fails before that if it cannot.
pub fn rme_probe() -> Vec<OsString> {
    let mut argv = Argv::default();
    argv.two("-machine", "virt,secure=on,virtualization=on,gic-version=3");
    argv.two("-cpu", "max,x-rme=on");
    for fixed in [
        ["-nic", "none"],
        ["-display", "none"],
        ["-serial", "none"],
        ["-monitor", "stdio"],
    ] {
        argv.two(fixed[0], fixed[1]);
    }
    argv.one("-S");
    argv.0
}

#[derive(Default)]
struct Argv(Vec<OsString>);

impl Argv {
    fn one(&mut self, arg: impl Into<OsString>) {
        self.0.push(arg.into());
    }

    fn two(&mut self, flag: &str, value: impl Into<OsString>) {
        self.one(flag);
        self.one(value);
    }
}

#[cfg(test)]
mod tests {
    use super::{Board, Clock, HYPERVISOR_BASE, Start};

    fn line(board: &Board) -> String {
        let args: Vec<_> = board
            .argv()
            .into_iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect();
        args.join(" ")
    }

    fn realms() -> Board {
        Board {
            start: Start::Realms {
                flash: "flash.bin".into(),
                image: "suzerain.img".into(),
                base: HYPERVISOR_BASE,
                jump: None,
                carrier: "carrier".into(),
            },
            cpus: 1,
            ram_mib: 2048,
            clock: Clock::Host,
            bootargs: "a=1 b=2".into(),
            device_tree: None,
        }
    }

    #[test]
    fn a_machine_with_realms_boots_the_flash_and_preloads_the_hypervisor() {
        assert_eq!(
            line(&realms()),
            "-machine virt,secure=on,virtualization=on,gic-version=3 -cpu max,x-rme=on \
             -bios flash.bin -kernel carrier \
             -device loader,file=suzerain.img,addr=0x60000000,force-raw=on \
             -append a=1 b=2 -smp 1 -m 2048M \
             -nic none -display none -serial stdio -monitor none -no-reboot"
        );
    }

    #[test]
    fn a_machine_without_realms_starts_the_hypervisor_as_a_kernel() {
        let board = Board {
            start: Start::Plain {
                image: "suzerain.img".into(),
            },
            ..realms()
        };
        assert_eq!(
            line(&board),
            "-machine virt,virtualization=on,gic-version=3 -cpu max -kernel suzerain.img \
             -append a=1 b=2 -smp 1 -m 2048M \
             -nic none -display none -serial stdio -monitor none -no-reboot"
        );
    }

    #[test]
    fn a_machine_without_a_hypervisor_starts_a_kernel() {
        let board = Board {
            start: Start::Kernel {
                image: "Image".into(),
                initrd: "initrd".into(),
            },
            device_tree: Some("guest.dtb".into()),
            ..realms()
        };
        assert_eq!(
            line(&board),
            "-machine virt,gic-version=3 -cpu max -kernel Image -initrd initrd \
             -append a=1 b=2 -smp 1 -m 2048M -dtb guest.dtb \
             -nic none -display none -serial stdio -monitor none -no-reboot"
        );
    }

    #[test]
    fn counting_instructions_fixes_the_clock() {
        let board = Board {
            clock: Clock::Instructions,
            ..realms()
        };
        assert!(line(&board).contains(" -icount shift=0,sleep=off "));
        assert!(!line(&realms()).contains("-icount"));
    }

    #[test]
    fn another_address_is_reached_by_a_jump_from_where_firmware_enters() {
        let mut board = realms();
        if let Start::Realms { base, jump, .. } = &mut board.start {
            *base = 0x8020_0000;
            *jump = Some("jump.bin".into());
        }
        assert!(line(&board).contains(
            "-device loader,file=suzerain.img,addr=0x80200000,force-raw=on \
             -device loader,file=jump.bin,addr=0x60000000,force-raw=on"
        ));
        let code = super::jump_to(0x8020_0000);
        assert_eq!(code[..8], [0x50, 0, 0, 0x58, 0, 0x02, 0x1f, 0xd6]);
        assert_eq!(code[8..], 0x8020_0000_u64.to_le_bytes());
    }

    #[test]
    fn bootargs_stay_one_argument() {
        assert!(realms().argv().contains(&"a=1 b=2".into()));
    }
}
