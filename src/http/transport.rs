//! The transport: one request in, one streaming response out.

use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::io::Read;
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
/// - Do not decompress the body: mingram does, and a file's length is that of the bytes sent.
///   If your HTTP library decompresses and cannot be told not to, remove `Content-Encoding`
///   and `Content-Length`. If you look at bodies yourself, see [`Response::decode`].
/// - If the connection ends before the body does, fail the read with
///   [`std::io::ErrorKind::UnexpectedEof`]. mingram also compares the length with
///   `Content-Length`.
/// - **Keep the URL out of every error and log.** It contains the token.
///
/// Reading the body may fail with an [`Error`](crate::Error) inside the
/// [`std::io::Error`]; it is passed on unchanged.
pub trait Transport: Send + Sync {
    /// Sends the request and waits for the headers of the response.
    fn send(&self, request: &Request<'_>) -> Result<Response>;
}

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
/// Its `Debug` omits the query and the body, which contain the secrets.
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
    /// Set for downloads: the caller may pause while it reads the body.
    #[allow(dead_code, reason = "for minreq")]
    pub(crate) pauses: bool,
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
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Header names and values, in the order received. Names in any case.
    pub headers: Vec<(String, String)>,
    /// Reads the body.
    pub body: Box<dyn Read + Send>,
}

impl Response {
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
