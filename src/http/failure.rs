//! Error messages for failures of sockets and name lookup.

use super::system::{OUT_OF_FILES, is_out_of_files, may_lack_files};
use super::tls;
use crate::error::{Error, ErrorKind};
use std::io;

/// `otherwise` is the message for a cause that has no words here. The system's own words
/// follow it, if there are any.
pub(super) fn from_io(error: io::Error, otherwise: &str) -> Error {
    use io::ErrorKind as K;
    let error = match tls::of_io(error) {
        Ok(error) => return error,
        Err(error) => error,
    };
    if let Some((kind, message)) = reason(&error) {
        return Error::new(kind, message).with_source(error);
    }
    let message = match error.kind() {
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe => otherwise.to_owned(),
        _ if error.raw_os_error().is_none() => otherwise.to_owned(),
        _ => format!("{otherwise}: {error}"),
    };
    Error::new(ErrorKind::ConnectionLost, message).with_source(error)
}

/// The error of a body that cannot be read on. The client has its own messages for those that
/// stay as they are.
pub(super) fn of_body(error: io::Error) -> io::Error {
    use io::ErrorKind as K;
    match error.kind() {
        K::TimedOut | K::UnexpectedEof | K::ConnectionReset => error,
        _ if error.get_ref().is_some_and(|inner| inner.is::<Error>()) => error,
        _ => io::Error::other(from_io(
            error,
            "the connection broke while reading the body",
        )),
    }
}

pub(super) fn malformed_chunk() -> Error {
    let message = "a chunk of the reply has no valid size";
    Error::new(ErrorKind::Malformed, message)
}

/// The causes that have words here.
fn reason(error: &io::Error) -> Option<(ErrorKind, &'static str)> {
    use io::ErrorKind as K;
    let message = match error.kind() {
        K::TimedOut | K::WouldBlock => return Some((ErrorKind::Timeout, "the call timed out")),
        K::ConnectionRefused => "connection refused: check the host and port",
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::AddrNotAvailable => {
            "the host is unreachable: check the network"
        }
        K::PermissionDenied => {
            "the system does not permit the connection: check the firewall and the sandbox"
        }
        K::OutOfMemory => "the system has no memory for the connection",
        _ if is_out_of_files(error) => OUT_OF_FILES,
        // Failed lookups have no `ErrorKind` on a stable compiler.
        _ if error.to_string().contains("failed to lookup address") => match may_lack_files() {
            true => OUT_OF_FILES,
            false => "the host name was not found: check the network and the name",
        },
        _ => return None,
    };
    Some((ErrorKind::Connect, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_systems_reasons() {
        use ErrorKind::{Connect, ConnectionLost, Timeout};
        for (number, kind, words) in [
            (24, Connect, "too many files and connections are open"), // EMFILE
            (23, Connect, "too many files and connections are open"), // ENFILE
            (1, Connect, "the system does not permit"),               // EPERM
            (13, Connect, "the system does not permit"),              // EACCES
            (12, Connect, "the system has no memory"),                // ENOMEM
            (113, Connect, "the host is unreachable"),                // EHOSTUNREACH
            (111, Connect, "connection refused"),                     // ECONNREFUSED
            (110, Timeout, "the call timed out"),                     // ETIMEDOUT
            (104, ConnectionLost, "it broke"),                        // ECONNRESET
            (97, ConnectionLost, "it broke: Address family not"),     // EAFNOSUPPORT
            (105, ConnectionLost, "it broke: No buffer space"),       // ENOBUFS
        ] {
            let error = from_io(io::Error::from_raw_os_error(number), "it broke");
            assert_eq!(error.kind(), kind, "{number}: {error}");
            assert!(error.to_string().starts_with(words), "{number}: {error}");
            assert!(error.is_transient());
        }
        let error = from_io(io::ErrorKind::UnexpectedEof.into(), "it broke");
        assert_eq!(error.to_string(), "it broke");
    }
}
