//! Memory mapped and unmapped by descriptor and list.

use super::{INPUT, OK, g, r, rtt_level};
use crate::case::{
    Arg, CODE, CODE_IPA, Fixture, HOST, LIST, RD, RmiCase, SHARED, SOURCE, SPARE, SPARE2, Step,
    delegated, undelegated,
};
use Fixture::New;
use Step::{Call2, Peek, Poke};
use rmi::v2_0::Command::{
    GranuleRangeUndelegate as Undelegate, RttDataMap as Map, RttDataMapInit as MapInit,
    RttDataUnmap as Unmap, RttReadEntry, RttUnprotMap as Share, RttUnprotUnmap as Unshare,
};

const AT: u64 = 0x4000;
const TOP: u64 = AT + 0x1000;
const SINGLE: u64 = 1;
/// Write-back, read and write.
const RW: u64 = SINGLE | 6 << 16 | 3 << 19;
const READ_ONLY: u64 = SINGLE | 6 << 16 | 2 << 19;

const fn list(entries: u64) -> Arg {
    r(2 | entries << 2)
}

pub(super) const CASES: &[RmiCase] = &[
    RmiCase {
        name: "a page is mapped, again without effect, and comes back",
        fixture: New,
        steps: &[
            Call2(
                Map,
                &[g(RD), r(AT), r(TOP), r(SINGLE), delegated(SPARE, 1)],
                OK,
                &[(1, r(TOP))],
            ),
            Call2(
                Map,
                &[g(RD), r(AT), r(TOP), r(SINGLE), delegated(SPARE, 1)],
                OK,
                &[(1, r(TOP))],
            ),
            Call2(
                Map,
                &[g(RD), r(AT), r(TOP), r(SINGLE), delegated(SPARE2, 1)],
                rtt_level(3),
                &[],
            ),
            Call2(Undelegate, &[g(SPARE), Arg::At(SPARE, 0x1000)], INPUT, &[]),
            Call2(
                Unmap,
                &[g(RD), r(AT), r(TOP), r(SINGLE), r(0)],
                OK,
                &[(1, r(TOP)), (2, delegated(SPARE, 1))],
            ),
            Call2(Undelegate, &[g(SPARE), Arg::At(SPARE, 0x1000)], OK, &[]),
            Peek(SPARE, 0, u64::MAX, 0),
        ],
    },
    RmiCase {
        name: "adjacent pages are mapped and unmapped as one range",
        fixture: New,
        steps: &[
            Call2(
                Map,
                &[g(RD), r(AT), r(AT + 0x2000), r(SINGLE), delegated(SPARE, 2)],
                OK,
                &[(1, r(AT + 0x2000))],
            ),
            Call2(
                Unmap,
                &[g(RD), r(AT), r(AT + 0x8000), r(SINGLE), r(0)],
                OK,
                &[(1, r(AT + 0x8000)), (2, delegated(SPARE, 2))],
            ),
        ],
    },
    RmiCase {
        name: "a list is as good as a descriptor, both ways",
        fixture: New,
        steps: &[
            Poke(LIST, 0x10, delegated(SPARE2, 1)),
            Poke(LIST, 0x18, delegated(SPARE, 1)),
            Call2(
                Map,
                &[g(RD), r(AT), r(AT + 0x2000), list(2), Arg::At(LIST, 0x10)],
                OK,
                &[(1, r(AT + 0x2000))],
            ),
            // Not adjacent in this order: two entries.
            Call2(
                Unmap,
                &[g(RD), r(AT), r(AT + 0x2000), list(4), Arg::At(LIST, 0x100)],
                OK,
                &[(1, r(AT + 0x2000)), (3, r(2))],
            ),
        ],
    },
    RmiCase {
        name: "memory that is not delegated is not mapped",
        fixture: New,
        steps: &[
            Call2(
                Map,
                &[g(RD), r(AT), r(TOP), r(SINGLE), delegated(HOST, 1)],
                INPUT,
                &[],
            ),
            Call2(
                Map,
                &[g(RD), r(AT), r(TOP), r(SINGLE), undelegated(SPARE, 1)],
                INPUT,
                &[],
            ),
            Call2(
                Map,
                &[g(RD), r(AT), r(TOP), r(SINGLE), delegated(CODE, 1)],
                INPUT,
                &[],
            ),
            Call2(Map, &[g(RD), r(AT), r(TOP), r(0), r(0)], INPUT, &[]),
            Call2(Map, &[g(RD), r(AT), r(TOP), list(0), g(LIST)], INPUT, &[]),
            Call2(Map, &[g(RD), r(AT), r(TOP), list(1), g(SPARE)], INPUT, &[]),
            Call2(
                Map,
                &[g(RD), r(AT), r(TOP), list(1), Arg::At(LIST, 4)],
                INPUT,
                &[],
            ),
        ],
    },
    RmiCase {
        name: "private memory is mapped in the private half, where there is a table",
        fixture: New,
        steps: &[
            Call2(
                Map,
                &[
                    g(RD),
                    r(SHARED),
                    r(SHARED + 0x1000),
                    r(SINGLE),
                    delegated(SPARE, 1),
                ],
                INPUT,
                &[],
            ),
            Call2(
                Map,
                &[g(RD), r(TOP), r(AT), r(SINGLE), delegated(SPARE, 1)],
                INPUT,
                &[],
            ),
            Call2(
                Map,
                &[
                    g(RD),
                    r(0x20_0000),
                    r(0x20_1000),
                    r(SINGLE),
                    delegated(SPARE, 1),
                ],
                rtt_level(2),
                &[],
            ),
            // A block of 2 MiB has no room in a page.
            Call2(
                Map,
                &[g(RD), r(0x20_0000), r(0x20_1000), r(SINGLE), r(0x6000_0005)],
                rtt_level(2),
                &[],
            ),
        ],
    },
    RmiCase {
        name: "contents are mapped once, from a page of the host's",
        fixture: New,
        steps: &[
            Call2(
                MapInit,
                &[g(RD), g(SPARE), r(CODE_IPA), g(SOURCE), r(0)],
                rtt_level(3),
                &[],
            ),
            Call2(
                MapInit,
                &[g(RD), g(SPARE), r(AT), g(SPARE2), r(0)],
                INPUT,
                &[],
            ),
            Call2(
                MapInit,
                &[g(RD), g(SPARE), r(AT), g(SOURCE), r(2)],
                INPUT,
                &[],
            ),
            Call2(
                MapInit,
                &[g(RD), g(HOST), r(AT), g(SOURCE), r(0)],
                INPUT,
                &[],
            ),
            Call2(MapInit, &[g(RD), g(SPARE), r(AT), g(SOURCE), r(0)], OK, &[]),
            Call2(
                RttReadEntry,
                &[g(RD), r(AT), r(3)],
                OK,
                &[(2, r(1)), (3, g(SPARE))],
            ),
        ],
    },
    RmiCase {
        name: "what was taken from a Realm is remembered as destroyed",
        fixture: New,
        steps: &[
            Call2(
                Unmap,
                &[g(RD), r(CODE_IPA), r(CODE_IPA + 0x1000), r(SINGLE), r(0)],
                OK,
                &[(2, delegated(CODE, 1))],
            ),
            Call2(
                RttReadEntry,
                &[g(RD), r(CODE_IPA), r(3)],
                OK,
                &[(2, r(0)), (4, r(2))],
            ),
        ],
    },
    RmiCase {
        name: "a report has a place that the host can read",
        fixture: New,
        steps: &[
            Call2(
                Unmap,
                &[g(RD), r(0), r(0x1000), r(SINGLE), r(8)],
                INPUT,
                &[],
            ),
            Call2(
                Unmap,
                &[g(RD), r(0), r(0x1000), list(0), g(LIST)],
                INPUT,
                &[],
            ),
            Call2(
                Unmap,
                &[g(RD), r(0), r(0x1000), list(1), g(SPARE)],
                INPUT,
                &[],
            ),
            Call2(Unmap, &[g(RD), r(0), r(0x1000), r(3), g(LIST)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "a page is shared, and shared otherwise only after it was not",
        fixture: New,
        steps: &[
            Call2(
                Share,
                &[
                    g(RD),
                    r(SHARED),
                    r(SHARED + 0x1000),
                    r(RW),
                    undelegated(HOST, 1),
                ],
                OK,
                &[(1, r(SHARED + 0x1000))],
            ),
            Call2(
                Share,
                &[
                    g(RD),
                    r(SHARED),
                    r(SHARED + 0x1000),
                    r(READ_ONLY),
                    undelegated(HOST, 1),
                ],
                rtt_level(3),
                &[],
            ),
            Call2(
                Unshare,
                &[g(RD), r(SHARED), r(SHARED + 0x1000), r(0), r(0)],
                OK,
                &[(1, r(SHARED + 0x1000))],
            ),
            Call2(
                Share,
                &[
                    g(RD),
                    r(SHARED),
                    r(SHARED + 0x1000),
                    r(READ_ONLY),
                    undelegated(HOST, 1),
                ],
                OK,
                &[],
            ),
        ],
    },
    RmiCase {
        name: "sharing is for the shared half, with attributes that exist",
        fixture: New,
        steps: &[
            Call2(
                Share,
                &[g(RD), r(AT), r(TOP), r(RW), undelegated(HOST, 1)],
                INPUT,
                &[],
            ),
            Call2(
                Share,
                &[
                    g(RD),
                    r(SHARED),
                    r(SHARED + 0x1000),
                    r(RW | 1 << 23),
                    undelegated(HOST, 1),
                ],
                INPUT,
                &[],
            ),
            Call2(
                Share,
                &[
                    g(RD),
                    r(SHARED),
                    r(SHARED + 0x1000),
                    r(SINGLE | 4 << 16),
                    undelegated(HOST, 1),
                ],
                INPUT,
                &[],
            ),
        ],
    },
];
