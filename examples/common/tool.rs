//! What the tools share: where the token lies, the `Api` as the environment
//! sets it up, errors and exit codes, dates and spans a person can read.
#![allow(dead_code, reason = "each tool uses a part of it")]

use mingram::auth::{RefreshOutcome, TokenFile};
use mingram::{Api, Error, Token};
use std::fmt::Display;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

pub type Result<T> = std::result::Result<T, Failure>;

/// Something failed.
pub const FAILED: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;

/// Why a tool ends: one line for a person and a code for a script.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
}

impl Failure {
    pub fn new(message: impl Display) -> Failure {
        Failure {
            code: FAILED,
            message: message.to_string(),
        }
    }

    pub fn usage(message: impl Display) -> Failure {
        Failure {
            code: USAGE,
            message: format!("{message} (see --help)"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::new(error)
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Failure {
        Failure::usage(error)
    }
}

/// The end of a tool: its exit code, and the error on one line of stderr.
pub fn end(tool: &str, result: Result<u8>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            complain(tool, &failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// One line on stderr.
pub fn complain(tool: &str, message: &str) {
    let line = message.replace(char::is_control, " ");
    // Where nobody reads stderr, there is nobody to tell.
    let _ = writeln!(io::stderr(), "{tool}: {line}");
}

/// Writes to stdout. That nobody reads it (`| head`) is no failure.
pub fn print(text: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// An environment variable; empty counts as not set.
pub fn env(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) if value.trim().is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(_) => Err(Failure::new(format!("${name} is not valid text"))),
    }
}

/// An `Api` as the environment sets it up, without a token.
pub fn api() -> Result<Api> {
    let mut api = Api::without_token();
    if let Some(url) = env("INSTAGRAM_BASE_URL")? {
        api = api.with_base_url(url);
    }
    if let Some(url) = env("INSTAGRAM_LOGIN_URL")? {
        api = api.with_login_url(url);
    }
    if let Some(version) = env("INSTAGRAM_API_VERSION")? {
        api = api.with_version(version);
    }
    Ok(api)
}

/// The token file: the one given, else the one the environment names, else the
/// one in the user's configuration.
pub fn token_file(given: Option<PathBuf>) -> Result<TokenFile> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let found = given
        .or_else(|| named("MINGRAM_TOKEN_FILE").map(PathBuf::from))
        .or_else(|| Some(Path::new(&named("XDG_CONFIG_HOME")?).join("mingram/token.json")))
        .or_else(|| Some(Path::new(&named("HOME")?).join(".config/mingram/token.json")));
    found
        .map(TokenFile::new)
        .ok_or_else(|| Failure::usage("no place for the token file: give --file or set $HOME"))
}

/// The access token of the environment, where it is set.
pub fn given_token() -> Result<Option<Token>> {
    let token = env("INSTAGRAM_TOKEN")?.map(Token::from);
    if let Some(token) = &token {
        token.check()?;
    }
    Ok(token)
}

/// The access token of the environment, or else that of the token file, which is
/// refreshed when that is due.
pub fn access_token(tool: &str, api: &Api, file: Option<PathBuf>) -> Result<Token> {
    if let Some(token) = given_token()? {
        return Ok(token);
    }
    let refresh = token_file(file)?.refresh_if_due(api).map_err(no_token)?;
    if let RefreshOutcome::RefreshFailed(_) | RefreshOutcome::SaveFailed(_) = refresh.outcome {
        complain(tool, &format!("the access token: {}", refresh.outcome));
    }
    Ok(refresh.token.token)
}

/// An error of the token file, with what to do where there is none.
pub fn no_token(error: Error) -> Failure {
    match error.is_not_found() {
        true => Failure::new(format!(
            "{error}: make one with `token login` or `token import`"
        )),
        false => Failure::new(error),
    }
}

/// What says where the token file is, and the rest of the environment, for a tool's `--help`.
pub const TOKEN_HELP: &str = "\
Where the token file is:
  --file FILE, else $MINGRAM_TOKEN_FILE, else
  $XDG_CONFIG_HOME/mingram/token.json, else ~/.config/mingram/token.json

Environment:
  INSTAGRAM_BASE_URL      where the graph is (https://graph.instagram.com)
  INSTAGRAM_LOGIN_URL     where codes are exchanged (https://api.instagram.com)
  INSTAGRAM_API_VERSION   a version for the paths, as v25.0
";

/// One line from stdin, bounded: a token or an address, never more.
pub fn read_line() -> Result<String> {
    let mut text = String::new();
    let mut stdin = io::stdin().lock().take(64 * 1024);
    stdin
        .read_line(&mut text)
        .map_err(|error| Failure::new(format!("cannot read stdin: {error}")))?;
    Ok(text.trim().to_owned())
}

/// A small text file, a secret say.
pub fn read_file(path: &Path) -> Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(64 * 1024).read_to_string(&mut text))
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    Ok(text.trim().to_owned())
}

/// `5 days`, `3 hours`, `12 minutes`: one unit, never too long.
pub fn span(time: Duration) -> String {
    let (number, unit) = match time.as_secs() {
        seconds if seconds >= 2 * 86_400 => (seconds / 86_400, "day"),
        seconds if seconds >= 2 * 3600 => (seconds / 3600, "hour"),
        seconds if seconds >= 60 => (seconds / 60, "minute"),
        seconds => (seconds, "second"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// `in 5 days`, `5 days ago` or `now`.
pub fn from_now(at: SystemTime, now: SystemTime) -> String {
    match at.duration_since(now) {
        _ if now.duration_since(at).is_ok_and(|past| past.as_secs() == 0) => "now".to_owned(),
        Ok(time) => format!("in {}", span(time)),
        Err(past) => format!("{} ago", span(past.duration())),
    }
}

/// `2026-11-23 12:00 UTC`; a time before 1970 counts as 1970.
pub fn date(at: SystemTime) -> String {
    let seconds = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let minutes = seconds % 86_400 / 60;
    let (hour, minute) = (minutes / 60, minutes % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Days since 1970-01-01 as year, month and day (Howard Hinnant's
/// `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next, month, day)
}
