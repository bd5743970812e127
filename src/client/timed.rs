//! The time that a call or download may spend waiting.

use super::call::Kind;
use super::retry::Attempt;
use crate::error::{Error, ErrorKind};
use std::io::{self, Read};
use std::time::{Duration, Instant};

/// A body whose reads together may take a certain time. The time between them is the
/// caller's own.
pub(crate) struct Timed {
    pub(crate) body: Box<dyn Read + Send>,
    pub(crate) left: Duration,
    kind: Kind,
}

impl Timed {
    /// For what is left of the attempt's time.
    pub(crate) fn new(body: Box<dyn Read + Send>, attempt: &Attempt, kind: Kind) -> Timed {
        let left = attempt.left();
        Timed { body, left, kind }
    }

    /// The error when no time is left, and what failed then, if anything was under way.
    pub(super) fn spent(kind: Kind, under_way: Option<Error>) -> Error {
        let what = under_way.filter(Error::is_timeout);
        let mut message = what.map_or("the call timed out".to_owned(), |error| error.to_string());
        message.push_str(match kind {
            Kind::Download => ": the download's time is used up (`with_download_timeout`)",
            Kind::Graph | Kind::Login => ": its reply came too slowly (`with_timeout`)",
        });
        Error::new(ErrorKind::Timeout, message)
    }
}

impl Read for Timed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut under_way = None;
        if !self.left.is_zero() {
            let start = Instant::now();
            let read = self.body.read(buf);
            self.left = self.left.saturating_sub(start.elapsed());
            match read {
                Err(error) if self.left.is_zero() => under_way = Some(Error::of_body(error)),
                read => return read,
            }
        }
        Err(io::Error::other(Timed::spent(self.kind, under_way)))
    }
}
