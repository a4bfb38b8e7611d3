//! No damaged bundle may panic, and a plan that is read upholds its promises.

use super::*;

/// Marsaglia's xorshift64: the same damage in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn damage(description: &mut [u8], random: &mut Random) {
    let words = [0u32, 1, 2, 3, 4, 9, 0x4000_0000, 0x1000, u32::MAX];
    for _ in 0..1 + random.below(3) {
        let at = random.below(description.len());
        let aligned = at.min(description.len() - 4) & !3;
        match random.below(4) {
            0 => description[at] ^= 1 << random.below(8),
            1 => description[at] = random.next() as u8,
            2 => {
                let word = words[random.below(words.len())];
                description[aligned..aligned + 4].copy_from_slice(&word.to_be_bytes());
            }
            _ => {
                let from = random.below(description.len());
                let length = random.below(32).min(description.len() - at.max(from));
                description.copy_within(from..from + length, at);
            }
        }
    }
}

/// What the fields of a plan promise, said a second time.
fn assert_sound(plan: &Plan<'_>, bundle: &[u8]) {
    assert_eq!(plan.vms().count(), plan.len());
    let mut dedicated = HeapVec::new();
    for vm in &plan.vms().collect::<HeapVec<_>>() {
        for cpu in &vm.cpus {
            assert!(!dedicated.contains(cpu), "CPU {cpu} twice");
            dedicated.push(*cpu);
        }
        for disk in &vm.devices.disks {
            let end = disk.offset.unwrap_or(0).checked_add(disk.size).unwrap();
            assert!(disk.size > 0 && disk.size.is_multiple_of(512));
            assert!(disk.offset.is_none_or(|_| end <= bundle.len() as u64));
        }
        assert!(vm.devices.net.is_none_or(Mac::is_unicast));
        assert!((1..=MAX_VCPUS).contains(&vm.vcpus));
        assert!(vm.memory.top().raw() <= map::shared_bit(vm.ipa_bits));
        for region in &vm.regions {
            assert!(vm.memory.encloses(region.range));
            assert!(region.offset.is_multiple_of(4096));
            assert!(region.offset + region.range.size() <= bundle.len() as u64);
            let others = vm.regions.iter().filter(|other| *other != region);
            assert_eq!(others.filter(|o| o.range.overlaps(region.range)).count(), 0);
        }
    }
}

#[test]
fn no_damage_panics_and_what_is_read_is_sound() {
    let good = encode(&[devices::equipped("linux"), payload("small")]).unwrap();
    let size = u32::from_be_bytes(good[4..8].try_into().unwrap()) as usize;
    let mut random = Random(0x5355_5a45_5241_494e);
    let (mut read, mut named, mut damaged) = (0, 0, 0);
    for _ in 0..12_000 {
        let mut bundle = good.clone();
        damage(&mut bundle[..size], &mut random);
        match Plan::decode(&bundle) {
            Ok(plan) => {
                read += 1;
                assert_sound(&plan, &bundle);
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                match error.problem {
                    Problem::Damaged(_) => damaged += 1,
                    _ => named += 1,
                }
            }
        }
    }
    // The damage is neither too mild nor too crude to reach every stage.
    assert!(
        read > 400 && named > 400 && damaged > 400,
        "read {read}, named {named}, damaged {damaged}"
    );
}

#[test]
fn a_bundle_cut_short_is_refused() {
    let good = encode(&[payload("small")]).unwrap();
    for length in 0..good.len() {
        assert!(Plan::decode(&good[..length]).is_err(), "{length}");
    }
}
