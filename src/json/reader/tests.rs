use super::*;
use miniserde::de::{Map, Seq};
use miniserde::json::{Number, Value};
use miniserde::{Deserialize, make_place};
use proptest::prelude::*;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Accepts every document and keeps nothing of it.
struct Ignored;

impl Deserialize for Ignored {
    fn begin(out: &mut Option<Ignored>) -> &mut dyn Visitor {
        *out = Some(Ignored);
        <dyn Visitor>::ignore()
    }
}

fn check(text: &str) -> std::result::Result<(), JsonError> {
    read::<Ignored>(text).map(|_| ())
}

fn fault<T: Deserialize>(text: &str) -> JsonError {
    match read::<T>(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(fault) => fault,
    }
}

/// The tree as serde_json has it.
fn tree(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Number(Number::U64(n)) => (*n).into(),
        Value::Number(Number::I64(n)) => (*n).into(),
        Value::Number(Number::F64(n)) => (*n).into(),
        Value::String(s) => s.as_str().into(),
        Value::Array(list) => list.iter().map(tree).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), tree(v))).collect(),
    }
}

/// Each rule of the grammar: what follows it, and what breaks it.
const GRAMMAR: &[(&str, &[&str], &[&str])] = &[
    (
        "white space",
        &[
            " 1",
            "1 ",
            "\t1\r\n",
            " [ ] ",
            "{\n}",
            "[1 , 2]",
            "{ \"a\" : 1 , \"b\" : 2 }",
        ],
        &[
            "\u{b}1",
            "\u{c}1",
            "\u{a0}1",
            "\u{2028}1",
            "\u{2060}1",
            "\u{feff}1",
            "\u{0}1",
            "1\0",
            "[\0]",
            "[1\u{c}]",
            "[\u{85}]",
        ],
    ),
    (
        "one document",
        &["1", "null", "\"\"", "[]", "{}"],
        &[
            "1 2",
            "[][]",
            "{}{}",
            "[]]",
            "[1]x",
            "{}}",
            "{} #",
            "nullnull",
            "\"a\" \"b\"",
            "[],",
            "{\"a\":1},",
            "]",
            "}",
            ",",
            ":",
            "*",
            "[a",
            "<html>",
            "# 1",
            "1/**/",
            "// 1\n1",
        ],
    ),
    (
        "literals",
        &["null", "true", "false", "[true,false,null]"],
        &[
            "nul ",
            "nulll",
            "Null",
            "NULL",
            "tru ",
            "True",
            "truE",
            "fals ",
            "falsy",
            "NaN",
            "nan",
            "Infinity",
            "-Infinity",
            "undefined",
            "None",
            "yes",
            "[nul]",
            "[truth]",
            "&",
            "'",
            "@",
        ],
    ),
    (
        "numbers",
        &[
            "0",
            "-0",
            "1",
            "-1",
            "10",
            "123",
            "-123",
            "1.5",
            "0.5",
            "-0.5",
            "1.0",
            "1e1",
            "1E1",
            "1e+1",
            "1e-1",
            "1E+2",
            "0e0",
            "0e+1",
            "-0e-1",
            "0.0e0",
            "1.5e3",
            "1e01",
            "1e00",
            "123456789012345678901234567890",
            "-123456789012345678901234567890",
            "1e9999",
            "-1e9999",
            "1e-9999",
            "123.456e789",
            "0.00000000000000000000000000000000000001",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "1.7976931348623157e999999999999999999999",
        ],
        &[
            "01", "-01", "00", "-00", "0x1", "0b1", "1_000", "1,000", "+1", "++1", "--1", "-+1",
            "- 1", "-a", ".5", "-.5", "+.5", "1.a", "1. ", "1.e1", "1..2", "1.2.3", "1ea", "1e ",
            "1e+a", "1e- ", "1eE2", "1e1.5", "1e+-1", "1f", "1a", "1-2", "1+2", "0e", "0.", "-x",
            "１", "1e１", "[1 000]", "[-]", "[-,]", "[1e]", "[1.]", "[0.e1]", "[2.e+3]", "[.]",
            "[0xF]", "[-2.]", "[1eE2]", "[1 2]", "[.2e-3]", "[-foo]", "[-NaN]", "[+Inf]", "[∞]",
        ],
    ),
    (
        "strings",
        &[
            r#""""#,
            r#""a""#,
            r#""\"\\\/\b\f\n\r\t""#,
            r#""\u0000""#,
            r#""\u00e9\u00E9""#,
            r#""\uD83C\uDF5E""#,
            r#""\ud83c\udf5e""#,
            "\"é\"",
            "\"🍞\"",
            "\"\u{7f}\"",
            "\"\u{80}\"",
            "\"\u{2028}\u{2029}\"",
            "\"\u{feff}\"",
            "\"\u{fffe}\u{ffff}\u{10ffff}\"",
            r#""'""#,
            r#""/""#,
            r#""/* no comment */""#,
            r#""\\u0041""#,
            r#""\u0022\u005c""#,
            "\"          \"",
        ],
        &[
            r#""a"#,
            r#"""""#,
            "'a'",
            "\"\n\"",
            "\"\t\"",
            "\"\0\"",
            "\"a\u{1f}b\"",
            "\"abcdefgh\u{1}\"",
            "\"\\\n\"",
            "\"\\\0\"",
            r#""\a""#,
            r#""\x41""#,
            r#""\u""#,
            r#""\u12""#,
            r#""\u12x4""#,
            r#""\u+123""#,
            r#""\u 123""#,
            r#""\uD83C\u""#,
            r#""\uD83C\u1""#,
            r#""\uD83C\uDF5x""#,
            r#""\U0041""#,
            r#""\'""#,
            r#""\é""#,
            r#""\0""#,
            r#""\u{41}""#,
            r#""\u００４１""#,
            "\\",
            "\\u0041",
            "a",
            "[\"a",
            "[\"\\",
            "[é]",
            "“a”",
        ],
    ),
    (
        "surrogates without a partner",
        &[
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\udfff\udfff""#,
            r#""\ud800\ud800""#,
            r#""\ud800x""#,
            r#""\ud800\n""#,
            r#""\ud800\u0041""#,
            r#"{"\ud800":1}"#,
            r#""\udc00\ud800""#,
        ],
        &[r#""\ud800\ud80""#, r#""\ud800\x""#],
    ),
    (
        "arrays",
        &[
            "[]",
            "[[]]",
            "[1]",
            "[1,2]",
            "[[],[[]]]",
            "[null]",
            "[{}]",
            "[\"]\"]",
            "[1,[2,{\"a\":[3]}]]",
        ],
        &[
            "[",
            "]",
            "[,]",
            "[1,]",
            "[,1]",
            "[1,,2]",
            "[1,,]",
            "[1;2]",
            "[1:2]",
            "[1}",
            "[[]",
            "[1",
            "[(1)]",
            "[1,\n",
            "[\"a\":1]",
            "[][",
            "[1]]",
            "[,,]",
            "[\"a\" \"b\"]",
            "[x",
            "[1,x",
            "[3[4]]",
        ],
    ),
    (
        "objects",
        &[
            "{}",
            r#"{"":0}"#,
            r#"{"a":1}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":{"a":{}}}"#,
            r#"{"a":[]}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"\u0061\n":1}"#,
            r#"{"a":"}"}"#,
            "{\"a\u{7f}\":1}",
        ],
        &[
            "{",
            "}",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1,,"b":2}"#,
            r#"{"a" 1}"#,
            r#"{"a"::1}"#,
            r#"{"a",1}"#,
            r#"{:1}"#,
            "{a:1}",
            "{'a':1}",
            "{1:1}",
            "{null:1}",
            "{[]:1}",
            r#"{"a":1"b":2}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":1]"#,
            r#"{"a":1;"b":2}"#,
            r#"{"a":1"#,
            r#"{"a":1}}"#,
            r#"{"a":"b"/**/}"#,
            r#"{"a":"b"}#"#,
            r#"{ "a" : "b" } x"#,
            r#"{"a":a}"#,
            r#"{"a":1,"b"}"#,
            "{\"a\n\":1}",
            "{\u{feff}}",
            "{{}:1}",
            r#"{"a"="b"}"#,
            r#"{,"a":1}"#,
        ],
    ),
];

#[test]
fn every_rule_of_the_grammar() {
    for (rule, valid, invalid) in GRAMMAR {
        for text in *valid {
            assert_eq!(check(text), Ok(()), "{rule}: {text:?}");
            let nested = format!(r#"{{"a":[{text}]}}"#);
            assert_eq!(check(&nested), Ok(()), "{rule}: {nested:?}");
            assert!(read::<Value>(text).is_ok(), "{rule}: {text:?}");
        }
        for text in *invalid {
            assert!(check(text).is_err(), "{rule}: {text:?}");
            assert!(read::<Value>(text).is_err(), "{rule}: {text:?}");
            // The table itself is right.
            let other = serde_json::from_str::<&RawValue>(text);
            assert!(other.is_err(), "{rule}: {text:?}");
        }
    }
    assert!(check("").is_err() && check(" ").is_err());
}

#[test]
fn values_are_what_was_written() {
    let value = read::<Value>(
        r#" {"a":[0,-0,-1,18446744073709551615,-9223372036854775808,1.5e1,true,false,null],
            "\u0061\"\\\/\b\f\n\r\t":"é\u00e9\ud83c\udf5e", "a":"last", "":{}} "#,
    );
    let expected = serde_json::json!({
        "a\"\\/\u{8}\u{c}\n\r\t": "éé🍞", "a": "last", "": {},
    });
    assert_eq!(tree(&value.unwrap()), expected);
    let numbers = "[0,-0,-1,18446744073709551615,-9223372036854775808,15e-1,-9223372036854775809]";
    let numbers = match read(numbers) {
        Ok(Value::Array(numbers)) => numbers,
        other => panic!("{other:?}"),
    };
    let shown: Vec<_> = numbers
        .iter()
        .map(|value| match value {
            Value::Number(Number::U64(n)) => format!("{n}u64"),
            Value::Number(Number::I64(n)) => format!("{n}i64"),
            Value::Number(Number::F64(n)) => format!("{n}f64"),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        "0u64",
        "0i64",
        "-1i64",
        "18446744073709551615u64",
        "-9223372036854775808i64",
        "1.5f64",
        "-9223372036854776000f64",
    ];
    assert_eq!(shown, expected);
    assert_eq!(read::<f64>("1e9999"), Ok(f64::INFINITY));
    assert_eq!(read::<f64>("-1e9999"), Ok(f64::NEG_INFINITY));
    assert_eq!(read::<f64>("0.1"), Ok(0.1));
    assert_eq!(read::<bool>("true"), Ok(true));
    assert_eq!(read::<Option<u8>>("null"), Ok(None));
}

#[test]
fn half_a_pair_is_a_replacement_character() {
    for (text, expected) in [
        (r"\ud83c\udf5e", "🍞"),
        (r"\ud83c\ud83c\uDF5E", "\u{fffd}🍞"),
        (r"a\ud83c", "a\u{fffd}"),
        (r"\udf5e\ud83c", "\u{fffd}\u{fffd}"),
        (r"\\ud83c", r"\ud83c"),
        (r"\\\ud83cx", "\\\u{fffd}x"),
        (r"\ud83c\n", "\u{fffd}\n"),
        (r"\ud83c\u00e9", "\u{fffd}é"),
        (r"\ud83cé", "\u{fffd}é"),
    ] {
        assert_eq!(
            read::<String>(&format!("\"{text}\"")).as_deref(),
            Ok(expected)
        );
    }
}

/// Escapes and control characters at every distance from the ends of the words
/// that are looked at in one go.
#[test]
fn strings_of_every_length() {
    for length in 0..40 {
        for text in ["a", "é", "🍞"] {
            let text = text.repeat(length);
            for (written, decoded) in [("", ""), ("\\n", "\n"), ("\\\"", "\""), ("\\u00e9", "é")] {
                for rest in ["", "b", "éabcdefghijklmnop"] {
                    let json = format!("[\"{text}{written}{rest}\",\"x\"]");
                    let expected = (format!("{text}{decoded}{rest}"), "x".to_owned());
                    assert_eq!(read::<(String, String)>(&json), Ok(expected), "{json}");
                }
            }
            let json = format!("\"{text}\u{1f}abcdefgh\"");
            assert_eq!(fault::<String>(&json).offset, 1 + text.len(), "{json}");
            assert_eq!(
                fault::<String>(&json[..=text.len()]).kind,
                JsonErrorKind::Truncated
            );
        }
    }
}

#[derive(Deserialize, Debug, PartialEq)]
struct Node {
    name: Option<String>,
    next: Option<Box<Node>>,
    list: Option<Vec<Node>>,
}

#[derive(Deserialize, Debug)]
#[allow(dead_code, reason = "read for its errors")]
struct Typed {
    id: u8,
    flag: Option<bool>,
    pair: Option<(u8, u8)>,
    map: Option<BTreeMap<u8, String>>,
}

#[test]
fn an_error_says_where_and_what() {
    use JsonErrorKind::{Refused, Syntax, Truncated};
    for (text, kind, offset, path) in [
        ("", Truncated, 0, ""),
        (r#"{"id":1"#, Truncated, 7, ""),
        (r#"{"id":tru"#, Truncated, 9, "id"),
        (r#"{"x":[1,{"a":"#, Truncated, 13, "x[1].a"),
        (r#"{"x":[1,2,{"y":?}]}"#, Syntax("a value"), 15, "x[2].y"),
        (r#"{"id" 1}"#, Syntax("`:`"), 6, ""),
        (r#"{"id":1 2}"#, Syntax("`,` or `}`"), 8, ""),
        (r#"{"x":[1 2]}"#, Syntax("`,` or `]`"), 8, "x"),
        (r#"{"id":1,}"#, Syntax("a key"), 8, ""),
        (r#"{"id":1}x"#, Syntax("the end of the document"), 8, ""),
        (r#"{"id":nuul}"#, Syntax("null"), 8, "id"),
        (r#"{"id":-}"#, Syntax("a digit"), 7, "id"),
        (r#"{"x":"\x"}"#, Syntax("an escape"), 7, "x"),
        (
            r#"{"x":"\u00zz"}"#,
            Syntax("four hexadecimal digits"),
            10,
            "x",
        ),
        (r#"{"id":"1"}"#, Refused("string"), 6, "id"),
        (r#"{"id":256}"#, Refused("number"), 6, "id"),
        (r#"{"id":1e9999}"#, Refused("number"), 6, "id"),
        (r#"{"id":1,"flag":[]}"#, Refused("array"), 15, "flag"),
        (r#"{"id": true}"#, Refused("boolean"), 7, "id"),
        (r#"{"id":null}"#, Refused("null"), 6, "id"),
        (r#"{"id":{}}"#, Refused("object"), 6, "id"),
        (
            r#"{"id":1,"pair":[1,"a"]}"#,
            Refused("string"),
            18,
            "pair[1]",
        ),
        (
            r#"{"id":1,"pair":[1,2, 3]}"#,
            Refused("element"),
            21,
            "pair",
        ),
        (
            r#"{"id":1,"map":{"1":"","b":""}}"#,
            Refused("key"),
            22,
            "map",
        ),
        (
            r#"{"id":1,"map":{"1":"","7":5}}"#,
            Refused("number"),
            26,
            "map.7",
        ),
        (r#"{"id":1,"map":{"a\nb":1}}"#, Refused("key"), 15, "map"),
    ] {
        let fault = fault::<Typed>(text);
        let found = (fault.kind, fault.offset, fault.path.as_str());
        assert_eq!(found, (kind, offset, path), "{text}");
    }
    let missing = "object, a required field is missing or invalid";
    assert_eq!(fault::<Typed>(r#"{"flag":true}"#).kind, Refused(missing));
    let inner = fault::<(Typed, Typed)>(r#"[{"id":1},{"flag":true}]"#);
    assert_eq!((inner.offset, inner.path.as_str()), (10, "[1]"));
    assert_eq!(inner.kind, Refused(missing));
    let short = fault::<(u8, u8)>("[1]");
    assert_eq!(short.kind, Refused("array, it has too few elements"));
    assert_eq!(fault::<u8>("[1]").kind, Refused("array"));
}

/// A hostile key is not shown, and no path is long.
#[test]
fn a_path_is_short_and_plain() {
    for key in [
        "",
        "a b",
        r"a\u0062",
        "a\u{202e}b",
        "é",
        "a.b",
        "a[0]",
        &"k".repeat(65),
    ] {
        let fault = fault::<Value>(&format!(r#"{{"a":{{"{key}":[?]}}}}"#));
        assert_eq!(fault.path, "a.?[0]", "{key}");
    }
    let key = "k".repeat(64);
    let text = format!(r#"{{"{key}":"#).repeat(100) + "?";
    let fault = fault::<Value>(&text);
    assert_eq!(fault.path, format!("….{key}.{key}.{key}"));
}

#[test]
fn nesting_has_one_limit_for_all() {
    let most = MAX_DEPTH as usize;
    for (open, close) in [
        ("[", "]"),
        (r#"{"a":"#, "}"),
        (r#"[{"a":"#, "}]"),
        (r#"{"next":"#, "}"),
    ] {
        let levels = most / open.matches(['[', '{']).count();
        let text = format!("{}1{}", open.repeat(levels), close.repeat(levels));
        assert_eq!(check(&text), Ok(()), "{open}");
        assert!(read::<Value>(&text).is_ok(), "{open}");
        let over = format!("[{text}]");
        assert_eq!(
            fault::<Ignored>(&over).kind,
            JsonErrorKind::TooDeep,
            "{open}"
        );
        assert_eq!(fault::<Value>(&over).kind, JsonErrorKind::TooDeep, "{open}");
    }
    // Side by side they do not add up.
    assert_eq!(
        check(&format!("[{}[]]", "[],{\"a\":[]},".repeat(1000))),
        Ok(())
    );
}

/// The smallest stack that threads commonly have.
#[test]
fn a_small_stack_is_enough() {
    let run = || {
        let most = MAX_DEPTH as usize;
        let next = format!(
            "{}{{}}{}",
            r#"{"next":"#.repeat(most - 1),
            "}".repeat(most - 1)
        );
        let list = format!(
            "{}{}",
            r#"{"list":["#.repeat(most / 2),
            "]}".repeat(most / 2)
        );
        for text in [next, list] {
            let node = read::<Node>(&text).unwrap();
            assert!(node.name.is_none());
            drop(node);
            assert!(read::<Value>(&text).is_ok());
            assert_eq!(check(&text), Ok(()));
        }
        for open in [
            "[",
            r#"{"next":"#,
            r#"{"list":["#,
            r#"{"other":["#,
            r#"[{"a":"#,
            "[[],[{},",
        ] {
            let text = open.repeat(1_000_000);
            let kinds = [fault::<Ignored>(&text).kind, fault::<Value>(&text).kind];
            assert_eq!(kinds, [JsonErrorKind::TooDeep; 2], "{open}");
            let kind = fault::<Node>(&text).kind;
            let refused = open.starts_with('[');
            assert_eq!(kind == JsonErrorKind::Refused("array"), refused, "{open}");
            assert_eq!(kind == JsonErrorKind::TooDeep, !refused, "{open}");
        }
    };
    let thread = std::thread::Builder::new().stack_size(256 * 1024);
    thread.spawn(run).unwrap().join().unwrap();
}

#[test]
fn the_number_of_containers_is_bounded() {
    let most = MAX_CONTAINERS as usize;
    assert_eq!(check(&format!("[{}[]]", "{},".repeat(most - 2))), Ok(()));
    let over = fault::<Ignored>(&format!("[{}[]]", "{},".repeat(most - 1)));
    assert_eq!(over.kind, JsonErrorKind::TooMany);
}

/// Of an ignored number nothing is computed, however long it is.
#[test]
fn ignored_numbers_cost_nothing() {
    struct Unasked;
    make_place!(Place);
    impl Deserialize for Unasked {
        fn begin(out: &mut Option<Unasked>) -> &mut dyn Visitor {
            Place::new(out)
        }
    }
    impl Visitor for Place<Unasked> {
        fn map(&mut self) -> Result<Box<dyn Map + '_>> {
            self.out = Some(Unasked);
            <dyn Visitor>::ignore().map()
        }
        fn seq(&mut self) -> Result<Box<dyn Seq + '_>> {
            self.out = Some(Unasked);
            <dyn Visitor>::ignore().seq()
        }
    }
    let long = "9".repeat(1_000_000);
    let text = format!(r#"{{"a":{long},"b":[-{long}.{long}e{long},1e-{long}]}}"#);
    assert!(read::<Unasked>(&text).is_ok());
    assert!(is_ignored(<dyn Visitor>::ignore()));
    let mut place = None::<Unasked>;
    assert!(!is_ignored(Unasked::begin(&mut place)));
}

#[test]
fn a_document_that_ends_early_is_truncated() {
    let text = r#" {"a":[1,-2.5e+7,true,false,null,"x\n\u00e9\ud83c\udf5e",{}],"é":{"b":[[]]}}"#;
    assert_eq!(check(text), Ok(()));
    for (end, _) in text.char_indices() {
        let part = &text[..end];
        assert_eq!(
            fault::<Ignored>(part).kind,
            JsonErrorKind::Truncated,
            "{part}"
        );
        assert_eq!(
            fault::<Value>(part).kind,
            JsonErrorKind::Truncated,
            "{part}"
        );
        assert_eq!(fault::<Ignored>(part).offset, end, "{part}");
    }
}

/// The same documents as serde_json, and the same values.
fn same_as_serde_json(text: &str) {
    let ours = read::<Value>(text);
    assert_eq!(check(text).as_ref().err(), ours.as_ref().err(), "{text}");
    let grammar = serde_json::from_str::<&RawValue>(text);
    match (&ours, grammar) {
        (Ok(_), Ok(_)) => {}
        (Err(fault), Err(error)) => {
            // serde_json calls a sign without digits an invalid number, and takes four
            // bytes for the digits of an escape before it looks at them.
            let number = error.to_string().starts_with("invalid number");
            let digits = text.rfind("\\u").is_some_and(|at| text.len() - at < 6);
            assert!(
                match fault.kind {
                    JsonErrorKind::Truncated => error.is_eof() || number,
                    _ => !error.is_eof() || digits,
                },
                "{text}: {error}"
            );
        }
        (Err(fault), Ok(_)) => {
            assert!(
                matches!(fault.kind, JsonErrorKind::TooDeep | JsonErrorKind::TooMany),
                "{text}"
            );
        }
        (Ok(_), Err(error)) => panic!("accepted: {text}: {error}"),
    }
    let Ok(ours) = ours else { return };
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(theirs) => assert_eq!(zero(tree(&ours)), zero(theirs), "{text}"),
        Err(error) => {
            let error = error.to_string();
            let known = [
                "number out of range",
                "recursion limit",
                "lone leading",
                "unexpected end of hex",
            ];
            assert!(
                known.iter().any(|known| error.starts_with(known)),
                "{text}: {error}"
            );
        }
    }
}

/// `-0` is an integer here and a float there.
fn zero(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Array(list) => list.into_iter().map(zero).collect(),
        serde_json::Value::Object(map) => map.into_iter().map(|(k, v)| (k, zero(v))).collect(),
        value if value.as_f64() == Some(0.0) && value.is_f64() => 0.into(),
        value => value,
    }
}

/// A document, valid or nearly.
fn document() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("JSON", |n| n.is_finite())
            .prop_map(|n| format!("{n:e}")),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?",
        any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
        string(),
    ];
    scalar.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec((space(), inner.clone(), space()), 0..6).prop_map(|list| {
                let list: Vec<_> = list.iter().map(|(a, b, c)| format!("{a}{b}{c}")).collect();
                format!("[{}]", list.join(","))
            }),
            prop::collection::vec((space(), string(), space(), inner), 0..6).prop_map(|list| {
                let list: Vec<_> = list
                    .iter()
                    .map(|(a, b, c, d)| format!("{a}{b}{c}:{a}{d}"))
                    .collect();
                format!("{{{}}}", list.join(","))
            }),
        ]
    })
}

fn space() -> impl Strategy<Value = String> {
    "[ \n\r\t]{0,2}".boxed()
}

/// A string with every kind of escape, surrogates in any order among them.
fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-z \u{7f}\u{80}é🍞]{0,20}",
        r#"\\["\\/bfnrt]"#,
        r"\\u[0-9a-fA-F]{4}",
        r"\\u[dD][89a-fA-F][0-9a-f]{2}",
        r"\\u[dD][89abAB][0-9a-f]{2}\\u[dD][c-fC-F][0-9a-f]{2}",
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn documents_read_as_serde_json_reads_them(text in document()) {
        prop_assert_eq!(check(&text), Ok(()));
        same_as_serde_json(&text);
    }

    #[test]
    fn broken_documents_are_refused_as_serde_json_refuses_them(
        text in document(),
        at: prop::sample::Index,
        length in 0usize..3,
        what in "[\\[\\]{},:\"\\\\0-9eE.+tfn\\- \u{0}-\u{1f}é]{0,2}",
    ) {
        let chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let mut broken: String = chars[..at].iter().collect();
        broken.push_str(&what);
        broken.extend(chars.iter().skip(at + length));
        same_as_serde_json(&broken);
    }

    #[test]
    fn any_text_of_json_is_treated_as_serde_json_treats_it(
        text in "[\\[\\]{},:\"\\\\u0-9eE.+\\-truefalsn \n]{0,30}",
    ) {
        same_as_serde_json(&text);
    }

    #[test]
    fn an_offset_and_a_path_fit_the_document(text in document(), at: prop::sample::Index) {
        let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let end = boundaries[at.index(boundaries.len())];
        let mut broken = text[..end].to_owned();
        write!(broken, "\u{1}").unwrap();
        if let Err(fault) = check(&broken) {
            prop_assert!(fault.offset <= broken.len());
            prop_assert!(broken.is_char_boundary(fault.offset));
            prop_assert!(fault.path.len() <= MAX_PATH + 2 * MAX_KEY);
        }
    }
}
