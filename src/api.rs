//! The `Api` struct: settings, and one short method per call.

use crate::auth::token::Token;
use crate::client::client::Client;
use crate::client::event::Event;
use crate::client::reply::Reply;
use crate::client::retry::{Clock, MAX_RETRIES};
use crate::client::usage::Usage;
use crate::download::Download;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::comment::Comment;
use crate::graph::edge::Edge;
use crate::graph::fields::Fields;
use crate::graph::insight::{Insight, Insights, Query};
use crate::graph::media::Media;
use crate::graph::user::User;
use crate::http::query::{encoded_path, node_path};
use crate::http::transport::Transport;
use crate::json::lenient::{InData, Lenient};
use miniserde::Deserialize;
use std::any::type_name;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

mod login;
pub(crate) mod refresh;

/// The most comments per page, by the service (Meta's reference, *Media comments*).
const MAX_COMMENTS: u32 = 50;

/// An Instagram account, read through the API at `graph.instagram.com`.
///
/// Calls block until the reply has arrived. An `Api` is `Send` and `Sync`. Cloning is cheap: it
/// is a single pointer. Clones share the transport, the clock, the observer and the latest
/// [`usage`](Api::usage); changing a setting affects only that `Api` and its later clones.
///
/// ```no_run
/// use mingram::{Api, MediaField as F};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let api = Api::new(std::env::var("INSTAGRAM_TOKEN")?)
///     .with_version("v25.0")
///     .with_timeout(Duration::from_secs(10));
/// let me = api.me("id,username")?;
/// for media in api.my_media([F::Id, F::Caption, F::MediaUrl]).take(30) {
///     println!("{:?}", media?.caption);
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Every call may fail with these errors, which are not repeated below: an invalid
/// setting or argument ([`InvalidInput`](crate::ErrorKind::InvalidInput); nothing was
/// sent), a [network](crate::Error::is_network) or TLS failure, a reply that is too
/// large, is not HTTP, is not JSON or is not of the requested type, and an error object
/// of the service ([`Api`](crate::ErrorKind::Api)), whatever its HTTP status.
#[derive(Clone)]
#[must_use = "a setting makes a new `Api`, and nothing is sent until a call"]
pub struct Api {
    client: Arc<Client>,
}

impl Api {
    /// Creates an `Api` for the account of this access token. The first call rejects a
    /// malformed token; [`Token::check`] rejects it immediately.
    pub fn new(token: impl Into<Token>) -> Api {
        Api {
            client: Arc::new(Client::new(token.into())),
        }
    }

    /// Creates an `Api` without a token, for [`exchange_code`](Api::exchange_code) and
    /// downloads. Other calls fail.
    pub fn without_token() -> Api {
        Api::new("")
    }

    fn set(mut self, change: impl FnOnce(&mut Client)) -> Api {
        change(Arc::make_mut(&mut self.client));
        self
    }

    /// Uses the same settings for another account, with a [`usage`](Api::usage) of its
    /// own.
    pub fn with_token(self, token: impl Into<Token>) -> Api {
        self.set(|client| {
            client.token = token.into();
            client.limits = Arc::default();
        })
    }

    /// A parameter that every call to the [graph host](Api::with_base_url) carries, such as
    /// `locale`, or `appsecret_proof` for apps with *Require App Secret* (Meta's page
    /// graph-api/guides/secure-requests, which is about graph.facebook.com; whether Instagram's
    /// host asks for it is not known). Default: none. Setting a name again replaces its value.
    ///
    /// It is sent with nodes, edges and insights, and, since a proof goes with every use of a
    /// token, with [`exchange_token`](Api::exchange_token) and
    /// [`refresh_token`](Api::refresh_token). It is not sent to other hosts: not with
    /// [`exchange_code`](Api::exchange_code) and downloads. A parameter of the same name that
    /// the call itself has, for example by [`Edge::param`], is sent instead.
    ///
    /// [`with_token`](Api::with_token) keeps it: a proof is that of one token, so set it again
    /// for another one. A value of eight bytes or more counts as a secret, and is hidden in
    /// messages as the token is.
    ///
    /// The name has letters, digits, `_` and `-`. Another one is
    /// [`InvalidInput`](ErrorKind::InvalidInput), and so is one that calls set themselves:
    /// `access_token`, `fields`, `metric`, `limit`, `after`, `before`, `since`, `until`,
    /// `offset`, `__paging_token`, `__previous`, `grant_type` and `client_secret`. The first
    /// call rejects it.
    #[doc(alias = "appsecret_proof")]
    #[doc(alias = "locale")]
    pub fn with_param(self, name: impl Into<String>, value: impl Into<String>) -> Api {
        let (name, value) = (name.into(), value.into());
        self.set(|client| {
            client.params.retain(|(set, _)| *set != name);
            client.params.push((name, value));
        })
    }

    /// The API version, for example `v25.0`. Something else than `v`, a number, a dot and a
    /// number is [`InvalidInput`](ErrorKind::InvalidInput). Login calls never send it. Default:
    /// none; the service then chooses one.
    pub fn with_version(self, version: impl Into<String>) -> Api {
        self.set(|client| client.version = Some(version.into()))
    }

    /// The graph host. Default: `https://graph.instagram.com`. It receives the token, so
    /// it must use https, or plain http to a loopback address.
    #[doc(alias = "host")]
    pub fn with_base_url(self, url: impl Into<String>) -> Api {
        self.set(|client| client.base_url = url.into())
    }

    /// The host that exchanges login codes. Default: `https://api.instagram.com`; see
    /// [`with_base_url`](Api::with_base_url).
    pub fn with_login_url(self, url: impl Into<String>) -> Api {
        self.set(|client| client.login_url = url.into())
    }

    /// The time limit for every request, of calls and of downloads: from name lookup and
    /// connecting until the headers of the reply have arrived, and then for each silence
    /// within the body. Default: 30 s. Zero is
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput).
    ///
    /// A redirect leads to another request. An attempt of a call, with its redirects and
    /// the body of its reply, takes at most five times this limit, even if bytes arrive one
    /// by one. For downloads there is
    /// [`with_download_timeout`](Api::with_download_timeout) instead. Both count as a year if
    /// they are longer.
    ///
    /// With minreq, silence over TLS is the time without a complete TLS record, which has
    /// up to 16 KiB. With `keep-alive` it is the time without a byte.
    #[doc(alias = "connect_timeout")]
    #[doc(alias = "read_timeout")]
    #[doc(alias = "deadline")]
    pub fn with_timeout(self, timeout: Duration) -> Api {
        self.set(|client| client.timeout = timeout)
    }

    /// The time that a download may spend waiting for the network, in all: for all its
    /// attempts with their redirects, for the delays between them, and for the body.
    /// Default: 1 h. Zero is [`InvalidInput`](crate::ErrorKind::InvalidInput). If no time is
    /// left for another attempt, the error is that of the last one.
    ///
    /// Your own time does not count, for this limit or for
    /// [`with_timeout`](Api::with_timeout): a program may pause between reads of a
    /// [`Body`](crate::download::Body), and a disk may be slow. With minreq such pauses may take an
    /// hour in all.
    ///
    /// Each call that sends something is a download: [`open`](Download::open),
    /// [`write_to`](Download::write_to), [`save`](Download::save), and
    /// [`save_resumable`](Download::save_resumable) with everything that it requests.
    pub fn with_download_timeout(self, timeout: Duration) -> Api {
        self.set(|client| client.download_timeout = timeout)
    }

    /// The size limit of a reply, in bytes: with the feature `gzip`, of the decoded reply. Does
    /// not apply to downloads. Default: 8 MiB. With 0 every reply with a body is an error,
    /// [`TooLarge`](ErrorKind::TooLarge); `usize::MAX` is no limit.
    ///
    /// A page of 100 media has about 80 KB (the one that `tests/peers` measures), and many times
    /// that if its albums have children. A reply crafted to use memory takes up to 17 times this
    /// limit, 143 MB by default (`cargo test --test memory -- --nocapture` on x86-64).
    pub fn with_body_limit(self, bytes: usize) -> Api {
        self.set(|client| client.body_limit = bytes)
    }

    /// The `User-Agent` header: 1 to 512 bytes of printable ASCII, without a space at either
    /// end. Another one is [`InvalidInput`](ErrorKind::InvalidInput). Default: `mingram/` and
    /// the version.
    pub fn with_user_agent(self, name: impl Into<String>) -> Api {
        self.set(|client| client.user_agent = name.into())
    }

    /// How many times to retry a [transient](crate::Error::is_transient) failure.
    /// Default: 2. 0 disables retries; more than 10 count as 10.
    ///
    /// The first delay is 0.25 to 0.5 s, at random; it doubles with each retry, up to 4 to 8 s.
    /// If `Retry-After` asks for more, that is waited for, up to 8 s. If it asks for more than
    /// 8 s, the call is not retried, and the error has the time
    /// ([`Error::retry_after`](crate::Error::retry_after)). Reads are retried, and downloads
    /// until their first byte, or, with [`save_resumable`](Download::save_resumable), as long
    /// as bytes come. Login calls, timeouts and rate limits are not retried.
    #[doc(alias = "backoff")]
    pub fn with_retries(self, retries: u32) -> Api {
        self.set(|client| client.retries = retries.min(MAX_RETRIES))
    }

    /// Waits for rate limits to end: the longest time that one call waits before it is sent.
    /// Default: none; calls are sent even if the service asked to wait.
    ///
    /// A call waits until the service accepts calls again
    ///
    /// - by the latest [`usage`](Api::usage) ([`Usage::wait`]),
    /// - by the [`retry_after`](crate::Error::retry_after) of the latest call that a rate
    ///   limit refused; without a time, for one hour after it,
    /// - if 100 % or more of the app's limit is used up, until that number is one hour old,
    ///   the window of this limit (Meta's *Rate Limits* page). It does not count if there
    ///   are entries for Instagram in [`Usage::business`]: their limit then applies instead
    ///   (same page).
    ///
    /// It sleeps with the [clock](Api::with_clock) of the `Api`, without a connection;
    /// [`with_timeout`](Api::with_timeout) does not include it. Clones and threads share what
    /// the service said, so all of them wait that have a pace. Retries, downloads and login
    /// calls do not wait: files come from other hosts, and a login code expires. A call
    /// that the service refuses fails nevertheless: make it again, and it waits. A day after
    /// the reply, calls are sent whatever it said.
    ///
    /// # Errors
    ///
    /// [`RateLimit`](ErrorKind::RateLimit) if the time to wait is longer than `max_wait`,
    /// without waiting; nothing was sent.
    /// [`retry_after`](crate::Error::retry_after) is what is left of it. With a `max_wait` of
    /// zero no call ever waits.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn main() -> mingram::Result<()> {
    /// # let api = mingram::Api::new("IGQVJ...");
    /// let api = api.with_pace(Duration::from_secs(20 * 60));
    /// match api.me("") {
    ///     Err(error) if error.is_rate_limited() => println!("later: {error}"),
    ///     result => println!("{}", result?.id),
    /// }
    /// # Ok(()) }
    /// ```
    #[doc(alias = "rate_limit")]
    #[doc(alias = "throttle")]
    pub fn with_pace(self, max_wait: Duration) -> Api {
        self.set(|client| client.pace = Some(max_wait))
    }

    /// Calls `observer` with each [`Event`]: each request and its reply, each wait, each retry
    /// and each smaller page. Default: none, which costs nothing. Setting it again replaces it.
    ///
    /// For a log, or to tell somebody why nothing happens. It runs on the thread of the call,
    /// which continues when it returns; its time counts for no time limit. Clones share it, so
    /// several threads may run it at the same time. It cannot fail the call: if it panics, the
    /// call continues (unless the program is built with `panic = "abort"`). It may make calls
    /// itself; those are not observed.
    ///
    /// ```
    /// use mingram::Api;
    /// use mingram::transport::Event;
    ///
    /// let api = Api::new("IGQVJ...").with_observer(|event| match event {
    ///     Event::Pace { wait, .. } => eprintln!("waiting {} s", wait.as_secs()),
    ///     event => eprintln!("{event}"),
    /// });
    /// ```
    #[doc(alias = "log")]
    #[doc(alias = "trace")]
    pub fn with_observer(self, observer: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Api {
        self.set(|client| client.observer = Some(Arc::new(observer)))
    }

    /// The transport that sends requests. Default:
    /// [`DefaultTransport`](crate::transport::DefaultTransport).
    #[doc(alias = "client")]
    #[doc(alias = "proxy")]
    pub fn with_transport(self, transport: impl Transport + 'static) -> Api {
        self.set(|client| client.transport = Arc::new(transport))
    }

    /// The clock for token expiry, delays and the age of [`usage`](Api::usage). Default: the
    /// system clock.
    pub fn with_clock(self, clock: impl Clock + 'static) -> Api {
        self.set(|client| client.clock = Arc::new(clock))
    }

    /// The user that the token belongs to (`GET /me`). With no fields, only the id.
    ///
    /// On an Instagram Login account, [`User::id`] is app-scoped: it is another one for
    /// every app. The professional account's own id, which webhooks carry, is
    /// [`User::user_id`]; request it with [`UserField::UserId`](crate::UserField::UserId).
    pub fn me(&self, fields: impl Into<Fields>) -> Result<User> {
        self.user("me", fields)
    }

    /// A user by id (`GET /{user-id}`). With no fields, only the id.
    pub fn user(&self, id: &str, fields: impl Into<Fields>) -> Result<User> {
        self.read_fields(id, &fields.into())
    }

    /// The media of the user that the token belongs to (`GET /me/media`), newest first.
    /// The service returns at most the 10,000 newest. With no fields, only ids.
    pub fn my_media(&self, fields: impl Into<Fields>) -> Edge<Media> {
        self.user_media("me", fields)
    }

    /// The media of a user by id (`GET /{user-id}/media`); see
    /// [`my_media`](Api::my_media).
    pub fn user_media(&self, id: &str, fields: impl Into<Fields>) -> Edge<Media> {
        Edge::new(&self.client, node_path(id, "media"), fields.into())
    }

    /// A media by id (`GET /{media-id}`). With no fields, only the id.
    pub fn media(&self, id: &str, fields: impl Into<Fields>) -> Result<Media> {
        self.read_fields(id, &fields.into())
    }

    /// The images and videos of an album (`GET /{media-id}/children`). With no fields,
    /// only ids. Children have no caption: request at most
    /// [`MediaField::CHILD`](crate::MediaField::CHILD).
    pub fn children(&self, album_id: &str, fields: impl Into<Fields>) -> Edge<Media> {
        let path = node_path(album_id, "children");
        Edge::new(&self.client, path, fields.into())
    }

    /// The stories of the last 24 hours of the user that the token belongs to
    /// (`GET /me/stories`), without live videos and reshared stories (Meta's reference,
    /// *Stories*). With no fields, only ids.
    pub fn my_stories(&self, fields: impl Into<Fields>) -> Edge<Media> {
        Edge::new(&self.client, node_path("me", "stories"), fields.into())
    }

    /// The comments on a media (`GET /{media-id}/comments`), newest first. Replies are
    /// not included: request
    /// [`CommentField::Replies`](crate::comments::CommentField::Replies), or call
    /// [`replies`](Api::replies). With no fields, those that the service chooses.
    ///
    /// The service returns at most 50 comments per page and has no filter by time
    /// (Meta's reference, *Media comments*).
    pub fn comments(&self, media_id: &str, fields: impl Into<Fields>) -> Edge<Comment> {
        let path = node_path(media_id, "comments");
        Edge::new(&self.client, path, fields.into()).at_most(MAX_COMMENTS)
    }

    /// The replies to a comment (`GET /{comment-id}/replies`); see
    /// [`comments`](Api::comments).
    pub fn replies(&self, comment_id: &str, fields: impl Into<Fields>) -> Edge<Comment> {
        let path = node_path(comment_id, "replies");
        Edge::new(&self.client, path, fields.into()).at_most(MAX_COMMENTS)
    }

    /// The numbers of a media (`GET /{media-id}/insights`), one [`Insight`] per metric.
    /// Pass metrics, or a [`Query`] to request breakdowns too.
    ///
    /// A metric without data is missing from the list; it is never 0. Requires the
    /// permission `instagram_business_manage_insights`. The numbers are up to 48 hours
    /// old. Children of an album have none; a story has them for 24 hours. Source: Meta's
    /// reference, *Media insights*.
    ///
    /// # Errors
    ///
    /// A metric that this media does not support fails the call (code 100), and so does a
    /// story with fewer than five viewers (code 10).
    ///
    /// ```no_run
    /// use mingram::insights::Metric;
    ///
    /// # fn main() -> mingram::Result<()> {
    /// # let api = mingram::Api::new("IGQVJ...");
    /// for insight in api.media_insights("17895695668004550", &[Metric::Reach, Metric::Saved])? {
    ///     println!("{:?}: {:?}", insight.name, insight.number());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn media_insights(&self, media_id: &str, query: impl Into<Query>) -> Result<Vec<Insight>> {
        self.insights(media_id, &query.into())
    }

    /// The numbers of the account that the token belongs to (`GET /me/insights`), one
    /// [`Insight`] per metric. Meta's reference requires a [`Query::period`].
    ///
    /// A metric without data is missing from the list; it is never 0. Requires the
    /// permission `instagram_business_manage_insights`. The numbers are up to 48 hours
    /// old. Source: Meta's reference, *Account insights*.
    ///
    /// # Errors
    ///
    /// A metric that is not supported, also in combination with the other parameters,
    /// fails the call (code 100).
    pub fn my_insights(&self, query: impl Into<Query>) -> Result<Vec<Insight>> {
        self.insights("me", &query.into())
    }

    fn insights(&self, id: &str, query: &Query) -> Result<Vec<Insight>> {
        let params = query.params();
        if params.contains(&("metric", "")) {
            return Err(Error::invalid("insights need at least one metric"));
        }
        let path = node_path(id, "insights");
        let call = self.client.graph_call(path.as_deref(), &params)?;
        let name = type_name::<Vec<Insight>>();
        let (list, _) = self.client.send(&call, |reply| {
            let list: Insights = reply.parse(name)?;
            list.data
                .ok_or_else(|| reply.unexpected(name, "object without `data`"))
        })?;
        Ok(list)
    }

    /// Any other node or path, read into your own type. The node may be wrapped in
    /// `{"data":[…]}`.
    ///
    /// ```no_run
    /// use mingram::{Api, miniserde};
    ///
    /// #[derive(miniserde::Deserialize)]
    /// struct Limit {
    ///     quota_usage: u64,
    /// }
    ///
    /// fn main() -> mingram::Result<()> {
    ///     let api = Api::new("IGQVJ...");
    ///     let fields = ("fields", "quota_usage");
    ///     let limit: Limit = api.node("me/content_publishing_limit", &[fields])?;
    ///     println!("{} published", limit.quota_usage);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// The derive macro finds its crate by the name `miniserde`, so import
    /// [`mingram::miniserde`](crate::miniserde) where you use it. serde's derive macro of the
    /// same name is not enough: the compiler then reports that `miniserde::Deserialize` is not
    /// implemented (E0277). Enable the feature `serde` and read a `mingram::Serde<T>` instead
    /// of a `T`.
    ///
    /// Make at least one field required, such as `id`: a type with only optional fields accepts
    /// any object. The keys `error`, `error_type` and `error_message` of a reply belong to error
    /// objects of the service and do not reach your type.
    ///
    /// For the reply as it is, read a [`miniserde::json::Value`](crate::miniserde::json::Value).
    /// Integers are exact from `i64::MIN` to `u64::MAX`; a number beyond is the nearest `f64`.
    /// Of duplicate keys the last counts.
    ///
    /// ```no_run
    /// use mingram::Api;
    /// use mingram::miniserde::json::{self, Value};
    ///
    /// fn main() -> mingram::Result<()> {
    ///     let api = Api::new("IGQVJ...");
    ///     let reply: Value = api.node("me", &[("fields", "id,username")])?;
    ///     println!("{}", json::to_string(&reply));
    ///     Ok(())
    /// }
    /// ```
    pub fn node<T: Deserialize>(&self, path: &str, params: &[(&str, &str)]) -> Result<T> {
        self.read_node(encoded_path(path), params)
    }

    /// Any other edge, its items read into your own type: see [`node`](Api::node), also for
    /// types with serde's derive.
    ///
    /// ```no_run
    /// use mingram::{Api, miniserde};
    ///
    /// #[derive(miniserde::Deserialize)]
    /// struct Live {
    ///     id: String,
    ///     media_type: Option<String>,
    /// }
    ///
    /// fn main() -> mingram::Result<()> {
    ///     let api = Api::new("IGQVJ...");
    ///     for live in api.edge::<Live>("me/live_media").param("fields", "id,media_type") {
    ///         let live = live?;
    ///         println!("{}: {:?}", live.id, live.media_type);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn edge<T: Deserialize>(&self, path: &str) -> Edge<T> {
        Edge::new(&self.client, encoded_path(path), Fields::default())
    }

    /// Downloads a picture or video, for example a `media_url`. Nothing is sent until you call
    /// [`save`](Download::save), [`save_resumable`](Download::save_resumable),
    /// [`write_to`](Download::write_to) or [`open`](Download::open).
    ///
    /// The access token is not sent. The URL and up to five redirects, to any host, must
    /// use https; plain http to a loopback address is accepted if the base URL leads to one
    /// too. A URL that a person copied is read as browsers read it: without white space around
    /// it, line ends and a fragment, and what is not encoded is percent-encoded. One with a user
    /// name or password is refused. Failures are retried until the first byte arrives (by
    /// `save_resumable` afterwards, too). If a `media_url` has expired, request it again from
    /// its node.
    pub fn download<'a>(&'a self, url: &'a str) -> Download<'a> {
        Download::new(&self.client, url)
    }

    fn read_fields<T: Deserialize>(&self, id: &str, fields: &Fields) -> Result<T> {
        self.read_node(node_path(id, ""), &[("fields", fields.checked()?)])
    }

    fn read_node<T: Deserialize>(
        &self,
        path: Option<String>,
        params: &[(&str, &str)],
    ) -> Result<T> {
        let call = self.client.graph_call(path.as_deref(), params)?;
        let (node, _) = self.client.send(&call, parse_node)?;
        Ok(node)
    }

    /// The time of day by the clock of this `Api`.
    pub(crate) fn now(&self) -> SystemTime {
        self.client.clock.now()
    }

    /// What the latest rate-limit headers that a call of this `Api` or of a clone received
    /// mean now: see [`Usage`].
    pub fn usage(&self) -> Usage {
        let clock = &self.client.clock;
        self.client.limits().usage(clock.elapsed())
    }
}

/// Parses a node: flat, or wrapped in `{"data":[…]}` as on Meta's newer pages.
fn parse_node<T: Deserialize>(reply: &Reply<'_>) -> Result<T> {
    let name = type_name::<T>();
    reply.parse(name).or_else(|error| {
        if error.kind() != ErrorKind::Decode {
            return Err(error);
        }
        let mut list: Option<Vec<T>> = None;
        let read = reply.parse_into(name, &mut InData(Lenient::place(&mut list)), None);
        let list = read.ok().and(list).unwrap_or_default();
        list.into_iter().next().ok_or(error)
    })
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_is_one_pointer() {
        assert_eq!(size_of::<Api>(), size_of::<usize>());
        assert_eq!(size_of::<Option<Api>>(), size_of::<usize>());
    }
}
