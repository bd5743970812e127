//! Resuming an iteration at its position, while the list changes.

mod common;

use common::replay::{Received, TOKEN};
use common::{Server, json, param};
use mingram::{Api, Edge, ErrorKind, Media, Position, miniserde};
use proptest::prelude::*;
use std::io::Write;
use std::sync::{Arc, Mutex};

/// How a list leads from page to page.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Paging {
    /// By a cursor that points to an item, as the service's do.
    Cursor,
    Offset,
    /// By a time, which here is the item's own id.
    Time,
}

/// A list that changes, newest first, in pages of 4 unless asked otherwise.
#[derive(Clone)]
struct List(Arc<Mutex<Vec<usize>>>);

impl List {
    fn new(items: usize) -> List {
        List(Arc::new(Mutex::new((0..items).rev().collect())))
    }

    fn publish(&self, ids: impl IntoIterator<Item = usize>) {
        ids.into_iter()
            .for_each(|id| self.0.lock().unwrap().insert(0, id));
    }

    fn delete(&self, id: usize) {
        self.0.lock().unwrap().retain(|item| *item != id);
    }

    fn items(&self) -> Vec<usize> {
        self.0.lock().unwrap().clone()
    }

    fn serve(&self, paging: Paging) -> Server {
        let list = self.clone();
        Server::start(move |request, stream| {
            let page = list.page(request, paging);
            let reply = match page {
                Some(page) => json("200 OK", &page),
                None => json(
                    "400 Bad Request",
                    r#"{"error":{"message":"(#100) Invalid parameter","type":"OAuthException","code":100}}"#,
                ),
            };
            let _ = stream.write_all(reply.as_bytes());
        })
    }

    /// The page that is asked for; `None` if its cursor points to an item that is gone.
    fn page(&self, request: &Received, paging: Paging) -> Option<String> {
        let items = self.items();
        let number = |name| param(request, name).map(|text| text.parse::<usize>().unwrap());
        let index = |id: usize| items.iter().position(|item| *item == id);
        let limit = number("limit").unwrap_or(4);
        let (from, to) = match (number("after"), number("before")) {
            (Some(after), _) => (index(after)? + 1, usize::MAX),
            (_, Some(before)) => {
                let to = index(before)?;
                (to.saturating_sub(limit), to)
            }
            _ => match (number("offset"), number("until")) {
                (Some(offset), _) => (offset, usize::MAX),
                (_, Some(until)) => (items.iter().filter(|id| **id >= until).count(), usize::MAX),
                _ => (0, usize::MAX),
            },
        };
        let to = to.min(from.saturating_add(limit)).min(items.len());
        let page = &items[from.min(to)..to];
        let data: Vec<String> = page
            .iter()
            .map(|id| format!(r#"{{"id":"{id}"}}"#))
            .collect();
        let mut links = Vec::new();
        if let (Some(first), Some(last)) = (page.first(), page.last()) {
            let link = |name: &str, query: String| {
                format!(r#""{name}":"https://graph.facebook.com/x?access_token={TOKEN}&{query}""#)
            };
            if paging == Paging::Cursor {
                links.push(format!(
                    r#""cursors":{{"before":"{first}","after":"{last}"}}"#
                ));
                if from > 0 {
                    links.push(link("previous", format!("before={first}")));
                }
            }
            if to < items.len() {
                links.push(link(
                    "next",
                    match paging {
                        Paging::Cursor => format!("after={last}"),
                        Paging::Offset => format!("offset={to}"),
                        Paging::Time => format!("until={last}"),
                    },
                ));
            }
        }
        Some(format!(
            r#"{{"data":[{}],"paging":{{{}}}}}"#,
            data.join(","),
            links.join(",")
        ))
    }
}

fn ids(media: impl Iterator<Item = mingram::Result<Media>>) -> Vec<usize> {
    media
        .map(|media| media.unwrap().id.parse().unwrap())
        .collect()
}

/// The edge at a position that was stored as text.
fn resumed(api: &Api, position: &Position) -> Edge<Media> {
    let text = position.to_string();
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    let stored: Position = format!("{text}\n").parse().unwrap();
    assert_eq!(&stored, position);
    api.my_media("").resume(&stored)
}

#[test]
fn what_is_published_meanwhile_neither_hides_nor_repeats_an_item() {
    // By how much the list is longer: within the page, by a page, by many.
    for new in [1, 2, 3, 4, 5, 8, 100] {
        for paging in [Paging::Cursor, Paging::Offset, Paging::Time] {
            for stop in 0..=12 {
                let list = List::new(12);
                let server = list.serve(paging);
                let api = server.api();
                let mut items = api.my_media("").items();
                let mut all = ids(items.by_ref().take(stop));
                list.publish(100..100 + new);
                let rest = ids(resumed(&api, &items.position()).into_iter());
                let expected: Vec<usize> = match stop {
                    0 => list.items(),
                    _ => (0..12).rev().collect(),
                };
                all.extend(rest);
                assert_eq!(all, expected, "{paging:?}, {new} new, stopped after {stop}");
            }
        }
    }
}

/// The iteration that goes backwards is at the end of the list that grows.
#[test]
fn backwards_what_is_published_meanwhile_is_returned() {
    for stop in 0..=8 {
        let list = List::new(12);
        let server = list.serve(Paging::Cursor);
        let api = server.api();
        let mut items = api.my_media("").before("3").items();
        let mut all = ids(items.by_ref().take(stop));
        list.publish([12, 13]);
        list.delete(2);
        all.extend(ids(resumed(&api, &items.position()).into_iter()));
        let end = if stop == 8 { 12 } else { 14 };
        assert_eq!(all, (4..end).collect::<Vec<_>>(), "stopped after {stop}");
    }
}

#[test]
fn pages_are_resumed_too() {
    for stop in 0..=3 {
        let list = List::new(12);
        let server = list.serve(Paging::Cursor);
        let api = server.api();
        let mut pages = api.my_media("").pages();
        let page_ids = |page: mingram::Result<mingram::Page<Media>>| {
            ids(page.unwrap().data.into_iter().map(Ok))
        };
        let mut all: Vec<usize> = pages.by_ref().take(stop).flat_map(page_ids).collect();
        list.publish([12]);
        let rest = resumed(&api, &pages.position()).pages();
        all.extend(rest.flat_map(page_ids));
        let first = if stop == 0 { 13 } else { 12 };
        assert_eq!(
            all,
            (0..first).rev().collect::<Vec<_>>(),
            "stopped after {stop}"
        );
    }
    // In the middle of a page: a page of what is left of it.
    let list = List::new(12);
    let server = list.serve(Paging::Cursor);
    let api = server.api();
    let mut items = api.my_media("").items();
    assert_eq!(ids(items.by_ref().take(6)), [11, 10, 9, 8, 7, 6]);
    let mut pages = resumed(&api, &items.position()).pages();
    let page = pages.next().unwrap().unwrap();
    assert_eq!(ids(page.data.into_iter().map(Ok)), [5, 4]);
    assert_eq!(page.cursors.before.as_deref(), Some("7"));
    assert_eq!(
        ids(pages.flat_map(|page| page.unwrap().data).map(Ok)),
        [3, 2, 1, 0]
    );
}

#[test]
fn other_page_sizes_and_take_find_the_item_as_well() {
    let list = List::new(120);
    let server = list.serve(Paging::Cursor);
    let api = server.api();
    let mut items = api.my_media("").page_size(100).items();
    assert_eq!(
        ids(items.by_ref().take(70)),
        (50..120).rev().collect::<Vec<_>>()
    );
    let position = items.position();
    list.publish(120..125);
    for size in [1, 7, 100] {
        let rest = resumed(&api, &position).page_size(size);
        assert_eq!(ids(rest.into_iter()), (0..50).rev().collect::<Vec<_>>());
    }
    // `take` asks for pages as large as possible until the item is found, and then for
    // no more than it needs.
    let before = server.received().len();
    let mut items = resumed(&api, &position).take(30);
    assert_eq!(ids(items.by_ref()), (20..50).rev().collect::<Vec<_>>());
    let limits: Vec<_> = server.received()[before..]
        .iter()
        .map(|request| param(request, "limit").unwrap())
        .collect();
    assert_eq!(limits, ["100", "5"]);
    assert_eq!(
        ids(resumed(&api, &items.position()).take(100)),
        (0..20).rev().collect::<Vec<_>>()
    );
}

#[test]
fn the_end_is_resumed_to_nothing() {
    let list = List::new(5);
    let server = list.serve(Paging::Cursor);
    let api = server.api();
    let mut items = api.my_media("").items();
    assert_eq!(ids(items.by_ref()).len(), 5);
    let position = items.position();
    assert_eq!(position.to_string(), "v1&end");
    list.publish([9]);
    let before = server.received().len();
    let mut rest = resumed(&api, &position).items();
    assert!(rest.next().is_none() && rest.next().is_none());
    assert_eq!(rest.position(), position);
    assert!(resumed(&api, &position).pages().next().is_none());
    assert!(resumed(&api, &position).take(3).next().is_none());
    assert_eq!(server.received().len(), before);
    // The last item is the end as soon as it is returned, also of an empty list.
    let mut items = api.my_media("").items();
    assert_eq!(ids(items.by_ref().take(6)).len(), 6);
    assert_eq!(items.position().to_string(), "v1&end");
    let nothing = List::new(0).serve(Paging::Cursor);
    let mut items = nothing.api().my_media("").items();
    assert!(items.next().is_none());
    assert_eq!(items.position().to_string(), "v1&end");
}

#[test]
fn an_item_that_was_deleted_is_an_error() {
    let list = List::new(12);
    let server = list.serve(Paging::Cursor);
    let api = server.api();
    let mut items = api.my_media("").items();
    // Within a page: the item itself is looked for.
    assert_eq!(ids(items.by_ref().take(6)).len(), 6);
    let position = items.position();
    assert_eq!(position.to_string(), "v1&after=8&item=6");
    list.delete(6);
    let mut rest = resumed(&api, &position).items();
    let error = rest.next().unwrap().unwrap_err();
    assert!(error.is_position_lost() && !error.is_transient(), "{error}");
    assert_eq!(
        (error.kind(), error.call()),
        (ErrorKind::Paging, "GET /me/media")
    );
    let text = error.to_string();
    assert!(text.contains("the item 6 to resume after is not"), "{text}");
    assert!(
        text.ends_with("iterate from the beginning, and skip what you have"),
        "{text}"
    );
    assert!(rest.next().is_none());
    assert_eq!(rest.position().to_string(), "v1&after=3&item=6");
    // The one that the cursor points to: the service refuses it.
    list.publish([6]);
    list.delete(8);
    for edge in [
        resumed(&api, &position),
        api.my_media("").after("8"),
        api.my_media("").before("8"),
    ] {
        let mut rest = edge.items();
        let error = rest.next().unwrap().unwrap_err();
        assert!(error.is_position_lost(), "{error}");
        assert_eq!(error.api_error().unwrap().code, Some(100));
        assert!(
            error
                .to_string()
                .contains("Invalid parameter; the position is lost"),
            "{error}"
        );
        assert!(rest.next().is_none());
    }
}

/// The search for the item ends.
#[test]
fn the_search_is_bounded() {
    for (size, requests) in [(100, 10), (25, 40), (1, 1000)] {
        let list = List::new(3000);
        let server = list.serve(Paging::Cursor);
        let position: Position = "v1&start&item=x".parse().unwrap();
        let mut items = resumed(&server.api(), &position).page_size(size).items();
        assert!(items.next().unwrap().unwrap_err().is_position_lost());
        assert_eq!(server.received().len(), requests);
    }
    // Also over pages that are empty.
    let server = Server::start(|request, stream| {
        let after = param(request, "after").map_or(0, |after| after.parse::<u32>().unwrap());
        let page = format!(
            r#"{{"data":[],"paging":{{"next":"?after={}"}}}}"#,
            after + 1
        );
        let _ = stream.write_all(json("200 OK", &page).as_bytes());
    });
    let position: Position = "v1&start&item=x".parse().unwrap();
    let mut pages = resumed(&server.api(), &position).pages();
    assert!(pages.next().unwrap().unwrap_err().is_position_lost());
    assert_eq!(server.received().len(), 100);
}

/// Only what may be about the cursor is taken for a lost position.
#[test]
fn other_refusals_are_not_a_lost_position() {
    let refused = |code: &str, message: &str| {
        let body = format!(r#"{{"error":{{"message":"{message}","type":"T","code":{code}}}}}"#);
        Server::script([json("400 No", &body)])
    };
    let is_lost = |server: Server, edge: fn(Edge<Media>) -> Edge<Media>| {
        let edge = edge(server.api().my_media(""));
        edge.into_iter()
            .next()
            .unwrap()
            .unwrap_err()
            .is_position_lost()
    };
    let after = |edge: Edge<Media>| edge.after("c");
    assert!(is_lost(refused("100", "Invalid cursor"), after));
    assert!(is_lost(refused("100", "x"), |edge| {
        edge.resume(&"v1&next&until=5".parse().unwrap())
    }));
    assert!(!is_lost(refused("100", "Invalid cursor"), |edge| edge));
    for (code, message) in [
        ("190", "Invalid cursor"),
        ("4", "m"),
        ("2", "m"),
        ("100,\"error_subcode\":33", "no such object"),
        (
            "100",
            "Tried accessing nonexisting field (x) on node type (Media)",
        ),
        ("100", "Unsupported request - method type: get"),
    ] {
        assert!(!is_lost(refused(code, message), after), "{code} {message}");
    }
}

/// A failure while the item is looked for loses nothing either.
#[test]
fn a_search_that_fails_can_be_resumed() {
    let list = List::new(12);
    let fails = Arc::new(Mutex::new(false));
    let (served, failing) = (list.clone(), fails.clone());
    let server = Server::start(move |request, stream| {
        let reply = match *failing.lock().unwrap() && param(request, "after").is_some() {
            true => json("502 Bad Gateway", "{}"),
            false => json("200 OK", &served.page(request, Paging::Cursor).unwrap()),
        };
        let _ = stream.write_all(reply.as_bytes());
    });
    let api = server.api();
    let mut items = api.my_media("").items();
    assert_eq!(ids(items.by_ref().take(2)), [11, 10]);
    list.publish(20..30);
    *fails.lock().unwrap() = true;
    let mut rest = resumed(&api, &items.position()).items();
    assert!(rest.next().unwrap().is_err());
    let position = rest.position();
    assert_eq!(position.to_string(), "v1&after=26&item=10");
    *fails.lock().unwrap() = false;
    assert_eq!(
        ids(resumed(&api, &position).into_iter()),
        (0..10).rev().collect::<Vec<_>>()
    );
}

/// The id is the one that the service sends, whatever the items are read into.
#[test]
fn items_of_any_type_are_found() {
    #[derive(miniserde::Deserialize)]
    struct Own {
        n: u64,
    }
    fn numbers(items: impl Iterator<Item = mingram::Result<Own>>) -> Vec<u64> {
        items.map(|item| item.unwrap().n).collect()
    }
    let page = |items: &[(&str, u64)]| {
        let items: Vec<String> = items
            .iter()
            .map(|(id, n)| match id.is_empty() {
                true => format!(r#"{{"n":{n}}}"#),
                false => format!(r#"{{"x":{{"id":"y"}},"n":{n},"id":{id},"z":[{{"id":"z"}}]}}"#),
            })
            .collect();
        json(
            "200 OK",
            &format!(r#"{{"x":[{{"id":"9"}}],"data":[{}]}}"#, items.join(",")),
        )
    };
    for (first, taken, position, then, rest) in [
        // A number, a text with escapes, and any text.
        (
            vec![("7", 0), ("8", 1)],
            1,
            "v1&start&item=7",
            vec![("5", 9), ("7", 0), ("8", 1)],
            vec![1],
        ),
        (
            vec![(r#""\u0061&=\n""#, 0), ("8", 1)],
            1,
            "v1&start&item=a%26%3D%0A",
            vec![("8", 2), (r#""a&=\n""#, 0), ("8", 1)],
            vec![1],
        ),
        // The same id more than once.
        (
            vec![("7", 0), ("7", 1), ("8", 2)],
            2,
            "v1&start&item=7&nth=2",
            vec![("1", 9), ("7", 0), ("7", 1), ("8", 2)],
            vec![2],
        ),
        (
            vec![("7", 0), ("7", 1), ("8", 2)],
            2,
            "v1&start&item=7&nth=2",
            vec![("7", 1), ("8", 2)],
            vec![2],
        ),
        // Without an id: counted from the one before that has one.
        (
            vec![("", 0), ("", 1), ("", 2)],
            2,
            "v1&start&skip=2",
            vec![("", 0), ("", 1), ("", 2)],
            vec![2],
        ),
        (
            vec![("7", 0), ("", 1), ("", 2)],
            2,
            "v1&start&item=7&skip=1",
            vec![("1", 9), ("7", 0), ("", 1), ("", 2)],
            vec![2],
        ),
        (
            vec![("null", 0), ("[]", 1), (r#""""#, 2), ("4", 3)],
            3,
            "v1&start&skip=3",
            vec![("null", 0), ("[]", 1), (r#""""#, 2), ("4", 3)],
            vec![3],
        ),
        // One with an id is never skipped for one without.
        (
            vec![("", 0), ("7", 1)],
            1,
            "v1&start&skip=1",
            vec![("7", 1)],
            vec![1],
        ),
    ] {
        let server = Server::script([page(&first), page(&then)]);
        let api = server.api();
        let mut items = api.edge::<Own>("x").items();
        assert_eq!(numbers(items.by_ref().take(taken)).len(), taken);
        assert_eq!(items.position().to_string(), position);
        let edge = api.edge::<Own>("x").resume(&position.parse().unwrap());
        assert_eq!(numbers(edge.into_iter()), rest, "{position}");
    }
}

/// Also in pages of another size.
#[test]
fn items_without_an_id_are_counted_across_pages() {
    #[derive(miniserde::Deserialize)]
    struct Own {
        n: usize,
    }
    let server = Server::start(|request, stream| {
        let number = |name| param(request, name).map(|text| text.parse::<usize>().unwrap());
        let from = number("after").unwrap_or(0);
        let to = (from + number("limit").unwrap()).min(30);
        let data: Vec<String> = (from..to).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
        let next = if to < 30 {
            format!(r#""next":"?after={to}""#)
        } else {
            String::new()
        };
        let page = format!(r#"{{"data":[{}],"paging":{{{next}}}}}"#, data.join(","));
        let _ = stream.write_all(json("200 OK", &page).as_bytes());
    });
    let edge = |size| server.api().edge::<Own>("x").page_size(size);
    for (size, other) in [(20, 7), (7, 20), (20, 1), (10, 5)] {
        for stop in 0..=30 {
            let mut items = edge(size).items();
            assert_eq!(items.by_ref().take(stop).count(), stop);
            let mut rest = edge(other).resume(&items.position()).items();
            // Stopped once more, before all of the first page was passed.
            let mut all: Vec<usize> = rest.by_ref().take(1).map(|item| item.unwrap().n).collect();
            let rest = edge(size).resume(&rest.position());
            all.extend(rest.into_iter().map(|item| item.unwrap().n));
            assert_eq!(
                all,
                (stop..30).collect::<Vec<_>>(),
                "{size}, {other}, {stop}"
            );
        }
    }
}

/// `resume`, `after` and `before` replace each other, and the position is independent of
/// what it was taken from.
#[test]
fn the_last_of_two_starts_wins() {
    let list = List::new(12);
    let server = list.serve(Paging::Cursor);
    let position: Position = "v1&after=8&item=6".parse().unwrap();
    let edge = || server.api().my_media("");
    assert_eq!(ids(edge().after("3").resume(&position).take(1)), [5]);
    assert_eq!(ids(edge().resume(&position).after("3").take(1)), [2]);
    assert_eq!(
        ids(edge().resume(&position).param("before", "3").take(1)),
        [4]
    );
    let items = edge().resume(&position).items();
    assert_eq!(items.position(), position);
}

#[test]
fn texts_that_are_no_position_are_refused() {
    for text in [
        "",
        "v1",
        "v1&",
        "v2&start",
        "QVFIUmEx",
        "v1&start&",
        "v1&start&start",
        "v1&start=x",
        "v1&after",
        "v1&after=a=b",
        "v1&after=a b",
        "v1&after=a%2",
        "v1&after=a%2c",
        "v1&after=a+b",
        "v1&after=é",
        "v1&after=a&after=b",
        "v1&after=a&item",
        "v1&after=a&item=1&item=2",
        "v1&after=a&item=1&last=2",
        "v1&after=a&item=1&nth=1",
        "v1&after=a&item=1&nth=0",
        "v1&after=a&item=1&nth=x",
        "v1&after=a&skip=0",
        "v1&after=a&skip=-1",
        "v1&after=a&skip=99999999999999999999",
        "v1&after=a&skip=1&item=1",
        "v1&after=a&since=1",
        "v1&after=a&unknown=1",
        "v1&next",
        "v1&next&after=a",
        "v1&next&access_token=a",
        "v1&start\nv1&start",
        "V1&start",
        "v1&after=a&item=1&",
    ] {
        let error = text.parse::<Position>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(error.to_string().contains("is not a position"), "{error}");
    }
    for text in [
        "v1&start",
        " v1&end\r\n",
        "v1&after=&item=",
        "v1&next&until=5&offset=2&last=9",
    ] {
        let position: Position = text.parse().unwrap();
        assert_eq!(position.to_string(), text.trim());
    }
}

/// A link that was given as a cursor has the token in it.
#[test]
fn a_position_never_contains_the_token() {
    let link = format!("https://graph.instagram.com/me/media?access_token={TOKEN}&after=c");
    let server = Server::script([json(
        "200 OK",
        &format!(
            r#"{{"data":[{{"id":"{TOKEN}"}},{{"id":"2"}}],"paging":{{"next":"?after={TOKEN}"}}}}"#
        ),
    )]);
    let api = server.api();
    let mut items = api.my_media("").after(link).items();
    for _ in 0..3 {
        let position = items.position();
        for text in [
            position.to_string(),
            format!("{position:?}"),
            format!("{items:?}"),
        ] {
            assert_eq!(common::secrets::found(&text, &[TOKEN]), None, "{text}");
        }
        let _ = items.next();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Cursors and ids of any text come back as they were.
    #[test]
    fn any_position_reads_back(cursor in any::<String>(), id in any::<String>(), backwards: bool) {
        let data = serde_json::json!({"data": [{"id": id}, {"id": "z"}, {"id": "z"}]});
        let server = Server::script([json("200 OK", &data.to_string())]);
        let api = server.api();
        let edge = match backwards {
            true => api.my_media("").before(&cursor),
            false => api.my_media("").after(&cursor),
        };
        let mut items = edge.items();
        for _ in 0..3 {
            let rest = resumed(&api, &items.position()).items();
            prop_assert_eq!(rest.position(), items.position());
            prop_assert!(items.next().unwrap().is_ok());
        }
    }

    /// A list to which is added anywhere, and from which is deleted what was not returned
    /// last: resumed after every few items, it returns each that was there all the time,
    /// once, in order.
    #[test]
    fn each_item_once_while_the_list_changes(
        count in 1usize..40, size in 1u32..9, backwards: bool,
        stops in proptest::collection::vec((1usize..9, 0usize..6, any::<bool>()), 1..8),
    ) {
        let list = List::new(count);
        // Cursors must stay valid, so nothing is deleted that one points to.
        let server = list.serve(if backwards { Paging::Cursor } else { Paging::Time });
        let api = server.api();
        let (mut all, mut kept) = (Vec::new(), list.items());
        let mut edge = api.my_media("").page_size(size);
        if backwards {
            edge = edge.before("0");
            kept.pop();
            kept.reverse();
        }
        let mut next = count;
        for (stop, new, deletes) in stops {
            let mut items = edge.items();
            all.extend(ids(items.by_ref().take(stop)));
            let position = items.position();
            if position.to_string() == "v1&end" {
                edge = resumed(&api, &position);
                break;
            }
            if backwards {
                // They are ahead.
                kept.extend(next..next + new);
            }
            list.publish(next..next + new);
            next += new;
            let last = *all.last().unwrap();
            let victim = list.items().into_iter().find(|id| *id + 1 < last && *id != 0);
            if let (true, false, Some(victim)) = (deletes, backwards, victim) {
                list.delete(victim);
                kept.retain(|id| *id != victim);
            }
            edge = resumed(&api, &position).page_size(size);
        }
        all.extend(ids(edge.into_iter()));
        prop_assert_eq!(all, kept);
    }
}
