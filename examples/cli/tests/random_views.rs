//! Random sequences of what a service can say, and of kills, to `gallery` and `frame`: nothing
//! that is shown leaves while the service still has it, nothing is shown twice, what was deleted
//! by hand stays away, and the counts add up. `MINGRAM_SEED=N` repeats a sequence; a failure
//! prints N.

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::account::*;
use support::common::{json, reply};
use support::mood::{Mood, refusal, seeds};

/// Sequences, and the runs of each: 300 for each command.
// Fewer where CI emulates the processor.
const SEQUENCES: u64 = if cfg!(target_arch = "x86_64") { 30 } else { 6 };
const RUNS: u64 = 10;

/// How the service behaves in a run, and what it answers for an id.
#[derive(Clone, Debug, Default)]
struct Service {
    mood: Mood,
    /// Questions by id are refused for another reason.
    unsure: bool,
    /// What it has, listed or not.
    there: BTreeSet<String>,
}

fn account(service: Arc<Mutex<Service>>) -> Account {
    Account::with_faults(Vec::new(), move |request, number| {
        let service = service.lock().unwrap();
        let path = request.target.split('?').next().unwrap();
        let is_id = path[1..].bytes().all(|byte| byte.is_ascii_digit());
        match service.there.contains(&path[1..]) {
            _ if is_id && service.unsure => refusal("not now"),
            true if is_id => Fault::Reply(json("200 OK", &format!(r#"{{"id":"{}"}}"#, &path[1..]))),
            _ => {
                let broken = [
                    Fault::Reply(reply("404 No", &[], "no")),
                    Fault::Reply(reply("200 OK", &[], "<html>sorry</html>")),
                ];
                service.mood.fault(request, number, broken)
            }
        }
    })
}

/// Something happens to the account.
fn change(items: &mut Vec<Item>, random: &mut Random, next: &mut u64) {
    *next += 1;
    let id = 100 * *next;
    let day = random.below(300) as u32;
    let kind = random.below(11);
    if items.len() < 3 || kind == 0 {
        let child = |n| match n % 2 {
            0 => Item::image(id + n, day, 30 + n),
            _ => Item::video(id + n, day, 40 + n),
        };
        let children = (1..=2 + id / 100 % 4).map(child).collect();
        let item = match id / 100 % 3 {
            0 => Item::album(id, day, children),
            1 => Item::image(id, day, 60),
            _ => Item::video(id, day, 70),
        };
        return items.insert(0, item);
    }
    let at = random.below(items.len() as u64) as usize;
    let item = &mut items[at];
    let count = item.children.len() as u64;
    match kind {
        1 => item.caption = format!("caption {id}"),
        2 => item.more = format!(r#","alt_text":"alt {id}""#),
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
        10 => drop(items.remove(at)),
        _ => {
            let twice = item.clone();
            items.push(twice);
        }
    }
}

fn ids(items: &[Item]) -> BTreeSet<String> {
    let all = items
        .iter()
        .flat_map(|item| item.children.iter().chain([item]));
    all.map(|item| item.id.clone()).collect()
}

/// The posts that have a file of their own. Of those that are listed twice the first counts.
fn with_file(items: &[Item]) -> impl Iterator<Item = &Item> {
    let mut seen = BTreeSet::new();
    let first = items.iter().filter(move |item| seen.insert(&item.id));
    first.filter(|item| item.query.is_some() && item.children.is_empty())
}

/// Posts and children that a list lacks, though the account has them.
fn hide(items: &mut Vec<Item>, random: &mut Random) {
    // An empty list with a count of none is believed.
    let one = items.first().cloned();
    items.retain(|_| random.below(3) > 0);
    if items.is_empty() {
        items.extend(one);
    }
    for item in items.iter_mut().filter(|item| item.children.len() > 1) {
        if random.below(3) == 0 {
            item.children.pop();
        }
    }
}

/// The files by the id of their node, each checked to be complete and of that node.
fn files(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in names(dir) {
        if name.starts_with(['.', 'p']) {
            continue;
        }
        let (stem, extension) = name.split_once('.').unwrap();
        let (node, poster) = match stem.strip_suffix("_poster") {
            Some(node) => (node, " poster"),
            None => (stem, ""),
        };
        let id = node.rsplit('_').next().unwrap();
        let held = fs::read(dir.join(&name)).unwrap();
        let whole = bytes(id, extension, 0, held.len() as u64);
        assert!(held == whole && held.len() >= 30, "{name}");
        assert!(
            found.insert(format!("{id}{poster}")),
            "{name}: {id} is there twice"
        );
    }
    found
}

/// Runs a command, which may be killed.
fn run(account: &Account, dir: &Path, args: &[&str], kill: Option<Duration>) -> Output {
    let mut run = command(args[0], &account.server.url());
    run.args(&args[1..]).arg(dir);
    run.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = run.spawn().unwrap();
    if let Some(after) = kill {
        std::thread::sleep(after);
        let _ = child.kill();
    }
    child.wait_with_output().unwrap()
}

/// What is shown: the ids of posts with those of their children.
fn shown(dir: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let Ok(list) = fs::read(dir.join("instagram.json")) else {
        return BTreeMap::new();
    };
    let posts: Value = serde_json::from_slice(&list).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut shown = BTreeMap::new();
    for post in posts.as_array().unwrap() {
        let children = post["children"].as_array().unwrap();
        let nested = children
            .iter()
            .flat_map(|child| child["files"].as_array().unwrap());
        for file in post["files"].as_array().unwrap().iter().chain(nested) {
            let length = fs::metadata(dir.join(text(&file["path"]))).unwrap().len();
            assert_eq!(file["size"], length, "{post}");
        }
        let ids: BTreeSet<String> = children.iter().map(|child| text(&child["id"])).collect();
        assert_eq!(ids.len(), children.len(), "{post}");
        assert!(
            shown.insert(text(&post["id"]), ids).is_none(),
            "{post} is shown twice"
        );
    }
    let page = fs::read_to_string(dir.join("index.html")).unwrap_or_default();
    for id in shown.keys() {
        assert!(page.matches(&format!("id=\"p{id}\"")).count() < 2, "{id}");
    }
    shown
}

/// What is known of a sequence.
struct Play {
    random: Random,
    service: Arc<Mutex<Service>>,
    account: Account,
    next: u64,
}

impl Play {
    fn new(seed: u64) -> Play {
        let service: Arc<Mutex<Service>> = Arc::default();
        Play {
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            account: account(service.clone()),
            service,
            next: 0,
        }
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.random.below(of) == 0
    }

    /// Changes the account and the service's mood. Returns what the account really has.
    fn step(&mut self) -> Vec<Item> {
        let mut items = self.account.items.lock().unwrap().clone();
        for _ in 0..1 + self.random.below(5) {
            change(&mut items, &mut self.random, &mut self.next);
        }
        let fields = ["alt_text", "caption", "children", "biography", "timestamp"];
        let there = ids(&items);
        let mut listed = items.clone();
        if self.one_in(2) {
            hide(&mut listed, &mut self.random);
        }
        *self.account.items.lock().unwrap() = listed;
        let mood = Mood {
            empty: self.one_in(10),
            unnamed: self.one_in(12),
            refused: self
                .one_in(5)
                .then(|| fields[self.random.below(5) as usize]),
            children: self.random.below(4),
            broken: [None, None, Some(3), Some(2)][self.random.below(4) as usize],
        };
        *self.service.lock().unwrap() = Service {
            mood,
            unsure: self.one_in(5),
            there,
        };
        items
    }

    fn kill(&mut self) -> Option<Duration> {
        let is_killed = self.one_in(4);
        is_killed.then(|| Duration::from_micros(self.random.below(40_000)))
    }

    /// The service and the account are as they should be.
    fn calm(&mut self, items: Vec<Item>) {
        let there = ids(&items);
        *self.account.items.lock().unwrap() = items;
        *self.service.lock().unwrap() = Service {
            there,
            ..Service::default()
        };
    }
}

fn gallery(seed: u64) {
    let (mut play, temp) = (Play::new(seed), Temp::in_memory("views"));
    let (media, mut items) = (temp.join("media"), Vec::new());
    let flat = |shown: &BTreeMap<String, BTreeSet<String>>| {
        let all = shown
            .iter()
            .flat_map(|(id, children)| children.iter().chain([id]));
        all.cloned().collect::<BTreeSet<String>>()
    };
    for _ in 0..RUNS {
        let (before, held) = (shown(&temp.0), files(&media));
        play.account.items.lock().unwrap().clone_from(&items);
        items = play.step();
        let there = ids(&items);
        let kill = play.kill();
        let output = run(&play.account, &temp.0, &["gallery", "--json"], kill);
        let after = shown(&temp.0);
        let lost: Vec<String> = flat(&before).difference(&flat(&after)).cloned().collect();
        let wrong = lost.iter().find(|id| there.contains(*id));
        assert_eq!(wrong, None, "{lost:?} {}", said(&output));
        let now = files(&media);
        for file in held.difference(&now) {
            // An album's cover goes when its children come.
            let has_children = after.get(file).is_some_and(|children| !children.is_empty());
            let id = file.split(' ').next().unwrap();
            assert!(
                has_children || !there.contains(id),
                "{file} {}",
                said(&output)
            );
        }
        let Some(code) = output.status.code() else {
            continue;
        };
        assert!(matches!(code, 0 | 1), "{}", said(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let fine = report["missing"].as_array().unwrap().is_empty() && report["error"].is_null();
        assert_eq!(fine, code == 0, "{report}");
        if report["error"].is_null() {
            let count = |key: &str| report["listing"][key].as_u64().unwrap();
            let ended = count("shown") + count("unavailable") + count("missing");
            assert_eq!(ended, count("listed"), "{report}");
            let listed = play.account.items.lock().unwrap();
            let distinct: BTreeSet<&String> = listed.iter().map(|item| &item.id).collect();
            assert_eq!(count("listed"), distinct.len() as u64, "{report}");
            assert_eq!(report["posts"], after.len(), "{report}");
        }
    }
    play.calm(items.clone());
    // A run asks for one post.
    let mut output = run(&play.account, &temp.0, &["gallery"], None);
    for _ in 0..200 {
        assert!(output.status.success(), "{}", said(&output));
        let before = files(&media);
        output = run(&play.account, &temp.0, &["gallery"], None);
        if files(&media) == before {
            break;
        }
    }
    let (shown, there) = (flat(&shown(&temp.0)), ids(&items));
    assert!(shown.is_subset(&there), "{shown:?}");
    for item in with_file(&items) {
        assert!(shown.contains(&item.id), "{}", item.id);
    }
    for file in files(&media) {
        let id = file.split(' ').next().unwrap();
        assert!(there.contains(id), "{file} has left, {}", said(&output));
    }
}

fn frame(seed: u64) {
    let (mut play, temp) = (Play::new(seed), Temp::in_memory("views"));
    let args = ["frame", "--once", "--albums", "all", "--count", "1000"];
    let (mut items, mut away) = (Vec::<Item>::new(), BTreeSet::new());
    for _ in 0..RUNS {
        let before = files(&temp.0);
        play.account.items.lock().unwrap().clone_from(&items);
        items = play.step();
        let there = ids(&items);
        let kill = play.kill();
        let output = run(&play.account, &temp.0, &args, kill);
        let after = files(&temp.0);
        for id in before.difference(&after) {
            let is_album = items
                .iter()
                .any(|item| item.id == *id && !item.children.is_empty());
            assert!(is_album || !there.contains(id), "{id} {}", said(&output));
        }
        assert!(after.is_disjoint(&away), "{away:?} {}", said(&output));
        let Some(code) = output.status.code() else {
            continue;
        };
        assert!(matches!(code, 0 | 1), "{}", said(&output));
        // Only then is the list up to date.
        if code > 0 {
            continue;
        }
        if let Some(name) = names(&temp.0).iter().find(|name| !name.starts_with('.')) {
            if play.one_in(6) {
                fs::remove_file(temp.join(name)).unwrap();
                away.insert(name.rsplit(['_', '.']).nth(1).unwrap().to_owned());
            }
        }
    }
    play.calm(items.clone());
    // A look asks for one post.
    let mut output = run(&play.account, &temp.0, &args, None);
    for _ in 0..200 {
        assert!(output.status.success(), "{}", said(&output));
        let before = files(&temp.0);
        output = run(&play.account, &temp.0, &args, None);
        if files(&temp.0) == before {
            break;
        }
    }
    let shown = files(&temp.0);
    assert!(shown.is_subset(&ids(&items)), "{shown:?} {}", said(&output));
    for item in with_file(&items) {
        assert_ne!(
            shown.contains(&item.id),
            away.contains(&item.id),
            "{}",
            item.id
        );
    }
    // And comes back if that is wanted.
    let output = run(
        &play.account,
        &temp.0,
        &[&args[..], &["--again"]].concat(),
        None,
    );
    assert!(output.status.success(), "{}", said(&output));
    let shown = files(&temp.0);
    for item in with_file(&items) {
        assert!(shown.contains(&item.id), "{}", item.id);
    }
}

fn play(sequence: fn(u64)) {
    for seed in seeds(SEQUENCES) {
        println!("MINGRAM_SEED={seed}");
        sequence(seed);
    }
}

#[test]
fn a_gallery_loses_nothing_without_a_proof() {
    play(gallery);
}

#[test]
fn a_frame_loses_nothing_without_a_proof() {
    play(frame);
}
