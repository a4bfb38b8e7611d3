//! The Realm's timers, as the host hears of them (DEN0137 A6.2).
//!
//! A timer runs on the physical one while the REC runs. Its output is a level;
//! the host is told whenever it differs from what it was told last, and while
//! it is asserted and known the hardware line is masked so that the Realm can
//! run to handle it.

use crate::context::{TIMER_MASK_PHYSICAL, TIMER_MASK_VIRTUAL, Timers};
use crate::pages::RecPage;
use ::rmi::v1_0::RecExit;

const ENABLE: u64 = 1 << 0;
const IMASK: u64 = 1 << 1;
const ISTATUS: u64 = 1 << 2;

fn fired(ctl: u64, cval: u64, now: u64) -> bool {
    ctl & ENABLE != 0 && now >= cval
}

fn asserted(timers: &Timers, now: u64) -> u64 {
    let output = |ctl: u64, cval| fired(ctl, cval, now) && ctl & IMASK == 0;
    let mut asserted = 0;
    if output(timers.cntv_ctl, timers.cntv_cval) {
        asserted |= TIMER_MASK_VIRTUAL;
    }
    if output(timers.cntp_ctl, timers.cntp_cval) {
        asserted |= TIMER_MASK_PHYSICAL;
    }
    asserted
}

fn with_status(ctl: u64, cval: u64, now: u64) -> u64 {
    let status = if fired(ctl, cval, now) { ISTATUS } else { 0 };
    (ctl & (ENABLE | IMASK)) | status
}

/// Whether an output differs from what the host knows. If not, the outputs
/// that are asserted are masked for the run.
pub fn changed(rec: &mut RecPage, now: u64) -> bool {
    let asserted = asserted(&rec.context.timers, now);
    rec.context.timers.mask = asserted;
    asserted != rec.timers_reported
}

/// Tells the host.
pub fn report(rec: &mut RecPage, exit: &mut RecExit, now: u64) {
    let timers = &rec.context.timers;
    rec.timers_reported = asserted(timers, now);
    exit.cntv_ctl = with_status(timers.cntv_ctl, timers.cntv_cval, now);
    exit.cntv_cval = timers.cntv_cval;
    exit.cntp_ctl = with_status(timers.cntp_ctl, timers.cntp_cval, now);
    exit.cntp_cval = timers.cntp_cval;
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    fn rec(ctl: u64, cval: u64) -> RecPage {
        let mut rec = RecPage::new_zeroed();
        rec.context.timers.cntv_ctl = ctl;
        rec.context.timers.cntv_cval = cval;
        rec
    }

    #[test]
    fn a_timer_that_fires_is_reported_once_and_masked_from_then_on() {
        let mut rec = rec(ENABLE, 100);
        assert!(!changed(&mut rec, 99));
        assert_eq!(rec.context.timers.mask, 0);
        assert!(changed(&mut rec, 100));
        let mut exit = RecExit::new_zeroed();
        report(&mut rec, &mut exit, 100);
        assert_eq!(exit.cntv_ctl, ENABLE | ISTATUS);
        assert!(!changed(&mut rec, 101));
        assert_eq!(rec.context.timers.mask, TIMER_MASK_VIRTUAL);
    }

    #[test]
    fn an_output_that_falls_is_reported_too() {
        let mut rec = rec(ENABLE, 100);
        report(&mut rec, &mut RecExit::new_zeroed(), 100);
        rec.context.timers.cntv_cval = 200;
        assert!(changed(&mut rec, 101));
        assert_eq!(rec.context.timers.mask, 0);
    }

    #[test]
    fn a_masked_or_disabled_timer_has_no_output() {
        assert!(!changed(&mut rec(ENABLE | IMASK, 1), 100));
        assert!(!changed(&mut rec(0, 1), 100));
    }

    #[test]
    fn the_status_is_that_of_the_moment_not_of_the_last_run() {
        let mut rec = rec(ENABLE | ISTATUS, 100);
        let mut exit = RecExit::new_zeroed();
        report(&mut rec, &mut exit, 50);
        assert_eq!(exit.cntv_ctl, ENABLE);
    }
}
