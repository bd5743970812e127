//! What the system lacks: file descriptors, threads.

use std::fs::File;
use std::io;

/// The process or the system has no file descriptor left: `EMFILE` and `ENFILE`, which have
/// no `ErrorKind`. Every Unix has these numbers.
pub(super) fn is_out_of_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// Whether a file cannot be opened. glibc reports a lookup that could not open its files
/// as an unknown name.
pub(super) fn may_lack_files() -> bool {
    cfg!(unix) && File::open("/").is_err_and(|error| is_out_of_files(&error))
}

pub(super) const OUT_OF_FILES: &str =
    "too many files and connections are open: close some, or raise the limit (`ulimit -n`)";

/// std could not start a thread.
pub(super) const NO_THREAD: &str = "the system cannot start another thread";
