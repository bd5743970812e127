//! The token file and its refresh: private, whole, and never lost.
#![cfg(unix)]

mod common;

use common::{Folder, Server, TestClock, api, json, reply};
use mingram::auth::{App, LongLivedToken, RefreshOutcome, TokenFile};
use mingram::{Api, ErrorKind};
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const DAY: u64 = 24 * 3600;
/// 2026-11-23 12:00 UTC, in Unix seconds.
const NOW: u64 = 1_795_435_200;

/// The token file in this folder.
fn file_in(folder: &Folder) -> TokenFile {
    TokenFile::new(folder.0.join("token.json"))
}

fn at(unix_seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds)
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * DAY)
}

/// A token of 60 days, obtained so many days before [`NOW`].
fn token(text: &str, age: u64) -> LongLivedToken {
    LongLivedToken::new(text, Some(days(60)), at(NOW - age * DAY))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The message of an error, with the folder's name taken out.
fn message<T: std::fmt::Debug>(folder: &Folder, result: mingram::Result<T>) -> String {
    let text = result.unwrap_err().to_string();
    assert!(!text.contains('\n'), "{text}");
    text.replace(folder.0.to_str().unwrap(), "DIR")
}

#[test]
fn keeps_what_it_is_given() {
    let folder = Folder::new();
    let file = file_in(&folder);
    for expires_in in [
        Some(Duration::from_secs(5_183_944)),
        Some(Duration::ZERO),
        None,
    ] {
        for token_type in [Some("bearer".to_owned()), None] {
            let mut token = LongLivedToken::new("IGQVJ\"\\long", expires_in, at(NOW));
            token.token_type = token_type;
            file.save(&token).unwrap();
            assert_eq!(file.load().unwrap(), token);
            assert_eq!(mode(file.path()), 0o600);
            assert_eq!(folder.names(), ["token.json"]);
        }
    }
}

#[test]
fn is_json_that_others_can_read_too() {
    let folder = Folder::new();
    let mut token = token("IGQVJlong", 0);
    token.token_type = Some("bearer".to_owned());
    file_in(&folder).save(&token).unwrap();
    let text = fs::read_to_string(file_in(&folder).path()).unwrap();
    assert_eq!(
        text,
        format!(
            "{{\"access_token\":\"IGQVJlong\",\"token_type\":\"bearer\",\"expires_in\":{},\"obtained_at\":{NOW}}}\n",
            60 * DAY
        )
    );
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["obtained_at"], NOW);
}

/// What is loaded is what was saved, or nothing is saved.
#[test]
fn every_time_is_kept_or_refused() {
    let folder = Folder::new();
    let file = file_in(&folder);
    let epoch = SystemTime::UNIX_EPOCH;
    let second = Duration::from_secs(1);
    let half = Duration::from_millis(500);
    for obtained_at in [
        epoch,
        epoch - second,
        epoch - half,
        epoch - 3 * half,
        epoch - Duration::from_secs(1 << 40),
        at(NOW) + half,
        at(NOW) + Duration::from_nanos(1),
        at(1 << 40),
        at(i64::MAX as u64),
    ] {
        for life in [
            Some(Duration::from_millis(1)),
            Some(3 * half),
            Some(Duration::from_secs(i64::MAX as u64)),
            None,
        ] {
            let token = LongLivedToken::new("IGQVJ", life, obtained_at);
            file.save(&token).unwrap();
            assert_eq!(file.load().unwrap(), token);
            let json = token.to_json().unwrap();
            assert_eq!(LongLivedToken::from_json(&json).unwrap(), token);
        }
    }
    let token = LongLivedToken::new("IGQVJ", Some(3 * half), epoch - 3 * half);
    assert_eq!(
        (token.expires_in, token.obtained_at),
        (Some(second), epoch - second)
    );
    // What `new` makes of a time can be undone.
    file.save(&token).unwrap();
    for (expires_in, obtained_at, name) in [
        (Some(half), epoch, "expires_in"),
        (Some(Duration::MAX), epoch, "expires_in"),
        (Some(Duration::from_secs(1 << 63)), epoch, "expires_in"),
        (None, epoch + half, "obtained_at"),
        (None, epoch - half, "obtained_at"),
    ] {
        let mut odd = token.clone();
        (odd.expires_in, odd.obtained_at) = (expires_in, obtained_at);
        for error in [file.save(&odd).unwrap_err(), odd.to_json().unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let text = error.to_string();
            assert!(
                text.contains(name) && text.contains("whole seconds"),
                "{text}"
            );
        }
    }
    // Both sides of the limit, however the token was made.
    let most = Duration::from_secs(i64::MAX as u64);
    for (life, fits) in [
        (most - second, true),
        (most, true),
        (most + half, true),
        (most + second, false),
        (Duration::from_secs(u64::MAX), false),
        (Duration::MAX, false),
    ] {
        let before = file.load().unwrap();
        let made = LongLivedToken::new("IGQVJ", Some(life), epoch);
        for saved in [file.save(&made), file.import("IGQVJ", Some(life)).map(drop)] {
            assert_eq!(saved.is_ok(), fits, "{life:?}");
            let whole = Duration::from_secs(life.as_secs());
            let wanted = if fits { Some(whole) } else { before.expires_in };
            assert_eq!(file.load().unwrap().expires_in, wanted, "{life:?}");
        }
        assert_eq!(made.to_json().is_ok(), fits, "{life:?}");
        // Neither is such a life believed, nor does it overflow.
        assert_eq!(made.refresh_due_at(), epoch + days(1), "{life:?}");
        let _ = made.expires_at();
        file.save(&token).unwrap();
    }
    // The longest line that is read back.
    for (length, fits) in [(65_000, true), (66_000, false)] {
        let mut long = token.clone();
        long.token_type = Some("x".repeat(length));
        assert_eq!(file.save(&long).is_ok(), fits, "{length}");
        assert_eq!(file.load().unwrap() == long, fits, "{length}");
        file.save(&token).unwrap();
    }
    assert_eq!(file.load().unwrap(), token);
    // A file of another program may have fractions.
    let file = file_in(&folder);
    for (json, obtained_at, expires_in) in [
        (r#""obtained_at":5.75,"expires_in":7.5"#, at(5), Some(7)),
        (r#""obtained_at":-5"#, epoch - 5 * second, None),
        (
            r#""obtained_at":"-5","expires_in":-1"#,
            epoch - 5 * second,
            Some(0),
        ),
        (
            r#""obtained_at":1e300,"expires_in":1e300"#,
            at(i64::MAX as u64),
            Some(i64::MAX as u64),
        ),
    ] {
        fs::write(file.path(), format!(r#"{{"access_token":"IGQVJ",{json}}}"#)).unwrap();
        let token = file.load().unwrap();
        let wanted = (obtained_at, expires_in.map(Duration::from_secs));
        assert_eq!((token.obtained_at, token.expires_in), wanted, "{json}");
        file.save(&token).unwrap();
        assert_eq!(file.load().unwrap(), token);
    }
}

#[test]
fn a_token_as_text_is_the_line_of_a_file() {
    let folder = Folder::new();
    let file = file_in(&folder);
    let mut long = token("IGQVJ\"\\secret", 0);
    long.token_type = Some("bearer \u{e9}\n".to_owned());
    file.save(&long).unwrap();
    let json = long.to_json().unwrap();
    assert_eq!(
        fs::read_to_string(file.path()).unwrap(),
        json.clone() + "\n"
    );
    assert_eq!(LongLivedToken::from_json(&json).unwrap(), long);
    assert!(!format!("{long:?}").contains("secret"));
    for text in ["", "IGQVJsecret", r#"{"access_token":"IGQVJsecret"}"#] {
        let error = LongLivedToken::from_json(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            "the stored token has no valid `access_token` and `obtained_at`: log in again"
        );
        assert!(!format!("{error:?}").contains("secret"));
    }
    assert!(token("IGQVJ secret", 0).to_json().is_err());
}

#[test]
fn tokens_are_imported() {
    let folder = Folder::new();
    let file = file_in(&folder);
    for life in [Some(days(60)), None] {
        let before = SystemTime::now() - Duration::from_secs(1);
        let token = file.import(" IGQVJdashboard\n", life).unwrap();
        assert_eq!(file.load().unwrap(), token);
        assert_eq!(token.token.expose(), "IGQVJdashboard");
        assert_eq!(token.expires_in, life);
        assert!((before..=SystemTime::now()).contains(&token.obtained_at));
        // Its age is not known without its life: it is refreshed after a day.
        let due = token.refresh_due_at().duration_since(token.obtained_at);
        assert_eq!(
            due.unwrap(),
            if life.is_some() { days(40) } else { days(1) }
        );
    }
    let before = fs::read(file.path()).unwrap();
    let error = file.import("IGQVJ secret", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(!format!("{error} {error:?}").contains("secret"));
    assert_eq!(fs::read(file.path()).unwrap(), before);
}

/// The path is relative to the working directory, as for any other file.
#[test]
fn a_file_name_alone_is_a_path() {
    let folder = Folder::new();
    let output = child_of(&TokenFile::new("token.json"))
        .env("MINGRAM_TEST_ONCE", "IGQVJnamed")
        .current_dir(&folder.0)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("saved"), "{output:?}");
    assert_eq!(
        file_in(&folder).load().unwrap().token.expose(),
        "IGQVJnamed"
    );
    assert_eq!(folder.names(), ["token.json"]);
}

#[test]
fn refuses_a_file_that_others_may_read() {
    let folder = Folder::new();
    let file = file_in(&folder);
    file.save(&token("IGQVJsecret", 0)).unwrap();
    // Whatever the owner may do: one bit for others is enough.
    let modes = (0..0o1000).filter(|mode| mode & 0o077 != 0);
    for open in modes {
        fs::set_permissions(file.path(), Permissions::from_mode(open)).unwrap();
        let error = file.load().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(
            message(&folder, file.load()),
            format!(
                "the token file DIR/token.json can be read by other users (its mode is {open:o}): \
                 run `chmod 600 'DIR/token.json'`"
            )
        );
    }
    // What only the owner may do, as long as reading is among it, is private.
    for private in [0o400, 0o500, 0o600, 0o700] {
        fs::set_permissions(file.path(), Permissions::from_mode(private)).unwrap();
        assert_eq!(file.load().unwrap().token.expose(), "IGQVJsecret");
    }
    // What the message says does mend it, and so does a save.
    fs::set_permissions(file.path(), Permissions::from_mode(0o600)).unwrap();
    file.load().unwrap();
    fs::set_permissions(file.path(), Permissions::from_mode(0o644)).unwrap();
    file.save(&token("IGQVJsecret", 0)).unwrap();
    assert_eq!(mode(file.path()), 0o600);
}

#[test]
fn refuses_what_is_no_token_file() {
    let folder = Folder::new();
    let file = file_in(&folder);
    let long = "x".repeat(70_000);
    for text in [
        "{",
        "IGQVJsecret",
        "[]",
        "{}",
        r#"{"access_token":"IGQVJsecret"}"#,
        r#"{"access_token":"IGQVJsecret","obtained_at":null}"#,
        r#"{"access_token":"IGQVJsecret","obtained_at":true}"#,
        r#"{"access_token":"IGQVJsecret","obtained_at":"soon"}"#,
        r#"{"access_token":"IGQVJ secret","obtained_at":5}"#,
        r#"{"access_token":"","obtained_at":5}"#,
        r#"{"access_token":"IGQVJsecret","obtained_at":5,"expires_in":"x"}"#,
        r#"{"access_token":"IGQVJsecret","obtained_at":5"#,
        &format!(r#"{{"access_token":"IGQVJsecret","obtained_at":5,"x":"{long}"}}"#),
    ] {
        fs::write(file.path(), text).unwrap();
        fs::set_permissions(file.path(), Permissions::from_mode(0o600)).unwrap();
        let error = file.load().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(
            !format!("{error} {error:?}").contains("secret"),
            "{error:?}"
        );
        assert!(error.to_string().contains("log in again"), "{error}");
    }
    fs::write(file.path(), "").unwrap();
    assert!(message(&folder, file.load()).contains("is empty"));
    fs::write(file.path(), b"\xff\xfe").unwrap();
    assert_eq!(file.load().unwrap_err().kind(), ErrorKind::InvalidInput);
    fs::write(
        file.path(),
        r#"{"new":[{}],"obtained_at":"5","access_token":"IGQVJ","expires_in":null}"#,
    )
    .unwrap();
    let token = file.load().unwrap();
    assert_eq!((token.obtained_at, token.expires_in), (at(5), None));
}

#[test]
fn refuses_places_that_hold_no_file() {
    let folder = Folder::new();
    let token = token("IGQVJsecret", 0);
    let both = |path: &str| {
        let file = TokenFile::new(folder.0.join(path));
        (
            message(&folder, file.load()),
            message(&folder, file.save(&token)),
        )
    };
    fs::create_dir(folder.0.join("folder")).unwrap();
    symlink("elsewhere.json", folder.0.join("link")).unwrap();
    let folder_message = "the token file DIR/folder is a directory: use the path of a file in it";
    assert_eq!(
        both("folder"),
        (folder_message.into(), folder_message.into())
    );
    let link = "the token file DIR/link is a symbolic link: use the path of the file itself";
    assert_eq!(both("link"), (link.into(), link.into()));
    let (load, save) = both("none/token.json");
    assert_eq!(load, "there is no token file DIR/none/token.json");
    assert_eq!(
        save,
        "the token file DIR/none/token.json is in a directory that does not exist: create it first"
    );
    let (_, save) = both("..");
    assert!(save.contains("is a directory"), "{save}");
    let made = Command::new("mkfifo").arg(folder.0.join("pipe")).status();
    if made.is_ok_and(|status| status.success()) {
        let pipe = "the token file DIR/pipe is not a regular file";
        assert_eq!(both("pipe"), (pipe.into(), pipe.into()));
    }
    assert!(TokenFile::new("").save(&token).is_err());
    assert!(TokenFile::new("/").save(&token).is_err());
    let bad = LongLivedToken::new("a b", None, at(NOW));
    let error = file_in(&folder).save(&bad).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(!file_in(&folder).path().exists());
}

#[test]
fn a_missing_file_can_be_told() {
    let folder = Folder::new();
    let error = file_in(&folder).load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let not_found = |error: &mingram::Error| {
        error.io_error().map(std::io::Error::kind) == Some(std::io::ErrorKind::NotFound)
    };
    assert!(not_found(&error) && !error.is_not_found());
    fs::write(file_in(&folder).path(), "").unwrap();
    assert!(!not_found(&file_in(&folder).load().unwrap_err()));
}

/// Nobody knows who is alive in another container or on another host.
#[test]
fn what_others_write_is_left_alone() {
    let folder = Folder::new();
    let others = [
        ".other.json.0123456789abcdef.tmp",
        ".token.json.0123456789abcdef.tmp",
        ".token.json.4194305-0123456789abcdef.tmp",
        ".token.json.swp",
    ];
    for name in others {
        let file = File::create(folder.0.join(name)).unwrap();
        let time = SystemTime::now() - Duration::from_secs(3600);
        file.set_modified(time).unwrap();
    }
    file_in(&folder).save(&token("IGQVJ", 0)).unwrap();
    assert_eq!(folder.names()[..4], others);
    assert_eq!(folder.names()[4..], ["token.json"]);
}

#[test]
fn writers_at_the_same_time_do_not_harm_each_other() {
    let folder = Folder::new();
    thread::scope(|scope| {
        for writer in 0..4 {
            let file = file_in(&folder);
            scope.spawn(move || {
                for _ in 0..25 {
                    file.save(&token(&format!("IGQVJ{writer}"), 0)).unwrap();
                    assert!(file.load().unwrap().token.expose().starts_with("IGQVJ"));
                }
            });
        }
    });
    assert_eq!(folder.names(), ["token.json"]);
}

/// The owner of a file, its group and its mode.
fn owner(path: &Path) -> (u32, u32, u32) {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
}

/// Somebody who is not root.
const NOBODY: u32 = 65534;

/// Whether the tests run as root, who may give files away.
fn root() -> bool {
    let root = owner(Folder::new().0.as_path()).0 == 0;
    if !root {
        println!("skipped: only root can give files away");
    }
    root
}

#[test]
fn a_save_by_root_leaves_the_file_to_its_owner() {
    use std::os::unix::fs::chown;
    if !root() {
        return;
    }
    let folder = Folder::new();
    let file = file_in(&folder);
    let give = |path: &Path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    for service in [true, false] {
        // The service's own folder, and one that only root writes to.
        if service {
            give(&folder.0);
        } else {
            chown(&folder.0, Some(0), Some(0)).unwrap();
        }
        file.save(&token("IGQVJold", 0)).unwrap();
        give(file.path());
        file.save(&token("IGQVJnew", 0)).unwrap();
        assert_eq!(owner(file.path()), (NOBODY, NOBODY, 0o600));
        assert_eq!(file.load().unwrap().token.expose(), "IGQVJnew");
        fs::remove_file(file.path()).unwrap();
    }
    // A new file is root's own.
    file.save(&token("IGQVJ", 0)).unwrap();
    assert_eq!(owner(file.path()), (0, 0, 0o600));
    // What anybody may have put there gets no token of root's.
    fs::set_permissions(&folder.0, Permissions::from_mode(0o1777)).unwrap();
    give(file.path());
    file.save(&token("IGQVJsecret", 0)).unwrap();
    assert_eq!(owner(file.path()), (0, 0, 0o600));
    assert_eq!(folder.names(), ["token.json"]);
}

/// The token is not lost where the old owner cannot have the new file.
#[test]
fn a_save_by_somebody_else_takes_the_file_over() {
    use std::os::unix::process::CommandExt;
    if !root() {
        return;
    }
    let folder = Folder::new();
    let file = file_in(&folder);
    file.save(&token("IGQVJold", 0)).unwrap();
    fs::set_permissions(&folder.0, Permissions::from_mode(0o777)).unwrap();
    let child = child_of(&file)
        .env("MINGRAM_TEST_ONCE", "IGQVJnew")
        .uid(NOBODY)
        .gid(NOBODY)
        .output();
    match child {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("saved"), "{output:?}");
        }
        Err(error) => {
            println!("skipped: nobody else can run this program: {error}");
            return;
        }
    }
    assert_eq!(owner(file.path()), (NOBODY, NOBODY, 0o600));
    assert_eq!(file.load().unwrap().token.expose(), "IGQVJnew");
    assert_eq!(folder.names(), ["token.json"]);
}

// --- Refresh.

const FRESH: &str = r#"{"access_token":"IGQVJfresh","token_type":"bearer","expires_in":5184000}"#;

/// An `Api` on a test clock that has a token of its own, which must not be the
/// one that is refreshed.
fn api_at(server: &Server, now: u64) -> Api {
    api(&server.url())
        .with_retries(5)
        .with_clock(TestClock::new(now))
}

/// What a token of this age comes to, and how many requests it took.
fn refresh(age: u64, life: Option<u64>, now: u64) -> (RefreshOutcome, usize) {
    let folder = Folder::new();
    let server = Server::script([json("200 OK", FRESH)]);
    let life = life.map(|life| Duration::from_secs(life.min(i64::MAX as u64)));
    let old = LongLivedToken::new("IGQVJold", life, at(NOW - age));
    file_in(&folder).save(&old).unwrap();
    let refresh = file_in(&folder)
        .refresh_if_due(&api_at(&server, now))
        .unwrap();
    assert!(refresh.error().is_none());
    assert_eq!(file_in(&folder).load().unwrap(), refresh.token);
    let text = match refresh.outcome {
        RefreshOutcome::Refreshed => "IGQVJfresh",
        _ => "IGQVJold",
    };
    assert_eq!(refresh.token.token.expose(), text);
    (refresh.outcome, server.received().len())
}

#[test]
fn refreshes_when_it_is_due_and_not_before() {
    use RefreshOutcome as R;
    for (age, life) in [
        (40 * DAY, Some(60 * DAY)),
        (59 * DAY, Some(60 * DAY)),
        (DAY, None),
        (DAY, Some(5012)),
        (2 * DAY, Some(8 * DAY)),
        // Dead by the clock; but the clock may be wrong, so the service is asked.
        (100 * DAY, Some(60 * DAY)),
        // A life that no token has.
        (DAY, Some(u64::MAX)),
        (40 * DAY, Some(300 * DAY)),
    ] {
        // A board whose clock is not set yet, or is behind the token.
        for now in [0, NOW - age - DAY - 1, u32::MAX.into()] {
            let (outcome, requests) = refresh(age, life, now);
            assert!(matches!(outcome, R::Refreshed), "{now} {outcome}");
            assert_eq!(requests, 1);
        }
        let (outcome, requests) = refresh(age, life, NOW);
        assert!(matches!(outcome, R::Refreshed), "{age} {life:?} {outcome}");
        assert_eq!(requests, 1);
    }
    let idle = |age, life, now| {
        let (outcome, requests) = refresh(age, life, now);
        assert_eq!(requests, 0, "{outcome}");
        outcome
    };
    assert!(matches!(idle(40 * DAY - 1, Some(60 * DAY), NOW), R::NotDue));
    assert!(matches!(idle(DAY, Some(60 * DAY), NOW), R::NotDue));
    assert!(matches!(idle(DAY - 1, Some(60 * DAY), NOW), R::NotDue));
    assert!(matches!(idle(DAY - 1, None, NOW), R::NotDue));
    assert!(matches!(idle(0, Some(0), NOW), R::NotDue));
    assert!(matches!(idle(0, None, NOW - 1), R::NotDue));
    assert!(matches!(idle(0, Some(60 * DAY), NOW - DAY), R::NotDue));
}

#[test]
fn sends_the_token_of_the_file_and_notes_when_it_was_answered() {
    let folder = Folder::new();
    let server = Server::script([json("200 OK", FRESH)]);
    file_in(&folder).save(&token("IGQVJold", 45)).unwrap();
    let api = api_at(&server, NOW);
    let refresh = file_in(&folder).refresh_if_due(&api).unwrap();
    assert_eq!(
        server.received()[0].target,
        "/refresh_access_token?grant_type=ig_refresh_token&access_token=IGQVJold"
    );
    assert_eq!(refresh.token.obtained_at, at(NOW));
    assert_eq!(refresh.token.expires_at(), Some(at(NOW + 60 * DAY)));
    assert_eq!(refresh.outcome.to_string(), "refreshed");
    // And from then on there is nothing to do.
    let again = file_in(&folder).refresh_if_due(&api).unwrap();
    assert!(matches!(again.outcome, RefreshOutcome::NotDue));
    assert_eq!(again.token, refresh.token);
    assert_eq!(server.received().len(), 1);
}

/// NOW and later days, as the server's `Date` header has them.
const DATES: [&str; 3] = [
    "Mon, 23 Nov 2026 12:00:00 GMT",
    "Tue, 24 Nov 2026 12:00:00 GMT",
    "Tue, 24 Nov 2026 12:00:01 GMT",
];

/// A clock that is wrong must not get into the file: a token refreshed while it is ahead
/// would look healthy long after its death.
#[test]
fn the_servers_date_counts_if_the_clock_is_off_by_more_than_a_day() {
    let app = App::new("1", "SECRETsample", "https://example.com/");
    for (clock, date, obtained_at) in [
        (NOW + 300 * DAY, DATES[0], NOW),
        (0, DATES[0], NOW),
        (NOW, DATES[1], NOW),
        (NOW, DATES[2], NOW + DAY + 1),
        (NOW + DAY, DATES[0], NOW + DAY),
        (NOW + DAY + 1, DATES[0], NOW),
        (NOW + 300 * DAY, "today", NOW + 300 * DAY),
    ] {
        let server = Server::script([reply("200 OK", &[("Date", date)], FRESH)]);
        let api = api_at(&server, clock);
        for token in [api.exchange_token(&app), api.refresh_token()] {
            assert_eq!(
                token.unwrap().obtained_at,
                at(obtained_at),
                "{clock} {date}"
            );
        }
    }
    let folder = Folder::new();
    let file = file_in(&folder);
    file.save(&token("IGQVJold", 45)).unwrap();
    let server = Server::script([reply("200 OK", &[("Date", DATES[0])], FRESH)]);
    let ahead = api_at(&server, NOW + 300 * DAY);
    assert!(file.refresh_if_due(&ahead).unwrap().error().is_none());
    assert_eq!(file.load().unwrap().expires_at(), Some(at(NOW + 60 * DAY)));
    // By a clock that is right, the next refresh comes in time.
    for (days, due) in [(39, false), (40, true)] {
        let api = api_at(&server, NOW + days * DAY);
        let outcome = file.refresh_if_due(&api).unwrap().outcome;
        assert_eq!(matches!(outcome, RefreshOutcome::Refreshed), due);
    }
}

/// Without a file, as of many users in a database.
#[test]
fn a_token_refreshes_itself_by_the_same_rule() {
    let server = Server::script([json("200 OK", FRESH)]);
    let (young, old) = (token("IGQVJold", 39), token("IGQVJold", 40));
    let api = api_at(&server, NOW);
    let refresh = young.refresh_if_due(&api);
    assert!(matches!(refresh.outcome, RefreshOutcome::NotDue));
    assert_eq!((refresh.token, server.received().len()), (young, 0));
    let refresh = old.refresh_if_due(&api);
    assert!(matches!(refresh.outcome, RefreshOutcome::Refreshed));
    assert_eq!(
        server.received()[0].target,
        "/refresh_access_token?grant_type=ig_refresh_token&access_token=IGQVJold"
    );
    let mut fresh = LongLivedToken::new("IGQVJfresh", Some(days(60)), at(NOW));
    fresh.token_type = Some("bearer".to_owned());
    assert_eq!(refresh.token, fresh);
    let forced = token("IGQVJold", 2).refresh(&api);
    assert_eq!(forced.token, fresh);
    let server = Server::script([json("500 Internal Server Error", "{}")]);
    let refresh = old.refresh_if_due(&api_at(&server, NOW));
    assert_eq!(refresh.error().unwrap().status(), Some(500));
    assert_eq!(refresh.token, old);
}

/// By a clock that is wrong a new token looks old, and the service refuses. Its `Date`
/// tells that the token is not dead.
#[test]
fn a_refusal_of_a_young_token_is_no_error() {
    let refusal = r#"{"error":{"message":"m","type":"OAuthException","code":190}}"#;
    for (age, date, young) in [
        (0, Some(DATES[0]), true),
        (DAY - 1, Some(DATES[0]), true),
        (DAY, Some(DATES[0]), false),
        (3600, Some(DATES[1]), false),
        (3600, None, false),
        (3600, Some("today"), false),
    ] {
        let headers: Vec<_> = date.map(|date| ("Date", date)).into_iter().collect();
        let server = Server::script([
            reply("400 Bad Request", &headers, refusal),
            reply("200 OK", &headers, refusal),
            reply("500 No", &headers, refusal.replace("190", "2").as_str()),
        ]);
        let old = LongLivedToken::new("IGQVJ", Some(days(60)), at(NOW - age));
        let api = api_at(&server, NOW + 365 * DAY);
        for _ in 0..2 {
            let refresh = old.refresh_if_due(&api);
            let outcome = &refresh.outcome;
            assert_eq!(matches!(outcome, RefreshOutcome::TooYoung), young, "{age}");
            assert_eq!(refresh.error().is_none(), young, "{age}");
            assert_eq!(refresh.token, old);
        }
        let failed = old.refresh_if_due(&api);
        assert!(failed.error().unwrap().is_transient());
    }
}

/// Whatever put such a time into the file.
#[test]
fn a_file_that_is_wrong_heals() {
    let folder = Folder::new();
    let file = file_in(&folder);
    let dated = reply("200 OK", &[("Date", DATES[0])], FRESH);
    for stored in [
        r#""obtained_at":0"#,
        r#""obtained_at":-9000000000"#,
        r#""obtained_at":1000000000,"expires_in":5184000"#,
        r#""obtained_at":1795700000,"expires_in":5184000"#,
        r#""obtained_at":2147483000,"expires_in":5184000"#,
        r#""obtained_at":4070908800,"expires_in":5184000"#,
        r#""obtained_at":9e99,"expires_in":9e99"#,
        r#""obtained_at":1795000000,"expires_in":0"#,
        r#""obtained_at":1795000000,"expires_in":9e99"#,
        r#""obtained_at":1795000000,"expires_in":99999999"#,
    ] {
        fs::write(
            file.path(),
            format!(r#"{{"access_token":"IGQVJold",{stored}}}"#),
        )
        .unwrap();
        fs::set_permissions(file.path(), Permissions::from_mode(0o600)).unwrap();
        let server = Server::script([dated.clone()]);
        let refresh = file.refresh_if_due(&api_at(&server, NOW + 60)).unwrap();
        assert!(refresh.error().is_none(), "{stored}: {}", refresh.outcome);
        let healed = file.load().unwrap();
        assert_eq!(healed, refresh.token);
        assert_eq!(healed.token.expose(), "IGQVJfresh", "{stored}");
        // The earlier of the two clocks.
        assert_eq!(healed.obtained_at, at(NOW), "{stored}");
        assert_eq!(healed.expires_at(), Some(at(NOW + 60 * DAY)));
        let again = file.refresh_if_due(&api_at(&server, NOW + DAY)).unwrap();
        assert!(matches!(again.outcome, RefreshOutcome::NotDue));
        assert_eq!(server.received().len(), 1);
    }
}

#[test]
fn a_forced_refresh_waits_for_24_hours_too() {
    let folder = Folder::new();
    let server = Server::script([json("200 OK", FRESH)]);
    let file = file_in(&folder);
    let forced = |age| {
        let old = LongLivedToken::new("IGQVJold", Some(days(60)), at(NOW - age));
        file.save(&old).unwrap();
        file.refresh(&api_at(&server, NOW)).unwrap().outcome
    };
    assert!(matches!(forced(DAY - 1), RefreshOutcome::TooYoung));
    assert_eq!(server.received().len(), 0);
    assert!(matches!(forced(DAY), RefreshOutcome::Refreshed));
    assert_eq!(server.received().len(), 1);
}

#[test]
fn a_failed_refresh_keeps_the_old_token_and_takes_one_request() {
    let dead = r#"{"error":{"message":"Session has expired: IGQVJold","type":"OAuthException","code":190}}"#;
    for (reply, invalid) in [
        (json("400 Bad Request", dead), true),
        (json("500 Internal Server Error", "{}"), false),
        (json("200 OK", r#"{"access_token":""}"#), false),
        (json("200 OK", r#"{"access_token":"IGQVJfresh"#), false),
        (String::new(), false),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/x\r\nContent-Length: 0\r\n\r\n"
                .into(),
            false,
        ),
    ] {
        let folder = Folder::new();
        let file = file_in(&folder);
        file.save(&token("IGQVJold", 45)).unwrap();
        let before = (fs::read(file.path()).unwrap(), inode(file.path()));
        let server = Server::script([reply.clone()]);
        let refresh = file.refresh_if_due(&api_at(&server, NOW)).unwrap();
        assert_eq!(server.received().len(), 1, "{reply}");
        assert_eq!(refresh.token, token("IGQVJold", 45));
        assert_eq!((fs::read(file.path()).unwrap(), inode(file.path())), before);
        let line = refresh.outcome.to_string();
        assert!(
            line.starts_with("not refreshed, keeping the old one: GET /refresh_access_token: ")
        );
        assert!(
            !format!("{line} {refresh:?}").contains("IGQVJ"),
            "{refresh:?}"
        );
        let RefreshOutcome::RefreshFailed(error) = refresh.outcome else {
            panic!("{:?}", refresh.outcome)
        };
        assert_eq!(error.is_token_invalid(), invalid);
    }
}

/// Two runs of a program at the same time, of which the service refuses the second.
#[test]
fn of_two_refreshes_at_once_the_refused_one_takes_the_others_token() {
    let folder = Folder::new();
    let file = file_in(&folder);
    let old = token("IGQVJold", 45);
    file.save(&old).unwrap();
    let both = std::sync::Barrier::new(2);
    let first = std::sync::atomic::AtomicBool::new(true);
    let stored = file.clone();
    let server = Server::start(move |_, stream| {
        both.wait();
        let answer = match first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            true => json("200 OK", FRESH),
            false => {
                let deadline = Instant::now() + Duration::from_secs(20);
                while stored.load().unwrap().token.expose() == "IGQVJold" {
                    assert!(Instant::now() < deadline, "the first is not stored");
                    thread::sleep(Duration::from_millis(1));
                }
                let refusal = r#"{"error":{"message":"m","code":190}}"#;
                json("400 Bad Request", refusal)
            }
        };
        let _ = std::io::Write::write_all(stream, answer.as_bytes());
    });
    let run = || file.refresh_if_due(&api_at(&server, NOW)).unwrap();
    let refreshes = thread::scope(|scope| {
        let other = scope.spawn(run);
        [run(), other.join().unwrap()]
    });
    for refresh in refreshes {
        assert!(refresh.error().is_none(), "{}", refresh.outcome);
        assert_eq!(refresh.token.token.expose(), "IGQVJfresh");
    }
    assert_eq!(server.received().len(), 2);
    assert_eq!(file.load().unwrap().token.expose(), "IGQVJfresh");
}

#[test]
fn nobody_there_keeps_the_old_token() {
    let folder = Folder::new();
    let file = file_in(&folder);
    file.save(&token("IGQVJold", 45)).unwrap();
    let api = api(common::NOBODY).with_clock(TestClock::new(NOW));
    let refresh = file.refresh_if_due(&api).unwrap();
    let RefreshOutcome::RefreshFailed(error) = refresh.outcome else {
        panic!("{:?}", refresh.outcome)
    };
    assert!(error.is_transient());
    assert_eq!(file.load().unwrap().token.expose(), "IGQVJold");
}

#[test]
fn a_login_during_the_refresh_is_not_overwritten() {
    let folder = Folder::new();
    let file = file_in(&folder);
    file.save(&token("IGQVJold", 45)).unwrap();
    let other = file.clone();
    let server = Server::start(move |_, stream| {
        other.save(&token("IGQVJlogin", 0)).unwrap();
        let _ = std::io::Write::write_all(stream, json("200 OK", FRESH).as_bytes());
    });
    let refresh = file.refresh_if_due(&api_at(&server, NOW)).unwrap();
    assert!(matches!(refresh.outcome, RefreshOutcome::NotDue));
    assert_eq!(refresh.token.token.expose(), "IGQVJlogin");
    assert_eq!(file.load().unwrap().token.expose(), "IGQVJlogin");
}

#[test]
fn a_new_token_that_cannot_be_written_is_handed_back() {
    let folder = Folder::new();
    let file = file_in(&folder);
    file.save(&token("IGQVJold", 45)).unwrap();
    let (path, aside) = (file.path().to_owned(), folder.0.join("aside"));
    let server = Server::start(move |_, stream| {
        fs::rename(&path, &aside).unwrap();
        fs::create_dir(&path).unwrap();
        let _ = std::io::Write::write_all(stream, json("200 OK", FRESH).as_bytes());
    });
    let refresh = file.refresh_if_due(&api_at(&server, NOW)).unwrap();
    assert!(matches!(refresh.outcome, RefreshOutcome::SaveFailed(_)));
    assert_eq!(refresh.error().unwrap().kind(), ErrorKind::InvalidInput);
    assert_eq!(refresh.token.token.expose(), "IGQVJfresh");
    assert!(refresh.outcome.to_string().contains("is a directory"));
}

fn inode(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap())
}

// --- Kills and full disks: this test program, run again as a child that saves.

const CHILD: &str = "MINGRAM_TEST_TOKEN_FILE";

/// Not a test: what the child does. It saves tokens of ever other lengths,
/// until it is killed, or once where it is told so.
#[test]
#[ignore = "run as a child by the tests below"]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let file = TokenFile::new(path);
    if let Ok(text) = std::env::var("MINGRAM_TEST_ONCE") {
        match file.save(&LongLivedToken::new(text, Some(days(60)), at(NOW))) {
            Ok(()) => println!("saved"),
            Err(error) => println!("error: {error}"),
        }
        return;
    }
    for i in u64::from(std::process::id()).. {
        let text = "A".repeat(1 + (i % 40) as usize * 100);
        file.save(&LongLivedToken::new(text, Some(days(60)), at(NOW + i)))
            .unwrap();
    }
}

fn child_of(file: &TokenFile) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "child",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD, file.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// A child that is killed, whatever happens to the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_file() {
    let folder = Folder::new();
    let file = file_in(&folder);
    let (mut seen, mut leftovers) = (Vec::new(), 0);
    // A little generator, so that the moments are spread and differ each time.
    let mut random = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .subsec_nanos();
    for round in 0..200 {
        let mut child = Killed(child_of(&file).spawn().unwrap());
        // The first round waits for the first file, so that there is one to harm.
        let started = Instant::now();
        while round == 0 && !file.path().exists() {
            assert!(started.elapsed() < Duration::from_secs(20), "no file came");
            thread::sleep(Duration::from_millis(1));
        }
        // Each waits until its child has saved at least once.
        let before = fs::metadata(file.path()).unwrap().modified().unwrap();
        while fs::metadata(file.path()).unwrap().modified().unwrap() == before {
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "nothing is saved"
            );
            thread::sleep(Duration::from_micros(200));
        }
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        thread::sleep(Duration::from_micros(u64::from(random >> 12) % 8000));
        child.0.kill().unwrap();
        child.0.wait().unwrap();
        let token = file
            .load()
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
        for name in folder.names() {
            // Private from the first byte: what is half written is as well.
            assert_eq!(mode(&folder.0.join(&name)), 0o600, "{name}");
        }
        seen.push(token.token.expose().len());
        let left = folder.names().len() - 1 - leftovers;
        assert!(left <= 1, "{left} files left by one kill");
        leftovers += left;
    }
    for name in folder.names() {
        // As documented: somebody may want to delete them.
        let random = name.strip_prefix(".token.json.");
        let random = random.and_then(|name| name.strip_suffix(".tmp"));
        let is_random =
            |digits: &str| digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(
            name == "token.json" || random.is_some_and(is_random),
            "{name}"
        );
    }
    seen.sort_unstable();
    seen.dedup();
    println!("{} different lengths, {leftovers} leftovers", seen.len());
    assert!(seen.len() > 5, "the children do not differ: {seen:?}");
    assert!(leftovers > 0, "no kill came inside a save");
    file.save(&token("IGQVJlast", 0)).unwrap();
    assert_eq!(file.load().unwrap().token.expose(), "IGQVJlast");
}

/// A folder on a file system of 64 KiB, while it lives; needs root.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Folder) -> Option<SmallDisk> {
        let path = folder.0.join("disk");
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(&path)
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(SmallDisk(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_a_clear_error_and_the_old_file_stays() {
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(&folder) else {
        println!("skipped: no file system can be mounted here; the size limit below is tested");
        return;
    };
    let file = TokenFile::new(disk.0.join("token.json"));
    file.save(&token("IGQVJold", 0)).unwrap();
    let filler = disk.0.join("filler");
    let full = fs::write(&filler, vec![0; 1 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let error = file.save(&token("IGQVJnew", 0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(
        error
            .to_string()
            .contains("cannot be written: No space left on device"),
        "{error}"
    );
    assert_eq!(file.load().unwrap().token.expose(), "IGQVJold");
    assert_eq!(
        fs::read_dir(&disk.0).unwrap().count(),
        2,
        "a temporary file is left"
    );
    fs::remove_file(filler).unwrap();
    // A child that another test has just started may still hold the filler open, until it
    // runs its program.
    let started = Instant::now();
    while file.save(&token("IGQVJnew", 0)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(60), "still full");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(file.load().unwrap().token.expose(), "IGQVJnew");
}

#[test]
fn a_size_limit_is_a_clear_error_and_the_old_file_stays() {
    let folder = Folder::new();
    let file = file_in(&folder);
    file.save(&token("IGQVJold", 0)).unwrap();
    let inner = child_of(&file);
    // A limit of zero blocks; the signal that comes with it is ignored, as the
    // error says it all.
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 0 && exec \"$@\"", "sh"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env(CHILD, file.path())
        .env("MINGRAM_TEST_ONCE", "IGQVJnew")
        .stdout(Stdio::piped());
    let mut child = Killed(shell.spawn().unwrap());
    let mut said = String::new();
    child
        .0
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(said.contains("error: the token file "), "{said}");
    assert!(said.contains("cannot be written: File too large"), "{said}");
    assert!(!said.contains("IGQVJ"), "{said}");
    assert_eq!(file.load().unwrap().token.expose(), "IGQVJold");
    assert_eq!(folder.names(), ["token.json"]);
}
