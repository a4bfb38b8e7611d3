//! The terminal between guests and operator.
use super::take;
use crate::{CAPACITY, Command, Console, Event, Form, Guest, LEAVE, PROMPT};
use proptest::prelude::*;
use std::string::String;
use std::vec::Vec;

type Small = Console<'static, 64>;

/// A console with its terminal, of 80 columns.
struct Screen {
    console: Small,
    out: Vec<u8>,
}

impl Screen {
    fn of(names: &[&str], is_interactive: bool) -> Self {
        let mut console = Small::new();
        let mut guests = Vec::new();
        for name in names {
            let mut guest = Guest::new();
            guest.set_name(name);
            guests.push(guest);
        }
        let mut out = Vec::new();
        console.begin(guests.leak(), is_interactive, 80, &mut out);
        Self { console, out }
    }

    fn pair() -> Self {
        let mut screen = Self::of(&["web", "dbase"], true);
        screen.shown();
        screen
    }

    fn guest(&mut self, vm: usize, bytes: &[u8]) -> String {
        self.console.output(vm, bytes, 0, &mut self.out);
        self.shown()
    }

    /// What shows at `now` after 100 of silence, and when to look again.
    fn look(&mut self, now: u64) -> (Option<u64>, String) {
        let next = self.console.flush_silent(now, 100, &mut self.out);
        (next, self.shown())
    }

    /// Time passes and nobody prints anything.
    fn waits(&mut self) {
        self.console.flush_silent(1, 1, &mut self.out);
    }

    fn shown(&mut self) -> String {
        take(&mut self.out)
    }

    /// Types; the events that are not nothing.
    fn types(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in bytes {
            let event = self.console.input(*byte, &mut self.out);
            if event != Event::Nothing {
                events.push(event);
            }
        }
        events
    }
}

fn to(vm: usize, bytes: &[u8]) -> Vec<Event> {
    let event = |byte: &u8| Event::ToGuest { vm, byte: *byte };
    bytes.iter().map(event).collect()
}

const BACK: &str = "\r\x1b[Ksuzerain> ";

#[test]
fn a_single_guest_has_the_terminal_from_the_start_byte_by_byte() {
    let mut screen = Screen::of(&["linux"], true);
    assert_eq!(screen.shown(), "");
    assert_eq!(screen.guest(0, b"\x1b[1mlogin: "), "\x1b[1mlogin: ");
    assert_eq!(screen.types(b"root\r\x03"), to(0, b"root\r\x03"));
    assert_eq!(screen.shown(), "");
}

#[test]
fn the_log_never_begins_in_the_middle_of_a_guests_line() {
    let mut screen = Screen::of(&["linux"], false);
    screen.guest(0, b"login: ");
    screen
        .console
        .log_line(format_args!("[0.1] killed"), &mut screen.out);
    assert_eq!(screen.shown(), "\r\n[0.1] killed\r\n");
    screen
        .console
        .log_line(format_args!("[0.2] gone"), &mut screen.out);
    assert_eq!(screen.shown(), "[0.2] gone\r\n");
}

#[test]
fn several_guests_are_told_apart_by_their_names() {
    let mut screen = Screen::of(&["web", "dbase"], false);
    assert_eq!(screen.guest(0, b"half a "), "");
    assert_eq!(screen.guest(1, b"up\r\n"), "dbase | up\r\n");
    assert_eq!(
        screen.guest(0, b"line\r\r\nnext\n"),
        "web   | half a line\r\nweb   | next\r\n"
    );
}

#[test]
fn a_line_without_an_end_is_shown_after_a_while_and_marked_when_it_goes_on() {
    let mut screen = Screen::of(&["a", "b"], false);
    screen.guest(0, b"login: ");
    screen.waits();
    assert_eq!(screen.shown(), "a | login: \r\n");
    screen.waits();
    assert_eq!(screen.guest(0, b"root\nhi\n"), "a + root\r\na | hi\r\n");
    screen.guest(0, b"# ");
    screen.waits();
    screen.shown();
    // The end of what was shown already is no row of its own.
    assert_eq!(screen.guest(0, b"\n"), "");
}

/// Whoever prints all the time is in the middle of a line whenever one looks.
#[test]
fn only_a_guest_that_is_silent_has_the_line_shown_that_it_has_begun() {
    let mut screen = Screen::of(&["a", "b"], false);
    screen.console.output(0, b"login: ", 10, &mut screen.out);
    screen.console.output(1, b"[ 0.1", 90, &mut screen.out);
    assert_eq!(screen.look(109), (Some(110), String::new()));
    assert_eq!(screen.look(110), (Some(190), "a | login: \r\n".into()));
    screen.console.output(1, b"23] u", 189, &mut screen.out);
    assert_eq!(screen.look(190), (Some(289), String::new()));
    assert_eq!(screen.look(289), (None, "b | [ 0.123] u\r\n".into()));
    assert_eq!(screen.look(999), (None, String::new()));
}

#[test]
fn an_endless_line_is_written_in_parts_without_tearing_characters() {
    let mut screen = Screen::of(&["a", "b"], false);
    let text = "日".repeat(200);
    let shown = screen.guest(0, text.as_bytes()) + &screen.guest(0, b"\n");
    assert!(!shown.contains("\\x"), "{shown}");
    assert_eq!(shown.matches('日').count(), 200);
    assert_eq!(shown.matches("a | ").count(), 1);
}

#[test]
fn the_prompt_makes_way_and_comes_back_with_what_was_typed() {
    let mut screen = Screen::pair();
    screen.types(b"vm li");
    screen.shown();
    assert_eq!(screen.guest(0, b"part"), "");
    assert_eq!(
        screen.guest(0, b"\n"),
        std::format!("\r\x1b[Kweb   | part\r\n{BACK}vm li")
    );
    screen
        .console
        .log_line(format_args!("[1] x"), &mut screen.out);
    assert_eq!(screen.shown(), std::format!("\r\x1b[K[1] x\r\n{BACK}vm li"));
}

#[test]
fn a_command_is_handed_over_and_the_prompt_waits_for_its_answer() {
    let mut screen = Screen::pair();
    let events = screen.types(b"vm list --json\r");
    assert_eq!(events, [Event::Command(Command::VmList(Form::Json))]);
    screen.shown();
    assert_eq!(screen.guest(1, b"x\n"), "dbase | x\r\n");
    screen
        .console
        .reply(&mut screen.out, |out| out.write_str("one\ntwo\n"));
    assert_eq!(screen.shown(), "one\r\ntwo\r\n");
    screen.console.ready(&mut screen.out);
    assert_eq!(screen.shown(), BACK);
}

#[test]
fn what_is_no_command_is_answered_at_once() {
    let mut screen = Screen::pair();
    assert_eq!(screen.types(b"vm kill wbe\r"), []);
    let shown = screen.shown();
    assert!(shown.contains("there is no VM \"wbe\"; there is web, dbase\r\n"));
    assert!(shown.ends_with(BACK));
    assert_eq!(screen.types(b"help vm\r"), []);
    assert!(
        screen
            .shown()
            .contains("  vm restart NAME           end a VM")
    );
}

#[test]
fn an_overlong_line_and_garbage_run_nothing() {
    let mut screen = Screen::pair();
    let mut line = b"vm kill web".to_vec();
    line.resize(CAPACITY + 1, b' ');
    assert_eq!(screen.types(&line), []);
    assert_eq!(screen.types(b"\r"), []);
    assert!(screen.shown().contains("was not run"));
    assert_eq!(screen.types(b"\xff\x80\x1b\x1b[99;99;99\x00\x14\r"), []);
    assert_eq!(screen.types(b"mem\r").len(), 1);
}

#[test]
fn attached_the_terminal_is_one_guests_and_the_others_wait() {
    let mut screen = Screen::pair();
    screen.guest(0, b"web began\nweb: ");
    screen.shown();
    assert_eq!(screen.types(b"vm console web\r"), []);
    let shown = screen.shown();
    assert!(
        shown.ends_with("sends it one\r\nweb began\nweb: "),
        "{shown}"
    );
    assert_eq!(screen.guest(0, b"\x1b[7mraw"), "\x1b[7mraw");
    assert_eq!(screen.guest(1, b"secret\nmore\n"), "");
    assert_eq!(screen.types(b"vm list\r"), to(0, b"vm list\r"));
    assert_eq!(screen.types(&[LEAVE]), []);
    let shown = screen.shown();
    assert!(shown.contains("\x1b[0m") && shown.contains("\x1b[?25h"));
    assert!(shown.contains("`vm console web` goes back; 2 lines of other VMs"));
    assert!(shown.ends_with(PROMPT));
    assert!(screen.guest(1, b"again\n").contains("dbase | again"));
    screen.types(b"vm console dbase\r");
    assert!(screen.shown().ends_with("secret\nmore\nagain\n"));
}

#[test]
fn leaving_twice_sends_the_guest_the_byte_that_leaves() {
    let mut screen = Screen::pair();
    screen.types(b"vm console dbase\r");
    assert_eq!(screen.types(&[LEAVE, LEAVE]), to(1, &[LEAVE]));
    assert_eq!(screen.types(b"x"), to(1, b"x"));
    // Any other byte in between, and it is the shell's.
    assert_eq!(screen.types(&[LEAVE, b'm', LEAVE]), []);
    assert_eq!(screen.console.attached(), None);
}

#[test]
fn nothing_a_guest_prints_leaves_or_enters_a_console() {
    let mut screen = Screen::pair();
    screen.guest(0, b"\x14\x14\nvm console dbase\r\n\x1dsuzerain> off\r\n");
    assert_eq!(screen.console.attached(), None);
    screen.types(b"vm console web\r");
    screen.guest(0, b"\x14\x14");
    assert_eq!(screen.console.attached(), Some(0));
}

#[test]
fn a_guest_that_ends_gives_the_terminal_back() {
    let mut screen = Screen::pair();
    screen.types(b"vm console web\r");
    screen.console.ended(1, &mut screen.out);
    assert_eq!(screen.console.attached(), Some(0));
    screen.console.ended(0, &mut screen.out);
    assert_eq!(screen.console.attached(), None);
    assert!(screen.shown().ends_with(PROMPT));
    // A Ctrl-T on its way to the guest does not attach again.
    assert_eq!(screen.types(&[LEAVE]), []);
    let mut single = Screen::of(&["linux"], true);
    single.console.ended(0, &mut single.out);
    assert_eq!(single.shown(), "");
}

#[test]
fn a_guest_that_ends_in_the_middle_of_a_line_has_it_shown() {
    let mut screen = Screen::of(&["a", "b"], false);
    screen.guest(0, b"Kernel pan");
    screen.console.ended(0, &mut screen.out);
    assert_eq!(screen.shown(), "a | Kernel pan\r\n");
    // Its next life begins a new line.
    assert_eq!(screen.guest(0, b"boot\n"), "a | boot\r\n");
}

#[test]
fn only_the_last_of_what_was_printed_is_shown_from_a_lines_beginning() {
    let mut screen = Screen::pair();
    for number in 0..20 {
        screen.guest(0, std::format!("line {number:02}\n").as_bytes());
    }
    screen.types(b"vm console web\r");
    let shown = screen.shown();
    assert!(shown.ends_with(
        "sends it one\r\nline 13\nline 14\nline 15\nline 16\nline 17\nline 18\nline 19\n"
    ));
}

#[test]
fn a_backlog_that_is_just_full_is_shown_whole() {
    let mut screen = Screen::pair();
    screen.guest(0, &[b'x'; 64]);
    screen.types(b"vm console web\r");
    assert!(screen.shown().ends_with(&"x".repeat(64)));
}

#[test]
fn the_backlog_is_the_end_of_what_was_printed_in_whatever_pieces() {
    for piece in [1, 7, 63, 64, 65, 130, 300] {
        let mut screen = Screen::pair();
        let all: String = (0..400).map(|n| char::from(b'a' + n as u8 % 26)).collect();
        for part in all.as_bytes().chunks(piece) {
            screen.guest(0, part);
        }
        screen.types(b"vm console web\r");
        assert!(screen.shown().ends_with(&all[all.len() - 64..]), "{piece}");
    }
}

#[test]
fn tab_completes_what_is_unambiguous_and_lists_the_rest() {
    let mut screen = Screen::pair();
    screen.types(b"vm con\tw\t");
    assert!(screen.shown().ends_with("suzerain> vm console web "));
    screen.types(b"\x15vm st\t\t");
    let shown = screen.shown();
    assert!(shown.contains("start  stop  \r\n"), "{shown}");
    screen.types(b"\x15zz\t");
    assert!(screen.shown().contains('\x07'));
}

#[test]
fn there_is_no_prompt_where_nobody_types_and_none_at_the_end() {
    let mut screen = Screen::of(&["a", "b"], false);
    assert_eq!(screen.shown(), "");
    assert_eq!(screen.types(b"off\r"), []);
    let mut screen = Screen::pair();
    screen.console.finish(&mut screen.out);
    assert_eq!(screen.shown(), "\r\x1b[K");
    assert_eq!(screen.guest(0, b"late\n"), "web   | late\r\n");
}

#[test]
fn a_guest_that_there_is_not_is_never_shown() {
    let mut console = Small::new();
    let mut out = Vec::new();
    console.output(9, b"nobody\n", 0, &mut out);
    console.attach(9, &mut out);
    assert_eq!((console.attached(), out.len()), (None, 0));
}

proptest! {
    /// However a guest's output is cut into pieces, in overview every row begins
    /// with its name, and no byte of it but the ends of rows steers a terminal.
    #[test]
    fn no_guest_can_print_anything_but_its_own_rows(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..8)
    ) {
        let mut screen = Screen::of(&["web", "dbase"], false);
        let mut all = String::new();
        for piece in &pieces {
            all += &screen.guest(0, piece);
        }
        screen.waits();
        all += &screen.shown();
        prop_assert!(all.is_empty() || all.ends_with("\r\n"));
        for row in all.split_terminator("\r\n") {
            prop_assert!(row.starts_with("web   | ") || row.starts_with("web   + "));
            prop_assert!(!row.chars().any(char::is_control), "{row:?}");
            prop_assert!(row.chars().count() < 80);
        }
    }
}
