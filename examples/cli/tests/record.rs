//! The command `record`: what it writes can be replayed, and nothing that must not be
//! published is in it.

mod support;

use mingram::auth::{LongLivedToken, TokenFile};
use mingram::{Api, Media, MediaField as M, User, UserField as U};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use support::common::replay::{Exchange, Replay, TOKEN};
use support::common::{Folder, Server, api, fixtures, json};
use support::program::{Ended, Program};
use support::secret::{REAL, written};

/// The service as it would be for the holder of [`REAL`]: the fixtures, their
/// token changed, in links as the service writes them.
fn service() -> Replay {
    Replay::start(exchanges().collect()).unwrap()
}

fn exchanges() -> impl Iterator<Item = Exchange> {
    let encoded = "IGQVJ%2Fre%25al%3Dsecret";
    fixtures().into_iter().map(move |mut exchange| {
        exchange.target = exchange.target.replace(TOKEN, encoded);
        let reply = String::from_utf8(exchange.reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let link = match body.contains("\\u0025") {
            true => encoded.replace('%', "\\u0025"),
            false => encoded.to_owned(),
        };
        let body = body.replace(TOKEN, &link);
        let head: Vec<String> = head
            .lines()
            .map(|line| match line.starts_with("Content-Length:") {
                true => format!("Content-Length: {}", body.len()),
                false => line.to_owned(),
            })
            .collect();
        let cookie = "Set-Cookie: csrftoken=COOKIEsecret; ig_did=1";
        exchange.reply = format!("{}\r\n{cookie}\r\n\r\n{body}", head.join("\r\n")).into_bytes();
        exchange
    })
}

/// Records into a folder of its own.
fn recorded(url: &str, args: &str) -> (Folder, PathBuf, Ended) {
    let folder = Folder::new();
    let file = TokenFile::new(folder.0.join("token.json"));
    file.save(&LongLivedToken::new(REAL, None, SystemTime::now()))
        .unwrap();
    let out = folder.0.join("mine");
    let ended = Program::new("record")
        .arg(&out)
        .args(args)
        .arg("--token-file")
        .arg(file.path())
        .env("INSTAGRAM_BASE_URL", url)
        .run();
    (folder, out, ended)
}

fn recording(folder: &Path) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            Exchange::parse(name, &std::fs::read(&path).unwrap()).unwrap()
        })
        .collect();
    exchanges.sort_by(|a, b| a.name.cmp(&b.name));
    exchanges
}

/// What the recorded calls answer.
struct Answers {
    me: User,
    media: Vec<Media>,
    one: Media,
    children: Vec<Media>,
}

fn answers(api: &Api) -> Answers {
    let me = api.me(U::BASIC).unwrap();
    let media: Vec<Media> = api
        .my_media(M::WITH_CHILDREN)
        .page_size(4)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    let fields = [M::Id, M::MediaType, M::MediaUrl, M::Username, M::Timestamp];
    let one = api.media(&media[0].id, fields).unwrap();
    let album = media.iter().find(|media| media.children.is_some()).unwrap();
    let children = api
        .children(&album.id, M::CHILD)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    Answers {
        me,
        media,
        one,
        children,
    }
}

impl Answers {
    /// Every media in them, nested ones too.
    fn all(&self) -> Vec<&Media> {
        let nested = self
            .media
            .iter()
            .flat_map(|media| media.children.iter().flatten());
        self.media
            .iter()
            .chain(nested)
            .chain([&self.one])
            .chain(&self.children)
            .collect()
    }
}

/// What is signed in an address, and the user names, are replaced whatever is
/// kept: made equal here on both sides.
fn without_names_and_signatures(answers: &mut Answers) {
    fn blank(media: &mut Media) {
        assert!(media.username.take().is_some());
        for url in [&mut media.media_url, &mut media.thumbnail_url]
            .into_iter()
            .flatten()
        {
            let (path, query) = url.split_once('?').unwrap_or((url, ""));
            let expires = query.split('&').find(|param| param.starts_with("oe="));
            let path = path.replace("fb-s-b-a.", "fb.");
            *url = format!("{path}?{}", expires.unwrap_or_default());
        }
        media.children.iter_mut().flatten().for_each(blank);
    }
    assert!(answers.me.username.take().is_some());
    let Answers {
        media, children, ..
    } = answers;
    let media = media.iter_mut().chain(children);
    media.chain([&mut answers.one]).for_each(blank);
}

#[test]
fn what_is_recorded_replays_to_the_same_structs() {
    let service = service();
    let (_folder, out, ended) = recorded(&service.url(), "--limit 4 --keep-ids --keep-captions");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    let mut live = answers(&api(&service.url()).with_token(REAL));
    let replay = Replay::start(recording(&out)).unwrap();
    let mut replayed = answers(&api(&replay.url()));
    without_names_and_signatures(&mut live);
    without_names_and_signatures(&mut replayed);
    assert_eq!(replayed.me, live.me);
    assert_eq!(replayed.media, live.media);
    assert_eq!(replayed.one, live.one);
    assert_eq!(replayed.children, live.children);
    assert_eq!(live.media.len(), 11);
}

/// The service compresses what the program asks to be compressed.
#[test]
fn what_is_recorded_is_text_if_the_replies_are_compressed() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let compressed = exchanges().map(|mut exchange| {
        let head = exchange.reply.windows(4).position(|end| end == b"\r\n\r\n");
        let body = exchange.reply.split_off(head.unwrap() + 4);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&body).unwrap();
        let body = encoder.finish().unwrap();
        let head = String::from_utf8(exchange.reply).unwrap();
        let lines = head.trim_end().lines();
        let kept: Vec<&str> = lines
            .filter(|line| !line.starts_with("Content-Length:"))
            .chain(["Content-Encoding: gzip"])
            .collect();
        let head = format!(
            "{}\r\nContent-Length: {}\r\n\r\n",
            kept.join("\r\n"),
            body.len()
        );
        exchange.reply = [head.as_bytes(), &body].concat();
        exchange
    });
    let compressed = Replay::start(compressed.collect()).unwrap();
    let plain = service();
    let [of_plain, of_compressed] = [&plain, &compressed].map(|service| {
        let (folder, out, ended) = recorded(&service.url(), "--limit 4");
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
        (folder, recording(&out))
    });
    assert_eq!(of_plain.1.len(), 6);
    for (plain, compressed) in of_plain.1.iter().zip(&of_compressed.1) {
        assert_eq!(plain.name, compressed.name);
        let [plain, compressed] = [plain, compressed].map(|e| String::from_utf8_lossy(&e.reply));
        assert_eq!(plain, compressed);
    }
    for request in compressed.received() {
        let asked = request
            .headers
            .iter()
            .find(|(name, _)| name == "accept-encoding");
        assert_eq!(asked.unwrap().1, "gzip");
    }
}

/// As `backup` and `frame`: the token of the environment comes first, and that
/// of the file is refreshed when that is due.
#[test]
fn the_token_comes_from_the_environment_or_is_refreshed() {
    let service = service();
    let folder = Folder::new();
    let out = folder.0.join("mine");
    let ended = Program::new("record")
        .arg(&out)
        .args("--limit 4")
        .env("INSTAGRAM_TOKEN", REAL)
        .env("MINGRAM_TOKEN_FILE", folder.0.join("none"))
        .env("INSTAGRAM_BASE_URL", service.url())
        .run();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(recording(&out).len(), 6);

    let file = TokenFile::new(folder.0.join("token.json"));
    let old = SystemTime::now() - Duration::from_secs(45 * 86_400);
    let life = Some(Duration::from_secs(60 * 86_400));
    file.save(&LongLivedToken::new("IGQVJold", life, old))
        .unwrap();
    let server = Server::script([
        json("200 OK", r#"{"access_token":"IGQVJ/re%al=secret"}"#),
        json("200 OK", r#"{"id":"17841405793187218"}"#),
        json("200 OK", r#"{"data":[]}"#),
    ]);
    let out = folder.0.join("refreshed");
    let ended = Program::new("record")
        .arg(&out)
        .env("MINGRAM_TOKEN_FILE", file.path())
        .env("INSTAGRAM_BASE_URL", server.url())
        .run();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(file.load().unwrap().token.expose(), REAL);
    let names: Vec<String> = recording(&out).into_iter().map(|e| e.name).collect();
    assert_eq!(
        names,
        ["media-page-1", "profile"],
        "the refresh is not recorded"
    );
    for received in &server.received()[1..] {
        assert_eq!(
            support::common::param(received, "access_token").as_deref(),
            Some(REAL)
        );
    }
}

#[test]
fn what_is_replaced_is_replaced_the_same_everywhere() {
    let service = service();
    let (_folder, out, ended) = recorded(&service.url(), "--limit 4");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    let live = answers(&api(&service.url()).with_token(REAL));
    let replay = Replay::start(recording(&out)).unwrap();
    let replayed = answers(&api(&replay.url()));

    let (old, new) = (live.all(), replayed.all());
    assert_eq!(old.len(), new.len());
    let pairs: BTreeSet<(&str, &str)> = old
        .iter()
        .zip(&new)
        .map(|(old, new)| (old.id.as_str(), new.id.as_str()))
        .collect();
    let olds: BTreeSet<&str> = pairs.iter().map(|(old, _)| *old).collect();
    let news: BTreeSet<&str> = pairs.iter().map(|(_, new)| *new).collect();
    // One for one, and none as it was.
    assert_eq!((olds.len(), news.len()), (pairs.len(), pairs.len()));
    assert!(olds.is_disjoint(&news));
    for (old, new) in old.iter().zip(&new) {
        assert_eq!(old.id.len(), new.id.len());
        assert_eq!(old.media_type, new.media_type);
        assert_eq!(old.timestamp, new.timestamp);
        assert_eq!(
            old.children.as_ref().map(Vec::len),
            new.children.as_ref().map(Vec::len)
        );
        assert_eq!(new.username.as_deref(), Some("user1"));
        assert_eq!(old.caption.is_some(), new.caption.is_some());
        assert_eq!(
            old.caption.as_deref() == Some(""),
            new.caption.as_deref() == Some("")
        );
        assert_eq!(old.media_url.is_some(), new.media_url.is_some());
        assert_eq!(old.media_url_expires_at(), new.media_url_expires_at());
        assert_eq!(old.permalink.is_some(), new.permalink.is_some());
    }
    assert_eq!(replayed.me.media_count, live.me.media_count);
    assert_eq!(replayed.me.username.as_deref(), Some("user1"));
    // The address of one file is the same wherever it is.
    assert_eq!(
        replayed.children[0].media_url,
        replayed.media[2].children.as_ref().unwrap()[0].media_url
    );

    let files: String = recording(&out)
        .iter()
        .map(|exchange| {
            format!(
                "{}{}",
                exchange.target,
                String::from_utf8_lossy(&exchange.reply)
            )
        })
        .collect();
    for private in [
        "jayposiris",
        "sourdough",
        "小さな猫",
        "17841405793187218",
        "DKa1",
        "oh=00_956956",
        "68004550_178956956_n",
    ] {
        assert!(!files.contains(private), "{private}");
    }
}

#[test]
fn no_secret_is_in_the_files() {
    for args in [
        "--limit 4",
        "--limit 4 --keep-ids --keep-captions",
        "--limit 4 --pages 1",
    ] {
        let service = service();
        let (_folder, out, ended) = recorded(&service.url(), args);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let files: Vec<PathBuf> = std::fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        for file in &files {
            let text = std::fs::read_to_string(file).unwrap();
            for secret in written() {
                assert!(!text.contains(&secret), "{secret} in {}", file.display());
            }
            for cursor in ["QVFIUk", "xZAW5k"] {
                assert!(!text.contains(cursor), "{cursor} in {}", file.display());
            }
            let lower = text.to_lowercase();
            for header in ["set-cookie", "x-fb-", "cookiesecret", "trace"] {
                assert!(!lower.contains(header), "{header} in {}", file.display());
            }
            assert!(text.contains("access_token=IGQVJsample"));
            let (comment, request) = text.split_once('\n').unwrap();
            let comment = comment.strip_prefix("# Recorded 20").unwrap();
            let (number, request) = request.split_once('\n').unwrap();
            assert!(number.starts_with("# Exchange "), "{number}");
            let end = " from graph.instagram.com, API v1.0 (no version in the request).";
            assert!(comment.ends_with(end), "{comment}");
            assert!(request.starts_with("GET https://graph.instagram.com/"));
        }
        assert_eq!(files.len(), if args.contains("--pages 1") { 4 } else { 6 });
        for secret in written() {
            assert!(!format!("{ended:?}").contains(&secret));
        }
    }
}

#[test]
fn the_bytes_around_what_is_replaced_stay() {
    let service = service();
    let (_folder, out, _) = recorded(&service.url(), "--limit 4 --keep-ids --keep-captions");
    let page =
        |number| std::fs::read_to_string(out.join(format!("media-page-{number}.http"))).unwrap();
    let (one, two) = (page(1), page(2));
    for (text, holds) in [
        (
            &one,
            r#""next":"https:\/\/graph.instagram.com\/v1.0\/17841405793187218\/media?access_token=IGQVJsample&fields=id\u00252Ccaption"#,
        ),
        (&one, r#"\ud83c\udf5e\ud83d\udd25 it rose!"#),
        (&one, r#"&limit=4&after=CURSOR2"}}"#),
        (
            &one,
            "X-App-Usage: {\"call_count\":4,\"total_time\":3,\"total_cputime\":2}\r\n",
        ),
        (&one, "Content-Type: application/json; charset=UTF-8\r\n"),
        (
            &two,
            "after=CURSOR2&access_token=IGQVJsample\n\nHTTP/1.1 200 OK\r\n",
        ),
        (&two, "小さな猫 🐈 日向ぼっこ"),
        (&two, r#""next":"https://graph.instagram.com/"#),
        (&two, r#""peak":31"#),
        (&two, r#""Line one\nline two\ttabbed""#),
    ] {
        assert!(text.contains(holds), "{holds}\n{text}");
    }
    for exchange in recording(&out) {
        let reply = String::from_utf8(exchange.reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
    }
}

#[test]
fn an_error_is_recorded_too_and_the_rest_is_asked() {
    let error = |code| {
        format!(r#"{{"error":{{"message":"Object 17841405793187218 of {REAL}","type":"OAuthException","code":{code},"fbtrace_id":"ATraceOfMine"}}}}"#).replace('/', "\\/")
    };
    let server = Server::script([
        json(
            "200 OK",
            r#"{"id":17841405793187218,"username":"jayposiris"}"#,
        ),
        json("400 Bad Request", &error(100)),
    ]);
    let (_folder, out, ended) = recorded(&server.url(), "");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .err
            .starts_with("mingram record: GET /me/media: the service returned error 100")
    );
    assert_eq!(ended.err.lines().count(), 1);
    let names: Vec<String> = recording(&out)
        .into_iter()
        .map(|exchange| exchange.name)
        .collect();
    assert_eq!(names, ["media-page-1", "profile"]);
    let page = std::fs::read_to_string(out.join("media-page-1.http")).unwrap();
    assert!(page.contains("HTTP/1.1 400 Bad Request\r\n"), "{page}");
    assert!(
        page.contains(r#""message":"Object 17900000000000001 of IGQVJsample""#),
        "{page}"
    );
    assert!(page.contains(r#""fbtrace_id":"TRACEsample""#));
    let profile = std::fs::read_to_string(out.join("profile.http")).unwrap();
    assert!(
        profile.ends_with(r#"{"id":17900000000000001,"username":"user1"}"#),
        "{profile}"
    );
}

#[test]
fn a_retry_is_an_exchange_of_its_own_and_a_broken_reply_is_none() {
    let whole = json("200 OK", r#"{"id":"17841405793187218"}"#);
    let server = Server::script([
        json(
            "500 Internal Server Error",
            r#"{"error":{"message":"m","code":2,"is_transient":true}}"#,
        ),
        whole[..whole.len() - 5].to_owned(),
        whole,
        json("200 OK", r#"{"data":[]}"#),
    ]);
    let (_folder, out, ended) = recorded(&server.url(), "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let names: Vec<String> = recording(&out)
        .into_iter()
        .map(|exchange| exchange.name)
        .collect();
    assert_eq!(names, ["media-page-1", "profile", "profile-2"]);
    // Replayed, the first answer comes first.
    let replay = Replay::start(recording(&out)).unwrap();
    let me = api(&replay.url()).with_retries(1).me(U::BASIC).unwrap();
    assert_eq!(me.id, "17900000000000001");
    assert_eq!(replay.received().len(), 2);
}

#[test]
fn writes_nothing_where_the_token_is_still_in_it() {
    let hidden = REAL.replace('/', r"\\/");
    let server = Server::script([
        json("200 OK", &format!(r#"{{"id":"1","caption":"{hidden}"}}"#)),
        json("200 OK", r#"{"data":[]}"#),
    ]);
    let (_folder, out, ended) = recorded(&server.url(), "--keep-captions");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let says = "mingram record: the access token is still in profile, so nothing is written\n";
    assert_eq!(ended.err, says);
    assert_eq!(std::fs::read_dir(out).unwrap().count(), 0);
}

/// A limit on the size of files stands for a full disk; its signal is ignored,
/// as the error says it all.
#[cfg(unix)]
#[test]
fn what_cannot_be_written_is_named_and_leaves_no_half_of_it() {
    let service = service();
    let folder = Folder::new();
    let out = folder.0.join("mine");
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 2 && exec \"$0\" record \"$1\" --limit 4",
        ])
        .arg(support::program::path())
        .arg(&out)
        .env("INSTAGRAM_TOKEN", REAL)
        .env("INSTAGRAM_BASE_URL", service.url())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let says = format!(
        "mingram record: {}/media-page-1.http cannot be saved: File too large (os error 27)\n",
        out.display()
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), says);
    // The first is smaller than the limit.
    let names: Vec<_> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["profile.http"]);
}

#[test]
fn refuses_a_folder_with_a_recording_and_bad_options() {
    let says = |program: Program, code, text: &str| {
        let ended = program.run();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(
            ended.err.starts_with("mingram record: ") && ended.err.contains(text),
            "{ended:?}"
        );
        assert_eq!(ended.err.lines().count(), 1);
    };
    let folder = Folder::new();
    let file = folder.0.join("token.json");
    TokenFile::new(&file)
        .save(&LongLivedToken::new(REAL, None, SystemTime::now()))
        .unwrap();
    let program = |args: &str| {
        Program::new("record")
            .args(args)
            .env("MINGRAM_TOKEN_FILE", &file)
    };
    says(program(""), 2, "the directory to write into is missing");
    says(program("a b"), 2, "there is one argument too many");
    says(
        program("x --pages 0"),
        2,
        "--pages takes a whole number from 1 to 1000",
    );
    says(
        program("x --limit 101"),
        2,
        "--limit takes a whole number from 1 to 100",
    );
    says(program("x --what"), 2, "--what");
    let old = folder.0.join("old");
    std::fs::create_dir(&old).unwrap();
    std::fs::write(old.join("profile.http"), "kept").unwrap();
    says(program("").arg(&old), 5, "has a recording in it");
    assert_eq!(
        std::fs::read_to_string(old.join("profile.http")).unwrap(),
        "kept"
    );
    says(program("").arg(&file), 5, "cannot create or read");
    let none = program("")
        .arg(folder.0.join("new"))
        .env("MINGRAM_TOKEN_FILE", folder.0.join("no"));
    says(none, 3, "there is no token file");
    let help = program("--help").run();
    assert_eq!(help.code, Some(0));
    for option in [
        "--pages",
        "--limit",
        "--all-fields",
        "--keep-ids",
        "--keep-captions",
        "--token-file",
        "Exit codes",
    ] {
        assert!(help.out.contains(option), "{option}");
    }
    assert!(help.out.lines().all(|line| line.chars().count() <= 80));
}
