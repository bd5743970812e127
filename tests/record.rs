//! `transport::Record`: what it writes can be played to the same program, and nothing that
//! must not be published is in it.

mod common;

use common::{Folder, NOBODY, Server, TestClock, fixtures, json, reply, secrets};
use mingram::auth::{App, Code};
use mingram::comments::CommentField as C;
use mingram::insights::{Dimension, Metric, MetricType, Period, Query};
use mingram::transport::{Fixture, Method, Record, Replay, Request, Response, Transport};
use mingram::{Api, Error, ErrorKind, Fields, MediaField as M, Result, UserField as U};
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A token that looks different in every way it can be written, and how it is in a link.
const REAL: &str = "IGQVJ/re%al=secret";
const ENCODED: &str = "IGQVJ%2Fre%25al%3Dsecret";

/// What a login uses and gets, besides.
const CLIENT_SECRET: &str = "0a1b2c3d4e5f6a7b8c9d";
const SHORT: &str = "IGQVJshort3";
const LONG: &str = "IGQVJlong";

const SAMPLE: &str = "IGQVJsample";

/// The service as it would be for the holder of [`REAL`]: the fixtures, with that token in
/// the links.
struct Account(Replay);

impl Account {
    fn new() -> Account {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        Account(Replay::new().with_directory(folder).unwrap().repeating())
    }
}

impl Transport for Account {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let mut response = self.0.send(request)?;
        let mut body = String::new();
        response.body.read_to_string(&mut body).unwrap();
        let link = match body.contains("\\u0025") {
            true => ENCODED.replace('%', "\\u0025"),
            false => ENCODED.to_owned(),
        };
        let body = body.replace(SAMPLE, &link);
        response
            .headers
            .retain(|(name, _)| name != "Content-Length");
        let cookie = "csrftoken=COOKIEsecret".to_owned();
        response.headers.push(("Set-Cookie".to_owned(), cookie));
        response.body = Box::new(Cursor::new(body.into_bytes()));
        Ok(response)
    }
}

/// A program: what it found out, without what stand-ins stand for.
fn program(api: &Api, code: &str) -> Vec<String> {
    let mut facts = Vec::new();
    let mut fact = |fact: &dyn std::fmt::Debug| facts.push(format!("{fact:?}"));
    let me = api.me(U::BASIC).unwrap();
    fact(&(&me.account_type, me.media_count, me.username.is_some()));

    let pages = api.my_media(M::WITH_CHILDREN).page_size(4).pages();
    let pages: Vec<_> = pages.map(Result::unwrap).collect();
    let media: Vec<_> = pages.iter().flat_map(|page| &page.data).collect();
    for page in &pages {
        fact(&(page.data.len(), page.has_next(), page.has_previous()));
    }
    for media in &media {
        let caption = media.caption.as_deref().map(str::is_empty);
        fact(&(&media.media_type, media.published_at(), caption));
        fact(&(media.id.len(), media.children.as_ref().map(Vec::len)));
        fact(&(media.media_url_expires_at(), media.permalink.is_some()));
        fact(&(media.username == me.username));
    }

    let children = api.children(&media[2].id, M::CHILD).into_iter();
    let children: Vec<_> = children.map(Result::unwrap).collect();
    let nested = media[2].children.iter().flatten();
    fact(
        &nested
            .zip(&children)
            .all(|(a, b)| a.id == b.id && a.media_url == b.media_url),
    );

    let fields = Fields::from([
        C::Id,
        C::Text,
        C::Timestamp,
        C::From,
        C::Username,
        C::Hidden,
        C::LikeCount,
        C::Media,
    ]);
    let fields = fields.with(C::Replies, [C::Id, C::Text, C::ParentId]);
    for comment in api.comments(&media[0].id, fields).page_size(2) {
        let comment = comment.unwrap();
        fact(&(comment.published_at(), comment.hidden, comment.like_count));
        let of_media = comment.media.map(|of| of.id.as_ref() == Some(&media[0].id));
        let replies = comment.replies.map(|page| {
            let to = page.data.into_iter().map(|reply| reply.parent_id);
            to.map(|to| to.as_ref() == Some(&comment.id))
                .collect::<Vec<_>>()
        });
        fact(&(of_media, replies));
    }

    let query = Query::new(&[Metric::Reach]).period(Period::Day);
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let days = query.clone().metric_type(MetricType::TimeSeries);
    for insight in api
        .my_insights(days.since(at(1_795_305_600)).until(at(1_795_478_400)))
        .unwrap()
    {
        fact(&(insight.name, insight.period, insight.values, insight.title));
    }
    let split = query.metric_type(MetricType::TotalValue);
    let split = split.breakdown(&[Dimension::MediaProductType, Dimension::FollowType]);
    for insight in api.my_insights(split).unwrap() {
        fact(&(insight.name, insight.period, insight.total_value));
    }
    for insight in api.media_insights(&media[0].id, &[Metric::Reach]).unwrap() {
        fact(&(insight.number(), insight.id.len()));
    }

    let error = api.node::<mingram::User>("e100field", &[]).unwrap_err();
    fact(&failure(&error));
    fact(&error.refused_field());
    let error = api.node::<mingram::User>("e80002", &[]).unwrap_err();
    fact(&(failure(&error), error.retry_after()));

    let app = App::new("1903003", CLIENT_SECRET, "https://example.com/auth");
    let short = api.exchange_code(&app, &Code::new(code)).unwrap();
    fact(&(&short.permissions, short.user_id.as_deref().map(str::len)));
    let api = api.clone().with_token(short);
    let long = api.exchange_token(&app).unwrap();
    fact(&(long.expires_at().unwrap().duration_since(long.obtained_at)));
    let error = api.exchange_code(&app, &Code::new("CODEused")).unwrap_err();
    fact(&failure(&error));
    facts
}

fn failure(error: &Error) -> (ErrorKind, Option<u16>, Option<i64>) {
    let code = error.api_error().and_then(|error| error.code);
    (error.kind(), error.status(), code)
}

fn api(transport: impl Transport + 'static, token: &str) -> Api {
    let clock = TestClock::new(1_795_000_000);
    Api::new(token).with_transport(transport).with_clock(clock)
}

fn recorded<T: Transport + 'static>(record: &Record<T>) -> (Vec<String>, Vec<Fixture>) {
    let facts = program(&api(record.clone(), REAL), "CODEthree");
    assert_eq!(record.omitted(), [""; 0]);
    (facts, record.fixtures().unwrap())
}

#[test]
fn a_whole_program_gets_the_same_from_the_replay() {
    for record in [
        Record::new(Account::new()),
        Record::new(Account::new()).keeping_ids(),
        Record::new(Account::new()).keeping_ids().keeping_captions(),
    ] {
        let (facts, fixtures) = recorded(&record);
        let folder = Folder::new();
        let directory = folder.0.join("new/mine");
        assert_eq!(record.save(&directory).unwrap(), fixtures);
        let replay = Replay::new().with_directory(&directory).unwrap();
        // Another token and another code, as in a test.
        let played = program(&api(replay.clone(), "any-token"), "any-code");
        assert_eq!(played, facts);
        assert_eq!(replay.unused(), [""; 0]);
        // In memory as well.
        let mut replay = Replay::new();
        for Fixture { name, text, .. } in fixtures {
            replay = replay.with_exchange(&name, text).unwrap();
        }
        assert_eq!(program(&api(replay, "any-token"), "any-code"), facts);
    }
}

#[test]
fn what_a_program_records_has_its_names_and_no_secret() {
    let record = Record::new(Account::new());
    let (_, fixtures) = recorded(&record);
    let names: Vec<&str> = fixtures.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "me",
            "me-media",
            "me-media-2",
            "me-media-3",
            "children",
            "comments",
            "comments-2",
            "me-insights",
            "me-insights-2",
            "insights",
            "node",
            "node-2",
            "oauth-access_token",
            "access_token",
            "oauth-access_token-2"
        ]
    );
    let texts: String = fixtures.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(
        secrets::found(&texts, &[REAL, ENCODED, CLIENT_SECRET]),
        None
    );
    for private in [
        SHORT,
        LONG,
        "CODEthree",
        "CODEused",
        "jayposiris",
        "sourdough",
        "小さな猫",
        "17841405793187218",
        "17895695668004550",
        "1903003",
        "example.com/auth",
        "DKa1",
        "oh=00_956956",
        "QVFI",
        "Set-Cookie",
        "COOKIE",
        "X-Fb",
    ] {
        assert!(!texts.contains(private), "{private}");
    }
    let login = &fixtures[12].text;
    let form = "POST https://api.instagram.com/oauth/access_token\n\
        client_id=*&client_secret=*&grant_type=authorization_code&redirect_uri=*&code=*\n\nHTTP/1.1 200 OK\r\n";
    assert!(login.contains(form), "{login}");
    let comment =
        "from api.instagram.com, API v1.0 (no version in the request).\n# Exchange 13.\nPOST ";
    assert!(login.contains(comment), "{login}");
    assert_eq!(
        format!("{record:?}"),
        "Record { exchanges: 15, omitted: 0, .. }"
    );
}

/// Requests through a server on this machine, whose port is another one the next time.
#[test]
fn a_server_on_this_machine_is_written_as_the_service() {
    let start = || {
        let port = Mutex::new(String::new());
        let at = std::sync::Arc::new(port);
        let here = at.clone();
        let server = Server::start(move |request, stream| {
            use std::io::Write;
            let here = here.lock().unwrap();
            let text = match request.target.split('?').next().unwrap() {
                // Relative to the request, and absolute.
                "/old/media" => {
                    let (_, query) = request.target.split_once('?').unwrap();
                    let base = if query.contains("after=") {
                        &here
                    } else {
                        ".."
                    };
                    let location = format!("{base}/178414/media?{query}");
                    reply("302 Found", &[("Location", &location)], "")
                }
                "/178414/media" if request.target.contains("after=") => {
                    json("200 OK", r#"{"data":[{"id":"3"}]}"#)
                }
                "/178414/media" => json(
                    "200 OK",
                    &format!(
                        r#"{{"data":[{{"id":"1"}},{{"id":"2"}}],"paging":{{"next":"{here}/178414/media?after=CUrsorOfMine&access_token={ENCODED}"}}}}"#
                    ),
                ),
                _ => json(
                    "200 OK",
                    r#"{"access_token":"IGsomething","user_id":178414}"#,
                ),
            };
            let _ = stream.write_all(text.as_bytes());
        });
        *at.lock().unwrap() = server.url();
        server
    };
    let run = |api: &Api| {
        let ids = api.edge::<mingram::Media>("old/media").into_iter();
        let ids: Vec<String> = ids.map(|media| media.unwrap().id).collect();
        let app = App::new("1903003", CLIENT_SECRET, "https://example.com/auth");
        let short = api.exchange_code(&app, &Code::new("CODE")).unwrap();
        (ids, short.user_id.map(|id| id.len()))
    };
    let server = start();
    let transport = mingram::transport::DefaultTransport::default();
    let record = Record::new(transport);
    let live = run(&server.api().with_token(REAL).with_transport(record.clone()));
    assert_eq!(live.0, ["1", "2", "3"]);
    let fixtures = record.fixtures().unwrap();
    let text: String = fixtures.iter().map(|one| one.text.as_str()).collect();
    assert!(
        !text.contains("127.0.0.1") && !text.contains(&server.port().to_string()),
        "{text}"
    );
    assert!(text.contains("Location: /179001/media?access"), "{text}");
    for base in ["", NOBODY] {
        let mut replay = Replay::new();
        for one in &fixtures {
            replay = replay.with_exchange(&one.name, one.text.clone()).unwrap();
        }
        let mut api = Api::new("any-token").with_transport(replay.clone());
        if !base.is_empty() {
            api = api.with_base_url(base).with_login_url(base);
        }
        assert_eq!(run(&api), live, "{base}");
        assert_eq!(replay.unused(), [""; 0]);
    }
}

/// Plays these replies in turn.
struct Script(Mutex<Vec<Result<Response>>>);

impl Script {
    fn new(replies: impl IntoIterator<Item = Result<Response>>) -> Script {
        let mut replies: Vec<_> = replies.into_iter().collect();
        replies.reverse();
        Script(Mutex::new(replies))
    }
}

impl Transport for Script {
    fn send(&self, _: &Request<'_>) -> Result<Response> {
        self.0.lock().unwrap().pop().unwrap()
    }
}

fn plain(body: impl Into<Vec<u8>>) -> Response {
    Response::new(200, Vec::new(), Cursor::new(body.into()))
}

fn with(name: &str, value: &str, body: impl Into<Vec<u8>>) -> Response {
    let mut response = plain(body);
    response.headers.push((name.to_owned(), value.to_owned()));
    response
}

fn names_of<T>(record: &Record<T>) -> Vec<String> {
    let fixtures = record.fixtures().unwrap().into_iter();
    fixtures.map(|fixture| fixture.name).collect()
}

fn get(url: &str) -> Request<'_> {
    Request::new(Method::Get, url)
}

/// Records replies to requests of these URLs.
fn record(exchanges: impl IntoIterator<Item = (&'static str, Response)>) -> Record<Script> {
    let (urls, replies): (Vec<_>, Vec<_>) = exchanges.into_iter().unzip();
    let record = Record::new(Script::new(replies.into_iter().map(Ok)));
    for url in urls {
        record.send(&get(url)).unwrap();
    }
    record
}

const ME: &str = "https://graph.instagram.com/me?access_token=SECRETtoken";

/// Ends with this error.
struct Fails(std::io::ErrorKind);

impl Read for Fails {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(self.0.into())
    }
}

#[test]
fn what_cannot_be_a_fixture_is_passed_on_and_listed() {
    use std::io::ErrorKind as K;
    let broken = |kind| {
        let body = Cursor::new(b"{\"id\"").chain(Fails(kind));
        Response::new(200, Vec::new(), body)
    };
    let long = vec![b' '; 32 * 1024 * 1024 + 5];
    let lost = Error::new(ErrorKind::ConnectionLost, "gone SECRETtoken");
    let record = Record::new(Script::new([
        Ok(broken(K::ConnectionReset)),
        Ok(broken(K::UnexpectedEof)),
        Ok(with("Content-Length", "9", "{\"id\"")),
        Ok(with("Content-Encoding", "br", b"\x0b\x05\xff")),
        Ok(plain(b"\x89PNG\xff")),
        Ok(plain(long.clone())),
        Err(lost),
        Ok(plain("{}")),
        Ok(plain("{}")),
    ]));
    let send = |url| {
        let mut response = record.send(&get(url))?;
        let mut body = Vec::new();
        let read = response.body.read_to_end(&mut body);
        Ok::<_, Error>((body, read.map_err(|error| error.kind())))
    };
    let begun = b"{\"id\"".to_vec();
    assert_eq!(send(ME).unwrap(), (begun.clone(), Err(K::ConnectionReset)));
    assert_eq!(send(ME).unwrap(), (begun.clone(), Err(K::UnexpectedEof)));
    assert_eq!(send(ME).unwrap(), (begun, Ok(5)));
    assert_eq!(send(ME).unwrap().0, b"\x0b\x05\xff");
    assert_eq!(send(ME).unwrap().0, b"\x89PNG\xff");
    assert!(send(ME).unwrap().0 == long);
    assert_eq!(send(ME).unwrap_err().kind(), ErrorKind::ConnectionLost);
    assert_eq!(send(ME).unwrap().0, b"{}");
    // No fixture can have such a URL.
    let insecure = ME.replace("https", "http");
    assert_eq!(send(&insecure).unwrap().0, b"{}");
    assert_eq!(names_of(&record), ["me"]);
    let omitted = record.omitted();
    let reasons = [
        "its body ended with an error: ",
        "its body ended with an error: ",
        "its body is shorter than its Content-Length",
        "the reply is compressed (br)",
        "its body is not text",
        "its body is 32 MiB or longer",
        "gone (not shown: it contains a secret)",
        "plain http is not encrypted",
    ];
    for (line, reason) in omitted.iter().zip(reasons) {
        let line = line.replace("http:", "https:");
        let begin = "GET https://graph.instagram.com/me: ";
        let why = line.strip_prefix(begin).unwrap();
        assert!(why.starts_with(reason), "{line}");
    }
    assert_eq!(omitted.len(), reasons.len());
}

#[test]
fn a_redirect_that_is_refused_is_refused_in_the_replay() {
    for location in [
        "https://other.example/me?x=1",
        "//graph.facebook.com/me",
        "x:y",
    ] {
        let mut response = with("Location", location, "");
        response.status = 302;
        let record = Record::new(Script::new([Ok(response)]));
        let me = |api: Api| {
            let error = api.me("").unwrap_err();
            (error.kind(), error.status())
        };
        let live = me(api(record.clone(), REAL));
        assert_eq!(live, (ErrorKind::Redirect, Some(302)));
        let file = record.fixtures().unwrap().remove(0).text;
        let replay = Replay::new().with_exchange("me", file.clone()).unwrap();
        assert_eq!(me(api(replay.clone(), REAL)), live, "{file}");
        assert!(!file.contains("other.example"), "{file}");
    }
}

/// It is neither kept in memory nor read ahead.
#[test]
fn a_download_is_passed_on_as_it_comes() {
    struct Endless(std::sync::Arc<std::sync::atomic::AtomicUsize>);
    impl Read for Endless {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let all = std::sync::atomic::Ordering::SeqCst;
            self.0.fetch_add(buf.len(), all);
            buf.fill(0xff);
            Ok(buf.len())
        }
    }
    let read = std::sync::Arc::default();
    let length = ("Content-Length".to_owned(), "99999999999".to_owned());
    let response = Response::new(200, vec![length], Endless(std::sync::Arc::clone(&read)));
    let record = Record::new(Script::new([Ok(response)]));
    let api = Api::new("SECRETtoken").with_transport(record.clone());
    let file = api.download("https://cdn.example/v/1.jpg?oh=SECRET");
    let mut body = file.open().unwrap();
    body.read_exact(&mut [0; 100_000]).unwrap();
    assert!(read.load(std::sync::atomic::Ordering::SeqCst) < 1_000_000);
    assert_eq!(
        record.omitted(),
        ["GET https://cdn.example/v/1.jpg: a download"]
    );
    assert!(record.fixtures().unwrap().is_empty());
    assert_eq!(
        format!("{record:?}"),
        "Record { exchanges: 0, omitted: 1, .. }"
    );
}

#[test]
fn a_body_that_breaks_is_tried_again_as_without_a_record() {
    use std::io::ErrorKind as K;
    for (kind, wanted) in [
        (K::ConnectionReset, ErrorKind::ConnectionLost),
        (K::UnexpectedEof, ErrorKind::Truncated),
    ] {
        let replies = || {
            let body = Cursor::new(b"{\"id\"").chain(Fails(kind));
            let length = ("Content-Length".to_owned(), "10".to_owned());
            let broken = Response::new(200, vec![length], body);
            Script::new([Ok(broken), Ok(plain("{\"id\":\"1\"}"))])
        };
        let without = api(replies(), REAL).with_retries(0).me("").unwrap_err();
        let record = Record::new(replies());
        let api = api(record.clone(), REAL);
        let error = api.clone().with_retries(0).me("").unwrap_err();
        assert_eq!(error.kind(), wanted);
        assert_eq!(error.to_string(), without.to_string());
        let record = Record::new(replies());
        let again = api.with_transport(record.clone()).with_retries(1);
        assert_eq!(again.me("").unwrap().id, "1");
        assert_eq!((names_of(&record).len(), record.omitted().len()), (1, 1));
    }
}

/// Files are read in the order of their names, which is another one.
#[test]
fn equal_requests_are_played_in_the_order_of_the_recording() {
    let reply = |number: u32| plain(format!(r#"{{"id":"1","media_count":{number}}}"#));
    let record = Record::new(Script::new((1..=12).map(|number| Ok(reply(number)))));
    let poll = |api: &Api| api.me([U::Id, U::MediaCount]).unwrap().media_count.unwrap();
    let api = api(record.clone(), REAL);
    record.name_next("z");
    assert_eq!(poll(&api), 1);
    record.name_next("");
    for number in 2..=11 {
        assert_eq!(poll(&api), number);
    }
    record.name_next("A");
    assert_eq!(poll(&api), 12);
    let folder = Folder::new();
    record.save(folder.0.join("one")).unwrap();
    record.save(folder.0.join("two")).unwrap();
    let replay = Replay::new().with_directory(&folder.0).unwrap();
    let api = api.with_transport(replay.clone());
    let twice: Vec<u64> = (1..=12).chain(1..=12).collect();
    let polled: Vec<u64> = twice.iter().map(|_| poll(&api)).collect();
    assert_eq!(polled, twice);
    assert_eq!(replay.unused(), [""; 0]);
}

#[test]
fn names() {
    let long = format!("https://h.example/{}", "/media".repeat(50));
    let long: &'static str = long.leak();
    let at = |url| (url, plain("{}"));
    let record = record([
        at("https://graph.instagram.com/v25.0/me/media?limit=2"),
        at("https://graph.instagram.com/me/media"),
        at("https://graph.instagram.com/17841405793187218"),
        at("https://graph.instagram.com/?ids=17841405793187218"),
        at("https://graph.instagram.com/v25.0/17841405793187218/children"),
        at("https://proxy.example/ig/ME/media%2F..%2Fx"),
        at("https://proxy.example/ig/me/media%2f..%2Fx"),
        at(long),
    ]);
    let names = names_of(&record);
    assert_eq!(
        names[..7],
        [
            "me-media",
            "me-media-2",
            "node",
            "node-2",
            "children",
            "ig-ME",
            // Some file systems ignore the case.
            "ig-me-2",
        ]
    );
    assert_eq!(names[7].len(), 100);

    let replies = (0..5).map(|_| Ok(plain("{}")));
    let record = Record::new(Script::new(replies));
    let send = |name| {
        record.clone().name_next(name);
        record.send(&get(ME)).unwrap();
        names_of(&record).pop().unwrap()
    };
    assert_eq!(send("profile"), "profile");
    assert_eq!(send("profile"), "profile-2");
    assert_eq!(send("../né:x"), "---n--x");
    assert_eq!(send(""), "me");
    assert_eq!(send("ME"), "ME-2");
    let folder = Folder::new();
    record.save(&folder.0).unwrap();
    assert_eq!(folder.names().len(), 5);
}

#[test]
fn a_directory_has_one_recording() {
    let folder = Folder::new();
    let record = record([(ME, plain(r#"{"id":"1"}"#))]);
    let directory = folder.0.join("a/b");
    record.check_directory(&directory).unwrap();
    std::fs::write(directory.join("README.md"), "kept").unwrap();
    record.save(&directory).unwrap();
    for again in [
        record.save(&directory).map(drop),
        record.check_directory(&directory),
    ] {
        let error = again.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let message = error.to_string();
        assert!(
            message.ends_with("a/b has a recording in it: use another directory"),
            "{message}"
        );
    }
    let file = directory.join("README.md");
    let error = record.save(&file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(
        error.to_string().contains("cannot create or read"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(file).unwrap(), "kept");
    let text = std::fs::read_to_string(directory.join("me.http")).unwrap();
    assert_eq!(text, record.fixtures().unwrap()[0].text);
}

/// Secrets that stand where nobody looks for them, in a spelling that nobody knows.
#[test]
fn nothing_is_written_if_a_secret_is_still_found() {
    let folder = Folder::new();
    for (body, what) in [
        ("<html>IGQVJ\\/re%al=secret</html>", "the access token"),
        ("IGQVJ%25252Fre%252525al%25253Dsecret", "the access token"),
        (r"\u0049GAAsomebodyElsesToken", "the access token"),
        ("0a1b2c3d\\u0034e5f6a7b8c9d", "the client secret"),
        ("the code AQ%42ofTheLogin\\u0058", "the login code"),
        ("QVFI\\u0055k1ZA", "a cursor"),
    ] {
        let bodies = [
            &format!(r#"{{"caption":{body:?}}}"#),
            r#"{"paging":{"cursors":{"after":"QVFIUk1ZA"}}}"#,
            "{}",
        ];
        let replies = bodies.map(|body| Ok(plain(body)));
        let record = Record::new(Script::new(replies)).keeping_captions();
        let url = format!("https://graph.instagram.com/me?access_token={ENCODED}");
        record.send(&get(&url)).unwrap();
        record.send(&get(&url)).unwrap();
        let mut login = Request::new(Method::Post, "https://api.instagram.com/oauth/access_token");
        let form = format!("client_secret={CLIENT_SECRET}&code=AQBofTheLoginX");
        login.body = Some(&form);
        record.send(&login).unwrap();
        let error = record.save(&folder.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            format!("{what} is still in me, so nothing is written")
        );
        assert_eq!(folder.names(), [""; 0]);
    }
}

/// Learned late, gone early: from a reply that came later, and from a request that failed.
#[test]
fn every_secret_is_hidden_in_every_exchange() {
    let replies = [
        Ok(plain(
            "bad tokenOfTheFuture, tokenThatFailed and IGAAnobodyNamedThisOne",
        )),
        Ok(plain(r#"{"access_token":"tokenOfTheFuture","user":"jay"}"#)),
        Err(Error::new(ErrorKind::Connect, "refused")),
    ];
    let record = Record::new(Script::new(replies));
    for token in ["x", "x", "tokenThatFailed"] {
        let url = format!("https://graph.instagram.com/me?access_token={token}");
        let _ = record.send(&get(&url));
    }
    let text = &record.fixtures().unwrap()[0].text;
    let body = "bad IGQVJsample, IGQVJsample and IGQVJsample";
    assert!(text.ends_with(body), "{text}");
}

#[test]
fn a_file_says_when_it_was_recorded_and_with_which_version() {
    let versions = |header: &'static str| with("facebook-api-version", header, "{}");
    let record = record([
        ("https://graph.instagram.com/v25.0/me", versions("v26.0")),
        ("https://graph.instagram.com/me", versions("v26.0")),
        ("https://proxy.example/ig/v25.0/me", versions("")),
        (
            "https://graph.instagram.com/me?x=/v1.0/",
            versions("v26 SECRET"),
        ),
    ]);
    let says = [
        "graph.instagram.com, API v25.0",
        "graph.instagram.com, API v26.0 (no version in the request)",
        "proxy.example, API v25.0",
        "graph.instagram.com, no API version",
    ];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    for (number, (fixture, says)) in record.fixtures().unwrap().iter().zip(says).enumerate() {
        let (first, rest) = fixture.text.split_once('\n').unwrap();
        let (day, from) = first.split_once(" from ").unwrap();
        assert_eq!(from, format!("{says}."));
        // By the library's own calendar. It may be midnight.
        let noon = format!("{}T12:00:00+0000", day.strip_prefix("# Recorded ").unwrap());
        let mut media = mingram::Media::default();
        media.timestamp = Some(noon);
        let noon = media.published_at().unwrap().duration_since(UNIX_EPOCH);
        assert!(noon.unwrap().abs_diff(now) < Duration::from_secs(36 * 3600));
        let second = format!("# Exchange {}.\n", number + 1);
        assert!(rest.starts_with(&second), "{rest}");
    }
}

/// The record of one reply to a request with the token [`REAL`].
fn scrubbed(body: &str, keep: bool) -> Result<String> {
    let mut record = Record::new(Script::new([Ok(plain(body))]));
    if keep {
        record = record.keeping_ids().keeping_captions();
    }
    let url = format!("https://graph.instagram.com/me?access_token={ENCODED}");
    record.send(&get(&url)).unwrap();
    let text = record.fixtures()?.remove(0).text;
    Ok(text.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// A JSON value with every text emptied: its shape.
fn shape(value: &serde_json::Value) -> String {
    use serde_json::Value as V;
    match value {
        V::Object(object) => {
            let mut shapes: Vec<String> = object
                .iter()
                .map(|(key, value)| match key.parse::<u64>() {
                    Ok(_) => format!("id:{}", shape(value)),
                    Err(_) => format!("{key}:{}", shape(value)),
                })
                .collect();
            shapes.sort();
            format!("{{{}}}", shapes.join(","))
        }
        V::Array(array) => format!("{:?}", array.iter().map(shape).collect::<Vec<_>>()),
        V::String(text) if text.is_empty() => "empty".to_owned(),
        V::String(_) => "text".to_owned(),
        V::Number(number) if number.as_u64() > Some(1 << 53) => "id".to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn every_fixture_keeps_its_shape_and_no_secret() {
    let mut documents = 0;
    for exchange in fixtures() {
        let reply = String::from_utf8(exchange.reply).unwrap();
        let (_, body) = reply.split_once("\r\n\r\n").unwrap();
        let is_json = body.starts_with(['{', '[']);
        for (written, of_json) in [
            (REAL.to_owned(), false),
            (ENCODED.to_owned(), false),
            (ENCODED.replace("%2F", "%2f").replace("%3D", "%3d"), false),
            (ENCODED.replace('%', "%25"), false),
            (REAL.replace('/', "\\/"), true),
            (ENCODED.replace('%', "\\u0025"), true),
        ] {
            if of_json && !is_json {
                continue;
            }
            let body = body.replace(SAMPLE, &written);
            for keep in [false, true] {
                let new = scrubbed(&body, keep).unwrap();
                assert_eq!(
                    secrets::found(&new, &[REAL]),
                    None,
                    "{}: {new}",
                    exchange.name
                );
                let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text);
                if let Ok(old) = parse(&body) {
                    documents += 1;
                    let new = parse(&new).unwrap();
                    assert_eq!(shape(&new), shape(&old), "{}", exchange.name);
                }
            }
        }
    }
    assert!(documents > 200, "{documents}");
}

#[test]
fn no_damaged_document_stops_it() {
    let bodies: Vec<Vec<u8>> = fixtures().into_iter().map(|one| one.reply).collect();
    const ALPHABET: &[u8] = b"\"\\{}[]:/%?&@u0\xc3";
    let mut random = 1u64;
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % below
    };
    for _ in 0..1000 {
        let mut body = bodies[next(bodies.len())].clone();
        for _ in 0..1 + next(8) {
            let at = next(body.len());
            match next(3) {
                0 => body[at] = ALPHABET[next(ALPHABET.len())],
                1 => body.truncate(at + 1),
                _ => drop(body.remove(at)),
            }
            if body.is_empty() {
                body.push(b'{');
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        let start = body.find(['{', '[']).unwrap_or_default();
        let body = body[start..].replace(SAMPLE, ENCODED);
        if let Ok(new) = scrubbed(&body, false) {
            assert_eq!(secrets::found(&new, &[REAL]), None, "{new}");
        }
    }
}

#[test]
fn threads_share_a_record() {
    let record = Record::new(Account::new());
    let api = api(record.clone(), REAL);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| api.me(U::BASIC).unwrap());
        }
    });
    let mut names = names_of(&record);
    names.sort();
    assert_eq!(names[0], "me");
    assert_eq!(names.len(), 8);
    names.dedup();
    assert_eq!(names.len(), 8);
}

/// All that is written of one exchange.
fn written(url: &str, response: Response) -> String {
    let record = Record::new(Script::new([Ok(response)]));
    record.send(&get(url)).unwrap();
    let fixture = record.fixtures().unwrap().remove(0);
    fixture.name + "\n" + &fixture.text
}

/// The body that is written for this one.
fn body(body: &str) -> String {
    let text = written(ME, plain(body));
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn what_is_learned_from_a_request_is_hidden_in_its_reply() {
    let url = "https://graph.instagram.com/me?appsecret_proof=0a1b2c3d4e5f6a7b&state=STATEofMine\
               &client_id=1903003&zq_own=PRIVATEvalue&appsecret%5Fsalt=SALTEDvalue";
    let reply = r#"{"error":{"message":"app 1903003, state=STATEofMine, %53ALTEDvalue","app":1903003,"count":1903004},
        "echo":"0a1b2c3d4e5f6a7b","caption":"PRIVATEvalue 0a1b2c3d4e5f6a7b %530"}"#;
    for keep in [false, true] {
        let mut record = Record::new(Script::new([Ok(plain(reply))]));
        if keep {
            record = record.keeping_captions();
        }
        record.send(&get(url)).unwrap();
        let text = record.fixtures().unwrap().remove(0).text;
        for private in [
            "0a1b2c3d",
            "STATEof",
            "1903003",
            "PRIVATE",
            "ALTEDvalue",
            "zq_own",
        ] {
            assert!(!text.contains(private), "{private}: {text}");
        }
        assert!(text.contains("1903004"), "{text}");
    }
}

#[test]
fn words_of_the_service_stay_and_others_go() {
    for (old, new) in [
        (
            r#"{"error":{"message":"(#100) Tried accessing nonexisting field (jays_secret) in state=abcdef for jay%2Ep","type":"OAuthException","code":100}}"#,
            r#"{"error":{"message":"(#100) Tried accessing nonexisting field (word1) in state=word2 for word3","type":"OAuthException","code":100}}"#,
        ),
        (
            r#"{"type":"Anna.Smith","media_type":"STORY_OF_2027","account_type":"Business","token_type":"bearer"}"#,
            r#"{"type":"Text 1","media_type":"STORY_OF_2027","account_type":"Business","token_type":"bearer"}"#,
        ),
        (
            r#"{"timestamp":"at Anna's","permissions":"instagram_business_basic,anna","scope":["user_profile","Anna"]}"#,
            r#"{"timestamp":"Text 1","permissions":"Text 2","scope":["user_profile","Text 3"]}"#,
        ),
        (
            r#"{"timestamp":"2026-11-22T08:00:00+0000","Anna Smith":1,"anna":2,"media_count":3}"#,
            r#"{"timestamp":"2026-11-22T08:00:00+0000","Text 1":1,"Text 2":2,"media_count":3}"#,
        ),
        // A byte order mark, and what is no JSON.
        (
            "\u{feff}{\"username\":\"anna\"}",
            "\u{feff}{\"username\":\"user1\"}",
        ),
        (
            r#"null {"username":"anna"} anna"#,
            r#"null {"username":"user1"} user1"#,
        ),
        (
            r#"{anna: "b", 'anna': true, false]"#,
            r#"{word1: "Text 1", 'word1': true, false]"#,
        ),
        (
            "<html><title>Error</title><p class=\"anna\">Sorry, Anna!</p></html>",
            "<html><title>Error</title><p word1=\"Text 1\">Sorry, word2!</p></html>",
        ),
        (
            "Sorry, Anna: \u{430}\u{43d}\u{43d}\u{430}",
            "Sorry, word1: word2",
        ),
        // Long numbers of every form.
        (
            "[-17841405793187218,178414057931.5,1.7841405793187218e16,12,-1.5e3]",
            "[17900000000000001,1790000000002,1790000000000000003,12,-1.5e3]",
        ),
    ] {
        assert_eq!(body(old), new);
    }
}

#[test]
fn of_urls_only_known_parts_stay() {
    for (url, new) in [
        ("My private text https://www.instagram.com/p/ABC/", "Text 1"),
        ("https://www.instagram.com/p/ABC/ and text", "Text 1"),
        ("anna://www.instagram.com/p/ABC/", "Text 1"),
        (
            "https://anna:SECRETpw@scontent.cdninstagram.com/v/1.jpg",
            "https://example.com/1",
        ),
        (
            "https://anna.fbcdn.net/v/1.jpg",
            "https://scontent.fbcdn.net/v/1.jpg",
        ),
        (
            "https://real_user.fbcdn.net/v/1.jpg",
            "https://example.com/1",
        ),
        (
            "https://graph.anna.instagram.com/me",
            "https://example.com/1",
        ),
        ("https://anna.instagram.com/me", "https://example.com/1"),
        ("https://graph.instagram.com:99/me", "https://example.com/1"),
        (
            "HTTPS://WWW.Instagram.com/Anna/#anna",
            "https://www.instagram.com/user1/",
        ),
        (
            "https://scontent.cdninstagram.com/v/1.anna?anna&oe=anna&oh=anna&oe=6A2B7C00#anna",
            "https://scontent.cdninstagram.com/v/1.bin?x1&oe=x1&oh=x1&oe=6A2B7C00",
        ),
        (
            "https://graph.instagram.com/anna/media?since=anna&anna=1&fields=id,anna(anna)&limit=anna",
            "https://graph.instagram.com/x1/media?since=x1&x2&fields=x3&limit=x1",
        ),
    ] {
        assert_eq!(body(&format!("[{url:?}]")), format!("[{new:?}]"));
    }
}

#[test]
fn headers_pass_with_known_values_only() {
    for (name, value, new) in [
        (
            "Content-Type",
            "application/json; boundary=Anna; charset=UTF-8",
            "application/json; word1=word2; charset=UTF-8",
        ),
        ("Content-Type", "anna/smith", "word1/word2"),
        (
            "Cache-Control",
            "private, max-age=60, anna=\"b\"",
            "private, max-age=60, word1=\"word2\"",
        ),
        (
            "WWW-Authenticate",
            "OAuth \"Facebook Platform\" \"invalid_token\" \"Hello Anna\"",
            "OAuth \"Facebook Platform\" \"invalid_token\" \"word1 word2\"",
        ),
        (
            "Expires",
            "Sat, 01 Jan 2000 00:00:00 GMT",
            "Sat, 01 Jan 2000 00:00:00 GMT",
        ),
        (
            "Vary",
            "Origin, Accept-Encoding, Anna",
            "Origin, Accept-Encoding, word1",
        ),
        ("Instagram-Api-Version", "v25.0", "v25.0"),
        ("Instagram-Api-Version", "v25.0anna", "word1"),
        ("X-App-Usage", "anna {\"anna\":1}", "word1 {\"Text 1\":1}"),
    ] {
        let text = written(ME, with(name, value, "{}"));
        assert!(text.contains(&format!("\r\n{name}: {new}\r\n")), "{text}");
    }
}

/// A transport may read on; the library does not.
#[test]
fn a_body_ends_where_its_length_says() {
    let long = || with("Content-Length", "10", "{\"id\":\"1\"}JUNK of Anna");
    let record = Record::new(Script::new([Ok(long())]));
    let me = api(record.clone(), REAL).me("").unwrap();
    assert_eq!(me.id, "1");
    assert_eq!(record.omitted(), [""; 0]);
    let text = record.fixtures().unwrap().remove(0).text;
    assert!(text.ends_with("\r\n\r\n{\"id\":\"1\"}"), "{text}");
    // The rest is passed on.
    let mut response = Record::new(Script::new([Ok(long())]))
        .send(&get(ME))
        .unwrap();
    let mut body = String::new();
    response.body.read_to_string(&mut body).unwrap();
    assert_eq!(body, "{\"id\":\"1\"}JUNK of Anna");
}

/// What only the program knows: parameters of every call, an edge, a field's argument.
#[test]
fn what_is_not_known_of_requests_still_plays() {
    let calls = |api: &Api, name: &str| {
        let fields = format!("business_discovery.username({name}){{media_count}}");
        let node = api.node::<mingram::User>("me", &[("fields", &fields)]);
        let edge = api.edge::<mingram::Media>("me/zq_edge").into_iter();
        let media = api.edge::<mingram::Media>("me/media").into_iter();
        let ids: Vec<String> = edge.chain(media).map(|one| one.unwrap().id).collect();
        (node.unwrap().id, ids)
    };
    let replies = [
        r#"{"id":"1"}"#,
        r#"{"data":[{"id":"2"}]}"#,
        r#"{"data":[{"id":"3"}]}"#,
    ];
    let record = Record::new(Script::new(replies.map(|reply| Ok(plain(reply)))));
    let own = api(record.clone(), REAL)
        .with_param("appsecret_proof", "0a1b2c3d4e5f")
        .with_param("zq_param", "x")
        .with_param("locale", "de_DE");
    let live = calls(&own, "bluebottle");
    let fixtures = record.fixtures().unwrap();
    let texts: String = fixtures.iter().map(|one| one.text.as_str()).collect();
    for private in ["bluebottle", "0a1b2c3d", "zq_param", "zq_", "de_DE"] {
        assert!(!texts.contains(private), "{private}: {texts}");
    }
    assert!(texts.contains("/me/*?"), "{texts}");
    let played = |api: &dyn Fn(Api) -> Api| {
        let mut replay = Replay::new();
        for one in &fixtures {
            replay = replay.with_exchange(&one.name, one.text.clone()).unwrap();
        }
        let facts = calls(
            &api(Api::new("any-token").with_transport(replay.clone())),
            "other",
        );
        assert_eq!(replay.unused(), [""; 0]);
        facts
    };
    assert_eq!(played(&|api| api), live);
    assert_eq!(
        played(&|api| api.with_param("appsecret_proof", "fff")),
        live
    );
}

/// Words and user names that nobody knows, at every place of an exchange and in every
/// encoding.
#[test]
fn nothing_private_stays_wherever_it_stands() {
    const KEYS: &str = "username name biography caption text alt_text message error_message type media_type \
        token_type id user_id timestamp permissions scope shortcode title description period url next end_time \
        dimension_values access_token fbtrace_id state code unknown_key website";
    const HEADERS: &str = "Content-Type Cache-Control Date Expires Pragma Vary Retry-After Instagram-Api-Version \
        X-App-Usage X-Business-Use-Case-Usage Location WWW-Authenticate X-Private Set-Cookie";
    let mut random = 7u64;
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % below
    };
    let keys: Vec<&str> = KEYS.split_whitespace().collect();
    let headers: Vec<&str> = HEADERS.split_whitespace().collect();
    for round in 0..3000 {
        let letters = (0..9).map(|_| char::from(b"qxzvkwjQXZVKWJ"[next(14)]));
        // In lower case it could be a metric.
        let word = format!("Q{}", letters.collect::<String>());
        let name = format!("{}_{}", &word[..4], &word[4..]).to_lowercase();
        let private = [&word, &name][next(2)];
        let percent = |text: &str| {
            text.bytes()
                .map(|b| format!("%{b:02x}"))
                .collect::<String>()
        };
        let json = |text: &str| {
            text.chars()
                .map(|c| format!("\\u{:04x}", c as u32))
                .collect::<String>()
        };
        let coded = match next(3) {
            0 => private.clone(),
            1 => percent(private),
            _ => percent(private).replace('%', "%25"),
        };
        let placed = match next(10) {
            0 => coded.clone(),
            1 => format!("see {coded}, and"),
            2 => format!("https://www.instagram.com/{coded}/"),
            3 => format!("https://www.instagram.com/p/{coded}/?x={coded}#{coded}"),
            4 => format!("https://{coded}.cdninstagram.com/v/{coded}.jpg"),
            5 => format!("https://a:{coded}@scontent.fbcdn.net/v/1.{coded}?{coded}&oh={coded}"),
            6 => format!(
                "https://graph.instagram.com/{coded}/media?{coded}=1&fields=a({coded})&after={coded}"
            ),
            7 => format!("{coded}://instagram.com/{coded}"),
            8 => format!("@{coded}"),
            _ => format!("2026-11-22T08:00:00+0000{coded}"),
        };
        let inside = if next(3) == 0 {
            json(&placed)
        } else {
            placed.clone()
        };
        let key = keys[next(keys.len())];
        let reply = match next(8) {
            0 => format!(r#"{{"{key}":"{inside}"}}"#),
            1 => format!(r#"{{"insights":{{"data":[{{"{key}":["{inside}"],"{inside}":3}}]}}}}"#),
            2 => format!(r#"{{"data":[{{"{key}":{{"{inside}":["{inside}",null]}}}}]}}"#),
            3 => format!("\u{feff} null [\"{inside}\"] {placed}"),
            4 => format!("<html {placed}=\"{placed}\">{placed}</html>"),
            5 => placed.clone(),
            6 => format!(r#"{{"error":{{"{key}":"{inside}"#),
            _ => format!(r#"{{'{placed}':{placed},"username":"{name}"}}"#),
        };
        let url = match next(5) {
            0 => format!("https://graph.instagram.com/{coded}/{name}/x.{coded}"),
            1 => format!("https://graph.instagram.com/me?{coded}={coded}&{coded}"),
            2 => format!(
                "https://graph.instagram.com/me?fields=id,x({coded}),{word}&limit={coded}&metric={word}"
            ),
            3 => format!(
                "https://graph.instagram.com/me?after={coded}&since={coded}&state={coded}&q={coded}"
            ),
            _ => ME.to_owned(),
        };
        let header = headers[next(headers.len())];
        let record = Record::new(Script::new([
            Ok(with(header, &placed, reply.clone())),
            Ok(plain(format!(r#"{{"username":"{name}"}}"#))),
        ]));
        record.send(&get(&url)).unwrap();
        record.send(&get(ME)).unwrap();
        for Fixture { name, text, .. } in record.fixtures().unwrap() {
            let text = format!("{name}\n{text}");
            let found = secrets::found(&text, &[private]);
            assert_eq!(
                found, None,
                "{round}: {url}\n{header}: {placed}\n{reply}\n\n{text}"
            );
        }
    }
}

#[test]
fn user_names_go_from_what_is_kept() {
    let keep = |body: &str| {
        let replies = [body, r#"{"username":"real_user"}"#].map(|body| Ok(plain(body)));
        let record = Record::new(Script::new(replies));
        let record = record.keeping_ids().keeping_captions();
        record.send(&get(ME)).unwrap();
        record.send(&get(ME)).unwrap();
        let text = record.fixtures().unwrap().remove(0).text;
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    for (old, new) in [
        (
            "With Real_User. \u{1f35e}real_user\u{1f35e}!",
            "With user1. \u{1f35e}user1\u{1f35e}!",
        ),
        (
            "See real%5Fuser, %40real%255fuser and @anna",
            "See user2, user2 and @user1",
        ),
        (r"See real\\u005fuser", "Caption 1"),
        ("See a%20real%5Fuser", "Caption 1"),
    ] {
        let body = format!(r#"{{"caption":"{old}"}}"#);
        assert_eq!(keep(&body), format!(r#"{{"caption":"{new}"}}"#));
    }
    for (old, new) in [
        (
            "https://www.instagram.com/real_user/",
            "https://www.instagram.com/user1/",
        ),
        (
            "https://www.instagram.com/anna/p/DKa1/",
            "https://www.instagram.com/user1/p/DKa1/",
        ),
        (
            "https://scontent.fbcdn.net/v/real%5Fuser/1.jpg",
            "https://scontent.fbcdn.net/v/user1/1.jpg",
        ),
    ] {
        assert_eq!(keep(&format!("[{old:?}]")), format!("[{new:?}]"));
    }
    assert_eq!(
        keep(r#"{"id":"real_user","owner_id":"Anna S.","shortcode":"An a"}"#),
        r#"{"id":"user1","owner_id":"ID2","shortcode":"CODE1"}"#
    );
}
