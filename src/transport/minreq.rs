//! minreq behind the seam: the only file that names minreq.
//!
//! What minreq 3.0.0 does that a caller must not see is mended here:
//!
//! - an empty reply, or garbage for a status line, becomes a made-up 503:
//!   told by its reason phrase, and an error here;
//! - of two different lengths the last is taken, and a length beside chunks is
//!   passed over: both are errors here;
//! - white space around a header's name stays, though minreq itself reads a
//!   length and chunks past it: taken off here;
//! - a 1xx before the reply is taken for the reply: an error here;
//! - its header cap is 8 KiB: [`HEADERS`] here;
//! - a header line that ends in a bare LF and fills that cap to the byte
//!   panics (`read_metadata` and `read_trailers` subtract two for the line
//!   end) where overflow is checked: caught here, on its thread and on ours.
//!   With `panic = "abort"` nothing can be caught, and the program ends there.
//!   Without overflow checks the cap is lifted instead, and the timeout is
//!   what ends such a reply;
//! - a system that has no thread left for it is a panic as well: caught here;
//! - no timeout unless one is set, and `MINREQ_TIMEOUT` for a default: one is
//!   always set here. Whole seconds only: rounded up;
//! - over TLS that timeout is for each read of the socket, and a record takes
//!   as many as it likes: [`Watched`] here. A handshake that is never answered
//!   has no timeout of its own at all: the call ends in time, but minreq leaves
//!   its thread and the connection behind until the other side closes, which is
//!   for ever where it just vanishes;
//! - redirects followed anywhere: none here, the caller decides;
//! - an IPv6 address is cut at its first colon: refused here;
//! - a scheme must be in lower case: it is, here;
//! - a fragment right behind the host is read as a part of it: the caller takes
//!   fragments off;
//! - a body that ends early reads as complete: the caller compares the length.

#[cfg(any(feature = "https", feature = "platform-roots"))]
use super::failure::from_tls;
use super::failure::{self, from_io, panic_text};
use super::{Method, Request, Response, Transport, check_lengths};
use crate::error::{Error, ErrorKind, Result};
use std::any::Any;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The most that status line and headers may weigh, in bytes. Meta's replies
/// carry large headers, some 4 to 8 KiB.
const HEADERS: usize = 64 * 1024;

/// Longer than any timeout needs to be, and short enough for every clock: a year.
const LONGEST: u64 = 365 * 24 * 3600;

/// What an [`Api`](crate::Api) sends its requests with where it was given
/// nothing else: minreq, a new connection for each request; with the feature
/// `keep-alive`, ureq, connections used again.
///
/// It is public so that a transport of one's own can wrap it, to count, log or
/// record what passes:
///
/// ```no_run
/// use mingram::{Api, DefaultTransport, Request, Response, Result, Transport};
///
/// struct Timed<T>(T);
///
/// impl<T: Transport> Transport for Timed<T> {
///     fn send(&self, request: &Request<'_>) -> Result<Response> {
///         let start = std::time::Instant::now();
///         let response = self.0.send(request);
///         eprintln!("{} ms", start.elapsed().as_millis());
///         response
///     }
/// }
///
/// let api = Api::new("IGQVJ...").with_transport(Timed(DefaultTransport::default()));
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct DefaultTransport;

impl Transport for DefaultTransport {
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
                "minreq cannot read an IPv6 address: use a host name or IPv4",
            ));
        }
        let method = match request.method {
            Method::Get => ::minreq::Method::Get,
            Method::Post => ::minreq::Method::Post,
        };
        let seconds = request.timeout.as_secs();
        let seconds = seconds.saturating_add(u64::from(request.timeout.subsec_nanos() > 0));
        let seconds = seconds.clamp(1, LONGEST);
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let mut url = request.url.to_owned();
        if let Some(scheme) = url.find("://") {
            url[..scheme].make_ascii_lowercase();
        }
        let mut outgoing = ::minreq::Request::new(method, url)
            .with_follow_redirects(false)
            .with_max_headers_size(HEADERS)
            .with_max_status_line_length(HEADERS)
            .with_timeout(seconds);
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
        check_lengths(&reply.headers)?;
        let (status, headers) = (reply.status_code, std::mem::take(&mut reply.headers));
        let body = Body {
            reply,
            failed: false,
        };
        Ok(Response {
            status,
            headers,
            body: match https {
                true => Box::new(Watched::new(body, deadline)),
                false => Box::new(body),
            },
        })
    }
}

/// What minreq passes for a reply and is none.
fn check_status(reply: &::minreq::ResponseLazy) -> Result<()> {
    let malformed = |message: &str| Err(Error::new(ErrorKind::Malformed, message));
    let made_up =
        reply.status_code == 503 && reply.reason_phrase == "Server did not provide a status line";
    // A status of one or two digits is one that was cut.
    if made_up || reply.status_code < 100 {
        return Err(Error::new(
            ErrorKind::ConnectionLost,
            "the connection ended without an HTTP reply, or what came was not HTTP",
        ));
    }
    if reply.status_code < 200 {
        return malformed("an interim (1xx) reply came, though none was asked for");
    }
    if reply.status_code > 599 {
        return malformed("the reply has a status that HTTP does not know");
    }
    Ok(())
}

/// A body that says what failed, and stays failed.
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
            // minreq asserts that there is something to read.
            return Ok(0);
        }
        let read = catch_unwind(AssertUnwindSafe(|| self.reply.read(buf))).map_err(|panic| {
            self.failed = true;
            io::Error::other(from_panic(panic))
        })?;
        read.map_err(|error| {
            self.failed = true;
            // Between chunks minreq wraps what the connection says.
            let error = match error.downcast::<::minreq::Error>() {
                Ok(::minreq::Error::IoError(error)) | Err(error) => error,
                Ok(error) => return io::Error::other(from_minreq(error)),
            };
            match error.kind() {
                // Plain enough, and the caller has its own words for them.
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
                    "the connection broke while the body was read",
                )),
            }
        })
    }
}

/// A body that comes over TLS, read on a thread of its own from the first read
/// on, and left behind there when the time is over. The thread ends with the
/// body, when nobody wants the next piece, or when the server is silent for as
/// long as the timeout; where a record drips in, with that record and no sooner.
///
/// minreq gives each read of the socket all the time that is left, and rustls
/// reads until a record (up to 16 KiB) is whole: where a byte comes now and
/// then, that takes hours.
struct Watched {
    body: Option<Body>,
    pieces: Arc<Pieces>,
    piece: io::Cursor<Vec<u8>>,
    /// What came last, where no more will: the end, or a failure.
    ended: Option<bool>,
    deadline: Instant,
}

/// Where one thread puts a piece and the other takes it. A channel of std's
/// would do, and its code for one more type is six kilobytes of program.
#[derive(Default)]
struct Pieces {
    state: Mutex<Handover>,
    changed: Condvar,
}

#[derive(Default)]
struct Handover {
    piece: Option<io::Result<Vec<u8>>>,
    /// Nobody takes a piece any more, or nobody puts one there.
    over: bool,
}

impl Pieces {
    /// Nothing is half done where a thread panics.
    fn lock(&self) -> MutexGuard<'_, Handover> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room; answers whether somebody takes it.
    fn put(&self, piece: io::Result<Vec<u8>>) -> bool {
        let mut state = self.lock();
        while state.piece.is_some() && !state.over {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let wanted = !state.over;
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
            if state.over {
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
        self.lock().over = true;
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

    /// The next piece; an empty one is the end.
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

/// Hands the body over piece by piece, until its end, a failure, or nobody
/// takes it any more.
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
        "a chunk of the reply has no valid length",
    )
}

/// A panic of minreq's: of the header arithmetic on our thread, or what it says
/// where that was on its own; or another.
fn from_panic(panic: Box<dyn Any + Send>) -> Error {
    match panic_text(&*panic) {
        text if text.contains("subtract with overflow") || text.contains("unreachable code") => {
            from_minreq(::minreq::Error::HeadersOverflow)
        }
        text => failure::from_panic(text),
    }
}

fn from_minreq(error: ::minreq::Error) -> Error {
    use ::minreq::Error as M;
    let (kind, message) = match error {
        M::IoError(error) => return from_io(error, "the connection broke before the reply came"),
        M::HeadersOverflow | M::StatusLineOverflow => (
            ErrorKind::TooLarge,
            "the reply's headers are larger than 64 KiB, or made to break their reader",
        ),
        M::MalformedChunkLength | M::MalformedChunkEnd => {
            return malformed_chunk().with_source(error);
        }
        M::MalformedContentLength => (
            ErrorKind::Malformed,
            // minreq counts in usize.
            if cfg!(target_pointer_width = "32") {
                "the reply's content-length is not a number, or is 4 GiB or more, \
                 which minreq cannot take on a 32-bit machine"
            } else {
                "the reply's content-length is not a number"
            },
        ),
        M::InvalidUtf8InResponse => (ErrorKind::Malformed, "the reply's headers are not UTF-8"),
        M::AddressNotFound => (ErrorKind::Connect, "the host's name has no address"),
        M::PunycodeFeatureNotEnabled | M::PunycodeConversionFailed => (
            ErrorKind::InvalidInput,
            "the host's name is not ASCII: write it as punycode",
        ),
        M::HttpsFeatureNotEnabled => return no_tls(),
        #[cfg(any(feature = "https", feature = "platform-roots"))]
        M::RustlsCreateConnection(error) => return from_tls(error),
        _ => (ErrorKind::ConnectionLost, "the request failed"),
    };
    Error::new(kind, message).with_source(error)
}

#[cfg(not(any(feature = "https", feature = "platform-roots")))]
fn prepare_tls() -> Result<()> {
    Err(no_tls())
}

fn no_tls() -> Error {
    Error::invalid(
        "this program was built without TLS, so it cannot use an https address: \
         turn on mingram's feature `https` or `platform-roots`",
    )
}

/// Picks ring where the program has chosen no crypto provider of its own.
/// minreq turns on all of rustls's defaults, so two providers are compiled in
/// and rustls would not choose between them.
#[cfg(any(feature = "https", feature = "platform-roots"))]
fn prepare_tls() -> Result<()> {
    use rustls::crypto::{CryptoProvider, ring};
    if CryptoProvider::get_default().is_none() {
        let provider = CryptoProvider {
            key_provider: &NoKeys,
            ..ring::default_provider()
        };
        // Another thread may have come first; then its choice stands.
        let _ = provider.install_default();
    }
    Ok(())
}

/// Reads no private keys: mingram shows no certificate of its own, and ring's
/// code for signing with one weighs as much as all of mingram.
#[cfg(any(feature = "https", feature = "platform-roots"))]
#[derive(Debug)]
struct NoKeys;

#[cfg(any(feature = "https", feature = "platform-roots"))]
impl rustls::crypto::KeyProvider for NoKeys {
    fn load_private_key(
        &self,
        _: rustls::pki_types::PrivateKeyDer<'static>,
    ) -> std::result::Result<std::sync::Arc<dyn rustls::sign::SigningKey>, rustls::Error> {
        Err(rustls::Error::General(
            "mingram's crypto provider reads no private keys: install another one before the first call".into(),
        ))
    }
}
