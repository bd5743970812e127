//! `token login` and `token import`: a new token.

use super::{Options, name, table};
use crate::account::source::env;
use crate::exit::{CANNOT_WRITE, FAILED, Failure, Result, code};
use crate::output::{self, print, report};
use mingram::auth::{App, Code, Login, LongLivedToken, State, TokenFile};
use mingram::{Api, Error, Token, UserField as U};
use std::fs;
use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

pub fn login(options: &Options, api: &Api, file: &TokenFile) -> Result<u8> {
    let (app, login, redirect_uri) = app(options)?;
    // A code works once: what can fail before is tried before.
    check_place(file)?;
    let state = State::random()?;
    let url = app.authorize_url(login, login.scopes(), &state);
    print(format_args!(
        "Open this URL in a browser and log in:\n\n{url}\n\n"
    ))?;
    prompt("Then paste the URL that the browser was sent to: ");
    let answer = read_line()?;
    if answer.is_empty() {
        let message = "nothing was pasted, so nothing is stored";
        return Err(Failure::new(FAILED, message));
    }
    check_origin(&answer, &redirect_uri)?;
    let code = match answer.contains("://") || answer.contains('=') {
        true => Code::from_redirect(&answer, &state)?,
        false => Code::new(&answer),
    };
    let short = api.exchange_code(&app, &code).map_err(refused_code)?;
    for scope in login.scopes() {
        if !short.permissions.is_empty() && !short.permissions.iter().any(|given| given == scope) {
            output::error("token", &format!("warning: {scope} was not granted"));
        }
    }
    let token = exchange(&api.clone().with_token(short.token), &app)?;
    store(file, &token)
}

/// Refuses a URL of another site than the one that the browser is sent to: what was pasted
/// is something else, and its code is not for this app.
fn check_origin(pasted: &str, redirect_uri: &str) -> Result<()> {
    let expected = origin(redirect_uri);
    let found = origin(pasted).or_else(|| {
        // Some browsers show a URL without its scheme.
        let (place, _) = pasted.split_once('?')?;
        let scheme = redirect_uri.split("://").next()?;
        let is_url = !place.is_empty() && !place.contains('=');
        is_url.then(|| origin(&format!("{scheme}://{place}")))?
    });
    match found {
        Some(found) if expected.as_ref() != Some(&found) => {
            let expected = expected.unwrap_or_default();
            let message = format!(
                "the pasted URL is not of {expected}, which --redirect-uri names, so nothing is sent: paste the URL that the browser shows after the login"
            );
            Err(Failure::new(FAILED, message))
        }
        _ => Ok(()),
    }
}

/// Scheme, host and port of a URL, in one form; `None` if the text is not a URL.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim().split_once("://")?;
    // A query alone may contain a URL.
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if scheme.is_empty() || !scheme.chars().all(is_scheme) {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let authority = rest[..end].to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => "",
    };
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
    Some(format!("{scheme}://{authority}"))
}

/// The app that the user logs in to, from the options or the environment, and where it
/// sends the browser.
fn app(options: &Options) -> Result<(App, Login, String)> {
    let given = |option: &Option<String>, variable: &str, what: &str| match option {
        Some(value) => Ok(value.clone()),
        None => env(variable)?
            .ok_or_else(|| Failure::usage(format!("{what} is missing: or set ${variable}"))),
    };
    let client_id = given(&options.client_id, "INSTAGRAM_CLIENT_ID", "--client-id")?;
    let redirect_uri = given(
        &options.redirect_uri,
        "INSTAGRAM_REDIRECT_URI",
        "--redirect-uri",
    )?;
    let secret = match &options.secret_file {
        Some(path) => read_file(path)?,
        None => given(&None, "INSTAGRAM_CLIENT_SECRET", "--secret-file")?,
    };
    let login = match options.basic_display {
        true => Login::BasicDisplay,
        false => Login::Instagram,
    };
    let app = App::new(client_id, &secret, redirect_uri.clone());
    Ok((app, login, redirect_uri))
}

/// The service refuses a code that was used, or is old, in changing words.
fn refused_code(error: Error) -> Failure {
    let exit = code(&error);
    match error.api_error() {
        Some(_) => Failure::new(
            exit,
            format!(
                "{error}; a code works once and for an hour: run `mingram token login` again for a new one"
            ),
        ),
        None => error.into(),
    }
}

/// The code is used up by now, so a transient failure gets more attempts.
fn exchange(api: &Api, app: &App) -> Result<LongLivedToken> {
    for _ in 0..2 {
        match api.exchange_token(app) {
            Err(error) if error.is_transient() => std::thread::sleep(Duration::from_secs(1)),
            done => return Ok(done?),
        }
    }
    Ok(api.exchange_token(app)?)
}

pub fn import(options: &Options, api: &Api, file: &TokenFile) -> Result<u8> {
    prompt("Paste the access token: ");
    let token = Token::from(read_line()?);
    token.check()?;
    check_place(file)?;
    if !options.no_check {
        let api = api.clone().with_token(token.clone());
        match api.me([U::Id, U::Username]) {
            Ok(me) => report(format_args!("account    {}\n", name(&me)))?,
            Err(error) => {
                let advice = match error.is_token_invalid() {
                    true => "the token is not stored",
                    false => "the token is not stored; --no-check stores it all the same",
                };
                return Err(Failure::new(code(&error), format!("{error}; {advice}")));
            }
        }
    }
    let age = options.age.unwrap_or_default();
    let obtained_at = SystemTime::now().checked_sub(age);
    let obtained_at = obtained_at.unwrap_or(SystemTime::UNIX_EPOCH);
    let expires_in = options.expires_in.map(|left| age + left);
    store(file, &LongLivedToken::new(token, expires_in, obtained_at))
}

fn store(file: &TokenFile, token: &LongLivedToken) -> Result<u8> {
    let saved = file.save(token);
    saved.map_err(|error| Failure::new(CANNOT_WRITE, error))?;
    let path = file.path().display();
    let table = table(token, SystemTime::now());
    report(format_args!("Stored in {path}.\n{table}"))?;
    Ok(0)
}

/// Makes sure that a token can be stored: that nothing else is in the place of the file,
/// and that one beside it can be written and kept private.
fn check_place(file: &TokenFile) -> Result<()> {
    create_directory(file)?;
    let refused = |error| Failure::new(CANNOT_WRITE, error);
    if fs::symlink_metadata(file.path()).is_ok_and(|there| !there.is_file()) {
        // Its error says what is there instead.
        file.load().map_err(refused)?;
    }
    let Some(name) = file.path().file_name() else {
        let message = "the path of the token file ends in no file name";
        return Err(Failure::new(CANNOT_WRITE, message));
    };
    let mut try_name = name.to_owned();
    try_name.push(".try");
    let beside = TokenFile::new(file.path().with_file_name(try_name));
    let nothing = LongLivedToken::new("placeholder-of-a-token", None, SystemTime::now());
    beside.save(&nothing).map_err(refused)?;
    fs::remove_file(beside.path()).map_err(|error| cannot("remove", beside.path(), error))
}

/// The token file's directory, private if it is created here.
fn create_directory(file: &TokenFile) -> Result<()> {
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
    let created = builder.create(folder);
    created.map_err(|error| cannot("create", folder, error))
}

fn cannot(what: &str, path: &Path, error: std::io::Error) -> Failure {
    let message = format!("cannot {what} {}: {error}", path.display());
    Failure::new(CANNOT_WRITE, message)
}

/// A prompt, if a person is there to read it.
fn prompt(text: &str) {
    if std::io::stdin().is_terminal() {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// One line from stdin, bounded: a token or a URL, never more.
fn read_line() -> Result<String> {
    let mut text = String::new();
    let mut stdin = std::io::stdin().lock().take(64 * 1024);
    stdin
        .read_line(&mut text)
        .map_err(|error| Failure::new(FAILED, format!("cannot read stdin: {error}")))?;
    Ok(text.trim().to_owned())
}

/// A file with a secret, which no other user may read. It may be a pipe.
fn read_file(path: &Path) -> Result<String> {
    let failed = |error| {
        let message = format!("cannot read {}: {error}", path.display());
        Failure::new(FAILED, message)
    };
    let file = fs::File::open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.permissions().mode() & 0o777;
        if metadata.is_file() && mode & 0o077 != 0 {
            let path = path.display();
            let message = format!(
                "the secret file {path} can be read by other users (its mode is {mode:o}): run `chmod 600 '{path}'`"
            );
            return Err(Failure::new(FAILED, message));
        }
    }
    let mut text = String::new();
    file.take(64 * 1024)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text.trim().to_owned())
}
