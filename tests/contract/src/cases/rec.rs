//! RECs: creation, entry, what an exit allows, PSCI.

use super::{INPUT, OK, REC_STATE, g, r, realm_state};
use crate::case::{
    AUX, Arg, CODE_IPA, EMPTY_IPA, Fixture, HOST, Program, RAM_IPA, RD, REC, REC_PARAMS, RUN,
    RmiCase, SHARED, SPARE, SPARE2, Step, TABLE,
};
use Fixture::{Active, New, WithRec};
use Step::{Call, Peek, Poke};
use core::mem::offset_of;
use rmi::v1_0::Command::{
    DataCreateUnknown, GranuleDelegate, GranuleUndelegate, PsciComplete, RealmActivate, RecCreate,
    RecDestroy, RecEnter as Enter, RttMapUnprotected, RttSetRipas,
};
use rmi::v1_0::{
    ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_INJECT_SEA, ENTER_FLAG_RIPAS_RESPONSE, RecEnter, RecExit,
    RecParams, RecRun,
};

const FLAGS: u64 = offset_of!(RecEnter, flags) as u64;
const HCR: u64 = offset_of!(RecEnter, gicv3_hcr) as u64;
const LRS: u64 = offset_of!(RecEnter, gicv3_lrs) as u64;
const ENTER_GPRS: u64 = offset_of!(RecEnter, gprs) as u64;
const EXIT: u64 = offset_of!(RecRun, exit) as u64;
const REASON: u64 = EXIT + offset_of!(RecExit, exit_reason) as u64;
const ESR: u64 = EXIT + offset_of!(RecExit, esr) as u64;
const HPFAR: u64 = EXIT + offset_of!(RecExit, hpfar) as u64;
const GPRS: u64 = EXIT + offset_of!(RecExit, gprs) as u64;
const RIPAS_BASE: u64 = EXIT + offset_of!(RecExit, ripas_base) as u64;
const RIPAS_TOP: u64 = EXIT + offset_of!(RecExit, ripas_top) as u64;
const IMM: u64 = EXIT + offset_of!(RecExit, imm) as u64;

const EC_MASK: u64 = 0x3f << 26;
const DATA_ABORT: u64 = 0x24 << 26;
const PENDING: u64 = 1 << 62;
const BYTE: u64 = 0xff;

const ENTER: Step = Call(Enter, &[g(REC), g(RUN)], OK, &[]);

/// An entry with one field changed is refused, and a plain one is not.
macro_rules! entry_refused {
    ($name:literal, $($offset:expr => $value:expr),+) => {
        RmiCase {
            name: $name,
            fixture: Active(Program::SystemOff),
            steps: &[
                $(Poke(RUN, $offset, $value),)+
                Call(Enter, &[g(REC), g(RUN)], REC_STATE, &[]),
                $(Poke(RUN, $offset, r(0)),)+
                ENTER,
                Peek(RUN, REASON, BYTE, 3),
            ],
        }
    };
}

/// A REC with one parameter changed is refused.
macro_rules! refused {
    ($name:literal, $field:ident = $value:expr) => {
        RmiCase {
            name: $name,
            fixture: New,
            steps: &[
                Poke(REC_PARAMS, offset_of!(RecParams, $field) as u64, $value),
                Call(RecCreate, &[g(RD), g(REC), g(REC_PARAMS)], INPUT, &[]),
                Call(GranuleUndelegate, &[g(REC)], OK, &[]),
                Call(GranuleUndelegate, &[g(AUX)], OK, &[]),
            ],
        }
    };
}

pub(super) const CASES: &[RmiCase] = &[
    RmiCase {
        name: "a REC is created and destroyed",
        fixture: New,
        steps: &[
            Call(RecCreate, &[g(RD), g(REC), g(REC_PARAMS)], OK, &[]),
            Call(GranuleUndelegate, &[g(REC)], INPUT, &[]),
            Call(GranuleUndelegate, &[g(AUX)], INPUT, &[]),
            Call(RecDestroy, &[g(REC)], OK, &[]),
            Call(RecDestroy, &[g(REC)], INPUT, &[]),
            Call(GranuleUndelegate, &[g(REC)], OK, &[]),
            Call(GranuleUndelegate, &[g(AUX)], OK, &[]),
            Peek(REC, 0, u64::MAX, 0),
        ],
    },
    refused!("the first REC has index 0", mpidr = r(1)),
    refused!(
        "an affinity has no bits between its fields",
        mpidr = r(0x10)
    ),
    refused!("a REC needs its auxiliary granules", num_aux = r(0)),
    refused!(
        "a REC takes no more auxiliary granules than 16",
        num_aux = r(17)
    ),
    refused!("an auxiliary granule must be delegated", aux = g(HOST)),
    refused!("an auxiliary granule is not the REC", aux = g(REC)),
    refused!("an auxiliary granule is not the Realm", aux = g(RD)),
    refused!("an auxiliary granule is no table", aux = g(TABLE)),
    refused!("an auxiliary granule is aligned", aux = Arg::At(AUX, 8)),
    refused!("an auxiliary granule is RAM", aux = r(0x0900_0000)),
    RmiCase {
        name: "a REC must be a delegated granule, of a Realm, with parameters",
        fixture: New,
        steps: &[
            Call(RecCreate, &[g(RD), g(HOST), g(REC_PARAMS)], INPUT, &[]),
            Call(RecCreate, &[g(RD), g(RD), g(REC_PARAMS)], INPUT, &[]),
            Call(RecCreate, &[g(TABLE), g(REC), g(REC_PARAMS)], INPUT, &[]),
            Call(RecCreate, &[g(RD), g(REC), g(SPARE)], INPUT, &[]),
            Call(RecCreate, &[g(RD), g(REC), r(0x4010_0000)], INPUT, &[]),
            Call(RecDestroy, &[g(RD)], INPUT, &[]),
            Call(RecDestroy, &[g(SPARE)], INPUT, &[]),
            Call(RecDestroy, &[g(HOST)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "an active Realm gets no more RECs",
        fixture: New,
        steps: &[
            Call(RealmActivate, &[g(RD)], OK, &[]),
            Call(
                RecCreate,
                &[g(RD), g(REC), g(REC_PARAMS)],
                realm_state(0),
                &[],
            ),
        ],
    },
    RmiCase {
        name: "a REC of a new Realm is not entered",
        fixture: WithRec,
        steps: &[Call(Enter, &[g(REC), g(RUN)], realm_state(0), &[])],
    },
    RmiCase {
        name: "only a REC is entered, with a page of the host's",
        fixture: Active(Program::SystemOff),
        steps: &[
            Call(Enter, &[g(RD), g(RUN)], INPUT, &[]),
            Call(Enter, &[g(SPARE), g(RUN)], INPUT, &[]),
            Call(Enter, &[g(HOST), g(RUN)], INPUT, &[]),
            Call(Enter, &[g(AUX), g(RUN)], INPUT, &[]),
            Call(Enter, &[g(REC), g(SPARE)], INPUT, &[]),
            Call(Enter, &[g(REC), Arg::At(RUN, 0x800)], INPUT, &[]),
            Call(Enter, &[g(REC), r(0x0900_0000)], INPUT, &[]),
            Call(GranuleDelegate, &[g(RUN)], OK, &[]),
            Call(Enter, &[g(REC), g(RUN)], INPUT, &[]),
            Call(GranuleUndelegate, &[g(RUN)], OK, &[]),
            ENTER,
        ],
    },
    RmiCase {
        name: "a REC that is not runnable is not entered",
        fixture: New,
        steps: &[
            Poke(REC_PARAMS, offset_of!(RecParams, flags) as u64, r(0)),
            Call(RecCreate, &[g(RD), g(REC), g(REC_PARAMS)], OK, &[]),
            Call(RealmActivate, &[g(RD)], OK, &[]),
            Call(Enter, &[g(REC), g(RUN)], REC_STATE, &[]),
        ],
    },
    entry_refused!("an interrupt control that is the RMM's is refused", HCR => r(1)),
    entry_refused!("interrupt controls beyond the permitted ones are refused", HCR => r(1 << 8)),
    entry_refused!(
        "a list register that names a physical interrupt is refused",
        LRS => r(PENDING | 1 << 61 | 27 << 32 | 27)
    ),
    entry_refused!(
        "a list register with a number that is no interrupt is refused",
        LRS => r(PENDING | 1021)
    ),
    entry_refused!(
        "one interrupt in two list registers is refused",
        LRS => r(PENDING | 27),
        LRS + 8 => r(PENDING | 27)
    ),
    entry_refused!(
        "an access that never was is not emulated",
        FLAGS => r(ENTER_FLAG_EMUL_MMIO)
    ),
    entry_refused!(
        "an access that never was does not fail",
        FLAGS => r(ENTER_FLAG_INJECT_SEA)
    ),
    RmiCase {
        name: "a fault on RAM tells the host where, and nothing else",
        fixture: Active(Program::ReadRam),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 0),
            // No syndrome of the instruction.
            Peek(RUN, ESR, EC_MASK | 1 << 24, DATA_ABORT),
            Peek(RUN, ESR, 0x3c, 0x04),
            Peek(RUN, HPFAR, u64::MAX, RAM_IPA >> 8),
            Poke(RUN, FLAGS, r(ENTER_FLAG_EMUL_MMIO)),
            Call(Enter, &[g(REC), g(RUN)], REC_STATE, &[]),
            Poke(RUN, FLAGS, r(ENTER_FLAG_INJECT_SEA)),
            Call(Enter, &[g(REC), g(RUN)], REC_STATE, &[]),
            // The same fault until the host does something about it.
            Poke(RUN, FLAGS, r(0)),
            ENTER,
            Peek(RUN, HPFAR, u64::MAX, RAM_IPA >> 8),
            Call(DataCreateUnknown, &[g(RD), g(SPARE), r(RAM_IPA)], OK, &[]),
        ],
    },
    RmiCase {
        name: "a read of the shared half is emulated once",
        fixture: Active(Program::ReadShared),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 0),
            // Valid, a word, a read.
            Peek(
                RUN,
                ESR,
                EC_MASK | 1 << 24 | 0b11 << 22 | 1 << 6,
                DATA_ABORT | 1 << 24 | 0b10 << 22,
            ),
            // Not which register.
            Peek(RUN, ESR, 0x1f << 16, 0),
            Peek(RUN, HPFAR, u64::MAX, SHARED >> 8),
        ],
    },
    RmiCase {
        name: "a write to the shared half brings its data",
        fixture: Active(Program::WriteShared),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 0),
            Peek(
                RUN,
                ESR,
                EC_MASK | 1 << 24 | 0b11 << 22 | 1 << 6,
                DATA_ABORT | 1 << 24 | 0b10 << 22 | 1 << 6,
            ),
            Peek(RUN, HPFAR, u64::MAX, SHARED >> 8),
            Peek(RUN, GPRS, u64::MAX, 0),
            // Both answers at once are none.
            Poke(RUN, FLAGS, r(ENTER_FLAG_EMUL_MMIO | ENTER_FLAG_INJECT_SEA)),
            Call(Enter, &[g(REC), g(RUN)], REC_STATE, &[]),
            // Unless it maps the page, and tries again.
            Call(
                RttMapUnprotected,
                &[g(RD), r(SHARED), r(3), Arg::At(HOST, 0xd8)],
                OK,
                &[],
            ),
        ],
    },
    RmiCase {
        name: "a host call brings its registers both ways",
        fixture: Active(Program::HostCall),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 5),
            Peek(RUN, IMM, 0xffff, 4),
            Peek(RUN, GPRS, u64::MAX, 0x77),
            Peek(RUN, GPRS + 8, u64::MAX, 0),
            Poke(RUN, ENTER_GPRS, r(0x99)),
            Poke(RUN, FLAGS, r(ENTER_FLAG_EMUL_MMIO)),
            Call(Enter, &[g(REC), g(RUN)], REC_STATE, &[]),
        ],
    },
    RmiCase {
        name: "RIPAS changes as the REC asked and no further",
        fixture: Active(Program::AskForRam),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 4),
            Peek(RUN, RIPAS_BASE, u64::MAX, EMPTY_IPA),
            Peek(RUN, RIPAS_TOP, u64::MAX, EMPTY_IPA + 0x1000),
            Call(
                RttSetRipas,
                &[g(RD), g(REC), r(EMPTY_IPA), r(EMPTY_IPA + 0x2000)],
                INPUT,
                &[],
            ),
            Call(
                RttSetRipas,
                &[g(RD), g(REC), r(EMPTY_IPA - 0x1000), r(EMPTY_IPA + 0x1000)],
                INPUT,
                &[],
            ),
            Call(
                RttSetRipas,
                &[g(RD), g(REC), r(EMPTY_IPA), r(EMPTY_IPA)],
                INPUT,
                &[],
            ),
            Call(
                RttSetRipas,
                &[g(RD), g(REC), r(EMPTY_IPA), r(EMPTY_IPA + 0x1000)],
                OK,
                &[(1, r(EMPTY_IPA + 0x1000))],
            ),
            Call(
                RttSetRipas,
                &[g(RD), g(REC), r(EMPTY_IPA), r(EMPTY_IPA + 0x1000)],
                INPUT,
                &[],
            ),
            Poke(RUN, FLAGS, r(ENTER_FLAG_RIPAS_RESPONSE)),
        ],
    },
    RmiCase {
        name: "a Realm that is off is not entered again",
        fixture: Active(Program::SystemOff),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 3),
            Peek(RUN, GPRS, u64::MAX, rsi::psci::SYSTEM_OFF as u64),
            Call(Enter, &[g(REC), g(RUN)], realm_state(1), &[]),
        ],
    },
    RmiCase {
        name: "a REC that is off is not entered again",
        fixture: Active(Program::CpuOff),
        steps: &[
            ENTER,
            Peek(RUN, REASON, BYTE, 3),
            Peek(RUN, GPRS, u64::MAX, rsi::psci::CPU_OFF as u64),
            Call(Enter, &[g(REC), g(RUN)], REC_STATE, &[]),
        ],
    },
    RmiCase {
        name: "a PSCI call that nobody made is not completed",
        fixture: Active(Program::ReadRam),
        steps: &[
            Call(PsciComplete, &[g(REC), g(REC), r(0)], INPUT, &[]),
            Call(PsciComplete, &[g(REC), g(SPARE2), r(0)], INPUT, &[]),
            Call(PsciComplete, &[g(RD), g(REC), r(0)], INPUT, &[]),
        ],
    },
    RmiCase {
        name: "code lies where the measurement says",
        fixture: Active(Program::SystemOff),
        steps: &[
            Call(
                DataCreateUnknown,
                &[g(RD), g(SPARE), r(CODE_IPA)],
                super::rtt_level(3),
                &[],
            ),
            ENTER,
        ],
    },
];
