//! What only the operating system can give: a raw terminal, and children that
//! die with their parent. The only file of the host side with unsafe code.
#![expect(unsafe_code, reason = "libc calls for termios, ioctl, poll and prctl")]

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

/// Has the kernel kill the child when the thread that starts it ends, however
/// it ends.
pub fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    let before_exec = move || {
        // SAFETY: prctl with these arguments reads and writes no memory, and it
        // is async-signal-safe, as code between fork and exec must be.
        let set = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        if set != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: getppid takes no arguments, touches no memory and cannot fail.
        let now = unsafe { libc::getppid() };
        // The parent may have gone before the request took effect.
        if u32::try_from(now) != Ok(parent) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: the closure allocates nothing, takes no lock and calls only
    // async-signal-safe functions.
    unsafe { command.pre_exec(before_exec) };
}

/// The terminal's settings before raw mode, until they are restored.
static COOKED: Mutex<Option<libc::termios>> = Mutex::new(None);

/// A terminal in raw mode; restores it when dropped.
#[derive(Debug)]
pub struct RawTerminal(());

impl RawTerminal {
    /// Puts stdin into raw mode if it is a terminal that is ours to change.
    pub fn enter() -> Option<Self> {
        let fd = io::stdin().as_raw_fd();
        // SAFETY: tcgetpgrp takes a descriptor and fails cleanly on one that is
        // no terminal.
        let foreground = unsafe { libc::tcgetpgrp(fd) };
        // SAFETY: getpgrp takes no arguments and cannot fail.
        if foreground != unsafe { libc::getpgrp() } {
            return None;
        }
        // SAFETY: termios is plain integers, for which all-zero is a value.
        let mut settings: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: `settings` is a valid, exclusively borrowed termios.
        if unsafe { libc::tcgetattr(fd, &raw mut settings) } != 0 {
            return None;
        }
        let cooked = settings;
        // SAFETY: `settings` is a valid, exclusively borrowed termios.
        unsafe { libc::cfmakeraw(&raw mut settings) };
        // Our own lines end in a bare newline.
        settings.c_oflag |= libc::OPOST;
        set(fd, &settings)?;
        *COOKED.lock().ok()? = Some(cooked);
        Some(Self(()))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore_terminal();
    }
}

/// Restores the terminal if it is raw. Also for panics, which do not unwind.
pub fn restore_terminal() {
    if let Ok(mut cooked) = COOKED.lock()
        && let Some(settings) = cooked.take()
    {
        set(io::stdin().as_raw_fd(), &settings);
    }
}

fn set(fd: i32, settings: &libc::termios) -> Option<()> {
    // SAFETY: `settings` is a valid termios that outlives the call.
    let done = unsafe { libc::tcsetattr(fd, libc::TCSANOW, settings) };
    (done == 0).then_some(())
}

/// Columns of the terminal that stdout is, if it is one that says so.
pub fn terminal_columns() -> Option<u16> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let fd = io::stdout().as_raw_fd();
    // SAFETY: TIOCGWINSZ writes one winsize, which `size` is, exclusively
    // borrowed; it fails cleanly on what is no terminal.
    let done = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0).then_some(size.ws_col)
}

/// Whether stdin has something to read (end of file included) within `wait`.
pub fn stdin_ready(wait: Duration) -> bool {
    let mut entry = libc::pollfd {
        fd: io::stdin().as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `entry` is one valid, exclusively borrowed pollfd, and the count
    // says one.
    let ready = unsafe { libc::poll(&raw mut entry, 1, wait) };
    ready > 0
}

/// Reads stdin past the standard library's buffer and lock, so that nothing
/// stays behind in them.
pub fn read_stdin(buffer: &mut [u8]) -> io::Result<usize> {
    let fd = io::stdin().as_raw_fd();
    // SAFETY: the pointer and length are those of one exclusively borrowed
    // slice.
    let count = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}
