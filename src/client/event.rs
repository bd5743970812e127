//! What an `Api` reports while it makes calls.

use crate::error::Error;
use crate::timestamp::in_words;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What [`Api::with_observer`](crate::Api::with_observer) was set to.
pub(crate) type Observer = dyn Fn(&Event<'_>) + Send + Sync;

thread_local! {
    /// An observer is running.
    static OBSERVING: Cell<bool> = const { Cell::new(false) };
}

/// Something that happens during a call, for a log or a line of progress: see
/// [`Api::with_observer`](crate::Api::with_observer).
///
/// `Display` writes one line. Neither it nor `Debug` contains a secret: a URL is shown without
/// its query, and a text that contains a secret is replaced, as in an [`Error`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request is about to be sent. Its [`Reply`](Event::Reply) or
    /// [`NoReply`](Event::NoReply) follows.
    #[non_exhaustive]
    Request {
        /// The method and the URL without its query. After a redirect, the URL that it leads
        /// to.
        request: &'a str,
        /// 1 for the first attempt of a call, 2 for its first retry, and so on. A redirect is
        /// part of the attempt. A download that continues after a broken connection counts
        /// from 1 again.
        attempt: u32,
    },
    /// The headers of a reply have arrived.
    #[non_exhaustive]
    Reply {
        /// The method and the URL without its query.
        request: &'a str,
        /// The HTTP status.
        status: u16,
        /// The length of the body in bytes, as it is sent; `None` if the server does not say.
        length: Option<u64>,
        /// The time since the request was sent.
        time: Duration,
    },
    /// There is no reply: the request failed.
    #[non_exhaustive]
    NoReply {
        /// The method and the URL without its query.
        request: &'a str,
        /// Why.
        error: &'a Error,
        /// The time since the request was sent.
        time: Duration,
    },
    /// A call failed and will be made again after `wait`: see
    /// [`Api::with_retries`](crate::Api::with_retries). Also a download that continues after a
    /// broken connection.
    #[non_exhaustive]
    Retry {
        /// Why the call failed. [`Error::call`] names it.
        error: &'a Error,
        /// The time until then.
        wait: Duration,
    },
    /// A call waits for a rate limit before it is sent: see
    /// [`Api::with_pace`](crate::Api::with_pace).
    #[non_exhaustive]
    Pace {
        /// The call, for example `GET /me/media`.
        call: &'a str,
        /// How long it waits.
        wait: Duration,
    },
    /// The service refused a page as too much data, and a smaller one will be requested: see
    /// [`Edge::page_size`](crate::Edge::page_size).
    #[non_exhaustive]
    SmallerPage {
        /// The call, for example `GET /me/media`.
        call: &'a str,
        /// The number of items of the page that was refused.
        from: u32,
        /// The number of items that will be requested.
        to: u32,
    },
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Request { request, attempt } => match attempt {
                1 => f.write_str(request),
                _ => write!(f, "{request} (attempt {attempt})"),
            },
            Event::Reply {
                request,
                status,
                length,
                time,
            } => {
                let time = time.as_millis();
                write!(f, "{request}: HTTP {status} after {time} ms")?;
                match length {
                    Some(length) => write!(f, ", {length} bytes"),
                    None => Ok(()),
                }
            }
            Event::NoReply {
                request,
                error,
                time,
            } => {
                let time = time.as_millis();
                let message = error.message();
                write!(f, "{request}: no reply after {time} ms: {message}")
            }
            Event::Retry { error, wait } => {
                let wait = wait.as_secs_f64();
                write!(f, "{error}; waiting {wait:.1} s before the next attempt")
            }
            Event::Pace { call, wait } => {
                write!(f, "{call}: waiting {} for the rate limit", in_words(*wait))
            }
            Event::SmallerPage { call, from, to } => {
                let page = "a page of";
                write!(f, "{call}: {page} {from} is too much data, requesting {to}")
            }
        }
    }
}

/// Calls the observer. If it panics, the call continues. Calls that it makes itself are not
/// reported to any, or it would never end.
pub(crate) fn tell(observer: &Observer, event: &Event<'_>) {
    if OBSERVING.replace(true) {
        return;
    }
    let _ = catch_unwind(AssertUnwindSafe(|| observer(event)));
    OBSERVING.set(false);
}
