//! Instead of `tls.rs`, in a program without TLS.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Read};

/// Fills these bytes with random ones.
pub(crate) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
}

/// No failure is one of TLS.
pub(super) fn of_io(error: io::Error) -> Result<Error, io::Error> {
    Err(error)
}

pub(super) fn install() -> Result<()> {
    Err(Error::invalid(
        "this program was built without TLS and cannot open https URLs: \
         enable mingram's feature `https`, `platform-roots` or `keep-alive`",
    ))
}
