//! The iterators over an edge: page by page, and item by item.

use super::edge::Edge;
use super::page::{Page, not_empty};
use crate::error::{Error, ErrorKind, Result};
use miniserde::Deserialize;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter::FusedIterator;
use std::vec;

/// Consecutive empty pages that are treated as an error.
const MAX_EMPTY_PAGES: u32 = 100;

impl<T: Deserialize> Edge<T> {
    /// Iterates page by page.
    pub fn pages(self) -> Pages<T> {
        let seen = self.cursor.iter().map(|cursor| hash(cursor)).collect();
        Pages {
            edge: self,
            seen,
            next: Next::Page,
        }
    }

    /// Iterates item by item. Pages are requested as needed.
    pub fn items(self) -> Items<T> {
        Items {
            pages: self.pages(),
            page: Vec::new().into_iter(),
            cursor: None,
            taken: 0,
            left: usize::MAX,
        }
    }

    /// Iterates over the first `items` items. Unless a
    /// [`page_size`](Edge::page_size) is set, pages of `items` items are requested, at
    /// most 100: the latest 30 media are one request.
    ///
    /// ```no_run
    /// # fn main() -> mingram::Result<()> {
    /// # let api = mingram::Api::new("IGQVJ...");
    /// for media in api.my_media(&[]).take(30) {
    ///     println!("{}", media?.id);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn take(self, items: usize) -> Items<T> {
        Items {
            left: items,
            ..self.page_size_for(items).items()
        }
    }
}

impl<T: Deserialize> IntoIterator for Edge<T> {
    type Item = Result<T>;
    type IntoIter = Items<T>;

    fn into_iter(self) -> Items<T> {
        self.items()
    }
}

/// Iterates over an edge page by page, with one request for each.
///
/// It ends when the service sends no link to a further page (see
/// [`Edge::page_by_cursor`] for edges without links), and after an error. A page may be
/// empty even if more follow. A page that leads back to one that was requested before is
/// an error, [`Paging`](ErrorKind::Paging), instead of a page: its items may be repeated.
#[must_use = "nothing is sent until it is iterated over"]
pub struct Pages<T> {
    /// The request for the next page.
    edge: Edge<T>,
    /// Hashes of the cursors used so far: eight bytes per page.
    seen: Vec<u64>,
    next: Next,
}

/// What `next` will return.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Page,
    Error(&'static str),
    End,
}

impl<T> Pages<T> {
    /// The cursor of the next request, or of the one that failed. To resume there, pass
    /// it to [`Edge::after`], or to [`Edge::before`] if going backwards: no item is lost
    /// or repeated.
    ///
    /// `None` for the first page. At the end, or if the service sent no usable cursor,
    /// it is the cursor of the last page.
    pub fn cursor(&self) -> Option<&str> {
        self.edge.cursor.as_deref()
    }

    /// Moves to what follows `page`. Fails if that is a page that was requested before.
    fn advance(&mut self, page: &Page<T>) -> Result<()> {
        let (mut more, mut cursor, end) = match self.edge.backwards {
            true => {
                let end = &page.cursors.before;
                (page.has_previous(), page.previous_cursor(), end)
            }
            false => (page.has_next(), page.next_cursor(), &page.cursors.after),
        };
        if self.edge.by_cursor && !more && !page.data.is_empty() {
            cursor = not_empty(end);
            more = cursor.is_some();
        }
        self.next = match cursor {
            _ if !more => Next::End,
            None => Next::Error("the service says that more pages follow but sent no cursor"),
            Some(cursor) => {
                let hash = hash(cursor);
                if self.seen.contains(&hash) {
                    return Err(self.fail(
                        "the service sent the same cursor again, so paging would never end",
                    ));
                }
                self.seen.push(hash);
                self.edge.cursor = Some(cursor.to_owned());
                Next::Page
            }
        };
        Ok(())
    }

    /// Ends the iteration with an error.
    fn fail(&mut self, message: &str) -> Error {
        self.next = Next::End;
        Error::new(ErrorKind::Paging, message).in_call(&self.edge.call_name(), &[])
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
        match self.next {
            Next::End => return None,
            Next::Error(message) => return Some(Err(self.fail(message))),
            Next::Page => {}
        }
        self.next = Next::End;
        let page = self.edge.fetch();
        Some(page.and_then(|page| self.advance(&page).map(|()| page)))
    }
}

impl<T: Deserialize> FusedIterator for Pages<T> {}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("edge", &self.edge)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// Iterates over an edge item by item.
///
/// A page is requested when its first item is, so there are exactly as many requests as
/// pages. Empty pages are skipped; the hundredth in a row that still has a next page is
/// an error, [`Paging`](ErrorKind::Paging), so that `next` always returns.
///
/// It stops at the first error; [`cursor`](Items::cursor) tells you where to resume.
#[must_use = "nothing is sent until it is iterated over"]
pub struct Items<T> {
    pages: Pages<T>,
    page: vec::IntoIter<T>,
    /// The cursor that `page` was requested with.
    cursor: Option<String>,
    taken: usize,
    /// The number of items that may still be returned.
    left: usize,
}

impl<T> Items<T> {
    /// Where to resume: the cursor of the current page or, if all its items were
    /// returned, of the next page. After an error, the cursor of the page that failed.
    /// `None` for the first page.
    ///
    /// To resume, pass it to [`Edge::after`], or to [`Edge::before`] if going backwards,
    /// and skip the first [`taken`](Items::taken) items.
    pub fn cursor(&self) -> Option<&str> {
        match self.taken {
            0 => self.pages.cursor(),
            _ => self.cursor.as_deref(),
        }
    }

    /// The number of items returned from the page at [`cursor`](Items::cursor).
    pub fn taken(&self) -> usize {
        self.taken
    }
}

impl<T: Deserialize> Iterator for Items<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if self.left == 0 {
            return None;
        }
        let mut empty = 0;
        loop {
            let item = match self.pages.edge.backwards {
                true => self.page.next_back(),
                false => self.page.next(),
            };
            if let Some(item) = item {
                self.left -= 1;
                self.taken += 1;
                if self.page.len() == 0 && self.pages.next == Next::Page {
                    self.taken = 0;
                }
                return Some(Ok(item));
            }
            // Freed before the next page arrives, so that only one is in memory.
            self.page = Vec::new().into_iter();
            let cursor = self.pages.edge.cursor.clone();
            let page = match self.pages.next()? {
                Ok(page) => page,
                Err(error) => return Some(Err(error)),
            };
            if page.data.is_empty() {
                empty += 1;
                if empty == MAX_EMPTY_PAGES && self.pages.next == Next::Page {
                    return Some(Err(self.pages.fail("100 consecutive pages were empty")));
                }
            }
            (self.page, self.cursor, self.taken) = (page.data.into_iter(), cursor, 0);
        }
    }
}

impl<T: Deserialize> FusedIterator for Items<T> {}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cursor = self.cursor().map(|cursor| self.pages.edge.redacted(cursor));
        f.debug_struct("Items")
            .field("pages", &self.pages)
            .field("cursor", &cursor)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
