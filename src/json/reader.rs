//! Reads JSON text (RFC 8259) into miniserde's visitors, in one pass.
//!
//! It accepts all valid JSON and nothing else. Numbers may have any length, lone
//! surrogates become U+FFFD, and the visitor sees all of several equal keys (for mingram's
//! types and derived ones, the last counts). The reader recurses, so [`MAX_DEPTH`] bounds
//! the stack that it needs, and later the drop of what was read.

use super::float::float;
use miniserde::de::{Deserialize, Visitor};
use miniserde::{Error, Result};
use std::cell::Cell;
use std::mem;

/// How deep arrays and objects may nest, counting ignored ones.
pub(crate) const MAX_DEPTH: u32 = 128;

/// How many arrays and objects a document may have. They bound the memory: `{"id":1}`
/// becomes a `Media` of 424 bytes.
pub(crate) const MAX_CONTAINERS: u32 = 100_000;

/// How many elements of a [`Tolerance`]'s list may be refused. One more fails the document.
pub(crate) const MAX_REFUSED: usize = 100;

/// The longest key that a path shows.
const MAX_KEY: usize = 64;

/// The longest path. The beginning of a longer one is omitted.
const MAX_PATH: usize = 256;

/// Why a document was not read, and where.
#[derive(Debug, PartialEq)]
pub(crate) struct JsonError {
    pub(crate) kind: JsonErrorKind,
    /// In bytes from the start of the document.
    pub(crate) offset: usize,
    /// The keys and indexes down to it: `data[37].timestamp`.
    pub(crate) path: String,
    /// The types that the visitor accepts instead of the refused one, if they are known, or
    /// what [`refuse_because`] said.
    pub(crate) expected: String,
}

thread_local! {
    /// The field that [`refuse_field`] named last: a visitor's error says nothing.
    static FIELD: Cell<&'static str> = const { Cell::new("") };
}

/// The error of an object that lacks this field, or in which it is invalid.
#[cold]
pub(crate) fn refuse_field(name: &'static str) -> Error {
    FIELD.set(name);
    Error
}

#[cfg(feature = "serde")]
thread_local! {
    /// What the visitor of a [`Serde`](super::serde::Serde) said last.
    static MESSAGE: Cell<String> = const { Cell::new(String::new()) };
}

/// The error of a value of which there is something to say.
#[cfg(feature = "serde")]
#[cold]
pub(crate) fn refuse_because(message: String) -> Error {
    MESSAGE.set(message);
    Error
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum JsonErrorKind {
    /// The document ends early.
    Truncated,
    /// It nests deeper than [`MAX_DEPTH`].
    TooDeep,
    /// It has more than [`MAX_CONTAINERS`] arrays and objects.
    TooMany,
    /// It is not JSON: what was expected.
    Syntax(&'static str),
    /// The visitor refused it: what it did not expect. Empty if the error has a message.
    Refused(&'static str),
    /// An object lacks the field that the path ends in, or it is invalid.
    Field,
}

impl JsonError {
    pub(crate) fn new(kind: JsonErrorKind, offset: usize) -> JsonError {
        JsonError {
            kind,
            offset,
            path: String::new(),
            expected: String::new(),
        }
    }
}

impl JsonErrorKind {
    /// It in words, in two halves.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            JsonErrorKind::Truncated => ("it ends early", ""),
            JsonErrorKind::TooDeep => ("nested more than 128 levels deep", ""),
            JsonErrorKind::TooMany => ("more than 100,000 arrays and objects", ""),
            JsonErrorKind::Syntax(expected) => ("expected ", expected),
            JsonErrorKind::Refused("") => ("", ""),
            JsonErrorKind::Refused(unexpected) => ("unexpected ", unexpected),
            JsonErrorKind::Field => ("a required field is missing or invalid", ""),
        }
    }
}

/// Marks the list of which elements may be refused one by one. The list's visitor and the
/// reader share it.
#[derive(Default)]
pub(crate) struct Tolerance {
    /// The number of elements to make room for.
    pub(crate) room: usize,
    /// Set by the visitor: the array that begins is this list.
    pub(crate) begins: Cell<bool>,
    /// Set by the reader: the latest element was refused, so the visitor must drop what it
    /// has of it.
    pub(crate) refused: Cell<bool>,
}

/// What was found in the list of a [`Tolerance`].
#[derive(Debug, Default)]
pub(crate) struct Elements {
    /// The ids of all elements.
    pub(crate) ids: Ids,
    /// The index of each element that was refused, and why. Paths begin at the list.
    pub(crate) refused: Vec<(usize, JsonError)>,
}

/// The `id` of each element of a list. Kept as it is written, with the colon before it: few
/// are ever needed.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    json: Vec<u8>,
    ends: Vec<usize>,
}

impl Ids {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// An id; empty if it is neither a text nor a number.
    pub(crate) fn get(&self, index: usize) -> String {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let json = &self.json[start..self.ends[index]];
        let json = std::str::from_utf8(json).unwrap_or_default();
        let json = json.trim_start_matches(|c: char| c == ':' || c.is_ascii_whitespace());
        match json.bytes().next() {
            Some(b'"') => read(json).unwrap_or_default(),
            Some(b'0'..=b'9') => json.to_owned(),
            _ => String::new(),
        }
    }

    fn push(&mut self, json: &str) {
        self.json.extend_from_slice(json.as_bytes());
        self.ends.push(self.json.len());
    }
}

/// Reads a document into a value.
pub(crate) fn read<T: Deserialize>(text: &str) -> std::result::Result<T, JsonError> {
    let mut out = None;
    read_into(text, T::begin(&mut out), None)?;
    out.ok_or_else(|| JsonError::new(JsonErrorKind::Refused("value"), 0))
}

/// Reads a document into what the visitor fills. Elements of the list of the tolerance may
/// be refused.
pub(crate) fn read_into(
    text: &str,
    visitor: &mut dyn Visitor,
    tolerance: Option<&Tolerance>,
) -> std::result::Result<Elements, JsonError> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
        containers: 0,
        unescaped: String::new(),
        kind: None,
        offset: 0,
        path: String::new(),
        tolerance,
        elements: Elements::default(),
        element_depth: 0,
        id: (0, 0),
        expected: String::new(),
    };
    FIELD.set("");
    #[cfg(feature = "serde")]
    MESSAGE.take();
    match reader.document(visitor) {
        Ok(()) => Ok(reader.elements),
        Err(Error) => Err(reader.take_error()),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
    containers: u32,
    /// The last string that had escapes in it.
    unescaped: String,
    /// Set by every failure but one: a value that a visitor refused starts at `offset`.
    kind: Option<JsonErrorKind>,
    /// The start of the latest value; after a failure, its offset.
    offset: usize,
    path: String,
    tolerance: Option<&'a Tolerance>,
    elements: Elements,
    /// The depth of the list's elements; 0 outside of the list.
    element_depth: u32,
    /// From where to where the value of the current element's `id` is, with the colon.
    id: (usize, usize),
    expected: String,
}

impl<'a> Reader<'a> {
    fn document(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        if self.value(visitor).is_err() {
            return self.expect(visitor);
        }
        self.space();
        if self.at < self.text.len() {
            return self.fail("the end of the document");
        }
        Ok(())
    }

    fn value(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        let first = self.space();
        self.offset = self.at;
        match first {
            b'"' => visitor.string(self.string()?),
            b'{' => self.object(visitor),
            b'[' => self.array(visitor),
            b'-' | b'0'..=b'9' => self.number(visitor),
            b't' => self.word("true").and_then(|()| visitor.boolean(true)),
            b'f' => self.word("false").and_then(|()| visitor.boolean(false)),
            b'n' => self.word("null").and_then(|()| visitor.null()),
            _ => self.fail("a value"),
        }
    }

    #[inline(never)]
    fn object(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        let start = self.at;
        self.enter()?;
        let mut map = visitor.map()?;
        let is_element = self.depth == self.element_depth;
        if self.space() == b'}' {
            self.at += 1;
        } else {
            loop {
                if self.space() != b'"' {
                    return self.fail("a key");
                }
                let key = self.at;
                let Ok(slot) = map.key(self.string()?) else {
                    return self.refuse(key, "key");
                };
                if self.space() != b':' {
                    return self.fail("`:`");
                }
                self.at += 1;
                if self.value(slot).is_err() {
                    self.expect(slot).or_else(|Error| self.under_key(key))?;
                }
                if is_element && self.is_id(key) {
                    self.id = (key + 4, self.at);
                }
                if self.ends(b'}', "`,` or `}`")? {
                    break;
                }
            }
        }
        self.depth -= 1;
        map.finish().or_else(|Error| self.incomplete(start))
    }

    #[inline(never)]
    fn array(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        let start = self.at;
        self.enter()?;
        let mut seq = visitor.seq()?;
        let is_list = self.tolerance.is_some_and(|list| list.begins.take());
        if is_list {
            // Of duplicate keys the last counts.
            self.elements = Elements::default();
            self.element_depth = self.depth + 1;
        }
        if self.space() == b']' {
            self.at += 1;
        } else {
            let mut index = 0;
            loop {
                let Ok(slot) = seq.element() else {
                    self.space();
                    return self.refuse(self.at, "element");
                };
                if is_list {
                    self.element(slot)?;
                } else if self.value(slot).is_err() {
                    let step = format!("[{index}]");
                    self.expect(slot).or_else(|Error| self.under(&step))?;
                }
                index += 1;
                if self.ends(b']', "`,` or `]`")? {
                    break;
                }
            }
        }
        if is_list {
            self.element_depth = 0;
        }
        self.depth -= 1;
        let missing = "array, it has too few elements";
        seq.finish().or_else(|Error| self.refuse(start, missing))
    }

    /// Whether the key at `at` is `id`.
    #[inline(always)]
    fn is_id(&self, at: usize) -> bool {
        let key = self.text.as_bytes().get(at..at + 4);
        matches!(key, Some([b'"', b'i', b'd', b'"']))
    }

    /// Reads an element of the [`Tolerance`]'s list, and ignores one that the visitor refuses.
    fn element(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        let (at, depth, containers) = (self.at, self.depth, self.containers);
        self.id = (0, 0);
        if self.value(visitor).is_err() {
            let index = self.elements.ids.len();
            let step = format!("[{index}]");
            use JsonErrorKind::{Field, Refused};
            let is_refused = matches!(self.kind, None | Some(Field | Refused(_)));
            let _ = self.expect(visitor);
            let _ = self.under(&step);
            if !is_refused || self.elements.refused.len() == MAX_REFUSED {
                return Err(Error);
            }
            let error = self.take_error();
            self.elements.refused.push((index, error));
            self.tolerance.inspect(|list| list.refused.set(true));
            (self.at, self.depth, self.containers) = (at, depth, containers);
            self.id = (0, 0);
            if self.value(<dyn Visitor>::ignore()).is_err() {
                return self.under(&step);
            }
        }
        let (start, end) = self.id;
        self.elements.ids.push(&self.text[start..end]);
        Ok(())
    }

    /// Enters an array or object.
    fn enter(&mut self) -> Result<()> {
        self.at += 1;
        self.depth += 1;
        self.containers += 1;
        if self.depth > MAX_DEPTH {
            return self.fault(JsonErrorKind::TooDeep, self.offset);
        }
        if self.containers > MAX_CONTAINERS {
            return self.fault(JsonErrorKind::TooMany, self.offset);
        }
        Ok(())
    }

    /// Reads what follows an entry, and returns whether it was the last one.
    fn ends(&mut self, close: u8, expected: &'static str) -> Result<bool> {
        let byte = self.space();
        if byte != b',' && byte != close {
            return self.fail(expected);
        }
        self.at += 1;
        Ok(byte == close)
    }

    /// The string whose opening quote is here.
    fn string(&mut self) -> Result<&str> {
        self.at += 1;
        let mut start = self.at;
        let mut has_escapes = false;
        loop {
            let byte = self.plain();
            let text = &self.text[start..self.at];
            if byte == b'"' && !has_escapes {
                self.at += 1;
                return Ok(text);
            }
            if !has_escapes {
                self.unescaped.clear();
                has_escapes = true;
            }
            self.unescaped.push_str(text);
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(&self.unescaped);
                }
                b'\\' => start = self.escape()?,
                _ => return self.fail("no raw control character"),
            }
        }
    }

    /// Reads an escape. Returns where the text to copy continues.
    fn escape(&mut self) -> Result<usize> {
        let start = self.at + 1;
        self.at = start;
        let byte = self.peek();
        self.at += 1;
        let c = match byte {
            // Copied with what follows.
            b'"' | b'\\' | b'/' => return Ok(start),
            b'n' => '\n',
            b'u' => self.unicode()?,
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            _ => {
                self.at = start;
                return self.fail("an escape");
            }
        };
        self.unescaped.push(c);
        Ok(self.at)
    }

    /// Skips to the next quote, backslash or control character, and returns it.
    #[inline(always)]
    fn plain(&mut self) -> u8 {
        const WORD: usize = size_of::<usize>();
        const ONES: usize = usize::MAX / 255;
        let mut rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        while let Some((word, after)) = rest.split_first_chunk::<WORD>() {
            let word = usize::from_le_bytes(*word);
            // With this bit flipped, a quote is the only other byte below 0x21 than the
            // control characters.
            let low = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
            let backslash = (word ^ (ONES * 0x5C)).wrapping_sub(ONES);
            let found = (low | backslash) & (ONES * 0x80);
            // Bytes beyond ASCII may be found as well.
            if found != 0 && found & !word != 0 {
                let found = found & !word;
                let bit = found.trailing_zeros();
                self.at = self.text.len() - rest.len() + bit as usize / 8;
                return (word >> (bit - 7)) as u8;
            }
            rest = after;
        }
        self.at = self.text.len() - rest.len();
        loop {
            match self.peek() {
                0x20 | 0x21 | 0x23..=0x5B | 0x5D.. => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Reads the digits of a `\u`, and the low surrogate after a high one.
    fn unicode(&mut self) -> Result<char> {
        let unit = self.hex()?;
        if unit & 0xFC00 == 0xD800 && self.text.as_bytes()[self.at..].starts_with(b"\\u") {
            let alone = self.at;
            self.at += 2;
            let low = self.hex()?;
            if low & 0xFC00 == 0xDC00 {
                let pair = 0x1_0000 + ((unit & 0x3FF) << 10) + (low & 0x3FF);
                return Ok(char::from_u32(pair).unwrap_or_default());
            }
            self.at = alone;
        }
        Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = (self.peek() as char).to_digit(16) else {
                return self.fail("four hexadecimal digits");
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    #[inline(never)]
    fn number(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        let start = self.at;
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let mut integer = Some(0u64);
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            integer = self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
            integer = None;
        }
        if self.peek() | 0x20 == b'e' {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
            integer = None;
        }
        match integer {
            Some(n) if !negative => visitor.nonnegative(n),
            Some(n) if n <= i64::MIN.unsigned_abs() => visitor.negative((n as i64).wrapping_neg()),
            // A long number is expensive.
            _ if is_ignored(visitor) => Ok(()),
            _ => visitor.float(float(&self.text[start..self.at])),
        }
    }

    /// Reads at least one digit. Returns the number, if it fits.
    fn digits(&mut self) -> Result<Option<u64>> {
        let start = self.at;
        let mut number = Some(0u64);
        loop {
            let digit = self.peek().wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            self.at += 1;
            number = number.and_then(|n| n.checked_mul(10)?.checked_add(u64::from(digit)));
        }
        if self.at == start {
            return self.fail("a digit");
        }
        Ok(number)
    }

    fn word(&mut self, word: &'static str) -> Result<()> {
        for &byte in word.as_bytes() {
            if self.peek() != byte {
                return self.fail(word);
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Skips white space and returns the byte after it.
    fn space(&mut self) -> u8 {
        loop {
            match self.peek() {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// The current byte. At the end it is NUL, which no document may contain.
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// The type of the value that a visitor refused.
    fn offered(&self) -> &'static str {
        match self.text.as_bytes().get(self.offset) {
            Some(b'"') => "string",
            Some(b'{') => "object",
            Some(b'[') => "array",
            Some(b't' | b'f') => "boolean",
            Some(b'n') => "null",
            _ => "number",
        }
    }

    /// The error of the latest failure.
    #[cold]
    fn take_error(&mut self) -> JsonError {
        let refused = JsonErrorKind::Refused(self.offered());
        JsonError {
            kind: self.kind.take().unwrap_or(refused),
            offset: self.offset,
            path: mem::take(&mut self.path),
            expected: mem::take(&mut self.expected),
        }
    }

    #[cold]
    fn fail<T>(&mut self, expected: &'static str) -> Result<T> {
        let kind = match self.at < self.text.len() {
            true => JsonErrorKind::Syntax(expected),
            false => JsonErrorKind::Truncated,
        };
        self.fault(kind, self.at)
    }

    #[cold]
    fn refuse(&mut self, offset: usize, unexpected: &'static str) -> Result<()> {
        let unexpected = if self.has_message() { "" } else { unexpected };
        self.fault(JsonErrorKind::Refused(unexpected), offset)
    }

    /// Whether the visitor said why it refused a value.
    #[cfg(feature = "serde")]
    fn has_message(&mut self) -> bool {
        self.expected.push_str(&MESSAGE.take());
        !self.expected.is_empty()
    }

    #[cfg(not(feature = "serde"))]
    fn has_message(&self) -> bool {
        false
    }

    /// An object without a required field, which derived readers do not name.
    #[cold]
    fn incomplete(&mut self, offset: usize) -> Result<()> {
        self.path = FIELD.take().to_owned();
        match self.path.is_empty() {
            true => self.refuse(offset, "object, a required field is missing or invalid"),
            false => self.fault(JsonErrorKind::Field, offset),
        }
    }

    /// Finds out what a visitor would have accepted, if it refused a value.
    #[cold]
    fn expect(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        if self.kind.is_none() && self.path.is_empty() {
            if self.has_message() {
                return self.fault(JsonErrorKind::Refused(""), self.offset);
            }
            let is_array = visitor.seq().is_ok();
            let is_object = visitor.map().is_ok();
            let number = match () {
                () if visitor.float(0.5).is_ok() => "number",
                () if visitor.negative(-1).is_ok() => "integer",
                () => "nonnegative integer",
            };
            for (name, is_accepted) in [
                ("string", visitor.string("").is_ok()),
                (number, visitor.nonnegative(0).is_ok()),
                ("boolean", visitor.boolean(false).is_ok()),
                ("array", is_array),
                ("object", is_object),
            ] {
                if is_accepted && name != self.offered() {
                    self.expected += if self.expected.is_empty() {
                        "expected "
                    } else {
                        " or "
                    };
                    self.expected += name;
                }
            }
        }
        Err(Error)
    }

    #[cold]
    fn fault<T>(&mut self, kind: JsonErrorKind, offset: usize) -> Result<T> {
        self.kind = Some(kind);
        self.offset = offset;
        Err(Error)
    }

    /// Prepends the key at `at` to the path of a failure, or `?` if the key is long or
    /// unusual.
    #[cold]
    fn under_key(&mut self, at: usize) -> Result<()> {
        let key = self.text[at + 1..].split('"').next().unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let shown = !key.is_empty() && key.len() <= MAX_KEY && key.bytes().all(plain);
        self.under(if shown { key } else { "?" })
    }

    #[cold]
    fn under(&mut self, step: &str) -> Result<()> {
        if self.path.starts_with('…') {
            return Err(Error);
        }
        let step = match self.path.len() + step.len() > MAX_PATH {
            true => "…",
            false => step,
        };
        let dot = match self.path.bytes().next() {
            None | Some(b'[') => "",
            _ => ".",
        };
        self.path = format!("{step}{dot}{}", self.path);
        Err(Error)
    }
}

/// Whether this is the visitor that ignores everything.
fn is_ignored(visitor: &mut dyn Visitor) -> bool {
    size_of_val(visitor) == 0 && std::ptr::addr_eq(visitor, <dyn Visitor>::ignore())
}

#[cfg(test)]
mod tests;
