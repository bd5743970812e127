//! Files that appear under their name only when they are complete.

use std::collections::hash_map::RandomState;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const SUFFIX: &str = ".tmp";

/// Temporary files older than this are abandoned, even if their writer seems to run.
const ABANDONED: Duration = Duration::from_secs(60);

/// A temporary file next to `path`, which replaces `path` when it is committed and is
/// removed otherwise.
pub(crate) struct AtomicFile<'a> {
    pub(crate) file: File,
    /// The directory of `path`; `None` on systems that cannot open directories.
    pub(crate) directory: Option<File>,
    temporary: Temporary,
    path: &'a Path,
}

impl<'a> AtomicFile<'a> {
    /// Creates the temporary file, on Unix with this mode (reduced by the umask), and
    /// removes those that earlier programs left behind.
    pub(crate) fn create(path: &'a Path, mode: u32) -> io::Result<AtomicFile<'a>> {
        let Some(name) = path.file_name() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path has no file name at its end",
            ));
        };
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        remove_abandoned(parent, name);
        let directory = match File::open(parent) {
            Err(_) if !cfg!(unix) => None,
            opened => Some(opened?),
        };
        let (file, temporary) = Temporary::create(parent, name, mode)?;
        Ok(AtomicFile {
            file,
            directory,
            temporary,
            path,
        })
    }

    /// Flushes the file to the disk and gives it its name. Returns whether the new name
    /// was flushed to the disk, too.
    pub(crate) fn commit(mut self) -> io::Result<io::Result<()>> {
        use io::ErrorKind as K;
        self.file.sync_all()?;
        drop(self.file);
        fs::rename(&self.temporary.path, self.path)?;
        self.temporary.exists = false;
        Ok(match self.directory.map(|directory| directory.sync_all()) {
            // Some file systems cannot flush directories.
            Some(Err(error)) if !matches!(error.kind(), K::InvalidInput | K::Unsupported) => {
                Err(error)
            }
            _ => Ok(()),
        })
    }
}

/// A file that is removed when dropped.
struct Temporary {
    path: PathBuf,
    exists: bool,
}

impl Temporary {
    /// The name contains the process id and is unique, so that two programs never write
    /// to the same file.
    fn create(directory: &Path, name: &OsStr, mode: u32) -> io::Result<(File, Temporary)> {
        let random = RandomState::new().build_hasher().finish();
        let mut temporary = prefix(name);
        temporary.push(format!("{}-{random:016x}{SUFFIX}", std::process::id()));
        let path = directory.join(temporary);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        let file = options.open(&path)?;
        Ok((file, Temporary { path, exists: true }))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.exists {
            // If this fails, the next save removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    prefix
}

/// Removes temporary files that killed programs left behind. Failures are ignored: the
/// files do no harm.
fn remove_abandoned(directory: &Path, name: &OsStr) {
    let prefix = prefix(name);
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let file_name = entry.file_name();
        let rest = file_name
            .as_encoded_bytes()
            .strip_prefix(prefix.as_encoded_bytes());
        let Some(writer) = rest.and_then(|rest| writer(std::str::from_utf8(rest).ok()?)) else {
            continue;
        };
        let is_abandoned = entry.metadata().is_ok_and(|metadata| {
            metadata.is_file() && (is_gone(writer) || metadata.modified().is_ok_and(is_old))
        });
        if is_abandoned {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The process id in the name of a temporary file, after the prefix.
fn writer(rest: &str) -> Option<u32> {
    let (process, random) = rest.strip_suffix(SUFFIX)?.split_once('-')?;
    let is_hex = random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| process.parse().ok())?
}

/// Whether a process is known to have ended.
fn is_gone(process: u32) -> bool {
    let processes = Path::new("/proc");
    processes.join("self").exists() && !processes.join(process.to_string()).exists()
}

/// By the system clock, which may have been set forwards or backwards since.
fn is_old(modified: SystemTime) -> bool {
    match SystemTime::now().duration_since(modified) {
        Ok(age) => age > ABANDONED,
        Err(ahead) => ahead.duration() > ABANDONED,
    }
}
