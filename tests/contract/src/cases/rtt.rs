//! Tables and data.

use super::{INPUT, OK, g, r, realm_state, rtt_level};
use crate::case::{
    Arg, CODE, CODE_IPA, EMPTY_IPA, Fixture, HOST, RAM_IPA, RD, REC, RmiCase, SHARED, SOURCE,
    SPARE, SPARE2, Step, TABLE,
};
use Fixture::{Bare, New};
use Step::{Call, Peek};
use rmi::v1_0::Command::{
    DataCreate, DataCreateUnknown, DataDestroy, GranuleDelegate, GranuleUndelegate, RealmActivate,
    RttCreate, RttDestroy, RttFold, RttInitRipas, RttReadEntry,
};

const MIB2: u64 = 0x20_0000;
const GIB: u64 = 0x4000_0000;

pub(super) const CASES: &[RmiCase] = &[
    RmiCase {
        name: "a table is created once and destroyed",
        fixture: Bare,
        steps: &[
            Call(RttCreate, &[g(RD), g(SPARE), r(0), r(3)], OK, &[]),
            Call(
                RttCreate,
                &[g(RD), g(SPARE2), r(0), r(3)],
                rtt_level(2),
                &[],
            ),
            Call(
                RttDestroy,
                &[g(RD), r(0), r(3)],
                OK,
                &[(1, g(SPARE)), (2, r(GIB))],
            ),
            Call(RttDestroy, &[g(RD), r(0), r(3)], rtt_level(2), &[]),
            Call(GranuleUndelegate, &[g(SPARE)], OK, &[]),
        ],
    },
    RmiCase {
        name: "a table has a level and a place",
        fixture: Bare,
        steps: &[
            Call(RttCreate, &[g(RD), g(SPARE), r(0x1000), r(3)], INPUT, &[]),
            Call(RttCreate, &[g(RD), g(SPARE), r(0), r(2)], INPUT, &[]),
            Call(RttCreate, &[g(RD), g(SPARE), r(0), r(4)], INPUT, &[]),
            Call(RttCreate, &[g(RD), g(SPARE), r(0), r(u64::MAX)], INPUT, &[]),
            Call(RttCreate, &[g(RD), g(SPARE), r(1 << 33), r(3)], INPUT, &[]),
            Call(RttCreate, &[g(RD), g(SPARE), r(1 << 63), r(3)], INPUT, &[]),
            Call(RttCreate, &[g(RD), g(HOST), r(0), r(3)], INPUT, &[]),
            Call(RttCreate, &[g(RD), g(RD), r(0), r(3)], INPUT, &[]),
            Call(RttCreate, &[g(SPARE), g(SPARE2), r(0), r(3)], INPUT, &[]),
            Call(RttDestroy, &[g(RD), r(MIB2 / 2), r(3)], INPUT, &[]),
            Call(RttDestroy, &[g(RD), r(0), r(2)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "a table that has data is not destroyed",
        fixture: New,
        steps: &[Call(
            RttDestroy,
            &[g(RD), r(0), r(3)],
            rtt_level(3),
            &[(2, r(0))],
        )],
    },
    RmiCase {
        name: "a table without data goes and what it covered is destroyed",
        fixture: New,
        steps: &[
            Call(
                DataDestroy,
                &[g(RD), r(CODE_IPA)],
                OK,
                &[(1, g(CODE)), (2, r(MIB2))],
            ),
            Call(RttDestroy, &[g(RD), r(0), r(3)], OK, &[(1, g(TABLE))]),
            Call(
                RttReadEntry,
                &[g(RD), r(0), r(3)],
                OK,
                &[(1, r(2)), (2, r(0)), (4, r(2))],
            ),
        ],
    },
    RmiCase {
        name: "entries read as what they are",
        fixture: New,
        steps: &[
            Call(
                RttReadEntry,
                &[g(RD), r(0), r(2)],
                OK,
                &[(1, r(2)), (2, r(2)), (3, g(TABLE)), (4, r(0))],
            ),
            Call(
                RttReadEntry,
                &[g(RD), r(CODE_IPA), r(3)],
                OK,
                &[(1, r(3)), (2, r(1)), (3, g(CODE)), (4, r(1))],
            ),
            Call(
                RttReadEntry,
                &[g(RD), r(RAM_IPA), r(3)],
                OK,
                &[(1, r(3)), (2, r(0)), (3, r(0)), (4, r(1))],
            ),
            Call(
                RttReadEntry,
                &[g(RD), r(EMPTY_IPA), r(3)],
                OK,
                &[(1, r(3)), (2, r(0)), (3, r(0)), (4, r(0))],
            ),
            Call(
                RttReadEntry,
                &[g(RD), r(GIB), r(3)],
                OK,
                &[(1, r(2)), (2, r(0)), (3, r(0)), (4, r(0))],
            ),
            Call(
                RttReadEntry,
                &[g(RD), r(SHARED), r(3)],
                OK,
                &[(1, r(3)), (2, r(0)), (3, r(0)), (4, r(0))],
            ),
        ],
    },
    RmiCase {
        name: "an entry has a level and a place",
        fixture: New,
        steps: &[
            Call(RttReadEntry, &[g(RD), r(1), r(3)], INPUT, &[]),
            Call(RttReadEntry, &[g(RD), r(0x1000), r(2)], INPUT, &[]),
            Call(RttReadEntry, &[g(RD), r(0), r(1)], INPUT, &[]),
            Call(RttReadEntry, &[g(RD), r(0), r(4)], INPUT, &[]),
            Call(RttReadEntry, &[g(RD), r(1 << 33), r(3)], INPUT, &[]),
            Call(RttReadEntry, &[g(SPARE), r(0), r(3)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "data needs a table, a free entry and the protected half",
        fixture: New,
        steps: &[
            Call(
                DataCreate,
                &[g(RD), g(SPARE), r(MIB2), g(SOURCE), r(1)],
                rtt_level(2),
                &[],
            ),
            Call(
                DataCreate,
                &[g(RD), g(SPARE), r(CODE_IPA), g(SOURCE), r(1)],
                rtt_level(3),
                &[],
            ),
            Call(
                DataCreate,
                &[g(RD), g(SPARE), r(SHARED), g(SOURCE), r(1)],
                INPUT,
                &[],
            ),
            Call(
                DataCreate,
                &[g(RD), g(SPARE), r(RAM_IPA + 8), g(SOURCE), r(1)],
                INPUT,
                &[],
            ),
            Call(
                DataCreate,
                &[g(RD), g(SPARE), r(RAM_IPA), g(SOURCE), r(2)],
                INPUT,
                &[],
            ),
            Call(
                DataCreateUnknown,
                &[g(RD), g(SPARE), r(CODE_IPA)],
                rtt_level(3),
                &[],
            ),
            Call(DataCreateUnknown, &[g(RD), g(SPARE), r(SHARED)], INPUT, &[]),
            Call(GranuleUndelegate, &[g(SPARE)], OK, &[]),
        ],
    },
    RmiCase {
        name: "a source that is not the host's is refused and leaves nothing",
        fixture: New,
        steps: &[
            Call(
                DataCreate,
                &[g(RD), g(SPARE), r(RAM_IPA), g(SPARE2), r(1)],
                INPUT,
                &[],
            ),
            Call(
                DataCreate,
                &[g(RD), g(SPARE), r(RAM_IPA), r(0x4010_0000), r(1)],
                INPUT,
                &[],
            ),
            Call(
                DataCreate,
                &[g(RD), g(SPARE), r(RAM_IPA), r(0x0900_0000), r(1)],
                INPUT,
                &[],
            ),
            Call(GranuleUndelegate, &[g(SPARE)], OK, &[]),
            Peek(SPARE, 0, u64::MAX, 0),
        ],
    },
    RmiCase {
        name: "data comes back scrubbed",
        fixture: New,
        steps: &[
            Call(DataDestroy, &[g(RD), r(CODE_IPA)], OK, &[(1, g(CODE))]),
            Call(GranuleUndelegate, &[g(CODE)], OK, &[]),
            Peek(CODE, 0, u64::MAX, 0),
            Peek(CODE, 0x800, u64::MAX, 0),
        ],
    },
    RmiCase {
        name: "where there is no data, the host is told where to go on",
        fixture: New,
        steps: &[
            Call(
                DataDestroy,
                &[g(RD), r(RAM_IPA)],
                rtt_level(3),
                &[(2, r(MIB2))],
            ),
            Call(DataDestroy, &[g(RD), r(MIB2)], rtt_level(2), &[(2, r(GIB))]),
            Call(DataDestroy, &[g(RD), r(SHARED)], INPUT, &[(2, r(0))]),
            Call(DataDestroy, &[g(RD), r(RAM_IPA + 1)], INPUT, &[(2, r(0))]),
            Call(DataDestroy, &[g(REC), r(0)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "destroyed memory does not become RAM by being populated",
        fixture: New,
        steps: &[
            Call(DataDestroy, &[g(RD), r(CODE_IPA)], OK, &[]),
            Call(DataCreateUnknown, &[g(RD), g(SPARE), r(CODE_IPA)], OK, &[]),
            Call(
                RttReadEntry,
                &[g(RD), r(CODE_IPA), r(3)],
                OK,
                &[(2, r(1)), (4, r(2))],
            ),
        ],
    },
    RmiCase {
        name: "an empty table folds into an empty entry",
        fixture: Bare,
        steps: &[
            Call(RttCreate, &[g(RD), g(SPARE), r(MIB2), r(3)], OK, &[]),
            Call(RttFold, &[g(RD), r(MIB2), r(3)], OK, &[(1, g(SPARE))]),
            Call(
                RttReadEntry,
                &[g(RD), r(MIB2), r(3)],
                OK,
                &[(1, r(2)), (2, r(0)), (4, r(0))],
            ),
            Call(RttFold, &[g(RD), r(MIB2), r(3)], rtt_level(2), &[]),
            Call(GranuleUndelegate, &[g(SPARE)], OK, &[]),
        ],
    },
    RmiCase {
        name: "a table of RAM folds into RAM and unfolds again",
        fixture: Bare,
        steps: &[
            Call(RttCreate, &[g(RD), g(SPARE), r(0), r(3)], OK, &[]),
            Call(RttInitRipas, &[g(RD), r(0), r(MIB2)], OK, &[(1, r(MIB2))]),
            Call(RttFold, &[g(RD), r(0), r(3)], OK, &[(1, g(SPARE))]),
            Call(
                RttReadEntry,
                &[g(RD), r(0), r(2)],
                OK,
                &[(1, r(2)), (2, r(0)), (4, r(1))],
            ),
            Call(RttCreate, &[g(RD), g(SPARE), r(0), r(3)], OK, &[]),
            Call(
                RttReadEntry,
                &[g(RD), r(MIB2 - 0x1000), r(3)],
                OK,
                &[(1, r(3)), (2, r(0)), (4, r(1))],
            ),
        ],
    },
    RmiCase {
        name: "a mixed table does not fold",
        fixture: New,
        steps: &[
            Call(RttFold, &[g(RD), r(0), r(3)], rtt_level(3), &[]),
            Call(RttFold, &[g(RD), r(0x1000), r(3)], INPUT, &[]),
            Call(RttFold, &[g(RD), r(0), r(2)], INPUT, &[]),
            Call(RttFold, &[g(RD), r(1 << 33), r(3)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "an active Realm's memory is populated but not chosen",
        fixture: New,
        steps: &[
            Call(RealmActivate, &[g(RD)], OK, &[]),
            Call(DataCreateUnknown, &[g(RD), g(SPARE), r(RAM_IPA)], OK, &[]),
            Call(
                DataCreate,
                &[g(RD), g(SPARE2), r(0x3000), g(SOURCE), r(0)],
                realm_state(0),
                &[],
            ),
        ],
    },
    RmiCase {
        name: "a table made of another Realm's descriptor is refused",
        fixture: New,
        steps: &[
            Call(GranuleDelegate, &[g(HOST)], OK, &[]),
            Call(RttCreate, &[g(RD), g(CODE), r(MIB2), r(3)], INPUT, &[]),
            Call(RttCreate, &[g(RD), g(TABLE), r(MIB2), r(3)], INPUT, &[]),
            Call(
                RttCreate,
                &[g(RD), Arg::At(HOST, 8), r(MIB2), r(3)],
                INPUT,
                &[],
            ),
        ],
    },
];
