//! Your own types in `Api::node` and `Api::edge`: with miniserde's derive, with serde's, and
//! the reply as it is.

mod common;

use common::{Server, json};
use mingram::ErrorKind;
use mingram::miniserde::json::{Number, Value};

/// Numbers that a float, or a signed integer, would change.
const NUMBERS: &str = r#"{"id":"1","big":18446744073709551615,"exact":9007199254740993,"low":-9223372036854775808,"share":0.1,"beyond":36893488147419103232,"list":[{},null,true,"\u00e9"]}"#;

#[test]
fn a_reply_as_it_is() {
    let server = Server::script([json("200 OK", NUMBERS)]);
    let reply: Value = server.api().node("me/new", &[]).unwrap();
    let Value::Object(reply) = reply else {
        panic!("{reply:?}")
    };
    assert!(matches!(reply["big"], Value::Number(Number::U64(u64::MAX))));
    assert!(matches!(
        reply["exact"],
        Value::Number(Number::U64(9_007_199_254_740_993))
    ));
    assert!(matches!(reply["low"], Value::Number(Number::I64(i64::MIN))));
    assert!(matches!(reply["share"], Value::Number(Number::F64(n)) if n == 0.1));
    assert!(matches!(reply["beyond"], Value::Number(Number::F64(n)) if n == 2f64.powi(65)));
    assert_eq!(
        mingram::miniserde::json::to_string(&reply["list"]),
        r#"[{},null,true,"é"]"#
    );
}

#[test]
fn an_error_object_is_no_reply() {
    let object = r#"{"error":{"message":"no","code":100}}"#;
    let server = Server::script([json("200 OK", object)]);
    let error = server.api().node::<Value>("me/new", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api);
}

#[cfg(feature = "serde")]
mod with_serde {
    use super::*;
    use common::replay::TOKEN;
    use mingram::{Error, Media, MediaType, Serde, miniserde};
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    struct Everything {
        id: String,
        big: u64,
        low: i64,
        share: f64,
        small: Option<u8>,
        absent: Option<String>,
        #[serde(default)]
        defaulted: Vec<u8>,
        letter: char,
        unit: (),
        pair: (u8, String),
        newtype: Newtype,
        list: Vec<Option<Vec<i32>>>,
        hours: BTreeMap<u8, f32>,
        by_kind: BTreeMap<Kind, BTreeMap<String, bool>>,
        kinds: Vec<Kind>,
        shapes: Vec<Shape>,
        either: Either,
        media: Media,
        media_type: MediaType,
        raw: serde_json::Value,
        #[serde(flatten)]
        rest: BTreeMap<String, serde_json::Value>,
    }

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    struct Newtype(i128);

    #[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
    #[serde(rename_all = "UPPERCASE")]
    enum Kind {
        Image,
        Video,
    }

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    enum Shape {
        Unit,
        One(f64),
        Two(u8, u8),
        Named { id: u64 },
    }

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
        Object { id: String },
    }

    const EVERYTHING: &str = r#"{"id":"1","big":18446744073709551615,"low":-9223372036854775808,"share":0.1,
        "small":null,"letter":"\ud83d\udc4d","unit":null,"pair":[7,"x"],"newtype":-5,"list":[[1,-2],null,[]],
        "hours":{"0":1,"23":0.5},"by_kind":{"IMAGE":{"a":true},"VIDEO":{}},"kinds":["VIDEO","IMAGE"],
        "shapes":["Unit",{"One":1.5},{"Two":[1,2]},{"Named":{"id":9}}],"either":{"id":"e"},
        "media":{"id":2,"like_count":"3"},"media_type":"BROADCAST","raw":{"a":[1,2.5,null,"x",{}]},
        "extra":[18446744073709551615,-1,1e300],"id":"2"}"#;

    /// As serde_json reads it, which shares no code with mingram.
    fn as_serde_json<T: DeserializeOwned + Debug + PartialEq>(text: &str) -> bool {
        // From a tree, in which the last of duplicate keys counts.
        let tree: serde_json::Value = serde_json::from_str(text).unwrap();
        let wanted: Option<T> = serde_json::from_value(tree).ok();
        let server = Server::script([json("200 OK", &format!(r#"{{"data":[{text}]}}"#))]);
        let mut items = server.api().edge::<Serde<T>>("me/x").into_iter();
        let read = items.next().unwrap();
        let read = read.map(|Serde(value)| value).ok();
        assert_eq!(read, wanted, "{text}");
        wanted.is_some()
    }

    #[test]
    fn every_type_of_serde() {
        assert!(as_serde_json::<Everything>(EVERYTHING));
        let server = Server::script([json("200 OK", EVERYTHING)]);
        let Serde(read) = server
            .api()
            .node::<Serde<Everything>>("me/new", &[])
            .unwrap();
        let wanted: Everything =
            serde_json::from_value(serde_json::from_str(EVERYTHING).unwrap()).unwrap();
        assert_eq!(read, wanted);
        assert_eq!(
            (read.big, read.low, read.share),
            (u64::MAX, i64::MIN, 0.1),
            "{read:?}"
        );
        assert_eq!((read.small, read.absent), (None, None));
        assert_eq!(read.rest["extra"][0], u64::MAX);
    }

    #[test]
    fn values_that_are_no_objects() {
        for text in [
            "null",
            "true",
            "0",
            "-1",
            "256",
            "1.5",
            "1e30",
            r#""x""#,
            r#""IMAGE""#,
            "[]",
            "[1]",
            r#"[7,"x"]"#,
            r#"[7,"x",1]"#,
            "{}",
            r#"{"Two":[1,2]}"#,
            r#"{"Unit":null}"#,
            r#"{"One":1,"Two":[1,2]}"#,
            r#"{"1":true}"#,
            r#"{"256":true}"#,
            r#"{"x":true}"#,
        ] {
            as_serde_json::<()>(text);
            as_serde_json::<bool>(text);
            as_serde_json::<u8>(text);
            as_serde_json::<i64>(text);
            as_serde_json::<u128>(text);
            as_serde_json::<f64>(text);
            as_serde_json::<String>(text);
            as_serde_json::<char>(text);
            as_serde_json::<Option<u8>>(text);
            as_serde_json::<Vec<u8>>(text);
            as_serde_json::<(u8, String)>(text);
            as_serde_json::<Newtype>(text);
            as_serde_json::<Kind>(text);
            as_serde_json::<Shape>(text);
            as_serde_json::<Either>(text);
            as_serde_json::<BTreeMap<u8, bool>>(text);
            as_serde_json::<BTreeMap<i128, bool>>(text);
            as_serde_json::<BTreeMap<bool, bool>>(text);
            as_serde_json::<Option<BTreeMap<i32, Option<bool>>>>(text);
            as_serde_json::<serde_json::Value>(text);
        }
    }

    fn document() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            (-1e300..1e300).prop_map(Into::into),
            ".{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::btree_map("[a-c0-9]{0,3}", inner, 0..6)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn any_document(document in document()) {
            prop_assert!(as_serde_json::<serde_json::Value>(&document.to_string()));
        }

        /// With one of its values replaced, serde accepts or refuses the same.
        #[test]
        fn any_change(key in 0usize..22, value in document()) {
            let mut tree: serde_json::Value = serde_json::from_str(EVERYTHING).unwrap();
            let name = tree.as_object().unwrap().keys().nth(key % tree.as_object().unwrap().len()).unwrap().clone();
            tree[name] = value;
            as_serde_json::<Everything>(&tree.to_string());
        }
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Live {
        id: String,
        likes: Option<u64>,
        owner: Option<Owner>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Owner {
        ids: Vec<u64>,
    }

    fn live(id: &str) -> Serde<Live> {
        Serde(Live {
            id: id.into(),
            likes: None,
            owner: None,
        })
    }

    #[test]
    fn an_unreadable_item_is_an_error_of_its_own() {
        let page = r#"{"data":[{"id":"1"},{"likes":2},{"id":"3"},{"id":"4","likes":"many"},
            {"id":"5","owner":{"ids":[1,{}]}},"6",{"id":"7"}]}"#;
        let server = Server::script([json("200 OK", page)]);
        let edge = server.api().edge::<Serde<Live>>("me/live_media");
        let (items, errors): (Vec<_>, Vec<_>) = edge.into_iter().partition(Result::is_ok);
        // The iterator stops at the first error.
        assert_eq!((items.len(), errors.len()), (1, 1));

        let (mut items, mut errors) = (Vec::new(), Vec::new());
        let server = Server::script(vec![json("200 OK", page); 5]);
        let api = server.api();
        let mut edge = api.edge::<Serde<Live>>("me/live_media");
        for _ in 0..5 {
            let mut reading = edge.into_iter();
            for item in reading.by_ref() {
                match item {
                    Ok(item) => items.push(item),
                    Err(error) => errors.push(error),
                }
            }
            edge = api.edge("me/live_media").resume(&reading.position());
        }
        assert_eq!(items, ["1", "3", "7"].map(live));
        for (error, wanted) in errors.iter().zip([
            "(data[1]): missing field `id`: ",
            "(data[3]): likes: invalid type: string \"many\", expected u64: ",
            "(data[4]): owner: ids: [1]: invalid type: map, expected u64: ",
            "(data[5]): invalid type: string \"6\", expected struct Live: ",
        ]) {
            assert!(error.is_unreadable_item(), "{error}");
            let message = error.to_string();
            assert!(message.contains(wanted), "{message}");
        }
        assert_eq!(errors.len(), 4);
    }

    fn node(body: &str) -> Error {
        let server = Server::script([json("200 OK", body)]);
        server.api().node::<Serde<Live>>("me/x", &[]).unwrap_err()
    }

    #[test]
    fn serde_says_what_is_missing() {
        let error = node(r#"{"likes":1}"#);
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(
            error.to_string(),
            "GET /me/x: the reply is not a valid Serde<Live> at byte 0 of 11: missing field `id`: {\"likes\":1}"
        );
        // What is not of serde keeps its own message.
        assert!(node(r#"{"id":"1""#).to_string().contains("it ends early"));
        let error = node(&format!(r#"{{"id":"1","likes":"{TOKEN}"}}"#));
        assert!(
            error
                .to_string()
                .contains("of 32: (not shown: it contains a secret): (not shown"),
            "{error}"
        );
        assert!(!format!("{error:?}{error}").contains(&TOKEN[..8]));
        // A long text of the service is shown in part.
        let error = node(&format!(
            r#"{{"id":"1","likes":"{}"}}"#,
            "x".repeat(100_000)
        ));
        assert!(
            error.to_string().len() < 2500,
            "{}",
            error.to_string().len()
        );
    }

    /// A node may be wrapped, an empty list is an empty one, and a type may be nested in one
    /// with miniserde's derive.
    #[test]
    fn wrapped_and_nested() {
        let server = Server::script([
            json("200 OK", r#"{"data":[{"id":"8"}]}"#),
            json("200 OK", r#"{"data":[]}"#),
            json("200 OK", r#"{"live":{"id":"9"}}"#),
            json("200 OK", r#"{"live":{}}"#),
        ]);
        #[derive(Debug, miniserde::Deserialize)]
        struct Outer {
            live: Serde<Live>,
        }
        let api = server.api();
        assert_eq!(api.node::<Serde<Live>>("8", &[]).unwrap(), live("8"));
        assert_eq!(api.edge::<Serde<Live>>("8/x").into_iter().count(), 0);
        assert_eq!(api.node::<Outer>("9", &[]).unwrap().live, live("9"));
        let error = api.node::<Outer>("9", &[]).unwrap_err().to_string();
        assert!(error.contains("(live): missing field `id`: "), "{error}");
    }
}
