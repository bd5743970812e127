//! Goes through all media: writes what the service says about each, and finds what has to
//! be downloaded.

use super::Options;
use super::download::{Role, Task};
use super::summary::Summary;
use crate::account::source::lacks_a_field;
use crate::output;
use crate::store::directory::{Directory, length_of};
use crate::store::failure::Failure;
use crate::store::names::{self, HEAD, POSTER, Want};
use crate::store::sidecar::{self, Noted, Notes};
use mingram::{Api, Fields, Media, MediaField as M, MediaType};
use miniserde::json;
use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

pub struct Lister<'a> {
    api: &'a Api,
    folder: &'a Directory,
    options: &'a Options,
    summary: &'a mut Summary,
    tasks: &'a mut VecDeque<Task>,
    seen: HashSet<String>,
}

impl<'a> Lister<'a> {
    pub fn new(
        api: &'a Api,
        folder: &'a Directory,
        options: &'a Options,
        summary: &'a mut Summary,
        tasks: &'a mut VecDeque<Task>,
    ) -> Lister<'a> {
        Lister {
            api,
            folder,
            options,
            summary,
            tasks,
            seen: HashSet::new(),
        }
    }

    pub fn list(&mut self) -> Result<(), Failure> {
        let login = Fields::from(M::PROFESSIONAL)
            .and(M::AltText)
            .with(M::Children, M::CHILD);
        let basic = M::WITH_CHILDREN;
        let edge = |fields: &Fields| {
            let edge = self.api.my_media(fields).page_size(100);
            match self.options.since {
                Some(time) => edge.since(time),
                None => edge,
            }
        };
        let (mut items, mut fewer, mut complete) = (edge(&login).items(), false, true);
        while let Some(media) = items.next() {
            match media {
                // On whichever page: it continues there with fewer fields.
                Err(error) if lacks_a_field(&error) && !fewer => {
                    let rest = edge(&basic).resume(&items.position());
                    (items, fewer) = (rest.items(), true);
                }
                // It is missing, and the others are not.
                Err(error) if error.is_unreadable_item() => {
                    let fields = if fewer { &basic } else { &login };
                    items = edge(fields).resume(&items.position()).items();
                    self.summary.media += 1;
                    self.summary.miss("a media of the list", error);
                    complete = false;
                }
                media => self.media(media?)?,
            }
            if output::shows_progress() && self.summary.media % 10 == 0 {
                output::progress(&format!("listing… {}", self.summary.media));
            }
        }
        // What is not listed any more does not come any more.
        if complete && self.options.since.is_none() && !self.options.dry_run {
            for stem in self.folder.unfinished() {
                if !self.tasks.iter().any(|task| task.stem == stem) {
                    self.folder.forget(&stem)?;
                }
            }
        }
        Ok(())
    }

    fn media(&mut self, mut media: Media) -> Result<(), Failure> {
        let published = media.published_at();
        let since = self.options.since;
        if published.is_some_and(|at| since.is_some_and(|since| at < since)) {
            return Ok(());
        }
        self.summary.media += 1;
        if !names::is_id(&media.id) {
            self.refuse(&media.id);
            return Ok(());
        }
        let stem = names::stem(published, &media.id);
        let album = media.media_type == Some(MediaType::CarouselAlbum);
        if album && media.children.as_deref().unwrap_or_default().is_empty() {
            match self.api.children(&media.id, M::CHILD).into_iter().collect() {
                Ok(children) => media.children = Some(children),
                Err(error) => match Failure::from(error) {
                    failure if failure.is_fatal() => return Err(failure),
                    failure => self.summary.miss(format!("{stem}_*"), failure),
                },
            }
        }
        let children = media.children.take();
        for (i, child) in children.iter().flatten().enumerate() {
            if !names::is_id(&child.id) {
                self.refuse(&child.id);
                continue;
            }
            let stem = names::child_stem(&stem, i, &child.id);
            self.node(&stem, child.clone(), published, true)?;
        }
        media.children = children;
        self.node(&stem, media, published, !album)
    }

    fn refuse(&mut self, id: &str) {
        let id: String = id.chars().take(40).collect();
        let reason = "refused: an id that is not a number";
        self.summary.miss(format!("{id:?}"), reason);
    }

    /// One media or child: its JSON, and its files.
    fn node(
        &mut self,
        stem: &str,
        mut media: Media,
        published: Option<SystemTime>,
        has_files: bool,
    ) -> Result<(), Failure> {
        if !self.seen.insert(stem.to_owned()) {
            return Ok(());
        }
        let name = format!("{stem}.json");
        let before = self.folder.read(&name);
        if sidecar::is_edited(&before, media.caption.as_deref()) {
            self.summary.edited.push(stem.to_owned());
        }
        let mut notes = Notes::read(&before);
        // The URLs are signed for a few days, and others each time.
        let (url, poster) = (media.media_url.take(), media.thumbnail_url.take());
        for child in media.children.iter_mut().flatten() {
            (child.media_url, child.thumbnail_url) = (None, None);
        }
        if has_files {
            let want = Want::of(&media);
            let task = |role, stem: String, want| Task {
                id: media.id.clone(),
                role,
                node: name.clone(),
                stem,
                url: String::new(),
                want,
                published,
                replaces: None,
            };
            if url.is_none() && self.folder.find(stem).is_none() {
                self.summary.files += 1;
                self.summary.unavailable.push(stem.to_owned());
            } else {
                let task = task(Role::File, stem.to_owned(), want);
                self.file(task, url, &mut notes.file);
            }
            if poster.is_some() {
                let task = task(Role::Poster, format!("{stem}{POSTER}"), Want::Picture);
                self.file(task, poster, &mut notes.poster);
            }
        }
        if self.options.dry_run {
            return Ok(());
        }
        let text = notes.add_to(json::to_string(&media));
        match self.folder.write_whole(&name, text.as_bytes()) {
            Err(failure) if !failure.is_fatal() => self.summary.miss(name, failure),
            written => drop(written?),
        }
        Ok(())
    }

    /// One file: there already, or a task, or missing.
    fn file(&mut self, task: Task, url: Option<String>, noted: &mut Option<Noted>) {
        let stem = &task.stem;
        self.summary.files += 1;
        let found = self.folder.find(stem);
        if let Some(name) = &found {
            let path = self.folder.join(name);
            let size = length_of(&path);
            // An earlier run may have ended before it noted the size.
            let noted = noted.get_or_insert(Noted {
                size,
                etag: None,
                source: None,
            });
            match damage(&path, noted.size).filter(|_| self.options.check) {
                None => {
                    self.summary.already_there += 1;
                    return;
                }
                Some(what) => self.summary.damaged.push(format!("{name}: {what}")),
            }
        }
        if let Some(name) = self.folder.blocked(stem) {
            let failure = Failure::Blocked(self.folder.join(&name).display().to_string());
            return self.summary.miss(stem, failure);
        }
        let Some(url) = url else {
            return self
                .summary
                .miss(stem, "the service gives no URL for it any more");
        };
        self.tasks.push_back(Task {
            url,
            replaces: found,
            ..task
        });
    }
}

/// What is wrong with a file that had this size.
pub fn damage(path: &Path, noted: u64) -> Option<String> {
    let size = length_of(path);
    if size != noted {
        return Some(format!("{size} bytes instead of {noted}"));
    }
    (!is_what_its_name_says(path)).then(|| "it begins with something else".to_owned())
}

/// Whether a file begins as its extension says; one full of zeros does not.
fn is_what_its_name_says(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD as u64).read_to_end(&mut head));
    let extension = path.extension().and_then(|extension| extension.to_str());
    read.is_ok() && names::extension(&head) == extension
}
