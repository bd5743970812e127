//! The recorder and the scrubber by themselves.

use super::scrub::{Keep, Scrub};
use super::tape::{Recorder, Tape};
use crate::support::common::fixtures;
use crate::support::common::replay::TOKEN;
use crate::support::secret::{REAL, written};
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, ErrorKind};
use std::io::{Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// A connection that breaks inside the first replies.
struct Breaking {
    times: u32,
    kind: std::io::ErrorKind,
    sent: AtomicU32,
}

/// Ends with this error.
struct Fails(std::io::ErrorKind);

impl Read for Fails {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(self.0.into())
    }
}

impl Transport for Breaking {
    fn send(&self, _: &Request<'_>) -> mingram::Result<Response> {
        let body = br#"{"id":"17841405793187218"}"#;
        let broken = self.sent.fetch_add(1, Ordering::SeqCst) < self.times;
        Ok(Response::new(
            200,
            Vec::new(),
            match broken {
                true => Box::new(Cursor::new(&body[..9]).chain(Fails(self.kind))),
                false => Box::new(Cursor::new(body)),
            },
        ))
    }
}

#[test]
fn a_body_that_breaks_is_a_broken_connection_and_tried_again() {
    use std::io::ErrorKind as K;
    for (kind, wanted) in [
        (K::ConnectionReset, ErrorKind::ConnectionLost),
        (K::UnexpectedEof, ErrorKind::Truncated),
        (K::TimedOut, ErrorKind::Timeout),
    ] {
        let tape = Arc::new(Tape::default());
        let recorded = |times| {
            let sent = AtomicU32::new(0);
            let inner = Breaking { times, kind, sent };
            let tape = tape.clone();
            Api::new(REAL).with_transport(Recorder { inner, tape })
        };
        tape.begin("profile");
        let error = recorded(1).with_retries(0).me(&[]).unwrap_err();
        assert_eq!(error.kind(), wanted, "{error}");
        assert!(error.is_transient());
        assert!(tape.take().is_empty(), "half a reply is recorded");
        // A timeout is not tried again, by anybody's transport.
        if kind != K::TimedOut {
            let me = recorded(1).with_retries(1).me(&[]).unwrap();
            assert_eq!(me.id, "17841405793187218");
            let names: Vec<String> = tape.take().into_iter().map(|e| e.name).collect();
            assert_eq!(names, ["profile"]);
        }
    }
}

fn scrubbed(keep: Keep, body: &str) -> String {
    Scrub::new(REAL, keep).body(body)
}

#[test]
fn a_file_says_when_it_was_recorded_and_with_which_version() {
    struct Service(&'static str);
    impl Transport for Service {
        fn send(&self, _: &Request<'_>) -> mingram::Result<Response> {
            let version = ("facebook-api-version".to_owned(), self.0.to_owned());
            Ok(Response::new(
                200,
                vec![version],
                Cursor::new(b"{\"id\":\"1\"}"),
            ))
        }
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
    for (asked, header, says) in [
        (Some("v25.0"), "v26.0", "API v25.0"),
        (None, "v26.0", "API v26.0 (no version in the request)"),
        (None, "v26 SECRET", "no API version"),
    ] {
        let tape = Arc::new(Tape::default());
        tape.begin("profile");
        let (inner, taped) = (Service(header), tape.clone());
        let mut api = Api::new(REAL).with_transport(Recorder { inner, tape: taped });
        if let Some(version) = asked {
            api = api.with_version(version);
        }
        api.me(&[]).unwrap();
        let file = tape.take()[0].file(&mut Scrub::new(REAL, Keep::default()), now);
        let first = format!("# Recorded 2026-11-18 from graph.instagram.com, {says}.\n");
        assert!(file.starts_with(&first), "{file}");
        // The library plays it.
        let replay = mingram::transport::Replay::new();
        let replay = replay.with_exchange("profile", file).unwrap();
        assert!(replay.unused() == ["profile"]);
    }
}

#[test]
fn a_reply_that_cannot_be_decoded_is_not_recorded() {
    struct Service;
    impl Transport for Service {
        fn send(&self, _: &Request<'_>) -> mingram::Result<Response> {
            Ok(Response::new(
                200,
                vec![("Content-Encoding".to_owned(), "br".to_owned())],
                Cursor::new(b"\x0b\x05\x80{\"id\":\"1\"}\x03"),
            ))
        }
    }
    let tape = Arc::new(Tape::default());
    let (inner, taped) = (Service, tape.clone());
    let api = Api::new(REAL).with_transport(Recorder { inner, tape: taped });
    let error = api.me(&[]).unwrap_err();
    assert!(error.to_string().contains("compressed (br)"), "{error}");
    assert!(tape.take().is_empty());
}

#[test]
fn what_is_not_known_is_taken_for_private() {
    let body = r#"{"pronouns":["they"],"city":"Berlin","city2":"Berlin","n":5,"b":true,"media_type":"NEW","like_count":12}"#;
    assert_eq!(
        scrubbed(Keep::default(), body),
        r#"{"pronouns":["Text 1"],"city":"Text 2","city2":"Text 2","n":5,"b":true,"media_type":"NEW","like_count":12}"#
    );
}

#[test]
fn addresses_of_every_sort() {
    let mut scrub = Scrub::new(REAL, Keep::default());
    for (url, expected) in [
        (
            "https://scontent-ams2-1.cdninstagram.com/v/t51/1_n.jpg?stp=dst&_nc_ohc=AbC&oh=00_x&oe=6A2B7C00&efg=",
            "https://scontent.cdninstagram.com/v/1.jpg?stp=x1&_nc_ohc=x2&oh=x3&oe=6A2B7C00&efg=",
        ),
        (
            "https://instagram.fham1-2.fna.fbcdn.net/v/t51/1_n.jpg?oh=00_x",
            "https://instagram.fbcdn.net/v/1.jpg?oh=x3",
        ),
        (
            "https://www.instagram.com/p/DKa1/",
            "https://www.instagram.com/p/CODE1/",
        ),
        (
            "https://www.instagram.com/reel/DKa1/?igsh=me",
            "https://www.instagram.com/reel/CODE1/",
        ),
        ("https://example.org/me?x=1#me", "https://example.com/1"),
        (
            "https://graph.facebook.com/v1.0/17841405793187218/media?access_token=IGQVJ%2Fre%25al%3Dsecret&limit=25&after=QVFI%3D&new=me",
            "https://graph.facebook.com/v1.0/17900000000000001/media?access_token=IGQVJsample&limit=25&after=CURSOR1&new=x4",
        ),
        ("://", "https://example.com/2"),
        ("no address", "Text 1"),
    ] {
        assert_eq!(scrub.url(url), expected);
    }
    // The same cursor in a request.
    assert_eq!(
        scrub.target("/me/media?fields=id,caption&after=QVFI%3D&access_token=x"),
        "/me/media?fields=id,caption&after=CURSOR1&access_token=IGQVJsample"
    );
}

#[test]
fn headers_that_are_not_known_do_not_pass() {
    let mut scrub = Scrub::new(REAL, Keep::default());
    for (name, value, expected) in [
        ("content-type", "text/html", Some("text/html")),
        (
            "X-App-Usage",
            r#"{"call_count":4}"#,
            Some(r#"{"call_count":4}"#),
        ),
        (
            "x-business-use-case-usage",
            r#"{"17841405793187218":[{"type":"instagram","call_count":100}]}"#,
            Some(r#"{"17900000000000001":[{"type":"instagram","call_count":100}]}"#),
        ),
        (
            "WWW-Authenticate",
            "OAuth \"Facebook Platform\" \"invalid_token\" \"IGQVJ/re%al=secret\"",
            Some("OAuth \"Facebook Platform\" \"invalid_token\" \"IGQVJsample\""),
        ),
        (
            "location",
            "https://graph.instagram.com/me?access_token=IGQVJ%2Fre%25al%3Dsecret",
            Some("https://graph.instagram.com/me?access_token=IGQVJsample"),
        ),
        ("set-cookie", "csrftoken=x", None),
        ("x-fb-trace-id", "HxYz", None),
        ("x-fb-debug", "AbC==", None),
        ("content-length", "5", None),
        ("x-new", "y", None),
    ] {
        assert_eq!(scrub.header(name, value).as_deref(), expected, "{name}");
    }
}

#[test]
fn a_token_in_words_goes_known_or_not() {
    let mut scrub = Scrub::new(REAL, Keep::default());
    for (text, expected) in [
        ("bad IGQVJ/re%al=secret!", "bad IGQVJsample!"),
        ("é IGQVJ%2fre%25al%3Dsecret.", "é IGQVJsample."),
        (
            "(access_token=IGold%2F_x) é",
            "(access_token=IGQVJsample) é",
        ),
        (
            "access_token= and access_token",
            "access_token= and access_token",
        ),
        ("IGQVJ/re%al=secre", "IGQVJ/re%al=secre"),
    ] {
        assert_eq!(scrub.body(text), expected);
    }
}

#[test]
fn names_in_kept_captions_go() {
    let mut scrub = Scrub::new(
        REAL,
        Keep {
            ids: true,
            captions: true,
        },
    );
    let body = r#"{"caption":"jay.p, with @a_friend. and notjay.p","username":"jay.p"}"#;
    scrub.body(body);
    assert_eq!(
        scrub.body(body),
        r#"{"caption":"user2, with @user1. and notjay.p","username":"user2"}"#
    );
}

#[test]
fn a_leak_is_seen_however_it_is_written() {
    let mut scrub = Scrub::new(REAL, Keep::default());
    scrub.target("/me/media?after=QVFIUk1ZA0xw&access_token=x");
    for text in written().into_iter().take(6) {
        let found = scrub.leak(&format!("before {text} after"));
        assert_eq!(found, Some("the access token"), "{text}");
    }
    assert_eq!(scrub.leak("a QVFIUk1ZA0xw b"), Some("a cursor"));
    assert_eq!(scrub.leak("CURSOR1 IGQVJsample"), None);
}

#[test]
fn hostile_text_does_not_stop_it() {
    for body in [
        "",
        "{",
        "[",
        "\"",
        "{\"",
        r#"{"a\"#,
        r#"{"a":"\u"#,
        r#"{"a":"\ud83d"#,
        r#"{"a":"\ud83dx\u00"}"#,
        "}}}]]]",
        r#"{"a":"%"}"#,
        r#"{"a":"x://%é"}"#,
        "{é}",
        "-",
        "[-1e5,00000000000]",
        r#"{"x":"https://"}"#,
        r#"{"x":"https://?="}"#,
        r#"{"x":"a://instagram.com"}"#,
        "<html>@@@ jay</html>",
        "[\u{1f35e}]",
    ] {
        let mut scrub = Scrub::new(REAL, Keep::default());
        let once = scrub.body(body);
        assert_eq!(scrub.body(body), once);
        scrub.leak(&once);
    }
    // Brackets without end take no stack.
    scrubbed(Keep::default(), &"[".repeat(1_000_000));
}

/// A JSON value with every text emptied: its shape.
fn shape(value: &serde_json::Value) -> String {
    use serde_json::Value as V;
    match value {
        V::Object(object) => {
            let mut shapes: Vec<String> = object
                .iter()
                .map(|(key, value)| match key.parse::<u64>() {
                    Ok(_) => format!("id:{}", shape(value)),
                    Err(_) => format!("{key}:{}", shape(value)),
                })
                .collect();
            shapes.sort();
            format!("{{{}}}", shapes.join(","))
        }
        V::Array(array) => format!("{:?}", array.iter().map(shape).collect::<Vec<_>>()),
        V::String(text) if text.is_empty() => "empty".to_owned(),
        V::String(_) => "text".to_owned(),
        V::Number(number) if number.as_u64() > Some(1 << 53) => "id".to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn every_fixture_keeps_its_shape_and_no_secret() {
    let mut documents = 0;
    for keep in [
        Keep::default(),
        Keep {
            ids: true,
            captions: true,
        },
    ] {
        for exchange in fixtures() {
            let reply = String::from_utf8(exchange.reply).unwrap();
            let (_, body) = reply.split_once("\r\n\r\n").unwrap();
            for written in written().into_iter().take(6) {
                // JSON's escapes are for JSON.
                if written.contains('\\') && !body.starts_with(['{', '[']) {
                    continue;
                }
                // One message is about the client secret.
                let secrets = body.matches("secret").count();
                let body = body.replace(TOKEN, &written);
                let mut scrub = Scrub::new(REAL, keep);
                scrub.body(&body);
                let new = scrub.body(&body);
                assert_eq!(scrub.leak(&new), None, "{}: {new}", exchange.name);
                let left = new.matches("secret").count();
                assert_eq!(left, secrets, "{}: {new}", exchange.name);
                let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text);
                if let Ok(old) = parse(&body) {
                    documents += 1;
                    assert_eq!(
                        shape(&parse(&new).unwrap()),
                        shape(&old),
                        "{}",
                        exchange.name
                    );
                }
            }
        }
    }
    assert!(documents > 200, "{documents}");
}

#[test]
fn no_damaged_document_stops_it() {
    let bodies: Vec<Vec<u8>> = fixtures()
        .into_iter()
        .map(|exchange| exchange.reply)
        .collect();
    const ALPHABET: &[u8] = b"\"\\{}[]:/%?&@u0\xc3";
    let mut random = 1u64;
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % below
    };
    for _ in 0..2000 {
        let mut body = bodies[next(bodies.len())].clone();
        for _ in 0..1 + next(8) {
            let at = next(body.len());
            match next(3) {
                0 => body[at] = ALPHABET[next(ALPHABET.len())],
                1 => body.truncate(at + 1),
                _ => drop(body.remove(at)),
            }
            if body.is_empty() {
                body.push(b'{');
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        let start = body.find(['{', '[']).unwrap_or_default();
        let mut scrub = Scrub::new(REAL, Keep::default());
        let new = scrub.body(&body[start..]);
        scrub.leak(&new);
    }
}
