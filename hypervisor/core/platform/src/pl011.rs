//! The order in which a PL011's input is taken (Arm DDI0183, 3.3.13).
//!
//! Its interrupts are latched: one that is cleared comes back only with another
//! byte. So they are cleared before a byte is looked for, never after. A byte that
//! comes in between is read, or raises the interrupt anew; cleared afterwards, one
//! that came after the last look would wait in the FIFO until somebody typed another.

/// What input is taken from.
pub trait Input {
    /// Clears the interrupts of reception.
    fn clear(&mut self);

    /// Takes a byte out of the FIFO, if there is one.
    fn read(&mut self) -> Option<Result<u8, LineError>>;
}

/// A byte that did not come in as it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineError;

/// Bytes that a FIFO holds at most.
const FIFO: usize = 32;

/// The next byte that came in; those with a line error are dropped.
pub fn receive(input: &mut impl Input) -> Option<u8> {
    for _ in 0..FIFO {
        input.clear();
        if let Ok(byte) = input.read()? {
            return Some(byte);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// A UART on which a byte comes in before the access of this number.
    struct Typing {
        fifo: VecDeque<Result<u8, LineError>>,
        is_raised: bool,
        accesses: usize,
        comes_before: usize,
    }

    impl Typing {
        fn access(&mut self) {
            if self.accesses == self.comes_before {
                self.fifo.push_back(Ok(b'\r'));
                self.is_raised = true;
            }
            self.accesses += 1;
        }
    }

    impl Input for Typing {
        fn clear(&mut self) {
            self.access();
            self.is_raised = false;
        }

        fn read(&mut self) -> Option<Result<u8, LineError>> {
            self.access();
            self.fifo.pop_front()
        }
    }

    #[test]
    fn no_byte_is_left_without_an_interrupt_whenever_it_comes() {
        for comes_before in 0..10 {
            let mut uart = Typing {
                fifo: VecDeque::from([Ok(b'o'), Err(LineError), Ok(b'k')]),
                is_raised: true,
                accesses: 0,
                comes_before,
            };
            assert_eq!(receive(&mut uart), Some(b'o'));
            assert_eq!(receive(&mut uart), Some(b'k'));
            while receive(&mut uart).is_some() {}
            let is_lost = !uart.fifo.is_empty() && !uart.is_raised;
            assert!(!is_lost, "the byte before access {comes_before} is lost");
        }
    }
}
