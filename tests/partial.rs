//! Downloads to a file that continue: after a broken connection, and in a later call.

mod common;

use common::replay::{Received, TOKEN};
use common::{Folder, Server, TestClock, reply};
use mingram::{Error, ErrorKind};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::ops::ControlFlow::{Break, Continue};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

/// A later call continues at a multiple of this.
const BLOCK: usize = 8 * MIB;

/// What the file of this version contains.
fn bytes(version: &str, length: usize) -> Vec<u8> {
    let seed = version.bytes().fold(7, |seed: u32, byte| {
        seed.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    let byte = |at: usize| (((at as u32 / 7).wrapping_mul(2_654_435_761) ^ seed) >> 11) as u8;
    let mut bytes: Vec<u8> = (0..length).map(byte).collect();
    // No page of text begins like this.
    bytes[0] = 0xff;
    bytes
}

fn header<'a>(request: &'a Received, name: &str) -> Option<&'a str> {
    let header = request.headers.iter().find(|(key, _)| key == name);
    header.map(|(_, value)| value.as_str())
}

/// The ranges of all requests.
fn ranges(server: &Server) -> Vec<Option<String>> {
    let received = server.received();
    let range = |request| header(request, "range").map(str::to_owned);
    received.iter().map(range).collect()
}

/// Sends what is asked for of a file, as a server that knows versions does, and at most `cut`
/// bytes of it.
fn send(request: &Received, stream: &mut TcpStream, version: &str, file: &[u8], cut: usize) {
    let tag = format!("\"{version}\"");
    let range = header(request, "range").filter(|_| header(request, "if-range") == Some(&tag));
    let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    let from: usize = from.map_or(0, |from| from.parse().unwrap());
    let total = file.len();
    let head = match from {
        0 => "200 OK\r\n".to_owned(),
        _ => format!(
            "206 Partial Content\r\nContent-Range: bytes {from}-{}/{total}\r\n",
            total - 1
        ),
    };
    let length = total - from;
    let head = format!("HTTP/1.1 {head}ETag: {tag}\r\nContent-Length: {length}\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&file[from..][..length.min(cut)]);
}

/// A server whose connections break after this many bytes, in turn; the last count from
/// then on.
fn breaking(version: &'static str, file: Vec<u8>, cuts: Vec<usize>) -> Server {
    let next = AtomicUsize::new(0);
    Server::start(move |request, stream| {
        let turn = next.fetch_add(1, Ordering::SeqCst).min(cuts.len() - 1);
        send(request, stream, version, &file, cuts[turn]);
    })
}

fn whole(version: &'static str, file: Vec<u8>) -> Server {
    breaking(version, file, vec![usize::MAX])
}

#[test]
fn a_file_gets_its_name_when_it_is_complete() {
    for length in [1, 300_000, BLOCK + 1] {
        let (file, directory) = (bytes("v1", length), Folder::new());
        let server = whole("v1", file.clone());
        let (api, url) = (server.api(), server.url());
        let path = directory.0.join("a.mp4");
        fs::write(&path, "an old file").unwrap();
        let mut seen = Vec::new();
        let download = api.download(&url).on_progress(|done, total| {
            assert_eq!(fs::read(&path).unwrap(), b"an old file");
            seen.push((done, total));
            Continue(())
        });
        let saved = download.save_resumable(&path).unwrap();
        assert_eq!(saved.length, length as u64);
        let version = format!("{length} \"v1\"").parse().unwrap();
        assert_eq!(saved.version, Some(version));
        assert!(fs::read(&path).unwrap() == file);
        assert_eq!(directory.names(), ["a.mp4"]);
        assert!(seen.is_sorted() && seen[0] == (0, Some(length as u64)));
        assert_eq!(seen.last().unwrap().0, length as u64);
    }
}

/// One call, and many connections.
#[test]
fn a_connection_that_breaks_is_replaced() {
    let (file, directory) = (bytes("v1", 300_000), Folder::new());
    let path = directory.0.join("a.mp4");
    let cuts = vec![100_000, 0, 50_000, 1, 0, 149_998, 1];
    let server = breaking("v1", file.clone(), cuts);
    let api = server.api().with_clock(TestClock::new(0)).with_retries(2);
    let url = server.url();
    api.download(&url).save_resumable(&path).unwrap();
    assert!(fs::read(&path).unwrap() == file);
    assert_eq!(directory.names(), ["a.mp4"]);
    let from = |byte: usize| Some(format!("bytes={byte}-"));
    let expected = [
        None,
        from(100_000),
        from(100_000),
        from(150_000),
        from(150_001),
        from(150_001),
        from(299_999),
    ];
    assert_eq!(ranges(&server), expected);
    // It gives up if it is not retried any more, and no other byte came.
    for (retries, requests) in [(0, 1), (1, 2), (2, 3)] {
        let directory = Folder::new();
        let path = directory.0.join("a.mp4");
        let server = breaking("v1", file.clone(), vec![100, 0]);
        let api = server.api().with_clock(TestClock::new(0));
        let url = server.url();
        let download = api.with_retries(retries);
        let error = download.download(&url).save_resumable(&path).unwrap_err();
        let start = format!("GET 127.0.0.1: {} cannot be saved: ", path.display());
        assert!(error.to_string().starts_with(&start), "{error}");
        assert!(error.is_transient() && error.kind() == ErrorKind::Truncated);
        assert_eq!(server.received().len(), requests, "{retries}");
        assert_eq!(directory.names(), ["a.mp4.part"]);
        assert_eq!(
            fs::read(directory.0.join("a.mp4.part")).unwrap(),
            &file[..100]
        );
    }
}

/// What a call leaves when it ends early, and what a later one makes of it.
#[test]
fn a_later_call_continues() {
    let (file, directory) = (bytes("v1", 2 * BLOCK + MIB), Folder::new());
    let path = directory.0.join("a.mp4");
    let (part, note) = (
        directory.0.join("a.mp4.part"),
        directory.0.join("a.mp4.version.part"),
    );
    let server = breaking("v1", file.clone(), vec![BLOCK + MIB, BLOCK, usize::MAX]);
    let (api, url) = (server.api(), server.url());
    let save = || api.download(&url).save_resumable(&path);
    let mut lengths = Vec::new();
    while let Err(error) = save() {
        assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
        assert_eq!(directory.names(), ["a.mp4.part", "a.mp4.version.part"]);
        let version = format!("{} \"v1\"\n", file.len());
        assert_eq!(fs::read_to_string(&note).unwrap(), version);
        let held = fs::read(&part).unwrap();
        assert!(file.starts_with(&held));
        lengths.push(held.len());
    }
    assert_eq!(lengths, [BLOCK + MIB, 2 * BLOCK]);
    assert!(fs::read(&path).unwrap() == file);
    assert_eq!(directory.names(), ["a.mp4"]);
    let again = || Some(format!("bytes={BLOCK}-"));
    assert_eq!(ranges(&server), [None, again(), again()]);
}

/// Whatever is there from before: it is continued if it is certain to be of the version that
/// the server has, and replaced otherwise.
#[test]
fn what_is_there_from_before() {
    let length = 2 * BLOCK + MIB;
    let (file, other) = (bytes("v1", length), bytes("v2", length));
    let note = format!("{length} \"v1\"\n");
    let holes = [vec![0; MIB], file[MIB..].to_vec()].concat();
    let longer = [&file[..], &other[..MIB]].concat();
    let damaged_end = [&file[..2 * BLOCK], &[0; MIB]].concat();
    for (held, note, range) in [
        (&file[..2 * BLOCK + 1], Some(note.as_str()), Some(2 * BLOCK)),
        (&file[..2 * BLOCK], Some(&note), Some(BLOCK)),
        (&file, Some(&note), Some(2 * BLOCK)),
        (&longer, Some(&note), Some(2 * BLOCK)),
        (&damaged_end, Some(&note), Some(2 * BLOCK)),
        // Too short; a lost beginning.
        (&file[..BLOCK], Some(&note), None),
        (&[], Some(&note), None),
        (&holes, Some(&note), None),
        // No version, or a torn one; another file in its place.
        (&file, None, None),
        (&file, Some(""), None),
        (&file, Some(&note[..6]), None),
        (&file, Some(&"x".repeat(5000)), None),
        // Of another version: the server compares it.
        (&other, Some(&note.replace("v1", "v2")), Some(2 * BLOCK)),
        (&other, Some(&note.replace("17", "18")), Some(2 * BLOCK)),
    ] {
        let directory = Folder::new();
        let path = directory.0.join("a.mp4");
        fs::write(directory.0.join("a.mp4.part"), held).unwrap();
        if let Some(note) = note {
            fs::write(directory.0.join("a.mp4.version.part"), note).unwrap();
        }
        let server = whole("v1", file.clone());
        let (api, url) = (server.api(), server.url());
        let case = format!("{} bytes, {note:?}", held.len());
        api.download(&url).save_resumable(&path).unwrap();
        assert!(fs::read(&path).unwrap() == file, "{case}");
        assert_eq!(directory.names(), ["a.mp4"], "{case}");
        let asked = range.map(|byte| format!("bytes={byte}-"));
        assert_eq!(ranges(&server)[0], asked, "{case}");
    }
}

/// The servers of one host have different versions at the same time.
#[test]
fn two_versions_are_never_combined() {
    let versions = ["v1", "v2"].map(|version| (version, bytes(version, BLOCK + 2 * MIB)));
    let served = versions.clone();
    let turn = AtomicUsize::new(0);
    let server = Server::start(move |request, stream| {
        let turn = turn.fetch_add(1, Ordering::SeqCst);
        let (version, file) = &served[turn % 2];
        let cut = [BLOCK + MIB, 3 * MIB, usize::MAX][turn.min(2)];
        send(request, stream, version, file, cut);
    });
    let (api, url, directory) = (server.api(), server.url(), Folder::new());
    let path = directory.0.join("a.mp4");
    for _ in 0..2 {
        let error = api.download(&url).save_resumable(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    }
    // Now 3 MiB of the second version are there, which is too little to continue.
    api.download(&url).save_resumable(&path).unwrap();
    assert!(fs::read(&path).unwrap() == versions[0].1);
    let from = Some(format!("bytes={BLOCK}-"));
    assert_eq!(ranges(&server), [None, from, None]);
}

/// A page of a hotel's network, a refusal or a wrong range harms no partial file.
#[test]
fn a_partial_file_outlives_what_is_not_the_file() {
    let length = BLOCK + MIB;
    let (file, directory) = (bytes("v1", length), Folder::new());
    let path = directory.0.join("a.mp4");
    let part = directory.0.join("a.mp4.part");
    fs::write(&part, &file[..BLOCK + 5]).unwrap();
    let note = format!("{length} \"v1\"");
    fs::write(directory.0.join("a.mp4.version.part"), note).unwrap();
    for (answer, kind) in [
        (
            reply("200 OK", &[("Content-Type", "text/html")], "<p>Log in"),
            ErrorKind::WrongContent,
        ),
        (reply("200 OK", &[], ""), ErrorKind::WrongContent),
        (reply("403 No", &[], "expired"), ErrorKind::Status),
        (reply("500 No", &[], ""), ErrorKind::Status),
        (String::new(), ErrorKind::ConnectionLost),
    ] {
        let server = Server::script([answer.clone()]);
        let (api, url) = (server.api(), server.url());
        let error = api.download(&url).save_resumable(&path).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(fs::read(&part).unwrap() == file[..BLOCK + 5], "{answer}");
        assert_eq!(directory.names().len(), 2, "{answer}");
    }
    // A server whose parts are wrong is asked for all of it.
    let served = file.clone();
    let server = Server::start(move |request, stream| match header(request, "range") {
        None => send(request, stream, "v1", &served, usize::MAX),
        Some(_) => {
            let headers = [("ETag", "\"v1\""), ("Content-Range", "bytes 0-4/9437184")];
            let _ = stream.write_all(reply("206 Part", &headers, "01234").as_bytes());
        }
    });
    let (api, url) = (server.api(), server.url());
    api.download(&url).save_resumable(&path).unwrap();
    assert!(fs::read(&path).unwrap() == file);
    assert_eq!(directory.names(), ["a.mp4"]);
}

/// However a server says that it has no parts, it is asked once for the entire file.
#[test]
fn what_cannot_be_continued_is_asked_for_entirely() {
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let length = BLOCK + MIB;
    let (file, other) = (bytes("v1", length), bytes("v2", length));
    let range = format!("bytes {BLOCK}-{}/{length}", length - 1);
    let part = |headers: &[(&str, &str)]| {
        let headers = [&[("Content-Range", range.as_str())], headers].concat();
        let mut part = reply("206 Part", &headers, "").into_bytes();
        let end = part.len() - "0\r\n\r\n".len();
        part.truncate(end);
        part.extend_from_slice(format!("{MIB}\r\n\r\n").as_bytes());
        part.extend_from_slice(&other[BLOCK..]);
        part
    };
    let html = [("Content-Type", "text/html")];
    let ranges_type = [("Content-Type", "multipart/byteranges; boundary=x")];
    for (version, answer) in [
        ("\"v1\"", reply("400 No", &[], "").into_bytes()),
        ("\"v1\"", reply("403 No", &[], "").into_bytes()),
        ("\"v1\"", reply("412 No", &[], "").into_bytes()),
        ("\"v1\"", reply("500 No", &[], "").into_bytes()),
        ("\"v1\"", b"HTTP/1.1 204 No\r\n\r\n".to_vec()),
        ("\"v1\"", b"HTTP/1.1 304 No\r\n\r\n".to_vec()),
        ("\"v1\"", reply("200 OK", &html, "<p>no").into_bytes()),
        (
            "\"v1\"",
            reply("206 Part", &ranges_type, "--x\r\n").into_bytes(),
        ),
        ("\"v1\"", Vec::new()),
        // Two tags, and a tag where there was only a date, are no version.
        ("\"v1\"", part(&[("ETag", "\"v1\""), ("ETag", "\"v2\"")])),
        (DATE, part(&[("Last-Modified", DATE), ("ETag", "\"v2\"")])),
    ] {
        let (served, odd) = (file.clone(), answer.clone());
        let server = Server::start(move |request, stream| match header(request, "range") {
            None => send(request, stream, "v1", &served, usize::MAX),
            Some(_) => drop(stream.write_all(&odd)),
        });
        let (api, url, directory) = (server.api(), server.url(), Folder::new());
        let path = directory.0.join("a.mp4");
        fs::write(directory.0.join("a.mp4.part"), &file[..BLOCK + 5]).unwrap();
        let note = format!("{length} {version}");
        fs::write(directory.0.join("a.mp4.version.part"), note).unwrap();
        let answer = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
        let saved = api.download(&url).save_resumable(&path);
        assert!(saved.is_ok(), "{answer}: {saved:?}");
        assert!(fs::read(&path).unwrap() == file, "{answer}");
        assert_eq!(directory.names(), ["a.mp4"], "{answer}");
        assert_eq!(ranges(&server).len(), 2, "{answer}");
    }
}

#[test]
fn a_cancelled_download_continues_later() {
    let (file, directory) = (bytes("v1", BLOCK + MIB), Folder::new());
    let server = whole("v1", file.clone());
    let (api, url) = (server.api(), server.url());
    let path = directory.0.join("a.mp4");
    let until = |end: usize| {
        api.download(&url)
            .on_progress(move |done, _| match done < end as u64 {
                true => Continue(()),
                false => Break(()),
            })
    };
    let cancelled = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        assert!(!error.is_transient(), "{error}");
        error.to_string()
    };
    // Before the first byte, too. Nothing of it stays but in a partial file.
    for end in [0, 1, BLOCK] {
        cancelled(until(end).save(&path).unwrap_err());
        let mut written = Vec::new();
        cancelled(until(end).write_to(&mut written).unwrap_err());
        assert!(written.len() >= end && written.len() < end + 64 * 1024);
    }
    assert!(directory.names().is_empty());
    let text = cancelled(until(BLOCK + 1).save_resumable(&path).unwrap_err());
    assert!(
        text.contains(" cannot be saved: cancelled after 8"),
        "{text}"
    );
    assert_eq!(directory.names(), ["a.mp4.part", "a.mp4.version.part"]);
    until(usize::MAX).save_resumable(&path).unwrap();
    assert!(fs::read(&path).unwrap() == file);
    let range = ranges(&server).pop().unwrap();
    assert_eq!(range, Some(format!("bytes={BLOCK}-")));
}

/// The name of a file may depend on what it is.
#[test]
fn a_part_gets_its_name_later() {
    let (file, directory) = (bytes("v1", BLOCK + 1), Folder::new());
    let server = whole("v1", file.clone());
    let (api, url) = (server.api(), server.url());
    let held = directory.0.join("1.part");
    let part = api.download(&url).save_part(&held).unwrap();
    assert_eq!(
        (part.path(), part.saved().length),
        (&*held, BLOCK as u64 + 1)
    );
    assert!(fs::read(&held).unwrap() == file);
    assert_eq!(directory.names(), ["1.part", "1.version.part"]);
    let path = directory.0.join("1.jpg");
    assert_eq!(part.persist(&path).unwrap().length, BLOCK as u64 + 1);
    assert!(fs::read(&path).unwrap() == file);
    assert_eq!(directory.names(), ["1.jpg"]);
    // A place that cannot hold it; the part stays.
    fs::create_dir(directory.0.join("folder")).unwrap();
    for place in ["folder", "missing/a.jpg", "a.jpg/", "1.jpg/a.jpg"] {
        let part = api.download(&url).save_part(&held).unwrap();
        let error = part.persist(directory.0.join(place)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        let shown = format!("{place} cannot be saved: ");
        assert!(error.to_string().contains(&shown), "{error}");
        assert!(fs::read(&held).unwrap() == file, "{place}");
    }
    assert_eq!(
        ranges(&server).pop().unwrap(),
        Some(format!("bytes={BLOCK}-"))
    );
}

#[test]
fn places_that_cannot_hold_a_file() {
    let (server, directory) = (whole("v1", bytes("v1", 10)), Folder::new());
    let (api, url) = (server.api(), server.url());
    fs::create_dir(directory.0.join("folder")).unwrap();
    fs::create_dir(directory.0.join("a.jpg.part")).unwrap();
    let long = "a".repeat(256);
    let mut places = vec!["folder", "missing/a.jpg", "b.jpg/", "..", "a.jpg", &long];
    if cfg!(target_os = "linux") {
        places.extend(["/proc/self/a.jpg", "/dev/null"]);
    }
    let before = directory.names();
    for place in places {
        let path = directory.0.join(place);
        let error = api.download(&url).save_resumable(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        let shown = format!("{} cannot be saved: ", path.display());
        assert!(error.to_string().contains(&shown), "{error}");
        assert_eq!(directory.names(), before, "{place}");
    }
    assert!(server.received().is_empty());
    // Nor does a path show the token.
    let path = directory.0.join(TOKEN).join("a.jpg");
    let error = api.download(&url).save_resumable(path).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(TOKEN), "{error}");
}

#[test]
fn the_longest_names() {
    let length = BLOCK + MIB;
    let (file, directory) = (bytes("v1", length), Folder::new());
    for end in ["x", "y"] {
        // Two names that differ only where they are shortened.
        let name = "a".repeat(254) + end;
        let path = directory.0.join(&name);
        let server = breaking("v1", file.clone(), vec![BLOCK + 1, usize::MAX]);
        let (api, url) = (server.api(), server.url());
        let error = api.download(&url).save_resumable(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
        api.download(&url).save_resumable(&path).unwrap();
        assert_eq!(ranges(&server)[1], Some(format!("bytes={BLOCK}-")));
        assert_eq!(directory.names(), [name]);
        fs::remove_file(path).unwrap();
        let left = breaking("v1", file.clone(), vec![1]);
        let (api, url) = (left.api(), left.url());
        let path = directory.0.join("a".repeat(255));
        api.download(&url).save_resumable(path).unwrap_err();
        for name in directory.names() {
            fs::remove_file(directory.0.join(name)).unwrap();
        }
    }
}

#[test]
#[cfg(unix)]
fn links_are_not_written_through() {
    let (file, directory) = (bytes("v1", BLOCK + 1), Folder::new());
    let outside = directory.0.join("outside");
    let mine = bytes("mine", BLOCK + 1);
    fs::write(&outside, &mine).unwrap();
    fs::write(directory.0.join("note"), format!("{} \"v1\"", BLOCK + 1)).unwrap();
    for (name, target) in [
        ("a.jpg", "outside"),
        ("a.jpg.part", "outside"),
        ("a.jpg.version.part", "note"),
    ] {
        std::os::unix::fs::symlink(target, directory.0.join(name)).unwrap();
    }
    let server = whole("v1", file.clone());
    let path = directory.0.join("a.jpg");
    server
        .api()
        .download(&server.url())
        .save_resumable(&path)
        .unwrap();
    assert!(fs::read(&outside).unwrap() == mine);
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert!(fs::read(&path).unwrap() == file);
    assert_eq!(directory.names(), ["a.jpg", "note", "outside"]);
    assert_eq!(ranges(&server), [None]);
}

/// Two processes download to one path, of a host that sends each another version: one of
/// them may fail, and the file is one of the two versions.
#[test]
fn two_at_the_same_time() {
    let length = 2 * BLOCK;
    // How much the first one has when the second one begins: that is replaced, or continued.
    for (first, same) in [
        (MIB, false),
        (MIB, true),
        (BLOCK + MIB, false),
        (BLOCK + MIB, true),
    ] {
        let (file, directory) = (bytes("v1", length), Folder::new());
        let other = if same { "v1" } else { "v2" };
        let (pass, gate) = mpsc::channel::<()>();
        let (gate, sent) = (Mutex::new(gate), file.clone());
        let slow = Server::start(move |request, stream| {
            send(request, stream, "v1", &sent, first);
            let _ = gate.lock().unwrap().recv();
            let _ = stream.write_all(&sent[first..]);
        });
        let quick = whole(other, bytes(other, length));
        let path = directory.0.join("a.mp4");
        thread::scope(|scope| {
            let pass = pass;
            let (half, halfway) = mpsc::channel();
            let (api, url, path) = (slow.api(), slow.url(), &path);
            let writer = scope.spawn(move || {
                let download = api.download(&url).on_progress(|done, _| {
                    let _ = half.send(done);
                    Continue(())
                });
                download.save_resumable(path)
            });
            while halfway.recv().unwrap() < first as u64 {}
            quick
                .api()
                .download(&quick.url())
                .save_resumable(path)
                .unwrap();
            assert!(fs::read(path).unwrap() == bytes(other, length));
            pass.send(()).unwrap();
            let error = writer.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
            let text = error.to_string();
            assert!(
                text.ends_with("another process downloads it, too"),
                "{text}"
            );
        });
        assert!(
            fs::read(&path).unwrap() == bytes(other, length),
            "{first} {same}"
        );
        assert_eq!(directory.names(), ["a.mp4"], "{first} {same}");
    }
}

// --- Kills: this test program, run again as a child that downloads.

const CHILD: &str = "MINGRAM_TEST_PARTIAL";

/// Not a test: what the child does.
#[test]
#[ignore = "run as a child by the test below"]
fn child() {
    if let (Ok(url), Some(path)) = (std::env::var(CHILD), std::env::var_os("MINGRAM_TEST_PATH")) {
        let api = common::api(&url);
        api.download(&url).save_resumable(path).unwrap();
    }
}

fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_killed_program_continues() {
    let (file, directory) = (bytes("v1", 2 * BLOCK + MIB), Folder::new());
    let path = directory.0.join("a.mp4");
    let part = directory.0.join("a.mp4.part");
    let (held, sent) = (Mutex::new(()), file.clone());
    let turn = AtomicUsize::new(0);
    // Each child is killed while it waits for more.
    let server = Server::start(move |request, stream| {
        let turn = turn.fetch_add(1, Ordering::SeqCst);
        let cut = [MIB, BLOCK + MIB, BLOCK, usize::MAX][turn];
        send(request, stream, "v1", &sent, cut);
        if cut < usize::MAX {
            let _ = std::io::Read::read(stream, &mut [0]);
        }
        drop(held.lock());
    });
    let length = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len() as usize);
    for reached in [MIB, BLOCK + MIB, 2 * BLOCK] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--test-threads=1"])
            .env(CHILD, server.url())
            .env("MINGRAM_TEST_PATH", &path)
            .spawn()
            .unwrap();
        wait_for("file of that length", || length(&part) == reached);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!path.exists());
    }
    server
        .api()
        .download(&server.url())
        .save_resumable(&path)
        .unwrap();
    assert!(fs::read(&path).unwrap() == file);
    assert_eq!(directory.names(), ["a.mp4"]);
    let again = || Some(format!("bytes={BLOCK}-"));
    assert_eq!(ranges(&server), [None, None, again(), again()]);
}
