//! Faults at random, over real sockets: a long feed read from a server that
//! breaks connections, and many threads on one `Api`.
//!
//! The seed is printed; `MINGRAM_SEED=…` runs that one again.

mod common;

use common::replay::{Received, read_request};
use common::{Random, Server, TestClock, feed_page, json, param, reply};
use mingram::{Api, ErrorKind};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const ITEMS: usize = 10_000;
const PAGE: usize = 20;

fn seed() -> u64 {
    let seed = match std::env::var("MINGRAM_SEED") {
        Ok(seed) => seed.parse().expect("MINGRAM_SEED is a number"),
        Err(_) => std::collections::hash_map::RandomState::new()
            .build_hasher()
            .finish(),
    };
    println!("MINGRAM_SEED={seed}");
    seed
}

/// What becomes of a connection that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    CloseBeforeAByte,
    CloseInTheHead,
    CloseInTheBody,
    CloseInAnUnannouncedBody,
    CloseInAChunk,
    CloseBetweenChunks,
    BadChunkSize,
    ResetAtOnce,
    ResetInTheBody,
    ServerError,
    TemporaryError,
    Html,
    Garbage,
    EndlessBody,
    SilenceAtOnce,
    SilenceInTheBody,
    DripOfTheBody,
}

const FAULTS: [Fault; 14] = [
    Fault::CloseBeforeAByte,
    Fault::CloseInTheHead,
    Fault::CloseInTheBody,
    Fault::CloseInAnUnannouncedBody,
    Fault::CloseInAChunk,
    Fault::CloseBetweenChunks,
    Fault::BadChunkSize,
    Fault::ResetAtOnce,
    Fault::ResetInTheBody,
    Fault::ServerError,
    Fault::TemporaryError,
    Fault::Html,
    Fault::Garbage,
    Fault::EndlessBody,
];

/// Each takes all the time that a call has: five times the limit for the last.
const SLOW_FAULTS: [Fault; 3] = [
    Fault::SilenceAtOnce,
    Fault::SilenceInTheBody,
    Fault::DripOfTheBody,
];

/// Which connections a server breaks, and how its feed is read.
#[derive(Clone, Copy)]
struct Run {
    /// So many of a hundred,
    percent: u64,
    /// and no more than these.
    most: usize,
    faults: &'static [Fault],
    /// The server says that it closes.
    announced: bool,
    timeout: Duration,
    retries: u32,
    backwards: bool,
}

const RUN: Run = Run {
    percent: 50,
    most: usize::MAX,
    faults: &FAULTS,
    announced: true,
    timeout: Duration::from_secs(20),
    retries: 2,
    backwards: false,
};

/// A feed of [`ITEMS`] behind a server that breaks connections.
struct Broken {
    url: String,
    stop: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    faults: Arc<Mutex<BTreeMap<Fault, usize>>>,
}

impl Broken {
    fn start(run: Run, seed: u64) -> Broken {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let broken = Broken {
            url: format!("http://{}", listener.local_addr().unwrap()),
            stop: Arc::default(),
            connections: Arc::default(),
            faults: Arc::default(),
        };
        let (stop, connections, faults) = (
            broken.stop.clone(),
            broken.connections.clone(),
            broken.faults.clone(),
        );
        // One connection after another, so that a seed is the same run again.
        thread::spawn(move || {
            let mut random = Random(seed);
            let mut count = 0;
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                connections.fetch_add(1, Ordering::SeqCst);
                let breaks = random.percent(run.percent) && count < run.most;
                let fault = breaks.then(|| {
                    // The slow ones in turn, because they are few.
                    let fault = match run.faults {
                        faults if run.most < usize::MAX => faults[count % faults.len()],
                        faults => faults[random.index(faults.len())],
                    };
                    count += 1;
                    *faults.lock().unwrap().entry(fault).or_default() += 1;
                    fault
                });
                // The client may be gone: that is the point.
                let _ = serve(stream, fault, &mut random, run.announced);
            }
        });
        broken
    }

    fn faults(&self) -> BTreeMap<Fault, usize> {
        self.faults.lock().unwrap().clone()
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

/// Serves one request and closes; says so before, where that is announced.
fn serve(
    stream: TcpStream,
    fault: Option<Fault>,
    random: &mut Random,
    announced: bool,
) -> std::io::Result<()> {
    let closing = |reply: String| match announced {
        true => reply.replacen("\r\n", "\r\nConnection: close\r\n", 1),
        false => reply,
    };
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_nodelay(true)?;
    if let Some(fault @ (Fault::ResetAtOnce | Fault::ResetInTheBody)) = fault {
        // A socket closed over bytes that were not read sends a reset.
        // So the request line is taken byte by byte, and nothing behind it.
        let (mut line, mut byte) = (Vec::new(), [0]);
        while !line.ends_with(b"\n") {
            (&stream).read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        if fault == Fault::ResetInTheBody {
            let target = String::from_utf8_lossy(&line);
            let target = target.split(' ').nth(1).unwrap_or("/").to_owned();
            let whole = closing(json("200 OK", &page(&target)));
            let cut = whole.find("\r\n\r\n").unwrap() + 5;
            let cut = cut + random.index(whole.len() - cut);
            (&stream).write_all(&whole.as_bytes()[..cut])?;
        }
        return Ok(());
    }
    let mut reader = BufReader::new(stream);
    let Some(Received { target, .. }) = read_request(&mut reader)? else {
        return Ok(());
    };
    let body = page(&target);
    let mut cut = |whole: String, from: usize| {
        let cut = from + random.index(whole.len() - from);
        whole.as_bytes()[..cut].to_vec()
    };
    let head = closing("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n".to_owned());
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len());
    let middle = body.len() / 2;
    let whole = closing(json("200 OK", &body));
    let head_end = whole.find("\r\n\r\n").unwrap() + 4;
    // minreq may leave the connection open for longer than the call waits: the next one is
    // served in the meantime.
    let gone = |mut reader: BufReader<TcpStream>| {
        thread::spawn(move || reader.read_to_end(&mut Vec::new()));
        Ok(())
    };
    let bytes = match fault {
        None => whole.into_bytes(),
        Some(Fault::EndlessBody) => {
            reader
                .get_mut()
                .write_all(format!("{head}\r\n[").as_bytes())?;
            loop {
                reader.get_mut().write_all(&[b' '; 4096])?;
            }
        }
        Some(Fault::SilenceAtOnce) => return gone(reader),
        Some(Fault::SilenceInTheBody) => {
            reader.get_mut().write_all(&cut(whole, head_end))?;
            return gone(reader);
        }
        Some(Fault::DripOfTheBody) => {
            reader.get_mut().write_all(&whole.as_bytes()[..head_end])?;
            for byte in body.bytes() {
                reader.get_mut().write_all(&[byte])?;
                thread::sleep(Duration::from_millis(100));
            }
            return Ok(());
        }
        Some(Fault::CloseBeforeAByte) => Vec::new(),
        Some(Fault::CloseInTheHead) => cut(whole[..head_end].to_owned(), 1),
        Some(Fault::CloseInTheBody) => cut(whole, head_end),
        Some(Fault::CloseInAnUnannouncedBody) => cut(format!("{head}\r\n{body}"), head.len() + 2),
        Some(Fault::CloseInAChunk) => {
            let first = format!("{chunked}{}", chunk(&body[..middle]));
            let from = first.len();
            let second = chunk(&body[middle..]);
            // Before the last byte of the second chunk.
            cut(format!("{first}{}", &second[..second.len() - 3]), from)
        }
        Some(Fault::CloseBetweenChunks) => format!("{chunked}{}", chunk(&body[..middle])).into(),
        Some(Fault::BadChunkSize) => format!("{chunked}{}nonsense\r\n{body}", chunk("{")).into(),
        Some(Fault::ServerError) => {
            closing(reply("502 Bad Gateway", &[], "<html>bad gateway")).into()
        }
        Some(Fault::TemporaryError) => closing(json(
            "500 Internal Server Error",
            r#"{"error":{"message":"try later","code":2,"is_transient":true}}"#,
        ))
        .into(),
        Some(Fault::Html) => {
            closing(reply("200 OK", &[("Content-Type", "text/html")], "<html>")).into()
        }
        Some(Fault::Garbage) => (0..random.below(2000))
            .map(|_| random.next() as u8)
            .collect(),
        Some(Fault::ResetAtOnce | Fault::ResetInTheBody) => unreachable!("done above"),
    };
    reader.get_mut().write_all(&bytes)
}

/// The page that a request is for.
fn page(target: &str) -> String {
    let url = url::Url::parse("http://host")
        .unwrap()
        .join(target)
        .unwrap();
    let number = |name: &str| {
        let (_, value) = url.query_pairs().find(|(key, _)| key == name)?;
        Some(value.trim_start_matches('c').parse::<usize>().unwrap())
    };
    let limit = number("limit").unwrap();
    let (from, to) = match (number("after"), number("before")) {
        (None, None) => (0, limit),
        (Some(after), _) => (after, (after + limit).min(ITEMS)),
        (_, Some(before)) => (before.saturating_sub(limit), before),
    };
    feed_page(from, to, ITEMS)
}

/// Reads the whole feed, resuming after each error, and
/// answers how many errors there were.
fn read_to_the_end(server: &Broken, clock: &TestClock, run: Run) -> usize {
    let backwards = run.backwards;
    let api = common::api(&server.url)
        .with_timeout(run.timeout)
        .with_body_limit(64 * 1024)
        .with_retries(run.retries)
        .with_clock(clock.clone());
    let edge = || api.my_media("").page_size(PAGE as u32);
    let mut start = match backwards {
        true => edge().before(format!("c{ITEMS}")),
        false => edge(),
    };
    let mut ids: Vec<usize> = Vec::new();
    for errors in 0..ITEMS {
        let mut items = start.items();
        let mut failed = None;
        for item in items.by_ref() {
            match item {
                Ok(item) => ids.push(item.id.parse().unwrap()),
                Err(error) => failed = Some(error),
            }
        }
        let Some(error) = failed else {
            let mut wanted: Vec<usize> = (0..ITEMS).collect();
            if backwards {
                wanted.reverse();
            }
            assert!(ids == wanted, "something was lost, or came twice");
            return errors;
        };
        // What breaks a connection is never taken for the caller's mistake, and
        // never hangs.
        let fit = [
            ErrorKind::ConnectionLost,
            ErrorKind::Truncated,
            ErrorKind::Malformed,
            ErrorKind::TooLarge,
            ErrorKind::NotJson,
            ErrorKind::Status,
            ErrorKind::Api,
        ];
        let slow = run.faults == SLOW_FAULTS && error.is_timeout();
        assert!(slow || fit.contains(&error.kind()), "{error:?}");
        start = edge().resume(&items.position());
    }
    panic!("it does not come to an end");
}

fn faults(run: Run) {
    let clock = TestClock::new(0);
    let server = Broken::start(run, seed());
    let errors = read_to_the_end(&server, &clock, run);
    let (broken, waits) = (server.faults(), clock.slept());
    let count: usize = broken.values().sum();
    let connections = server.connections.load(Ordering::SeqCst);
    println!(
        "{connections} connections, {count} broken, {} waits, {errors} errors: {broken:?}",
        waits.len()
    );
    // Each that was broken was tried again after a wait, or was an error.
    if run.announced || !common::DIRECT {
        assert_eq!(count, waits.len() + errors);
    } else {
        // Or the transport took it for a connection that went stale, and asked
        // once more itself.
        let lost = [
            Fault::CloseBeforeAByte,
            Fault::CloseInTheHead,
            Fault::ResetAtOnce,
            Fault::Garbage,
        ];
        let lost: usize = lost.iter().filter_map(|fault| broken.get(fault)).sum();
        let mended = count - waits.len() - errors;
        assert!(mended <= lost, "{mended}");
    }
    assert_eq!(connections, ITEMS / PAGE + count);
    assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(8)));
    // And the server did what it is here for.
    if run.most < usize::MAX {
        assert_eq!((count, broken.len()), (run.most, run.faults.len()));
        return;
    }
    let share = count * 100 / connections;
    assert!(
        share.abs_diff(run.percent as usize) <= 10,
        "{share} percent broken"
    );
    assert!(broken.len() + 3 >= run.faults.len(), "{broken:?}");
}

#[test]
fn a_tenth_of_all_connections_broken() {
    faults(Run { percent: 10, ..RUN });
}

#[test]
fn half_of_all_connections_broken() {
    faults(RUN);
}

#[test]
fn half_of_all_connections_broken_and_backwards() {
    faults(Run {
        retries: 10,
        backwards: true,
        ..RUN
    });
}

#[test]
fn half_of_all_connections_broken_without_retries() {
    faults(Run { retries: 0, ..RUN });
}

/// By servers that keep quiet about closing, so that a client that keeps its
/// connections cannot know which of them are stale.
#[test]
fn a_fifth_of_all_connections_broken_and_closes_unannounced() {
    faults(Run {
        percent: 20,
        announced: false,
        ..RUN
    });
}

/// A timeout is not retried: the reader goes on from its cursor.
const SLOW: Run = Run {
    percent: 10,
    most: SLOW_FAULTS.len(),
    faults: &SLOW_FAULTS,
    timeout: Duration::from_secs(2),
    ..RUN
};

#[test]
fn a_few_connections_silent() {
    faults(SLOW);
}

#[test]
#[ignore = "takes two to ten seconds for each of thirty faults"]
fn many_connections_silent() {
    for backwards in [false, true] {
        faults(Run {
            percent: 50,
            most: 15,
            backwards,
            ..SLOW
        });
    }
}

/// Eight threads ask one `Api`, each for its own: nodes and a feed.
#[test]
fn eight_threads_on_one_api() {
    eight_threads(false);
}

/// The same of a server that keeps connections, which they share then.
#[test]
fn eight_threads_on_kept_connections() {
    eight_threads(true);
}

fn eight_threads(kept: bool) {
    const THREADS: usize = 8;
    const CALLS: usize = 60;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let answer = move |request: &Received| {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        let usage =
            format!(r#"{{"call_count":{number},"total_time":{number},"total_cputime":{number}}}"#);
        // One in ten breaks: the retry must not get another's reply.
        if number % 10 == 0 {
            return None;
        }
        let path = request.target.split('?').next().unwrap().to_owned();
        let body = match path.strip_suffix("/media") {
            None => format!(r#"{{"id":"{}","caption":"of {path}"}}"#, &path[1..]),
            Some(user) => {
                let from: usize = param(request, "after").map_or(0, |c| c.parse().unwrap());
                let next = if from < 4 {
                    r#","next":"https://h/""#
                } else {
                    ""
                };
                format!(
                    r#"{{"data":[{{"id":"{0}-{from}"}}],"paging":{{"cursors":{{"after":"{1}"}}{next}}}}}"#,
                    &user[1..],
                    from + 1
                )
            }
        };
        let connection = if kept { "keep-alive" } else { "close" };
        let headers = [("X-App-Usage", usage.as_str()), ("Connection", connection)];
        Some(reply("200 OK", &headers, &body))
    };
    let server = Server::start(move |request, stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut request = request.clone();
        while let Some(reply) = answer(&request) {
            let sent = stream.write_all(reply.as_bytes());
            match read_request(&mut reader) {
                Ok(Some(next)) if kept && sent.is_ok() => request = next,
                _ => return,
            }
        }
    });
    let clock = TestClock::new(0);
    let api = server.api().with_retries(10).with_clock(clock.clone());
    let seen = Mutex::new(BTreeSet::new());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Whatever is looked at in between is whole.
        let watcher = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::SeqCst) {
                check_usage(&api);
                looks += 1;
                thread::yield_now();
            }
            looks
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (api, seen) = (&api, &seen);
                scope.spawn(move || {
                    for call in 0..CALLS {
                        let id = format!("{thread}x{call}");
                        let media = api.media(&id, "").unwrap();
                        assert_eq!(media.id, id);
                        assert_eq!(media.caption, Some(format!("of /{id}")));
                        assert!(seen.lock().unwrap().insert(id));
                    }
                    let user = format!("user{thread}");
                    let ids: Vec<String> = api
                        .clone()
                        .user_media(&user, "")
                        .into_iter()
                        .map(|item| item.unwrap().id)
                        .collect();
                    let wanted: Vec<String> = (0..5).map(|at| format!("{user}-{at}")).collect();
                    assert_eq!(ids, wanted);
                })
            })
            .collect();
        let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        done.store(true, Ordering::SeqCst);
        assert!(watcher.join().unwrap() > 0);
        assert!(results.iter().all(Result::is_ok));
    });
    assert_eq!(seen.into_inner().unwrap().len(), THREADS * CALLS);
    let requests = count.load(Ordering::SeqCst);
    let calls = THREADS * (CALLS + 5);
    assert_eq!(requests, calls + requests / 10);
    if kept && common::DIRECT {
        // One that breaks when it is used again is mended by the transport.
        assert!(clock.slept().len() <= requests / 10);
        let connections = server.connections();
        assert!(connections < requests / 2, "{connections} connections");
    } else {
        assert_eq!(clock.slept().len(), requests / 10);
        assert_eq!(server.connections(), requests);
    }
    check_usage(&api);
    // And once all is quiet, what the latest reply said.
    api.media("last", "").unwrap();
    let latest = count.load(Ordering::SeqCst) as u64;
    assert_eq!(check_usage(&api), Some(latest));
}

/// One reply's numbers, not a mixture of two.
fn check_usage(api: &Api) -> Option<u64> {
    let app = api.usage().app?;
    assert!(app.call_count > 0);
    assert_eq!(app.call_count, app.total_time);
    assert_eq!(app.call_count, app.total_cputime);
    Some(app.call_count)
}
