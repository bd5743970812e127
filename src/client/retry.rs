//! The delays between retries, and the clock.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

/// The time of day, and sleeping. Default: [`SystemClock`]. Tests can pass a clock
/// that does not sleep to [`Api::with_clock`](crate::Api::with_clock).
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> SystemTime;
    /// Sleeps for this long.
    fn sleep(&self, time: Duration);

    /// The time since any fixed moment, which measures how old a reply is. Unlike
    /// [`now`](Clock::now) it should not jump when the clock is set.
    ///
    /// Default: since 1970 by `now`. A clock that is set back then makes no wait longer than
    /// the service said; one that is set forward ends it early.
    fn elapsed(&self) -> Duration {
        let since = self.now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default()
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: Clock + ?Sized> Clock for $pointer {
            fn now(&self) -> SystemTime {
                (**self).now()
            }

            fn sleep(&self, time: Duration) {
                (**self).sleep(time);
            }

            fn elapsed(&self) -> Duration {
                (**self).elapsed()
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);

/// The system clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn elapsed(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

/// One attempt of a call.
pub(crate) struct Attempt {
    /// Counted from 1.
    pub(crate) number: u32,
    /// When its time is over. All of it is spent waiting for the network.
    deadline: Cell<Instant>,
}

impl Attempt {
    pub(crate) fn new(number: u32, time: Duration) -> Attempt {
        let deadline = Cell::new(Instant::now() + time);
        Attempt { number, deadline }
    }

    /// The time that is left.
    pub(crate) fn left(&self) -> Duration {
        let now = Instant::now();
        self.deadline.get().saturating_duration_since(now)
    }

    /// Does something whose time does not count.
    pub(crate) fn pause(&self, meanwhile: impl FnOnce()) {
        let begun = Instant::now();
        meanwhile();
        self.deadline.set(self.deadline.get() + begun.elapsed());
    }
}

pub(crate) const MAX_RETRIES: u32 = 10;

const FIRST_DELAY: Duration = Duration::from_millis(500);
pub(crate) const MAX_DELAY: Duration = Duration::from_secs(8);

/// The delay before a retry; the first retry is number 0. Starts at 500 ms and
/// doubles up to 8 s. The upper half of each delay is random, so that many clients
/// do not retry at the same moment.
pub(crate) fn delay(retry: u32) -> Duration {
    let full = FIRST_DELAY
        .saturating_mul(1 << retry.min(MAX_RETRIES))
        .min(MAX_DELAY);
    // std seeds its hasher randomly: enough for jitter.
    let random = RandomState::new().build_hasher().finish();
    let half = full.as_millis() as u64 / 2;
    Duration::from_millis(half + random % (half + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_maximum() {
        for (retry, full) in [
            (0, 500),
            (1, 1000),
            (2, 2000),
            (4, 8000),
            (10, 8000),
            (u32::MAX, 8000),
        ] {
            for _ in 0..50 {
                let delay = delay(retry).as_millis();
                assert!((full / 2..=full).contains(&delay), "{retry}: {delay}");
            }
        }
    }

    #[test]
    fn delays_are_jittered() {
        let delays: std::collections::HashSet<_> = (0..20).map(|_| delay(3)).collect();
        assert!(delays.len() > 10);
    }
}
