//! One test for each fault that was found and mended, so that it stays so.

mod common;

use common::{Server, json, reply};
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
        Ok(Response {
            status: self.status,
            headers: headers
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            body: Box::new(self.body.as_bytes()),
        })
    }
}

#[test]
fn the_longest_timeout_there_is() {
    let server = Server::script([json("200 OK", r#"{"id":"1"}"#)]);
    let api = server.api().with_timeout(Duration::MAX);
    assert_eq!(api.me(&[]).unwrap().id, "1");
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
    assert_eq!(api.me(&[]).unwrap_err().kind(), ErrorKind::Truncated);
}

#[test]
fn an_error_object_beside_a_null_token() {
    // The value behind `access_token` is masked in what is shown, and that
    // must not happen before the JSON is read: `***` is none.
    for body in [
        r#"{"error":{"message":"m IGQVJsample","code":190},"access_token":null}"#,
        r#"{"access_token":0,"error":{"message":"m IGQVJsample","code":190}}"#,
    ] {
        for status in ["400 Bad Request", "200 OK"] {
            let server = Server::script([json(status, body)]);
            let error = server.api().me(&[]).unwrap_err();
            assert!(error.is_token_invalid(), "{error}");
            assert_eq!(error.api_error().unwrap().message, "m ***");
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
    assert_eq!(server.api().me(&[]).unwrap().id, "1");
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
    assert_eq!(asked[..2], ["https://h/a", "https://h:443/x?y"]);
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
    api.me(&[]).unwrap();
    let usage = api.usage();
    assert_eq!(
        usage.app.map(|app| (app.call_count, app.total_time)),
        Some((131, 22))
    );
    assert_eq!(usage.business[0].call_count, 9);
}
