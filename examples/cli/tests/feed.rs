//! The command `feed`.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};
use support::common::replay::{Replay, TOKEN};
use support::common::{Folder, Server, fixtures, json, param};
use unicode_width::UnicodeWidthStr;

/// The built program, without the caller's environment.
fn feed(args: &[&str]) -> Command {
    let mut command = Command::new(support::program::path());
    command.arg("feed").args(args).env_clear();
    // Windows programs do not start without.
    if let Some(root) = std::env::var_os("SystemRoot") {
        command.env("SystemRoot", root);
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
        "mingram feed: there is no access token, so this is the built-in sample account\n"
    );
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    assert_eq!(lines[0], "jayposiris, media creator account, 12 media");
    assert_eq!(
        lines[3],
        "2026-11-21  image      17895695562332989   The harbour before the first ferry. …"
    );
    assert_eq!(lines.len(), 3 + 12 + 4);
}

#[test]
fn one_row_for_each_media_and_child() {
    let replay = Replay::start(fixtures()).unwrap();
    let output = done(live(&replay.url(), &["--page-size=4"]));
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
    let replay = Replay::start(fixtures()).unwrap();
    let output = done(live(
        &replay.url(),
        &["--json", "--all", "--page-size", "4"],
    ));
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

#[cfg(unix)]
#[test]
fn the_token_file_serves_if_the_environment_has_no_token() {
    let replay = Replay::start(fixtures()).unwrap();
    let folder = Folder::new();
    let file = mingram::auth::TokenFile::new(folder.0.join("mingram/token.json"));
    std::fs::create_dir(folder.0.join("mingram")).unwrap();
    let now = std::time::SystemTime::now();
    let token = mingram::auth::LongLivedToken::new(TOKEN, None, now);
    file.save(&token).unwrap();
    let with = |name: &str, value: &std::path::Path| {
        let mut command = feed(&["--page-size=4"]);
        command.env("INSTAGRAM_BASE_URL", replay.url());
        command.env(name, value).output().unwrap()
    };
    for output in [
        with("MINGRAM_TOKEN_FILE", file.path()),
        with("XDG_CONFIG_HOME", &folder.0),
    ] {
        assert!(output.status.success(), "{output:?}");
        assert!(text(&output.stdout).starts_with("jayposiris, personal account"));
    }
    // A file that is named must be there: its loss does not go unnoticed.
    let output = with("MINGRAM_TOKEN_FILE", &folder.0.join("none"));
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).ends_with("`mingram token login` or `mingram token import`\n"));
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
            None => r#"{"id":"1","username":"\u001b[31mred\u202e"}"#,
            Some(_) => {
                r#"{"data":[{"id":"2","media_type":"IMAGE","caption":"a\u001b]0;title\u0007b\u2066c"}]}"#
            }
        };
        let _ = stream.write_all(json("200 OK", body).as_bytes());
    });
    let mut command = live(&server.url(), &["--limit", "3"]);
    command.env("INSTAGRAM_API_VERSION", "v25.0");
    let output = done(command);
    // What strangers wrote does not reach the terminal as it stands.
    assert!(!output.stdout.contains(&0x1b));
    assert!(text(&output.stdout).starts_with("[31mred\n"));
    assert!(text(&output.stdout).ends_with("a ]0;title b c\n"));
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
            "--limit takes a whole number from 1 to 10000 (see --help)",
        ),
        (
            &["--limit"],
            "missing argument for option '--limit' (see --help)",
        ),
        (
            &["--page-size", "x"],
            "--page-size takes a whole number from 1 to 100 (see --help)",
        ),
        (
            &["--all", "--limit", "3"],
            "--all and --limit exclude each other (see --help)",
        ),
        (&["--no-such"], "invalid option '--no-such' (see --help)"),
        (&["extra"], "there is one argument too many (see --help)"),
    ] {
        let output = feed(args).output().unwrap();
        assert_eq!(
            (text(&output.stderr), output.status.code()),
            (format!("mingram feed: {says}\n").as_str(), Some(2))
        );
        assert!(output.stdout.is_empty());
    }
    let server = Server::script([json(
        "400 Bad Request",
        r#"{"error":{"message":"Bad IGQVJsample","code":190}}"#,
    )]);
    let output = live(&server.url(), &[]).output().unwrap();
    let says = "mingram feed: GET /me: the service returned error 190 (HTTP 400): (not shown: it contains a secret); the access token is expired, revoked or of the \
                wrong kind: log in again for a new one\n";
    assert_eq!(
        (text(&output.stderr), output.status.code()),
        (says, Some(3))
    );
}

#[test]
fn help_names_every_option() {
    let words = ["--limit N", "--all", "--page-size N", "--json"];
    support::account::check_help("feed", &words);
}

#[test]
fn a_broken_pipe_ends_quietly() {
    let server = Server::start(|request, stream| {
        let after = param(request, "after");
        let from = after.map_or(0, |after| after.trim_start_matches('c').parse().unwrap());
        let page = support::common::feed_page(from, from + 25, 5000);
        let page = page.replace(r#"{"id":"#, r#"{"media_type":"IMAGE","id":"#);
        let _ = stream.write_all(json("200 OK", &page).as_bytes());
    });
    let mut child = live(&server.url(), &["--all", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    // It answers `me` with a page, which is a profile in a `data`.
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

/// A service that returns these bodies by path, whatever else is asked.
fn service(replies: &'static [(&'static str, &'static str)]) -> Server {
    Server::start(move |request, stream| {
        let path = request.target.split('?').next().unwrap();
        let page = param(request, "after").unwrap_or_default();
        let place = format!("{path}{page}");
        let reply = replies.iter().find(|(of, _)| *of == place);
        let reply = match reply {
            Some((_, body)) => json("200 OK", body),
            None => json("400 No", r#"{"error":{"message":"no","code":9}}"#),
        };
        let _ = stream.write_all(reply.as_bytes());
    })
}

/// The ids in what `--json` prints after the profile, each with those of its children.
fn ids(output: &Output) -> Vec<String> {
    let lines = text(&output.stdout).lines().skip(1);
    lines
        .map(|line| {
            let post: serde_json::Value = serde_json::from_str(line).unwrap();
            let children = post["children"]["data"].as_array().cloned();
            let all = std::iter::once(post).chain(children.unwrap_or_default());
            let ids: Vec<String> = all
                .map(|node| node["id"].as_str().unwrap().into())
                .collect();
            ids.join(" ")
        })
        .collect()
}

#[test]
fn a_post_on_two_pages_is_one_post() {
    let server = service(&[
        ("/me", r#"{"id":"1","media_count":3}"#),
        (
            "/me/media",
            r#"{"data":[{"id":"5"},{"id":"05"},{"id":6}],"paging":{"cursors":{"after":"c"},"next":"https://x/?after=c"}}"#,
        ),
        ("/me/mediac", r#"{"data":[{"id":"6"},{"id":"7"}]}"#),
    ]);
    let output = done(live(&server.url(), &["--json", "--all"]));
    assert_eq!(ids(&output), ["5", "05", "6", "7"]);
}

/// Of a long album only the first children come with it; another one's do not come at all.
#[test]
fn albums_are_complete_or_it_is_said() {
    let server = service(&[
        ("/me", r#"{"id":"1","media_count":3}"#),
        (
            "/me/media",
            r#"{"data":[
            {"id":"5","media_type":"CAROUSEL_ALBUM","children":{"data":[{"id":"51"}],"paging":{"cursors":{"after":"c"},"next":"https://x/?after=c"}}},
            {"id":"6","media_type":"CAROUSEL_ALBUM","children":{"data":[{"id":"61"}],"paging":{"cursors":{"after":"c"}}}},
            {"id":"7","media_type":"CAROUSEL_ALBUM"},
            {"id":"8","media_type":"CAROUSEL_ALBUM","children":{"data":[]}},
            {"id":"9","caption":[]}]}"#,
        ),
        (
            "/5/children",
            r#"{"data":[{"id":"51"},{"id":"52"},{"id":"51"}]}"#,
        ),
        ("/7/children", r#"{"data":[]}"#),
    ]);
    let output = live(&server.url(), &["--json"]).output().unwrap();
    assert_eq!(ids(&output), ["5 51 52", "6 61", "7", "8"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("missing: children of 8: GET /8/children: "),
        "{errors}"
    );
    let unreadable = "missing: a media: the field `caption` of \"9\" has a value of another type\n";
    assert!(errors.contains(unreadable), "{errors}");
    assert_eq!(errors.lines().count(), 2, "{errors}");
}

#[test]
fn only_the_field_that_is_named_is_left_out() {
    let server = Server::start(|request, stream| {
        let fields = param(request, "fields").unwrap_or_default();
        let refusal = |what: &str| {
            json(
                "400 Bad Request",
                &format!(r#"{{"error":{{"message":"{what}","code":100}}}}"#),
            )
        };
        let reply = match request.target.split('?').next().unwrap() {
            "/me" => json("200 OK", r#"{"id":"1"}"#),
            "/me/media" if fields.contains("permalink") => {
                refusal("(#100) Tried accessing nonexisting field (permalink)")
            }
            "/me/media" => json("200 OK", r#"{"data":[{"id":"5","caption":"a"}]}"#),
            _ => refusal("Unsupported request - method type: get"),
        };
        let _ = stream.write_all(reply.as_bytes());
    });
    let output = done(live(&server.url(), &["--json"]));
    assert_eq!(ids(&output), ["5"]);
    let note = "mingram feed: the service refuses the field `permalink`: continuing without it\n";
    assert_eq!(text(&output.stderr), note);
    let asked = &server.received()[2].target;
    assert!(
        asked.contains("caption") && asked.contains("children"),
        "{asked}"
    );
}

#[test]
fn an_album_that_has_more_than_come_is_not_complete() {
    let server = service(&[
        ("/me", r#"{"id":"1","media_count":1}"#),
        (
            "/me/media",
            r#"{"data":[{"id":"5","media_type":"CAROUSEL_ALBUM","children":{"data":[{"id":"51"}],"paging":{"next":"https://x/?after=c"}}}]}"#,
        ),
        ("/5/children", r#"{"data":[]}"#),
    ]);
    let output = live(&server.url(), &["--json"]).output().unwrap();
    assert_eq!(ids(&output), ["5 51"]);
    assert_eq!(output.status.code(), Some(1));
    let says = "missing: children of 5: the service says that there are more, and lists none\n";
    assert_eq!(text(&output.stderr), says);
}

/// The service returns empty lists at times while nothing has changed.
#[test]
fn an_empty_list_of_an_account_that_has_media_is_not_believed() {
    for (me, code) in [
        (r#"{"id":"1","media_count":3}"#, 1),
        (r#"{"id":"1","media_count":0}"#, 0),
        (r#"{"id":"1"}"#, 0),
    ] {
        let server = Server::script([json("200 OK", me), json("200 OK", r#"{"data":[]}"#)]);
        let output = live(&server.url(), &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{me}");
        let says = text(&output.stderr).contains("lists no media of an account that has 3");
        assert_eq!(says, code == 1, "{me}");
    }
}
