//! What a directory is, whose account it has, and how the last run ended:
//! `DIR/.mingram/COMMAND.json`.

use super::directory::Directory;
use super::failure::Failure;
use super::sidecar::{Found, as_object, object, read, text};
use crate::account::sample;
use mingram::User;
use miniserde::json::{self, Object, Value};

/// The directory of such files.
pub const HIDDEN: &str = ".mingram";

/// An account.
pub struct Owner {
    id: Option<String>,
    /// The professional account's own id.
    user_id: Option<String>,
    pub username: Option<String>,
}

impl Owner {
    /// Of a profile as JSON. `None` if it does not say whose it is.
    pub fn of(profile: &Object) -> Option<Owner> {
        let owned = |key| text(profile, key).map(str::to_owned);
        let owner = Owner {
            id: owned("id"),
            user_id: owned("user_id"),
            username: owned("username"),
        };
        (owner.id.is_some() || owner.user_id.is_some()).then_some(owner)
    }

    pub fn is(&self, user: &User) -> bool {
        match (&self.user_id, &user.user_id) {
            (Some(own), Some(other)) => own == other,
            // Another app sees another id, and an account can change its name.
            _ => {
                self.id.as_ref() == Some(&user.id)
                    || self.username.is_some() && self.username == user.username
            }
        }
    }

    pub fn is_sample(&self) -> bool {
        self.id.as_deref() == Some(sample::USER_ID)
    }

    pub fn name(&self) -> &str {
        let name = self.username.as_ref().or(self.id.as_ref());
        name.or(self.user_id.as_ref()).map_or("", String::as_str)
    }
}

/// The owner in a file with a profile; `None` if there is no such file. One that is damaged
/// or cannot be read is refused, because it may be of another account.
pub fn owner(folder: &Directory, name: &str, key: Option<&str>) -> Result<Option<Owner>, Failure> {
    let profile = match (read(folder, name)?, key) {
        (Found::Missing, _) => return Ok(None),
        (Found::Object(object), None) => Some(object),
        (Found::Object(mut object), Some(key)) => match object.remove(key) {
            Some(Value::Object(profile)) => Some(profile),
            _ => None,
        },
        (Found::Damaged, _) => None,
    };
    match profile.and_then(|profile| Owner::of(&profile)) {
        Some(owner) => Ok(Some(owner)),
        None => Err(Failure::Content(format!(
            "{} is damaged, so it is not known whose files these are: if they are of this \
             account, rename it",
            folder.join(name).display()
        ))),
    }
}

/// What identifies an account, as JSON. What the service does not say stays as it is held.
pub fn account(user: &User, held: Option<&Object>) -> Object {
    let held = held.filter(|held| Owner::of(held).is_some_and(|owner| owner.is(user)));
    let mut account = held.cloned().unwrap_or_default();
    account.extend(object(user));
    account.retain(|key, _| matches!(key.as_str(), "id" | "user_id" | "username"));
    account
}

/// Why a directory is refused.
pub fn another(folder: &Directory, command: &str, owner: &str) -> Failure {
    let dir = folder.path().display();
    Failure::Content(format!(
        "{dir} has a {command} of another account, {owner}: use another directory"
    ))
}

/// The record of a command.
pub struct Record {
    name: String,
    command: &'static str,
}

impl Record {
    pub fn new(command: &'static str) -> Record {
        Record {
            name: format!("{HIDDEN}/{command}.json"),
            command,
        }
    }

    /// Refuses a directory that has the files of another account, by this record or by a
    /// profile that lies there.
    pub fn check(
        &self,
        folder: &Directory,
        profile: Option<&str>,
        user: &User,
    ) -> Result<(), Failure> {
        folder.check_inside(HIDDEN)?;
        let own = Some((self.name.as_str(), Some("account")));
        for (name, key) in own.into_iter().chain(profile.map(|name| (name, None))) {
            let owner = owner(folder, name, key)?;
            if let Some(other) = owner.filter(|owner| !owner.is(user)) {
                return Err(another(folder, self.command, other.name()));
            }
        }
        Ok(())
    }

    /// What is recorded; empty if nothing is.
    pub fn read(&self, folder: &Directory) -> Result<Object, Failure> {
        match read(folder, &self.name)? {
            Found::Object(object) => Ok(object),
            _ => Ok(Object::new()),
        }
    }

    /// Writes whose directory it is, and more. Does nothing if it is written already.
    pub fn write(&self, folder: &Directory, user: &User, more: Object) -> Result<(), Failure> {
        let held = self.read(folder)?.remove("account");
        let held = held.as_ref().and_then(as_object);
        let mut record = Object::from_iter([
            (
                "directory".to_owned(),
                Value::String(self.command.to_owned()),
            ),
            (
                "version".to_owned(),
                Value::String(env!("CARGO_PKG_VERSION").to_owned()),
            ),
            ("account".to_owned(), Value::Object(account(user, held))),
        ]);
        record.extend(more);
        folder.create_inside(HIDDEN)?;
        let text = json::to_string(&record) + "\n";
        folder.write_whole(&self.name, text.as_bytes())?;
        Ok(())
    }
}
