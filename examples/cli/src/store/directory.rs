//! A directory that is filled from a server. Nothing in it is ever half done under a name
//! that counts.

use super::failure::Failure;
use super::names::{EXTENSIONS, is_stem};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A directory that one run of a command writes into.
pub struct Directory {
    path: PathBuf,
    /// What its unfinished files begin with, as `.backup-`; or the directory in it that
    /// they lie in, as `.frame/`.
    prefix: &'static str,
    /// Held open and locked, so that a second run does not write into the same unfinished
    /// files.
    _lock: Option<File>,
}

impl Directory {
    /// Creates the directory if it is missing, and takes it for this run.
    pub fn open(path: &Path, prefix: &'static str) -> Result<Directory, Failure> {
        create(path).map_err(|error| Failure::at(path, error))?;
        let lock = match cfg!(unix) {
            true => Some(File::open(path).map_err(|error| Failure::at(path, error))?),
            false => None,
        };
        // A file system without locks (some network shares) goes without one.
        let locked = lock.as_ref().map(fs4::FileExt::try_lock);
        if matches!(locked, Some(Err(fs4::TryLockError::WouldBlock))) {
            return Err(Failure::Busy(path.display().to_string()));
        }
        let folder = Directory {
            path: path.to_owned(),
            prefix,
            _lock: lock,
        };
        let hidden = folder.hidden();
        if prefix.contains('/') && fs::symlink_metadata(&hidden).is_ok() {
            is_directory(&hidden).map_err(|error| Failure::at(&hidden, error))?;
        }
        Ok(folder)
    }

    /// A directory that is read and not written into.
    pub fn look(path: &Path, prefix: &'static str) -> Directory {
        Directory {
            path: path.to_owned(),
            prefix,
            _lock: None,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        fs::read_dir(&self.path).map_or(true, |mut entries| entries.next().is_none())
    }

    /// The complete file of this stem, if it is there.
    pub fn find(&self, stem: &str) -> Option<String> {
        self.names_of(stem).find(|name| self.join(name).is_file())
    }

    /// The text of a small file; empty if it is missing or not text.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).unwrap_or_default()
    }

    /// A directory that has the name of this stem's file.
    pub fn blocked(&self, stem: &str) -> Option<String> {
        self.names_of(stem).find(|name| self.join(name).is_dir())
    }

    fn names_of(&self, stem: &str) -> impl Iterator<Item = String> {
        EXTENSIONS.iter().map(move |ext| format!("{stem}.{ext}"))
    }

    /// The unfinished file of a name. In the same directory as the finished one, or in one
    /// below it: a rename never copies.
    pub fn part(&self, name: &str) -> PathBuf {
        let name = name.rsplit('/').next().unwrap_or(name);
        self.join(&format!("{}{name}.part", self.prefix))
    }

    /// Where mingram notes which version of the file the unfinished one belongs to.
    fn version(&self, name: &str) -> PathBuf {
        self.part(&format!("{name}.version"))
    }

    /// Where the unfinished files lie.
    fn hidden(&self) -> PathBuf {
        match self.prefix.rsplit_once('/') {
            Some((name, _)) => self.join(name),
            None => self.path.clone(),
        }
    }

    /// Creates the directory of the unfinished files, if they have one of their own and it
    /// is missing.
    pub fn create_hidden(&self) -> io::Result<()> {
        if !self.prefix.contains('/') {
            return Ok(());
        }
        let hidden = self.hidden();
        match fs::create_dir(&hidden) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => is_directory(&hidden),
            done => done,
        }
    }

    /// Writes a small file, unless it has this content already. Returns whether it was
    /// written.
    pub fn write_whole(&self, name: &str, bytes: &[u8]) -> Result<bool, Failure> {
        if holds(&self.join(name), bytes) {
            return Ok(false);
        }
        let part = self.part(name);
        let written = self
            .create_hidden()
            .and_then(|()| remove_if_there(&part))
            .and_then(|()| OpenOptions::new().write(true).create_new(true).open(&part))
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            });
        if let Err(error) = written {
            let _ = fs::remove_file(&part);
            return Err(Failure::of_file(&part, error));
        }
        self.place(&part, name)?;
        Ok(true)
    }

    /// Gives a finished file its name, durably.
    pub fn place(&self, part: &Path, name: &str) -> Result<(), Failure> {
        let path = self.join(name);
        if let Err(error) = fs::rename(part, &path) {
            return Err(match Failure::of_file(&path, error) {
                Failure::Disk(_, error) => Failure::at(part, error),
                blocked => blocked,
            });
        }
        let folder = path.parent().unwrap_or(&self.path);
        sync_names(folder).map_err(|error| Failure::at(folder, error))
    }

    pub fn remove(&self, name: &str) -> Result<(), Failure> {
        let path = self.join(name);
        remove_if_there(&path).map_err(|error| Failure::of_file(&path, error))
    }

    /// The unfinished files of an earlier run, by their stems; a node's with its `.json`.
    pub fn unfinished(&self) -> BTreeSet<String> {
        let prefix = self.prefix.rsplit('/').next().unwrap_or_default();
        let names = fs::read_dir(self.hidden()).into_iter().flatten();
        let stem = |name: &str| {
            let stem = name.strip_prefix(prefix)?.strip_suffix(".part")?;
            Some(stem.strip_suffix(".version").unwrap_or(stem).to_owned())
        };
        names
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
            .filter_map(|entry| stem(entry.file_name().to_str()?))
            .filter(|stem: &String| is_stem(stem.strip_suffix(".json").unwrap_or(stem)))
            .collect()
    }

    /// Removes an unfinished file.
    pub fn forget(&self, stem: &str) -> Result<(), Failure> {
        for path in [self.part(stem), self.version(stem)] {
            remove_if_there(&path).map_err(|error| Failure::of_file(&path, error))?;
        }
        Ok(())
    }
}

/// Creates a directory and those above it. Each new name is flushed to the disk.
fn create(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    fs::create_dir_all(path)?;
    for path in missing.iter().rev() {
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_names(parent)?,
            _ => sync_names(Path::new("."))?,
        }
    }
    Ok(())
}

/// Whether the file is there, is no link, and has this content.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    length_of(path) == bytes.len() as u64 && fs::read(path).is_ok_and(|held| held == bytes)
}

/// The length of a file that is no link; of anything else 0.
pub fn length_of(path: &Path) -> u64 {
    let meta = fs::symlink_metadata(path).ok();
    meta.filter(fs::Metadata::is_file)
        .map_or(0, |meta| meta.len())
}

/// Makes sure that the names in a directory survive a power cut. It is opened each time: a
/// stick may have been pulled out and put back. Some file systems cannot do it.
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

/// A link to a directory does not count: its content is not ours.
fn is_directory(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a directory")),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
