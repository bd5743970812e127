//! The age of a long-lived token: when it was obtained and when a refresh is due, by clocks
//! that may be wrong.
//!
//! The service refreshes a token only between 24 hours and its end. A refresh that it grants
//! therefore tells the time, which decides between a machine without a clock battery, a
//! `Date` header and a stored time. Of two times that may be right the earlier is taken: a
//! time too early costs a request, a time too late costs the token.

use super::token::LongLivedToken;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The minimum age of a token for a refresh (Meta's *Refresh Access Token* page).
const MIN_AGE: Duration = DAY;

/// The life of a long-lived token (Meta's reference).
const LIFE: Duration = Duration::from_secs(60 * 24 * 3600);

/// A reported life that is longer is not believed.
const MAX_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);

/// A token that expires sooner than this is due for a refresh.
const MARGIN: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a clock that is set can show, since 1970: Instagram began on 2010-10-06, and 32-bit
/// clocks end in January 2038. Outside of it, each run asks for a refresh.
const FIRST: Duration = Duration::from_secs(1_286_323_200);
const LAST: Duration = Duration::from_secs(2_145_916_800);

fn is_plausible(time: SystemTime) -> bool {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.is_ok_and(|since| (FIRST..LAST).contains(&since))
}

fn difference(a: SystemTime, b: SystemTime) -> Duration {
    let ahead = a.duration_since(b);
    ahead.unwrap_or_else(|behind| behind.duration())
}

/// When a login obtained its token: by the machine's clock, unless the server's `Date` differs
/// by more than a day.
pub(crate) fn obtained_at(now: SystemTime, date: Option<SystemTime>) -> SystemTime {
    let differs = |date: &SystemTime| is_plausible(*date) && difference(now, *date) > DAY;
    date.filter(differs).unwrap_or(now)
}

impl LongLivedToken {
    /// When the token is old enough for a refresh: 24 hours after it was obtained.
    pub fn refreshable_at(&self) -> SystemTime {
        let at = self.obtained_at.checked_add(MIN_AGE);
        at.unwrap_or(self.obtained_at)
    }

    /// When a refresh is due: when a third of the token's life or seven days remain,
    /// whichever comes first, but never before it is
    /// [refreshable](LongLivedToken::refreshable_at). A life of more than 60 days counts as
    /// 60, Meta's limit. If it is not known, or longer than a year, as soon as the token is
    /// refreshable.
    pub fn refresh_due_at(&self) -> SystemTime {
        let at = self.obtained_at.checked_add(self.due_age());
        at.unwrap_or_else(|| self.refreshable_at())
    }

    /// When the token expires, counted from the time in
    /// [`obtained_at`](LongLivedToken::obtained_at); `None` if it is not known, or beyond
    /// what the clock can represent. Clocks may be wrong: a token has expired when the
    /// service says so ([`is_token_invalid`](crate::Error::is_token_invalid)).
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.obtained_at.checked_add(self.expires_in?)
    }

    fn due_age(&self) -> Duration {
        let life = self.expires_in.filter(|life| *life <= MAX_LIFE);
        let life = life.unwrap_or_default().min(LIFE);
        let due = (life - life / 3).min(life.saturating_sub(MARGIN));
        due.max(MIN_AGE)
    }

    /// Whether to ask the service for a refresh: it is due, or clock and token contradict
    /// each other, and only the service can tell which is wrong.
    pub(crate) fn is_due(&self, now: SystemTime) -> bool {
        !is_plausible(now)
            || match now.duration_since(self.obtained_at) {
                Ok(age) => age >= self.due_age(),
                Err(ahead) => ahead.duration() > DAY,
            }
    }

    /// Whether the token is too young for a refresh at this time.
    pub(crate) fn is_young(&self, time: SystemTime) -> bool {
        difference(time, self.obtained_at) <= DAY && time < self.refreshable_at()
    }

    /// When a refresh of this token was granted, by the machine's clock and the `Date` of the
    /// reply. If the two agree within a week, they are right, whatever the stored time: a
    /// machine that is always some days behind is dated by its own clock, which measures the
    /// age as well as any other. If not, the one that is possible for a token of this age is
    /// right. If none is, the stored time moves by no more than the grant proves.
    pub(crate) fn granted_at(&self, now: SystemTime, date: Option<SystemTime>) -> SystemTime {
        let times = [Some(now), date].map(|time| time.filter(|time| is_plausible(*time)));
        let agree = matches!(times, [Some(a), Some(b)] if difference(a, b) <= MARGIN);
        let life = self.expires_in.filter(|life| *life > MIN_AGE);
        let is_possible = |time: &SystemTime| {
            let age = time.duration_since(self.obtained_at);
            age.is_ok_and(|age| (MIN_AGE..=life.unwrap_or(LIFE)).contains(&age))
        };
        let times = times.into_iter().flatten();
        let earliest = times.filter(|time| agree || is_possible(time)).min();
        earliest.unwrap_or_else(|| match is_plausible(self.obtained_at) {
            true => self.refreshable_at(),
            false => obtained_at(now, date),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_435_200;
    const DAYS: u64 = 24 * 3600;

    fn at(unix_seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds)
    }

    fn token(expires_in: Option<u64>, obtained_at: u64) -> LongLivedToken {
        LongLivedToken::new("IGQ", expires_in.map(Duration::from_secs), at(obtained_at))
    }

    #[test]
    fn a_refresh_is_due_late_in_life() {
        for (expires_in, due_after) in [
            (Some(60 * DAYS), 40 * DAYS),
            (Some(5_183_943), 3_455_962),
            (Some(12 * DAYS), 5 * DAYS),
            (Some(5 * DAYS), DAYS),
            (Some(5012), DAYS),
            (Some(0), DAYS),
            (Some(90 * DAYS), 40 * DAYS),
            (Some(365 * DAYS), 40 * DAYS),
            (Some(366 * DAYS), DAYS),
            (Some(u64::MAX), DAYS),
            (None, DAYS),
        ] {
            let token = token(expires_in, NOW);
            assert_eq!(token.refreshable_at(), at(NOW + DAYS));
            assert_eq!(token.refresh_due_at(), at(NOW + due_after));
            assert!(!token.is_due(at(NOW + due_after - 1)), "{expires_in:?}");
            assert!(token.is_due(at(NOW + due_after)), "{expires_in:?}");
        }
    }

    #[test]
    fn a_clock_that_contradicts_the_token_asks_the_service() {
        let token = token(Some(60 * DAYS), NOW);
        for (now, due, young) in [
            (NOW - DAYS - 1, true, false),
            (NOW - DAYS, false, true),
            (NOW, false, true),
            (NOW + DAYS - 1, false, true),
            (NOW + DAYS, false, false),
            (NOW + 365 * DAYS, true, false),
            (0, true, false),
            (u32::MAX.into(), true, false),
        ] {
            assert_eq!(
                (token.is_due(at(now)), token.is_young(at(now))),
                (due, young),
                "{now}"
            );
        }
        // A clock that is not set says nothing, even if it agrees.
        for unset in [300, 946_684_800, 2_147_483_000, 4_070_908_800] {
            assert!(self::token(Some(60 * DAYS), unset).is_due(at(unset)));
        }
    }

    #[test]
    fn a_grant_decides_which_clock_is_right() {
        const YEAR: u64 = 365 * DAYS;
        let old = NOW - 45 * DAYS;
        // The stored time, the machine's clock, the `Date`, and what comes of it.
        for (obtained_at, now, date, granted_at) in [
            (old, NOW, Some(NOW), NOW),
            (old, NOW, None, NOW),
            // One of the two is possible.
            (old, NOW, Some(0), NOW),
            (old, NOW, Some(NOW - YEAR), NOW),
            (old, NOW, Some(4_070_908_800), NOW),
            (old, 300, Some(NOW), NOW),
            (old, NOW + YEAR, Some(NOW), NOW),
            // Both are: the earlier.
            (old, NOW, Some(NOW + DAYS), NOW),
            (old, NOW - 3 * DAYS, Some(NOW), NOW - 3 * DAYS),
            (old, NOW, Some(NOW - 10 * DAYS), NOW - 10 * DAYS),
            // They agree within a week, so the earlier is right even if it is not possible.
            (NOW - DAYS, NOW - 3 * DAYS, Some(NOW), NOW - 3 * DAYS),
            (NOW - DAYS, NOW - 7 * DAYS, Some(NOW), NOW - 7 * DAYS),
            (NOW - DAYS, NOW - 7 * DAYS - 1, Some(NOW), NOW),
            // None is, and they contradict each other.
            (old, NOW + YEAR, None, old + DAYS),
            (old, 300, Some(4_070_908_800), old + DAYS),
            (old, NOW + YEAR, Some(NOW - YEAR), old + DAYS),
            (NOW + YEAR, NOW, None, NOW + YEAR + DAYS),
            // None is, but they agree: the stored time is wrong.
            (NOW + YEAR, NOW, Some(NOW), NOW),
            (NOW - YEAR, NOW + 60, Some(NOW), NOW),
            (4_070_908_800, NOW, Some(NOW + DAYS), NOW),
            // A stored time that cannot be right.
            (0, NOW, None, NOW),
            (2_147_483_000, NOW, None, NOW),
            (4_070_908_800, 300, Some(NOW), NOW),
            (0, 300, Some(300), 300),
        ] {
            let token = token(Some(60 * DAYS), obtained_at);
            assert_eq!(
                token.granted_at(at(now), date.map(at)),
                at(granted_at),
                "{obtained_at} {now} {date:?}"
            );
        }
        // A life that the grant disproves, or none, counts as 60 days.
        for expires_in in [Some(5012), Some(0), None] {
            let granted_at = token(expires_in, old).granted_at(at(NOW), None);
            assert_eq!(granted_at, at(NOW));
        }
    }

    #[test]
    fn no_time_is_too_far_away() {
        let far = at(i64::MAX as u64);
        for obtained_at in [far, SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 62)] {
            let token = LongLivedToken::new("IGQ", Some(Duration::MAX), obtained_at);
            assert!(token.is_due(at(NOW)) && !token.is_young(at(NOW)));
            let dates = (token.refreshable_at(), token.refresh_due_at());
            assert!(dates.0 >= obtained_at && dates.1 >= obtained_at);
            assert_eq!(token.granted_at(at(NOW), Some(at(NOW))), at(NOW));
            assert_eq!(token.granted_at(far, None), far);
        }
    }
}
