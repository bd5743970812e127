//! Error messages that say what was under way.

use crate::error::{Error, ErrorKind};
use crate::http::failure::from_io;
use std::io;

pub(super) const WAITING: &str = "while waiting for the reply";

pub(super) fn failed(error: io::Error, doing: &str) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => timed_out(doing),
        _ => from_io(error, "the connection broke before the reply came"),
    }
}

pub(super) fn timed_out(doing: &str) -> Error {
    Error::new(ErrorKind::Timeout, format!("the call timed out {doing}"))
}
