//! A key by which the host asks a guest to stop.
//!
//! It is wired to a line of a GPIO controller ([`Pl061`]), high while it is
//! pressed. What a guest makes of it is the guest's business: whoever presses the
//! key says how long the guest has to stop, and is told if it did not.

use vm_config::map::POWER_KEY_LINE;

use crate::Pl061;
use crate::pl061::DATA_END;

/// Parts of a second that the key is pressed at least: longer than any driver
/// waits for the contacts to settle.
const TAP: u64 = 10;
/// Seconds after which it is released even if the guest has not looked at it. Most
/// systems take a key that is held for five seconds for something else.
const HOLD: u64 = 4;

/// Whether a guest that was asked to stop still has time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Nobody asked it, or what came of it was told already.
    Not,
    /// Look again at this tick.
    Until(u64),
    /// Its time is up. This is said once.
    InVain,
}

/// The key, and the controller it is wired to.
#[derive(Clone, Debug, Default)]
pub struct PowerKey {
    gpio: Pl061,
    press: Option<Press>,
}

/// A press of the key; times are in ticks.
#[derive(Clone, Copy, Debug)]
struct Press {
    /// When it began.
    since: u64,
    /// A second.
    second: u64,
    /// When the guest should have stopped.
    end: u64,
    is_down: bool,
    /// The guest has looked at the line meanwhile.
    is_seen: bool,
}

impl Press {
    /// When the key is to be released, as far as one knows.
    const fn release(&self) -> u64 {
        self.since.saturating_add(match self.is_seen {
            true => self.second / TAP,
            false => self.second.saturating_mul(HOLD),
        })
    }
}

impl PowerKey {
    /// Whether the controller interrupts.
    pub const fn interrupt(&self) -> bool {
        self.gpio.interrupt()
    }

    /// Presses the key at tick `now`, of which a second has `second`. The guest has
    /// `patience` seconds to stop. Pressing it again begins anew.
    pub fn press(&mut self, now: u64, second: u64, patience: u64) {
        self.press = Some(Press {
            since: now,
            second,
            end: now.saturating_add(second.saturating_mul(patience)),
            is_down: true,
            is_seen: false,
        });
        self.gpio.apply(POWER_KEY_LINE, true);
    }

    /// Releases the key when it is time, and says how it stands at tick `now`.
    pub fn attend(&mut self, now: u64) -> Asked {
        let Some(press) = &mut self.press else {
            return Asked::Not;
        };
        let is_over = now >= press.end;
        if press.is_down && (is_over || now >= press.release()) {
            press.is_down = false;
            self.gpio.apply(POWER_KEY_LINE, false);
        }
        if is_over {
            self.press = None;
            return Asked::InVain;
        }
        Asked::Until(match press.is_down {
            // The guest may look at any time.
            true => press.end.min(now.saturating_add(press.second / TAP)),
            false => press.end,
        })
    }

    /// Reads the controller's register at `offset`.
    pub fn read(&mut self, offset: u64) -> u8 {
        let value = self.gpio.read(offset);
        if let Some(press) = &mut self.press
            && offset < DATA_END
            && value & 1 << POWER_KEY_LINE != 0
        {
            press.is_seen = true;
        }
        value
    }

    /// Writes the controller's register at `offset`.
    pub fn write(&mut self, offset: u64, value: u8) {
        self.gpio.write(offset, value);
    }
}
