//! The User node.

use super::media::Media;
use super::node::{node, sets};
use super::page::Page;
use crate::json::words::open_enum;

/// A User node. Only requested fields that the account has are set; a private account
/// has returned nothing but its `id` (recorded).
#[doc(alias = "profile")]
#[doc(alias = "account")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The id, always set. Text, because ids exceed 2^53. On an Instagram Login account
    /// it is app-scoped: another app sees another one. See [`user_id`](User::user_id).
    pub id: String,
    /// The professional account's own id, which webhooks carry. Only
    /// [`Api::me`](crate::Api::me) with [`UserField::UserId`](crate::UserField::UserId)
    /// returns it: the `user_id` of a code exchange is the app-scoped
    /// [`id`](User::id).
    pub user_id: Option<String>,
    /// The handle, without the `@`.
    pub username: Option<String>,
    /// The display name.
    pub name: Option<String>,
    /// The type of account.
    pub account_type: Option<AccountType>,
    /// The profile picture: a signed URL that expires.
    pub profile_picture_url: Option<String>,
    /// The number of followers.
    pub followers_count: Option<u64>,
    /// The number of accounts that this user follows.
    pub follows_count: Option<u64>,
    /// The number of media that the user has published.
    pub media_count: Option<u64>,
    /// The biography.
    pub biography: Option<String>,
    /// The website.
    pub website: Option<String>,
    /// The first page of the user's media, if
    /// [`UserField::Media`](crate::UserField::Media) was requested. Continue with
    /// [`Api::my_media`](crate::Api::my_media) and [`Page::next_cursor`].
    pub media: Option<Page<Media>>,
}

node! {
    /// A field of a User node.
    ///
    /// Source: Meta's *User* and *Instagram API with Instagram Login* reference pages.
    /// *Basic* marks the fields of the Basic Display API; the others came with Instagram
    /// Login. Requesting a field that a node does not have fails the entire call (code
    /// 100), so request only what you use.
    ///
    /// Fields that have no variant are requested by name, as text (see
    /// [`Fields`](crate::Fields)), and read into your own type
    /// ([`Api::node`](crate::Api::node)). One of them is `ig_id`: it is not known whether the
    /// users of this host have it.
    pub enum UserField of User {
        /// `id`, always returned. Basic. App-scoped on an Instagram Login account.
        Id = id,
        /// `user_id`, the id of the professional account. Instagram Login.
        UserId = user_id,
        /// `username`. Basic.
        Username = username,
        /// `name`. Instagram Login; may be absent.
        Name = name,
        /// `account_type`. Basic.
        AccountType = account_type,
        /// `profile_picture_url`. Instagram Login; may be absent.
        ProfilePictureUrl = profile_picture_url,
        /// `followers_count`. Instagram Login.
        FollowersCount = followers_count,
        /// `follows_count`. Instagram Login.
        FollowsCount = follows_count,
        /// `media_count`. Basic.
        MediaCount = media_count,
        /// `biography`. Instagram Login; may be absent.
        Biography = biography,
        /// `website`. Instagram Login; may be absent.
        Website = website,
        /// `media`: the first page of the user's media in the same call (recorded). Only
        /// their ids, unless their fields are requested with
        /// [`Fields::with`](crate::Fields::with). See [`User::media`].
        Media = media,
    }
}

sets! {
    UserField {
        /// All fields of the Basic Display API.
        BASIC = [Id Username AccountType MediaCount];

        /// The fields that Meta's *Instagram API with Instagram Login* page lists for `/me`:
        /// safe on any account of Instagram Login, all of which are professional.
        PROFESSIONAL = [Id UserId Username Name AccountType ProfilePictureUrl
            FollowersCount FollowsCount MediaCount];
    }
}

open_enum! {
    /// The type of an account.
    AccountType {
        Business = "BUSINESS",
        MediaCreator = "MEDIA_CREATOR",
        Personal = "PERSONAL",
    }
}
