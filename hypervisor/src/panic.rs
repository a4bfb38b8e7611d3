//! A panic at EL2 is a defect of the hypervisor: it says where and turns the
//! machine off, without a summary, so that whoever runs it sees an incomplete
//! run.

use crate::{console, power};

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    console::seize();
    log::error!("{info}");
    console::tell_last();
    power::off()
}
