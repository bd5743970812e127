//! Which fields are requested. A list gets shorter only by a field that the service refuses
//! by name.

use crate::output;
use mingram::{Api, Error, User};

/// The fields of a profile.
const USER: [&str; 4] = ["id", "username", "account_type", "media_count"];
const USER_ALL: [&str; 7] = [
    "user_id",
    "name",
    "profile_picture_url",
    "followers_count",
    "follows_count",
    "biography",
    "website",
];

/// The fields of a post that every account has; those of an album's children are the same
/// without the caption.
const POST: [&str; 8] = [
    "id",
    "caption",
    "media_type",
    "media_url",
    "permalink",
    "thumbnail_url",
    "timestamp",
    "username",
];
const POST_ALL: [&str; 5] = [
    "media_product_type",
    "like_count",
    "comments_count",
    "shortcode",
    "alt_text",
];

/// The fields of a node, and of the nodes nested in it.
#[derive(Clone)]
pub struct Fields {
    /// Who says what was refused.
    command: &'static str,
    own: Vec<&'static str>,
    child: Vec<&'static str>,
    /// Whether the children are requested together with their album.
    nested: bool,
    refused: Vec<String>,
}

impl Fields {
    fn new(command: &'static str, own: &[&[&'static str]]) -> Fields {
        Fields {
            command,
            own: own.concat(),
            child: Vec::new(),
            nested: false,
            refused: Vec::new(),
        }
    }

    /// Of the profile: what every account has.
    pub fn user(command: &'static str) -> Fields {
        Fields::new(command, &[&USER])
    }

    /// Of the profile: everything.
    pub fn user_all(command: &'static str) -> Fields {
        Fields::new(command, &[&USER, &USER_ALL])
    }

    /// Of a post and its children: what every account has.
    pub fn post(command: &'static str) -> Fields {
        let child = POST.into_iter().filter(|name| *name != "caption");
        Fields {
            child: child.collect(),
            nested: true,
            ..Fields::new(command, &[&POST])
        }
    }

    /// Of a post and its children: everything.
    pub fn post_all(command: &'static str) -> Fields {
        Fields {
            own: [&POST[..], &POST_ALL].concat(),
            ..Fields::post(command)
        }
    }

    /// Of a post and its children: what it takes to show a picture.
    pub fn picture(command: &'static str) -> Fields {
        const PICTURE: [&str; 4] = ["id", "media_type", "media_url", "thumbnail_url"];
        Fields {
            child: PICTURE.to_vec(),
            nested: true,
            ..Fields::new(command, &[&PICTURE, &["timestamp"]])
        }
    }

    /// The parameter `fields`.
    pub fn text(&self) -> String {
        let mut text = self.own.join(",");
        if self.nested {
            text += &format!(",children{{{}}}", self.children());
        }
        text
    }

    /// The same for a request of the children alone.
    pub fn children(&self) -> String {
        self.child.join(",")
    }

    /// Whether the service has refused this field.
    pub fn lacks(&self, name: &str) -> bool {
        self.refused.iter().any(|refused| refused == name)
    }

    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Leaves out the field that an error names, at every level, and reports it. Returns
    /// whether to ask again. Any other refusal names nothing that fewer fields would mend.
    pub fn refuse(&mut self, error: &Error) -> bool {
        let Some(name) = error.refused_field().filter(|name| *name != "id") else {
            return false;
        };
        let before = self.own.len() + self.child.len() + usize::from(self.nested);
        self.own.retain(|field| *field != name);
        self.child.retain(|field| *field != name);
        self.nested &= name != "children";
        let shorter = self.own.len() + self.child.len() + usize::from(self.nested) < before;
        if shorter {
            let what = format!("the service refuses the field `{name}`: continuing without it");
            output::note(self.command, &what);
            self.refused.push(name.to_owned());
        }
        shorter
    }
}

/// The profile.
pub fn me(api: &Api, fields: &mut Fields) -> mingram::Result<User> {
    loop {
        match api.node("me", &[("fields", &fields.text())]) {
            Err(error) if fields.refuse(&error) => {}
            user => return user,
        }
    }
}
