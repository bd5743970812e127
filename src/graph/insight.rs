//! Insights: the numbers of a media or of the account, and the query for them.

use crate::json::lenient::{Lenient, Nothing, number_in, object, serde_impls};
use crate::json::words::open_enum;
use crate::timestamp::{self, to_unix};
use miniserde::de::{Deserialize, Map, Seq, Visitor};
use miniserde::ser::Fragment;
use miniserde::{Error, Result, Serialize, make_place};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// One metric of a media or of the account.
///
/// The numbers are in [`values`](Insight::values) or in
/// [`total_value`](Insight::total_value), depending on the metric and on the
/// [`MetricType`]. An insight may have neither: `follows_and_unfollows` without a
/// breakdown does (recorded). [`number`](Insight::number) reads the common case.
///
/// Source: Meta's reference, *Media insights* and *Account insights*.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Insight {
    /// The id, always set, such as `17895695668004550/insights/reach/lifetime`.
    pub id: String,
    /// The metric.
    pub name: Option<Metric>,
    /// The period that each value covers.
    pub period: Option<Period>,
    /// One value per day, or the only value of a media.
    pub values: Option<Vec<Point>>,
    /// The total, and its breakdowns if any were requested.
    pub total_value: Option<Total>,
    /// The metric's name for people, in their language.
    pub title: Option<String>,
    /// What the metric counts, in their language.
    pub description: Option<String>,
}

object! {
    Insight [id] { name, period, values, total_value, title, description }
}

impl Insight {
    /// The number, if the insight is a single one: the total, or the only one of
    /// `values`.
    pub fn number(&self) -> Option<f64> {
        let value = match (&self.total_value, self.values.as_deref()) {
            (Some(total), _) => &total.value,
            (None, Some([point])) => &point.value,
            _ => &None,
        };
        value.as_ref()?.number()
    }
}

/// A value, and when its period ended.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// The value.
    pub value: Option<Value>,
    /// When the period ended, as the service writes it (`2017-08-31T07:00:00+0000`);
    /// absent for media. See [`ended_at`](Point::ended_at).
    pub end_time: Option<String>,
}

object!(Point { value, end_time });

impl Point {
    /// When the period ended; `None` if the time is absent or invalid.
    pub fn ended_at(&self) -> Option<SystemTime> {
        timestamp::parse(self.end_time.as_deref()?)
    }
}

/// The total of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Total {
    /// The total; may be absent if there are breakdowns.
    pub value: Option<Value>,
    /// The total, split by the requested [`Dimension`]s.
    pub breakdowns: Option<Vec<Breakdown>>,
}

object!(Total { value, breakdowns });

/// A total split by one or more dimensions.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Breakdown {
    /// The dimensions.
    pub dimension_keys: Option<Vec<Dimension>>,
    /// The groups. Demographics list at most the 45 largest.
    pub results: Option<Vec<Group>>,
}

object!(Breakdown {
    dimension_keys,
    results
});

/// One group of a breakdown.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// One word per dimension, such as `FOLLOWER` or `25-34`.
    pub dimension_values: Option<Vec<String>>,
    /// The value of the group.
    pub value: Option<Value>,
}

object!(Group {
    dimension_values,
    value
});

/// The value of a metric.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number. Counts are whole numbers and exact up to 2^53; times are
    /// milliseconds; shares may have a fraction.
    Number(f64),
    /// Values by key, in older metrics; `None` for one that is `null`.
    ByKey(BTreeMap<String, Option<Value>>),
}

impl Value {
    /// The number, if it is a single one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::ByKey(_) => None,
        }
    }
}

make_place!(Place);

impl Deserialize for Value {
    fn begin(out: &mut Option<Value>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Lenient for Value {
    fn place(out: &mut Option<Value>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<Value> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn nonnegative(&mut self, n: u64) -> Result<()> {
        self.float(n as f64)
    }

    fn negative(&mut self, n: i64) -> Result<()> {
        self.float(n as f64)
    }

    fn float(&mut self, n: f64) -> Result<()> {
        self.out = n.is_finite().then_some(Value::Number(n));
        Ok(())
    }

    fn string(&mut self, s: &str) -> Result<()> {
        number_in(s, self)
    }

    fn seq(&mut self) -> Result<Box<dyn Seq + '_>> {
        self.out = None;
        Ok(Box::new(Nothing))
    }

    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        match self.out.insert(Value::ByKey(BTreeMap::new())) {
            Value::ByKey(values) => Ok(Box::new(ByKey(values))),
            Value::Number(_) => Err(Error),
        }
    }
}

struct ByKey<'a>(&'a mut BTreeMap<String, Option<Value>>);

impl Map for ByKey<'_> {
    fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
        Ok(Place::new(self.0.entry(key.to_owned()).or_default()))
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Whole numbers are written without a fraction, as the service writes them.
impl Serialize for Value {
    fn begin(&self) -> Fragment<'_> {
        match self {
            Value::Number(n) if n.trunc() == *n && n.abs() < 9e15 => Fragment::I64(*n as i64),
            Value::Number(n) => Fragment::F64(*n),
            Value::ByKey(values) => values.begin(),
        }
    }
}

serde_impls!(Value);

open_enum! {
    /// A metric.
    ///
    /// Each one says where it exists: for which kind of media (`FEED`, `REELS` or `STORY`, its
    /// [`MediaProductType`](crate::MediaProductType)), and whether for the account. It also
    /// depends on the API version. One that does not exist fails the entire call (code 100).
    /// `impressions`, `plays` and `video_views` are gone: use [`Views`](Metric::Views).
    ///
    /// Source: Meta's reference, *Media insights* and *Account insights*.
    Metric {
        /// The number of accounts that saw it. `FEED`, `REELS`, `STORY`, account.
        Reach = "reach",
        /// How often it was played or shown. `FEED`, `REELS`, `STORY`, account.
        Views = "views",
        /// `FEED`, `REELS`, account.
        Likes = "likes",
        /// `FEED`, `REELS`, account.
        Comments = "comments",
        /// `FEED`, `REELS`, `STORY`, account.
        Shares = "shares",
        /// `FEED`, `REELS`. The account has [`Saves`](Metric::Saves).
        Saved = "saved",
        /// Account. A media has [`Saved`](Metric::Saved).
        Saves = "saves",
        /// Replies to stories. `STORY`, account.
        Replies = "replies",
        /// Media and account.
        Reposts = "reposts",
        /// `FEED`, `REELS`, `STORY`, account.
        TotalInteractions = "total_interactions",
        /// Accounts that started following. `FEED`, `STORY`.
        Follows = "follows",
        /// `FEED`, `STORY`.
        ProfileVisits = "profile_visits",
        /// With [`Dimension::ActionType`]. `FEED`, `STORY`.
        ProfileActivity = "profile_activity",
        /// With [`Dimension::StoryNavigationActionType`]. `STORY`.
        Navigation = "navigation",
        /// In milliseconds. `REELS`.
        ReelsAverageWatchTime = "ig_reels_avg_watch_time",
        /// In milliseconds. `REELS`.
        ReelsTotalWatchTime = "ig_reels_video_view_total_time",
        /// `REELS`.
        ReelsSkipRate = "reels_skip_rate",
        /// Media. Users report that it fails for media that is not shared to Facebook.
        CrosspostedViews = "crossposted_views",
        /// As [`CrosspostedViews`](Metric::CrosspostedViews).
        FacebookViews = "facebook_views",
        /// Account.
        AccountsEngaged = "accounts_engaged",
        /// With [`Dimension::FollowType`]; without it, there is no number (recorded). Account.
        FollowsAndUnfollows = "follows_and_unfollows",
        /// Account.
        ProfileLinksTaps = "profile_links_taps",
        /// New followers per day. Account.
        FollowerCount = "follower_count",
        /// [`Period::Lifetime`], with a dimension and a [`Timeframe`]. Account.
        FollowerDemographics = "follower_demographics",
        /// As [`FollowerDemographics`](Metric::FollowerDemographics). Account.
        EngagedAudienceDemographics = "engaged_audience_demographics",
    }
}

open_enum! {
    /// The period that a value covers.
    Period {
        Day = "day",
        Lifetime = "lifetime",
    }
}

open_enum! {
    /// How the values of a metric are returned.
    MetricType {
        /// One total, in [`Insight::total_value`].
        TotalValue = "total_value",
        /// One value per day, in [`Insight::values`]. Only [`Reach`](Metric::Reach) and
        /// [`FollowerCount`](Metric::FollowerCount) have them (recorded).
        TimeSeries = "time_series",
    }
}

open_enum! {
    /// What a total is split by.
    Dimension {
        /// For demographics.
        Age = "age",
        /// For demographics.
        City = "city",
        /// For demographics.
        Country = "country",
        /// For demographics.
        Gender = "gender",
        /// Followers and others.
        FollowType = "follow_type",
        MediaProductType = "media_product_type",
        /// For [`Metric::ProfileLinksTaps`].
        ContactButtonType = "contact_button_type",
        /// For [`Metric::ProfileActivity`].
        ActionType = "action_type",
        /// For [`Metric::Navigation`].
        StoryNavigationActionType = "story_navigation_action_type",
    }
}

open_enum! {
    /// The time that demographics cover.
    Timeframe {
        ThisWeek = "this_week",
        ThisMonth = "this_month",
    }
}

/// What [`Api::my_insights`](crate::Api::my_insights) and
/// [`Api::media_insights`](crate::Api::media_insights) request. A parameter that is not
/// set is not sent. Setting one again replaces it. A slice, an array or a `Vec` of metrics, and
/// their names as text (`"reach,views"`), convert into a query with nothing else set.
///
/// ```no_run
/// use mingram::insights::{Dimension, Metric, MetricType, Period, Query};
///
/// # fn main() -> mingram::Result<()> {
/// # let api = mingram::Api::new("IGQVJ...");
/// let query = Query::new(&[Metric::Reach, Metric::Views])
///     .period(Period::Day)
///     .metric_type(MetricType::TotalValue)
///     .breakdown(&[Dimension::MediaProductType]);
/// for insight in api.my_insights(query)? {
///     println!("{:?}: {:?}", insight.name, insight.total_value);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Query {
    params: Vec<(String, String)>,
}

impl Query {
    /// Requests these metrics. At least one is required.
    pub fn new(metrics: &[Metric]) -> Query {
        let metrics: Vec<&str> = metrics.iter().map(Metric::as_str).collect();
        Query { params: Vec::new() }.param("metric", metrics.join(","))
    }

    /// The period that each value covers (`period`). Meta's reference requires it for
    /// an account: [`Lifetime`](Period::Lifetime) for demographics,
    /// [`Day`](Period::Day) for the others. A media has only `lifetime`.
    pub fn period(self, period: Period) -> Query {
        self.param("period", period.as_str())
    }

    /// Whether to return a total or a value per day (`metric_type`). Only for an account.
    pub fn metric_type(self, kind: MetricType) -> Query {
        self.param("metric_type", kind.as_str())
    }

    /// Splits the total by these dimensions (`breakdown`). A metric that does not
    /// support them fails the entire call.
    pub fn breakdown(self, dimensions: &[Dimension]) -> Query {
        let dimensions: Vec<&str> = dimensions.iter().map(Dimension::as_str).collect();
        self.param("breakdown", dimensions.join(","))
    }

    /// The time that demographics cover (`timeframe`), instead of `since` and `until`.
    pub fn timeframe(self, timeframe: Timeframe) -> Query {
        self.param("timeframe", timeframe.as_str())
    }

    /// The start of the range (`since`), in whole seconds. Only for an account. Without a
    /// range, the service returns the last 24 hours. It keeps the insights of an account for
    /// 90 days (Meta's reference, *Account insights*).
    ///
    /// A query covers at most 30 days: if `since` and `until` are more than 2,592,000 s apart,
    /// it fails (code 100; users report the message). Request a longer time in parts, but add
    /// up only counts: the [`Reach`](Metric::Reach) of two parts counts an account twice.
    pub fn since(self, time: SystemTime) -> Query {
        self.param("since", to_unix(time).to_string())
    }

    /// The end of the range (`until`); see [`since`](Query::since).
    pub fn until(self, time: SystemTime) -> Query {
        self.param("until", to_unix(time).to_string())
    }

    /// Any other parameter.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Query {
        let name = name.into();
        self.params.retain(|(set, _)| *set != name);
        self.params.push((name, value.into()));
        self
    }

    pub(crate) fn params(&self) -> Vec<(&str, &str)> {
        let params = self.params.iter();
        params
            .map(|(name, v)| (name.as_str(), v.as_str()))
            .collect()
    }
}

macro_rules! from_metrics {
    ($([$($n:tt)*] $metrics:ty,)*) => {
        $(impl<$($n)*> From<$metrics> for Query {
            fn from(metrics: $metrics) -> Query {
                Query::new(&metrics[..])
            }
        })*
    };
}

from_metrics! {
    [] &[Metric],
    [] &Vec<Metric>,
    [] Vec<Metric>,
    [const N: usize] &[Metric; N],
    [const N: usize] [Metric; N],
}

/// The names of metrics, separated by commas: `reach,views`.
impl From<&str> for Query {
    fn from(names: &str) -> Query {
        let names = names.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        Query::from(names.map(Metric::from).collect::<Vec<_>>())
    }
}

/// `{"data":[…]}`. Its `paging` leads to other times, not to more insights.
#[derive(Default)]
pub(crate) struct Insights {
    pub(crate) data: Option<Vec<Insight>>,
}

object!(Insights { data });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::reader;
    use miniserde::json;

    #[test]
    fn writes_what_it_read() {
        for text in [
            r#"{"id":"1/insights/reach/day","name":"reach","period":"day","values":[{"value":0,"end_time":"2026-11-23T08:00:00+0000"},{"value":1.5},{}],"title":"t","description":"d"}"#,
            r#"{"id":"1","values":[{"value":{"a":1,"b":-2,"c":0.5,"d":null,"e":{"f":2}}}]}"#,
            r#"{"id":"1","total_value":{"breakdowns":[{"dimension_keys":["age","new"],"results":[{"dimension_values":["13-17","x"],"value":4}]}]}}"#,
            r#"{"id":"1","name":"a_new_metric","period":"week"}"#,
        ] {
            let insight = reader::read::<Insight>(text).unwrap();
            assert_eq!(json::to_string(&insight), text);
        }
    }

    #[test]
    fn reads_values_leniently() {
        let value = |text: &str| {
            let text = format!(r#"{{"id":"1","total_value":{{"value":{text}}}}}"#);
            let insight = reader::read::<Insight>(&text)?;
            Ok::<_, crate::json::reader::JsonError>(insight.total_value.unwrap().value)
        };
        assert_eq!(value("null").unwrap(), None);
        assert_eq!(value("-3").unwrap(), Some(Value::Number(-3.0)));
        let Some(Value::ByKey(by_key)) = value(r#"{"a":1,"b":null,"c":{"d":4},"a":2}"#).unwrap()
        else {
            panic!("not by key")
        };
        assert_eq!(by_key["a"], Some(Value::Number(2.0)));
        assert_eq!(by_key["b"], None);
        let nested = BTreeMap::from([("d".to_owned(), Some(Value::Number(4.0)))]);
        assert_eq!(by_key["c"], Some(Value::ByKey(nested)));
        assert_eq!(value(r#""3.5""#).unwrap(), Some(Value::Number(3.5)));
        assert_eq!(value("{}").unwrap(), Some(Value::ByKey(BTreeMap::new())));
        assert_eq!(value("[]").unwrap(), None);
        assert_eq!(
            (value("1e999").unwrap(), value(r#""""#).unwrap()),
            (None, None)
        );
        assert!(value(r#""many""#).is_err());
        assert!(value("[1]").is_err());
    }

    #[test]
    fn a_query_sets_each_parameter_once() {
        let query = Query::new(&[Metric::Reach, Metric::from("new")])
            .period(Period::Lifetime)
            .period(Period::Day)
            .breakdown(&[Dimension::Age, Dimension::Gender])
            .timeframe(Timeframe::ThisMonth);
        assert_eq!(
            query.params(),
            [
                ("metric", "reach,new"),
                ("period", "day"),
                ("breakdown", "age,gender"),
                ("timeframe", "this_month"),
            ]
        );
    }
}
