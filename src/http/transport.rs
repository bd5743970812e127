//! The transport: one request in, one streaming response out.

use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

/// The size limit of status line and headers together, in bytes. Meta's replies
/// carry 4 to 8 KiB of headers.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The longest time limit: a year. Some clocks cannot represent more.
pub(crate) const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Sends one HTTP request and returns one streaming response.
///
/// Default: [`DefaultTransport`](crate::transport::DefaultTransport). Set your own with
/// [`Api::with_transport`](crate::Api::with_transport): an ESP-IDF client, for
/// example, or [`Replay`](crate::transport::Replay), which plays recorded exchanges.
///
/// # Requirements
///
/// - Send the request as it is, `Accept-Encoding` included: do not decode or encode anything.
/// - Send a request marked [`once`](Request::once) over a new connection, and
///   never resend it. An idle connection may break after the server has read the
///   request, and then nobody can tell whether to send it again.
/// - **Do not follow redirects.** The URL contains the access token; mingram
///   decides where it may go.
/// - Return every response, whatever its status. An error means that there was no
///   response.
/// - Enforce both time limits, [`Request::timeout`] and [`Request::budget`], and report
///   [`ErrorKind::Timeout`](crate::ErrorKind::Timeout). Only time inside `send` and inside
///   reads of the body counts: the caller may pause between reads for as long as it likes.
///   mingram compares the budget with its own clock, but it cannot interrupt `send` or a read.
/// - Limit the size of the headers. mingram limits the body.
/// - End the body where the reply ends (RFC 9112, section 6.3): after as many bytes as
///   `Content-Length` says; after the last chunk, decoded, if `Transfer-Encoding` is
///   `chunked`; at the end of the connection if there is neither; at once for the statuses
///   204 and 304. Keep both headers. If the connection ends earlier, fail the read with
///   [`std::io::ErrorKind::UnexpectedEof`].
///
///   mingram enforces what can be seen from outside: lengths that contradict each other are an
///   error, a body that is shorter than its `Content-Length` is one, and bytes after that
///   length are ignored. Only the transport can know that a chunked body is truncated: a
///   download without a length is accepted if it is chunked.
/// - Do not decompress the body: mingram does, and a file's length is that of the bytes sent.
///   If your HTTP library decompresses and cannot be told not to, remove `Content-Encoding`
///   and `Content-Length`. If you look at bodies yourself, see [`Response::decode`].
/// - **Keep the query of the URL out of every error and log.** It contains the token.
///
/// Reading the body may fail with an [`Error`](crate::Error) inside the
/// [`std::io::Error`]; it is passed on unchanged.
///
/// # Wrapping another transport
///
/// ```
/// use mingram::transport::{Request, Response, Transport};
///
/// /// Logs method, path and status.
/// struct Logged<T>(T);
///
/// impl<T: Transport> Transport for Logged<T> {
///     fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
///         let path = request.url.split('?').next().unwrap_or_default();
///         let response = self.0.send(request)?;
///         println!("{} {path}: HTTP {}", request.method.as_str(), response.status);
///         Ok(response)
///     }
/// }
///
/// # use mingram::transport::Replay;
/// # let replay = Replay::new().with_directory("fixtures/feed").unwrap();
/// let api = mingram::Api::new("token").with_transport(Logged(replay));
/// assert_eq!(api.me(mingram::UserField::BASIC).unwrap().media_count, Some(11));
/// ```
///
/// To change a request, clone it and set its fields. References, boxes and `Arc`s of a
/// transport are transports too.
///
/// # Testing your own
///
/// Send it requests to a server of your own, and read the body to its end:
///
/// ```
/// use mingram::transport::{DefaultTransport, Method, Request, Transport};
/// use std::io::{BufRead, BufReader, Read, Write};
/// use std::net::TcpListener;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let url = format!("http://{}/me", listener.local_addr()?);
/// let server = std::thread::spawn(move || {
///     let (mut stream, _) = listener.accept()?;
///     let mut head = BufReader::new(&stream).lines().map_while(Result::ok);
///     while head.next().is_some_and(|line| !line.is_empty()) {}
///     stream.write_all(b"HTTP/1.1 404 Gone\r\nTransfer-Encoding: chunked\r\n\r\n")?;
///     stream.write_all(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
/// });
///
/// let transport = DefaultTransport::default();
/// let mut response = transport.send(&Request::new(Method::Get, &url))?;
/// assert_eq!((response.status, response.length()), (404, None));
/// let mut body = String::new();
/// response.body.read_to_string(&mut body)?;
/// assert_eq!(body, "{}");
/// server.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Transport: Send + Sync {
    /// Sends the request and waits for the headers of the response.
    fn send(&self, request: &Request<'_>) -> Result<Response>;
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: Transport + ?Sized> Transport for $pointer {
            fn send(&self, request: &Request<'_>) -> Result<Response> {
                (**self).send(request)
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);

/// The HTTP method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
}

impl Method {
    /// The name in the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

/// One request, ready to send.
///
/// Its `Debug` omits the query, the headers and the body, which may contain secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The complete URL, percent-encoded: visible ASCII only, without a fragment.
    pub url: &'a str,
    /// Header names and values, without line breaks. The transport adds `Host` and
    /// `Content-Length`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body of a `POST`.
    pub body: Option<&'a str>,
    /// The time limit until the headers of the response have arrived, from name lookup and
    /// connecting on. Then, within the body, the longest time that may pass without a byte
    /// while a read waits for it. Never zero.
    pub timeout: Duration,
    /// The time that `send` and all reads of the body together may take. At least `timeout`.
    pub budget: Duration,
    /// Set for login calls, which may use up a code or token: send over a new
    /// connection, and never resend.
    pub once: bool,
    /// Set for downloads: the caller may pause while it reads the body, which is no fixture.
    pub(crate) pauses: bool,
}

impl<'a> Request<'a> {
    /// Creates a request, to test a [`Transport`]. Set the other fields on it.
    ///
    /// Defaults: no headers, no body, a timeout of 30 s, a budget of 150 s, and not `once`.
    pub fn new(method: Method, url: &'a str) -> Request<'a> {
        Request {
            method,
            url,
            headers: &[],
            body: None,
            timeout: Duration::from_secs(30),
            budget: Duration::from_secs(150),
            once: false,
            pauses: false,
        }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url.split('?').next().unwrap_or_default())
            .field("timeout", &self.timeout)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// A response: status, headers, and a reader for the body.
///
/// Its `Debug` omits the values of the headers and the body.
#[non_exhaustive]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Header names and values, in the order received. Names in any case.
    pub headers: Vec<(String, String)>,
    /// Reads the body. See [`Transport`] for where it ends.
    pub body: Box<dyn Read + Send>,
    /// Set by a transport that takes a chunked body that was cut for a complete one.
    pub(crate) hides_chunks: bool,
}

impl Response {
    /// Creates a response.
    ///
    /// ```
    /// use mingram::transport::Response;
    ///
    /// let kind = ("Content-Type".to_owned(), "application/json".to_owned());
    /// let response = Response::new(200, vec![kind], &b"{}"[..]);
    /// assert_eq!(response.header("content-type"), Some("application/json"));
    /// ```
    pub fn new(
        status: u16,
        headers: Vec<(String, String)>,
        body: impl Read + Send + 'static,
    ) -> Response {
        Response {
            status,
            headers,
            body: Box::new(body),
            hides_chunks: false,
        }
    }

    /// Whether the last chunk proves that the body is complete.
    pub(crate) fn shows_end(&self) -> bool {
        self.header("transfer-encoding").is_some() && !self.hides_chunks
    }

    /// The first value of a header, trimmed. Ignores the case of the name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The content length; `None` for a body that is chunked or ends with the
    /// connection.
    pub fn length(&self) -> Option<u64> {
        if self.header("transfer-encoding").is_some() {
            return None;
        }
        // Some servers repeat it: `10, 10`.
        let length = self.header("content-length")?;
        length.split(',').next()?.trim_ascii().parse().ok()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may contain secrets: Location, Set-Cookie.
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// Refuses a response whose length is ambiguous or unreadable (RFC 9112, section
/// 6.3): request smuggling relies on readers that disagree about it.
pub(crate) fn check_lengths(headers: &[(String, String)]) -> Result<()> {
    let mut length = None;
    let mut chunked = false;
    let mut problem = "";
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("content-length") {
            for part in value.split(',').map(str::trim_ascii) {
                if part.starts_with('+') || part.parse::<u64>().is_err() {
                    problem = "the reply's content-length is not a number";
                } else if length.replace(part).is_some_and(|other| other != part) {
                    problem = "the reply has two different content-lengths";
                }
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = true;
            if !value.trim_ascii().eq_ignore_ascii_case("chunked") {
                problem = "the reply has a transfer-encoding other than chunked";
            }
        }
    }
    if chunked && length.is_some() {
        problem = "the reply has both a content-length and a transfer-encoding";
    }
    match problem {
        "" => Ok(()),
        _ => Err(Error::new(ErrorKind::Malformed, problem)),
    }
}
