//! A server on the loopback interface that plays recorded exchanges, for tests of
//! sockets and of programs. Other tests use `mingram::transport::Replay`.
//!
//! It answers a request that was recorded with the recorded bytes and refuses
//! any other.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What stands for the access token in every fixture.
pub const TOKEN: &str = "IGQVJsample";

/// A request and the reply that came to it.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub name: String,
    pub method: String,
    /// Scheme, host and port, as `https://graph.instagram.com`.
    pub origin: String,
    /// Path and query, as they stand in the request line.
    pub target: String,
    /// The form of a `POST`.
    pub form: String,
    /// Status line, headers, empty line and body.
    pub reply: Vec<u8>,
}

impl Exchange {
    /// Reads a fixture: comment lines, the request line, the form if there is one, an
    /// empty line, and the reply.
    pub fn parse(name: &str, mut file: &[u8]) -> Result<Exchange, String> {
        let fail = |what: &str| Err(format!("{name}: {what}"));
        while file.starts_with(b"#") {
            let end = file.iter().position(|&byte| byte == b'\n');
            file = &file[end.map_or(file.len(), |end| end + 1)..];
        }
        let Some(end) = file.windows(2).position(|two| two == b"\n\n") else {
            return fail("no empty line after the request");
        };
        let Ok(request) = std::str::from_utf8(&file[..end]) else {
            return fail("the request is not UTF-8");
        };
        let (line, form) = request.split_once('\n').unwrap_or((request, ""));
        let Some((method, url)) = line.split_once(' ') else {
            return fail("the request line is not `METHOD ADDRESS`");
        };
        let path = url
            .find("://")
            .and_then(|scheme| Some(scheme + 3 + url[scheme + 3..].find('/')?));
        let Some(path) = path else {
            return fail("the address of the request has no host and path");
        };
        Ok(Exchange {
            name: name.to_owned(),
            method: method.to_owned(),
            origin: url[..path].to_owned(),
            target: url[path..].to_owned(),
            form: form.to_owned(),
            reply: without_date(&file[end + 2..]),
        })
    }

    fn answers(&self, request: &Received) -> bool {
        self.method == request.method && self.target == request.target && self.form == request.body
    }
}

/// The reply without the `Date` of its recording: a server sends the time of day.
fn without_date(reply: &[u8]) -> Vec<u8> {
    let header = reply.windows(8).position(|eight| eight == b"\r\nDate: ");
    let head = reply.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(start) = header.filter(|header| Some(*header) < head) else {
        return reply.to_owned();
    };
    let line = reply[start + 2..].iter().position(|&byte| byte == b'\r');
    let end = start + 2 + line.unwrap_or_default();
    [&reply[..start], &reply[end..]].concat()
}

/// A request as the server read it.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    /// The host that the request was sent to, with its port.
    pub fn host(&self) -> &str {
        let host = self.headers.iter().find(|(name, _)| name == "host");
        host.map_or("", |(_, host)| host)
    }
}

/// The server; it stops when it is dropped.
pub struct Replay {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Replay {
    /// Listens on a free port of the loopback interface. Of several exchanges
    /// with the same request, each is played once, and the last from then on.
    pub fn start(exchanges: Vec<Exchange>) -> io::Result<Replay> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let replay = Replay {
            address: listener.local_addr()?,
            received: Arc::default(),
            connections: Arc::default(),
            stop: Arc::default(),
        };
        let (received, stop) = (replay.received.clone(), replay.stop.clone());
        let connections = replay.connections.clone();
        let played = Arc::new(Mutex::new(vec![false; exchanges.len()]));
        let exchanges = Arc::new(exchanges);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                connections.fetch_add(1, Ordering::SeqCst);
                let (exchanges, played, received) =
                    (exchanges.clone(), played.clone(), received.clone());
                thread::spawn(move || {
                    // A client that goes away is its own affair.
                    let _ = serve(stream, &exchanges, &played, &received);
                });
            }
        });
        Ok(replay)
    }

    /// For `Api::with_base_url` and `Api::with_login_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Every request so far, in the order they came.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers the requests of one connection until the client ends it.
fn serve(
    stream: TcpStream,
    exchanges: &[Exchange],
    played: &Mutex<Vec<bool>>,
    received: &Mutex<Vec<Received>>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        received.lock().unwrap().push(request.clone());
        let mut matching: Vec<usize> = (0..exchanges.len())
            .filter(|&i| exchanges[i].answers(&request))
            .collect();
        let last = matching.pop();
        let mut played = played.lock().unwrap();
        let chosen = matching.into_iter().find(|&i| !played[i]).or(last);
        if let Some(i) = chosen {
            played[i] = true;
        }
        drop(played);
        let stream = reader.get_mut();
        match chosen {
            Some(i) => stream.write_all(&exchanges[i].reply)?,
            None => {
                // With the token, it would not be shown.
                let target = request.target.replace("access_token", "token");
                let target = target.replace(TOKEN, "..");
                let body = format!("not recorded: {} {target}", request.method);
                write!(
                    stream,
                    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )?;
            }
        }
        stream.flush()?;
    }
    Ok(())
}

/// One request, or `None` where the client has ended the connection.
pub fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Received>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let mut request = Received {
        method: method.into(),
        target: target.into(),
        headers: Vec::new(),
        body: String::new(),
    };
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        request
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    reader.take(length).read_to_string(&mut request.body)?;
    Ok(Some(request))
}
