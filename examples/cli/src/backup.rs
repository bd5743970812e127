//! `mingram backup`: copies an account into a directory: every picture and video, and what
//! the service says about each. A rerun downloads only what is missing.

mod check;
mod download;
mod options;
mod plan;
mod post;
mod profile;
mod progress;
mod queue;
mod summary;
mod work;

use crate::account::fields::{self, Fields};
use crate::account::source::{self as account, Source};
use crate::exit::{INTERRUPTED, Result};
use crate::options::{Args, Command};
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::store::index::Index;
use crate::store::record::{self, Record};
use crate::store::sidecar::object;
use crate::{dates, output, signals};
use download::Run;
use mingram::{Api, User};
use miniserde::Serialize;
use miniserde::json::{self, Object, Value};
use options::Options;
use plan::Plan;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, SystemTime};
use summary::{Posts, Summary};

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
  2026/2026-11-21_17895695668004550.jpg
        a picture or video, in the directory of its year
  2026/2026-11-21_17895695668004550_poster.jpg
        the poster of a video
  2026/2026-11-21_17895695668004550.json
        what the service says about it and its children, what it said before,
        and the size and checksum of its files
  2026/2026-10-02_17896450804038745_01_17880997618081620.jpg
        the first of an album
  profile.json, profile.jpg
        the account; an older picture stays as profile_2026-11-28.jpg
  .mingram/
        whose account it is, and how the last run ended

Run it again at any time: only what is missing is downloaded, and an interrupted
file is resumed. What is kept stays: files are found by the id in their names,
posts and children that leave the account stay in DIR, and so does the old text
of a caption that was edited. Files get the time of publication.
Media that the service gives no file for (often because of copyrighted music)
are counted as unavailable and do not make the run fail; -v names them. What
fails is counted as missing, and the rest is copied.

Options:
  -j, --jobs N           download N files at once (default: 3, at most 16)
      --since DATE       only what was published on this day (UTC) or later, for
                         example 2026-01-31
      --check            read every file, also of posts that have left, compare
                         its recorded checksum (without one, its length at the
                         service), and download again what differs
  -n, --dry-run          list what would be downloaded, and write nothing
      --retries N        how often to retry when a connection fails (default: 4,
                         at most 10)
      --timeout N        the time limit of an attempt at a file in seconds; the
                         next one resumes (default: 300)

With --json: a summary of the run as one object.
";

/// What the names of unfinished files begin with.
const UNFINISHED: &str = ".backup-";

/// The account.
const PROFILE: &str = "profile.json";

fn run(mut args: Args) -> Result<u8> {
    let options = Options::read(&mut args)?;
    let api = open(&args, &options)?.with_retries(options.retries);
    let interrupted = || output::note("backup", "interrupted; run it again to resume");
    signals::end_at_signal(INTERRUPTED, Duration::ZERO, interrupted, || ())?;
    let mut summary = Summary::default();
    let done = copy(&api, &options, &mut summary);
    output::clear_progress();
    let code = summary.end(&done, options.dry_run);
    summary.tell();
    match options.json {
        true => output::print(json::to_string(&summary) + "\n")?,
        // The error has said it all.
        false if summary.error.is_some() && summary.media == 0 => {}
        false => output::report(summary.text(options.dry_run))?,
    }
    Ok(code)
}

/// The sample never goes into a directory that has something else in it: the token of an
/// earlier run may merely be lost.
fn open(args: &Args, options: &Options) -> Result<Api> {
    let mut source = account::source(args)?;
    let folder = Directory::look(&options.dir, UNFINISHED);
    if matches!(source, Source::Sample) && !folder.is_empty() {
        let owner = record::owner(&folder, PROFILE, None).unwrap_or_default();
        if !owner.is_some_and(|owner| owner.is_sample()) {
            source = source.but_not_the_sample()?;
        }
    }
    source.open(args)
}

fn copy(api: &Api, options: &Options, summary: &mut Summary) -> std::result::Result<(), Failure> {
    let folder = match options.dry_run {
        true => Directory::look(&options.dir, UNFINISHED),
        false => Directory::open_private(&options.dir, UNFINISHED)?,
    };
    let index = Index::read(&folder)?;
    let mut fields = Fields::user_all("backup");
    let user = fields::me(api, &mut fields)?;
    summary.refused.extend_from_slice(fields.refused());
    let record = Record::new("backup");
    record.check(&folder, Some(PROFILE), &user)?;
    tell_unfinished(&folder);
    let done = fill(api, &folder, options, summary, index, &user);
    if options.dry_run {
        return done;
    }
    let done = done.and(folder.flush());
    let code = summary.end(&done, false);
    let last_run = LastRun {
        ended: dates::instant(SystemTime::now()),
        code,
        error: summary.error.clone(),
        posts: summary.posts,
    };
    let last_run = Value::Object(object(&last_run));
    let last_run = Object::from_iter([("last_run".to_owned(), last_run)]);
    let written = record.write(&folder, &user, last_run);
    done.and(written)
}

/// What is recorded of a run.
#[derive(Serialize)]
struct LastRun {
    ended: String,
    code: u8,
    error: Option<String>,
    posts: Posts,
}

fn tell_unfinished(folder: &Directory) {
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
}

/// Lists, and downloads at the same time.
fn fill(
    api: &Api,
    folder: &Directory,
    options: &Options,
    summary: &mut Summary,
    index: Index,
    user: &User,
) -> std::result::Result<(), Failure> {
    let run = Run::new(api, folder, options, summary);
    let mut plan = Plan { run: &run, index };
    let jobs = if options.dry_run { 0 } else { options.jobs };
    let listed = thread::scope(|scope| {
        for started in 0..jobs {
            let thread = thread::Builder::new().spawn_scoped(scope, || run.work());
            if let Err(error) = thread {
                let line = format!("fewer downloads at a time: {error}");
                output::detail("backup", &line);
                run.alone.store(started == 0, Ordering::Relaxed);
                break;
            }
        }
        let own = profile::profile(&run, PROFILE, user.clone());
        let listed = own.and_then(|()| plan.posts(user));
        match &listed {
            Err(Failure::Disk(..) | Failure::Busy(_)) => run.queue.stop(),
            _ => run.queue.close(),
        }
        listed
    });
    output::clear_progress();
    run.give_up();
    let outcome = run.outcome.into_inner().unwrap();
    if let Some(failure) = outcome.fatal {
        return Err(failure);
    }
    // What is not listed any more does not come any more.
    if listed? && !options.dry_run {
        for stem in folder.unfinished() {
            if !outcome.unfinished.contains(&stem) {
                folder.forget(&stem)?;
            }
        }
    }
    Ok(())
}
