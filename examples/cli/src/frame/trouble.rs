//! What goes wrong, how it is named in the log, and how long it is waited out.

use crate::exit;
use crate::store::failure::Failure;
use mingram::ErrorKind;
use std::time::Duration;

pub const HOUR: Duration = Duration::from_secs(3600);

/// Whatever a server says: it is asked again after this time.
const DAY: Duration = Duration::from_secs(86_400);

const FIRST_WAIT: Duration = Duration::from_secs(15);

/// What keeps the directory from being up to date.
pub enum Trouble {
    ClockNotSet,
    Token(mingram::Error),
    Files(Failure),
    /// The pictures here are another account's.
    Account(String),
    /// The list is not believed, or something in it does not come.
    Listing(String),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Files(failure)
    }
}

impl From<mingram::Error> for Trouble {
    fn from(error: mingram::Error) -> Trouble {
        Trouble::Files(Failure::Call(error))
    }
}

impl Trouble {
    fn call(&self) -> Option<&mingram::Error> {
        match self {
            Trouble::Files(Failure::Call(error)) => Some(error),
            _ => None,
        }
    }

    /// What it is, for the log, which has the same words only once in a row.
    pub fn kind(&self) -> &'static str {
        match (self, self.call()) {
            (Trouble::ClockNotSet, _) => "the clock is not set yet",
            (Trouble::Token(_), _) => "no access token",
            (_, Some(error)) if error.is_token_invalid() => "the access token is dead",
            (_, Some(error)) if error.is_rate_limited() => "the rate limit is reached",
            (_, Some(error)) if error.kind() == ErrorKind::Connect => "there is no network",
            (_, Some(error)) if error.kind() == ErrorKind::Tls => "there is no secure connection",
            (_, Some(error)) if error.is_transient() => "the service is in trouble",
            (_, Some(_)) => "the service refuses",
            (Trouble::Files(failure), _) if failure.is_disk_full() => "the disk is full",
            (Trouble::Files(Failure::Content(_)), _) => "a file is not a picture",
            (Trouble::Account(_), _) => "the directory is refused",
            (Trouble::Listing(_), _) => "the list is not complete",
            _ => "the directory cannot be written",
        }
    }

    pub fn text(&self) -> String {
        match self {
            Trouble::ClockNotSet => "it says a year before 2026".to_owned(),
            Trouble::Token(error) => error.to_string(),
            Trouble::Files(failure) => failure.to_string(),
            Trouble::Account(what) | Trouble::Listing(what) => what.clone(),
        }
    }

    /// How long to wait before the next look, after this many failures in a row.
    pub fn wait(&self, every: Duration, failures: u32) -> Duration {
        let soon = FIRST_WAIT.saturating_mul(1 << failures.min(16)).min(every);
        let told = self.call().and_then(mingram::Error::retry_after);
        let told = told.map(|wait| wait.min(DAY));
        match self.call() {
            _ if matches!(self, Trouble::ClockNotSet) => FIRST_WAIT,
            Some(error) if error.is_rate_limited() => told.unwrap_or(HOUR).max(every),
            Some(error) if error.is_transient() => soon.max(told.unwrap_or_default()),
            Some(error) if error.kind() == ErrorKind::Tls => soon,
            _ => every,
        }
    }

    pub fn code(&self) -> u8 {
        match self {
            Trouble::ClockNotSet | Trouble::Account(_) | Trouble::Listing(_) => exit::FAILED,
            Trouble::Token(_) => exit::NO_TOKEN,
            Trouble::Files(failure) => failure.code(),
        }
    }
}
