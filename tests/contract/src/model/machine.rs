//! Memory with physical address spaces, and what the RMM asks of the machine.

use super::cpu;
use super::mmu::{Access, Fault, Tlb, Translation};
use super::script::{Action, Event, Guest};
use addr::{GRANULE_SIZE, GranuleAddr, Pas, PhysAddr, PhysRange};
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::AtomicBool;
use core::sync::atomic::{AtomicU64, Ordering};
use rmm_core::{
    FpState, GicState, GptRefused, Hal, LogLevel, NsFault, PageBytes, RecContext, RunExit, Stage2,
    TlbScope,
};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use zerocopy::FromZeros;

/// The host touched memory that is not Non-secure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gpf {
    /// Where.
    pub address: PhysAddr,
    /// Whose it is.
    pub pas: Pas,
}

impl fmt::Display for Gpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "granule protection fault at {}: the granule is in the {:?} address space",
            self.address, self.pas
        )
    }
}

impl std::error::Error for Gpf {}

/// Contents of a granule; `None` while the RMM has it mapped.
type Slot = Option<Box<PageBytes>>;

/// Memory and CPUs.
#[derive(Debug)]
pub struct Machine {
    dram: PhysRange,
    rmm: PhysRange,
    pages: Mutex<HashMap<GranuleAddr, Slot>>,
    spaces: Mutex<HashMap<GranuleAddr, Pas>>,
    guests: Mutex<HashMap<(u64, u64), Guest>>,
    tlb: Mutex<Tlb>,
    lines: Mutex<Vec<String>>,
    counter: AtomicU64,
    maintenance: AtomicU64,
    gics: Mutex<HashMap<usize, GicState>>,
    counting: AtomicBool,
}

/// A test that panicked says why itself; the others go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn zeroed() -> Box<PageBytes> {
    Box::new(PageBytes::new_zeroed())
}

impl Machine {
    pub(super) fn new(dram: PhysRange, rmm: PhysRange) -> Self {
        Self {
            dram,
            rmm,
            pages: Mutex::default(),
            spaces: Mutex::default(),
            guests: Mutex::default(),
            tlb: Mutex::default(),
            lines: Mutex::default(),
            counter: AtomicU64::new(1_000_000),
            maintenance: AtomicU64::new(0),
            gics: Mutex::default(),
            counting: AtomicBool::new(false),
        }
    }

    /// The address space a granule is in. DRAM begins as Non-secure, but for
    /// the RMM's memory; everything else is Root.
    pub fn pas(&self, granule: GranuleAddr) -> Pas {
        let address = granule.address();
        let start = if self.rmm.contains(address) {
            Pas::Realm
        } else if self.dram.contains(address) {
            Pas::NonSecure
        } else {
            Pas::Root
        };
        lock(&self.spaces).get(&granule).copied().unwrap_or(start)
    }

    /// Moves a granule to an address space, as EL3 may at any time.
    pub fn set_pas(&self, granule: GranuleAddr, pas: Pas) {
        lock(&self.spaces).insert(granule, pas);
    }

    /// Granules in the Realm address space besides the RMM's own.
    pub fn realm_granules(&self) -> usize {
        let spaces = lock(&self.spaces);
        spaces.values().filter(|pas| **pas == Pas::Realm).count()
    }

    /// Contents of a granule, whosever it is; empty while the RMM has it
    /// mapped.
    pub fn bytes(&self, granule: GranuleAddr) -> Vec<u8> {
        let mut pages = lock(&self.pages);
        let slot = pages.entry(granule).or_insert_with(|| Some(zeroed()));
        slot.as_ref().map_or_else(Vec::new, |page| page.0.to_vec())
    }

    /// Runs `act` on each granule's part of `address..`.
    fn each_part(
        &self,
        address: PhysAddr,
        length: usize,
        mut act: impl FnMut(&mut [u8], usize),
    ) -> Result<(), Gpf> {
        let mut done = 0;
        while done < length {
            let at = PhysAddr::new(address.raw() + done as u64);
            let granule = GranuleAddr::containing(at);
            let offset = (at.raw() % GRANULE_SIZE) as usize;
            let part = (GRANULE_SIZE as usize - offset).min(length - done);
            self.check(at, Pas::NonSecure)?;
            self.with_page(granule, |page| {
                act(&mut page.0[offset..offset + part], done)
            });
            done += part;
        }
        Ok(())
    }

    fn check(&self, address: PhysAddr, wanted: Pas) -> Result<(), Gpf> {
        match self.pas(GranuleAddr::containing(address)) {
            pas if pas == wanted => Ok(()),
            pas => Err(Gpf { address, pas }),
        }
    }

    fn with_page<T>(&self, granule: GranuleAddr, act: impl FnOnce(&mut PageBytes) -> T) -> T {
        let mut pages = lock(&self.pages);
        let slot = pages.entry(granule).or_insert_with(|| Some(zeroed()));
        let page = slot
            .as_mut()
            .unwrap_or_else(|| panic!("{granule} is used while the RMM has its page mapped"));
        act(page)
    }

    /// Reads memory as the host.
    pub fn read(&self, address: PhysAddr, to: &mut [u8]) -> Result<(), Gpf> {
        let length = to.len();
        self.each_part(address, length, |part, done| {
            to[done..done + part.len()].copy_from_slice(part);
        })
    }

    /// Writes memory as the host.
    pub fn write(&self, address: PhysAddr, from: &[u8]) -> Result<(), Gpf> {
        self.each_part(address, from.len(), |part, done| {
            part.copy_from_slice(&from[done..done + part.len()]);
        })
    }

    /// Gives a REC (by its Realm's VMID and its index) more to do.
    pub fn script(&self, vmid: u16, rec: u32, actions: impl IntoIterator<Item = Action>) {
        let mut guests = lock(&self.guests);
        let guest = guests.entry((u64::from(vmid), u64::from(rec))).or_default();
        guest.actions.extend(actions);
    }

    /// Forgets a REC's script and its memories.
    pub fn forget(&self, vmid: u16, rec: u32) {
        lock(&self.guests).remove(&(u64::from(vmid), u64::from(rec)));
    }

    /// From now on every REC runs the program of [`crate::crowd::COUNTER_CODE`]
    /// once it has no other script.
    pub fn count(&self) {
        self.counting.store(true, Ordering::SeqCst);
    }

    /// Whether RECs count.
    pub(super) fn is_counting(&self) -> bool {
        self.counting.load(Ordering::SeqCst)
    }

    /// Takes what a REC has experienced since it was last asked.
    pub fn events(&self, vmid: u16, rec: u32) -> Vec<Event> {
        let mut guests = lock(&self.guests);
        let guest = guests.entry((u64::from(vmid), u64::from(rec))).or_default();
        core::mem::take(&mut guest.events)
    }

    /// Lets time pass.
    pub fn advance(&self, ticks: u64) {
        self.counter.fetch_add(ticks, Ordering::SeqCst);
    }

    /// The physical counter.
    pub fn now(&self) -> u64 {
        self.counter.load(Ordering::SeqCst)
    }

    /// A CPU's `ICH_*` registers, as the host reads them where RMI 2.0 is
    /// spoken.
    pub fn gic(&self, cpu: usize) -> GicState {
        let mut gics = lock(&self.gics);
        gics.entry(cpu).or_insert_with(GicState::new_zeroed).clone()
    }

    /// Programs a CPU's `ICH_*` registers as the host.
    pub fn set_gic(&self, cpu: usize, gic: GicState) {
        lock(&self.gics).insert(cpu, gic);
    }

    /// How often TLBs had to forget something.
    pub fn tlb_maintenance(&self) -> u64 {
        self.maintenance.load(Ordering::SeqCst)
    }

    /// What the RMM has logged.
    pub fn log_lines(&self) -> Vec<String> {
        lock(&self.lines).clone()
    }

    /// Translates and checks an access of a Realm, and makes it. TLB maintenance
    /// waits until it is made, as a DSB does on hardware.
    pub(super) fn access<T>(
        &self,
        stage2: &Stage2,
        ipa: u64,
        access: Access,
        make: impl FnOnce(PhysAddr) -> T,
    ) -> Result<T, Fault> {
        let mut tlb = lock(&self.tlb);
        let translation: Translation = match tlb.find(stage2, ipa) {
            Some(translation) => translation,
            None => {
                let walked =
                    super::mmu::walk(stage2, ipa, |table, index| self.rtte_read(table, index))?;
                tlb.insert(stage2, ipa, walked);
                walked
            }
        };
        translation.permit(access)?;
        let address = translation.address(ipa);
        self.check(address, translation.pas())
            .map_err(|_| Fault::granule_protection())?;
        Ok(make(address))
    }

    /// Loads as a Realm from an address that [`Machine::access`] gave.
    pub(super) fn load(&self, address: PhysAddr, bytes: usize) -> u64 {
        let offset = (address.raw() % GRANULE_SIZE) as usize;
        self.with_page(GranuleAddr::containing(address), |page| {
            let mut raw = [0; 8];
            raw[..bytes].copy_from_slice(&page.0[offset..offset + bytes]);
            u64::from_le_bytes(raw)
        })
    }

    /// Stores as a Realm to an address that [`Machine::access`] gave.
    pub(super) fn store(&self, address: PhysAddr, bytes: usize, value: u64) {
        let offset = (address.raw() % GRANULE_SIZE) as usize;
        self.with_page(GranuleAddr::containing(address), |page| {
            page.0[offset..offset + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        });
    }
}

/// A page the RMM has mapped: out of the memory until it is dropped, so that
/// nobody else can touch it meanwhile.
#[derive(Debug)]
pub struct MappedPage<'m> {
    machine: &'m Machine,
    granule: GranuleAddr,
    page: Slot,
}

impl Deref for MappedPage<'_> {
    type Target = PageBytes;

    fn deref(&self) -> &PageBytes {
        self.page
            .as_ref()
            .expect("the page is there until the drop")
    }
}

impl DerefMut for MappedPage<'_> {
    fn deref_mut(&mut self) -> &mut PageBytes {
        self.page
            .as_mut()
            .expect("the page is there until the drop")
    }
}

impl Drop for MappedPage<'_> {
    fn drop(&mut self) {
        lock(&self.machine.pages).insert(self.granule, self.page.take());
    }
}

impl Hal for Machine {
    type Page<'a> = MappedPage<'a>;

    fn page(&self, granule: GranuleAddr) -> MappedPage<'_> {
        assert_eq!(self.pas(granule), Pas::Realm, "the RMM maps {granule}");
        let mut pages = lock(&self.pages);
        let slot = pages.entry(granule).or_insert_with(|| Some(zeroed()));
        let page = slot.take();
        assert!(page.is_some(), "the RMM maps {granule} twice");
        drop(pages);
        MappedPage {
            machine: self,
            granule,
            page,
        }
    }

    fn zero(&self, granule: GranuleAddr) {
        assert_eq!(self.pas(granule), Pas::Realm, "the RMM scrubs {granule}");
        self.with_page(granule, |page| page.0.fill(0));
    }

    fn copy_from_ns(&self, to: GranuleAddr, from: GranuleAddr) -> Result<(), NsFault> {
        assert_eq!(self.pas(to), Pas::Realm, "the RMM fills {to}");
        let mut bytes = [0; GRANULE_SIZE as usize];
        let result = self.read(from.address(), &mut bytes);
        // Hardware may have copied something before it meets the fault.
        let copied = if result.is_ok() { bytes.len() } else { 8 };
        if result.is_err() {
            bytes.fill(0xee);
        }
        self.with_page(to, |page| {
            page.0[..copied].copy_from_slice(&bytes[..copied]);
        });
        result.map_err(|_| NsFault)
    }

    fn ns_read(&self, from: GranuleAddr, offset: usize, to: &mut [u8]) -> Result<(), NsFault> {
        assert!(offset.is_multiple_of(8) && to.len().is_multiple_of(8));
        assert!(offset + to.len() <= GRANULE_SIZE as usize);
        let at = PhysAddr::new(from.raw() + offset as u64);
        self.read(at, to).map_err(|_| NsFault)
    }

    fn ns_write(&self, to: GranuleAddr, offset: usize, from: &[u8]) -> Result<(), NsFault> {
        assert!(offset.is_multiple_of(8) && from.len().is_multiple_of(8));
        assert!(offset + from.len() <= GRANULE_SIZE as usize);
        let at = PhysAddr::new(to.raw() + offset as u64);
        self.write(at, from).map_err(|_| NsFault)
    }

    fn rtte_read(&self, table: GranuleAddr, index: usize) -> u64 {
        assert_eq!(self.pas(table), Pas::Realm, "{table} is walked as a table");
        self.with_page(table, |page| {
            let mut raw = [0; 8];
            raw.copy_from_slice(&page.0[index * 8..index * 8 + 8]);
            u64::from_le_bytes(raw)
        })
    }

    fn rtte_write(&self, table: GranuleAddr, index: usize, value: u64) {
        assert_eq!(self.pas(table), Pas::Realm, "{table} is written as a table");
        self.with_page(table, |page| {
            page.0[index * 8..index * 8 + 8].copy_from_slice(&value.to_le_bytes());
        });
    }

    fn tlb_invalidate(&self, stage2: &Stage2, scope: TlbScope) {
        self.maintenance.fetch_add(1, Ordering::SeqCst);
        lock(&self.tlb).invalidate(stage2, scope);
    }

    fn delegate(&self, granule: GranuleAddr) -> Result<(), GptRefused> {
        match self.pas(granule) {
            Pas::NonSecure => {
                self.set_pas(granule, Pas::Realm);
                Ok(())
            }
            _ => Err(GptRefused),
        }
    }

    fn undelegate(&self, granule: GranuleAddr) -> Result<(), GptRefused> {
        match self.pas(granule) {
            Pas::Realm => {
                self.set_pas(granule, Pas::NonSecure);
                Ok(())
            }
            _ => Err(GptRefused),
        }
    }

    fn run(
        &self,
        _cpu: usize,
        context: &mut RecContext,
        _fp: &mut FpState,
        stage2: &Stage2,
    ) -> RunExit {
        let key = (stage2.vttbr >> 48, rec_index(context.vmpidr));
        let mut guest = lock(&self.guests).remove(&key).unwrap_or_default();
        if self.is_counting() && cpu::is_fresh_counter(context) {
            guest = Guest::default();
        }
        let exit = cpu::run(self, &mut guest, context, stage2);
        lock(&self.guests).insert(key, guest);
        exit
    }

    fn gic_take(&self, cpu: usize, gic: &mut GicState) {
        gic.clone_from(&self.gic(cpu));
    }

    fn gic_give(&self, cpu: usize, gic: &GicState) {
        self.set_gic(cpu, gic.clone());
    }

    fn counter(&self) -> u64 {
        self.now()
    }

    fn log_enabled(&self, _level: LogLevel) -> bool {
        true
    }

    fn log(&self, level: LogLevel, line: fmt::Arguments<'_>) {
        lock(&self.lines).push(format!("{level:?}: {line}"));
    }
}

/// The REC index that a Realm reads out of its `MPIDR_EL1`.
fn rec_index(vmpidr: u64) -> u64 {
    let aff = |shift: u32| (vmpidr >> shift) & 0xff;
    aff(0) | aff(8) << 4 | aff(16) << 12 | aff(32) << 20
}
