//! Cold boot of the machine and warm boot of each further CPU.
#![expect(unsafe_code, reason = "the device tree is at a raw address")]

use crate::hw::entry::{self, Frame, Frames};
use crate::hw::{cache, console, cpu, fatal, gic, gpc, realm};
use addr::PhysRange;
use monitor_logic::fdt::{self, Machine};
use monitor_logic::features::Features;
use monitor_logic::layout::{
    self, DTB_BASE, DTB_SIZE, HYPERVISOR_ENTRY, RMM_BASE, RMM_SHARED_PAGE,
};
use monitor_logic::rmm_image::RmmImage;
use monitor_logic::smc::World;

/// The boot CPU's way from reset to the frame that enters EL2 first.
pub extern "C" fn cold(frames: &mut Frames) -> &Frame {
    console::set_up();
    let has_rme = cpu::features().contains(Features::RME);
    say!(
        "EL3 on {}",
        if has_rme {
            "a CPU with RME"
        } else {
            "a CPU without RME: no Realms"
        }
    );
    let image = if has_rme { find_rmm() } else { None };
    let machine = edit_device_tree(image.and(layout::rmm_range()));
    for affinity in &machine.cpus {
        if !cpu::CPUS.add(*affinity) {
            say!(
                "CPU {affinity:#x} stays off: there is room for {} CPUs",
                layout::MAX_CPUS
            );
        }
    }
    if has_rme {
        protect(&machine, image.and(layout::rmm_range()));
    }
    if cpu::features().contains(Features::GIC) && !gic::set_up_distributor() {
        say!("the GIC's distributor does not react: interrupts may not work");
    }
    let rmm = image.and_then(|image| start_rmm(image, &machine.memory));
    cpu::set_up();
    cpu::CPUS.arrive(cpu::index());
    let hypervisor = Frame::enter(HYPERVISOR_ENTRY, &[DTB_BASE]);
    start(frames, hypervisor, rmm)
}

/// A CPU that `CPU_ON` turned on, on its way to the frame that enters EL2 first.
pub extern "C" fn warm(frames: &mut Frames) -> &Frame {
    let index = cpu::index();
    entry::hold(index);
    if gpc::tables().is_some() {
        gpc::enable();
    }
    cpu::set_up();
    let Some(entry) = cpu::CPUS.arrive(index) else {
        fatal::stop(format_args!("CPU {index} came on without being asked to"));
    };
    let hypervisor = Frame::enter(entry.address, &[entry.context]);
    let token = cpu::state().token;
    let rmm = realm::is_alive().then(|| Frame::enter(RMM_BASE, &[index as u64, token, 0, 0]));
    start(frames, hypervisor, rmm)
}

/// Both worlds start afresh on this CPU, the RMM first if it is entered at all.
fn start(frames: &mut Frames, hypervisor: Frame, rmm: Option<Frame>) -> &Frame {
    let first = match rmm {
        Some(_) => World::Realm,
        None => World::NonSecure,
    };
    *frames.of(World::NonSecure) = hypervisor;
    if let Some(rmm) = rmm {
        *frames.of(World::Realm) = rmm;
    }
    cpu::state().start(first, realm::interface());
    frames.of(first)
}

fn find_rmm() -> Option<RmmImage> {
    if !gpc::is_geometry_served() {
        say!("no Realms: the CPU's granule protection tables are not by 1 GiB");
        return None;
    }
    match realm::image() {
        Ok(image) => Some(image),
        Err(why) => {
            say!("no Realms: {why}");
            None
        }
    }
}

fn edit_device_tree(rmm: Option<PhysRange>) -> Machine {
    // SAFETY: the memory is mapped for reading, QEMU put its device tree there,
    // and nobody else runs yet.
    let blob = unsafe { core::slice::from_raw_parts(DTB_BASE as *const u8, DTB_SIZE as usize) };
    let machine = match fdt::prepare(blob, rmm) {
        Ok(machine) => machine,
        Err(why) => fatal::stop(format_args!("{why}")),
    };
    let size = machine.blob.len();
    if size as u64 > DTB_SIZE {
        fatal::stop(format_args!(
            "the device tree grew to {size:#x} bytes: {DTB_SIZE:#x} are set aside for it"
        ));
    }
    // SAFETY: the memory is mapped for writing, the blob fits, and the slice
    // above is not used any more.
    unsafe { core::ptr::copy_nonoverlapping(machine.blob.as_ptr(), DTB_BASE as *mut u8, size) }
    cache::clean_invalidate(DTB_BASE, size as u64);
    machine
}

fn protect(machine: &Machine, rmm: Option<PhysRange>) {
    if !gpc::is_geometry_served() {
        return;
    }
    match gpc::build(&machine.memory, rmm) {
        Ok(()) => gpc::enable(),
        Err(why) => fatal::stop(format_args!("{why}")),
    }
}

fn start_rmm(image: RmmImage, memory: &[PhysRange]) -> Option<Frame> {
    if let Err(why) = realm::load(image, memory) {
        say!("no Realms: {why}");
        return None;
    }
    realm::set_alive(true);
    let args = [
        cpu::index() as u64,
        image.interface.version(),
        cpu::CPUS.count() as u64,
        RMM_SHARED_PAGE,
        0,
    ];
    Some(Frame::enter(RMM_BASE, &args))
}
