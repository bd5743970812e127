//! Every call of Meta's guide *Getting User Profiles and User Media*, and the
//! sample it answers with, over a real socket through the default transport.

mod common;

use common::replay;
use common::replay::TOKEN;
use mingram::{MediaField as M, MediaType, UserField as U};

/// The request line the server read, as the guide writes it.
fn asked(replay: &common::replay::Replay) -> String {
    let last = replay.received().pop().unwrap();
    format!("{} {}", last.method, last.target).replace(TOKEN, "{access-token}")
}

#[test]
fn a_users_profile() {
    let (replay, api) = replay();
    let me = api.me([U::Id, U::Username]).unwrap();
    assert_eq!(
        asked(&replay),
        "GET /me?fields=id,username&access_token={access-token}"
    );
    assert_eq!(
        (me.id.as_str(), me.username.as_deref()),
        ("17841405793187218", Some("jayposiris"))
    );
}

#[test]
fn a_users_profile_without_fields_is_its_id() {
    let (replay, api) = replay();
    let me = api.me("").unwrap();
    assert_eq!(asked(&replay), "GET /me?access_token={access-token}");
    assert_eq!((me.id.as_str(), me.username), ("17841405793187218", None));
}

#[test]
fn a_users_media() {
    let (replay, api) = replay();
    let page = api
        .my_media([M::Id, M::Caption])
        .pages()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(
        asked(&replay),
        "GET /me/media?fields=id,caption&access_token={access-token}"
    );
    let ids: Vec<&str> = page.data.iter().map(|media| media.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "17895695668004550",
            "17899305451014820",
            "17896450804038745",
            "17881042411086627"
        ]
    );
    assert!(
        page.data
            .iter()
            .all(|media| media.caption.as_deref() == Some(""))
    );
    assert_eq!(page.cursors.after.as_deref(), Some("MTAxNDM2"));
    assert_eq!(page.cursors.before.as_deref(), Some("NDMyNzQy"));
    assert!(page.has_next() && !page.has_previous());
}

#[test]
fn a_users_media_to_the_end() {
    // The sample's `next` names graph.facebook.com; the request does not.
    let (replay, api) = replay();
    let media = api
        .my_media([M::Id, M::Caption])
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    assert_eq!(media.len(), 4);
    assert_eq!(
        asked(&replay),
        "GET /me/media?fields=id,caption&after=MTAxNDM2&access_token={access-token}"
    );
    assert_eq!(replay.received().len(), 2);
}

#[test]
fn a_users_media_without_fields_are_ids() {
    let (replay, api) = replay();
    let media = api
        .my_media("")
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    assert_eq!(asked(&replay), "GET /me/media?access_token={access-token}");
    assert_eq!(media.len(), 4);
}

#[test]
fn media_data() {
    let (replay, api) = replay();
    let fields = [M::Id, M::MediaType, M::MediaUrl, M::Username, M::Timestamp];
    let media = api.media("17895695668004550", fields).unwrap();
    assert_eq!(
        asked(&replay),
        "GET /17895695668004550?fields=id,media_type,media_url,username,timestamp&access_token={access-token}"
    );
    assert_eq!(media.id, "17895695668004550");
    assert_eq!(media.media_type, Some(MediaType::Image));
    assert!(
        media
            .media_url
            .unwrap()
            .starts_with("https://fb-s-b-a.akamaihd.net/")
    );
    assert_eq!(media.username.as_deref(), Some("jayposiris"));
    assert_eq!(media.timestamp.as_deref(), Some("2017-08-31T18:10:00+0000"));
}

#[test]
fn album_contents() {
    let (replay, api) = replay();
    let page = api
        .children("17896450804038745", "")
        .pages()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(
        asked(&replay),
        "GET /17896450804038745/children?access_token={access-token}"
    );
    let ids: Vec<&str> = page.data.iter().map(|media| media.id.as_str()).collect();
    assert_eq!(ids, ["17880997618081620", "17871527143187462"]);
    assert!(page.has_next() && page.has_previous());
    assert_eq!(page.previous_cursor(), Some("NDMyNzQy"));
    let all = api.children("17896450804038745", "").into_iter().count();
    assert_eq!(all, 2);
}
