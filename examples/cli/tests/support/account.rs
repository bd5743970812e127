//! An account on a loopback server: its nodes, its pages and its files, with
//! whatever faults a test wants; and the program run against it.

use super::common::{Server, json, param, replay::Received, replay::TOKEN};
use super::program;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A picture, video or album of the account.
#[derive(Clone, Debug)]
pub struct Item {
    pub id: String,
    pub media_type: &'static str,
    pub timestamp: String,
    pub caption: String,
    /// The length of its file, in bytes; an album has none of its own.
    pub length: u64,
    /// `None` for media without an address; else what is added to it.
    pub query: Option<String>,
    pub children: Vec<Item>,
    /// How many children come with an album; `None`: all. The others, and what follows
    /// none, by a request of their own.
    pub nested: Option<usize>,
    /// Whether an album has a file of its own.
    pub cover: bool,
    /// Fields that the service sends besides, as `,"alt_text":"a"`.
    pub more: String,
}

impl Item {
    pub fn image(id: u64, day: u32, length: u64) -> Item {
        Item {
            id: id.to_string(),
            media_type: "IMAGE",
            caption: format!("about {id}"),
            timestamp: format!("2026-{:02}-{:02}T07:12:00+0000", 1 + day / 28, 1 + day % 28),
            length,
            query: Some(String::new()),
            children: Vec::new(),
            nested: None,
            cover: false,
            more: String::new(),
        }
    }

    pub fn video(id: u64, day: u32, length: u64) -> Item {
        Item {
            media_type: "VIDEO",
            ..Item::image(id, day, length)
        }
    }

    pub fn album(id: u64, day: u32, children: Vec<Item>) -> Item {
        Item {
            media_type: "CAROUSEL_ALBUM",
            children,
            ..Item::image(id, day, 0)
        }
    }

    pub fn extension(&self) -> &'static str {
        if self.media_type == "VIDEO" {
            "mp4"
        } else {
            "jpg"
        }
    }

    /// The node as JSON, its addresses on this host.
    fn json(&self, host: &str, generation: u64, nested: bool) -> String {
        let mut text = format!(
            r#"{{"id":"{}","media_type":"{}","timestamp":"{}","username":"jayposiris","#,
            self.id, self.media_type, self.timestamp
        );
        if !nested {
            text += &format!(r#""caption":"{}","#, self.caption);
        }
        if let Some(query) = &self.query {
            if self.media_type != "CAROUSEL_ALBUM" || self.cover {
                text += &format!(
                    r#""media_url":"http:\/\/{host}\/file\/{}?g={generation}{query}","#,
                    self.id
                );
            }
            if self.media_type == "VIDEO" {
                text += &format!(
                    r#""thumbnail_url":"http:\/\/{host}\/thumb\/{}?g={generation}{query}","#,
                    self.id
                );
            }
        }
        let count = self.nested.unwrap_or(self.children.len());
        if count > 0 {
            let next = match count < self.children.len() {
                true => r#","paging":{"cursors":{"after":"c"},"next":"https://x/?after=c"}"#,
                false => "",
            };
            let children = self.children(host, generation, count);
            text += &format!(r#""children":{{"data":[{children}]{next}}},"#);
        }
        text.pop();
        text + &self.more + "}"
    }

    fn children(&self, host: &str, generation: u64, count: usize) -> String {
        let children = self.children.iter().take(count);
        let children = children.map(|child| child.json(host, generation, true));
        children.collect::<Vec<String>>().join(",")
    }
}

fn head(kind: &str) -> &'static [u8] {
    match kind {
        "mp4" => b"\0\0\0\x18ftypisom\0\0\x02\0",
        _ => b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    }
}

/// The bytes of a file from `from` to `to`; every file differs from the others
/// all over.
pub fn bytes(id: &str, kind: &str, from: u64, to: u64) -> Vec<u8> {
    let seed = id
        .bytes()
        .fold(7u64, |sum, b| sum.wrapping_mul(31).wrapping_add(b.into()));
    let byte = |at: u64| ((seed ^ at).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
    let mut bytes: Vec<u8> = (from..to).map(byte).collect();
    for (at, head) in (0..to).zip(head(kind)).skip(from as usize) {
        bytes[(at - from) as usize] = *head;
    }
    bytes
}

/// What a server does to the reply for a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    None,
    /// Ends the connection without a word.
    Silence,
    /// Ends the connection after this many bytes of the body.
    Cut(u64),
    /// Says nothing more after this many bytes of the body, and keeps the connection.
    Hang(u64),
    /// Pauses after every so many bytes.
    Slow(usize, Duration),
    /// As slow, and takes no notice of a range.
    SlowWhole(usize, Duration),
    /// Sends this instead.
    Reply(String),
    /// Takes no notice of a range.
    NoRanges,
    /// Sends nothing that identifies a version.
    NoTag,
    /// Sends another version of the file.
    OtherVersion,
    /// The same, and takes no notice of `If-Range`.
    OtherVersionUnasked,
}

type Faults = dyn Fn(&Received, u64) -> Fault + Send + Sync;

pub struct Account {
    pub items: Arc<Mutex<Vec<Item>>>,
    /// The name of the profile picture, if there is one.
    pub picture: Arc<Mutex<Option<&'static str>>>,
    pub server: Server,
}

impl Account {
    pub fn new(items: Vec<Item>) -> Account {
        Account::with_faults(items, |_, _| Fault::None)
    }

    /// `faults` is asked for every request, with its number from 0 on.
    /// Every file has this fault.
    pub fn with_file_fault(
        items: Vec<Item>,
        fault: impl Fn() -> Fault + Send + Sync + 'static,
    ) -> Account {
        Account::with_faults(items, move |request, _| {
            match request.target.starts_with("/file/") {
                true => fault(),
                false => Fault::None,
            }
        })
    }

    pub fn with_faults(
        items: Vec<Item>,
        faults: impl Fn(&Received, u64) -> Fault + Send + Sync + 'static,
    ) -> Account {
        let items = Arc::new(Mutex::new(items));
        let picture: Arc<Mutex<Option<&'static str>>> = Arc::default();
        let (held, held_picture, number) = (items.clone(), picture.clone(), AtomicU64::new(0));
        let faults: Box<Faults> = Box::new(faults);
        let server = Server::start(move |request, stream| {
            let number = number.fetch_add(1, Ordering::SeqCst);
            let fault = faults(request, number);
            let items = held.lock().unwrap().clone();
            // A client that goes away is its own affair.
            let picture = *held_picture.lock().unwrap();
            let _ = answer(request, stream, &items, picture, fault, number);
            let _ = stream.shutdown(Shutdown::Both);
        });
        Account {
            items,
            picture,
            server,
        }
    }

    /// How many requests had a target that begins like this.
    pub fn asked(&self, begin: &str) -> usize {
        let received = self.server.received();
        received
            .iter()
            .filter(|request| request.target.starts_with(begin))
            .count()
    }

    /// Every file that a backup must hold, with its bytes; JSON files by name
    /// only.
    pub fn expected(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let mut files = BTreeMap::from([("profile.json".to_owned(), None)]);
        for item in self.items.lock().unwrap().iter() {
            let (year, day) = (&item.timestamp[..4], &item.timestamp[..10]);
            let stem = format!("{year}/{day}_{}", item.id);
            files.insert(format!("{stem}.json"), None);
            let mut file = |stem: &str, item: &Item| {
                let kind = item.extension();
                let content = bytes(&item.id, kind, 0, item.length);
                files.insert(format!("{stem}.{kind}"), Some(content));
                if kind == "mp4" {
                    let poster = bytes(&item.id, "jpg", 0, 3000);
                    files.insert(format!("{stem}_poster.jpg"), Some(poster));
                }
            };
            if item.children.is_empty() {
                file(&stem, item);
            }
            for (i, child) in item.children.iter().enumerate() {
                file(&format!("{stem}_{:02}_{}", i + 1, child.id), child);
            }
        }
        files
    }
}

fn answer(
    request: &Received,
    stream: &mut TcpStream,
    items: &[Item],
    picture: Option<&str>,
    fault: Fault,
    generation: u64,
) -> std::io::Result<()> {
    match &fault {
        Fault::Silence => return Ok(()),
        Fault::Reply(reply) => return stream.write_all(reply.as_bytes()),
        Fault::Hang(0) => {
            hang(stream);
            return Ok(());
        }
        _ => {}
    }
    let host = request.host();
    let path = request.target.split('?').next().unwrap_or_default();
    let find = |id: &str| {
        let all = items
            .iter()
            .flat_map(|item| item.children.iter().chain([item]));
        all.into_iter().find(|item| item.id == id)
    };
    let body = if path == "/me" {
        let picture = picture.map(|name| {
            format!(r#","profile_picture_url":"http://{host}/picture/{name}?g={generation}""#)
        });
        format!(
            r#"{{"id":"17841405793187218","username":"jayposiris","account_type":"BUSINESS","media_count":{}{}}}"#,
            items.len(),
            picture.unwrap_or_default()
        )
    } else if path == "/me/media" {
        let number = |name| param(request, name).map(|value| value.parse::<usize>().unwrap());
        let since = number("since").map(|_| "2026-02-01").unwrap_or_default();
        let items: Vec<&Item> = items
            .iter()
            .filter(|item| *item.timestamp >= *since)
            .collect();
        let from = number("after").unwrap_or(0).min(items.len());
        let to = (from + number("limit").unwrap_or(25)).min(items.len());
        let data: Vec<String> = items[from..to]
            .iter()
            .map(|item| item.json(host, generation, false))
            .collect();
        let next = match to < items.len() {
            true => format!(
                r#","next":"https:\/\/graph.instagram.com\/x?access_token={TOKEN}&after={to}""#
            ),
            false => String::new(),
        };
        format!(
            r#"{{"data":[{}],"paging":{{"cursors":{{"before":"{from}","after":"{to}"}}{next}}}}}"#,
            data.join(",")
        )
    } else if let Some(id) = path.strip_prefix("/file/") {
        let Some(item) = find(id) else {
            return write!(
                stream,
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            );
        };
        return file(request, stream, id, item.extension(), item.length, fault);
    } else if let Some(id) = path.strip_prefix("/thumb/") {
        return file(request, stream, id, "jpg", 3000, fault);
    } else if let Some(name) = path.strip_prefix("/picture/") {
        return file(request, stream, name, "jpg", 700, fault);
    } else if let Some(album) = path.strip_suffix("/children") {
        let album = find(album.trim_start_matches('/'));
        let children = album.map(|item| item.children(host, generation, usize::MAX));
        format!(r#"{{"data":[{}]}}"#, children.unwrap_or_default())
    } else if let Some(item) = find(path.trim_start_matches('/')) {
        item.json(host, generation, false)
    } else {
        let error = r#"{"error":{"message":"no such object","type":"IGApiException","code":100,"error_subcode":33}}"#;
        return stream.write_all(json("400 Bad Request", error).as_bytes());
    };
    let reply = json("200 OK", &body);
    match fault {
        Fault::Cut(at) => stream.write_all(&reply.as_bytes()[..(at as usize).min(reply.len())]),
        _ => stream.write_all(reply.as_bytes()),
    }
}

fn file(
    request: &Received,
    stream: &mut TcpStream,
    id: &str,
    kind: &str,
    length: u64,
    fault: Fault,
) -> std::io::Result<()> {
    let header = |wanted: &str| {
        let header = request.headers.iter().find(|(name, _)| name == wanted);
        header.map(|(_, value)| value.as_str())
    };
    let salt = match fault {
        Fault::OtherVersion | Fault::OtherVersionUnasked => format!("{id}-other"),
        _ => id.to_owned(),
    };
    let tag = format!("\"{salt}\"");
    let from = header("range")
        .filter(|_| !matches!(fault, Fault::NoRanges | Fault::SlowWhole(..)))
        .filter(|_| {
            fault == Fault::OtherVersionUnasked
                || header("if-range").is_none_or(|wanted| wanted == tag)
        })
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    if from > 0 && from >= length {
        return write!(
            stream,
            "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{length}\r\nContent-Length: 0\r\n\r\n"
        );
    }
    let status = match from {
        0 => "200 OK\r\n".to_owned(),
        _ => format!(
            "206 Partial Content\r\nContent-Range: bytes {from}-{}/{length}\r\n",
            length - 1
        ),
    };
    let content_type = if kind == "mp4" {
        "video/mp4"
    } else {
        "image/jpeg"
    };
    let tag = match fault {
        Fault::NoTag => String::new(),
        _ => format!("ETag: {tag}\r\n"),
    };
    write!(
        stream,
        "HTTP/1.1 {status}{tag}Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        length - from
    )?;
    let (piece, pause) = match fault {
        Fault::Slow(piece, pause) | Fault::SlowWhole(piece, pause) => (piece, pause),
        _ => (64 * 1024, Duration::ZERO),
    };
    let end = match fault {
        Fault::Cut(at) | Fault::Hang(at) => (from + at).min(length),
        _ => length,
    };
    let mut at = from;
    while at < end {
        let to = (at + piece as u64).min(end);
        stream.write_all(&bytes(&salt, kind, at, to))?;
        stream.flush()?;
        std::thread::sleep(pause);
        at = to;
    }
    if let Fault::Hang(_) = fault {
        hang(stream);
    }
    Ok(())
}

/// Waits until the client goes away.
fn hang(stream: &mut TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let _ = std::io::Read::read(stream, &mut [0]);
}

/// A command of the program, ready to run against a server.
pub fn command(name: &str, url: &str) -> Command {
    let mut command = Command::new(program::path());
    for (variable, _) in std::env::vars_os() {
        let variable = variable.to_string_lossy();
        if variable.starts_with("INSTAGRAM_") || variable.starts_with("MINGRAM_TOKEN") {
            command.env_remove(&*variable);
        }
    }
    command
        .arg(name)
        .env("INSTAGRAM_TOKEN", TOKEN)
        .env("INSTAGRAM_BASE_URL", url);
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Everything that a program said, for a failed assertion.
pub fn said(output: &Output) -> String {
    format!(
        "{:?}\n--- stdout\n{}--- stderr\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// The help of a command has these words, and those of all commands.
pub fn check_help(name: &str, words: &[&str]) {
    const SHARED: [&str; 12] = [
        "Usage: mingram ",
        "--token-file FILE",
        "-q, --quiet",
        "-v, --verbose",
        "-h, --help",
        "-V, --version",
        "$INSTAGRAM_TOKEN",
        "$MINGRAM_TOKEN_FILE",
        "INSTAGRAM_API_VERSION",
        "INSTAGRAM_BASE_URL",
        "Exit codes:",
        "  5  a file or directory cannot be written",
    ];
    let help = |args: &[&str]| {
        let output = Command::new(program::path()).args(args).output().unwrap();
        assert_eq!(
            (output.status.code(), &*text(&output.stderr)),
            (Some(0), "")
        );
        text(&output.stdout)
    };
    let whole = help(&[name, "--help"]);
    for same in [&[name, "-h"][..], &["help", name]] {
        assert_eq!(help(same), whole);
    }
    for word in words.iter().chain(&SHARED) {
        assert!(whole.contains(word), "{word}");
    }
    let is_long = |line: &&str| line.chars().count() > 80;
    assert_eq!(whole.lines().find(is_long), None);
    let version = concat!("mingram ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(help(&[name, "-V"]), version);
}

/// A folder of a test's own, removed when it is dropped.
pub struct Temp(pub PathBuf);

impl Temp {
    pub fn new(name: &str) -> Temp {
        Temp::at(std::env::temp_dir(), name)
    }

    /// In memory where the system offers that, for a test that would wait for
    /// the disk a thousand times.
    pub fn in_memory(name: &str) -> Temp {
        let memory = Path::new("/dev/shm");
        match memory.is_dir() {
            true => Temp::at(memory.to_owned(), name),
            false => Temp::new(name),
        }
    }

    fn at(folder: PathBuf, name: &str) -> Temp {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let path = folder.join(format!("mingram-{name}-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Temp(path)
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The names in a folder, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .map(|entries| {
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

/// The paths of all files in a folder, sorted, except those of the program's own notes.
pub fn tree(dir: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for name in names(dir).into_iter().filter(|name| name != ".mingram") {
        match fs::symlink_metadata(dir.join(&name)).unwrap().is_dir() {
            true => paths.extend(
                tree(&dir.join(&name))
                    .iter()
                    .map(|path| format!("{name}/{path}")),
            ),
            false => paths.push(name),
        }
    }
    paths.sort();
    paths
}

/// A small random number generator, so that a failure can be played again.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What the tests of `frame` show: pictures, a video, and an album that begins with one.
pub fn feed() -> Vec<Item> {
    vec![
        Item::image(9, 50, 3000),
        Item::video(8, 40, 50_000),
        Item::album(
            7,
            30,
            vec![Item::video(71, 30, 9000), Item::image(72, 30, 2000)],
        ),
        Item::image(6, 20, 40),
        Item::image(5, 10, 3000),
    ]
}

/// An account whose replies to the paths that begin so are replaced from the second run on.
pub struct Odd {
    pub account: Account,
    replies: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl Odd {
    pub fn new(items: Vec<Item>) -> Odd {
        let replies: Arc<Mutex<Vec<(&'static str, String)>>> = Arc::default();
        let held = replies.clone();
        let account = Account::with_faults(items, move |request, _| {
            let replies = held.lock().unwrap();
            let reply = replies
                .iter()
                .find(|(path, _)| request.target.starts_with(path));
            reply.map_or(Fault::None, |(_, reply)| Fault::Reply(reply.clone()))
        });
        Odd { account, replies }
    }

    /// Everything is as usual again.
    pub fn clear(&self) {
        self.replies.lock().unwrap().clear();
    }

    pub fn set(&self, path: &'static str, reply: impl Into<String>) {
        self.replies.lock().unwrap().insert(0, (path, reply.into()));
    }
}

/// A run under strace; `None` if there is none, or if it may not trace.
#[cfg(target_os = "linux")]
pub fn traced(
    words: &[&str],
    account: &Account,
    dir: &Path,
    args: &[&str],
    log: &Path,
) -> Option<Output> {
    let made = command(words[0], &account.server.url());
    let mut strace = std::process::Command::new("strace");
    for (name, value) in made.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    let strace = strace.args(["-f", "-y", "-o"]).arg(log).args(args);
    let output = strace.arg(program::path()).args(words).arg(dir).output();
    match output {
        Ok(output) if !text(&output.stderr).contains("strace: ") => Some(output),
        other => {
            println!("skipped: no strace here: {other:?}");
            None
        }
    }
}
