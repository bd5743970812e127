//! The pictures: which are missing, and which leave.

use super::keeper::Frame;
use super::list::{List, stem};
use super::newest::{Newest, Picture, has_bytes, newest};
use super::trouble::Trouble;
use crate::account::fields::{self, Fields};
use crate::account::left;
use crate::account::listing::Listing;
use crate::account::sample;
use crate::dates;
use crate::output;
use crate::store::failure::Failure;
use crate::store::fetch::{Fetch, Fetched};
use crate::store::index::Index;
use crate::store::names::{EXTENSIONS, Want, id_of, post_of};
use mingram::{Api, ErrorKind, MediaField as M};
use std::collections::BTreeMap;
use std::time::Duration;

/// After this many files in a row whose host could not be reached, the rest waits for the
/// next look.
const MAX_UNREACHED: u32 = 5;

impl Frame {
    /// Brings the directory up to date.
    pub fn update(&self, api: &Api) -> Result<(), Trouble> {
        let mut index = Index::read_flat(&self.folder)?;
        let mut list = List::read(&self.folder, &mut index, self.memory.again.get())?;
        let (newest, listing) = newest(
            api,
            &self.folder,
            &mut index,
            &list,
            self.count,
            self.albums,
        )?;
        let was_sample = self.identify(api, &mut list, &newest, &listing)?;
        self.memory.again.set(false);
        if list.deleted > 0 {
            let what = "deleted by hand: kept away (--again brings them back)";
            self.note(&format!("{} {what}", list.deleted));
        }
        let dropped = match was_sample {
            true => list.ours.difference(&list.recorded).cloned().collect(),
            false => self.leaving(api, &mut list, &newest),
        };
        list.videos.retain(|id, _| newest.seen.contains(id));
        for stem in newest.unavailable.iter().filter(|_| output::is_verbose()) {
            let line = format!("unavailable: {stem}: the service gives no picture for it");
            self.note_once(stem, &line);
        }
        self.change(api, &mut list, &newest.pictures, dropped)?;
        match newest.trouble {
            Some(failure) => Err(Trouble::Listing(failure.to_string())),
            None => Ok(()),
        }
    }

    /// Makes sure that the pictures here are of this account, and that an empty list is meant.
    /// Returns whether they are of the sample and this account is not.
    fn identify(
        &self,
        api: &Api,
        list: &mut List,
        newest: &Newest,
        listing: &Listing<'_>,
    ) -> Result<bool, Trouble> {
        let token = self.memory.token.borrow().clone();
        let is_known = list.has_account() && *self.memory.identified.borrow() == token;
        if is_known && !newest.seen.is_empty() {
            return Ok(false);
        }
        let user = fields::me(api, &mut Fields::user("frame"))?;
        let was_sample = list.is_sample() && user.id != sample::USER_ID;
        if !list.has_account() && !list.ours.is_empty() && !was_sample {
            let is_listed = |name: &String| newest.seen.contains(post_of(stem(name)));
            if !list.ours.iter().any(is_listed) {
                self.note(
                    "none of the pictures here is listed: they may be of another account, and stay",
                );
                list.ours.clear();
            }
        }
        let account = list.set_account(&self.folder, &user);
        account.map_err(|failure| Trouble::Account(failure.to_string()))?;
        if let Some(doubt) = listing.doubt(user.media_count, !list.ours.is_empty()) {
            return Err(Trouble::Listing(doubt));
        }
        *self.memory.identified.borrow_mut() = token;
        Ok(was_sample)
    }

    /// The files that leave: those beyond the count or the choice, and with a proof those of
    /// one post, or child, that has left the account: that says nothing of others, unless the
    /// account is empty. What a backup has recorded stays.
    fn leaving(&self, api: &Api, list: &mut List, newest: &Newest) -> Vec<String> {
        let is_shown = |id: &str| newest.pictures.iter().any(|picture| picture.id == id);
        let oldest = newest.oldest();
        let is_older = |name: &str| {
            let day = name
                .split('_')
                .next()
                .filter(|day| !day.starts_with("0000"));
            day.zip(oldest)
                .is_some_and(|(day, oldest)| *day < *dates::day(oldest))
        };
        let (mut leaving, mut ids) = (Vec::new(), Vec::new());
        let mut doubtful: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        // The newest first.
        let ours = list.ours.iter().rev();
        for name in ours.filter(|name| !list.recorded.contains(*name)) {
            let (post, id) = (post_of(stem(name)), id_of(stem(name)));
            let is_listed = newest.seen.contains(post);
            match is_listed {
                _ if is_shown(id) => {}
                _ if newest.beyond.contains(post) => leaving.push(name.clone()),
                // It may have moved to another album.
                _ if newest.seen.contains(id) => leaving.push(name.clone()),
                true if newest.open.contains(post) => {}
                false if !newest.is_sound => {}
                false if is_older(name) => leaving.push(name.clone()),
                _ => {
                    let asked = if is_listed { id } else { post };
                    let names = doubtful.entry(asked).or_default();
                    if names.is_empty() {
                        ids.push(asked);
                    }
                    names.push(name.clone());
                }
            }
        }
        let Some(asked) = left::next(&ids, list.stayed.as_deref()) else {
            return leaving;
        };
        // A child that was published before its album is not beyond the count.
        let is_post = |name: &String| post_of(stem(name)) == asked;
        let is_post = doubtful[asked].iter().all(is_post);
        let is_beyond = |at| is_post && oldest.is_some_and(|oldest| at < oldest);
        match left::prove(api, asked, &is_beyond) {
            Ok(()) if newest.seen.is_empty() => {
                leaving.extend(doubtful.values().flatten().cloned())
            }
            Ok(()) => leaving.extend(doubtful[asked].iter().cloned()),
            Err(why) => {
                self.note_once(asked, &why);
                list.stayed = Some(asked.to_owned());
            }
        }
        leaving.sort();
        leaving
    }

    /// Downloads what is missing, and removes what leaves.
    fn change(
        &self,
        api: &Api,
        list: &mut List,
        pictures: &[Picture],
        mut dropped: Vec<String>,
    ) -> Result<(), Trouble> {
        let out = dropped.len();
        let videos = list.videos.len();
        let (mut fetched, mut trouble) = self.fetch(api, pictures, list);
        let is_short = list.videos.len() > videos;
        // A full disk needs room before anything else is written.
        if trouble.as_ref().is_some_and(Failure::is_disk_full) {
            self.sweep(|stem| fetched.iter().any(|picture| picture.stem() == stem))?;
            self.remove(dropped.drain(..), list)?;
        }
        if let Some(failure) = self.announce(&mut fetched, &mut dropped, list)? {
            trouble = Some(failure);
        }
        let new = fetched.len();
        for picture in fetched {
            let name = picture.name.clone();
            match picture.place(&self.folder) {
                Ok(()) => drop(list.ours.insert(name)),
                // Only this one.
                Err(failure @ Failure::Blocked(_)) => trouble = Some(failure),
                Err(failure) => return Err(failure.into()),
            }
        }
        self.folder.flush()?;
        // For new ones that did not come, old ones stay, the newest of them. There may be
        // two files for a picture, if the service changed its format.
        let kept = list.ours.len() - dropped.len();
        let stay = match trouble.is_some() || is_short {
            true => pictures.len().saturating_sub(kept),
            false => 0,
        };
        let go = dropped.len().saturating_sub(stay);
        self.remove(dropped.drain(..go), list)?;
        let removed = out - dropped.len();
        // What may still come is resumed.
        self.sweep(|stem| {
            trouble.is_some() && pictures.iter().any(|picture| picture.stem == stem)
        })?;
        list.write(&self.folder, &[], &[])?;
        if new + removed > 0 {
            let all = list.ours.len();
            self.note(&format!("{new} new, {removed} removed, {all} in all"));
        }
        match trouble {
            None => Ok(()),
            // It costs one picture.
            Some(failure @ Failure::Blocked(_)) => Err(Trouble::Listing(failure.to_string())),
            Some(failure) => Err(failure.into()),
        }
    }

    /// Lists what comes or goes before it does: a kill in between leaves no picture that is
    /// not in the list, and none that seems to be deleted by hand. On a full disk, makes room
    /// for the list, and returns why not everything comes.
    fn announce(
        &self,
        fetched: &mut Vec<Fetched>,
        dropped: &mut Vec<String>,
        list: &mut List,
    ) -> Result<Option<Failure>, Failure> {
        let mut trouble = None;
        while !fetched.is_empty() || !dropped.is_empty() {
            let coming = fetched.iter().map(|fetched| fetched.name.clone());
            match list.write(&self.folder, &coming.collect::<Vec<_>>(), dropped) {
                Ok(()) => break,
                Err(failure) if !failure.is_disk_full() => return Err(failure),
                Err(_) if !dropped.is_empty() => self.remove(dropped.drain(..), list)?,
                Err(failure) => {
                    let last = fetched.pop();
                    self.sweep(|stem| last.as_ref().is_none_or(|last| last.stem() != stem))?;
                    trouble = Some(failure);
                }
            }
        }
        Ok(trouble)
    }

    fn remove(&self, names: impl Iterator<Item = String>, list: &mut List) -> Result<(), Failure> {
        for name in names {
            self.folder.remove(&name)?;
            list.ours.remove(&name);
        }
        Ok(())
    }

    /// Removes the unfinished files except those to keep.
    fn sweep(&self, keep: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let unfinished = self.folder.unfinished();
        for stem in unfinished.iter().filter(|stem| !keep(stem)) {
            match self.folder.forget(stem) {
                Ok(()) | Err(Failure::Blocked(_)) => {}
                failed => return failed,
            }
        }
        Ok(())
    }

    fn has_picture(&self, stem: &str) -> bool {
        let mut extensions = EXTENSIONS.iter().filter(|one| Want::Picture.takes(one));
        extensions.any(|extension| has_bytes(&self.folder, &format!("{stem}.{extension}")))
    }

    /// Downloads the missing pictures, as far as possible. Notes those that are videos.
    fn fetch(
        &self,
        api: &Api,
        pictures: &[Picture],
        list: &mut List,
    ) -> (Vec<Fetched>, Option<Failure>) {
        let (mut fetched, mut trouble, mut unreached) = (Vec::new(), None, 0);
        for picture in pictures {
            let Some(url) = &picture.url else { continue };
            if picture.is_here || self.has_picture(&picture.stem) {
                continue;
            }
            // Nothing is downloaded that could not get its name.
            if let Some(failure) = self.folder.blocked(&picture.stem) {
                trouble = Some(failure);
                continue;
            }
            match self.fetch_one(api, picture, url) {
                Ok(video) if !Want::Picture.takes(video.extension) => {
                    unreached = 0;
                    list.add_video(&picture.id, url);
                    let stem = &picture.stem;
                    let what = format!("{stem}: listed as a picture, but its file is a video");
                    self.note_once(&what, &format!("{what}: not shown"));
                    if let Err(failure) = self.folder.forget(stem) {
                        trouble = Some(failure);
                    }
                }
                Ok(picture) => {
                    unreached = 0;
                    fetched.push(picture);
                }
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
                    unreached = failure.unreached_after(unreached);
                    trouble = Some(failure);
                    if unreached == MAX_UNREACHED {
                        break;
                    }
                }
            }
        }
        (fetched, trouble)
    }

    fn fetch_one(&self, api: &Api, picture: &Picture, url: &str) -> Result<Fetched, Failure> {
        Fetch {
            api,
            folder: &self.folder,
            stem: &picture.stem,
            // A video is noted, and not downloaded at each look.
            want: Want::Either,
            published: picture.published,
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
        }
        .run(url)
    }
}
