//! Validation: pure functions from a plan to the first thing wrong with it.

use crate::error::{ConfigError, Problem};
use crate::geometry::Geometry;
use crate::map;
use crate::plan::{MAX_NAME, MAX_VCPUS, Plan, RegionKind, VmPlan};
use addr::{GRANULE_SIZE, Ipa, IpaRange};

/// What the machine has for guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of RAM that guests may take.
    pub memory: u64,
    /// Width of the widest IPA space.
    pub ipa_bits: u8,
}

impl Plan {
    /// Checks every VM, and that their names differ.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (index, vm) in self.vms.iter().enumerate() {
            vm.check()?;
            if self.vms.iter().skip(index + 1).any(|o| o.name == vm.name) {
                return Err(Problem::DuplicateName.of(&vm.name));
            }
        }
        Ok(())
    }
}

impl VmPlan {
    /// Checks everything the description alone can tell.
    pub fn check(&self) -> Result<(), ConfigError> {
        let checks = [
            check_name(&self.name),
            self.check_cpu(),
            self.check_memory(),
            self.check_regions(),
            self.check_start(),
        ];
        checks
            .into_iter()
            .find_map(Result::err)
            .map_or(Ok(()), |problem| Err(problem.of(&self.name)))
    }

    /// Checks that the machine has what this VM wants.
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

fn check_name(name: &str) -> Result<(), Problem> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(known) {
        return Err(Problem::BadName);
    }
    Ok(())
}
