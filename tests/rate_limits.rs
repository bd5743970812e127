//! Rate limits: what is known of them, for how long, the time to wait in an error, and
//! `with_pace`.

mod common;

use common::{Server, TestClock, json, reply};
use mingram::auth::{App, Code};
use mingram::transport::Clock;
use mingram::{Api, ErrorKind, Usage};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

const ID: &str = r#"{"id":"1"}"#;
const APP: &str = "X-App-Usage";
const BUSINESS: &str = "X-Business-Use-Case-Usage";
/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: u64 = 784_111_777;
const HOUR: Duration = Duration::from_secs(3600);
const YEAR: u64 = 365 * 86_400;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// The header of one business with one entry.
fn entry(kind: &str, percent: i64, minutes: i64) -> String {
    format!(
        r#"{{"17841405793187218":[{{"type":"{kind}","call_count":{percent},"total_time":1,"total_cputime":1,"estimated_time_to_regain_access":{minutes}}}]}}"#
    )
}

fn app(percent: i64) -> String {
    format!(r#"{{"call_count":{percent},"total_time":1,"total_cputime":1}}"#)
}

fn ok(headers: &[(&str, &str)]) -> String {
    reply("200 OK", headers, ID)
}

fn error(status: &str, code: i64, headers: &[(&str, &str)]) -> String {
    let body = format!(r#"{{"error":{{"message":"x","code":{code}}}}}"#);
    reply(status, headers, &body)
}

/// Refused for this many minutes.
fn refused(minutes: i64) -> String {
    let business = entry("instagram", 100, minutes);
    error("400 Bad Request", 80002, &[(BUSINESS, &business)])
}

/// A server with these replies, and an `Api` for it with a clock that does not sleep.
fn script(replies: &[String]) -> (Server, TestClock, Api) {
    let server = Server::script(replies.to_vec());
    let clock = TestClock::new(NOW);
    let api = server.api().with_clock(clock.clone());
    (server, clock, api)
}

fn usage_of(headers: &[(&str, &str)]) -> Usage {
    let (_server, _, api) = script(&[ok(headers)]);
    api.me("").unwrap();
    api.usage()
}

#[test]
fn usage_counts_down_and_runs_out() {
    let full = error(
        "403 Forbidden",
        4,
        &[(APP, &app(100)), (BUSINESS, &entry("instagram", 100, 1))],
    );
    let (_server, clock, api) = script(&[full, ok(&[])]);
    assert_eq!(api.usage(), Usage::default());
    assert!(api.me("").unwrap_err().is_rate_limited());
    let received = Some(clock.now());
    let known = |after: u64| {
        let usage = api.usage();
        assert_eq!(usage.received, received, "{after}");
        (usage.wait(), usage.percent())
    };
    for (after, wait, percent) in [
        (0, Some(seconds(60)), Some(100)),
        (59, Some(seconds(1)), Some(100)),
        (60, None, Some(100)),
        (3599, None, Some(100)),
        (3600, None, None),
        (YEAR, None, None),
    ] {
        clock.set(NOW + after);
        assert_eq!(known(after), (wait, percent), "{after}");
        // Replies without the headers change nothing.
        api.me("").unwrap();
        assert_eq!(known(after), (wait, percent), "{after}");
    }
    assert!(api.usage().app.is_none() && api.usage().business.is_empty());

    // In whole seconds, rounded up.
    let (_server, clock, api) = script(&[refused(1)]);
    assert!(api.me("").is_err());
    clock.advance(Duration::from_millis(1));
    assert_eq!(api.usage().wait(), Some(seconds(60)));
    clock.advance(Duration::from_millis(59_998));
    assert_eq!(api.usage().wait(), Some(seconds(1)));
    clock.advance(Duration::from_millis(1));
    assert_eq!(api.usage().wait(), None);
}

#[test]
fn a_time_to_wait_of_more_than_an_hour_stays_to_its_end() {
    let list = r#"{"1":[{"type":"instagram","call_count":100,"estimated_time_to_regain_access":90}],
        "2":[{"type":"instagram","call_count":120,"estimated_time_to_regain_access":0}]}"#;
    let list = list.replace('\n', "");
    let (_server, clock, api) = script(&[ok(&[(BUSINESS, &list)])]);
    api.me("").unwrap();
    assert_eq!(api.usage().percent(), Some(120));
    clock.advance(minutes(61));
    let usage = api.usage();
    assert_eq!(
        (usage.wait(), usage.percent(), usage.business.len()),
        (Some(minutes(29)), Some(100), 1)
    );
    clock.advance(minutes(29));
    assert_eq!((api.usage().wait(), api.usage().percent()), (None, None));
}

/// Whatever the service says, by mistake or not, a program calls again.
#[test]
fn no_time_to_wait_lasts_longer_than_a_day() {
    let day = minutes(24 * 60);
    let never = "99999999999999999999";
    for first in [
        reply("429 Too Many Requests", &[("Retry-After", never)], ""),
        refused(i64::MAX),
        ok(&[(BUSINESS, &entry("instagram", 100, i64::MAX))]),
    ] {
        let (server, clock, api) = script(&[first, ok(&[])]);
        let api = api.with_pace(day);
        let _ = api.me("");
        clock.advance(HOUR);
        let error = api.clone().with_pace(HOUR).me("").unwrap_err();
        assert_eq!(error.retry_after(), Some(day - HOUR));
        api.me("").unwrap();
        assert_eq!(clock.slept(), [day - HOUR]);
        assert_eq!((api.usage().wait(), api.usage().percent()), (None, None));
        assert_eq!(server.received().len(), 2);
    }
}

#[test]
fn the_usage_of_a_page_is_as_it_came() {
    let page = reply(
        "200 OK",
        &[(BUSINESS, &entry("instagram", 7, 5))],
        r#"{"data":[]}"#,
    );
    let (_server, clock, api) = script(&[page, json("200 OK", r#"{"data":[]}"#)]);
    let first = api.my_media("").pages().next().unwrap().unwrap();
    assert_eq!(
        (&first.usage, first.usage.received),
        (&api.usage(), Some(clock.now()))
    );
    clock.advance(HOUR);
    assert_eq!(first.usage.wait(), Some(minutes(5)));
    let second = api.my_media("").pages().next().unwrap().unwrap();
    assert_eq!(second.usage, Usage::default());
}

#[test]
fn each_header_is_kept_until_it_comes_again() {
    let (_server, clock, api) = script(&[
        ok(&[(BUSINESS, &entry("instagram", 50, 19))]),
        ok(&[(APP, &app(30))]),
        // Neither says anything.
        ok(&[(APP, "{}"), (BUSINESS, r#"{"1":[{"type":"instagram"},7]}"#)]),
        ok(&[(BUSINESS, &entry("instagram", 40, 0))]),
    ]);
    let next = || {
        clock.advance(minutes(1));
        api.me("").unwrap();
        let usage = api.usage();
        (usage.wait(), usage.percent(), usage.app.is_some())
    };
    assert_eq!(next(), (Some(minutes(19)), Some(50), false));
    assert_eq!(next(), (Some(minutes(18)), Some(50), true));
    assert_eq!(next(), (Some(minutes(17)), Some(50), true));
    assert_eq!(next(), (None, Some(40), true));
    // Both by their own age.
    clock.advance(minutes(59));
    assert_eq!((api.usage().percent(), api.usage().app), (Some(40), None));
    clock.advance(minutes(1));
    assert_eq!(api.usage().percent(), None);
}

#[test]
fn a_clock_that_is_set_neither_lengthens_a_wait_nor_keeps_it_for_ever() {
    let (_server, clock, api) = script(&[refused(10), ok(&[])]);
    assert!(api.me("").is_err());
    clock.advance(minutes(2));
    assert_eq!(api.usage().wait(), Some(minutes(8)));
    clock.set(NOW - 20 * YEAR);
    assert_eq!(api.usage().wait(), Some(minutes(8)));
    clock.advance(minutes(3));
    assert_eq!(api.usage().wait(), Some(minutes(5)));
    clock.set(0);
    clock.advance(minutes(4));
    let left = api.usage().wait().unwrap();
    assert!(left <= minutes(5), "{left:?}");
    clock.advance(left);
    assert_eq!(api.usage().wait(), None);
    assert_eq!(api.usage().percent(), Some(100));
    clock.set(NOW + 50 * YEAR);
    assert_eq!(api.usage().percent(), None);

    // Set years forward just after the reply.
    let (server, clock, api) = script(&[refused(10), ok(&[])]);
    assert!(api.me("").is_err());
    clock.set(NOW + 50 * YEAR);
    api.with_pace(seconds(0)).me("").unwrap();
    assert_eq!(server.received().len(), 2);
}

/// Its time of day is set while time passes at its own rate, as by NTP on a board.
#[derive(Clone)]
struct Board(TestClock, Arc<Mutex<Duration>>);

impl Clock for Board {
    fn now(&self) -> SystemTime {
        self.0.now()
    }

    fn sleep(&self, time: Duration) {
        *self.1.lock().unwrap() += time;
        self.0.sleep(time);
    }

    fn elapsed(&self) -> Duration {
        *self.1.lock().unwrap()
    }
}

#[test]
fn a_clock_that_measures_time_apart_is_not_misled() {
    let (server, time, api) = script(&[refused(10), ok(&[])]);
    let board = Board(time.clone(), Arc::default());
    let api = api.with_clock(board.clone()).with_pace(HOUR);
    assert!(api.me("").is_err());
    for now in [0, NOW + 50 * YEAR] {
        time.set(now);
        assert_eq!(api.usage().wait(), Some(minutes(10)));
    }
    api.me("").unwrap();
    assert_eq!(time.slept(), [minutes(10)]);
    assert_eq!(server.received().len(), 2);
    let (before, after) = (
        mingram::transport::SystemClock.elapsed(),
        mingram::transport::SystemClock.elapsed(),
    );
    assert!(before <= after && after < HOUR);
}

#[test]
fn entries_of_other_use_cases_do_not_count() {
    let list = |kinds: &[(&str, u64)]| {
        let entry = |(kind, minutes): &(&str, u64)| {
            format!(
                r#"{{{kind}"call_count":{minutes},"estimated_time_to_regain_access":{minutes}}}"#
            )
        };
        let entries: Vec<String> = kinds.iter().map(entry).collect();
        format!(r#"{{"1":[{}],"2":[]}}"#, entries.join(","))
    };
    for (kinds, counts) in [
        (&[(r#""type":"pages","#, 19)][..], None),
        (
            &[
                (r#""type":"ads_management","#, 19),
                (r#""type":"instagram","#, 3),
            ],
            Some(3),
        ),
        (&[(r#""type":"INSTAGRAM","#, 3)], Some(3)),
        // Of an unknown use case.
        (&[("", 3), (r#""type":null,"#, 4)], Some(4)),
    ] {
        let usage = usage_of(&[(BUSINESS, &list(kinds))]);
        assert_eq!(usage.wait(), counts.map(minutes), "{kinds:?}");
        assert_eq!(usage.percent(), counts, "{kinds:?}");
        assert_eq!(usage.business.len(), kinds.len());
    }
}

#[test]
fn odd_usage_headers() {
    let of = |value: &str| {
        let list =
            format!(r#"{{"1":[{{"call_count":1,"estimated_time_to_regain_access":{value}}}]}}"#);
        usage_of(&[(BUSINESS, &list)]).wait()
    };
    let longest = Duration::from_secs(u64::MAX);
    for (value, wait) in [
        ("0", None),
        ("-5", None),
        ("-1e300", None),
        (r#""19""#, Some(minutes(19))),
        ("19.0", Some(minutes(19))),
        ("71582789", Some(minutes(71_582_789))),
        ("9223372036854775807", Some(longest)),
        ("18446744073709551616", Some(longest)),
        ("1e300", Some(longest)),
        ("null", None),
        ("[7]", None),
        (r#""soon""#, None),
    ] {
        assert_eq!(of(value), wait, "{value}");
    }
    let mixed = r#"{"1":[7,"x",null,[],{},{"type":"instagram"},{"call_count":250}],"2":{"call_count":9},"3":7}"#;
    let usage = usage_of(&[(BUSINESS, mixed), (APP, r#"{"total_cputime":180}"#)]);
    assert_eq!((usage.business.len(), usage.percent()), (1, Some(250)));
    assert_eq!(usage.app.unwrap().total_cputime, 180);
    for nothing in [
        "{}",
        r#"{"1":[7]}"#,
        r#"{"call_count":null}"#,
        r#"{"call_count":"x"}"#,
    ] {
        let usage = usage_of(&[(BUSINESS, nothing), (APP, nothing)]);
        assert_eq!(usage, Usage::default(), "{nothing}");
    }
}

/// Another business's or use case's time is not that of this error.
#[test]
fn usage_is_the_time_to_wait_of_rate_limits_alone() {
    let busy = entry("instagram", 100, 19);
    let headers = [(BUSINESS, busy.as_str())];
    for (status, code, wait) in [
        ("400 Bad Request", 190, None),
        ("400 Bad Request", 102, None),
        ("403 Forbidden", 10, None),
        ("400 Bad Request", 100, None),
        ("500 Internal Server Error", 2, None),
        ("500 Internal Server Error", 1, None),
        ("503 Service Unavailable", 7, None),
        ("400 Bad Request", 368, None),
        ("200 OK", 190, None),
        ("429 Too Many Requests", 190, None),
        ("400 Bad Request", 4, Some(19)),
        ("200 OK", 17, Some(19)),
        ("403 Forbidden", 32, Some(19)),
        ("400 Bad Request", 341, Some(19)),
        ("400 Bad Request", 613, Some(19)),
        ("400 Bad Request", 80002, Some(19)),
        ("500 Internal Server Error", 4, Some(19)),
        ("429 Too Many Requests", 7, Some(19)),
    ] {
        let (_server, _, api) = script(&[error(status, code, &headers)]);
        let error = api.me("").unwrap_err();
        assert_eq!(error.retry_after(), wait.map(minutes), "{status} {code}");
        assert_eq!(error.is_rate_limited(), wait.is_some(), "{status} {code}");
        assert_eq!(
            error.to_string().contains("19 minutes"),
            wait.is_some(),
            "{error}"
        );
    }
    // Without an error object.
    for (status, wait) in [
        ("429 Too Many Requests", Some(minutes(19))),
        ("503 Service Unavailable", None),
        ("404 Not Found", None),
    ] {
        let (_server, _, api) = script(&[reply(status, &headers, "<html>")]);
        assert_eq!(api.me("").unwrap_err().retry_after(), wait, "{status}");
    }
    // The longer of both, and this header alone for other errors.
    let both = [(BUSINESS, busy.as_str()), ("Retry-After", "30")];
    for (code, wait) in [(4, minutes(19)), (2, seconds(30)), (190, seconds(30))] {
        let (_server, _, api) = script(&[error("400 Bad Request", code, &both)]);
        assert_eq!(api.me("").unwrap_err().retry_after(), Some(wait), "{code}");
    }
    // Entries of other use cases.
    let (_server, _, api) = script(&[error(
        "400 Bad Request",
        4,
        &[(BUSINESS, &entry("pages", 100, 19))],
    )]);
    assert_eq!(api.me("").unwrap_err().retry_after(), None);
}

#[test]
fn a_transient_error_is_retried_whatever_usage_says() {
    let busy = entry("instagram", 100, 19);
    let temporary = error("500 Internal Server Error", 2, &[(BUSINESS, &busy)]);
    let (server, clock, api) = script(&[temporary, ok(&[])]);
    api.with_retries(1).me("").unwrap();
    assert_eq!(server.received().len(), 2);
    assert!(clock.slept()[0] < seconds(1));
}

/// 06 Nov 1994 08:49:37 by the clock; by the reply's own date if it has one.
#[test]
fn every_form_of_retry_after() {
    let long = u64::from(u32::MAX) + 61;
    for (value, date, wait) in [
        ("30", "", Some(seconds(30))),
        (" 30 ", "", Some(seconds(30))),
        ("0", "", Some(seconds(0))),
        ("007", "", Some(seconds(7))),
        ("4294967356", "", Some(seconds(long))),
        ("99999999999999999999999", "", Some(seconds(u64::MAX))),
        ("1.5", "", Some(Duration::from_millis(1500))),
        ("0.00000000099", "", Some(seconds(0))),
        (
            "99999999999999999999999.9999999999",
            "",
            Some(Duration::MAX),
        ),
        ("Sun, 06 Nov 1994 08:50:07 GMT", "", Some(seconds(30))),
        (" Sun, 06 Nov 1994 08:50:07 GMT ", "", Some(seconds(30))),
        ("Sunday, 06-Nov-94 08:50:07 GMT", "", Some(seconds(30))),
        ("Sun Nov  6 08:50:07 1994", "", Some(seconds(30))),
        ("Mon, 06 Nov 1995 08:49:37 GMT", "", Some(seconds(YEAR))),
        // Past.
        ("Sun, 06 Nov 1994 08:49:37 GMT", "", Some(seconds(0))),
        ("Sun, 06 Nov 1994 08:49:36 GMT", "", Some(seconds(0))),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "", Some(seconds(0))),
        // The service's clock is another one.
        (
            "Mon, 23 Nov 2026 12:00:30 GMT",
            "Mon, 23 Nov 2026 12:00:00 GMT",
            Some(seconds(30)),
        ),
        (
            "Mon, 23 Nov 2026 12:00:30 GMT",
            "Monday, 23-Nov-26 12:00:00 GMT",
            Some(seconds(30)),
        ),
        (
            "Mon, 23 Nov 2026 12:00:30 GMT",
            "Mon Nov 23 12:00:00 2026",
            Some(seconds(30)),
        ),
        (
            "Monday, 23-Nov-26 12:00:30 GMT",
            "Mon, 23 Nov 2026 12:00:00 GMT",
            Some(seconds(30)),
        ),
        (
            "Mon, 23 Nov 2026 11:59:59 GMT",
            "Mon, 23 Nov 2026 12:00:00 GMT",
            Some(seconds(0)),
        ),
        (
            "Sun, 06 Nov 1994 08:50:07 GMT",
            "yesterday",
            Some(seconds(30)),
        ),
        ("30", "Mon, 23 Nov 2026 12:00:00 GMT", Some(seconds(30))),
        // Neither.
        ("", "", None),
        ("-30", "", None),
        ("+30", "", None),
        ("3 0", "", None),
        ("1e3", "", None),
        (".5", "", None),
        ("5.", "", None),
        ("1.5.5", "", None),
        ("30 s", "", None),
        ("0x1e", "", None),
        ("inf", "", None),
        ("soon", "", None),
        ("Sun, 06 Nov 1994 08:50:07 CET", "", None),
        ("Sun, 31 Feb 1994 08:50:07 GMT", "", None),
        ("1994-11-06T08:50:07Z", "", None),
    ] {
        let mut headers = vec![("Retry-After", value)];
        if !date.is_empty() {
            headers.push(("Date", date));
        }
        for status in ["429 Too Many Requests", "503 Service Unavailable"] {
            let (server, _, api) = script(&[reply(status, &headers, "down")]);
            let error = api.me("").unwrap_err();
            assert_eq!(error.retry_after(), wait, "{value} {date}");
            let file = format!("{}/a.jpg", server.url());
            let error = api.download(&file).open().unwrap_err();
            assert_eq!(error.retry_after(), wait, "{value} {date}");
        }
    }
}

#[test]
fn a_date_to_retry_after_is_waited_for_like_seconds() {
    for (value, slept) in [
        ("Sun, 06 Nov 1994 08:49:44 GMT", Some(seconds(7))),
        ("Sunday, 06-Nov-94 08:49:45 GMT", Some(seconds(8))),
        ("8", Some(seconds(8))),
        ("8.1", None),
        ("Sun Nov  6 08:49:46 1994", None),
        ("9", None),
        ("4294967297", None),
    ] {
        let busy = reply("503 Service Unavailable", &[("Retry-After", value)], "");
        let (server, clock, api) = script(&[busy, ok(&[])]);
        let result = api.with_retries(1).me("");
        assert_eq!(clock.slept(), Vec::from_iter(slept), "{value}");
        assert_eq!(server.received().len(), 1 + clock.slept().len(), "{value}");
        let waits = result.err().and_then(|error| error.retry_after());
        assert_eq!(waits.is_some(), slept.is_none(), "{value}");
    }
}

#[test]
fn an_error_says_when_to_call_again() {
    for (value, text) in [
        ("30", "try again in 30 seconds, not before"),
        ("5400", "try again in 90 minutes, not before"),
        ("18000", "try again in 5 hours, not before"),
        ("4294967356", "try again in 49711 days, not before"),
        ("0", "stop calling for a while"),
    ] {
        let limited = reply("429 Too Many Requests", &[("Retry-After", value)], "");
        let (_server, _, api) = script(&[limited]);
        let error = api.me("").unwrap_err().to_string();
        let text = format!("(empty); {text}: calls made while limited also count");
        assert!(error.ends_with(&text), "{error}");
    }
}

#[test]
fn without_a_pace_nothing_waits() {
    let (server, clock, api) = script(&[refused(1), ok(&[])]);
    assert!(api.me("").is_err());
    api.me("").unwrap();
    assert_eq!((server.received().len(), clock.slept().len()), (2, 0));
}

#[test]
fn a_pace_waits_until_calls_are_accepted() {
    let (server, clock, api) = script(&[refused(19), ok(&[])]);
    let api = api.with_pace(minutes(19));
    let error = api.me("").unwrap_err();
    assert_eq!((error.kind(), clock.slept().len()), (ErrorKind::Api, 0));
    clock.advance(minutes(4));
    api.me("").unwrap();
    api.me("").unwrap();
    assert_eq!(clock.slept(), [minutes(15)]);
    assert_eq!(server.received().len(), 3);
}

#[test]
fn a_wait_longer_than_the_pace_allows_is_an_error_and_nothing_is_sent() {
    let (server, clock, api) = script(&[refused(19), ok(&[])]);
    let api = api.with_pace(minutes(5));
    assert!(api.me("").is_err());
    clock.advance(minutes(2));
    let errors = [
        api.me("").unwrap_err(),
        api.my_media("").into_iter().next().unwrap().unwrap_err(),
        api.clone().with_version("v25.0").me("").unwrap_err(),
        api.clone().with_pace(seconds(0)).me("").unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::RateLimit);
        assert_eq!(error.retry_after(), Some(minutes(17)));
        assert!(error.is_rate_limited() && !error.is_transient() && !error.is_network());
        assert_eq!((error.status(), error.api_error()), (None, None));
    }
    assert_eq!(
        api.me("").unwrap_err().to_string(),
        "GET /me: nothing was sent: the rate limit lasts longer than the 5 minutes that \
         `with_pace` allows; try again in 17 minutes, not before: calls made while limited \
         also count"
    );
    assert_eq!((server.received().len(), clock.slept().len()), (1, 0));
    // What was refused unsent does not lengthen it.
    clock.advance(minutes(12));
    api.me("").unwrap();
    assert_eq!(clock.slept(), [minutes(5)]);
}

#[test]
fn what_a_pace_heeds() {
    let pages = entry("pages", 100, 19);
    let instagram = entry("instagram", 100, 0);
    let full = app(100);
    for (first, wait) in [
        // Told while calls are still accepted.
        (ok(&[(BUSINESS, &entry("instagram", 100, 19))]), minutes(19)),
        (ok(&[(BUSINESS, &pages)]), seconds(0)),
        (ok(&[(BUSINESS, &instagram)]), seconds(0)),
        (ok(&[(APP, &app(99))]), seconds(0)),
        (ok(&[(APP, &full)]), HOUR),
        (ok(&[(APP, &app(131)), (BUSINESS, &pages)]), HOUR),
        // The limit of the business applies instead.
        (ok(&[(APP, &full), (BUSINESS, &instagram)]), seconds(0)),
        (error("403 Forbidden", 4, &[]), HOUR),
        (error("403 Forbidden", 4, &[(APP, &app(131))]), HOUR),
        (reply("429 Too Many Requests", &[], ""), HOUR),
        (
            reply("429 Too Many Requests", &[("Retry-After", "45")], ""),
            seconds(45),
        ),
        (
            reply("429 Too Many Requests", &[("Retry-After", "0")], ""),
            HOUR,
        ),
        (
            error(
                "403 Forbidden",
                4,
                &[("Retry-After", "Sun, 06 Nov 1994 08:50:07 GMT")],
            ),
            seconds(30),
        ),
        // No rate limits.
        (
            error("400 Bad Request", 190, &[("Retry-After", "45")]),
            seconds(0),
        ),
        (
            reply("503 Service Unavailable", &[("Retry-After", "45")], ""),
            seconds(0),
        ),
    ] {
        let (server, clock, api) = script(&[first.clone(), ok(&[])]);
        let api = api.with_pace(HOUR);
        let _ = api.me("");
        api.me("").unwrap();
        let slept: Duration = clock.slept().iter().sum();
        assert_eq!((slept, server.received().len()), (wait, 2), "{first}");
    }
}

#[test]
fn a_refusal_without_a_time_does_not_replace_one_with_a_time() {
    let (_server, clock, api) = script(&[refused(19), error("403 Forbidden", 4, &[]), ok(&[])]);
    assert!(api.me("").is_err() && api.me("").is_err());
    api.with_pace(HOUR).me("").unwrap();
    assert_eq!(clock.slept(), [minutes(19)]);
}

/// The service's word is replaced by its next.
#[test]
fn newer_usage_ends_the_wait_of_older_usage() {
    let busy = ok(&[(BUSINESS, &entry("instagram", 100, 19))]);
    let free = ok(&[(BUSINESS, &entry("instagram", 90, 0))]);
    let (_server, clock, api) = script(&[busy, free]);
    api.me("").unwrap();
    api.me("").unwrap();
    api.with_pace(seconds(0)).me("").unwrap();
    assert_eq!(clock.slept().len(), 0);
}

#[test]
fn another_token_has_limits_of_its_own() {
    let (_server, clock, api) = script(&[refused(19), ok(&[])]);
    let api = api.with_pace(HOUR);
    assert!(api.me("").is_err());
    api.clone().with_token("another").me("").unwrap();
    assert_eq!(clock.slept().len(), 0);
}

#[test]
fn retries_downloads_and_logins_do_not_wait() {
    let (server, clock, api) = script(&[
        refused(19),
        json("200 OK", r#"{"access_token":"IGnew","expires_in":60}"#),
    ]);
    let api = api.with_pace(seconds(0));
    assert!(api.me("").is_err());
    let app = App::new("1", "SECRET", "https://example.com/");
    api.exchange_code(&app, &Code::new("C")).unwrap();
    api.exchange_token(&app).unwrap();
    api.refresh_token().unwrap();
    let file = format!("{}/a.jpg", server.url());
    api.download(&file).accept_any_type().open().unwrap();
    assert_eq!((server.received().len(), clock.slept().len()), (5, 0));

    // A login that is refused says nothing of other calls.
    let (_server, _, api) = script(&[reply("429 Too Many Requests", &[], ""), ok(&[])]);
    let api = api.with_pace(seconds(0));
    assert!(
        api.exchange_code(&app, &Code::new("C"))
            .unwrap_err()
            .is_rate_limited()
    );
    api.me("").unwrap();

    let temporary = error(
        "500 Internal Server Error",
        2,
        &[(BUSINESS, &entry("instagram", 100, 19))],
    );
    let (_server, clock, api) = script(&[temporary, ok(&[])]);
    api.with_pace(HOUR).with_retries(1).me("").unwrap();
    assert!(clock.slept().len() == 1 && clock.slept()[0] < seconds(1));
}

/// Threads and clones: nobody calls before the time is over, by the clock at which each
/// request arrives.
#[test]
fn all_that_share_an_api_wait() {
    let clock = TestClock::new(NOW);
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let (watch, times) = (clock.clone(), arrived.clone());
    let server = Server::start(move |_, stream| {
        let mut times = times.lock().unwrap();
        times.push(watch.now());
        let answer = if times.len() == 1 {
            refused(19)
        } else {
            ok(&[])
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let api = server.api().with_clock(clock.clone()).with_pace(HOUR);
    let start = clock.now();
    assert!(api.me("").is_err());
    thread::scope(|scope| {
        for _ in 0..8 {
            let api = api.clone().with_version("v25.0");
            scope.spawn(move || {
                for _ in 0..5 {
                    api.me("").unwrap();
                }
            });
        }
    });
    let arrived = arrived.lock().unwrap();
    assert_eq!(arrived.len(), 41);
    assert!(arrived[1..].iter().all(|time| *time >= start + minutes(19)));
    assert!(!clock.slept().is_empty() && clock.slept().iter().all(|wait| *wait <= minutes(19)));
}

/// While a call sleeps, a call of a clone is refused for longer.
#[test]
fn a_new_refusal_during_the_wait_counts() {
    #[derive(Clone)]
    struct Busy(TestClock, Arc<Mutex<Option<Api>>>);
    impl Clock for Busy {
        fn now(&self) -> SystemTime {
            self.0.now()
        }
        fn sleep(&self, time: Duration) {
            self.0.sleep(time);
            if let Some(other) = self.1.lock().unwrap().take() {
                assert!(other.me("").is_err());
            }
        }
    }
    for (limit, slept, sent) in [(30, vec![10, 20], 3), (29, vec![10], 2)] {
        let (server, clock, api) = script(&[refused(10), refused(20), ok(&[])]);
        let busy = Busy(clock.clone(), Arc::default());
        let api = api.with_clock(busy.clone());
        assert!(api.me("").is_err());
        *busy.1.lock().unwrap() = Some(api.clone());
        let result = api.with_pace(minutes(limit)).me("");
        assert_eq!(result.is_ok(), sent == 3);
        assert_eq!(
            clock.slept(),
            slept.into_iter().map(minutes).collect::<Vec<_>>()
        );
        assert_eq!(server.received().len(), sent);
    }
}

/// A clock that stands still, or is set back during the sleep.
#[test]
fn a_wait_is_slept_once() {
    #[derive(Clone)]
    struct Stuck(TestClock);
    impl Clock for Stuck {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + seconds(NOW)
        }
        fn sleep(&self, time: Duration) {
            self.0.sleep(time);
        }
    }
    let (server, clock, api) = script(&[refused(10), ok(&[])]);
    let api = api.with_clock(Stuck(clock.clone())).with_pace(HOUR);
    assert!(api.me("").is_err());
    api.me("").unwrap();
    assert_eq!(clock.slept(), [minutes(10)]);
    assert_eq!(server.received().len(), 2);
}

#[test]
fn an_iteration_waits_between_its_pages() {
    let server = Server::start(|request, stream| {
        let after = common::param(request, "after");
        let from = after.map_or(0, |after| after.trim_start_matches('c').parse().unwrap());
        let body = common::feed_page(from, from + 2, 6);
        let full = if from == 2 { 15 } else { 0 };
        let usage = entry("instagram", 99, full);
        let _ = stream.write_all(reply("200 OK", &[(BUSINESS, &usage)], &body).as_bytes());
    });
    let clock = TestClock::new(NOW);
    let api = server.api().with_clock(clock.clone()).with_pace(HOUR);
    let ids: Vec<String> = api
        .my_media("")
        .into_iter()
        .map(|media| media.unwrap().id)
        .collect();
    assert_eq!(ids, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(clock.slept(), [minutes(15)]);
    assert_eq!(server.received().len(), 3);
}
