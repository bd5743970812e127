//! What a run has done.

use crate::exit::FAILED;
use crate::output;
use crate::store::failure::Failure;
use miniserde::Serialize;

#[derive(Default, Serialize)]
pub struct Summary {
    pub media: u64,
    pub files: u64,
    pub already_there: u64,
    pub downloaded: u64,
    pub bytes: u64,
    pub complete: bool,
    pub posts: Posts,
    /// With `--check`: files that are as they were recorded.
    pub verified: Verified,
    /// With `--check`: files of which nothing is recorded, while the service does not tell
    /// their length.
    pub unverified: Vec<String>,
    /// Fields that the service refuses.
    pub refused: Vec<String>,
    /// Only with `--dry-run`: what would be downloaded.
    pub wanted: Vec<String>,
    /// Media whose caption or alternative text has changed since the last run, and `profile`.
    pub edited: Vec<String>,
    /// With `--check`: files that were not as they were recorded.
    pub damaged: Vec<String>,
    /// Media that the service gives no file for.
    pub unavailable: Vec<String>,
    pub missing: Vec<Missing>,
    pub error: Option<String>,
}

/// How the posts of the listing ended: the other three add up to `listed`.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Posts {
    pub listed: u64,
    /// With at least one file, and nothing missing.
    pub kept: u64,
    /// The service gives no file for them.
    pub unavailable: u64,
    /// With something missing, however much of them is kept.
    pub missing: u64,
}

#[derive(Default, Serialize)]
pub struct Verified {
    pub files: u64,
    pub bytes: u64,
}

#[derive(Serialize)]
pub struct Missing {
    pub name: String,
    pub reason: String,
}

/// The reason for files that came after the failure that ended the run.
pub const NOT_TRIED: &str = "not tried any more";

impl Summary {
    pub fn miss(&mut self, name: impl Into<String>, reason: impl ToString) {
        let (name, reason) = (name.into(), reason.to_string());
        self.missing.push(Missing { name, reason });
    }

    /// Notes how the run ended. Returns the exit code.
    pub fn end(&mut self, done: &Result<(), Failure>, dry_run: bool) -> u8 {
        let code = match done {
            Err(failure) => failure.code(),
            Ok(()) if self.missing.is_empty() => 0,
            Ok(()) => FAILED,
        };
        self.error = done.as_ref().err().map(Failure::to_string);
        self.complete = code == 0 && !dry_run;
        code
    }

    /// On stderr: what somebody should know.
    pub fn tell(&self) {
        for name in self.unavailable.iter().filter(|_| output::is_verbose()) {
            output::line(&format!("unavailable: {name}"));
        }
        for name in self.unverified.iter().filter(|_| output::is_verbose()) {
            output::line(&format!("not verified: {name}"));
        }
        for name in self.edited.iter().filter(|_| !output::is_quiet()) {
            output::line(&format!("edited: {name}"));
        }
        for name in self.damaged.iter().filter(|_| !output::is_quiet()) {
            output::line(&format!("damaged: {name}"));
        }
        let mut not_tried = 0;
        for Missing { name, reason } in &self.missing {
            match reason == NOT_TRIED {
                true => not_tried += 1,
                false => output::line(&format!("missing: {name}: {reason}")),
            }
        }
        if not_tried > 0 {
            output::line(&format!("missing: {not_tried} more, {NOT_TRIED}"));
        }
        if let Some(error) = &self.error {
            output::error("backup", error);
        }
    }

    pub fn text(&self, dry_run: bool) -> String {
        let names = self.wanted.iter().map(|name| format!("{name}\n"));
        let downloaded = match dry_run {
            true => format!("{} to download", self.wanted.len()),
            false => format!("{} downloaded ({})", self.downloaded, size(self.bytes)),
        };
        let (media, files, there) = (self.media, self.files, self.already_there);
        let missing = self.missing.len();
        let listed = match self.error {
            Some(_) => " before the error",
            None => "",
        };
        let mut end = format!(
            "{media} media{listed}, {files} files: {there} already there, {downloaded}, {missing} missing"
        );
        for (names, what) in [
            (&self.unavailable, "unavailable"),
            (&self.edited, "edited"),
            (&self.damaged, "damaged"),
            (&self.unverified, "not verified"),
        ] {
            if !names.is_empty() {
                end += &format!(", {} {what}", names.len());
            }
        }
        if self.verified.files > 0 {
            let Verified { files, bytes } = self.verified;
            end += &format!(", {files} verified ({})", size(bytes));
        }
        names.chain([end, "\n".to_owned()]).collect()
    }
}

/// Bytes, for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
