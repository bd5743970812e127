//! The seam: one request in, one streaming response out.

use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::io::Read;
use std::time::Duration;

mod failure;
#[cfg(not(feature = "keep-alive"))]
mod minreq;
#[cfg(feature = "keep-alive")]
mod ureq;

#[cfg(not(feature = "keep-alive"))]
pub use minreq::DefaultTransport;
#[cfg(feature = "keep-alive")]
pub use ureq::DefaultTransport;

/// Sends one HTTP request and answers with one streaming response.
///
/// The default goes through minreq, a new connection for each request; with the
/// feature `keep-alive`, through ureq, which uses connections again. An ESP-IDF
/// client or a replay of recorded exchanges plugs in its own with
/// [`Api::with_transport`](crate::Api::with_transport).
///
/// # What an implementation must do
///
/// - Send the request as it stands: nothing decoded, nothing encoded again.
/// - Send a request that is to go out [`once`](Request::once) over a new
///   connection: one that lay idle may break after the server read it, and then
///   nobody can tell whether to send it again.
/// - **Follow no redirect.** The access token is in the address; mingram
///   decides where it may go.
/// - Return whatever status came; an error is only for there being no reply.
/// - Give up when [`Request::timeout`] is over, counted over the whole
///   exchange, the body included, with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout).
/// - Bound what it holds of the headers. The body is bounded by mingram.
/// - Hand the body out as it came: no decompression.
/// - When the connection ends before the body does, fail the read with
///   [`std::io::ErrorKind::UnexpectedEof`] where it can tell. mingram compares
///   the length with `Content-Length` besides.
/// - **Keep the address out of every error** and every log: the token is in it.
///
/// A read of the body may fail with an [`Error`](crate::Error) of mingram's
/// inside the [`std::io::Error`]; it is passed on as it is.
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
    /// As it stands in the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

/// One request, ready to send.
///
/// Its `Debug` shows neither the query nor the body, which hold the secrets.
#[non_exhaustive]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The whole address, percent-encoded: visible ASCII and nothing else, and
    /// no fragment.
    pub url: &'a str,
    /// Header names and values, checked: no line breaks in them. The transport
    /// adds `Host` and `Content-Length`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body of a `POST`.
    pub body: Option<&'a str>,
    /// How long the whole exchange may take, the body included.
    pub timeout: Duration,
    /// A login call, which may use up its code or token: it goes over a new
    /// connection, and whatever happens there, it is not sent again.
    pub once: bool,
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url.split('?').next().unwrap_or_default())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A reply: its status and headers, and a reader for its body.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Header names and values, in the order they came; the case of the names
    /// does not matter.
    pub headers: Vec<(String, String)>,
    /// The body, from its first byte.
    pub body: Box<dyn Read + Send>,
}

impl Response {
    /// The first value of a header, white space around it taken off.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The length that the body was announced with; `None` for a body that
    /// comes in chunks or ends with the connection.
    pub fn length(&self) -> Option<u64> {
        if self.header("transfer-encoding").is_some() {
            return None;
        }
        self.header("content-length")?.parse().ok()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A header may hold a secret: a Location, or a cookie.
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// Refuses a reply whose length is announced in two ways, or in none that can
/// be read: which of them counts is what request smuggling is made of.
fn check_lengths(headers: &[(String, String)]) -> Result<()> {
    let malformed = |message: &str| Err(Error::new(ErrorKind::Malformed, message));
    let of = |name: &'static str| {
        let named = headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim())
    };
    let mut lengths = of("content-length");
    let mut chunked = of("transfer-encoding");
    match lengths.next() {
        Some(length) if !length.bytes().all(|byte| byte.is_ascii_digit()) => {
            malformed("the reply's content-length is not a number")
        }
        Some(length) if lengths.any(|other| other != length) => {
            malformed("the reply announces two different lengths")
        }
        Some(_) if chunked.next().is_some() => {
            malformed("the reply announces both a length and chunks")
        }
        None if chunked.any(|coding| !coding.eq_ignore_ascii_case("chunked")) => {
            malformed("the reply has a transfer-encoding other than chunked")
        }
        _ => Ok(()),
    }
}
