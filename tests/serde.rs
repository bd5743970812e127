//! The feature `serde`: the same JSON as miniserde, read by the same rules.
#![cfg(feature = "serde")]

mod common;

use common::replay::TOKEN;
use common::{Server, feed_page, fixtures};
use mingram::comments::{Comment, CommentAuthor, CommentMedia};
use mingram::insights::{
    Breakdown, Dimension, Group, Insight, Metric, MetricType, Period, Point, Timeframe, Total,
    Value as Number,
};
use mingram::{
    AccountType, Cursors, Media, MediaAudioType, MediaProductType, MediaType, Owner, Page, User,
    miniserde,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;
use url::Url;

/// Reads a text with both libraries, writes the result with both, and compares. Returns
/// whether it was read.
fn same<T>(text: &str) -> bool
where
    T: Debug + PartialEq + miniserde::Serialize + miniserde::Deserialize,
    T: serde_core::Serialize + serde_core::de::DeserializeOwned,
{
    let mini: Option<T> = miniserde::json::from_str(text).ok();
    let serde: Option<T> = serde_json::from_str(text).ok();
    assert_eq!(mini, serde, "{text}");
    // From a tree, where values are owned, keys sorted and duplicates gone.
    let tree: Value = serde_json::from_str(text).unwrap();
    let mini: Option<T> = miniserde::json::from_str(&tree.to_string()).ok();
    assert_eq!(mini, serde_json::from_value(tree).ok(), "{text}");
    let Some(value) = serde else { return false };
    let written = serde_json::to_string(&value).unwrap();
    assert_eq!(written, miniserde::json::to_string(&value));
    let again: T = serde_json::from_str(&written).unwrap();
    assert_eq!(again, value, "{written}");
    assert_eq!(miniserde::json::from_str::<T>(&written).unwrap(), value);
    assert_eq!(serde_json::to_string(&again).unwrap(), written);
    true
}

/// The number of types that the text was read as.
fn same_for_every_type(text: &str) -> usize {
    let read = [
        same::<User>(text),
        same::<Media>(text),
        same::<Owner>(text),
        same::<Cursors>(text),
        same::<Page<User>>(text),
        same::<Page<Media>>(text),
        same::<Page<Page<Media>>>(text),
        same::<Comment>(text),
        same::<Page<Comment>>(text),
        same::<CommentAuthor>(text),
        same::<CommentMedia>(text),
        same::<Insight>(text),
        same::<Page<Insight>>(text),
        same::<Point>(text),
        same::<Total>(text),
        same::<Breakdown>(text),
        same::<Group>(text),
        same::<Number>(text),
        same::<Metric>(text),
        same::<Period>(text),
        same::<MetricType>(text),
        same::<Dimension>(text),
        same::<Timeframe>(text),
        same::<MediaAudioType>(text),
        same::<MediaType>(text),
        same::<MediaProductType>(text),
        same::<AccountType>(text),
    ];
    read.into_iter().filter(|read| *read).count()
}

#[test]
fn every_fixture() {
    let mut read = 0;
    for exchange in fixtures() {
        let reply = String::from_utf8(exchange.reply).unwrap();
        let (_, body) = reply.split_once("\r\n\r\n").unwrap();
        let Ok(tree) = serde_json::from_str::<Value>(body) else {
            continue;
        };
        read += same_for_every_type(body);
        // Items of lists and maps as well.
        let items = tree["data"].as_array().into_iter().flatten();
        for item in items.chain(tree.as_object().into_iter().flat_map(|map| map.values())) {
            read += same_for_every_type(&item.to_string());
        }
    }
    assert!(read > 200, "{read}");
}

#[test]
fn every_field_with_every_value() {
    let fields = [
        "id",
        "caption",
        "media_type",
        "account_type",
        "like_count",
        "is_shared_to_feed",
        "owner",
        "children",
        "media",
        "replies",
        "from",
        "values",
        "value",
        "total_value",
        "breakdowns",
        "dimension_keys",
        "data",
        "paging",
        "after",
        "unknown",
    ];
    let values = [
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "18446744073709551615",
        "18446744073709551616",
        r#""""#,
        r#""IMAGE""#,
        r#""5""#,
        "[]",
        "[null]",
        "[[]]",
        "{}",
        r#"{"id":7}"#,
        r#"{"id":null}"#,
        r#"{"data":[]}"#,
        r#"{"data":[{"id":"2","children":{"data":[{"id":"3"}]}}]}"#,
        r#"{"data":[{"id":"2"},{}]}"#,
        r#"{"cursors":{"after":"a"},"next":"https://h/?after=b"}"#,
        r#"{"value":1.5,"breakdowns":[{"dimension_keys":["age"],"results":[{"value":2}]}]}"#,
        r#"[{"value":{"a":1,"b":null,"a":-2}}]"#,
        r#"["age","new"]"#,
        r#"{"cursors":[]}"#,
        r#"{"next":5}"#,
        r#""12""#,
        "1.0",
        "false",
    ];
    for value in values {
        same_for_every_type(value);
        for field in fields {
            for rest in [r#""id":"1""#, r#""data":[{"id":"1"}]"#, r#""x":[{}]"#] {
                same_for_every_type(&format!(r#"{{{rest},"{field}":{value}}}"#));
                same_for_every_type(&format!(r#"{{"{field}":{value},{rest}}}"#));
            }
        }
    }
}

/// A cursor, or text that looks like one of a link's parts.
fn cursor() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just(String::new()),
        Just("QVFIUmEx".to_owned()),
        Just("a&after=b#c?d=%2".to_owned()),
    ]
}

/// A link in the service's form: with the token, to another host.
fn link() -> impl Strategy<Value = Value> {
    let names = vec![
        "after",
        "before",
        "since",
        "until",
        "__paging_token",
        "__previous",
        "offset",
        "limit",
        "x",
    ];
    let params = vec((select(names), cursor()), 0..5).prop_map(|params| {
        let mut link = Url::parse("https://graph.facebook.com/v1/me/media").unwrap();
        link.query_pairs_mut()
            .append_pair("access_token", TOKEN)
            .extend_pairs(params);
        Value::from(link.as_str())
    });
    prop_oneof![
        6 => params,
        1 => Just(Value::Null),
        1 => select(vec!["", "?", " ", "x", "https://h/", "?after", "?after=", "?since=1", "?until=%zz"]).prop_map(Value::from),
    ]
}

fn paging() -> impl Strategy<Value = Value> {
    let end = || proptest::option::of(cursor());
    let cursors =
        (end(), end()).prop_map(|(before, after)| json!({"before": before, "after": after}));
    let cursors = prop_oneof![3 => cursors, 1 => Just(json!({})), 1 => Just(json!([])), 1 => Just(Value::Null)];
    let object = (cursors, link(), link()).prop_map(
        |(cursors, next, previous)| json!({"cursors": cursors, "next": next, "previous": previous}),
    );
    prop_oneof![8 => object, 1 => Just(json!({})), 1 => Just(json!([])), 1 => Just(Value::Null)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// A page reads back as what it was, alone and nested in a node.
    #[test]
    fn any_page_reads_back(paging in paging(), inner in paging(), ids in vec(any::<u64>(), 0..4)) {
        let data: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        let page = json!({"data": data, "paging": paging});
        prop_assert!(same::<Page<Media>>(&page.to_string()));
        let comment = json!({"id": "1", "replies": page});
        let nested = json!({"data": [comment.clone()], "paging": inner});
        prop_assert!(same::<Page<Comment>>(&nested.to_string()));
        let user = json!({"id": "1", "media": page});
        prop_assert!(same::<User>(&user.to_string()));
        prop_assert!(same::<Comment>(&comment.to_string()));

        let read: Page<Media> = serde_json::from_value(page).unwrap();
        let written = serde_json::to_string(&read).unwrap();
        for hidden in [TOKEN, "access_token", "graph.facebook.com", "https:"] {
            prop_assert!(!written.contains(hidden), "{written}");
        }
        let again: Page<Media> = serde_json::from_str(&written).unwrap();
        let ends = |page: &Page<Media>| {
            let own = |cursor: Option<&str>| cursor.map(str::to_owned);
            let cursors = (own(page.next_cursor()), own(page.previous_cursor()));
            (page.has_next(), page.has_previous(), cursors)
        };
        prop_assert_eq!(ends(&again), ends(&read));
    }
}

/// The rate limits belong to the reply.
#[test]
fn a_page_of_a_call_reads_back() {
    let headers = [(
        "X-App-Usage",
        r#"{"call_count":7,"total_time":1,"total_cputime":2}"#,
    )];
    let server = Server::script([common::reply("200 OK", &headers, &feed_page(0, 2, 9))]);
    let page = server.api().my_media("").pages().next().unwrap().unwrap();
    assert!(page.usage.app.is_some());
    let written = serde_json::to_string(&page).unwrap();
    assert_eq!(
        written,
        r#"{"data":[{"id":"0"},{"id":"1"}],"paging":{"cursors":{"before":"c0","after":"c2"},"next":"?after=c2"}}"#
    );
    let again: Page<Media> = serde_json::from_str(&written).unwrap();
    assert_eq!(
        (again.next_cursor(), again.has_previous()),
        (Some("c2"), false)
    );
    assert_eq!(again, page);
    let mut other = again;
    other.data.pop();
    assert_ne!(other, page);
    // Whether there is a next page is part of it.
    let last: Page<Media> = serde_json::from_str(&written.replace("next", "x")).unwrap();
    assert_ne!(last, page);
}

#[test]
fn errors_name_the_type_and_the_place() {
    let error = serde_json::from_str::<Media>(r#"{"id":"1","caption":true}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid type: boolean `true`, expected another type at line 1 column 24"
    );
    let error = serde_json::from_str::<Media>(r#"{"caption":"x"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a required field is missing or invalid at line 1 column 15"
    );
}

#[test]
fn inside_other_types() {
    let text = r#"{"a":{"id":"1","media_type":"VIDEO"},"b":null}"#;
    let media: BTreeMap<String, Option<Media>> = serde_json::from_str(text).unwrap();
    let a = media["a"].as_ref().unwrap();
    assert_eq!(
        (a.media_type.clone(), &media["b"]),
        (Some(MediaType::Video), &None)
    );
    assert_eq!(serde_json::to_string(&media).unwrap(), text);
}
