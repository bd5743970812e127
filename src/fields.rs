//! The fields that a call asks for, with nested expansion (`children{…}`).

/// A field of a User node.
///
/// Meta's *User* and *Instagram API with Instagram Login* reference pages name
/// them. *Basic* marks what the Basic Display API had; the others came with
/// Instagram Login. Asking for a field that a node lacks fails the whole call
/// (code 100), so ask for what you use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UserField<'a> {
    /// `id`, always there. Basic. App-scoped on an Instagram Login account.
    Id,
    /// `username`. Basic.
    Username,
    /// `account_type`. Basic.
    AccountType,
    /// `media_count`. Basic.
    MediaCount,
    /// `user_id`, the professional account's own id. Instagram Login.
    UserId,
    /// `name`. Instagram Login; may be absent.
    Name,
    /// `profile_picture_url`. Instagram Login; may be absent.
    ProfilePictureUrl,
    /// `followers_count`. Instagram Login.
    FollowersCount,
    /// `follows_count`. Instagram Login.
    FollowsCount,
    /// `biography`. Instagram Login; may be absent.
    Biography,
    /// `website`. Instagram Login; may be absent.
    Website,
    /// `media{…}`: the first page of the user's media in the same call
    /// (recorded). With no fields, ids alone. See [`User::media`](crate::User::media).
    Media(&'a [MediaField<'a>]),
    /// Any other name, as Meta's reference writes it.
    Other(&'a str),
}

/// A field of a Media node.
///
/// *Basic* marks what the Basic Display API had; the others came with
/// Instagram Login. Asking for a field that a node lacks fails the whole call
/// (code 100): a child of an album has no caption, for example, so ask for
/// [`CHILD`](MediaField::CHILD) there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaField<'a> {
    /// `id`, always there. Basic.
    Id,
    /// `caption`. Basic; absent where there is none, and on children.
    Caption,
    /// `media_type`. Basic.
    MediaType,
    /// `media_url`, a signed address that expires. Basic; absent for media
    /// with copyrighted material or flagged for it.
    MediaUrl,
    /// `permalink`. Basic.
    Permalink,
    /// `thumbnail_url`. Basic; only videos have it.
    ThumbnailUrl,
    /// `timestamp`. Basic.
    Timestamp,
    /// `username`. Basic.
    Username,
    /// `is_shared_to_feed`. Basic; only reels have it.
    IsSharedToFeed,
    /// `children{…}`, the pictures and videos of an album. Basic. With no
    /// fields, ids alone; only albums have it.
    Children(&'a [MediaField<'a>]),
    /// `media_product_type`. Instagram Login.
    MediaProductType,
    /// `like_count`. Instagram Login; absent where the owner hides it.
    LikeCount,
    /// `comments_count`. Instagram Login.
    CommentsCount,
    /// `shortcode`. Instagram Login.
    Shortcode,
    /// `owner`, its id. Instagram Login.
    Owner,
    /// `alt_text`. Instagram Login; may be absent.
    AltText,
    /// `is_comment_enabled`. Instagram Login.
    IsCommentEnabled,
    /// `legacy_instagram_media_id`. Instagram Login.
    LegacyInstagramMediaId,
    /// Any other name, as Meta's reference writes it.
    Other(&'a str),
}

impl UserField<'_> {
    /// Every field that the Basic Display API had.
    pub const BASIC: &'static [UserField<'static>] = &[
        UserField::Id,
        UserField::Username,
        UserField::AccountType,
        UserField::MediaCount,
    ];

    /// What `/me` answers for any Instagram Login account.
    pub const LOGIN: &'static [UserField<'static>] = &[
        UserField::Id,
        UserField::UserId,
        UserField::Username,
        UserField::Name,
        UserField::AccountType,
        UserField::ProfilePictureUrl,
        UserField::FollowersCount,
        UserField::FollowsCount,
        UserField::MediaCount,
    ];
}

impl MediaField<'_> {
    /// Every plain field that the Basic Display API had for any media:
    /// [`Children`](MediaField::Children) and
    /// [`IsSharedToFeed`](MediaField::IsSharedToFeed) are not among them.
    pub const BASIC: &'static [MediaField<'static>] = &[
        MediaField::Id,
        MediaField::Caption,
        MediaField::MediaType,
        MediaField::MediaUrl,
        MediaField::Permalink,
        MediaField::ThumbnailUrl,
        MediaField::Timestamp,
        MediaField::Username,
    ];

    /// What a child of an album has: [`BASIC`](MediaField::BASIC) without the
    /// caption.
    pub const CHILD: &'static [MediaField<'static>] = &[
        MediaField::Id,
        MediaField::MediaType,
        MediaField::MediaUrl,
        MediaField::Permalink,
        MediaField::ThumbnailUrl,
        MediaField::Timestamp,
        MediaField::Username,
    ];

    /// [`BASIC`](MediaField::BASIC), and albums opened: their children with all
    /// of [`CHILD`](MediaField::CHILD), in the same call.
    pub const OPENED: &'static [MediaField<'static>] = &[
        MediaField::Id,
        MediaField::Caption,
        MediaField::MediaType,
        MediaField::MediaUrl,
        MediaField::Permalink,
        MediaField::ThumbnailUrl,
        MediaField::Timestamp,
        MediaField::Username,
        MediaField::Children(MediaField::CHILD),
    ];

    /// [`BASIC`](MediaField::BASIC) and what can be asked of any media of an
    /// Instagram Login account besides; a hidden like count is left out.
    pub const LOGIN: &'static [MediaField<'static>] = &[
        MediaField::Id,
        MediaField::Caption,
        MediaField::MediaType,
        MediaField::MediaProductType,
        MediaField::MediaUrl,
        MediaField::Permalink,
        MediaField::ThumbnailUrl,
        MediaField::Timestamp,
        MediaField::Username,
        MediaField::LikeCount,
        MediaField::CommentsCount,
        MediaField::Shortcode,
    ];
}

/// A field that knows how it is written in a `fields` parameter.
pub(crate) trait Field {
    fn write(&self, out: &mut String);
}

/// The value of the `fields` parameter; empty for no fields.
pub(crate) fn list<F: Field>(fields: &[F]) -> String {
    let mut out = String::new();
    write_list(&mut out, fields);
    out
}

fn write_list<F: Field>(out: &mut String, fields: &[F]) {
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        field.write(out);
    }
}

fn write_nested(out: &mut String, name: &str, fields: &[MediaField<'_>]) {
    out.push_str(name);
    if !fields.is_empty() {
        out.push('{');
        write_list(out, fields);
        out.push('}');
    }
}

impl Field for UserField<'_> {
    fn write(&self, out: &mut String) {
        out.push_str(match *self {
            UserField::Id => "id",
            UserField::Username => "username",
            UserField::AccountType => "account_type",
            UserField::MediaCount => "media_count",
            UserField::UserId => "user_id",
            UserField::Name => "name",
            UserField::ProfilePictureUrl => "profile_picture_url",
            UserField::FollowersCount => "followers_count",
            UserField::FollowsCount => "follows_count",
            UserField::Biography => "biography",
            UserField::Website => "website",
            UserField::Media(fields) => return write_nested(out, "media", fields),
            UserField::Other(name) => name,
        });
    }
}

impl Field for MediaField<'_> {
    fn write(&self, out: &mut String) {
        out.push_str(match *self {
            MediaField::Id => "id",
            MediaField::Caption => "caption",
            MediaField::MediaType => "media_type",
            MediaField::MediaUrl => "media_url",
            MediaField::Permalink => "permalink",
            MediaField::ThumbnailUrl => "thumbnail_url",
            MediaField::Timestamp => "timestamp",
            MediaField::Username => "username",
            MediaField::IsSharedToFeed => "is_shared_to_feed",
            MediaField::Children(fields) => return write_nested(out, "children", fields),
            MediaField::MediaProductType => "media_product_type",
            MediaField::LikeCount => "like_count",
            MediaField::CommentsCount => "comments_count",
            MediaField::Shortcode => "shortcode",
            MediaField::Owner => "owner",
            MediaField::AltText => "alt_text",
            MediaField::IsCommentEnabled => "is_comment_enabled",
            MediaField::LegacyInstagramMediaId => "legacy_instagram_media_id",
            MediaField::Other(name) => name,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{MediaField as M, UserField as U, list};

    #[test]
    fn writes_what_the_guide_writes() {
        assert_eq!(list::<U>(&[]), "");
        assert_eq!(list(&[U::Id, U::Username]), "id,username");
        assert_eq!(
            list(&[M::Id, M::MediaType, M::MediaUrl, M::Username, M::Timestamp]),
            "id,media_type,media_url,username,timestamp"
        );
    }

    #[test]
    fn nests() {
        assert_eq!(
            list(&[M::Children(&[M::Id, M::MediaUrl]), M::Id]),
            "children{id,media_url},id"
        );
        assert_eq!(list(&[M::Children(&[])]), "children");
        assert_eq!(
            list(&[U::Media(&[M::Id, M::Children(&[M::Id])]), U::Other("new")]),
            "media{id,children{id}},new"
        );
    }

    #[test]
    fn the_ready_made_sets_spell_their_names() {
        assert_eq!(list(U::BASIC), "id,username,account_type,media_count");
        assert_eq!(
            list(M::BASIC),
            "id,caption,media_type,media_url,permalink,thumbnail_url,timestamp,username"
        );
        assert_eq!(list(M::CHILD), list(M::BASIC).replace("caption,", ""));
        assert_eq!(
            list(M::OPENED),
            format!("{},children{{{}}}", list(M::BASIC), list(M::CHILD))
        );
        assert!(list(M::LOGIN).contains("media_product_type,media_url"));
        assert!(list(U::LOGIN).starts_with("id,user_id,username,name"));
    }
}
