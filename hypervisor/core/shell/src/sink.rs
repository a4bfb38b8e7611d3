//! Where output goes.

use core::fmt;

/// The terminal: takes bytes, and never fails.
pub trait Sink {
    /// Writes bytes as they are.
    fn put(&mut self, bytes: &[u8]);
}

/// The sink for what is not shown.
pub struct Nowhere;

impl Sink for Nowhere {
    fn put(&mut self, _: &[u8]) {}
}

/// The sink for text, whose line ends become the terminal's.
pub struct Text<'a>(pub &'a mut dyn Sink);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut lines = text.split('\n');
        if let Some(first) = lines.next() {
            self.0.put(first.as_bytes());
        }
        for line in lines {
            self.0.put(b"\r\n");
            self.0.put(line.as_bytes());
        }
        Ok(())
    }
}
