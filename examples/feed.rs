//! Shows an account: its profile, and its media with the albums opened.

use mingram::transport::Replay;
use mingram::{Api, Media, MediaField as M, User, UserField};
use miniserde::json;
use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use unicode_width::UnicodeWidthChar;

const HELP: &str = "\
Shows an Instagram account: the profile, and the newest media with their albums
opened.

Usage: feed [OPTIONS]

Options:
  --limit N      show N media at most (default: 25)
  --all          show all there are, the newest 10,000 at most
  --page-size N  ask for N media at a time (default: as many as are shown, 50 at
                 most; the service takes 100)
  --json         one JSON object a line under the service's own keys, the
                 profile first
  --help         show this and stop

Environment:
  INSTAGRAM_TOKEN        the access token; without one, a built-in sample plays
  INSTAGRAM_API_VERSION  for example v25.0 (default: none)
  INSTAGRAM_BASE_URL     another server (default: https://graph.instagram.com)

Exit code: 0 done, 1 the service or the network failed, 2 a wrong option.
";

/// What the built-in sample was recorded with.
const SAMPLE_PAGE_SIZE: u32 = 4;

struct Options {
    limit: Option<usize>,
    page_size: Option<u32>,
    json: bool,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            // Nobody to read the help is no failure.
            let _ = io::stdout().write_all(HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("feed: {error} (try --help)");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("feed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` where help was asked for.
fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options {
        limit: Some(25),
        page_size: None,
        json: false,
    };
    let (mut limited, mut all) = (false, false);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("limit") => {
                options.limit = Some(positive(arguments.value()?, "--limit")?);
                limited = true;
            }
            Long("page-size") => {
                options.page_size = Some(positive(arguments.value()?, "--page-size")?)
            }
            Long("all") => all = true,
            Long("json") => options.json = true,
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    if all && limited {
        return Err("--all and --limit cannot go together".into());
    }
    if all {
        options.limit = None;
    }
    Ok(Some(options))
}

fn positive<T: std::str::FromStr + Default + PartialEq>(
    value: std::ffi::OsString,
    option: &str,
) -> Result<T, lexopt::Error> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number
        .filter(|number| *number != T::default())
        .ok_or_else(|| format!("{option} takes a whole number above 0, not {value:?}").into())
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let mut page_size = options
        .page_size
        .unwrap_or_else(|| options.limit.map_or(50, |limit| limit.min(50) as u32));
    let api = match variable("INSTAGRAM_TOKEN") {
        Some(token) => {
            let mut api = Api::new(token);
            if let Some(url) = variable("INSTAGRAM_BASE_URL") {
                api = api.with_base_url(url);
            }
            if let Some(version) = variable("INSTAGRAM_API_VERSION") {
                api = api.with_version(version);
            }
            api
        }
        None => {
            eprintln!("feed: INSTAGRAM_TOKEN is not set, so this plays the built-in sample");
            if options
                .page_size
                .is_some_and(|size| size != SAMPLE_PAGE_SIZE)
            {
                eprintln!(
                    "feed: the sample was recorded in pages of {SAMPLE_PAGE_SIZE}, so --page-size is passed over"
                );
            }
            page_size = SAMPLE_PAGE_SIZE;
            Api::new("IGQVJsample").with_transport(sample()?)
        }
    };
    let mut out = io::stdout().lock();
    let me = api.me(UserField::BASIC)?;
    if options.json {
        writeln!(out, "{}", json::to_string(&me))?;
    } else {
        write_profile(&mut out, &me)?;
    }
    let feed = api
        .my_media(M::WITH_CHILDREN)
        .page_size(page_size)
        .into_iter();
    for media in feed.take(options.limit.unwrap_or(usize::MAX)) {
        let media = media?;
        if options.json {
            writeln!(out, "{}", json::to_string(&media))?;
        } else {
            write_media(&mut out, &media)?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Four of the recorded exchanges, compiled into the program.
fn sample() -> mingram::Result<Replay> {
    Replay::new()
        .with_exchange("profile", include_str!("../fixtures/feed/profile.http"))?
        .with_exchange("page-1", include_str!("../fixtures/feed/page-1.http"))?
        .with_exchange("page-2", include_str!("../fixtures/feed/page-2.http"))?
        .with_exchange("page-3", include_str!("../fixtures/feed/page-3.http"))
}

fn write_profile(out: &mut impl Write, me: &User) -> io::Result<()> {
    write!(out, "{}", plain(me.username.as_deref().unwrap_or(&me.id)))?;
    if let Some(account_type) = &me.account_type {
        let words = account_type.as_str().to_lowercase().replace('_', " ");
        write!(out, ", {} account", plain(&words))?;
    }
    if let Some(count) = me.media_count {
        write!(out, ", {count} media")?;
    }
    writeln!(
        out,
        "\n\n{:<10}  {:<9}  {:<18}  CAPTION",
        "DATE", "TYPE", "ID"
    )
}

/// One line of 80 columns at most, and one for each child.
fn write_media(out: &mut impl Write, media: &Media) -> io::Result<()> {
    let date = media
        .timestamp
        .as_deref()
        .and_then(|timestamp| timestamp.get(..10))
        .unwrap_or("");
    write_row(
        out,
        date,
        &kind(media),
        &media.id,
        media.caption.as_deref().unwrap_or(""),
    )?;
    let last = media.children.len();
    for (i, child) in media.children.iter().enumerate() {
        let branch = if i + 1 == last { "└" } else { "├" };
        write_row(out, "", &format!("{branch} {}", kind(child)), &child.id, "")?;
    }
    Ok(())
}

fn kind(media: &Media) -> String {
    let word = media
        .media_type
        .as_ref()
        .map_or("", |media_type| media_type.as_str());
    word.rsplit('_').next().unwrap_or(word).to_lowercase()
}

fn write_row(
    out: &mut impl Write,
    date: &str,
    kind: &str,
    id: &str,
    caption: &str,
) -> io::Result<()> {
    let row = format!(
        "{}  {}  {}  {}",
        cell(date, 10),
        cell(kind, 9),
        cell(id, 18),
        cut(&plain(caption), 37)
    );
    writeln!(out, "{}", row.trim_end())
}

/// `text` in exactly so many columns.
fn cell(text: &str, columns: usize) -> String {
    let mut cell = cut(&plain(text), columns);
    let width: usize = cell.chars().filter_map(UnicodeWidthChar::width).sum();
    cell.extend(std::iter::repeat_n(' ', columns - width));
    cell
}

/// The beginning of `text` that fits in so many columns of a terminal.
fn cut(text: &str, columns: usize) -> String {
    let width = |c: char| c.width().unwrap_or(0);
    if text.chars().map(width).sum::<usize>() <= columns {
        return text.to_owned();
    }
    let mut left = columns - 1;
    let fits = text.chars().take_while(|&c| {
        let fits = width(c) <= left;
        left = left.saturating_sub(width(c));
        fits
    });
    fits.chain(['…']).collect()
}

/// `text` on one line and without control characters: it comes from strangers
/// and goes to a terminal.
fn plain(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
