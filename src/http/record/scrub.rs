//! Replaces what must not be published in a recorded exchange by stand-ins: the same one
//! for the same thing, in every place.
//!
//! It edits the text and leaves the rest as the service wrote it: the order of the keys, the
//! spaces, and how slashes, percent signs and emoji are escaped. What it does not know counts
//! as private.

use crate::http::query::{decode, pairs};
use crate::http::replay::stands_for;
use crate::http::transport::Request;
use crate::http::url::Url;
use crate::json::reader;
use crate::redact::{has_token, layers, one_line};
use crate::timestamp;
use std::collections::{HashMap, HashSet};

/// What stands for an access token, and in a text for any other secret.
const TOKEN: &str = "IGQVJsample";

/// Stands for any value of a parameter.
const ANY: &str = "*";

/// A secret or cursor that is shorter may be part of an ordinary word. It is replaced only
/// where it stands as a parameter or under its key.
const MIN_SECRET: usize = 8;

const ACCESS_TOKEN: &str = "the access token";
const A_CURSOR: &str = "a cursor";

/// Sorts of stand-ins.
const NAME: &str = "user";
const ID: &str = "ID";
const CURSOR: &str = "CURSOR";
const TEXT: &str = "Text ";

/// The headers that are kept.
const HEADERS: &str = "Content-Type Cache-Control Date Expires Pragma Vary Retry-After Instagram-Api-Version \
    Facebook-Api-Version X-App-Usage X-Business-Use-Case-Usage Location WWW-Authenticate";

/// The parameters whose values are no secret.
const HARMLESS: &str =
    "fields limit pretty metric metric_type period breakdown timeframe grant_type";

/// What stays as it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Keep {
    /// The ids of users and media, shortcodes, and the paths of files.
    pub(super) ids: bool,
    /// Captions, descriptions and comments; the user names in them go all the same.
    pub(super) captions: bool,
}

/// The secrets of an account, each with what it is.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    /// Learns those in the query and the form of a request.
    pub(super) fn learn(&mut self, request: &Request<'_>) {
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        let form = request.body.unwrap_or_default();
        for (name, value) in pairs(query).chain(pairs(form)) {
            let what = match name {
                "access_token" => ACCESS_TOKEN,
                "client_secret" => "the client secret",
                "code" => "the login code",
                _ => continue,
            };
            self.add(what, decode(value));
        }
    }

    fn add(&mut self, what: &'static str, secret: String) {
        if secret.len() >= MIN_SECRET
            && !TOKEN.contains(&secret)
            && !self.texts().contains(&&*secret)
        {
            self.0.push((what, secret));
        }
    }

    pub(super) fn texts(&self) -> Vec<&str> {
        self.0.iter().map(|(_, secret)| secret.as_str()).collect()
    }
}

/// The stand-ins, and what they stand for.
#[derive(Default)]
pub(super) struct Scrub {
    keep: Keep,
    secrets: Secrets,
    /// Where requests went: scheme, host and port.
    origins: HashSet<String>,
    /// By sort, and then by original: the stand-in's number.
    numbers: HashMap<&'static str, HashMap<String, usize>>,
    /// The cursors and times that replies have handed out so far.
    given: HashSet<String>,
}

impl Scrub {
    pub(super) fn new(keep: Keep, secrets: Secrets, origins: HashSet<String>) -> Scrub {
        Scrub {
            keep,
            secrets,
            origins,
            ..Scrub::default()
        }
    }

    /// From the first exchange again, with the stand-ins that are known now.
    pub(super) fn start_again(&mut self) {
        self.given.clear();
    }

    fn number(&mut self, sort: &'static str, original: &str) -> usize {
        let known = self.numbers.entry(sort).or_default();
        let next = known.len() + 1;
        *known.entry(original.to_owned()).or_insert(next)
    }

    /// `Caption 1`, `user2`, `CURSOR3`, …
    fn stand_in(&mut self, sort: &'static str, original: &str) -> String {
        format!("{sort}{}", self.number(sort, original))
    }

    fn has(&self, sort: &'static str, original: &str) -> bool {
        let known = self.numbers.get(sort);
        known.is_some_and(|known| known.contains_key(original))
    }

    /// An id: as many digits, so that it is above 2^53 where it was. A short number is none.
    fn id(&mut self, id: &str) -> String {
        if self.keep.ids || (id.len() < 5 && id.bytes().all(|byte| byte.is_ascii_digit())) {
            return id.to_owned();
        }
        if !is_id(id) {
            return self.stand_in(ID, id);
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

    /// A cursor of a reply.
    fn cursor(&mut self, cursor: &str) -> String {
        self.given.insert(cursor.to_owned());
        self.stand_in(CURSOR, cursor)
    }

    /// A JSON document, or any other text: the reply of this edge.
    pub(super) fn body(&mut self, body: &str, edge: &str) -> String {
        match body.trim_start().starts_with(['{', '[']) {
            true => self.json(body, edge),
            false => self.prose(body),
        }
    }

    /// The line of a header worth keeping: cookies, trace ids and unknown headers do not pass.
    pub(super) fn header(&mut self, name: &str, value: &str) -> Option<String> {
        let mut kept = HEADERS.split(' ');
        let name = kept.find(|kept| kept.eq_ignore_ascii_case(name))?;
        let value = match name {
            "X-App-Usage" | "X-Business-Use-Case-Usage" => self.json(value, ""),
            "Location" if value.starts_with('/') => self.target(value, false),
            "Location" if value.contains("://") => self.url(value),
            // No redirect that could be followed: it is refused in the replay too.
            "Location" => "invalid:".to_owned(),
            "WWW-Authenticate" => self.prose(value),
            _ => value.to_owned(),
        };
        Some(format!("{name}: {}", one_line(value)))
    }

    /// JSON, value by value, under this key.
    fn json(&mut self, text: &str, root: &str) -> String {
        let mut out = String::with_capacity(text.len());
        // The keys on the way down, and the one in force.
        let (mut above, mut key) = (Vec::new(), root.to_owned());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' => string_length(rest),
                '-' | '0'..='9' => number_length(rest),
                _ => first.len_utf8(),
            };
            let (piece, after) = rest.split_at(length);
            rest = after;
            match first {
                '"' => {
                    let old = reader::read(piece).unwrap_or_else(|_| piece.replace('"', ""));
                    let is_key = after.trim_start().starts_with(':');
                    let new = match is_key {
                        true => self.key(&old),
                        false => self.value(&above, &key, &old),
                    };
                    push_string(&mut out, piece, &old, &new);
                    if is_key {
                        key = old;
                    }
                    continue;
                }
                '0'..='9' if is_id(piece) && (piece.len() >= 10 || is_of_id(&key)) => {
                    out += &self.id(piece);
                    continue;
                }
                '{' | '[' => above.push(key.clone()),
                '}' | ']' => key = above.pop().unwrap_or_default(),
                _ => {}
            }
            out.push_str(piece);
        }
        out
    }

    /// A key. Some are ids, and some insights are numbers by city.
    fn key(&mut self, key: &str) -> String {
        match key {
            _ if is_id(key) => self.id(key),
            _ if self.has(NAME, key) => self.stand_in(NAME, key),
            _ if key.is_empty() || is_word(key) => key.to_owned(),
            _ => self.stand_in(TEXT, key),
        }
    }

    /// A text in JSON, by its key.
    fn value(&mut self, above: &[String], key: &str, value: &str) -> String {
        let is_insight = || above.iter().any(|key| key == "insights");
        match key {
            _ if value.is_empty() => String::new(),
            "access_token" => {
                self.secrets.add(ACCESS_TOKEN, value.to_owned());
                TOKEN.to_owned()
            }
            "before" | "after" if above.last().is_some_and(|key| key == "cursors") => {
                self.cursor(value)
            }
            "name" | "period" | "dimension_keys" | "dimension_values"
                if is_word(value) && is_insight() =>
            {
                value.to_owned()
            }
            "title" | "description" if is_insight() => self.prose(value),
            "id" if is_insight() => self.path(value),
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
            "timestamp" | "permissions" | "scope" => value.to_owned(),
            _ if is_word(value) && (key == "type" || key.ends_with("_type")) => value.to_owned(),
            _ if timestamp::parse(value).is_some() => value.to_owned(),
            _ if value.contains("://") => self.url(value),
            _ if is_id(value) || is_of_id(key) => self.id(value),
            _ => self.stand_in(TEXT, value),
        }
    }

    /// Text for people: secrets, user names and ids go, the words stay.
    fn prose(&mut self, text: &str) -> String {
        let text = self.without_secrets(text);
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let length = match rest.find(|c| !of_word(c)).unwrap_or(rest.len()) {
                0 => first.len_utf8(),
                length => length,
            };
            let (word, after) = rest.split_at(length);
            rest = after;
            let (name, dots) = word.split_at(word.trim_end_matches('.').len());
            if self.has(NAME, name) || (out.ends_with('@') && of_word(first)) {
                out += &self.stand_in(NAME, name);
                out += dots;
            } else if name.len() >= 10 && is_id(name) {
                out += &self.id(name);
                out += dots;
            } else {
                out += word;
            }
        }
        out
    }

    /// Text with the secrets replaced, plain or percent-encoded, and so is anything else that
    /// is called an access token or looks like one.
    fn without_secrets(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = self.secret_length(&out, rest);
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

    /// The length of the secret at the start of a text; 0 if there is none.
    fn secret_length(&self, before: &str, text: &str) -> usize {
        let run = |accepts: &dyn Fn(char) -> bool| text.find(|c| !accepts(c)).unwrap_or(text.len());
        let of_value = |c: char| c.is_ascii_graphic() && !"\"'&,;<>{}()#".contains(c);
        let of_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let mut secrets = self.secrets.0.iter();
        if let Some(length) = secrets.find_map(|(_, secret)| encoded_length(text, secret)) {
            length
        } else if before.ends_with("access_token=") {
            run(&of_value)
        } else if before.ends_with(of_token) {
            0
        } else {
            let word = run(&of_token);
            word * usize::from(has_token(&text[..word]))
        }
    }

    /// A URL: of the graph, of a page on instagram.com, or of a file.
    fn url(&mut self, url: &str) -> String {
        if let Ok(link) = Url::parse(url) {
            let origin = link.origin().to_ascii_lowercase();
            if self.origins.contains(&origin) {
                let written = stands_for(&link).map_or(origin, str::to_owned);
                return written + &self.target(link.rest, false);
            }
        }
        let Some((scheme, after)) = url.split_once("://") else {
            return self.stand_in(TEXT, url);
        };
        let after = after.split('#').next().unwrap_or_default();
        let (host, target) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let labels: Vec<&str> = host.split('.').collect();
        let domain = labels[labels.len().saturating_sub(2)..].join(".");
        match domain.as_str() {
            "instagram.com" | "facebook.com" if labels[0] == "graph" => {
                format!("{scheme}://{host}{}", self.target(target, false))
            }
            "instagram.com" => format!("{scheme}://www.instagram.com{}", self.page(path)),
            "cdninstagram.com" | "fbcdn.net" | "akamaihd.net" => {
                // The rest of the host tells where in the world it was asked.
                let first = labels[0].split('-').next().unwrap_or_default();
                let file = self.file(path);
                let query = query.map(|query| joined(query, "&", |param| self.signed_param(param)));
                let query = query.map_or(String::new(), |query| format!("?{query}"));
                format!("{scheme}://{first}.{domain}{file}{query}")
            }
            _ => format!("https://example.com/{}", self.number("address", url)),
        }
    }

    /// Path and query of a request, or of a link in a reply.
    pub(super) fn target(&mut self, target: &str, of_request: bool) -> String {
        match target.split_once('?') {
            Some((path, query)) => self.path(path) + "?" + &self.query(query, of_request),
            None => self.path(target),
        }
    }

    /// A query, or the form of a request.
    pub(super) fn query(&mut self, query: &str, of_request: bool) -> String {
        joined(query, "&", |param| self.param(param, of_request))
    }

    /// A path of the graph: ids and the names of edges.
    fn path(&mut self, path: &str) -> String {
        self.segments(path, |_, segment| segment.to_owned())
    }

    /// A path of instagram.com: `/p/SHORTCODE/`, `/user/`, …
    fn page(&mut self, path: &str) -> String {
        self.segments(path, |scrub, segment| match segment {
            "" | "p" | "reel" | "reels" | "tv" | "stories" => segment.to_owned(),
            _ if scrub.has(NAME, segment) => scrub.stand_in(NAME, segment),
            _ => scrub.shortcode(segment),
        })
    }

    /// A path with its ids replaced, and its other segments by a function.
    fn segments(&mut self, path: &str, other: fn(&mut Scrub, &str) -> String) -> String {
        joined(path, "/", |segment| {
            let plain = decode(segment);
            match is_id(segment) || self.has(ID, &plain) {
                true => self.id(&plain),
                false => other(self, segment),
            }
        })
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

    /// A parameter of the graph. What a request has from elsewhere than earlier replies, the
    /// program will not find in a replay: there any value will do.
    fn param(&mut self, param: &str, of_request: bool) -> String {
        let Some((name, value)) = param.split_once('=') else {
            return param.to_owned();
        };
        let plain = decode(value);
        let is_cursor = matches!(name, "after" | "before");
        let is_time = matches!(name, "since" | "until");
        let new = if name == "access_token" {
            self.secrets.add(ACCESS_TOKEN, plain);
            TOKEN.to_owned()
        } else if of_request && (is_cursor || is_time) && !self.given.contains(&plain) {
            if is_cursor {
                self.secrets.add(A_CURSOR, plain);
            }
            ANY.to_owned()
        } else if is_cursor {
            self.cursor(&plain)
        } else if is_time {
            self.given.insert(plain);
            value.to_owned()
        } else if HARMLESS.split(' ').any(|known| known == name) {
            value.to_owned()
        } else if of_request {
            ANY.to_owned()
        } else {
            self.stand_in("x", &plain)
        };
        format!("{name}={new}")
    }

    /// A parameter of a signed URL. Its expiry stays, because programs read it.
    fn signed_param(&mut self, param: &str) -> String {
        match param.split_once('=') {
            Some(("oe", _) | (_, "")) | None => param.to_owned(),
            Some((name, value)) => format!("{name}={}", self.stand_in("x", value)),
        }
    }

    /// What had to be replaced and is still in the text, however it is encoded.
    pub(super) fn leak(&self, text: &str) -> Option<&'static str> {
        let secrets = self.secrets.0.iter().map(|(what, secret)| (*what, secret));
        let is_cursor =
            |cursor: &&String| cursor.len() >= MIN_SECRET && !cursor.starts_with(CURSOR);
        let cursors = self.numbers.get(CURSOR).into_iter();
        let cursors = cursors.flat_map(HashMap::keys).filter(is_cursor);
        let cursors = cursors.map(|cursor| (A_CURSOR, cursor));
        let private: Vec<(&'static str, &String)> = secrets.chain(cursors).collect();
        layers(text).into_iter().find_map(|layer| {
            let layer = layer.replace(TOKEN, ANY);
            let mut private = private.iter();
            match private.find(|(_, original)| layer.contains(*original)) {
                Some((what, _)) => Some(*what),
                None => has_token(&layer).then_some(ACCESS_TOKEN),
            }
        })
    }
}

/// A text whose parts between separators are replaced.
fn joined(text: &str, separator: &str, part: impl FnMut(&str) -> String) -> String {
    let parts: Vec<String> = text.split(separator).map(part).collect();
    parts.join(separator)
}

/// An id is all digits.
pub(super) fn is_id(text: &str) -> bool {
    (5..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the value of a key is an id.
fn is_of_id(key: &str) -> bool {
    key == "id" || key.ends_with("_id")
}

/// A word of the API: `follower_count`, `25-34`, `65+`, `male.25-34`, `OAuthException`.
fn is_word(text: &str) -> bool {
    let of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-+.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(of_word)
}

/// The length of a string with both its quotes; of one that does not end, that of the text.
fn string_length(text: &str) -> usize {
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

fn number_length(text: &str) -> usize {
    let of_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    text.find(|c| !of_number(c)).unwrap_or(text.len())
}

/// Writes a JSON string: as it was if nothing of it changed, or else escaped in the way of
/// what was there before.
fn push_string(out: &mut String, before: &str, old: &str, new: &str) {
    if new == old {
        return out.push_str(before);
    }
    out.push('"');
    for c in new.chars() {
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
    out.push('"');
}

/// The length of the secret at the beginning of a text, if it is there: each byte plain or
/// percent-encoded, once or twice.
fn encoded_length(text: &str, secret: &str) -> Option<usize> {
    let run = |percents: &[&str]| {
        let mut rest = text.as_bytes();
        for &wanted in secret.as_bytes() {
            let encoded = |percent: &&str| {
                let hex = rest.strip_prefix(percent.as_bytes())?.get(..2)?;
                let hex = std::str::from_utf8(hex).ok()?;
                let byte = u8::from_str_radix(hex, 16).ok()?;
                (byte == wanted).then_some(percent.len() + 2)
            };
            let plain = || (rest.first() == Some(&wanted)).then_some(1);
            rest = &rest[percents.iter().find_map(encoded).or_else(plain)?..];
        }
        Some(text.len() - rest.len())
    };
    // As it stands first, so that one with a `%` in it is found too.
    run(&[]).or_else(|| run(&["%25", "%"]))
}

#[cfg(test)]
mod tests;
