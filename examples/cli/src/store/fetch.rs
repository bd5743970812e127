//! Downloads a file into a directory, and continues where an earlier attempt ended.

use super::directory::Directory;
use super::failure::Failure;
use super::names::{self, HEAD, Want};
use mingram::download::Part;
use mingram::transport::Clock;
use mingram::{Api, ErrorKind, url_expires_at};
use ring::digest::{Context, SHA256};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A file to fetch.
pub struct Fetch<'a> {
    pub api: &'a Api,
    pub folder: &'a Directory,
    pub stem: &'a str,
    pub want: Want,
    /// The time that the file gets, if it is known.
    pub published: Option<SystemTime>,
    /// How often an attempt that took too long is followed by another one, if it did not get
    /// any further.
    pub retries: u32,
    /// The time limit of an attempt. A download that takes longer is continued by the next
    /// attempt, or, if it starts again, by one of twice the time.
    pub time: Duration,
    /// Asks the file's node for a new URL.
    pub renew: &'a dyn Fn() -> mingram::Result<Option<String>>,
    /// Called with the number of bytes to come whenever an attempt begins.
    pub begin: &'a dyn Fn(u64),
    /// Called with the length of each piece. Returns whether to continue.
    pub piece: &'a dyn Fn(u64) -> bool,
    pub clock: &'a dyn Clock,
}

/// A complete file on the disk that does not have its name yet.
pub struct Fetched {
    pub name: String,
    pub bytes: u64,
    pub extension: &'static str,
    /// Hexadecimal.
    pub sha256: String,
    part: Part,
}

impl Fetched {
    /// Gives it its name: `name`, in the directory that the stem says.
    pub fn place(self, folder: &Directory) -> Result<(), Failure> {
        folder.place(self.part.path(), &self.name)?;
        folder.forget(self.stem())
    }

    /// The server's entity tag of this version, if it is strong.
    pub fn etag(&self) -> Option<String> {
        let version = self.part.saved().version.as_ref()?.to_string();
        let (_, validator) = version.split_once(' ')?;
        validator.starts_with('"').then(|| validator.to_owned())
    }

    pub fn stem(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }
}

/// How far the attempts came.
#[derive(Default)]
struct Progress {
    /// Whether a byte of the last one was awaited.
    begun: bool,
    at: u64,
    furthest: u64,
    /// How often everything was lost: the server does not support what continuing needs, or
    /// has another version.
    lost: u32,
}

impl Fetch<'_> {
    /// Downloads the file, and continues where an earlier attempt ended. A URL that has
    /// expired is replaced once.
    pub fn run(&self, url: &str) -> Result<Fetched, Failure> {
        let mut url = url.to_owned();
        let mut renewed = false;
        if url_expires_at(&url).is_some_and(|expires| expires <= self.clock.now()) {
            (url, renewed) = (self.renewed()?, true);
        }
        let path = self.folder.part(self.stem);
        let disk = |error| Failure::of_file(&path, error);
        self.folder.create_hidden().map_err(disk)?;
        let (mut progress, mut tries) = (Progress::default(), 0);
        loop {
            let before = progress.furthest;
            let error = match self.attempt(&url, &path, &mut progress) {
                Ok(part) => return self.named(part),
                Err(error) => error,
            };
            match error.kind() {
                _ if matches!(error.status(), Some(403 | 404 | 410)) && !renewed => {
                    (url, renewed) = (self.renewed()?, true);
                }
                ErrorKind::Io => return Err(disk(own_io(error))),
                ErrorKind::WrongContent => return Err(Failure::Content(error.to_string())),
                ErrorKind::Timeout if progress.furthest > before => tries = 0,
                ErrorKind::Timeout if progress.begun && tries < self.retries => {
                    self.clock.sleep(Duration::from_millis(250 << tries.min(5)));
                    tries += 1;
                }
                _ => return Err(error.into()),
            }
        }
    }

    fn renewed(&self) -> Result<String, Failure> {
        (self.renew)()?.ok_or_else(|| {
            Failure::Content("its URL has expired, and the service gives no new one".to_owned())
        })
    }

    fn attempt(&self, url: &str, path: &Path, progress: &mut Progress) -> mingram::Result<Part> {
        let time = self.time.saturating_mul(1 << progress.lost.min(8));
        let api = self.api.clone().with_download_timeout(time);
        progress.begun = false;
        let download = api.download(url).on_progress(|done, total| {
            let begins = !progress.begun || done <= progress.at;
            let new = done.saturating_sub(progress.at);
            if begins {
                progress.lost += u32::from(done == 0 && progress.at > 0);
                (self.begin)(total.unwrap_or_default().saturating_sub(done));
            }
            progress.begun = true;
            progress.at = done;
            progress.furthest = progress.furthest.max(done);
            match (self.piece)(if begins { 0 } else { new }) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        download.save_part(path)
    }

    /// The name of a complete file, if it is of the right kind.
    fn named(&self, part: Part) -> Result<Fetched, Failure> {
        let disk = |error| Failure::at(part.path(), error);
        let mut head = Vec::new();
        let file = File::options().read(true).write(true).open(part.path());
        let mut file = file.map_err(disk)?;
        let mut first = file.by_ref().take(HEAD as u64);
        first.read_to_end(&mut head).map_err(disk)?;
        let extension = names::extension(&head);
        let Some(wanted) = extension.filter(|extension| self.want.takes(extension)) else {
            self.folder.forget(self.stem)?;
            let (wanted, what) = (self.want.name(), extension.unwrap_or("some other file"));
            return Err(Failure::Content(format!("not a {wanted} but {what}")));
        };
        file.rewind().map_err(disk)?;
        let (sha256, _) = sha256(&mut file).map_err(disk)?;
        if let Some(time) = self.published {
            // Some file systems keep no such times.
            let _ = file.set_modified(time);
        }
        Ok(Fetched {
            name: format!("{}.{wanted}", self.stem),
            bytes: part.saved().length,
            extension: wanted,
            sha256,
            part,
        })
    }
}

/// The SHA-256 of what can be read, in hexadecimal, and its length.
pub fn sha256(file: &mut dyn Read) -> io::Result<(String, u64)> {
    let (mut context, mut length) = (Context::new(&SHA256), 0);
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => {
                context.update(&piece[..read]);
                length += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let sum = context.finish();
    let sum = sum.as_ref().iter().map(|byte| format!("{byte:02x}"));
    Ok((sum.collect(), length))
}

/// The writer's own error out of mingram's.
fn own_io(error: mingram::Error) -> io::Error {
    match error.io_error().map(|own| (own.raw_os_error(), own)) {
        Some((Some(code), _)) => io::Error::from_raw_os_error(code),
        Some((None, own)) => io::Error::new(own.kind(), own.to_string()),
        None => io::Error::other(error),
    }
}
