use crate::tests::driver::{Driver, Ram, Tape};
use crate::{Broken, Device, Served};

fn word(device: &Device, offset: u64) -> u64 {
    device.read(offset, 4)
}

#[test]
fn features_that_were_not_offered_are_not_acknowledged() {
    let mut device = Device::entropy();
    device.write(0x70, 4, 3);
    device.write(0x24, 4, 0);
    device.write(0x20, 4, 1);
    device.write(0x24, 4, 1);
    device.write(0x20, 4, 1);
    device.write(0x70, 4, 11);
    assert_eq!(word(&device, 0x70), 3);
}

#[test]
fn a_legacy_driver_is_not_acknowledged_and_cannot_start() {
    let mut device = Device::entropy();
    device.write(0x70, 4, 15);
    assert_eq!(word(&device, 0x70), 3);
    assert!(!device.write(0x50, 4, 0), "nobody started it");
}

#[test]
fn features_are_fixed_once_acknowledged_until_a_reset() {
    let mut driver = Driver::start(Device::entropy(), Tape::default(), 0);
    driver.set(0x24, 1);
    driver.set(0x20, 0);
    driver.set(0x70, 15);
    assert_eq!(driver.read(0x70), 15);
    driver.set(0x70, 0);
    assert_eq!(driver.read(0x70), 0);
    assert_eq!(driver.read(0x44), 0, "queues are off after a reset");
}

#[test]
fn registers_answer_to_words_only_and_configuration_to_any_width() {
    let device = Device::block(0, 0x1_2345_6789, false);
    assert_eq!(device.read(0, 1), 0);
    assert_eq!(device.read(0, 8), 0);
    assert_eq!(device.read(0x100, 4), 0x2345_6789);
    assert_eq!(device.read(0x104, 4), 1);
    assert_eq!(device.read(0x101, 1), 0x67);
    assert_eq!(device.read(0x100, 8), 0x1_2345_6789);
    assert_eq!(device.read(0x1fe, 4), 0, "past the configuration");
}

#[test]
fn a_network_card_shows_its_address_and_mtu() {
    let device = Device::net([2, 0, 0, 0, 0, 7]);
    assert_eq!(device.read(0x105, 1), 7);
    assert_eq!(device.read(0x10a, 2), u64::from(crate::MTU));
}

#[test]
fn a_queue_that_does_not_exist_has_no_size() {
    let mut device = Device::entropy();
    for queue in [1, 2, u64::from(u32::MAX)] {
        device.write(0x30, 4, queue);
        assert_eq!(word(&device, 0x34), 0);
        device.write(0x44, 4, 1);
        assert_eq!(word(&device, 0x44), 0);
    }
}

#[test]
fn an_impossible_queue_breaks_the_device_which_says_so_once() {
    for (size, address, why) in [
        (0, 0, Broken::QueueSize { size: 0 }),
        (3, 0, Broken::QueueSize { size: 3 }),
        (256, 0, Broken::QueueSize { size: 256 }),
        (0x1_0008, 0, Broken::QueueSize { size: u16::MAX }),
        (
            8,
            8,
            Broken::QueueAddress {
                ipa: addr::Ipa::new(8),
            },
        ),
    ] {
        let mut device = Device::entropy();
        device.write(0x38, 4, size);
        device.write(0x80, 4, address);
        assert!(device.write(0x44, 4, 1));
        let (mut ram, mut tape) = (Ram::new(), Tape::default());
        assert_eq!(device.serve(&mut ram, &mut tape), Served::Broke(why));
        assert_eq!(device.serve(&mut ram, &mut tape), Served::Done);
        assert_eq!(word(&device, 0x44), 0);
    }
}

#[test]
fn a_queue_that_wraps_around_the_address_space_is_refused() {
    let mut device = Device::entropy();
    device.write(0x38, 4, 128);
    device.write(0xa0, 4, 0xffff_fffc);
    device.write(0xa4, 4, 0xffff_ffff);
    assert!(device.write(0x44, 4, 1));
}

#[test]
fn the_interrupt_is_a_level_that_falls_when_acknowledged() {
    let mut driver = Driver::start(Device::entropy(), Tape::default(), 0);
    driver.add(0, &[(super::driver::BASE + 0x9000, 8, true)]);
    assert!(!driver.device.interrupt());
    driver.notify(0);
    assert!(driver.device.interrupt());
    assert_eq!(driver.read(0x60), 1);
    driver.set(0x64, 2);
    assert!(driver.device.interrupt(), "the other cause");
    driver.set(0x64, 1);
    assert!(!driver.device.interrupt());
}

#[test]
fn memory_regions_that_do_not_exist_have_no_length() {
    let device = Device::console();
    assert_eq!(word(&device, 0xb0), 0xffff_ffff);
    assert_eq!(word(&device, 0xbc), 0xffff_ffff);
}
