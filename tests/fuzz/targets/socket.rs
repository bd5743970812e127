//! Reply bytes to the whole call, through a socket and minreq (with the feature
//! keep-alive: mingram's own client): the first byte chooses the call, the rest is what the
//! server sends before it closes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mingram::{Api, MediaField, UserField};
use mingram_fuzz::{TOKEN, check_error};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Duration;

static REPLY: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static URL: OnceLock<String> = OnceLock::new();

fuzz_target!(
    init: {
        let fail = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // minreq's known one, which the transport turns into an error.
            let known = info.location().is_some_and(|at| at.file().contains("minreq-3"))
                && info.to_string().contains("attempt to subtract with overflow");
            if !known {
                fail(info);
            }
        }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        URL.set(format!("http://{}", listener.local_addr().unwrap())).unwrap();
        thread::spawn(move || serve(&listener));
    },
    |data: &[u8]| {
        let Some((&choice, reply)) = data.split_first() else {
            return;
        };
        *REPLY.lock().unwrap() = reply.to_vec();
        let url = URL.get().unwrap();
        let api = Api::new(TOKEN)
            .with_base_url(url.as_str())
            .with_login_url(url.as_str())
            .with_retries(0)
            .with_timeout(Duration::from_secs(5))
            .with_download_timeout(Duration::from_secs(5))
            .with_body_limit(64 * 1024);
        let length = announced(reply);
        let error = match choice {
            b'a' => {
                let me = api.me(UserField::BASIC);
                assert!(
                    !(me.is_ok() && length.is_some_and(|(length, there)| there < length)),
                    "a short reply passed for whole"
                );
                me.err()
            }
            b'b' => {
                let mut pages = api.my_media(MediaField::BASIC).pages();
                pages.by_ref().take(4).find_map(Result::err)
            }
            b'c' => api.refresh_token().err(),
            b'd' => {
                let mut file = Vec::new();
                match api.download(&format!("{url}/a.jpg")).write_to(&mut file) {
                    Ok(bytes) => {
                        assert_eq!(bytes, file.len() as u64);
                        if let Some((length, there)) = length {
                            assert!(bytes == length && length <= there);
                        }
                        None
                    }
                    Err(error) => Some(error),
                }
            }
            _ => return,
        };
        if let Some(error) = error {
            assert!(!error.is_timeout(), "hangs: {error}");
            check_error(&error);
        }
    }
);

/// The one length that a plain reply announces, and how much of it is there,
/// by another parser.
fn announced(reply: &[u8]) -> Option<(u64, u64)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(end)) = head.parse(reply) else {
        return None;
    };
    let is = |name: &'static str| {
        move |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name)
    };
    let mut lengths = head.headers.iter().filter(is("content-length"));
    let length = std::str::from_utf8(lengths.next()?.value).ok()?;
    let plain = lengths.next().is_none()
        && !head
            .headers
            .iter()
            .any(|header| is("transfer-encoding")(&header))
        && head.code == Some(200);
    let length = length.parse().ok().filter(|_| plain)?;
    Some((length, (reply.len() - end) as u64))
}

/// Answers every request with the reply of this run, and closes.
fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let mut request = Vec::new();
        let mut piece = [0; 4096];
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(length) => request.extend_from_slice(&piece[..length]),
            }
        }
        let reply = REPLY.lock().unwrap().clone();
        let _ = stream.write_all(&reply);
        let _ = stream.shutdown(Shutdown::Write);
    }
}
