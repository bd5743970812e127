//! A transport that plays recorded exchanges, for tests without a network.

use super::coding::{codings, remove_coding};
use super::query::{decode, pairs};
use super::transport::{Request, Response, Transport};
use super::url::Url;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use std::fmt;
use std::fs;
use std::io::{self, Cursor, Read};
use std::path::{MAIN_SEPARATOR_STR, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// Parameters that are not compared: secrets, which no fixture should contain.
const IGNORED: &[&str] = &["access_token", "client_secret", "appsecret_proof"];

/// The parameters that a request must have if they are `*` in a fixture: without one, another
/// page is requested.
const POSITIONS: &[&str] = &["after", "before", "since", "until"];

/// A transport that plays recorded exchanges instead of sending requests, to test your
/// own program without a network, an account or a server.
///
/// ```
/// use mingram::transport::Replay;
/// use mingram::{Api, MediaField};
///
/// # fn main() -> mingram::Result<()> {
/// let replay = Replay::new().with_directory("fixtures/feed")?;
/// let api = Api::new("any-token").with_transport(replay.clone());
///
/// let me = api.me(mingram::UserField::BASIC)?;
/// let media = api.my_media(MediaField::WITH_CHILDREN).page_size(4);
/// assert_eq!(me.media_count, Some(media.into_iter().count() as u64));
/// assert!(replay.unused().is_empty());
/// # Ok(()) }
/// ```
///
/// # Which exchange is played
///
/// The one with the same method, scheme, host, port, path and parameters, in the query or
/// in a form. The order of parameters is ignored, and so are `access_token`,
/// `client_secret`, `appsecret_proof` and the request's headers. A parameter that is `*` in
/// the fixture matches any value, and unless it is a cursor or time (`after`, `before`,
/// `since`, `until`) also a request without it; `*=*` matches any other parameters. A part of
/// the path that is `*` matches any other part. A request to a loopback address also matches an exchange with
/// graph.instagram.com, or with api.instagram.com if it exchanges a code. Each exchange is played once unless
/// [`repeating`](Replay::repeating) is set. If several match, those with the same path
/// and as many parameters come first; among them, they are played in the order in which they
/// were added.
///
/// If none is left, the call fails with
/// [`InvalidInput`](crate::ErrorKind::InvalidInput). The message names the request and the
/// most similar exchange.
///
/// Replies are played as they are, including errors and truncated bodies, but without the
/// `Date` of the recording, which would date new tokens. To receive a
/// [transient](crate::Error::is_transient) error, set
/// [`with_retries(0)`](crate::Api::with_retries), or add an exchange for each retry.
///
/// # Fixture files
///
/// One exchange per file: comment lines that start with `#`, then the request, an empty
/// line, and the reply as `curl -i` prints it. A `POST` has its form on the line after the
/// request line. Lines end in LF or CRLF.
///
/// [`Record`](crate::transport::Record) writes such files.
///
/// ```text
/// # Recorded 2026-11-23, without a version.
/// GET https://graph.instagram.com/me?fields=id,username
///
/// HTTP/1.1 200 OK
/// Content-Type: application/json
///
/// {"id":"17841405793187218","username":"jayposiris"}
/// ```
///
/// `Content-Length` may be omitted, except for downloads, whose length must be known. If the
/// headers name a compression but the body is text, as `curl -i --compressed` prints it, the
/// body is taken as decoded, and `Content-Encoding` and `Content-Length` are ignored.
///
/// Clones share their exchanges and what was played.
#[derive(Clone, Default)]
pub struct Replay(Arc<Mutex<Recording>>);

#[derive(Default)]
struct Recording {
    exchanges: Vec<Exchange>,
    repeating: bool,
}

struct Exchange {
    name: String,
    /// Its number in a recording, or 0.
    number: usize,
    target: Target,
    status: u16,
    headers: Vec<(String, String)>,
    /// The file, and where the body starts in it.
    file: Arc<[u8]>,
    body: u64,
    played: bool,
}

impl Replay {
    /// Creates a replay without exchanges.
    pub fn new() -> Replay {
        Replay::default()
    }

    /// Adds every file in this directory and its subdirectories whose name ends in
    /// `.http`, sorted by path. Those of a [recording](crate::transport::Record) are in the order
    /// in which they were recorded. An exchange is named by its path in the directory, without
    /// the ending.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if something cannot be read;
    /// [`InvalidInput`](ErrorKind::InvalidInput) if a file is not a fixture, or if there is
    /// none.
    pub fn with_directory(mut self, path: impl AsRef<Path>) -> Result<Replay> {
        let path = path.as_ref();
        let mut files = Vec::new();
        find_fixtures(path, &mut files).map_err(|error| unreadable(path, error))?;
        if files.is_empty() {
            let path = path.display();
            return Err(Error::invalid(format!("{path} has no file named *.http")));
        }
        files.sort();
        let first = self.recording().exchanges.len();
        for file in files {
            let name = file.strip_prefix(path).unwrap_or(&file);
            self = self.with_named_file(name, &file)?;
        }
        self.recording().exchanges[first..].sort_by(|a, b| a.place().cmp(&b.place()));
        Ok(self)
    }

    /// Adds a fixture file. The exchange is named by this path, without the ending.
    ///
    /// # Errors
    ///
    /// As for [`with_directory`](Replay::with_directory).
    pub fn with_file(self, path: impl AsRef<Path>) -> Result<Replay> {
        self.with_named_file(path.as_ref(), path.as_ref())
    }

    fn with_named_file(self, name: &Path, path: &Path) -> Result<Replay> {
        let file = fs::read(path).map_err(|error| unreadable(path, error))?;
        let name = name.with_extension("").to_string_lossy().into_owned();
        self.with_exchange(&name.replace(MAIN_SEPARATOR_STR, "/"), file)
    }

    /// Adds an exchange: the content of a fixture file, for example from `include_str!` or
    /// `include_bytes!`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) if it is not a fixture.
    pub fn with_exchange(self, name: &str, file: impl Into<Vec<u8>>) -> Result<Replay> {
        let exchange = Exchange::parse(name, file.into()).map_err(|problem| {
            Error::invalid(format!("the fixture {name} is invalid: {problem}"))
        })?;
        self.recording().exchanges.push(exchange);
        Ok(self)
    }

    /// Plays exchanges any number of times. If several match, each is played once and then
    /// the last of them again. Default: each is played once.
    #[must_use]
    pub fn repeating(self) -> Replay {
        self.recording().repeating = true;
        self
    }

    /// The names of the exchanges that were not played, in the order in which they were
    /// added.
    pub fn unused(&self) -> Vec<String> {
        let recording = self.recording();
        let exchanges = recording.exchanges.iter();
        let unused = exchanges.filter(|exchange| !exchange.played);
        unused.map(|exchange| exchange.name.clone()).collect()
    }

    fn recording(&self) -> MutexGuard<'_, Recording> {
        lock(&self.0)
    }
}

impl Transport for Replay {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let form = request.body.unwrap_or_default();
        let target =
            Target::new(request.method.as_str(), request.url, form).map_err(Error::invalid)?;
        let mut recording = self.recording();
        let repeating = recording.repeating;
        let matching = recording.exchanges.iter();
        let ranks = matching.filter_map(|exchange| exchange.target.rank(&target));
        let best = ranks.min();
        let exchanges = recording.exchanges.iter_mut();
        let mut matching =
            exchanges.filter(|exchange| best.is_some() && exchange.target.rank(&target) == best);
        let Some(mut last) = matching.next() else {
            drop(matching);
            return Err(recording.no_match(&target));
        };
        while last.played {
            match matching.next() {
                Some(next) => last = next,
                None if repeating => break,
                None => {
                    let name = &last.name;
                    return Err(Error::invalid(format!(
                        "{target} is recorded as {name}, which was played already: record it again or use `repeating`"
                    )));
                }
            }
        }
        last.played = true;
        Ok(last.response())
    }
}

/// Omits the exchanges, which may contain secrets.
impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recording = self.recording();
        f.debug_struct("Replay")
            .field("exchanges", &recording.exchanges.len())
            .field("repeating", &recording.repeating)
            .finish_non_exhaustive()
    }
}

impl Recording {
    fn no_match(&self, target: &Target) -> Error {
        let exchanges = self.exchanges.iter();
        let nearest = exchanges.max_by_key(|exchange| exchange.target.likeness(target));
        let mut message = format!("no recorded exchange matches {target}");
        if let Some(Exchange { name, target, .. }) = nearest {
            message.push_str(&format!("; the most similar is {name}: {target}"));
        }
        Error::invalid(message)
    }
}

impl Exchange {
    /// The directory, and the place in its recording.
    fn place(&self) -> (&str, usize) {
        let directory = self.name.rsplit_once('/').map_or("", |(path, _)| path);
        (directory, self.number)
    }

    /// Parses a fixture, or returns what is wrong with it.
    fn parse(name: &str, file: Vec<u8>) -> Result<Exchange, &'static str> {
        let mut rest = file.as_slice();
        let mut number = 0;
        let mut line = next_line(&mut rest).unwrap_or_default();
        while let Some(comment) = line.strip_prefix('#') {
            let recorded = comment.strip_prefix(" Exchange ").unwrap_or_default();
            number = recorded.trim_end_matches('.').parse().unwrap_or(number);
            line = next_line(&mut rest).unwrap_or_default();
        }
        let (method, url) = line
            .split_once(' ')
            .ok_or("its first line after comments must be `GET URL` or `POST URL`")?;
        let mut form = next_line(&mut rest).unwrap_or_default();
        let target = Target::new(method, url, &form)?;
        if !form.is_empty() {
            form = next_line(&mut rest).unwrap_or_default();
        }
        let status = next_line(&mut rest).filter(|_| form.is_empty());
        let status = status.ok_or("there must be an empty line between request and reply")?;
        let status = status
            .strip_prefix("HTTP/")
            .and_then(|status| status.split(' ').nth(1)?.parse().ok())
            .ok_or("the reply must start with a line like `HTTP/1.1 200 OK`")?;
        let mut headers = next_headers(&mut rest)?;
        if !codings(&headers).is_empty() && std::str::from_utf8(rest).is_ok() {
            remove_coding(&mut headers);
        }
        Ok(Exchange {
            name: name.to_owned(),
            number,
            target,
            status,
            headers,
            body: (file.len() - rest.len()) as u64,
            file: file.into(),
            played: false,
        })
    }

    fn response(&self) -> Response {
        let mut response = Response::new(self.status, self.headers.clone(), io::empty());
        let mut body = Cursor::new(self.file.clone());
        body.set_position(self.body);
        response.body = Box::new(body.take(response.length().unwrap_or(u64::MAX)));
        response
    }
}

/// Takes a line, if there is one, without its end.
fn next_line(rest: &mut &[u8]) -> Option<String> {
    let end = rest.iter().position(|&byte| byte == b'\n')?;
    let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
    *rest = &rest[end + 1..];
    Some(String::from_utf8_lossy(line).into_owned())
}

/// Takes the headers and the empty line after them.
fn next_headers(rest: &mut &[u8]) -> Result<Vec<(String, String)>, &'static str> {
    let mut headers = Vec::new();
    loop {
        let line = next_line(rest).ok_or("the headers must end with an empty line")?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or("a header has no colon")?;
        // It would be taken for the time of the reply.
        if !name.eq_ignore_ascii_case("date") {
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
}

/// The host of the service that a server on this machine stands for in a fixture: its port
/// is another one the next time.
pub(super) fn stands_for(url: &Url<'_>) -> Option<&'static str> {
    let path = url.rest.split('?').next().unwrap_or_default();
    let host = match path.ends_with("/oauth/access_token") {
        true => "https://api.instagram.com",
        false => "https://graph.instagram.com",
    };
    url.is_loopback().then_some(host)
}

/// What is compared of a request.
struct Target {
    method: String,
    /// Scheme, host and port, and those that they stand for.
    origin: String,
    stands_for: Option<&'static str>,
    path: String,
    /// Decoded and sorted, without the ignored ones. `None` is any value.
    params: Vec<(String, Option<String>)>,
}

impl Target {
    fn new(method: &str, url: &str, form: &str) -> Result<Target, &'static str> {
        let url = Url::parse(url)?;
        let (path, query) = url.rest.split_once('?').unwrap_or((url.rest, ""));
        let stands_for = stands_for(&url);
        let mut params = Vec::new();
        for (name, value) in pairs(query).chain(pairs(form)) {
            let name = decode(name);
            if !name.is_empty() && !IGNORED.contains(&name.as_str()) {
                params.push((name, (value != "*").then(|| decode(value))));
            }
        }
        params.sort();
        Ok(Target {
            method: method.to_owned(),
            origin: url.origin().to_ascii_lowercase(),
            stands_for,
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            params,
        })
    }

    /// Whether this, of a fixture, is played to a request, and how exact it is: the smallest
    /// is played.
    fn rank(&self, request: &Target) -> Option<(bool, bool)> {
        let is_equal = (
            self.path != request.path,
            self.params.len() != request.params.len(),
        );
        self.matches(request).then_some(is_equal)
    }

    fn matches(&self, request: &Target) -> bool {
        self.method == request.method
            && (self.origin == request.origin || request.stands_for == Some(&self.origin))
            && self.matches_path(&request.path)
            && self.matches_params(&request.params)
    }

    fn matches_path(&self, path: &str) -> bool {
        let mut segments = self.path.split('/').zip(path.split('/'));
        self.path.split('/').count() == path.split('/').count()
            && segments.all(|(own, other)| own == other || own == "*")
    }

    /// Both are sorted.
    fn matches_params(&self, params: &[(String, Option<String>)]) -> bool {
        let has_others = self.params.iter().any(|(name, _)| name == "*");
        let mut params = params.iter().peekable();
        let is_other = |given: &&(String, _), name: &str| has_others && given.0.as_str() < name;
        for (name, value) in self.params.iter().filter(|(name, _)| name != "*") {
            while params.next_if(|given| is_other(given, name)).is_some() {}
            let is_same = |(given, other): &&(String, _)| {
                name == given && (value.is_none() || value == other)
            };
            let may_lack = value.is_none() && !POSITIONS.contains(&name.as_str());
            if params.next_if(is_same).is_none() && !may_lack {
                return false;
            }
        }
        has_others || params.peek().is_none()
    }

    /// How similar this is to another target; a larger value is more similar.
    fn likeness(&self, other: &Target) -> (bool, bool, usize) {
        let mut common = 0;
        for (name, value) in &self.params {
            let equal = other.params.iter().find(|(other, _)| other == name);
            let is_same = |other| value.is_none() || other == value;
            common += equal.map_or(0, |(_, other)| 1 + usize::from(is_same(other)));
        }
        for segment in self.path.split('/') {
            common += usize::from(other.path.split('/').any(|other| other == segment));
        }
        (self.path == other.path, self.method == other.method, common)
    }
}

/// For messages. Login codes are masked.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.origin, self.path)?;
        for (i, (name, value)) in self.params.iter().enumerate() {
            let value = match value {
                Some(_) if name == "code" => "***",
                Some(value) => value,
                None => "*",
            };
            write!(f, "{}{name}={value}", if i == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

fn find_fixtures(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            find_fixtures(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "http") {
            files.push(path);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let message = format!("{} cannot be read: {error}", path.display());
    Error::new(ErrorKind::Io, message).with_source(error)
}
