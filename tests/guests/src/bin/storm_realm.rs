//! A Realm that does what no guest should, without end.
#![no_std]
#![no_main]

use guests::{check, hostile, realm};
use vm_config::map;

guests::entry!(main);

fn main(_dtb: u64) {
    let Ok(config) = realm::config() else {
        check!(false, "the RMM tells me my configuration");
        return;
    };
    let shared_bit = map::shared_bit(config.ipa_width as u8);
    hostile::storm::rage(shared_bit, hostile::realm::try_all)
}
