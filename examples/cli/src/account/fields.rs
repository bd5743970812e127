//! Which fields are requested. A list gets shorter only by a field that the service refuses
//! by name.

use crate::output;
use mingram::{Api, Error, MediaField as M, User, UserField as U};

/// The fields of a node, and of the nodes nested in it.
#[derive(Clone)]
pub struct Fields {
    /// Who says what was refused.
    command: &'static str,
    list: mingram::Fields,
    /// Those of the children, which may be requested alone.
    child: mingram::Fields,
    refused: Vec<String>,
}

impl Fields {
    fn new(command: &'static str, list: impl Into<mingram::Fields>) -> Fields {
        Fields {
            command,
            list: list.into(),
            child: mingram::Fields::default(),
            refused: Vec::new(),
        }
    }

    /// With these fields of the children, which are requested together with their album.
    fn with_children(self, child: &[M]) -> Fields {
        Fields {
            list: self.list.with(M::Children, child),
            child: child.into(),
            ..self
        }
    }

    /// Of the profile: what every account has.
    pub fn user(command: &'static str) -> Fields {
        Fields::new(command, U::BASIC)
    }

    /// Of the profile: everything.
    pub fn user_all(command: &'static str) -> Fields {
        let all = mingram::Fields::from(U::BASIC).and([
            U::UserId,
            U::Name,
            U::ProfilePictureUrl,
            U::FollowersCount,
            U::FollowsCount,
            U::Biography,
            U::Website,
        ]);
        Fields::new(command, all)
    }

    /// Of a post and its children: what every account has.
    pub fn post(command: &'static str) -> Fields {
        Fields::new(command, M::BASIC).with_children(M::CHILD)
    }

    /// Of a post and its children: everything.
    pub fn post_all(command: &'static str) -> Fields {
        let all = mingram::Fields::from(M::BASIC).and([
            M::MediaProductType,
            M::LikeCount,
            M::CommentsCount,
            M::Shortcode,
            M::AltText,
        ]);
        Fields::new(command, all).with_children(M::CHILD)
    }

    /// Of a post and its children: what it takes to show a picture.
    pub fn picture(command: &'static str) -> Fields {
        const PICTURE: &[M] = &[M::Id, M::MediaType, M::MediaUrl, M::ThumbnailUrl];
        let own = mingram::Fields::from(PICTURE).and([M::Timestamp]);
        Fields::new(command, own).with_children(PICTURE)
    }

    /// What to request.
    pub fn list(&self) -> &mingram::Fields {
        &self.list
    }

    /// The same for a request of the children alone.
    pub fn children(&self) -> &mingram::Fields {
        &self.child
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
        if !self.list.contains(name) && !self.child.contains(name) {
            return false;
        }
        self.list = self.list.without(name);
        self.child = self.child.without(name);
        let what = format!("the service refuses the field `{name}`: continuing without it");
        output::note(self.command, &what);
        self.refused.push(name.to_owned());
        true
    }
}

/// The profile.
pub fn me(api: &Api, fields: &mut Fields) -> mingram::Result<User> {
    loop {
        match api.me(fields.list()) {
            Err(error) if fields.refuse(&error) => {}
            user => return user,
        }
    }
}
