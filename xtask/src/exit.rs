//! The exit codes that scripts rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every VM ended as asked and nothing is outstanding.
    Good,
    /// A VM ended otherwise, granules are outstanding, or a check failed.
    Failed,
    /// Bad input, VM file or environment.
    BadInput,
    /// The time ran out.
    TimeOut,
}

impl Exit {
    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::TimeOut => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn exit_codes_are_those_of_the_contract_for_scripts() {
        let codes = [Exit::Good, Exit::Failed, Exit::BadInput, Exit::TimeOut].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3]);
    }
}
