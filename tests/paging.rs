//! Edges: how many requests, in which order, and where it ends.

mod common;

use common::replay::TOKEN;
use common::{Server, TestClock, feed_page, feed_server, json, param};
use mingram::insights::Insight;
use mingram::{Edge, ErrorKind, Media, MediaField as M};
use std::time::{Duration, UNIX_EPOCH};

fn ids(media: impl Iterator<Item = mingram::Result<Media>>) -> Vec<usize> {
    media
        .map(|media| media.unwrap().id.parse().unwrap())
        .collect()
}

#[test]
fn as_many_requests_as_pages() {
    for (items, limit, requests) in [
        (250, 100, 3),
        (250, 25, 10),
        (200, 100, 2),
        (100, 100, 1),
        (1, 100, 1),
        (0, 25, 1),
    ] {
        let server = feed_server(items, 25);
        assert_eq!(
            ids(server.api().my_media("").page_size(limit).into_iter()),
            (0..items).collect::<Vec<_>>()
        );
        assert_eq!(server.received().len(), requests, "{items} by {limit}");
    }
}

/// What `collect` reserves memory by: never less than what comes, errors included.
#[test]
fn the_number_of_items_to_come_is_known_at_most() {
    let server = feed_server(12, 5);
    let api = server.api();
    assert_eq!(api.my_media("").items().size_hint(), (0, None));
    assert_eq!(api.my_media("").pages().size_hint(), (0, None));
    for count in [0, 1, 7, 12, 40, usize::MAX] {
        let mut items = api.my_media("").page_size(5).take(count);
        for passed in 0..count.min(12) {
            assert_eq!(items.size_hint(), (0, Some(count - passed)));
            assert!(items.next().unwrap().is_ok());
        }
        assert!(items.next().is_none() && items.next().is_none());
    }
    let server = Server::script([
        json("200 OK", &feed_page(0, 2, 9)),
        json(
            "400 Bad Request",
            r#"{"error":{"message":"m","code":1000}}"#,
        ),
    ]);
    let mut items = server.api().my_media("").take(3);
    for _ in 0..2 {
        assert!(items.next().unwrap().is_ok());
    }
    assert_eq!(items.size_hint(), (0, Some(1)));
    assert!(items.next().unwrap().is_err());
    assert!(items.next().is_none() && items.next().is_none());
}

#[test]
fn nothing_is_asked_for_before_it_is_needed() {
    let server = feed_server(250, 25);
    let api = server.api();
    let edge = api.my_media([M::Id]);
    let mut items = edge.clone().page_size(100).items();
    let mut pages = edge.pages();
    assert_eq!(server.received().len(), 0);
    assert!(items.next().unwrap().is_ok());
    assert_eq!(server.received().len(), 1);
    assert_eq!(ids(items.by_ref().take(99)).len(), 99);
    assert_eq!(
        server.received().len(),
        1,
        "the hundredth item is on the first page"
    );
    assert!(items.next().unwrap().is_ok());
    assert_eq!(server.received().len(), 2);
    assert!(pages.next().unwrap().is_ok());
    assert_eq!(server.received().len(), 3);
}

#[test]
fn a_count_that_is_reached_exactly_costs_no_further_request() {
    let server = feed_server(250, 25);
    let media = server
        .api()
        .my_media("")
        .page_size(100)
        .into_iter()
        .take(100);
    assert_eq!(ids(media).len(), 100);
    assert_eq!(server.received().len(), 1);
}

#[test]
fn without_a_limit_none_is_sent() {
    let server = feed_server(30, 25);
    assert_eq!(ids(server.api().my_media("").into_iter()).len(), 30);
    let received = server.received();
    assert_eq!(
        received[0].target,
        format!("/me/media?access_token={TOKEN}")
    );
    assert_eq!(
        received[1].target,
        format!("/me/media?after=c25&access_token={TOKEN}")
    );
}

#[test]
fn the_servers_link_is_never_followed() {
    // feed_server's links name another host; every request came here, and in
    // the form that the first one had.
    let server = feed_server(60, 25);
    let edge = server
        .api()
        .with_version("v25.0")
        .user_media("7", [M::Id, M::Caption])
        .page_size(20)
        .since(UNIX_EPOCH + Duration::from_secs(1))
        .until(UNIX_EPOCH + Duration::from_secs(2));
    assert_eq!(ids(edge.into_iter()).len(), 60);
    for (i, request) in server.received().iter().enumerate() {
        let after = if i == 0 {
            String::new()
        } else {
            format!("&after=c{}", i * 20)
        };
        let wanted = format!(
            "/v25.0/7/media?fields=id,caption&limit=20&since=1&until=2{after}&access_token={TOKEN}"
        );
        assert_eq!(request.target, wanted);
    }
}

#[test]
fn backwards() {
    let server = feed_server(60, 25);
    let edge = server.api().my_media("").page_size(20).before("c50");
    // Nearest to the cursor first.
    assert_eq!(
        ids(edge.clone().into_iter()),
        (0..50).rev().collect::<Vec<_>>()
    );
    assert_eq!(server.received().len(), 3);
    let pages: Vec<Vec<usize>> = edge
        .pages()
        .map(|page| ids(page.unwrap().data.into_iter().map(Ok)))
        .collect();
    assert_eq!(
        pages,
        [
            (30..50).collect::<Vec<_>>(),
            (10..30).collect(),
            (0..10).collect()
        ]
    );
    // The last of the two wins.
    assert_eq!(
        ids(server
            .api()
            .my_media("")
            .before("c5")
            .after("c57")
            .into_iter()),
        [57, 58, 59]
    );
}

#[test]
fn an_empty_page_in_the_middle_is_passed_over() {
    let pages = [feed_page(0, 2, 4), feed_page(2, 2, 4), feed_page(2, 4, 4)];
    let pages = [
        pages[0].clone(),
        pages[1].replace("c2", "cx"),
        pages[2].clone(),
    ];
    let server = Server::script(pages.iter().map(|page| json("200 OK", page)));
    assert_eq!(ids(server.api().my_media("").into_iter()), [0, 1, 2, 3]);
    assert_eq!(server.received().len(), 3);
    let server = Server::script(pages.iter().map(|page| json("200 OK", page)));
    let lengths: Vec<usize> = server
        .api()
        .my_media("")
        .pages()
        .map(|page| page.unwrap().data.len())
        .collect();
    assert_eq!(lengths, [2, 0, 2]);
}

#[test]
fn empty_pages_without_end_are_an_error() {
    let server = Server::start(|request, stream| {
        let n = param(request, "after").map_or(0, |cursor| cursor.parse::<u32>().unwrap());
        let page = format!(
            r#"{{"data":[],"paging":{{"cursors":{{"after":"{}"}},"next":"https://x/"}}}}"#,
            n + 1
        );
        let _ = std::io::Write::write_all(stream, json("200 OK", &page).as_bytes());
    });
    let mut items = server.api().my_media("").items();
    let error = items.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Paging);
    assert!(items.next().is_none());
    assert_eq!(server.received().len(), 100);
}

/// A hundred empty pages and then the end are a feed without items, no fault.
#[test]
fn the_last_of_a_hundred_empty_pages_is_the_end() {
    let mut pages: Vec<String> = (1..100)
        .map(|n| {
            format!(r#"{{"data":[],"paging":{{"cursors":{{"after":"{n}"}},"next":"https://x/"}}}}"#)
        })
        .collect();
    pages.push(r#"{"data":[]}"#.to_owned());
    let server = Server::script(pages.iter().map(|page| json("200 OK", page)));
    assert_eq!(ids(server.api().my_media("").into_iter()), []);
    assert_eq!(server.received().len(), 100);
}

#[test]
fn a_page_whose_cursor_repeats_is_an_error_instead_of_a_page() {
    for repeats in [1, 3] {
        let mut pages: Vec<String> = (0..repeats)
            .map(|i| feed_page(i * 2, i * 2 + 2, 100))
            .collect();
        // Points back to the first page's end.
        pages.push(
            feed_page(repeats * 2, repeats * 2 + 2, 100)
                .replace(&format!("c{}", repeats * 2 + 2), "c2"),
        );
        let server = Server::script(pages.iter().map(|page| json("200 OK", page)));
        let mut items = server.api().my_media("").items();
        let good: Vec<usize> = ids(items.by_ref().take(repeats * 2));
        assert_eq!(good, (0..repeats * 2).collect::<Vec<_>>());
        let error = items.next().unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.call()),
            (ErrorKind::Paging, "GET /me/media")
        );
        assert!(items.next().is_none() && items.next().is_none());
        assert_eq!(server.received().len(), repeats + 1);
        // Resumes at the page that was not returned.
        let position = format!("v1&after=c{0}&last={1}", repeats * 2, repeats * 2 - 1);
        assert_eq!(items.position().to_string(), position);
    }
}

#[test]
fn a_next_without_a_cursor() {
    let link = |query: &str| {
        format!(
            r#"{{"data":[{{"id":"0"}}],"paging":{{"next":"https:\/\/graph.facebook.com\/x?access_token=T{query}"}}}}"#
        )
    };
    // The link itself holds one.
    let server = Server::script([
        json("200 OK", &link(r"&after=a\u00253Db")),
        json("200 OK", &feed_page(1, 2, 2)),
    ]);
    assert_eq!(ids(server.api().my_media("").into_iter()), [0, 1]);
    assert_eq!(
        param(&server.received()[1], "after").as_deref(),
        Some("a=b")
    );
    // Also where the cursor itself is empty.
    let empty = link("&after=c").replace(r#""next""#, r#""cursors":{"after":""},"next""#);
    let server = Server::script([json("200 OK", &empty), json("200 OK", &feed_page(1, 2, 2))]);
    assert_eq!(ids(server.api().my_media("").into_iter()), [0, 1]);
    assert_eq!(param(&server.received()[1], "after").as_deref(), Some("c"));
    // Nor does the link: the item comes, then the error.
    let server = Server::script([json("200 OK", &link("&limit=5"))]);
    let mut items = server.api().my_media("").items();
    assert!(items.next().unwrap().is_ok());
    assert_eq!(items.next().unwrap().unwrap_err().kind(), ErrorKind::Paging);
    assert!(items.next().is_none());
}

#[test]
fn cursors_without_a_next_are_the_end() {
    let page = r#"{"data":[{"id":"0"}],"paging":{"cursors":{"before":"b","after":"a"}}}"#;
    let server = Server::script([json("200 OK", page)]);
    assert_eq!(ids(server.api().my_media("").into_iter()), [0]);
    assert_eq!(server.received().len(), 1);
}

#[test]
fn after_an_error_it_ends_and_says_where_to_go_on() {
    let broken = json(
        "400 Bad Request",
        r#"{"error":{"message":"no","type":"T","code":100}}"#,
    );
    let server = Server::script([
        json("200 OK", &feed_page(0, 2, 6)),
        broken,
        json("200 OK", &feed_page(2, 6, 6)),
    ]);
    let api = server.api();
    let mut items = api.my_media("").items();
    assert_eq!(ids(items.by_ref().take(2)), [0, 1]);
    assert!(items.next().unwrap().is_err());
    // So this ends, too.
    assert_eq!(items.by_ref().filter_map(Result::ok).count(), 0);
    assert_eq!(server.received().len(), 2);
    let position = items.position();
    assert_eq!(position.to_string(), "v1&after=c2&last=1");
    let rest = api.my_media("").resume(&position);
    assert_eq!(ids(rest.into_iter()), [2, 3, 4, 5]);
}

#[test]
fn stopped_anywhere_the_rest_comes_from_the_position() {
    let server = feed_server(7, 3);
    let api = server.api();
    for stop in 0..=7 {
        let mut items = api.my_media("").items();
        let first = ids(items.by_ref().take(stop));
        let rest = ids(api.my_media("").resume(&items.position()).into_iter());
        assert_eq!(
            [first, rest].concat(),
            (0..7).collect::<Vec<_>>(),
            "stopped after {stop}"
        );
    }
}

#[test]
fn a_bad_id_is_refused_without_a_request() {
    let server = feed_server(1, 1);
    for id in ["", ".", ".."] {
        let mut pages = server.api().user_media(id, "").pages();
        assert_eq!(
            pages.next().unwrap().unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert!(pages.next().is_none());
    }
    assert!(server.received().is_empty());
}

#[test]
fn the_usage_of_a_page_is_on_the_page() {
    let body = feed_page(0, 1, 1);
    let headers = [(
        "X-App-Usage",
        r#"{"call_count":7,"total_time":1,"total_cputime":2}"#,
    )];
    let server = Server::script([common::reply("200 OK", &headers, &body)]);
    let api = server.api();
    let page = api.my_media("").pages().next().unwrap().unwrap();
    assert_eq!(page.usage.app.unwrap().call_count, 7);
    assert_eq!(api.clone().usage(), page.usage);
}

#[test]
fn a_cursor_given_as_a_parameter_is_sent_once() {
    let server = feed_server(60, 25);
    let edge = server
        .api()
        .my_media("")
        .page_size(20)
        .param("after", "c10");
    assert_eq!(ids(edge.into_iter()), (10..60).collect::<Vec<_>>());
    for request in server.received() {
        assert_eq!(request.target.matches("after=").count(), 1);
    }
}

#[test]
fn fields_given_as_a_parameter_take_the_place_of_the_others() {
    let server = feed_server(60, 25);
    let edge = server.api().my_media(M::BASIC).param("fields", "id,owner");
    assert_eq!(ids(edge.into_iter()).len(), 60);
    for request in server.received() {
        assert!(request.target.starts_with("/me/media?fields=id,owner&"));
        assert_eq!(request.target.matches("fields=").count(), 1);
    }
}

fn limits(server: &Server) -> Vec<Option<String>> {
    let received = server.received();
    received
        .iter()
        .map(|request| param(request, "limit"))
        .collect()
}

#[test]
fn take_requests_no_more_than_it_needs() {
    for (items, count, page_size, wanted) in [
        (250, 30, None, vec!["30"]),
        (250, 100, None, vec!["100"]),
        (250, 101, None, vec!["100", "1"]),
        (250, 230, None, vec!["100", "100", "30"]),
        (20, 30, None, vec!["30"]),
        (250, 30, Some(10), vec!["10", "10", "10"]),
        (250, 25, Some(10), vec!["10", "10", "5"]),
        (250, 30, Some(100), vec!["30"]),
        (250, usize::MAX, None, vec!["100", "100", "100"]),
    ] {
        let server = feed_server(items, 25);
        let mut edge = server.api().my_media("");
        if let Some(size) = page_size {
            edge = edge.page_size(size);
        }
        let taken = ids(edge.take(count));
        assert_eq!(taken, (0..items.min(count)).collect::<Vec<_>>());
        let limits: Vec<_> = limits(&server).into_iter().flatten().collect();
        assert_eq!(limits, wanted, "{count} of {items}");
    }
}

/// Also where the service made a page smaller, or refuses large ones.
#[test]
fn the_last_page_of_take_is_as_small_as_what_is_left() {
    let server = limited_server(60, |_| 8, TOO_MUCH);
    assert_eq!(
        ids(server.api().my_media("").take(20)),
        (0..20).collect::<Vec<_>>()
    );
    let asked: Vec<_> = limits(&server).into_iter().flatten().collect();
    assert_eq!(asked, ["20", "10", "5", "5", "5", "5"]);
    // An item that is counted is one that was returned.
    let page = |ids: &str, after: &str| {
        let page = format!(r#"{{"data":[{ids}],"paging":{{"next":"?after={after}"}}}}"#);
        json("200 OK", &page)
    };
    let server = Server::script([
        page(r#"{"id":"0"}"#, "a"),
        page(r#"{"id":"1"},{"id":"2"}"#, "b"),
    ]);
    assert_eq!(ids(server.api().my_media("").take(3)), [0, 1, 2]);
    assert_eq!(limits(&server), [Some("3".into()), Some("2".into())]);
}

#[test]
fn the_last_of_two_limits_wins() {
    let server = feed_server(60, 25);
    let edge = || server.api().my_media("");
    for (edge, wanted) in [
        (edge().param("limit", "7").page_size(5), "5"),
        (edge().page_size(5).param("limit", "7"), "7"),
        (edge().param("limit", "all").page_size(5), "5"),
        (edge().page_size(5).param("limit", "all"), "all"),
        (edge().param("limit", "7").param("limit", "5"), "5"),
        (edge().param("limit", "all").param("limit", "5"), "5"),
        (
            edge().param("limit", "5").param("limit", "99999999999"),
            "99999999999",
        ),
    ] {
        let before = server.received().len();
        let _ = edge.clone().items().next();
        // A limit of one's own is not replaced by `take` either.
        let _ = edge.take(3).next();
        let received = &server.received()[before..];
        let small = if wanted.parse::<u32>().is_ok() {
            "3"
        } else {
            wanted
        };
        for (request, wanted) in received.iter().zip([wanted, small]) {
            assert_eq!(param(request, "limit").as_deref(), Some(wanted));
            assert_eq!(request.target.matches("limit=").count(), 1);
        }
        assert_eq!(received.len(), 2);
    }
}

#[test]
fn a_page_size_of_0_is_refused() {
    let server = feed_server(60, 25);
    let edge = || server.api().my_media("");
    for edge in [
        edge().page_size(0),
        edge().param("limit", "0"),
        edge().page_size(5).page_size(0),
    ] {
        let mut items = edge.clone().items();
        let error = items.next().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("page size is 0"), "{error}");
        assert!(items.next().is_none());
        let kind = |result: Option<mingram::Result<Media>>| result.unwrap().unwrap_err().kind();
        assert_eq!(kind(edge.clone().take(5).next()), ErrorKind::InvalidInput);
        assert!(edge.clone().take(0).next().is_none());
        assert!(edge.pages().next().unwrap().is_err());
    }
    assert!(server.received().is_empty());
    assert_eq!(ids(edge().page_size(0).page_size(30).into_iter()).len(), 60);
}

#[test]
fn take_none_requests_nothing() {
    let server = feed_server(250, 25);
    assert!(server.api().my_media("").take(0).next().is_none());
    assert!(server.received().is_empty());
}

/// `take` counts items, so that a program can resume after them.
#[test]
fn take_can_be_resumed() {
    let server = feed_server(250, 25);
    let api = server.api();
    let mut first = api.my_media("").page_size(100).take(130);
    let mut all = ids(first.by_ref());
    assert!(first.next().is_none());
    let position = first.position();
    assert_eq!(
        (all.len(), position.to_string().as_str()),
        (130, "v1&after=c130&last=129")
    );
    let rest = api.my_media("").page_size(100);
    all.extend(ids(rest.resume(&position).into_iter()));
    assert_eq!(all, (0..250).collect::<Vec<_>>());
}

/// A server that ignores the cursor: the first page again and again.
#[test]
fn a_first_page_that_repeats_is_returned_once() {
    let server = Server::script([json("200 OK", &feed_page(0, 3, 9))]);
    let mut items = server.api().my_media("").items();
    assert_eq!(ids(items.by_ref().take(3)), [0, 1, 2]);
    assert_eq!(items.next().unwrap().unwrap_err().kind(), ErrorKind::Paging);
    assert!(items.next().is_none());
    assert_eq!(server.received().len(), 2);
    // Also from a cursor that was given.
    let mut pages = server.api().my_media("").after("c3").pages();
    assert_eq!(pages.next().unwrap().unwrap_err().kind(), ErrorKind::Paging);
    assert!(pages.next().is_none());
    assert_eq!(pages.position().to_string(), "v1&after=c3");
}

/// Pages with cursors and no links, as `tags` has.
fn without_links(page: String) -> String {
    match page
        .split_once(r#"},"previous""#)
        .or(page.split_once(r#"},"next""#))
    {
        Some((start, _)) => format!("{start}}}}}}}"),
        None => page,
    }
}

#[test]
fn an_edge_without_links_is_paged_by_cursor_if_told_to() {
    let (replay, api) = common::replay();
    let tags = || {
        let tags = api.edge::<Media>("me/tags").page_size(2);
        tags.param("fields", "id,username")
    };
    let all: Vec<String> = tags()
        .page_by_cursor()
        .clone()
        .into_iter()
        .map(|media| media.unwrap().id)
        .collect();
    let [one, two, three] = [41, 42, 43].map(|n| format!("179000000000000{n}"));
    assert_eq!(all, [one, two, three]);
    assert_eq!(replay.received().len(), 3);
    // An exact number of items costs no further request, and neither does the default.
    assert_eq!(tags().page_by_cursor().take(3).count(), 3);
    assert_eq!(replay.received().len(), 5);
    assert_eq!(tags().into_iter().count(), 2);
    assert_eq!(replay.received().len(), 6);
}

#[test]
fn paging_by_cursor_ends() {
    let page = |ids: &str, paging: &str| {
        let data: Vec<String> = ids
            .chars()
            .map(|id| format!(r#"{{"id":"{id}"}}"#))
            .collect();
        let data = data.join(",");
        json(
            "200 OK",
            &format!(r#"{{"data":[{data}],"paging":{paging}}}"#),
        )
    };
    let after = |cursor: &str| format!(r#"{{"cursors":{{"before":"b","after":"{cursor}"}}}}"#);
    for (pages, items, requests, error) in [
        // At the first empty page, whatever cursors it has.
        (
            vec![page("01", &after("a")), page("", &after("a"))],
            2,
            2,
            false,
        ),
        (
            vec![page("", &after("a")), page("0", &after("b"))],
            0,
            1,
            false,
        ),
        // At a page without a cursor.
        (vec![page("01", "{}")], 2, 1, false),
        (vec![page("01", &after(""))], 2, 1, false),
        // An empty page with a link is not the last one.
        (
            vec![
                page("0", &after("a")),
                page("", r#"{"cursors":{"after":"b"},"next":"https://x/"}"#),
                page("1", &after("c")),
                page("", "{}"),
            ],
            2,
            4,
            false,
        ),
        // A cursor that repeats.
        (
            vec![page("01", &after("a")), page("23", &after("a"))],
            2,
            2,
            true,
        ),
    ] {
        let server = Server::script(pages);
        let mut reading = server.api().my_media("").page_by_cursor().items();
        assert_eq!(ids(reading.by_ref().take(items)).len(), items);
        let last = reading.next().map(|item| item.unwrap_err().kind());
        assert_eq!(last, error.then_some(ErrorKind::Paging));
        assert!(reading.next().is_none());
        assert_eq!(server.received().len(), requests);
    }
}

#[test]
fn paging_by_cursor_goes_backwards_too() {
    let server = Server::start(|request, stream| {
        let before: usize = param(request, "before").unwrap()[1..].parse().unwrap();
        let page = feed_page(before.saturating_sub(2), before, 9);
        let _ = std::io::Write::write_all(stream, json("200 OK", &without_links(page)).as_bytes());
    });
    let edge = server.api().my_media("").before("c5").page_by_cursor();
    assert_eq!(ids(edge.into_iter()), [4, 3, 2, 1, 0]);
    assert_eq!(server.received().len(), 4);
    assert_eq!(
        param(&server.received()[1], "before").as_deref(),
        Some("c3")
    );
}

/// A page of one item, with this `paging`.
fn paged(id: usize, paging: &str) -> String {
    json(
        "200 OK",
        &format!(r#"{{"data":[{{"id":"{id}"}}],"paging":{{{paging}}}}}"#),
    )
}

/// What a request asks for by time or offset.
fn times(request: &common::replay::Received) -> String {
    let names = [
        "since",
        "until",
        "__paging_token",
        "__previous",
        "offset",
        "after",
    ];
    let text = |name: &&str| Some(format!("{name}={}", param(request, name)?));
    names.iter().filter_map(text).collect::<Vec<_>>().join(" ")
}

/// Links with times and without a cursor, as Basic Display sent them for a range.
#[test]
fn links_by_time_are_followed_with_their_own_parameters() {
    let link = |rest: &str| {
        format!(
            r#""next":"https:\/\/graph.facebook.com\/v1.0\/9\/media?access_token={TOKEN}&pretty=0&fields=x&limit=1&{rest}""#
        )
    };
    let server = Server::script([
        paged(0, &link("since=100&until=190&__paging_token=enc_a%3D%26")),
        paged(1, &link("until=180&__paging_token=enc_b")),
        // Empty, and not the end.
        json(
            "200 OK",
            &format!(
                r#"{{"data":[],"paging":{{{}}}}}"#,
                link("since=100&until=170")
            ),
        ),
        paged(2, ""),
    ]);
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let edge = server.api().my_media([M::Id]).since(at(100)).until(at(200));
    let mut items = edge.clone().page_size(7).items();
    assert_eq!(ids(items.by_ref()), [0, 1, 2]);
    assert!(items.next().is_none());
    let received = server.received();
    let asked: Vec<String> = received.iter().map(times).collect();
    assert_eq!(
        asked,
        [
            "since=100 until=200",
            "since=100 until=190 __paging_token=enc_a=&",
            // What the link does not say stays as it was set.
            "since=100 until=180 __paging_token=enc_b",
            "since=100 until=170",
        ]
    );
    for request in &received {
        assert!(
            request.target.starts_with("/me/media?fields=id&limit=7&"),
            "{}",
            request.target
        );
        for name in ["since=", "until=", "access_token=", "limit=", "fields="] {
            assert_eq!(
                request.target.matches(name).count(),
                1,
                "{}",
                request.target
            );
        }
        assert!(!request.target.contains("pretty"));
    }
}

/// One link after another: the items, what the second request asked for by it, or the
/// error.
#[test]
fn every_kind_of_link() {
    const NOT_KNOWN: &str = "sent no cursor, time or offset";
    const AGAIN: &str = "sent the same cursor again, or the same times";
    for (paging, wanted) in [
        // By time: both ends or one, in any order, relative, encoded, with a fragment.
        (
            r#""next":"https://h/x?since=1&until=2""#,
            Ok("since=1 until=2"),
        ),
        (
            r#""next":"https://h/x?until=2&since=1""#,
            Ok("since=1 until=2"),
        ),
        (r#""next":"https://h/x?since=1""#, Ok("since=1")),
        (r#""next":"https://h/x?until=2#x""#, Ok("until=2")),
        (r#""next":"https://h/x?%75ntil=%32""#, Ok("until=2")),
        (r#""next":"/me/media?until=2""#, Ok("until=2")),
        (r#""next":"?until=2""#, Ok("until=2")),
        (
            r#""next":"https://h/x?since=&until=2&until=3""#,
            Ok("until=2"),
        ),
        (
            r#""next":"https://h/x?__paging_token=t""#,
            Ok("__paging_token=t"),
        ),
        (
            r#""next":"https://h/x?since=2017-08-31T18:10:00%2B0000""#,
            Ok("since=2017-08-31T18:10:00+0000"),
        ),
        // By offset.
        (
            r#""next":"https://h/x?limit=25&offset=25""#,
            Ok("offset=25"),
        ),
        // A cursor goes first, wherever it is.
        (
            r#""next":"https://h/x?since=1&until=2&after=c""#,
            Ok("after=c"),
        ),
        (
            r#""cursors":{"after":"d"},"next":"https://h/x?since=1&until=2&after=c""#,
            Ok("after=d"),
        ),
        (
            r#""cursors":{"after":""},"next":"https://h/x?since=1&after=""#,
            Ok("since=1"),
        ),
        (
            r#""cursors":{"before":"b"},"next":"https://h/x?since=1&before=b""#,
            Ok("since=1"),
        ),
        (
            r#""cursors":[],"next":"https://h/x?until=2""#,
            Ok("until=2"),
        ),
        // Not understood.
        (r#""next":"https://h/x""#, Err(NOT_KNOWN)),
        (r#""next":"https://h/x?""#, Err(NOT_KNOWN)),
        (r#""next":" ""#, Err(NOT_KNOWN)),
        (r#""next":"x""#, Err(NOT_KNOWN)),
        (r#""next":"https://h/x?page=2&limit=25""#, Err(NOT_KNOWN)),
        (r#""next":"https://h/x?before=b""#, Err(NOT_KNOWN)),
        (r#""next":"https://h/x#since=1""#, Err(NOT_KNOWN)),
        (r#""next":"https://h/x?xsince=1&Until=2""#, Err(NOT_KNOWN)),
        // The request that was just made.
        (r#""next":"https://h/x?until=9""#, Err(AGAIN)),
        // No link.
        (r#""next":"""#, Ok("")),
        (r#""next":null"#, Ok("")),
        (r#""previous":"https://h/x?since=1&until=2""#, Ok("")),
        (r#""cursors":{"after":"c"}"#, Ok("")),
    ] {
        let server = Server::script([paged(0, paging), paged(1, "")]);
        // What is set and not in the link is sent as well: not looked at here.
        let edge = server.api().my_media("");
        let edge = if wanted == Err(AGAIN) {
            edge.param("until", "9")
        } else {
            edge
        };
        let mut items = edge.items();
        let first = items.next().unwrap();
        let error = match wanted {
            Ok(times_asked) => {
                assert_eq!(first.unwrap().id, "0");
                let rest = items.next().map(|item| item.unwrap().id);
                assert_eq!(
                    rest,
                    (!times_asked.is_empty()).then(|| "1".to_owned()),
                    "{paging}"
                );
                let asked: Vec<String> = server.received()[1..].iter().map(times).collect();
                assert_eq!(asked.concat(), times_asked, "{paging}");
                assert!(items.next().is_none());
                continue;
            }
            // Before its page is returned.
            Err(AGAIN) => first.unwrap_err(),
            Err(_) => items.next().unwrap().unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Paging, "{paging}");
        assert!(
            error.to_string().contains(wanted.unwrap_err()),
            "{paging}: {error}"
        );
        assert!(items.next().is_none());
        assert_eq!(server.received().len(), 1, "{paging}");
    }
}

/// A link to times that were asked for before is an error before its page is returned.
#[test]
fn times_that_repeat_are_an_error_instead_of_a_page() {
    let until = |n: u32| format!(r#""next":"https://h/?until={n}&__paging_token=t""#);
    let server = Server::script([
        paged(0, &until(9)),
        paged(1, &until(8)),
        paged(2, &until(9)),
    ]);
    let mut items = server.api().my_media("").items();
    assert_eq!(ids(items.by_ref().take(2)), [0, 1]);
    let error = items.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Paging);
    assert!(items.next().is_none());
    assert_eq!(server.received().len(), 3);
    let position = items.position().to_string();
    assert_eq!(position, "v1&next&until=8&__paging_token=t&last=1");
}

#[test]
fn times_lead_backwards_too() {
    let link =
        |rest: &str| format!(r#""previous":"https://h/?{rest}","next":"https://h/?until=1""#);
    let server = Server::script([
        paged(2, &link("since=5&__paging_token=t&__previous=1")),
        paged(1, &link("since=6&__previous=1")),
        paged(0, r#""next":"https://h/?until=1""#),
    ]);
    let edge = server.api().my_media("").before("c");
    let mut items = edge.items();
    assert_eq!(ids(items.by_ref().take(2)), [2, 1]);
    let position = items.position();
    assert_eq!(
        position.to_string(),
        "v1&previous&since=6&__previous=1&last=1"
    );
    let rest = server.api().my_media("").resume(&position);
    assert_eq!(ids(rest.into_iter()), [0]);
    let asked: Vec<String> = server.received().iter().map(times).collect();
    let wanted = [
        "",
        "since=5 __paging_token=t __previous=1",
        "since=6 __previous=1",
    ];
    assert_eq!(asked, wanted);
}

/// The links of insights lead to other times, with values for the same metrics.
#[test]
fn insights_can_be_walked_through_by_time() {
    let (replay, api) = common::replay();
    let insights: Edge<Insight> = api.edge("me/insights");
    let insights = [
        ("metric", "reach"),
        ("period", "day"),
        ("metric_type", "time_series"),
        ("since", "1795305600"),
        ("until", "1795478400"),
    ]
    .into_iter()
    .fold(insights, |edge, (name, value)| edge.param(name, value));
    let mut pages = insights.pages();
    let page = pages.next().unwrap().unwrap();
    assert!(page.has_next() && page.has_previous());
    assert_eq!((page.next_cursor(), page.previous_cursor()), (None, None));
    // Not recorded.
    assert!(pages.next().unwrap().is_err());
    let asked: Vec<String> = replay.received().iter().map(times).collect();
    let wanted = [
        "since=1795305600 until=1795478400",
        "since=1795478401 until=1795651201",
    ];
    assert_eq!(asked, wanted);
}

/// A server that refuses pages of more than `most(position)` items.
fn limited_server(items: usize, most: fn(usize) -> usize, body: &'static str) -> Server {
    Server::start(move |request, stream| {
        let number = |name: &str| {
            param(request, name).map(|value| value.trim_start_matches('c').parse().unwrap())
        };
        let (limit, after) = (number("limit").unwrap_or(25), number("after").unwrap_or(0));
        let to = items.min(after + limit);
        let reply = match limit > most(after) {
            true => json("500 Internal Server Error", body),
            false => json("200 OK", &feed_page(after, to, items)),
        };
        let _ = std::io::Write::write_all(stream, reply.as_bytes());
    })
}

const TOO_MUCH: &str = r#"{"error":{"message":"Please reduce the amount of data you're asking for, then retry your request","type":"OAuthException","code":1}}"#;
const TOLD_THE_USER: &str = r#"{"error":{"message":"An unknown error has occurred.","type":"OAuthException","code":1,"error_user_msg":"Please reduce the amount of data you're asking for","is_transient":true}}"#;

#[test]
fn too_much_data_is_asked_for_in_smaller_pages() {
    for body in [TOO_MUCH, TOLD_THE_USER] {
        let server = limited_server(250, |_| 30, body);
        let clock = TestClock::new(0);
        let api = server.api().with_retries(2).with_clock(clock.clone());
        let media = ids(api.my_media("").page_size(100).into_iter());
        assert_eq!(media, (0..250).collect::<Vec<_>>());
        // The same cursor with half the size, and the size that worked from then on.
        // After eight pages it is doubled: that fails at item 200.
        let received = server.received();
        let asked: Vec<_> = received
            .iter()
            .map(|request| (param(request, "after"), param(request, "limit").unwrap()))
            .collect();
        let after = |n: usize| (n > 0).then(|| format!("c{n}"));
        let mut wanted = vec![(None, "100".to_owned()), (None, "50".to_owned())];
        wanted.extend((0..8).map(|page| (after(page * 25), "25".to_owned())));
        wanted
            .extend([(200, "50"), (200, "25"), (225, "25")].map(|(n, l)| (after(n), l.to_owned())));
        assert_eq!(asked, wanted);
        assert!(clock.slept().is_empty(), "not retried as it was");
    }
}

#[test]
fn without_a_page_size_half_of_the_default_is_asked_for() {
    let server = limited_server(30, |_| 7, TOO_MUCH);
    assert_eq!(ids(server.api().my_media("").into_iter()).len(), 30);
    let limits = limits(&server);
    assert_eq!(limits[0], None);
    let sizes: Vec<_> = limits[1..4].iter().flatten().map(String::as_str).collect();
    assert_eq!(sizes, ["12", "6", "6"]);
}

/// One item that is heavy does not make all later pages small.
#[test]
fn page_sizes_grow_again() {
    let server = limited_server(300, |after| if after == 0 { 1 } else { 100 }, TOO_MUCH);
    let media = ids(server.api().my_media("").page_size(16).into_iter());
    assert_eq!(media, (0..300).collect::<Vec<_>>());
    // 16, 8, 4, 2, then eight pages each of 1, 2, 4 and 8, and the rest by 16.
    let requests = 4 + 4 * 8 + (300_usize - 8 * (1 + 2 + 4 + 8)).div_ceil(16);
    assert_eq!(server.received().len(), requests);
    assert_eq!(limits(&server).last().unwrap().as_deref(), Some("16"));
}

#[test]
fn too_much_data_in_one_item_is_an_error() {
    let server = limited_server(10, |after| if after < 4 { 4 } else { 0 }, TOO_MUCH);
    let api = server.api().with_retries(2).with_clock(TestClock::new(0));
    let mut items = api.my_media("").page_size(4).items();
    assert_eq!(ids(items.by_ref().take(4)), [0, 1, 2, 3]);
    let error = items.next().unwrap().unwrap_err();
    assert!(error.is_too_much_data() && !error.is_transient(), "{error}");
    assert!(items.next().is_none());
    assert_eq!(items.position().to_string(), "v1&after=c4&last=3");
    let asked: Vec<_> = limits(&server).into_iter().flatten().collect();
    assert_eq!(asked, ["4", "4", "2", "1"]);
    // A limit that is no number cannot be halved.
    let server = Server::script([json("500 Internal Server Error", TOO_MUCH)]);
    let edge = server.api().my_media("").param("limit", "all");
    let error = edge.into_iter().next().unwrap().unwrap_err();
    assert!(error.is_too_much_data());
    assert_eq!(server.received().len(), 1);
}

#[test]
fn smaller_pages_can_be_resumed_and_go_backwards() {
    let server = limited_server(40, |_| 3, TOO_MUCH);
    let api = server.api();
    for stop in 0..=40 {
        let mut items = api.my_media("").page_size(9).items();
        let first = ids(items.by_ref().take(stop));
        let edge = api.my_media("").page_size(20);
        let rest = ids(edge.resume(&items.position()).into_iter());
        assert_eq!([first, rest].concat(), (0..40).collect::<Vec<_>>());
    }
    let server = Server::start(|request, stream| {
        let limit: usize = param(request, "limit").unwrap().parse().unwrap();
        let before: usize = param(request, "before").unwrap()[1..].parse().unwrap();
        let reply = match limit > 3 {
            true => json("500 Internal Server Error", TOO_MUCH),
            false => json(
                "200 OK",
                &feed_page(before.saturating_sub(limit), before, 40),
            ),
        };
        let _ = std::io::Write::write_all(stream, reply.as_bytes());
    });
    let edge = server.api().my_media("").page_size(10).before("c20");
    assert_eq!(ids(edge.into_iter()), (0..20).rev().collect::<Vec<_>>());
}
