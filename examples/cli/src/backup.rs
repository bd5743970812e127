//! `mingram backup`: copies an account into a directory: every picture and video, and what
//! the service says about each. A rerun downloads only what is missing.

mod download;
mod list;
mod progress;
mod summary;

use crate::account::source::{self as account, Source, lacks_a_field};
use crate::exit::{FAILED, Failure as Exit, INTERRUPTED, Result};
use crate::options::{Arg, Args, Command};
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::store::names::{Want, file_name};
use crate::store::sidecar::{self, Notes};
use crate::{dates, output, signals};
use download::{Role, Task};
use list::{Lister, damage};
use mingram::{Api, User, UserField as U};
use miniserde::json;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use summary::Summary;

pub const COMMAND: Command = Command {
    name: "backup",
    about: "copy everything into a directory",
    help: HELP,
    json: true,
    run,
};

const HELP: &str = "\
Copy an Instagram account into a directory: everything, safely.

Usage: mingram backup [OPTIONS] DIR

DIR is created if it is missing. It receives, with names that sort by date:
  2026-11-21_17895695668004550.jpg
        a picture or video
  2026-11-21_17895695668004550_poster.jpg
        the poster of a video
  2026-11-21_17895695668004550.json
        what the service says about it, and the size of its files
  2026-10-02_17896450804038745_01_17880997618081620.jpg
        the first of an album
  profile.json, profile.jpg
        the account

Run it again at any time: only what is missing is downloaded, and an interrupted
file is resumed. Files get the time of publication. Captions that were edited
are updated and reported. Posts that you delete from the account stay in DIR.
Media that the service gives no file for (often because of copyrighted music)
are counted as unavailable and do not make the run fail; -v names them.

Options:
  -j, --jobs N           download N files at once (default: 3, at most 16)
      --since DATE       only what was published on this day (UTC) or later, for
                         example 2026-01-31
      --check            compare every file with its recorded size, and download
                         again what differs
  -n, --dry-run          list what would be downloaded, and write nothing
      --retries N        how often to retry when a connection fails (default: 4,
                         at most 10)
      --timeout N        the time limit of an attempt at a file in seconds; the
                         next one resumes (default: 300)

With --json: a summary of the run as one object.
";

/// What the names of unfinished files begin with.
const UNFINISHED: &str = ".backup-";

/// What the command line says.
struct Options {
    dir: PathBuf,
    jobs: u32,
    since: Option<SystemTime>,
    check: bool,
    dry_run: bool,
    json: bool,
    retries: u32,
    timeout: Duration,
}

fn run(mut args: Args) -> Result<u8> {
    let options = options(&mut args)?;
    let api = open(&args, &options)?.with_retries(options.retries);
    let interrupted = || output::note("backup", "interrupted; run it again to resume");
    signals::end_at_signal(INTERRUPTED, Duration::ZERO, interrupted, || ())?;
    let mut summary = Summary::default();
    let done = copy(&api, &options, &mut summary);
    output::clear_progress();
    let code = match &done {
        Err(failure) => failure.code(),
        Ok(()) if summary.missing.is_empty() => 0,
        Ok(()) => FAILED,
    };
    summary.error = done.err().map(|failure| failure.to_string());
    summary.complete = code == 0 && !options.dry_run;
    summary.tell();
    match options.json {
        true => output::print(json::to_string(&summary) + "\n")?,
        // The error has said it all.
        false if summary.error.is_some() && summary.media == 0 => {}
        false => output::report(summary.text(options.dry_run))?,
    }
    Ok(code)
}

fn options(args: &mut Args) -> Result<Options> {
    let mut options = Options {
        dir: PathBuf::new(),
        jobs: 3,
        since: None,
        check: false,
        dry_run: false,
        json: false,
        retries: 4,
        timeout: Duration::from_secs(300),
    };
    while let Some(arg) = args.next()? {
        match arg.option() {
            Some("-j" | "--jobs") => options.jobs = args.number("--jobs", 1, 16)?,
            Some("--since") => {
                let since = args.value()?.to_str().and_then(dates::parse_day);
                let wrong = || Exit::usage("--since takes a date, for example 2026-01-31");
                options.since = Some(since.ok_or_else(wrong)?);
            }
            Some("--check") => options.check = true,
            Some("-n" | "--dry-run") => options.dry_run = true,
            Some("--retries") => options.retries = args.number("--retries", 0, 10)?,
            Some("--timeout") => {
                let seconds = args.number("--timeout", 1, 86_400)?;
                options.timeout = Duration::from_secs(seconds.into());
            }
            _ => match arg {
                Arg::Value(dir) if options.dir.as_os_str().is_empty() => options.dir = dir.into(),
                arg => return Err(arg.unexpected()),
            },
        }
    }
    options.json = args.json;
    match options.dir.as_os_str().is_empty() {
        true => Err(Exit::usage("the directory to copy into is missing")),
        false => Ok(options),
    }
}

/// The sample never goes into a directory that has something else in it: the token of an
/// earlier run may merely be lost.
fn open(args: &Args, options: &Options) -> Result<Api> {
    let mut source = account::source(args)?;
    let folder = Directory::look(&options.dir, UNFINISHED);
    if matches!(source, Source::Sample) && !folder.is_empty() && !sidecar::is_sample(&folder) {
        source = source.but_not_the_sample()?;
    }
    source.open(args)
}

fn copy(api: &Api, options: &Options, summary: &mut Summary) -> std::result::Result<(), Failure> {
    let folder = match options.dry_run {
        true => Directory::look(&options.dir, UNFINISHED),
        false => Directory::open(&options.dir, UNFINISHED)?,
    };
    let unfinished = folder.unfinished();
    let unfinished = unfinished.iter().filter(|stem| !stem.ends_with(".json"));
    match unfinished.count() {
        0 => {}
        1 => output::note("backup", "resuming: an earlier run left an unfinished file"),
        files => {
            let text = format!("resuming: an earlier run left {files} unfinished files");
            output::note("backup", &text);
        }
    }
    let mut tasks = VecDeque::new();
    profile(api, &folder, options, summary, &mut tasks)?;
    let mut lister = Lister::new(api, &folder, options, summary, &mut tasks);
    // What was listed before a failure is worth downloading all the same.
    let listed = lister.list();
    output::clear_progress();
    if let Err(failure @ (Failure::Disk(..) | Failure::Busy(_))) = listed {
        return Err(failure);
    }
    if options.dry_run {
        summary.wanted = tasks.into_iter().map(|task| task.stem).collect();
    } else {
        download::all(api, &folder, options, summary, tasks)?;
    }
    listed
}

/// Writes the profile, and adds its picture to the tasks.
fn profile(
    api: &Api,
    folder: &Directory,
    options: &Options,
    summary: &mut Summary,
    tasks: &mut VecDeque<Task>,
) -> std::result::Result<(), Failure> {
    let all = [U::PROFESSIONAL, &[U::Biography, U::Website]].concat();
    let mut user = match api.me(&all) {
        Err(error) if lacks_a_field(&error) => api.me(U::BASIC)?,
        user => user?,
    };
    let before = folder.read("profile.json");
    if let Some(owner) = sidecar::other_account(&before, &user) {
        let dir = folder.path().display();
        let what = format!("{dir} has a backup of another account, {owner}: use another directory");
        return Err(Failure::Content(what));
    }
    // Signed for a few days, and another URL each time.
    let url = user.profile_picture_url.take();
    let mut notes = Notes::read(&before);
    if let Some(url) = url {
        let source = file_name(&url);
        let found = folder.find("profile");
        summary.files += 1;
        let same = notes.file.as_ref().and_then(|file| file.source.as_deref());
        let is_known = found.is_some() && same == Some(source);
        let damage = match (&found, &notes.file) {
            (Some(name), Some(file)) if is_known && options.check => {
                damage(&folder.join(name), file.size).map(|what| format!("{name}: {what}"))
            }
            _ => None,
        };
        let is_whole = damage.is_none();
        summary.damaged.extend(damage);
        if is_known && is_whole {
            summary.already_there += 1;
        } else {
            tasks.push_back(Task {
                id: String::new(),
                role: Role::Profile(source.to_owned()),
                node: "profile.json".to_owned(),
                stem: "profile".to_owned(),
                url,
                want: Want::Picture,
                published: None,
                replaces: found,
            });
        }
    } else {
        notes.file = None;
    }
    write_profile(folder, options, &user, &notes)
}

fn write_profile(
    folder: &Directory,
    options: &Options,
    user: &User,
    notes: &Notes,
) -> std::result::Result<(), Failure> {
    if !options.dry_run {
        let text = notes.add_to(json::to_string(user));
        folder.write_whole("profile.json", text.as_bytes())?;
    }
    Ok(())
}
