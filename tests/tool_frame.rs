//! The example `frame`: the built program against servers on the loopback
//! interface, and its loop against an hour of faults on a test clock.

#[path = "common/account.rs"]
mod account;
mod common;
#[allow(dead_code, reason = "the program around the loop")]
#[path = "../examples/frame.rs"]
mod frame;

use account::*;
use common::replay::TOKEN;
use common::{json, reply};
use frame::{Albums, Frame, Refreshing, Source};
use mingram::auth::{LongLivedToken, TokenFile};
use mingram::transport::{Clock, DefaultTransport, Request, Response, Transport};
use mingram::{Api, Error, ErrorKind};
use std::fs;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn once(account: &Account, dir: &Path, args: &[&str]) -> Output {
    let mut command = command("frame", &account.server.url());
    command.arg(dir).arg("--once").args(args).output().unwrap()
}

/// The pictures in a folder.
fn pictures(dir: &Path) -> Vec<String> {
    let mut names = names(dir);
    names.retain(|name| !name.starts_with('.'));
    names
}

/// Everything that a write would change.
#[cfg(unix)]
fn state(dir: &Path) -> Vec<(String, u64, i64, i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    let of = |name: &str| {
        let meta = fs::symlink_metadata(dir.join(name)).unwrap();
        let ino = meta.ino();
        (
            name.to_owned(),
            ino,
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime_nsec(),
        )
    };
    names(dir)
        .iter()
        .map(String::as_str)
        .chain([".", ".frame/list"])
        .map(of)
        .collect()
}

fn feed() -> Vec<Item> {
    vec![
        Item::image(9, 50, 3000),
        Item::video(8, 40, 50_000),
        Item::album(
            7,
            30,
            vec![Item::video(71, 30, 9000), Item::image(72, 30, 2000)],
        ),
        Item::image(6, 20, 40),
        Item::image(5, 10, 3000),
    ]
}

#[test]
fn keeps_the_newest_and_removes_only_its_own() {
    let (account, temp) = (Account::new(feed()), Temp::new("frame"));
    let dir = temp.join("pictures");
    fs::create_dir(&dir).unwrap();
    // Not its own, whatever they are called; one is in the way of a picture.
    let others = [
        "holiday.jpg",
        "2020-01-01_1.jpg",
        "2026-01-21_6.jpg",
        ".frame.bak",
        ".frame/notes.part",
        ".frame/2020-01-01_1.jpg",
    ];
    fs::create_dir(dir.join(".frame")).unwrap();
    for name in others {
        fs::write(dir.join(name), "mine").unwrap();
    }
    let output = once(&account, &dir, &["--count", "4"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(text(&output.stderr), "frame: 3 new, 0 removed, 3 in all\n");
    let own = [
        "2026-02-03_7_01_71.jpg",
        "2026-02-13_8.jpg",
        "2026-02-23_9.jpg",
    ];
    let mut all: Vec<&str> = own.iter().chain(&others).copied().collect();
    all.sort();
    all.retain(|name| !name.starts_with('.'));
    assert_eq!(pictures(&dir), all);
    assert_eq!(
        fs::read(dir.join(own[0])).unwrap(),
        bytes("71", "jpg", 0, 3000)
    );
    assert_eq!(
        fs::read(dir.join(own[2])).unwrap(),
        bytes("9", "jpg", 0, 3000)
    );
    let list = fs::read_to_string(dir.join(".frame/list")).unwrap();
    assert_eq!(list.lines().skip(1).collect::<Vec<_>>(), own);

    account
        .items
        .lock()
        .unwrap()
        .insert(0, Item::image(10, 60, 500));
    let output = once(&account, &dir, &["--count", "3"]);
    assert_eq!(text(&output.stderr), "frame: 1 new, 1 removed, 3 in all\n");
    assert!(dir.join("2026-03-05_10.jpg").exists());
    assert!(!dir.join(own[0]).exists());
    // The whole account goes; what is not its own stays.
    account.items.lock().unwrap().clear();
    let output = once(&account, &dir, &[]);
    assert_eq!(text(&output.stderr), "frame: 0 new, 3 removed, 0 in all\n");
    for name in others {
        assert_eq!(
            fs::read_to_string(dir.join(name)).unwrap(),
            "mine",
            "{name}"
        );
    }
}

#[cfg(unix)]
#[test]
fn writes_nothing_while_nothing_has_changed() {
    let (account, temp) = (Account::new(feed()), Temp::new("still"));
    assert!(once(&account, &temp.0, &[]).status.success());
    let (before, files) = (state(&temp.0), account.asked("/file/"));
    assert_eq!(before.len(), 8, "{before:?}");
    for _ in 0..2 {
        let output = once(&account, &temp.0, &[]);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{}",
            said(&output)
        );
    }
    assert_eq!(state(&temp.0), before);
    assert_eq!(account.asked("/file/"), files);
    // Not even where the server gives something that is no picture.
    let account = Account::with_faults(feed(), |request, _| {
        let page = reply(
            "200 OK",
            &[("Content-Type", "image/jpeg")],
            "<html>sorry</html>",
        );
        match request.target.starts_with("/file/10") {
            true => Fault::Reply(page),
            false => Fault::None,
        }
    });
    account
        .items
        .lock()
        .unwrap()
        .insert(0, Item::image(10, 60, 500));
    let output = once(&account, &temp.0, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "frame: a picture is not one: what came is no picture but something else\n"
    );
    assert_eq!(state(&temp.0), before);
}

#[test]
fn an_albums_pictures_by_choice() {
    let (account, temp) = (Account::new(feed()), Temp::new("albums"));
    let output = once(&account, &temp.0, &["--albums", "all", "--count", "4"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        pictures(&temp.0),
        [
            "2026-02-03_7_01_71.jpg",
            "2026-02-03_7_02_72.jpg",
            "2026-02-13_8.jpg",
            "2026-02-23_9.jpg"
        ]
    );
    let output = once(&account, &temp.0, &["--count", "4"]);
    assert_eq!(text(&output.stderr), "frame: 1 new, 1 removed, 4 in all\n");
    assert!(!temp.join("2026-02-03_7_02_72.jpg").exists());
    assert!(temp.join("2026-01-21_6.jpg").exists());
}

#[test]
fn a_picture_that_cannot_be_had_does_not_keep_out_the_others() {
    for (refusal, begin) in [
        (
            "404 Not Found",
            "frame: the service refuses: GET 127.0.0.1/file/9: HTTP 404 ",
        ),
        (
            "503 Service Unavailable",
            "frame: the service does not answer as it should: GET 127.0.0.1/file/9: HTTP 503 ",
        ),
    ] {
        let account = Account::with_faults(feed(), move |request, _| {
            match request.target.starts_with("/file/9") {
                true => Fault::Reply(reply(refusal, &[], "")),
                false => Fault::None,
            }
        });
        let temp = Temp::new("others");
        let output = once(&account, &temp.0, &["--count", "3"]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let errors = text(&output.stderr);
        assert!(
            errors.starts_with("frame: 2 new, 0 removed, 2 in all\n"),
            "{errors}"
        );
        assert!(errors.contains(begin), "{errors}");
        assert_eq!(
            pictures(&temp.0),
            ["2026-02-03_7_01_71.jpg", "2026-02-13_8.jpg"]
        );
    }
}

#[test]
fn a_damaged_list_makes_nothing_its_own() {
    let (account, temp) = (Account::new(feed()), Temp::new("list"));
    fs::write(temp.join("precious.jpg"), "mine").unwrap();
    fs::create_dir(temp.join("2026-01-01_3.jpg")).unwrap();
    fs::write(temp.join("2026-01-01_4.jpg"), "mine").unwrap();
    let outside = temp.0.with_extension("outside");
    fs::write(&outside, "mine").unwrap();
    let outside_name = outside.file_name().unwrap().to_str().unwrap();
    fs::create_dir(temp.join(".frame")).unwrap();
    fs::write(
        temp.join(".frame/list"),
        format!("precious.jpg\n../{outside_name}\n/etc/passwd\n2026-01-01_3.jpg\n2026-01-01_4\n\u{0}\n2026-01-01_4.txt\n"),
    )
    .unwrap();
    let output = once(&account, &temp.0, &[]);
    assert!(output.status.success(), "{}", said(&output));
    for path in [
        temp.join("precious.jpg"),
        temp.join("2026-01-01_4.jpg"),
        outside.clone(),
    ] {
        assert_eq!(fs::read_to_string(path).unwrap(), "mine");
    }
    assert!(temp.join("2026-01-01_3.jpg").is_dir());
    fs::remove_file(outside).unwrap();
}

/// A viewer that is pointed at the folder may list hidden files too, though not
/// what is in folders: at no time is there anything but pictures.
#[test]
fn what_is_not_whole_lies_in_a_folder_of_its_own() {
    let account = Account::with_faults(feed(), |request, _| {
        match request.target.contains("file/") {
            true => Fault::Slow(1000, Duration::from_millis(20)),
            false => Fault::None,
        }
    });
    let temp = Temp::new("hidden");
    let mut running = start(&account, &temp.0);
    wait_for(|| {
        let files = |name: &String| temp.join(name).is_file();
        let shown: Vec<String> = names(&temp.0).into_iter().filter(files).collect();
        assert!(shown.iter().all(|name| name.ends_with(".jpg")), "{shown:?}");
        shown.len() == 5
    });
    running.0.kill().unwrap();
    assert_eq!(names(&temp.join(".frame")), ["list"]);
}

/// A link or a file in the place of the hidden folder is not followed.
#[cfg(unix)]
#[test]
fn the_hidden_folder_is_a_folder() {
    let (account, temp) = (Account::new(feed()), Temp::new("link"));
    let (dir, outside) = (temp.join("pictures"), temp.join("outside"));
    fs::create_dir(&dir).unwrap();
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, dir.join(".frame")).unwrap();
    fs::write(outside.join("2020-01-01_1.part"), "mine").unwrap();
    let output = once(&account, &dir, &[]);
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(text(&output.stderr).ends_with("/.frame: it is no folder\n"));
    assert_eq!(names(&outside), ["2020-01-01_1.part"]);
    assert_eq!(pictures(&dir).len(), 0);
}

#[test]
fn errors_have_a_status() {
    let dead = include_str!("../fixtures/errors/token-invalid.http");
    let limit = include_str!("../fixtures/errors/rate-limit.http");
    for (fixture, code, begin) in [
        (dead, 3, "frame: the access token is dead: GET /me/media: "),
        (
            limit,
            4,
            "frame: the rate limit is reached: GET /me/media: ",
        ),
    ] {
        let reply = fixture.split_once("\n\n").unwrap().1.to_owned();
        let account = Account::with_faults(feed(), move |_, _| Fault::Reply(reply.clone()));
        let output = once(&account, &Temp::new("status").0, &[]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        let errors = text(&output.stderr);
        assert!(
            errors.starts_with(begin) && errors.lines().count() == 1,
            "{errors}"
        );
        assert!(!errors.contains(TOKEN));
    }
    let account = Account::new(feed());
    let temp = Temp::new("usage");
    for args in [
        ["--every", "0s"],
        ["--every", "fast"],
        ["--every", "15"],
        ["--every", "é"],
        ["--count", "0"],
        ["--albums", "some"],
    ] {
        let output = once(&account, &temp.0, &args);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(
            errors.starts_with(&format!("frame: {} takes ", args[0])),
            "{errors}"
        );
        assert_eq!(errors.lines().count(), 1);
    }
}

#[test]
fn help_names_every_option_and_status() {
    check_help(
        "frame",
        &[
            "Usage: frame [OPTIONS] DIR",
            "DIR/.frame",
            "--count N",
            "--albums WHICH",
            "--every TIME",
            "--once",
        ],
    );
}

/// A program that is ended when the test is.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(account: &Account, dir: &Path) -> Running {
    let mut command = command("frame", &account.server.url());
    let command = command.arg(dir).args(["--every", "1s"]);
    Running(command.stderr(Stdio::piped()).spawn().unwrap())
}

fn wait_for(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it never happened"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
#[test]
fn signals_end_it_cleanly() {
    for (signal, slow) in [("-TERM", false), ("-INT", false), ("-TERM", true)] {
        let account = Account::with_faults(feed(), move |request, _| {
            match slow && request.target.starts_with("/file/5") {
                true => Fault::Slow(8, Duration::from_millis(100)),
                false => Fault::None,
            }
        });
        let temp = Temp::new("signal");
        let mut running = start(&account, &temp.0);
        match slow {
            true => wait_for(|| account.asked("/file/5") > 0),
            false => wait_for(|| account.asked("/me/media") > 1),
        }
        let begun = Instant::now();
        let id = running.0.id().to_string();
        let kill = std::process::Command::new("kill")
            .args([signal, &id])
            .status();
        assert!(kill.unwrap().success());
        let status = running.0.wait().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(status.code(), Some(0), "{signal} {slow}");
        let mut errors = String::new();
        std::io::Read::read_to_string(&mut running.0.stderr.take().unwrap(), &mut errors).unwrap();
        assert!(errors.ends_with("frame: ended\n"), "{errors}");
        for name in pictures(&temp.0) {
            let id = name.rsplit(['_', '.']).nth(1).unwrap();
            let held = fs::read(temp.join(&name)).unwrap();
            assert!(
                held == bytes(id, "jpg", 0, held.len() as u64) && held.len() >= 40,
                "{name}"
            );
        }
    }
}

/// With `--once` too: a download that the signal breaks off is no failure.
#[cfg(unix)]
#[test]
fn a_signal_ends_a_single_look_cleanly() {
    let account = Account::with_faults(feed(), |request, _| {
        match request.target.starts_with("/file/5") {
            true => Fault::Slow(8, Duration::from_millis(100)),
            false => Fault::None,
        }
    });
    let temp = Temp::new("once");
    let mut running = command("frame", &account.server.url());
    running.arg(&temp.0).arg("--once").stderr(Stdio::piped());
    let mut running = Running(running.spawn().unwrap());
    wait_for(|| account.asked("/file/5") > 0);
    let id = running.0.id().to_string();
    let kill = std::process::Command::new("kill").arg(&id).status();
    assert!(kill.unwrap().success());
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    let mut errors = String::new();
    std::io::Read::read_to_string(&mut running.0.stderr.take().unwrap(), &mut errors).unwrap();
    assert_eq!(errors, "frame: 4 new, 0 removed, 4 in all\nframe: ended\n");
}

#[test]
fn kills_leave_no_picture_that_is_nobodys() {
    let items: Vec<Item> = (0..12)
        .map(|i| Item::image(100 + i, 40 - i as u32, 9000))
        .collect();
    let account = Account::with_faults(items.clone(), |request, _| {
        match request.target.starts_with("/file/") {
            true => Fault::Slow(3000, Duration::from_millis(1)),
            false => Fault::None,
        }
    });
    let mut random = Random(0x0426_1123);
    let mut among = 0;
    for round in 0..10 {
        let temp = Temp::new("killed");
        fs::write(temp.join("2026-01-01_1.jpg"), "mine").unwrap();
        fs::create_dir(temp.join(".frame")).unwrap();
        fs::write(temp.join(".frame/notes.part"), "mine").unwrap();
        fs::write(temp.join(".frame/2020-01-01_7.part"), "left behind").unwrap();
        *account.items.lock().unwrap() = items.clone();
        let mut running = start(&account, &temp.0);
        // While it downloads, or between the first picture and the last.
        match round % 2 {
            0 => std::thread::sleep(Duration::from_millis(random.below(100))),
            _ => wait_for(|| pictures(&temp.0).len() > 1),
        }
        running.0.kill().unwrap();
        running.0.wait().unwrap();
        let shown = pictures(&temp.0);
        among += u32::from((2..13).contains(&shown.len()));
        for name in shown.iter().filter(|name| !name.ends_with("_1.jpg")) {
            let held = fs::read(temp.join(name)).unwrap();
            assert!(held == bytes(&name[11..14], "jpg", 0, 9000), "{name}");
        }
        account.items.lock().unwrap().clear();
        let output = once(&account, &temp.0, &[]);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(names(&temp.0), [".frame", "2026-01-01_1.jpg"]);
        assert_eq!(names(&temp.join(".frame")), ["list", "notes.part"]);
    }
    println!("{among} of 10 were killed between the first picture and the last");
}

/// Runs a shell's script beside a disk of 64 KiB, in a mount of its own, which
/// ends with the shell; `$0` is the program. `None` where that cannot be done.
#[cfg(target_os = "linux")]
fn beside_a_small_disk(temp: &Temp, script: &str, urls: &[String]) -> Option<Output> {
    fs::create_dir(temp.join("disk")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64k tmpfs disk || exit 99
        touch mounted
        {script}"
    );
    let made = command("frame", &urls[0]);
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new("unshare");
        for (name, value) in made
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)))
        {
            command.env(name, value);
        }
        command
            .args(args)
            .args(["sh", "-c", &script])
            .arg(made.get_program())
            .args(urls);
        let output = command.current_dir(&temp.0).output().ok()?;
        temp.join("mounted").exists().then_some(output)
    };
    let output = run(&["-m"]).or_else(|| run(&["-rm"]));
    if output.is_none() {
        println!("skipped: no mount of one's own here");
    }
    output
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_waited_out() {
    let account = Account::new(feed());
    let temp = Temp::new("full");
    let script = "head -c 57000 /dev/zero >disk/filler
        \"$0\" --every 1s disk 2>log & pid=$!
        for i in $(seq 100); do grep -q full log && break; sleep 0.05; done
        rm disk/filler
        for i in $(seq 100); do grep -q well log && break; sleep 0.05; done
        kill -TERM $pid; wait $pid; code=$?; ls disk; exit $code";
    let Some(output) = beside_a_small_disk(&temp, script, &[account.server.url()]) else {
        return;
    };
    let log = fs::read_to_string(temp.join("log")).unwrap();
    assert!(output.status.success(), "{}{log}", said(&output));
    assert!(
        log.contains("frame: the disk is full: disk/.frame/"),
        "{log}"
    );
    assert_eq!(log.matches("No space left on device").count(), 1, "{log}");
    assert!(log.contains("frame: all is well again, after "), "{log}");
    assert_eq!(text(&output.stdout).lines().count(), 5, "{}", said(&output));
}

/// Pictures that have dropped out make room for the new ones, where these do
/// not fit, and where their list does not any more.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_made_room_on() {
    let [a, b, c] = [9, 8, 7].map(|id| Item::image(id, 10 + id as u32, 12_000));
    for (large, first) in [(24_000, "code 5"), (20_000, "code 0")] {
        let old = Account::new(vec![a.clone(), b.clone(), c.clone()]);
        let new = Account::new(vec![
            Item::image(11, 50, 3000),
            Item::image(10, 40, large),
            a.clone(),
        ]);
        let temp = Temp::new("room");
        let script = "[ $(getconf PAGESIZE) = 4096 ] || { echo pages; exit; }
            \"$0\" --once --count 3 disk || exit
            export INSTAGRAM_BASE_URL=\"$2\"
            \"$0\" --once --count 3 disk; echo code $?
            \"$0\" --once --count 3 disk; echo code $?; ls disk; ls disk/.frame; cp disk/* .";
        let urls = [old.server.url(), new.server.url()];
        let Some(output) = beside_a_small_disk(&temp, script, &urls) else {
            return;
        };
        let out = text(&output.stdout);
        if out == "pages\n" {
            println!("skipped: the numbers are for pages of 4 KiB");
            return;
        }
        let rest = "code 0\n2026-01-20_9.jpg\n2026-02-13_10.jpg\n2026-02-23_11.jpg\nlist\n";
        assert_eq!(out, format!("{first}\n{rest}"), "{}", said(&output));
        let errors = text(&output.stderr);
        let full = errors.contains("frame: the disk is full: disk/.frame/2026-02-13_10.part: ");
        assert_eq!(full, first == "code 5", "{errors}");
        for item in new.items.lock().unwrap().iter() {
            let name = format!("{}_{}.jpg", &item.timestamp[..10], item.id);
            let held = fs::read(temp.join(&name)).unwrap();
            assert!(held == bytes(&item.id, "jpg", 0, item.length), "{name}");
        }
    }
}

/// The clock of the test: whoever sleeps, makes the time pass.
struct Hour {
    now: Mutex<SystemTime>,
    /// When the faults begin; before that the clock is not set.
    begin: SystemTime,
    sleeps: Mutex<Vec<Duration>>,
    tick: Mutex<Box<dyn FnMut(Option<u64>) + Send>>,
}

impl Hour {
    /// The minute of the hour of faults; `None` while the clock is not set.
    fn minute(&self) -> Option<u64> {
        let since = self.now.lock().unwrap().duration_since(self.begin).ok()?;
        Some(since.as_secs() / 60)
    }
}

#[derive(Clone)]
struct Ticking(Arc<Hour>);

impl Clock for Ticking {
    fn now(&self) -> SystemTime {
        *self.0.now.lock().unwrap()
    }

    fn sleep(&self, time: Duration) {
        let mut now = self.0.now.lock().unwrap();
        *now += time;
        if *now > UNIX_EPOCH + Duration::from_secs(100) && *now < self.0.begin {
            // The network's time has come.
            *now = self.0.begin;
        }
        drop(now);
        self.0.sleeps.lock().unwrap().push(time);
        (self.0.tick.lock().unwrap())(self.0.minute());
    }
}

/// What fails in each stretch of six minutes.
const FAULTS: [&str; 11] = [
    "all well",
    "network",
    "silence",
    "gateway",
    "temporary",
    "limit",
    "cut",
    "html",
    "token",
    "files",
    "folder",
];

fn fault(minute: Option<u64>) -> &'static str {
    let stretch = minute.map_or(0, |minute| minute / 6);
    FAULTS.get(stretch as usize).copied().unwrap_or("all well")
}

/// A network that can be gone.
struct Network(Arc<Hour>);

impl Transport for Network {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        match fault(self.0.minute()) {
            "network" => Err(Error::new(
                ErrorKind::Connect,
                "the host name was not found: check the network and the name",
            )),
            _ => DefaultTransport::default().send(request),
        }
    }
}

#[test]
fn survives_an_hour_of_faults() {
    let temp = Temp::new("hour");
    let (dir, away) = (temp.join("pictures"), temp.join("away"));
    let begin = UNIX_EPOCH + Duration::from_secs(1_795_000_000);
    let hour = Arc::new(Hour {
        now: Mutex::new(UNIX_EPOCH),
        begin,
        sleeps: Mutex::default(),
        tick: Mutex::new(Box::new(|_| ())),
    });
    let held = hour.clone();
    let error = |status: &str, error: &str| Fault::Reply(json(status, error));
    let account = Account::with_faults(feed(), move |request, number| {
        let file = request.target.starts_with("/file/") || request.target.starts_with("/thumb/");
        match fault(held.minute()) {
            _ if request.target.starts_with("/refresh_access_token?") => error(
                "200 OK",
                r#"{"access_token":"IGQVJfresh","token_type":"bearer","expires_in":5184000}"#,
            ),
            "silence" => Fault::Silence,
            "gateway" => Fault::Reply(reply(
                "502 Bad Gateway",
                &[("Content-Type", "text/html")],
                "<html>Bad Gateway</html>",
            )),
            "temporary" => error(
                "500 Internal Server Error",
                r#"{"error":{"message":"Please retry","type":"OAuthException","is_transient":true,"code":2}}"#,
            ),
            "limit" if !file => Fault::Reply(reply(
                "403 Forbidden",
                &[(
                    "X-Business-Use-Case-Usage",
                    r#"{"1":[{"type":"instagram","call_count":101,"estimated_time_to_regain_access":4}]}"#,
                )],
                r#"{"error":{"message":"Application request limit reached","type":"OAuthException","code":4}}"#,
            )),
            "cut" => Fault::Cut(30 + number % 40),
            "html" => Fault::Reply(reply(
                "200 OK",
                &[("Content-Type", "text/html")],
                "Sorry, this content isn't available right now",
            )),
            "token" if !file => error(
                "400 Bad Request",
                r#"{"error":{"message":"Session has been invalidated","type":"OAuthException","code":190}}"#,
            ),
            "files" if file => Fault::Reply(reply("403 Forbidden", &[], "URL signature expired")),
            _ => Fault::None,
        }
    });

    let token = TokenFile::new(temp.join("token.json"));
    let obtained = begin - Duration::from_secs(50 * 86_400);
    token
        .save(&LongLivedToken::new(
            TOKEN,
            Some(Duration::from_secs(60 * 86_400)),
            obtained,
        ))
        .unwrap();
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));

    // Every minute: a check that nothing is damaged or missing that was there;
    // every six, a new picture. In one stretch the folder is gone, as a stick
    // that was pulled out.
    let (items, end) = (account.items.clone(), stop.clone());
    let (pictures_at, away_at) = (dir.clone(), away.clone());
    let mut next = 0;
    let mut well_until = 0;
    *hour.tick.lock().unwrap() = Box::new(move |minute| {
        let Some(minute) = minute else { return };
        while next <= minute / 6 && next < FAULTS.len() as u64 {
            let item = Item::image(100 + next, 60 + next as u32, 2000 + next);
            items.lock().unwrap().insert(0, item);
            next += 1;
        }
        match fault(Some(minute)) {
            "folder" if pictures_at.exists() => fs::rename(&pictures_at, &away_at).unwrap(),
            "folder" => {}
            _ if away_at.exists() => fs::rename(&away_at, &pictures_at).unwrap(),
            _ => {}
        }
        let folder = if away_at.exists() {
            &away_at
        } else {
            &pictures_at
        };
        let shown = pictures(folder);
        assert!(shown.len() >= well_until, "{minute}: {shown:?}");
        well_until = shown.len().min(4);
        for name in shown {
            let id = name.rsplit(['_', '.']).nth(1).unwrap();
            let held = fs::read(folder.join(&name)).unwrap();
            assert!(
                held == bytes(id, "jpg", 0, held.len() as u64),
                "{minute}: {name}"
            );
        }
        // An hour of faults, and then one without.
        if minute > 130 {
            end.store(true, Ordering::SeqCst);
        }
    });
    let said = log.clone();
    let (clock, every) = (Ticking(hour.clone()), Duration::from_secs(120));
    Frame {
        api: Api::without_token()
            .with_base_url(account.server.url())
            .with_clock(clock.clone())
            .with_transport(Network(hour.clone())),
        source: Source::File(token.clone()),
        folder: frame::files::Folder::open(&dir, frame::HIDDEN).unwrap(),
        count: 4,
        albums: Albums::First,
        every,
        clock: Arc::new(clock),
        stop,
        log: Box::new(move |line| said.lock().unwrap().push(line.to_owned())),
        refresh: Refreshing::default(),
    }
    .run();

    let log = log.lock().unwrap();
    let all = log.join("\n");
    println!("{all}");
    let mut rest = all.as_str();
    for wanted in [
        "the clock is not set yet: it stands before 2026; trying again in 15 seconds",
        "the access token: refreshed",
        "4 new, 0 removed, 4 in all",
        "all is well again, after 1 minute",
        "the network is gone: GET /me/media: the host name was not found",
        if cfg!(feature = "keep-alive") {
            "the service does not answer as it should: GET /me/media: the connection broke before the reply came"
        } else {
            "the service does not answer as it should: GET /me/media: the connection ended without a reply"
        },
        "the rate limit is reached: GET /me/media: ",
        "trying again in 4 minutes",
        "the service does not answer as it should: GET /me/media: ",
        "the service refuses: GET /me/media: the reply is not JSON",
        "the access token is dead: GET /me/media: ",
        "the service refuses: GET 127.0.0.1/file/1",
        "the folder cannot be written: ",
        "4 new, 4 removed, 4 in all",
        "all is well again, after ",
        "ended",
    ] {
        let at = rest
            .find(wanted)
            .unwrap_or_else(|| panic!("no `{wanted}` in\n{rest}"));
        rest = &rest[at + wanted.len()..];
    }
    // One line for each, however often it was tried.
    assert!(log.len() < 30, "{all}");
    assert!(!all.contains(TOKEN) && !all.contains("IGQVJfresh"), "{all}");
    assert_eq!(token.load().unwrap().token.expose(), "IGQVJfresh");
    assert_eq!(account.asked("/refresh_access_token?"), 1);
    assert_eq!(
        names(&dir),
        [
            ".frame",
            "2026-03-12_107.jpg",
            "2026-03-13_108.jpg",
            "2026-03-14_109.jpg",
            "2026-03-15_110.jpg"
        ]
    );
    assert_eq!(names(&dir.join(".frame")), ["list"]);
    // It neither hammered a service in trouble nor fell asleep.
    let calls = account.asked("/me/media");
    assert!((40..150).contains(&calls), "{calls} calls in two hours");
}

/// A refresh that fails is tried once an hour, and logged once; a token that
/// cannot be written is used all the same, and written when that is possible.
#[cfg(unix)]
#[test]
fn a_refresh_that_fails_is_waited_out() {
    use std::os::unix::fs::PermissionsExt;
    let temp = Temp::new("refresh");
    let keys = temp.join("keys");
    fs::create_dir(&keys).unwrap();
    let mode = |mode| fs::set_permissions(&keys, PermissionsExt::from_mode(mode)).unwrap();
    // Nothing keeps root from writing there; so for root the name leaves no
    // room for that of the temporary file, and it can never be written.
    mode(0o555);
    let root = fs::write(keys.join("try"), "").is_ok();
    mode(0o755);
    let name = if root {
        "t".repeat(240)
    } else {
        "token.json".into()
    };
    let token = TokenFile::new(keys.join(name));
    let begin = UNIX_EPOCH + Duration::from_secs(1_795_000_000);
    let stored = format!(
        r#"{{"access_token":"{TOKEN}","expires_in":5184000,"obtained_at":{}}}"#,
        1_795_000_000 - 50 * 86_400
    );
    fs::write(token.path(), stored).unwrap();
    fs::set_permissions(token.path(), PermissionsExt::from_mode(0o600)).unwrap();
    mode(0o555);

    let hour = Arc::new(Hour {
        now: Mutex::new(begin),
        begin,
        sleeps: Mutex::default(),
        tick: Mutex::new(Box::new(|_| ())),
    });
    let held = hour.clone();
    let account = Account::with_faults(feed(), move |request, _| {
        match request.target.starts_with("/refresh_access_token?") {
            true if held.minute().unwrap() < 150 => {
                Fault::Reply(reply("503 Service Unavailable", &[], "down"))
            }
            true => Fault::Reply(json(
                "200 OK",
                r#"{"access_token":"IGQVJfresh","expires_in":5184000}"#,
            )),
            false => Fault::None,
        }
    });
    let stop = Arc::new(AtomicBool::new(false));
    let (end, folder) = (stop.clone(), keys.clone());
    *hour.tick.lock().unwrap() = Box::new(move |minute| {
        if minute > Some(240) {
            fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        }
        end.store(minute > Some(300), Ordering::SeqCst);
    });
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let said = log.clone();
    let clock = Ticking(hour.clone());
    Frame {
        api: Api::without_token()
            .with_base_url(account.server.url())
            .with_clock(clock.clone()),
        source: Source::File(token.clone()),
        folder: frame::files::Folder::open(&temp.join("dir"), frame::HIDDEN).unwrap(),
        count: 4,
        albums: Albums::First,
        every: Duration::from_secs(600),
        clock: Arc::new(clock),
        stop,
        log: Box::new(move |line| said.lock().unwrap().push(line.to_owned())),
        refresh: Refreshing::default(),
    }
    .run();
    let log = log.lock().unwrap();
    println!("root: {root}\n{}", log.join("\n"));
    let mut lines = log
        .iter()
        .filter(|line| line.starts_with("the access token: "));
    assert!(
        lines
            .next()
            .unwrap()
            .contains("not refreshed, keeping the old one: GET ")
    );
    assert_eq!(lines.next().is_some(), !root);
    // Three that fail, an hour apart, and one that does not.
    assert_eq!(account.asked("/refresh_access_token?"), 4);
    let last = account.server.received().pop().unwrap();
    assert_eq!(
        common::param(&last, "access_token").as_deref(),
        Some("IGQVJfresh")
    );
    let stored = token.load().unwrap().token;
    assert_eq!(stored.expose(), if root { TOKEN } else { "IGQVJfresh" });
}

#[test]
fn a_rate_limit_that_is_near_is_kept_away_from() {
    let usage = |percent: u32| {
        let feed = r#"{"data":[]}"#;
        let header = format!(r#"{{"call_count":{percent},"total_time":1,"total_cputime":1}}"#);
        Fault::Reply(reply("200 OK", &[("X-App-Usage", &header)], feed))
    };
    let account = Account::with_faults(Vec::new(), move |_, number| match number {
        1..=3 => usage(85),
        _ => usage(20),
    });
    let (minutes, log) = looks(&account, Duration::from_secs(900), 6);
    assert_eq!(minutes, [15, 60, 60, 60, 15, 15]);
    assert_eq!(
        log,
        [
            "the rate limit is near (85 %): looking every 60 minutes",
            "ended"
        ]
    );
}

/// Also where a look fails for another reason, which would be tried again soon.
#[test]
fn a_rate_limit_that_is_near_is_kept_away_from_when_looks_fail() {
    let account = Account::with_faults(Vec::new(), move |request, number| {
        let host = request.headers.iter().find(|(name, _)| name == "host");
        let host = &host.unwrap().1;
        match request.target.starts_with("/me/media") {
            true => {
                let feed = format!(
                    r#"{{"data":[{{"id":"1","media_type":"IMAGE","media_url":"http://{host}/f"}}]}}"#
                );
                let percent = if number < 6 { 85 } else { 20 };
                let usage = format!(r#"{{"call_count":{percent}}}"#);
                Fault::Reply(reply("200 OK", &[("X-App-Usage", &usage)], &feed))
            }
            false => Fault::Reply(reply("503 Service Unavailable", &[], "down")),
        }
    });
    let (minutes, log) = looks(&account, Duration::from_secs(900), 5);
    assert_eq!(minutes, [60, 60, 60, 2, 4], "{log:?}");
    assert!(log[0].ends_with("; trying again in 60 minutes"), "{log:?}");
}

#[test]
fn a_server_cannot_send_it_to_sleep_for_years() {
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let wait = [("Retry-After", "4000000000")];
        let answer = reply(status, &wait, "");
        let account = Account::with_faults(Vec::new(), move |_, _| Fault::Reply(answer.clone()));
        let (minutes, log) = looks(&account, Duration::from_secs(900), 1);
        assert_eq!(minutes, [24 * 60], "{log:?}");
    }
}

/// So many looks on a test clock: the minutes waited behind each, and the log.
fn looks(account: &Account, every: Duration, times: usize) -> (Vec<u64>, Vec<String>) {
    let temp = Temp::new("looks");
    let hour = Arc::new(Hour {
        now: Mutex::new(UNIX_EPOCH + Duration::from_secs(1_795_000_000)),
        begin: UNIX_EPOCH,
        sleeps: Mutex::default(),
        tick: Mutex::new(Box::new(|_| ())),
    });
    let stop = Arc::new(AtomicBool::new(false));
    let (end, mut left) = (stop.clone(), times);
    *hour.tick.lock().unwrap() = Box::new(move |_| {
        left -= 1;
        end.store(left == 0, Ordering::SeqCst);
    });
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let said = log.clone();
    let clock = Ticking(hour.clone());
    Frame {
        api: Api::without_token()
            .with_base_url(account.server.url())
            .with_clock(clock.clone())
            .with_retries(0),
        source: Source::Given(TOKEN.into()),
        folder: frame::files::Folder::open(&temp.0, frame::HIDDEN).unwrap(),
        count: 4,
        albums: Albums::First,
        every,
        clock: Arc::new(clock),
        stop,
        log: Box::new(move |line| said.lock().unwrap().push(line.to_owned())),
        refresh: Refreshing::default(),
    }
    .run();
    let sleeps = hour.sleeps.lock().unwrap();
    let minutes = sleeps.iter().map(|time| time.as_secs() / 60).collect();
    (minutes, log.lock().unwrap().clone())
}
