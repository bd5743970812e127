//! Reading JSON with miniserde, and what miniserde leaves to do.

use miniserde::{Deserialize, Result, json};

/// Parses JSON. If that fails, lone surrogates are replaced and it is parsed again:
/// few replies need it, so no other reply is searched for them.
pub(crate) fn read<T: Deserialize>(text: &str) -> Result<T> {
    json::from_str(text).or_else(|error| {
        let mut fixed = text.to_owned();
        replace_lone_surrogates(&mut fixed);
        match fixed == text {
            true => Err(error),
            false => json::from_str(&fixed),
        }
    })
}

/// Whether a JSON text ends before its brackets and strings are closed. Without a
/// content length, nothing else reveals a broken connection.
pub(crate) fn is_truncated(text: &str) -> bool {
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

/// Replaces each escaped surrogate without a partner by U+FFFD: half of an emoji at
/// the end of a shortened text, for example. miniserde refuses the document.
fn replace_lone_surrogates(text: &mut String) {
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
            // The escaped character may have any length.
            None => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_truncated_documents() {
        for complete in ["{}", r#"{"a":"\"}"}"#, "[[],{}] ", r#""x""#, "1"] {
            assert!(!is_truncated(complete), "{complete}");
        }
        for truncated in [
            "",
            " ",
            "{",
            r#"{"a":"b"#,
            r#"{"a":"\"}"#,
            "[[]",
            r#"{"a":[{}]"#,
        ] {
            assert!(is_truncated(truncated), "{truncated}");
        }
    }

    #[test]
    fn replaces_lone_surrogates() {
        for (text, fixed) in [
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
            replace_lone_surrogates(&mut text);
            assert_eq!(text, fixed);
        }
    }
}
