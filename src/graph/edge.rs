//! A request for an edge.

use super::fields::Fields;
use super::page::{Follows, Page, TolerantPage};
use super::position::{At, LINK_PARAMS, Position};
use crate::client::client::Client;
use crate::client::event::Event;
use crate::client::reply::Reply;
use crate::error::{Error, Result};
use crate::json::reader::{Ids, JsonError, Tolerance};
use crate::redact::redact;
use crate::timestamp::to_unix;
use miniserde::Deserialize;
use std::any::type_name;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::SystemTime;

/// A request for the items of an edge: media, children, comments and so on.
///
/// Nothing is sent until the first item or page is requested. Iterate over the `Edge`
/// for its items, or over [`pages`](Edge::pages).
///
/// ```no_run
/// # fn main() -> mingram::Result<()> {
/// # let api = mingram::Api::new("IGQVJ...");
/// for media in api.my_media("id").page_size(100) {
///     println!("{}", media?.id);
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing is sent until it is iterated over"]
pub struct Edge<T> {
    client: Arc<Client>,
    path: Option<String>,
    fields: Fields,
    params: Vec<(String, String)>,
    page_size: Option<u32>,
    /// The next page, and what of it is not to be returned.
    pub(super) start: Position,
    /// Cursors lead to the next page even if there is no link to it.
    pub(super) by_cursor: bool,
    /// The most items per page that the service returns.
    max_page_size: u32,
    reduced: Option<Reduced>,
    item: PhantomData<fn() -> T>,
}

/// The service's page size, if none is set.
const DEFAULT_PAGE_SIZE: u32 = 25;

/// The pages after which a reduced page size is doubled again.
const PAGES_UNTIL_DOUBLED: u32 = 8;

/// A page size smaller than the one that was set, because the service refused to return
/// so much data at once.
#[derive(Clone, Copy)]
struct Reduced {
    size: u32,
    /// The pages that arrived with this size.
    pages: u32,
}

impl Reduced {
    /// Half of a size; `None` if that was 1.
    fn half(size: u32) -> Option<Reduced> {
        (size > 1).then_some(Reduced {
            size: size / 2,
            pages: 0,
        })
    }

    /// Counts a page that arrived; `None` if the size is no longer reduced.
    fn count(mut self, full: u32) -> Option<Reduced> {
        self.pages += 1;
        if self.pages == PAGES_UNTIL_DOUBLED {
            self.size = self.size.saturating_mul(2);
            self.pages = 0;
        }
        (self.size < full).then_some(self)
    }
}

impl<T: Deserialize> Edge<T> {
    pub(crate) fn new(client: &Arc<Client>, path: Option<String>, fields: Fields) -> Edge<T> {
        Edge {
            client: client.clone(),
            path,
            fields,
            params: Vec::new(),
            page_size: None,
            start: Position::new(At::Start, false),
            by_cursor: false,
            max_page_size: 100,
            reduced: None,
            item: PhantomData,
        }
    }

    /// Sets the most items per page that the service returns.
    pub(crate) fn at_most(mut self, items: u32) -> Edge<T> {
        self.max_page_size = items;
        self
    }

    /// The number of items per page, and so per request (`limit`). Default: not sent;
    /// the service then returns 25. Users report that 100 is accepted; larger values
    /// are not known to work. A page may contain fewer items. 0 is an error,
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput), and nothing is sent.
    ///
    /// If the service refuses a page as [too much data](crate::Error::is_too_much_data),
    /// iterators request half as many items from the same cursor, down to 1. After eight
    /// pages they double it again, up to this number.
    ///
    /// To limit the total number of items, use [`take`](Edge::take).
    #[doc(alias = "limit")]
    pub fn page_size(mut self, items: u32) -> Edge<T> {
        self.page_size = Some(items);
        self.params.retain(|(name, _)| name != "limit");
        self
    }

    /// Starts after this cursor and continues with older items. Overrides
    /// [`before`](Edge::before) and [`resume`](Edge::resume).
    #[doc(alias = "cursor")]
    pub fn after(mut self, cursor: impl Into<String>) -> Edge<T> {
        self.start = Position::new(At::Cursor(cursor.into()), false);
        self
    }

    /// Starts before this cursor and continues **backwards**, with newer items, page by
    /// page along `previous`. [`Items`](crate::Items) are then returned in reverse, the
    /// one next to the cursor first; the items within [`Pages`](crate::Pages) stay in
    /// the service's order. Overrides [`after`](Edge::after) and
    /// [`resume`](Edge::resume).
    pub fn before(mut self, cursor: impl Into<String>) -> Edge<T> {
        self.start = Position::new(At::Cursor(cursor.into()), true);
        self
    }

    /// Continues where an iteration over the same edge stopped, in its direction, after
    /// the last item that it returned. Use the same parameters; the fields and the page
    /// size may be others. Overrides [`after`](Edge::after) and [`before`](Edge::before).
    ///
    /// The page may have changed since, because something was published or deleted. So
    /// the last item is looked for by its id, on that page and on those that follow, until
    /// about 1,000 items were searched. Resuming the end of a list returns nothing and
    /// sends nothing.
    ///
    /// # Errors
    ///
    /// The iteration fails with an error that
    /// [`is_position_lost`](crate::Error::is_position_lost) if the last item is not found,
    /// or if the service refuses the cursor. Nothing is then returned.
    ///
    /// ```no_run
    /// # fn main() -> mingram::Result<()> {
    /// # let api = mingram::Api::new("IGQVJ...");
    /// let mut items = api.my_media("id").take(10);
    /// for media in items.by_ref() {
    ///     println!("{}", media?.id);
    /// }
    /// let text = items.position().to_string(); // to store
    ///
    /// for media in api.my_media("id").resume(&text.parse()?) {
    ///     println!("{}", media?.id);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn resume(mut self, position: &Position) -> Edge<T> {
        self.start = position.clone();
        self
    }

    /// Continues by cursors alone, for an edge that sends them without a link to the next
    /// page, as `tags` does (Meta's reference, *Tags*). The iteration then ends at the
    /// first empty page, which costs one request, or at a page without a cursor.
    /// Default: it ends at a page without a link to the next one, because elsewhere the
    /// last page has cursors too.
    ///
    /// ```no_run
    /// # fn main() -> mingram::Result<()> {
    /// # let api = mingram::Api::new("IGQVJ...");
    /// let tags = api.edge::<mingram::Media>("me/tags").page_by_cursor();
    /// for media in tags.param("fields", "id,username") {
    ///     println!("{:?}", media?.username);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn page_by_cursor(mut self) -> Edge<T> {
        self.by_cursor = true;
        self
    }

    /// Only items published since this time, in whole seconds. Known to work on user
    /// media. Whether an item of exactly that second is included is not known.
    pub fn since(self, time: SystemTime) -> Edge<T> {
        self.param("since", to_unix(time).to_string())
    }

    /// Only items published until this time; see [`since`](Edge::since).
    pub fn until(self, time: SystemTime) -> Edge<T> {
        self.param("until", to_unix(time).to_string())
    }

    /// Any other parameter, sent with every page. Setting a parameter again replaces
    /// it. `after`, `before` and `limit` act like [`after`](Edge::after),
    /// [`before`](Edge::before) and [`page_size`](Edge::page_size), and `fields` replaces
    /// the fields that the edge was created with. A `limit` that is not a number is sent
    /// as it is.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Edge<T> {
        let name = name.into();
        match name.as_str() {
            "after" => return self.after(value),
            "before" => return self.before(value),
            "fields" => {
                self.fields = Fields::from(value.into());
                return self;
            }
            _ => {}
        }
        let value = value.into();
        self.params.retain(|(set, _)| *set != name);
        if name == "limit" {
            self.page_size = value.parse().ok();
            if self.page_size.is_some() {
                return self;
            }
        }
        self.params.push((name, value));
        self
    }

    /// Requests the next page, of which at most `left` more items are wanted. If it is too
    /// much data, requests a smaller one.
    pub(super) fn fetch(&mut self, left: Option<usize>) -> Result<Fetched<T>> {
        let full = self.full_size(left);
        loop {
            let size = self.size(full, left);
            let page = self.fetch_once(size);
            match &page {
                Ok(_) => {
                    let full = full.unwrap_or(DEFAULT_PAGE_SIZE);
                    self.reduced = self.reduced.and_then(|reduced| reduced.count(full));
                }
                Err(error) if error.is_too_much_data() && !self.has_own_limit() => {
                    let from = size.unwrap_or(DEFAULT_PAGE_SIZE);
                    if let Some(half) = Reduced::half(from) {
                        self.reduced = Some(half);
                        self.client.tell(&Event::SmallerPage {
                            call: error.call(),
                            from,
                            to: half.size,
                        });
                        continue;
                    }
                }
                Err(_) => {}
            }
            return page;
        }
    }

    /// A limit that is not a number is a parameter like others, and cannot be halved.
    fn has_own_limit(&self) -> bool {
        self.params.iter().any(|(name, _)| name == "limit")
    }

    /// The page size, unless it is reduced; `None` to send none.
    fn full_size(&self, left: Option<usize>) -> Option<u32> {
        match left {
            Some(_) if !self.has_own_limit() => Some(self.page_size.unwrap_or(self.max_page_size)),
            _ => self.page_size,
        }
    }

    /// The page size to send: no more than is left, unless items that were returned
    /// before are to be found first.
    fn size(&self, full: Option<u32>, left: Option<usize>) -> Option<u32> {
        let size = self.reduced.map(|reduced| reduced.size).or(full)?;
        let left = left.filter(|_| !self.start.is_inside());
        let left = left.and_then(|left| u32::try_from(left).ok());
        Some(left.map_or(size, |left| left.min(size)))
    }

    fn fetch_once(&self, asked: Option<u32>) -> Result<Fetched<T>> {
        if self.page_size == Some(0) {
            return Err(Error::invalid(
                "the page size is 0: set a larger one, or none",
            ));
        }
        let size = asked.map(|size| size.to_string());
        let mut params = vec![("fields", self.fields.checked()?)];
        params.extend(size.as_deref().map(|size| ("limit", size)));
        let own = self.params.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        match &self.start.at {
            At::Start | At::End => params.extend(own),
            At::Cursor(cursor) => {
                params.extend(own);
                let backwards = self.start.backwards;
                params.push((if backwards { "before" } else { "after" }, cursor));
            }
            At::Link(link) => {
                let is_own = |(name, _): &(&str, &str)| link.iter().all(|(set, _)| set != name);
                params.extend(own.filter(is_own));
                params.extend(link.iter().map(|(name, value)| (*name, value.as_str())));
            }
        }
        let path = self.path.as_deref();
        let call = self.client.graph_call(path, &params)?;
        let room = asked.unwrap_or(DEFAULT_PAGE_SIZE).min(self.max_page_size) as usize;
        let sent = self.client.send(&call, |reply| self.parse(reply, room));
        match sent {
            Ok((mut fetched, usage)) => {
                fetched.page.usage = usage;
                Ok(fetched)
            }
            Err(error) if self.start.at != At::Start && error.may_be_a_cursor() => {
                Err(error.of_position())
            }
            Err(error) => Err(error),
        }
    }

    /// Parses a page of about `room` items.
    fn parse(&self, reply: &Reply<'_>, room: usize) -> Result<Fetched<T>> {
        let mut page = None;
        let tolerance = Tolerance {
            room,
            ..Tolerance::default()
        };
        let mut visitor = TolerantPage {
            out: &mut page,
            tolerance: &tolerance,
        };
        let name = type_name::<Page<T>>();
        let elements = reply.parse_into(name, &mut visitor, Some(&tolerance))?;
        let page = page.ok_or_else(|| reply.unexpected(name, "value"))?;
        if let Some((_, error)) = elements.refused.first() {
            let leads_on = !matches!(page.follows(self.start.backwards), Follows::Nothing);
            if !leads_on && self.start.last(&elements.ids).is_none() && page.data.is_empty() {
                // Nothing in it shows that it is a page of these items at all.
                return Err(reply.item_error(name, error));
            }
        }
        let passed = self.start.passed(&elements.ids);
        let mut fetched = Fetched {
            passed: passed.map(|(passed, _)| passed),
            skip: passed.map_or(0, |(_, skip)| skip),
            page,
            ids: elements.ids,
            fault: None,
        };
        if let Some(error) = fetched.cut(self.start.backwards, elements.refused) {
            fetched.fault = Some(reply.item_error(name, &error).of_item());
        }
        Ok(fetched)
    }
}

/// A page, cut to the items that are to be returned.
pub(super) struct Fetched<T> {
    pub(super) page: Page<T>,
    /// The ids of all items.
    pub(super) ids: Ids,
    /// The number of items, in the direction of travel, that were passed before; `None` if
    /// the last of them is not in this page. Then no item is to be returned.
    pub(super) passed: Option<usize>,
    /// The number of items without an id that are to be passed in the next page.
    pub(super) skip: usize,
    /// What ends the iteration after the page's items: the next one cannot be read.
    pub(super) fault: Option<Error>,
}

impl<T> Fetched<T> {
    /// Removes the items that were passed before, and those from the next one on that
    /// cannot be read. Returns why it cannot.
    fn cut(&mut self, backwards: bool, mut refused: Vec<(usize, JsonError)>) -> Option<JsonError> {
        let count = self.ids.len();
        // Where they are in the direction of travel.
        if backwards {
            for (index, _) in &mut refused {
                *index = count - 1 - *index;
            }
            refused.reverse();
        }
        let from = self.passed.unwrap_or(count);
        let passed = refused.iter().take_while(|(at, _)| *at < from).count();
        let fault = refused.into_iter().nth(passed);
        let to = fault.as_ref().map_or(count, |(at, _)| *at);
        let data = &mut self.page.data;
        if backwards {
            data.truncate(data.len().saturating_sub(from - passed));
            data.drain(..data.len().saturating_sub(to - from));
        } else {
            data.drain(..data.len().min(from - passed));
            data.truncate(to - from);
        }
        fault.map(|(_, error)| error)
    }
}

impl<T> Edge<T> {
    /// The call, for messages.
    pub(super) fn call_name(&self) -> String {
        self.redacted(&format!("GET {}", self.path.as_deref().unwrap_or_default()))
    }

    /// Hides the secrets. A link that was used as a cursor contains them.
    pub(super) fn redacted(&self, text: &str) -> String {
        redact(text, &self.client.secrets())
    }

    /// A position that can be written down.
    pub(super) fn without_secrets(&self, mut position: Position) -> Position {
        let texts = match &mut position.at {
            At::Start | At::End => Vec::new(),
            At::Cursor(cursor) => vec![cursor],
            At::Link(link) => link.iter_mut().map(|(_, value)| value).collect(),
        };
        for text in texts.into_iter().chain(&mut position.item) {
            *text = self.redacted(text);
        }
        position
    }

    /// A hash of what the request for the next page asks for.
    pub(super) fn place_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        if let At::Cursor(cursor) = &self.start.at {
            cursor.hash(&mut hasher);
            return hasher.finish();
        }
        let empty = Vec::new();
        let link = match &self.start.at {
            At::Link(link) => link,
            _ => &empty,
        };
        for name in LINK_PARAMS {
            let set = link.iter().find(|(set, _)| *set == name);
            let own = self.params.iter().find(|(own, _)| own == name);
            let value = set.map(|(_, value)| value).or(own.map(|(_, value)| value));
            value.hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl<T> Clone for Edge<T> {
    fn clone(&self) -> Edge<T> {
        Edge {
            client: self.client.clone(),
            path: self.path.clone(),
            fields: self.fields.clone(),
            params: self.params.clone(),
            page_size: self.page_size,
            start: self.start.clone(),
            by_cursor: self.by_cursor,
            max_page_size: self.max_page_size,
            reduced: self.reduced,
            item: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Edge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |text: &str| self.redacted(text);
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
            .field("fields", &show(&self.fields.to_string()))
            .field("params", &params)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}
