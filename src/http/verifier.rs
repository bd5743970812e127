//! Verifies certificates with rustls's own functions and Mozilla's roots.
//!
//! rustls's verifier does the same, but can also check revocation lists, which nobody
//! provides here. On armv7 that is 8 KB of the program.

use super::tls::SIGNATURES;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

#[derive(Debug)]
pub(super) struct Verifier {
    roots: RootCertStore,
}

impl Verifier {
    pub(super) fn new() -> Verifier {
        Verifier {
            roots: RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(certificate)?;
        let signatures = SIGNATURES.all;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            signatures,
        )?;
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &SIGNATURES)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &SIGNATURES)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SIGNATURES.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls::crypto::ring;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::server::{ClientHello, ResolvesServerCert};
    use rustls::sign::CertifiedKey;
    use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
    use std::sync::Arc;
    use std::time::Duration;

    struct Authority(Issuer<'static, KeyPair>, CertificateDer<'static>);

    impl Authority {
        fn new(name: &str) -> Authority {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap().der().clone();
            Authority(Issuer::new(params, key), certificate)
        }

        fn issue(&self, host: &str, key: &KeyPair) -> CertificateDer<'static> {
            let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
            params.signed_by(key, &self.0).unwrap().der().clone()
        }

        fn verifier(&self) -> Verifier {
            let mut roots = RootCertStore::empty();
            roots.add(self.1.clone()).unwrap();
            Verifier { roots }
        }
    }

    #[derive(Debug)]
    struct Always(Arc<CertifiedKey>);

    impl ResolvesServerCert for Always {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(self.0.clone())
        }
    }

    /// A handshake in memory with a server that has this certificate and this key.
    fn handshake(
        version: &'static rustls::SupportedProtocolVersion,
        verifier: Verifier,
        certificate: CertificateDer<'static>,
        key: &KeyPair,
    ) -> Result<(), Error> {
        let provider = Arc::new(ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let key = provider.key_provider.load_private_key(key).unwrap();
        let resolver = Always(Arc::new(CertifiedKey::new(vec![certificate], key)));
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        let client = ClientConfig::builder_with_provider(Arc::new(super::super::tls::provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name)?;
        let mut server = ServerConnection::new(Arc::new(server))?;
        while client.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut &wire[..]).unwrap();
            server.process_new_packets()?;
            wire.clear();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut &wire[..]).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn accepts_what_is_signed_and_refuses_the_rest() {
        use rustls::CertificateError::{BadSignature, NotValidForNameContext, UnknownIssuer};
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let authority = Authority::new("trusted");
            let key = KeyPair::generate().unwrap();
            let certificate = authority.issue("localhost", &key);
            let try_with = |certificate: &CertificateDer<'static>, key: &KeyPair| {
                handshake(version, authority.verifier(), certificate.clone(), key)
            };
            assert_eq!(try_with(&certificate, &key), Ok(()));
            let stranger = Authority::new("stranger").issue("localhost", &key);
            assert_eq!(
                try_with(&stranger, &key),
                Err(Error::InvalidCertificate(UnknownIssuer))
            );
            let other = authority.issue("example.com", &key);
            assert!(matches!(
                try_with(&other, &key),
                Err(Error::InvalidCertificate(NotValidForNameContext { .. }))
            ));
            // The right certificate, without its key.
            assert_eq!(
                try_with(&certificate, &KeyPair::generate().unwrap()),
                Err(Error::InvalidCertificate(BadSignature))
            );
        }
    }

    #[test]
    fn refuses_a_certificate_outside_its_time() {
        let authority = Authority::new("trusted");
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let certificate = params.signed_by(&key, &authority.0).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let at = |seconds| {
            let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            authority
                .verifier()
                .verify_server_cert(certificate.der(), &[], &name, &[], now)
                .is_ok()
        };
        // From 2020-01-01 to 2021-01-01.
        assert!(at(1_577_836_800) && at(1_609_459_200));
        assert!(!at(1_577_836_799) && !at(1_609_459_201));
    }

    #[test]
    fn has_mozillas_roots() {
        assert!(Verifier::new().roots.len() > 100);
    }
}
