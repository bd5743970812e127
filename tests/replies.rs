//! What is made of a reply: the status that its error reports, and whether a document that ends
//! early is a broken connection or a fault of the service. Through a transport of its own.

mod common;

use common::TestClock;
use mingram::auth::{App, Code};
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, Error, ErrorKind, Result};
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A reply: status, headers and body. A body may fail after its last byte.
#[derive(Clone)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    fails: Option<io::ErrorKind>,
}

fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: body.into(),
        fails: None,
    }
}

impl Reply {
    fn header(mut self, name: &'static str, value: &str) -> Reply {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With the length of its body.
    fn sized(self) -> Reply {
        let length = self.body.len().to_string();
        self.header("Content-Length", &length)
    }

    fn failing(self, kind: io::ErrorKind) -> Reply {
        Reply {
            fails: Some(kind),
            ..self
        }
    }
}

struct Fails(io::ErrorKind);

impl Read for Fails {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
}

/// Answers every request so, and counts them.
struct Service(Reply, Arc<AtomicUsize>);

impl Transport for Service {
    fn send(&self, _: &Request<'_>) -> Result<Response> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let Reply {
            status,
            headers,
            body,
            fails,
        } = self.0.clone();
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone()));
        let body = Cursor::new(body);
        Ok(match fails {
            Some(kind) => Response::new(status, headers.collect(), body.chain(Fails(kind))),
            None => Response::new(status, headers.collect(), body),
        })
    }
}

type Call = fn(&Api) -> Result<()>;

const CALLS: [(&str, Call); 4] = [
    ("a node", |api| api.me("id").map(drop)),
    ("a page", |api| {
        api.my_media("id").pages().next().unwrap().map(drop)
    }),
    ("a refresh", |api| api.refresh_token().map(drop)),
    ("a login", |api| {
        let app = App::new("1", "CLIENTSECRET", "https://x.example/");
        api.exchange_code(&app, &Code::new("CODE")).map(drop)
    }),
];

/// The error of a call that is answered so, and the number of requests, with two retries.
fn error_of(call: Call, reply: Reply) -> (Error, usize) {
    let count = Arc::new(AtomicUsize::new(0));
    let api = Api::new("SECRET")
        .with_transport(Service(reply, count.clone()))
        .with_clock(TestClock::new(0))
        .with_body_limit(1000)
        .with_retries(2);
    let error = call(&api).unwrap_err();
    (error, count.load(Ordering::SeqCst))
}

/// `status()` is that of the reply, whatever is wrong with it and whichever call it was.
#[test]
fn every_error_of_a_reply_has_its_status() {
    use ErrorKind as K;
    const ERROR: &str = r#"{"error":{"message":"m","code":100}}"#;
    let long = "x".repeat(2000);
    let deep = "[".repeat(200);
    let rows = [
        (K::Api, reply(400, ERROR)),
        (K::Api, reply(500, ERROR).sized()),
        (K::Api, reply(200, ERROR)),
        (K::Api, reply(203, ERROR).sized()),
        (K::Api, reply(404, r#"{"error":"no"}"#)),
        (
            K::Api,
            reply(400, r#"{"error_type":"T","error_message":"m"}"#),
        ),
        (K::Status, reply(404, "")),
        (K::Status, reply(304, "")),
        (K::Status, reply(199, "{}")),
        (K::Status, reply(300, "{}")),
        (K::Status, reply(503, "<html>").sized()),
        (K::Status, reply(400, "{}")),
        (K::Status, reply(400, b"\xff".to_vec())),
        (K::Status, reply(400, &ERROR[..20])),
        (K::Status, reply(502, "x").header("Content-Encoding", "br")),
        (K::NotJson, reply(200, "<html>")),
        (K::NotJson, reply(201, "<html>").sized()),
        (K::NotJson, reply(204, "")),
        (K::NotJson, reply(200, "").sized()),
        (K::NotJson, reply(200, b"{\"id\":\"\xff\"}".to_vec())),
        (K::Decode, reply(200, "[1]").sized()),
        (K::Decode, reply(299, "{]").sized()),
        (K::Decode, reply(200, r#""text""#).sized()),
        (K::Decode, reply(200, deep).sized()),
        (K::Decode, reply(200, r#"{"error":7}"#)),
        (K::Decode, reply(200, r#"{"id":"#).sized()),
        (K::Truncated, reply(200, r#"{"id":"#)),
        (K::Truncated, reply(206, "")),
        (K::Truncated, reply(200, "{}").header("Content-Length", "3")),
        (
            K::Truncated,
            reply(400, ERROR).header("Content-Length", "999"),
        ),
        (
            K::Truncated,
            reply(200, "{}").failing(io::ErrorKind::UnexpectedEof),
        ),
        (
            K::ConnectionLost,
            reply(200, "{}").failing(io::ErrorKind::ConnectionReset),
        ),
        (
            K::Timeout,
            reply(200, "{}").failing(io::ErrorKind::TimedOut),
        ),
        (
            K::Timeout,
            reply(500, "{}").failing(io::ErrorKind::WouldBlock),
        ),
        (K::TooLarge, reply(200, long.clone())),
        (K::TooLarge, reply(200, long.clone()).sized()),
        (K::TooLarge, reply(500, long)),
        (
            K::Malformed,
            reply(200, "x").header("Content-Encoding", "br"),
        ),
        (
            K::Malformed,
            reply(200, "{}").sized().header("Content-Length", "3"),
        ),
        (
            K::Malformed,
            reply(500, "{}").sized().header("Content-Length", "3"),
        ),
        (K::Redirect, reply(302, "")),
        (
            K::Redirect,
            reply(301, "").header("Location", "https://other.example/"),
        ),
        (K::Redirect, reply(307, "").header("Location", "/again")),
        (K::Redirect, reply(308, "").header("Location", "http://[")),
    ];
    let mut failed = String::new();
    for (row, (kind, reply)) in rows.into_iter().enumerate() {
        for (name, call) in CALLS {
            let (error, _) = error_of(call, reply.clone());
            if (error.kind(), error.status()) != (kind, Some(reply.status)) {
                failed += &format!(
                    "row {row}, {name}: {:?} {:?} {error}\n",
                    error.kind(),
                    error.status()
                );
            }
            assert!(!error.to_string().contains("SECRET"), "{error}");
        }
    }
    assert!(failed.is_empty(), "\n{failed}");
}

/// A document that ends early within the length that was announced is the service's own fault:
/// it would end there again. So is one that is not UTF-8. Without a length the connection may
/// have ended, and the call is made again, except for a login, whose code may be used up.
#[test]
fn only_a_broken_connection_is_tried_again() {
    const PAGE: &str = "{\"data\":[{\"id\":\"1\",\"caption\":\"\u{1f35e} \u{e9}\"}]}";
    for (name, call) in CALLS {
        let tries = if matches!(name, "a node" | "a page") {
            3
        } else {
            1
        };
        for end in 0..PAGE.len() {
            let part = &PAGE.as_bytes()[..end];
            for status in [200, 206] {
                let (error, requests) = error_of(call, reply(status, part));
                assert_eq!(error.kind(), ErrorKind::Truncated, "{name} {end}: {error}");
                assert_eq!(requests, tries, "{name} {end}");
                assert_eq!(error.is_transient(), name != "a login", "{name} {end}");

                let (error, requests) = error_of(call, reply(status, part).sized());
                let kind = match end == 0 || std::str::from_utf8(part).is_err() {
                    true => ErrorKind::NotJson,
                    false => ErrorKind::Decode,
                };
                assert_eq!(error.kind(), kind, "{name} {end}: {error}");
                assert_eq!((requests, error.is_transient()), (1, false), "{name} {end}");

                let short = reply(status, part).header("Content-Length", &PAGE.len().to_string());
                let (error, requests) = error_of(call, short);
                assert_eq!(error.kind(), ErrorKind::Truncated, "{name} {end}: {error}");
                assert_eq!(requests, tries, "{name} {end}");
            }
        }
        // Bytes that are never UTF-8, whatever follows, wherever they are.
        for bad in [
            &b"\xff"[..],
            b"\xc3\"",
            b"\xc0\x80",
            b"\xed\xa0\x80",
            b"\xf5\x80\x80\x80",
        ] {
            for (start, rest) in [("", ""), ("{\"id\":\"", "\"}"), ("{\"id\":\"", "")] {
                let body = [start.as_bytes(), bad, rest.as_bytes()].concat();
                for reply in [reply(200, body.clone()), reply(200, body).sized()] {
                    let (error, requests) = error_of(call, reply);
                    assert_eq!(error.kind(), ErrorKind::NotJson, "{name} {bad:?}: {error}");
                    assert!(error.to_string().contains("not UTF-8"), "{error}");
                    assert_eq!((requests, error.is_transient()), (1, false), "{name}");
                }
            }
        }
        // Nothing at all is an answer where the status says so.
        let (error, requests) = error_of(call, reply(204, ""));
        assert_eq!((error.kind(), requests), (ErrorKind::NotJson, 1), "{name}");
        // Text that is not JSON has no end that could be missing, nor has a half character in it.
        let (error, requests) = error_of(call, reply(200, b"<\xc3".to_vec()));
        assert_eq!((error.kind(), requests), (ErrorKind::NotJson, 1), "{name}");
        let (error, requests) = error_of(call, reply(200, "<htm"));
        assert_eq!((error.kind(), requests), (ErrorKind::NotJson, 1), "{name}");
    }
}

/// A byte order mark and white space are no part of the document.
#[test]
fn what_stands_before_a_document_is_skipped() {
    for body in [
        "\u{feff}{\"id\":\"1\"}",
        " \r\n\t{\"id\":\"1\"} \r\n",
        "\u{feff}\n{\"id\":\"1\"}",
    ] {
        for reply in [reply(200, body), reply(200, body).sized()] {
            let transport = Service(reply, Arc::default());
            let api = Api::new("SECRET").with_transport(transport);
            assert_eq!(api.me("id").unwrap().id, "1", "{body:?}");
        }
    }
    for body in ["\u{feff}\u{feff}{}", "\u{a0}{}", "\u{b}{}", "x\u{feff}{}"] {
        let (error, requests) = error_of(CALLS[0].1, reply(200, body));
        assert_eq!(
            (error.kind(), requests),
            (ErrorKind::NotJson, 1),
            "{body:?}"
        );
    }
}
