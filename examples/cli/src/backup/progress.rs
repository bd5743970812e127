//! The line of progress, if there is a terminal to draw it on.

use super::summary::size;
use crate::dates::span;
use crate::output;
use std::cell::Cell;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often the line is drawn.
const INTERVAL: Duration = Duration::from_millis(100);

pub struct Progress {
    is_shown: bool,
    begun: Instant,
    known: Mutex<Known>,
}

/// What was received, and what is known of what is to come.
struct Known {
    drawn: Option<Instant>,
    /// The posts so far, while they are listed.
    listed: Option<u64>,
    files: u64,
    done: u64,
    /// Files whose length is not known yet.
    waiting: u64,
    bytes: u64,
    /// Bytes to come of the files that have begun.
    left: u64,
}

impl Known {
    /// Bytes to come of all files: one that has not begun counts as long as those that
    /// have are on average.
    fn to_come(&self) -> u64 {
        let begun = (self.files - self.waiting).max(1);
        self.left.saturating_add(
            self.waiting
                .saturating_mul(self.bytes.saturating_add(self.left) / begun),
        )
    }

    fn text(&self, time: Duration) -> String {
        let (done, files, bytes) = (self.done, self.files, self.bytes);
        let rate = bytes as f64 / time.as_secs_f64().max(0.1);
        let (received, per_second) = (size(bytes), size(rate as u64));
        let text = format!("{done}/{files} files, {received}, {per_second}/s");
        if let Some(listed) = self.listed {
            return match files {
                0 => format!("listing… {listed}"),
                _ => text + &format!(", listing… {listed}"),
            };
        }
        // The first second says little.
        if time < Duration::from_secs(1) || bytes == 0 {
            return text;
        }
        let seconds = (self.to_come() as f64 / rate).ceil().min(1e9);
        format!("{text}, {} left", span(Duration::from_secs(seconds as u64)))
    }
}

impl Progress {
    pub fn new() -> Progress {
        Progress {
            is_shown: output::shows_progress(),
            begun: Instant::now(),
            known: Mutex::new(Known {
                drawn: None,
                listed: Some(0),
                files: 0,
                done: 0,
                waiting: 0,
                bytes: 0,
                left: 0,
            }),
        }
    }

    /// Another post is listed. Every tenth is shown at once.
    pub fn listed(&self) {
        self.note(|known| {
            let listed = known.listed.map_or(0, |listed| listed + 1);
            known.listed = Some(listed);
            if listed % 10 == 0 {
                known.drawn = None;
            }
        });
    }

    /// No more posts are listed.
    pub fn list_ended(&self) {
        self.note(|known| known.listed = None);
    }

    /// Another file is to come.
    pub fn expect(&self) {
        self.note(|known| {
            known.files += 1;
            known.waiting += 1;
        });
    }

    pub fn file(&self) -> FileProgress<'_> {
        FileProgress {
            progress: self,
            left: Cell::new(None),
        }
    }

    /// Notes something, and draws.
    fn note(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.known.lock().unwrap();
        change(&mut known);
        if self.is_shown && known.drawn.is_none_or(|drawn| drawn.elapsed() >= INTERVAL) {
            known.drawn = Some(Instant::now());
            output::progress(&known.text(self.begun.elapsed()));
        }
    }
}

/// One file's part, until it is dropped.
pub struct FileProgress<'a> {
    progress: &'a Progress,
    /// Bytes to come, once they are known.
    left: Cell<Option<u64>>,
}

impl FileProgress<'_> {
    pub fn begin(&self, bytes: u64) {
        let before = self.left.replace(Some(bytes));
        self.progress.note(|known| {
            known.waiting -= u64::from(before.is_none());
            known.left = known.left.saturating_sub(before.unwrap_or_default());
            known.left = known.left.saturating_add(bytes);
        });
    }

    pub fn piece(&self, bytes: u64) {
        let left = self.left.get().unwrap_or_default();
        let less = left.min(bytes);
        self.left.set(Some(left - less));
        self.progress.note(|known| {
            known.bytes += bytes;
            known.left = known.left.saturating_sub(less);
        });
    }
}

impl Drop for FileProgress<'_> {
    fn drop(&mut self) {
        self.progress.note(|known| {
            known.done += 1;
            known.waiting -= u64::from(self.left.get().is_none());
            let left = self.left.get().unwrap_or_default();
            known.left = known.left.saturating_sub(left);
        });
    }
}
