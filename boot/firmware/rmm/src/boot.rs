//! The boot of the RMM, from EL3's hand-over to the first RMI.

use crate::hw::{console, cpu, entry, layout, memory, phys, sha256, smc, stop, world};
use crate::serve;
use addr::{GRANULE_SIZE, GranuleAddr, PhysAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use rmm_core::{Dialect, Known};
use rmm_image::interface::Interface;
use rmm_image::manifest::Manifest;
use rmm_image::stage1::MapError;
use spin::Once;

/// What EL3 is told at the end of a boot (RMM-EL3 interface, §2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i64)]
pub enum BootCode {
    /// Ready for RMIs.
    Ok = 0,
    /// Anything without a code of its own.
    Unknown = -1,
    /// The interface version is not one the RMM speaks.
    InterfaceVersion = -2,
    /// EL3 has more CPUs than the RMM has room for.
    TooManyCpus = -3,
    /// A CPU's index is out of range.
    CpuId = -4,
    /// The shared page's address is bad.
    SharedPage = -5,
    /// The manifest's version is not one the RMM reads.
    ManifestVersion = -6,
    /// The manifest contradicts itself or the machine.
    ManifestData = -7,
}

/// "!SUZBHV1", then the number of the RMM to behave like ([`Known`]): whoever
/// builds a flash finds the pair in this image and changes the number.
static BEHAVIOUR: [AtomicU64; 2] = [
    AtomicU64::new(u64::from_le_bytes(*b"!SUZBHV1")),
    AtomicU64::new(Known::Own as u64),
];

/// The interface that EL3 offered on the cold boot.
static INTERFACE: Once<Interface> = Once::new();

/// Checks what EL3 hands over and plans the final map; returns its root.
pub fn prepare(version: u64, max_cpus: u64, shared_page: u64) -> Result<u64, BootCode> {
    let interface = Interface::from_version(version).ok_or(BootCode::InterfaceVersion)?;
    INTERFACE.call_once(|| interface);
    if max_cpus == 0 || max_cpus > layout::MAX_CPUS as u64 {
        return Err(BootCode::TooManyCpus);
    }
    let page = memory::shared_page(shared_page).ok_or(BootCode::SharedPage)?;
    let manifest =
        Manifest::parse(page, PhysAddr::new(shared_page)).map_err(|error| match error {
            rmm_image::manifest::ManifestError::Version(_) => BootCode::ManifestVersion,
            _ => BootCode::ManifestData,
        })?;
    memory::plan(manifest, shared_page).map_err(|error| match error {
        MapError::Occupied(_) | MapError::Range(_) => BootCode::ManifestData,
        MapError::NoTable => BootCode::Unknown,
    })
}

/// Brings up a CPU and serves RMIs on it for ever.
pub fn run_cpu(index: usize, first: bool) -> ! {
    cpu::claim(index);
    world::init();
    if first {
        memory::attach_console();
        console::init();
        check_protection();
        let dialect = dialect();
        let granules = serve::start(dialect);
        check_sha256();
        log::info!(
            "Suzerain RMM at {:#x}: RMI {}, {} MiB of memory tracked",
            layout::image_base(),
            match dialect {
                Dialect::V1_0 => "1.0",
                Dialect::V2_0(_) => "2.0",
            },
            (granules * GRANULE_SIZE) >> 20,
        );
        entry::open_to_secondaries();
        stop::serving();
    } else {
        log::debug!("CPU {index} is up");
    }
    serve::run(index, smc::boot_complete(BootCode::Ok as i64))
}

/// The RMI that pairs with the interface. The worlds' shares in the GIC decide
/// it: RMI 2.0 needs the host's own `ICH_*` registers, RMI 1.0 must not see them.
fn dialect() -> Dialect {
    match INTERFACE.get() {
        Some(Interface::V2) => Dialect::V2_0(known().behaviour()),
        Some(Interface::V0) | None => Dialect::V1_0,
    }
}

/// The RMM of RMI 2.0 to behave like.
fn known() -> Known {
    // Nobody writes it while this runs, which the compiler must not know.
    let [_, word] = core::hint::black_box(&BEHAVIOUR);
    let word = word.load(Ordering::Relaxed);
    let known = Known::from_word(word).unwrap_or_else(|| {
        log::warn!("there is no behaviour {word}: this RMM behaves like itself");
        Known::Own
    });
    if known != Known::Own {
        log::info!("behaving like {}", known.name());
    }
    known
}

/// Without granule protection all the rest would be pretence, so the RMM's own
/// memory must fault when it is accessed as the host's.
fn check_protection() {
    let own = GranuleAddr::containing(PhysAddr::new(layout::image_base()));
    if phys::ns_read(own, 0, &mut [0; 8]).is_ok() {
        log::error!("EL3 lets the Non-secure world read the RMM's memory: the boot ends here");
        stop::stop();
    }
}

fn check_sha256() {
    if !sha256::is_supported() {
        log::info!("the CPU has no SHA-256 instructions: measurements take portable code");
    } else {
        assert!(
            sha256::self_check(),
            "the SHA-256 instructions disagree with FIPS 180-4"
        );
    }
}
