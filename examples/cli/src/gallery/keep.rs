//! What earlier runs have made: the posts that they show, and the files that they have
//! downloaded, which alone may be removed.

use super::json::{self, MEDIA, Post};
use super::plan::is_profile;
use super::{LIST, Outcome, UNFINISHED};
use crate::account::left;
use crate::dates::rfc3339;
use crate::output;
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::store::index::Index;
use crate::store::names::{self, EXTENSIONS, POSTER, base, is_stem, post_of};
use crate::store::record::Record;
use crate::store::sidecar;
use mingram::{Api, User};
use miniserde::json::{Object, Value};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;

/// The keys of the record.
const FILES: &str = "files";
const PROFILE: &str = "profile";
const STAYED: &str = "stayed";

/// What a listing says, as far as the count of posts goes.
pub struct Extent<'a> {
    pub ids: HashSet<&'a str>,
    /// The albums whose children all came.
    pub albums: HashSet<&'a str>,
    /// The children of all albums.
    pub children: HashSet<&'a str>,
    /// When the oldest post in it was published, unless that is not known.
    pub oldest: Option<String>,
    /// The account has no posts.
    pub is_empty: bool,
    /// It ended at the count, and not at the end of the account.
    pub is_cut: bool,
    /// Every post in it could be read.
    pub is_sound: bool,
}

pub struct Kept<'a> {
    folder: &'a Directory,
    user: &'a User,
    record: Record,
    /// What the page shows.
    pub posts: Vec<Post>,
    places: HashMap<String, usize>,
    /// What the record says of the account.
    profile: Object,
    /// The files that were downloaded, without their extensions.
    own: BTreeSet<String>,
    /// The id that was asked for last and has stayed.
    stayed: Option<String>,
    /// They are of the sample, and this run is not.
    is_sample: bool,
    /// The list of the posts was not understood.
    is_damaged: bool,
}

impl<'a> Kept<'a> {
    pub fn open(folder: &'a Directory, user: &'a User, is_sample: bool) -> Outcome<Kept<'a>> {
        let record = Record::new("gallery");
        if !is_sample {
            record.check(folder, None, user)?;
        }
        let path = folder.join(LIST);
        let (posts, damaged) = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), false),
            text => {
                let text = text.map_err(|error| Failure::at(&path, error))?;
                json::read(folder, &text)
            }
        };
        let mut held = record.read(folder)?;
        let own = match held.remove(FILES) {
            Some(Value::Array(files)) => files
                .into_iter()
                .filter_map(|file| match file {
                    Value::String(stem) if is_own(&stem) => Some(stem),
                    _ => None,
                })
                .collect(),
            // Version 0.1 kept no such list.
            _ => {
                let shown = posts
                    .iter()
                    .flat_map(Post::paths)
                    .map(|path| stem(path).to_owned());
                shown.chain(profile_pictures(folder)).collect()
            }
        };
        let posts = if is_sample { Vec::new() } else { posts };
        let places = posts
            .iter()
            .enumerate()
            .map(|(at, post)| (post.id.clone(), at));
        Ok(Kept {
            folder,
            user,
            record,
            is_damaged: damaged,
            profile: match held.remove(PROFILE) {
                Some(Value::Object(profile)) if !is_sample => profile,
                _ => Object::new(),
            },
            places: places.collect(),
            posts,
            own,
            stayed: sidecar::text(&held, STAYED).map(str::to_owned),
            is_sample,
        })
    }

    pub fn post(&self, id: &str) -> Option<&Post> {
        self.places.get(id).map(|&at| &self.posts[at])
    }

    /// A text of the profile: what the service says, or else what it said before.
    pub fn text(&mut self, key: &str, said: Option<&String>) -> Option<String> {
        if let Some(said) = said {
            self.profile
                .insert(key.to_owned(), Value::String(said.clone()));
        }
        sidecar::text(&self.profile, key).map(str::to_owned)
    }

    /// The picture of an earlier run.
    pub fn profile_picture(&self) -> Option<String> {
        let own = self.own.iter().filter(|stem| is_profile(base(stem)));
        own.filter(|_| !self.is_sample)
            .find_map(|stem| self.folder.find(stem))
    }

    /// Records files as downloaded by the gallery, before they are: a kill leaves none that is
    /// nobody's.
    pub fn claim(&mut self, wanted: Vec<String>) -> Outcome<()> {
        let before = self.own.len();
        self.own.extend(wanted);
        match self.own.len() > before {
            true => self.write(),
            false => Ok(()),
        }
    }

    fn write(&self) -> Outcome<()> {
        let files = self.own.iter().cloned().map(Value::String).collect();
        let mut more = Object::from_iter([
            (PROFILE.to_owned(), Value::Object(self.profile.clone())),
            (FILES.to_owned(), Value::Array(files)),
        ]);
        if let Some(id) = &self.stayed {
            more.insert(STAYED.to_owned(), Value::String(id.clone()));
        }
        self.record.write(self.folder, self.user, more)
    }

    /// Keeps a list that was not understood under another name, before it is written anew.
    pub fn set_aside(&self) -> Outcome<()> {
        if self.is_damaged {
            let aside = self.folder.set_aside(LIST)?;
            output::warn(&format!(
                "{LIST} was damaged: written anew, and kept as {aside}"
            ));
        }
        Ok(())
    }

    /// The ids of what leaves the gallery. What is beyond the count is not shown any more.
    /// Of the rest, and of children in `absent`, one leaves in a run, with a proof: that one of
    /// them has left says nothing of the others, unless the account is empty.
    pub fn leaving(
        &mut self,
        api: &Api,
        extent: &Extent<'_>,
        absent: &[String],
    ) -> HashSet<String> {
        let mut gone = HashSet::new();
        let mut doubtful: Vec<&str> = Vec::new();
        for post in &self.posts {
            let is_beyond = || is_older(post.published.as_deref(), extent);
            if extent.ids.contains(post.id.as_str()) {
                let of_post = |id: &&String| post.children.iter().any(|one| one.id == **id);
                let absent = absent.iter().filter(of_post).map(String::as_str);
                doubtful.extend(absent.filter(|id| !extent.lists(id)));
            } else if is_beyond() {
                gone.insert(post.id.clone());
            } else if extent.is_sound {
                doubtful.push(&post.id);
            }
        }
        doubtful.extend(self.unshown(extent));
        let mut seen = HashSet::new();
        doubtful.retain(|id| seen.insert(*id));
        if self.is_sample {
            gone.extend(doubtful.into_iter().map(str::to_owned));
            return gone;
        }
        let Some(asked) = left::next(&doubtful, self.stayed.as_deref()) else {
            return gone;
        };
        // A child that was published before its album is not beyond the count.
        let mut of_own = self.own.iter().map(|stem| post_of(stem));
        let is_post = self.post(asked).is_some() || of_own.any(|post| post == asked);
        let is_beyond = |at| is_post && is_older(Some(&rfc3339(at)), extent);
        match left::prove(api, asked, &is_beyond) {
            Ok(()) if extent.is_empty => {
                gone.extend(doubtful.iter().map(|id| (*id).to_owned()));
            }
            Ok(()) => drop(gone.insert(asked.to_owned())),
            Err(why) => {
                output::note("gallery", &why);
                self.stayed = Some(asked.to_owned());
            }
        }
        gone
    }

    /// What is not listed and not shown, and has files: a run may have ended between writing
    /// the page and removing them.
    fn unshown(&self, extent: &Extent<'_>) -> Vec<&str> {
        let mut left = Vec::new();
        for stem in self.own.iter().filter(|stem| !is_profile(base(stem))) {
            let (post, id) = (post_of(stem), node_of(stem));
            let before = self.post(post);
            let is_child = |post: &Post| post.children.iter().any(|child| child.id == id);
            let has_left = match extent.ids.contains(post) {
                true => {
                    let is_listed = post == id || extent.children.contains(id);
                    extent.albums.contains(post) && !is_listed && !before.is_some_and(is_child)
                }
                false => extent.is_sound && before.is_none(),
            };
            if has_left && !self.names(stem).is_empty() {
                left.push(if extent.ids.contains(post) { id } else { post });
            }
        }
        left
    }

    /// Removes own files that are not used: of what has left, and of what is shown with
    /// another file. What a backup has recorded stays. Returns how many were removed.
    pub fn remove(
        &mut self,
        used: &HashSet<&str>,
        shown: &HashSet<&str>,
        gone: &HashSet<String>,
    ) -> Outcome<usize> {
        let mut index = Index::read(&Directory::look(&self.folder.join(MEDIA), UNFINISHED))?;
        let has_picture = used.iter().any(|path| is_profile(base(stem(path))));
        let (mut removed, mut left) = (0, BTreeSet::new());
        for stem in &self.own {
            let names = self.names(stem);
            let (post, id) = (post_of(stem), node_of(stem));
            let may_go = match is_profile(base(stem)) {
                true => has_picture || self.is_sample,
                false => {
                    (shown.contains(id) || gone.contains(id) || gone.contains(post))
                        && index.post(post).sidecar.is_none()
                        && index.child(post, id).sidecar.is_none()
                }
            };
            for name in &names {
                match may_go && !used.contains(name.as_str()) {
                    true => {
                        self.folder.remove(name)?;
                        removed += 1;
                    }
                    false => drop(left.insert(stem.clone())),
                }
            }
        }
        self.own = left;
        self.write()?;
        Ok(removed)
    }

    /// The files of a stem.
    fn names(&self, stem: &str) -> Vec<String> {
        let names = EXTENSIONS
            .iter()
            .map(|extension| format!("{stem}.{extension}"));
        let is_file = |name: &String| {
            let meta = fs::symlink_metadata(self.folder.join(name));
            meta.is_ok_and(|meta| meta.is_file())
        };
        names.filter(is_file).collect()
    }
}

impl Extent<'_> {
    /// Whether it has this post or child.
    pub fn lists(&self, id: &str) -> bool {
        self.ids.contains(id) || self.children.contains(id)
    }
}

/// Whether something that was published then is beyond the count.
fn is_older(published: Option<&str>, extent: &Extent<'_>) -> bool {
    let pair = published.zip(extent.oldest.as_deref());
    extent.is_cut && extent.is_sound && pair.is_some_and(|(one, oldest)| one < oldest)
}

/// A path without its extension.
fn stem(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(stem, _)| stem)
}

/// The id of the media that a file is of.
fn node_of(stem: &str) -> &str {
    names::id_of(stem.strip_suffix(POSTER).unwrap_or(stem))
}

/// Whether the gallery gives such a name.
fn is_own(stem: &str) -> bool {
    let inside = stem
        .strip_prefix("media/")
        .filter(|name| !name.contains('/'));
    inside.is_some_and(|name| is_stem(name) || is_profile(name))
}

fn profile_pictures(folder: &Directory) -> Vec<String> {
    let names = fs::read_dir(folder.join(MEDIA))
        .into_iter()
        .flatten()
        .flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let pictures = names.filter(|name| is_profile(name));
    pictures
        .map(|name| format!("{MEDIA}/{}", stem(&name)))
        .collect()
}
