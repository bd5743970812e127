//! The Comment node.

use super::media::{MediaProductType, Owner};
use super::node::{node, sets};
use super::page::Page;
use crate::json::lenient::object;
use crate::timestamp;
use std::time::SystemTime;

/// A Comment node: a comment on a media, or a reply to one. Only requested fields that
/// the comment has are set.
///
/// Source: Meta's reference, *IG Comment*.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comment {
    /// The id, always set. Text, because ids exceed 2^53.
    pub id: String,
    /// The text.
    pub text: Option<String>,
    /// When the comment was written, as the service writes it
    /// (`2017-08-31T18:10:00+0000`): see [`published_at`](Comment::published_at).
    pub timestamp: Option<String>,
    /// Who wrote it.
    pub from: Option<CommentAuthor>,
    /// The handle of who wrote it. Requires the permission
    /// `instagram_business_manage_comments`.
    pub username: Option<String>,
    /// Whether the comment is hidden.
    pub hidden: Option<bool>,
    /// The number of likes.
    pub like_count: Option<u64>,
    /// The media that the comment is on.
    pub media: Option<CommentMedia>,
    /// The comment that this one replies to; absent for a comment on a media.
    pub parent_id: Option<String>,
    /// The first page of the replies, if
    /// [`CommentField::Replies`](crate::comments::CommentField::Replies) was requested. Continue
    /// with [`Api::replies`](crate::Api::replies) and [`Page::next_cursor`].
    pub replies: Option<Page<Comment>>,
    /// The user who wrote it, if that is the account of the token.
    pub user: Option<Owner>,
    /// The id in older APIs.
    pub legacy_instagram_comment_id: Option<String>,
}

node! {
    /// A field of a Comment node.
    ///
    /// Source: Meta's *IG Comment* reference page. Requesting a field that a node does not
    /// have fails the entire call (code 100).
    ///
    /// Fields that have no variant are requested by name, as text (see
    /// [`Fields`](crate::Fields)), and read into your own type
    /// ([`Api::edge`](crate::Api::edge)).
    pub enum CommentField of Comment {
        /// `id`, always returned.
        Id = id,
        /// `text`.
        Text = text,
        /// `timestamp`.
        Timestamp = timestamp,
        /// `from`, the author's id and username.
        From = from,
        /// `username`. Requires the permission `instagram_business_manage_comments`.
        Username = username,
        /// `hidden`.
        Hidden = hidden,
        /// `like_count`.
        LikeCount = like_count,
        /// `media`, its id and product type.
        Media = media,
        /// `parent_id`; only replies have it.
        ParentId = parent_id,
        /// `replies`, the first page of the replies. Their fields are chosen by the service,
        /// unless they are requested with [`Fields::with`](crate::Fields::with).
        Replies = replies,
        /// `user`, its id; only for comments of the token's own account.
        User = user,
        /// `legacy_instagram_comment_id`.
        LegacyInstagramCommentId = legacy_instagram_comment_id,
    }
}

sets! {
    CommentField {
        /// The fields that any comment has and that need no permission besides the one that
        /// the edge needs.
        BASIC = [Id Text Timestamp Hidden LikeCount];
    }
}

/// Who wrote a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommentAuthor {
    /// The author's id.
    pub id: Option<String>,
    /// The author's handle.
    pub username: Option<String>,
}

object!(CommentAuthor { id, username } or id);

/// The media that a comment is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommentMedia {
    /// The media's id.
    pub id: Option<String>,
    /// Where the media was published.
    pub media_product_type: Option<MediaProductType>,
}

object!(CommentMedia { id, media_product_type } or id);

impl Comment {
    /// When the comment was written; `None` if the timestamp is absent or invalid.
    pub fn published_at(&self) -> Option<SystemTime> {
        timestamp::parse(self.timestamp.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::reader;
    use miniserde::json;

    #[test]
    fn writes_what_it_read() {
        let text = concat!(
            r#"{"id":"1","text":"a","timestamp":"2026-11-23T12:00:00+0000","from":{"id":"5","username":"u"},"#,
            r#""username":"u","hidden":false,"like_count":2,"media":{"id":"7","media_product_type":"FEED"},"#,
            r#""parent_id":"8","replies":{"data":[{"id":"2"}],"paging":{"cursors":{"after":"c"}}},"#,
            r#""user":{"id":"9"},"legacy_instagram_comment_id":"10"}"#
        );
        let comment = reader::read::<Comment>(text).unwrap();
        assert_eq!(json::to_string(&comment), text);
        let published = comment.published_at().unwrap();
        assert_eq!(
            published.duration_since(SystemTime::UNIX_EPOCH).unwrap(),
            std::time::Duration::from_secs(1_795_435_200)
        );
    }

    #[test]
    fn null_and_unknown_keys_are_ignored() {
        let text = r#"{"id":1,"from":null,"replies":null,"hidden":null,"media":{"id":null},"new":{"a":[1]}}"#;
        let comment = reader::read::<Comment>(text).unwrap();
        assert_eq!((comment.id.as_str(), comment.from), ("1", None));
        assert_eq!(comment.media.unwrap().id, None);
        assert!(reader::read::<Comment>(r#"{"text":"a"}"#).is_err());
    }
}
