//! What the tests share: the fixtures, and servers on the loopback interface.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod replay;
pub mod secrets;

use mingram::Api;
use mingram::transport::Clock;
use replay::{Exchange, Received, Replay, TOKEN, read_request};
use std::fs;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

/// Whether the transport is mingram's own client, not minreq.
#[allow(unexpected_cfgs, reason = "the program's tests share this file")]
pub const DIRECT: bool = cfg!(any(
    feature = "keep-alive",
    all(feature = "https", feature = "platform-roots")
));

/// A private directory of its own, which is removed with all that is in it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("mingram-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).unwrap();
        Folder(path)
    }

    /// The names of the files in it, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Every fixture, by its name without the ending, as `feed/page-1`.
pub fn fixtures() -> Vec<Exchange> {
    // Of the library, whichever package is tested.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut roots = package.ancestors().map(|path| path.join("fixtures"));
    let root = roots.find(|path| path.is_dir()).unwrap();
    let mut found = Vec::new();
    for folder in std::fs::read_dir(&root).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            let name = file
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            let name = name
                .strip_suffix(".http")
                .unwrap_or_else(|| panic!("{name} is no fixture"));
            found.push(Exchange::parse(name, &std::fs::read(&file).unwrap()).unwrap());
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!found.is_empty());
    found
}

/// A replay of all fixtures, and an `Api` that talks to it.
pub fn replay() -> (Replay, Api) {
    let replay = Replay::start(fixtures()).unwrap();
    let api = api(&replay.url());
    (replay, api)
}

/// Where nobody answers: a port that needs root and that nothing uses. One that
/// was free a moment ago may be another test's by now.
pub const NOBODY: &str = "http://127.0.0.1:1";

/// An `Api` for a server on the loopback interface: both addresses there, no
/// retries, and a timeout that no honest test reaches.
pub fn api(url: &str) -> Api {
    Api::new(TOKEN)
        .with_base_url(url)
        .with_login_url(url)
        .with_timeout(Duration::from_secs(20))
        .with_retries(0)
}

/// Runs the test that is called so in a process of its own with this
/// environment, and there does what it is given.
pub fn in_a_child(test: &str, environment: &[(&str, &str)], body: impl FnOnce()) {
    const CHILD: &str = "MINGRAM_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return body();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, test)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

/// A server that hands every connection, with the request read from it, to a
/// function of the test.
pub struct Server {
    address: std::net::SocketAddr,
    connections: Arc<AtomicUsize>,
    received: Arc<Mutex<Vec<Received>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub fn start(answer: impl Fn(&Received, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            received: Arc::default(),
            stop: Arc::default(),
        };
        let (connections, received, stop, answer) = (
            server.connections.clone(),
            server.received.clone(),
            server.stop.clone(),
            Arc::new(answer),
        );
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                connections.fetch_add(1, Ordering::SeqCst);
                let (received, answer) = (received.clone(), answer.clone());
                thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                    let mut reader = BufReader::new(stream);
                    if let Ok(Some(request)) = read_request(&mut reader) {
                        received.lock().unwrap().push(request.clone());
                        answer(&request, reader.get_mut());
                    }
                });
            }
        });
        server
    }

    /// Answers each request with the next of these replies, byte for byte, and
    /// closes; the last one from then on.
    pub fn script<B: Into<Vec<u8>>>(replies: impl IntoIterator<Item = B>) -> Server {
        let replies: Vec<Vec<u8>> = replies.into_iter().map(Into::into).collect();
        let next = Mutex::new(0);
        Server::start(move |_, stream| {
            let mut next = next.lock().unwrap();
            let reply = &replies[(*next).min(replies.len() - 1)];
            *next += 1;
            let _ = stream.write_all(reply);
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there were, whatever came over them.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn api(&self) -> Api {
        api(&self.url())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// A reply with a JSON body.
pub fn json(status: &str, body: &str) -> String {
    reply(
        status,
        &[("Content-Type", "application/json; charset=UTF-8")],
        body,
    )
}

/// A reply with these headers and a length.
pub fn reply(status: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The value of a parameter of a request, percent-decoded by an independent
/// library.
pub fn param(request: &Received, name: &str) -> Option<String> {
    let url = url::Url::parse("http://host")
        .unwrap()
        .join(&request.target)
        .unwrap();
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// A feed of media with the ids 0, 1, 2, … in pages. Cursors are positions;
/// the links carry the token and name another host, as the service's may.
pub fn feed_server(items: usize, default_limit: usize) -> Server {
    Server::start(move |request, stream| {
        let number = |name| {
            param(request, name)
                .map(|value| value.trim_start_matches('c').parse::<usize>().unwrap())
        };
        let limit = number("limit").unwrap_or(default_limit);
        let (from, to) = match (number("after"), number("before")) {
            (Some(after), _) => (after, (after + limit).min(items)),
            (None, Some(before)) => (before.saturating_sub(limit), before),
            (None, None) => (0, limit.min(items)),
        };
        let _ = stream.write_all(json("200 OK", &feed_page(from, to, items)).as_bytes());
    })
}

/// The JSON of one page of [`feed_server`].
pub fn feed_page(from: usize, to: usize, items: usize) -> String {
    let data: Vec<String> = (from..to).map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
    let link = |name: &str, direction: &str, cursor: usize| {
        format!(
            r#","{name}":"https:\/\/graph.facebook.com\/x?access_token={TOKEN}&{direction}=c{cursor}""#
        )
    };
    let next = if to < items {
        link("next", "after", to)
    } else {
        String::new()
    };
    let previous = if from > 0 {
        link("previous", "before", from)
    } else {
        String::new()
    };
    format!(
        r#"{{"data":[{}],"paging":{{"cursors":{{"before":"c{from}","after":"c{to}"}}{next}{previous}}}}}"#,
        data.join(",")
    )
}

/// Unix seconds as an HTTP date. The day of the week is not read by anybody.
pub fn http_date(seconds: u64) -> String {
    const MONTHS: [(&str, u64); 12] = [
        ("Jan", 31),
        ("Feb", 28),
        ("Mar", 31),
        ("Apr", 30),
        ("May", 31),
        ("Jun", 30),
        ("Jul", 31),
        ("Aug", 31),
        ("Sep", 30),
        ("Oct", 31),
        ("Nov", 30),
        ("Dec", 31),
    ];
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut day) = (1970, seconds / 86_400);
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 0;
    let length = |month: usize, year| MONTHS[month].1 + u64::from(month == 1 && is_leap(year));
    while day >= length(month, year) {
        day -= length(month, year);
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!(
        "Mon, {:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT",
        day + 1,
        MONTHS[month].0
    )
}

/// A small generator (SplitMix64), the same everywhere, so that a seed names a run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// An index of a list of this length.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// A clock that does not sleep: it notes what was asked of it, and time passes
/// by that much.
#[derive(Clone)]
pub struct TestClock {
    now: Arc<Mutex<SystemTime>>,
    slept: Arc<Mutex<Vec<Duration>>>,
}

impl TestClock {
    pub fn new(unix_seconds: u64) -> TestClock {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds);
        TestClock {
            now: Arc::new(Mutex::new(now)),
            slept: Arc::default(),
        }
    }

    pub fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }

    /// Time passes, without a sleep.
    pub fn advance(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }

    /// Someone sets the clock.
    pub fn set(&self, unix_seconds: u64) {
        *self.now.lock().unwrap() = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds);
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        *self.now.lock().unwrap()
    }

    fn sleep(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
        self.slept.lock().unwrap().push(time);
    }
}
