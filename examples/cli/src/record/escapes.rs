//! Escapes of JSON and URLs, and where things end in a text.

/// An id is all digits.
pub fn is_id(text: &str) -> bool {
    (5..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The length of a string with both its quotes; of one that does not end, that of the text.
pub fn string_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

pub fn number_length(text: &str) -> usize {
    let of_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    text.find(|c| !of_number(c)).unwrap_or(text.len())
}

/// Decodes JSON's escapes. Invalid ones stay as they are.
pub fn unescape(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let second = rest[first.len_utf8()..].chars().next();
        let hex = || u16::from_str_radix(rest.get(2..6)?, 16).ok();
        let plain = match (first, second) {
            ('\\', Some('u')) => {
                if let Some(unit) = hex() {
                    units.push(unit);
                    rest = &rest[6..];
                    continue;
                }
                None
            }
            ('\\', Some('n')) => Some('\n'),
            ('\\', Some('t')) => Some('\t'),
            ('\\', Some('r')) => Some('\r'),
            ('\\', Some('b')) => Some('\u{8}'),
            ('\\', Some('f')) => Some('\u{c}'),
            ('\\', Some(other @ ('"' | '\\' | '/'))) => Some(other),
            _ => None,
        };
        let (character, length) = match plain {
            Some(plain) => (plain, 2),
            None => (first, first.len_utf8()),
        };
        units.extend(character.encode_utf16(&mut [0; 2]).iter());
        rest = &rest[length..];
    }
    String::from_utf16_lossy(&units)
}

/// Writes JSON text, escaped in the way of what was there before.
pub fn escape_as(out: &mut String, text: &str, before: &str) {
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '/' if before.contains("\\/") => out.push_str("\\/"),
            '%' if before.contains("\\u0025") => out.push_str("\\u0025"),
            _ if c.is_control() || (!c.is_ascii() && before.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    *out += &format!("\\u{unit:04x}");
                }
            }
            _ => out.push(c),
        }
    }
}

/// Decodes percent-encoding. Invalid escapes stay as they are.
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let hex = behind
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The length of the token at the beginning of a text, if it is there: each byte plain or
/// percent-encoded, once or twice.
pub fn token_length(text: &str, token: &str) -> Option<usize> {
    let encoded = |rest: &[u8], percent: &str| {
        let rest = rest.strip_prefix(percent.as_bytes())?;
        let hex = std::str::from_utf8(rest.get(..2)?).ok()?;
        let byte = u8::from_str_radix(hex, 16).ok()?;
        Some((byte, percent.len() + 2))
    };
    let run = |percents: &[&str]| {
        let mut rest = text.as_bytes();
        for &wanted in token.as_bytes() {
            let mut ways = percents.iter().filter_map(|percent| encoded(rest, percent));
            let plain = || Some((*rest.first()?, 1));
            let (_, length) = ways
                .find(|(byte, _)| *byte == wanted)
                .or_else(|| plain().filter(|(byte, _)| *byte == wanted))?;
            rest = &rest[length..];
        }
        Some(text.len() - rest.len())
    };
    // As it stands first, so that a token with a `%` in it is found too.
    run(&[]).or_else(|| run(&["%25", "%"]))
}
