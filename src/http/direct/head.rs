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
    let (name, value) = (line[..colon].trim_ascii_end(), &line[colon + 1..]);
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if name.is_empty() || !name.iter().all(of_name) || !is_text(value) {
        return None;
    }
    Some((text(name), text(value.trim_ascii())))
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
