//! Replies that are good HTTP and bad otherwise: JSON, pages, errors, tokens.

use crate::common::secrets::{found, shown};
use crate::common::{self, Server, fixtures};
use crate::{
    CAP, CODE, Call, TOKEN, Want, api_for, check, exchange, fails, feed, file, gives, json, login,
    me, refresh, row, rows_of_replies, sends, try_all,
};
use mingram::auth::Code;
use mingram::comments::Comment;
use mingram::insights::Insight;
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, ErrorKind as K, Items, Media, MediaField as M, User};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The bytes of a recorded reply, and where its body begins.
fn fixture(name: &str) -> (Vec<u8>, usize) {
    let reply = fixtures()
        .into_iter()
        .find(|fixture| fixture.name == name)
        .unwrap()
        .reply;
    let head = reply
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    (reply, head)
}

fn status(line: &str, body: &str) -> Vec<u8> {
    common::reply(line, &[("Content-Type", "text/html")], body).into_bytes()
}

/// The caption, or the whole error.
fn media(api: &Api, _: &Server) -> mingram::Result<String> {
    api.media("1", M::PROFESSIONAL)
        .map(|media| media.caption.unwrap_or_default())
}

#[test]
#[rustfmt::skip]
fn json_that_is_none() {
    let not_json = |piece| fails(K::NotJson, piece);
    let user = |piece| fails(K::Decode, piece);
    let bom = |body: &str| sends(json(&format!("\u{feff}{body}")));
    try_all(vec![
        row("empty", sends(json("")), me, not_json("application/json; charset=UTF-8, 0 bytes): (empty)")),
        row("white space", sends(json(" \r\n")), me, not_json("is not JSON")),
        row("HTML with 200", sends(status("200 OK", "<html><b>Sorry")), me, not_json("(HTTP 200, text/html, 14 bytes): <html><b>Sorry")),
        row("HTML with 502", sends(status("502 Bad Gateway", "<html>\r\n<b>Sorry")), me, fails(K::Status, "HTTP 502 (text/html, 16 bytes): <html> <b>Sorry")),
        row("plain text", sends(json("Sorry, this content isn't available right now")), me, not_json("Sorry, this content isn't")),
        row("a number until the end", sends("HTTP/1.1 200 OK\r\n\r\n42"), me, user("the reply is JSON, but not an object (HTTP 200, no content type, 2 bytes): 42")),
        row("half a word until the end", sends("HTTP/1.1 200 OK\r\n\r\ntru"), me, not_json("the reply is not JSON (HTTP 200, no content type, 3 bytes): tru")),
        row("a word with 500", sends(status("500 No", "null")), me, fails(K::Status, "HTTP 500 (text/html, 4 bytes): null")),
        row("an array", sends(json("[]")), me, user("the reply is not a valid User at byte 0 of 2: expected object, unexpected array: []")),
        row("an array of users", sends(json(r#"[{"id":"1"}]"#)), me, user("User at byte 0 of 12: expected object, unexpected array: [{")),
        row("an empty object", sends(json("{}")), me, user("User at byte 0 of 2 (id): a required field is missing or invalid: {}")),
        row("no id", sends(json(r#"{"username":"x"}"#)), me, user(r#"User at byte 0 of 16 (id): a required field is missing or invalid: {"username":"x"}"#)),
        row("null for the id", sends(json(r#"{"id":null}"#)), me, user(r#"User at byte 0 of 11 (id): a required field is missing or invalid: {"id":null}"#)),
        row("wrapped", sends(json(r#"{"data":[{"id":"1"}]}"#)), me, gives("1")),
        row("wrapped and empty", sends(json(r#"{"data":[]}"#)), me, user(r#"User at byte 0 of 11 (id): a required field is missing or invalid: {"data":[]}"#)),
        row("an object for a page", sends(json(r#"{"id":"1"}"#)), feed, fails(K::Decode, "Page<Media> at byte 0 of 10 (data): a required field")),
        row("null for the items", sends(json(r#"{"data":null}"#)), feed, fails(K::Decode, "Page<Media>")),
        row("an object for the items", sends(json(r#"{"data":{}}"#)), feed, fails(K::Decode, "Page<Media> at byte 8 of 11 (data): expected array, unexpected object: {")),
        row("null for an item", sends(json(r#"{"data":[{"id":"1"},null]}"#)), feed, fails(K::Decode, "Page<Media> at byte 20 of 26 (data[1]): expected object, unexpected null: {")),
        row("an item without id", sends(json(r#"{"data":[{"id":"1"},{}]}"#)), feed, fails(K::Decode, "at byte 20 of 24 (data[1].id): a required field is missing")),
        row("a number for the id", sends(json(r#"{"id":17841405793187218}"#)), me, gives("17841405793187218")),
        row("a fraction for the id", sends(json(r#"{"id":1.5}"#)), me, user(r#"(id): a required field is missing or invalid: {"id":1.5}"#)),
        row("a negative id", sends(json(r#"{"id":-1}"#)), me, user(r#"(id): a required field is missing or invalid: {"id":-1}"#)),
        row("a number that is too large", sends(json(r#"{"id":99999999999999999999999}"#)), me, user(r#"(id): a required field is missing or invalid: {"id":9999"#)),
        row("duplicate keys", sends(json(r#"{"id":"1","id":"2"}"#)), me, gives("2")),
        row("duplicate items", sends(json(r#"{"data":[{"id":"1"}],"data":[{"id":"2"}]}"#)), feed, gives("2")),
        row("two documents", sends(json(r#"{"id":"1"}{"id":"2"}"#)), me, user(r#"at byte 10 of 20: expected the end of the document: {"id":"1"}{"id":"2"}"#)),
        row("garbage behind", sends(json(r#"{"id":"1"}x"#)), me, user(r#"at byte 10 of 11: expected the end of the document: {"id":"1"}x"#)),
        row("a comma too many", sends(json(r#"{"id":"1",}"#)), me, user(r#"at byte 10 of 11: expected a key: {"id":"1",}"#)),
        row("a comma too few", sends(json(r#"{"id":"1" "name":"x"}"#)), me, user(r#"at byte 10 of 21: expected `,` or `}`: {"id":"1" "name":"x"}"#)),
        row("NaN", sends(json(r#"{"id":"1","x":NaN}"#)), me, user(r#"at byte 14 of 18 (x): expected a value: {"id":"1","x":NaN}"#)),
        row("a raw line break in a string", sends(json("{\"id\":\"1\n\"}")), me, user(r#"at byte 8 of 11 (id): expected no raw control character: {"id":"1 "}"#)),
        row("a raw NUL in a string", sends(json("{\"id\":\"1\0\"}")), me, user(r#"at byte 8 of 11 (id): expected no raw control character: {"id":"1 "}"#)),
        row("an escaped NUL in a string", sends(json(r#"{"id":"1\u0000"}"#)), me, gives("1\0")),
        row("a BOM", bom(r#"{"id":"1"}"#), me, gives("1")),
        row("a BOM alone", bom(""), me, not_json("is not JSON")),
        row("a BOM before an error", bom(r#"{"error":{"message":"m","code":190}}"#), me, fails(K::Api, "error 190 (HTTP 200): m")),
        row("a pair of surrogates", sends(json(r#"{"id":"1","caption":"\ud83c\udf5e"}"#)), media, gives("\u{1f35e}")),
        row("a high surrogate alone", sends(json(r#"{"id":"1","caption":"a\ud83cb"}"#)), media, gives("a\u{fffd}b")),
        row("a low surrogate alone", sends(json(r#"{"id":"1","caption":"a\uDF5E\\ud83c"}"#)), media, gives(r"a�\ud83c")),
        row("surrogates in the wrong order", sends(json(r#"{"id":"1","caption":"\udf5e\ud83c\ud83c\udf5e"}"#)), media, gives("\u{fffd}\u{fffd}\u{1f35e}")),
        row("a surrogate at the end", sends(json(r#"{"id":"1","caption":"\ud83c"}"#)), media, gives("\u{fffd}")),
        row("half a surrogate", sends(json(r#"{"id":"1","caption":"\ud8"}"#)), media, fails(K::Decode, "Media at byte 25 of 27 (caption): expected four hexadecimal digits: {")),
        row("an absurd number for a count", sends(json(r#"{"id":"1","like_count":1e9999}"#)), me, gives("1")),
        row("an absurd number in an ignored field", sends(json(r#"{"id":"1","x":[-1e9999,1e-9999]}"#)), me, gives("1")),
    ]);
}

/// JSON of every other type is JSON, and what only begins like it is not.
#[test]
#[rustfmt::skip]
fn scalars() {
    let scalars = [
        "42", "0", "-0", "-1.5e-3", "1E9999", "17841405793187218", "true", "false", "null",
        r#""""#, r#""text""#, r#""\ud83c\u0022{[é""#,
    ];
    let around = [("", ""), (" \r\n\t", "\n "), ("\u{feff}", ""), ("\u{feff} ", " ")];
    let scalars = scalars.iter().flat_map(|scalar| {
        around.map(|(before, after)| (format!("{before}{scalar}{after}"), K::Decode, "JSON, but not an object"))
    });
    let others = [
        "42 43", "042", "+1", "1.", "1e", "-", ".5", "0x1", "tru", "truex", "True", "nulll",
        "NaN", "'x'", "\"x", "\"x\"y", "\"\\x\"", "\"a\nb\"", "1,", "1{}", "\u{feff}\u{feff}1",
        "1\u{feff}", "\u{a0}1", "\u{c}1", "//1", "true false",
    ];
    let others = others.map(|text| (text.to_owned(), K::NotJson, "not JSON"));
    for (body, kind, what) in scalars.chain(others) {
        let api = Api::new(TOKEN).with_transport(Reply(body.clone()));
        let says = format!("the reply is {what} (HTTP 200, no content type, {} bytes): ", body.len());
        for error in [
            api.me("").unwrap_err(),
            api.node::<String>("x", &[]).unwrap_err(),
            api.node::<Option<u64>>("x", &[]).unwrap_err(),
            api.my_media("").pages().next().unwrap().unwrap_err(),
            api.refresh_token().unwrap_err(),
        ] {
            assert_eq!(error.kind(), kind, "{body:?}: {error}");
            assert_eq!(error.status(), Some(200));
            assert!(error.to_string().contains(&says), "{body:?}: {error}");
        }
    }
}

/// 200,000 levels deep: refused everywhere, also in ignored fields and error objects.
#[test]
fn nested_arrays() {
    const DEEP: usize = 200_000;
    let (open, close) = ("[".repeat(DEEP), "]".repeat(DEEP));
    let maps = r#"{"a":"#.repeat(DEEP) + "1" + &"}".repeat(DEEP);
    let albums = r#"{"id":"1","children":{"data":["#.repeat(DEEP / 10) + &"]}}".repeat(DEEP / 10);
    let nested = format!("{open}{close}");
    let documents = [
        nested.clone(),
        maps.clone(),
        format!(r#"{{"id":"1","x":{nested}}}"#),
        format!(r#"{{"id":"1","x":{maps}}}"#),
        format!(r#"{{"id":{nested}}}"#),
        format!(r#"{{"data":{nested}}}"#),
        format!(r#"{{"error":{nested}}}"#),
        format!(r#"{{"error":{{"message":{nested}}}}}"#),
        format!(r#"{{"error":{{"x":{nested},"code":190}}}}"#),
        format!(r#"{{"data":[{albums}]}}"#),
        albums,
        open,
    ];
    let server = Server::script(documents.iter().map(|document| json(document)));
    let api = api_for(&server).with_body_limit(16 * 1024 * 1024);
    for _ in &documents {
        let error = api.me("").unwrap_err();
        assert_eq!(error.kind(), K::Decode);
        let text = error.to_string();
        assert!(text.contains("nested more than 128 levels deep"), "{text}");
    }
}

/// Every field of a node with every JSON value: read, read as absent, or the
/// whole reply is an error. Numbers that no field can hold read as absent. Never a panic, and never another field's value.
#[test]
fn every_field_with_every_value() {
    const VALUES: [(&str, &str); 16] = [
        ("number", r#""7""#),
        ("big", "9.007199254740994e15"),
        ("whole", "7.0"),
        ("sign", r#""-1""#),
        ("blank", r#""""#),
        ("nothing", "[]"),
        ("off", "false"),
        ("null", r"null"),
        ("text", r#""x""#),
        ("count", "7"),
        ("negative", "-7"),
        ("fraction", "7.5"),
        ("flag", "true"),
        ("array", r#"["x"]"#),
        ("object", r#"{"id":"x"}"#),
        ("nested", r#"{"data":[{"id":"x"}]}"#),
    ];
    const TEXT: &str = "null text number sign blank count whole big negative fraction";
    const COUNT: &str = "null number sign blank count whole big negative fraction";
    const FLAG: &str = "null flag off sign blank whole big negative fraction";
    const WORD: &str = "null text number sign blank nothing off whole big negative fraction";
    const OBJECT: &str = "null object nested blank nothing off whole big negative fraction";
    const LIST: &str = "null object nested blank nothing off";
    const NODE: &str =
        "null text number sign count object nested blank nothing off whole big negative fraction";
    const PAGE: &str = "null nested blank nothing off whole big negative fraction";
    let user = [
        ("id", "text number sign blank count whole"),
        ("user_id", TEXT),
        ("username", TEXT),
        ("name", TEXT),
        ("account_type", WORD),
        ("profile_picture_url", TEXT),
        ("followers_count", COUNT),
        ("follows_count", COUNT),
        ("media_count", COUNT),
        ("biography", TEXT),
        ("website", TEXT),
        ("media", PAGE),
    ];
    let media = [
        ("id", "text number sign blank count whole"),
        ("caption", TEXT),
        ("media_type", WORD),
        ("media_product_type", WORD),
        ("media_url", TEXT),
        ("permalink", TEXT),
        ("thumbnail_url", TEXT),
        ("timestamp", TEXT),
        ("username", TEXT),
        ("is_shared_to_feed", FLAG),
        ("like_count", COUNT),
        ("comments_count", COUNT),
        ("shortcode", TEXT),
        ("owner", NODE),
        ("alt_text", TEXT),
        ("is_comment_enabled", FLAG),
        ("legacy_instagram_media_id", TEXT),
        ("ig_id", TEXT),
        ("is_ai_generated", FLAG),
        ("media_audio_type", WORD),
        ("children", LIST),
        (
            "unheard_of",
            "null text number sign blank nothing off whole big count negative fraction flag array object nested",
        ),
    ];
    let comment = [
        ("id", "text number sign blank count whole"),
        ("text", TEXT),
        ("timestamp", TEXT),
        ("from", NODE),
        ("username", TEXT),
        ("hidden", FLAG),
        ("like_count", COUNT),
        ("media", NODE),
        ("parent_id", TEXT),
        ("replies", PAGE),
        ("user", NODE),
        ("legacy_instagram_comment_id", TEXT),
    ];
    let insight = [
        ("id", "text number sign blank count whole"),
        ("name", WORD),
        ("period", WORD),
        ("values", LIST),
        ("total_value", OBJECT),
        ("title", TEXT),
        ("description", TEXT),
    ];
    let server = Server::start(|request, stream| {
        let body = common::param(request, "body").unwrap();
        let _ = stream.write_all(&json(&body));
    });
    let api = api_for(&server);
    // What is read is what was sent, but for what is absent, and for a number in a text
    // or the other way round.
    let wanted = |field: &str, taken: &str, name: &str, body: &str| match (field, name) {
        ("id", "count" | "whole" | "number") => r#"{"id":"7"}"#.to_owned(),
        ("id", _) => body.to_owned(),
        ("unheard_of", _) | ("children" | "values", "object") => r#"{"id":"1"}"#.to_owned(),
        (_, "blank" | "number" | "sign") if taken == TEXT => body.to_owned(),
        (_, "count" | "whole") if taken == TEXT => format!(r#"{{"id":"1","{field}":"7"}}"#),
        (_, "number" | "whole") if taken == COUNT => format!(r#"{{"id":"1","{field}":7}}"#),
        (_, "big") if taken == COUNT => format!(r#"{{"id":"1","{field}":9007199254740994}}"#),
        (_, "blank" | "number" | "sign") if taken == WORD => body.to_owned(),
        (_, "off") if taken == FLAG => body.to_owned(),
        // An empty list is one, too.
        ("values", "nothing") => body.to_owned(),
        ("values", "nested") => r#"{"id":"1","values":[{}]}"#.to_owned(),
        ("children", "nothing") => r#"{"id":"1","children":{"data":[]}}"#.to_owned(),
        // An empty page is one, too.
        ("media" | "replies", "nothing") if taken == PAGE => {
            format!(r#"{{"id":"1","{field}":{{"data":[]}}}}"#)
        }
        (_, "text" | "number" | "sign" | "count") if taken == NODE => {
            let text = body.split(':').nth(2).unwrap().trim_matches(['"', '}']);
            format!(r#"{{"id":"1","{field}":{{"id":"{text}"}}}}"#)
        }
        (_, "nested") if taken == NODE || field == "total_value" => {
            format!(r#"{{"id":"1","{field}":{{}}}}"#)
        }
        ("total_value", "object") => format!(r#"{{"id":"1","{field}":{{}}}}"#),
        (_, "text" | "object" | "nested" | "flag" | "count") => body.to_owned(),
        _ => r#"{"id":"1"}"#.to_owned(),
    };
    let try_fields = |fields: &[(&str, &str)], read: &dyn Fn(&str) -> mingram::Result<String>| {
        for (field, taken) in fields {
            for (name, value) in VALUES {
                let body = match *field {
                    "id" => format!(r#"{{"id":{value}}}"#),
                    _ => format!(r#"{{"id":"1","{field}":{value}}}"#),
                };
                let is_taken = taken.split(' ').any(|word| word == name);
                match read(&body) {
                    Ok(read) => {
                        assert!(is_taken, "{body} is taken");
                        assert_eq!(read, wanted(field, taken, name, &body), "{body}");
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), K::Decode, "{body}: {error}");
                        assert!(!is_taken, "{body}: {error}");
                    }
                }
            }
        }
    };
    try_fields(&user, &|body| {
        let user = api.node::<User>("me", &[("body", body)])?;
        Ok(miniserde::json::to_string(&user))
    });
    try_fields(&media, &|body| {
        let media = api.node::<Media>("1", &[("body", body)])?;
        Ok(miniserde::json::to_string(&media))
    });
    try_fields(&comment, &|body| {
        let comment = api.node::<Comment>("1", &[("body", body)])?;
        Ok(miniserde::json::to_string(&comment))
    });
    try_fields(&insight, &|body| {
        let insight = api.node::<Insight>("1", &[("body", body)])?;
        Ok(miniserde::json::to_string(&insight))
    });
}

#[test]
#[rustfmt::skip]
fn errors_of_the_service() {
    let api = |piece| fails(K::Api, piece);
    let with = |line: &str, body: &str| sends(common::json(line, body));
    let token = TOKEN.replace('/', "\\/");
    try_all(vec![
        row("with 200", with("200 OK", r#"{"error":{"message":"m","type":"T","code":190}}"#), me, api("error 190 (HTTP 200, T): m; the access token is expired")),
        row("with 500", with("500 No", r#"{"error":{"message":"m","code":2,"is_transient":true}}"#), me, api("error 2 (HTTP 500): m")),
        row("of a feed", with("200 OK", r#"{"data":[],"error":{"message":"m","code":4}}"#), feed, api("error 4 (HTTP 200): m; stop calling")),
        row("after a key of another type", with("200 OK", r#"{"id":[1],"error":{"message":"m","code":4}}"#), me, api("error 4 (HTTP 200): m; stop calling")),
        row("a number", with("200 OK", r#"{"id":"1","error":5}"#), me, fails(K::Decode, "unexpected key `error`: {")),
        row("a flag of a page", with("200 OK", r#"{"data":[],"error":true}"#), feed, fails(K::Decode, "unexpected key `error`: {")),
        row("a message alone", with("400 No", r#"{"error":{"message":"m"}}"#), me, api("an error (HTTP 400): m")),
        row("a text", with("400 No", r#"{"error":"denied"}"#), me, api("an error (HTTP 400): denied")),
        row("empty", with("400 No", r#"{"error":{}}"#), me, api("an error (HTTP 400): no message")),
        row("null", with("400 No", r#"{"error":null}"#), me, fails(K::Status, "HTTP 400")),
        row("the other shape", with("400 No", r#"{"error_type":"OAuthException","code":400,"error_message":"used"}"#), login, api("an error (HTTP 400, OAuthException): used")),
        row("the other shape with 200", with("200 OK", r#"{"error_message":"used"}"#), login, api("an error (HTTP 200): used")),
        row("both shapes", with("400 No", r#"{"error_message":"b","error":{"message":"a","code":100}}"#), me, api("error 100 (HTTP 400): a")),
        row("wrong types", with("400 No", r#"{"error":{"message":{},"type":[],"code":"190","error_subcode":4.5,"is_transient":"yes"}}"#), me, api("error 190/4 (HTTP 400): no message")),
        row("absurd numbers", with("400 No", r#"{"error":{"message":"m","code":1e300,"error_subcode":-1}}"#), me, api("error 9223372036854775807/-1 (HTTP 400): m")),
        row("that is cut", with("400 No", r#"{"error":{"message":"m""#), me, fails(K::Status, "HTTP 400")),
        row("line breaks in it", with("400 No", r#"{"error":{"message":"a\r\nb\u0000c","code":1}}"#), me, api("error 1 (HTTP 400): a b c")),
        row("the token in it", with("400 No", &format!(r#"{{"error":{{"message":"bad token {token}!","code":190}}}}"#)), me, api("(HTTP 400): (not shown: it contains a secret); the access")),
        row("a token that is null in it", with("400 No", r#"{"error":{"message":"m","code":190,"access_token":null}}"#), me, api("error 190 (HTTP 400): m")),
        row("a token that is a number in it", with("200 OK", r#"{"error":{"message":"m","code":190},"access_token":12}"#), me, api("error 190 (HTTP 200): m")),
        row("behind a caption that has the word", with("200 OK", r#"{"id":"1","caption":"\"error\":{}"}"#), me, gives("1")),
        row("429", with("429 Slow", "slow"), me, fails(K::Status, "HTTP 429")),
        row("401 in HTML", sends(status("401 No", &format!("<b>{TOKEN}"))), me, fails(K::Status, "HTTP 401 (text/html, 32 bytes): (not shown: it contains a secret)")),
        row("half the token at the end", sends(status("500 No", &format!("<b>{}", &TOKEN[..20]))), me, fails(K::Status, "(not shown: it contains a secret)")),
    ]);
}

/// Answers every request with this status, header and body: no sockets, no time limit.
struct Says(u16, (&'static str, String), String);

impl Transport for Says {
    fn send(&self, _: &Request<'_>) -> mingram::Result<Response> {
        let Says(status, (name, value), body) = self;
        Ok(Response::new(
            *status,
            vec![((*name).to_owned(), value.clone())],
            std::io::Cursor::new(body.clone().into_bytes()),
        ))
    }
}

/// Texts of any length make a line of a log, and where one is cut there is no
/// half of a secret.
#[test]
fn long_texts_of_the_service() {
    let server = Server::script([""]);
    let mut failed = Vec::new();
    let mut try_row = |name: String, says: Says, call: Call, want: Want| {
        let outcome = call(&api_for(&server).with_transport(says), &server);
        failed.extend(check(&name, &want, &outcome).err());
    };
    let long = "x".repeat(15_000);
    let token = TOKEN.replace('/', "\\/");
    let of_json = |status, body: String| Says(status, ("Content-Type", "json".into()), body);
    let error = |text: &str| {
        let body = format!(
            r#"{{"error":{{"code":1,"message":"{text}","type":"{text}","error_user_msg":"{text}","error_user_title":"{text}"}}}}"#
        );
        assert!(body.len() < CAP);
        of_json(400, body)
    };
    for (what, text) in [
        ("plain", long.clone()),
        ("emoji", "\u{1f35e}".repeat(3_000)),
    ] {
        let start: String = text.chars().take(256).collect();
        for (where_from, call) in [("a node", me as Call), ("a login", login)] {
            let name = format!("{what} of {where_from}");
            try_row(name, error(&text), call, fails(K::Api, "…"));
        }
        let text = of_json(200, format!(r#"{{"error":"{text}"}}"#));
        let want = fails(K::Api, start.leak());
        try_row(format!("{what}, a text"), text, me, want);
    }
    // The cut moves through the token, and through what encodes it.
    for before in (1024 - TOKEN.len() - 4..=1024).step_by(3) {
        let text = "y".repeat(before) + &token + &long;
        let name = format!("the token at {before}");
        try_row(name, error(&text), me, fails(K::Api, "(not shown"));
        let text = "y".repeat(before) + " " + &token + &long;
        let want = fails(K::Api, if before < 1024 { "(not shown" } else { "y…" });
        try_row(format!("the word at {before}"), error(&text), me, want);
    }
    for (before, shown) in [(0, false), (1000, false), (1024, true)] {
        let kind = "y".repeat(before) + " " + TOKEN + &long;
        let typed = |status, body: &str| Says(status, ("Content-Type", kind.clone()), body.into());
        let end = |shown_end, hidden| if shown { shown_end } else { hidden };
        for (status, kind) in [(500, K::Status), (200, K::NotJson)] {
            let want = fails(kind, end("y…, 6 bytes)", "a secret), 6 bytes)"));
            let name = format!("{status} of a long type, {before}");
            try_row(name, typed(status, "<html>"), me, want);
        }
        let want = fails(K::Status, end("y…): <html>", "a secret)): <html>"));
        let name = format!("refused file of a long type, {before}");
        try_row(name, typed(403, "<html>"), file, want);
    }
    let moved = Says(302, ("Location", format!("https://{long}/")), String::new());
    let want = fails(K::Redirect, "x…, which must not receive the access token");
    try_row("a redirect to a long host".into(), moved, me, want);
    assert!(failed.is_empty(), "\n{}\n", failed.join("\n"));
}

/// Documents cut at each byte, as the connection of a real page could end:
/// with the length announced, without one, in chunks, and with a length that
/// is the one of the cut document. Never a short page.
#[test]
fn a_page_that_is_cut_at_every_byte() {
    let (reply, head) = fixture("feed/page-1");
    let body = &reply[head..];
    let whole = body.trim_ascii_end().len();
    let ids = |api: &Api| {
        let page = api.my_media(M::BASIC).pages().next().unwrap()?;
        Ok::<_, mingram::Error>(page.data.len())
    };
    let announced = |at: usize| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())
            .into_bytes()
            .into_iter()
            .chain(body[..at].iter().copied())
            .collect()
    };
    let until_close = |at: usize| [b"HTTP/1.1 200 OK\r\n\r\n", &body[..at]].concat();
    let in_chunks = |at: usize| {
        let mut out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in body[..at].chunks(500) {
            out.extend(format!("{:x}\r\n", chunk.len()).bytes());
            out.extend(chunk);
            out.extend(b"\r\n");
        }
        out
    };
    // ARM is tested under an emulator, where every thirteenth byte must do.
    let step = if cfg!(target_arch = "x86_64") { 1 } else { 13 };
    let over_sockets = |name: &str, make: &(dyn Fn(usize) -> Vec<u8> + Sync)| {
        let replies: Vec<Vec<u8>> = (0..body.len()).map(make).collect();
        let last = replies.len();
        let server = Server::start(move |request, stream| {
            let at: usize = common::param(request, "limit").unwrap().parse().unwrap();
            let _ = stream.write_all(&replies[at - 1]);
        });
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let api = common::api(&server.url());
                    loop {
                        let at = next.fetch_add(step, Ordering::SeqCst);
                        if at >= last {
                            break;
                        }
                        let page = api
                            .my_media(M::BASIC)
                            .page_size(at as u32 + 1)
                            .pages()
                            .next()
                            .unwrap();
                        match page {
                            Ok(page) => {
                                assert!(at >= whole && page.data.len() == 4, "{name}: {at}")
                            }
                            Err(error) => {
                                assert_eq!(error.kind(), K::Truncated, "{name}: {at}: {error}")
                            }
                        }
                    }
                });
            }
        });
        assert_eq!(server.received().len(), last.div_ceil(step));
    };
    over_sockets("announced", &announced);
    over_sockets("until close", &until_close);
    over_sockets("in chunks", &in_chunks);
    // The server itself lost the rest: no socket is needed to show that.
    let api = |body| Api::new("T").with_transport(Reply(body)).with_retries(0);
    for at in 0..whole {
        let body = String::from_utf8_lossy(&body[..at]).into_owned();
        match ids(&api(body)) {
            Ok(_) => panic!("a short page, cut at {at}"),
            Err(error) => {
                let wanted = if at == 0 { K::NotJson } else { K::Decode };
                assert_eq!(error.kind(), wanted, "{at}: {error}");
            }
        }
    }
}

/// A transport whose every reply is this, with its length.
struct Reply(String);

impl Transport for Reply {
    fn send(&self, _: &Request<'_>) -> mingram::Result<Response> {
        Ok(Response::new(
            200,
            vec![("Content-Length".into(), self.0.len().to_string())],
            std::io::Cursor::new(self.0.clone().into_bytes()),
        ))
    }
}

fn page(ids: &str, paging: &str) -> Vec<u8> {
    let items: Vec<String> = ids
        .chars()
        .map(|id| format!(r#"{{"id":"{id}"}}"#))
        .collect();
    json(&format!(
        r#"{{"data":[{}],"paging":{paging}}}"#,
        items.join(",")
    ))
}

/// A page with a `next` and this cursor.
fn goes_on(ids: &str, after: &str) -> Vec<u8> {
    page(
        ids,
        &format!(
            r#"{{"cursors":{{"before":"b","after":"{after}"}},"next":"https:\/\/graph.facebook.com\/x?access_token={TOKEN}&after={after}"}}"#
        ),
    )
}

/// The cursor of the page to resume at.
fn cursor_of(items: &Items<Media>) -> Option<String> {
    let position = items.position().to_string();
    let (_, cursor) = position.split_once("&after=")?;
    Some(cursor.split('&').next().unwrap().to_owned())
}

/// The ids, and how it ended.
fn until_error(api: &Api, _: &Server) -> mingram::Result<String> {
    let mut items = api.my_media("").into_iter();
    let mut ids = String::new();
    for item in items.by_ref() {
        match item {
            Ok(media) => ids += &media.id,
            Err(error) => {
                if error.kind() == K::Paging {
                    let cursor = "the service sent the same cursor again";
                    let none = "but sent no cursor";
                    let piece = if cursor_of(&items).is_some() {
                        cursor
                    } else {
                        none
                    };
                    assert!(error.to_string().contains(piece), "{error}");
                }
                assert!(items.next().is_none(), "it goes on after an error");
                let cursor = cursor_of(&items);
                return Ok(format!("{ids} {:?} at {cursor:?}", error.kind()));
            }
        }
    }
    assert!(items.next().is_none());
    Ok(ids)
}

fn take_three(api: &Api, _: &Server) -> mingram::Result<String> {
    api.my_media("")
        .into_iter()
        .take(3)
        .map(|media| media.map(|media| media.id))
        .collect()
}

#[test]
#[rustfmt::skip]
fn paging() {
    let last = || page("z", r#"{"cursors":{"before":"b","after":"c"}}"#);
    let end = |paging: &str| page("a", paging);
    let script = |name: &str, pages: Vec<Vec<u8>>, call: Call, text: &str| rows_of_replies(name, pages, call, gives(text));
    try_all(vec![
        script("to the end", vec![goes_on("ab", "1"), goes_on("cd", "2"), last()], feed, "a b c d z"),
        script("a cursor that repeats at once", vec![goes_on("a", "1"), goes_on("b", "1")], until_error, r#"a Paging at Some("1")"#),
        script("a cursor that repeats after some pages", vec![goes_on("a", "1"), goes_on("b", "2"), goes_on("c", "3"), goes_on("d", "1")], until_error, r#"abc Paging at Some("3")"#),
        script("a first page that repeats", vec![goes_on("a", "1")], until_error, r#"a Paging at Some("1")"#),
        script("next without cursors", vec![page("a", r#"{"next":"https:\/\/x\/y?after=q%3D&z=1"}"#), last()], feed, "a z"),
        script("next without any cursor", vec![page("a", r#"{"next":"https:\/\/x\/y"}"#)], until_error, "a Paging at None"),
        script("next that is no address", vec![page("a", r#"{"next":"?"}"#)], until_error, "a Paging at None"),
        script("next with an empty cursor", vec![page("a", r#"{"cursors":{"after":""},"next":"x?after="}"#)], until_error, "a Paging at None"),
        script("cursors without next", vec![end(r#"{"cursors":{"before":"b","after":"c"}}"#)], feed, "a"),
        script("no paging", vec![json(r#"{"data":[{"id":"a"}]}"#)], feed, "a"),
        script("null for everything", vec![end("null")], feed, "a"),
        script("null for everything in it", vec![end(r#"{"cursors":null,"next":null,"previous":null}"#)], feed, "a"),
        script("null for the cursors", vec![end(r#"{"cursors":{"before":null,"after":null}}"#)], feed, "a"),
        script("an empty next", vec![end(r#"{"cursors":{"after":"c"},"next":""}"#)], feed, "a"),
        script("a number for a cursor", vec![page("a", r#"{"cursors":{"after":12},"next":"x"}"#), last()], feed, "a z"),
        script("an object for next", vec![end(r#"{"next":{}}"#)], until_error, " Decode at None"),
        script("empty pages in the middle", vec![goes_on("a", "1"), goes_on("", "2"), goes_on("", "3"), last()], feed, "a z"),
        script("an empty first page", vec![goes_on("", "1"), last()], feed, "z"),
        script("an empty last page", vec![goes_on("a", "1"), page("", "{}")], feed, "a"),
        script("an empty feed", vec![page("", "{}")], feed, ""),
        script("an error behind a page", vec![goes_on("ab", "1"), b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_vec()], until_error, r#"ab Status at Some("1")"#),
        script("an error behind an empty page", vec![goes_on("ab", "1"), goes_on("", "2"), vec![]], until_error, r#"ab ConnectionLost at Some("2")"#),
        script("stopped by the caller", vec![goes_on("ab", "1"), goes_on("cd", "2"), goes_on("ef", "3")], take_three, "abc"),
    ]);
}

/// What of the paging is not understood is no end of the feed.
#[test]
fn paging_of_every_type() {
    const NOT_READ: &str = " Decode at None";
    // For null, a text, a number, a flag, an array and an object.
    let values = ["null", r#""x""#, "7", "true", r#"["x"]"#, r#"{"x":"x"}"#];
    let no_cursor = "a Paging at None";
    let repeats = |cursor: &str| format!("a Paging at Some({cursor:?})");
    // The cursor of a link, `l`, where there is no other.
    let of_link = repeats("l");
    let table: [(&str, [&str; 6]); 7] = [
        ("V", ["a", NOT_READ, NOT_READ, NOT_READ, NOT_READ, "a"]),
        (
            r#"{"cursors":V,"next":"https://h/?after=l"}"#,
            [&of_link, NOT_READ, NOT_READ, NOT_READ, NOT_READ, &of_link],
        ),
        (
            r#"{"cursors":{"after":V},"next":"https://h/"}"#,
            [
                no_cursor,
                &repeats("x"),
                &repeats("7"),
                NOT_READ,
                NOT_READ,
                NOT_READ,
            ],
        ),
        (
            r#"{"cursors":{"after":V}}"#,
            ["a", "a", "a", NOT_READ, NOT_READ, NOT_READ],
        ),
        (
            r#"{"cursors":{"before":V}}"#,
            ["a", "a", "a", NOT_READ, NOT_READ, NOT_READ],
        ),
        (
            r#"{"cursors":{"after":"c"},"next":V}"#,
            ["a", &repeats("c"), NOT_READ, NOT_READ, NOT_READ, NOT_READ],
        ),
        (
            r#"{"cursors":{"after":"c"},"previous":V}"#,
            ["a", "a", NOT_READ, NOT_READ, NOT_READ, NOT_READ],
        ),
    ];
    let mut rows = Vec::new();
    for (paging, wanted) in table {
        for (value, wanted) in values.iter().zip(wanted) {
            let paging = paging.replace('V', value);
            let reply = sends(page("a", &paging));
            rows.push(row(paging, reply, until_error, gives(wanted)));
        }
    }
    try_all(rows);
}

/// The whole error of the service.
fn refusal(api: &Api, _: &Server) -> mingram::Result<String> {
    let error = api.me("").unwrap_err();
    Ok(format!("{:?}", error.api_error().unwrap()))
}

/// A field of an error that is not understood is absent, and the error stays.
#[test]
fn errors_of_every_type() {
    let values = [
        "null",
        r#""x""#,
        r#""7""#,
        "7",
        "-7",
        "true",
        r#"["x"]"#,
        r#"{"x":"x"}"#,
    ];
    let text = [
        "None",
        r#"Some("x")"#,
        r#"Some("7")"#,
        r#"Some("7")"#,
        r#"Some("-7")"#,
        "None",
        "None",
        "None",
    ];
    let message = [
        r#""""#, r#""x""#, r#""7""#, r#""7""#, r#""-7""#, r#""""#, r#""""#, r#""""#,
    ];
    let number = [
        "None", "None", "Some(7)", "Some(7)", "Some(-7)", "None", "None", "None",
    ];
    let flag = [
        "None",
        "None",
        "None",
        "None",
        "None",
        "Some(true)",
        "None",
        "None",
    ];
    let fields = [
        ("code", "code", number),
        ("error_subcode", "subcode", number),
        ("type", "error_type", text),
        ("message", "message", message),
        ("error_user_title", "user_title", text),
        ("error_user_msg", "user_message", text),
        ("is_transient", "is_transient", flag),
        ("fbtrace_id", "trace_id", text),
    ];
    let mut rows = Vec::new();
    for (field, _, wanted) in fields {
        for (value, wanted) in values.iter().zip(wanted) {
            let shown: Vec<String> = fields
                .iter()
                .map(|(other, name, absent)| match *other == field {
                    true => format!("{name}: {wanted}"),
                    false => format!("{name}: {}", absent[0]),
                })
                .collect();
            let shown = format!("ApiError {{ status: 400, {} }}", shown.join(", "));
            let body = format!(r#"{{"error":{{"{field}":{value}}}}}"#);
            let reply = sends(common::json("400 No", &body));
            rows.push(row(body, reply, refusal, gives(shown)));
        }
    }
    try_all(rows);
}

/// All that a login's reply says beside the token.
fn of_login(api: &Api, _: &Server) -> mingram::Result<String> {
    let token = api.exchange_code(&crate::app(), &Code::new(CODE))?;
    Ok(format!("{:?} {:?}", token.user_id, token.permissions))
}

fn token_type(api: &Api, _: &Server) -> mingram::Result<String> {
    Ok(format!("{:?}", api.refresh_token()?.token_type))
}

#[test]
fn token_replies_of_every_type() {
    const NOT_READ: &str = "no";
    let values = [
        "null",
        r#""x""#,
        r#""x, y,""#,
        "7",
        "true",
        r#"["x","y"]"#,
        "[]",
        "[null]",
        "[7]",
        "[{}]",
        r#"{"x":"x"}"#,
    ];
    let table: [(&str, Call, [&str; 11]); 3] = [
        (
            "user_id",
            of_login,
            [
                "None []",
                r#"Some("x") []"#,
                r#"Some("x, y,") []"#,
                r#"Some("7") []"#,
                NOT_READ,
                NOT_READ,
                NOT_READ,
                NOT_READ,
                NOT_READ,
                NOT_READ,
                NOT_READ,
            ],
        ),
        (
            "permissions",
            of_login,
            [
                "None []",
                r#"None ["x"]"#,
                r#"None ["x", "y"]"#,
                NOT_READ,
                NOT_READ,
                r#"None ["x", "y"]"#,
                "None []",
                "None []",
                r#"None ["7"]"#,
                NOT_READ,
                NOT_READ,
            ],
        ),
        (
            "token_type",
            token_type,
            [
                "None",
                r#"Some("x")"#,
                r#"Some("x, y,")"#,
                r#"Some("7")"#,
                NOT_READ,
                NOT_READ,
                NOT_READ,
                NOT_READ,
                NOT_READ,
                NOT_READ,
                NOT_READ,
            ],
        ),
    ];
    let mut rows = Vec::new();
    for (field, call, wanted) in table {
        for (value, wanted) in values.iter().zip(wanted) {
            let body = format!(r#"{{"access_token":"IGnew","{field}":{value}}}"#);
            let want = match wanted {
                NOT_READ => fails(K::Decode, "not shown, it may contain a token"),
                text => gives(text),
            };
            rows.push(row(body.clone(), sends(json(&body)), call, want));
        }
    }
    try_all(rows);
}

/// A feed that never ends, each page with a new cursor, ends where the caller
/// stops, and one of empty pages by itself.
#[test]
fn endless_feeds() {
    for (ids, taken, requests) in [("ab", 250, 125), ("", 0, 100)] {
        let turn = AtomicUsize::new(0);
        let server = Server::start(move |_, stream| {
            let turn = turn.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(&goes_on(ids, &turn.to_string()));
        });
        let mut items = common::api(&server.url())
            .my_media("")
            .into_iter()
            .take(250);
        let (mut count, mut faults) = (0, 0);
        for item in items.by_ref() {
            match item {
                Ok(_) => count += 1,
                Err(error) => {
                    faults += 1;
                    assert_eq!((error.kind(), ids), (K::Paging, ""));
                    let piece = "100 consecutive pages were empty";
                    assert!(error.to_string().contains(piece), "{error}");
                }
            }
        }
        assert_eq!((count, server.received().len()), (taken, requests));
        assert_eq!(faults, usize::from(ids.is_empty()));
    }
}

/// Whatever is in a cursor comes back to the server as it was.
#[test]
fn cursors_of_any_text() {
    for cursor in [
        "&=#%\r\n",
        "a b+c",
        "\u{1f600}\u{e9}",
        "%00%2F",
        "\0",
        "../..",
        "after=1&limit=9",
        "\"",
    ] {
        let text = miniserde::json::to_string(cursor);
        let quoted = &text[1..text.len() - 1];
        let encoded: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
        for first in [
            page(
                "a",
                &format!(r#"{{"cursors":{{"after":"{quoted}"}},"next":"x"}}"#),
            ),
            page(
                "a",
                &format!(r#"{{"next":"https://x/y?limit=1&after={encoded}&z"}}"#),
            ),
        ] {
            let server = Server::script([first, page("z", "{}")]);
            let ids = feed(&api_for(&server), &server).unwrap();
            assert_eq!(ids, "a z");
            let asked = &server.received()[1];
            assert_eq!(common::param(asked, "after").as_deref(), Some(cursor));
            assert_eq!(common::param(asked, "limit"), None);
            assert_eq!(asked.headers.len(), server.received()[0].headers.len());
        }
    }
}

#[test]
#[rustfmt::skip]
fn tokens() {
    let recorded = |name: &str| sends(fixture(name).0);
    let long = |rest: &str| sends(json(&format!(r#"{{"access_token":"IGnew","token_type":"bearer"{rest}}}"#)));
    let short = |body: &str| sends(json(body));
    let hidden = |piece| fails(K::Decode, piece);
    try_all(vec![
        row("expired", recorded("errors/token-expired"), me, fails(K::Api, "the access token is expired, revoked or of the wrong kind: log in again")),
        row("revoked", recorded("errors/token-session"), me, fails(K::Api, "log in again")),
        row("garbage", recorded("errors/token-invalid"), me, fails(K::Api, "log in again")),
        row("echoed", recorded("errors/echoes-token"), me, fails(K::Api, "error 190")),
        row("a short token refreshed", recorded("tokens/refresh-short"), refresh, fails(K::Api, "error 190")),
        row("a code used twice", recorded("tokens/code-used"), login, fails(K::Api, "POST /oauth/access_token: the service returned an error (HTTP 400, OAuthException)")),
        row("expiry", long(r#","expires_in":5183944"#), exchange, gives("IGnew Some(5183944)")),
        row("no expiry", long(""), exchange, gives("IGnew None")),
        row("null for the expiry", long(r#","expires_in":null"#), exchange, gives("IGnew None")),
        row("zero", long(r#","expires_in":0"#), exchange, gives("IGnew Some(0)")),
        row("negative", long(r#","expires_in":-3600"#), exchange, gives("IGnew Some(0)")),
        row("a text", long(r#","expires_in":"3600""#), exchange, gives("IGnew Some(3600)")),
        row("a word", long(r#","expires_in":"never""#), exchange, gives("IGnew None")),
        row("a fraction", long(r#","expires_in":3600.9"#), exchange, gives("IGnew Some(3600)")),
        row("absurd", long(r#","expires_in":18446744073709551615"#), exchange, gives("IGnew Some(9223372036854775807)")),
        row("more absurd", long(r#","expires_in":1e308"#), exchange, gives("IGnew Some(9223372036854775807)")),
        row("no token", sends(json(r#"{"token_type":"bearer"}"#)), refresh, hidden("the reply is not a valid LongLivedToken at byte 0 of 23: unexpected object, it has no valid `access_token`: (not shown, it may contain a token)")),
        row("null for the token", sends(json(r#"{"access_token":null}"#)), refresh, hidden("not shown")),
        row("an empty token", sends(json(r#"{"access_token":" "}"#)), refresh, hidden("not shown")),
        row("a token with a line break", sends(json(r#"{"access_token":"IG\r\nX: y"}"#)), refresh, hidden("not shown")),
        row("a token of a number", sends(json(r#"{"access_token":12}"#)), refresh, gives("12")),
        row("HTML for a token", sends(status("200 OK", "<html>")), refresh, fails(K::NotJson, "not shown")),
        row("HTML with 500 for a token", sends(status("500 No", "<html>")), refresh, fails(K::Status, "not shown")),
        row("a login, flat", short(r#"{"access_token":"IGnew","user_id":17841405793187218}"#), login, gives("IGnew")),
        row("a login, wrapped", short(r#"{"data":[{"access_token":"IGnew","user_id":"1","permissions":"a,b"}]}"#), login, gives("IGnew")),
        row("a login, wrapped and empty", short(r#"{"data":[]}"#), login, hidden("ShortLivedToken")),
        row("a login with another type for the permissions", short(r#"{"access_token":"IGnew","permissions":{}}"#), login, hidden("ShortLivedToken")),
        row("a login answered by an echo", short(&format!(r#"{{"error_message":"code {CODE} was used","error_type":"T"}}"#)), login, fails(K::Api, "(not shown: it contains a secret)")),
    ]);
}

/// A code is good once: a login is never sent a second time.
#[test]
fn logins_are_not_retried() {
    let server = Server::script([common::reply("500 No", &[], "")]);
    let api = api_for(&server)
        .with_retries(5)
        .with_clock(common::TestClock::new(0));
    for (call, transient) in [(login as Call, false), (exchange, true), (refresh, true)] {
        let error = call(&api, &server).unwrap_err();
        assert_eq!(error.is_transient(), transient, "{error}");
        assert_eq!(found(&shown(&error), &[TOKEN, CODE]), None);
    }
    assert_eq!(server.received().len(), 3);
}

/// A transport that fails in this way.
struct Fails(K, Option<std::io::ErrorKind>);

impl Transport for Fails {
    fn send(&self, _: &Request<'_>) -> mingram::Result<Response> {
        let error = mingram::Error::new(self.0, "failed");
        Err(match self.1 {
            Some(source) => error.with_source(std::io::Error::from(source)),
            None => error,
        })
    }
}

/// Once it was sent, a code may be used up, so its exchange is worth another attempt only
/// if nothing was sent. A token that is exchanged or refreshed can be sent again.
#[test]
fn a_code_that_may_be_used_up_is_not_transient() {
    let good = json(r#"{"access_token":"IGnew"}"#);
    let transient = r#"{"error":{"message":"m","code":2,"is_transient":true}}"#;
    let all: [Call; 3] = [login, exchange, refresh];
    let check = |case: &str, api: &Api, server: &Server, [code, token]: [bool; 2]| {
        for (call, transient) in all.into_iter().zip([code, token, token]) {
            let error = call(api, server).unwrap_err();
            assert_eq!(error.is_transient(), transient, "{case}: {error}");
            let says = error.to_string().contains("; the code may be used up");
            assert_eq!(says, transient != token, "{case}: {error}");
        }
    };
    for (case, reply, token) in [
        ("no reply", Vec::new(), true),
        ("cut in the headers", good[..30].to_vec(), true),
        ("cut in the body", good[..good.len() - 5].to_vec(), true),
        (
            "cut before the body",
            good[..good.len() - 24].to_vec(),
            true,
        ),
        ("500", status("500 No", ""), true),
        (
            "502 of a gateway",
            status("502 Bad Gateway", "<html>"),
            true,
        ),
        ("500, transient", status("500 No", transient), true),
        ("400, transient", status("400 No", transient), true),
        ("400", status("400 No", "{}"), false),
        ("429", status("429 No", "{}"), false),
        ("not JSON", status("200 OK", "<html>"), false),
    ] {
        let server = Server::script([reply]);
        check(case, &api_for(&server), &server, [false, token]);
    }
    let server = Server::start(|_, stream| {
        // Until the client gives up.
        let _ = std::io::Read::read(stream, &mut [0]);
    });
    let api = api_for(&server).with_timeout(std::time::Duration::from_secs(1));
    check("no answer", &api, &server, [false, true]);
    let nobody = common::api(common::NOBODY).with_token(TOKEN);
    check("refused", &nobody, &server, [true, true]);
    use std::io::ErrorKind as S;
    for (kind, source, expected) in [
        (K::Connect, None, [true, true]),
        (K::Connect, Some(S::ConnectionRefused), [true, true]),
        (K::Connect, Some(S::Other), [true, true]),
        // Also of a connection that was made.
        (K::Connect, Some(S::HostUnreachable), [false, true]),
        (K::Connect, Some(S::NetworkUnreachable), [false, true]),
        (K::Connect, Some(S::NetworkDown), [false, true]),
        (K::ConnectionLost, None, [false, true]),
        (K::Truncated, None, [false, true]),
        (K::Timeout, None, [false, true]),
        (K::Tls, None, [false, false]),
        (K::Malformed, None, [false, false]),
    ] {
        let api = api_for(&server).with_transport(Fails(kind, source));
        check(&format!("{kind:?} {source:?}"), &api, &server, expected);
    }
}
