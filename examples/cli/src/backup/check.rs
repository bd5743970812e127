//! Whether a file is as it was when it was complete.

use crate::store::directory::Directory;
use crate::store::fetch::sha256;
use crate::store::names::{self, HEAD};
use crate::store::sidecar::Noted;
use mingram::Api;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub enum Verdict {
    /// With what is known of it now.
    Fine(Noted),
    /// Nothing is recorded, and the service cannot be asked.
    Unknown,
    Damaged {
        what: String,
        /// By what was recorded, and not only because the service has another one.
        certain: bool,
    },
}

/// Reads a file. If no checksum is recorded, compares its length with the one that the
/// service has, and records one.
pub fn verify(
    api: &Api,
    folder: &Directory,
    name: &str,
    noted: Noted,
    url: Option<&str>,
) -> Verdict {
    let damaged = |what: String, certain| Verdict::Damaged { what, certain };
    let (sum, size, begins_well) = match measure(&folder.join(name)) {
        Ok(measured) => measured,
        Err(error) => return damaged(format!("it cannot be read: {error}"), true),
    };
    if let Some(wanted) = noted.size.filter(|wanted| *wanted != size) {
        return damaged(format!("{size} bytes instead of {wanted}"), true);
    }
    if !begins_well {
        return damaged("it begins with something else".to_owned(), true);
    }
    match &noted.sha256 {
        Some(wanted) if *wanted != sum => {
            return damaged("its SHA-256 is another one".to_owned(), true);
        }
        Some(_) => return Verdict::Fine(noted),
        None => {}
    }
    let known = match url {
        Some(url) => api.download(url).open().ok().and_then(|body| body.total()),
        // It has left the account.
        None => noted.size,
    };
    match known {
        Some(length) if length != size => {
            damaged(format!("{size} bytes, and the service has {length}"), false)
        }
        Some(_) => Verdict::Fine(Noted {
            size: Some(size),
            sha256: Some(sum),
            ..noted
        }),
        None => Verdict::Unknown,
    }
}

/// The checksum and length of a file, and whether it begins as its extension says; one full
/// of zeros does not.
fn measure(path: &Path) -> io::Result<(String, u64, bool)> {
    let (mut file, mut head) = (File::open(path)?, Vec::new());
    file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    let begins_well = names::extension(&head) == extension;
    let (sum, size) = sha256(&mut head.as_slice().chain(file))?;
    Ok((sum, size, begins_well))
}
