//! draft
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod api;
mod call;
mod download;
mod edge;
mod error;
mod fields;
mod model;
mod page;
mod query;
mod redact;
mod retry;
mod secret;
mod slot;
mod token;
mod transport;
mod usage;
mod value;

pub use api::Api;
pub use download::{Body, Download};
pub use edge::{Edge, Items, Pages};
pub use error::{ApiError, Error, ErrorKind, Result};
pub use fields::{MediaField, UserField};
pub use model::{AccountType, Media, MediaProductType, MediaType, Owner, User, url_expires};
pub use page::{Cursors, Page};
pub use retry::{Clock, SystemClock};
pub use token::{App, Code, Login, LongLivedToken, ShortLivedToken, Token};
pub use transport::{Method, Request, Response, Transport};
pub use usage::{AppUsage, BusinessUsage, Usage};
