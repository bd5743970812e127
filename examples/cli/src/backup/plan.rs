//! Goes through all posts: takes in what the service says about each, and finds what has to
//! be downloaded.

use super::check::{Verdict, verify};
use super::download::Run;
use super::post::{Post, Task};
use crate::account::fields::Fields;
use crate::account::listing::{self, Listed, Listing, take_children};
use crate::store::failure::Failure;
use crate::store::index::{Held, Index, SIDECAR};
use crate::store::names::{self, POSTER, Want, file_name};
use crate::store::sidecar::{self, Found, POST_TEXTS, PROFILE_TEXTS, Role, Sidecar};
use mingram::{Media, MediaType, User};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

pub struct Plan<'a, 'b> {
    pub run: &'a Run<'b>,
    pub index: Index,
}

/// A media with files: a post, or a child of an album.
struct Node {
    id: String,
    is_child: bool,
    held: Held,
    /// What its names begin with.
    stem: String,
    url: Option<String>,
    poster: Option<String>,
    want: Want,
    published: Option<SystemTime>,
}

impl Node {
    fn new(media: &mut Media, held: Held, stem: String) -> Node {
        Node {
            id: media.id.clone(),
            is_child: false,
            want: Want::of(media),
            url: media.media_url.take(),
            poster: media.thumbnail_url.take(),
            published: media.published_at(),
            held,
            stem,
        }
    }

    /// A child that the service does not list any more.
    fn left(id: String, held: Held) -> Node {
        Node {
            id,
            is_child: true,
            stem: held.stem.clone().unwrap_or_default(),
            held,
            url: None,
            poster: None,
            want: Want::Either,
            published: None,
        }
    }
}

/// A post while its files are looked at.
struct Work {
    post: Post,
    /// Without the post, which they share in the end.
    tasks: Vec<(Node, Role, String, Option<String>, bool)>,
}

impl Plan<'_, '_> {
    /// All posts. Whatever ends the listing, what was listed before is worth downloading.
    /// Returns whether it was complete.
    pub fn posts(&mut self, user: &User) -> Result<bool, Failure> {
        let since = self.run.options.since;
        let fields = Fields::post_all("backup");
        let mut listing = Listing::new(self.run.api, fields, 100).since(since);
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
        self.run
            .count(|summary| summary.refused.extend_from_slice(listing.refused()));
        ended?;
        if let Some(doubt) = listing.doubt(user.media_count, had_posts) {
            return Err(Failure::Content(doubt));
        }
        if self.run.options.check && since.is_none() && listing.is_complete() {
            self.unlisted()?;
        }
        Ok(listing.is_complete() && since.is_none())
    }

    fn unreadable(&self, name: &str, why: &str) {
        self.run.count(|summary| {
            summary.media += 1;
            summary.posts.listed += 1;
            summary.posts.missing += 1;
            summary.miss(name, why);
        });
    }

    fn refuse(&self, id: &str) {
        let id: String = id.chars().take(40).collect();
        let reason = "refused: an id that is not a number";
        self.run
            .count(|summary| summary.miss(format!("{id:?}"), reason));
    }

    fn post(&mut self, listed: listing::Post, lacks_url: bool) -> Result<(), Failure> {
        let listing::Post { mut media, trouble } = listed;
        let (published, since) = (media.published_at(), self.run.options.since);
        if published.is_some_and(|at| since.is_some_and(|since| at < since)) {
            return Ok(());
        }
        if !names::is_id(&media.id) {
            let id: String = media.id.chars().take(40).collect();
            self.unreadable(&format!("{id:?}"), "refused: an id that is not a number");
            return Ok(());
        }
        self.run.count(|summary| {
            summary.media += 1;
            summary.posts.listed += 1;
        });
        let held = self.index.post(&media.id);
        let stem = held
            .stem
            .clone()
            .unwrap_or_else(|| names::path(published, &media.id));
        let mut work = self.open(&stem, &held, &media.id);
        let mut children = take_children(&mut media);
        let is_album = media.media_type == Some(MediaType::CarouselAlbum) || !children.is_empty();
        let mut nodes = self.children(&mut work, &stem, &media, &mut children);
        let own = Node::new(&mut media, held, stem.clone());
        let id = media.id.clone();
        let node = sidecar::post(media, children);
        work.post.sidecar.update(node, POST_TEXTS, self.run.now);
        self.take_over(&mut work, &nodes);
        self.left(&mut work, &id, &mut nodes);
        if let Some(why) = &trouble {
            work.miss(self.run, format!("{}_*", work.post.stem), why);
        }
        match (is_album, nodes.is_empty()) {
            // Its children do not come.
            (true, true) if own.url.is_none() && own.held.file.is_none() && trouble.is_some() => {}
            (true, false) if own.held.file.is_none() || !self.run.options.check => {}
            _ => nodes.push(own),
        }
        for node in nodes {
            self.files(&mut work, node, lacks_url);
        }
        self.finish(work)
    }

    /// A post with its sidecar.
    fn open(&self, stem: &str, held: &Held, id: &str) -> Work {
        let name = held
            .sidecar
            .clone()
            .unwrap_or_else(|| format!("{stem}.{SIDECAR}"));
        let (sidecar, failure) = Sidecar::open(self.run.folder, name, Some(id));
        let mut work = Work {
            post: Post {
                stem: stem.rsplit('/').next().unwrap_or_default().to_owned(),
                sidecar,
                is_listed: true,
                kept: 0,
                missing: false,
                left: 0,
            },
            tasks: Vec::new(),
        };
        if let Some(failure) = failure {
            let name = work.post.sidecar.name.clone();
            work.miss(self.run, name, &failure);
        }
        work
    }

    /// The children of an album that have an id that can be part of a name; the others are
    /// taken out.
    fn children(
        &mut self,
        work: &mut Work,
        stem: &str,
        album: &Media,
        children: &mut Vec<Media>,
    ) -> Vec<Node> {
        let mut nodes = Vec::new();
        for (i, child) in children.iter_mut().enumerate() {
            if !names::is_id(&child.id) {
                self.refuse(&child.id);
                work.post.missing = true;
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
        children.retain(|child| names::is_id(&child.id));
        nodes
    }

    /// Takes over what version 0.1 has recorded beside each child.
    fn take_over(&self, work: &mut Work, nodes: &[Node]) {
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

    /// Adds the children that the service does not list any more, if the files of an album
    /// are all checked or if no other one came.
    fn left(&mut self, work: &mut Work, album: &str, nodes: &mut Vec<Node>) {
        if !nodes.is_empty() && !self.run.options.check {
            return;
        }
        let known: HashSet<String> = nodes.iter().map(|node| node.id.clone()).collect();
        for id in work.post.sidecar.children() {
            if known.contains(&id) || !names::is_id(&id) {
                continue;
            }
            let held = self.index.child(album, &id);
            if held.file.is_some() {
                nodes.push(Node::left(id, held));
            }
        }
    }

    /// The files of posts that the service does not list any more.
    fn unlisted(&mut self) -> Result<(), Failure> {
        let unseen: Vec<Held> = self.index.unseen().collect();
        for held in unseen {
            let stem = held.stem.clone().unwrap_or_default();
            let id = stem.rsplit('_').next().unwrap_or_default().to_owned();
            let mut work = self.open(&stem, &held, &id);
            work.post.is_listed = false;
            let mut nodes = Vec::new();
            self.left(&mut work, &id, &mut nodes);
            if held.file.is_some() || held.poster.is_some() {
                let is_child = false;
                nodes.push(Node {
                    is_child,
                    ..Node::left(id, held)
                });
            }
            for node in nodes {
                self.files(&mut work, node, false);
            }
            self.finish(work)?;
        }
        Ok(())
    }

    /// The picture or video of a node, and the poster of a video.
    fn files(&mut self, work: &mut Work, node: Node, lacks_url: bool) {
        let is_gone = node.url.is_none() && node.held.file.is_none();
        let has_poster = node.poster.is_some() || node.held.poster.is_some();
        if is_gone && work.post.is_listed {
            self.run.count(|summary| summary.files += 1);
            let name = node.stem.rsplit('/').next().unwrap_or_default().to_owned();
            match lacks_url {
                true => work.miss(self.run, name, &"the service refuses the field `media_url`"),
                false => self.run.count(|summary| summary.unavailable.push(name)),
            }
        } else if !is_gone {
            let (url, found) = (node.url.clone(), node.held.file.clone());
            self.file(work, &node, Role::File, url, found);
        }
        if has_poster {
            let (url, found) = (node.poster.clone(), node.held.poster.clone());
            self.file(work, &node, Role::Poster, url, found);
        }
    }

    /// One file: there already, or a task, or missing.
    fn file(
        &self,
        work: &mut Work,
        node: &Node,
        role: Role,
        url: Option<String>,
        found: Option<String>,
    ) {
        let stem = match role {
            Role::File => node.stem.clone(),
            Role::Poster => format!("{}{POSTER}", node.stem),
        };
        let name = stem.rsplit('/').next().unwrap_or_default().to_owned();
        let child = node.is_child.then_some(node.id.as_str());
        self.run.count(|summary| summary.files += 1);
        let mut keeps_old = false;
        if let Some(found) = &found {
            match self.check(work, child, role, found, url.as_deref()) {
                None => {
                    work.post.kept += u32::from(role == Role::File);
                    return;
                }
                Some(certain) => keeps_old = !certain,
            }
        }
        if let Some(blocked) = self.run.folder.blocked(&stem) {
            let path = self.run.folder.join(&blocked).display().to_string();
            return work.miss(self.run, name, &Failure::Blocked(path));
        }
        match url {
            Some(url) => {
                let node = Node {
                    stem,
                    held: Held::default(),
                    id: node.id.clone(),
                    url: None,
                    poster: None,
                    ..*node
                };
                work.tasks.push((node, role, url, found, keeps_old));
            }
            None => work.miss(self.run, name, &"the service gives no URL for it any more"),
        }
    }

    /// What is there already. Returns `None` if it is fine, and else whether it is certain
    /// that it is damaged.
    fn check(
        &self,
        work: &mut Work,
        child: Option<&str>,
        role: Role,
        name: &str,
        url: Option<&str>,
    ) -> Option<bool> {
        let run = self.run;
        if run.options.check {
            let noted = work.post.sidecar.noted(child, role).unwrap_or_default();
            match verify(run.api, run.folder, name, noted, url) {
                Verdict::Fine(noted) => {
                    run.count(|summary| {
                        summary.verified.files += 1;
                        summary.verified.bytes += noted.size.unwrap_or_default();
                    });
                    work.post.sidecar.note(child, role, noted);
                }
                Verdict::Damaged { what, certain } => {
                    run.count(|summary| summary.damaged.push(format!("{name}: {what}")));
                    return Some(certain);
                }
            }
        }
        run.count(|summary| summary.already_there += 1);
        None
    }

    /// Hands out the tasks of a post, or settles it if there are none.
    fn finish(&self, mut work: Work) -> Result<(), Failure> {
        let run = self.run;
        if run.options.dry_run || work.tasks.is_empty() {
            let tasks = std::mem::take(&mut work.tasks);
            let files = tasks.iter().filter(|(_, role, ..)| *role == Role::File);
            work.post.kept += files.count() as u32;
            let stems = tasks.into_iter().map(|(node, ..)| node.stem);
            let names = stems.map(|stem| stem.rsplit('/').next().unwrap_or_default().to_owned());
            let folder = Some(run.folder).filter(|_| !run.options.dry_run);
            let mut outcome = run.outcome.lock().unwrap();
            outcome.summary.wanted.extend(names);
            return work.post.settle(folder, outcome.summary);
        }
        work.post.left = work.tasks.len();
        let post = Arc::new(Mutex::new(work.post));
        for (node, role, url, replaces, keeps_old) in work.tasks {
            run.progress.expect();
            run.queue.push(Task {
                post: post.clone(),
                id: node.id,
                is_child: node.is_child,
                role,
                stem: node.stem,
                url,
                want: match role {
                    Role::File => node.want,
                    Role::Poster => Want::Picture,
                },
                published: node.published,
                replaces,
                keeps_old,
                source: None,
            });
        }
        Ok(())
    }

    /// The profile, and its picture.
    pub fn profile(&self, mut user: User) -> Result<(), Failure> {
        let run = self.run;
        // Signed for a few days, and another URL each time.
        let url = user.profile_picture_url.take();
        let (sidecar, failure) = Sidecar::open(run.folder, "profile.json".to_owned(), None);
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut work = Work {
            post: Post {
                stem: "profile".to_owned(),
                sidecar,
                is_listed: false,
                kept: 0,
                missing: false,
                left: 0,
            },
            tasks: Vec::new(),
        };
        let now = run.now;
        work.post
            .sidecar
            .update(sidecar::object(&user), PROFILE_TEXTS, now);
        let found = run.folder.find("profile");
        let source = url.as_deref().map(|url| file_name(url).to_owned());
        let noted = work
            .post
            .sidecar
            .noted(None, Role::File)
            .unwrap_or_default();
        let is_new = source.is_some() && noted.source != source;
        if url.is_some() || found.is_some() {
            run.count(|summary| summary.files += 1);
        }
        let mut is_fine = found.is_none();
        if let Some(name) = found.as_ref().filter(|_| !is_new) {
            is_fine = self
                .check(&mut work, None, Role::File, name, url.as_deref())
                .is_none();
            if is_fine {
                return self.finish(work);
            }
        }
        let Some(url) = url else {
            if !is_fine {
                work.miss(
                    run,
                    "profile".to_owned(),
                    &"the service gives no URL for it any more",
                );
            }
            return self.finish(work);
        };
        if run.options.dry_run {
            run.count(|summary| summary.wanted.push("profile".to_owned()));
            return self.finish(work);
        }
        work.post.left = 1;
        run.progress.expect();
        run.queue.push(Task {
            post: Arc::new(Mutex::new(work.post)),
            id: String::new(),
            is_child: false,
            role: Role::File,
            stem: "profile".to_owned(),
            url,
            want: Want::Picture,
            published: None,
            replaces: found,
            keeps_old: is_new,
            source: Some(source.unwrap_or_default()),
        });
        Ok(())
    }
}

impl Work {
    fn miss(&mut self, run: &Run<'_>, name: String, why: &dyn std::fmt::Display) {
        self.post.missing = true;
        run.count(|summary| summary.miss(name, why));
    }
}
