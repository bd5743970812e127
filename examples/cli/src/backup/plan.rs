//! Goes through all posts: takes in what the service says about each, and finds what has to
//! be downloaded.

use super::download::Run;
use super::work::{Node, Work};
use crate::account::fields::Fields;
use crate::account::listing::{self, Listed, Listing, take_children};
use crate::store::failure::Failure;
use crate::store::index::{Held, Index, SIDECAR};
use crate::store::names::{self, is_id};
use crate::store::sidecar::{self, Found, POST_TEXTS, Role, Sidecar};
use mingram::{Media, MediaType, User};

/// Posts in a page.
const PAGE: u32 = 100;

/// Why something with an id that could not be part of a name is missing.
const NOT_AN_ID: &str = "refused: an id that is not a number";

pub struct Plan<'a, 'b> {
    pub run: &'a Run<'b>,
    pub index: Index,
}

impl<'a, 'b> Plan<'a, 'b> {
    /// All posts. Whatever ends the listing, what was listed before is worth downloading.
    /// Returns whether it was complete.
    pub fn posts(&mut self, user: &User) -> Result<bool, Failure> {
        let since = self.run.options.since;
        let fields = Fields::post_all("backup");
        let mut listing = Listing::new(self.run.api, fields, PAGE).since(since);
        let had_posts = !self.index.is_empty();
        let mut ended = Ok(());
        while let Some(listed) = listing.next() {
            match listed {
                Ok(Listed::Post(post)) => self.post(*post, listing.lacks("media_url"))?,
                Ok(Listed::Unreadable(why)) => self.unreadable("a media of the list", &why),
                Err(error) => ended = Err(Failure::from(error)),
            }
            self.run.progress.listed();
            if self.run.queue.is_stopped() {
                listing.stop();
            }
        }
        self.run.progress.list_ended();
        let refused = listing.refused();
        self.run
            .count(|summary| summary.refused.extend_from_slice(refused));
        ended?;
        if let Some(doubt) = listing.doubt(user.media_count, had_posts) {
            return Err(Failure::Content(doubt));
        }
        let is_complete = listing.is_complete() && since.is_none();
        if is_complete && self.run.options.check {
            self.unlisted()?;
        }
        Ok(is_complete)
    }

    fn unreadable(&self, name: &str, why: &str) {
        self.run.count(|summary| {
            summary.media += 1;
            summary.posts.listed += 1;
            summary.posts.missing += 1;
            summary.miss(name, why);
        });
    }

    fn post(&mut self, listed: listing::Post, lacks_url: bool) -> Result<(), Failure> {
        let listing::Post { mut media, trouble } = listed;
        let (published, since) = (media.published_at(), self.run.options.since);
        if published.is_some_and(|at| since.is_some_and(|since| at < since)) {
            return Ok(());
        }
        if !is_id(&media.id) {
            self.unreadable(&names::shown(&media.id), NOT_AN_ID);
            return Ok(());
        }
        self.run.count(|summary| {
            summary.media += 1;
            summary.posts.listed += 1;
        });
        let held = self.index.post(&media.id);
        let stem = held.stem.clone();
        let stem = stem.unwrap_or_else(|| names::path(published, &media.id));
        let mut work = self.open(&stem, &held, &media.id, true);
        let mut children = take_children(&mut media);
        let mut is_album =
            media.media_type == Some(MediaType::CarouselAlbum) || !children.is_empty();
        let mut nodes = self.children(&mut work, &stem, &media, &mut children);
        let own = Node::new(&mut media, held, stem);
        let node = sidecar::post(media, children);
        work.post.sidecar.update(node, POST_TEXTS, self.run.now);
        self.take_over(&mut work, &nodes);
        // The service may leave out that it is one.
        is_album |= !work.post.sidecar.children().is_empty();
        self.left(&mut work, &own, &mut nodes);
        if let Some(why) = &trouble {
            work.miss(format!("{}_*", work.post.stem), why);
        }
        let has_own = own.url.is_some() || own.held.file.is_some();
        let is_kept = match (is_album, nodes.is_empty()) {
            (false, _) => true,
            // Its cover, or else it is unavailable, if it is not missing.
            (true, true) => has_own || trouble.is_none(),
            // The cover of an earlier run.
            (true, false) => {
                own.held.file.is_some() && self.run.options.check || work.has_lost(&own, Role::File)
            }
        };
        nodes.extend(is_kept.then_some(own));
        for node in &nodes {
            work.files(node, lacks_url);
        }
        work.finish()
    }

    /// A post with its sidecar.
    fn open(&self, stem: &str, held: &Held, id: &str, is_listed: bool) -> Work<'a, 'b> {
        let name = held.sidecar.clone();
        let name = name.unwrap_or_else(|| format!("{stem}.{SIDECAR}"));
        let (sidecar, failure) = Sidecar::open(self.run.folder, name.clone(), Some(id));
        let mut work = Work::new(self.run, stem, sidecar, is_listed);
        if let Some(failure) = failure {
            work.miss(name, failure);
        }
        work
    }

    /// The children of an album. Those with an id that cannot be part of a name are taken
    /// out.
    fn children(
        &mut self,
        work: &mut Work<'_, '_>,
        stem: &str,
        album: &Media,
        children: &mut Vec<Media>,
    ) -> Vec<Node> {
        let mut nodes = Vec::new();
        for (i, child) in children.iter_mut().enumerate() {
            if !is_id(&child.id) {
                work.miss(names::shown(&child.id), NOT_AN_ID);
                continue;
            }
            let held = self.index.child(&album.id, &child.id);
            let stem = match &held.stem {
                Some(stem) => stem.clone(),
                None => names::child_stem(stem, i, &child.id),
            };
            let mut node = Node::new(child, held, stem);
            (node.is_child, node.published) = (true, album.published_at());
            nodes.push(node);
        }
        children.retain(|child| is_id(&child.id));
        nodes
    }

    /// Takes over what version 0.1 has recorded beside each child.
    fn take_over(&self, work: &mut Work<'_, '_>, nodes: &[Node]) {
        for node in nodes {
            let Some(name) = &node.held.sidecar else {
                continue;
            };
            if !work.post.sidecar.is_new(&node.id) {
                continue;
            }
            if let Ok(Found::Object(held)) = sidecar::read(self.run.folder, name) {
                if sidecar::text(&held, "id") == Some(&node.id) {
                    work.post.sidecar.take_over(held);
                }
            }
        }
    }

    /// Adds the children that the service does not list any more: if all files are checked or
    /// if no other child came, those that are here; and always those with a file that is lost.
    fn left(&mut self, work: &mut Work<'_, '_>, album: &Node, nodes: &mut Vec<Node>) {
        let with_held = nodes.is_empty() || self.run.options.check;
        let ids = work.post.sidecar.children().into_iter();
        let ids = ids.filter(|id| is_id(id) && nodes.iter().all(|node| node.id != *id));
        for id in ids.collect::<Vec<String>>() {
            let held = self.index.child(&album.id, &id);
            let is_held = held.file.is_some();
            let stem = format!("{}_{id}", work.post.stem);
            let node = Node::left(id, true, held, stem);
            let has_lost = [Role::File, Role::Poster].map(|role| work.has_lost(&node, role));
            if is_held && with_held || has_lost.contains(&true) {
                nodes.push(node);
            }
        }
    }

    /// Checks the files of posts that the service does not list any more.
    fn unlisted(&mut self) -> Result<(), Failure> {
        let mut ids: Vec<String> = self.index.unseen().map(str::to_owned).collect();
        ids.dedup();
        for id in ids {
            let held = self.index.post(&id);
            let stem = held.stem.clone().unwrap_or_default();
            let mut work = self.open(&stem, &held, &id, false);
            let own = Node::left(id, false, held, stem);
            let mut nodes = Vec::new();
            self.left(&mut work, &own, &mut nodes);
            nodes.push(own);
            for node in &nodes {
                work.files(node, false);
            }
            work.finish()?;
        }
        Ok(())
    }
}
