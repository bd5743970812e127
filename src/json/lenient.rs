//! Optional fields, read leniently. These rules apply to every struct:
//!
//! - `null` counts as absent.
//! - A count or a text may be a number, or a number in a text. A number that the field
//!   cannot hold counts as absent: negative, with a fraction, or too large.
//! - A flag may be 0 or 1, or in a text.
//! - `false` and `[]` instead of an object or a word count as absent, and so does `""`
//!   instead of an object.
//! - A text or a number instead of an object with an `id` is the id.
//! - A list may be in an object, under `data`. `[]` is an empty list; `{}`, `false` and `""`
//!   instead of a list count as absent.
//!
//! Anything else is refused.

use super::reader::{self, Tolerance, refuse_field};
use miniserde::de::{Deserialize, Map, Seq, Visitor};
use miniserde::ser::{self, Fragment};
use miniserde::{Error, Result, Serialize, make_place};
use std::borrow::Cow;
use std::iter;

make_place!(Place);

/// A type that an optional field can hold. `null` reads as absent.
pub(crate) trait Lenient: Sized {
    fn place(out: &mut Option<Self>) -> &mut dyn Visitor;

    /// Begins a list instead of the object that [`nullable`] reads. Default: one that must
    /// be empty, and counts as absent.
    fn list(out: &mut Option<Self>) -> Result<Box<dyn Seq + '_>> {
        *out = None;
        Ok(Box::new(Nothing))
    }
}

/// A list. miniserde's own reader of a `Vec` moves each item twice.
impl<T: Deserialize> Lenient for Vec<T> {
    fn place(out: &mut Option<Vec<T>>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl<T: Deserialize> Visitor for Place<Vec<T>> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn boolean(&mut self, b: bool) -> Result<()> {
        match b {
            false => self.null(),
            true => Err(Error),
        }
    }

    fn string(&mut self, s: &str) -> Result<()> {
        match s {
            "" => self.null(),
            _ => Err(Error),
        }
    }

    fn seq(&mut self) -> Result<Box<dyn Seq + '_>> {
        Ok(Box::new(List::new(self.out.insert(Vec::new()), None)))
    }

    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        self.out = None;
        Ok(Box::new(InData(self)))
    }
}

/// Reads the value under `data` in an object.
pub(crate) struct InData<'a>(pub(crate) &'a mut dyn Visitor);

impl Visitor for InData<'_> {
    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        Ok(Box::new(InData(self.0)))
    }
}

impl Map for InData<'_> {
    fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
        Ok(match key {
            "data" => self.0,
            _ => <dyn Visitor>::ignore(),
        })
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Reads a list, with a [`Tolerance`] all elements but those that are refused.
pub(crate) struct List<'a, T> {
    list: &'a mut Vec<T>,
    item: Option<T>,
    tolerance: Option<&'a Tolerance>,
}

impl<'a, T> List<'a, T> {
    pub(crate) fn new(list: &'a mut Vec<T>, tolerance: Option<&'a Tolerance>) -> List<'a, T> {
        if let Some(tolerance) = tolerance {
            tolerance.begins.set(true);
            list.reserve(tolerance.room);
        }
        List {
            list,
            item: None,
            tolerance,
        }
    }

    /// Moves the latest item to the list, unless it was refused.
    fn keep(&mut self) {
        if self.tolerance.is_some_and(|list| list.refused.take()) {
            self.item = None;
        }
        take_item(self.list, &mut self.item);
    }
}

impl<T: Deserialize> Seq for List<'_, T> {
    fn element(&mut self) -> Result<&mut dyn Visitor> {
        self.keep();
        Ok(T::begin(&mut self.item))
    }

    fn finish(&mut self) -> Result<()> {
        self.keep();
        Ok(())
    }
}

/// With room for the item, and as a function of its own, this moves the item once.
#[inline(never)]
fn take_item<T>(list: &mut Vec<T>, item: &mut Option<T>) {
    if item.is_some() {
        list.reserve(1);
        list.extend(iter::from_fn(|| item.take()));
    }
}

/// Whole numbers below this are exact as `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A string, or a number converted to a string: some replies send ids as numbers.
impl Lenient for String {
    fn place(out: &mut Option<String>) -> &mut dyn Visitor {
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

    fn negative(&mut self, _: i64) -> Result<()> {
        self.null()
    }

    /// An id that is not exact would be another one.
    fn float(&mut self, n: f64) -> Result<()> {
        let exact = n.trunc() == n && (0.0..EXACT).contains(&n);
        self.out = exact.then(|| (n as u64).to_string());
        Ok(())
    }
}

/// A count.
impl Lenient for u64 {
    fn place(out: &mut Option<u64>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<u64> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn string(&mut self, s: &str) -> Result<()> {
        number_in(s, self)
    }

    fn nonnegative(&mut self, n: u64) -> Result<()> {
        self.out = Some(n);
        Ok(())
    }

    /// `-0` is 0.
    fn negative(&mut self, n: i64) -> Result<()> {
        self.out = (n == 0).then_some(0);
        Ok(())
    }

    fn float(&mut self, n: f64) -> Result<()> {
        let fits = n.trunc() == n && (0.0..u64::MAX as f64).contains(&n);
        self.out = fits.then_some(n as u64);
        Ok(())
    }
}

/// Reads the number that is in a text. An empty text counts as absent.
pub(crate) fn number_in(text: &str, visitor: &mut dyn Visitor) -> Result<()> {
    let text = text.trim();
    match text.bytes().next() {
        None => visitor.null(),
        Some(b'-' | b'0'..=b'9') => match reader::read_into(text, visitor, None) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error),
        },
        Some(_) => Err(Error),
    }
}

/// A flag.
impl Lenient for bool {
    fn place(out: &mut Option<bool>) -> &mut dyn Visitor {
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

    fn string(&mut self, s: &str) -> Result<()> {
        match s.trim() {
            word if word.eq_ignore_ascii_case("true") => self.boolean(true),
            word if word.eq_ignore_ascii_case("false") => self.boolean(false),
            number => number_in(number, self),
        }
    }

    fn nonnegative(&mut self, n: u64) -> Result<()> {
        match n {
            0 | 1 => self.boolean(n == 1),
            _ => Err(Error),
        }
    }

    fn negative(&mut self, _: i64) -> Result<()> {
        self.null()
    }

    fn float(&mut self, n: f64) -> Result<()> {
        match n {
            0.0 | 1.0 => self.boolean(n == 1.0),
            _ => self.null(),
        }
    }
}

/// Reads `null` and what is empty as absent, and anything else as a `T`, which is an
/// object or a word.
pub(crate) fn nullable<T: Deserialize + Lenient>(out: &mut Option<T>) -> &mut dyn Visitor {
    Nullable::new(out)
}

make_place!(Nullable);

impl<T: Deserialize + Lenient> Visitor for Nullable<T> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn boolean(&mut self, b: bool) -> Result<()> {
        match b {
            false => self.null(),
            true => Err(Error),
        }
    }

    fn string(&mut self, s: &str) -> Result<()> {
        match T::begin(&mut self.out).string(s) {
            Err(_) if s.is_empty() => self.null(),
            result => result,
        }
    }

    fn nonnegative(&mut self, n: u64) -> Result<()> {
        T::begin(&mut self.out).nonnegative(n)
    }

    fn negative(&mut self, _: i64) -> Result<()> {
        self.null()
    }

    fn float(&mut self, _: f64) -> Result<()> {
        self.null()
    }

    fn seq(&mut self) -> Result<Box<dyn Seq + '_>> {
        T::list(&mut self.out)
    }

    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        T::begin(&mut self.out).map()
    }
}

/// Reads an empty list, and refuses any other.
pub(crate) struct Nothing;

impl Seq for Nothing {
    fn element(&mut self) -> Result<&mut dyn Visitor> {
        Err(Error)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Generates the reader and the writer of a struct whose fields are named like the service's
/// keys: perhaps one that is required, and optional ones. The reader fills them in place;
/// unknown keys are ignored, and the last of duplicate keys counts. The writer omits what is
/// absent, and writes a list that is `in data` as `{"data":[…]}`.
///
/// With `or $id`, a text or a number instead of the object is this field. With `then $check`,
/// the reader ends with this method.
macro_rules! object {
    (
        $name:ident $([$required:ident])? { $($field:ident $(in $data:ident)?),* $(,)? }
        $(or $id:ident)? $(then $check:ident)?
    ) => {
        const _: () = {
            use crate::json::lenient::{Entries, Entry, Lenient, is, nullable};
            use miniserde::de::{Deserialize, Map, Visitor};
            use miniserde::ser::{Fragment, Serialize};
            use miniserde::{Result, make_place};

            make_place!(Place);

            impl Deserialize for $name {
                fn begin(out: &mut Option<$name>) -> &mut dyn Visitor {
                    Place::new(out)
                }
            }

            impl Lenient for $name {
                fn place(out: &mut Option<$name>) -> &mut dyn Visitor {
                    nullable(out)
                }
            }

            impl Visitor for Place<$name> {
                $(
                    fn string(&mut self, s: &str) -> Result<()> {
                        if s.is_empty() {
                            return Err(miniserde::Error);
                        }
                        let out = self.out.insert(<$name as Default>::default());
                        Lenient::place(&mut out.$id).string(s)
                    }

                    fn nonnegative(&mut self, n: u64) -> Result<()> {
                        self.string(&n.to_string())
                    }
                )?

                fn map(&mut self) -> Result<Box<dyn Map + '_>> {
                    Ok(Box::new(Reader {
                        out: self.out.insert(<$name as Default>::default()),
                        $($required: None,)?
                    }))
                }
            }

            struct Reader<'a> {
                out: &'a mut $name,
                $($required: Option<String>,)?
            }

            impl Map for Reader<'_> {
                fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
                    Ok(match key {
                        $(_ if is(key, stringify!($required)) => Lenient::place(&mut self.$required),)?
                        $(_ if is(key, stringify!($field)) => Lenient::place(&mut self.out.$field),)*
                        _ => <dyn Visitor>::ignore(),
                    })
                }

                fn finish(&mut self) -> Result<()> {
                    $(
                        let value = self.$required.take();
                        self.out.$required =
                            crate::json::lenient::required(value, stringify!($required))?;
                    )?
                    $(self.out.$check();)?
                    Ok(())
                }
            }

            impl Serialize for $name {
                fn begin(&self) -> Fragment<'_> {
                    let mut entries: Vec<Entry<'_>> = Vec::new();
                    $(entries.push((stringify!($required), Box::new(&self.$required)));)?
                    $(if let Some(value) = &self.$field {
                        $(let value = crate::json::lenient::In(stringify!($data), value);)?
                        entries.push((stringify!($field), Box::new(value)));
                    })*
                    Entries::fragment(entries)
                }
            }
        };

        crate::json::lenient::serde_impls!($name);
    };
}
pub(crate) use object;

/// Compares the lengths first, and inline: optimised for size, `==` is a function.
#[inline(always)]
pub(crate) fn is(key: &str, name: &str) -> bool {
    key.len() == name.len() && key == name
}

/// Generates serde's traits for a type that has miniserde's, with the feature `serde`.
macro_rules! serde_impls {
    ($name:ty $(, $item:ident)?) => {
        #[cfg(feature = "serde")]
        impl<$($item: miniserde::Serialize)?> serde_core::Serialize for $name {
            fn serialize<S: serde_core::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
                crate::json::serde::write(self, to)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de $(, $item: miniserde::Deserialize)?> serde_core::Deserialize<'de> for $name {
            fn deserialize<D>(from: D) -> std::result::Result<Self, D::Error>
            where
                D: serde_core::Deserializer<'de>,
            {
                crate::json::serde::read(from)
            }
        }
    };
}
pub(crate) use serde_impls;

/// A key, and the value to serialize under it.
pub(crate) type Entry<'a> = (&'static str, Box<dyn Serialize + 'a>);

/// The entries of an object to serialize, in order.
pub(crate) struct Entries<'a> {
    entries: std::vec::IntoIter<Entry<'a>>,
    current: Option<Box<dyn Serialize + 'a>>,
}

impl<'a> Entries<'a> {
    pub(crate) fn fragment(entries: Vec<Entry<'a>>) -> Fragment<'a> {
        Fragment::Map(Box::new(Entries {
            entries: entries.into_iter(),
            current: None,
        }))
    }
}

impl ser::Map for Entries<'_> {
    fn next(&mut self) -> Option<(Cow<'_, str>, &dyn Serialize)> {
        let (key, value) = self.entries.next()?;
        Some((Cow::Borrowed(key), &**self.current.insert(value)))
    }
}

/// An object with one key.
pub(crate) struct In<'a>(pub(crate) &'static str, pub(crate) &'a dyn Serialize);

impl Serialize for In<'_> {
    fn begin(&self) -> Fragment<'_> {
        Entries::fragment(vec![(self.0, Box::new(self.1))])
    }
}

/// Fails the reader of an object that lacks a required key.
pub(crate) fn required<T>(value: Option<T>, name: &'static str) -> Result<T> {
    value.ok_or_else(|| refuse_field(name))
}
