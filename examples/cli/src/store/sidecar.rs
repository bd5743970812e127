//! What is written beside each file: what the service says about it, and what `--check`
//! compares.

use super::directory::Directory;
use super::failure::Failure;
use mingram::User;
use miniserde::{Deserialize, json};

/// The key of our notes in the service's JSON.
const KEY: &str = ",\"mingram\":";

/// What was downloaded for a node.
#[derive(Default, Deserialize)]
pub struct Notes {
    pub file: Option<Noted>,
    pub poster: Option<Noted>,
}

/// A file as it was when it was complete.
#[derive(Deserialize)]
pub struct Noted {
    pub size: u64,
    pub etag: Option<String>,
    /// The name of the profile picture at the service, which tells whether it is new.
    pub source: Option<String>,
}

/// The part of a file with notes that is read.
#[derive(Default, Deserialize)]
struct Held {
    id: Option<String>,
    caption: Option<String>,
    mingram: Option<Notes>,
}

impl Notes {
    /// The notes in the JSON that an earlier run has written.
    pub fn read(text: &str) -> Notes {
        held(text).mingram.unwrap_or_default()
    }

    /// The node with these notes.
    pub fn add_to(&self, mut node: String) -> String {
        let notes = [("file", &self.file), ("poster", &self.poster)];
        let notes: Vec<String> = notes
            .iter()
            .filter_map(|(key, noted)| Some(format!("\"{key}\":{}", noted.as_ref()?.json())))
            .collect();
        if !notes.is_empty() {
            node.pop();
            node += &format!("{KEY}{{{}}}}}", notes.join(","));
        }
        node + "\n"
    }

    /// Replaces the notes in a file.
    pub fn write(&self, folder: &Directory, name: &str) -> Result<(), Failure> {
        let text = folder.read(name);
        // A quote inside of a JSON text has a backslash before it, so this is no caption.
        let node = match text.rfind(KEY) {
            Some(end) => format!("{}}}", &text[..end]),
            None => text.trim_end().to_owned(),
        };
        if node.ends_with('}') {
            folder.write_whole(name, self.add_to(node).as_bytes())?;
        }
        Ok(())
    }
}

impl Noted {
    fn json(&self) -> String {
        let mut json = format!("{{\"size\":{}", self.size);
        for (key, value) in [("etag", &self.etag), ("source", &self.source)] {
            if let Some(value) = value {
                json += &format!(",\"{key}\":{}", json::to_string(value));
            }
        }
        json + "}"
    }
}

fn held(text: &str) -> Held {
    json::from_str(text).unwrap_or_default()
}

/// Whether the JSON of an earlier run has another caption.
pub fn is_edited(text: &str, caption: Option<&str>) -> bool {
    let held = held(text);
    held.id.is_some() && held.caption.as_deref() != caption
}

/// The owner of a backup, if it is of another account.
pub fn other_account(profile: &str, user: &User) -> Option<String> {
    let owner: User = json::from_str(profile).ok()?;
    let differs = match (&owner.user_id, &user.user_id) {
        (Some(owner), Some(user)) => owner != user,
        // Another app sees another id, and an account can change its name.
        _ => owner.id != user.id && owner.username != user.username,
    };
    differs.then(|| owner.username.unwrap_or(owner.id))
}

/// Whether the directory has a backup of the built-in sample.
pub fn is_sample(folder: &Directory) -> bool {
    let owner = json::from_str::<User>(&folder.read("profile.json"));
    owner.is_ok_and(|owner| owner.id == crate::account::sample::USER_ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_survive_and_captions_are_compared() {
        let noted = |size| Noted {
            size,
            etag: Some("\"a\"".to_owned()),
            source: None,
        };
        let notes = Notes {
            file: Some(noted(5)),
            poster: None,
        };
        let caption = r#"{"id":"1","caption":"a,\"mingram\":{}"}"#;
        let text = notes.add_to(caption.to_owned());
        assert_eq!(Notes::read(&text).file.unwrap().size, 5);
        assert!(!is_edited(&text, Some("a,\"mingram\":{}")));
        assert!(is_edited(&text, Some("b")) && is_edited(&text, None));
        // No earlier run, or a damaged file.
        assert!(!is_edited("", Some("b")) && !is_edited("{\"id\"", Some("b")));
    }
}
