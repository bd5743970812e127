//! The feature `keep-alive`: connections are used again, and one that went
//! stale costs nothing but itself. Without the feature: one for each request.

mod common;

use common::replay::{Exchange, Replay, read_request};
use common::{Server, api, feed_page, json, param};
use mingram::{Api, App, Code, ErrorKind};
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
        assert_eq!(api.clone().download(&url, &mut io::sink()).unwrap(), 10);
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
