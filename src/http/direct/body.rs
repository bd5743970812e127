//! The body of a response: of a known length, chunked, or until the connection ends.

use super::failure::timed_out;
use super::head::{read_line, too_large};
use super::lock::lock;
use super::pool::{Connection, Pool};
use crate::error::{Error, ErrorKind};
use crate::http::failure::from_io;
use crate::http::transport::MAX_HEAD_BYTES;
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
                    // The client has its own messages for these.
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => error,
                    _ if error.get_ref().is_some_and(|inner| inner.is::<Error>()) => error,
                    _ => io::Error::other(from_io(
                        error,
                        "the connection broke while reading the body",
                    )),
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
    let malformed = || {
        let message = "a chunk of the reply has no valid size";
        io::Error::other(Error::new(ErrorKind::Malformed, message))
    };
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
    let digits = line.split(|&byte| byte == b';').next()?.trim_ascii_end();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |size, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        size.checked_mul(16)?.checked_add(digit.into())
    })
}
