//! Version, features, delegation by range, and calls that do not exist.

use super::{INPUT, OK, g, r};
use crate::case::{
    Arg, Fixture, HOST, HOST2, RD, REALM_PARAMS, RmiCase, SPARE, START, Step, TABLE,
};
use Fixture::{Granules, New, Nothing};
use Step::{Call2, Fid, Peek, Poke};
use rmi::status::Status as Old;
use rmi::v2_0::Command::{
    Features, GptL1Create, GranuleRangeDelegate as Delegate, GranuleRangeUndelegate as Undelegate,
    GranuleTrackingGet, RealmCreate, RmmActivate, RmmConfigGet, RmmConfigSet, Version,
};
use rmi::v2_0::Status;

const PAGE: u64 = 0x1000;

const fn end(slot: crate::case::Slot) -> Arg {
    Arg::At(slot, PAGE)
}

pub(super) const CASES: &[RmiCase] = &[
    RmiCase {
        name: "version 2.0 is served",
        fixture: Nothing,
        steps: &[Call2(Version, &[r(0x2_0000)], OK, &[(1, r(0x2_0000))])],
    },
    RmiCase {
        name: "a version that is not served is refused, and 2.0 named",
        fixture: Nothing,
        steps: &[
            Call2(
                Version,
                &[r(0x1_0000)],
                INPUT,
                &[(1, r(0x2_0000)), (2, r(0x2_0000))],
            ),
            Call2(Version, &[r(0)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "feature registers that nobody has defined read as zero",
        fixture: Nothing,
        steps: &[
            Call2(Features, &[r(5)], OK, &[(1, r(0))]),
            Call2(Features, &[r(u64::MAX)], OK, &[(1, r(0))]),
        ],
    },
    RmiCase {
        name: "commands of RMI 1.0 that have gone are not implemented",
        fixture: Nothing,
        steps: &[
            Fid(0xc400_0151, &[g(HOST)], Old::NotSupported),
            Fid(0xc400_0154, &[], Old::NotSupported),
            Fid(0xc400_0155, &[], Old::NotSupported),
            Fid(0xc400_0167, &[], Old::NotSupported),
            Fid(0xc400_02cf, &[], Old::NotSupported),
        ],
    },
    RmiCase {
        name: "an RMM is configured before it is activated, and activated once",
        fixture: Nothing,
        steps: &[
            Call2(RmmActivate, &[], Status::ErrorGlobal, &[]),
            Call2(RmmConfigSet, &[g(HOST)], Status::ErrorGlobal, &[]),
            Poke(HOST, 0, r(7)),
            Call2(RmmConfigGet, &[g(HOST)], OK, &[]),
            Peek(HOST, 0, u64::MAX, 0),
            Call2(RmmConfigGet, &[Arg::At(HOST, 8)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "the tables of granule protection are the platform's",
        fixture: Nothing,
        steps: &[Call2(GptL1Create, &[r(0)], Status::ErrorGpt, &[])],
    },
    RmiCase {
        name: "memory is tracked granule by granule",
        fixture: Nothing,
        steps: &[
            Call2(
                GranuleTrackingGet,
                &[g(HOST), end(HOST)],
                OK,
                &[(1, r(0)), (2, r(2))],
            ),
            Call2(GranuleTrackingGet, &[end(HOST), g(HOST)], INPUT, &[]),
            Call2(
                GranuleTrackingGet,
                &[r(0x0900_0000), r(0x0900_1000)],
                OK,
                &[(2, r(0))],
            ),
        ],
    },
    RmiCase {
        name: "granules go to the Realm world and come back",
        fixture: Nothing,
        steps: &[
            Call2(Delegate, &[g(HOST), end(HOST2)], OK, &[(1, end(HOST2))]),
            Call2(Undelegate, &[g(HOST), end(HOST2)], OK, &[(1, end(HOST2))]),
            Call2(Delegate, &[g(HOST), end(HOST)], OK, &[(1, end(HOST))]),
            Call2(Undelegate, &[g(HOST), end(HOST)], OK, &[(1, end(HOST))]),
        ],
    },
    RmiCase {
        name: "nothing of the host's comes back with a granule",
        fixture: Nothing,
        steps: &[
            Poke(HOST, 0, r(0x005e_c2e7)),
            Poke(HOST, 0xff8, r(0x005e_c2e7)),
            Call2(Delegate, &[g(HOST), end(HOST)], OK, &[]),
            Call2(Undelegate, &[g(HOST), end(HOST)], OK, &[]),
            Peek(HOST, 0, u64::MAX, 0),
            Peek(HOST, 0xff8, u64::MAX, 0),
        ],
    },
    RmiCase {
        name: "a range ends where a granule is what it should not be",
        fixture: Nothing,
        steps: &[
            Call2(Delegate, &[g(HOST2), end(HOST2)], OK, &[]),
            Call2(Delegate, &[g(HOST), end(HOST2)], OK, &[(1, g(HOST2))]),
            Call2(Delegate, &[g(HOST2), end(HOST2)], INPUT, &[(1, g(HOST2))]),
            Call2(Undelegate, &[g(HOST), end(HOST)], OK, &[]),
            Call2(Undelegate, &[g(HOST), end(HOST2)], INPUT, &[(1, g(HOST))]),
            Call2(Undelegate, &[g(HOST2), end(HOST2)], OK, &[]),
        ],
    },
    RmiCase {
        name: "a range has granules, and its end behind its beginning",
        fixture: Nothing,
        steps: &[
            Call2(Delegate, &[g(HOST), g(HOST)], INPUT, &[]),
            Call2(Delegate, &[g(HOST2), g(HOST)], INPUT, &[]),
            Call2(Delegate, &[Arg::At(HOST, 8), end(HOST)], INPUT, &[]),
            Call2(Delegate, &[g(HOST), Arg::At(HOST, 0x800)], INPUT, &[]),
            Call2(Undelegate, &[g(HOST), g(HOST)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "memory that is not RAM, or the RMM's, is not the host's to give",
        fixture: Nothing,
        steps: &[
            Call2(Delegate, &[r(0x0900_0000), r(0x0900_1000)], INPUT, &[]),
            Call2(Delegate, &[r(0), r(PAGE)], INPUT, &[]),
            Call2(Delegate, &[r(0x4010_0000), r(0x4010_1000)], INPUT, &[]),
            Call2(Undelegate, &[r(0x4010_0000), r(0x4010_1000)], INPUT, &[]),
            Call2(
                Delegate,
                &[r(0xffff_ffff_ffff_e000), r(0xffff_ffff_ffff_f000)],
                INPUT,
                &[],
            ),
        ],
    },
    RmiCase {
        name: "a granule in use cannot be undelegated or delegated",
        fixture: New,
        steps: &[
            Call2(Undelegate, &[g(RD), end(RD)], INPUT, &[]),
            Call2(Undelegate, &[g(START), end(START)], INPUT, &[]),
            Call2(Undelegate, &[g(TABLE), end(TABLE)], INPUT, &[]),
            Call2(Delegate, &[g(RD), end(RD)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "what is delegated is no page of parameters",
        fixture: Granules,
        steps: &[
            Call2(RealmCreate, &[g(RD), g(SPARE)], INPUT, &[]),
            Call2(RealmCreate, &[g(RD), Arg::At(REALM_PARAMS, 8)], INPUT, &[]),
        ],
    },
];
