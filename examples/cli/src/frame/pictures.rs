//! The pictures: which are the newest, which are missing, and which leave.

use super::HIDDEN;
use super::keeper::Frame;
use super::trouble::Trouble;
use crate::account::sample;
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::store::fetch::{Fetch, Fetched};
use crate::store::names::{self, Want};
use mingram::{Api, ErrorKind, Fields, Media, MediaField as M, MediaType};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::Duration;

/// The list of the files that are ours.
const LIST: &str = ".frame/list";
const LIST_HEAD: &str =
    "# What `frame` put here, and may remove. Without this list it removes nothing.\n";

/// After this many downloads that broke, the rest waits for the next look.
const MAX_BROKEN: u32 = 3;

/// Which pictures of an album.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Albums {
    First,
    All,
}

/// A picture to show.
pub struct Picture {
    id: String,
    stem: String,
    url: Option<String>,
}

/// Whether everything that `frame` put here is of the built-in sample.
pub fn is_sample(folder: &Directory) -> bool {
    debug_assert!(LIST.starts_with(HIDDEN));
    let list = folder.read(LIST);
    let mut names = list.lines().filter(|line| !line.starts_with('#'));
    let is_sample = |name: &str| {
        let stem = name.split('.').next().unwrap_or_default();
        sample::contains(stem.rsplit('_').next().unwrap_or_default())
    };
    !list.is_empty() && names.all(is_sample)
}

impl Frame {
    /// The newest pictures that have a file.
    pub fn newest(&self, api: &Api) -> Result<Vec<Picture>, Trouble> {
        const CHILD: &[M] = &[M::Id, M::MediaType, M::MediaUrl, M::ThumbnailUrl];
        let fields = Fields::from(CHILD)
            .and(M::Timestamp)
            .with(M::Children, CHILD);
        let mut pictures: Vec<Picture> = Vec::new();
        for media in api.my_media(fields).page_size(self.count.min(50) as u32) {
            let media = media?;
            for picture in self.pictures(&media) {
                let shown = picture.url.is_some() || self.folder.find(&picture.stem).is_some();
                let known = pictures.iter().any(|other| other.stem == picture.stem);
                if shown && !known && pictures.len() < self.count {
                    pictures.push(picture);
                }
            }
            if pictures.len() == self.count {
                break;
            }
        }
        Ok(pictures)
    }

    fn pictures(&self, media: &Media) -> Vec<Picture> {
        if !names::is_id(&media.id) {
            return Vec::new();
        }
        let stem = names::stem(media.published_at(), &media.id);
        let picture = |stem: String, media: &Media| Picture {
            id: media.id.clone(),
            stem,
            url: media.image_url().map(str::to_owned),
        };
        let album = media.media_type == Some(MediaType::CarouselAlbum);
        let children = media.children.as_deref().unwrap_or_default();
        if !album || children.is_empty() {
            return vec![picture(stem, media)];
        }
        let children = children.iter().enumerate();
        let all = children
            .filter(|(_, child)| names::is_id(&child.id))
            .map(|(i, child)| picture(names::child_stem(&stem, i, &child.id), child));
        match self.albums {
            Albums::All => all.collect(),
            Albums::First => all.take(1).collect(),
        }
    }

    pub fn update(&self, api: &Api, pictures: &[Picture]) -> Result<(), Trouble> {
        let mut ours = self.ours()?;
        let is_shown = |name: &&String| {
            let stem = name.split('.').next();
            pictures
                .iter()
                .any(|picture| Some(picture.stem.as_str()) == stem)
        };
        let mut dropped: Vec<String> = ours.iter().filter(|n| !is_shown(n)).cloned().collect();
        let out = dropped.len();
        let (mut fetched, mut trouble) = self.fetch(api, pictures);
        // A full disk needs room before anything else is written.
        if trouble.as_ref().is_some_and(Failure::is_disk_full) {
            self.sweep(|stem| fetched.iter().any(|picture| picture.stem() == stem))?;
            self.remove(dropped.drain(..), &mut ours)?;
        }
        // Listed before they are there: a kill in between leaves no picture that is not in
        // the list.
        while !fetched.is_empty() {
            let names = fetched.iter().map(|fetched| fetched.name.clone());
            let list = ours.iter().cloned().chain(names).collect();
            match self.list(&list) {
                Ok(()) => break,
                Err(failure) if !failure.is_disk_full() => return Err(failure.into()),
                Err(_) if !dropped.is_empty() => self.remove(dropped.drain(..), &mut ours)?,
                Err(failure) => {
                    let last = fetched.pop();
                    self.sweep(|stem| last.as_ref().is_none_or(|last| last.stem() != stem))?;
                    trouble = Some(failure);
                }
            }
        }
        let new = fetched.len();
        for picture in fetched {
            let name = picture.name.clone();
            picture.place(&self.folder)?;
            ours.insert(name);
        }
        self.folder.flush()?;
        // For new ones that did not come, old ones stay, the newest of them. There may be
        // two files for a picture, if the service changed its format.
        let kept = ours.len() - dropped.len();
        let stay = match &trouble {
            Some(_) => pictures.len().saturating_sub(kept),
            None => 0,
        };
        let go = dropped.len().saturating_sub(stay);
        self.remove(dropped.drain(..go), &mut ours)?;
        let removed = out - dropped.len();
        // What may still come is resumed.
        self.sweep(|stem| {
            trouble.is_some() && pictures.iter().any(|picture| picture.stem == stem)
        })?;
        self.list(&ours)?;
        if new + removed > 0 {
            let all = ours.len();
            self.note(&format!("{new} new, {removed} removed, {all} in all"));
        }
        trouble.map_or(Ok(()), |trouble| Err(trouble.into()))
    }

    fn remove(
        &self,
        names: impl Iterator<Item = String>,
        ours: &mut BTreeSet<String>,
    ) -> Result<(), Failure> {
        for name in names {
            self.folder.remove(&name)?;
            ours.remove(&name);
        }
        Ok(())
    }

    /// Removes the unfinished files except those to keep.
    fn sweep(&self, keep: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let unfinished = self.folder.unfinished();
        for stem in unfinished.iter().filter(|stem| !keep(stem)) {
            self.folder.forget(stem)?;
        }
        Ok(())
    }

    /// Downloads the missing pictures, as far as possible.
    fn fetch(&self, api: &Api, pictures: &[Picture]) -> (Vec<Fetched>, Option<Failure>) {
        let (mut fetched, mut trouble, mut broken) = (Vec::new(), None, 0);
        for picture in pictures {
            let Some(url) = &picture.url else { continue };
            if self.folder.find(&picture.stem).is_some() {
                continue;
            }
            let fetch = Fetch {
                api,
                folder: &self.folder,
                stem: &picture.stem,
                want: Want::Picture,
                published: None,
                retries: 1,
                time: Duration::from_secs(60),
                renew: &|| {
                    let fields = [M::Id, M::MediaType, M::MediaUrl, M::ThumbnailUrl];
                    let media = api.media(&picture.id, fields)?;
                    Ok(media.image_url().map(str::to_owned))
                },
                begin: &|_| (),
                piece: &|_| !self.stopped(),
                clock: &*self.clock,
            };
            match fetch.run(url) {
                Ok(picture) => fetched.push(picture),
                Err(failure @ Failure::Disk(..)) => return (fetched, Some(failure)),
                Err(Failure::Call(error))
                    if error.is_rate_limited()
                        || error.is_token_invalid()
                        || error.kind() == ErrorKind::Cancelled =>
                {
                    return (fetched, Some(error.into()));
                }
                // Only this one; the others may come.
                Err(failure) => {
                    let transient =
                        matches!(&failure, Failure::Call(error) if error.is_transient());
                    broken += u32::from(transient);
                    trouble = Some(failure);
                    if broken == MAX_BROKEN {
                        break;
                    }
                }
            }
        }
        (fetched, trouble)
    }

    /// The files that are ours: listed, and there. A line that is not such a name is
    /// ignored, so that a damaged list makes nothing else ours.
    fn ours(&self) -> Result<BTreeSet<String>, Failure> {
        let list = self.folder.join(LIST);
        let text = match fs::read(&list) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Failure::at(&list, error)),
            Ok(text) => text,
        };
        let is_ours = |line: &&str| {
            let named = line.split_once('.').is_some_and(|(stem, extension)| {
                names::is_stem(stem) && names::EXTENSIONS.contains(&extension)
            });
            let meta = || fs::symlink_metadata(self.folder.join(line));
            named && meta().is_ok_and(|meta| meta.is_file())
        };
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().filter(is_ours).map(str::to_owned).collect())
    }

    fn list(&self, names: &BTreeSet<String>) -> Result<(), Failure> {
        let lines = names.iter().map(|name| format!("{name}\n"));
        let text: String = std::iter::once(LIST_HEAD.to_owned()).chain(lines).collect();
        self.folder.write_whole(LIST, text.as_bytes()).map(drop)
    }
}
