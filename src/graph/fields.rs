//! The fields that a call requests, with nested expansion (`children{…}`).

/// A field of a User node.
///
/// Source: Meta's *User* and *Instagram API with Instagram Login* reference pages.
/// *Basic* marks the fields of the Basic Display API; the others came with Instagram
/// Login. Requesting a field that a node does not have fails the entire call (code
/// 100), so request only what you use.
///
/// For field names known only at run time, use [`Api::node`](crate::Api::node) with
/// the parameter `fields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UserField {
    /// `id`, always returned. Basic. App-scoped on an Instagram Login account.
    Id,
    /// `username`. Basic.
    Username,
    /// `account_type`. Basic.
    AccountType,
    /// `media_count`. Basic.
    MediaCount,
    /// `user_id`, the id of the professional account. Instagram Login.
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
    /// `media{…}`: the first page of the user's media in the same call (recorded).
    /// With no fields, only ids. See [`User::media`](crate::User::media).
    Media(&'static [MediaField]),
    /// Any other name, as Meta's reference writes it.
    Other(&'static str),
}

/// A field of a Media node.
///
/// Source: Meta's *Media* reference page. *Basic* marks the fields of the Basic Display
/// API; the others came with Instagram Login. Requesting a field that a node does not
/// have fails the entire call (code 100). Children of an album have no caption, for
/// example: request [`CHILD`](MediaField::CHILD) for them.
///
/// For field names known only at run time, use [`Edge::param`](crate::Edge::param) or
/// [`Api::node`](crate::Api::node) with the parameter `fields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaField {
    /// `id`, always returned. Basic.
    Id,
    /// `caption`. Basic; absent if there is none, and on children.
    Caption,
    /// `media_type`. Basic.
    MediaType,
    /// `media_url`, a signed URL that expires. Basic; absent for media with
    /// copyrighted material.
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
    /// `children{…}`, the images and videos of an album. Basic. With no fields, only
    /// ids. Only albums have it.
    Children(&'static [MediaField]),
    /// `media_product_type`. Instagram Login.
    MediaProductType,
    /// `like_count`. Instagram Login; absent if the owner hides it.
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
    /// `ig_id`, the id in older APIs. Instagram Login (recorded).
    IgId,
    /// `is_ai_generated`. Instagram Login; children of an album do not have it.
    IsAiGenerated,
    /// `media_audio_type`. Instagram Login; only videos have it.
    MediaAudioType,
    /// Any other name, as Meta's reference writes it.
    Other(&'static str),
}

/// A field of a Comment node.
///
/// Source: Meta's *IG Comment* reference page. Requesting a field that a node does not
/// have fails the entire call (code 100).
///
/// For field names known only at run time, use [`Edge::param`](crate::Edge::param) with
/// the parameter `fields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CommentField {
    /// `id`, always returned.
    Id,
    /// `text`.
    Text,
    /// `timestamp`.
    Timestamp,
    /// `from`, the author's id and username.
    From,
    /// `username`. Requires the permission `instagram_business_manage_comments`.
    Username,
    /// `hidden`.
    Hidden,
    /// `like_count`.
    LikeCount,
    /// `media`, its id and product type.
    Media,
    /// `parent_id`; only replies have it.
    ParentId,
    /// `replies{…}`, the first page of the replies. With no fields, those that the
    /// service chooses.
    Replies(&'static [CommentField]),
    /// `user`, its id; only for comments of the token's own account.
    User,
    /// `legacy_instagram_comment_id`.
    LegacyInstagramCommentId,
    /// Any other name, as Meta's reference writes it.
    Other(&'static str),
}

impl UserField {
    /// All fields of the Basic Display API.
    pub const BASIC: &'static [UserField] = &[
        UserField::Id,
        UserField::Username,
        UserField::AccountType,
        UserField::MediaCount,
    ];

    /// The fields that Meta's *Instagram API with Instagram Login* page lists for `/me`:
    /// safe on any account of Instagram Login, all of which are professional.
    pub const PROFESSIONAL: &'static [UserField] = &[
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

impl MediaField {
    /// The fields of the Basic Display API that any media has:
    /// [`Children`](MediaField::Children) and
    /// [`IsSharedToFeed`](MediaField::IsSharedToFeed) are not included.
    pub const BASIC: &'static [MediaField] = &[
        MediaField::Id,
        MediaField::Caption,
        MediaField::MediaType,
        MediaField::MediaUrl,
        MediaField::Permalink,
        MediaField::ThumbnailUrl,
        MediaField::Timestamp,
        MediaField::Username,
    ];

    /// The fields of an album's children: [`BASIC`](MediaField::BASIC) without the
    /// caption.
    pub const CHILD: &'static [MediaField] = &[
        MediaField::Id,
        MediaField::MediaType,
        MediaField::MediaUrl,
        MediaField::Permalink,
        MediaField::ThumbnailUrl,
        MediaField::Timestamp,
        MediaField::Username,
    ];

    /// [`BASIC`](MediaField::BASIC) and, in the same call, the children of albums with
    /// the fields of [`CHILD`](MediaField::CHILD).
    pub const WITH_CHILDREN: &'static [MediaField] = &[
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

    /// [`BASIC`](MediaField::BASIC) and the fields that any media of an Instagram Login
    /// account has in addition. A hidden like count is absent from the reply.
    ///
    /// Two of them may be refused (code 100): Meta's *Media* page marks `caption` and
    /// `media_product_type` as Facebook Login only. Users report that
    /// graph.instagram.com returns both.
    /// [`Error::refused_field`](crate::Error::refused_field) names a refused field, so
    /// that you can request the others.
    pub const PROFESSIONAL: &'static [MediaField] = &[
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

impl CommentField {
    /// The fields that any comment has and that need no permission besides the one that
    /// the edge needs.
    pub const BASIC: &'static [CommentField] = &[
        CommentField::Id,
        CommentField::Text,
        CommentField::Timestamp,
        CommentField::Hidden,
        CommentField::LikeCount,
    ];
}

/// A field that can be written to the `fields` parameter.
pub(crate) trait Field {
    fn write(&self, out: &mut String);
}

/// The value of the `fields` parameter; empty if there are no fields.
pub(crate) fn list<F: Field>(fields: &[F]) -> String {
    let mut out = String::new();
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        field.write(&mut out);
    }
    out
}

fn write_nested<F: Field>(out: &mut String, name: &str, fields: &[F]) {
    out.push_str(name);
    if !fields.is_empty() {
        out.push('{');
        out.push_str(&list(fields));
        out.push('}');
    }
}

impl Field for UserField {
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

impl Field for MediaField {
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
            MediaField::IgId => "ig_id",
            MediaField::IsAiGenerated => "is_ai_generated",
            MediaField::MediaAudioType => "media_audio_type",
            MediaField::Other(name) => name,
        });
    }
}

impl Field for CommentField {
    fn write(&self, out: &mut String) {
        out.push_str(match *self {
            CommentField::Id => "id",
            CommentField::Text => "text",
            CommentField::Timestamp => "timestamp",
            CommentField::From => "from",
            CommentField::Username => "username",
            CommentField::Hidden => "hidden",
            CommentField::LikeCount => "like_count",
            CommentField::Media => "media",
            CommentField::ParentId => "parent_id",
            CommentField::Replies(fields) => return write_nested(out, "replies", fields),
            CommentField::User => "user",
            CommentField::LegacyInstagramCommentId => "legacy_instagram_comment_id",
            CommentField::Other(name) => name,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{CommentField as C, MediaField as M, UserField as U, list};

    #[test]
    fn writes_the_fields_of_the_guide() {
        assert_eq!(list::<U>(&[]), "");
        assert_eq!(list(&[U::Id, U::Username]), "id,username");
        assert_eq!(
            list(&[M::Id, M::MediaType, M::MediaUrl, M::Username, M::Timestamp]),
            "id,media_type,media_url,username,timestamp"
        );
    }

    #[test]
    fn writes_nested_fields() {
        assert_eq!(
            list(&[M::Children(&[M::Id, M::MediaUrl]), M::Id]),
            "children{id,media_url},id"
        );
        assert_eq!(list(&[M::Children(&[])]), "children");
        assert_eq!(
            list(&[U::Media(&[M::Id, M::Children(&[M::Id])]), U::Other("new")]),
            "media{id,children{id}},new"
        );
        assert_eq!(
            list(&[C::Id, C::Replies(&[C::Id, C::Replies(&[])]), C::From]),
            "id,replies{id,replies},from"
        );
    }

    #[test]
    fn writes_the_predefined_sets() {
        assert_eq!(list(U::BASIC), "id,username,account_type,media_count");
        assert_eq!(
            list(M::BASIC),
            "id,caption,media_type,media_url,permalink,thumbnail_url,timestamp,username"
        );
        assert_eq!(list(M::CHILD), list(M::BASIC).replace("caption,", ""));
        assert_eq!(
            list(M::WITH_CHILDREN),
            format!("{},children{{{}}}", list(M::BASIC), list(M::CHILD))
        );
        assert!(list(M::PROFESSIONAL).contains("media_product_type,media_url"));
        assert!(list(U::PROFESSIONAL).starts_with("id,user_id,username,name"));
        assert_eq!(list(C::BASIC), "id,text,timestamp,hidden,like_count");
    }
}
