//! The feature `serde`: the same JSON as miniserde, read by the same rules.
#![cfg(feature = "serde")]

mod common;

use common::fixtures;
use mingram::insights::{
    Breakdown, Dimension, Group, Insight, Metric, MetricType, Period, Point, Timeframe, Total,
    Value as Number,
};
use mingram::{
    AccountType, Comment, CommentAuthor, CommentMedia, Cursors, Media, MediaAudioType,
    MediaProductType, MediaType, Owner, Page, User, miniserde,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Debug;

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
