//! Secrets that never print.

use crate::error::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// No token, secret or code is longer, in bytes.
const LONGEST: usize = 4096;

/// Text that is checked once, when it is made, and shown by nothing but
/// `expose`. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    text: Arc<str>,
    fault: Option<&'static str>,
}

impl Secret {
    /// White space around it is taken off: it comes from files and shells.
    pub(crate) fn new(text: &str) -> Secret {
        let text = text.trim_ascii();
        let fault = if text.is_empty() {
            Some("is empty")
        } else if text.len() > LONGEST {
            Some("is longer than 4096 bytes")
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Some("holds a space, a control character or something not ASCII")
        } else {
            None
        };
        Secret {
            text: text.into(),
            fault,
        }
    }

    /// The text, if it can be what it is said to be.
    pub(crate) fn checked(&self, what: &str, advice: &str) -> Result<&str> {
        match self.fault {
            None => Ok(&self.text),
            Some(fault) => Err(Error::invalid(format!("the {what} {fault}: {advice}"))),
        }
    }

    /// The text as it is, to send or to mask.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}
