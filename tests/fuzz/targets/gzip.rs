//! Bytes as a body in gzip, in pieces of a size that the first byte chooses: what is read
//! is what another decoder reads, and what was compressed comes back.
#![no_main]

use flate2::bufread::MultiGzDecoder;
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use mingram::transport::Response;
use mingram::{Error, ErrorKind};
use std::io::{self, Read, Write};

fuzz_target!(|data: &[u8]| {
    let Some((&first, bytes)) = data.split_first() else {
        return;
    };
    let size = usize::from(first % 16) * usize::from(first / 16) + 1;
    match decoded(bytes, size) {
        Ok(text) if bytes.is_empty() => assert!(text.is_empty()),
        Ok(text) => {
            let mut other = Vec::new();
            MultiGzDecoder::new(bytes).read_to_end(&mut other).unwrap();
            assert!(text == other);
        }
        Err(error) => {
            let kind = Error::of_body(error).kind();
            assert!(matches!(kind, ErrorKind::Truncated | ErrorKind::Malformed));
        }
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(u32::from(first % 10)));
    encoder.write_all(bytes).unwrap();
    let compressed = encoder.finish().unwrap();
    assert!(decoded(&compressed, size).unwrap() == bytes);
    let cut = &compressed[..compressed.len() * size / 256];
    assert!(cut.is_empty() || decoded(cut, size).is_err());
});

fn decoded(body: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let mut response = Response::new(
        200,
        vec![("Content-Encoding".to_owned(), "gzip".to_owned())],
        Pieces(body.to_vec(), size),
    );
    response.decode().unwrap();
    let mut text = Vec::new();
    // No more than deflate can make of it.
    let most = 1100 * body.len() as u64 + 1;
    let length = response.body.take(most).read_to_end(&mut text)?;
    assert!((length as u64) < most);
    Ok(text)
}

/// Yields at most this many bytes at a time.
struct Pieces(Vec<u8>, usize);

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = buf.len().min(self.0.len()).min(self.1);
        buf[..length].copy_from_slice(&self.0[..length]);
        self.0.drain(..length);
        Ok(length)
    }
}
