//! A line being edited, and those typed before.

use heapless::Vec;

use crate::keys::{Key, Keys};
use crate::sink::Sink;

/// Characters of a line: with the prompt it fits a terminal of 80 columns, so that
/// it can be erased and drawn again in place.
pub const CAPACITY: usize = 64;
/// Lines of history.
pub const HISTORY: usize = 16;

/// A line of printable ASCII.
pub type Line = Vec<u8, CAPACITY>;

/// What became of a byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Edit {
    /// The line may have changed; the terminal shows it.
    Editing,
    /// The line is typed. It was put into the history.
    Typed(Line),
    /// A line was typed of which characters had been dropped for want of room: it
    /// is not what was meant.
    TooLong,
    /// The line was given up.
    Cancelled,
    /// Tab: the owner may [`insert`](Editor::insert) something.
    Complete,
}

/// The editor. All of it is zero at the start.
pub struct Editor {
    keys: Keys,
    line: Line,
    cursor: usize,
    /// Whether characters of this line were dropped.
    dropped: bool,
    history: [Line; HISTORY],
    /// How far back in the history the line is; 0: it is new.
    back: usize,
    /// The new line, while an old one is shown.
    draft: Line,
}

impl Editor {
    /// An empty line without history.
    pub const fn new() -> Self {
        Self {
            keys: Keys::new(),
            line: Line::new(),
            cursor: 0,
            dropped: false,
            history: [const { Line::new() }; HISTORY],
            back: 0,
            draft: Line::new(),
        }
    }

    /// Takes a byte of the terminal and shows on it what that does.
    pub fn take(&mut self, byte: u8, prompt: &str, sink: &mut dyn Sink) -> Edit {
        let Some(key) = self.keys.take(byte) else {
            return Edit::Editing;
        };
        match key {
            Key::Enter => return self.enter(sink),
            Key::Tab => return Edit::Complete,
            Key::Cancel => {
                self.clear();
                sink.put(b"^C\r\n");
                return Edit::Cancelled;
            }
            Key::Char(c) => {
                let at_end = self.cursor == self.line.len();
                match self.insert_char(c) {
                    true if at_end => sink.put(&[c]),
                    true => self.draw(prompt, sink),
                    false => bell(sink),
                }
                return Edit::Editing;
            }
            Key::Clear => sink.put(b"\x1b[H\x1b[2J"),
            key => {
                if !self.edit(key) {
                    bell(sink);
                    return Edit::Editing;
                }
            }
        }
        self.draw(prompt, sink);
        Edit::Editing
    }

    /// Draws prompt and line anew where the cursor's row begins.
    pub fn draw(&self, prompt: &str, sink: &mut dyn Sink) {
        sink.put(b"\r\x1b[K");
        sink.put(prompt.as_bytes());
        sink.put(&self.line);
        // One by one: the row is short, and nothing has to be formatted.
        for _ in self.cursor..self.line.len() {
            sink.put(b"\x08");
        }
    }

    /// The line up to the cursor.
    pub fn before_cursor(&self) -> &[u8] {
        self.line.get(..self.cursor).unwrap_or_default()
    }

    /// Inserts text at the cursor, as far as there is room; the owner draws.
    pub fn insert(&mut self, text: &str) {
        for c in text.bytes().filter(|c| matches!(c, 0x20..0x7f)) {
            self.insert_char(c);
        }
    }

    fn insert_char(&mut self, c: u8) -> bool {
        let fits = self.line.insert(self.cursor, c).is_ok();
        match fits {
            true => self.cursor += 1,
            false => self.dropped = true,
        }
        fits
    }

    fn enter(&mut self, sink: &mut dyn Sink) -> Edit {
        sink.put(b"\r\n");
        if self.dropped {
            self.clear();
            return Edit::TooLong;
        }
        let line = core::mem::take(&mut self.line);
        self.clear();
        if !line.is_empty() && self.history.first() != Some(&line) {
            self.history.rotate_right(1);
            if let Some(first) = self.history.first_mut() {
                first.clone_from(&line);
            }
        }
        Edit::Typed(line)
    }

    fn clear(&mut self) {
        self.line.clear();
        self.cursor = 0;
        self.dropped = false;
        self.back = 0;
    }

    /// Does what a key asks; false if there is nothing to do.
    fn edit(&mut self, key: Key) -> bool {
        match key {
            Key::Left if self.cursor > 0 => self.cursor -= 1,
            Key::Right if self.cursor < self.line.len() => self.cursor += 1,
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = self.line.len(),
            Key::Backspace if self.cursor > 0 => self.remove(self.cursor - 1),
            Key::Delete if self.cursor < self.line.len() => self.remove_one(),
            Key::KillToStart => self.remove(0),
            Key::KillToEnd => self.line.truncate(self.cursor),
            Key::KillWord => self.remove(self.start_of_word()),
            Key::Up => return self.browse(self.back + 1),
            Key::Down if self.back > 0 => return self.browse(self.back - 1),
            _ => return false,
        }
        // Whoever has deleted everything begins anew.
        self.dropped &= !self.line.is_empty();
        true
    }

    /// Removes what lies between `start` and the cursor.
    fn remove(&mut self, start: usize) {
        for _ in start..self.cursor {
            self.cursor -= 1;
            self.remove_one();
        }
    }

    fn remove_one(&mut self) {
        if self.cursor < self.line.len() {
            self.line.remove(self.cursor);
        }
    }

    fn start_of_word(&self) -> usize {
        let before = self.before_cursor();
        let is_word = |c: &u8| *c != b' ';
        let end = before.iter().rposition(is_word).map_or(0, |last| last + 1);
        let word = before.get(..end).unwrap_or_default();
        word.iter()
            .rposition(|c| *c == b' ')
            .map_or(0, |last| last + 1)
    }

    /// Shows the line that is `back` lines back; 0 is the new one.
    fn browse(&mut self, back: usize) -> bool {
        let shown = match back.checked_sub(1) {
            None => Some(&self.draft),
            Some(index) => self.history.get(index).filter(|line| !line.is_empty()),
        };
        let Some(shown) = shown.cloned() else {
            return false;
        };
        if self.back == 0 {
            self.draft.clone_from(&self.line);
        }
        self.line = shown;
        self.cursor = self.line.len();
        self.back = back;
        self.dropped = false;
        true
    }
}

impl Default for Editor {
    fn default() -> Self {
        Self::new()
    }
}

/// Says that this cannot be.
pub fn bell(sink: &mut dyn Sink) {
    sink.put(b"\x07");
}
