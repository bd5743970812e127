//! `mingram feed`: the profile, and the newest media with their albums opened.

use crate::account::fields::{self, Fields};
use crate::account::listing::{Listed, Listing};
use crate::account::source as account;
use crate::exit::{CANNOT_WRITE, FAILED, Failure, Result};
use crate::options::{Arg, Args, Command};
use crate::output;
use mingram::{Api, Media, User};
use miniserde::{Serialize, json};
use std::io::{self, Write};
use unicode_width::UnicodeWidthChar;

pub const COMMAND: Command = Command {
    name: "feed",
    about: "show the profile and the newest media",
    help: HELP,
    json: true,
    run,
};

const HELP: &str = "\
Show an account: the profile, and the newest media with their albums opened.

Usage: mingram feed [OPTIONS]

Options:
      --limit N          show at most N media (default: 25)
      --all              show all media; the service lists the newest 10,000
      --page-size N      request N media at a time, at most 100 (default: as
                         many as are shown, at most 50)

With --json: one object per line under the service's own keys, the profile
first.
";

struct Options {
    /// `None`: all.
    limit: Option<u32>,
    page_size: Option<u32>,
    json: bool,
}

fn run(mut args: Args) -> Result<u8> {
    let options = options(&mut args)?;
    let api = account::source(&args)?.open(&args)?;
    show(&api, &options)
}

fn options(args: &mut Args) -> Result<Options> {
    let (mut limit, mut all, mut page_size) = (None, false, None);
    while let Some(arg) = args.next()? {
        match arg.option() {
            Some("--limit") => limit = Some(args.number("--limit", 1, 10_000)?),
            Some("--all") => all = true,
            Some("--page-size") => page_size = Some(args.number("--page-size", 1, 100)?),
            _ => return Err(Arg::unexpected(&arg)),
        }
    }
    if all && limit.is_some() {
        return Err(Failure::usage("--all and --limit exclude each other"));
    }
    Ok(Options {
        limit: (!all).then(|| limit.unwrap_or(25)),
        page_size,
        json: args.json,
    })
}

fn show(api: &Api, options: &Options) -> Result<u8> {
    let limit = options.limit.unwrap_or(u32::MAX);
    let page_size = options.page_size.unwrap_or(limit.min(50));
    let mut out = io::stdout().lock();
    let me = fields::me(api, &mut Fields::user("feed"))?;
    let written = match options.json {
        true => write_json(&mut out, &me),
        false => write_profile(&mut out, &me),
    };
    if is_closed(written)? {
        return Ok(0);
    }
    let mut listing = Listing::new(api, Fields::post("feed"), page_size);
    let mut code = 0;
    // Every page is as large as `--page-size` says, the last one too.
    for listed in listing.by_ref().take(limit as usize) {
        let post = match listed? {
            Listed::Post(post) => post,
            Listed::Unreadable(why) => {
                code = missing(&mut out, "a media", &why)?;
                continue;
            }
        };
        let written = match options.json {
            true => write_json(&mut out, &post.media),
            false => write_media(&mut out, &post.media),
        };
        if is_closed(written)? {
            return Ok(0);
        }
        if let Some(why) = post.trouble {
            code = missing(&mut out, &format!("children of {}", post.media.id), &why)?;
        }
    }
    is_closed(out.flush())?;
    match listing.doubt(me.media_count, false) {
        Some(doubt) => Err(Failure::new(FAILED, doubt)),
        None => Ok(code),
    }
}

/// Reports what cannot be shown, in the place where it would be. Returns the exit code.
fn missing(out: &mut impl Write, what: &str, why: &str) -> Result<u8> {
    is_closed(out.flush())?;
    output::line(&format!("missing: {what}: {why}"));
    Ok(FAILED)
}

/// Whether the reader of stdout has left (`| head`), which is no failure.
fn is_closed(written: io::Result<()>) -> Result<bool> {
    match written {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err(Failure::new(
            CANNOT_WRITE,
            format!("cannot write to stdout: {error}"),
        )),
    }
}

fn write_json(out: &mut impl Write, node: &dyn Serialize) -> io::Result<()> {
    writeln!(out, "{}", json::to_string(node))
}

fn write_profile(out: &mut impl Write, me: &User) -> io::Result<()> {
    write!(
        out,
        "{}",
        one_line(me.username.as_deref().unwrap_or(&me.id))
    )?;
    if let Some(account_type) = &me.account_type {
        let words = account_type.as_str().to_lowercase().replace('_', " ");
        write!(out, ", {} account", one_line(&words))?;
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

/// One line of at most 80 columns, and one for each child.
fn write_media(out: &mut impl Write, media: &Media) -> io::Result<()> {
    let timestamp = media.timestamp.as_deref();
    let date = timestamp.and_then(|timestamp| timestamp.get(..10));
    let caption = media.caption.as_deref().unwrap_or("");
    write_row(out, date.unwrap_or(""), &kind(media), &media.id, caption)?;
    let children = media.children.as_deref().unwrap_or_default();
    for (i, child) in children.iter().enumerate() {
        let branch = if i + 1 == children.len() {
            "└"
        } else {
            "├"
        };
        write_row(out, "", &format!("{branch} {}", kind(child)), &child.id, "")?;
    }
    Ok(())
}

fn kind(media: &Media) -> String {
    let word = media.media_type.as_ref().map_or("", |kind| kind.as_str());
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
        cut(&one_line(caption), 37)
    );
    writeln!(out, "{}", row.trim_end())
}

/// Text in exactly this many columns.
fn cell(text: &str, columns: usize) -> String {
    let mut cell = cut(&one_line(text), columns);
    let width: usize = cell.chars().filter_map(UnicodeWidthChar::width).sum();
    cell.extend(std::iter::repeat_n(' ', columns - width));
    cell
}

/// The beginning of a text that fits into this many columns of a terminal.
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

fn one_line(text: &str) -> String {
    let text = output::plain(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
