//! Timestamps as the service writes them, and the calendar behind them.

use std::ops::Range;
use std::time::{Duration, SystemTime};

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Days since 1970-01-01 of a date in the Gregorian calendar. Years are counted
/// from March, so that a leap day is the last day of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        3.. => (year, month - 3),
        _ => (year - 1, month + 9),
    };
    let before = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    before + (month * 153 + 2) / 5 + day - 1 - EPOCH
}

fn days_in_month(year: i64, month: i64) -> i64 {
    days(year, month + 1, 1) - days(year, month, 1)
}

/// The UTC date of `time` as `2026-11-23`; a time before 1970 is shown as
/// 1970-01-01.
pub(crate) fn date(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let today = (since.unwrap_or_default().as_secs() / 86_400) as i64;
    let mut year = 1970 + today / 366;
    while days(year + 1, 1, 1) <= today {
        year += 1;
    }
    let starts = |month: &i64| days(year, *month, 1) <= today;
    let month = (1..=12).rev().find(starts).unwrap_or(1);
    let day = today - days(year, month, 1) + 1;
    format!("{year:04}-{month:02}-{day:02}")
}

/// Unix seconds as a `SystemTime`, if the platform can represent it.
pub(crate) fn from_unix(seconds: i64) -> Option<SystemTime> {
    let span = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(span)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(span)
    }
}

/// Whole Unix seconds of a `SystemTime`; 0 for a time before 1970.
pub(crate) fn to_unix(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Parses `2017-08-31T18:10:00+0000`. The offset may have a colon or be a `Z`;
/// a fraction of a second is ignored.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    from_unix(unix_seconds(text.as_bytes())?)
}

/// Parses a date of an HTTP header, in any of the three forms of RFC 9110, section 5.6.7.
pub(crate) fn parse_http_date(text: &str) -> Option<SystemTime> {
    parse_http_date_at(text, SystemTime::now())
}

/// The same with a clock for years of two digits: they are at most 50 years after `now`.
pub(crate) fn parse_http_date_at(text: &str, now: SystemTime) -> Option<SystemTime> {
    /// 2026-01-01. Without a clock battery a machine starts in 1970.
    const EARLIEST: u64 = 1_767_225_600;
    const FIFTY_YEARS: i64 = 18_263 * 86_400;
    let text = text.as_bytes();
    let name = text.iter().take_while(|byte| byte.is_ascii_alphabetic());
    let (name, rest) = text.split_at(name.count());
    let form: &[u8] = match (name.len(), rest.len()) {
        (3, 26) => b", DD MMM YYYY hh:mm:ss GMT",
        (3, 21) => b" MMM dD hh:mm:ss YYYY",
        (6..=9, 24) => b", DD-MMM-YY hh:mm:ss GMT",
        _ => return None,
    };
    let (year, date) = http_date_fields(rest, form)?;
    if name.len() == 3 {
        return from_unix(seconds_of(year, date)?);
    }
    let now = i64::try_from(to_unix(now).max(EARLIEST)).ok()?;
    let mut dates = (19..100)
        .rev()
        .filter_map(|century| seconds_of(century * 100 + year, date));
    from_unix(dates.find(|date| *date <= now.saturating_add(FIFTY_YEARS))?)
}

/// The year, and the month, day, hour, minute and second, of a text of this form. `d` is a
/// digit or a space.
fn http_date_fields(text: &[u8], form: &[u8]) -> Option<(i64, [i64; 5])> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let (mut year, mut date) = (0, [0; 5]);
    for (at, (mark, byte)) in form.iter().zip(text).enumerate() {
        let field = match mark {
            b'Y' => &mut year,
            b'd' | b'D' => &mut date[1],
            b'h' => &mut date[2],
            b'm' => &mut date[3],
            b's' => &mut date[4],
            b'M' => {
                if date[0] == 0 {
                    let name = &text[at..at + 3];
                    let month = MONTHS.chunks(3).position(|month| month == name)?;
                    date[0] = month as i64 + 1;
                }
                continue;
            }
            _ if mark == byte => continue,
            _ => return None,
        };
        match byte {
            b'0'..=b'9' => *field = *field * 10 + i64::from(byte - b'0'),
            b' ' if *mark == b'd' => {}
            _ => return None,
        }
    }
    Some((year, date))
}

fn unix_seconds(text: &[u8]) -> Option<i64> {
    let is = |at: usize, byte: u8| text.get(at) == Some(&byte);
    for (at, separator) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if !is(at, separator) {
            return None;
        }
    }
    let date = [
        number(text, 5..7)?,
        number(text, 8..10)?,
        number(text, 11..13)?,
        number(text, 14..16)?,
        number(text, 17..19)?,
    ];
    let seconds = seconds_of(number(text, 0..4)?, date)?;
    let mut zone = 19;
    if is(zone, b'.') {
        zone += 1;
        while text.get(zone).is_some_and(u8::is_ascii_digit) {
            zone += 1;
        }
    }
    let offset = match text.get(zone..)? {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), ..] => {
            let colon = usize::from(is(zone + 3, b':'));
            let hours = number(text, zone + 1..zone + 3)?;
            let minutes = number(text, zone + 3 + colon..zone + 5 + colon)?;
            if text.len() != zone + 5 + colon || hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    Some(seconds - offset)
}

/// Unix seconds of a year, and of the month, day, hour, minute and second in it. A second
/// may be 60.
fn seconds_of(year: i64, date: [i64; 5]) -> Option<i64> {
    let [month, day, hour, minute, second] = date;
    let is_valid = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour <= 23
        && minute <= 59
        && second <= 60;
    is_valid.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// A time to wait, for messages, rounded up: `19 minutes`.
pub(crate) fn in_words(time: Duration) -> String {
    let seconds = time
        .as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0));
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds.div_ceil(60), "minute"),
        7200..172_800 => (seconds.div_ceil(3600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// The number that these digits write.
fn number(text: &[u8], range: Range<usize>) -> Option<i64> {
    text.get(range)?.iter().try_fold(0, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        Some(sum * 10 + digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_timestamps() {
        for (text, seconds) in [
            ("2017-08-31T18:10:00+0000", 1_504_203_000),
            ("2017-08-31T20:10:00+02:00", 1_504_203_000),
            ("2017-08-31T12:40:00-0530", 1_504_203_000),
            ("2017-08-31T18:10:00.123Z", 1_504_203_000),
            ("1970-01-01T00:00:00+0000", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2038-01-19T03:14:08Z", 2_147_483_648),
            ("2025-12-31T23:59:59Z", 1_767_225_599),
            ("0000-03-01T00:00:00Z", -62_162_035_200),
        ] {
            assert_eq!(unix_seconds(text.as_bytes()), Some(seconds), "{text}");
        }
        for bad in [
            "",
            "2017-08-31",
            "2017-08-31T18:10:00",
            "2017-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2017-04-31T00:00:00Z",
            "2017-12-32T00:00:00Z",
            "2017-13-01T00:00:00Z",
            "2017-00-01T00:00:00Z",
            "2017-08-00T00:00:00Z",
            "2017-08-31 18:10:00Z",
            "2017-08-31T18:10:00Zx",
            "2017-08-31T18:10:00+00",
            "2017-08-31T18:10:00+000a",
            "2017-08-31T24:10:00Z",
            "+017-08-31T18:10:00Z",
            "２017-08-31T18:10:00Z",
        ] {
            assert_eq!(unix_seconds(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn parses_http_dates() {
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 31 Dec 2024 23:59:60 GMT", 1_735_689_600),
            ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Wednesday, 31-Dec-25 23:59:59 GMT", 1_767_225_599),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Wed Dec 31 23:59:59 2025", 1_767_225_599),
            ("Thu Feb 29 12:00:00 2024", 1_709_208_000),
        ] {
            assert_eq!(parse_http_date(text), from_unix(seconds), "{text}");
        }
        for bad in [
            "",
            "Sun",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 ovD 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 6  Nov 1994 08:49:37 GMT",
            "Sun,  6 Nov 1994 08:49:37 GMT",
            "Sun  06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 Nov 1994 08:49:3\u{e9}GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 30-Feb-94 08:49:37 GMT",
            "Sunday, 06-Nov-9\u{e9} 08:49:37 GM",
            "Sunday; 06-Nov-94 08:49:37 GMT",
            "Sun Nov 6  08:49:37 1994",
            "Sun Nov  6 08:49:37 1994 ",
            "Sun Nov  6 08:49:37 94",
            "Sun Nov    08:49:37 1994",
            "Sun Nov  0 08:49:37 1994",
        ] {
            assert_eq!(parse_http_date(bad), None, "{bad}");
        }
    }

    /// RFC 9110, section 5.6.7: more than 50 years ahead is in the past.
    #[test]
    fn a_year_of_two_digits_is_near() {
        let at = |date: &str| parse(&format!("{date}T08:00:00Z")).unwrap();
        for (now, text, date) in [
            (
                "2026-11-28",
                "Tuesday, 24-Nov-76 08:00:00 GMT",
                "2076-11-24",
            ),
            (
                "2026-11-28",
                "Thursday, 02-Dec-76 08:00:00 GMT",
                "1976-12-02",
            ),
            (
                "2026-11-28",
                "Saturday, 01-Jan-00 08:00:00 GMT",
                "2000-01-01",
            ),
            (
                "2026-11-28",
                "Tuesday, 29-Feb-00 08:00:00 GMT",
                "2000-02-29",
            ),
            (
                "2051-06-01",
                "Tuesday, 29-Feb-00 08:00:00 GMT",
                "2000-02-29",
            ),
            ("2099-12-31", "Friday, 01-Jan-00 08:00:00 GMT", "2100-01-01"),
            ("2099-12-31", "Friday, 31-Dec-99 08:00:00 GMT", "2099-12-31"),
            // The clock was never set.
            (
                "1970-01-01",
                "Saturday, 28-Nov-26 08:00:00 GMT",
                "2026-11-28",
            ),
        ] {
            let parsed = parse_http_date_at(text, at(now));
            assert_eq!(parsed, Some(at(date)), "{now} {text}");
        }
    }

    #[test]
    fn times_to_wait_in_words() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (60, "60 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (1140, "19 minutes"),
            (1141, "20 minutes"),
            (7199, "120 minutes"),
            (7201, "3 hours"),
            (86_400, "24 hours"),
            (172_800, "2 days"),
            ((1 << 32) + 60, "49711 days"),
            (u64::MAX, "213503982334602 days"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), text);
        }
        assert_eq!(in_words(Duration::from_millis(1500)), "2 seconds");
        assert_eq!(in_words(Duration::from_nanos(1)), "1 second");
        assert_eq!(in_words(Duration::MAX), "213503982334602 days");
    }

    #[test]
    fn formats_dates() {
        for (day, text) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (364, "1970-12-31"),
            (365, "1971-01-01"),
            (11_016, "2000-02-29"),
            (20_780, "2026-11-23"),
        ] {
            let time = from_unix(day * 86_400 + 86_399).unwrap();
            assert_eq!(date(time), text);
        }
        assert_eq!(date(from_unix(-1).unwrap()), "1970-01-01");
        // Every day of four centuries comes after the day before it.
        let mut last = date(SystemTime::UNIX_EPOCH);
        for day in 1..146_097 {
            let next = date(from_unix(day * 86_400).unwrap());
            assert!(last < next, "{last} {next}");
            let parsed = parse(&format!("{next}T00:00:00Z"));
            assert_eq!(parsed, from_unix(day * 86_400));
            last = next;
        }
    }
}
