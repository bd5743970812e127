//! The token, the client secret and the login code are shown by nothing: every
//! public type and every error is formatted, with the secrets in play however a
//! server may write them, and searched.

mod common;

use common::Server;
use common::secrets::{debugged, found, piece_of, shown};
use mingram::auth::{App, Code, Login, LongLivedToken, State, TokenFile};
use mingram::transport::{
    Clock, DefaultTransport, Method, Request, Response, SystemClock, Transport,
};
use mingram::{
    AccountType, Api, Cursors, Error, ErrorKind, Media, MediaProductType, MediaType, Owner, Token,
    User, UserField,
};
use proptest::prelude::*;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TOKEN: &str = "IGQVJ/Zk5X%2Bt=oken~9wQ+end";
const CLIENT_SECRET: &str = "f00d&b4d/c0ffee=%41+secret";
const CODE: &str = "AQBx-N9/ne%20w=co_de*77";
/// One that comes in a reply, so that no call can know it.
const NEW: &str = "IGNEW-k3ep-me-un5een-0123456789";

/// One that `with_param` sends.
const PROOF: &str = "9f86d081&884c7d%65/9a2feaa+c55ad015";

const ALL: [&str; 3] = [TOKEN, CLIENT_SECRET, CODE];

#[track_caller]
fn hidden(what: &str, text: &str, secrets: &[&str]) {
    if let Some(secret) = found(text, secrets) {
        panic!("{what} shows {secret}: {text:.2000}");
    }
}

fn app() -> App {
    App::new(
        "990602627938098",
        CLIENT_SECRET,
        "https://example.com/auth/",
    )
}

/// A secret as it may be written in a reply or an address.
fn written(secret: &str) -> Vec<String> {
    let percent = |secret: &str| -> String {
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect()
    };
    let all_percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let escaped: String = secret
        .bytes()
        .map(|byte| format!("\\u{byte:04X}"))
        .collect();
    let of_percent: String = percent(secret).replace('%', "\\u0025");
    vec![
        secret.to_owned(),
        percent(secret),
        all_percent,
        secret.replace('/', "\\/"),
        escaped,
        of_percent,
        percent(secret).replace('/', "\\/").replace('=', "\\u003d"),
    ]
}

/// The search itself finds what is there.
#[test]
fn the_search_finds_what_is_there() {
    for secret in ALL {
        for text in written(secret) {
            for text in [
                format!("a {text} b"),
                format!("{:?}", format!("a {text} b")),
            ] {
                assert!(found(&text, &[secret]).is_some(), "{text}");
            }
        }
        let half = secret.len() / 2;
        assert!(found(&format!("only {}", &secret[..half]), &[secret]).is_some());
        assert!(found(&format!("only {}", &secret[half..]), &[secret]).is_some());
        assert_eq!(
            found(&format!("only {}", &secret[..half - 1]), &[secret]),
            None
        );
    }
}

#[test]
fn every_type() {
    let server = Server::script([common::reply(
        "200 OK",
        &[("Content-Type", "image/jpeg")],
        "file",
    )]);
    let api = server.api().with_token(TOKEN);
    let link = format!("https://graph.facebook.com/x?access_token={TOKEN}&after=c");
    let address = format!("{}/f/{TOKEN}?access_token={TOKEN}#{TOKEN}", server.url());
    let based = api
        .clone()
        .with_base_url(format!("https://example.com/{TOKEN}"));
    let edges = [
        api.my_media(format!("x.as({TOKEN})")),
        api.user_media(TOKEN, "").after(link.as_str()),
        api.children("1", "").before(link.as_str()),
        api.edge("1/comments").param("access_token", NEW),
        api.edge(TOKEN).param(TOKEN, TOKEN),
    ];
    for edge in edges {
        hidden("Edge", &debugged(&edge), &[TOKEN, NEW]);
        let mut items = edge.clone().items();
        let mut pages = edge.clone().pages();
        hidden("Items", &debugged(&items), &[TOKEN, NEW]);
        hidden("Pages", &debugged(&pages), &[TOKEN, NEW]);
        // The reply is no page, or the call is refused.
        hidden(
            "Error",
            &shown(&items.next().unwrap().unwrap_err()),
            &[TOKEN, NEW],
        );
        hidden(
            "Error",
            &shown(&pages.next().unwrap().unwrap_err()),
            &[TOKEN, NEW],
        );
        hidden("Items", &debugged(&items), &[TOKEN, NEW]);
        hidden("Pages", &debugged(&pages), &[TOKEN, NEW]);
    }
    let download = api.download(&address);
    hidden("Download", &debugged(&download), &ALL);
    hidden("Body", &debugged(&download.open().unwrap()), &ALL);
    let version = "10 \"v1\"".parse().unwrap();
    let resume = api.download(&address).resume_from(1, &version);
    hidden("Resume", &debugged(&resume), &ALL);
    let unless = api.download(&address).unless(&version);
    hidden("Unless", &debugged(&unless), &ALL);
    let folder = common::Folder::new();
    let part = api.download(&address).save_part(folder.0.join("part"));
    hidden("Part", &debugged(&part.unwrap()), &ALL);
    let code = Code::from_redirect(
        &format!("https://example.com/?code={}&state=s#_", written(CODE)[1]),
        &State::restore("s"),
    );
    let long = common::json(
        "200 OK",
        &format!(r#"{{"access_token":"{NEW}","expires_in":5}}"#),
    );
    let tokens = Server::script([long]);
    let logins = tokens.api().with_token(TOKEN);
    let shown: [(&str, String); 14] = [
        ("Api", debugged(&api)),
        ("Api with an address", debugged(&based)),
        ("Token", debugged(&Token::new(TOKEN))),
        ("a bad Token", debugged(&Token::new(&format!("{TOKEN} x")))),
        ("App", debugged(&app())),
        ("Code", debugged(&code.unwrap())),
        ("Code of its own", debugged(&Code::new(CODE))),
        ("Login", debugged(&Login::Instagram)),
        (
            "ShortLivedToken",
            debugged(&logins.exchange_code(&app(), &Code::new(CODE)).unwrap()),
        ),
        (
            "LongLivedToken",
            debugged(&logins.exchange_token(&app()).unwrap()),
        ),
        (
            "a refreshed one",
            debugged(&logins.refresh_token().unwrap()),
        ),
        ("Usage", debugged(&api.usage())),
        (
            "SystemClock",
            debugged(&SystemClock) + &debugged(&SystemClock.now()),
        ),
        (
            "names",
            debugged(&(
                AccountType::Business,
                MediaType::Video,
                UserField::Id,
                Method::Get,
            )),
        ),
    ];
    for (name, text) in shown {
        assert!(!text.is_empty());
        hidden(name, &text, &[TOKEN, CLIENT_SECRET, CODE, NEW]);
    }
    // The headers of a reply are shown as usage, and may quote a token.
    let business = format!(r#"{{"{TOKEN}":[{{"type":"{TOKEN}","call_count":3}}]}}"#);
    let quoting = Server::script([common::reply(
        "200 OK",
        &[
            ("X-App-Usage", r#"{"call_count":7}"#),
            ("X-Business-Use-Case-Usage", &business),
        ],
        r#"{"id":"1"}"#,
    )]);
    let quoting = quoting.api().with_token(TOKEN);
    quoting.me("").unwrap();
    let usage = quoting.usage();
    assert_eq!((usage.percent(), usage.business.len()), (Some(7), 1));
    hidden("Usage", &debugged(&usage), &[TOKEN]);
    hidden("AppUsage", &debugged(&usage.app.unwrap()), &[TOKEN]);
    hidden("BusinessUsage", &debugged(&usage.business[0]), &[TOKEN]);
    hidden(
        "DefaultTransport",
        &debugged(&DefaultTransport::default()),
        &ALL,
    );
    hidden(
        "words",
        &debugged(&(
            Owner::default(),
            MediaProductType::Reels,
            Cursors::default(),
            ErrorKind::Api,
        )),
        &ALL,
    );
    // The one way to a token is the one that says so.
    assert_eq!(Token::new(TOKEN).expose(), TOKEN);
    assert_eq!(logins.refresh_token().unwrap().token.expose(), NEW);
}

/// A token that lies in a file, and every way that its refresh may end.
#[test]
fn token_files() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let name = format!("mingram-secrets-{}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = TokenFile::new(&path);
    let begin = std::time::UNIX_EPOCH + 20_000 * DAY;
    let old = LongLivedToken::new(TOKEN, Some(60 * DAY), begin);
    let fresh = common::json(
        "200 OK",
        &format!(r#"{{"access_token":"{NEW}","expires_in":5}}"#),
    );
    let quoting = format!(r#"{{"error":{{"message":"bad {TOKEN}","code":190}}}}"#);
    let young = [("Date", "Fri, 04 Oct 2024 00:00:00 GMT")];
    let young = common::reply("400 Bad Request", &young, &quoting);
    let quoting = common::json("400 Bad Request", &quoting);
    let mut outcomes = Vec::new();
    for (days, reply, unwritable) in [
        (-2, &young, false),
        (2, &fresh, false),
        (50, &quoting, false),
        (50, &fresh, false),
        (50, &fresh, true),
    ] {
        file.save(&old).unwrap();
        let (reply, folder) = (reply.clone(), path.clone());
        let server = Server::start(move |_, stream| {
            if unwritable {
                // In the middle of the refresh a folder takes the file's place.
                std::fs::remove_file(&folder).unwrap();
                std::fs::create_dir(&folder).unwrap();
            }
            let _ = std::io::Write::write_all(stream, reply.as_bytes());
        });
        let clock = common::TestClock::new((20_000_i64 + days) as u64 * DAY.as_secs());
        let refresh = file
            .refresh_if_due(&server.api().with_clock(clock))
            .unwrap();
        let text = debugged(&refresh) + &debugged(&file) + &refresh.outcome.to_string();
        hidden("Refresh", &text, &[TOKEN, NEW]);
        outcomes.push(
            format!("{:?}", refresh.outcome)
                .split(['(', ' '])
                .next()
                .unwrap()
                .to_owned(),
        );
    }
    assert_eq!(
        outcomes,
        [
            "TooYoung",
            "NotDue",
            "RefreshFailed",
            "Refreshed",
            "SaveFailed"
        ]
    );
    let mut odd = old.clone();
    odd.expires_in = Some(Duration::MAX);
    let errors = [
        odd.to_json().unwrap_err(),
        LongLivedToken::from_json(TOKEN).unwrap_err(),
        LongLivedToken::new(format!("a {TOKEN}"), None, begin)
            .to_json()
            .unwrap_err(),
    ];
    for error in errors {
        hidden("Error", &shown(&error), &[TOKEN]);
    }
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, format!("{TOKEN} {{\"access_token\":\"{TOKEN}\"")).unwrap();
    hidden("Error", &shown(&file.load().unwrap_err()), &[TOKEN]);
    std::fs::remove_file(&path).unwrap();
}

/// What a page keeps of its links is the cursors.
#[test]
fn pages_with_links() {
    for token in written(TOKEN) {
        let link = |direction: &str| {
            format!(
                r#"https:\/\/graph.facebook.com\/x?access_token={token}&{direction}=c&z={token}"#
            )
        };
        let page = format!(
            r#"{{"data":[{{"id":"1"}}],"paging":{{"cursors":{{"before":"b","after":"a"}},"next":"{}","previous":"{}"}}}}"#,
            link("after"),
            link("before")
        );
        let user = format!(r#"{{"id":"1","media":{page}}}"#);
        let server = Server::script([common::json("200 OK", &page), common::json("200 OK", &user)]);
        let api = server.api().with_token(TOKEN);
        let page = api.my_media("").pages().next().unwrap().unwrap();
        assert!(page.has_next() && page.has_previous());
        hidden("Page", &debugged(&page), &[TOKEN]);
        hidden("Page", &miniserde::json::to_string(&page), &[TOKEN]);
        let user = api.me([UserField::Media]).unwrap();
        assert!(user.media.as_ref().unwrap().has_next());
        hidden("User", &debugged(&user), &[TOKEN]);
        hidden("User", &miniserde::json::to_string(&user), &[TOKEN]);
    }
}

/// Notes how each request, and a reply that is full of secrets, is shown.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<String>>>);

impl Transport for Noting {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        let response = Response::new(
            400,
            vec![
                (
                    "Location".into(),
                    format!("https://x/?access_token={TOKEN}"),
                ),
                ("Set-Cookie".into(), CLIENT_SECRET.into()),
            ],
            CODE.as_bytes(),
        );
        self.0
            .lock()
            .unwrap()
            .push(debugged(&request) + &debugged(&response));
        Ok(response)
    }
}

#[test]
fn requests_and_responses() {
    let noting = Noting::default();
    let api = Api::new(TOKEN).with_transport(noting.clone());
    let errors = [
        api.me("").unwrap_err(),
        api.my_media("").into_iter().next().unwrap().unwrap_err(),
        api.exchange_code(&app(), &Code::new(CODE)).unwrap_err(),
        api.exchange_token(&app()).unwrap_err(),
        api.refresh_token().unwrap_err(),
    ];
    assert_eq!(noting.0.lock().unwrap().len(), errors.len());
    for text in noting.0.lock().unwrap().iter() {
        assert!(text.contains("timeout: "), "{text}");
        hidden("Request or Response", text, &ALL);
    }
    // The code is no secret of a call that does not have it.
    for error in &errors {
        hidden("Error", &shown(error), &[TOKEN, CLIENT_SECRET]);
    }
}

/// A transport that says more than it should.
struct Telling;

impl Transport for Telling {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        let text = format!("could not send {} {:?}", request.url, request.body);
        Err(Error::new(ErrorKind::ConnectionLost, text))
    }
}

type Call = fn(&Api, &Server) -> mingram::Result<String>;

/// Every sort of call, and the secrets that it knows.
fn calls() -> Vec<(&'static str, Call, Vec<&'static str>)> {
    vec![
        ("me", |api, _| api.me("").map(|user| user.id), vec![TOKEN]),
        (
            "user",
            |api, _| {
                api.user(TOKEN, format!("x.as({TOKEN})"))
                    .map(|user| user.id)
            },
            vec![TOKEN],
        ),
        (
            "media",
            |api, _| api.media("1", "").map(|media| media.id),
            vec![TOKEN],
        ),
        (
            "feed",
            |api, _| {
                api.my_media("")
                    .into_iter()
                    .map(|media| media.map(|media| media.id))
                    .collect()
            },
            vec![TOKEN],
        ),
        (
            "children",
            |api, _| {
                api.children("1", "")
                    .after(TOKEN)
                    .into_iter()
                    .map(|media| media.map(|media| media.id))
                    .collect()
            },
            vec![TOKEN],
        ),
        (
            "get",
            |api, _| {
                api.node::<User>(&format!("1/{TOKEN}"), &[(TOKEN, TOKEN)])
                    .map(|user| user.id)
            },
            vec![TOKEN],
        ),
        (
            "edge",
            |api, _| {
                api.edge::<Media>("1/x")
                    .into_iter()
                    .map(|media| media.map(|media| media.id))
                    .collect()
            },
            vec![TOKEN],
        ),
        (
            "file",
            |api, server| {
                api.download(&format!("{}/{TOKEN}?access_token={TOKEN}", server.url()))
                    .write_to(&mut Vec::new())
                    .map(|_| String::new())
            },
            vec![TOKEN],
        ),
        (
            "exchange_code",
            |api, _| {
                api.exchange_code(&app(), &Code::new(CODE))
                    .map(|_| String::new())
            },
            ALL.to_vec(),
        ),
        (
            "exchange_token",
            |api, _| api.exchange_token(&app()).map(|_| String::new()),
            vec![TOKEN, CLIENT_SECRET],
        ),
        (
            "refresh_token",
            |api, _| api.refresh_token().map(|_| String::new()),
            vec![TOKEN],
        ),
    ]
}

/// A value of `with_param` that may be a secret, wherever else it may come from.
#[test]
fn a_parameter_of_every_call() {
    let server = Server::script([format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{PROOF}"
    )]);
    let based = server
        .api()
        .with_base_url(format!("{}/{PROOF}", server.url()));
    let api = based.clone().with_param("proof", "old");
    let api = api.with_param("proof", PROOF);
    hidden("Api", &debugged(&api), &[PROOF]);
    let edge = api.my_media("").after(format!("x&proof={PROOF}"));
    hidden("Edge", &debugged(&edge), &[PROOF]);
    hidden("Position", &edge.items().position().to_string(), &[PROOF]);
    for proof in written(PROOF) {
        let url = format!("{}/{proof}?x={proof}", server.url());
        let download = api.download(&url);
        hidden("Download", &debugged(&download), &[PROOF]);
        let error = download.save("no/such/directory").unwrap_err();
        hidden("Error", &shown(&error), &[PROOF]);
        let file = format!("no/such/{proof}");
        let error = api.download(&url).save(&file).unwrap_err();
        hidden("Error", &shown(&error), &[PROOF]);
        let error = api.download(&url).save_resumable(&file).unwrap_err();
        hidden("Error", &shown(&error), &[PROOF]);
        let error = api.download(&url).write_to(Vec::new()).unwrap_err();
        hidden("Error", &shown(&error), &[PROOF]);
    }
    let telling = api.clone().with_transport(Telling).with_retries(0);
    hidden("Error", &shown(&telling.me("").unwrap_err()), &[PROOF]);
    // Name and value in the wrong order.
    let error = based.with_param(PROOF, "proof").me("").unwrap_err();
    hidden("Error", &shown(&error), &[PROOF]);
}

#[test]
fn a_transport_that_tells_too_much() {
    let server = Server::script([""]);
    let api = Api::new(TOKEN)
        .with_base_url(server.url())
        .with_transport(Telling)
        .with_retries(0);
    for (name, call, secrets) in calls() {
        let error = call(&api, &server).unwrap_err();
        assert!(error.to_string().contains("could not send"), "{error}");
        hidden(name, &shown(&error), &secrets);
    }
}

/// Whole replies in which `SECRET` stands for the secrets of the call.
fn replies() -> Vec<String> {
    let full = r#"{"error":{"message":"bad SECRET","type":"SECRET","code":CODE,"error_subcode":1,"error_user_title":"SECRET","error_user_msg":"SECRET","fbtrace_id":"SECRET"}}"#;
    let bodies = [
        full.replace("CODE", "190"),
        full.replace("CODE", "4"),
        full.replace("CODE", "\"SECRET\""),
        r#"{"error":"SECRET"}"#.to_owned(),
        r#"{"error":{"message":"https:\/\/graph.instagram.com\/me?access_token=SECRET&client_secret=SECRET&code=SECRET"}}"#.to_owned(),
        r#"{"error_type":"SECRET","code":400,"error_message":"SECRET"}"#.to_owned(),
        r#"{"error":["SECRET"]}"#.to_owned(),
        r#"{"SECRET":{"SECRET":["SECRET"]}}"#.to_owned(),
        r#"{"id":{"access_token":"SECRET"}}"#.to_owned(),
        r#"{"data":"SECRET"}"#.to_owned(),
        r#"{"data":[{"id":"1"}],"paging":{"next":"SECRET"}}"#.to_owned(),
        r#"{"data":[{"id":"1"}],"paging":{"cursors":{"after":"SECRET"},"next":["SECRET"]}}"#.to_owned(),
        r#"{"data":[{"id":"1"}],"paging":{"next":"https://x/?access_token=SECRET"#.to_owned(),
        // Broken right before, right after and in a secret, and under a key that is one.
        format!(r#"{{"x":"{}","id":?"SECRET"}}"#, "x".repeat(200)),
        r#"{"id":"SECRET" "SECRET":1}"#.to_owned(),
        r#"{"id":"SECRET\x"}"#.to_owned(),
        r#"{"id":"\xSECRET"}"#.to_owned(),
        r#"{"SECRET":{"SECRET":?}}"#.to_owned(),
        "\"SECRET\"".to_owned(),
        "SECRET".to_owned(),
        "<html><a href=\"/login?access_token=SECRET\">SECRET</a></html>".to_owned(),
        format!("{}SECRET", "x".repeat(105)),
        "\u{1}\r\nSECRET\t\0SECRET".to_owned(),
        "é\u{fffd}SECRET日本SECRET".to_owned(),
    ];
    let mut replies = Vec::new();
    for status in [
        "200 OK",
        "400 Bad Request",
        "401 Unauthorized",
        "500 Oh",
        "404 Not Found",
    ] {
        for body in &bodies {
            replies.push(format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/html\r\n\r\n{body}"
            ));
        }
    }
    for location in [
        "SECRET",
        "/SECRET",
        "https://SECRET/",
        "https://SECRET.example.com/",
        "https://example.com/?access_token=SECRET",
        "http://example.com/SECRET",
        "http://user:SECRET@example.com/",
        "ftp://SECRET",
    ] {
        replies.push(format!(
            "HTTP/1.1 302 SECRET\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        ));
    }
    for header in [
        "Content-Type: SECRET",
        "Content-Type: text/html; SECRET\r\nContent-Length: 99",
        "Content-Length: SECRET",
        "Content-Length: 1\r\nContent-Length: SECRET",
        "Transfer-Encoding: SECRET",
        "Content-Encoding: SECRET",
        "Retry-After: SECRET",
        "WWW-Authenticate: OAuth \"SECRET\"",
        "SECRET: SECRET",
        "SECRET",
        "X-App-Usage: {\"call_count\":\"SECRET\"}",
        "Content-Range: SECRET",
    ] {
        for status in ["200 OK", "206 Partial Content", "500 SECRET"] {
            replies.push(format!("HTTP/1.1 {status}\r\n{header}\r\n\r\nSECRET"));
        }
    }
    replies.extend([
        String::new(),
        "SECRET".to_owned(),
        "SECRET SECRET SECRET\r\n\r\nSECRET".to_owned(),
        "HTTP/1.1 SECRET OK\r\n\r\n".to_owned(),
        "HTTP/1.1 100 SECRET\r\nSECRET: x\r\n\r\nSECRET".to_owned(),
        "HTTP/1.1 204 SECRET\r\n\r\nSECRET".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nSECRET\r\nSECRET".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nSECRET".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{\"SECRET\":".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nSECRET".to_owned(),
    ]);
    replies
}

#[test]
fn every_error() {
    let mut errors = 0;
    for (name, call, mut secrets) in calls() {
        secrets.push(PROOF);
        let events = Arc::new(Mutex::new(String::new()));
        let ways = written(TOKEN).len();
        let mut scripts: Vec<String> = Vec::new();
        for (at, reply) in replies().into_iter().enumerate() {
            // All ways for the two calls that stand for the others, one for these.
            let all = matches!(name, "me" | "exchange_code");
            for way in if all {
                0..ways
            } else {
                at % ways..at % ways + 1
            } {
                let text: Vec<String> = secrets
                    .iter()
                    .map(|secret| written(secret)[way].clone())
                    .collect();
                scripts.push(reply.replace("SECRET", &text.join("'")));
            }
        }
        // Redirects are followed to the same reply, so each has its own server.
        let next = std::sync::atomic::AtomicUsize::new(0);
        let counted = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        let Some(script) = scripts.get(at) else { break };
                        let server = Server::script([script.as_str()]);
                        let api = server
                            .api()
                            .with_token(TOKEN)
                            .with_param("appsecret_proof", PROOF)
                            .with_timeout(Duration::from_secs(5))
                            .with_body_limit(100_000);
                        let told = events.clone();
                        let api = api.with_observer(move |event| {
                            *told.lock().unwrap() += &format!("{event}\n{event:?}\n");
                        });
                        if let Err(error) = call(&api, &server) {
                            hidden(&format!("{name}: {script:?}"), &shown(&error), &secrets);
                            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        }
                        hidden(name, &debugged(&api), &secrets);
                    }
                });
            }
        });
        errors += counted.into_inner();
        let events = std::mem::take(&mut *events.lock().unwrap());
        assert!(events.lines().count() > 2 * scripts.len(), "{name}");
        for line in events.lines() {
            hidden("Event", line, &secrets);
        }
    }
    assert!(errors > 2_500, "only {errors}");
}

/// An error page whose end is missing, wherever it was cut: no half is shown.
#[test]
fn pages_that_are_cut_inside_a_secret() {
    for written in written(TOKEN) {
        let page = format!("<b>bad {written}</b>");
        for end in 0..page.len() {
            let server = Server::script([common::reply("500 Oh", &[], &page[..end])]);
            let error = server.api().with_token(TOKEN).me("").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Status);
            hidden(&page[..end], &shown(&error), &[TOKEN]);
        }
    }
}

/// A token that is only on its way to the caller is not shown either, whatever
/// is wrong with the reply that brings it.
#[test]
fn tokens_that_are_new() {
    let replies = [
        common::json(
            "200 OK",
            &format!(r#"{{"access_token":"{NEW}","user_id":[],"expires_in":1,"token_type":{{}}}}"#),
        ),
        common::json(
            "200 OK",
            &format!(r#"{{"data":[{{"access_token":"{NEW}","permissions":5,"token_type":[]}}]}}"#),
        ),
        common::json("200 OK", &format!(r#"["{NEW}"]"#)),
        common::json("200 OK", &format!(r#""{NEW}""#)),
        common::json("200 OK", &format!(r#"{{"access_token":"{NEW} x"}}"#)),
        common::json("200 OK", &format!(r#"{{"access_token":"{NEW}""#)),
        common::json("200 OK", &format!("access_token={NEW}&expires=5")),
        common::json("500 Oh", &format!(r#"{{"access_token":"{NEW}"}}"#)),
        common::json("400 No", &format!("<html>{NEW}</html>")),
        common::json(
            "400 No",
            &format!(r#"{{"error":{{"message":"?access_token={NEW}&x=1","code":1}}}}"#),
        ),
        common::reply(
            "200 OK",
            &[("Content-Length", "999")],
            &format!(r#"{{"access_token":"{NEW}"}}"#),
        ),
        format!("HTTP/1.1 200 OK\r\n\r\n{{\"access_token\":\"{NEW}"),
        format!("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{{\"access_token\":\"{NEW}\"}}"),
        common::reply(
            "302 Found",
            &[(
                "Location",
                &format!("https://x.example/?access_token={NEW}"),
            )],
            "",
        ),
    ];
    for reply in replies {
        let server = Server::script([reply.as_str()]);
        let api = server.api().with_token(TOKEN);
        for outcome in [
            api.exchange_code(&app(), &Code::new(CODE)).map(drop),
            api.exchange_token(&app()).map(drop),
            api.refresh_token().map(drop),
        ] {
            hidden(&reply, &shown(&outcome.expect_err(&reply)), &[NEW, TOKEN]);
        }
    }
}

/// A login that was refused names the reason, and not the code.
#[test]
fn redirect_addresses() {
    for code in written(CODE) {
        for address in [
            format!("https://example.com/auth?code={code}&state=other"),
            format!("https://example.com/auth?codes={code}"),
            format!("https://example.com/auth?error=access_denied&code={code}"),
            format!("https://example.com/auth#code={code}"),
        ] {
            let error = Code::from_redirect(&address, &State::restore("state")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Login);
            hidden(&address, &shown(&error), &[CODE]);
        }
    }
}

/// Arguments that are refused are not repeated where a secret may be in them.
#[test]
fn refused_arguments() {
    let api = Api::new(TOKEN).with_retries(0);
    let bad = |secret: &str| format!("{secret}\r\n{secret}");
    let errors = [
        Token::new(&bad(TOKEN)).check().unwrap_err(),
        api.clone().with_token(bad(TOKEN)).me("").unwrap_err(),
        api.clone()
            .with_token(bad(TOKEN))
            .refresh_token()
            .unwrap_err(),
        api.exchange_token(&App::new("1", &bad(CLIENT_SECRET), "x"))
            .unwrap_err(),
        api.exchange_code(&app(), &Code::new(&bad(CODE)))
            .unwrap_err(),
        api.node::<User>("me", &[("access_token", TOKEN)])
            .unwrap_err(),
        api.node::<User>(&format!("..//{TOKEN}"), &[]).unwrap_err(),
        api.user(&TOKEN.repeat(2000), "").unwrap_err(),
        api.clone().with_version(TOKEN).me("").unwrap_err(),
        api.clone().with_user_agent(bad(TOKEN)).me("").unwrap_err(),
        api.clone()
            .with_base_url(format!("http://{TOKEN}/"))
            .me("")
            .unwrap_err(),
        api.clone()
            .with_base_url(format!("https://x/?access_token={TOKEN}"))
            .me("")
            .unwrap_err(),
        api.download(&format!("http://x/?access_token={TOKEN}"))
            .write_to(&mut Vec::new())
            .unwrap_err(),
        api.download(&format!("https://{}@x/", written(TOKEN)[1]))
            .write_to(&mut Vec::new())
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        hidden("a refusal", &shown(&error), &ALL);
    }
}

/// The body of a file fails with what is hidden as well.
#[test]
fn bodies_that_fail() {
    let server = Server::script(["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfile"]);
    let api = server.api().with_token(TOKEN);
    let url = format!("{}/{TOKEN}/f?access_token={TOKEN}", server.url());
    let mut body = api.download(&url).open().unwrap();
    let error = body.read_to_end(&mut Vec::new()).unwrap_err();
    hidden(
        "io::Error",
        &format!("{error}\n{}", debugged(&error)),
        &[TOKEN],
    );
    hidden("Error", &shown(&Error::from(error)), &[TOKEN]);
}

/// Answers every request with the same bytes, or fails and tells too much.
#[derive(Clone)]
struct Canned {
    status: u16,
    header: Option<(&'static str, String)>,
    body: String,
    fails: bool,
}

impl Transport for Canned {
    fn send(&self, _: &Request<'_>) -> mingram::Result<Response> {
        if self.fails {
            let error = Error::new(ErrorKind::ConnectionLost, format!("lost: {}", self.body));
            return Err(error.with_source(std::io::Error::other(self.body.clone())));
        }
        let header = self.header.clone();
        Ok(Response::new(
            self.status,
            header
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            std::io::Cursor::new(self.body.clone().into_bytes()),
        ))
    }
}

/// All that a call of a token shows of these bytes.
fn shown_of(token: &str, canned: Canned) -> String {
    let api = Api::new(token).with_transport(canned).with_retries(0);
    let edge = api.my_media("");
    let error = match edge.into_iter().next() {
        Some(Err(error)) => error,
        _ => api.me([UserField::Id]).unwrap_err(),
    };
    assert!(!error.to_string().is_empty());
    shown(&error)
}

/// A character under no, one or two layers of encoding.
fn letter(byte: u8, way: usize) -> String {
    let c = char::from(byte);
    match way {
        0 => format!("%{byte:02X}"),
        1 => format!("%{byte:02x}"),
        2 => format!("\\u{byte:04X}"),
        3 => format!("\\u{byte:04x}"),
        4 => format!("%25{byte:02x}"),
        5 => format!("\\u0025{byte:02X}"),
        6 => format!("%5cu{byte:04X}"),
        7 => format!("\\\\u{byte:04x}"),
        8 if b"\"\\/".contains(&byte) => format!("\\{c}"),
        _ => c.into(),
    }
}

/// Where in a reply the text is.
fn reply_with(place: usize, text: &str) -> Canned {
    let canned = |status, body| Canned {
        status,
        header: None,
        body,
        fails: false,
    };
    let quoted = |value: &str| serde_json::to_string(value).unwrap();
    let head = |status, name, value| Canned {
        header: Some((name, value)),
        ..canned(status, "<html>".to_owned())
    };
    match place {
        0 => canned(
            400,
            format!(r#"{{"error":{{"code":190,"message":{}}}}}"#, quoted(text)),
        ),
        1 => canned(
            200,
            format!(r#"{{"error":{{"code":4,"type":"{text}","error_user_msg":"{text}"}}}}"#),
        ),
        2 => canned(500, text.to_owned()),
        3 => canned(200, format!(r#"{{"x":"{text}"?}}"#)),
        4 => canned(
            200,
            format!(r#"{{"data":[{{"id":"1","{text}":?"{text}"}}]}}"#),
        ),
        5 => canned(200, format!(r#"{{"data":{}}}"#, quoted(text))),
        6 => head(500, "Content-Type", text.to_owned()),
        7 => head(302, "Location", format!("https://{text}/{text}")),
        _ => Canned {
            fails: true,
            ..canned(0, text.to_owned())
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// No eight consecutive characters of a secret are shown, whatever the secret, its
    /// encoding, its place, and the place where it is cut. Quotes and backslashes are not in
    /// it, because `Debug` writes more of them than there are.
    #[test]
    fn no_piece_of_any_secret(
        secret in r"[!#-\[\]-~]{8,60}", ways in proptest::collection::vec(0_usize..16, 60), plain in any::<bool>(),
        before in 0_usize..1100, near in any::<bool>(), place in 0_usize..9, cut in 0_usize..400, after in "[ -~]{0,9}",
    ) {
        let ways = ways.iter().map(|way| if plain { 9 } else { *way });
        let mut text = "y".repeat(if near { before / 8 } else { before }) + " ";
        text.extend(secret.bytes().zip(ways).map(|(byte, way)| letter(byte, way)));
        text.truncate(text.len().saturating_sub(cut / 8));
        text += &after;
        let shown = shown_of(&secret, reply_with(place, &text));
        prop_assert_eq!(piece_of(&shown, &secret), None, "{}", shown);
    }
}
