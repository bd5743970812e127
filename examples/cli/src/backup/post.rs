//! One post, or the profile: what is known of it until its last file has come.

use super::summary::Summary;
use crate::output;
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::store::names::{Want, base};
use crate::store::sidecar::{Role, Sidecar};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

pub struct Post {
    /// What its names begin with, without the directory.
    pub stem: String,
    pub sidecar: Sidecar,
    /// Whether it counts among the listed posts; the profile does not.
    pub is_listed: bool,
    /// Its pictures and videos that are in the directory.
    pub kept: u32,
    /// Whether something of it is missing.
    pub missing: bool,
    /// The files that are still to come.
    pub left: usize,
}

/// One file to download.
pub struct Task {
    pub post: Arc<Mutex<Post>>,
    pub file: Wanted,
}

pub struct Wanted {
    /// The id of the media, and whether it is an album's child.
    pub id: String,
    pub is_child: bool,
    pub role: Role,
    /// Relative to the directory.
    pub stem: String,
    pub url: String,
    pub want: Want,
    pub published: Option<SystemTime>,
    /// The file that this one replaces.
    pub replaces: Option<String>,
    /// That file stays under another name: it is not certain that it is damaged.
    pub keeps_old: bool,
    /// Of the profile picture: its name at the service.
    pub source: Option<String>,
}

impl Wanted {
    /// The child that the file is of.
    pub fn child(&self) -> Option<&str> {
        self.is_child.then_some(self.id.as_str())
    }

    /// The name in messages, and of the unfinished file.
    pub fn name(&self) -> &str {
        base(&self.stem)
    }
}

impl Post {
    /// Writes the sidecar, and counts the post. `Err` if nothing more can be written.
    pub fn settle(
        &mut self,
        folder: Option<&Directory>,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        let mut fatal = None;
        match folder.map(|folder| self.sidecar.save(folder)) {
            Some(Ok(Some(aside))) => {
                let name = &self.sidecar.name;
                output::warn(&format!(
                    "{name} was damaged: written anew, and kept as {aside}"
                ));
            }
            Some(Err(failure)) => {
                self.missing = true;
                summary.miss(&self.sidecar.name, &failure);
                fatal = Some(failure).filter(Failure::is_fatal);
            }
            _ => {}
        }
        if self.sidecar.edited {
            summary.edited.push(self.stem.clone());
        }
        if self.is_listed {
            let posts = &mut summary.posts;
            match self.missing {
                true => posts.missing += 1,
                false if self.kept == 0 => posts.unavailable += 1,
                false => posts.kept += 1,
            }
        }
        fatal.map_or(Ok(()), Err)
    }
}
