//! Items that are written in another way, and items that cannot be read.

mod common;

use common::{Server, json, param};
use mingram::comments::Comment;
use mingram::{Edge, Error, ErrorKind, Media, Page, Position, User, miniserde};
use std::fmt::Write as _;
use std::io::Write as _;

fn page(items: &str, paging: &str) -> String {
    json("200 OK", &format!(r#"{{"data":[{items}]{paging}}}"#))
}

const NEXT: &str =
    r#","paging":{"cursors":{"before":"b","after":"a"},"previous":"?before=b","next":"?after=a"}"#;

/// What an iteration gives, resumed after each item that cannot be read: ids, `!` for an
/// error, and how often it was resumed.
fn through(server: &Server, edge: &dyn Fn() -> Edge<Media>) -> (String, Vec<Error>) {
    let (mut found, mut errors) = (String::new(), Vec::new());
    let mut items = edge().items();
    for _ in 0..20 {
        for item in items.by_ref() {
            match item {
                Ok(media) => found += &media.id,
                Err(error) => {
                    found.push('!');
                    errors.push(error);
                }
            }
        }
        assert!(items.next().is_none(), "it goes on after an error");
        let position: Position = items.position().to_string().parse().unwrap();
        if position.to_string() == "v1&end" {
            return (found, errors);
        }
        items = edge().resume(&position).items();
    }
    panic!(
        "nothing gets past it: {found}, {} requests",
        server.received().len()
    );
}

/// A server that has these pages, the second after the cursor `a`.
fn two_pages(first: &str, second: &str) -> Server {
    let (first, second) = (page(first, NEXT), page(second, ""));
    Server::start(move |request, stream| {
        let is_second =
            param(request, "after").is_some() || param(request, "before").as_deref() == Some("b");
        let reply = if is_second { &second } else { &first };
        let _ = stream.write_all(reply.as_bytes());
    })
}

#[test]
fn numbers_and_nodes_in_other_shapes_are_read() {
    let media = |text: &str| {
        let server = Server::script([page(&format!(r#"{{"id":"1",{text}}}"#), "")]);
        let mut items = server.api().my_media("").items();
        let media = items.next().unwrap().unwrap();
        assert!(items.next().is_none());
        media
    };
    for (text, count) in [
        (r#""12""#, Some(12)),
        (r#"" 12 ""#, Some(12)),
        (r#""1.0""#, Some(1)),
        ("1.0", Some(1)),
        ("1.2e1", Some(12)),
        (r#""1.2E+1""#, Some(12)),
        ("120e-1", Some(12)),
        ("0.0", Some(0)),
        ("-0", Some(0)),
        ("-0.0", Some(0)),
        (r#""18446744073709551615""#, Some(u64::MAX)),
        ("1.8446744073709550e19", Some(18_446_744_073_709_549_568)),
        // No count.
        ("1.8446744073709552e19", None),
        (r#""18446744073709551616""#, None),
        ("-1", None),
        (r#""-1""#, None),
        ("1.5", None),
        (r#""0.5""#, None),
        ("1e999", None),
        ("null", None),
        (r#""""#, None),
        (r#"" ""#, None),
    ] {
        let media = media(&format!(r#""like_count":{text},"comments_count":3"#));
        assert_eq!(
            (media.like_count, media.comments_count),
            (count, Some(3)),
            "{text}"
        );
    }
    for (text, flag) in [
        ("true", Some(true)),
        (r#""true""#, Some(true)),
        (r#""False""#, Some(false)),
        ("1", Some(true)),
        ("0", Some(false)),
        (r#""1""#, Some(true)),
        ("1.0", Some(true)),
        ("null", None),
        (r#""""#, None),
    ] {
        let media = media(&format!(r#""is_comment_enabled":{text}"#));
        assert_eq!(media.is_comment_enabled, flag, "{text}");
    }
    for (text, id) in [
        (r#""17""#, Some("17")),
        ("17", Some("17")),
        (r#"{"id":"17"}"#, Some("17")),
        (r#"{"id":17.0}"#, Some("17")),
        ("17841405793187218", Some("17841405793187218")),
        ("[]", None),
        (r#""""#, None),
        ("false", None),
        ("null", None),
    ] {
        let owner = media(&format!(r#""owner":{text}"#)).owner;
        assert_eq!(owner.and_then(|owner| owner.id).as_deref(), id, "{text}");
    }
    for (text, children) in [
        ("[]", ""),
        ("{}", ""),
        (r#"{"data":[]}"#, ""),
        (r#"{"data":null}"#, ""),
        (r#""""#, ""),
        ("false", ""),
        ("null", ""),
        (r#"[{"id":"2"},{"id":3}]"#, "23"),
        (r#"{"data":[{"id":"2"}]}"#, "2"),
    ] {
        let media = media(&format!(r#""children":{text}"#));
        let ids: String = media
            .children
            .into_iter()
            .flatten()
            .map(|child| child.id)
            .collect();
        assert_eq!(ids, children, "{text}");
    }
    // An id that a float cannot hold exactly is none.
    for (id, is_read) in [
        ("9007199254740991.0", true),
        ("9007199254740993.0", false),
        ("1.7841405793187218e16", false),
    ] {
        let server = Server::script([json("200 OK", &format!(r#"{{"id":{id}}}"#))]);
        let media = server.api().media("1", "");
        let read = media.map(|media| media.id).ok();
        assert_eq!(
            read.as_deref(),
            is_read.then_some("9007199254740991"),
            "{id}"
        );
    }
}

#[test]
fn users_and_comments_too() {
    let read = |text: &str| miniserde::json::from_str::<User>(text).unwrap();
    let user = read(r#"{"id":"1","media_count":"11","followers_count":7.0,"media":[]}"#);
    assert_eq!(
        (user.media_count, user.followers_count),
        (Some(11), Some(7))
    );
    assert!(user.media.unwrap().data.is_empty());
    assert_eq!(read(r#"{"id":"1","media":{}}"#).media, None);
    let user = read(r#"{"id":"1","media":[{"id":"2"}]}"#);
    assert_eq!(user.media.unwrap().data[0].id, "2");
    let comment: Comment = miniserde::json::from_str(
        r#"{"id":"1","from":"5","user":6,"media":"7","like_count":"2","hidden":0,"replies":""}"#,
    )
    .unwrap();
    assert_eq!(comment.from.unwrap().id.as_deref(), Some("5"));
    assert_eq!(comment.user.unwrap().id.as_deref(), Some("6"));
    assert_eq!(comment.media.unwrap().id.as_deref(), Some("7"));
    assert_eq!(
        (comment.like_count, comment.hidden, comment.replies),
        (Some(2), Some(false), None)
    );
}

/// What no field can hold. Each is an error for its item, and nothing else is.
const UNREADABLE: [&str; 16] = [
    "null",
    "7",
    r#""x""#,
    "true",
    "[]",
    "{}",
    r#"{"id":null}"#,
    r#"{"id":[]}"#,
    r#"{"id":"9","like_count":"many"}"#,
    r#"{"id":"9","like_count":[]}"#,
    r#"{"id":"9","caption":{"a":[{"id":"3"}]}}"#,
    r#"{"caption":true,"id":9}"#,
    r#"{"id":"9","owner":["x"]}"#,
    r#"{"id":"9","children":{"data":[{"id":"5"},{"caption":"x"}]}}"#,
    r#"{"id":"9","children":["x"]}"#,
    r#"{"id":"9","is_comment_enabled":"perhaps"}"#,
];

#[test]
fn an_item_that_cannot_be_read_is_an_error_for_that_item() {
    for bad in UNREADABLE {
        for (first, second, wanted) in [
            (
                format!(r#"{{"id":"1"}},{bad},{{"id":"2"}}"#),
                r#"{"id":"3"}"#.to_owned(),
                "1!23",
            ),
            (bad.to_owned(), r#"{"id":"3"}"#.to_owned(), "!3"),
            (
                r#"{"id":"1"}"#.to_owned(),
                format!(r#"{bad},{{"id":"2"}}"#),
                "1!2",
            ),
            (
                r#"{"id":"1"}"#.to_owned(),
                format!(r#"{{"id":"2"}},{bad}"#),
                "12!",
            ),
            (
                format!("{bad},{bad}"),
                format!(r#"{{"id":"2"}},{bad},{bad}"#),
                "!!2!!",
            ),
        ] {
            let server = two_pages(&first, &second);
            let (found, errors) = through(&server, &|| server.api().my_media(""));
            assert_eq!(found, wanted, "{bad}");
            for error in errors {
                assert_eq!(
                    (error.kind(), error.call()),
                    (ErrorKind::Decode, "GET /me/media")
                );
                assert!(
                    error.is_unreadable_item() && !error.is_position_lost(),
                    "{error}"
                );
                assert!(!error.is_transient());
                assert!(error.to_string().contains("(data["), "{error}");
            }
        }
    }
}

#[test]
fn it_is_one_backwards_too() {
    for bad in UNREADABLE {
        let first = page(&format!(r#"{bad},{{"id":"1"}},{bad}"#), "");
        let second = page(&format!(r#"{{"id":"2"}},{bad},{bad},{{"id":"3"}}"#), NEXT);
        let server = Server::start(move |request, stream| {
            let reply = match param(request, "before").as_deref() {
                Some("end") => &second,
                _ => &first,
            };
            let _ = stream.write_all(reply.as_bytes());
        });
        let (found, errors) = through(&server, &|| server.api().my_media("").before("end"));
        assert_eq!((found.as_str(), errors.len()), ("3!!2!1!", 4), "{bad}");
    }
}

/// Where it stands, and what the error says.
#[test]
fn the_error_names_the_item_and_the_field() {
    let items = r#"{"id":"1"},{"id":"9","children":{"data":[{"id":"5"},{"id":"6","caption":[]}]}},{"id":"2"}"#;
    let server = Server::script([page(items, NEXT)]);
    let mut items = server.api().my_media("").items();
    assert_eq!(items.next().unwrap().unwrap().id, "1");
    assert_eq!(items.position().to_string(), "v1&start&item=1");
    let error = items.next().unwrap().unwrap_err();
    let (_, what) = error
        .to_string()
        .split_once(" at byte ")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert!(
        what.contains(
            "(data[1].children.data[1].caption): expected string or number, unexpected array: "
        ),
        "{what}"
    );
    assert_eq!(items.position().to_string(), "v1&start&item=9");
    assert!(items.next().is_none());
    assert_eq!(server.received().len(), 1);
}

#[test]
fn pages_give_the_items_before_it_and_then_the_error() {
    let bad = r#"{"id":"9","caption":[]}"#;
    let items = format!(r#"{{"id":"1"}},{{"id":"2"}},{bad},{{"id":"3"}},null"#);
    let server = Server::script([
        page(&items, NEXT),
        page(&items, NEXT),
        page(&items, NEXT),
        page(r#"{"id":"4"}"#, ""),
    ]);
    let mut edge = server.api().my_media("");
    let mut found = Vec::new();
    loop {
        let mut pages = edge.pages();
        for page in pages.by_ref() {
            found.push(match page {
                Ok(page) => page.data.iter().map(|media| media.id.as_str()).collect(),
                Err(error) => {
                    assert!(error.is_unreadable_item());
                    "!".to_owned()
                }
            });
        }
        assert!(pages.next().is_none());
        let position = pages.position();
        if position.to_string() == "v1&end" {
            break;
        }
        edge = server.api().my_media("").resume(&position);
    }
    // The last page is a page of its own, after what was left of the one before: nothing.
    assert_eq!(found, ["12", "!", "3", "!", "", "4"]);
}

/// What is wrong with more than one item is wrong with the page.
#[test]
fn other_faults_are_of_the_page() {
    let many = |bad: usize| vec![r#"{"id":"9","caption":[]}"#; bad].join(",");
    for (reply, is_item) in [
        (page(&format!(r#"{{"id":"1"}},{}"#, many(100)), ""), true),
        (page(&format!(r#"{{"id":"1"}},{}"#, many(101)), ""), false),
        (page(r#"{"id":"1"},{"id":"2","caption":[}"#, ""), false),
        (page(r#"{"id":"1"},{"id":"2","caption":[]"#, ""), false),
        (
            page(r#"{"id":"1"},{"id":"2","caption":{"a":tru}}"#, ""),
            false,
        ),
        (
            page(r#"{"id":"1"},{"caption":[]}"#, r#","paging":{"next":7}"#),
            false,
        ),
        (
            page(r#"{"id":"1"},{"caption":[]}"#, r#","paging":{"cursors":7}"#),
            false,
        ),
        (
            page(
                &format!(r#"{{"id":"1"}},{}{}"#, "[".repeat(200), "]".repeat(200)),
                "",
            ),
            false,
        ),
        // Nothing shows that this is a page of media, or where it leads to.
        (page(r#"{"id":[]}"#, ""), false),
        (page("null,null", ""), false),
        (
            page("null", r#","paging":{"cursors":{"after":"a"}}"#),
            false,
        ),
    ] {
        let server = Server::script([reply]);
        let mut items = server.api().my_media("").items();
        let first = items.next().unwrap();
        let error = if is_item {
            assert_eq!(first.unwrap().id, "1");
            items.next().unwrap().unwrap_err()
        } else {
            let error = first.unwrap_err();
            assert_eq!(items.position().to_string(), "v1&start");
            error
        };
        assert_eq!(error.is_unreadable_item(), is_item, "{error}");
        assert_eq!(error.kind(), ErrorKind::Decode);
    }
    // An error of the service goes first, wherever it is.
    let error = r#","error":{"message":"m","code":4}"#;
    for reply in [
        page("null", error),
        page(r#"{"id":"1"},{"caption":[]}"#, error),
    ] {
        let server = Server::script([reply]);
        let error = server
            .api()
            .my_media("")
            .items()
            .next()
            .unwrap()
            .unwrap_err();
        assert!(error.is_rate_limited(), "{error}");
    }
}

/// Types of one's own: what was read of a refused item never gets into the list.
#[test]
fn own_types_and_lists_of_lists() {
    #[derive(Debug, miniserde::Deserialize)]
    struct Own {
        n: u64,
        list: Option<Vec<u8>>,
    }
    let server = Server::script([page(
        r#"{"n":1,"id":"a"},{"n":2,"list":[1,"x"],"id":"b"},{"n":3}"#,
        r#","x":[{"id":"y"}],"data2":[null]"#,
    )]);
    let mut items = server.api().edge::<Own>("x").items();
    let one = items.next().unwrap().unwrap();
    assert_eq!((one.n, one.list), (1, None));
    let error = items.next().unwrap().unwrap_err();
    assert!(error.to_string().contains("(data[1].list[1])"), "{error}");
    let rest = server.api().edge::<Own>("x").resume(&items.position());
    let rest: Vec<u64> = rest.into_iter().map(|item| item.unwrap().n).collect();
    assert_eq!(rest, [3]);
    // Pages as items, which have pages in them.
    let server = Server::script([page(
        r#"{"data":[{"id":"1"}]},{"data":[null]},{"data":[]}"#,
        "",
    )]);
    let mut items = server.api().edge::<Page<Media>>("x").items();
    assert_eq!(items.next().unwrap().unwrap().data[0].id, "1");
    let error = items.next().unwrap().unwrap_err();
    assert!(error.to_string().contains("(data[1].data[0])"), "{error}");
    // The last of duplicate keys counts, with its own errors and ids.
    let double = r#"{"data":[null,{"id":"1"}],"data":[{"id":"2"},{"id":"3"}]}"#;
    let server = Server::script([json("200 OK", double)]);
    let mut items = server.api().my_media("").items();
    assert_eq!(items.next().unwrap().unwrap().id, "2");
    assert_eq!(items.position().to_string(), "v1&start&item=2");
    assert_eq!(items.count(), 1);
}

/// Each item is read with another field of another type: every good one is returned.
#[test]
fn one_page_of_every_kind() {
    let mut items = String::new();
    for (i, bad) in UNREADABLE.iter().enumerate() {
        let _ = write!(items, r#"{{"id":"{}"}},{bad},"#, i + 100);
    }
    let server = Server::script([page(&format!(r#"{items}{{"id":"999"}}"#), "")]);
    let (found, errors) = through(&server, &|| server.api().my_media(""));
    let mut wanted: String = (0..UNREADABLE.len())
        .map(|i| format!("{}!", i + 100))
        .collect();
    wanted += "999";
    assert_eq!((found, errors.len()), (wanted, UNREADABLE.len()));
    // One resumption for each, and no item twice.
    assert_eq!(server.received().len(), UNREADABLE.len() + 1);
}
