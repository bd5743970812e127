//! `transport::Replay`: which exchange is played, how often, and what it refuses.

mod common;

use common::{Folder, TestClock};
use mingram::auth::{App, Code};
use mingram::transport::{Clock, Replay};
use mingram::{Api, Error, ErrorKind, MediaField as M, UserField as U};
use std::path::Path;
use std::thread;

const ME: &str =
    "GET https://graph.instagram.com/me?fields=id,username\n\nHTTP/1.1 200 OK\n\n{\"id\":\"1\"}";

fn folder(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    root.join(name).to_str().unwrap().to_owned()
}

fn play(replay: &Replay) -> Api {
    Api::new("SECRETtoken")
        .with_transport(replay.clone())
        .with_retries(0)
}

fn one(exchange: &str) -> Replay {
    Replay::new().with_exchange("one", exchange).unwrap()
}

fn refused(result: mingram::Result<impl std::fmt::Debug>) -> String {
    let error: Error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    error.to_string()
}

#[test]
fn a_directory_is_played_once_each() {
    let replay = Replay::new().with_directory(folder("feed")).unwrap();
    assert_eq!(
        replay.unused(),
        ["page-1", "page-2", "page-3", "profile"],
        "sorted, and only the fixtures"
    );
    let api = play(&replay);
    let edge = api.my_media(M::WITH_CHILDREN).page_size(4);
    assert_eq!(edge.clone().items().map(Result::unwrap).count(), 11);
    assert_eq!(replay.unused(), ["profile"]);
    assert_eq!(api.me(U::BASIC).unwrap().media_count, Some(11));
    assert!(replay.unused().is_empty());
    let message = refused(edge.items().next().unwrap());
    assert!(
        message.contains("is recorded as page-1, which was played already"),
        "{message}"
    );
    assert!(format!("{replay:?}").contains("exchanges: 4"));
}

#[test]
fn all_of_a_directory_tree() {
    let replay = Replay::new().with_directory(folder("")).unwrap();
    let names = replay.unused();
    assert!(names.len() > 60, "{names:?}");
    assert_eq!(names[..2], ["backwards/page-1", "backwards/page-2"]);
    assert_eq!(names.last().unwrap(), "users/wrapped");
    let replay = Replay::new()
        .with_file(folder("guide/me.http"))
        .and_then(|replay| replay.with_directory(folder("backwards")))
        .unwrap();
    assert_eq!(replay.unused()[1..], ["page-1", "page-2"]);
    assert!(replay.unused()[0].ends_with("fixtures/guide/me"));
}

#[test]
fn parameters_in_any_order_without_the_token() {
    let reply = "\n\nHTTP/1.1 200 OK\n\n{\"id\":\"7\"}";
    for url in [
        "https://graph.instagram.com/v25.0/7/x?a=1&b=%7Bc%7D&access_token=OTHER",
        "https://graph.instagram.com/v25.0/7/x?access_token=OTHER&b={c}&a=1",
        "https://Graph.Instagram.com:443/v25.0/7/x?&b=%7bc}&a=1&#fragment",
    ] {
        let replay = one(&format!("GET {url}{reply}"));
        let api = play(&replay).with_version("v25.0");
        let user: mingram::User = api.node("7/x", &[("b", "{c}"), ("a", "1")]).unwrap();
        assert_eq!(user.id, "7", "{url}");
        assert!(replay.unused().is_empty());
    }
    for url in [
        "https://graph.instagram.com/v25.0/7/x?a=1",
        "https://graph.instagram.com/v25.0/7/x?a=1&b=%7Bc%7D&b=%7Bc%7D",
        "https://graph.instagram.com/v25.0/7/x?a=1&b=%7BC%7D",
        "https://graph.instagram.com/7/x?a=1&b=%7Bc%7D",
        "https://graph.instagram.com:444/v25.0/7/x?a=1&b=%7Bc%7D",
        "https://instagram.com/v25.0/7/x?a=1&b=%7Bc%7D",
        "http://localhost/v25.0/7/x?a=1&b=%7Bc%7D",
    ] {
        let replay = one(&format!("GET {url}{reply}"));
        let api = play(&replay).with_version("v25.0");
        refused(api.node::<mingram::User>("7/x", &[("b", "{c}"), ("a", "1")]));
        assert_eq!(replay.unused(), ["one"], "{url}");
    }
}

/// `curl -i --compressed` prints the text under the headers of what was sent.
#[test]
fn a_recording_is_decoded_text_whatever_its_headers_say() {
    for (headers, body) in [
        (
            "Content-Encoding: gzip\nContent-Length: 5\n",
            r#"{"id":"1"}"#,
        ),
        (
            "content-encoding: BR\r\ncontent-length: 900\r\n",
            r#"{"id":"1"}"#,
        ),
        (
            "Content-Encoding: zstd\nTransfer-Encoding: chunked\n",
            r#"{"id":"1"}"#,
        ),
        (
            "Content-Encoding: identity\nContent-Length: 10\n",
            r#"{"id":"1"}   "#,
        ),
    ] {
        let url = "https://graph.instagram.com/me?fields=id";
        let replay = one(&format!("GET {url}\n\nHTTP/1.1 200 OK\n{headers}\n{body}"));
        assert_eq!(play(&replay).me([U::Id]).unwrap().id, "1", "{headers}");
    }
}

/// A recording of the bytes that were sent is played as they are.
#[test]
fn a_recording_may_be_compressed() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(br#"{"id":"1"}"#).unwrap();
    let body = encoder.finish().unwrap();
    let head = format!(
        "GET https://graph.instagram.com/me?fields=id\n\nHTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: {}\n\n",
        body.len()
    );
    let file = [head.as_bytes(), &body].concat();
    let replay = Replay::new().with_exchange("one", file).unwrap();
    let me = play(&replay).me([U::Id]);
    match cfg!(feature = "gzip") {
        true => assert_eq!(me.unwrap().id, "1"),
        false => assert_eq!(me.unwrap_err().kind(), ErrorKind::Malformed),
    }
}

#[test]
fn the_message_names_the_request_and_the_most_similar_exchange() {
    let replay = Replay::new().with_directory(folder("users")).unwrap();
    let api = play(&replay);
    assert_eq!(
        refused(api.me([U::Id, U::Biography])),
        "GET /me: no recorded exchange matches GET https://graph.instagram.com/me?fields=id,biography; \
         the most similar is wrapped: GET https://graph.instagram.com/me?fields=user_id,username"
    );
    let message = refused(api.user("17841400000000001", ""));
    assert!(
        message.contains("the most similar is private: GET https"),
        "{message}"
    );
    let message = refused(api.clone().with_version("v26.0").me(U::PROFESSIONAL));
    assert!(
        message.contains("the most similar is instagram-login: GET https"),
        "{message}"
    );
    assert_eq!(
        refused(play(&Replay::new()).me("")),
        "GET /me: no recorded exchange matches GET https://graph.instagram.com/me"
    );
}

#[test]
fn forms_are_compared_and_secrets_are_not_shown() {
    let app = App::new("1903003", "SECREToftheapp", "https://example.com/auth");
    let replay = Replay::new().with_directory(folder("tokens")).unwrap();
    let api = play(&replay);
    let token = api.exchange_code(&app, &Code::new("CODEtwo")).unwrap();
    assert_eq!(token.permissions.len(), 2);
    assert!(!replay.unused().contains(&"short-wrapped".to_owned()));
    let message = refused(api.exchange_code(&app, &Code::new("CODEsecret")));
    assert!(message.contains("&code=***&"), "{message}");
    assert!(
        message.contains("POST https://api.instagram.com/oauth/access_token?client_id=1903003")
    );
    let token = api.exchange_token(&app).unwrap();
    assert_eq!(token.token.expose(), "IGQVJlong");
    let again = refused(api.exchange_token(&app));
    let other = refused(api.node::<mingram::User>("SECRETtoken", &[("x", "SECRETtoken")]));
    for text in [message, again, other, format!("{replay:?} {api:?}")] {
        for secret in ["SECRET", "CODE", "IGQVJ"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn equal_requests_in_their_order_and_again() {
    let exchange = |id: u32| ME.replace("\"1\"", &format!("\"{id}\""));
    let build = || {
        let replay = one(&exchange(1)).with_exchange("two", exchange(2));
        replay.unwrap()
    };
    let id = |api: &Api| api.me([U::Id, U::Username]).unwrap().id;
    let once = build();
    let api = play(&once);
    assert_eq!((id(&api), id(&api)), ("1".into(), "2".into()));
    let message = refused(api.me([U::Id, U::Username]));
    assert!(
        message.contains("recorded as two, which was played"),
        "{message}"
    );
    let replay = build().repeating();
    let api = play(&replay);
    assert_eq!(
        [id(&api), id(&api), id(&api), id(&api)],
        ["1", "2", "2", "2"]
    );
    assert!(replay.unused().is_empty());
}

#[test]
fn threads_share_the_exchanges() {
    let mut replay = Replay::new();
    for number in 0..8 {
        replay = replay.with_exchange(&number.to_string(), ME).unwrap();
    }
    let api = play(&replay);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| api.me([U::Id, U::Username]).unwrap());
        }
    });
    assert!(replay.unused().is_empty());
    refused(api.me([U::Id, U::Username]));
}

#[test]
fn files_are_played_to_the_byte() {
    let picture: Vec<u8> = (0..100_000u32)
        .map(|i| (i.wrapping_mul(i) % 251) as u8)
        .collect();
    let url = "https://scontent.cdninstagram.com/v/a.jpg?oh=1&oe=2";
    let exchange = |length: usize| {
        let head = format!(
            "GET {url}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n"
        );
        [head.as_bytes(), &picture].concat()
    };
    let api = |length| {
        let replay = Replay::new().with_exchange("picture", exchange(length));
        play(&replay.unwrap())
    };
    let folder = Folder::new();
    let path = folder.0.join("a.jpg");
    let saved = api(picture.len()).download(url).save(&path).unwrap();
    assert_eq!(saved.content_type.as_deref(), Some("image/jpeg"));
    assert_eq!(std::fs::read(&path).unwrap(), picture);
    // The length counts, as on a connection.
    let mut part = Vec::new();
    api(1000).download(url).write_to(&mut part).unwrap();
    assert_eq!(part, &picture[..1000]);
    let error = api(100_001).download(url).save(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

#[test]
fn redirects_and_retries_are_exchanges_too() {
    let from = "GET https://cdn.example/a\n\nHTTP/1.1 302 Found\nLocation: /b\nContent-Length: 0\nX: 1\n\n";
    let to = "GET https://cdn.example/b\n\nHTTP/1.1 200 OK\nContent-Length: 3\n\nabc";
    let replay = one(from).with_exchange("to", to).unwrap();
    let mut file = Vec::new();
    let api = play(&replay);
    api.download("https://cdn.example/a")
        .write_to(&mut file)
        .unwrap();
    assert_eq!(file, b"abc");

    let busy = ME.replace("200 OK", "503 Service Unavailable");
    let replay = one(&busy).with_exchange("then", ME).unwrap();
    let api = play(&replay).with_clock(TestClock::new(0)).with_retries(1);
    assert_eq!(api.me([U::Id, U::Username]).unwrap().id, "1");
    assert!(replay.unused().is_empty());
}

#[test]
fn fixtures_as_people_write_them() {
    for fixture in [
        ME.to_owned(),
        ME.replace('\n', "\r\n"),
        format!("# Recorded 2026-11-23\n#\n# {{}}\n{ME}\n"),
        format!("# GET https://graph.instagram.com/you\r\n{ME}"),
        ME.replace("HTTP/1.1 200 OK", "HTTP/2 200 \r\nx-é: \u{fffd}\r\na:b"),
        ME.replace("OK\n", "OK\nTransfer-Encoding: chunked\n"),
        ME.replace("OK\n", "OK\ncontent-length:10\n") + "\n",
    ] {
        let api = play(&one(&fixture));
        let me = api.me([U::Id, U::Username]);
        assert_eq!(me.unwrap().id, "1", "{fixture}");
    }
}

#[test]
fn what_is_no_fixture_is_refused() {
    let reply = "HTTP/1.1 200 OK\n\n{}";
    for (fixture, problem) in [
        (
            String::new(),
            "its first line after comments must be `GET URL`",
        ),
        ("# only\n# comments".into(), "its first line after comments"),
        (
            "\nGET https://h/\n\n".into(),
            "its first line after comments",
        ),
        (
            format!("GET /me\n\n{reply}"),
            "it does not start with https://",
        ),
        (
            format!("GET http://h/\n\n{reply}"),
            "plain http is not encrypted",
        ),
        (
            format!("POST https://h/\na=b\nc=d\n\n{reply}"),
            "there must be an empty line",
        ),
        ("GET https://h/\n".into(), "there must be an empty line"),
        (
            format!("GET https://h/\n{reply}"),
            "there must be an empty line",
        ),
        (
            "GET https://h/\n\n{}\n".into(),
            "must start with a line like `HTTP/1.1 200 OK`",
        ),
        (
            "GET https://h/\n\nHTTP/1.1 OK\n\n".into(),
            "must start with a line like",
        ),
        (
            "GET https://h/\n\nHTTP/1.1 200 OK\nA: b\n".into(),
            "the headers must end with an empty line",
        ),
        (
            "GET https://h/\n\nHTTP/1.1 200 OK\n{}\n\n".into(),
            "a header has no colon",
        ),
    ] {
        let message = refused(Replay::new().with_exchange("odd", fixture.as_str()));
        let begin = "the fixture odd is invalid: ";
        assert!(
            message.starts_with(begin) && message.contains(problem),
            "{fixture}: {message}"
        );
    }
    let folder = Folder::new();
    let error = Replay::new().with_file(folder.0.join("a.http"));
    let error = error.unwrap_err();
    let not_found = |error: &mingram::Error| {
        error.io_error().map(std::io::Error::kind) == Some(std::io::ErrorKind::NotFound)
    };
    assert!(not_found(&error) && error.to_string().contains("a.http cannot be read"));
    let missing = Replay::new().with_directory(folder.0.join("none"));
    assert!(not_found(&missing.unwrap_err()));
    std::fs::write(folder.0.join("README.md"), ME).unwrap();
    let message = refused(Replay::new().with_directory(&folder.0));
    assert!(message.ends_with("has no file named *.http"), "{message}");
    std::fs::write(folder.0.join("a.http"), "odd").unwrap();
    let message = refused(Replay::new().with_directory(&folder.0));
    assert!(message.starts_with("the fixture a is invalid"), "{message}");
}

/// A token of an old recording has the age of the test.
#[test]
fn the_date_of_a_recording_is_not_played() {
    let clock = TestClock::new(2_000_000_000);
    let replay = Replay::new().with_file(folder("tokens/refresh.http"));
    let token = play(&replay.unwrap())
        .with_clock(clock.clone())
        .refresh_token();
    assert_eq!(token.unwrap().obtained_at, Clock::now(&clock));
}

#[test]
fn a_star_is_any_part_of_a_path_and_any_parameter_or_none() {
    let replay = |fixtures: &[(&str, &str)]| {
        let mut replay = Replay::new();
        for (id, target) in fixtures {
            let url = format!("https://graph.instagram.com{target}");
            let file = format!("GET {url}\n\nHTTP/1.1 200 OK\n\n{{\"id\":\"{id}\"}}");
            replay = replay.with_exchange(id, file).unwrap();
        }
        replay
    };
    let node = |replay: &Replay, path: &str, params: &[(&str, &str)]| {
        let api = Api::new("any-token").with_transport(replay.clone());
        let node = api.node::<mingram::User>(path, params);
        node.map(|user| user.id).ok()
    };
    let found = |id: &str| Some(id.to_owned());
    // The most exact one, whatever the order.
    let all = replay(&[
        ("1", "/me/*"),
        ("2", "/me/x"),
        ("3", "/me/x?q=*"),
        ("4", "/me?*=*&b=1"),
    ]);
    assert_eq!(node(&all, "me/x", &[]), found("2"));
    assert_eq!(node(&all, "me/x", &[("q", "5")]), found("3"));
    assert_eq!(node(&all, "me/x", &[]), None);
    assert_eq!(node(&all, "me/y/z", &[]), None);
    assert_eq!(node(&all, "me/y", &[("q", "5")]), None);
    assert_eq!(node(&all, "me/y", &[]), found("1"));
    assert_eq!(node(&all, "me", &[("a", "1"), ("b", "2")]), None);
    assert_eq!(
        node(&all, "me", &[("a", "1"), ("b", "1"), ("c", "1")]),
        found("4")
    );
    // Another page is no replacement.
    for name in ["after", "before", "since", "until"] {
        let page = replay(&[("1", &format!("/me?{name}=*"))]);
        assert_eq!(node(&page, "me", &[]), None);
        assert_eq!(node(&page, "me", &[(name, "5")]), found("1"));
    }
    let missing = replay(&[("1", "/me?q=*&limit=2")]);
    assert_eq!(node(&missing, "me", &[("limit", "3")]), None);
    assert_eq!(node(&missing, "me", &[("limit", "2")]), found("1"));
}
