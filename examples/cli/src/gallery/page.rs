//! `index.html`: one page without scripts, which works from a folder.

use super::json::{File, Post, still, video};
use super::text::{caption, date, escape, line, link};

const STYLE: &str = include_str!("style.css");

/// The page's own mark, by which a later run recognises it.
pub const GENERATOR: &str = r#"<meta name="generator" content="mingram gallery">"#;

const CLOSE: &str =
    r#"<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M5 5l14 14M19 5L5 19"/></svg>"#;
const NEWER: &str =
    r#"<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M15 4l-8 8 8 8"/></svg>"#;
const OLDER: &str = r#"<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9 4l8 8-8 8"/></svg>"#;

/// The account at the top of the page.
#[derive(Default)]
pub struct Profile {
    pub id: String,
    pub username: String,
    pub name: String,
    pub biography: String,
    pub website: Option<String>,
    pub picture: Option<File>,
}

impl Profile {
    pub fn display_name(&self) -> &str {
        if self.name.is_empty() {
            &self.username
        } else {
            &self.name
        }
    }

    pub fn title(&self) -> String {
        match self.name.is_empty() {
            true => format!("@{}", self.username),
            false => format!("{} (@{})", self.name, self.username),
        }
    }

    pub fn url(&self) -> String {
        format!(
            "https://www.instagram.com/{}/",
            super::text::encode(&self.username)
        )
    }
}

/// What a post is called where there is room for one line.
pub fn heading(post: &Post) -> String {
    let sentence = super::text::first_sentence(&post.caption);
    match sentence.is_empty() {
        true => untitled(&post.kind, post.published.as_deref()),
        false => sentence,
    }
}

/// `Photo of 21 November 2026`
pub fn untitled(kind: &str, published: Option<&str>) -> String {
    let what = match kind {
        "album" => "Album",
        "video" => "Video",
        _ => "Photo",
    };
    match published.and_then(date) {
        Some(date) => format!("{what} of {date}"),
        None => what.to_owned(),
    }
}

pub fn write(profile: &Profile, posts: &[Post]) -> String {
    let title = escape(&line(&profile.title()));
    let style: String = STYLE
        .lines()
        .map(|line| line.trim_start().to_owned() + "\n")
        .collect();
    let icon = match &profile.picture {
        Some(picture) => escape(&picture.path),
        None => "data:,".to_owned(),
    };
    let mut out = format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{}">
{GENERATOR}
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="script-src 'none'; object-src 'none'; base-uri 'none'">
<link rel="icon" href="{icon}">
<link rel="alternate" type="application/atom+xml" title="{title}" href="feed.xml">
<style>
{style}</style>
</head>
<body>
"#,
        escape(&line(&profile.biography)),
    );
    header(&mut out, profile);
    out += "<main>\n<ul class=\"grid\">\n";
    for (i, post) in posts.iter().enumerate() {
        tile(&mut out, post, i);
    }
    let count = match posts.len() {
        1 => "1 post".to_owned(),
        count => format!("{count} posts"),
    };
    out += &format!(
        "</ul>\n</main>\n<footer>\n<p>{count} · <a href=\"feed.xml\">Feed</a></p>\n</footer>\n"
    );
    for (i, one) in posts.iter().enumerate() {
        let newer = i.checked_sub(1).and_then(|i| posts.get(i));
        post(&mut out, one, newer, posts.get(i + 1));
    }
    out + "</body>\n</html>\n"
}

fn header(out: &mut String, profile: &Profile) {
    *out += "<header class=\"profile\">\n";
    if let Some(picture) = &profile.picture {
        *out += &format!(
            "<img src=\"{}\" alt=\"\"{}>\n",
            escape(&picture.path),
            size(picture)
        );
    }
    *out += &format!(
        "<div>\n<h1 dir=\"auto\">{}</h1>\n<p class=\"handle\"><a href=\"{}\" rel=\"noopener\">@{}</a></p>\n",
        escape(&line(profile.display_name())),
        escape(&profile.url()),
        escape(&profile.username),
    );
    if !profile.biography.is_empty() {
        let biography = escape(profile.biography.trim());
        *out += &format!("<p class=\"bio\" dir=\"auto\">{biography}</p>\n");
    }
    if let Some(website) = link(profile.website.as_deref()) {
        let (_, shown) = website.split_once("://").unwrap_or_default();
        *out += &format!(
            "<p class=\"site\"><a href=\"{}\" rel=\"noopener\">{}</a></p>\n",
            escape(website),
            escape(shown.trim_end_matches('/'))
        );
    }
    *out += "</div>\n</header>\n";
}

/// ` width="640" height="800"`, so that nothing moves while the file loads.
fn size(file: &File) -> String {
    match (file.width, file.height) {
        (Some(width), Some(height)) => format!(r#" width="{width}" height="{height}""#),
        _ => String::new(),
    }
}

fn image(file: &File, alt: &str, lazy: bool) -> String {
    let lazy = if lazy { r#" loading="lazy""# } else { "" };
    let (path, alt, size) = (escape(&file.path), escape(alt), size(file));
    format!(r#"<img src="{path}" alt="{alt}"{size}{lazy} decoding="async">"#)
}

fn tile(out: &mut String, post: &Post, index: usize) {
    let id = &post.id;
    let picture = match (still(&post.files), video(&post.files)) {
        // The first rows are visible at once.
        (Some(file), _) => image(file, &post.alt, index >= 8),
        (None, Some(file)) => format!(
            r#"<video src="{}" preload="metadata" muted playsinline aria-label="{}"{}></video>"#,
            escape(&file.path),
            escape(&post.alt),
            size(file)
        ),
        (None, None) => String::new(),
    };
    let mark = match post.kind.as_str() {
        "album" => format!(
            r#"<span class="count" aria-hidden="true">1/{0}</span><span class="hidden">, album of {0}</span>"#,
            post.children.len()
        ),
        "video" => r#"<span class="play"></span><span class="hidden">, video</span>"#.to_owned(),
        _ => String::new(),
    };
    *out +=
        &format!("<li><a class=\"tile\" id=\"t{id}\" href=\"#p{id}\">{picture}{mark}</a></li>\n");
}

/// A picture or video in full.
fn full(files: &[File], alt: &str) -> String {
    let picture = still(files);
    let Some(video) = video(files) else {
        return picture.map_or(String::new(), |file| image(file, alt, true));
    };
    let poster = picture.map(|file| format!(r#" poster="{}""#, escape(&file.path)));
    // Without a poster the first frame is shown.
    let preload = if picture.is_some() {
        "none"
    } else {
        "metadata"
    };
    format!(
        r#"<video src="{}"{} controls playsinline preload="{preload}" aria-label="{}"{}></video>"#,
        escape(&video.path),
        poster.unwrap_or_default(),
        escape(alt),
        size(video),
    )
}

/// A post in full, which is shown when it is the target of the page's address.
fn post(out: &mut String, post: &Post, newer: Option<&Post>, older: Option<&Post>) {
    let id = &post.id;
    *out += &format!(
        "<article class=\"post\" id=\"p{id}\" tabindex=\"-1\" aria-label=\"{}\">\n<a class=\"close\" href=\"#t{id}\" aria-label=\"Close\">{CLOSE}</a>\n",
        escape(&untitled(&post.kind, post.published.as_deref())),
    );
    *out += "<div class=\"stage\">\n";
    if post.children.is_empty() {
        *out += &(full(&post.files, &post.alt) + "\n");
    } else {
        slides(out, post);
    }
    *out += "</div>\n<div class=\"about\">\n";
    let text = caption(&post.caption);
    if !text.is_empty() {
        *out += &format!("<p class=\"caption\" dir=\"auto\">{text}</p>\n");
    }
    *out += "<p class=\"meta\">";
    if let Some((published, date)) = post
        .published
        .as_deref()
        .and_then(|at| Some((at, date(at)?)))
    {
        *out += &format!("<time datetime=\"{published}\">{date}</time>");
    }
    if let Some(permalink) = link(post.permalink.as_deref()) {
        let permalink = escape(permalink);
        *out += &format!(" <a href=\"{permalink}\" rel=\"noopener\">View on Instagram</a>");
    }
    *out += "</p>\n</div>\n<nav aria-label=\"Posts\">\n";
    for (post, class, name, arrow) in [
        (newer, "newer", "Newer post", NEWER),
        (older, "older", "Older post", OLDER),
    ] {
        if let Some(Post { id, .. }) = post {
            *out += &format!(
                "<a class=\"{class}\" href=\"#p{id}\" aria-label=\"{name}\">{arrow}</a>\n"
            );
        }
    }
    *out += "</nav>\n</article>\n";
}

/// The pictures and videos of an album, side by side, and links to each of them.
fn slides(out: &mut String, post: &Post) {
    let (id, count) = (&post.id, post.children.len());
    *out += &format!("<ol class=\"slides\" tabindex=\"0\" aria-label=\"Album of {count}\">\n");
    for (i, child) in post.children.iter().enumerate() {
        let i = i + 1;
        let alt = format!("{} ({i} of {count})", post.alt);
        *out += &format!("<li id=\"p{id}-{i}\">{}</li>\n", full(&child.files, &alt));
    }
    *out += "</ol>\n<ol class=\"thumbs\">\n";
    for (i, child) in post.children.iter().enumerate() {
        let i = i + 1;
        let name = format!("{i} of {count}");
        let picture = match still(&child.files) {
            Some(file) => image(file, &name, true),
            None => format!("<span>{name}</span>"),
        };
        *out += &format!("<li><a href=\"#p{id}-{i}\">{picture}</a></li>\n");
    }
    *out += "</ol>\n";
}
