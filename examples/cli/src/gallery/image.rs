//! The size in pixels of pictures and videos, from their headers.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Boxes or segments that are read at most, so that no file can keep the program busy.
const MAX_PARTS: usize = 10_000;

/// Width and height of a JPEG, PNG, GIF, WebP or MP4; `None` for other files.
pub fn size(path: &Path) -> Option<(u32, u32)> {
    let mut file = io::BufReader::new(File::open(path).ok()?);
    read(&mut file).filter(|&(width, height)| width > 0 && height > 0)
}

fn read(file: &mut (impl Read + Seek)) -> Option<(u32, u32)> {
    let mut head = [0; 30];
    let mut length = 0;
    while length < head.len() {
        match file.read(&mut head[length..]).ok()? {
            0 => break,
            more => length += more,
        }
    }
    match &head {
        [0xff, 0xd8, 0xff, ..] => jpeg(file),
        [0x89, b'P', b'N', b'G', ..] => Some((be32(&head[16..20]), be32(&head[20..24]))),
        [b'G', b'I', b'F', b'8', ..] => Some((le16(&head[6..8]), le16(&head[8..10]))),
        [b'R', b'I', b'F', b'F', ..] if &head[8..12] == b"WEBP" => webp(&head),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => mp4(file),
        _ => None,
    }
}

fn be16(bytes: &[u8]) -> u32 {
    u32::from(bytes[0]) << 8 | u32::from(bytes[1])
}

fn le16(bytes: &[u8]) -> u32 {
    u32::from(bytes[1]) << 8 | u32::from(bytes[0])
}

fn be32(bytes: &[u8]) -> u32 {
    be16(bytes) << 16 | be16(&bytes[2..])
}

/// Looks for the frame header among the segments. A picture that its Exif data turns by 90
/// degrees is not handled: Instagram turns pictures itself and removes the data.
fn jpeg(file: &mut (impl Read + Seek)) -> Option<(u32, u32)> {
    file.seek(SeekFrom::Start(2)).ok()?;
    for _ in 0..MAX_PARTS {
        let mut marker = [0xff; 2];
        file.read_exact(&mut marker).ok()?;
        while marker[1] == 0xff {
            // Any number of fill bytes may come before a marker.
            file.read_exact(&mut marker[1..]).ok()?;
        }
        let mut segment = [0; 7];
        match marker[1] {
            0xc0..=0xcf if !matches!(marker[1], 0xc4 | 0xc8 | 0xcc) => {
                file.read_exact(&mut segment).ok()?;
                return Some((be16(&segment[5..7]), be16(&segment[3..5])));
            }
            // The picture itself begins, or ends.
            0xd9 | 0xda => return None,
            0x01 | 0xd0..=0xd8 => {}
            _ => {
                file.read_exact(&mut segment[..2]).ok()?;
                let length = i64::from(be16(&segment[..2]));
                file.seek(SeekFrom::Current((length - 2).max(0))).ok()?;
            }
        }
    }
    None
}

fn webp(head: &[u8; 30]) -> Option<(u32, u32)> {
    match &head[12..16] {
        b"VP8 " if head[23..26] == [0x9d, 0x01, 0x2a] => {
            Some((le16(&head[26..28]) & 0x3fff, le16(&head[28..30]) & 0x3fff))
        }
        b"VP8L" if head[20] == 0x2f => {
            let bits = le16(&head[23..25]) << 16 | le16(&head[21..23]);
            Some((1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff)))
        }
        b"VP8X" => {
            let le24 = |at: usize| le16(&head[at..at + 2]) | u32::from(head[at + 2]) << 16;
            Some((1 + le24(24), 1 + le24(27)))
        }
        _ => None,
    }
}

/// The size of the first track that has one: `moov`, `trak`, `tkhd`.
fn mp4(file: &mut (impl Read + Seek)) -> Option<(u32, u32)> {
    let mut position = 0;
    for _ in 0..MAX_PARTS {
        file.seek(SeekFrom::Start(position)).ok()?;
        let mut head = [0; 16];
        file.read_exact(&mut head[..8]).ok()?;
        let mut header = 8;
        let mut length = u64::from(be32(&head[..4]));
        if length == 1 {
            file.read_exact(&mut head[8..16]).ok()?;
            header = 16;
            length = u64::from(be32(&head[8..12])) << 32 | u64::from(be32(&head[12..16]));
        }
        match &head[4..8] {
            // Their contents are boxes.
            b"moov" | b"trak" => position += header,
            kind => {
                if kind == b"tkhd" {
                    if let Some(size) = track(file) {
                        return Some(size);
                    }
                }
                position = position.checked_add(length).filter(|_| length >= header)?;
            }
        }
    }
    None
}

/// Reads a track header; an audio track has no size.
fn track(file: &mut impl Read) -> Option<(u32, u32)> {
    let mut version = [0; 4];
    file.read_exact(&mut version).ok()?;
    // Times and duration have 64 bits in version 1.
    let times = if version[0] == 1 { 32 } else { 20 };
    let mut rest = [0; 32 + 16 + 36 + 8];
    let rest = &mut rest[..times + 16 + 36 + 8];
    file.read_exact(rest).ok()?;
    let matrix = &rest[times + 16..];
    // Fixed-point numbers: the integer is in the upper half.
    let (width, height) = (be16(&matrix[36..38]), be16(&matrix[40..42]));
    let turned = be32(&matrix[..4]) == 0 && be32(&matrix[4..8]) != 0;
    let size = if turned {
        (height, width)
    } else {
        (width, height)
    };
    (width > 0 && height > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::read;
    use std::io::Cursor;

    fn of(bytes: &[u8]) -> Option<(u32, u32)> {
        read(&mut Cursor::new(bytes))
    }

    /// A box of an MP4 file.
    fn atom(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let length = (8 + content.len() as u32).to_be_bytes();
        [&length, &kind[..], content].concat()
    }

    fn tkhd(version: u8, a: u32, b: u32, width: u32, height: u32) -> Vec<u8> {
        let mut content = vec![0; 4 + if version == 1 { 32 } else { 20 } + 16];
        content[0] = version;
        for number in [a, b, 0, 0, a, 0, 0, 0, 1 << 30, width << 16, height << 16] {
            content.extend(number.to_be_bytes());
        }
        atom(b"tkhd", &content)
    }

    fn mp4(tracks: &[Vec<u8>]) -> Vec<u8> {
        let tracks: Vec<u8> = tracks.iter().flat_map(|t| atom(b"trak", t)).collect();
        let moov = [atom(b"mvhd", &[0; 100]), tracks].concat();
        let parts = [
            atom(b"ftyp", b"isom\0\0\0\0isom"),
            atom(b"mdat", &[7; 5000]),
            atom(b"moov", &moov),
        ];
        parts.concat()
    }

    #[test]
    fn reads_the_files_of_the_sample() {
        for (file, size) in [
            (
                &include_bytes!("../../sample/media/dunes.jpg")[..],
                (640, 800),
            ),
            (
                include_bytes!("../../sample/media/portrait.png"),
                (160, 160),
            ),
            (
                include_bytes!("../../sample/media/harbour.webp"),
                (640, 800),
            ),
            (include_bytes!("../../sample/media/tide.mp4"), (480, 600)),
        ] {
            assert_eq!(of(file), Some(size));
        }
    }

    #[test]
    fn reads_every_kind_of_header() {
        let gif = b"GIF89a\x40\x01\xf0\x00\xf7\0\0";
        assert_eq!(of(gif), Some((320, 240)));
        let lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x3f\xc1\x77\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(of(lossless), Some((320, 480)));
        let extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\x01\0\xdf\x01\0";
        assert_eq!(of(extended), Some((320, 480)));
        // A JPEG with an application segment, fill bytes and tables before its frame.
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xff\xc4\0\x03x\xff\xc2\0\x11\x08\x01\xe0\x01\x40\x03";
        assert_eq!(of(jpeg), Some((320, 480)));
        let upright = (1 << 16, 0);
        for version in [0, 1] {
            let audio = tkhd(version, upright.0, upright.1, 0, 0);
            let video = tkhd(version, upright.0, upright.1, 320, 480);
            assert_eq!(of(&mp4(&[audio, video])), Some((320, 480)));
            let turned = tkhd(version, 0, 1 << 16, 480, 320);
            assert_eq!(of(&mp4(&[turned])), Some((320, 480)));
        }
    }

    #[test]
    fn survives_what_is_no_picture() {
        let video = mp4(&[tkhd(0, 1 << 16, 0, 320, 480)]);
        for length in 0..video.len() {
            of(&video[..length]);
        }
        let jpeg = include_bytes!("../../sample/media/dunes.jpg");
        for length in 0..300 {
            of(&jpeg[..length]);
        }
        let endless = [atom(b"ftyp", b"isom"), vec![0; 64]].concat();
        let huge = [
            &atom(b"ftyp", b"isom")[..],
            &[0, 0, 0, 1],
            b"free",
            &[0xff; 8],
        ]
        .concat();
        let segments = [b"\xff\xd8".to_vec(), b"\xff\xe0\0\0".repeat(50_000)].concat();
        for file in [
            &b""[..],
            b"<html>",
            b"\xff\xd8\xff",
            &endless,
            &huge,
            &segments,
        ] {
            assert_eq!(of(file), None);
        }
    }
}
