//! Replaces what must not be published in a recorded exchange by stand-ins: the same one
//! for the same thing, in every place.
//!
//! It edits the text and leaves the rest as the service wrote it: the order of the keys, the
//! spaces, and how slashes, percent signs and emoji are escaped. What it does not know counts
//! as private.

mod words;

use crate::http::query::{decode, pairs};
use crate::http::replay::stands_for;
use crate::http::transport::Request;
use crate::http::url::Url;
use crate::json::reader;
use crate::redact::{has_token, layers, one_line};
use crate::timestamp;
use std::collections::{HashMap, HashSet};
use words::{are_known, is_digits, is_field, is_known, is_locale, is_type};
pub(super) use words::{is_id, is_version};

/// What stands for an access token, and in a text for any other secret.
const TOKEN: &str = "IGQVJsample";

/// Stands for any value of a parameter.
const ANY: &str = "*";

/// A secret or cursor that is shorter may be part of an ordinary word. It is replaced only
/// where it stands as a parameter or under its key.
const MIN_SECRET: usize = 8;

const ACCESS_TOKEN: &str = "the access token";
const A_CURSOR: &str = "a cursor";
const A_PARAMETER: &str = "the value of a parameter";

/// A shorter number is no id unless it stands where ids do.
const MIN_ID: usize = 6;

/// Sorts of stand-ins.
const NAME: &str = "user";
const ID: &str = "ID";
const CURSOR: &str = "CURSOR";
const TEXT: &str = "Text ";
const WORD: &str = "word";
const CAPTION: &str = "Caption ";

/// The headers that are kept.
const HEADERS: &str = "Content-Type Cache-Control Date Expires Pragma Vary Retry-After Instagram-Api-Version \
    Facebook-Api-Version X-App-Usage X-Business-Use-Case-Usage Location WWW-Authenticate";

/// The parameters whose values are words of the API.
const HARMLESS: &str =
    "fields limit pretty metric metric_type period breakdown timeframe grant_type";

/// The parameters of signed URLs.
const SIGNED: &str = "_nc_ad _nc_aid _nc_cat _nc_cb _nc_cid _nc_gid _nc_ht _nc_map _nc_oc _nc_ohc _nc_rid _nc_sid _nc_ss \
    _nc_vs _nc_vts_prog _nc_zt bytestart byteend ccb dl edm efg ig_cache_key oe oh se stp tag tp vs vts";

/// The endings of files.
const ENDINGS: &str = "jpg jpeg png webp heic gif mp4 mov m4a mp3";

/// The hosts of the service whose URLs stay; of a file's host, what stays of its first label.
const GRAPH: [&str; 3] = [
    "graph.instagram.com",
    "api.instagram.com",
    "graph.facebook.com",
];
const FILE_HOSTS: &str = "scontent video instagram fb external";

/// What stays as it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Keep {
    /// The ids of users and media, shortcodes, and the paths of files.
    pub(super) ids: bool,
    /// Captions, descriptions and comments; the user names in them go all the same.
    pub(super) captions: bool,
}

/// What requests tell about the account and the program.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    /// The secrets, each with what it is.
    found: Vec<(&'static str, String)>,
    /// Numbers of parameters, such as the id of the app.
    ids: HashSet<String>,
    /// The names of the fields and metrics that the program requests.
    fields: HashSet<String>,
}

impl Secrets {
    /// Learns those in the query and the form of a request.
    pub(super) fn learn(&mut self, request: &Request<'_>) {
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        let form = request.body.unwrap_or_default();
        for (name, value) in pairs(query).chain(pairs(form)) {
            let (name, value) = (decode(name), decode(value));
            match name.as_str() {
                "access_token" => self.add(ACCESS_TOKEN, value),
                "client_secret" => self.add("the client secret", value),
                "code" => self.add("the login code", value),
                "after" | "before" | "since" | "until" => {}
                "fields" | "metric" | "breakdown" => self.learn_fields(&value),
                name if is_one_of(HARMLESS, name) => {}
                _ if is_digits(&value) && value.len() >= MIN_ID => drop(self.ids.insert(value)),
                // Words of the API are no secret, and hosts stay.
                _ if are_known(&value) || is_type(&value) || is_url(&value) => {}
                _ => self.add(A_PARAMETER, value),
            }
        }
    }

    /// Names in parentheses are arguments: `business_discovery.username(jayposiris){id}`.
    fn learn_fields(&mut self, list: &str) {
        for (word, depth) in list_words(list) {
            if depth == 0 && is_field(word) {
                self.fields.insert(word.to_owned());
            }
        }
    }

    fn add(&mut self, what: &'static str, secret: String) {
        if secret.len() >= MIN_SECRET
            && !TOKEN.contains(&secret)
            && !self.texts().contains(&&*secret)
        {
            self.found.push((what, secret));
        }
    }

    pub(super) fn texts(&self) -> Vec<&str> {
        self.found
            .iter()
            .map(|(_, secret)| secret.as_str())
            .collect()
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
        if is_digits(id) && id.len() < 5 {
            return id.to_owned();
        }
        if let Some(name) = self.name(id) {
            return name;
        }
        let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/:=+".contains(&byte);
        let has_digit = id.contains(|c: char| c.is_ascii_digit());
        if self.keep.ids && has_digit && id.bytes().all(is_kept) {
            return id.to_owned();
        }
        if !is_digits(id) {
            return self.stand_in(ID, id);
        }
        let number = self.number("id", id);
        format!("179{number:0width$}", width = id.len().min(20) - 3)
    }

    fn shortcode(&mut self, code: &str) -> String {
        let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if let Some(name) = self.name(code) {
            return name;
        }
        match self.keep.ids && code.bytes().all(is_kept) {
            true => code.to_owned(),
            false => self.stand_in("CODE", code),
        }
    }

    /// A user name. The service ignores its case.
    fn user(&mut self, name: &str) -> String {
        self.stand_in(NAME, &name.to_lowercase())
    }

    /// The stand-in of a word that is a known user name, however it is encoded.
    fn name(&mut self, word: &str) -> Option<String> {
        let name = self.known_name(word)?;
        Some(self.stand_in(NAME, &name))
    }

    fn known_name(&self, word: &str) -> Option<String> {
        let layers = match word.contains('%') {
            true => layers(word),
            false => vec![word.to_owned()],
        };
        let mut names = layers.iter().map(|name| {
            let name = name.trim_start_matches('@');
            name.trim_end_matches('.').to_lowercase()
        });
        names.find(|name| self.has(NAME, name))
    }

    /// Whether a word is one of the API, or was requested.
    fn knows(&self, word: &str) -> bool {
        is_known(word) || (self.secrets.fields.contains(word) && !self.has(NAME, word))
    }

    /// Whether a list has nothing but known words, and in parentheses no user name.
    fn knows_list(&self, list: &str) -> bool {
        let of_list = |c: char| c.is_ascii_alphanumeric() || ",{}()._- ".contains(c);
        let mut all = list_words(list);
        list.chars().all(of_list)
            && all.all(|(word, depth)| {
                self.knows(word) && (depth == 0 || self.known_name(word).is_none())
            })
    }

    /// A cursor of a reply.
    fn cursor(&mut self, cursor: &str) -> String {
        self.given.insert(cursor.to_owned());
        self.stand_in(CURSOR, cursor)
    }

    /// A JSON document, or any other text: the reply of this edge.
    pub(super) fn body(&mut self, body: &str, edge: &str) -> String {
        let is_json = |c| "{[\"".contains(c);
        match body.contains(is_json) {
            true => self.json(body, edge),
            false => self.words(body),
        }
    }

    /// The line of a header worth keeping: cookies, trace ids and unknown headers do not pass.
    pub(super) fn header(&mut self, name: &str, value: &str) -> Option<String> {
        let mut kept = HEADERS.split(' ');
        let name = kept.find(|kept| kept.eq_ignore_ascii_case(name))?;
        let value = match name {
            "X-App-Usage" | "X-Business-Use-Case-Usage" => self.json(value, ""),
            "Location" if value.starts_with('/') => self.target(value, false),
            "Location" if is_url(value) => self.url(value),
            // No redirect that could be followed: it is refused in the replay too.
            "Location" => "invalid:".to_owned(),
            _ => self.words(value),
        };
        Some(format!("{name}: {}", one_line(value)))
    }

    /// JSON, value by value, under this key. What is not in quotes is JSON's own, or else
    /// text.
    fn json(&mut self, text: &str, root: &str) -> String {
        let mut out = String::with_capacity(text.len());
        // The keys on the way down, and the one in force.
        let (mut above, mut key) = (Vec::new(), root.to_owned());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let is_mark = first == '\u{feff}';
            let is_text = first.is_alphanumeric() || "_%".contains(first) || !first.is_ascii();
            let length = match first {
                '"' => string_length(rest),
                '-' | '0'..='9' => number_length(rest),
                _ if is_text && !is_mark => {
                    let end = rest.find(|c| "\"{}[]\u{feff}".contains(c));
                    end.unwrap_or(rest.len())
                }
                _ => first.len_utf8(),
            };
            let (piece, after) = rest.split_at(length);
            rest = after;
            match first {
                '"' => {
                    let is_key = after.trim_start().starts_with(':');
                    let new_key = self.string(&mut out, piece, (!is_key).then_some((&above, &key)));
                    key = new_key.unwrap_or(key);
                }
                '-' | '0'..='9' => out += &self.json_number(piece, &key),
                '{' | '[' => {
                    above.push(key.clone());
                    out.push(first);
                }
                '}' | ']' => {
                    key = above.pop().unwrap_or_default();
                    out.push(first);
                }
                _ if is_text && !is_mark => out += &self.words(piece),
                // White space, punctuation, or a byte order mark.
                _ => out.push(first),
            }
        }
        out
    }

    /// Writes a text of JSON: a value under these keys, or a key, which is returned.
    fn string(
        &mut self,
        out: &mut String,
        piece: &str,
        value_of: Option<(&Vec<String>, &String)>,
    ) -> Option<String> {
        let Ok(old) = reader::read::<String>(piece) else {
            let new = self.stand_in(TEXT, piece);
            push_string(out, piece, "", &new);
            return value_of.is_none().then_some(new);
        };
        let new = match value_of {
            None => self.key(&old),
            Some((above, key)) => self.value(above, key, &old),
        };
        push_string(out, piece, &old, &new);
        value_of.is_none().then_some(old)
    }

    /// A number: one of many digits is an id.
    fn json_number(&mut self, number: &str, key: &str) -> String {
        let whole = number.trim_start_matches('-').split(['.', 'e', 'E']).next();
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let is_long = whole.is_some_and(|whole| whole.len() >= 10)
            || (number.contains(['e', 'E']) && digits.len() >= 10);
        let is_private = is_id(number) && (is_of_id(key) || self.secrets.ids.contains(number));
        match is_private || is_long {
            true => self.id(&digits),
            false => number.to_owned(),
        }
    }

    /// A key. Some are ids, and some insights are numbers by city.
    fn key(&mut self, key: &str) -> String {
        match key {
            _ if is_id(key) => self.id(key),
            _ if key.is_empty() || self.knows(key) || is_place(key) => key.to_owned(),
            _ => self.name(key).unwrap_or_else(|| self.stand_in(TEXT, key)),
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
            "name" | "period" | "dimension_keys" if is_insight() && self.knows(value) => {
                value.to_owned()
            }
            "dimension_values" if is_insight() && (self.knows(value) || is_place(value)) => {
                value.to_owned()
            }
            "title" | "description" if is_insight() => self.words(value),
            "id" if is_insight() => self.path(value, false),
            "username" => self.user(value),
            "name" => self.stand_in("Name ", value),
            "biography" => self.stand_in("Biography ", value),
            "shortcode" => self.shortcode(value),
            "caption" | "alt_text" | "text" => self.caption(value),
            "fbtrace_id" => "TRACEsample".to_owned(),
            "message" | "error_message" | "error_user_title" | "error_user_msg" => {
                self.words(value)
            }
            "permissions" | "scope" if value.split([',', ' ']).all(is_known) => value.to_owned(),
            _ if is_type_key(key) && is_known(value) => value.to_owned(),
            _ if self.known_name(value).is_some() => self.name(value).unwrap_or_default(),
            _ if is_type_key(key) && is_type(value) => value.to_owned(),
            _ if timestamp::parse(value).is_some() => value.to_owned(),
            _ if is_url(value) => self.url(value),
            _ if is_id(value) || is_of_id(key) => self.id(value),
            _ => self.stand_in(TEXT, value),
        }
    }

    /// A caption. One that is kept has the secrets and user names replaced; with a name in
    /// another encoding it is not kept.
    fn caption(&mut self, text: &str) -> String {
        if self.keep.captions {
            let new = self.replaced(text, |_, word| word.to_owned());
            let mut words = layers(&new);
            words.remove(0);
            let has_name = |text: &String| {
                let mut words = text.split(|c| !of_word(c));
                words.any(|word| self.known_name(word).is_some())
            };
            if !words.iter().any(has_name) {
                return new;
            }
        }
        self.stand_in(CAPTION, text)
    }

    /// A message: the words of the API stay, others go, and so do secrets, names and ids.
    fn words(&mut self, text: &str) -> String {
        self.replaced(text, |scrub, word| match scrub.knows(word) {
            true => word.to_owned(),
            false => scrub.stand_in(WORD, word),
        })
    }

    /// A text with the secrets, user names and ids replaced, and its other words by a function.
    fn replaced(&mut self, text: &str, other: fn(&mut Scrub, &str) -> String) -> String {
        let text = self.without_secrets(text);
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let end = match first {
                _ if of_word(first) => rest.find(|c| !of_word(c)),
                _ if first.is_ascii() => Some(1),
                _ => rest.find(|c: char| c.is_ascii()),
            };
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            let (word, dots) = word.split_at(word.trim_end_matches('.').len());
            if word.is_empty() || (first.is_ascii() && !of_word(first)) {
                out += word;
            } else if let Some(name) = self.name(word) {
                out += &name;
            } else if out.ends_with('@') && of_word(first) {
                out += &self.user(word);
            } else if is_digits(word) && (word.len() >= 10 || self.secrets.ids.contains(word)) {
                out += &self.id(word);
            } else {
                out += &other(self, word);
            }
            out += dots;
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
        let mut secrets = self.secrets.found.iter();
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
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return self.stand_in(TEXT, url);
        }
        let (scheme, after) = url.split_once("://").unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        let after = after.split('#').next().unwrap_or_default();
        let (host, target) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
        let host = host.to_ascii_lowercase();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let (start, domain) = host.rsplit_once('.').map_or(("", ""), |(start, _)| {
            let second = start.rfind('.').map_or(0, |dot| dot + 1);
            (&host[..second], &host[second..])
        });
        match domain {
            _ if GRAPH.contains(&host.as_str()) => {
                format!("{scheme}://{host}{}", self.target(target, false))
            }
            "instagram.com" if matches!(start, "" | "www." | "m.") => {
                format!("{scheme}://www.instagram.com{}", self.page(path))
            }
            "cdninstagram.com" | "fbcdn.net" | "akamaihd.net" if is_host(start) => {
                // The rest of the host tells where in the world it was asked.
                let first = start.split(['-', '.']).next().unwrap_or_default();
                let known = FILE_HOSTS.split(' ').find(|known| *known == first);
                let first = known.unwrap_or("scontent");
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
            Some((path, query)) => {
                self.path(path, of_request) + "?" + &self.query(query, of_request)
            }
            None => self.path(target, of_request),
        }
    }

    /// A query, or the form of a request.
    pub(super) fn query(&mut self, query: &str, of_request: bool) -> String {
        joined(query, "&", |param| self.param(param, of_request))
    }

    /// A path of the graph: ids and the names of edges. Of a request, an unknown one is any.
    pub(super) fn path(&mut self, path: &str, of_request: bool) -> String {
        joined(path, "/", |segment| match segment {
            "" => String::new(),
            _ if is_id(segment) || self.has(ID, &decode(segment)) => {
                let id = self.id(&decode(segment));
                if decode(segment) == id {
                    segment.to_owned()
                } else {
                    id
                }
            }
            _ if is_known(segment) => segment.to_owned(),
            _ => match self.name(segment) {
                Some(name) => name,
                None if of_request => ANY.to_owned(),
                None => self.stand_in("x", segment),
            },
        })
    }

    /// A path of instagram.com: `/p/SHORTCODE/`, `/user/`, …
    fn page(&mut self, path: &str) -> String {
        let mut before = String::new();
        joined(path, "/", |segment| {
            let of = std::mem::replace(&mut before, segment.to_owned());
            match segment {
                "" | "p" | "reel" | "reels" | "tv" | "stories" | "accounts" | "login"
                | "explore" | "tags" => segment.to_owned(),
                _ if matches!(of.as_str(), "p" | "reel" | "reels" | "tv") => {
                    self.shortcode(segment)
                }
                _ if of == "tags" => self.stand_in("x", segment),
                _ if is_id(segment) => self.id(segment),
                _ => self.user(&decode(segment)),
            }
        })
    }

    /// The path of a file; its ending stays.
    fn file(&mut self, path: &str) -> String {
        if self.keep.ids {
            return joined(path, "/", |segment| {
                self.name(segment).unwrap_or_else(|| segment.to_owned())
            });
        }
        let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
        let ending = ENDINGS.split(' ').find(|known| *known == ending);
        let ending = ending.unwrap_or("bin");
        format!("/v/{}.{ending}", self.number("file", path))
    }

    /// A parameter of the graph. What a request has from elsewhere than earlier replies, the
    /// program will not find in a replay: there any value will do.
    fn param(&mut self, param: &str, of_request: bool) -> String {
        let (name, value) = param.split_once('=').unwrap_or((param, ""));
        if !name.is_empty() && !is_known(name) {
            return match of_request {
                true => format!("{ANY}={ANY}"),
                false => self.stand_in("x", param),
            };
        }
        if !param.contains('=') {
            return param.to_owned();
        }
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
        } else if is_time && is_digits(&plain) {
            self.given.insert(plain);
            value.to_owned()
        } else if is_one_of(HARMLESS, name) && self.knows_list(&plain) {
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
        let (name, value) = param.split_once('=').unwrap_or((param, ""));
        let is_time = name == "oe" && value.len() <= 8 && u32::from_str_radix(value, 16).is_ok();
        match is_one_of(SIGNED, name) {
            true if value.is_empty() || is_time => param.to_owned(),
            true => format!("{name}={}", self.stand_in("x", value)),
            false => self.stand_in("x", param),
        }
    }

    /// What had to be replaced and is still in the text, however it is encoded.
    pub(super) fn leak(&self, text: &str) -> Option<&'static str> {
        // Hosts stay.
        let is_host = |secret: &String| self.origins.iter().any(|origin| origin.contains(secret));
        let secrets = self
            .secrets
            .found
            .iter()
            .map(|(what, secret)| (*what, secret));
        let secrets = secrets.filter(|(what, secret)| *what != A_PARAMETER || !is_host(secret));
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

/// Whether the value of a key is an id.
fn is_of_id(key: &str) -> bool {
    key == "id" || key.ends_with("_id")
}

/// Whether the value of a key is a word of the API.
fn is_type_key(key: &str) -> bool {
    key == "type" || key.ends_with("_type")
}

/// Numbers of insights are by country and language, and by words of the API.
fn is_place(key: &str) -> bool {
    is_type(key) || is_locale(key)
}

/// Whether a text begins like a URL.
fn is_url(text: &str) -> bool {
    let starts = |scheme: &str| {
        let start = text.get(..scheme.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(scheme)
    };
    starts("https://") || starts("http://")
}

/// Labels of a host, with the dot after the last one.
fn is_host(labels: &str) -> bool {
    let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    labels.bytes().all(of_host)
}

/// A character of a word, which may be percent-encoded.
fn of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.%".contains(c)
}

fn is_one_of(list: &str, word: &str) -> bool {
    list.split(' ').any(|known| known == word)
}

/// The words of a list of fields, each with the number of parentheses around it.
fn list_words(list: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut depth = 0;
    list.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter_map(move |part| {
            let word = part.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let at = depth;
            depth += usize::from(part.ends_with('('));
            depth -= usize::from(depth > 0 && part.ends_with(')'));
            (!word.is_empty()).then_some((word, at))
        })
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
