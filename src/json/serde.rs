//! The feature `serde`: drives miniserde's visitors with any serde format, and writes
//! miniserde's fragments to any serde format. So both libraries read and write the same
//! data by the same rules. And [`Serde`], the other way round: own types with serde's traits.

use super::reader;
use super::tree::Tree;
use miniserde::de::{Deserialize, Map, Seq, Visitor};
use miniserde::json::{Number, Value};
use miniserde::make_place;
use miniserde::ser::{Fragment, Serialize};
use serde_core::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected,
};
use serde_core::ser::{self, SerializeMap, SerializeSeq, Serializer};
use std::fmt;

const REFUSED: &str = "a required field is missing or invalid";

/// Deserialises a type that miniserde can read.
pub(crate) fn read<'de, T: Deserialize, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let mut out = None;
    Slot(T::begin(&mut out)).deserialize(from)?;
    out.ok_or_else(|| D::Error::custom(REFUSED))
}

/// Serialises a type that miniserde can write.
pub(crate) fn write<S: Serializer>(value: &dyn Serialize, to: S) -> Result<S::Ok, S::Error> {
    ser::Serialize::serialize(&Written(value), to)
}

fn refuse<E: Error>(unexpected: Unexpected<'_>) -> impl FnOnce(miniserde::Error) -> E {
    move |_| E::invalid_type(unexpected, &"another type")
}

/// Reads one value into a visitor.
struct Slot<'a>(&'a mut dyn Visitor);

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for Slot<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another type")
    }

    fn visit_bool<E: Error>(self, b: bool) -> Result<(), E> {
        self.0.boolean(b).map_err(refuse(Unexpected::Bool(b)))
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<(), E> {
        match u64::try_from(n) {
            Ok(n) => self.0.nonnegative(n),
            Err(_) => self.0.negative(n),
        }
        .map_err(refuse(Unexpected::Signed(n)))
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<(), E> {
        self.0
            .nonnegative(n)
            .map_err(refuse(Unexpected::Unsigned(n)))
    }

    fn visit_f64<E: Error>(self, n: f64) -> Result<(), E> {
        self.0.float(n).map_err(refuse(Unexpected::Float(n)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.string(text).map_err(refuse(Unexpected::Str(text)))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.null().map_err(refuse(Unexpected::Unit))
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        let mut seq = self.0.seq().map_err(refuse(Unexpected::Seq))?;
        while from.next_element_seed(Element(&mut *seq))?.is_some() {}
        seq.finish().map_err(|_| A::Error::custom(REFUSED))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        let mut map = self.0.map().map_err(refuse(Unexpected::Map))?;
        while let Some(slot) = from.next_key_seed(Key(&mut *map))? {
            from.next_value_seed(slot)?;
        }
        map.finish().map_err(|_| A::Error::custom(REFUSED))
    }
}

/// Reads an element of a list. Asking miniserde for a slot announces an element, so it is
/// only done if there is one.
struct Element<'a, 'b>(&'a mut (dyn Seq + 'b));

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        let slot = self.0.element().map_err(|_| D::Error::custom(REFUSED))?;
        Slot(slot).deserialize(from)
    }
}

/// Reads a key, and returns the slot for its value.
struct Key<'a, 'b>(&'a mut (dyn Map + 'b));

impl<'de, 'a> DeserializeSeed<'de> for Key<'a, '_> {
    type Value = Slot<'a>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Slot<'a>, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'a> de::Visitor<'_> for Key<'a, '_> {
    type Value = Slot<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Slot<'a>, E> {
        let slot = self.0.key(key).map_err(|_| E::custom(REFUSED))?;
        Ok(Slot(slot))
    }
}

struct Written<'a>(&'a dyn Serialize);

impl ser::Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.begin() {
            Fragment::Null => to.serialize_none(),
            Fragment::Bool(b) => to.serialize_bool(b),
            Fragment::Str(text) => to.serialize_str(&text),
            Fragment::U64(n) => to.serialize_u64(n),
            Fragment::I64(n) => to.serialize_i64(n),
            Fragment::F64(n) => to.serialize_f64(n),
            Fragment::Seq(mut seq) => {
                let mut to = to.serialize_seq(None)?;
                while let Some(element) = seq.next() {
                    to.serialize_element(&Written(element))?;
                }
                to.end()
            }
            Fragment::Map(mut map) => {
                let mut to = to.serialize_map(None)?;
                while let Some((key, value)) = map.next() {
                    to.serialize_entry(&*key, &Written(value))?;
                }
                to.end()
            }
        }
    }
}

/// Reads an own type with serde's `Deserialize` instead of miniserde's (feature `serde`):
/// [`Api::node`](crate::Api::node) and [`Api::edge`](crate::Api::edge) with a `Serde<T>`
/// return a `T` by serde's rules.
///
/// ```no_run
/// use mingram::{Api, Serde};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Live {
///     id: String,
///     #[serde(rename = "media_type")]
///     kind: Option<String>,
/// }
///
/// fn main() -> mingram::Result<()> {
///     let api = Api::new("IGQVJ...");
///     for live in api.edge::<Serde<Live>>("me/live_media").param("fields", "id,media_type") {
///         let Serde(live) = live?;
///         println!("{}: {:?}", live.id, live.kind);
///     }
///     Ok(())
/// }
/// ```
///
/// An error has serde's message, such as ``missing field `id` ``. Of duplicate keys the last
/// counts. Integers are exact from `i64::MIN` to `u64::MAX`; a number beyond is the nearest
/// `f64`. The type must own what it reads: a `String`, not a `&str`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serde<T>(pub T);

make_place!(Place);

impl<T: DeserializeOwned> Deserialize for Serde<T> {
    fn begin(out: &mut Option<Serde<T>>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl<T: DeserializeOwned> Serde<T> {
    fn read(value: Value) -> miniserde::Result<Option<Serde<T>>> {
        match T::deserialize(Tree::new(value, String::new())) {
            Ok(value) => Ok(Some(Serde(value))),
            Err(error) => Err(reader::refuse_because(error.to_string())),
        }
    }
}

impl<T: DeserializeOwned> Place<Serde<T>> {
    fn set(&mut self, value: Value) -> miniserde::Result<()> {
        self.out = Serde::read(value)?;
        Ok(())
    }
}

impl<T: DeserializeOwned> Visitor for Place<Serde<T>> {
    fn null(&mut self) -> miniserde::Result<()> {
        self.set(Value::Null)
    }

    fn boolean(&mut self, b: bool) -> miniserde::Result<()> {
        self.set(Value::Bool(b))
    }

    fn string(&mut self, s: &str) -> miniserde::Result<()> {
        self.set(Value::String(s.to_owned()))
    }

    fn negative(&mut self, n: i64) -> miniserde::Result<()> {
        self.set(Value::Number(Number::I64(n)))
    }

    fn nonnegative(&mut self, n: u64) -> miniserde::Result<()> {
        self.set(Value::Number(Number::U64(n)))
    }

    fn float(&mut self, n: f64) -> miniserde::Result<()> {
        self.set(Value::Number(Number::F64(n)))
    }

    fn seq(&mut self) -> miniserde::Result<Box<dyn Seq + '_>> {
        Ok(Box::new(Parts::new(&mut self.out)))
    }

    fn map(&mut self) -> miniserde::Result<Box<dyn Map + '_>> {
        Ok(Box::new(Parts::new(&mut self.out)))
    }
}

/// The elements of a list, or the entries of a map.
struct Parts<'a, T> {
    out: &'a mut Option<Serde<T>>,
    parts: Vec<(String, Option<Value>)>,
}

impl<T> Parts<'_, T> {
    fn new(out: &mut Option<Serde<T>>) -> Parts<'_, T> {
        let parts = Vec::new();
        Parts { out, parts }
    }

    fn part(&mut self, key: &str) -> miniserde::Result<&mut dyn Visitor> {
        self.parts.push((key.to_owned(), None));
        let last = self.parts.len() - 1;
        Ok(Deserialize::begin(&mut self.parts[last].1))
    }
}

impl<T: DeserializeOwned> Seq for Parts<'_, T> {
    fn element(&mut self) -> miniserde::Result<&mut dyn Visitor> {
        self.part("")
    }

    fn finish(&mut self) -> miniserde::Result<()> {
        let elements = self.parts.drain(..).filter_map(|(_, value)| value);
        *self.out = Serde::read(Value::Array(elements.collect()))?;
        Ok(())
    }
}

impl<T: DeserializeOwned> Map for Parts<'_, T> {
    fn key(&mut self, key: &str) -> miniserde::Result<&mut dyn Visitor> {
        self.part(key)
    }

    fn finish(&mut self) -> miniserde::Result<()> {
        let entries = self.parts.drain(..);
        let entries = entries.filter_map(|(key, value)| Some((key, value?)));
        *self.out = Serde::read(Value::Object(entries.collect()))?;
        Ok(())
    }
}
