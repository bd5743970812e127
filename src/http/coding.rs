//! Content codings: what requests ask for, and what is read.

use super::transport::Response;
#[cfg(feature = "gzip")]
use super::{gzip::Gzip, transport::check_lengths};
use crate::error::{Error, ErrorKind, Result};

/// What is accepted if the reply must not be compressed.
pub(crate) const IDENTITY: &str = "identity";

/// What calls that read data accept.
pub(crate) const OF_CALLS: &str = if cfg!(feature = "gzip") {
    "gzip"
} else {
    IDENTITY
};

/// The longest list of codings that a message repeats, in bytes.
const MAX_SHOWN: usize = 32;

/// Refuses a compressed body. For files: their length and their parts are those of the
/// bytes sent.
pub(crate) fn check_identity(response: &Response) -> Result<()> {
    let codings = codings(&response.headers);
    match codings.is_empty() {
        true => Ok(()),
        false => Err(refused(&codings, "")),
    }
}

impl Response {
    /// Removes the compression of the body, if it has one: then the body reads as the
    /// decoded bytes, and the headers have no `Content-Encoding` and no `Content-Length`.
    ///
    /// For a [`Transport`](crate::transport::Transport) that wraps another one and looks at
    /// bodies, to record or to cache them. There is no need to call it otherwise: mingram
    /// decodes what a transport returns. With the feature `gzip` it reads the coding gzip;
    /// the codings `identity` and `none` change nothing.
    ///
    /// # Errors
    ///
    /// [`Malformed`](ErrorKind::Malformed) for another coding, without the feature `gzip`, or
    /// if the lengths contradict each other. The response is unchanged then.
    pub fn decode(&mut self) -> Result<()> {
        let codings = codings(&self.headers);
        if codings.is_empty() || matches!(self.status, 204 | 304) {
            return Ok(());
        }
        let is_gzip = ["gzip", "x-gzip"]
            .iter()
            .any(|name| codings.eq_ignore_ascii_case(name));
        #[cfg(feature = "gzip")]
        if is_gzip {
            // They are removed, so nobody else can.
            check_lengths(&self.headers)?;
            let length = self.length();
            let body = std::mem::replace(&mut self.body, Box::new(std::io::empty()));
            self.body = Box::new(Gzip::new(body, length));
            remove_coding(&mut self.headers);
            return Ok(());
        }
        let advice = match is_gzip {
            true => "; mingram's feature `gzip` reads it",
            false => "",
        };
        Err(refused(&codings, advice))
    }
}

/// The codings of a body in the order in which they were applied, as a list. `identity`
/// changes nothing (RFC 9110, section 8.4.1). Neither does `none`, which is not registered:
/// servers send it to say that nothing is compressed, and curl reads it so.
pub(super) fn codings(headers: &[(String, String)]) -> String {
    let mut codings = String::new();
    for (name, value) in headers {
        if !name.eq_ignore_ascii_case("content-encoding") {
            continue;
        }
        for coding in value.split(',').map(str::trim_ascii) {
            let plain = ["", IDENTITY, "none"];
            if !plain.iter().any(|name| coding.eq_ignore_ascii_case(name)) {
                let comma = if codings.is_empty() { "" } else { ", " };
                codings = codings + comma + coding;
            }
        }
    }
    codings
}

/// Removes the headers that describe an encoded body.
pub(super) fn remove_coding(headers: &mut Vec<(String, String)>) {
    let described = ["content-encoding", "content-length"];
    headers.retain(|(name, _)| !described.iter().any(|of| name.eq_ignore_ascii_case(of)));
}

/// Names them, if they can be names.
fn refused(codings: &str, advice: &str) -> Error {
    let is_name = |name: &str| {
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        name.bytes().all(of_name)
    };
    let is_shown = codings.len() <= MAX_SHOWN && codings.split(", ").all(is_name);
    let shown = if is_shown { codings } else { "unknown coding" };
    let message = format!("the reply is compressed ({shown}), which was not requested{advice}");
    Error::new(ErrorKind::Malformed, message)
}
