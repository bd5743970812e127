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
//!   which is waited for and abandoned when the time is up: see [`run`]. minreq's own
//!   timeout only ends what was abandoned; see [`lifetime`].
//! - A TLS handshake has no timeout at all: what is abandoned then ends when the server
//!   closes the connection, which may be never.
//! - Redirects are followed to any host. They are turned off; the client decides.
//! - IPv6 literals are cut at their first colon. They are refused.
//! - It does not check URLs, requires a lower-case scheme, and sends no `/` before a query
//!   without a path. It gets what [`Url`] makes of them.
//! - A truncated body reads as complete. The client compares the length. A chunked body has
//!   none, and minreq does not show whether its last chunk came: what is read of one that is
//!   cut passes for all of it, unless TLS ends without close_notify. See
//!   [`Download::accept_unknown_length`](crate::download::Download::accept_unknown_length).
//! - The end of the connection passes for the end of the headers: half of a
//!   `Location` is followed, and a truncated status line looks like an empty file.
//!   See [`needs_proof`].

use super::failure::{from_io, malformed_chunk, of_body};
use super::system::NO_THREAD;
use super::tls;
use super::transport::{MAX_HEAD_BYTES, MAX_TIMEOUT, Method, Request, Response, Transport};
use super::url::{Url, in_brackets};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use std::any::Any;
use std::io::{self, Read};
use std::mem;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// See [`DefaultTransport`](super::default_transport::DefaultTransport).
#[derive(Default)]
pub(crate) struct Minreq;

impl Transport for Minreq {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let start = Instant::now();
        let outgoing = outgoing(request)?;
        let mut pieces = Pieces::start(outgoing, request)?;
        let (status, headers) = pieces.head(request.timeout)?;
        let mut response = Response::new(status, headers, io::empty());
        response.hides_chunks = true;
        let left = |limit: Duration| limit.saturating_sub(start.elapsed());
        if needs_proof(&response) {
            let proof = pieces.next_piece(left(request.timeout));
            proof.map_err(Error::of_body)?;
            if pieces.unread.is_empty() {
                let message = "the reply ended in or after its headers, which may be incomplete";
                return Err(Error::new(ErrorKind::Truncated, message));
            }
        }
        pieces.budget = left(request.budget);
        response.body = Box::new(pieces);
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
        let message = "the connection ended without a reply, or the reply is not HTTP";
        return Err(Error::new(ErrorKind::ConnectionLost, message));
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

type Head = (u16, Vec<(String, String)>);

/// What a request and the thread that it runs on hand to each other. Channels of `()` say
/// when something is there or wanted: minreq uses such channels too, so they add no code.
#[derive(Default)]
struct Shared {
    head: Option<Result<Head>>,
    /// How long the piece is; 0 marks the end.
    piece: Option<io::Result<usize>>,
    /// Where it is. The thread reads into the buffer that the caller gave back.
    buf: Vec<u8>,
}

/// What the thread does: it sends the request, and then reads a piece of the body whenever
/// the caller waits for one. It ends with the body, with the first failure, and when the
/// caller is gone; if it is waiting for the server then, when the server closes the
/// connection or after minreq's timeout.
fn run(
    outgoing: ::minreq::Request,
    shared: &Mutex<Shared>,
    wanted: Receiver<()>,
    done: Sender<()>,
) {
    let mut reply = match send(outgoing) {
        Ok(reply) => reply,
        Err(error) => {
            lock(shared).head = Some(Err(error));
            let _ = done.send(());
            return;
        }
    };
    let headers = mem::take(&mut reply.headers);
    lock(shared).head = Some(Ok((reply.status_code, headers)));
    let mut is_last = false;
    while done.send(()).is_ok() && !is_last && wanted.recv().is_ok() {
        let mut buf = mem::take(&mut lock(shared).buf);
        buf.resize(PIECE, 0);
        let piece = read_piece(&mut reply, &mut buf);
        is_last = !matches!(piece, Ok(1..));
        let mut shared = lock(shared);
        (shared.piece, shared.buf) = (Some(piece), buf);
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
    let inner = error.get_ref();
    match inner.is_some_and(|inner| inner.is::<std::num::ParseIntError>()) {
        true => io::Error::other(malformed_chunk().with_source(error)),
        false => of_body(error),
    }
}

/// The body, in pieces from the thread.
struct Pieces {
    shared: Arc<Mutex<Shared>>,
    want: Sender<()>,
    done: Receiver<()>,
    buf: Vec<u8>,
    /// What is unread of the last piece, in `buf`.
    unread: Range<usize>,
    /// Set when no more pieces follow: whether the body ended without a failure.
    ended: Option<bool>,
    silence: Duration,
    /// What is left for reads.
    budget: Duration,
}

impl Pieces {
    /// Starts the thread.
    fn start(outgoing: ::minreq::Request, request: &Request<'_>) -> Result<Pieces> {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (want, wanted) = channel();
        let (send_done, done) = channel();
        let of_thread = shared.clone();
        let thread = move || run(outgoing, &of_thread, wanted, send_done);
        thread::Builder::new()
            .spawn(thread)
            .map_err(|error| Error::new(ErrorKind::ConnectionLost, NO_THREAD).with_source(error))?;
        Ok(Pieces {
            shared,
            want,
            done,
            buf: Vec::new(),
            unread: 0..0,
            ended: None,
            silence: request.timeout,
            budget: request.budget,
        })
    }

    fn head(&self, limit: Duration) -> Result<Head> {
        let head = match self.done.recv_timeout(limit) {
            Ok(()) => lock(&self.shared).head.take(),
            Err(_) => None,
        };
        head.unwrap_or_else(|| Err(Error::new(ErrorKind::Timeout, "the call timed out")))
    }

    /// Waits for the next piece; nothing is unread after the last.
    fn next_piece(&mut self, limit: Duration) -> io::Result<()> {
        match self.ended {
            Some(true) => return Ok(()),
            Some(false) => return Err(io::ErrorKind::ConnectionAborted.into()),
            None => {}
        }
        lock(&self.shared).buf = mem::take(&mut self.buf);
        let _ = self.want.send(());
        let mut piece = None;
        if self.done.recv_timeout(limit).is_ok() {
            let mut shared = lock(&self.shared);
            (piece, self.buf) = (shared.piece.take(), mem::take(&mut shared.buf));
        }
        let piece = piece.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
        if !matches!(piece, Ok(1..)) {
            self.ended = Some(piece.is_ok());
        }
        self.unread = 0..piece?;
        Ok(())
    }
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() && !buf.is_empty() {
            let start = Instant::now();
            let next = self.next_piece(self.silence.min(self.budget));
            self.budget = self.budget.saturating_sub(start.elapsed());
            next?;
        }
        let length = self.unread.len().min(buf.len());
        buf[..length].copy_from_slice(&self.buf[self.unread.clone()][..length]);
        self.unread.start += length;
        Ok(length)
    }
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
