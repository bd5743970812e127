//! A post while its files are looked at: each is there already, to be downloaded, missing or
//! unavailable.

use super::check::{Verdict, verify};
use super::download::Run;
use super::post::{Post, Task, Wanted};
use crate::store::failure::Failure;
use crate::store::index::Held;
use crate::store::names::{POSTER, Want, base};
use crate::store::sidecar::{Role, Sidecar};
use mingram::Media;
use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// What a damaged file without a URL is missing for.
const NO_URL: &str = "the service gives no URL for it any more";

/// The same of a file that is not there.
pub const GONE: &str = "recorded, but not here, and the service gives no URL for it";

/// A media with files: a post, or a child of an album.
pub struct Node {
    pub id: String,
    pub is_child: bool,
    pub held: Held,
    /// What its names begin with.
    stem: String,
    pub url: Option<String>,
    poster: Option<String>,
    want: Want,
    pub published: Option<SystemTime>,
}

impl Node {
    /// Takes the URLs out of the media.
    pub fn new(media: &mut Media, held: Held, stem: String) -> Node {
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

    /// One that the service does not list any more. Its names would begin with `stem`.
    pub fn left(id: String, is_child: bool, held: Held, stem: String) -> Node {
        let stem = held.stem.clone().unwrap_or(stem);
        let mut media = Media::default();
        media.id = id;
        Node {
            is_child,
            ..Node::new(&mut media, held, stem)
        }
    }

    fn child(&self) -> Option<&str> {
        self.is_child.then_some(self.id.as_str())
    }
}

pub struct Work<'a, 'b> {
    run: &'a Run<'b>,
    pub post: Post,
    wanted: Vec<Wanted>,
}

impl<'a, 'b> Work<'a, 'b> {
    pub fn new(run: &'a Run<'b>, stem: &str, sidecar: Sidecar, is_listed: bool) -> Work<'a, 'b> {
        Work {
            run,
            post: Post {
                stem: base(stem).to_owned(),
                sidecar,
                is_listed,
                kept: 0,
                missing: false,
                left: 0,
            },
            wanted: Vec::new(),
        }
    }

    pub fn miss(&mut self, name: impl Into<String>, why: impl Display) {
        self.post.missing = true;
        self.run.count(|summary| summary.miss(name, why));
    }

    /// Whether a file is recorded and not there.
    pub fn has_lost(&self, node: &Node, role: Role) -> bool {
        let held = match role {
            Role::File => &node.held.file,
            Role::Poster => &node.held.poster,
        };
        held.is_none() && self.post.sidecar.noted(node.child(), role).is_some()
    }

    /// The picture or video of a node, and the poster of a video. `lacks_url` is whether the
    /// service refuses to give URLs.
    pub fn files(&mut self, node: &Node, lacks_url: bool) {
        let Held { file, poster, .. } = &node.held;
        match node.url.is_some() || file.is_some() || self.has_lost(node, Role::File) {
            true => self.file(node, Role::File, &node.url, file),
            // Of a post that is not listed, no more is known than what is here.
            false if !self.post.is_listed => {}
            false => {
                self.run.count(|summary| summary.files += 1);
                match lacks_url {
                    true => self.miss(base(&node.stem), "the service refuses `media_url`"),
                    false => {
                        let name = base(&node.stem).to_owned();
                        self.run.count(|summary| summary.unavailable.push(name));
                    }
                }
            }
        }
        if node.poster.is_some() || poster.is_some() || self.has_lost(node, Role::Poster) {
            self.file(node, Role::Poster, &node.poster, poster);
        }
    }

    fn file(&mut self, node: &Node, role: Role, url: &Option<String>, found: &Option<String>) {
        let (stem, want) = match role {
            Role::File => (node.stem.clone(), node.want),
            Role::Poster => (format!("{}{POSTER}", node.stem), Want::Picture),
        };
        self.run.count(|summary| summary.files += 1);
        let mut keeps_old = false;
        if let Some(found) = found {
            match self.check(node.child(), role, found, url.as_deref()) {
                None => return,
                Some(certain) => keeps_old = !certain,
            }
        }
        if let Some(blocked) = self.run.folder.blocked(&stem) {
            return self.miss(base(&stem), blocked);
        }
        let Some(url) = url.clone() else {
            let why = if found.is_some() { NO_URL } else { GONE };
            return self.miss(base(&stem), why);
        };
        self.want(Wanted {
            id: node.id.clone(),
            is_child: node.is_child,
            role,
            stem,
            url,
            want,
            published: node.published,
            replaces: found.clone(),
            keeps_old,
            source: None,
        });
    }

    pub fn want(&mut self, file: Wanted) {
        self.wanted.push(file);
    }

    /// A file that is there. Returns `None` if that is all, and else whether it is certain
    /// that it is damaged.
    pub fn check(
        &mut self,
        child: Option<&str>,
        role: Role,
        name: &str,
        url: Option<&str>,
    ) -> Option<bool> {
        let run = self.run;
        if run.options.check {
            let noted = self.post.sidecar.noted(child, role).unwrap_or_default();
            match verify(run.api, run.folder, name, noted, url) {
                Verdict::Fine(noted) => {
                    run.count(|summary| {
                        summary.verified.files += 1;
                        summary.verified.bytes += noted.size.unwrap_or_default();
                    });
                    self.post.sidecar.note(child, role, noted);
                }
                Verdict::Unknown => run.count(|summary| summary.unverified.push(name.to_owned())),
                Verdict::Damaged { what, certain } => {
                    run.count(|summary| summary.damaged.push(format!("{name}: {what}")));
                    return Some(certain);
                }
            }
        }
        self.post.kept += u32::from(role == Role::File);
        run.count(|summary| summary.already_there += 1);
        None
    }

    /// Hands out the files to download, or settles the post if there are none.
    pub fn finish(mut self) -> Result<(), Failure> {
        let run = self.run;
        if run.options.dry_run {
            for file in std::mem::take(&mut self.wanted) {
                self.post.kept += u32::from(file.role == Role::File);
                run.count(|summary| summary.wanted.push(base(&file.stem).to_owned()));
            }
        }
        if self.wanted.is_empty() {
            let folder = Some(run.folder).filter(|_| !run.options.dry_run);
            let mut outcome = run.outcome.lock().unwrap();
            return self.post.settle(folder, outcome.summary);
        }
        self.post.left = self.wanted.len();
        let post = Arc::new(Mutex::new(self.post));
        for file in self.wanted {
            run.progress.expect();
            let post = post.clone();
            run.push(Task { post, file });
        }
        Ok(())
    }
}
