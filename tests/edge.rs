//! What an edge requests, one row a case: its parameters, smaller pages, empty pages, and links
//! in every form. Through a transport of its own, without sockets.

mod common;

use common::TestClock;
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, Edge, ErrorKind, Media, Result, miniserde};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TOO_MUCH: &str = r#"{"error":{"message":"Please reduce the amount of data you're asking for, then retry your request","type":"OAuthException","code":1}}"#;

type Params = Vec<(String, String)>;

/// Answers each request by its parameters, and keeps those, without the token.
struct Service<F> {
    answer: F,
    asked: Arc<Mutex<Vec<Params>>>,
}

impl<F: Fn(usize, &Params) -> (u16, String) + Send + Sync> Transport for Service<F> {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let url = url::Url::parse(request.url).unwrap();
        assert_eq!(url.path(), "/me/media");
        let mut params: Params = url.query_pairs().into_owned().collect();
        params.retain(|(name, _)| name != "access_token");
        let mut asked = self.asked.lock().unwrap();
        let (status, body) = (self.answer)(asked.len(), &params);
        asked.push(params);
        Ok(Response::new(
            status,
            Vec::new(),
            std::io::Cursor::new(body),
        ))
    }
}

/// An `Api` of a service that answers so, and what it was asked.
fn service(
    answer: impl Fn(usize, &Params) -> (u16, String) + Send + Sync + 'static,
) -> (Api, Arc<Mutex<Vec<Params>>>) {
    let asked = Arc::default();
    let service = Service {
        answer,
        asked: Arc::clone(&asked),
    };
    let api = Api::new("SECRET")
        .with_transport(service)
        .with_clock(TestClock::new(0));
    (api, asked)
}

/// A page of one item, its number, with this `paging`.
fn page(number: usize, paging: &str) -> (u16, String) {
    let page = format!(r#"{{"data":[{{"id":"{number}"}}],"paging":{{{paging}}}}}"#);
    (200, page)
}

fn ids(edge: impl IntoIterator<Item = Result<Media>>) -> Vec<String> {
    edge.into_iter().map(|media| media.unwrap().id).collect()
}

/// As `name=value` of each parameter, separated by spaces.
fn text(params: &Params) -> String {
    let pairs = params.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(" ")
}

fn at(seconds: i64) -> SystemTime {
    let span = Duration::from_secs(seconds.unsigned_abs());
    match seconds < 0 {
        true => UNIX_EPOCH - span,
        false => UNIX_EPOCH + span,
    }
}

type Set = fn(Edge<Media>) -> Edge<Media>;

/// Everything that can be set, in either order: what the first request says, and what the
/// second one says after the page's links. Each parameter once.
#[test]
fn every_request_says_what_was_set() {
    let rows: &[(Set, &str, &str)] = &[
        (|e| e, "fields=id", "fields=id after=A"),
        (|e| e.after("a"), "fields=id after=a", "fields=id after=A"),
        (
            |e| e.before("b"),
            "fields=id before=b",
            "fields=id before=B",
        ),
        (
            |e| e.param("after", "a"),
            "fields=id after=a",
            "fields=id after=A",
        ),
        (
            |e| e.param("before", "b"),
            "fields=id before=b",
            "fields=id before=B",
        ),
        // The last of them counts, and with it the direction.
        (
            |e| e.after("a").before("b"),
            "fields=id before=b",
            "fields=id before=B",
        ),
        (
            |e| e.before("b").after("a"),
            "fields=id after=a",
            "fields=id after=A",
        ),
        (
            |e| e.param("before", "b").param("after", "a"),
            "fields=id after=a",
            "fields=id after=A",
        ),
        (
            |e| e.param("after", "a").param("before", "b"),
            "fields=id before=b",
            "fields=id before=B",
        ),
        (
            |e| e.before("b").param("before", "c"),
            "fields=id before=c",
            "fields=id before=B",
        ),
        (
            |e| e.after("a").param("after", "c").after("d"),
            "fields=id after=d",
            "fields=id after=A",
        ),
        (
            |e| e.before("b").resume(&"v1&after=a".parse().unwrap()),
            "fields=id after=a",
            "fields=id after=A",
        ),
        (
            |e| {
                e.resume(&"v1&after=a&item=7".parse().unwrap())
                    .param("before", "b")
            },
            "fields=id before=b",
            "fields=id before=B",
        ),
        // Fields.
        (
            |e| e.param("fields", "caption"),
            "fields=caption",
            "fields=caption after=A",
        ),
        (
            |e| e.param("fields", "caption").param("fields", "owner,id"),
            "fields=owner,id",
            "fields=owner,id after=A",
        ),
        (|e| e.param("fields", ""), "", "after=A"),
        // The page size, under either name.
        (
            |e| e.page_size(7),
            "fields=id limit=7",
            "fields=id limit=7 after=A",
        ),
        (
            |e| e.param("limit", "7"),
            "fields=id limit=7",
            "fields=id limit=7 after=A",
        ),
        (
            |e| e.page_size(7).page_size(8),
            "fields=id limit=8",
            "fields=id limit=8 after=A",
        ),
        (
            |e| e.page_size(7).param("limit", "8"),
            "fields=id limit=8",
            "fields=id limit=8 after=A",
        ),
        (
            |e| e.param("limit", "8").page_size(7),
            "fields=id limit=7",
            "fields=id limit=7 after=A",
        ),
        (
            |e| e.page_size(7).param("limit", "all"),
            "fields=id limit=all",
            "fields=id limit=all after=A",
        ),
        (
            |e| e.param("limit", "all").page_size(7),
            "fields=id limit=7",
            "fields=id limit=7 after=A",
        ),
        (
            |e| e.param("limit", "all").param("limit", "8"),
            "fields=id limit=8",
            "fields=id limit=8 after=A",
        ),
        (
            |e| e.param("limit", "some").param("limit", "all"),
            "fields=id limit=all",
            "fields=id limit=all after=A",
        ),
        (
            |e| e.page_size(u32::MAX),
            "fields=id limit=4294967295",
            "fields=id limit=4294967295 after=A",
        ),
        (
            |e| e.param("limit", "4294967296"),
            "fields=id limit=4294967296",
            "fields=id limit=4294967296 after=A",
        ),
        // Times.
        (
            |e| e.since(at(5)).until(at(9)),
            "fields=id since=5 until=9",
            "fields=id since=5 until=9 after=A",
        ),
        (
            |e| e.since(at(5)).since(at(6)),
            "fields=id since=6",
            "fields=id since=6 after=A",
        ),
        (
            |e| e.until(at(5)).param("until", "now"),
            "fields=id until=now",
            "fields=id until=now after=A",
        ),
        (
            |e| e.param("since", "yesterday").since(at(-1)),
            "fields=id since=0",
            "fields=id since=0 after=A",
        ),
        // Any other.
        (
            |e| e.param("a", "1").param("b", "2"),
            "fields=id a=1 b=2",
            "fields=id a=1 b=2 after=A",
        ),
        (
            |e| e.param("a", "1").param("b", "2").param("a", "3"),
            "fields=id b=2 a=3",
            "fields=id b=2 a=3 after=A",
        ),
        (
            |e| e.param("After", "1").param("limit ", "&=#%"),
            "fields=id After=1 limit =&=#%",
            "fields=id After=1 limit =&=#% after=A",
        ),
        (
            |e| e.page_size(7).before("b").param("a", "1"),
            "fields=id limit=7 a=1 before=b",
            "fields=id limit=7 a=1 before=B",
        ),
    ];
    for (row, (set, first, second)) in rows.iter().enumerate() {
        let (api, asked) = service(|number, _| match number {
            0 => page(
                0,
                r#""next":"https://h/?after=A","previous":"https://h/?before=B""#,
            ),
            _ => page(1, ""),
        });
        let edge = set(api.my_media("id"));
        assert_eq!(ids(edge.clone()), ["0", "1"], "row {row}");
        // A copy says the same.
        let _ = edge.pages().next();
        let asked: Vec<String> = asked.lock().unwrap().iter().map(text).collect();
        assert_eq!(asked[..2], [*first, *second], "row {row}");
        assert_eq!(asked[2], *first, "row {row}");
    }
}

/// A service that refuses pages of more than 3 items of 20.
fn limited() -> (Api, Arc<Mutex<Vec<Params>>>) {
    service(|_, params| {
        let get = |wanted: &str| {
            let found = params.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        let number = |name| get(name).and_then(|value| value.parse::<usize>().ok());
        let limit = number("limit").unwrap_or(25);
        let (from, to) = match (number("after"), number("before")) {
            (_, Some(before)) => (before.saturating_sub(limit), before),
            (after, None) => {
                let after = after.unwrap_or(0);
                (after, 20.min(after + limit))
            }
        };
        if limit > 3 {
            return (400, TOO_MUCH.to_owned());
        }
        let data: Vec<String> = (from..to).map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
        let mut links = Vec::new();
        if to < 20 {
            links.push(format!(r#""next":"?after={to}""#));
        }
        if from > 0 {
            links.push(format!(r#""previous":"?before={from}""#));
        }
        let (data, links) = (data.join(","), links.join(","));
        (200, format!(r#"{{"data":[{data}],"paging":{{{links}}}}}"#))
    })
}

/// Without a page size none is sent again as soon as the default would be.
#[test]
fn the_default_page_size_comes_back() {
    let (api, asked) = service(|number, params| {
        let size = params.iter().find(|(name, _)| name == "limit");
        let size = size.map_or(25, |(_, size)| size.parse().unwrap());
        match number {
            0 => (400, TOO_MUCH.to_owned()),
            _ => page(number * 100 + size, &format!(r#""next":"?after={number}""#)),
        }
    });
    let taken: Vec<String> = ids(api.my_media("").into_iter().take(20));
    let last_digits = taken.iter().map(|id| &id[id.len() - 2..]);
    let wanted = ["12"; 8].into_iter().chain(["24"; 8]).chain(["25"; 4]);
    assert!(last_digits.eq(wanted), "{taken:?}");
    assert!(text(&asked.lock().unwrap()[17]).starts_with("after="));
}

/// A page of which nothing can be read is one of these items if a link leads on, or if an item
/// has an id: then only that item is an error. Else the reply is something else.
#[test]
fn a_page_that_cannot_be_read_at_all() {
    const NEXT: &str = r#""next":"?after=a""#;
    const PREVIOUS: &str = r#""previous":"?before=b""#;
    for (item, paging, forwards, backwards) in [
        ("7", "", false, false),
        (r#"{"ID":"1"}"#, "", false, false),
        ("7", NEXT, true, false),
        ("7", PREVIOUS, false, true),
        (r#"{"ID":"1"}"#, NEXT, true, false),
        (r#"{"ID":"1"}"#, PREVIOUS, false, true),
        (r#"{"id":"1"}"#, "", true, true),
        (r#"{"id":1}"#, PREVIOUS, true, true),
        (r#"{"id":""}"#, "", false, false),
    ] {
        for (turn, is_item) in [(false, forwards), (true, backwards)] {
            let body = format!(r#"{{"data":[{item}],"paging":{{{paging}}}}}"#);
            let (api, _) = service(move |_, _| (200, body.clone()));
            let edge: Edge<Needs> = api.edge("me/media");
            let edge = if turn { edge.before("z") } else { edge };
            let error = edge.items().next().unwrap().unwrap_err();
            assert_eq!(
                error.is_unreadable_item(),
                is_item,
                "{item} {paging}: {error}"
            );
            assert_eq!(error.kind(), ErrorKind::Decode, "{item} {paging}: {error}");
        }
    }
}

/// An item with a field that none has.
#[derive(Debug, miniserde::Deserialize)]
struct Needs {
    #[allow(dead_code, reason = "read for its error")]
    missing: String,
}

/// However the page size was set and whatever else was: a page that is too much is halved, and
/// every request of it says the rest, too.
#[test]
fn smaller_pages_keep_every_other_parameter() {
    let rows: &[(Set, &[&str])] = &[
        (|e| e, &["", "12", "6", "3"]),
        (|e| e.page_size(8), &["8", "4", "2"]),
        (|e| e.param("limit", "8"), &["8", "4", "2"]),
        (|e| e.param("a", "1").page_size(8), &["8", "4", "2"]),
        (|e| e.page_size(8).param("a", "1"), &["8", "4", "2"]),
        (
            |e| e.param("limit", "8").param("a", "1").param("limits", "9"),
            &["8", "4", "2"],
        ),
        (|e| e.param("limit", "all").page_size(8), &["8", "4", "2"]),
        (
            |e| e.param("limit", "all").param("limit", "8"),
            &["8", "4", "2"],
        ),
        (|e| e.since(at(0)).until(at(9)).page_size(5), &["5", "2"]),
        (|e| e.param("fields", "owner,id").page_size(7), &["7", "3"]),
        (|e| e.page_size(4).after("0"), &["4", "2"]),
        (|e| e.page_size(3), &["3"]),
        (|e| e.page_size(1), &["1"]),
    ];
    for (row, (set, sizes)) in rows.iter().enumerate() {
        let (api, asked) = limited();
        let edge = set(api.my_media("id"));
        let wanted: Vec<String> = (0..20).map(|id| id.to_string()).collect();
        assert_eq!(ids(edge), wanted, "row {row}");
        let asked = asked.lock().unwrap();
        let limit = |params: &Params| {
            let limits = params.iter().filter(|(name, _)| name == "limit");
            let limits: Vec<&str> = limits.map(|(_, value)| value.as_str()).collect();
            assert!(limits.len() <= 1, "row {row}");
            limits.concat()
        };
        let first: Vec<String> = asked[..sizes.len()].iter().map(limit).collect();
        assert_eq!(first, *sizes, "row {row}");
        let rest = |params: &Params| {
            let varies = ["limit", "after"];
            let mut rest = params.clone();
            rest.retain(|(name, _)| !varies.contains(&name.as_str()));
            text(&rest)
        };
        for params in asked.iter() {
            assert_eq!(rest(params), rest(&asked[0]), "row {row}");
        }
    }
    // With `take`: no more than is left, and no fewer than are needed.
    for (count, sizes) in [
        (2, "2"),
        (3, "3"),
        (4, "4 2 2"),
        (7, "7 3 3 1"),
        (9, "9 4 2 2 2 2 1"),
        (20, "20 10 5 2 2 2 2 2 2 2 2 4 2 2"),
    ] {
        let (api, asked) = limited();
        assert_eq!(ids(api.my_media("id").take(count)).len(), count);
        let asked = asked.lock().unwrap();
        let limits = asked.iter().flatten().filter(|(name, _)| name == "limit");
        let limits: Vec<&str> = limits.map(|(_, value)| value.as_str()).collect();
        assert_eq!(limits.join(" "), sizes, "{count}");
    }
    // A limit that is not a number cannot be halved.
    for set in [|e: Edge<Media>| e, |e: Edge<Media>| e.param("a", "1")] {
        let (api, asked) = limited();
        let edge = set(api.my_media("id").param("limit", "25x"));
        for mut items in [edge.clone().items(), edge.take(5)] {
            assert!(items.next().unwrap().unwrap_err().is_too_much_data());
        }
        assert_eq!(asked.lock().unwrap().len(), 2);
    }
}

/// Both sides of the limit of 100 empty pages, at the start and after an item: each item begins
/// the count anew.
#[test]
fn items_come_after_99_empty_pages() {
    /// `full` says which pages have an item; the last page of `count` has no link.
    fn feed(count: usize, full: impl Fn(usize) -> bool + Send + Sync + 'static) -> Api {
        let answer = move |number: usize, _: &Params| {
            let item = format!(r#"{{"id":"{number}"}}"#);
            let data = if full(number) { item } else { String::new() };
            let next = match number + 1 < count {
                true => format!(
                    r#","paging":{{"next":"?after={number}","previous":"?before={number}"}}"#
                ),
                false => String::new(),
            };
            (200, format!(r#"{{"data":[{data}]{next}}}"#))
        };
        service(answer).0
    }
    let directions: [Set; 2] = [|edge| edge, |edge| edge.before("b")];
    for turn in directions {
        for (before, between, fits) in [
            (0, 99, true),
            (0, 100, false),
            (99, 0, true),
            (99, 99, true),
            (99, 100, false),
            (98, 99, true),
            (100, 0, false),
        ] {
            let second = before + 1 + between;
            let full = move |number| number == before || number == second;
            let name = format!("{before} and {between}");
            let outcome: Vec<_> = turn(feed(second + 1, full).my_media(""))
                .items()
                .map(|item| item.map(|media| media.id).map_err(|error| error.kind()))
                .collect();
            let mut wanted = Vec::new();
            if before < 100 {
                wanted.push(Ok(before.to_string()));
            }
            match fits {
                true => wanted.push(Ok(second.to_string())),
                false => wanted.push(Err(ErrorKind::Paging)),
            }
            assert_eq!(outcome, wanted, "{name}");
            // Page by page there is no such limit.
            let pages = turn(feed(second + 1, full).my_media("")).pages();
            let items: usize = pages.map(|page| page.unwrap().data.len()).sum();
            assert_eq!(items, 2, "{name}");
        }
    }
}

/// Every combination of what a link may lead on by, forwards and backwards: the next request
/// says exactly that, next to what was set and the link does not replace.
#[test]
fn every_combination_of_a_link() {
    const NAMES: [&str; 5] = ["since", "until", "__paging_token", "__previous", "offset"];
    let own_params: [&[&str]; 3] = [&[], &["since", "until"], &["offset", "since"]];
    for own in own_params {
        for backwards in [false, true] {
            for set in 1..1_u32 << NAMES.len() {
                let has = |at: usize| set >> at & 1 == 1;
                let of_link: Vec<&str> = (0..5).filter(|at| has(*at)).map(|at| NAMES[at]).collect();
                let query: Vec<String> = of_link.iter().map(|name| format!("{name}=9")).collect();
                let direction = if backwards { "previous" } else { "next" };
                let link = format!(
                    r#""{direction}":"https://h/x?access_token=T&{}&limit=3""#,
                    query.join("&")
                );
                let (api, asked) = service(move |number, _| match number {
                    0 => page(0, &link),
                    _ => page(1, ""),
                });
                let mut edge = api.my_media("id").page_size(7);
                for name in own {
                    edge = edge.param(*name, "1");
                }
                if backwards {
                    edge = edge.before("b");
                }
                let mut pages = edge.clone().pages();
                let first = pages.next().unwrap().unwrap();
                assert_eq!(
                    (first.has_next(), first.has_previous()),
                    (!backwards, backwards)
                );
                assert_eq!((first.next_cursor(), first.previous_cursor()), (None, None));
                assert!(pages.next().unwrap().is_ok() && pages.next().is_none());
                let asked = asked.lock().unwrap();
                let (first, second) = (&asked[0], &asked[1]);
                let mut wanted = vec!["fields=id".to_owned(), "limit=7".to_owned()];
                let kept = own.iter().filter(|name| !of_link.contains(name));
                wanted.extend(kept.map(|name| format!("{name}=1")));
                wanted.extend(query);
                assert_eq!(text(second), wanted.join(" "));
                assert_eq!(first.iter().any(|(name, _)| name == "before"), backwards);
            }
        }
    }
}

/// Of parameters that a link has twice, the first that says something is sent, once.
#[test]
fn of_two_equal_parameters_of_a_link_the_first_counts() {
    for (link, wanted) in [
        ("?until=5&until=6", "until=5"),
        ("?until=&until=6&until=7", "until=6"),
        ("?since=1&until=5&since=2", "since=1 until=5"),
        ("?offset=3&%6Fffset=4", "offset=3"),
        ("?after=A&after=B", "after=A"),
        ("?after=&after=B&until=5", "after=B"),
    ] {
        let (api, asked) = service(move |number, _| match number {
            0 => page(0, &format!(r#""next":"{link}""#)),
            _ => page(1, ""),
        });
        assert_eq!(ids(api.my_media("")), ["0", "1"], "{link}");
        assert_eq!(text(&asked.lock().unwrap()[1]), wanted, "{link}");
    }
}

/// A cursor that stands in the link alone, in both directions: the page says it, and the
/// iteration follows it.
#[test]
fn a_cursor_in_the_link_alone_leads_on() {
    for (paging, next, previous) in [
        (r#""next":"https://h/?after=A""#, Some("A"), None),
        (r#""previous":"https://h/?before=B""#, None, Some("B")),
        (
            r#""next":"?x=1&after=A&before=C","previous":"?after=D&before=B&x=1""#,
            Some("A"),
            Some("B"),
        ),
        (
            r#""cursors":{},"next":"?after=A","previous":"?before=B""#,
            Some("A"),
            Some("B"),
        ),
        (
            r#""cursors":{"after":null,"before":""},"next":"?after=A","previous":"?before=B""#,
            Some("A"),
            Some("B"),
        ),
        // The other end's cursor is not this one's.
        (
            r#""cursors":{"before":"b"},"next":"?after=A""#,
            Some("A"),
            None,
        ),
        (
            r#""cursors":{"after":"a"},"previous":"?before=B""#,
            None,
            Some("B"),
        ),
        // Of both, the cursor of the page counts.
        (
            r#""cursors":{"after":"a","before":"b"},"next":"?after=A","previous":"?before=B""#,
            Some("a"),
            Some("b"),
        ),
        // Without a link there is no page.
        (r#""cursors":{"after":"a","before":"b"}"#, None, None),
    ] {
        let turns: [(Set, &str, Option<&str>); 2] = [
            (|edge| edge, "after", next),
            (|edge| edge.before("z"), "before", previous),
        ];
        for (turn, name, cursor) in turns {
            let of_page = paging.to_owned();
            let (api, asked) = service(move |number, _| match number {
                0 => page(0, &of_page),
                _ => page(1, ""),
            });
            let edge = turn(api.my_media(""));
            let mut pages = edge.pages();
            let first = pages.next().unwrap().unwrap();
            assert_eq!(first.next_cursor(), next, "{paging}");
            assert_eq!(first.previous_cursor(), previous, "{paging}");
            assert_eq!(first.has_next(), next.is_some(), "{paging}");
            assert_eq!(first.has_previous(), previous.is_some(), "{paging}");
            assert_eq!(pages.count(), usize::from(cursor.is_some()), "{paging}");
            let second = asked.lock().unwrap().get(1).map(text);
            let wanted = cursor.map(|cursor| format!("{name}={cursor}"));
            assert_eq!(second, wanted, "{paging}");
        }
    }
}

/// The first page of `take` is as large as the edge's own limit allows.
#[test]
fn pages_of_take_are_as_large_as_each_edge_allows() {
    struct Empty(Mutex<String>);
    impl Transport for Empty {
        fn send(&self, request: &Request<'_>) -> Result<Response> {
            *self.0.lock().unwrap() = request.url.to_owned();
            Ok(Response::new(200, Vec::new(), &br#"{"data":[]}"#[..]))
        }
    }
    let empty = Arc::new(Empty(Mutex::default()));
    let api = Api::new("SECRET").with_transport(empty.clone());
    type Take = fn(&Api, usize);
    let limits: [(&str, u32, Take); 6] = [
        ("/me/media", 100, |api, n| {
            drop(api.my_media("").clone().take(n).next())
        }),
        ("/1/media", 100, |api, n| {
            drop(api.user_media("1", "").clone().take(n).next())
        }),
        ("/1/children", 100, |api, n| {
            drop(api.children("1", "").clone().take(n).next())
        }),
        ("/1/comments", 50, |api, n| {
            drop(api.comments("1", "").clone().take(n).next())
        }),
        ("/1/replies", 50, |api, n| {
            drop(api.replies("1", "").clone().take(n).next())
        }),
        ("/me/tags", 100, |api, n| {
            drop(api.edge::<Media>("me/tags").clone().take(n).next());
        }),
    ];
    for (path, most, take) in limits {
        for count in [1, most - 1, most, most + 1, u32::MAX] {
            take(&api, count as usize);
            let url = empty.0.lock().unwrap().clone();
            let wanted = format!("limit={}", count.min(most));
            assert!(url.contains(path), "{url}");
            assert!(
                url.split(['?', '&']).any(|pair| pair == wanted),
                "{path} {count}: {url}"
            );
        }
    }
}

/// Once all items were returned, the position is the same before and after the iteration says
/// what follows: the end, or an error. Nothing is returned twice from there.
#[test]
fn a_position_after_the_last_item() {
    for (first, second, wanted) in [
        ("", "", "v1&end"),
        (r#""next":"?after=a""#, "", "v1&end"),
        (r#""next":"?offset=1""#, "", "v1&end"),
        (r#""next":"?until=5""#, "", "v1&end"),
        (r#""next":"?page=2""#, "", "v1&start&item=0"),
        (
            r#""next":"?after=a""#,
            r#""next":"?page=2""#,
            "v1&after=a&item=1",
        ),
        (
            r#""next":"?offset=1""#,
            r#""next":"?page=2""#,
            "v1&next&offset=1&item=1",
        ),
    ] {
        let (api, _) = service(move |_, params| match params.is_empty() {
            true => page(0, first),
            false => page(1, second),
        });
        let count = if first.contains("page") || first.is_empty() {
            1
        } else {
            2
        };
        let mut items = api.my_media("").items();
        assert_eq!(ids(items.by_ref().take(count)).len(), count, "{first}");
        assert_eq!(items.position().to_string(), wanted, "{first} {second}");
        let last = items.next().map(|item| item.unwrap_err().kind());
        let is_end = wanted == "v1&end";
        assert_eq!(
            last,
            (!is_end).then_some(ErrorKind::Paging),
            "{first} {second}"
        );
        assert_eq!(items.position().to_string(), wanted, "{first} {second}");
        let mut rest = api.my_media("").resume(&items.position()).items();
        let last = rest.next().map(|item| item.unwrap_err().kind());
        assert_eq!(
            last,
            (!is_end).then_some(ErrorKind::Paging),
            "{first} {second}"
        );
    }
}

/// The last item before a page is known across empty pages, too.
#[test]
fn a_position_after_empty_pages() {
    let empty = |next: &str| {
        (
            200,
            format!(r#"{{"data":[],"paging":{{"next":"?after={next}"}}}}"#),
        )
    };
    let (api, _) = service(move |number, _| match number {
        0 => page(7, r#""next":"?after=a""#),
        1 => empty("b"),
        2 => empty("c"),
        _ => (400, r#"{"error":{"code":100}}"#.to_owned()),
    });
    let mut items = api.my_media("").items();
    assert_eq!(items.next().unwrap().unwrap().id, "7");
    assert!(items.next().unwrap().is_err());
    assert_eq!(items.position().to_string(), "v1&after=c&last=7");
}

/// The place to resume at is looked for once on each page, up to the end.
#[test]
fn a_lost_position_costs_a_request_per_page() {
    for pages in 1..4 {
        let (api, asked) = service(move |number, _| match number + 1 < pages {
            true => page(number, &format!(r#""next":"?after={number}""#)),
            false => page(number, ""),
        });
        let edge = api
            .my_media("")
            .resume(&"v1&after=z&item=99".parse().unwrap());
        let error = edge.items().next().unwrap().unwrap_err();
        assert!(error.is_position_lost(), "{error}");
        assert_eq!(asked.lock().unwrap().len(), pages);
    }
}
