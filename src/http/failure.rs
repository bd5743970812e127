//! Error messages for failures below HTTP: sockets, name lookup, TLS.

use crate::error::{Error, ErrorKind};
#[cfg(feature = "_tls")]
use crate::timestamp;
use std::io;

pub(super) fn from_io(error: io::Error, otherwise: &str) -> Error {
    use io::ErrorKind as K;
    #[cfg(feature = "_tls")]
    let error = match error.downcast::<rustls::Error>() {
        Ok(error) => return from_tls(error),
        Err(error) => error,
    };
    #[cfg(feature = "_tls")]
    if error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::pki_types::InvalidDnsNameError>())
    {
        return Error::invalid("the URL's host is not a valid host name").with_source(error);
    }
    let (kind, message) = match error.kind() {
        K::TimedOut | K::WouldBlock => (ErrorKind::Timeout, "the call timed out"),
        K::ConnectionRefused => (
            ErrorKind::Connect,
            "connection refused: check the host and port",
        ),
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::AddrNotAvailable => (
            ErrorKind::Connect,
            "the host is unreachable: check the network",
        ),
        // Failed lookups have no `ErrorKind` on a stable compiler.
        _ if error.to_string().contains("failed to lookup address") => (
            ErrorKind::Connect,
            "the host name was not found: check the network and the name",
        ),
        _ => (ErrorKind::ConnectionLost, otherwise),
    };
    Error::new(kind, message).with_source(error)
}

/// std could not start a thread.
pub(super) const NO_THREAD: &str = "the system cannot start another thread";

#[cfg(feature = "_tls")]
pub(super) fn from_tls(error: rustls::Error) -> Error {
    use rustls::{CertificateError as C, Error as T};
    let clock = |what: &str| {
        format!(
            "the server's certificate {what} according to this machine's clock, which says {}: check the clock first",
            timestamp::date(std::time::SystemTime::now())
        )
    };
    let message = match &error {
        T::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            clock("is not valid yet")
        }
        T::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => clock("has expired"),
        T::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "the server's certificate is for another host name".to_owned()
        }
        T::InvalidCertificate(C::UnknownIssuer) => {
            "the server's certificate is self-signed or its issuer is not trusted".to_owned()
        }
        T::InvalidCertificate(_) => "the server's certificate is invalid".to_owned(),
        T::InvalidMessage(_) => "the server does not speak TLS".to_owned(),
        T::AlertReceived(_) | T::PeerIncompatible(_) => {
            "the server refused the TLS connection, or offers nothing that this program supports: \
             TLS 1.2 or 1.3 with AES-GCM, and P-256 or P-384"
                .to_owned()
        }
        T::General(_) => "TLS could not be set up".to_owned(),
        _ => "TLS failed".to_owned(),
    };
    Error::new(ErrorKind::Tls, message).with_source(error)
}
