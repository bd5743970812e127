//! Insights and comments: what is requested, and what is not accepted.

mod common;

use common::replay::TOKEN;
use common::{Server, feed_server, json, param};
use mingram::ErrorKind;
use mingram::comments::CommentField as C;
use mingram::insights::{Dimension, Metric, MetricType, Period, Query, Timeframe};
use std::time::{Duration, UNIX_EPOCH};

#[test]
fn a_query_is_sent_as_it_was_built() {
    let server = Server::script([json("200 OK", r#"{"data":[]}"#)]);
    let api = server.api().with_version("v25.0");
    let query = Query::new(&[Metric::Reach, Metric::from("a&b")])
        .period(Period::Lifetime)
        .period(Period::Day)
        .metric_type(MetricType::TimeSeries)
        .breakdown(&[Dimension::Age, Dimension::City])
        .timeframe(Timeframe::ThisWeek)
        .since(UNIX_EPOCH + Duration::from_secs(1))
        .until(UNIX_EPOCH + Duration::from_secs(2))
        .param("new", "x");
    assert!(api.my_insights(query.clone()).unwrap().is_empty());
    let metrics = [Metric::Saved];
    assert!(api.media_insights("7", &metrics).unwrap().is_empty());
    assert!(api.media_insights("7", &metrics[..]).unwrap().is_empty());
    assert!(api.media_insights("a/b", query).unwrap().is_empty());
    let received = server.received();
    let parameters = "metric=reach,a%26b&period=day&metric_type=time_series&breakdown=age,city\
         &timeframe=this_week&since=1&until=2&new=x";
    assert_eq!(
        received[0].target,
        format!("/v25.0/me/insights?{parameters}&access_token={TOKEN}")
    );
    let saved = format!("/v25.0/7/insights?metric=saved&access_token={TOKEN}");
    assert_eq!((&received[1].target, &received[2].target), (&saved, &saved));
    assert!(received[3].target.starts_with("/v25.0/a%2Fb/insights?"));
}

/// However metrics are at hand, they make the same query.
#[test]
fn queries_of_slices_arrays_lists_and_names() {
    let metrics = vec![Metric::Reach, Metric::from("new")];
    let query = Query::new(&metrics);
    assert_eq!(Query::from(&metrics[..]), query);
    assert_eq!(Query::from(&metrics), query);
    assert_eq!(Query::from([Metric::Reach, Metric::from("new")]), query);
    assert_eq!(Query::from(&[Metric::Reach, Metric::from("new")]), query);
    for names in ["reach,new", " REACH , new", ",reach,,new,"] {
        assert_eq!(Query::from(names), query, "{names}");
    }
    assert_eq!(Query::from(metrics), query);
}

#[test]
fn insights_without_a_metric_or_an_id_are_not_requested() {
    let server = feed_server(1, 1);
    let api = server.api();
    for result in [
        api.my_insights(Query::new(&[])),
        api.media_insights("1", &[]),
        api.media_insights("1", []),
        api.my_insights(vec![]),
        api.my_insights(""),
        api.my_insights(" , "),
        api.media_insights("", &[Metric::Reach]),
        api.media_insights("..", &[Metric::Reach]),
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert!(server.received().is_empty());
}

/// Missing numbers are an empty list. Anything else without `data` is an error, so that
/// it is not taken for missing numbers.
#[test]
fn a_reply_without_data_is_an_error() {
    for (body, wanted) in [
        ("{}", "not a valid Vec<Insight>"),
        (r#"{"data":null}"#, "object without `data`"),
        (r#"{"data":{}}"#, "object without `data`"),
        (r#"{"data":[{"name":"reach"}]}"#, "not a valid Vec<Insight>"),
        (r#"[]"#, "unexpected array"),
    ] {
        let server = Server::script([json("200 OK", body)]);
        let error = server.api().my_insights(&[Metric::Reach]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{body}");
        assert_eq!(error.call(), "GET /me/insights");
        assert!(error.to_string().contains(wanted), "{body}: {error}");
    }
}

#[test]
fn a_page_of_comments_has_at_most_50() {
    let server = feed_server(250, 25);
    let api = server.api();
    assert_eq!(api.comments("1", C::BASIC).clone().take(120).count(), 120);
    assert_eq!(api.replies("1", "").take(60).count(), 60);
    let received = server.received();
    let limits: Vec<_> = received.iter().filter_map(|r| param(r, "limit")).collect();
    assert_eq!(limits, ["50", "50", "20", "50", "10"]);
    assert!(
        server.received()[0]
            .target
            .starts_with("/1/comments?fields=id,text,timestamp,hidden,like_count&limit=50&")
    );
    assert!(
        server.received()[3]
            .target
            .starts_with("/1/replies?limit=50&")
    );
}
