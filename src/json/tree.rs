//! The feature `serde`: a value in memory that serde reads.

use miniserde::json::{Number, Object, Value};
use serde_core::de::value::{
    self, MapAccessDeserializer, MapDeserializer, SeqDeserializer, StringDeserializer,
};
use serde_core::de::{Deserializer, Error, IntoDeserializer, Visitor};
use serde_core::forward_to_deserialize_any;

/// A value for serde, and the key or index that leads to it.
pub(crate) struct Tree {
    step: String,
    value: Value,
}

impl Tree {
    pub(crate) fn new(value: Value) -> Tree {
        let step = String::new();
        Tree { step, value }
    }

    /// Names the place in the error of a value below the top.
    fn located<R>(step: &str, result: Result<R, value::Error>) -> Result<R, value::Error> {
        result.map_err(|error| match step {
            "" => error,
            _ => value::Error::custom(format_args!("{step}: {error}")),
        })
    }
}

fn entries<'de>(
    object: Object,
) -> MapDeserializer<'de, impl Iterator<Item = (Key, Tree)>, value::Error> {
    MapDeserializer::new(object.into_iter().map(|(key, value)| {
        let step = key.clone();
        (Key(key), Tree { step, value })
    }))
}

impl<'de> IntoDeserializer<'de, value::Error> for Tree {
    type Deserializer = Tree;

    fn into_deserializer(self) -> Tree {
        self
    }
}

impl<'de> Deserializer<'de> for Tree {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        let result = match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(b),
            Value::Number(Number::U64(n)) => visitor.visit_u64(n),
            Value::Number(Number::I64(n)) => visitor.visit_i64(n),
            Value::Number(Number::F64(n)) => visitor.visit_f64(n),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(list) => {
                let elements = list.into_iter().enumerate().map(|(index, value)| Tree {
                    step: format!("[{index}]"),
                    value,
                });
                SeqDeserializer::new(elements).deserialize_any(visitor)
            }
            Value::Object(object) => entries(object).deserialize_any(visitor),
        };
        Tree::located(&self.step, result)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        let result = match self.value {
            Value::String(variant) => visitor.visit_enum(StringDeserializer::new(variant)),
            Value::Object(object) if object.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(entries(object)))
            }
            _ => return self.deserialize_any(visitor),
        };
        Tree::located(&self.step, result)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A key of a map, which may be a number in JSON's quotes.
struct Key(String);

impl<'de> IntoDeserializer<'de, value::Error> for Key {
    type Deserializer = Key;

    fn into_deserializer(self) -> Key {
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            match self.0.parse() {
                Ok(number) => visitor.$visit(number),
                Err(_) => self.deserialize_any(visitor),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Key {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        visitor.visit_enum(StringDeserializer::new(self.0))
    }

    numbers! {
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32
        deserialize_i64 visit_i64 deserialize_u8 visit_u8 deserialize_u16 visit_u16
        deserialize_u32 visit_u32 deserialize_u64 visit_u64
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
