//! The iterators over an edge: page by page, and item by item.

use super::edge::{Edge, Fetched};
use super::page::{Follows, Page, not_empty};
use super::position::{At, Position};
use crate::error::{Error, ErrorKind, Result};
use crate::json::reader::Ids;
use miniserde::Deserialize;
use std::fmt;
use std::iter::FusedIterator;
use std::mem;
use std::vec;

/// Consecutive empty pages that are treated as an error.
const MAX_EMPTY_PAGES: u32 = 100;

/// The number of items after which the search for the one to resume after is given up.
const MAX_SEARCHED: usize = 1000;

/// What an empty page counts as.
const EMPTY_SEARCHED: usize = 10;

/// For [`Next::Unknown`].
const UNKNOWN: &str =
    "the service says that more pages follow but sent no cursor, time or offset to them";

impl<T: Deserialize> Edge<T> {
    /// Iterates page by page.
    #[doc(alias = "pagination")]
    #[doc(alias = "paging")]
    pub fn pages(self) -> Pages<T> {
        let next = match self.start.at {
            At::End => Next::End,
            _ => Next::Page,
        };
        Pages {
            seen: vec![self.place_hash()],
            next,
            current: Current::default(),
            fault: None,
            ended: false,
            edge: self,
        }
    }

    /// Iterates item by item. Pages are requested as needed.
    #[doc(alias = "pagination")]
    pub fn items(self) -> Items<T> {
        Items {
            pages: self.pages(),
            page: Vec::new().into_iter(),
            left: None,
        }
    }

    /// Iterates over the first `items` items; 0 requests nothing. Unless a
    /// [`page_size`](Edge::page_size) is set, pages of `items` items are requested, at most 100
    /// (50 comments): the latest 30 media are one request. The last page is never larger than
    /// what is left of `items`.
    ///
    /// ```no_run
    /// # fn main() -> mingram::Result<()> {
    /// # let api = mingram::Api::new("IGQVJ...");
    /// for media in api.my_media("id").take(30) {
    ///     println!("{}", media?.id);
    /// }
    /// # Ok(()) }
    /// ```
    #[doc(alias = "limit")]
    pub fn take(self, items: usize) -> Items<T> {
        Items {
            left: Some(items),
            ..self.items()
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

/// Iterates over an edge page by page, with one request for each. More are sent for a page that
/// the service refuses as too much data (see [`Edge::page_size`]), and to find the place to
/// [`resume`](Edge::resume) at.
///
/// It ends when the service sends no link to a further page (see
/// [`Edge::page_by_cursor`] for edges without links), and after an error. A page may be
/// empty even if more follow.
///
/// A link leads on by its cursor, or else by its times or its offset (`since`, `until`,
/// `__paging_token`, `__previous`, `offset`), which replace the edge's own. Everything else
/// in the request stays the same: a link's host, path and token are never used. A link with
/// none of these is an error, [`Paging`](ErrorKind::Paging). So is one that leads back to a
/// page that was requested before; the page with that link is not returned, because its
/// items may be repeated. The links of insights lead to later and later times: take as many
/// pages as you need, or call [`Api::my_insights`](crate::Api::my_insights).
///
/// If an item cannot be read, the items before it are returned as a page, which may be
/// empty, and then an error that [`is_unreadable_item`](Error::is_unreadable_item). After
/// any error [`position`](Pages::position) tells you where to resume.
#[must_use = "nothing is sent until it is iterated over"]
pub struct Pages<T> {
    /// The request for the next page.
    edge: Edge<T>,
    /// Hashes of the places requested so far: eight bytes per page.
    seen: Vec<u64>,
    next: Next,
    current: Current,
    /// Why the item after those of the current page cannot be read.
    fault: Option<Error>,
    /// An error was returned.
    ended: bool,
}

/// The page that was returned last.
#[derive(Default)]
struct Current {
    at: At,
    ids: Ids,
    /// The number of its items that were passed, in the direction of travel.
    passed: usize,
    /// The position is in this page, unless all of it was passed.
    is_open: bool,
    /// The id of the last item before it.
    last: Option<String>,
}

/// What follows the current page.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Page,
    /// Another page, to which the link does not say the way.
    Unknown,
    End,
}

impl<T> Pages<T> {
    /// Where to resume: see [`Position`] and [`Edge::resume`].
    ///
    /// After a page it is the end of that page. After an error of a request it is the
    /// start of the page that was requested, and after
    /// [an item that cannot be read](Error::is_unreadable_item) the place after that item,
    /// so that resuming gets past it.
    pub fn position(&self) -> Position {
        let Current {
            at,
            ids,
            passed,
            is_open,
            last,
        } = &self.current;
        let is_inside = *passed < ids.len()
            || self.ended
            || self.next == Next::Unknown
            || self.next == Next::Page && self.edge.start.is_counted();
        let backwards = self.edge.start.backwards;
        let position = if *is_open && is_inside {
            Position::new(at.clone(), backwards).within(*passed, ids)
        } else if self.next == Next::End {
            Position::new(At::End, false)
        } else {
            let last = self.edge.start.last(ids).or(last.clone());
            self.edge.start.clone().after_last(last)
        };
        self.edge.without_secrets(position)
    }

    /// Finds what follows a page of `count` items. Fails if that is a page that was
    /// requested before.
    fn follow(&mut self, page: &Page<T>, count: usize) -> Result<Next> {
        let backwards = self.edge.start.backwards;
        let at = match page.follows(backwards) {
            Follows::Page(at) => at,
            Follows::Unknown => return Ok(Next::Unknown),
            Follows::Nothing => {
                let end = match backwards {
                    true => &page.cursors.before,
                    false => &page.cursors.after,
                };
                match not_empty(end) {
                    Some(cursor) if self.edge.by_cursor && count > 0 => {
                        At::Cursor(cursor.to_owned())
                    }
                    _ => return Ok(Next::End),
                }
            }
        };
        let before = mem::replace(&mut self.edge.start.at, at);
        let hash = self.edge.place_hash();
        if self.seen.contains(&hash) {
            self.edge.start.at = before;
            return Err(self.fail(
                "the service sent the same cursor again, or the same times, so paging would never \
                 end",
            ));
        }
        self.seen.push(hash);
        Ok(Next::Page)
    }

    /// Requests the next page, of which at most `left` more items are wanted. If there is
    /// an item to resume after, looks for its page.
    fn load(&mut self, left: Option<usize>) -> Option<Result<Page<T>>>
    where
        T: Deserialize,
    {
        let mut searched = 0;
        while !self.ended {
            match self.next {
                Next::End => return None,
                Next::Unknown => return Some(Err(self.fail(UNKNOWN))),
                Next::Page => {}
            }
            match self.load_once(left, &mut searched) {
                Ok(None) => {}
                Ok(Some(page)) => return Some(Ok(page)),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }

    fn load_once(&mut self, left: Option<usize>, searched: &mut usize) -> Result<Option<Page<T>>>
    where
        T: Deserialize,
    {
        // Freed before the next page arrives, as its items are.
        let ids = mem::take(&mut self.current.ids);
        self.current = Current {
            last: self.edge.start.last(&ids).or(self.current.last.take()),
            ..Current::default()
        };
        drop(ids);
        let Fetched {
            page,
            ids,
            passed,
            skip,
            fault,
        } = self.edge.fetch(left)?;
        let at = self.edge.start.at.clone();
        let next = self.follow(&page, ids.len())?;
        let Some(passed) = passed else {
            *searched += match ids.len() {
                0 => EMPTY_SEARCHED,
                items => items,
            };
            if next == Next::Page && *searched < MAX_SEARCHED {
                return Ok(None);
            }
            return Err(self.lost());
        };
        let to = mem::replace(&mut self.edge.start.at, At::End);
        self.edge.start = Position::new(to, self.edge.start.backwards);
        self.edge.start.skip = skip;
        (self.next, self.fault) = (next, fault);
        self.current = Current {
            at,
            is_open: ids.len() > 0 || next == Next::Unknown,
            ids,
            passed,
            // Of the pages before an empty one.
            last: self.current.last.take(),
        };
        Ok(Some(page))
    }

    /// The error for the item that is pending, of which the position is then past.
    fn fault(&mut self) -> Option<Error> {
        let fault = self.fault.take()?;
        self.current.passed += 1;
        self.ended = true;
        Some(fault)
    }

    /// Ends the iteration with an error.
    fn fail(&mut self, message: &str) -> Error {
        self.ended = true;
        Error::new(ErrorKind::Paging, message).in_call(&self.edge.call_name(), &[])
    }

    fn lost(&mut self) -> Error {
        let item = self.edge.start.item.as_deref().unwrap_or_default();
        let message = format!(
            "the item {} to resume after is not where it was, nor in the pages that follow",
            self.edge.redacted(item)
        );
        self.fail(&message).of_position()
    }
}

impl<T: Deserialize> Iterator for Pages<T> {
    type Item = Result<Page<T>>;

    fn next(&mut self) -> Option<Result<Page<T>>> {
        if let Some(error) = self.fault() {
            return Some(Err(error));
        }
        let page = self.load(None)?;
        if let Ok(page) = &page {
            self.current.passed += page.data.len();
        }
        Some(page)
    }
}

impl<T: Deserialize> FusedIterator for Pages<T> {}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("edge", &self.edge)
            .field("position", &self.position())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// Iterates over an edge item by item.
///
/// A page is requested when its first item is. Empty pages are skipped; the hundredth in a row
/// that still has a next page is an error, [`Paging`](ErrorKind::Paging), so that `next` always
/// returns. How it ends, and which links it follows: see [`Pages`].
///
/// An item that cannot be read is an error for that item only, which
/// [`is_unreadable_item`](Error::is_unreadable_item): it has no usable id, or a field of a
/// type that the struct cannot hold (also in a nested list). The items before it are
/// returned. A page with more than 100 such items is an error as a whole, and so is one
/// that leads no further and has no item that can be read or has an id.
///
/// It stops at the first error; [`position`](Items::position) tells you where to resume.
///
/// An item is returned as often as the service lists it. It can come twice if the service
/// has it on two pages: items of the same second at the border of two pages by time, or
/// all that were moved to a later page by something new if an edge counts its pages by
/// offset. Cursors do not move. Nothing that is published during an iteration appears in
/// it, because newer items are before the first page.
#[must_use = "nothing is sent until it is iterated over"]
pub struct Items<T> {
    pages: Pages<T>,
    page: vec::IntoIter<T>,
    /// The number of items that may still be returned; `None` for all.
    left: Option<usize>,
}

impl<T> Items<T> {
    /// Where to resume: after the last item that was returned. After an error of a request
    /// it is the start of the page that was requested, and after
    /// [an item that cannot be read](Error::is_unreadable_item) the place after that item.
    /// See [`Position`] and [`Edge::resume`].
    ///
    /// The last item is known by the `id` that the service sends for it, whatever type it
    /// is read into. Items without an id are counted from the one before that has an id, or
    /// from the start of the page: a change of the page between those two is not noticed.
    pub fn position(&self) -> Position {
        self.pages.position()
    }
}

impl<T: Deserialize> Iterator for Items<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if self.left == Some(0) {
            return None;
        }
        let mut empty = 0;
        loop {
            let item = match self.pages.edge.start.backwards {
                true => self.page.next_back(),
                false => self.page.next(),
            };
            if let Some(item) = item {
                self.left = self.left.map(|left| left - 1);
                self.pages.current.passed += 1;
                return Some(Ok(item));
            }
            if let Some(error) = self.pages.fault() {
                return Some(Err(error));
            }
            // Freed before the next page arrives, so that only one is in memory.
            self.page = Vec::new().into_iter();
            let page = match self.pages.load(self.left)? {
                Ok(page) => page,
                Err(error) => return Some(Err(error)),
            };
            if page.data.is_empty() {
                empty += 1;
                if empty == MAX_EMPTY_PAGES && self.pages.next == Next::Page {
                    return Some(Err(self.pages.fail("100 consecutive pages were empty")));
                }
            }
            self.page = page.data.into_iter();
        }
    }

    /// At most what is left of [`take`](Edge::take): an error ends the iteration in the place of
    /// an item.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.left)
    }
}

impl<T: Deserialize> FusedIterator for Items<T> {}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("pages", &self.pages)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
