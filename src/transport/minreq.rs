//! minreq behind the seam: the only file that names minreq and rustls.
//!
//! What minreq 3.0.0 does that a caller must not see is mended here:
//!
//! - an empty reply, or garbage for a status line, becomes a made-up 503:
//!   told by its reason phrase, and an error here;
//! - of two different lengths the last is taken, and a length beside chunks is
//!   passed over: both are errors here;
//! - a 1xx before the reply is taken for the reply: an error here;
//! - its header cap is 8 KiB: [`HEADERS`] here;
//! - a header line that ends in a bare LF and fills that cap to the byte
//!   panics (`read_metadata` and `read_trailers` subtract two for the line
//!   end) where overflow is checked: caught here, on its thread and on ours.
//!   Without overflow checks the cap is lifted instead, and the timeout is
//!   what ends such a reply;
//! - no timeout unless one is set, and `MINREQ_TIMEOUT` for a default: one is
//!   always set here. Whole seconds only: rounded up;
//! - redirects followed anywhere: none here, the caller decides;
//! - an IPv6 address is cut at its first colon: refused here;
//! - a body that ends early reads as complete: the caller compares the length.

use super::{Method, Request, Response, Transport};
use crate::error::{Error, ErrorKind, Result};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The most that status line and headers may weigh, in bytes. Meta's replies
/// carry large headers, some 4 to 8 KiB.
const HEADERS: usize = 64 * 1024;

/// Longer than any timeout needs to be, and short enough for every clock: a year.
const LONGEST: u64 = 365 * 24 * 3600;

/// The default transport.
#[derive(Debug)]
pub(crate) struct Minreq;

impl Transport for Minreq {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        let https = request
            .url
            .get(..8)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        if https {
            prepare_tls()?;
        }
        if request.url.contains("://[") {
            return Err(Error::invalid(
                "minreq cannot read an IPv6 address: use a host name or IPv4",
            ));
        }
        let method = match request.method {
            Method::Get => ::minreq::Method::Get,
            Method::Post => ::minreq::Method::Post,
        };
        let seconds = request.timeout.as_secs() + u64::from(request.timeout.subsec_nanos() > 0);
        let mut outgoing = ::minreq::Request::new(method, request.url)
            .with_follow_redirects(false)
            .with_max_headers_size(HEADERS)
            .with_max_status_line_length(HEADERS)
            .with_timeout(seconds.clamp(1, LONGEST));
        for (name, value) in request.headers {
            outgoing = outgoing.with_header(*name, *value);
        }
        if let Some(body) = request.body {
            outgoing = outgoing.with_body(body);
        }
        let mut reply = catch_unwind(AssertUnwindSafe(|| outgoing.send_lazy()))
            .unwrap_or_else(|_| Err(::minreq::Error::HeadersOverflow))
            .map_err(from_minreq)?;
        check(&reply)?;
        Ok(Response {
            status: reply.status_code,
            headers: std::mem::take(&mut reply.headers),
            body: Box::new(Body {
                reply,
                failed: false,
            }),
        })
    }
}

/// What minreq passes for a reply and is none.
fn check(reply: &::minreq::ResponseLazy) -> Result<()> {
    let malformed = |message: &str| Err(Error::new(ErrorKind::Malformed, message));
    if reply.status_code == 503 && reply.reason_phrase == "Server did not provide a status line" {
        return Err(Error::new(
            ErrorKind::ConnectionLost,
            "the connection ended without an HTTP reply, or what came was not HTTP",
        ));
    }
    if reply.status_code < 200 {
        return malformed("an interim (1xx) reply came, though none was asked for");
    }
    if reply.status_code > 599 {
        return malformed("the reply has a status that HTTP does not know");
    }
    let of = |name: &'static str| {
        let named = reply
            .headers
            .iter()
            .filter(move |(key, _)| key.trim().eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim())
    };
    let mut lengths = of("content-length");
    let mut chunked = of("transfer-encoding");
    match lengths.next() {
        Some(length) if !length.bytes().all(|byte| byte.is_ascii_digit()) => {
            malformed("the reply's content-length is not a number")
        }
        Some(length) if lengths.any(|other| other != length) => {
            malformed("the reply announces two different lengths")
        }
        Some(_) if chunked.next().is_some() => {
            malformed("the reply announces both a length and chunks")
        }
        None if chunked.any(|coding| !coding.eq_ignore_ascii_case("chunked")) => {
            malformed("the reply has a transfer-encoding other than chunked")
        }
        _ => Ok(()),
    }
}

/// A body that says what failed, and stays failed.
struct Body {
    reply: ::minreq::ResponseLazy,
    failed: bool,
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if buf.is_empty() {
            // minreq asserts that there is something to read.
            return Ok(0);
        }
        let read = catch_unwind(AssertUnwindSafe(|| self.reply.read(buf)))
            .unwrap_or_else(|_| Err(io::Error::other(::minreq::Error::HeadersOverflow)));
        read.map_err(|error| {
            self.failed = true;
            match error.kind() {
                // Plain enough, and the caller has its own words for them.
                io::ErrorKind::TimedOut
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset => error,
                _ => match error.downcast::<::minreq::Error>() {
                    Ok(error) => io::Error::other(from_minreq(error)),
                    Err(error)
                        if error
                            .get_ref()
                            .is_some_and(|inner| inner.is::<std::num::ParseIntError>()) =>
                    {
                        io::Error::other(malformed_chunk().with_source(error))
                    }
                    Err(error) => io::Error::other(from_io(
                        error,
                        "the connection broke while the body was read",
                    )),
                },
            }
        })
    }
}

fn malformed_chunk() -> Error {
    Error::new(
        ErrorKind::Malformed,
        "a chunk of the reply has no valid length",
    )
}

fn from_minreq(error: ::minreq::Error) -> Error {
    use ::minreq::Error as M;
    let (kind, message) = match error {
        M::IoError(error) => return from_io(error, "the connection broke before the reply came"),
        M::HeadersOverflow | M::StatusLineOverflow => (
            ErrorKind::TooLarge,
            "the reply's headers are larger than 64 KiB, or made to break their reader",
        ),
        M::MalformedChunkLength | M::MalformedChunkEnd => {
            return malformed_chunk().with_source(error);
        }
        M::MalformedContentLength => (
            ErrorKind::Malformed,
            "the reply's content-length is not a number",
        ),
        M::InvalidUtf8InResponse => (ErrorKind::Malformed, "the reply's headers are not UTF-8"),
        M::AddressNotFound => (ErrorKind::Connect, "the host's name has no address"),
        M::PunycodeFeatureNotEnabled | M::PunycodeConversionFailed => (
            ErrorKind::InvalidInput,
            "the host's name is not ASCII: write it as punycode",
        ),
        M::HttpsFeatureNotEnabled => return no_tls(),
        #[cfg(any(feature = "https", feature = "platform-roots"))]
        M::RustlsCreateConnection(error) => return from_tls(error),
        _ => (ErrorKind::ConnectionLost, "the request failed"),
    };
    Error::new(kind, message).with_source(error)
}

fn from_io(error: io::Error, otherwise: &str) -> Error {
    use io::ErrorKind as K;
    #[cfg(any(feature = "https", feature = "platform-roots"))]
    let error = match error.downcast::<rustls::Error>() {
        Ok(error) => return from_tls(error),
        Err(error) => error,
    };
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

#[cfg(not(any(feature = "https", feature = "platform-roots")))]
fn prepare_tls() -> Result<()> {
    Err(no_tls())
}

fn no_tls() -> Error {
    Error::invalid(
        "this program was built without TLS, so it cannot use an https address: \
         turn on mingram's feature `https` or `platform-roots`",
    )
}

/// Picks ring where the program has chosen no crypto provider of its own.
/// minreq turns on all of rustls's defaults, so two providers are compiled in
/// and rustls would not choose between them.
#[cfg(any(feature = "https", feature = "platform-roots"))]
fn prepare_tls() -> Result<()> {
    use rustls::crypto::{CryptoProvider, ring};
    if CryptoProvider::get_default().is_none() {
        let provider = CryptoProvider {
            key_provider: &NoKeys,
            ..ring::default_provider()
        };
        // Another thread may have come first; then its choice stands.
        let _ = provider.install_default();
    }
    Ok(())
}

/// Reads no private keys: mingram shows no certificate of its own, and ring's
/// code for signing with one weighs as much as all of mingram.
#[cfg(any(feature = "https", feature = "platform-roots"))]
#[derive(Debug)]
struct NoKeys;

#[cfg(any(feature = "https", feature = "platform-roots"))]
impl rustls::crypto::KeyProvider for NoKeys {
    fn load_private_key(
        &self,
        _: rustls::pki_types::PrivateKeyDer<'static>,
    ) -> std::result::Result<std::sync::Arc<dyn rustls::sign::SigningKey>, rustls::Error> {
        Err(rustls::Error::General(
            "mingram's crypto provider reads no private keys: install another one before the first call".into(),
        ))
    }
}

#[cfg(any(feature = "https", feature = "platform-roots"))]
fn from_tls(error: rustls::Error) -> Error {
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
            "the server's certificate comes from an authority that is not trusted here".to_owned()
        }
        T::InvalidCertificate(_) => "the server's certificate is not acceptable".to_owned(),
        T::InvalidMessage(_) => "what answers there does not speak TLS".to_owned(),
        T::General(_) => "TLS could not be set up".to_owned(),
        _ => "TLS failed".to_owned(),
    };
    Error::new(ErrorKind::Tls, message).with_source(error)
}

/// Days since 1970-01-01 as a date.
#[cfg(any(feature = "https", feature = "platform-roots"))]
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

#[cfg(all(test, any(feature = "https", feature = "platform-roots")))]
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
