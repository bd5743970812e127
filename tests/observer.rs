//! What an observer is told, and that it cannot get in the way of a call.

mod common;

use common::replay::TOKEN;
use common::{Folder, NOBODY, Server, TestClock, json, param, reply};
use mingram::Api;
use mingram::auth::{App, Code};
use mingram::transport::{Event, Replay};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const ID: &str = r#"{"id":"1"}"#;

/// Keeps what it is told, a line for each event, without what differs between runs: the port
/// and the milliseconds.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn observe(&self, api: Api) -> Api {
        let log = self.0.clone();
        api.with_observer(move |event| {
            let debugged = format!("{event:?}");
            assert!(!debugged.contains('\n'));
            log.lock().unwrap().push(event.to_string());
        })
    }

    /// The lines since the last call of this.
    fn take(&self, server: &Server) -> Vec<String> {
        let lines = std::mem::take(&mut *self.0.lock().unwrap());
        let plain = |line: String| {
            let line = line.replace(&server.url(), "");
            let Some((before, rest)) = line.split_once(" ms") else {
                return line;
            };
            let (before, number) = before.rsplit_once(" after ").unwrap();
            assert!(number.parse::<u64>().is_ok(), "{line}");
            format!("{before}{rest}")
        };
        lines.into_iter().map(plain).collect()
    }
}

fn service_error(code: i64, message: &str) -> String {
    let body = format!(r#"{{"error":{{"message":"{message}","code":{code}}}}}"#);
    json("500 Internal Server Error", &body)
}

#[test]
fn requests_and_replies() {
    let server = Server::script([json("200 OK", ID)]);
    let log = Log::default();
    let api = log.observe(server.api().with_version("v25.0"));
    api.me("").unwrap();
    let wanted = ["GET /v25.0/me", "GET /v25.0/me: HTTP 200, 10 bytes"];
    assert_eq!(log.take(&server), wanted);
    // Without a length, over a redirect, and a file with a query.
    let server = Server::start(|request, stream| {
        let reply = match request.target.split('?').next().unwrap() {
            "/me" => "HTTP/1.1 302 Found\r\nLocation: /other?x=1\r\nServer: x\r\n\r\n".to_owned(),
            "/other" => format!("HTTP/1.1 200 OK\r\n\r\n{ID}"),
            _ => reply("200 OK", &[], "file"),
        };
        let _ = stream.write_all(reply.as_bytes());
    });
    let api = log.observe(server.api());
    api.me("").unwrap();
    let url = format!("{}/f.jpg?oh=signed&oe=1#x", server.url());
    api.download(&url).write_to(Vec::new()).unwrap();
    assert_eq!(
        log.take(&server),
        [
            "GET /me",
            "GET /me: HTTP 302",
            "GET /other",
            "GET /other: HTTP 200",
            "GET /f.jpg",
            "GET /f.jpg: HTTP 200, 4 bytes",
        ]
    );
    // A refused argument sends nothing, and there is nothing to tell.
    assert!(api.user("", "").is_err());
    assert!(log.take(&server).is_empty());
}

#[test]
fn logins_without_their_secrets() {
    let server = Server::script([json("200 OK", r#"{"access_token":"IGnew"}"#)]);
    let log = Log::default();
    let api = log.observe(server.api());
    let app = App::new("1", "5ecret-of-the-app", "https://example.com/");
    api.exchange_code(&app, &Code::new("AQ-code-of-the-login"))
        .unwrap();
    api.exchange_token(&app).unwrap();
    api.refresh_token().unwrap();
    assert_eq!(
        log.take(&server),
        [
            "POST /oauth/access_token",
            "POST /oauth/access_token: HTTP 200, 24 bytes",
            "GET /access_token",
            "GET /access_token: HTTP 200, 24 bytes",
            "GET /refresh_access_token",
            "GET /refresh_access_token: HTTP 200, 24 bytes",
        ]
    );
}

#[test]
fn retries_and_their_errors() {
    let server = Server::script([
        service_error(2, "m"),
        json("503 No", "busy"),
        json("200 OK", ID),
    ]);
    let (log, clock) = (Log::default(), TestClock::new(0));
    let waits = Arc::new(Mutex::new(Vec::new()));
    let told = waits.clone();
    let api = server.api().with_clock(clock.clone()).with_retries(2);
    let seen = log.clone();
    let api = api.with_observer(move |event| {
        let line = match event {
            Event::Retry { error, wait, .. } => {
                told.lock().unwrap().push(*wait);
                format!(
                    "{} {:?} {}",
                    error.call(),
                    error.kind(),
                    error.status().unwrap()
                )
            }
            Event::Request { attempt, .. } => format!("attempt {attempt}"),
            Event::Reply { status, .. } => format!("status {status}"),
            event => panic!("{event}"),
        };
        seen.0.lock().unwrap().push(line);
    });
    api.me("").unwrap();
    assert_eq!(
        log.take(&server),
        [
            "attempt 1",
            "status 500",
            "GET /me Api 500",
            "attempt 2",
            "status 503",
            "GET /me Status 503",
            "attempt 3",
            "status 200",
        ]
    );
    assert_eq!(*waits.lock().unwrap(), clock.slept());
    // An error that is returned is not told a second time.
    let server = Server::script([service_error(100, "m")]);
    let api = log.observe(server.api().with_clock(clock).with_retries(2));
    assert!(api.me("").is_err());
    let told = log.take(&server);
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn a_request_without_a_reply() {
    let server = Server::script([json("200 OK", ID)]);
    let log = Log::default();
    let clock = TestClock::new(0);
    let api = common::api(NOBODY).with_clock(clock).with_retries(1);
    let error = log.observe(api).me("").unwrap_err();
    let told = log.take(&server);
    let url = format!("GET {NOBODY}/me");
    let retry = &told[2];
    assert_eq!(told[0], url);
    let reason = error.to_string().replace("GET /me: ", "");
    assert_eq!(told[1], format!("{url}: no reply: {reason}"));
    assert!(
        retry.starts_with(&format!("{error}; waiting 0.")),
        "{retry}"
    );
    assert!(retry.ends_with(" s before the next attempt"), "{retry}");
    assert_eq!(told[3], format!("{url} (attempt 2)"));
    assert_eq!(told.len(), 5, "{told:?}");
}

#[test]
fn waits_for_a_rate_limit() {
    let limited = r#"{"error":{"message":"x","code":4}}"#;
    let refused = reply("403 Forbidden", &[("Retry-After", "1140")], limited);
    let server = Server::script([refused, json("200 OK", ID)]);
    let (log, clock) = (Log::default(), TestClock::new(0));
    let api = log.observe(server.api().with_clock(clock.clone()));
    assert!(api.me("").is_err());
    log.take(&server);
    let paced = api.clone().with_pace(Duration::from_secs(3600));
    paced.me("").unwrap();
    let told = log.take(&server);
    assert_eq!(told[0], "GET /me: waiting 19 minutes for the rate limit");
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(clock.slept(), [Duration::from_secs(1140)]);
}

#[test]
fn smaller_pages() {
    let too_much = service_error(1, "Please reduce the amount of data you're asking for");
    let server = Server::start(move |request, stream| {
        let limit = param(request, "limit").map_or(25, |limit| limit.parse().unwrap());
        let reply = match limit {
            ..=6 => json("200 OK", r#"{"data":[{"id":"1"}]}"#),
            _ => too_much.clone(),
        };
        let _ = stream.write_all(reply.as_bytes());
    });
    let log = Log::default();
    let api = log.observe(server.api());
    let smaller = |told: Vec<String>| {
        let is_smaller = |line: &String| line.contains("too much data");
        told.into_iter().filter(is_smaller).collect::<Vec<_>>()
    };
    let page =
        |from, to| format!("GET /me/media: a page of {from} is too much data, requesting {to}");
    assert_eq!(api.my_media("").into_iter().count(), 1);
    assert_eq!(smaller(log.take(&server)), [page(25, 12), page(12, 6)]);
    assert_eq!(api.my_media("").take(10).count(), 1);
    assert_eq!(smaller(log.take(&server)), [page(10, 5)]);
}

#[test]
fn a_download_that_continues() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_, stream| {
        let end = match count.fetch_add(1, Ordering::SeqCst) {
            0 => 5,
            _ => 10,
        };
        let file = b"\xff123456789";
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nETag: \"v\"\r\nContent-Length: 10\r\n\r\n");
        let _ = stream.write_all(&file[..end]);
    });
    let (log, folder) = (Log::default(), Folder::new());
    let clock = TestClock::new(0);
    let api = log.observe(server.api().with_clock(clock.clone()).with_retries(1));
    let url = format!("{}/f.mp4", server.url());
    let saved = api.download(&url).save_resumable(folder.0.join("f.mp4"));
    assert_eq!(saved.unwrap().length, 10);
    let told = log.take(&server);
    let retry = told.iter().position(|line| line.contains("; waiting "));
    assert!(
        told[retry.unwrap()].contains("after 5 of 10 bytes"),
        "{told:?}"
    );
    assert_eq!(told.iter().filter(|line| *line == "GET /f.mp4").count(), 2);
    assert_eq!(clock.slept().len(), 1);
}

/// Whatever the observer does, the call returns what it would have returned.
#[test]
fn an_observer_that_panics() {
    let server = Server::script([service_error(2, "m"), json("200 OK", ID)]);
    let count = Arc::new(AtomicUsize::new(0));
    let told = count.clone();
    let api = server.api().with_clock(TestClock::new(0)).with_retries(1);
    let api = api.with_observer(move |event| {
        told.fetch_add(1, Ordering::SeqCst);
        panic!("told of {event}");
    });
    assert_eq!(api.me("").unwrap().id, "1");
    // It is called again after a panic.
    assert_eq!(count.load(Ordering::SeqCst), 5);
}

#[test]
fn an_observer_that_makes_calls() {
    let server = Server::script([json("200 OK", ID)]);
    let count = Arc::new(AtomicUsize::new(0));
    let (told, inner) = (count.clone(), Arc::new(Mutex::new(None::<Api>)));
    let own = inner.clone();
    let api = server.api().with_pace(Duration::ZERO);
    let api = api.with_observer(move |_| {
        told.fetch_add(1, Ordering::SeqCst);
        let api = own.lock().unwrap().clone();
        if let Some(api) = api {
            // The same `Api`, with the same observer and the same limits.
            assert_eq!(api.me("").unwrap().id, "1");
            assert_eq!(api.usage().percent(), None);
        }
    });
    *inner.lock().unwrap() = Some(api.clone());
    assert_eq!(api.me("").unwrap().id, "1");
    assert_eq!(
        count.load(Ordering::SeqCst),
        2,
        "its own calls are not observed"
    );
    assert_eq!(server.received().len(), 3);
    // Later ones are.
    *inner.lock().unwrap() = None;
    api.me("").unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[test]
fn the_time_of_the_observer_does_not_count() {
    // Five timeouts are one second. The reply is in memory, so that nothing else takes time.
    let exchange = format!("GET https://graph.instagram.com/me\n\nHTTP/1.1 200 OK\n\n{ID}");
    let replay = Replay::new().with_exchange("me", exchange).unwrap();
    let api = Api::new(TOKEN)
        .with_transport(replay)
        .with_timeout(Duration::from_millis(200))
        .with_retries(0)
        .with_observer(|_| thread::sleep(Duration::from_millis(1100)));
    assert_eq!(api.me("").unwrap().id, "1");
}

#[test]
fn it_is_shared_by_clones_and_threads_and_can_be_replaced() {
    let server = Server::script([json("200 OK", ID)]);
    let log = Log::default();
    let api = log.observe(server.api());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| api.clone().with_token("another").me("").unwrap());
        }
    });
    assert_eq!(log.take(&server).len(), 16);
    let other = Log::default();
    other.observe(api.clone()).me("").unwrap();
    assert_eq!((log.take(&server).len(), other.take(&server).len()), (0, 2));
    api.me("").unwrap();
    assert_eq!((log.take(&server).len(), other.take(&server).len()), (2, 0));
}
