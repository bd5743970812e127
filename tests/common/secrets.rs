//! Looks for secrets in what is shown, however they are written there. Knows
//! nothing of how the library masks them.

use std::collections::{BTreeSet, HashSet};
use std::error::Error;
use std::fmt::Debug;

/// All that an error shows: both formats, and those of every cause.
pub fn shown(error: &mingram::Error) -> String {
    let mut text = debugged(error);
    if let Some(api) = error.api_error() {
        text += &format!("{api}\n{}", debugged(api));
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        text += &format!("{error}\n{}", debugged(&error));
        cause = error.source();
    }
    text + error.call()
}

/// What `{:?}` and `{:#?}` show.
pub fn debugged(value: &dyn Debug) -> String {
    format!("{value:?}\n{value:#?}\n")
}

/// The first of these secrets, or of their halves, that is in the text: as it
/// stands, percent-encoded, inside JSON escapes, or under several of these.
pub fn found<'a>(text: &str, secrets: &[&'a str]) -> Option<&'a str> {
    let texts = decoded(text);
    let halves = |secret: &'a str| {
        let (left, right) = secret.split_at(secret.len() / 2);
        [secret, left, right]
    };
    secrets
        .iter()
        .flat_map(|secret| halves(secret))
        .find(|part| texts.iter().any(|text| text.contains(part)))
}

/// The first eight consecutive characters of the secret that are in the text, however they
/// are written there.
pub fn piece_of<'a>(text: &str, secret: &'a str) -> Option<&'a str> {
    let texts = decoded(text);
    let windows = texts.iter().flat_map(|text| text.as_bytes().windows(8));
    let windows: HashSet<&[u8]> = windows.collect();
    let mut pieces = (8..=secret.len()).map(|end| &secret[end - 8..end]);
    pieces.find(|piece| windows.contains(piece.as_bytes()))
}

/// The text, and what it becomes under the two decoders in any order.
fn decoded(text: &str) -> BTreeSet<String> {
    let mut texts = BTreeSet::from([text.to_owned()]);
    for _ in 0..3 {
        let decoded: Vec<String> = texts
            .iter()
            .flat_map(|text| [without_escapes(text), without_percents(text)])
            .collect();
        texts.extend(decoded);
    }
    texts
}

fn without_escapes(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok();
                match code.and_then(char::from_u32) {
                    Some(c) => out.push(c),
                    None => out += &format!("\\u{digits}"),
                }
            }
            other => out.extend(other),
        }
    }
    out
}

fn without_percents(text: &str) -> String {
    // The form decoder is the one of the url crate; a `+` is no space here.
    let plain = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(plain.as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect()
}
