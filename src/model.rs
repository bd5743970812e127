//! The lean structs and open enums, and how they are read from JSON.

use crate::page::Page;
use crate::query::param;
use crate::slot::{Entries, Slot, open_enum, read_object, required};
use miniserde::de::{Deserialize, Map, Seq, Visitor};
use miniserde::ser::Fragment;
use miniserde::{Result, Serialize, make_place};
use std::time::{Duration, SystemTime};

open_enum! {
    /// What sort of account a user has.
    AccountType {
        /// `BUSINESS`
        Business = "BUSINESS",
        /// `MEDIA_CREATOR`
        MediaCreator = "MEDIA_CREATOR",
        /// `PERSONAL`
        Personal = "PERSONAL",
    }
}

open_enum! {
    /// What a media is.
    MediaType {
        /// `IMAGE`
        Image = "IMAGE",
        /// `VIDEO`, reels among them.
        Video = "VIDEO",
        /// `CAROUSEL_ALBUM`: see [`Media::children`].
        CarouselAlbum = "CAROUSEL_ALBUM",
    }
}

open_enum! {
    /// Where a media was published.
    MediaProductType {
        /// `AD`
        Ad = "AD",
        /// `FEED`
        Feed = "FEED",
        /// `STORY`
        Story = "STORY",
        /// `REELS`
        Reels = "REELS",
    }
}

/// Declares a node: a struct whose `id` is always there and whose other fields
/// are optional, under the service's own key names, with its reader and its
/// writer. Reading needs one `Place` and one builder, and no copy of a field.
macro_rules! node {
    (
        $(#[$meta:meta])*
        $name:ident, $builder:ident {
            $($(#[$doc:meta])* $field:ident: $ty:ty,)*
        }
        $nested:ident: |$from:ident: $wire:ty| -> $held:ty $read:block
        $(#[$nested_doc:meta])*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            /// Always there. Text, though it looks like a number: ids are
            /// above 2^53.
            pub id: String,
            $($(#[$doc])* pub $field: Option<$ty>,)*
            $(#[$nested_doc])*
            pub $nested: $held,
        }

        /// Fills the node where it is; only what is required or of another
        /// type on the wire waits here.
        struct $builder<'a> {
            node: &'a mut $name,
            id: Option<String>,
            $nested: Option<$wire>,
            nests: bool,
        }

        impl<'a> $builder<'a> {
            fn new(out: &'a mut Option<$name>, nests: bool) -> Self {
                let node = out.insert(<$name as Default>::default());
                $builder { node, id: None, $nested: None, nests }
            }
        }

        impl Deserialize for $name {
            fn begin(out: &mut Option<$name>) -> &mut dyn Visitor {
                Place::new(out)
            }
        }

        impl Visitor for Place<$name> {
            fn map(&mut self) -> Result<Box<dyn Map + '_>> {
                Ok(Box::new($builder::new(&mut self.out, true)))
            }
        }

        impl Map for $builder<'_> {
            fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
                Ok(match key {
                    "id" => Slot::slot(&mut self.id),
                    $(stringify!($field) => Slot::slot(&mut self.node.$field),)*
                    stringify!($nested) if self.nests => Slot::slot(&mut self.$nested),
                    _ => <dyn Visitor>::ignore(),
                })
            }

            fn finish(&mut self) -> Result<()> {
                self.node.id = required(self.id.take())?;
                let $from = self.$nested.take();
                self.node.$nested = $read;
                Ok(())
            }
        }

        /// Under the service's own keys; what is absent is left out.
        impl Serialize for $name {
            fn begin(&self) -> Fragment<'_> {
                let mut entries: Vec<(&'static str, Box<dyn Serialize + '_>)> = vec![("id", Box::new(&self.id))];
                $(if let Some(value) = &self.$field {
                    entries.push((stringify!($field), Box::new(value)));
                })*
                if let Some(nested) = self.$nested.to_wire() {
                    entries.push((stringify!($nested), nested));
                }
                Entries::new(entries).fragment()
            }
        }
    };
}

make_place!(Place);

node! {
    /// A User node. Only the fields that were asked for, and that the account
    /// has, are there; a private account has answered with its `id` alone
    /// (recorded).
    User, UserBuilder {
        /// The professional account's own id, where `id` is app-scoped.
        user_id: String,
        /// The handle, without the `@`.
        username: String,
        /// The name shown.
        name: String,
        /// What sort of account it is.
        account_type: AccountType,
        /// A signed address that expires.
        profile_picture_url: String,
        /// How many follow this user.
        followers_count: u64,
        /// How many this user follows.
        follows_count: u64,
        /// How many media the user has published.
        media_count: u64,
        /// The text of the profile.
        biography: String,
        /// The link of the profile.
        website: String,
    }
    media: |media: Page<Media>| -> Option<Page<Media>> { media }
    /// The first page of the user's media, where
    /// [`UserField::Media`](crate::UserField::Media) asked for it. Go on with
    /// [`Api::my_media`](crate::Api::my_media) and [`Page::next_cursor`].
}

node! {
    /// A Media node: a picture, a video or an album. Only the fields that were
    /// asked for, and that the media has, are there.
    ///
    /// It is 376 bytes wide (208 on a 32-bit machine), whatever was asked for;
    /// its texts come on top.
    Media, MediaBuilder {
        /// The text below it; missing or empty where there is none.
        caption: String,
        /// What it is.
        media_type: MediaType,
        /// Where it was published.
        media_product_type: MediaProductType,
        /// The file: a signed address that expires (see [`url_expires`]).
        /// Missing for media with copyrighted material.
        media_url: String,
        /// The page on instagram.com.
        permalink: String,
        /// A video's picture; other media have none.
        thumbnail_url: String,
        /// When it was published, as the service writes it
        /// (`2017-08-31T18:10:00+0000`): see [`Media::unix_time`].
        timestamp: String,
        /// Whose it is.
        username: String,
        /// Whether a reel is in the feed as well.
        is_shared_to_feed: bool,
        /// Likes; missing where the owner hides them.
        like_count: u64,
        /// Comments.
        comments_count: u64,
        /// The last part of the permalink.
        shortcode: String,
        /// Whose it is, by id.
        owner: Owner,
        /// The description for those who cannot see it.
        alt_text: String,
        /// Whether comments are open.
        is_comment_enabled: bool,
        /// The id that older APIs know it by.
        legacy_instagram_media_id: String,
    }
    children: |children: Children| -> Vec<Media> { children.map_or_else(Vec::new, Children::into_media) }
    /// An album's pictures and videos, where
    /// [`MediaField::Children`](crate::MediaField::Children) asked for them.
    /// They have no children of their own.
}

/// The user that a media belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owner {
    /// The user's id.
    pub id: Option<String>,
}

read_object!(Owner { "id" => id, });

impl Serialize for Owner {
    fn begin(&self) -> Fragment<'_> {
        Entries::new(self.id.iter().map(|id| ("id", Box::new(id) as _)).collect()).fragment()
    }
}

/// A nested node's way to the wire.
trait ToWire {
    fn to_wire(&self) -> Option<Box<dyn Serialize + '_>>;
}

impl ToWire for Option<Page<Media>> {
    fn to_wire(&self) -> Option<Box<dyn Serialize + '_>> {
        self.as_ref().map(|page| Box::new(page) as _)
    }
}

impl ToWire for Vec<Media> {
    fn to_wire(&self) -> Option<Box<dyn Serialize + '_>> {
        (!self.is_empty()).then(|| Box::new(Data(self)) as _)
    }
}

/// `{"data":[…]}`
struct Data<'a>(&'a Vec<Media>);

impl Serialize for Data<'_> {
    fn begin(&self) -> Fragment<'_> {
        Entries::new(vec![("data", Box::new(self.0))]).fragment()
    }
}

impl Slot for Page<Media> {
    fn slot(out: &mut Option<Self>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<Page<Media>> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        Deserialize::begin(&mut self.out).map()
    }
}

/// The nested `{"data":[…]}` of an album.
#[derive(Default)]
struct Children {
    data: Option<ChildList>,
}

struct ChildList(Vec<Media>);

read_object!(Children { "data" => data, });

impl Children {
    fn into_media(self) -> Vec<Media> {
        self.data.map_or_else(Vec::new, |list| list.0)
    }
}

impl Slot for ChildList {
    fn slot(out: &mut Option<Self>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<ChildList> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn seq(&mut self) -> Result<Box<dyn Seq + '_>> {
        Ok(Box::new(ChildSeq {
            list: &mut self.out.insert(ChildList(Vec::new())).0,
            element: None,
        }))
    }
}

struct ChildSeq<'a> {
    list: &'a mut Vec<Media>,
    element: Option<Media>,
}

impl Seq for ChildSeq<'_> {
    fn element(&mut self) -> Result<&mut dyn Visitor> {
        self.list.extend(self.element.take());
        Ok(ChildPlace::new(&mut self.element))
    }

    fn finish(&mut self) -> Result<()> {
        self.list.extend(self.element.take());
        Ok(())
    }
}

make_place!(ChildPlace);

/// A media whose own `children` are passed over. Albums do not nest, and a
/// reply that claims they do, thousands deep, must not become a value that
/// overflows the stack when it is dropped.
impl Visitor for ChildPlace<Media> {
    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        Ok(Box::new(MediaBuilder::new(&mut self.out, false)))
    }
}

impl Media {
    /// When it was published, in Unix seconds; `None` where the timestamp is
    /// missing or not one.
    pub fn unix_time(&self) -> Option<i64> {
        unix_seconds(self.timestamp.as_deref()?)
    }

    /// When it was published.
    pub fn time(&self) -> Option<SystemTime> {
        from_unix(self.unix_time()?)
    }

    /// When [`media_url`](Media::media_url) expires: see [`url_expires`].
    pub fn media_url_expires(&self) -> Option<SystemTime> {
        url_expires(self.media_url.as_deref()?)
    }

    /// The address of the best still picture there is: the file of an image,
    /// the thumbnail of a video, the first picture of an album, or of an album
    /// that was not opened, its own file. `None` where there is none, or where
    /// nobody can tell a picture from a video: ask for `media_type`,
    /// `media_url`, `thumbnail_url` and, to open albums, `children`, as
    /// [`MediaField::OPENED`](crate::MediaField::OPENED) does.
    pub fn image_url(&self) -> Option<&str> {
        let file = match self.media_type {
            Some(MediaType::Image) => self.media_url.as_deref(),
            Some(MediaType::CarouselAlbum) if self.children.is_empty() => self.media_url.as_deref(),
            Some(MediaType::CarouselAlbum) => self.children.iter().find_map(Media::image_url),
            _ => None,
        };
        file.or(self.thumbnail_url.as_deref())
    }
}

/// When a signed address expires: the `oe` parameter of its query, which holds
/// Unix seconds in hexadecimal (recorded, in every `media_url`).
pub fn url_expires(url: &str) -> Option<SystemTime> {
    let (_, query) = url.split_once('?')?;
    let seconds = param(query.split('#').next()?, "oe")?;
    if !seconds.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    from_unix(i64::from_str_radix(&seconds, 16).ok()?)
}

fn from_unix(seconds: i64) -> Option<SystemTime> {
    let span = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(span)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(span)
    }
}

/// `2017-08-31T18:10:00+0000` in Unix seconds. The offset may have a colon or
/// be a `Z`, and a fraction of a second is passed over.
fn unix_seconds(text: &str) -> Option<i64> {
    let text = text.as_bytes();
    let number = |range: std::ops::Range<usize>| {
        text.get(range)?.iter().try_fold(0i64, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + i64::from(byte - b'0'))
        })
    };
    let marked = |at: usize, mark: u8| (text.get(at) == Some(&mark)).then_some(());
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        marked(at, mark)?;
    }
    let mut zone = 19;
    if marked(zone, b'.').is_some() {
        zone += 1;
        while text.get(zone).is_some_and(u8::is_ascii_digit) {
            zone += 1;
        }
    }
    let offset = match text.get(zone)? {
        b'Z' if text.len() == zone + 1 => 0,
        sign @ (b'+' | b'-') => {
            let colon = usize::from(marked(zone + 3, b':').is_some());
            let (hours, minutes) = (
                number(zone + 1..zone + 3)?,
                number(zone + 3 + colon..zone + 5 + colon)?,
            );
            if text.len() != zone + 5 + colon || hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days since 1970-01-01, counted in years that begin in March.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era_days = y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400);
    let days = era_days + (m * 153 + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniserde::json;

    #[test]
    fn reads_timestamps() {
        for (text, seconds) in [
            ("2017-08-31T18:10:00+0000", 1_504_203_000),
            ("2017-08-31T20:10:00+02:00", 1_504_203_000),
            ("2017-08-31T12:40:00-0530", 1_504_203_000),
            ("2017-08-31T18:10:00.123Z", 1_504_203_000),
            ("1970-01-01T00:00:00+0000", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2038-01-19T03:14:08Z", 2_147_483_648),
            ("0000-03-01T00:00:00Z", -62_162_035_200),
        ] {
            assert_eq!(unix_seconds(text), Some(seconds), "{text}");
        }
        for bad in [
            "",
            "2017-08-31",
            "2017-08-31T18:10:00",
            "2017-02-29T00:00:00Z",
            "2017-13-01T00:00:00Z",
            "2017-08-31 18:10:00Z",
            "2017-08-31T18:10:00Zx",
            "2017-08-31T18:10:00+00",
            "2017-08-31T18:10:00+000a",
            "2017-08-31T24:10:00Z",
            "+017-08-31T18:10:00Z",
            "２017-08-31T18:10:00Z",
        ] {
            assert_eq!(unix_seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn reads_when_an_address_expires() {
        let at = |url| {
            url_expires(url).map(|t| t.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
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
    fn open_enums_keep_what_they_do_not_know() {
        assert_eq!(MediaType::from("CAROUSEL_ALBUM"), MediaType::CarouselAlbum);
        assert_eq!(AccountType::from("business"), AccountType::Business);
        let other: MediaType = json::from_str(r#""BROADCAST""#).unwrap();
        assert_eq!(other, MediaType::Other("BROADCAST".into()));
        assert_eq!(
            (other.to_string().as_str(), json::to_string(&other).as_str()),
            ("BROADCAST", r#""BROADCAST""#)
        );
        assert!(json::from_str::<MediaType>("1").is_err());
    }

    #[test]
    fn the_best_picture() {
        let media = |text: &str| json::from_str::<Media>(text).unwrap();
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
        // Of what may be a video, a thumbnail alone.
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
            r#""owner":{"id":"9"},"children":{"data":[{"id":"2"}]}}"#
        );
        assert_eq!(
            json::to_string(&json::from_str::<Media>(text).unwrap()),
            text
        );
        let user = r#"{"id":"1","username":"u","media":{"data":[{"id":"2"}],"paging":{"cursors":{"after":"c"}}}}"#;
        assert_eq!(
            json::to_string(&json::from_str::<User>(user).unwrap()),
            user
        );
    }

    #[test]
    fn null_is_absent_and_a_number_is_an_id() {
        let media: Media = json::from_str(
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
        assert!(json::from_str::<Media>(r#"{"id":null}"#).is_err());
        assert!(json::from_str::<Media>("{}").is_err());
        assert!(json::from_str::<Media>("null").is_err());
    }

    /// What its documentation says.
    #[test]
    fn a_media_weighs_what_the_docs_say() {
        let bytes = if cfg!(target_pointer_width = "64") {
            376
        } else {
            208
        };
        assert_eq!(size_of::<Media>(), bytes);
    }

    #[test]
    fn albums_do_not_nest() {
        let media: Media = json::from_str(
            r#"{"id":"1","children":{"data":[{"id":"2","children":{"data":[{"id":"3"}]}}]}}"#,
        )
        .unwrap();
        assert_eq!(media.children.len(), 1);
        assert!(media.children[0].children.is_empty());
    }
}
