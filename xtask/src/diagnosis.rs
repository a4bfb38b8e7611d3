//! What a boot log says about firmware that does not work: the known ways in
//! which TF-A and TF-RMM fail to pair, and the remedy for each.

/// What a log shows, and what helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What is wrong.
    pub what: &'static str,
    /// What helps.
    pub remedy: &'static str,
}

/// Texts of a log and what they mean. The first that fits counts: what came earlier in the boot explains what came later.
const KNOWN: [(&str, Diagnosis); 9] = [
    (
        "ASSERT",
        Diagnosis {
            what: "a debug build of the firmware stopped at an assertion",
            remedy: "take a release build; if that works, report the assertion to its authors",
        },
    ),
    (
        "No RMM image provided",
        Diagnosis {
            what: "the firmware package has no RMM in it",
            remedy: "build TF-A's FIP again and name the RMM's image to it",
        },
    ),
    ("RMM init failed: -2", INTERFACES),
    ("RMM init failed: -6", INTERFACES),
    (
        "RMM init failed: -7",
        Diagnosis {
            what: "the RMM refused what EL3 tells it about the machine's memory",
            remedy: "give the machine the RAM this pair of firmware was built for (3 GiB), or \
                     take releases that pair, as docs/interop.md names them",
        },
    ),
    ("RMM init failed", REFUSED),
    ("Failed to boot up RMM", REFUSED),
    (
        "the RMM speaks RMI",
        Diagnosis {
            what: "the RMM speaks no version of RMI that this hypervisor knows",
            remedy: "take an RMM of 1.0 or one of the 2.0 releases that docs/interop.md names",
        },
    ),
    (
        "no RMM answers RMI_VERSION",
        Diagnosis {
            what: "no RMM answers, and the firmware says nothing about one",
            remedy: "build TF-A with RME enabled and with an RMM in its package",
        },
    ),
];

const INTERFACES: Diagnosis = Diagnosis {
    what: "TF-A and the RMM do not speak the same RMM-EL3 interface",
    remedy: "take releases that pair, as docs/interop.md names them",
};

const REFUSED: Diagnosis = Diagnosis {
    what: "the RMM refused to boot",
    remedy: "take releases of TF-A and the RMM that pair, as docs/interop.md names them",
};

/// What a log that did not end well says.
pub fn of(log: &str) -> Option<Diagnosis> {
    if log.trim().is_empty() {
        return Some(Diagnosis {
            what: "the firmware says nothing at all",
            remedy: "build it for QEMU virt with RME enabled, with a console",
        });
    }
    if log.contains("BL2: ") && !log.contains("BL31: ") {
        return Some(Diagnosis {
            what: "BL2 starts, but nothing after it: the package lacks BL31 or the RMM",
            remedy: "build TF-A's FIP again, with RME enabled, and name the RMM's image to it",
        });
    }
    KNOWN
        .iter()
        .find(|(text, _)| log.contains(text))
        .map(|(_, diagnosis)| *diagnosis)
}

#[cfg(test)]
mod tests {
    use super::of;

    fn what(log: &str) -> &'static str {
        of(log).map_or("", |diagnosis| diagnosis.what)
    }

    #[test]
    fn firmware_without_an_rmm_is_recognised() {
        let log = "NOTICE:  BL31: v2.12\nWARNING: No RMM image provided by BL2 boot loader, \
                   Booting device without RMM\nerror: no RMM answers RMI_VERSION\n";
        assert!(what(log).contains("no RMM in it"));
        let silent = "NOTICE:  BL31: v2.12\nerror: no RMM answers RMI_VERSION: use firmware\n";
        assert!(what(silent).contains("says nothing about one"));
    }

    #[test]
    fn a_package_that_lacks_a_part_is_recognised() {
        assert!(
            what("NOTICE:  BL1: v2.12\nNOTICE:  BL2: v2.12\n").contains("lacks BL31 or the RMM")
        );
    }

    #[test]
    fn an_rmm_that_refuses_its_boot_is_told_by_its_code() {
        assert!(what("ERROR:   RMM init failed: -2\n").contains("interface"));
        assert!(what("ERROR:   RMM init failed: -7\n").contains("memory"));
        assert!(what("ERROR:   RMM init failed: -5\n").contains("refused to boot"));
        assert!(what("WARNING: RMMD: Failed to boot up RMM.\n").contains("refused to boot"));
    }

    #[test]
    fn versions_assertions_and_silence_are_recognised() {
        assert!(what("error: the RMM speaks RMI 3.0 to 3.0, this\n").contains("version"));
        assert!(what("ASSERT: lib/x.c:12\n").contains("assertion"));
        assert!(what(" \n").contains("nothing at all"));
    }

    #[test]
    fn a_log_without_known_words_has_no_diagnosis() {
        assert_eq!(of("NOTICE:  BL31: v2.12\nRealm hello runs\n"), None);
    }
}
