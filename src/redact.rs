//! Masks secrets and flattens text for display.

const MASK: &str = "***";

/// A secret that the end of a text cuts short is masked from this many bytes on.
const MIN_CUT_SECRET: usize = 5;

/// Shorter secrets are masked only as entire words, because they may be part of any word.
const MIN_SECRET: usize = 8;

/// Bytes of a text from the service that a message may quote.
const MAX_QUOTED: usize = 1024;

/// Text from the service, ready for a message: secrets masked, on one line, and
/// then shortened. Shortening comes last, so that no half of a secret remains.
pub(crate) fn sanitize(text: &str, secrets: &[&str]) -> String {
    let mut text = one_line(redact(text, secrets));
    if text.len() > MAX_QUOTED {
        text.truncate(prefix(&text, MAX_QUOTED).len());
        text.push('…');
    }
    text
}

/// Line separators, and the characters without a width that hide text or change its order
/// (Unicode's category Cf). The joiners U+200C and U+200D are part of emoji and of some
/// languages' words. Tags (U+E0020 to U+E007F) can spell hidden text; without them three
/// regional flags become plain black ones.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E007F}'
    )
}

/// Replaces white space, control characters and hidden ones by single spaces. The last
/// are not removed: that could put the pieces of a secret together.
pub(crate) fn one_line(text: String) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !(c.is_control() || c.is_whitespace() || is_hidden(c)) {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// At most `bytes` bytes from the start of `text`, ending on a character boundary.
pub(crate) fn prefix(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Masks every secret in `text`, whether it is written plainly, percent-encoded,
/// in JSON escapes, or in a mixture (a `next` link inside JSON is both). The
/// value of an `access_token` key is masked even if it is not a known secret.
pub(crate) fn redact(text: &str, secrets: &[&str]) -> String {
    redact_at(text, secrets, 0).0
}

/// As [`redact`], and where the character at `offset` is in the result.
pub(crate) fn redact_at(text: &str, secrets: &[&str], offset: usize) -> (String, usize) {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    let mut at = 0;
    let mut moved = None;
    while at < bytes.len() {
        let end = secrets
            .iter()
            .filter(|secret| !secret.is_empty())
            .find_map(|secret| secret_at(bytes, at, secret.as_bytes()));
        let masked = match end {
            Some(end) => Some((at, end)),
            None => token_value_at(bytes, at),
        };
        let Some((start, end)) = masked else {
            at += 1;
            continue;
        };
        out.push_str(&text[kept..start]);
        if moved.is_none() && offset < end {
            moved = Some(out.len() - start.saturating_sub(offset));
        }
        out.push_str(MASK);
        (at, kept) = (end, end);
    }
    let moved = moved.unwrap_or(out.len() + offset.saturating_sub(kept));
    out.push_str(&text[kept..]);
    (out, moved)
}

/// Decodes one byte at an index; returns it and the index after it.
type ReadByte = fn(&[u8], usize) -> Option<(u8, usize)>;

/// The end of the secret, if it is written at `at`. Secrets are visible ASCII,
/// so a match starts and ends on character boundaries.
fn secret_at(text: &[u8], at: usize, secret: &[u8]) -> Option<usize> {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_short = secret.len() < MIN_SECRET;
    // The end of `\n`, `%3D` or `\u003d` is no part of a word.
    let is_escape = |&(back, sign)| at >= back && text[at - back] == sign;
    if is_short
        && is_word(text[..at].last())
        && ![(2, b'\\'), (3, b'%'), (6, b'\\')].iter().any(is_escape)
    {
        return None;
    }
    let run = |next: ReadByte| {
        let (mut at, mut matched) = (at, 0);
        for &wanted in secret {
            match next(text, at) {
                Some((byte, end)) if byte == wanted => at = end,
                _ if matched >= MIN_CUT_SECRET && is_cut(text, at) => return Some(text.len()),
                _ => return None,
            }
            matched += 1;
        }
        (!is_short || !is_word(text.get(at))).then_some(at)
    };
    // JSON escapes alone come first, to find a secret that contains a `%`.
    run(json_byte).or_else(|| run(encoded_byte))
}

/// Whether the text ends here, or inside an escape that starts here. The longest
/// escape is a percent sign and two digits, each written as `\u00XX`: 18 bytes.
fn is_cut(text: &[u8], at: usize) -> bool {
    match text.get(at) {
        Some(b'%' | b'\\') => text.len() - at < 18,
        Some(_) => false,
        None => true,
    }
}

/// Decodes the byte at `at`, reading JSON escapes.
fn json_byte(text: &[u8], at: usize) -> Option<(u8, usize)> {
    match *text.get(at)? {
        b'\\' => match *text.get(at + 1)? {
            b'u' => {
                let code = text
                    .get(at + 2..at + 6)?
                    .iter()
                    .try_fold(0, |code, &digit| {
                        Some(code * 16 + (digit as char).to_digit(16)?)
                    })?;
                Some((u8::try_from(code).ok()?, at + 6))
            }
            other => Some((other, at + 2)),
        },
        byte => Some((byte, at + 1)),
    }
}

/// Decodes the byte at `at`, reading JSON escapes and then percent-encoding.
fn encoded_byte(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let (byte, end) = json_byte(text, at)?;
    if byte == b'%' {
        let digit = |at| {
            let (byte, end) = json_byte(text, at)?;
            Some(((byte as char).to_digit(16)? as u8, end))
        };
        if let Some((high, middle)) = digit(end) {
            if let Some((low, end)) = digit(middle) {
                return Some((high << 4 | low, end));
            }
        }
    }
    Some((byte, end))
}

/// The span of the value after an `access_token` key at `at`, in JSON or in a
/// query string.
fn token_value_at(text: &[u8], at: usize) -> Option<(usize, usize)> {
    const KEY: &[u8] = b"access_token";
    if !text[at..].starts_with(KEY) {
        return None;
    }
    let mut start = at + KEY.len();
    let mut assigned = false;
    while let Some((byte @ (b'"' | b':' | b'=' | b' ' | b'\''), end)) = encoded_byte(text, start) {
        assigned |= byte == b':' || byte == b'=';
        start = end;
    }
    if !assigned {
        return None;
    }
    let mut end = start;
    while let Some((byte, next)) = encoded_byte(text, end) {
        if byte.is_ascii_graphic() && !b"\"'&,;<>{}()#".contains(&byte) {
            end = next;
        } else {
            break;
        }
    }
    (end > start).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "IGQVJ/a%b=secret";

    #[test]
    fn masks_a_secret_in_every_encoding() {
        for written in [
            "IGQVJ/a%b=secret",
            "IGQVJ%2Fa%25b%3Dsecret",
            "IGQVJ%2fa%25b%3dsecret",
            r"IGQVJ\/a%b=secret",
            r"IGQVJ\u002Fa\u0025b\u003dsecret",
            r"\u0049GQVJ\u00252Fa\u002525b\u00253Dsecret",
        ] {
            let text = format!("é before {written} after é");
            assert_eq!(redact(&text, &["", TOKEN]), "é before *** after é");
        }
    }

    #[test]
    fn masks_every_copy_and_nothing_else() {
        assert_eq!(
            redact("aXXXXXXXXbXXXXXXXXXXXXXXXX", &["XXXXXXXX"]),
            "a***b******"
        );
        assert_eq!(redact("IGQVJ/a%b=secreT", &[TOKEN]), "IGQVJ/a%b=secreT");
        assert_eq!(redact("plain", &[]), "plain");
    }

    #[test]
    fn masks_a_secret_cut_short_by_the_end() {
        for cut in [
            "IGQVJ",
            "IGQVJ/a%b=secre",
            r"IGQVJ\u002fa",
            r"IGQVJ\u00",
            "IGQVJ%2",
        ] {
            assert_eq!(redact(&format!("é {cut}"), &[TOKEN]), "é ***", "{cut}");
        }
        assert_eq!(redact("IGQV", &[TOKEN]), "IGQV");
    }

    #[test]
    fn masks_unknown_access_tokens() {
        for (text, masked) in [
            (
                r#"{"access_token":"IGnew","expires_in":1}"#,
                r#"{"access_token":"***","expires_in":1}"#,
            ),
            ("?access_token=IGnew&after=1", "?access_token=***&after=1"),
            (
                r"media?access_token\u003dIGnew\u0026x=1",
                r"media?access_token\u003d***\u0026x=1",
            ),
            ("access_token%3DIGnew%26x", "access_token%3D***%26x"),
            ("the access_token is bad", "the access_token is bad"),
        ] {
            assert_eq!(redact(text, &[]), masked);
        }
    }

    #[test]
    fn an_offset_follows_its_character() {
        let text = "a IGQVJ/a%b=secret b access_token=IG c IGQVJ";
        for (character, masked) in [('a', 0), ('b', 6), ('c', 25)] {
            let offset = text.rfind(&format!("{character} ")).unwrap();
            let (out, moved) = redact_at(text, &[TOKEN], offset);
            assert_eq!(out, "a *** b access_token=*** c ***");
            assert_eq!(
                (moved, out[moved..].chars().next()),
                (masked, Some(character))
            );
        }
        // Inside of a secret: the start of its mask. At the end: the end.
        for (offset, masked) in [(2, 2), (3, 2), (17, 2), (18, 5), (35, 21), (text.len(), 30)] {
            assert_eq!(redact_at(text, &[TOKEN], offset).1, masked, "{offset}");
        }
    }

    #[test]
    fn hides_characters_that_reorder_or_hide_text() {
        let text = "a\u{202e}b\u{2066}c\u{2069}\u{200f}d\u{61c}e\u{200b}\u{feff}f".to_owned();
        assert_eq!(one_line(text), "a b c d e f");
        assert_eq!(one_line("a\u{2028}b\u{2029}c".to_owned()), "a b c");
        // Joiners are part of emoji and of Persian words.
        let kept = "👩\u{200d}🚀 می\u{200c}خواهم é";
        assert_eq!(one_line(kept.to_owned()), kept);
    }

    #[test]
    fn a_short_secret_is_masked_as_a_word_only() {
        assert_eq!(
            redact("a media id, code=a&b \"a\"", &["a"]),
            "*** media id, code=***&b \"***\""
        );
        assert_eq!(redact("abcdefg abcdefgh", &["abcdefg"]), "*** abcdefgh");
        assert_eq!(
            redact(r"\nabc %3Dabc \u003dabc\u0061 xabc", &["abc"]),
            r"\n*** %3D*** \u003d***\u0061 xabc"
        );
        assert_eq!(redact("xabcdefghx", &["abcdefgh"]), "x***x");
    }

    #[test]
    fn flattens_text_to_one_line() {
        assert_eq!(one_line("a\r\n b\tc\0d".into()), "a b c d");
        assert_eq!(one_line(" a  b\u{a0}c ".into()), "a b c");
        // Nothing else is touched.
        let text = "a b\u{200c}\u{200d}\u{fe0f}\u{600}\u{e0100}";
        assert_eq!(one_line(text.into()), text);
    }
}
