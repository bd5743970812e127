//! A small blocking client for reading an Instagram account: one [`Api`] struct, lean
//! types, lazy iteration over cursor pages, TLS included.
//!
//! ```no_run
//! use mingram::{Api, MediaField};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let api = Api::new(std::env::var("INSTAGRAM_TOKEN")?);
//!     println!("{}", api.me("id")?.id);
//!     for media in api.my_media(MediaField::WITH_CHILDREN).take(30) {
//!         let media = media?;
//!         println!("{} {}", media.id, media.caption.unwrap_or_default());
//!     }
//!     Ok(())
//! }
//! ```
//!
//! mingram reads professional accounts through the *Instagram API with Instagram Login*
//! at `graph.instagram.com`. That API kept the paths and fields of the *Basic Display API*,
//! which Meta shut down on 2024-12-04; the same types serve both.
//!
//! # Calls
//!
//! | to read | call | returns |
//! |---|---|---|
//! | your own profile | [`Api::me`] | [`User`] |
//! | a user by id | [`Api::user`] | [`User`] |
//! | your own media | [`Api::my_media`] | [`Edge`] of [`Media`] |
//! | a user's media | [`Api::user_media`] | [`Edge`] of [`Media`] |
//! | one media | [`Api::media`] | [`Media`] |
//! | the images and videos of an album | [`Api::children`] | [`Edge`] of [`Media`] |
//! | your own stories | [`Api::my_stories`] | [`Edge`] of [`Media`] |
//! | the comments on a media | [`Api::comments`] | [`Edge`] of [`comments::Comment`] |
//! | the replies to a comment | [`Api::replies`] | [`Edge`] of [`comments::Comment`] |
//! | the numbers of a media, or of your account | [`Api::media_insights`], [`Api::my_insights`] | [`insights::Insight`]s |
//! | anything else | [`Api::node`], [`Api::edge`] | your own type |
//! | a picture or video | [`Api::download`] | [`download::Download`], verified |
//! | a token for a login's code | [`auth::App`], [`auth::State`], [`auth::Code`], [`Api::exchange_code`] | [`auth::ShortLivedToken`] |
//! | a token valid for 60 days | [`Api::exchange_token`], [`Api::refresh_token`] | [`auth::LongLivedToken`] |
//! | that token, kept alive | [`auth::TokenFile::refresh_if_due`], [`auth::LongLivedToken::refresh_if_due`] | [`auth::Refresh`] |
//!
//! Calls take [`Fields`]: a set such as [`MediaField::BASIC`], your own list of [`MediaField`]s,
//! or text. With no fields (`""`), the service returns only ids. Iterate over an [`Edge`] item
//! by item ([`Items`]) or page by page ([`Pages`]).
//!
//! # Cost of a call
//!
//! - A call is one request, besides redirects and retries, over a new connection: a TCP and a
//!   TLS handshake, with the TLS session resumed from the second call on. With the feature
//!   `keep-alive` connections are reused. You can also set your own
//!   [`Transport`](transport::Transport).
//! - With `keep-alive`, a router may have forgotten a connection, and then no side is told. So
//!   one that was idle for 2 s or longer has a quarter of the timeout, at most 3 s, to begin
//!   its reply; then it is dropped with the others to this host, and the request is sent over
//!   a new one. A server that is only slow gets such a request twice. Login calls always use
//!   a new connection.
//! - Iterating sends one request per page, and none before the first item is requested. More
//!   are sent for pages that are refused as too much data, and to find the place to resume at.
//!   The service returns 25 items per page, or up to 100 with [`Edge::page_size`].
//! - One reply is in memory at a time, at most 8 MiB ([`Api::with_body_limit`]), then one
//!   page of structs, plus eight bytes for each earlier page. A download uses 32 KiB.
//! - With the feature `gzip` a page of media takes about a quarter of the bytes; reading it
//!   uses 51 KiB more.
//! - With minreq, a request takes two helper threads until its headers arrive and one while
//!   its body is read, to enforce the timeouts. With `keep-alive` a thread runs only while a
//!   host name is looked up. There are no other threads. An `Api` shares its state only with
//!   its clones; but minreq has one TLS configuration, with its sessions, per process.
//!
//! # Errors
//!
//! Every call returns the same [`Error`]: one line that says what failed and what to do,
//! an [`ErrorKind`], the service's error object ([`ApiError`]), and predicates based on its
//! numeric codes, and on its words if a code has several meanings. Print it alone: the line is
//! complete, without its causes. A document with an `error` object is an error at any status.
//!
//! Iterators stop at the first error; `position()` tells you where to resume. Transient
//! failures of reads are retried up to twice ([`Api::with_retries`]). A page that the service
//! refuses as too much data is requested again in smaller pages ([`Edge::page_size`]). Rate
//! limits are reported with the time to wait ([`Error::retry_after`]); [`Api::with_pace`] waits
//! before a call. [`Api::with_observer`] reports each request, retry and wait.
//!
//! A [`Token`] is a secret. It is sent only to the configured host, over https or to a
//! loopback address, and never follows a redirect to another origin. It does not appear in
//! `Debug`, `Display` or errors: a message that echoes eight consecutive characters of it, or
//! something else that looks like a token, is replaced by `(not shown: it contains a secret)`.
//! Data is not altered: a caption or cursor that contains the token is returned as it is.
//!
//! # Limits
//!
//! | what | default | set with |
//! |---|---|---|
//! | time for a request until the headers of its reply, and for each silence in the body | 30 s | [`Api::with_timeout`] |
//! | time for one attempt of a call | five times the above | [`Api::with_timeout`] |
//! | time that a download spends waiting, in all its attempts | 1 h | [`Api::with_download_timeout`] |
//! | pauses of the program within a download, by minreq | 1 h | feature `keep-alive` |
//! | body of a reply, decoded | 8 MiB | [`Api::with_body_limit`] |
//! | arrays and objects in a reply | 100,000 | |
//! | nesting of arrays and objects in a reply | 128 levels | |
//! | headers of a reply | 64 KiB | |
//! | URL of a request | 32 KiB | |
//! | redirects | 5 | |
//! | retries, each after 0.25 to 8 s, at most 10 | 2 | [`Api::with_retries`] |
//! | wait for a rate limit before a call | none | [`Api::with_pace`] |
//! | age of rate-limit percentages | 1 h | |
//! | age of a time to wait for a rate limit | 1 day | |
//! | consecutive empty pages | 100 | |
//! | items of a page that cannot be read, each an error of its own | 100 | |
//! | items searched for the one to resume after | about 1,000 | |
//! | a token, client secret or code | 4096 bytes | |
//! | media of a user, by the service | 10,000 newest | |
//! | a file on a 32-bit machine, by minreq | under 4 GiB | feature `keep-alive` |
//!
//! # Features
//!
//! - `https` (default): TLS with Mozilla's root certificates, compiled in. Requests are sent
//!   with minreq.
//! - `platform-roots`: TLS with the machine's root certificates; honours `SSL_CERT_FILE`. They
//!   are used instead of Mozilla's whatever else is enabled. Requests are sent with minreq, or
//!   if `https` or `keep-alive` is enabled too, with mingram's own client: minreq takes no
//!   configuration and prefers Mozilla's roots.
//! - `keep-alive`: sends requests with an HTTP client of mingram's own instead of minreq and
//!   reuses connections, so that over a slow link a page costs one round trip instead of
//!   three or four. Recommended for programs that run unattended: the README lists the
//!   defects of minreq that it avoids. Includes TLS with Mozilla's roots, or with the
//!   machine's if `platform-roots` is enabled, or with
//!   [your own](transport::DefaultTransport#method.with_roots). Use it with
//!   `default-features = false`: with `https` it works the same, but cargo compiles minreq's TLS,
//!   with aws-lc, for nothing.
//! - `gzip`: calls ask for replies in gzip, and read them. For metered and slow links: a page
//!   of media is a quarter as long. Logins, whose replies are short, and files, which are
//!   compressed already, do not ask for it. Adds the packages `miniz_oxide` and `adler2`.
//! - `serde`: [serde](https://serde.rs)'s `Serialize` and `Deserialize` for the data types, in
//!   addition to miniserde's, under the service's keys and by the same rules: `null` is
//!   absent, unknown keys are ignored. For self-describing formats such as JSON, and for
//!   template engines. A [`Page`] has them if its items have miniserde's traits. Calls read your
//!   own types with miniserde, or with serde as a `Serde<T>`. Adds the package `serde_core`.
//!
//! Without features only plain http to a loopback address works.
//!
//! TLS is version 1.2 or 1.3 with AES-GCM or ChaCha20-Poly1305, and P-256 or P-384. The
//! suite that the processor is fastest at is offered first: AES-128 if it has AES
//! instructions, otherwise ChaCha20-Poly1305 (always on 32-bit ARM). On x86-64
//! ChaCha20-Poly1305 is left out to keep programs small: nearly every such processor has
//! AES instructions. rustls's own verifier checks the certificates, without
//! revocation lists.
//!
//! The crypto provider is assembled from ring's parts, without the code for private
//! keys, which keeps programs small. minreq cannot be configured: if the program has not
//! installed a rustls crypto provider before the first https call, this one becomes the
//! process default. A program that serves TLS must install its own provider first.
//!
//! # Not supported
//!
//! Async, scraping, publishing, messaging, password login, proxies, HTTP compression other than
//! gzip. IPv6 literals in URLs need the feature `keep-alive`.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// In Cargo.toml these would also apply to tests and examples, which print and share
// modules by path.
#![warn(missing_debug_implementations, unreachable_pub)]
#![warn(clippy::exit, clippy::print_stderr, clippy::print_stdout)]

mod api;
mod atomic_file;
mod error;
mod lock;
mod redact;
mod timestamp;
mod token_file;

/// The service's objects: nodes, fields, edges and paging.
mod graph {
    pub(crate) mod comment;
    pub(crate) mod edge;
    pub(crate) mod fields;
    pub(crate) mod insight;
    pub(crate) mod media;
    mod node;
    pub(crate) mod page;
    pub(crate) mod paging;
    pub(crate) mod position;
    pub(crate) mod user;
}

/// How a call is made: sending, redirects, retries, and reading the reply.
mod client {
    pub(crate) mod body;
    pub(crate) mod call;
    #[expect(clippy::module_inception, reason = "its struct is `Client`")]
    pub(crate) mod client;
    pub(crate) mod event;
    mod redirect;
    pub(crate) mod reply;
    pub(crate) mod retry;
    pub(crate) mod timed;
    pub(crate) mod usage;
}

/// Access tokens: logging in, token lifetimes, and the token file.
pub mod auth {
    pub(crate) mod age;
    pub(crate) mod login;
    mod secret;
    pub(crate) mod state;
    pub(crate) mod token;

    pub use crate::api::refresh::{Refresh, RefreshOutcome};
    pub use crate::token_file::TokenFile;
    pub use login::{App, Code, Login};
    pub use state::State;
    pub use token::{LongLivedToken, ShortLivedToken};
}

/// Pictures and videos: what [`Api::download`] returns, and what its calls return.
pub mod download {
    mod content;
    #[expect(clippy::module_inception, reason = "its struct is `Download`")]
    mod download;
    mod partial;
    mod version;

    pub use download::{Body, Download, Resume, Resumed, Saved, Unless};
    pub use partial::Part;
    pub use version::FileVersion;
}

/// The comments on a media: what [`Api::comments`] and [`Api::replies`] request and return.
pub mod comments {
    pub use crate::graph::comment::{Comment, CommentAuthor, CommentField, CommentMedia};
}

/// HTTP: the transports, their error messages, URLs and query strings.
mod http {
    pub(crate) mod coding;
    pub(crate) mod default_transport;
    mod failure;
    #[cfg(feature = "gzip")]
    mod gzip;
    pub(crate) mod query;
    pub(crate) mod record;
    pub(crate) mod replay;
    mod system;
    pub(crate) mod transport;
    pub(crate) mod url;

    // The features that bring TLS.
    #[cfg(any(feature = "https", feature = "platform-roots", feature = "keep-alive"))]
    pub(crate) mod tls;
    #[cfg(not(any(feature = "https", feature = "platform-roots", feature = "keep-alive")))]
    #[path = "without_tls.rs"]
    pub(crate) mod tls;

    // Mingram's own client, also where minreq would have to choose between two sources of root
    // certificates; it would not take the machine's.
    #[cfg(any(
        feature = "keep-alive",
        all(feature = "https", feature = "platform-roots")
    ))]
    mod direct;
    #[cfg(not(any(
        feature = "keep-alive",
        all(feature = "https", feature = "platform-roots")
    )))]
    mod minreq;
    #[cfg(any(
        feature = "keep-alive",
        all(feature = "https", feature = "platform-roots")
    ))]
    use direct::Direct as Inner;
    #[cfg(not(any(
        feature = "keep-alive",
        all(feature = "https", feature = "platform-roots")
    )))]
    use minreq::Minreq as Inner;
}

/// The numbers of a media or of the account: what
/// [`Api::media_insights`] and [`Api::my_insights`] request and return.
pub mod insights {
    pub use crate::graph::insight::{
        Breakdown, Dimension, Group, Insight, Metric, MetricType, Period, Point, Query, Timeframe,
        Total, Value,
    };
}

/// JSON: reading it, and the rules for optional fields.
mod json {
    mod float;
    pub(crate) mod lenient;
    pub(crate) mod reader;
    #[cfg(feature = "serde")]
    pub(crate) mod serde;
    #[cfg(feature = "serde")]
    mod tree;
    pub(crate) mod value;
    pub(crate) mod words;
}

/// Sending requests your own way, recording and playing them, waiting between them, and
/// observing all that.
pub mod transport {
    pub use crate::client::event::Event;
    pub use crate::client::retry::{Clock, SystemClock};
    pub use crate::http::default_transport::DefaultTransport;
    pub use crate::http::record::{Fixture, Record};
    pub use crate::http::replay::Replay;
    pub use crate::http::transport::{Method, Request, Response, Transport};
}

pub use api::Api;
pub use auth::token::Token;
pub use client::usage::{AppUsage, BusinessUsage, Usage};
pub use error::{ApiError, Error, ErrorKind, Result};
pub use graph::edge::Edge;
pub use graph::fields::Fields;
pub use graph::media::{
    Media, MediaAudioType, MediaField, MediaProductType, MediaType, Owner, url_expires_at,
};
pub use graph::page::{Cursors, Page};
pub use graph::paging::{Items, Pages};
pub use graph::position::Position;
pub use graph::user::{AccountType, User, UserField};
#[cfg(feature = "serde")]
pub use json::serde::Serde;
pub use json::words::Word;
pub use miniserde;

/// Compiles the programs in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// A setting that is dropped does nothing, and the compiler says so.
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// mingram::Api::new("x").with_retries(0);
/// ```
/// ```compile_fail
/// #![deny(unused_must_use)]
/// mingram::Api::new("x").my_media("").page_size(9);
/// ```
/// ```compile_fail
/// #![deny(unused_must_use)]
/// mingram::auth::App::new("1", "SECRET", "https://x").with_force_reauth(true);
/// ```
/// ```compile_fail
/// #![deny(unused_must_use)]
/// mingram::insights::Query::new(&[mingram::insights::Metric::Views]).param("period", "day");
/// ```
/// ```compile_fail
/// #![deny(unused_must_use)]
/// mingram::Error::new(mingram::ErrorKind::Io, "x").with_source("y");
/// ```
/// ```compile_fail
/// #![deny(unused_must_use)]
/// mingram::Api::new("x").download("https://x").accept_any_type();
/// ```
#[cfg(doctest)]
struct MustUse;
