//! Runs every example in `examples/` against recorded exchanges. The examples are
//! compiled into this test, and each `run` is called with an `Api` that plays them.

mod common;

use common::{Folder, TestClock};
use mingram::auth::{App, Code, LongLivedToken, RefreshOutcome, TokenFile};
use mingram::transport::Replay;
use mingram::{Api, MediaField};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Declares the examples, and lists their names.
macro_rules! examples {
    ($($name:ident $path:literal)*) => {
        $(#[allow(dead_code, reason = "its `main` is not called here")]
        #[path = $path]
        mod $name;)*

        const EXAMPLES: &[&str] = &[$(stringify!($name)),*];
    };
}

examples! {
    album "../examples/album.rs"
    comments "../examples/comments.rs"
    custom_types "../examples/custom_types.rs"
    download "../examples/download.rs"
    errors "../examples/errors.rs"
    insights "../examples/insights.rs"
    latest "../examples/latest.rs"
    login "../examples/login.rs"
    own_transport "../examples/own_transport.rs"
    pace "../examples/pace.rs"
    profile "../examples/profile.rs"
    refresh "../examples/refresh.rs"
    resume "../examples/resume.rs"
}

const SECONDS_PER_DAY: u64 = 24 * 3600;

fn replay(names: &[&str]) -> Replay {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    names.iter().fold(Replay::new(), |replay, name| {
        let file = fixtures.join(name).with_extension("http");
        replay.with_file(file).unwrap()
    })
}

fn api(replay: &Replay) -> Api {
    Api::new("any-token")
        .with_transport(replay.clone())
        .with_retries(0)
}

/// A fixture's reply to another request.
fn reply_to(url: &str, name: &str) -> String {
    let file = format!("{}/fixtures/{name}.http", env!("CARGO_MANIFEST_DIR"));
    let file = fs::read_to_string(file).unwrap();
    let (_, reply) = file.split_once("\n\n").unwrap();
    format!("GET https://graph.instagram.com{url}\n\n{reply}")
}

/// An exchange for a file.
fn picture(url: &str, body: &str) -> String {
    let length = body.len();
    format!("GET {url}\n\nHTTP/1.1 200 OK\nContent-Length: {length}\n\n{body}")
}

#[test]
fn every_example_is_here_and_short() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!((12..=40).contains(&lines), "{name}: {lines} lines");
        found.insert(name);
    }
    assert!(found.iter().eq(EXAMPLES), "{found:?}");
}

#[test]
fn profile_reads_the_account() {
    let replay = replay(&["users/instagram-login"]);
    profile::run(&api(&replay).with_version("v25.0")).unwrap();
    assert!(replay.unused().is_empty());
}

#[test]
fn latest_is_one_request() {
    let replay = replay(&["feed/page-1", "feed/page-2"]);
    latest::run(&api(&replay)).unwrap();
    assert_eq!(replay.unused().len(), 1);
}

#[test]
fn album_has_urls() {
    let replay = replay(&["media/album-edge"]);
    let urls = album::run(&api(&replay), "17896450804038745").unwrap();
    assert_eq!(urls.len(), 2);
    assert!(urls[0].starts_with("https://"), "{urls:?}");
}

#[test]
fn comments_come_with_replies() {
    let url = "/17895695668004550/comments?fields=id,text,username,replies{id,text}";
    let replay = Replay::new()
        .with_exchange("page-1", reply_to(url, "comments/page-1"))
        .and_then(|replay| {
            let url = format!("{url}&after=QVFJYmE");
            replay.with_exchange("page-2", reply_to(&url, "comments/page-2"))
        })
        .unwrap();
    assert_eq!(
        comments::run(&api(&replay), "17895695668004550").unwrap(),
        4
    );
    assert!(replay.unused().is_empty());
}

#[test]
fn insights_of_account_and_media() {
    let media = reply_to(
        "/17895695668004550/insights?metric=reach,saved",
        "insights/media",
    );
    let replay = replay(&["insights/total"]);
    let replay = replay.with_exchange("media", media).unwrap();
    insights::run(&api(&replay), "17895695668004550").unwrap();
    assert!(replay.unused().is_empty());
}

#[test]
fn custom_types_are_read() {
    let replay = replay(&["users/publishing-limit"]);
    let limit = custom_types::run(&api(&replay)).unwrap();
    assert_eq!((limit.quota_usage, limit.config.quota_total), (2, 50));
    assert_eq!(limit.config.quota_duration, Some(SECONDS_PER_DAY));
}

#[test]
fn download_saves_pictures() {
    let page = replay(&["feed/page-1"]);
    let media: Vec<_> = api(&page)
        .my_media(MediaField::WITH_CHILDREN)
        .take(4)
        .map(Result::unwrap)
        .filter(|media| media.image_url().is_some())
        .collect();
    let mut replay = replay(&["feed/page-1"]);
    for media in &media {
        let exchange = picture(media.image_url().unwrap(), &media.id);
        replay = replay.with_exchange(&media.id, exchange).unwrap();
    }
    let folder = Folder::new();
    download::run(&api(&replay), &folder.0).unwrap();
    assert!(replay.unused().is_empty());
    assert!(media.len() >= 3);
    for media in &media {
        let file = folder.0.join(format!("{}.jpg", media.id));
        assert_eq!(fs::read_to_string(file).unwrap(), media.id);
    }
}

#[test]
fn errors_say_what_to_do() {
    for (fixture, id, advice) in [
        ("errors/token-expired", "e190", "log in again"),
        (
            "errors/permission",
            "e10",
            "log in again and grant the permission",
        ),
        ("errors/rate-limit", "e4", "wait an hour"),
        ("errors/rate-limit-business", "e80002", "wait 19 minutes"),
        ("errors/not-found", "e100-33", "check the id"),
        ("errors/temporary", "e2", "try again later"),
        ("errors/html-with-200", "ehtml", "give up"),
    ] {
        let file = reply_to(&format!("/{id}?fields=id,permalink"), fixture);
        let replay = Replay::new().with_exchange(fixture, file).unwrap();
        assert_eq!(errors::run(&api(&replay), id), advice, "{fixture}");
        assert!(replay.unused().is_empty());
    }
}

#[test]
fn login_stores_a_token() {
    let folder = Folder::new();
    let file = TokenFile::new(folder.0.join("token.json"));
    let app = App::new("1903003", "any-secret", "https://example.com/auth");
    let replay = replay(&["tokens/short-number", "tokens/long"]);
    login::run(&api(&replay), &app, &Code::new("CODEone"), &file).unwrap();
    assert!(replay.unused().is_empty());
    let stored = file.load().unwrap();
    assert_eq!(stored.token.expose(), "IGQVJlong");
}

#[test]
fn own_transport_passes_requests_on() {
    let replay = replay(&["users/basic-display"]);
    let api = api(&replay).with_transport(own_transport::Logged(replay.clone()));
    own_transport::run(&api).unwrap();
    assert!(replay.unused().is_empty());
}

#[test]
fn pace_waits_for_rate_limits() {
    let insights = |id| format!("/{id}/insights?metric=reach");
    let list = "GET https://graph.instagram.com/me/media?fields=id&limit=100\n\nHTTP/1.1 200 OK\n\n\
                {\"data\":[{\"id\":\"1\"},{\"id\":\"2\"}]}";
    let replay = [
        ("list", list.to_owned()),
        ("first", reply_to(&insights(1), "insights/media")),
        (
            "refused",
            reply_to(&insights(2), "errors/rate-limit-business"),
        ),
        ("second", reply_to(&insights(2), "insights/media")),
    ]
    .into_iter()
    .fold(Replay::new(), |replay, (name, exchange)| {
        replay.with_exchange(name, exchange).unwrap()
    });
    let clock = TestClock::new(0);
    let reach = pace::run(&api(&replay).with_clock(clock.clone())).unwrap();
    assert_eq!(reach, 2.0 * 131.0);
    assert_eq!(clock.slept(), [Duration::from_secs(19 * 60)]);
    assert!(replay.unused().is_empty());
}

#[test]
fn refresh_stores_a_new_token_if_it_is_due() {
    let folder = Folder::new();
    let file = TokenFile::new(folder.0.join("token.json"));
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 * SECONDS_PER_DAY / 60);
    let life = Duration::from_secs(60 * SECONDS_PER_DAY);
    let old = LongLivedToken::new("old-token", Some(life), start);
    file.save(&old).unwrap();
    let run = |days: u64, fixtures: &[&str]| {
        let now = start + Duration::from_secs(days * SECONDS_PER_DAY);
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let replay = replay(fixtures);
        let api = api(&replay).with_clock(TestClock::new(seconds.as_secs()));
        let outcome = refresh::run(&api, &file);
        assert!(replay.unused().is_empty());
        outcome
    };
    assert!(matches!(run(10, &[]), Ok(RefreshOutcome::NotDue)));
    // Its program fails, so that somebody looks at it.
    let failed = run(50, &["tokens/refresh-short"]).unwrap_err();
    assert!(failed.is_token_invalid());
    assert_eq!(file.load().unwrap(), old);
    let done = run(50, &["tokens/refresh"]);
    assert!(matches!(done, Ok(RefreshOutcome::Refreshed)));
    assert_eq!(file.load().unwrap().token.expose(), "IGQVJrefreshed");
}

#[test]
fn resume_loses_nothing_and_repeats_nothing() {
    let folder = Folder::new();
    let path = folder.0.join("media.txt");
    let path = path.to_str().unwrap();
    let pages = ["feed/page-1", "feed/page-2", "feed/page-3"];
    resume::run(&api(&replay(&pages)), path).unwrap();
    let complete = fs::read_to_string(path).unwrap();
    let ids: Vec<&str> = complete
        .lines()
        .filter(|line| !line.ends_with('#'))
        .collect();
    let edge = api(&replay(&pages)).my_media(MediaField::WITH_CHILDREN);
    let wanted: Vec<String> = edge
        .page_size(4)
        .into_iter()
        .map(|media| media.unwrap().id)
        .collect();
    assert_eq!(
        (ids.len(), ids),
        (11, wanted.iter().map(|id| &**id).collect())
    );

    // A service that fails in between.
    fs::remove_file(path).unwrap();
    resume::run(&api(&replay(&pages[..2])), path).unwrap_err();
    assert!(complete.starts_with(&fs::read_to_string(path).unwrap()));
    let rest = replay(&pages[2..]);
    resume::run(&api(&rest), path).unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), complete);
    assert!(rest.unused().is_empty());

    // A crash at any byte of the file.
    for end in 0..=complete.len() {
        fs::write(path, &complete[..end]).unwrap();
        resume::run(&api(&replay(&pages)), path).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), complete, "{end}");
    }
}
