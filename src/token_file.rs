//! The token file: stores a long-lived token between runs and refreshes it.

use crate::api::Api;
use crate::api::refresh::{Refresh, RefreshOutcome};
use crate::atomic_file::{AtomicFile, parent};
use crate::auth::token::{LongLivedToken, Token};
use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The size limit of a token file, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// A file with one long-lived token: JSON with `access_token`, `token_type`,
/// `expires_in` (seconds) and `obtained_at` (Unix seconds).
///
/// The file is private (mode 0600; not enforced on systems other than Unix). Saves are
/// atomic: after a crash, a power cut or a full disk the file holds either the old or the
/// new token. [`save`](TokenFile::save) keeps the file's owner if the system allows it, so
/// a refresh by root leaves the file to the service's user.
///
/// ```no_run
/// use mingram::Api;
/// use mingram::auth::TokenFile;
///
/// # fn main() -> mingram::Result<()> {
/// let file = TokenFile::new("/var/lib/frame/token.json");
/// let refresh = file.refresh_if_due(&Api::without_token())?;
/// if let Some(error) = refresh.error() {
///     // The old token may be valid for weeks; the next run tries again.
///     eprintln!("the token was not refreshed: {error}");
/// }
/// let api = Api::new(refresh.token);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The token file at this path, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> TokenFile {
        TokenFile { path: path.into() }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Loads the token.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the file does not exist or cannot be read
    /// ([`io_error`](Error::io_error) distinguishes these);
    /// [`InvalidInput`](ErrorKind::InvalidInput) if other users may read it (the message
    /// contains the command that fixes this), or if it is not a token file.
    pub fn load(&self) -> Result<LongLivedToken> {
        let mut bytes = Vec::new();
        self.open()?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.failed("cannot be read", error))?;
        if bytes.is_empty() {
            return Err(self.refused("is empty: log in again"));
        }
        let text = std::str::from_utf8(&bytes).ok();
        let text = text.filter(|text| text.len() as u64 <= MAX_BYTES);
        text.and_then(LongLivedToken::from_stored).ok_or_else(|| {
            self.refused("has no valid `access_token` and `obtained_at`: log in again")
        })
    }

    /// Stores a token, replacing the one in the file. The directory must exist.
    ///
    /// If another user owns the file, the new file is given to that user, provided that
    /// the program may do so (root may) and that nobody else can have planted the file: in
    /// a directory that others can write to, such as `/tmp`, the user must own the
    /// directory. Otherwise the file belongs to the user who saves it, because a new token
    /// matters more than the owner of the file.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the file cannot be written; the old one is unchanged.
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a token that
    /// [cannot be stored](LongLivedToken::to_json), and if the path is a directory or a
    /// symbolic link, or if files cannot be kept private there.
    pub fn save(&self, token: &LongLivedToken) -> Result<()> {
        let text = token.to_json()?;
        if text.len() as u64 >= MAX_BYTES {
            return Err(self.refused("would be larger than 64 KiB, and is not written"));
        }
        let old = fs::symlink_metadata(&self.path).ok();
        if let Some(old) = &old {
            self.check_kind(old)?;
        }
        if self.path.file_name().is_none() {
            return Err(self.refused("has no file name at its end"));
        }
        if !parent(&self.path).is_dir() {
            return Err(self.refused("is in a directory that does not exist: create it first"));
        }
        let failed = |error| self.failed("cannot be written", error);
        let mut new = AtomicFile::create(&self.path, 0o600).map_err(failed)?;
        if let Some(mode) = mode_if_shared(&new.file.metadata().map_err(failed)?) {
            return Err(self.refused(&format!(
                "cannot be kept private there (its mode would be {mode:o}): choose a directory on another file system"
            )));
        }
        writeln!(new.file, "{text}").map_err(failed)?;
        #[cfg(unix)]
        if let (Some(old), Some(directory)) = (&old, &new.directory) {
            keep_owner(&new.file, old, directory);
        }
        let durable = new.commit().map_err(failed)?;
        durable.map_err(|error| self.failed("is written, but may not survive a power cut", error))
    }

    /// Stores a token that was made elsewhere, for example in Meta's app dashboard, replacing
    /// the one in the file. Returns what is stored.
    ///
    /// `expires_in` is how long it is still valid: 60 days if it has just been made in the
    /// dashboard (Meta's reference). With `None` it is refreshed as soon as it has been in the
    /// file for 24 hours, whatever its age. Tokens that are not long-lived cannot be refreshed.
    ///
    /// # Errors
    ///
    /// As for [`save`](TokenFile::save).
    pub fn import(
        &self,
        token: impl Into<Token>,
        expires_in: Option<Duration>,
    ) -> Result<LongLivedToken> {
        let token = LongLivedToken::new(token, expires_in, SystemTime::now());
        self.save(&token)?;
        Ok(token)
    }

    /// Refreshes the stored token if it is due: see [`LongLivedToken::refresh_if_due`], also
    /// for clocks that are wrong. Stores the new one.
    ///
    /// Call it as often as you like, for example before each run or once a day. A failed
    /// refresh is not an error of this function: the old token may be valid for weeks, so
    /// it is kept and returned. Check [`Refresh::error`]. If another program has stored a
    /// token during the call, that one is returned and kept.
    ///
    /// # Errors
    ///
    /// As for [`load`](TokenFile::load).
    pub fn refresh_if_due(&self, api: &Api) -> Result<Refresh> {
        let old = self.load()?;
        Ok(self.keep(&old, old.refresh_if_due(api)))
    }

    /// Like [`refresh_if_due`](TokenFile::refresh_if_due), but refreshes even if the token
    /// is not due. A token less than 24 hours old is not refreshed.
    ///
    /// # Errors
    ///
    /// As for [`load`](TokenFile::load).
    pub fn refresh(&self, api: &Api) -> Result<Refresh> {
        let old = self.load()?;
        Ok(self.keep(&old, old.refresh(api)))
    }

    /// Stores a new token, unless there is a newer one by now.
    fn keep(&self, old: &LongLivedToken, mut refresh: Refresh) -> Refresh {
        match (self.load(), &refresh.outcome) {
            (Ok(token), _) if token != *old => Refresh {
                token,
                outcome: RefreshOutcome::NotDue,
            },
            (_, RefreshOutcome::Refreshed) => {
                if let Err(error) = self.save(&refresh.token) {
                    refresh.outcome = RefreshOutcome::SaveFailed(error);
                }
                refresh
            }
            _ => refresh,
        }
    }

    /// Opens the file, if no other user may read it.
    fn open(&self) -> Result<File> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                let message = format!("there is no token file {}", self.path.display());
                Error::new(ErrorKind::Io, message).with_source(error)
            }
            _ => self.failed("cannot be read", error),
        };
        // Checked before opening: opening a pipe would wait for a writer.
        self.check_kind(&fs::symlink_metadata(&self.path).map_err(failed)?)?;
        let file = File::open(&self.path).map_err(failed)?;
        if let Some(mode) = mode_if_shared(&file.metadata().map_err(failed)?) {
            return Err(self.refused(&format!(
                "can be read by other users (its mode is {mode:o}): run `chmod 600 '{}'`",
                self.path.display()
            )));
        }
        Ok(file)
    }

    fn check_kind(&self, metadata: &fs::Metadata) -> Result<()> {
        let kind = metadata.file_type();
        if kind.is_symlink() {
            Err(self.refused("is a symbolic link: use the path of the file itself"))
        } else if kind.is_dir() {
            Err(self.refused("is a directory: use the path of a file in it"))
        } else if !kind.is_file() {
            Err(self.refused("is not a regular file"))
        } else {
            Ok(())
        }
    }

    fn refused(&self, what: &str) -> Error {
        Error::invalid(format!("the token file {} {what}", self.path.display()))
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        let message = format!("the token file {} {what}: {error}", self.path.display());
        Error::new(ErrorKind::Io, message).with_source(error)
    }
}

/// The mode of a file if others than its owner have access.
#[cfg(unix)]
fn mode_if_shared(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn mode_if_shared(_: &fs::Metadata) -> Option<u32> {
    None
}

/// Gives the new file to the owner of the old one if the system allows it, unless the
/// old file may have been planted by someone else to get the token.
#[cfg(unix)]
fn keep_owner(file: &File, old: &fs::Metadata, directory: &File) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let may_be_planted = directory.metadata().map_or(true, |dir| {
        dir.mode() & 0o022 != 0 && dir.uid() != old.uid()
    });
    let owner = |metadata: &fs::Metadata| (metadata.uid(), metadata.gid());
    let differs = |new: &fs::Metadata| owner(new) != owner(old);
    if !may_be_planted && file.metadata().is_ok_and(|new| differs(&new)) {
        let _ = fchown(file, Some(old.uid()), Some(old.gid()));
    }
}
