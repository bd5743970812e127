//! Connections, silence, and HTTP that is none.

use crate::common::secrets::found;
use crate::common::{self, Server};
use crate::{
    CAP, DEADLINE, Do, PATIENCE, TOKEN, Want, api_for, either, fails, feed, file, gives,
    in_a_child, json, login, me, row, rows_of_replies, sends, timed, try_all,
};
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, ErrorKind as K};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const ID: &str = r#"{"id":"17841405793187218"}"#;
const LENGTH: usize = ID.len();
const WHOLE: &str = "17841405793187218";

/// Headers as given, then the id.
fn with_headers(lines: &str) -> Vec<Do> {
    sends(format!("HTTP/1.1 200 OK\r\n{lines}\r\n{ID}"))
}

fn chunks(body: &str) -> Vec<Do> {
    sends(format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
    ))
}

#[test]
#[rustfmt::skip]
fn connections_that_end() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n";
    let broke = "broke before the reply came";
    let no_reply = || fails(K::ConnectionLost, either("without a reply", broke));
    // minreq takes the end of the connection for the end of the headers.
    let in_head = || either(fails(K::Truncated, "ended in or after its headers"), fails(K::ConnectionLost, broke));
    // And for the last chunk.
    let in_chunk = |piece| fails(K::Truncated, either(piece, "ended before the complete body arrived"));
    try_all(vec![
        row("before a byte", vec![], me, no_reply()),
        row("in the status line", sends("HTTP/1"), me, no_reply()),
        row("in the status", sends("HTTP/1.1 20"), me, no_reply()),
        row("after the status", sends("HTTP/1.1 200"), me, in_head()),
        row("after the status line", sends("HTTP/1.1 200 OK\r\n"), me, in_head()),
        row("in a header", sends("HTTP/1.1 200 OK\r\nContent-Ty"), me, in_head()),
        row("in the length", sends("HTTP/1.1 200 OK\r\nContent-Length: 2"), me, either(fails(K::Truncated, "after 0 of 2 bytes"), in_head())),
        row("after the headers", sends(format!("{head}\r\n")), me, fails(K::Truncated, "after 0 of 26 bytes")),
        row("in the body", sends(format!("{head}\r\n{}", &ID[..25])), me, fails(K::Truncated, "after 25 of 26 bytes")),
        row("in a body without a length", sends(format!("HTTP/1.1 200 OK\r\n\r\n{}", &ID[..25])), me, fails(K::Truncated, "inside the reply, after 25 bytes")),
        row("after a key of another type", sends("HTTP/1.1 200 OK\r\n\r\n{\"id\":[1],\"x\":"), me, fails(K::Truncated, "inside the reply, after 14 bytes")),
        row("in a character", sends(*b"HTTP/1.1 200 OK\r\n\r\n{\"id\":\"\xc3"), me, fails(K::Truncated, "inside the reply, after 8 bytes")),
        row("in a chunk", chunks(&format!("1A\r\n{}", &ID[..25])), me, in_chunk("inside the reply, after 25 bytes")),
        row("between chunks", chunks(&format!("19\r\n{}\r\n", &ID[..25])), me, in_chunk("inside the reply, after 25 bytes")),
        row("in a chunk's size", chunks(&format!("9\r\n{}\r\n1", &ID[..9])), me, in_chunk("inside the reply, after 9 bytes")),
        // The document is whole, though the last chunk never came.
        row("before the last chunk", chunks(&format!("1A\r\n{ID}\r\n")), me, either(gives(WHOLE), in_chunk(""))),
        row("in the second page", vec![], feed, fails(K::ConnectionLost, "GET /me/media")),
        row("in an error reply", sends("HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n{"), me, fails(K::Truncated, "after 1 of 9")),
        row("in an error reply without a length", sends("HTTP/1.1 500 No\r\n\r\n{\"error\":{"), me, fails(K::Status, "HTTP 500")),
    ]);
}

#[test]
fn nobody_there() {
    let api = common::api(common::NOBODY).with_token(TOKEN);
    let api = api.with_timeout(PATIENCE);
    let error = timed(PATIENCE, || api.me("")).unwrap_err();
    assert_eq!(error.kind(), K::Connect);
    assert!(error.to_string().contains("connection refused"), "{error}");
}

/// `.invalid` is the name that never is (RFC 6761), with a network or without,
/// and where the name server does not answer.
#[test]
#[cfg(any(feature = "https", feature = "platform-roots", feature = "keep-alive"))]
fn no_such_name() {
    let environment = [("RES_OPTIONS", "timeout:1 attempts:1")];
    in_a_child("wire::no_such_name", &environment, || {
        let api = common::api("https://mingram.invalid").with_token(TOKEN);
        let error = timed(Duration::from_secs(20), || api.me("")).unwrap_err();
        assert_eq!(error.kind(), K::Connect);
        assert!(
            error.to_string().contains("the host name was not found"),
            "{error}"
        );
    });
}

/// A host that no certificate could be for is refused, and not looked up.
#[test]
#[cfg(any(feature = "https", feature = "platform-roots", feature = "keep-alive"))]
fn an_impossible_name() {
    for host in ["a..b", ".a", "a-.example", &"a".repeat(64)] {
        let error = common::api(&format!("https://{host}")).me("").unwrap_err();
        assert_eq!(error.kind(), K::InvalidInput, "{host}: {error}");
        assert!(
            error.to_string().contains("not a valid host name"),
            "{error}"
        );
    }
}

/// std panics where the system gives no thread: that is no headers too large,
/// and no panic of the caller's. (musl takes no such stack to begin with.)
#[test]
#[cfg(all(target_os = "linux", not(target_env = "musl")))]
fn no_thread_left() {
    // A stack that no machine has room for.
    let stack = (usize::MAX / 4 * 3).to_string();
    let environment = [("RUST_MIN_STACK", stack.as_str())];
    in_a_child("wire::no_thread_left", &environment, || {
        let api = common::api("http://localhost:1").with_token(TOKEN);
        let error = timed(DEADLINE, || api.me("")).unwrap_err();
        assert_eq!(error.kind(), K::ConnectionLost, "{error}");
        let message = error.to_string();
        assert!(message.contains("cannot start another thread"), "{message}");
    });
}

/// `MINREQ_TIMEOUT` is of no account.
#[test]
fn a_timeout_in_the_environment() {
    let environment = [("MINREQ_TIMEOUT", "1")];
    in_a_child("wire::a_timeout_in_the_environment", &environment, || {
        let server = Server::start(|_, stream| {
            thread::sleep(Duration::from_secs(2));
            let _ = stream.write_all(&json(ID));
        });
        assert_eq!(server.api().me("").unwrap().id, WHOLE);
        assert_eq!(file(&server.api(), &server).unwrap(), ID);
    });
}

/// A server that leaves the request unread and closes sends a reset.
fn resetting(reply: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().take(4) {
            let mut stream = stream.unwrap();
            // Something of the request is there, and it stays.
            stream.peek(&mut [0; 1]).unwrap();
            stream.write_all(reply.as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(100));
        }
    });
    url
}

#[test]
fn connections_that_are_reset() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n";
    for (reply, kind, message) in [
        (
            String::new(),
            K::ConnectionLost,
            "the connection broke before the reply came",
        ),
        (
            head.to_owned(),
            K::ConnectionLost,
            "the connection broke before the reply came",
        ),
        (
            format!("{head}\r\n{}", &ID[..9]),
            K::ConnectionLost,
            "the connection broke while reading the body",
        ),
    ] {
        let api = common::api(&resetting(reply)).with_token(TOKEN);
        let api = api.with_timeout(PATIENCE);
        let error = timed(PATIENCE, || api.me("")).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
    let url = resetting(format!("{head}\r\n{}", &ID[..9]));
    let mut file = Vec::new();
    let api = common::api(&url).with_token(TOKEN);
    let api = api.with_download_timeout(PATIENCE);
    let address = format!("{url}/f?access_token={TOKEN}");
    let error = timed(PATIENCE, || {
        let download = api.download(&address).accept_any_type();
        download.write_to(&mut file)
    })
    .unwrap_err();
    assert_eq!(
        (error.kind(), file.len()),
        (K::ConnectionLost, 9),
        "{error}"
    );
}

#[test]
#[rustfmt::skip]
fn silence() {
    let timeout = || fails(K::Timeout, "the call timed out");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let then = |bytes: &str, step: Do| vec![Do::Send(bytes.into()), step];
    let slow = || Do::Drip(ID.into());
    try_all(vec![
        row("nothing at all", vec![Do::Hang], me, timeout()),
        row("nothing, for a file", vec![Do::Hang], file, timeout()),
        row("nothing, for a login", vec![Do::Hang], login, timeout()),
        row("half a status line", then("HTTP/1", Do::Hang), me, timeout()),
        row("half of the headers", then("HTTP/1.1 200 OK\r\nA: b\r\n", Do::Hang), me, timeout()),
        row("no body", then(&head, Do::Hang), me, timeout()),
        row("no body, no length", then("HTTP/1.1 200 OK\r\n\r\n", Do::Hang), me, timeout()),
        row("half a body", then(&format!("{head}{{"), Do::Hang), me, timeout()),
        row("half a chunk", then(&format!("{chunked}9\r\n{{"), Do::Hang), me, timeout()),
        row("half a chunk's size", then(&format!("{chunked}9"), Do::Hang), me, timeout()),
        row("no last chunk", then(&format!("{chunked}1A\r\n{ID}\r\n"), Do::Hang), me, timeout()),
        row("half the trailers", then(&format!("{chunked}1A\r\n{ID}\r\n0\r\nA: "), Do::Hang), me, timeout()),
        row("half a file", then(&head, Do::Hang), file, timeout()),
        row("slow status line", vec![Do::Drip(head.clone().into())], me, timeout()),
        row("slow headers", then("HTTP/1.1 200 OK\r\n", Do::Drip(b"A: b\r\n".repeat(9))), me, timeout()),
        // Slow, and never silent: `time.rs` has what is too slow.
        row("slow body", then(&head, slow()), me, gives(WHOLE)),
        row("slow body, no length", then("HTTP/1.1 200 OK\r\n\r\n", slow()), me, gives(WHOLE)),
        row("slow chunk", [then(&format!("{chunked}1A\r\n"), slow()), sends("\r\n0\r\n\r\n")].concat(), me, gives(WHOLE)),
        row("slow chunks", then(chunked, Do::Drip(b"6\r\n{\"id\":\r\n4\r\n\"1\"}\r\n0\r\n\r\n".to_vec())), me, gives("1")),
        // The limit of a download is one for everything.
        row("slow file", then(&head, slow()), file, timeout()),
    ]);
}

#[test]
#[rustfmt::skip]
fn without_end() {
    let endless = |head: &str, piece: &str| vec![Do::Send(head.into()), Do::Endless(piece.into())];
    let ok = "HTTP/1.1 200 OK\r\n";
    let over = CAP + 1;
    let headers = || fails(K::TooLarge, "headers exceed 64 KiB");
    let body = || fails(K::TooLarge, "exceeds the limit of 65536 bytes");
    // minreq ignores what is no header.
    let wrong = || either(headers(), fails(K::Malformed, "not valid HTTP"));
    let chunked = format!("{ok}Transfer-Encoding: chunked\r\n\r\n1A\r\n{ID}\r\n0\r\n");
    // A member of nothing, and one of 32 spaces.
    const EMPTY: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0";
    const SPACES: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x53\x50\xc0\x0f\x00\xc4\x2d\x8a\x7e\x20\x00\x00\x00";
    let gzip = |start: &[u8], piece: &[u8]| {
        let head = format!("{ok}Content-Encoding: gzip\r\n\r\n");
        vec![Do::Send([head.as_bytes(), start].concat()), Do::Endless(piece.to_vec())]
    };
    let of_gzip = |want: Want| match cfg!(feature = "gzip") {
        true => want,
        false => fails(K::Malformed, "compressed (gzip), which was not requested"),
    };
    let nothing = || of_gzip(fails(K::Malformed, "comes to nothing"));
    try_all(vec![
        row("status line", endless("", "x"), me, wrong()),
        row("headers", endless(ok, "X-Header: value\r\n"), me, headers()),
        row("one header", endless(ok, "x"), me, headers()),
        row("header lines without a colon", endless(ok, "x\r\n"), me, wrong()),
        row("body", endless(&format!("{ok}\r\n[\""), "x"), me, body()),
        row("white space", endless(&format!("{ok}\r\n"), " \r\n"), me, body()),
        row("body that is announced", endless(&format!("{ok}Content-Length: 4000000000\r\n\r\n["), " "), me, body()),
        row("body announced over the cap", sends(format!("{ok}Content-Length: {over}\r\n\r\n")), me, body()),
        row("body over the cap", sends(format!("{ok}\r\n[{}]", " ".repeat(CAP - 1))), me, body()),
        row("body at the cap", sends(format!("{ok}\r\n{ID}{}", " ".repeat(CAP - LENGTH))), me, gives(WHOLE)),
        row("members of spaces", gzip(b"", SPACES), me, of_gzip(body())),
        row("members of nothing", gzip(b"", EMPTY), me, nothing()),
        row("a member's name", gzip(b"\x1f\x8b\x08\x08\0\0\0\0\0\xff", b"name"), me, nothing()),
        row("blocks of nothing", gzip(&EMPTY[..10], b"\0\0\0\xff\xff"), me, nothing()),
        row("error body", endless("HTTP/1.1 500 No\r\n\r\n", "x"), me, body()),
        row("chunks", endless(&format!("{ok}Transfer-Encoding: chunked\r\n\r\n"), "2\r\n[[\r\n"), me, body()),
        row("one chunk", endless(&format!("{ok}Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n"), "["), me, body()),
        row("chunk extension", endless(&format!("{ok}Transfer-Encoding: chunked\r\n\r\n1;"), "x"), me, fails(K::Malformed, "no valid size")),
        row("trailers", endless(&chunked, "A: b\r\n"), me, headers()),
        row("interim replies", endless("", "HTTP/1.1 100 Continue\r\n\r\n"), me, fails(K::Malformed, "interim (1xx)")),
        row("redirect's body", endless("HTTP/1.1 302 Found\r\nLocation: /me\r\n\r\n", "x"), me, fails(K::Redirect, "more than 5")),
        row("refusal of a file", endless("HTTP/1.1 403 No\r\n\r\n", "x"), file, fails(K::Status, "HTTP 403")),
        row("file without a length", endless(&format!("{ok}\r\n"), "x"), file, fails(K::UnknownLength, "did not send the file's length")),
        row("bytes behind the length", endless(&format!("{ok}Content-Length: {LENGTH}\r\n\r\n{ID}"), "x"), me, gives(WHOLE)),
        row("bytes behind the last chunk", endless(&format!("{ok}Transfer-Encoding: chunked\r\n\r\n1A\r\n{ID}\r\n0\r\n\r\n"), "x"), me, gives(WHOLE)),
    ]);
}

#[test]
#[rustfmt::skip]
fn malformed_http() {
    let malformed = |piece| fails(K::Malformed, piece);
    let invalid = || malformed("the reply is not valid HTTP");
    // minreq makes one reply up for this and for none at all.
    let lost = || either(fails(K::ConnectionLost, "the reply is not HTTP"), invalid());
    let chunk = || malformed("a chunk of the reply has no valid size");
    let gzip = if cfg!(feature = "gzip") { "no valid header" } else { "compressed" };
    let number = || malformed("content-length is not a number");
    // minreq takes an interim reply for the reply.
    let interim = || either(malformed("interim (1xx)"), gives(WHOLE));
    // minreq ignores what is no header, and takes any name and version.
    let loose = || either(gives(WHOLE), invalid());
    let latin = || either(malformed("headers are not UTF-8"), gives(WHOLE));
    let status = |line: &str| sends(format!("{line}\r\nContent-Length: {LENGTH}\r\n\r\n{ID}"));
    let honest: String = (0..16).map(|i| format!("X-{i}: {}\r\n", "v".repeat(1017))).collect();
    assert!(honest.len() >= 16 * 1024);
    let mut rows = vec![
        row("garbage", sends("\0\u{1}\u{2}garbage"), me, lost()),
        row("a TLS alert", sends(*b"\x15\x03\x01\x00\x02\x02\x28"), me, lost()),
        row("another protocol", sends("SSH-2.0-OpenSSH_9.2p1\r\n"), me, lost()),
        row("HTTP/0.9", sends(ID), me, lost()),
        row("no status", status("HTTP/1.1"), me, lost()),
        row("a status of letters", status("HTTP/1.1 OK 200"), me, lost()),
        row("a negative status", status("HTTP/1.1 -200 OK"), me, lost()),
        row("a status of two digits", status("HTTP/1.1 20 OK"), me, lost()),
        row("a status with a letter", status("HTTP/1.1 2x0 OK"), me, lost()),
        row("a status that ends in a letter", status("HTTP/1.1 20O OK"), me, lost()),
        row("a status with a plus", status("HTTP/1.1 +20 OK"), me, lost()),
        row("status 0", status("HTTP/1.1 0 OK"), me, lost()),
        row("status 600", status("HTTP/1.1 600 OK"), me, malformed("not a valid HTTP status")),
        row("status 599", status("HTTP/1.1 599 Late"), me, fails(K::Status, "HTTP 599")),
        row("status 65536", status("HTTP/1.1 65536 OK"), me, lost()),
        row("100 Continue first", sends(format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n{ID}")), me, interim()),
        row("103 Early Hints first", sends(format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n{ID}")), me, interim()),
        row("204", sends("HTTP/1.1 204 No Content\r\n\r\n"), me, fails(K::NotJson, "HTTP 204, no content type, 0 bytes): (empty)")),
        row("204 kept open", vec![Do::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()), Do::Hang], me, fails(K::NotJson, "(empty)")),
        row("304 kept open", vec![Do::Send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n".to_vec()), Do::Hang], me, fails(K::Status, "HTTP 304")),
        row("HTTP/1.0", sends(format!("HTTP/1.0 200 OK\r\n\r\n{ID}")), me, gives(WHOLE)),
        row("no reason", status("HTTP/1.1 200"), me, gives(WHOLE)),
        row("two lengths", with_headers("Content-Length: 26\r\nContent-Length: 25\r\n"), me, malformed("two different content-lengths")),
        row("two lengths, the short one first", with_headers("Content-Length: 2\r\ncontent-length: 26\r\n"), me, malformed("two different content-lengths")),
        row("the same length twice", with_headers("Content-Length: 26\r\nContent-Length: 26\r\n"), me, gives(WHOLE)),
        // minreq reads the length itself.
        row("a list of one length", with_headers("Content-Length: 26, 26\r\n"), me, either(number(), gives(WHOLE))),
        row("a list of two lengths", with_headers("Content-Length: 26, 25\r\n"), me, either(number(), malformed("two different content-lengths"))),
        row("a list with a gap", with_headers("Content-Length: 26,, 26\r\n"), me, number()),
        row("negative length", with_headers("Content-Length: -1\r\n"), me, number()),
        row("length with a plus", with_headers("Content-Length: +26\r\n"), me, number()),
        row("length in hexadecimal", with_headers("Content-Length: 0x1A\r\n"), me, number()),
        row("empty length", with_headers("Content-Length:\r\n"), me, number()),
        row("length that is no number", with_headers("Content-Length: many\r\n"), me, number()),
        row("length over 64 bits", with_headers("Content-Length: 99999999999999999999\r\n"), me, number()),
        row("the largest length", with_headers("Content-Length: 18446744073709551615\r\n"), me, match cfg!(target_pointer_width = "32") && !common::DIRECT {
            // minreq counts lengths in usize.
            true => malformed("is 4 GiB or more"),
            false => fails(K::TooLarge, "exceeds the limit"),
        }),
        row("length with spaces", with_headers("Content-Length: \t 26 \r\n"), me, gives(WHOLE)),
        row("length and chunks", sends(format!("HTTP/1.1 200 OK\r\nContent-Length: 26\r\nTransfer-Encoding: chunked\r\n\r\n1A\r\n{ID}\r\n0\r\n\r\n")), me, malformed("both a content-length and a transfer-encoding")),
        row("coded and chunked", with_headers("Transfer-Encoding: gzip, chunked\r\n"), me, malformed("transfer-encoding other than chunked")),
        row("identity", with_headers("Transfer-Encoding: identity\r\n"), me, malformed("transfer-encoding other than chunked")),
        row("good chunks", chunks("5;a=b\r\n{\"id\"\r\n015\r\n:\"17841405793187218\"}\r\n0\r\nA: b\r\n\r\n"), me, gives(WHOLE)),
        row("chunk size of letters", chunks("zz\r\n{}\r\n0\r\n\r\n"), me, chunk()),
        row("chunk size with a letter too many", chunks("2g\r\n{}\r\n0\r\n\r\n"), me, chunk()),
        row("chunk size of g", chunks("g\r\n{\"id\":\"12345678\"}\r\n0\r\n\r\n"), me, chunk()),
        row("negative chunk size", chunks("-1\r\n{}\r\n0\r\n\r\n"), me, chunk()),
        row("huge chunk size", chunks("FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"), me, chunk()),
        row("the largest chunk size", chunks("FFFFFFFFFFFFFFFF\r\n{"), me, match cfg!(target_pointer_width = "32") && !common::DIRECT {
            // And chunks.
            true => chunk(),
            false => fails(K::Truncated, either("after 1 bytes", "before the complete body arrived")),
        }),
        row("chunk longer than its size", chunks(&format!("2\r\n{ID}\r\n0\r\n\r\n")), me, chunk()),
        row("chunk shorter than its size", chunks(&format!("1C\r\n{ID}\r\n0\r\n\r\n")), me, chunk()),
        row("gzip", sends("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\u{1f}\u{8}\0"), me, malformed(gzip)),
        row("gzip, for a file", sends("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc"), file, malformed("compressed")),
        row("identity coding", with_headers("Content-Encoding: identity\r\nContent-Length: 26\r\n"), me, gives(WHOLE)),
        row("bare LF", sends(format!("HTTP/1.1 200 OK\nContent-Length: 26\n\n{ID}")), me, gives(WHOLE)),
        row("header without a colon", with_headers("nonsense\r\nContent-Length: 26\r\n"), me, loose()),
        row("folded header", with_headers("A: b\r\n c: d\r\nContent-Length: 26\r\n"), me, loose()),
        row("header without a name", with_headers(": b\r\nContent-Length: 26\r\n"), me, loose()),
        row("a length, spaces behind its name", with_headers("Content-Length : 10\r\n"), me, fails(K::Decode, "not a valid User")),
        row("two lengths, spaces behind a name", with_headers("Content-Length: 26\r\nContent-Length\t: 10\r\n"), me, malformed("two different content-lengths")),
        row("cut, spaces behind the length's name", with_headers("Content-Length : 27\r\n"), me, fails(K::Truncated, "after 26 of 27")),
        row("gzip, spaces behind its name", with_headers("Content-Encoding : gzip\r\nContent-Length: 26\r\n"), me, malformed(gzip)),
        row("chunks, spaces behind their name", sends(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding \t : chunked\r\n\r\n1A\r\n{ID}\r\n0\r\n\r\n")), me, gives(WHOLE)),
        row("spaces for a name", with_headers(" : b\r\nContent-Length: 26\r\n"), me, loose()),
        row("a space within a name", with_headers("A b: c\r\nContent-Length: 26\r\n"), me, loose()),
        row("16 KiB of headers", with_headers(&format!("{honest}Content-Length: 26\r\n")), me, gives(WHOLE)),
        row("headers of Latin-1", sends([b"HTTP/1.1 200 OK\r\nX: \xff\xfe\r\n\r\n", ID.as_bytes()].concat()), me, latin()),
        row("a status line of Latin-1", sends([b"HTTP/1.1 200 \xe9\r\n\r\n", ID.as_bytes()].concat()), me, latin()),
        row("a NUL in a header", with_headers("A: b\0c\r\nContent-Length: 26\r\n"), me, loose()),
        row("a NUL in a header's name", with_headers("A\0: b\r\nContent-Length: 26\r\n"), me, loose()),
        row("a CR in a header", with_headers("A: b\rc\r\nContent-Length: 26\r\n"), me, loose()),
        row("a folded length", with_headers("A: b\r\n Content-Length: 10\r\nContent-Length: 26\r\n"), me, either(malformed("two different content-lengths"), invalid())),
        row("ICY", status("ICY 200 OK"), me, loose()),
        row("HTTP/2", status("HTTP/2 200 OK"), me, loose()),
        row("HTTP/1.2", status("HTTP/1.2 200 OK"), me, loose()),
        row("two spaces before the status", status("HTTP/1.1  200 OK"), me, lost()),
        row("four digits of status", status("HTTP/1.1 2000 OK"), me, either(malformed("not a valid HTTP status"), invalid())),
        row("switching protocols", sends(format!("HTTP/1.1 101 Switching Protocols\r\n\r\n{ID}")), me, malformed("interim (1xx)")),
        row("interim replies without end", sends(format!("{}HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n{ID}", "HTTP/1.1 100 Continue\r\n\r\n".repeat(9))), me, malformed("interim (1xx)")),
        row("eight interim replies", sends(format!("{}HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n{ID}", "HTTP/1.1 100 Continue\r\n\r\n".repeat(8))), me, interim()),
        row("chunk size with a plus", chunks(&format!("+1A\r\n{ID}\r\n0\r\n\r\n")), me, either(gives(WHOLE), chunk())),
        row("chunk size with a prefix", chunks(&format!("0x1A\r\n{ID}\r\n0\r\n\r\n")), me, chunk()),
        row("chunk size with spaces behind it", chunks(&format!("1A \t\r\n{ID}\r\n0\r\n\r\n")), me, gives(WHOLE)),
        row("chunk size with a CR behind it", chunks(&format!("1A\r\r\n{ID}\r\n0\r\n\r\n")), me, either(gives(WHOLE), chunk())),
        row("a CR behind a header's name", with_headers("Content-Length\r: 26\r\n"), me, loose()),
        // A bare LF ends a line of the headers and no line of a chunk.
        row("chunks with bare LFs", chunks(&format!("1A\n{ID}\n0\n\n")), me, either(gives(WHOLE), chunk())),
        row("a bare LF after a chunk's size", chunks(&format!("1A\n{ID}\r\n0\r\n\r\n")), me, either(gives(WHOLE), chunk())),
        row("a bare LF after an extension", chunks(&format!("1A;a=b\n{ID}\r\n0\r\n\r\n")), me, either(gives(WHOLE), chunk())),
        row("a bare LF after a chunk", chunks(&format!("1A\r\n{ID}\n0\r\n\r\n")), me, either(gives(WHOLE), chunk())),
        row("a bare CR after a chunk's size", chunks(&format!("1A\r{ID}\r\n0\r\n\r\n")), me, chunk()),
        row("no size at all", chunks(&format!("\r\n{ID}\r\n0\r\n\r\n")), me, either(fails(K::Truncated, "ended in or after its headers"), chunk())),
        row("headers of UTF-8", with_headers("X: \u{e9}\u{1f600}\r\nContent-Length: 26\r\n"), me, gives(WHOLE)),
        row("a body that is not UTF-8", sends(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"id\":\"\xff\xfe1\"}".to_vec()), me, fails(K::NotJson, "is not UTF-8 text")),
        row("body after Connection: close", with_headers("Connection: close\r\n"), me, gives(WHOLE)),
    ];
    // A header line that ends in a bare LF and fills minreq's cap to the byte:
    // where overflow is checked the panic becomes an error, and where it is
    // not the cap is gone, but the reply is read.
    for left in [3, 4, 100, 1000] {
        let line = |length: usize, end: &str| format!("X: {}{end}", "v".repeat(length - 3));
        let fill = line(64 * 1024 - left - 2, "\r\n");
        for (what, length) in [("to the byte", left - 1), ("but for a byte", left - 2)] {
            if length < 3 {
                continue;
            }
            let lines = format!("{fill}{}", line(length, "\n"));
            let overflows = what == "to the byte";
            let reply = sends(format!("HTTP/1.1 200 OK\r\n{lines}\n{ID}"));
            let want = match () {
                // The end of the headers is a line as well, and needs room.
                () if !overflows || common::DIRECT => fails(K::TooLarge, "headers exceed 64 KiB"),
                () if cfg!(debug_assertions) => fails(K::TooLarge, "crafted to break minreq"),
                () => gives(WHOLE),
            };
            rows.push(row(format!("LF fills the headers {what}, {left}"), reply, me, want));
        }
    }
    try_all(rows);
}

/// The same in the trailers, which minreq reads on the caller's thread. They have
/// a cap of their own with `keep-alive`.
#[test]
fn trailers_that_fill_the_header_cap() {
    let used = "X: ".len() + 65_000 + 2 + "Transfer-Encoding: chunked".len() + 2;
    let left = 64 * 1024 - used;
    let trailer = format!("T: {}\n", "v".repeat(left - 1 - 3));
    let reply = format!(
        "HTTP/1.1 200 OK\r\nX: {}\r\nTransfer-Encoding: chunked\r\n\r\n1A\r\n{ID}\r\n0\r\n{trailer}\n",
        "v".repeat(65_000)
    );
    let want = if common::DIRECT {
        gives(WHOLE)
    } else if cfg!(debug_assertions) {
        fails(K::TooLarge, "crafted to break minreq")
    } else {
        gives(WHOLE)
    };
    try_all(vec![row("trailers", sends(reply), me, want)]);
}

/// With the cap lifted (a release build), what ends the reply is the timeout.
#[test]
fn headers_without_end_behind_a_lifted_cap() {
    let fill = format!("X: {}\r\n", "v".repeat(64 * 1024 - 100 - 5));
    let line = format!("X: {}\n", "v".repeat(96));
    let mut steps = vec![Do::Send(format!("HTTP/1.1 200 OK\r\n{fill}{line}").into())];
    for _ in 0..30 {
        steps.push(Do::Send(b"X: v\r\n".to_vec()));
        steps.push(Do::Wait(Duration::from_millis(100)));
    }
    let want = if common::DIRECT {
        fails(K::TooLarge, "headers exceed 64 KiB")
    } else if cfg!(debug_assertions) {
        fails(K::TooLarge, "crafted to break minreq")
    } else {
        fails(K::Timeout, "timed out")
    };
    try_all(vec![row("headers", steps, me, want)]);
}

fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into()
}

#[test]
#[rustfmt::skip]
fn redirects() {
    let then = |name: &str, first: Vec<u8>, want| {
        rows_of_replies(name, vec![first, json(ID)], me, want)
    };
    let refused = |piece| fails(K::Redirect, piece);
    let mut rows = vec![
        then("no Location", b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_vec(), refused("no Location header")),
        then("empty Location", redirect(302, ""), gives(WHOLE)),
        then("another host", redirect(302, "https://example.com/me"), refused("to example.com, which must not receive the access token")),
        then("another host, without a scheme", redirect(302, "//example.com:80/me"), refused("is invalid: plain http")),
        then("another host over http", redirect(302, "http://example.com/me"), refused("is invalid: plain http")),
        then("another port", redirect(302, "http://127.0.0.1:1/me"), refused("to 127.0.0.1, which must not receive the access token")),
        then("another name of this host", redirect(302, "http://localhost/me"), refused("to localhost, which")),
        then("another scheme", redirect(302, "ftp://127.0.0.1/me"), refused("does not start with https")),
        then("javascript", redirect(302, "javascript://x"), refused("does not start with https")),
        then("a user name", redirect(302, "https://a@example.com/"), refused("its URL is invalid: it contains a user name or password")),
        then("a user name and a password", redirect(302, "https://a:b@example.com/"), refused("a user name or password")),
        then("this host as a user name", redirect(302, "http://127.0.0.1:80@example.com/"), refused("a user name or password")),
        then("a host that is not ASCII", redirect(302, "https://b\u{fc}cher.example/"), refused("not a valid host name in ASCII")),
        then("a host with a space", redirect(302, "https://a b/"), refused("not a valid host name")),
        then("another host, by backslashes", redirect(302, r"\\example.com:80\me"), refused("is invalid: plain http")),
        then("another host, by a slash and a backslash", redirect(302, r"/\localhost/me"), refused("to localhost, which")),
        then("another host, with tabs", redirect(302, "\t/\t/local\thost/me"), refused("to localhost, which")),
        then("an address that is too long", redirect(302, &format!("/{}", "x".repeat(40_000))), fails(K::Redirect, "40")),
        then("a status that is none", redirect(305, "/me"), fails(K::Status, "HTTP 305")),
        rows_of_replies("a loop", vec![redirect(302, "/me")], me, refused("more than 5 redirects")),
        rows_of_replies("five", vec![redirect(302, "/1"), redirect(301, "/2"), redirect(303, "/3"), redirect(307, "/4"), redirect(308, "/5"), json(ID)], me, gives(WHOLE)),
        rows_of_replies("six", vec![redirect(302, "/1"), redirect(302, "/2"), redirect(302, "/3"), redirect(302, "/4"), redirect(302, "/5"), redirect(302, "/6"), json(ID)], me, refused("more than 5 redirects")),
        rows_of_replies("of a login", vec![redirect(307, "/oauth/access_token"), json(ID)], login, refused("contains a secret")),
        rows_of_replies("of a file, another scheme", vec![redirect(302, "file:///etc/passwd"), json(ID)], file, refused("does not start with https")),
        rows_of_replies("of a file, plain http elsewhere", vec![redirect(302, "http://example.com/f"), json(ID)], file, refused("plain http")),
    ];
    for status in [301, 302, 303, 307, 308] {
        rows.push(then(&format!("{status}"), redirect(status, "/me?fields=id"), gives(WHOLE)));
    }
    try_all(rows);
}

/// What the request for the redirected address was, as the server read it.
fn followed(location: impl Fn(&Server) -> String) -> String {
    let target: std::sync::Arc<std::sync::OnceLock<String>> = Default::default();
    let location_of = target.clone();
    let server = Server::start(move |request, stream| {
        let reply = match request.target.starts_with("/me/media?fields=") {
            true => redirect(302, location_of.get().unwrap()),
            false => json(r#"{"data":[]}"#),
        };
        let _ = stream.write_all(&reply);
    });
    target.set(location(&server)).unwrap();
    feed(&api_for(&server), &server).unwrap();
    let received = server.received();
    assert_eq!(received.len(), 2);
    received[1].target.clone()
}

#[test]
fn redirects_lead_where_they_point() {
    assert_eq!(followed(|s| format!("{}/a?b=c", s.url())), "/a?b=c");
    assert_eq!(
        followed(|s| format!("HTTP://127.0.0.1:{}/a", s.port())),
        "/a"
    );
    assert_eq!(followed(|s| format!("//127.0.0.1:{}/a", s.port())), "/a");
    assert_eq!(followed(|_| "/a/b".into()), "/a/b");
    assert_eq!(followed(|_| "b?c".into()), "/me/b?c");
    assert_eq!(followed(|_| "../b/./c.jpg".into()), "/b/c.jpg");
    assert_eq!(followed(|_| "/../a/..?b/../c".into()), "/?b/../c");
    assert_eq!(followed(|_| "?c".into()), "/me/media?c");
    // An address inside the query does not make it another host's.
    assert_eq!(
        followed(|_| "/a?to=https://example.com/".into()),
        "/a?to=https://example.com/"
    );
    assert_eq!(
        followed(|_| "?to=https://example.com/".into()),
        "/me/media?to=https://example.com/"
    );
    // A fragment is not sent, and must not be read as a part of host or port.
    assert_eq!(followed(|_| "/a#b".into()), "/a");
    assert_eq!(followed(|s| format!("{}#/b", s.url())), "/");
    assert_eq!(followed(|s| format!("{}#.example.com/b", s.url())), "/");
    assert_eq!(followed(|s| format!("{}/#@example.com/b", s.url())), "/");
    // What is not encoded is encoded as browsers do, and a backslash is a slash.
    assert_eq!(followed(|_| "/m\u{e9} x".into()), "/m%C3%A9%20x");
    assert_eq!(
        followed(|_| r#"a{b}|c"<d>`e^?f{g}|h"<i>`j^ \u{20ac}#k"#.replace(r"\u{20ac}", "\u{20ac}")),
        "/me/a%7Bb%7D|c%22%3Cd%3E%60e%5E?f{g}|h%22%3Ci%3E`j^%20%E2%82%AC"
    );
    assert_eq!(followed(|_| "/a\tb?c\td".into()), "/ab?cd");
    assert_eq!(followed(|_| r"..\a\..\b?c\..\d".into()), r"/b?c\..\d");
    assert_eq!(
        followed(|s| format!(r"http:\\127.0.0.1:{}\a b", s.port())),
        "/a%20b"
    );
    // As browsers read it, this is no user name.
    assert_eq!(
        followed(|s| format!(r"{}\@example.com/a", s.url())),
        "/@example.com/a"
    );
}

/// A file may come from another host, and no header or query of that request
/// carries the token.
#[test]
fn files_may_move_to_another_host() {
    let other = Server::script([common::reply("200 OK", &[], "file")]);
    let location = format!("http://localhost:{}/f", other.port());
    let server = Server::script([redirect(302, &location)]);
    assert_eq!(file(&api_for(&server), &server).unwrap(), "file");
    for request in server.received().iter().chain(&other.received()) {
        assert_eq!(found(&format!("{request:?}"), &[TOKEN]), None);
    }
}

/// A URL that a person copied: with white space, broken over lines, not encoded.
#[test]
fn urls_of_files_are_repaired() {
    for (text, target) in [
        (" URL/a.jpg\r\n", "/a.jpg"),
        ("URL/a\r\n b.jpg?c=\n  d", "/a%20b.jpg?c=%20%20d"),
        (
            "URL/caf\u{e9} {1}.jpg?a=\"b\"#c",
            "/caf%C3%A9%20%7B1%7D.jpg?a=%22b%22",
        ),
        (r"URL\a\b.jpg?c\d", r"/a/b.jpg?c\d"),
        ("URL?a/b", "/?a/b"),
        ("URL", "/"),
    ] {
        let server = Server::script([common::reply("200 OK", &[], "file")]);
        let text = text.replace("URL", &server.url());
        let length = api_for(&server)
            .download(&text)
            .write_to(Vec::new())
            .unwrap();
        assert_eq!((length, server.received()[0].target.as_str()), (4, target));
    }
    let api = common::api("http://127.0.0.1:1");
    for (url, problem) in [
        (
            "https://user:password@example.com/a.jpg",
            "a user name or password",
        ),
        (
            "https://b\u{fc}cher.example/a.jpg",
            "not a valid host name in ASCII",
        ),
        ("a b.jpg", "does not start with https://"),
    ] {
        let error = api.download(url).open().unwrap_err();
        assert_eq!(error.kind(), K::InvalidInput, "{error}");
        assert!(error.to_string().contains(problem), "{error}");
        assert!(!error.to_string().contains("user:password"), "{error}");
    }
}

/// An answer that comes before the request was read, as an overloaded gateway
/// sends it.
#[test]
fn an_early_answer_is_read() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
            .unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let error = common::api(&url).me("").unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (K::Status, Some(503)),
        "{error}"
    );
    server.join().unwrap();
}

/// A time that no clock can count is not an error.
#[test]
fn odd_timeouts() {
    let server = Server::script([json(ID)]);
    for timeout in [
        Duration::MAX,
        Duration::from_secs(u64::MAX),
        Duration::from_nanos(1),
    ] {
        let outcome = server.api().with_timeout(timeout).me("");
        match outcome {
            Ok(user) => assert_eq!(user.id, WHOLE),
            Err(error) => assert!(
                error.is_timeout() && timeout < DEADLINE,
                "{timeout:?}: {error}"
            ),
        }
    }
    let user = server.api().with_body_limit(usize::MAX).me("").unwrap();
    assert_eq!(user.id, WHOLE);
}

/// A transport whose body never ends, and that counts how much of it is read.
struct Endless {
    status: u16,
    read: Arc<AtomicUsize>,
}

struct EndlessBody(Arc<AtomicUsize>);

impl Transport for Endless {
    fn send(&self, _: &Request<'_>) -> mingram::Result<Response> {
        Ok(Response::new(
            self.status,
            Vec::new(),
            EndlessBody(self.read.clone()),
        ))
    }
}

impl Read for EndlessBody {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        buf.fill(b' ');
        self.0.fetch_add(buf.len(), Ordering::SeqCst);
        Ok(buf.len())
    }
}

/// Of a body without end the limit is read, and what one read brings beyond it.
#[test]
fn no_more_is_read_than_the_limit() {
    const PIECE: usize = 8 * 1024;
    for status in [200, 404, 500] {
        for limit in [0, 1, CAP, CAP + 1] {
            let read = Arc::new(AtomicUsize::new(0));
            let transport = Endless {
                status,
                read: read.clone(),
            };
            let api = Api::new(TOKEN).with_retries(0).with_transport(transport);
            let error = api.with_body_limit(limit).me("").unwrap_err();
            assert_eq!(error.kind(), K::TooLarge, "{error}");
            let read = read.load(Ordering::SeqCst);
            assert!(read > limit && read <= limit + PIECE, "{read} of {limit}");
        }
        let read = Arc::new(AtomicUsize::new(0));
        let transport = Endless {
            status,
            read: read.clone(),
        };
        let api = Api::new(TOKEN).with_retries(0).with_transport(transport);
        let error = api
            .download("https://cdn.example/f")
            .write_to(&mut Vec::new())
            .unwrap_err();
        // A file without a length is not begun; a refusal has a limit of its own.
        let most = if status == 200 { 0 } else { CAP + PIECE };
        let read = read.load(Ordering::SeqCst);
        assert!(read <= most, "{read} of a file: {error}");
    }
}

/// A length that is announced is not believed before it is there.
#[test]
fn an_announced_length_reserves_no_memory() {
    // On a 32-bit machine minreq takes no more than the second.
    let lengths: &[u64] = match cfg!(target_pointer_width = "32") {
        true => &[0x8000_0000, 0xFFFF_FFFF],
        false => &[u64::MAX, 1_000_000_000_000_000],
    };
    for length in lengths {
        let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{ID}");
        let server = Server::script([reply]);
        let error = server.api().with_body_limit(usize::MAX).me("").unwrap_err();
        assert_eq!(error.kind(), K::Truncated, "{error}");
    }
}

/// A page is handed out when all of it is there, so a retry gives nothing twice.
#[test]
fn retries_give_nothing_twice() {
    let page = |ids: &str, next: &str| {
        let data: Vec<String> = ids
            .chars()
            .map(|id| format!(r#"{{"id":"{id}"}}"#))
            .collect();
        format!(r#"{{"data":[{}],"paging":{{{next}}}}}"#, data.join(","))
    };
    // It says that it closes, so no pooled connection is tried first.
    let first = common::reply(
        "200 OK",
        &[("Connection", "close")],
        &page(
            "abc",
            r#""cursors":{"after":"x"},"next":"https://x/?after=x""#,
        ),
    )
    .into_bytes();
    let second = json(&page("def", ""));
    let cut = |reply: &[u8], at: usize| reply[..reply.len() - at].to_vec();
    let server = Server::script([
        cut(&first, 1),
        cut(&first, 40),
        first,
        Vec::new(),
        cut(&second, 30),
        second,
    ]);
    let clock = common::TestClock::new(0);
    let api = server.api().with_retries(2).with_clock(clock.clone());
    assert_eq!(feed(&api, &server).unwrap(), "a b c d e f");
    assert_eq!((server.received().len(), clock.slept().len()), (6, 4));
}

/// What a call that timed out leaves behind ends when the server's side does.
#[test]
fn a_timed_out_call_can_be_made_again() {
    let server = Server::start(|request, stream| {
        if !request.target.contains("good") {
            let _ = stream.read(&mut [0]);
        }
        let _ = stream.write_all(&json(ID));
    });
    let api = api_for(&server);
    let hasty = api.clone().with_timeout(DEADLINE);
    assert!(hasty.user("bad", "").unwrap_err().is_timeout());
    assert_eq!(api.user("good", "").unwrap().id, WHOLE);
}

/// Three heads as servers send them, cut at every byte. minreq takes the end of
/// the connection for the end of the headers, so what can be asked of it is that
/// nothing is followed, and nothing taken for a file, that was not complete.
#[test]
fn heads_that_are_cut_at_every_byte() {
    const GRAPH: &str = "HTTP/1.1 200 OK\r\n\
        Content-Type: application/json; charset=UTF-8\r\n\
        x-app-usage: {\"call_count\":1,\"total_time\":1,\"total_cputime\":1}\r\n\
        x-fb-trace-id: E2e6jbEXAMPLE\r\n\
        Cache-Control: private, no-cache, no-store, must-revalidate\r\n\
        Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n\
        Connection: keep-alive\r\nContent-Length: 26\r\n\r\n";
    const FILE: &str = "HTTP/1.1 200 OK\r\nLast-Modified: Sun, 22 Nov 2026 08:00:00 GMT\r\n\
        Content-Type: image/jpeg\r\nAccept-Ranges: bytes\r\nServer: proxygen-bolt\r\n\
        Cache-Control: max-age=1209600, no-transform\r\nTransfer-Encoding: chunked\r\n\r\n";
    const REDIRECT: &str = "HTTP/1.1 302 Found\r\nServer: nginx\r\nContent-Type: text/html\r\n\
        Content-Length: 0\r\nLocation: /good-and-complete.jpg\r\nConnection: close\r\n\r\n";
    for head in [GRAPH, FILE, REDIRECT] {
        let cut = Arc::new(AtomicUsize::new(0));
        let at = cut.clone();
        let server = Server::start(move |request, stream| {
            let reply = match request.target.starts_with("/good") {
                true => common::reply("200 OK", &[], &request.target).into_bytes(),
                false => head[..at.load(Ordering::SeqCst)].into(),
            };
            let _ = stream.write_all(&reply);
        });
        let api = api_for(&server);
        let url = format!("{}/f", server.url());
        for at in 0..head.len() {
            cut.store(at, Ordering::SeqCst);
            api.me("").unwrap_err();
            let mut body = Vec::new();
            let download = api.download(&url).accept_unknown_length();
            let outcome = download.write_to(&mut body);
            let complete = body == b"/good-and-complete.jpg";
            assert!(
                outcome.is_err() || either(complete, false),
                "{:?}: {outcome:?}",
                &head[..at]
            );
        }
    }
}

/// The first of these went to another file, reported as success; the second was
/// an empty one.
#[test]
fn heads_that_are_cut() {
    let other = Server::script([common::reply("200 OK", &[], "another file")]);
    for head in [
        format!("HTTP/1.1 302 Found\r\nLocation: {}/good-but-c", other.url()),
        format!(
            "HTTP/1.1 302 Found\r\nLocation: {}/good\r\nContent-",
            other.url()
        ),
        "HTTP/1.1 200 OK\r".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n".to_owned(),
    ] {
        let server = Server::script([head.as_str()]);
        let api = api_for(&server);
        let url = format!("{}/f", server.url());
        let mut file = Vec::new();
        let download = api.download(&url).accept_unknown_length();
        let error = timed(PATIENCE, || download.write_to(&mut file)).unwrap_err();
        assert!(
            matches!(error.kind(), K::ConnectionLost | K::Truncated),
            "{head:?}: {error}"
        );
    }
    assert_eq!(other.connections(), 0);
}
