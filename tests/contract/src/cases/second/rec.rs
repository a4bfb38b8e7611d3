//! RECs: operations, entry, what an exit allows, PSCI.

use super::{CONTINUE, DONATE, INPUT, OK, READY, REALM, REC_STATE, RECLAIM, g, r};
use crate::case::{
    AUX, Arg, EMPTY_IPA, Fixture, HOST, LIST, Program, RAM_IPA, RD, REC, REC_PARAMS, RUN, RmiCase,
    SHARED, SPARE, Step, delegated, undelegated,
};
use Arg::Handle;
use Fixture::{Active, New, WithRec};
use Step::{Call2, Peek, Poke};
use core::mem::offset_of;
use rmi::v2_0::Command::{
    GranuleRangeUndelegate as Undelegate, OpCancel, OpContinue, OpMemDonate, OpMemReclaim,
    PsciComplete, RealmActivate, RecCreate, RecDestroy, RecEnter as Enter, RttCreate, RttDataMap,
    RttSetRipas, RttUnprotMap,
};
use rmi::v2_0::{ENTER_FLAG_EMUL_MMIO, RecEnter, RecExit, RecParams, RecRun};

const FLAGS: u64 = offset_of!(RecEnter, flags) as u64;
const EXIT: u64 = offset_of!(RecRun, exit) as u64;
const REASON: u64 = EXIT + offset_of!(RecExit, exit_reason) as u64;
const HPFAR: u64 = EXIT + offset_of!(RecExit, hpfar) as u64;
const GPRS: u64 = EXIT + offset_of!(RecExit, gprs) as u64;
const RIPAS_BASE: u64 = EXIT + offset_of!(RecExit, ripas_base) as u64;
const IMM: u64 = EXIT + offset_of!(RecExit, imm) as u64;
const BYTE: u64 = 0xff;

const BEGIN: &[Arg] = &[g(RD), g(REC), g(REC_PARAMS)];
const GIVE: &[Arg] = &[Handle, g(LIST), r(1)];
const GO_ON: &[Arg] = &[Handle, r(0)];
const ENTER: Step = Call2(Enter, &[g(REC), g(RUN)], OK, &[]);

pub(super) const CASES: &[RmiCase] = &[
    RmiCase {
        name: "a REC is created of memory that the RMM asks for, and gives it back",
        fixture: New,
        steps: &[
            Call2(RecCreate, BEGIN, DONATE, &[(2, r(1 << 2))]),
            Poke(LIST, 0, delegated(AUX, 1)),
            Call2(OpMemDonate, GIVE, READY, &[(1, r(1))]),
            Call2(OpContinue, GO_ON, OK, &[]),
            Call2(OpContinue, GO_ON, INPUT, &[]),
            Call2(RecDestroy, &[g(REC)], RECLAIM, &[]),
            Call2(
                OpMemReclaim,
                &[Handle, g(LIST), r(4)],
                CONTINUE,
                &[(1, r(1))],
            ),
            Call2(OpContinue, GO_ON, OK, &[]),
            Call2(Undelegate, &[g(REC), Arg::At(REC, 0x1000)], OK, &[]),
            Peek(REC, 0, u64::MAX, 0),
        ],
    },
    RmiCase {
        name: "a REC that is being made is nobody else's",
        fixture: New,
        steps: &[
            Call2(RecCreate, BEGIN, DONATE, &[]),
            Call2(Undelegate, &[g(REC), Arg::At(REC, 0x1000)], INPUT, &[]),
            Call2(RttCreate, &[g(RD), g(REC), r(0x20_0000), r(3)], INPUT, &[]),
            Call2(Enter, &[g(REC), g(RUN)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "an operation wants what it said, and knows its own name",
        fixture: New,
        steps: &[
            Call2(RecCreate, BEGIN, DONATE, &[]),
            Call2(OpContinue, GO_ON, INPUT, &[]),
            Call2(OpMemReclaim, &[Handle, g(LIST), r(4)], INPUT, &[]),
            Poke(LIST, 0, delegated(AUX, 2)),
            Call2(OpMemDonate, GIVE, INPUT, &[]),
            Call2(OpMemDonate, &[Handle, g(LIST), r(0)], INPUT, &[]),
            Call2(OpMemDonate, &[Handle, g(SPARE), r(1)], INPUT, &[]),
            Call2(OpMemDonate, &[r(0), g(LIST), r(1)], INPUT, &[]),
            Call2(OpMemDonate, &[r(u64::MAX), g(LIST), r(1)], INPUT, &[]),
            Poke(LIST, 0, delegated(AUX, 1)),
            Call2(OpMemDonate, GIVE, READY, &[]),
            Call2(OpContinue, &[Handle, r(2)], INPUT, &[]),
            Call2(OpContinue, GO_ON, OK, &[]),
        ],
    },
    RmiCase {
        name: "memory that is not delegated ends an operation",
        fixture: New,
        steps: &[
            Call2(RecCreate, BEGIN, DONATE, &[]),
            Poke(LIST, 0, delegated(HOST, 1)),
            Call2(OpMemDonate, GIVE, CONTINUE, &[(1, r(0))]),
            Call2(OpContinue, GO_ON, INPUT, &[]),
            Call2(Undelegate, &[g(REC), Arg::At(REC, 0x1000)], OK, &[]),
        ],
    },
    RmiCase {
        name: "the creation of a REC is called off before it has its memory",
        fixture: New,
        steps: &[
            Call2(RecCreate, BEGIN, DONATE, &[]),
            Call2(OpCancel, &[Handle], CONTINUE, &[]),
            Call2(OpCancel, &[Handle], INPUT, &[]),
            Call2(OpContinue, GO_ON, INPUT, &[]),
            Call2(OpCancel, &[Handle], INPUT, &[]),
            Call2(Undelegate, &[g(REC), Arg::At(REC, 0x1000)], OK, &[]),
        ],
    },
    RmiCase {
        name: "the creation of a REC is called off after it has its memory",
        fixture: New,
        steps: &[
            Call2(RecCreate, BEGIN, DONATE, &[]),
            Poke(LIST, 0, delegated(AUX, 1)),
            Call2(OpMemDonate, GIVE, READY, &[]),
            Call2(OpCancel, &[Handle], RECLAIM, &[]),
            Call2(OpContinue, GO_ON, INPUT, &[]),
            Call2(
                OpMemReclaim,
                &[Handle, g(LIST), r(4)],
                CONTINUE,
                &[(1, r(1))],
            ),
            Call2(OpContinue, GO_ON, INPUT, &[]),
            Call2(Undelegate, &[g(AUX), Arg::At(AUX, 0x1000)], OK, &[]),
        ],
    },
    RmiCase {
        name: "a REC that has begun to go is not called back",
        fixture: WithRec,
        steps: &[
            Call2(RecDestroy, &[g(REC)], RECLAIM, &[]),
            Call2(OpCancel, &[Handle], INPUT, &[]),
            Call2(RecDestroy, &[g(REC)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "parameters are read last, and bad ones end the operation",
        fixture: New,
        steps: &[
            Call2(RecCreate, BEGIN, DONATE, &[]),
            Poke(LIST, 0, delegated(AUX, 1)),
            Call2(OpMemDonate, GIVE, READY, &[]),
            Poke(REC_PARAMS, offset_of!(RecParams, mpidr) as u64, r(1)),
            Call2(OpContinue, GO_ON, RECLAIM, &[]),
            Call2(OpMemReclaim, &[Handle, g(LIST), r(4)], CONTINUE, &[]),
            Call2(OpContinue, GO_ON, INPUT, &[]),
        ],
    },
    RmiCase {
        name: "an active Realm gets no more RECs",
        fixture: New,
        steps: &[
            Call2(RealmActivate, &[g(RD)], OK, &[]),
            Call2(RecCreate, BEGIN, DONATE, &[]),
            Poke(LIST, 0, delegated(AUX, 1)),
            Call2(OpMemDonate, GIVE, READY, &[]),
            Call2(OpContinue, GO_ON, RECLAIM, &[]),
            Call2(OpMemReclaim, &[Handle, g(LIST), r(4)], CONTINUE, &[]),
            Call2(OpContinue, GO_ON, REALM, &[]),
        ],
    },
    RmiCase {
        name: "a REC that misses memory goes on once it has it",
        fixture: Active(Program::ReadRam),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 0),
            Peek(RUN, HPFAR, u64::MAX, RAM_IPA >> 8),
            Call2(
                RttDataMap,
                &[
                    g(RD),
                    r(RAM_IPA),
                    r(RAM_IPA + 0x1000),
                    r(1),
                    delegated(SPARE, 1),
                ],
                OK,
                &[],
            ),
            ENTER,
        ],
    },
    RmiCase {
        name: "an access to the shared half is emulated once",
        fixture: Active(Program::ReadShared),
        steps: &[
            Poke(RUN, FLAGS, r(ENTER_FLAG_EMUL_MMIO)),
            Call2(Enter, &[g(REC), g(RUN)], REC_STATE, &[]),
            Poke(RUN, FLAGS, r(0)),
            ENTER,
            Peek(RUN, REASON, BYTE, 0),
            Peek(RUN, HPFAR, u64::MAX, SHARED >> 8),
            Call2(
                RttUnprotMap,
                &[
                    g(RD),
                    r(SHARED),
                    r(SHARED + 0x1000),
                    r(1 | 6 << 16 | 3 << 19),
                    undelegated(HOST, 1),
                ],
                OK,
                &[],
            ),
        ],
    },
    RmiCase {
        name: "a host call brings its registers",
        fixture: Active(Program::HostCall),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 5),
            Peek(RUN, IMM, 0xffff, 4),
            Peek(RUN, GPRS, u64::MAX, 0x77),
        ],
    },
    RmiCase {
        name: "RIPAS changes as the REC asked and no further",
        fixture: Active(Program::AskForRam),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 4),
            Peek(RUN, RIPAS_BASE, u64::MAX, EMPTY_IPA),
            Call2(
                RttSetRipas,
                &[g(RD), g(REC), r(EMPTY_IPA), r(EMPTY_IPA + 0x2000)],
                INPUT,
                &[],
            ),
            Call2(
                RttSetRipas,
                &[g(RD), g(REC), r(EMPTY_IPA), r(EMPTY_IPA + 0x1000)],
                OK,
                &[(1, r(EMPTY_IPA + 0x1000))],
            ),
        ],
    },
    RmiCase {
        name: "a Realm that turned itself off runs no more",
        fixture: Active(Program::SystemOff),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 3),
            Call2(Enter, &[g(REC), g(RUN)], REALM, &[]),
        ],
    },
    RmiCase {
        name: "a REC that turned itself off is not entered",
        fixture: Active(Program::CpuOff),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 3),
            Call2(Enter, &[g(REC), g(RUN)], REC_STATE, &[]),
            Call2(PsciComplete, &[g(REC), g(REC), r(0)], INPUT, &[]),
        ],
    },
];
