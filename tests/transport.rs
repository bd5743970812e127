//! The traits `Transport` and `Clock` from outside: own transports, wrappers, and requests
//! made by hand.

mod common;

use common::{Folder, Server, json, reply};
use mingram::transport::{Clock, DefaultTransport, Method, Request, Response, Transport};
use mingram::{Api, ErrorKind, Result};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

fn text(mut response: Response) -> String {
    let mut body = String::new();
    response.body.read_to_string(&mut body).unwrap();
    body
}

#[test]
fn a_request_made_by_hand_is_sent_as_it_is() {
    let server = Server::script([json("200 OK", "[1]"), json("404 Not Found", "[2]")]);
    let transport = DefaultTransport::default();
    let url = format!("{}/a?b=c%2F", server.url());
    let mut request = Request::new(Method::Get, &url);
    let defaults = (request.headers.len(), request.body, request.once);
    assert_eq!(defaults, (0, None, false));
    let limits = [30, 150].map(Duration::from_secs);
    assert_eq!([request.timeout, request.budget], limits);
    let response = transport.send(&request).unwrap();
    assert_eq!((response.status, response.length()), (200, Some(3)));
    assert_eq!(text(response), "[1]");

    let get = request.clone();
    let headers = [("X-One", "1"), ("X-Two", "2")];
    request.method = Method::Post;
    request.headers = &headers;
    request.body = Some("d=e");
    request.once = true;
    let response = transport.send(&request).unwrap();
    assert_eq!((response.status, text(response)), (404, "[2]".to_owned()));
    assert_eq!((get.method, get.body), (Method::Get, None));

    let [first, second] = server.received().try_into().unwrap();
    assert_eq!(
        (first.method.as_str(), first.target.as_str()),
        ("GET", "/a?b=c%2F")
    );
    assert_eq!(
        (second.method.as_str(), second.body.as_str()),
        ("POST", "d=e")
    );
    for (name, value) in [("x-one", "1"), ("x-two", "2")] {
        let sent = |(key, sent): &(String, String)| key == name && sent == value;
        assert!(second.headers.iter().any(sent), "{name}");
        assert!(!first.headers.iter().any(sent), "{name}");
    }
}

/// A read into no room reads nothing and loses nothing.
#[test]
fn a_read_into_no_room() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n";
    for sent in [json("200 OK", "[1]"), chunked.to_owned()] {
        let server = Server::script([sent]);
        let url = server.url();
        let request = Request::new(Method::Get, &url);
        let mut response = DefaultTransport::default().send(&request).unwrap();
        assert_eq!(response.body.read(&mut []).unwrap(), 0);
        assert_eq!(text(response), "[1]");
    }
}

/// The budget is the time of all reads together, though none of them waits for long.
#[test]
fn a_body_that_drips_has_a_budget() {
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n");
        for _ in 0..40 {
            std::thread::sleep(Duration::from_millis(100));
            if stream.write_all(b"x").is_err() {
                return;
            }
        }
    });
    let url = server.url();
    let mut request = Request::new(Method::Get, &url);
    request.timeout = Duration::from_secs(1);
    request.budget = Duration::from_secs(1);
    let mut response = DefaultTransport::default().send(&request).unwrap();
    let error = response.body.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(mingram::Error::from(error).is_timeout() || !common::DIRECT);
}

#[test]
fn debug_shows_no_secret() {
    let mut request = Request::new(Method::Post, "https://h/me?access_token=SECRET");
    request.headers = &[("Authorization", "SECRET")];
    request.body = Some("code=SECRET");
    let cookie = ("Set-Cookie".to_owned(), "SECRET".to_owned());
    let response = Response::new(400, vec![cookie], "SECRET".as_bytes());
    let shown = format!("{:?} {:?} {response:?}", request, request.clone());
    assert!(!shown.contains("SECRET"), "{shown}");
    for part in ["https://h/me", "Post", "400", "Set-Cookie"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

/// Answers every request with the same id, and keeps what a log may show of it.
#[derive(Default)]
struct Own(Mutex<Vec<String>>);

impl Transport for Own {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let path = request.url.split('?').next().unwrap();
        let line = format!("{} {path}", request.method.as_str());
        self.0.lock().unwrap().push(line);
        Ok(Response::new(200, Vec::new(), &br#"{"id":"7"}"#[..]))
    }
}

#[test]
fn pointers_to_a_transport_are_transports() {
    fn is_sent(transport: impl Transport + 'static) {
        let api = Api::new("SECRET").with_transport(transport);
        assert_eq!(api.me("").unwrap().id, "7");
    }
    let own = Arc::new(Own::default());
    is_sent(own.clone());
    is_sent(own.clone() as Arc<dyn Transport>);
    is_sent(Box::new(own.clone()));
    is_sent(Box::new(own.clone()) as Box<dyn Transport>);
    let kept: &'static Own = Box::leak(Box::default());
    is_sent(kept);
    is_sent(kept as &dyn Transport);
    assert_eq!(
        *own.0.lock().unwrap(),
        ["GET https://graph.instagram.com/me"; 4]
    );
    assert_eq!(kept.0.lock().unwrap().len(), 2);
}

/// A clock whose three readings differ.
struct Odd;

impl Clock for Odd {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000)
    }

    fn sleep(&self, _: Duration) {}

    fn elapsed(&self) -> Duration {
        Duration::from_secs(7)
    }
}

/// Of `elapsed` there is a default, which they must not use.
#[test]
fn pointers_to_a_clock_are_that_clock() {
    fn check(clock: impl Clock + 'static) {
        assert_eq!(clock.now(), Odd.now());
        assert_eq!(clock.elapsed(), Odd.elapsed());
        let refreshed = reply("200 OK", &[], r#"{"access_token":"IGQVJnew"}"#);
        let server = Server::script([refreshed]);
        let token = server.api().with_clock(clock).refresh_token().unwrap();
        assert_eq!(token.obtained_at, Odd.now());
    }
    check(Arc::new(Odd));
    check(Arc::new(Odd) as Arc<dyn Clock>);
    check(Box::new(Odd));
    check(Box::new(Odd) as Box<dyn Clock>);
    check(&Odd);
    check(&Odd as &dyn Clock);
}

/// The length counts, whatever the transport does. A body without one ends with its reader.
#[test]
fn a_body_ends_where_its_length_says() {
    let length = |length: &str| vec![("content-length".to_owned(), length.to_owned())];
    let chunked = || vec![("Transfer-Encoding".to_owned(), "chunked".to_owned())];
    let id = |headers| {
        let body = &br#"{"id":"7"}HTTP/1.1 200 OK"#[..];
        let own = Canned(Mutex::new(Some(Response::new(200, headers, body))));
        let api = Api::new("IGQVJsample").with_transport(own).with_retries(0);
        api.me("").map(|me| me.id).map_err(|error| error.kind())
    };
    assert_eq!(id(length("10")), Ok("7".to_owned()));
    assert_eq!(id(length("26")), Err(ErrorKind::Truncated));
    assert_eq!(id(length("10, 11")), Err(ErrorKind::Malformed));
    assert_eq!(
        id([length("10"), chunked()].concat()),
        Err(ErrorKind::Malformed)
    );
    for headers in [length("25"), chunked(), Vec::new()] {
        assert_eq!(id(headers), Err(ErrorKind::Decode));
    }

    let mut headers = length("4");
    headers.push(("Content-Type".to_owned(), "image/jpeg".to_owned()));
    let response = Response::new(200, headers, &b"\xff\xd8\xff\xe0HTTP/1.1 200 OK"[..]);
    let own = Canned(Mutex::new(Some(response)));
    let api = Api::new("IGQVJsample").with_transport(own);
    let mut file = Vec::new();
    let written = api.download("https://h.example/a.jpg").write_to(&mut file);
    assert_eq!((written.unwrap(), file.len()), (4, 4));
}

/// A body in pieces, which notes that its end was read. Every other read of a rude one is
/// interrupted by a signal.
struct Pieces {
    rest: Vec<u8>,
    size: usize,
    rude: bool,
    interrupted: bool,
    ended: Arc<AtomicBool>,
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.interrupted = self.rude && !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = self.size.min(buf.len()).min(self.rest.len());
        self.ended.fetch_or(length == 0, Ordering::SeqCst);
        buf[..length].copy_from_slice(&self.rest[..length]);
        self.rest.drain(..length);
        Ok(length)
    }
}

/// Answers every request so.
#[derive(Clone)]
struct InPieces {
    status: u16,
    headers: Vec<(String, String)>,
    body: &'static [u8],
    size: usize,
    rude: bool,
    ended: Arc<AtomicBool>,
}

impl InPieces {
    fn new(status: u16, has_length: bool, body: &'static [u8]) -> InPieces {
        let mut headers = vec![("Content-Type".to_owned(), "image/jpeg".to_owned())];
        if has_length {
            headers.push(("Content-Length".to_owned(), body.len().to_string()));
        }
        InPieces {
            status,
            headers,
            body,
            size: 3,
            rude: false,
            ended: Arc::default(),
        }
    }

    fn api(&self) -> Api {
        Api::new("IGQVJsample")
            .with_transport(self.clone())
            .with_retries(0)
    }
}

impl Transport for InPieces {
    fn send(&self, _: &Request<'_>) -> Result<Response> {
        self.ended.store(false, Ordering::SeqCst);
        let body = Pieces {
            rest: self.body.to_owned(),
            size: self.size,
            rude: self.rude,
            interrupted: false,
            ended: self.ended.clone(),
        };
        Ok(Response::new(self.status, self.headers.clone(), body))
    }
}

const PICTURE: &[u8] = b"\xff\xd8\xff\xe0 a picture";
const FILE: &str = "https://h.example/a.jpg";

/// The transport sees the end of every body that was wanted, with and without a length:
/// without that it could not use the connection again.
#[test]
fn the_end_of_a_body_is_read() {
    for has_length in [true, false] {
        for size in [1, 3, 1000] {
            let ends = |status, body, call: &dyn Fn(&Api)| {
                let mut own = InPieces::new(status, has_length, body);
                own.size = size;
                call(&own.api());
                assert!(
                    own.ended.load(Ordering::SeqCst),
                    "{status} {has_length} {size}"
                );
            };
            ends(200, br#"{"id":"7"}"#, &|api| drop(api.me("").unwrap()));
            ends(200, br#"{"id":"#, &|api| drop(api.me("").unwrap_err()));
            let refusal = br#"{"error":{"message":"x","code":100}}"#;
            ends(400, refusal, &|api| drop(api.me("").unwrap_err()));
            ends(404, b"no", &|api| {
                api.download(FILE).open().unwrap_err();
            });
            ends(200, PICTURE, &|api| {
                let file = api.download(FILE).accept_unknown_length();
                assert_eq!(file.write_to(io::sink()).unwrap(), PICTURE.len() as u64);
            });
            ends(200, PICTURE, &|api| {
                let file = api.download(FILE).accept_unknown_length();
                let mut read = Vec::new();
                file.open().unwrap().read_to_end(&mut read).unwrap();
                assert_eq!(read, PICTURE);
            });
            let folder = Folder::new();
            ends(200, PICTURE, &|api| {
                let file = api.download(FILE).accept_unknown_length();
                let path = folder.0.join("a.jpg");
                file.save(&path).unwrap();
                assert_eq!(std::fs::read(path).unwrap(), PICTURE);
            });
        }
    }
}

/// A signal that interrupts a read or a write fails nothing: what was interrupted is done
/// again, for calls, refusals and files.
#[test]
fn interrupted_reads_and_writes_are_repeated() {
    struct Rude(Vec<u8>, bool);
    impl Write for Rude {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.0.extend(&buf[..1]);
            Ok(1)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for has_length in [true, false] {
        for size in [1, 3, 1000] {
            let api = |status, body| {
                let mut own = InPieces::new(status, has_length, body);
                (own.size, own.rude) = (size, true);
                own.api()
            };
            assert_eq!(api(200, br#"{"id":"7"}"#).me("").unwrap().id, "7");
            let refusal = br#"{"error":{"message":"refused so","code":100}}"#;
            let error = api(400, refusal).me("").unwrap_err();
            assert_eq!(error.api_error().unwrap().message, "refused so");
            let error = api(404, b"it is gone").download(FILE).open().unwrap_err();
            assert!(error.to_string().contains("it is gone"), "{error}");

            let files = api(200, PICTURE);
            let file = || files.download(FILE).accept_unknown_length();
            let mut out = Rude(Vec::new(), false);
            assert_eq!(file().write_to(&mut out).unwrap(), PICTURE.len() as u64);
            assert_eq!(out.0, PICTURE);
            let folder = Folder::new();
            let path = folder.0.join("a.jpg");
            file().save(&path).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), PICTURE);
            let mut read = Vec::new();
            file().open().unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, PICTURE);
            // One that reads by hand is told, and continues.
            let (mut body, mut read) = (file().open().unwrap(), Vec::<u8>::new());
            loop {
                let mut piece = [0; 5];
                match body.read(&mut piece) {
                    Ok(0) => break,
                    Ok(length) => read.extend(&piece[..length]),
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::Interrupted),
                }
            }
            assert_eq!(read, PICTURE);
            // A page of text is still named as one.
            let text = api(200, b"<html>sign in</html>");
            let error = text.download(FILE).accept_unknown_length().open();
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongContent, "{error}");
            assert!(error.to_string().contains("sign in"), "{error}");
        }
    }
}

/// Answers once.
struct Canned(Mutex<Option<Response>>);

impl Transport for Canned {
    fn send(&self, _: &Request<'_>) -> Result<Response> {
        Ok(self.0.lock().unwrap().take().unwrap())
    }
}
