//! Reading a body under a limit, and recognising a truncated one.

use crate::error::{Error, ErrorKind, Result};
use crate::http::transport::Response;
use std::io::{self, Read};
use std::mem;

/// The memory reserved for a body before it arrives. Its length is only announced.
const RESERVED: u64 = 256 * 1024;

/// Reads the body, decoded, if it is complete and not longer than `limit` bytes.
pub(crate) fn read_body(response: &mut Response, limit: usize) -> Result<Vec<u8>> {
    let too_large = || {
        let message = format!(
            "the reply exceeds the limit of {limit} bytes: raise it with `with_body_limit`, or use a smaller page size"
        );
        Err(Error::new(ErrorKind::TooLarge, message))
    };
    if matches!(response.status, 204 | 304) {
        return Ok(Vec::new());
    }
    response.decode()?;
    // Unknown if the body is decoded: the decoder compares it.
    let length = response.length();
    if length.is_some_and(|length| length > limit as u64) {
        return too_large();
    }
    let mut body = Vec::with_capacity(length.unwrap_or(0).min(RESERVED) as usize);
    let mut reader = mem::replace(&mut response.body, Box::new(io::empty()));
    let mut piece = [0; 8 * 1024];
    loop {
        // Never beyond its length, whatever the transport does.
        let left = length.map_or(u64::MAX, |length| length - body.len() as u64);
        if left == 0 {
            // The transport must see the end, or it cannot reuse the connection.
            let _ = reader.read(&mut [0]);
            break;
        }
        match reader.by_ref().take(left).read(&mut piece) {
            Ok(0) => break,
            Ok(read) if read > limit - body.len() => return too_large(),
            Ok(read) => body.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(error, body.len() as u64, length)),
        }
    }
    match length {
        Some(length) if (body.len() as u64) < length => Err(truncated(body.len() as u64, length)),
        _ => Ok(body),
    }
}

/// The error for a body that ended after `read` of `length` bytes.
pub(crate) fn truncated(read: u64, length: u64) -> Error {
    let message = format!("the connection ended after {read} of {length} bytes");
    Error::new(ErrorKind::Truncated, message)
}

/// The error for a failed read. An early end is reported with the lengths, whether
/// the transport reports it as a failure or as an end.
pub(crate) fn read_error(error: io::Error, read: u64, length: Option<u64>) -> Error {
    let error = Error::of_body(error);
    match length {
        Some(length) if error.kind() == ErrorKind::Truncated => {
            truncated(read, length).with_source(error)
        }
        _ => error,
    }
}
