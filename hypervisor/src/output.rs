//! A guest's console output, gathered by line.

use heapless::Vec;

use crate::bench::Bench;
use crate::console;

/// Bytes of a line that are gathered before they are written.
const LINE: usize = 256;
/// A line that starts with this marks the point that benches measure to:
/// Linux's /init can make no host call to say so.
const MARK: &[u8] = b"SUZERAIN-GUEST: init started";

/// Output of one VM.
pub struct Output {
    line: Vec<u8, LINE>,
    /// The VM's place at the console.
    vm: usize,
    bench: Option<Bench>,
}

impl Output {
    /// No output yet of the VM in place `vm`.
    pub const fn new(vm: usize, bench: Option<Bench>) -> Self {
        Self {
            line: Vec::new(),
            vm,
            bench,
        }
    }

    /// Takes a byte; a line's end or a full buffer writes what was gathered.
    #[inline]
    pub fn put(&mut self, byte: u8) {
        if self.line.is_empty() {
            // A prompt has no end, and a guest that polls never waits.
            console::begins();
        }
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
        if self.line.is_empty() {
            return;
        }
        if let Some(bench) = self.bench
            && self.line.starts_with(MARK)
        {
            bench.mark(1);
        }
        console::write(self.vm, &self.line);
        self.line.clear();
    }
}
