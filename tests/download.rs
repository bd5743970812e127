//! Files: whole or an error, and never the token.

mod common;

use common::replay::{self, TOKEN};
use common::{Folder, Server, reply};
use mingram::download::{Body, FileVersion, Resumed};
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, Error, ErrorKind};
use std::fs;
use std::io::{self, Read, Write};
use std::ops::ControlFlow::Continue;
use std::path::Path;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

const FILE: &str = "0123456789";

/// What the servers here call the version of `FILE`.
fn version() -> FileVersion {
    "10 \"v1\"".parse().unwrap()
}

fn whole() -> Server {
    Server::script([reply("200 OK", &[("Content-Type", "image/jpeg")], FILE)])
}

#[test]
fn a_file_comes_whole_and_without_the_token() {
    let server = whole();
    let mut file = Vec::new();
    let url = format!("{}/v/a.jpg?oh=1&oe=6A2B7C00#x", server.url());
    assert_eq!(server.api().download(&url).write_to(&mut file).unwrap(), 10);
    assert_eq!(file, FILE.as_bytes());
    let request = server.received().pop().unwrap();
    assert_eq!(request.target, "/v/a.jpg?oh=1&oe=6A2B7C00");
    assert!(!format!("{request:?}").contains(TOKEN));
    // Nor is a token needed.
    let api = Api::without_token().with_base_url(server.url());
    assert_eq!(api.download(&url).write_to(&mut io::sink()).unwrap(), 10);
}

#[test]
fn a_short_file_is_an_error() {
    let server = Server::script(["HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789"]);
    let mut file = Vec::new();
    let error = server
        .api()
        .download(&format!("{}/a.jpg?secret", server.url()))
        .write_to(&mut file)
        .unwrap_err();
    assert_eq!((error.kind(), file.len()), (ErrorKind::Truncated, 10));
    assert_eq!(
        error.to_string(),
        "GET 127.0.0.1/a.jpg: the connection ended after 10 of 20 bytes"
    );
}

#[test]
fn a_file_without_a_length_is_an_error_unless_accepted() {
    let chunks = |chunks: &str| {
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    };
    for (head, shows_end) in [
        ("HTTP/1.1 200 OK\r\n\r\n0123456789".to_owned(), false),
        // The last chunk proves that it is complete. minreq does not show whether it came.
        (chunks("a\r\n0123456789\r\n"), common::DIRECT),
        (chunks("4\r\n0123\r\n6\r\n456789\r\n"), common::DIRECT),
    ] {
        let server = Server::script([head]);
        let (api, mut file) = (server.api(), Vec::new());
        let outcome = api.download(&server.url()).write_to(&mut file);
        if shows_end {
            assert_eq!(outcome.unwrap(), 10);
            assert_eq!(std::mem::take(&mut file), FILE.as_bytes());
        } else {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), file.len()), (ErrorKind::UnknownLength, 0));
        }
        let folder = Folder::new();
        let path = folder.0.join("a.jpg");
        for resumable in [false, true] {
            let url = server.url();
            let saved = match resumable {
                true => api.download(&url).save_resumable(&path),
                false => api.download(&url).save(&path),
            };
            match saved {
                Ok(saved) => assert_eq!((shows_end, saved.length, saved.version), (true, 10, None)),
                Err(error) => {
                    assert_eq!((shows_end, error.kind()), (false, ErrorKind::UnknownLength))
                }
            }
            assert_eq!(fs::read(&path).ok(), shows_end.then(|| FILE.into()));
        }
        let url = server.url();
        let body = api.download(&url).accept_unknown_length().open().unwrap();
        assert_eq!(body.total(), None);
        assert_eq!(
            api.download(&url)
                .accept_unknown_length()
                .write_to(&mut file)
                .unwrap(),
            10
        );
        assert_eq!(file, FILE.as_bytes());
    }
}

/// The last chunk proves that all of them came. minreq does not show whether it did.
#[test]
fn chunks_that_are_cut() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (chunks, length) in [("a\r\n01", 2), ("a\r\n0123456789\r\n", 10)] {
        let server = Server::script([format!("{head}{chunks}")]);
        let (api, url) = (server.api(), server.url());
        let mut file = Vec::new();
        let download = api.download(&url).accept_unknown_length();
        let outcome = download.write_to(&mut file);
        assert_eq!(file.len(), length);
        match common::DIRECT {
            true => assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Truncated),
            false => assert_eq!(outcome.unwrap(), length as u64),
        }
    }
}

/// A network that requires a login, a proxy or a host may send anything with status 200.
#[test]
fn what_cannot_be_a_picture_is_refused() {
    const PAGE: &str = "<!DOCTYPE html><title>Log in to Hotel-WLAN</title>";
    for (content_type, body) in [
        ("text/html", PAGE),
        ("TEXT/HTML; charset=utf-8", PAGE),
        (" text/html ;charset=utf-8", PAGE),
        ("text/html, image/jpeg", PAGE),
        ("text/html", ""),
        (
            "text/plain",
            "Sorry, this content isn't available right now",
        ),
        ("text", "x"),
        ("application/json", "{}"),
        ("application/problem+json; charset=utf-8", "{}"),
        ("application/xhtml+xml", PAGE),
        ("application/xml", "<Error/>"),
        ("image/svg+xml", "<svg/>"),
        ("application/javascript", "location='/login'"),
        ("application/vnd.apple.mpegurl", "#EXTM3U"),
        ("multipart/mixed; boundary=x", "--x--"),
        // A wrong label, or none: the first byte that is not white space tells.
        ("image/jpeg", PAGE),
        ("image/jpeg", "\u{feff}\r\n\t <html>"),
        ("video/mp4", r#"{"error":{"message":"Sorry"}}"#),
        ("application/octet-stream", r#"[{"error":1}]"#),
        ("binary/octet-stream", "<?xml version='1.0'?><Error/>"),
        ("", PAGE),
        ("image/jpeg", &" ".repeat(2000)),
        // Nothing at all.
        ("image/jpeg", ""),
        ("", ""),
    ] {
        let headers = [("Content-Type", content_type), ("ETag", "\"v1\"")];
        let headers = &headers[usize::from(content_type.is_empty())..];
        let secret = format!("{body} {TOKEN}");
        let body = if body.is_empty() { body } else { &secret };
        let server = Server::script([reply("200 OK", headers, body)]);
        let (api, url, version) = (server.api(), server.url(), version());
        let directory = Folder::new();
        let (path, mut file) = (directory.0.join("a.jpg"), Vec::new());
        fs::write(&path, "an old file").unwrap();
        let download = || api.download(&url);
        let errors = [
            download().save(&path).unwrap_err(),
            download().write_to(&mut file).unwrap_err(),
            download().open().unwrap_err(),
            download().resume_from(4, &version).open().unwrap_err(),
            download().accept_unknown_length().open().unwrap_err(),
        ];
        for error in errors {
            let text = error.to_string();
            assert_eq!(
                (error.kind(), error.status(), error.is_transient()),
                (ErrorKind::WrongContent, Some(200), false),
                "{content_type:?} {body:?}: {text}"
            );
            assert!(text.len() < 500 && !text.contains(TOKEN), "{text}");
            match body {
                "" => assert!(text.contains("empty"), "{text}"),
                _ => assert!(text.contains("sent text ("), "{text}"),
            }
            assert!(body != PAGE || text.ends_with(PAGE), "{text}");
        }
        assert!(file.is_empty());
        assert_eq!(directory.names(), ["a.jpg"]);
        assert_eq!(fs::read(&path).unwrap(), b"an old file");
        // Each was asked for once, and whoever wants it gets it.
        assert_eq!(server.received().len(), 5);
        let saved = download().accept_any_type().save(&path).unwrap();
        assert_eq!(saved.length, body.len() as u64);
        assert_eq!(fs::read(&path).unwrap(), body.as_bytes());
    }
}

/// The pages of such networks often have no length.
#[test]
fn a_page_without_a_length_is_named_as_a_page() {
    let body = "5\r\n<html\r\n1\r\n>\r\n0\r\n\r\n";
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
    let page = Server::script([format!("{head}Content-Type: text/html\r\n\r\n{body}")]);
    let error = page.api().download(&page.url()).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongContent, "{error}");
    assert!(
        error.to_string().ends_with(
            "(text/html) instead of a picture or video, perhaps the login page of a network: <html>"
        ),
        "{error}"
    );
    // No chunk but the last one.
    let empty = Server::script([format!("{head}\r\n0\r\n\r\n")]);
    let (api, url) = (empty.api(), empty.url());
    let download = || api.download(&url).accept_unknown_length();
    let error = download().open().unwrap_err();
    if !common::DIRECT {
        // minreq does not tell whether the headers were complete.
        return assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    }
    assert_eq!(error.kind(), ErrorKind::WrongContent, "{error}");
    let mut body = download().accept_any_type().open().unwrap();
    assert_eq!(body.read(&mut [0]).unwrap(), 0);
}

#[test]
fn what_may_be_a_picture_is_not_refused() {
    for (content_type, body) in [
        ("image/jpeg", "\u{ff}\u{d8}"),
        ("IMAGE/WEBP", "RIFF<<<<WEBP"),
        ("video/mp4; codecs=avc1", "\0\0\0 ftypisom"),
        ("application/octet-stream", "GIF89a<"),
        ("binary/octet-stream", "\u{89}PNG\r\n"),
        ("application/mp4", "\0\0\0 ftyp"),
        ("audio/mpeg", "ID3"),
        ("*/*", "  x"),
        ("unknown", "x"),
        ("", "x"),
    ] {
        let headers = [("Content-Type", content_type)];
        let headers = &headers[usize::from(content_type.is_empty())..];
        let server = Server::script([reply("200 OK", headers, body)]);
        let mut file = Vec::new();
        let (api, url) = (server.api(), server.url());
        api.download(&url).write_to(&mut file).unwrap();
        assert_eq!(file, body.as_bytes());
    }
}

/// The first bytes are looked at when the file is opened. What arrives byte by byte is
/// looked at, too, and a connection that breaks before is one that may be tried again.
#[test]
fn a_file_that_begins_slowly() {
    let page = "\u{feff} <html>";
    let server = Server::start(move |_, stream| {
        let _ = stream.set_nodelay(true);
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            page.len()
        );
        for byte in page.bytes() {
            let _ = stream.write_all(&[byte]);
            thread::sleep(Duration::from_millis(2));
        }
    });
    let error = server.api().download(&server.url()).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongContent, "{error}");
    let server = Server::script([
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        &reply("200 OK", &[], FILE),
    ]);
    let api = server
        .api()
        .with_retries(1)
        .with_clock(common::TestClock::new(0));
    assert_eq!(
        api.download(&server.url())
            .write_to(&mut io::sink())
            .unwrap(),
        10
    );
}

#[test]
fn progress_is_told() {
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        let _ = stream.write_all(&[b'x'; 100_000]);
    });
    let mut told = Vec::new();
    let url = server.url();
    let api = server.api();
    let download = api.download(&url).on_progress(|done, total| {
        told.push((done, total));
        Continue(())
    });
    assert_eq!(download.write_to(&mut io::sink()).unwrap(), 100_000);
    assert!(told.len() > 2 && told.is_sorted());
    assert_eq!(told[0], (0, Some(100_000)));
    assert_eq!(told.last(), Some(&(100_000, Some(100_000))));
}

#[test]
fn the_rest_of_a_file() {
    const TAG: (&str, &str) = ("ETag", "\"v1\"");
    let server = Server::start(|request, stream| {
        let reply = match (header(request, "range"), header(request, "if-range")) {
            (Some("bytes=4-"), Some("\"v1\"")) => reply(
                "206 Partial Content",
                &[TAG, ("Content-Range", "bytes 4-9/10")],
                &FILE[4..],
            ),
            (None, None) => reply("200 OK", &[TAG], FILE),
            other => panic!("{other:?}"),
        };
        let _ = stream.write_all(reply.as_bytes());
    });
    let (api, url) = (server.api(), server.url());
    let version = api.download(&url).open().unwrap().version().cloned();
    let version = version.unwrap();
    assert_eq!((version.total(), &version), (10, &self::version()));
    let mut file = FILE.as_bytes()[..4].to_vec();
    let resumed = api.download(&url).resume_from(4, &version).open();
    let Ok(Resumed::Rest(mut body)) = resumed else {
        panic!("{resumed:?}");
    };
    assert_eq!(
        (body.start(), body.position(), body.total(), body.version()),
        (4, 4, Some(10), Some(&version))
    );
    assert_eq!(body.write_to(&mut file).unwrap(), 10);
    assert_eq!(file, FILE.as_bytes());
    // There is nothing before the first byte and nothing after the end.
    for byte in [0, 11, u64::MAX] {
        let resumed = api.download(&url).resume_from(byte, &version).open();
        assert_eq!(entire(resumed).start(), 0, "{byte}");
    }
}

/// A file that is here to the last byte is asked for what comes after it.
#[test]
fn a_file_that_is_here_already() {
    const OLD: (&str, &str) = ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    let dated = format!("10 {}", OLD.1);
    let none = |headers: &[(&str, &str)], range: &str| {
        reply(
            "416 No",
            &[headers, &[("Content-Range", range)]].concat(),
            "<p>No such range",
        )
    };
    let tag = |tag| [("ETag", tag)];
    for (version, first, complete) in [
        ("10 \"v1\"", none(&[], "bytes */10"), true),
        ("10 \"v1\"", none(&tag("\"v1\""), "bytes */10"), true),
        (&dated, none(&[OLD], "bytes */10"), true),
        (&dated, none(&[], "bytes */10"), true),
        // Without parts, the same version is sent again.
        ("10 \"v1\"", reply("200 OK", &tag("\"v1\""), FILE), true),
        (&dated, reply("200 OK", &[OLD], FILE), true),
        // Another version, or nothing that shows which one.
        ("10 \"v1\"", none(&[], "bytes */11"), false),
        ("10 \"v1\"", none(&[], "bytes */9"), false),
        ("10 \"v1\"", none(&[], "bytes */*"), false),
        ("10 \"v1\"", none(&[], "bytes 0-9/10"), false),
        ("10 \"v1\"", reply("416 No", &[], ""), false),
        ("10 \"v1\"", none(&tag("\"v2\""), "bytes */10"), false),
        ("10 \"v1\"", none(&tag("W/\"v1\""), "bytes */10"), false),
        (
            &dated,
            none(&[("Last-Modified", "later")], "bytes */10"),
            false,
        ),
        ("10 \"v1\"", reply("200 OK", &tag("\"v2\""), FILE), false),
        (
            "10 \"v1\"",
            reply("200 OK", &tag("\"v1\""), &FILE[1..]),
            false,
        ),
        ("10 \"v1\"", reply("200 OK", &[], FILE), false),
        (&dated, reply("200 OK", &tag("\"v1\""), FILE), false),
    ] {
        let server = Server::script([first.clone(), reply("200 OK", &[], "other")]);
        let (api, url) = (server.api(), server.url());
        let version: FileVersion = version.parse().unwrap();
        let resumed = api.download(&url).resume_from(10, &version).open();
        match resumed.unwrap() {
            Resumed::Complete => assert!(complete, "{version} {first}"),
            Resumed::Entire(_) => assert!(!complete, "{version} {first}"),
            other => panic!("{other:?} {version} {first}"),
        }
        let received = server.received();
        let sent = ["range", "if-range"].map(|name| header(&received[0], name).unwrap());
        assert_eq!(
            format!("{} {}", sent[0], sent[1]),
            format!(
                "bytes=10- {}",
                version.to_string().split_once(' ').unwrap().1
            )
        );
        let again = usize::from(first.starts_with("HTTP/1.1 416") && !complete);
        assert_eq!(received.len(), 1 + again, "{version} {first}");
    }
}

fn entire(resumed: mingram::Result<Resumed>) -> Body {
    match resumed {
        Ok(Resumed::Entire(body)) => body,
        other => panic!("{other:?}"),
    }
}

fn header<'a>(request: &'a replay::Received, name: &str) -> Option<&'a str> {
    let header = request.headers.iter().find(|(key, _)| key == name);
    header.map(|(_, value)| value.as_str())
}

/// A server sends the entire file if its version has changed; one that ignores `If-Range`
/// sends a part of the other version, or has no such byte, and is asked again.
#[test]
fn two_versions_are_never_combined() {
    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const OTHER: &str = "ABCDEFGHIJ";
    let part = |headers: &[(&str, &str)], range| {
        let headers = [headers, &[("Content-Range", range)]].concat();
        reply("206 Partial Content", &headers, &OTHER[4..])
    };
    let tag = [("ETag", "\"v1\"")];
    for (version, first, requests) in [
        ("10 \"v1\"", reply("200 OK", &[], OTHER), 1),
        // Another entity tag, none, a weak one, another total.
        ("10 \"v1\"", part(&[("ETag", "\"v2\"")], "bytes 4-9/10"), 2),
        ("10 \"v1\"", part(&[], "bytes 4-9/10"), 2),
        (
            "10 \"v1\"",
            part(&[("ETag", "W/\"v1\"")], "bytes 4-9/10"),
            2,
        ),
        ("11 \"v1\"", part(&tag, "bytes 4-9/10"), 2),
        // Another date.
        (
            &format!("10 {OLD}"),
            part(
                &[("Last-Modified", "Mon, 07 Nov 1994 08:49:37 GMT")],
                "bytes 4-9/10",
            ),
            2,
        ),
        // No date, and no total: nothing shows that it is the same version.
        (&format!("10 {OLD}"), part(&[], "bytes 4-9/10"), 2),
        (&format!("10 {OLD}"), part(&[], "bytes 4-9/*"), 2),
        ("10 \"v1\"", part(&tag, "bytes 4-9/*"), 2),
        (
            "10 \"v1\"",
            reply("416 No", &[("Content-Range", "bytes */3")], ""),
            2,
        ),
    ] {
        let server = Server::script([first.clone(), reply("200 OK", &[], OTHER)]);
        let (api, url) = (server.api(), server.url());
        let version: FileVersion = version.parse().unwrap();
        let mut body = entire(api.download(&url).resume_from(4, &version).open());
        assert_eq!(body.start(), 0, "{version} {first}");
        let mut file = Vec::new();
        assert_eq!(body.write_to(&mut file).unwrap(), 10);
        assert_eq!(file, OTHER.as_bytes());
        let received = server.received();
        assert_eq!(received.len(), requests, "{version} {first}");
        let sent = header(&received[0], "if-range").unwrap();
        assert_eq!(format!("{} {sent}", version.total()), version.to_string());
        for request in &received[1..] {
            assert_eq!(header(request, "range"), None);
            assert_eq!(header(request, "if-range"), None);
        }
    }
}

#[test]
fn a_part_by_date() {
    let dates = [
        ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Date", "Mon, 07 Nov 1994 08:49:37 GMT"),
    ];
    let server = Server::script([
        reply("200 OK", &dates, FILE),
        reply(
            "206 Partial Content",
            &[dates[0], ("Content-Range", "bytes 4-9/10")],
            &FILE[4..],
        ),
    ]);
    let (api, url) = (server.api(), server.url());
    let version = api.download(&url).open().unwrap().version().cloned();
    let version = version.unwrap();
    let mut file = FILE.as_bytes()[..4].to_vec();
    let resumed = api.download(&url).resume_from(4, &version).open();
    let Ok(Resumed::Rest(mut body)) = resumed else {
        panic!("{resumed:?}");
    };
    assert_eq!((body.start(), body.total()), (4, Some(10)));
    body.write_to(&mut file).unwrap();
    assert_eq!(file, FILE.as_bytes());
    assert_eq!(
        header(&server.received()[1], "if-range"),
        Some("Sun, 06 Nov 1994 08:49:37 GMT")
    );
}

#[test]
fn a_server_that_cannot_resume_sends_the_entire_file() {
    let server = whole();
    let (api, url, version) = (server.api(), server.url(), version());
    let mut file = Vec::new();
    let mut body = entire(api.download(&url).resume_from(4, &version).open());
    assert_eq!((body.start(), body.content_type()), (0, Some("image/jpeg")));
    assert_eq!(body.version(), None);
    body.read_to_end(&mut file).unwrap();
    assert_eq!(file, FILE.as_bytes());
}

#[test]
fn a_part_that_is_not_the_one_asked_for() {
    for (range, length) in [
        ("bytes 5-9/10", 5),
        ("bytes 4-8/10", 5),
        ("bytes 4-9/10", 5),
        ("bytes 9-4/10", 5),
        ("nonsense", 6),
    ] {
        let server = Server::script([reply(
            "206 Partial Content",
            &[("ETag", "\"v1\""), ("Content-Range", range)],
            &FILE[..length],
        )]);
        let (api, url, version) = (server.api(), server.url(), version());
        let error = api
            .download(&url)
            .resume_from(4, &version)
            .open()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{range}: {error}");
    }
}

#[test]
fn a_writer_that_fails() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let server = whole();
    let error = server
        .api()
        .download(&server.url())
        .write_to(&mut Full)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(
        error
            .to_string()
            .ends_with("writing failed after 10 bytes: no space left"),
        "{error}"
    );
    assert!(std::error::Error::source(&error).is_some());
}

/// A writer that buffers finds the full disk when it is flushed.
#[test]
fn a_writer_that_fails_at_its_end() {
    struct Full(bool);
    impl Write for Full {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            match self.0 {
                true => Err(io::Error::new(io::ErrorKind::StorageFull, "no space left")),
                false => Ok(buf.len()),
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"))
        }
    }
    let server = whole();
    let (api, url) = (server.api(), server.url());
    let large = || io::BufWriter::with_capacity(1000, Full(true));
    let errors = [
        api.download(&url).write_to(Full(false)).unwrap_err(),
        api.download(&url).write_to(large()).unwrap_err(),
        api.download(&url).write_to(&mut large()).unwrap_err(),
        {
            let mut body = api.download(&url).open().unwrap();
            body.write_to(large()).unwrap_err()
        },
        {
            let resumed = api.download(&url).resume_from(0, &version()).open();
            entire(resumed).write_to(large()).unwrap_err()
        },
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        let end = "writing failed after 10 bytes: no space left";
        assert!(error.to_string().ends_with(end), "{error}");
    }
}

#[test]
fn a_refusal_says_what_came() {
    let server = Server::script([reply(
        "403 Forbidden",
        &[("Content-Type", "text/plain")],
        "URL signature expired",
    )]);
    let error = server
        .api()
        .download(&server.url())
        .write_to(&mut io::sink())
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.status(), error.is_transient()),
        (ErrorKind::Status, Some(403), false)
    );
    assert!(
        error
            .to_string()
            .ends_with("HTTP 403 (text/plain): URL signature expired"),
        "{error}"
    );
    let server = Server::script([reply("404 Not Found", &[], "")]);
    assert!(
        server
            .api()
            .download(&server.url())
            .write_to(&mut io::sink())
            .unwrap_err()
            .is_not_found()
    );
}

#[test]
fn addresses_that_are_not_usable_are_refused_unsent() {
    let server = whole();
    let api = server.api();
    for url in [
        "http://example.com/a.jpg",
        "ftp://example.com/a.jpg",
        "a.jpg",
        "",
        "https://user@example.com/",
        "https://a b/",
        "https://h\u{e9}/",
        "https://a\0b/",
    ] {
        let error = api.download(url).write_to(&mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
    }
    assert!(server.received().is_empty());
}

#[test]
fn redirects_lead_to_other_hosts_too() {
    let file = whole();
    let other = file.url();
    let location = format!("{other}/b.jpg");
    let server = Server::script([reply("302 Found", &[("Location", &location)], "")]);
    assert_eq!(
        server
            .api()
            .download(&server.url())
            .write_to(&mut io::sink())
            .unwrap(),
        10
    );
    // But not to plain http, were this https; a loopback address is the most
    // that can be tested here.
    let server = Server::script([reply(
        "302 Found",
        &[("Location", "http://example.com/b.jpg")],
        "",
    )]);
    let error = server
        .api()
        .download(&server.url())
        .write_to(&mut io::sink())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
}

#[test]
fn the_headers_are_retried_and_the_bytes_are_not() {
    let error = reply("502 Bad Gateway", &[], "");
    let server = Server::script([error, reply("200 OK", &[], FILE)]);
    let api = server
        .api()
        .with_retries(1)
        .with_clock(common::TestClock::new(0));
    assert_eq!(
        api.download(&server.url())
            .write_to(&mut io::sink())
            .unwrap(),
        10
    );
    assert_eq!(server.received().len(), 2);
    let server = Server::script(["HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789"]);
    let api = server
        .api()
        .with_retries(3)
        .with_clock(common::TestClock::new(0));
    assert_eq!(
        api.download(&server.url())
            .write_to(&mut io::sink())
            .unwrap_err()
            .kind(),
        ErrorKind::Truncated
    );
    assert_eq!(server.received().len(), 1);
}

#[test]
fn a_download_has_its_own_time() {
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n0");
        std::thread::sleep(Duration::from_millis(1500));
        let _ = stream.write_all(b"1");
    });
    let api = server.api();
    assert_eq!(
        api.download(&server.url())
            .write_to(&mut io::sink())
            .unwrap(),
        2
    );
    let api = api.with_download_timeout(Duration::from_secs(1));
    assert!(
        api.download(&server.url())
            .write_to(&mut io::sink())
            .unwrap_err()
            .is_timeout()
    );
}

#[test]
fn a_body_read_by_hand_keeps_its_error() {
    let server = Server::script(["HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789"]);
    let (api, url) = (server.api(), server.url());
    let mut body = api.download(&url).open().unwrap();
    let error = body.read_to_end(&mut Vec::new()).unwrap_err();
    let error = Error::from(error);
    assert_eq!(
        (error.kind(), error.call()),
        (ErrorKind::Truncated, "GET 127.0.0.1")
    );
}

#[test]
fn save_writes_a_complete_file() {
    let (server, directory) = (whole(), Folder::new());
    let (api, url) = (server.api(), server.url());
    let path = directory.0.join("a.jpg");
    for _ in 0..2 {
        let mut seen = Vec::new();
        let saved = api
            .download(&url)
            .on_progress(|done, total| {
                seen.push((done, total));
                Continue(())
            })
            .save(&path)
            .unwrap();
        assert_eq!(
            (saved.length, saved.content_type.as_deref(), saved.version),
            (10, Some("image/jpeg"), None)
        );
        assert_eq!(seen.last(), Some(&(10, Some(10))));
        assert_eq!(fs::read(&path).unwrap(), FILE.as_bytes());
        assert_eq!(directory.names(), ["a.jpg"]);
        fs::write(&path, "an old file").unwrap();
    }
}

#[test]
fn a_failed_save_leaves_nothing_behind() {
    for (reply, kind) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789",
            ErrorKind::Truncated,
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\n0123456789",
            ErrorKind::UnknownLength,
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            ErrorKind::Status,
        ),
    ] {
        let (server, directory) = (Server::script([reply]), Folder::new());
        let path = directory.0.join("a.jpg");
        let save = || {
            server
                .api()
                .download(&server.url())
                .save(&path)
                .unwrap_err()
        };
        assert_eq!(save().kind(), kind);
        assert!(directory.names().is_empty(), "{:?}", directory.names());
        fs::write(&path, "an old file").unwrap();
        assert_eq!(save().kind(), kind);
        assert_eq!(directory.names(), ["a.jpg"]);
        assert_eq!(fs::read(&path).unwrap(), b"an old file");
    }
}

/// Whatever is wrong with the path is reported before the request, with the path.
#[test]
fn save_refuses_places_that_cannot_hold_a_file() {
    let (server, directory) = (whole(), Folder::new());
    fs::create_dir(directory.0.join("folder")).unwrap();
    fs::write(directory.0.join("folder/file"), "").unwrap();
    let long = "a".repeat(256);
    let mut places = vec![
        "folder",
        "folder/",
        "folder/.",
        "missing/a.jpg",
        "folder/file/a.jpg",
        "a.jpg/",
        "a.jpg/.",
        "..",
        "folder/..",
        "a\0.jpg",
        &long,
    ];
    if cfg!(target_os = "linux") {
        // No file can be created there, even by root.
        places.extend(["/proc/self/a.jpg", "/dev/null"]);
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("folder", directory.0.join("link")).unwrap();
        places.push("link");
    }
    let before = directory.names();
    let refuse = |path: &Path| {
        let error = server.api().download(&server.url()).save(path).unwrap_err();
        let shown = format!("{} cannot be saved: ", path.display()).replace('\0', " ");
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert!(error.to_string().contains(&shown), "{error}");
        assert!(server.received().is_empty(), "{}", path.display());
        assert_eq!(directory.names(), before, "{}", path.display());
    };
    for place in places {
        refuse(&directory.0.join(place));
    }
    for path in ["", ".", "..", "/"] {
        let error = server.api().download(&server.url()).save(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{path:?} {error}");
    }
    assert!(server.received().is_empty());
}

#[test]
fn every_error_of_save_names_the_local_path() {
    const TAIL: &str = "Content-Length: 20\r\n\r\n0123456789";
    for (reply, kind) in [
        (format!("HTTP/1.1 200 OK\r\n{TAIL}"), ErrorKind::Truncated),
        (
            "HTTP/1.1 200 OK\r\n\r\n0".to_owned(),
            ErrorKind::UnknownLength,
        ),
        (reply("404 Not Found", &[], ""), ErrorKind::Status),
        (reply("302 Found", &[], ""), ErrorKind::Redirect),
        (
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: x\r\n{TAIL}"),
            ErrorKind::Malformed,
        ),
        (String::new(), ErrorKind::ConnectionLost),
    ] {
        let (server, directory) = (Server::script([reply]), Folder::new());
        let path = directory.0.join("a b.jpg");
        let url = format!("{}/v/a.jpg?access_token={TOKEN}", server.url());
        let error = server.api().download(&url).save(&path).unwrap_err();
        let text = error.to_string();
        let start = format!("GET 127.0.0.1/v/a.jpg: {} ", path.display());
        assert!(error.kind() == kind && text.starts_with(&start), "{error}");
        assert!(!text.contains(TOKEN), "{error}");
        assert!(directory.names().is_empty());
    }
    // Nor does a path show the token.
    let directory = Folder::new();
    let path = directory.0.join(format!("{TOKEN}.jpg"));
    let server = Server::script([reply("404 Not Found", &[], "")]);
    let error = server.api().download(&server.url()).save(path).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(TOKEN), "{error}");
}

/// The names of temporary files are short enough where the file's own name is.
#[test]
fn save_takes_the_longest_name() {
    let (server, directory) = (whole(), Folder::new());
    for name in [
        "a".repeat(255),
        "\u{e9}".repeat(127),
        "\u{1f4f7}".repeat(63),
    ] {
        let path = directory.0.join(&name);
        server.api().download(&server.url()).save(&path).unwrap();
        assert_eq!(directory.names(), [name]);
        fs::remove_file(path).unwrap();
    }
}

#[test]
#[cfg(unix)]
fn save_replaces_a_link_and_does_not_follow_it() {
    let (server, directory) = (whole(), Folder::new());
    fs::write(directory.0.join("other"), "mine").unwrap();
    let path = directory.0.join("a.jpg");
    for target in ["other", "nothing"] {
        std::os::unix::fs::symlink(target, &path).unwrap();
        server.api().download(&server.url()).save(&path).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(directory.names(), ["a.jpg", "other"]);
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(fs::read(directory.0.join("other")).unwrap(), b"mine");
}

/// Two programs save the same path, and one of them stands still for an hour: neither takes
/// the other's file away, whatever its process is called where the other one runs.
#[test]
fn a_writer_that_stands_still_keeps_its_file() {
    let (pass, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let slow = Server::start(move |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
        let _ = gate.lock().unwrap().recv();
        let _ = stream.write_all(b"56789");
    });
    let (server, directory) = (whole(), Folder::new());
    let path = directory.0.join("a.jpg");
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let older = directory.0.join(".a.jpg.4194305-0123456789abcdef.tmp");
    fs::write(&older, "of an older version").unwrap();
    thread::scope(|scope| {
        let pass = pass;
        let (half, halfway) = mpsc::channel();
        let (api, url, path) = (slow.api(), slow.url(), &path);
        let writer = scope.spawn(move || {
            api.download(&url)
                .on_progress(|done, _| {
                    let _ = half.send(done);
                    Continue(())
                })
                .save(path)
        });
        assert_eq!([halfway.recv().unwrap(), halfway.recv().unwrap()], [0, 5]);
        for entry in fs::read_dir(&directory.0).unwrap() {
            let file = fs::File::options().write(true).open(entry.unwrap().path());
            file.unwrap().set_modified(hour_ago).unwrap();
        }
        server.api().download(&server.url()).save(path).unwrap();
        assert_eq!(directory.names().len(), 3, "{:?}", directory.names());
        pass.send(()).unwrap();
        assert_eq!(writer.join().unwrap().unwrap().length, 10);
    });
    fs::remove_file(older).unwrap();
    assert_eq!(directory.names(), ["a.jpg"]);
    assert_eq!(fs::read(&path).unwrap(), FILE.as_bytes());
}

/// Has the file changed?
#[test]
fn a_file_is_downloaded_unless_it_is_known() {
    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let dated = format!("10 {OLD}");
    let tag = |tag| [("ETag", tag)];
    let modified = |date| {
        [
            ("Last-Modified", date),
            ("Date", "Mon, 07 Nov 1994 08:49:37 GMT"),
        ]
    };
    let length = "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nContent-Length: 10\r\n\r\n";
    for (version, answer, is_known) in [
        ("10 \"v1\"", reply("304 Not Modified", &[], ""), true),
        ("10 \"v1\"", length.to_owned(), true),
        (&dated, reply("304 Not Modified", &modified(OLD), ""), true),
        // Servers that do not compare it.
        ("10 \"v1\"", reply("200 OK", &tag("\"v1\""), FILE), true),
        (&dated, reply("200 OK", &modified(OLD), FILE), true),
        ("10 \"v1\"", reply("200 OK", &tag("\"v2\""), FILE), false),
        ("10 \"v1\"", reply("200 OK", &tag("W/\"v1\""), FILE), false),
        ("11 \"v1\"", reply("200 OK", &tag("\"v1\""), FILE), false),
        ("10 \"v1\"", reply("200 OK", &[], FILE), false),
        (
            &dated,
            reply("200 OK", &modified("Sun, 06 Nov 1994 08:49:38 GMT"), FILE),
            false,
        ),
    ] {
        let (server, directory) = (Server::script([answer.clone()]), Folder::new());
        let (api, url) = (server.api(), server.url());
        let version: FileVersion = version.parse().unwrap();
        let path = directory.0.join("a.jpg");
        let body = api.download(&url).unless(&version).open().unwrap();
        assert_eq!(body.is_none(), is_known, "{answer}");
        drop(body);
        let saved = api.download(&url).unless(&version).save(&path).unwrap();
        assert_eq!(saved.is_none(), is_known, "{answer}");
        match saved {
            Some(saved) => {
                assert_eq!(saved.length, 10);
                assert_eq!(fs::read(&path).unwrap(), FILE.as_bytes());
                // What was saved is known from now on.
                if let Some(saved) = saved.version {
                    let known = api.download(&url).unless(&saved).open().unwrap();
                    assert!(known.is_none(), "{answer}");
                }
            }
            None => assert!(directory.names().is_empty()),
        }
        let request = &server.received()[0];
        let sent = match version.to_string().contains('"') {
            true => header(request, "if-none-match"),
            false => header(request, "if-modified-since"),
        };
        assert_eq!(
            sent,
            version.to_string().split_once(' ').map(|(_, sent)| sent)
        );
        assert_eq!(header(request, "range"), None);
    }
    for (answer, kind) in [
        (reply("404 Not Found", &[], ""), ErrorKind::Status),
        (
            reply("206 Part", &[("Content-Range", "bytes 4-9/10")], "456789"),
            ErrorKind::Malformed,
        ),
        (
            reply("200 OK", &[("Content-Type", "text/html")], FILE),
            ErrorKind::WrongContent,
        ),
    ] {
        let (server, directory) = (Server::script([answer]), Folder::new());
        let (api, url, path) = (server.api(), server.url(), directory.0.join("a.jpg"));
        let version = version();
        let error = api.download(&url).unless(&version).save(&path).unwrap_err();
        let shown = format!("{} cannot be saved: ", path.display());
        assert!(
            error.kind() == kind && error.to_string().contains(&shown),
            "{error}"
        );
        assert!(directory.names().is_empty());
    }
}

/// A reply that came over https must not make the program read from a server on its own
/// machine.
#[test]
fn plain_http_on_loopback_needs_a_base_there() {
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    });
    let file = format!("{}/a.jpg", server.url());
    let of = |base: &str| {
        let api = Api::new("IGQVJ...").with_base_url(base);
        api.download(&file).write_to(&mut Vec::new())
    };
    for base in ["https://graph.instagram.com", "https://graph.example"] {
        let error = of(base).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains("use https"), "{error}");
    }
    for base in [&server.url(), "http://localhost:1", "https://localhost"] {
        assert_eq!(of(base).unwrap(), 1);
    }
}

/// A transport of one's own may pass a length on that two readers would understand
/// differently.
#[test]
fn two_lengths_of_a_transport_are_refused() {
    struct Two;
    impl Transport for Two {
        fn send(&self, _: &Request<'_>) -> mingram::Result<Response> {
            Ok(Response::new(
                200,
                vec![("Content-Length".to_owned(), "10, 20".to_owned())],
                io::Cursor::new(FILE),
            ))
        }
    }
    let api = Api::new("IGQVJ...").with_transport(Two);
    let file = api.download("https://cdn.example/a.jpg");
    let error = file.write_to(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
}

/// What the rest of a file begins with is not its beginning, and a part that names the
/// version by its date alone is of that version.
#[test]
fn a_rest_that_looks_like_text() {
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    for validator in ["\"v\"", DATE] {
        let name = if validator == DATE {
            "Last-Modified"
        } else {
            "ETag"
        };
        let version: FileVersion = format!("10 {validator}").parse().unwrap();
        for rest in ["<html>", "{\"a\":1", "[1, 2]"] {
            let range = format!("bytes {}-9/10", 10 - rest.len());
            let headers = [("Content-Range", range.as_str()), (name, validator)];
            let server = Server::script([reply("206 Partial Content", &headers, rest)]);
            let (api, url) = (server.api(), server.url());
            let from = 10 - rest.len() as u64;
            let resumed = api.download(&url).resume_from(from, &version).open();
            let Resumed::Rest(mut body) = resumed.unwrap() else {
                panic!("{rest}: not the rest");
            };
            assert_eq!(body.version(), Some(&version));
            let mut text = Vec::new();
            assert_eq!(body.write_to(&mut text).unwrap(), 10);
            assert_eq!(text, rest.as_bytes());
        }
    }
}

/// Only a partial file that has all bytes is complete, whatever the server answers.
#[test]
fn a_part_is_not_complete() {
    let version: FileVersion = "10 \"v\"".parse().unwrap();
    let none = [("Content-Range", "bytes */10"), ("ETag", "\"v\"")];
    let refused = reply("416 Range Not Satisfiable", &none, "");
    let all = reply("200 OK", &[("ETag", "\"v\"")], "0123456789");
    for first in [refused, all.clone()] {
        for (byte, complete) in [(1, false), (9, false), (10, true)] {
            let server = Server::script([first.clone(), all.clone()]);
            let (api, url) = (server.api(), server.url());
            let resumed = api.download(&url).resume_from(byte, &version).open();
            match resumed.unwrap() {
                Resumed::Complete => assert!(complete, "{byte}: {first}"),
                Resumed::Entire(mut body) => {
                    assert!(!complete, "{byte}: {first}");
                    assert_eq!(body.write_to(io::sink()).unwrap(), 10);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A refusal is no file that has not changed, though it has the same version.
#[test]
fn a_refusal_with_the_same_version() {
    let version: FileVersion = "10 \"v\"".parse().unwrap();
    let headers = [("ETag", "\"v\"")];
    for status in [
        "403 Forbidden",
        "404 Not Found",
        "201 Created",
        "503 Service Unavailable",
    ] {
        let server = Server::script([reply(status, &headers, FILE)]);
        let (api, url) = (server.api(), server.url());
        let error = api.download(&url).unless(&version).open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Status, "{error}");
    }
    let server = Server::script([reply("200 OK", &headers, FILE)]);
    let (api, url) = (server.api(), server.url());
    let same = api.download(&url).unless(&version).open().unwrap();
    assert!(same.is_none());
}
