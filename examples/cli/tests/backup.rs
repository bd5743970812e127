//! The example `backup`, built and run against servers on the loopback
//! interface: that it copies everything, and what it does when things break.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;
use support::account::*;
use support::common;
use support::common::replay::Received;
use support::common::{json, reply};

fn backup(account: &Account, dir: &Path, args: &[&str]) -> Output {
    let mut command = command("backup", &account.server.url());
    command.arg(dir).args(args).output().unwrap()
}

/// Two pictures, a video and an album of three.
fn small() -> Vec<Item> {
    vec![
        Item::image(17_895_695_668_004_550, 60, 5000),
        Item::album(
            17_896_450_804_038_745,
            40,
            vec![
                Item::image(17_880_997_618_081_620, 40, 4000),
                Item::video(17_871_527_143_187_462, 40, 9000),
                Item::image(17_871_527_143_187_463, 40, 100),
            ],
        ),
        Item::video(17_899_305_451_014_820, 30, 70_000),
        Item::image(17_881_042_411_086_627, 2, 64),
    ]
}

/// That every file which is there under a final name is whole and right.
fn check(dir: &Path, expected: &BTreeMap<String, Option<Vec<u8>>>) -> usize {
    let mut found = 0;
    for name in tree(dir) {
        if name.starts_with(".backup-") && name.ends_with(".part") {
            continue;
        }
        let held = fs::read(dir.join(&name)).unwrap();
        match expected.get(&name) {
            Some(Some(bytes)) => assert!(held == *bytes, "{name} is damaged"),
            Some(None) => {
                assert!(held.ends_with(b"}\n"), "{name} is cut");
                let _: serde_json::Value = serde_json::from_slice(&held).unwrap();
            }
            None => panic!("{name} does not belong there"),
        }
        found += 1;
    }
    found
}

/// That the folder holds everything, and nothing else.
fn check_complete(dir: &Path, account: &Account) {
    let expected = account.expected();
    check(dir, &expected);
    let wanted: Vec<String> = expected.into_keys().collect();
    assert_eq!(tree(dir), wanted);
}

fn note_of(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    let sum = ring::digest::digest(&ring::digest::SHA256, bytes);
    sum.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn copies_everything_and_the_second_time_nothing() {
    let (account, temp) = (Account::new(small()), Temp::new("all"));
    let dir = temp.join("new/folder");
    let output = backup(&account, &dir, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        text(&output.stdout),
        "4 media, 8 files: 0 already there, 8 downloaded (94.2 kB), 0 missing\n"
    );
    assert_eq!(
        text(&output.stderr),
        "",
        "no bar where there is no terminal"
    );
    check_complete(&dir, &account);
    let content = bytes("17895695668004550", "jpg", 0, 5000);
    assert_eq!(
        note_of(&dir.join("2026/2026-03-05_17895695668004550.json")),
        serde_json::json!({
            "id": "17895695668004550", "caption": "about 17895695668004550",
            "media_type": "IMAGE", "timestamp": "2026-03-05T07:12:00+0000",
            "username": "jayposiris", "mingram": {"file": {
                "size": 5000, "sha256": sha256(&content), "etag": "\"17895695668004550\""
            }}
        })
    );
    let album = note_of(&dir.join("2026/2026-02-13_17896450804038745.json"));
    let video = &album["children"]["data"][1];
    assert_eq!(video["id"], "17871527143187462");
    assert_eq!(video["mingram"]["file"]["size"], 9000);
    let poster = bytes("17871527143187462", "jpg", 0, 3000);
    assert_eq!(video["mingram"]["poster"]["sha256"], sha256(&poster));
    let before: Vec<_> = tree(&dir)
        .iter()
        .map(|name| fs::metadata(dir.join(name)).unwrap().modified().unwrap())
        .collect();
    let files = account.asked("/file/");
    let output = backup(&account, &dir, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        text(&output.stdout),
        "4 media, 8 files: 8 already there, 0 downloaded (0.0 kB), 0 missing\n"
    );
    assert_eq!(account.asked("/file/"), files);
    let after: Vec<_> = tree(&dir)
        .iter()
        .map(|name| fs::metadata(dir.join(name)).unwrap().modified().unwrap())
        .collect();
    assert_eq!(before, after, "nothing is written twice");
    // What goes missing comes back, and nothing else.
    fs::remove_file(dir.join("2026/2026-02-03_17899305451014820.mp4")).unwrap();
    assert!(backup(&account, &dir, &[]).status.success());
    assert_eq!(account.asked("/file/"), files + 1);
    check_complete(&dir, &account);
}

#[test]
fn a_dry_run_writes_nothing_and_since_leaves_out_the_older() {
    let (account, temp) = (Account::new(small()), Temp::new("dry"));
    let dir = temp.join("backup");
    let output = backup(&account, &dir, &["--dry-run", "--since", "2026-02-13"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        text(&output.stdout),
        "2026-03-05_17895695668004550\n\
         2026-02-13_17896450804038745_01_17880997618081620\n\
         2026-02-13_17896450804038745_02_17871527143187462\n\
         2026-02-13_17896450804038745_02_17871527143187462_poster\n\
         2026-02-13_17896450804038745_03_17871527143187463\n\
         2 media, 5 files: 0 already there, 5 to download, 0 missing\n"
    );
    assert!(!dir.exists());
    let media = account.server.received();
    assert!(media[1].target.contains("&since=1770940800&"), "{media:?}");
}

#[test]
fn a_summary_for_scripts() {
    let mut items = small();
    items[3].query = None;
    let (account, temp) = (Account::new(items), Temp::new("json"));
    let output = backup(&account, &temp.0, &["--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        summary,
        serde_json::json!({
            "media": 4, "files": 8, "already_there": 0, "downloaded": 7, "bytes": 94100,
            "complete": true, "wanted": [], "edited": [], "damaged": [],
            "unavailable": ["2026-01-03_17881042411086627"], "missing": [], "error": null,
            "posts": {"listed": 4, "kept": 3, "unavailable": 1, "missing": 0},
            "verified": {"files": 0, "bytes": 0}, "unverified": [], "refused": [],
        })
    );
    assert_eq!(text(&output.stderr), "");
    // Named on request, and said in the summary for people.
    let output = backup(&account, &temp.0, &["-v"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        text(&output.stdout),
        "4 media, 8 files: 7 already there, 0 downloaded (0.0 kB), 0 missing, 1 unavailable\n"
    );
    let errors = text(&output.stderr);
    assert!(
        errors.contains("unavailable: 2026-01-03_17881042411086627\n"),
        "{errors}"
    );
    assert!(
        errors.contains("/me/media: HTTP 200 after "),
        "every request: {errors}"
    );
    assert!(!errors.contains(common::replay::TOKEN), "{errors}");
}

#[test]
fn what_it_waits_for_is_said_on_request() {
    for (args, is_said) in [(&["-v"][..], true), (&[], false)] {
        let first = AtomicUsize::new(0);
        let account = Account::with_faults(small(), move |request, _| {
            let is_list = request.target.starts_with("/me/media");
            match is_list && first.fetch_add(1, Ordering::SeqCst) == 0 {
                true => Fault::Reply(json("503 Unavailable", "busy")),
                false => Fault::None,
            }
        });
        let temp = Temp::new("waits");
        let output = backup(&account, &temp.0, args);
        assert!(output.status.success(), "{}", said(&output));
        let errors = text(&output.stderr);
        let wait =
            "GET /me/media: HTTP 503 (application/json; charset=UTF-8, 4 bytes): busy; waiting 0.";
        let lines = errors.lines().filter(|line| line.contains(wait)).count();
        assert_eq!(lines, usize::from(is_said), "{errors}");
        assert!(!errors.contains(common::replay::TOKEN), "{errors}");
    }
}

#[test]
fn the_profile_picture_is_kept_and_replaced_when_it_is_new() {
    let (account, temp) = (Account::new(small()), Temp::new("picture"));
    let held = || fs::read(temp.join("profile.jpg")).unwrap();
    for (name, downloads) in [("one.jpg", 1), ("one.jpg", 1), ("two.jpg", 2)] {
        *account.picture.lock().unwrap() = Some(name);
        let output = backup(&account, &temp.0, &[]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(held() == bytes(name, "jpg", 0, 700), "{name}");
        assert_eq!(account.asked("/picture/"), downloads);
    }
    fs::write(temp.join("profile.jpg"), "cut").unwrap();
    let output = backup(&account, &temp.0, &["--check"]);
    let damage = "damaged: profile.jpg: 3 bytes instead of 700\n";
    assert_eq!(text(&output.stderr), damage, "{}", said(&output));
    assert!(held() == bytes("two.jpg", "jpg", 0, 700));
    // Of the next account nothing is mixed in.
    let before = fs::read(temp.join("profile.json")).unwrap();
    let other = common::Server::script([json("200 OK", r#"{"id":"2","username":"other"}"#)]);
    let mut command = command("backup", &other.url());
    let output = command.arg(&temp.0).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let errors = text(&output.stderr);
    assert!(errors.contains("of another account, jayposiris: use another directory"));
    assert_eq!(fs::read(temp.join("profile.json")).unwrap(), before);
}

#[test]
fn files_get_the_time_of_publication() {
    let (account, temp) = (Account::new(small()), Temp::new("time"));
    assert!(backup(&account, &temp.0, &[]).status.success());
    for name in [
        "2026/2026-03-05_17895695668004550.jpg",
        "2026/2026-02-03_17899305451014820_poster.jpg",
    ] {
        let modified = fs::metadata(temp.join(name)).unwrap().modified().unwrap();
        let mut media = mingram::Media::default();
        media.timestamp = Some(format!("{}T07:12:00+0000", &name[5..15]));
        assert_eq!(Some(modified), media.published_at(), "{name}");
    }
}

#[test]
fn an_edited_caption_is_updated_and_a_deleted_post_stays() {
    let (account, temp) = (Account::new(small()), Temp::new("edited"));
    assert!(backup(&account, &temp.0, &[]).status.success());
    account.items.lock().unwrap()[0].caption = "better words".to_owned();
    account.items.lock().unwrap().pop();
    let output = backup(&account, &temp.0, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        (text(&output.stderr), text(&output.stdout)),
        (
            "edited: 2026-03-05_17895695668004550\n".to_owned(),
            "3 media, 7 files: 7 already there, 0 downloaded (0.0 kB), 0 missing, 1 edited\n"
                .to_owned()
        )
    );
    let node = note_of(&temp.join("2026/2026-03-05_17895695668004550.json"));
    assert_eq!(node["caption"], "better words");
    assert_eq!(node["mingram"]["file"]["size"], 5000);
    let history = &node["mingram"]["history"];
    assert_eq!(history[0]["caption"], "about 17895695668004550");
    assert!(
        history[0]["seen"].as_str().unwrap().ends_with('Z'),
        "{history}"
    );
    assert!(temp.join("2026/2026-01-03_17881042411086627.jpg").exists());
    let output = backup(&account, &temp.0, &[]);
    assert_eq!(text(&output.stderr), "", "once");
}

#[test]
fn a_check_finds_and_replaces_what_is_damaged() {
    let (account, temp) = (Account::new(small()), Temp::new("check"));
    assert!(backup(&account, &temp.0, &[]).status.success());
    let path = |name: &str| temp.join(name);
    let cut = path("2026/2026-03-05_17895695668004550.jpg");
    fs::write(&cut, &fs::read(&cut).unwrap()[..1234]).unwrap();
    let zeros = path("2026/2026-02-03_17899305451014820.mp4");
    fs::write(&zeros, vec![0; 70_000]).unwrap();
    let longer = path("2026/2026-02-03_17899305451014820_poster.jpg");
    fs::write(&longer, bytes("17899305451014820", "jpg", 0, 3001)).unwrap();
    // Without --check they pass for what they are called.
    let output = backup(&account, &temp.0, &[]);
    assert!(
        text(&output.stdout).contains("8 already there"),
        "{}",
        said(&output)
    );
    let output = backup(&account, &temp.0, &["--check"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        text(&output.stderr),
        "damaged: 2026/2026-03-05_17895695668004550.jpg: 1234 bytes instead of 5000\n\
         damaged: 2026/2026-02-03_17899305451014820.mp4: it begins with something else\n\
         damaged: 2026/2026-02-03_17899305451014820_poster.jpg: 3001 bytes instead of 3000\n"
    );
    assert!(text(&output.stdout).contains("3 downloaded (78.0 kB), 0 missing, 3 damaged"));
    check_complete(&temp.0, &account);
    let output = backup(&account, &temp.0, &["--check"]);
    assert_eq!(text(&output.stderr), "");
    // What cannot be fetched again is missing.
    fs::write(&cut, "").unwrap();
    account.items.lock().unwrap()[0].query = None;
    let output = backup(&account, &temp.0, &["--check"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(text(&output.stderr).contains("missing: 2026-03-05_17895695668004550: "));
}

#[test]
fn a_directory_in_the_way_costs_one_file() {
    let (account, temp) = (Account::new(small()), Temp::new("way"));
    let in_the_way = [
        "2026/2026-03-05_17895695668004550.jpg",
        "2026/2026-01-03_17881042411086627.json",
        ".backup-2026-02-03_17899305451014820.part",
    ];
    for name in in_the_way {
        fs::create_dir_all(temp.join(name)).unwrap();
        fs::write(temp.join(name).join("mine"), "mine").unwrap();
    }
    let output = backup(&account, &temp.0, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let errors = text(&output.stderr);
    assert_eq!(errors.lines().count(), 3, "{errors}");
    for name in in_the_way {
        let says = format!("{} is a directory: rename it\n", temp.join(name).display());
        assert!(errors.contains(&says), "{errors}");
        fs::remove_dir_all(temp.join(name)).unwrap();
    }
    assert!(
        text(&output.stdout).contains("6 downloaded "),
        "{}",
        said(&output)
    );
    assert!(backup(&account, &temp.0, &[]).status.success());
    check_complete(&temp.0, &account);
}

#[test]
fn a_failure_before_anything_is_listed_has_no_summary() {
    let dead = include_str!("../../../fixtures/errors/token-invalid.http");
    let dead = dead.split_once("\n\n").unwrap().1.to_owned();
    let account = Account::with_faults(small(), move |request, _| {
        match request.target.starts_with("/me/media") {
            true => Fault::Reply(dead.clone()),
            false => Fault::None,
        }
    });
    let temp = Temp::new("fatal");
    let output = backup(&account, &temp.0, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr).lines().count(), 1);
}

/// A signal ends it within two seconds, also while a server says nothing; the next run
/// resumes, and says so.
#[cfg(unix)]
#[test]
fn a_signal_ends_it_and_a_rerun_resumes() {
    use std::io::Read;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    const MIB: u64 = 1 << 20;
    for (signal, hangs_at) in [
        ("-TERM", "/file/5"),
        ("-INT", "/file/5"),
        ("-TERM", "/me/media"),
        ("-INT", "/me?"),
    ] {
        let hung = Arc::new(AtomicBool::new(true));
        let (hanging, items) = (hung.clone(), vec![Item::video(5, 0, 20 * MIB)]);
        let account = Account::with_faults(items, move |request, _| {
            match hanging.load(Ordering::SeqCst) && request.target.starts_with(hangs_at) {
                true if hangs_at == "/file/5" => Fault::Hang(18 * MIB),
                true => Fault::Hang(0),
                false => Fault::None,
            }
        });
        let temp = Temp::new("signal");
        let mut child = command("backup", &account.server.url())
            .arg(&temp.0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let part = temp.join(".backup-2026-01-01_5.part");
        let is_hung = || match hangs_at {
            "/file/5" => fs::metadata(&part).is_ok_and(|meta| meta.len() >= 18 * MIB - 65_536),
            _ => account.asked(hangs_at) > 0,
        };
        let begun = std::time::Instant::now();
        while !is_hung() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{hangs_at}");
            std::thread::sleep(Duration::from_millis(5));
        }
        let begun = std::time::Instant::now();
        let id = child.id().to_string();
        let kill = std::process::Command::new("kill")
            .args([signal, &id])
            .status();
        assert!(kill.unwrap().success());
        let status = child.wait().unwrap();
        let time = begun.elapsed();
        // Not the timeout of the request, 30 s.
        assert!(time < Duration::from_secs(15), "{time:?}");
        assert_eq!(status.code(), Some(130), "{signal} {hangs_at}");
        let (mut out, mut err) = (String::new(), String::new());
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        let says = "mingram backup: interrupted; run it again to resume\n";
        assert_eq!((out.as_str(), err.as_str()), ("", says));

        hung.store(false, Ordering::SeqCst);
        let output = backup(&account, &temp.0, &[]);
        assert!(output.status.success(), "{}", said(&output));
        let note = match hangs_at {
            "/file/5" => "mingram backup: resuming: an earlier run left an unfinished file\n",
            _ => "",
        };
        assert_eq!(text(&output.stderr), note);
        check_complete(&temp.0, &account);
        if hangs_at == "/file/5" {
            let received = account.server.received();
            let ranges = received.iter().flat_map(|request| &request.headers);
            let ranges: Vec<&str> = ranges
                .filter(|(name, _)| name == "range")
                .map(|(_, range)| range.as_str())
                .collect();
            assert_eq!(ranges, ["bytes=16777216-"]);
        }
    }
}

#[test]
fn an_expired_address_is_fetched_anew_once() {
    // One by its date, one by the server's word, one that stays refused.
    let mut items = small();
    items[0].query = Some("&oe=5F000000".into());
    let account = Account::with_faults(items, |request, _| {
        let refused = request.target.starts_with("/file/17899305451014820?")
            && common::param(request, "g").unwrap() == "1";
        match refused || request.target.starts_with("/file/17881042411086627") {
            true => Fault::Reply(reply("403 Forbidden", &[], "URL signature expired")),
            false => Fault::None,
        }
    });
    let temp = Temp::new("expired");
    let output = backup(&account, &temp.0, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(account.asked("/17895695668004550?"), 1);
    assert_eq!(account.asked("/file/17895695668004550?"), 1);
    assert_eq!(account.asked("/17899305451014820?"), 1);
    assert_eq!(account.asked("/file/17899305451014820?"), 2);
    assert_eq!(account.asked("/17881042411086627?"), 1);
    assert_eq!(account.asked("/file/17881042411086627?"), 2);
    let errors = text(&output.stderr);
    assert!(
        errors.starts_with(
            "missing: 2026-01-03_17881042411086627: GET 127.0.0.1/file/17881042411086627: HTTP 403 "
        ),
        "{errors}"
    );
    let expected = account.expected();
    assert_eq!(check(&temp.0, &expected), expected.len() - 1);
}

#[test]
fn a_partial_download_goes_on_where_it_ended() {
    let items = vec![Item::video(5, 0, 300_000)];
    let account = Account::with_faults(items.clone(), |request, number| {
        match request.target.starts_with("/file/") {
            true if number == 2 => Fault::Cut(100_000),
            _ => Fault::None,
        }
    });
    let temp = Temp::new("range");
    let output = backup(&account, &temp.0, &["-j1"]);
    assert!(output.status.success(), "{}", said(&output));
    check_complete(&temp.0, &account);
    let range = |account: &Account| {
        let received = account.server.received();
        let is_file = |request: &&Received| request.target.starts_with("/file/");
        let headers = &received.iter().rfind(is_file).unwrap().headers;
        let range = headers.iter().find(|(name, _)| name == "range");
        range.map(|(_, range)| range.clone())
    };
    assert_eq!(range(&account).as_deref(), Some("bytes=100000-"));

    // From an earlier run, whose last block may not have reached the disk; and
    // the same where the server cannot do that, where it has another version by
    // now, and where what is here is longer.
    const MIB: u64 = 1 << 20;
    let items = vec![Item::video(5, 0, 20 * MIB)];
    let whole = bytes("5", "mp4", 0, 20 * MIB);
    for (fault, have, range_wanted) in [
        (Fault::None, 18 * MIB, Some("bytes=16777216-")),
        (Fault::None, 20 * MIB, Some("bytes=16777216-")),
        (Fault::None, 22 * MIB, Some("bytes=16777216-")),
        (Fault::None, 16 * MIB, Some("bytes=8388608-")),
        (Fault::NoRanges, 18 * MIB, Some("bytes=16777216-")),
        // It sends the whole at once, or a part of the other version.
        (Fault::OtherVersion, 18 * MIB, Some("bytes=16777216-")),
        (Fault::OtherVersionUnasked, 18 * MIB, None),
        (Fault::NoTag, 18 * MIB, None),
        // The part is longer than the file.
        (Fault::None, 30 * MIB, None),
        // Not so much as one block that is certain.
        (Fault::None, 8 * MIB, None),
    ] {
        let temp = Temp::new("resume");
        let other = matches!(fault, Fault::OtherVersion | Fault::OtherVersionUnasked);
        let told = format!("{fault:?} {have}");
        let account = Account::with_faults(items.clone(), move |_, _| fault.clone());
        let mut part = whole.clone();
        part.resize(have as usize, 7);
        fs::write(temp.join(".backup-2026-01-01_5.part"), part).unwrap();
        note(&temp, "5", 20 * MIB);
        let output = backup(&account, &temp.0, &[]);
        assert!(output.status.success(), "{told} {}", said(&output));
        assert_eq!(range(&account).as_deref(), range_wanted, "{told}");
        let held = fs::read(temp.join("2026/2026-01-01_5.mp4")).unwrap();
        match other {
            true => assert!(held == bytes("5-other", "mp4", 0, 20 * MIB), "{told}"),
            false => assert!(held == whole, "{told}"),
        }
        assert!(!tree(&temp.0)[0].starts_with("."), "{told}");
    }
}

/// What an earlier run notes beside an unfinished file of the item 5: the version that a
/// server of these tests has.
fn note(temp: &Temp, tag: &str, total: u64) {
    let name = ".backup-2026-01-01_5.version.part";
    fs::write(temp.join(name), format!("{total} \"{tag}\"\n")).unwrap();
}

/// The part of another version, which is equal just before the place to resume at: two
/// encodings of one video may share long pieces.
#[test]
fn a_part_of_another_version_is_not_combined() {
    const MIB: usize = 1 << 20;
    let account = Account::new(vec![Item::video(5, 0, 20 << 20)]);
    let whole = bytes("5", "mp4", 0, 20 << 20);
    let mut part = bytes("5-other", "mp4", 0, 18 << 20);
    part[15 * MIB..17 * MIB].copy_from_slice(&whole[15 * MIB..17 * MIB]);
    for noted in [None, Some("5-other")] {
        let temp = Temp::new("seam");
        fs::write(temp.join(".backup-2026-01-01_5.part"), &part).unwrap();
        if let Some(noted) = noted {
            note(&temp, noted, 20 << 20);
        }
        let output = backup(&account, &temp.0, &[]);
        assert!(output.status.success(), "{}", said(&output));
        let held = fs::read(temp.join("2026/2026-01-01_5.mp4")).unwrap();
        assert!(held == whole, "two versions are combined: {noted:?}");
    }
}

/// A run that ends early leaves a part and its version, and the next run resumes. What is
/// too short for that begins again.
#[test]
fn a_run_that_ends_early_notes_the_version() {
    for (mib, cut, resumed) in [(20, 17, Some("bytes=16777216-")), (7, 3, None)] {
        let items = vec![Item::video(5, 0, mib << 20)];
        let asked = AtomicUsize::new(0);
        let account = Account::with_faults(items, move |request, _| {
            if !request.target.starts_with("/file/5?") {
                return Fault::None;
            }
            match asked.fetch_add(1, Ordering::SeqCst) {
                0 => Fault::Cut(cut << 20),
                // For the rest, and for all of it.
                1 | 2 => Fault::Reply(reply("400 No", &[], "")),
                _ => Fault::None,
            }
        });
        let temp = Temp::new("noted");
        let output = backup(&account, &temp.0, &[]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let held = tree(&temp.0);
        let noted = held.iter().any(|name| name.ends_with(".version.part"));
        assert_eq!(noted, resumed.is_some(), "{held:?}");
        let output = backup(&account, &temp.0, &[]);
        assert!(output.status.success(), "{}", said(&output));
        check_complete(&temp.0, &account);
        let received = account.server.received();
        let headers = &received.last().unwrap().headers;
        let range = headers.iter().find(|(name, _)| name == "range");
        assert_eq!(range.map(|(_, range)| range.as_str()), resumed);
    }
}

/// What a power cut leaves of a long download: a hole of zeros behind the last
/// block that was flushed, though the end is right; or nothing but zeros.
#[test]
fn a_part_with_holes_does_not_become_a_file() {
    const MIB: usize = 1 << 20;
    let account = Account::new(vec![Item::video(5, 0, 20 << 20)]);
    let whole = bytes("5", "mp4", 0, 20 << 20);
    for (hole, asked) in [
        (17 * MIB..18 * MIB, "bytes=16777216-"),
        (0..MIB, "the whole"),
        (0..19 * MIB, "the whole"),
    ] {
        let temp = Temp::new("hole");
        let mut part = whole[..19 * MIB].to_vec();
        part[hole.clone()].fill(0);
        fs::write(temp.join(".backup-2026-01-01_5.part"), part).unwrap();
        note(&temp, "5", 20 << 20);
        let output = backup(&account, &temp.0, &[]);
        assert!(output.status.success(), "{hole:?} {}", said(&output));
        let held = fs::read(temp.join("2026/2026-01-01_5.mp4")).unwrap();
        assert!(held == whole, "{hole:?}");
        let received = account.server.received();
        let is_file = |request: &&Received| request.target.starts_with("/file/");
        let headers = &received.iter().rfind(is_file).unwrap().headers;
        let range = headers.iter().find(|(name, _)| name == "range");
        let range = range.map_or("the whole", |(_, range)| range);
        assert_eq!(range, asked, "{hole:?}");
    }
}

#[test]
fn what_is_no_picture_or_video_gets_no_name() {
    let html = "<html>Sorry, this content isn't available right now</html>";
    let page = reply("200 OK", &[("Content-Type", "text/html")], html);
    let disguised = reply("200 OK", &[("Content-Type", "image/jpeg")], html);
    let picture = reply("200 OK", &[], "GIF89a......");
    let account = Account::with_faults(
        vec![
            Item::image(1, 0, 10),
            Item::image(2, 0, 10),
            Item::video(3, 0, 10),
            Item::image(4, 0, 10),
        ],
        move |request, _| match &request.target {
            target if target.starts_with("/file/1") => Fault::Reply(page.clone()),
            target if target.starts_with("/file/2") => Fault::Reply(disguised.clone()),
            target if target.starts_with("/file/3") => Fault::Reply(picture.clone()),
            target if target.starts_with("/file/4") => Fault::Reply(picture.clone()),
            _ => Fault::None,
        },
    );
    let temp = Temp::new("html");
    let output = backup(&account, &temp.0, &["-j1"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let instead = "instead of a picture or video, perhaps the login page of a network";
    assert_eq!(
        text(&output.stderr),
        format!(
            "missing: 2026-01-01_1: GET 127.0.0.1/file/1: the server sent text (text/html) {instead}: {html}\n\
             missing: 2026-01-01_2: GET 127.0.0.1/file/2: the server sent text (image/jpeg) {instead}: {html}\n"
        )
    );
    let files: Vec<String> = tree(&temp.0)
        .into_iter()
        .filter(|name| !name.ends_with(".json") && !name.ends_with(".part"))
        .collect();
    assert_eq!(
        files,
        [
            "2026/2026-01-01_3.gif",
            "2026/2026-01-01_3_poster.jpg",
            "2026/2026-01-01_4.gif"
        ]
    );
    // What is another kind of file than it should be is kept all the same.
    let node = note_of(&temp.join("2026/2026-01-01_3.json"));
    assert_eq!(node["mingram"]["file"]["note"], "not a video but gif");
}

/// The refusal of a field.
fn refused(field: &str) -> String {
    let error = format!(
        r#"{{"error":{{"message":"(#100) Tried accessing nonexisting field ({field})","type":"IGApiException","code":100}}}}"#
    );
    json("400 Bad Request", &error)
}

/// An account of the Basic Display API, which refuses the newer fields, and an
/// album whose children come by a call of their own.
#[test]
fn an_account_that_knows_fewer_fields() {
    let server = common::Server::start(|request, stream| {
        use std::io::Write;
        let host = request.host();
        let fields = common::param(request, "fields").unwrap_or_default();
        let newer = ["like_count", "shortcode", "followers_count", "biography"];
        let newer = newer.into_iter().find(|name| fields.contains(name));
        let child =
            |id| format!(r#"{{"id":"{id}","media_type":"IMAGE","media_url":"http://{host}/f"}}"#);
        let answer = match request.target.split('?').next() {
            _ if newer.is_some() => refused(newer.unwrap_or_default()),
            Some("/me") => json("200 OK", r#"{"id":"1","media_count":1}"#),
            Some("/me/media") => json(
                "200 OK",
                r#"{"data":[{"id":"7","media_type":"CAROUSEL_ALBUM","timestamp":"2026-01-02T00:00:00+0000"}]}"#,
            ),
            Some("/7/children") => json(
                "200 OK",
                &format!(r#"{{"data":[{},{}]}}"#, child(8), child(9)),
            ),
            _ => reply("200 OK", &[], "GIF89a......"),
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let temp = Temp::new("basic");
    let output = command("backup", &server.url())
        .arg(&temp.0)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        tree(&temp.0),
        [
            "2026/2026-01-02_7.json",
            "2026/2026-01-02_7_01_8.gif",
            "2026/2026-01-02_7_02_9.gif",
            "profile.json"
        ]
    );
}

#[test]
fn what_was_listed_before_a_rate_limit_is_downloaded() {
    let limit = include_str!("../../../fixtures/errors/rate-limit.http");
    let limit = limit.split_once("\n\n").unwrap().1;
    let items = (0..120).map(|i| Item::image(100 + i, 50, 200)).collect();
    let account = Account::with_faults(items, move |request, _| {
        match common::param(request, "after") {
            Some(_) => Fault::Reply(limit.to_owned()),
            None => Fault::None,
        }
    });
    let temp = Temp::in_memory("listed");
    let output = backup(&account, &temp.0, &[]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(
        text(&output.stderr)
            .starts_with("mingram backup: GET /me/media: the service returned error 4")
    );
    assert_eq!(
        text(&output.stdout),
        "100 media before the error, 100 files: 0 already there, 100 downloaded (20.0 kB), 0 missing\n"
    );
    assert_eq!(check(&temp.0, &account.expected()), 201);
}

/// Files whose addresses are refused are asked for anew from their nodes; where
/// these are refused for a reason that holds for all, it stops.
#[test]
fn a_rate_limit_or_a_dead_token_among_the_downloads_ends_them() {
    let limit = include_str!("../../../fixtures/errors/rate-limit.http");
    let dead = include_str!("../../../fixtures/errors/token-invalid.http");
    for (fixture, code) in [(limit, 4), (dead, 3)] {
        let refusal = fixture.split_once("\n\n").unwrap().1.to_owned();
        let items = (0..40).map(|i| Item::image(100 + i, 50, 200)).collect();
        let account = Account::with_faults(items, move |request, _| {
            match request.target.split('?').next().unwrap() {
                "/me" | "/me/media" => Fault::None,
                path if path.starts_with("/file/") && path < "/file/103" => Fault::None,
                path if path.starts_with("/file/") => {
                    Fault::Reply(reply("403 Forbidden", &[], "URL signature expired"))
                }
                _ => Fault::Reply(refusal.clone()),
            }
        });
        let temp = Temp::in_memory("limited");
        let output = backup(&account, &temp.0, &["-j1", "--json"]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert_eq!(account.asked("/file/"), 4);
        assert_eq!(account.asked("/1"), 1, "no call after the one refused");
        let errors = text(&output.stderr);
        let refused = "mingram backup: GET /103: the service returned error ";
        assert!(errors.contains(refused), "{errors}");
        assert_eq!(errors.matches("36 more, not tried any more\n").count(), 1);
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(summary["downloaded"], 3);
        assert!(summary["error"].as_str().unwrap().starts_with("GET /103: "));
    }
}

/// A host that takes the connection and never answers.
#[test]
fn a_host_that_swallows_everything_is_given_up_on() {
    let items = (0..40).map(|i| Item::image(100 + i, 50, 200)).collect();
    let account = Account::with_faults(items, |request, _| {
        if request.target.starts_with("/file/") {
            std::thread::sleep(Duration::from_secs(4));
            return Fault::Silence;
        }
        Fault::None
    });
    let temp = Temp::in_memory("swallowed");
    let output = backup(&account, &temp.0, &["-j5", "--timeout", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("mingram backup: GET 127.0.0.1/file/"),
        "{errors}"
    );
    // Ten in a row, and what was under way then.
    assert!(account.asked("/file/") <= 15, "{errors}");
    let not_tried = errors.split_once(" more, not tried any more\n").unwrap().0;
    let not_tried: u32 = not_tried.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(not_tried >= 25, "{errors}");
}

/// A download that takes longer than an attempt may, from a server that begins
/// again each time.
#[test]
fn a_server_without_ranges_is_given_the_time_it_takes() {
    let account =
        Account::with_faults(vec![Item::video(5, 0, 300_000)], |request, _| match request
            .target
            .starts_with("/file/")
        {
            true => Fault::SlowWhole(10_000, Duration::from_millis(50)),
            false => Fault::None,
        });
    let temp = Temp::new("whole");
    let output = backup(&account, &temp.0, &["--timeout", "1"]);
    assert!(output.status.success(), "{}", said(&output));
    check_complete(&temp.0, &account);
    assert!(account.asked("/file/") > 1, "the first attempt was enough");
}

#[test]
fn unfinished_files_of_media_that_are_gone_are_swept() {
    let (account, temp) = (Account::new(small()), Temp::new("sweep"));
    for name in [
        ".backup-2026-01-01_99.part",
        ".backup-2026-01-01_98_01_97.part",
        ".backup-2026-01-01_99.json.part",
        ".backup-2026-01-01_99.version.part",
        ".backup-2026-01-01_96.version.part",
    ] {
        fs::write(temp.join(name), "left behind").unwrap();
    }
    // Older than what is listed: it may still be wanted.
    let output = backup(&account, &temp.0, &["--since", "2026-02-13"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(tree(&temp.0)[3], ".backup-2026-01-01_99.part");
    let output = backup(&account, &temp.0, &[]);
    assert!(output.status.success(), "{}", said(&output));
    check_complete(&temp.0, &account);
    // And what is not its own stays.
    fs::write(temp.join(".backup-notes.part"), "mine").unwrap();
    assert!(backup(&account, &temp.0, &[]).status.success());
    assert_eq!(tree(&temp.0)[0], ".backup-notes.part");
}

#[test]
fn a_page_that_knows_fewer_fields_is_gone_on_from() {
    let items = (0..220).map(|i| Item::image(100 + i, 50, 20)).collect();
    let account = Account::with_faults(items, |request, _| {
        let newer = common::param(request, "fields").is_some_and(|f| f.contains("like_count"));
        match common::param(request, "after").as_deref() {
            Some("100") if newer => Fault::Reply(refused("like_count")),
            _ => Fault::None,
        }
    });
    let temp = Temp::in_memory("fewer");
    let output = backup(&account, &temp.0, &["-j8"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(text(&output.stdout).starts_with("220 media, 220 files: "));
    check_complete(&temp.0, &account);
    // Three pages, and one of them twice.
    assert_eq!(account.asked("/me/media"), 4);
}

#[test]
fn a_media_that_cannot_be_read_is_missing_and_the_others_are_not() {
    let items: Vec<Item> = (0..3).map(|i| Item::image(100 + i, 50, 20)).collect();
    let account = Account::with_faults(items, |request, _| {
        if !request.target.starts_with("/me/media") {
            return Fault::None;
        }
        let host = request.host();
        let item = |id| {
            format!(
                r#"{{"id":"{id}","media_type":"IMAGE","timestamp":"2026-02-19T08:00:00+0000","media_url":"http://{host}/file/{id}"}}"#
            )
        };
        let (one, two) = (item(100), item(102));
        Fault::Reply(json(
            "200 OK",
            &format!(r#"{{"data":[{one},{{"id":"101","caption":[]}},{two}]}}"#),
        ))
    });
    let temp = Temp::in_memory("unreadable");
    let output = backup(&account, &temp.0, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        text(&output.stdout).starts_with("3 media, 2 files: "),
        "{}",
        said(&output)
    );
    assert!(
        text(&output.stderr).contains("the field `caption` of \"101\" has a value of another type"),
        "{}",
        said(&output)
    );
    assert_eq!(account.asked("/me/media"), 1);
}

#[test]
fn nothing_the_server_says_leaves_the_folder() {
    let mut items = Vec::new();
    for (i, id) in [
        "../../evil",
        "/etc/passwd",
        "a\\nb",
        "",
        "1/2",
        "٣",
        ".",
        "9 ",
    ]
    .into_iter()
    .enumerate()
    {
        let mut item = Item::image(0, 0, 64);
        item.id = id.replace('\\', "\\\\");
        item.timestamp = "../../../2026".into();
        items.push(item.clone());
        items.push(Item::album(70 + i as u64, 1, vec![item]));
    }
    items.push(Item::image(8, 3, 64));
    items.last_mut().unwrap().timestamp = "../../2026".into();
    let account = Account::new(items);
    let temp = Temp::new("traversal");
    let output = backup(&account, &temp.join("a/b"), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let errors = text(&output.stderr);
    assert_eq!(
        errors
            .matches("refused: an id that is not a number")
            .count(),
        16
    );
    assert!(
        errors.contains(r#"missing: "../../evil": refused"#),
        "{errors}"
    );
    let albums = (70..78).map(|id| format!("a/b/2026/2026-01-02_{id}.json"));
    let of_8 = ["a/b/0000/0000-00-00_8.jpg", "a/b/0000/0000-00-00_8.json"];
    let mut all: Vec<String> = of_8.map(str::to_owned).into_iter().chain(albums).collect();
    all.push("a/b/profile.json".to_owned());
    assert_eq!(tree(&temp.0), all);
}

#[cfg(unix)]
#[test]
fn links_in_the_folder_are_not_written_through() {
    let account = Account::new(vec![Item::image(5, 0, 5000)]);
    let temp = Temp::new("links");
    let (dir, outside) = (temp.join("backup"), temp.join("outside"));
    fs::create_dir_all(dir.join("2026")).unwrap();
    fs::write(&outside, "mine").unwrap();
    for name in [
        ".backup-2026-01-01_5.part",
        ".backup-2026-01-01_5.json.part",
        "2026/2026-01-01_5.json",
    ] {
        std::os::unix::fs::symlink(&outside, dir.join(name)).unwrap();
    }
    std::os::unix::fs::symlink("nowhere", dir.join("2026/2026-01-01_5.jpg")).unwrap();
    let output = backup(&account, &dir, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
    // It is not known what a link is.
    fs::remove_file(dir.join("2026/2026-01-01_5.json.damaged")).unwrap();
    check_complete(&dir, &account);
    for name in tree(&dir) {
        assert!(
            fs::symlink_metadata(dir.join(&name)).unwrap().is_file(),
            "{name}"
        );
    }
}

#[test]
fn five_hundred_items_from_a_server_that_breaks_a_fifth_of_its_connections() {
    let items = (0..500)
        .map(|i| Item::image(1_000 + i, (i % 300) as u32, 3000))
        .collect();
    let account = Account::with_faults(items, |_, number| {
        // Scattered, the same every time.
        match number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 {
            roll if roll % 5 > 0 => Fault::None,
            roll => match roll / 5 % 3 {
                0 => Fault::Silence,
                1 => Fault::Cut(20),
                _ => Fault::Cut(2000),
            },
        }
    });
    let temp = Temp::in_memory("faults");
    let output = backup(&account, &temp.0, &["--jobs", "16"]);
    assert!(output.status.success(), "{}", said(&output));
    check_complete(&temp.0, &account);
    let requests = account.server.received().len();
    assert!(requests > 580, "{requests} requests, and few broken");
}

/// The server answers when as many downloads are open as there are jobs, and
/// gives up where that does not come about.
#[test]
fn jobs_download_at_the_same_time() {
    const JOBS: usize = 5;
    let (open, all) = (Mutex::new(Some(0)), Condvar::new());
    let items = (0..4 * JOBS as u64).map(|i| Item::image(100 + i, 50, 200));
    let items = items.collect();
    let account = Account::with_faults(items, move |request, _| {
        if !request.target.starts_with("/file/") {
            return Fault::None;
        }
        let no = || Fault::Reply(reply("404 Not Found", &[], ""));
        let mut waiting = open.lock().unwrap();
        let Some(number) = *waiting else {
            return no();
        };
        if number + 1 == JOBS {
            *waiting = Some(0);
            all.notify_all();
            return Fault::None;
        }
        *waiting = Some(number + 1);
        let (mut waiting, time) = all.wait_timeout(waiting, Duration::from_secs(20)).unwrap();
        if time.timed_out() {
            *waiting = None;
            return no();
        }
        Fault::None
    });
    let temp = Temp::in_memory("jobs");
    let jobs = JOBS.to_string();
    let output = backup(&account, &temp.0, &["--jobs", &jobs, "--retries", "0"]);
    assert!(output.status.success(), "{}", said(&output));
    check_complete(&temp.0, &account);
}

#[test]
fn help_names_every_option_and_status() {
    check_help(
        "backup",
        &[
            "Usage: mingram backup [OPTIONS] DIR",
            "-j, --jobs N",
            "--since DATE",
            "-n, --dry-run",
            "--json",
            "--retries N",
            "--timeout N",
        ],
    );
}

/// Kills the program at random moments; answers how often it was caught at
/// work.
fn kill(times: u32) -> u32 {
    let items: Vec<Item> = (0..12)
        .map(|i| Item::image(100 + i, i as u32, 40_000))
        .chain([Item::album(
            200,
            20,
            vec![Item::video(201, 20, 90_000), Item::image(202, 20, 30)],
        )])
        .collect();
    let account = Account::with_faults(items, |request, _| {
        match request.target.starts_with("/file/") {
            true => Fault::Slow(8 * 1024, Duration::from_millis(3)),
            false => Fault::None,
        }
    });
    let expected = account.expected();
    let mut random = Random(0x2026_1123);
    let mut temp = Temp::new("kill");
    let mut caught = 0;
    for _ in 0..times {
        let mut child = command("backup", &account.server.url())
            .arg(&temp.0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(random.below(80_000)));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        match status.code() {
            None => caught += 1,
            // It came to its end before the kill.
            code => {
                assert_eq!(code, Some(0));
                check_complete(&temp.0, &account);
            }
        }
        if check(&temp.0, &expected) == expected.len() {
            temp = Temp::new("kill");
        }
    }
    let output = backup(&account, &temp.0, &[]);
    assert!(output.status.success(), "{}", said(&output));
    check_complete(&temp.0, &account);
    caught
}

#[test]
fn ten_kills_leave_nothing_damaged() {
    let caught = kill(10);
    assert!(caught > 3, "only {caught} of 10 were still at work");
}

#[test]
#[ignore = "takes half a minute"]
fn two_hundred_kills_leave_nothing_damaged() {
    let caught = kill(200);
    println!("{caught} of 200 kills met it at work");
    assert!(caught > 100, "only {caught} of 200 were still at work");
}

/// In a mount of its own, which ends with the shell.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_damages_nothing() {
    let account = Account::new(vec![
        Item::image(1, 3, 100_000),
        Item::video(2, 2, 3_000_000),
        Item::image(3, 1, 100_000),
    ]);
    let temp = Temp::new("full");
    let script = "mount -t tmpfs -o size=1m tmpfs disk || exit 99; \
                  \"$0\" backup -j1 --retries 0 disk; code=$?; cp -a disk/. copy; exit $code";
    fs::create_dir(temp.join("disk")).unwrap();
    fs::create_dir(temp.join("copy")).unwrap();
    let run = |wrapper: &str, args: &[&str]| {
        let made = command("backup", &account.server.url());
        let mut command = std::process::Command::new(wrapper);
        for (name, value) in made.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .args(args)
            .args(["sh", "-c", script])
            .arg(made.get_program());
        command.current_dir(&temp.0).output()
    };
    let output = match run("unshare", &["-m"]) {
        Ok(output) if output.status.code() != Some(99) && output.status.code() != Some(1) => output,
        _ => match run("unshare", &["-rm"]) {
            Ok(output)
                if output.status.code() != Some(99)
                    && !text(&output.stderr).contains("unshare") =>
            {
                output
            }
            other => {
                println!("skipped: no mount of one's own here: {other:?}");
                return;
            }
        },
    };
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("mingram backup: disk/.backup-2026-01-03_2.part: No space left on device"),
        "{errors}"
    );
    assert!(
        errors.contains("missing: 2 more, not tried any more\n"),
        "{errors}"
    );
    check(&temp.join("copy"), &account.expected());
    assert!(temp.join("copy/2026/2026-01-04_1.jpg").exists());
    assert!(!temp.join("copy/2026/2026-01-03_2.mp4").exists());
}

/// A limit on the size of files, whose signal is ignored, is a disk that is full
/// for one file; what was being written has no final name.
#[cfg(unix)]
#[test]
fn a_size_limit_damages_nothing() {
    let account = Account::new(vec![
        Item::image(1, 3, 10_000),
        Item::video(2, 2, 3_000_000),
    ]);
    let temp = Temp::new("limit");
    let made = command("backup", &account.server.url());
    let mut command = std::process::Command::new("sh");
    command.env_clear();
    command.envs(
        made.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command.args([
        "-c",
        "trap '' XFSZ; ulimit -f 200 && exec \"$0\" backup -j1 \"$1\"",
    ]);
    let output = command
        .arg(made.get_program())
        .arg(&temp.0)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    let part = temp.join(".backup-2026-01-03_2.part");
    let clear = format!("{}: File too large (os error 27)\n", part.display());
    assert_eq!(
        text(&output.stderr),
        format!(
            "missing: 2026-01-03_2: {clear}missing: 1 more, not tried any more\n\
             mingram backup: {clear}"
        )
    );
    check(&temp.0, &account.expected());
    assert!(temp.join("2026/2026-01-04_1.jpg").exists());
    let output = backup(&account, &temp.0, &[]);
    assert!(output.status.success(), "{}", said(&output));
    check_complete(&temp.0, &account);
}

#[test]
#[ignore = "moves 1 GiB"]
fn a_gibibyte_stays_under_20_mib_of_memory() {
    const GIB: u64 = 1 << 30;
    // Generated as it goes, or the test itself would need the memory.
    let piece: Vec<u8> = bytes("5", "mp4", 0, 1 << 20);
    let account = common::Server::start(move |request, stream| {
        use std::io::Write;
        let host = request.host();
        let node = format!(
            r#"{{"data":[{{"id":"5","media_type":"VIDEO","media_url":"http://{host}/file"}}]}}"#
        );
        let _ = match request.target.split('?').next() {
            Some("/me") => stream.write_all(json("200 OK", r#"{"id":"1"}"#).as_bytes()),
            Some("/me/media") => stream.write_all(json("200 OK", &node).as_bytes()),
            _ => {
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {GIB}\r\n\r\n");
                (0..1024).try_for_each(|_| stream.write_all(&piece))
            }
        };
    });
    let temp = Temp::new("gib");
    let mut child = command("backup", &account.url())
        .arg(&temp.0)
        .spawn()
        .unwrap();
    // What the kernel noted as the most, read until the process is gone.
    let mut peak = 0;
    let status = loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(status.success());
    assert_eq!(
        fs::metadata(temp.join("0000/0000-00-00_5.mp4"))
            .unwrap()
            .len(),
        GIB
    );
    println!("VmHWM: {peak} KiB");
    assert!(peak > 0 && peak < 20 * 1024, "{peak} KiB");
}

/// A run on a terminal of util-linux's `script`: what the terminal receives, or `None` if
/// there is no such program.
#[cfg(target_os = "linux")]
fn on_a_terminal(account: &Account, dir: &Path) -> Option<String> {
    let made = command("backup", &account.server.url());
    let mut script = std::process::Command::new("script");
    for (name, value) in made.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let program = support::program::path();
    let line = format!("stty cols 100; '{program}' backup '{}'", dir.display());
    let output = script
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if !text(&output.stderr).contains("usage") => {
            assert!(output.status.success(), "{}", said(&output));
            Some(text(&output.stdout))
        }
        other => {
            println!("skipped: no `script` that makes a terminal: {other:?}");
            None
        }
    }
}

/// While one long file comes, whose time left is known by its bytes alone.
#[cfg(target_os = "linux")]
#[test]
fn progress_is_drawn_on_a_terminal() {
    let account =
        Account::with_faults(vec![Item::video(1, 0, 500_000)], |request, _| match request
            .target
            .starts_with("/file/")
        {
            true => Fault::Slow(10_000, Duration::from_millis(60)),
            false => Fault::None,
        });
    let temp = Temp::new("bar");
    let Some(out) = on_a_terminal(&account, &temp.0) else {
        return;
    };
    let drawn: Vec<&str> = out
        .split(['\r', '\n'])
        .filter(|line| line.contains("1/2 files, "))
        .collect();
    assert!(drawn.len() > 5, "{out}");
    // Nothing is said of the time before it can be known.
    assert!(!drawn[0].contains(" left"), "{drawn:#?}");
    let seconds: Vec<u64> = drawn
        .iter()
        .filter_map(|line| line.split(", ").nth(3))
        .map(|left| left.split(' ').next().unwrap().parse().unwrap())
        .collect();
    // Three seconds and more; the first of them are not the last.
    assert!((1..60).contains(&seconds[0]), "{drawn:#?}");
    assert!(seconds.last() < seconds.first(), "{drawn:#?}");
    assert!(out.contains("2 downloaded (503.0 kB), 0 missing"), "{out}");
    check_complete(&temp.0, &account);
}

/// Listing thousands of media takes minutes, so it counts; pages have 100.
#[cfg(target_os = "linux")]
#[test]
fn listing_counts_on_a_terminal() {
    let items = (0..250).map(|i| Item::image(100 + i, 50, 200)).collect();
    let account = Account::new(items);
    let temp = Temp::in_memory("listing");
    let Some(out) = on_a_terminal(&account, &temp.0) else {
        return;
    };
    for line in ["listing… 10\u{1b}[K", "listing… 250\u{1b}[K"] {
        assert!(out.contains(line), "{out:?}");
    }
    let line = "250 media, 250 files: 0 already there, 250 downloaded";
    assert!(out.contains(line), "{out:?}");
    assert_eq!(account.asked("/me/media"), 3);
}

#[test]
fn two_runs_do_not_write_into_the_same_folder() {
    let account = Account::with_file_fault(vec![Item::image(1, 0, 200_000)], || {
        Fault::Slow(10_000, Duration::from_millis(30))
    });
    let temp = Temp::new("two");
    let mut first = command("backup", &account.server.url())
        .arg(&temp.0)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while account.asked("/file/") == 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let second = backup(&account, &temp.0, &[]);
    assert_eq!(second.status.code(), Some(5), "{}", said(&second));
    assert!(text(&second.stderr).contains("another run is writing there"));
    assert!(first.wait().unwrap().success());
    check_complete(&temp.0, &account);
}

#[test]
fn errors_are_one_line_and_have_a_status() {
    let dead = include_str!("../../../fixtures/errors/token-invalid.http");
    let limit = include_str!("../../../fixtures/errors/rate-limit.http");
    for (fixture, code) in [(dead, 3), (limit, 4)] {
        let reply = fixture.split_once("\n\n").unwrap().1.to_owned();
        let account = Account::with_faults(small(), move |_, _| Fault::Reply(reply.clone()));
        let output = backup(&account, &Temp::new("errors").0, &[]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        let errors = text(&output.stderr);
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(
            errors.starts_with("mingram backup: GET /me: the service returned error "),
            "{errors}"
        );
        assert!(!errors.contains(common::replay::TOKEN), "{errors}");
    }
    let account = Account::new(small());
    let temp = Temp::new("usage");
    for (token, error) in [
        (
            "two words",
            "mingram backup: the access token contains a space",
        ),
        ("", "run `mingram token login`"),
    ] {
        let mut command = command("backup", &account.server.url());
        let command = command.env("INSTAGRAM_TOKEN", token).arg(&temp.0);
        let output = command
            .arg("--token-file")
            .arg(temp.join("none"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(text(&output.stderr).contains(error), "{}", said(&output));
    }
    for (args, message) in [
        (
            vec!["--jobs", "0"],
            "mingram backup: --jobs takes a whole number from 1 to 16 (see --help)\n",
        ),
        (
            vec!["--since", "yesterday"],
            "mingram backup: --since takes a date, for example 2026-01-31 (see --help)\n",
        ),
        (
            vec!["--fast"],
            "mingram backup: invalid option '--fast' (see --help)\n",
        ),
    ] {
        let output = backup(&account, &temp.0, &args);
        assert_eq!(
            (output.status.code(), text(&output.stderr).as_str()),
            (Some(2), message)
        );
    }
    fs::write(temp.join("file"), "").unwrap();
    let output = backup(&account, &temp.join("file"), &[]);
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
}

#[test]
fn without_a_network_it_does_not_try_every_file() {
    // A port that nobody answers on.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = common::Server::start(move |request, stream| {
        use std::io::Write;
        let items: Vec<String> = (1..=200)
            .map(|id| {
                format!(
                    r#"{{"id":"{id}","media_type":"IMAGE","media_url":"http://{nobody}/{id}"}}"#
                )
            })
            .collect();
        let body = match request.target.starts_with("/me/media") {
            true => format!(r#"{{"data":[{}]}}"#, items.join(",")),
            false => r#"{"id":"1"}"#.to_owned(),
        };
        let _ = stream.write_all(json("200 OK", &body).as_bytes());
    });
    let temp = Temp::in_memory("nobody");
    let mut command = command("backup", &server.url());
    let output = command
        .arg(&temp.0)
        .args(["-j1", "--retries", "0", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let errors = text(&output.stderr);
    assert_eq!(
        errors
            .matches("connection refused: check the host and port\n")
            .count(),
        11,
        "{errors}"
    );
    assert_eq!(
        errors
            .matches("missing: 190 more, not tried any more\n")
            .count(),
        1,
        "{errors}"
    );
    assert!(errors.ends_with(
        "mingram backup: GET 127.0.0.1/10: connection refused: check the host and port\n"
    ));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["missing"].as_array().unwrap().len(), 200);
}

#[cfg(unix)]
#[test]
fn the_token_file_serves_where_the_environment_has_no_token() {
    let account = Account::new(small());
    let temp = Temp::new("token");
    let file = mingram::auth::TokenFile::new(temp.join("token.json"));
    let now = std::time::SystemTime::now();
    file.save(&mingram::auth::LongLivedToken::new("IGQVJfile", None, now))
        .unwrap();
    let mut command = command("backup", &account.server.url());
    command
        .env_remove("INSTAGRAM_TOKEN")
        .env("MINGRAM_TOKEN_FILE", file.path());
    let output = command.arg(temp.join("dir")).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    check_complete(&temp.join("dir"), &account);
    for request in account.server.received() {
        let sent = common::param(&request, "access_token");
        let file = request.target.starts_with("/file/") || request.target.starts_with("/thumb/");
        assert_eq!(
            sent.as_deref(),
            (!file).then_some("IGQVJfile"),
            "{}",
            request.target
        );
    }
}

#[test]
fn help_into_a_closed_pipe_is_quiet() {
    let mut child = command("backup", "http://127.0.0.1:1")
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(text(&output.stderr), "");
}
