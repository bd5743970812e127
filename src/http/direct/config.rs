//! The TLS configuration: mingram's crypto provider, and which root certificates are trusted.

use crate::error::{Error, Result};
use crate::http::tls::{from_tls, provider};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use std::sync::Arc;

/// The roots of the feature: the machine's, or Mozilla's.
pub(super) fn built_in() -> Result<Arc<ClientConfig>> {
    let builder = builder()?;
    #[cfg(feature = "platform-roots")]
    let builder = rustls_platform_verifier::BuilderVerifierExt::with_platform_verifier(builder)
        .map_err(from_tls)?;
    #[cfg(not(feature = "platform-roots"))]
    let builder = builder.with_root_certificates(mozillas_roots());
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// These roots and no other: see
/// [`DefaultTransport::with_roots`](crate::transport::DefaultTransport::with_roots).
pub(super) fn with_roots(certificates: &[u8]) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for (at, certificate) in read(certificates)?.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| {
            let at = at + 1;
            Error::invalid(format!(
                "root certificate {at} is not a certificate: pass PEM, or one certificate as DER"
            ))
            .with_source(error)
        })?;
    }
    let builder = builder()?.with_root_certificates(roots);
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// With this provider, whatever the process default is.
fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(from_tls)
}

#[cfg(not(feature = "platform-roots"))]
fn mozillas_roots() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

/// The certificates of a PEM text, all of them, or what may be one as DER.
fn read(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let text = String::from_utf8_lossy(bytes);
    if !text.contains("-----BEGIN ") {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    // The parser ignores a section that does not begin at the start of a line.
    let announced = text.matches("-----BEGIN CERTIFICATE-----").count();
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let problem = match read {
        Ok(read) if read.len() == announced && announced > 0 => return Ok(read),
        Ok(_) if announced == 0 => {
            "there is none in this PEM text (`BEGIN CERTIFICATE`)".to_owned()
        }
        Ok(_) => "a certificate does not begin at the start of a line".to_owned(),
        Err(error) => format!("the PEM text is damaged: {error}"),
    };
    Err(Error::invalid(format!(
        "the root certificates cannot be read: {problem}"
    )))
}

#[cfg(all(test, not(feature = "platform-roots")))]
mod tests {
    #[test]
    fn mozillas_roots_are_there() {
        assert!(super::mozillas_roots().len() > 100);
    }
}
