//! Collections: a request for an edge, and the two iterators over it.

use crate::call::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Page;
use crate::redact::redact;
use miniserde::Deserialize;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::sync::Arc;
use std::vec;

/// So many pages in a row without an item, and it is no feed but a fault.
const EMPTY_PAGES: u32 = 100;

/// A request for a collection: media, children, comments, whatever is an edge.
///
/// Nothing is sent until an iterator is asked for its first item. Iterate over
/// the `Edge` itself for the items, or over [`pages`](Edge::pages).
///
/// ```no_run
/// # fn main() -> mingram::Result<()> {
/// # let api = mingram::Api::new("IGQVJ...");
/// for media in api.my_media(&[]).limit(100) {
///     println!("{}", media?.id);
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing is sent until it is iterated over"]
pub struct Edge<T> {
    settings: Arc<Settings>,
    path: Option<String>,
    fields: String,
    params: Vec<(String, String)>,
    start: Start,
    item: PhantomData<fn() -> T>,
}

/// Where to begin, and so which way to go.
#[derive(Clone, Debug, Default)]
enum Start {
    #[default]
    First,
    After(String),
    Before(String),
}

impl Start {
    fn map(&self, change: impl Fn(&str) -> String) -> Start {
        match self {
            Start::First => Start::First,
            Start::After(cursor) => Start::After(change(cursor)),
            Start::Before(cursor) => Start::Before(change(cursor)),
        }
    }
}

impl<T: Deserialize> Edge<T> {
    pub(crate) fn new(settings: &Arc<Settings>, path: Option<String>, fields: String) -> Edge<T> {
        Edge {
            settings: settings.clone(),
            path,
            fields,
            params: Vec::new(),
            start: Start::First,
            item: PhantomData,
        }
    }

    /// How many items to a page: one request brings so many. Default: not
    /// sent, and the service takes 25; 100 is known to be accepted (reported by
    /// users), and more than that is not known. A page may hold fewer.
    ///
    /// This is not how many items come in all: use [`take`](Iterator::take).
    pub fn limit(self, items: u32) -> Edge<T> {
        self.param("limit", items.to_string())
    }

    /// Starts behind this cursor, at older items, and goes on towards the
    /// oldest. Undoes [`before`](Edge::before).
    pub fn after(mut self, cursor: impl Into<String>) -> Edge<T> {
        self.start = Start::After(cursor.into());
        self
    }

    /// Starts ahead of this cursor and goes **backwards**, towards the newest:
    /// page after page by `previous`. [`Items`] then come in reverse, the one
    /// nearest to the cursor first; the pages themselves stay in the service's
    /// order. Undoes [`after`](Edge::after).
    pub fn before(mut self, cursor: impl Into<String>) -> Edge<T> {
        self.start = Start::Before(cursor.into());
        self
    }

    /// Only items published since this time, in Unix seconds. Known to work on
    /// user media; whether an item of that very second comes is not known.
    pub fn since(self, unix_seconds: u64) -> Edge<T> {
        self.param("since", unix_seconds.to_string())
    }

    /// Only items published until this time, in Unix seconds; as for
    /// [`since`](Edge::since).
    pub fn until(self, unix_seconds: u64) -> Edge<T> {
        self.param("until", unix_seconds.to_string())
    }

    /// Any other parameter, sent with every page. Of one that is set twice the
    /// last counts: `after` and `before` are the methods of that name, and
    /// `fields` takes the place of the fields that the edge was made with.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Edge<T> {
        let name = name.into();
        match name.as_str() {
            "after" => return self.after(value),
            "before" => return self.before(value),
            "fields" => {
                self.fields = value.into();
                return self;
            }
            _ => {}
        }
        self.params.retain(|(set, _)| *set != name);
        self.params.push((name, value.into()));
        self
    }

    /// Page by page.
    pub fn pages(self) -> Pages<T> {
        let (cursor, backwards) = match &self.start {
            Start::First => (None, false),
            Start::After(cursor) => (Some(cursor.clone()), false),
            Start::Before(cursor) => (Some(cursor.clone()), true),
        };
        let seen = cursor.iter().map(|cursor| hash(cursor)).collect();
        Pages {
            edge: self,
            cursor,
            backwards,
            seen,
            ahead: Ahead::Page,
        }
    }

    /// Item by item, the pages fetched as they are needed.
    pub fn items(self) -> Items<T> {
        Items {
            pages: self.pages(),
            page: Vec::new().into_iter(),
            cursor: None,
            taken: 0,
        }
    }

    fn fetch(&self, cursor: Option<&str>, backwards: bool) -> Result<Page<T>> {
        let mut params: Vec<(&str, &str)> = self
            .params
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        if let Some(cursor) = cursor {
            params.push((if backwards { "before" } else { "after" }, cursor));
        }
        let call = self
            .settings
            .graph_call(self.path.as_deref(), &self.fields, &params)?;
        self.settings.send_for_page(&call)
    }
}

impl<T> Edge<T> {
    /// Whole links are sometimes given for a cursor, and the token is in them.
    fn shown(&self, cursor: Option<&str>) -> Option<String> {
        cursor.map(|cursor| redact(cursor, &[self.settings.token.expose()]))
    }
}

impl<T> Clone for Edge<T> {
    fn clone(&self) -> Edge<T> {
        Edge {
            settings: self.settings.clone(),
            path: self.path.clone(),
            fields: self.fields.clone(),
            params: self.params.clone(),
            start: self.start.clone(),
            item: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Edge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |text: &str| redact(text, &[self.settings.token.expose()]);
        let params: Vec<(String, String)> = self
            .params
            .iter()
            .map(|(name, value)| match name.as_str() {
                "access_token" => (name.clone(), show(&format!("{name}={value}"))),
                _ => (show(name), show(value)),
            })
            .collect();
        f.debug_struct("Edge")
            .field("path", &self.path.as_deref().map(show))
            .field("fields", &show(&self.fields))
            .field("params", &params)
            .field("start", &self.start.map(show))
            .finish_non_exhaustive()
    }
}

impl<T: Deserialize> IntoIterator for Edge<T> {
    type Item = Result<T>;
    type IntoIter = Items<T>;

    fn into_iter(self) -> Items<T> {
        self.items()
    }
}

/// A collection, page by page: one request for each, made when it is asked for.
///
/// It ends where the service gives no link to a further page, and after an
/// error. A page may be empty though more follow.
#[must_use = "nothing is sent until it is iterated over"]
pub struct Pages<T> {
    edge: Edge<T>,
    cursor: Option<String>,
    backwards: bool,
    /// Hashes of the cursors used so far, eight bytes a page.
    seen: Vec<u64>,
    ahead: Ahead,
}

/// What the next call of `next` finds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ahead {
    Page,
    Fault(&'static str),
    End,
}

impl<T> Pages<T> {
    /// The cursor that the next request uses, or that the failed one used:
    /// give it to [`Edge::after`] (or to [`Edge::before`], when going
    /// backwards) to go on from there, with nothing lost and nothing twice.
    /// `None` for the first page. After a regular end, and where the service
    /// gave no way to go on, it is the cursor of the last page.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Looks for what is behind this page. A fault is not reported before the
    /// page itself has been handed out.
    fn look_ahead(&mut self, page: &Page<T>) -> Ahead {
        let (more, cursor) = match self.backwards {
            true => (page.has_previous(), page.previous_cursor()),
            false => (page.has_next(), page.next_cursor()),
        };
        match cursor {
            _ if !more => Ahead::End,
            None => {
                Ahead::Fault("the page says that more follow, but gives no cursor to go on from")
            }
            Some(cursor) => {
                let hash = hash(cursor);
                if self.seen.contains(&hash) {
                    return Ahead::Fault(
                        "the service sent a cursor for a second time, so this would never end",
                    );
                }
                self.seen.push(hash);
                self.cursor = Some(cursor.to_owned());
                Ahead::Page
            }
        }
    }

    fn fault(&mut self, message: &str) -> Error {
        self.ahead = Ahead::End;
        let path = self.edge.path.as_deref().unwrap_or_default();
        Error::new(ErrorKind::Paging, message)
            .in_call(&format!("GET {path}"), &[self.edge.settings.token.expose()])
    }
}

fn hash(cursor: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    cursor.hash(&mut hasher);
    hasher.finish()
}

impl<T: Deserialize> Iterator for Pages<T> {
    type Item = Result<Page<T>>;

    fn next(&mut self) -> Option<Result<Page<T>>> {
        match self.ahead {
            Ahead::End => return None,
            Ahead::Fault(message) => return Some(Err(self.fault(message))),
            Ahead::Page => {}
        }
        let page = self.edge.fetch(self.cursor.as_deref(), self.backwards);
        self.ahead = match &page {
            Ok(page) => self.look_ahead(page),
            Err(_) => Ahead::End,
        };
        Some(page)
    }
}

impl<T: Deserialize> FusedIterator for Pages<T> {}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("edge", &self.edge)
            .field("cursor", &self.edge.shown(self.cursor.as_deref()))
            .field("ahead", &self.ahead)
            .finish_non_exhaustive()
    }
}

/// A collection, item by item.
///
/// A page is fetched when its first item is asked for, so exactly as many
/// requests are made as there are pages, and none too many. Empty pages are
/// passed over; the hundredth in a row that still names a next one is an error,
/// [`Paging`](ErrorKind::Paging), so that `next` never goes on for ever
/// ([`Pages`] hands empty pages out, as many as come). It ends after an error,
/// so that `filter_map(Result::ok)` ends too.
#[must_use = "nothing is sent until it is iterated over"]
pub struct Items<T> {
    pages: Pages<T>,
    page: vec::IntoIter<T>,
    /// The cursor that the page in hand was asked for with.
    cursor: Option<String>,
    taken: usize,
}

impl<T> Items<T> {
    /// Where to go on: the cursor of the page in hand or, when that is used
    /// up, of the next one or of the one that failed. Give it to
    /// [`Edge::after`] (or to [`Edge::before`], when going backwards), and pass
    /// over the first [`taken`](Items::taken) items. `None` for the first page.
    pub fn cursor(&self) -> Option<&str> {
        match self.taken {
            0 => self.pages.cursor(),
            _ => self.cursor.as_deref(),
        }
    }

    /// How many items of the page at [`cursor`](Items::cursor) have been
    /// handed out already.
    pub fn taken(&self) -> usize {
        self.taken
    }
}

impl<T: Deserialize> Iterator for Items<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let backwards = self.pages.backwards;
        let mut empty = 0;
        loop {
            let item = if backwards {
                self.page.next_back()
            } else {
                self.page.next()
            };
            if let Some(item) = item {
                self.taken += 1;
                if self.page.len() == 0 && self.pages.ahead == Ahead::Page {
                    // The page is used up and another follows: go on there.
                    self.taken = 0;
                }
                return Some(Ok(item));
            }
            // Before the next page comes, so that there is room for one alone.
            self.page = Vec::new().into_iter();
            let cursor = self.pages.cursor.clone();
            let page = match self.pages.next()? {
                Ok(page) => page,
                Err(error) => return Some(Err(error)),
            };
            if page.data.is_empty() {
                empty += 1;
                if empty == EMPTY_PAGES && self.pages.ahead == Ahead::Page {
                    return Some(Err(self.pages.fault("a hundred pages in a row were empty")));
                }
            }
            (self.page, self.cursor, self.taken) = (page.data.into_iter(), cursor, 0);
        }
    }
}

impl<T: Deserialize> FusedIterator for Items<T> {}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("pages", &self.pages)
            .field("cursor", &self.pages.edge.shown(self.cursor()))
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
