//! How a command ends: an exit code for scripts, and one line on stderr for people.

use mingram::Error;
use std::fmt::Display;

pub type Result<T> = std::result::Result<T, Failure>;

pub const FAILED: u8 = 1;
pub const USAGE: u8 = 2;
pub const NO_TOKEN: u8 = 3;
pub const RATE_LIMITED: u8 = 4;
pub const CANNOT_WRITE: u8 = 5;
pub const EXPIRES_SOON: u8 = 6;
pub const INTERRUPTED: u8 = 130;

/// The exit codes of all commands.
pub const HELP: &str = "\
Exit codes:
    0  success
    1  something failed or is missing, and was named
    2  the command line is wrong
    3  there is no access token, or it is dead: log in again
    4  a rate limit was reached: run it again later
    5  a file or directory cannot be written
    6  the access token expires soon (`token status`)
  130  interrupted by Ctrl-C or SIGTERM
";

/// Why a command ends early.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
}

impl Failure {
    pub fn new(code: u8, message: impl Display) -> Failure {
        Failure {
            code,
            message: message.to_string(),
        }
    }

    pub fn usage(message: impl Display) -> Failure {
        Failure::new(USAGE, format!("{message} (see --help)"))
    }

    /// The command has printed its help or version and is done.
    pub fn done() -> Failure {
        Failure::new(0, "")
    }
}

/// The exit code for an error of the library.
pub fn code(error: &Error) -> u8 {
    if error.is_token_invalid() {
        NO_TOKEN
    } else if error.is_rate_limited() {
        RATE_LIMITED
    } else {
        FAILED
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::new(code(&error), error)
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Failure {
        Failure::usage(error)
    }
}
