//! `feed.xml`, an Atom feed (RFC 4287).

use super::json::{Post, still, video};
use super::page::{Profile, heading};
use super::text::{caption, encode, escape};

/// The time of a post whose time is not known.
const UNKNOWN: &str = "1970-01-01T00:00:00Z";

/// The feed's own mark, by which a later run recognises it.
pub const GENERATOR: &str = "<generator>mingram gallery</generator>";

/// The element with the id of an account's feed.
pub fn id(user: &str) -> String {
    format!("<id>tag:instagram.com,2010:user/{}</id>", encode(user))
}

/// The element with the page of an account.
pub fn uri(username: &str) -> String {
    let profile = Profile {
        username: username.to_owned(),
        ..Profile::default()
    };
    format!("<uri>{}</uri>", escape(&profile.url()))
}

/// Links to the page, if there is one, and otherwise to Instagram.
pub fn write(profile: &Profile, posts: &[Post], has_page: bool) -> String {
    let published = posts.iter().filter_map(|post| post.published.as_deref());
    let url = escape(&profile.url());
    let mut out = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
{}
<title>{}</title>
<updated>{}</updated>
<author><name>{}</name><uri>{url}</uri></author>
{GENERATOR}
<link rel="alternate" type="text/html" href="{}"/>
<link rel="self" type="application/atom+xml" href="feed.xml"/>
"#,
        id(&profile.id),
        escape(&profile.title()),
        published.max().unwrap_or(UNKNOWN),
        escape(profile.display_name()),
        if has_page { "index.html" } else { &url },
    );
    if let Some(picture) = &profile.picture {
        out += &format!("<icon>{}</icon>\n", escape(&picture.path));
    }
    for post in posts {
        entry(&mut out, post, has_page);
    }
    out + "</feed>\n"
}

fn entry(out: &mut String, post: &Post, has_page: bool) {
    let published = post.published.as_deref().unwrap_or(UNKNOWN);
    let target = match &post.permalink {
        Some(permalink) => Some(escape(permalink)),
        None => has_page.then(|| format!("index.html#p{}", post.id)),
    };
    let link = target.map_or(String::new(), |target| {
        format!("<link rel=\"alternate\" type=\"text/html\" href=\"{target}\"/>\n")
    });
    *out += &format!(
        r#"<entry>
<id>tag:instagram.com,2010:media/{}</id>
<title>{}</title>
<published>{published}</published>
<updated>{published}</updated>
{link}<content type="html">{}</content>
</entry>
"#,
        post.id,
        escape(&heading(post)),
        escape(&content(post)),
    );
}

/// The pictures and the caption as HTML.
fn content(post: &Post) -> String {
    let mut html = String::new();
    let own = [post.files.as_slice()];
    let children: Vec<_> = post.children.iter().map(|child| &child.files[..]).collect();
    let parts = if children.is_empty() {
        &own[..]
    } else {
        &children
    };
    for files in parts {
        let picture = still(files);
        if let Some(video) = video(files) {
            let poster = picture.map(|file| format!(r#" poster="{}""#, escape(&file.path)));
            html += &format!(
                r#"<p><video controls preload="none" src="{}"{}></video></p>"#,
                escape(&video.path),
                poster.unwrap_or_default()
            );
        } else if let Some(file) = picture {
            html += &format!(
                r#"<p><img src="{}" alt="{}"></p>"#,
                escape(&file.path),
                escape(&post.alt)
            );
        }
    }
    let caption = caption(&post.caption).replace('\n', "<br>");
    if !caption.is_empty() {
        html += &format!("<p>{caption}</p>");
    }
    html
}
