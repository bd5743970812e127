//! The service's words: enums that keep a word which has no variant yet.

use miniserde::de::Visitor;
use miniserde::{Result, make_place};
use std::hash::Hasher;

/// A word of the service that has no variant yet, as the service writes it: what the
/// variant `Other` of an enum holds.
///
/// Compare the enum with the text, not with `Other`. Then the comparison still holds in a
/// version that has a variant for the word. To make one, convert the text into the enum.
///
/// ```
/// use mingram::MediaType;
///
/// let kind = MediaType::from("BROADCAST");
/// assert!(kind == "BROADCAST" && kind == "broadcast");
/// assert_eq!(MediaType::from("video"), MediaType::Video);
/// if let MediaType::Other(word) = &kind {
///     println!("unknown: {word}");
/// }
/// ```
///
/// Words are equal if they differ only in ASCII case: the service has sent both.
#[derive(Clone)]
pub struct Word(String);

impl Word {
    pub(crate) fn new(word: &str) -> Word {
        Word(word.to_owned())
    }

    /// The word, as the service writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text!(Word);

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Generates what follows from `as_str()`. Equality ignores ASCII case, as parsing does.
macro_rules! text {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Eq for $name {}

        /// Ignores ASCII case.
        impl PartialEq for $name {
            fn eq(&self, other: &$name) -> bool {
                self == other.as_str()
            }
        }

        /// Ignores ASCII case.
        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str().eq_ignore_ascii_case(other)
            }
        }

        /// Ignores ASCII case.
        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self == *other
            }
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                crate::json::words::hash(self.as_str(), state);
            }
        }
    };
}

/// Equal words have the same hash, whatever their case.
pub(crate) fn hash(word: &str, state: &mut impl Hasher) {
    word.bytes()
        .for_each(|byte| state.write_u8(byte.to_ascii_lowercase()));
    state.write_u8(0xff);
}

/// Declares an enum of the service's words: one line per variant, its documentation and its
/// word. Adds the variant `Other` for words that are not known yet.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        ///
        /// Compare it with the text to match a word that has no variant yet: see
        /// [`Word`](crate::Word).
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum $name {
            $(
                #[doc = concat!("`", $word, "`")]
                ///
                $(#[$about])*
                $variant,
            )*
            /// Any other word.
            Other(crate::Word),
        }

        impl $name {
            /// The word that the service uses.
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $word,)*
                    $name::Other(word) => word.as_str(),
                }
            }
        }

        /// Ignores ASCII case: the service has sent both.
        impl From<&str> for $name {
            fn from(word: &str) -> $name {
                $(if word.eq_ignore_ascii_case($word) {
                    return $name::$variant;
                })*
                $name::Other(crate::Word::new(word))
            }
        }

        /// Never fails: see `From<&str>`.
        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(word: &str) -> std::result::Result<$name, Self::Err> {
                Ok($name::from(word))
            }
        }

        crate::json::words::text!($name);

        impl miniserde::Serialize for $name {
            fn begin(&self) -> miniserde::ser::Fragment<'_> {
                miniserde::ser::Fragment::Str(self.as_str().into())
            }
        }

        impl miniserde::Deserialize for $name {
            fn begin(out: &mut Option<$name>) -> &mut dyn miniserde::de::Visitor {
                crate::json::words::place(out)
            }
        }

        impl crate::json::lenient::Lenient for $name {
            fn place(out: &mut Option<$name>) -> &mut dyn miniserde::de::Visitor {
                crate::json::lenient::nullable(out)
            }
        }

        crate::json::lenient::serde_impls!($name);
    };
}
pub(crate) use {open_enum, text};

make_place!(Place);

/// Reads a word.
pub(crate) fn place<T: for<'a> From<&'a str>>(out: &mut Option<T>) -> &mut dyn Visitor {
    Place::new(out)
}

impl<T: for<'a> From<&'a str>> Visitor for Place<T> {
    fn string(&mut self, word: &str) -> Result<()> {
        self.out = Some(T::from(word));
        Ok(())
    }
}
