//! The head of a request and of a reply (RFC 9112).

use super::failure::{WAITING, failed};
use super::pool::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::http::transport::{MAX_HEAD_BYTES, Request};
use crate::http::url::Url;
use std::io::{self, BufRead, Read};

/// The maximum number of interim (1xx) responses before the response itself.
const MAX_INTERIM: usize = 8;

/// The request as bytes.
pub(super) fn request(request: &Request<'_>, url: &Url<'_>) -> Vec<u8> {
    let mut out = format!(
        "{} {} HTTP/1.1\r\nHost: {}",
        request.method.as_str(),
        url.target(),
        url.host
    );
    if url.port != if url.https { 443 } else { 80 } {
        out += &format!(":{}", url.port);
    }
    for (name, value) in request.headers {
        out += &format!("\r\n{name}: {value}");
    }
    if let Some(body) = request.body {
        out += &format!("\r\nContent-Length: {}", body.len());
    }
    out += "\r\n\r\n";
    out += request.body.unwrap_or_default();
    out.into_bytes()
}

pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// The server keeps the connection open after the body.
    pub(super) reusable: bool,
}

/// Reads the head of the response. Skips interim responses.
pub(super) fn read(connection: &mut Connection) -> Result<Head> {
    let mut room = MAX_HEAD_BYTES;
    for _ in 0..=MAX_INTERIM {
        match read_one(connection, &mut room)? {
            Head { status: 101, .. } => break,
            Head {
                status: 100..=199, ..
            } => {}
            head => return Ok(head),
        }
    }
    Err(malformed(
        "the server sent too many interim (1xx) responses, or switched protocols",
    ))
}

fn malformed(message: &str) -> Error {
    Error::new(ErrorKind::Malformed, message)
}

fn not_http() -> Error {
    malformed("the reply is not valid HTTP")
}

fn read_one(reader: &mut impl BufRead, room: &mut usize) -> Result<Head> {
    const START: &[u8] = b"HTTP/1.";
    let lost = |error| failed(error, WAITING);
    // Another protocol may send no line end.
    let start = reader.fill_buf().map_err(lost)?;
    if !start.starts_with(&START[..start.len().min(START.len())]) {
        return Err(not_http());
    }
    let mut line = Vec::new();
    let mut next = |line: &mut Vec<u8>| match read_line(reader, line, room) {
        Ok(true) => {
            // In the head a line may also end in a bare LF.
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            Ok(())
        }
        Ok(false) => Err(too_large()),
        Err(error) => Err(lost(error)),
    };
    next(&mut line)?;
    let (minor, status) = status_line(&line).ok_or_else(not_http)?;
    if !(100..600).contains(&status) {
        return Err(malformed("the reply's status is not a valid HTTP status"));
    }
    let mut head = Head {
        status,
        headers: Vec::new(),
        reusable: minor == b'1',
    };
    loop {
        next(&mut line)?;
        if line.is_empty() {
            return Ok(head);
        }
        let (name, value) = header(&line).ok_or_else(not_http)?;
        if name.eq_ignore_ascii_case("connection") {
            let mut words = value.split(',');
            head.reusable &= !words.any(|word| word.trim_ascii().eq_ignore_ascii_case("close"));
        }
        head.headers.push((name, value));
    }
}

/// The minor version and the status of `HTTP/1.1 200 OK`.
fn status_line(line: &[u8]) -> Option<(u8, u16)> {
    let line = line.strip_prefix(b"HTTP/1.")?;
    let (&minor @ (b'0' | b'1'), line) = line.split_first()? else {
        return None;
    };
    let (status, reason) = line.strip_prefix(b" ")?.split_at_checked(3)?;
    if !(status.iter().all(u8::is_ascii_digit) && matches!(reason.first(), None | Some(b' '))) {
        return None;
    }
    let digit = |at: usize| u16::from(status[at] - b'0');
    is_text(reason).then_some((minor, digit(0) * 100 + digit(1) * 10 + digit(2)))
}

/// Name and value of a header. White space between the name and the colon is removed, as a
/// proxy must (RFC 9112, section 5.1), so that it makes no difference whether there is one.
/// A name contains none, so a folded line is refused.
fn header(line: &[u8]) -> Option<(String, String)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (without_blanks(&line[..colon]), &line[colon + 1..]);
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if name.is_empty() || !name.iter().all(of_name) || !is_text(value) {
        return None;
    }
    Some((text(name), text(value.trim_ascii())))
}

/// Without spaces and tabs at its end, the white space of HTTP (RFC 9110, section 5.6.3).
pub(super) fn without_blanks(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !b" \t".contains(byte));
    &bytes[..end.map_or(0, |last| last + 1)]
}

/// No control characters except tabs.
fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    !bytes.iter().any(control)
}

/// UTF-8, or else Latin-1, the older encoding of HTTP headers.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

pub(super) fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "the reply's headers exceed 64 KiB")
}

/// Reads a line without its LF and subtracts its length from `room`. Returns false
/// if it does not fit.
pub(super) fn read_line(
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
    room: &mut usize,
) -> io::Result<bool> {
    line.clear();
    let length = reader.take(*room as u64).read_until(b'\n', line)?;
    *room -= length;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(true);
    }
    match *room {
        0 => Ok(false),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::transport::Method;

    fn parse(bytes: &[u8]) -> Result<Head> {
        read_one(&mut &bytes[..], &mut { MAX_HEAD_BYTES })
    }

    /// Every byte in every place of a status line. What is read is what it says.
    #[test]
    fn every_byte_of_a_status_line() {
        let good = b"HTTP/1.1 207 Ok\r\n\r\n";
        let line = good.len() - 4;
        for at in 0..line {
            for byte in 0..=255_u8 {
                if byte == b'\n' {
                    // A shorter line, and another one.
                    continue;
                }
                let mut bytes = good.to_vec();
                bytes[at] = byte;
                let digits = &bytes[9..12];
                let is_text = |byte: u8| byte == b'\t' || !matches!(byte, 0..32 | 127);
                let accepted = match at {
                    7 => matches!(byte, b'0' | b'1'),
                    9 => matches!(byte, b'1'..=b'5'),
                    10 | 11 => byte.is_ascii_digit(),
                    13.. => is_text(byte),
                    _ => byte == good[at],
                };
                let read = parse(&bytes);
                let shown = String::from_utf8_lossy(&bytes).into_owned();
                assert_eq!(read.is_ok(), accepted, "{at} {byte}: {shown}");
                if let Ok(head) = read {
                    let status: u16 = std::str::from_utf8(digits).unwrap().parse().unwrap();
                    assert_eq!(head.status, status, "{shown}");
                    assert_eq!(head.reusable, bytes[7] == b'1', "{shown}");
                }
            }
        }
    }

    /// Every byte in a header's name and value, at each end and inside.
    #[test]
    fn every_byte_of_a_header() {
        for byte in (0..=255_u8).filter(|&byte| byte != b'\n') {
            let header = |line: &[u8]| {
                let bytes = [b"HTTP/1.1 200 OK\r\n", line, b"\r\n\r\n"].concat();
                parse(&bytes).map(|head| head.headers).ok()
            };
            let of_name = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            let lines: [(&[u8], &[u8]); 3] = [(b"", b"ame: v"), (b"n", b"me: v"), (b"nam", b": v")];
            for (before, after) in lines {
                let line = [before, &[byte], after].concat();
                let blank_end = before == b"nam" && matches!(byte, b' ' | b'\t');
                match header(&line) {
                    Some(headers) if byte == b':' => {
                        assert!(!before.is_empty());
                        assert_eq!(headers[0].0.as_bytes(), before);
                    }
                    Some(headers) => {
                        assert!(of_name || blank_end, "{byte}");
                        let name = line.split(|&byte| byte == b':').next().unwrap();
                        assert_eq!(headers[0].0.as_bytes(), name.trim_ascii_end());
                    }
                    None => assert!(!of_name && !blank_end && (byte != b':' || before.is_empty())),
                }
            }
            let is_text = byte == b'\t' || !matches!(byte, 0..32 | 127);
            let headers = header(&[b"n:a", &[byte][..], b"b"].concat());
            // Alone it is no UTF-8, and so Latin-1.
            let wanted = vec![("n".to_owned(), format!("a{}b", char::from(byte)))];
            assert_eq!(headers, is_text.then_some(wanted), "{byte}");
        }
    }

    /// Whether the connection is kept.
    #[test]
    fn the_header_connection() {
        for (version, value, reusable) in [
            ("1.1", None, true),
            ("1.0", None, false),
            ("1.1", Some("keep-alive"), true),
            ("1.0", Some("keep-alive"), false),
            ("1.1", Some("close"), false),
            ("1.1", Some("CLOSE"), false),
            ("1.1", Some("Keep-Alive,\t close "), false),
            ("1.1", Some("close, upgrade"), false),
            ("1.1", Some("closed"), true),
            ("1.1", Some("not-close"), true),
        ] {
            let header = value.map_or(String::new(), |value| format!("CONNECTION:{value}\r\n"));
            let head = parse(format!("HTTP/{version} 200 OK\r\n{header}\r\n").as_bytes());
            assert_eq!(head.unwrap().reusable, reusable, "{version} {value:?}");
        }
        let twice = b"HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: x\r\n\r\n";
        assert!(!parse(twice).unwrap().reusable);
    }

    /// A head may have 64 KiB, to the byte.
    #[test]
    fn the_largest_head() {
        for (length, fits) in [
            (MAX_HEAD_BYTES, true),
            (MAX_HEAD_BYTES + 1, false),
            (MAX_HEAD_BYTES + 2, false),
        ] {
            let mut bytes = b"HTTP/1.1 200 OK\r\nA: ".to_vec();
            bytes.resize(length - 4, b'a');
            bytes.extend(b"\r\n\r\n");
            match parse(&bytes) {
                Ok(head) => {
                    assert!(fits);
                    assert_eq!(head.headers[0].1.len(), length - 24);
                }
                Err(error) => {
                    assert!(!fits, "{error}");
                    assert_eq!(error.kind(), ErrorKind::TooLarge);
                }
            }
        }
    }

    /// The port is in `Host` unless it is the scheme's own.
    #[test]
    fn requests() {
        for (url, line, host) in [
            ("https://h.example/a?b=c", "/a?b=c", "h.example"),
            ("https://h.example:443/a", "/a", "h.example"),
            ("https://h.example:80/a", "/a", "h.example:80"),
            ("https://h.example:8443", "/", "h.example:8443"),
            ("https://h.example?b", "/?b", "h.example"),
            ("https://[2001:db8::1]:444/", "/", "[2001:db8::1]:444"),
            ("http://127.0.0.1/", "/", "127.0.0.1"),
            ("http://127.0.0.1:80/", "/", "127.0.0.1"),
            ("http://127.0.0.1:443/", "/", "127.0.0.1:443"),
            ("http://localhost:1/", "/", "localhost:1"),
        ] {
            let parsed = Url::parse(url).unwrap();
            let headers = [("X-One", "1"), ("X-Two", "2")];
            let mut get = Request::new(Method::Get, url);
            get.headers = &headers;
            let wanted = format!("{line} HTTP/1.1\r\nHost: {host}\r\nX-One: 1\r\nX-Two: 2\r\n");
            let bytes = request(&get, &parsed);
            assert_eq!(bytes, format!("GET {wanted}\r\n").into_bytes(), "{url}");
            let mut post = get.clone();
            post.method = Method::Post;
            post.body = Some("d=é");
            let bytes = request(&post, &parsed);
            let wanted = format!("POST {wanted}Content-Length: 4\r\n\r\nd=é");
            assert_eq!(bytes, wanted.into_bytes(), "{url}");
        }
    }
}
