//! Random sequences of what a service can say, and of kills, to `backup` in one directory:
//! nothing that was kept is lost, changed without a history, or kept twice, and the counts add
//! up. `MINGRAM_SEED=N` repeats a sequence; a failure prints N.

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::account::*;
use support::common::reply;
use support::mood::{Mood, seeds};

/// Sequences, and the runs of each: 960 in all.
// Fewer where CI emulates the processor.
const SEQUENCES: u64 = if cfg!(target_arch = "x86_64") { 80 } else { 12 };
const RUNS: u64 = 12;

fn account(mood: Arc<Mutex<Mood>>) -> Account {
    Account::with_faults(Vec::new(), move |request, number| {
        let broken = [Fault::Reply(reply("500 No", &[], "no")), Fault::Cut(20)];
        mood.lock().unwrap().fault(request, number, broken)
    })
}

/// Something happens to the account.
fn change(items: &mut Vec<Item>, gone: &mut Vec<Item>, random: &mut Random, next: &mut u64) {
    *next += 1;
    let id = 100 * *next;
    let day = random.below(300) as u32;
    let kind = random.below(12);
    if items.len() < 2 || kind == 0 {
        let child = |n| match random_bit(id + n) {
            true => Item::image(id + n, day, 30 + n),
            false => Item::video(id + n, day, 40 + n),
        };
        return items.push(match id / 100 % 3 {
            0 => Item::album(id, day, (1..=2 + id / 100 % 4).map(child).collect()),
            1 => Item::image(id, day, 60),
            _ => Item::video(id, day, 70),
        });
    }
    let at = random.below(items.len() as u64) as usize;
    let item = &mut items[at];
    let count = item.children.len() as u64;
    match kind {
        1 => item.caption = format!("caption {id}"),
        2 => item.more = format!(r#","alt_text":"alt {id}","like_count":{id}"#),
        3 => item.more.clear(),
        4 => item.timestamp = Item::image(0, day, 0).timestamp,
        5 => item.timestamp = "never".to_owned(),
        6 => item.query = item.query.is_none().then(String::new),
        7 if count > 1 => drop(item.children.remove(random.below(count) as usize)),
        8 if count > 0 => item.children.push(Item::image(id + 50, day, 50)),
        9 if count > 0 => {
            item.nested = Some(random.below(count + 1) as usize);
            (item.cover, item.length) = (random.below(2) == 0, 80);
        }
        10 => gone.push(items.remove(at)),
        11 => items.append(gone),
        _ if count > 1 => item.children.swap(0, 1),
        _ => {
            let twice = item.clone();
            items.push(twice);
        }
    }
}

fn random_bit(number: u64) -> bool {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63 == 0
}

/// What is kept: files and sidecars by what they are of.
#[derive(Default)]
struct Kept {
    files: BTreeMap<String, Vec<u8>>,
    sidecars: BTreeMap<String, Value>,
}

fn kept(dir: &Path) -> Kept {
    let mut kept = Kept::default();
    for path in tree(dir) {
        let name = path.rsplit('/').next().unwrap();
        if name.starts_with('.') {
            continue;
        }
        assert!(!name.contains("damaged"), "{path}");
        let bytes = fs::read(dir.join(&path)).unwrap();
        let (stem, extension) = name.rsplit_once('.').unwrap();
        let (stem, poster) = match stem.strip_suffix("_poster") {
            Some(stem) => (stem, " poster"),
            None => (stem, ""),
        };
        let id = stem.rsplit('_').next().unwrap();
        let before = match extension {
            "json" => {
                let node = serde_json::from_slice(&bytes).unwrap();
                kept.sidecars.insert(id.to_owned(), node).map(drop)
            }
            _ => kept.files.insert(format!("{id}{poster}"), bytes).map(drop),
        };
        assert!(before.is_none(), "{path}: {id} is kept twice");
    }
    kept
}

/// Every text that was in a node before is still in it, or in its history.
fn check_node(id: &str, before: &Value, after: &Value) {
    for (key, old) in before.as_object().unwrap() {
        let new = &after[key];
        assert!(!new.is_null(), "{id}: {key} is gone");
        match key.as_str() {
            "caption" | "alt_text" if old != new => {
                let history = after["mingram"]["history"].as_array();
                let is_there =
                    history.is_some_and(|all| all.iter().any(|entry| &entry[key] == old));
                assert!(is_there, "{id}: {key} {old} is nowhere: {after}");
            }
            "children" => {
                for child in old["data"].as_array().unwrap() {
                    let id = child["id"].as_str().unwrap();
                    let mut now = new["data"].as_array().unwrap().iter();
                    let now = now.find(|now| now["id"] == *id);
                    check_node(id, child, now.unwrap_or_else(|| panic!("{id} is gone")));
                }
            }
            "mingram" => {
                for (key, old) in old.as_object().unwrap() {
                    match old.as_array() {
                        Some(history) => assert!(new[key].as_array().unwrap().starts_with(history)),
                        None => assert_eq!(&new[key], old, "{id}: {key}"),
                    }
                }
            }
            _ => {}
        }
    }
}

fn check(before: &Kept, after: &Kept) {
    for (id, bytes) in &before.files {
        assert_eq!(after.files.get(id), Some(bytes), "{id} is lost or changed");
    }
    for (id, node) in &before.sidecars {
        check_node(id, node, after.sidecars.get(id).unwrap_or(&Value::Null));
    }
}

/// The posts of a summary add up. Nothing is missing if the run says so.
fn check_summary(summary: &Value, code: i32, kept: &Kept, items: &[Item]) {
    let posts = |key: &str| summary["posts"][key].as_u64().unwrap();
    let ended = posts("kept") + posts("unavailable") + posts("missing");
    assert_eq!(ended, posts("listed"), "{summary}");
    let fine = summary["missing"].as_array().unwrap().is_empty() && summary["error"].is_null();
    assert_eq!(fine, code == 0, "{summary}");
    let mut seen = BTreeSet::new();
    let first = items.iter().filter(|item| seen.insert(&item.id));
    for item in first.filter(|_| code == 0) {
        assert!(
            kept.sidecars.contains_key(&item.id),
            "{} {summary}",
            item.id
        );
        let has_file = item.query.is_some() && item.children.is_empty();
        assert!(
            !has_file || kept.files.contains_key(&item.id),
            "{} {summary}",
            item.id
        );
    }
}

fn sequence(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mood: Arc<Mutex<Mood>> = Arc::default();
    let account = account(mood.clone());
    let temp = Temp::in_memory("random");
    let (mut gone, mut next, mut before) = (Vec::new(), 0, Kept::default());
    for _ in 0..RUNS {
        {
            let mut items = account.items.lock().unwrap();
            for _ in 0..1 + random.below(5) {
                change(&mut items, &mut gone, &mut random, &mut next);
            }
        }
        let mut one_in = |of| random.below(of) == 0;
        let refused = [
            Some("alt_text"),
            Some("caption"),
            Some("children"),
            Some("biography"),
        ];
        *mood.lock().unwrap() = Mood {
            empty: one_in(10),
            unnamed: one_in(12),
            refused: refused[random.below(4) as usize].filter(|_| random.below(4) == 0),
            children: random.below(4),
            broken: [None, None, Some(3), Some(2)][random.below(4) as usize],
        };
        let mut run = command("backup", &account.server.url());
        run.arg(&temp.0).args(["--json", "--retries", "0"]);
        run.args((random.below(5) == 0).then_some("--check"));
        let kill = (random.below(4) == 0).then(|| Duration::from_micros(random.below(40_000)));
        run.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = run.spawn().unwrap();
        if let Some(after) = kill {
            std::thread::sleep(after);
            let _ = child.kill();
        }
        let output = child.wait_with_output().unwrap();
        let after = kept(&temp.0);
        check(&before, &after);
        if let Some(code) = output.status.code() {
            assert!(matches!(code, 0 | 1), "{}", said(&output));
            let summary = serde_json::from_slice(&output.stdout).unwrap();
            check_summary(&summary, code, &after, &account.items.lock().unwrap());
        }
        before = after;
    }
    // In the end everything that can come is there.
    *mood.lock().unwrap() = Mood::default();
    let output = command("backup", &account.server.url())
        .arg(&temp.0)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    check(&before, &kept(&temp.0));
}

#[test]
fn what_is_kept_only_gains() {
    for seed in seeds(SEQUENCES) {
        println!("MINGRAM_SEED={seed}");
        sequence(seed);
    }
}
