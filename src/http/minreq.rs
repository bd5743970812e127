//! The transport on minreq; the only file that names minreq.
//!
//! It works around these defects of minreq 3.0.0:
//!
//! - An empty reply, or garbage in place of a status line, becomes a made-up 503.
//!   It is recognised by its reason phrase and becomes an error.
//! - Of two different lengths the last counts, and a length next to chunks is
//!   ignored. Both become errors.
//! - White space around header names is kept, though minreq itself ignores it when
//!   it looks for the length. It is trimmed.
//! - An interim 1xx response is taken for the response. It becomes an error.
//! - The size limit of the headers is 8 KiB. It is raised to 64 KiB.
//! - A header line that ends in a bare LF and fills that limit to the byte panics
//!   (`read_metadata` and `read_trailers` subtract two for the line end) if
//!   overflow checks are on. The panic is caught on either thread; with `panic =
//!   "abort"` it cannot be caught, and the program ends. Without overflow checks
//!   the limit no longer applies, and the timeout ends the reply.
//! - It panics if the system cannot start a thread. The panic is caught.
//! - The timeout is optional, has a default from `MINREQ_TIMEOUT`, counts whole seconds,
//!   and is one for everything from connecting to the last byte, including the time in
//!   which the caller does not read. Over TLS it applies to each read of the socket, and
//!   one TLS record may take many reads. So every request runs on a thread of its own,
//!   which is waited for and abandoned when the time is up: see [`Exchange`]. minreq's own
//!   timeout only ends what was abandoned; see [`lifetime`].
//! - A TLS handshake has no timeout at all: what is abandoned then ends when the server
//!   closes the connection, which may be never.
//! - Redirects are followed to any host. They are turned off; the client decides.
//! - IPv6 literals are cut at their first colon. They are refused.
//! - It does not check URLs, wants a lower-case scheme, and sends no `/` before a query
//!   without a path. It gets what [`Url`] makes of them.
//! - A truncated body reads as complete. The client compares the length.
//! - The end of the connection passes for the end of the headers: half of a
//!   `Location` is followed, and a truncated status line looks like an empty file.
//!   See [`needs_proof`].

use super::failure::from_io;
use super::system::NO_THREAD;
use super::tls;
use super::transport::{MAX_HEAD_BYTES, MAX_TIMEOUT, Method, Request, Response, Transport};
use super::url::{Url, in_brackets};
use crate::error::{Error, ErrorKind, Result};
use std::any::Any;
use std::io::{self, Read};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// See [`DefaultTransport`](super::default_transport::DefaultTransport).
#[derive(Default)]
pub(crate) struct Minreq;

impl Transport for Minreq {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let start = Instant::now();
        let exchange = Arc::new(Exchange::default());
        let (outgoing, other) = (outgoing(request)?, exchange.clone());
        let worker = thread::Builder::new().spawn(move || other.run(outgoing));
        worker
            .map_err(|error| Error::new(ErrorKind::ConnectionLost, NO_THREAD).with_source(error))?;
        let mut body = Body {
            exchange,
            unread: 0..0,
            ended: None,
            silence: request.timeout,
            budget: request.budget,
        };
        let (status, headers) = body.exchange.head(request.timeout)?;
        let mut response = Response {
            status,
            headers,
            body: Box::new(io::empty()),
        };
        if needs_proof(&response) {
            let left = request.timeout.saturating_sub(start.elapsed());
            body.next_piece(left).map_err(Error::of_body)?;
            if body.unread.is_empty() {
                return Err(Error::new(
                    ErrorKind::Truncated,
                    "the reply ended in or after its headers, which may be incomplete",
                ));
            }
        }
        body.budget = body.budget.saturating_sub(start.elapsed());
        response.body = Box::new(body);
        Ok(response)
    }
}

/// The request for minreq.
fn outgoing(request: &Request<'_>) -> Result<::minreq::Request> {
    let url = Url::parse(request.url).map_err(Error::invalid)?;
    if url.https {
        tls::install()?;
    }
    if in_brackets(url.host).is_some() {
        return Err(Error::invalid(
            "minreq does not support IPv6 literals: use a host name or IPv4",
        ));
    }
    let method = match request.method {
        Method::Get => ::minreq::Method::Get,
        Method::Post => ::minreq::Method::Post,
    };
    let mut outgoing = ::minreq::Request::new(method, url.origin() + &url.target())
        .with_follow_redirects(false)
        .with_max_headers_size(MAX_HEAD_BYTES)
        .with_max_status_line_length(MAX_HEAD_BYTES)
        .with_timeout(lifetime(request));
    for (name, value) in request.headers {
        outgoing = outgoing.with_header(*name, *value);
    }
    if let Some(body) = request.body {
        outgoing = outgoing.with_body(body);
    }
    Ok(outgoing)
}

/// How long the caller of a download may pause in all.
const PAUSES: Duration = Duration::from_secs(3600);

/// The seconds after which minreq gives up by itself: all that the caller may wait, and
/// pause. It cannot be changed later.
fn lifetime(request: &Request<'_>) -> u64 {
    let pauses = match request.pauses {
        true => PAUSES,
        false => Duration::ZERO,
    };
    let time = request.budget.saturating_add(pauses).min(MAX_TIMEOUT);
    time.as_secs() + 1
}

/// Whether a byte of the body is needed to prove that the headers were complete:
/// for a redirect whose `Location` is the last header, and for a success without a
/// content length. In any other reply a truncated header block either is an error
/// already or changes nothing.
fn needs_proof(response: &Response) -> bool {
    match response.status {
        204 => false,
        200..=299 => response.length().is_none(),
        301 | 302 | 303 | 307 | 308 => {
            let last = response.headers.last();
            last.is_some_and(|(name, _)| name.eq_ignore_ascii_case("location"))
        }
        _ => false,
    }
}

/// Refuses what minreq returns as a response although it is not one.
fn check_status(reply: &::minreq::ResponseLazy) -> Result<()> {
    let malformed = |message: &str| Err(Error::new(ErrorKind::Malformed, message));
    let made_up =
        reply.status_code == 503 && reply.reason_phrase == "Server did not provide a status line";
    // A status of one or two digits is a truncated one.
    if made_up || reply.status_code < 100 {
        return Err(Error::new(
            ErrorKind::ConnectionLost,
            "the connection ended without a reply, or the reply is not HTTP",
        ));
    }
    if reply.status_code < 200 {
        return malformed(
            "the server sent an interim (1xx) response, which minreq does not support",
        );
    }
    if reply.status_code > 599 {
        return malformed("the reply's status is not a valid HTTP status");
    }
    Ok(())
}

/// What a request and the thread that it runs on hand to each other. The thread sends the
/// request, and then reads a piece of the body whenever the caller waits for one. It ends
/// with the body, with the first failure, and when the caller is gone; if it is waiting for
/// the server then, when the server closes the connection or after minreq's timeout.
#[derive(Default)]
struct Exchange {
    state: Mutex<State>,
    changed: Condvar,
}

type Head = (u16, Vec<(String, String)>);

#[derive(Default)]
struct State {
    head: Option<Result<Head>>,
    /// The caller waits for the next piece.
    wanted: bool,
    /// How long it is; 0 marks the end.
    piece: Option<io::Result<usize>>,
    /// Where it is. The thread takes the buffer while it reads.
    buf: Vec<u8>,
    /// The caller is gone.
    abandoned: bool,
}

impl Exchange {
    /// A panic leaves no inconsistent state, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        change(&mut state);
        self.changed.notify_all();
        state
    }

    /// Waits while this is so, and not longer than the limit.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        limit: Duration,
        is_so: fn(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout_while(state, limit, is_so);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn head(&self, limit: Duration) -> Result<Head> {
        let state = self.lock();
        let mut state = self.wait(state, limit, |state| state.head.is_none());
        let timeout = || Err(Error::new(ErrorKind::Timeout, "the call timed out"));
        state.head.take().unwrap_or_else(timeout)
    }

    fn piece(&self, limit: Duration) -> io::Result<usize> {
        let state = self.change(|state| state.wanted = true);
        let mut state = self.wait(state, limit, |state| state.piece.is_none());
        let timeout = || Err(io::ErrorKind::TimedOut.into());
        state.piece.take().unwrap_or_else(timeout)
    }

    /// What the thread does.
    fn run(&self, outgoing: ::minreq::Request) {
        let mut reply = match send(outgoing) {
            Ok(reply) => reply,
            Err(error) => return drop(self.change(|state| state.head = Some(Err(error)))),
        };
        let head = (reply.status_code, std::mem::take(&mut reply.headers));
        let mut state = self.change(|state| state.head = Some(Ok(head)));
        loop {
            state = self.wait(state, MAX_TIMEOUT, |state| {
                !state.wanted && !state.abandoned
            });
            if state.abandoned {
                return;
            }
            state.wanted = false;
            let mut buf = std::mem::take(&mut state.buf);
            drop(state);
            if buf.is_empty() {
                buf = vec![0; PIECE];
            }
            let piece = read_piece(&mut reply, &mut buf);
            let is_last = !matches!(piece, Ok(1..));
            state = self.change(|state| {
                state.piece = Some(piece);
                state.buf = buf;
            });
            if is_last {
                return;
            }
        }
    }
}

fn send(outgoing: ::minreq::Request) -> Result<::minreq::ResponseLazy> {
    let reply = catch_unwind(AssertUnwindSafe(|| outgoing.send_lazy()));
    let mut reply = reply.map_err(from_panic)?.map_err(from_minreq)?;
    check_status(&reply)?;
    for (name, _) in &mut reply.headers {
        if name.trim().len() < name.len() {
            *name = name.trim().to_owned();
        }
    }
    Ok(reply)
}

/// The size of a piece of the body, at most.
const PIECE: usize = 16 * 1024;

/// Reads a piece of the body; an empty one at its end.
fn read_piece(reply: &mut ::minreq::ResponseLazy, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        let read = catch_unwind(AssertUnwindSafe(|| reply.read(buf)));
        match read.map_err(|panic| io::Error::other(from_panic(panic)))? {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.map_err(body_error),
        }
    }
}

fn body_error(error: io::Error) -> io::Error {
    // Between chunks minreq wraps the connection's error.
    let error = match error.downcast::<::minreq::Error>() {
        Ok(::minreq::Error::IoError(error)) | Err(error) => error,
        Ok(error) => return io::Error::other(from_minreq(error)),
    };
    match error.kind() {
        // The client has its own messages for these.
        io::ErrorKind::TimedOut | io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            error
        }
        _ if error
            .get_ref()
            .is_some_and(|inner| inner.is::<std::num::ParseIntError>()) =>
        {
            io::Error::other(malformed_chunk().with_source(error))
        }
        _ => io::Error::other(from_io(
            error,
            "the connection broke while reading the body",
        )),
    }
}

struct Body {
    exchange: Arc<Exchange>,
    /// What is unread of the last piece.
    unread: Range<usize>,
    /// Set when no more pieces follow: whether the body ended without a failure.
    ended: Option<bool>,
    silence: Duration,
    /// What is left for reads.
    budget: Duration,
}

impl Drop for Body {
    fn drop(&mut self) {
        drop(self.exchange.change(|state| state.abandoned = true));
    }
}

impl Body {
    /// Waits for the next piece; nothing is unread after the last.
    fn next_piece(&mut self, limit: Duration) -> io::Result<()> {
        match self.ended {
            Some(true) => return Ok(()),
            Some(false) => return Err(io::ErrorKind::ConnectionAborted.into()),
            None => {}
        }
        let piece = self.exchange.piece(limit);
        if !matches!(piece, Ok(1..)) {
            self.ended = Some(piece.is_ok());
        }
        self.unread = 0..piece?;
        Ok(())
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() && !buf.is_empty() {
            let start = Instant::now();
            let next = self.next_piece(self.silence.min(self.budget));
            self.budget = self.budget.saturating_sub(start.elapsed());
            next?;
        }
        let length = self.unread.len().min(buf.len());
        let from = self.unread.start;
        let state = self.exchange.lock();
        buf[..length].copy_from_slice(&state.buf[from..from + length]);
        self.unread.start += length;
        Ok(length)
    }
}

fn malformed_chunk() -> Error {
    Error::new(
        ErrorKind::Malformed,
        "a chunk of the reply has no valid size",
    )
}

/// A panic of minreq: its header arithmetic, on our thread or its own, or std, which
/// cannot start a thread. The message is not passed on: it might contain a secret.
fn from_panic(panic: Box<dyn Any + Send>) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let said = |words: &str| text.is_some_and(|text| text.contains(words));
    if said("subtract with overflow") || said("unreachable code") {
        return from_minreq(::minreq::Error::HeadersOverflow);
    }
    let message = match said("failed to spawn thread") {
        true => NO_THREAD,
        false => "the HTTP library panicked",
    };
    Error::new(ErrorKind::ConnectionLost, message)
}

fn from_minreq(error: ::minreq::Error) -> Error {
    use ::minreq::Error as M;
    let (kind, message) = match error {
        M::IoError(error) => return from_io(error, "the connection broke before the reply came"),
        M::HeadersOverflow | M::StatusLineOverflow => (
            ErrorKind::TooLarge,
            "the reply's headers exceed 64 KiB, or are crafted to break minreq",
        ),
        M::MalformedChunkLength | M::MalformedChunkEnd => {
            return malformed_chunk().with_source(error);
        }
        M::MalformedContentLength => (
            ErrorKind::Malformed,
            // minreq stores it as usize.
            if cfg!(target_pointer_width = "32") {
                "the reply's content-length is not a number, or is 4 GiB or more, \
                 which minreq does not support on 32-bit machines"
            } else {
                "the reply's content-length is not a number"
            },
        ),
        M::InvalidUtf8InResponse => (ErrorKind::Malformed, "the reply's headers are not UTF-8"),
        M::AddressNotFound => (ErrorKind::Connect, "the host name has no address"),
        #[cfg(any(feature = "https", feature = "platform-roots"))]
        M::RustlsCreateConnection(error) => return tls::from_tls(error),
        _ => (ErrorKind::ConnectionLost, "the request failed"),
    };
    Error::new(kind, message).with_source(error)
}
