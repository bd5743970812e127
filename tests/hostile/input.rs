//! What a caller gives: the server reads back exactly that, by an independent
//! library, or it is refused before a connection is made.

use crate::common::Server;
use crate::common::replay::Received;
use crate::common::secrets::{found, shown};
use crate::{CODE, TOKEN, app, json};
use mingram::auth::{App, Code, State};
use mingram::{Api, ErrorKind, Fields, MediaField as M, Token, UserField as U};
use std::io::Write;
use url::Url;

/// What nobody should give, and somebody will.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "a b",
        " a ",
        "\r\n",
        "a\r\nX-Evil: 1",
        "a\nb",
        "\0",
        "a\0b",
        "\u{7f}",
        "/",
        "//",
        "a/b",
        "/a/",
        ".",
        "..",
        "../me",
        "/../",
        "a/../b",
        "1/..",
        "%2e%2e",
        "%2E",
        "?",
        "a?b=c",
        "#",
        "a#b",
        "%",
        "%2F",
        "%zz",
        "%00",
        "&",
        "a&access_token=x",
        "=",
        "+",
        "a+b",
        ",",
        ";",
        ":",
        "@",
        "a@b",
        "\\",
        "\\..\\",
        "\"",
        "'",
        "`",
        "{",
        "}",
        "children{id}",
        "<b>",
        "|",
        "^",
        "~",
        "-._~",
        "é",
        "日本語",
        "\u{1f600}\u{1f3fd}",
        "\u{202e}x",
        "\u{feff}",
        "http://example.com/",
        "//example.com",
        "*",
        "!$'()*",
    ]
    .map(String::from)
    .into();
    texts.push("x".repeat(20_000));
    texts.push("x".repeat(1024 * 1024));
    texts.push("\u{1f600}".repeat(8 * 1024));
    texts
}

fn server() -> Server {
    Server::start(|_, stream| {
        let _ = stream.write_all(&json(r#"{"id":"1","data":[],"access_token":"IGnew"}"#));
    })
}

fn api(server: &Server) -> Api {
    server.api().with_token(TOKEN)
}

fn url(request: &Received) -> Url {
    Url::parse("http://host")
        .unwrap()
        .join(&request.target)
        .unwrap()
}

/// The parts of the path, percent-decoded by the url crate's form decoder.
fn path(request: &Received) -> Vec<String> {
    let decoded = |part: &str| {
        let form = format!("x={part}");
        let (_, value) = url::form_urlencoded::parse(form.as_bytes()).next().unwrap();
        value.into_owned()
    };
    url(request).path_segments().unwrap().map(decoded).collect()
}

fn query(request: &Received) -> Vec<(String, String)> {
    url(request).query_pairs().into_owned().collect()
}

fn form(request: &Received) -> Vec<(String, String)> {
    url::form_urlencoded::parse(request.body.as_bytes())
        .into_owned()
        .collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Makes the call with each text. Either it is refused and there is no
/// connection, or one request came whose parts are as `meant` says.
#[track_caller]
fn each<T: std::fmt::Debug>(
    call: impl Fn(&Api, &str) -> mingram::Result<T>,
    meant: impl Fn(&Received, &str) -> bool,
) {
    let mut sent = 0;
    for text in texts() {
        let server = server();
        let outcome = call(&api(&server), &text);
        let shown_text: String = text.chars().take(40).collect();
        let received = server.received();
        match outcome {
            Ok(_) => {
                assert_eq!(
                    (received.len(), server.connections()),
                    (1, 1),
                    "{shown_text:?}"
                );
                let request = &received[0];
                assert!(
                    meant(request, &text),
                    "{shown_text:?}: {:.200}",
                    request.target
                );
                // What a call always has, and nothing that came in besides.
                let names: Vec<&str> = request
                    .headers
                    .iter()
                    .map(|(name, _)| name.as_str())
                    .collect();
                let known = [
                    "host",
                    "user-agent",
                    "accept",
                    "accept-encoding",
                    "content-type",
                    "content-length",
                    "range",
                ];
                assert!(
                    names.iter().all(|name| known.contains(name)),
                    "{shown_text:?}: {names:?}"
                );
                sent += 1;
            }
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    ErrorKind::InvalidInput,
                    "{shown_text:?}: {error}"
                );
                assert_eq!(server.connections(), 0, "{shown_text:?}");
                assert!(!error.to_string().contains(char::is_control), "{error:?}");
                assert!(
                    error.to_string().len() < 2 * 1024,
                    "{shown_text:?}: a long error"
                );
                assert_eq!(found(&shown(&error), &[TOKEN]), None);
            }
        }
    }
    assert!(sent > 0, "nothing was ever sent");
}

/// Makes the call with each text, and every one is refused.
#[track_caller]
fn none<T: std::fmt::Debug>(call: impl Fn(&Api, &str) -> mingram::Result<T>) {
    let server = server();
    for text in texts() {
        // That one is an address, and of a host that the caller may name.
        if text.starts_with("http://") {
            continue;
        }
        let error = call(&api(&server), &text).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidInput,
            "{text:.40?}: {error}"
        );
        assert!(
            error.to_string().len() < 2 * 1024,
            "{text:.40?}: a long error"
        );
        assert_eq!(found(&shown(&error), &[TOKEN, CODE]), None);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn ids() {
    each(
        |api, id| api.user(id, ""),
        |request, id| path(request) == [id],
    );
    each(
        |api, id| api.media(id, [M::Id]),
        |request, id| path(request) == [id],
    );
    each(
        |api, id| api.user_media(id, "").pages().next().unwrap(),
        |request, id| path(request) == [id, "media"],
    );
    each(
        |api, id| api.children(id, "").pages().next().unwrap(),
        |request, id| path(request) == [id, "children"],
    );
}

#[test]
fn paths() {
    // A path is cut at its slashes, and one at either end is passed over.
    let parts = |path: &str| {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        path.split('/').map(str::to_owned).collect::<Vec<_>>()
    };
    each(
        |api, text| api.node::<mingram::User>(text, &[]),
        |request, text| path(request) == parts(text),
    );
    each(
        |api, text| api.edge::<mingram::Media>(text).pages().next().unwrap(),
        |request, text| path(request) == parts(text),
    );
}

#[test]
fn parameters() {
    let token = || pair("access_token", TOKEN);
    each(
        |api, value| api.node::<mingram::User>("me", &[("metric", value)]),
        |request, value| query(request) == [pair("metric", value), token()],
    );
    each(
        |api, name| api.node::<mingram::User>("me", &[(name, "v")]),
        |request, name| query(request) == [pair(name, "v"), token()],
    );
    each(
        |api, value| {
            api.my_media("")
                .param("since", value)
                .pages()
                .next()
                .unwrap()
        },
        |request, value| query(request) == [pair("since", value), token()],
    );
    for name in ["after", "before"] {
        each(
            |api, cursor| {
                let edge = api.my_media("");
                let edge = if name == "after" {
                    edge.after(cursor)
                } else {
                    edge.before(cursor)
                };
                edge.pages().next().unwrap()
            },
            |request, cursor| query(request) == [pair(name, cursor), token()],
        );
    }
    // White space around fields is dropped, and without any there is no list.
    let list = |before: &str, fields: &str, after: &str| match fields.trim() {
        "" => before.trim_end_matches([',', '{']).to_owned(),
        fields => format!("{before}{fields}{after}"),
    };
    each(
        |api, field| api.me(Fields::from(U::Id).and(field)),
        |request, field| query(request) == [pair("fields", &list("id,", field, "")), token()],
    );
    each(
        |api, field| api.media("1", Fields::default().with(M::Children, field)),
        |request, field| {
            query(request) == [pair("fields", &list("children{", field, "}")), token()]
        },
    );
    each(
        |api, field| api.media("1", Fields::from("id").with(field, "id")),
        |request, field| {
            query(request)
                == [
                    pair("fields", &format!("id,{}{{id}}", field.trim())),
                    token(),
                ]
        },
    );
    each(
        |api, value| api.media("1", format!("media.limit({value})")),
        |request, value| {
            query(request) == [pair("fields", &format!("media.limit({value})")), token()]
        },
    );
    each(
        |api, fields| {
            let edge = api.my_media("id").param("fields", fields);
            edge.pages().next().unwrap()
        },
        |request, fields| match fields.trim() {
            "" => query(request) == [token()],
            fields => query(request) == [pair("fields", fields), token()],
        },
    );
}

#[test]
fn tokens_secrets_and_codes() {
    let token = |text: &str| pair("access_token", text.trim_ascii());
    each(
        |api, text| api.clone().with_token(text).me(""),
        |r, text| query(r) == [token(text)],
    );
    each(
        |api, text| api.clone().with_token(text).refresh_token(),
        |request, text| query(request)[1..] == [token(text)],
    );
    each(
        |api, text| api.exchange_token(&App::new("1", text, "https://x/")),
        |request, text| query(request)[1] == pair("client_secret", text.trim_ascii()),
    );
    each(
        |api, text| api.exchange_code(&App::new("1", text, "https://x/"), &Code::new(CODE)),
        |request, text| form(request)[1] == pair("client_secret", text.trim_ascii()),
    );
    each(
        |api, text| api.exchange_code(&app(), &Code::new(text)),
        |request, text| form(request)[4] == pair("code", text.trim_ascii()),
    );
    each(
        |api, text| api.exchange_code(&App::new(text, "s", "https://x/"), &Code::new(CODE)),
        |request, text| form(request)[0] == pair("client_id", text),
    );
    each(
        |api, text| api.exchange_code(&App::new("1", "s", text), &Code::new(CODE)),
        |request, text| form(request)[3] == pair("redirect_uri", text),
    );
    for text in texts() {
        let checked = Token::new(&text).check();
        let fits = !text.trim_ascii().is_empty()
            && text.len() <= 4096
            && text
                .trim_ascii()
                .bytes()
                .all(|byte| byte.is_ascii_graphic());
        assert_eq!(checked.is_ok(), fits, "{text:.40?}");
    }
}

/// What goes behind an address stays behind it, and an address in a path or
/// query is no address.
#[test]
fn addresses() {
    for (path, target) in [
        ("/f", "/f"),
        ("", "/"),
        ("?a=b", "/?a=b"),
        ("/a/../b", "/a/../b"),
        ("//x/y", "//x/y"),
        ("/@x", "/@x"),
        ("/\\x", "//x"),
        ("/a\r\nX:\0 y\0", "/aX:%00%20y"),
        ("/%20%zz", "/%20%zz"),
        ("/a?http://x/#y", "/a?http://x/"),
        ("/f#g", "/f"),
        ("#g", "/"),
        ("#@x/", "/"),
        ("#.example.com/", "/"),
    ] {
        let server = server();
        let outcome = api(&server)
            .download(&format!("{}{path}", server.url()))
            .accept_any_type()
            .write_to(&mut Vec::new());
        assert!(outcome.is_ok(), "{path}: {outcome:?}");
        assert_eq!(server.received()[0].target, target, "{path}");
    }
    // A file's URL is repaired, a base URL is not.
    let repaired = ["/a b", "/a\r\nX: y", "/\0", "/é", "\\x"];
    for bad in ["@x/", ":1/", "x/", " x/", "é/"].iter().chain(&repaired) {
        let server = server();
        let url = format!("{}{bad}", server.url());
        if !repaired.contains(bad) {
            let download = api(&server).download(&url).write_to(Vec::new());
            let error = download.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}: {error}");
        }
        let error = api(&server).with_base_url(url).me("").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}: {error}");
        assert_eq!(server.connections(), 0, "{bad}");
    }
    // musl finds a name in the hosts file by its very letters.
    let host = match cfg!(target_env = "musl") {
        true => "localhost",
        false => "LocalHost",
    };
    for scheme in ["HTTP", "Http"] {
        let server = server();
        let api = api(&server).with_base_url(format!("{scheme}://{host}:{}//", server.port()));
        assert_eq!(api.me("").unwrap().id, "1");
    }
}

/// What goes through a browser: read back by the same library.
#[test]
fn login_addresses() {
    for text in texts().into_iter().filter(|text| text.len() < 1024) {
        let app = App::new(text.as_str(), "s", text.as_str());
        let state = State::restore(text.as_str());
        let address = app.authorize_url(mingram::auth::Login::Instagram, &[&text], &state);
        let address = Url::parse(&address).unwrap();
        assert_eq!(address.host_str(), Some("www.instagram.com"));
        let wanted = vec![
            pair("client_id", &text),
            pair("redirect_uri", &text),
            pair("scope", &text),
            pair("response_type", "code"),
            pair("state", &text),
        ];
        assert_eq!(
            address.query_pairs().into_owned().collect::<Vec<_>>(),
            wanted
        );
        // And back: no text makes this panic, and a state is compared whole.
        let back: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let redirect = format!("https://example.com/auth?code=AQ&state={back}#_");
        assert_eq!(
            Code::from_redirect(&redirect, &state).is_ok(),
            !text.is_empty(),
            "{text:.40?}"
        );
        let _ = Code::from_redirect(&text, &state);
    }
}

#[test]
fn settings() {
    // None of these is a version, and none an address of that server.
    none(|api, version| api.clone().with_version(version).me(""));
    none(|api, address| api.clone().with_base_url(address).me(""));
    none(|api, address| {
        let api = api.clone().with_login_url(address);
        api.exchange_code(&app(), &Code::new(CODE))
    });
    none(|api, address| api.download(address).write_to(&mut Vec::new()));
}

#[test]
fn user_agents() {
    each(
        |api, name| api.clone().with_user_agent(name).me(""),
        |request, name| request.headers.contains(&pair("user-agent", name)),
    );
}
