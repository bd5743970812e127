//! Error messages for failures below HTTP: sockets, name lookup, TLS.

use crate::error::{Error, ErrorKind};
#[cfg(feature = "_tls")]
use crate::timestamp;
#[cfg(feature = "_tls")]
use rustls::{AlertDescription, CertificateError, HandshakeType, PeerIncompatible, PeerMisbehaved};
use std::fs::File;
use std::io;

/// `otherwise` is the message for a cause that has no words here. The system's own words
/// follow it, if there are any.
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
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe => {
            (ErrorKind::ConnectionLost, otherwise)
        }
        K::ConnectionRefused => (
            ErrorKind::Connect,
            "connection refused: check the host and port",
        ),
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::AddrNotAvailable => (
            ErrorKind::Connect,
            "the host is unreachable: check the network",
        ),
        K::PermissionDenied => (
            ErrorKind::Connect,
            "the system does not permit the connection: check the firewall and the sandbox",
        ),
        K::OutOfMemory => (
            ErrorKind::Connect,
            "the system has no memory for the connection",
        ),
        _ if is_out_of_files(&error) => (ErrorKind::Connect, OUT_OF_FILES),
        // Failed lookups have no `ErrorKind` on a stable compiler.
        _ if error.to_string().contains("failed to lookup address") => (
            ErrorKind::Connect,
            match may_lack_files() {
                true => OUT_OF_FILES,
                false => "the host name was not found: check the network and the name",
            },
        ),
        _ if error.raw_os_error().is_some() => {
            let message = format!("{otherwise}: {error}");
            return Error::new(ErrorKind::ConnectionLost, message).with_source(error);
        }
        _ => (ErrorKind::ConnectionLost, otherwise),
    };
    Error::new(kind, message).with_source(error)
}

/// The process or the system has no file descriptor left: `EMFILE` and `ENFILE`, which have
/// no `ErrorKind`. Every Unix has these numbers.
fn is_out_of_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// Whether a file cannot be opened. glibc reports a lookup that could not open its files
/// as an unknown name.
fn may_lack_files() -> bool {
    cfg!(unix) && File::open("/").is_err_and(|error| is_out_of_files(&error))
}

const OUT_OF_FILES: &str =
    "too many files and connections are open: close some, or raise the limit (`ulimit -n`)";

/// std could not start a thread.
pub(super) const NO_THREAD: &str = "the system cannot start another thread";

#[cfg(feature = "_tls")]
pub(super) fn from_tls(error: rustls::Error) -> Error {
    use rustls::Error as T;
    let message = match &error {
        T::InvalidCertificate(why) => certificate(why),
        T::AlertReceived(alert) => from_alert(*alert),
        // The root certificates could not be read.
        #[cfg(feature = "platform-roots")]
        T::General(_) if may_lack_files() => format!("TLS could not be set up: {OUT_OF_FILES}"),
        T::General(why) => format!("TLS could not be set up: {why}"),
        T::FailedToGetCurrentTime => {
            "this machine's clock is before 1970: set it, to verify certificates".to_owned()
        }
        _ => match of_server(&error) {
            Some(reason) => format!("the server {reason}"),
            None => format!("TLS failed: {error}"),
        },
    };
    Error::new(ErrorKind::Tls, message).with_source(error)
}

#[cfg(feature = "_tls")]
fn of_server(error: &rustls::Error) -> Option<&'static str> {
    use rustls::Error as T;
    Some(match error {
        T::NoCertificatesPresented => "sent no certificate",
        T::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => OTHER_VERSION,
        T::PeerIncompatible(_) => NOTHING_IN_COMMON,
        T::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => RENEGOTIATION,
        T::InappropriateHandshakeMessage {
            got_type: HandshakeType::CertificateRequest,
            ..
        } => CLIENT_CERTIFICATE,
        T::InvalidMessage(_) | T::PeerSentOversizedRecord => "does not speak TLS",
        T::DecryptError => "sent data that arrived damaged",
        _ => return None,
    })
}

#[cfg(feature = "_tls")]
const OTHER_VERSION: &str = "supports neither TLS 1.2 nor TLS 1.3";
#[cfg(feature = "_tls")]
const RENEGOTIATION: &str = "asks to renegotiate, which is not supported";
#[cfg(feature = "_tls")]
const CLIENT_CERTIFICATE: &str = "asks for a client certificate, which mingram does not have";
#[cfg(all(feature = "_tls", target_arch = "x86_64"))]
const NOTHING_IN_COMMON: &str =
    "offers nothing that this program supports: TLS 1.2 or 1.3 with AES-GCM, and P-256 or P-384";
#[cfg(all(feature = "_tls", not(target_arch = "x86_64")))]
const NOTHING_IN_COMMON: &str = "offers nothing that this program supports: TLS 1.2 or 1.3 \
     with AES-GCM or ChaCha20-Poly1305, and P-256 or P-384";

/// The reasons of RFC 8446, section 6.2, and what servers mean by them. The alerts that
/// people search for have their names; the numbers are those of the RFC.
#[cfg(feature = "_tls")]
fn from_alert(alert: AlertDescription) -> String {
    use AlertDescription as A;
    let (name, reason) = match alert {
        // A server that asks to renegotiate also sends it, after rustls has declined.
        A::HandshakeFailure => (", handshake_failure", NOTHING_IN_COMMON),
        A::InsufficientSecurity => (", insufficient_security", NOTHING_IN_COMMON),
        A::ProtocolVersion => (", protocol_version", OTHER_VERSION),
        A::UnrecognisedName => (", unrecognized_name", "does not serve this host name"),
        A::CertificateRequired => (", certificate_required", CLIENT_CERTIFICATE),
        // mingram sends no certificate that could be wrong in another way.
        A::NoCertificate
        | A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA => ("", CLIENT_CERTIFICATE),
        A::AccessDenied => (", access_denied", "denies access"),
        A::NoRenegotiation => ("", RENEGOTIATION),
        A::BadRecordMac | A::DecryptionFailed | A::DecryptError => ("", "received damaged data"),
        A::InternalError => (", internal_error", "has an internal error"),
        _ => ("", "objects to what this program sent"),
    };
    let or = match alert {
        A::HandshakeFailure => "; or it asks to renegotiate or for a client certificate",
        _ => "",
    };
    let number = u8::from(alert);
    format!("the server ended TLS (alert {number}{name}): it {reason}{or}")
}

/// Why a certificate is refused. All but the clock is for the server to fix.
#[cfg(feature = "_tls")]
fn certificate(error: &CertificateError) -> String {
    use CertificateError as C;
    let reason = match error {
        C::NotValidYet | C::NotValidYetContext { .. } => return clock("is not valid yet"),
        C::Expired | C::ExpiredContext { .. } => return clock("has expired"),
        C::NotValidForName | C::NotValidForNameContext { .. } => "is for another host name",
        C::UnknownIssuer => "is self-signed or its issuer is not trusted",
        C::BadEncoding => BAD_ENCODING,
        C::BadSignature => {
            "has a wrong signature or an RSA key of fewer than 2048 bits, or its server lacks its key"
        }
        C::Revoked => "has been revoked",
        C::UnknownRevocationStatus
        | C::ExpiredRevocationList
        | C::ExpiredRevocationListContext { .. }
        | C::InvalidOcspResponse => "may have been revoked: there is no valid statement about it",
        C::UnhandledCriticalExtension => CRITICAL_EXTENSION,
        C::UnsupportedSignatureAlgorithmContext { .. } => {
            "is signed with an algorithm that is too weak or not supported: \
             ECDSA and RSA with SHA-256, SHA-384 or SHA-512 are"
        }
        C::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "is signed with a kind of key that is not supported: RSA, P-256 and P-384 are"
        }
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => WRONG_PURPOSE,
        C::Other(other) => match other.0.downcast_ref().and_then(path_error) {
            Some(reason) => reason,
            // The platform verifier's words for it.
            #[cfg(feature = "platform-roots")]
            None if other.0.to_string() == "certificate had invalid extensions" => WRONG_PURPOSE,
            None => return format!("the server's certificate was refused: {}", other.0),
        },
        _ => return format!("the server's certificate was refused: {error}"),
    };
    format!("the server's certificate {reason}")
}

#[cfg(feature = "_tls")]
fn clock(what: &str) -> String {
    format!(
        "the server's certificate {what} according to this machine's clock, which says {}: check the clock first",
        timestamp::date(std::time::SystemTime::now())
    )
}

#[cfg(feature = "_tls")]
const BAD_ENCODING: &str = "is not encoded correctly";
#[cfg(feature = "_tls")]
const CRITICAL_EXTENSION: &str = "has a critical extension that is unknown here";
#[cfg(feature = "_tls")]
const WRONG_PURPOSE: &str = "has another purpose than to identify a server (extended key usage)";

/// The reasons that rustls passes on as they are.
#[cfg(feature = "_tls")]
fn path_error(error: &webpki::Error) -> Option<&'static str> {
    use webpki::Error as W;
    Some(match error {
        W::CaUsedAsEndEntity => "is a certificate authority's, not a server's",
        W::EndEntityUsedAsCa => "was issued with one that is not a certificate authority's",
        W::PathLenConstraintViolated => {
            "has more issuers in between than its authority allows (path length)"
        }
        W::NameConstraintViolation => {
            "is for a name that its authority must not issue it for (name constraints)"
        }
        W::UnsupportedCriticalExtension => CRITICAL_EXTENSION,
        W::EmptyEkuExtension => WRONG_PURPOSE,
        W::UnsupportedCertVersion => "is not of X.509 version 3",
        W::MaximumPathDepthExceeded => "has too many issuers in between",
        W::ExtensionValueInvalid
        | W::InvalidNetworkMaskConstraint
        | W::InvalidSerialNumber
        | W::MalformedDnsIdentifier
        | W::MalformedExtensions
        | W::MalformedNameConstraint
        | W::SignatureAlgorithmMismatch => BAD_ENCODING,
        // `CertDistrusted`, `MaximumSignatureChecksExceeded`: the names say it.
        _ => return None,
    })
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

    /// Those that a server's certificate does not get from rustls's own verifier on Linux;
    /// for the others see `tests/openssl.rs`.
    #[test]
    #[cfg(feature = "_tls")]
    fn reasons_of_other_verifiers() {
        use rustls::{CertificateError as C, OtherError};
        use std::sync::Arc;
        let other = |error: webpki::Error| C::Other(OtherError(Arc::new(error)));
        let text = |text: &str| C::Other(OtherError(Arc::new(io::Error::other(text.to_owned()))));
        for (why, words) in [
            (C::Revoked, "certificate has been revoked"),
            (
                C::UnknownRevocationStatus,
                "certificate may have been revoked",
            ),
            (
                C::UnhandledCriticalExtension,
                "certificate has a critical extension",
            ),
            (C::InvalidPurpose, "certificate has another purpose"),
            #[cfg(feature = "platform-roots")]
            (
                text("certificate had invalid extensions"),
                "certificate has another purpose",
            ),
            (
                text("it is Sunday"),
                "certificate was refused: it is Sunday",
            ),
            (
                C::ApplicationVerificationFailure,
                "certificate was refused: ",
            ),
            (
                other(webpki::Error::CertDistrusted),
                "certificate was refused: CertDistrusted",
            ),
            (
                other(webpki::Error::UnsupportedCertVersion),
                "certificate is not of X.509",
            ),
            (
                other(webpki::Error::InvalidSerialNumber),
                "certificate is not encoded correctly",
            ),
            (
                other(webpki::Error::UnsupportedDeltaCrl),
                "certificate was refused: UnsupportedDeltaCrl",
            ),
        ] {
            let error = from_tls(rustls::Error::InvalidCertificate(why));
            assert_eq!(error.kind(), ErrorKind::Tls);
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("the server's {words}")),
                "{error}"
            );
        }
    }

    #[test]
    #[cfg(feature = "_tls")]
    fn renegotiation_is_no_refusal() {
        for error in [
            PeerMisbehaved::TooManyRenegotiationRequests.into(),
            rustls::Error::AlertReceived(AlertDescription::NoRenegotiation),
            rustls::Error::AlertReceived(AlertDescription::HandshakeFailure),
        ] {
            let message = from_tls(error).to_string();
            assert!(message.contains("asks to renegotiate"), "{message}");
        }
    }
}
