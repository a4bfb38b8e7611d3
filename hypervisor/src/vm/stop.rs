//! Asking a guest to stop.
//!
//! The operator presses the VM's power key, and the rest is the guest's: if it
//! powers off, its VM is over, whatever its description says of restarts. If it
//! does not within the time it has, one line says so and it goes on as before.

use devices::Asked;
use recorder::Cause;

use super::{Stage, Vm};
use crate::arch::timer;
use crate::console;
use crate::machine::Machine;

impl Vm {
    /// Asks its guest to stop; false if there is none to ask.
    pub fn ask(&self, machine: &Machine) -> bool {
        let mut end = self.end.lock();
        if self.stage.get() != Stage::Run || self.is_ending() {
            return false;
        }
        end.is_asked = true;
        drop(end);
        let (now, second) = (timer::now(), timer::frequency());
        let mut devices = self.devices.lock();
        let patience = machine.args.patience;
        devices.board.press_power_key(now, second, patience);
        let attention = devices.board.attention(usize::MAX);
        drop(devices);
        machine.wake_vcpus(self, attention, Cause::Device);
        machine.attend_asked_at(now);
        true
    }

    /// Whether its guest was asked to stop and still has time.
    pub fn is_asked(&self) -> bool {
        self.end.lock().is_asked
    }

    /// Looks after its power key; returns when to look again, if at all.
    pub fn attend_asked(&self, machine: &Machine, now: u64) -> Option<u64> {
        let mut devices = self.devices.lock();
        let asked = devices.board.attend_power_key(now);
        let attention = devices.board.attention(usize::MAX);
        drop(devices);
        machine.wake_vcpus(self, attention, Cause::Device);
        match asked {
            Asked::Until(tick) => return Some(tick),
            Asked::InVain if self.is_let_off() => {
                let (name, patience) = (&self.plan.name, machine.args.patience);
                console::line(format_args!(
                    "{name} did not stop within {patience} s; `vm kill {name}` ends it at once"
                ));
            }
            Asked::InVain | Asked::Not => {}
        }
        None
    }

    /// Nobody expects its guest to stop any more; false if it is ending after all.
    fn is_let_off(&self) -> bool {
        let mut end = self.end.lock();
        !self.is_ending() && core::mem::take(&mut end.is_asked)
    }
}
