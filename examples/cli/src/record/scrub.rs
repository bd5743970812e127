//! Replaces what must not be published in a recorded exchange by stand-ins: the same one
//! for the same thing, in every place.
//!
//! It edits the text and leaves the rest as the service wrote it: the order of
//! the keys, the spaces, and how slashes, percent signs and emoji are escaped.
//! What it does not know counts as private.

use super::escapes::{
    decode, escape_as, is_id, number_length, string_length, token_length, unescape,
};
use std::collections::HashMap;

/// What stands for the access token.
pub const TOKEN: &str = "IGQVJsample";

/// What stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// The ids of users and media, shortcodes, and the names of files.
    pub ids: bool,
    /// Captions and descriptions; the user names in them go all the same.
    pub captions: bool,
}

/// The stand-ins, and what they stand for.
pub struct Scrub {
    token: String,
    keep: Keep,
    /// By sort and original: the stand-in's number.
    numbers: HashMap<(&'static str, String), usize>,
    counts: HashMap<&'static str, usize>,
}

const NAME: &str = "user";
const CURSOR: &str = "CURSOR";

impl Scrub {
    pub fn new(token: &str, keep: Keep) -> Scrub {
        Scrub {
            token: token.to_owned(),
            keep,
            numbers: HashMap::new(),
            counts: HashMap::new(),
        }
    }

    fn number(&mut self, sort: &'static str, original: &str) -> usize {
        let key = (sort, original.to_owned());
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let count = self.counts.entry(sort).or_default();
        *count += 1;
        self.numbers.insert(key, *count);
        *count
    }

    /// `Caption 1`, `user2`, `CURSOR3`, …
    fn stand_in(&mut self, sort: &'static str, original: &str) -> String {
        format!("{sort}{}", self.number(sort, original))
    }

    /// An id: as many digits, so that it is above 2^53 where it was.
    fn id(&mut self, id: &str) -> String {
        if self.keep.ids || id.len() < 5 {
            return id.to_owned();
        }
        let number = self.number("id", id);
        format!("179{number:0width$}", width = id.len() - 3)
    }

    fn shortcode(&mut self, code: &str) -> String {
        match self.keep.ids {
            true => code.to_owned(),
            false => self.stand_in("CODE", code),
        }
    }

    /// A JSON document, or any other text.
    pub fn body(&mut self, body: &str) -> String {
        match body.trim_start().starts_with(['{', '[']) {
            true => self.json(body),
            false => self.prose(body),
        }
    }

    /// A header worth keeping, or `None`: cookies, trace ids and unknown headers do not
    /// pass.
    pub fn header(&mut self, name: &str, value: &str) -> Option<String> {
        match name.to_ascii_lowercase().as_str() {
            "content-type"
            | "cache-control"
            | "date"
            | "expires"
            | "pragma"
            | "vary"
            | "retry-after"
            | "instagram-api-version"
            | "facebook-api-version" => Some(value.to_owned()),
            "x-app-usage" | "x-business-use-case-usage" => Some(self.json(value)),
            "location" => Some(self.url(value)),
            "www-authenticate" => Some(self.prose(value)),
            _ => None,
        }
    }

    /// JSON, value by value.
    fn json(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        // The keys on the way down, and the one in force.
        let (mut above, mut key) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' => string_length(rest),
                '-' | '0'..='9' => number_length(rest),
                _ => first.len_utf8(),
            };
            let (piece, behind) = rest.split_at(length);
            rest = behind;
            match first {
                '"' => {
                    let written = piece[1..].strip_suffix('"').unwrap_or(&piece[1..]);
                    let value = unescape(written);
                    let is_key = behind.trim_start().starts_with(':');
                    let parent = above.last().map_or("", String::as_str);
                    let new = match is_key {
                        true if is_id(&value) => self.id(&value),
                        true => value.clone(),
                        false => self.value(parent, &key, &value),
                    };
                    out.push('"');
                    match new == value {
                        true => out.push_str(written),
                        false => escape_as(&mut out, &new, written),
                    }
                    out.push('"');
                    if is_key {
                        key = value;
                    }
                    continue;
                }
                '{' | '[' => above.push(key.clone()),
                '}' | ']' => key = above.pop().unwrap_or_default(),
                '0'..='9' if piece.len() >= 10 && is_id(piece) => {
                    let id = self.id(piece);
                    out.push_str(&id);
                    continue;
                }
                _ => {}
            }
            out.push_str(piece);
        }
        out
    }

    /// A text in JSON, by its key.
    fn value(&mut self, parent: &str, key: &str, value: &str) -> String {
        match key {
            _ if value.is_empty() => String::new(),
            "access_token" => TOKEN.to_owned(),
            "before" | "after" if parent == "cursors" => self.stand_in(CURSOR, value),
            "username" => self.stand_in(NAME, value),
            "name" => self.stand_in("Name ", value),
            "biography" => self.stand_in("Biography ", value),
            "shortcode" => self.shortcode(value),
            "caption" | "alt_text" | "text" if self.keep.captions => self.prose(value),
            "caption" | "alt_text" | "text" => self.stand_in("Caption ", value),
            "fbtrace_id" => "TRACEsample".to_owned(),
            "message" | "error_message" | "error_user_title" | "error_user_msg" => {
                self.prose(value)
            }
            "type" | "token_type" | "error_type" | "media_type" | "media_product_type"
            | "account_type" | "timestamp" | "permissions" => value.to_owned(),
            _ if value.contains("://") => self.url(value),
            _ if is_id(value) => self.id(value),
            _ => self.stand_in("Text ", value),
        }
    }

    /// Text for people: the token, user names and ids go, the words stay.
    fn prose(&mut self, text: &str) -> String {
        let text = self.without_token(text);
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let length = match rest.find(|c| !of_word(c)).unwrap_or(rest.len()) {
                0 => first.len_utf8(),
                length => length,
            };
            let (word, behind) = rest.split_at(length);
            rest = behind;
            let (name, dots) = word.split_at(word.trim_end_matches('.').len());
            let known = self.numbers.contains_key(&(NAME, name.to_owned()));
            match name {
                _ if known || (out.ends_with('@') && of_word(first)) => {
                    out += &self.stand_in(NAME, name);
                    out += dots;
                }
                _ if name.len() >= 10 && is_id(name) => {
                    out += &self.id(name);
                    out += dots;
                }
                _ => out += word,
            }
        }
        out
    }

    /// Text with the token replaced, plain or percent-encoded, and anything else that is
    /// called an access token.
    fn without_token(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let named = out.ends_with("access_token=");
            let of_token = |c: char| c.is_ascii_graphic() && !"\"'&,;<>{}()#".contains(c);
            let length = match token_length(rest, &self.token) {
                Some(length) => length,
                None if named => rest.find(|c| !of_token(c)).unwrap_or(rest.len()),
                None => 0,
            };
            if length > 0 {
                out.push_str(TOKEN);
                rest = &rest[length..];
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }

    /// A URL: of the graph, of a page on instagram.com, or of a file.
    pub fn url(&mut self, url: &str) -> String {
        let Some((scheme, after)) = url.split_once("://") else {
            return self.stand_in("Text ", url);
        };
        let after = after.split('#').next().unwrap_or_default();
        let (host, path) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let labels: Vec<&str> = host.split('.').collect();
        let domain = labels[labels.len().saturating_sub(2)..].join(".");
        let new = match domain.as_str() {
            "instagram.com" | "facebook.com" if labels[0] == "graph" => {
                format!("{scheme}://{host}{}", self.path(path))
            }
            "instagram.com" => {
                return format!("{scheme}://www.instagram.com{}", self.page(path));
            }
            "cdninstagram.com" | "fbcdn.net" | "akamaihd.net" => {
                // The rest of the host tells where in the world it was asked.
                let first = labels[0].split('-').next().unwrap_or_default();
                format!("{scheme}://{first}.{domain}{}", self.file(path))
            }
            _ => return format!("https://example.com/{}", self.number("address", url)),
        };
        let Some(query) = query else { return new };
        let of_graph = labels[0] == "graph";
        let params: Vec<String> = query
            .split('&')
            .map(|param| match of_graph {
                true => self.param(param),
                false => self.signed_param(param),
            })
            .collect();
        format!("{new}?{}", params.join("&"))
    }

    /// Path and query of a request.
    pub fn target(&mut self, target: &str) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = self.path(path);
        let params: Vec<String> = query.split('&').map(|param| self.param(param)).collect();
        match query.is_empty() {
            true => path,
            false => format!("{path}?{}", params.join("&")),
        }
    }

    /// A path of the graph: ids and the names of edges.
    fn path(&mut self, path: &str) -> String {
        let segments: Vec<String> = path
            .split('/')
            .map(|segment| match is_id(segment) {
                true => self.id(segment),
                false => segment.to_owned(),
            })
            .collect();
        segments.join("/")
    }

    /// A path of instagram.com: `/p/SHORTCODE/`, `/user/`, …
    fn page(&mut self, path: &str) -> String {
        let segments: Vec<String> = path
            .split('/')
            .map(|segment| match segment {
                "" | "p" | "reel" | "reels" | "tv" | "stories" => segment.to_owned(),
                _ if is_id(segment) => self.id(segment),
                _ if self.numbers.contains_key(&(NAME, segment.to_owned())) => {
                    self.stand_in(NAME, segment)
                }
                _ => self.shortcode(segment),
            })
            .collect();
        segments.join("/")
    }

    /// The path of a file; its ending stays.
    fn file(&mut self, path: &str) -> String {
        if self.keep.ids {
            return path.to_owned();
        }
        let ending = match path.rsplit_once('.') {
            Some((_, ending)) if ending.len() <= 4 && !ending.contains('/') => ending,
            _ => "bin",
        };
        format!("/v/{}.{ending}", self.number("file", path))
    }

    /// A parameter of the graph.
    fn param(&mut self, param: &str) -> String {
        let Some((name, value)) = param.split_once('=') else {
            return param.to_owned();
        };
        let plain = decode(value);
        match name {
            "access_token" => format!("{name}={TOKEN}"),
            "after" | "before" => format!("{name}={}", self.stand_in(CURSOR, &plain)),
            "fields" | "limit" | "pretty" | "since" | "until" | "metric" | "period" => {
                param.to_owned()
            }
            _ => format!("{name}={}", self.stand_in("x", &plain)),
        }
    }

    /// A parameter of a signed URL. Its expiry stays, because programs read it.
    fn signed_param(&mut self, param: &str) -> String {
        match param.split_once('=') {
            Some(("oe", _)) | None => param.to_owned(),
            Some((_, "")) => param.to_owned(),
            Some((name, value)) => format!("{name}={}", self.stand_in("x", value)),
        }
    }

    /// Whether something that had to be replaced is still in the text, plain, escaped or
    /// encoded, once or twice.
    pub fn leak(&self, text: &str) -> Option<&'static str> {
        let mut forms = vec![text.to_owned()];
        for undo in [unescape, decode, decode] {
            forms.push(undo(&forms[forms.len() - 1]));
        }
        let found = |secret: &str| forms.iter().any(|form| form.contains(secret));
        if self.token != TOKEN && found(&self.token) {
            return Some("the access token");
        }
        // A short one may be part of an ordinary word.
        let cursor = |(sort, original): &(&str, String)| {
            *sort == CURSOR
                && original.len() >= 8
                && !original.starts_with(CURSOR)
                && found(original)
        };
        self.numbers.keys().any(cursor).then_some("a cursor")
    }
}
