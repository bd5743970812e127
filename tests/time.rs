//! The two time limits. `with_timeout`: until the headers of a request have arrived, then
//! for each silence within the body. `with_download_timeout`: all the waiting of a download.

mod common;

use common::secrets::{found, shown};
use common::{DIRECT, Server, TestClock, json, replay::TOKEN};
use mingram::auth::{App, Code};
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, Error, ErrorKind, Result};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A limit that is reached.
const SHORT: Duration = Duration::from_millis(300);

/// A limit that is not.
const LONG: Duration = Duration::from_secs(60);

/// When a server that is silent ends the connection: see [`Server`].
const SERVER: Duration = Duration::from_secs(10);

/// Waits until the client goes away.
fn hold(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0]);
}

/// Sends a byte now and then, until the client goes away.
fn drip(stream: &mut TcpStream, bytes: impl IntoIterator<Item = u8>, pause: Duration) {
    let _ = stream.set_nodelay(true);
    for byte in bytes {
        if stream.write_all(&[byte]).is_err() {
            return;
        }
        sleep(pause);
    }
}

/// The error of a call whose limit is reached, and not that of the server, nor another.
#[track_caller]
fn times_out<T>(limit: Duration, call: impl FnOnce() -> Result<T>) -> Error {
    let start = Instant::now();
    let error = call().map(drop).unwrap_err();
    let took = start.elapsed();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(took >= limit * 9 / 10, "took only {took:?}: {error}");
    assert!(took < SERVER * 8 / 10, "took {took:?}: {error}");
    assert_eq!(found(&shown(&error), &[TOKEN]), None);
    error
}

type Call = fn(&Api, &Server) -> Result<()>;

const CALLS: [(&str, Call); 4] = [
    ("call", |api, _| api.me("").map(drop)),
    ("login", |api, _| {
        let app = App::new("1", "S", "https://x.example/");
        api.exchange_code(&app, &Code::new("C")).map(drop)
    }),
    ("download", |api, server| {
        let url = format!("{}/f", server.url());
        let download = api.download(&url).accept_any_type();
        download.write_to(&mut io::sink()).map(drop)
    }),
    ("file", |api, server| {
        let folder = common::Folder::new();
        let url = format!("{}/f", server.url());
        let download = api.download(&url).accept_any_type();
        download.save(folder.0.join("f")).map(drop)
    }),
];

#[test]
fn silence_ends_every_request() {
    for reply in [
        "",
        "HTTP/1.1 200 OK\r\nA: b\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        "HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\n{",
    ] {
        let server = Server::start(move |_, stream| {
            let _ = stream.write_all(reply.as_bytes());
            hold(stream);
        });
        let api = server.api().with_timeout(SHORT).with_download_timeout(LONG);
        std::thread::scope(|scope| {
            for (name, call) in CALLS {
                let (api, server) = (&api, &server);
                scope.spawn(move || {
                    println!("{name}, {reply:?}");
                    times_out(SHORT, || call(api, server))
                });
            }
        });
    }
}

/// Headers that drip in are not there yet.
#[test]
fn headers_that_drip() {
    let server = Server::start(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\n"
            .iter()
            .chain(b"A: b\r\n".iter().cycle());
        drip(stream, head.copied(), SHORT / 20);
    });
    let api = server.api().with_timeout(SHORT).with_download_timeout(LONG);
    for (_, call) in CALLS {
        times_out(SHORT, || call(&api, &server));
    }
}

/// A body that takes longer than the limit, and is never silent for so long.
#[test]
fn a_slow_body_is_not_silent() {
    const TIME: Duration = Duration::from_secs(2);
    const BODY: &str = r#"{"id":"1234"}"#;
    let with_length = format!("Content-Length: {}\r\n\r\n", BODY.len());
    let one_chunk = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", BODY.len());
    std::thread::scope(|scope| {
        for (head, end) in [(with_length, ""), (one_chunk, "\r\n0\r\n\r\n")] {
            let server = Arc::new(Server::start(move |_, stream| {
                let _ = write!(stream, "HTTP/1.1 200 OK\r\n{head}");
                drip(stream, BODY.bytes(), TIME / 8);
                let _ = stream.write_all(end.as_bytes());
            }));
            let api = server.api().with_timeout(TIME).with_download_timeout(LONG);
            let (other, api2) = (server.clone(), api.clone());
            scope.spawn(move || assert_eq!(api.me("").unwrap().id, "1234", "{:?}", server.url()));
            scope.spawn(move || {
                let url = format!("{}/f", other.url());
                let mut file = Vec::new();
                let download = api2
                    .download(&url)
                    .accept_unknown_length()
                    .accept_any_type();
                download.write_to(&mut file).unwrap();
                assert_eq!(file, BODY.as_bytes());
            });
        }
    });
}

/// Five times the limit, wherever the bytes drip.
#[test]
fn a_call_ends_though_its_reply_trickles() {
    let most = 5 * SHORT;
    // To minreq only bytes of the body are none of silence.
    let framing = if DIRECT { most } else { SHORT };
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rows = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n".to_owned(),
            most,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), most),
        (
            "HTTP/1.1 503 No\r\nContent-Length: 99999\r\n\r\n".to_owned(),
            most,
        ),
        (format!("{chunked}ffff\r\n"), most),
        (format!("{chunked}1\r\n{{\r\n1;"), framing),
        (format!("{chunked}1\r\n{{\r\n0\r\nA:"), framing),
    ];
    std::thread::scope(|scope| {
        for (head, limit) in rows {
            scope.spawn(move || {
                println!("{head:?}");
                let server = Server::start(move |_, stream| {
                    let _ = stream.write_all(head.as_bytes());
                    drip(stream, std::iter::repeat(b' '), SHORT / 20);
                });
                let api = server.api().with_timeout(SHORT).with_download_timeout(LONG);
                times_out(limit, || api.me(""));
            });
        }
    });
}

/// Redirects are requests of their own, within five times the limit in all.
#[test]
fn redirects_have_their_time() {
    const TIME: Duration = Duration::from_secs(2);
    let server = Server::start(|request, stream| {
        sleep(TIME / 4);
        let hop: u32 = request.target[1..].parse().unwrap_or(0);
        let location = format!("/{}", hop + 1);
        let reply = match hop {
            5 => json("200 OK", r#"{"id":"1"}"#),
            _ => common::reply("302 Found", &[("Location", &location)], ""),
        };
        let _ = stream.write_all(reply.as_bytes());
    });
    let api = server.api().with_timeout(TIME).with_download_timeout(LONG);
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(api.me("").unwrap().id, "1"));
        scope.spawn(|| CALLS[2].1(&api, &server).unwrap());
    });
    // The download's limit is one for all of them.
    let api = api.with_download_timeout(TIME);
    let error = times_out(TIME, || CALLS[2].1(&api, &server));
    assert!(
        error.to_string().contains("with_download_timeout"),
        "{error}"
    );
}

fn refusing() -> Server {
    Server::script([common::reply("503 Busy", &[], "")])
}

/// The delays between retries count, by whatever clock.
#[test]
fn delays_count_for_the_download() {
    let server = refusing();
    let clock = TestClock::new(0);
    let api = server.api().with_retries(10).with_clock(clock.clone());
    let api = api.with_download_timeout(Duration::from_secs(3));
    let url = format!("{}/f", server.url());
    let error = api.download(&url).open().unwrap_err();
    // Why it failed, not that no time is left for another attempt.
    assert_eq!(error.status(), Some(503), "{error}");
    let slept: Duration = clock.slept().iter().sum();
    assert!(slept < Duration::from_secs(3), "{:?}", clock.slept());
    assert!(
        (2..=4).contains(&clock.slept().len()),
        "{:?}",
        clock.slept()
    );
    assert_eq!(server.received().len(), clock.slept().len() + 1);
    // The attempts of a call have a limit each, and none together.
    let before = server.received().len();
    let api = api.with_timeout(Duration::from_secs(3));
    assert_eq!(api.me("").unwrap_err().status(), Some(503));
    assert_eq!(server.received().len() - before, 11);
}

/// What an attempt has spent is not given to the next one.
#[test]
fn attempts_share_the_time_of_the_download() {
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 6\r\n\r\n");
        drip(stream, *b"busy..", Duration::from_millis(100));
    });
    let api = server.api().with_retries(10).with_clock(TestClock::new(0));
    let api = api.with_download_timeout(Duration::from_secs(2));
    let url = format!("{}/f", server.url());
    let start = Instant::now();
    let error = api.download(&url).open().unwrap_err();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    let requests = server.received().len();
    assert!((1..=3).contains(&requests), "{requests}: {error}");
    // The last of them was refused as well, or was under way.
    let timeout = error.to_string().contains("with_download_timeout");
    assert!(timeout || error.status() == Some(503), "{error}");
}

/// A resumable download has one limit for everything that it requests, even if each request
/// brings it further.
#[test]
fn what_continues_has_one_limit() {
    const LENGTH: usize = 10_000;
    let server = Server::start(|request, stream| {
        let range = request.headers.iter().find(|(name, _)| name == "range");
        let from: usize = range.map_or(0, |(_, range)| {
            let from = range.trim_start_matches("bytes=").trim_end_matches('-');
            from.parse().unwrap()
        });
        let status = match from {
            0 => "200 OK\r\n".to_owned(),
            _ => format!(
                "206 Partial Content\r\nContent-Range: bytes {from}-{}/{LENGTH}\r\n",
                LENGTH - 1
            ),
        };
        let length = LENGTH - from;
        let _ = write!(
            stream,
            "HTTP/1.1 {status}ETag: \"a\"\r\nContent-Length: {length}\r\n\r\n"
        );
        let _ = stream.write_all(&[7; 600]);
        drip(stream, [7; 3], Duration::from_millis(100));
    });
    let api = server.api().with_retries(2).with_clock(TestClock::new(0));
    let api = api.with_download_timeout(Duration::from_secs(2));
    let url = format!("{}/f", server.url());
    let folder = common::Folder::new();
    let download = api.download(&url);
    let error = download.save_resumable(folder.0.join("f")).unwrap_err();
    // 0.3 s, and a delay of 0.25 s or more after each.
    let requests = server.received().len();
    assert!(requests <= 5, "{requests}: {error}");
    assert!(error.is_network(), "{error}");
    // The time of a later call is its own.
    let (before, download) = (server.received().len(), api.download(&url));
    download.save_resumable(folder.0.join("f")).unwrap_err();
    assert!(server.received().len() > before);
}

/// A body of many pieces, the second half of which is sent when the caller has paused.
fn halves(resumed: &Arc<AtomicBool>) -> (Server, Vec<u8>) {
    let file: Vec<u8> = (0..400_000_u32).map(|at| (at / 7) as u8).collect();
    let (sent, resumed) = (file.clone(), resumed.clone());
    let server = Server::start(move |_, stream| {
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            sent.len()
        );
        let (first, second) = sent.split_at(sent.len() / 2);
        let _ = stream.write_all(first);
        while !resumed.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(10));
        }
        let _ = stream.write_all(second);
    });
    (server, file)
}

/// Longer than both limits of the tests below.
const PAUSE: Duration = Duration::from_millis(1500);

fn hasty(server: &Server) -> Api {
    let api = server.api().with_timeout(PAUSE / 3);
    api.with_download_timeout(PAUSE / 2)
}

#[test]
fn a_caller_that_pauses() {
    let resumed = Arc::default();
    let (server, file) = halves(&resumed);
    let (api, url) = (hasty(&server), server.url());
    let mut body = api.download(&url).open().unwrap();
    let mut read = vec![0; 10];
    // Right after the headers, and within the body.
    sleep(PAUSE);
    body.read_exact(&mut read).unwrap();
    sleep(PAUSE);
    resumed.store(true, Ordering::SeqCst);
    body.read_to_end(&mut read).unwrap();
    assert!(read == file);
}

/// Pauses after the first pieces, as a disk that has to spin up.
struct SlowDisk(Vec<u8>, usize, Arc<AtomicBool>);

impl Write for SlowDisk {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.1 > 0 {
            self.1 -= 1;
            sleep(PAUSE / 4);
            self.2.store(self.1 == 0, Ordering::SeqCst);
        }
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_is_slow() {
    let resumed = Arc::default();
    let (server, file) = halves(&resumed);
    let (api, url) = (hasty(&server), server.url());
    let mut disk = SlowDisk(Vec::new(), 4, resumed);
    api.download(&url).write_to(&mut disk).unwrap();
    assert!(disk.0 == file);
}

#[test]
fn a_progress_bar_that_is_slow() {
    let resumed = Arc::new(AtomicBool::default());
    let (server, file) = halves(&resumed);
    let (api, url) = (hasty(&server), server.url());
    let folder = common::Folder::new();
    let path = folder.0.join("f");
    let download = api.download(&url).on_progress(|_, _| {
        if !resumed.load(Ordering::SeqCst) {
            sleep(PAUSE);
            resumed.store(true, Ordering::SeqCst);
        }
        ControlFlow::Continue(())
    });
    download.save(&path).unwrap();
    assert!(std::fs::read(&path).unwrap() == file);
}

/// The caller's pauses do not prolong the download's own time either.
#[test]
fn a_download_that_drips() {
    const TIME: Duration = Duration::from_secs(1);
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        "HTTP/1.1 404 No\r\nContent-Length: 999\r\n\r\n",
    ] {
        let server = Server::start(move |_, stream| {
            let _ = stream.write_all(head.as_bytes());
            drip(stream, std::iter::repeat(b' '), SHORT / 20);
        });
        let api = server.api().with_timeout(LONG).with_download_timeout(TIME);
        let url = server.url();
        let error = times_out(TIME, || {
            let mut body = api.download(&url).accept_unknown_length().open()?;
            sleep(SHORT);
            body.write_to(&mut io::sink())
        });
        assert!(
            error.to_string().contains("with_download_timeout"),
            "{error}"
        );
    }
}

#[test]
fn no_time_at_all() {
    let server = Server::script([json("200 OK", r#"{"id":"1"}"#)]);
    let (none, some) = (Duration::ZERO, Duration::from_secs(5));
    for (timeout, of_download, name) in [
        (none, some, "with_timeout"),
        (some, none, "with_download_timeout"),
        (none, none, "with_timeout"),
    ] {
        let api = server.api().with_timeout(timeout);
        let api = api.with_download_timeout(of_download);
        for (_, call) in CALLS {
            let error = call(&api, &server).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    assert_eq!(server.connections(), 0);
}

/// A transport that knows nothing of time, and notes what it was given.
#[derive(Clone, Default)]
struct Careless {
    /// How long `send` takes, and each read.
    times: (Duration, Duration),
    /// A redirect instead of a body without end.
    redirects: bool,
    given: Arc<Mutex<Vec<(Duration, Duration)>>>,
}

impl Transport for Careless {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let given = (request.timeout, request.budget);
        self.given.lock().unwrap().push(given);
        sleep(self.times.0);
        Ok(Response::new(
            if self.redirects { 302 } else { 200 },
            vec![
                ("Location".to_owned(), "/me".to_owned()),
                ("Content-Length".to_owned(), "8000000".to_owned()),
            ],
            Slow(self.times.1),
        ))
    }
}

struct Slow(Duration);

impl Read for Slow {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        sleep(self.0);
        let length = buf.len().min(1);
        buf[..length].fill(b' ');
        Ok(length)
    }
}

fn careless(transport: &Careless) -> Api {
    Api::new(TOKEN)
        .with_retries(0)
        .with_transport(transport.clone())
}

#[test]
fn what_a_transport_is_given() {
    let transport = Careless {
        redirects: true,
        ..Careless::default()
    };
    let given = || std::mem::take(&mut *transport.given.lock().unwrap());
    let api = careless(&transport);
    let seconds = Duration::from_secs;
    api.me("").unwrap_err();
    for (timeout, budget) in given() {
        assert_eq!(timeout, seconds(30));
        assert!(
            budget > seconds(149) && budget <= seconds(150),
            "{budget:?}"
        );
    }
    let url = "https://graph.instagram.com/f";
    let api = api
        .with_timeout(seconds(2))
        .with_download_timeout(seconds(12));
    api.download(url).open().unwrap_err();
    for (timeout, budget) in given() {
        assert_eq!(timeout, seconds(2));
        assert!(budget > seconds(11) && budget <= seconds(12), "{budget:?}");
    }
    let api = api.with_timeout(Duration::MAX);
    api.download(url).open().unwrap_err();
    for (timeout, budget) in given() {
        assert_eq!(timeout, budget);
        assert!(budget > seconds(11) && budget <= seconds(12), "{budget:?}");
    }
    api.with_download_timeout(Duration::MAX)
        .download(url)
        .open()
        .unwrap_err();
    for (timeout, budget) in given() {
        // The longest there is.
        assert_eq!(timeout, budget);
        assert!(budget > seconds(364 * 24 * 3600), "{budget:?}");
    }
}

/// mingram looks at the clock between the reads of any transport.
#[test]
fn a_transport_that_knows_nothing_of_time() {
    let slow = Careless {
        times: (Duration::ZERO, SHORT / 10),
        ..Careless::default()
    };
    let api = careless(&slow)
        .with_timeout(SHORT)
        .with_download_timeout(SHORT);
    times_out(5 * SHORT, || api.me(""));
    let url = "https://cdn.example/f";
    let download = || {
        let mut body = api.download(url).accept_any_type().open()?;
        // Not the download's.
        sleep(2 * SHORT);
        body.write_to(&mut io::sink())
    };
    times_out(3 * SHORT, download);
    let error = download().unwrap_err();
    assert!(
        error.to_string().contains("with_download_timeout"),
        "{error}"
    );

    let redirects = Careless {
        times: (2 * SHORT, Duration::ZERO),
        redirects: true,
        ..Careless::default()
    };
    let api = careless(&redirects).with_timeout(SHORT);
    times_out(5 * SHORT, || api.me(""));
    assert_eq!(redirects.given.lock().unwrap().len(), 3);
}
