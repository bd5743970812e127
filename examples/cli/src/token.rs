//! `mingram token`: log in, store an access token, look at it, and refresh it.

mod login;

use crate::account::source::{self as account, no_token};
use crate::dates::{self, DAY, date, from_now, span};
use crate::exit::{EXPIRES_SOON, FAILED, Failure, NO_TOKEN, Result, code};
use crate::options::{Arg, Args, Command};
use crate::output::{self, report};
use mingram::auth::{LongLivedToken, RefreshOutcome, TokenFile};
use mingram::{Api, User, UserField as U};
use miniserde::{Serialize, json};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

pub const COMMAND: Command = Command {
    name: "token",
    about: "log in, and keep the access token alive",
    help: HELP,
    json: true,
    run,
};

const HELP: &str = "\
Log in, and keep the access token alive.

Usage: mingram token login [--client-id ID] [--redirect-uri URI]
                           [--secret-file FILE]
       mingram token import [--age DAYS] [--expires-in DAYS] [--no-check]
       mingram token status [--within DAYS] [--offline]
       mingram token refresh [--force]

login     prints a URL to open in a browser. Paste the URL that the browser is
          sent to afterwards (or the code in it). The token that it stores is
          valid for 60 days.
import    stores a token that was made elsewhere, for example in Meta's app
          dashboard. Reads it from stdin, so it appears in no history or list of
          processes.
status    shows whose token it is and when it expires. With --json: one object.
refresh   renews the token if it is due: when a third of its life or 7 days are
          left. Run it once a day; most days it does nothing.

Options:
      --client-id ID     the app's id, else $INSTAGRAM_CLIENT_ID
      --redirect-uri URI the redirect URI exactly as in the app's dashboard,
                         else $INSTAGRAM_REDIRECT_URI
      --secret-file FILE a file with the app's secret, which only you may read
                         (mode 600), else the secret itself is
                         $INSTAGRAM_CLIENT_SECRET
      --basic-display    log in to the Basic Display API, which Meta shut down
                         in 2024, instead of Instagram Login
      --age DAYS         the age of the imported token (default: 0)
      --expires-in DAYS  how long it is still valid (default: unknown until the
                         first refresh)
      --no-check         store it without asking the service
      --within DAYS      what `status` counts as soon (default: 7)
      --offline          only look at the stored dates
      --force            refresh even if it is not due; not possible while the
                         token is less than 24 hours old
";

#[derive(Default)]
struct Options {
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
    json: bool,
}

/// The options of each subcommand.
const OPTIONS: [(&str, &[&str]); 4] = [
    (
        "login",
        &[
            "--basic-display",
            "--client-id",
            "--redirect-uri",
            "--secret-file",
        ],
    ),
    ("import", &["--age", "--expires-in", "--no-check"]),
    ("status", &["--within", "--offline"]),
    ("refresh", &["--force"]),
];

fn run(mut args: Args) -> Result<u8> {
    let mut options = Options::default();
    let mut command = None;
    let mut used = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Option(name) => {
                option(&mut args, &mut options, &name)?;
                used.push(name);
            }
            Arg::Value(value) if command.is_none() => command = Some(value),
            // What stands here may be a token that was meant for stdin.
            Arg::Value(_) => return Err(arg.unexpected()),
        }
    }
    options.json = args.json;
    let Some(command) = command else {
        return Err(Failure::usage("say login, import, status or refresh"));
    };
    let found = OPTIONS.iter().find(|(name, _)| command == *name);
    let Some((command, known)) = found else {
        return Err(Failure::usage(
            "`token` has login, import, status and refresh",
        ));
    };
    if let Some(name) = used.iter().find(|name| !known.contains(&name.as_str())) {
        let of = OPTIONS.iter().find(|(_, names)| names.contains(&&**name));
        let of = of.map_or("", |(of, _)| of);
        return Err(Failure::usage(format!("{name} belongs to `token {of}`")));
    }
    if options.json && *command != "status" {
        return Err(Failure::usage("--json belongs to `token status`"));
    }
    let (api, file) = (account::api(&args)?, account::token_file(&args)?);
    match *command {
        "login" => login::login(&options, &api, &file),
        "import" => login::import(&options, &api, &file),
        "status" => status(&options, &api, &file),
        _ => refresh(&options, &api, &file),
    }
}

fn option(args: &mut Args, options: &mut Options, name: &str) -> Result<()> {
    match name {
        "--basic-display" => options.basic_display = true,
        "--client-id" => options.client_id = Some(args.text()?),
        "--redirect-uri" => options.redirect_uri = Some(args.text()?),
        "--secret-file" => options.secret_file = Some(args.value()?.into()),
        "--age" => options.age = Some(days(args, name)?),
        "--expires-in" => options.expires_in = Some(days(args, name)?),
        "--no-check" => options.no_check = true,
        "--within" => options.within = Some(days(args, name)?),
        "--offline" => options.offline = true,
        "--force" => options.force = true,
        _ => return Err(Arg::Option(name.to_owned()).unexpected()),
    }
    Ok(())
}

/// At most a century.
fn days(args: &mut Args, option: &str) -> Result<Duration> {
    Ok(DAY * args.number(option, 0, 36_500)?)
}

/// What `status --json` prints. Times are in Unix seconds.
#[derive(Serialize)]
struct Status {
    username: Option<String>,
    id: Option<String>,
    /// Whether the service accepts the token; `null` if it was not asked or did not say.
    valid: Option<bool>,
    obtained_at: u64,
    expires_at: Option<u64>,
    refresh_at: u64,
}

const CLOCK_BEHIND: &str = "the clock is behind the time the access token was obtained: set the clock, or if it is right, run `mingram token refresh`";

const EXPIRED: &str = "by this machine's clock the access token has expired: `mingram token refresh` asks the service for a new one";

fn status(options: &Options, api: &Api, file: &TokenFile) -> Result<u8> {
    let token = file.load().map_err(no_token)?;
    let now = SystemTime::now();
    let (mut me, mut valid, mut exit) = (None, None, 0);
    if !options.offline {
        let api = api.clone().with_token(token.token.clone());
        match api.me([U::Id, U::Username]) {
            Ok(user) => (me, valid) = (Some(user), Some(true)),
            Err(error) => {
                valid = error.is_token_invalid().then_some(false);
                exit = code(&error);
                output::error("token", &error.to_string());
            }
        }
    }
    let unix = |at: SystemTime| {
        let time = at.duration_since(SystemTime::UNIX_EPOCH);
        time.unwrap_or_default().as_secs()
    };
    match options.json {
        true => output::print(
            json::to_string(&Status {
                username: me.as_ref().and_then(|me| me.username.clone()),
                id: me.map(|me| me.id),
                valid,
                obtained_at: unix(token.obtained_at),
                expires_at: token.expires_at().map(unix),
                refresh_at: unix(token.refresh_due_at()),
            }) + "\n",
        )?,
        false => {
            if let Some(me) = me {
                report(format_args!("account    {}\n", name(&me)))?;
            }
            report(table(&token, now))?;
        }
    }
    let left = match token.expires_at() {
        // By a clock that is not set, no token has expired.
        Some(at) if now >= token.obtained_at => Some(at.duration_since(now).unwrap_or_default()),
        _ => None,
    };
    if now < token.obtained_at {
        output::error("token", CLOCK_BEHIND);
        exit = FAILED;
    }
    let within = options.within.unwrap_or(7 * DAY);
    if valid == Some(false) {
        output::error("token", "the access token is dead: log in again");
        exit = NO_TOKEN;
    } else if left == Some(Duration::ZERO) && valid.is_none() {
        // Only the service can say.
        output::error("token", EXPIRED);
        exit = EXPIRES_SOON;
    } else if left.is_some_and(|left| left <= within) {
        let soon = format!("the access token expires within {}", span(within));
        output::error("token", &soon);
        exit = EXPIRES_SOON;
    }
    Ok(exit)
}

fn refresh(options: &Options, api: &Api, file: &TokenFile) -> Result<u8> {
    let refresh = match options.force {
        true => file.refresh(api),
        false => file.refresh_if_due(api),
    }
    .map_err(no_token)?;
    let (token, now) = (&refresh.token, SystemTime::now());
    let line = format!("the access token is {}", refresh.outcome);
    match &refresh.outcome {
        RefreshOutcome::TooYoung => {
            let at = token.refreshable_at();
            let line = format!("{line}: wait until {}, {}", date(at), from_now(at, now));
            if options.force {
                return Err(Failure::new(FAILED, line));
            }
            // Refused: its clock makes it look old.
            report(format_args!("{line}\n"))?;
        }
        RefreshOutcome::NotDue | RefreshOutcome::Refreshed => {
            report(format_args!("{line}\n{}", table(token, now)))?;
        }
        RefreshOutcome::RefreshFailed(error) => return Err(Failure::new(code(error), line)),
        RefreshOutcome::SaveFailed(_) => {
            return Err(Failure::new(crate::exit::CANNOT_WRITE, line));
        }
        _ => return Err(Failure::new(FAILED, line)),
    }
    Ok(0)
}

/// The user, on one line whatever the service says.
fn name(user: &User) -> String {
    output::plain(&match &user.username {
        Some(name) => format!("{name} ({})", user.id),
        None => user.id.clone(),
    })
}

/// The dates of a token, one per line.
fn table(token: &LongLivedToken, now: SystemTime) -> String {
    let line = |name: &str, at| format!("{name:<11}{}, {}\n", date(at), from_now(at, now));
    let mut lines = line("obtained", token.obtained_at);
    lines += &match token.expires_at() {
        Some(at) if at <= now => line("expired", at),
        Some(at) => line("expires", at),
        None => "expires    unknown until the first refresh\n".to_owned(),
    };
    lines += &line("refresh", token.refresh_due_at());
    if now < token.obtained_at {
        let now = dates::date(now);
        lines += &format!("clock      {now}, which is before the token was obtained: set it\n");
    }
    lines
}
