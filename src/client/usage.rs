//! The two rate-limit headers.

use crate::json::value::Value;
use crate::redact::redact;
use std::time::Duration;

/// The share of the rate limit that is used up.
///
/// Read from the headers `X-App-Usage` and `X-Business-Use-Case-Usage` (Meta's
/// *Rate Limits* page). Both are often absent. A malformed header counts as
/// absent and never fails a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The limit of the app.
    pub app: Option<AppUsage>,
    /// The limits of each business use case.
    pub business: Vec<BusinessUsage>,
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
    /// service reports whole minutes.
    pub regain_access: Duration,
}

impl Usage {
    /// The highest of all percentages; `None` if neither header was sent.
    pub fn percent(&self) -> Option<u64> {
        let app = self
            .app
            .iter()
            .flat_map(|app| [app.call_count, app.total_time, app.total_cputime]);
        let business = self
            .business
            .iter()
            .flat_map(|b| [b.call_count, b.total_time, b.total_cputime]);
        app.chain(business).max()
    }

    /// How long to wait before the next call, if the service asks for it.
    pub fn wait(&self) -> Option<Duration> {
        self.business
            .iter()
            .map(|b| b.regain_access)
            .max()
            .filter(|wait| !wait.is_zero())
    }

    /// Reads the two headers; `None` if neither is readable. Secrets are masked
    /// after parsing: a mask in place of a number would make the JSON invalid.
    pub(crate) fn from_headers(
        app: Option<&str>,
        business: Option<&str>,
        secrets: &[&str],
    ) -> Option<Usage> {
        let app = app.and_then(Value::parse_object).map(|entry| AppUsage {
            call_count: percent(&entry, "call_count"),
            total_time: percent(&entry, "total_time"),
            total_cputime: percent(&entry, "total_cputime"),
        });
        let entries = match business.and_then(Value::parse_object) {
            Some(Value::Object(entries)) => Some(entries),
            _ => None,
        };
        if app.is_none() && entries.is_none() {
            return None;
        }
        let mut usage = Usage {
            app,
            business: Vec::new(),
        };
        for (id, list) in entries.unwrap_or_default() {
            let Value::List(list) = list else { continue };
            for entry in list {
                let minutes = percent(&entry, "estimated_time_to_regain_access");
                usage.business.push(BusinessUsage {
                    id: redact(&id, secrets),
                    kind: entry.text_of("type").map(|kind| redact(&kind, secrets)),
                    call_count: percent(&entry, "call_count"),
                    total_time: percent(&entry, "total_time"),
                    total_cputime: percent(&entry, "total_cputime"),
                    regain_access: Duration::from_secs(minutes.saturating_mul(60)),
                });
            }
        }
        Some(usage)
    }
}

/// A number of an entry; 0 if it is missing or negative.
fn percent(entry: &Value, key: &str) -> u64 {
    let number = entry.number_of(key);
    number.map_or(0, |number| u64::try_from(number).unwrap_or(0))
}
