//! Errors: what went wrong, and what a program can do about it.

use crate::redact::{NOT_SHOWN, has_secret, one_line, redact};
use crate::timestamp::in_words;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A `Result` whose error is mingram's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed, from a bad argument to a bad reply.
///
/// `Display` writes one lower-case line that names the call, the failure and,
/// if something can be done about it, the remedy. Neither it nor `Debug` ever
/// contains a token, client secret or login code, even if a server echoes them: a text that
/// does is replaced by `(not shown: it contains a secret)`.
///
/// Print an error alone: its line is complete. A program that prints the causes too repeats
/// what the system said about a file or connection; the cause of an error of the service is
/// the [`ApiError`], which adds only the trace id.
///
/// Match on [`kind`](Error::kind) or use the predicates, not the text:
///
/// ```
/// # fn f(error: mingram::Error) -> &'static str {
/// if error.is_token_invalid() {
///     "log in again"
/// } else if error.is_rate_limited() {
///     "wait" // for error.retry_after(), if the service gave it
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
    /// The `Date` of the reply.
    date: Option<SystemTime>,
    /// What was sent works once, so the failure is not transient.
    may_be_used_up: bool,
    api: Option<ApiError>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    subject: Subject,
}

/// What failed. Two predicates ask for it.
#[derive(Clone, Copy, PartialEq)]
enum Subject {
    Call,
    /// One item of a page.
    Item,
    /// The place to resume at.
    Position,
}

/// The times to wait by the headers of a reply: `Retry-After`, and the usage.
#[derive(Clone, Copy, Default)]
pub(crate) struct RetryAfter {
    pub(crate) header: Option<Duration>,
    pub(crate) usage: Option<Duration>,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument or setting is invalid; the call sent nothing.
    InvalidInput,
    /// No connection: unknown host, connection refused, network unreachable, or no
    /// permission, memory or file descriptor for one.
    Connect,
    /// TLS failed: an invalid certificate, or a server that does not speak TLS.
    Tls,
    /// A time limit was reached: [`Api::with_timeout`](crate::Api::with_timeout) or
    /// [`Api::with_download_timeout`](crate::Api::with_download_timeout).
    Timeout,
    /// The connection broke before a complete response header arrived.
    ConnectionLost,
    /// The body is incomplete: the connection ended before all of it arrived, or the JSON in it
    /// ends early.
    Truncated,
    /// A download has no length and no last chunk, so a truncated file could not be recognised.
    /// See [`Download::accept_unknown_length`](crate::download::Download::accept_unknown_length).
    UnknownLength,
    /// A download is empty, or text where a picture or video was requested. See
    /// [`Download::accept_any_type`](crate::download::Download::accept_any_type).
    WrongContent,
    /// Your own callback cancelled a download. See
    /// [`Download::on_progress`](crate::download::Download::on_progress).
    Cancelled,
    /// The reply or its headers exceed the size limit, or the reply contains more than
    /// 100,000 arrays and objects.
    TooLarge,
    /// The reply is not valid HTTP, its compressed body is damaged, or it is compressed in a
    /// way that was not requested.
    Malformed,
    /// A redirect that must not or cannot be followed.
    Redirect,
    /// A status other than success, without an error object.
    Status,
    /// A successful status, but the body is not JSON (for example a gateway's
    /// HTML page).
    NotJson,
    /// The service returned an error object: see [`Error::api_error`].
    Api,
    /// A body that is JSON or begins like an object or array, but is invalid, nested too
    /// deeply, or not of the requested type. The message says where: the byte offset and the
    /// path of keys. It may be about one item of a page only: see
    /// [`Error::is_unreadable_item`].
    Decode,
    /// A page without a usable link to the next one: it leads to a page that was requested
    /// before, or says neither a cursor nor a time. Or the item to resume after is not
    /// found: see [`Error::is_position_lost`].
    Paging,
    /// The login was refused, or its redirect URL is invalid.
    Login,
    /// The service asked to wait for longer than [`Api::with_pace`](crate::Api::with_pace)
    /// allows; nothing was sent. See [`Error::retry_after`].
    RateLimit,
    /// Reading or writing a local file, or your own writer, failed.
    Io,
}

/// Writes the name in lower-case words, such as `connection lost`.
impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = String::new();
        for c in format!("{self:?}").chars() {
            if c.is_ascii_uppercase() && !words.is_empty() {
                words.push(' ');
            }
            words.push(c.to_ascii_lowercase());
        }
        f.pad(&words)
    }
}

/// An error object of the service.
///
/// `Display` writes the code and the trace id, to add to the line of the [`Error`], which has
/// all the rest.
///
/// The graph host sends `{"error":{"message","type","code",…}}` (Meta's *Handle
/// Errors* page; recorded). The token host sends
/// `{"error_type","code","error_message"}` (recorded); its `code` is the HTTP
/// status, so it is not repeated in [`code`](ApiError::code).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status. Errors also arrive with status 200.
    pub status: u16,
    /// What to decide on: 190 for an invalid token, 4 for a rate limit, and so on.
    pub code: Option<i64>,
    /// A finer distinction within `code`, up to seven digits.
    pub subcode: Option<i64>,
    /// `OAuthException`, `IGApiException`, …: both occur with the same codes.
    pub error_type: Option<String>,
    /// A message for developers, in English.
    pub message: String,
    /// A title for the user of the app, in their language.
    pub user_title: Option<String>,
    /// A message for the user of the app, in their language.
    pub user_message: Option<String>,
    /// Whether the service declares the error temporary.
    pub is_transient: Option<bool>,
    /// An id to quote to Meta's support.
    pub trace_id: Option<String>,
}

impl Error {
    /// Creates an error, for your own [`Transport`](crate::transport::Transport).
    /// The message must not contain the request's URL, which holds the token.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            kind,
            call: String::new(),
            message: one_line(message.into()),
            status: None,
            retry_after: None,
            date: None,
            may_be_used_up: false,
            api: None,
            source: None,
            subject: Subject::Call,
        }))
    }

    /// Adds the cause, for [`source`](StdError::source). Programs print the whole
    /// chain, so the cause must not contain the request's URL either: if it, or a cause of
    /// its own, contains the call's secrets, `(not shown: it contains a secret)` takes its
    /// place.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::InvalidInput, message)
    }

    pub(crate) fn from_api(api: ApiError, retry_after: RetryAfter) -> Error {
        let mut error = Error::new(ErrorKind::Api, api.line());
        error.0.status = Some(api.status);
        error.0.api = Some(api);
        error = error.with_retry_after(retry_after);
        if !error.is_rate_limited() {
            error.advise();
        }
        error
    }

    /// A call that was not sent, because the service asked to wait for longer than `limit`.
    pub(crate) fn rate_limit(wait: Duration, limit: Duration) -> Error {
        let message = format!(
            "nothing was sent: the rate limit lasts longer than the {} that `with_pace` allows",
            in_words(limit)
        );
        Error::new(ErrorKind::RateLimit, message).with_retry_after(RetryAfter {
            header: Some(wait),
            usage: None,
        })
    }

    /// For a request after the first: its URL is the server's, and no invalid input.
    pub(crate) fn after_redirect(mut self) -> Error {
        if self.0.kind == ErrorKind::InvalidInput {
            self.0.kind = ErrorKind::Redirect;
            self.0.message.insert_str(0, "redirect not followed: ");
        }
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Error {
        self.0.status = Some(status);
        self
    }

    /// Adds the time to wait, after the status and the error object. That of the usage counts
    /// for rate limits alone: it may be about other calls.
    pub(crate) fn with_retry_after(mut self, wait: RetryAfter) -> Error {
        self.0.retry_after = wait.header;
        if self.is_rate_limited() {
            self.0.retry_after = wait.header.max(wait.usage);
            self.advise();
        }
        self
    }

    pub(crate) fn with_date(mut self, date: Option<SystemTime>) -> Error {
        self.0.date = date;
        self
    }

    pub(crate) fn date(&self) -> Option<SystemTime> {
        self.0.date
    }

    /// Marks it as the error of one item of a page.
    pub(crate) fn of_item(mut self) -> Error {
        self.0.subject = Subject::Item;
        self
    }

    /// Marks it as the loss of the place to resume at.
    pub(crate) fn of_position(mut self) -> Error {
        self.0.subject = Subject::Position;
        let advice = "; the position is lost: iterate from the beginning, and skip what you have";
        self.0.message.push_str(advice);
        self
    }

    /// Whether the service may have refused a cursor: code 100, and no word of a field, a
    /// node or the method.
    pub(crate) fn may_be_a_cursor(&self) -> bool {
        self.code() == Some(100)
            && !self.is_not_found()
            && self.refused_field().is_none()
            && !self.says("unsupported request")
    }

    /// Names the call and hides the secrets in every text.
    pub(crate) fn in_call(mut self, call: &str, secrets: &[&str]) -> Error {
        let inner = &mut *self.0;
        if inner.call.is_empty() {
            inner.call = redact(call, secrets);
        }
        inner.message = redact(&inner.message, secrets);
        let source = inner.source.as_deref();
        let mut cause = source.map(|source| source as &dyn StdError);
        while let Some(error) = cause {
            if has_secret(&format!("{error} {error:?}"), secrets) {
                inner.source = Some(NOT_SHOWN.into());
                break;
            }
            cause = error.source();
        }
        self
    }

    /// Makes the failure permanent if a login code was sent, which works once.
    pub(crate) fn with_code(mut self) -> Error {
        if self.is_transient() && !self.is_before_sending() {
            self.0.may_be_used_up = true;
            self.0.message += "; the code may be used up: log in again";
        }
        self
    }

    /// Whether the failure is certain to have come before anything was sent. An unreachable
    /// host may be reported later, too.
    fn is_before_sending(&self) -> bool {
        use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable};
        let reason = self.of_system().map(io::Error::kind);
        let may_be_late = [HostUnreachable, NetworkUnreachable, NetworkDown].map(Some);
        self.0.kind == ErrorKind::Connect && !may_be_late.contains(&reason)
    }

    /// What the system said, if it is the cause.
    fn of_system(&self) -> Option<&io::Error> {
        self.0.source.as_ref()?.downcast_ref()
    }

    /// A local file could not be written.
    pub(crate) fn of_file(error: io::Error) -> Error {
        Error::new(ErrorKind::Io, error.to_string()).with_source(error)
    }

    /// The name of a local file could not be flushed to the disk.
    pub(crate) fn not_durable(error: io::Error) -> Error {
        let message = format!("it is written, but may not survive a power cut: {error}");
        Error::new(ErrorKind::Io, message).with_source(error)
    }

    /// Names the local file that was not saved, whose path is the caller's.
    pub(crate) fn in_file(mut self, path: &Path, secrets: &[&str]) -> Error {
        let inner = &mut *self.0;
        let path = redact(&path.display().to_string(), secrets);
        inner.message = one_line(format!("{path} cannot be saved: {}", inner.message));
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The service's error object, if it sent one.
    pub fn api_error(&self) -> Option<&ApiError> {
        self.0.api.as_ref()
    }

    /// The HTTP status, if a reply arrived.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The call that failed, for example `GET /me/media`; empty if the error
    /// occurred before any call.
    pub fn call(&self) -> &str {
        &self.0.call
    }

    fn code(&self) -> Option<i64> {
        self.0.api.as_ref().and_then(|api| api.code)
    }

    /// Whether a message of the service contains these lower-case words.
    fn says(&self, words: &str) -> bool {
        let says = |text: &String| text.to_ascii_lowercase().contains(words);
        let api = self.0.api.as_ref();
        api.is_some_and(|api| says(&api.message) || api.user_message.as_ref().is_some_and(says))
    }

    /// The access token is expired, revoked, invalid or of the wrong kind (codes
    /// 190 and 102). A new login is required.
    ///
    /// "Cannot parse access token" usually means a token of Facebook Login:
    /// graph.instagram.com takes tokens of Instagram Login only (reported by users).
    pub fn is_token_invalid(&self) -> bool {
        matches!(self.code(), Some(190 | 102))
    }

    /// The token lacks a required permission (codes 10 and 200 to 299). A story with
    /// fewer than five viewers has no insights; that refusal also has code 10 (Meta's
    /// reference, *Media insights*), but no permission changes it, so it is not included.
    /// Neither is [an app that is switched off](Error::is_app_disabled).
    pub fn is_permission_missing(&self) -> bool {
        match self.code() {
            Some(10) => !self.says("not enough viewers") && !self.is_app_disabled(),
            code => matches!(code, Some(200..=299)) && !self.is_app_disabled(),
        }
    }

    /// Meta has switched the app off, often because it was not used: "API access
    /// deactivated" or "API access blocked", usually with code 200 (reported by users). No
    /// login changes that: reactivate the app in Meta's app dashboard, and then get a new
    /// token.
    pub fn is_app_disabled(&self) -> bool {
        matches!(self.code(), None | Some(10 | 200..=299))
            && (self.says("api access deactivated") || self.says("api access blocked"))
    }

    /// The service refuses to return so much at once: code 1 and "reduce the amount of
    /// data", if only in the message for the user (reported by users). The same call
    /// fails again; one for fewer fields or a smaller page may succeed. Iterators reduce
    /// the page size themselves and return this error only for a page of one item.
    pub fn is_too_much_data(&self) -> bool {
        self.code() == Some(1) && self.says("reduce the amount of data")
    }

    /// The field that the service refused, if its message quotes one (codes 100 and 2500;
    /// recorded). Request the others without it, with
    /// [`Fields::without`](crate::Fields::without): a single refused field fails the entire
    /// call. An item that cannot be requested as written, such as `children.media_type`,
    /// counts as a field. `None` if it is not certain which field is meant.
    pub fn refused_field(&self) -> Option<&str> {
        let api = self.api_error()?;
        if !matches!(api.code, Some(100 | 2500)) {
            return None;
        }
        let field = match api.message.split_once("nonexisting field (") {
            Some((_, rest)) => rest.split_once(')')?.0.trim_matches(['"', '\'', '`']),
            None => misplaced_item(&api.message)?,
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.".contains(&byte);
        (!field.is_empty() && field.bytes().all(is_name)).then_some(field)
    }

    /// The node does not exist or the token may not see it (code 100 with subcode 33), or
    /// the URL does not exist (HTTP 404 and 410). For local files see
    /// [`io_error`](Error::io_error).
    ///
    /// Never delete anything because of it: during an outage in May 2026 the service
    /// returned 100/33 for nodes that existed and valid tokens (reported by users).
    pub fn is_not_found(&self) -> bool {
        match self.api_error() {
            Some(api) => api.code == Some(100) && api.subcode == Some(33),
            None => matches!(self.0.status, Some(404 | 410)),
        }
    }

    /// Why a local file or your own writer failed, if the [`kind`](Error::kind) is
    /// [`Io`](ErrorKind::Io).
    ///
    /// ```
    /// # use std::io::ErrorKind;
    /// let file = mingram::auth::TokenFile::new("no/such/file");
    /// let error = file.load().unwrap_err();
    /// assert_eq!(error.io_error().map(|error| error.kind()), Some(ErrorKind::NotFound));
    /// ```
    pub fn io_error(&self) -> Option<&io::Error> {
        self.of_system().filter(|_| self.0.kind == ErrorKind::Io)
    }

    /// A rate limit was reached (codes 4, 17, 32, 341, 613 and 80002, or HTTP 429 without
    /// a [permanent](Error::is_transient) code), or was reached before and the call was not
    /// sent ([`ErrorKind::RateLimit`]). Stop calling: calls made while limited also count.
    pub fn is_rate_limited(&self) -> bool {
        match self.code() {
            Some(4 | 17 | 32 | 341 | 613 | 80002) => true,
            code => match self.0.status {
                Some(429) => !is_permanent(code),
                _ => self.0.kind == ErrorKind::RateLimit,
            },
        }
    }

    /// How long to wait before the next call, counted from this error, if the service said:
    /// the header `Retry-After` of the reply. If the error
    /// [is a rate limit](Error::is_rate_limited), the business usage header of the reply
    /// counts too ([`Usage::wait`](crate::Usage::wait)), and the longer of both is returned.
    ///
    /// `Retry-After` is in seconds, or a date relative to the reply's own `Date` or else to
    /// the clock of the `Api`. A date that is past is zero. A header that is neither is
    /// ignored.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// An iteration cannot continue at a stored [`Position`](crate::Position) or cursor:
    /// the service refuses the cursor (code 100 for a page with one), or the item to
    /// continue after is not found, because it was deleted. Iterate from the beginning, and
    /// skip the items that you have.
    ///
    /// How the service refuses a cursor is not documented; code 100 may also mean another
    /// parameter of the edge. [`api_error`](Error::api_error) has its message.
    pub fn is_position_lost(&self) -> bool {
        self.0.subject == Subject::Position
    }

    /// One item of a page cannot be read, but the page can. The iteration's position is
    /// after that item: to continue there, pass it to
    /// [`Edge::resume`](crate::Edge::resume).
    pub fn is_unreadable_item(&self) -> bool {
        self.0.subject == Subject::Item
    }

    /// The network failed: no connection, a broken one, a truncated reply, or a timeout.
    /// [Transient](Error::is_transient), except after sending a login code.
    pub fn is_network(&self) -> bool {
        use ErrorKind::{Connect, ConnectionLost, Timeout, Truncated};
        [Connect, ConnectionLost, Timeout, Truncated].contains(&self.0.kind)
    }

    /// The same call may succeed later: a [network](Error::is_network) failure,
    /// an error that the service declares temporary (codes 1 and 2, or its
    /// `is_transient` flag), or HTTP 408 or 5xx without a permanent error code (10,
    /// 100, 102, 190, 200 to 299 and 2500 are permanent at any status). Rate limits
    /// and [too much data](Error::is_too_much_data) are not included.
    ///
    /// A code exchange ([`Api::exchange_code`](crate::Api::exchange_code)) may have used up
    /// its code, whatever came back. Its failure is transient only if nothing was sent: the
    /// host name was not found, or the connection was refused. Token exchanges and refreshes
    /// follow the general rule: if they fail, the token that was sent is all there is to try
    /// again with.
    pub fn is_transient(&self) -> bool {
        match self.0.kind {
            _ if self.0.may_be_used_up => false,
            _ if self.is_network() => true,
            _ if self.is_rate_limited() || self.is_too_much_data() => false,
            ErrorKind::Status => self.is_transient_status(),
            ErrorKind::Api => {
                let flag = self.api_error().and_then(|api| api.is_transient);
                match (self.code(), flag) {
                    (Some(1 | 2), _) => true,
                    (_, Some(flag)) => flag,
                    (code, None) if is_permanent(code) => false,
                    _ => self.is_transient_status(),
                }
            }
            _ => false,
        }
    }

    fn is_transient_status(&self) -> bool {
        matches!(self.0.status, Some(408 | 500..))
    }

    /// The time limit was reached.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Adds to the message what to do about it.
    fn advise(&mut self) {
        let advice = if self.is_rate_limited() {
            let wait = self.0.retry_after.filter(|wait| !wait.is_zero());
            let when = match wait {
                Some(wait) => format!("try again in {}, not before", in_words(wait)),
                None => "stop calling for a while".to_owned(),
            };
            format!("; {when}: calls made while limited also count")
        } else if let Some(field) = self.refused_field() {
            format!("; the field `{field}` was refused: request the others without it")
        } else {
            self.advice().to_owned()
        };
        self.0.message.push_str(&advice);
    }

    /// What follows after the words of an [`ADVICE`], if a message contains them.
    fn advice_of(&self, text: &'static str) -> Option<&'static str> {
        let (words, advice) = text.split_at(text.find(';')?);
        self.says(words).then_some(advice)
    }

    fn advice(&self) -> &'static str {
        if self.is_app_disabled() {
            "; the app is switched off: reactivate it in Meta's app dashboard, then get a new token"
        } else if let Some(advice) = ADVICE.into_iter().find_map(|text| self.advice_of(text)) {
            advice
        } else if self.is_token_invalid() {
            "; the access token is expired, revoked or of the wrong kind: log in again for a new one"
        } else if self.is_permission_missing() {
            "; log in again and grant the required permission"
        } else if self.is_not_found() {
            "; check the id and that this token may see it"
        } else if self.is_too_much_data() {
            "; request fewer fields or a smaller page size"
        } else {
            match self.code() {
                Some(9005) => {
                    "; a dead video can cause this if `copyright_check_information` is requested: \
                     request the other fields"
                }
                Some(36104) => "; `view_count` can cause this: request the other fields",
                _ => "",
            }
        }
    }
}

/// Codes of errors that stay, at any status.
fn is_permanent(code: Option<i64>) -> bool {
    matches!(code, Some(10 | 100 | 102 | 190 | 200..=299 | 2500))
}

/// Words of a message, in lower case, and what to do about it (reported by users).
const ADVICE: [&str; 8] = [
    "cannot parse access token; this host takes tokens of Instagram Login only",
    "unsupported request - method type; it names no field, so fewer fields may not help: users \
     report that a new login did",
    "before business account conversion; this media has no insights, others do",
    "for this media product type; request the other metrics: this kind of media does not have \
     this one",
    "invalid platform app; give the Instagram app id, not the Meta app id: in the app dashboard \
     it is under Instagram, API setup with Instagram login",
    "insufficient developer role; the Instagram tester must accept the invitation: on \
     instagram.com, Settings, Website permissions, Apps and websites, Tester invites",
    "invalid redirect_uri; it must be letter for letter the one in the app dashboard",
    "error validating client secret; give the Instagram app secret as it is in the app \
     dashboard, not the Meta app's",
];

/// The item of a field list that has a dot or brace where none may be: `… "Expected end of
/// string instead of "."." at character 11: id,children.media_type`, counted from 0.
fn misplaced_item(message: &str) -> Option<&str> {
    let (problem, rest) = message.split_once(" at character ")?;
    let (_, found) = problem.split_once("Expected end of string")?;
    let (at, fields) = rest.split_once(": ")?;
    let at = at.parse().ok()?;
    let (before, after) = fields.split_at_checked(at)?;
    let sign = after.chars().next().filter(|sign| ".{".contains(*sign))?;
    // The list may not be the one that was counted in.
    let quotes = [' ', '\\', '"'];
    let named = found.trim_start_matches(quotes).strip_prefix("instead of");
    if named.is_some_and(|named| !named.trim_start_matches(quotes).starts_with(sign)) {
        return None;
    }
    let is_end = |c| ",{}".contains(c);
    let start = before.rfind(is_end).map_or(0, |end| end + 1);
    let end = after.find(is_end).map_or(fields.len(), |end| at + end);
    Some(&fields[start..end])
}

impl Error {
    /// The text without the call.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, message) = (self.call(), &self.0.message);
        match call {
            "" => f.write_str(message),
            _ => write!(f, "{call}: {message}"),
        }
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
        match (&self.0.source, &self.0.api) {
            (Some(source), _) => Some(&**source),
            (None, Some(api)) => Some(api),
            (None, None) => None,
        }
    }
}

impl ApiError {
    /// The code and subcode after a word, if there is a code.
    fn code_after(&self, word: &str) -> Option<String> {
        let subcode = self.subcode.map(|subcode| format!("/{subcode}"));
        Some(format!(
            "{word} {}{}",
            self.code?,
            subcode.unwrap_or_default()
        ))
    }

    /// All that a message says of the error.
    fn line(&self) -> String {
        let error = self.code_after("error");
        let error = error.as_deref().unwrap_or("an error");
        let mut line = format!("the service returned {error} (HTTP {}", self.status);
        if let Some(error_type) = &self.error_type {
            line += &format!(", {error_type}");
        }
        line += "): ";
        line += match self.message.as_str() {
            "" => "no message",
            message => message,
        };
        if let Some(message) = &self.user_message {
            line += &format!(" ({message})");
        }
        line
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code_after("error code");
        f.write_str(code.as_deref().unwrap_or("no error code"))?;
        match &self.trace_id {
            Some(id) => write!(f, ", trace id {id}"),
            None => Ok(()),
        }
    }
}

impl StdError for ApiError {}

/// Takes the [`Error`] of a [`Body`](crate::download::Body) out of its `io::Error`. Any
/// other `io::Error` comes from your own code and becomes [`ErrorKind::Io`].
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => {
                let message = format!("reading or writing a file failed: {error}");
                Error::new(ErrorKind::Io, message).with_source(error)
            }
        }
    }
}

/// Keeps the [`Error`] inside, so that `Error::from` takes it out again. The kind is the
/// system's own, if it reported one for a file or connection, and otherwise the nearest.
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        use io::ErrorKind as K;
        let own = error.of_system().map(io::Error::kind);
        let kind = match error.kind() {
            ErrorKind::InvalidInput => K::InvalidInput,
            ErrorKind::Timeout => K::TimedOut,
            ErrorKind::Truncated => K::UnexpectedEof,
            ErrorKind::Connect => own.unwrap_or(K::NotConnected),
            ErrorKind::ConnectionLost => own.unwrap_or(K::ConnectionAborted),
            ErrorKind::Io => own.unwrap_or(K::Other),
            ErrorKind::Api | ErrorKind::Status => match error.status() {
                _ if error.is_not_found() => K::NotFound,
                _ if error.is_rate_limited() => K::QuotaExceeded,
                _ if error.is_token_invalid() || error.is_permission_missing() => {
                    K::PermissionDenied
                }
                Some(401 | 403) if error.api_error().is_none() => K::PermissionDenied,
                _ => K::Other,
            },
            ErrorKind::RateLimit => K::QuotaExceeded,
            ErrorKind::Cancelled | ErrorKind::Login => K::Other,
            _ => K::InvalidData,
        };
        // These ask to read again, which is not for an `Error` to say.
        let kind = match kind {
            K::Interrupted | K::WouldBlock => K::Other,
            kind => kind,
        };
        io::Error::new(kind, error)
    }
}

impl Error {
    /// Converts a failed read of a [`Response`](crate::transport::Response)'s
    /// body: the [`Error`] inside the `io::Error` if there is one, otherwise a
    /// timeout, a truncated reply or a lost connection. All of these are
    /// [network](Error::is_network) errors.
    ///
    /// For a [`Transport`](crate::transport::Transport) that wraps another one and
    /// reads the body itself. A plain `?` would report [`ErrorKind::Io`], which is
    /// not retried.
    ///
    /// ```
    /// use mingram::transport::{Request, Response, Transport};
    /// use mingram::{Error, Result};
    ///
    /// /// Reads every reply completely before passing it on.
    /// struct Buffered<T>(T);
    ///
    /// impl<T: Transport> Transport for Buffered<T> {
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
            K::TimedOut | K::WouldBlock => (ErrorKind::Timeout, "the call timed out"),
            K::UnexpectedEof => (
                ErrorKind::Truncated,
                "the connection ended before the complete body arrived",
            ),
            _ => (
                ErrorKind::ConnectionLost,
                "the connection broke while reading the body",
            ),
        };
        Error::new(kind, message).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `File::create(path)?` in a caller's function must not be taken for a broken
    /// connection, which would be retried.
    #[test]
    fn io_errors_of_the_caller_are_not_network_errors() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::TimedOut] {
            let error = Error::from(io::Error::from(kind));
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(!error.is_transient());
        }
        let lost = Error::new(ErrorKind::ConnectionLost, "gone");
        let error = Error::from(io::Error::other(lost));
        assert_eq!(error.kind(), ErrorKind::ConnectionLost);
    }

    fn of_service(code: i64, message: &str) -> Error {
        let api = ApiError {
            status: 400,
            code: Some(code),
            message: message.to_owned(),
            ..ApiError::default()
        };
        Error::from_api(api, RetryAfter::default())
    }

    #[test]
    fn a_refused_field_is_named() {
        let syntax = |rest: &str| format!("Syntax error \"Expected end of string\" at {rest}");
        let of_sign = |sign: &str, rest: &str| {
            format!("Syntax error \"Expected end of string instead of {sign}\" at character {rest}")
        };
        for (code, message, field) in [
            (
                100,
                "(#100) Tried accessing nonexisting field (a_b) on node type (X)",
                Some("a_b"),
            ),
            (100, "Tried accessing nonexisting field (", None),
            (100, "Tried accessing nonexisting field ()", None),
            (100, "Invalid parameter", None),
            (190, "Tried accessing nonexisting field (a)", None),
            (
                100,
                "(#100) Tried accessing nonexisting field (\"alt_text\")",
                Some("alt_text"),
            ),
            (
                100,
                "Tried accessing nonexisting field (insights.metric(a)) on node type (X)",
                None,
            ),
            (100, "Unsupported request - method type: get", None),
            (100, &syntax("character 8: children{"), Some("children")),
            (
                2500,
                &syntax("character 11: id,children.a,b"),
                Some("children.a"),
            ),
            (2500, &syntax("character 8: id,media{x.y},b"), Some("media")),
            (2500, &syntax("character 10: id,media{x.y},b"), Some("x.y")),
            (2500, &of_sign("\".\".", "10: id,media{x.y},b"), Some("x.y")),
            (
                2500,
                &of_sign(r#"\"{\"."#, "8: children{"),
                Some("children"),
            ),
            // Not the sign of the message, no sign at all, and no such place.
            (2500, &of_sign("\"{\".", "10: id,media{x.y},b"), None),
            (2500, &of_sign("\",\".", "2: id,,b"), None),
            (2500, &of_sign("\"}\".", "5: id,ab},c"), None),
            (2500, &syntax("character 3: id,media{x.y},b"), None),
            (2500, &syntax("character 99: id,a"), None),
            (2500, &syntax("character 99999999999999999999: id,a"), None),
            (
                2500,
                "Syntax error \"Field a specified more than once\" at character 5: id,a,a.b",
                None,
            ),
            (2500, &syntax("character 6: id,a(b.c,d)"), None),
            (2500, &syntax("character 4: id,a.b…"), None),
            (2500, &syntax("character 3: id,,a"), None),
            (2500, &syntax("character 4: id,\u{e9}"), None),
            (2500, &syntax("character 4"), None),
            (2500, &syntax("character 0: "), None),
        ] {
            let error = of_service(code, message);
            assert_eq!(error.refused_field(), field, "{message}");
            let named = error.to_string().contains("was refused");
            assert_eq!(named, field.is_some(), "{error}");
        }
    }

    #[test]
    fn code_10_is_a_permission_unless_viewers_are_missing() {
        let error = of_service(10, "(#10) Application does not have permission");
        assert!(error.is_permission_missing() && error.to_string().contains("log in again"));
        let error = of_service(
            10,
            "(#10) Not enough viewers for the media to show insights",
        );
        assert!(!error.is_permission_missing() && !error.to_string().contains("log in"));
        let error = of_service(200, "Not enough viewers");
        assert!(error.is_permission_missing());
    }

    #[test]
    fn too_much_data_is_not_transient() {
        let words = "Please Reduce the amount of data you're asking for";
        let error = of_service(1, words);
        assert!(error.is_too_much_data() && !error.is_transient());
        for (code, message) in [(1, "An unknown error occurred"), (2, words)] {
            let error = of_service(code, message);
            assert!(!error.is_too_much_data() && error.is_transient());
        }
        assert!(!of_service(100, words).is_too_much_data());
    }

    #[test]
    fn rate_limits_name_the_time_to_wait() {
        for (seconds, text) in [
            (60, "try again in 60 seconds, not before"),
            (1140, "try again in 19 minutes, not before"),
            (5 * 86_400, "try again in 5 days, not before"),
            // It was shown modulo 2^32.
            ((1 << 32) + 60, "try again in 49711 days, not before"),
            (0, "stop calling for a while"),
        ] {
            let api = ApiError {
                code: Some(4),
                ..ApiError::default()
            };
            let header = Some(Duration::from_secs(seconds));
            let wait = RetryAfter {
                header,
                usage: None,
            };
            let error = Error::from_api(api, wait);
            let text = format!("; {text}: calls made while limited also count");
            assert!(error.to_string().ends_with(&text), "{error}");
            assert_eq!(error.retry_after(), header);
        }
        let error = of_service(4, "x").to_string();
        assert!(error.contains("; stop calling for a while: "), "{error}");
        let error = Error::rate_limit(Duration::from_secs(1140), Duration::from_secs(300));
        assert_eq!(
            error.to_string(),
            "nothing was sent: the rate limit lasts longer than the 5 minutes that `with_pace` \
             allows; try again in 19 minutes, not before: calls made while limited also count"
        );
    }

    #[test]
    fn failed_bodies_are_transient() {
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
