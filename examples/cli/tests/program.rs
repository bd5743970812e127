//! What all commands share: the overview, help, and what happens without a token.

mod support;

use std::path::Path;
use std::process::{Command, Output};
use support::account::{Temp, names, said, text};

/// The program without anybody's environment.
fn mingram(args: &[&str]) -> Output {
    let mut command = Command::new(support::program::path());
    command.env_clear().args(args).output().unwrap()
}

#[test]
fn the_overview_names_every_command_and_how_to_begin() {
    let overview = mingram(&[]);
    assert!(overview.status.success(), "{}", said(&overview));
    for args in [&["help"][..], &["--help"], &["-h"]] {
        assert_eq!(mingram(args).stdout, overview.stdout);
    }
    let overview = text(&overview.stdout);
    for command in ["feed", "gallery", "token", "backup", "frame", "record"] {
        assert!(overview.contains(&format!("\n  {command} ")), "{overview}");
        support::account::check_help(command, &[]);
    }
    assert!(overview.contains("`mingram help token`"));
    assert!(overview.lines().all(|line| line.len() <= 80));
    let version = concat!("mingram ", env!("CARGO_PKG_VERSION"), "\n");
    for arg in ["--version", "-V"] {
        assert_eq!(text(&mingram(&[arg]).stdout), version);
    }
}

#[test]
fn a_wrong_command_line_is_refused_with_code_2() {
    for (args, says) in [
        (
            &["fedd"][..],
            "mingram: there is no command `fedd` (see --help)\n",
        ),
        (
            &["help", "fedd"],
            "mingram: there is no command `fedd` (see --help)\n",
        ),
        (
            &["--fast"],
            "mingram: invalid option '--fast' (see --help)\n",
        ),
        (
            &["frame", "--json", "dir"],
            "mingram frame: invalid option '--json' (see --help)\n",
        ),
        (
            &["backup"],
            "mingram backup: the directory to copy into is missing (see --help)\n",
        ),
    ] {
        let output = mingram(args);
        assert_eq!(
            (output.status.code(), &*text(&output.stderr)),
            (Some(2), says)
        );
        assert_eq!(text(&output.stdout), "");
    }
}

fn run(command: &[&str], dir: &Path) -> Output {
    let mut program = Command::new(support::program::path());
    program.env_clear().args(command).arg(dir).output().unwrap()
}

/// Somebody who tries the program sees something, again and again.
#[test]
fn without_a_token_the_sample_is_used() {
    let temp = Temp::new("sample");
    let note = "there is no access token, so this is the built-in sample account\n";
    for (command, files, line) in [
        (&["backup"][..], 4, "12 media, 17 files: "),
        (&["frame", "--once"], 13, ""),
        (&["gallery"], 5, "12 posts, 17 files "),
    ] {
        let dir = temp.join(command[0]);
        for _ in 0..2 {
            let output = run(command, &dir);
            assert!(output.status.success(), "{}", said(&output));
            let says = format!("mingram {}: {note}", command[0]);
            assert!(text(&output.stderr).starts_with(&says), "{}", said(&output));
            assert!(text(&output.stdout).contains(line), "{}", said(&output));
            assert_eq!(names(&dir).len(), files, "{:?}", names(&dir));
        }
        let output = run(&[command, &["--quiet"]].concat(), &dir);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(
            (text(&output.stderr), text(&output.stdout)),
            Default::default()
        );
    }
    let output = run(&["record"], &temp.join("record"));
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
}

/// The sample must never be mixed with somebody's own files, only because a token is lost.
#[test]
fn without_a_token_a_directory_in_use_is_left_alone() {
    let temp = Temp::new("in-use");
    std::fs::write(temp.join("2020-01-01_1.jpg"), "mine").unwrap();
    for command in [&["backup"][..], &["frame", "--once"]] {
        let output = run(command, &temp.0);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(
            text(&output.stderr).contains("there is no access token: run `mingram token login`"),
            "{}",
            said(&output)
        );
        assert_eq!(names(&temp.0), ["2020-01-01_1.jpg"]);
    }
}
