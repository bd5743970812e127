//! The transport on rustls: HTTP/1.1 that reuses connections.
//!
//! Everything that requests share belongs to one [`Direct`]: idle connections, the
//! TLS configuration with its sessions, and which IP address of a host works. There
//! is no state outside it. The only thread it starts is for a name lookup.

mod body;
mod config;
mod connect;
mod failure;
mod head;
mod pool;
mod stream;

use super::transport::{MAX_TIMEOUT, Method, Request, Response, Transport};
use super::url::{Url, in_brackets};
use crate::error::{Error, Result};
use crate::lock::lock;
use body::{Chunk, FramedBody, Framing};
use failure::{WAITING, failed};
use head::Head;
use pool::{Connection, Pool};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io::{self, BufRead, BufReader};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use stream::Stream;

/// See [`DefaultTransport`](super::default_transport::DefaultTransport).
#[derive(Default)]
pub(crate) struct Direct {
    pool: Arc<Mutex<Pool>>,
    hosts: connect::Hosts,
    tls: Mutex<Option<Arc<ClientConfig>>>,
}

impl Transport for Direct {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let start = Instant::now();
        let deadline = start + request.timeout.min(MAX_TIMEOUT);
        let url = Url::parse(request.url).map_err(Error::invalid)?;
        let origin = format!("{} {}:{}", url.https, url.host, url.port).to_ascii_lowercase();
        let bytes = head::request(request, &url);
        let mut exchanged = None;
        if request.method == Method::Get && !request.once {
            exchanged = self.reuse(&origin, &bytes, request.timeout, deadline)?;
        }
        let (head, connection) = match exchanged {
            Some(exchanged) => exchanged,
            None => {
                let mut connection = self.connect(&url, deadline)?;
                let head = exchange(&mut connection, &bytes, deadline, deadline);
                (head.map_err(|failure| failure.error)?, connection)
            }
        };
        let budget = request.budget.min(MAX_TIMEOUT);
        let limits = (request.timeout, budget.saturating_sub(start.elapsed()));
        self.response(head, connection, origin, limits)
    }
}

impl Direct {
    pub(super) fn with_roots(certificates: &[u8]) -> Result<Direct> {
        Ok(Direct {
            tls: Mutex::new(Some(config::with_roots(certificates)?)),
            ..Direct::default()
        })
    }

    /// Sends the request over an idle connection to this origin that the server has not
    /// closed yet. `None` if there is none, or if it was of no use and nothing was received,
    /// so that the request can be sent again: the server closed it just as the request was
    /// sent, or a router has forgotten it, of which nobody is told. One that was idle for a
    /// while is therefore tried for a short time only, and one that is silent takes the
    /// others with it: they are no better.
    fn reuse(
        &self,
        origin: &str,
        request: &[u8],
        timeout: Duration,
        deadline: Instant,
    ) -> Result<Option<(Head, Connection)>> {
        let (mut connection, doubtful) = loop {
            let Some((mut connection, doubtful)) = lock(&self.pool).take(origin) else {
                return Ok(None);
            };
            if connection.get_mut().is_quiet() {
                break (connection, doubtful);
            }
        };
        let first = match doubtful {
            true => Instant::now() + TRIAL.min(timeout / 4),
            false => deadline,
        };
        let failure = match exchange(&mut connection, request, first, deadline) {
            // 408 Request Timeout: the server gave the idle connection up. It may have sent
            // this before the request (RFC 9110, 15.5.9).
            Ok(head) if head.status == 408 => return Ok(None),
            Ok(head) => return Ok(Some((head, connection))),
            Err(failure) => failure,
        };
        let silent = failure.error.is_timeout();
        if silent {
            lock(&self.pool).forget(origin);
        }
        match failure.unanswered && (doubtful || !silent) {
            true => Ok(None),
            false => Err(failure.error),
        }
    }

    fn connect(&self, url: &Url<'_>, deadline: Instant) -> Result<Connection> {
        let tls = match url.https {
            true => Some((self.tls()?, server_name(url.host)?)),
            false => None,
        };
        let tcp = self.hosts.connect(url.host, url.port, deadline)?;
        let mut stream = Stream::new(tcp, deadline);
        if let Some((config, name)) = tls {
            let done = stream.handshake(config, name);
            done.map_err(|error| failed(error, "during the TLS handshake"))?;
        }
        Ok(BufReader::new(stream))
    }

    /// The TLS configuration, created by the first https request. Errors are not
    /// cached: the next time the root certificates may be there.
    fn tls(&self) -> Result<Arc<ClientConfig>> {
        let mut tls = lock(&self.tls);
        if let Some(config) = &*tls {
            return Ok(config.clone());
        }
        Ok(tls.insert(config::built_in()?).clone())
    }

    fn response(
        &self,
        head: Head,
        connection: Connection,
        origin: String,
        limits: (Duration, Duration),
    ) -> Result<Response> {
        let mut response = Response::new(head.status, head.headers, io::empty());
        let framing = match response.length() {
            _ if matches!(head.status, 204 | 304) => Framing::Length(0),
            Some(length) => Framing::Length(length),
            None if response.header("transfer-encoding").is_some() => {
                Framing::Chunked(Chunk::First)
            }
            None => Framing::Close,
        };
        let reusable = head.reusable && !matches!(framing, Framing::Close);
        let home = reusable.then(|| (self.pool.clone(), origin));
        response.body = Box::new(FramedBody::new(connection, framing, home, limits));
        Ok(response)
    }
}

/// A host that no certificate can name is refused before it is looked up.
fn server_name(host: &str) -> Result<ServerName<'static>> {
    let name = ServerName::try_from(in_brackets(host).unwrap_or(host));
    let name = name.map_err(|_| Error::invalid("the URL's host is not a valid host name"))?;
    Ok(name.to_owned())
}

/// Why an exchange failed.
struct Failure {
    error: Error,
    /// Nothing of the response was received.
    unanswered: bool,
}

/// Sends the request and reads the head of the response, whose first byte is there by
/// `first`.
fn exchange(
    connection: &mut Connection,
    request: &[u8],
    first: Instant,
    deadline: Instant,
) -> Result<Head, Failure> {
    connection.get_mut().set_limits(first, Duration::MAX);
    let sent = connection.get_mut().send(request);
    // A server may respond and close before it has read the whole request.
    let error = match connection.fill_buf() {
        Ok([]) => io::ErrorKind::UnexpectedEof.into(),
        Ok(_) => {
            connection.get_mut().set_limits(deadline, Duration::MAX);
            let mut head = head::read(connection).map_err(|error| Failure {
                error,
                unanswered: false,
            })?;
            head.reusable &= sent.is_ok();
            return Ok(head);
        }
        Err(error) => error,
    };
    let (error, doing) = match sent {
        Err(error) => (error, "while sending the request"),
        Ok(()) => (error, WAITING),
    };
    Err(Failure {
        error: failed(error, doing),
        unanswered: true,
    })
}

/// How long a connection that was idle for a while is waited for, or a quarter of the
/// timeout if that is shorter.
const TRIAL: Duration = Duration::from_secs(3);
