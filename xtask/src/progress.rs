//! Long steps say what they do: with a bar on a terminal, with a line elsewhere.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A step of unknown length.
pub fn spinner(text: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(text.to_owned());
    say(&bar, text);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A step of known length.
pub fn bar(text: &str, length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(text.to_owned());
    say(&bar, text);
    // The template is a constant; without it the default style shows as well.
    match ProgressStyle::with_template("{msg:28} [{bar:40}] {percent:>3}%") {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

fn say(bar: &ProgressBar, text: &str) {
    if bar.is_hidden() {
        eprintln!("{text} ...");
    }
}

/// Prints a line. A reader that has gone away costs the line, not the exit code.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
