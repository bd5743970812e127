//! Turns the media of an account into posts, and downloads their files.

use super::json::{self, Child, File, Post};
use super::page::{self, Profile};
use super::{Outcome, Report, image, text};
use crate::dates;
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::store::fetch::Fetch;
use crate::store::names::{self, POSTER, Want, file_name};
use mingram::transport::SystemClock;
use mingram::{Api, Media, MediaField as M, MediaType, User, UserField as U};
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often a call is retried, and a download that broke resumed without progress.
pub const RETRIES: u32 = 4;

/// The time limit of an attempt at a file.
const ATTEMPT: Duration = Duration::from_secs(300);

/// How the name of the profile picture begins.
const PROFILE: &str = "profile_";

/// The extensions of videos.
const VIDEOS: [&str; 3] = [".mp4", ".mov", ".webm"];

/// Downloads the files of each post.
pub struct Collector<'a> {
    pub api: &'a Api,
    pub folder: &'a Directory,
    pub report: &'a mut Report,
}

impl Collector<'_> {
    pub fn profile(&mut self, user: User) -> Outcome<Profile> {
        let api = self.api;
        let renew = || Ok(api.me([U::Id, U::ProfilePictureUrl])?.profile_picture_url);
        let picture = match &user.profile_picture_url {
            // Another picture has another name at the service.
            Some(url) => {
                let stem = format!("media/{PROFILE}{:016x}", hash(file_name(url)));
                self.fetch(&stem, Some(url), None, Want::Picture, &renew)?
            }
            None => None,
        };
        Ok(Profile {
            id: user.user_id.unwrap_or(user.id),
            username: user.username.unwrap_or_default(),
            name: user.name.unwrap_or_default(),
            biography: user.biography.unwrap_or_default(),
            website: user.website,
            picture,
        })
    }

    /// `None` if there is nothing to show of it.
    pub fn post(&mut self, media: &Media) -> Outcome<Option<Post>> {
        if !names::is_id(&media.id) {
            self.not_an_id(&media.id);
            return Ok(None);
        }
        let published = media.published_at().filter(|&at| at >= UNIX_EPOCH);
        let stem = format!("media/{}", names::stem(published, &media.id));
        let (mut files, mut children) = (Vec::new(), Vec::new());
        if media.media_type == Some(MediaType::CarouselAlbum) {
            for (i, child) in self.children(media)?.iter().enumerate() {
                if !names::is_id(&child.id) {
                    self.not_an_id(&child.id);
                    continue;
                }
                let files = self.files(&names::child_stem(&stem, i, &child.id), child)?;
                if !files.is_empty() {
                    let (id, kind) = (child.id.clone(), kind(child, &files));
                    children.push(Child { id, kind, files });
                }
            }
            let first = children.iter().find_map(|child| json::still(&child.files));
            files.extend(
                first
                    .or(children.first().map(|child| &child.files[0]))
                    .cloned(),
            );
        } else {
            files = self.files(&stem, media)?;
        }
        if files.is_empty() {
            return Ok(None);
        }
        let (published, kind) = (published.map(rfc3339), kind(media, &files));
        let caption = media.caption.clone().unwrap_or_default();
        let given = media.alt_text.as_deref().map(text::line);
        let given = given.filter(|alt| !alt.is_empty());
        let alt = given.unwrap_or_else(|| text::first_sentence(&caption));
        Ok(Some(Post {
            id: media.id.clone(),
            alt: match alt.is_empty() {
                true => page::untitled(kind, published.as_deref()),
                false => alt,
            },
            published,
            caption,
            permalink: text::link(media.permalink.as_deref()).map(str::to_owned),
            kind,
            files,
            children,
        }))
    }

    fn not_an_id(&mut self, id: &str) {
        let id: String = id.chars().take(40).collect();
        let what = format!("{id:?}: an id that is not a number");
        self.report.missing.push(what);
    }

    /// The children that came with an album, or else those that the service lists.
    fn children(&self, album: &Media) -> Outcome<Vec<Media>> {
        if let Some(children) = album.children.as_ref().filter(|list| !list.is_empty()) {
            return Ok(children.clone());
        }
        let children = self.api.children(&album.id, M::CHILD).into_iter();
        Ok(children.collect::<mingram::Result<_>>()?)
    }

    /// The poster and the video, or the picture.
    fn files(&mut self, stem: &str, media: &Media) -> Outcome<Vec<File>> {
        let (api, id) = (self.api, media.id.as_str());
        let published = media.published_at();
        let mut files = Vec::new();
        let poster = || Ok(api.media(id, [M::Id, M::ThumbnailUrl])?.thumbnail_url);
        let file = || Ok(api.media(id, [M::Id, M::MediaUrl])?.media_url);
        let poster_stem = format!("{stem}{POSTER}");
        let poster_url = media.thumbnail_url.as_deref();
        files.extend(self.fetch(&poster_stem, poster_url, published, Want::Picture, &poster)?);
        let url = media.media_url.as_deref();
        let picture = self.fetch(stem, url, published, Want::of(media), &file)?;
        if picture.is_none() && url.is_none() {
            let what = format!("{stem}: the service gives no URL for it");
            self.report.unavailable.push(what);
        }
        files.extend(picture);
        Ok(files)
    }

    /// The file of this stem, which is downloaded if it is not here. `None` if it cannot be.
    fn fetch(
        &mut self,
        stem: &str,
        url: Option<&str>,
        published: Option<SystemTime>,
        want: Want,
        renew: &dyn Fn() -> mingram::Result<Option<String>>,
    ) -> Outcome<Option<File>> {
        let name = match self.folder.find(stem) {
            Some(name) => name,
            None => {
                let Some(url) = url else { return Ok(None) };
                let fetched = Fetch {
                    api: self.api,
                    folder: self.folder,
                    stem,
                    want,
                    published,
                    retries: RETRIES,
                    time: ATTEMPT,
                    renew,
                    begin: &|_| {},
                    piece: &|_| true,
                    clock: &SystemClock,
                }
                .run(url);
                let name = match fetched {
                    Ok(fetched) => {
                        let name = fetched.name.clone();
                        fetched.place(self.folder)?;
                        name
                    }
                    Err(failure) if is_of_this_file(&failure) => {
                        self.report.missing.push(format!("{stem}: {failure}"));
                        return Ok(None);
                    }
                    Err(failure) => return Err(failure),
                };
                self.report.downloaded += 1;
                name
            }
        };
        let path = self.folder.join(&name);
        let size = fs::metadata(&path)
            .map_err(|error| Failure::at(&path, error))?
            .len();
        let (width, height) = image::size(&path).unzip();
        let is_video = VIDEOS.iter().any(|extension| name.ends_with(extension));
        Ok(Some(File {
            path: name,
            kind: if is_video { "video" } else { "image" },
            size,
            width,
            height,
        }))
    }
}

/// Whether other files may still come: the service refuses this one, or has something else
/// in its place.
fn is_of_this_file(failure: &Failure) -> bool {
    match failure {
        Failure::Call(error) => {
            error.is_not_found()
                || matches!(error.status(), Some(403 | 404 | 410))
                    && !error.is_token_invalid()
                    && !error.is_rate_limited()
        }
        Failure::Content(_) => true,
        _ => false,
    }
}

/// Whether a file in `media/` has the name of a profile picture.
pub fn is_profile(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.strip_prefix(PROFILE)
        .is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// `2026-11-21T07:12:00Z`
fn rfc3339(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 86_400;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", dates::day(at))
}

fn kind(media: &Media, files: &[File]) -> &'static str {
    match media.media_type {
        Some(MediaType::CarouselAlbum) => "album",
        Some(MediaType::Video) => "video",
        _ if json::video(files).is_some() => "video",
        _ => "image",
    }
}
