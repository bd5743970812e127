//! What lies in a directory, by the ids in the names: whatever date or number stands before
//! an id, and whether a file is in the directory itself, where version 0.1 put it, or in the
//! one of its year.

use super::directory::Directory;
use super::failure::{Failure, is_missing};
use super::names::{EXTENSIONS, POSTER, id_of, is_stem, is_year};
use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

/// The list of what `frame` put into a directory.
pub const FRAME_LIST: &str = ".frame/list";

/// What stands in it before a file that goes: a kill may leave it there or not.
pub const FRAME_GOES: &str = "? ";

/// The extension of a sidecar.
pub const SIDECAR: &str = "json";

/// About 40 bytes for a post.
#[derive(Default)]
pub struct Index {
    /// All stems.
    text: String,
    /// Sorted by id.
    entries: Vec<Entry>,
}

/// What has one stem. A file or poster is the number of its extension, from 1 on.
struct Entry {
    at: u32,
    length: u8,
    in_year: bool,
    file: u8,
    poster: u8,
    sidecar: bool,
    /// `frame` has a file of this stem.
    of_frame: bool,
    seen: bool,
}

/// What is there of a node. All names are relative to the directory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// What the names of further files begin with.
    pub stem: Option<String>,
    pub file: Option<String>,
    pub poster: Option<String>,
    pub sidecar: Option<String>,
}

impl Index {
    /// Reads the directory and those of the years, once. One that is missing is empty.
    ///
    /// What `frame` put there is not of a post, which may be a video while that is its poster:
    /// `frame` removes it again.
    pub fn read(folder: &Directory) -> Result<Index, Failure> {
        let (mut found, mut years) = (Vec::new(), Vec::new());
        let of_frame = names_of_frame(folder)?;
        scan(folder.path(), &mut |name, entry| {
            if is_year(name) {
                // A file may have the name of a year: see `Directory::blocked`.
                let kind = entry.file_type();
                let leads_in = kind.is_ok_and(|kind| kind.is_dir() || kind.is_symlink());
                years.extend(leads_in.then(|| name.to_owned()));
            } else if let Some((stem, entry)) = entry_of(name, entry, "") {
                let of_frame = of_frame.contains(name);
                found.push((stem, if of_frame { entry.of_frame() } else { entry }));
            }
        })?;
        years.sort();
        for year in years {
            folder.check_inside(&year)?;
            scan(&folder.join(&year), &mut |name, entry| {
                found.extend(entry_of(name, entry, &year));
            })?;
        }
        Ok(Index::of(found))
    }

    /// Reads the directory alone.
    pub fn read_flat(folder: &Directory) -> Result<Index, Failure> {
        let mut found = Vec::new();
        scan(folder.path(), &mut |name, entry| {
            found.extend(entry_of(name, entry, ""));
        })?;
        Ok(Index::of(found))
    }

    fn of(mut found: Vec<(String, Entry)>) -> Index {
        let in_year = |entry: &Entry| entry.in_year;
        found.sort_by(|(a, one), (b, other)| {
            (id_of(a), a, in_year(one)).cmp(&(id_of(b), b, in_year(other)))
        });
        let mut index = Index::default();
        for (stem, entry) in found {
            if let Some(last) = index.entries.last_mut() {
                let held = &index.text[last.at as usize..];
                if held == stem && last.in_year == entry.in_year {
                    last.file = last.file.max(entry.file);
                    last.poster = last.poster.max(entry.poster);
                    last.sidecar |= entry.sidecar;
                    last.of_frame |= entry.of_frame;
                    continue;
                }
            }
            let at = u32::try_from(index.text.len()).unwrap_or(u32::MAX);
            index.text += &stem;
            index.entries.push(Entry {
                at,
                length: stem.len() as u8,
                ..entry
            });
        }
        let has_name = |entry: &Entry| entry.file > 0 || entry.poster > 0 || entry.sidecar;
        index.entries.retain(has_name);
        index
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is there of a post.
    pub fn post(&mut self, id: &str) -> Held {
        self.find(id, |stem| !is_child(stem))
    }

    /// What is there of an album's child: of this album, or of any other, or as a post.
    pub fn child(&mut self, album: &str, id: &str) -> Held {
        let of_album = format!("_{album}_");
        let held = self.find(id, |stem| stem.contains(&of_album));
        let other = self.find(id, |stem| !stem.contains(&of_album));
        Held {
            stem: held.stem,
            file: held.file.or(other.file),
            poster: held.poster.or(other.poster),
            sidecar: held.sidecar.or(other.sidecar.filter(|path| is_child(path))),
        }
    }

    fn find(&mut self, id: &str, wanted: impl Fn(&str) -> bool) -> Held {
        let mut held = Held::default();
        let Index { text, entries } = self;
        let stem = |entry: &Entry| &text[entry.at as usize..][..usize::from(entry.length)];
        let begin = entries.partition_point(|entry| id_of(stem(entry)) < id);
        for entry in &mut entries[begin..] {
            let stem = stem(entry);
            if id_of(stem) != id {
                break;
            }
            if wanted(stem) {
                entry.seen = true;
                entry.add_to(&mut held, stem);
            }
        }
        held
    }

    /// The ids of the posts with a sidecar that were not asked for, sorted.
    pub fn unseen(&self) -> impl Iterator<Item = &str> {
        let stem = |entry: &Entry| &self.text[entry.at as usize..][..usize::from(entry.length)];
        let unseen = self
            .entries
            .iter()
            .filter(|entry| !entry.seen && entry.sidecar);
        let posts = unseen.map(stem).filter(|stem| !is_child(stem));
        posts.map(id_of)
    }
}

impl Entry {
    /// Only that the name is taken.
    fn of_frame(self) -> Entry {
        Entry {
            file: 0,
            poster: 0,
            of_frame: true,
            ..self
        }
    }

    /// What is not there yet.
    fn add_to(&self, held: &mut Held, stem: &str) {
        let year = stem.split('-').next().unwrap_or_default();
        let path = match self.in_year {
            true => format!("{year}/{stem}"),
            false => stem.to_owned(),
        };
        let file = |number: u8, end: &str| {
            let extension = EXTENSIONS.get(usize::from(number).wrapping_sub(1))?;
            Some(format!("{path}{end}.{extension}"))
        };
        let sidecar = self.sidecar.then(|| format!("{path}.{SIDECAR}"));
        held.file = held.file.take().or(file(self.file, ""));
        held.poster = held.poster.take().or(file(self.poster, POSTER));
        held.sidecar = held.sidecar.take().or(sidecar);
        // Further files get a name that `frame` does not have.
        held.stem.get_or_insert_with(|| match self.of_frame {
            true => format!("{year}/{stem}"),
            false => path,
        });
    }
}

/// The files that `frame` put into a directory, by its list.
fn names_of_frame(folder: &Directory) -> Result<HashSet<String>, Failure> {
    let path = folder.join(FRAME_LIST);
    let failed = |error| Failure::at(&path, error);
    folder.check_file(FRAME_LIST)?;
    let text = match fs::read(&path) {
        Err(error) if is_missing(&error) => return Ok(HashSet::new()),
        text => text.map_err(failed)?,
    };
    let text = String::from_utf8_lossy(&text);
    let name = |line: &str| line.strip_prefix(FRAME_GOES).unwrap_or(line).to_owned();
    Ok(text.lines().map(name).collect())
}

/// Calls `each` with the names in a directory that are text.
fn scan(path: &Path, each: &mut dyn FnMut(&str, &DirEntry)) -> Result<(), Failure> {
    let failed = |error| Failure::at(path, error);
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if let Some(name) = entry.file_name().to_str() {
            each(name, &entry);
        }
    }
    Ok(())
}

/// The entry of a file of ours. A link to a file counts, except as a sidecar, which is
/// written anew.
fn entry_of(name: &str, found: &DirEntry, year: &str) -> Option<(String, Entry)> {
    let (name, extension) = name.rsplit_once('.')?;
    let (stem, is_poster) = match name.strip_suffix(POSTER) {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let number = EXTENSIONS.iter().position(|known| *known == extension);
    let number = number.map_or(0, |at| at as u8 + 1);
    let sidecar = extension == SIDECAR && !is_poster;
    let of_year = year.is_empty() || stem.starts_with(year);
    if !is_stem(stem) || !of_year || number == 0 && !sidecar {
        return None;
    }
    let kind = found.file_type().ok()?;
    let is_file = kind.is_file()
        || !sidecar
            && kind.is_symlink()
            && fs::metadata(found.path()).is_ok_and(|meta| meta.is_file());
    let entry = Entry {
        at: 0,
        length: 0,
        in_year: !year.is_empty(),
        file: if is_poster { 0 } else { number },
        poster: if is_poster { number } else { 0 },
        sidecar,
        of_frame: false,
        seen: false,
    };
    is_file.then(|| (stem.to_owned(), entry))
}

/// Whether a stem or path is of an album's child.
fn is_child(stem: &str) -> bool {
    stem.bytes().filter(|byte| *byte == b'_').count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::account::Temp;

    #[test]
    fn ids_are_found_whatever_stands_before_them() {
        let temp = Temp::new("index");
        for name in [
            "2026/2026-11-21_5.jpg",
            "2026-11-20_5.json",
            "2025-01-01_6.mp4",
            "2025-01-01_6_poster.jpg",
            "2025/2025-01-01_6.json",
            "2026-11-20_7_01_71.jpg",
            "2026-11-20_7_01_71.json",
            "2026-11-20_8_02_71.png",
            "0000/0000-00-00_9.webp",
            // Of nobody.
            "2025/2026-11-21_10.jpg",
            "2026-11-21_11.txt",
            "2026-11-21_12.json.damaged",
            "profile.json",
        ] {
            fs::create_dir_all(temp.join(name).parent().unwrap()).unwrap();
            fs::write(temp.join(name), "").unwrap();
        }
        let mut index = Index::read(&Directory::look(&temp.0, ".t-")).unwrap();
        let text = |held: Held| {
            let all = [held.stem, held.file, held.poster, held.sidecar];
            all.map(|name| name.unwrap_or_default()).join(" ")
        };
        assert_eq!(index.unseen().count(), 2);
        let five = "2026-11-20_5 2026/2026-11-21_5.jpg  2026-11-20_5.json";
        assert_eq!(text(index.post("5")), five);
        assert_eq!(
            text(index.post("6")),
            "2025-01-01_6 2025-01-01_6.mp4 2025-01-01_6_poster.jpg 2025/2025-01-01_6.json"
        );
        assert_eq!(
            text(index.post("9")),
            "0000/0000-00-00_9 0000/0000-00-00_9.webp  "
        );
        for none in ["71", "7", "10", "11", "12", "1", ""] {
            assert_eq!(index.post(none), Held::default(), "{none}");
        }
        let of_8 = "2026-11-20_8_02_71 2026-11-20_8_02_71.png  2026-11-20_7_01_71.json";
        assert_eq!(text(index.child("8", "71")), of_8);
        assert_eq!(
            text(index.child("4", "71")),
            " 2026-11-20_7_01_71.jpg  2026-11-20_7_01_71.json"
        );
        assert_eq!(text(index.child("4", "9")), " 0000/0000-00-00_9.webp  ");
        assert_eq!(index.unseen().count(), 0);
    }

    /// The largest accounts that the service lists have 10,000 posts.
    #[test]
    fn a_post_takes_less_than_64_bytes() {
        let entry = |kind: usize| Entry {
            at: 0,
            length: 0,
            in_year: true,
            file: u8::from(kind == 0),
            poster: u8::from(kind == 1),
            sidecar: kind == 2,
            of_frame: false,
            seen: false,
        };
        let posts = (0..10_000u64).map(|n| format!("2026-11-21_{}", 17_895_695_668_000_000 + n));
        let found = posts.flat_map(|stem| [0, 1, 2].map(|kind| (stem.clone(), entry(kind))));
        let index = Index::of(found.collect());
        let bytes = index.text.len() + index.entries.len() * size_of::<Entry>();
        assert!(bytes < 64 * 10_000, "{bytes}");
    }
}
