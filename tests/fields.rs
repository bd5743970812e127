//! Lists of fields: what calls accept, what is sent, and a list without a field that the
//! service refuses.

mod common;

use common::{Server, json, param};
use mingram::comments::CommentField as C;
use mingram::{Api, Edge, Error, ErrorKind, Fields, Media, MediaField as M, User, UserField as U};
use std::io::Write as _;

#[test]
fn calls_take_whatever_lists_fields() {
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(json("200 OK", r#"{"id":"1","data":[]}"#).as_bytes());
    });
    let api = server.api();
    let name = String::from("alt_text");
    let list = Fields::from("id");
    let users: [&dyn Fn() -> mingram::Result<User>; 9] = [
        &|| api.me(""),
        &|| api.me([U::Id]),
        &|| api.me([U::Id, U::Name]),
        &|| api.me(vec![U::Name]),
        &|| api.me(U::BASIC),
        &|| api.me(U::Name),
        &|| api.user("1", "id, name"),
        &|| api.user("1", Fields::default()),
        &|| api.user("1", ["id", "new"]),
    ];
    let edges: [&dyn Fn() -> Edge<Media>; 8] = [
        &|| api.my_media(M::WITH_CHILDREN),
        &|| api.my_media("id,caption,children{media_url}"),
        &|| api.my_media(&list),
        &|| api.my_media(list.with(&name, "")),
        &|| api.user_media("1", &name),
        &|| api.children("1", M::CHILD),
        &|| api.my_stories(vec![name.clone(), "media.limit(3){id}".to_owned()]),
        &|| api.edge("1/tags").param("fields", " id , username"),
    ];
    for call in users {
        call().unwrap();
    }
    for edge in edges {
        assert_eq!(edge().into_iter().count(), 0);
    }
    assert_eq!(api.comments("1", [C::Id, C::Text]).into_iter().count(), 0);
    let received = server.received();
    let sent: Vec<_> = received.iter().map(|r| param(r, "fields")).collect();
    let wanted = [
        "",
        "id",
        "id,name",
        "name",
        "id,username,account_type,media_count",
        "name",
        "id,name",
        "",
        "id,new",
        "id,caption,media_type,media_url,permalink,thumbnail_url,timestamp,username,\
         children{id,media_type,media_url,permalink,thumbnail_url,timestamp,username}",
        "id,caption,children{media_url}",
        "id",
        "id,alt_text",
        "alt_text",
        "id,media_type,media_url,permalink,thumbnail_url,timestamp,username",
        "alt_text,media.limit(3){id}",
        "id,username",
        "id,text",
    ];
    // An empty list is not sent at all.
    let wanted = wanted.map(|list| Some(list.to_owned()).filter(|list| !list.is_empty()));
    assert_eq!(sent, wanted);
}

#[test]
fn a_list_that_is_none_is_an_error_and_nothing_is_sent() {
    let server = Server::start(|_, _| {});
    let api = server.api();
    for bad in [
        "id,",
        "children{id",
        "id}",
        "id,&access_token=x",
        "id\0",
        ".limit(1)",
    ] {
        let calls = [
            api.me(bad).map(drop),
            api.media("1", M::WITH_CHILDREN.with(M::Children, bad))
                .map(drop),
            api.my_media(bad).pages().next().unwrap().map(drop),
            api.edge::<Media>("1/x")
                .param("fields", bad)
                .items()
                .next()
                .unwrap()
                .map(drop),
            bad.parse::<Fields>().map(drop),
        ];
        for call in calls {
            let error = call.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
            let (text, advice) = (error.to_string(), "such as `id,children{id,media_url}`");
            assert!(text.contains("invalid list of fields at byte "), "{text}");
            assert!(
                text.ends_with(advice) && !text.contains("access_token"),
                "{text}"
            );
        }
    }
    assert_eq!(server.connections(), 0);
}

/// A server that refuses fields as the service does, from the page after a cursor on or
/// everywhere. Its other replies say which fields were requested.
fn server(refused: &'static [&'static str], from: Option<&'static str>) -> Server {
    Server::start(move |request, stream| {
        let fields = param(request, "fields").unwrap_or_default();
        let is_in = |name: &&&str| {
            let mut parts = fields.split([',', '{', '}']);
            parts.any(|part| part.split(".limit(").next() == Some(**name))
        };
        let message = refused.iter().find(is_in).map(|name| match name.contains('.') {
            false => format!("(#100) Tried accessing nonexisting field ({name}) on node type (X)"),
            true => {
                let at = fields.find(name).unwrap() + name.find('.').unwrap();
                format!("Syntax error \\\"Expected end of string instead of \\\".\\\".\\\" at character {at}: {fields}")
            }
        });
        let after = param(request, "after");
        let reply = match message.filter(|_| from.is_none() || after.as_deref() == from) {
            Some(message) => json(
                "400 Bad Request",
                &format!(
                    r#"{{"error":{{"message":"{message}","type":"IGApiException","code":100}}}}"#
                ),
            ),
            None if request.target.starts_with("/me/media") => {
                let (id, next) = match after.as_deref() {
                    None => (
                        1,
                        r#","paging":{"cursors":{"after":"a"},"next":"?after=a"}"#,
                    ),
                    Some(_) => (2, ""),
                };
                let media = format!(r#"{{"id":"{id}","caption":"{fields}"}}"#);
                json("200 OK", &format!(r#"{{"data":[{media}]{next}}}"#))
            }
            None => json("200 OK", &format!(r#"{{"id":"1","caption":"{fields}"}}"#)),
        };
        let _ = stream.write_all(reply.as_bytes());
    })
}

/// A media, without the fields that are refused, and these.
fn shortened(api: &Api, mut fields: Fields) -> Result<(Media, Vec<String>), Error> {
    let mut refused = Vec::new();
    loop {
        match api.media("1", &fields) {
            Ok(media) => return Ok((media, refused)),
            Err(error) => match error.refused_field() {
                Some(name) if fields.contains(name) => {
                    fields = fields.without(name);
                    refused.push(name.to_owned());
                }
                _ => return Err(error),
            },
        }
    }
}

#[test]
fn a_refused_field_shortens_the_list() {
    let made = format!("new_{}", 7);
    for (fields, refused, accepted) in [
        (
            M::WITH_CHILDREN.and(M::AltText),
            &["alt_text"][..],
            M::WITH_CHILDREN,
        ),
        (
            "id,children{id,alt_text}".into(),
            &["alt_text"],
            "id,children{id}".into(),
        ),
        (
            "id,alt_text,children{alt_text}".into(),
            &["alt_text"],
            "id,children".into(),
        ),
        (
            "children.limit(2){id},id".into(),
            &["children"],
            "id".into(),
        ),
        (
            Fields::from(M::Id).and(made.as_str()),
            &["new_7"],
            M::Id.into(),
        ),
        (
            Fields::from([made, "x".into(), "id".into()]),
            &["x", "new_7"],
            "id".into(),
        ),
        (
            "id,children.media_type".into(),
            &["children.media_type"],
            "id".into(),
        ),
        ("x".into(), &["x"], Fields::default()),
    ] {
        let server = server(refused, None);
        let (media, names) = shortened(&server.api(), fields).unwrap();
        assert_eq!(media.caption.unwrap(), accepted.to_string());
        assert_eq!(names, refused);
        assert_eq!(server.received().len(), refused.len() + 1);
    }
    // A name that is not in the list shortens nothing.
    let server = Server::start(|_, stream| {
        let refusal = r#"{"error":{"message":"Tried accessing nonexisting field (y)","code":100}}"#;
        let _ = stream.write_all(json("400 Bad Request", refusal).as_bytes());
    });
    let error = shortened(&server.api(), Fields::from("id,yy")).unwrap_err();
    assert_eq!(
        (error.refused_field(), server.received().len()),
        (Some("y"), 1)
    );
}

#[test]
fn a_listing_continues_with_a_shorter_list() {
    let server = server(&["alt_text"], Some("a"));
    let api = server.api();
    let fields = M::WITH_CHILDREN.with(M::Children, [M::Id, M::AltText]);
    let mut items = api.my_media(&fields).items();
    let first = items.next().unwrap().unwrap();
    let error = items.next().unwrap().unwrap_err();
    let rest = fields.without(error.refused_field().unwrap());
    let rest = api.my_media(rest).resume(&items.position());
    let rest: Vec<_> = rest.into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(
        (first.id.as_str(), rest.len(), rest[0].id.as_str()),
        ("1", 1, "2")
    );
    assert!(
        rest[0]
            .caption
            .as_ref()
            .unwrap()
            .ends_with("username,children{id}")
    );
}

/// The two texts for one variant: what it is, and the error for another.
#[test]
fn a_name_is_text_and_back() {
    assert_eq!("alt_text".parse::<M>().unwrap(), M::AltText);
    assert_eq!(
        (M::AltText.as_str(), U::Id.to_string(), C::From.as_ref()),
        ("alt_text", "id".into(), "from")
    );
    for error in [
        "Alt_text".parse::<M>().err(),
        "x".parse::<U>().err(),
        "".parse::<C>().err(),
    ] {
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.to_string().ends_with("Field: request it as text"),
            "{error}"
        );
    }
}
