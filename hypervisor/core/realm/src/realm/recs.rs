//! RECs: created in order of their numbers, only the first of them runnable.

use super::build::Stage;
use super::{Cause, Realm, RealmError, Rec, Step};
use crate::intent::{Backend, RecStart};
use crate::ledger::Kind;
use crate::rim::Event;
use crate::{Delegated, Granules, Memory};
use addr::Ipa;
use rmi::client::Contents;
use rmi::v1_0::MAX_AUX;

/// The granules of a REC that is to be.
struct Parts {
    rec: Granules<Delegated>,
    aux: Option<Granules<Delegated>>,
    aux_count: usize,
}

impl Parts {
    /// The addresses of the auxiliary granules.
    fn aux_list(&self) -> heapless::Vec<u64, MAX_AUX> {
        let aux = self.aux.iter();
        aux.flat_map(|aux| (0..self.aux_count).filter_map(|index| aux.get(index)))
            .map(|granule| granule.raw())
            .take(MAX_AUX)
            .collect()
    }
}

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
        let parts = self.rec_parts(memory, step)?;
        if let Err(cause) = self.make_rec(memory, index, &parts) {
            self.give_back(memory, parts.rec);
            if let Some(aux) = parts.aux {
                self.give_back(memory, aux);
            }
            return Err(step.failed(cause));
        }
        let made = Rec {
            granule: self.ledger.place(parts.rec, Kind::Rec, self.vm),
            aux: parts
                .aux
                .map(|aux| self.ledger.place(aux, Kind::RecAux, self.vm)),
            aux_count: parts.aux_count,
        };
        // The description was checked to ask for no more than there is room for.
        self.recs
            .push(made)
            .map_err(|_| step.failed(Cause::NoVcpu))?;
        if index == 0 {
            self.transcript.push(Event::Rec);
        }
        Ok(())
    }

    fn rec_parts(&self, memory: &mut impl Memory, step: Step) -> Result<Parts, RealmError> {
        let rd = self.descriptor(step)?;
        let aux_count = self.rmm.aux_count(rd).map_err(|error| step.failed(error))?;
        let rec = self.obtain(memory, 1).map_err(|cause| step.failed(cause))?;
        let aux = match aux_count {
            0 => None,
            count => match self.obtain(memory, count) {
                Ok(aux) => Some(aux),
                Err(cause) => {
                    self.give_back(memory, rec);
                    return Err(step.failed(cause));
                }
            },
        };
        Ok(Parts {
            rec,
            aux,
            aux_count,
        })
    }

    fn make_rec(&self, memory: &mut impl Memory, index: u32, parts: &Parts) -> Result<(), Cause> {
        let rd = self.descriptor(Step::Rec(index)).map_err(|e| e.cause)?;
        let params = self.params.as_ref().map(Granules::base);
        let params = params.ok_or(Cause::OutOfMemory)?;
        let first = index == 0;
        let start = RecStart {
            index,
            runnable: first,
            pc: if first { self.spec.pc } else { Ipa::new(0) },
            gprs: if first { self.spec.gprs } else { [0; 8] },
            aux: &parts.aux_list(),
        };
        let mut write = |bytes: &_| memory.write(params, bytes);
        self.rmm
            .create_rec(rd, parts.rec.base(), params, &start, &mut write)?;
        Ok(())
    }
}
