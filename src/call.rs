//! The one road that every call walks: address, transport, body, status and
//! error object. Redirects, retries and the rate-limit headers hang on it here.

use crate::error::{ApiError, Error, ErrorKind, Result};
use crate::query::{Address, check_length, push_param, without_fragment};
use crate::redact::{one_line, redact};
use crate::retry::{self, Clock, SystemClock};
use crate::token::Token;
use crate::transport::{DefaultTransport, Method, Request, Response, Transport};
use crate::usage::Usage;
use crate::value::Value;
use miniserde::{Deserialize, json};
use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const REDIRECTS: usize = 5;

/// The longest user agent, in bytes.
const USER_AGENT: usize = 512;

/// How much of a reply that is not understood is shown, in characters.
const EXCERPT: usize = 120;

/// It is taken from so many bytes; a long reply is not read to its end for it.
const EXCERPT_OF: usize = 16 * 1024;
/// How much memory is taken for a body before its bytes come.
const AT_ONCE: u64 = 256 * 1024;

/// What can be set, and what is shared: the transport and the latest usage.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) token: Token,
    pub(crate) version: Option<String>,
    pub(crate) base_url: String,
    pub(crate) login_url: String,
    pub(crate) timeout: Duration,
    pub(crate) download_timeout: Duration,
    pub(crate) body_limit: usize,
    pub(crate) user_agent: String,
    pub(crate) retries: u32,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) usage: Arc<Mutex<Usage>>,
}

impl Settings {
    pub(crate) fn new(token: Token) -> Settings {
        Settings {
            token,
            version: None,
            base_url: "https://graph.instagram.com".to_owned(),
            login_url: "https://api.instagram.com".to_owned(),
            timeout: Duration::from_secs(30),
            download_timeout: Duration::from_secs(3600),
            body_limit: 16 * 1024 * 1024,
            user_agent: concat!("mingram/", env!("CARGO_PKG_VERSION")).to_owned(),
            retries: 2,
            transport: Arc::new(DefaultTransport::default()),
            clock: Arc::new(SystemClock),
            usage: Arc::default(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("token", &self.token)
            .field("version", &self.version)
            .field("base_url", &redact(&self.base_url, &[self.token.expose()]))
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

/// One call, ready to walk the road.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// For messages: `GET /me/media`.
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) body: Option<String>,
    /// What must not be seen in any message.
    pub(crate) secrets: Vec<&'a str>,
    pub(crate) retries: u32,
    pub(crate) timeout: Duration,
    /// The address or the body carries a secret, so it goes to this host alone.
    pub(crate) private: bool,
    /// The reply holds a secret, so not even an excerpt of it is shown.
    pub(crate) secret_reply: bool,
    /// Where to start in a file.
    pub(crate) range_from: u64,
}

/// A reply that is JSON and no error.
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) usage: Usage,
}

impl Settings {
    /// A call to a node or edge of the graph, with the token.
    /// `path` is encoded; it is `None` where it could not be.
    pub(crate) fn graph_call(
        &self,
        path: Option<&str>,
        fields: &str,
        params: &[(&str, &str)],
    ) -> Result<Call<'_>> {
        let token = self.token.checked()?;
        let Some(path) = path else {
            return Err(Error::invalid(
                "the id or path is empty or has an empty, `.` or `..` part: write `node` or `node/edge`",
            ));
        };
        let mut url = self.checked_url(&self.base_url, "base address")?;
        if let Some(version) = &self.version {
            push_version(&mut url, version)?;
        }
        url.push_str(path);
        url.push('?');
        if !fields.is_empty() {
            push_param(&mut url, "fields", fields);
        }
        for (name, value) in params {
            if *name == "access_token" {
                return Err(Error::invalid(
                    "the access token is added by the Api: leave `access_token` out",
                ));
            }
            push_param(&mut url, name, value);
        }
        push_param(&mut url, "access_token", token);
        let mut call = self.call(Method::Get, format!("GET {path}"), url)?;
        call.secrets.push(token);
        call.retries = self.retries;
        Ok(call)
    }

    /// Any call, with nothing but what all calls have in common.
    pub(crate) fn call(&self, method: Method, name: String, url: String) -> Result<Call<'_>> {
        check_length(&url)?;
        Ok(Call {
            method,
            name,
            url,
            body: None,
            secrets: Vec::new(),
            retries: 0,
            timeout: self.timeout,
            private: true,
            secret_reply: false,
            range_from: 0,
        })
    }

    /// A configured host, checked, without a slash at its end.
    pub(crate) fn checked_url(&self, url: &str, what: &str) -> Result<String> {
        let fault = match Address::parse(url) {
            Ok(address) if address.rest.contains('?') || url.contains('#') => {
                "it has a query or a fragment"
            }
            Ok(_) => return Ok(url.trim_end_matches('/').to_owned()),
            Err(fault) => fault,
        };
        Err(Error::invalid(format!("the {what} is not usable: {fault}")))
    }

    /// Sends the call, waits for all of its reply, and lets nothing pass that
    /// is an error or no JSON.
    pub(crate) fn send(&self, call: &Call<'_>) -> Result<Reply> {
        self.retrying(call, || {
            let response = self.open(call)?;
            let usage = self.note_usage(&response);
            let text = self.read_text(call, response, &usage)?;
            Ok(Reply { text, usage })
        })
    }

    /// [`send`](Settings::send), read into the caller's type.
    pub(crate) fn send_for<T: Deserialize>(&self, call: &Call<'_>) -> Result<(T, Usage)> {
        let reply = self.send(call)?;
        match json::from_str(&reply.text) {
            Ok(value) => Ok((value, reply.usage)),
            Err(error) => Err(call.not_a(std::any::type_name::<T>(), &reply.text, error)),
        }
    }

    /// Tries again, a few times, what failed for a passing reason. A timeout
    /// does not count as one: the time that the caller set is used up.
    pub(crate) fn retrying<T>(
        &self,
        call: &Call<'_>,
        mut attempt: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let mut retry = 0;
        loop {
            let error = match attempt() {
                Ok(value) => return Ok(value),
                Err(error) => error.in_call(&call.name, &call.secrets),
            };
            let wait = retry::wait(retry).max(error.retry_after().unwrap_or_default());
            if retry >= call.retries
                || !error.is_transient()
                || error.is_timeout()
                || wait > retry::LONGEST_WAIT
            {
                return Err(error);
            }
            self.clock.sleep(wait);
            retry += 1;
        }
    }

    /// One attempt, redirects followed where they may be, up to the headers of
    /// a reply.
    pub(crate) fn open(&self, call: &Call<'_>) -> Result<Response> {
        if self.user_agent.is_empty()
            || self.user_agent.len() > USER_AGENT
            || self.user_agent.trim_ascii().len() < self.user_agent.len()
            || !self
                .user_agent
                .bytes()
                .all(|byte| byte == b' ' || byte.is_ascii_graphic())
        {
            return Err(Error::invalid(format!(
                "the user agent is empty, longer than {USER_AGENT} bytes, has a space at an end, \
                 or is not plain ASCII text on one line"
            )));
        }
        let range = format!("bytes={}-", call.range_from);
        let mut headers = vec![("User-Agent", self.user_agent.as_str()), ("Accept", "*/*")];
        if call.body.is_some() {
            headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        }
        if call.range_from > 0 {
            headers.push(("Range", &range));
        }
        let deadline = Instant::now().checked_add(call.timeout);
        let mut url = call.url.clone();
        for _ in 0..=REDIRECTS {
            let timeout = deadline.map_or(call.timeout, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if timeout.is_zero() {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    "the time for this call ran out",
                ));
            }
            let response = self.transport.send(&Request {
                method: call.method,
                url: &url,
                headers: &headers,
                body: call.body.as_deref(),
                timeout,
            })?;
            if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            url = redirected(call, &url, &response)
                .map_err(|error| error.with_status(response.status))?;
        }
        Err(Error::new(
            ErrorKind::Redirect,
            format!("more than {REDIRECTS} redirects, one after another"),
        ))
    }

    fn note_usage(&self, response: &Response) -> Usage {
        let usage = Usage::from_headers(
            response.header("x-app-usage"),
            response.header("x-business-use-case-usage"),
        );
        if let Some(usage) = &usage {
            *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = usage.clone();
        }
        usage.unwrap_or_default()
    }

    /// The whole body as text, if it is a JSON document and no error.
    fn read_text(&self, call: &Call<'_>, response: Response, usage: &Usage) -> Result<String> {
        let status = response.status;
        let retry_after = usage.wait().or_else(|| retry_after(&response));
        let content_type = response
            .header("content-type")
            .unwrap_or("no content type")
            .to_owned();
        let announced = response.length();
        let body =
            read_body(response, self.body_limit).map_err(|error| error.with_status(status))?;
        let length = body.len();
        let (mut text, utf8) = match String::from_utf8(body) {
            Ok(text) => (text, true),
            Err(error) => (
                String::from_utf8_lossy(error.as_bytes()).into_owned(),
                false,
            ),
        };
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        mend_surrogates(&mut text);
        let good = (200..300).contains(&status);
        // The word as a key or value, never inside a caption: quotes there are
        // escaped. So most replies are not read twice.
        if !good || text.contains("\"error") {
            if let Some(api) = api_error(&text, status, &call.secrets) {
                return Err(Error::api_error(api, retry_after));
            }
        }
        let excerpt = || call.excerpt(&text);
        if !good {
            let message = format!(
                "HTTP {status} ({content_type}, {length} bytes): {}",
                excerpt()
            );
            return Err(Error::new(ErrorKind::Status, message)
                .with_status(status)
                .with_retry_after(retry_after));
        }
        if !utf8 {
            let message = format!(
                "the reply (HTTP {status}, {content_type}, {length} bytes) is not UTF-8 text"
            );
            return Err(Error::new(ErrorKind::NotJson, message).with_status(status));
        }
        if announced.is_none() && status != 204 && ends_early(&text) {
            let message = format!("the connection ended inside the reply, after {length} bytes");
            return Err(Error::new(ErrorKind::Truncated, message).with_status(status));
        }
        if !text.trim_ascii_start().starts_with(['{', '[']) {
            let message = format!(
                "the reply is not JSON (HTTP {status}, {content_type}, {length} bytes): {}",
                excerpt()
            );
            return Err(Error::new(ErrorKind::NotJson, message).with_status(status));
        }
        Ok(text)
    }
}

impl Call<'_> {
    /// The beginning of a reply, without its secrets; redacted before it is
    /// cut, so that no half of a secret is left.
    pub(crate) fn excerpt(&self, text: &str) -> String {
        if self.secret_reply {
            return "(not shown, it may hold a token)".to_owned();
        }
        let mut end = text.len().min(EXCERPT_OF);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let line = one_line(redact(&text[..end], &self.secrets));
        match line.char_indices().nth(EXCERPT) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None if line.is_empty() => "(empty)".to_owned(),
            None => line,
        }
    }

    /// JSON, but not this type.
    pub(crate) fn not_a(&self, type_name: &str, text: &str, error: miniserde::Error) -> Error {
        let message = format!(
            "the reply is JSON, but not the {} that was wanted ({} bytes): {}",
            short_name(type_name),
            text.len(),
            self.excerpt(text)
        );
        Error::new(ErrorKind::Decode, message)
            .with_source(error)
            .in_call(&self.name, &self.secrets)
    }
}

fn push_version(url: &mut String, version: &str) -> Result<()> {
    let digits = |part: &str| {
        !part.is_empty() && part.len() < 5 && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    match version
        .strip_prefix('v')
        .and_then(|number| number.split_once('.'))
    {
        Some((major, minor)) if digits(major) && digits(minor) => {
            url.push('/');
            url.push_str(version);
            Ok(())
        }
        _ => Err(Error::invalid("the version is not written as `v25.0`")),
    }
}

/// Where a redirect leads, if it may be followed.
fn redirected(call: &Call<'_>, url: &str, response: &Response) -> Result<String> {
    let refuse = |message: String| Err(Error::new(ErrorKind::Redirect, message));
    let status = response.status;
    if call.method != Method::Get {
        return refuse(format!(
            "a redirect (HTTP {status}) of a call that carries a secret is not followed"
        ));
    }
    let Some(location) = response.header("location") else {
        return refuse(format!(
            "a redirect (HTTP {status}) that does not say where to"
        ));
    };
    let from = Address::parse(url).map_err(Error::invalid)?;
    let to = from.join(location);
    let address = match Address::parse(&to) {
        Ok(address) => address,
        Err(fault) => {
            return refuse(format!(
                "a redirect (HTTP {status}) to an address that is not usable: {fault}"
            ));
        }
    };
    if call.private && !from.same_origin(&address) {
        return refuse(format!(
            "a redirect (HTTP {status}) to {}, which the access token must not reach",
            address.host
        ));
    }
    if from.https && !address.https {
        return refuse(format!("a redirect (HTTP {status}) from https to http"));
    }
    if check_length(&to).is_err() {
        return refuse(format!(
            "a redirect (HTTP {status}) to an address of {} bytes, which no server takes",
            to.len()
        ));
    }
    Ok(without_fragment(&to).to_owned())
}

/// The whole body, if it stays under the limit and is as long as announced.
pub(crate) fn read_body(response: Response, limit: usize) -> Result<Vec<u8>> {
    let too_large = || {
        let message = format!(
            "the reply is larger than the limit of {limit} bytes: raise it, or ask for smaller pages"
        );
        Err(Error::new(ErrorKind::TooLarge, message))
    };
    check_coding(&response)?;
    let announced = response.length();
    if announced.is_some_and(|length| length > limit as u64) {
        return too_large();
    }
    if matches!(response.status, 204 | 304) {
        return Ok(Vec::new());
    }
    // What is announced need not come: memory for so much only, to begin with.
    let mut body = Vec::with_capacity(announced.unwrap_or(0).min(AT_ONCE) as usize);
    let mut reader = response.body;
    let mut piece = [0; 8 * 1024];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(length) if length > limit - body.len() => return too_large(),
            Ok(length) => body.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cut_short(error, body.len() as u64, announced)),
        }
    }
    match announced {
        Some(length) if (body.len() as u64) < length => Err(short(body.len() as u64, length)),
        _ => Ok(body),
    }
}

/// Refuses a compressed body: none was asked for, so none can be read.
pub(crate) fn check_coding(response: &Response) -> Result<()> {
    match response.header("content-encoding") {
        Some(coding) if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") => {
            Err(Error::new(
                ErrorKind::Malformed,
                "the reply is compressed, though that was not asked for",
            ))
        }
        _ => Ok(()),
    }
}

pub(crate) fn short(got: u64, announced: u64) -> Error {
    let message = format!("the connection ended after {got} of {announced} bytes");
    Error::new(ErrorKind::Truncated, message)
}

/// A read that failed, with the lengths where it was the end that came early:
/// one transport fails then, another just ends.
pub(crate) fn cut_short(error: std::io::Error, got: u64, announced: Option<u64>) -> Error {
    let error = Error::of_body(error);
    match announced {
        Some(announced) if error.kind() == ErrorKind::Truncated => {
            short(got, announced).with_source(error)
        }
        _ => error,
    }
}

/// `Retry-After` in seconds; the form with a date counts as absent.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    response
        .header("retry-after")?
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// Whether a JSON text stops before its brackets and strings are closed: where
/// no length was announced, nothing else tells a broken connection.
fn ends_early(text: &str) -> bool {
    let (mut depth, mut string, mut escaped) = (0i64, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if string => escaped = true,
            b'"' => string = !string,
            _ if string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    string || depth > 0 || text.trim_ascii().is_empty()
}

/// Writes U+FFFD for each escaped surrogate that has no partner, as half of an
/// emoji where a text was cut: miniserde would fail the whole page for it.
fn mend_surrogates(text: &mut String) {
    let surrogate = |text: &str, at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        let code = u32::from_str_radix(digits, 16).ok()?;
        (0xD800..=0xDFFF).contains(&code).then_some(code < 0xDC00)
    };
    let mut at = 0;
    while let Some(found) = text[at..].find('\\') {
        at += found;
        at += match surrogate(text, at) {
            Some(true) if surrogate(text, at + 6) == Some(false) => 12,
            Some(_) => {
                text.replace_range(at + 2..at + 6, "fffd");
                6
            }
            // The escaped character may be any, and more than a byte long.
            None => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
}

/// `a::b::C<d::E>` as `C<E>`.
fn short_name(type_name: &str) -> String {
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

/// The service's error, in either shape; `None` where there is none. The
/// secrets are taken out of what was read, not out of the JSON: a mask in place
/// of a number or `null` would make it unreadable.
fn api_error(text: &str, status: u16, secrets: &[&str]) -> Option<ApiError> {
    let reply: Value = json::from_str(text).ok()?;
    let shown = |text: String| one_line(redact(&text, secrets));
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::text).map(shown);
    let number = |of: &Value, key: &str| of.get(key).and_then(Value::number);
    let mut api = ApiError {
        status,
        ..<ApiError as Default>::default()
    };
    match reply.get("error") {
        Some(Value::Text(message)) => api.message = shown(message.clone()),
        Some(error @ Value::Object(_)) => {
            api.code = number(error, "code");
            api.subcode = number(error, "error_subcode");
            api.error_type = text(error, "type");
            api.message = text(error, "message").unwrap_or_default();
            api.user_title = text(error, "error_user_title");
            api.user_message = text(error, "error_user_msg");
            if let Some(Value::Flag(flag)) = error.get("is_transient") {
                api.is_transient = Some(*flag);
            }
            api.trace_id = text(error, "fbtrace_id");
        }
        // Neither of the two forms that errors have.
        Some(_) => return None,
        None => {
            api.error_type = text(&reply, "error_type");
            let message = text(&reply, "error_message");
            if message.is_none() && api.error_type.is_none() {
                return None;
            }
            api.message = message.unwrap_or_default();
        }
    }
    Some(api)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_cut_document() {
        for whole in ["{}", r#"{"a":"\"}"}"#, "[[],{}] ", r#""x""#, "1"] {
            assert!(!ends_early(whole), "{whole}");
        }
        for cut in [
            "",
            " ",
            "{",
            r#"{"a":"b"#,
            r#"{"a":"\"}"#,
            "[[]",
            r#"{"a":[{}]"#,
        ] {
            assert!(ends_early(cut), "{cut}");
        }
    }

    #[test]
    fn surrogates_without_a_partner_are_replaced() {
        for (text, mended) in [
            ("", ""),
            (r"\ud83c\udf5e", r"\ud83c\udf5e"),
            (r"\ud83c\ud83c\uDF5E", r"\ufffd\ud83c\uDF5E"),
            (r"a\ud83c", r"a\ufffd"),
            (r"\udf5e\ud83c", r"\ufffd\ufffd"),
            (r"\\ud83c", r"\\ud83c"),
            (r"\\\ud83cx", r"\\\ufffdx"),
            (r"\ud83", r"\ud83"),
            (r"\u00e9\é\", r"\u00e9\é\"),
            ("\\u+d83é\\ud8é", "\\u+d83é\\ud8é"),
        ] {
            let mut text = text.to_owned();
            mend_surrogates(&mut text);
            assert_eq!(text, mended);
        }
    }

    #[test]
    fn names_types_shortly() {
        assert_eq!(short_name("mingram::model::User"), "User");
        assert_eq!(short_name("a::b::Page<c::d::Media>"), "Page<Media>");
        assert_eq!(short_name("(a::B, alloc::vec::Vec<c::D>)"), "(B, Vec<D>)");
        assert_eq!(short_name("u8"), "u8");
    }

    #[test]
    fn reads_every_shape_of_error() {
        let read = |text| api_error(text, 400, &[]);
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
