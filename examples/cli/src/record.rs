//! `mingram record`: makes fixtures of your own account, without what must not be
//! published.

use crate::account::source as account;
use crate::exit::{CANNOT_WRITE, FAILED, Failure, INTERRUPTED, Result, code};
use crate::options::{Arg, Args, Command};
use crate::{output, signals};
use mingram::transport::{DefaultTransport, Record};
use mingram::{Api, ErrorKind, Fields, Media, MediaField as M, MediaType, UserField as U};
use std::path::PathBuf;
use std::time::Duration;

pub const COMMAND: Command = Command {
    name: "record",
    about: "record the service's replies, to test programs with",
    help: HELP,
    json: false,
    run,
};

const HELP: &str = "\
Record the service's replies for your own account, to test programs with.

Usage: mingram record [OPTIONS] DIR

Requests the profile, pages of media, one media and an album's children, and
writes each exchange into DIR as one file NAME.http: when it was recorded, the
request and the reply, in the format of mingram's `transport::Replay`.

The access token, cursors, user names, captions, ids, the names of files and the
signatures in their URLs are replaced, the same by the same in every place.
Dates, counts and types stay. Cookies, trace ids and unknown headers are
omitted. If a secret is still found, nothing is written. Look at the files
before you publish them.

Options:
      --pages N          pages of media, and of children (default: 3, at most
                         1000)
      --limit N          media per page (default: 25, at most 100)
      --all-fields       request the fields of Instagram Login as well as the
                         basic ones
      --keep-ids         keep ids, shortcodes and file names
      --keep-captions    keep captions; user names in them are still replaced
";

struct Options {
    folder: PathBuf,
    pages: u32,
    limit: u32,
    all_fields: bool,
    keep_ids: bool,
    keep_captions: bool,
}

fn options(args: &mut Args) -> Result<Options> {
    let mut options = Options {
        folder: PathBuf::new(),
        pages: 3,
        limit: 25,
        all_fields: false,
        keep_ids: false,
        keep_captions: false,
    };
    while let Some(arg) = args.next()? {
        match arg.option() {
            Some("--pages") => options.pages = args.number("--pages", 1, 1000)?,
            Some("--limit") => options.limit = args.number("--limit", 1, 100)?,
            Some("--all-fields") => options.all_fields = true,
            Some("--keep-ids") => options.keep_ids = true,
            Some("--keep-captions") => options.keep_captions = true,
            _ => match arg {
                Arg::Value(dir) if options.folder.as_os_str().is_empty() => {
                    options.folder = dir.into();
                }
                arg => return Err(arg.unexpected()),
            },
        }
    }
    match options.folder.as_os_str().is_empty() {
        true => Err(Failure::usage("the directory to write into is missing")),
        false => Ok(options),
    }
}

fn run(mut args: Args) -> Result<u8> {
    let options = options(&mut args)?;
    let mut record = Record::new(DefaultTransport::default());
    if options.keep_ids {
        record = record.keeping_ids();
    }
    if options.keep_captions {
        record = record.keeping_captions();
    }
    let checked = record.check_directory(&options.folder);
    checked.map_err(|error| Failure::new(CANNOT_WRITE, error))?;
    let interrupted = || output::note("record", "interrupted; nothing is written");
    signals::end_at_signal(INTERRUPTED, Duration::ZERO, interrupted, || ())?;
    let source = account::source(&args)?.but_not_the_sample()?;
    let api = account::api(&args)?;
    let token = source.token(&args, &api)?;
    let api = api.with_token(token).with_transport(record.clone());

    let failures = ask(&api, &record, &options);
    let saved = record.save(&options.folder).map_err(|error| {
        let code = match error.kind() {
            ErrorKind::Io => CANNOT_WRITE,
            _ => FAILED,
        };
        Failure::new(code, error)
    })?;
    for file in saved {
        let (name, status, length) = (file.name, file.status, file.text.len());
        output::report(format_args!("{name}.http: HTTP {status}, {length} bytes\n"))?;
    }
    for failure in &failures {
        output::error("record", &failure.to_string());
    }
    Ok(failures.iter().map(code).max().unwrap_or(0))
}

/// Makes the calls. One that fails is recorded like the others, and the rest are made all
/// the same.
fn ask<T>(api: &Api, record: &Record<T>, options: &Options) -> Vec<mingram::Error> {
    let mut failures = Vec::new();
    let (of_user, of_media) = match options.all_fields {
        true => (U::PROFESSIONAL, M::PROFESSIONAL),
        false => (U::BASIC, M::BASIC),
    };
    let of_media = Fields::from(of_media).with(M::Children, M::CHILD);

    record.name_next("profile");
    failures.extend(api.me(of_user).err());

    let mut media: Vec<Media> = Vec::new();
    let mut pages = api.my_media(of_media).page_size(options.limit).pages();
    for number in 1..=options.pages {
        record.name_next(&format!("media-page-{number}"));
        match pages.next() {
            Some(Ok(page)) => media.extend(page.data),
            Some(Err(error)) => failures.push(error),
            None => break,
        }
    }

    if let Some(first) = media.first() {
        record.name_next("media");
        let fields = [M::Id, M::MediaType, M::MediaUrl, M::Username, M::Timestamp];
        failures.extend(api.media(&first.id, fields).err());
    }

    let is_album = |media: &&Media| media.media_type == Some(MediaType::CarouselAlbum);
    if let Some(album) = media.iter().find(is_album) {
        let mut pages = api.children(&album.id, M::CHILD).pages();
        for number in 1..=options.pages {
            record.name_next(&format!("children-page-{number}"));
            match pages.next() {
                Some(page) => failures.extend(page.err()),
                None => break,
            }
        }
    }
    failures
}
