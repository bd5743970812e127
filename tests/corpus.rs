//! Reads every `.json` in the folder named by `MINGRAM_CORPUS` and says what it
//! was understood as. Nothing that the structs can hold may be dropped: what
//! was read is written again and compared with an independent JSON library.

use mingram::auth::{App, Code};
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, Media, Page, Result, User};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Cursor;

/// Answers every request with one body; a recorded error with the status that
/// it came with.
struct Always(String);

impl Transport for Always {
    fn send(&self, _: &Request<'_>) -> Result<Response> {
        let body = self.0.clone();
        let body_is_error = body.contains("\"error");
        let headers = vec![("Content-Length".to_owned(), body.len().to_string())];
        Ok(Response::new(
            if body_is_error { 400 } else { 200 },
            headers,
            Cursor::new(body.into_bytes()),
        ))
    }
}

/// What a reply was understood as, and that written again.
fn understand(text: &str) -> Option<(&'static str, String)> {
    let api = Api::new("IGQVJsample").with_transport(Always(text.to_owned()));
    match api.node::<BTreeMap<String, Media>>("", &[]) {
        Err(error) if error.api_error().is_some() => {
            let error = error.api_error().unwrap();
            let mut known = serde_json::Map::new();
            let mut put = |key: &str, value: Value| drop(known.insert(key.to_owned(), value));
            put("message", error.message.clone().into());
            put("type", error.error_type.clone().into());
            put("code", error.code.into());
            put("fbtrace_id", error.trace_id.clone().into());
            put("error_subcode", error.subcode.into());
            put("error_user_title", error.user_title.clone().into());
            put("error_user_msg", error.user_message.clone().into());
            put("is_transient", error.is_transient.into());
            if text.contains("error_message") {
                // The token host's shape: its `code` is the HTTP status.
                let flat = serde_json::json!({
                    "error_type": error.error_type, "error_message": error.message, "code": error.status,
                });
                return Some(("an error of the token host", flat.to_string()));
            }
            return Some((
                "an error",
                serde_json::json!({ "error": known }).to_string(),
            ));
        }
        Ok(media) => return Some(("media by id", miniserde::json::to_string(&media))),
        Err(_) => {}
    }
    if let Ok(token) = api.refresh_token() {
        let mut known = serde_json::json!({ "access_token": token.token.expose() });
        if let Some(kind) = &token.token_type {
            known["token_type"] = kind.as_str().into();
        }
        if let Some(time) = token.expires_in {
            known["expires_in"] = time.as_secs().into();
        }
        if text.contains("user_id") {
            let app = App::new("1", "SECRETsample", "https://example.com/auth");
            let short = api.exchange_code(&app, &Code::new("CODE")).unwrap();
            assert_eq!(short.token, token.token);
            known["user_id"] = short.user_id.unwrap().parse::<u64>().unwrap().into();
        }
        return Some(("a token", known.to_string()));
    }
    if let Ok(page) = api.node::<Page<Media>>("me/media", &[]) {
        return Some(("a page", miniserde::json::to_string(&page)));
    }
    if let Ok(user) = api.me("") {
        let user: User = user;
        if text.contains("media_type") && user.media.is_none() {
            let media = api.media("1", "").unwrap();
            return Some(("a media", miniserde::json::to_string(&media)));
        }
        return Some(("a user", miniserde::json::to_string(&user)));
    }
    None
}

/// Everything in `wanted` is in `got`, but for the links to other pages, which
/// hold the access token and are never kept.
fn kept(wanted: &Value, got: &Value, path: &str) {
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(_)) => {
            for (key, value) in wanted {
                if path.ends_with("/paging") && (key == "next" || key == "previous") {
                    continue;
                }
                kept(value, &got[key], &format!("{path}/{key}"));
            }
        }
        (Value::Array(wanted), Value::Array(got)) => {
            assert_eq!(wanted.len(), got.len(), "{path}");
            for (i, (wanted, got)) in wanted.iter().zip(got).enumerate() {
                kept(wanted, got, &format!("{path}/{i}"));
            }
        }
        _ => assert_eq!(wanted, got, "{path} was dropped or changed"),
    }
}

#[test]
fn the_corpus_is_understood() {
    let Some(folder) = std::env::var_os("MINGRAM_CORPUS") else {
        println!("MINGRAM_CORPUS is not set: nothing to read");
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    assert!(!files.is_empty(), "no .json in MINGRAM_CORPUS");
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let Some((what, written)) = understand(&text) else {
            panic!("{name} was not understood");
        };
        println!("{name}: {what}");
        kept(
            &serde_json::from_str(&text).unwrap(),
            &serde_json::from_str(&written).unwrap(),
            name,
        );
    }
}

/// The comparison itself would notice a loss.
#[test]
fn a_dropped_field_is_noticed() {
    let wanted: Value = serde_json::from_str(r#"{"data":[{"id":"1","caption":"c"}]}"#).unwrap();
    let got: Value = serde_json::from_str(r#"{"data":[{"id":"1"}]}"#).unwrap();
    assert!(std::panic::catch_unwind(|| kept(&wanted, &got, "")).is_err());
    kept(&wanted, &wanted, "");
}
