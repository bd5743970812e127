use super::*;
use crate::http::transport::Method;

/// A token that looks different in every way it can be written.
const REAL: &str = "IGQVJ/re%al=secret";

fn scrub(keep: Keep) -> Scrub {
    let mut secrets = Secrets::default();
    let url = "https://graph.instagram.com/me?access_token=IGQVJ%2Fre%25al%3Dsecret";
    secrets.learn(&Request::new(Method::Get, url));
    Scrub::new(keep, secrets, HashSet::new())
}

fn scrubbed(keep: Keep, body: &str) -> String {
    scrub(keep).body(body, "")
}

#[test]
fn what_is_not_known_is_taken_for_private() {
    let body = r#"{"pronouns":["they"],"city":"Berlin","city2":"Berlin","count":5,"is_shared":true,"media_type":"NEW","like_count":12}"#;
    assert_eq!(
        scrubbed(Keep::default(), body),
        r#"{"pronouns":["Text 1"],"city":"Text 2","Text 3":"Text 2","count":5,"is_shared":true,"media_type":"NEW","like_count":12}"#
    );
}

#[test]
fn addresses_of_every_sort() {
    let mut scrub = scrub(Keep::default());
    for (url, expected) in [
        (
            "https://scontent-ams2-1.cdninstagram.com/v/t51/1_n.jpg?stp=dst&_nc_ohc=AbC&oh=00_x&oe=6A2B7C00&efg=",
            "https://scontent.cdninstagram.com/v/1.jpg?stp=x1&_nc_ohc=x2&oh=x3&oe=6A2B7C00&efg=",
        ),
        (
            "https://instagram.fham1-2.fna.fbcdn.net/v/t51/1_n.jpg?oh=00_x",
            "https://instagram.fbcdn.net/v/1.jpg?oh=x3",
        ),
        (
            "https://www.instagram.com/p/DKa1/",
            "https://www.instagram.com/p/CODE1/",
        ),
        (
            "https://www.instagram.com/reel/DKa1/?igsh=me",
            "https://www.instagram.com/reel/CODE1/",
        ),
        ("https://example.org/me?x=1#me", "https://example.com/1"),
        (
            "https://graph.facebook.com/v1.0/17841405793187218/media?access_token=IGQVJ%2Fre%25al%3Dsecret&limit=25&after=QVFI%3D&nova=me",
            "https://graph.facebook.com/v1.0/17900000000000001/media?access_token=IGQVJsample&limit=25&after=CURSOR1&x4",
        ),
        ("://", "https://example.com/2"),
        ("no address", "Text 1"),
    ] {
        assert_eq!(scrub.url(url), expected);
    }
    // The same cursor in a request.
    let sent = "/me/media?fields=id,caption&after=QVFI%3D&access_token=x";
    assert_eq!(
        scrub.target(sent, true),
        "/me/media?fields=id,caption&after=CURSOR1&access_token=IGQVJsample"
    );
}

#[test]
fn what_no_reply_has_handed_out_is_any_value_in_a_request() {
    let mut scrub = scrub(Keep::default());
    let link = "https://graph.instagram.com/me/insights?since=17&until=18&after=QVFI%3D";
    scrub.url(link);
    for (sent, written) in [
        (
            "/me/insights?since=17&until=19&metric=reach&q=x",
            "/me/insights?since=17&until=*&metric=reach&q=*",
        ),
        (
            "/me/media?after=QVFI=&before=OTHERcursor&limit=4",
            "/me/media?after=CURSOR1&before=*&limit=4",
        ),
        ("/17841405793187218/media", "/17900000000000001/media"),
        ("/me?", "/me?"),
        ("/me?pretty&=x", "/me?pretty&=*"),
        ("/me?flag&Anna=x&jay/s/JAY", "/me?*=*&*=*&*=*"),
        ("/jay/media/x%2Fme", "/*/media/*"),
    ] {
        assert_eq!(scrub.target(sent, true), written);
    }
    let form =
        "client_id=99&client_secret=SECRET&grant_type=authorization_code&redirect_uri=x&code=AQB";
    assert_eq!(
        scrub.query(form, true),
        "client_id=*&client_secret=*&grant_type=authorization_code&redirect_uri=*&code=*"
    );
    assert_eq!(scrub.leak("a OTHER%63ursor b"), Some("a cursor"));
    // From the first exchange again, it is not handed out yet.
    scrub.start_again();
    assert_eq!(
        scrub.target("/me/media?after=QVFI=", true),
        "/me/media?after=*"
    );
}

#[test]
fn ids_of_every_sort_are_the_same_in_paths() {
    let body =
        r#"{"id":"12","user_id":178414,"ig_id":"123_456/7","count":178414,"other":"123_456"}"#;
    let mut scrub = scrub(Keep::default());
    assert_eq!(
        scrub.body(body, "me"),
        r#"{"id":"12","user_id":179001,"ig_id":"ID1","count":178414,"other":"Text 1"}"#
    );
    let path = "/12/178414/123_456%2F7/123_456/media";
    assert_eq!(scrub.target(path, true), "/12/179001/ID1/123_456/media");
    let keep = Keep {
        ids: true,
        captions: false,
    };
    let kept = r#"{"id":"12","user_id":178414,"ig_id":"123_456/7"}"#;
    assert_eq!(scrubbed(keep, kept), kept);
}

#[test]
fn a_link_to_where_requests_went_leads_there() {
    let mut scrub = scrub(Keep::default());
    scrub.origins.insert("http://127.0.0.1:99".to_owned());
    for (url, written) in [
        (
            "http://127.0.0.1:99/v1.0/17841405793187218/media?after=QVFI",
            "https://graph.instagram.com/v1.0/17900000000000001/media?after=CURSOR1",
        ),
        (
            "http://127.0.0.1:99/oauth/access_token",
            "https://api.instagram.com/oauth/access_token",
        ),
        ("http://127.0.0.1:98/x", "https://example.com/1"),
    ] {
        assert_eq!(scrub.url(url), written);
    }
}

#[test]
fn the_words_of_insights_stay_and_those_of_people_go() {
    let body = r#"{"data":[{"name":"reach","period":"day","values":[{"value":{"London, England":3,"65+":1},"end_time":"2026-11-22T08:00:00+0000"}],"total_value":{"breakdowns":[{"dimension_keys":["age"],"results":[{"dimension_values":["25-34"]},{"dimension_values":["London, England"]}]}]},"title":"Reach","id":"17841405793187218\/insights\/reach\/day"}]}"#;
    let written = r#"{"data":[{"name":"reach","period":"day","values":[{"value":{"Text 1":3,"65+":1},"end_time":"2026-11-22T08:00:00+0000"}],"total_value":{"breakdowns":[{"dimension_keys":["age"],"results":[{"dimension_values":["25-34"]},{"dimension_values":["Text 1"]}]}]},"title":"Reach","id":"17900000000000001\/insights\/reach\/day"}]}"#;
    let edge = |edge| scrub(Keep::default()).body(body, edge);
    assert_eq!(edge("insights"), written);
    let nested = format!(r#"{{"insights":{body}}}"#);
    let new = scrub(Keep::default()).body(&nested, "media");
    assert_eq!(new, format!(r#"{{"insights":{written}}}"#));
    // Elsewhere a name is somebody's.
    assert!(edge("me").contains(r#""name":"Name 1""#));
}

#[test]
fn headers_that_are_not_known_do_not_pass() {
    let mut scrub = scrub(Keep::default());
    for (name, value, expected) in [
        ("content-type", "text/html", Some("text/html")),
        (
            "X-App-Usage",
            r#"{"call_count":4}"#,
            Some(r#"{"call_count":4}"#),
        ),
        (
            "x-business-use-case-usage",
            r#"{"17841405793187218":[{"type":"instagram","call_count":100}]}"#,
            Some(r#"{"17900000000000001":[{"type":"instagram","call_count":100}]}"#),
        ),
        (
            "WWW-Authenticate",
            "OAuth \"Facebook Platform\" \"invalid_token\" \"IGQVJ/re%al=secret\"",
            Some("OAuth \"Facebook Platform\" \"invalid_token\" \"IGQVJsample\""),
        ),
        (
            "location",
            "https://graph.instagram.com/me?access_token=IGQVJ%2Fre%25al%3Dsecret",
            Some("https://graph.instagram.com/me?access_token=IGQVJsample"),
        ),
        ("set-cookie", "csrftoken=x", None),
        ("x-fb-trace-id", "HxYz", None),
        ("x-fb-debug", "AbC==", None),
        ("content-length", "5", None),
        ("x-new", "y", None),
        ("expires", "0\r\nX: 1", Some("0 X: 1")),
    ] {
        let line = scrub.header(name, value);
        let written = line.as_deref().and_then(|line| line.split_once(": "));
        assert_eq!(written.map(|(_, value)| value), expected, "{name}");
    }
}

#[test]
fn a_token_in_words_goes_known_or_not() {
    let mut scrub = scrub(Keep::default());
    for (text, expected) in [
        ("bad IGQVJ/re%al=secret!", "bad IGQVJsample!"),
        ("é IGQVJ%2fre%25al%3Dsecret.", "word1 IGQVJsample."),
        (
            "(access_token=IGold%2F_x) é",
            "(access_token=IGQVJsample) word1",
        ),
        (
            "access_token= and access_token",
            "access_token= and access_token",
        ),
        ("IGQVJ/re%al=secre", "word2/word3=word4"),
        (
            "not EAAnamed-by_anybody0. Or xEAAnamed-in_anybody0",
            "not IGQVJsample. Or word5-word6",
        ),
    ] {
        assert_eq!(scrub.body(text, ""), expected);
    }
}

#[test]
fn names_in_kept_captions_go() {
    let mut scrub = scrub(Keep {
        ids: true,
        captions: true,
    });
    let body = r#"{"caption":"jay.p, with @a_friend. and notjay.p","username":"jay.p"}"#;
    scrub.body(body, "");
    assert_eq!(
        scrub.body(body, ""),
        r#"{"caption":"user2, with @user1. and notjay.p","username":"user2"}"#
    );
}

#[test]
fn a_leak_is_seen_however_it_is_written() {
    let mut scrub = scrub(Keep::default());
    scrub.body(
        r#"{"paging":{"cursors":{"after":"QVFIUk1ZA0xw","before":"short"}}}"#,
        "",
    );
    scrub.body(r#"{"access_token":"fromTheReply"}"#, "");
    let encoded = "IGQVJ%2Fre%25al%3Dsecret";
    for text in [
        REAL.to_owned(),
        encoded.to_owned(),
        encoded.to_lowercase().replace("igqvj", "IGQVJ"),
        REAL.replace('/', "\\/"),
        encoded.replace('%', "\\u0025"),
        encoded.replace('%', "%25"),
        encoded.replace('%', "%2525"),
        "fromTheR%65ply".to_owned(),
        "IGAAnobodyNamedThisOneYet".to_owned(),
    ] {
        let found = scrub.leak(&format!("before {text} after"));
        assert_eq!(found, Some("the access token"), "{text}");
    }
    assert_eq!(scrub.leak("a QVFIUk1ZA0xw b"), Some("a cursor"));
    let harmless =
        "CURSOR1 short access_token=IGQVJsample\n\nHTTP/1.1 200 OK, IGQVJsample is not a token";
    assert_eq!(scrub.leak(harmless), None);
}

#[test]
fn short_secrets_are_no_reason_to_write_nothing() {
    let mut secrets = Secrets::default();
    let mut request = Request::new(Method::Post, "https://h/?access_token=me");
    request.body =
        Some("client_secret=IGQVJsample&code=200&other=12345678&client_secret=longEnough");
    secrets.learn(&request);
    assert_eq!(secrets.texts(), ["longEnough"]);
}

#[test]
fn hostile_text_does_not_stop_it() {
    for body in [
        "",
        "{",
        "[",
        "\"",
        "{\"",
        r#"{"a\"#,
        r#"{"a":"\u"#,
        r#"{"a":"\ud83d"#,
        r#"{"a":"\ud83dx\u00"}"#,
        "}}}]]]",
        r#"{"a":"%"}"#,
        r#"{"a":"x://%é"}"#,
        "{é}",
        "-",
        "[-1e5,00000000000]",
        r#"{"x":"https://"}"#,
        r#"{"x":"https://?="}"#,
        r#"{"x":"a://instagram.com"}"#,
        "<html>@@@ jay</html>",
        "[\u{1f35e}]",
    ] {
        let mut scrub = scrub(Keep::default());
        let once = scrub.body(body, "");
        assert_eq!(scrub.body(body, ""), once);
        scrub.leak(&once);
    }
    // Brackets without end take no stack.
    scrubbed(Keep::default(), &"[".repeat(1_000_000));
}
