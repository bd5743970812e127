//! Addresses: paths and query strings, percent-encoded by hand (RFC 3986).

use crate::error::{Error, Result};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longer than this, in bytes, and no server takes the address.
const LONGEST: usize = 32 * 1024;

/// Adds `text` to `out`, everything but RFC 3986's unreserved characters and
/// the comma percent-encoded. The comma stays as it is, as in Meta's guide
/// (`fields=id,username`); it has no meaning of its own in a query.
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

/// Adds `name=value` to `out`, with a `&` before it where `out` does not end
/// at the start of a query or form.
pub(crate) fn push_param(out: &mut String, name: &str, value: &str) {
    if !(out.is_empty() || out.ends_with(['?', '&'])) {
        out.push('&');
    }
    encode(out, name);
    out.push('=');
    encode(out, value);
}

/// `path` as `/segment/segment`, encoded. A slash at either end is passed over;
/// `None` for an empty, `.` or `..` segment, which would name another node.
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

/// `/id` or `/id/edge`, encoded; a slash in the id does not end it.
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

/// Refuses an address that is too long to be one.
pub(crate) fn check_length(address: &str) -> Result<()> {
    if address.len() > LONGEST {
        return Err(Error::invalid(format!(
            "the address of this call would be {} bytes long, and no server takes more than {LONGEST}: \
             shorten the id, cursor, fields or parameters",
            address.len()
        )));
    }
    Ok(())
}

/// An address as it is sent: its fragment is the caller's own affair.
pub(crate) fn without_fragment(address: &str) -> &str {
    address.split('#').next().unwrap_or_default()
}

/// The value of a parameter in a query string, percent-decoded, `+` read as a
/// space; `None` where it is missing.
pub(crate) fn param(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name).then(|| decode(value))
    })
}

/// Percent-decoding, lenient: what is no escape stays as it is, and what is no
/// UTF-8 becomes U+FFFD.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |at: usize| (*bytes.get(at)? as char).to_digit(16);
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            (b'+', ..) => {
                out.push(b' ');
                at += 1;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether a host is an IPv4 address in one of its odd spellings: resolvers
/// take `127.1`, `2130706433` and `0x7f.1` for one, and no domain ends so.
fn ends_in_number(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    let hexadecimal = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    let digits = hexadecimal.unwrap_or(last);
    (hexadecimal.is_some() || !digits.is_empty())
        && digits.chars().all(|c| match hexadecimal {
            Some(_) => c.is_ascii_hexdigit(),
            None => c.is_ascii_digit(),
        })
}

/// An http or https address, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address<'a> {
    pub(crate) https: bool,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// Path and query, without the fragment; empty or beginning with `/` or `?`.
    pub(crate) rest: &'a str,
}

impl<'a> Address<'a> {
    /// Takes an address apart, or says what is wrong with it. Plain http is
    /// taken for a loopback host alone. Nothing that could change the request
    /// passes: no control characters, spaces, user names or raw non-ASCII.
    pub(crate) fn parse(text: &'a str) -> Result<Address<'a>, &'static str> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it holds a space, a control character or something not percent-encoded");
        }
        let https = |scheme: &str| {
            text.get(..scheme.len())
                .is_some_and(|s| s.eq_ignore_ascii_case(scheme))
        };
        let (https, after) = if https("https://") {
            (true, &text[8..])
        } else if https("http://") {
            (false, &text[7..])
        } else {
            return Err("it begins with neither https:// nor http://");
        };
        let after = without_fragment(after);
        let (authority, rest) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
        let (host, port) = match authority
            .strip_prefix('[')
            .and_then(|_| authority.find(']'))
        {
            Some(end) => authority.split_at(end + 1),
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let literal = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        match literal {
            Some(ip) if ip.parse::<Ipv6Addr>().is_ok() => {}
            None if host.is_empty() || !host.bytes().all(of_name) => {
                return Err("its host is not a plain host name");
            }
            None if !ends_in_number(host) || host.parse::<Ipv4Addr>().is_ok() => {}
            _ => return Err("its host is a number, and not an IP address in full"),
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => {
                if https {
                    443
                } else {
                    80
                }
            }
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().unwrap_or(0)
            }
            _ => 0,
        };
        if port == 0 {
            return Err("its port is not a number from 1 to 65535");
        }
        let address = Address {
            https,
            host,
            port,
            rest,
        };
        if !https && !address.is_loopback() {
            return Err(
                "plain http would send it readable over the network; only a loopback address may use it",
            );
        }
        Ok(address)
    }

    /// Whether the host is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host == "[::1]"
            || self
                .host
                .parse::<Ipv4Addr>()
                .is_ok_and(|ip| ip.is_loopback())
    }

    /// Scheme, host and port are the same.
    pub(crate) fn same_origin(&self, other: &Address<'_>) -> bool {
        self.https == other.https
            && self.port == other.port
            && self.host.eq_ignore_ascii_case(other.host)
    }

    /// Where a `Location` points, seen from here.
    pub(crate) fn join(&self, location: &str) -> String {
        let scheme = if self.https { "https:" } else { "http:" };
        let scheme_of = location.split([':', '/', '?', '#']).next().unwrap_or("");
        if location[scheme_of.len()..].starts_with(':') {
            return location.to_owned();
        }
        if location.starts_with("//") {
            return format!("{scheme}{location}");
        }
        let path = self.rest.split('?').next().unwrap_or("");
        let base = if location.starts_with('/') {
            ""
        } else if location.is_empty() || location.starts_with('#') {
            self.rest
        } else if location.starts_with('?') {
            path
        } else {
            path.rfind('/').map_or("/", |slash| &path[..=slash])
        };
        format!("{scheme}//{}:{}{base}{location}", self.host, self.port)
    }

    /// The host and path, for a message: the query may hold a secret.
    pub(crate) fn without_query(&self) -> String {
        let path = self.rest.split('?').next().unwrap_or("");
        format!("{}{path}", self.host)
    }
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
    fn encodes_all_but_the_unreserved_and_the_comma() {
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
    fn paths_stay_below_their_host() {
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

    #[test]
    fn takes_addresses_apart() {
        let address = Address::parse("HTTPS://Graph.example:8443/a/b?c=d#e").unwrap();
        assert!(address.https);
        assert_eq!(
            (address.host, address.port, address.rest),
            ("Graph.example", 8443, "/a/b?c=d")
        );
        assert_eq!(Address::parse("https://h").unwrap().port, 443);
        assert_eq!(Address::parse("http://[::1]:99/x").unwrap().port, 99);
        for bad in [
            "ftp://h/",
            "https://",
            "https:///x",
            "https://u@h/",
            "https://h:/",
            "https://h:x/",
            "https://h:99999/",
            "https://h/ ",
            "https://h/\r\n",
            "https://hé/",
            "https://h\\x/",
            "http://example.com/",
            "http://[::2]/",
            "http://127.evil.example/",
            "https://[::1",
            "https://[h",
            "https://[h]/",
            "https://[]/",
            "https://h]/",
            "https://[::1]x/",
            "https://h:+1/",
            "https://h:0/",
            "https://other.3/",
            "https://2130706433/",
            "https://127.1/",
            "https://a.0x7F/",
            "https://127.0.0.1./",
            "",
            "é",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
        for good in [
            "http://localhost/",
            "http://127.0.0.1:8080",
            "http://127.9.9.9/",
            "http://[::1]/",
            "https://1.2.3.4/",
            "https://[2001:db8::1]/",
            "https://a.b3.x3c/",
        ] {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn joins_locations() {
        let from = Address::parse("https://h:444/a/b?c").unwrap();
        for (location, to) in [
            ("https://x/y", "https://x/y"),
            ("//x/y", "https://x/y"),
            ("/y?z", "https://h:444/y?z"),
            ("?z", "https://h:444/a/b?z"),
            ("y", "https://h:444/a/y"),
            ("/y?z=ftp://x", "https://h:444/y?z=ftp://x"),
            ("?z=ftp://x", "https://h:444/a/b?z=ftp://x"),
            ("/y?z=https://x/", "https://h:444/y?z=https://x/"),
            ("mailto:x", "mailto:x"),
            ("", "https://h:444/a/b?c"),
            ("#d", "https://h:444/a/b?c#d"),
        ] {
            assert_eq!(from.join(location), to);
        }
    }
}
