//! Secret text that is never printed.

use crate::error::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// The length limit of tokens, client secrets and login codes, in bytes.
const MAX_BYTES: usize = 4096;

/// Secret text, validated on creation and revealed only by `expose`. Cheap to
/// clone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    text: Arc<str>,
    fault: Option<&'static str>,
}

impl Secret {
    /// Trims the text, which often comes from a file or a shell.
    pub(crate) fn new(text: &str) -> Secret {
        let text = text.trim_ascii();
        let fault = if text.is_empty() {
            Some("is empty")
        } else if text.len() > MAX_BYTES {
            Some("is longer than 4096 bytes")
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Some("contains a space, a control character or non-ASCII text")
        } else {
            None
        };
        Secret {
            text: text.into(),
            fault,
        }
    }

    /// The text, if it is valid.
    pub(crate) fn checked(&self, what: &str, advice: &str) -> Result<&str> {
        match self.fault {
            None => Ok(&self.text),
            Some(fault) => Err(Error::invalid(format!("the {what} {fault}: {advice}"))),
        }
    }

    /// The text, to send or to hide.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}
