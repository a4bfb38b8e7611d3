//! What a guest prints, so that it cannot look like anything but a guest's line.
//!
//! In overview each row begins with the guest's name. A guest could leave its row
//! by a control character, by text that runs over the terminal's edge, or could
//! turn a row's letters round by a control character for bidirectional text. So:
//!
//! - control characters are shown as `^X`, tabs become spaces;
//! - what is valid UTF-8 and neither C1 nor made to steer the layout is shown, any
//!   other byte as `\xNN`, such a character as `<U+NNNN>`;
//! - a row ends before the terminal's last column; what follows begins another one
//!   with the guest's name, marked `+` instead of `|`.

use core::fmt::Write;

use crate::sink::{Sink, Text};

/// Columns between tab stops.
const TAB: usize = 8;
/// Columns of text that each row has, however narrow the terminal.
const NARROWEST: usize = 20;

/// What all rows have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Columns that names are padded to.
    pub pad: usize,
    /// Columns of the terminal.
    pub columns: usize,
}

/// How rows of one guest begin and how long they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row<'a> {
    /// The guest's name.
    pub name: &'a str,
    /// The shape of rows.
    pub shape: Shape,
}

/// Rows being written.
struct Writer<'a, 's> {
    row: Row<'a>,
    sink: &'s mut dyn Sink,
    /// Columns of text in this row.
    column: usize,
    limit: usize,
}

impl Row<'_> {
    /// Writes a line of a guest, without its line end, as one or more whole rows.
    /// `continued` says that its beginning was written before.
    pub fn write(self, line: &[u8], continued: bool, sink: &mut dyn Sink) {
        // A space, the mark, a space; and no row reaches the last column, where
        // terminals begin to differ.
        let taken = self.shape.pad.max(self.name.len()) + 4;
        let limit = self.shape.columns.saturating_sub(taken).max(NARROWEST);
        let mut writer = Writer {
            row: self,
            sink,
            column: 0,
            limit,
        };
        writer.head(continued);
        for chunk in line.utf8_chunks() {
            chunk.valid().chars().for_each(|c| writer.char(c));
            for byte in chunk.invalid() {
                writer.escape(4, format_args!("\\x{byte:02x}"));
            }
        }
        writer.sink.put(b"\r\n");
    }
}

impl Writer<'_, '_> {
    fn head(&mut self, continued: bool) {
        let (name, pad) = (self.row.name, self.row.shape.pad);
        let mark = if continued { '+' } else { '|' };
        // A sink takes everything.
        let _ = write!(Text(self.sink), "{name:<pad$} {mark} ");
        self.column = 0;
    }

    /// Makes room for `columns`.
    fn advance(&mut self, columns: usize) {
        if self.column + columns > self.limit {
            self.sink.put(b"\r\n");
            self.head(true);
        }
        self.column += columns;
    }

    fn char(&mut self, c: char) {
        match c {
            '\t' => {
                let stop = TAB - self.column % TAB;
                // At the end of a row a tab is a space in the next.
                let columns = if self.column + stop > self.limit {
                    1
                } else {
                    stop
                };
                self.advance(columns);
                for _ in 0..columns {
                    self.sink.put(b" ");
                }
            }
            '\0'..' ' | '\x7f' => {
                let letter = char::from(c as u8 ^ 0x40);
                self.escape(2, format_args!("^{letter}"));
            }
            ' '..='~' => {
                self.advance(1);
                self.sink.put(&[c as u8]);
            }
            c if steers(c) => {
                let code = u32::from(c);
                self.escape(9, format_args!("<U+{code:04X}>"));
            }
            c => {
                // Some are two columns wide, none is wider.
                self.advance(2);
                let mut buffer = [0; 4];
                self.sink.put(c.encode_utf8(&mut buffer).as_bytes());
            }
        }
    }

    fn escape(&mut self, columns: usize, text: core::fmt::Arguments<'_>) {
        self.advance(columns);
        let _ = Text(self.sink).write_fmt(text);
    }
}

/// Whether a character steers how others are laid out: C1 controls, marks,
/// embeddings and isolates of bidirectional text, line and paragraph separators,
/// what has no width, tags.
fn steers(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    fn rows(line: &[u8], columns: usize) -> String {
        let mut out = Vec::new();
        let row = Row {
            name: "web",
            shape: Shape { pad: 5, columns },
        };
        row.write(line, false, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_text_follows_the_padded_name() {
        assert_eq!(rows(b"up and well", 80), "web   | up and well\r\n");
        assert_eq!(rows("grün 日".as_bytes(), 80), "web   | grün 日\r\n");
        assert_eq!(rows(b"", 80), "web   | \r\n");
    }

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        assert_eq!(
            rows(b"\x1b[2J\r\x07\x7f\0suzerain> ", 80),
            "web   | ^[[2J^M^G^?^@suzerain> \r\n"
        );
    }

    #[test]
    fn tabs_go_to_the_next_stop_of_the_text() {
        assert_eq!(rows(b"a\tb", 80), "web   | a       b\r\n");
        assert_eq!(rows(b"12345678\tb", 80), "web   | 12345678        b\r\n");
    }

    #[test]
    fn c1_and_what_steers_the_layout_is_named() {
        assert_eq!(
            rows("\u{9b}2J\u{202e}txet".as_bytes(), 80),
            "web   | <U+009B>2J<U+202E>txet\r\n"
        );
        assert_eq!(rows(b"\x9b2J\xc3", 80), "web   | \\x9b2J\\xc3\r\n");
        // An overlong encoding of ESC is no UTF-8.
        assert_eq!(rows(b"\xc0\x9b", 80), "web   | \\xc0\\x9b\r\n");
    }

    #[test]
    fn a_long_line_goes_on_in_marked_rows_and_never_wraps() {
        let text = rows(&[b'x'; 50], 30);
        assert_eq!(
            text,
            std::format!(
                "web   | {0}\r\nweb   + {0}\r\nweb   + {1}\r\n",
                "x".repeat(21),
                "x".repeat(8)
            )
        );
    }

    #[test]
    fn no_row_is_wider_than_the_terminal_whatever_is_printed() {
        let line: Vec<u8> = (0..=255).chain("日本\u{202e}語\t".bytes()).collect();
        for row in rows(&line.repeat(3), 40).split("\r\n") {
            let wide = row.chars().filter(|c| !c.is_ascii()).count();
            assert!(row.chars().count() + wide < 40, "{row}");
        }
    }
}
