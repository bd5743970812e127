//! What goes wrong below HTTP, in words: the one file that reads rustls's errors.

use crate::error::{Error, ErrorKind};
use std::any::Any;
use std::io;

pub(super) fn from_io(error: io::Error, otherwise: &str) -> Error {
    use io::ErrorKind as K;
    #[cfg(any(feature = "https", feature = "platform-roots", feature = "keep-alive"))]
    let error = match error.downcast::<rustls::Error>() {
        Ok(error) => return from_tls(error),
        Err(error) => error,
    };
    #[cfg(any(feature = "https", feature = "platform-roots", feature = "keep-alive"))]
    if error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::pki_types::InvalidDnsNameError>())
    {
        return Error::invalid("the host of the address is no valid host name").with_source(error);
    }
    let (kind, message) = match error.kind() {
        K::TimedOut | K::WouldBlock => (ErrorKind::Timeout, "the time for this call ran out"),
        K::ConnectionRefused => (
            ErrorKind::Connect,
            "nobody answers at that address and port",
        ),
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::AddrNotAvailable => (
            ErrorKind::Connect,
            "the host cannot be reached: check the network",
        ),
        // The resolver's failures have no kind of their own on a stable compiler.
        _ if error.to_string().contains("failed to lookup address") => (
            ErrorKind::Connect,
            "the host's name was not found: check the network and the name",
        ),
        _ => (ErrorKind::ConnectionLost, otherwise),
    };
    Error::new(kind, message).with_source(error)
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or_default()
}

/// A panic inside the HTTP library; its text is not passed on, for nobody knows
/// what is in it. std panics where the system has no thread to give.
pub(super) fn from_panic(text: &str) -> Error {
    let message = match text.contains("failed to spawn thread") {
        true => "the system has no thread left for this call",
        false => "the HTTP library panicked",
    };
    Error::new(ErrorKind::ConnectionLost, message)
}

#[cfg(any(feature = "https", feature = "platform-roots", feature = "keep-alive"))]
pub(super) fn from_tls(error: rustls::Error) -> Error {
    use rustls::{CertificateError as C, Error as T};
    let clock = |what: &str| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let days = now.unwrap_or_default().as_secs() / 86_400;
        format!(
            "the server's certificate {what}, by this machine's clock, which stands at {}: check the clock first",
            date(days)
        )
    };
    let message = match &error {
        T::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            clock("is not valid yet")
        }
        T::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => clock("has expired"),
        T::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "the server's certificate is for another name".to_owned()
        }
        T::InvalidCertificate(C::UnknownIssuer) => {
            "the server's certificate comes from an authority that is not trusted here, or is signed by itself".to_owned()
        }
        T::InvalidCertificate(_) => "the server's certificate is not acceptable".to_owned(),
        T::InvalidMessage(_) => "what answers there does not speak TLS".to_owned(),
        T::AlertReceived(_) | T::PeerIncompatible(_) => {
            "the server refused the TLS connection, or speaks none of its versions known here"
                .to_owned()
        }
        T::General(_) => "TLS could not be set up".to_owned(),
        _ => "TLS failed".to_owned(),
    };
    Error::new(ErrorKind::Tls, message).with_source(error)
}

/// Days since 1970-01-01 as a date.
#[cfg(any(feature = "https", feature = "platform-roots", feature = "keep-alive"))]
fn date(days: u64) -> String {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 {
        (month + 3, year)
    } else {
        (month - 9, year + 1)
    };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year)
}

#[cfg(all(
    test,
    any(feature = "https", feature = "platform-roots", feature = "keep-alive")
))]
mod tests {
    #[test]
    fn dates() {
        for (days, date) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_780, "2026-11-23"),
        ] {
            assert_eq!(super::date(days), date);
        }
    }
}
