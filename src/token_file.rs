//! The token file: stores a long-lived token between runs and refreshes it.

use crate::api::Api;
use crate::atomic_file::AtomicFile;
use crate::auth::token::LongLivedToken;
use crate::error::{Error, ErrorKind, Result};
use crate::json::lenient::Entries;
use crate::json::value::Value;
use crate::timestamp::to_unix;
use miniserde::json;
use miniserde::ser::{Fragment, Serialize};
use std::fmt;
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
/// println!("token: {}", refresh.outcome);
/// let api = Api::new(refresh.token.token);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFile {
    path: PathBuf,
}

/// The result of [`TokenFile::refresh_if_due`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Refresh {
    /// The token to use: the new one if there is one, otherwise the old one.
    pub token: LongLivedToken,
    /// What was done.
    pub outcome: RefreshOutcome,
}

/// The outcome of a refresh. Its `Display` is one line for a log.
#[derive(Debug)]
#[non_exhaustive]
pub enum RefreshOutcome {
    /// Nothing was sent: the token is not due yet, or another program has stored a new
    /// one.
    NotDue,
    /// Nothing was sent: the token is less than 24 hours old, and the service would
    /// refuse.
    TooYoung,
    /// The clock is behind the time the token was obtained, so its age and its expiry are
    /// unknown, and it is not refreshed. This happens on boards without a clock battery
    /// until their time is set. If the clock is right, the time in the file is wrong; log it:
    /// the token will expire unnoticed unless it is replaced.
    ClockBehind,
    /// The new token is stored.
    Refreshed,
    /// The refresh failed, and the old token is still stored. It is dead if
    /// [`is_token_invalid`](Error::is_token_invalid).
    RefreshFailed(Error),
    /// The service sent a new token, but it could not be stored. The file holds the old
    /// one; the new one is in [`Refresh::token`].
    SaveFailed(Error),
}

impl fmt::Display for RefreshOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefreshOutcome::NotDue => f.write_str("not due for a refresh"),
            RefreshOutcome::TooYoung => {
                f.write_str("too young for a refresh, which requires an age of 24 hours")
            }
            RefreshOutcome::ClockBehind => {
                f.write_str("not refreshed: the clock is behind the time the token was obtained: set the clock, or if it is right, log in again")
            }
            RefreshOutcome::Refreshed => f.write_str("refreshed"),
            RefreshOutcome::RefreshFailed(error) => {
                write!(f, "not refreshed, keeping the old one: {error}")
            }
            RefreshOutcome::SaveFailed(error) => {
                write!(
                    f,
                    "refreshed, but the file still holds the old one: {error}"
                )
            }
        }
    }
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
    /// [`Io`](ErrorKind::Io) if the file does not exist
    /// ([`is_not_found`](Error::is_not_found)) or cannot be read;
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
        text.and_then(Value::parse_object)
            .and_then(|stored| read(&stored))
            .ok_or_else(|| {
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
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a malformed token, and if the path is
    /// a directory or a symbolic link, or if files cannot be kept private there.
    pub fn save(&self, token: &LongLivedToken) -> Result<()> {
        token.token.check()?;
        let old = fs::symlink_metadata(&self.path).ok();
        if let Some(old) = &old {
            self.check_kind(old)?;
        }
        if self.path.file_name().is_none() {
            return Err(self.refused("has no file name at its end"));
        }
        let directory = self
            .path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if directory.is_some_and(|directory| !directory.is_dir()) {
            return Err(self.refused("is in a directory that does not exist: create it first"));
        }
        let failed = |error| self.failed("cannot be written", error);
        let mut new = AtomicFile::create(&self.path, 0o600).map_err(failed)?;
        if let Some(mode) = mode_if_shared(&new.file.metadata().map_err(failed)?) {
            return Err(self.refused(&format!(
                "cannot be kept private there (its mode would be {mode:o}): choose a directory on another file system"
            )));
        }
        let text = json::to_string(&Stored(token));
        writeln!(new.file, "{text}").map_err(failed)?;
        #[cfg(unix)]
        if let (Some(old), Some(directory)) = (&old, &new.directory) {
            keep_owner(&new.file, old, directory);
        }
        let durable = new.commit().map_err(failed)?;
        durable.map_err(|error| self.failed("is written, but may not survive a power cut", error))
    }

    /// Refreshes the stored token if it is due by [`LongLivedToken::refresh_due_at`] and
    /// the clock of `api`. Sends at most one request, with the settings of `api` and the
    /// stored token.
    ///
    /// Call it as often as you like, for example before each run or once a day. A failed
    /// refresh is not an error of this function: the old token may be valid for weeks, so
    /// it is kept and returned with [`RefreshOutcome::RefreshFailed`].
    ///
    /// # Errors
    ///
    /// As for [`load`](TokenFile::load).
    pub fn refresh_if_due(&self, api: &Api) -> Result<Refresh> {
        self.refresh_from(api, LongLivedToken::refresh_due_at)
    }

    /// Like [`refresh_if_due`](TokenFile::refresh_if_due), but refreshes even if the token
    /// is not due. A token less than 24 hours old is never refreshed.
    ///
    /// # Errors
    ///
    /// As for [`load`](TokenFile::load).
    pub fn refresh(&self, api: &Api) -> Result<Refresh> {
        self.refresh_from(api, LongLivedToken::refreshable_at)
    }

    fn refresh_from(
        &self,
        api: &Api,
        due_at: impl Fn(&LongLivedToken) -> SystemTime,
    ) -> Result<Refresh> {
        let token = self.load()?;
        let now = api.now();
        let idle = if now < token.obtained_at {
            Some(RefreshOutcome::ClockBehind)
        } else if now < token.refreshable_at() {
            Some(RefreshOutcome::TooYoung)
        } else if now < due_at(&token) {
            Some(RefreshOutcome::NotDue)
        } else {
            None
        };
        if let Some(outcome) = idle {
            return Ok(Refresh { token, outcome });
        }
        let fresh = match api.clone().with_token(token.token.clone()).refresh_token() {
            Ok(fresh) => fresh,
            Err(error) => {
                let outcome = RefreshOutcome::RefreshFailed(error);
                return Ok(Refresh { token, outcome });
            }
        };
        // A token that was stored during this call is newer.
        match self.load() {
            Ok(other) if other.token != token.token => {
                let outcome = match api.now() < other.obtained_at {
                    true => RefreshOutcome::ClockBehind,
                    false => RefreshOutcome::NotDue,
                };
                let token = other;
                return Ok(Refresh { token, outcome });
            }
            _ => {}
        }
        let outcome = match self.save(&fresh) {
            Ok(()) => RefreshOutcome::Refreshed,
            Err(error) => RefreshOutcome::SaveFailed(error),
        };
        Ok(Refresh {
            token: fresh,
            outcome,
        })
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

/// Reads the file's JSON: a reply of the service with `obtained_at`. A number that is
/// present must be readable.
fn read(stored: &Value) -> Option<LongLivedToken> {
    let obtained_at = u64::try_from(stored.number_of("obtained_at")?).ok()?;
    let obtained_at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(obtained_at))?;
    let token = LongLivedToken::from_reply(stored, obtained_at)?;
    (token.expires_in.is_some() || stored.get("expires_in").is_none()).then_some(token)
}

/// Writes the file's JSON.
struct Stored<'a>(&'a LongLivedToken);

impl Serialize for Stored<'_> {
    fn begin(&self) -> Fragment<'_> {
        let token = self.0;
        let mut entries: Vec<(&'static str, Box<dyn Serialize + '_>)> =
            vec![("access_token", Box::new(token.token.expose().to_owned()))];
        if let Some(token_type) = &token.token_type {
            entries.push(("token_type", Box::new(token_type)));
        }
        if let Some(expires_in) = token.expires_in {
            // Larger numbers would not be read back.
            entries.push((
                "expires_in",
                Box::new(expires_in.as_secs().min(i64::MAX as u64)),
            ));
        }
        entries.push(("obtained_at", Box::new(to_unix(token.obtained_at))));
        Entries::new(entries).fragment()
    }
}
