//! The loop of `frame`, on a test clock and against an hour of faults.

use super::HIDDEN;
use super::keeper::{Frame, Memory, Refreshing};
use super::newest::Albums;
use crate::account::source::Source;
use crate::store::directory::Directory;
use crate::support;
use mingram::auth::{LongLivedToken, TokenFile};
use mingram::transport::{Clock, DefaultTransport, Request, Response, Transport};
use mingram::{Api, Error, ErrorKind};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::account::*;
use support::common::replay::TOKEN;
use support::common::{json, reply};

/// The pictures in a folder.
fn pictures(dir: &Path) -> Vec<String> {
    let mut names = names(dir);
    names.retain(|name| !name.starts_with('.'));
    names
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
        folder: Directory::open(&dir, HIDDEN).unwrap(),
        count: 4,
        albums: Albums::First,
        every,
        clock: Arc::new(clock),
        stop,
        log: Box::new(move |line| said.lock().unwrap().push(line.to_owned())),
        refresh: Refreshing::default(),
        memory: Memory::default(),
    }
    .run();

    let log = log.lock().unwrap();
    let all = log.join("\n");
    println!("{all}");
    let mut rest = all.as_str();
    for wanted in [
        "the clock is not set yet: it says a year before 2026; trying again in 15 seconds",
        "the access token: refreshed",
        "4 new, 0 removed, 4 in all",
        "recovered after 2 minutes",
        "there is no network: GET /me/media: the host name was not found",
        "the service is in trouble: GET /me/media: the connection broke before the reply came",
        "the rate limit is reached: GET /me/media: ",
        "trying again in 4 minutes",
        "the service is in trouble: GET /me/media: ",
        "the service refuses: GET /me/media: the reply is not JSON",
        "the access token is dead: GET /me/media: ",
        "the service refuses: GET 127.0.0.1/file/1",
        "the directory cannot be written: ",
        "4 new, 4 removed, 4 in all",
        "recovered after ",
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
    // Nothing keeps root from writing there; so for root the path is as long as the system
    // allows, which leaves no room for a temporary file: it can never be written.
    mode(0o555);
    let root = fs::write(keys.join("try"), "").is_ok();
    mode(0o755);
    let mut deep = keys.clone();
    for step in ["d".repeat(200), "d".repeat(8)] {
        while root && fs::create_dir(deep.join(&step)).is_ok() {
            deep.push(&step);
        }
    }
    // Room for 9 to 17 bytes.
    let deep = if root { deep.parent().unwrap() } else { &keys };
    let token = TokenFile::new(deep.join("t"));
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
        folder: Directory::open(&temp.join("dir"), HIDDEN).unwrap(),
        count: 4,
        albums: Albums::First,
        every: Duration::from_secs(600),
        clock: Arc::new(clock),
        stop,
        log: Box::new(move |line| said.lock().unwrap().push(line.to_owned())),
        refresh: Refreshing::default(),
        memory: Memory::default(),
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
        support::common::param(&last, "access_token").as_deref(),
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
    let looks_so_far = AtomicUsize::new(0);
    let account = Account::with_faults(Vec::new(), move |request, _| {
        if !request.target.starts_with("/me/media") {
            return Fault::None;
        }
        match looks_so_far.fetch_add(1, Ordering::SeqCst) {
            1..=3 => usage(85),
            _ => usage(20),
        }
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

/// A clock that was ahead when the token was refreshed, and is right again: the service is
/// asked, an hour after each refusal, and the log has it once.
#[cfg(unix)]
#[test]
fn a_token_from_the_future_is_refreshed_when_the_service_grants_it() {
    let temp = Temp::new("behind");
    let token = TokenFile::new(temp.join("token.json"));
    let now = UNIX_EPOCH + Duration::from_secs(1_795_000_000);
    let ahead = now + Duration::from_secs(300 * 86_400);
    let life = Some(Duration::from_secs(60 * 86_400));
    token
        .save(&LongLivedToken::new(TOKEN, life, ahead))
        .unwrap();
    let asked = AtomicUsize::new(0);
    let account = Account::with_faults(feed(), move |request, _| {
        if !request.target.starts_with("/refresh_access_token?") {
            return Fault::None;
        }
        let date = [("Date", "Wed, 18 Nov 2026 12:00:00 GMT")];
        Fault::Reply(match asked.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => reply("400 No", &date, r#"{"error":{"message":"m","code":190}}"#),
            _ => reply(
                "200 OK",
                &date,
                r#"{"access_token":"IGQVJfresh","expires_in":5184000}"#,
            ),
        })
    });
    let source = Source::File(token.clone());
    let (_, log) = looks_with(&account, source, Duration::from_secs(900), 13);
    assert_eq!(account.asked("/refresh_access_token?"), 3);
    assert_eq!(account.asked("/me/media"), 13);
    let said: Vec<_> = log
        .iter()
        .filter(|line| line.starts_with("the access token: "))
        .collect();
    assert_eq!(said.len(), 2, "{log:?}");
    assert!(said[0].contains("not refreshed, keeping the old one"));
    assert_eq!(said[1], "the access token: refreshed");
    let stored = token.load().unwrap();
    assert!((now..now + Duration::from_secs(86_400)).contains(&stored.obtained_at));
}

/// So many looks on a test clock: the minutes waited behind each, and the log.
fn looks(account: &Account, every: Duration, times: usize) -> (Vec<u64>, Vec<String>) {
    looks_with(account, Source::Given(TOKEN.into()), every, times)
}

fn looks_with(
    account: &Account,
    source: Source,
    every: Duration,
    times: usize,
) -> (Vec<u64>, Vec<String>) {
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
        source,
        folder: Directory::open(&temp.0, HIDDEN).unwrap(),
        count: 4,
        albums: Albums::First,
        every,
        clock: Arc::new(clock),
        stop,
        log: Box::new(move |line| said.lock().unwrap().push(line.to_owned())),
        refresh: Refreshing::default(),
        memory: Memory::default(),
    }
    .run();
    let sleeps = hour.sleeps.lock().unwrap();
    let minutes = sleeps.iter().map(|time| time.as_secs() / 60).collect();
    (minutes, log.lock().unwrap().clone())
}
