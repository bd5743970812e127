//! The crypto provider.
//!
//! rustls's own contains code that no client of this API needs. This one is assembled from the
//! same parts of ring, without Ed25519, QUIC and private keys. Every field is set, because
//! `..ring::default_provider()` would link all of it. Nothing here needs the rest of mingram:
//! tests/peers/lean-floor measures it alone.

use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::crypto::ring::{cipher_suite as suite, kx_group as group};
use rustls::crypto::{
    CipherSuiteCommon, CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom,
    WebPkiSupportedAlgorithms,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{Error, SignatureScheme, SupportedCipherSuite, Tls13CipherSuite};
use std::sync::Arc;
use webpki::ring as verify;

/// TLS 1.3 and 1.2; P-256 and P-384; certificates signed with ECDSA on these curves or
/// with RSA of at least 2048 bits.
///
/// Without X25519, which would add 16 to 40 KB: TLS 1.3 obliges every server to support
/// P-256 (RFC 8446, section 9.1), and ring needs it for signatures anyway.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: cipher_suites(),
        kx_groups: vec![group::SECP256R1, group::SECP384R1],
        signature_verification_algorithms: SIGNATURES,
        secure_random: &Ring,
        key_provider: &Ring,
    }
}

/// The fastest first: most servers choose the first suite that they support.
fn cipher_suites() -> Vec<SupportedCipherSuite> {
    match has_aes() {
        true => [AES, CHACHA20].concat(),
        false => [CHACHA20, AES].concat(),
    }
}

/// Whether the processor has the instructions that AES-GCM is fast with: for AES, and for
/// carry-less multiplication, which std includes in `aes` on aarch64. On 32-bit ARM only
/// an ARMv8 processor has them, and stable Rust cannot ask. ring uses none on the others.
fn has_aes() -> bool {
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(target_arch = "x86")]
    return std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86")))]
    cfg!(target_arch = "x86_64")
}

/// ring on a Cortex-A7 encrypts 9.2 MB/s with AES-128 and 8.0 MB/s with AES-256.
const AES: &[SupportedCipherSuite] = &[
    SupportedCipherSuite::Tls13(&AES_128),
    SupportedCipherSuite::Tls13(&AES_256),
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];

/// ring on a Cortex-A7 encrypts 98 MB/s with it. Not on x86-64: it would add 55,088 bytes
/// there, and nearly every such processor has AES instructions.
const CHACHA20: &[SupportedCipherSuite] = &[
    #[cfg(not(target_arch = "x86_64"))]
    SupportedCipherSuite::Tls13(&CHACHA20_POLY1305),
    #[cfg(not(target_arch = "x86_64"))]
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    #[cfg(not(target_arch = "x86_64"))]
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

static AES_128: Tls13CipherSuite = without_quic(&suite::TLS13_AES_128_GCM_SHA256);
static AES_256: Tls13CipherSuite = without_quic(&suite::TLS13_AES_256_GCM_SHA384);
#[cfg(not(target_arch = "x86_64"))]
static CHACHA20_POLY1305: Tls13CipherSuite = without_quic(&suite::TLS13_CHACHA20_POLY1305_SHA256);

const fn without_quic(suite: &'static SupportedCipherSuite) -> Tls13CipherSuite {
    match suite {
        SupportedCipherSuite::Tls13(suite) => Tls13CipherSuite {
            common: CipherSuiteCommon {
                suite: suite.common.suite,
                hash_provider: suite.common.hash_provider,
                confidentiality_limit: suite.common.confidentiality_limit,
            },
            hkdf_provider: suite.hkdf_provider,
            aead_alg: suite.aead_alg,
            quic: None,
        },
        _ => panic!("a TLS 1.3 suite"),
    }
}

macro_rules! schemes {
    ($($scheme:ident = [$($algorithm:ident)*];)*) => {
        &[$((SignatureScheme::$scheme, &[$(verify::$algorithm),*])),*]
    };
}

/// The list of rustls's ring provider without Ed25519.
static SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        verify::ECDSA_P256_SHA256,
        verify::ECDSA_P256_SHA384,
        verify::ECDSA_P384_SHA256,
        verify::ECDSA_P384_SHA384,
        verify::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        verify::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        verify::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        verify::RSA_PKCS1_2048_8192_SHA256,
        verify::RSA_PKCS1_2048_8192_SHA384,
        verify::RSA_PKCS1_2048_8192_SHA512,
        verify::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        verify::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        verify::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    // TLS 1.2 does not fix the curve; TLS 1.3 uses the first of each.
    mapping: schemes! {
        ECDSA_NISTP384_SHA384 = [ECDSA_P384_SHA384 ECDSA_P256_SHA384];
        ECDSA_NISTP256_SHA256 = [ECDSA_P256_SHA256 ECDSA_P384_SHA256];
        RSA_PSS_SHA512 = [RSA_PSS_2048_8192_SHA512_LEGACY_KEY];
        RSA_PSS_SHA384 = [RSA_PSS_2048_8192_SHA384_LEGACY_KEY];
        RSA_PSS_SHA256 = [RSA_PSS_2048_8192_SHA256_LEGACY_KEY];
        RSA_PKCS1_SHA512 = [RSA_PKCS1_2048_8192_SHA512];
        RSA_PKCS1_SHA384 = [RSA_PKCS1_2048_8192_SHA384];
        RSA_PKCS1_SHA256 = [RSA_PKCS1_2048_8192_SHA256];
    },
};

/// Random numbers from ring, and no private keys: mingram has no client certificate,
/// and ring's code for signing is as large as all of mingram.
#[derive(Debug)]
struct Ring;

impl SecureRandom for Ring {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        SystemRandom::new().fill(buf).map_err(|_| GetRandomFailed)
    }
}

impl KeyProvider for Ring {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General(
            "mingram's crypto provider loads no private keys: install another one before the first call".into(),
        ))
    }
}
