//! Which version of a file a download received (RFC 9110, sections 8.8 and 13.1.5).

use crate::error::{Error, ErrorKind, Result};
use crate::http::transport::Response;
use crate::timestamp::parse_http_date;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest entity tag that is kept, in bytes.
const MAX_TAG: usize = 1024;

/// A file that was modified less than this before it was sent may have been modified
/// again in the same second, or by a clock that differs from the server's.
const SETTLED: Duration = Duration::from_secs(60);

/// A version of a file: its length and the validator that the server sent with it.
///
/// [`Saved::version`](crate::download::Saved::version) and [`Body::version`](crate::download::Body::version) are
/// one. [`Download::unless`](crate::download::Download::unless) takes it to download only what has
/// changed, and [`Download::resume_from`](crate::download::Download::resume_from) so that parts of two
/// versions are never combined. It is kept as text:
///
/// ```
/// # fn main() -> mingram::Result<()> {
/// let version: mingram::download::FileVersion = "183650 \"5f3c-1a\"".parse()?;
/// assert_eq!(version.total(), 183650);
/// assert_eq!(version.to_string(), "183650 \"5f3c-1a\"");
/// # Ok(()) }
/// ```
///
/// The validator is the `ETag`, which must be strong. If there is none, it is
/// `Last-Modified`, provided that the server's `Date` is at least 60 seconds later
/// (RFC 9110, sections 8.8.2.2 and 13.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileVersion {
    total: u64,
    validator: String,
}

impl FileVersion {
    /// The length of the file in bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The value of the `If-Range` header.
    pub(crate) fn validator(&self) -> &str {
        &self.validator
    }

    /// The header that requests the file unless it is of this version.
    pub(crate) fn condition(&self) -> (&'static str, String) {
        let name = match self.validator.starts_with('"') {
            true => "If-None-Match",
            false => "If-Modified-Since",
        };
        (name, self.validator.clone())
    }

    /// The version of a file of this length, if the response identifies it.
    pub(crate) fn of(response: &Response, total: u64) -> Option<FileVersion> {
        let validator = match response.header("etag") {
            Some(tag) => Some(tag).filter(|tag| is_strong(tag)),
            None => response.header("last-modified").filter(|modified| {
                let sent = response.header("date").and_then(parse_http_date);
                let settled = parse_http_date(modified).and_then(|at| at.checked_add(SETTLED));
                settled.is_some() && settled <= sent
            }),
        };
        Some(FileVersion {
            total,
            validator: validator?.to_owned(),
        })
    }

    /// Whether the response is a part of this version. `total` is the length of the file
    /// by its range, if it is known there. RFC 9110, section 15.3.7, lets a server omit the
    /// date after `If-Range`, but so do servers that did not compare it.
    pub(crate) fn includes(&self, response: &Response, total: Option<u64>) -> bool {
        total == Some(self.total) && self.of_response(response) == Some(true)
    }

    /// Whether the response has this validator; `None` if it has none. One that has another
    /// one, too, is of no known version: two tags, or a tag where there was only a date.
    pub(crate) fn of_response(&self, response: &Response) -> Option<bool> {
        let is_tag = self.validator.starts_with('"');
        let is_validator = |name: &str| {
            name.eq_ignore_ascii_case("etag")
                || !is_tag && name.eq_ignore_ascii_case("last-modified")
        };
        let headers = response.headers.iter();
        let mut sent = headers.filter(|(name, _)| is_validator(name)).peekable();
        sent.peek()?;
        Some(sent.all(|(_, value)| *value == self.validator))
    }
}

/// Whether this is an entity tag that is equal only for equal bytes.
fn is_strong(tag: &str) -> bool {
    let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    tag.is_some_and(|tag| {
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
        (1..=MAX_TAG).contains(&tag.len()) && tag.bytes().all(allowed)
    })
}

/// `TOTAL VALIDATOR` on one line of ASCII without a line end.
impl fmt::Display for FileVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.total, self.validator)
    }
}

/// Reads what `Display` writes. White space around it is ignored.
///
/// # Errors
///
/// [`InvalidInput`](ErrorKind::InvalidInput) for any other text.
impl FromStr for FileVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<FileVersion> {
        let parts = text.trim_ascii().split_once(' ');
        let parts = parts.and_then(|(total, validator)| Some((total.parse().ok()?, validator)));
        match parts {
            Some((total, validator))
                if is_strong(validator) || parse_http_date(validator).is_some() =>
            {
                Ok(FileVersion {
                    total,
                    validator: validator.to_owned(),
                })
            }
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                "this is not the text of a file version: download the entire file again",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn response(headers: &[(&str, &str)]) -> Response {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Response::new(200, headers.iter().map(owned).collect(), std::io::empty())
    }

    #[test]
    fn a_version_needs_a_strong_validator() {
        let text = |headers: &[(&str, &str)]| {
            let version = FileVersion::of(&response(headers), 7)?;
            let text = version.to_string();
            assert_eq!(text.parse::<FileVersion>().unwrap(), version);
            Some(text)
        };
        let long = format!("\"{}\"", "a".repeat(MAX_TAG));
        assert_eq!(text(&[("ETag", "\"a\"")]).as_deref(), Some("7 \"a\""));
        assert_eq!(text(&[("etag", &long)]).map(|text| text.len()), Some(1028));
        assert_eq!(
            text(&[
                ("Last-Modified", OLD),
                ("Date", "Sun, 06 Nov 1994 08:50:37 GMT")
            ]),
            Some(format!("7 {OLD}"))
        );
        for none in [
            &[][..],
            &[("ETag", "W/\"a\"")],
            &[("ETag", "a")],
            &[("ETag", "\"\"")],
            &[("ETag", "\"")],
            &[("ETag", "\"a\"b\"")],
            &[("ETag", "\"a b\"")],
            &[("ETag", "\"\u{e9}\"")],
            &[("ETag", &format!("\"{}\"", "a".repeat(MAX_TAG + 1)))],
            // A weak tag says that the date is not exact either.
            &[
                ("ETag", "W/\"a\""),
                ("Last-Modified", OLD),
                ("Date", "Mon, 07 Nov 1994 08:49:37 GMT"),
            ],
            &[("Last-Modified", OLD)],
            &[
                ("Last-Modified", OLD),
                ("Date", "Sun, 06 Nov 1994 08:50:36 GMT"),
            ],
            &[("Last-Modified", OLD), ("Date", "today")],
            &[
                ("Last-Modified", "today"),
                ("Date", "Mon, 07 Nov 1994 08:49:37 GMT"),
            ],
        ] {
            assert_eq!(text(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_part_belongs_to_its_version() {
        let tag: FileVersion = "7 \"a\"".parse().unwrap();
        let date: FileVersion = format!("7 {OLD}").parse().unwrap();
        for (version, headers, total, includes) in [
            (&tag, &[("ETag", "\"a\"")][..], Some(7), true),
            (&tag, &[("ETag", "\"a\"")], None, false),
            (&tag, &[("ETag", "\"a\"")], Some(8), false),
            (&tag, &[("ETag", "\"b\"")], Some(7), false),
            (&tag, &[("ETag", "W/\"a\"")], Some(7), false),
            (&tag, &[], Some(7), false),
            (&tag, &[("Last-Modified", OLD)], Some(7), false),
            (&date, &[("Last-Modified", OLD)], Some(7), true),
            (&date, &[("Last-Modified", OLD)], None, false),
            (&date, &[("Last-Modified", OLD)], Some(8), false),
            (&date, &[], Some(7), false),
            (&date, &[("Last-Modified", "later")], Some(7), false),
            (&date, &[("ETag", "\"a\"")], Some(7), false),
        ] {
            let response = response(headers);
            assert_eq!(
                version.includes(&response, total),
                includes,
                "{version} {headers:?} {total:?}"
            );
        }
    }

    #[test]
    fn a_version_is_read_back_or_refused() {
        for good in ["0 \"a\"", " 18446744073709551615 \"a\"\n"] {
            let version: FileVersion = good.parse().unwrap();
            assert_eq!(version.to_string(), good.trim());
        }
        let whole = format!("7 {OLD}");
        for bad in [
            "",
            "7",
            "7 ",
            "\"a\"",
            "7 a",
            "7 W/\"a\"",
            "7 \"a",
            "-7 \"a\"",
            "7  \"a\"",
            "7 \"a\"\r\nX: \"",
            "18446744073709551616 \"a\"",
        ]
        .into_iter()
        // A file that is torn in the middle is not another version.
        .chain((0..whole.len()).map(|end| &whole[..end]))
        {
            let error = bad.parse::<FileVersion>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }
}
