//! The body of a response: of a known length, chunked, or until the connection ends.

use super::failure::timed_out;
use super::head::{read_line, too_large, without_blanks};
use super::pool::{Connection, Pool};
use crate::http::failure::{malformed_chunk, of_body};
use crate::http::transport::MAX_HEAD_BYTES;
use crate::lock::lock;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The longest line with a chunk size, including extensions.
const MAX_CHUNK_LINE: usize = 1024;

/// Where a body ends.
pub(super) enum Framing {
    /// After this number of bytes.
    Length(u64),
    /// After the last chunk.
    Chunked(Chunk),
    /// At the end of the connection; over TLS only at close_notify.
    Close,
}

pub(super) enum Chunk {
    /// Before the first chunk.
    First,
    /// Inside a chunk, this number of bytes before its line end.
    Left(u64),
    /// After the last chunk and the trailers.
    Last,
}

pub(super) struct FramedBody {
    /// `None` after the end and after an error.
    connection: Option<Connection>,
    framing: Framing,
    /// The error that every further read returns.
    failed: Option<io::ErrorKind>,
    /// The pool and the origin, if the connection can be reused.
    home: Option<(Arc<Mutex<Pool>>, String)>,
    silence: Duration,
    /// What is left for reads.
    budget: Duration,
}

impl FramedBody {
    pub(super) fn new(
        connection: Connection,
        framing: Framing,
        home: Option<(Arc<Mutex<Pool>>, String)>,
        (silence, budget): (Duration, Duration),
    ) -> FramedBody {
        let mut body = FramedBody {
            connection: Some(connection),
            framing,
            failed: None,
            home,
            silence,
            budget,
        };
        if matches!(body.framing, Framing::Length(0)) {
            body.end();
        }
        body
    }

    /// Returns the connection to the pool, unless there are bytes after the body.
    fn end(&mut self) {
        if let (Some(connection), Some((pool, origin))) = (self.connection.take(), self.home.take())
        {
            if connection.buffer().is_empty() {
                lock(&pool).put(origin, connection);
            }
        }
    }
}

impl Read for FramedBody {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        let Some(connection) = &mut self.connection else {
            return Ok(0);
        };
        if buf.is_empty() {
            return Ok(0);
        }
        let start = Instant::now();
        let stream = connection.get_mut();
        stream.set_limits(start + self.budget, self.silence);
        let read = self.framing.read(connection, buf);
        self.budget = self.budget.saturating_sub(start.elapsed());
        match read {
            Ok(length) => {
                let ended = match self.framing {
                    Framing::Length(left) => left == 0,
                    Framing::Chunked(_) | Framing::Close => length == 0,
                };
                if ended {
                    self.end();
                }
                Ok(length)
            }
            Err(error) => {
                self.failed = Some(error.kind());
                self.connection = None;
                Err(match error.kind() {
                    io::ErrorKind::TimedOut => {
                        io::Error::other(timed_out("while reading the body"))
                    }
                    _ => of_body(error),
                })
            }
        }
    }
}

impl Framing {
    /// Reads at least one byte of the body, or none at its end.
    fn read(&mut self, connection: &mut Connection, buf: &mut [u8]) -> io::Result<usize> {
        let left = match self {
            Framing::Close => return connection.read(buf),
            Framing::Length(left) => left,
            Framing::Chunked(chunk) => {
                if matches!(chunk, Chunk::First | Chunk::Left(0)) {
                    *chunk = next_chunk(connection, chunk)?;
                }
                match chunk {
                    Chunk::Left(left) => left,
                    _ => return Ok(0),
                }
            }
        };
        let most = usize::try_from(*left).unwrap_or(usize::MAX).min(buf.len());
        let length = connection.read(&mut buf[..most])?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *left -= length as u64;
        Ok(length)
    }
}

/// Reads the line end of the previous chunk and the size of the next. After the last
/// chunk it reads and drops the trailers. The size must consist of hexadecimal digits, and
/// its line must end in CRLF: RFC 9112 permits a bare LF in the head (section 2.2) but not
/// here (section 7.1), and a proxy that disagrees would find the chunks elsewhere.
fn next_chunk(reader: &mut impl BufRead, before: &Chunk) -> io::Result<Chunk> {
    let malformed = || io::Error::other(malformed_chunk());
    let mut line = Vec::new();
    if matches!(before, Chunk::Left(_)) && !(read_line(reader, &mut line, &mut 2)? && line == b"\r")
    {
        return Err(malformed());
    }
    if !read_line(reader, &mut line, &mut { MAX_CHUNK_LINE })? {
        return Err(malformed());
    }
    let size = size(&line).ok_or_else(malformed)?;
    if size > 0 {
        return Ok(Chunk::Left(size));
    }
    let mut room = MAX_HEAD_BYTES;
    loop {
        if !read_line(reader, &mut line, &mut room)? {
            return Err(io::Error::other(too_large()));
        }
        if matches!(line[..], [] | [b'\r']) {
            return Ok(Chunk::Last);
        }
    }
}

fn size(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r")?;
    let digits = without_blanks(line.split(|&byte| byte == b';').next()?);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |size, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        size.checked_mul(16)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chunk that these bytes begin, and how many bytes are left after its size.
    fn next(bytes: &[u8], before: &Chunk) -> io::Result<(Option<u64>, usize)> {
        let mut reader = bytes;
        let left = match next_chunk(&mut reader, before)? {
            Chunk::Left(left) => Some(left),
            _ => None,
        };
        Ok((left, reader.len()))
    }

    /// All sizes of one and two bytes, with an independent reading of them.
    #[test]
    fn every_byte_of_a_chunk_size() {
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                if first == b'\n' || second == b'\n' {
                    continue;
                }
                let line = [&[first, second][..], b"\r\n\r\n"].concat();
                let digits: &[u8] = match (first, second) {
                    // White space and an extension are no part of it.
                    (first, b' ' | b'\t' | b';') => &[first],
                    _ => &[first, second],
                };
                // `;` and white space are no digits either.
                let text = std::str::from_utf8(digits).unwrap_or("?");
                let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
                let wanted = u64::from_str_radix(text, 16)
                    .ok()
                    .filter(|_| is_hexadecimal);
                let read = next(&line, &Chunk::First);
                let shown = String::from_utf8_lossy(&line).into_owned();
                match read {
                    Ok((Some(size), rest)) => {
                        assert_eq!((Some(size), rest), (wanted, 2), "{shown:?}");
                    }
                    Ok((None, rest)) => assert_eq!((wanted, rest), (Some(0), 0), "{shown:?}"),
                    Err(_) => assert_eq!(wanted, None, "{shown:?}"),
                }
            }
        }
    }

    #[test]
    fn sizes_of_chunks() {
        for (line, wanted) in [
            ("0", Some(0)),
            ("00000000000000000000000A", Some(10)),
            ("ffffffffffffffff", Some(u64::MAX)),
            ("FFFFFFFFFFFFFFFF", Some(u64::MAX)),
            ("10000000000000000", None),
            ("10;a=b;c=\"d\"", Some(16)),
            ("10 ;a", Some(16)),
            (" 10", None),
            ("1 0", None),
            ("1_0", None),
            ("+10", None),
            ("-0", None),
            ("0x10", None),
            ("10h", None),
            (";", None),
            ("", None),
        ] {
            assert_eq!(size(format!("{line}\r").as_bytes()), wanted, "{line}");
            assert_eq!(size(line.as_bytes()), None, "{line} without CR");
        }
    }

    /// Between two chunks there is a line end and nothing else.
    #[test]
    fn ends_of_chunks() {
        let end = Chunk::Left(0);
        assert_eq!(next(b"\r\n5\r\nabcde", &end).unwrap(), (Some(5), 5));
        for bad in [
            "5\r\n",
            "\n5\r\n",
            "x\r\n5\r\n",
            "\r5\r\n",
            "\rx\n5\r\n",
            "\r\r\n5\r\n",
            " \r\n5\r\n",
        ] {
            assert!(next(bad.as_bytes(), &end).is_err(), "{bad:?}");
        }
        // After the last one there may be trailers.
        for (trailers, rest) in [("\r\n", 0), ("A: b\r\n\r\nHTTP", 4), ("A: b\n\nHTTP", 4)] {
            let bytes = format!("0\r\n{trailers}");
            assert_eq!(next(bytes.as_bytes(), &Chunk::First).unwrap(), (None, rest));
        }
        for cut in ["", "5", "5\r", "0\r\n", "0\r\nA: b\r\n", "0\r\nA: b"] {
            let error = next(cut.as_bytes(), &Chunk::First).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut:?}");
        }
    }

    /// A line with a size may have 1,024 bytes, to the byte, and trailers 64 KiB.
    #[test]
    fn the_longest_lines() {
        for (length, fits) in [(MAX_CHUNK_LINE, true), (MAX_CHUNK_LINE + 1, false)] {
            let line = format!("5;{}\r\nabcde", "x".repeat(length - 4));
            let read = next(line.as_bytes(), &Chunk::First);
            assert_eq!(read.is_ok(), fits, "{length}");
        }
        for (length, fits) in [(MAX_HEAD_BYTES, true), (MAX_HEAD_BYTES + 1, false)] {
            let trailers = format!("0\r\nA: {}\r\n\r\n", "x".repeat(length - 7));
            let read = next(trailers.as_bytes(), &Chunk::First);
            assert_eq!(read.is_ok(), fits, "{length}");
        }
    }
}
