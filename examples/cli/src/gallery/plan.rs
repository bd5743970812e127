//! What the posts of a listing have on the disk, and what is to be downloaded.

use super::json::MEDIA;
use super::{Outcome, UNFINISHED};
use crate::account::listing::{self, take_children};
use crate::store::directory::Directory;
use crate::store::index::{Held, Index};
use crate::store::names::{self, POSTER, file_name, is_id};
use mingram::{Media, MediaType, User};
use std::time::SystemTime;

/// How the name of the profile picture begins.
const PROFILE: &str = "profile_";

/// A media with files: a post, or a child of an album.
pub struct Node {
    pub id: String,
    /// What the service says it is.
    pub is_video: bool,
    /// What the paths of its files begin with.
    pub stem: String,
    /// The paths of the files that are here.
    pub held: Option<String>,
    pub poster: Option<String>,
    pub url: Option<String>,
    pub poster_url: Option<String>,
    pub published: Option<SystemTime>,
}

impl Node {
    fn new(media: &Media, held: Held, stem: String) -> Node {
        let path = |name: String| format!("{MEDIA}/{name}");
        // A directory of a year is a backup's.
        let known = held.stem.filter(|stem| !stem.contains('/'));
        Node {
            id: media.id.clone(),
            is_video: media.media_type == Some(MediaType::Video),
            stem: path(known.unwrap_or(stem)),
            held: held.file.map(path),
            poster: held.poster.map(path),
            url: media.media_url.clone(),
            poster_url: media.thumbnail_url.clone(),
            published: media.published_at(),
        }
    }

    /// Whether its file is here or can come.
    pub fn has_file(&self) -> bool {
        self.held.is_some() || self.url.is_some()
    }

    /// The paths, without extensions, of what is to be downloaded.
    fn wanted(&self) -> impl Iterator<Item = String> {
        let file = self.url.is_some() && self.held.is_none();
        let poster = self.poster_url.is_some() && self.poster.is_none();
        let file = file.then(|| self.stem.clone());
        let poster = poster.then(|| format!("{}{POSTER}", self.stem));
        file.into_iter().chain(poster)
    }
}

/// A post of the listing.
pub struct Planned {
    pub media: Media,
    /// Why children may be missing.
    pub trouble: Option<String>,
    pub own: Node,
    pub children: Vec<Node>,
}

impl Planned {
    pub fn is_album(&self) -> bool {
        let kind = &self.media.media_type;
        *kind == Some(MediaType::CarouselAlbum) || !self.children.is_empty()
    }

    /// Whether all children of an album came. None at all says nothing.
    pub fn is_complete(&self) -> bool {
        self.trouble.is_none() && !self.children.is_empty()
    }

    pub fn wanted(&self) -> impl Iterator<Item = String> {
        // An album needs a file of its own only if it has no children.
        let own = Some(&self.own).filter(|_| self.children.is_empty());
        let nodes = self.children.iter().chain(own);
        nodes.flat_map(Node::wanted)
    }
}

/// Looks for the files of the posts. What has an id that cannot be part of a name goes into
/// `refused`.
pub fn plan(
    folder: &Directory,
    posts: Vec<listing::Post>,
    refused: &mut dyn FnMut(&str),
) -> Outcome<Vec<Planned>> {
    let media = folder.join(MEDIA);
    let mut index = Index::read(&Directory::look(&media, UNFINISHED))?;
    let mut planned = Vec::new();
    for listing::Post { mut media, trouble } in posts {
        if !is_id(&media.id) {
            refused(&media.id);
            continue;
        }
        let stem = names::stem(media.published_at(), &media.id);
        let own = Node::new(&media, index.post(&media.id), stem);
        let mut children = Vec::new();
        let mut wrong = trouble;
        for (i, child) in take_children(&mut media).iter().enumerate() {
            if !is_id(&child.id) {
                wrong.get_or_insert_with(|| not_an_id(&child.id));
                continue;
            }
            let held = index.child(&media.id, &child.id);
            let stem = names::child_stem(names::base(&own.stem), i, &child.id);
            let node = Node::new(child, held, stem);
            // Children do not always say when.
            let published = node.published.or(own.published);
            children.push(Node { published, ..node });
        }
        planned.push(Planned {
            media,
            trouble: wrong,
            own,
            children,
        });
    }
    Ok(planned)
}

/// Why something is missing.
pub fn not_an_id(id: &str) -> String {
    format!("{}: an id that is not a number", names::shown(id))
}

/// Where the profile picture lies. Another picture has another name at the service.
pub fn picture_stem(user: &User) -> Option<String> {
    let url = user.profile_picture_url.as_deref()?;
    Some(format!("{MEDIA}/{PROFILE}{:016x}", hash(file_name(url))))
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
