//! A page of an edge, and the way to its neighbours.

use super::position::{At, LINK_PARAMS};
use crate::client::usage::Usage;
use crate::http::query::{decode, pairs, push_param};
use crate::json::lenient::{
    Entries, Entry, Lenient, List, nullable, object, required, serde_impls,
};
use crate::json::reader::{Tolerance, refuse_field};
use crate::json::value::Json;
use miniserde::de::{Deserialize, Map, Seq, Visitor};
use miniserde::ser::Fragment;
use miniserde::{Result, Serialize, make_place};

/// One page of an edge: items, and the cursors to the pages before and after it.
///
/// The service sends complete links to those pages, and the links contain the access
/// token. mingram keeps only the cursor of a link, or its times and offset, and writes
/// only those: what is written reads back as the same page.
///
/// Two pages are equal if their items, cursors and links are. [`usage`](Page::usage)
/// belongs to the reply; it is neither compared nor written.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, in the service's order (media: newest first). There may be fewer
    /// than the page size, or none, even if more pages follow.
    pub data: Vec<T>,
    /// The cursors at both ends of this page.
    pub cursors: Cursors,
    /// The rate-limit headers of this reply. Empty for a page nested in a node.
    pub usage: Usage,
    next: Option<Link>,
    previous: Option<Link>,
}

/// The cursors at both ends of a page, to resume from with
/// [`after`](crate::Edge::after) or [`before`](crate::Edge::before).
///
/// The last page has cursors too. A cursor becomes invalid when the item it points to
/// is deleted, so do not store cursors for long (Meta's *Paginated Results* page).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cursors {
    /// The start of this page; newer items are before it.
    pub before: Option<String>,
    /// The end of this page; older items are after it.
    pub after: Option<String>,
}

/// What a `next` or `previous` link says of the page it leads to: the cursor of its
/// direction, and [`LINK_PARAMS`]. Empty if it says nothing of these.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link(Vec<(&'static str, String)>);

impl Link {
    /// Reads a link, of which only the query counts. `cursor` is the parameter of its
    /// direction. Of duplicate parameters the first counts.
    fn read(link: &str, cursor: &'static str) -> Link {
        let (_, query) = link.split_once('?').unwrap_or_default();
        let query = query.split('#').next().unwrap_or_default();
        let mut params: Vec<(&str, String)> = Vec::new();
        for (key, value) in pairs(query) {
            let key = decode(key);
            let mut names = [cursor].into_iter().chain(LINK_PARAMS);
            let Some(name) = names.find(|name| *name == key) else {
                continue;
            };
            if !value.is_empty() && params.iter().all(|(known, _)| *known != name) {
                params.push((name, decode(value)));
            }
        }
        Link(params)
    }

    /// The cursor in it.
    fn cursor(&self) -> Option<&str> {
        let cursor = self.0.iter().find(|(name, _)| !LINK_PARAMS.contains(name));
        cursor.map(|(_, cursor)| cursor.as_str())
    }

    /// A relative link with the same parameters.
    fn text(&self) -> String {
        let mut text = "?".to_owned();
        for (name, value) in &self.0 {
            push_param(&mut text, name, value);
        }
        text
    }
}

/// What follows a page.
pub(super) enum Follows {
    Page(At),
    /// A page that the link does not lead to in a way that is known.
    Unknown,
    Nothing,
}

impl<T> Page<T> {
    /// Whether another page follows. The `next` link decides, not the cursor (Meta's
    /// *Paginated Results* page).
    pub fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// Whether there is a page before this one.
    pub fn has_previous(&self) -> bool {
        self.previous.is_some()
    }

    /// The cursor that continues after this page, for [`after`](crate::Edge::after);
    /// `None` at the end, and if the link leads on without a cursor, by time or offset.
    pub fn next_cursor(&self) -> Option<&str> {
        cursor(&self.next, &self.cursors.after)
    }

    /// The cursor that continues before this page, for
    /// [`before`](crate::Edge::before); `None` at the start, and if the link leads on
    /// without a cursor, by time or offset.
    pub fn previous_cursor(&self) -> Option<&str> {
        cursor(&self.previous, &self.cursors.before)
    }

    /// What follows the page in this direction.
    pub(super) fn follows(&self, backwards: bool) -> Follows {
        let (link, cursor) = match backwards {
            true => (&self.previous, self.previous_cursor()),
            false => (&self.next, self.next_cursor()),
        };
        match (link, cursor) {
            (None, _) => Follows::Nothing,
            (_, Some(cursor)) => Follows::Page(At::Cursor(cursor.to_owned())),
            (Some(Link(params)), None) if params.is_empty() => Follows::Unknown,
            (Some(Link(params)), None) => Follows::Page(At::Link(params.clone())),
        }
    }
}

impl<T: PartialEq> PartialEq for Page<T> {
    fn eq(&self, other: &Page<T>) -> bool {
        self.data == other.data
            && self.cursors == other.cursors
            && self.next == other.next
            && self.previous == other.previous
    }
}

impl<T: Eq> Eq for Page<T> {}

/// The cursor of this end of the page, or else the one in the link.
fn cursor<'a>(link: &'a Option<Link>, cursor: &'a Option<String>) -> Option<&'a str> {
    let link = link.as_ref()?;
    not_empty(cursor).or(link.cursor())
}

pub(super) fn not_empty(cursor: &Option<String>) -> Option<&str> {
    cursor.as_deref().filter(|cursor| !cursor.is_empty())
}

make_place!(Place);

impl<T: Deserialize> Deserialize for Page<T> {
    fn begin(out: &mut Option<Self>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl<T: Deserialize> Visitor for Place<Page<T>> {
    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        Ok(PageReader::begin(&mut self.out, None))
    }
}

/// Reads a page without the items that cannot be read.
pub(super) struct TolerantPage<'a, T> {
    pub(super) out: &'a mut Option<Page<T>>,
    pub(super) tolerance: &'a Tolerance,
}

impl<T: Deserialize> Visitor for TolerantPage<'_, T> {
    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        Ok(PageReader::begin(self.out, Some(self.tolerance)))
    }
}

impl<T: Deserialize> Lenient for Page<T> {
    fn place(out: &mut Option<Self>) -> &mut dyn Visitor {
        nullable(out)
    }

    /// The items of a nested page, without the page around them.
    fn list(out: &mut Option<Self>) -> Result<Box<dyn Seq + '_>> {
        let page = out.insert(Page::new(Vec::new()));
        Ok(Box::new(List::new(&mut page.data, None)))
    }
}

struct PageReader<'a, T> {
    out: &'a mut Option<Page<T>>,
    data: Data<'a, T>,
    paging: Option<Json>,
    is_empty: bool,
}

impl<'a, T: Deserialize> PageReader<'a, T> {
    fn begin(out: &'a mut Option<Page<T>>, tolerance: Option<&'a Tolerance>) -> Box<dyn Map + 'a> {
        Box::new(PageReader {
            out,
            data: Data {
                list: None,
                tolerance,
            },
            paging: None,
            is_empty: true,
        })
    }
}

/// The items.
struct Data<'a, T> {
    list: Option<Vec<T>>,
    tolerance: Option<&'a Tolerance>,
}

impl<T: Deserialize> Visitor for Data<'_, T> {
    fn null(&mut self) -> Result<()> {
        self.list = None;
        Ok(())
    }

    fn seq(&mut self) -> Result<Box<dyn Seq + '_>> {
        let list = self.list.insert(Vec::new());
        Ok(Box::new(List::new(list, self.tolerance)))
    }
}

impl<T: Deserialize> Map for PageReader<'_, T> {
    fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
        self.is_empty = false;
        Ok(match key {
            "data" => &mut self.data,
            "paging" => Deserialize::begin(&mut self.paging),
            _ => <dyn Visitor>::ignore(),
        })
    }

    fn finish(&mut self) -> Result<()> {
        if self.is_empty && self.data.tolerance.is_none() {
            // Absent from a node; on its own it is no page.
            *self.out = None;
            return Ok(());
        }
        let mut page = Page::new(required(self.data.list.take(), "data")?);
        match self.paging.take() {
            Some(paging) if !is_empty_list(&paging) => page.read_paging(&paging)?,
            _ => {}
        }
        *self.out = Some(page);
        Ok(())
    }
}

/// Whether this is how some programs write an empty object.
fn is_empty_list(value: &Json) -> bool {
    matches!(value, Json::List(list) if list.is_empty())
}

impl<T> Page<T> {
    fn new(data: Vec<T>) -> Page<T> {
        Page {
            data,
            cursors: <Cursors as Default>::default(),
            usage: Usage::default(),
            next: None,
            previous: None,
        }
    }

    /// Reads `paging`. Unexpected types are errors: a page that is not understood must
    /// not be taken for the last one.
    fn read_paging(&mut self, paging: &Json) -> Result<()> {
        if !matches!(paging, Json::Object(_)) {
            return Err(refuse_field("paging"));
        }
        match paging.get("cursors") {
            None => {}
            Some(cursors) if is_empty_list(cursors) => {}
            Some(cursors @ Json::Object(_)) => {
                let text = |key, name| match cursors.get(key).map(Json::text) {
                    Some(None) => Err(refuse_field(name)),
                    text => Ok(text.flatten()),
                };
                self.cursors.before = text("before", "paging.cursors.before")?;
                self.cursors.after = text("after", "paging.cursors.after")?;
            }
            Some(_) => return Err(refuse_field("paging.cursors")),
        }
        // An empty link is none. Any other leads to a page, even one that says nothing.
        // It may contain both cursors; its direction decides which one continues.
        let link = |key, cursor| match paging.get(key) {
            None => Ok(None),
            Some(Json::Text(link)) => Ok((!link.is_empty()).then(|| Link::read(link, cursor))),
            Some(_) => Err(refuse_field(match key {
                "next" => "paging.next",
                _ => "paging.previous",
            })),
        };
        self.next = link("next", "after")?;
        self.previous = link("previous", "before")?;
        Ok(())
    }
}

/// Written under the service's keys. Links are relative, without host and token.
impl<T: Serialize> Serialize for Page<T> {
    fn begin(&self) -> Fragment<'_> {
        let mut entries: Vec<Entry<'_>> = vec![("data", Box::new(&self.data))];
        let has_cursors = self.cursors != <Cursors as Default>::default();
        if self.has_next() || self.has_previous() || has_cursors {
            let paging = Paging {
                cursors: has_cursors.then(|| self.cursors.clone()),
                previous: self.previous.as_ref().map(Link::text),
                next: self.next.as_ref().map(Link::text),
            };
            entries.push(("paging", Box::new(paging)));
        }
        Entries::fragment(entries)
    }
}

/// `{"cursors":{…},"previous":"?before=…","next":"?after=…"}`
#[derive(Default)]
struct Paging {
    cursors: Option<Cursors>,
    previous: Option<String>,
    next: Option<String>,
}

object!(Paging {
    cursors,
    previous,
    next
});

serde_impls!(Page<T>, T);

object!(Cursors { before, after });
