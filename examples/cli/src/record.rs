//! `mingram record`: makes fixtures of your own account, without what must not be
//! published.

mod escapes;
mod scrub;
mod tape;
#[cfg(test)]
mod tests;

use crate::account;
use crate::exit::{CANNOT_WRITE, FAILED, Failure, INTERRUPTED, Result, code};
use crate::folder::{self, Folder};
use crate::options::{Arg, Args, Command};
use crate::{output, signals};
use mingram::transport::DefaultTransport;
use mingram::{Api, Media, MediaField as M, MediaType, UserField as U};
use scrub::{Keep, Scrub};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tape::{Recorder, Tape};

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
    keep: Keep,
}

fn options(args: &mut Args) -> Result<Options> {
    let mut options = Options {
        folder: PathBuf::new(),
        pages: 3,
        limit: 25,
        all_fields: false,
        keep: Keep::default(),
    };
    while let Some(arg) = args.next()? {
        match arg.option() {
            Some("--pages") => options.pages = args.number("--pages", 1, 1000)?,
            Some("--limit") => options.limit = args.number("--limit", 1, 100)?,
            Some("--all-fields") => options.all_fields = true,
            Some("--keep-ids") => options.keep.ids = true,
            Some("--keep-captions") => options.keep.captions = true,
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
    check_folder(&options.folder)?;
    let interrupted = || output::note("record", "interrupted; nothing is written");
    signals::end_at_signal(INTERRUPTED, Duration::ZERO, interrupted, || ())?;
    let source = account::source(&args)?.but_not_the_sample()?;
    let api = account::api(&args)?;
    let token = source.token(&args, &api)?;
    let tape = Arc::new(Tape::default());
    let recorder = Recorder {
        inner: DefaultTransport::default(),
        tape: tape.clone(),
    };
    let api = api.with_token(token.clone()).with_transport(recorder);

    let failures = ask(&api, &tape, &options);
    write(
        &tape,
        Scrub::new(token.expose(), options.keep),
        &options.folder,
    )?;
    for failure in &failures {
        output::error("record", &failure.to_string());
    }
    Ok(failures.iter().map(code).max().unwrap_or(0))
}

fn write(tape: &Tape, mut scrub: Scrub, folder: &Path) -> Result<()> {
    let (exchanges, now) = (tape.take(), SystemTime::now());
    // Twice: a name that comes late may be in a caption that came early.
    for exchange in &exchanges {
        exchange.file(&mut scrub, now);
    }
    let mut files = Vec::new();
    for exchange in &exchanges {
        let file = exchange.file(&mut scrub, now);
        if let Some(what) = scrub.leak(&file) {
            let name = &exchange.name;
            let message = format!("{what} is still in {name}, so nothing is written");
            return Err(Failure::new(FAILED, message));
        }
        files.push((&exchange.name, exchange.status, file));
    }
    let failed =
        |failure: folder::Failure| Failure::new(failure.code(), format!("cannot write {failure}"));
    let folder = Folder::open(folder, ".record-").map_err(failed)?;
    for (name, status, file) in files {
        let name = format!("{name}.http");
        let written = folder.write_whole(&name, file.as_bytes());
        written.map_err(failed)?;
        let length = file.len();
        output::report(format_args!("{name}: HTTP {status}, {length} bytes\n"))?;
    }
    Ok(())
}

/// Makes the calls. One that fails is recorded like the others, and the rest are made all
/// the same.
fn ask(api: &Api, tape: &Tape, options: &Options) -> Vec<mingram::Error> {
    let mut failures = Vec::new();
    let children = M::Children(M::CHILD);
    let (of_user, of_media) = match options.all_fields {
        true => (U::PROFESSIONAL, [M::PROFESSIONAL, &[children]].concat()),
        false => (U::BASIC, [M::BASIC, &[children]].concat()),
    };

    tape.begin("profile");
    failures.extend(api.me(of_user).err());

    let mut media: Vec<Media> = Vec::new();
    let mut pages = api.my_media(&of_media).page_size(options.limit).pages();
    for number in 1..=options.pages {
        tape.begin(&format!("media-page-{number}"));
        match pages.next() {
            Some(Ok(page)) => media.extend(page.data),
            Some(Err(error)) => failures.push(error),
            None => break,
        }
    }

    if let Some(first) = media.first() {
        tape.begin("media");
        let fields = [M::Id, M::MediaType, M::MediaUrl, M::Username, M::Timestamp];
        failures.extend(api.media(&first.id, &fields).err());
    }

    let is_album = |media: &&Media| media.media_type == Some(MediaType::CarouselAlbum);
    if let Some(album) = media.iter().find(is_album) {
        let mut pages = api.children(&album.id, M::CHILD).pages();
        for number in 1..=options.pages {
            tape.begin(&format!("children-page-{number}"));
            match pages.next() {
                Some(page) => failures.extend(page.err()),
                None => break,
            }
        }
    }
    failures
}

/// Creates the directory if it is missing. Refuses one with a recording in it.
fn check_folder(folder: &Path) -> Result<()> {
    let failed = |error| {
        let message = format!("cannot create or read {}: {error}", folder.display());
        Failure::new(CANNOT_WRITE, message)
    };
    fs::create_dir_all(folder).map_err(failed)?;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if Path::new(&name)
            .extension()
            .is_some_and(|ending| ending == "http")
        {
            let folder = folder.display();
            let message = format!("{folder} has a recording in it: use another directory");
            return Err(Failure::new(CANNOT_WRITE, message));
        }
    }
    Ok(())
}
