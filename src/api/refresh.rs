//! The refresh of a long-lived token when it is due.

use super::Api;
use crate::auth::token::LongLivedToken;
use crate::error::Error;
use std::fmt;

/// The result of a refresh: [`LongLivedToken::refresh_if_due`] and
/// [`TokenFile::refresh_if_due`](crate::auth::TokenFile::refresh_if_due).
#[derive(Debug)]
#[must_use = "a failed refresh is reported here: see `Refresh::error`"]
#[non_exhaustive]
pub struct Refresh {
    /// The token to use: the new one if there is one, otherwise the old one.
    pub token: LongLivedToken,
    /// What was done.
    pub outcome: RefreshOutcome,
}

impl Refresh {
    /// Why the token was not refreshed although that was due, or why the new one is not
    /// stored.
    pub fn error(&self) -> Option<&Error> {
        match &self.outcome {
            RefreshOutcome::RefreshFailed(error) | RefreshOutcome::SaveFailed(error) => Some(error),
            _ => None,
        }
    }
}

/// The outcome of a refresh. Its `Display` is one line for a log.
#[derive(Debug)]
#[non_exhaustive]
pub enum RefreshOutcome {
    /// Not due yet: nothing was sent. Or another program has stored a new token in the
    /// meantime.
    NotDue,
    /// The token is less than 24 hours old. Nothing was sent, or the service refused and its
    /// `Date` says so.
    TooYoung,
    /// There is a new token.
    Refreshed,
    /// The refresh failed, and the old token is kept. If
    /// [`is_token_invalid`](Error::is_token_invalid), it is dead, or not a long-lived one: log
    /// in again. Otherwise it may be valid for weeks: try again later.
    RefreshFailed(Error),
    /// The service sent a new token, but it could not be stored in the file. It is in
    /// [`Refresh::token`].
    SaveFailed(Error),
}

impl fmt::Display for RefreshOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefreshOutcome::NotDue => f.write_str("not due for a refresh"),
            RefreshOutcome::TooYoung => {
                f.write_str("too young for a refresh, which requires an age of 24 hours")
            }
            RefreshOutcome::Refreshed => f.write_str("refreshed"),
            RefreshOutcome::RefreshFailed(error) => {
                write!(f, "not refreshed, keeping the old one: {error}")
            }
            RefreshOutcome::SaveFailed(error) => {
                write!(f, "refreshed, but the new one is not stored: {error}")
            }
        }
    }
}

impl LongLivedToken {
    /// Refreshes the token if it is due by
    /// [`refresh_due_at`](LongLivedToken::refresh_due_at) and the clock of `api`. Sends at most
    /// one request, with the settings of `api` and this token. Store the new one.
    ///
    /// Call it as often as you like, for example before each run or once a day. A failed
    /// refresh keeps the old token, which may be valid for weeks: check
    /// [`Refresh::error`].
    ///
    /// # Wrong clocks
    ///
    /// A board without a clock battery may show any time, and a stored time may be wrong. If
    /// the clock is not set (before 2010 or after 2037), more than a day behind
    /// [`obtained_at`](LongLivedToken::obtained_at), or after the expiry, the service is
    /// asked for a refresh. It grants one only for a token that is 24 hours old and not
    /// expired, so a grant shows which of the clock, the `Date` header and the stored time is
    /// right; the new `obtained_at` is dated by it. A clock that is wrong but possible, such
    /// as one that stands still within the token's life, is not noticed.
    pub fn refresh_if_due(&self, api: &Api) -> Refresh {
        match self.is_due(api.now()) {
            true => self.request_refresh(api),
            false => self.with_outcome(RefreshOutcome::NotDue),
        }
    }

    /// Like [`refresh_if_due`](LongLivedToken::refresh_if_due), but refreshes even if the
    /// token is not due. A token less than 24 hours old is
    /// [`TooYoung`](RefreshOutcome::TooYoung): nothing is sent.
    pub fn refresh(&self, api: &Api) -> Refresh {
        match self.is_young(api.now()) {
            true => self.with_outcome(RefreshOutcome::TooYoung),
            false => self.request_refresh(api),
        }
    }

    fn request_refresh(&self, api: &Api) -> Refresh {
        let api = api.clone().with_token(self.token.clone());
        match api.refresh_token_at(&|now, date| self.granted_at(now, date)) {
            Ok(token) => Refresh {
                token,
                outcome: RefreshOutcome::Refreshed,
            },
            Err(error) => self.with_outcome(match error.date() {
                Some(date) if error.is_token_invalid() && self.is_young(date) => {
                    RefreshOutcome::TooYoung
                }
                _ => RefreshOutcome::RefreshFailed(error),
            }),
        }
    }

    fn with_outcome(&self, outcome: RefreshOutcome) -> Refresh {
        let token = self.clone();
        Refresh { token, outcome }
    }
}
