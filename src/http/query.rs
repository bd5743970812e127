//! Paths and query strings, percent-encoded by hand (RFC 3986).

use crate::redact;

/// Appends `text` to `out`, percent-encoding all but RFC 3986's unreserved
/// characters and the comma. Meta's guide writes the comma as it is
/// (`fields=id,username`); it has no special meaning in a query.
pub(crate) fn encode(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push('%');
            out.push(HEX[usize::from(byte >> 4)] as char);
            out.push(HEX[usize::from(byte & 15)] as char);
        }
    }
}

/// Appends `name=value` to `out`, with a `&` before it unless it is the first
/// parameter.
pub(crate) fn push_param(out: &mut String, name: &str, value: &str) {
    if !(out.is_empty() || out.ends_with(['?', '&'])) {
        out.push('&');
    }
    encode(out, name);
    out.push('=');
    encode(out, value);
}

/// Encodes `path` as `/segment/segment`. A slash at either end is ignored. `None`
/// for an empty, `.` or `..` segment, which would name another node.
pub(crate) fn encoded_path(path: &str) -> Option<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Some("/".to_owned());
    }
    let mut out = String::new();
    for segment in path.split('/') {
        push_segment(&mut out, segment)?;
    }
    Some(out)
}

/// Encodes `/id` or `/id/edge`. A slash in the id is encoded too.
pub(crate) fn node_path(id: &str, edge: &str) -> Option<String> {
    let mut out = String::new();
    push_segment(&mut out, id)?;
    if !edge.is_empty() {
        push_segment(&mut out, edge)?;
    }
    Some(out)
}

fn push_segment(out: &mut String, segment: &str) -> Option<()> {
    if matches!(segment, "" | "." | "..") {
        return None;
    }
    out.push('/');
    encode(out, segment);
    Some(())
}

/// The value of a parameter in a query string, percent-decoded, with `+` read as a
/// space; `None` if it is missing.
pub(crate) fn param(query: &str, name: &str) -> Option<String> {
    params(query, name).next()
}

/// The values of a parameter that is repeated: see [`param`].
pub(crate) fn params<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let values = pairs(query).filter(move |(key, _)| decode(key) == name);
    values.map(|(_, value)| decode(value))
}

/// The parameters of a query or form, encoded. Without a `=`, the value is empty.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&');
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Percent-decodes leniently: invalid escapes are kept, invalid UTF-8 becomes
/// U+FFFD.
pub(crate) fn decode(text: &str) -> String {
    redact::decode(&text.replace('+', " "), '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> String {
        let mut out = String::new();
        encode(&mut out, text);
        out
    }

    #[test]
    fn encodes_all_but_unreserved_characters_and_the_comma() {
        assert_eq!(encoded("aZ09-._~,"), "aZ09-._~,");
        assert_eq!(encoded("children{id}"), "children%7Bid%7D");
        assert_eq!(
            encoded("a b\r\n&=#%+/?é😀\0"),
            "a%20b%0D%0A%26%3D%23%25%2B%2F%3F%C3%A9%F0%9F%98%80%00"
        );
    }

    #[test]
    fn decodes_what_it_encodes() {
        let text = "a b\r\n&=#%+/?é😀\0";
        assert_eq!(decode(&encoded(text)), text);
        assert_eq!(decode("%zz%4+%"), "%zz%4 %");
        assert_eq!(decode("%ff"), "\u{fffd}");
        assert_eq!(param("a=1&after=x%3D&b", "after").as_deref(), Some("x="));
        assert_eq!(param("a=1&b", "b").as_deref(), Some(""));
        assert_eq!(param("a=1", "after"), None);
    }

    #[test]
    fn encodes_paths() {
        for (text, path) in [
            ("me/media", "/me/media"),
            ("/1/children/", "/1/children"),
            ("", "/"),
            ("a?b#c%2e d", "/a%3Fb%23c%252e%20d"),
        ] {
            assert_eq!(encoded_path(text).as_deref(), Some(path));
        }
        for bad in ["a//b", "../me", "a/../b", "a/."] {
            assert_eq!(encoded_path(bad), None, "{bad}");
        }
        assert_eq!(
            node_path("1/../2", "media").as_deref(),
            Some("/1%2F..%2F2/media")
        );
        assert_eq!(node_path("1", "").as_deref(), Some("/1"));
        for bad in ["", ".", ".."] {
            assert_eq!(node_path(bad, "media"), None, "{bad}");
        }
    }
}
