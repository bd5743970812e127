//! The crypto provider, random bytes, and error messages.

mod failure;
mod provider;

use crate::error::Result;
pub(super) use failure::{from_tls, of_io};
pub(super) use provider::provider;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::crypto::CryptoProvider;
use std::io;

/// Fills these bytes with random ones.
pub(crate) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let filled = SystemRandom::new().fill(bytes);
    filled.map_err(|_| io::Error::other("ring failed"))
}

/// Installs the provider for the process, unless the program has installed one:
/// minreq cannot be configured. It also enables all default features of rustls, so
/// two providers are compiled in and rustls would not choose between them.
#[allow(dead_code, reason = "for minreq")]
pub(super) fn install() -> Result<()> {
    if CryptoProvider::get_default().is_none() {
        // If another thread was faster, its choice stands.
        let _ = provider().install_default();
    }
    Ok(())
}
