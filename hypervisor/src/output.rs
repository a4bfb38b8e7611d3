//! A guest's console output, gathered by line.

use heapless::Vec;

use crate::console;

/// Bytes of a line that are gathered before they are written.
const LINE: usize = 256;

/// Output of one VM.
pub struct Output {
    line: Vec<u8, LINE>,
}

impl Output {
    /// No output yet.
    pub const fn new() -> Self {
        Self { line: Vec::new() }
    }

    /// Takes a byte; a line's end or a full buffer writes what was gathered.
    #[inline]
    pub fn put(&mut self, byte: u8) {
        if self.line.push(byte).is_err() {
            self.flush();
            let _ = self.line.push(byte);
        }
        if byte == b'\n' {
            self.flush();
        }
    }

    /// Writes what was gathered: the guest waits, or is over.
    pub fn flush(&mut self) {
        if !self.line.is_empty() {
            console::write(&self.line);
            self.line.clear();
        }
    }
}
