//! What can be set on an `Api`, and what every call has in common.

mod common;

use common::replay::TOKEN;
use common::{Server, TestClock, json, reply};
use mingram::auth::{App, Code};
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, ErrorKind, Result, Token};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ID: &str = r#"{"id":"1"}"#;

fn good() -> Server {
    Server::script([json("200 OK", ID)])
}

fn header(server: &Server, name: &str) -> Option<String> {
    let headers = server.received().pop().unwrap().headers;
    headers
        .into_iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

#[test]
fn an_api_is_shared_freely() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Api>();
    assert_eq!(size_of::<Api>(), size_of::<usize>());
    assert_eq!(size_of::<mingram::Error>(), size_of::<usize>());
}

#[test]
fn the_version_is_in_the_path_of_data_calls_alone() {
    let server = good();
    server.api().with_version("v25.0").me("").unwrap();
    assert_eq!(
        server.received()[0].target,
        format!("/v25.0/me?access_token={TOKEN}")
    );
    let server = Server::script([json("200 OK", r#"{"access_token":"IGnew"}"#)]);
    let api = server.api().with_version("v25.0");
    let app = App::new("1", "SECRET", "https://example.com/");
    api.refresh_token().unwrap();
    api.exchange_token(&app).unwrap();
    api.exchange_code(&app, &Code::new("C")).unwrap();
    let paths: Vec<String> = server
        .received()
        .iter()
        .map(|request| request.target.split('?').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        paths,
        [
            "/refresh_access_token",
            "/access_token",
            "/oauth/access_token"
        ]
    );
}

#[test]
fn the_code_goes_in_a_form() {
    let server = Server::script([json("200 OK", r#"{"access_token":"IGnew"}"#)]);
    let app = App::new("1", "S&C", "https://example.com/?a=b");
    server
        .api()
        .exchange_code(&app, &Code::new("C+/=#_"))
        .unwrap();
    assert_eq!(
        header(&server, "content-type").as_deref(),
        Some("application/x-www-form-urlencoded")
    );
    let request = server.received().pop().unwrap();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/oauth/access_token")
    );
    let form: Vec<(String, String)> = url::form_urlencoded::parse(request.body.as_bytes())
        .into_owned()
        .collect();
    let wanted = [
        ("client_id", "1"),
        ("client_secret", "S&C"),
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://example.com/?a=b"),
        ("code", "C+/="),
    ];
    assert_eq!(
        form,
        wanted.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn the_user_agent() {
    let server = good();
    server.api().me("").unwrap();
    assert_eq!(
        header(&server, "user-agent").unwrap(),
        concat!("mingram/", env!("CARGO_PKG_VERSION"))
    );
    server
        .api()
        .with_user_agent("frame/1 (kitchen)")
        .me("")
        .unwrap();
    assert_eq!(header(&server, "user-agent").unwrap(), "frame/1 (kitchen)");
}

#[test]
fn settings_that_cannot_be_are_refused_unsent() {
    let server = good();
    let api = server.api();
    let cases: Vec<(Api, &str)> = vec![
        (api.clone().with_version("25"), "v25.0"),
        (api.clone().with_version("v25"), "v25.0"),
        (api.clone().with_version("v25.0/../x"), "v25.0"),
        (
            api.clone().with_base_url("http://graph.instagram.com"),
            "plain http",
        ),
        (
            api.clone().with_base_url("graph.instagram.com"),
            "does not start with https",
        ),
        (
            api.clone().with_base_url("https://graph.instagram.com/?x"),
            "query",
        ),
        (
            api.clone().with_base_url("https://graph.instagram.com/#x"),
            "fragment",
        ),
        (api.clone().with_base_url("https://a b/"), "space"),
        (api.clone().with_user_agent("a\r\nX: y"), "user agent"),
        (api.clone().with_user_agent(""), "user agent"),
        (api.clone().with_token(""), "the access token is empty"),
        (
            api.clone().with_token("a b"),
            "the access token contains a space",
        ),
        (
            api.clone().with_token("a\r\nb"),
            "the access token contains a space",
        ),
        (api.clone().with_token("a".repeat(5000)), "longer than 4096"),
        (Api::without_token(), "the access token is empty"),
    ];
    for (api, says) in cases {
        let error = api.me("").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(says), "{error} / {says}");
    }
    for name in ["access_token", "Access_Token"] {
        let own = api.node::<mingram::User>("me", &[(name, "other")]);
        let error = own.unwrap_err().to_string();
        assert!(
            error.contains("remove the parameter `access_token`"),
            "{error}"
        );
        let mut edge = api.my_media("").param(name, "other").into_iter();
        let error = edge.next().unwrap().unwrap_err().to_string();
        assert!(
            error.contains("remove the parameter `access_token`"),
            "{error}"
        );
    }
    let error = api.user(&"9".repeat(1 << 20), "").unwrap_err();
    assert!(error.to_string().contains("bytes long"), "{error}");
    let app = App::new("1", "", "https://example.com/");
    assert!(
        api.exchange_token(&app)
            .unwrap_err()
            .to_string()
            .contains("the client secret is empty")
    );
    let app = App::new("1", "S", "https://example.com/");
    assert!(
        api.exchange_code(&app, &Code::new(""))
            .unwrap_err()
            .to_string()
            .contains("the login code is empty")
    );
    assert!(server.received().is_empty());
}

/// With each call to the graph host, in the order they were set, and with no other.
#[test]
fn a_parameter_of_every_call() {
    let body = r#"{"id":"1","data":[],"access_token":"IGnew"}"#;
    let server = Server::script([json("200 OK", body)]);
    let plain = server.api();
    let api = plain
        .clone()
        .with_param("locale", "de_DE")
        .with_param("appsecret_proof", "wrong")
        .with_param("appsecret_proof", "a&b=c é");
    let app = App::new("1", "SECRET", "https://example.com/");
    api.me("").unwrap();
    api.media("2", mingram::MediaField::CHILD).unwrap();
    assert_eq!(api.my_media("").page_size(9).into_iter().count(), 0);
    api.my_insights(&[mingram::insights::Metric::Reach])
        .unwrap();
    api.node::<mingram::User>("me", &[("locale", "fr_FR")])
        .unwrap();
    let edge = api.my_media("").param("locale", "it_IT");
    assert_eq!(edge.into_iter().count(), 0);
    api.exchange_token(&app).unwrap();
    api.refresh_token().unwrap();
    let both = "locale=de_DE&appsecret_proof=a%26b%3Dc%20%C3%A9&access_token=";
    let proof = "appsecret_proof=a%26b%3Dc%20%C3%A9&access_token=";
    let received = server.received();
    let queries: Vec<&str> = received
        .iter()
        .map(|request| request.target.split_once('?').unwrap().1)
        .map(|query| query.strip_suffix(TOKEN).unwrap())
        .collect();
    let fields = queries[1].split('&').next().unwrap();
    assert_eq!(
        queries,
        [
            both,
            &format!("{fields}&{both}"),
            &format!("limit=9&{both}"),
            &format!("metric=reach&{both}"),
            &format!("locale=fr_FR&{proof}"),
            &format!("locale=it_IT&{proof}"),
            &format!("grant_type=ig_exchange_token&client_secret=SECRET&{both}"),
            &format!("grant_type=ig_refresh_token&{both}"),
        ]
    );
    // Not to the host of login codes, nor for a file.
    api.exchange_code(&app, &Code::new("C")).unwrap();
    let url = format!("{}/f.jpg?x=1", server.url());
    let file = api.download(&url).accept_any_type();
    file.write_to(Vec::new()).unwrap();
    for request in &server.received()[8..] {
        let sent = format!("{}{}", request.target, request.body);
        assert!(
            !sent.contains("locale") && !sent.contains("proof"),
            "{sent}"
        );
    }
    // The `Api` that it was cloned from has none, one for another token has them.
    plain.me("").unwrap();
    api.with_token(TOKEN).me("").unwrap();
    let targets: Vec<String> = server.received().into_iter().map(|r| r.target).collect();
    assert_eq!(targets[10], format!("/me?access_token={TOKEN}"));
    assert_eq!(targets[11], format!("/me?{both}{TOKEN}"));
}

/// It follows a redirect only as part of its address, and goes with every page.
#[test]
fn a_parameter_of_every_page() {
    let server = common::feed_server(9, 4);
    let api = server.api().with_param("locale", "de_DE");
    assert_eq!(api.my_media("").into_iter().count(), 9);
    for request in server.received() {
        assert_eq!(common::param(&request, "locale").as_deref(), Some("de_DE"));
    }
    assert_eq!(server.received().len(), 3);
}

#[test]
fn names_of_parameters_that_calls_set_are_refused() {
    let server = good();
    let own = [
        "access_token",
        "ACCESS_TOKEN",
        "fields",
        "Fields",
        "limit",
        "after",
        "before",
        "since",
        "until",
        "offset",
        "__paging_token",
        "__previous",
        "metric",
        "grant_type",
        "client_secret",
    ];
    let invalid = [
        "",
        " access_token",
        "access.token",
        "access%5Ftoken",
        "a&access_token",
        "a=b",
        "ä",
        "a[]",
    ];
    for name in own.into_iter().chain(invalid) {
        let api = server
            .api()
            .with_param(name, "x")
            .with_param("locale", "de_DE");
        for error in [
            api.me("").unwrap_err(),
            api.my_media("").into_iter().next().unwrap().unwrap_err(),
            api.refresh_token().unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}: {error}");
            let says = match own.contains(&name) {
                true => format!("`with_param` must not set `{}`", name.to_lowercase()),
                false => "a name given to `with_param` is invalid".to_owned(),
            };
            assert!(error.to_string().contains(&says), "{error}");
        }
    }
    assert!(server.received().is_empty());
}

/// Every text makes a token; only `parse` looks at once whether it can be one.
#[test]
fn tokens_come_from_every_kind_of_text() {
    let text = String::from(TOKEN);
    for token in [
        Token::new(&text),
        Token::from(&text),
        Token::from(text.as_str()),
        Token::from(text.clone()),
        text.parse().unwrap(),
        format!(" {TOKEN}\r\n").parse().unwrap(),
    ] {
        assert_eq!(token.expose(), TOKEN);
    }
    let server = good();
    assert!(Api::new(&text).with_base_url(server.url()).me("").is_ok());
    for bad in ["", " ", "a b", "a\nb", "é", "a\0", &"a".repeat(4097)] {
        let error = bad.parse::<Token>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad:?}");
        let checked = Token::new(bad).check().unwrap_err();
        assert_eq!(error.to_string(), checked.to_string());
    }
}

/// What consists of ids, texts and whole numbers can be the key of a map.
#[test]
fn values_that_are_equal_to_themselves() {
    fn equal<T: Eq>() {}
    equal::<mingram::User>();
    equal::<mingram::Page<mingram::Media>>();
    equal::<mingram::comments::Comment>();
    equal::<mingram::Usage>();
    equal::<mingram::ApiError>();
    equal::<mingram::Position>();
    equal::<mingram::download::Saved>();
    equal::<mingram::download::FileVersion>();
    equal::<mingram::auth::LongLivedToken>();
    equal::<mingram::auth::ShortLivedToken>();
    equal::<mingram::auth::TokenFile>();
    equal::<Code>();
    equal::<Token>();
}

/// What the documentation says of the ends of each range.
#[test]
fn the_least_and_the_most_of_a_setting() {
    let server = good();
    let error = server.api().with_body_limit(0).me("").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(server.api().with_body_limit(usize::MAX).me("").is_ok());
    let server = Server::script([json("503 No", "busy")]);
    for (retries, requests) in [(0, 1), (1, 2), (10, 11), (11, 11), (u32::MAX, 11)] {
        let clock = TestClock::new(0);
        let api = server.api().with_retries(retries).with_clock(clock.clone());
        let before = server.received().len();
        assert!(api.me("").is_err());
        assert_eq!(server.received().len() - before, requests);
        let slept = clock.slept();
        let milliseconds = slept.iter().map(Duration::as_millis);
        for (retry, milliseconds) in milliseconds.enumerate() {
            let most = (500 << retry).min(8000);
            assert!((most / 2..=most).contains(&milliseconds), "{slept:?}");
        }
    }
}

#[test]
fn white_space_around_a_token_is_taken_off() {
    let server = good();
    server
        .api()
        .with_token(format!(" {TOKEN}\r\n"))
        .me("")
        .unwrap();
    assert_eq!(
        server.received()[0].target,
        format!("/me?access_token={TOKEN}")
    );
}

#[test]
fn a_clone_has_its_own_settings_and_shares_the_usage() {
    let headers = [("X-App-Usage", r#"{"call_count":9}"#)];
    let server = Server::script([reply("200 OK", &headers, ID)]);
    let api = server.api();
    let other = api.clone().with_version("v25.0");
    assert_eq!(api.usage().percent(), None);
    other.me("").unwrap();
    assert_eq!(
        (api.usage().percent(), other.usage().percent()),
        (Some(9), Some(9))
    );
    api.me("").unwrap();
    assert!(server.received()[1].target.starts_with("/me?"));
    assert_eq!(api.clone().with_token("another").usage().percent(), None);
}

#[test]
fn usage_headers_that_cannot_be_read_count_as_absent() {
    for bad in ["", "{", "[]", "null", "7", r#"{"1":{}}"#] {
        let headers = [("X-App-Usage", bad), ("X-Business-Use-Case-Usage", bad)];
        let server = Server::script([reply("200 OK", &headers, ID)]);
        let api = server.api();
        api.me("").unwrap();
        assert!(
            api.usage().percent().is_none_or(|percent| percent == 0),
            "{bad}"
        );
        assert_eq!(api.usage().wait(), None);
    }
    let odd = [(
        "x-app-usage",
        r#"{"call_count":"12","total_time":3.7,"total_cputime":-1,"x":{"y":[]}}"#,
    )];
    let server = Server::script([reply("200 OK", &odd, ID)]);
    let api = server.api();
    api.me("").unwrap();
    let app = api.usage().app.unwrap();
    assert_eq!(
        (app.call_count, app.total_time, app.total_cputime),
        (12, 3, 0)
    );
}

#[test]
fn what_passes_is_tried_again() {
    let temporary = json(
        "500 Internal Server Error",
        r#"{"error":{"message":"x","code":2,"is_transient":true}}"#,
    );
    let gateway = reply(
        "502 Bad Gateway",
        &[("Content-Type", "text/html")],
        "<html>",
    );
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned();
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n".to_owned();
    let unknown = json(
        "500 Internal Server Error",
        r#"{"error":{"message":"x","code":7}}"#,
    );
    let slow = reply("408 Request Timeout", &[("Connection", "close")], "");
    let slow_too = json(
        "408 Request Timeout",
        r#"{"error":{"message":"x","code":7}}"#,
    );
    let broken = [String::new(), short, chunked];
    let refused = [temporary, gateway, unknown, slow, slow_too];
    for passing in broken.into_iter().chain(refused) {
        let server = Server::script([passing.clone(), passing.clone(), json("200 OK", ID)]);
        let clock = TestClock::new(0);
        let api = server.api().with_clock(clock.clone());
        assert_eq!(
            api.clone().with_retries(2).me("").unwrap().id,
            "1",
            "{passing}"
        );
        let slept = clock.slept();
        assert_eq!((server.received().len(), slept.len()), (3, 2));
        assert!((Duration::from_millis(250)..=Duration::from_millis(500)).contains(&slept[0]));
        assert!((Duration::from_millis(500)..=Duration::from_millis(1000)).contains(&slept[1]));

        let server = Server::script([passing]);
        let error = server
            .api()
            .with_clock(clock.clone())
            .with_retries(1)
            .me("")
            .unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert_eq!(server.received().len(), 2);
        // Off.
        assert!(
            server
                .api()
                .with_clock(clock)
                .with_retries(0)
                .me("")
                .is_err()
        );
        assert_eq!(server.received().len(), 3);
    }
}

/// Where no length was announced, a cut is told before the bytes are found to
/// be no UTF-8, and a page of HTML is none.
#[test]
fn what_ends_with_the_connection() {
    let until_close = |content_type: &str, body: &[u8]| {
        let mut reply =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n").into_bytes();
        reply.extend(body);
        Server::start(move |_, stream| drop(stream.write_all(&reply)))
    };
    let caption = r#"{"id":"1","caption":"bread 🍞"}"#.as_bytes();
    let inside_the_emoji = caption.len() - 3;
    let server = until_close("application/json", &caption[..inside_the_emoji]);
    let error = server.api().media("1", "").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    assert!(error.is_transient());
    for html in [r#"<p class="a>"#, "<script>{", "no {\"json"] {
        let server = until_close("text/html", html.as_bytes());
        let error = server.api().me("").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotJson, "{error}");
        assert!(
            error
                .to_string()
                .contains(&format!("text/html, {} bytes): {html}", html.len()))
        );
    }
}

/// What was understood as JSON, but not as what was wanted, keeps all that is
/// known of the reply.
#[test]
fn a_decode_error_says_what_came() {
    let headers = [("Content-Type", "application/json; charset=UTF-8")];
    let server = Server::script([reply("201 Created", &headers, r#"{"name":"x"}"#)]);
    let api = server.api();
    for error in [
        api.me("").unwrap_err(),
        api.node::<mingram::User>("me", &[]).unwrap_err(),
        api.my_media("").into_iter().next().unwrap().unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::Decode, Some(201))
        );
        let text = error.to_string();
        let (_, what) = text.split_once(" at byte ").unwrap();
        assert_eq!(
            what,
            format!(
                r#"0 of 12 ({}): a required field is missing or invalid: {{"name":"x"}}"#,
                if error.call() == "GET /me/media" {
                    "data"
                } else {
                    "id"
                }
            )
        );
    }
}

/// Far into a page: the byte, the path, what was expected and what came, and what is around
/// it, unless that contains the token.
#[test]
fn a_decode_error_says_where() {
    let items = |count| r#"{"id":"1","caption":"x"},"#.repeat(count);
    let echo = TOKEN.replace('/', r"\u002f");
    let around = [
        r#"…tion":"x"},{"username":"me","timestamp":true},"#,
        r#"{"id":"1","caption":"x"},{"id":"1","caption":"x"},{"id":"1","caption":"x"}…"#,
    ];
    for (name, around) in [
        ("me", around.concat().as_str()),
        (&echo, "(not shown: it contains a secret)"),
    ] {
        let body = format!(
            r#"{{"data":[{}{{"username":"{name}","timestamp":true}},{}{{"id":"1"}}]}}"#,
            items(37),
            items(37)
        );
        let offset = body.find("true").unwrap();
        let server = Server::script([json("200 OK", &body)]);
        let mut items = server.api().my_media("").into_iter();
        let error = items.find(Result::is_err).unwrap();
        let expected = format!(
            "GET /me/media: the reply is not a valid Page<Media> at byte {offset} of {} \
             (data[37].timestamp): expected string or number, unexpected boolean: {around}",
            body.len()
        );
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_wrapped_node_is_understood_by_get_too() {
    let server = Server::script([json("200 OK", r#"{"data":[{"id":"7"}]}"#)]);
    let user: mingram::User = server.api().node("me", &[("fields", "id")]).unwrap();
    assert_eq!(user.id, "7");
}

#[test]
fn nobody_there_is_tried_again() {
    let clock = TestClock::new(0);
    let api = common::api(common::NOBODY)
        .with_clock(clock.clone())
        .with_retries(99);
    let error = api.me("").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    // Ten at the most, and none longer than eight seconds.
    assert_eq!(clock.slept().len(), 10);
    assert!(
        clock
            .slept()
            .iter()
            .all(|wait| *wait <= Duration::from_secs(8))
    );
}

#[test]
fn what_does_not_pass_is_not_tried_again() {
    let error = |status: &str, body: &str| {
        json(status, &format!(r#"{{"error":{{"message":"x",{body}}}}}"#))
    };
    for lasting in [
        error("400 Bad Request", r#""code":190"#),
        error("403 Forbidden", r#""code":4,"is_transient":true"#),
        error("500 Internal Server Error", r#""code":2500"#),
        error("400 Bad Request", r#""code":100"#),
        reply("429 Too Many Requests", &[("Retry-After", "30")], ""),
        reply("503 Service Unavailable", &[("Retry-After", "3600")], ""),
        reply("404 Not Found", &[], ""),
        error("500 Internal Server Error", r#""code":190"#),
        error(
            "503 Service Unavailable",
            r#""code":7,"is_transient":false"#,
        ),
        json("200 OK", "{}"),
        reply("200 OK", &[("Content-Type", "text/html")], "<html>"),
    ] {
        let server = Server::script([lasting.clone()]);
        let clock = TestClock::new(0);
        let error = server
            .api()
            .with_clock(clock.clone())
            .with_retries(3)
            .me("")
            .unwrap_err();
        assert_eq!(
            (server.received().len(), clock.slept().len()),
            (1, 0),
            "{lasting}"
        );
        if lasting.contains("429") {
            assert!(error.is_rate_limited());
            assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
            let text = error.to_string();
            assert!(
                text.contains("; try again in 30 seconds, not before: calls"),
                "{text}"
            );
        }
    }
}

#[test]
fn login_calls_are_made_once() {
    let server = Server::script([reply("502 Bad Gateway", &[], "")]);
    let api = server.api().with_retries(3).with_clock(TestClock::new(0));
    let app = App::new("1", "SECRET", "https://example.com/");
    assert!(api.exchange_code(&app, &Code::new("C")).is_err());
    assert!(api.exchange_token(&app).is_err());
    assert!(api.refresh_token().is_err());
    assert_eq!(server.received().len(), 3);
}

#[test]
fn a_timeout_is_not_tried_again() {
    let server = Server::start(|_, _| std::thread::sleep(Duration::from_secs(3)));
    let api = server
        .api()
        .with_timeout(Duration::from_millis(300))
        .with_retries(3);
    let error = api.me("").unwrap_err();
    assert!(error.is_timeout() && error.is_transient(), "{error}");
    assert_eq!(server.received().len(), 1);
}

#[test]
fn redirects_stay_with_their_origin() {
    let server = Server::start(|request, stream| {
        let to = match request.target.split('?').next().unwrap() {
            "/me" => "/a?access_token=IGQVJsample",
            "/a" => "b",
            _ => return drop(stream.write_all(json("200 OK", ID).as_bytes())),
        };
        let _ = stream.write_all(reply("302 Found", &[("Location", to)], "").as_bytes());
    });
    assert_eq!(server.api().me("").unwrap().id, "1");
    assert_eq!(server.received().len(), 3);
    let other = good();
    let server = Server::script([reply(
        "301 Moved Permanently",
        &[("Location", &format!("{}/me", other.url()))],
        "",
    )]);
    let error = server.api().me("").unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Redirect, Some(301))
    );
    assert!(other.received().is_empty());
}

#[test]
fn a_transport_of_ones_own() {
    #[derive(Clone, Default)]
    struct Own(Arc<Mutex<Vec<String>>>);
    impl Transport for Own {
        fn send(&self, request: &Request<'_>) -> Result<Response> {
            assert!(!format!("{request:?}").contains(TOKEN));
            assert!(request.timeout <= Duration::from_secs(30) && request.body.is_none());
            self.0
                .lock()
                .unwrap()
                .push(format!("{} {}", request.method.as_str(), request.url));
            Ok(Response::new(200, Vec::new(), ID.as_bytes()))
        }
    }
    let own = Own::default();
    assert_eq!(
        Api::new(TOKEN)
            .with_transport(own.clone())
            .me("")
            .unwrap()
            .id,
        "1"
    );
    assert_eq!(
        *own.0.lock().unwrap(),
        [format!(
            "GET https://graph.instagram.com/me?access_token={TOKEN}"
        )]
    );
}

/// Where each call goes when nothing else is set: the code to the token host,
/// all else to the graph.
#[test]
fn every_call_goes_to_its_host() {
    #[derive(Clone, Default)]
    struct Hosts(Arc<Mutex<Vec<String>>>);
    impl Transport for Hosts {
        fn send(&self, request: &Request<'_>) -> Result<Response> {
            let address = request.url.split('?').next().unwrap();
            let line = format!("{} {address}", request.method.as_str());
            self.0.lock().unwrap().push(line);
            Err(mingram::Error::new(ErrorKind::Connect, "nobody there"))
        }
    }
    let hosts = Hosts::default();
    let api = Api::new(TOKEN)
        .with_transport(hosts.clone())
        .with_retries(0)
        .with_version("v25.0");
    let app = App::new("1", "SECRET", "https://example.com/");
    assert!(api.me("").is_err());
    assert!(api.user("1", "").is_err());
    assert!(api.my_media("").into_iter().next().unwrap().is_err());
    assert!(api.user_media("1", "").pages().next().unwrap().is_err());
    assert!(api.media("2", "").is_err());
    assert!(api.children("2", "").into_iter().next().unwrap().is_err());
    assert!(api.node::<mingram::User>("2/insights", &[]).is_err());
    assert!(
        api.edge::<mingram::User>("2/comments")
            .into_iter()
            .next()
            .unwrap()
            .is_err()
    );
    assert!(api.exchange_code(&app, &Code::new("C")).is_err());
    assert!(api.exchange_token(&app).is_err());
    assert!(api.refresh_token().is_err());
    assert_eq!(
        *hosts.0.lock().unwrap(),
        [
            "GET https://graph.instagram.com/v25.0/me",
            "GET https://graph.instagram.com/v25.0/1",
            "GET https://graph.instagram.com/v25.0/me/media",
            "GET https://graph.instagram.com/v25.0/1/media",
            "GET https://graph.instagram.com/v25.0/2",
            "GET https://graph.instagram.com/v25.0/2/children",
            "GET https://graph.instagram.com/v25.0/2/insights",
            "GET https://graph.instagram.com/v25.0/2/comments",
            "POST https://api.instagram.com/oauth/access_token",
            "GET https://graph.instagram.com/access_token",
            "GET https://graph.instagram.com/refresh_access_token",
        ]
    );
}

/// Every code that the reference documents, and its neighbours.
#[test]
fn every_code_has_its_predicate() {
    let of = |code: i64| {
        let body = format!(r#"{{"error":{{"message":"x","type":"T","code":{code}}}}}"#);
        let server = Server::script([json("400 Bad Request", &body)]);
        let error = server.api().with_retries(0).me("").unwrap_err();
        let told = [
            ("token", error.is_token_invalid()),
            ("permission", error.is_permission_missing()),
            ("limit", error.is_rate_limited()),
            ("transient", error.is_transient()),
            ("not found", error.is_not_found()),
        ];
        let told: Vec<&str> = told
            .into_iter()
            .filter(|(_, is)| *is)
            .map(|(name, _)| name)
            .collect();
        told.join(" ")
    };
    for (codes, told) in [
        (&[190, 102][..], "token"),
        (&[10, 200, 201, 250, 299], "permission"),
        (&[4, 17, 32, 341, 613, 80002], "limit"),
        (&[1, 2], "transient"),
        (
            &[
                100, 2500, 0, 3, 5, 9, 11, 16, 18, 31, 33, 101, 103, 189, 191, 199, 300, 340, 342,
                612, 614, 80001, 80003, -1,
            ],
            "",
        ),
    ] {
        for &code in codes {
            assert_eq!(of(code), told, "{code}");
        }
    }
}

#[cfg(not(any(feature = "https", feature = "platform-roots", feature = "keep-alive")))]
#[test]
fn without_tls_an_https_address_names_the_feature() {
    let error = Api::new(TOKEN).me("").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(
        error
            .to_string()
            .contains("feature `https`, `platform-roots` or `keep-alive`"),
        "{error}"
    );
}

#[test]
fn the_clock_dates_a_token() {
    let server = Server::script([json(
        "200 OK",
        r#"{"access_token":"IGnew","expires_in":60}"#,
    )]);
    let token = server
        .api()
        .with_clock(TestClock::new(1_000))
        .refresh_token()
        .unwrap();
    let at = |time: std::time::SystemTime| {
        time.duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    assert_eq!(
        (at(token.obtained_at), token.expires_at().map(at)),
        (1_000, Some(1_060))
    );
}

/// Two retries unless set otherwise, with the delays that the documentation names; more than
/// ten count as ten.
#[test]
fn the_number_of_retries() {
    let passing = || Server::script([reply("502 Bad Gateway", &[], "")]);
    let cases = [
        (None, 2),
        (Some(0), 0),
        (Some(1), 1),
        (Some(2), 2),
        (Some(3), 3),
        (Some(10), 10),
        (Some(11), 10),
        (Some(u32::MAX), 10),
    ];
    for (set, wanted) in cases {
        let (server, clock) = (passing(), TestClock::new(0));
        let mut api = Api::new(TOKEN)
            .with_base_url(server.url())
            .with_clock(clock.clone());
        if let Some(retries) = set {
            api = api.with_retries(retries);
        }
        assert_eq!(api.me("").unwrap_err().status(), Some(502));
        assert_eq!(server.received().len(), wanted + 1, "{set:?}");
        assert_eq!(clock.slept().len(), wanted, "{set:?}");
        for (at, slept) in clock.slept().into_iter().enumerate() {
            let full = Duration::from_millis(500 << at.min(4));
            assert!((full / 2..=full).contains(&slept), "{at}: {slept:?}");
        }
        // A download has the same number.
        let file = format!("{}/f", server.url());
        assert!(api.download(&file).write_to(std::io::sink()).is_err());
        assert_eq!(server.received().len(), 2 * (wanted + 1), "{set:?}");
    }
}

/// A retry waits as long as the service asks for, up to 8 seconds; for more the error comes
/// at once, with the time in it.
#[test]
fn a_retry_waits_at_most_eight_seconds() {
    for (header, retried) in [
        ("0", true),
        ("1", true),
        ("7", true),
        ("8", true),
        ("8.000000001", false),
        ("9", false),
        ("60", false),
        ("99999999999999999999", false),
    ] {
        let busy = reply("503 Service Unavailable", &[("Retry-After", header)], "");
        let server = Server::script([busy.clone(), json("200 OK", ID)]);
        let clock = TestClock::new(0);
        let api = server.api().with_retries(1).with_clock(clock.clone());
        let result = api.me("");
        assert_eq!(result.is_ok(), retried, "{header}: {result:?}");
        let slept = clock.slept();
        if retried {
            let asked = Duration::from_secs(header.parse().unwrap());
            let least = asked.max(Duration::from_millis(250));
            let most = asked.max(Duration::from_millis(500));
            assert!((least..=most).contains(&slept[0]), "{header}: {slept:?}");
        } else {
            let wait = result.unwrap_err().retry_after().unwrap();
            assert!(wait > Duration::from_secs(8), "{header}: {wait:?}");
            assert!(slept.is_empty(), "{header}");
        }
        assert_eq!(server.received().len(), 1 + usize::from(retried));
        // The same for a file.
        let server = Server::script([busy, reply("200 OK", &[], "file")]);
        let api = server.api().with_retries(1).with_clock(clock);
        let url = format!("{}/f", server.url());
        let result = api.download(&url).write_to(std::io::sink());
        assert_eq!(result.is_ok(), retried, "{header}: {result:?}");
    }
}

/// From 1 to 512 bytes of printable ASCII, not beginning or ending with a space.
#[test]
fn which_user_agents_are_sent() {
    let server = good();
    let sends = |name: &str| match server.api().with_user_agent(name).me("") {
        Ok(_) => {
            assert_eq!(header(&server, "user-agent").as_deref(), Some(name));
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            false
        }
    };
    for (length, good) in [
        (0, false),
        (1, true),
        (511, true),
        (512, true),
        (513, false),
    ] {
        assert_eq!(sends(&"a".repeat(length)), good, "{length}");
        assert!(!sends(&"é".repeat(length)), "{length}");
    }
    let spaced = format!("a{}b", " ".repeat(510));
    assert!(sends(&spaced));
    for byte in 0..=127_u8 {
        let c = char::from(byte);
        let printable = matches!(c, ' '..='~');
        assert_eq!(sends(&format!("a{c}b")), printable, "{byte}");
        for name in [format!("{c}b"), format!("a{c}"), c.to_string()] {
            assert_eq!(sends(&name), printable && c != ' ', "{name:?}");
        }
    }
}

/// Answers with so many bytes, and notes the time limits that it was given.
#[derive(Clone, Default)]
struct Sized(usize, Arc<Mutex<Vec<[Duration; 2]>>>);

impl Transport for Sized {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        self.1
            .lock()
            .unwrap()
            .push([request.timeout, request.budget]);
        let mut body = br#"{"id":"1"}"#.to_vec();
        body.resize(self.0.max(body.len()), b' ');
        Ok(Response::new(200, Vec::new(), std::io::Cursor::new(body)))
    }
}

/// What is not set is as documented: 30 s, of which a call has five for its attempt, an hour
/// for a download, and replies of 8 MiB.
#[test]
fn defaults() {
    const LIMIT: usize = 8 * 1024 * 1024;
    for (length, fits) in [(LIMIT, true), (LIMIT + 1, false)] {
        let api = Api::new(TOKEN).with_transport(Sized(length, Arc::default()));
        let kind = api.me("").map(drop).map_err(|error| error.kind());
        let wanted = if fits {
            Ok(())
        } else {
            Err(ErrorKind::TooLarge)
        };
        assert_eq!(kind, wanted, "{length}");
    }
    let own = Sized::default();
    let api = Api::new(TOKEN).with_transport(own.clone());
    api.me("").unwrap();
    let file = api.download("https://h.example/f").accept_any_type();
    let file = file.accept_unknown_length();
    file.write_to(std::io::sink()).unwrap();
    let given = own.1.lock().unwrap();
    for (given, seconds) in given.iter().zip([150, 3600]) {
        assert_eq!(given[0], Duration::from_secs(30));
        // Some of it is spent already.
        let budget = Duration::from_secs(seconds);
        assert!(given[1] <= budget && budget - given[1] < Duration::from_secs(60));
    }
    assert_eq!(given.len(), 2);
}

/// A parameter without a value is sent, except `fields`, whose absence means ids alone.
#[test]
fn parameters_without_a_value() {
    let server = good();
    let params = [("a", ""), ("fields", ""), ("b", "")];
    server.api().node::<mingram::User>("me", &params).unwrap();
    let target = format!("/me?a=&b=&access_token={TOKEN}");
    assert_eq!(server.received()[0].target, target);
}

/// Redirects a number of times, then answers.
#[derive(Clone)]
struct Redirecting {
    status: u16,
    times: usize,
    sent: Arc<Mutex<Vec<String>>>,
}

impl Transport for Redirecting {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let mut sent = self.sent.lock().unwrap();
        sent.push(request.url.to_owned());
        let content_type = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("content-type");
        let has_type = request.headers.iter().any(content_type);
        assert_eq!(has_type, request.body.is_some());
        if sent.len() > self.times {
            let body = br#"{"id":"1","access_token":"IGnew"}"#;
            return Ok(Response::new(200, Vec::new(), &body[..]));
        }
        let to = format!("/moved{}", sent.len());
        let location = vec![("Location".to_owned(), to)];
        Ok(Response::new(self.status, location, &b""[..]))
    }
}

/// Five statuses lead elsewhere, at most five times in a row; a form is never sent again.
#[test]
fn which_redirects_are_followed() {
    let app = App::new("1", "SECRET", "https://example.com/");
    type Send<'a> = &'a dyn Fn(&Api) -> Result<()>;
    let file = |api: &Api| {
        let file = api.download("https://h.example/f").accept_any_type();
        let file = file.accept_unknown_length();
        file.write_to(std::io::sink()).map(drop)
    };
    let calls: [(Send<'_>, bool); 4] = [
        (&|api| api.me("").map(drop), true),
        (&|api| api.refresh_token().map(drop), true),
        (&file, true),
        (
            &|api| api.exchange_code(&app, &Code::new("C")).map(drop),
            false,
        ),
    ];
    for (call, follows) in calls {
        let send = |status, times| {
            let own = Redirecting {
                status,
                times,
                sent: Arc::default(),
            };
            let api = Api::new(TOKEN).with_transport(own.clone()).with_retries(0);
            let kind = call(&api).map_err(|error| error.kind());
            (kind, own.sent.lock().unwrap().len())
        };
        for status in 300..400 {
            let is_redirect = matches!(status, 301 | 302 | 303 | 307 | 308);
            let wanted = match is_redirect {
                true if follows => (Ok(()), 2),
                true => (Err(ErrorKind::Redirect), 1),
                false => (Err(ErrorKind::Status), 1),
            };
            assert_eq!(send(status, 1), wanted, "{status}");
        }
        if follows {
            assert_eq!(send(302, 5), (Ok(()), 6));
            assert_eq!(send(302, 6), (Err(ErrorKind::Redirect), 6));
            assert_eq!(send(302, usize::MAX), (Err(ErrorKind::Redirect), 6));
        }
    }
}
