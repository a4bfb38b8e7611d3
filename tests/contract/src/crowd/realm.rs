//! The Realm of every scenario, and its RECs, which count.
//!
//! Each call checks its own answer, so that a scenario reads as what it does.

use super::host::{Host, SINGLE};
use super::{Wrong, expect};
use crate::case::Dialect;
use addr::GRANULE_SIZE;
use core::mem::offset_of;
use rmi::v1_0::{
    Command as Old, ENTER_FLAG_EMUL_MMIO, MAX_AUX, Mpidr, RealmParams, RecExit, RecParams, RecRun,
};
use rmi::v2_0::Command as New;
use rmi::v2_0::range::{BlockSize, RangeDesc, StateField};

/// IPA width of every Realm.
const S2SZ: u64 = 33;
/// First address of the shared half, where nothing is ever mapped.
const SHARED: u64 = 1 << (S2SZ - 1);
/// A page of private memory.
pub const PRIVATE: u64 = 0x1000;
/// Start tables of every Realm.
const TABLES: u64 = 8;
/// What every REC runs: for x4 rounds it stores the count it has in x3 to private
/// memory at x2; then it counts, stores the new count there, loads it from there,
/// and stores what it loaded to the shared address in x1, which brings it out.
pub const COUNTER_CODE: [u32; 10] = [
    0xaa04_03e5, // mov x5, x4
    0xb400_0085, // cbz x5, .+16
    0xf900_0043, // str x3, [x2]
    0xd100_04a5, // sub x5, x5, #1
    0x17ff_fffd, // b .-12
    0x9100_0463, // add x3, x3, #1
    0xf900_0043, // str x3, [x2]
    0xf940_0046, // ldr x6, [x2]
    0xb900_0026, // str w6, [x1]
    0x17ff_fff7, // b .-36
];

/// How a REC came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Came {
    /// With the count it stored to the shared address.
    Counted(u64),
    /// With a fault on private memory.
    Missing(u64),
    /// It did not run: x0.
    Not(u64),
}

/// A Realm, whose granules lie in the area at `base`.
#[derive(Clone, Copy)]
pub struct Realm<'a> {
    pub host: Host<'a>,
    base: u64,
    vmid: u64,
    /// Where its RECs keep their counts.
    counts: u64,
}

impl<'a> Realm<'a> {
    /// The Realm whose granules are at `base`, wherever it stands.
    pub fn at(host: Host<'a>, base: u64, vmid: u64) -> Self {
        Self {
            host,
            base,
            vmid,
            counts: PRIVATE,
        }
    }

    /// The same Realm with the counts of its RECs elsewhere.
    pub fn using(self, counts: u64) -> Self {
        Self { counts, ..self }
    }

    fn granule(&self, number: u64) -> u64 {
        self.base + number * GRANULE_SIZE
    }

    pub fn rd(&self) -> u64 {
        self.granule(TABLES)
    }

    fn table(&self) -> u64 {
        self.granule(9)
    }

    fn code(&self) -> u64 {
        self.granule(10)
    }

    /// Memory for [`PRIVATE`].
    pub fn data(&self) -> u64 {
        self.granule(11)
    }

    /// A granule for another table.
    pub fn spare(&self) -> u64 {
        self.granule(12)
    }

    pub fn rec(&self, index: u64) -> u64 {
        self.granule(16 + index)
    }

    /// The first of a REC's auxiliary granules.
    fn aux(&self, index: u64) -> u64 {
        self.granule(32 + index * MAX_AUX as u64)
    }

    /// A block of 2 MiB behind everything else.
    pub fn block(&self) -> u64 {
        self.base + (2 << 20)
    }

    /// Creates the Realm with a table for its first addresses and its code.
    pub fn create(&self) -> Result<(), Wrong> {
        let host = &self.host;
        for number in 0..=10 {
            host.delegate(self.granule(number))?;
        }
        host.clear(host.page);
        let vmid = match host.dialect {
            Dialect::V1_0 => self.vmid,
            Dialect::V2_0 => 0,
        };
        for (offset, value) in [
            (offset_of!(RealmParams, s2sz), S2SZ),
            (offset_of!(RealmParams, num_bps), 1),
            (offset_of!(RealmParams, num_wps), 1),
            (offset_of!(RealmParams, vmid), vmid),
            (offset_of!(RealmParams, rtt_base), self.base),
            (offset_of!(RealmParams, rtt_level_start), 2),
            (offset_of!(RealmParams, rtt_num_start), TABLES),
        ] {
            host.put(offset, value);
        }
        let args = [self.rd(), host.page];
        let [x0, ..] = host.call(Old::RealmCreate, New::RealmCreate, &args);
        expect("the status of REALM_CREATE", x0, 0)?;
        self.rtt_create(self.table(), 0)?;
        self.init_ram(0, PRIVATE + GRANULE_SIZE)?;
        self.put_code()
    }

    /// Makes private addresses below one entry RAM, before activation.
    pub fn init_ram(&self, base: u64, top: u64) -> Result<(), Wrong> {
        let args = [self.rd(), base, top];
        let [x0, ..] = self.host.call(Old::RttInitRipas, New::RttInitRipas, &args);
        expect("the status of RTT_INIT_RIPAS", x0, 0)
    }

    fn put_code(&self) -> Result<(), Wrong> {
        let host = &self.host;
        host.clear(host.source());
        for (number, pair) in (0..).zip(COUNTER_CODE.chunks(2)) {
            let [first, second] = [0, 1].map(|at| u64::from(pair.get(at).copied().unwrap_or(0)));
            let word = first | second << 32;
            host.seat.write(host.source() + number * 8, word);
        }
        let args = [self.rd(), self.code(), 0, host.source(), 0];
        let [x0, ..] = host.call(Old::DataCreate, New::RttDataMapInit, &args);
        expect("the status of the creation of code", x0, 0)
    }

    pub fn activate(&self) -> Result<(), Wrong> {
        let host = &self.host;
        let [x0, ..] = host.call(Old::RealmActivate, New::RealmActivate, &[self.rd()]);
        expect("the status of REALM_ACTIVATE", x0, 0)
    }

    pub fn rtt_create(&self, table: u64, ipa: u64) -> Result<(), Wrong> {
        let args = [self.rd(), table, ipa, 3];
        let [x0, ..] = self.host.call(Old::RttCreate, New::RttCreate, &args);
        expect("the status of RTT_CREATE", x0, 0)
    }

    /// Destroys a table or folds it, and undelegates it.
    pub fn rtt_end(&self, old: Old, new: New, ipa: u64) -> Result<(), Wrong> {
        let [x0, table, ..] = self.host.call(old, new, &[self.rd(), ipa, 3]);
        expect("the status of the end of a table", x0, 0)?;
        self.host.undelegate(table)
    }

    /// Puts a delegated granule at a private address.
    pub fn data_create(&self, data: u64, ipa: u64) -> Result<(), Wrong> {
        let host = &self.host;
        let [x0, ..] = match host.dialect {
            Dialect::V1_0 => {
                let args = [self.rd(), data, ipa];
                host.old_call(Old::DataCreateUnknown, &args)
            }
            Dialect::V2_0 => {
                let desc = Host::descriptor(data, BlockSize::Size4K, 1);
                let args = [self.rd(), ipa, ipa + GRANULE_SIZE, SINGLE, desc];
                host.new_call(New::RttDataMap, &args)
            }
        };
        expect("the status of the creation of data", x0, 0)
    }

    /// Takes the memory at a private address out of the Realm; it stays delegated.
    pub fn data_destroy(&self, ipa: u64) -> Result<u64, Wrong> {
        let host = &self.host;
        let (x0, granule) = match host.dialect {
            Dialect::V1_0 => {
                let args = [self.rd(), ipa];
                let [x0, data, ..] = host.old_call(Old::DataDestroy, &args);
                (x0, data)
            }
            Dialect::V2_0 => {
                let args = [self.rd(), ipa, ipa + GRANULE_SIZE, SINGLE, 0];
                let [x0, _, raw, ..] = host.new_call(New::RttDataUnmap, &args);
                let desc = RangeDesc::decode(raw, StateField::OneBit);
                (x0, desc.map_or(0, |desc| desc.base().raw()))
            }
        };
        expect("the status of the destruction of data", x0, 0)?;
        Ok(granule)
    }

    /// x0 of the creation of a REC whose granule is delegated already.
    pub fn try_rec_create(&self, index: u64, wait: u64) -> Result<u64, Wrong> {
        self.put_rec_params(index, wait);
        match self.host.dialect {
            Dialect::V1_0 => self.rec_create_old(index),
            Dialect::V2_0 => self.rec_follow(self.rec_begin(index), index),
        }
    }

    fn put_rec_params(&self, index: u64, wait: u64) {
        let host = &self.host;
        host.clear(host.page);
        let mpidr = u32::try_from(index).map_or(0, |index| Mpidr::from_index(index).raw());
        for (offset, value) in [
            (offset_of!(RecParams, flags), 1),
            (offset_of!(RecParams, mpidr), mpidr),
        ] {
            host.put(offset, value);
        }
        let gprs = [0, SHARED, self.counts + index * 8, 0, wait];
        for (number, value) in gprs.into_iter().enumerate() {
            host.put(offset_of!(RecParams, gprs) + number * 8, value);
        }
    }

    /// Begins the creation of a REC in RMI 2.0; x0, the handle, what is wanted.
    pub fn begin_rec(&self, index: u64) -> Result<[u64; 3], Wrong> {
        self.host.delegate(self.rec(index))?;
        self.put_rec_params(index, 0);
        let [x0, handle, demand, ..] = self.rec_begin(index);
        Ok([x0, handle, demand])
    }

    fn rec_begin(&self, index: u64) -> [u64; 8] {
        let args = [self.rd(), self.rec(index), self.host.page];
        self.host.new_call(New::RecCreate, &args)
    }

    /// Ends what [`Realm::begin_rec`] has begun, on whatever CPU.
    pub fn end_rec(&self, begun: [u64; 3], index: u64) -> Result<(), Wrong> {
        let [x0, handle, demand] = begun;
        let x0 = self.rec_follow([x0, handle, demand, 0, 0, 0, 0, 0], index)?;
        expect("the status of REC_CREATE", x0, 0)
    }

    fn rec_follow(&self, begun: [u64; 8], index: u64) -> Result<u64, Wrong> {
        // Donations are listed in another page, because the parameters are read
        // at the end.
        let lists = Host {
            page: self.host.source(),
            ..self.host
        };
        lists.follow(begun, self.aux(index))
    }

    fn rec_create_old(&self, index: u64) -> Result<u64, Wrong> {
        let host = &self.host;
        let count = self.aux_count()?;
        host.put(offset_of!(RecParams, num_aux), count);
        for number in 0..count {
            let granule = self.aux(index) + number * GRANULE_SIZE;
            host.delegate(granule)?;
            host.put(offset_of!(RecParams, aux) + number as usize * 8, granule);
        }
        let args = [self.rd(), self.rec(index), host.page];
        let [x0, ..] = host.old_call(Old::RecCreate, &args);
        if x0 != 0 {
            self.undelegate_aux(index)?;
        }
        Ok(x0)
    }

    fn aux_count(&self) -> Result<u64, Wrong> {
        let [x0, count, ..] = self.host.old_call(Old::RecAuxCount, &[self.rd()]);
        expect("the status of REC_AUX_COUNT", x0, 0)?;
        Ok(count.min(MAX_AUX as u64))
    }

    fn undelegate_aux(&self, index: u64) -> Result<(), Wrong> {
        for number in 0..self.aux_count()? {
            self.host
                .undelegate(self.aux(index) + number * GRANULE_SIZE)?;
        }
        Ok(())
    }

    /// Creates a REC that waits for `wait` rounds before it counts.
    pub fn rec_create(&self, index: u64, wait: u64) -> Result<(), Wrong> {
        self.host.delegate(self.rec(index))?;
        let x0 = self.try_rec_create(index, wait)?;
        expect("the status of REC_CREATE", x0, 0)
    }

    /// Destroys a REC and takes its granules back.
    pub fn rec_destroy(&self, index: u64) -> Result<(), Wrong> {
        let host = &self.host;
        let begun = host.call(Old::RecDestroy, New::RecDestroy, &[self.rec(index)]);
        let x0 = match host.dialect {
            Dialect::V1_0 => {
                let [x0, ..] = begun;
                if x0 == 0 {
                    self.undelegate_aux(index)?;
                }
                x0
            }
            Dialect::V2_0 => host.follow(begun, 0)?,
        };
        expect("the status of REC_DESTROY", x0, 0)?;
        host.undelegate(self.rec(index))
    }

    /// Enters a REC that came out with a count the last time, or for the first
    /// time.
    pub fn enter(&self, index: u64, is_first: bool) -> Came {
        let host = &self.host;
        let run = host.run_page();
        let flags = if is_first { 0 } else { ENTER_FLAG_EMUL_MMIO };
        host.seat.write(run, flags);
        let args = [self.rec(index), run];
        let [x0, ..] = host.call(Old::RecEnter, New::RecEnter, &args);
        if x0 != 0 {
            return Came::Not(x0);
        }
        let exit = |offset| {
            let offset = offset_of!(RecRun, exit) + offset;
            host.seat.read(run + offset as u64)
        };
        let hpfar = exit(offset_of!(RecExit, hpfar));
        if exit(offset_of!(RecExit, exit_reason)) == 0 && hpfar == SHARED >> 8 {
            Came::Counted(exit(offset_of!(RecExit, gprs)))
        } else {
            Came::Missing(hpfar)
        }
    }

    /// Ends the Realm, whose RECs are gone, and takes everything back.
    pub fn destroy(&self) -> Result<(), Wrong> {
        let host = &self.host;
        let code = self.data_destroy(0)?;
        host.undelegate(code)?;
        self.rtt_end(Old::RttDestroy, New::RttDestroy, 0)?;
        let [x0, ..] = host.call(Old::RealmDestroy, New::RealmDestroy, &[self.rd()]);
        expect("the status of REALM_DESTROY", x0, 0)?;
        for number in 0..=TABLES {
            host.undelegate(self.granule(number))?;
        }
        Ok(())
    }

    /// What RMI 2.0 wants before a Realm is taken apart.
    pub fn terminate(&self) -> Result<(), Wrong> {
        match self.host.dialect {
            Dialect::V1_0 => Ok(()),
            Dialect::V2_0 => {
                let [x0, ..] = self.host.new_call(New::RealmTerminate, &[self.rd()]);
                expect("the status of REALM_TERMINATE", x0, 0)
            }
        }
    }
}
