//! The command `frame`, run against servers on the loopback interface.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};
use support::account::*;
use support::common::replay::TOKEN;
use support::common::{json, reply};

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
    assert_eq!(
        text(&output.stderr),
        "mingram frame: 3 new, 0 removed, 3 in all\n"
    );
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
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.collect::<Vec<_>>(), own);

    account
        .items
        .lock()
        .unwrap()
        .insert(0, Item::image(10, 60, 500));
    let output = once(&account, &dir, &["--count", "3"]);
    assert_eq!(
        text(&output.stderr),
        "mingram frame: 1 new, 1 removed, 3 in all\n"
    );
    assert!(dir.join("2026-03-05_10.jpg").exists());
    assert!(!dir.join(own[0]).exists());
    // The whole account goes; what is not its own stays.
    account.items.lock().unwrap().clear();
    let output = once(&account, &dir, &[]);
    assert_eq!(
        text(&output.stderr),
        "mingram frame: 0 new, 3 removed, 0 in all\n"
    );
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
        "mingram frame: a file is not a picture: GET 127.0.0.1/file/10: the server sent text (image/jpeg) instead of a picture or video, perhaps the login page of a network: <html>sorry</html>\n"
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
    assert_eq!(
        text(&output.stderr),
        "mingram frame: 1 new, 1 removed, 4 in all\n"
    );
    assert!(!temp.join("2026-02-03_7_02_72.jpg").exists());
    assert!(temp.join("2026-01-21_6.jpg").exists());
}

/// A picture whose format has changed is there several times, and another does not come.
#[test]
fn several_files_of_one_picture_do_not_confuse_it() {
    let (account, temp) = (Account::new(feed()), Temp::new("twice"));
    assert!(once(&account, &temp.0, &["--count", "1"]).status.success());
    let mut list = fs::read_to_string(temp.join(".frame/list")).unwrap();
    for name in ["2026-02-23_9.png", "2026-02-23_9.webp", "2026-01-01_1.jpg"] {
        fs::write(temp.join(name), "older").unwrap();
        list += &format!("{name}\n");
    }
    fs::write(temp.join(".frame/list"), list).unwrap();
    let broken = Account::with_faults(feed(), |request, _| {
        match request.target.starts_with("/thumb/8") {
            true => Fault::Silence,
            false => Fault::None,
        }
    });
    let output = once(&broken, &temp.0, &["--count", "2"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let errors = text(&output.stderr);
    assert!(
        errors.starts_with("mingram frame: 0 new, 1 removed, 3 in all\n"),
        "{errors}"
    );
    assert_eq!(
        pictures(&temp.0),
        ["2026-02-23_9.jpg", "2026-02-23_9.png", "2026-02-23_9.webp"]
    );
}

#[test]
fn a_picture_that_cannot_be_had_does_not_keep_out_the_others() {
    for (refusal, begin) in [
        (
            "404 Not Found",
            "mingram frame: the service refuses: GET 127.0.0.1/file/9: HTTP 404 ",
        ),
        (
            "503 Service Unavailable",
            "mingram frame: the service is in trouble: GET 127.0.0.1/file/9: HTTP 503 ",
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
            errors.starts_with("mingram frame: 2 new, 0 removed, 2 in all\n"),
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
        // The list is written anew after the last picture.
        shown.len() == 5 && names(&temp.join(".frame")) == ["list"]
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
    assert!(text(&output.stderr).contains("/.frame: "));
    assert_eq!(names(&outside), ["2020-01-01_1.part"]);
    assert_eq!(pictures(&dir).len(), 0);
}

#[test]
fn errors_have_a_status() {
    let dead = include_str!("../../../fixtures/errors/token-invalid.http");
    let limit = include_str!("../../../fixtures/errors/rate-limit.http");
    for (fixture, code, begin) in [
        (
            dead,
            3,
            "mingram frame: the access token is dead: GET /me/media: ",
        ),
        (
            limit,
            4,
            "mingram frame: the rate limit is reached: GET /me/media: ",
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
            errors.starts_with(&format!("mingram frame: {} takes ", args[0])),
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
            "Usage: mingram frame [OPTIONS] DIR",
            "DIR/.frame",
            "--count N",
            "--albums WHICH",
            "--every TIME",
            "--once",
            "--again",
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
    let slow = Fault::Slow(8, Duration::from_millis(100));
    for (signal, at, fault) in [
        ("-TERM", "/me/media", Fault::None),
        ("-INT", "/me/media", Fault::None),
        ("-TERM", "/file/5", slow),
        // A server that says nothing more, in a file and before any reply.
        ("-TERM", "/file/5", Fault::Hang(500)),
        ("-INT", "/me/media", Fault::Hang(0)),
    ] {
        let told = format!("{signal} {at} {fault:?}");
        let looks = usize::from(fault == Fault::None);
        let account = Account::with_faults(feed(), move |request, _| {
            match request.target.starts_with(at) {
                true => fault.clone(),
                false => Fault::None,
            }
        });
        let temp = Temp::new("signal");
        let mut running = start(&account, &temp.0);
        wait_for(|| account.asked(at) > looks);
        let begun = Instant::now();
        let id = running.0.id().to_string();
        let kill = std::process::Command::new("kill")
            .args([signal, &id])
            .status();
        assert!(kill.unwrap().success());
        let status = running.0.wait().unwrap();
        let time = begun.elapsed();
        // Not the timeout of the request, 30 s.
        assert!(time < Duration::from_secs(15), "{told}: {time:?}");
        assert_eq!(status.code(), Some(0), "{told}");
        let mut errors = String::new();
        std::io::Read::read_to_string(&mut running.0.stderr.take().unwrap(), &mut errors).unwrap();
        assert!(errors.ends_with("mingram frame: ended\n"), "{errors}");
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
    assert_eq!(
        errors,
        "mingram frame: 4 new, 0 removed, 4 in all\nmingram frame: ended\n"
    );
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
        \"$0\" frame --every 1s disk 2>log & pid=$!
        for i in $(seq 100); do grep -q full log && break; sleep 0.05; done
        rm disk/filler
        for i in $(seq 100); do grep -q recovered log && break; sleep 0.05; done
        kill -TERM $pid; wait $pid; code=$?; ls disk; exit $code";
    let Some(output) = beside_a_small_disk(&temp, script, &[account.server.url()]) else {
        return;
    };
    let log = fs::read_to_string(temp.join("log")).unwrap();
    assert!(output.status.success(), "{}{log}", said(&output));
    assert!(
        log.contains("mingram frame: the disk is full: disk/.frame/"),
        "{log}"
    );
    assert_eq!(log.matches("No space left on device").count(), 1, "{log}");
    assert!(log.contains("mingram frame: recovered after "), "{log}");
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
            \"$0\" frame --once --count 3 disk || exit
            export INSTAGRAM_BASE_URL=\"$2\"
            \"$0\" frame --once --count 3 disk; echo code $?
            \"$0\" frame --once --count 3 disk; echo code $?; ls disk; ls disk/.frame; cp disk/* .";
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
        let full =
            errors.contains("mingram frame: the disk is full: disk/.frame/2026-02-13_10.part: ");
        assert_eq!(full, first == "code 5", "{errors}");
        for item in new.items.lock().unwrap().iter() {
            let name = format!("{}_{}.jpg", &item.timestamp[..10], item.id);
            let held = fs::read(temp.join(&name)).unwrap();
            assert!(held == bytes(&item.id, "jpg", 0, item.length), "{name}");
        }
    }
}

/// The content of every file, also of the notes.
fn content(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |path: String| (path.clone(), fs::read(dir.join(path)).unwrap());
    tree(dir).into_iter().map(read).collect()
}

/// A look that ends with this code. Returns what it said.
fn look(account: &Account, dir: &Path, args: &[&str], code: i32) -> String {
    let output = once(account, dir, args);
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    text(&output.stderr)
}

const GONE: &str = r#"{"error":{"message":"no such object","type":"IGApiException","code":100,"error_subcode":33}}"#;

#[test]
fn an_empty_list_is_not_believed() {
    for (me, code) in [
        (r#","media_count":3"#, 1),
        ("", 1),
        (r#","media_count":0"#, 0),
    ] {
        let (odd, temp) = (Odd::new(feed()), Temp::new("empty"));
        look(&odd.account, &temp.0, &[], 0);
        let before = content(&temp.0);
        odd.set("/me/media", json("200 OK", r#"{"data":[]}"#));
        let user = format!(r#"{{"id":"17841405793187218"{me}}}"#);
        odd.set("/me?", json("200 OK", &user));
        let errors = look(&odd.account, &temp.0, &[], code);
        assert_eq!(
            errors.contains("nothing was changed"),
            code == 1,
            "{errors}"
        );
        // They are all still there, whatever is counted.
        assert_eq!(
            errors.contains("the service still has it"),
            code == 0,
            "{errors}"
        );
        let pictures = |all: Vec<(String, Vec<u8>)>| {
            let pictures = all.into_iter().filter(|(name, _)| name != ".frame/list");
            pictures.collect::<Vec<_>>()
        };
        assert_eq!(pictures(content(&temp.0)), pictures(before), "{me}");
    }
}

#[test]
fn a_picture_leaves_only_with_a_proof() {
    for (reply, leaves) in [
        (json("400 Bad Request", GONE), true),
        (json("200 OK", r#"{"id":"9"}"#), false),
        (json("404 Not Found", "not here"), false),
        (
            json("400 No", r#"{"error":{"message":"no","code":100}}"#),
            false,
        ),
        (
            json("400 No", r#"{"error":{"message":"no","code":190}}"#),
            false,
        ),
    ] {
        let (odd, temp) = (Odd::new(feed()), Temp::new("proof"));
        look(&odd.account, &temp.0, &[], 0);
        let (before, shown) = (content(&temp.0), pictures(&temp.0));
        odd.account.items.lock().unwrap().drain(..3);
        odd.set("/9?", reply);
        let errors = look(&odd.account, &temp.0, &[], 0);
        assert_eq!(
            errors.contains("9 is not listed any more, but stays"),
            !leaves,
            "{errors}"
        );
        match leaves {
            // Nothing is proved of the others.
            true => assert_eq!(pictures(&temp.0), shown[..4]),
            false => assert_eq!(content(&temp.0)[1..], before[1..]),
        }
        for other in ["/8?", "/71?", "/7?", "/5?"] {
            assert_eq!(odd.account.asked(other), 0, "{other}");
        }
    }
}

#[test]
fn what_is_beyond_the_count_has_not_left() {
    let (account, temp) = (Account::new(feed()), Temp::new("beyond"));
    look(&account, &temp.0, &["--count", "2"], 0);
    // The last one is not even on the page any more.
    for id in [11, 12, 13, 14] {
        let item = Item::image(id, 50 + id as u32, 300);
        account.items.lock().unwrap().insert(0, item);
    }
    look(&account, &temp.0, &["--count", "2"], 0);
    assert_eq!(
        pictures(&temp.0),
        ["2026-03-08_13.jpg", "2026-03-09_14.jpg"]
    );
    for own in ["/8?", "/9?", "/11?"] {
        assert_eq!(account.asked(own), 0, "{own}");
    }
}

/// Some of a day, and one of each day, at the limit of the count.
#[test]
fn pictures_of_one_day_make_room_for_each_other() {
    let day = |id| Item::image(id, 40, 300);
    let account = Account::new((1..6).map(day).collect());
    let temp = Temp::new("day");
    look(&account, &temp.0, &["--count", "3"], 0);
    account.items.lock().unwrap().insert(0, day(9));
    look(&account, &temp.0, &["--count", "3"], 0);
    let names = ["2026-02-13_1.jpg", "2026-02-13_2.jpg", "2026-02-13_9.jpg"];
    assert_eq!(pictures(&temp.0), names);
    assert_eq!(account.asked("/3?"), 0);
}

#[test]
fn an_album_whose_children_fail_uses_its_cover() {
    let mut items = feed();
    (items[2].nested, items[2].cover, items[2].length) = (Some(0), true, 700);
    for (reply, code) in [
        (json("400 Bad Request", GONE), 1),
        (reply("500 No", &[], "no"), 1),
        (json("200 OK", r#"{"data":[]}"#), 0),
    ] {
        let (odd, temp) = (Odd::new(items.clone()), Temp::new("cover"));
        odd.set("/7/children", reply.clone());
        let errors = look(&odd.account, &temp.0, &[], code);
        assert!(errors.contains("5 new, 0 removed"), "{errors}");
        assert_eq!(errors.contains("children of 7: "), code == 1, "{errors}");
        let cover = temp.join("2026-02-03_7.jpg");
        assert_eq!(fs::read(&cover).unwrap(), bytes("7", "jpg", 0, 700));
        // The first picture takes its place, and keeps it.
        odd.clear();
        look(&odd.account, &temp.0, &[], 0);
        assert!(!cover.exists());
        let before = content(&temp.0);
        odd.set("/7/children", reply);
        look(&odd.account, &temp.0, &[], code);
        assert_eq!(content(&temp.0), before);
        assert!(temp.join("2026-02-03_7_01_71.jpg").exists());
    }
}

#[test]
fn a_post_on_two_pages_is_one_picture() {
    let mut items = feed();
    items.insert(1, items[0].clone());
    items.push(items[0].clone());
    let (account, temp) = (Account::new(items), Temp::new("pages"));
    look(&account, &temp.0, &["--count", "5"], 0);
    assert_eq!(pictures(&temp.0).len(), 5);
}

#[test]
fn a_picture_is_found_by_its_id() {
    let (account, temp) = (Account::new(feed()), Temp::new("id"));
    look(&account, &temp.0, &["--albums", "all"], 0);
    let before = content(&temp.0);
    let files = account.asked("/file/") + account.asked("/thumb/");
    {
        let mut items = account.items.lock().unwrap();
        items[0].timestamp = "2026-12-31T23:59:59+0000".to_owned();
        items[3].timestamp = "never".to_owned();
        items[2].children.swap(0, 1);
    }
    look(&account, &temp.0, &["--albums", "all"], 0);
    assert_eq!(content(&temp.0), before);
    assert_eq!(account.asked("/file/") + account.asked("/thumb/"), files);
}

/// Six that fail, before all the others.
#[test]
fn bad_files_do_not_hold_up_the_rest() {
    let bad = (100..106).map(|id| Item::image(id, 60, 500));
    let account = Account::with_faults(bad.chain(feed()).collect(), |request, _| {
        match request.target.starts_with("/file/10") {
            true => Fault::Reply(reply("500 No", &[], "no")),
            false => Fault::None,
        }
    });
    let temp = Temp::new("bad");
    let errors = look(&account, &temp.0, &[], 1);
    assert!(errors.contains("5 new, 0 removed, 5 in all"), "{errors}");
}

#[test]
fn a_post_that_cannot_be_read_is_passed() {
    let mut items = feed();
    items[1].more = r#","media_url":[]"#.to_owned();
    let (account, temp) = (Account::new(items), Temp::new("unreadable"));
    let errors = look(&account, &temp.0, &[], 1);
    assert!(errors.contains("a media of the list: "), "{errors}");
    assert_eq!(pictures(&temp.0).len(), 4);
    // It is not known which one that was: nothing leaves.
    account.items.lock().unwrap().remove(0);
    look(&account, &temp.0, &[], 1);
    assert_eq!(pictures(&temp.0).len(), 4);
}

#[test]
fn a_refusal_without_a_field_changes_nothing() {
    let (odd, temp) = (Odd::new(feed()), Temp::new("refusal"));
    look(&odd.account, &temp.0, &[], 0);
    let before = content(&temp.0);
    let what = "Unsupported request - method type: get";
    let error = format!(r#"{{"error":{{"message":"{what}","code":100}}}}"#);
    odd.set("/me/media", json("400 No", &error));
    let asked = odd.account.asked("/me/media");
    look(&odd.account, &temp.0, &[], 1);
    assert_eq!(odd.account.asked("/me/media"), asked + 1);
    assert_eq!(content(&temp.0), before);
}

#[test]
fn files_get_the_time_of_publication() {
    let (account, temp) = (Account::new(feed()), Temp::new("times"));
    look(&account, &temp.0, &[], 0);
    for (name, day) in [("2026-02-23_9.jpg", 53), ("2026-02-03_7_01_71.jpg", 33)] {
        let time = fs::metadata(temp.join(name)).unwrap().modified().unwrap();
        let seconds = time
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        // Days since 2026-01-01, at 07:12.
        assert_eq!(
            seconds,
            1_767_225_600 + day * 86_400 + 7 * 3600 + 12 * 60,
            "{name}"
        );
    }
}

#[test]
fn a_picture_that_was_deleted_by_hand_stays_away() {
    let (account, temp) = (Account::new(feed()), Temp::new("away"));
    look(&account, &temp.0, &["--count", "3"], 0);
    fs::remove_file(temp.join("2026-02-23_9.jpg")).unwrap();
    fs::remove_file(temp.join("2026-02-03_7_01_71.jpg")).unwrap();
    let errors = look(&account, &temp.0, &["--count", "3"], 0);
    assert!(
        errors.contains("2 deleted by hand: kept away (--again brings them back)"),
        "{errors}"
    );
    // Older ones take their places; another one of the album does not.
    let names = ["2026-01-11_5.jpg", "2026-01-21_6.jpg", "2026-02-13_8.jpg"];
    assert_eq!(pictures(&temp.0), names);
    let before = content(&temp.0);
    assert_eq!(look(&account, &temp.0, &["--count", "3"], 0), "");
    assert_eq!(content(&temp.0), before);
    // What the frame has removed itself may come back.
    look(&account, &temp.0, &["--count", "1"], 0);
    look(&account, &temp.0, &["--count", "3"], 0);
    assert_eq!(pictures(&temp.0), names);
    look(&account, &temp.0, &["--count", "3", "--again"], 0);
    assert!(temp.join("2026-02-23_9.jpg").exists());
    assert!(temp.join("2026-02-03_7_01_71.jpg").exists());
}

/// A look that was killed has listed what it did not put there yet, or has removed.
#[test]
fn what_a_killed_look_did_not_finish_was_not_deleted_by_hand() {
    let (account, temp) = (Account::new(feed()), Temp::new("unsure"));
    look(&account, &temp.0, &[], 0);
    let list = fs::read_to_string(temp.join(".frame/list")).unwrap();
    let picture = temp.join("2026-02-23_9.jpg");
    fs::rename(&picture, temp.join(".frame/2026-02-23_9.part")).unwrap();
    look(&account, &temp.0, &[], 0);
    assert!(picture.exists());
    let marked = list.replace("2026-02-23", "? 2026-02-23");
    fs::write(temp.join(".frame/list"), marked).unwrap();
    fs::remove_file(&picture).unwrap();
    look(&account, &temp.0, &[], 0);
    assert!(picture.exists());
    let after = fs::read_to_string(temp.join(".frame/list")).unwrap();
    assert_eq!(after, list);
}

#[test]
fn a_damaged_list_is_kept_aside_and_loses_nothing() {
    let account = Account::new(feed());
    for damage in [
        "\0\0\0\0\0\0",
        "2026-02-23_9.jp",
        "# account {\n2026-02-23_9.jpg\n",
        "<html>",
    ] {
        let temp = Temp::new("damaged");
        look(&account, &temp.0, &[], 0);
        let before = pictures(&temp.0);
        fs::write(temp.join(".frame/list"), damage).unwrap();
        let fails = Account::with_faults(Vec::new(), |_, _| Fault::Silence);
        look(&fails, &temp.0, &[], 1);
        assert_eq!(
            fs::read(temp.join(".frame/list")).unwrap(),
            damage.as_bytes()
        );
        let fewer = Account::new(feed().split_off(4));
        for _ in 0..2 {
            look(&fewer, &temp.0, &[], 0);
            assert_eq!(pictures(&temp.0), before, "{damage}");
        }
        let aside = fs::read(temp.join(".frame/list.damaged")).unwrap();
        assert_eq!(aside, damage.as_bytes());
    }
}

/// Version 0.1 did not note whose pictures it had.
#[test]
fn the_pictures_of_another_account_are_refused() {
    let other = Odd::new(vec![Item::image(500, 70, 900)]);
    let me = r#"{"id":"8","username":"other","media_count":1}"#;
    other.set("/me?", json("200 OK", me));
    let (account, temp) = (Account::new(feed()), Temp::new("other"));
    look(&account, &temp.0, &[], 0);
    let before = content(&temp.0);
    let errors = look(&other.account, &temp.0, &[], 1);
    assert!(
        errors.contains("has a frame of another account, jayposiris"),
        "{errors}"
    );
    assert_eq!(content(&temp.0), before);

    let list = fs::read_to_string(temp.join(".frame/list")).unwrap();
    let old: String = list
        .lines()
        .filter(|line| !line.starts_with("# account"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(temp.join(".frame/list"), &old).unwrap();
    look(&account, &temp.0, &["--count", "4"], 0);
    assert_eq!(pictures(&temp.0).len(), 4);
    fs::write(temp.join(".frame/list"), &old).unwrap();
    let errors = look(&other.account, &temp.0, &[], 0);
    assert!(
        errors.contains("they may be of another account, and stay"),
        "{errors}"
    );
    assert_eq!(pictures(&temp.0).len(), 5);
}

#[cfg(unix)]
#[test]
fn a_list_that_never_ends_is_refused() {
    let (account, temp) = (Account::new(feed()), Temp::new("pipe"));
    fs::create_dir(temp.join(".frame")).unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(temp.join(".frame/list"))
        .status();
    assert!(pipe.unwrap().success());
    let errors = look(&account, &temp.0, &[], 5);
    assert!(errors.contains("it is a pipe or a device"), "{errors}");
    assert_eq!(pictures(&temp.0).len(), 0);
}

/// The list has its name, and its directory too, before there is a picture that it must name.
#[cfg(target_os = "linux")]
#[test]
fn the_list_is_on_the_disk_before_the_pictures() {
    let (account, temp) = (Account::new(feed()), Temp::new("flushed"));
    let (dir, log) = (temp.join("dir"), temp.join("log"));
    let args = ["-e", "trace=fsync,rename,renameat,renameat2"];
    let Some(output) = traced(&["frame", "--once"], &account, &dir, &args, &log) else {
        return;
    };
    assert!(output.status.success(), "{}", said(&output));
    let log = fs::read_to_string(&log).unwrap();
    let flushed = |dir: &Path| log.find(&format!("<{}>", dir.display())).unwrap();
    let placed = log.find("2026-02-23_9.jpg\"").unwrap();
    assert!(
        flushed(&dir) < placed && flushed(&dir.join(".frame")) < placed,
        "{log}"
    );
}

/// Shares refuse to flush a directory in their own ways.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_flushed_is_one_warning() {
    for error in ["EIO", "EPERM", "EACCES", "EBADF", "EINVAL"] {
        let (account, temp) = (Account::new(feed()), Temp::new("share"));
        let dir = temp.join("dir");
        fs::create_dir_all(dir.join(".frame")).unwrap();
        let inject = format!("inject=fsync:error={error}");
        let paths = [
            dir.display().to_string(),
            dir.join(".frame").display().to_string(),
        ];
        let args = [
            "-P",
            &paths[0],
            "-P",
            &paths[1],
            "-e",
            "trace=fsync",
            "-e",
            &inject,
        ];
        let log = temp.join("log");
        let Some(output) = traced(&["frame", "--once"], &account, &dir, &args, &log) else {
            return;
        };
        assert!(output.status.success(), "{error}: {}", said(&output));
        let errors = text(&output.stderr);
        assert_eq!(errors.matches("cannot be flushed").count(), 1, "{errors}");
        assert_eq!(pictures(&dir).len(), 5);
    }
}

/// Nothing can be renamed into another file system, so it is said before anything is sent.
#[cfg(target_os = "linux")]
#[test]
fn other_file_systems_are_refused() {
    let (account, temp) = (Account::new(feed()), Temp::new("mounts"));
    let script = "mkdir -p pictures/.frame site/media
        mount --bind disk pictures/.frame && mount --bind disk site/media || exit 99
        \"$0\" frame --once pictures; echo code $?
        \"$0\" gallery site; echo code $?; ls pictures site disk";
    let Some(output) = beside_a_small_disk(&temp, script, &[account.server.url()]) else {
        return;
    };
    let errors = text(&output.stderr);
    for place in ["pictures/.frame", "site/media"] {
        let says = format!("{place}: it is on another file system: unmount it");
        assert!(errors.contains(&says), "{errors}");
    }
    let out = "code 5\ncode 5\ndisk:\n\npictures:\n\nsite:\nmedia\n";
    assert_eq!(text(&output.stdout), out);
    assert_eq!(account.server.received().len(), 0);
}

/// One that is still there does not keep those that have left.
#[test]
fn each_that_is_not_listed_gets_its_turn() {
    let items = (1..7).rev().map(|id| Item::image(id, id as u32, 300));
    let (odd, temp) = (Odd::new(items.collect()), Temp::new("turn"));
    look(&odd.account, &temp.0, &[], 0);
    odd.account.items.lock().unwrap().truncate(1);
    odd.set("/5?", json("200 OK", r#"{"id":"5"}"#));
    odd.set("/3?", json("200 OK", r#"{"id":"3"}"#));
    for shown in ["123456", "12356", "12356", "1356", "356", "356", "356"] {
        look(&odd.account, &temp.0, &[], 0);
        let ids: Vec<String> = pictures(&temp.0)
            .iter()
            .map(|name| name[11..12].to_owned())
            .collect();
        assert_eq!(ids.concat(), shown);
    }
}

fn save(account: &Account, dir: &Path) {
    let mut backup = command("backup", &account.server.url());
    let output = backup.arg(dir).arg("-q").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// People keep both in one directory: what a backup has recorded stays.
#[test]
fn what_a_backup_has_recorded_stays() {
    let (account, temp) = (Account::new(feed()), Temp::new("recorded"));
    look(&account, &temp.0, &[], 0);
    let own = pictures(&temp.0);
    // As version 0.1 did, or in the directory of the year, without a file of its own.
    let (flat, year) = ("2026-02-23_9", "2026-02-13_8");
    fs::write(temp.join(&format!("{flat}.json")), r#"{"id":"9"}"#).unwrap();
    fs::create_dir(temp.join("2026")).unwrap();
    let sidecar = temp.join(&format!("2026/{year}.json"));
    fs::write(&sidecar, r#"{"id":"8"}"#).unwrap();
    let new = (20..23).map(|id| Item::image(id, 60 + id as u32, 300));
    account.items.lock().unwrap().splice(0..0, new.rev());
    look(&account, &temp.0, &["--count", "3"], 0);
    let left = |temp: &Temp| {
        let all = pictures(&temp.0);
        let left = own.iter().filter(|name| all.contains(name));
        left.cloned().collect::<Vec<_>>()
    };
    let kept = [format!("{year}.jpg"), format!("{flat}.jpg")];
    assert_eq!(left(&temp), kept);
    // The backup has its own now.
    fs::write(temp.join(&format!("2026/{year}.mp4")), "a video").unwrap();
    look(&account, &temp.0, &["--count", "3"], 0);
    assert_eq!(left(&temp), kept[1..]);
}

/// Side by side, from an empty directory.
#[test]
fn a_backup_in_the_same_directory_keeps_all() {
    let (account, temp) = (Account::new(feed()), Temp::new("both"));
    save(&account, &temp.0);
    let before = tree(&temp.join("2026"));
    look(&account, &temp.0, &[], 0);
    account.items.lock().unwrap().truncate(1);
    for _ in 0..6 {
        look(&account, &temp.0, &[], 0);
    }
    assert_eq!(tree(&temp.join("2026")), before);
    let mut own = pictures(&temp.0);
    own.retain(|name| name.ends_with(".jpg"));
    assert_eq!(own, ["2026-02-23_9.jpg"]);
}

#[test]
fn a_child_that_moves_to_another_album_holds_up_nothing() {
    let image = |id| Item::image(id, 30, 300);
    let albums = vec![
        Item::album(8, 40, vec![image(81)]),
        Item::album(7, 30, vec![image(71), image(72)]),
    ];
    let (odd, temp) = (Odd::new(albums), Temp::new("moves"));
    let account = &odd.account;
    look(account, &temp.0, &["--albums", "all"], 0);
    let before = content(&temp.0);
    {
        let mut items = account.items.lock().unwrap();
        let child = items[1].children.remove(0);
        items[0].children.push(child);
    }
    let errors = look(account, &temp.0, &["--albums", "all"], 0);
    assert_eq!((errors.as_str(), content(&temp.0)), ("", before));
    // It is not among the first of an album.
    look(account, &temp.0, &[], 0);
    assert_eq!(
        pictures(&temp.0),
        ["2026-02-03_7_02_72.jpg", "2026-02-13_8_01_81.jpg"]
    );
    assert_eq!(account.asked("/71?"), 0);
    // Its old album is not listed, and still there.
    look(account, &temp.0, &["--albums", "all"], 0);
    drop(account.items.lock().unwrap().remove(1));
    odd.set("/7?", json("200 OK", r#"{"id":"7"}"#));
    look(account, &temp.0, &[], 0);
    assert_eq!(
        pictures(&temp.0),
        ["2026-02-03_7_02_72.jpg", "2026-02-13_8_01_81.jpg"]
    );
    assert_eq!((account.asked("/71?"), account.asked("/72?")), (0, 0));
}

#[test]
fn a_name_that_is_taken_costs_one_picture() {
    for taken in ["2026-02-23_9.jpg", ".frame/2026-02-23_9.part"] {
        let (account, temp) = (Account::new(feed()), Temp::new("taken"));
        fs::create_dir_all(temp.join(taken)).unwrap();
        for _ in 0..2 {
            let errors = look(&account, &temp.0, &[], 1);
            assert!(errors.contains(&format!("{taken} is a directory: rename it")));
        }
        let shown = pictures(&temp.0);
        let shown = shown.iter().filter(|name| temp.join(name).is_file());
        assert_eq!(shown.count(), 4);
        assert_eq!(account.asked("/file/9"), 0);
        fs::remove_dir(temp.join(taken)).unwrap();
        look(&account, &temp.0, &[], 0);
        assert!(temp.join("2026-02-23_9.jpg").is_file());
    }
}

#[test]
fn a_picture_that_is_a_video_is_downloaded_once() {
    let (odd, temp) = (Odd::new(feed()), Temp::new("odd"));
    look(&odd.account, &temp.0, &["--count", "2"], 0);
    let film = "\0\0\0\x18ftypisom\0\0\x02\0film";
    odd.set(
        "/file/10",
        reply("200 OK", &[("Content-Type", "video/mp4")], film),
    );
    let new = Item::image(10, 60, 500);
    odd.account.items.lock().unwrap().insert(0, new);
    let errors = look(&odd.account, &temp.0, &["--count", "2"], 0);
    assert_eq!(
        errors,
        "mingram frame: 2026-03-05_10: listed as a picture, but its file is a video: not shown\n"
    );
    let shown = ["2026-02-13_8.jpg", "2026-02-23_9.jpg"];
    assert_eq!(pictures(&temp.0), shown);
    for _ in 0..2 {
        assert_eq!(look(&odd.account, &temp.0, &["--count", "2"], 0), "");
    }
    assert_eq!(pictures(&temp.0), shown);
    assert_eq!(names(&temp.join(".frame")), ["list"]);
    assert_eq!(odd.account.asked("/file/10"), 1);
    assert_eq!(odd.account.asked("/thumb/8"), 1);
}

#[test]
fn an_empty_list_is_damaged() {
    let (account, temp) = (Account::new(feed()), Temp::new("nothing"));
    look(&account, &temp.0, &[], 0);
    let list = temp.join(".frame/list");
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, format!("\u{feff}{text}")).unwrap();
    assert_eq!(look(&account, &temp.0, &[], 0), "");
    assert_eq!(fs::read_to_string(&list).unwrap(), text);
    let before = pictures(&temp.0);
    fs::write(&list, "").unwrap();
    let errors = look(&account, &temp.0, &["--count", "1"], 0);
    assert!(errors.contains(".frame/list was damaged"), "{errors}");
    assert!(temp.join(".frame/list.damaged").exists());
    assert_eq!(pictures(&temp.0), before);
}

#[test]
fn what_is_unavailable_is_said() {
    let (account, temp) = (Account::new(feed()), Temp::new("unavailable"));
    account.items.lock().unwrap()[0].query = None;
    let errors = look(&account, &temp.0, &["-v"], 0);
    let line = "mingram frame: unavailable: 2026-02-23_9: the service gives no picture for it\n";
    assert!(errors.contains(line), "{errors}");
    assert_eq!(look(&account, &temp.0, &[], 0), "");
    assert_eq!(pictures(&temp.0).len(), 4);
}

#[test]
fn an_empty_file_is_no_picture() {
    let (account, temp) = (Account::new(feed()), Temp::new("empty"));
    look(&account, &temp.0, &[], 0);
    let before = content(&temp.0);
    fs::write(temp.join("2026-02-23_9.jpg"), "").unwrap();
    look(&account, &temp.0, &[], 0);
    assert_eq!(content(&temp.0), before);
}

/// What has no date in its name has one at the service.
#[test]
fn a_picture_that_came_without_a_date_makes_room() {
    let items = vec![Item::image(9, 50, 300), Item::image(8, 40, 300)];
    let (odd, temp) = (Odd::new(items), Temp::new("undated"));
    odd.account.items.lock().unwrap()[1].timestamp = "never".to_owned();
    look(&odd.account, &temp.0, &["--count", "2"], 0);
    assert!(temp.join("0000-00-00_8.jpg").exists());
    {
        let mut items = odd.account.items.lock().unwrap();
        items[1].timestamp = Item::image(8, 40, 0).timestamp;
        let new = (20..24).map(|id| Item::image(id, 60 + id as u32, 300));
        items.splice(0..0, new.rev());
    }
    look(&odd.account, &temp.0, &["--count", "2"], 0);
    assert_eq!(
        pictures(&temp.0),
        ["2026-03-27_22.jpg", "2026-03-28_23.jpg"]
    );
}

/// A name that is absent once still tells whose pictures these are.
#[test]
fn the_account_is_known_by_all_that_was_ever_said() {
    let (odd, temp) = (Odd::new(feed()), Temp::new("whose"));
    look(&odd.account, &temp.0, &[], 0);
    let before = content(&temp.0);
    odd.set("/me?", json("200 OK", r#"{"id":"17841405793187218"}"#));
    look(&odd.account, &temp.0, &[], 0);
    assert_eq!(content(&temp.0), before);
    // Another app sees another id.
    odd.set(
        "/me?",
        json("200 OK", r#"{"id":"555","username":"jayposiris"}"#),
    );
    look(&odd.account, &temp.0, &[], 0);
}
