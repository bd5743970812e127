//! Which transport an `Api` uses unless told otherwise.

#[cfg(feature = "keep-alive")]
use super::direct::Direct as Inner;
#[cfg(not(feature = "keep-alive"))]
use super::minreq::Minreq as Inner;
use super::transport::{Request, Response, Transport};
use crate::error::Result;
use std::fmt;

/// The transport of an [`Api`](crate::Api) unless you set another.
///
/// By default it is minreq, which opens a new connection for each request. With
/// the feature `keep-alive` it is a client of mingram's own, which reuses connections.
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
