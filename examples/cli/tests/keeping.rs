//! The laws of keeping, for `backup`: what is kept only gains, whatever the service says. Most
//! tests are two runs into one directory, with an odd reply in the second one.

mod support;

use serde_json::{Value, json as value};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;
use support::account::*;
use support::common::{self, json, reply};

fn backup(account: &Account, dir: &Path, args: &[&str]) -> Output {
    let mut command = command("backup", &account.server.url());
    command.arg(dir).args(args).output().unwrap()
}

/// The summary of a run that ends with this code.
fn run(account: &Account, dir: &Path, args: &[&str], code: i32) -> Value {
    let output = backup(account, dir, &[&["--json"], args].concat());
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let posts = &summary["posts"];
    let number = |key: &str| posts[key].as_u64().unwrap();
    let ended = number("kept") + number("unavailable") + number("missing");
    assert_eq!(ended, number("listed"), "{posts}");
    assert_eq!(summary["complete"], code == 0);
    summary
}

fn three() -> Vec<Item> {
    let album = Item::album(
        7,
        30,
        vec![Item::image(71, 30, 900), Item::image(72, 30, 800)],
    );
    vec![Item::image(9, 50, 3000), album, Item::video(5, 10, 4000)]
}

/// The content of every file.
fn content(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |path: String| (path.clone(), fs::read(dir.join(path)).unwrap());
    tree(dir).into_iter().map(read).collect()
}

fn note(dir: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(dir.join(name)).unwrap()).unwrap()
}

fn refusal(message: &str) -> String {
    let error =
        format!(r#"{{"error":{{"message":"{message}","type":"IGApiException","code":100}}}}"#);
    json("400 Bad Request", &error)
}

#[test]
fn an_empty_list_of_an_account_that_has_media_is_not_believed() {
    for (me, code) in [
        (r#","media_count":3"#, 1),
        ("", 1),
        (r#","media_count":0"#, 0),
    ] {
        let (odd, temp) = (Odd::new(three()), Temp::new("empty"));
        run(&odd.account, &temp.0, &[], 0);
        let before = content(&temp.0);
        odd.set("/me/media", json("200 OK", r#"{"data":[]}"#));
        odd.set(
            "/me?",
            json("200 OK", &format!(r#"{{"id":"17841405793187218"{me}}}"#)),
        );
        let summary = run(&odd.account, &temp.0, &[], code);
        let error = summary["error"].as_str().unwrap_or_default();
        assert_eq!(
            error.contains("nothing was changed"),
            code == 1,
            "{me}: {error}"
        );
        let after = content(&temp.0);
        let media = |files: &BTreeMap<String, Vec<u8>>| {
            let files = files.iter().filter(|(name, _)| *name != "profile.json");
            files
                .map(|(name, bytes)| (name.clone(), bytes.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(media(&after), media(&before), "{me}");
    }
    // A new account has none, and a service that does not count says nothing else.
    let (account, temp) = (Account::new(Vec::new()), Temp::new("none"));
    run(&account, &temp.0, &[], 0);
}

#[test]
fn only_the_field_that_a_refusal_names_is_left_out() {
    let (odd, temp) = (Odd::new(three()), Temp::new("refused"));
    let more = r#","alt_text":"a cat","like_count":3,"shortcode":"Abc""#;
    odd.account.items.lock().unwrap()[0].more = more.to_owned();
    run(&odd.account, &temp.0, &[], 0);
    let name = "2026/2026-02-23_9.json";
    let before = note(&temp.0, name);
    assert_eq!(before["alt_text"], "a cat");
    // Names no field: fewer of them are no cure.
    odd.set(
        "/me/media",
        refusal("Unsupported request - method type: get"),
    );
    let summary = run(&odd.account, &temp.0, &[], 1);
    let error = summary["error"].as_str().unwrap();
    assert!(error.contains("Unsupported request"), "{error}");
    assert_eq!(note(&temp.0, name), before);
    assert_eq!(summary["refused"], value!([]));

    let account = Account::with_faults(three(), |request, _| {
        let fields = common::param(request, "fields").unwrap_or_default();
        match request.target.split('?').next().unwrap() {
            "/me" if fields.contains("biography") => Fault::Reply(refusal(
                "(#100) Tried accessing nonexisting field (biography)",
            )),
            "/me/media" if fields.contains("alt_text") => Fault::Reply(refusal(
                "(#100) Tried accessing nonexisting field (alt_text)",
            )),
            _ => Fault::None,
        }
    });
    account.items.lock().unwrap()[0].more = r#","like_count":4"#.to_owned();
    let output = backup(&account, &temp.0, &[]);
    assert!(output.status.success(), "{}", said(&output));
    for name in ["alt_text", "biography"] {
        let says = format!("the service refuses the field `{name}`: continuing without it\n");
        assert_eq!(
            text(&output.stderr).matches(&says).count(),
            1,
            "{}",
            said(&output)
        );
    }
    let asked = account.server.received();
    let asked = asked
        .iter()
        .rfind(|request| request.target.starts_with("/me/media"));
    assert!(asked.unwrap().target.contains("shortcode"), "only that one");
    let after = note(&temp.0, name);
    assert_eq!(after["alt_text"], "a cat");
    assert_eq!(after["shortcode"], "Abc");
    assert_eq!(after["like_count"], 4, "numbers are replaced");
    assert_eq!(after["mingram"].get("history"), None);
    let summary = run(&account, &temp.0, &[], 0);
    assert_eq!(summary["refused"], value!(["biography", "alt_text"]));
    // Without URLs nothing can be downloaded, and it is not the posts' fault.
    let account = Account::with_faults(three(), |request, _| {
        let fields = common::param(request, "fields").unwrap_or_default();
        match request.target.starts_with("/me/media") && fields.contains("media_url") {
            true => Fault::Reply(refusal("Tried accessing nonexisting field (media_url)")),
            false => Fault::None,
        }
    });
    for item in account.items.lock().unwrap().iter_mut() {
        item.query = None;
        item.children
            .iter_mut()
            .for_each(|child| child.query = None);
    }
    let summary = run(&account, &Temp::new("urls").0, &[], 1);
    assert_eq!(summary["posts"]["missing"], 3, "{summary}");
    assert_eq!(run(&account, &temp.0, &[], 0)["posts"]["kept"], 3);
}

#[test]
fn an_album_whose_children_do_not_come_is_kept_by_its_cover() {
    let empty = json("200 OK", r#"{"data":[]}"#);
    let lost = json(
        "400 Bad Request",
        r#"{"error":{"message":"no such object","code":100,"error_subcode":33}}"#,
    );
    for (children, cover, code, ended) in [
        (&empty, true, 0, "kept"),
        (&empty, false, 0, "unavailable"),
        (&lost, true, 1, "missing"),
        (&lost, false, 1, "missing"),
    ] {
        let (odd, temp) = (Odd::new(three()), Temp::new("cover"));
        {
            let mut items = odd.account.items.lock().unwrap();
            (items[1].nested, items[1].cover, items[1].length) = (Some(0), cover, 700);
        }
        odd.set("/7/children", children.clone());
        let summary = run(&odd.account, &temp.0, &[], code);
        let expected = if ended == "kept" { 3 } else { 1 };
        assert_eq!(summary["posts"][ended], expected, "{summary}");
        let held = temp.join("2026/2026-02-03_7.jpg").exists();
        assert_eq!(held, cover, "{summary}");
        assert!(temp.join("2026/2026-02-23_9.jpg").exists());
        // Later they come, by a request of their own.
        odd.clear();
        run(&odd.account, &temp.0, &[], 0);
        assert!(temp.join("2026/2026-02-03_7_02_72.jpg").exists());
        assert_eq!(temp.join("2026/2026-02-03_7.jpg").exists(), cover);
        // And once they are here, nothing has to come.
        odd.set("/7/children", children.clone());
        let files = odd.account.asked("/file/");
        let summary = run(&odd.account, &temp.0, &[], code);
        assert_eq!(summary["files"], 5, "{summary}");
        assert_eq!(odd.account.asked("/file/"), files);
    }
}

#[test]
fn a_file_or_an_album_that_fails_for_good_holds_up_nothing() {
    let (odd, temp) = (Odd::new(three()), Temp::new("fails"));
    odd.account.items.lock().unwrap()[1].nested = Some(0);
    odd.set("/7/children", reply("500 No", &[], "no"));
    odd.set("/file/9", reply("500 No", &[], "no"));
    let summary = run(&odd.account, &temp.0, &["--retries", "0"], 1);
    assert_eq!(summary["posts"]["missing"], 2, "{summary}");
    assert_eq!(summary["posts"]["kept"], 1, "{summary}");
    // What the service says is recorded all the same.
    assert_eq!(
        note(&temp.0, "2026/2026-02-23_9.json")["caption"],
        "about 9"
    );
    odd.clear();
    run(&odd.account, &temp.0, &[], 0);
}

#[test]
fn all_children_of_a_long_album_come() {
    let children = (0..20).map(|n| Item::image(700 + n, 30, 50 + n)).collect();
    let (account, temp) = (
        Account::new(vec![Item::album(7, 30, children)]),
        Temp::new("long"),
    );
    account.items.lock().unwrap()[0].nested = Some(10);
    let summary = run(&account, &temp.0, &[], 0);
    assert_eq!(summary["downloaded"], 20, "{summary}");
    assert!(temp.join("2026/2026-02-03_7_20_719.jpg").exists());
}

/// Pictures have come without a length.
#[test]
fn a_picture_in_chunks_is_complete_with_the_last_one() {
    let picture = Item::image(9, 50, 3000);
    let (odd, temp) = (Odd::new(vec![picture]), Temp::new("chunks"));
    let content = "GIF89a......";
    let chunk = format!("c\r\n{content}\r\n");
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    odd.set("/file/9", format!("{head}{chunk}"));
    let summary = run(&odd.account, &temp.0, &["--retries", "0"], 1);
    assert_eq!(summary["posts"]["missing"], 1, "{summary}");
    // Nothing says where this one ends.
    odd.set("/file/9", format!("HTTP/1.1 200 OK\r\n\r\n{content}"));
    run(&odd.account, &temp.0, &[], 1);
    odd.set("/file/9", format!("{head}{chunk}0\r\n\r\n"));
    run(&odd.account, &temp.0, &[], 0);
    let held = fs::read(temp.join("2026/2026-02-23_9.gif")).unwrap();
    assert_eq!(held, content.as_bytes());
    let summary = run(&odd.account, &temp.0, &["--check"], 0);
    assert_eq!(summary["verified"]["files"], 1, "{summary}");
}

#[test]
fn a_date_or_number_that_moves_downloads_nothing_again() {
    let (account, temp) = (Account::new(three()), Temp::new("moves"));
    run(&account, &temp.0, &[], 0);
    let (before, files) = (tree(&temp.0), account.asked("/file/"));
    for timestamp in [
        "2026-02-24T00:00:01+0000",
        "nonsense",
        "2027-01-01T00:00:00+0000",
    ] {
        account.items.lock().unwrap()[0].timestamp = timestamp.to_owned();
        account.items.lock().unwrap()[1].timestamp = timestamp.to_owned();
        run(&account, &temp.0, &[], 0);
        assert_eq!(tree(&temp.0), before, "{timestamp}");
    }
    // An item leaves its album: it stays here, and the others do not come again.
    account.items.lock().unwrap()[1].children.remove(0);
    account.items.lock().unwrap()[1]
        .children
        .push(Item::image(73, 30, 60));
    run(&account, &temp.0, &[], 0);
    assert_eq!(account.asked("/file/"), files + 1);
    let after = tree(&temp.0);
    assert_eq!(after.len(), before.len() + 1, "{after:?}");
    assert!(before.iter().all(|name| after.contains(name)));
    // The new one lies beside its album.
    assert!(
        temp.join("2026/2026-02-03_7_02_73.jpg").exists(),
        "{after:?}"
    );
    let album = note(&temp.0, "2026/2026-02-03_7.json");
    let children = album["children"]["data"].as_array().unwrap();
    let ids: Vec<&str> = children
        .iter()
        .map(|child| child["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["72", "73", "71"]);
    assert_eq!(children[2]["mingram"]["file"]["size"], 900);
}

#[test]
fn a_post_on_two_pages_is_counted_once() {
    let mut items: Vec<Item> = (0..101).map(|n| Item::image(100 + n, 50, 20)).collect();
    items[100] = items[99].clone();
    let (account, temp) = (Account::new(items), Temp::in_memory("twice"));
    let summary = run(&account, &temp.0, &[], 0);
    assert_eq!(
        (&summary["media"], &summary["files"]),
        (&value!(100), &value!(100))
    );
    assert_eq!(account.asked("/file/199?"), 1);
}

#[test]
fn what_changes_stays_in_the_history() {
    let (odd, temp) = (Odd::new(three()), Temp::new("history"));
    odd.account.items.lock().unwrap()[0].more = r#","alt_text":"a cat""#.to_owned();
    let profile = |rest: &str| {
        let body = format!(r#"{{"id":"17841405793187218","media_count":3,{rest}}}"#);
        json("200 OK", &body)
    };
    let first = r#""username":"jo","name":"Jo","biography":"I","website":"https://a.example""#;
    odd.set("/me?", profile(first));
    run(&odd.account, &temp.0, &[], 0);
    odd.set(
        "/me?",
        profile(r#""username":"joe","name":"","website":"https://b.example""#),
    );
    {
        let mut items = odd.account.items.lock().unwrap();
        items[0].caption = "better".to_owned();
        items[0].more = r#","alt_text":"a dog""#.to_owned();
    }
    let summary = run(&odd.account, &temp.0, &[], 0);
    assert_eq!(summary["edited"], value!(["profile", "2026-02-23_9"]));
    let post = note(&temp.0, "2026/2026-02-23_9.json");
    assert_eq!(
        (&post["caption"], &post["alt_text"]),
        (&value!("better"), &value!("a dog"))
    );
    let history = &post["mingram"]["history"];
    assert_eq!(history[0]["caption"], "about 9");
    assert_eq!(history[0]["alt_text"], "a cat");
    assert_eq!(
        history[0]["seen"].as_str().unwrap().len(),
        "2026-11-28T12:00:00Z".len()
    );
    let owner = note(&temp.0, "profile.json");
    let history = &owner["mingram"]["history"][0];
    for (key, before, now) in [
        ("username", "jo", "joe"),
        ("name", "Jo", ""),
        ("website", "https://a.example", "https://b.example"),
    ] {
        assert_eq!(
            (&history[key], &owner[key]),
            (&value!(before), &value!(now))
        );
    }
    assert_eq!(owner["biography"], "I", "absence is not news");
    assert_eq!(history.get("biography"), None);
    // Once: the next run writes nothing.
    let before = content(&temp.0);
    run(&odd.account, &temp.0, &[], 0);
    assert_eq!(content(&temp.0), before);
}

#[test]
fn an_old_profile_picture_stays_under_its_date() {
    let (account, temp) = (Account::new(three()), Temp::new("picture"));
    let picture = |name| *account.picture.lock().unwrap() = Some(name);
    let (one, two) = (
        bytes("one.jpg", "jpg", 0, 700),
        bytes("two.jpg", "jpg", 0, 700),
    );
    picture("one.jpg");
    run(&account, &temp.0, &[], 0);
    picture("two.jpg");
    run(&account, &temp.0, &[], 0);
    // Without one, and with the first again.
    *account.picture.lock().unwrap() = None;
    run(&account, &temp.0, &[], 0);
    assert_eq!(fs::read(temp.join("profile.jpg")).unwrap(), two);
    picture("one.jpg");
    run(&account, &temp.0, &[], 0);
    let names: Vec<String> = names(&temp.0)
        .into_iter()
        .filter(|name| name.ends_with(".jpg"))
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(fs::read(temp.join("profile.jpg")).unwrap(), one);
    assert_eq!(fs::read(temp.join(&names[1])).unwrap(), one, "{names:?}");
    assert_eq!(fs::read(temp.join(&names[2])).unwrap(), two, "{names:?}");
    let history = &note(&temp.0, "profile.json")["mingram"]["history"];
    assert_eq!(history[0]["profile_picture"], names[1], "{history}");
    // The same picture under another name is not kept twice.
    fs::write(temp.join("profile.jpg"), &two).unwrap();
    picture("two.jpg");
    run(&account, &temp.0, &[], 0);
    assert_eq!(
        tree(&temp.0)
            .iter()
            .filter(|name| name.starts_with("profile"))
            .count(),
        4
    );
}

#[test]
fn a_damaged_sidecar_is_made_anew_and_kept_aside() {
    let (account, temp) = (Account::new(three()), Temp::new("damaged"));
    run(&account, &temp.0, &[], 0);
    let name = "2026/2026-02-23_9.json";
    let whole = note(&temp.0, name);
    for (damage, cut) in [
        (String::new(), true),
        ("\0".repeat(300), true),
        ("{\"id\"".to_owned(), false),
    ] {
        fs::write(temp.join(name), &damage).unwrap();
        if cut {
            let picture = temp.join("2026/2026-02-23_9.jpg");
            fs::write(&picture, &fs::read(&picture).unwrap()[..1000]).unwrap();
        }
        let output = backup(&account, &temp.0, &[]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(text(&output.stderr).contains("kept as 2026/2026-02-23_9.json.damaged"));
        assert_eq!(note(&temp.0, name)["caption"], "about 9");
        // Nobody has recorded what the file was: the service knows.
        let summary = run(&account, &temp.0, &["--check"], 0);
        assert_eq!(
            summary["damaged"].as_array().unwrap().len(),
            usize::from(cut),
            "{summary}"
        );
        assert_eq!(
            note(&temp.0, name)["mingram"]["file"]["sha256"],
            whole["mingram"]["file"]["sha256"]
        );
        assert_eq!(
            run(&account, &temp.0, &["--check"], 0)["damaged"],
            value!([])
        );
    }
    let aside = names(&temp.join("2026"));
    let aside: Vec<&String> = aside
        .iter()
        .filter(|name| name.contains(".json.damaged"))
        .collect();
    assert_eq!(aside.len(), 3, "{aside:?}");
    fs::remove_file(temp.join(name)).unwrap();
    run(&account, &temp.0, &[], 0);
    assert_eq!(note(&temp.0, name)["caption"], "about 9");
}

/// A sum of a file that may be truncated would be believed for good.
#[test]
fn what_cannot_be_compared_gets_no_sum() {
    let (odd, temp) = (Odd::new(three()), Temp::new("unknown"));
    run(&odd.account, &temp.0, &[], 0);
    fs::remove_file(temp.join("2026/2026-02-23_9.json")).unwrap();
    let picture = temp.join("2026/2026-02-23_9.jpg");
    fs::write(&picture, &fs::read(&picture).unwrap()[..1000]).unwrap();
    odd.set("/file/9", reply("404 No", &[], ""));
    for _ in 0..2 {
        let summary = run(&odd.account, &temp.0, &["--check"], 0);
        let name = value!(["2026/2026-02-23_9.jpg"]);
        assert_eq!(summary["unverified"], name, "{summary}");
        assert_eq!(summary["verified"]["files"], 4, "{summary}");
    }
    odd.clear();
    let summary = run(&odd.account, &temp.0, &["--check"], 0);
    assert_eq!(summary["downloaded"], 1, "{summary}");
    assert_eq!(fs::read(&picture).unwrap().len(), 3000);
}

#[test]
fn the_account_of_a_directory_must_be_known() {
    let temp = Temp::new("whose");
    let account = Account::new(three());
    run(&account, &temp.0, &[], 0);
    let other = Odd::new(vec![Item::image(9, 50, 3000)]);
    other.set(
        "/me?",
        json("200 OK", r#"{"id":"2","username":"other","media_count":1}"#),
    );
    let profile = fs::read(temp.join("profile.json")).unwrap();
    let record = fs::read(temp.join(".mingram/backup.json")).unwrap();
    for (name, whole) in [
        ("profile.json", &profile),
        (".mingram/backup.json", &record),
    ] {
        for damage in ["", "\0\0\0\0", "{\"id\":", "{}", "[]"] {
            fs::write(temp.join(name), damage).unwrap();
            let before = content(&temp.0);
            for account in [&other.account, &account] {
                let summary = run(account, &temp.0, &[], 1);
                let error = summary["error"].as_str().unwrap();
                let damaged = error.contains(name) && error.contains("is damaged");
                assert!(damaged || error.contains("another account"), "{error}");
                assert_eq!(content(&temp.0), before, "{name}");
            }
        }
        // Any of the two is enough to know it.
        fs::remove_file(temp.join(name)).unwrap();
        let error = run(&other.account, &temp.0, &[], 1)["error"].to_string();
        assert!(
            error.contains("another account, jayposiris"),
            "{name}: {error}"
        );
        fs::create_dir(temp.join(name)).unwrap();
        let output = backup(&account, &temp.0, &[]);
        assert_eq!(output.status.code(), Some(5), "{}", said(&output));
        fs::remove_dir(temp.join(name)).unwrap();
        fs::write(temp.join(name), whole).unwrap();
    }
    run(&account, &temp.0, &[], 0);
}

#[test]
fn a_check_reads_every_file() {
    let (account, temp) = (Account::new(three()), Temp::new("rot"));
    run(&account, &temp.0, &[], 0);
    let summary = run(&account, &temp.0, &["--check"], 0);
    assert_eq!(
        summary["verified"],
        value!({"files": 5, "bytes": 3000 + 900 + 800 + 4000 + 3000})
    );
    let rot = |name: &str| {
        let mut held = fs::read(temp.join(name)).unwrap();
        held[500] ^= 1;
        fs::write(temp.join(name), held).unwrap();
    };
    let child = "2026/2026-02-03_7_02_72.jpg";
    rot(child);
    let output = backup(&account, &temp.0, &["--check"]);
    assert!(output.status.success(), "{}", said(&output));
    let damage = format!("damaged: {child}: its SHA-256 is another one\n");
    assert_eq!(text(&output.stderr), damage);
    assert!(
        text(&output.stdout).ends_with(", 4 verified (10.9 kB)\n"),
        "{}",
        said(&output)
    );
    assert!(fs::read(temp.join(child)).unwrap() == bytes("72", "jpg", 0, 800));
    // Of what has left the account: a child, and a post.
    account.items.lock().unwrap()[1].children.pop();
    account.items.lock().unwrap().pop();
    assert_eq!(
        run(&account, &temp.0, &["--check"], 0)["verified"]["files"],
        5
    );
    let video = "2026/2026-01-11_5.mp4";
    rot(child);
    rot(video);
    let before = content(&temp.0);
    let summary = run(&account, &temp.0, &["--check"], 1);
    assert_eq!(summary["damaged"].as_array().unwrap().len(), 2, "{summary}");
    assert_eq!(content(&temp.0), before, "nothing better is known");
}

/// A directory as version 0.1 wrote it: everything in one directory, and a sidecar for each
/// child.
fn old(items: &[Item], dir: &Path) {
    let write = |name: &str, text: String| fs::write(dir.join(name), text + "\n").unwrap();
    let file = |name: &str, id: &str, kind: &str, length: u64| {
        fs::write(
            dir.join(format!("{name}.{kind}")),
            bytes(id, kind, 0, length),
        )
        .unwrap();
        format!(r#"{{"size":{length},"etag":"\"{id}\""}}"#)
    };
    let node = |stem: &str, item: &Item| {
        let mut notes = file(stem, &item.id, item.extension(), item.length);
        notes = format!(r#""file":{notes}"#);
        if item.media_type == "VIDEO" {
            let poster = file(&format!("{stem}_poster"), &item.id, "jpg", 3000);
            notes += &format!(r#","poster":{poster}"#);
        }
        format!(
            r#"{{"id":"{}","media_type":"{}","timestamp":"{}","username":"jayposiris","mingram":{{{notes}}}}}"#,
            item.id, item.media_type, item.timestamp
        )
    };
    write(
        "profile.json",
        r#"{"id":"17841405793187218","username":"jayposiris"}"#.to_owned(),
    );
    for item in items {
        let stem = format!("{}_{}", &item.timestamp[..10], item.id);
        let mut text = match item.children.is_empty() {
            true => node(&stem, item),
            false => format!(r#"{{"id":"{}","media_type":"CAROUSEL_ALBUM"}}"#, item.id),
        };
        text.insert_str(1, &format!(r#""caption":"old {}","mine":[1],"#, item.id));
        for (i, child) in item.children.iter().enumerate() {
            let stem = format!("{stem}_{:02}_{}", i + 1, child.id);
            write(&format!("{stem}.json"), node(&stem, child));
        }
        write(&format!("{stem}.json"), text);
    }
}

#[test]
fn a_directory_of_version_0_1_is_taken_over() {
    let (account, temp) = (Account::new(three()), Temp::new("old"));
    old(&three(), &temp.0);
    let before = content(&temp.0);
    let summary = run(&account, &temp.0, &[], 0);
    assert_eq!(
        (&summary["already_there"], &summary["downloaded"]),
        (&value!(5), &value!(0))
    );
    assert_eq!(account.asked("/file/") + account.asked("/thumb/"), 0);
    let after = content(&temp.0);
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &before {
        if !name.ends_with(".json") || name.matches('_').count() > 1 {
            assert_eq!(&after[name], bytes, "{name}");
        }
    }
    let album = note(&temp.0, "2026-02-03_7.json");
    assert_eq!(album["children"]["data"][1]["mingram"]["file"]["size"], 800);
    assert_eq!(album["mingram"]["history"][0]["caption"], "old 7");
    assert_eq!(album["mine"], value!([1]), "what else is there stays");
    // The first check gives them sums; what is new lies in its year.
    account
        .items
        .lock()
        .unwrap()
        .insert(0, Item::image(10, 60, 50));
    account.items.lock().unwrap()[2]
        .children
        .push(Item::image(73, 30, 60));
    let summary = run(&account, &temp.0, &["--check"], 0);
    assert_eq!(summary["verified"]["files"], 5, "{summary}");
    assert_eq!(account.asked("/file/10?") + account.asked("/file/73?"), 2);
    assert!(temp.join("2026/2026-03-05_10.jpg").exists());
    assert!(temp.join("2026-02-03_7_03_73.jpg").exists());
    let album = note(&temp.0, "2026-02-03_7.json");
    assert_eq!(
        album["children"]["data"][1]["mingram"]["file"]["sha256"]
            .as_str()
            .unwrap()
            .len(),
        64
    );
    // Without a sum, what is shorter than at the service comes again; the old one stays.
    let name = "2026-02-23_9";
    let mut sidecar = note(&temp.0, &format!("{name}.json"));
    sidecar["mingram"]["file"] = value!({"size": 1000});
    fs::write(temp.join(&format!("{name}.json")), sidecar.to_string()).unwrap();
    fs::write(
        temp.join(&format!("{name}.jpg")),
        bytes("9", "jpg", 0, 1000),
    )
    .unwrap();
    let summary = run(&account, &temp.0, &["--check"], 0);
    let damaged = "2026-02-23_9.jpg: 1000 bytes, and the service has 3000";
    assert_eq!(summary["damaged"], value!([damaged]));
    assert!(fs::read(temp.join(&format!("{name}.jpg"))).unwrap() == bytes("9", "jpg", 0, 3000));
    assert_eq!(
        fs::read(temp.join(&format!("{name}.jpg.damaged")))
            .unwrap()
            .len(),
        1000
    );
}

/// An unfinished file, and a server that cannot send the rest of one.
#[test]
fn a_file_whose_rest_does_not_come_is_asked_for_entirely() {
    const MIB: u64 = 1 << 20;
    let html = "<html>no</html>";
    for odd in [
        reply("400 No", &[], ""),
        reply("403 No", &[], ""),
        reply("404 No", &[], ""),
        reply("412 No", &[], ""),
        reply("500 No", &[], ""),
        reply("501 No", &[], ""),
        "HTTP/1.1 204 No\r\n\r\n".to_owned(),
        "HTTP/1.1 304 No\r\n\r\n".to_owned(),
        reply("200 OK", &[("Content-Type", "text/html")], html),
        reply(
            "206 Part",
            &[("Content-Type", "multipart/byteranges; boundary=x")],
            "--x\r\n",
        ),
        String::new(),
    ] {
        let reply = odd.clone();
        let account = Account::with_faults(vec![Item::video(5, 0, 18 * MIB)], move |request, _| {
            let is_part = request.headers.iter().any(|(name, _)| name == "range");
            match is_part && request.target.starts_with("/file/") {
                true if reply.is_empty() => Fault::Silence,
                true => Fault::Reply(reply.clone()),
                false => Fault::None,
            }
        });
        let temp = Temp::new("rest");
        let held = bytes("5", "mp4", 0, 17 * MIB);
        fs::write(temp.join(".backup-2026-01-01_5.part"), held).unwrap();
        let version = format!("{} \"5\"\n", 18 * MIB);
        fs::write(temp.join(".backup-2026-01-01_5.version.part"), version).unwrap();
        run(&account, &temp.0, &["--retries", "0"], 0);
        let held = fs::read(temp.join("2026/2026-01-01_5.mp4")).unwrap();
        assert!(held == bytes("5", "mp4", 0, 18 * MIB), "{odd}");
        assert!(
            names(&temp.0).iter().all(|name| !name.ends_with(".part")),
            "{odd}"
        );
    }
}

#[cfg(unix)]
#[test]
fn what_is_created_is_private_and_links_are_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (account, temp) = (Account::new(three()), Temp::new("private"));
    let dir = temp.join("backup");
    run(&account, &dir, &[], 0);
    for name in ["", "2026", ".mingram"] {
        let mode = fs::metadata(dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{name}");
    }
    let record = note(&dir, ".mingram/backup.json");
    assert_eq!(record["account"]["username"], "jayposiris");
    assert_eq!(
        (&record["last_run"]["code"], &record["directory"]),
        (&value!(0), &value!("backup"))
    );
    for name in ["2026", ".mingram"] {
        fs::rename(dir.join(name), temp.join("elsewhere")).unwrap();
        symlink(temp.join("elsewhere"), dir.join(name)).unwrap();
        let files = account.asked("/file/");
        let error = run(&account, &dir, &[], 5)["error"].to_string();
        assert!(
            error.contains("it is a link: put a directory there"),
            "{error}"
        );
        assert_eq!(
            account.asked("/file/"),
            files,
            "before anything is downloaded"
        );
        fs::remove_file(dir.join(name)).unwrap();
        fs::rename(temp.join("elsewhere"), dir.join(name)).unwrap();
    }
    run(&account, &dir, &[], 0);
}

/// The second page comes when a file of the first one has been asked for.
#[test]
fn downloads_begin_before_the_list_ends() {
    let items = (0..120).map(|n| Item::image(100 + n, 50, 30)).collect();
    let (begun, changed) = (Mutex::new(false), Condvar::new());
    let account = Account::with_faults(items, move |request, _| {
        if request.target.starts_with("/file/") {
            *begun.lock().unwrap() = true;
            changed.notify_all();
        } else if common::param(request, "after").is_some() {
            let wait = Duration::from_secs(30);
            let held = begun.lock().unwrap();
            let (held, _) = changed
                .wait_timeout_while(held, wait, |begun| !*begun)
                .unwrap();
            if !*held {
                return Fault::Reply(reply("404 No", &[], ""));
            }
        }
        Fault::None
    });
    let summary = run(&account, &Temp::in_memory("early").0, &[], 0);
    assert_eq!(summary["downloaded"], 120);
}

/// A file is flushed once, its name with many others, and a sidecar only if it replaces what
/// cannot be fetched again.
#[cfg(target_os = "linux")]
#[test]
fn a_new_file_is_flushed_once() {
    let items = (0..20).map(|n| Item::image(100 + n, 50, 30)).collect();
    let (account, temp) = (Account::new(items), Temp::new("fsync"));
    let (dir, log) = (temp.join("dir"), temp.join("log"));
    // Pictures, sidecars, and everything.
    let flushed = || {
        traced(
            &["backup"],
            &account,
            &dir,
            &["-e", "trace=fsync,fdatasync"],
            &log,
        )?;
        let log = fs::read_to_string(&log).unwrap();
        let all = log.lines().filter(|line| line.contains("sync("));
        let of_post = all.clone().filter(|line| line.contains("_1"));
        let sidecars = of_post.clone().filter(|line| line.contains("json"));
        let (posts, sidecars) = (of_post.count(), sidecars.count());
        Some((posts - sidecars, sidecars, all.count()))
    };
    let Some((pictures, sidecars, all)) = flushed() else {
        return;
    };
    // And then the profile, the record, and the names of directories.
    assert_eq!((pictures, sidecars), (20, 0));
    assert!(all <= 28, "{all}");
    // Numbers change all the time.
    for item in account.items.lock().unwrap().iter_mut() {
        item.more = r#","like_count":1"#.to_owned();
    }
    let (pictures, sidecars, all) = flushed().unwrap();
    assert!((pictures, sidecars) == (0, 0) && all < 8, "{all}");
    // What a caption was is known nowhere else.
    account.items.lock().unwrap()[3].caption = "new".to_owned();
    assert_eq!(flushed().unwrap().1, 1);
}

/// Shares refuse to flush a directory in their own ways.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_flushed_is_one_warning() {
    for error in ["EIO", "EPERM", "EACCES", "EBADF", "EINVAL", "EOPNOTSUPP"] {
        // A long file is flushed on its way, too.
        let items = [three(), vec![Item::video(4, 5, 9 << 20)]].concat();
        let (account, temp) = (Account::new(items), Temp::new("share"));
        let dir = temp.join("dir");
        fs::create_dir_all(dir.join("2026")).unwrap();
        let inject = format!("inject=fsync:error={error}");
        let (own, year) = (
            dir.display().to_string(),
            dir.join("2026").display().to_string(),
        );
        let args = ["-P", &own, "-P", &year, "-e", "trace=fsync", "-e", &inject];
        let Some(output) = traced(&["backup"], &account, &dir, &args, &temp.join("log")) else {
            return;
        };
        assert!(output.status.success(), "{error}: {}", said(&output));
        let errors = text(&output.stderr);
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(
            errors.contains("cannot be flushed to the disk ("),
            "{errors}"
        );
        assert!(
            text(&output.stdout).contains("7 downloaded"),
            "{}",
            said(&output)
        );
    }
}

/// Whatever is wrong with a post, it is in one of the three numbers.
#[test]
fn the_counts_add_up() {
    let refused = AtomicUsize::new(0);
    let mut items = three();
    items[0].query = None;
    items.push(Item {
        id: "x/y".to_owned(),
        ..Item::image(1, 3, 9)
    });
    items.push(Item::image(8, 4, 90));
    items.push(Item {
        nested: Some(0),
        ..Item::album(6, 5, Vec::new())
    });
    items.push(Item {
        more: r#","owner":5,"permalink":[]"#.to_owned(),
        ..Item::image(4, 4, 90)
    });
    let account = Account::with_faults(items, move |request, _| {
        match request.target.starts_with("/file/8?") {
            true => {
                refused.fetch_add(1, Ordering::SeqCst);
                Fault::Reply(reply("500 No", &[], "no"))
            }
            false => Fault::None,
        }
    });
    let summary = run(&account, &Temp::new("counts").0, &["--retries", "0"], 1);
    let posts = value!({"listed": 7, "kept": 2, "unavailable": 2, "missing": 3});
    assert_eq!(summary["posts"], posts, "{summary}");
}

/// The poster that `frame` shows of a video is not the video, and goes again.
#[test]
fn the_pictures_of_a_frame_are_not_the_backups() {
    let (account, temp) = (Account::new(feed()), Temp::new("shared"));
    let frame = |count: &str| {
        let mut command = command("frame", &account.server.url());
        let output = command.args(["--once", "--count", count]).arg(&temp.0);
        let output = output.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    };
    let is_backed_up = || {
        for (name, bytes) in account.expected() {
            let held = fs::read(temp.join(&name)).unwrap_or_default();
            assert!(bytes.is_none_or(|bytes| bytes == held), "{name}");
        }
    };
    frame("5");
    assert!(temp.join("2026-02-13_8.jpg").exists());
    run(&account, &temp.0, &[], 0);
    is_backed_up();
    frame("1");
    is_backed_up();
    let files = account.asked("/file/");
    run(&account, &temp.0, &["--check"], 0);
    assert_eq!(account.asked("/file/"), files);
    // A sidecar that lies beside such a picture is the backup's all the same.
    let held = names(&temp.0);
    let picture = held.iter().find(|name| name.ends_with("_9.jpg")).unwrap();
    let sidecar = picture.replace(".jpg", ".json");
    fs::rename(temp.join("2026").join(&sidecar), temp.join(&sidecar)).unwrap();
    fs::remove_file(temp.join("2026").join(picture)).unwrap();
    run(&account, &temp.0, &[], 0);
    run(&account, &temp.0, &["--check"], 0);
    assert_eq!(account.asked("/file/"), files + 1);
    assert!(temp.join("2026").join(picture).exists());
    assert!(!temp.join("2026").join(&sidecar).exists());
}

#[test]
fn a_recorded_file_that_is_gone_is_missing() {
    let (account, temp) = (Account::new(three()), Temp::new("gone"));
    *account.picture.lock().unwrap() = Some("a.jpg");
    run(&account, &temp.0, &[], 0);
    let is_gone = |args: &[&str], path: &str| {
        let (from, to) = (temp.join(path), temp.join("elsewhere"));
        fs::rename(&from, &to).unwrap();
        let summary = run(&account, &temp.0, args, 1);
        let missing = summary["missing"].as_array().unwrap();
        assert_eq!(missing.len(), 1, "{path}: {summary}");
        let reason = missing[0]["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("recorded, but not here"),
            "{path}: {reason}"
        );
        let id = path.rsplit('_').next().unwrap().split('.').next().unwrap();
        assert!(
            missing[0]["name"].as_str().unwrap().ends_with(id),
            "{path}: {summary}"
        );
        assert_eq!(summary["unavailable"], value!([]), "{path}");
        fs::rename(to, from).unwrap();
        run(&account, &temp.0, args, 0)
    };
    // It is listed without URLs.
    let change = |change: &dyn Fn(&mut Vec<Item>)| change(&mut account.items.lock().unwrap());
    change(&|items| (items[0].query, items[2].query) = (None, None));
    *account.picture.lock().unwrap() = None;
    for args in [&[][..], &["--check"]] {
        for path in [
            "2026/2026-02-23_9.jpg",
            "2026/2026-01-11_5.mp4",
            "2026/2026-01-11_5_poster.jpg",
            "profile.jpg",
        ] {
            is_gone(args, path);
        }
    }
    // Its album has lost it.
    change(&|items| drop(items[1].children.remove(0)));
    is_gone(&[], "2026/2026-02-03_7_01_71.jpg");
    is_gone(&["--check"], "2026/2026-02-03_7_01_71.jpg");
    // Its post has left: then only a check sees it.
    change(&|items| items.truncate(1));
    for path in [
        "2026/2026-02-03_7_01_71.jpg",
        "2026/2026-02-03_7_02_72.jpg",
        "2026/2026-01-11_5.mp4",
        "2026/2026-01-11_5_poster.jpg",
    ] {
        let summary = is_gone(&["--check"], path);
        assert_eq!(summary["verified"]["files"], 6, "{summary}");
    }
    // What is listed with a URL comes again.
    change(&|items| items[0].query = Some(String::new()));
    fs::remove_file(temp.join("2026/2026-02-23_9.jpg")).unwrap();
    assert_eq!(run(&account, &temp.0, &["--check"], 0)["downloaded"], 1);
}

#[test]
fn an_album_that_does_not_say_so_is_one() {
    for (nested, cover) in [(None, false), (Some(0), false), (Some(0), true)] {
        let (odd, temp) = (Odd::new(three()), Temp::new("untyped"));
        let whole = odd.account.items.lock().unwrap().clone();
        let children = whole[1].children.clone();
        let data = |media: &str| json("200 OK", &format!(r#"{{"data":[{media}]}}"#));
        let url = odd.account.server.url();
        let cover = match cover {
            true => format!(r#","media_url":"{url}/file/7""#),
            false => String::new(),
        };
        for kind in ["", r#","media_type":"NEW""#] {
            let empty = match nested {
                None => "",
                Some(_) => r#","children":{"data":[]}"#,
            };
            let album = format!(
                r#"{{"id":"7","timestamp":"{}"{kind}{empty}{cover}}}"#,
                whole[1].timestamp
            );
            odd.set("/me/media", data(&album));
            let summary = run(&odd.account, &temp.0, &[], 0);
            assert_eq!(summary["posts"]["kept"], 1, "{summary}");
            assert_eq!(summary["unavailable"], value!([]), "{summary}");
            assert_eq!(summary["files"], children.len(), "{summary}");
            assert!(temp.join("2026/2026-02-03_7_02_72.jpg").exists());
            // Not even then, once they are here.
            odd.set("/7/children", json("200 OK", r#"{"data":[]}"#));
            let summary = run(&odd.account, &temp.0, &[], 0);
            assert_eq!(summary["posts"]["kept"], 1, "{summary}");
            assert_eq!(summary["unavailable"], value!([]), "{summary}");
            assert!(!temp.join("2026/2026-02-03_7.jpg").exists());
            odd.clear();
        }
    }
}

/// Ids that were there before, and media that cannot be read, under ever new cursors.
#[test]
fn pages_that_bring_nothing_new_end() {
    for media in [
        r#"{"id":"9","media_type":"IMAGE"}"#,
        r#"{"id":"9","media_type":"IMAGE"},{"id":"8","permalink":[]}"#,
        r#"{"id":5,"n":NUMBER}"#,
        "null",
    ] {
        for edge in ["/me/media", "/7/children"] {
            let account = Account::with_faults(three(), move |request, number| {
                if !request.target.starts_with(edge) {
                    return Fault::None;
                }
                let next = format!(
                    r#"{{"cursors":{{"after":"c{number}"}},"next":"https://x/?after=c{number}"}}"#
                );
                let data = media.replace("NUMBER", &number.to_string());
                let body = format!(r#"{{"data":[{data}],"paging":{next}}}"#);
                Fault::Reply(json("200 OK", &body))
            });
            account.items.lock().unwrap()[1].nested = Some(0);
            let temp = Temp::in_memory("stale");
            let summary = run(&account, &temp.0, &[], 1).to_string();
            let says = format!("GET {edge}: 100 consecutive pages brought nothing new");
            // Of an album, the first reason is enough.
            let first = edge != "/me/media" && media != r#"{"id":"9","media_type":"IMAGE"}"#;
            assert!(summary.contains(&says) || first, "{media}: {summary}");
            let asked = account.asked(edge);
            assert!((50..=205).contains(&asked), "{media}: {asked}");
            let held = temp.join("2026/2026-01-11_5.mp4").exists();
            assert_eq!(held, edge != "/me/media", "the rest is kept");
        }
    }
}

#[test]
fn whose_directory_it_is_stays_recorded() {
    let (odd, temp) = (Odd::new(three()), Temp::new("owner"));
    let me = |more: &str| json("200 OK", &format!(r#"{{"media_count":3,{more}}}"#));
    odd.set("/me?", me(r#""id":"1","user_id":"2","username":"jo""#));
    run(&odd.account, &temp.0, &[], 0);
    for reply in [
        r#""id":"1""#,
        r#""id":"1","user_id":"2""#,
        r#""id":"1","username":"jo""#,
    ] {
        odd.set("/me?", me(reply));
        run(&odd.account, &temp.0, &[], 0);
        let record = note(&temp.0, ".mingram/backup.json");
        let whole = value!({"id": "1", "user_id": "2", "username": "jo"});
        assert_eq!(record["account"], whole, "{reply}");
    }
    odd.set("/me?", me(r#""id":"3","user_id":"2","username":"joe""#));
    run(&odd.account, &temp.0, &[], 0);
    let record = note(&temp.0, ".mingram/backup.json");
    assert_eq!(
        record["account"],
        value!({"id": "3", "user_id": "2", "username": "joe"})
    );
}

/// Some editors put it before a text.
#[test]
fn a_byte_order_mark_is_no_damage() {
    let (account, temp) = (Account::new(three()), Temp::new("bom"));
    run(&account, &temp.0, &[], 0);
    let names = [
        "profile.json",
        "2026/2026-02-23_9.json",
        ".mingram/backup.json",
    ];
    for name in names {
        let text = fs::read_to_string(temp.join(name)).unwrap();
        fs::write(temp.join(name), format!("\u{feff}{text}")).unwrap();
    }
    let before = tree(&temp.0);
    let summary = run(&account, &temp.0, &["--check"], 0);
    assert_eq!(summary["unverified"], value!([]));
    assert_eq!(tree(&temp.0), before, "nothing is put aside");
}

#[test]
fn a_file_with_the_name_of_a_year_costs_that_year() {
    let (account, temp) = (Account::new(three()), Temp::new("year"));
    fs::write(temp.join("2019"), "mine").unwrap();
    run(&account, &temp.0, &[], 0);
    account.items.lock().unwrap().extend([
        Item {
            timestamp: "2019-05-05T07:12:00+0000".to_owned(),
            ..Item::image(3, 0, 70)
        },
        Item::image(2, 1, 60),
    ]);
    for _ in 0..2 {
        let summary = run(&account, &temp.0, &[], 1);
        assert_eq!(summary["posts"]["kept"], 4, "{summary}");
        let path = temp.join("2019").display().to_string();
        let reason = value!(format!("{path} is not a directory: rename it"));
        for missing in summary["missing"].as_array().unwrap() {
            assert_eq!(missing["reason"], reason, "{summary}");
        }
        assert_eq!(account.asked("/file/3"), 0);
        assert_eq!(fs::read(temp.join("2019")).unwrap(), b"mine");
    }
    fs::rename(temp.join("2019"), temp.join("mine")).unwrap();
    run(&account, &temp.0, &[], 0);
}

/// A pipe, a link or a directory with the name of an unfinished file.
#[cfg(unix)]
#[test]
fn what_has_the_name_of_an_unfinished_file_costs_that_file() {
    let (account, temp) = (Account::new(three()), Temp::new("part"));
    for end in ["part", "version.part"] {
        let part = temp.join(&format!(".backup-2026-02-23_9.{end}"));
        let pipe = || {
            assert!(
                std::process::Command::new("mkfifo")
                    .arg(&part)
                    .status()
                    .unwrap()
                    .success()
            )
        };
        let link = || std::os::unix::fs::symlink("/dev/null", &part).unwrap();
        for make in [&pipe as &dyn Fn(), &link] {
            make();
            let output = backup(&account, &temp.0, &["--json", "--retries", "0"]);
            let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
            let missing = summary["posts"]["missing"].as_u64().unwrap();
            assert!(missing <= 1, "{summary}");
            assert_eq!(
                output.status.code(),
                Some(missing as i32),
                "{}",
                said(&output)
            );
            assert!(temp.join("2026/2026-01-11_5.mp4").exists());
            let _ = fs::remove_file(&part);
            run(&account, &temp.0, &[], 0);
            fs::remove_file(temp.join("2026/2026-02-23_9.jpg")).unwrap();
        }
    }
}
