//! Which transport an `Api` uses unless told otherwise.

use super::Inner;
use super::transport::{Request, Response, Transport};
use crate::error::Result;
use std::fmt;

/// The transport of an [`Api`](crate::Api) unless you set another.
///
/// | features | transport | root certificates |
/// |---|---|---|
/// | none | minreq, plain http to a loopback address only | |
/// | `https` (default) | minreq | Mozilla's |
/// | `platform-roots` | minreq | the machine's |
/// | `keep-alive`, also with `https` | mingram's own | Mozilla's |
/// | `platform-roots` with `https` or `keep-alive` | mingram's own | the machine's |
///
/// minreq opens a new connection for each request. mingram's own client reuses connections.
/// It is also used for `platform-roots` with `https`, because minreq takes no configuration
/// and would use Mozilla's roots then.
///
/// It is public so that your own transport can wrap it, to count, log or record
/// requests:
///
/// ```no_run
/// use mingram::transport::{DefaultTransport, Request, Response, Transport};
/// use mingram::{Api, Result};
///
/// struct Timed<T>(T);
///
/// impl<T: Transport> Transport for Timed<T> {
///     fn send(&self, request: &Request<'_>) -> Result<Response> {
///         let start = std::time::Instant::now();
///         let response = self.0.send(request);
///         eprintln!("{} ms", start.elapsed().as_millis());
///         response
///     }
/// }
///
/// let api = Api::new("IGQVJ...").with_transport(Timed(DefaultTransport::default()));
/// ```
#[derive(Default)]
pub struct DefaultTransport(Inner);

#[cfg(any(
    feature = "keep-alive",
    all(feature = "https", feature = "platform-roots")
))]
impl DefaultTransport {
    /// Trusts these root certificates and no other: those of a company whose proxy reads
    /// what its network sends, or of a test server. Default: the table above.
    ///
    /// `certificates` is the content of a file: PEM with one certificate or more, other
    /// sections and text between them ignored; or one certificate in DER. The certificate
    /// of a server that signed it itself can be one of them, if it does not claim to be an
    /// authority's. The time in a root certificate is not checked.
    ///
    /// Only with mingram's own client, so with the feature `keep-alive`, or with
    /// `platform-roots` and `https`: minreq takes no configuration.
    ///
    /// ```no_run
    /// use mingram::Api;
    /// use mingram::transport::DefaultTransport;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let roots = std::fs::read("/etc/ssl/company.pem")?;
    /// let api = Api::new("IGQVJ...").with_transport(DefaultTransport::with_roots(roots)?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if there is no certificate, or if one
    /// of them cannot be read.
    pub fn with_roots(certificates: impl AsRef<[u8]>) -> Result<DefaultTransport> {
        Inner::with_roots(certificates.as_ref()).map(DefaultTransport)
    }
}

impl Transport for DefaultTransport {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        self.0.send(request)
    }
}

impl fmt::Debug for DefaultTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultTransport").finish_non_exhaustive()
    }
}
