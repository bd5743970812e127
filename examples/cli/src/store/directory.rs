//! A directory that is filled from a server. Nothing in it is ever half done under a name
//! that counts.

use super::failure::{Failure, is_missing};
use super::names::{EXTENSIONS, is_stem};
use crate::output;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// A directory that one run of a command writes into.
pub struct Directory {
    path: PathBuf,
    /// What its unfinished files begin with, as `.backup-`; or the directory in it that
    /// they lie in, as `.frame/`.
    prefix: &'static str,
    /// Held open and locked, so that a second run does not write into the same unfinished
    /// files.
    _lock: Option<File>,
    /// Whether new directories are for their owner alone.
    private: bool,
    /// The directories with new names that are not flushed to the disk yet.
    unflushed: Mutex<BTreeSet<PathBuf>>,
    /// Whether it was said that names cannot be flushed.
    warned: AtomicBool,
}

impl Directory {
    /// Creates the directory if it is missing, and takes it for this run.
    pub fn open(path: &Path, prefix: &'static str) -> Result<Directory, Failure> {
        Directory::take(Directory::look(path, prefix))
    }

    /// As [`open`](Directory::open); what is created is for its owner alone.
    pub fn open_private(path: &Path, prefix: &'static str) -> Result<Directory, Failure> {
        Directory::take(Directory {
            private: true,
            ..Directory::look(path, prefix)
        })
    }

    fn take(folder: Directory) -> Result<Directory, Failure> {
        let path = &folder.path;
        folder.create().map_err(|error| Failure::at(path, error))?;
        let lock = match cfg!(unix) {
            true => Some(File::open(path).map_err(|error| Failure::at(path, error))?),
            false => None,
        };
        // A file system without locks (some network shares) goes without one.
        let locked = lock.as_ref().map(fs4::FileExt::try_lock);
        if matches!(locked, Some(Err(fs4::TryLockError::WouldBlock))) {
            return Err(Failure::Busy(path.display().to_string()));
        }
        if let Some((hidden, _)) = folder.prefix.rsplit_once('/') {
            folder.check_inside(hidden)?;
        }
        Ok(Directory {
            _lock: lock,
            ..folder
        })
    }

    /// A directory that is read and not written into.
    pub fn look(path: &Path, prefix: &'static str) -> Directory {
        Directory {
            path: path.to_owned(),
            prefix,
            _lock: None,
            private: false,
            unflushed: Mutex::default(),
            warned: AtomicBool::new(false),
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
        let text = self.check_file(name).ok();
        let text = text.and_then(|()| fs::read_to_string(self.join(name)).ok());
        text.unwrap_or_default()
    }

    /// Refuses a name that something else than a file has: reading a pipe or a device may
    /// never end. One that is missing is fine.
    pub fn check_file(&self, name: &str) -> Result<(), Failure> {
        let path = self.join(name);
        match fs::metadata(&path) {
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(Failure::at(&path, error)),
            Ok(meta) if meta.is_dir() => Err(Failure::Blocked(path.display().to_string())),
            Ok(meta) if !meta.is_file() => {
                let what = "it is a pipe or a device: remove it, or use another directory";
                Err(Failure::at(&path, io::Error::other(what)))
            }
            Ok(_) => Ok(()),
        }
    }

    /// Why this stem's file cannot have its name: a directory has it, or a file has the name
    /// of the directory that it is in.
    pub fn blocked(&self, stem: &str) -> Option<Failure> {
        let inside = stem.rsplit_once('/').map(|(inside, _)| inside);
        inside.and_then(|name| self.no_directory(name)).or_else(|| {
            let mut paths = self.names_of(stem).map(|name| self.join(&name));
            let path = paths.find(|path| path.is_dir())?;
            Some(Failure::Blocked(path.display().to_string()))
        })
    }

    /// Why this directory cannot be created, if a file has its name.
    fn no_directory(&self, name: &str) -> Option<Failure> {
        let path = self.join(name);
        let kind = fs::symlink_metadata(&path).ok()?.file_type();
        let what = || format!("{} is not a directory: rename it", path.display());
        (!kind.is_dir() && !kind.is_symlink()).then(|| Failure::Content(what()))
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
        match self.create_one(&hidden) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => is_directory(&hidden),
            done => done,
        }
    }

    /// Refuses a directory in this one that leads elsewhere: a link, or another file system,
    /// into which nothing can be renamed. One that is missing is fine.
    pub fn check_inside(&self, name: &str) -> Result<(), Failure> {
        let path = self.join(name);
        let refused = |what: &str| Err(Failure::at(&path, io::Error::other(what)));
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Failure::at(&path, error)),
            Ok(meta) if meta.is_symlink() => refused("it is a link: put a directory there"),
            Ok(meta) if !meta.is_dir() => refused("it is not a directory"),
            Ok(meta) if !is_same_device(&self.path, &meta) => {
                refused("it is on another file system: unmount it, or use another directory")
            }
            Ok(_) => Ok(()),
        }
    }

    /// Creates a directory in this one if it is missing.
    pub fn create_inside(&self, name: &str) -> Result<(), Failure> {
        let path = self.join(name);
        match self.create_one(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.check_inside(name),
            Err(error) => Err(Failure::at(&path, error)),
        }
    }

    /// Writes a small file, unless it has this content already. Returns whether it was
    /// written. What it replaces is lost only when it is on the disk.
    pub fn write_whole(&self, name: &str, bytes: &[u8]) -> Result<bool, Failure> {
        if holds(&self.join(name), bytes) {
            return Ok(false);
        }
        self.write(name, bytes, true)?;
        self.flush()?;
        Ok(true)
    }

    /// Writes a small file. Without `durable`, a power cut may damage it and lose what it
    /// replaces.
    pub fn write(&self, name: &str, bytes: &[u8], durable: bool) -> Result<(), Failure> {
        let part = self.part(name);
        let written = self
            .create_hidden()
            .and_then(|()| remove_if_there(&part))
            .and_then(|()| OpenOptions::new().write(true).create_new(true).open(&part))
            .and_then(|mut file| {
                file.write_all(bytes)?;
                if durable { file.sync_all() } else { Ok(()) }
            });
        if let Err(error) = written {
            let _ = fs::remove_file(&part);
            return Err(Failure::of_file(&part, error));
        }
        self.place(&part, name)
    }

    /// Gives a complete file its name, in a directory that is created if it is missing.
    /// The name is durable after [`flush`](Directory::flush).
    pub fn place(&self, part: &Path, name: &str) -> Result<(), Failure> {
        let path = self.join(name);
        let mut renamed = fs::rename(part, &path);
        // Into a directory of its own, which may be the first of the year.
        if let (Err(error), Some((inside, _))) = (&renamed, name.rsplit_once('/')) {
            if is_missing(error) {
                self.no_directory(inside).map_or(Ok(()), Err)?;
                self.create_inside(inside)?;
                renamed = fs::rename(part, &path);
            }
        }
        if let Err(error) = renamed {
            return Err(match Failure::of_file(&path, error) {
                Failure::Disk(_, error) => Failure::at(part, error),
                blocked => blocked,
            });
        }
        self.note_unflushed(path.parent().unwrap_or(&self.path));
        Ok(())
    }

    /// Renames a file to `NAME.damaged`, or with a number. Returns that name.
    pub fn set_aside(&self, name: &str) -> Result<String, Failure> {
        let names = (1..).map(|number| match number {
            1 => format!("{name}.damaged"),
            _ => format!("{name}.damaged-{number}"),
        });
        self.rename_to_free(name, names)
    }

    /// Gives a file the first of these names that is free. Returns it.
    pub fn rename_to_free(
        &self,
        name: &str,
        mut names: impl Iterator<Item = String>,
    ) -> Result<String, Failure> {
        let is_free = |name: &String| fs::symlink_metadata(self.join(name)).is_err();
        let free = names.find(is_free).unwrap_or_default();
        self.place(&self.join(name), &free)?;
        Ok(free)
    }

    fn note_unflushed(&self, path: &Path) {
        self.unflushed.lock().unwrap().insert(path.to_owned());
    }

    /// Makes sure that the names survive a power cut. Some file systems, shares above all,
    /// cannot do that: then it is said once.
    pub fn flush(&self) -> Result<(), Failure> {
        let paths = std::mem::take(&mut *self.unflushed.lock().unwrap());
        for path in paths.iter().filter(|_| cfg!(unix)) {
            // Opened each time: a stick may have been pulled out and put back.
            match File::open(path).and_then(|folder| folder.sync_all()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(Failure::at(path, error));
                }
                Err(error) if !self.warned.swap(true, Ordering::Relaxed) => {
                    let path = path.display();
                    let what = "a power cut may lose the names of new files";
                    output::warn(&format!(
                        "{path}: cannot be flushed to the disk ({error}): {what}"
                    ));
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Creates the directory and those above it.
    fn create(&self) -> io::Result<()> {
        let ancestors = self.path.ancestors();
        let missing = ancestors.take_while(|path| !path.as_os_str().is_empty() && !path.exists());
        let missing: Vec<&Path> = missing.collect();
        if let Some((own, above)) = missing.split_first() {
            for path in above.iter().rev() {
                fs::create_dir(path)?;
                self.note_unflushed(parent(path));
            }
            self.create_one(own)?;
        }
        fs::create_dir_all(&self.path)
    }

    fn create_one(&self, path: &Path) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        if self.private {
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        }
        builder.create(path)?;
        self.note_unflushed(parent(path));
        Ok(())
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

/// The directory that a path is in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn is_same_device(path: &Path, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).is_ok_and(|meta| meta.dev() == other.dev())
}

#[cfg(not(unix))]
fn is_same_device(_: &Path, _: &fs::Metadata) -> bool {
    true
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
