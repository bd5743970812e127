//! Replies: separating errors from success.

use super::body::read_body;
use super::call::{Call, Kind};
use super::retry::Clock;
use super::usage::Usage;
use crate::error::{ApiError, Error, ErrorKind, Result, RetryAfter};
use crate::http::transport::Response;
use crate::json::reader::{self, Elements, JsonError, JsonErrorKind, Tolerance};
use crate::json::value::{Json, Object};
use crate::redact::sanitize;
use crate::timestamp::{parse_http_date, parse_http_date_at};
use miniserde::de::{Deserialize, Map, Seq, Visitor};
use std::mem;
use std::str::Utf8Error;
use std::time::{Duration, SystemTime};

/// A document that arrived with a successful status and begins like an object or array.
pub(crate) struct Reply<'a> {
    pub(crate) usage: Usage,
    call: &'a Call<'a>,
    /// Its status and headers; the body is `text`.
    response: Response,
    text: String,
    retry_after: RetryAfter,
    /// Without a length, only the document reveals a broken connection.
    has_length: bool,
}

impl<'a> Reply<'a> {
    /// Reads the body. Fails for any other status, with the error object if the body
    /// is one, and for a body that is not JSON.
    pub(crate) fn read(
        call: &'a Call<'a>,
        mut response: Response,
        usage: Usage,
        limit: usize,
        clock: &dyn Clock,
    ) -> Result<Reply<'a>> {
        let mut retry_after = retry_after(&response, clock);
        retry_after.usage = usage.wait();
        let has_length = response.length().is_some();
        let body = read_body(&mut response, limit);
        let mut reply = Reply {
            usage,
            call,
            response,
            text: String::new(),
            retry_after,
            has_length,
        };
        let is_success = (200..300).contains(&reply.response.status);
        let body = match body {
            Ok(body) => body,
            // A gateway's page that cannot be read: its status counts.
            Err(error) if error.kind() == ErrorKind::Malformed && !is_success => {
                return Err(reply.bad_status("", &error.to_string()));
            }
            Err(error) => return Err(error.with_status(reply.response.status)),
        };
        let bytes = body.len();
        let problem = reply.set_text(body);
        if is_success {
            reply.check_document(bytes, problem)?;
            return Ok(reply);
        }
        let api = read_api_error(&reply.text, reply.response.status, &call.secrets);
        Err(match api {
            Some(api) => reply.service_error(api),
            None => reply.bad_status(&format!(", {bytes} bytes"), &call.excerpt(&reply.text)),
        })
    }

    /// Keeps the text without a byte order mark. Returns why it is not UTF-8.
    fn set_text(&mut self, body: Vec<u8>) -> Option<Utf8Error> {
        let (mut text, problem) = match String::from_utf8(body) {
            Ok(text) => (text, None),
            Err(error) => {
                let text = String::from_utf8_lossy(error.as_bytes());
                (text.into_owned(), Some(error.utf8_error()))
            }
        };
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        self.text = text;
        problem
    }

    /// Fails if the document of a success does not begin like an object or array, or ends
    /// inside a character.
    fn check_document(&self, bytes: usize, problem: Option<Utf8Error>) -> Result<()> {
        let status = self.response.status;
        let start = self.text.trim_ascii_start();
        let is_object = start.starts_with(['{', '[']);
        let in_character = problem.is_some_and(|problem| problem.error_len().is_none());
        let may_be_cut = start.is_empty() && status != 204 || is_object && in_character;
        if may_be_cut && !self.has_length {
            return Err(self.truncated(bytes));
        }
        let is_json = || reader::read_into(&self.text, <dyn Visitor>::ignore(), None).is_ok();
        let (kind, what) = match problem {
            None if is_object => return Ok(()),
            None if is_json() => (ErrorKind::Decode, "JSON, but not an object"),
            None => (ErrorKind::NotJson, "not JSON"),
            Some(_) => (ErrorKind::NotJson, "not UTF-8 text"),
        };
        let message = format!(
            "the reply is {what} (HTTP {status}, {}, {bytes} bytes): {}",
            content_type(&self.response, self.call),
            self.call.excerpt(&self.text)
        );
        Err(Error::new(kind, message).with_status(status))
    }

    /// The error for a status other than success.
    fn bad_status(&self, length: &str, what: &str) -> Error {
        let status = self.response.status;
        let content_type = content_type(&self.response, self.call);
        let message = format!("HTTP {status} ({content_type}{length}): {what}");
        Error::new(ErrorKind::Status, message)
            .with_status(status)
            .with_retry_after(self.retry_after)
    }

    fn service_error(&self, api: ApiError) -> Error {
        Error::from_api(api, self.retry_after).with_date(self.date())
    }

    /// The error for a document without a length that ends early.
    fn truncated(&self, bytes: usize) -> Error {
        let message = format!("the connection ended inside the reply, after {bytes} bytes");
        Error::new(ErrorKind::Truncated, message).with_status(self.response.status)
    }

    /// The header `Date`.
    pub(crate) fn date(&self) -> Option<SystemTime> {
        self.response.header("date").and_then(parse_http_date)
    }

    /// Reads the document into a `T`, which `type_name` names in messages. Fails with
    /// the service's error object if it is one.
    pub(crate) fn parse<T: Deserialize>(&self, type_name: &str) -> Result<T> {
        let mut out = None;
        self.parse_into(type_name, T::begin(&mut out), None)?;
        out.ok_or_else(|| self.unexpected(type_name, "value"))
    }

    /// As [`parse`](Reply::parse), into what the visitor fills. Elements that the visitor
    /// refuses are errors only if they are not in the list of the tolerance.
    pub(crate) fn parse_into(
        &self,
        type_name: &str,
        visitor: &mut dyn Visitor,
        tolerance: Option<&Tolerance>,
    ) -> Result<Elements> {
        let mut document = Document::new(visitor);
        let mut result = reader::read_into(&self.text, &mut document, tolerance);
        if let Err(JsonError {
            kind: JsonErrorKind::Refused(_) | JsonErrorKind::Field,
            ..
        }) = result
        {
            // An error object may follow, or something that is not JSON.
            document = Document::new(<dyn Visitor>::ignore());
            result = reader::read_into(&self.text, &mut document, None).and(result);
        }
        if let Some(api) = document.api_error(self.response.status, &self.call.secrets) {
            return Err(self.service_error(api));
        }
        if document.has_error() {
            return Err(self.unexpected(type_name, "key `error`"));
        }
        result.map_err(|error| self.decode_error(type_name, &error))
    }

    /// The error for an element that the list `data` does not have.
    pub(crate) fn item_error(&self, type_name: &str, error: &JsonError) -> Error {
        let error = JsonError {
            path: format!("data{}", error.path),
            expected: error.expected.clone(),
            ..*error
        };
        let error = self.decode_error(type_name, &error);
        error.in_call(&self.call.name, &self.call.secrets)
    }

    /// The error for a document that as a whole is not what was requested.
    pub(crate) fn unexpected(&self, type_name: &str, what: &'static str) -> Error {
        let error = JsonError::new(JsonErrorKind::Refused(what), 0);
        self.decode_error(type_name, &error)
    }

    fn decode_error(&self, type_name: &str, error: &JsonError) -> Error {
        let bytes = self.text.len();
        let kind = match error.kind {
            JsonErrorKind::Truncated if !self.has_length => return self.truncated(bytes),
            JsonErrorKind::TooMany => ErrorKind::TooLarge,
            _ => ErrorKind::Decode,
        };
        let (open, path, close) = match error.path.as_str() {
            path if !path.is_empty() && self.call.kind != Kind::Login => (" (", path, ")"),
            _ => Default::default(),
        };
        let (problem, what) = error.kind.words();
        let comma = match error.expected.is_empty() || problem.is_empty() {
            true => "",
            false => ", ",
        };
        let expected = sanitize(&error.expected, &self.call.secrets);
        let message = format!(
            "the reply is not a valid {} at byte {} of {bytes}{open}{path}{close}: {expected}{comma}{problem}{what}: {}",
            short_name(type_name),
            error.offset,
            self.call.excerpt_at(&self.text, error.offset)
        );
        Error::new(kind, message).with_status(self.response.status)
    }
}

/// The header `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(response: &Response, clock: &dyn Clock) -> RetryAfter {
    let text = response.header("retry-after").map(str::trim_ascii);
    let wait = |text| seconds(text).or_else(|| until(text, response.header("date"), clock.now()));
    RetryAfter {
        header: text.and_then(wait),
        usage: None,
    }
}

/// The time until a date: from the reply's own date, or else from `now`. Zero if it is past.
fn until(date: &str, sent: Option<&str>, now: SystemTime) -> Option<Duration> {
    let sent = sent.and_then(|sent| parse_http_date_at(sent.trim_ascii(), now));
    let sent = sent.unwrap_or(now);
    let wait = parse_http_date_at(date, sent)?.duration_since(sent);
    Some(wait.unwrap_or_default())
}

/// Whole seconds, which saturate. A fraction is read too, though no server should send one.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let nanos = format!("{fraction:0<9.9}").parse().ok()?;
    Some(Duration::new(whole.parse().unwrap_or(u64::MAX), nanos))
}

/// The content type, for messages.
pub(crate) fn content_type(response: &Response, call: &Call<'_>) -> String {
    let content_type = response.header("content-type");
    sanitize(content_type.unwrap_or("no content type"), &call.secrets)
}

/// Shortens `a::b::C<d::E>` to `C<E>`.
pub(crate) fn short_name(type_name: &str) -> String {
    let mut out = String::new();
    for part in type_name.split_inclusive("::") {
        let of_path = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "_:".contains(c);
        match part.ends_with("::") {
            true => out.push_str(part.trim_end_matches(of_path)),
            false => out.push_str(part),
        }
    }
    out
}

/// A document, read by a visitor. The keys of error objects are kept apart.
struct Document<'a> {
    visitor: &'a mut dyn Visitor,
    error: Option<Object>,
}

impl Visitor for Document<'_> {
    fn seq(&mut self) -> miniserde::Result<Box<dyn Seq + '_>> {
        self.visitor.seq()
    }

    fn map(&mut self) -> miniserde::Result<Box<dyn Map + '_>> {
        Ok(Box::new(Keys {
            map: self.visitor.map()?,
            found: Object::default(),
            error: &mut self.error,
        }))
    }
}

struct Keys<'a> {
    map: Box<dyn Map + 'a>,
    found: Object,
    /// Set at the end of the document: one that is truncated is no error object.
    error: &'a mut Option<Object>,
}

impl Map for Keys<'_> {
    fn key(&mut self, key: &str) -> miniserde::Result<&mut dyn Visitor> {
        match key {
            "error" | "error_type" | "error_message" => Ok(self.found.place(key)),
            _ => self.map.key(key),
        }
    }

    fn finish(&mut self) -> miniserde::Result<()> {
        *self.error = Some(mem::take(&mut self.found));
        self.map.finish()
    }
}

impl<'a> Document<'a> {
    fn new(visitor: &'a mut dyn Visitor) -> Document<'a> {
        Document {
            visitor,
            error: None,
        }
    }

    fn has_error(&self) -> bool {
        self.error
            .as_ref()
            .is_some_and(|keys| keys.get("error").is_some())
    }

    /// The error object of either host, if the document is one. Secrets are hidden
    /// after parsing.
    fn api_error(&self, status: u16, secrets: &[&str]) -> Option<ApiError> {
        let keys = self.error.as_ref()?;
        let text = |value: Option<&Json>| Some(sanitize(&value?.text()?, secrets));
        let mut api = ApiError {
            status,
            ..<ApiError as Default>::default()
        };
        match keys.get("error") {
            Some(Json::Text(message)) => api.message = sanitize(message, secrets),
            Some(error @ Json::Object(_)) => {
                api.code = error.number_of("code");
                api.subcode = error.number_of("error_subcode");
                api.error_type = text(error.get("type"));
                api.message = text(error.get("message")).unwrap_or_default();
                api.user_title = text(error.get("error_user_title"));
                api.user_message = text(error.get("error_user_msg"));
                if let Some(Json::Flag(flag)) = error.get("is_transient") {
                    api.is_transient = Some(*flag);
                }
                api.trace_id = text(error.get("fbtrace_id"));
            }
            Some(_) => return None,
            None => {
                api.error_type = text(keys.get("error_type"));
                let message = text(keys.get("error_message"));
                if message.is_none() && api.error_type.is_none() {
                    return None;
                }
                api.message = message.unwrap_or_default();
            }
        }
        Some(api)
    }
}

/// Reads an error object; `None` if the document is something else.
pub(crate) fn read_api_error(text: &str, status: u16, secrets: &[&str]) -> Option<ApiError> {
    let mut document = Document::new(<dyn Visitor>::ignore());
    reader::read_into(text, &mut document, None).ok()?;
    document.api_error(status, secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortens_type_names() {
        assert_eq!(short_name("mingram::model::User"), "User");
        assert_eq!(short_name("a::b::Page<c::d::Media>"), "Page<Media>");
        assert_eq!(short_name("(a::B, alloc::vec::Vec<c::D>)"), "(B, Vec<D>)");
        assert_eq!(short_name("u8"), "u8");
    }

    #[test]
    fn reads_every_shape_of_error() {
        let read = |text| read_api_error(text, 400, &[]);
        let full = read(
            r#"{"error":{"message":"m\nn","type":"T","code":190,"error_subcode":2207050,"error_user_title":"t",
               "error_user_msg":"u","is_transient":false,"fbtrace_id":"f","new":[1]}}"#,
        );
        assert_eq!(
            full,
            Some(ApiError {
                status: 400,
                code: Some(190),
                subcode: Some(2_207_050),
                error_type: Some("T".into()),
                message: "m n".into(),
                user_title: Some("t".into()),
                user_message: Some("u".into()),
                is_transient: Some(false),
                trace_id: Some("f".into()),
            })
        );
        let token_host =
            read(r#"{"error_type":"OAuthException","code":400,"error_message":"used"}"#).unwrap();
        assert_eq!(
            (token_host.code, token_host.message.as_str()),
            (None, "used")
        );
        assert_eq!(read(r#"{"error":"denied"}"#).unwrap().message, "denied");
        assert_eq!(
            read(r#"{"error":{"code":"4","message":[]}}"#).unwrap().code,
            Some(4)
        );
        for none in [
            "{}",
            r#"{"error":null}"#,
            r#"{"data":[{"error":{}}]}"#,
            "[]",
            "<html>",
            "",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
