//! The two rate-limit headers, and what is remembered of them.

use crate::json::value::{Json, Object};
use crate::redact::redact;
use std::time::{Duration, SystemTime};

/// How long percentages count: the window of the app's limit.
const WINDOW: Duration = Duration::from_secs(3600);

/// How long a time to wait counts: the window of a business's limit. A service that asks for
/// more by mistake would stop a program for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The share of the rate limit that is used up.
///
/// Read from the headers `X-App-Usage` and `X-Business-Use-Case-Usage` (Meta's
/// *Rate Limits* page). Both are often absent. A malformed header counts as
/// absent and never fails a call.
///
/// A `Usage` is a snapshot. That of a [`Page`](crate::Page) has what came with the page.
/// [`Api::usage`](crate::Api::usage) returns the latest of each header as it is now: times
/// to wait have counted down, and what is old is gone. Percentages are kept for one hour,
/// the window of the app's limit, or longer if the time to wait of their entry is not over.
/// (The window of a business's limit is a day, but any call may bring newer numbers.) A time
/// to wait is kept for at most a day. Both windows are from Meta's *Rate Limits* page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The limit of the app.
    pub app: Option<AppUsage>,
    /// The limits of each business use case.
    pub business: Vec<BusinessUsage>,
    /// When the latest of the headers was received, by the clock of the `Api`; `None` if
    /// there was none.
    pub received: Option<SystemTime>,
}

/// `X-App-Usage`. Each number is a percentage of the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppUsage {
    /// Calls made.
    pub call_count: u64,
    /// Total time.
    pub total_time: u64,
    /// Total processor time.
    pub total_cputime: u64,
}

/// One entry of `X-Business-Use-Case-Usage`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusinessUsage {
    /// The id of the business.
    pub id: String,
    /// The use case, for example `instagram`.
    pub kind: Option<String>,
    /// Calls made, as a percentage of the limit.
    pub call_count: u64,
    /// Total time, as a percentage of the limit.
    pub total_time: u64,
    /// Total processor time, as a percentage of the limit.
    pub total_cputime: u64,
    /// How long until calls are accepted again; zero if they are accepted now. The
    /// service reports whole minutes; [`Api::usage`](crate::Api::usage) counts them down, in
    /// whole seconds, rounded up.
    pub regain_access: Duration,
}

impl Usage {
    /// The highest of all percentages; `None` if there are none. More than 100 is possible.
    ///
    /// Entries of other use cases than Instagram, such as `pages`, do not count: they limit
    /// other calls. Entries of all ids count, since it is not known which one is the
    /// account's.
    pub fn percent(&self) -> Option<u64> {
        let app = self.app.iter().map(AppUsage::percent);
        let business = self.relevant();
        let business = business.map(|entry| {
            entry
                .call_count
                .max(entry.total_time)
                .max(entry.total_cputime)
        });
        app.chain(business).max()
    }

    /// How long to wait before the next call, if the service asks for it: the longest
    /// [`regain_access`](BusinessUsage::regain_access) of the entries that count for
    /// [`percent`](Usage::percent). The app's limit has no such time.
    pub fn wait(&self) -> Option<Duration> {
        let waits = self.relevant().map(|entry| entry.regain_access);
        waits.max().filter(|wait| !wait.is_zero())
    }

    /// The entries that may limit calls to this API: Meta's page names its use case
    /// `instagram`.
    fn relevant(&self) -> impl Iterator<Item = &BusinessUsage> {
        self.business.iter().filter(|entry| {
            let kind = entry.kind.as_deref();
            kind.is_none_or(|kind| kind.to_ascii_lowercase().contains("instagram"))
        })
    }

    /// Reads the two headers. A header without a number counts as absent. Secrets are
    /// hidden after parsing.
    pub(crate) fn from_headers(
        app: Option<&str>,
        business: Option<&str>,
        secrets: &[&str],
        now: SystemTime,
    ) -> Usage {
        let app = app.and_then(Json::parse_object);
        let app = app.as_ref().and_then(numbers).map(|numbers| AppUsage {
            call_count: numbers[0],
            total_time: numbers[1],
            total_cputime: numbers[2],
        });
        let mut usage = Usage {
            app,
            ..Usage::default()
        };
        if let Some(Json::Object(Object(entries))) = business.and_then(Json::parse_object) {
            for (id, list) in entries {
                let Some(Json::List(list)) = list else {
                    continue;
                };
                let read = list
                    .iter()
                    .filter_map(|entry| business_usage(&id, entry, secrets));
                usage.business.extend(read);
            }
        }
        if usage != Usage::default() {
            usage.received = Some(now);
        }
        usage
    }
}

impl AppUsage {
    fn percent(&self) -> u64 {
        self.call_count.max(self.total_time).max(self.total_cputime)
    }
}

fn business_usage(id: &str, entry: &Json, secrets: &[&str]) -> Option<BusinessUsage> {
    let [call_count, total_time, total_cputime, minutes] = numbers(entry)?;
    Some(BusinessUsage {
        id: redact(id, secrets),
        kind: entry.text_of("type").map(|kind| redact(&kind, secrets)),
        call_count,
        total_time,
        total_cputime,
        regain_access: Duration::from_secs(minutes.saturating_mul(60)),
    })
}

/// The numbers of an entry, 0 for one that is missing or negative; `None` if it has none.
fn numbers(entry: &Json) -> Option<[u64; 4]> {
    let keys = [
        "call_count",
        "total_time",
        "total_cputime",
        "estimated_time_to_regain_access",
    ];
    let numbers = keys.map(|key| entry.number_of(key));
    numbers.iter().any(Option::is_some).then(|| {
        numbers.map(|number| number.map_or(0, |number| u64::try_from(number).unwrap_or(0)))
    })
}

/// What the service said about its limits. The clones of an `Api` share it.
///
/// Only differences between readings of a clock count, each once, and none that is
/// negative: a clock that is set back never makes a wait longer than the service said, and
/// one that is set forward ends it early.
#[derive(Default)]
pub(crate) struct Limits {
    /// Aged at each reading.
    usage: Usage,
    app_age: Duration,
    business_age: Duration,
    /// How long no call is accepted, because one was refused.
    refusal: Duration,
    /// The latest reading of the clock.
    read_at: Duration,
    /// How often something was recorded.
    records: u64,
}

impl Limits {
    /// The latest usage, as it is now.
    pub(crate) fn usage(&mut self, now: Duration) -> Usage {
        self.age(now);
        let mut usage = self.usage.clone();
        for entry in &mut usage.business {
            let rest = entry.regain_access;
            let part = u64::from(rest.subsec_nanos() > 0);
            entry.regain_access = Duration::from_secs(rest.as_secs().saturating_add(part));
        }
        usage
    }

    /// Keeps what the headers of a reply say; a header that is absent changes nothing.
    pub(crate) fn record(&mut self, usage: &Usage, now: Duration) {
        self.age(now);
        if usage.app.is_some() {
            self.usage.app = usage.app;
            self.app_age = Duration::ZERO;
        }
        if !usage.business.is_empty() {
            self.usage.business.clone_from(&usage.business);
            self.business_age = Duration::ZERO;
        }
        if usage.received.is_some() {
            self.usage.received = usage.received;
            self.records += 1;
        }
    }

    /// Keeps how long to wait after a refused call. If the service did not say, one hour,
    /// unless a time that it gave before is not over.
    pub(crate) fn record_refusal(&mut self, wait: Option<Duration>, now: Duration) {
        let (earlier, _) = self.wait(now);
        match wait.filter(|wait| !wait.is_zero()) {
            Some(wait) => self.refusal = wait.min(LONGEST_WAIT),
            None if earlier.is_zero() => self.refusal = WINDOW,
            None => {}
        }
        self.records += 1;
    }

    /// How long to wait before the next call, and by which record.
    pub(crate) fn wait(&mut self, now: Duration) -> (Duration, u64) {
        self.age(now);
        let told = self.usage.wait().unwrap_or_default();
        let told = told.min(LONGEST_WAIT.saturating_sub(self.business_age));
        let mut wait = self.refusal.max(told);
        // If both limits apply to a call, only that of the business does (Meta's page).
        let is_full = self.usage.app.is_some_and(|app| app.percent() >= 100);
        if is_full && self.usage.relevant().next().is_none() {
            wait = wait.max(WINDOW.saturating_sub(self.app_age));
        }
        (wait, self.records)
    }

    fn age(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.read_at);
        self.read_at = now;
        self.refusal = self.refusal.saturating_sub(passed);
        self.app_age = self.app_age.saturating_add(passed);
        self.business_age = self.business_age.saturating_add(passed);
        if self.app_age >= WINDOW {
            self.usage.app = None;
        }
        for entry in &mut self.usage.business {
            entry.regain_access = entry.regain_access.saturating_sub(passed);
        }
        let is_over = self.business_age >= LONGEST_WAIT;
        if self.business_age >= WINDOW {
            let business = &mut self.usage.business;
            business.retain(|entry| !is_over && !entry.regain_access.is_zero());
        }
    }
}
