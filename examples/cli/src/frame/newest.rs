//! The newest pictures of the account.

use super::list::{List, stem};
use crate::account::fields::Fields;
use crate::account::listing::{self, Listed, Listing, take_children};
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::store::index::{Held, Index};
use crate::store::names::{self, Want, is_id};
use mingram::{Api, Media, MediaType};
use std::collections::HashSet;
use std::fs;
use std::time::SystemTime;

/// Which pictures of an album.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Albums {
    First,
    All,
}

/// A picture to show.
pub struct Picture {
    pub id: String,
    pub stem: String,
    pub url: Option<String>,
    /// Its file is here.
    pub is_here: bool,
    pub published: Option<SystemTime>,
}

/// What a listing says.
#[derive(Default)]
pub struct Newest {
    pub pictures: Vec<Picture>,
    /// The ids of the posts that were listed, and of their children.
    pub seen: HashSet<String>,
    /// The albums among them whose children may be missing.
    pub open: HashSet<String>,
    /// The posts that were listed, and are beyond the count.
    pub beyond: HashSet<String>,
    /// It ended at the count, and not at the end of the account.
    pub is_cut: bool,
    /// Every post in it could be read.
    pub is_sound: bool,
    /// When the posts up to the count were published, in their order.
    published: Vec<Option<SystemTime>>,
    /// What the service gives no file for: names without extensions.
    pub unavailable: Vec<String>,
    /// Something in it that does not come.
    pub trouble: Option<Failure>,
}

/// Lists the newest pictures that have a file, except those that stay away. The second is why
/// an empty list is not believed, for a number of media.
pub fn newest<'a>(
    api: &'a Api,
    folder: &Directory,
    index: &mut Index,
    list: &List,
    count: usize,
    albums: Albums,
) -> mingram::Result<(Newest, Listing<'a>)> {
    // One more than are shown tells what the last one pushes out.
    let page_size = count.min(49) as u32 + 1;
    let mut listing = Listing::new(api, Fields::picture("frame"), page_size);
    let mut newest = Newest {
        is_sound: true,
        ..Newest::default()
    };
    while let Some(listed) = listing.next() {
        match listed? {
            // Listed behind the last one that is shown.
            Listed::Post(post) if newest.is_cut => {
                newest.beyond.insert(post.media.id.clone());
                newest.seen.insert(post.media.id);
            }
            Listed::Post(mut post) => {
                let pictures = newest.pictures(&mut post, folder, index, list, albums);
                newest.add(pictures, &post, count);
            }
            Listed::Unreadable(_) if newest.is_cut => {}
            Listed::Unreadable(why) => {
                newest.is_sound = false;
                newest.trouble = Some(Failure::Content(format!("a media of the list: {why}")));
            }
        }
        if newest.pictures.len() == count {
            newest.is_cut = true;
            // Only what has come already.
            listing.stop();
        }
    }
    Ok((newest, listing))
}

impl Newest {
    fn add(&mut self, pictures: Vec<Picture>, post: &listing::Post, count: usize) {
        if let Some(why) = &post.trouble {
            let what = format!("children of {}: {why}", post.media.id);
            self.trouble = Some(Failure::Content(what));
        }
        if !is_id(&post.media.id) {
            let id: String = post.media.id.chars().take(40).collect();
            self.trouble = Some(Failure::Content(format!(
                "{id:?}: an id that is not a number"
            )));
        }
        self.published.push(post.media.published_at());
        let room = count - self.pictures.len();
        self.pictures.extend(pictures.into_iter().take(room));
    }

    /// When the oldest post up to the count was published. `None` if nothing was left out
    /// behind it, or if that is not known.
    pub fn oldest(&self) -> Option<SystemTime> {
        let is_known = self.is_cut && self.is_sound && self.published.last()?.is_some();
        let times = self.published.iter().flatten();
        times.min().copied().filter(|_| is_known)
    }

    /// The pictures of a post.
    fn pictures(
        &mut self,
        post: &mut listing::Post,
        folder: &Directory,
        index: &mut Index,
        list: &List,
        albums: Albums,
    ) -> Vec<Picture> {
        let children = take_children(&mut post.media);
        let media = &post.media;
        self.seen.insert(media.id.clone());
        self.seen
            .extend(children.iter().map(|child| child.id.clone()));
        if !is_id(&media.id) {
            return Vec::new();
        }
        let own = index.post(&media.id);
        let album = names::stem(media.published_at(), &media.id);
        let is_album = media.media_type == Some(MediaType::CarouselAlbum) || !children.is_empty();
        if !is_album {
            let picture = picture(folder, list, media, own, album, media);
            return self.choose(vec![picture], Albums::All, list);
        }
        let pictures = self.children(post, &children, &album, folder, index, list);
        let pictures = self.choose(pictures, albums, list);
        match pictures.is_empty() && children.is_empty() {
            // Its cover.
            true => self.choose(
                vec![picture(folder, list, media, own, album, media)],
                albums,
                list,
            ),
            false => pictures,
        }
    }

    /// The pictures of an album: what came, and if that may not be all, what is here of it.
    fn children(
        &mut self,
        post: &listing::Post,
        children: &[Media],
        album: &str,
        folder: &Directory,
        index: &mut Index,
        list: &List,
    ) -> Vec<Picture> {
        let (media, mut pictures) = (&post.media, Vec::new());
        let valid = children.iter().enumerate();
        for (i, child) in valid.filter(|(_, child)| is_id(&child.id)) {
            let stem = names::child_stem(album, i, &child.id);
            let held = index.child(&media.id, &child.id);
            pictures.push(picture(folder, list, child, held, stem, media));
        }
        if post.trouble.is_some() || children.is_empty() {
            self.open.insert(media.id.clone());
            let is_of_album = |name: &&String| names::post_of(stem(name)) == media.id;
            let here = list.ours.iter().filter(is_of_album);
            pictures.extend(here.map(|name| ours(name, media)));
        }
        pictures
    }

    /// Those that have a file, or will have one, without those that stay away.
    fn choose(&mut self, pictures: Vec<Picture>, albums: Albums, list: &List) -> Vec<Picture> {
        let mut chosen: Vec<Picture> = Vec::new();
        for picture in pictures {
            let is_new = |other: &Picture| other.id != picture.id;
            let mut known = self.pictures.iter().chain(&chosen);
            if !picture.is_here && picture.url.is_none() {
                self.unavailable.push(picture.stem);
            } else if known.all(is_new) {
                chosen.push(picture);
            }
            if albums == Albums::First && !chosen.is_empty() {
                break;
            }
        }
        chosen.retain(|picture| !list.away.contains(&picture.id));
        chosen
    }
}

fn picture(
    folder: &Directory,
    list: &List,
    media: &Media,
    held: Held,
    stem: String,
    post: &Media,
) -> Picture {
    let is_picture = |name: String| {
        let extension = name.rsplit('.').next().unwrap_or_default();
        Want::Picture.takes(extension) && has_bytes(folder, &name)
    };
    let url = media.image_url();
    Picture {
        id: media.id.clone(),
        stem: held.stem.unwrap_or(stem),
        url: url
            .filter(|url| !list.is_video(&media.id, url))
            .map(str::to_owned),
        is_here: held.file.is_some_and(is_picture),
        published: post.published_at(),
    }
}

/// Whether a file is there and not empty.
pub fn has_bytes(folder: &Directory, name: &str) -> bool {
    let meta = fs::metadata(folder.join(name));
    meta.is_ok_and(|meta| meta.is_file() && meta.len() > 0)
}

/// One that an earlier look has put here.
fn ours(name: &str, post: &Media) -> Picture {
    let stem = stem(name);
    Picture {
        id: names::id_of(stem).to_owned(),
        stem: stem.to_owned(),
        url: None,
        is_here: true,
        published: post.published_at(),
    }
}
