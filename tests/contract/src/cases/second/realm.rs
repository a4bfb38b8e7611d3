//! Realms: parameters, states, the end.

use super::{INPUT, OK, REALM, g, r, rtt_level};
use crate::case::{
    Arg, CODE_IPA, Fixture, HOST, Program, RD, REALM_PARAMS, REC, REC_PARAMS, RUN, RmiCase, SOURCE,
    SPARE, START, Step, TABLE, delegated,
};
use Fixture::{Active, Bare, Granules, New, WithRec};
use Step::{Call2, Poke};
use core::mem::offset_of;
use rmi::v2_0::Command::{
    RealmActivate, RealmCreate, RealmDestroy, RealmTerminate, RecCreate, RecEnter, RttCreate,
    RttDataMap, RttDataMapInit, RttDestroy, RttFold, RttInitRipas, RttReadEntry,
};
use rmi::v2_0::RealmParams;

const CREATE: &[Arg] = &[g(RD), g(REALM_PARAMS)];

/// A Realm with one parameter changed is refused, and without the change it is
/// not.
macro_rules! refused {
    ($name:literal, $field:ident = $value:expr, not $usual:expr) => {
        RmiCase {
            name: $name,
            fixture: Granules,
            steps: &[
                Poke(REALM_PARAMS, offset_of!(RealmParams, $field) as u64, $value),
                Call2(RealmCreate, CREATE, INPUT, &[]),
                Poke(REALM_PARAMS, offset_of!(RealmParams, $field) as u64, $usual),
                Call2(RealmCreate, CREATE, OK, &[]),
            ],
        }
    };
}

pub(super) const CASES: &[RmiCase] = &[
    RmiCase {
        name: "a Realm is created once, of delegated granules",
        fixture: Granules,
        steps: &[
            Call2(RealmCreate, &[g(HOST), g(REALM_PARAMS)], INPUT, &[]),
            Call2(RealmCreate, CREATE, OK, &[]),
            Call2(RealmCreate, CREATE, INPUT, &[]),
            Call2(RealmCreate, &[g(SPARE), g(REALM_PARAMS)], INPUT, &[]),
        ],
    },
    refused!("a Realm's flags are those announced", flags0 = r(1 << 1), not r(0)),
    refused!("a Realm has no planes", num_aux_planes = r(1), not r(0)),
    refused!("a Realm's hash is one that exists", hash_algo = r(3), not r(0)),
    refused!("a Realm has a breakpoint", num_bps = r(0), not r(1)),
    refused!("a Realm's address space is no wider than told", s2sz = r(60), not r(33)),
    refused!(
        "a Realm's start tables begin where a table of their size would",
        rtt_base = Arg::At(START, 0x1000), not g(START)
    ),
    refused!("a Realm's start tables are as many as its space wants", rtt_num_start = r(4), not r(8)),
    RmiCase {
        name: "a hash of 384 bits is served",
        fixture: Granules,
        steps: &[
            Poke(
                REALM_PARAMS,
                offset_of!(RealmParams, hash_algo) as u64,
                r(2),
            ),
            Call2(RealmCreate, CREATE, OK, &[]),
        ],
    },
    RmiCase {
        name: "a Realm is activated once",
        fixture: New,
        steps: &[
            Call2(RealmActivate, &[g(RD)], OK, &[]),
            Call2(RealmActivate, &[g(RD)], REALM, &[]),
            Call2(RealmActivate, &[g(SPARE)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "what is measured ends with activation",
        fixture: Active(Program::ReadRam),
        steps: &[
            Call2(RttInitRipas, &[g(RD), r(0x4000), r(0x5000)], REALM, &[]),
            Call2(
                RttDataMapInit,
                &[g(RD), g(SPARE), r(0x4000), g(SOURCE), r(1)],
                REALM,
                &[],
            ),
        ],
    },
    RmiCase {
        name: "a Realm is ended before it is destroyed",
        fixture: Bare,
        steps: &[
            Call2(RealmDestroy, &[g(RD)], REALM, &[]),
            Call2(RealmTerminate, &[g(RD)], OK, &[]),
            Call2(RealmTerminate, &[g(RD)], OK, &[]),
            Call2(RealmDestroy, &[g(RD)], OK, &[]),
            Call2(RealmTerminate, &[g(RD)], INPUT, &[]),
            Call2(RealmDestroy, &[g(RD)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "a Realm with tables or RECs is not destroyed",
        fixture: WithRec,
        steps: &[
            Call2(RealmTerminate, &[g(RD)], OK, &[]),
            Call2(RealmDestroy, &[g(RD)], REALM, &[]),
        ],
    },
    RmiCase {
        name: "a Realm that was ended runs no more and gets nothing more",
        fixture: Active(Program::ReadRam),
        steps: &[
            Call2(RealmTerminate, &[g(RD)], OK, &[]),
            Call2(RecEnter, &[g(REC), g(RUN)], REALM, &[]),
            Call2(RealmActivate, &[g(RD)], REALM, &[]),
            Call2(
                RttDataMap,
                &[g(RD), r(0x4000), r(0x5000), r(1), delegated(SPARE, 1)],
                REALM,
                &[],
            ),
        ],
    },
    RmiCase {
        name: "a Realm that is not active runs no REC",
        fixture: WithRec,
        steps: &[Call2(RecEnter, &[g(REC), g(RUN)], REALM, &[])],
    },
    RmiCase {
        name: "a table has one place, and one granule",
        fixture: New,
        steps: &[
            Call2(RttCreate, &[g(RD), g(SPARE), r(0), r(3)], rtt_level(2), &[]),
            Call2(RttCreate, &[g(RD), g(SPARE), r(0x1000), r(3)], INPUT, &[]),
            Call2(RttCreate, &[g(RD), g(SPARE), r(0), r(2)], INPUT, &[]),
            Call2(RttCreate, &[g(RD), g(SPARE), r(0), r(4)], INPUT, &[]),
            Call2(RttCreate, &[g(RD), g(HOST), r(0x20_0000), r(3)], INPUT, &[]),
            Call2(
                RttCreate,
                &[g(RD), g(TABLE), r(0x20_0000), r(3)],
                INPUT,
                &[],
            ),
            Call2(RttCreate, &[g(RD), g(SPARE), r(0x20_0000), r(3)], OK, &[]),
            Call2(
                RttDestroy,
                &[g(RD), r(0x20_0000), r(3)],
                OK,
                &[(1, g(SPARE))],
            ),
        ],
    },
    RmiCase {
        name: "a table whose entries differ is not folded, one of nothing is",
        fixture: New,
        steps: &[
            Call2(RttFold, &[g(RD), r(0), r(3)], rtt_level(3), &[]),
            Call2(RttCreate, &[g(RD), g(SPARE), r(0x20_0000), r(3)], OK, &[]),
            Call2(RttFold, &[g(RD), r(0x20_0000), r(3)], OK, &[(1, g(SPARE))]),
            Call2(RttFold, &[g(RD), r(0x20_0000), r(3)], rtt_level(2), &[]),
        ],
    },
    RmiCase {
        name: "an entry is read with its level, state and RIPAS",
        fixture: New,
        steps: &[
            Call2(
                RttReadEntry,
                &[g(RD), r(CODE_IPA), r(3)],
                OK,
                &[(1, r(3)), (2, r(1)), (4, r(1))],
            ),
            Call2(
                RttReadEntry,
                &[g(RD), r(0x20_0000), r(3)],
                OK,
                &[(1, r(2)), (2, r(0)), (4, r(0))],
            ),
            Call2(
                RttReadEntry,
                &[g(RD), r(0), r(2)],
                OK,
                &[(1, r(2)), (2, r(2)), (3, g(TABLE))],
            ),
            Call2(RttReadEntry, &[g(RD), r(0x1000), r(2)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "a REC is no Realm, and a Realm no REC",
        fixture: WithRec,
        steps: &[
            Call2(RealmTerminate, &[g(REC)], INPUT, &[]),
            Call2(RecEnter, &[g(RD), g(RUN)], INPUT, &[]),
            Call2(RecCreate, &[g(REC), g(SPARE), g(REC_PARAMS)], INPUT, &[]),
        ],
    },
];
