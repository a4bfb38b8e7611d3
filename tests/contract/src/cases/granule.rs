//! Version, features, delegation, and calls that do not exist.

use super::{INPUT, OK, g, r};
use crate::case::{Arg, Fixture, HOST, RD, REALM_PARAMS, REC, RmiCase, SPARE, START, Step, TABLE};
use Fixture::{Granules, New, Nothing};
use Step::{Call, Fid, Peek, Poke};
use rmi::status::Status;
use rmi::v1_0::Command::{
    Features, GranuleDelegate as Delegate, GranuleUndelegate as Undelegate, Version,
};

pub(super) const CASES: &[RmiCase] = &[
    RmiCase {
        name: "version 1.0 is served",
        fixture: Nothing,
        steps: &[Call(Version, &[r(0x1_0000)], OK, &[(1, r(0x1_0000))])],
    },
    RmiCase {
        name: "a version that is not served is refused",
        fixture: Nothing,
        steps: &[
            Call(Version, &[r(0x7fff_0000)], INPUT, &[]),
            Call(Version, &[r(0)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "feature registers that nobody has defined read as zero",
        fixture: Nothing,
        steps: &[
            Call(Features, &[r(1)], OK, &[(1, r(0))]),
            Call(Features, &[r(u64::MAX)], OK, &[(1, r(0))]),
        ],
    },
    RmiCase {
        name: "numbers that were never allocated are not implemented",
        fixture: Nothing,
        steps: &[
            Fid(0xc400_0156, &[], Status::NotSupported),
            Fid(0xc400_0160, &[], Status::NotSupported),
            Fid(0xc400_0163, &[], Status::NotSupported),
        ],
    },
    RmiCase {
        name: "the hint that no SVE state is live changes nothing",
        fixture: Nothing,
        steps: &[Fid(0xc401_0150, &[r(0x1_0000)], OK)],
    },
    RmiCase {
        name: "a granule goes to the Realm world and comes back",
        fixture: Nothing,
        steps: &[
            Call(Delegate, &[g(HOST)], OK, &[]),
            Call(Undelegate, &[g(HOST)], OK, &[]),
            Call(Delegate, &[g(HOST)], OK, &[]),
            Call(Undelegate, &[g(HOST)], OK, &[]),
        ],
    },
    RmiCase {
        name: "nothing of the host's comes back with a granule",
        fixture: Nothing,
        steps: &[
            Poke(HOST, 0, r(0x005e_c2e7)),
            Poke(HOST, 0xff8, r(0x005e_c2e7)),
            Call(Delegate, &[g(HOST)], OK, &[]),
            Call(Undelegate, &[g(HOST)], OK, &[]),
            Peek(HOST, 0, u64::MAX, 0),
            Peek(HOST, 0xff8, u64::MAX, 0),
        ],
    },
    RmiCase {
        name: "a granule is delegated once",
        fixture: Nothing,
        steps: &[
            Call(Delegate, &[g(HOST)], OK, &[]),
            Call(Delegate, &[g(HOST)], INPUT, &[]),
            Call(Undelegate, &[g(HOST)], OK, &[]),
        ],
    },
    RmiCase {
        name: "the host's own granule cannot be undelegated",
        fixture: Nothing,
        steps: &[Call(Undelegate, &[g(HOST)], INPUT, &[])],
    },
    RmiCase {
        name: "an address that is not a granule's is refused",
        fixture: Nothing,
        steps: &[
            Call(Delegate, &[Arg::At(HOST, 1)], INPUT, &[]),
            Call(Delegate, &[Arg::At(HOST, 0x800)], INPUT, &[]),
            Call(Undelegate, &[Arg::At(HOST, 8)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "an address that is not RAM is refused",
        fixture: Nothing,
        steps: &[
            Call(Delegate, &[r(0x0900_0000)], INPUT, &[]),
            Call(Delegate, &[r(0)], INPUT, &[]),
            Call(Delegate, &[r(0x000f_ffff_ffff_f000)], INPUT, &[]),
            Call(Delegate, &[r(0xffff_ffff_ffff_f000)], INPUT, &[]),
            Call(Undelegate, &[r(0x0900_0000)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "the memory of the RMM is not the host's to give or take",
        fixture: Nothing,
        steps: &[
            Call(Delegate, &[r(0x4010_0000)], INPUT, &[]),
            Call(Undelegate, &[r(0x4010_0000)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "a granule in use cannot be undelegated or delegated",
        fixture: New,
        steps: &[
            Call(Undelegate, &[g(RD)], INPUT, &[]),
            Call(Undelegate, &[g(START)], INPUT, &[]),
            Call(Undelegate, &[g(TABLE)], INPUT, &[]),
            Call(Delegate, &[g(RD)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "what is delegated is no page of parameters",
        fixture: Granules,
        steps: &[
            Call(
                rmi::v1_0::Command::RealmCreate,
                &[g(RD), g(SPARE)],
                INPUT,
                &[],
            ),
            Call(
                rmi::v1_0::Command::RealmCreate,
                &[g(REC), Arg::At(REALM_PARAMS, 8)],
                INPUT,
                &[],
            ),
        ],
    },
];
