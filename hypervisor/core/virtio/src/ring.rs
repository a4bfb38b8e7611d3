//! A queue of frames in a fixed piece of memory.
//!
//! Each frame lies in one row behind its length. One that does not fit before
//! the end goes to the start, if the oldest leaves room there.

use crate::Broken;

/// Bytes of a length in front of a frame.
const LENGTH: usize = 4;

/// Frames, oldest first.
#[derive(Debug)]
pub struct Ring<'a> {
    bytes: &'a mut [u8],
    /// Where the oldest frame starts.
    head: usize,
    /// Behind the newest frame.
    tail: usize,
    /// Where frames end before they go on at the start.
    end: usize,
    wrapped: bool,
    count: usize,
    /// Where the newest frame starts.
    newest: usize,
}

impl<'a> Ring<'a> {
    /// An empty queue in `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self {
            bytes,
            head: 0,
            tail: 0,
            end: 0,
            wrapped: false,
            count: 0,
            newest: 0,
        }
    }

    /// The memory, back.
    pub fn into_bytes(self) -> &'a mut [u8] {
        self.bytes
    }

    /// Adds a frame of `length` bytes, which `fill` writes; false if there is
    /// no room. If `fill` fails, nothing is added.
    pub fn push(
        &mut self,
        length: usize,
        fill: &mut dyn FnMut(&mut [u8]) -> Result<(), Broken>,
    ) -> Result<bool, Broken> {
        let Some((at, wraps)) = self.place(length) else {
            return Ok(false);
        };
        let Some((prefix, frame)) = self.entry(at, length) else {
            return Ok(false);
        };
        fill(frame)?;
        prefix.copy_from_slice(&(length as u32).to_le_bytes());
        if wraps {
            self.end = self.tail;
            self.wrapped = true;
        }
        self.newest = at;
        self.tail = at + size(length);
        self.count += 1;
        Ok(true)
    }

    /// Where a frame goes, and whether that is at the start again.
    fn place(&mut self, length: usize) -> Option<(usize, bool)> {
        if self.count == 0 {
            self.head = 0;
            self.tail = 0;
            self.wrapped = false;
        }
        let size = size(length);
        let fits = |from: usize, to: usize| from.checked_add(size).is_some_and(|end| end <= to);
        match self.wrapped {
            true => fits(self.tail, self.head).then_some((self.tail, false)),
            false if fits(self.tail, self.bytes.len()) => Some((self.tail, false)),
            false => fits(0, self.head).then_some((0, true)),
        }
    }

    fn entry(&mut self, at: usize, length: usize) -> Option<(&mut [u8], &mut [u8])> {
        let entry = self.bytes.get_mut(at..)?.get_mut(..LENGTH + length)?;
        entry.split_at_mut_checked(LENGTH)
    }

    /// The frame whose length lies at `at`.
    fn frame(&self, at: usize) -> Option<&[u8]> {
        let (length, rest) = self.bytes.get(at..)?.split_first_chunk::<LENGTH>()?;
        rest.get(..u32::from_le_bytes(*length) as usize)
    }

    /// The oldest frame.
    pub fn oldest(&self) -> Option<&[u8]> {
        (self.count > 0).then(|| self.frame(self.head)).flatten()
    }

    /// The frame that was added last, while there is one.
    pub fn newest(&self) -> Option<&[u8]> {
        (self.count > 0).then(|| self.frame(self.newest)).flatten()
    }

    /// Removes the oldest frame.
    pub fn pop(&mut self) {
        let Some(length) = self.oldest().map(<[u8]>::len) else {
            return;
        };
        self.head += size(length);
        self.count -= 1;
        if self.wrapped && self.head >= self.end {
            self.head = 0;
            self.wrapped = false;
        }
    }
}

/// Bytes a frame of `length` takes.
const fn size(length: usize) -> usize {
    LENGTH.saturating_add(length)
}
