//! A folder that is filled from a server: names that cannot leave it, and
//! writing that leaves nothing half done under a name that counts.
#![allow(dead_code, reason = "each tool uses a part of it")]

use super::tool;
use mingram::transport::Clock;
use mingram::{Api, ErrorKind, url_expires_at};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Before a partial download goes on, so many of its last bytes are fetched
/// again and compared: the server may have another version of the file by now.
const OVERLAP: u64 = 4096;

/// Nothing is written behind a whole number of these bytes before all ahead of
/// it is on the disk. A power cut can leave holes behind the last of them only,
/// so what an earlier run has left is fetched again from there.
const BLOCK: u64 = 8 * 1024 * 1024;

/// So much of a file tells what it is, in bytes.
const HEAD: usize = 16;

/// What a picture or video may be, and its extension.
pub const EXTENSIONS: [&str; 9] = [
    "jpg", "png", "gif", "webp", "heic", "avif", "mp4", "mov", "webm",
];

/// A folder that one run of a tool writes into.
pub struct Folder {
    path: PathBuf,
    /// What its unfinished files begin with, as `.backup-`; or the folder in it
    /// that they lie in, as `.frame/`.
    prefix: &'static str,
    /// Held open and locked, so that a second run does not write into the same
    /// unfinished files.
    _lock: Option<File>,
}

impl Folder {
    /// Makes the folder where it is missing, and takes it for this run.
    pub fn open(path: &Path, prefix: &'static str) -> Result<Folder, Failure> {
        fs::create_dir_all(path).map_err(|error| Failure::at(path, error))?;
        let lock = match cfg!(unix) {
            true => Some(File::open(path).map_err(|error| Failure::at(path, error))?),
            false => None,
        };
        // A file system without locks (some network shares) goes without one.
        let locked = lock.as_ref().map(fs4::FileExt::try_lock);
        if matches!(locked, Some(Err(fs4::TryLockError::WouldBlock))) {
            return Err(Failure::Busy(path.display().to_string()));
        }
        let folder = Folder {
            path: path.to_owned(),
            prefix,
            _lock: lock,
        };
        let hidden = folder.hidden();
        if prefix.contains('/') && fs::symlink_metadata(&hidden).is_ok() {
            is_folder(&hidden).map_err(|error| Failure::at(&hidden, error))?;
        }
        Ok(folder)
    }

    /// A folder that is looked at and not written into.
    pub fn look(path: &Path) -> Folder {
        Folder {
            path: path.to_owned(),
            prefix: "",
            _lock: None,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The whole file of this stem, if it is there.
    pub fn find(&self, stem: &str) -> Option<String> {
        let names = EXTENSIONS.iter().map(|ext| format!("{stem}.{ext}"));
        names.into_iter().find(|name| self.join(name).is_file())
    }

    /// The unfinished file of a name. The same folder as that of the finished
    /// one, or one in it: a rename never copies.
    fn part(&self, name: &str) -> PathBuf {
        let name = name.rsplit('/').next().unwrap_or(name);
        self.join(&format!("{}{name}.part", self.prefix))
    }

    /// Where the unfinished files lie.
    fn hidden(&self) -> PathBuf {
        match self.prefix.rsplit_once('/') {
            Some((name, _)) => self.join(name),
            None => self.path.clone(),
        }
    }

    /// Makes the folder of the unfinished files, where they have one and it is
    /// missing.
    fn make_room(&self) -> io::Result<()> {
        if !self.prefix.contains('/') {
            return Ok(());
        }
        let hidden = self.hidden();
        match fs::create_dir(&hidden) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => is_folder(&hidden),
            done => done,
        }
    }

    /// Writes a small file whole, unless it holds just that already. Answers
    /// whether it was written.
    pub fn write_whole(&self, name: &str, bytes: &[u8]) -> Result<bool, Failure> {
        if holds(&self.join(name), bytes) {
            return Ok(false);
        }
        let part = self.part(name);
        let written = self
            .make_room()
            .and_then(|()| remove_if_there(&part))
            .and_then(|()| OpenOptions::new().write(true).create_new(true).open(&part))
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            });
        if let Err(error) = written {
            let _ = fs::remove_file(&part);
            return Err(Failure::at(&part, error));
        }
        self.place(&part, name)?;
        Ok(true)
    }

    /// Gives a finished file its name, for good.
    fn place(&self, part: &Path, name: &str) -> Result<(), Failure> {
        let path = self.join(name);
        fs::rename(part, &path).map_err(|error| Failure::at(part, error))?;
        let folder = path.parent().unwrap_or(&self.path);
        sync_names(folder).map_err(|error| Failure::at(folder, error))
    }

    pub fn remove(&self, name: &str) -> Result<(), Failure> {
        remove_if_there(&self.join(name)).map_err(|error| Failure::at(&self.join(name), error))
    }

    /// The unfinished files that an earlier run left here, by their stems; a
    /// node's with its `.json`.
    pub fn unfinished(&self) -> Vec<String> {
        let prefix = self.prefix.rsplit('/').next().unwrap_or_default();
        let names = fs::read_dir(self.hidden()).into_iter().flatten();
        let stem = |name: &str| Some(name.strip_prefix(prefix)?.strip_suffix(".part")?.into());
        names
            .flatten()
            .filter_map(|entry| stem(entry.file_name().to_str()?))
            .filter(|stem: &String| is_stem(stem.strip_suffix(".json").unwrap_or(stem)))
            .collect()
    }

    /// Forgets an unfinished file.
    pub fn forget(&self, stem: &str) -> Result<(), Failure> {
        let part = self.part(stem);
        remove_if_there(&part).map_err(|error| Failure::at(&part, error))
    }

    /// Opens the unfinished file of this stem, the one of an earlier run where
    /// there is one. A link in its place is not followed but removed.
    fn open_part(&self, stem: &str) -> io::Result<File> {
        self.make_room()?;
        let part = self.part(stem);
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        match fs::symlink_metadata(&part) {
            Ok(meta) if meta.is_file() => return options.open(&part),
            Ok(_) => fs::remove_file(&part)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        options.create_new(true).open(&part)
    }
}

/// Whether the file is there, is no link, and holds just these bytes.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    length_of(path) == bytes.len() as u64 && fs::read(path).is_ok_and(|held| held == bytes)
}

/// The length of a file that is no link; of any other 0.
fn length_of(path: &Path) -> u64 {
    let meta = fs::symlink_metadata(path).ok();
    meta.filter(fs::Metadata::is_file)
        .map_or(0, |meta| meta.len())
}

/// Makes sure that the names in a folder outlive a power cut. It is opened for
/// that each time: a stick may have been pulled out and put back. Some file
/// systems cannot do it, and say so.
fn sync_names(folder: &Path) -> io::Result<()> {
    use io::ErrorKind as K;
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        Err(error) if matches!(error.kind(), K::InvalidInput | K::Unsupported) => Ok(()),
        done => done,
    }
}

/// A link to a folder is none: what is in there is not ours.
fn is_folder(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => Ok(()),
        false => Err(io::Error::other("it is no folder")),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether an id is one: digits, and no more of them than make a name. All
/// that goes from the server into a file's name is checked here or is a number.
pub fn is_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// `2026-11-21_17895695668004550`, or `0000-00-00_…` where the date is unknown.
pub fn stem(published: Option<SystemTime>, id: &str) -> String {
    match published.filter(|&time| time >= UNIX_EPOCH) {
        Some(time) => format!("{}_{id}", &tool::date(time)[..10]),
        None => format!("0000-00-00_{id}"),
    }
}

/// Whether this is a [`stem`], or one of an album's child (`…_01_1788…`).
pub fn is_stem(text: &str) -> bool {
    let mut parts = text.split('_');
    let dated = parts.next().is_some_and(|date| {
        date.len() == 10
            && date.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    });
    let rest: Vec<&str> = parts.collect();
    dated && matches!(rest.len(), 1 | 3) && rest.iter().all(|part| is_id(part))
}

/// What a file must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Want {
    Picture,
    Video,
    Either,
}

/// The extension of a file that begins like this, if it is a picture or video.
fn extension(head: &[u8]) -> Option<&'static str> {
    let brand = match head.get(4..8) {
        Some(b"ftyp") => head.get(8..12),
        _ => None,
    };
    Some(match (head, brand) {
        ([0xff, 0xd8, 0xff, ..], _) => "jpg",
        ([0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..], _) => "png",
        ([b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..], _) => "gif",
        (
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ],
            _,
        ) => "webp",
        ([0x1a, 0x45, 0xdf, 0xa3, ..], _) => "webm",
        (_, Some(b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1")) => "heic",
        (_, Some(b"avif" | b"avis")) => "avif",
        (_, Some(b"qt  ")) => "mov",
        (_, Some(_)) => "mp4",
        _ => return None,
    })
}

impl Want {
    fn takes(self, extension: &str) -> bool {
        let video = matches!(extension, "mp4" | "mov" | "webm");
        match self {
            Want::Picture => !video,
            Want::Video => video,
            Want::Either => true,
        }
    }
}

/// Why a file did not come, or a folder could not be written.
#[derive(Debug)]
pub enum Failure {
    /// A call or a download.
    Call(mingram::Error),
    /// The folder or the disk: no other file would fare better.
    Disk(String, io::Error),
    /// Another run has the folder.
    Busy(String),
    /// What came is not what was wanted.
    Content(String),
}

impl Failure {
    pub fn at(path: &Path, error: io::Error) -> Failure {
        Failure::Disk(path.display().to_string(), error)
    }

    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind as K;
        let Failure::Disk(_, error) = self else {
            return false;
        };
        matches!(
            error.kind(),
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Call(error) => error.fmt(f),
            Failure::Disk(path, error) => write!(f, "{path}: {error}"),
            Failure::Busy(path) => write!(f, "{path}: another run is writing there"),
            Failure::Content(what) => f.write_str(what),
        }
    }
}

impl From<mingram::Error> for Failure {
    fn from(error: mingram::Error) -> Failure {
        Failure::Call(error)
    }
}

/// A file to fetch.
pub struct Fetch<'a> {
    pub api: &'a Api,
    pub folder: &'a Folder,
    pub stem: &'a str,
    pub want: Want,
    /// How often a download that broke goes on without getting any further.
    pub retries: u32,
    /// How long an attempt may take. A download that takes longer goes on in the
    /// next one; where the server makes it begin again, that has twice as long.
    pub time: Duration,
    /// Asks the file's node for a fresh address.
    pub renew: &'a dyn Fn() -> mingram::Result<Option<String>>,
    /// Told how many bytes are to come, whenever an attempt begins.
    pub begin: &'a dyn Fn(u64),
    /// Told each piece's length; answers whether to go on.
    pub piece: &'a dyn Fn(u64) -> bool,
    pub clock: &'a dyn Clock,
}

/// A file that came whole and is on the disk, but not under its name yet.
pub struct Fetched {
    pub name: String,
    pub bytes: u64,
    part: PathBuf,
}

impl Fetched {
    pub fn place(self, folder: &Folder) -> Result<(), Failure> {
        folder.place(&self.part, &self.name)
    }

    pub fn stem(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }
}

impl Fetch<'_> {
    /// Downloads the file, going on where an earlier attempt ended. An address
    /// that has expired is fetched anew, once.
    pub fn run(&self, url: &str) -> Result<Fetched, Failure> {
        let mut url = url.to_owned();
        let mut renewed = false;
        if url_expires_at(&url).is_some_and(|expires| expires <= self.clock.now()) {
            (url, renewed) = (self.renewed()?, true);
        }
        let mut here = Here {
            bytes: settled(length_of(&self.folder.part(self.stem))),
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
            Failure::Content("its address has expired, and the service gives no new one".to_owned())
        })
    }

    /// Goes on behind the bytes that are here, and notes how many those are then.
    /// Nothing is written before it is clear that what comes is of the right
    /// kind.
    fn attempt(&self, url: &str, here: &mut Here) -> Result<Fetched, Broken> {
        let part = self.folder.part(self.stem);
        let disk = |error| Broken::Off(Failure::at(&part, error));
        let held = held(&part).filter(|held| here.bytes > 0 && self.want.takes(held));
        if held.is_none() {
            here.bytes = 0;
        }
        let from = here.bytes.saturating_sub(OVERLAP);
        let time = self.time.saturating_mul(1 << here.lost.min(8));
        let api = self.api.clone().with_download_timeout(time);
        let mut body = match api.download(url).resume_from(from).open() {
            Ok(body) => body,
            Err(error) => match error.status() {
                // What is here is longer than the file: of another version.
                Some(416) if from > 0 => return self.anew(url, here),
                Some(403 | 404 | 410) => return Err(Broken::Refused(error)),
                // It cannot do ranges right.
                _ if from > 0 && error.kind() == ErrorKind::Malformed => {
                    return self.anew(url, here);
                }
                _ => return Err(Broken::Off(error.into())),
            },
        };
        if let Some(kind) = body.content_type().filter(|kind| is_text(kind)) {
            let what = format!("what came is no picture or video but {}", plain(kind));
            return Err(Broken::Off(Failure::Content(what)));
        }
        (self.begin)(body.total().unwrap_or_default() - body.start());
        let goes_on = held.filter(|_| body.start() > 0);
        // What comes first: the end of what is here, or the head of the file.
        let expected = if goes_on.is_some() {
            OVERLAP
        } else {
            HEAD as u64
        };
        let mut first = Vec::new();
        body.by_ref()
            .take(expected)
            .read_to_end(&mut first)
            .map_err(|error| Broken::of_body(error.into()))?;
        let mut file;
        let extension = if let Some(extension) = goes_on {
            file = self.folder.open_part(self.stem).map_err(disk)?;
            let mut end = [0; OVERLAP as usize];
            file.seek(SeekFrom::Start(from)).map_err(disk)?;
            file.read_exact(&mut end).map_err(disk)?;
            if end[..] != first[..] {
                return self.anew(url, here);
            }
            extension
        } else {
            let extension = self.extension(&first).map_err(Broken::Off)?;
            file = self.folder.open_part(self.stem).map_err(disk)?;
            if from > 0 {
                here.lost += 1;
            }
            here.bytes = 0;
            if length_of(&part) > 0 {
                // Gone for good, before anything else takes its place.
                file.set_len(0)
                    .and_then(|()| file.sync_all())
                    .map_err(disk)?;
            }
            file.write_all(&first).map_err(disk)?;
            here.bytes = first.len() as u64;
            extension
        };
        (self.piece)(first.len() as u64);
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
        // What an earlier run has left may have been longer.
        file.set_len(bytes)
            .and_then(|()| file.sync_all())
            .map_err(disk)?;
        Ok(Fetched {
            name: format!("{}.{extension}", self.stem),
            bytes,
            part,
        })
    }

    /// Begins again: what is here is not what the server has.
    fn anew(&self, url: &str, here: &mut Here) -> Result<Fetched, Broken> {
        here.bytes = 0;
        self.attempt(url, here)
    }

    /// The extension of a file that begins like this, if it is one of those
    /// that are wanted.
    fn extension(&self, head: &[u8]) -> Result<&'static str, Failure> {
        let wanted = match self.want {
            Want::Picture => "picture",
            Want::Video => "video",
            Want::Either => "picture or video",
        };
        let what = match extension(head) {
            Some(extension) if self.want.takes(extension) => return Ok(extension),
            Some(extension) => extension,
            None if head.is_empty() => "empty",
            None => "something else",
        };
        self.folder.forget(self.stem)?;
        Err(Failure::Content(format!(
            "what came is no {wanted} but {what}"
        )))
    }
}

/// What there is of a file.
struct Here {
    /// The first bytes, that can be gone on from.
    bytes: u64,
    /// How often they were lost, because the server knows no ranges.
    lost: u32,
}

/// How much of an unfinished file of this length is certainly on the disk,
/// whatever ended the run that wrote it.
fn settled(length: u64) -> u64 {
    length.saturating_sub(1) / BLOCK * BLOCK
}

/// The extension of an unfinished file by its head, if that is a good one.
fn held(part: &Path) -> Option<&'static str> {
    let mut head = [0; HEAD];
    File::open(part).ok()?.read_exact(&mut head).ok()?;
    extension(&head)
}

/// How an attempt ended that did not end well.
enum Broken {
    /// For good.
    Off(Failure),
    /// The server will not give it, at this address.
    Refused(mingram::Error),
    /// On the way; what came so far is in the file.
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

/// A content type that no picture or video has: a page with an apology.
fn is_text(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    kind.starts_with("text/") || kind.contains("json") || kind.contains("xml")
}

/// What a server said, fit for a line of text.
pub fn plain(text: &str) -> String {
    let line = text.chars().filter(|c| !c.is_control());
    line.take(60).collect()
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
            return Err(io::Error::other("ended before it was whole"));
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
