//! The feature `keep-alive`: connections are used again, and one that went
//! stale costs nothing but itself. Without the feature: one for each request.

mod common;

use common::replay::{Exchange, Replay, read_request};
use common::secrets::found;
use common::{Server, api, feed_page, json, param, reply};
use mingram::auth::{App, Code};
use mingram::{Api, ErrorKind};
use std::io::{self, BufReader, Write};
use std::sync::{Arc, Mutex};

const POOLED: bool = cfg!(feature = "keep-alive");

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
        api.my_media(&[]).into_iter().filter_map(Result::ok).count(),
        100
    );
    assert_eq!(replay.received().len(), 5);
    for _ in 0..3 {
        // A clone shares the transport; a file is read to its end.
        let url = format!("{}/file.jpg", replay.url());
        assert_eq!(
            api.clone()
                .download(&url)
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
    api.me(&[]).unwrap();
    api.exchange_code(&App::new("1", "S", "https://x.example/"), &Code::new("C"))
        .unwrap();
    assert_eq!(replay.connections(), 2);
}

/// All that a logger at this level is told.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Debug
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("{} {}", record.target(), record.args());
            self.0.lock().unwrap().push(line);
        }
    }

    fn flush(&self) {}
}

/// ureq logs whole requests at the level of trace, and none of the secrets above
/// that.
#[test]
fn a_logger_at_debug_sees_no_secret() {
    const SECRETS: [&str; 4] = [
        "IGQVJ/log%3Dged",
        "5ec&ret/of=log",
        "AQD-code/of=log",
        "IGnew/of=log",
    ];
    log::set_logger(&LOG).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
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
    api.me(&[]).unwrap();
    api.download(&format!("{}/f?access_token={}", server.url(), SECRETS[0]))
        .write_to(&mut io::sink())
        .unwrap();
    api.media("lost", &[]).unwrap_err();
    api.exchange_code(&app, &Code::new(SECRETS[2])).unwrap();
    api.exchange_token(&app).unwrap();
    api.refresh_token().unwrap();
    let lines = LOG.0.lock().unwrap().join("\n");
    assert!(!POOLED || lines.contains("ureq"), "nothing was logged");
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
        api.me(&[]).unwrap();
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
        .my_media(&[])
        .into_iter()
        .map(|media| media.unwrap().id.parse().unwrap())
        .collect();
    assert_eq!(ids, (0..200).collect::<Vec<_>>());
    assert_eq!(server.received().len(), 20);
}
