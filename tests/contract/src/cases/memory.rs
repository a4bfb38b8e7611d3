//! RIPAS, shared mappings.

use super::{INPUT, OK, g, r, rtt_level};
use crate::case::{
    Arg, CODE_IPA, EMPTY_IPA, Fixture, HOST, HOST2, RD, REC, RmiCase, SHARED, SHARED_TABLE, SPARE,
    Step,
};
use Fixture::New;
use Step::Call;
use rmi::v1_0::Command::{
    RttDestroy, RttInitRipas, RttMapUnprotected as Map, RttReadEntry, RttSetRipas,
    RttUnmapUnprotected as Unmap,
};

const MIB2: u64 = 0x20_0000;
const GIB: u64 = 0x4000_0000;
/// Read and write, write-back.
const RW: u64 = 0xd8;

pub(super) const CASES: &[RmiCase] = &[
    RmiCase {
        name: "RIPAS is initialised in steps of the table's entries",
        fixture: New,
        steps: &[
            Call(
                RttInitRipas,
                &[g(RD), r(0x4000), r(0x8000)],
                OK,
                &[(1, r(0x8000))],
            ),
            Call(
                RttInitRipas,
                &[g(RD), r(MIB2), r(3 * MIB2)],
                OK,
                &[(1, r(3 * MIB2))],
            ),
            // Up to the end of the start table, no further.
            Call(
                RttInitRipas,
                &[g(RD), r(GIB - MIB2), r(GIB + MIB2)],
                OK,
                &[(1, r(GIB))],
            ),
        ],
    },
    RmiCase {
        name: "RIPAS is not initialised across an entry, data or the halves",
        fixture: New,
        steps: &[
            Call(
                RttInitRipas,
                &[g(RD), r(MIB2 + 0x1000), r(2 * MIB2)],
                rtt_level(2),
                &[],
            ),
            Call(
                RttInitRipas,
                &[g(RD), r(MIB2), r(MIB2 + 0x1000)],
                rtt_level(2),
                &[],
            ),
            Call(
                RttInitRipas,
                &[g(RD), r(CODE_IPA), r(0x1000)],
                rtt_level(3),
                &[],
            ),
            Call(RttInitRipas, &[g(RD), r(0x4000), r(0x4000)], INPUT, &[]),
            Call(RttInitRipas, &[g(RD), r(0x8000), r(0x4000)], INPUT, &[]),
            Call(RttInitRipas, &[g(RD), r(0x4001), r(0x8000)], INPUT, &[]),
            Call(
                RttInitRipas,
                &[g(RD), r(SHARED), r(SHARED + 0x1000)],
                INPUT,
                &[],
            ),
            Call(
                RttInitRipas,
                &[g(RD), r(SHARED - MIB2), r(SHARED + MIB2)],
                INPUT,
                &[],
            ),
        ],
    },
    RmiCase {
        name: "RIPAS changes only for a REC that asked",
        fixture: Fixture::WithRec,
        steps: &[
            Call(
                RttSetRipas,
                &[g(RD), g(REC), r(EMPTY_IPA), r(EMPTY_IPA + 0x1000)],
                INPUT,
                &[],
            ),
            Call(
                RttSetRipas,
                &[g(RD), g(SPARE), r(EMPTY_IPA), r(EMPTY_IPA + 0x1000)],
                INPUT,
                &[],
            ),
        ],
    },
    RmiCase {
        name: "a page of the host is mapped once and unmapped",
        fixture: New,
        steps: &[
            Call(Map, &[g(RD), r(SHARED), r(3), Arg::At(HOST, RW)], OK, &[]),
            Call(
                Map,
                &[g(RD), r(SHARED), r(3), Arg::At(HOST2, RW)],
                rtt_level(3),
                &[],
            ),
            Call(
                RttReadEntry,
                &[g(RD), r(SHARED), r(3)],
                OK,
                &[(2, r(1)), (3, Arg::At(HOST, RW))],
            ),
            Call(
                Unmap,
                &[g(RD), r(SHARED), r(3)],
                OK,
                &[(1, r(SHARED + MIB2))],
            ),
            Call(
                Unmap,
                &[g(RD), r(SHARED), r(3)],
                rtt_level(3),
                &[(1, r(SHARED + MIB2))],
            ),
        ],
    },
    RmiCase {
        name: "a shared mapping has a level, a place and a plain descriptor",
        fixture: New,
        steps: &[
            Call(Map, &[g(RD), r(0), r(3), Arg::At(HOST, RW)], INPUT, &[]),
            Call(
                Map,
                &[g(RD), r(SHARED + 1), r(3), Arg::At(HOST, RW)],
                INPUT,
                &[],
            ),
            Call(
                Map,
                &[g(RD), r(SHARED), r(4), Arg::At(HOST, RW)],
                INPUT,
                &[],
            ),
            Call(
                Map,
                &[g(RD), r(2 * SHARED), r(3), Arg::At(HOST, RW)],
                INPUT,
                &[],
            ),
            // Valid bit, execute-never, Non-secure: not the host's to say.
            Call(
                Map,
                &[g(RD), r(SHARED), r(3), Arg::At(HOST, RW | 1)],
                INPUT,
                &[],
            ),
            Call(
                Map,
                &[g(RD), r(SHARED), r(3), Arg::At(HOST, RW | 1 << 54)],
                INPUT,
                &[],
            ),
            Call(
                Map,
                &[g(RD), r(SHARED), r(3), Arg::At(HOST, RW | 1 << 55)],
                INPUT,
                &[],
            ),
            // The reserved memory attribute.
            Call(
                Map,
                &[g(RD), r(SHARED), r(3), Arg::At(HOST, 0xc0 | 0b100 << 2)],
                INPUT,
                &[],
            ),
            // A block at a page's address.
            Call(
                Map,
                &[g(RD), r(SHARED + MIB2), r(2), r(0x8000_1000 | RW)],
                INPUT,
                &[],
            ),
            Call(
                Map,
                &[g(RD), r(SHARED + MIB2), r(3), Arg::At(HOST, RW)],
                rtt_level(2),
                &[],
            ),
        ],
    },
    RmiCase {
        name: "shared blocks are mapped where there is no table",
        fixture: New,
        steps: &[
            Call(
                Map,
                &[g(RD), r(SHARED), r(2), r(0x8000_0000 | RW)],
                rtt_level(2),
                &[],
            ),
            Call(
                Map,
                &[g(RD), r(SHARED + MIB2), r(2), r(0x8000_0000 | RW)],
                OK,
                &[],
            ),
            Call(
                Unmap,
                &[g(RD), r(SHARED + MIB2), r(3)],
                rtt_level(2),
                &[(1, r(SHARED + MIB2))],
            ),
            Call(
                Unmap,
                &[g(RD), r(SHARED + MIB2), r(2)],
                OK,
                &[(1, r(SHARED + GIB))],
            ),
        ],
    },
    RmiCase {
        name: "a shared mapping does not keep its table",
        fixture: New,
        steps: &[
            Call(Map, &[g(RD), r(SHARED), r(3), Arg::At(HOST, RW)], OK, &[]),
            Call(
                RttDestroy,
                &[g(RD), r(SHARED), r(3)],
                OK,
                &[(1, g(SHARED_TABLE))],
            ),
        ],
    },
];
