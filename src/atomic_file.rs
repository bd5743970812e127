//! Files that appear under their name only when they are complete.

use crate::redact::prefix;
use std::collections::hash_map::RandomState;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// The bytes of a file's name that are repeated in the name of its temporary file. File
/// systems limit names to 255 bytes, and some that encrypt them to 143.
const MAX_REPEATED: usize = 100;

/// A temporary file next to `path`, which replaces `path` when it is committed and is
/// removed otherwise.
///
/// A program that is killed leaves it behind. Nothing removes it later: no process can know
/// whether a file that it did not create is still being written, in another container or on
/// another host.
pub(crate) struct AtomicFile<'a> {
    pub(crate) file: File,
    /// The directory of `path`; `None` on systems that cannot open directories.
    pub(crate) directory: Option<File>,
    temporary: Temporary,
    path: &'a Path,
}

impl<'a> AtomicFile<'a> {
    /// Checks that `path` can become a file, and creates the temporary file, on Unix with
    /// this mode (reduced by the umask).
    pub(crate) fn create(path: &'a Path, mode: u32) -> io::Result<AtomicFile<'a>> {
        check_target(path)?;
        let directory = open_parent(path)?;
        let (file, temporary) = Temporary::create(path, mode)?;
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
        self.file.sync_all()?;
        drop(self.file);
        fs::rename(&self.temporary.path, self.path)?;
        self.temporary.exists = false;
        Ok(flush(self.directory))
    }
}

fn flush(directory: Option<File>) -> io::Result<()> {
    use io::ErrorKind as K;
    match directory.map(|directory| directory.sync_all()) {
        // Some file systems cannot flush directories.
        Some(Err(error)) if !matches!(error.kind(), K::InvalidInput | K::Unsupported) => Err(error),
        _ => Ok(()),
    }
}

/// Opens the directory of a file; `None` on systems that cannot.
fn open_parent(path: &Path) -> io::Result<Option<File>> {
    match File::open(parent(path)) {
        Err(_) if !cfg!(unix) => Ok(None),
        opened => opened.map(Some),
    }
}

/// Flushes the names in the directory of a file to the disk.
pub(crate) fn flush_names(path: &Path) -> io::Result<()> {
    flush(open_parent(path)?)
}

/// Checks that `path` can become a file, and that files can be created in its directory.
pub(crate) fn check_writable(path: &Path) -> io::Result<()> {
    check_target(path)?;
    Temporary::create(path, 0o600).map(drop)
}

/// Fails if no file can have this path: it has no name at its end, its directory is missing,
/// or something that is not a file is in its place. A symbolic link to a file, or to
/// nothing, is not followed: the file replaces it.
pub(crate) fn check_target(path: &Path) -> io::Result<()> {
    let refused = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    let text = path.as_os_str().as_encoded_bytes();
    // `a.jpg/` and `a.jpg/.` have a file name, too.
    let is_last = |name: &OsStr| text.ends_with(name.as_encoded_bytes());
    if !path.file_name().is_some_and(is_last) {
        return refused("the path has no file name at its end");
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => refused("it is a directory: add the name of a file"),
        Ok(found) if !found.is_file() => refused("it is not a regular file"),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) if !parent(path).is_dir() => {
            let why = "its directory does not exist: create it first";
            Err(io::Error::new(io::ErrorKind::NotFound, why))
        }
        _ => Ok(()),
    }
}

/// The directory of a file.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A file that is removed when dropped.
struct Temporary {
    path: PathBuf,
    exists: bool,
}

impl Temporary {
    /// The name is `.NAME.RANDOM.tmp`, with 16 random hexadecimal digits, so that two
    /// programs never write to the same file.
    fn create(path: &Path, mode: u32) -> io::Result<(File, Temporary)> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let random = RandomState::new().build_hasher().finish();
        let name = format!(".{}.{random:016x}.tmp", prefix(&name, MAX_REPEATED));
        let path = parent(path).join(name);
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
            let _ = fs::remove_file(&self.path);
        }
    }
}
