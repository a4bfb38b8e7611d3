//! Realms: parameters, states, destruction.

use super::{INPUT, OK, g, r, realm_state};
use crate::case::{
    Arg, CODE, Fixture, HOST, HOST2, Program, RD, REALM_PARAMS, REC, RmiCase, SOURCE, SPARE,
    SPARE2, START, Step, TABLE,
};
use Fixture::{Active, Bare, Granules, New, Nothing, WithRec};
use Step::{Call, Poke};
use core::mem::offset_of;
use rmi::v1_0::Command::{
    DataCreate, GranuleDelegate, GranuleUndelegate, RealmActivate, RealmCreate, RealmDestroy,
    RecAuxCount, RttInitRipas,
};
use rmi::v1_0::RealmParams;

/// A Realm with one parameter changed is refused.
macro_rules! refused {
    ($name:literal, $($field:ident = $value:expr),+) => {
        RmiCase {
            name: $name,
            fixture: Granules,
            steps: &[
                $(Poke(
                    REALM_PARAMS,
                    offset_of!(RealmParams, $field) as u64,
                    $value,
                ),)+
                Call(RealmCreate, &[g(RD), g(REALM_PARAMS)], INPUT, &[]),
                // Nothing was taken: everything can still be given back.
                Call(GranuleUndelegate, &[g(RD)], OK, &[]),
                Call(GranuleUndelegate, &[g(START)], OK, &[]),
            ],
        }
    };
}

pub(super) const CASES: &[RmiCase] = &[
    RmiCase {
        name: "a Realm is created and destroyed",
        fixture: Granules,
        steps: &[
            Call(RealmCreate, &[g(RD), g(REALM_PARAMS)], OK, &[]),
            Call(RealmDestroy, &[g(RD)], OK, &[]),
            Call(GranuleUndelegate, &[g(RD)], OK, &[]),
            Call(GranuleUndelegate, &[g(START)], OK, &[]),
        ],
    },
    refused!("a Realm of 31 bits is refused", s2sz = r(31)),
    refused!("a Realm of 49 bits without LPA2 is refused", s2sz = r(49)),
    refused!("a Realm of 255 bits is refused", s2sz = r(255)),
    refused!("a Realm without breakpoints is refused", num_bps = r(0)),
    refused!("a Realm without watchpoints is refused", num_wps = r(0)),
    refused!(
        "more breakpoints than there are are refused",
        num_bps = r(63)
    ),
    refused!("a hash nobody has defined is refused", hash_algo = r(0xff)),
    refused!("a start level of 3 is refused", rtt_level_start = r(3)),
    refused!("a start level of 4 is refused", rtt_level_start = r(4)),
    refused!(
        "a start level below zero is refused without LPA2",
        rtt_level_start = r(u64::MAX)
    ),
    refused!(
        "a start level that does not fit is refused",
        rtt_level_start = r(0)
    ),
    refused!("too few start tables are refused", rtt_num_start = r(4)),
    refused!("too many start tables are refused", rtt_num_start = r(16)),
    refused!("no start tables at all are refused", rtt_num_start = r(0)),
    refused!(
        "a wealth of start tables is refused",
        rtt_num_start = r(0xffff_ffff)
    ),
    refused!(
        "a start table that is no granule is refused",
        rtt_base = Arg::At(START, 8)
    ),
    refused!(
        "start tables outside RAM are refused",
        rtt_base = r(0x0900_0000)
    ),
    refused!(
        "start tables at the end of the address space are refused",
        rtt_base = r(0xffff_ffff_ffff_8000)
    ),
    refused!(
        "start tables of the host are refused",
        rtt_base = g(crate::case::Slot(40))
    ),
    refused!(
        "a Realm descriptor among the start tables is refused",
        rtt_base = g(RD)
    ),
    RmiCase {
        name: "a Realm descriptor must be delegated",
        fixture: Granules,
        steps: &[
            Call(RealmCreate, &[g(HOST), g(REALM_PARAMS)], INPUT, &[]),
            Call(RealmCreate, &[Arg::At(RD, 4), g(REALM_PARAMS)], INPUT, &[]),
            Call(RealmCreate, &[r(0x0900_0000), g(REALM_PARAMS)], INPUT, &[]),
            Call(RealmCreate, &[g(START), g(REALM_PARAMS)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "parameters that the host took away meanwhile are refused",
        fixture: Granules,
        steps: &[
            Call(GranuleDelegate, &[g(REALM_PARAMS)], OK, &[]),
            Call(RealmCreate, &[g(RD), g(REALM_PARAMS)], INPUT, &[]),
            Call(GranuleUndelegate, &[g(REALM_PARAMS)], OK, &[]),
        ],
    },
    RmiCase {
        name: "parameters outside RAM are refused",
        fixture: Granules,
        steps: &[
            Call(RealmCreate, &[g(RD), r(0x0900_0000)], INPUT, &[]),
            Call(RealmCreate, &[g(RD), r(0x4010_0000)], INPUT, &[]),
            Call(RealmCreate, &[g(RD), r(u64::MAX)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "two Realms cannot share a VMID",
        fixture: Bare,
        steps: &[
            Call(GranuleDelegate, &[g(crate::case::Slot(48))], OK, &[]),
            Call(GranuleDelegate, &[g(crate::case::Slot(49))], OK, &[]),
            Call(GranuleDelegate, &[g(crate::case::Slot(50))], OK, &[]),
            Call(GranuleDelegate, &[g(crate::case::Slot(51))], OK, &[]),
            Call(GranuleDelegate, &[g(crate::case::Slot(52))], OK, &[]),
            Call(GranuleDelegate, &[g(crate::case::Slot(53))], OK, &[]),
            Call(GranuleDelegate, &[g(crate::case::Slot(54))], OK, &[]),
            Call(GranuleDelegate, &[g(crate::case::Slot(55))], OK, &[]),
            Poke(
                REALM_PARAMS,
                offset_of!(RealmParams, rtt_base) as u64,
                g(crate::case::Slot(48)),
            ),
            Call(RealmCreate, &[g(SPARE), g(REALM_PARAMS)], INPUT, &[]),
            Poke(REALM_PARAMS, offset_of!(RealmParams, vmid) as u64, r(6)),
            Call(RealmCreate, &[g(SPARE), g(REALM_PARAMS)], OK, &[]),
            Call(RealmDestroy, &[g(SPARE)], OK, &[]),
        ],
    },
    RmiCase {
        name: "a Realm is activated once",
        fixture: New,
        steps: &[
            Call(RealmActivate, &[g(RD)], OK, &[]),
            Call(RealmActivate, &[g(RD)], realm_state(0), &[]),
        ],
    },
    RmiCase {
        name: "what is no Realm is not activated, destroyed or asked",
        fixture: New,
        steps: &[
            Call(RealmActivate, &[g(TABLE)], INPUT, &[]),
            Call(RealmActivate, &[g(SPARE)], INPUT, &[]),
            Call(RealmActivate, &[g(HOST)], INPUT, &[]),
            Call(RealmDestroy, &[g(START)], INPUT, &[]),
            Call(RealmDestroy, &[Arg::At(RD, 1)], INPUT, &[]),
            Call(RecAuxCount, &[g(REC)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "a Realm that has tables is not destroyed",
        fixture: New,
        steps: &[Call(RealmDestroy, &[g(RD)], realm_state(0), &[])],
    },
    RmiCase {
        name: "a Realm that has a REC is not destroyed",
        fixture: WithRec,
        steps: &[Call(RealmDestroy, &[g(RD)], realm_state(0), &[])],
    },
    RmiCase {
        name: "an active Realm's contents are what was measured",
        fixture: Active(Program::ReadRam),
        steps: &[
            Call(
                DataCreate,
                &[g(RD), g(SPARE), r(0x1000), g(SOURCE), r(1)],
                realm_state(0),
                &[],
            ),
            Call(
                RttInitRipas,
                &[g(RD), r(0x2000), r(0x3000)],
                realm_state(0),
                &[],
            ),
            Call(GranuleUndelegate, &[g(SPARE)], OK, &[]),
        ],
    },
    RmiCase {
        name: "without parameters there is no Realm",
        fixture: Nothing,
        steps: &[
            Call(RealmCreate, &[g(RD), g(REALM_PARAMS)], INPUT, &[]),
            Call(RealmCreate, &[r(0), r(0)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "granules of one purpose do not serve another",
        fixture: New,
        steps: &[
            Call(RealmCreate, &[g(CODE), g(REALM_PARAMS)], INPUT, &[]),
            Call(RealmCreate, &[g(RD), g(REALM_PARAMS)], INPUT, &[]),
            Call(
                DataCreate,
                &[g(RD), g(RD), r(0x1000), g(SOURCE), r(1)],
                INPUT,
                &[],
            ),
            Call(
                DataCreate,
                &[g(RD), g(TABLE), r(0x1000), g(SOURCE), r(1)],
                INPUT,
                &[],
            ),
            Call(
                DataCreate,
                &[g(SPARE2), g(SPARE), r(0x1000), g(SOURCE), r(1)],
                INPUT,
                &[],
            ),
            Call(
                DataCreate,
                &[g(RD), g(HOST2), r(0x1000), g(SOURCE), r(1)],
                INPUT,
                &[],
            ),
        ],
    },
];
