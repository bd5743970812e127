//! What is recorded of a post beside its files: what the service says about it, what it said
//! before, and what its files were when they were complete. A sidecar only gains.

use super::directory::Directory;
use super::failure::{Failure, is_missing};
use crate::dates;
use mingram::Media;
use miniserde::Serialize;
use miniserde::json::{self, Array, Number, Object, Value};
use std::fs;
use std::time::SystemTime;

/// The key of our notes in a node.
const NOTES: &str = "mingram";

/// The texts of a post whose changes are kept.
pub const POST_TEXTS: &[&str] = &["caption", "alt_text"];

/// The same of a profile.
pub const PROFILE_TEXTS: &[&str] = &["biography", "name", "username", "website"];

/// What a file is of its node: the key of what is noted of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    File,
    Poster,
}

impl Role {
    fn key(self) -> &'static str {
        match self {
            Role::File => "file",
            Role::Poster => "poster",
        }
    }
}

/// A file as it was when it was complete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Noted {
    pub size: Option<u64>,
    /// Hexadecimal.
    pub sha256: Option<String>,
    pub etag: Option<String>,
    /// The name of the profile picture at the service, which tells whether it is new.
    pub source: Option<String>,
    /// Something odd about it.
    pub note: Option<String>,
}

/// What is in a file with a JSON object.
pub enum Found {
    Missing,
    /// Empty, full of zeros, truncated, a link, or something else.
    Damaged,
    Object(Object),
}

/// Reads a small file. What cannot be read is an error, and never taken for missing. An editor
/// may have put a byte order mark before it.
pub fn read(folder: &Directory, name: &str) -> Result<Found, Failure> {
    let path = folder.join(name);
    let bytes = match fs::symlink_metadata(&path) {
        Err(error) if is_missing(&error) => return Ok(Found::Missing),
        Ok(meta) if meta.is_dir() => return Err(Failure::Blocked(path.display().to_string())),
        Ok(meta) if !meta.is_file() => return Ok(Found::Damaged),
        _ => fs::read(&path).map_err(|error| Failure::at(&path, error))?,
    };
    let object = std::str::from_utf8(&bytes).ok();
    let object = object.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
    let object = object.and_then(|text| json::from_str(text).ok());
    Ok(object.map_or(Found::Damaged, Found::Object))
}

/// A node as JSON.
pub fn object(node: &dyn Serialize) -> Object {
    json::from_str(&json::to_string(node)).unwrap_or_default()
}

/// A post as JSON, with these children. The URLs are left out: they are signed for a few
/// days, and others each time.
pub fn post(mut media: Media, children: Vec<Media>) -> Object {
    (media.media_url, media.thumbnail_url) = (None, None);
    let mut node = object(&media);
    if !children.is_empty() {
        let children = children
            .into_iter()
            .map(|child| Value::Object(post(child, Vec::new())));
        let data = Object::from_iter([("data".to_owned(), Value::Array(children.collect()))]);
        node.insert("children".to_owned(), Value::Object(data));
    }
    node
}

/// A text in an object.
pub fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    match object.get(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

pub struct Sidecar {
    pub name: String,
    node: Object,
    /// What is in the file; empty if there is none.
    before: String,
    /// What is in the file is not believed.
    damaged: bool,
    /// It is not known what is in the file, which stays as it is.
    locked: bool,
    /// It has what the service does not say any more.
    keeps: bool,
    /// A text has changed, and is in the history.
    pub edited: bool,
}

impl Sidecar {
    /// Of the node with this id, or of any. A file that cannot be read stays as it is, and is an error
    /// beside a sidecar that is not written.
    pub fn open(folder: &Directory, name: String, id: Option<&str>) -> (Sidecar, Option<Failure>) {
        let mut sidecar = Sidecar {
            name,
            node: Object::new(),
            before: String::new(),
            damaged: false,
            locked: false,
            keeps: false,
            edited: false,
        };
        match read(folder, &sidecar.name) {
            Ok(Found::Object(node)) if id.is_none() || text(&node, "id") == id => {
                sidecar.before = json::to_string(&node);
                sidecar.node = node;
            }
            Ok(Found::Missing) => {}
            Ok(_) => sidecar.damaged = true,
            Err(failure) => {
                sidecar.locked = true;
                return (sidecar, Some(failure));
            }
        }
        (sidecar, None)
    }

    /// Takes in what the service says now. What it does not say stays as it was, and of these
    /// texts what it said before is kept.
    pub fn update(&mut self, reply: Object, texts: &[&str], now: SystemTime) {
        self.edited = merge(&mut self.node, reply, texts, now, &mut self.keeps);
    }

    /// Adds to the history.
    pub fn remember(&mut self, what: &str, before: &str, now: SystemTime) {
        remember(
            &mut self.node,
            [(what.to_owned(), Value::String(before.to_owned()))],
            now,
        );
        self.keeps = true;
    }

    /// Whether version 0.1, which had a sidecar for each child, may have more to say of this
    /// one.
    pub fn is_new(&self, child: &str) -> bool {
        self.child(child)
            .is_none_or(|node| node.get(NOTES).is_none())
    }

    /// Takes over such a sidecar.
    pub fn take_over(&mut self, held: Object) {
        let (mut known, mut keeps) = (held, false);
        let Some(id) = text(&known, "id").map(str::to_owned) else {
            return;
        };
        if let Some(node) = self.child_mut(&id) {
            // What is here is newer.
            let newer = std::mem::take(node);
            merge(&mut known, newer, POST_TEXTS, SystemTime::now(), &mut keeps);
            *node = known;
        } else {
            children(&mut self.node).push(Value::Object(known));
        }
        self.keeps = true;
    }

    fn nodes(&self) -> impl Iterator<Item = &Object> {
        let list = match self.node.get("children").and_then(as_object) {
            Some(children) => children.get("data"),
            None => None,
        };
        let nodes = match list {
            Some(Value::Array(nodes)) => nodes.as_slice(),
            _ => &[],
        };
        nodes.iter().filter_map(as_object)
    }

    fn child(&self, id: &str) -> Option<&Object> {
        self.nodes().find(|child| text(child, "id") == Some(id))
    }

    fn child_mut(&mut self, id: &str) -> Option<&mut Object> {
        let list = children(&mut self.node).iter_mut();
        let mut objects = list.filter_map(|child| match child {
            Value::Object(child) => Some(child),
            _ => None,
        });
        objects.find(|child| text(child, "id") == Some(id))
    }

    /// The children, whether the service still lists them or not.
    pub fn children(&self) -> Vec<String> {
        let ids = self.nodes().filter_map(|child| text(child, "id"));
        ids.map(str::to_owned).collect()
    }

    /// What is noted of a file of the node, or of a child of it.
    pub fn noted(&self, child: Option<&str>, role: Role) -> Option<Noted> {
        let node = match child {
            Some(id) => self.child(id)?,
            None => &self.node,
        };
        let noted = as_object(as_object(node.get(NOTES)?)?.get(role.key())?)?;
        let owned = |key| text(noted, key).map(str::to_owned);
        Some(Noted {
            size: match noted.get("size") {
                Some(Value::Number(Number::U64(size))) => Some(*size),
                _ => None,
            },
            sha256: owned("sha256"),
            etag: owned("etag"),
            source: owned("source"),
            note: owned("note"),
        })
    }

    pub fn note(&mut self, child: Option<&str>, role: Role, noted: Noted) {
        let node = match child {
            Some(id) => match self.child_mut(id) {
                Some(node) => node,
                None => return,
            },
            None => &mut self.node,
        };
        let mut object = Object::new();
        if let Some(size) = noted.size {
            object.insert("size".to_owned(), Value::Number(Number::U64(size)));
        }
        let texts = [
            ("sha256", noted.sha256),
            ("etag", noted.etag),
            ("source", noted.source),
            ("note", noted.note),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                object.insert(key.to_owned(), Value::String(value));
            }
        }
        let notes = inside(node, NOTES);
        notes.insert(role.key().to_owned(), Value::Object(object));
    }

    /// Writes it if something has changed. It is durable if it replaces what cannot be
    /// fetched again. A damaged one is kept under another name, which is returned.
    pub fn save(&self, folder: &Directory) -> Result<Option<String>, Failure> {
        let text = json::to_string(&self.node);
        if self.locked || text == self.before {
            return Ok(None);
        }
        let aside = match self.damaged {
            true => Some(folder.set_aside(&self.name)?),
            false => None,
        };
        let durable = self.keeps && !self.before.is_empty();
        folder.write(&self.name, (text + "\n").as_bytes(), durable)?;
        Ok(aside)
    }
}

pub fn as_object(value: &Value) -> Option<&Object> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// The object under a key, which is made if it is not there.
fn inside<'a>(node: &'a mut Object, key: &str) -> &'a mut Object {
    let value = node.entry(key.to_owned()).or_default();
    if !matches!(value, Value::Object(_)) {
        *value = Value::Object(Object::new());
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!(),
    }
}

/// The list under a key, which is made if it is not there.
fn list<'a>(node: &'a mut Object, key: &str) -> &'a mut Array {
    let value = node.entry(key.to_owned()).or_default();
    if !matches!(value, Value::Array(_)) {
        *value = Value::Array(Array::new());
    }
    match value {
        Value::Array(list) => list,
        _ => unreachable!(),
    }
}

fn children(node: &mut Object) -> &mut Array {
    list(inside(node, "children"), "data")
}

/// Adds what there was before to the history.
fn remember(node: &mut Object, before: impl IntoIterator<Item = (String, Value)>, now: SystemTime) {
    let seen = ("seen".to_owned(), Value::String(dates::instant(now)));
    let entry = Object::from_iter(before.into_iter().chain([seen]));
    list(inside(node, NOTES), "history").push(Value::Object(entry));
}

/// Takes a reply into a node. Sets `keeps` if the node has what the reply lacks. Returns
/// whether one of the texts has changed.
fn merge(
    node: &mut Object,
    mut reply: Object,
    texts: &[&str],
    now: SystemTime,
    keeps: &mut bool,
) -> bool {
    let mut edited = false;
    if let Some(Value::Object(mut new)) = reply.remove("children") {
        if let Some(Value::Array(new)) = new.remove("data") {
            edited |= merge_children(children(node), new, texts, now, keeps);
        }
    }
    let is_kept = |key: &String| key != "children" && key != NOTES && !reply.contains_key(key);
    *keeps |= node.keys().any(is_kept);
    let mut changed = Vec::new();
    for (key, value) in reply {
        // The notes of a newer node replace those of an older one.
        let old = node.insert(key.clone(), value);
        if let Some(old) = old.filter(|_| texts.contains(&key.as_str())) {
            if json::to_string(&old) != json::to_string(&node[&key]) {
                changed.push((key, old));
            }
        }
    }
    if !changed.is_empty() {
        remember(node, changed, now);
        edited = true;
    }
    let notes = node.get(NOTES).and_then(as_object);
    *keeps |= notes.is_some_and(|notes| notes.contains_key("history"));
    edited
}

/// In the order of the reply; those that are not in it follow.
fn merge_children(
    held: &mut Array,
    new: Array,
    texts: &[&str],
    now: SystemTime,
    keeps: &mut bool,
) -> bool {
    let mut edited = false;
    let mut before = std::mem::take(held);
    for child in new {
        let Value::Object(child) = child else {
            continue;
        };
        let is_same =
            |old: &Value| as_object(old).is_some_and(|old| text(old, "id") == text(&child, "id"));
        let mut node = match before.iter().position(is_same).map(|at| before.remove(at)) {
            Some(Value::Object(node)) => node,
            _ => Object::new(),
        };
        edited |= merge(&mut node, child, texts, now, keeps);
        held.push(Value::Object(node));
    }
    *keeps |= !before.is_empty();
    held.append(&mut before);
    edited
}
