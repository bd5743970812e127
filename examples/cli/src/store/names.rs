//! The names of files: made of dates and ids, so that nothing the service says can leave
//! the directory; and their extensions, by what the files contain.

use crate::dates;
use std::time::{SystemTime, UNIX_EPOCH};

/// The bytes at the beginning of a file that tell what it is.
pub const HEAD: usize = 16;

/// The extensions of pictures and videos.
pub const EXTENSIONS: [&str; 9] = [
    "jpg", "png", "gif", "webp", "heic", "avif", "mp4", "mov", "webm",
];

/// How the stem of a video's poster ends.
pub const POSTER: &str = "_poster";

/// Whether an id is a number that is short enough for a name. Everything that goes from
/// the service into a name is checked here or is a number.
pub fn is_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// An id that is not one, for messages.
pub fn shown(id: &str) -> String {
    let id: String = id.chars().take(40).collect();
    format!("{id:?}")
}

/// `2026-11-21_17895695668004550`, or `0000-00-00_…` if the date is unknown.
pub fn stem(published: Option<SystemTime>, id: &str) -> String {
    match published.filter(|&time| time >= UNIX_EPOCH) {
        Some(time) => format!("{}_{id}", dates::day(time)),
        None => format!("0000-00-00_{id}"),
    }
}

/// The same in the directory of its year: `2026/2026-11-21_17895695668004550`.
pub fn path(published: Option<SystemTime>, id: &str) -> String {
    let stem = stem(published, id);
    let year = stem.split('-').next().unwrap_or_default();
    format!("{year}/{stem}")
}

/// A path without its directory.
pub fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The id of the node that a stem is of: the last part.
pub fn id_of(stem: &str) -> &str {
    stem.rsplit('_').next().unwrap_or_default()
}

/// The id of the post that a stem is of: the part after the date.
pub fn post_of(stem: &str) -> &str {
    base(stem).split('_').nth(1).unwrap_or_default()
}

/// Whether a directory has the name of a year.
pub fn is_year(name: &str) -> bool {
    name.len() == 4 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The stem of an album's child, which is counted from 0: `…_01_17880997618081620`.
pub fn child_stem(album: &str, index: usize, id: &str) -> String {
    format!("{album}_{:02}_{id}", index + 1)
}

/// Whether this is the stem of a picture, a video, a child or a poster.
pub fn is_stem(text: &str) -> bool {
    let mut parts = text.strip_suffix(POSTER).unwrap_or(text).split('_');
    let dated = parts.next().is_some_and(|date| {
        date.len() == 10
            && date.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    });
    let rest: Vec<&str> = parts.collect();
    dated && matches!(rest.len(), 1 | 3) && rest.iter().all(|part| is_id(part))
}

/// The name of a file at the service: the last part of the path in its URL, which stays the
/// same while the rest changes.
pub fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

/// What a file must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Want {
    Picture,
    Video,
    Either,
}

impl Want {
    /// What `media_url` leads to.
    pub fn of(media: &mingram::Media) -> Want {
        match media.media_type {
            Some(mingram::MediaType::Image) => Want::Picture,
            Some(mingram::MediaType::Video) => Want::Video,
            _ => Want::Either,
        }
    }

    pub fn takes(self, extension: &str) -> bool {
        let video = matches!(extension, "mp4" | "mov" | "webm");
        match self {
            Want::Picture => !video,
            Want::Video => video,
            Want::Either => true,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Want::Picture => "picture",
            Want::Video => "video",
            Want::Either => "picture or video",
        }
    }
}

/// The extension of a file that begins like this, if it is a picture or a video.
pub fn extension(head: &[u8]) -> Option<&'static str> {
    let brand = match head.get(4..8) {
        Some(b"ftyp") => head.get(8..12),
        _ => None,
    };
    Some(match brand {
        Some(b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1") => "heic",
        Some(b"avif" | b"avis") => "avif",
        Some(b"qt  ") => "mov",
        Some(_) => "mp4",
        None if head.starts_with(b"\xff\xd8\xff") => "jpg",
        None if head.starts_with(b"\x89PNG\r\n\x1a\n") => "png",
        None if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") => "gif",
        None if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") => "webp",
        None if head.starts_with(b"\x1a\x45\xdf\xa3") => "webm",
        None => return None,
    })
}
