//! Builds what a case starts from, and takes apart what it leaves.

use crate::bench::{Bench, Found, POOL_GRANULES, call, is_active, slot_address};
use crate::case::{
    AUX, Arg, CODE, CODE_IPA, Fixture, Program, RAM_IPA, RD, REALM_PARAMS, REC, REC_PARAMS, RUN,
    S2SZ, SHARED, SHARED_TABLE, SOURCE, SPARE, SPARE2, START, Slot, TABLE, VMID,
};
use core::mem::offset_of;
use rmi::v1_0::{Command, MAX_AUX, RealmParams, RecParams};

/// Start tables of the fixture's Realm.
pub(crate) const TABLES: u8 = 8;

/// Where [`Program::HostCall`] has its structure, in the page of its code.
pub const HOST_CALL_OFFSET: u64 = 0x800;

/// A program's machine code, for x0 to x4 as [`registers`] says. What accesses
/// memory goes on to touch [`ELSEWHERE`], so that a REC which an RMM enters
/// against expectation exits again instead of holding the machine up.
pub const fn machine_code(program: Program) -> [u32; 3] {
    const LOOP: u32 = 0x1400_0000;
    match program {
        // ldr w5, [x1]
        Program::ReadRam | Program::ReadShared => [0xb940_0025, KNOCK[0], KNOCK[1]],
        // str w5, [x1]
        Program::WriteShared => [0xb900_0025, KNOCK[0], KNOCK[1]],
        // smc #0; b .
        _ => [0xd400_0003, LOOP, LOOP],
    }
}

/// `ldr w6, [x2]; b .-4`: also what the vector for exceptions of EL1 holds.
const KNOCK: [u32; 2] = [0xb940_0046, 0x17ff_ffff];
/// That vector, for the `VBAR_EL1` of a REC that has just been created.
const VECTOR: usize = 0x200;

/// An address of the shared half that no case maps.
pub const ELSEWHERE: u64 = SHARED + 0x10_0000;

/// The registers x0 to x4 that a program starts with.
pub const fn registers(program: Program) -> [u64; 5] {
    match program {
        Program::ReadRam => [0, RAM_IPA, ELSEWHERE, 0, 0],
        Program::ReadShared | Program::WriteShared => [0, SHARED, ELSEWHERE, 0, 0],
        Program::SystemOff => [rsi::psci::SYSTEM_OFF as u64, 0, 0, 0, 0],
        Program::CpuOff => [rsi::psci::CPU_OFF as u64, 0, 0, 0, 0],
        Program::HostCall => {
            let fid = rsi::Command::HostCall.fid() as u64;
            [fid, CODE_IPA + HOST_CALL_OFFSET, 0, 0, 0]
        }
        Program::AskForRam => {
            let fid = rsi::Command::IpaStateSet.fid() as u64;
            let base = crate::case::EMPTY_IPA;
            [fid, base, base + 0x1000, 1, 0]
        }
    }
}

fn ok(bench: &impl Bench, command: Command, args: &[Arg]) -> Result<[u64; 8], Found> {
    let reply = call(bench, command.fid(), args);
    let [x0, ..] = reply;
    if x0 == 0 {
        return Ok(reply);
    }
    let address = match args.first() {
        Some(Arg::Raw(raw)) => *raw,
        Some(Arg::Granule(slot) | Arg::At(slot, _)) => slot_address(bench, *slot),
        Some(Arg::Handle) | None => 0,
    };
    Err(Found::Granule {
        call: command.name(),
        address,
        found: x0,
    })
}

fn fill(bench: &mut impl Bench, slot: Slot, words: &[(usize, u64)]) {
    let address = slot_address(bench, slot);
    for offset in (0..addr::GRANULE_SIZE).step_by(8) {
        bench.write(address + offset, 0);
    }
    for (offset, value) in words {
        bench.write(address + *offset as u64, *value);
    }
}

pub(crate) fn fill_params(bench: &mut impl Bench, program: Program, aux: u64) {
    let start = slot_address(bench, START);
    fill(
        bench,
        REALM_PARAMS,
        &[
            (offset_of!(RealmParams, s2sz), S2SZ),
            (offset_of!(RealmParams, num_bps), 1),
            (offset_of!(RealmParams, num_wps), 1),
            (offset_of!(RealmParams, vmid), u64::from(VMID)),
            (offset_of!(RealmParams, rtt_base), start),
            (offset_of!(RealmParams, rtt_level_start), 2),
            (offset_of!(RealmParams, rtt_num_start), u64::from(TABLES)),
        ],
    );
    fill(
        bench,
        REC_PARAMS,
        &[
            (offset_of!(RecParams, flags), 1),
            (offset_of!(RecParams, pc), CODE_IPA),
            (offset_of!(RecParams, num_aux), aux),
        ],
    );
    let page = slot_address(bench, REC_PARAMS);
    for (number, value) in (0..).zip(registers(program)) {
        let offset = offset_of!(RecParams, gprs) as u64 + number * 8;
        bench.write(page + offset, value);
    }
    for number in 0..aux.min(MAX_AUX as u64) {
        let offset = offset_of!(RecParams, aux) as u64 + number * 8;
        let granule = slot_address(bench, AUX) + number * addr::GRANULE_SIZE;
        bench.write(page + offset, granule);
    }
    fill(bench, RUN, &[]);
    let [first, second, third] = machine_code(program);
    let code = u64::from(first) | u64::from(second) << 32;
    // The host call's immediate is 4, its first register 0x77.
    let call = HOST_CALL_OFFSET as usize;
    let [knock, again] = KNOCK;
    let vector = u64::from(knock) | u64::from(again) << 32;
    let words = [
        (0, code),
        (8, third.into()),
        (VECTOR, vector),
        (call, 4),
        (call + 8, 0x77),
    ];
    fill(bench, SOURCE, &words);
}

/// Auxiliary granules of the Realm, at most as many as there are slots.
fn aux_count(bench: &impl Bench) -> Result<u64, Found> {
    let [_, count, ..] = ok(bench, Command::RecAuxCount, &[Arg::Granule(RD)])?;
    Ok(count.min(MAX_AUX as u64))
}

fn delegate(bench: &impl Bench, slot: Slot) -> Result<(), Found> {
    ok(bench, Command::GranuleDelegate, &[Arg::Granule(slot)]).map(|_| ())
}

/// Builds a fixture.
pub fn build(bench: &mut impl Bench, fixture: Fixture) -> Result<(), Found> {
    let program = match fixture {
        Fixture::Active(program) => program,
        _ => Program::ReadRam,
    };
    fill_params(bench, program, 1);
    if fixture == Fixture::Nothing {
        return Ok(());
    }
    for number in 0..TABLES {
        delegate(bench, Slot(START.0 + number))?;
    }
    for slot in [RD, REC, TABLE, SHARED_TABLE, CODE, SPARE, SPARE2] {
        delegate(bench, slot)?;
    }
    for number in 0..MAX_AUX as u8 {
        delegate(bench, Slot(AUX.0 + number))?;
    }
    if fixture == Fixture::Granules {
        return Ok(());
    }
    let granule = Arg::Granule;
    ok(
        bench,
        Command::RealmCreate,
        &[granule(RD), granule(REALM_PARAMS)],
    )?;
    let aux = aux_count(bench)?;
    fill_params(bench, program, aux);
    if fixture == Fixture::Bare {
        return Ok(());
    }
    populate(bench)?;
    if fixture == Fixture::New {
        return Ok(());
    }
    let rec = [granule(RD), granule(REC), granule(REC_PARAMS)];
    ok(bench, Command::RecCreate, &rec)?;
    if is_active(fixture) {
        ok(bench, Command::RealmActivate, &[granule(RD)])?;
        bench.program(program);
    }
    Ok(())
}

fn populate(bench: &impl Bench) -> Result<(), Found> {
    let (granule, raw) = (Arg::Granule, Arg::Raw);
    for (slot, ipa) in [(TABLE, 0), (SHARED_TABLE, SHARED)] {
        let args = [granule(RD), granule(slot), raw(ipa), raw(3)];
        ok(bench, Command::RttCreate, &args)?;
    }
    let ram = [granule(RD), raw(CODE_IPA), raw(RAM_IPA + 0x1000)];
    ok(bench, Command::RttInitRipas, &ram)?;
    let code = [
        granule(RD),
        granule(CODE),
        raw(CODE_IPA),
        granule(SOURCE),
        raw(1),
    ];
    ok(bench, Command::DataCreate, &code).map(|_| ())
}

/// Takes apart whatever there is, in the order that works from every state,
/// and gives every granule of the pool back.
pub fn tear_down(bench: &mut impl Bench) -> Result<(), Found> {
    let (granule, raw) = (Arg::Granule, Arg::Raw);
    let try_call = |command: Command, args: &[Arg]| call(bench, command.fid(), args);
    try_call(Command::RecDestroy, &[granule(REC)]);
    let mut ipa = 0;
    while ipa < 0x20_0000 {
        let [x0, _, top, ..] = try_call(Command::DataDestroy, &[granule(RD), raw(ipa)]);
        let next = ipa + addr::GRANULE_SIZE;
        ipa = if x0 == 0 { next } else { next.max(top) };
    }
    for ipa in [0, SHARED] {
        try_call(Command::RttDestroy, &[granule(RD), raw(ipa), raw(3)]);
    }
    try_call(Command::RealmDestroy, &[granule(RD)]);
    let mut lost = Ok(());
    for number in 0..POOL_GRANULES {
        let address = bench.pool() + number * addr::GRANULE_SIZE;
        // What is the host's already is refused; then it can be delegated, and
        // what can be neither is lost.
        let [x0, ..] = try_call(Command::GranuleUndelegate, &[raw(address)]);
        if x0 != 0 {
            let [delegated, ..] = try_call(Command::GranuleDelegate, &[raw(address)]);
            let [back, ..] = try_call(Command::GranuleUndelegate, &[raw(address)]);
            if delegated != 0 || back != 0 {
                lost = Err(Found::Granule {
                    call: "GRANULE_UNDELEGATE",
                    address,
                    found: x0,
                });
            }
        }
    }
    lost
}
