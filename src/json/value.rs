//! A small JSON value, for replies that come in several shapes: errors, token
//! replies, rate-limit headers and the paging of a page. One type instead of a
//! struct and a reader for each, which would cost a kilobyte of program every time.

use super::lenient::List;
use super::reader;
use miniserde::de::{Deserialize, Map, Seq, Visitor};
use miniserde::{Error, Result, make_place};

/// A JSON value; `null` reads as absent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<Json>),
    Object(Object),
}

/// The entries of an object, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object(pub(crate) Vec<(String, Option<Json>)>);

impl Object {
    /// The value of a key; `null` counts as absent. The last of duplicate keys counts.
    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        let mut entries = self.0.iter().rev();
        entries.find(|(name, _)| name == key)?.1.as_ref()
    }

    /// Where the value of another key is read to.
    pub(crate) fn place(&mut self, key: &str) -> &mut dyn Visitor {
        self.0.push((key.to_owned(), None));
        let last = self.0.len() - 1;
        Place::new(&mut self.0[last].1)
    }
}

impl Json {
    /// Parses a document that must be an object.
    pub(crate) fn parse_object(text: &str) -> Option<Json> {
        let value = reader::read(text).ok()?;
        matches!(value, Json::Object(_)).then_some(value)
    }

    /// The value of a key, if this is an object: see [`Object::get`].
    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(object) => object.get(key),
            _ => None,
        }
    }

    /// A string, or a number converted to a string.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Json::Text(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A number, or a string of digits. Numbers beyond `i64` saturate.
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Json::Text(text) => match text.trim().parse::<u64>() {
                Ok(number) => Some(i64::try_from(number).unwrap_or(i64::MAX)),
                Err(_) => text.trim().parse().ok(),
            },
            Json::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text of a key: see [`Json::text`].
    pub(crate) fn text_of(&self, key: &str) -> Option<String> {
        self.get(key)?.text()
    }

    /// The number of a key: see [`Json::number`].
    pub(crate) fn number_of(&self, key: &str) -> Option<i64> {
        self.get(key)?.number()
    }
}

make_place!(Place);

impl Deserialize for Json {
    fn begin(out: &mut Option<Json>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Place<Json> {
    fn set(&mut self, value: Json) -> Result<()> {
        self.out = Some(value);
        Ok(())
    }
}

impl Visitor for Place<Json> {
    fn null(&mut self) -> Result<()> {
        self.out = None;
        Ok(())
    }

    fn boolean(&mut self, b: bool) -> Result<()> {
        self.set(Json::Flag(b))
    }

    fn string(&mut self, s: &str) -> Result<()> {
        self.set(Json::Text(s.to_owned()))
    }

    fn negative(&mut self, n: i64) -> Result<()> {
        self.set(Json::Number(n))
    }

    fn nonnegative(&mut self, n: u64) -> Result<()> {
        self.set(match i64::try_from(n) {
            Ok(number) => Json::Number(number),
            // It may be an id, which must not change.
            Err(_) => Json::Text(n.to_string()),
        })
    }

    fn float(&mut self, n: f64) -> Result<()> {
        // Drops the fraction and saturates.
        self.set(Json::Number(n as i64))
    }

    fn seq(&mut self) -> Result<Box<dyn Seq + '_>> {
        match self.out.insert(Json::List(Vec::new())) {
            Json::List(list) => Ok(Box::new(List::new(list, None))),
            _ => Err(Error),
        }
    }

    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        match self.out.insert(Json::Object(Object::default())) {
            Json::Object(object) => Ok(Box::new(object)),
            _ => Err(Error),
        }
    }
}

impl Map for &mut Object {
    fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
        Ok(self.place(key))
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_type() {
        let value = Json::parse_object(
            r#"{"a":"x","n":-2,"f":1.9,"b":true,"z":null,"a":"y","l":[1,null,{"k":"9"}],
               "big":18446744073709551615,"id":9223372036854775808,"data":[{"id":"1"}]}"#,
        )
        .unwrap();
        assert_eq!(value.text_of("a").as_deref(), Some("y"));
        assert_eq!(value.number_of("n"), Some(-2));
        assert_eq!(value.number_of("f"), Some(1));
        assert_eq!(value.get("b"), Some(&Json::Flag(true)));
        assert_eq!(value.number_of("big"), Some(i64::MAX));
        assert_eq!(value.text_of("id").as_deref(), Some("9223372036854775808"));
        assert_eq!((value.get("z"), value.get("none")), (None, None));
        let Some(Json::List(list)) = value.get("l") else {
            panic!("{value:?}")
        };
        assert_eq!(list.len(), 2);
        assert_eq!(list[1].number_of("k"), Some(9));
        assert!(matches!(value.get("data"), Some(Json::List(list)) if list.len() == 1));
        for bad in ["", "[]", "1", r#""x""#, r#"{"a":}"#] {
            assert!(Json::parse_object(bad).is_none(), "{bad}");
        }
    }
}
