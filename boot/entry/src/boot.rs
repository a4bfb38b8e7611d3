//! What the entry path hands to `main`, and what a secondary CPU starts from.
#![expect(unsafe_code, reason = "the bundle header is read out of the image")]

use addr::{PhysAddr, PhysRange};

use crate::image::Image;

/// "!SUZNDB1", little endian.
pub(crate) const BUNDLE_MAGIC: u64 = 0x3142_444e_5a55_5321;

unsafe extern "C" {
    static suz_bundle_header: [u64; 3];
    fn suz_secondary_entry();
}

/// What the boot loader and the image tool left for the hypervisor.
#[derive(Clone, Copy, Debug)]
pub struct BootInfo {
    /// Where the flattened device tree lies, as x0 had it.
    pub fdt: PhysAddr,
    /// The running image.
    pub image: Image,
    /// The descriptions of the VMs and their payload, if the image has any.
    pub bundle: Option<PhysRange>,
    /// The physical counter when the boot loader jumped here.
    pub entered: u64,
}

impl BootInfo {
    /// Takes the arguments of `suz_main`.
    pub fn new(fdt: u64, image_base: u64, entered: u64) -> Self {
        // SAFETY: entry.S reserves three words at this symbol; the image tool
        // writes them before boot and nothing does afterwards.
        let [magic, offset, size] = unsafe { suz_bundle_header };
        let image = Image::this();
        assert_eq!(image.text.base().raw(), image_base, "image was moved");
        let bundle = (magic == BUNDLE_MAGIC && size != 0)
            .then(|| image.text.base().checked_add(offset))
            .flatten()
            .and_then(|base| PhysRange::with_size(base, size).ok())
            .filter(|bundle| !bundle.overlaps(image.whole()));
        Self {
            fdt: PhysAddr::new(fdt),
            image,
            bundle,
            entered,
        }
    }
}

/// What [`secondary_entry`] reads, with its MMU off: clean it to the point of
/// coherency before PSCI CPU_ON, whose context argument is its address.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SecondaryBoot {
    /// `TTBR0_EL2`: the final map, which the boot CPU runs on already.
    pub ttbr: u64,
    /// First stack pointer.
    pub stack_top: u64,
    /// Dense number of the CPU, for `TPIDR_EL2`.
    pub cpu: u64,
}

/// The entry point to give to PSCI CPU_ON.
pub fn secondary_entry() -> PhysAddr {
    PhysAddr::new(suz_secondary_entry as *const () as u64)
}
