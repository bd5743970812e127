//! Where an iteration over an edge stopped, as a value and as text.

use crate::error::{Error, Result};
use crate::http::query::{decode, pairs, push_param};
use crate::json::reader::Ids;
use std::fmt;
use std::str::FromStr;

/// The parameters by which a link leads to another page without a cursor: those of paging
/// by time and by offset (Meta's *Paginated Results* page).
pub(super) const LINK_PARAMS: [&str; 5] =
    ["since", "until", "__paging_token", "__previous", "offset"];

/// What every position begins with as text: the version of the format.
const VERSION: &str = "v1";

/// Where a page of an edge is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum At {
    /// The first one.
    #[default]
    Start,
    /// The one at a cursor.
    Cursor(String),
    /// The one that a link leads to, by these of the [`LINK_PARAMS`].
    Link(Vec<(&'static str, String)>),
    /// The end: there is no page.
    End,
}

/// Where an iteration stopped. [`Items::position`](crate::Items::position) and
/// [`Pages::position`](crate::Pages::position) return it, and
/// [`Edge::resume`](crate::Edge::resume) continues there.
///
/// It consists of a page, which is found by its cursor or by the times of its link, and of
/// the id of the last item that was returned from that page. As text it is one line of
/// printable ASCII without spaces, longer than a cursor by some 30 bytes. It never contains
/// the access token.
///
/// ```
/// use mingram::Position;
///
/// # fn main() -> mingram::Result<()> {
/// let text = "v1&after=QVFIUmEx&item=17895695668004550";
/// let position: Position = text.parse()?;
/// assert_eq!(position.to_string(), text);
/// assert!("QVFIUmEx".parse::<Position>().is_err());
/// # Ok(()) }
/// ```
///
/// Do not keep it for long: a cursor becomes invalid when the item that it points to is
/// deleted (Meta's *Paginated Results* page).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Position {
    pub(super) at: At,
    pub(super) backwards: bool,
    /// The id of the last item passed that has one.
    pub(super) item: Option<String>,
    /// Which of the items with this id it is, counted from 1.
    nth: usize,
    /// The number of items without an id that were passed after it.
    pub(super) skip: usize,
    /// The item is in that page. Otherwise it is the last one before it, and may have moved
    /// to the page since.
    within: bool,
}

impl Position {
    pub(super) fn new(at: At, backwards: bool) -> Position {
        Position {
            at,
            backwards,
            item: None,
            nth: 1,
            skip: 0,
            within: false,
        }
    }

    /// In the page: after its first `passed` items. They count in the direction of travel,
    /// as everywhere here.
    pub(super) fn within(mut self, passed: usize, ids: &Ids) -> Position {
        let mut ids = self.travel(ids);
        ids.truncate(passed);
        let known = ids.iter().rposition(|id| !id.is_empty());
        self.skip = passed - known.map_or(0, |at| at + 1);
        if let Some(at) = known {
            self.nth = ids.iter().filter(|id| **id == ids[at]).count();
            self.item = Some(ids.swap_remove(at));
            self.within = true;
        }
        self
    }

    /// At the start of the page, unless it is inside already: after this last item of the
    /// one before.
    pub(super) fn after_last(mut self, last: Option<String>) -> Position {
        if self.item.is_none() && self.skip == 0 {
            self.item = last;
        }
        self
    }

    /// Whether other items are there once something was published.
    pub(super) fn is_counted(&self) -> bool {
        matches!(&self.at, At::Link(link) if link.iter().any(|(name, _)| *name == "offset"))
    }

    /// Whether items of the page were passed.
    pub(super) fn is_inside(&self) -> bool {
        self.within || self.skip > 0
    }

    /// The number of items of a page that were passed, and how many without an id are to
    /// be passed in the next page. `None` if the last item is not in this page.
    pub(super) fn passed(&self, ids: &Ids) -> Option<(usize, usize)> {
        let mut start = 0;
        if self.item.is_none() && self.skip == 0 {
            return Some((0, 0));
        }
        let ids = self.travel(ids);
        if let Some(item) = &self.item {
            let found = (0..ids.len()).filter(|at| ids[*at] == *item);
            match found.take(self.nth).last() {
                Some(at) => start = at + 1,
                None if self.within => return None,
                None => return Some((0, 0)),
            }
        }
        let skipped = ids[start..].iter().take(self.skip);
        let skipped = skipped.take_while(|id| id.is_empty()).count();
        let passed = start + skipped;
        let rest = if passed == ids.len() {
            self.skip - skipped
        } else {
            0
        };
        Some((passed, rest))
    }

    fn travel(&self, ids: &Ids) -> Vec<String> {
        let count = ids.len();
        let index = |at: usize| if self.backwards { count - 1 - at } else { at };
        (0..count).map(|at| ids.get(index(at))).collect()
    }

    /// The id of the last item that has one.
    pub(super) fn last(&self, ids: &Ids) -> Option<String> {
        let mut all = 0..ids.len();
        let id = |at| Some(ids.get(at)).filter(|id| !id.is_empty());
        match self.backwards {
            true => all.find_map(id),
            false => all.rev().find_map(id),
        }
    }
}

/// `v1&start`, `v1&end`, `v1&after=CURSOR&item=ID`, `v1&next&until=5&last=ID` and so on.
/// `item` is within the page, `last` before it.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = VERSION.to_owned();
        match (&self.at, self.backwards) {
            (At::Start, _) => text.push_str("&start"),
            (At::End, _) => text.push_str("&end"),
            (At::Cursor(cursor), false) => push_param(&mut text, "after", cursor),
            (At::Cursor(cursor), true) => push_param(&mut text, "before", cursor),
            (At::Link(_), false) => text.push_str("&next"),
            (At::Link(_), true) => text.push_str("&previous"),
        }
        if let At::Link(params) = &self.at {
            for (name, value) in params {
                push_param(&mut text, name, value);
            }
        }
        if let Some(item) = &self.item {
            push_param(&mut text, if self.within { "item" } else { "last" }, item);
        }
        for (name, number, default) in [("nth", self.nth, 1), ("skip", self.skip, 0)] {
            if number != default {
                push_param(&mut text, name, &number.to_string());
            }
        }
        f.write_str(&text)
    }
}

/// Reads what `Display` writes; white space around it is ignored. Anything else is
/// [`InvalidInput`](crate::ErrorKind::InvalidInput).
impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Position> {
        let text = text.trim_ascii();
        match read(text) {
            // Whatever is missing, unknown, out of order or encoded in another way.
            Some(position) if position.to_string() == text => Ok(position),
            _ => Err(Error::invalid(
                "the text is not a position, or not a complete one: pass the text of a \
                 `Position` unchanged, or start from the beginning",
            )),
        }
    }
}

fn read(text: &str) -> Option<Position> {
    let mut parts = pairs(text).map(|(name, value)| (name, decode(value)));
    parts.next().filter(|(name, _)| *name == VERSION)?;
    let (name, cursor) = parts.next()?;
    let (at, backwards) = match name {
        "start" => (At::Start, false),
        "end" => (At::End, false),
        "after" => (At::Cursor(cursor), false),
        "before" => (At::Cursor(cursor), true),
        "next" => (At::Link(Vec::new()), false),
        "previous" => (At::Link(Vec::new()), true),
        _ => return None,
    };
    let mut position = Position::new(at, backwards);
    for (name, value) in parts {
        match (name, &mut position.at) {
            ("item" | "last", _) => {
                position.within = name == "item";
                position.item = Some(value);
            }
            ("nth", _) => position.nth = value.parse().ok().filter(|nth| *nth > 0)?,
            ("skip", _) => position.skip = value.parse().ok()?,
            (name, At::Link(params)) => {
                let name = LINK_PARAMS.into_iter().find(|known| *known == name)?;
                params.push((name, value));
            }
            _ => return None,
        }
    }
    let is_link = !matches!(&position.at, At::Link(params) if params.is_empty());
    is_link.then_some(position)
}

/// Without the cursor, which may be a link with a token in it.
impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = match (&self.at, self.backwards) {
            (At::Start, _) => "the first",
            (At::End, _) => "none, the end",
            (At::Cursor(_), false) => "after a cursor",
            (At::Cursor(_), true) => "before a cursor",
            (At::Link(_), _) => "at a link",
        };
        f.debug_struct("Position")
            .field("page", &page)
            .field("item", &self.item)
            .finish_non_exhaustive()
    }
}
