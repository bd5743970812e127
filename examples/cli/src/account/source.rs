//! Which account is read: the environment, the access token, or the built-in sample.

use super::sample;
use crate::exit::{FAILED, Failure, NO_TOKEN, Result};
use crate::options::Args;
use crate::output;
use mingram::auth::TokenFile;
use mingram::transport::Event;
use mingram::{Api, Error, Token};
use std::path::PathBuf;
use std::time::Duration;

/// An environment variable; empty counts as not set.
pub fn env(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) if value.trim().is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(_) => Err(Failure::new(FAILED, format!("${name} is not valid UTF-8"))),
    }
}

/// An `Api` with the settings of the environment, without a token.
pub fn api(args: &Args) -> Result<Api> {
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
    let command = args.command.name;
    Ok(api.with_observer(move |event| report(command, event)))
}

/// Says what the program waits for, if somebody looks on; with `--verbose`, all that happens.
fn report(command: &str, event: &Event<'_>) {
    let wait = match event {
        // Its reply, or its failure, follows.
        Event::Request { .. } => return,
        Event::Retry { wait, .. } | Event::Pace { wait, .. } => *wait,
        _ => Duration::ZERO,
    };
    let line = event.to_string();
    match wait >= Duration::from_secs(1) && output::shows_progress() {
        true => output::note(command, &line),
        false => output::detail(command, &line),
    }
}

/// A file that the user has named, or the environment.
fn named_token_file(args: &Args) -> Option<PathBuf> {
    let named = args.token_file.clone();
    named.or_else(|| variable("MINGRAM_TOKEN_FILE"))
}

fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.map(PathBuf::from)
}

/// The token file: the one that is named, or else the one in the user's configuration.
pub fn token_file(args: &Args) -> Result<TokenFile> {
    let in_folder = |name: &str, rest: &str| Some(variable(name)?.join(rest));
    named_token_file(args)
        .or_else(|| in_folder("XDG_CONFIG_HOME", "mingram/token.json"))
        .or_else(|| in_folder("HOME", ".config/mingram/token.json"))
        .map(TokenFile::new)
        .ok_or_else(|| {
            Failure::usage("no place for the token file: give --token-file or set $HOME")
        })
}

/// Where the access token comes from.
pub enum Source {
    Given(Token),
    File(TokenFile),
    /// Nowhere: the built-in sample needs none.
    Sample,
}

/// The sample only if no token and no token file is named, and there is no file in the
/// usual place.
pub fn source(args: &Args) -> Result<Source> {
    if let Some(token) = env("INSTAGRAM_TOKEN")? {
        let token = Token::from(token);
        let checked = token.check();
        checked.map_err(|error| Failure::new(NO_TOKEN, error))?;
        return Ok(Source::Given(token));
    }
    if named_token_file(args).is_some() {
        return token_file(args).map(Source::File);
    }
    match token_file(args) {
        Ok(file) if file.path().symlink_metadata().is_ok() => Ok(Source::File(file)),
        _ => Ok(Source::Sample),
    }
}

impl Source {
    /// An `Api` that reads the account.
    pub fn open(self, args: &Args) -> Result<Api> {
        if let Source::Sample = self {
            let what = "there is no access token, so this is the built-in sample account";
            output::note(args.command.name, what);
            return Ok(sample::api());
        }
        let api = api(args)?;
        let token = self.token(args, &api)?;
        Ok(api.with_token(token))
    }

    /// The access token, refreshed if it is due.
    pub fn token(self, args: &Args, api: &Api) -> Result<Token> {
        let file = match self {
            Source::Sample => return Ok(sample::TOKEN.into()),
            Source::Given(token) => return Ok(token),
            Source::File(file) => file,
        };
        let refresh = file.refresh_if_due(api).map_err(no_token)?;
        let line = format!("the access token: {}", refresh.outcome);
        match refresh.error() {
            Some(_) => output::error(args.command.name, &line),
            None => output::detail(args.command.name, &line),
        }
        Ok(refresh.token.into())
    }

    /// Refuses the sample, for commands and directories that it would be wrong for.
    pub fn but_not_the_sample(self) -> Result<Source> {
        match self {
            Source::Sample => Err(Failure::new(
                NO_TOKEN,
                "there is no access token: run `mingram token login` or `mingram token import`",
            )),
            source => Ok(source),
        }
    }
}

/// An error of the token file, with what to do if there is none.
pub fn no_token(error: Error) -> Failure {
    let reason = error.io_error().map(std::io::Error::kind);
    match reason == Some(std::io::ErrorKind::NotFound) {
        true => Failure::new(
            NO_TOKEN,
            format!("{error}: run `mingram token login` or `mingram token import`"),
        ),
        false => Failure::new(NO_TOKEN, error),
    }
}
