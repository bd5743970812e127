//! URLs: parsing, comparing and resolving.

use crate::error::{Error, Result};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest URL that is sent, in bytes.
const MAX_URL_BYTES: usize = 32 * 1024;

/// Refuses a URL that is too long for servers.
pub(crate) fn check_length(url: &str) -> Result<()> {
    if url.len() > MAX_URL_BYTES {
        return Err(Error::invalid(format!(
            "the URL of this call would be {} bytes long, the limit is {MAX_URL_BYTES}: \
             shorten the id, cursor, fields or parameters",
            url.len()
        )));
    }
    Ok(())
}

/// The URL as it is sent. Fragments are never sent.
pub(crate) fn without_fragment(url: &str) -> &str {
    url.split('#').next().unwrap_or_default()
}

/// The query of a URL that a person copied, or of what is one already.
pub(crate) fn query_of(url: &str) -> &str {
    let url = without_fragment(url.trim_ascii());
    url.split_once('?').map_or(url, |(_, query)| query)
}

/// Whether resolvers would take this host for an IPv4 address: they accept
/// spellings like `127.1`, `2130706433` and `0x7f.1`. No domain name looks so.
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

/// The IPv6 address of a host that is one: in a URL it is in brackets.
pub(crate) fn in_brackets(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

/// The parts of an http or https URL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Url<'a> {
    pub(crate) https: bool,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// Path and query without the fragment: empty, or starting with `/` or `?`.
    pub(crate) rest: &'a str,
}

impl<'a> Url<'a> {
    /// Parses a URL, or returns what is wrong with it. Plain http is accepted for
    /// loopback hosts only. Anything that could alter the request is refused:
    /// control characters, spaces, user names and raw non-ASCII.
    pub(crate) fn parse(text: &'a str) -> Result<Url<'a>, &'static str> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it contains a space, a control character or unencoded non-ASCII text");
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
            return Err("it does not start with https:// or http://");
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
        match in_brackets(host) {
            Some(ip) if ip.parse::<Ipv6Addr>().is_ok() => {}
            None if host.is_empty() || !host.bytes().all(of_name) => {
                return Err("its host is not a valid host name");
            }
            None if !ends_in_number(host) || host.parse::<Ipv4Addr>().is_ok() => {}
            _ => return Err("its host is a number but not a complete IP address"),
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() && https => 443,
            None if port.is_empty() => 80,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().unwrap_or(0)
            }
            _ => 0,
        };
        if port == 0 {
            return Err("its port is not a number from 1 to 65535");
        }
        let url = Url {
            https,
            host,
            port,
            rest,
        };
        if !https && !url.is_loopback() {
            return Err(
                "plain http is not encrypted and is accepted for loopback hosts only: use https",
            );
        }
        Ok(url)
    }

    /// Whether the host is the local machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host == "[::1]"
            || self
                .host
                .parse::<Ipv4Addr>()
                .is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether scheme, host and port are equal.
    pub(crate) fn same_origin(&self, other: &Url<'_>) -> bool {
        self.https == other.https
            && self.port == other.port
            && self.host.eq_ignore_ascii_case(other.host)
    }

    /// Scheme and host, and the port unless it is the scheme's own.
    pub(super) fn origin(&self) -> String {
        let (scheme, own_port) = if self.https {
            ("https", 443)
        } else {
            ("http", 80)
        };
        match self.port == own_port {
            true => format!("{scheme}://{}", self.host),
            false => format!("{scheme}://{}:{}", self.host, self.port),
        }
    }

    /// Resolves a `Location` header against this URL (RFC 3986, section 5.2). It may be
    /// invalid or of another scheme.
    pub(crate) fn join(&self, location: &str) -> String {
        let end = location.find(['?', '#']).unwrap_or(location.len());
        let (path, tail) = location.split_at(end);
        let first = path.split('/').next().unwrap_or_default();
        let scheme = first.find(':').map_or(0, |colon| colon + 1);
        if let Some(after) = path[scheme..].strip_prefix("//") {
            let own = match (scheme, self.https) {
                (0, true) => "https:",
                (0, false) => "http:",
                _ => "",
            };
            let authority = path.len() - after.len() + after.find('/').unwrap_or(after.len());
            let (authority, path) = path.split_at(authority);
            return format!("{own}{authority}{}{tail}", without_dot_segments(path));
        }
        if scheme > 0 {
            return location.to_owned();
        }
        let base = self.rest.split('?').next().unwrap_or("");
        let path = match path {
            "" if tail.starts_with('?') => base.to_owned(),
            "" => self.rest.to_owned(),
            _ if path.starts_with('/') => without_dot_segments(path),
            _ => {
                let directory = base.rfind('/').map_or("/", |slash| &base[..=slash]);
                without_dot_segments(&format!("{directory}{path}"))
            }
        };
        format!("{}{path}{tail}", self.origin())
    }

    /// Host and path, for messages: the query may contain a secret.
    pub(crate) fn without_query(&self) -> String {
        let path = self.rest.split('?').next().unwrap_or("");
        format!("{}{path}", self.host)
    }
}

/// Removes `.` and `..` (RFC 3986, section 5.2.4) from a path that is empty or starts
/// with `/`.
fn without_dot_segments(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut is_directory = false;
    for segment in path.split('/').skip(1) {
        is_directory = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => out.truncate(out.rfind('/').unwrap_or(0)),
            _ => {
                out.push('/');
                out.push_str(segment);
            }
        }
    }
    if is_directory {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_urls() {
        let url = Url::parse("HTTPS://Graph.example:8443/a/b?c=d#e").unwrap();
        assert!(url.https);
        assert_eq!(
            (url.host, url.port, url.rest),
            ("Graph.example", 8443, "/a/b?c=d")
        );
        assert_eq!(Url::parse("https://h").unwrap().port, 443);
        assert_eq!(Url::parse("http://[::1]:99/x").unwrap().port, 99);
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
            assert!(Url::parse(bad).is_err(), "{bad}");
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
            assert!(Url::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn resolves_locations() {
        let from = Url::parse("https://h:444/a/b?c").unwrap();
        for (location, to) in [
            ("https://x/y", "https://x/y"),
            ("https://x", "https://x"),
            (
                "HTTPS://x:1/a/../b?c/../d#e/../f",
                "HTTPS://x:1/b?c/../d#e/../f",
            ),
            ("https://x?a/../b", "https://x?a/../b"),
            ("//x/y", "https://x/y"),
            ("//x/./y/..", "https://x/"),
            ("/y?z", "https://h:444/y?z"),
            ("?z", "https://h:444/a/b?z"),
            ("y", "https://h:444/a/y"),
            ("../b/./c.jpg", "https://h:444/b/c.jpg"),
            ("/a//../b/../../../..//c", "https://h:444//c"),
            ("/.a/..b/c./d../.", "https://h:444/.a/..b/c./d../"),
            ("/y?z=ftp://x", "https://h:444/y?z=ftp://x"),
            ("?z=ftp://x", "https://h:444/a/b?z=ftp://x"),
            ("/y?z=https://x/", "https://h:444/y?z=https://x/"),
            ("mailto:x/../y", "mailto:x/../y"),
            ("", "https://h:444/a/b?c"),
            ("#d", "https://h:444/a/b?c#d"),
        ] {
            assert_eq!(from.join(location), to, "{location}");
        }
        for (base, location, to) in [
            ("https://h", "y", "https://h/y"),
            ("https://h?c", "../y", "https://h/y"),
            ("https://h?c", "?d", "https://h?d"),
            ("https://h:443/a", "..", "https://h/"),
            ("http://[::1]:80/a", "./b", "http://[::1]/b"),
        ] {
            assert_eq!(
                Url::parse(base).unwrap().join(location),
                to,
                "{base} {location}"
            );
        }
    }

    /// All examples of RFC 3986, section 5.4.
    #[test]
    fn resolves_the_examples_of_the_rfc() {
        let base = Url {
            https: false,
            host: "a",
            port: 80,
            rest: "/b/c/d;p?q",
        };
        for (location, to) in [
            // 5.4.1, normal.
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"),
            ("g#s", "http://a/b/c/g#s"),
            ("g?y#s", "http://a/b/c/g?y#s"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y#s"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            // 5.4.2, abnormal.
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/./x", "http://a/b/c/g#s/./x"),
            ("g#s/../x", "http://a/b/c/g#s/../x"),
            // As a strict parser, which makes it an invalid URL.
            ("http:g", "http:g"),
        ] {
            assert_eq!(base.join(location), to, "{location}");
        }
    }
}
