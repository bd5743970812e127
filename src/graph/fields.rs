//! The list of fields that a call requests, with nested ones (`children{…}`).

use crate::error::{Error, Result};
use crate::http::url::MAX_URL_BYTES;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Lists nested deeper are refused.
const MAX_DEPTH: u32 = 16;

/// The fields that a call requests, in order.
///
/// A field may have fields of its own, in braces, and modifiers, in parentheses:
/// `id,children{id,media_url}`, `media.limit(3){id}`. Which modifiers this host supports is not
/// known.
///
/// Calls take anything that converts to `Fields`: a text, one of [`UserField`],
/// [`MediaField`] and [`CommentField`], and slices, arrays and `Vec`s of either. Requesting a
/// field that a node does not have fails the entire call; see
/// [`Error::refused_field`](crate::Error::refused_field).
///
/// White space around fields is dropped. A field that occurs twice is sent once, with the
/// nested fields of both. A list has at most 32 KiB and 16 levels of nesting.
///
/// Conversions accept any text. If it is not a list, calls fail with
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) and send nothing, whatever is added to it;
/// `text.parse::<Fields>()` reports it immediately.
///
/// ```
/// use mingram::{Fields, MediaField as F};
///
/// let fields = Fields::from(F::PROFESSIONAL)
///     .and("alt_text")
///     .with(F::Children, [F::Id, F::MediaUrl, F::AltText]);
/// let fields = fields.without("alt_text"); // for example Error::refused_field()
/// assert!(fields.to_string().ends_with(",shortcode,children{id,media_url}"));
/// ```
///
/// [`UserField`]: crate::UserField
/// [`MediaField`]: crate::MediaField
/// [`CommentField`]: crate::comments::CommentField
#[doc(alias = "expansion")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fields(Parsed<Cow<'static, str>>);

type Parsed<T> = std::result::Result<T, Fault>;

/// Why a text is not a list, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Fault {
    /// In bytes from the start of the text.
    offset: usize,
    expected: &'static str,
}

impl Fields {
    /// A list as it is sent.
    pub(crate) const fn known(list: &'static str) -> Fields {
        Fields(Ok(Cow::Borrowed(list)))
    }

    /// Adds the fields of another list.
    #[must_use]
    pub fn and(&self, more: impl Into<Fields>) -> Fields {
        Fields::of(self.joined(&more.into()))
    }

    /// Adds a field with these nested ones, or without any if they are empty. It replaces
    /// all fields of that name on the first level. The name may have modifiers.
    #[must_use]
    pub fn with(&self, name: impl AsRef<str>, nested: impl Into<Fields>) -> Fields {
        Fields::of(self.replaced(name.as_ref(), &nested.into()))
    }

    /// Removes the fields of this name at every level, such as what
    /// [`Error::refused_field`](crate::Error::refused_field) returns. A field that loses all
    /// of its nested ones stays: the service then chooses them.
    #[must_use]
    pub fn without(&self, name: impl AsRef<str>) -> Fields {
        Fields::of(self.list().map(|mut list| {
            list.remove(name.as_ref());
            list.text()
        }))
    }

    /// Whether there is a field of this name at any level.
    pub fn contains(&self, name: impl AsRef<str>) -> bool {
        self.list().is_ok_and(|list| list.contains(name.as_ref()))
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Ok(list) if list.is_empty())
    }

    fn joined(&self, more: &Fields) -> Parsed<String> {
        let mut list = self.list()?;
        list.merge(more.list()?);
        Ok(list.text())
    }

    fn replaced(&self, name: &str, nested: &Fields) -> Parsed<String> {
        let (mut list, nested) = (self.list()?, nested.list()?);
        let mut rest = name;
        let head = head(&mut rest).and_then(|head| match rest {
            "" => Ok(head),
            _ => Err("the end of the name"),
        });
        let head = head.map_err(|expected| Fault::new(name, rest, expected))?;
        list.0.retain(|(known, _)| name_of(known) != name_of(head));
        list.0.push((head, nested));
        Ok(list.text())
    }

    /// Checks it once more: what is nested may now be nested too deep.
    fn of(list: Parsed<String>) -> Fields {
        list.map_or_else(|fault| Fields(Err(fault)), Fields::from)
    }

    fn list(&self) -> Parsed<List<'_>> {
        match &self.0 {
            Ok(list) => List::parse(list),
            Err(fault) => Err(*fault),
        }
    }

    /// The list as it is sent.
    pub(crate) fn checked(&self) -> Result<&str> {
        self.0.as_deref().map_err(Fault::error)
    }
}

impl Fault {
    #[cold]
    fn error(&self) -> Error {
        let Fault { offset, expected } = self;
        Error::invalid(format!(
            "invalid list of fields at byte {offset}: expected {expected}: write names with \
             commas between them and nested ones in braces, such as \
             `id,children{{id,media_url}}`"
        ))
    }

    fn new(text: &str, rest: &str, expected: &'static str) -> Fault {
        Fault {
            offset: text.len() - rest.len(),
            expected,
        }
    }
}

/// No fields.
impl Default for Fields {
    fn default() -> Fields {
        Fields::known("")
    }
}

/// Writes the list as it is sent, or `(invalid list of fields)`.
impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(list) => f.pad(list),
            Err(_) => f.pad("(invalid list of fields)"),
        }
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fields").field(&self.to_string()).finish()
    }
}

impl FromStr for Fields {
    type Err = Error;

    fn from_str(text: &str) -> Result<Fields> {
        let fields = Fields::from(text);
        fields.checked()?;
        Ok(fields)
    }
}

impl From<&str> for Fields {
    fn from(text: &str) -> Fields {
        Fields(List::parse(text).map(|list| Cow::Owned(list.text())))
    }
}

impl From<&Fields> for Fields {
    fn from(fields: &Fields) -> Fields {
        fields.clone()
    }
}

impl<F: AsRef<str>> From<&[F]> for Fields {
    fn from(fields: &[F]) -> Fields {
        let fields: Vec<&str> = fields.iter().map(AsRef::as_ref).collect();
        Fields::from(fields.join(","))
    }
}

macro_rules! from_owners {
    ($($owner:ty [$($generics:tt)*],)*) => {$(
        impl<$($generics)*> From<$owner> for Fields {
            fn from(list: $owner) -> Fields {
                Fields::from(&list[..])
            }
        }
    )*};
}

from_owners! {
    String [],
    &String [],
    Vec<F> [F: AsRef<str>],
    &Vec<F> [F: AsRef<str>],
    [F; N] [F: AsRef<str>, const N: usize],
    &[F; N] [F: AsRef<str>, const N: usize],
}

/// A list in its parts: each field, as it is written up to its braces, and its nested ones.
#[derive(Default)]
struct List<'a>(Vec<(&'a str, List<'a>)>);

impl<'a> List<'a> {
    fn parse(text: &'a str) -> Parsed<List<'a>> {
        if text.len() > MAX_URL_BYTES {
            return Err(Fault::new(text, &text[..0], "at most 32 KiB"));
        }
        let mut rest = text;
        let list = List::read(&mut rest, 0).and_then(|list| match rest {
            "" => Ok(list),
            _ => Err("a comma, a brace or the end"),
        });
        list.map_err(|expected| Fault::new(text, rest, expected))
    }

    /// Reads up to the brace that ends the list, or whatever is not of it. Returns what was
    /// expected instead of the rest.
    fn read(rest: &mut &'a str, depth: u32) -> std::result::Result<List<'a>, &'static str> {
        let mut list = List::default();
        *rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with('}') {
            return Ok(list);
        }
        loop {
            let head = head(rest)?;
            let mut nested = List::default();
            if let Some(inner) = rest.strip_prefix('{') {
                if depth == MAX_DEPTH {
                    return Err("at most 16 levels");
                }
                *rest = inner;
                nested = List::read(rest, depth + 1)?;
                let after = rest.strip_prefix('}').ok_or("a comma or a brace")?;
                *rest = after.trim_start();
            }
            list.add(head, nested);
            match rest.strip_prefix(',') {
                Some(after) => *rest = after,
                None => return Ok(list),
            }
        }
    }

    fn add(&mut self, head: &'a str, nested: List<'a>) {
        match self.0.iter_mut().find(|(known, _)| *known == head) {
            Some((_, known)) => known.merge(nested),
            None => self.0.push((head, nested)),
        }
    }

    fn merge(&mut self, more: List<'a>) {
        for (head, nested) in more.0 {
            self.add(head, nested);
        }
    }

    fn remove(&mut self, name: &str) {
        self.0.retain_mut(|(head, nested)| {
            nested.remove(name);
            name_of(head) != name
        });
    }

    fn contains(&self, name: &str) -> bool {
        let mut fields = self.0.iter();
        fields.any(|(head, nested)| name_of(head) == name || nested.contains(name))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) {
        for (i, (head, nested)) in self.0.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            out.push_str(head);
            if !nested.0.is_empty() {
                out.push('{');
                nested.write(out);
                out.push('}');
            }
        }
    }
}

/// Reads a name with its modifiers, and the white space around it.
fn head<'a>(rest: &mut &'a str) -> std::result::Result<&'a str, &'static str> {
    *rest = rest.trim_start();
    let mut open = 0_usize;
    let is_of_head = |byte: u8| {
        match byte {
            b'(' => open += 1,
            b')' if open > 0 => open -= 1,
            _ if open > 0 => return !byte.is_ascii_control(),
            _ => return byte.is_ascii_alphanumeric() || b"_.".contains(&byte),
        }
        true
    };
    let end = rest.bytes().map(is_of_head).position(|is| !is);
    let (head, after) = rest.split_at(end.unwrap_or(rest.len()));
    if head.is_empty() || head.starts_with(['.', '(']) {
        return Err("the name of a field");
    }
    *rest = after;
    if open > 0 {
        return Err("a closing parenthesis");
    }
    *rest = rest.trim_start();
    Ok(head)
}

/// A name without its modifiers.
fn name_of(head: &str) -> &str {
    match head.split_once('(') {
        Some((head, _)) => head.rsplit_once('.').map_or(head, |(name, _)| name),
        None => head,
    }
}

#[cfg(test)]
mod tests {
    use super::Fields;
    use crate::error::ErrorKind;
    use crate::graph::comment::CommentField as C;
    use crate::graph::media::MediaField as M;
    use crate::graph::user::UserField as U;

    fn text(fields: impl Into<Fields>) -> String {
        fields.into().checked().unwrap().to_owned()
    }

    #[test]
    fn whatever_lists_fields_converts() {
        assert_eq!(text(""), "");
        assert_eq!(text(" "), "");
        let (array, vec, string) = (
            ["id".to_owned(), "a{b}".to_owned()],
            Vec::from(["id", "a{b}"]),
            "id, a{b}".to_owned(),
        );
        for text in [
            text(&array),
            text(&vec),
            text(&string),
            text(array),
            text(vec),
            text(string),
        ] {
            assert_eq!(text, "id,a{b}");
        }
        assert_eq!(text([U::Id, U::Username]), "id,username");
        assert_eq!(text([M::Id, M::MediaUrl].as_slice()), "id,media_url");
        assert_eq!(text(C::Text), "text");
        assert_eq!(text(vec![C::Id, C::Text]), "id,text");
        assert_eq!(text(["id".to_owned(), "x.as(y)".to_owned()]), "id,x.as(y)");
        assert_eq!(text(Fields::default()), "");
    }

    #[test]
    fn a_list_is_written_without_spaces_and_repetitions() {
        for (list, sent) in [
            (
                "id, caption ,\n\tchildren { id, media_url } , x",
                "id,caption,children{id,media_url},x",
            ),
            ("id,caption,id", "id,caption"),
            (
                "children,id,children{id},children{media_url,id}",
                "children{id,media_url},id",
            ),
            ("children{}", "children"),
            (
                "media.limit(3).after(a b,{c}){id,children.limit(1){ id }}",
                "media.limit(3).after(a b,{c}){id,children.limit(1){id}}",
            ),
            // Of one name, but not the same.
            (
                "a.metric(x).as(b),a.metric(y).as(c)",
                "a.metric(x).as(b),a.metric(y).as(c)",
            ),
            ("insights.breakdowns((é))", "insights.breakdowns((é))"),
            ("children.media_type", "children.media_type"),
        ] {
            assert_eq!(text(list), sent);
            assert_eq!(text(sent), sent);
            assert_eq!(Fields::from(list), Fields::from(sent));
        }
    }

    #[test]
    fn what_is_not_a_list_is_refused_whatever_is_added() {
        let deep = |levels| "a{".repeat(levels) + "id" + &"}".repeat(levels);
        assert_eq!(text(deep(16).as_str()), deep(16));
        for (list, at) in [
            (",", 0),
            ("id,", 3),
            ("id,,x", 3),
            ("{id}", 0),
            ("a{,}", 2),
            ("a{id", 4),
            ("a{id}}", 5),
            ("a}", 1),
            ("a{b}c", 4),
            ("a b", 2),
            ("a&access_token=b", 1),
            ("a=b", 1),
            ("a#", 1),
            ("a%2C", 1),
            ("a/b", 1),
            ("a\0", 1),
            ("a\u{e9}", 1),
            ("\u{e9}", 0),
            (".limit(1)", 0),
            ("(1)", 0),
            ("a.limit(1", 9),
            ("a.limit(1))", 10),
            ("a.limit(\n)", 8),
            ("a{b}.limit(1)", 4),
            (&deep(17), 33),
            (&deep(10_000), 33),
            (&format!("{}{}", "ab,".repeat(12_000), "x"), 36_001),
        ] {
            let fields = Fields::from(list);
            let error = fields.checked().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let place = format!("invalid list of fields at byte {at}: expected ");
            assert!(error.to_string().starts_with(&place), "{list}: {error}");
            assert_eq!(
                list.parse::<Fields>().unwrap_err().to_string(),
                error.to_string()
            );
            for more in [
                fields.with("x", "y"),
                fields.and("x"),
                fields.without("a"),
                Fields::from("id").and(list),
                Fields::from("id").with("x", list),
            ] {
                assert_eq!(more, fields, "{list}");
            }
            assert!(!fields.is_empty() && !fields.contains("a"));
            assert_eq!(fields.to_string(), "(invalid list of fields)");
        }
        for name in ["", " ", "a,b", "a{b}", "a b", "a}", "a.limit(", "\u{e9}"] {
            let fields = Fields::from("id").with(name, "x");
            assert!(fields.checked().is_err(), "{name}: {fields}");
        }
        assert!(Fields::default().with("a", deep(16)).checked().is_err());
    }

    #[test]
    fn a_field_is_added_or_replaced() {
        let with =
            |list: &str, name: &str, nested: &str| text(Fields::from(list).with(name, nested));
        assert_eq!(with("", "a", ""), "a");
        assert_eq!(with("id", "a", ""), "id,a");
        assert_eq!(with("a{x},id,a.limit(1){y}", "a", "z"), "id,a{z}");
        assert_eq!(with("a{x},b{a}", "a.limit(2)", ""), "b{a},a.limit(2)");
        assert_eq!(with("id", "a.limit(2)", "x, y{z}"), "id,a.limit(2){x,y{z}}");
        assert_eq!(
            text(Fields::from(M::BASIC).with(M::Children, M::CHILD)),
            text(M::WITH_CHILDREN)
        );
        assert_eq!(
            text(Fields::from("id,a{x}").and("a{y},b,id")),
            "id,a{x,y},b"
        );
        assert_eq!(
            text(M::WITH_CHILDREN.and(M::AltText)),
            text(M::WITH_CHILDREN) + ",alt_text"
        );
        assert_eq!(text(Fields::default().and("")), "");
    }

    #[test]
    fn a_name_is_removed_at_every_level() {
        let without = |list: &str, name: &str| text(Fields::from(list).without(name));
        assert_eq!(without("id,a,b{a,c{a,d}}", "a"), "id,b{c{d}}");
        assert_eq!(without("id,b{a}", "a"), "id,b");
        assert_eq!(without("a", "a"), "");
        assert_eq!(without("a.limit(1){id},a.limit(2).as(b),ab", "a"), "ab");
        assert_eq!(
            without("children{x},children.media_type", "children.media_type"),
            "children{x}"
        );
        assert_eq!(without("a.metric(b),A", "b"), "a.metric(b),A");
        let fields = Fields::from("id,b{c{a.limit(1)}}");
        assert!(fields.contains("a") && fields.contains("c") && !fields.contains("limit"));
        assert!(!fields.without("a").contains("a"));
        assert!(M::WITH_CHILDREN.contains(M::MediaUrl) && !M::WITH_CHILDREN.contains(M::AltText));
        assert!(Fields::from("id").without("id").is_empty());
    }

    #[test]
    fn the_predefined_sets() {
        assert_eq!(text(U::BASIC), "id,username,account_type,media_count");
        assert_eq!(
            text(M::BASIC),
            "id,caption,media_type,media_url,permalink,thumbnail_url,timestamp,username"
        );
        assert_eq!(
            text(M::CHILD),
            text(Fields::from(M::BASIC).without(M::Caption))
        );
        assert!(text(M::PROFESSIONAL).contains("media_product_type,media_url"));
        assert!(text(U::PROFESSIONAL).starts_with("id,user_id,username,name"));
        assert_eq!(text(C::BASIC), "id,text,timestamp,hidden,like_count");
    }
}
