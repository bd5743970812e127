//! The Media node.

use super::fields::Fields;
use super::node::{node, sets};
use crate::http::query::param;
use crate::json::lenient::object;
use crate::json::words::open_enum;
use crate::timestamp;
use std::time::SystemTime;

/// A Media node: an image, a video or an album. Only requested fields that the media
/// has are set.
///
/// A `Media` occupies 424 bytes (232 on 32-bit machines) plus its text.
#[doc(alias = "post")]
#[doc(alias = "reel")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Media {
    /// The id, always set. Text, because ids exceed 2^53.
    pub id: String,
    /// The caption; absent or empty if there is none.
    pub caption: Option<String>,
    /// The type of media.
    pub media_type: Option<MediaType>,
    /// Where the media was published.
    pub media_product_type: Option<MediaProductType>,
    /// The file: a signed URL that expires (see
    /// [`media_url_expires_at`](Media::media_url_expires_at)). Absent for media with
    /// copyrighted material.
    pub media_url: Option<String>,
    /// The page on instagram.com.
    pub permalink: Option<String>,
    /// The poster of a video; absent for other media.
    pub thumbnail_url: Option<String>,
    /// When the media was published, as the service writes it
    /// (`2017-08-31T18:10:00+0000`): see [`published_at`](Media::published_at).
    pub timestamp: Option<String>,
    /// The owner's handle.
    pub username: Option<String>,
    /// Whether a reel is also in the feed.
    pub is_shared_to_feed: Option<bool>,
    /// The number of likes; absent if the owner hides it.
    pub like_count: Option<u64>,
    /// The number of comments.
    pub comments_count: Option<u64>,
    /// The last part of the permalink.
    pub shortcode: Option<String>,
    /// The owner.
    pub owner: Option<Owner>,
    /// The alternative text for people who cannot see the picture.
    pub alt_text: Option<String>,
    /// Whether comments are enabled.
    pub is_comment_enabled: Option<bool>,
    /// The id in older APIs.
    pub legacy_instagram_media_id: Option<String>,
    /// The id in older APIs, under another name (recorded).
    pub ig_id: Option<String>,
    /// Whether the media is marked as made with AI; absent for children of an album.
    pub is_ai_generated: Option<bool>,
    /// The sound of a video; absent for other media.
    pub media_audio_type: Option<MediaAudioType>,
    /// The images and videos of an album, if
    /// [`MediaField::Children`](crate::MediaField::Children) was requested. `None` if they
    /// are absent or `null`; a list that is empty is `Some`. Children have no children.
    #[doc(alias = "carousel")]
    pub children: Option<Vec<Media>>,
}

node! {
    /// A field of a Media node.
    ///
    /// Source: Meta's *Media* reference page. *Basic* marks the fields of the Basic Display
    /// API; the others came with Instagram Login. Requesting a field that a node does not
    /// have fails the entire call (code 100). Children of an album have no caption, for
    /// example: request [`CHILD`](MediaField::CHILD) for them.
    ///
    /// Fields that have no variant are requested by name, as text (see [`Fields`]), and read
    /// into your own type ([`Api::edge`](crate::Api::edge), [`Api::node`](crate::Api::node)).
    /// One of them is `copyright_check_information`: it is not known whether this host has
    /// it, and a single dead video fails a listing that requests it (code 9005; recorded, of
    /// an unknown host).
    pub enum MediaField of Media {
        /// `id`, always returned. Basic.
        Id = id,
        /// `caption`. Basic; absent if there is none, and on children.
        Caption = caption,
        /// `media_type`. Basic.
        MediaType = media_type,
        /// `media_product_type`. Instagram Login.
        MediaProductType = media_product_type,
        /// `media_url`, a signed URL that expires. Basic; absent for media with
        /// copyrighted material.
        MediaUrl = media_url,
        /// `permalink`. Basic.
        Permalink = permalink,
        /// `thumbnail_url`. Basic; only videos have it.
        ThumbnailUrl = thumbnail_url,
        /// `timestamp`. Basic.
        Timestamp = timestamp,
        /// `username`. Basic.
        Username = username,
        /// `is_shared_to_feed`. Basic; only reels have it.
        IsSharedToFeed = is_shared_to_feed,
        /// `like_count`. Instagram Login; absent if the owner hides it.
        LikeCount = like_count,
        /// `comments_count`. Instagram Login.
        CommentsCount = comments_count,
        /// `shortcode`. Instagram Login.
        Shortcode = shortcode,
        /// `owner`, its id. Instagram Login.
        Owner = owner,
        /// `alt_text`. Instagram Login; may be absent.
        AltText = alt_text,
        /// `is_comment_enabled`. Instagram Login.
        IsCommentEnabled = is_comment_enabled,
        /// `legacy_instagram_media_id`. Instagram Login.
        LegacyInstagramMediaId = legacy_instagram_media_id,
        /// `ig_id`, the id in older APIs. Instagram Login (recorded).
        IgId = ig_id,
        /// `is_ai_generated`. Instagram Login; children of an album do not have it.
        IsAiGenerated = is_ai_generated,
        /// `media_audio_type`. Instagram Login; only videos have it.
        MediaAudioType = media_audio_type,
        /// `children`, the images and videos of an album. Basic. Only their ids, unless
        /// their fields are requested with [`Fields::with`]. Only albums have it.
        Children = children in data,
    }
    then drop_grandchildren
}

impl MediaField {
    /// [`BASIC`](MediaField::BASIC) and, in the same call, the children of albums with
    /// the fields of [`CHILD`](MediaField::CHILD).
    pub const WITH_CHILDREN: Fields = Fields::known(
        "id,caption,media_type,media_url,permalink,thumbnail_url,timestamp,username,\
         children{id,media_type,media_url,permalink,thumbnail_url,timestamp,username}",
    );
}

sets! {
    MediaField {
        /// The fields of the Basic Display API that any media has:
        /// [`Children`](MediaField::Children) and
        /// [`IsSharedToFeed`](MediaField::IsSharedToFeed) are not included.
        BASIC = [Id Caption MediaType MediaUrl Permalink ThumbnailUrl Timestamp Username];

        /// The fields of an album's children: [`BASIC`](MediaField::BASIC) without the
        /// caption.
        CHILD = [Id MediaType MediaUrl Permalink ThumbnailUrl Timestamp Username];

        /// [`BASIC`](MediaField::BASIC) and the fields that any media of an Instagram Login
        /// account has in addition. A hidden like count is absent from the reply.
        ///
        /// Two of them may be refused (code 100): Meta's *Media* page marks `caption` and
        /// `media_product_type` as Facebook Login only. Users report that
        /// graph.instagram.com returns both.
        /// [`Error::refused_field`](crate::Error::refused_field) names a refused field:
        /// request the others with [`Fields::without`].
        PROFESSIONAL = [Id Caption MediaType MediaProductType MediaUrl Permalink
            ThumbnailUrl Timestamp Username LikeCount CommentsCount Shortcode];
    }
}

/// The user that a media or comment belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owner {
    /// The user's id.
    pub id: Option<String>,
}

object!(Owner { id } or id);

open_enum! {
    /// The type of a media.
    MediaType {
        Image = "IMAGE",
        /// Including reels.
        Video = "VIDEO",
        /// See [`Media::children`].
        CarouselAlbum = "CAROUSEL_ALBUM",
    }
}

open_enum! {
    /// Where a media was published.
    MediaProductType {
        Ad = "AD",
        Feed = "FEED",
        Story = "STORY",
        Reels = "REELS",
    }
}

open_enum! {
    /// The sound of a video (Meta's reference, *Media*).
    MediaAudioType {
        Music = "MUSIC",
        OriginalSound = "ORIGINAL_SOUND",
    }
}

impl Media {
    /// Drops the children of children at every level, so that no reply can nest values
    /// so deeply that dropping them overflows the stack.
    fn drop_grandchildren(&mut self) {
        for child in self.children.iter_mut().flatten() {
            child.children = None;
        }
    }

    /// When the media was published; `None` if the timestamp is absent or invalid.
    pub fn published_at(&self) -> Option<SystemTime> {
        timestamp::parse(self.timestamp.as_deref()?)
    }

    /// When [`media_url`](Media::media_url) expires: see [`url_expires_at`].
    pub fn media_url_expires_at(&self) -> Option<SystemTime> {
        url_expires_at(self.media_url.as_deref()?)
    }

    /// The URL of a still picture: the file of an image, the poster of a video, the
    /// first picture of an album, or an album's own file if its children were not
    /// requested. Never the URL of a video: `None` if there is no picture, or if the
    /// type of the media is unknown.
    ///
    /// Requires the fields `media_type`, `media_url`, `thumbnail_url` and, for albums,
    /// `children`: [`MediaField::WITH_CHILDREN`](crate::MediaField::WITH_CHILDREN) has
    /// them all.
    pub fn image_url(&self) -> Option<&str> {
        let file = match self.media_type {
            Some(MediaType::Image) => self.media_url.as_deref(),
            Some(MediaType::CarouselAlbum) => match self.children.as_deref() {
                None | Some([]) => self.media_url.as_deref(),
                Some(children) => children.iter().find_map(Media::image_url),
            },
            _ => None,
        };
        file.or(self.thumbnail_url.as_deref())
    }
}

/// When a signed URL expires. Its query parameter `oe` contains hexadecimal Unix
/// seconds (recorded, in every `media_url`); `None` if it is absent or invalid.
#[doc(alias = "oe")]
pub fn url_expires_at(url: &str) -> Option<SystemTime> {
    let (_, query) = url.split_once('?')?;
    let seconds = param(query.split('#').next()?, "oe")?;
    if !seconds.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    timestamp::from_unix(i64::from_str_radix(&seconds, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::user::{AccountType, User};
    use crate::json::reader;
    use miniserde::json;

    #[test]
    fn reads_the_expiry_of_urls() {
        let at = |url| {
            url_expires_at(url).map(|t| t.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
        };
        assert_eq!(
            at("https://c.example/v/a.jpg?x=1&oh=2&oe=61537ACA&y=3"),
            Some(0x6153_7ACA)
        );
        assert_eq!(
            at("https://c.example/v/a.jpg?oe=61537ACA#frag"),
            Some(0x6153_7ACA)
        );
        for none in [
            "https://c.example/a.jpg",
            "https://c.example/a.jpg?oe=",
            "?oe=zz",
            "?oe=-1",
            "?xoe=1",
            "?oe=ffffffffffffffffff",
        ] {
            assert_eq!(at(none), None, "{none}");
        }
    }

    #[test]
    fn open_enums_keep_unknown_words() {
        assert_eq!(MediaType::from("CAROUSEL_ALBUM"), MediaType::CarouselAlbum);
        assert_eq!(AccountType::from("business"), AccountType::Business);
        let other: MediaType = reader::read(r#""BROADCAST""#).unwrap();
        assert!(matches!(&other, MediaType::Other(word) if word == "broadcast"));
        assert_eq!(
            (other.to_string().as_str(), json::to_string(&other).as_str()),
            ("BROADCAST", r#""BROADCAST""#)
        );
        assert!(reader::read::<MediaType>("1").is_err());
    }

    #[test]
    fn chooses_the_best_picture() {
        let media = |text: &str| reader::read::<Media>(text).unwrap();
        let image = media(r#"{"id":"1","media_type":"IMAGE","media_url":"i"}"#);
        let video = media(r#"{"id":"1","media_type":"VIDEO","media_url":"v","thumbnail_url":"t"}"#);
        let bare = media(r#"{"id":"1","media_type":"VIDEO","media_url":"v"}"#);
        let album = media(
            r#"{"id":"1","media_type":"CAROUSEL_ALBUM","media_url":"a","children":{"data":[
                {"id":"2","media_type":"VIDEO","media_url":"v"},{"id":"3","media_type":"IMAGE","media_url":"c"}]}}"#,
        );
        let closed = media(r#"{"id":"1","media_type":"CAROUSEL_ALBUM","media_url":"a"}"#);
        assert_eq!(image.image_url(), Some("i"));
        assert_eq!(video.image_url(), Some("t"));
        assert_eq!(bare.image_url(), None);
        assert_eq!(album.image_url(), Some("c"));
        assert_eq!(closed.image_url(), Some("a"));
        let videos = media(
            r#"{"id":"1","media_type":"CAROUSEL_ALBUM","media_url":"v","children":{"data":[{"id":"2","media_type":"VIDEO","media_url":"v"}]}}"#,
        );
        assert_eq!(videos.image_url(), None);
        // Only the thumbnail of what may be a video.
        for kind in ["", r#","media_type":"BROADCAST""#] {
            let unknown = media(&format!(r#"{{"id":"1","media_url":"x"{kind}}}"#));
            assert_eq!(unknown.image_url(), None);
            let unknown = media(&format!(
                r#"{{"id":"1","media_url":"x","thumbnail_url":"t"{kind}}}"#
            ));
            assert_eq!(unknown.image_url(), Some("t"));
        }
    }

    #[test]
    fn writes_what_it_read() {
        let text = concat!(
            r#"{"id":"1","caption":"a\nb","media_type":"CAROUSEL_ALBUM","is_shared_to_feed":true,"like_count":3,"#,
            r#""owner":{"id":"9"},"ig_id":"7","is_ai_generated":false,"media_audio_type":"MUSIC","#,
            r#""children":{"data":[{"id":"2"}]}}"#
        );
        assert_eq!(json::to_string(&reader::read::<Media>(text).unwrap()), text);
        let user = r#"{"id":"1","username":"u","media":{"data":[{"id":"2"}],"paging":{"cursors":{"after":"c"}}}}"#;
        assert_eq!(json::to_string(&reader::read::<User>(user).unwrap()), user);
    }

    #[test]
    fn null_is_absent_and_ids_may_be_numbers() {
        let media: Media = reader::read(
            r#"{"id":17895695668004550,"caption":null,"like_count":null,"owner":null,"children":null,"media_type":null}"#,
        )
        .unwrap();
        assert_eq!(
            media,
            Media {
                id: "17895695668004550".into(),
                ..<Media as Default>::default()
            }
        );
        assert!(reader::read::<Media>(r#"{"id":null}"#).is_err());
        assert!(reader::read::<Media>("{}").is_err());
        assert!(reader::read::<Media>("null").is_err());
    }

    #[test]
    fn media_have_the_documented_size() {
        let bytes = if cfg!(target_pointer_width = "64") {
            424
        } else {
            232
        };
        assert_eq!(size_of::<Media>(), bytes);
    }

    #[test]
    fn albums_do_not_nest() {
        let media: Media = reader::read(
            r#"{"id":"1","children":{"data":[{"id":"2","children":{"data":[{"id":"3"}]}}]}}"#,
        )
        .unwrap();
        let children = media.children.unwrap();
        assert_eq!((children.len(), &children[0].children), (1, &None));
    }

    #[test]
    fn absent_and_empty_children_differ() {
        for (text, children) in [
            ("null", None),
            ("false", None),
            (r#""""#, None),
            ("{}", None),
            (r#"{"paging":{}}"#, None),
            (r#"{"data":null}"#, None),
            ("[]", Some(0)),
            (r#"{"data":[]}"#, Some(0)),
            (r#"[{"id":"2"}]"#, Some(1)),
            (r#"{"data":[{"id":"2"},{"id":"3"}]}"#, Some(2)),
        ] {
            let media: Media = reader::read(&format!(r#"{{"id":"1","children":{text}}}"#)).unwrap();
            assert_eq!(media.children.as_ref().map(Vec::len), children, "{text}");
            let written = json::to_string(&media);
            assert_eq!(
                written.contains("children"),
                children.is_some(),
                "{written}"
            );
            assert_eq!(reader::read::<Media>(&written).unwrap(), media);
        }
    }
}
