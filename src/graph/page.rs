//! A page of an edge, and the cursors to its neighbours.

use crate::client::usage::Usage;
use crate::http::query::param;
use crate::json::lenient::{
    Entries, Lenient, nullable, object, object_writer, required, serde_impls,
};
use crate::json::value::Value;
use miniserde::de::{Deserialize, Map, Visitor};
use miniserde::ser::Fragment;
use miniserde::{Error, Result, Serialize, make_place};

/// One page of an edge: items, and the cursors to the pages before and after it.
///
/// The service sends complete links to those pages, and the links contain the access
/// token. mingram keeps only the cursor of a link.
#[derive(Clone, Debug, PartialEq)]
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

/// The cursor in a `next` or `previous` link, if the link has one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link(Option<String>);

impl<T> Page<T> {
    /// Whether another page follows. The `next` link decides, not the cursor (Meta's
    /// *Paginated Results* page). A link without a cursor to another time (`since` and
    /// `until`), as insights have (recorded), does not count: it leads to other values of
    /// the same items.
    pub fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// Whether there is a page before this one.
    pub fn has_previous(&self) -> bool {
        self.previous.is_some()
    }

    /// The cursor that continues after this page, for [`after`](crate::Edge::after);
    /// `None` at the end.
    pub fn next_cursor(&self) -> Option<&str> {
        cursor(&self.next, &self.cursors.after)
    }

    /// The cursor that continues before this page, for
    /// [`before`](crate::Edge::before); `None` at the start.
    pub fn previous_cursor(&self) -> Option<&str> {
        cursor(&self.previous, &self.cursors.before)
    }
}

/// The cursor of this end of the page, or else the one in the link.
fn cursor<'a>(link: &'a Option<Link>, cursor: &'a Option<String>) -> Option<&'a str> {
    let link = link.as_ref()?;
    not_empty(cursor).or(not_empty(&link.0))
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
        Ok(Box::new(PageReader {
            out: &mut self.out,
            data: None,
            paging: None,
        }))
    }
}

impl<T: Deserialize> Lenient for Page<T> {
    fn place(out: &mut Option<Self>) -> &mut dyn Visitor {
        nullable(out)
    }
}

struct PageReader<'a, T> {
    out: &'a mut Option<Page<T>>,
    data: Option<Vec<T>>,
    paging: Option<Value>,
}

impl<T: Deserialize> Map for PageReader<'_, T> {
    fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
        Ok(match key {
            "data" => Lenient::place(&mut self.data),
            "paging" => Deserialize::begin(&mut self.paging),
            _ => <dyn Visitor>::ignore(),
        })
    }

    fn finish(&mut self) -> Result<()> {
        let data = required(self.data.take())?;
        let mut page = Page {
            data,
            cursors: <Cursors as Default>::default(),
            usage: Usage::default(),
            next: None,
            previous: None,
        };
        match self.paging.take() {
            None => {}
            Some(paging @ Value::Object(_)) => page.read_paging(&paging)?,
            Some(_) => return Err(Error),
        }
        *self.out = Some(page);
        Ok(())
    }
}

impl<T> Page<T> {
    /// Reads `paging`. Unexpected types are errors: a page that is not understood must
    /// not be taken for the last one.
    fn read_paging(&mut self, paging: &Value) -> Result<()> {
        match paging.get("cursors") {
            None => {}
            Some(cursors @ Value::Object(_)) => {
                let text = |key| match cursors.get(key).map(Value::text) {
                    Some(None) => Err(Error),
                    text => Ok(text.flatten()),
                };
                self.cursors.before = text("before")?;
                self.cursors.after = text("after")?;
            }
            Some(_) => return Err(Error),
        }
        // A link contains both cursors; its direction decides which one continues.
        let link = |key, parameter, cursor| match paging.get(key) {
            None => Ok(None),
            Some(Value::Text(link)) => {
                let (_, query) = link.split_once('?').unwrap_or_default();
                let link_cursor = param(query, parameter);
                let by_time = query.contains("since=") && query.contains("until=");
                let leads_on = not_empty(cursor).or(not_empty(&link_cursor)).is_some() || !by_time;
                Ok((!link.is_empty() && leads_on).then_some(Link(link_cursor)))
            }
            Some(_) => Err(Error),
        };
        self.next = link("next", "after", &self.cursors.after)?;
        self.previous = link("previous", "before", &self.cursors.before)?;
        Ok(())
    }
}

/// Written under the service's keys, but without the links, which are not kept.
impl<T: Serialize> Serialize for Page<T> {
    fn begin(&self) -> Fragment<'_> {
        let mut entries: Vec<(&'static str, Box<dyn Serialize + '_>)> =
            vec![("data", Box::new(&self.data))];
        if self.cursors != <Cursors as Default>::default() {
            entries.push(("paging", Box::new(Paging(&self.cursors))));
        }
        Entries::new(entries).fragment()
    }
}

/// `{"cursors":{…}}`
struct Paging<'a>(&'a Cursors);

impl Serialize for Paging<'_> {
    fn begin(&self) -> Fragment<'_> {
        Entries::new(vec![("cursors", Box::new(self.0))]).fragment()
    }
}

serde_impls!(Page<T>, T);

object!(Cursors { before, after });
object_writer!(Cursors { before, after });
