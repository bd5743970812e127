//! The feature `serde`: a value in memory that serde reads.

use miniserde::json::{Number, Object, Value};
use serde_core::de::value::{
    self, MapAccessDeserializer, MapDeserializer, SeqDeserializer, StringDeserializer,
};
use serde_core::de::{Deserializer, Error, IntoDeserializer, Visitor};
use serde_core::forward_to_deserialize_any;

/// A value for serde.
pub(crate) struct Tree {
    value: Value,
    /// The key or index that leads to it; empty at the top.
    step: String,
    /// Whether it is a key of a map, which may be a number in JSON's quotes.
    is_key: bool,
}

impl Tree {
    pub(crate) fn new(value: Value, step: String) -> Tree {
        let is_key = false;
        Tree {
            value,
            step,
            is_key,
        }
    }

    fn key(key: String) -> Tree {
        Tree {
            is_key: true,
            ..Tree::new(Value::String(key), String::new())
        }
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
) -> MapDeserializer<'de, impl Iterator<Item = (Tree, Tree)>, value::Error> {
    let entries = object.into_iter();
    MapDeserializer::new(
        entries.map(|(key, value)| (Tree::key(key.clone()), Tree::new(value, key))),
    )
}

impl<'de> IntoDeserializer<'de, value::Error> for Tree {
    type Deserializer = Tree;

    fn into_deserializer(self) -> Tree {
        self
    }
}

macro_rules! keys {
    ($($method:ident $visit:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            match &self.value {
                Value::String(key) if self.is_key => match key.parse() {
                    Ok(key) => visitor.$visit(key),
                    Err(_) => self.deserialize_any(visitor),
                },
                _ => self.deserialize_any(visitor),
            }
        })*
    };
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
                let list = list.into_iter().enumerate();
                let list = list.map(|(index, value)| Tree::new(value, format!("[{index}]")));
                SeqDeserializer::new(list).deserialize_any(visitor)
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

    keys! {
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32
        deserialize_i64 visit_i64 deserialize_u8 visit_u8 deserialize_u16 visit_u16
        deserialize_u32 visit_u32 deserialize_u64 visit_u64 deserialize_i128 visit_i128
        deserialize_u128 visit_u128 deserialize_bool visit_bool
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
