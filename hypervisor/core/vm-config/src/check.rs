//! Validation: pure functions from a plan to the first thing wrong with it.

use crate::error::{ConfigError, Problem};
use crate::geometry::Geometry;
use crate::map;
use crate::plan::{MAX_NAME, MAX_VCPUS, MAX_VMS, Name, RegionKind, VmPlan};
use crate::{Disk, Mac, devices};
use addr::{GRANULE_SIZE, Ipa, IpaRange};
use heapless::Vec;

/// What the machine has for guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of RAM that guests may take.
    pub memory: u64,
    /// Width of the widest IPA space.
    pub ipa_bits: u8,
    /// Physical CPUs.
    pub cpus: usize,
    /// Those of them that are dedicated to VMs already.
    pub dedicated: usize,
}

/// What the VMs read so far have each for itself.
pub(crate) struct Claims<'a> {
    vms: Vec<(&'a str, Option<Mac>), MAX_VMS>,
    /// The number of the VM that each physical CPU is dedicated to.
    cpus: [Option<u8>; 256],
}

impl Default for Claims<'_> {
    fn default() -> Self {
        Self {
            vms: Vec::new(),
            cpus: [None; 256],
        }
    }
}

impl<'a> Claims<'a> {
    /// Adds what `vm`, which is called `name`, has for itself, if nobody else
    /// has it yet.
    pub(crate) fn add(&mut self, vm: &VmPlan, name: &'a str) -> Result<(), ConfigError> {
        self.try_add(vm, name)
            .map_err(|problem| problem.of(&vm.name))
    }

    fn try_add(&mut self, vm: &VmPlan, name: &'a str) -> Result<(), Problem> {
        let mac = vm.devices.net;
        for (other, theirs) in &self.vms {
            if *other == name {
                return Err(Problem::DuplicateName);
            }
            if let Some(mac) = mac.filter(|mac| *theirs == Some(*mac)) {
                let other = Name::try_from(*other).unwrap_or_default();
                return Err(Problem::SameMac { mac, other });
            }
        }
        for cpu in &vm.cpus {
            let Some(owner) = self.cpus.get_mut(usize::from(*cpu)) else {
                continue;
            };
            if let Some(other) = owner.and_then(|number| self.vms.get(usize::from(number))) {
                let other = Name::try_from(other.0).unwrap_or_default();
                return Err(Problem::CpuTaken { cpu: *cpu, other });
            }
            *owner = u8::try_from(self.vms.len()).ok();
        }
        self.vms.push((name, mac)).map_err(|_| Problem::TooManyVms)
    }
}

impl VmPlan {
    /// Checks everything the description alone can tell.
    pub fn check(&self) -> Result<(), ConfigError> {
        let checks = [
            check_name(&self.name),
            self.check_cpu(),
            self.check_pins(),
            self.check_memory(),
            self.check_regions(),
            self.check_start(),
            self.check_devices(),
        ];
        checks
            .into_iter()
            .find_map(Result::err)
            .map_or(Ok(()), |problem| Err(problem.of(&self.name)))
    }

    /// Checks that the machine has what this VM wants, and that a CPU is left for the
    /// host and for vCPUs that share one: whoever builds VMs and takes them down
    /// needs one as well.
    pub fn check_fits(&self, limits: &Limits) -> Result<(), ConfigError> {
        let problem = if self.ipa_bits > limits.ipa_bits {
            Problem::MachineTooNarrow {
                wanted: self.ipa_bits,
                available: limits.ipa_bits,
            }
        } else if self.memory.size() > limits.memory {
            Problem::MachineTooSmall {
                wanted: self.memory.size(),
                available: limits.memory,
            }
        } else if let Some(cpu) = self
            .cpus
            .iter()
            .find(|cpu| usize::from(**cpu) >= limits.cpus)
        {
            Problem::NoSuchCpu {
                wanted: *cpu,
                available: limits.cpus,
            }
        } else if limits.dedicated.saturating_add(self.cpus.len()) >= limits.cpus {
            // No CPU is dedicated twice, so that counting them is enough.
            Problem::NoCpuLeft(limits.cpus)
        } else {
            return Ok(());
        };
        Err(problem.of(&self.name))
    }

    fn check_cpu(&self) -> Result<(), Problem> {
        if self.vcpus == 0 || self.vcpus > MAX_VCPUS {
            return Err(Problem::BadVcpus(self.vcpus));
        }
        let geometry = self.realm.geometry;
        if Geometry::deepest(self.ipa_bits).is_none() {
            return Err(Problem::BadIpaBits(self.ipa_bits.into()));
        }
        if Geometry::at_level(self.ipa_bits, geometry.start_level()) != Some(geometry) {
            return Err(Problem::BadGeometry {
                ipa_bits: self.ipa_bits,
                start_level: geometry.start_level().into(),
            });
        }
        for (number, which) in [
            (self.realm.num_bps, "breakpoints"),
            (self.realm.num_wps, "watchpoints"),
        ] {
            if !(1..=63).contains(&number) {
                return Err(Problem::BadDebug(which));
            }
        }
        Ok(())
    }

    fn check_pins(&self) -> Result<(), Problem> {
        if self.cpus.is_empty() {
            return Ok(());
        }
        if self.cpus.len() != self.vcpus as usize {
            return Err(Problem::BadPins {
                pins: self.cpus.len(),
                vcpus: self.vcpus,
            });
        }
        let mut seen = [false; 256];
        for cpu in &self.cpus {
            match seen.get_mut(usize::from(*cpu)) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(Problem::PinnedTwice(*cpu)),
            }
        }
        Ok(())
    }

    fn check_devices(&self) -> Result<(), Problem> {
        if let Some(mac) = self.devices.net.filter(|mac| !mac.is_unicast()) {
            return Err(Problem::BadMac(mac));
        }
        for (number, disk) in self.devices.disks.iter().enumerate() {
            check_disk(disk).map_err(|why| Problem::BadDisk(number, why))?;
        }
        Ok(())
    }

    fn check_memory(&self) -> Result<(), Problem> {
        let memory = self.memory;
        if !memory.is_aligned(map::BLOCK_SIZE) {
            return Err(Problem::BadMemory {
                base: memory.base().raw(),
                size: memory.size(),
            });
        }
        let (_, devices_top) = map::DEVICES;
        let protected = IpaRange::new(devices_top, Ipa::new(map::shared_bit(self.ipa_bits)));
        if !protected.is_ok_and(|protected| protected.encloses(memory)) {
            return Err(Problem::MemoryOutOfPlace(memory));
        }
        Ok(())
    }

    fn check_regions(&self) -> Result<(), Problem> {
        for region in &self.regions {
            let kind = region.kind;
            if !region.range.is_aligned(GRANULE_SIZE) {
                return Err(Problem::BadRegion(kind));
            }
            if !region.offset.is_multiple_of(GRANULE_SIZE) {
                return Err(Problem::OutsideBundle(kind));
            }
            check_placement(kind, region.range, self.memory)?;
        }
        for (first, second) in self.regions.iter().zip(self.regions.iter().skip(1)) {
            if let Some(shared) = first.range.intersection(second.range) {
                return Err(Problem::Overlap {
                    first: first.kind,
                    second: second.kind,
                    shared,
                });
            }
            if first.range.base() > second.range.base() {
                return Err(Problem::Damaged("its regions are not in ascending order"));
            }
        }
        Ok(())
    }

    fn check_start(&self) -> Result<(), Problem> {
        let executable = |kind| matches!(kind, RegionKind::Kernel | RegionKind::Payload);
        let mut regions = self.regions.iter();
        let entered = regions.any(|r| executable(r.kind) && r.range.contains(self.entry));
        if !entered || !self.entry.is_aligned(4) {
            return Err(Problem::BadEntry(self.entry.raw()));
        }
        if self.x0 != 0 && !self.memory.contains(Ipa::new(self.x0)) {
            return Err(Problem::BadX0(self.x0));
        }
        Ok(())
    }
}

/// Whether a region at `range` fits into `memory`.
pub(crate) fn check_placement(
    region: RegionKind,
    range: IpaRange,
    memory: IpaRange,
) -> Result<(), Problem> {
    if range.size() > memory.size() {
        return Err(Problem::LargerThanMemory {
            region,
            size: range.size(),
            memory: memory.size(),
        });
    }
    if !memory.encloses(range) {
        return Err(Problem::OutsideMemory {
            region,
            range,
            memory,
        });
    }
    Ok(())
}

fn check_disk(disk: &Disk) -> Result<(), &'static str> {
    if disk.size == 0 || !disk.size.is_multiple_of(devices::SECTOR) {
        return Err("is not one or more whole sectors of 512 bytes");
    }
    match disk.offset {
        Some(offset) if !offset.is_multiple_of(GRANULE_SIZE) => {
            Err("does not start at a page of the bundle")
        }
        None if disk.readonly => Err("is empty and can only be read"),
        _ => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), Problem> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(known) {
        return Err(Problem::BadName);
    }
    Ok(())
}
