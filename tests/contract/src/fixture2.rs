//! The same fixtures in RMI 2.0.

use crate::bench::{Bench, Found, POOL_GRANULES, is_active, slot_address};
use crate::case::{
    AUX, CODE, CODE_IPA, Fixture, LIST, Program, RAM_IPA, RD, REALM_PARAMS, REC, REC_PARAMS,
    SHARED, SHARED_TABLE, SOURCE, SPARE, SPARE2, START, Slot, TABLE,
};
use crate::fixture::{TABLES, fill_params};
use addr::GRANULE_SIZE;
use conduit::Regs;
use rmi::v1_0::MAX_AUX;
use rmi::v2_0::{Command, MemRequest, Status};

const BLOCK: u64 = 0x20_0000;
/// One descriptor instead of a list.
const SINGLE: u64 = 1;
/// Calls that an operation may take: far more than any known RMM wants.
const PATIENCE: u64 = 64;

fn call(bench: &impl Bench, command: Command, args: &[u64]) -> [u64; 8] {
    bench.call(Regs::call(command.fid(), args)).0
}

fn ok(bench: &impl Bench, command: Command, args: &[u64]) -> Result<[u64; 8], Found> {
    let reply = call(bench, command, args);
    good(command, args, reply)
}

fn good(command: Command, args: &[u64], reply: [u64; 8]) -> Result<[u64; 8], Found> {
    let [found, ..] = reply;
    if found == 0 {
        return Ok(reply);
    }
    Err(Found::Granule {
        call: command.name(),
        address: args.first().copied().unwrap_or(0),
        found,
    })
}

fn delegate(bench: &impl Bench, slot: Slot, granules: u64) -> Result<(), Found> {
    let base = slot_address(bench, slot);
    for number in 0..granules {
        let at = base + number * GRANULE_SIZE;
        let range = [at, at + GRANULE_SIZE];
        ok(bench, Command::GranuleRangeDelegate, &range)?;
    }
    Ok(())
}

/// Builds a fixture.
pub fn build(bench: &mut impl Bench, fixture: Fixture) -> Result<(), Found> {
    let program = match fixture {
        Fixture::Active(program) => program,
        _ => Program::ReadRam,
    };
    fill_params(bench, program, 0);
    if fixture == Fixture::Nothing {
        return Ok(());
    }
    delegate(bench, START, u64::from(TABLES))?;
    for slot in [RD, REC, TABLE, SHARED_TABLE, CODE, SPARE, SPARE2] {
        delegate(bench, slot, 1)?;
    }
    delegate(bench, AUX, MAX_AUX as u64)?;
    if fixture == Fixture::Granules {
        return Ok(());
    }
    let at = |slot| slot_address(bench, slot);
    ok(bench, Command::RealmCreate, &[at(RD), at(REALM_PARAMS)])?;
    if fixture == Fixture::Bare {
        return Ok(());
    }
    for (slot, ipa) in [(TABLE, 0), (SHARED_TABLE, SHARED)] {
        ok(bench, Command::RttCreate, &[at(RD), at(slot), ipa, 3])?;
    }
    let ram = [at(RD), CODE_IPA, RAM_IPA + GRANULE_SIZE];
    ok(bench, Command::RttInitRipas, &ram)?;
    let code = [at(RD), at(CODE), CODE_IPA, at(SOURCE), 1];
    ok(bench, Command::RttDataMapInit, &code)?;
    if fixture == Fixture::New {
        return Ok(());
    }
    let args = [at(RD), at(REC), at(REC_PARAMS)];
    let begun = call(bench, Command::RecCreate, &args);
    let ended = follow(bench, begun);
    good(Command::RecCreate, &args, ended)?;
    if is_active(fixture) {
        ok(bench, Command::RealmActivate, &[slot_address(bench, RD)])?;
        bench.program(program);
    }
    Ok(())
}

/// Follows an operation to its end, whatever that is. It is given the auxiliary
/// granules; what it gives back is taken.
fn follow(bench: &mut impl Bench, begun: [u64; 8]) -> [u64; 8] {
    let [_, handle, mut demand, ..] = begun;
    let list = slot_address(bench, LIST);
    let mut given = 0;
    let mut reply = begun;
    for _ in 0..PATIENCE {
        let Status::Incomplete { request, .. } = Status::from_raw(reply[0]) else {
            break;
        };
        reply = match request {
            MemRequest::None => call(bench, Command::OpContinue, &[handle, 0]),
            MemRequest::Reclaim => call(bench, Command::OpMemReclaim, &[handle, list, 16]),
            MemRequest::Donate => {
                let wanted = demand >> 2 & 0x3fff;
                let base = slot_address(bench, AUX) + given * GRANULE_SIZE;
                bench.write(list, base | wanted << 2);
                given += wanted;
                call(bench, Command::OpMemDonate, &[handle, list, 1])
            }
        };
        [_, _, demand, ..] = reply;
    }
    reply
}

/// Calls an operation off and follows it to its end.
fn end_operation(bench: &mut impl Bench, handle: u64) {
    let [mut x0, ..] = call(bench, Command::OpCancel, &[handle]);
    if !matches!(Status::from_raw(x0), Status::Incomplete { .. }) {
        // It cannot be called off, or is over: the next call tells.
        [x0, ..] = call(bench, Command::OpContinue, &[handle, 0]);
    }
    if x0 == Status::ErrorInput.raw() {
        let list = slot_address(bench, LIST);
        [x0, ..] = call(bench, Command::OpMemReclaim, &[handle, list, 16]);
    }
    follow(bench, [x0, handle, 0, 0, 0, 0, 0, 0]);
}

/// Takes apart whatever there is, in the order that works from every state,
/// and gives every granule of the pool back.
pub fn tear_down(bench: &mut impl Bench, handle: u64) -> Result<(), Found> {
    if handle != 0 {
        end_operation(bench, handle);
    }
    let [rd, rec] = [RD, REC].map(|slot| slot_address(bench, slot));
    let begun = call(bench, Command::RecDestroy, &[rec]);
    follow(bench, begun);
    call(bench, Command::RealmTerminate, &[rd]);
    unmap(bench, rd);
    for ipa in [0, SHARED] {
        call(bench, Command::RttDestroy, &[rd, ipa, 3]);
    }
    call(bench, Command::RealmDestroy, &[rd]);
    let mut lost = Ok(());
    for number in 0..POOL_GRANULES {
        let address = bench.pool() + number * GRANULE_SIZE;
        let range = [address, address + GRANULE_SIZE];
        // What is the host's already is refused; then it can be delegated, and
        // what can be neither is lost.
        let [found, ..] = call(bench, Command::GranuleRangeUndelegate, &range);
        if found != 0 {
            let [delegated, ..] = call(bench, Command::GranuleRangeDelegate, &range);
            let [back, ..] = call(bench, Command::GranuleRangeUndelegate, &range);
            if delegated != 0 || back != 0 {
                lost = Err(Found::Granule {
                    call: "GRANULE_RANGE_UNDELEGATE",
                    address,
                    found,
                });
            }
        }
    }
    lost
}

/// Unmaps the first block of both halves, piece by piece.
fn unmap(bench: &impl Bench, rd: u64) {
    for (command, base, report) in [
        (Command::RttDataUnmap, 0, SINGLE),
        (Command::RttUnprotUnmap, SHARED, 0),
    ] {
        let mut at = base;
        for _ in 0..PATIENCE {
            let [x0, reached, ..] = call(bench, command, &[rd, at, base + BLOCK, report, 0]);
            if x0 != 0 || reached <= at || reached >= base + BLOCK {
                break;
            }
            at = reached;
        }
    }
}
