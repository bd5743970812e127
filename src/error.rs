//! Everything that can go wrong, and what a program should do about it.

use crate::redact::{one_line, redact};
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

/// A `Result` whose error is mingram's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Anything that can go wrong in a call, from a bad argument to a bad reply.
///
/// `Display` is one lower-case line that names the call, says what happened
/// and, where there is one, what to do. No token, client secret or login code
/// is ever in it, nor in `Debug`: they are taken out of everything a server
/// says before it comes here.
///
/// Decide with [`kind`](Error::kind) and the predicates, not with the text:
///
/// ```
/// # fn f(error: mingram::Error) -> &'static str {
/// if error.is_token_invalid() {
///     "log in again"
/// } else if error.is_rate_limited() {
///     "wait" // error.retry_after(), where the service said how long
/// } else if error.is_transient() {
///     "try again later"
/// } else {
///     "give up"
/// }
/// # }
/// ```
///
/// An `Error` is one pointer wide.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    call: String,
    message: String,
    status: Option<u16>,
    retry_after: Option<Duration>,
    api: Option<ApiError>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What sort of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument or a setting was refused before a byte was sent.
    InvalidInput,
    /// No connection: the name was not found, or nobody answered there.
    Connect,
    /// The connection is not safe: a certificate was refused, or the other
    /// side speaks no TLS.
    Tls,
    /// The time set for the call or the download ran out.
    Timeout,
    /// The connection broke before a whole reply header came.
    ConnectionLost,
    /// The connection ended before the whole body came.
    Truncated,
    /// A download came without a length, so nobody can tell whether it is
    /// whole. See [`Download::accept_unknown_length`](crate::Download::accept_unknown_length).
    UnknownLength,
    /// The reply, or its headers, is larger than the limit set for it.
    TooLarge,
    /// What came is not a valid HTTP reply.
    Malformed,
    /// A redirect that must not, or cannot, be followed.
    Redirect,
    /// A status other than success, with no error object that explains it.
    Status,
    /// Success by its status, but not JSON (a gateway's HTML page, say).
    NotJson,
    /// The service answered with its error object: see [`Error::api`].
    Api,
    /// JSON, but not the type that was wanted.
    Decode,
    /// A page that cannot be continued from: a cursor that came before, or a
    /// `next` without a cursor.
    Paging,
    /// The login was refused, or its redirect address is not usable.
    Login,
    /// The caller's own writer or file failed.
    Io,
}

/// The service's own error, in full.
///
/// From the graph host: `{"error":{"message","type","code",…}}` (Meta's
/// *Handle Errors* page; recorded). From the token host:
/// `{"error_type","code","error_message"}` (recorded), where the number in
/// `code` is the HTTP status and is therefore not repeated in
/// [`code`](ApiError::code).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status it came with; an error object is an error at any
    /// status, 200 included.
    pub status: u16,
    /// What to decide on: 190 for a dead token, 4 for a rate limit, and so on.
    pub code: Option<i64>,
    /// Finer than `code`; up to seven digits.
    pub subcode: Option<i64>,
    /// `OAuthException`, `IGApiException`, …: both occur for the same codes.
    pub error_type: Option<String>,
    /// For the developer, in English.
    pub message: String,
    /// For the user of the program, in their language.
    pub user_title: Option<String>,
    /// For the user of the program, in their language.
    pub user_message: Option<String>,
    /// Whether the service itself calls the error temporary.
    pub is_transient: Option<bool>,
    /// Meta's support asks for it.
    pub trace_id: Option<String>,
}

impl Error {
    /// An error of this kind. For a [`Transport`](crate::Transport) of one's
    /// own; the message must not hold the address of the request, because the
    /// token is in it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            kind,
            call: String::new(),
            message: one_line(message.into()),
            status: None,
            retry_after: None,
            api: None,
            source: None,
        }))
    }

    /// Adds what caused it, for [`source`](StdError::source). The cause is
    /// shown by those who print whole chains, so it must not hold the address
    /// of the request either.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::InvalidInput, message)
    }

    pub(crate) fn api_error(api: ApiError, retry_after: Option<Duration>) -> Error {
        let mut error = Error::new(ErrorKind::Api, api.to_string());
        error.0.status = Some(api.status);
        error.0.retry_after = retry_after;
        error.0.api = Some(api);
        let advice = error.advice();
        error.0.message.push_str(advice);
        error
    }

    pub(crate) fn with_status(mut self, status: u16) -> Error {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Error {
        self.0.retry_after = wait;
        self
    }

    /// Names the call and takes the secrets out of every text.
    pub(crate) fn in_call(mut self, call: &str, secrets: &[&str]) -> Error {
        let inner = &mut *self.0;
        if inner.call.is_empty() {
            inner.call = redact(call, secrets);
        }
        inner.message = redact(&inner.message, secrets);
        self
    }

    /// What sort of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The service's own error, where it sent one.
    pub fn api(&self) -> Option<&ApiError> {
        self.0.api.as_ref()
    }

    /// The HTTP status, where a reply came.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The call that failed, as `GET /me/media`; empty where the error came
    /// before any call.
    pub fn call(&self) -> &str {
        &self.0.call
    }

    fn code(&self) -> Option<i64> {
        self.0.api.as_ref().and_then(|api| api.code)
    }

    /// The access token is dead, garbage or of the wrong kind (codes 190 and
    /// 102): only a new login helps.
    pub fn is_token_invalid(&self) -> bool {
        matches!(self.code(), Some(190 | 102))
    }

    /// The token lacks a permission for this (codes 10 and 200 to 299).
    pub fn is_permission_missing(&self) -> bool {
        matches!(self.code(), Some(10 | 200..=299))
    }

    /// There is no such node, or no right to see it (code 100 with subcode
    /// 33), or nothing at that address (HTTP 404 and 410), or no such file.
    pub fn is_not_found(&self) -> bool {
        match self.api() {
            Some(api) => api.code == Some(100) && api.subcode == Some(33),
            None if self.0.kind == ErrorKind::Io => {
                let source = self.source().and_then(|source| source.downcast_ref());
                source.map(io::Error::kind) == Some(io::ErrorKind::NotFound)
            }
            None => matches!(self.0.status, Some(404 | 410)),
        }
    }

    /// A rate limit was reached (codes 4, 17, 32, 341, 613 and 80002, or HTTP
    /// 429). Stop calling: calls made while limited count too.
    pub fn is_rate_limited(&self) -> bool {
        match self.code() {
            Some(code) => matches!(code, 4 | 17 | 32 | 341 | 613 | 80002),
            None => self.0.status == Some(429),
        }
    }

    /// How long to wait, where the service said so (the business usage header,
    /// in whole minutes, or `Retry-After`, in seconds).
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The same call may well succeed later: no connection, a broken one, a
    /// timeout, an error that the service calls temporary (codes 1 and 2, or
    /// its `is_transient` flag), or a 5xx that no lasting error explains (codes
    /// 10, 100, 102, 190, 200 to 299 and 2500 are lasting, whatever the status).
    /// A rate limit is not among them.
    pub fn is_transient(&self) -> bool {
        match self.0.kind {
            ErrorKind::Connect
            | ErrorKind::ConnectionLost
            | ErrorKind::Truncated
            | ErrorKind::Timeout => true,
            _ if self.is_rate_limited() => false,
            ErrorKind::Status => self.is_server_failure(),
            ErrorKind::Api => match (self.code(), self.api().and_then(|api| api.is_transient)) {
                (Some(1 | 2), _) => true,
                (_, Some(flag)) => flag,
                (Some(10 | 100 | 102 | 190 | 200..=299 | 2500), None) => false,
                _ => self.is_server_failure(),
            },
            _ => false,
        }
    }

    fn is_server_failure(&self) -> bool {
        self.0.status.is_some_and(|status| status >= 500)
    }

    /// The time set for the call ran out.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    fn advice(&self) -> &'static str {
        if self.is_token_invalid() {
            "; the access token is dead or of the wrong kind: log in again for a new one"
        } else if self.is_permission_missing() {
            "; log in again and grant the permission that this call needs"
        } else if self.is_not_found() {
            "; check the id, and that this token may see it"
        } else if self.is_rate_limited() {
            "; stop calling for a while: calls made while limited count too"
        } else if self.code() == Some(1) {
            "; ask for fewer fields or smaller pages"
        } else {
            ""
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.call.is_empty() {
            f.write_str(&self.0.call)?;
            f.write_str(": ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("call", &inner.call)
            .field("message", &inner.message)
            .field("status", &inner.status)
            .field("retry_after", &inner.retry_after)
            .field("api", &inner.api)
            .field("source", &inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service answered ")?;
        if let Some(code) = self.code {
            write!(f, "error {code}")?;
            if let Some(subcode) = self.subcode {
                write!(f, "/{subcode}")?;
            }
        } else {
            f.write_str("an error")?;
        }
        write!(f, " (HTTP {}", self.status)?;
        if let Some(error_type) = &self.error_type {
            write!(f, ", {error_type}")?;
        }
        f.write_str("): ")?;
        f.write_str(if self.message.is_empty() {
            "no message"
        } else {
            &self.message
        })?;
        if let Some(message) = &self.user_message {
            write!(f, " ({message})")?;
        }
        Ok(())
    }
}

/// The [`Error`] that a [`Body`](crate::Body) put inside its `io::Error`, taken
/// out. Any other `io::Error` is the caller's own, a file's say, and becomes
/// [`ErrorKind::Io`].
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => Error::new(
                ErrorKind::Io,
                format!("a file could not be read or written: {error}"),
            )
            .with_source(error),
        }
    }
}

impl Error {
    /// What it means that reading a [`Response`](crate::Response)'s body failed:
    /// the [`Error`] inside the `io::Error` where there is one, otherwise by its
    /// kind a timeout, a cut reply or a lost connection, all of them
    /// [transient](Error::is_transient).
    ///
    /// For a [`Transport`](crate::Transport) around another one that reads the
    /// body itself. With `?` alone the failure would count as one of the
    /// caller's own files ([`ErrorKind::Io`]), which nobody tries again.
    ///
    /// ```
    /// use mingram::{Error, Request, Response, Result, Transport};
    ///
    /// /// Reads every reply whole before it is handed on.
    /// struct Whole<T>(T);
    ///
    /// impl<T: Transport> Transport for Whole<T> {
    ///     fn send(&self, request: &Request<'_>) -> Result<Response> {
    ///         let mut response = self.0.send(request)?;
    ///         let mut body = Vec::new();
    ///         response.body.read_to_end(&mut body).map_err(Error::of_body)?;
    ///         response.body = Box::new(std::io::Cursor::new(body));
    ///         Ok(response)
    ///     }
    /// }
    /// ```
    pub fn of_body(error: io::Error) -> Error {
        use io::ErrorKind as K;
        let error = match error.downcast::<Error>() {
            Ok(error) => return error,
            Err(error) => error,
        };
        let (kind, message) = match error.kind() {
            K::TimedOut | K::WouldBlock => (ErrorKind::Timeout, "the time for this call ran out"),
            K::UnexpectedEof => (
                ErrorKind::Truncated,
                "the connection ended before the whole body came",
            ),
            _ => (
                ErrorKind::ConnectionLost,
                "the connection broke while the body was read",
            ),
        };
        Error::new(kind, message).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `File::create(path)?` in a function that answers with mingram's error
    /// must not pass for a broken connection, which one would try again.
    #[test]
    fn a_callers_own_io_error_is_no_broken_connection() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::TimedOut] {
            let error = Error::from(io::Error::from(kind));
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(!error.is_transient());
        }
        let lost = Error::new(ErrorKind::ConnectionLost, "gone");
        let error = Error::from(io::Error::other(lost));
        assert_eq!(error.kind(), ErrorKind::ConnectionLost);
    }

    #[test]
    fn a_body_that_fails_may_come_whole_the_next_time() {
        for (kind, wanted) in [
            (io::ErrorKind::TimedOut, ErrorKind::Timeout),
            (io::ErrorKind::UnexpectedEof, ErrorKind::Truncated),
            (io::ErrorKind::ConnectionReset, ErrorKind::ConnectionLost),
        ] {
            let error = Error::of_body(io::Error::from(kind));
            assert_eq!(error.kind(), wanted);
            assert!(error.is_transient());
        }
        let large = Error::new(ErrorKind::TooLarge, "large");
        let error = Error::of_body(io::Error::other(large));
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
}
