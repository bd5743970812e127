//! `.frame/list`: whose pictures these are, which files are ours, and which pictures were
//! deleted by hand.

use super::HIDDEN;
use crate::account::sample;
use crate::output;
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::store::index::{FRAME_GOES as GOES, FRAME_LIST as LIST, Index};
use crate::store::names::{self, EXTENSIONS};
use crate::store::record::{self, Owner};
use mingram::User;
use miniserde::json::{self, Object};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

const HEAD: &str =
    "# What `frame` put here, and may remove. Without this list it removes nothing.\n";

/// What lines begin with, besides names of files. An older version ignores such lines.
const ACCOUNT: &str = "# account ";
/// The id that was asked for last and has stayed.
const STAYED: &str = "# stayed ";
/// The id of what was listed as a picture, and the name at the service of its file, which is
/// a video.
const VIDEO: &str = "# video ";
/// The id of a picture that was deleted by hand.
const AWAY: &str = "- ";

#[derive(Default)]
pub struct List {
    account: Option<Object>,
    /// The files that are ours, and there.
    pub ours: BTreeSet<String>,
    /// Those of them that a backup in the same directory has recorded: they stay.
    pub recorded: BTreeSet<String>,
    /// The id that was asked for last and has stayed.
    pub stayed: Option<String>,
    /// What was listed as a picture, and is a video: the names of the files by id.
    pub videos: BTreeMap<String, String>,
    /// The pictures that stay away.
    pub away: BTreeSet<String>,
    /// Pictures that were deleted since the last look.
    pub deleted: usize,
    /// A line was not understood.
    damaged: Cell<bool>,
}

impl List {
    /// Reads the list. A line that is not understood makes nothing ours; the list is then kept
    /// under another name when it is written. With `again`, nothing stays away.
    pub fn read(folder: &Directory, index: &mut Index, again: bool) -> Result<List, Failure> {
        debug_assert!(LIST.starts_with(HIDDEN));
        folder.check_file(LIST)?;
        let path = folder.join(LIST);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(List::default()),
            text => text.map_err(|error| Failure::at(&path, error))?,
        };
        let (mut list, named, damaged) = parse(&String::from_utf8_lossy(&text));
        let mut backup = Backup::read(folder);
        list.damaged.set(damaged);
        // A list without an account is of version 0.1, unless it has lost it.
        if damaged && list.account.is_none() {
            return Ok(list);
        }
        for (name, is_sure) in named {
            let stem = stem(&name);
            let (post, id) = (names::post_of(stem), names::id_of(stem));
            let there = fs::symlink_metadata(folder.join(&name)).is_ok_and(|meta| meta.is_file());
            // Its picture has another name, or a kill came before it had its own.
            let mut held = || index.post(id).file.or(index.child(post, id).file).is_some();
            let is_coming = || folder.part(stem).is_file();
            let is_sure = is_sure && list.account.is_some() && !again;
            if there {
                if backup.has_recorded(index, post, id) {
                    list.recorded.insert(name.clone());
                }
                list.ours.insert(name);
            } else if is_sure && !held() && !is_coming() {
                list.deleted += usize::from(list.away.insert(id.to_owned()));
            }
        }
        if again {
            list.away.clear();
        }
        Ok(list)
    }

    /// Writes the list unless it is written already, with the files that come, and marks those
    /// that go.
    pub fn write(
        &self,
        folder: &Directory,
        coming: &[String],
        going: &[String],
    ) -> Result<(), Failure> {
        let mut text = HEAD.to_owned();
        if let Some(account) = &self.account {
            text += &format!("{ACCOUNT}{}\n", json::to_string(account));
        }
        if let Some(id) = &self.stayed {
            text += &format!("{STAYED}{id}\n");
        }
        for (id, file) in &self.videos {
            text += &format!("{VIDEO}{id} {file}\n");
        }
        let names: BTreeSet<&String> = self.ours.iter().chain(coming).collect();
        let mark = |name: &String| if going.contains(name) { GOES } else { "" };
        let names = names.into_iter().map(|name| (mark(name), name));
        let away = self.away.iter().map(|id| (AWAY, id));
        for (mark, name) in names.chain(away) {
            text += &format!("{mark}{name}\n");
        }
        if self.damaged.take() {
            let aside = folder.set_aside(LIST)?;
            output::warn(&format!(
                "{LIST} was damaged: written anew, and kept as {aside}"
            ));
        }
        folder.write_whole(LIST, text.as_bytes()).map(drop)
    }

    /// Notes that what was listed as a picture is a video.
    pub fn add_video(&mut self, id: &str, url: &str) {
        let file = names::file_name(url);
        if is_word(file) {
            self.videos.insert(id.to_owned(), file.to_owned());
        }
    }

    /// Whether the file at this URL is known to be a video.
    pub fn is_video(&self, id: &str, url: &str) -> bool {
        let known = self.videos.get(id);
        known.is_some_and(|file| file == names::file_name(url))
    }

    /// Whether it is known whose pictures these are.
    pub fn has_account(&self) -> bool {
        self.account.is_some()
    }

    /// Notes whose pictures these are. `Err` if they are another account's.
    pub fn set_account(&mut self, folder: &Directory, user: &User) -> Result<(), Failure> {
        let owner = self.account.as_ref().and_then(Owner::of);
        if let Some(other) = owner.filter(|owner| !owner.is(user) && !owner.is_sample()) {
            return Err(record::another(folder, "frame", other.name()));
        }
        self.account = Some(record::account(user, self.account.as_ref()));
        Ok(())
    }

    /// Whether everything in it is of the built-in sample.
    pub fn is_sample(&self) -> bool {
        match self.account.as_ref().and_then(Owner::of) {
            Some(owner) => owner.is_sample(),
            None => {
                let mut ids = self.ours.iter().map(|name| names::id_of(stem(name)));
                !self.ours.is_empty() && ids.all(sample::contains)
            }
        }
    }
}

/// Whether everything that `frame` put into a directory is of the sample.
pub fn is_sample(folder: &Directory) -> bool {
    let (mut list, named, damaged) = parse(&folder.read(LIST));
    list.ours = named.into_iter().map(|(name, _)| name).collect();
    !damaged && list.is_sample()
}

/// The names in a list, each with whether its file must be there, and whether a line is not
/// understood.
fn parse(text: &str) -> (List, Vec<(String, bool)>, bool) {
    let (mut list, mut named, mut damaged) = (List::default(), Vec::new(), false);
    // An empty file has lost what was in it. Some editors put a byte order mark in front.
    damaged |= text.is_empty();
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).lines() {
        if let Some(account) = line.strip_prefix(ACCOUNT) {
            let account = json::from_str(account).ok();
            list.account = account.filter(|account| Owner::of(account).is_some());
            damaged |= list.account.is_none();
        } else if let Some(id) = line.strip_prefix(STAYED) {
            list.stayed = Some(id.to_owned()).filter(|id| names::is_id(id));
        } else if let Some((id, file)) = line.strip_prefix(VIDEO).and_then(|l| l.split_once(' ')) {
            if names::is_id(id) && is_word(file) {
                list.videos.insert(id.to_owned(), file.to_owned());
            }
        } else if let Some(id) = line.strip_prefix(AWAY).filter(|id| names::is_id(id)) {
            list.away.insert(id.to_owned());
        } else if let Some(name) = line.strip_prefix(GOES).filter(|name| is_name(name)) {
            named.push((name.to_owned(), false));
        } else if is_name(line) {
            named.push((line.to_owned(), true));
        } else {
            damaged |= !line.starts_with('#');
        }
    }
    (list, named, damaged)
}

fn is_name(line: &str) -> bool {
    line.split_once('.')
        .is_some_and(|(stem, extension)| names::is_stem(stem) && EXTENSIONS.contains(&extension))
}

/// Whether a name of the service can stand in a line.
fn is_word(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a backup in the same directory has in those of the years. `None` if one of them
/// cannot be read.
struct Backup(Option<Vec<Index>>);

impl Backup {
    fn read(folder: &Directory) -> Backup {
        let entries = fs::read_dir(folder.path()).into_iter().flatten().flatten();
        let years = entries.filter(|entry| {
            entry.file_name().to_str().is_some_and(names::is_year) && entry.path().is_dir()
        });
        let index = |year: fs::DirEntry| Index::read_flat(&Directory::look(&year.path(), HIDDEN));
        Backup(years.map(index).collect::<Result<_, _>>().ok())
    }

    /// Whether a picture in the directory itself, which `flat` is of, may be one that the
    /// backup has recorded: a sidecar lies beside it, or in a year without another file.
    fn has_recorded(&mut self, flat: &mut Index, post: &str, id: &str) -> bool {
        let mut has_sidecar = |index: &mut Index| {
            index.post(post).sidecar.is_some() || index.child(post, id).sidecar.is_some()
        };
        let mut has_file = |index: &mut Index| {
            index.post(id).file.is_some() || index.child(post, id).file.is_some()
        };
        match &mut self.0 {
            _ if has_sidecar(flat) => true,
            None => true,
            Some(years) => {
                years.iter_mut().any(&mut has_sidecar) && !years.iter_mut().any(&mut has_file)
            }
        }
    }
}

/// A name without its extension.
pub fn stem(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}
