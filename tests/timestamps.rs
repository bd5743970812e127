//! Times as the service writes them, against a calendar that counts day by day.

mod common;

use mingram::transport::{Request, Response, Transport};
use mingram::{Api, Media};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// Every date from 0000-01-01 to 9999-12-31 in order, each with its Unix time at midnight.
fn calendar() -> impl Iterator<Item = ([i64; 3], i64)> {
    // 719,528 days, which is 1970 years of 365 days and 478 leap days.
    let mut midnight = -719_528 * DAY;
    let years = (0..10_000_i64).flat_map(|year| (1..=12).map(move |month| (year, month)));
    let dates = years
        .flat_map(|(year, month)| (1..=length(year, month)).map(move |day| [year, month, day]));
    dates.map(move |date| {
        let at = midnight;
        midnight += DAY;
        (date, at)
    })
}

fn length(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The first, second, last but one and last days of all months: of the four centuries after
/// which the calendar repeats itself, wherever they begin, and of the first and last years.
fn ends_of_months() -> impl Iterator<Item = ([i64; 3], i64)> {
    calendar().filter(|([year, month, day], _)| {
        let is_near = matches!(*year, 0..=9 | 1800..=2210 | 9990..);
        let length = length(*year, *month);
        is_near && (*day <= 2 || length - day <= 1)
    })
}

fn from_unix(seconds: i64) -> SystemTime {
    let span = Duration::from_secs(seconds.unsigned_abs());
    match seconds < 0 {
        true => UNIX_EPOCH - span,
        false => UNIX_EPOCH + span,
    }
}

/// When media with this timestamp was published.
fn published(timestamp: &str) -> Option<SystemTime> {
    let json = format!(r#"{{"id":"1","timestamp":"{timestamp}"}}"#);
    let media: Media = miniserde::json::from_str(&json).unwrap();
    assert_eq!(media.timestamp.as_deref(), Some(timestamp));
    media.published_at()
}

#[test]
fn every_month_of_four_centuries() {
    let mut count = 0;
    for ([year, month, day], midnight) in ends_of_months() {
        count += 1;
        let text = format!("{year:04}-{month:02}-{day:02}T00:00:00+0000");
        assert_eq!(published(&text), Some(from_unix(midnight)), "{text}");
        if day > 2 && day == length(year, month) {
            for day in [day + 1, 0, 99] {
                let text = format!("{year:04}-{month:02}-{day:02}T00:00:00+0000");
                assert_eq!(published(&text), None, "{text}");
            }
        }
    }
    assert_eq!(count, (10 + 411 + 10) * 12 * 4);
    for month in [0, 13, 20, 99] {
        let text = format!("2017-{month:02}-01T00:00:00Z");
        assert_eq!(published(&text), None, "{text}");
    }
}

/// Each hour, minute and second, on both sides of 1970. A leap second is the first second of
/// the next minute, whenever it is, because offsets move it through the day.
#[test]
fn every_second_of_a_day() {
    for (date, midnight) in [
        ("2026-11-23", 1_795_392_000),
        ("1970-01-01", 0),
        ("1969-12-31", -DAY),
        ("1969-01-01", -365 * DAY),
    ] {
        let times = (0..24).flat_map(|hour| (0..60).map(move |minute| (hour, minute)));
        for (hour, minute) in times {
            for second in [0, 1, 9, 10, 30, 59, 60] {
                let text = format!("{date}T{hour:02}:{minute:02}:{second:02}Z");
                let wanted = from_unix(midnight + hour * 3600 + minute * 60 + second);
                assert_eq!(published(&text), Some(wanted), "{text}");
            }
        }
        for second in 0..=60 {
            let text = format!("{date}T18:10:{second:02}+0000");
            let wanted = from_unix(midnight + 18 * 3600 + 600 + second);
            assert_eq!(published(&text), Some(wanted), "{text}");
        }
        for bad in [
            "24:00:00", "18:60:00", "18:10:61", "99:00:00", "18:99:00", "18:10:99",
        ] {
            assert_eq!(published(&format!("{date}T{bad}Z")), None, "{bad}");
        }
    }
    // The leap second at the end of 2016, as clocks in three places showed it.
    let leap = from_unix(1_483_228_800);
    for text in [
        "2016-12-31T23:59:60Z",
        "2017-01-01T00:00:00Z",
        "2017-01-01T05:29:60+05:30",
        "2016-12-31T18:59:60-0500",
    ] {
        assert_eq!(published(text), Some(leap), "{text}");
    }
}

#[test]
fn every_offset() {
    let at = 1_504_203_000; // 2017-08-31T18:10:00Z
    for (local, [year, month, day]) in [
        ("2017-08-31T18:10:00", [2017, 8, 31]),
        // Over the end of a day, of a month and of a year.
        ("2017-08-31T00:00:00", [2017, 8, 31]),
        ("2016-12-31T23:59:59", [2016, 12, 31]),
        ("1970-01-01T00:00:00", [1970, 1, 1]),
        ("2000-02-29T12:00:00", [2000, 2, 29]),
    ] {
        let (_, midnight) = calendar()
            .find(|(date, _)| *date == [year, month, day])
            .unwrap();
        let number = |at: usize| local[at..at + 2].parse::<i64>().unwrap();
        let unix = midnight + number(11) * 3600 + number(14) * 60 + number(17);
        for minutes in 0..24 * 60 {
            let (hour, minute) = (minutes / 60, minutes % 60);
            for (sign, offset) in [("+", minutes), ("-", -minutes)] {
                for colon in ["", ":"] {
                    let text = format!("{local}{sign}{hour:02}{colon}{minute:02}");
                    let wanted = from_unix(unix - offset * 60);
                    assert_eq!(published(&text), Some(wanted), "{text}");
                }
            }
        }
    }
    for (offset, hours) in [
        ("+05:30", 5.5),
        ("+10:00", 10.0),
        ("-0330", -3.5),
        ("+1245", 12.75),
    ] {
        let text = format!("2017-08-31T18:10:00{offset}");
        let wanted = at - (hours * 3600.0) as i64;
        assert_eq!(published(&text), Some(from_unix(wanted)), "{text}");
    }
    for bad in [
        "+2400",
        "+24:00",
        "-2400",
        "+0060",
        "+00:60",
        "-00:60",
        "+0099",
        "+9900",
        "+",
        "-",
        "+0",
        "+00",
        "+000",
        "+00000",
        "+00:0",
        "+00:",
        "+00:000",
        "+0:000",
        "+000:0",
        "+:0000",
        "00000",
        " +0000",
        "+0000 ",
        "+ 000",
        "+-000",
        "++000",
        "\u{2212}0000",
        "z",
        "ZZ",
        "Z+0000",
        "UTC",
        " Z",
        "",
        ".",
        ".5",
        ".Z.",
        ",5Z",
        "..Z",
        ".+",
        "+0a00",
        "+00a0",
        "+000a",
        "+a000",
    ] {
        let text = format!("2017-08-31T18:10:00{bad}");
        assert_eq!(published(&text), None, "{text}");
    }
    for fraction in [".0", ".9", ".123", ".999999999999", "."] {
        for zone in ["Z", "+0000", "+00:00"] {
            let text = format!("2017-08-31T18:10:00{fraction}{zone}");
            assert_eq!(published(&text), Some(from_unix(at)), "{text}");
        }
    }
}

/// Each character of a timestamp, replaced by another one.
#[test]
fn every_character_counts() {
    let good = "2017-08-31T18:10:00+0000";
    for at in 0..good.len() {
        for other in ["x", " ", "/", "-", ":", "T", "", "00", "\u{e9}", "\u{661}"] {
            let bad = format!("{}{other}{}", &good[..at], &good[at + 1..]);
            let is_sign = at == 19 && other == "-";
            if bad != good && !is_sign {
                assert_eq!(published(&bad), None, "{bad}");
            }
        }
        assert_eq!(published(&good[..at]), None, "{at}");
    }
}

/// Answers that the call is to be made again at this date, on that date.
struct Busy(Mutex<(String, String)>);

impl Transport for Busy {
    fn send(&self, _: &Request<'_>) -> mingram::Result<Response> {
        let (sent, again) = self.0.lock().unwrap().clone();
        let headers = [("Date", sent), ("Retry-After", again)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        Ok(Response::new(503, headers.into(), std::io::empty()))
    }
}

/// The three forms that HTTP dates have (RFC 9110, section 5.6.7), through `Retry-After`.
#[test]
fn every_month_as_an_http_date() {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    // With the time that is read for a wait: from the start of 2000.
    let start = 946_684_800;
    let busy = std::sync::Arc::new(Busy(Mutex::default()));
    let api = Api::new("SECRET")
        .with_transport(busy.clone())
        .with_retries(0);
    let wait = |sent: &str, again: String| {
        *busy.0.lock().unwrap() = (sent.to_owned(), again);
        let error = api.me("").unwrap_err();
        assert_eq!(error.status(), Some(503));
        error.retry_after().map(|wait| wait.as_secs() as i64)
    };
    let sent = "Sat, 01 Jan 2000 00:00:00 GMT";
    let is_near = |year: i64| matches!(year, 2000..=2004 | 2024..=2028 | 2035..=2037);
    for ([year, month, day], midnight) in ends_of_months().filter(|([year, ..], _)| is_near(*year))
    {
        let name = MONTHS[month as usize - 1];
        for (hour, minute, second) in [(0, 0, 0), (9, 10, 19), (23, 59, 59), (23, 59, 60)] {
            let time = format!("{hour:02}:{minute:02}:{second:02}");
            let wanted = midnight + hour * 3600 + minute * 60 + second - start;
            for date in [
                format!("Mon, {day:02} {name} {year} {time} GMT"),
                format!("Monday, {day:02}-{name}-{:02} {time} GMT", year % 100),
                format!("Mon {name} {day:2} {time} {year}"),
            ] {
                assert_eq!(wait(sent, date.clone()), Some(wanted), "{date}");
                // The same on the other side.
                assert_eq!(wait(&date, date.clone()), Some(0), "{date}");
            }
        }
        for time in ["24:00:00", "23:60:00", "23:59:61"] {
            for date in [
                format!("Mon, {day:02} {name} {year} {time} GMT"),
                format!("Monday, {day:02}-{name}-{:02} {time} GMT", year % 100),
                format!("Mon {name} {day:2} {time} {year}"),
            ] {
                assert_eq!(wait(sent, date.clone()), None, "{date}");
            }
        }
        if day == length(year, month) {
            let date = format!("Mon, {:02} {name} {year} 00:00:00 GMT", day + 1);
            assert_eq!(wait(sent, date.clone()), None, "{date}");
        }
    }
    // A year of two digits is at most 50 years ahead, and else past: no wait.
    for year in 78..100 {
        let date = format!("Monday, 06-Nov-{year} 08:49:37 GMT");
        assert_eq!(wait(sent, date.clone()), Some(0), "{date}");
    }
    // Each digit of each form, replaced; only the day of one form may begin with a space.
    for good in [
        "Sun, 06 Nov 2005 08:49:37 GMT",
        "Sunday, 06-Nov-05 08:49:37 GMT",
        "Sun Nov 06 08:49:37 2005",
    ] {
        assert!(wait(sent, good.to_owned()).is_some(), "{good}");
        for (at, _) in good.match_indices(|c: char| c.is_ascii_digit()) {
            for other in [" ", "x", "-", ":", ""] {
                let bad = format!("{}{other}{}", &good[..at], &good[at + 1..]);
                let may_be_space = at == 8 && other == " " && good.starts_with("Sun N");
                let wanted = may_be_space.then(|| wait(sent, good.to_owned())).flatten();
                assert_eq!(wait(sent, bad.clone()), wanted, "{bad}");
            }
        }
    }
}
