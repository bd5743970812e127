//! The coding gzip (RFC 1952), decoded while it is read.

use crate::error::{Error, ErrorKind};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use std::io::{self, Read};

/// The size of the pieces that compressed bytes are read in.
const PIECE: usize = 8 * 1024;

/// How far back compressed data may refer, in bytes.
const WINDOW: usize = 32 * 1024;

/// How many compressed bytes may come to nothing, besides two for each decoded one. Other
/// data is crafted to keep the reader at work: the longest extra field with a name and a
/// comment fit, and no compressor makes its data twice as long.
const MAX_IDLE: u64 = 128 * 1024;

/// A body that is decoded while it is read: one member or several, complete and with the
/// right checksums, or an error.
pub(super) struct Gzip {
    body: Box<dyn Read + Send>,
    /// What is left of the content length.
    left: Option<u64>,
    /// Compressed bytes, of which those from `next` to `end` are not decoded.
    piece: Box<[u8]>,
    next: usize,
    end: usize,
    inflate: Box<DecompressorOxide>,
    /// Decoded bytes, of which those from `from` to `to` are not handed out.
    window: Box<[u8]>,
    from: usize,
    to: usize,
    at: At,
    /// The checksum of the decoded bytes of this member, or of its header.
    crc: u32,
    /// The decoded bytes of this member. Its trailer has them modulo 2^32, too.
    size: u32,
    compressed: u64,
    decoded: u64,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// A member's header; after the first one, or if nothing has come at all, also the end.
    Member,
    Data,
    /// Nothing.
    End,
    /// The error that ended the body.
    Failed,
}

impl Gzip {
    /// Decodes a body of this length, if it is known.
    pub(super) fn new(body: Box<dyn Read + Send>, length: Option<u64>) -> Gzip {
        let zeros = |length| vec![0; length].into_boxed_slice();
        Gzip {
            body,
            left: length,
            piece: zeros(PIECE),
            next: 0,
            end: 0,
            inflate: Box::default(),
            window: zeros(WINDOW),
            from: 0,
            to: 0,
            at: At::Member,
            crc: 0,
            size: 0,
            compressed: 0,
            decoded: 0,
        }
    }

    /// Decodes something. Only called if all that was decoded is handed out.
    fn step(&mut self) -> io::Result<()> {
        match self.at {
            At::Member => self.member(),
            At::Data => self.data(),
            At::End => Ok(()),
            At::Failed => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// Reads more compressed bytes, if all are decoded. Returns whether there are any.
    fn fill(&mut self) -> io::Result<bool> {
        if self.next < self.end {
            return Ok(true);
        }
        if self.compressed > 2 * self.decoded + MAX_IDLE {
            return Err(malformed("the reply's gzip data comes to nothing"));
        }
        let length = loop {
            match self.body.read(&mut self.piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        (self.next, self.end) = (0, length);
        self.compressed += length as u64;
        self.left = self.left.map(|left| left.saturating_sub(length as u64));
        match (length, self.left) {
            (0, Some(1..)) => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(length > 0),
        }
    }

    /// The error for the end of the body inside a member.
    fn cut(&self) -> io::Error {
        match self.left {
            // The connection brought all that the server meant to send.
            Some(_) => malformed("the reply's gzip data is incomplete"),
            None => io::ErrorKind::UnexpectedEof.into(),
        }
    }

    /// The next byte of a header or trailer.
    fn byte(&mut self) -> io::Result<u8> {
        if !self.fill()? {
            return Err(self.cut());
        }
        let byte = self.piece[self.next];
        self.next += 1;
        self.crc = crc32(self.crc, &[byte]);
        Ok(byte)
    }

    /// A little-endian number of two or four bytes.
    fn number(&mut self, bytes: u32) -> io::Result<u32> {
        (0..bytes).try_fold(0, |number, i| {
            Ok(number | u32::from(self.byte()?) << (8 * i))
        })
    }

    /// Reads a member's header, or notices the end of the body.
    fn member(&mut self) -> io::Result<()> {
        if !self.fill()? {
            self.at = At::End;
            return Ok(());
        }
        self.crc = 0;
        for wanted in [0x1f, 0x8b, 8] {
            if self.byte()? != wanted {
                return Err(malformed(match self.decoded {
                    0 => "the reply's gzip data has no valid header",
                    _ => "there are other bytes after the reply's gzip data",
                }));
            }
        }
        let flags = self.byte()?;
        // Time, compressor and system.
        for _ in 0..6 {
            self.byte()?;
        }
        if flags & EXTRA != 0 {
            for _ in 0..self.number(2)? {
                self.byte()?;
            }
        }
        for text in [NAME, COMMENT] {
            while flags & text != 0 && self.byte()? != 0 {}
        }
        let crc = self.crc & 0xffff;
        let is_damaged = flags & HEADER_CRC != 0 && self.number(2)? != crc;
        if is_damaged || flags & RESERVED != 0 {
            return Err(malformed("the reply's gzip data has no valid header"));
        }
        self.inflate.init();
        (self.crc, self.size) = (0, 0);
        self.at = At::Data;
        Ok(())
    }

    /// Decodes data into the window, up to its end, and checks the member's trailer.
    fn data(&mut self) -> io::Result<()> {
        // Even if there is more to decode without it: the trailer follows.
        if !self.fill()? {
            return Err(self.cut());
        }
        let from = self.to % WINDOW;
        let (status, used, made) = decompress(
            &mut self.inflate,
            &self.piece[self.next..self.end],
            &mut self.window,
            from,
            TINFL_FLAG_HAS_MORE_INPUT,
        );
        self.next += used;
        (self.from, self.to) = (from, from + made);
        self.crc = crc32(self.crc, &self.window[from..self.to]);
        self.size = self.size.wrapping_add(made as u32);
        self.decoded += made as u64;
        match status {
            TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {}
            TINFLStatus::Done => {
                let (crc, size) = (self.crc, self.size);
                if (self.number(4)?, self.number(4)?) != (crc, size) {
                    return Err(malformed("the reply's gzip data has a wrong checksum"));
                }
                self.at = At::Member;
            }
            _ => return Err(malformed("the reply's gzip data is damaged")),
        }
        Ok(())
    }
}

impl Read for Gzip {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        while self.from == self.to && self.at != At::End {
            if let Err(error) = self.step() {
                // Nothing is handed out after an error.
                (self.at, self.from) = (At::Failed, self.to);
                return Err(error);
            }
        }
        let length = buf.len().min(self.to - self.from);
        buf[..length].copy_from_slice(&self.window[self.from..][..length]);
        self.from += length;
        Ok(length)
    }
}

fn malformed(message: &str) -> io::Error {
    io::Error::other(Error::new(ErrorKind::Malformed, message))
}

// What a header's flags announce.
const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// The CRC-32 of RFC 1952, continued. Four bytes at a time: a third less work.
fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    let mut crc = !crc;
    let mut fours = bytes.chunks_exact(4);
    for four in fours.by_ref() {
        crc ^= u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        crc = shifted(shifted(shifted(shifted(crc))));
    }
    for &byte in fours.remainder() {
        crc = shifted(crc ^ u32::from(byte));
    }
    !crc
}

/// The CRC without its lowest byte.
#[inline(always)]
fn shifted(crc: u32) -> u32 {
    TABLE[usize::from(crc as u8)] ^ crc >> 8
}

/// What each byte adds to the CRC.
static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = match crc & 1 {
                1 => crc >> 1 ^ 0xedb8_8320,
                _ => crc >> 1,
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests;
