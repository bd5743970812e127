//! The feature `keep-alive`: connections are used again, and one that went
//! stale costs nothing but itself. Without the feature: one for each request.

mod common;

use common::replay::{Exchange, Replay, read_request};
use common::secrets::found;
use common::{Server, api, feed_page, json, param, reply};
use mingram::auth::{App, Code};
use mingram::{Api, ErrorKind};
use std::io::{self, BufReader, Read, Write};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

const POOLED: bool = common::DIRECT;

fn exchange(method: &str, target: &str, form: &str, body: &str) -> Exchange {
    Exchange {
        name: target.to_owned(),
        method: method.to_owned(),
        origin: String::new(),
        target: target.to_owned(),
        form: form.to_owned(),
        reply: json("200 OK", body).into_bytes(),
    }
}

#[test]
fn pages_and_files_of_one_host_share_a_connection() {
    let mut exchanges = vec![exchange("GET", "/file.jpg", "", "0123456789")];
    for from in (0..100).step_by(20) {
        let after = if from == 0 {
            String::new()
        } else {
            format!("after=c{from}&")
        };
        let target = format!("/me/media?{after}access_token=IGQVJsample");
        exchanges.push(exchange(
            "GET",
            &target,
            "",
            &feed_page(from, from + 20, 100),
        ));
    }
    let replay = Replay::start(exchanges).unwrap();
    let api = api(&replay.url());
    assert_eq!(
        api.my_media("").into_iter().filter_map(Result::ok).count(),
        100
    );
    assert_eq!(replay.received().len(), 5);
    for _ in 0..3 {
        // A clone shares the transport; a file is read to its end.
        let url = format!("{}/file.jpg", replay.url());
        assert_eq!(
            api.clone()
                .download(&url)
                .accept_any_type()
                .write_to(&mut io::sink())
                .unwrap(),
            10
        );
    }
    assert_eq!(replay.connections(), if POOLED { 1 } else { 8 });
}

#[test]
fn a_login_code_goes_over_a_connection_of_its_own() {
    let form = "client_id=1&client_secret=S&grant_type=authorization_code&redirect_uri=https%3A%2F%2Fx.example%2F&code=C";
    let replay = Replay::start(vec![
        exchange("GET", "/me?access_token=IGQVJsample", "", r#"{"id":"1"}"#),
        exchange(
            "POST",
            "/oauth/access_token",
            form,
            r#"{"access_token":"IGnew"}"#,
        ),
    ])
    .unwrap();
    let api = api(&replay.url());
    api.me("").unwrap();
    api.exchange_code(&App::new("1", "S", "https://x.example/"), &Code::new("C"))
        .unwrap();
    assert_eq!(replay.connections(), 2);
}

/// All that a logger is told.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.target(), record.args());
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

/// Nothing below writes a secret to a log, not even at the finest level.
#[test]
fn a_logger_sees_no_secret() {
    const SECRETS: [&str; 4] = [
        "IGQVJ/log%3Dged",
        "5ec&ret/of=log",
        "AQD-code/of=log",
        "IGnew/of=log",
    ];
    log::set_logger(&LOG).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let server = Server::start(|request, stream| {
        let reply = match request.target.split('?').next() {
            Some("/me") => reply(
                "302 Found",
                &[("Location", "/you?access_token=IGQVJ/log%253Dged")],
                "",
            ),
            Some("/you") => json("200 OK", r#"{"id":"IGQVJ/log%3Dged"}"#),
            Some("/f") => reply(
                "200 OK",
                &[("X-Secret", "IGQVJ/log%3Dged")],
                "IGQVJ/log%3Dged",
            ),
            Some("/lost") => return,
            _ => json("200 OK", r#"{"access_token":"IGnew/of=log"}"#),
        };
        let _ = stream.write_all(reply.as_bytes());
    });
    let api = server.api().with_token(SECRETS[0]);
    let app = App::new("1", SECRETS[1], "https://x.example/");
    api.me("").unwrap();
    api.download(&format!("{}/f?access_token={}", server.url(), SECRETS[0]))
        .write_to(&mut io::sink())
        .unwrap();
    api.media("lost", "").unwrap_err();
    api.exchange_code(&app, &Code::new(SECRETS[2])).unwrap();
    api.exchange_token(&app).unwrap();
    api.refresh_token().unwrap();
    log::trace!("the logger works");
    let lines = LOG.0.lock().unwrap().join("\n");
    assert!(lines.contains("the logger works"));
    assert_eq!(found(&lines, &SECRETS), None, "{lines}");
}

/// A server that keeps the connection, reads the second request, acts on it,
/// say, and closes: nobody can tell what became of a login. Retries are off.
#[test]
fn a_login_is_not_sent_again_when_its_connection_breaks() {
    let app = App::new("1", "S", "https://x.example/");
    let targets = Arc::new(Mutex::new(Vec::new()));
    let read = targets.clone();
    let server = Server::start(move |request, stream| {
        read.lock().unwrap().push(request.target.clone());
        if request.target.starts_with("/me") {
            let _ = stream.write_all(json("200 OK", r#"{"id":"1"}"#).as_bytes());
            let mut next = BufReader::new(stream.try_clone().unwrap());
            if let Ok(Some(request)) = read_request(&mut next) {
                read.lock().unwrap().push(request.target);
            }
        }
    });
    type Login = fn(&Api, &App) -> mingram::Result<()>;
    let logins: [(Login, &str); 3] = [
        (
            |api, app| api.exchange_token(app).map(drop),
            "/access_token",
        ),
        (
            |api, _| api.refresh_token().map(drop),
            "/refresh_access_token",
        ),
        (
            |api, app| api.exchange_code(app, &Code::new("C")).map(drop),
            "/oauth/access_token",
        ),
    ];
    for (login, path) in logins {
        let api = server.api();
        api.me("").unwrap();
        let error = login(&api, &app).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
        let targets = targets.lock().unwrap();
        let sent = targets.iter().filter(|target| target.starts_with(path));
        assert_eq!(sent.count(), 1, "{path}");
    }
}

/// A server that ends a connection when the second request comes over it, as
/// one does whose idle time has just run out.
#[test]
fn a_connection_that_went_stale_loses_and_repeats_nothing() {
    let server = Server::start(|request, stream| {
        let from = param(request, "after").map_or(0, |cursor| cursor[1..].parse().unwrap());
        let _ = stream.write_all(json("200 OK", &feed_page(from, from + 10, 200)).as_bytes());
        let mut next = BufReader::new(stream.try_clone().unwrap());
        let _ = read_request(&mut next);
    });
    // Retries are off: the transport mends this by itself.
    let ids: Vec<usize> = server
        .api()
        .my_media("")
        .into_iter()
        .map(|media| media.unwrap().id.parse().unwrap())
        .collect();
    assert_eq!(ids, (0..200).collect::<Vec<_>>());
    assert_eq!(server.received().len(), 20);
}

/// A server that gives an idle connection up with a reply of its own (408), just as the
/// next request is on its way.
#[test]
fn a_connection_that_timed_out_loses_and_repeats_nothing() {
    let slow = || reply("408 Request Timeout", &[("Connection", "close")], "");
    let server = Server::start(move |request, stream| {
        let from = param(request, "after").map_or(0, |cursor| cursor[1..].parse().unwrap());
        let _ = stream.write_all(json("200 OK", &feed_page(from, from + 10, 50)).as_bytes());
        let mut next = BufReader::new(stream.try_clone().unwrap());
        if let Ok(Some(_)) = read_request(&mut next) {
            let _ = stream.write_all(slow().as_bytes());
        }
    });
    // Retries are off: the transport resends these requests.
    let ids = server.api().my_media("").into_iter();
    assert_eq!(ids.map(Result::unwrap).count(), 50);
    assert_eq!(server.received().len(), 5);
    // On a new connection it is the server's answer, and transient.
    let server = Server::script([slow()]);
    let error = server.api().me("").unwrap_err();
    assert_eq!((error.status(), server.connections()), (Some(408), 1));
    assert!(error.is_transient(), "{error}");
}

/// Makes a call for each of these replies, and counts the connections.
fn connections(replies: &'static [&'static str], check: impl Fn(usize, &Api, &str)) -> usize {
    let sent = Arc::new(Mutex::new(0));
    let server = Server::start(move |_, stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let reply = {
                let mut sent = sent.lock().unwrap();
                *sent += 1;
                replies[(*sent - 1).min(replies.len() - 1)]
            };
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
            match read_request(&mut reader) {
                Ok(Some(_)) => {}
                _ => return,
            }
        }
    });
    let api = server.api();
    for at in 0..replies.len() {
        check(at, &api, &server.url());
    }
    server.connections()
}

/// A connection is used again after a reply of HTTP/1.1 that was read to its
/// end, and after no other.
#[test]
fn which_connections_are_kept() {
    const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"id\":\"1\"}";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{\"id\":\"1\"}\r\n0\r\nA: b\r\n\r\n";
    const INTERIM: &str = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"id\":\"1\"}";
    const REFUSAL: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
    const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";
    const CLOSES: &str = "HTTP/1.1 200 OK\r\nConnection: Keep-Alive, Close\r\nContent-Length: 10\r\n\r\n{\"id\":\"1\"}";
    const OLD: &str = "HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n{\"id\":\"1\"}";
    const SURPLUS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"id\":\"1\"}HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"id\":\"2\"}";
    const LARGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{";
    let mine = |api: &Api| api.me("").map(|user| user.id);
    let kept = |reply: &str| matches!(reply, GOOD | CHUNKED | INTERIM | REFUSAL | EMPTY);
    for reply in [
        &[GOOD, GOOD],
        &[CHUNKED, GOOD],
        &[INTERIM, GOOD],
        &[REFUSAL, GOOD],
        &[EMPTY, GOOD],
        &[CLOSES, GOOD],
        &[OLD, GOOD],
        &[SURPLUS, GOOD],
        &[LARGE, GOOD],
    ] {
        if !POOLED && reply[0] == INTERIM {
            // minreq takes it for the reply.
            continue;
        }
        let count = connections(reply, |at, api, _| match reply[at] {
            REFUSAL | EMPTY | LARGE => drop(mine(api).unwrap_err()),
            _ => assert_eq!(mine(api).unwrap(), "1"),
        });
        let wanted = if POOLED && kept(reply[0]) { 1 } else { 2 };
        assert_eq!(count, wanted, "{}", reply[0]);
    }
}

/// A file that is left in the middle takes its connection with it; one that is
/// read to its last byte leaves it, whether or not the end was looked for.
#[test]
fn half_read_bodies() {
    // Longer than what is read of it when it is opened.
    const LENGTH: usize = 2000;
    let file = "0123456789".repeat(LENGTH / 10);
    let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n{file}");
    let replies = vec![&*reply.leak(); 2].leak();
    for (length, wanted) in [(0, 2), (5, 2), (LENGTH - 1, 2), (LENGTH, 1)] {
        let count = connections(replies, |at, api, url| {
            let mut body = api.download(url).open().unwrap();
            let mut piece = vec![0; if at == 0 { length } else { LENGTH }];
            body.read_exact(&mut piece).unwrap();
            assert_eq!(piece, &file.as_bytes()[..piece.len()]);
        });
        assert_eq!(count, if POOLED { wanted } else { 2 }, "{length}");
    }
}

/// What a server sends between two requests is no reply to the second, whatever it is: the
/// connection is dropped with it.
#[test]
fn bytes_that_nobody_asked_for() {
    let other = || json("200 OK", r#"{"id":"2"}"#);
    let late = || reply("408 Request Timeout", &[("Connection", "close")], "");
    let kinds = [
        other(),
        other()[..20].to_owned(),
        "\r\n".to_owned(),
        "x".to_owned(),
        json("500 Internal Server Error", "{}"),
        late(),
        "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
        format!("HTTP/1.1 103 Early Hints\r\n\r\n{}", other()),
        "x".repeat(100_000),
    ];
    for unasked in kinds {
        let (tell, told) = mpsc::channel();
        let (ask, asked) = mpsc::channel();
        let channels = Mutex::new(Some((asked, tell)));
        let bytes = unasked.clone();
        let server = Server::start(move |_, stream| {
            let _ = stream.write_all(json("200 OK", r#"{"id":"1"}"#).as_bytes());
            let Some((asked, tell)) = channels.lock().unwrap().take() else {
                return;
            };
            // After the reply was read, so that it is not a part of that.
            asked.recv().unwrap();
            let _ = stream.write_all(&bytes.as_bytes()[..bytes.len().min(4096)]);
            tell.send(()).unwrap();
            let _ = stream.write_all(&bytes.as_bytes()[bytes.len().min(4096)..]);
            let _ = read_request(&mut BufReader::new(stream));
        });
        let api = server.api();
        assert_eq!(api.me("").unwrap().id, "1");
        ask.send(()).unwrap();
        told.recv().unwrap();
        for _ in 0..2 {
            assert_eq!(api.me("").unwrap().id, "1", "{unasked:.60}");
        }
        assert_eq!(server.connections(), 3, "{unasked:.60}");
    }
}

/// A connection that is used again has the time limit of the new request, not that of the
/// one before: neither a shorter one nor a longer one.
#[test]
fn a_reused_connection_has_the_time_of_its_request() {
    const PAUSE: Duration = Duration::from_millis(1200);
    let server = Server::start(|request, stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut request = request.clone();
        loop {
            match request.target.split('?').next() {
                Some("/slow") => std::thread::sleep(PAUSE),
                Some("/never") => {
                    // Until the client hangs up, or for ten seconds.
                    let _ = stream.read(&mut [0]);
                    return;
                }
                _ => {}
            }
            let _ = stream.write_all(json("200 OK", r#"{"id":"1"}"#).as_bytes());
            match read_request(&mut reader) {
                Ok(Some(next)) => request = next,
                _ => return,
            }
        }
    });
    let api = server.api();
    let hasty = api.clone().with_timeout(Duration::from_millis(900));
    hasty.me("").unwrap();
    api.media("slow", "").unwrap();
    let file = format!("{}/slow", server.url());
    hasty.me("").unwrap();
    let file = api.download(&file).accept_any_type();
    assert_eq!(file.write_to(io::sink()).unwrap(), 10);
    assert_eq!(server.connections(), if POOLED { 1 } else { 4 });
    api.me("").unwrap();
    let error = hasty.media("never", "").unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(server.connections(), if POOLED { 1 } else { 6 });
}

/// At most 16 idle connections are kept, those that were used last. The others are closed.
#[test]
fn the_number_of_idle_connections_is_limited() {
    const MOST: usize = 16;
    const HOSTS: usize = 2 * MOST - 1;
    let (tell, told) = mpsc::channel();
    let servers: Vec<Server> = (0..HOSTS)
        .map(|_| {
            let tell = Mutex::new(tell.clone());
            Server::start(move |_, stream| {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let _ = stream.write_all(reply("200 OK", &[], "x").as_bytes());
                    match read_request(&mut reader) {
                        Ok(Some(_)) => {}
                        _ => break,
                    }
                }
                let _ = tell.lock().unwrap().send(());
            })
        })
        .collect();
    let api = servers[0].api();
    let visit = |at: usize| {
        let url = format!("{}/f", servers[at].url());
        let download = api.download(&url).accept_any_type();
        assert_eq!(download.write_to(io::sink()).unwrap(), 1);
        servers[at].connections()
    };
    for at in 0..MOST {
        visit(at);
    }
    // Used again: now the others are older.
    assert_eq!(visit(0), if POOLED { 1 } else { 2 });
    for at in MOST..HOSTS {
        visit(at);
    }
    if !POOLED {
        return;
    }
    for _ in 1..MOST {
        told.recv_timeout(Duration::from_secs(8)).unwrap();
    }
    for at in [0].into_iter().chain(MOST..HOSTS) {
        assert_eq!(visit(at), 1, "{at}");
    }
    // The last one that was dropped.
    assert_eq!(visit(MOST - 1), 2);
}

/// Eight threads on one `Api`, and a server that answers so many requests on
/// each connection, then reads one more and closes. Answers the number of
/// connections; every request was answered once.
fn eight_threads(most: usize) -> usize {
    const THREADS: usize = 8;
    const CALLS: usize = 40;
    let answered = Arc::new(Mutex::new(Vec::new()));
    let ids = answered.clone();
    let server = Server::start(move |request, stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut request = request.clone();
        for _ in 0..most {
            let id = request.target[1..].split('?').next().unwrap().to_owned();
            let reply = json("200 OK", &format!(r#"{{"id":"{id}"}}"#));
            ids.lock().unwrap().push(id);
            let _ = stream.write_all(reply.as_bytes());
            match read_request(&mut reader) {
                Ok(Some(next)) => request = next,
                _ => return,
            }
        }
    });
    // Retries are off: the transport mends this by itself.
    let api = server.api();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let api = &api;
            scope.spawn(move || {
                for call in 0..CALLS {
                    let id = format!("{thread}x{call}");
                    assert_eq!(api.media(&id, "").unwrap().id, id);
                }
            });
        }
    });
    let mut answered = answered.lock().unwrap().clone();
    answered.sort();
    answered.dedup();
    assert_eq!(answered.len(), THREADS * CALLS);
    server.connections()
}

#[test]
fn eight_threads_keep_their_connections() {
    let connections = eight_threads(usize::MAX);
    if POOLED {
        assert!(connections <= 8, "{connections} connections");
    } else {
        assert_eq!(connections, 320);
    }
}

#[test]
fn eight_threads_and_connections_that_go_stale() {
    // Four requests at the most, the last of them lost.
    let connections = eight_threads(3);
    if POOLED {
        assert!(
            (107..=160).contains(&connections),
            "{connections} connections"
        );
    } else {
        assert_eq!(connections, 320);
    }
}

/// Connections that a router between the two sides forgets: what is sent arrives nowhere,
/// and neither side is told.
#[cfg(feature = "keep-alive")]
mod forgotten {
    use super::*;
    use common::replay::Received;
    use std::net::TcpStream;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::{scope, sleep};
    use std::time::Instant;

    /// From 2 s on a connection is doubtful.
    const IDLE: Duration = Duration::from_millis(2200);

    const ID: &str = r#"{"id":"1"}"#;

    fn answer(stream: &mut TcpStream) {
        let _ = stream.write_all(json("200 OK", ID).as_bytes());
    }

    /// A server, and the router before it.
    struct Route {
        server: Server,
        era: Arc<AtomicUsize>,
        lost: Arc<Mutex<Vec<String>>>,
    }

    impl Route {
        /// Calls `first` for the first request of a connection, and `later` for each of the
        /// others while the router has not forgotten it.
        fn new(
            first: impl Fn(&mut TcpStream) + Send + Sync + 'static,
            later: impl Fn(&mut TcpStream) + Send + Sync + 'static,
        ) -> Route {
            let (era, lost) = (
                Arc::<AtomicUsize>::default(),
                Arc::<Mutex<Vec<_>>>::default(),
            );
            let (current, gone) = (era.clone(), lost.clone());
            let server = Server::start(move |_, stream| {
                let own = current.load(Ordering::SeqCst);
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                first(stream);
                while let Ok(Some(Received { target, .. })) = read_request(&mut reader) {
                    match current.load(Ordering::SeqCst) == own {
                        true => later(stream),
                        false => gone.lock().unwrap().push(target),
                    }
                }
            });
            Route { server, era, lost }
        }

        fn forget(&self) {
            self.era.fetch_add(1, Ordering::SeqCst);
        }

        fn lost(&self) -> usize {
            self.lost.lock().unwrap().len()
        }
    }

    #[test]
    fn one_that_was_idle_is_replaced() {
        let route = Route::new(answer, answer);
        let (api, url) = (route.server.api(), format!("{}/f", route.server.url()));
        let me = || assert_eq!(api.me("").unwrap().id, "1");
        me();
        sleep(IDLE);
        // It is still there, and used.
        me();
        assert_eq!((route.server.connections(), route.lost()), (1, 0));
        for call in [&me as &dyn Fn(), &|| {
            assert_eq!(
                api.download(&url)
                    .accept_any_type()
                    .write_to(&mut io::sink())
                    .unwrap(),
                10
            );
        }] {
            route.forget();
            sleep(IDLE);
            let start = Instant::now();
            call();
            // Not the timeout, 20 s, nor the server's, 10 s.
            assert!(start.elapsed() < Duration::from_secs(8));
            call();
        }
        assert_eq!((route.server.connections(), route.lost()), (3, 2));
    }

    /// One of them is tried, not each of them.
    #[test]
    fn the_others_go_with_it() {
        const THREADS: usize = 6;
        let all = Barrier::new(THREADS);
        let first = Arc::new(AtomicUsize::default());
        let turn = first.clone();
        let route = Route::new(
            move |stream| {
                if turn.fetch_add(1, Ordering::SeqCst) < THREADS {
                    all.wait();
                }
                answer(stream);
            },
            answer,
        );
        let api = route.server.api();
        scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| api.me("").unwrap());
            }
        });
        assert_eq!(route.server.connections(), THREADS);
        route.forget();
        sleep(IDLE);
        let start = Instant::now();
        for _ in 0..3 {
            api.me("").unwrap();
        }
        // Two at once: the second takes no old one either.
        scope(|scope| {
            scope.spawn(|| api.me("").unwrap());
            scope.spawn(|| api.me("").unwrap());
        });
        // Not the server's time either, after which it closes them.
        assert!(start.elapsed() < Duration::from_secs(8));
        assert_eq!(route.lost(), 1);
        assert!(route.server.connections() <= THREADS + 2);
    }

    /// One that was used a moment ago has all of the time. It may be the server that is
    /// slow, so nothing is sent again, but the others are not tried after it.
    #[test]
    fn one_that_was_just_used() {
        let all = Barrier::new(2);
        let turn = AtomicUsize::default();
        let route = Route::new(
            move |stream| {
                if turn.fetch_add(1, Ordering::SeqCst) < 2 {
                    all.wait();
                }
                answer(stream);
            },
            answer,
        );
        let api = route.server.api();
        scope(|scope| {
            scope.spawn(|| api.me("").unwrap());
            scope.spawn(|| api.me("").unwrap());
        });
        route.forget();
        let hasty = api.clone().with_timeout(Duration::from_millis(300));
        assert!(hasty.me("").unwrap_err().is_timeout());
        assert_eq!((route.server.connections(), route.lost()), (2, 1));
        api.me("").unwrap();
        assert_eq!((route.server.connections(), route.lost()), (3, 1));
    }

    /// Connections to other hosts do not go with it.
    #[test]
    fn other_hosts_keep_theirs() {
        let (route, files) = (Route::new(answer, answer), Route::new(answer, answer));
        let api = route.server.api();
        let url = format!("{}/f", files.server.url());
        let file = || {
            let download = api.download(&url).accept_any_type();
            download.write_to(io::sink()).unwrap()
        };
        api.me("").unwrap();
        file();
        route.forget();
        let hasty = api.clone().with_timeout(Duration::from_millis(300));
        assert!(hasty.me("").unwrap_err().is_timeout());
        file();
        assert_eq!(files.server.connections(), 1);
    }

    /// What it costs: to a server that is slower than the trial, a quarter of the timeout
    /// here, the request goes twice.
    #[test]
    fn a_server_that_is_only_slow() {
        let later = Arc::new(AtomicUsize::default());
        let count = later.clone();
        let route = Route::new(
            |stream| {
                sleep(Duration::from_millis(1500));
                answer(stream);
            },
            move |stream| {
                count.fetch_add(1, Ordering::SeqCst);
                sleep(Duration::from_millis(1500));
                answer(stream);
            },
        );
        let api = route.server.api().with_timeout(Duration::from_secs(4));
        api.me("").unwrap();
        // Used at once it has its time.
        api.me("").unwrap();
        assert_eq!(
            (route.server.connections(), later.load(Ordering::SeqCst)),
            (1, 1)
        );
        sleep(IDLE);
        assert_eq!(api.me("").unwrap().id, "1");
        assert_eq!(
            (route.server.connections(), later.load(Ordering::SeqCst)),
            (2, 2)
        );
    }

    /// The first byte shows that the connection is good. The rest has the time of the
    /// request, and it is not sent again.
    #[test]
    fn a_reply_that_has_begun() {
        for rest in [Some(&json("200 OK", ID)[1..]), None] {
            let rest = rest.map(str::to_owned);
            let completes = rest.is_some();
            let route = Route::new(answer, move |stream| {
                let _ = stream.write_all(b"H");
                // More than the trial.
                sleep(Duration::from_millis(1200));
                if let Some(rest) = &rest {
                    let _ = stream.write_all(rest.as_bytes());
                }
            });
            let api = route.server.api().with_timeout(Duration::from_secs(3));
            api.me("").unwrap();
            sleep(IDLE);
            match completes {
                true => assert_eq!(api.me("").unwrap().id, "1"),
                false => assert!(api.me("").unwrap_err().is_timeout()),
            }
            assert_eq!(route.server.connections(), 1);
        }
    }
}
