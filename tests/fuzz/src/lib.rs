//! What the targets share: a transport that plays bytes, and what must hold of
//! every error.

use mingram::auth::App;
use mingram::transport::{Clock, Request, Response, Transport};
use mingram::{Api, Error};
use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// The token of the fixtures, so that the seeds hold it.
pub const TOKEN: &str = "IGQVJsample";
pub const SECRET: &str = "clientSecretOfTheSample";
pub const CODE: &str = "AQBcodeOfTheSample";
pub const BASE: &str = "https://graph.instagram.com";
pub const LOGIN: &str = "https://api.instagram.com";

/// What one request of a target was.
pub struct Asked {
    pub url: String,
    pub body: Option<String>,
}

/// Plays replies in turn, the last one from then on, and keeps what was asked.
#[derive(Clone)]
pub struct Player {
    replies: Arc<Vec<Vec<u8>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Player {
    pub fn new(replies: Vec<Vec<u8>>) -> Player {
        Player {
            replies: Arc::new(replies),
            asked: Arc::default(),
        }
    }

    /// One good reply with this body.
    pub fn body(body: &[u8]) -> Player {
        Player::new(vec![[b"HTTP/1.1 200 OK\n\n", body].concat()])
    }

    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    pub fn api(&self) -> Api {
        Api::new(TOKEN)
            .with_transport(self.clone())
            .with_clock(Still)
            .with_retries(1)
            .with_body_limit(64 * 1024)
    }
}

pub fn app() -> App {
    App::new("99", SECRET, "https://example.com/auth")
}

impl Transport for Player {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        let mut asked = self.asked.lock().unwrap();
        let turn = asked.len().min(self.replies.len() - 1);
        asked.push(Asked {
            url: request.url.to_owned(),
            body: request.body.map(str::to_owned),
        });
        Ok(response(&self.replies[turn]))
    }
}

/// Bytes as a reply: status line, headers, an empty line, the body. Anything
/// reads as something, so that no input is wasted. The word behind the status
/// says how the body ends: `reset`, `eof`, or `slow` for a byte at a time with
/// interruptions.
fn response(bytes: &[u8]) -> Response {
    let mut rest = bytes;
    let mut line = || {
        let end = rest.iter().position(|&byte| byte == b'\n');
        let (line, left) = match end {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &rest[..0]),
        };
        rest = left;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        String::from_utf8_lossy(line).into_owned()
    };
    let status_line = line();
    let mut words = status_line.split(' ').skip(1);
    let status = words
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(200);
    let ending = words.next().unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let line = line();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        headers.push((name.to_owned(), value.to_owned()));
    }
    Response::new(
        status,
        headers,
        Piece {
            bytes: rest.to_vec(),
            at: 0,
            reads: 0,
            ending,
        },
    )
}

struct Piece {
    bytes: Vec<u8>,
    at: usize,
    reads: usize,
    ending: String,
}

impl Read for Piece {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        let slow = self.ending == "slow";
        if slow && self.reads % 3 == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let left = &self.bytes[self.at..];
        if left.is_empty() {
            return match self.ending.as_str() {
                "reset" => Err(io::ErrorKind::ConnectionReset.into()),
                "eof" => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(0),
            };
        }
        let length = left.len().min(buf.len()).min(if slow { 1 } else { 4096 });
        buf[..length].copy_from_slice(&left[..length]);
        self.at += length;
        Ok(length)
    }
}

/// A clock that does not wait.
struct Still;

impl Clock for Still {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn sleep(&self, time: Duration) {
        assert!(time <= Duration::from_secs(8), "a wait of {time:?}");
    }
}

/// One line, and no secret in it or in what caused it.
pub fn check_error(error: &Error) {
    let line = error.to_string();
    assert!(
        !line.is_empty() && !line.contains(char::is_control),
        "{line:?}"
    );
    let mut shown = format!("{line} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        shown.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    let decoded = percent_encoding::percent_decode_str(&shown).decode_utf8_lossy();
    for secret in [TOKEN, SECRET, CODE] {
        assert!(
            !shown.contains(secret) && !decoded.contains(secret),
            "a secret is in {shown}"
        );
    }
}
