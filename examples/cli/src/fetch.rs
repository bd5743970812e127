//! Downloads a file into a directory, and resumes where an earlier attempt ended.

use crate::folder::{Failure, Folder, length_of};
use crate::names::{self, HEAD, Want};
use mingram::transport::Clock;
use mingram::{Api, ErrorKind, FileVersion, Resumed, url_expires_at};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Nothing is written after a multiple of this many bytes before everything up to there is
/// on the disk. A power cut can leave holes only after the last of them, so a later run
/// fetches again what comes after it, if the server still has the version of the file that
/// was noted beside it.
const BLOCK: u64 = 8 * 1024 * 1024;

/// A file to fetch.
pub struct Fetch<'a> {
    pub api: &'a Api,
    pub folder: &'a Folder,
    pub stem: &'a str,
    pub want: Want,
    /// The time that the file gets, if it is known.
    pub published: Option<SystemTime>,
    /// How often an interrupted download is resumed without getting any further.
    pub retries: u32,
    /// The time limit of an attempt. A download that takes longer is resumed by the next
    /// attempt, or, if the server makes it start again, by one of twice the time.
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
    /// The version of the file, if the server identified it.
    pub version: Option<FileVersion>,
    part: PathBuf,
}

impl Fetched {
    pub fn place(self, folder: &Folder) -> Result<(), Failure> {
        folder.place(&self.part, &self.name)?;
        folder.forget(self.stem())
    }

    /// The server's entity tag of this version, if it is strong.
    pub fn etag(&self) -> Option<String> {
        let version = self.version.as_ref()?.to_string();
        let (_, validator) = version.split_once(' ')?;
        validator.starts_with('"').then(|| validator.to_owned())
    }

    pub fn stem(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }
}

impl Fetch<'_> {
    /// Downloads the file, and resumes where an earlier attempt ended. A URL that has
    /// expired is replaced once.
    pub fn run(&self, url: &str) -> Result<Fetched, Failure> {
        let mut url = url.to_owned();
        let mut renewed = false;
        if url_expires_at(&url).is_some_and(|expires| expires <= self.clock.now()) {
            (url, renewed) = (self.renewed()?, true);
        }
        let mut here = Here {
            bytes: settled(length_of(&self.folder.part(self.stem))),
            version: self.folder.noted_version(self.stem),
            lost: 0,
        };
        let (mut furthest, mut tries) = (here.bytes, 0);
        loop {
            let failure = match self.attempt(&url, &mut here) {
                Ok(fetched) => return Ok(fetched),
                Err(Broken::Off(failure)) => return Err(failure),
                Err(Broken::Refused(error)) if renewed => return Err(error.into()),
                Err(Broken::Refused(_)) => {
                    (url, renewed) = (self.renewed()?, true);
                    continue;
                }
                Err(Broken::Midway(error)) => error,
            };
            if here.bytes > furthest {
                (furthest, tries) = (here.bytes, 0);
            } else if tries >= self.retries {
                return Err(failure.into());
            } else {
                self.clock.sleep(Duration::from_millis(250 << tries.min(5)));
                tries += 1;
            }
        }
    }

    fn renewed(&self) -> Result<String, Failure> {
        (self.renew)()?.ok_or_else(|| {
            Failure::Content("its URL has expired, and the service gives no new one".to_owned())
        })
    }

    /// Resumes after the bytes that are here, and updates their number. Nothing is written
    /// before it is clear that the file is of the right kind.
    fn attempt(&self, url: &str, here: &mut Here) -> Result<Fetched, Broken> {
        let part = self.folder.part(self.stem);
        let disk = |error| Broken::Off(Failure::of_file(&part, error));
        let held = held(&part).filter(|held| here.bytes > 0 && self.want.takes(held));
        let version = here.version.clone().filter(|_| held.is_some());
        let time = self.time.saturating_mul(1 << here.lost.min(8));
        let api = self.api.clone().with_download_timeout(time);
        let download = match &version {
            Some(version) => api.download(url).resume_from(here.bytes, version),
            None => api.download(url),
        };
        let (mut body, resumed) = match download.resume() {
            Ok(Resumed::Rest(body)) => (body, held),
            Ok(Resumed::Entire(body)) => (body, None),
            // Not asked for: at least the last byte of an unfinished file is fetched again.
            Ok(_) => {
                here.version = None;
                return self.attempt(url, here);
            }
            Err(error) => match error.status() {
                Some(403 | 404 | 410) => return Err(Broken::Refused(error)),
                _ if error.kind() == ErrorKind::WrongContent => {
                    return Err(Broken::Off(Failure::Content(error.to_string())));
                }
                // Its ranges are wrong.
                _ if version.is_some() && error.kind() == ErrorKind::Malformed => {
                    here.version = None;
                    return self.attempt(url, here);
                }
                _ => return Err(Broken::Off(error.into())),
            },
        };
        (self.begin)(body.total().unwrap_or_default() - body.start());
        let mut file;
        let extension = if let Some(extension) = resumed {
            file = self.folder.open_part(self.stem).map_err(disk)?;
            file.seek(SeekFrom::Start(here.bytes)).map_err(disk)?;
            extension
        } else {
            let mut head = Vec::new();
            body.by_ref()
                .take(HEAD as u64)
                .read_to_end(&mut head)
                .map_err(|error| Broken::of_body(error.into()))?;
            let extension = self.extension(&head).map_err(Broken::Off)?;
            file = self.folder.open_part(self.stem).map_err(disk)?;
            here.lost += u32::from(here.bytes > 0);
            here.bytes = 0;
            if length_of(&part) > 0 {
                // Durably removed before anything else takes its place.
                file.set_len(0)
                    .and_then(|()| file.sync_all())
                    .map_err(disk)?;
            }
            here.version = body.version().cloned();
            // A later run resumes only after a block that is on the disk.
            let noted = here
                .version
                .as_ref()
                .filter(|version| version.total() > BLOCK);
            self.folder.note_version(self.stem, noted).map_err(disk)?;
            file.write_all(&head).map_err(disk)?;
            here.bytes = head.len() as u64;
            (self.piece)(here.bytes);
            extension
        };
        let mut pieces = Pieces {
            file: &mut file,
            at: &mut here.bytes,
            piece: self.piece,
        };
        let bytes = match body.write_to(&mut pieces) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::Io => return Err(disk(own_io(error))),
            Err(error) => return Err(Broken::of_body(error)),
        };
        // The file of an earlier run may have been longer.
        file.set_len(bytes).map_err(disk)?;
        if let Some(time) = self.published {
            // Some file systems keep no such times.
            let _ = file.set_modified(time);
        }
        file.sync_all().map_err(disk)?;
        Ok(Fetched {
            name: format!("{}.{extension}", self.stem),
            bytes,
            version: here.version.take(),
            part,
        })
    }

    /// The extension of a file that begins like this, if it is wanted.
    fn extension(&self, head: &[u8]) -> Result<&'static str, Failure> {
        let what = match names::extension(head) {
            Some(extension) if self.want.takes(extension) => return Ok(extension),
            Some(extension) => extension,
            None if head.is_empty() => "an empty file",
            None => "some other file",
        };
        self.folder.forget(self.stem)?;
        let wanted = self.want.name();
        Err(Failure::Content(format!("not a {wanted} but {what}")))
    }
}

/// What is here of a file.
struct Here {
    /// The first bytes, which can be resumed after.
    bytes: u64,
    /// The version of the file that they belong to, if it is known.
    version: Option<FileVersion>,
    /// How often they were lost: the server has another version, or does not support
    /// what resuming needs.
    lost: u32,
}

/// How much of an unfinished file of this length is certainly on the disk, whatever ended
/// the run that wrote it.
fn settled(length: u64) -> u64 {
    length.saturating_sub(1) / BLOCK * BLOCK
}

/// The extension of an unfinished file by its head.
fn held(part: &Path) -> Option<&'static str> {
    let mut head = [0; HEAD];
    File::open(part).ok()?.read_exact(&mut head).ok()?;
    names::extension(&head)
}

/// How an attempt failed.
enum Broken {
    /// Permanently.
    Off(Failure),
    /// The server refuses this URL.
    Refused(mingram::Error),
    /// On the way: what was received is in the file.
    Midway(mingram::Error),
}

impl Broken {
    fn of_body(error: mingram::Error) -> Broken {
        match error.is_transient() {
            true => Broken::Midway(error),
            false => Broken::Off(error.into()),
        }
    }
}

/// The writer's own error out of mingram's.
fn own_io(error: mingram::Error) -> io::Error {
    let own = std::error::Error::source(&error).and_then(|own| own.downcast_ref::<io::Error>());
    match own.and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::other(error),
    }
}

/// The writer of an unfinished file.
struct Pieces<'a> {
    file: &'a mut File,
    /// The length so far.
    at: &'a mut u64,
    piece: &'a dyn Fn(u64) -> bool,
}

impl Write for Pieces<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let in_block = *self.at % BLOCK;
        let room = usize::try_from(BLOCK - in_block).unwrap_or(usize::MAX);
        let piece = &piece[..piece.len().min(room)];
        if !(self.piece)(piece.len() as u64) {
            return Err(io::Error::other("ended before it was complete"));
        }
        if in_block == 0 {
            self.file.sync_data()?;
        }
        self.file.write_all(piece)?;
        *self.at += piece.len() as u64;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
