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
//! - The timeout is optional, has a default from `MINREQ_TIMEOUT`, and counts whole
//!   seconds. It is always set, rounded up.
//! - Over TLS the timeout applies to each read of the socket, and one TLS record
//!   may take many reads: see [`Watched`]. The handshake has no timeout at all: the
//!   call ends on time, but minreq leaves its thread and the connection behind
//!   until the server closes it, which may be never.
//! - Redirects are followed to any host. They are turned off; the client decides.
//! - IPv6 literals are cut at their first colon. They are refused.
//! - The scheme must be lower-case. It is converted.
//! - If the path is missing before a query, it stays missing. `/` is inserted.
//! - A fragment directly after the host becomes part of it. The client removes
//!   fragments.
//! - A truncated body reads as complete. The client compares the length.
//! - The end of the connection passes for the end of the headers: half of a
//!   `Location` is followed, and a truncated status line looks like an empty file.
//!   See [`needs_proof`].

#[cfg(feature = "_tls")]
use super::failure::from_tls;
use super::failure::{NO_THREAD, from_io};
use super::transport::{MAX_HEAD_BYTES, MAX_TIMEOUT, Method, Request, Response, Transport};
use crate::error::{Error, ErrorKind, Result};
use std::any::Any;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// See [`DefaultTransport`](super::default_transport::DefaultTransport).
#[derive(Default)]
pub(crate) struct Minreq;

impl Transport for Minreq {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let https = request
            .url
            .get(..8)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        if https {
            prepare_tls()?;
        }
        if request.url.contains("://[") {
            return Err(Error::invalid(
                "minreq does not support IPv6 literals: use a host name or IPv4",
            ));
        }
        let method = match request.method {
            Method::Get => ::minreq::Method::Get,
            Method::Post => ::minreq::Method::Post,
        };
        let timeout = whole_seconds(request.timeout);
        let deadline = Instant::now() + timeout;
        let mut url = request.url.to_owned();
        if let Some(scheme) = url.find("://") {
            url[..scheme].make_ascii_lowercase();
            let host = scheme + "://".len();
            match url[host..].find(['/', '?']) {
                Some(length) if url[host..][length..].starts_with('?') => {
                    url.insert(host + length, '/');
                }
                _ => {}
            }
        }
        let mut outgoing = ::minreq::Request::new(method, url)
            .with_follow_redirects(false)
            .with_max_headers_size(MAX_HEAD_BYTES)
            .with_max_status_line_length(MAX_HEAD_BYTES)
            .with_timeout(timeout.as_secs());
        for (name, value) in request.headers {
            outgoing = outgoing.with_header(*name, *value);
        }
        if let Some(body) = request.body {
            outgoing = outgoing.with_body(body);
        }
        let mut reply = catch_unwind(AssertUnwindSafe(|| outgoing.send_lazy()))
            .map_err(from_panic)?
            .map_err(from_minreq)?;
        check_status(&reply)?;
        for (name, _) in &mut reply.headers {
            if name.trim().len() < name.len() {
                *name = name.trim().to_owned();
            }
        }
        let (status, headers) = (reply.status_code, std::mem::take(&mut reply.headers));
        let body = Body {
            reply,
            failed: false,
        };
        let mut response = Response {
            status,
            headers,
            body: match https {
                true => Box::new(Watched::new(body, deadline)),
                false => Box::new(body),
            },
        };
        if needs_proof(&response) {
            let mut first = [0];
            let read = response.body.read_exact(&mut first);
            read.map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Error::new(
                    ErrorKind::Truncated,
                    "the reply ended in or after its headers, which may be incomplete",
                ),
                _ => Error::of_body(error),
            })?;
            response.body = Box::new(io::Cursor::new(first).chain(response.body));
        }
        Ok(response)
    }
}

/// Rounds up to whole seconds, from one to the longest timeout.
fn whole_seconds(timeout: Duration) -> Duration {
    let whole = Duration::from_secs(timeout.as_secs());
    let up = Duration::from_secs(u64::from(whole < timeout));
    whole
        .saturating_add(up)
        .clamp(Duration::from_secs(1), MAX_TIMEOUT)
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

/// A body with useful errors, which fails again on every read after a failure.
struct Body {
    reply: ::minreq::ResponseLazy,
    failed: bool,
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if buf.is_empty() {
            // minreq asserts that the buffer is not empty.
            return Ok(0);
        }
        let read = catch_unwind(AssertUnwindSafe(|| self.reply.read(buf))).map_err(|panic| {
            self.failed = true;
            io::Error::other(from_panic(panic))
        })?;
        read.map_err(|error| {
            self.failed = true;
            // Between chunks minreq wraps the connection's error.
            let error = match error.downcast::<::minreq::Error>() {
                Ok(::minreq::Error::IoError(error)) | Err(error) => error,
                Ok(error) => return io::Error::other(from_minreq(error)),
            };
            match error.kind() {
                // The client has its own messages for these.
                io::ErrorKind::TimedOut
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset => error,
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
        })
    }
}

/// A body over TLS, read on a separate thread so that it can be abandoned when the
/// time limit is reached. The thread starts with the first read. It ends with the
/// body, when the body is dropped, or when the server is silent for the length of
/// the timeout; if a record arrives byte by byte, not before that record is complete.
///
/// minreq grants each read of the socket all the remaining time, and rustls reads
/// until a record of up to 16 KiB is complete: at a byte every few seconds, hours.
struct Watched {
    body: Option<Body>,
    pieces: Arc<Pieces>,
    piece: io::Cursor<Vec<u8>>,
    /// Set when no more pieces follow: whether the body ended without a failure.
    ended: Option<bool>,
    deadline: Instant,
}

/// Hands pieces from one thread to the other. std's channel would do the same for
/// six more kilobytes of program.
#[derive(Default)]
struct Pieces {
    state: Mutex<Handover>,
    changed: Condvar,
}

#[derive(Default)]
struct Handover {
    piece: Option<io::Result<Vec<u8>>>,
    /// One of the two sides is gone.
    closed: bool,
}

impl Pieces {
    /// A panic leaves no inconsistent state, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, Handover> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room. Returns whether the reader still exists.
    fn put(&self, piece: io::Result<Vec<u8>>) -> bool {
        let mut state = self.lock();
        while state.piece.is_some() && !state.closed {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let wanted = !state.closed;
        if wanted {
            state.piece = Some(piece);
        }
        self.changed.notify_all();
        wanted
    }

    fn take(&self, deadline: Instant) -> io::Result<Vec<u8>> {
        let mut state = self.lock();
        loop {
            if let Some(piece) = state.piece.take() {
                self.changed.notify_all();
                return piece;
            }
            if state.closed {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn end(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.pieces.end();
    }
}

impl Watched {
    fn new(body: Body, deadline: Instant) -> Watched {
        Watched {
            body: Some(body),
            pieces: Arc::default(),
            piece: io::Cursor::default(),
            ended: None,
            deadline,
        }
    }

    /// The next piece; an empty one marks the end.
    fn next_piece(&mut self) -> io::Result<Vec<u8>> {
        if let Some(body) = self.body.take() {
            let pieces = self.pieces.clone();
            let reader = thread::Builder::new().spawn(move || read_pieces(body, &pieces));
            if let Err(error) = reader {
                self.ended = Some(false);
                return Err(io::Error::other(error));
            }
        }
        match self.ended {
            Some(true) => return Ok(Vec::new()),
            Some(false) => return Err(io::ErrorKind::ConnectionAborted.into()),
            None => {}
        }
        let piece = self.pieces.take(self.deadline);
        if !matches!(&piece, Ok(piece) if !piece.is_empty()) {
            self.ended = Some(piece.is_ok());
            self.pieces.end();
        }
        piece
    }
}

/// Passes on the body piece by piece until it ends or fails, or the reader is gone.
fn read_pieces(mut body: Body, pieces: &Pieces) {
    loop {
        let mut piece = vec![0; 16 * 1024];
        let read = match body.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read,
        };
        let last = !matches!(read, Ok(1..));
        let piece = read.map(|length| {
            piece.truncate(length);
            piece
        });
        if !pieces.put(piece) || last {
            return;
        }
    }
}

impl Read for Watched {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let length = self.piece.read(buf)?;
        if length > 0 {
            return Ok(length);
        }
        self.piece = io::Cursor::new(self.next_piece()?);
        self.piece.read(buf)
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
        M::PunycodeFeatureNotEnabled | M::PunycodeConversionFailed => (
            ErrorKind::InvalidInput,
            "the host name is not ASCII: write it as punycode",
        ),
        M::HttpsFeatureNotEnabled => return no_tls(),
        #[cfg(feature = "_tls")]
        M::RustlsCreateConnection(error) => return from_tls(error),
        _ => (ErrorKind::ConnectionLost, "the request failed"),
    };
    Error::new(kind, message).with_source(error)
}

fn no_tls() -> Error {
    Error::invalid(
        "this program was built without TLS and cannot open https URLs: \
         enable mingram's feature `https`, `platform-roots` or `keep-alive`",
    )
}

/// Sets TLS up, if this program has it.
fn prepare_tls() -> Result<()> {
    #[cfg(feature = "_tls")]
    super::tls::install();
    match cfg!(feature = "_tls") {
        true => Ok(()),
        false => Err(no_tls()),
    }
}
