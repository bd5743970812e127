//! What came, and whether it is whole: the body under its limit, text that is
//! not cut, and the service's error object.

use crate::error::{ApiError, Error, ErrorKind, Result};
use crate::redact::{beginning, one_line, redact};
use crate::transport::Response;
use crate::value::Value;
use miniserde::{Deserialize, json};
use std::io::{self, Read};
use std::time::Duration;

/// How much memory is taken for a body before its bytes come.
const AT_ONCE: u64 = 256 * 1024;

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
pub(crate) fn ends_early(text: &str) -> bool {
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

/// Reads JSON. Where that fails, once more with its surrogates mended: few
/// replies want it, and none is looked through for nothing.
pub(crate) fn read_json<T: Deserialize>(text: &str) -> miniserde::Result<T> {
    json::from_str(text).or_else(|error| {
        let mut mended = text.to_owned();
        mend_surrogates(&mut mended);
        match mended == text {
            true => Err(error),
            false => json::from_str(&mended),
        }
    })
}

/// Writes U+FFFD for each escaped surrogate that has no partner, as half of an
/// emoji where a text was cut: miniserde fails the whole page for it.
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

/// Of a text that the service sends, so much is shown in a message, in bytes.
const SHOWN: usize = 1024;

/// A text that came, for a message: without the secrets, on one line, and then
/// cut, so that no half of a secret is left.
pub(crate) fn shown(text: &str, secrets: &[&str]) -> String {
    let mut text = one_line(redact(text, secrets));
    if text.len() > SHOWN {
        text.truncate(beginning(&text, SHOWN).len());
        text.push('…');
    }
    text
}

/// The service's error, in either shape; `None` where there is none. The
/// secrets are taken out of what was read, not out of the JSON: a mask in place
/// of a number or `null` would make it unreadable.
pub(crate) fn api_error(text: &str, status: u16, secrets: &[&str]) -> Option<ApiError> {
    let reply: Value = read_json(text).ok()?;
    let shown = |text: &str| shown(text, secrets);
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::text).map(|text| shown(&text));
    let number = |of: &Value, key: &str| of.get(key).and_then(Value::number);
    let mut api = ApiError {
        status,
        ..<ApiError as Default>::default()
    };
    match reply.get("error") {
        Some(Value::Text(message)) => api.message = shown(message),
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
