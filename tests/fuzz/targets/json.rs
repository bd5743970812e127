//! JSON: the same documents are accepted as by serde_json, and the same values read, but
//! for what `same_as_serde_json` lists. Then JSON to each struct: nothing panics, what is
//! written reads back as the same, and the plainest fields are what serde_json sees in
//! them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mingram::{AccountType, Media, MediaProductType, MediaType, Owner, Page, User};
use mingram_fuzz::{Player, app, check_error};
use miniserde::json::{self as mini, Number};
use miniserde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt::Debug;

/// The reader itself, which is not public.
#[allow(dead_code)]
#[path = "../../../src/json"]
mod json {
    mod float;
    pub mod reader;
}
use json::reader::{self, JsonErrorKind};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    same_as_serde_json(text);
    let seen = serde_json::from_str::<Value>(text).ok();
    let field = |name: &str| seen.as_ref().and_then(|value| value.get(name));
    let plain = |name: &str| field(name).and_then(Value::as_str);

    if let Some(user) = read::<User>(text) {
        if let Some(id) = plain("id") {
            assert_eq!(user.id, id);
        }
        for (name, value) in [("username", &user.username), ("name", &user.name)] {
            if let Some(seen) = plain(name) {
                assert_eq!(value.as_deref(), Some(seen));
            }
        }
        if let Some(count) = field("media_count").and_then(Value::as_u64) {
            assert_eq!(user.media_count, Some(count));
        }
    }
    if let Some(media) = read::<Media>(text) {
        if let Some(id) = plain("id") {
            assert_eq!(media.id, id);
        }
        if let Some(caption) = plain("caption") {
            assert_eq!(media.caption.as_deref(), Some(caption));
        }
        let children = field("children").and_then(|children| children.get("data"));
        if let Some(children) = children.and_then(Value::as_array) {
            assert_eq!(media.children.as_ref().unwrap().len(), children.len());
        }
        let _ = (media.published_at(), media.media_url_expires_at());
        let _ = media.image_url();
    }
    if let Some(page) = read::<Page<Media>>(text) {
        if let Some(data) = field("data").and_then(Value::as_array) {
            assert_eq!(page.data.len(), data.len());
        }
        if let Some(paging) = field("paging").filter(|paging| paging.is_object()) {
            let link = |name: &str| {
                let link = paging.get(name).and_then(Value::as_str);
                link.filter(|link| !link.is_empty())
            };
            assert_eq!(page.has_next(), link("next").is_some());
            assert_eq!(page.has_previous(), link("previous").is_some());
        }
        assert!(page.has_next() || page.next_cursor().is_none());
        assert!(page.has_previous() || page.previous_cursor().is_none());
    }
    read::<Page<User>>(text);
    read::<Vec<Media>>(text);
    read::<Owner>(text);
    read::<AccountType>(text);
    read::<MediaType>(text);
    read::<MediaProductType>(text);

    // The token replies have no public type to read: through the whole call.
    let api = Player::body(data).api();
    match api.refresh_token() {
        Ok(long) => {
            assert!(long.token.check().is_ok());
            let _ = (long.expires_at(), format!("{long:?}"));
            if let Some(token) = plain("access_token") {
                assert_eq!(long.token.expose(), token.trim_ascii());
            }
            if let Some(seconds) = field("expires_in").and_then(Value::as_i64) {
                let known = long.expires_in.unwrap().as_secs();
                assert_eq!(known, u64::try_from(seconds).unwrap_or(0));
            }
        }
        Err(error) => check_error(&error),
    }
    let code = mingram::auth::Code::new(mingram_fuzz::CODE);
    match api.exchange_code(&app(), &code) {
        Ok(short) => {
            if let Some(token) = plain("access_token") {
                assert_eq!(short.token.expose(), token.trim_ascii());
            }
            if let Some(id) = plain("user_id") {
                assert_eq!(short.user_id.as_deref(), Some(id));
            }
        }
        Err(error) => check_error(&error),
    }
});

/// Reads; and what is then written reads back as the same.
fn read<T: Deserialize + Serialize + Debug + PartialEq>(text: &str) -> Option<T> {
    let value = reader::read::<T>(text).ok()?;
    let written = mini::to_string(&value);
    let again = reader::read::<T>(&written)
        .unwrap_or_else(|error| panic!("cannot read back {written} of {value:?}: {error:?}"));
    assert_eq!(again, value);
    assert_eq!(mini::to_string(&again), written);
    assert!(
        serde_json::from_str::<&RawValue>(&written).is_ok(),
        "no JSON: {written}"
    );
    Some(value)
}

/// The differences: lone surrogates are read, numbers have no limit and nesting has one
/// more level here; `-0` is an integer here.
fn same_as_serde_json(text: &str) {
    let ours = reader::read::<mini::Value>(text);
    // It neither computes numbers nor limits the depth: nothing but the grammar.
    let grammar = serde_json::from_str::<&RawValue>(text);
    let ours = match ours {
        Ok(ours) => ours,
        Err(ours) => {
            assert!(ours.offset <= text.len() && text.is_char_boundary(ours.offset));
            assert!(ours.path.len() < 512 && !ours.path.contains(char::is_control));
            match (ours.kind, grammar) {
                (JsonErrorKind::TooDeep, _) => {
                    assert!(text.matches(['[', '{']).count() > 128, "{text}");
                }
                (JsonErrorKind::Truncated, Err(error)) => assert!(
                    error.is_eof() || error.to_string().starts_with("invalid number"),
                    "{text}: {error}"
                ),
                // It takes four bytes for digits before it looks at them.
                (JsonErrorKind::Syntax(_), Err(error)) => assert!(
                    !error.is_eof() || text.len() - text.rfind("\\u").unwrap() < 6,
                    "{text}: {error}"
                ),
                (kind, grammar) => panic!("{text}: {kind:?}, {grammar:?}"),
            }
            return;
        }
    };
    assert!(grammar.is_ok(), "{text}: {grammar:?}");
    match serde_json::from_str::<Value>(text) {
        Ok(theirs) => assert_same(&ours, &theirs),
        Err(error) => {
            let error = error.to_string();
            let known = [
                "number out of range",
                "recursion limit",
                "lone leading",
                "unexpected end of hex",
            ];
            let known = known.iter().any(|known| error.starts_with(known));
            assert!(known, "{text}: {error}");
        }
    }
}

fn assert_same(ours: &mini::Value, theirs: &Value) {
    match (ours, theirs) {
        (mini::Value::Null, Value::Null) => {}
        (mini::Value::Bool(ours), Value::Bool(theirs)) => assert_eq!(ours, theirs),
        (mini::Value::String(ours), Value::String(theirs)) => assert_eq!(ours, theirs),
        (mini::Value::Number(ours), Value::Number(theirs)) => match *ours {
            Number::U64(ours) => assert_eq!(theirs.as_u64(), Some(ours)),
            Number::I64(0) => assert_eq!(theirs.as_f64(), Some(-0.0)),
            Number::I64(ours) => assert_eq!(theirs.as_i64(), Some(ours)),
            Number::F64(ours) => assert_eq!(theirs.as_f64(), Some(ours)),
        },
        (mini::Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            ours.iter()
                .zip(theirs)
                .for_each(|(ours, theirs)| assert_same(ours, theirs));
        }
        (mini::Value::Object(ours), Value::Object(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            for (key, ours) in ours {
                assert_same(ours, &theirs[key]);
            }
        }
        _ => panic!("{ours:?} is not {theirs}"),
    }
}
