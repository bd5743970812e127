//! A transport that records exchanges as fixtures.

mod scrub;

use super::replay::stands_for;
use super::transport::{Request, Response, Transport};
use super::url::Url;
use crate::atomic_file::AtomicFile;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::redact::{prefix, redact};
use crate::timestamp::date;
use scrub::{Keep, Scrub, Secrets, is_id, is_version};
use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

/// The longest body that is recorded, in bytes.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The statuses that the service is known to send.
const STATUSES: &str = "200 OK,302 Found,400 Bad Request,401 Unauthorized,403 Forbidden,404 Not Found,\
    429 Too Many Requests,500 Internal Server Error,502 Bad Gateway,503 Service Unavailable,504 Gateway Timeout";

/// The longest name of an exchange, in bytes, without a number.
const MAX_NAME: usize = 100;

/// A transport that passes requests on to another one and records the exchanges as fixtures,
/// which [`Replay`](crate::transport::Replay) plays: tests for your own program, from your
/// own account.
///
/// ```no_run
/// use mingram::Api;
/// use mingram::transport::{DefaultTransport, Record, Replay};
///
/// # fn my_program(api: &Api) -> mingram::Result<()> { api.me("").map(drop) }
/// # fn main() -> mingram::Result<()> {
/// let record = Record::new(DefaultTransport::default());
/// let api = Api::new("IGQVJ...").with_transport(record.clone());
/// my_program(&api)?;
/// record.save("fixtures/mine")?;
///
/// // In a test:
/// let replay = Replay::new().with_directory("fixtures/mine")?;
/// my_program(&Api::new("any-token").with_transport(replay))?;
/// # Ok(()) }
/// ```
///
/// # What stays
///
/// Whatever is not known to be harmless is replaced by a stand-in. Equal values get equal
/// stand-ins everywhere. These stay:
///
/// - words of the API, of HTTP and of the service's messages, from a fixed list: in keys,
///   paths, names of parameters, messages and headers;
/// - the names of fields and metrics that your program requests;
/// - types in capitals (`CAROUSEL_ALBUM`), dates, and numbers of fewer than ten digits, unless
///   they are ids or parameters of your requests;
/// - the hosts of your requests, except that a server on this machine is written as the
///   service, and the hosts of Instagram. Others become example.com;
/// - the expiry of a file's URL, and the ending of its name.
///
/// So access tokens and other secrets, cursors, user names, names, captions, ids, file names,
/// signatures and all unknown words go. A page of HTML keeps its tags and known words. Cookies,
/// trace ids and unknown headers are omitted.
///
/// The secrets are learned from the requests and replies: among them are the values of
/// unknown parameters, if they have at least 8 bytes. If one of them, or a cursor, is still
/// found after all that, nothing is written. **Look at the files before you publish them.**
///
/// # Playing it again
///
/// What your program takes from a reply is a stand-in in the replay, too, and so its next
/// request matches. Values from elsewhere (settings, the clock, an earlier run) would not
/// match. So the fixture has `*`, which accepts any value, for the parameters of logins, for
/// unknown parameters and parts of paths, for field lists with an unknown argument, and for
/// cursors and times that no earlier reply contained. Ids in paths are stand-ins: if your
/// program knows ids from elsewhere, use [`keeping_ids`](Record::keeping_ids). A key of a
/// reply that is neither known nor requested is replaced; request it as a field if your own
/// type reads it.
///
/// # What is not recorded
///
/// Downloads; exchanges without a complete reply; bodies that are not text, are longer than
/// 32 MiB, or have a compression that [`Response::decode`] cannot remove. They are passed on
/// unchanged, and [`omitted`](Record::omitted) lists them. A recorded body is read to its end
/// before the response is passed on, and decoded.
///
/// Clones share what was recorded.
pub struct Record<T> {
    transport: Arc<T>,
    tape: Arc<Mutex<Tape>>,
}

/// One recorded exchange, with stand-ins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fixture {
    /// The name of its file, without the ending `.http`.
    pub name: String,
    /// The HTTP status of the reply.
    pub status: u16,
    /// The content of the file, for [`Replay`](crate::transport::Replay).
    pub text: String,
}

impl<T> Record<T> {
    /// Records what is sent through `transport`.
    pub fn new(transport: T) -> Record<T> {
        Record {
            transport: Arc::new(transport),
            tape: Arc::default(),
        }
    }

    /// Keeps ids, shortcodes and the paths of files. User names in them are still replaced.
    /// Default: they are replaced.
    pub fn keeping_ids(self) -> Record<T> {
        self.tape().keep.ids = true;
        self
    }

    /// Keeps captions, alternative texts and comments. User names in them are still replaced.
    /// Default: they are replaced.
    pub fn keeping_captions(self) -> Record<T> {
        self.tape().keep.captions = true;
        self
    }

    /// Names the exchanges from now on: `name`, `name-2`, `name-3`, … With an empty name, and
    /// by default, they are named by the path of the request without ids and unknown words: `me`,
    /// `me-media`, `me-media-2`, `children`, or `node` if nothing is left of it.
    ///
    /// Of a name at most 100 bytes are used; what is not an ASCII letter, digit, `-` or `_`
    /// becomes `-`.
    pub fn name_next(&self, name: &str) {
        self.tape().name = file_name(name);
    }

    /// The requests whose exchanges are not recorded, in their order, each with the reason:
    /// `GET https://scontent.cdninstagram.com/v/1.jpg: a download`.
    pub fn omitted(&self) -> Vec<String> {
        self.tape().omitted.clone()
    }

    /// The fixtures, in the order of the exchanges.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) if a secret or a cursor is still found in one
    /// of them, because the service wrote it in an unknown way. The message names which, and
    /// in which exchange.
    pub fn fixtures(&self) -> Result<Vec<Fixture>> {
        self.tape().fixtures()
    }

    /// Writes the fixtures into a directory, each as `NAME.http`, and returns them. Creates
    /// the directory if it is missing. A file has its name only when it is complete.
    ///
    /// # Errors
    ///
    /// As for [`fixtures`](Record::fixtures) and [`check_directory`](Record::check_directory);
    /// [`Io`](ErrorKind::Io) if a file cannot be written. Those before it are written then.
    pub fn save(&self, directory: impl AsRef<Path>) -> Result<Vec<Fixture>> {
        save(self.fixtures()?, directory.as_ref())
    }

    /// Checks that the fixtures can be saved into a directory, and creates it if it is
    /// missing: for programs that make many requests before they save.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) if it contains a file named `*.http`: two
    /// recordings are not mixed. [`Io`](ErrorKind::Io) if it cannot be created or read.
    pub fn check_directory(&self, directory: impl AsRef<Path>) -> Result<()> {
        check_directory(directory.as_ref())
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        lock(&self.tape)
    }
}

impl<T: Transport> Transport for Record<T> {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        lock(&self.tape).secrets.learn(request);
        match self.transport.send(request) {
            Ok(response) => Ok(take(&self.tape, request, response)),
            Err(error) => {
                lock(&self.tape).omit(request, &error.to_string());
                Err(error)
            }
        }
    }
}

impl<T> Clone for Record<T> {
    fn clone(&self) -> Record<T> {
        Record {
            transport: self.transport.clone(),
            tape: self.tape.clone(),
        }
    }
}

/// Shows counts only.
impl<T> fmt::Debug for Record<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tape = self.tape();
        f.debug_struct("Record")
            .field("exchanges", &tape.entries.len())
            .field("omitted", &tape.omitted.len())
            .finish_non_exhaustive()
    }
}

/// What was recorded.
#[derive(Default)]
struct Tape {
    entries: Vec<Entry>,
    omitted: Vec<String>,
    /// What the caller named the next exchanges.
    name: String,
    /// Where requests went: scheme, host and port.
    origins: HashSet<String>,
    secrets: Secrets,
    keep: Keep,
}

/// One exchange, as it was.
struct Entry {
    /// As the caller named it, or empty.
    name: String,
    method: &'static str,
    /// Scheme, host and port, as they are written.
    origin: String,
    /// Path and query.
    target: String,
    form: String,
    at: SystemTime,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Records the exchange if it can be a fixture, and returns what the caller would have got.
fn take(tape: &Mutex<Tape>, request: &Request<'_>, mut response: Response) -> Response {
    let decoded = match request.pauses {
        true => Err("a download".to_owned()),
        false => response.decode().map_err(|error| error.to_string()),
    };
    if let Err(why) = decoded {
        lock(tape).omit(request, &why);
        return response;
    }
    let mut body = Vec::new();
    let bodiless = matches!(response.status, 204 | 304);
    let length = response.length().filter(|_| !bodiless);
    let limit = length.unwrap_or(MAX_BYTES).min(MAX_BYTES);
    let read = response.body.by_ref().take(limit).read_to_end(&mut body);
    let text = match (&read, std::str::from_utf8(&body)) {
        (Err(error), _) => Err(format!("its body ended with an error: {error}")),
        _ if body.len() as u64 == MAX_BYTES => Err("its body is 32 MiB or longer".to_owned()),
        _ if length.is_some_and(|length| length > body.len() as u64) => {
            Err("its body is shorter than its Content-Length".to_owned())
        }
        (_, Err(_)) => Err("its body is not text".to_owned()),
        (_, Ok(text)) => Ok(text),
    };
    match text.and_then(|text| Ok((text, Url::parse(request.url)?))) {
        Ok((text, url)) => lock(tape).add(request, &url, &response, text),
        Err(why) => lock(tape).omit(request, &why),
    }
    let rest = std::mem::replace(&mut response.body, Box::new(io::empty()));
    let rest = Rest(read.err(), rest);
    response.body = Box::new(Cursor::new(body).chain(rest));
    response
}

/// What follows after the bytes that were read: the error that ended them, or the rest.
struct Rest(Option<io::Error>, Box<dyn Read + Send>);

impl Read for Rest {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.take() {
            Some(error) => Err(error),
            None => self.1.read(buf),
        }
    }
}

impl Tape {
    fn omit(&mut self, request: &Request<'_>, why: &str) {
        let url = request.url.split(['?', '#']).next().unwrap_or_default();
        let line = format!("{} {url}: {why}", request.method.as_str());
        self.omitted.push(redact(&line, &self.secrets.texts()));
    }

    fn add(&mut self, request: &Request<'_>, url: &Url<'_>, response: &Response, body: &str) {
        let mut headers = response.headers.clone();
        for (name, value) in &mut headers {
            if name.eq_ignore_ascii_case("location") {
                *value = redirect(url, value);
            }
        }
        let origin = url.origin().to_ascii_lowercase();
        self.origins.insert(origin.clone());
        let entry = Entry {
            name: self.name.clone(),
            method: request.method.as_str(),
            origin: stands_for(url).map_or(origin, str::to_owned),
            target: url.rest.to_owned(),
            form: request.body.unwrap_or_default().to_owned(),
            at: SystemTime::now(),
            status: response.status,
            headers,
            body: body.to_owned(),
        };
        self.entries.push(entry);
    }

    fn fixtures(&self) -> Result<Vec<Fixture>> {
        let mut scrub = Scrub::new(self.keep, self.secrets.clone(), self.origins.clone());
        // Twice: a name or token that comes late may be in a text that came early.
        for entry in &self.entries {
            entry.file(1, &mut scrub);
        }
        scrub.start_again();
        let mut fixtures = Vec::new();
        let mut names = HashSet::new();
        for (number, entry) in self.entries.iter().enumerate() {
            let text = entry.file(number + 1, &mut scrub);
            let name = entry.file_name(&mut scrub, &mut names);
            if let Some(what) = scrub.leak(&text) {
                let message = format!("{what} is still in {name}, so nothing is written");
                return Err(Error::invalid(message));
            }
            fixtures.push(Fixture {
                name,
                status: entry.status,
                text,
            });
        }
        Ok(fixtures)
    }
}

impl Entry {
    /// The name that is given, or else that of the path, and a number if it is taken.
    fn file_name(&self, scrub: &mut Scrub, names: &mut HashSet<String>) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        let name = match self.name.as_str() {
            "" => name_of(&scrub.path(path, true)),
            name => name.to_owned(),
        };
        let mut all = (1..).map(|number| match number {
            1 => name.clone(),
            _ => format!("{name}-{number}"),
        });
        // Some file systems ignore the case.
        let free = all.find(|name| names.insert(name.to_ascii_lowercase()));
        free.unwrap_or(name)
    }

    /// As a fixture: comments, the request, an empty line, and the reply.
    fn file(&self, number: usize, scrub: &mut Scrub) -> String {
        let (_, host) = self.origin.split_once("://").unwrap_or_default();
        let mut file = format!(
            "# Recorded {} from {host}, {}.\n# Exchange {number}.\n{} {}{}\n",
            date(self.at),
            self.version(),
            self.method,
            self.origin,
            scrub.target(&self.target, true),
        );
        if !self.form.is_empty() {
            file += &scrub.query(&self.form, true);
            file.push('\n');
        }
        let status = format!("{} ", self.status);
        let known = STATUSES.split(',').find(|known| known.starts_with(&status));
        file += &format!("\nHTTP/1.1 {}\r\n", known.unwrap_or(&(status + "Status")));
        for (name, value) in &self.headers {
            if let Some(line) = scrub.header(name, value) {
                file = file + &line + "\r\n";
            }
        }
        let path = self.target.split('?').next().unwrap_or_default();
        let edge = path.rsplit('/').next().unwrap_or_default();
        let body = scrub.body(&self.body, edge);
        file + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// The version of the API: that of the request, or else the one in the reply's headers.
    fn version(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        if let Some(version) = path.split('/').find(|part| is_version(part)) {
            return format!("API {version}");
        }
        let known = ["instagram-api-version", "facebook-api-version"];
        let of_reply = |(name, value): &&(String, String)| {
            known.iter().any(|known| name.eq_ignore_ascii_case(known)) && is_version(value)
        };
        match self.headers.iter().find(of_reply) {
            Some((_, version)) => format!("API {version} (no version in the request)"),
            None => "no API version".to_owned(),
        }
    }
}

/// Where a redirect leads: a path if that is where the request went, which may be written as
/// another host.
fn redirect(from: &Url<'_>, location: &str) -> String {
    let target = from.join(location);
    let rest = match Url::parse(&target) {
        Ok(to) if to.same_origin(from) && to.rest.starts_with('/') => Some(to.rest.to_owned()),
        _ => None,
    };
    rest.unwrap_or(target)
}

/// Names an exchange by its path, without ids, unknown parts and the version.
fn name_of(path: &str) -> String {
    let is_named =
        |part: &&str| !part.is_empty() && *part != "*" && !is_id(part) && !is_version(part);
    let parts: Vec<&str> = path.split('/').filter(is_named).collect();
    match file_name(&parts.join("-")) {
        name if name.is_empty() => "node".to_owned(),
        name => name,
    }
}

/// A text as the name of a file, on every file system.
fn file_name(text: &str) -> String {
    let of_name = |c: char| match c.is_ascii_alphanumeric() || c == '-' || c == '_' {
        true => c,
        false => '-',
    };
    let name: String = text.chars().map(of_name).collect();
    prefix(&name, MAX_NAME).to_owned()
}

fn check_directory(directory: &Path) -> Result<()> {
    let shown = directory.display();
    let failed = |error: io::Error| {
        let message = format!("cannot create or read {shown}: {error}");
        Error::new(ErrorKind::Io, message).with_source(error)
    };
    fs::create_dir_all(directory).map_err(failed)?;
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "http") {
            let message = format!("{shown} has a recording in it: use another directory");
            return Err(Error::invalid(message));
        }
    }
    Ok(())
}

fn save(fixtures: Vec<Fixture>, directory: &Path) -> Result<Vec<Fixture>> {
    check_directory(directory)?;
    for fixture in &fixtures {
        let path = directory.join(format!("{}.http", fixture.name));
        let written = AtomicFile::create(&path, 0o666).and_then(|mut file| {
            file.file.write_all(fixture.text.as_bytes())?;
            file.commit()
        });
        let durable = written.map_err(|error| Error::of_file(error).in_file(&path, &[]))?;
        durable.map_err(|error| Error::not_durable(error).in_file(&path, &[]))?;
    }
    Ok(fixtures)
}
