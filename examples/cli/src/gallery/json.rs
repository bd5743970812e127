//! The posts of a gallery, and `instagram.json`, which holds them for site generators.

use miniserde::{Serialize, json};

/// A picture or video in the folder.
#[derive(Clone, Serialize)]
pub struct File {
    /// Relative to the folder, with slashes: `media/2026-11-21_17895695668004550.jpg`.
    pub path: String,
    /// `image` or `video`.
    pub kind: &'static str,
    /// In bytes.
    pub size: u64,
    /// In pixels; `None` if the file does not say.
    pub width: Option<u32>,
    pub height: Option<u32>,
}

/// A picture or video of an album.
#[derive(Serialize)]
pub struct Child {
    pub id: String,
    pub kind: &'static str,
    pub files: Vec<File>,
}

#[derive(Serialize)]
pub struct Post {
    pub id: String,
    /// In UTC: `2026-11-21T07:12:00Z`.
    pub published: Option<String>,
    pub caption: String,
    pub alt: String,
    pub permalink: Option<String>,
    /// `image`, `video` or `album`.
    pub kind: &'static str,
    /// First the picture to show: the image, the poster of a video, or the cover of an
    /// album. Then the video.
    pub files: Vec<File>,
    /// The pictures and videos of an album; empty for other posts.
    pub children: Vec<Child>,
}

/// The first picture among the files.
pub fn still(files: &[File]) -> Option<&File> {
    files.iter().find(|file| file.kind == "image")
}

/// The video among the files.
pub fn video(files: &[File]) -> Option<&File> {
    files.iter().find(|file| file.kind == "video")
}

impl Post {
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
