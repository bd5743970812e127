//! What an error says of itself: its kind, its causes, and what becomes of it in `io::Error`.
//! The errors of the service are in `fixtures.rs`, secrets in `secrets.rs`.

mod common;

use common::{Folder, Server, json, reply};
use mingram::auth::TokenFile;
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, ApiError, Error, ErrorKind, UserField};
use std::error::Error as StdError;
use std::io;
use std::sync::Mutex;

/// Everything that a program prints which prints the causes too.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = StdError::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

fn of_service(body: &str) -> Error {
    let server = Server::script([json("400 Bad Request", body)]);
    server.api().me("").unwrap_err()
}

#[test]
fn the_cause_of_an_error_of_the_service_is_its_object() {
    let error = of_service(
        r#"{"error":{"message":"Expired","type":"T","code":190,"error_subcode":463,"error_user_msg":"Bye","fbtrace_id":"AbC"}}"#,
    );
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    assert_eq!(cause, error.api_error());
    // Nothing twice but the code.
    assert_eq!(
        chain(&error),
        "GET /me: the service returned error 190/463 (HTTP 400, T): Expired (Bye); the access token is expired, \
         revoked or of the wrong kind: log in again for a new one: error code 190/463, trace id AbC"
    );
    let error = of_service(r#"{"error_type":"T","code":400,"error_message":"No"}"#);
    assert_eq!(
        chain(&error),
        "GET /me: the service returned an error (HTTP 400, T): No: no error code"
    );
    assert_eq!(ApiError::default().to_string(), "no error code");
    assert!(of_service("<html>").source().is_none());
}

#[test]
fn kinds_have_names() {
    for (kind, name) in [
        (ErrorKind::Io, "io"),
        (ErrorKind::NotJson, "not json"),
        (ErrorKind::ConnectionLost, "connection lost"),
    ] {
        assert_eq!(kind.to_string(), name);
    }
    assert_eq!(format!("{:>8}.", ErrorKind::Tls), "     tls.");
}

/// Into `io::Error`, with a kind that the caller can use, and out again.
#[test]
fn io_errors_keep_the_error() {
    use io::ErrorKind as K;
    let of_status = |status: &str| {
        let server = Server::script([reply(status, &[], "no")]);
        server.api().with_retries(0).me("").unwrap_err()
    };
    let of_code = |code: &str| of_service(&format!(r#"{{"error":{{"code":{code}}}}}"#));
    let plain = |kind| Error::new(kind, "x");
    let caused = |kind, cause: K| plain(kind).with_source(io::Error::from(cause));
    for (error, kind) in [
        (plain(ErrorKind::InvalidInput), K::InvalidInput),
        (plain(ErrorKind::Timeout), K::TimedOut),
        (caused(ErrorKind::Timeout, K::WouldBlock), K::TimedOut),
        (plain(ErrorKind::Truncated), K::UnexpectedEof),
        (plain(ErrorKind::Connect), K::NotConnected),
        (
            caused(ErrorKind::Connect, K::ConnectionRefused),
            K::ConnectionRefused,
        ),
        (plain(ErrorKind::ConnectionLost), K::ConnectionAborted),
        (
            caused(ErrorKind::ConnectionLost, K::BrokenPipe),
            K::BrokenPipe,
        ),
        // Either would make a reader try again for ever.
        (caused(ErrorKind::Io, K::Interrupted), K::Other),
        (caused(ErrorKind::Io, K::WouldBlock), K::Other),
        (caused(ErrorKind::Io, K::StorageFull), K::StorageFull),
        (plain(ErrorKind::Io), K::Other),
        (plain(ErrorKind::Decode), K::InvalidData),
        (plain(ErrorKind::Tls), K::InvalidData),
        (plain(ErrorKind::Cancelled), K::Other),
        (plain(ErrorKind::RateLimit), K::QuotaExceeded),
        (of_code("190"), K::PermissionDenied),
        (of_code("10"), K::PermissionDenied),
        (of_code("4"), K::QuotaExceeded),
        (of_code("100"), K::Other),
        (of_code("100,\"error_subcode\":33"), K::NotFound),
        (of_status("404 No"), K::NotFound),
        (of_status("403 No"), K::PermissionDenied),
        (of_status("429 No"), K::QuotaExceeded),
        (of_status("500 No"), K::Other),
    ] {
        let (text, own) = (format!("{error:?}"), error.kind());
        let out = io::Error::from(error);
        assert_eq!(out.kind(), kind, "{text}");
        let back = Error::from(out);
        assert_eq!((format!("{back:?}"), back.kind()), (text, own));
    }
}

/// Not found is what the service says. A local file has an `io::Error`.
#[test]
fn a_local_file_is_not_the_service() {
    let folder = Folder::new();
    let missing = TokenFile::new(folder.0.join("none")).load().unwrap_err();
    assert!(!missing.is_not_found());
    assert_eq!(missing.io_error().unwrap().kind(), io::ErrorKind::NotFound);
    let server = Server::script([reply("200 OK", &[], "file")]);
    let place = folder.0.join("no/such/directory");
    let unsaved = server.api().download(&server.url()).save(place);
    let unsaved = unsaved.unwrap_err();
    assert_eq!(unsaved.kind(), ErrorKind::Io);
    assert_eq!(unsaved.io_error().unwrap().kind(), io::ErrorKind::NotFound);
    assert!(!unsaved.is_not_found());
    // The errors of sockets are not of files.
    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    let error = Error::new(ErrorKind::Connect, "x").with_source(refused);
    assert!(error.io_error().is_none());
    let error = Error::from(io::Error::from(io::ErrorKind::NotFound));
    assert!(error.io_error().is_some() && !error.is_not_found());
}

/// Leads to another host, whose name is refused as the input of a caller would be.
struct Leads(Mutex<u32>);

impl Transport for Leads {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        *self.0.lock().unwrap() += 1;
        if request.url.contains("a_b") {
            return Err(Error::new(ErrorKind::InvalidInput, "not a host name"));
        }
        Ok(Response::new(
            302,
            vec![("Location".into(), "https://a_b/x".into())],
            io::empty(),
        ))
    }
}

#[test]
fn invalid_input_means_that_nothing_was_sent() {
    let api = Api::new("IGQVJsample").with_transport(Leads(Mutex::new(0)));
    let download = |url: &str| api.download(url).write_to(&mut Vec::new()).unwrap_err();
    let error = download("https://cdn.example/x");
    assert_eq!(error.kind(), ErrorKind::Redirect);
    assert_eq!(
        error.to_string(),
        "GET cdn.example/x: redirect not followed: not a host name"
    );
    let error = download("https://a_b/x");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

/// The path, what was expected and what came; of mingram's own types also what is missing.
#[test]
fn fields_are_named() {
    #[derive(Debug, miniserde::Deserialize)]
    #[allow(dead_code, reason = "only read")]
    struct Own {
        small: u8,
        text: Option<String>,
        list: Option<Vec<bool>>,
    }
    let own = |body: &str| {
        let server = Server::script([json("200 OK", body)]);
        server.api().node::<Own>("x", &[]).unwrap_err()
    };
    let page = |body: &str| {
        let server = Server::script([json("200 OK", body)]);
        let mut media = server.api().my_media("").into_iter();
        media.find_map(Result::err).unwrap()
    };
    for (error, words) in [
        (
            own(r#"{"small":"1"}"#),
            "(small): expected nonnegative integer, unexpected string",
        ),
        (
            own(r#"{"small":300}"#),
            "(small): expected nonnegative integer, unexpected number",
        ),
        (
            own(r#"{"small":1,"text":[]}"#),
            "(text): expected string, unexpected array",
        ),
        (
            own(r#"{"small":1,"list":[true,"x"]}"#),
            "(list[1]): expected boolean, unexpected string",
        ),
        (
            own(r#"{"small":1,"list":{}}"#),
            "(list): expected array, unexpected object",
        ),
        // A derived reader does not say which.
        (
            own(r#"{"text":"x"}"#),
            "12: unexpected object, a required field is missing or invalid: {\"text\":\"x\"}",
        ),
        (
            page(r#"{"data":[{"id":"1"},{"id":{}}]}"#),
            "(data[1].id): expected string or number, unexpected object",
        ),
        (
            page(r#"{"data":[{"id":"1"},{"caption":""}]}"#),
            "(data[1].id): a required field is missing or invalid",
        ),
        (
            page(r#"{"paging":{}}"#),
            "(data): a required field is missing or invalid",
        ),
        (
            page(r#"{"data":[],"paging":1}"#),
            "(paging): a required field is missing or invalid",
        ),
        (
            page(r#"{"data":[],"paging":{"cursors":1}}"#),
            "(paging.cursors): a required field is",
        ),
        (
            page(r#"{"data":[],"paging":{"cursors":{"after":[]}}}"#),
            "(paging.cursors.after): a required",
        ),
        (
            page(r#"{"data":[],"paging":{"next":1}}"#),
            "(paging.next): a required field",
        ),
        (
            page(r#"{"data":[{"id":"1","children":{"data":[{}]}}]}"#),
            "(data[0].children.data[0].id): a required",
        ),
    ] {
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains(words), "{error}");
    }
    // A field of an earlier document is not named for a later one.
    let server = Server::script([json("200 OK", "{}"), json("200 OK", r#"{"text":"x"}"#)]);
    let api = server.api();
    assert!(
        api.me([UserField::Id])
            .unwrap_err()
            .to_string()
            .contains("(id)")
    );
    let error = api.node::<Own>("x", &[]).unwrap_err().to_string();
    assert!(error.contains("12: unexpected object"), "{error}");
}

/// An error object counts if the document is complete, also with something after it.
#[test]
fn half_an_error_object_is_none() {
    let object = r#"{"error":{"message":"wait","code":4}}"#;
    for (body, kind) in [
        (object.to_owned(), ErrorKind::Api),
        (format!("{object}<!-- served by 7 -->"), ErrorKind::Api),
        (object[..object.len() - 1].to_owned(), ErrorKind::Decode),
        (object[..20].to_owned(), ErrorKind::Decode),
    ] {
        let server = Server::script([json("200 OK", &body)]);
        let error = server.api().me("").unwrap_err();
        assert_eq!(error.kind(), kind, "{body}: {error}");
    }
}
