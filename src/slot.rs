//! Places that JSON values are read into: what `null` means, and which wire
//! types a field takes, is decided here once for every struct.

use miniserde::de::{Map, Seq, Visitor};
use miniserde::ser::{Fragment, Map as SerMap};
use miniserde::{Error, Result, Serialize, make_place};
use std::borrow::Cow;

make_place!(Place);

/// A value that an optional field holds. `null` reads as absent.
pub(crate) trait Slot: Sized {
    fn slot(out: &mut Option<Self>) -> &mut dyn Visitor;
}

/// Text, or a bare number written as text: some replies give ids as numbers.
impl Slot for String {
    fn slot(out: &mut Option<String>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<String> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn string(&mut self, s: &str) -> Result<()> {
        self.out = Some(s.to_owned());
        Ok(())
    }

    fn nonnegative(&mut self, n: u64) -> Result<()> {
        self.out = Some(n.to_string());
        Ok(())
    }
}

impl Slot for u64 {
    fn slot(out: &mut Option<u64>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<u64> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn nonnegative(&mut self, n: u64) -> Result<()> {
        self.out = Some(n);
        Ok(())
    }
}

impl Slot for bool {
    fn slot(out: &mut Option<bool>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<bool> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn boolean(&mut self, b: bool) -> Result<()> {
        self.out = Some(b);
        Ok(())
    }
}

/// Reads an object's keys into the fields of a struct that are all optional.
/// Unknown keys are passed over, `null` reads as absent, of a key that comes
/// twice the last counts.
macro_rules! read_object {
    ($name:ident { $($key:literal => $field:ident,)* } $($finish:path)?) => {
        impl miniserde::Deserialize for $name {
            fn begin(out: &mut Option<$name>) -> &mut dyn miniserde::de::Visitor {
                miniserde::make_place!(ObjectPlace);
                impl miniserde::de::Visitor for ObjectPlace<$name> {
                    fn null(&mut self) -> miniserde::Result<()> {
                        self.out = None;
                        Ok(())
                    }
                    fn map(&mut self) -> miniserde::Result<Box<dyn miniserde::de::Map + '_>> {
                        Ok(Box::new(self.out.insert(<$name as Default>::default())))
                    }
                }
                ObjectPlace::new(out)
            }
        }

        impl miniserde::de::Map for &mut $name {
            fn key(&mut self, key: &str) -> miniserde::Result<&mut dyn miniserde::de::Visitor> {
                Ok(match key {
                    $($key => crate::slot::Slot::slot(&mut self.$field),)*
                    _ => <dyn miniserde::de::Visitor>::ignore(),
                })
            }
            fn finish(&mut self) -> miniserde::Result<()> {
                $($finish(self);)?
                Ok(())
            }
        }

        impl crate::slot::Slot for $name {
            fn slot(out: &mut Option<$name>) -> &mut dyn miniserde::de::Visitor {
                miniserde::Deserialize::begin(out)
            }
        }
    };
}
pub(crate) use read_object;

/// A number, bare or in a string, for a field that must not fail for its form.
/// Anything else reads as absent.
#[derive(Clone, Debug)]
pub(crate) enum Loose {
    Text(String),
    Number(i64),
}

impl Loose {
    /// The number, or digits in a string.
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Loose::Text(text) => text.trim().parse().ok(),
            Loose::Number(number) => Some(*number),
        }
    }
}

impl Slot for Loose {
    fn slot(out: &mut Option<Loose>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<Loose> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn boolean(&mut self, _: bool) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn string(&mut self, s: &str) -> Result<()> {
        self.out = Some(Loose::Text(s.to_owned()));
        Ok(())
    }

    fn negative(&mut self, n: i64) -> Result<()> {
        self.out = Some(Loose::Number(n));
        Ok(())
    }

    fn nonnegative(&mut self, n: u64) -> Result<()> {
        self.out = Some(Loose::Number(i64::try_from(n).unwrap_or(i64::MAX)));
        Ok(())
    }

    fn float(&mut self, n: f64) -> Result<()> {
        // A fraction is dropped, and the cast saturates.
        self.out = Some(Loose::Number(n as i64));
        Ok(())
    }

    fn seq(&mut self) -> Result<Box<dyn Seq + '_>> {
        self.out = None;
        <dyn Visitor>::ignore().seq()
    }

    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        self.out = None;
        <dyn Visitor>::ignore().map()
    }
}

/// Declares an enum over the service's words that stays open: a word not known
/// yet is kept in `Other`.
macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// Any other word, as the service wrote it.
            Other(String),
        }

        impl $name {
            /// The service's word for it.
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $word,)*
                    $name::Other(word) => word,
                }
            }
        }

        /// Upper and lower case count the same: the service has written both.
        impl From<&str> for $name {
            fn from(word: &str) -> $name {
                $(if word.eq_ignore_ascii_case($word) {
                    return $name::$variant;
                })*
                $name::Other(word.to_owned())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl miniserde::Serialize for $name {
            fn begin(&self) -> miniserde::ser::Fragment<'_> {
                miniserde::ser::Fragment::Str(self.as_str().into())
            }
        }

        impl miniserde::Deserialize for $name {
            fn begin(out: &mut Option<$name>) -> &mut dyn miniserde::de::Visitor {
                miniserde::make_place!(WordPlace);
                impl miniserde::de::Visitor for WordPlace<$name> {
                    fn string(&mut self, word: &str) -> miniserde::Result<()> {
                        self.out = Some($name::from(word));
                        Ok(())
                    }
                }
                WordPlace::new(out)
            }
        }

        impl crate::slot::Slot for $name {
            fn slot(out: &mut Option<$name>) -> &mut dyn miniserde::de::Visitor {
                miniserde::make_place!(SlotPlace);
                impl miniserde::de::Visitor for SlotPlace<$name> {
                    fn null(&mut self) -> miniserde::Result<()> {
                        self.out = None;
                        Ok(())
                    }
                    fn string(&mut self, word: &str) -> miniserde::Result<()> {
                        self.out = Some($name::from(word));
                        Ok(())
                    }
                }
                SlotPlace::new(out)
            }
        }
    };
}
pub(crate) use open_enum;

/// The entries of an object, in order, for serialising; what is absent is left
/// out, as the service does.
#[derive(Default)]
pub(crate) struct Entries<'a> {
    entries: std::vec::IntoIter<(&'static str, Box<dyn Serialize + 'a>)>,
    current: Option<Box<dyn Serialize + 'a>>,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(entries: Vec<(&'static str, Box<dyn Serialize + 'a>)>) -> Entries<'a> {
        Entries {
            entries: entries.into_iter(),
            current: None,
        }
    }

    pub(crate) fn fragment(self) -> Fragment<'a> {
        Fragment::Map(Box::new(self))
    }
}

impl SerMap for Entries<'_> {
    fn next(&mut self) -> Option<(Cow<'_, str>, &dyn Serialize)> {
        let (key, value) = self.entries.next()?;
        Some((Cow::Borrowed(key), &**self.current.insert(value)))
    }
}

/// An object's reader fails where something it must have is missing.
pub(crate) fn required<T>(value: Option<T>) -> Result<T> {
    value.ok_or(Error)
}
