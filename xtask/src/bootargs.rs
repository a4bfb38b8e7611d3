//! The hypervisor's command line, as `report::args` reads it.

use std::fmt;
use std::time::Duration;

use crate::os;
use crate::session::Output;
use crate::summary::Nonce;

/// What the hypervisor is told.
#[derive(Clone, Copy, Debug)]
pub struct Bootargs<'a> {
    /// What marks its lines as this run's.
    pub nonce: &'a Nonce,
    /// Its log level.
    pub log: &'a str,
    /// Whether somebody types.
    pub is_interactive: bool,
    /// How wide the terminal is.
    pub columns: u16,
    /// When VMs are killed, from the machine's start.
    pub deadline: Option<Duration>,
    /// Whether it counts instructions.
    pub bench: bool,
    /// Whether it writes the flight recorder out at the end.
    pub trace: bool,
    /// More words.
    pub more: Option<&'a str>,
}

impl fmt::Display for Bootargs<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            nonce,
            log,
            columns,
            ..
        } = self;
        let interactive = u8::from(self.is_interactive);
        write!(
            out,
            "suzerain.nonce={nonce} suzerain.log={log} suzerain.interactive={interactive} \
             suzerain.columns={columns}"
        )?;
        if let Some(deadline) = self.deadline {
            write!(out, " suzerain.deadline={}", deadline.as_secs())?;
        }
        if self.bench {
            out.write_str(" suzerain.bench=1")?;
        }
        if self.trace {
            out.write_str(" suzerain.trace=1")?;
        }
        match self.more {
            Some(more) => write!(out, " {more}"),
            None => Ok(()),
        }
    }
}

/// Columns for the overview of guests: the terminal's, or so many that hardly a
/// line of a guest is cut in a log.
pub fn columns(output: Output) -> u16 {
    let terminal = match output {
        Output::Live => os::terminal_columns(),
        Output::Quiet => None,
    };
    terminal.map_or(250, |columns| columns.clamp(40, 1000))
}

#[cfg(test)]
mod tests {
    use super::Bootargs;
    use crate::summary::Nonce;
    use std::time::Duration;

    #[test]
    fn the_hypervisor_learns_nonce_deadline_and_whether_somebody_types() {
        let nonce = Nonce::fixed("ab");
        let headless = Bootargs {
            nonce: &nonce,
            log: "info",
            is_interactive: false,
            columns: 250,
            deadline: Some(Duration::from_secs(30)),
            bench: false,
            trace: false,
            more: None,
        };
        assert_eq!(
            headless.to_string(),
            "suzerain.nonce=ab suzerain.log=info suzerain.interactive=0 suzerain.columns=250 \
             suzerain.deadline=30"
        );
        let by_hand = Bootargs {
            is_interactive: true,
            columns: 80,
            deadline: None,
            bench: true,
            trace: true,
            more: Some("suzerain.selftest=gpf"),
            ..headless
        };
        assert_eq!(
            by_hand.to_string(),
            "suzerain.nonce=ab suzerain.log=info suzerain.interactive=1 suzerain.columns=80 \
             suzerain.bench=1 suzerain.trace=1 suzerain.selftest=gpf"
        );
    }
}
