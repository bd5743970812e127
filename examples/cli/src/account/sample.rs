//! The built-in sample: an account whose replies and files are part of the program.

use mingram::transport::{Request, Response, Transport};
use mingram::{Api, Result};
use std::io::Cursor;

/// The account's id for the app, and its own.
pub const USER_ID: &str = "26441805393187218";
pub const ACCOUNT_ID: &str = "17841405793187218";

/// Stands for the access token in the recorded replies.
pub const TOKEN: &str = "IGQVJsample";

/// The replies of the service.
const REPLIES: [&[u8]; 3] = [
    include_bytes!("../../sample/me.http"),
    include_bytes!("../../sample/media-1.http"),
    include_bytes!("../../sample/media-2.http"),
];

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("../../sample/media/", $name)))),*]
    };
}

/// The pictures and the video, painted by `sample/paint.py`.
const FILES: &[(&str, &[u8])] = files! {
    "arches.webp" "aurora.webp" "city.webp" "dunes.jpg" "harbour.webp" "island-1.webp"
    "island-2.webp" "island-3.webp" "island-4.webp" "leaves.webp" "moonrise.webp" "pines.webp"
    "portrait.png" "terraces.webp" "tide.mp4" "tide.webp" "volcano.webp"
};

/// Whether a media with this id is part of the sample.
pub fn contains(id: &str) -> bool {
    let key = format!("\"id\":\"{id}\"");
    REPLIES
        .iter()
        .any(|reply| reply.windows(key.len()).any(|part| part == key.as_bytes()))
}

/// An `Api` that reads the sample. Needs neither a network nor a token.
pub fn api() -> Api {
    Api::new(TOKEN).with_transport(Sample)
}

/// Answers from the sample. Ignores which fields are requested and how many items, so that
/// every command can use it.
struct Sample;

impl Transport for Sample {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let (path, query) = request.url.split_once('?').unwrap_or((request.url, ""));
        let reply = REPLIES.iter().find_map(|exchange| {
            let (head, reply) = split(exchange, b"\n\n")?;
            let url = std::str::from_utf8(head).ok()?.strip_prefix("GET ")?;
            let (recorded, parameters) = url.split_once('?')?;
            let same = recorded == path && after(parameters) == after(query);
            same.then_some(reply)
        });
        if let Some(reply) = reply {
            return Ok(parse(reply));
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        Ok(match FILES.iter().find(|(file, _)| *file == name) {
            Some(&(_, bytes)) => response(200, "application/octet-stream", bytes),
            None => response(404, "text/plain", b"not part of the sample"),
        })
    }
}

/// The cursor in a query.
fn after(query: &str) -> Option<&str> {
    query
        .split('&')
        .find_map(|part| part.strip_prefix("after="))
}

fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut windows = bytes.windows(separator.len());
    let at = windows.position(|window| window == separator)?;
    Some((&bytes[..at], &bytes[at + separator.len()..]))
}

/// Reads a recorded reply: status line, headers, and the body after an empty line.
fn parse(reply: &'static [u8]) -> Response {
    let (head, body) = split(reply, b"\r\n\r\n").unwrap_or((reply, b""));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    Response::new(
        status.unwrap_or(200),
        headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        Cursor::new(body),
    )
}

fn response(status: u16, kind: &str, body: &'static [u8]) -> Response {
    Response::new(
        status,
        vec![
            ("Content-Type".to_owned(), kind.to_owned()),
            ("Content-Length".to_owned(), body.len().to_string()),
        ],
        Cursor::new(body),
    )
}
