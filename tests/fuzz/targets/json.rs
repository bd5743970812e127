//! JSON to each struct: nothing panics, what is written reads back as the same,
//! and the plainest fields are what serde_json sees in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mingram::{AccountType, Media, MediaProductType, MediaType, Owner, Page, User};
use mingram_fuzz::{Player, app, check_error};
use miniserde::{Deserialize, Serialize, json};
use serde_json::Value;
use std::fmt::Debug;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
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
            assert_eq!(media.children.len(), children.len());
        }
        let _ = (media.published_at(), media.media_url_expires_at());
        let _ = media.image_url();
    }
    if let Some(page) = read::<Page<Media>>(text) {
        if let Some(data) = field("data").and_then(Value::as_array) {
            assert_eq!(page.data.len(), data.len());
        }
        if let Some(paging) = field("paging").filter(|paging| paging.is_object()) {
            let link = |name: &str| paging.get(name).and_then(Value::as_str);
            assert_eq!(
                page.has_next(),
                link("next").is_some_and(|next| !next.is_empty())
            );
            assert_eq!(
                page.has_previous(),
                link("previous").is_some_and(|previous| !previous.is_empty())
            );
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

/// Reads; and what is then written reads back as it was written. (Of a page,
/// the links are not written, so the first reading may know more.)
fn read<T: Deserialize + Serialize + Debug>(text: &str) -> Option<T> {
    let value = json::from_str::<T>(text).ok()?;
    let written = json::to_string(&value);
    let again = json::from_str::<T>(&written)
        .unwrap_or_else(|_| panic!("cannot read back {written} of {value:?}"));
    assert_eq!(json::to_string(&again), written);
    assert!(
        serde_json::from_str::<serde::de::IgnoredAny>(&written).is_ok() || deep(&written),
        "no JSON: {written}"
    );
    Some(value)
}

/// Deeper than serde_json goes.
fn deep(text: &str) -> bool {
    text.matches(['[', '{']).count() > 100
}
