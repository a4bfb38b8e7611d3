//! RECs: created in order of their numbers, only the first of them runnable.

use super::build::Stage;
use super::{Cause, Realm, RealmError, Rec, Step};
use crate::Memory;
use crate::intent::{Backend, RecStart, Reserve};
use crate::ledger::Kind;
use crate::rim::Event;
use crate::{Delegated, Granules};
use addr::{GranuleAddr, Ipa};
use rmi::client::Contents;

impl<B: Backend> Realm<'_, B> {
    /// Creates the next REC, or goes on if all are there.
    pub(super) fn create_rec(&mut self, memory: &mut impl Memory) -> Result<(), RealmError> {
        let index = self.recs.len() as u32;
        let step = Step::Rec(index);
        if index == self.spec.vcpus {
            self.stage = Stage::Data {
                contents: Contents::Unmeasured,
                image: 0,
                page: 0,
            };
            return Ok(());
        }
        let rd = self.descriptor(step)?;
        let wanted = self.rmm.reserve(rd).map_err(|error| step.failed(error))?;
        let rec = self.obtain(memory, 1).map_err(|cause| step.failed(cause))?;
        let aux = match wanted.min(Reserve::MAX) {
            0 => None,
            count => match self.obtain(memory, count) {
                Ok(aux) => Some(aux),
                Err(cause) => {
                    self.give_back(memory, rec);
                    return Err(step.failed(cause));
                }
            },
        };
        let mut reserve = Reserve::default();
        if let Some(aux) = &aux {
            reserve = Reserve::new(aux.base(), aux.count());
        }
        let result = self.make_rec(memory, index, rec.base(), &mut reserve);
        if let Some(aux) = aux {
            self.share_out(memory, aux, &reserve);
        }
        if let Err(cause) = result {
            self.give_back(memory, rec);
            return Err(step.failed(cause));
        }
        let granule = self.ledger.place(rec, Kind::Rec, self.vm);
        // The description was checked to ask for no more than there is room for.
        self.recs
            .push(Rec { granule, reserve })
            .map_err(|_| step.failed(Cause::NoVcpu))?;
        if index == 0 {
            self.transcript.push(Event::Rec);
        }
        Ok(())
    }

    /// Notes what the RMM uses of a reserve, and gives the rest back.
    fn share_out(&self, memory: &mut impl Memory, aux: Granules<Delegated>, reserve: &Reserve) {
        let mut rest = Some(aux);
        let mut at = 0;
        while let Some(run) = rest.take() {
            let held = reserve.holds(at);
            let same = (at..reserve.count()).take_while(|index| reserve.holds(*index) == held);
            let length = same.count().max(1);
            let (run, others) = run.split(length);
            match run {
                Some(run) if held => {
                    self.ledger.place(run, Kind::RecAux, self.vm);
                }
                Some(run) => self.give_back(memory, run),
                None => {}
            }
            at += length;
            rest = others;
        }
    }

    fn make_rec(
        &self,
        memory: &mut impl Memory,
        index: u32,
        rec: GranuleAddr,
        reserve: &mut Reserve,
    ) -> Result<(), Cause> {
        let rd = self.descriptor(Step::Rec(index)).map_err(|e| e.cause)?;
        let mut desk = self.desk(memory).ok_or(Cause::OutOfMemory)?;
        let first = index == 0;
        let start = RecStart {
            index,
            runnable: first,
            pc: if first { self.spec.pc } else { Ipa::new(0) },
            gprs: if first { self.spec.gprs } else { [0; 8] },
        };
        self.rmm.create_rec(rd, rec, &start, reserve, &mut desk)?;
        Ok(())
    }
}
