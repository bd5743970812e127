//! Downloads what was found missing, a few files at a time.

use super::Options;
use super::progress::Progress;
use super::summary::{NOT_TRIED, Summary};
use crate::output;
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::store::fetch::{Fetch, Fetched};
use crate::store::names::Want;
use crate::store::sidecar::{Noted, Notes};
use mingram::transport::SystemClock;
use mingram::{Api, MediaField as M, UserField as U};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::SystemTime;

/// After this many files in a row whose host could not be reached, the rest is not tried.
const MAX_UNREACHED: u32 = 10;

/// One file to download.
pub struct Task {
    /// The media's id.
    pub id: String,
    pub role: Role,
    /// The file with the notes about it.
    pub node: String,
    pub stem: String,
    pub url: String,
    pub want: Want,
    pub published: Option<SystemTime>,
    /// The file that this one replaces.
    pub replaces: Option<String>,
}

/// What a file is of its node.
pub enum Role {
    File,
    Poster,
    /// With the name of the picture at the service.
    Profile(String),
}

struct Outcome<'a> {
    summary: &'a mut Summary,
    fatal: Option<Failure>,
    /// Files in a row whose host could not be reached.
    unreached: u32,
}

pub fn all(
    api: &Api,
    folder: &Directory,
    options: &Options,
    summary: &mut Summary,
    tasks: VecDeque<Task>,
) -> Result<(), Failure> {
    let progress = Progress::new(tasks.len() as u64);
    let jobs = (options.jobs as usize).min(tasks.len());
    let stopped = AtomicBool::new(false);
    let queue = Mutex::new(tasks);
    let outcome = Mutex::new(Outcome {
        summary,
        fatal: None,
        unreached: 0,
    });
    let work = || {
        while !stopped.load(Ordering::Relaxed) {
            let Some(task) = queue.lock().unwrap().pop_front() else {
                return;
            };
            let fetched = fetch(api, folder, options, &task, &progress);
            let mut outcome = outcome.lock().unwrap();
            if outcome.add(folder, task, fetched) {
                stopped.store(true, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        // With as many others as the system allows.
        for _ in 1..jobs {
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, work) {
                let line = format!("fewer downloads at a time: {error}");
                output::detail("backup", &line);
                break;
            }
        }
        work();
    });
    output::clear_progress();
    let Outcome { summary, fatal, .. } = outcome.into_inner().unwrap();
    for task in queue.into_inner().unwrap() {
        summary.miss(task.stem, NOT_TRIED);
    }
    fatal.map_or(Ok(()), Err)
}

impl Outcome<'_> {
    /// Gives a file its name and notes. Returns whether to stop.
    fn add(&mut self, folder: &Directory, task: Task, fetched: Result<Fetched, Failure>) -> bool {
        let stem = task.stem.clone();
        let placed = fetched.and_then(|fetched| {
            let (bytes, name) = (fetched.bytes, fetched.name.clone());
            place(folder, task, fetched)?;
            Ok((bytes, name))
        });
        match placed {
            Ok((bytes, name)) => {
                self.unreached = 0;
                self.summary.downloaded += 1;
                self.summary.bytes += bytes;
                output::detail("backup", &format!("{name}: {bytes} bytes"));
                false
            }
            Err(failure) => {
                self.summary.miss(stem, &failure);
                // This many in a row: the network is gone.
                self.unreached = match failure.is_unreached() {
                    true => self.unreached + 1,
                    false => 0,
                };
                let stop = failure.is_fatal() || self.unreached >= MAX_UNREACHED;
                if stop {
                    self.fatal.get_or_insert(failure);
                }
                stop
            }
        }
    }
}

fn place(folder: &Directory, task: Task, fetched: Fetched) -> Result<(), Failure> {
    let (name, size, etag) = (fetched.name.clone(), fetched.bytes, fetched.etag());
    fetched.place(folder)?;
    if let Some(old) = task.replaces.filter(|old| *old != name) {
        folder.remove(&old)?;
    }
    let mut notes = Notes::read(&folder.read(&task.node));
    let mut noted = Noted {
        size,
        etag,
        source: None,
    };
    let place = match task.role {
        Role::File => &mut notes.file,
        Role::Poster => &mut notes.poster,
        Role::Profile(source) => {
            noted.source = Some(source);
            &mut notes.file
        }
    };
    *place = Some(noted);
    notes.write(folder, &task.node)
}

fn fetch(
    api: &Api,
    folder: &Directory,
    options: &Options,
    task: &Task,
    progress: &Progress,
) -> Result<Fetched, Failure> {
    let file = progress.file();
    Fetch {
        api,
        folder,
        stem: &task.stem,
        want: task.want,
        published: task.published,
        retries: options.retries,
        time: options.timeout,
        renew: &|| match task.role {
            Role::File => Ok(api.media(&task.id, [M::Id, M::MediaUrl])?.media_url),
            Role::Poster => Ok(api.media(&task.id, [M::Id, M::ThumbnailUrl])?.thumbnail_url),
            Role::Profile(_) => Ok(api.me([U::Id, U::ProfilePictureUrl])?.profile_picture_url),
        },
        begin: &|bytes| file.begin(bytes),
        piece: &|bytes| {
            file.piece(bytes);
            true
        },
        clock: &SystemClock,
    }
    .run(&task.url)
}
