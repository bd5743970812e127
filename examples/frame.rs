//! Keeps a photo frame's folder: the newest pictures of an account, for a
//! slideshow viewer to show. Runs for months, and waits out what goes wrong.

#[path = "common/files.rs"]
pub mod files;
#[path = "common/tool.rs"]
mod tool;

use files::{Failure, Fetch, Fetched, Folder, Want};
use mingram::auth::{LongLivedToken, RefreshOutcome, TokenFile};
use mingram::transport::Clock;
use mingram::{Api, ErrorKind, Media, MediaField as M, MediaType, Token};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const HELP: &str = "\
Keep the newest pictures of an Instagram account in a folder, for a photo frame.

Usage: frame [OPTIONS] DIR

DIR is made where it is missing. A slideshow viewer can show it at any time:
a picture is there whole or not at all. Names sort by date. Pictures that drop
out of the newest are removed; files that frame has not put there are never
touched, and nothing is written while nothing has changed. Its list of what it
has put there, and what is not whole yet, lie in the hidden folder DIR/.frame.

Without --once it runs until SIGTERM or Ctrl-C. A network that is gone, a
service that is down, a rate limit, a full disk, a clock that is not set yet:
each is waited out, and logged in one line to stderr.

Options:
      --count N       how many pictures (default 20, at most 1000)
      --albums WHICH  of an album, the `first` picture (default) or `all`
      --every TIME    how often to look, as 90s, 15m, 6h or 1d (default 15m)
      --once          look once, and end
      --file FILE     the token file
  -h, --help          this text

A video is shown by its thumbnail.

The access token is $INSTAGRAM_TOKEN. Where that is not set, it is the one in
the token file, which is refreshed when that is due: --file FILE, else
$MINGRAM_TOKEN_FILE, else $XDG_CONFIG_HOME/mingram/token.json, else
~/.config/mingram/token.json.

Environment:
  INSTAGRAM_API_VERSION  a version for the paths, as v25.0
  INSTAGRAM_BASE_URL     where the graph is (https://graph.instagram.com)

Exit status:
  0  ended by a signal; with --once, the folder is up to date
  1  with --once: something failed
  2  the command line is wrong
  3  the access token is no token; with --once: it is missing or dead
  4  with --once: a rate limit was reached
  5  the folder cannot be written
";

/// Where unfinished files lie, in the folder itself: a viewer that shows hidden
/// files shows none of them.
pub const HIDDEN: &str = ".frame/";
/// The list of the files that are ours.
const LIST: &str = ".frame/list";
const LIST_HEAD: &str =
    "# What `frame` put here, and may remove. Without this list it removes nothing.\n";

/// No clock that is set stands before this: 2026-01-01.
const EARLIEST: u64 = 1_767_225_600;

/// From so many percent of the allowance on, calls are made more rarely.
const NEAR: u64 = 80;
const HOUR: Duration = Duration::from_secs(3600);
/// Whatever a server says: it is asked again after that.
const DAY: Duration = Duration::from_secs(86_400);
const FIRST_WAIT: Duration = Duration::from_secs(15);

/// The exit code for a rate limit that was reached.
const RATE_LIMITED: u8 = 4;

/// After so many downloads that broke, the rest waits for the next look.
const BROKEN: u32 = 3;

/// Which pictures of an album.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Albums {
    First,
    All,
}

/// Where the access token comes from.
pub enum Source {
    Given(Token),
    File(TokenFile),
}

/// The frame, and what it needs of the world.
pub struct Frame {
    /// Without a token.
    pub api: Api,
    pub source: Source,
    pub folder: Folder,
    pub count: usize,
    pub albums: Albums,
    pub every: Duration,
    pub clock: Arc<dyn Clock>,
    pub stop: Arc<AtomicBool>,
    pub log: Box<dyn Fn(&str)>,
    pub refresh: Refreshing,
}

/// How the last refresh of the token ended, if it did not end well.
#[derive(Default)]
pub struct Refreshing {
    /// When it failed: it is tried again an hour later.
    failed: Cell<Option<SystemTime>>,
    /// A new token that could not be written into its file, the disk being
    /// full.
    unsaved: RefCell<Option<LongLivedToken>>,
}

/// What keeps the folder from being up to date.
pub enum Trouble {
    ClockNotSet,
    Token(mingram::Error),
    Files(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Files(failure)
    }
}

impl From<mingram::Error> for Trouble {
    fn from(error: mingram::Error) -> Trouble {
        Trouble::Files(Failure::Call(error))
    }
}

impl Trouble {
    fn call(&self) -> Option<&mingram::Error> {
        match self {
            Trouble::Files(Failure::Call(error)) => Some(error),
            _ => None,
        }
    }

    /// What it is, in the words of the log. The same words are not logged
    /// twice in a row.
    fn kind(&self) -> &'static str {
        match (self, self.call()) {
            (Trouble::ClockNotSet, _) => "the clock is not set yet",
            (Trouble::Token(_), _) => "no access token",
            (_, Some(error)) if error.is_token_invalid() => "the access token is dead",
            (_, Some(error)) if error.is_rate_limited() => "the rate limit is reached",
            (_, Some(error)) if error.kind() == ErrorKind::Connect => "the network is gone",
            (_, Some(error)) if error.kind() == ErrorKind::Tls => "no safe connection",
            (_, Some(error)) if error.is_transient() => "the service does not answer as it should",
            (_, Some(_)) => "the service refuses",
            (Trouble::Files(failure), _) if failure.is_disk_full() => "the disk is full",
            (Trouble::Files(Failure::Content(_)), _) => "a picture is not one",
            _ => "the folder cannot be written",
        }
    }

    fn text(&self) -> String {
        match self {
            Trouble::ClockNotSet => "it stands before 2026".to_owned(),
            Trouble::Token(error) => error.to_string(),
            Trouble::Files(failure) => failure.to_string(),
        }
    }

    /// How long to wait before the next look, after so many in a row that met
    /// trouble.
    fn wait(&self, every: Duration, failures: u32) -> Duration {
        let soon = FIRST_WAIT.saturating_mul(1 << failures.min(16)).min(every);
        let told = self.call().and_then(mingram::Error::retry_after);
        let told = told.map(|wait| wait.min(DAY));
        match self.call() {
            _ if matches!(self, Trouble::ClockNotSet) => FIRST_WAIT,
            Some(error) if error.is_rate_limited() => told.unwrap_or(HOUR).max(every),
            Some(error) if error.is_transient() => soon.max(told.unwrap_or_default()),
            Some(error) if error.kind() == ErrorKind::Tls => soon,
            _ => every,
        }
    }

    fn code(&self) -> u8 {
        match (self, self.call()) {
            (Trouble::Token(_), _) => 3,
            (_, Some(error)) if error.is_token_invalid() => 3,
            (_, Some(error)) if error.is_rate_limited() => RATE_LIMITED,
            (Trouble::Files(Failure::Disk(..) | Failure::Busy(_)), _) => 5,
            _ => 1,
        }
    }
}

/// A picture to show.
struct Picture {
    id: String,
    stem: String,
    url: Option<String>,
}

impl Frame {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Looks again and again, until it is stopped.
    pub fn run(&self) {
        let (mut failures, mut waited, mut said) = (0, Duration::ZERO, "");
        while !self.stopped() {
            let mut used = None;
            let looked = self.look(&mut used);
            if self.stopped() {
                break;
            }
            let near = used.filter(|percent| *percent >= NEAR);
            let wait = match looked {
                Ok(()) => {
                    if failures > 0 {
                        let time = tool::span(waited);
                        (self.log)(&format!("all is well again, after {time}"));
                    }
                    (failures, waited) = (0, Duration::ZERO);
                    match near {
                        Some(percent) => {
                            let wait = self.every.max(HOUR);
                            let near = "the rate limit is near";
                            if said != near {
                                let time = tool::span(wait);
                                (self.log)(&format!("{near} ({percent} %): looking every {time}"));
                            }
                            said = near;
                            wait
                        }
                        None => {
                            said = "";
                            self.every
                        }
                    }
                }
                Err(trouble) => {
                    let mut wait = trouble.wait(self.every, failures);
                    // Where it is reached, the service says how long to wait.
                    if near.is_some() && trouble.code() != RATE_LIMITED {
                        wait = wait.max(HOUR);
                    }
                    failures += 1;
                    // Not by the clock, which may be set in the meantime.
                    waited += wait;
                    if said != trouble.kind() {
                        said = trouble.kind();
                        let (text, time) = (trouble.text(), tool::span(wait));
                        (self.log)(&format!("{said}: {text}; trying again in {time}"));
                    }
                    wait
                }
            };
            self.clock.sleep(wait);
        }
        (self.log)("ended");
    }

    /// Brings the folder up to date. Notes the percentage of the allowance that
    /// is used, where the service says so, whatever comes of the look.
    fn look(&self, used: &mut Option<u64>) -> Result<(), Trouble> {
        if self.clock.now() < UNIX_EPOCH + Duration::from_secs(EARLIEST) {
            return Err(Trouble::ClockNotSet);
        }
        let api = self.api.clone().with_token(self.token()?);
        let pictures = self.newest(&api);
        let done = pictures.and_then(|pictures| self.update(&api, &pictures));
        *used = api.usage().percent();
        done
    }

    fn token(&self) -> Result<Token, Trouble> {
        let file = match &self.source {
            Source::Given(token) => return Ok(token.clone()),
            Source::File(file) => file,
        };
        let stored = file.load().map_err(Trouble::Token)?;
        let mut unsaved = self.refresh.unsaved.borrow_mut();
        // A login since then is newer than it.
        if let Some(token) = unsaved.take_if(|token| token.obtained_at > stored.obtained_at) {
            if file.save(&token).is_err() {
                return Ok(unsaved.insert(token).token.clone());
            }
            (self.log)("the access token: written into its file");
            return Ok(token.token);
        }
        let now = self.clock.now();
        let failed = self.refresh.failed.get();
        if failed.is_some_and(|failed| now >= failed && now < failed + HOUR) {
            return Ok(stored.token);
        }
        let refresh = file.refresh_if_due(&self.api).map_err(Trouble::Token)?;
        let fails = match &refresh.outcome {
            RefreshOutcome::SaveFailed(_) => {
                *unsaved = Some(refresh.token.clone());
                true
            }
            RefreshOutcome::RefreshFailed(_) => true,
            _ => false,
        };
        // A failure is logged once, and not every hour.
        let news =
            matches!(refresh.outcome, RefreshOutcome::Refreshed) || fails && failed.is_none();
        if news {
            (self.log)(&format!("the access token: {}", refresh.outcome));
        }
        self.refresh.failed.set(fails.then_some(now));
        Ok(refresh.token.token)
    }

    /// The newest pictures, as many as are to be shown.
    fn newest(&self, api: &Api) -> Result<Vec<Picture>, Trouble> {
        const CHILD: &[M] = &[M::Id, M::MediaType, M::MediaUrl, M::ThumbnailUrl];
        let fields = [CHILD, &[M::Timestamp, M::Children(CHILD)]].concat();
        let mut pictures: Vec<Picture> = Vec::new();
        for media in api.my_media(&fields).page_size(self.count.min(50) as u32) {
            let media = media?;
            for picture in self.pictures(&media) {
                let shown = picture.url.is_some() || self.folder.find(&picture.stem).is_some();
                let known = pictures.iter().any(|other| other.stem == picture.stem);
                if shown && !known && pictures.len() < self.count {
                    pictures.push(picture);
                }
            }
            if pictures.len() == self.count {
                break;
            }
        }
        Ok(pictures)
    }

    fn pictures(&self, media: &Media) -> Vec<Picture> {
        if !files::is_id(&media.id) {
            return Vec::new();
        }
        let stem = files::stem(media.published_at(), &media.id);
        let picture = |stem: String, media: &Media| Picture {
            id: media.id.clone(),
            stem,
            url: media.image_url().map(str::to_owned),
        };
        let album = media.media_type == Some(MediaType::CarouselAlbum);
        if !album || media.children.is_empty() {
            return vec![picture(stem, media)];
        }
        let children = media.children.iter().enumerate();
        let all = children
            .filter(|(_, child)| files::is_id(&child.id))
            .map(|(i, child)| picture(format!("{stem}_{:02}_{}", i + 1, child.id), child));
        match self.albums {
            Albums::All => all.collect(),
            Albums::First => all.take(1).collect(),
        }
    }

    fn update(&self, api: &Api, pictures: &[Picture]) -> Result<(), Trouble> {
        let mut ours = self.ours()?;
        let is_shown = |name: &&String| {
            let stem = name.split('.').next();
            pictures
                .iter()
                .any(|picture| Some(picture.stem.as_str()) == stem)
        };
        let mut dropped: Vec<String> = ours.iter().filter(|n| !is_shown(n)).cloned().collect();
        let out = dropped.len();
        let (mut fetched, mut trouble) = self.fetch(api, pictures);
        // A full disk wants room before anything else is written.
        if trouble.as_ref().is_some_and(Failure::is_disk_full) {
            self.sweep(|stem| fetched.iter().any(|picture| picture.stem() == stem))?;
            self.remove(dropped.drain(..), &mut ours)?;
        }
        // Listed before they are there: what is killed in between leaves no
        // picture that nobody dares to remove.
        while !fetched.is_empty() {
            let names = fetched.iter().map(|fetched| fetched.name.clone());
            let list = ours.iter().cloned().chain(names).collect();
            match self.list(&list) {
                Ok(()) => break,
                Err(failure) if !failure.is_disk_full() => return Err(failure.into()),
                Err(_) if !dropped.is_empty() => self.remove(dropped.drain(..), &mut ours)?,
                Err(failure) => {
                    let last = fetched.pop();
                    self.sweep(|stem| last.as_ref().is_none_or(|last| last.stem() != stem))?;
                    trouble = Some(failure);
                }
            }
        }
        let new = fetched.len();
        for picture in fetched {
            let name = picture.name.clone();
            picture.place(&self.folder)?;
            ours.insert(name);
        }
        // For new ones that cannot be had, old ones stay, the newest of them.
        let stay = match &trouble {
            Some(_) => pictures.len() - (ours.len() - dropped.len()),
            None => 0,
        };
        let go = dropped.len().saturating_sub(stay);
        self.remove(dropped.drain(..go), &mut ours)?;
        let removed = out - dropped.len();
        // What may still come goes on from where it is.
        self.sweep(|stem| {
            trouble.is_some() && pictures.iter().any(|picture| picture.stem == stem)
        })?;
        self.list(&ours)?;
        if new + removed > 0 {
            let all = ours.len();
            (self.log)(&format!("{new} new, {removed} removed, {all} in all"));
        }
        trouble.map_or(Ok(()), |trouble| Err(trouble.into()))
    }

    fn remove(
        &self,
        names: impl Iterator<Item = String>,
        ours: &mut BTreeSet<String>,
    ) -> Result<(), Failure> {
        for name in names {
            self.folder.remove(&name)?;
            ours.remove(&name);
        }
        Ok(())
    }

    /// Removes the unfinished files, but for those to keep.
    fn sweep(&self, keep: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let unfinished = self.folder.unfinished();
        for stem in unfinished.iter().filter(|stem| !keep(stem)) {
            self.folder.forget(stem)?;
        }
        Ok(())
    }

    /// Downloads the pictures that are missing, as far as that goes.
    fn fetch(&self, api: &Api, pictures: &[Picture]) -> (Vec<Fetched>, Option<Failure>) {
        let (mut fetched, mut trouble, mut broken) = (Vec::new(), None, 0);
        for picture in pictures {
            let Some(url) = &picture.url else { continue };
            if self.folder.find(&picture.stem).is_some() {
                continue;
            }
            let fetch = Fetch {
                api,
                folder: &self.folder,
                stem: &picture.stem,
                want: Want::Picture,
                retries: 1,
                time: Duration::from_secs(60),
                renew: &|| {
                    let fields = [M::Id, M::MediaType, M::MediaUrl, M::ThumbnailUrl];
                    let media = api.media(&picture.id, &fields)?;
                    Ok(media.image_url().map(str::to_owned))
                },
                begin: &|_| (),
                piece: &|_| !self.stopped(),
                clock: &*self.clock,
            };
            match fetch.run(url) {
                Ok(picture) => fetched.push(picture),
                Err(failure @ Failure::Disk(..)) => return (fetched, Some(failure)),
                Err(Failure::Call(error))
                    if error.is_rate_limited() || error.is_token_invalid() =>
                {
                    return (fetched, Some(error.into()));
                }
                // Only this one; the others may be all right.
                Err(failure) => {
                    let passing = matches!(&failure, Failure::Call(error) if error.is_transient());
                    broken += u32::from(passing);
                    trouble = Some(failure);
                    if broken == BROKEN {
                        break;
                    }
                }
            }
        }
        (fetched, trouble)
    }

    /// The files that are ours: listed, and there. A line that is no name of
    /// ours is passed over, so that a damaged list makes nothing else ours.
    fn ours(&self) -> Result<BTreeSet<String>, Failure> {
        let list = self.folder.join(LIST);
        let text = match fs::read(&list) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Failure::at(&list, error)),
            Ok(text) => text,
        };
        let is_ours = |line: &&str| {
            let named = line.split_once('.').is_some_and(|(stem, extension)| {
                files::is_stem(stem) && files::EXTENSIONS.contains(&extension)
            });
            let meta = || fs::symlink_metadata(self.folder.join(line));
            named && meta().is_ok_and(|meta| meta.is_file())
        };
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().filter(is_ours).map(str::to_owned).collect())
    }

    fn list(&self, names: &BTreeSet<String>) -> Result<(), Failure> {
        let lines = names.iter().map(|name| format!("{name}\n"));
        let text: String = std::iter::once(LIST_HEAD.to_owned()).chain(lines).collect();
        self.folder.write_whole(LIST, text.as_bytes()).map(drop)
    }
}

/// The machine's clock, whose waits end when the program is stopped.
struct Interruptible(Arc<AtomicBool>);

impl Clock for Interruptible {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) {
        let begun = Instant::now();
        while !self.0.load(Ordering::Relaxed) {
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(250)));
        }
    }
}

fn main() -> ExitCode {
    tool::end("frame", run())
}

fn run() -> tool::Result<u8> {
    use lexopt::prelude::*;
    let (mut dir, mut file) = (None::<PathBuf>, None);
    let (mut count, mut albums) = (20, Albums::First);
    let (mut every, mut once) = (Duration::from_secs(900), false);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return tool::print(HELP).map(|()| 0),
            Long("count") => {
                let value = args.value()?;
                let number = value.to_str().and_then(|value| value.parse().ok());
                count = number
                    .filter(|number| (1..=1000).contains(number))
                    .ok_or_else(|| usage("--count takes a number from 1 to 1000"))?;
            }
            Long("albums") => {
                albums = match args.value()?.to_str() {
                    Some("first") => Albums::First,
                    Some("all") => Albums::All,
                    _ => return Err(usage("--albums takes `first` or `all`")),
                }
            }
            Long("every") => {
                every = args
                    .value()?
                    .to_str()
                    .and_then(time)
                    .ok_or_else(|| usage("--every takes a time, as 90s, 15m, 6h or 1d"))?;
            }
            Long("once") => once = true,
            Long("file") => file = Some(args.value()?.into()),
            Value(value) if dir.is_none() => dir = Some(value.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let dir = dir.ok_or_else(|| usage("the folder is missing"))?;
    let given = tool::given_token().map_err(|failure| tool::Failure { code: 3, ..failure })?;
    let source = match given {
        Some(token) => Source::Given(token),
        None => Source::File(tool::token_file(file)?),
    };
    let folder = Folder::open(&dir, HIDDEN).map_err(|failure| tool::Failure {
        code: 5,
        message: failure.to_string(),
    })?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in signal_hook::consts::TERM_SIGNALS {
        // The first ends it between two steps, a second one at once.
        signal_hook::flag::register_conditional_shutdown(*signal, 1, stop.clone())
            .and_then(|_| signal_hook::flag::register(*signal, stop.clone()))
            .map_err(|error: io::Error| tool::Failure::new(format!("no signals: {error}")))?;
    }
    let clock = Arc::new(Interruptible(stop.clone()));
    let frame = Frame {
        api: tool::api()?.with_clock(Interruptible(stop.clone())),
        source,
        folder,
        count,
        albums,
        every,
        clock,
        stop,
        log: Box::new(|line| tool::complain("frame", line)),
        refresh: Refreshing::default(),
    };
    if !once {
        frame.run();
        return Ok(0);
    }
    match frame.look(&mut None) {
        Ok(()) => Ok(0),
        // What broke off a download was the signal.
        Err(_) if frame.stopped() => {
            (frame.log)("ended");
            Ok(0)
        }
        Err(trouble) => Err(tool::Failure {
            code: trouble.code(),
            message: format!("{}: {}", trouble.kind(), trouble.text()),
        }),
    }
}

fn usage(message: &str) -> tool::Failure {
    tool::Failure::usage(message)
}

/// `90s`, `15m`, `6h`, `1d`: from a second to a month.
fn time(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (1..=31 * 86_400)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}
