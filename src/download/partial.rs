//! Partial files: downloads that continue after a kill or a power cut.

use super::download::{Body, Download, Resumed, Saved};
use super::version::FileVersion;
use crate::atomic_file::{check_target, check_writable, flush_names};
use crate::client::retry::delay;
use crate::error::{Error, ErrorKind, Result};
use crate::redact::prefix;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Nothing is written after a multiple of this many bytes before everything up to there is
/// on the disk. So a power cut leaves holes only after the last of them, and a later call
/// continues there.
const BLOCK: u64 = 8 * 1024 * 1024;

/// Longer names, in bytes, are shortened before `.version.part` is appended.
const MAX_NAME: usize = 240;

/// The bytes of such a name that are kept.
const MAX_REPEATED: usize = 100;

/// The longest file with a version that is read.
const MAX_NOTE: u64 = 4096;

/// A complete file on the disk that still has the name of a partial one: see
/// [`Download::save_part`].
#[derive(Debug)]
#[must_use = "the file gets its name from `persist`"]
pub struct Part {
    path: PathBuf,
    note: PathBuf,
    identity: (u64, u64),
    saved: Saved,
}

impl Part {
    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was downloaded.
    pub fn saved(&self) -> &Saved {
        &self.saved
    }

    /// Gives the file its name, which must be on the same file system, and replaces what has
    /// that name. Flushes the name to the disk.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io), with the path: it cannot become a file, or another process has
    /// begun to download the same partial file again.
    pub fn persist(self, path: impl AsRef<Path>) -> Result<Saved> {
        let path = path.as_ref();
        let placed = self.place(path);
        placed.map_err(|error| error.in_file(path, &[]))?;
        Ok(self.saved)
    }

    fn place(&self, path: &Path) -> Result<()> {
        check_target(path)
            .and_then(|()| self.rename(path))
            .map_err(Error::of_file)?;
        flush_names(path).map_err(Error::not_durable)
    }

    /// Another process may have put a partial file of its own in the place of this one. So it
    /// is looked at under a name that no process takes for a partial file: the one of its
    /// version, which is not needed any more.
    fn rename(&self, path: &Path) -> io::Result<()> {
        let taken = || io::Error::other("another process downloads it, too");
        fs::rename(&self.path, &self.note).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => taken(),
            _ => error,
        })?;
        let moved = fs::symlink_metadata(&self.note)?;
        let renamed = match (identity(&moved), moved.len()) == (self.identity, self.saved.length) {
            true => fs::rename(&self.note, path),
            false => Err(taken()),
        };
        if renamed.is_err() {
            let _ = fs::rename(&self.note, &self.path);
        }
        renamed
    }
}

impl Download<'_> {
    /// Downloads to a file, and continues where an earlier call ended, in this run of the
    /// program or in another one: for videos and slow connections.
    ///
    /// As with [`save`](Download::save), the path holds the old file or the complete new one.
    /// Until then the data is in a partial file in the same directory. It stays there if the
    /// call fails, is cancelled or killed, or the power is cut. For `a.mp4`:
    ///
    /// | file | content |
    /// |---|---|
    /// | `a.mp4.part` | the beginning of the file |
    /// | `a.mp4.version.part` | its [`FileVersion`] as text, if it has one and is longer than 8 MiB |
    ///
    /// A name that is longer than 240 bytes is replaced there by its first 100 bytes and a
    /// checksum. Both files are gone when the download is complete; delete them if you give
    /// it up.
    ///
    /// - The rest is requested as by [`resume_from`](Download::resume_from), so that two
    ///   versions are never combined. If the file has changed, the download starts again. If
    ///   the request for the rest is refused, returns other content, or its connection is
    ///   closed, the entire file is requested once, and the partial file stays if that fails. If
    ///   two processes download to the same path, one of them may fail.
    /// - After a connection broke, the call itself continues at the byte where that happened.
    ///   It gives up after [several](crate::Api::with_retries) failures in a row without
    ///   another byte.
    /// - A later call continues at a multiple of 8 MiB: up to there the data was flushed to
    ///   the disk, and a power cut may have damaged what follows. Less than that starts again.
    ///
    /// # Errors
    ///
    /// As for [`save`](Download::save), except that the partial file stays. If the error is
    /// [transient](Error::is_transient), for example a timeout, call it again to continue.
    pub fn save_resumable(self, path: impl AsRef<Path>) -> Result<Saved> {
        let (path, client) = (path.as_ref(), self.client);
        let saved = check_writable(path)
            .map_err(Error::of_file)
            .and_then(|()| self.complete(&part_of(path)))
            .and_then(|part| part.place(path).map(|()| part.saved));
        saved.map_err(|error| error.in_file(path, &client.secrets()))
    }

    /// Like [`save_resumable`](Download::save_resumable), but you choose the name of the
    /// partial file, and the complete file keeps it until you give it another one with
    /// [`Part::persist`]: so its name may depend on its content. The file with the version
    /// has `version.part` in place of the last extension.
    ///
    /// ```no_run
    /// # fn main() -> mingram::Result<()> {
    /// # let (api, url) = (mingram::Api::new("IGQVJ..."), "https://cdn.example/v/1.jpg");
    /// let part = api.download(url).save_part("1.part")?;
    /// let is_webp = part.saved().content_type.as_deref() == Some("image/webp");
    /// part.persist(if is_webp { "1.webp" } else { "1.jpg" })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`save_resumable`](Download::save_resumable), but only those of the partial file
    /// ([`Io`](ErrorKind::Io)) name its path.
    pub fn save_part(self, part: impl AsRef<Path>) -> Result<Part> {
        let (path, client) = (part.as_ref(), self.client);
        let part = self.complete(path);
        part.map_err(|error| match error.kind() {
            ErrorKind::Io => error.in_file(path, &client.secrets()),
            _ => error,
        })
    }

    /// Completes a partial file.
    fn complete(mut self, path: &Path) -> Result<Part> {
        check_target(path).map_err(Error::of_file)?;
        let mut held = Partial::find(path);
        let mut furthest = held.as_ref().map_or(0, |held| held.bytes);
        let mut tries = 0;
        loop {
            let (mut partial, body) = self.resumed(path, held)?;
            let Some(mut body) = body else {
                return partial.complete(None).map_err(Error::of_file);
            };
            let Err(error) = body.copy(&mut partial, self.progress.as_deref_mut()) else {
                let content_type = body.content_type().map(str::to_owned);
                return partial.complete(content_type).map_err(Error::of_file);
            };
            tries = match partial.bytes > furthest {
                true => 1,
                false => tries + 1,
            };
            if !error.is_network() || error.is_timeout() || tries > self.client.retries {
                return Err(error);
            }
            let delay = delay(tries - 1);
            let left = body.left().saturating_sub(delay);
            if left.is_zero() {
                return Err(error);
            }
            self.client.wait_for_retry(&error, delay);
            self.time = Some(left);
            furthest = furthest.max(partial.bytes);
            held = Some(partial);
        }
    }

    /// Requests what is missing. Returns the partial file, and what comes after it.
    fn resumed(&self, path: &Path, held: Option<Partial>) -> Result<(Partial, Option<Body>)> {
        let rest = held.as_ref().and_then(|held| {
            let version = held.version.as_ref()?;
            Some(self.rest(held.bytes, version))
        });
        let entire = match (rest, held) {
            (Some(Ok(Resumed::Rest(body))), Some(held)) => return Ok((held, Some(body))),
            (Some(Ok(Resumed::Complete)), Some(held)) => return Ok((held, None)),
            (Some(Ok(Resumed::Entire(body))), _) => body,
            // It cannot send parts.
            (Some(Err(error)), _) if !may_be_the_range(&error) => return Err(error),
            _ => self.open()?,
        };
        let version = entire.version().cloned();
        let partial = Partial::create(path, version).map_err(Error::of_file)?;
        Ok((partial, Some(entire)))
    }
}

/// Whether a request for the rest failed with what one for the entire file may not: a
/// refusal, other content, or a connection that was closed.
fn may_be_the_range(error: &Error) -> bool {
    use ErrorKind as K;
    match error.kind() {
        K::Status => !error.is_rate_limited(),
        K::Malformed | K::WrongContent | K::ConnectionLost | K::Truncated | K::UnknownLength => {
            true
        }
        _ => false,
    }
}

/// A partial file that is being written.
struct Partial {
    path: PathBuf,
    /// Where the version is noted.
    note: PathBuf,
    file: File,
    /// The length so far, and the position in `file`.
    bytes: u64,
    version: Option<FileVersion>,
}

impl Partial {
    /// The file that an earlier call left, up to where it is certainly on the disk.
    fn find(path: &Path) -> Option<Partial> {
        let length = length_of(path)?;
        let bytes = length.saturating_sub(1) / BLOCK * BLOCK;
        if bytes == 0 {
            return None;
        }
        let mut file = File::options().read(true).write(true).open(path).ok()?;
        // No file begins with zeros, unless the disk lost what it had confirmed.
        let mut head = [0; 16];
        file.read_exact(&mut head).ok()?;
        file.seek(SeekFrom::Start(bytes)).ok()?;
        let note = note_of(path);
        length_of(&note).filter(|&length| length <= MAX_NOTE)?;
        let version = fs::read_to_string(&note).ok()?.parse().ok()?;
        // The version is of this file if no other one has taken its place meanwhile: it was
        // noted before anything was written.
        let of_path = identity(&fs::symlink_metadata(path).ok()?);
        let is_there = of_path == identity(&file.metadata().ok()?);
        (is_there && head != [0; 16]).then(|| Partial {
            path: path.to_owned(),
            note,
            file,
            bytes,
            version: Some(version),
        })
    }

    /// Begins anew, and notes the version if a later call could continue. What was there is
    /// durably removed first, so that no version is beside a file that it is not of. It is
    /// removed and not truncated: another process may be writing it.
    fn create(path: &Path, version: Option<FileVersion>) -> io::Result<Partial> {
        let note = note_of(path);
        let create = |path| File::options().write(true).create_new(true).open(path);
        // Some shares cannot flush names. Then no version is noted, and no later call resumes.
        let removed = remove_if_there(&note)? | remove_if_there(path)?;
        let durable = !removed || flush_names(path).is_ok();
        let file = create(path)?;
        let noted = version.as_ref().filter(|version| version.total() > BLOCK);
        if let Some(version) = noted.filter(|_| durable) {
            let mut noted = create(&note)?;
            noted.write_all(format!("{version}\n").as_bytes())?;
            noted.sync_all()?;
            if flush_names(path).is_err() {
                remove_if_there(&note)?;
            }
        }
        Ok(Partial {
            path: path.to_owned(),
            note,
            file,
            bytes: 0,
            version,
        })
    }

    fn complete(self, content_type: Option<String>) -> io::Result<Part> {
        // The file of an earlier call may have been longer.
        self.file.set_len(self.bytes)?;
        self.file.sync_all()?;
        Ok(Part {
            identity: identity(&self.file.metadata()?),
            path: self.path,
            note: self.note,
            saved: Saved {
                length: self.bytes,
                content_type,
                version: self.version,
            },
        })
    }
}

impl Write for Partial {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let in_block = self.bytes % BLOCK;
        if in_block == 0 && self.bytes > 0 {
            self.file.sync_data()?;
        }
        let room = usize::try_from(BLOCK - in_block).unwrap_or(usize::MAX);
        let written = self.file.write(&piece[..piece.len().min(room)])?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The partial file of a file.
fn part_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    let bytes = name.as_encoded_bytes();
    let mut part = name.to_owned();
    if bytes.len() > MAX_NAME {
        // FNV-1a.
        let checksum = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let name = name.to_string_lossy();
        part = OsString::from(format!("{}-{checksum:016x}", prefix(&name, MAX_REPEATED)));
    }
    part.push(".part");
    path.with_file_name(part)
}

/// Where the version of a partial file is noted.
fn note_of(part: &Path) -> PathBuf {
    part.with_extension("version.part")
}

/// The length of a file that is no link.
fn length_of(path: &Path) -> Option<u64> {
    let found = fs::symlink_metadata(path).ok()?;
    found.is_file().then_some(found.len())
}

/// Returns whether it was there.
fn remove_if_there(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        done => done.map(|()| true),
    }
}

/// What distinguishes a file from another one that has its name later.
#[cfg(unix)]
fn identity(file: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (file.dev(), file.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0)
}
