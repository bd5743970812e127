//! Content codings: what requests ask for, and what is read.

use super::transport::Response;
use crate::error::{Error, ErrorKind, Result};

/// What requests accept: no compression.
pub(crate) const IDENTITY: &str = "identity";

/// The longest list of codings that a message repeats, in bytes.
const MAX_SHOWN: usize = 32;

/// Refuses a compressed body.
pub(crate) fn check_identity(response: &Response) -> Result<()> {
    let codings = codings(response);
    match codings.is_empty() {
        true => Ok(()),
        false => Err(refused(&codings)),
    }
}

/// The codings of a body in the order in which they were applied, as a list. `identity`
/// changes nothing (RFC 9110, section 8.4.1). Neither does `none`, which is not registered:
/// servers send it to say that nothing is compressed, and curl reads it so.
fn codings(response: &Response) -> String {
    let mut codings = String::new();
    for (name, value) in &response.headers {
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

/// Names them, if they can be names.
fn refused(codings: &str) -> Error {
    let is_name = |name: &str| {
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        name.bytes().all(of_name)
    };
    let is_shown = codings.len() <= MAX_SHOWN && codings.split(", ").all(is_name);
    let shown = if is_shown { codings } else { "unknown coding" };
    let message = format!("the reply is compressed ({shown}), which was not requested");
    Error::new(ErrorKind::Malformed, message)
}
