//! The smallest honest way to read an Instagram account: one [`Api`], blocking
//! calls, lean structs, a lazy iterator over cursor pages, TLS included.
//!
//! ```no_run
//! use mingram::{Api, MediaField as F};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let api = Api::new(std::env::var("INSTAGRAM_TOKEN")?);
//!     println!("{}", api.me(&[])?.id);
//!     let feed = api.my_media(&[F::Id, F::Caption, F::MediaUrl, F::Children(F::CHILD)]);
//!     for media in feed.limit(100) {
//!         let media = media?;
//!         println!("{} {}", media.id, media.caption.unwrap_or_default());
//!     }
//!     Ok(())
//! }
//! ```
//!
//! It reads professional accounts through the *Instagram API with Instagram
//! Login* at `graph.instagram.com`. That API kept the paths and fields of the
//! *Basic Display API*, which Meta shut down on 2024-12-04; the same structs
//! serve both.
//!
//! # Which call
//!
//! | to read | call | answers |
//! |---|---|---|
//! | one's own profile | [`Api::me`] | [`User`] |
//! | a user by id | [`Api::user`] | [`User`] |
//! | one's own media | [`Api::my_media`] | [`Edge`] of [`Media`] |
//! | a user's media | [`Api::user_media`] | [`Edge`] of [`Media`] |
//! | one media | [`Api::media`] | [`Media`] |
//! | an album's pictures and videos | [`Api::children`] | [`Edge`] of [`Media`] |
//! | anything else | [`Api::get`], [`Api::edge`] | a type of yours |
//! | a file | [`Api::download`], [`Api::file`] | bytes, verified |
//! | a token for a login's code | [`App`], [`Code`], [`Api::exchange_code`] | [`ShortLivedToken`] |
//! | a token that lasts | [`Api::exchange_token`], [`Api::refresh_token`] | [`LongLivedToken`] |
//!
//! With no fields given, `fields` is left out and the service answers ids
//! alone. An [`Edge`] is iterated over item by item ([`Items`]) or page by page
//! ([`Pages`]).
//!
//! # What a call costs
//!
//! - A call is one request over a connection of its own: a TCP and a TLS
//!   handshake, the TLS session resumed from the second on. The feature
//!   `keep-alive` uses connections again, and a program that wants something
//!   else plugs in its own [`Transport`].
//! - A feed of *n* items takes as many requests as it has pages, and none before
//!   the first item is asked for: the service gives 25 to a page, and up to 100
//!   where [`Edge::limit`] asks for them.
//! - It holds one reply at a time, 8 MiB at most
//!   ([`Api::with_body_limit`]), then one page of structs; eight bytes for each
//!   page that went before. A download goes through 32 KiB.
//! - The default transport runs each request on a thread of minreq's, up to the
//!   headers of the reply, to keep its time, and reads a body that comes over TLS
//!   on one of its own. There are no threads otherwise, and no state outside the
//!   `Api`.
//!
//! # When it fails
//!
//! Every call answers one [`Error`]: a line that says what happened and what to
//! do, a [`kind`](Error::kind), the service's own words in [`ApiError`], and
//! predicates from its numeric codes. A document with an `error` in it is an
//! error at any status. An iterator ends after its first error and says where to
//! go on. Reads are tried again twice where the reason may pass
//! ([`Api::with_retries`]); a rate limit is reported with the time to wait.
//!
//! A [`Token`] is a secret: it goes to the configured host alone, over https (or
//! to a loopback address), follows no redirect to another origin, and appears
//! in no `Debug`, `Display` or error, not even where a server sends it back. What
//! is data stays data: a caption or a cursor that quotes a token prints as it is.
//!
//! # Limits
//!
//! | what | default | set by |
//! |---|---|---|
//! | time for an attempt of a call | 30 s | [`Api::with_timeout`] |
//! | time for a download | 1 h | [`Api::with_download_timeout`] |
//! | body of a reply | 8 MiB | [`Api::with_body_limit`] |
//! | headers of a reply | 64 KiB | |
//! | address of a request | 32 KiB | |
//! | redirects | 5 | |
//! | retries, each after 0.25 to 8 s | 2 | [`Api::with_retries`] |
//! | empty pages in a row | 100 | |
//! | a token, secret or code | 4096 bytes | |
//! | media of a user, by the service | 10,000 newest | |
//! | a file on a 32-bit machine, by minreq | under 4 GiB | `keep-alive` |
//!
//! # Features
//!
//! - `https` (default): TLS with the Mozilla root certificates, compiled in.
//! - `platform-roots`: TLS with the machine's own root certificates; honours
//!   `SSL_CERT_FILE`. Choose it with `default-features = false`: where both are
//!   on, the Mozilla roots are used.
//!
//! - `keep-alive`: requests go over ureq instead of minreq, which keeps
//!   connections and uses them again: over a slow link a page then costs one
//!   round trip and not three or four. It brings TLS along, with the Mozilla
//!   roots (or the machine's, where `platform-roots` is on and `https` is not).
//!   Choose it with `default-features = false`.
//!
//! With none of them, plain http to a loopback address is all there is. Where the
//! program has installed no rustls crypto provider when the first https call is
//! made, ring's is installed, for clients only: it reads no private keys, which
//! keeps programs small. A program that serves TLS installs its own first.
//!
//! # What it does not do
//!
//! No async, no scraping, no publishing or messaging, no login with a password,
//! no IPv6 literals in addresses (minreq cannot read them), no proxies, and no
//! `unsafe`.
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
mod reply;
mod retry;
mod secret;
mod slot;
mod token;
mod token_file;
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
pub use token_file::{Refresh, RefreshOutcome, TokenFile};
pub use transport::{DefaultTransport, Method, Request, Response, Transport};
pub use usage::{AppUsage, BusinessUsage, Usage};

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
