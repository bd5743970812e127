//! Enums of the service's words: known ones, and those that a later version may know.

use mingram::insights::{Dimension, Metric, MetricType, Period, Timeframe};
use mingram::{AccountType, MediaAudioType, MediaProductType, MediaType, Word, miniserde};
use proptest::prelude::*;
use std::collections::HashSet;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::str::FromStr;

/// The promises of an enum, for two words that may be known to it.
fn holds<T>(one: &str, other: &str, is_known: fn(&T) -> bool, known: &[&str])
where
    T: Clone + Debug + Display + Eq + Hash + FromStr<Err = std::convert::Infallible>,
    T: for<'a> From<&'a str> + PartialEq<str> + for<'a> PartialEq<&'a str>,
    T: miniserde::Serialize + miniserde::Deserialize,
{
    let [a, b] = [one, other].map(T::from);
    let same = one.eq_ignore_ascii_case(other);
    // Equality of values, of value and text, and of hashes is one relation.
    assert_eq!(
        [a == b, b == a, a == *other, b == one],
        [same; 4],
        "{a:?} {b:?}"
    );
    let set = HashSet::from([a.clone(), b.clone()]);
    assert_eq!(set.len(), if same { 1 } else { 2 });
    assert_eq!(one.parse::<T>(), Ok(a.clone()));
    // A known word is a variant, and is written as the service writes it. Any other is kept.
    let word = known.iter().find(|word| word.eq_ignore_ascii_case(one));
    assert_eq!(is_known(&a), word.is_some(), "{a:?}");
    assert_eq!(a.to_string(), *word.unwrap_or(&one));
    let written = miniserde::json::to_string(&a);
    assert_eq!(written, miniserde::json::to_string(*word.unwrap_or(&one)));
    let read: T = miniserde::json::from_str(&written).unwrap();
    assert_eq!((&read, read.to_string()), (&a, a.to_string()));
}

/// All enums, and their words in the service's reference.
fn every_enum(one: &str, other: &str) {
    macro_rules! enums {
        ($($name:ident $known:expr)*) => {
            $(holds::<$name>(one, other, |value| !matches!(value, $name::Other(_)), &$known);)*
        };
    }
    enums! {
        MediaType ["IMAGE", "VIDEO", "CAROUSEL_ALBUM"]
        MediaProductType ["AD", "FEED", "STORY", "REELS"]
        MediaAudioType ["MUSIC", "ORIGINAL_SOUND"]
        AccountType ["BUSINESS", "MEDIA_CREATOR", "PERSONAL"]
        Period ["day", "lifetime"]
        MetricType ["total_value", "time_series"]
        Timeframe ["this_week", "this_month"]
        Dimension DIMENSIONS
        Metric METRICS
    }
}

const DIMENSIONS: [&str; 9] = [
    "age",
    "city",
    "country",
    "gender",
    "follow_type",
    "media_product_type",
    "contact_button_type",
    "action_type",
    "story_navigation_action_type",
];

const METRICS: [&str; 25] = [
    "reach",
    "views",
    "likes",
    "comments",
    "shares",
    "saved",
    "saves",
    "replies",
    "reposts",
    "total_interactions",
    "follows",
    "profile_visits",
    "profile_activity",
    "navigation",
    "ig_reels_avg_watch_time",
    "ig_reels_video_view_total_time",
    "reels_skip_rate",
    "crossposted_views",
    "facebook_views",
    "accounts_engaged",
    "follows_and_unfollows",
    "profile_links_taps",
    "follower_count",
    "follower_demographics",
    "engaged_audience_demographics",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-cA-C]{0,2}",
        any::<String>(),
        proptest::sample::select(["IMAGE", "reels", "Day", "BROADCAST"].to_vec())
            .prop_map(str::to_owned),
        proptest::sample::select(METRICS.to_vec()).prop_map(str::to_uppercase),
        proptest::sample::select(DIMENSIONS.to_vec()).prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_two_words(one in word(), other in word()) {
        every_enum(&one, &other);
        every_enum(&one, &one.to_ascii_lowercase());
        every_enum(&one, &one.to_ascii_uppercase());
    }
}

/// The comparison holds whether or not this version knows the word.
#[test]
fn the_text_matches_known_and_unknown_words() {
    let kinds = ["VIDEO", "BROADCAST"].map(|word| Some(MediaType::from(word)));
    for (kind, word) in kinds.iter().zip(["VIDEO", "BROADCAST"]) {
        let kind = kind.as_ref().unwrap();
        assert!(kind == word && kind == word.to_lowercase().as_str() && kind != "VIDEOS");
        assert_eq!(kind, word);
    }
    let MediaType::Other(word) = MediaType::from("Broadcast") else {
        panic!("known")
    };
    assert_eq!(
        (word.as_str(), format!("{word}|{word:?}|{word:>10}")),
        ("Broadcast", "Broadcast|\"Broadcast\"| Broadcast".to_owned())
    );
    assert_eq!(
        format!("{:?}", MediaType::Other(word)),
        "Other(\"Broadcast\")"
    );
}

/// Words are made by parsing alone. One that another enum does not know is no second value.
#[test]
fn no_value_differs_from_the_variant_of_its_word() {
    let unknown = |word: &str| -> Word {
        match Period::from(word) {
            Period::Other(word) => word,
            known => panic!("{known}"),
        }
    };
    assert_eq!(MediaType::Other(unknown("video")), MediaType::Video);
    let set = HashSet::from([Metric::Other(unknown("REACH")), Metric::Reach]);
    assert_eq!(set.len(), 1);
    assert_eq!(unknown("a"), unknown("A"));
}
