//! Why a file or a directory is not as it should be.

use crate::exit;
use mingram::{Error, ErrorKind};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// Why a file is missing, or a directory cannot be written.
#[derive(Debug)]
pub enum Failure {
    /// A call or a download.
    Call(Error),
    /// The directory or the disk: no other file would fare better.
    Disk(String, io::Error),
    /// Another run has the directory.
    Busy(String),
    /// The service sent something else.
    Content(String),
    /// A directory has the name of the file.
    Blocked(String),
}

impl Failure {
    pub fn at(path: &Path, error: io::Error) -> Failure {
        Failure::Disk(path.display().to_string(), error)
    }

    /// As [`at`](Failure::at), for the path of a file: something else that has its name costs
    /// this file alone.
    pub fn of_file(path: &Path, error: io::Error) -> Failure {
        match fs::symlink_metadata(path).map(|meta| meta.file_type()) {
            Ok(kind) if kind.is_dir() => Failure::Blocked(path.display().to_string()),
            Ok(kind) if !kind.is_file() => Failure::Content(format!(
                "{} is a link, a pipe or a device: rename it",
                path.display()
            )),
            _ => Failure::at(path, error),
        }
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

    /// Nobody answers, or not in time: a host may swallow what it is sent.
    pub fn is_unreached(&self) -> bool {
        matches!(self, Failure::Call(error)
            if matches!(error.kind(), ErrorKind::Connect | ErrorKind::Timeout))
    }

    /// How many files in a row could not be reached, with this one after `before`.
    pub fn unreached_after(&self, before: u32) -> u32 {
        match self.is_unreached() {
            true => before + 1,
            false => 0,
        }
    }

    /// The exit code of a command that ends with it.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Call(error) => exit::code(error),
            Failure::Disk(..) | Failure::Busy(_) | Failure::Blocked(_) => exit::CANNOT_WRITE,
            Failure::Content(_) => exit::FAILED,
        }
    }

    /// Whether it stops the entire run: the next file would fail too, and a call made
    /// while limited counts.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Failure::Blocked(_)) && self.code() != exit::FAILED
    }
}

/// Whether there is no file of a name: nothing, or a file where its directory should be.
pub fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::NotFound | K::NotADirectory)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Call(error) => error.fmt(f),
            Failure::Disk(path, error) => write!(f, "{path}: {error}"),
            Failure::Busy(path) => write!(f, "{path}: another run is writing there"),
            Failure::Content(what) => f.write_str(what),
            Failure::Blocked(path) => write!(f, "{path} is a directory: rename it"),
        }
    }
}

impl From<Failure> for exit::Failure {
    fn from(failure: Failure) -> exit::Failure {
        exit::Failure::new(failure.code(), failure)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Call(error)
    }
}
