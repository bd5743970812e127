//! Content codings: what requests ask for, and which replies are read.

mod common;

use common::Server;
use mingram::auth::{App, Code};
use mingram::{Api, ErrorKind as K, Result, UserField};

const ID: &str = r#"{"id":"17841405793187218"}"#;

fn me(api: &Api, _: &Server) -> Result<String> {
    api.me(&[UserField::Id]).map(|user| user.id)
}

fn file(api: &Api, server: &Server) -> Result<String> {
    let mut file = Vec::new();
    let url = format!("{}/f.jpg", server.url());
    api.download(&url).write_to(&mut file)?;
    Ok(String::from_utf8_lossy(&file).into_owned())
}

/// A reply with these header lines, besides the length.
fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[test]
fn every_request_names_the_codings_it_accepts() {
    let server = Server::script([reply("200 OK", "", ID.as_bytes())]);
    let api = server.api();
    let app = App::new("99", "secret", "https://example.com/auth");
    let version = "99 \"v1\"".parse().unwrap();
    let url = format!("{}/f.jpg", server.url());
    assert!(api.me(&[]).is_ok());
    let _ = api.my_media(&[]).into_iter().next();
    let _ = api.exchange_code(&app, &Code::new("code"));
    let _ = api.exchange_token(&app);
    let _ = api.refresh_token();
    let _ = api.download(&url).open();
    let _ = api.download(&url).resume_from(5, &version).open();
    let wanted = [
        ("/me", "identity"),
        ("/me/media", "identity"),
        ("/oauth/access_token", "identity"),
        ("/access_token", "identity"),
        ("/refresh_access_token", "identity"),
        ("/f.jpg", "identity"),
        ("/f.jpg", "identity"),
    ];
    let received = server.received();
    assert_eq!(received.len(), wanted.len());
    for (request, (path, coding)) in received.iter().zip(wanted) {
        assert_eq!(request.target.split('?').next(), Some(path));
        let headers = request.headers.iter();
        let accepted: Vec<&str> = headers
            .filter(|(name, _)| name == "accept-encoding")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(accepted, [coding], "{path}");
    }
}

/// `identity` by RFC 9110; `none` because servers send it, and curl reads it so.
#[test]
fn codings_that_change_nothing() {
    for headers in [
        "Content-Encoding: identity\r\n",
        "CONTENT-ENCODING:IDENTITY \r\n",
        "Content-Encoding: none\r\n",
        "Content-Encoding: None\r\n",
        "Content-Encoding:\r\n",
        "Content-Encoding: ,\t, \r\n",
        "Content-Encoding: identity, none\r\n",
        "Content-Encoding: identity\r\nContent-Encoding: identity\r\n",
    ] {
        let server = Server::script([reply("200 OK", headers, ID.as_bytes())]);
        let api = server.api();
        assert_eq!(me(&api, &server).unwrap(), "17841405793187218", "{headers}");
        assert_eq!(file(&api, &server).unwrap(), ID, "{headers}");
    }
}

#[test]
fn codings_that_are_refused_are_named() {
    for (headers, named) in [
        ("Content-Encoding: br\r\n", "(br)"),
        ("Content-Encoding: BR\r\n", "(BR)"),
        ("Content-Encoding: zstd\r\n", "(zstd)"),
        ("Content-Encoding: deflate\r\n", "(deflate)"),
        ("Content-Encoding: x-compress\r\n", "(x-compress)"),
        ("Content-Encoding: identity, br\r\n", "(br)"),
        ("Content-Encoding: , br,\r\n", "(br)"),
        (
            "Content-Encoding: identity\r\ncontent-encoding: br\r\n",
            "(br)",
        ),
        (
            "Content-Encoding: gzip\r\nContent-Encoding: br\r\n",
            "(gzip, br)",
        ),
        ("Content-Encoding: gzip, gzip\r\n", "(gzip, gzip)"),
        ("Content-Encoding: br, gzip\r\n", "(br, gzip)"),
        ("Content-Encoding: gzip;q=1\r\n", "compressed"),
        // Text that is no coding may be anything, and is not repeated.
        ("Content-Encoding: a long name of nothing\r\n", "compressed"),
        ("Content-Encoding: \"br\"\r\n", "compressed"),
    ] {
        let server = Server::script([reply("200 OK", headers, ID.as_bytes())]);
        let api = server.api();
        for call in [me, file] {
            let error = call(&api, &server).unwrap_err();
            assert_eq!(error.kind(), K::Malformed, "{headers}: {error}");
            let message = error.to_string();
            assert!(message.contains("compressed"), "{headers}: {message}");
            assert!(message.contains(named), "{headers}: {message}");
            assert!(
                !message.contains("nothing") && !error.is_transient(),
                "{message}"
            );
        }
    }
}

/// Files are never decoded: their length and their parts are those of the bytes sent.
#[test]
fn compressed_files_are_refused() {
    for coding in ["gzip", "x-gzip", "GZip", "identity, gzip"] {
        let headers = format!("Content-Encoding: {coding}\r\n");
        let server = Server::script([reply("200 OK", &headers, ID.as_bytes())]);
        let error = file(&server.api(), &server).unwrap_err();
        assert_eq!(error.kind(), K::Malformed, "{coding}: {error}");
        let message = error.to_string().to_lowercase();
        assert!(message.contains("gzip), which was not"), "{error}");
    }
}

/// A gateway that compresses its page of errors is down like one that does not.
#[test]
fn a_failed_status_counts_for_more_than_the_coding_of_its_body() {
    for (status, transient, limited) in [
        ("503 Down", true, false),
        ("404 Not Found", false, false),
        ("429 Too Many", false, true),
    ] {
        let headers = "Content-Encoding: br\r\nRetry-After: 7\r\n";
        let server = Server::script([reply(status, headers, b"\x0b\x02\x80abc\x03")]);
        for call in [me, file] {
            let error = call(&server.api(), &server).unwrap_err();
            assert_eq!(error.kind(), K::Status, "{error}");
            assert_eq!(error.status(), status[..3].parse().ok());
            assert_eq!(error.is_transient(), transient, "{error}");
            assert_eq!(error.is_rate_limited(), limited, "{error}");
            assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(7));
        }
    }
    // Nothing is there that could be compressed.
    let reply = "HTTP/1.1 204 No Content\r\nContent-Encoding: br\r\n\r\n";
    let server = Server::script([reply]);
    let error = me(&server.api(), &server).unwrap_err();
    assert_eq!(error.kind(), K::NotJson, "{error}");
}
