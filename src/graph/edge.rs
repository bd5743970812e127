//! A request for an edge.

use super::page::Page;
use crate::client::client::Client;
use crate::error::Result;
use crate::redact::redact;
use crate::timestamp::to_unix;
use miniserde::Deserialize;
use std::any::type_name;
use std::fmt;
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
/// for media in api.my_media(&[]).page_size(100) {
///     println!("{}", media?.id);
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing is sent until it is iterated over"]
pub struct Edge<T> {
    client: Arc<Client>,
    path: Option<String>,
    fields: String,
    params: Vec<(String, String)>,
    page_size: Option<u32>,
    /// Where the next page starts; `None` for the first page.
    pub(super) cursor: Option<String>,
    /// The cursor is the end of the next page, not its start.
    pub(super) backwards: bool,
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
    /// Half of the size in use, which is `full` unless it is reduced; `None` if that
    /// was 1.
    fn halve(reduced: Option<Reduced>, full: u32) -> Option<Reduced> {
        let size = reduced.map_or(full, |reduced| reduced.size) / 2;
        (size > 0).then_some(Reduced { size, pages: 0 })
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
    pub(crate) fn new(client: &Arc<Client>, path: Option<String>, fields: String) -> Edge<T> {
        Edge {
            client: client.clone(),
            path,
            fields,
            params: Vec::new(),
            page_size: None,
            cursor: None,
            backwards: false,
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
    /// are not known to work. A page may contain fewer items.
    ///
    /// If the service refuses a page as [too much data](crate::Error::is_too_much_data),
    /// iterators request half as many items from the same cursor, down to 1. After eight
    /// pages they double it again, up to this number.
    ///
    /// To limit the total number of items, use [`take`](Edge::take).
    pub fn page_size(mut self, items: u32) -> Edge<T> {
        self.page_size = Some(items);
        self
    }

    /// Starts after this cursor and continues with older items. Overrides
    /// [`before`](Edge::before).
    pub fn after(mut self, cursor: impl Into<String>) -> Edge<T> {
        self.cursor = Some(cursor.into());
        self.backwards = false;
        self
    }

    /// Starts before this cursor and continues **backwards**, with newer items, page by
    /// page along `previous`. [`Items`](crate::Items) are then returned in reverse, the
    /// one next to the cursor first; the items within [`Pages`](crate::Pages) stay in
    /// the service's order. Overrides [`after`](Edge::after).
    pub fn before(mut self, cursor: impl Into<String>) -> Edge<T> {
        self.cursor = Some(cursor.into());
        self.backwards = true;
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
    /// it. `after` and `before` act like the methods of that name, and `fields`
    /// replaces the fields that the edge was created with.
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

    /// Sets the page size for `items` items in total, unless it is set.
    pub(super) fn page_size_for(mut self, items: usize) -> Edge<T> {
        let size = items.clamp(1, self.max_page_size as usize) as u32;
        self.page_size.get_or_insert(size);
        self
    }

    /// Requests the page at the cursor. If it is too much data, requests a smaller one.
    pub(super) fn fetch(&mut self) -> Result<Page<T>> {
        // A limit that is not a number is a parameter like others, and cannot be halved.
        let is_number = self.params.iter().all(|(name, _)| name != "limit");
        let full = self
            .page_size
            .unwrap_or(if is_number { DEFAULT_PAGE_SIZE } else { 0 });
        loop {
            let page = self.fetch_once();
            match &page {
                Ok(_) => {
                    self.reduced = self.reduced.and_then(|reduced| reduced.count(full));
                }
                Err(error) if error.is_too_much_data() => {
                    let half = Reduced::halve(self.reduced, full);
                    if half.is_some() {
                        self.reduced = half;
                        continue;
                    }
                }
                Err(_) => {}
            }
            return page;
        }
    }

    fn fetch_once(&self) -> Result<Page<T>> {
        let size = self.reduced.map(|reduced| reduced.size).or(self.page_size);
        let size = size.map(|size| size.to_string());
        let mut params = vec![("fields", self.fields.as_str())];
        params.extend(size.as_deref().map(|size| ("limit", size)));
        params.extend(self.params.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        if let Some(cursor) = &self.cursor {
            params.push((if self.backwards { "before" } else { "after" }, cursor));
        }
        let path = self.path.as_deref();
        let call = self.client.graph_call(path, &params)?;
        let name = type_name::<Page<T>>();
        let (mut page, usage): (Page<T>, _) =
            self.client.send(&call, |reply| reply.parse(&call, name))?;
        page.usage = usage;
        Ok(page)
    }
}

impl<T> Edge<T> {
    /// The call, for messages.
    pub(super) fn call_name(&self) -> String {
        self.redacted(&format!("GET {}", self.path.as_deref().unwrap_or_default()))
    }

    /// Masks the token. A link that was used as a cursor contains it.
    pub(super) fn redacted(&self, text: &str) -> String {
        redact(text, &[self.client.token.expose()])
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
            cursor: self.cursor.clone(),
            backwards: self.backwards,
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
            .field("fields", &show(&self.fields))
            .field("params", &params)
            .field("cursor", &self.cursor.as_deref().map(show))
            .field("backwards", &self.backwards)
            .finish_non_exhaustive()
    }
}
