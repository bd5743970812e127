//! Downloads what was found missing, a few files at a time.

use super::options::Options;
use super::post::{Task, Wanted};
use super::progress::Progress;
use super::queue::Queue;
use super::summary::{NOT_TRIED, Summary};
use crate::dates;
use crate::output;
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::store::fetch::{Fetch, Fetched, sha256};
use crate::store::names::Want;
use crate::store::sidecar::{Noted, Role};
use mingram::transport::SystemClock;
use mingram::{Api, MediaField as M, UserField as U};
use std::collections::HashSet;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// After this many files in a row whose host could not be reached, the rest is not tried.
const MAX_UNREACHED: u32 = 10;

/// After this many files their names are flushed to the disk.
const BATCH: u64 = 64;

/// What the threads of a run share.
pub struct Run<'a> {
    pub api: &'a Api,
    pub folder: &'a Directory,
    pub options: &'a Options,
    pub now: SystemTime,
    pub queue: Queue<Task>,
    /// The thread that lists downloads as well: there is no other one.
    pub alone: AtomicBool,
    pub progress: Progress,
    pub outcome: Mutex<Outcome<'a>>,
}

pub struct Outcome<'a> {
    pub summary: &'a mut Summary,
    pub fatal: Option<Failure>,
    /// Files in a row whose host could not be reached.
    unreached: u32,
    /// The stems of files that did not come, and may be resumed.
    pub unfinished: HashSet<String>,
}

impl<'a> Run<'a> {
    pub fn new(
        api: &'a Api,
        folder: &'a Directory,
        options: &'a Options,
        summary: &'a mut Summary,
    ) -> Run<'a> {
        Run {
            api,
            folder,
            options,
            now: SystemTime::now(),
            queue: Queue::new(),
            alone: AtomicBool::new(false),
            progress: Progress::new(),
            outcome: Mutex::new(Outcome {
                summary,
                fatal: None,
                unreached: 0,
                unfinished: HashSet::new(),
            }),
        }
    }

    /// Changes the summary.
    pub fn count(&self, change: impl FnOnce(&mut Summary)) {
        change(self.outcome.lock().unwrap().summary);
    }

    /// Downloads until nothing more comes, or until nothing more can be written or asked.
    pub fn work(&self) {
        while let Some(task) = self.queue.pop() {
            self.download(task);
        }
    }

    /// Hands out a file to download.
    pub fn push(&self, task: Task) {
        match self.alone.load(Ordering::Relaxed) && !self.queue.is_stopped() {
            true => self.download(task),
            false => self.queue.push(task),
        }
    }

    fn download(&self, task: Task) {
        let fetched = self.fetch(&task.file);
        let placed = fetched.and_then(|fetched| self.place(&task, fetched));
        if let Err(failure) = self.add(task, placed) {
            self.end(failure);
        }
    }

    /// Ends the run early.
    pub fn end(&self, failure: Failure) {
        self.outcome.lock().unwrap().fatal.get_or_insert(failure);
        self.queue.stop();
    }

    /// Counts the files that were not tried any more.
    pub fn give_up(&self) {
        for task in self.queue.rest() {
            let mut outcome = self.outcome.lock().unwrap();
            let is_full = matches!(outcome.fatal, Some(Failure::Disk(..)));
            let folder = Some(self.folder).filter(|_| !is_full);
            outcome.summary.miss(task.file.name(), NOT_TRIED);
            outcome.unfinished.insert(task.file.name().to_owned());
            // It is the first failure that counts.
            let _ = settle(&task, true, folder, outcome.summary);
        }
    }

    /// Counts a file. `Err` if it is the last one to be tried.
    fn add(&self, task: Task, placed: Result<(u64, String), Failure>) -> Result<(), Failure> {
        let mut outcome = self.outcome.lock().unwrap();
        let outcome = &mut *outcome;
        let missing = placed.is_err();
        let failed = match placed {
            Ok((bytes, name)) => {
                outcome.unreached = 0;
                outcome.summary.downloaded += 1;
                outcome.summary.bytes += bytes;
                output::detail("backup", &format!("{name}: {bytes} bytes"));
                match outcome.summary.downloaded % BATCH {
                    0 => self.folder.flush(),
                    _ => Ok(()),
                }
            }
            Err(failure) => {
                outcome.summary.miss(task.file.name(), &failure);
                outcome.unfinished.insert(task.file.name().to_owned());
                // This many in a row: the network is gone.
                outcome.unreached = failure.unreached_after(outcome.unreached);
                match failure.is_fatal() || outcome.unreached >= MAX_UNREACHED {
                    true => Err(failure),
                    false => Ok(()),
                }
            }
        };
        let folder = Some(self.folder).filter(|_| failed.is_ok());
        let settled = settle(&task, missing, folder, outcome.summary);
        failed.and(settled)
    }

    /// Gives a file its name, and notes what it is. Returns its length and name.
    fn place(&self, task: &Task, fetched: Fetched) -> Result<(u64, String), Failure> {
        let (folder, file) = (self.folder, &task.file);
        let note = match file.want.takes(fetched.extension) {
            true => None,
            false => Some(format!(
                "not a {} but {}",
                file.want.name(),
                fetched.extension
            )),
        };
        let noted = Noted {
            size: Some(fetched.bytes),
            sha256: Some(fetched.sha256.clone()),
            etag: fetched.etag(),
            source: file.source.clone(),
            note,
        };
        let (bytes, name) = (fetched.bytes, fetched.name.clone());
        let mut replaces = file.replaces.as_ref();
        if let Some(old) = replaces.filter(|_| file.keeps_old) {
            replaces = match file.source {
                Some(_) if sum(&folder.join(old))? == fetched.sha256 => replaces,
                Some(_) => self.date_picture(task, old).map(|()| None)?,
                None => folder.set_aside(old).map(|_| None)?,
            };
        }
        fetched.place(folder)?;
        if let Some(old) = replaces.filter(|old| **old != name) {
            folder.remove(old)?;
        }
        let mut post = task.post.lock().unwrap();
        post.kept += u32::from(file.role == Role::File);
        post.sidecar.note(file.child(), file.role, noted);
        Ok((bytes, name))
    }

    /// Gives the old profile picture the name of its day.
    fn date_picture(&self, task: &Task, old: &str) -> Result<(), Failure> {
        let meta = fs::metadata(self.folder.join(old));
        let saved = meta.and_then(|meta| meta.modified()).unwrap_or(self.now);
        let (stem, extension) = old.rsplit_once('.').unwrap_or((old, ""));
        let stem = format!("{stem}_{}", dates::day(saved));
        let names = (1..).map(|number| match number {
            1 => format!("{stem}.{extension}"),
            _ => format!("{stem}_{number}.{extension}"),
        });
        let dated = self.folder.rename_to_free(old, names)?;
        let mut post = task.post.lock().unwrap();
        post.sidecar.remember("profile_picture", &dated, self.now);
        Ok(())
    }

    fn fetch(&self, file: &Wanted) -> Result<Fetched, Failure> {
        let (progress, api) = (self.progress.file(), self.api);
        Fetch {
            api,
            folder: self.folder,
            stem: &file.stem,
            // What it is instead is noted.
            want: match file.source {
                Some(_) => Want::Picture,
                None => Want::Either,
            },
            published: file.published,
            retries: self.options.retries,
            time: self.options.timeout,
            renew: &|| match file.role {
                _ if file.source.is_some() => {
                    Ok(api.me([U::Id, U::ProfilePictureUrl])?.profile_picture_url)
                }
                Role::File => Ok(api.media(&file.id, [M::Id, M::MediaUrl])?.media_url),
                Role::Poster => Ok(api.media(&file.id, [M::Id, M::ThumbnailUrl])?.thumbnail_url),
            },
            begin: &|bytes| progress.begin(bytes),
            piece: &|bytes| {
                progress.piece(bytes);
                true
            },
            clock: &SystemClock,
        }
        .run(&file.url)
    }
}

/// The checksum of a file.
fn sum(path: &Path) -> Result<String, Failure> {
    let sum = File::open(path).and_then(|mut file| sha256(&mut file));
    Ok(sum.map_err(|error| Failure::of_file(path, error))?.0)
}

/// Settles the post if this was its last file. Without a directory, nothing is written.
fn settle(
    task: &Task,
    missing: bool,
    folder: Option<&Directory>,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let mut post = task.post.lock().unwrap();
    post.missing |= missing;
    post.left -= 1;
    match post.left {
        0 => post.settle(folder, summary),
        _ => Ok(()),
    }
}
