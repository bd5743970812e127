//! The example `feed`, run as a program.

mod common;
#[path = "common/program.rs"]
mod program;

use common::replay::{Replay, TOKEN};
use common::{Server, fixtures, json, param};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};
use unicode_width::UnicodeWidthStr;

/// The built program, without the caller's environment.
fn feed(args: &[&str]) -> Command {
    let mut command = Command::new(program::path("feed"));
    command.args(args);
    for name in [
        "INSTAGRAM_TOKEN",
        "INSTAGRAM_BASE_URL",
        "INSTAGRAM_API_VERSION",
    ] {
        command.env_remove(name);
    }
    command
}

fn live(url: &str, args: &[&str]) -> Command {
    let mut command = feed(args);
    command
        .env("INSTAGRAM_TOKEN", TOKEN)
        .env("INSTAGRAM_BASE_URL", url);
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn done(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    output
}

#[test]
fn without_a_token_it_plays_the_sample_and_says_so() {
    let output = done(feed(&[]));
    assert_eq!(
        text(&output.stderr),
        "feed: INSTAGRAM_TOKEN is not set, so this plays the built-in sample\n"
    );
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    assert_eq!(lines[0], "jayposiris, personal account, 11 media");
    assert_eq!(
        lines[2],
        "DATE        TYPE       ID                  CAPTION"
    );
    assert_eq!(
        lines[3],
        "2026-11-21  image      17895695668004550   Morning run along the harbour #runni…"
    );
    assert_eq!(lines[6], "            ├ image    17880997618081620");
    assert_eq!(lines[7], "            └ video    17871527143187462");
    assert_eq!(lines.len(), 3 + 11 + 5);
    assert!(lines.iter().all(|line| line.width() <= 80));
}

#[test]
fn one_json_object_a_line() {
    let output = done(feed(&["--json", "--all", "--page-size", "7"]));
    assert!(text(&output.stderr).ends_with("so --page-size is passed over\n"));
    let objects: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(objects.len(), 1 + 11);
    assert_eq!(objects[0]["username"], "jayposiris");
    assert_eq!(
        objects[2]["caption"],
        "First try at sourdough \u{1f35e}\u{1f525} it rose!"
    );
    assert_eq!(objects[3]["children"]["data"][1]["media_type"], "VIDEO");
    assert_eq!(objects[7]["media_type"], "BROADCAST");
    // Absent on the wire, absent here.
    assert!(objects[4].get("caption").is_none());
}

#[test]
fn a_limit_of_items() {
    let output = done(feed(&["--limit", "5", "--json"]));
    assert_eq!(text(&output.stdout).lines().count(), 1 + 5);
}

#[test]
fn with_a_token_it_goes_to_the_service() {
    let replay = Replay::start(fixtures()).unwrap();
    let output = done(live(&replay.url(), &["--page-size=4", "--limit=6"]));
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout).lines().count(), 3 + 6 + 2);
    assert_eq!(replay.received().len(), 3, "the profile and two pages");
}

#[test]
fn version_and_page_size_are_honoured() {
    let server = Server::start(|request, stream| {
        let body = match param(request, "limit") {
            None => r#"{"id":"1","username":"\u001b[31mred"}"#,
            Some(_) => r#"{"data":[{"id":"2","caption":"a\u001b]0;title\u0007b"}]}"#,
        };
        let _ = stream.write_all(json("200 OK", body).as_bytes());
    });
    let mut command = live(&server.url(), &["--limit", "3"]);
    command.env("INSTAGRAM_API_VERSION", "v25.0");
    let output = done(command);
    // What strangers wrote does not reach the terminal as it stands.
    assert!(!output.stdout.contains(&0x1b));
    assert!(text(&output.stdout).starts_with("[31mred\n"));
    let received = server.received();
    assert!(
        received
            .iter()
            .all(|request| request.target.starts_with("/v25.0/me"))
    );
    assert_eq!(param(&received[1], "limit").as_deref(), Some("3"));
}

#[test]
fn failures_are_one_clear_line() {
    for (args, says) in [
        (
            &["--limit", "0"][..],
            "--limit takes a whole number above 0, not \"0\" (try --help)",
        ),
        (
            &["--limit"],
            "missing argument for option '--limit' (try --help)",
        ),
        (
            &["--page-size", "x"],
            "--page-size takes a whole number above 0, not \"x\" (try --help)",
        ),
        (
            &["--all", "--limit", "3"],
            "--all and --limit cannot go together (try --help)",
        ),
        (&["--no-such"], "invalid option '--no-such' (try --help)"),
        (&["extra"], "unexpected argument \"extra\" (try --help)"),
    ] {
        let output = feed(args).output().unwrap();
        assert_eq!(
            (text(&output.stderr), output.status.code()),
            (format!("feed: {says}\n").as_str(), Some(2))
        );
        assert!(output.stdout.is_empty());
    }
    let server = Server::script([json(
        "400 Bad Request",
        r#"{"error":{"message":"Bad IGQVJsample","code":190}}"#,
    )]);
    let output = live(&server.url(), &[]).output().unwrap();
    let says = "feed: GET /me: the service returned error 190 (HTTP 400): Bad ***; the access token is expired, revoked or of the \
                wrong kind: log in again for a new one\n";
    assert_eq!(
        (text(&output.stderr), output.status.code()),
        (says, Some(1))
    );
}

#[test]
fn help_names_every_option() {
    let output = done(feed(&["--help"]));
    for option in [
        "--limit",
        "--all",
        "--page-size",
        "--json",
        "--help",
        "INSTAGRAM_TOKEN",
        "INSTAGRAM_BASE_URL",
    ] {
        assert!(text(&output.stdout).contains(option));
    }
    assert!(text(&output.stdout).lines().all(|line| line.len() <= 80));
}

#[test]
fn a_broken_pipe_ends_quietly() {
    let server = common::feed_server(5000, 25);
    let mut child = live(&server.url(), &["--all", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    // feed_server answers `me` with a page, which is a profile in a `data`.
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.contains("\"id\":\"0\""), "{line}");
    let mut errors = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert_eq!(
        (errors.as_str(), child.wait().unwrap().code()),
        ("", Some(0))
    );
    assert!(server.received().len() < 100, "it stopped early");
}
