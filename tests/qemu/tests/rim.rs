//! The measurement told before boot is the one the Realm reads.

use qemu_tests::Run;
use xtask::cmd::rim;

#[test]
fn the_measurement_told_before_boot_is_the_one_the_realm_reads() {
    let told = rim::compute(&rim::Options::headless("hello")).expect("it can be told");
    let machine = Run::guest("hello").go();
    assert_eq!(machine.field("/vms/0/rim"), told.as_str());
    assert_eq!(machine.field("/vms/0/rim_reported"), told.as_str());
}

#[test]
fn another_memory_size_is_told_as_another_measurement() {
    let mut options = rim::Options::headless("hello");
    let usual = rim::compute(&options).expect("it can be told");
    options.memory = Some("66M".to_owned());
    let told = rim::compute(&options).expect("it can be told");
    assert_ne!(told, usual);
    let machine = Run::guest("hello").memory("66M").go();
    assert_eq!(machine.field("/vms/0/rim_reported"), told.as_str());
}
