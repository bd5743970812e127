//! Keeps secrets out of what is shown, and flattens text for display.
//!
//! A text from the service that gives a secret away is not shown at all: a message, or the
//! excerpt of a reply. In text of the program's own, the word is not shown. Masking the
//! secret alone would require to know where it starts and ends under every encoding.

/// Shown instead of a text that contains a secret.
pub(crate) const NOT_SHOWN: &str = "(not shown: it contains a secret)";

/// This many consecutive characters give a secret away. A shorter secret counts only as an
/// entire word, because it may be part of any word.
const PIECE: usize = 8;

/// A text that was encoded in more ways than this is taken for one that hides something.
const MAX_LAYERS: usize = 32;

/// How the service's access tokens begin.
const TOKENS: [&str; 3] = ["IGAA", "IGQ", "EAA"];

/// This many characters after such a beginning, which they include, make a token.
const MIN_TOKEN: usize = 20;

/// Bytes of a text from the service that a message may quote.
const MAX_QUOTED: usize = 1024;

/// Bytes that are searched before and after an excerpt for the rest of a word.
const MAX_WORD: usize = 16 * 1024;

/// Text from the service, ready for a message.
pub(crate) fn sanitize(text: &str, secrets: &[&str]) -> String {
    excerpt(text, 0, MAX_QUOTED, secrets)
}

/// At most `bytes` bytes of a text from `start` on, on one line. Nothing of them is shown
/// if they, or the words that they start and end in, contain a secret.
pub(crate) fn excerpt(text: &str, start: usize, bytes: usize, secrets: &[&str]) -> String {
    let is_end = |c: char| c.is_whitespace() || "<>{},".contains(c);
    let start = prefix(text, start).len();
    let end = start + prefix(&text[start..], bytes).len();
    let from = prefix(text, start.saturating_sub(MAX_WORD)).len();
    let from = text[from..start].rfind(is_end).map_or(from, |at| from + at);
    let rest = prefix(&text[end..], MAX_WORD);
    let to = end + rest.find(is_end).unwrap_or(rest.len());
    if has_secret(&text[from..to], secrets) {
        return NOT_SHOWN.to_owned();
    }
    let line = one_line(text[start..end].to_owned());
    let cut = |is_cut: bool| ["", "…"][usize::from(is_cut && !line.is_empty())];
    format!("{}{line}{}", cut(start > 0), cut(end < text.len()))
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

/// Text of the program's own, without the words that contain a secret, or without any if
/// a secret is spread over several.
pub(crate) fn redact(text: &str, secrets: &[&str]) -> String {
    if !has_secret(text, secrets) {
        return text.to_owned();
    }
    let hide = |word| match has_secret(word, secrets) {
        true => NOT_SHOWN,
        false => word,
    };
    let words: Vec<&str> = text.split(' ').map(hide).collect();
    hide(&words.join(" ")).to_owned()
}

/// Whether the text gives away one of these secrets, an access token, or the value of an
/// `access_token`, however it is encoded or broken up by white space.
pub(crate) fn has_secret(text: &str, secrets: &[&str]) -> bool {
    let texts = layers(text);
    let shows = |text: &String| {
        let solid: Vec<u8> = text.bytes().filter(u8::is_ascii_graphic).collect();
        let shows = |secret: &String| match secret.len() {
            ..PIECE => has_word(text, secret),
            _ => has_piece(&solid, secret.as_bytes()),
        };
        // A secret that looks encoded may be decoded, in part, by whoever shows it.
        let has = |secret: &&str| layers(secret).iter().any(shows);
        has_token(text) || has_token_value(text) || secrets.iter().any(has)
    };
    texts.len() >= MAX_LAYERS || texts.iter().any(shows)
}

/// The text, and what it becomes if JSON escapes and percent-encoding are decoded, in any
/// order and as often as that changes it.
pub(crate) fn layers(text: &str) -> Vec<String> {
    let mut layers = vec![text.to_owned()];
    let mut at = 0;
    while at < layers.len() && layers.len() < MAX_LAYERS {
        for sign in ['\\', '%'] {
            let layer = layers[at].contains(sign).then(|| decode(&layers[at], sign));
            let layer = layer.filter(|layer| !layers.contains(layer));
            layers.extend(layer);
        }
        at += 1;
    }
    layers
}

/// Decodes the escapes that begin with this sign: `\\` for JSON, `%` for URLs. Invalid ones are
/// kept, invalid UTF-8 becomes U+FFFD.
pub(crate) fn decode(text: &str, sign: char) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut text = text.as_bytes();
    while let Some(&first) = text.first() {
        let escape = if first == sign as u8 {
            escape(text)
        } else {
            None
        };
        let (byte, length) = escape.unwrap_or((first, 1));
        out.push(byte);
        text = &text[length..];
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The byte that the escape at the start of a text stands for, and the length of the escape.
/// What is no part of a secret becomes a space.
fn escape(text: &[u8]) -> Option<(u8, usize)> {
    let hex = |start: usize, end: usize| {
        let digit = |code: u32, digit: &u8| Some(code << 4 | char::from(*digit).to_digit(16)?);
        let code = text.get(start..end)?.iter().try_fold(0, digit)?;
        Some((u8::try_from(code).unwrap_or(b' '), end))
    };
    match *text {
        [b'%', ..] => hex(1, 3),
        [_, b'u', ..] => hex(2, 6),
        [_, b'b' | b'f' | b'n' | b'r' | b't', ..] => Some((b' ', 2)),
        [_, byte, ..] => Some((byte, 2)),
        _ => None,
    }
}

/// Whether the text has [`PIECE`] consecutive bytes of the secret.
fn has_piece(text: &[u8], secret: &[u8]) -> bool {
    let mut occurs = [false; 256];
    for &byte in text {
        occurs[usize::from(byte)] = true;
    }
    let mut run = 0;
    secret.iter().enumerate().any(|(at, &byte)| {
        run = (run + 1) * usize::from(occurs[usize::from(byte)]);
        let mut parts = text.windows(PIECE);
        run >= PIECE && parts.any(|part| part == &secret[at + 1 - PIECE..=at])
    })
}

/// Whether the text contains a word, which is not part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_alone = |before: &str, after: &str| {
        !before.ends_with(is_letter) && !after[word.len()..].starts_with(is_letter)
    };
    !word.is_empty() && finds(text, word, &is_alone)
}

/// Whether a word begins like an access token and continues like one.
pub(crate) fn has_token(text: &str) -> bool {
    let is_token = |before: &str, after: &str| {
        let graphic = after.chars().filter(char::is_ascii_graphic);
        let token = graphic.take_while(|&c| is_letter(c) || c == '-' || c == '_');
        !before.ends_with(is_letter) && token.take(MIN_TOKEN).count() == MIN_TOKEN
    };
    TOKENS.iter().any(|begin| finds(text, begin, &is_token))
}

/// Whether an `access_token` has a value, in JSON or in a query string. Words after
/// `access_token: ` are a sentence.
fn has_token_value(text: &str) -> bool {
    const KEY: &str = "access_token";
    let of_value = |c: &char| c.is_ascii_graphic() && !"\"'&,;<>{}()#".contains(*c);
    finds(text, KEY, &|_, after| {
        let rest = &after[KEY.len()..];
        let value = rest.trim_start_matches(|c| "\"': =".contains(c));
        let signs = &rest[..rest.len() - value.len()];
        let least = if signs == ": " { MIN_TOKEN } else { 1 };
        signs.contains([':', '=']) && value.chars().take_while(of_value).count() >= least
    })
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

/// Whether the text contains this part where the text before it, and that from it on, are
/// accepted.
fn finds(text: &str, part: &str, accepts: &dyn Fn(&str, &str) -> bool) -> bool {
    let accepts = |(at, _): (usize, &str)| accepts(&text[..at], &text[at..]);
    text.match_indices(part).any(accepts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "IGQVJ/a%b=secret";

    fn shows(text: &str) -> bool {
        !has_secret(text, &["", TOKEN])
    }

    #[test]
    fn finds_a_secret_in_every_encoding() {
        for written in [
            "IGQVJ/a%b=secret",
            "IGQVJ%2Fa%25b%3Dsecret",
            "IGQVJ%2fa%25b%3dsecret",
            r"IGQVJ\/a%b=secret",
            r"IGQVJ\u002Fa\u0025b\u003dsecret",
            r"\u0049GQVJ\u00252Fa\u002525b\u00253Dsecret",
            // Several layers, and broken up.
            "IGQVJ%25252Fa%252525b%25253Dsecret",
            r"IGQVJ\\u002Fa%5Cu0025b%255Cu003dsecret",
            r"IGQ\nVJ/\u200ba%0Ab = se\tcret",
            "IGQ\u{200b}VJ/a%b\r\n=sec\u{ad}ret",
        ] {
            assert!(!shows(&format!("é before {written} after é")), "{written}");
            assert!(!shows(written), "{written}");
        }
    }

    #[test]
    fn eight_characters_give_a_secret_away() {
        for (text, is_shown) in [
            ("IGQVJ/a", true),
            ("IGQVJ/a%", false),
            ("xIGQVJ/a%x", false),
            ("=secret", true),
            ("b=secret", false),
            ("IGQVJ%2Fa%25", false),
            ("QVJ/a%c=secreT", true),
            ("%25b%3Dsecr", true),
            (r"%25b%3D\u0073ecret", false),
            ("plain", true),
        ] {
            assert_eq!(shows(text), is_shown, "{text}");
        }
    }

    #[test]
    fn a_short_secret_is_an_entire_word() {
        for (text, is_shown) in [
            ("abc", false),
            ("code=abc&x", false),
            (r"\nabc", false),
            ("%3Dabc", false),
            (r"\u003dabc", false),
            ("abcd", true),
            ("xabc", true),
            (r"abc%61", false),
            ("", true),
        ] {
            assert_eq!(!has_secret(text, &["abc"]), is_shown, "{text}");
        }
    }

    #[test]
    fn finds_unknown_tokens() {
        for (text, is_shown) in [
            (r#"{"access_token":"IGnew","expires_in":1}"#, false),
            (r#"{\"access_token\" : \"IGnew\"}"#, false),
            ("?access_token=IGnew&after=1", false),
            (r"media?access_token\u003dIGnew\u0026x=1", false),
            ("access_token%3DIGnew%26x", false),
            ("access_token%253DIGnew", false),
            ("the access_token is bad", true),
            ("access_token: it has expired", true),
            ("access_token: 0123456789abcdefghij", false),
            (r#"{"access_token":"","x":1}"#, true),
            ("IGAAx1234567890abcdef", false),
            ("\"IGAAx1234567890abcde\"", false),
            ("IGAAx1234567890abcd", true),
            (r"\nIGQWx1234567890abcde", false),
            ("of EAAx1234567890_-abcde, and", false),
            ("EAAx12345\n67890\u{200b}abc def", false),
            ("EAAx12345%0A67890%20abcdef", false),
            ("EAAx12345. 67890abcdef", true),
            ("xEAAx1234567890abcdef", true),
            ("https://x/EAA%78x1234567890abcde", false),
        ] {
            assert_eq!(shows(text), is_shown, "{text}");
        }
    }

    #[test]
    fn an_excerpt_is_hidden_with_a_word_that_it_cuts() {
        let text = "a=IGQVJ/a%b=secret b c";
        let end = text.len();
        for (start, bytes, wanted) in [
            (0, 3, NOT_SHOWN),
            (0, end, NOT_SHOWN),
            (16, 9, NOT_SHOWN),
            (19, 2, "…b…"),
            (19, 9, "…b c"),
            (end, 9, ""),
            (99, 9, ""),
        ] {
            let out = excerpt(text, start, bytes, &[TOKEN]);
            assert_eq!(out, wanted, "{start} {bytes}");
        }
        let text = format!("x access_token={}", "y".repeat(3000));
        assert_eq!(excerpt(&text, 2000, 9, &[]), NOT_SHOWN);
        assert_eq!(sanitize(&text[..14], &[]), "x access_token");
        assert_eq!(excerpt("éé", 1, 2, &[]), "é…");
    }

    #[test]
    fn own_text_loses_the_word() {
        for (text, wanted) in [
            ("GET /me", "GET /me"),
            (
                "GET /x/IGQVJ%2fa%25b%3dsecret",
                "GET (not shown: it contains a secret)",
            ),
            (
                "lost: https://x?a=IGQVJ/a%b=secret  !",
                "lost: (not shown: it contains a secret)  !",
            ),
            ("IGQVJ/ a%b=sec", NOT_SHOWN),
        ] {
            assert_eq!(redact(text, &[TOKEN]), wanted);
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
    fn flattens_text_to_one_line() {
        assert_eq!(one_line("a\r\n b\tc\0d".into()), "a b c d");
        assert_eq!(one_line(" a  b\u{a0}c ".into()), "a b c");
        // Nothing else is touched.
        let text = "a b\u{200c}\u{200d}\u{fe0f}\u{600}\u{e0100}";
        assert_eq!(one_line(text.into()), text);
    }
}
