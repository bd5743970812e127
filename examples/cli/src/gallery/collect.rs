//! Turns the posts of a listing into those of the gallery, and downloads their files.

use super::json::{self, Child, File, Post};
use super::keep::Kept;
use super::merge::merge;
use super::page::{self, Profile};
use super::plan::{Node, Planned, picture_stem};
use super::{Outcome, Report, image, text};
use crate::dates::rfc3339;
use crate::store::directory::Directory;
use crate::store::fetch::Fetch;
use crate::store::names::{POSTER, Want, base};
use mingram::transport::SystemClock;
use mingram::{Api, MediaField as M, MediaType, User, UserField as U};
use std::collections::HashSet;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often a call is retried, and a download that broke resumed without progress.
pub const RETRIES: u32 = 4;

/// The time limit of an attempt at a file.
const ATTEMPT: Duration = Duration::from_secs(300);

/// After this many files in a row whose host could not be reached, the rest is not tried.
const MAX_UNREACHED: u32 = 10;

/// Downloads the files of each post.
pub struct Collector<'a> {
    pub api: &'a Api,
    pub folder: &'a Directory,
    pub kept: &'a Kept<'a>,
    pub report: &'a mut Report,
    /// Files in a row whose host could not be reached.
    unreached: u32,
    /// The children that their albums lack now.
    pub absent: Vec<String>,
    /// What did not come, and may be resumed: the stems without their directory.
    pub unfinished: HashSet<String>,
}

/// A file to have.
struct Wanted<'a> {
    stem: &'a str,
    /// It is here, under this path.
    held: Option<&'a str>,
    url: Option<&'a str>,
    want: Want,
    published: Option<SystemTime>,
    renew: &'a dyn Fn() -> mingram::Result<Option<String>>,
}

impl<'a> Collector<'a> {
    pub fn new(
        api: &'a Api,
        folder: &'a Directory,
        kept: &'a Kept<'a>,
        report: &'a mut Report,
    ) -> Collector<'a> {
        Collector {
            api,
            folder,
            kept,
            report,
            unreached: 0,
            absent: Vec::new(),
            unfinished: HashSet::new(),
        }
    }

    /// The picture of the profile, or the one before.
    pub fn picture(&mut self, user: &User) -> Outcome<Option<File>> {
        let (api, url) = (self.api, user.profile_picture_url.as_deref());
        let mut picture = None;
        if let Some(stem) = picture_stem(user) {
            picture = self.file(&Wanted {
                stem: &stem,
                held: self.folder.find(&stem).as_deref(),
                url,
                want: Want::Picture,
                published: None,
                renew: &|| Ok(api.me([U::Id, U::ProfilePictureUrl])?.profile_picture_url),
            })?;
        }
        let before = self.kept.profile_picture();
        Ok(picture.or_else(|| before.and_then(|name| self.look(name))))
    }

    /// Takes in a post of the listing, with what an earlier run has of it. `None` if there is
    /// nothing to show.
    pub fn post(&mut self, planned: &Planned) -> Outcome<Option<Post>> {
        let missing = self.report.missing.len();
        let before = self.kept.post(&planned.media.id);
        if let Some(why) = &planned.trouble {
            self.report
                .missing
                .push(format!("{}_*: {why}", planned.own.stem));
        }
        let is_album = planned.is_album();
        let children = match is_album {
            true => self.children(planned, before)?,
            false => Vec::new(),
        };
        let mut files = Vec::new();
        if children.is_empty() && (planned.trouble.is_none() || planned.own.has_file()) {
            files = self.files(&planned.own)?;
        }
        let held = before.filter(|_| files.is_empty());
        files.extend(held.into_iter().flat_map(|post| post.files.clone()));
        let mut post = describe(planned, before, files, children);
        post.set_cover();
        let counts = &mut self.report.listing;
        counts.listed += 1;
        let shown = !post.files.is_empty();
        match self.report.missing.len() > missing {
            true => counts.missing += 1,
            false if shown => counts.shown += 1,
            false => counts.unavailable += 1,
        }
        Ok(Some(post).filter(|_| shown))
    }

    /// The children of an album: those that are listed, and those of an earlier run.
    fn children(&mut self, planned: &Planned, before: Option<&Post>) -> Outcome<Vec<Child>> {
        let mut children = Vec::new();
        for node in &planned.children {
            let files = self.files(node)?;
            if !files.is_empty() {
                let kind = json::kind(&files, node.is_video);
                let id = node.id.clone();
                children.push(Child { id, kind, files });
            }
        }
        let Some(before) = before else {
            return Ok(children);
        };
        let is_listed = |id: &str| planned.children.iter().any(|node| node.id == id);
        let absent = before.children.iter().map(|child| &child.id);
        if planned.is_complete() {
            self.absent
                .extend(absent.filter(|id| !is_listed(id)).cloned());
        }
        Ok(merge(children, before.children.clone(), |child| &child.id))
    }

    /// The picture, or the poster and the video.
    fn files(&mut self, node: &Node) -> Outcome<Vec<File>> {
        let (api, id) = (self.api, node.id.as_str());
        let main = self.file(&Wanted {
            stem: &node.stem,
            held: node.held.as_deref(),
            url: node.url.as_deref(),
            // It is shown as what it is.
            want: Want::Either,
            published: node.published,
            renew: &|| Ok(api.media(id, [M::Id, M::MediaUrl])?.media_url),
        })?;
        if main.is_none() && !node.has_file() {
            let what = format!("{}: the service gives no URL for it", node.stem);
            self.report.unavailable.push(what);
        }
        let mut files = Vec::new();
        if main.as_ref().is_none_or(|file| file.kind == json::VIDEO) {
            files.extend(self.file(&Wanted {
                stem: &format!("{}{POSTER}", node.stem),
                held: node.poster.as_deref(),
                url: node.poster_url.as_deref(),
                want: Want::Picture,
                published: node.published,
                renew: &|| Ok(api.media(id, [M::Id, M::ThumbnailUrl])?.thumbnail_url),
            })?);
        }
        files.extend(main);
        Ok(files)
    }

    /// A file, which is downloaded if it is not here. `None` if it cannot be.
    fn file(&mut self, wanted: &Wanted<'_>) -> Outcome<Option<File>> {
        let Some(url) = wanted.url.filter(|_| wanted.held.is_none()) else {
            return Ok(wanted.held.and_then(|name| self.look(name.to_owned())));
        };
        let fetched = Fetch {
            api: self.api,
            folder: self.folder,
            stem: wanted.stem,
            want: wanted.want,
            published: wanted.published,
            retries: RETRIES,
            time: ATTEMPT,
            renew: wanted.renew,
            begin: &|_| {},
            piece: &|_| true,
            clock: &SystemClock,
        }
        .run(url);
        let placed = fetched.and_then(|fetched| {
            let name = fetched.name.clone();
            fetched.place(self.folder).map(|()| name)
        });
        match placed {
            Ok(name) => {
                self.unreached = 0;
                self.report.downloaded += 1;
                Ok(self.look(name))
            }
            Err(failure) => {
                self.unreached = failure.unreached_after(self.unreached);
                if failure.is_fatal() || self.unreached >= MAX_UNREACHED {
                    return Err(failure);
                }
                self.unfinished.insert(base(wanted.stem).to_owned());
                self.report
                    .missing
                    .push(format!("{}: {failure}", wanted.stem));
                Ok(None)
            }
        }
    }

    /// What a file is. `None` if it is not there any more.
    fn look(&self, path: String) -> Option<File> {
        let place = self.folder.join(&path);
        let size = fs::metadata(&place).ok()?.len();
        let (width, height) = image::size(&place).unzip();
        let extension = path.rsplit('.').next().unwrap_or_default();
        let is_video = Want::Video.takes(extension);
        Some(File {
            kind: if is_video { json::VIDEO } else { json::IMAGE }.to_owned(),
            path,
            size,
            width,
            height,
        })
    }
}

/// The profile: what the service says, or else what it said before.
pub fn profile(kept: &mut Kept<'_>, user: &User) -> Profile {
    let mut text = |key: &str, said: &Option<String>| kept.text(key, said.as_ref());
    Profile {
        id: user.user_id.clone().unwrap_or_else(|| user.id.clone()),
        username: text("username", &user.username).unwrap_or_default(),
        name: text("name", &user.name).unwrap_or_default(),
        biography: text("biography", &user.biography).unwrap_or_default(),
        website: text("website", &user.website),
        picture: None,
    }
}

/// When a post was published, or was before.
pub fn published(planned: &Planned, before: Option<&Post>) -> Option<String> {
    let published = planned.own.published.filter(|&at| at >= UNIX_EPOCH);
    published.map(rfc3339).or_else(|| before?.published.clone())
}

/// What is said of a post. What the service leaves out is as before.
fn describe(
    planned: &Planned,
    before: Option<&Post>,
    files: Vec<File>,
    children: Vec<Child>,
) -> Post {
    let media = &planned.media;
    let is_video = media.media_type == Some(MediaType::Video);
    let kind = match children.is_empty() {
        true => json::kind(&files, is_video),
        false => json::ALBUM.to_owned(),
    };
    let published = published(planned, before);
    let caption = media
        .caption
        .clone()
        .or_else(|| Some(before?.caption.clone()));
    let caption = caption.unwrap_or_default();
    let permalink = text::link(media.permalink.as_deref()).map(str::to_owned);
    let given = media.alt_text.as_deref().map(text::line);
    let given = given.filter(|alt| !alt.is_empty());
    let same = before.filter(|before| before.caption == caption && !before.alt.is_empty());
    let alt = given.or_else(|| Some(same?.alt.clone()));
    let alt = alt.unwrap_or_else(|| text::first_sentence(&caption));
    Post {
        id: media.id.clone(),
        alt: match alt.is_empty() {
            true => page::untitled(&kind, published.as_deref()),
            false => alt,
        },
        published,
        caption,
        permalink: permalink.or_else(|| before?.permalink.clone()),
        kind,
        files,
        children,
    }
}
