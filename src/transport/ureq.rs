//! ureq behind the seam: connections are kept and used again.
//!
//! One agent for each `Api` and its clones, so there is no state outside them.
//! ureq's own redirects, statuses as errors, proxies from the environment and
//! decompression are off: those are decided elsewhere, or not at all.

use super::failure::{from_io, from_tls};
use super::{Method, Request, Response, Transport, check_lengths};
use crate::error::{Error, ErrorKind, Result};
use ::ureq::config::AutoHeaderValue;
use ::ureq::http;
use std::fmt;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a connection lies idle before it is no longer used. Servers close
/// theirs after some time of their own.
const IDLE: Duration = Duration::from_secs(15);

/// The most that status line and headers may weigh, in bytes.
const HEADERS: usize = 64 * 1024;

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
pub struct DefaultTransport {
    agent: ::ureq::Agent,
    /// A reply has come, so there may be connections that lie idle.
    used: AtomicBool,
}

impl Default for DefaultTransport {
    fn default() -> DefaultTransport {
        let config = ::ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .accept(AutoHeaderValue::None)
            .accept_encoding(AutoHeaderValue::None)
            .user_agent(AutoHeaderValue::None)
            .max_response_header_size(HEADERS)
            .max_idle_age(IDLE);
        #[cfg(all(feature = "platform-roots", not(feature = "https")))]
        let config = config.tls_config(
            ::ureq::tls::TlsConfig::builder()
                .root_certs(::ureq::tls::RootCerts::PlatformVerifier)
                .build(),
        );
        DefaultTransport {
            agent: config.build().into(),
            used: AtomicBool::new(false),
        }
    }
}

impl DefaultTransport {
    fn exchange(&self, request: &Request<'_>, fresh: bool) -> Result<http::Response<::ureq::Body>> {
        let method = match request.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
        };
        let mut outgoing = http::Request::builder().method(method).uri(request.url);
        for (name, value) in request.headers {
            outgoing = outgoing.header(*name, *value);
        }
        let idle = if fresh { Duration::ZERO } else { IDLE };
        let reply = match request.body {
            Some(body) => {
                let outgoing = outgoing.body(body).map_err(not_sendable)?;
                let outgoing = self.agent.configure_request(outgoing);
                self.agent.run(
                    outgoing
                        .timeout_global(Some(request.timeout))
                        .max_idle_age(idle)
                        .build(),
                )
            }
            None => {
                let outgoing = outgoing.body(()).map_err(not_sendable)?;
                let outgoing = self.agent.configure_request(outgoing);
                self.agent.run(
                    outgoing
                        .timeout_global(Some(request.timeout))
                        .max_idle_age(idle)
                        .build(),
                )
            }
        };
        reply.map_err(from_ureq)
    }
}

impl Transport for DefaultTransport {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        // A code is good for one attempt, so it gets a connection of its own.
        let fresh = request.method == Method::Post;
        let used = self.used.load(Ordering::Relaxed);
        let reply = match self.exchange(request, fresh) {
            // The server may have closed a connection that was lying idle, in
            // the moment it was used: nothing was lost, so ask once more.
            Err(error) if error.kind() == ErrorKind::ConnectionLost && used && !fresh => {
                self.exchange(request, true)?
            }
            reply => reply?,
        };
        self.used.store(true, Ordering::Relaxed);
        let (head, body) = reply.into_parts();
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
        Ok(Response {
            status: head.status.as_u16(),
            headers,
            body: Box::new(Body(body.into_reader())),
        })
    }
}

/// A body whose errors are mingram's.
struct Body(::ureq::BodyReader<'static>);

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(|error| match error.kind() {
            // Plain enough, and the caller has its own words for them.
            io::ErrorKind::TimedOut
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset => error,
            _ => io::Error::other(match error.downcast::<::ureq::Error>() {
                Ok(error) => from_ureq(error),
                Err(error) => from_io(error, "the connection broke while the body was read"),
            }),
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
        U::Timeout(_) => (ErrorKind::Timeout, "the time for this call ran out"),
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
        U::Protocol(_) | U::Http(_) => {
            (ErrorKind::Malformed, "what came is not a valid HTTP reply")
        }
        U::Tls(_) | U::TlsRequired => (ErrorKind::Tls, "TLS could not be set up"),
        _ => (ErrorKind::ConnectionLost, "the request failed"),
    };
    Error::new(kind, message).with_source(error)
}

impl fmt::Debug for DefaultTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultTransport").finish_non_exhaustive()
    }
}
