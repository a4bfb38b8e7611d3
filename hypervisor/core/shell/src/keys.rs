//! Bytes of a terminal, as keys.
//!
//! Terminals send more than one byte for an arrow (control sequences of ECMA-48).
//! What is no key here is swallowed whole, so that its middle is never taken for
//! text; every sequence ends after a few bytes, whatever comes.

/// Bytes of a control sequence at most.
const LONGEST: u8 = 16;

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A printable ASCII character.
    Char(u8),
    /// Enter.
    Enter,
    /// Tab.
    Tab,
    /// Deletes before the cursor.
    Backspace,
    /// Deletes under the cursor.
    Delete,
    /// One to the left.
    Left,
    /// One to the right.
    Right,
    /// The line before in the history.
    Up,
    /// The line after in the history.
    Down,
    /// To the beginning of the line.
    Home,
    /// To its end.
    End,
    /// Deletes up to the cursor (Ctrl-U).
    KillToStart,
    /// Deletes from the cursor on (Ctrl-K).
    KillToEnd,
    /// Deletes the word before the cursor (Ctrl-W).
    KillWord,
    /// Clears the screen (Ctrl-L).
    Clear,
    /// Gives the line up (Ctrl-C).
    Cancel,
}

/// Where in a sequence the last byte was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Ground,
    /// After a carriage return: a line feed belongs to it.
    Return,
    /// After ESC.
    Escape,
    /// In a control sequence: its first parameter so far, and its bytes.
    Control {
        parameter: u8,
        bytes: u8,
    },
    /// After ESC O.
    SingleShift,
}

/// Makes keys of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keys(State);

impl Keys {
    /// Outside any sequence.
    pub const fn new() -> Self {
        Self(State::Ground)
    }

    /// Takes a byte; gives the key that it completes.
    pub fn take(&mut self, byte: u8) -> Option<Key> {
        let state = core::mem::replace(&mut self.0, State::Ground);
        match (state, byte) {
            (State::Return, b'\n') => None,
            (_, 0x1b) => {
                self.0 = State::Escape;
                None
            }
            // A control character ends what was begun and counts by itself.
            (_, 0..0x20 | 0x7f) => self.control(byte),
            (State::Ground | State::Return, 0x20..0x7f) => Some(Key::Char(byte)),
            (State::Escape, b'[') => {
                self.0 = State::Control {
                    parameter: 0,
                    bytes: 0,
                };
                None
            }
            (State::Escape, b'O') => {
                self.0 = State::SingleShift;
                None
            }
            (State::SingleShift, _) => arrow(byte),
            (State::Control { parameter, bytes }, _) => self.sequence(parameter, bytes, byte),
            // A key with Alt, or no ASCII.
            _ => None,
        }
    }

    fn control(&mut self, byte: u8) -> Option<Key> {
        Some(match byte {
            b'\r' => {
                self.0 = State::Return;
                Key::Enter
            }
            b'\n' => Key::Enter,
            b'\t' => Key::Tab,
            0x08 | 0x7f => Key::Backspace,
            0x01 => Key::Home,
            0x02 => Key::Left,
            0x03 => Key::Cancel,
            0x04 => Key::Delete,
            0x05 => Key::End,
            0x06 => Key::Right,
            0x0b => Key::KillToEnd,
            0x0c => Key::Clear,
            0x0e => Key::Down,
            0x10 => Key::Up,
            0x15 => Key::KillToStart,
            0x17 => Key::KillWord,
            _ => return None,
        })
    }

    fn sequence(&mut self, parameter: u8, bytes: u8, byte: u8) -> Option<Key> {
        match byte {
            b'~' => match parameter {
                1 | 7 => Some(Key::Home),
                3 => Some(Key::Delete),
                4 | 8 => Some(Key::End),
                _ => None,
            },
            0x40..=0x7e => arrow(byte),
            0x20..0x40 if bytes < LONGEST => {
                // The first parameter is all that keys here need.
                let parameter = match byte {
                    b'0'..=b'9' => parameter.saturating_mul(10).saturating_add(byte - b'0'),
                    _ => u8::MAX,
                };
                let bytes = bytes + 1;
                self.0 = State::Control { parameter, bytes };
                None
            }
            _ => None,
        }
    }
}

fn arrow(byte: u8) -> Option<Key> {
    Some(match byte {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'F' => Key::End,
        b'H' => Key::Home,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::new();
        bytes.iter().filter_map(|byte| keys.take(*byte)).collect()
    }

    #[test]
    fn both_ways_of_sending_arrows_and_home_are_understood() {
        use Key::{Delete, Down, End, Home, Left, Right, Up};
        assert_eq!(
            keys(b"\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F"),
            [Up, Down, Right, Left, Home, End]
        );
        assert_eq!(
            keys(b"\x1bOA\x1bOH\x1b[1~\x1b[4~\x1b[7~\x1b[8~\x1b[3~"),
            [Up, Home, Home, End, Home, End, Delete]
        );
    }

    #[test]
    fn enter_is_one_key_however_it_is_sent() {
        assert_eq!(keys(b"\r\n"), [Key::Enter]);
        assert_eq!(keys(b"\r\r\n\n"), [Key::Enter; 3]);
    }

    #[test]
    fn garbage_is_swallowed_and_the_next_key_counts() {
        for garbage in [
            &b"\x1bx"[..],
            b"\x1b[200~",
            b"\x1b[1;5X",
            b"\xff\x80\x9b\xc3",
            b"\x00\x1c\x1d",
            b"\x1b\x1b\x1bq",
            b"\x1b[\xff",
        ] {
            let mut bytes = garbage.to_vec();
            bytes.push(b'k');
            assert_eq!(keys(&bytes), [Key::Char(b'k')], "{garbage:x?}");
        }
    }

    #[test]
    fn an_endless_sequence_does_not_swallow_the_line() {
        let mut bytes = b"\x1b[".to_vec();
        bytes.extend([b'1'; 40]);
        bytes.push(b'k');
        assert_eq!(keys(&bytes).last(), Some(&Key::Char(b'k')));
        assert_eq!(keys(b"\x1b[1;1\r"), [Key::Enter]);
    }
}
