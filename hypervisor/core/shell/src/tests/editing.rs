//! The line editor.
use super::take;
use crate::{CAPACITY, Edit, Editor, HISTORY};
use proptest::prelude::*;
use std::string::String;
use std::vec::Vec;

const PROMPT: &str = "> ";

/// An editor with its terminal.
struct Desk {
    editor: Editor,
    out: Vec<u8>,
}

impl Desk {
    fn new() -> Self {
        Self {
            editor: Editor::new(),
            out: Vec::new(),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Edit {
        let mut last = Edit::Editing;
        for byte in bytes {
            last = self.editor.take(*byte, PROMPT, &mut self.out);
        }
        last
    }

    /// Types bytes and Enter; what was typed then.
    fn line(&mut self, bytes: &[u8]) -> String {
        self.bytes(bytes);
        match self.bytes(b"\r") {
            Edit::Typed(line) => String::from_utf8(line.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

fn line(bytes: &[u8]) -> String {
    Desk::new().line(bytes)
}

#[test]
fn the_usual_keys_edit_the_line() {
    assert_eq!(line(b"vm liss\x7ft"), "vm list");
    assert_eq!(line(b"m list\x01v\x05!"), "vm list!");
    assert_eq!(line(b"vm lst\x1b[D\x1b[Di"), "vm list");
    assert_eq!(line(b"xvm\x1b[H\x1b[3~"), "vm");
    assert_eq!(line(b"vm list all\x17\x17info"), "vm info");
    assert_eq!(line(b"garbage\x15mem"), "mem");
    assert_eq!(line(b"mem garbage\x01\x06\x06\x06\x0b"), "mem");
    assert_eq!(line(b"cpux\x02\x04"), "cpu");
}

#[test]
fn what_cannot_be_done_rings_and_changes_nothing() {
    let mut desk = Desk::new();
    desk.bytes(b"\x7f\x1b[D\x1b[C\x1b[3~\x1b[A\x1b[B");
    assert_eq!(take(&mut desk.out), "\x07".repeat(6));
    assert_eq!(desk.line(b""), "");
}

#[test]
fn the_history_is_walked_up_and_down_and_the_new_line_comes_back() {
    let mut desk = Desk::new();
    for typed in [&b"one"[..], b"two", b"two", b"", b"three"] {
        desk.line(typed);
    }
    assert_eq!(desk.line(b"new\x1b[A\x1b[A\x1b[A\x1b[B\x1b[B\x1b[B"), "new");
    assert_eq!(desk.line(b"\x1b[A\x1b[A\x1b[A\x1b[A"), "one");
    assert_eq!(desk.line(b"\x10!"), "one!");
}

#[test]
fn the_history_keeps_the_last_lines_only() {
    let mut desk = Desk::new();
    for number in 0..HISTORY + 5 {
        desk.line(std::format!("line {number}").as_bytes());
    }
    let oldest = desk.line(&b"\x1b[A".repeat(100));
    assert_eq!(oldest, "line 5");
}

#[test]
fn a_line_that_lost_characters_is_not_run() {
    let mut desk = Desk::new();
    desk.bytes(b"vm kill web-1");
    desk.bytes(&[b'x'; CAPACITY]);
    assert!(desk.out.ends_with(b"\x07"));
    assert_eq!(desk.bytes(b"\x7f\x7f\r"), Edit::TooLong);
    assert_eq!(desk.line(b"mem"), "mem");
    // Whoever deletes all of it may begin anew.
    desk.bytes(&[b'x'; CAPACITY + 1]);
    assert_eq!(desk.line(b"\x15mem"), "mem");
}

#[test]
fn giving_up_empties_the_line() {
    let mut desk = Desk::new();
    assert_eq!(desk.bytes(b"vm kill web\x03"), Edit::Cancelled);
    assert_eq!(desk.line(b"mem"), "mem");
}

#[test]
fn the_terminal_shows_line_and_cursor() {
    let mut desk = Desk::new();
    desk.bytes(b"ab");
    assert_eq!(take(&mut desk.out), "ab");
    desk.bytes(b"\x01x");
    assert!(take(&mut desk.out).ends_with("\r\x1b[K> xab\x08\x08"));
}

proptest! {
    #[test]
    fn whatever_is_typed_the_line_is_short_printable_ascii(
        bytes in proptest::collection::vec(any::<u8>(), 0..400)
    ) {
        let mut desk = Desk::new();
        for byte in bytes {
            if let Edit::Typed(line) = desk.bytes(&[byte]) {
                prop_assert!(line.iter().all(|c| (0x20..0x7f).contains(c)));
            }
            prop_assert!(desk.editor.before_cursor().len() <= CAPACITY);
        }
    }
}
