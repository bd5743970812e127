//! How much memory a reply takes that is crafted to take much. Every case runs in a process
//! of its own, because a process keeps memory that it has used. Not on other processors:
//! CI emulates them, and would count the emulator's memory too.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use mingram::transport::{Request, Response, Transport};
use mingram::{Api, ErrorKind, Result};
use std::io::Cursor;
use std::process::Command;
use std::sync::Mutex;
use std::{env, fs};

/// Answers one request with this body and its coding.
struct Body(Mutex<Vec<u8>>, &'static str);

impl Transport for Body {
    fn send(&self, _: &Request<'_>) -> Result<Response> {
        let body = std::mem::take(&mut *self.0.lock().unwrap());
        Ok(Response::new(
            200,
            vec![
                ("Content-Length".to_owned(), body.len().to_string()),
                ("Content-Encoding".to_owned(), self.1.to_owned()),
            ],
            Cursor::new(body),
        ))
    }
}

/// The default limit.
const LIMIT: usize = 8 * 1024 * 1024;

/// Start, repeated part, end; how often it is repeated, or else up to the limit.
const CASES: [(&str, &str, &str, Option<usize>); 9] = [
    // The most objects.
    (
        r#"{"data":["#,
        r#"{"id":1},"#,
        r#"{"id":1}]}"#,
        Some(99_990),
    ),
    // One more than that, and all of the limit.
    (r#"{"data":["#, r#"{"id":1},"#, r#"{"id":1}]}"#, None),
    // The most objects, and texts up to the limit.
    (
        r#"{"data":["#,
        r#"{"id":1,"username":"u","permalink":"p","caption":"c","alt_text":"t"},"#,
        r#"{"id":1}]}"#,
        Some(99_990),
    ),
    // A list with one item has room for four.
    (
        r#"{"data":["#,
        r#"{"id":1,"children":{"data":[{"id":1}]}},"#,
        r#"{"id":1}]}"#,
        Some(24_990),
    ),
    (r#"{"error":["#, "1,", "1]}", None),
    (r#"{"error":{"#, r#""":1,"#, r#""":1}}"#, None),
    (r#"{"data":[],"paging":{"x":["#, "1,", "1]}}", None),
    (r#"{"data":[],"paging":{"x":["#, r#""a","#, "1]}}", None),
    // A text that is decoded, in a reply that is then refused.
    (r#"{"data":[{"id":1,"caption":""#, r"a\n", r#""}],}"#, None),
];

fn body((start, part, end, count): (&str, &str, &str, Option<usize>)) -> String {
    let count = count.unwrap_or((LIMIT - start.len() - end.len()) / part.len());
    let body = [start, &part.repeat(count), end].concat();
    assert!(body.len() <= LIMIT);
    body
}

/// A line of this process's status, in bytes.
fn memory(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<usize>().unwrap() * 1024
}

/// The peak of a case in a process of its own, and what the call came to.
fn in_a_child(case: &str) -> (usize, String) {
    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "no_reply_takes_more_than_25_times_the_limit",
            "--nocapture",
        ])
        .env("MINGRAM_MEMORY_CASE", case)
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix("memory: "));
    let (peak, outcome) = line.expect(&output).split_once(' ').unwrap();
    (peak.parse().unwrap(), outcome.to_owned())
}

#[cfg(feature = "gzip")]
const BOMB: &str = "bomb";

/// 1 GiB of spaces in 1 MB.
#[cfg(feature = "gzip")]
fn bomb() -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&[b' '; 1024 * 1024]).unwrap();
    encoder.finish().unwrap().repeat(1024)
}

/// A bomb takes what a plain reply takes that is longer than the limit: the bytes up to the
/// limit, in a buffer that has grown by doubling.
#[test]
#[cfg(feature = "gzip")]
fn a_bomb_takes_no_more_than_the_limit() {
    let (peak, outcome) = in_a_child(BOMB);
    println!("the bomb takes {peak:10}");
    assert_eq!(outcome, format!("Err({:?})", ErrorKind::TooLarge));
    assert!(peak < 3 * LIMIT, "{peak} bytes");
}

#[test]
fn no_reply_takes_more_than_25_times_the_limit() {
    if let Ok(case) = env::var("MINGRAM_MEMORY_CASE") {
        let (body, coding) = match case.as_str() {
            #[cfg(feature = "gzip")]
            BOMB => (bomb(), "gzip"),
            case => (
                body(CASES[case.parse::<usize>().unwrap()]).into(),
                "identity",
            ),
        };
        // Resets the peak, if the system allows it.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let before = memory("VmRSS:");
        let api = Api::new("IGQVJ").with_transport(Body(Mutex::new(body), coding));
        let page = api.my_media("").pages().next().unwrap();
        let outcome = page.map(|page| page.data.len());
        let peak = memory("VmHWM:").saturating_sub(before);
        let outcome = outcome.map_err(|error| error.kind());
        println!("\nmemory: {peak} {outcome:?}");
        return;
    }
    let mut outcomes = Vec::new();
    for (index, case) in CASES.into_iter().enumerate() {
        let (peak, outcome) = in_a_child(&index.to_string());
        let length = body(case).len();
        println!(
            "{length:8} bytes take {peak:10}, {:5.2} of the limit: {outcome}",
            peak as f64 / LIMIT as f64
        );
        assert!(peak < 25 * LIMIT, "case {index}: {peak} bytes");
        outcomes.push(outcome);
    }
    let most = format!("Err({:?})", ErrorKind::TooLarge);
    let refused = format!("Err({:?})", ErrorKind::Decode);
    let empty = "Ok(0)";
    assert_eq!(
        outcomes,
        [
            "Ok(99991)",
            &most,
            "Ok(99991)",
            "Ok(24991)",
            &refused,
            "Err(Api)",
            empty,
            empty,
            &refused
        ]
    );
}
