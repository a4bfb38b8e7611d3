//! The memory of a plain VM, from the first page to the last.

use core::fmt;

use addr::{GRANULE_SIZE, GranuleAddr, Ipa, IpaRange, PhysAddr};
use heapless::Vec;
use realm::rim::PageSource;
use realm::{Memory, Progress, Teardown};
use stage2::{Features, Maintenance, MapError, Place, Registers, Size, Tables, Unsupported, Vmid};
use vm_config::{MAX_REGIONS, Populate, VmPlan};

/// Contents that are in a guest's RAM when it starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Image {
    ipa: Ipa,
    source: GranuleAddr,
    pages: u64,
}

/// What a plain VM's memory shall be.
#[derive(Clone, Debug)]
pub struct Spec {
    ram: IpaRange,
    ipa_bits: u8,
    populate: Populate,
    images: Vec<Image, MAX_REGIONS>,
}

impl Spec {
    /// The memory that `vm` asks for, its contents in the bundle at `bundle`.
    /// `None` for what no checked plan has: an unaligned bundle, or numbers that
    /// do not fit.
    pub fn of_plan(vm: &VmPlan, bundle: PhysAddr) -> Option<Self> {
        let mut images = Vec::new();
        for region in &vm.regions {
            let source = bundle.checked_add(region.offset)?;
            let image = Image {
                ipa: region.range.base(),
                source: GranuleAddr::new(source).ok()?,
                pages: region.range.size() / GRANULE_SIZE,
            };
            images.push(image).ok()?;
        }
        Some(Self {
            ram: vm.memory,
            ipa_bits: vm.ipa_bits,
            populate: vm.populate,
            images,
        })
    }
}

/// Why memory was not provided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemoryError {
    /// There is none left.
    OutOfMemory,
    /// The address is not RAM of the VM.
    NotRam(Ipa),
    /// The bundle does not hold the page.
    NoContents(GranuleAddr),
    /// The CPU cannot hold such a VM.
    Unsupported(Unsupported),
    /// The tables refused.
    Map(MapError),
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory => {
                f.write_str("there is no memory left: give the machine more or its VMs less")
            }
            Self::NotRam(ipa) => write!(f, "it wants RAM at {ipa}, where it has none"),
            Self::NoContents(page) => write!(f, "{page} is not in the bundle: build it again"),
            Self::Unsupported(unsupported) => unsupported.fmt(f),
            Self::Map(error) => error.fmt(f),
        }
    }
}

impl From<MapError> for MemoryError {
    fn from(error: MapError) -> Self {
        match error {
            MapError::OutOfMemory => Self::OutOfMemory,
            error => Self::Map(error),
        }
    }
}

/// The memory of one VM. What it owns its tables know, so that it can be taken
/// down from any state.
#[derive(Debug)]
pub struct GuestMemory {
    spec: Spec,
    tables: Option<Tables>,
    /// The next page to copy: of which image, and which of it.
    next: (usize, u64),
}

impl GuestMemory {
    /// Memory that does not exist yet.
    pub const fn new(spec: Spec) -> Self {
        Self {
            spec,
            tables: None,
            next: (0, 0),
        }
    }

    /// What to load into a CPU that runs the VM, once it was built.
    pub fn registers(&self) -> Option<Registers> {
        self.tables.as_ref().map(Tables::registers)
    }

    /// The VM's RAM.
    pub const fn ram(&self) -> IpaRange {
        self.spec.ram
    }

    /// Makes the tables. The VMID must stay the VM's until they are taken down.
    pub fn create(
        &mut self,
        memory: &mut impl Memory,
        maintenance: &mut impl Maintenance,
        features: Features,
        vmid: &Vmid,
    ) -> Result<(), MemoryError> {
        if self.tables.is_some() {
            return Ok(());
        }
        let tables = Tables::new(memory, maintenance, self.spec.ipa_bits, features, vmid)
            .map_err(MemoryError::Unsupported)?;
        self.tables = Some(tables.ok_or(MemoryError::OutOfMemory)?);
        self.next = (0, 0);
        Ok(())
    }

    /// Copies up to `pages` pages of the images in.
    pub fn advance(
        &mut self,
        memory: &mut impl Memory,
        maintenance: &mut impl Maintenance,
        source: &impl PageSource,
        pages: usize,
    ) -> Result<Progress, MemoryError> {
        for _ in 0..pages {
            let (image, page) = self.next;
            let Some(image) = self.spec.images.get(image).copied() else {
                break;
            };
            if page < image.pages {
                self.copy(memory, maintenance, source, image, page)?;
                self.next.1 += 1;
            } else {
                self.next = (self.next.0 + 1, 0);
            }
        }
        let (image, page) = self.next;
        let count = |images: &[Image]| images.iter().map(|image| image.pages).sum::<u64>();
        let before = self.spec.images.get(..image).unwrap_or_default();
        Ok(Progress {
            done: count(before) + page,
            total: count(&self.spec.images),
            ready: image >= self.spec.images.len() && self.tables.is_some(),
        })
    }

    fn copy(
        &mut self,
        memory: &mut impl Memory,
        maintenance: &mut impl Maintenance,
        source: &impl PageSource,
        image: Image,
        page: u64,
    ) -> Result<(), MemoryError> {
        let (Some(ipa), Some(from)) = (
            image.ipa.checked_add(page * GRANULE_SIZE),
            image.source.checked_add(page),
        ) else {
            return Err(MemoryError::NotRam(image.ipa));
        };
        let bytes = source.page(from).ok_or(MemoryError::NoContents(from))?;
        self.populate_on_fault(memory, maintenance, ipa)?;
        let to = self
            .translate(memory, ipa)
            .ok_or(MemoryError::NotRam(ipa))?;
        let to = GranuleAddr::containing(to);
        memory.write(to, bytes);
        maintenance.written(to, 1);
        maintenance.executable(to);
        Ok(())
    }

    /// Provides the memory that a fault at `ipa` asks for; returns how many pages
    /// came to be. Zero means that another vCPU was faster.
    pub fn populate_on_fault(
        &mut self,
        memory: &mut impl Memory,
        maintenance: &mut impl Maintenance,
        ipa: Ipa,
    ) -> Result<usize, MemoryError> {
        let tables = match &mut self.tables {
            Some(tables) if self.spec.ram.contains(ipa) => tables,
            _ => return Err(MemoryError::NotRam(ipa)),
        };
        let size = match tables.place(memory, ipa) {
            Place::Mapped(..) => return Ok(0),
            Place::Free(size) => size,
            Place::Outside => return Err(MemoryError::NotRam(ipa)),
        };
        if size == Size::Block
            && self.spec.populate == Populate::Blocks
            && within(self.spec.ram, ipa)
        {
            match provide(tables, memory, maintenance, ipa, Size::Block) {
                // A single page may still be there.
                Err(MemoryError::OutOfMemory) => {}
                provided => return provided,
            }
        }
        provide(tables, memory, maintenance, ipa, Size::Page)
    }

    /// Where in memory `ipa` is, for devices that read and write a guest's.
    pub fn translate(&self, memory: &impl Memory, ipa: Ipa) -> Option<PhysAddr> {
        self.tables.as_ref()?.translate(memory, ipa)
    }

    /// Gives everything back. No CPU may have the VM's stage 2 loaded. Afterwards
    /// it may be built again.
    pub fn teardown(
        &mut self,
        memory: &mut impl Memory,
        maintenance: &mut impl Maintenance,
    ) -> Teardown {
        self.next = (0, 0);
        let mut taken = Teardown::default();
        if let Some(tables) = self.tables.take() {
            taken.returned = tables.take_down(memory, maintenance);
        }
        taken
    }
}

/// Whether the block around `ipa` lies within RAM.
fn within(ram: IpaRange, ipa: Ipa) -> bool {
    let block = Size::Block.bytes();
    IpaRange::with_size(ipa.align_down(block), block).is_ok_and(|block| ram.encloses(block))
}

/// Maps zeroed memory around `ipa`.
fn provide(
    tables: &mut Tables,
    memory: &mut impl Memory,
    maintenance: &mut impl Maintenance,
    ipa: Ipa,
    size: Size,
) -> Result<usize, MemoryError> {
    let pages = size.pages();
    let run = memory.alloc_zeroed(pages).ok_or(MemoryError::OutOfMemory)?;
    maintenance.written(run.base(), pages);
    let at = ipa.align_down(size.bytes());
    match tables.map(memory, maintenance, at, run.base(), size) {
        Ok(()) => Ok(pages),
        Err(error) => {
            memory.free(run);
            Err(error.into())
        }
    }
}
