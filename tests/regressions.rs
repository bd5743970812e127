//! One test for each fault that was found and mended, so that it stays so.

mod common;

use common::{Server, json, reply};
use mingram::auth::{Code, State};
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers every request with the same reply, and keeps the addresses.
#[derive(Clone, Default)]
struct Same {
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Transport for Same {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        self.asked.lock().unwrap().push(request.url.to_owned());
        let headers = self.headers.iter();
        Ok(Response::new(
            self.status,
            headers
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            self.body.as_bytes(),
        ))
    }
}

#[test]
fn the_longest_timeout_there_is() {
    let server = Server::script([json("200 OK", r#"{"id":"1"}"#)]);
    let api = server.api().with_timeout(Duration::MAX);
    assert_eq!(api.me("").unwrap().id, "1");
}

#[test]
fn a_huge_length_where_no_limit_is_set() {
    // The limit is off, so the length passes it; no memory is taken for it
    // before the bytes come.
    let transport = Same {
        status: 200,
        headers: match cfg!(target_pointer_width = "32") {
            true => &[("Content-Length", "4294967295")],
            false => &[("Content-Length", "18446744073709551615")],
        },
        body: r#"{"id":"1"}"#,
        ..Same::default()
    };
    let api = Api::new(common::replay::TOKEN)
        .with_transport(transport)
        .with_retries(0)
        .with_body_limit(usize::MAX);
    assert_eq!(api.me("").unwrap_err().kind(), ErrorKind::Truncated);
}

#[test]
fn an_error_object_beside_a_null_token() {
    // Secrets are hidden in what is shown, and that must not happen before the JSON is read.
    for body in [
        r#"{"error":{"message":"m IGQVJsample","code":190},"access_token":null}"#,
        r#"{"access_token":0,"error":{"message":"m IGQVJsample","code":190}}"#,
    ] {
        for status in ["400 Bad Request", "200 OK"] {
            let server = Server::script([json(status, body)]);
            let error = server.api().me("").unwrap_err();
            assert!(error.is_token_invalid(), "{error}");
            assert_eq!(
                error.api_error().unwrap().message,
                "(not shown: it contains a secret)"
            );
            assert!(!format!("{error} {error:?}").contains("IGQVJsample"));
        }
    }
}

#[test]
fn a_redirect_with_an_address_in_its_query() {
    // Relative, though `://` is in it.
    let server = Server::start(|request, stream| {
        use std::io::Write;
        let reply = match request.target.starts_with("/me") {
            true => reply("302 Found", &[("Location", "/b?from=https://h/x")], ""),
            false => json("200 OK", r#"{"id":"1"}"#),
        };
        let _ = stream.write_all(reply.as_bytes());
    });
    assert_eq!(server.api().me("").unwrap().id, "1");
    assert_eq!(server.received()[1].target, "/b?from=https://h/x");
}

#[test]
fn a_fragment_is_not_sent() {
    let transport = Same {
        status: 302,
        headers: &[("Location", "/x?y#z")],
        ..Same::default()
    };
    let asked = transport.asked.clone();
    let api = Api::new(common::replay::TOKEN)
        .with_transport(transport)
        .with_retries(0);
    let error = api
        .download("https://h/a#b")
        .write_to(&mut Vec::new())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
    let asked = asked.lock().unwrap();
    assert_eq!(asked[..2], ["https://h/a", "https://h/x?y"]);
}

/// Found by the fuzz target `reply`.
#[test]
fn a_redirect_to_a_host_that_is_none() {
    for (location, fault) in [
        ("https://other.3/b?c", "its host is a number"),
        ("https://2130706433/", "its host is a number"),
        ("//0x7f.1/", "its host is a number"),
        ("https://[other.e?'??", "its host is not a valid host name"),
        ("https://[other.e]/", "its host is a number"),
    ] {
        let transport = Same {
            status: 302,
            headers: Box::leak(Box::new([("Location", location)])),
            ..Same::default()
        };
        let asked = transport.asked.clone();
        let api = Api::new(common::replay::TOKEN)
            .with_transport(transport)
            .with_retries(0);
        let error = api
            .download("https://h/a")
            .write_to(&mut Vec::new())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirect);
        assert!(error.to_string().contains(fault), "{error}");
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
}

/// The word `access_token` for a key of a header was masked together with the
/// number behind it, and the header could not be read any more.
#[test]
fn a_usage_header_with_the_word_access_token_in_it() {
    let server = Server::script([reply(
        "200 OK",
        &[
            (
                "X-App-Usage",
                r#"{"call_count":131,"t_access_token":25,"total_time":22}"#,
            ),
            (
                "X-Business-Use-Case-Usage",
                r#"{"1":[{"access_token":7,"call_count":9}]}"#,
            ),
        ],
        r#"{"id":"1"}"#,
    )]);
    let api = server.api();
    api.me("").unwrap();
    let usage = api.usage();
    assert_eq!(
        usage.app.map(|app| (app.call_count, app.total_time)),
        Some((131, 22))
    );
    assert_eq!(usage.business[0].call_count, 9);
}

/// Text of the service is shown without the characters that reorder or hide text, so that
/// an error reads as what it says. Data keeps them.
#[test]
fn characters_that_hide_or_reorder_text_are_not_shown() {
    const FAMILY: &str = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    let hidden = "\u{ad}\u{61c}\u{180e}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\
        \u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\u{2067}\u{2068}\u{2069}\u{206f}\u{feff}\
        \u{fff9}\u{1d173}\u{e0001}\u{e0041}";
    for c in hidden.chars() {
        let text = format!("a{c}b {FAMILY}");
        let api = |status, body: String| {
            let transport = Same {
                status,
                body: Box::leak(body.into_boxed_str()),
                ..Same::default()
            };
            let api = Api::new(common::replay::TOKEN).with_transport(transport);
            api.with_retries(0)
        };
        for body in [
            format!(r#"{{"error":{{"message":"{text}","type":"{text}","code":190}}}}"#),
            format!("<html>{text}"),
            format!(r#"{{"id":["{text}"]}}"#),
        ] {
            for status in [200, 400] {
                let error = api(status, body.clone()).me("").unwrap_err();
                let message = error.to_string();
                assert!(message.contains(&format!("a b {FAMILY}")), "{message:?}");
                assert!(!format!("{error:?}").contains(c), "{c:?}");
            }
        }
        let refused = format!(
            "?state=s&error=x&error_description={}",
            text.replace(' ', "+")
        );
        let error = Code::from_redirect(&refused, &State::restore("s")).unwrap_err();
        assert!(error.to_string().ends_with(&format!("a b {FAMILY}")));
        let user = api(200, format!(r#"{{"id":"1","username":"{text}"}}"#)).me("");
        assert_eq!(user.unwrap().username, Some(text));
    }
}

/// Hidden characters between the pieces of a token do not hide the token.
#[test]
fn a_token_with_hidden_characters_in_it_is_not_put_together() {
    const TOKEN: &str = common::replay::TOKEN;
    for c in ['\u{200b}', '\u{202e}', '\u{ad}', '\u{2028}'] {
        let (start, end) = TOKEN.split_at(4);
        let error = Same {
            status: 400,
            body: Box::leak(
                format!(r#"{{"error":{{"message":"no {start}{c}{end}","code":190}}}}"#).into(),
            ),
            ..Same::default()
        };
        let api = Api::new(TOKEN).with_transport(error).with_retries(0);
        let error = api.me("").unwrap_err();
        let message = &error.api_error().unwrap().message;
        assert_eq!(message, "(not shown: it contains a secret)");
        assert!(!format!("{error} {error:?}").contains(TOKEN));
    }
}
