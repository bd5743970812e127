//! From a call to the first byte of its reply: name lookup, connecting, the TLS
//! handshake, and what is left behind where one of them is never answered.

mod common;

use common::{DIRECT, api};
use mingram::auth::{App, Code};
use mingram::{Api, ErrorKind};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

/// An emulator is slow.
const SHORT: Duration = Duration::from_secs(1);

/// The message of a call that is over in its time, with three seconds for a busy machine.
#[track_caller]
fn timeout_of<T>(api: &Api, call: impl FnOnce(&Api) -> mingram::Result<T>) -> String {
    let api = api.clone().with_timeout(SHORT);
    let start = Instant::now();
    let error = call(&api).map(drop).unwrap_err();
    let took = start.elapsed();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(took < SHORT + Duration::from_secs(3), "took {took:?}");
    error.to_string()
}

/// Takes connections, sends these bytes over each, and reads until the client
/// closes if `reads` is set; else leaves what comes unread.
fn silent(bytes: &'static [u8], reads: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut held = Vec::new();
        for mut tcp in listener.incoming().flatten() {
            let _ = tcp.write_all(bytes);
            match reads {
                true => drop(thread::spawn(move || tcp.read_to_end(&mut Vec::new()))),
                false => held.push(tcp),
            }
        }
    });
    port
}

fn http(port: u16) -> Api {
    api(&format!("http://127.0.0.1:{port}"))
}

#[test]
fn a_timeout_says_what_was_under_way() {
    let starts = |message: String, doing: &str| {
        let wanted = match DIRECT {
            true => format!("the call timed out {doing}"),
            // minreq does not tell.
            false => "the call timed out".to_owned(),
        };
        assert!(message.ends_with(&wanted), "{message}");
    };
    let api = http(silent(b"", true));
    starts(
        timeout_of(&api, |api| api.me("")),
        "while waiting for the reply",
    );
    let api = http(silent(b"HTTP/1.1 200 OK\r\nA: b\r\n", true));
    starts(
        timeout_of(&api, |api| api.me("")),
        "while waiting for the reply",
    );
    let port = silent(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", true);
    let api = http(port);
    starts(timeout_of(&api, |api| api.me("")), "while reading the body");
    let url = format!("http://127.0.0.1:{port}/f");
    starts(
        timeout_of(&api, |api| {
            let download = api.download(&url).accept_any_type();
            download.write_to(&mut Vec::new())
        }),
        "while reading the body",
    );
    if cfg!(any(
        feature = "https",
        feature = "platform-roots",
        feature = "keep-alive"
    )) {
        let api = common::api(&format!("https://127.0.0.1:{}", silent(b"", true)));
        starts(
            timeout_of(&api, |api| api.me("")),
            "during the TLS handshake",
        );
    }
}

/// A process at its limit of open files, which counts sockets too: the error names that,
/// whatever step of the call needs one more.
#[test]
#[cfg(unix)]
fn no_file_descriptor_is_left() {
    const URLS: &str = "MINGRAM_TEST_URLS";
    if let Ok(urls) = std::env::var(URLS) {
        let mut held = Vec::new();
        let hold_all = |held: &mut Vec<_>| {
            held.extend(std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()));
        };
        hold_all(&mut held);
        let all = held.len();
        if cfg!(any(
            feature = "https",
            feature = "platform-roots",
            feature = "keep-alive"
        )) {
            let message = api("https://127.0.0.1").me("").unwrap_err().to_string();
            assert!(message.contains("too many files"), "{message}");
        }
        for url in urls.split(' ') {
            let mut failed = 0;
            while let Err(error) = api(url).me("") {
                assert_eq!(error.kind(), ErrorKind::Connect, "{failed}: {error}");
                let message = error.to_string();
                assert!(message.contains("too many files"), "{failed}: {message}");
                failed += 1;
                drop(held.pop().unwrap());
            }
            assert!(failed > 0, "{url}");
            // minreq's thread closes its socket a little later.
            let start = Instant::now();
            while held.len() < all && start.elapsed() < Duration::from_secs(10) {
                hold_all(&mut held);
                thread::sleep(Duration::from_millis(1));
            }
        }
        return;
    }
    let server = common::Server::script([common::json("200 OK", r#"{"id":"1"}"#)]);
    let port = server.port();
    let urls = format!("http://127.0.0.1:{port} http://localhost:{port}");
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "no_file_descriptor_is_left", "--nocapture"])
        .env(URLS, urls)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("1 passed"), "{text}");
}

/// More than the buffers of both ends hold, to a server that reads nothing.
#[test]
fn a_server_that_stops_reading() {
    let api = http(silent(b"", false)).with_timeout(SHORT);
    let address = format!("https://x.example/{}", "x".repeat(12 << 20));
    let app = App::new("1", "S", address);
    let start = Instant::now();
    let error = api.exchange_code(&app, &Code::new("C")).unwrap_err();
    // An emulator takes its time to write such a form.
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let message = error.to_string();
    assert!(
        !DIRECT || message.contains("while sending the request"),
        "{message}"
    );
}

/// A time in milliseconds is not rounded up.
#[test]
fn milliseconds_count() {
    let api = http(silent(b"", true)).with_timeout(Duration::from_millis(1));
    let start = Instant::now();
    let calls = (0..50).map(|_| api.me("").unwrap_err().is_timeout());
    assert!(calls.into_iter().all(|timeout| timeout));
    // In whole seconds it would be fifty.
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// Threads and descriptors of this process.
#[cfg(target_os = "linux")]
fn held() -> (usize, usize) {
    let count = |folder| std::fs::read_dir(folder).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

#[cfg(target_os = "linux")]
#[track_caller]
fn back_to(before: (usize, usize)) {
    let start = Instant::now();
    while held() != before {
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10), "{before:?}, {:?}", held());
        thread::sleep(Duration::from_millis(10));
    }
}

/// Of calls that time out, and of files that nobody reads to their end, from servers that
/// close nothing.
#[test]
#[cfg(target_os = "linux")]
fn what_is_abandoned_ends() {
    common::in_a_child("what_is_abandoned_ends", &[], || {
        let ports = [
            silent(b"", true),
            silent(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", true),
            silent(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true),
        ];
        let before = held();
        for port in ports {
            let api = http(port).with_timeout(SHORT / 5);
            for _ in 0..5 {
                assert!(api.me("").unwrap_err().is_timeout());
            }
        }
        // minreq ends them with the time of the call.
        back_to(before);
        let (api, url) = (http(ports[1]), format!("http://127.0.0.1:{}/f", ports[1]));
        let open = || api.download(&url).accept_any_type().open().unwrap();
        for _ in 0..5 {
            drop(open());
            open().read_exact(&mut [0]).unwrap();
        }
        back_to(before);
    });
}

/// What minreq cannot do.
#[cfg(feature = "keep-alive")]
mod direct {
    use super::*;
    use crate::common::{Server, json, replay::read_request, reply};
    use std::net::TcpStream;
    use std::sync::{Arc, Mutex};

    const ID: &str = r#"{"id":"17841405793187218"}"#;

    #[test]
    fn ipv6_literals() {
        let Ok(listener) = TcpListener::bind("[::1]:0") else {
            println!("skipped: this machine has no IPv6 loopback address");
            return;
        };
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (tcp, _) = listener.accept().unwrap();
            let mut reader = std::io::BufReader::new(tcp);
            let request = read_request(&mut reader).unwrap();
            let reply = json("200 OK", ID);
            reader.get_mut().write_all(reply.as_bytes()).unwrap();
            request.unwrap()
        });
        assert_eq!(api(&url).me("").unwrap().id, "17841405793187218");
        let host = server.join().unwrap();
        let host = host
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("host"));
        assert_eq!(format!("http://{}", host.unwrap().1), url);
    }

    /// `localhost` with an IPv6 address that drops what is sent to it, and an IPv4
    /// address that works.
    #[test]
    #[cfg(target_os = "linux")]
    fn an_ipv6_address_that_is_dead() {
        use std::net::ToSocketAddrs;
        let server = Server::start(|_, stream| {
            let reply = reply("200 OK", &[("Connection", "close")], ID);
            let _ = stream.write_all(reply.as_bytes());
        });
        let Ok(dead) = TcpListener::bind(("::1", server.port())) else {
            println!("skipped: this machine has no IPv6 loopback address");
            return;
        };
        let names = ("localhost", server.port()).to_socket_addrs().unwrap();
        if names.filter(|address| address.is_ipv6()).count() == 0 {
            println!("skipped: localhost has no IPv6 address here");
            return;
        }
        let address = dead.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(tcp) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            queue.push(tcp);
            assert!(queue.len() < 10_000, "the queue is never full");
        }
        let api = api(&format!("http://localhost:{}", server.port()))
            .with_timeout(Duration::from_secs(30));
        let timed = || {
            let start = Instant::now();
            assert_eq!(api.me("").unwrap().id, "17841405793187218");
            start.elapsed()
        };
        let (first, second) = (timed(), timed());
        // Not the timeout, and not the two seconds of the first again.
        assert!(first < Duration::from_secs(10), "{first:?}");
        assert!(second < Duration::from_secs(2), "{second:?}");
    }

    /// Two hundred handshakes that are never answered: half of them get nothing, the
    /// others a record that drips in.
    #[test]
    #[cfg(target_os = "linux")]
    fn unanswered_handshakes_leave_nothing_behind() {
        common::in_a_child(
            "direct::unanswered_handshakes_leave_nothing_behind",
            &[],
            || {
                const THREADS: usize = 8;
                const CALLS: usize = 25;
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let url = format!(
                    "https://127.0.0.1:{}",
                    listener.local_addr().unwrap().port()
                );
                let taken: Arc<Mutex<Vec<(TcpStream, bool)>>> = Arc::default();
                let to = taken.clone();
                thread::spawn(move || {
                    for (at, mut tcp) in listener.incoming().flatten().enumerate() {
                        let drips = at % 2 == 1;
                        if drips {
                            let _ = tcp.write_all(b"\x16\x03\x03\x3f\xff");
                        }
                        to.lock().unwrap().push((tcp, drips));
                    }
                });
                let drips = taken.clone();
                thread::spawn(move || {
                    loop {
                        thread::sleep(Duration::from_millis(20));
                        for (tcp, drips) in &mut *drips.lock().unwrap() {
                            if *drips {
                                let _ = tcp.write_all(&[2]);
                            }
                        }
                    }
                });
                let api = api(&url);
                // Once for what the first call sets up.
                timeout_of(&api, |api| api.me(""));
                taken.lock().unwrap().clear();
                let before = held();
                thread::scope(|scope| {
                    for _ in 0..THREADS {
                        scope.spawn(|| {
                            // On a busy machine some are over before they are connected.
                            let mut calls = 0;
                            while taken.lock().unwrap().len() < THREADS * CALLS {
                                calls += 1;
                                assert!(calls < 5 * CALLS, "few calls are connected");
                                let hasty = api.clone().with_timeout(Duration::from_millis(250));
                                assert!(hasty.me("").unwrap_err().is_timeout());
                            }
                        });
                    }
                });
                let mut taken = taken.lock().unwrap();
                assert!(taken.len() >= THREADS * CALLS);
                taken.clear();
                drop(taken);
                back_to(before);
            },
        );
    }

    /// A call runs on the thread that makes it.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_call_starts_no_thread() {
        common::in_a_child("direct::a_call_starts_no_thread", &[], || {
            let port = silent(b"", false);
            let api = http(port);
            let (before, _) = held();
            thread::scope(|scope| {
                let call = scope.spawn(|| timeout_of(&api, |api| api.me("")));
                let mut most = 0;
                while !call.is_finished() {
                    most = most.max(held().0);
                    thread::sleep(Duration::from_millis(5));
                }
                // The one that makes the call.
                assert!(most <= before + 1, "{most} threads, {before} before");
            });
        });
    }
}
