//! Makes fixtures of one's own account: asks what the guide asks, and writes
//! down the exchanges without what must not be published.

#[path = "common/files.rs"]
mod files;
#[path = "common/scrub.rs"]
pub mod scrub;
#[path = "common/tool.rs"]
mod tool;

use files::Folder;
use lexopt::prelude::*;
use mingram::transport::{DefaultTransport, Method, Request, Response, Transport};
use mingram::{Api, Media, MediaField as M, MediaType, UserField as U};
use scrub::{Keep, Scrub};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use tool::{FAILED, Failure, Result, complain, print};

const HELP: &str = "\
record - make fixtures of one's own Instagram account

Usage: record DIR [--pages N] [--limit N] [--all-fields] [--keep-ids]
                  [--keep-captions] [--file FILE]

Asks for the profile, pages of media, one media and an album's children, and
writes each exchange into DIR as one file NAME.http: the request and the reply,
ready to be replayed in tests and shown to others.

The access token, cursors, user names, captions, ids, the names of files and the
signatures in their addresses are replaced, the same thing by the same word in
every place. Dates, counts and types stay. Cookies, trace ids and headers that
are not known are left out. Look at the files before you publish them.

Options:
  --pages N         pages of media, and of children (default: 3)
  --limit N         media on a page, 1 to 100 (default: 25)
  --all-fields      ask for what Instagram Login has, not only the basic fields
  --keep-ids        keep ids, shortcodes and file names as they are
  --keep-captions   keep captions; the user names in them are replaced still
  --file FILE       the token file
  -h, --help        this text
  -V, --version     the version

The access token is $INSTAGRAM_TOKEN. Where that is not set, it is the one in
the token file, which is refreshed when that is due.

Exit codes: 0 all is recorded; 1 something failed, what is recorded is written;
  2 the command line is wrong.

";

fn main() -> ExitCode {
    tool::end("record", run())
}

struct Options {
    folder: PathBuf,
    pages: usize,
    limit: u32,
    all_fields: bool,
    keep: Keep,
    file: Option<PathBuf>,
}

fn options() -> Result<Option<Options>> {
    let mut options = Options {
        folder: PathBuf::new(),
        pages: 3,
        limit: 25,
        all_fields: false,
        keep: Keep::default(),
        file: None,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => {
                print(format_args!("{HELP}{}", tool::TOKEN_HELP))?;
                return Ok(None);
            }
            Short('V') | Long("version") => {
                print(concat!(
                    "record (mingram ",
                    env!("CARGO_PKG_VERSION"),
                    ")\n"
                ))?;
                return Ok(None);
            }
            Long("pages") => options.pages = number("--pages", args.value()?, 1000)? as usize,
            Long("limit") => options.limit = number("--limit", args.value()?, 100)?,
            Long("all-fields") => options.all_fields = true,
            Long("keep-ids") => options.keep.ids = true,
            Long("keep-captions") => options.keep.captions = true,
            Long("file") => options.file = Some(args.value()?.into()),
            Value(folder) if options.folder.as_os_str().is_empty() => {
                options.folder = folder.into();
            }
            Value(_) => return Err(Failure::usage("give one folder")),
            _ => return Err(arg.unexpected().into()),
        }
    }
    match options.folder.as_os_str().is_empty() {
        true => Err(Failure::usage("give the folder to write to")),
        false => Ok(Some(options)),
    }
}

fn number(option: &str, value: std::ffi::OsString, most: u32) -> Result<u32> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| Failure::usage(format!("{option} takes a number from 1 to {most}")))
}

fn run() -> Result<u8> {
    let Some(options) = options()? else {
        return Ok(0);
    };
    make_folder(&options.folder)?;
    let api = tool::api()?;
    let token = tool::access_token("record", &api, options.file.clone())?;
    let tape = Arc::new(Tape::default());
    let recorder = Recorder {
        inner: DefaultTransport::default(),
        tape: tape.clone(),
    };
    let api = api.with_token(token.clone()).with_transport(recorder);

    let failures = ask(&api, &tape, &options);
    let exchanges = tape.take();
    let mut scrub = Scrub::new(token.expose(), options.keep);
    // Twice: a name that comes late may be in a caption that came early.
    for exchange in &exchanges {
        exchange.file(&mut scrub);
    }
    let mut files = Vec::new();
    for exchange in &exchanges {
        let file = exchange.file(&mut scrub);
        if let Some(what) = scrub.leak(&file) {
            return Err(Failure::new(format!(
                "{what} is in {} still, so nothing is written",
                exchange.name
            )));
        }
        files.push((&exchange.name, exchange.status, file));
    }
    let failed = |failure| Failure::new(format!("cannot write {failure}"));
    let folder = Folder::open(&options.folder, ".record-").map_err(failed)?;
    for (name, status, file) in files {
        folder
            .write_whole(&format!("{name}.http"), file.as_bytes())
            .map_err(failed)?;
        print(format_args!(
            "{name}.http: HTTP {status}, {} bytes\n",
            file.len()
        ))?;
    }
    for failure in &failures {
        complain("record", &failure.to_string());
    }
    match failures.is_empty() {
        true => Ok(0),
        false => Ok(FAILED),
    }
}

/// The guide's calls. One that fails is recorded like any other, and the rest
/// are made all the same.
fn ask(api: &Api, tape: &Tape, options: &Options) -> Vec<mingram::Error> {
    let mut failures = Vec::new();
    let children = M::Children(M::CHILD);
    let (of_user, of_media) = match options.all_fields {
        true => (U::PROFESSIONAL, [M::PROFESSIONAL, &[children]].concat()),
        false => (U::BASIC, [M::BASIC, &[children]].concat()),
    };

    tape.begin("profile");
    failures.extend(api.me(of_user).err());

    let mut media: Vec<Media> = Vec::new();
    let mut pages = api.my_media(&of_media).page_size(options.limit).pages();
    for number in 1..=options.pages {
        tape.begin(&format!("media-page-{number}"));
        match pages.next() {
            Some(Ok(page)) => media.extend(page.data),
            Some(Err(error)) => failures.push(error),
            None => break,
        }
    }

    if let Some(first) = media.first() {
        tape.begin("media");
        let fields = [M::Id, M::MediaType, M::MediaUrl, M::Username, M::Timestamp];
        failures.extend(api.media(&first.id, &fields).err());
    }

    let is_album = |media: &&Media| media.media_type == Some(MediaType::CarouselAlbum);
    if let Some(album) = media.iter().find(is_album) {
        let mut pages = api.children(&album.id, M::CHILD).pages();
        for number in 1..=options.pages {
            tape.begin(&format!("children-page-{number}"));
            match pages.next() {
                Some(page) => failures.extend(page.err()),
                None => break,
            }
        }
    }
    failures
}

/// A transport around a transport: what passes through is written down.
pub struct Recorder<T> {
    pub inner: T,
    pub tape: Arc<Tape>,
}

impl<T: Transport> Transport for Recorder<T> {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        let mut response = self.inner.send(request)?;
        let mut body = Vec::new();
        response
            .body
            .by_ref()
            .take(LARGEST)
            .read_to_end(&mut body)
            .map_err(mingram::Error::of_body)?;
        // A broken reply is no fixture; mingram sees that it is short.
        let whole = response
            .length()
            .is_none_or(|length| length == body.len() as u64);
        if whole && (body.len() as u64) < LARGEST {
            self.tape.add(request, &response, &body);
        }
        let rest = std::mem::replace(&mut response.body, Box::new(std::io::empty()));
        response.body = Box::new(std::io::Cursor::new(body).chain(rest));
        Ok(response)
    }
}

/// No page is larger, in bytes.
const LARGEST: u64 = 32 * 1024 * 1024;

/// The exchanges so far, in their order.
#[derive(Default)]
pub struct Tape(Mutex<(String, Vec<Exchange>)>);

pub struct Exchange {
    pub name: String,
    method: Method,
    /// Path and query.
    target: String,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Tape {
    /// What comes now belongs to this call.
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
    /// As a fixture: the request line, an empty line, and the reply.
    fn file(&self, scrub: &mut Scrub) -> String {
        let target = scrub.target(&self.target);
        let body = scrub.body(&self.body);
        let mut file = format!(
            "{} https://graph.instagram.com{target}\n\nHTTP/1.1 {} {}\r\n",
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

/// The reason of the statuses that the service is known to answer with.
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

/// The folder, made where it is missing, without an older recording in it.
fn make_folder(folder: &Path) -> Result<()> {
    let failed = |error| Failure::new(format!("cannot make or read {}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if Path::new(&name)
            .extension()
            .is_some_and(|ending| ending == "http")
        {
            return Err(Failure::new(format!(
                "{} holds a recording already: give another folder",
                folder.display()
            )));
        }
    }
    Ok(())
}
