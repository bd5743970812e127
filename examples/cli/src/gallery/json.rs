//! The posts of a gallery, and `instagram.json`, which holds them for site generators.

use super::text;
use crate::store::directory::Directory;
use crate::store::names::{self, EXTENSIONS, POSTER, base, is_id, is_stem};
use miniserde::json::{self, Value};
use miniserde::{Deserialize, Serialize};

/// The kinds of files and posts.
pub const IMAGE: &str = "image";
pub const VIDEO: &str = "video";
pub const ALBUM: &str = "album";

/// A picture or video in the folder.
#[derive(Clone, Serialize, Deserialize)]
pub struct File {
    /// Relative to the folder, with slashes: `media/2026-11-21_17895695668004550.jpg`.
    pub path: String,
    /// `image` or `video`.
    pub kind: String,
    /// In bytes.
    pub size: u64,
    /// In pixels; `None` if the file does not say.
    pub width: Option<u32>,
    pub height: Option<u32>,
}

/// A picture or video of an album.
#[derive(Clone, Serialize, Deserialize)]
pub struct Child {
    pub id: String,
    pub kind: String,
    pub files: Vec<File>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Post {
    pub id: String,
    /// In UTC: `2026-11-21T07:12:00Z`.
    pub published: Option<String>,
    pub caption: String,
    pub alt: String,
    pub permalink: Option<String>,
    /// `image`, `video` or `album`.
    pub kind: String,
    /// First the picture to show: the image, the poster of a video, or the cover of an
    /// album. Then the video.
    pub files: Vec<File>,
    /// The pictures and videos of an album; empty for other posts.
    pub children: Vec<Child>,
}

/// The first picture among the files.
pub fn still(files: &[File]) -> Option<&File> {
    files.iter().find(|file| file.kind == IMAGE)
}

/// The video among the files.
pub fn video(files: &[File]) -> Option<&File> {
    files.iter().find(|file| file.kind == VIDEO)
}

/// What is shown of these files. A video may have nothing but its poster.
pub fn kind(files: &[File], is_video: bool) -> String {
    let only_poster = || is_video && files.iter().all(|file| is_poster(&file.path));
    match video(files).is_some() || only_poster() {
        true => VIDEO.to_owned(),
        false => IMAGE.to_owned(),
    }
}

fn is_poster(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(stem, _)| stem.ends_with(POSTER))
}

impl Post {
    /// Makes the first picture of an album its cover.
    pub fn set_cover(&mut self) {
        if self.children.is_empty() {
            return;
        }
        let first = self.children.iter().find_map(|child| still(&child.files));
        let first = first.or(self.children.first().and_then(|child| child.files.first()));
        self.files = first.into_iter().cloned().collect();
    }

    /// Every path that the post refers to.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let children = self.children.iter().flat_map(|child| &child.files);
        self.files
            .iter()
            .chain(children)
            .map(|file| file.path.as_str())
    }
}

/// One array, one post to a line.
pub fn write(posts: &[Post]) -> String {
    let lines: Vec<String> = posts.iter().map(json::to_string).collect();
    match lines.is_empty() {
        true => "[]\n".to_owned(),
        false => format!("[\n{}\n]\n", lines.join(",\n")),
    }
}

/// The directory of the files.
pub const MEDIA: &str = "media";

/// The posts that an earlier run has written, without the files that are not there any more;
/// and whether something in the text was not understood.
pub fn read(folder: &Directory, text: &[u8]) -> (Vec<Post>, bool) {
    let all = std::str::from_utf8(text).ok();
    // Some editors put a byte order mark in front.
    let all = all.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
    let Some(Value::Array(all)) = all.and_then(|text| json::from_str(text).ok()) else {
        return (Vec::new(), true);
    };
    let mut damaged = false;
    let posts = all.iter().filter_map(|value| {
        let post = json::from_str(&json::to_string(value)).ok();
        let post = post.filter(|post: &Post| is_id(&post.id));
        damaged |= post.is_none();
        post
    });
    let mut posts: Vec<Post> = posts.collect();
    for post in &mut posts {
        let is_there = |file: &File| is_ours(&file.path) && folder.join(&file.path).is_file();
        post.files.retain(is_there);
        for child in &mut post.children {
            child.files.retain(is_there);
        }
        let children = &mut post.children;
        children.retain(|child| is_id(&child.id) && !child.files.is_empty());
        post.permalink = text::link(post.permalink.as_deref()).map(str::to_owned);
        let is_time = |at: &String| at.bytes().all(|byte| b"0123456789-:TZ".contains(&byte));
        post.published = post.published.take().filter(is_time);
    }
    posts.retain(|post| !post.files.is_empty() || !post.children.is_empty());
    (posts, damaged)
}

/// Whether a path is one that the gallery gives a picture or video.
fn is_ours(path: &str) -> bool {
    let Some(inside) = path.strip_prefix("media/") else {
        return false;
    };
    let is_inside = inside
        .split_once('/')
        .is_none_or(|(year, name)| names::is_year(year) && !name.contains('/'));
    is_inside
        && base(inside)
            .rsplit_once('.')
            .is_some_and(|(stem, extension)| is_stem(stem) && EXTENSIONS.contains(&extension))
}
