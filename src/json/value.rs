//! A small JSON value, for replies that come in several shapes: errors, token
//! replies, rate-limit headers and the paging of a page. One type instead of a
//! struct and a reader for each, which would cost a kilobyte of program every time.

use crate::json::reader;
use miniserde::de::{Deserialize, Map, Seq, Visitor};
use miniserde::{Result, make_place};
use std::mem;

/// How deep objects and lists may nest; deeper ones read as empty. It bounds the
/// recursion when a value is dropped.
const MAX_DEPTH: u8 = 4;

/// A JSON value; `null` reads as absent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Parses a document that must be an object.
    pub(crate) fn parse_object(text: &str) -> Option<Value> {
        reader::read(text).ok()
    }

    /// The value of a key, if this is an object. The last of duplicate keys counts.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        let Value::Object(entries) = self else {
            return None;
        };
        let mut entries = entries.iter().rev();
        entries.find(|(name, _)| name == key).map(|(_, v)| v)
    }

    /// A string, or a number converted to a string.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Value::Text(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A number, or a string of digits. Numbers beyond `i64` saturate.
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Value::Text(text) => match text.trim().parse::<u64>() {
                Ok(number) => Some(i64::try_from(number).unwrap_or(i64::MAX)),
                Err(_) => text.trim().parse().ok(),
            },
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text of a key: see [`Value::text`].
    pub(crate) fn text_of(&self, key: &str) -> Option<String> {
        self.get(key)?.text()
    }

    /// The number of a key: see [`Value::number`].
    pub(crate) fn number_of(&self, key: &str) -> Option<i64> {
        self.get(key)?.number()
    }
}

make_place!(Place);

/// A document: an object.
impl Deserialize for Value {
    fn begin(out: &mut Option<Value>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<Value> {
    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        Ok(Box::new(Builder::new(&mut self.out, MAX_DEPTH)))
    }
}

/// Reads any value.
pub(crate) struct Reader {
    pub(crate) value: Option<Value>,
    depth: u8,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::new(MAX_DEPTH)
    }
}

impl Reader {
    fn new(depth: u8) -> Reader {
        Reader { value: None, depth }
    }

    fn set(&mut self, value: Value) -> Result<()> {
        self.value = Some(value);
        Ok(())
    }
}

impl Visitor for Reader {
    fn null(&mut self) -> Result<()> {
        self.value = None;
        Ok(())
    }

    fn boolean(&mut self, b: bool) -> Result<()> {
        self.set(Value::Flag(b))
    }

    fn string(&mut self, s: &str) -> Result<()> {
        self.set(Value::Text(s.to_owned()))
    }

    fn negative(&mut self, n: i64) -> Result<()> {
        self.set(Value::Number(n))
    }

    fn nonnegative(&mut self, n: u64) -> Result<()> {
        self.set(match i64::try_from(n) {
            Ok(number) => Value::Number(number),
            // It may be an id, which must not change.
            Err(_) => Value::Text(n.to_string()),
        })
    }

    fn float(&mut self, n: f64) -> Result<()> {
        // Drops the fraction and saturates.
        self.set(Value::Number(n as i64))
    }

    fn seq(&mut self) -> Result<Box<dyn Seq + '_>> {
        if self.depth == 0 {
            self.value = Some(Value::List(Vec::new()));
            return <dyn Visitor>::ignore().seq();
        }
        Ok(Box::new(Builder::new(&mut self.value, self.depth)))
    }

    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        if self.depth == 0 {
            self.value = Some(Value::Object(Vec::new()));
            return <dyn Visitor>::ignore().map();
        }
        Ok(Box::new(Builder::new(&mut self.value, self.depth)))
    }
}

/// Collects an object, or a list with empty keys.
struct Builder<'a> {
    out: &'a mut Option<Value>,
    entries: Vec<(String, Value)>,
    key: String,
    reader: Reader,
}

impl Builder<'_> {
    fn new(out: &mut Option<Value>, depth: u8) -> Builder<'_> {
        Builder {
            out,
            entries: Vec::new(),
            key: String::new(),
            reader: Reader::new(depth - 1),
        }
    }

    fn keep(&mut self) {
        if let Some(value) = self.reader.value.take() {
            self.entries.push((mem::take(&mut self.key), value));
        }
    }
}

impl Map for Builder<'_> {
    fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
        self.keep();
        self.key = key.to_owned();
        Ok(&mut self.reader)
    }

    fn finish(&mut self) -> Result<()> {
        self.keep();
        *self.out = Some(Value::Object(mem::take(&mut self.entries)));
        Ok(())
    }
}

impl Seq for Builder<'_> {
    fn element(&mut self) -> Result<&mut dyn Visitor> {
        self.key("")
    }

    fn finish(&mut self) -> Result<()> {
        self.keep();
        let list = self.entries.drain(..).map(|(_, value)| value);
        *self.out = Some(Value::List(list.collect()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_type() {
        let value = Value::parse_object(
            r#"{"a":"x","n":-2,"f":1.9,"b":true,"z":null,"a":"y","l":[1,null,{"k":"9"}],
               "big":18446744073709551615,"id":9223372036854775808,"data":[{"id":"1"}]}"#,
        )
        .unwrap();
        assert_eq!(value.text_of("a").as_deref(), Some("y"));
        assert_eq!(value.number_of("n"), Some(-2));
        assert_eq!(value.number_of("f"), Some(1));
        assert_eq!(value.get("b"), Some(&Value::Flag(true)));
        assert_eq!(value.number_of("big"), Some(i64::MAX));
        assert_eq!(value.text_of("id").as_deref(), Some("9223372036854775808"));
        assert_eq!((value.get("z"), value.get("none")), (None, None));
        let Some(Value::List(list)) = value.get("l") else {
            panic!("{value:?}")
        };
        assert_eq!(list.len(), 2);
        assert_eq!(list[1].number_of("k"), Some(9));
        assert!(matches!(value.get("data"), Some(Value::List(list)) if list.len() == 1));
        for bad in ["", "[]", "1", r#""x""#, r#"{"a":}"#] {
            assert!(Value::parse_object(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn nesting_is_limited() {
        let levels = 200_000;
        let text = format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
        let mut value = Value::parse_object(&text).unwrap().get("a").cloned();
        let mut depth = 0;
        while let Some(Value::List(mut list)) = value {
            value = list.pop();
            depth += 1;
        }
        assert_eq!(depth, usize::from(MAX_DEPTH));
    }
}
