//! A running machine: starts QEMU, streams its serial line, keeps its time,
//! and returns what it left behind. QEMU never outlives the session: it is
//! killed when the session ends in any way, and by the kernel if this process
//! is killed.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::board::Board;
use crate::os;
use crate::provision::Qemu;
use crate::summary::{self, MARKER, Nonce, Verified};
use crate::torn;
use crate::trace;
use crate::verdict::End;

/// What the hypervisor gets beyond its deadline to tear down and report.
const GRACE: Duration = Duration::from_secs(15);
/// No serial log of ours comes near it; a guest that floods is cut off there.
const LOG_LIMIT: usize = 64 << 20;

/// Set by a signal: every session ends.
static STOP: AtomicBool = AtomicBool::new(false);

/// Makes SIGINT, SIGTERM and SIGHUP end the sessions of this process in good
/// order instead of killing it. Call once.
pub fn catch_signals() -> Result<()> {
    ctrlc::set_handler(|| STOP.store(true, Ordering::SeqCst)).context("cannot catch signals")
}

/// Where the serial line goes while the machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// To stdout, live.
    Live,
    /// Only into the log.
    Quiet,
}

/// What the machine can read on its serial line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing.
    None,
    /// This process's stdin.
    Stdin,
    /// Answers: when the text on the left has appeared, the one on the right is
    /// typed; in order.
    Script(Vec<(String, String)>),
}

/// How to run a machine.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The machine.
    pub board: Board,
    /// The run's secret, as in the board's boot arguments.
    pub nonce: Nonce,
    /// The hypervisor's deadline, from QEMU's start.
    pub deadline: Option<Duration>,
    /// Where the serial line goes.
    pub output: Output,
    /// What the machine can read.
    pub input: Input,
}

/// What a machine left behind.
#[derive(Debug)]
pub struct Outcome {
    /// Why QEMU is gone.
    pub end: End,
    /// The hypervisor's verdict.
    pub verified: Option<Verified>,
    /// Why a line that looked like the verdict is none.
    pub reject: Option<String>,
    /// Everything on the serial line, the verdict included.
    pub log: String,
    /// Wall-clock time.
    pub took: Duration,
}

/// Boots a machine and waits for its end.
pub fn boot(qemu: &Qemu, plan: &Plan) -> Result<Outcome> {
    let begun = Instant::now();
    let mut machine = Machine::start(qemu, &plan.board)?;
    let limit = plan.deadline.map(|deadline| begun + deadline + GRACE);
    let (sender, receiver) = channel();
    if let Some(stdout) = machine.child.stdout.take() {
        read_serial(stdout, sender.clone());
    }
    let mut typist = Typist::new(&plan.input, machine.child.stdin.take(), sender);
    let mut screen = Screen::new(plan.output, &plan.nonce);
    let stopped = follow(&receiver, &mut screen, &mut typist, limit);
    drop(typist);
    let end = match stopped {
        Some(end) => {
            machine.kill();
            drain(&receiver, &mut screen);
            end
        }
        None => machine.wait(limit),
    };
    screen.finish();
    let log = String::from_utf8_lossy(&screen.log).into_owned();
    let (verified, reject) = find_verdict(&log, &plan.nonce);
    Ok(Outcome {
        end,
        verified,
        reject,
        log,
        took: begun.elapsed(),
    })
}

fn find_verdict(log: &str, nonce: &Nonce) -> (Option<Verified>, Option<String>) {
    let mut reject = None;
    // The last line that holds counts; forged ones before or after it do not.
    for line in log.rsplit('\n') {
        match summary::parse(line, nonce) {
            Some(Ok(verified)) => return (Some(verified), None),
            Some(Err(why)) => {
                reject.get_or_insert(why.to_string());
            }
            None => {}
        }
    }
    (None, reject)
}

/// What the threads around a machine report.
enum Event {
    Serial(Vec<u8>),
    SerialClosed,
    Quit,
}

struct Machine {
    child: Child,
}

impl Machine {
    fn start(qemu: &Qemu, board: &Board) -> Result<Self> {
        let child = qemu
            .command()
            .args(board.argv())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start QEMU")?;
        Ok(Self { child })
    }

    fn kill(&mut self) {
        // Either it is gone already or the signal ends it; both is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for a QEMU whose serial line is closed already.
    fn wait(&mut self, limit: Option<Instant>) -> End {
        let patience = Instant::now() + GRACE;
        let limit = limit.map_or(patience, |limit| limit.min(patience));
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return End::PoweredOff,
                Ok(Some(status)) => return End::QemuFailed(status.code().unwrap_or(-1)),
                Ok(None) if Instant::now() < limit => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Ok(None) | Err(_) => {
                    self.kill();
                    return End::TimedOut;
                }
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_serial(mut stdout: ChildStdout, sender: Sender<Event>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            match stdout.read(&mut buffer) {
                Ok(count) if count > 0 => {
                    if sender
                        .send(Event::Serial(buffer[..count].to_vec()))
                        .is_err()
                    {
                        return;
                    }
                }
                _ => {
                    // The session may be over; then nobody has to know.
                    let _ = sender.send(Event::SerialClosed);
                    return;
                }
            }
        }
    });
}

/// Follows the machine until its serial line closes (`None`) or it has to be
/// ended.
fn follow(
    receiver: &Receiver<Event>,
    screen: &mut Screen,
    typist: &mut Typist,
    limit: Option<Instant>,
) -> Option<End> {
    loop {
        if STOP.load(Ordering::SeqCst) {
            return Some(End::Quit);
        }
        if limit.is_some_and(|limit| Instant::now() >= limit) {
            return Some(End::TimedOut);
        }
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(Event::Serial(bytes)) => {
                screen.show(&bytes);
                typist.answer(&screen.log);
            }
            Ok(Event::Quit) => return Some(End::Quit),
            Ok(Event::SerialClosed) | Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn drain(receiver: &Receiver<Event>, screen: &mut Screen) {
    while let Ok(event) = receiver.recv_timeout(Duration::from_secs(1)) {
        match event {
            Event::Serial(bytes) => screen.show(&bytes),
            Event::SerialClosed => return,
            Event::Quit => {}
        }
    }
}

/// The serial line as the user sees it: everything but the lines that the
/// hypervisor writes for this program.
struct Screen {
    output: Output,
    /// How those lines begin: the verdict's, the trace's.
    own: [Vec<u8>; 2],
    log: Vec<u8>,
    /// The beginning of a line that may turn out to be one of them.
    held: Vec<u8>,
    at_line_start: bool,
}

impl Screen {
    fn new(output: Output, nonce: &Nonce) -> Self {
        Self {
            output,
            own: [MARKER, trace::MARKER].map(|marker| format!("{marker}{nonce} ").into_bytes()),
            log: Vec::new(),
            held: Vec::new(),
            at_line_start: true,
        }
    }

    fn show(&mut self, bytes: &[u8]) {
        if self.log.len() < LOG_LIMIT {
            self.log.extend_from_slice(bytes);
        }
        if self.output == Output::Quiet {
            return;
        }
        let shown = self.filter(bytes);
        print(&shown);
    }

    /// What of these bytes may be shown by now.
    fn filter(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.at_line_start || !self.held.is_empty() {
                self.held.push(*byte);
                if !self.may_be_own() {
                    shown.append(&mut self.held);
                } else if *byte == b'\n' {
                    self.held.clear();
                }
            } else {
                shown.push(*byte);
            }
            self.at_line_start = *byte == b'\n';
        }
        shown
    }

    /// Whether what is held is the beginning of a line of ours, or more than that.
    fn may_be_own(&self) -> bool {
        self.own.iter().any(|own| {
            let known = self.held.len().min(own.len());
            self.held[..known] == own[..known]
        })
    }

    fn finish(&mut self) {
        if self.output == Output::Live {
            // A verdict without its newline is still the verdict.
            let is_own = |own: &Vec<u8>| self.held.starts_with(own);
            if !self.own.iter().any(is_own) {
                print(&self.held);
            }
            if !self.at_line_start {
                print(b"\n");
            }
        }
    }
}

fn print(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    // A reader that went away must not keep the machine from its end.
    let _ = stdout.write_all(bytes);
    let _ = stdout.flush();
}

/// Types on the machine's serial line.
struct Typist {
    script: Vec<(String, String)>,
    next: usize,
    /// How much of the log the script has consumed.
    seen: usize,
    /// How much of it has been searched in vain.
    searched: usize,
    /// Kept open while the machine runs, also where nothing is typed.
    stdin: Option<ChildStdin>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    terminal: Option<os::RawTerminal>,
}

impl Typist {
    fn new(input: &Input, stdin: Option<ChildStdin>, events: Sender<Event>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let mut typist = Self {
            script: Vec::new(),
            next: 0,
            seen: 0,
            searched: 0,
            stdin: None,
            over: Arc::clone(&over),
            thread: None,
            terminal: None,
        };
        match (input, stdin) {
            (Input::Stdin, Some(stdin)) => {
                typist.terminal = os::RawTerminal::enter();
                let raw = typist.terminal.is_some();
                typist.thread = Some(std::thread::spawn(move || {
                    forward(stdin, &events, &over, raw);
                }));
            }
            (Input::Script(script), stdin) => {
                typist.script.clone_from(script);
                typist.stdin = stdin;
            }
            (_, stdin) => typist.stdin = stdin,
        }
        typist
    }

    fn answer(&mut self, log: &[u8]) {
        while let Some((wanted, reply)) = self.script.get(self.next) {
            // What has been searched is not looked at again, but for the beginning of
            // a text whose end has come since.
            let again = wanted.len() + torn::LONGEST;
            let from = self.searched.saturating_sub(again).max(self.seen);
            let new = String::from_utf8_lossy(log.get(from..).unwrap_or_default());
            self.searched = log.len();
            if !torn::mended(&new).contains(wanted) {
                return;
            }
            if let Some(stdin) = &mut self.stdin {
                // A machine that is gone will be noticed by its serial line.
                let _ = stdin.write_all(reply.as_bytes());
                let _ = stdin.flush();
            }
            self.seen = log.len();
            self.next += 1;
        }
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // It looks at the flag every tenth of a second.
            let _ = thread.join();
        }
        drop(self.terminal.take());
    }
}

/// Ctrl-]: ends the run from a raw terminal, where Ctrl-C belongs to the guest.
const ESCAPE: u8 = 0x1D;

fn forward(mut machine: ChildStdin, events: &Sender<Event>, over: &AtomicBool, raw: bool) {
    let mut buffer = [0; 256];
    let mut open = true;
    while !over.load(Ordering::SeqCst) {
        if !open || !os::stdin_ready(Duration::from_millis(100)) {
            if !open {
                std::thread::sleep(Duration::from_millis(100));
            }
            continue;
        }
        let Ok(count) = os::read_stdin(&mut buffer) else {
            open = false;
            continue;
        };
        // The end of a piped stdin ends the typing, not the machine.
        open = count > 0;
        let typed = &buffer[..count];
        if raw && typed.contains(&ESCAPE) {
            // If the session is over already, so much the better.
            let _ = events.send(Event::Quit);
            return;
        }
        if machine
            .write_all(typed)
            .and_then(|()| machine.flush())
            .is_err()
        {
            open = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, Output, Screen, Typist, find_verdict};
    use crate::summary::tests::GOOD;
    use crate::summary::{Nonce, frame};

    fn screen() -> Screen {
        Screen::new(Output::Live, &Nonce::fixed("77"))
    }

    #[test]
    fn the_verdict_is_not_shown_but_everything_else_is() {
        let text = format!("up\r\n{}\r\nlast", frame(&Nonce::fixed("77"), GOOD));
        assert_eq!(screen().filter(text.as_bytes()), b"up\r\nlast");
    }

    #[test]
    fn lines_of_the_trace_are_not_shown_either() {
        let text = "up\nSUZERAIN-TRACE 77 0 2 0 {}\r\nSUZERAIN-TRACE 78 0 2 0 {}\nlast";
        assert_eq!(
            screen().filter(text.as_bytes()),
            b"up\nSUZERAIN-TRACE 78 0 2 0 {}\nlast"
        );
    }

    #[test]
    fn a_forged_verdict_is_shown() {
        let text = frame(&Nonce::fixed("78"), GOOD) + "\n";
        assert_eq!(screen().filter(text.as_bytes()), text.as_bytes());
    }

    #[test]
    fn ordinary_output_is_shown_byte_by_byte() {
        let mut screen = screen();
        for byte in b"login: S\nSU" {
            let shown = screen.filter(&[*byte]);
            let may_wait = matches!(byte, b'S' | b'U');
            assert!(may_wait || shown.last() == Some(byte));
        }
    }

    #[test]
    fn what_a_script_waits_for_may_come_in_pieces_and_counts_once() {
        let own = |text: &str| (text.to_owned(), String::new());
        let script = Input::Script(vec![own("ready"), own("ready"), own("")]);
        let (events, _) = std::sync::mpsc::channel();
        let mut typist = Typist::new(&script, None, events);
        for (log, answered) in [
            ("not rea", 0),
            ("not ready", 1),
            ("not ready y", 1),
            ("not ready y rea", 1),
            ("not ready y rearmm: Realm 0x1 active\r\n", 1),
            ("not ready y rearmm: Realm 0x1 active\r\ndy", 3),
        ] {
            typist.answer(log.as_bytes());
            assert_eq!(typist.next, answered, "after {log:?}");
        }
    }

    #[test]
    fn a_guests_forged_line_does_not_hide_the_true_one() {
        let nonce = Nonce::fixed("77");
        let forged = frame(&Nonce::fixed("0"), &GOOD.replace("\"off\"", "\"crashed\""));
        for log in [
            format!("{forged}\n{}\n", frame(&nonce, GOOD)),
            format!("{}\n{forged}\n", frame(&nonce, GOOD)),
        ] {
            let (verified, reject) = find_verdict(&log, &nonce);
            assert!(verified.is_some() && reject.is_none());
        }
        let (verified, reject) = find_verdict(&forged, &nonce);
        assert!(verified.is_none() && reject.is_some());
    }
}
