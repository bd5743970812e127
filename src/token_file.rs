//! The token file: where a long-lived token lies between runs, and how it is
//! kept alive.

use crate::api::Api;
use crate::error::{Error, ErrorKind, Result};
use crate::slot::{Entries, Loose, read_object};
use crate::token::{LongLivedToken, Token};
use miniserde::json;
use miniserde::ser::{Fragment, Serialize};
use std::collections::hash_map::RandomState;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// No token file is larger, in bytes.
const LARGEST: u64 = 64 * 1024;

/// A temporary file this old has been left behind, whoever wrote it.
const ABANDONED: Duration = Duration::from_secs(60);

/// A file that holds one long-lived token: JSON with `access_token`,
/// `token_type`, `expires_in` (seconds) and `obtained_at` (Unix seconds).
///
/// It is private from its first byte (mode 0600) and written whole: a temporary
/// file beside it, flushed to the disk, takes its place. Whoever kills the
/// program, pulls the plug or fills the disk finds the old file or the new one,
/// never half of one. Elsewhere than on Unix, modes are not looked at.
///
/// Whoever owns the file owns it after a [`save`](TokenFile::save) too, as far as
/// the system lets the program give it away: a refresh by root leaves it to the
/// service's user.
///
/// ```no_run
/// use mingram::{Api, TokenFile};
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

/// What came of a [`TokenFile::refresh_if_due`], and the token to go on with.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refresh {
    /// The token to use from now on: the new one, or the old one still.
    pub token: LongLivedToken,
    /// What was done, and why.
    pub outcome: RefreshOutcome,
}

/// What a refresh came to. Its `Display` is one line for a log.
#[derive(Debug)]
#[non_exhaustive]
pub enum RefreshOutcome {
    /// Nothing was sent: it is not time yet, or another program has put a new
    /// token into the file meanwhile.
    NotDue,
    /// Nothing was sent: the token is not 24 hours old, and the service would
    /// refuse.
    TooYoung,
    /// Nothing was sent: the clock stands before the time that the token was
    /// obtained, so nobody can tell its age. A board without a clock battery
    /// does that until its time is set.
    ClockBehind,
    /// The new token is in the file.
    Refreshed,
    /// The refresh failed. The old token is in the file still, untouched; where
    /// [`is_token_invalid`](Error::is_token_invalid) says so, it is dead.
    Kept(Error),
    /// The service gave a new token, but it could not be written. The file
    /// holds the old one; the new one is in [`Refresh::token`].
    NotSaved(Error),
}

impl fmt::Display for RefreshOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefreshOutcome::NotDue => f.write_str("not due for a refresh"),
            RefreshOutcome::TooYoung => {
                f.write_str("too young for a refresh, which takes 24 hours")
            }
            RefreshOutcome::ClockBehind => f.write_str(
                "not refreshed, because the clock stands before the time the token was obtained",
            ),
            RefreshOutcome::Refreshed => f.write_str("refreshed"),
            RefreshOutcome::Kept(error) => {
                write!(f, "not refreshed, the old one is kept: {error}")
            }
            RefreshOutcome::NotSaved(error) => {
                write!(
                    f,
                    "refreshed, but the file still holds the old one: {error}"
                )
            }
        }
    }
}

impl TokenFile {
    /// The token file at this path, there or not.
    pub fn new(path: impl Into<PathBuf>) -> TokenFile {
        TokenFile { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The token in the file.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) where there is no such file
    /// ([`is_not_found`](Error::is_not_found) tells) or it cannot be read;
    /// [`InvalidInput`](ErrorKind::InvalidInput) where others may read it too
    /// (the message says how to mend that), and where it is no token file.
    pub fn load(&self) -> Result<LongLivedToken> {
        let mut bytes = Vec::new();
        self.open()?
            .take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.failed("cannot be read", error))?;
        if bytes.is_empty() {
            return Err(self.refused("is empty: log in again"));
        }
        let text = std::str::from_utf8(&bytes).ok();
        let stored = text
            .filter(|text| text.len() as u64 <= LARGEST)
            .and_then(|text| json::from_str::<Stored>(text).ok())
            .and_then(Stored::into_token);
        stored.ok_or_else(|| {
            self.refused("holds no `access_token` with its `obtained_at`: log in again")
        })
    }

    /// Puts a token into the file, in place of what it held. Its folder must be
    /// there.
    ///
    /// Where another user owns the old file, the new one is given to them, if the
    /// program may do that (root may) and if nobody else can have put the old one
    /// there: in a folder that others write to, as `/tmp`, it must be the
    /// folder's owner. Otherwise it belongs to whoever saves it: a token that
    /// the service has just given is worth more than the file's old owner.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) where it cannot be written, and the old file is
    /// there still; [`InvalidInput`](ErrorKind::InvalidInput) for a token that
    /// cannot be one, and for a path that is a folder, a symbolic link, or
    /// where files cannot be kept private.
    pub fn save(&self, token: &LongLivedToken) -> Result<()> {
        token.token.check()?;
        let old = fs::symlink_metadata(&self.path).ok();
        if let Some(old) = &old {
            self.check_kind(old)?;
        }
        let Some(name) = self.path.file_name() else {
            return Err(self.refused("has no file name at its end"));
        };
        let folder = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            return Err(self.refused("is in a folder that does not exist: make the folder first"));
        }
        let failed = |error| self.failed("cannot be written", error);
        sweep(folder, name);
        #[cfg(unix)]
        let opened = File::open(folder).map_err(failed)?;
        let (mut file, mut temporary) = Temporary::create(folder, name).map_err(failed)?;
        if let Some(mode) = shared(&file.metadata().map_err(failed)?) {
            return Err(self.refused(&format!(
                "cannot be kept private there (its mode would be {mode:o}): choose a folder on another file system"
            )));
        }
        let mut text = json::to_string(&Stored::of(token));
        text.push('\n');
        file.write_all(text.as_bytes()).map_err(failed)?;
        #[cfg(unix)]
        if let (Some(old), Ok(folder)) = (&old, opened.metadata()) {
            keep_owner(&file, old, &folder);
        }
        file.sync_all().map_err(failed)?;
        drop(file);
        fs::rename(&temporary.path, &self.path).map_err(failed)?;
        temporary.left = false;
        #[cfg(unix)]
        sync_folder(&opened)
            .map_err(|error| self.failed("is written, but may not outlast a power cut", error))?;
        Ok(())
    }

    /// Refreshes the token in the file where that is due, by
    /// [`LongLivedToken::refresh_due_at`] and the clock of `api`: at most one
    /// request, sent as `api` is set up but with the token of the file.
    ///
    /// Call it as often as you like, before the work or once a day. A refresh
    /// that fails is no error of this function: the old token stays in the file
    /// and is handed back with [`RefreshOutcome::Kept`], because it may well be
    /// good for weeks to come.
    ///
    /// # Errors
    ///
    /// Those of [`load`](TokenFile::load).
    pub fn refresh_if_due(&self, api: &Api) -> Result<Refresh> {
        self.refresh_from(api, LongLivedToken::refresh_due_at)
    }

    /// As [`refresh_if_due`](TokenFile::refresh_if_due), but at once, due or
    /// not; never before the token is 24 hours old.
    ///
    /// # Errors
    ///
    /// Those of [`load`](TokenFile::load).
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
                let outcome = RefreshOutcome::Kept(error);
                return Ok(Refresh { token, outcome });
            }
        };
        // A login that ended while this call was under way is newer than it.
        match self.load() {
            Ok(other) if other.token != token.token => {
                let (token, outcome) = (other, RefreshOutcome::NotDue);
                return Ok(Refresh { token, outcome });
            }
            _ => {}
        }
        let outcome = match self.save(&fresh) {
            Ok(()) => RefreshOutcome::Refreshed,
            Err(error) => RefreshOutcome::NotSaved(error),
        };
        Ok(Refresh {
            token: fresh,
            outcome,
        })
    }

    /// The file, if nobody else may read it.
    fn open(&self) -> Result<File> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                let message = format!("there is no token file {}", self.path.display());
                Error::new(ErrorKind::Io, message).with_source(error)
            }
            _ => self.failed("cannot be read", error),
        };
        // Looked at before it is opened: a pipe would wait for a writer.
        self.check_kind(&fs::symlink_metadata(&self.path).map_err(failed)?)?;
        let file = File::open(&self.path).map_err(failed)?;
        if let Some(mode) = shared(&file.metadata().map_err(failed)?) {
            return Err(self.refused(&format!(
                "is open to others (its mode is {mode:o}): make it private with `chmod 600 '{}'`",
                self.path.display()
            )));
        }
        Ok(file)
    }

    fn check_kind(&self, metadata: &fs::Metadata) -> Result<()> {
        let kind = metadata.file_type();
        if kind.is_symlink() {
            Err(self.refused("is a symbolic link: give the path of the file itself"))
        } else if kind.is_dir() {
            Err(self.refused("is a folder: give the path of a file in it"))
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

/// The mode of a file that others than its owner can get at.
#[cfg(unix)]
fn shared(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn shared(_: &fs::Metadata) -> Option<u32> {
    None
}

/// Gives the new file to the owner of the old one, as far as that goes; but not
/// to somebody who may have put a file of theirs there to get at the token.
#[cfg(unix)]
fn keep_owner(file: &File, old: &fs::Metadata, folder: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let open_to_others = folder.mode() & 0o022 != 0 && folder.uid() != old.uid();
    let owner = |metadata: &fs::Metadata| (metadata.uid(), metadata.gid());
    let differs = |new: &fs::Metadata| owner(new) != owner(old);
    if !open_to_others && file.metadata().is_ok_and(|new| differs(&new)) {
        let _ = fchown(file, Some(old.uid()), Some(old.gid()));
    }
}

/// Makes the new name last. Some file systems cannot do that for a folder, and
/// say so.
#[cfg(unix)]
fn sync_folder(folder: &File) -> io::Result<()> {
    match folder.sync_all() {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}

/// A file that is removed again unless it has taken its final name.
struct Temporary {
    path: PathBuf,
    left: bool,
}

impl Temporary {
    /// A new file, private from the start. Its name says who writes it, and no
    /// two are the same, so that two programs never write into one.
    fn create(folder: &Path, name: &OsStr) -> io::Result<(File, Temporary)> {
        let random = RandomState::new().build_hasher().finish();
        let mut temporary = prefix(name);
        temporary.push(format!("{}-{random:016x}{ENDING}", std::process::id()));
        let path = folder.join(temporary);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        Ok((file, Temporary { path, left: true }))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.left {
            // What cannot be removed now, the next save sweeps away.
            let _ = fs::remove_file(&self.path);
        }
    }
}

const ENDING: &str = ".tmp";

fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    prefix
}

/// Removes the temporary files that killed programs have left. A failure is
/// not worth a word: they are in nobody's way.
fn sweep(folder: &Path, name: &OsStr) {
    let prefix = prefix(name);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let writer = entry
            .file_name()
            .as_encoded_bytes()
            .strip_prefix(prefix.as_encoded_bytes())
            .and_then(|rest| writer(std::str::from_utf8(rest).ok()?));
        let abandoned = |writer| {
            let metadata = entry.metadata().ok()?;
            let gone = is_gone(writer) || is_old(metadata.modified().ok()?);
            (metadata.is_file() && gone).then_some(())
        };
        if writer.and_then(abandoned).is_some() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The process in the rest of a temporary file's name.
fn writer(rest: &str) -> Option<u32> {
    let (process, random) = rest.strip_suffix(ENDING)?.split_once('-')?;
    let hex = random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| process.parse().ok())?
}

/// Whether that process is known to have ended.
fn is_gone(process: u32) -> bool {
    let processes = Path::new("/proc");
    processes.join("self").exists() && !processes.join(process.to_string()).exists()
}

/// By the clock, which may have been set in the meantime, either way.
fn is_old(modified: SystemTime) -> bool {
    match SystemTime::now().duration_since(modified) {
        Ok(age) => age > ABANDONED,
        Err(ahead) => ahead.duration() > ABANDONED,
    }
}

/// The file's JSON.
#[derive(Default)]
struct Stored {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Loose>,
    obtained_at: Option<Loose>,
}

read_object!(Stored {
    "access_token" => access_token,
    "token_type" => token_type,
    "expires_in" => expires_in,
    "obtained_at" => obtained_at,
});

impl Stored {
    fn of(token: &LongLivedToken) -> Stored {
        let number =
            |time: Duration| Loose::Number(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        let obtained_at = token.obtained_at.duration_since(SystemTime::UNIX_EPOCH);
        Stored {
            access_token: Some(token.token.expose().to_owned()),
            token_type: token.token_type.clone(),
            expires_in: token.expires_in.map(number),
            obtained_at: Some(number(obtained_at.unwrap_or_default())),
        }
    }

    fn into_token(self) -> Option<LongLivedToken> {
        let seconds = |number: &Loose| Some(Duration::from_secs(number.number()?.try_into().ok()?));
        let token = Token::new(&self.access_token?);
        token.check().ok()?;
        let obtained_at = SystemTime::UNIX_EPOCH.checked_add(seconds(&self.obtained_at?)?)?;
        let expires_in = match &self.expires_in {
            Some(number) => Some(seconds(number)?),
            None => None,
        };
        let mut token = LongLivedToken::new(token, expires_in, obtained_at);
        token.token_type = self.token_type;
        Some(token)
    }
}

impl Serialize for Stored {
    fn begin(&self) -> Fragment<'_> {
        let mut entries: Vec<(&'static str, Box<dyn Serialize + '_>)> = Vec::new();
        for (key, text) in [
            ("access_token", &self.access_token),
            ("token_type", &self.token_type),
        ] {
            if let Some(text) = text {
                entries.push((key, Box::new(text)));
            }
        }
        for (key, number) in [
            ("expires_in", &self.expires_in),
            ("obtained_at", &self.obtained_at),
        ] {
            if let Some(number) = number.as_ref().and_then(Loose::number) {
                entries.push((key, Box::new(number)));
            }
        }
        Entries::new(entries).fragment()
    }
}
