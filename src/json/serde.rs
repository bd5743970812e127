//! The feature `serde`: drives miniserde's visitors with any serde format, and writes
//! miniserde's fragments to any serde format. So both libraries read and write the same
//! data by the same rules.

use miniserde::de::{Deserialize, Map, Seq, Visitor};
use miniserde::ser::{Fragment, Serialize};
use serde_core::de::{
    self, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected,
};
use serde_core::ser::{self, SerializeMap, SerializeSeq, Serializer};
use std::fmt;

const REFUSED: &str = "a required field is missing or invalid";

/// Deserialises a type that miniserde can read.
pub(crate) fn read<'de, T: Deserialize, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let mut out = None;
    Value(T::begin(&mut out)).deserialize(from)?;
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
struct Value<'a>(&'a mut dyn Visitor);

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for Value<'_> {
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
        Value(slot).deserialize(from)
    }
}

/// Reads a key, and returns the slot for its value.
struct Key<'a, 'b>(&'a mut (dyn Map + 'b));

impl<'de, 'a> DeserializeSeed<'de> for Key<'a, '_> {
    type Value = Value<'a>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value<'a>, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'a> de::Visitor<'_> for Key<'a, '_> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Value<'a>, E> {
        let slot = self.0.key(key).map_err(|_| E::custom(REFUSED))?;
        Ok(Value(slot))
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
