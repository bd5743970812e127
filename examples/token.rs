//! The life of an access token: log in, look at it, keep it alive.

#[path = "common/tool.rs"]
mod tool;

use lexopt::prelude::*;
use mingram::auth::{App, Code, Login, LongLivedToken, RefreshOutcome, TokenFile};
use mingram::{Api, Token, UserField};
use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use tool::{FAILED, Failure, Result, complain, date, env, from_now, print, span};

/// The token expires soon.
const SOON: u8 = 3;
/// The token is dead.
const DEAD: u8 = 4;

const DAY: Duration = Duration::from_secs(24 * 3600);

const HELP: &str = "\
token - the life of an Instagram access token

Usage: token login [--basic-display] [--client-id ID] [--redirect-uri URI]
                   [--secret-file FILE]
       token import [--age DAYS] [--expires-in DAYS] [--no-check]
       token status [--within DAYS] [--offline]
       token refresh [--force]

login     prints the address to open in a browser, takes the address that the
          browser was sent back to (or the code in it) on stdin, exchanges it
          and stores a token that is good for 60 days.
import    stores a token made elsewhere, in Meta's dashboard say. It is read
          from stdin, so that it is in no history and no list of processes.
status    says whose the token is and when it expires.
refresh   renews the token when that is due: with a third of its life or 7 days
          left. Run it once a day; most days it does nothing.

Options:
  --file FILE          the token file (any command)
  --basic-display      log in by the Basic Display API, which Meta shut down in
                       2024, instead of Instagram Login
  --client-id ID       the app's id, else $INSTAGRAM_CLIENT_ID
  --redirect-uri URI   as the app's dashboard has it, to the letter, else
                       $INSTAGRAM_REDIRECT_URI
  --secret-file FILE   a file that holds the app's secret, else
                       $INSTAGRAM_CLIENT_SECRET holds the secret itself
  --age DAYS           how old the imported token is already (default: 0)
  --expires-in DAYS    how long it is good for still (default: not known, and
                       found out by the first refresh)
  --no-check           store it without asking the service
  --within DAYS        what counts as soon (default: 7)
  --offline            look at the dates only
  --force              refresh at once, due or not; the service refuses while
                       the token is not 24 hours old
  -h, --help           this text
  -V, --version        the version

Exit codes: 0 all is well; 1 it failed; 2 the command line is wrong;
  3 the token expires within so many days (status); 4 the token is dead
  (status, refresh).

";

fn main() -> ExitCode {
    tool::end("token", run())
}

/// The command line, read.
#[derive(Default)]
struct Options {
    command: Option<String>,
    file: Option<PathBuf>,
    basic_display: bool,
    client_id: Option<String>,
    redirect_uri: Option<String>,
    secret_file: Option<PathBuf>,
    age: Option<Duration>,
    expires_in: Option<Duration>,
    no_check: bool,
    within: Option<Duration>,
    offline: bool,
    force: bool,
}

fn run() -> Result<u8> {
    let mut options = Options::default();
    let mut args = lexopt::Parser::from_env();
    // Which command an option belongs to, to refuse it with the others.
    let mut used: Vec<(&str, &str)> = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => {
                print(format_args!("{HELP}{}", tool::TOKEN_HELP))?;
                return Ok(0);
            }
            Short('V') | Long("version") => {
                print(concat!("token (mingram ", env!("CARGO_PKG_VERSION"), ")\n"))?;
                return Ok(0);
            }
            Long("file") => options.file = Some(args.value()?.into()),
            Long("basic-display") => {
                options.basic_display = true;
                used.push(("login", "--basic-display"));
            }
            Long("client-id") => {
                options.client_id = Some(args.value()?.string()?);
                used.push(("login", "--client-id"));
            }
            Long("redirect-uri") => {
                options.redirect_uri = Some(args.value()?.string()?);
                used.push(("login", "--redirect-uri"));
            }
            Long("secret-file") => {
                options.secret_file = Some(args.value()?.into());
                used.push(("login", "--secret-file"));
            }
            Long("age") => {
                options.age = Some(days("--age", args.value()?)?);
                used.push(("import", "--age"));
            }
            Long("expires-in") => {
                options.expires_in = Some(days("--expires-in", args.value()?)?);
                used.push(("import", "--expires-in"));
            }
            Long("no-check") => {
                options.no_check = true;
                used.push(("import", "--no-check"));
            }
            Long("within") => {
                options.within = Some(days("--within", args.value()?)?);
                used.push(("status", "--within"));
            }
            Long("offline") => {
                options.offline = true;
                used.push(("status", "--offline"));
            }
            Long("force") => {
                options.force = true;
                used.push(("refresh", "--force"));
            }
            Value(command) if options.command.is_none() => {
                options.command = Some(command.string()?);
            }
            // What stands here may be a token that was to go to stdin.
            Value(_) => return Err(Failure::usage("there is one word too many")),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let command = options.command.as_deref().unwrap_or_default();
    let work = match command {
        "login" => login,
        "import" => import,
        "status" => status,
        "refresh" => refresh,
        "" => return Err(Failure::usage("give login, import, status or refresh")),
        _ => {
            return Err(Failure::usage(
                "no such command: it is login, import, status or refresh",
            ));
        }
    };
    if let Some((of, name)) = used.iter().find(|(of, _)| *of != command) {
        return Err(Failure::usage(format!("{name} goes with `token {of}`")));
    }
    let file = tool::token_file(options.file.clone())?;
    work(&options, &tool::api()?, &file)
}

/// A number of days, a century at most.
fn days(option: &str, value: std::ffi::OsString) -> Result<Duration> {
    let number = value.to_str().and_then(|text| text.parse::<u32>().ok());
    match number.filter(|days| *days <= 36_500) {
        Some(days) => Ok(DAY * days),
        None => Err(Failure::usage(format!("{option} takes a number of days"))),
    }
}

fn login(options: &Options, api: &Api, file: &TokenFile) -> Result<u8> {
    let given = |option: &Option<String>, name: &str, what: &str| match option {
        Some(value) => Ok(value.clone()),
        None => env(name)?.ok_or_else(|| Failure::usage(format!("{what}, or set ${name}"))),
    };
    let client_id = given(
        &options.client_id,
        "INSTAGRAM_CLIENT_ID",
        "give the app's id with --client-id",
    )?;
    let redirect_uri = given(
        &options.redirect_uri,
        "INSTAGRAM_REDIRECT_URI",
        "give the app's redirect address with --redirect-uri",
    )?;
    let secret = match &options.secret_file {
        Some(path) => tool::read_file(path)?,
        None => given(
            &None,
            "INSTAGRAM_CLIENT_SECRET",
            "give the app's secret with --secret-file",
        )?,
    };
    let login = match options.basic_display {
        true => Login::BasicDisplay,
        false => Login::Instagram,
    };
    // A code is good for one attempt: what can fail before, fails here.
    check_place(file)?;
    let app = App::new(client_id, &secret, redirect_uri);
    let state = random_state();
    let address = app.authorize_url(login, login.scopes(), Some(&state));
    print(format_args!(
        "Open this address in a browser and log in:\n\n{address}\n\n"
    ))?;
    eprint("Then paste the address that the browser was sent to: ");
    let answer = tool::read_line()?;
    if answer.is_empty() {
        return Err(Failure::new("nothing was pasted, so nothing is stored"));
    }
    let code = match answer.contains("://") || answer.contains('=') {
        true => Code::from_redirect(&answer, Some(&state))?,
        false => Code::new(&answer),
    };
    let short = api.exchange_code(&app, &code)?;
    for scope in login.scopes() {
        if !short.permissions.is_empty() && !short.permissions.iter().any(|given| given == scope) {
            complain("token", &format!("warning: {scope} was not granted"));
        }
    }
    let token = exchange(&api.clone().with_token(short.token), &app)?;
    file.save(&token)?;
    print(format_args!(
        "Stored in {}.\n{}",
        file.path().display(),
        dates(&token, SystemTime::now())
    ))?;
    Ok(0)
}

/// The code is used up by now, so a passing fault gets another chance.
fn exchange(api: &Api, app: &App) -> Result<LongLivedToken> {
    for _ in 0..2 {
        match api.exchange_token(app) {
            Err(error) if error.is_transient() => std::thread::sleep(Duration::from_secs(1)),
            done => return Ok(done?),
        }
    }
    Ok(api.exchange_token(app)?)
}

/// std's hashers are seeded by the system's randomness: enough for a word that
/// is good for one login.
fn random_state() -> String {
    let word = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", word(), word())
}

fn import(options: &Options, api: &Api, file: &TokenFile) -> Result<u8> {
    eprint("Paste the access token: ");
    let token = Token::from(tool::read_line()?);
    token.check()?;
    check_place(file)?;
    if !options.no_check {
        let api = api.clone().with_token(token.clone());
        match api.me(&[UserField::Id, UserField::Username]) {
            Ok(me) => print(format_args!("{}\n", whose(&me)))?,
            Err(error) => {
                let advice = match error.is_token_invalid() {
                    true => "the token is not stored",
                    false => "the token is not stored; --no-check stores it unasked",
                };
                return Err(Failure::new(format!("{error}; {advice}")));
            }
        }
    }
    let now = SystemTime::now();
    let age = options.age.unwrap_or_default();
    let obtained_at = now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
    let expires_in = options.expires_in.map(|left| age + left);
    let token = LongLivedToken::new(token, expires_in, obtained_at);
    file.save(&token)?;
    print(format_args!(
        "Stored in {}.\n{}",
        file.path().display(),
        dates(&token, now)
    ))?;
    Ok(0)
}

fn status(options: &Options, api: &Api, file: &TokenFile) -> Result<u8> {
    let token = file.load().map_err(tool::no_token)?;
    let now = SystemTime::now();
    let (mut alive, mut dead, mut code) = (false, false, 0);
    if !options.offline {
        let api = api.clone().with_token(token.token.clone());
        match api.me(&[UserField::Id, UserField::Username]) {
            Ok(me) => {
                alive = true;
                print(format_args!("whose      {}\n", whose(&me)))?;
            }
            Err(error) => {
                (dead, code) = (error.is_token_invalid(), FAILED);
                complain("token", &error.to_string());
            }
        }
    }
    print(dates(&token, now))?;
    let left = match token.expires_at() {
        // By a clock that is not set, no token has expired.
        Some(at) if now >= token.obtained_at => Some(at.duration_since(now).unwrap_or_default()),
        _ => None,
    };
    dead |= left == Some(Duration::ZERO) && !alive;
    let within = options.within.unwrap_or(7 * DAY);
    if dead {
        complain("token", "the token is dead: log in again");
        code = DEAD;
    } else if left.is_some_and(|left| left <= within) {
        let soon = format!("the token expires within {}", span(within));
        complain("token", &soon);
        code = SOON;
    }
    Ok(code)
}

fn refresh(options: &Options, api: &Api, file: &TokenFile) -> Result<u8> {
    let refresh = match options.force {
        true => file.refresh(api),
        false => file.refresh_if_due(api),
    }
    .map_err(tool::no_token)?;
    let (token, now) = (&refresh.token, SystemTime::now());
    let line = format!("the token is {}", refresh.outcome);
    match &refresh.outcome {
        RefreshOutcome::TooYoung => {
            let at = token.refreshable_at();
            let line = format!("{line}: wait until {}, {}", date(at), from_now(at, now));
            if options.force {
                return Err(Failure::new(line));
            }
            print(format_args!("{line}\n"))?;
        }
        RefreshOutcome::NotDue | RefreshOutcome::Refreshed => {
            print(format_args!("{line}\n{}", dates(token, now)))?;
        }
        RefreshOutcome::RefreshFailed(error) if error.is_token_invalid() => {
            let (code, message) = (DEAD, line);
            return Err(Failure { code, message });
        }
        // The clock, the network, the disk: somebody has to look at it.
        _ => return Err(Failure::new(line)),
    }
    Ok(0)
}

/// Who it is, on one line whatever the service says.
fn whose(user: &mingram::User) -> String {
    let text = match &user.username {
        Some(name) => format!("{name} ({})", user.id),
        None => user.id.clone(),
    };
    text.replace(char::is_control, " ")
}

/// The dates of a token, a line for each.
fn dates(token: &LongLivedToken, now: SystemTime) -> String {
    let line = |name: &str, at| format!("{name:<11}{}, {}\n", date(at), from_now(at, now));
    let mut lines = line("obtained", token.obtained_at);
    lines += &match token.expires_at() {
        Some(at) if at <= now => line("expired", at),
        Some(at) => line("expires", at),
        None => "expires    not known: a refresh will tell\n".to_owned(),
    };
    lines += &line("refresh", token.refresh_due_at());
    if now < token.obtained_at {
        lines += &format!("clock      stands at {}: set it first\n", date(now));
    }
    lines
}

/// Makes sure that a token can be stored: that nothing else is in the place of
/// the file, and that one beside it can be written and kept private.
fn check_place(file: &TokenFile) -> Result<()> {
    make_folder(file)?;
    if fs::symlink_metadata(file.path()).is_ok_and(|there| !there.is_file()) {
        // It says what is there instead.
        file.load()?;
    }
    let Some(name) = file.path().file_name() else {
        return Err(Failure::new("the token file has no name at its end"));
    };
    let mut try_name = name.to_owned();
    try_name.push(".try");
    let beside = TokenFile::new(file.path().with_file_name(try_name));
    let nothing = LongLivedToken::new("none", None, SystemTime::now());
    beside
        .save(&nothing)
        .map_err(|error| Failure::new(format!("no token could be stored: {error}")))?;
    fs::remove_file(beside.path())
        .map_err(|error| Failure::new(format!("no token could be stored: {error}")))
}

/// The token file's folder, private where it is made here.
fn make_folder(file: &TokenFile) -> Result<()> {
    let Some(folder) = file.path().parent() else {
        return Ok(());
    };
    if folder.as_os_str().is_empty() || folder.exists() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", folder.display())))
}

/// A prompt, where a person is there to read it.
fn eprint(prompt: &str) {
    if std::io::stdin().is_terminal() {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), prompt.as_bytes());
    }
}
