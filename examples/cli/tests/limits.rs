//! What a system takes away from a program: threads, and the length of files.
#![cfg(unix)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::account::{Account, Fault, Item, Temp, command, feed, said, text};

/// Every thread of the program asks for a stack that no machine has, so each is refused,
/// as by `ulimit -u` and `TasksMax=`.
fn without_threads(name: &str, account: &Account) -> Command {
    let mut command = command(name, &account.server.url());
    let stack = usize::MAX / 4;
    command.env("RUST_MIN_STACK", stack.to_string());
    command
}

#[test]
fn without_threads_every_command_does_its_work() {
    let account = Account::new(feed());
    let temp = Temp::new("threads");
    for (name, args) in [
        ("feed", &[][..]),
        ("backup", &["backup"][..]),
        ("gallery", &["gallery"]),
        ("frame", &["--once", "frame"]),
    ] {
        let output = without_threads(name, &account)
            .current_dir(&temp.0)
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", said(&output));
        assert!(!text(&output.stderr).contains("panicked"));
    }
    for (name, expected) in account.expected() {
        if let Some(bytes) = expected {
            assert!(
                fs::read(temp.join("backup").join(&name)).unwrap() == bytes,
                "{name}"
            );
        }
    }
    let output = without_threads("backup", &account)
        .args(["--verbose", "again"])
        .current_dir(&temp.0)
        .output()
        .unwrap();
    assert!(text(&output.stderr).contains("fewer downloads at a time: "));
}

#[test]
fn without_threads_a_signal_ends_it_at_once() {
    let account = Account::with_faults(vec![Item::image(1, 0, 10)], |request, _| {
        match request.target.starts_with("/me/media") {
            true => Fault::Hang(0),
            false => Fault::None,
        }
    });
    for (signal, name, code) in [("-TERM", "backup", 130), ("-INT", "frame", 0)] {
        let temp = Temp::new("threads-signal");
        let asked = account.asked("/me/media");
        let mut child = without_threads(name, &account)
            .arg(&temp.0)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = std::time::Instant::now();
        while account.asked("/me/media") == asked {
            assert!(begun.elapsed().as_secs() < 60, "{name} asks for nothing");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(child.wait().unwrap().code(), Some(code), "{name}");
    }
}

/// Runs a command with files limited to some 512-byte blocks.
fn with_short_files(blocks: u32, command: &Command) -> Output {
    let mut limited = Command::new("sh");
    let line = format!("ulimit -f {blocks} && exec \"$@\"");
    limited.args(["-c", &line, "sh"]).arg(command.get_program());
    limited.args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            limited.env(name, value);
        }
    }
    limited.output().unwrap()
}

/// A file that becomes too long is like a full disk: the name is said, and the code is 5.
#[test]
fn a_limit_of_the_length_of_files_is_like_a_full_disk() {
    let account = Account::new(vec![Item::image(1, 0, 100_000), Item::image(2, 1, 200)]);
    for (name, option) in [
        ("backup", None),
        ("gallery", None),
        ("frame", Some("--once")),
    ] {
        let temp = Temp::new("short");
        let mut command = command(name, &account.server.url());
        command.args(option).arg(&temp.0);
        let output = with_short_files(16, &command);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(5), "{name}: {said}");
        let reason = std::io::Error::from_raw_os_error(27).to_string();
        assert!(said.contains(&reason), "{name}: {said}");
        assert!(!has_whole_file(&temp.0, 100_000), "{name}");
    }
}

fn has_whole_file(folder: &Path, length: u64) -> bool {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let lengths = entries.filter_map(|entry| entry.metadata().ok());
    lengths.map(|meta| meta.len()).any(|found| found == length)
}
