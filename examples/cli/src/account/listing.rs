//! The posts of an account: lazily, each once, with complete albums.

use super::fields::Fields;
use crate::exit;
use mingram::{Api, Edge, Error, ErrorKind, Media, MediaType, Pages};
use miniserde::json::{self, Object, Value};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::SystemTime;
use std::vec;

/// Consecutive pages without anything new that are treated as an error: empty ones, or the same
/// one again and again.
const MAX_STALE_PAGES: u32 = 100;

/// Why an album has no children after something ended all requests.
const NOT_TRIED: &str = "not tried any more";

/// Why an album is not complete that has more children than came with it.
const NO_MORE: &str = "the service says that there are more, and lists none";

/// A post.
pub struct Post {
    /// With all its children, each once.
    pub media: Media,
    /// Why children may be missing.
    pub trouble: Option<String>,
}

pub enum Listed {
    Post(Box<Post>),
    /// A post that cannot be read, and why. The listing continues behind it.
    Unreadable(String),
}

/// Iterates over the posts. An error ends it; what it names is not the fault of one post.
pub struct Listing<'a> {
    api: &'a Api,
    fields: Fields,
    page_size: u32,
    since: Option<SystemTime>,
    pages: Option<Pages<Object>>,
    page: vec::IntoIter<Object>,
    /// Whether the current page has brought nothing new so far, and how many pages before it.
    is_stale: bool,
    stale_pages: u32,
    /// The ids so far: 16 bytes each.
    seen: HashSet<u128>,
    listed: u64,
    /// Set to end without another request.
    stopped: bool,
    /// What a request for children met that holds for all requests.
    fatal: Option<Error>,
    ended: bool,
    complete: bool,
}

impl<'a> Listing<'a> {
    /// All posts, with these fields.
    pub fn new(api: &'a Api, fields: Fields, page_size: u32) -> Listing<'a> {
        Listing {
            api,
            fields,
            page_size,
            since: None,
            pages: None,
            page: Vec::new().into_iter(),
            is_stale: false,
            stale_pages: 0,
            seen: HashSet::new(),
            listed: 0,
            stopped: false,
            fatal: None,
            ended: false,
            complete: true,
        }
    }

    /// Only the posts since this time, and perhaps older ones.
    pub fn since(mut self, since: Option<SystemTime>) -> Listing<'a> {
        self.since = since;
        self
    }

    /// Returns what is left of the current page, and then ends without another request.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether the service has refused this field.
    pub fn lacks(&self, field: &str) -> bool {
        self.fields.lacks(field)
    }

    /// All such fields.
    pub fn refused(&self) -> &[String] {
        self.fields.refused()
    }

    /// Whether everything was listed: it has ended without an error, and every post could
    /// be read.
    pub fn is_complete(&self) -> bool {
        self.ended && self.complete
    }

    /// Why a list without posts is not believed: the service returns empty lists at times
    /// while nothing has changed in the account (users report). `kept` is whether an earlier
    /// run has seen posts.
    pub fn doubt(&self, media_count: Option<u64>, kept: bool) -> Option<String> {
        let account = match media_count {
            _ if self.listed > 0 || self.since.is_some() || !self.is_complete() => return None,
            Some(0) => return None,
            Some(count) => format!("an account that has {count}"),
            None if kept => "an account that had some".to_owned(),
            None => return None,
        };
        Some(format!(
            "the service lists no media of {account}: nothing was changed"
        ))
    }

    fn edge(&self) -> Edge<Object> {
        let edge = self.api.edge("me/media").page_size(self.page_size);
        let edge = edge.param("fields", self.fields.list().to_string());
        match self.since {
            Some(time) => edge.since(time),
            None => edge,
        }
    }

    /// The next page. `Ok(None)` if it has ended, or if there is another one to look at.
    fn load(&mut self) -> mingram::Result<Option<Listed>> {
        self.stale_pages = match self.is_stale {
            true => self.stale_pages + 1,
            false => 0,
        };
        if self.stale_pages == MAX_STALE_PAGES {
            let what = stale("me/media");
            return Err(Error::new(ErrorKind::Paging, what));
        }
        let mut pages = match self.pages.take() {
            Some(pages) => pages,
            None => self.edge().pages(),
        };
        match pages.next() {
            None => self.ended = true,
            Some(Ok(page)) => {
                self.is_stale = true;
                self.page = page.data.into_iter();
                self.pages = Some(pages);
            }
            Some(Err(error)) if self.fields.refuse(&error) => {
                self.pages = Some(self.edge().resume(&pages.position()).pages());
            }
            Some(Err(error)) if error.is_unreadable_item() => {
                self.pages = Some(self.edge().resume(&pages.position()).pages());
                return Ok(Some(self.unreadable(error.to_string())));
            }
            Some(Err(error)) => return Err(error),
        }
        Ok(None)
    }

    /// Whether this id was not listed before.
    fn is_new(&mut self, id: &str) -> bool {
        let is_new = self.seen.insert(pack(id));
        self.is_stale &= !is_new;
        is_new
    }

    fn unreadable(&mut self, why: String) -> Listed {
        self.listed += 1;
        self.complete = false;
        Listed::Unreadable(why)
    }

    /// `None` if the post was there before.
    fn post(&mut self, object: &Object) -> Option<Listed> {
        let Ok(mut media) = json::from_str::<Media>(&json::to_string(object)) else {
            let why = wrong_field(object);
            let known = object
                .get("id")
                .map_or_else(|| json::to_string(object), json::to_string);
            let is_new = self.is_new(&known);
            return is_new.then(|| self.unreadable(why));
        };
        if !self.is_new(&media.id) {
            return None;
        }
        self.listed += 1;
        let mut children = take_children(&mut media);
        // The service may leave out that it is an album together with its children.
        let is_single = matches!(media.media_type, Some(MediaType::Image | MediaType::Video));
        let mut trouble = None;
        if continues(object) || !is_single && children.is_empty() {
            let listed = self.children(&media.id, &mut trouble);
            // An album without children says so itself; this one has more than came with it.
            if listed.is_empty() && continues(object) {
                trouble.get_or_insert_with(|| NO_MORE.to_owned());
            }
            children.splice(0..0, listed);
            // What does not say that it is an album may have none to ask for.
            let says_so = media.media_type == Some(MediaType::CarouselAlbum) || continues(object);
            trouble = trouble.filter(|_| says_so || !children.is_empty());
        }
        let mut seen = HashSet::new();
        children.retain(|child| seen.insert(pack(&child.id)));
        set_children(&mut media, children);
        self.complete &= trouble.is_none();
        Some(Listed::Post(Box::new(Post { media, trouble })))
    }

    /// The children of an album, by a request of their own, as far as they come.
    fn children(&mut self, album: &str, trouble: &mut Option<String>) -> Vec<Media> {
        let (mut found, mut seen, mut stale_pages) = (Vec::new(), HashSet::new(), 0);
        let mut from = None;
        while !self.stopped && self.fatal.is_none() {
            let edge = self.api.children(album, self.fields.children());
            let mut pages = match &from {
                Some(position) => edge.resume(position).pages(),
                None => edge.pages(),
            };
            let error = loop {
                let page: Vec<Media> = match pages.next() {
                    None => return found,
                    Some(Ok(page)) => page.data,
                    Some(Err(error)) => break error,
                };
                let before = found.len();
                let new = page
                    .into_iter()
                    .filter(|child| seen.insert(pack(&child.id)));
                found.extend(new);
                stale_pages = match found.len() > before {
                    true => 0,
                    false => stale_pages + 1,
                };
                if stale_pages == MAX_STALE_PAGES {
                    trouble.get_or_insert_with(|| stale(&format!("{album}/children")));
                    return found;
                }
            };
            from = Some(pages.position());
            if self.fields.refuse(&error) {
                continue;
            }
            trouble.get_or_insert_with(|| error.to_string());
            match error.is_unreadable_item() {
                true => {}
                // Every other request would be refused, too.
                false if exit::code(&error) != exit::FAILED => self.fatal = Some(error),
                false => return found,
            }
        }
        trouble.get_or_insert_with(|| NOT_TRIED.to_owned());
        found
    }
}

impl Iterator for Listing<'_> {
    type Item = mingram::Result<Listed>;

    fn next(&mut self) -> Option<mingram::Result<Listed>> {
        loop {
            while let Some(object) = self.page.next() {
                if let Some(listed) = self.post(&object) {
                    return Some(Ok(listed));
                }
            }
            if self.ended {
                return None;
            }
            let loaded = match self.fatal.take() {
                Some(error) => Err(error),
                None if self.stopped => {
                    (self.ended, self.complete) = (true, false);
                    return None;
                }
                None => self.load(),
            };
            match loaded {
                Ok(None) => {}
                Ok(Some(listed)) => return Some(Ok(listed)),
                Err(error) => {
                    (self.ended, self.complete) = (true, false);
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Why a list is given up.
fn stale(edge: &str) -> String {
    format!("GET /{edge}: {MAX_STALE_PAGES} consecutive pages brought nothing new")
}

/// The children of an album, taken out of it.
pub fn take_children(media: &mut Media) -> Vec<Media> {
    media.children.take().unwrap_or_default()
}

pub fn set_children(media: &mut Media, children: Vec<Media>) {
    media.children = Some(children).filter(|children| !children.is_empty());
}

/// Whether there are more children than came with their album.
fn continues(object: &Object) -> bool {
    let Some(Value::Object(children)) = object.get("children") else {
        return false;
    };
    let Some(Value::Object(paging)) = children.get("paging") else {
        return false;
    };
    matches!(paging.get("next"), Some(Value::String(_)))
}

/// What keeps a post from being read.
fn wrong_field(object: &Object) -> String {
    let id = object.get("id").cloned().unwrap_or_default();
    let wrong = object.iter().find(|(name, value)| {
        let alone =
            [("id", &id), (name, *value)].map(|(name, value)| (name.to_owned(), value.clone()));
        json::from_str::<Media>(&json::to_string(&Object::from_iter(alone))).is_err()
    });
    let id: String = json::to_string(&id).chars().take(40).collect();
    match wrong {
        Some((name, _)) if name != "id" => {
            format!("the field `{name}` of {id} has a value of another type")
        }
        _ => format!("the id is {id}"),
    }
}

/// An id as a number: digits as they are, after a 1 that keeps leading zeros apart, and any
/// other text as its hash.
fn pack(id: &str) -> u128 {
    let digits = Some(format!("1{id}")).filter(|id| id.len() < 38);
    digits.and_then(|id| id.parse().ok()).unwrap_or_else(|| {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        u128::MAX - u128::from(hasher.finish())
    })
}
