//! What the console keeps of one guest: the line it is printing, and the last of
//! what it printed.

use heapless::{String, Vec};

use crate::neutral::{Row, Shape};
use crate::sink::Sink;

/// Bytes of a name at most.
pub const MAX_NAME: usize = 31;
/// Bytes of a line that are gathered; a longer one is written in parts.
pub const LINE: usize = 256;

/// A guest at the console.
pub struct Guest<const BACKLOG: usize> {
    /// Its name.
    pub(crate) name: String<MAX_NAME>,
    line: Vec<u8, LINE>,
    /// When it last printed a part of that.
    since: u64,
    /// Whether the beginning of this line was written.
    continued: bool,
    backlog: [u8; BACKLOG],
    /// Bytes printed since the start.
    printed: u64,
}

impl<const BACKLOG: usize> Guest<BACKLOG> {
    /// Gives it its name; one that is too long is cut.
    pub fn set_name(&mut self, name: &str) {
        self.name.clear();
        for c in name.chars() {
            if self.name.push(c).is_err() {
                break;
            }
        }
    }

    /// One that has no name and has printed nothing.
    pub const fn new() -> Self {
        Self {
            name: String::new(),
            line: Vec::new(),
            since: 0,
            continued: false,
            backlog: [0; BACKLOG],
            printed: 0,
        }
    }

    /// Keeps what it prints for whoever attaches later.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        let skipped = bytes.len().saturating_sub(BACKLOG);
        let mut rest = bytes.get(skipped..).unwrap_or_default();
        self.printed = self.printed.wrapping_add(skipped as u64);
        // Up to the buffer's end, and from its beginning.
        for _ in 0..2 {
            let at = (self.printed % (BACKLOG as u64).max(1)) as usize;
            let room = self.backlog.get_mut(at..).unwrap_or_default();
            let count = room.len().min(rest.len());
            let (now, later) = rest.split_at_checked(count).unwrap_or_default();
            if let Some(room) = room.get_mut(..count) {
                room.copy_from_slice(now);
            }
            self.printed = self.printed.wrapping_add(count as u64);
            rest = later;
        }
    }

    /// Writes the last of what it printed, from the beginning of a line if more was
    /// printed than is kept. Returns whether that ends in the middle of a line.
    pub(crate) fn replay(&self, sink: &mut dyn Sink) -> bool {
        let size = BACKLOG as u64;
        let split = (self.printed % size.max(1)) as usize;
        let (new, old) = self.backlog.split_at_checked(split).unwrap_or_default();
        let whole_line = |part: &[u8]| part.iter().position(|byte| *byte == b'\n');
        let (old, new) = if self.printed < size {
            (&[][..], new)
        } else if self.printed == size {
            (old, new)
        } else if let Some(end) = whole_line(old) {
            (old.get(end + 1..).unwrap_or_default(), new)
        } else if let Some(end) = whole_line(new) {
            (&[][..], new.get(end + 1..).unwrap_or_default())
        } else {
            // Less than a line is kept.
            (old, new)
        };
        sink.put(old);
        sink.put(new);
        let last = new.last().or(old.last());
        last.is_some_and(|byte| *byte != b'\n')
    }

    /// Gathers lines that are printed at `now` and writes each as rows. Returns how
    /// many ended.
    pub(crate) fn gather(
        &mut self,
        bytes: &[u8],
        now: u64,
        shape: Shape,
        sink: &mut dyn Sink,
    ) -> u32 {
        self.since = now;
        let mut ended = 0;
        for &byte in bytes {
            if byte == b'\n' {
                while self.line.last() == Some(&b'\r') {
                    self.line.pop();
                }
                self.emit(shape, sink);
                self.continued = false;
                ended += 1;
            } else if self.line.push(byte).is_err() {
                self.emit_full(shape, sink);
                // There is room now.
                let _ = self.line.push(byte);
            }
        }
        ended
    }

    /// Since when it has not gone on with the line it has begun, if it has.
    pub(crate) fn silent_since(&self) -> Option<u64> {
        (!self.line.is_empty()).then_some(self.since)
    }

    /// Writes the part of a line there is.
    pub(crate) fn flush(&mut self, shape: Shape, sink: &mut dyn Sink) {
        if !self.line.is_empty() {
            self.emit(shape, sink);
            self.continued = true;
        }
    }

    /// Forgets the line it is printing: it was shown otherwise.
    pub(crate) fn forget(&mut self) {
        self.line.clear();
        self.continued = false;
    }

    fn row(&self, shape: Shape) -> Row<'_> {
        Row {
            name: &self.name,
            shape,
        }
    }

    fn emit(&mut self, shape: Shape, sink: &mut dyn Sink) {
        // The end of a line whose parts were all written is nothing to write.
        let done = self.continued && self.line.is_empty();
        if !done {
            self.row(shape).write(&self.line, self.continued, sink);
        }
        self.line.clear();
    }

    /// Writes a line that is full, but for a character whose end is still to come.
    fn emit_full(&mut self, shape: Shape, sink: &mut dyn Sink) {
        let cut = match core::str::from_utf8(&self.line) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.line.len(),
        };
        let (whole, begun) = self.line.split_at_checked(cut).unwrap_or_default();
        let mut rest = Vec::<u8, LINE>::new();
        // At most three bytes.
        let _ = rest.extend_from_slice(begun);
        self.row(shape).write(whole, self.continued, sink);
        self.line = rest;
        self.continued = true;
    }
}

impl<const BACKLOG: usize> Default for Guest<BACKLOG> {
    fn default() -> Self {
        Self::new()
    }
}
