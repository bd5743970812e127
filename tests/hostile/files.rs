//! Downloads: whole or an error, never a part that passes for a whole.

use crate::common::secrets::{found, shown};
use crate::common::{self, Server};
use crate::{DEADLINE, Do, TOKEN, api_for, fails, gives, row, sends, try_all};
use mingram::download::{FileVersion, Resumed};
use mingram::{Api, ErrorKind as K};
use std::io::{self, Read, Write};

/// What the servers here call the version of a file of ten bytes.
fn version() -> FileVersion {
    "10 \"v1\"".parse().unwrap()
}

/// A picture or video, and nothing else.
fn file(api: &Api, server: &Server) -> mingram::Result<String> {
    let (url, mut file) = (format!("{}/f.jpg", server.url()), Vec::new());
    let length = api.download(&url).write_to(&mut file)?;
    assert_eq!(length, file.len() as u64);
    Ok(String::from_utf8(file).unwrap())
}

/// The rest of a file of ten bytes, of which five are there; or else the entire one.
fn resumed(api: &Api, server: &Server) -> mingram::Result<String> {
    let (url, version) = (format!("{}/f.jpg", server.url()), version());
    let mut file = Vec::new();
    let body = match api.download(&url).resume_from(5, &version).open()? {
        Resumed::Rest(mut body) => {
            assert_eq!(body.start(), 5);
            let length = body.write_to(&mut file)?;
            assert_eq!(length, 5 + file.len() as u64);
            body
        }
        Resumed::Entire(mut body) => {
            let length = body.write_to(&mut file)?;
            assert_eq!(length, file.len() as u64);
            body
        }
        _ => return Ok("complete".to_owned()),
    };
    Ok(format!(
        "{} from {} of {:?}",
        String::from_utf8(file).unwrap(),
        body.start(),
        body.total()
    ))
}

/// Taken without a length.
fn of_any_length(api: &Api, server: &Server) -> mingram::Result<String> {
    let url = format!("{}/f.jpg", server.url());
    let mut file = Vec::new();
    api.download(&url)
        .accept_unknown_length()
        .write_to(&mut file)?;
    Ok(String::from_utf8(file).unwrap())
}

#[test]
#[rustfmt::skip]
fn whole_files() {
    let ok = |headers: &str, body: &str| sends(format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}"));
    let short = |piece| fails(K::Truncated, piece);
    // minreq counts lengths in usize.
    let minreq_on_32_bits = cfg!(target_pointer_width = "32") && !common::DIRECT;
    let too_long_for_32_bits = |piece| match minreq_on_32_bits {
        true => fails(K::Malformed, "is 4 GiB or more"),
        false => fails(K::Truncated, piece),
    };
    let unknown = || fails(K::UnknownLength, "a truncated file could not be recognised");
    // minreq does not look for the last chunk.
    let chunked = |wanted| if common::DIRECT { wanted } else { unknown() };
    let silent = |head: &str| vec![Do::Send(format!("HTTP/1.1 {head}\r\n\r\n").into()), Do::Hang];
    try_all(vec![
        row("whole", ok("Content-Length: 4\r\n", "file"), file, gives("file")),
        row("empty", ok("Content-Length: 0\r\n", ""), file, fails(K::WrongContent, "an empty file")),
        row("a page", ok("Content-Type: text/html\r\nContent-Length: 6\r\n", "<html>"), file, fails(K::WrongContent, "text (text/html)")),
        row("a page, short", ok("Content-Type: text/html\r\nContent-Length: 99\r\n", "<html>"), file, fails(K::WrongContent, ": <html>")),
        row("a page without end", vec![Do::Send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 18446744073709551615\r\n\r\n".into()), Do::Endless(b"<p>".into())], file, match minreq_on_32_bits {
            true => fails(K::Malformed, "is 4 GiB or more"),
            false => fails(K::WrongContent, ": <p>"),
        }),
        row("white space without end", vec![Do::Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".into()), Do::Endless(b"1\r\n \r\n".into())], of_any_length, fails(K::WrongContent, "sent text")),
        row("longer than announced", ok("Content-Length: 4\r\n", "files"), file, gives("file")),
        row("short", ok("Content-Length: 10\r\n", "file"), file, short("after 4 of 10 bytes")),
        row("nothing of it", ok("Content-Length: 10\r\n", ""), file, short("after 0 of 10 bytes")),
        row("the largest length", ok("Content-Length: 18446744073709551615\r\n", "file"), file, too_long_for_32_bits("after 4 of 18446744073709551615")),
        row("4 GiB", ok("Content-Length: 4294967296\r\n", "file"), file, too_long_for_32_bits("after 4 of 4294967296")),
        row("4 GiB but a byte", ok("Content-Length: 4294967295\r\n", "file"), file, short("after 4 of 4294967295")),
        row("no length", ok("", "file"), file, unknown()),
        row("no length, taken", ok("", "file"), of_any_length, gives("file")),
        row("chunked", ok("Transfer-Encoding: chunked\r\n", "4\r\nfile\r\n0\r\n\r\n"), file, chunked(gives("file"))),
        row("chunked, with trailers", ok("Transfer-Encoding: chunked\r\n", "2\r\nfi\r\n2;a=b\r\nle\r\n0\r\nX: y\r\n\r\n"), file, chunked(gives("file"))),
        row("no last chunk", ok("Transfer-Encoding: chunked\r\n", "4\r\nfile\r\n"), file, chunked(short("the connection ended"))),
        row("the last chunk cut", ok("Transfer-Encoding: chunked\r\n", "4\r\nfile\r\n0\r\n"), file, chunked(short("the connection ended"))),
        row("within a chunk", ok("Transfer-Encoding: chunked\r\n", "5\r\nfile"), file, chunked(short("the connection ended"))),
        row("an empty one in chunks", ok("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), file, if common::DIRECT { fails(K::WrongContent, "an empty file") } else { short("in or after its headers") }),
        row("chunked, taken", ok("Transfer-Encoding: chunked\r\n", "4\r\nfile\r\n0\r\n\r\n"), of_any_length, gives("file")),
        row("bad chunks, taken", ok("Transfer-Encoding: chunked\r\n", "4\r\nfile\r\nzz\r\n\r\n"), of_any_length, fails(K::Malformed, "no valid size")),
        row("length and chunks", ok("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "4\r\nfile\r\n0\r\n\r\n"), file, fails(K::Malformed, "both")),
        row("two lengths", ok("Content-Length: 4\r\nContent-Length: 5\r\n", "file"), file, fails(K::Malformed, "two different content-lengths")),
        row("204", sends("HTTP/1.1 204 No Content\r\n\r\n"), file, fails(K::Status, "HTTP 204")),
        row("304", sends("HTTP/1.1 304 Not Modified\r\n\r\n"), file, fails(K::Status, "HTTP 304")),
        row("403", sends("HTTP/1.1 403 No\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n\r\nURL signature expired"), file, fails(K::Status, "HTTP 403 (text/plain): URL signature expired")),
        row("404 cut", sends("HTTP/1.1 404 No\r\nContent-Length: 21\r\n\r\nURL"), file, fails(K::Status, "HTTP 404")),
        row("416", sends("HTTP/1.1 416 No\r\nContent-Range: bytes */10\r\nContent-Length: 0\r\n\r\n"), resumed, fails(K::Status, "HTTP 416")),
        row("403 and silence", silent("403 No\r\nContent-Length: 9"), file, fails(K::Timeout, "timed out")),
        row("403 and silence in chunks", silent("403 No\r\nTransfer-Encoding: chunked"), file, fails(K::Timeout, "timed out")),
        row("500", sends("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), file, fails(K::Status, "HTTP 500")),
    ]);
}

#[test]
#[rustfmt::skip]
fn parts_of_files() {
    let part = |headers: &str, body: &str| sends(format!("HTTP/1.1 206 Partial Content\r\nETag: \"v1\"\r\n{headers}\r\n{body}"));
    let ranged = |range: &str, body: &str| part(&format!("Content-Range: {range}\r\nContent-Length: {}\r\n", body.len()), body);
    let open = |headers: &str, body: &str| [part(headers, body), vec![Do::Hang]].concat();
    let malformed = |piece| fails(K::Malformed, piece);
    let unknown = || fails(K::UnknownLength, "a truncated file could not be recognised");
    let other = |tag: &str, total: &str| sends(format!("HTTP/1.1 206 Partial Content\r\n{tag}Content-Range: bytes 5-9/{total}\r\nContent-Length: 5\r\n\r\n56789"));
    let unreadable = || malformed("without a valid range");
    let less = || malformed("less than the rest of the file");
    try_all(vec![
        row("the rest", ranged("bytes 5-9/10", "56789"), resumed, gives("56789 from 5 of Some(10)")),
        // Another version, and no entire file when asked for one.
        row("no tag", other("", "10"), resumed, malformed("another part than requested")),
        row("another tag", other("ETag: \"v2\"\r\n", "10"), resumed, malformed("another part than requested")),
        row("two tags, the first another", other("ETag: \"v2\"\r\nETag: \"v1\"\r\n", "10"), resumed, malformed("another part than requested")),
        row("no total", other("ETag: \"v1\"\r\n", "*"), resumed, malformed("another part than requested")),
        row("another total", other("ETag: \"v1\"\r\n", "12"), resumed, malformed("another part than requested")),
        row("unasked, total unknown", ranged("bytes 0-3/*", "file"), file, unknown()),
        row("the rest, in chunks", part("Content-Range: bytes 5-9/10\r\nTransfer-Encoding: chunked\r\n", "5\r\n56789\r\n0\r\n\r\n"), resumed, gives("56789 from 5 of Some(10)")),
        row("the rest, without a length", part("Content-Range: bytes 5-9/10\r\n", "56789"), resumed, gives("56789 from 5 of Some(10)")),
        row("the rest, and no last chunk", open("Content-Range: bytes 5-9/10\r\nTransfer-Encoding: chunked\r\n", "5\r\n56789\r\n"), resumed, gives("56789 from 5 of Some(10)")),
        row("the rest, and no close", open("Content-Range: bytes 5-9/10\r\n", "56789"), resumed, gives("56789 from 5 of Some(10)")),
        row("the rest, and kept open", open("Content-Range: bytes 5-9/10\r\nContent-Length: 5\r\n", "56789"), resumed, gives("56789 from 5 of Some(10)")),
        row("unasked, from the start", ranged("bytes 0-3/4", "file"), file, gives("file")),
        row("unasked, a part", ranged("bytes 2-3/4", "le"), file, malformed("another part than requested")),
        row("unasked, the beginning", ranged("bytes 0-1/4", "fi"), file, less()),
        row("short", part("Content-Range: bytes 5-9/10\r\nContent-Length: 5\r\n", "567"), resumed, fails(K::Truncated, "after 8 of 10 bytes")),
        row("short, in chunks", part("Content-Range: bytes 5-9/10\r\nTransfer-Encoding: chunked\r\n", "3\r\n567\r\n0\r\n\r\n"), resumed, fails(K::Truncated, "after 8 of 10 bytes")),
        row("short, without a length", part("Content-Range: bytes 5-9/10\r\n", "567"), resumed, fails(K::Truncated, "after 8 of 10 bytes")),
        row("another start", ranged("bytes 4-9/10", "456789"), resumed, malformed("another part than requested")),
        row("from the start", ranged("bytes 0-9/10", "0123456789"), resumed, malformed("another part than requested")),
        row("another end", ranged("bytes 5-7/10", "567"), resumed, less()),
        row("an end behind the file", ranged("bytes 5-9/8", "56789"), resumed, malformed("another part than requested")),
        row("another length", part("Content-Range: bytes 5-9/10\r\nContent-Length: 4\r\n", "5678"), resumed, malformed("content-length contradicts its range")),
        row("a page as the rest", part("Content-Type: text/html\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n", "<html"), resumed, fails(K::WrongContent, "text (text/html)")),
        row("205", sends("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"), resumed, fails(K::Status, "HTTP 205")),
        row("no range", part("Content-Length: 5\r\n", "56789"), resumed, unreadable()),
        row("no unit", ranged("5-9/10", "56789"), resumed, unreadable()),
        row("another unit", ranged("items 5-9/10", "56789"), resumed, unreadable()),
        row("backwards", ranged("bytes 9-5/10", "56789"), resumed, unreadable()),
        row("nothing", ranged("bytes */10", ""), resumed, unreadable()),
        row("over 64 bits", ranged("bytes 5-99999999999999999999/10", "56789"), resumed, unreadable()),
        row("the largest end", ranged("bytes 5-18446744073709551615/10", "56789"), resumed, unreadable()),
        row("several parts", part("Content-Type: multipart/byteranges; boundary=x\r\nContent-Length: 5\r\n", "--x--"), resumed, unreadable()),
        row("all of it instead", sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"), resumed, gives("0123456789 from 0 of Some(10)")),
    ]);
}

/// A refusal whose text never comes has used up the time of the download, and
/// is not tried again.
#[test]
fn a_silent_refusal_is_not_retried() {
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n");
        let _ = stream.read(&mut [0]);
    });
    let api = api_for(&server)
        .with_download_timeout(DEADLINE)
        .with_retries(5)
        .with_clock(common::TestClock::new(0));
    let error = file(&api, &server).unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (K::Timeout, Some(503)),
        "{error}"
    );
    assert_eq!(server.received().len(), 1);
}

/// Fails after three bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let length = buf.len().min(self.0);
        self.0 -= length;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk() {
    let server = Server::script([common::reply("200 OK", &[], "0123456789")]);
    let url = format!("{}/f?access_token={TOKEN}", server.url());
    let error = server
        .api()
        .download(&url)
        .write_to(&mut Full(3))
        .unwrap_err();
    assert_eq!(error.kind(), K::Io);
    assert!(error.to_string().contains("writing failed"), "{error}");
    assert_eq!(found(&shown(&error), &[TOKEN]), None);
}

/// What is read once more after the end, or after an error, is no data.
#[test]
fn a_body_stays_ended() {
    for (reply, whole) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfile", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfile", false),
    ] {
        let server = Server::script([reply]);
        let api = api_for(&server);
        let url = format!("{}/f", server.url());
        let mut body = api.download(&url).open().unwrap();
        let mut text = String::new();
        assert_eq!(body.read(&mut []).unwrap(), 0);
        assert_eq!(body.read_to_string(&mut text).is_ok(), whole);
        for _ in 0..3 {
            match body.read(&mut [0; 8]) {
                Ok(length) => assert!(whole && length == 0),
                Err(error) => {
                    assert!(!whole);
                    assert_eq!(mingram::Error::from(error).kind(), K::Truncated);
                }
            }
        }
        assert_eq!(body.position(), 4);
    }
}

/// The same without a length: what failed once is no end, however often it is read.
#[test]
fn a_failure_stays_a_failure() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    if !common::DIRECT {
        // minreq does not show where chunks end.
        return;
    }
    for (chunks, kind) in [
        ("4\r\nfile\r\n", K::Truncated),
        ("8\r\nfile", K::Truncated),
        ("4\r\nfile\r\ng\r\n", K::Malformed),
        ("4\r\nfile1\r\n", K::Malformed),
    ] {
        let server = Server::script([format!("{CHUNKED}{chunks}")]);
        let api = api_for(&server);
        let url = format!("{}/f", server.url());
        let download = api.download(&url);
        let download = download.accept_unknown_length().accept_any_type();
        let mut body = download.open().unwrap();
        let mut text = Vec::new();
        let error = body.read_to_end(&mut text).unwrap_err();
        assert_eq!(mingram::Error::from(error).kind(), kind, "{chunks:?}");
        for _ in 0..3 {
            assert!(body.read(&mut [0; 8]).is_err(), "{chunks:?}");
        }
        assert_eq!(text, b"file");
    }
}

/// A file that is dropped half-read leaves nothing behind that goes on reading.
#[test]
fn a_file_that_is_dropped_ends_the_connection() {
    let (gone, closed) = std::sync::mpsc::channel();
    let server = Server::start(move |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nfile");
        let ended = stream.read(&mut [0; 1]);
        gone.send(!matches!(ended, Ok(1..))).unwrap();
    });
    let api = server.api();
    let url = format!("{}/f", server.url());
    drop(api.download(&url).open().unwrap());
    assert!(
        closed
            .recv_timeout(std::time::Duration::from_secs(2))
            .unwrap()
    );
}
