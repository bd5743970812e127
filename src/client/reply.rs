//! Replies: separating errors from success.

use super::body::read_body;
use super::call::Call;
use super::usage::Usage;
use crate::error::{ApiError, Error, ErrorKind, Result};
use crate::http::transport::Response;
use crate::json::reader;
use crate::json::value::Value;
use crate::redact::sanitize;
use std::fmt;
use std::time::Duration;

/// A JSON document that arrived with a successful status.
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) usage: Usage,
    status: u16,
    content_type: String,
    retry_after: Option<Duration>,
}

impl Reply {
    /// Reads the body. Fails for any other status, with the error object if the body
    /// is one, and for a body that is not JSON.
    pub(crate) fn read(
        call: &Call<'_>,
        response: Response,
        usage: Usage,
        limit: usize,
    ) -> Result<Reply> {
        let status = response.status;
        let retry_after = usage.wait().or_else(|| retry_after(&response));
        let content_type = content_type(&response, call);
        let length = response.length();
        let body = read_body(response, limit).map_err(|error| error.with_status(status))?;
        let bytes = body.len();
        let (mut text, is_utf8) = match String::from_utf8(body) {
            Ok(text) => (text, true),
            Err(error) => {
                let text = String::from_utf8_lossy(error.as_bytes());
                (text.into_owned(), false)
            }
        };
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        if !(200..300).contains(&status) {
            if let Some(api) = read_api_error(&text, status, &call.secrets) {
                return Err(Error::from_api(api, retry_after));
            }
            let excerpt = call.excerpt(&text);
            let message = format!("HTTP {status} ({content_type}, {bytes} bytes): {excerpt}");
            return Err(Error::new(ErrorKind::Status, message)
                .with_status(status)
                .with_retry_after(retry_after));
        }
        let start = text.trim_ascii_start();
        let is_json = start.starts_with(['{', '[']);
        // Checked before UTF-8, because the text may end inside a character.
        if length.is_none()
            && status != 204
            && (is_json || start.is_empty())
            && reader::is_truncated(&text)
        {
            let message = format!("the connection ended inside the reply, after {bytes} bytes");
            return Err(Error::new(ErrorKind::Truncated, message).with_status(status));
        }
        if !is_json || !is_utf8 {
            let message = format!(
                "the reply is not {} (HTTP {status}, {content_type}, {bytes} bytes): {}",
                if is_utf8 { "JSON" } else { "UTF-8 text" },
                call.excerpt(&text)
            );
            return Err(Error::new(ErrorKind::NotJson, message).with_status(status));
        }
        Ok(Reply {
            text,
            usage,
            status,
            content_type,
            retry_after,
        })
    }

    /// The service's error object, if the reply is one.
    pub(crate) fn api_error(&self, call: &Call<'_>) -> Option<Error> {
        let api = read_api_error(&self.text, self.status, &call.secrets)?;
        Some(Error::from_api(api, self.retry_after))
    }

    /// The error for a reply of another type than requested.
    pub(crate) fn decode_error(
        &self,
        call: &Call<'_>,
        type_name: &str,
        error: miniserde::Error,
    ) -> Error {
        let message = format!(
            "the reply is JSON but not a valid {} (HTTP {}, {}, {} bytes): {}",
            short_name(type_name),
            self.status,
            self.content_type,
            self.text.len(),
            call.excerpt(&self.text)
        );
        Error::new(ErrorKind::Decode, message)
            .with_status(self.status)
            .with_source(error)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// `Retry-After` in seconds. Its form with a date is ignored.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.header("retry-after")?.parse().ok()?;
    Some(Duration::from_secs(seconds))
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

/// Whether a document is an error object. Most documents lack even the word: in a
/// caption its quote would be escaped.
pub(crate) fn is_error(text: &str) -> bool {
    text.contains("\"error") && read_api_error(text, 0, &[]).is_some()
}

/// Reads an error object of either host; `None` if the document is something else.
/// Secrets are masked after parsing: a mask in place of a number would make the JSON
/// invalid.
pub(crate) fn read_api_error(text: &str, status: u16, secrets: &[&str]) -> Option<ApiError> {
    let reply = Value::parse_object(text)?;
    let clean = |text: String| sanitize(&text, secrets);
    let mut api = ApiError {
        status,
        ..<ApiError as Default>::default()
    };
    match reply.get("error") {
        Some(Value::Text(message)) => api.message = clean(message.clone()),
        Some(error @ Value::Object(_)) => {
            api.code = error.number_of("code");
            api.subcode = error.number_of("error_subcode");
            api.error_type = error.text_of("type").map(clean);
            api.message = error.text_of("message").map(clean).unwrap_or_default();
            api.user_title = error.text_of("error_user_title").map(clean);
            api.user_message = error.text_of("error_user_msg").map(clean);
            if let Some(Value::Flag(flag)) = error.get("is_transient") {
                api.is_transient = Some(*flag);
            }
            api.trace_id = error.text_of("fbtrace_id").map(clean);
        }
        Some(_) => return None,
        None => {
            api.error_type = reply.text_of("error_type").map(clean);
            let message = reply.text_of("error_message").map(clean);
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
