//! Dates and times that people read and write.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const DAY: Duration = Duration::from_secs(86_400);

/// `5 days`, `3 hours`, `12 minutes`: rounded to one unit.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    let round = |unit: u64| (seconds + unit / 2) / unit;
    let (number, unit) = match seconds {
        172_800.. => (round(86_400), "day"),
        7200.. => (round(3600), "hour"),
        60.. => (round(60), "minute"),
        _ => (seconds, "second"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// `in 5 days`, `5 days ago` or `now`.
pub fn from_now(at: SystemTime, now: SystemTime) -> String {
    match at.duration_since(now) {
        _ if now.duration_since(at).is_ok_and(|past| past.as_secs() == 0) => "now".to_owned(),
        Ok(time) => format!("in {}", span(time)),
        Err(past) => format!("{} ago", span(past.duration())),
    }
}

/// `2026-11-23 12:00 UTC`; a time before 1970 counts as 1970.
pub fn date(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let minutes = seconds % 86_400 / 60;
    let (hour, minute) = (minutes / 60, minutes % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// `2026-11-23T12:00:05Z`
pub fn instant(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 60;
    let date = date(at);
    format!("{}T{}:{seconds:02}Z", &date[..10], &date[11..16])
}

/// `2026-11-23`
pub fn day(at: SystemTime) -> String {
    let mut day = date(at);
    day.truncate(10);
    day
}

/// The start of a day (UTC) from 1970 on, written as `2026-01-31`.
pub fn parse_day(text: &str) -> Option<SystemTime> {
    // The library reads the service's timestamps, which begin with a date.
    let mut media = mingram::Media::default();
    media.timestamp = (text.len() == 10).then(|| format!("{text}T00:00:00Z"));
    media.published_at().filter(|&time| time >= UNIX_EPOCH)
}

/// `90s`, `15m`, `6h`, `1d`: from a second to a month.
pub fn parse_span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (1..=31 * 86_400)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}

/// Days since 1970-01-01 as year, month and day (Howard Hinnant's `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next, month, day)
}

/// A time in UTC: `2026-11-21T07:12:00Z`.
pub fn rfc3339(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 86_400;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", day(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_to_one_unit() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (5012, "84 minutes"),
            (7200, "2 hours"),
            (5_183_944, "60 days"),
            (5_184_000, "60 days"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
        assert_eq!(span(Duration::from_millis(3_599_990)), "60 minutes");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(date(at), text);
            assert!(parse_day(&text[..10]).unwrap() <= at);
        }
        assert_eq!(parse_day("1969-12-31"), None);
        assert_eq!(parse_day("yesterday!"), None);
    }
}
