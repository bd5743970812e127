use super::*;
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;
use std::io::Write;

/// Yields a body in pieces of these sizes, in turn, with an interruption before each.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    reads: usize,
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.reads % 2 == 1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let size = self.sizes[self.reads / 2 % self.sizes.len()].max(1);
        let length = size.min(buf.len()).min(self.bytes.len() - self.at);
        buf[..length].copy_from_slice(&self.bytes[self.at..][..length]);
        self.at += length;
        Ok(length)
    }
}

/// Decodes a body of this length that arrives in pieces, into a buffer of this size.
fn decode(bytes: &[u8], length: Option<u64>, sizes: &[usize], buf: usize) -> io::Result<Vec<u8>> {
    let pieces = Pieces {
        bytes: bytes.to_vec(),
        at: 0,
        sizes: sizes.to_vec(),
        reads: 0,
    };
    let mut gzip = Gzip::new(Box::new(pieces), length);
    let (mut out, mut buf) = (Vec::new(), vec![0; buf]);
    loop {
        match gzip.read(&mut buf) {
            Ok(0) => break,
            Ok(length) => out.extend_from_slice(&buf[..length]),
            Err(error) => {
                assert!(gzip.read(&mut buf).is_err(), "an error that passes");
                return Err(error);
            }
        }
    }
    assert_eq!(gzip.read(&mut buf)?, 0, "bytes after the end");
    Ok(out)
}

fn whole(bytes: &[u8]) -> io::Result<Vec<u8>> {
    decode(bytes, None, &[usize::MAX], 4096)
}

/// `Truncated` or `Malformed`, as a call reports it.
fn kind(error: io::Error) -> ErrorKind {
    Error::of_body(error).kind()
}

fn gzip(data: &[u8], level: u32) -> Vec<u8> {
    member(GzBuilder::new(), data, level)
}

fn member(header: GzBuilder, data: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = header.write(Vec::new(), Compression::new(level));
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A header with these flags and fields, and the data and trailer of a real member.
fn with_header(flags: u8, fields: &[u8], data: &[u8]) -> Vec<u8> {
    let rest = gzip(data, 6).split_off(10);
    let mut header = vec![0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3];
    header.extend_from_slice(fields);
    if flags & HEADER_CRC != 0 {
        let crc = crc32(0, &header) as u16;
        header.extend_from_slice(&crc.to_le_bytes());
    }
    [header, rest].concat()
}

const TEXT: &[u8] = br#"{"data":[{"id":"1"},{"id":"2"},{"id":"3"}]}"#;

#[test]
fn the_checksum_is_that_of_the_rfc() {
    assert_eq!(crc32(0, b"123456789"), 0xcbf4_3926);
    assert_eq!(crc32(crc32(0, b"1234"), b"56789"), 0xcbf4_3926);
}

/// Made by `gzip -9 a.json` (GNU gzip 1.12), with the name and the time of the file.
#[test]
fn what_gzip_makes_is_read() {
    const FILE: &[u8] =
        b"\x1f\x8b\x08\x08\x80\x19\x0a\x6b\x02\x03\x61\x2e\x6a\x73\x6f\x6e\x00\xab\x56\x4a\
        \x49\x2c\x49\x54\xb2\x8a\xae\x56\xca\x4c\x51\xb2\x52\x32\x54\xaa\xd5\x81\x32\x8d\
        \x10\x4c\x63\xa5\xda\xd8\x5a\x00\x44\x54\xa9\x09\x2b\x00\x00\x00";
    assert_eq!(whole(FILE).unwrap(), TEXT);
}

#[test]
fn headers_with_every_field_are_read() {
    let long = "n".repeat(40_000);
    let extra = vec![7; 65_535];
    for header in [
        GzBuilder::new(),
        GzBuilder::new().mtime(1_700_000_000).operating_system(3),
        GzBuilder::new().filename("a.json"),
        GzBuilder::new().comment("a comment"),
        GzBuilder::new().extra(b"AB\x02\0xy".to_vec()),
        GzBuilder::new().extra(Vec::new()).filename("").comment(""),
        GzBuilder::new().extra(extra).filename("a").comment("b"),
        GzBuilder::new().filename(long.as_str()),
    ] {
        let bytes = member(header, TEXT, 6);
        assert_eq!(whole(&bytes).unwrap(), TEXT);
        assert_eq!(decode(&bytes, None, &[1], 1).unwrap(), TEXT);
    }
    // flate2 does not write the header's own checksum.
    for (flags, fields) in [
        (HEADER_CRC, &b""[..]),
        (HEADER_CRC | NAME, b"a.json\0"),
        (HEADER_CRC | EXTRA | COMMENT, b"\x03\0abcwords\0"),
        (
            HEADER_CRC | EXTRA | NAME | COMMENT | 1,
            b"\0\0name\0words\0",
        ),
    ] {
        let mut bytes = with_header(flags, fields, TEXT);
        assert_eq!(whole(&bytes).unwrap(), TEXT, "{flags}");
        bytes[9] ^= 1;
        assert_eq!(kind(whole(&bytes).unwrap_err()), ErrorKind::Malformed);
    }
}

#[test]
fn several_members_are_one_text() {
    let two = [gzip(b"one ", 6), gzip(b"two", 0)].concat();
    assert_eq!(whole(&two).unwrap(), b"one two");
    let empty = [gzip(b"", 6), gzip(TEXT, 9), gzip(b"", 1)].concat();
    assert_eq!(whole(&empty).unwrap(), TEXT);
    assert_eq!(
        decode(&empty, Some(empty.len() as u64), &[1, 9], 2).unwrap(),
        TEXT
    );
}

/// A server that compresses nothing into nothing.
#[test]
fn an_empty_body_is_empty() {
    assert_eq!(whole(b"").unwrap(), b"");
    assert_eq!(decode(b"", Some(0), &[1], 9).unwrap(), b"");
    assert_eq!(whole(&gzip(b"", 6)).unwrap(), b"");
    let error = decode(b"", Some(20), &[1], 9).unwrap_err();
    assert_eq!(kind(error), ErrorKind::Truncated);
}

#[test]
fn damage_is_found_and_named() {
    let good = gzip(TEXT, 6);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let end = good.len();
    let header = "no valid header";
    for (what, bytes, message) in [
        ("text", TEXT.to_vec(), header),
        ("one byte", b"{".to_vec(), header),
        ("the second byte", with(1, 0x8c), header),
        ("another method", with(2, 7), header),
        ("a reserved flag", with(3, 0x20), header),
        ("all reserved flags", with(3, 0xe0), header),
        ("a reserved type of block", with(10, 7), "damaged"),
        (
            "the checksum",
            with(end - 8, !good[end - 8]),
            "wrong checksum",
        ),
        ("the length", with(end - 4, 1), "wrong checksum"),
        (
            "the length, its last byte",
            with(end - 1, 1),
            "wrong checksum",
        ),
        (
            "other bytes",
            [&good[..], b"x"].concat(),
            "other bytes after",
        ),
        (
            "zeros",
            [&good[..], &[0; 512]].concat(),
            "other bytes after",
        ),
        (
            "plain text after it",
            [&good[..], TEXT].concat(),
            "other bytes after",
        ),
        (
            "half a magic",
            [&good[..], b"\x1fx"].concat(),
            "other bytes after",
        ),
    ] {
        for sizes in [1, 7, usize::MAX] {
            for length in [None, Some(bytes.len() as u64)] {
                let error = decode(&bytes, length, &[sizes], 64).unwrap_err();
                let error = Error::of_body(error);
                assert_eq!(error.kind(), ErrorKind::Malformed, "{what}");
                assert!(error.to_string().contains(message), "{what}: {error}");
            }
        }
    }
}

/// A stream that the connection cut is a broken connection, and can be asked for again. One
/// that the server sent short, with its length, is not.
#[test]
fn every_cut_is_an_error() {
    let two = [
        member(GzBuilder::new().filename("a"), TEXT, 6),
        gzip(TEXT, 0),
    ]
    .concat();
    let border = two.len() - gzip(TEXT, 0).len();
    for cut in 1..two.len() {
        let bytes = &two[..cut];
        let of_length = |length: Option<usize>| {
            decode(bytes, length.map(|length| length as u64), &[5], 64).map_err(kind)
        };
        // The end of the connection is the end of the body: of two members, the first is a body.
        let unknown = of_length(None);
        match cut == border {
            true => assert_eq!(unknown.unwrap(), TEXT),
            false => assert_eq!(unknown.unwrap_err(), ErrorKind::Truncated, "{cut}"),
        }
        assert_eq!(
            of_length(Some(two.len())).unwrap_err(),
            ErrorKind::Truncated,
            "{cut}"
        );
        if cut != border {
            assert_eq!(
                of_length(Some(cut)).unwrap_err(),
                ErrorKind::Malformed,
                "{cut}"
            );
        }
    }
}

/// Repeats its bytes, and counts how many were read.
struct Endless(
    &'static [u8],
    Vec<u8>,
    std::sync::Arc<std::sync::atomic::AtomicU64>,
);

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            self.1 = self.0.to_vec();
        }
        let length = buf.len().min(self.1.len());
        buf[..length].copy_from_slice(&self.1[..length]);
        self.1.drain(..length);
        self.2
            .fetch_add(length as u64, std::sync::atomic::Ordering::SeqCst);
        Ok(length)
    }
}

#[test]
fn bytes_that_come_to_nothing_end() {
    const EMPTY_MEMBER: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0";
    assert_eq!(whole(EMPTY_MEMBER).unwrap(), b"");
    for (what, start, piece) in [
        (
            "a name",
            &b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"[..],
            &b"name"[..],
        ),
        ("a comment", b"\x1f\x8b\x08\x10\0\0\0\0\0\xff", b"words"),
        ("empty members", b"", EMPTY_MEMBER),
        (
            "empty stored blocks",
            b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
            b"\0\0\0\xff\xff",
        ),
    ] {
        let read = std::sync::Arc::default();
        let body = Endless(piece, start.to_vec(), std::sync::Arc::clone(&read));
        let mut gzip = Gzip::new(Box::new(body), None);
        let error = Error::of_body(gzip.read(&mut [0; 64]).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Malformed, "{what}");
        assert!(
            error.to_string().contains("comes to nothing"),
            "{what}: {error}"
        );
        let read = read.load(std::sync::atomic::Ordering::SeqCst);
        assert!(read <= MAX_IDLE + 2 * PIECE as u64, "{what}: {read} bytes");
    }
}

/// The most that stored blocks and flushes after every few bytes add is no attack.
#[test]
fn data_that_does_not_compress_is_read() {
    let noise: Vec<u8> = (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    assert_eq!(whole(&gzip(&noise, 0)).unwrap(), noise);
    assert_eq!(whole(&gzip(&noise, 9)).unwrap(), noise);
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::fast());
    for piece in noise.chunks(16) {
        encoder.write_all(piece).unwrap();
        encoder.flush().unwrap();
    }
    assert_eq!(whole(&encoder.finish().unwrap()).unwrap(), noise);
}

/// Texts that compress well, badly and not at all, longer than the window.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        (any::<u8>(), 0..40_000_usize).prop_map(|(byte, length)| vec![byte; length]),
        ("[a-z]{1,20}", 1..3_000_usize).prop_map(|(word, times)| word.repeat(times).into_bytes()),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_in_any_pieces_are_read_back(
        members in prop::collection::vec((data(), 0..10_u32), 1..3),
        sizes in prop::collection::vec(prop_oneof![1..20_usize, 1..9_000_usize], 1..5),
        buf in prop_oneof![1..50_usize, 1..70_000_usize],
        with_length in any::<bool>(),
    ) {
        let bytes: Vec<u8> = members.iter().flat_map(|(data, level)| gzip(data, *level)).collect();
        let text: Vec<u8> = members.iter().flat_map(|(data, _)| data.clone()).collect();
        let length = with_length.then_some(bytes.len() as u64);
        prop_assert!(decode(&bytes, length, &sizes, buf).unwrap() == text);
    }

    #[test]
    fn any_cut_and_any_other_byte_is_an_error(
        data in data(),
        level in 0..10_u32,
        cut in any::<prop::sample::Index>(),
        mask in 1..=255_u8,
        size in 1..9_000_usize,
    ) {
        let bytes = gzip(&data, level);
        let at = cut.index(bytes.len());
        if at > 0 {
            let error = decode(&bytes[..at], None, &[size], 4096).map_err(kind);
            prop_assert_eq!(error.map(|text| text.len()), Err(ErrorKind::Truncated));
        }
        // Whatever one byte is changed to: the same text, from bits that carry nothing, or an
        // error. Time, compressor and system are not checked.
        let mut changed = bytes.clone();
        changed[at] ^= mask;
        match decode(&changed, None, &[size], 4096) {
            Ok(text) => prop_assert!(text == data),
            Err(error) => {
                let kind = kind(error);
                prop_assert!(matches!(kind, ErrorKind::Truncated | ErrorKind::Malformed), "{:?}", kind);
            }
        }
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), size in 1..50_usize) {
        let start = [&b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..], &bytes].concat();
        for bytes in [bytes, start] {
            if let Err(error) = decode(&bytes, None, &[size], 100) {
                let kind = kind(error);
                prop_assert!(matches!(kind, ErrorKind::Truncated | ErrorKind::Malformed), "{:?}", kind);
            }
        }
    }
}
