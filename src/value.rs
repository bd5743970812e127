//! A small JSON value, for what is small and comes in many shapes: an error, a
//! rate-limit header, the paging of a page. One reader for all of them; a type
//! and a reader for each would be a kilobyte of program every time.

use crate::slot::Slot;
use miniserde::de::{Deserialize, Map, Seq, Visitor};
use miniserde::{Result, make_place};
use std::mem;

/// Objects and lists nest so deep and no deeper; what lies below is passed
/// over. So nobody can send a value that overflows the stack when it is dropped.
const DEPTH: u8 = 3;

/// What JSON holds. `null` is absent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    /// The names are empty.
    List(Entries),
    Object(Entries),
}

pub(crate) type Entries = Vec<(String, Value)>;

impl Value {
    /// The value under a key of an object; of one that comes twice, the last.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        let Value::Object(entries) = self else {
            return None;
        };
        let mut entries = entries.iter().rev();
        entries.find(|(name, _)| name == key).map(|(_, v)| v)
    }

    /// The text, or a number written as text.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Value::Text(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The number, or digits in a string.
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Value::Text(text) => text.trim().parse().ok(),
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }
}

make_place!(Place);

/// A document: an object, because no other comes.
impl Deserialize for Value {
    fn begin(out: &mut Option<Value>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Slot for Value {
    fn slot(out: &mut Option<Value>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<Value> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        Ok(Box::new(Builder::new(&mut self.out, DEPTH)))
    }
}

/// Reads one value inside an object or a list.
struct Reader {
    value: Option<Value>,
    depth: u8,
}

impl Reader {
    fn put(&mut self, value: Value) -> Result<()> {
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
        self.put(Value::Flag(b))
    }

    fn string(&mut self, s: &str) -> Result<()> {
        self.put(Value::Text(s.to_owned()))
    }

    fn negative(&mut self, n: i64) -> Result<()> {
        self.put(Value::Number(n))
    }

    fn nonnegative(&mut self, n: u64) -> Result<()> {
        self.put(Value::Number(i64::try_from(n).unwrap_or(i64::MAX)))
    }

    fn float(&mut self, n: f64) -> Result<()> {
        // A fraction is dropped, and the cast saturates.
        self.put(Value::Number(n as i64))
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

/// An object or a list as it comes.
struct Builder<'a> {
    out: &'a mut Option<Value>,
    entries: Entries,
    name: String,
    reader: Reader,
}

impl Builder<'_> {
    fn new(out: &mut Option<Value>, depth: u8) -> Builder<'_> {
        Builder {
            out,
            entries: Vec::new(),
            name: String::new(),
            reader: Reader {
                value: None,
                depth: depth - 1,
            },
        }
    }

    fn keep(&mut self) {
        if let Some(value) = self.reader.value.take() {
            self.entries.push((mem::take(&mut self.name), value));
        }
    }
}

impl Map for Builder<'_> {
    fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
        self.keep();
        if key == "data" {
            // The items of a page, where one is looked at for an error.
            return Ok(<dyn Visitor>::ignore());
        }
        self.name = key.to_owned();
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
        self.keep();
        Ok(&mut self.reader)
    }

    fn finish(&mut self) -> Result<()> {
        self.keep();
        *self.out = Some(Value::List(mem::take(&mut self.entries)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniserde::json;

    #[test]
    fn reads_what_it_needs_and_passes_over_the_rest() {
        let read = |text| json::from_str::<Value>(text).unwrap();
        let value = read(
            r#"{"a":"x","n":-2,"f":1.9,"b":true,"z":null,"a":"y","data":[{"error":1}],"l":[1,null,{"k":"9"}],
               "big":18446744073709551615}"#,
        );
        assert_eq!(value.get("a").unwrap().text().as_deref(), Some("y"));
        assert_eq!(value.get("n").unwrap().number(), Some(-2));
        assert_eq!(value.get("f").unwrap().number(), Some(1));
        assert_eq!(value.get("b"), Some(&Value::Flag(true)));
        assert_eq!(value.get("big").unwrap().number(), Some(i64::MAX));
        assert_eq!((value.get("z"), value.get("data")), (None, None));
        let Some(Value::List(list)) = value.get("l") else {
            panic!("{value:?}")
        };
        assert_eq!(list.len(), 2);
        assert_eq!(list[1].1.get("k").unwrap().number(), Some(9));
        for bad in ["", "[]", "1", r#""x""#, r#"{"a":}"#] {
            assert!(json::from_str::<Value>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn does_not_nest_without_end() {
        let levels = 200_000;
        let text = format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
        let value: Value = json::from_str(&text).unwrap();
        let Some(Value::List(first)) = value.get("a") else {
            panic!("{value:?}")
        };
        let Value::List(second) = &first[0].1 else {
            panic!("{first:?}")
        };
        assert_eq!(second, &[(String::new(), Value::List(Vec::new()))]);
    }
}
