//! Where things lie in a guest's memory.

use addr::{GRANULE_SIZE, Ipa, IpaRange};
use vm_config::map::BLOCK_SIZE;
use vm_config::{Problem, RegionKind};

/// Bytes kept for a device tree.
pub const DTB_ROOM: u64 = 64 << 10;

/// First addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Of the kernel or payload.
    pub image: Ipa,
    /// Of the device tree.
    pub dtb: Ipa,
    /// Of the initial file system, if there is one.
    pub initrd: Ipa,
}

/// Addresses the VM file fixes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed {
    /// Of the kernel or payload.
    pub image: Option<Ipa>,
    /// Of the device tree.
    pub dtb: Option<Ipa>,
    /// Of the initial file system.
    pub initrd: Option<Ipa>,
}

/// What is to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Kernel or payload.
    pub kind: RegionKind,
    /// Its distance from a multiple of 2 MiB.
    pub text_offset: u64,
    /// Bytes of memory it takes, more than the file where it has a BSS.
    pub image: u64,
    /// Bytes of the initial file system.
    pub initrd: u64,
}

/// Places a guest's memory contents: the image at the start of the RAM, the
/// device tree at the next 2 MiB boundary, the initial file system behind it.
/// Two things that would share memory, or a kernel that does not fit with its
/// BSS, are refused; what else may be wrong the encoder finds.
pub fn memory_layout(memory: IpaRange, sizes: &Sizes, fixed: &Fixed) -> Result<Layout, Problem> {
    let too_large = || Problem::LargerThanMemory {
        region: sizes.kind,
        size: sizes.image,
        memory: memory.size(),
    };
    let start = memory.base().checked_add(sizes.text_offset);
    let image = fixed.image.or(start).ok_or_else(too_large)?;
    let image_range = IpaRange::with_size(image, sizes.image).map_err(|_| too_large())?;
    if sizes.image > memory.size() || !memory.encloses(image_range) {
        return Err(if sizes.image > memory.size() {
            too_large()
        } else {
            Problem::OutsideMemory {
                region: sizes.kind,
                range: image_range,
                memory,
            }
        });
    }
    let behind = image_range
        .top()
        .align_up(BLOCK_SIZE)
        .ok_or_else(too_large)?;
    let dtb = fixed.dtb.unwrap_or(behind);
    let initrd = fixed
        .initrd
        .or_else(|| dtb.checked_add(DTB_ROOM))
        .ok_or_else(too_large)?;
    let layout = Layout { image, dtb, initrd };
    check_apart(&layout, sizes)?;
    Ok(layout)
}

/// Checks what the encoder cannot see, as it knows files but no BSS.
fn check_apart(layout: &Layout, sizes: &Sizes) -> Result<(), Problem> {
    let pages = |size: u64| size.next_multiple_of(GRANULE_SIZE);
    let mut things = vec![
        (sizes.kind, layout.image, pages(sizes.image)),
        (RegionKind::Dtb, layout.dtb, DTB_ROOM),
    ];
    if sizes.initrd > 0 {
        things.push((RegionKind::Initrd, layout.initrd, pages(sizes.initrd)));
    }
    let mut placed: Vec<(RegionKind, IpaRange)> = Vec::new();
    for (kind, base, size) in things {
        let range = IpaRange::with_size(base, size).map_err(|_| Problem::BadRegion(kind))?;
        for (first, other) in &placed {
            if let Some(shared) = other.intersection(range) {
                return Err(Problem::Overlap {
                    first: *first,
                    second: kind,
                    shared,
                });
            }
        }
        placed.push((kind, range));
    }
    Ok(())
}
