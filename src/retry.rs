//! Retries, and the clock they wait by.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, SystemTime};

/// Tells the time and waits. [`SystemClock`] is the default; a test puts in
/// one that does not sleep, with [`Api::with_clock`](crate::Api::with_clock).
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> SystemTime;
    /// Waits this long.
    fn sleep(&self, time: Duration);
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// The most retries that can be set.
pub(crate) const MOST: u32 = 10;

const FIRST_WAIT: Duration = Duration::from_millis(500);
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// How long to wait before a retry, the first being number 0: half a second,
/// doubled each time up to eight seconds, of which a random part between half
/// and the whole, so that many programs do not come back at once.
pub(crate) fn wait(retry: u32) -> Duration {
    let full = FIRST_WAIT
        .saturating_mul(1 << retry.min(MOST))
        .min(LONGEST_WAIT);
    // std's hasher is seeded at random, and that is all the randomness needed.
    let random = RandomState::new().build_hasher().finish();
    let half = full.as_millis() as u64 / 2;
    Duration::from_millis(half + random % (half + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        for (retry, full) in [
            (0, 500),
            (1, 1000),
            (2, 2000),
            (4, 8000),
            (10, 8000),
            (u32::MAX, 8000),
        ] {
            for _ in 0..50 {
                let wait = wait(retry).as_millis();
                assert!((full / 2..=full).contains(&wait), "{retry}: {wait}");
            }
        }
    }

    #[test]
    fn waits_are_jittered() {
        let waits: std::collections::HashSet<_> = (0..20).map(|_| wait(3)).collect();
        assert!(waits.len() > 10);
    }
}
