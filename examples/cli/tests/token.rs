//! The command `token`: log in, import, look, refresh.

mod support;

use mingram::auth::{LongLivedToken, TokenFile};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use support::common::replay::TOKEN;
use support::common::{Folder, Server, http_date, json, replay, reply};
use support::program::{Ended, Program};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A folder for a token file, and the tool aimed at it and at a server.
struct Desk {
    folder: Folder,
    url: String,
}

impl Desk {
    fn new(url: &str) -> Desk {
        Desk {
            folder: Folder::new(),
            url: url.to_owned(),
        }
    }

    fn file(&self) -> TokenFile {
        TokenFile::new(self.folder.0.join("token.json"))
    }

    /// Stores a token of this age, good for so many days in all.
    fn store(&self, text: &str, age: Duration, life: Option<u32>) {
        let at = SystemTime::now() - age;
        let life = life.map(|days| DAY * days);
        self.file()
            .save(&LongLivedToken::new(text, life, at))
            .unwrap();
    }

    fn token(&self, args: &str) -> Program {
        Program::new("token")
            .args(args)
            .env("MINGRAM_TOKEN_FILE", self.file().path())
            .env("INSTAGRAM_BASE_URL", &self.url)
            .env("INSTAGRAM_LOGIN_URL", &self.url)
    }

    fn run(&self, args: &str) -> Ended {
        self.token(args).run()
    }

    /// The token in the file.
    fn stored(&self) -> LongLivedToken {
        self.file().load().unwrap()
    }
}

/// One line on stderr, behind the tool's name.
fn error(ended: &Ended) -> &str {
    let line = ended
        .err
        .strip_prefix("mingram token: ")
        .unwrap_or_else(|| panic!("{ended:?}"));
    assert_eq!(ended.err.matches('\n').count(), 1, "{ended:?}");
    line.trim_end()
}

/// A server that is not asked.
const NOBODY: &str = "http://127.0.0.1:9";

#[test]
fn help_names_every_command_option_and_code() {
    for flag in ["--help", "-h", "login --help"] {
        let help = Program::new("token").args(flag).run();
        assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
        for word in [
            "token login",
            "token import",
            "token status",
            "token refresh",
            "--token-file",
            "--basic-display",
            "--client-id",
            "--redirect-uri",
            "--secret-file",
            "--age",
            "--expires-in",
            "--no-check",
            "--within",
            "--offline",
            "--force",
            "Exit codes",
            "$MINGRAM_TOKEN_FILE",
            "INSTAGRAM_BASE_URL",
            "INSTAGRAM_LOGIN_URL",
            "INSTAGRAM_API_VERSION",
            "INSTAGRAM_CLIENT_SECRET",
        ] {
            assert!(help.out.contains(word), "{word}");
        }
        assert!(help.out.lines().all(|line| line.chars().count() <= 80));
    }
    let version = Program::new("token").args("-V").run();
    assert_eq!(
        version.out,
        concat!("mingram ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn a_wrong_command_line_is_refused_with_code_2() {
    let desk = Desk::new(NOBODY);
    for (args, says) in [
        ("", "say login, import, status or refresh"),
        ("renew", "has login, import, status and refresh"),
        ("import IGQVJsecret", "one argument too many"),
        ("status --bogus", "--bogus"),
        (
            "status --within soon",
            "--within takes a whole number from 0 to 36500",
        ),
        ("status --within", "--within"),
        ("import --age 99999999", "--age takes"),
        ("refresh --offline", "--offline belongs to `token status`"),
        ("status --no-check", "--no-check belongs to `token import`"),
        ("login", "--client-id"),
        ("login --client-id 1", "--redirect-uri"),
        (
            "login --client-id 1 --redirect-uri https://x/",
            "--secret-file",
        ),
    ] {
        let ended = desk.run(args);
        assert_eq!(ended.code, Some(2), "{args}: {ended:?}");
        assert!(error(&ended).contains(says), "{args}: {ended:?}");
        assert!(!ended.err.contains("IGQVJ"), "{ended:?}");
        assert_eq!(ended.out, "");
    }
}

#[test]
fn the_token_file_is_looked_for_where_help_says() {
    let home = Folder::new();
    let missing = |program: Program| error(&program.run()).to_owned();
    let status = || Program::new("token").args("status --offline");
    let place = |path: &str| {
        format!(
            "there is no token file {}/{path}: run `mingram token login` or `mingram token import`",
            home.0.display()
        )
    };
    let at = |name: &str| home.0.join(name);
    let all = || {
        status()
            .env("HOME", &home.0)
            .env("XDG_CONFIG_HOME", at("xdg"))
            .env("MINGRAM_TOKEN_FILE", at("named.json"))
    };
    assert_eq!(
        missing(all().arg("--token-file").arg(at("given.json"))),
        place("given.json")
    );
    assert_eq!(missing(all()), place("named.json"));
    assert_eq!(
        missing(all().env("MINGRAM_TOKEN_FILE", "")),
        place("xdg/mingram/token.json")
    );
    assert_eq!(
        missing(status().env("HOME", &home.0)),
        place(".config/mingram/token.json")
    );
    assert!(missing(status()).contains("no place for the token file"));
}

#[test]
fn a_login_from_the_address_to_the_file() {
    for basic in [false, true] {
        let server = Server::script([
            json(
                "200 OK",
                r#"{"access_token":"IGQVJshort","user_id":17841405793187218,"permissions":"instagram_business_basic,user_profile,user_media"}"#,
            ),
            json(
                "200 OK",
                r#"{"access_token":"IGQVJlong","token_type":"bearer","expires_in":5183944}"#,
            ),
        ]);
        let desk = Desk::new(&server.url());
        let secret = desk.folder.0.join("secret");
        private(&secret, "SECRETsample\n");
        let flag = if basic {
            "login --basic-display"
        } else {
            "login"
        };
        let mut login = desk
            .token(flag)
            .env("INSTAGRAM_CLIENT_ID", "1903003")
            .env(
                "MINGRAM_TOKEN_FILE",
                desk.folder.0.join("new/folder/token.json"),
            )
            .args("--redirect-uri https://example.com/auth --secret-file")
            .arg(&secret)
            .start();
        let address = login.wait_for("https://");
        let url = url::Url::parse(&address).unwrap();
        let param = |name| {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.unwrap().1.into_owned()
        };
        let (host, scope) = match basic {
            true => ("api.instagram.com", "user_profile,user_media"),
            false => ("www.instagram.com", "instagram_business_basic"),
        };
        assert_eq!(
            (url.host_str(), url.path()),
            (Some(host), "/oauth/authorize")
        );
        assert_eq!(param("client_id"), "1903003");
        assert_eq!(param("redirect_uri"), "https://example.com/auth");
        assert_eq!(param("scope"), scope);
        let state = param("state");
        assert_eq!(state.len(), 32);
        login.say(&format!(
            "https://example.com/auth?code=CODEone&state={state}#_\n"
        ));
        let ended = login.end();
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
        assert!(ended.out.contains("expires    "), "{ended:?}");
        assert!(ended.out.contains(", in 60 days"), "{ended:?}");
        let received = server.received();
        assert_eq!(
            received[0].body,
            "client_id=1903003&client_secret=SECRETsample&grant_type=authorization_code\
             &redirect_uri=https%3A%2F%2Fexample.com%2Fauth&code=CODEone"
        );
        assert_eq!(
            received[1].target,
            "/access_token?grant_type=ig_exchange_token&client_secret=SECRETsample&access_token=IGQVJshort"
        );
        let stored = TokenFile::new(desk.folder.0.join("new/folder/token.json"))
            .load()
            .unwrap();
        assert_eq!(stored.token.expose(), "IGQVJlong");
        for secret in ["IGQVJ", "SECRETsample", "CODEone"] {
            assert!(!format!("{ended:?}").contains(secret));
        }
    }
}

/// Writes a file that nobody else may read.
fn private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, mode).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new("http://127.0.0.1:9");
    let secret = desk.folder.0.join("secret");
    let login = |path: &Path| {
        desk.token("login --client-id 1 --redirect-uri https://example.com/auth --secret-file")
            .arg(path)
            .input("")
            .run()
    };
    for mode in [0o640, 0o604, 0o644, 0o660, 0o610] {
        private(&secret, "SECRETsample");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).unwrap();
        let ended = login(&secret);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let path = secret.display();
        assert_eq!(
            error(&ended),
            format!(
                "the secret file {path} can be read by other users (its mode is {mode:o}): run `chmod 600 '{path}'`"
            )
        );
    }
    for mode in [0o600, 0o400] {
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(error(&login(&secret)).contains("nothing was pasted"));
    }
    // A pipe, as a shell's `<(command)`, belongs to nobody else.
    let pipe = desk.folder.0.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    std::fs::set_permissions(&pipe, std::fs::Permissions::from_mode(0o644)).unwrap();
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::write(pipe, "SECRETsample").unwrap())
    };
    assert!(error(&login(&pipe)).contains("nothing was pasted"));
    writer.join().unwrap();
}

#[test]
fn a_url_of_another_site_is_refused() {
    let desk = Desk::new("http://127.0.0.1:9");
    for url in [
        "https://example.org/auth?code=CODEone&state=x",
        "https://example.com.evil.example/auth?code=CODEone&state=x",
        "https://example.com@evil.example/auth?code=CODEone&state=x",
        "https://example.com:8443/auth?code=CODEone&state=x",
        "http://example.com/auth?code=CODEone&state=x",
        "evil.example/auth?code=CODEone&state=x",
        "https://www.instagram.com/oauth/authorize?client_id=1&state=x",
        "https:///auth?code=CODEone&state=x",
    ] {
        let ended = login(&desk, url);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let says = "the pasted URL is not of https://example.com, which --redirect-uri names";
        assert!(error(&ended).contains(says), "{url}: {ended:?}");
        assert!(!ended.err.contains("CODEone"));
    }
    // The same site in other words: only the state is wrong.
    for url in [
        "https://EXAMPLE.com/auth?code=CODEone&state=x",
        "HTTPS://example.com:443/auth?code=CODEone&state=x",
        "example.com/auth?code=CODEone&state=x",
        "code=CODEone&state=x",
        "?code=CODEone&state=https://evil.example/",
    ] {
        let ended = login(&desk, url);
        assert!(
            error(&ended).contains("state in this URL belongs to another"),
            "{url}: {ended:?}"
        );
    }
}

/// A login with this pasted.
fn login(desk: &Desk, pasted: &str) -> Ended {
    desk.token("login --client-id 1 --redirect-uri https://example.com/auth")
        .env("INSTAGRAM_CLIENT_SECRET", "SECRETsample")
        .input(pasted)
        .run()
}

#[test]
fn a_login_by_the_code_alone_survives_a_passing_fault() {
    let long = r#"{"access_token":"IGQVJlong"}"#;
    let server = Server::script([
        json(
            "200 OK",
            r#"{"access_token":"IGQVJshort","permissions":["other"]}"#,
        ),
        json(
            "500 Internal Server Error",
            r#"{"error":{"message":"m","code":2,"is_transient":true}}"#,
        ),
        json("200 OK", long),
    ]);
    let desk = Desk::new(&server.url());
    let ended = login(&desk, "CODEone#_\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        error(&ended),
        "warning: instagram_business_basic was not granted"
    );
    assert!(ended.out.contains("expires    unknown"), "{ended:?}");
    assert!(server.received()[0].body.ends_with("&code=CODEone"));
    assert_eq!(server.received().len(), 3);
    assert_eq!(desk.stored().token.expose(), "IGQVJlong");
}

#[test]
fn a_login_that_fails_stores_nothing() {
    let server = Server::script([json(
        "400 Bad Request",
        r#"{"error_type":"OAuthException","code":400,"error_message":"This authorization code has been used"}"#,
    )]);
    let desk = Desk::new(&server.url());
    for (pasted, says) in [
        ("", "nothing was pasted"),
        ("CODEused", "This authorization code has been used"),
        (
            "CODEused",
            "; a code works once and for an hour: run `mingram token login` again for a new one",
        ),
        (
            "https://example.com/auth?code=CODEused&state=guessed",
            "state",
        ),
        (
            "https://example.com/auth?error=access_denied&error_reason=user_denied",
            "of a refused login, but contains no `state`",
        ),
        ("https://example.com/auth", "no `code`"),
    ] {
        let ended = login(&desk, pasted);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(error(&ended).contains(says), "{ended:?}");
        assert!(!ended.err.contains("CODEused"));
        assert!(!desk.file().path().exists());
    }
    assert_eq!(server.received().len(), 2);
}

/// A code is good for one attempt, so it is not used where its token could not
/// be kept.
#[cfg(unix)]
#[test]
fn a_place_that_cannot_be_written_is_refused_before_the_code_is_used() {
    let server = Server::script([json("200 OK", r#"{"access_token":"IGQVJ"}"#)]);
    let desk = Desk::new(&server.url());
    let at = |name: &str| desk.folder.0.join(name);
    std::os::unix::fs::symlink("elsewhere", at("link")).unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    std::fs::write(at("file"), "").unwrap();
    let mut places = vec![
        (at("link"), "is a symbolic link: use the path"),
        (at("folder"), "is a directory: use the path"),
        (at("file/token.json"), "in a directory that does not exist"),
        (
            at(&"t".repeat(256)),
            // The C library's words.
            match cfg!(target_env = "musl") {
                true => "cannot be written: Filename too long",
                false => "cannot be written: File name too long",
            },
        ),
    ];
    if cfg!(target_os = "linux") {
        places.push(("/proc/token.json".into(), "cannot be written: "));
    }
    for (place, says) in places {
        for command in [
            "login --client-id 1 --redirect-uri https://example.com/auth",
            "import --no-check",
        ] {
            let ended = desk
                .token(command)
                .env("INSTAGRAM_CLIENT_SECRET", "SECRETsample")
                .env("MINGRAM_TOKEN_FILE", &place)
                .input("CODEone\n")
                .run();
            assert_eq!(ended.code, Some(5), "{ended:?}");
            assert!(error(&ended).contains(says), "{ended:?}");
            assert_eq!(ended.out, "");
        }
    }
    assert_eq!(server.received().len(), 0);
    assert_eq!(std::fs::read_dir(&desk.folder.0).unwrap().count(), 3);
}

#[test]
fn an_imported_token_is_checked_and_stored() {
    let (replay, _) = replay();
    let desk = Desk::new(&replay.url());
    let ended = desk
        .token("import --age 10 --expires-in 50")
        .input(&format!("  {TOKEN}\n"))
        .run();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert!(
        ended
            .out
            .starts_with("account    jayposiris (17841405793187218)\n"),
        "{ended:?}"
    );
    for span in [" UTC, 10 days ago\n", " UTC, in 50 days\n"] {
        assert!(ended.out.contains(span), "{ended:?}");
    }
    assert!(!ended.out.contains(TOKEN));
    let stored = desk.stored();
    assert_eq!(stored.token.expose(), TOKEN);
    assert_eq!(stored.expires_in, Some(DAY * 60));
    assert_eq!(replay.received().len(), 1);
}

#[test]
fn a_bad_token_is_not_imported() {
    let dead = json(
        "400 Bad Request",
        r#"{"error":{"message":"Invalid OAuth access token","type":"OAuthException","code":190}}"#,
    );
    let server = Server::script([dead, json("503 Service Unavailable", "{}")]);
    let desk = Desk::new(&server.url());
    let ended = desk.token("import").input("IGQVJdead\n").run();
    assert_eq!(ended.code, Some(3));
    assert!(error(&ended).contains("error 190"), "{ended:?}");
    assert!(
        error(&ended).ends_with("; the token is not stored"),
        "{ended:?}"
    );
    for empty in ["", "\n", "a b\n"] {
        let ended = desk.token("import").input(empty).run();
        assert_eq!(ended.code, Some(1));
        assert!(error(&ended).contains("the access token "), "{ended:?}");
    }
    assert!(!desk.file().path().exists());
    assert_eq!(server.received().len(), 1);
    let ended = desk.token("import --no-check").input("IGQVJunasked").run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(desk.stored().token.expose(), "IGQVJunasked");
    assert_eq!(server.received().len(), 1);
}

#[test]
fn status_says_whose_it_is_and_when_it_ends() {
    let (replay, _) = replay();
    let desk = Desk::new(&replay.url());
    desk.store(TOKEN, DAY * 3, Some(60));
    let ended = desk.run("status");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines[0], "account    jayposiris (17841405793187218)");
    for (line, name, span) in [
        (lines[1], "obtained   20", " UTC, 3 days ago"),
        (lines[2], "expires    20", " UTC, in 57 days"),
        (lines[3], "refresh    20", " UTC, in 37 days"),
    ] {
        assert!(line.starts_with(name) && line.ends_with(span), "{line}");
    }
    let json = desk.run("status --json");
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["username"], "jayposiris");
    assert_eq!(json["valid"], true);
    let days = |key: &str| json[key].as_u64().unwrap() / 86_400;
    assert_eq!(days("expires_at") - days("obtained_at"), 60);
    let offline = desk.run("status --offline");
    assert_eq!(offline.code, Some(0));
    assert_eq!(offline.out.lines().count(), 3);
    assert_eq!(replay.received().len(), 2);
    assert!(!format!("{ended:?}{offline:?}").contains(TOKEN));
}

#[test]
fn status_tells_soon_and_dead_by_its_code() {
    let (replay, _) = replay();
    let desk = Desk::new(&replay.url());
    let hour = Duration::from_secs(3600);
    let code = |age, life, args: &str| {
        desk.store(TOKEN, age, life);
        let ended = desk.run(args);
        (ended.code.unwrap(), ended.err)
    };
    let fine = (0, String::new());
    let soon = |days| {
        (
            6,
            format!("mingram token: the access token expires within {days} days\n"),
        )
    };
    assert_eq!(
        code(DAY * 52 + hour, Some(60), "status --offline --within 7"),
        fine
    );
    assert_eq!(code(DAY * 53 + hour, Some(60), "status --offline"), soon(7));
    assert_eq!(code(DAY * 53 + hour, Some(60), "status"), soon(7));
    assert_eq!(code(DAY * 53 + hour, Some(60), "status --within 3"), fine);
    assert_eq!(
        code(DAY * 31, Some(60), "status --offline --within 30"),
        soon(30)
    );
    // One clock ends no token.
    let expired = "mingram token: by this machine's clock the access token has expired: \
                   `mingram token refresh` asks the service for a new one\n";
    let ended = code(DAY * 61, Some(60), "status --offline");
    assert_eq!(ended, (6, expired.to_owned()));
    // The service still takes it, whatever this clock says.
    assert_eq!(code(DAY * 61, Some(60), "status"), soon(7));
    assert_eq!(code(DAY * 300, None, "status --offline"), fine);
    // A clock that stands before the token was obtained declares nothing dead, and
    // nothing well.
    let ahead = SystemTime::now() + DAY * 1000;
    let token = LongLivedToken::new(TOKEN, Some(DAY), ahead);
    desk.file().save(&token).unwrap();
    for args in ["status --offline", "status"] {
        let ended = desk.run(args);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.out.contains("clock      20"), "{ended:?}");
        assert!(error(&ended).contains("the clock is behind"), "{ended:?}");
    }
}

#[test]
fn status_of_a_token_that_the_service_refuses() {
    let expired = r#"{"error":{"message":"Session has expired","type":"OAuthException","code":190,"error_subcode":463}}"#;
    let server = Server::script([json("400 Bad Request", expired)]);
    let desk = Desk::new(&server.url());
    desk.store("IGQVJdead", DAY, Some(60));
    let ended = desk.run("status");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(
        ended
            .err
            .ends_with("mingram token: the access token is dead: log in again\n")
    );
    assert!(ended.out.contains("expires"), "the dates come all the same");
    // Nobody there: the dates, and code 1.
    let desk = Desk::new(NOBODY);
    desk.store("IGQVJ", DAY, Some(60));
    let ended = desk.run("status");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(error(&ended).starts_with("GET /me: "), "{ended:?}");
    assert!(ended.out.contains("in 59 days"), "{ended:?}");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new(NOBODY);
    desk.store("IGQVJ", DAY, Some(60));
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(desk.file().path(), open).unwrap();
    for command in ["status", "status --offline", "refresh", "refresh --force"] {
        let ended = desk.run(command);
        assert_eq!(ended.code, Some(3));
        let mend = format!("run `chmod 600 '{}'`", desk.file().path().display());
        assert!(error(&ended).ends_with(&mend), "{ended:?}");
    }
}

#[test]
fn refresh_when_due_and_not_before() {
    let (replay, _) = replay();
    let desk = Desk::new(&replay.url());
    let hour = Duration::from_secs(3600);
    desk.store(TOKEN, DAY * 10, Some(60));
    let ended = desk.run("refresh");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(
        ended
            .out
            .starts_with("the access token is not due for a refresh\nobtained   "),
        "{ended:?}"
    );

    desk.store(TOKEN, hour * 3, Some(60));
    let ended = desk.run("refresh");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(
        ended
            .out
            .starts_with("the access token is not due for a refresh\nobtained   "),
        "{ended:?}"
    );
    let ended = desk.run("refresh --force");
    assert_eq!(ended.code, Some(1));
    let line = error(&ended);
    let young = "the access token is too young for a refresh, which requires an age of 24 hours: wait until 20";
    assert!(line.starts_with(young), "{ended:?}");
    assert!(line.ends_with(" UTC, in 21 hours"), "{ended:?}");
    assert_eq!(replay.received().len(), 0);

    desk.store(TOKEN, DAY * 45, Some(60));
    let ended = desk.run("refresh");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(
        ended.out.starts_with("the access token is refreshed\n"),
        "{ended:?}"
    );
    assert!(
        ended.out.contains("in 84 minutes"),
        "the service said 5012 s: {ended:?}"
    );
    assert_eq!(desk.stored().token.expose(), "IGQVJrefreshed");

    desk.store(TOKEN, DAY * 2, Some(60));
    let ended = desk.run("refresh --force");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(desk.stored().token.expose(), "IGQVJrefreshed");
    assert_eq!(replay.received().len(), 2);
}

/// Kills `token refresh` at random moments, from its start to a little after its
/// end.
#[cfg(unix)]
#[test]
fn two_hundred_kills_of_a_refresh_leave_a_whole_file() {
    let server = Server::start(|_, stream| {
        let reply = json(
            "200 OK",
            r#"{"access_token":"IGQVJfresh","token_type":"bearer","expires_in":5184000}"#,
        );
        for piece in reply.as_bytes().chunks(32) {
            std::thread::sleep(Duration::from_millis(2));
            let _ = std::io::Write::write_all(stream, piece);
        }
    });
    let desk = Desk::new(&server.url());
    let whole = |old: &LongLivedToken, kept: &mut u32| {
        let stored = desk.stored();
        if stored == *old {
            *kept += 1;
            return;
        }
        assert_eq!(stored.token.expose(), "IGQVJfresh");
        assert_eq!(stored.token_type.as_deref(), Some("bearer"));
        assert_eq!(stored.expires_in, Some(DAY * 60));
    };
    // How long one takes here, at best.
    let times = [(); 3].map(|()| {
        desk.store("IGQVJold", DAY * 45, Some(60));
        let begun = Instant::now();
        assert_eq!(desk.run("refresh").code, Some(0));
        begun.elapsed()
    });
    let micros = times.iter().min().unwrap().as_micros() as u64 * 5 / 4;
    let mut random = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .subsec_nanos();
    let (mut caught, mut kept) = (0, 0);
    for round in 0..200 {
        // Of ever other lengths, so that a mixture of two would be seen.
        let text = format!("IGQVJold{}", "o".repeat(round % 50 * 40));
        desk.store(&text, DAY * 45, Some(60));
        let old = desk.stored();
        let running = desk.token("refresh").start();
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let moment = u64::from(random >> 8) * micros / (1 << 24);
        std::thread::sleep(Duration::from_micros(moment));
        match running.kill() {
            None => caught += 1,
            code => assert_eq!(code, Some(0), "round {round}"),
        }
        whole(&old, &mut kept);
    }
    println!("{caught} of 200 were killed at work, {kept} kept the old token");
    assert!(caught > 50, "only {caught} of 200 were still at work");
    assert!(kept > 0, "no kill came before the end");
    desk.store("IGQVJold", DAY * 45, Some(60));
    assert_eq!(desk.run("refresh").code, Some(0));
    assert_eq!(desk.stored().token.expose(), "IGQVJfresh");
    // What the killed ones left has a name of its own.
    for entry in std::fs::read_dir(&desk.folder.0).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_left = name.starts_with(".token.json.") && name.ends_with(".tmp");
        assert!(is_left || name == "token.json", "{name}");
    }
}

#[test]
fn a_refresh_that_fails_keeps_the_old_token_and_says_so() {
    let (replay, _) = replay();
    let desk = Desk::new(&replay.url());
    desk.store("IGQVJshort1", DAY * 45, Some(60));
    let before = std::fs::read(desk.file().path()).unwrap();
    let ended = desk.run("refresh");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(
        error(&ended).starts_with(
            "the access token is not refreshed, keeping the old one: GET /refresh_access_token: "
        ),
        "{ended:?}"
    );
    assert_eq!(replay.received().len(), 1);
    assert_eq!(std::fs::read(desk.file().path()).unwrap(), before);

    let desk = Desk::new(NOBODY);
    desk.store("IGQVJ", DAY * 45, Some(60));
    let ended = desk.run("refresh");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(error(&ended).contains("keeping the old one"), "{ended:?}");
}

/// A clock that was wrong at a login or a refresh: the next refresh dates the file anew.
#[test]
fn a_token_from_the_future_is_refreshed_and_dated_anew() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let date = http_date(now.unwrap().as_secs());
    let fresh = reply(
        "200 OK",
        &[("Date", &date)],
        r#"{"access_token":"IGQVJfresh","expires_in":5184000}"#,
    );
    let server = Server::script([fresh]);
    let desk = Desk::new(&server.url());
    let ahead = SystemTime::now() + DAY * 365;
    desk.file()
        .save(&LongLivedToken::new("IGQVJ", Some(DAY * 60), ahead))
        .unwrap();
    let ended = desk.run("refresh");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.out.contains(" UTC, in 60 days\n"), "{ended:?}");
    let age = desk.stored().obtained_at.elapsed().unwrap();
    assert!(age < DAY, "{age:?}");
}

#[test]
fn a_version_goes_into_the_paths_of_data_calls_alone() {
    let server = Server::script([json("200 OK", r#"{"id":"1\n\u001b[2J\u202e"}"#)]);
    let desk = Desk::new(&server.url());
    desk.store("IGQVJ", DAY * 3, Some(60));
    let ended = desk
        .token("status")
        .env("INSTAGRAM_API_VERSION", "v25.0")
        .run();
    assert!(ended.out.starts_with("account    1  [2J \n"), "{ended:?}");
    assert!(server.received()[0].target.starts_with("/v25.0/me?"));
    let ended = desk
        .token("status")
        .env("INSTAGRAM_BASE_URL", "http://example.com")
        .run();
    assert_eq!(ended.code, Some(1));
    assert!(
        error(&ended).contains("the base URL is invalid"),
        "{ended:?}"
    );
}

#[cfg(unix)]
#[test]
fn nobody_reading_is_no_failure() {
    let desk = Desk::new(NOBODY);
    desk.store("IGQVJ", DAY, Some(60));
    for args in ["--help", "status --offline"] {
        let command = format!("{{ \"$0\" token {args}; echo \"code $?\" >&2; }} | true");
        let output = std::process::Command::new("sh")
            .args(["-c", &command])
            .arg(support::program::path())
            .env("MINGRAM_TOKEN_FILE", desk.file().path())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "code 0\n");
    }
}
