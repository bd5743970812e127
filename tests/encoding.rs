//! Content codings: what requests ask for, and which replies are read.

mod common;

use common::Server;
use mingram::auth::{App, Code};
use mingram::{Api, ErrorKind as K, Result, UserField};

const ID: &str = r#"{"id":"17841405793187218"}"#;

fn me(api: &Api, _: &Server) -> Result<String> {
    api.me([UserField::Id]).map(|user| user.id)
}

fn file(api: &Api, server: &Server) -> Result<String> {
    let mut file = Vec::new();
    let url = format!("{}/f.jpg", server.url());
    let download = api.download(&url).accept_any_type();
    download.write_to(&mut file)?;
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
    let of_calls = if cfg!(feature = "gzip") {
        "gzip"
    } else {
        "identity"
    };
    // A call, or a page of a feed.
    assert!(api.me("").is_ok());
    let _ = api.my_media("").into_iter().next();
    // Each of them uses up a code or a token, and a file is compressed already.
    let _ = api.exchange_code(&app, &Code::new("code"));
    let _ = api.exchange_token(&app);
    let _ = api.refresh_token();
    let _ = api.download(&url).open();
    let _ = api.download(&url).resume_from(5, &version).open();
    let wanted = [
        ("/me", of_calls),
        ("/me/media", of_calls),
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

/// A server that compresses unasked: the error says what to do.
#[test]
#[cfg(not(feature = "gzip"))]
fn gzip_without_the_feature_is_refused() {
    for coding in ["gzip", "x-gzip", "GZIP"] {
        let headers = format!("Content-Encoding: {coding}\r\n");
        let server = Server::script([reply("200 OK", &headers, b"\x1f\x8b\x08")]);
        let error = me(&server.api(), &server).unwrap_err();
        assert_eq!(error.kind(), K::Malformed, "{error}");
        let message = error.to_string();
        assert!(
            message.ends_with("which was not requested; mingram's feature `gzip` reads it"),
            "{message}"
        );
    }
}

#[cfg(feature = "gzip")]
mod gzip {
    use super::*;
    use common::replay::Replay;
    use common::{TestClock, fixtures};
    use flate2::{Compression, write::GzEncoder};
    use mingram::transport::{DefaultTransport, Request, Response, Transport};
    use mingram::{Media, MediaField as M};
    use std::io::{Read, Write};
    use std::sync::{Arc, Mutex};

    const GZIP: &str = "Content-Encoding: gzip\r\n";

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// A reply in chunks of this many bytes.
    fn chunked(headers: &str, body: &[u8], size: usize) -> Vec<u8> {
        let mut out =
            format!("HTTP/1.1 200 OK\r\n{headers}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
        for chunk in body.chunks(size) {
            out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n\r\n");
        out
    }

    /// What one reply comes to: the id, or kind and message.
    fn outcome(bytes: Vec<u8>) -> Result<String, (K, String)> {
        let server = Server::script([bytes]);
        me(&server.api(), &server).map_err(|error| (error.kind(), error.to_string()))
    }

    #[test]
    fn replies_are_decoded_however_they_are_framed_and_named() {
        let body = gzip(ID.as_bytes());
        let two = [gzip(&ID.as_bytes()[..9]), gzip(&ID.as_bytes()[9..])].concat();
        let until_close = |body: &[u8]| {
            let head = format!("HTTP/1.1 200 OK\r\n{GZIP}\r\n");
            [head.as_bytes(), body].concat()
        };
        for (what, bytes) in [
            ("with a length", reply("200 OK", GZIP, &body)),
            ("in chunks", chunked(GZIP, &body, 5)),
            ("in chunks of a byte", chunked(GZIP, &body, 1)),
            ("until the connection ends", until_close(&body)),
            ("two members", reply("200 OK", GZIP, &two)),
            ("two members in chunks", chunked(GZIP, &two, 7)),
            ("two members until the end", until_close(&two)),
        ] {
            assert_eq!(outcome(bytes).as_deref(), Ok("17841405793187218"), "{what}");
        }
        for headers in [
            "Content-Encoding: x-gzip\r\n",
            "content-encoding: GZIP\r\n",
            "Content-Encoding: X-GZip \r\n",
            "Content-Encoding: identity, gzip\r\n",
            "Content-Encoding: , gzip,\r\n",
            "Content-Encoding: none\r\nContent-Encoding: gzip\r\n",
        ] {
            let bytes = reply("200 OK", headers, &body);
            assert_eq!(
                outcome(bytes).as_deref(),
                Ok("17841405793187218"),
                "{headers}"
            );
        }
    }

    #[test]
    fn damaged_replies_are_errors_of_the_right_kind() {
        let good = gzip(ID.as_bytes());
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let end = good.len();
        for (body, message) in [
            (ID.as_bytes().to_vec(), "no valid header"),
            (with(0, b'{'), "no valid header"),
            (with(3, 0x80), "no valid header"),
            (with(10, 7), "damaged"),
            (with(end - 5, !good[end - 5]), "wrong checksum"),
            (with(end - 4, 0), "wrong checksum"),
            ([&good[..], b"\r\n"].concat(), "other bytes after"),
            (good[..end - 1].to_vec(), "incomplete"),
            (good[..5].to_vec(), "incomplete"),
        ] {
            let (kind, text) = outcome(reply("200 OK", GZIP, &body)).unwrap_err();
            assert_eq!(kind, K::Malformed, "{text}");
            assert!(text.contains(message), "{message}: {text}");
        }
        // An empty body is no JSON, and without a length it is a truncated one.
        let (kind, _) = outcome(reply("200 OK", GZIP, b"")).unwrap_err();
        assert_eq!(kind, K::NotJson);
        let (kind, _) = outcome(chunked(GZIP, b"", 9)).unwrap_err();
        assert_eq!(kind, K::Truncated);
        // The decoded text is judged like any other.
        let (kind, _) = outcome(reply("200 OK", GZIP, &gzip(b"<html>"))).unwrap_err();
        assert_eq!(kind, K::NotJson);
        let (kind, text) = outcome(reply("200 OK", GZIP, &gzip(&ID.as_bytes()[..20]))).unwrap_err();
        assert_eq!(kind, K::Decode);
        assert!(text.contains("of 20"), "{text}");
    }

    #[test]
    fn a_reply_that_is_cut_at_any_byte_is_asked_for_again() {
        let body = gzip(ID.as_bytes());
        let whole = reply("200 OK", GZIP, &body);
        let in_chunks = chunked(GZIP, &body, 11);
        let head = |bytes: &[u8]| bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let mut cuts = Vec::new();
        cuts.extend((head(&whole)..whole.len()).map(|cut| whole[..cut].to_vec()));
        // minreq takes the end of the connection for the last chunk.
        let last = in_chunks.len() - b"\r\n0\r\n\r\n".len();
        cuts.extend((head(&in_chunks)..last).map(|cut| in_chunks[..cut].to_vec()));
        for cut in cuts {
            let shown = String::from_utf8_lossy(&cut).into_owned();
            let server = Server::script([cut.clone()]);
            let error = me(&server.api(), &server).unwrap_err();
            assert_eq!(error.kind(), K::Truncated, "{shown}: {error}");
            let server = Server::script([cut, whole.clone()]);
            let api = server.api().with_clock(TestClock::new(0)).with_retries(1);
            assert_eq!(me(&api, &server).unwrap(), "17841405793187218", "{shown}");
            assert_eq!(server.received().len(), 2, "{shown}");
        }
        // Asking again for what arrived as it was sent would bring the same.
        let server = Server::script([reply("200 OK", GZIP, &body[..20]), whole]);
        let api = server.api().with_clock(TestClock::new(0)).with_retries(1);
        assert_eq!(me(&api, &server).unwrap_err().kind(), K::Malformed);
        assert_eq!(server.received().len(), 1);
    }

    #[test]
    fn the_limit_counts_decoded_bytes() {
        let text = format!("{ID}{}", " ".repeat(100_000));
        let body = gzip(text.as_bytes());
        assert!(body.len() < 1000);
        let server = Server::script([
            reply("200 OK", GZIP, &body),
            reply("200 OK", GZIP, &body),
            chunked(GZIP, &body, 100),
        ]);
        let api = server.api().with_body_limit(text.len());
        assert!(me(&api, &server).is_ok());
        for _ in 0..2 {
            let api = server.api().with_body_limit(text.len() - 1);
            let error = me(&api, &server).unwrap_err();
            assert_eq!(error.kind(), K::TooLarge, "{error}");
        }
        // And not the bytes sent, which may be a few more.
        let noise = r#"{"id":"1","x":"qPzXw1bUaE7kNvgHc"}"#;
        let body = gzip(noise.as_bytes());
        assert!(body.len() > noise.len());
        let server = Server::script([reply("200 OK", GZIP, &body)]);
        let api = server.api().with_body_limit(noise.len());
        assert_eq!(me(&api, &server).unwrap(), "1");
    }

    #[test]
    fn errors_and_logins_are_decoded_as_well() {
        let error = br#"{"error":{"message":"no","type":"OAuthException","code":190}}"#;
        let server = Server::script([reply("400 Bad Request", GZIP, &gzip(error))]);
        let error = me(&server.api(), &server).unwrap_err();
        assert!(error.is_token_invalid(), "{error}");
        // A login does not ask for it, but a reply of it is not lost.
        let token = br#"{"access_token":"IGQVnew","token_type":"bearer","expires_in":5183944}"#;
        let server = Server::script([reply("200 OK", GZIP, &gzip(token))]);
        let token = server.api().refresh_token().unwrap();
        assert_eq!(token.token.expose(), "IGQVnew");
        // A refusal of a file.
        let body = gzip(b"URL signature expired");
        let server = Server::script([reply("403 Forbidden", GZIP, &body)]);
        let error = file(&server.api(), &server).unwrap_err();
        assert_eq!(error.kind(), K::Status);
        assert!(
            error.to_string().contains("URL signature expired"),
            "{error}"
        );
        // A failed status counts for more than a damaged body.
        let server = Server::script([reply("503 Down", GZIP, b"<html>")]);
        let error = me(&server.api(), &server).unwrap_err();
        assert_eq!(error.kind(), K::Status, "{error}");
        assert!(error.is_transient());
    }

    /// The whole feed of the fixtures, compressed: the same media, over as many connections.
    #[test]
    fn a_compressed_feed_is_the_same_feed() {
        let media = |replay: &Replay| -> Vec<Media> {
            let api = common::api(&replay.url());
            let feed = api.my_media(M::WITH_CHILDREN).page_size(4).into_iter();
            feed.collect::<Result<_>>().unwrap()
        };
        let plain = Replay::start(fixtures()).unwrap();
        let wanted = media(&plain);
        for in_chunks in [false, true] {
            let exchanges = fixtures().into_iter().map(|mut exchange| {
                let head = exchange.reply.windows(4).position(|end| end == b"\r\n\r\n");
                let body = gzip(&exchange.reply[head.unwrap() + 4..]);
                exchange.reply = match in_chunks {
                    true => chunked(GZIP, &body, 1000),
                    false => reply("200 OK", GZIP, &body),
                };
                exchange
            });
            let replay = Replay::start(exchanges.collect()).unwrap();
            assert_eq!(media(&replay), wanted);
            assert_eq!(
                replay.connections(),
                plain.connections(),
                "in chunks: {in_chunks}"
            );
        }
    }

    /// Keeps what it sees of bodies.
    struct Seeing<T>(T, Arc<Mutex<Vec<String>>>);

    impl<T: Transport> Transport for Seeing<T> {
        fn send(&self, request: &Request<'_>) -> Result<Response> {
            let mut response = self.0.send(request)?;
            if response.decode().is_ok() {
                assert!(response.header("content-encoding").is_none());
                assert!(response.header("Content-Length").is_none());
                assert_eq!(response.header("x"), Some("y"));
                let mut body = String::new();
                let read = response.body.read_to_string(&mut body);
                read.map_err(mingram::Error::of_body)?;
                self.1.lock().unwrap().push(body.clone());
                response.body = Box::new(std::io::Cursor::new(body));
            }
            Ok(response)
        }
    }

    #[test]
    fn a_transport_can_decode_what_it_looks_at() {
        let headers = format!("{GZIP}X: y\r\n");
        let body = gzip(ID.as_bytes());
        let good = reply("200 OK", &headers, &body);
        let mut cut = good.clone();
        cut.truncate(good.len() - 3);
        let other = reply("200 OK", "Content-Encoding: br\r\n", b"x");
        let two_lengths = format!("{GZIP}X: y\r\nContent-Length: 9\r\n");
        let two_lengths = reply("200 OK", &two_lengths, &body);
        let server = Server::script([good, cut, other, two_lengths]);
        let seen = Arc::default();
        let transport = Seeing(DefaultTransport::default(), Arc::clone(&seen));
        let api = server.api().with_transport(transport);
        assert_eq!(me(&api, &server).unwrap(), "17841405793187218");
        assert_eq!(me(&api, &server).unwrap_err().kind(), K::Truncated);
        // Left as it is, and mingram says what it thinks of it.
        let error = me(&api, &server).unwrap_err();
        assert!(error.to_string().contains("(br)"), "{error}");
        let error = me(&api, &server).unwrap_err();
        assert!(error.to_string().contains("two different"), "{error}");
        assert_eq!(*seen.lock().unwrap(), [ID]);
    }
}
