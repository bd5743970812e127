//! The loop: look, update, wait.

use super::newest::Albums;
use super::trouble::{HOUR, Trouble};
use crate::account::sample;
use crate::account::source::Source;
use crate::dates::span;
use crate::store::directory::Directory;
use crate::{exit, output};
use mingram::auth::{LongLivedToken, RefreshOutcome};
use mingram::transport::Clock;
use mingram::{Api, Token};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that is set is not before this: 2026-01-01.
const EARLIEST: u64 = 1_767_225_600;

/// From this percentage of the allowance on, calls are made less often.
const NEAR: u64 = 80;

/// The frame, and what it needs of the world.
pub struct Frame {
    /// Without a token, except for the sample.
    pub api: Api,
    pub source: Source,
    pub folder: Directory,
    pub count: usize,
    pub albums: Albums,
    pub every: Duration,
    pub clock: Arc<dyn Clock>,
    pub stop: Arc<AtomicBool>,
    pub log: Box<dyn Fn(&str)>,
    pub refresh: Refreshing,
    pub memory: Memory,
}

/// What is remembered from look to look.
#[derive(Default)]
pub struct Memory {
    /// Pictures that were deleted by hand come back at the next look.
    pub again: Cell<bool>,
    /// The token of this look, and the one whose account is known to be that of the pictures.
    pub token: RefCell<Option<Token>>,
    pub identified: RefCell<Option<Token>>,
    /// What was said of posts that are not listed, or not available: it is said once.
    pub said: RefCell<BTreeSet<String>>,
}

/// The last refresh of the token, if it failed.
#[derive(Default)]
pub struct Refreshing {
    /// When it failed or was refused: it is tried again an hour later.
    failed: Cell<Option<SystemTime>>,
    /// A new token that could not be written into its file, for example because the disk
    /// is full.
    unsaved: RefCell<Option<LongLivedToken>>,
}

impl Frame {
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Looks again and again until it is stopped.
    pub fn run(&self) {
        let (mut failures, mut waited, mut said) = (0, Duration::ZERO, "");
        while !self.stopped() {
            let mut used = None;
            let looked = self.look(&mut used);
            if self.stopped() {
                break;
            }
            let near = used.filter(|percent| *percent >= NEAR);
            let wait = match looked {
                Ok(()) => {
                    if failures > 0 {
                        let time = span(waited);
                        self.note(&format!("recovered after {time}"));
                    }
                    (failures, waited) = (0, Duration::ZERO);
                    match near {
                        Some(percent) => {
                            let wait = self.every.max(HOUR);
                            let near = "the rate limit is near";
                            if said != near {
                                let time = span(wait);
                                (self.log)(&format!("{near} ({percent} %): looking every {time}"));
                            }
                            said = near;
                            wait
                        }
                        None => {
                            said = "";
                            self.every
                        }
                    }
                }
                Err(trouble) => {
                    let mut wait = trouble.wait(self.every, failures);
                    // Once it is reached, the service says how long to wait.
                    if near.is_some() && trouble.code() != exit::RATE_LIMITED {
                        wait = wait.max(HOUR);
                    }
                    failures += 1;
                    // Not by the clock, which may be set in the meantime.
                    waited += wait;
                    if said != trouble.kind() {
                        said = trouble.kind();
                        let (text, time) = (trouble.text(), span(wait));
                        (self.log)(&format!("{said}: {text}; trying again in {time}"));
                    }
                    wait
                }
            };
            self.clock.sleep(wait);
        }
        self.note("ended");
    }

    /// Brings the directory up to date. Sets the percentage of the allowance that is used if
    /// the service reports it, whether the look succeeds or not.
    pub fn look(&self, used: &mut Option<u64>) -> Result<(), Trouble> {
        if self.clock.now() < UNIX_EPOCH + Duration::from_secs(EARLIEST) {
            return Err(Trouble::ClockNotSet);
        }
        let token = self.token()?;
        *self.memory.token.borrow_mut() = Some(token.clone());
        let api = self.api.clone().with_token(token);
        let done = self.update(&api);
        *used = api.usage().percent();
        done
    }

    /// Logs something that is not trouble.
    pub fn note(&self, line: &str) {
        if !output::is_quiet() {
            (self.log)(line);
        }
    }

    /// Logs what concerns a post or file, once and not at each look.
    pub fn note_once(&self, of: &str, line: &str) {
        if self.memory.said.borrow_mut().insert(of.to_owned()) {
            self.note(line);
        }
    }

    fn token(&self) -> Result<Token, Trouble> {
        let file = match &self.source {
            Source::Given(token) => return Ok(token.clone()),
            Source::File(file) => file,
            Source::Sample => return Ok(sample::TOKEN.into()),
        };
        let stored = file.load().map_err(Trouble::Token)?;
        let mut unsaved = self.refresh.unsaved.borrow_mut();
        // A login since then is newer than it.
        if let Some(token) = unsaved.take_if(|token| token.obtained_at > stored.obtained_at) {
            if file.save(&token).is_err() {
                return Ok(unsaved.insert(token).token.clone());
            }
            self.note("the access token: written into its file");
            return Ok(token.token);
        }
        let now = self.clock.now();
        let failed = self.refresh.failed.get();
        if failed.is_some_and(|failed| now >= failed && now < failed + HOUR) {
            return Ok(stored.token);
        }
        let refresh = file.refresh_if_due(&self.api).map_err(Trouble::Token)?;
        if let RefreshOutcome::SaveFailed(_) = refresh.outcome {
            *unsaved = Some(refresh.token.clone());
        }
        // Logged once, and not every hour.
        let fails = refresh.error().is_some();
        let news =
            matches!(refresh.outcome, RefreshOutcome::Refreshed) || fails && failed.is_none();
        if news {
            (self.log)(&format!("the access token: {}", refresh.outcome));
        }
        let refused = fails || matches!(refresh.outcome, RefreshOutcome::TooYoung);
        self.refresh.failed.set(refused.then_some(now));
        Ok(refresh.token.into())
    }
}
