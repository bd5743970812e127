//! What a download contains: whether it can be a picture or video.

/// Parts of the content types of text. SVG is among them, as XML.
const TEXT: &[&str] = &["html", "json", "script", "mpegurl", "yaml", "urlencoded"];

/// Whether a content type is one of text, and of no picture, video or sound. Of several
/// types, the first counts.
pub(crate) fn is_text_type(content_type: &str) -> bool {
    let first = content_type.split([';', ',']).next().unwrap_or_default();
    let first = first.trim().to_ascii_lowercase();
    let begins = |prefix: &&str| first.starts_with(*prefix);
    ["text", "multipart/", "message/"].iter().any(begins)
        || first.ends_with("xml")
        || TEXT.iter().any(|part| first.contains(part))
}

/// Whether a file that begins like this is a page of HTML, XML or JSON. No format of
/// pictures, videos or sound begins with such a character. `None` if it takes more bytes to
/// know.
pub(crate) fn begins_text(head: &[u8]) -> Option<bool> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    if BYTE_ORDER_MARK.starts_with(head) {
        return None;
    }
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    let first = head.iter().find(|byte| !byte.is_ascii_whitespace())?;
    Some(matches!(first, b'<' | b'{' | b'['))
}
