//! Text of the service, made fit for HTML, XML and people.

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The longest alternative text that is made of a caption, in characters.
const MAX_ALT: usize = 160;

/// Escapes text for elements and quoted attributes of HTML and XML. Characters that XML
/// does not allow are dropped, and so are those that change the direction of the text after
/// them.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Line and paragraph separators.
            '\r' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            // Noncharacters are not valid in HTML.
            '\u{fdd0}'..='\u{fdef}' => {}
            c if c.is_control() || u32::from(c) & 0xfffe == 0xfffe => {}
            c => out.push(c),
        }
    }
    out
}

/// The text on one line.
pub fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A URL that a page may link to: `javascript:` and the like may not.
pub fn link(url: Option<&str>) -> Option<&str> {
    let url = url?;
    let scheme = url.split_once("://")?.0.to_ascii_lowercase();
    let is_plain = url.chars().all(|c| !c.is_whitespace() && !c.is_control());
    (matches!(scheme.as_str(), "https" | "http") && is_plain).then_some(url)
}

/// The caption as HTML, its hashtags as links.
pub fn caption(text: &str) -> String {
    let text = text.trim();
    let mut out = String::new();
    let (mut done, mut before) = (0, ' ');
    for (at, c) in text.char_indices() {
        let begins = !is_tag(before) || (at == done && at > 0);
        if c == '#' && at >= done && begins {
            let rest = &text[at + 1..];
            let tag = &rest[..rest.find(|c| !is_tag(c)).unwrap_or(rest.len())];
            if tag.chars().any(|c| !c.is_ascii_digit()) {
                out.push_str(&escape(&text[done..at]));
                let (path, name) = (encode(tag), escape(tag));
                out.push_str(&format!(
                    r#"<a href="https://www.instagram.com/explore/tags/{path}/">#{name}</a>"#
                ));
                done = at + 1 + tag.len();
            }
        }
        before = c;
    }
    out.push_str(&escape(&text[done..]));
    out
}

/// Whether a hashtag may contain this: letters of any script with their marks, digits,
/// underscores and emoji; no space and no punctuation.
fn is_tag(c: char) -> bool {
    match c {
        '_' | '\u{200c}' | '\u{200d}' => true,
        '\u{00a1}'..='\u{00bf}' => c.is_alphanumeric(),
        '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{3020}' => false,
        '\u{fe10}'..='\u{fe1f}' | '\u{fe30}'..='\u{fe6f}' => false,
        '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' => false,
        '\u{ff5b}'..='\u{ff65}' | '\u{060c}' | '\u{061b}' | '\u{061f}' | '\u{06d4}' => false,
        c if c.is_ascii() => c.is_ascii_alphanumeric(),
        c => !c.is_whitespace() && !c.is_control(),
    }
}

/// Percent-encodes a part of a path.
pub fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The first sentence of a caption, on one line; empty if there is none.
pub fn first_sentence(caption: &str) -> String {
    let first = caption.trim().lines().next().unwrap_or_default().trim();
    let mut end = first.len();
    for (at, c) in first.char_indices() {
        let next = first[at + c.len_utf8()..].chars().next();
        let is_end = match c {
            '.' | '!' | '?' | '…' => next.is_none_or(char::is_whitespace),
            '。' | '！' | '？' => true,
            _ => false,
        };
        if is_end {
            end = at + c.len_utf8();
            break;
        }
    }
    shorten(&line(&first[..end]), MAX_ALT)
}

/// The text, or its first words and an ellipsis.
fn shorten(text: &str, most: usize) -> String {
    let Some((cut, _)) = text.char_indices().nth(most) else {
        return text.to_owned();
    };
    let words = text[..cut].rfind(' ').unwrap_or(cut);
    format!("{}…", &text[..words])
}

/// `2026-11-21T07:12:00Z` as `21 November 2026`.
pub fn date(published: &str) -> Option<String> {
    let month: usize = published.get(5..7)?.parse().ok()?;
    let day: u8 = published.get(8..10)?.parse().ok()?;
    let name = MONTHS.get(month.checked_sub(1)?)?;
    Some(format!("{day} {name} {}", published.get(..4)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_everything_that_is_markup_or_not_allowed() {
        assert_eq!(
            escape("<b a=\"1\" c='2'>&amp;\0\u{b}\u{7f}\u{85}"),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;"
        );
        assert_eq!(escape("a\u{2028}b\u{2029}c\rd\te\nf"), "a\nb\nc\nd\te\nf");
        assert_eq!(
            escape("\u{202e}evil\u{2066}x\u{2069}\u{fffe}\u{1ffff}\u{fdd0}"),
            "evilx"
        );
        assert_eq!(escape("שלום 日本 🌅"), "שלום 日本 🌅");
    }

    #[test]
    fn links_hashtags() {
        let tag = |path: &str, name: &str| {
            format!(r#"<a href="https://www.instagram.com/explore/tags/{path}/">#{name}</a>"#)
        };
        assert_eq!(
            caption("Sea #sea, #low_tide!"),
            format!(
                "Sea {}, {}!",
                tag("sea", "sea"),
                tag("low_tide", "low_tide")
            )
        );
        assert_eq!(caption("#a#b"), tag("a", "a") + &tag("b", "b"));
        assert_eq!(
            caption("#नमस्ते。"),
            format!(
                "{}。",
                tag(
                    "%E0%A4%A8%E0%A4%AE%E0%A4%B8%E0%A5%8D%E0%A4%A4%E0%A5%87",
                    "नमस्ते"
                )
            )
        );
        assert_eq!(
            caption("#海。#山"),
            format!("{}。{}", tag("%E6%B5%B7", "海"), tag("%E5%B1%B1", "山"))
        );
        assert_eq!(caption("#\"><script>"), "#&quot;&gt;&lt;script&gt;");
        assert_eq!(
            caption("#a\"><script>"),
            format!("{}&quot;&gt;&lt;script&gt;", tag("a", "a"))
        );
        assert_eq!(caption("#a\u{202e}b"), format!("{}b", tag("a", "a")));
        for plain in ["# no", "no#tag", "#1", "#", "##"] {
            assert_eq!(caption(plain), plain);
        }
        assert_eq!(caption("&#39;"), "&amp;#39;");
    }

    #[test]
    fn finds_the_first_sentence() {
        for (caption, sentence) in [
            ("The sea. Then more.", "The sea."),
            ("Version 2.0 is out! Go", "Version 2.0 is out!"),
            ("One line\nand another", "One line"),
            ("  \n\n Two   spaces", "Two spaces"),
            ("海です。山です。", "海です。"),
            ("", ""),
            ("…", "…"),
        ] {
            assert_eq!(first_sentence(caption), sentence, "{caption}");
        }
        let long = first_sentence(&"word ".repeat(100));
        assert!(
            long.chars().count() <= MAX_ALT + 1 && long.ends_with("word…"),
            "{long}"
        );
        assert_eq!(
            first_sentence(&"é".repeat(200)).chars().count(),
            MAX_ALT + 1
        );
    }

    #[test]
    fn links_only_to_the_web() {
        assert!(link(Some("https://www.instagram.com/p/a/")).is_some());
        assert!(link(Some("HTTP://example.com")).is_some());
        for bad in [
            "javascript:alert(1)",
            "javascript://www.instagram.com/%0aalert(1)",
            " javascript:alert(1)",
            "data:text/html,<script>",
            "//example.com",
            "/p/a/",
            "",
            "https://a b",
            "https://a\nb",
        ] {
            assert_eq!(link(Some(bad)), None, "{bad:?}");
        }
        assert_eq!(link(None), None);
    }

    #[test]
    fn writes_dates() {
        assert_eq!(
            date("2026-11-01T07:12:00Z").as_deref(),
            Some("1 November 2026")
        );
        assert_eq!(date("2026-00-01T"), None);
        assert_eq!(date(""), None);
    }
}
