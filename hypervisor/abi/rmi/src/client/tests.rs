use super::*;
use crate::v1_0::Command;
use crate::version::Version;
use addr::{GranuleAddr, Ipa};
use conduit::{Conduit, Regs};
use std::string::ToString;

extern crate std;

/// Answers every call with the same registers.
struct Always([u64; 8]);

impl Conduit for Always {
    fn call(&self, _: Regs) -> Regs {
        Regs(self.0)
    }
}

/// Answers `VERSION` with `.0` and everything else with `.1`.
struct TwoAnswers([u64; 8], [u64; 8]);

impl Conduit for TwoAnswers {
    fn call(&self, regs: Regs) -> Regs {
        match Command::from_fid(regs.fid()) {
            Some(Command::Version) => Regs(self.0),
            _ => Regs(self.1),
        }
    }
}

fn answer(values: &[u64]) -> Rmi<Always> {
    let mut regs = [0; 8];
    regs[..values.len()].copy_from_slice(values);
    Rmi::new(Always(regs))
}

fn granule(raw: u64) -> GranuleAddr {
    GranuleAddr::from_raw(raw).unwrap()
}

const RD: u64 = 0x8000_0000;

#[test]
fn an_rmm_that_speaks_1_0_is_ready() {
    let conduit = TwoAnswers(
        [0, 0x1_0000, 0x1_0001, 0, 0, 0, 0, 0],
        [0, 48, 0, 0, 0, 0, 0, 0],
    );
    let Probe::Ready(session) = Rmi::new(conduit).probe() else {
        panic!("not ready");
    };
    assert_eq!(session.version, Version::V1_0);
    assert_eq!(session.highest, Version::new(1, 1));
    assert_eq!(session.features.fields().s2sz, 48);
}

#[test]
fn an_rmm_of_another_revision_is_named_with_its_range() {
    let probe = answer(&[1, 0x2_0000, 0x2_0001]).probe();
    let text = probe.to_string();
    assert!(text.contains("RMI 2.0 to 2.1"), "{text}");
    assert!(text.contains("wants 1.0"), "{text}");
}

#[test]
fn success_with_a_range_that_does_not_fit_is_a_mismatch() {
    let probe = answer(&[0, 0x2_0000, 0x2_0000]).probe();
    assert!(matches!(probe, Probe::Mismatch { .. }));
}

#[test]
fn no_rmm_and_a_broken_rmm_are_told_apart() {
    assert_eq!(answer(&[u64::MAX]).probe(), Probe::Absent);
    assert!(matches!(
        answer(&[77]).probe(),
        Probe::Broken {
            error: RmiError::Unknown { raw: 77 },
            ..
        }
    ));
}

#[test]
fn features_refused_after_a_good_version_is_broken() {
    let conduit = TwoAnswers([0, 0x1_0000, 0x1_0000, 0, 0, 0, 0, 0], [u64::MAX; 8]);
    assert!(matches!(
        Rmi::new(conduit).probe(),
        Probe::Broken {
            command: Command::Features,
            error: RmiError::NotSupported
        }
    ));
}

#[test]
fn each_status_has_its_error() {
    let cases = [
        (1, RmiError::Input),
        (0x102, RmiError::Realm(1)),
        (3, RmiError::Rec),
        (0x204, RmiError::Rtt { level: 2 }),
        (0xff04, RmiError::Rtt { level: -1 }),
        (u64::MAX, RmiError::NotSupported),
        (13, RmiError::Unknown { raw: 13 }),
        (
            0x404,
            RmiError::Absurd {
                what: Absurd::Level,
                value: 0x404,
            },
        ),
    ];
    for (raw, error) in cases {
        assert_eq!(answer(&[raw]).granule_delegate(granule(RD)), Err(error));
    }
}

#[test]
fn absurd_outputs_are_errors() {
    let base = Ipa::new(0x20_0000);
    let top = Ipa::new(0x40_0000);
    for out in [0, 0x20_0000, 0x20_0800, 0x40_1000, u64::MAX] {
        let result = answer(&[0, out]).rtt_init_ripas(granule(RD), base, top);
        assert_eq!(
            result,
            Err(RmiError::Absurd {
                what: Absurd::Progress,
                value: out
            })
        );
    }
    assert!(answer(&[0, 17]).rec_aux_count(granule(RD)).is_err());
    assert!(answer(&[0, 0x1001]).rtt_fold(granule(RD), base, 3).is_err());
    assert!(
        answer(&[0, 4])
            .rtt_read_entry(granule(RD), base, 3)
            .is_err()
    );
    assert!(
        answer(&[0, 3, 3])
            .rtt_read_entry(granule(RD), base, 3)
            .is_err()
    );
    assert!(
        answer(&[0, 3, 1, 0, 3])
            .rtt_read_entry(granule(RD), base, 3)
            .is_err()
    );
}

#[test]
fn a_top_that_runs_backwards_is_no_place_to_go_on() {
    let ipa = Ipa::new(0x20_0000);
    let blocked = answer(&[0x204, 0, 0x1000]).data_destroy(granule(RD), ipa);
    assert_eq!(
        blocked,
        Err(Blocked {
            error: RmiError::Rtt { level: 2 },
            top: None
        })
    );
    let removed = answer(&[0, 0x9000_0000, 0]).data_destroy(granule(RD), ipa);
    assert_eq!(
        removed,
        Ok(Removed {
            granule: granule(0x9000_0000),
            top: Ipa::new(0x20_1000)
        })
    );
}

#[test]
fn a_hole_is_skipped_to_where_the_rmm_says() {
    let blocked = answer(&[0x204, 0, 0x4000_0000]).data_destroy(granule(RD), Ipa::new(0));
    assert_eq!(
        blocked,
        Err(Blocked {
            error: RmiError::Rtt { level: 2 },
            top: Some(Ipa::new(0x4000_0000))
        })
    );
}

#[test]
fn calls_are_counted_by_name() {
    let rmi = answer(&[0]);
    rmi.granule_delegate(granule(RD)).unwrap();
    rmi.granule_delegate(granule(RD)).unwrap();
    rmi.rec_destroy(granule(RD)).unwrap();
    let total = Calls::new();
    total.absorb(rmi.calls());
    total.absorb(rmi.calls());
    let counted: std::vec::Vec<_> = total.iter().collect();
    assert_eq!(counted, [("GRANULE_DELEGATE", 4), ("REC_DESTROY", 2)]);
    assert_eq!(rmi.calls().total(), 3);
}

#[test]
fn arguments_stand_in_the_registers_of_the_specification() {
    /// Succeeds only on exactly these registers.
    struct Expect([u64; 6]);
    impl Conduit for Expect {
        fn call(&self, regs: Regs) -> Regs {
            assert_eq!(regs.0[..6], self.0);
            Regs::default()
        }
    }
    let fid = |command: Command| u64::from(command.fid());
    let rmi = Rmi::new(Expect([
        fid(Command::DataCreate),
        RD,
        0x1000,
        0x2000,
        0x3000,
        1,
    ]));
    let (data, source) = (granule(0x1000), granule(0x3000));
    rmi.data_create(
        granule(RD),
        data,
        Ipa::new(0x2000),
        source,
        Contents::Measured,
    )
    .unwrap();
    let rmi = Rmi::new(Expect([
        fid(Command::PsciComplete),
        RD,
        0x1000,
        -3i64 as u64,
        0,
        0,
    ]));
    rmi.psci_complete(granule(RD), granule(0x1000), PsciAnswer::Denied)
        .unwrap();
    let rmi = Rmi::new(Expect([
        fid(Command::RttCreate),
        RD,
        0x1000,
        0x20_0000,
        3,
        0,
    ]));
    rmi.rtt_create(granule(RD), granule(0x1000), Ipa::new(0x20_0000), 3)
        .unwrap();
}
