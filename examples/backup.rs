//! Copies an account into a folder: every picture and video, every album's
//! children, and what the service says about each. Run it again at any time;
//! only what is missing is downloaded.

#[path = "common/files.rs"]
mod files;
#[path = "common/tool.rs"]
mod tool;

use files::{Failure, Fetch, Folder, Want};
use indicatif::{ProgressBar, ProgressStyle};
use mingram::transport::SystemClock;
use mingram::{Api, ErrorKind, Media, MediaField as M, MediaType, UserField as U};
use miniserde::{Serialize, json};
use std::cell::Cell;
use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const HELP: &str = "\
Copy an Instagram account into a folder: everything, safely.

Usage: backup [OPTIONS] DIR

DIR is made where it is missing. It receives, in names that sort by date:
  2026-11-21_17895695668004550.jpg             a picture or video
  2026-11-21_17895695668004550.json            what the service says about it
  2026-10-02_17896450804038745_01_17880997618081620.jpg
                                               the first of an album
  profile.json                                 the account

Run it again to fetch what is missing: what is whole is left alone, and what
is half done goes on from its last 8 MiB that are safe on the disk.

Options:
  -j, --jobs N       download so many files at once (default 3, at most 16)
      --since DATE   only what was published on this day (UTC) or later, as
                     2026-01-31
  -n, --dry-run      say what would be downloaded, and write nothing
      --json         print a summary in JSON, for scripts
      --retries N    try again so often where a connection fails (default 4,
                     at most 10)
      --timeout N    end an attempt at a file after so many seconds, and go on
                     from there in another one (default 300)
      --file FILE    the token file
  -h, --help         this text

The access token is $INSTAGRAM_TOKEN. Where that is not set, it is the one in
the token file, which is refreshed when that is due: --file FILE, else
$MINGRAM_TOKEN_FILE, else $XDG_CONFIG_HOME/mingram/token.json, else
~/.config/mingram/token.json.

Environment:
  INSTAGRAM_API_VERSION  a version for the paths, as v25.0
  INSTAGRAM_BASE_URL     where the graph is (https://graph.instagram.com)

Exit status:
  0  everything is there
  1  something is missing, and was named
  2  the command line is wrong
  3  the access token is missing or dead: log in again
  4  a rate limit was reached: run it again later
  5  the folder cannot be written: disk full, no right, another run
";

/// After so many files in a row whose host could not be reached, the rest is
/// not tried any more.
const UNREACHED: u32 = 10;

/// What the command line says.
#[derive(Default)]
struct Options {
    dir: PathBuf,
    file: Option<PathBuf>,
    jobs: usize,
    /// In Unix seconds.
    since: Option<SystemTime>,
    dry_run: bool,
    json: bool,
    retries: u32,
    /// In seconds.
    timeout: usize,
}

/// One file to download.
struct Task {
    id: String,
    stem: String,
    url: String,
    want: Want,
}

/// What the run came to.
#[derive(Default, Serialize)]
struct Summary {
    media: u64,
    files: u64,
    already_there: u64,
    downloaded: u64,
    bytes: u64,
    complete: bool,
    /// Only with `--dry-run`: what would be downloaded.
    wanted: Vec<String>,
    missing: Vec<Missing>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Missing {
    name: String,
    reason: String,
}

impl Summary {
    fn miss(&mut self, name: impl Into<String>, reason: impl ToString) {
        let (name, reason) = (name.into(), reason.to_string());
        self.missing.push(Missing { name, reason });
    }

    fn text(&self, dry_run: bool) -> String {
        let names = self.wanted.iter().map(|name| format!("{name}\n"));
        let downloaded = match dry_run {
            true => format!("{} to download", self.wanted.len()),
            false => format!("{} downloaded ({})", self.downloaded, size(self.bytes)),
        };
        let (media, files, there) = (self.media, self.files, self.already_there);
        let missing = self.missing.len();
        let end = format!(
            "{media} media, {files} files: {there} already there, {downloaded}, {missing} missing\n"
        );
        names.chain([end]).collect()
    }
}

fn main() -> ExitCode {
    tool::end("backup", run())
}

fn run() -> tool::Result<u8> {
    let Some(options) = options()? else {
        return tool::print(HELP).map(|()| 0);
    };
    let api = tool::api()?;
    let token = tool::access_token("backup", &api, options.file.clone())
        .map_err(|failure| tool::Failure { code: 3, ..failure })?;
    let api = api.with_token(token).with_retries(options.retries);
    let mut summary = Summary::default();
    let done = copy(&api, &options, &mut summary);
    let code = match &done {
        Err(failure) => code(failure),
        Ok(()) if summary.missing.is_empty() => 0,
        Ok(()) => 1,
    };
    summary.error = done.err().map(|failure| failure.to_string());
    summary.complete = code == 0 && !options.dry_run;
    for missing in &summary.missing {
        tool::complain("missing", &format!("{}: {}", missing.name, missing.reason));
    }
    if let Some(error) = &summary.error {
        tool::complain("backup", error);
    }
    let text = match options.json {
        true => json::to_string(&summary) + "\n",
        false => summary.text(options.dry_run),
    };
    tool::print(text)?;
    Ok(code)
}

fn options() -> tool::Result<Option<Options>> {
    use lexopt::prelude::*;
    let mut options = Options {
        jobs: 3,
        retries: 4,
        timeout: 300,
        ..Options::default()
    };
    let mut dir = None;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(None),
            Short('j') | Long("jobs") => options.jobs = number(args.value()?, "jobs", 1, 16)?,
            Long("retries") => {
                options.retries = number(args.value()?, "retries", 0, 10)? as u32;
            }
            Long("timeout") => options.timeout = number(args.value()?, "timeout", 1, 86_400)?,
            Short('n') | Long("dry-run") => options.dry_run = true,
            Long("json") => options.json = true,
            Long("file") => options.file = Some(args.value()?.into()),
            Long("since") => {
                let since = args.value()?.to_str().and_then(day);
                let wrong = || tool::Failure::usage("--since takes a date, as 2026-01-31");
                options.since = Some(since.ok_or_else(wrong)?);
            }
            Value(value) if dir.is_none() => dir = Some(PathBuf::from(value)),
            other => return Err(other.unexpected().into()),
        }
    }
    options.dir = dir.ok_or_else(|| tool::Failure::usage("the folder to copy into is missing"))?;
    Ok(Some(options))
}

fn number(value: OsString, name: &str, least: usize, most: usize) -> tool::Result<usize> {
    let number = value.to_str().and_then(|value| value.parse().ok());
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| {
            tool::Failure::usage(format!("--{name} takes a number from {least} to {most}"))
        })
}

/// The start of a day, from 1970 on.
fn day(text: &str) -> Option<SystemTime> {
    // The library reads the service's timestamps; a date is the beginning of one.
    let mut media = Media::default();
    media.timestamp = (text.len() == 10).then(|| format!("{text}T00:00:00Z"));
    media
        .published_at()
        .filter(|&time| time >= SystemTime::UNIX_EPOCH)
}

fn code(failure: &Failure) -> u8 {
    match failure {
        Failure::Call(error) if error.is_token_invalid() => 3,
        Failure::Call(error) if error.is_rate_limited() => 4,
        Failure::Disk(..) | Failure::Busy(_) => 5,
        _ => 1,
    }
}

fn copy(api: &Api, options: &Options, summary: &mut Summary) -> Result<(), Failure> {
    let folder = match options.dry_run {
        true => Folder::look(&options.dir),
        false => Folder::open(&options.dir, ".backup-")?,
    };
    profile(api, &folder, options)?;
    let mut tasks = VecDeque::new();
    // What was listed before a failure is worth downloading all the same.
    let listed = list(api, &folder, options, summary, &mut tasks);
    if let Err(failure @ (Failure::Disk(..) | Failure::Busy(_))) = listed {
        return Err(failure);
    }
    if options.dry_run {
        summary.wanted = tasks.into_iter().map(|task| task.stem).collect();
    } else {
        download(api, &folder, options, summary, tasks)?;
    }
    listed
}

/// Whether the call failed because the account lacks one of the fields.
fn lacks_a_field(error: &mingram::Error) -> bool {
    error.api_error().and_then(|api| api.code) == Some(100) && !error.is_not_found()
}

fn profile(api: &Api, folder: &Folder, options: &Options) -> Result<(), Failure> {
    let all = [U::PROFESSIONAL, &[U::Biography, U::Website]].concat();
    let mut user = match api.me(&all) {
        Err(error) if lacks_a_field(&error) => api.me(U::BASIC)?,
        user => user?,
    };
    // Signed for a few days, and another one each time.
    user.profile_picture_url = None;
    if !options.dry_run {
        folder.write_whole("profile.json", (json::to_string(&user) + "\n").as_bytes())?;
    }
    Ok(())
}

/// Goes through all media; writes what is said about each, and notes what is
/// to be downloaded.
fn list(
    api: &Api,
    folder: &Folder,
    options: &Options,
    summary: &mut Summary,
    tasks: &mut VecDeque<Task>,
) -> Result<(), Failure> {
    let child = M::Children(M::CHILD);
    let login = [M::PROFESSIONAL, &[child]].concat();
    let basic = [M::BASIC, &[child]].concat();
    let edge = |fields: &[M]| {
        let edge = api.my_media(fields).page_size(50);
        match options.since {
            Some(time) => edge.since(time),
            None => edge,
        }
    };
    let mut lister = Lister {
        api,
        folder,
        options,
        summary,
        tasks,
        seen: HashSet::new(),
    };
    let (mut items, mut fewer) = (edge(&login).items(), false);
    while let Some(media) = items.next() {
        match media {
            // On whichever page that is: it goes on there with fewer fields.
            Err(error) if lacks_a_field(&error) && !fewer => {
                let rest = match items.cursor() {
                    Some(cursor) => edge(&basic).after(cursor),
                    None => edge(&basic),
                };
                (items, fewer) = (rest.items(), true);
            }
            media => lister.media(media?)?,
        }
    }
    // What is not listed any more does not come any more.
    if options.since.is_none() && !options.dry_run {
        for stem in folder.unfinished() {
            if !lister.tasks.iter().any(|task| task.stem == stem) {
                folder.forget(&stem)?;
            }
        }
    }
    Ok(())
}

struct Lister<'a> {
    api: &'a Api,
    folder: &'a Folder,
    options: &'a Options,
    summary: &'a mut Summary,
    tasks: &'a mut VecDeque<Task>,
    seen: HashSet<String>,
}

impl Lister<'_> {
    fn media(&mut self, mut media: Media) -> Result<(), Failure> {
        let taken = media.published_at();
        let since = self.options.since;
        if taken.is_some_and(|taken| since.is_some_and(|since| taken < since)) {
            return Ok(());
        }
        self.summary.media += 1;
        if !files::is_id(&media.id) {
            return self.refuse(&media.id);
        }
        let stem = files::stem(taken, &media.id);
        let album = media.media_type == Some(MediaType::CarouselAlbum);
        if album && media.children.is_empty() {
            match self.api.children(&media.id, M::CHILD).into_iter().collect() {
                Ok(children) => media.children = children,
                Err(error) if error.is_token_invalid() || error.is_rate_limited() => {
                    return Err(error.into());
                }
                Err(error) => self.summary.miss(format!("{stem}_*"), error),
            }
        }
        let children = std::mem::take(&mut media.children);
        for (i, child) in children.iter().enumerate() {
            if !files::is_id(&child.id) {
                self.refuse(&child.id)?;
                continue;
            }
            let stem = format!("{stem}_{:02}_{}", i + 1, child.id);
            self.node(&stem, child.clone())?;
            self.file(stem, child);
        }
        if !album {
            self.file(stem.clone(), &media);
        }
        media.children = children;
        self.node(&stem, media)
    }

    fn refuse(&mut self, id: &str) -> Result<(), Failure> {
        let id: String = id.chars().take(40).collect();
        self.summary
            .miss(format!("{id:?}"), "refused: an id that is not digits");
        Ok(())
    }

    /// Writes what the service says, without the addresses: they are signed for
    /// a few days, and others each time.
    fn node(&self, stem: &str, mut media: Media) -> Result<(), Failure> {
        if self.options.dry_run {
            return Ok(());
        }
        (media.media_url, media.thumbnail_url) = (None, None);
        for child in &mut media.children {
            (child.media_url, child.thumbnail_url) = (None, None);
        }
        let text = json::to_string(&media) + "\n";
        self.folder
            .write_whole(&format!("{stem}.json"), text.as_bytes())?;
        Ok(())
    }

    fn file(&mut self, stem: String, media: &Media) {
        if !self.seen.insert(stem.clone()) {
            return;
        }
        self.summary.files += 1;
        if self.folder.find(&stem).is_some() {
            self.summary.already_there += 1;
            return;
        }
        let Some(url) = media.media_url.clone() else {
            let reason = "the service gives no address for it (copyrighted material, perhaps)";
            return self.summary.miss(stem, reason);
        };
        let want = match media.media_type {
            Some(MediaType::Image) => Want::Picture,
            Some(MediaType::Video) => Want::Video,
            _ => Want::Either,
        };
        self.tasks.push_back(Task {
            id: media.id.clone(),
            stem,
            url,
            want,
        });
    }
}

/// Downloads all of them, a few at once.
fn download(
    api: &Api,
    folder: &Folder,
    options: &Options,
    summary: &mut Summary,
    tasks: VecDeque<Task>,
) -> Result<(), Failure> {
    let bar = Bar::new(tasks.len() as u64);
    let (jobs, stopped) = (options.jobs.min(tasks.len()), AtomicBool::new(false));
    let queue = Mutex::new(tasks);
    let outcome = Mutex::new((summary, None, 0));
    let work = || {
        while !stopped.load(Ordering::Relaxed) {
            let Some(task) = queue.lock().unwrap().pop_front() else {
                return;
            };
            let fetched = fetch(api, folder, options, &task, &bar).and_then(|fetched| {
                let bytes = fetched.bytes;
                fetched.place(folder).map(|()| bytes)
            });
            let (summary, fatal, unreached) = &mut *outcome.lock().unwrap();
            match fetched {
                Ok(bytes) => {
                    *unreached = 0;
                    summary.downloaded += 1;
                    summary.bytes += bytes;
                }
                Err(failure) => {
                    summary.miss(task.stem, &failure);
                    // So many in a row that reach nobody: the network is gone.
                    *unreached = match is_unreached(&failure) {
                        true => *unreached + 1,
                        false => 0,
                    };
                    // The disk, the token or a rate limit: the next would fail too,
                    // and a call made while limited counts.
                    if code(&failure) != 1 || *unreached >= UNREACHED {
                        stopped.store(true, Ordering::Relaxed);
                        fatal.get_or_insert(failure);
                    }
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(work);
        }
    });
    bar.end();
    let (summary, fatal, _) = outcome.into_inner().unwrap();
    for task in queue.into_inner().unwrap() {
        summary.miss(task.stem, "not tried any more");
    }
    fatal.map_or(Ok(()), Err)
}

/// Nobody answers there, or not in time: a host may swallow what it is sent.
fn is_unreached(failure: &Failure) -> bool {
    matches!(failure, Failure::Call(error)
        if matches!(error.kind(), ErrorKind::Connect | ErrorKind::Timeout))
}

fn fetch(
    api: &Api,
    folder: &Folder,
    options: &Options,
    task: &Task,
    bar: &Bar,
) -> Result<files::Fetched, Failure> {
    let file = bar.file();
    Fetch {
        api,
        folder,
        stem: &task.stem,
        want: task.want,
        retries: options.retries,
        time: Duration::from_secs(options.timeout as u64),
        renew: &|| Ok(api.media(&task.id, &[M::Id, M::MediaUrl])?.media_url),
        begin: &|bytes| file.begin(bytes),
        piece: &|bytes| {
            file.piece(bytes);
            true
        },
        clock: &SystemClock,
    }
    .run(&task.url)
}

/// The progress bar, where there is a terminal to draw it on.
struct Bar {
    bar: ProgressBar,
    begun: Instant,
    known: Mutex<Known>,
}

/// What has come, and what is known of what is to come.
struct Known {
    files: u64,
    done: u64,
    /// Files whose length is not known yet.
    waiting: u64,
    bytes: u64,
    /// Bytes that are to come of the files that have begun.
    left: u64,
}

impl Known {
    /// Bytes that are to come of all files: one that has not begun counts as
    /// long as those that have are on average.
    fn to_come(&self) -> u64 {
        let begun = (self.files - self.waiting).max(1);
        self.left + self.waiting * ((self.bytes + self.left) / begun)
    }

    fn text(&self, time: Duration) -> String {
        let (done, files, bytes) = (self.done, self.files, self.bytes);
        let rate = bytes as f64 / time.as_secs_f64().max(0.1);
        let text = format!(
            "{done}/{files} files, {}, {}/s",
            size(bytes),
            size(rate as u64)
        );
        // What the first second brings says little.
        if time < Duration::from_secs(1) || bytes == 0 {
            return text;
        }
        let seconds = (self.to_come() as f64 / rate).ceil().min(1e9);
        let left = tool::span(Duration::from_secs(seconds as u64));
        format!("{text}, {left} left")
    }
}

impl Bar {
    fn new(files: u64) -> Bar {
        let bar = match io::stderr().is_terminal() && files > 0 {
            true => ProgressBar::new(1),
            false => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("{wide_bar} {msg}");
        bar.set_style(style.expect("the template is fixed"));
        Bar {
            bar,
            begun: Instant::now(),
            known: Mutex::new(Known {
                files,
                done: 0,
                waiting: files,
                bytes: 0,
                left: 0,
            }),
        }
    }

    fn file(&self) -> FileBar<'_> {
        FileBar {
            bar: self,
            left: Cell::new(None),
        }
    }

    /// Notes something, and draws.
    fn note(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.known.lock().unwrap();
        change(&mut known);
        if !self.bar.is_hidden() {
            self.bar.set_length((known.bytes + known.to_come()).max(1));
            self.bar.set_position(known.bytes);
            self.bar.set_message(known.text(self.begun.elapsed()));
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// One file's part in the bar, until it is dropped.
struct FileBar<'a> {
    bar: &'a Bar,
    /// Bytes that are to come, once they are known.
    left: Cell<Option<u64>>,
}

impl FileBar<'_> {
    fn begin(&self, bytes: u64) {
        let before = self.left.replace(Some(bytes));
        self.bar.note(|known| {
            known.waiting -= u64::from(before.is_none());
            known.left = known.left - before.unwrap_or_default() + bytes;
        });
    }

    fn piece(&self, bytes: u64) {
        let left = self.left.get().unwrap_or_default();
        let less = left.min(bytes);
        self.left.set(Some(left - less));
        self.bar.note(|known| {
            known.bytes += bytes;
            known.left -= less;
        });
    }
}

impl Drop for FileBar<'_> {
    fn drop(&mut self) {
        self.bar.note(|known| {
            known.done += 1;
            known.waiting -= u64::from(self.left.get().is_none());
            known.left -= self.left.get().unwrap_or_default();
        });
    }
}

/// Bytes, for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
