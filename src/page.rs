//! A page of a collection, and the cursors around it.

use crate::query::param;
use crate::slot::{Entries, Slot, required};
use crate::usage::Usage;
use crate::value::Value;
use miniserde::de::{Deserialize, Map, Visitor};
use miniserde::ser::Fragment;
use miniserde::{Error, Result, Serialize, make_place};

/// One page of an edge: the items, and where its neighbours are.
///
/// The service sends whole links to the neighbours, and the caller's access
/// token is in them. They are never kept: of a link, mingram takes that it is
/// there, and the cursor.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, in the service's order (media: newest first). May be fewer
    /// than were asked for, or none, though more pages follow.
    pub data: Vec<T>,
    /// The cursors at both ends of this page.
    pub cursors: Cursors,
    /// What the rate-limit headers of this very reply said. Not set for a page
    /// that came nested in a node.
    pub usage: Usage,
    pub(crate) next: Option<Link>,
    pub(crate) previous: Option<Link>,
}

/// The two ends of a page, to go on from with
/// [`after`](crate::Edge::after) or [`before`](crate::Edge::before).
///
/// The last page has cursors too. A cursor dies with the item it points at, so
/// do not store one for long (Meta's *Paginated Results* page).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cursors {
    /// The start of this page: what lies before it is newer.
    pub before: Option<String>,
    /// The end of this page: what lies after it is older.
    pub after: Option<String>,
}

/// A `next` or `previous` link was there; this is the cursor in its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link(Option<String>);

impl<T> Page<T> {
    /// Whether a page follows. This, and not the cursor, is what the end of a
    /// collection is told by (Meta's *Paginated Results* page).
    pub fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// Whether a page goes before.
    pub fn has_previous(&self) -> bool {
        self.previous.is_some()
    }

    /// The cursor for [`after`](crate::Edge::after) that continues behind this
    /// page; `None` at the end.
    pub fn next_cursor(&self) -> Option<&str> {
        continued(&self.next, &self.cursors.after)
    }

    /// The cursor for [`before`](crate::Edge::before) that continues ahead of
    /// this page; `None` at the start.
    pub fn previous_cursor(&self) -> Option<&str> {
        continued(&self.previous, &self.cursors.before)
    }
}

fn continued<'a>(link: &'a Option<Link>, cursor: &'a Option<String>) -> Option<&'a str> {
    let link = link.as_ref()?;
    let mut known = [cursor.as_deref(), link.0.as_deref()].into_iter().flatten();
    known.find(|cursor| !cursor.is_empty())
}

#[derive(Default)]
struct Paging {
    cursors: Cursors,
    next: Option<Link>,
    previous: Option<Link>,
}

make_place!(Place);

impl<T: Deserialize> Deserialize for Page<T> {
    fn begin(out: &mut Option<Self>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl<T: Deserialize> Visitor for Place<Page<T>> {
    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        Ok(Box::new(PageBuilder {
            out: &mut self.out,
            data: None,
            paging: None,
            error: None,
        }))
    }
}

struct PageBuilder<'a, T> {
    out: &'a mut Option<Page<T>>,
    data: Option<Vec<T>>,
    paging: Option<Value>,
    /// What is there makes it no page, whatever else there is.
    error: Option<Value>,
}

impl<T: Deserialize> Map for PageBuilder<'_, T> {
    fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
        Ok(match key {
            "data" => Deserialize::begin(&mut self.data),
            "paging" => Slot::slot(&mut self.paging),
            // Of these a text is no `Value`, and so fails at once.
            "error" | "error_type" | "error_message" => Slot::slot(&mut self.error),
            _ => <dyn Visitor>::ignore(),
        })
    }

    fn finish(&mut self) -> Result<()> {
        let data = required(self.data.take())?;
        if self.error.is_some() {
            return Err(Error);
        }
        let Paging {
            cursors,
            next,
            previous,
        } = Paging::read(self.paging.take())?;
        *self.out = Some(Page {
            data,
            cursors,
            usage: Usage::default(),
            next,
            previous,
        });
        Ok(())
    }
}

impl Paging {
    /// Absent is none of it; of another form is an error, because a page that
    /// is not understood must not pass for the last.
    fn read(paging: Option<Value>) -> Result<Paging> {
        let mut read = Paging::default();
        let Some(paging) = paging else {
            return Ok(read);
        };
        match paging.get("cursors") {
            None => {}
            Some(cursors @ Value::Object(_)) => {
                let text = |key| match cursors.get(key).map(Value::text) {
                    Some(None) => Err(Error),
                    text => Ok(text.flatten()),
                };
                read.cursors.before = text("before")?;
                read.cursors.after = text("after")?;
            }
            Some(_) => return Err(Error),
        }
        // The direction decides which parameter of a link is its cursor.
        let link = |key, cursor| match paging.get(key) {
            None => Ok(None),
            // An empty link is none.
            Some(Value::Text(link)) if link.is_empty() => Ok(None),
            Some(Value::Text(link)) => {
                let query = link.split_once('?').map(|(_, query)| query);
                Ok(Some(Link(query.and_then(|query| param(query, cursor)))))
            }
            Some(_) => Err(Error),
        };
        read.next = link("next", "after")?;
        read.previous = link("previous", "before")?;
        Ok(read)
    }
}

/// As the service writes it, but for the links, which were never kept.
impl<T: Serialize> Serialize for Page<T> {
    fn begin(&self) -> Fragment<'_> {
        let mut entries: Vec<(&'static str, Box<dyn Serialize + '_>)> =
            vec![("data", Box::new(&self.data))];
        if self.cursors != <Cursors as Default>::default() {
            entries.push(("paging", Box::new(PagingOut(&self.cursors))));
        }
        Entries::new(entries).fragment()
    }
}

struct PagingOut<'a>(&'a Cursors);

impl Serialize for PagingOut<'_> {
    fn begin(&self) -> Fragment<'_> {
        Entries::new(vec![("cursors", Box::new(self.0))]).fragment()
    }
}

impl Serialize for Cursors {
    fn begin(&self) -> Fragment<'_> {
        let mut entries: Vec<(&'static str, Box<dyn Serialize + '_>)> = Vec::new();
        for (name, cursor) in [("before", &self.before), ("after", &self.after)] {
            if let Some(cursor) = cursor {
                entries.push((name, Box::new(cursor)));
            }
        }
        Entries::new(entries).fragment()
    }
}
