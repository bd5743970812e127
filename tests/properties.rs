//! What must hold for any input, each held against a library or a model that
//! shares no code with mingram: the url crate, serde_json, a list of pages.

mod common;

use common::{Server, json as ok};
use mingram::auth::{App, Code, Login, State};
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, Edge, Error, ErrorKind, Fields, Media, MediaField, Page, Position, User};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use url::{Url, form_urlencoded};

const TOKEN: &str = "IGQVJ/a%b=secret";

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        // A case that fails is kept in tests/regressions.rs, by hand.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Answers from a function of the request, and keeps what was asked: the
/// address, the user agent and the form.
#[derive(Clone)]
struct Answers {
    answer: Arc<Answer>,
    asked: Arc<Mutex<Vec<(String, String, String)>>>,
}

/// An address to a status and a body.
type Answer = dyn Fn(&str) -> (u16, String) + Send + Sync;

impl Answers {
    fn new(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Answers {
        Answers {
            answer: Arc::new(answer),
            asked: Arc::default(),
        }
    }

    fn api(&self) -> Api {
        Api::new(TOKEN).with_transport(self.clone()).with_retries(0)
    }

    fn asked(&self) -> Vec<(String, String, String)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Transport for Answers {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        let agent = request
            .headers
            .iter()
            .find(|(name, _)| *name == "User-Agent");
        self.asked.lock().unwrap().push((
            request.url.to_owned(),
            agent.unwrap().1.to_owned(),
            request.body.unwrap_or_default().to_owned(),
        ));
        let (status, body) = (self.answer)(request.url);
        Ok(Response::new(
            status,
            vec![("Content-Length".to_owned(), body.len().to_string())],
            std::io::Cursor::new(body),
        ))
    }
}

/// One line that shows no token.
fn shown(error: &Error) -> String {
    let line = error.to_string();
    assert!(!line.contains(char::is_control), "{line:?}");
    let all = format!("{line} {error:?}");
    assert!(!all.contains(TOKEN), "{all}");
    line
}

/// Text of every sort, with what has a meaning in addresses more often.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        4 => prop::char::range(' ', '~').prop_map(String::from),
        2 => prop::sample::select(vec![
            "&", "=", "#", "%", "%2e", "%2F", "+", "/", "/../", "?", ":", "@", "\r\n", "\0", "😀",
            "é", " ", "..", ".", "\\", "access_token", ";",
        ]).prop_map(str::to_owned),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn pairs(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

fn segments(url: &Url) -> Vec<String> {
    let decode = |segment: &str| {
        let form = segment.replace('+', "%2B");
        form_urlencoded::parse(format!("x={form}").as_bytes())
            .next()
            .map_or(String::new(), |(_, value)| value.into_owned())
    };
    url.path_segments().unwrap().map(decode).collect()
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn an_edge_is_read_back_as_it_was_meant(
        id in text(), field in text(), cursor in text(), name in text(), value in text(),
        limit in any::<u32>(), backwards in any::<bool>(),
    ) {
        prop_assume!(!["limit", "access_token"].contains(&name.as_str()));
        let server = Answers::new(|_| (200, r#"{"data":[]}"#.to_owned()));
        // Any text that a modifier can have.
        let field = field.replace(|c: char| c.is_ascii_control() || "()".contains(c), "");
        let field = format!("a.b({field})");
        let fields = Fields::from(field.as_str()).with(MediaField::Children, [MediaField::Id]);
        let edge = server.api().user_media(&id, fields).page_size(limit).param(&name, &value);
        let edge = if backwards { edge.before(&cursor) } else { edge.after(&cursor) };
        let page = edge.pages().next().unwrap();
        if ["", ".", ".."].contains(&id.as_str()) {
            prop_assert_eq!(page.unwrap_err().kind(), ErrorKind::InvalidInput);
            prop_assert!(server.asked().is_empty());
            return Ok(());
        }
        page.unwrap();
        let url = Url::parse(&server.asked()[0].0).unwrap();
        prop_assert_eq!(url.origin().ascii_serialization(), "https://graph.instagram.com");
        prop_assert_eq!(segments(&url), [id.as_str(), "media"]);
        prop_assert_eq!(url.fragment(), None);
        let direction = if backwards { "before" } else { "after" };
        let wanted: Vec<(String, String)> = [
            ("fields", format!("{field},children{{id}}")),
            ("limit", limit.to_string()),
            (&name, value),
            (direction, cursor),
            ("access_token", TOKEN.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        prop_assert_eq!(pairs(&url), wanted);
    }

    #[test]
    fn any_path_is_read_back_as_it_was_meant(
        path in vec(text().prop_map(|part| part.replace('/', "")), 1..4),
        params in vec((text(), text()), 0..4),
    ) {
        prop_assume!(params.iter().all(|(name, _)| name != "access_token"));
        let server = Answers::new(|_| (200, r#"{"id":"1"}"#.to_owned()));
        let params: Vec<(&str, &str)> =
            params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let whole = path.join("/");
        let reply = server.api().node::<Media>(&whole, &params);
        // One slash at either end is no segment of its own.
        let plain = whole.strip_prefix('/').unwrap_or(&whole);
        let plain = plain.strip_suffix('/').unwrap_or(plain);
        let parts: Vec<&str> = plain.split('/').collect();
        if !plain.is_empty() && parts.iter().any(|part| ["", ".", ".."].contains(part)) {
            prop_assert_eq!(reply.unwrap_err().kind(), ErrorKind::InvalidInput);
            prop_assert!(server.asked().is_empty());
            return Ok(());
        }
        reply.unwrap();
        let url = Url::parse(&server.asked()[0].0).unwrap();
        prop_assert_eq!(segments(&url), parts);
        let mut wanted: Vec<(String, String)> =
            params.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        wanted.push(("access_token".to_owned(), TOKEN.to_owned()));
        prop_assert_eq!(pairs(&url), wanted);
    }

    #[test]
    fn a_token_arrives_whole_or_is_never_sent(
        token in prop_oneof![text(), "[!-~]{1,40}", " ?[!-~]{1,9}\n?"], agent in prop_oneof![text(), "[ -~]{1,20}"],
    ) {
        let server = Answers::new(|_| (200, r#"{"id":"1"}"#.to_owned()));
        let me = server.api().with_token(token.as_str()).with_user_agent(&agent).me("");
        let asked = server.asked();
        let bare = token.trim_matches([' ', '\t', '\n', '\r', '\x0c']);
        let is_token = !bare.is_empty() && bare.chars().all(|c| ('!'..='~').contains(&c));
        let is_agent = !agent.is_empty()
            && agent.trim() == agent
            && agent.chars().all(|c| (' '..='~').contains(&c));
        prop_assert_eq!(me.is_ok(), is_token && is_agent);
        prop_assert_eq!(asked.len(), usize::from(me.is_ok()));
        for (url, sent_agent, _) in asked {
            let found = pairs(&Url::parse(&url).unwrap());
            prop_assert_eq!(found, [("access_token".to_owned(), bare.to_owned())]);
            prop_assert_eq!(sent_agent, agent.as_str());
        }
    }

    #[test]
    fn a_login_goes_round(
        id in text(), address in text(), state in text(), code in "[!-~]{1,40}", secret in "[!-~]{1,40}",
        scopes in vec("[a-z_]{1,9}", 0..4),
    ) {
        prop_assume!(!code.ends_with("#_"));
        let app = App::new(&id, &secret, &address);
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        prop_assume!(!state.is_empty());
        let kept = State::restore(state.as_str());
        let url = Url::parse(&app.authorize_url(Login::Instagram, &scopes, &kept)).unwrap();
        let wanted = vec![
            ("client_id", id.clone()),
            ("redirect_uri", address.clone()),
            ("scope", scopes.join(",")),
            ("response_type", "code".to_owned()),
            ("state", state.clone()),
        ];
        let wanted: Vec<(String, String)> =
            wanted.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        prop_assert_eq!(pairs(&url), wanted);

        // The service sends the browser back with the code and the state.
        let mut back = Url::parse("https://example.com/auth").unwrap();
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &state);
        let found = Code::from_redirect(&format!("{back}#_"), &kept).unwrap();
        prop_assert_eq!(&found, &Code::new(&code));

        let server = Answers::new(|_| (200, r#"{"access_token":"new"}"#.to_owned()));
        server.api().exchange_code(&app, &found).unwrap();
        let form: Vec<(String, String)> =
            form_urlencoded::parse(server.asked()[0].2.as_bytes()).into_owned().collect();
        let wanted = [
            ("client_id", id),
            ("client_secret", secret),
            ("grant_type", "authorization_code".to_owned()),
            ("redirect_uri", address),
            ("code", code),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        prop_assert_eq!(form, wanted);
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn over_a_socket_too(id in text(), cursor in text(), value in text()) {
        prop_assume!(!["", ".", ".."].contains(&id.as_str()));
        let server = Server::script([ok("200 OK", r#"{"data":[]}"#)]);
        let edge = server.api().user_media(&id, "").after(&cursor).param("x", &value);
        prop_assert_eq!(edge.into_iter().count(), 0);
        let received = server.received();
        prop_assert_eq!(received.len(), 1);
        let url = Url::parse("http://host").unwrap().join(&received[0].target).unwrap();
        prop_assert_eq!(segments(&url), [id.as_str(), "media"]);
        let wanted = [("x", value.as_str()), ("after", &cursor), ("access_token", common::replay::TOKEN)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        prop_assert_eq!(pairs(&url), wanted);
        // Nothing of it became a header of its own.
        let names: BTreeSet<&str> =
            received[0].headers.iter().map(|(name, _)| name.as_str()).collect();
        prop_assert!(names.is_subset(&["host", "user-agent", "accept", "accept-encoding", "content-length"].into()), "{names:?}");
    }
}

/// A `Location`: whole, relative in each way, or neither.
fn location() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "https:",
        "http:",
        "ftp:",
        "//",
        "/",
        "?",
        "#",
        ":",
        "@",
        "..",
        ".",
        "a",
        "b.example",
        "1.2.3",
        "127.0.0.1",
        "[::1]",
        "[",
        "]",
        ":8443",
        "x=https://y",
        "&",
        "%2F",
        "é",
        "-",
        "//h/",
        " ",
        "\\",
        "\t",
        "\"",
        "<",
        "{",
        "|",
        "`",
        "'",
        "\u{1f600}",
    ]);
    vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn a_redirect_leads_where_a_url_library_says(
        location in location(), from in prop::sample::select(vec!["", "/", "/a/b", "/a/b?c=/d", "?c", "/a#b"]),
    ) {
        let from = format!("https://h.example{from}");
        let to = location.clone();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let api = Api::new(TOKEN).with_retries(0).with_transport(Redirects { to, asked: asked.clone() });
        let done = api.download(&from).accept_any_type().write_to(&mut Vec::new());
        let asked = asked.lock().unwrap().clone();
        if let Err(error) = &done {
            shown(error);
            prop_assert_eq!(error.kind(), ErrorKind::Redirect);
            prop_assert_eq!(asked.len(), 1);
            return Ok(());
        }
        let mut wanted = Url::parse(&from).unwrap().join(&location).unwrap();
        wanted.set_fragment(None);
        prop_assert_eq!(wanted.scheme(), "https");
        prop_assert!(wanted.username().is_empty());
        prop_assert_eq!(&Url::parse(&asked[1]).unwrap(), &wanted);
        // As it was sent, not only as that library reads it.
        let path = asked[1].split('?').next().unwrap();
        let mut segments = path.split('/').skip("https://host".split('/').count());
        prop_assert!(!segments.any(|segment| matches!(segment, "." | "..")), "{}", path);

        // The same, asked with the token: nothing leaves the host it is for.
        let kept = Arc::new(Mutex::new(Vec::new()));
        let api = Api::new(TOKEN).with_retries(0).with_base_url("https://h.example");
        let _ = api.with_transport(Redirects { to: location, asked: kept.clone() }).me("");
        for url in kept.lock().unwrap().iter() {
            let origin = Url::parse(url).unwrap().origin();
            prop_assert_eq!(origin.ascii_serialization(), "https://h.example");
        }
    }
}

/// Redirects the first request, and answers the next with an empty file.
struct Redirects {
    to: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Transport for Redirects {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(request.url.to_owned());
        let (status, name, value) = match asked.len() {
            1 => (302, "Location", self.to.clone()),
            _ => (200, "Content-Length", "0".to_owned()),
        };
        Ok(Response::new(
            status,
            vec![(name.to_owned(), value)],
            std::io::empty(),
        ))
    }
}

/// Every key that mingram reads, and some that it does not.
fn key() -> impl Strategy<Value = String> {
    let known = [
        "id",
        "user_id",
        "username",
        "name",
        "account_type",
        "media_count",
        "media",
        "caption",
        "media_type",
        "media_url",
        "timestamp",
        "is_shared_to_feed",
        "like_count",
        "children",
        "owner",
        "data",
        "paging",
        "cursors",
        "before",
        "after",
        "next",
        "previous",
        "error",
        "error_message",
        "error_type",
        "message",
        "code",
        "is_transient",
        "access_token",
        "token_type",
        "expires_in",
        "permissions",
    ];
    prop_oneof![
        8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => text(),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0u64..300).prop_map(Value::from),
    ];
    let word = prop::sample::select(vec![
        "IMAGE",
        "CAROUSEL_ALBUM",
        "business",
        TOKEN,
        "https://h/?after=x&access_token=IGQVJ",
        "2017-08-31T18:10:00+0000",
        "5184000",
        "",
    ]);
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => number,
        2 => text().prop_map(Value::from),
        2 => word.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..8).prop_map(Value::from),
            3 => vec((key(), inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Walks every reader over one reply. Whatever is an error is a clean one.
fn read_all(status: u16, reply: &str) {
    let body = reply.to_owned();
    let api = Answers::new(move |_| (status, body.clone())).api();
    let app = App::new("1", "secret", "https://h/");
    let code = Code::new("code");
    let seen = serde_json::from_str::<Value>(reply).unwrap_or_default();
    let id = |id: &str| {
        // Flat, or the first of `data`.
        let flat = seen.get("id").filter(|id| !id.is_null());
        let wrapped = seen
            .get("data")
            .and_then(|data| data.get(0))
            .and_then(|first| first.get("id"));
        let matches = |found: Option<&Value>| match found {
            Some(Value::String(found)) => found == id,
            // Whole numbers with a fraction are ids, too.
            Some(Value::Number(found)) if found.is_f64() => found.as_f64() == id.parse().ok(),
            Some(Value::Number(found)) => found.to_string() == id,
            _ => false,
        };
        assert!(matches(flat) || matches(wrapped), "{id}: {reply}");
    };
    match api.me("") {
        Ok(user) => id(&user.id),
        Err(error) => drop(shown(&error)),
    }
    match api.media("1", "") {
        Ok(media) => id(&media.id),
        Err(error) => drop(shown(&error)),
    }
    match api.node::<Page<Media>>("1/x", &[]) {
        Ok(page) => {
            let data = seen.get("data").and_then(Value::as_array).unwrap();
            assert_eq!(page.data.len(), data.len());
        }
        Err(error) => drop(shown(&error)),
    }
    let mut items = api.my_media("").items();
    if let Some(error) = items.by_ref().find_map(Result::err) {
        shown(&error);
    }
    assert!(items.next().is_none());
    for error in [
        api.node::<Page<User>>("1/x", &[]).err(),
        api.node::<Vec<Media>>("1/x", &[]).err(),
        api.exchange_code(&app, &code).err(),
        api.exchange_token(&app).err(),
        api.refresh_token().err(),
    ]
    .into_iter()
    .flatten()
    {
        shown(&error);
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn no_tree_is_too_much(
        tree in tree(), status in prop::sample::select(vec![200, 200, 200, 400, 500]), pretty in any::<bool>(),
    ) {
        let reply = match pretty {
            true => serde_json::to_string_pretty(&tree),
            false => serde_json::to_string(&tree),
        };
        read_all(status, &reply.unwrap());
    }

    #[test]
    fn no_broken_tree_is_too_much(tree in tree(), cut in any::<prop::sample::Index>(), put in text()) {
        let reply = tree.to_string();
        let cut = (0..=cut.index(reply.len() + 1)).rev().find(|&cut| reply.is_char_boundary(cut)).unwrap();
        read_all(200, &format!("{}{put}{}", &reply[..cut], &reply[cut..]));
        read_all(200, &reply[..cut]);
    }

    #[test]
    fn a_media_is_read_field_by_field(
        id in any::<u64>(), bare in any::<bool>(),
        words in vec(option::of(option::of(text())), 5), counts in vec(option::of(option::of(any::<u64>())), 2),
        flag in option::of(option::of(any::<bool>())), children in option::of(vec(text(), 0..4)),
        extra in vec((text(), tree()), 0..3),
    ) {
        let mut object = Map::new();
        for (name, value) in extra {
            object.insert(format!("x_{name}"), value);
        }
        object.insert("id".into(), if bare { id.into() } else { id.to_string().into() });
        let names = ["caption", "media_url", "permalink", "media_type", "alt_text"];
        for (name, word) in names.iter().zip(&words) {
            if let Some(word) = word {
                object.insert(name.to_string(), json!(word));
            }
        }
        for (name, count) in ["like_count", "comments_count"].iter().zip(&counts) {
            if let Some(count) = count {
                object.insert(name.to_string(), json!(count));
            }
        }
        if let Some(flag) = flag {
            object.insert("is_shared_to_feed".into(), json!(flag));
        }
        if let Some(ids) = &children {
            let data: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
            object.insert("children".into(), json!({"data": data}));
        }
        let reply = Value::Object(object).to_string();
        let media = Answers::new(move |_| (200, reply.clone())).api().media("1", "").unwrap();
        // `null` reads as absent.
        let words: Vec<Option<&str>> = words.iter().map(|word| word.as_ref()?.as_deref()).collect();
        prop_assert_eq!(media.id, id.to_string());
        prop_assert_eq!(media.caption.as_deref(), words[0]);
        prop_assert_eq!(media.media_url.as_deref(), words[1]);
        prop_assert_eq!(media.permalink.as_deref(), words[2]);
        prop_assert_eq!(media.media_type.as_ref().map(|kind| kind.as_str()), words[3]);
        prop_assert_eq!(media.alt_text.as_deref(), words[4]);
        prop_assert_eq!(media.like_count, counts[0].flatten());
        prop_assert_eq!(media.comments_count, counts[1].flatten());
        prop_assert_eq!(media.is_shared_to_feed, flag.flatten());
        let ids = |children: Vec<Media>| children.into_iter().map(|child| child.id).collect();
        prop_assert_eq!(media.children.map(ids), children);
    }
}

/// A list of fields, as a model: what is before the braces, and what is in them.
#[derive(Clone, Debug, PartialEq)]
struct List(Vec<(&'static str, List)>);

impl List {
    /// In writing, with white space as often as `spaces` says.
    fn text(&self, spaces: &mut dyn FnMut() -> &'static str) -> String {
        let fields = self.0.iter().map(|(head, nested)| {
            let braces = match nested.text(spaces) {
                nested if nested.is_empty() => String::new(),
                nested => format!("{{{nested}}}{}", spaces()),
            };
            format!("{}{head}{}{braces}", spaces(), spaces())
        });
        fields.collect::<Vec<_>>().join(",")
    }

    fn sent(&self) -> String {
        self.text(&mut || "")
    }

    /// The same list, in which what is written alike is there once.
    fn once(&self) -> List {
        let mut once: Vec<(&str, List)> = Vec::new();
        for (head, nested) in &self.0 {
            match once.iter_mut().find(|(known, _)| known == head) {
                Some((_, all)) => all.0.extend(nested.0.clone()),
                None => once.push((head, nested.clone())),
            }
        }
        List(
            once.into_iter()
                .map(|(head, nested)| (head, nested.once()))
                .collect(),
        )
    }

    fn without(&self, name: &str) -> List {
        let others = self
            .0
            .iter()
            .filter(|(head, _)| head.split('.').next() != Some(name));
        List(
            others
                .map(|(head, nested)| (*head, nested.without(name)))
                .collect(),
        )
    }

    fn names(&self) -> Vec<&'static str> {
        let names = self.0.iter().flat_map(|(head, nested)| {
            let mut names = nested.names();
            names.extend(head.split('.').next());
            names
        });
        names.collect()
    }
}

const NAMES: [&str; 5] = ["id", "a", "b_2", "C", "media"];

fn list() -> impl Strategy<Value = List> {
    let head = prop::sample::select(vec![
        "id",
        "a",
        "b_2",
        "C",
        "media",
        "media.limit(3)",
        "a.as(x,{y}).limit(1)",
        "a.since( é)",
    ]);
    let field = (head.clone(), Just(List(Vec::new())));
    let list = |field| vec(field, 0..4).prop_map(List).boxed();
    list(field.boxed()).prop_recursive(4, 40, 4, move |inner| list((head.clone(), inner).boxed()))
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_list_of_fields_is_sent_as_it_was_meant(
        list in list(), spaces in vec(prop::sample::select(vec!["", " ", "\n\t"]), 1..9),
    ) {
        let mut spaces = spaces.into_iter().cycle();
        let text = list.text(&mut || spaces.next().unwrap());
        let fields: Fields = text.parse().unwrap();
        let sent = list.once().sent();
        prop_assert_eq!(fields.to_string(), sent.as_str());
        prop_assert_eq!(&sent.parse::<Fields>().unwrap(), &fields);
        prop_assert_eq!(fields.is_empty(), list.0.is_empty());
        let server = Answers::new(|_| (200, r#"{"id":"1"}"#.to_owned()));
        server.api().me(&fields).unwrap();
        let url = Url::parse(&server.asked()[0].0).unwrap();
        let asked = pairs(&url).into_iter().find(|(name, _)| name == "fields");
        prop_assert_eq!(asked.map(|(_, value)| value).unwrap_or_default(), sent);
    }

    #[test]
    fn a_list_of_fields_changes_by_name(
        list in list(), name in prop::sample::select(&NAMES), other in prop::sample::select(&NAMES),
        nested in list(),
    ) {
        let fields = Fields::from(list.sent());
        let nested = Fields::from(nested.sent());
        let without = fields.without(name);
        prop_assert_eq!(without.to_string(), list.once().without(name).sent());
        prop_assert!(!without.contains(name));
        prop_assert_eq!(fields.contains(name), list.names().contains(&name));
        prop_assert_eq!(without == fields, !fields.contains(name));
        prop_assert_eq!(without.without(other), fields.without(other).without(name));
        let with = fields.with(name, &nested);
        prop_assert!(with.contains(name));
        prop_assert_eq!(&with.with(name, &nested), &with);
        prop_assert_eq!(fields.with(name, "x").with(name, &nested), with);
        let both = fields.and(&nested);
        prop_assert_eq!(both.and(&nested).and(&fields), both.clone());
        prop_assert_eq!(both.contains(name), fields.contains(name) || nested.contains(name));
    }

    #[test]
    fn any_text_is_a_list_of_fields_or_refused(text in text(), name in text()) {
        match text.parse::<Fields>() {
            Ok(fields) => {
                prop_assert_eq!(&fields.to_string().parse::<Fields>().unwrap(), &fields);
                prop_assert!(!fields.to_string().contains(|c: char| c.is_ascii_control()));
            }
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::InvalidInput),
        }
        let fields = Fields::from("id").with(&name, &text);
        prop_assert!(fields.to_string().starts_with("id") || fields.to_string().starts_with('('));
        let _ = (fields.without(&name), fields.contains(&text));
    }
}

/// How one page tells where its neighbours are.
#[derive(Clone, Copy, Debug)]
enum Links {
    BothWays,
    NoCursors,
    /// A link that names no cursor, beside the cursors.
    NoQuery,
}

/// One way for a request to fail.
#[derive(Clone, Copy, Debug)]
enum Fails {
    Status,
    ServiceError,
    Garbage,
    Cut,
}

/// A feed: the sizes of its pages, the newest first, how each is written, and
/// which requests fail.
#[derive(Clone, Debug)]
struct Feed {
    pages: Vec<(usize, Links)>,
    failing: Vec<(usize, Fails)>,
}

fn feed() -> impl Strategy<Value = Feed> {
    let size = prop_oneof![2 => Just(0usize), 3 => 1usize..8];
    let links = prop::sample::select(vec![Links::BothWays, Links::NoCursors, Links::NoQuery]);
    let fails = prop::sample::select(vec![
        Fails::Status,
        Fails::ServiceError,
        Fails::Garbage,
        Fails::Cut,
    ]);
    (vec((size, links), 1..20), vec((0usize..30, fails), 0..8))
        .prop_map(|(pages, failing)| Feed { pages, failing })
}

impl Feed {
    /// The cursor at the end of a page, or at its start: text that needs care.
    fn cursor(&self, page: usize, end: bool) -> String {
        format!("{}{page}&=#%+é/", if end { "end" } else { "start" })
    }

    /// The ids of these pages, in the feed's order.
    fn ids(&self, pages: std::ops::Range<usize>) -> Vec<String> {
        let first: usize = self.pages[..pages.start].iter().map(|page| page.0).sum();
        let count: usize = self.pages[pages].iter().map(|page| page.0).sum();
        (first..first + count).map(|id| id.to_string()).collect()
    }

    /// The page that a request is for.
    fn page(&self, url: &Url) -> usize {
        let param = |name: &str| {
            let value = url
                .query_pairs()
                .find(|(key, _)| key == name)?
                .1
                .into_owned();
            Some(value)
        };
        let pages = 0..self.pages.len();
        match (param("after"), param("before")) {
            (None, None) => 0,
            (Some(after), None) => {
                pages
                    .clone()
                    .position(|p| self.cursor(p, true) == after)
                    .unwrap()
                    + 1
            }
            (None, Some(before)) => {
                pages
                    .clone()
                    .position(|p| self.cursor(p, false) == before)
                    .unwrap()
                    - 1
            }
            both => panic!("{both:?}"),
        }
    }

    fn body(&self, page: usize) -> String {
        let ids = self.ids(page..page + 1);
        let data: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        let link = |name: &str, cursor: &str| {
            let mut link = Url::parse("https://graph.facebook.com/x").unwrap();
            link.query_pairs_mut()
                .append_pair("access_token", TOKEN)
                .append_pair(name, cursor);
            Value::from(link.as_str())
        };
        let (before, after) = (self.cursor(page, false), self.cursor(page, true));
        let links = self.pages[page].1;
        let mut paging = Map::new();
        if !matches!(links, Links::NoCursors) {
            paging.insert("cursors".into(), json!({"before": before, "after": after}));
        }
        let bare = matches!(links, Links::NoQuery);
        let written = |name, cursor| {
            if bare {
                "https://h/".into()
            } else {
                link(name, cursor)
            }
        };
        if page + 1 < self.pages.len() {
            paging.insert("next".into(), written("after", &after));
        }
        if page > 0 {
            paging.insert("previous".into(), written("before", &before));
        }
        json!({"data": data, "paging": paging}).to_string()
    }

    /// An `Api` that reads this feed, and the number of requests it made.
    fn api(&self) -> (Api, Arc<AtomicUsize>) {
        let (feed, requests) = (self.clone(), Arc::new(AtomicUsize::new(0)));
        let count = requests.clone();
        let server = Answers::new(move |url: &str| {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let body = feed.body(feed.page(&Url::parse(url).unwrap()));
            match feed.failing.iter().find(|(at, _)| *at == number) {
                None => (200, body),
                Some((_, Fails::Status)) => (502, "<html>".to_owned()),
                Some((_, Fails::ServiceError)) => {
                    (400, r#"{"error":{"message":"m","code":4}}"#.to_owned())
                }
                Some((_, Fails::Garbage)) => (200, r#"{"data":[{"id":[]}]}"#.to_owned()),
                Some((_, Fails::Cut)) => (200, body[..body.len() - 1].to_owned()),
            }
        });
        (server.api(), requests)
    }
}

/// Where to start, as an edge and as pages of the feed.
#[derive(Clone, Copy, Debug)]
enum From {
    Newest,
    After(prop::sample::Index),
    Before(prop::sample::Index),
}

fn from() -> impl Strategy<Value = From> {
    prop_oneof![
        Just(From::Newest),
        any::<prop::sample::Index>().prop_map(From::After),
        any::<prop::sample::Index>().prop_map(From::Before),
    ]
}

impl From {
    /// The first cursor, the direction, and the ids that are to come.
    fn of(self, feed: &Feed) -> Option<(Option<String>, bool, Vec<String>)> {
        let pages = feed.pages.len();
        match self {
            From::Newest => Some((None, false, feed.ids(0..pages))),
            From::After(page) if pages > 1 => {
                let page = page.index(pages - 1);
                Some((
                    Some(feed.cursor(page, true)),
                    false,
                    feed.ids(page + 1..pages),
                ))
            }
            From::Before(page) if pages > 1 => {
                let page = page.index(pages - 1) + 1;
                let mut ids = feed.ids(0..page);
                ids.reverse();
                Some((Some(feed.cursor(page, false)), true, ids))
            }
            _ => None,
        }
    }
}

/// The edge at a position, which was stored as text.
fn resumed(api: &Api, position: &Position) -> Edge<Media> {
    let stored: Position = position.to_string().parse().unwrap();
    assert_eq!(&stored, position);
    api.my_media("").resume(&stored)
}

fn start(api: &Api, cursor: Option<&str>, backwards: bool) -> Edge<Media> {
    let edge = api.my_media("");
    match cursor {
        None => edge,
        Some(cursor) if backwards => edge.before(cursor),
        Some(cursor) => edge.after(cursor),
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn each_item_once_in_order(feed in feed(), from in from()) {
        let feed = Feed { failing: Vec::new(), ..feed };
        let Some((cursor, backwards, wanted)) = from.of(&feed) else { return Ok(()) };
        let (api, requests) = feed.api();
        let items: Vec<String> = start(&api, cursor.as_deref(), backwards)
            .into_iter()
            .map(|item| item.unwrap().id)
            .collect();
        prop_assert_eq!(&items, &wanted);
        let by_items = requests.swap(0, Ordering::SeqCst);

        // By pages: the same, though each page keeps the service's order.
        let mut paged = Vec::new();
        for page in start(&api, cursor.as_deref(), backwards).pages() {
            let mut ids: Vec<String> = page.unwrap().data.into_iter().map(|item| item.id).collect();
            if backwards {
                ids.reverse();
            }
            paged.append(&mut ids);
        }
        prop_assert_eq!(paged, wanted);
        prop_assert_eq!(requests.load(Ordering::SeqCst), by_items);
    }

    #[test]
    fn each_item_once_across_failures_and_stops(
        feed in feed(), from in from(), stops in vec(0usize..12, 0..6),
    ) {
        let Some((cursor, backwards, wanted)) = from.of(&feed) else { return Ok(()) };
        let (api, _) = feed.api();
        let (mut items, mut stops) = (Vec::new(), stops.into_iter());
        let most = feed.failing.len() + stops.len() + 1;
        let mut edge = start(&api, cursor.as_deref(), backwards);
        for round in 0.. {
            prop_assert!(round < most, "it does not come to an end");
            let mut left = stops.next().unwrap_or(usize::MAX);
            let mut reading = edge.items();
            let ended = loop {
                if left == 0 {
                    break false;
                }
                match reading.next() {
                    None => break true,
                    Some(Err(error)) => {
                        shown(&error);
                        prop_assert!(reading.next().is_none());
                        break false;
                    }
                    Some(Ok(item)) => {
                        items.push(item.id);
                        left -= 1;
                    }
                }
            };
            if ended {
                break;
            }
            edge = resumed(&api, &reading.position());
        }
        prop_assert_eq!(items, wanted);
    }

    #[test]
    fn each_page_once_across_failures(feed in feed(), from in from()) {
        let Some((cursor, backwards, wanted)) = from.of(&feed) else { return Ok(()) };
        let (api, _) = feed.api();
        let mut items = Vec::new();
        let mut edge = start(&api, cursor.as_deref(), backwards);
        for round in 0.. {
            prop_assert!(round <= feed.failing.len(), "it does not come to an end");
            let mut pages = edge.pages();
            let mut failed = false;
            for page in pages.by_ref() {
                let Ok(page) = page else {
                    failed = true;
                    break;
                };
                let ids = page.data.into_iter().map(|item| item.id);
                if backwards { items.extend(ids.rev()) } else { items.extend(ids) }
            }
            if !failed {
                break;
            }
            edge = resumed(&api, &pages.position());
        }
        prop_assert_eq!(items, wanted);
    }

    /// A service that cuts its pages anew at each request: what was taken of a
    /// page is passed over whatever the page's length is the next time.
    #[test]
    fn each_item_once_where_pages_are_cut_anew(
        count in 0usize..50, sizes in vec(prop_oneof![Just(0usize), 1usize..9], 1..9), stops in vec(1usize..9, 0..6),
    ) {
        prop_assume!(sizes.iter().any(|&size| size > 0));
        let requests = AtomicUsize::new(0);
        let server = Answers::new(move |url: &str| {
            let url = Url::parse(url).unwrap();
            let after = url.query_pairs().find(|(key, _)| key == "after");
            // The position, and the number of the request, so that no cursor
            // comes twice.
            let from: usize = after.map_or(0, |(_, c)| c.split('.').next().unwrap().parse().unwrap());
            let number = requests.fetch_add(1, Ordering::SeqCst);
            let to = (from + sizes[number % sizes.len()]).min(count);
            let data: Vec<Value> = (from..to).map(|id| json!({"id": id})).collect();
            let mut paging = json!({"cursors": {"after": format!("{to}.{number}")}});
            if to < count {
                paging["next"] = "https://h/".into();
            }
            (200, json!({"data": data, "paging": paging}).to_string())
        });
        let api = server.api();
        let (mut items, mut edge) = (Vec::new(), start(&api, None, false));
        for stop in stops.into_iter().chain([usize::MAX]) {
            let mut reading = edge.items();
            items.extend(reading.by_ref().take(stop).map(|item| item.unwrap().id));
            edge = resumed(&api, &reading.position());
        }
        let wanted: Vec<String> = (0..count).map(|id| id.to_string()).collect();
        prop_assert_eq!(items, wanted);
    }
}
