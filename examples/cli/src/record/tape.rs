//! Keeps the exchanges of the calls, and writes them as fixtures.

use super::scrub::Scrub;
use crate::dates;
use mingram::transport::{Method, Request, Response, Transport};
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// A transport around a transport that keeps what passes through.
pub struct Recorder<T> {
    pub inner: T,
    pub tape: Arc<Tape>,
}

impl<T: Transport> Transport for Recorder<T> {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        let mut response = self.inner.send(request)?;
        // Fixtures are text. What cannot be decoded is not kept; mingram says why.
        let is_text = response.decode().is_ok();
        let mut body = Vec::new();
        response
            .body
            .by_ref()
            .take(MAX_BYTES)
            .read_to_end(&mut body)
            .map_err(mingram::Error::of_body)?;
        // A truncated reply is not kept; mingram sees that it is short.
        let whole = response
            .length()
            .is_none_or(|length| length == body.len() as u64);
        if is_text && whole && (body.len() as u64) < MAX_BYTES {
            self.tape.add(request, &response, &body);
        }
        let rest = std::mem::replace(&mut response.body, Box::new(std::io::empty()));
        response.body = Box::new(std::io::Cursor::new(body).chain(rest));
        Ok(response)
    }
}

/// The size limit of a reply, in bytes.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The exchanges so far, in order.
#[derive(Default)]
pub struct Tape(Mutex<(String, Vec<Exchange>)>);

pub struct Exchange {
    pub name: String,
    method: Method,
    /// Path and query.
    target: String,
    pub status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Tape {
    /// What comes from now on belongs to this call.
    pub fn begin(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = name.to_owned();
    }

    pub fn take(&self) -> Vec<Exchange> {
        let mut tape = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut tape.1)
    }

    fn add(&self, request: &Request<'_>, response: &Response, body: &[u8]) {
        let mut tape = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let call = tape.0.clone();
        let name = |attempt: usize| match attempt {
            1 => call.clone(),
            _ => format!("{call}-attempt-{attempt}"),
        };
        // A retry or a redirect is an exchange of the same call.
        let taken = |name: &String| tape.1.iter().any(|exchange| exchange.name == *name);
        let name = (1..).map(name).find(|name| !taken(name));
        let start = request.url.find("://").map_or(0, |scheme| scheme + 3);
        let path = request.url[start..].find('/').unwrap_or_default();
        let exchange = Exchange {
            name: name.unwrap_or_default(),
            method: request.method,
            target: request.url[start + path..].to_owned(),
            status: response.status,
            headers: response.headers.clone(),
            body: String::from_utf8_lossy(body).into_owned(),
        };
        tape.1.push(exchange);
    }
}

impl Exchange {
    /// The version of the API: that of the request, or else the one in the reply's headers.
    fn version(&self) -> String {
        let first = self.target.split('/').nth(1).unwrap_or_default();
        let of_reply = self.headers.iter().find(|(name, _)| {
            name.eq_ignore_ascii_case("instagram-api-version")
                || name.eq_ignore_ascii_case("facebook-api-version")
        });
        match (is_version(first), of_reply) {
            (true, _) => format!("API {first}"),
            (false, Some((_, version))) if is_version(version) => {
                format!("API {version} (no version in the request)")
            }
            _ => "no API version".to_owned(),
        }
    }

    /// As a fixture: comments, the request line, an empty line, and the reply.
    pub fn file(&self, scrub: &mut Scrub, now: SystemTime) -> String {
        let target = scrub.target(&self.target);
        let body = scrub.body(&self.body);
        let mut file = format!(
            "# Recorded {} from graph.instagram.com, {}.\n{} https://graph.instagram.com{target}\n\nHTTP/1.1 {} {}\r\n",
            dates::day(now),
            self.version(),
            self.method.as_str(),
            self.status,
            reason(self.status)
        );
        for (name, value) in &self.headers {
            if let Some(value) = scrub.header(name, value) {
                file += &format!("{}: {value}\r\n", header_case(name));
            }
        }
        file += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        file
    }
}

/// `content-type` as `Content-Type`.
fn header_case(name: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// The reason phrases of the statuses that the service is known to send.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

/// `v25.0`
fn is_version(text: &str) -> bool {
    text.strip_prefix('v').is_some_and(|number| {
        number.starts_with(|c: char| c.is_ascii_digit())
            && number
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}
