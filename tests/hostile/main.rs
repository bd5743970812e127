//! Everything a network or a server can do, one row a case: what is sent, and
//! what the caller is told. Real sockets on the loopback interface, through
//! the default transport.
//!
//! Of every row it is checked that it ends within its deadline and three seconds, and
//! before the deadline where it is to come to something else, that nothing
//! panics, and that no error shows the token.

#[path = "../common/mod.rs"]
mod common;

mod files;
mod input;
mod replies;
mod wire;

use common::Server;
pub use common::in_a_child;
use common::replay::Received;
use common::secrets::{found, shown};
use mingram::auth::{App, Code};
use mingram::{Api, ErrorKind, MediaField, UserField};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub const TOKEN: &str = "IGQVJ/hostile%3Dworld+token~X";
pub const CLIENT_SECRET: &str = "5ec&ret/of=the%2Fapp";
pub const CODE: &str = "AQD-code/of%20the=login";

/// What `Api::with_timeout` is set to where the time is to run out.
pub const DEADLINE: Duration = Duration::from_secs(1);

/// How much later a call may be over on a busy machine. minreq's own limit is five deadlines.
const BUSY: Duration = Duration::from_secs(3);

/// What it is set to where it is not, on the slowest of machines.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What `Api::with_body_limit` is set to.
pub const CAP: usize = 64 * 1024;

/// More than the socket buffers of both ends hold, and far less than an
/// endless reply would bring in a second.
const BUFFERS: usize = 32 * 1024 * 1024;

/// What a server does with a connection whose request it has read.
#[derive(Clone)]
pub enum Do {
    Send(Vec<u8>),
    /// A byte each tenth of the deadline.
    Drip(Vec<u8>),
    /// The same again and again, until the client goes away.
    Endless(Vec<u8>),
    Wait(Duration),
    /// Nothing, until the client goes away.
    Hang,
}

/// What a caller asks for, and what of the answer is compared.
pub type Call = fn(&Api, &Server) -> mingram::Result<String>;

pub enum Want {
    Gives(String),
    Fails(ErrorKind, &'static str),
}

pub struct Row {
    pub name: String,
    /// One entry for each connection; the last from then on.
    pub server: Vec<Vec<Do>>,
    pub call: Call,
    pub want: Want,
}

pub fn row(name: impl Into<String>, server: Vec<Do>, call: Call, want: Want) -> Row {
    Row {
        name: name.into(),
        server: vec![server],
        call,
        want,
    }
}

/// A row whose server answers each connection differently.
pub fn rows_of_replies(name: &str, replies: Vec<Vec<u8>>, call: Call, want: Want) -> Row {
    Row {
        name: name.into(),
        server: replies.into_iter().map(sends).collect(),
        call,
        want,
    }
}

pub fn sends(reply: impl Into<Vec<u8>>) -> Vec<Do> {
    vec![Do::Send(reply.into())]
}

pub fn gives(text: impl Into<String>) -> Want {
    Want::Gives(text.into())
}

pub fn fails(kind: ErrorKind, piece: &'static str) -> Want {
    Want::Fails(kind, piece)
}

/// What the two transports differ in: minreq, and mingram's own (the feature
/// `keep-alive`).
pub fn either<T>(minreq: T, keep_alive: T) -> T {
    if common::DIRECT { keep_alive } else { minreq }
}

/// A reply with a JSON body and its length.
pub fn json(body: &str) -> Vec<u8> {
    common::json("200 OK", body).into_bytes()
}

pub fn me(api: &Api, _: &Server) -> mingram::Result<String> {
    api.me([UserField::Id]).map(|user| user.id)
}

/// The ids of the whole feed.
pub fn feed(api: &Api, _: &Server) -> mingram::Result<String> {
    let media = api.my_media([MediaField::Id]).into_iter();
    let ids: Result<Vec<String>, _> = media.map(|media| media.map(|media| media.id)).collect();
    Ok(ids?.join(" "))
}

pub fn file(api: &Api, server: &Server) -> mingram::Result<String> {
    let mut file = Vec::new();
    let length = api
        .download(&format!("{}/f.jpg", server.url()))
        .accept_any_type()
        .write_to(&mut file)?;
    assert_eq!(length, file.len() as u64);
    Ok(String::from_utf8(file).unwrap())
}

pub fn app() -> App {
    App::new(
        "990602627938098",
        CLIENT_SECRET,
        "https://example.com/auth/",
    )
}

pub fn login(api: &Api, _: &Server) -> mingram::Result<String> {
    let token = api.exchange_code(&app(), &Code::new(CODE))?;
    Ok(token.token.expose().to_owned())
}

/// The token and how many seconds it is good for.
pub fn exchange(api: &Api, _: &Server) -> mingram::Result<String> {
    let token = api.exchange_token(&app())?;
    let seconds = token.expires_in.map(|time| time.as_secs());
    // Whatever the server said, this must not panic.
    let _ = token.expires_at();
    Ok(format!("{} {seconds:?}", token.token.expose()))
}

pub fn refresh(api: &Api, _: &Server) -> mingram::Result<String> {
    Ok(api.refresh_token()?.token.expose().to_owned())
}

pub fn api_for(server: &Server) -> Api {
    common::api(&server.url())
        .with_token(TOKEN)
        .with_timeout(PATIENCE)
        .with_download_timeout(PATIENCE)
        .with_body_limit(CAP)
}

/// Makes the call, which is over three seconds after its time at the latest, even on a busy
/// machine, and whose error shows no secret.
#[track_caller]
pub fn timed<T>(
    timeout: Duration,
    call: impl FnOnce() -> mingram::Result<T>,
) -> mingram::Result<T> {
    let start = Instant::now();
    let outcome = call();
    let took = start.elapsed();
    assert!(took < timeout + BUSY, "took {took:?}");
    if let Err(error) = &outcome {
        assert_eq!(found(&shown(error), &[TOKEN, CLIENT_SECRET, CODE]), None);
    }
    outcome
}

fn serve(steps: &[Do], stream: &mut TcpStream, pushed: &AtomicUsize) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let gone = |stream: &mut TcpStream| {
        let _ = stream.read(&mut [0; 16]);
    };
    for step in steps {
        match step {
            Do::Send(bytes) => stream.write_all(bytes)?,
            Do::Drip(bytes) => {
                for byte in bytes {
                    stream.write_all(&[*byte])?;
                    thread::sleep(DEADLINE / 10);
                }
            }
            Do::Endless(piece) => {
                let piece = piece.repeat(16 * 1024 / piece.len() + 1);
                loop {
                    stream.write_all(&piece)?;
                    pushed.fetch_add(piece.len(), Ordering::SeqCst);
                }
            }
            Do::Wait(time) => thread::sleep(*time),
            Do::Hang => gone(stream),
        }
    }
    stream.shutdown(Shutdown::Write)?;
    gone(stream);
    Ok(())
}

fn try_row(row: Row) -> Result<(), String> {
    let fail = |what: String| Err(format!("{}: {what}", row.name));
    let pushed = Arc::new(AtomicUsize::new(0));
    let count = pushed.clone();
    let turn = AtomicUsize::new(0);
    let steps = row.server;
    let server = Server::start(move |_: &Received, stream| {
        let turn = turn.fetch_add(1, Ordering::SeqCst);
        // A client that goes away is what is tested.
        let _ = serve(&steps[turn.min(steps.len() - 1)], stream, &count);
    });
    // What waits for nothing has no need of its time.
    let (timeout, most) = match row.want {
        Want::Fails(ErrorKind::Timeout, _) => (DEADLINE, DEADLINE + BUSY),
        _ => (PATIENCE, PATIENCE + BUSY),
    };
    let api = api_for(&server)
        .with_timeout(timeout)
        .with_download_timeout(timeout);
    let start = Instant::now();
    let outcome = (row.call)(&api, &server);
    let took = start.elapsed();
    if took > most {
        return fail(format!("took {took:?}"));
    }
    let pushed = pushed.load(Ordering::SeqCst);
    if pushed > BUFFERS {
        return fail(format!("{pushed} bytes went in"));
    }
    check(&row.name, &row.want, &outcome)
}

/// Checks the outcome of a row, whatever made the call.
pub fn check(name: &str, want: &Want, outcome: &mingram::Result<String>) -> Result<(), String> {
    let fail = |what: String| Err(format!("{name}: {what}"));
    if let Err(error) = outcome {
        if let Some(secret) = found(&shown(error), &[TOKEN, CLIENT_SECRET, CODE]) {
            return fail(format!("shows {secret}"));
        }
        if error.to_string().len() >= 4096 {
            return fail(format!("is {} bytes long", error.to_string().len()));
        }
        if error.to_string().contains(char::is_control) {
            return fail(format!("is not one line: {error:?}"));
        }
    }
    match (want, outcome) {
        (Want::Gives(text), Ok(got)) if text == got => Ok(()),
        (Want::Fails(kind, piece), Err(error))
            if error.kind() == *kind && error.to_string().contains(piece) =>
        {
            Ok(())
        }
        (Want::Gives(text), _) => fail(format!("wanted {text:?}, got {outcome:?}")),
        (Want::Fails(kind, piece), _) => {
            fail(format!("wanted {kind:?} with {piece:?}, got {outcome:?}"))
        }
    }
}

/// Tries all rows, many at a time, and tells of every one that failed.
pub fn try_all(rows: Vec<Row>) {
    const AT_ONCE: usize = 24;
    let mut failed = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let running: Vec<_> = rows
            .by_ref()
            .take(AT_ONCE)
            .map(|row| (row.name.clone(), thread::spawn(|| try_row(row))))
            .collect();
        for (name, thread) in running {
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(message)) => failed.push(message),
                Err(_) => failed.push(format!("{name}: panicked")),
            }
        }
    }
    assert!(failed.is_empty(), "\n{}\n", failed.join("\n"));
}
