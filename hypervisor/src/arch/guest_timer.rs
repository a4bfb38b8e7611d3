//! The timers of a plain guest, which are the CPU's own while it runs.
//!
//! A timer that is due ends the guest's turn by its physical interrupt, and goes on
//! asserting it until the guest has dealt with its virtual one. It must not end the
//! next turn too: the interrupt is acknowledged and left *active*, which keeps the
//! GIC from signalling it, and is deactivated once an exit shows that the line has
//! fallen. That exit comes: `vgic` asks for a maintenance interrupt at the end of
//! each level-triggered interrupt.
//!
//! While the host works after an interrupt, or sleeps for a guest that waits, the
//! timers are stopped, so that they do not call the host; its own timer stands in
//! for them.
#![expect(unsafe_code, reason = "timers and GIC CPU interface by MRS and MSR")]

use rmi::v1_0::{ExitReason, RecExit};
use vcpu::timer;
use vm_config::map::{TIMER_PHYSICAL_INTID, TIMER_VIRTUAL_INTID};

use super::cpu;
use super::sysreg::{read, write};

const VIRTUAL: u64 = TIMER_VIRTUAL_INTID as u64;
const PHYSICAL: u64 = TIMER_PHYSICAL_INTID as u64;
const INTID: u64 = 0xff_ffff;
const SGIS: u64 = 16;
/// From here on INTIDs mean that there is no interrupt.
const SPECIAL: u64 = 1020;
/// As many as can be a guest's own.
const TIMERS: usize = 2;

/// The timers as the last exit found them.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    cntv_ctl: u64,
    cntv_cval: u64,
    cntp_ctl: u64,
    cntp_cval: u64,
    /// The control registers hold zero instead.
    stopped: bool,
    /// The interrupt of the virtual timer is active.
    virtual_active: bool,
    /// The interrupt of the physical timer is active.
    physical_active: bool,
}

impl Timers {
    /// Puts the timers into the CPU, stopped.
    pub fn load(&mut self) {
        write!("cntvoff_el2", 0);
        self.stop();
        write!("s3_5_c14_c3_2", self.cntv_cval); // CNTV_CVAL_EL02
        write!("s3_5_c14_c2_2", self.cntp_cval); // CNTP_CVAL_EL02
    }

    /// Stops them, and lets go of their interrupts.
    pub fn unload(&mut self) {
        self.stop();
        if self.virtual_active {
            deactivate(VIRTUAL);
        }
        if self.physical_active {
            deactivate(PHYSICAL);
        }
        self.virtual_active = false;
        self.physical_active = false;
    }

    fn stop(&mut self) {
        write!("s3_5_c14_c3_1", 0); // CNTV_CTL_EL02
        write!("s3_5_c14_c2_1", 0); // CNTP_CTL_EL02
        self.stopped = true;
    }

    /// Lets them run on, if they were stopped.
    #[inline]
    pub fn start(&mut self) {
        if self.stopped {
            write!("s3_5_c14_c3_1", self.cntv_ctl);
            write!("s3_5_c14_c2_1", self.cntp_ctl);
            self.stopped = false;
        }
    }

    /// Takes the physical interrupts of the timers, if it was they that ended the
    /// guest's turn.
    pub fn acknowledge(&mut self) {
        for _ in 0..TIMERS {
            // ICC_HPPIR1_EL1: what would be acknowledged.
            match read!("s3_0_c12_c12_2") & INTID {
                VIRTUAL | PHYSICAL => {}
                _ => return,
            }
            let intid = read!("s3_0_c12_c12_0") & INTID; // ICC_IAR1_EL1
            if intid < SPECIAL {
                // The priority only: what was acknowledged stays active.
                write!("s3_0_c12_c12_1", intid); // ICC_EOIR1_EL1
            }
            match intid {
                VIRTUAL => self.virtual_active = true,
                PHYSICAL => self.physical_active = true,
                // A more urgent one came in between. It is the host's, and pends
                // again: of itself if its line is a level.
                0..SGIS => {
                    deactivate(intid);
                    send_to_self(intid);
                }
                SGIS..SPECIAL => deactivate(intid),
                _ => return,
            }
        }
    }

    /// Says in `exit`, which is described already, how the timers stand.
    #[inline]
    pub fn report(&mut self, exit: &mut RecExit) {
        self.cntv_ctl = read!("s3_5_c14_c3_1");
        self.cntv_cval = read!("s3_5_c14_c3_2");
        self.cntp_ctl = read!("s3_5_c14_c2_1");
        self.cntp_cval = read!("s3_5_c14_c2_2");
        exit.cntv_ctl = self.cntv_ctl;
        exit.cntv_cval = self.cntv_cval;
        exit.cntp_ctl = self.cntp_ctl;
        exit.cntp_cval = self.cntp_cval;
        if self.virtual_active && !timer::asserted(self.cntv_ctl) {
            deactivate(VIRTUAL);
            self.virtual_active = false;
        }
        if self.physical_active && !timer::asserted(self.cntp_ctl) {
            deactivate(PHYSICAL);
            self.physical_active = false;
        }
        if exit.exit_reason == ExitReason::Irq as u64 || is_wait(exit) {
            self.stop();
        }
    }
}

/// Whether the host may sleep before the guest is entered again.
fn is_wait(exit: &RecExit) -> bool {
    exit.exit_reason == ExitReason::Psci as u64
        || exit.exit_reason == ExitReason::Sync as u64
            && plain::syndrome::class(exit.esr) == plain::syndrome::EC_WFX
}

fn deactivate(intid: u64) {
    write!("s3_0_c12_c11_1", intid); // ICC_DIR_EL1
}

fn send_to_self(sgi: u64) {
    let affinity = cpu::affinity();
    let (aff0, aff1) = (affinity & 0xff, affinity >> 8 & 0xff);
    let (aff2, aff3) = (affinity >> 16 & 0xff, affinity >> 32 & 0xff);
    let target = 1 << (aff0 & 0xf) | (aff0 >> 4) << 44;
    write!(
        "s3_0_c12_c11_5", // ICC_SGI1R_EL1
        target | aff1 << 16 | sgi << 24 | aff2 << 32 | aff3 << 48
    );
}
