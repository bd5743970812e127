//! A feed of made-up media, about 1 KB each, on the loopback interface.
//!
//! `feed-server ITEMS` prints its address and serves until its standard input
//! ends. `feed-server ITEMS gzip` compresses for clients that ask for it; it then
//! prints how many requests there were, and the bytes received and sent.
//! `feed-server ITEMS page` prints the JSON of the first page.

use flate2::{Compression, write::GzEncoder};
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

/// Requests, bytes received and bytes sent.
static COUNTS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let items: usize = args
        .next()
        .and_then(|n| n.parse().ok())
        .expect("how many items");
    let mode = args.next().unwrap_or_default();
    if mode == "page" {
        print!("{}", page(0, 100.min(items), items));
        return Ok(());
    }
    let offers_gzip = mode == "gzip";
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream, items, offers_gzip));
        }
    });
    io::stdin().read_to_end(&mut Vec::new())?;
    if offers_gzip {
        let [requests, received, sent] = COUNTS.each_ref().map(|count| count.load(Relaxed));
        println!("{requests} {received} {sent}");
    }
    Ok(())
}

fn serve(stream: TcpStream, items: usize, offers_gzip: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let (mut close, mut gzip) = (false, false);
        let mut header = String::new();
        let mut received = line.len();
        loop {
            let length = reader.read_line(&mut header)?;
            received += length;
            if length <= 2 {
                break;
            }
            header.make_ascii_lowercase();
            close |= header.starts_with("connection: close");
            gzip |=
                offers_gzip && header.starts_with("accept-encoding:") && header.contains("gzip");
            header.clear();
        }
        let target = line.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let number = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
                .and_then(|value| value.trim_start_matches('c').parse::<usize>().ok())
        };
        let (status, body) = match path {
            "/me" => ("200 OK", profile(items)),
            "/me/media" => {
                let from = number("after").unwrap_or(0);
                let to = (from + number("limit").unwrap_or(25)).min(items);
                ("200 OK", page(from, to, items))
            }
            _ => (
                "400 Bad Request",
                r#"{"error":{"message":"Unsupported get request","type":"IGApiException","code":100,"fbtrace_id":"A"}}"#.to_owned(),
            ),
        };
        let (body, coding) = match gzip {
            true => (compressed(&body)?, "Content-Encoding: gzip\r\n"),
            false => (body.into_bytes(), ""),
        };
        // The headers that Meta's replies carry, as far as they have weight.
        let reply = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json; charset=UTF-8\r\n\
             Vary: Origin\r\nx-app-usage: {{\"call_count\":28,\"total_time\":25,\"total_cputime\":25}}\r\n\
             x-fb-rlafr: 0\r\nfacebook-api-version: v25.0\r\nStrict-Transport-Security: max-age=15552000; preload\r\n\
             Pragma: no-cache\r\nCache-Control: private, no-cache, no-store, must-revalidate\r\n\
             Expires: Sat, 01 Jan 2000 00:00:00 GMT\r\nx-fb-request-id: AbCdEfGhIjKlMnOpQrStUvW\r\n\
             x-fb-trace-id: DkXyZ0123456\r\nx-fb-rev: 1012345678\r\nX-FB-Debug: {}\r\n\
             Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n{}{coding}Content-Length: {}\r\n\r\n",
            "A".repeat(88),
            if close { "Connection: close\r\n" } else { "" },
            body.len()
        );
        let stream = reader.get_mut();
        stream.write_all(reply.as_bytes())?;
        stream.write_all(&body)?;
        let counted = [1, received, reply.len() + body.len()];
        for (count, more) in COUNTS.iter().zip(counted) {
            count.fetch_add(more as u64, Relaxed);
        }
        if close {
            return Ok(());
        }
    }
}

/// With the level that servers use unless told otherwise.
fn compressed(body: &str) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(body.as_bytes())?;
    encoder.finish()
}

fn profile(items: usize) -> String {
    format!(
        r#"{{"id":"17841405793187218","username":"jayposiris","account_type":"BUSINESS","media_count":{items}}}"#
    )
}

fn page(from: usize, to: usize, items: usize) -> String {
    let mut out = String::from(r#"{"data":["#);
    for i in from..to {
        if i > from {
            out.push(',');
        }
        media(&mut out, i);
    }
    let _ = write!(
        out,
        r#"],"paging":{{"cursors":{{"before":"c{from}","after":"c{to}"}}"#
    );
    if to < items {
        let _ = write!(
            out,
            r#","next":"https:\/\/graph.instagram.com\/v25.0\/17841405793187218\/media?access_token=IGQVJsample&fields=id\u00252Ccaption&limit=100&after=c{to}""#
        );
    }
    out.push_str("}}");
    out
}

/// Numbers without a pattern, below `most`.
fn noise(seed: usize, most: u64) -> impl FnMut() -> usize {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 32) % most) as usize
    }
}

/// Like the codes and signatures in recorded replies, which hardly compress.
fn code(seed: usize, length: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let mut next = noise(seed, 64);
    (0..length).map(|_| char::from(LETTERS[next()])).collect()
}

/// A caption of this length.
fn words(seed: usize, length: usize) -> String {
    const WORDS: &str = "a about after again all along and at back before boat bread but by cold come day door \
        down early every few first for from garden gone green gulls half harbour here home house in its \
        last late light little long morning my never new nobody not of old on once one our over rain road \
        sea small snow so stone street summer the then there they this to tree under walk was water we \
        week were what where wind window winter with year yellow you";
    let all: Vec<&str> = WORDS.split(' ').collect();
    let mut next = noise(seed, all.len() as u64);
    let mut out = String::new();
    while out.len() < length {
        out = out + all[next()] + " ";
    }
    out.truncate(length - 1);
    out + "."
}

/// Escapes, lengths and gaps as in recorded replies.
fn media(out: &mut String, i: usize) {
    let (kind, file) = match i % 5 {
        0 => ("VIDEO", "mp4"),
        1 => ("CAROUSEL_ALBUM", "jpg"),
        _ => ("IMAGE", "jpg"),
    };
    let _ = write!(
        out,
        r#"{{"id":"{}","#,
        17_895_695_668_004_550 + i * 1_234_567
    );
    if i % 4 > 0 {
        let _ = write!(
            out,
            r#""caption":"No. {i} \ud83c\udf0a {}\n#sea #morning {}","#,
            words(i, 55),
            words(i + 7, 56 * (1 + i % 5) - 1)
        );
    }
    let _ = write!(out, r#""media_type":"{kind}","#);
    let url = |out: &mut String, name: &str, file: &str| {
        let seed = i * 8 + usize::from(name == "thumbnail_url") * 3;
        let _ = write!(
            out,
            r#""{name}":"https:\/\/scontent-fra5-1.cdninstagram.com\/v\/t51.29350-15\/{}_{}_n.{file}?_nc_cat=1{}&ccb=1-7&_nc_sid=18de74&efg=eyJ{}&_nc_ohc={}&_nc_zt=23&_nc_ht=scontent-fra5-1.cdninstagram.com&edm=ANo9K5cEAAAA&oh=00_{}&oe=6923F1C{}","#,
            400_000_000 + i,
            900_000_000_000_000 + noise(seed, 100_000_000)() * 654_321,
            i % 10,
            "ZXhhbXBsZS1vZi1hLWxvbmctdmFsdWU",
            code(seed + 1, 19),
            code(seed + 2, 40),
            i % 10
        );
    };
    url(out, "media_url", file);
    let _ = write!(
        out,
        r#""permalink":"https:\/\/www.instagram.com\/p\/C{}\/","#,
        code(i * 8 + 7, 10)
    );
    if i % 5 == 0 {
        url(out, "thumbnail_url", "jpg");
    }
    let _ = write!(
        out,
        r#""timestamp":"20{:02}-{:02}-{:02}T{:02}:{:02}:00+0000","username":"jayposiris"}}"#,
        25 - i / 400 % 25,
        12 - i / 30 % 12,
        28 - i % 28,
        i % 24,
        i % 60
    );
}
