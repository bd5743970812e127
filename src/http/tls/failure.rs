//! Error messages for failures of TLS.

use crate::error::{Error, ErrorKind};
#[cfg(feature = "platform-roots")]
use crate::http::system::{OUT_OF_FILES, may_lack_files};
use crate::timestamp;
use rustls::pki_types::InvalidDnsNameError;
use rustls::{AlertDescription, CertificateError, HandshakeType, PeerIncompatible, PeerMisbehaved};
use std::io;

/// The error for a failure of TLS. Any other is returned as it is.
pub(in crate::http) fn of_io(error: io::Error) -> Result<Error, io::Error> {
    let error = match error.downcast::<rustls::Error>() {
        Ok(error) => return Ok(from_tls(error)),
        Err(error) => error,
    };
    let inner = error.get_ref();
    match inner.is_some_and(|inner| inner.is::<InvalidDnsNameError>()) {
        true => Ok(Error::invalid("the URL's host is not a valid host name").with_source(error)),
        false => Err(error),
    }
}

pub(in crate::http) fn from_tls(error: rustls::Error) -> Error {
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

const OTHER_VERSION: &str = "supports neither TLS 1.2 nor TLS 1.3";
const RENEGOTIATION: &str = "asks to renegotiate, which is not supported";
const CLIENT_CERTIFICATE: &str = "asks for a client certificate, which mingram does not have";
#[cfg(target_arch = "x86_64")]
const NOTHING_IN_COMMON: &str =
    "offers nothing that this program supports: TLS 1.2 or 1.3 with AES-GCM, and P-256 or P-384";
#[cfg(not(target_arch = "x86_64"))]
const NOTHING_IN_COMMON: &str = "offers nothing that this program supports: TLS 1.2 or 1.3 \
     with AES-GCM or ChaCha20-Poly1305, and P-256 or P-384";

/// The reasons of RFC 8446, section 6.2, and what servers mean by them. The alerts that
/// people search for have their names; the numbers are those of the RFC.
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

fn clock(what: &str) -> String {
    format!(
        "the server's certificate {what} according to this machine's clock, which says {}: check the clock first",
        timestamp::date(std::time::SystemTime::now())
    )
}

const BAD_ENCODING: &str = "is not encoded correctly";
const CRITICAL_EXTENSION: &str = "has a critical extension that is unknown here";
const WRONG_PURPOSE: &str = "has another purpose than to identify a server (extended key usage)";

/// The reasons that rustls passes on as they are.
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

    /// Those that a server's certificate does not get from rustls's own verifier on Linux;
    /// for the others see `tests/openssl.rs`.
    #[test]
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
