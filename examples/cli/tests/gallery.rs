//! The command `gallery`, run as built against an account on the loopback interface.

use miniserde::json::{self, Array, Value};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::SystemTime;

const PICTURE: &[u8] = include_bytes!("../sample/media/portrait.png");
const VIDEO: &[u8] = include_bytes!("../sample/media/tide.mp4");

/// A directory that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("mingram-gallery-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).unwrap()
    }

    fn names(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.join(name)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != ".mingram").collect();
        names.sort();
        names
    }

    /// Every file with what changes when it is written again.
    fn state(&self) -> BTreeMap<String, (u64, SystemTime, Vec<u8>)> {
        let mut state = BTreeMap::new();
        for folder in ["", "media/"] {
            for name in self.names(folder) {
                let name = format!("{folder}{name}");
                let meta = fs::metadata(self.join(&name)).unwrap();
                if meta.is_file() {
                    #[cfg(unix)]
                    let inode = std::os::unix::fs::MetadataExt::ino(&meta);
                    #[cfg(not(unix))]
                    let inode = 0;
                    let bytes = fs::read(self.join(&name)).unwrap();
                    state.insert(name, (inode, meta.modified().unwrap(), bytes));
                }
            }
        }
        state
    }

    /// The posts of `instagram.json`; checks that each of their files is there and has the
    /// recorded size.
    fn posts(&self) -> Array {
        let Ok(Value::Array(posts)) = json::from_str(&self.read("instagram.json")) else {
            panic!("instagram.json is not an array");
        };
        for post in &posts {
            let children = array(post, "children").iter();
            let nested = children.flat_map(|child| array(child, "files"));
            for file in array(post, "files").iter().chain(nested) {
                let meta = fs::metadata(self.join(text(file, "path"))).unwrap();
                assert_eq!(json::to_string(field(file, "size")), meta.len().to_string());
            }
        }
        posts
    }

    fn ids(&self) -> Vec<String> {
        let posts = self.posts();
        posts
            .iter()
            .map(|post| text(post, "id").to_owned())
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    let Value::Object(object) = value else {
        panic!("{value:?} is not an object");
    };
    &object[name]
}

fn array<'a>(value: &'a Value, name: &str) -> &'a Array {
    match field(value, name) {
        Value::Array(array) => array,
        other => panic!("{name}: {other:?}"),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    match field(value, name) {
        Value::String(text) => text,
        other => panic!("{name}: {other:?}"),
    }
}

/// Instead of a status: ends the connection in the middle of the body.
const BREAKS: u16 = 0;

/// Instead of a status: never replies.
const HANGS: u16 = 1;

/// The refusal of a node that does not exist.
const GONE: &str = r#"{"error":{"message":"no such object","type":"IGApiException","code":100,"error_subcode":33}}"#;

/// What the account has, and what goes wrong.
#[derive(Default)]
struct State {
    media: Vec<String>,
    biography: String,
    picture: String,
    /// The reply to requests for a path, or, after a `?`, with this in their query.
    faults: BTreeMap<String, (u16, &'static str)>,
    requests: Vec<String>,
}

struct Account {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Account {
    fn new(media: &[String]) -> Account {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            media: media.to_vec(),
            picture: "me.jpg".to_owned(),
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let (base, shared) = (url.clone(), state.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (base, shared) = (base.clone(), shared.clone());
                thread::spawn(move || serve(stream, &base, &shared));
            }
        });
        Account { url, state }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn fault(&self, path: &str, status: u16, body: &'static str) {
        self.set(|state| {
            state.faults.insert(path.to_owned(), (status, body));
        });
    }

    /// The paths that were requested since the last call.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    fn command(&self, folder: &Folder, args: &[&str]) -> Command {
        let mut command = command(folder, args);
        command.env("INSTAGRAM_TOKEN", "IGQVJsampletoken");
        command.env("INSTAGRAM_BASE_URL", &self.url);
        command
    }

    fn run(&self, folder: &Folder, args: &[&str]) -> Output {
        self.command(folder, args).output().unwrap()
    }

    /// Runs the command, which must exit with this code. Returns what it said on stderr.
    fn expect(&self, folder: &Folder, args: &[&str], code: i32) -> String {
        let output = self.run(folder, args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        said
    }
}

fn command(folder: &Folder, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingram"));
    command.env_clear().arg("gallery").args(args).arg(&folder.0);
    command.env("XDG_CONFIG_HOME", folder.join("no such folder"));
    // Windows programs do not start without.
    if let Some(root) = std::env::var_os("SystemRoot") {
        command.env("SystemRoot", root);
    }
    command
}

fn serve(stream: TcpStream, base: &str, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader
                .read_line(&mut line)
                .ok()
                .filter(|&length| length > 0)?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let target = lines[0].split(' ').nth(1)?.to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (status, body) = {
            let mut state = state.lock().unwrap();
            state.requests.push(path.to_owned());
            let is_meant = |fault: &str| match fault.strip_prefix('?') {
                Some(part) => query.contains(part),
                None => fault == path,
            };
            match state.faults.iter().find(|(fault, _)| is_meant(fault)) {
                Some((_, &(status, body))) => (status, body.as_bytes().to_vec()),
                None => (200, answer(&state, base, path, query)),
            }
        };
        if status == HANGS {
            // Until the other end is gone.
            reader.read_line(&mut String::new()).ok()?;
            return None;
        }
        let stream = reader.get_mut();
        let length = body.len() + if status == BREAKS { 1000 } else { 0 };
        let head = format!(
            "HTTP/1.1 {} -\r\nContent-Length: {length}\r\n\r\n",
            status.max(200)
        );
        stream.write_all(&[head.as_bytes(), &body].concat()).ok()?;
        if status == BREAKS {
            return None;
        }
    }
}

fn answer(state: &State, base: &str, path: &str, query: &str) -> Vec<u8> {
    let parameter = |name: &str| {
        let parts = query.split('&').find_map(|part| part.strip_prefix(name));
        parts.and_then(|value| value.parse::<usize>().ok())
    };
    let json = match path {
        "/me" => format!(
            r#"{{"id":"7","username":"jayposiris","name":"Jay","biography":"{}","profile_picture_url":"{base}/file/{}?oe=1","media_count":{}}}"#,
            state.biography,
            state.picture,
            state.media.len()
        ),
        "/me/media" => {
            // Three to a page, whatever is requested.
            let from = parameter("after=").unwrap_or(0);
            let to = state
                .media
                .len()
                .min(from + parameter("limit=").unwrap_or(25).min(3));
            let next = match to < state.media.len() {
                true => format!(r#","next":"{base}/next""#),
                false => String::new(),
            };
            let data = state.media[from..to].join(",");
            format!(r#"{{"data":[{data}],"paging":{{"cursors":{{"after":"{to}"}}{next}}}}}"#)
        }
        "/30/children" => format!(r#"{{"data":[{},{}]}}"#, image(31, ""), image(32, "")),
        path if path.contains(".mp4") => return VIDEO.to_vec(),
        path if path.starts_with("/file/") => return PICTURE.to_vec(),
        path => {
            let id = format!(r#"{{"id":"{}""#, &path[1..]);
            let found = state.media.iter().find(|media| media.contains(&id));
            return found
                .cloned()
                .unwrap_or(GONE.to_owned())
                .replace("BASE", base)
                .into_bytes();
        }
    };
    json.replace("BASE", base).into_bytes()
}

/// An image, with more fields.
fn image(id: u32, more: &str) -> String {
    let day = 1 + id % 28;
    format!(
        r#"{{"id":"{id}","media_type":"IMAGE","media_url":"BASE/file/{id}.jpg","permalink":"https://www.instagram.com/p/{id}/","timestamp":"2026-11-{day:02}T07:12:00+0000"{more}}}"#
    )
}

fn images(ids: impl Iterator<Item = u32>) -> Vec<String> {
    ids.map(|id| image(id, &format!(r#","caption":"about {id}""#)))
        .collect()
}

#[test]
fn shows_the_sample_without_a_token() {
    let folder = Folder::new();
    let output = command(&folder, &[]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("sample"), "{said}");
    assert_eq!(
        folder.names(""),
        ["feed.xml", "index.html", "instagram.json", "media"]
    );
    let posts = folder.posts();
    assert_eq!((posts.len(), folder.names("media").len()), (12, 17));
    let kinds: Vec<&str> = posts.iter().map(|post| text(post, "kind")).collect();
    let count = |kind| kinds.iter().filter(|found| **found == kind).count();
    assert_eq!((count("image"), count("video"), count("album")), (10, 1, 1));
    let page = folder.read("index.html");
    assert!(page.contains(r#"<span class="count" aria-hidden="true">1/4</span>"#));
    assert!(page.contains(r#"width="480" height="600""#));
    // Whoever gives a token file wants that one.
    let output = command(&folder, &["--token-file", "/no/such/file"])
        .output()
        .unwrap();
    assert_ne!(output.status.code(), Some(0));
}

#[test]
fn the_sample_never_replaces_an_account() {
    let account = Account::new(&images(1..3));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let before = folder.state();
    let output = command(&folder, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(folder.state(), before);
    // But the other way round.
    let folder = Folder::new();
    for _ in 0..2 {
        assert!(command(&folder, &[]).status().unwrap().success());
    }
    account.expect(&folder, &[], 0);
    assert_eq!(folder.ids(), ["1", "2"]);
    assert_eq!(folder.names("media").len(), 3);
}

#[test]
fn files_get_the_time_of_publication() {
    let account = Account::new(&images(1..2));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let meta = fs::metadata(folder.join("media/2026-11-02_1.png")).unwrap();
    let time = meta.modified().unwrap();
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(seconds.as_secs(), 1_793_603_520);
}

#[test]
fn a_summary_for_scripts() {
    let account = Account::new(&images(1..4));
    account.fault("/file/2.jpg", 404, "gone");
    let folder = Folder::new();
    let summary = |args: &[&str]| {
        let out = account.run(&folder, args).stdout;
        String::from_utf8(out).unwrap()
    };
    let first = summary(&["--json"]);
    let start =
        r#"{"posts":2,"files":3,"downloaded":3,"removed":0,"missing":["media/2026-11-03_2: "#;
    assert!(first.starts_with(start), "{first}");
    assert!(
        first.ends_with("\"unavailable\":[],\"error\":null}\n"),
        "{first}"
    );
    account.fault("/me", 200, "<html>");
    let second = summary(&["--json"]);
    assert!(
        matches!(json::from_str(&second), Ok(Value::Object(_))),
        "{second}"
    );
    assert!(!second.contains(r#""error":null"#), "{second}");
    assert_eq!(summary(&["-q"]), "");
}

#[test]
fn a_second_run_writes_and_downloads_nothing() {
    let account = Account::new(&images(1..8));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    assert_eq!(folder.ids(), ["1", "2", "3", "4", "5", "6", "7"]);
    let (before, requests) = (folder.state(), account.requests());
    assert_eq!(before.len(), 3 + 8);
    assert_eq!(
        requests
            .iter()
            .filter(|path| path.starts_with("/file/"))
            .count(),
        8
    );
    account.expect(&folder, &[], 0);
    assert_eq!(folder.state(), before);
    let requests = account.requests();
    assert!(
        !requests.iter().any(|path| path.starts_with("/file/")),
        "{requests:?}"
    );
    // An edited caption changes three files and no media.
    account.set(|state| state.media[0] = image(1, r#","caption":"edited""#));
    account.expect(&folder, &[], 0);
    let mut after = folder.state();
    for name in ["index.html", "instagram.json", "feed.xml"] {
        assert!(
            String::from_utf8_lossy(&after[name].2).contains("edited"),
            "{name}"
        );
        after.insert(name.to_owned(), before[name].clone());
    }
    assert_eq!(after, before);
}

#[test]
fn posts_and_files_that_left_are_removed() {
    let account = Account::new(&images(1..6));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let profile = folder.names("media").pop().unwrap();
    fs::write(folder.join("media/notes.txt"), "mine").unwrap();
    fs::write(folder.join("media/IMG_0001.jpg"), "mine").unwrap();
    fs::write(
        folder.join(".gallery-2026-01-01_9.part"),
        "from a run that was killed",
    )
    .unwrap();
    account.set(|state| {
        state.media.remove(1);
        state.picture = "new.jpg".to_owned();
    });
    account.expect(&folder, &[], 0);
    assert_eq!(folder.ids(), ["1", "3", "4", "5"]);
    let names = folder.names("media");
    assert!(!names.contains(&"2026-11-03_2.png".to_owned()), "{names:?}");
    assert!(!names.contains(&profile), "{names:?}");
    assert_eq!(names.len(), 4 + 1 + 2, "{names:?}");
    assert!(!folder.read("index.html").contains("about 2"));
    assert!(!folder.read("feed.xml").contains("about 2"));
    assert_eq!(folder.names("").len(), 4);
    // Every post may go, if the service counts none.
    account.set(|state| state.media.clear());
    account.expect(&folder, &[], 0);
    assert_eq!(folder.read("instagram.json"), "[]\n");
}

#[test]
fn a_failed_run_leaves_the_old_gallery() {
    let account = Account::new(&images(1..6));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let before = folder.state();
    let error = |code: u32| match code {
        190 => r#"{"error":{"message":"no","type":"OAuthException","code":190}}"#,
        4 => r#"{"error":{"message":"no","type":"OAuthException","code":4}}"#,
        _ => r#"{"error":{"message":"no","type":"OAuthException","code":10}}"#,
    };
    // Two posts are new, and one has left.
    account.set(|state| {
        state.media.remove(4);
        state.media.extend(images(8..10));
    });
    for (path, status, body, code) in [
        ("/me", 400, error(190), 3),
        ("/me/media", 403, error(4), 4),
        ("/me/media", 403, error(10), 1),
        ("/me/media", 200, "<html>", 1),
        ("/me/media", 200, r#"{"data":[]}"#, 1),
    ] {
        account.fault(path, status, body);
        account.expect(&folder, &[], code);
        let mut after = folder.state();
        after.retain(|name, _| !name.contains(".gallery-"));
        assert_eq!(after, before, "{path} {status}");
        account.set(|state| state.faults.clear());
    }
    account.expect(&folder, &[], 0);
    assert_eq!(folder.ids(), ["1", "2", "3", "4", "8", "9"]);
    assert_eq!(folder.names("").len(), 4);
}

#[test]
fn the_page_is_written_last() {
    let account = Account::new(&images(1..3));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let page = folder.read("index.html");
    account.set(|state| {
        state.media.remove(0);
    });
    fs::remove_file(folder.join("instagram.json")).unwrap();
    fs::create_dir(folder.join("instagram.json")).unwrap();
    account.expect(&folder, &[], 5);
    assert_eq!(folder.read("index.html"), page);
    // And what it shows is there.
    assert_eq!(folder.names("media").len(), 3);
    fs::remove_dir(folder.join("instagram.json")).unwrap();
    account.expect(&folder, &[], 0);
    assert_eq!(folder.names("media").len(), 2);
}

#[test]
fn hostile_texts_stay_texts() {
    let captions = [
        r#"<script>alert(1)<\/script>\"><img src=x onerror=alert(1)>"#,
        r#"\u202eevil\u2066 line\u2028line #a\"><b> \u0000\u0008 ]]>"#,
        r#"' onmouseover='alert(1) #tag' &lt;b&gt;"#,
    ];
    let links = [
        "javascript:alert(1)",
        r#"https:\/\/x.example\/\"><b>"#,
        "data:text/html,x",
    ];
    let media = captions
        .iter()
        .zip(links)
        .enumerate()
        .map(|(i, (caption, link))| {
            let more = format!(r#","caption":"{caption}","alt_text":"{caption}""#);
            let image = image(i as u32 + 1, &more);
            image.replace(&format!("https://www.instagram.com/p/{}/", i + 1), link)
        });
    let account = Account::new(&media.collect::<Vec<_>>());
    account.set(|state| state.biography = captions[0].to_owned());
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let (page, feed) = (folder.read("index.html"), folder.read("feed.xml"));
    for file in [&page, &feed] {
        for bad in [
            "<script",
            "<img src=x",
            "<b>",
            "javascript:",
            "data:text",
            "]]>",
        ] {
            assert!(!file.contains(bad), "{bad}");
        }
        for bad in ['\u{202e}', '\u{2066}', '\u{2028}', '\0', '\u{8}'] {
            assert!(!file.contains(bad), "{bad:?}");
        }
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&gt;&lt;img src=x"));
    assert!(page.contains("#a</a>&quot;&gt;&lt;b&gt;"));
    assert!(page.contains("&amp;lt;b&amp;gt;"));
    assert!(page.contains(r#"href="https://x.example/&quot;&gt;&lt;b&gt;""#));
    // The data are as they came, but for links that must not be followed.
    let posts = folder.posts();
    assert!(text(&posts[1], "caption").starts_with("\u{202e}evil\u{2066} line\u{2028}line"));
    assert!(matches!(field(&posts[0], "permalink"), Value::Null));
    assert!(matches!(field(&posts[2], "permalink"), Value::Null));
}

#[test]
fn count_limits_the_posts() {
    let account = Account::new(&images((1..9).rev()));
    let folder = Folder::new();
    account.expect(&folder, &["--count", "4"], 0);
    assert_eq!(folder.ids(), ["8", "7", "6", "5"]);
    assert_eq!(folder.names("media").len(), 5);
    let pages = account
        .requests()
        .iter()
        .filter(|path| *path == "/me/media")
        .count();
    assert_eq!(pages, 2);
    account.expect(&folder, &["-n2"], 0);
    assert_eq!(folder.ids(), ["8", "7"]);
    assert_eq!(folder.names("media").len(), 3);
    for bad in ["0", "10001", "many", "-1"] {
        account.expect(&folder, &["--count", bad], 2);
    }
}

#[test]
fn a_page_is_optional_and_never_overwrites_another() {
    let account = Account::new(&images(1..3));
    let folder = Folder::new();
    fs::write(folder.join("index.html"), "<h1>My site</h1>").unwrap();
    let said = account.expect(&folder, &[], 5);
    assert!(said.contains("another folder"), "{said}");
    assert_eq!(folder.names(""), ["index.html"]);
    assert_eq!(folder.read("index.html"), "<h1>My site</h1>");
    account.expect(&folder, &["--no-html"], 0);
    assert_eq!(folder.read("index.html"), "<h1>My site</h1>");
    assert_eq!(folder.ids(), ["1", "2"]);
    fs::remove_file(folder.join("index.html")).unwrap();
    account.expect(&folder, &[], 0);
    assert!(folder.join("index.html").exists());
    account.expect(&folder, &["--no-html"], 0);
    assert!(!folder.join("index.html").exists());
}

#[test]
fn albums_and_videos() {
    let video = r#"{"id":"20","media_type":"VIDEO","media_url":"BASE/file/20.mp4","thumbnail_url":"BASE/file/20.jpg","timestamp":"2026-11-03T07:12:00+0000"}"#;
    let silent = r#"{"id":"21","media_type":"VIDEO","thumbnail_url":"BASE/file/21.jpg","timestamp":"2026-11-02T07:12:00+0000"}"#;
    let bare = r#"{"id":"22","media_type":"VIDEO","media_url":"BASE/file/22.mp4"}"#;
    // The children of one came with it; those of the other are listed.
    let nested = format!(
        r#"{{"id":"29","media_type":"CAROUSEL_ALBUM","timestamp":"2026-11-01T07:12:00+0000","children":{{"data":[{},{}]}}}}"#,
        image(41, ""),
        video.replace("20", "42").replace("4226", "2026")
    );
    let listed = r#"{"id":"30","media_type":"CAROUSEL_ALBUM","caption":"Two of them.","timestamp":"2026-11-01T07:12:00+0000"}"#;
    let nothing = r#"{"id":"31","media_type":"IMAGE"}"#;
    let media = [video, silent, bare, &nested, listed, nothing].map(str::to_owned);
    let account = Account::new(&media);
    let folder = Folder::new();
    assert_eq!(account.expect(&folder, &[], 0), "");
    let said = account.expect(&folder, &["-v"], 0);
    assert!(
        said.contains("2026-11-02_21") && said.contains("0000-00-00_31"),
        "{said}"
    );
    let posts = folder.posts();
    let kinds = |files: &Array| -> Vec<String> {
        files
            .iter()
            .map(|file| text(file, "kind").to_owned())
            .collect()
    };
    let found: Vec<_> = posts
        .iter()
        .map(|post| {
            let children = array(post, "children").iter();
            let nested: Vec<_> = children.map(|child| kinds(array(child, "files"))).collect();
            (
                text(post, "id"),
                text(post, "kind"),
                kinds(array(post, "files")),
                nested,
            )
        })
        .collect();
    let files = |kinds: &[&str]| {
        kinds
            .iter()
            .map(|kind| (*kind).to_owned())
            .collect::<Vec<_>>()
    };
    let (image, both) = (files(&["image"]), files(&["image", "video"]));
    assert_eq!(
        found,
        [
            ("20", "video", both.clone(), vec![]),
            ("21", "video", image.clone(), vec![]),
            ("22", "video", files(&["video"]), vec![]),
            ("29", "album", image.clone(), vec![image.clone(), both]),
            (
                "30",
                "album",
                image.clone(),
                vec![image.clone(), image.clone()]
            ),
        ]
    );
    let page = folder.read("index.html");
    assert!(page.contains(r#"poster="media/2026-11-03_20_poster.png""#));
    assert!(page.contains(r#"alt="Two of them. (2 of 2)""#));
    assert!(page.contains(r#"alt="Video of 3 November 2026""#));
    assert_eq!(page.matches("1/2</span>").count(), 2);
    let before = folder.state();
    account.expect(&folder, &[], 0);
    assert_eq!(folder.state(), before);
}

#[test]
fn a_refused_file_costs_one_post() {
    let account = Account::new(&images(1..4));
    let folder = Folder::new();
    account.fault("/file/2.jpg", 404, "gone");
    account.fault("/file/3.jpg", 200, "<html>an apology</html>");
    let said = account.expect(&folder, &[], 1);
    assert!(
        said.contains("2026-11-03_2") && said.contains("2026-11-04_3"),
        "{said}"
    );
    assert_eq!(folder.ids(), ["1"]);
    account.set(|state| state.faults.clear());
    account.expect(&folder, &[], 0);
    assert_eq!(folder.ids(), ["1", "2", "3"]);
}

#[test]
fn asks_for_fewer_fields_if_one_is_refused() {
    let account = Account::new(&images(1..6));
    let folder = Folder::new();
    let refused = [
        r#"{"error":{"message":"(#100) Tried accessing nonexisting field (alt_text)","type":"IGApiException","code":100}}"#,
        r#"{"error":{"message":"(#100) Tried accessing nonexisting field (website)","type":"IGApiException","code":100}}"#,
        r#"{"error":{"message":"Unsupported request - method type: get","type":"IGApiException","code":100}}"#,
    ];
    account.fault("?alt_text", 400, refused[0]);
    account.fault("?website", 400, refused[1]);
    let said = account.expect(&folder, &[], 0);
    assert!(said.contains("the field `alt_text`") && said.contains("the field `website`"));
    assert_eq!(folder.ids(), ["1", "2", "3", "4", "5"]);
    // A refusal that names no field is no reason to ask for fewer.
    let before = folder.state();
    account.fault("/me/media", 400, refused[2]);
    account.requests();
    account.expect(&folder, &[], 1);
    assert_eq!(folder.state(), before);
    let requests = account.requests();
    assert_eq!(
        requests.iter().filter(|path| *path == "/me/media").count(),
        1
    );
}

/// A run that is killed while it downloads.
#[test]
fn a_killed_run_leaves_the_old_gallery() {
    let account = Account::new(&images(1..4));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let before = folder.state();
    account.set(|state| state.media.extend(images(8..10)));
    account.fault("/file/9.jpg", HANGS, "");
    account.requests();
    let mut running = account.command(&folder, &[]).spawn().unwrap();
    while !account
        .state
        .lock()
        .unwrap()
        .requests
        .contains(&"/file/9.jpg".to_owned())
    {
        assert!(
            running.try_wait().unwrap().is_none(),
            "it ended before the download"
        );
        thread::sleep(std::time::Duration::from_millis(10));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    let mut after = folder.state();
    after.retain(|name, _| !name.starts_with(".gallery-") && name != "media/2026-11-09_8.png");
    assert_eq!(after, before);
    account.set(|state| state.faults.clear());
    account.expect(&folder, &[], 0);
    assert_eq!(folder.ids(), ["1", "2", "3", "8", "9"]);
    assert_eq!(folder.names("").len(), 4);
}

#[test]
fn says_what_is_wrong_with_the_command_line() {
    let folder = Folder::new();
    let account = Account::new(&[]);
    account.expect(&folder, &["--colour"], 2);
    let without = Command::new(env!("CARGO_BIN_EXE_mingram"))
        .arg("gallery")
        .output()
        .unwrap();
    assert_eq!(without.status.code(), Some(2));
    let help = account.run(&folder, &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("--count"));
}

/// A backup names its files as the gallery does.
#[test]
fn files_of_a_backup_stay() {
    let account = Account::new(&images(1..4));
    let folder = Folder::new();
    fs::create_dir(folder.join("media")).unwrap();
    let old = "media/2020-01-01_99.jpg";
    fs::write(folder.join(old), "of a backup").unwrap();
    account.expect(&folder, &[], 0);
    account.set(|state| drop(state.media.pop()));
    account.expect(&folder, &[], 0);
    assert_eq!(folder.ids(), ["1", "2"]);
    assert_eq!(folder.read(old), "of a backup");
    assert!(!folder.join("media/2026-11-04_3.png").exists());
}

#[test]
fn the_sample_needs_an_empty_directory() {
    let folder = Folder::new();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let output = command(&folder, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(folder.names(""), ["notes.txt"]);
}

#[test]
fn a_list_of_another_program_is_not_overwritten() {
    let account = Account::new(&images(1..2));
    let folder = Folder::new();
    fs::write(folder.join("instagram.json"), "{}").unwrap();
    let said = account.expect(&folder, &["--no-html"], 5);
    assert!(said.contains("another folder"), "{said}");
    assert_eq!(folder.names(""), ["instagram.json"]);
    assert_eq!(folder.read("instagram.json"), "{}");
}

/// The service may stop giving a file, for its music or for an hour.
#[test]
fn what_is_here_stays_without_an_address() {
    let video = r#"{"id":"20","media_type":"VIDEO","media_url":"BASE/file/20.mp4","thumbnail_url":"BASE/file/20.jpg"}"#;
    let account = Account::new(&[image(1, ""), video.to_owned()]);
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let before = folder.state();
    account.set(|state| {
        for media in &mut state.media {
            *media = media
                .replace("media_url", "no_url")
                .replace("thumbnail_url", "no_thumbnail");
        }
    });
    account.expect(&folder, &[], 0);
    assert_eq!(folder.state(), before);
}

/// During an outage the service said so of nodes that existed.
#[test]
fn an_album_that_cannot_be_listed_stays_as_it_was() {
    let album =
        r#"{"id":"30","media_type":"CAROUSEL_ALBUM","timestamp":"2026-11-01T07:12:00+0000"}"#;
    let account = Account::new(&[image(1, ""), album.to_owned()]);
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let before = folder.state();
    for (status, body, code) in [
        (400, GONE, 1),
        (500, "", 1),
        (200, r#"{"data":[]}"#, 0),
        (200, r#"{"data":[{"id":"31","caption":[]}]}"#, 1),
    ] {
        account.fault("/30/children", status, body);
        account.expect(&folder, &[], code);
        assert_eq!(folder.state(), before, "{body}");
    }
    // The page is made of all others, and in another directory without it.
    account.set(|state| state.media.push(image(2, "")));
    account.fault("/30/children", 500, "");
    let said = account.expect(&folder, &[], 1);
    assert!(
        said.contains("missing: media/2026-11-01_30_*: GET /30/children: "),
        "{said}"
    );
    assert_eq!(folder.ids(), ["1", "30", "2"]);
    let other = Folder::new();
    account.expect(&other, &[], 1);
    assert_eq!(other.ids(), ["1", "2"]);
}

#[test]
fn an_album_without_children_shows_its_cover() {
    let cover = r#"{"id":"33","media_type":"CAROUSEL_ALBUM","media_url":"BASE/file/33.jpg","timestamp":"2026-11-01T07:12:00+0000"}"#;
    let bare =
        r#"{"id":"34","media_type":"CAROUSEL_ALBUM","timestamp":"2026-11-01T07:12:00+0000"}"#;
    let account = Account::new(&[cover.to_owned(), bare.to_owned()]);
    for path in ["/33/children", "/34/children"] {
        account.fault(path, 200, r#"{"data":[]}"#);
    }
    let folder = Folder::new();
    let output = account.run(&folder, &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    let report = String::from_utf8(output.stdout).unwrap();
    let counts = r#""listing":{"listed":2,"shown":1,"unavailable":1,"missing":0}"#;
    assert!(report.contains(counts), "{report}");
    assert!(
        report.contains(r#""unavailable":["media/2026-11-01_34: "#),
        "{report}"
    );
    let posts = folder.posts();
    assert_eq!((posts.len(), text(&posts[0], "kind")), (1, "image"));
    assert!(!folder.read("index.html").contains("1/0"));
    // One that fails is counted and shown by its cover, too.
    account.fault("/33/children", 500, "");
    let said = account.expect(&folder, &[], 1);
    assert!(said.contains("missing: media/2026-11-01_33_*: "), "{said}");
    assert_eq!(folder.ids(), ["33"]);
}

/// More than ten children come with an album in pages.
#[test]
fn an_album_is_complete() {
    let album = r#"{"id":"30","media_type":"CAROUSEL_ALBUM","timestamp":"2026-11-01T07:12:00+0000","children":{"data":[{"id":"31","media_type":"IMAGE","media_url":"BASE/file/31.jpg"}],"paging":{"next":"https://x/?after=c"}}}"#;
    let account = Account::new(&[album.to_owned()]);
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    assert_eq!(array(&folder.posts()[0], "children").len(), 2);
}

#[test]
fn a_post_on_two_pages_is_one_post() {
    let mut media = images(1..5);
    media.insert(3, media[0].clone());
    let account = Account::new(&media);
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    assert_eq!(folder.ids(), ["1", "2", "3", "4"]);
    assert_eq!(folder.read("index.html").matches("id=\"p1\"").count(), 1);
    assert_eq!(folder.read("feed.xml").matches("media/1</id>").count(), 1);
}

/// Whatever a file fails for, and whether it is new or an earlier run has it.
#[test]
fn a_file_that_fails_holds_up_nothing() {
    for (status, body) in [
        (BREAKS, "\u{7f}half of it"),
        (500, ""),
        (404, ""),
        (200, "<html>"),
    ] {
        let mut media = images(1..3);
        media.push(
            r#"{"id":"30","media_type":"CAROUSEL_ALBUM","timestamp":"2026-11-01T07:12:00+0000"}"#
                .to_owned(),
        );
        let account = Account::new(&media);
        let folder = Folder::new();
        account.fault("/file/2.jpg", status, body);
        account.fault("/file/31.jpg", status, body);
        let said = account.expect(&folder, &[], 1);
        assert!(said.contains("missing: media/2026-11-03_2: "), "{said}");
        assert_eq!(folder.ids(), ["1", "30"]);
        assert_eq!(array(&folder.posts()[1], "children").len(), 1);
        assert!(folder.read("index.html").contains("about 1"));
        account.set(|state| state.faults.clear());
        account.expect(&folder, &[], 0);
        assert_eq!(folder.ids(), ["1", "2", "30"]);
        assert_eq!(array(&folder.posts()[2], "children").len(), 2);
    }
}

#[test]
fn a_post_that_cannot_be_read_is_counted_and_passed() {
    let account = Account::new(&images(1..4));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    account.set(|state| state.media[1] = r#"{"id":"2","caption":[]}"#.to_owned());
    account.set(|state| {
        state
            .media
            .push(r#"{"id":"a/../b","media_type":"IMAGE"}"#.to_owned())
    });
    account.set(|state| state.media.extend(images(8..9)));
    let output = account.run(&folder, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report = String::from_utf8(output.stdout).unwrap();
    let counts = r#""listing":{"listed":5,"shown":3,"unavailable":0,"missing":2}"#;
    assert!(report.contains(counts), "{report}");
    // What an earlier run has of it stays.
    assert_eq!(folder.ids(), ["1", "2", "3", "8"]);
}

#[test]
fn an_empty_list_of_an_account_that_has_media_is_not_believed() {
    for (me, code) in [
        (r#"{"id":"7","media_count":3}"#, 1),
        (r#"{"id":"7"}"#, 1),
        (r#"{"id":"7","media_count":0}"#, 0),
    ] {
        let account = Account::new(&images(1..4));
        let folder = Folder::new();
        account.expect(&folder, &[], 0);
        let before = folder.state();
        account.fault("/me/media", 200, r#"{"data":[]}"#);
        account.fault("/me", 200, me);
        // They are still there, whatever is counted.
        let said = account.expect(&folder, &[], code);
        assert_eq!(
            said.contains("nothing was changed"),
            code == 1,
            "{me} {said}"
        );
        assert_eq!(
            said.contains("the service still has it"),
            code == 0,
            "{said}"
        );
        let mut after = folder.state();
        after.retain(|name, _| !name.contains("xml") && !name.contains("html"));
        assert!(
            after.iter().all(|(name, file)| before[name] == *file),
            "{me}"
        );
        assert_eq!(folder.ids(), ["1", "2", "3"]);
        assert_eq!(folder.names("media").len(), 4);
    }
}

#[test]
fn files_are_found_by_id_whatever_the_date() {
    let account = Account::new(&images(1..4));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let names = folder.names("media");
    account.requests();
    account.set(|state| {
        state.media[0] = state.media[0].replace("2026-11-02T", "2026-12-31T");
        state.media[1] = state.media[1].replace("timestamp", "no_time");
    });
    account.expect(&folder, &[], 0);
    assert_eq!(folder.names("media"), names);
    let requests = account.requests();
    assert!(
        !requests.iter().any(|path| path.starts_with("/file/")),
        "{requests:?}"
    );
    // The time is as it was, too.
    let posts = folder.posts();
    assert_eq!(text(&posts[0], "published"), "2026-12-31T07:12:00Z");
    assert_eq!(text(&posts[1], "published"), "2026-11-03T07:12:00Z");
}

/// A field that a reply lacks keeps what it was.
#[test]
fn absence_is_not_news() {
    let more = r#","caption":"a caption","alt_text":"a cat""#;
    let account = Account::new(&[image(1, more)]);
    account.set(|state| state.biography = "about me".to_owned());
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let before = folder.state();
    account.set(|state| {
        let bare = r#"{"id":"1","media_type":"IMAGE"}"#;
        state.media = vec![bare.to_owned()];
    });
    account.fault("/me", 200, r#"{"id":"7"}"#);
    account.expect(&folder, &[], 0);
    assert_eq!(folder.state(), before);
}

#[test]
fn a_file_is_shown_as_what_it_is() {
    let account = Account::new(&[
        image(1, "").replace("1.jpg", "1.mp4"),
        image(2, "").replace("IMAGE", "VIDEO"),
    ]);
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let posts = folder.posts();
    let kinds: Vec<_> = posts.iter().map(|post| text(post, "kind")).collect();
    assert_eq!(kinds, ["video", "image"]);
    assert_eq!(
        folder.names("media")[..2],
        ["2026-11-02_1.mp4", "2026-11-03_2.png"]
    );
    assert!(
        folder
            .read("index.html")
            .contains(r#"<video src="media/2026-11-02_1.mp4""#)
    );
}

/// The service lists less at times. One question decides, and none is asked without need.
#[test]
fn a_post_leaves_only_with_a_proof() {
    const LISTED: &str =
        r#"{"data":[{"id":"1","media_type":"IMAGE"},{"id":"5","media_type":"IMAGE"}]}"#;
    for (status, body, leaves) in [
        (200, r#"{"id":"2"}"#, false),
        (400, GONE, true),
        (500, "", false),
        (404, "not here", false),
        (400, r#"{"error":{"message":"no","code":100}}"#, false),
        (400, r#"{"error":{"message":"no","code":190}}"#, false),
    ] {
        let account = Account::new(&images(1..6));
        let folder = Folder::new();
        account.expect(&folder, &[], 0);
        let before = folder.state();
        account.requests();
        account.expect(&folder, &[], 0);
        assert_eq!(account.requests(), ["/me", "/me/media", "/me/media"]);
        account.fault("/me/media", 200, LISTED);
        account.fault("/2", status, body);
        let said = account.expect(&folder, &[], 0);
        let asked = account.requests();
        assert!(asked.contains(&"/2".to_owned()), "{asked:?}");
        assert!(!asked.contains(&"/3".to_owned()), "{asked:?}");
        assert_eq!(
            said.contains("2 is not listed any more, but stays"),
            !leaves,
            "{said}"
        );
        match leaves {
            // Nothing is proved of the others.
            true => assert_eq!(folder.ids(), ["1", "3", "4", "5"]),
            false => assert_eq!(folder.state(), before, "{status} {body}"),
        }
        assert_eq!(folder.names("media").len(), if leaves { 5 } else { 6 });
    }
}

/// The same for the children of an album.
#[test]
fn a_child_leaves_only_with_a_proof() {
    const ONE: &str = r#"{"data":[{"id":"32","media_type":"IMAGE"}]}"#;
    let album =
        r#"{"id":"30","media_type":"CAROUSEL_ALBUM","timestamp":"2026-11-01T07:12:00+0000"}"#;
    let account = Account::new(&[album.to_owned()]);
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let before = folder.state();
    account.fault("/30/children", 200, ONE);
    account.fault("/31", 200, r#"{"id":"31"}"#);
    account.expect(&folder, &[], 0);
    assert_eq!(folder.state(), before);
    account.fault("/31", 400, GONE);
    account.expect(&folder, &[], 0);
    assert_eq!(folder.names("media")[..1], ["2026-11-01_30_02_32.png"]);
    assert_eq!(array(&folder.posts()[0], "children").len(), 1);
    // Its number is that of its name, and nothing is downloaded again.
    account.requests();
    account.expect(&folder, &[], 0);
    assert_eq!(account.requests(), ["/me", "/me/media", "/30/children"]);
}

#[test]
fn what_is_beyond_the_count_has_not_left() {
    let account = Account::new(&images((1..6).rev()));
    let folder = Folder::new();
    account.expect(&folder, &["-n3"], 0);
    account.set(|state| state.media.insert(0, image(9, "")));
    account.requests();
    account.expect(&folder, &["-n3"], 0);
    assert_eq!(folder.ids(), ["9", "5", "4"]);
    assert!(!folder.join("media/2026-11-04_3.png").exists());
    assert_eq!(account.requests(), ["/me", "/me/media", "/file/9.jpg"]);
    // One that is not listed stays, beside as many as are listed.
    account.set(|state| drop(state.media.remove(1)));
    account.fault("/5", 200, r#"{"id":"5"}"#);
    account.expect(&folder, &["-n3"], 0);
    assert_eq!(folder.ids(), ["9", "5", "4", "3"]);
}

/// Though it stands behind the last one that is listed.
#[test]
fn what_is_newer_than_the_oldest_listed_is_not_beyond_the_count() {
    let account = Account::new(&images((1..6).rev()));
    let folder = Folder::new();
    account.expect(&folder, &["-n4"], 0);
    // The list is short of two, and another one seems older than it was.
    account.fault(
        "/me/media",
        200,
        r#"{"data":[{"id":"5","media_type":"IMAGE","timestamp":"2026-11-01T07:12:00+0000"},{"id":"1","media_type":"IMAGE"}]}"#,
    );
    for id in ["/4", "/3", "/2"] {
        account.fault(id, 200, r#"{"id":"0"}"#);
    }
    for _ in 0..4 {
        account.expect(&folder, &["-n2"], 0);
        assert_eq!(folder.names("media").len(), 5);
    }
    // What says that it is older than the list is beyond the count.
    account.fault(
        "/me/media",
        200,
        r#"{"data":[{"id":"5","media_type":"IMAGE","timestamp":"2026-11-06T07:12:00+0000"}]}"#,
    );
    account.fault(
        "/4",
        200,
        r#"{"id":"4","timestamp":"2026-11-07T07:12:00+0000"}"#,
    );
    account.expect(&folder, &["-n1"], 0);
    assert_eq!(folder.ids(), ["5"]);
}

/// One that is still there does not keep those that have left.
#[test]
fn each_that_is_not_listed_gets_its_turn() {
    let account = Account::new(&images((1..7).rev()));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    account.set(|state| state.media.retain(|one| one.contains("/6.jpg")));
    for id in ["/5", "/3"] {
        account.fault(id, 200, r#"{"id":"5"}"#);
    }
    for shown in [
        "65 4321", "65 321", "65 321", "65 31", "65 3", "65 3", "65 3",
    ] {
        account.expect(&folder, &[], 0);
        assert_eq!(folder.ids().concat(), shown.replace(' ', ""));
    }
    assert_eq!(folder.names("media").len(), 4);
}

/// It is listed, and asked for by nobody.
#[test]
fn a_child_that_moves_leaves_its_old_album() {
    let album = |id: u32| {
        format!(
            r#"{{"id":"{id}","media_type":"CAROUSEL_ALBUM","timestamp":"2026-11-01T07:12:00+0000"}}"#
        )
    };
    let account = Account::new(&[album(30), album(40)]);
    let url = account.url.clone();
    let children = |album: &'static str, ids: &'static [u32]| {
        let child = |id: &u32| {
            format!(r#"{{"id":"{id}","media_type":"IMAGE","media_url":"{url}/file/{id}.jpg"}}"#)
        };
        let all: Vec<String> = ids.iter().map(child).collect();
        let text = format!(r#"{{"data":[{}]}}"#, all.join(","));
        account.fault(album, 200, Box::leak(text.into_boxed_str()));
    };
    children("/30/children", &[31, 32]);
    children("/40/children", &[41]);
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let before = folder.names("media");
    children("/30/children", &[32]);
    children("/40/children", &[41, 31]);
    account.requests();
    let said = account.expect(&folder, &[], 0);
    assert!(!said.contains("not listed"), "{said}");
    assert_eq!(
        account.requests(),
        ["/me", "/me/media", "/30/children", "/40/children"]
    );
    assert_eq!(folder.names("media"), before);
    let posts = folder.posts();
    let of = |post: usize| {
        let children = array(&posts[post], "children").iter();
        children.map(|child| text(child, "id")).collect::<Vec<_>>()
    };
    assert_eq!((of(0), of(1)), (vec!["32"], vec!["41", "31"]));
}

#[test]
fn one_bad_post_of_the_list_costs_that_post() {
    let account = Account::new(&images((1..5).rev()));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    let list = folder.read("instagram.json");
    account.set(|state| drop(state.media.drain(..2)));
    account.fault("/3", 200, r#"{"id":"3"}"#);
    account.fault("/4", 200, r#"{"id":"4"}"#);
    let bad = list.replace(r#""id":"4""#, r#""id":4"#);
    for (damaged, shown) in [
        (format!("\u{feff}{list}"), "4321"),
        (list.replace('\n', "\r\n"), "4321"),
        (bad, "321"),
    ] {
        fs::write(folder.join("instagram.json"), &damaged).unwrap();
        account.expect(&folder, &[], 0);
        assert_eq!(folder.ids().concat(), shown);
        let aside = folder.join("instagram.json.damaged");
        assert_eq!(aside.exists(), shown == "321");
        assert_eq!(folder.names("media").len(), 5);
    }
}

fn backup(account: &Account, folder: &Folder) {
    let mut command = account.command(folder, &[]);
    let program = command.get_program().to_owned();
    let url = account.url.clone();
    command = Command::new(program);
    command.env("INSTAGRAM_TOKEN", "IGQVJsampletoken");
    command.env("INSTAGRAM_BASE_URL", url);
    let output = command.arg("backup").arg(folder.join("media")).output();
    assert!(output.unwrap().status.success());
}

/// People keep both in one place. Nothing is downloaded twice, and each removes its own.
#[test]
fn a_backup_in_the_same_place_loses_nothing() {
    let account = Account::new(&images(1..4));
    let folder = Folder::new();
    fs::create_dir(folder.join("media")).unwrap();
    backup(&account, &folder);
    account.requests();
    account.expect(&folder, &[], 0);
    let requests = account.requests();
    assert_eq!(
        requests
            .iter()
            .filter(|path| path.starts_with("/file/"))
            .collect::<Vec<_>>(),
        ["/file/me.jpg"]
    );
    let old = "media/2026/2026-11-04_3.png";
    assert!(folder.join(old).exists());
    // Two that the gallery has downloaded; the backup has found one of them.
    account.set(|state| state.media.extend(images(8..9)));
    account.expect(&folder, &[], 0);
    backup(&account, &folder);
    account.set(|state| state.media.extend(images(9..10)));
    account.expect(&folder, &[], 0);
    assert_eq!(folder.ids(), ["1", "2", "3", "8", "9"]);
    account.set(|state| state.media.truncate(2));
    for _ in 0..3 {
        account.expect(&folder, &[], 0);
    }
    assert_eq!(folder.ids(), ["1", "2"]);
    assert!(folder.join(old).exists());
    assert!(folder.join("media/2026-11-09_8.png").exists());
    assert!(!folder.join("media/2026-11-10_9.png").exists());
}

/// By its own list, which is data and no text to search.
#[test]
fn only_what_was_downloaded_is_removed() {
    let more = r#","caption":"\"media/2020-01-01_9.jpg\" \"media/IMG_1.jpg\" \\""#;
    let account = Account::new(&[image(1, more), image(2, ""), image(3, "")]);
    let folder = Folder::new();
    fs::create_dir(folder.join("media")).unwrap();
    // One of them has the name of a picture, and is shown.
    let own = ["2020-01-01_9.jpg", "IMG_1.jpg", "2026-11-04_3.png", "\\"];
    for name in own {
        fs::write(folder.join("media").join(name), "mine").unwrap();
    }
    for _ in 0..2 {
        account.expect(&folder, &[], 0);
    }
    account.set(|state| state.media.truncate(1));
    for _ in 0..2 {
        account.expect(&folder, &[], 0);
    }
    assert_eq!(folder.ids(), ["1"]);
    for name in own {
        assert_eq!(folder.read(&format!("media/{name}")), "mine", "{name}");
    }
    assert!(!folder.join("media/2026-11-03_2.png").exists());
}

#[test]
fn own_files_that_are_named_like_unfinished_ones_stay() {
    let account = Account::new(&images(1..2));
    let folder = Folder::new();
    let own = [".gallery-notes", ".gallery-2020.part", ".gallery-x_1.part"];
    for name in own {
        fs::write(folder.join(name), "mine").unwrap();
    }
    for name in [
        ".gallery-album",
        ".gallery-2020-01-01_8.part",
        ".gallery-index.html.part",
    ] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    for name in [
        ".gallery-2020-01-01_7.part",
        ".gallery-2020-01-01_7.version.part",
        ".gallery-feed.xml.part",
        ".gallery-profile_0123456789abcdef.part",
    ] {
        fs::write(folder.join(name), "left behind").unwrap();
    }
    account.expect(&folder, &["--no-html"], 0);
    let mut names = folder.names("");
    names.retain(|name| name.starts_with(".gallery-"));
    let mut left = [
        &own[..],
        &[
            ".gallery-album",
            ".gallery-2020-01-01_8.part",
            ".gallery-index.html.part",
        ],
    ]
    .concat();
    left.sort();
    assert_eq!(names, left);
}

/// A kill between the page and the removing, and one before the page.
#[test]
fn what_a_killed_run_left_is_not_nobodys() {
    let account = Account::new(&images(1..4));
    let folder = Folder::new();
    account.fault("/file/3.jpg", HANGS, "");
    let mut running = account.command(&folder, &[]).spawn().unwrap();
    while !account
        .state
        .lock()
        .unwrap()
        .requests
        .contains(&"/file/3.jpg".to_owned())
    {
        assert!(running.try_wait().unwrap().is_none(), "it ended too early");
        thread::sleep(std::time::Duration::from_millis(10));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(folder.names("media").len(), 3);
    account.set(|state| {
        state.faults.clear();
        state.media.remove(0);
    });
    account.expect(&folder, &[], 0);
    assert_eq!(folder.ids(), ["2", "3"]);
    assert_eq!(
        folder.names("media").len(),
        3,
        "{:?}",
        folder.names("media")
    );
}

#[test]
fn a_damaged_list_loses_nothing() {
    for damage in [
        &b"[\xff]"[..],
        b"",
        b"\0\0\0\0",
        b"[{\"id\":",
        b"[\n{\"id\":\"../x\"},7\n]\n",
    ] {
        let account = Account::new(&images(1..4));
        let folder = Folder::new();
        account.expect(&folder, &[], 0);
        fs::write(folder.join("instagram.json"), damage).unwrap();
        account.set(|state| drop(state.media.remove(0)));
        account.fault("/1", 200, r#"{"id":"1"}"#);
        // A run that fails changes nothing.
        account.fault("/me/media", 403, "no");
        account.expect(&folder, &[], 1);
        assert_eq!(fs::read(folder.join("instagram.json")).unwrap(), damage);
        account.set(|state| state.faults.retain(|path, _| path != "/me/media"));
        account.requests();
        account.expect(&folder, &[], 0);
        assert_eq!(folder.ids(), ["2", "3"]);
        assert_eq!(folder.names("media").len(), 4);
        let aside = folder.join("instagram.json.damaged");
        assert!(aside.exists(), "{damage:?}");
        let requests = account.requests();
        assert!(
            !requests.iter().any(|path| path.starts_with("/file/")),
            "{requests:?}"
        );
    }
}

/// A directory of version 0.1 has no record. It is taken over, if it is of this account.
#[test]
fn the_gallery_of_another_account_is_refused() {
    for is_old in [false, true] {
        let account = Account::new(&images(1..4));
        let folder = Folder::new();
        account.expect(&folder, &[], 0);
        let forget = || {
            if is_old {
                let _ = fs::remove_dir_all(folder.join(".mingram"));
            }
        };
        forget();
        let before = folder.state();
        let me = r#"{"id":"8","user_id":"88","username":"other","media_count":1}"#;
        account.fault("/me", 200, me);
        account.fault(
            "/me/media",
            200,
            r#"{"data":[{"id":"99","media_type":"IMAGE"}]}"#,
        );
        let said = account.expect(&folder, &[], 1);
        assert!(
            said.contains("has a gallery of another account, "),
            "{said}"
        );
        assert_eq!(folder.state(), before);
        // The same under another name, or for another app.
        for me in [
            r#"{"id":"7","username":"renamed","media_count":3}"#,
            r#"{"id":"70","username":"renamed","media_count":3}"#,
        ] {
            account.set(|state| state.faults.clear());
            account.fault("/me", 200, me);
            forget();
            account.expect(&folder, &[], 0);
            assert_eq!(folder.names("media").len(), 4);
        }
        account.set(|state| state.faults.clear());
        account.set(|state| drop(state.media.remove(0)));
        forget();
        account.fault(
            "/me",
            200,
            r#"{"id":"70","username":"renamed","media_count":3}"#,
        );
        account.expect(&folder, &[], 0);
        assert_eq!(folder.names("media").len(), 3);
    }
    let account = Account::new(&images(1..4));
    let folder = Folder::new();
    account.expect(&folder, &[], 0);
    fs::write(folder.join(".mingram/gallery.json"), "\0\0").unwrap();
    let said = account.expect(&folder, &[], 1);
    assert!(
        said.contains("is damaged, so it is not known whose"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn places_that_lead_elsewhere_or_never_end_are_refused() {
    let account = Account::new(&images(1..4));
    for name in ["index.html", "feed.xml", "instagram.json"] {
        let folder = Folder::new();
        let pipe = Command::new("mkfifo").arg(folder.join(name)).status();
        assert!(pipe.unwrap().success());
        let said = account.expect(&folder, &[], 5);
        assert!(
            said.contains(&format!("{name}: it is a pipe or a device")),
            "{said}"
        );
        // Without a token the directory is looked at first.
        assert_eq!(
            command(&folder, &[]).output().unwrap().status.code(),
            Some(3)
        );
        assert_eq!(folder.names(""), [name]);
    }
    let (folder, other) = (Folder::new(), Folder::new());
    std::os::unix::fs::symlink(&other.0, folder.join("media")).unwrap();
    let said = account.expect(&folder, &[], 5);
    assert!(said.contains("media: it is a link"), "{said}");
    assert_eq!(other.names(""), [""; 0]);
    assert_eq!(account.requests(), [""; 0]);
}
