//! Looks for secrets in what is shown, however they are written there. Knows
//! nothing of how the library masks them.

use std::collections::BTreeSet;
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
    let mut texts = BTreeSet::from([text.to_owned()]);
    for _ in 0..3 {
        let decoded: Vec<String> = texts
            .iter()
            .flat_map(|text| [without_escapes(text), without_percents(text)])
            .collect();
        texts.extend(decoded);
    }
    let halves = |secret: &'a str| {
        let (left, right) = secret.split_at(secret.len() / 2);
        [secret, left, right]
    };
    secrets
        .iter()
        .flat_map(|secret| halves(secret))
        .find(|part| texts.iter().any(|text| text.contains(part)))
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
                    None => out.push_str(&digits),
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
