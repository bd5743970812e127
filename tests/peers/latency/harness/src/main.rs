//! A TLS server behind a link with a delay, both on the loopback interface, and
//! the clients run against it one after the other.
//!
//! The delay is that of a distant host: half the round trip on every byte each
//! way, and one whole round trip before a connection's first byte, for the TCP
//! handshake that the loopback interface does in no time.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Pages and files that a client asks for.
const COUNT: usize = 20;
const ROUNDS: usize = 3;

/// What one run of a client took.
#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    /// In user and in kernel mode, of all threads.
    cpu: Duration,
    requests: usize,
    connections: usize,
    full_handshakes: usize,
}

impl Cost {
    /// The best times of two runs, and the worst that either asked of the server.
    fn and(self, other: Cost) -> Cost {
        Cost {
            wall: self.wall.min(other.wall),
            cpu: self.cpu.min(other.cpu),
            requests: self.requests.max(other.requests),
            connections: self.connections.max(other.connections),
            full_handshakes: self.full_handshakes.max(other.full_handshakes),
        }
    }
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    full_handshakes: AtomicUsize,
    requests: AtomicUsize,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let round_trip = Duration::from_millis(
        arguments
            .next()
            .and_then(|ms| ms.parse().ok())
            .expect("milliseconds"),
    );
    let clients: Vec<(String, String)> = arguments
        .map(|client| {
            let (name, program) = client.split_once('=').expect("NAME=PROGRAM");
            (name.to_owned(), program.to_owned())
        })
        .collect();
    let (config, authority) = certificates();
    let folder = std::env::temp_dir().join(format!("mingram-latency-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    let seen = Arc::new(Seen::default());
    let server = serve(config, seen.clone());
    let link = delay(server, round_trip);
    println!(
        "{COUNT} pages of 100 media, then {COUNT} files of 20 kB, over TLS 1.3 with {} ms of delay;",
        round_trip.as_millis()
    );
    println!("the best times and the highest counts of {ROUNDS} runs each, taken in turn\n");
    println!(
        "| client | job | wall, s | to ureq | CPU, ms | to ureq | requests | connections | full handshakes |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut slow = false;
    for job in ["pages", "files"] {
        let mut best: Vec<Option<Cost>> = vec![None; clients.len()];
        for _ in 0..ROUNDS {
            for (best, (_, program)) in best.iter_mut().zip(&clients) {
                let before = [&seen.requests, &seen.connections, &seen.full_handshakes]
                    .map(|count| count.load(SeqCst));
                let used = cpu_of_children();
                let start = Instant::now();
                let status = Command::new(program)
                    .args([job, &COUNT.to_string()])
                    .env(
                        "INSTAGRAM_BASE_URL",
                        format!("https://localhost:{}", link.port()),
                    )
                    .env("SSL_CERT_FILE", &file)
                    .status()
                    .unwrap();
                let wall = start.elapsed();
                let cpu = cpu_of_children() - used;
                assert!(status.success(), "{program} failed");
                let after = [&seen.requests, &seen.connections, &seen.full_handshakes]
                    .map(|count| count.load(SeqCst));
                let run = Cost {
                    wall,
                    cpu,
                    requests: after[0] - before[0],
                    connections: after[1] - before[1],
                    full_handshakes: after[2] - before[2],
                };
                *best = Some(best.map_or(run, |best| best.and(run)));
            }
        }
        let best: Vec<Cost> = best.into_iter().flatten().collect();
        let ureq = clients.iter().position(|(name, _)| name == "ureq");
        let ureq = best[ureq.expect("a client named ureq")];
        for ((name, _), cost) in clients.iter().zip(best) {
            let ratio = cost.wall.as_secs_f64() / ureq.wall.as_secs_f64();
            println!(
                "| {name} | {job} | {:.2} | {ratio:.2} | {:.1} | {:.2} | {} | {} | {} |",
                cost.wall.as_secs_f64(),
                cost.cpu.as_secs_f64() * 1000.0,
                cost.cpu.as_secs_f64() / ureq.cpu.as_secs_f64(),
                cost.requests,
                cost.connections,
                cost.full_handshakes
            );
            // The promises: pooled, as quick as ureq; not pooled, every session
            // but the first resumed.
            slow |= cost.requests != COUNT || cost.full_handshakes > 1;
            slow |= name.contains("keep-alive") && (ratio > 1.1 || cost.connections != 1);
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
    if slow {
        println!("\nworse than promised");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The CPU time of all clients so far.
fn cpu_of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let of = |time: TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000);
    of(usage.user_time()) + of(usage.system_time())
}

/// A private authority and a certificate for `localhost` by it.
fn certificates() -> (Arc<ServerConfig>, String) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "mingram latency");
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(params, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
    (Arc::new(config), authority.pem())
}

fn serve(config: Arc<ServerConfig>, seen: Arc<Seen>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, seen) = (config.clone(), seen.clone());
            thread::spawn(move || {
                stream.set_nodelay(true).unwrap();
                let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                // A client that goes away is its own affair.
                let _ = answer(&mut tls, &seen);
                tls.conn.send_close_notify();
                let _ = tls.conn.complete_io(&mut tls.sock);
            });
        }
    });
    address
}

fn answer(tls: &mut StreamOwned<ServerConnection, TcpStream>, seen: &Seen) -> std::io::Result<()> {
    let mut first = true;
    loop {
        let mut line = String::new();
        let mut reader = BufReader::with_capacity(1, &mut *tls);
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while reader.read_line(&mut header)? > 2 {
            header.clear();
        }
        drop(reader);
        if first {
            seen.connections.fetch_add(1, SeqCst);
            if tls.conn.handshake_kind() == Some(HandshakeKind::Full) {
                seen.full_handshakes.fetch_add(1, SeqCst);
            }
            first = false;
        }
        seen.requests.fetch_add(1, SeqCst);
        let target = line.split(' ').nth(1).unwrap_or_default();
        let (kind, body) = if target.starts_with("/file/") {
            ("image/jpeg", "x".repeat(20_000))
        } else {
            ("application/json", page(target))
        };
        write!(
            tls,
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        tls.flush()?;
    }
}

fn page(target: &str) -> String {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let after = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("after=c"));
    let from: usize = after.map_or(0, |cursor| cursor.parse().unwrap());
    let data: Vec<String> = (from..from + 100)
        .map(|id| {
            format!(
                r#"{{"id":"{}","caption":"number {id}","media_type":"IMAGE","media_url":"https:\/\/scontent.cdninstagram.com\/v\/{id}.jpg?{}","permalink":"https:\/\/www.instagram.com\/p\/x{id}\/","timestamp":"2017-08-31T18:10:00+0000","username":"jayposiris"}}"#,
                17_895_695_668_000_000u64 + id as u64,
                "s".repeat(300)
            )
        })
        .collect();
    let to = from + 100;
    let next = if to < COUNT * 100 {
        format!(r#","next":"https://x/?after=c{to}""#)
    } else {
        String::new()
    };
    format!(
        r#"{{"data":[{}],"paging":{{"cursors":{{"before":"c{from}","after":"c{to}"}}{next}}}}}"#,
        data.join(",")
    )
}

/// A link to `server` with this round trip.
fn delay(server: SocketAddr, round_trip: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let far = TcpStream::connect(server).unwrap();
            let open = Instant::now() + round_trip;
            carry(
                client.try_clone().unwrap(),
                far.try_clone().unwrap(),
                round_trip / 2,
                open,
            );
            carry(far, client, round_trip / 2, open);
        }
    });
    address
}

fn carry(mut from: TcpStream, mut to: TcpStream, way: Duration, open: Instant) {
    to.set_nodelay(true).unwrap();
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            let sent = Instant::now().max(open);
            if sender.send((sent + way, piece[..length].to_vec())).is_err() {
                return;
            }
        }
        let _ = sender.send((Instant::now().max(open) + way, Vec::new()));
    });
    thread::spawn(move || {
        for (at, piece) in receiver {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if piece.is_empty() || to.write_all(&piece).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
