//! The User node.

use super::media::Media;
use super::node::node;
use super::page::Page;
use crate::json::words::open_enum;

/// A User node. Only requested fields that the account has are set; a private account
/// has returned nothing but its `id` (recorded).
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
    User, UserReader {
        user_id, username, name, account_type, profile_picture_url, followers_count,
        follows_count, media_count, biography, website, media,
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
