//! The two rate-limit headers.

use crate::redact::redact;
use crate::value::Value;
use miniserde::json;
use std::time::Duration;

/// How much of the allowance is used, as far as the service said.
///
/// From the headers `X-App-Usage` and `X-Business-Use-Case-Usage` (Meta's
/// *Rate Limits* page). Both are often absent; a header that cannot be read
/// counts as absent and never fails a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The app's own allowance.
    pub app: Option<AppUsage>,
    /// The allowance of each business use case.
    pub business: Vec<BusinessUsage>,
}

/// `X-App-Usage`. Each number is percent of the allowance.
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
    /// The id of the business, which the entry is filed under.
    pub id: String,
    /// The use case, for example `instagram`.
    pub kind: Option<String>,
    /// Calls made, in percent of the allowance.
    pub call_count: u64,
    /// Total time, in percent.
    pub total_time: u64,
    /// Total processor time, in percent.
    pub total_cputime: u64,
    /// How long until calls are taken again; zero while they are. The service
    /// gives whole minutes.
    pub regain_access: Duration,
}

impl Usage {
    /// The highest of all percentages; `None` where neither header came.
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

    /// How long to wait before the next call, where the service said so.
    pub fn wait(&self) -> Option<Duration> {
        self.business
            .iter()
            .map(|b| b.regain_access)
            .max()
            .filter(|wait| !wait.is_zero())
    }

    /// Reads the two headers; `None` where neither can be read. The secrets are
    /// taken out of the texts that were read: a mask in place of a number would
    /// make a header unreadable.
    pub(crate) fn from_headers(
        app: Option<&str>,
        business: Option<&str>,
        secrets: &[&str],
    ) -> Option<Usage> {
        let read = |text: Option<&str>| text.and_then(|text| json::from_str::<Value>(text).ok());
        let app = read(app).map(|entry| AppUsage {
            call_count: percent(&entry, "call_count"),
            total_time: percent(&entry, "total_time"),
            total_cputime: percent(&entry, "total_cputime"),
        });
        let entries = match read(business) {
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
            for (_, entry) in list {
                let minutes = percent(&entry, "estimated_time_to_regain_access");
                usage.business.push(BusinessUsage {
                    id: redact(&id, secrets),
                    kind: entry
                        .get("type")
                        .and_then(Value::text)
                        .map(|kind| redact(&kind, secrets)),
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

/// A number of the headers; a negative or missing one is zero.
fn percent(entry: &Value, key: &str) -> u64 {
    let number = entry.get(key).and_then(Value::number);
    number.map_or(0, |number| u64::try_from(number).unwrap_or(0))
}
