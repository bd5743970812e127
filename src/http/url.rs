//! URLs: repairing, parsing, comparing and resolving.

use super::query::encode;
use crate::error::{Error, Result};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest URL that is sent, in bytes.
pub(crate) const MAX_URL_BYTES: usize = 32 * 1024;

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

/// A URL or relative reference of a server or a person, as browsers send it: by the rules of
/// the URL standard (<https://url.spec.whatwg.org>), section 4.4, "basic URL parser". White
/// space around it, tabs and line ends are removed, `\` in the path is `/`, and what a URL
/// must not contain is percent-encoded as UTF-8. There is no fragment: it is never sent.
///
/// A valid URL without a fragment stays as it is, `'` in its query included. What must not be
/// in a host is encoded too, and then refused by [`Url::parse`]. That sees what is sent, so no
/// repair leads to a host that was not checked.
pub(crate) fn repaired(text: &str) -> String {
    let text = without_fragment(text.trim_matches(|c| c <= ' '));
    let mut out = String::with_capacity(text.len());
    let mut in_query = false;
    for c in text.chars() {
        in_query |= c == '?';
        match c {
            '\t' | '\n' | '\r' => {}
            '\\' if !in_query => out.push('/'),
            _ if is_encoded(c, in_query) => encode(&mut out, c.encode_utf8(&mut [0; 4])),
            _ => out.push(c),
        }
    }
    out
}

fn is_encoded(c: char, in_query: bool) -> bool {
    match c {
        '"' | '<' | '>' => true,
        '^' | '`' | '{' | '}' => !in_query,
        _ => !c.is_ascii_graphic(),
    }
}

fn without_fragment(url: &str) -> &str {
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
        let scheme = |scheme: &str| {
            let (start, after) = text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(after)
        };
        let (https, after) = match (scheme("https://"), scheme("http://")) {
            (Some(after), _) => (true, after),
            (_, Some(after)) => (false, after),
            _ => return Err("it does not start with https:// or http://"),
        };
        let after = without_fragment(after);
        let (authority, rest) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
        if authority.contains('@') {
            return Err("it contains a user name or password, which mingram does not send");
        }
        let end = match authority.starts_with('[') {
            true => authority.find(']').map(|bracket| bracket + 1),
            false => authority.find(':'),
        };
        let (host, port) = authority.split_at(end.unwrap_or(authority.len()));
        check_host(host)?;
        let url = Url {
            https,
            host,
            port: parse_port(port, https)?,
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

    /// The path and query of a request line, which begin with a slash.
    pub(super) fn target(&self) -> String {
        let slash = if self.rest.starts_with('/') { "" } else { "/" };
        format!("{slash}{}", self.rest)
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

fn check_host(host: &str) -> Result<(), &'static str> {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    match in_brackets(host) {
        Some(ip) if ip.parse::<Ipv6Addr>().is_ok() => Ok(()),
        None if host.is_empty() || !host.bytes().all(of_name) => {
            Err("its host is not a valid host name in ASCII")
        }
        None if !ends_in_number(host) || host.parse::<Ipv4Addr>().is_ok() => Ok(()),
        _ => Err("its host is a number but not a complete IP address"),
    }
}

/// The port: empty, or digits after a colon.
fn parse_port(text: &str, https: bool) -> Result<u16, &'static str> {
    let port = match text.strip_prefix(':') {
        None if text.is_empty() => return Ok(if https { 443 } else { 80 }),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse(),
        _ => Ok(0),
    };
    match port {
        Ok(port @ 1..) => Ok(port),
        _ => Err("its port is not a number from 1 to 65535"),
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
        assert_eq!(Url::parse("http://localhost").unwrap().port, 80);
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
    fn says_what_is_wrong() {
        for (text, problem) in [
            ("https://user:secret@h/", "a user name or password"),
            ("https://user@h:8443/", "a user name or password"),
            ("https://h:a@b:1/", "a user name or password"),
            ("https://h:80x/", "its port is not a number"),
            ("https://b%C3%BCcher.example/", "a valid host name in ASCII"),
            ("https://h/a@b:c", ""),
        ] {
            let found = Url::parse(text).err().unwrap_or_default();
            assert!(found.contains(problem), "{text}: {found}");
            assert!(!found.contains("secret"));
            assert_eq!(found.is_empty(), problem.is_empty(), "{text}");
        }
    }

    #[test]
    fn repairs_as_browsers_do() {
        for (text, wanted) in [
            // Valid ones stay as they are.
            (
                "https://h/a;b,c/(d)!$&'*+=:@~?e='f'/?[g]|h#i",
                "https://h/a;b,c/(d)!$&'*+=:@~?e='f'/?[g]|h",
            ),
            ("https://h/%20%zz%", "https://h/%20%zz%"),
            ("/a|b[c]", "/a|b[c]"),
            ("", ""),
            // White space around it, and inside of it.
            (" \t\u{b}\0https://h/a b\n", "https://h/a%20b"),
            ("ht\ntps://h/a\r\nb\tc?d\ne", "https://h/abc?de"),
            // What a path and a query must not contain.
            (r#"/a"b<c>d`e{f}g^h"#, "/a%22b%3Cc%3Ed%60e%7Bf%7Dg%5Eh"),
            (r#"?a"b<c>d`e{f}g^h"#, "?a%22b%3Cc%3Ed`e{f}g^h"),
            ("/é?ü=€ 😀#ä", "/%C3%A9?%C3%BC=%E2%82%AC%20%F0%9F%98%80"),
            ("/a\0b\u{7f}c\u{a0}", "/a%00b%7Fc%C2%A0"),
            // A backslash is a slash before the query.
            (r"https:\\h\a\..\b?c\d", r"https://h/a/../b?c\d"),
            (r"\\evil.example\x", "//evil.example/x"),
            (r"https://h\@evil.example/", "https://h/@evil.example/"),
            // In a host it is refused later.
            ("https://h é/a", "https://h%20%C3%A9/a"),
        ] {
            assert_eq!(repaired(text), wanted, "{text:?}");
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
