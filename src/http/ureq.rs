//! ureq behind the seam: connections are kept and used again.
//!
//! One agent for each `Api` and its clones, so there is no state outside them.
//! ureq's own redirects, statuses as errors, proxies from the environment and
//! decompression are off: those are decided elsewhere, or not at all.
//!
//! What ureq 3.5 does that is mended here:
//!
//! - it adds a timeout to the clock, which panics for the longest ones: a year
//!   at most here;
//! - statuses up to 999 pass: an error here;
//! - a host that no certificate could be for is looked up all the same: refused
//!   here, before;
//! - it looks names up on a thread of its own, and panics where the system has
//!   none left: caught here;
//! - a body that failed reads as ended from then on: it stays failed here.
//!
//! And what cannot be mended: a reset, and over TLS a close without notice, is
//! the end of a body that has neither a length nor chunks. Of JSON the brackets
//! tell a cut; a file of that kind is an error unless the caller takes one of
//! unknown length.

use super::failure::{from_io, from_panic, from_tls, panic_text};
use super::transport::{MAX_HEAD_BYTES, Method, Request, Response, Transport, check_lengths};
use super::url::Url;
use crate::error::{Error, ErrorKind, Result};
use ::ureq::config::AutoHeaderValue;
use ::ureq::{AsSendBody, http};
use rustls::pki_types::ServerName;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a connection lies idle before it is no longer used. Servers close
/// theirs after some time of their own.
const IDLE: Duration = Duration::from_secs(15);

/// See [`DefaultTransport`](super::default_transport::DefaultTransport).
#[derive(Default)]
pub(crate) struct Ureq {
    shared: Arc<Mutex<Shared>>,
}

/// What all requests of a transport share.
#[derive(Default)]
struct Shared {
    agent: Option<Agent>,
    /// Connections that may lie idle, by origin, and since when. It is a guess:
    /// the server may have closed them.
    idle: Vec<(String, Instant)>,
}

/// The agent runs requests of its own timeout as they are. Another timeout is
/// set for the request alone, and ureq builds a new TLS configuration for such
/// a one, without the sessions of the others, until a request of the first kind
/// has made the one that is kept.
#[derive(Clone)]
struct Agent {
    agent: ::ureq::Agent,
    timeout: Duration,
    has_tls: bool,
}

impl Agent {
    fn new(timeout: Duration) -> Agent {
        let config = ::ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .accept(AutoHeaderValue::None)
            .accept_encoding(AutoHeaderValue::None)
            .user_agent(AutoHeaderValue::None)
            .max_response_header_size(MAX_HEAD_BYTES)
            .max_idle_age(IDLE);
        #[cfg(all(feature = "platform-roots", not(feature = "https")))]
        let config = config.tls_config(
            ::ureq::tls::TlsConfig::builder()
                .root_certs(::ureq::tls::RootCerts::PlatformVerifier)
                .build(),
        );
        Agent {
            agent: config.build().into(),
            timeout,
            has_tls: false,
        }
    }

    fn run(
        &self,
        request: &Request<'_>,
        timeout: Duration,
        fresh: bool,
    ) -> Result<http::Response<::ureq::Body>> {
        let method = match request.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
        };
        let mut outgoing = http::Request::builder().method(method).uri(request.url);
        for (name, value) in request.headers {
            outgoing = outgoing.header(*name, *value);
        }
        match request.body {
            Some(body) => self.run_one(outgoing.body(body), timeout, fresh),
            None => self.run_one(outgoing.body(()), timeout, fresh),
        }
    }

    fn run_one(
        &self,
        outgoing: http::Result<http::Request<impl AsSendBody>>,
        timeout: Duration,
        fresh: bool,
    ) -> Result<http::Response<::ureq::Body>> {
        let outgoing = outgoing.map_err(not_sendable)?;
        let run = || {
            if fresh || timeout != self.timeout {
                let idle = if fresh { Duration::ZERO } else { IDLE };
                let outgoing = self.agent.configure_request(outgoing);
                let outgoing = outgoing.timeout_global(Some(timeout)).max_idle_age(idle);
                self.agent.run(outgoing.build())
            } else {
                self.agent.run(outgoing)
            }
        };
        catch_unwind(AssertUnwindSafe(run))
            .map_err(|panic| from_panic(panic_text(&*panic)))?
            .map_err(from_ureq)
    }
}

impl Shared {
    fn agent(&mut self, timeout: Duration, https: bool) -> Agent {
        match &self.agent {
            Some(agent) if !https || agent.has_tls || agent.timeout == timeout => agent.clone(),
            _ => {
                // Nothing is lost: there was no TLS connection yet.
                let agent = Agent::new(timeout);
                self.agent.insert(agent).clone()
            }
        }
    }

    /// There may be an idle connection to that origin; a request that does not
    /// insist on a new one takes it, one that does closes them all.
    fn take_idle(&mut self, origin: &str, fresh: bool) -> bool {
        self.idle.retain(|(_, since)| since.elapsed() < IDLE);
        if fresh {
            self.idle.retain(|(of, _)| of != origin);
            return false;
        }
        match self.idle.iter().position(|(of, _)| of == origin) {
            Some(at) => {
                self.idle.remove(at);
                true
            }
            None => false,
        }
    }
}

/// Nothing here is half done where a thread panics.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transport for Ureq {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let address = Url::parse(request.url).map_err(Error::invalid)?;
        let (https, host) = (address.https, address.host);
        if https && ServerName::try_from(host.trim_matches(['[', ']'])).is_err() {
            // Before its name is looked up.
            return Err(Error::invalid(
                "the host of the address is no valid host name",
            ));
        }
        // Whole seconds, so that what is left of a timeout is the same again.
        let timeout = request.whole_seconds();
        let start = Instant::now();
        let origin = format!("{https} {host}:{}", address.port);
        let fresh = request.once;
        let (agent, may_be_stale) = {
            let mut shared = lock(&self.shared);
            let agent = shared.agent(timeout, https);
            (agent, shared.take_idle(&origin, fresh))
        };
        let reply = match agent.run(request, timeout, fresh) {
            // The server may have closed a connection that was lying idle, in
            // the moment it was used: nothing was lost, so ask once more.
            Err(error) if error.kind() == ErrorKind::ConnectionLost && may_be_stale => {
                lock(&self.shared).take_idle(&origin, true);
                let left = timeout.saturating_sub(start.elapsed());
                agent.run(request, left, true)?
            }
            reply => reply?,
        };
        if https && agent.timeout == timeout && !fresh {
            if let Some(agent) = &mut lock(&self.shared).agent {
                agent.has_tls |= agent.timeout == timeout;
            }
        }
        let (head, body) = reply.into_parts();
        if head.status.as_u16() > 599 {
            return Err(Error::new(
                ErrorKind::Malformed,
                "the reply has a status that HTTP does not know",
            ));
        }
        let mut headers = Vec::with_capacity(head.headers.len());
        for (name, value) in &head.headers {
            let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
                return Err(Error::new(
                    ErrorKind::Malformed,
                    "the reply's headers are not UTF-8",
                ));
            };
            headers.push((name.as_str().to_owned(), value.to_owned()));
        }
        check_lengths(&headers)?;
        let mut body = Body {
            inner: body.into_reader(),
            failed: None,
            idle: stays_open(head.version, &headers).then(|| (self.shared.clone(), origin)),
        };
        let mut response = Response {
            status: head.status.as_u16(),
            headers,
            body: Box::new(io::empty()),
        };
        if matches!(response.status, 204 | 304) || response.length() == Some(0) {
            // ureq has the connection back already.
            body.ended();
        }
        response.body = Box::new(body);
        Ok(response)
    }
}

/// The server lets the connection be used again.
fn stays_open(version: http::Version, headers: &[(String, String)]) -> bool {
    let closes = headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("connection")
            && value
                .split(',')
                .any(|word| word.trim().eq_ignore_ascii_case("close"))
    });
    version == http::Version::HTTP_11 && !closes
}

/// A body whose errors are mingram's, and that stays failed.
struct Body {
    inner: ::ureq::BodyReader<'static>,
    failed: Option<io::ErrorKind>,
    /// Whose connection lies idle when this has come to its end.
    idle: Option<(Arc<Mutex<Shared>>, String)>,
}

impl Body {
    fn ended(&mut self) {
        if let Some((shared, origin)) = self.idle.take() {
            lock(&shared).idle.push((origin, Instant::now()));
        }
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        if buf.is_empty() {
            return Ok(0);
        }
        let read = self.inner.read(buf);
        if matches!(read, Ok(0)) {
            self.ended();
        }
        read.map_err(|error| match error.kind() {
            // Plain enough, and the caller has its own words for them.
            kind @ (io::ErrorKind::TimedOut
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset) => {
                self.failed = Some(kind);
                error
            }
            _ => {
                self.failed = Some(io::ErrorKind::ConnectionAborted);
                io::Error::other(match error.downcast::<::ureq::Error>() {
                    Ok(error) => from_ureq(error),
                    Err(error) => from_io(error, "the connection broke while reading the body"),
                })
            }
        })
    }
}

/// The error of an address, header or method is not kept: it may quote the
/// address.
fn not_sendable(_: http::Error) -> Error {
    Error::invalid("the request cannot be sent: its address or a header is not valid")
}

fn from_ureq(error: ::ureq::Error) -> Error {
    use ::ureq::Error as U;
    let (kind, message) = match error {
        U::Io(error) => return from_io(error, "the connection broke before the reply came"),
        U::Rustls(error) => return from_tls(error),
        U::BadUri(_) => return Error::invalid("the address is not usable"),
        U::Timeout(_) => (ErrorKind::Timeout, "the call timed out"),
        U::HostNotFound => (
            ErrorKind::Connect,
            "the host's name was not found: check the network and the name",
        ),
        U::ConnectionFailed => (
            ErrorKind::Connect,
            "the host cannot be reached: check the network",
        ),
        U::LargeResponseHeader(..) => (
            ErrorKind::TooLarge,
            "the reply's headers are larger than 64 KiB",
        ),
        // Also where the size of a chunk is longer than ureq's buffer.
        U::BodyStalled => (
            ErrorKind::Truncated,
            "the connection ended before the complete body arrived",
        ),
        U::Protocol(_) | U::Http(_) => {
            (ErrorKind::Malformed, "what came is not a valid HTTP reply")
        }
        U::Tls(_) | U::TlsRequired => (ErrorKind::Tls, "TLS could not be set up"),
        _ => (ErrorKind::ConnectionLost, "the request failed"),
    };
    Error::new(kind, message).with_source(error)
}
