//! Arm's Base RevC model as a machine: no other file names one of its flags.
//!
//! Parameters are those TF-A documents for RME on this model. Beside them the
//! first UART goes to standard output, and power-off ends the model.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The program.
pub const PROGRAM: &str = "FVP_Base_RevC-2xAEMvA";
/// Where TF-A for the model enters BL33 unless it is built otherwise.
pub const BL33_BASE: u64 = 0x8800_0000;

/// The machine around the clusters, in the order of TF-A's documentation.
const SYSTEM: [(&str, &str); 9] = [
    ("bp.refcounter.non_arch_start_at_default", "1"),
    ("bp.refcounter.use_real_time", "0"),
    ("bp.ve_sysregs.exit_on_shutdown", "1"),
    ("cache_state_modelled", "0"),
    ("bp.dram_size", "4"),
    ("bp.secure_memory", "0"),
    ("pci.pci_smmuv3.mmu.SMMU_ROOT_IDR0", "3"),
    ("pci.pci_smmuv3.mmu.SMMU_ROOT_IIDR", "0x43B"),
    ("pci.pci_smmuv3.mmu.root_register_page_offset", "0x20000"),
];

/// What each cluster needs.
const CLUSTER: [(&str, &str); 17] = [
    ("NUM_CORES", "4"),
    ("PA_SIZE", "48"),
    ("ecv_support_level", "2"),
    ("gicv3.cpuintf-mmap-access-level", "2"),
    ("gicv3.without-DS-support", "1"),
    ("gicv4.mask-virtual-interrupt", "1"),
    ("has_arm_v8-6", "1"),
    ("has_amu", "1"),
    ("has_branch_target_exception", "1"),
    ("rme_support_level", "2"),
    ("has_rndr", "1"),
    ("has_v8_7_pmu_extension", "2"),
    ("max_32bit_el", "-1"),
    ("stage12_tlb_size", "1024"),
    ("check_memory_attributes", "0"),
    ("restriction_on_speculative_execution", "2"),
    ("restriction_on_speculative_execution_aarch32", "2"),
];

/// The console: the first UART on standard output, no windows for the others.
const CONSOLE: [(&str, &str); 7] = [
    ("pctl.startup", "0.0.0.0"),
    ("bp.vis.disable_visualisation", "1"),
    ("bp.pl011_uart0.out_file", "-"),
    ("bp.pl011_uart0.unbuffered_output", "1"),
    ("bp.terminal_0.start_telnet", "0"),
    ("bp.terminal_1.start_telnet", "0"),
    ("bp.terminal_3.start_telnet", "0"),
];

/// One model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fvp {
    /// TF-A's BL1.
    pub bl1: PathBuf,
    /// TF-A's FIP, with an RMM in it.
    pub fip: PathBuf,
    /// An image placed in RAM before the start, and where; without it the FIP
    /// has the image.
    pub preload: Option<(PathBuf, u64)>,
}

impl Fvp {
    /// The arguments that make the model this machine.
    pub fn argv(&self) -> Vec<OsString> {
        let mut argv = Vec::new();
        for (name, value) in SYSTEM {
            set(&mut argv, name, value);
        }
        for cluster in ["cluster0", "cluster1"] {
            for (name, value) in CLUSTER {
                set(&mut argv, &format!("{cluster}.{name}"), value);
            }
        }
        for (name, value) in CONSOLE {
            set(&mut argv, name, value);
        }
        set(&mut argv, "bp.secureflashloader.fname", &self.bl1);
        set(&mut argv, "bp.flashloader0.fname", &self.fip);
        if let Some((image, base)) = &self.preload {
            let mut data = OsString::from("cluster0.cpu0=");
            data.push(image);
            data.push(format!("@{base:#x}"));
            argv.extend([OsString::from("--data"), data]);
        }
        argv
    }

    /// The whole command for a shell, a parameter to the line.
    pub fn command(&self, program: &Path) -> String {
        let mut text = quoted(program.as_os_str());
        for pair in self.argv().chunks(2) {
            text.push_str(" \\\n  ");
            let words: Vec<_> = pair.iter().map(|word| quoted(word)).collect();
            text.push_str(&words.join(" "));
        }
        text
    }
}

fn set(argv: &mut Vec<OsString>, name: &str, value: impl AsRef<std::ffi::OsStr>) {
    let mut pair = OsString::from(format!("{name}="));
    pair.push(value);
    argv.extend([OsString::from("-C"), pair]);
}

/// A word as a POSIX shell reads it back.
fn quoted(word: &std::ffi::OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=@:,+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::{BL33_BASE, Fvp, PROGRAM};
    use std::path::Path;

    fn fvp() -> Fvp {
        Fvp {
            bl1: "fw/bl1.bin".into(),
            fip: "fw/fip.bin".into(),
            preload: Some(("suzerain.img".into(), BL33_BASE)),
        }
    }

    #[test]
    fn the_model_is_started_with_rme_as_tf_a_documents_it() {
        let golden = include_str!("board_fvp.golden");
        assert_eq!(fvp().command(Path::new(PROGRAM)), golden.trim_end());
    }

    #[test]
    fn an_image_inside_the_fip_is_not_preloaded() {
        let mut fvp = fvp();
        fvp.preload = None;
        assert!(!fvp.argv().contains(&"--data".into()));
    }

    #[test]
    fn the_printed_command_survives_a_shell() {
        let mut fvp = fvp();
        fvp.bl1 = "my fw/it's.bin".into();
        assert!(
            fvp.command(Path::new(PROGRAM))
                .contains(r"-C 'bp.secureflashloader.fname=my fw/it'\''s.bin'")
        );
    }
}
