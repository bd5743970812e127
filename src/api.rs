//! The one struct: configuration, and one short method for each call.

use crate::call::{Call, Settings};
use crate::download::Download;
use crate::edge::Edge;
use crate::error::Result;
use crate::fields::{MediaField, UserField, list};
use crate::model::{Media, User};
use crate::query::{encoded_path, node_path, push_param};
use crate::reply::read_json;
use crate::retry::{Clock, MOST};
use crate::token::{App, Code, LongLivedToken, ShortLivedToken, Token, TokenReply};
use crate::transport::{Method, Transport};
use crate::usage::Usage;
use miniserde::Deserialize;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// An Instagram account, read through the API at `graph.instagram.com`.
///
/// Every call blocks until its reply is there. An `Api` is `Send` and `Sync`,
/// cheap to clone (it is one pointer: 8 bytes, or 4 on a 32-bit machine, with
/// its settings behind it), and holds no state outside itself; clones share the
/// transport and the latest [`usage`](Api::usage). Settings are chained onto it
/// and change that one and its later clones alone.
///
/// ```no_run
/// use mingram::{Api, MediaField as F};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let api = Api::new(std::env::var("INSTAGRAM_TOKEN")?)
///     .with_version("v25.0")
///     .with_timeout(Duration::from_secs(10));
/// let me = api.me(&[])?;
/// for media in api.my_media(&[F::Id, F::Caption, F::MediaUrl]).limit(100) {
///     println!("{:?}", media?.caption);
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// What every call may answer, and is not repeated below: a setting or argument
/// that is refused before a byte is sent
/// ([`InvalidInput`](crate::ErrorKind::InvalidInput)); no connection, a broken
/// one, or one that is not safe; a timeout; a reply that is too large, is no
/// HTTP, is not JSON or not the type wanted; and the service's own error
/// ([`Api`](crate::ErrorKind::Api)), whatever status it came with.
#[derive(Clone)]
pub struct Api {
    settings: Arc<Settings>,
}

impl Api {
    /// For one account, by its access token. A token that cannot be one is
    /// refused by the first call; [`Token::check`] tells at once.
    pub fn new(token: impl Into<Token>) -> Api {
        Api {
            settings: Arc::new(Settings::new(token.into())),
        }
    }

    /// Without a token: for [`exchange_code`](Api::exchange_code) and
    /// downloads. Other calls refuse to be made.
    pub fn without_token() -> Api {
        Api::new("")
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Api {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    /// The same settings for another account, its [`usage`](Api::usage) apart.
    pub fn with_token(self, token: impl Into<Token>) -> Api {
        self.set(|settings| {
            settings.token = token.into();
            settings.usage = Arc::new(Mutex::default());
        })
    }

    /// A version for the path, as `v25.0`. The login calls never carry one.
    /// Default: none; the service then chooses.
    pub fn with_version(self, version: impl Into<String>) -> Api {
        self.set(|settings| settings.version = Some(version.into()))
    }

    /// Where the graph is. Default: `https://graph.instagram.com`. The token
    /// goes there, so https it is; plain http is taken for a loopback address.
    pub fn with_base_url(self, url: impl Into<String>) -> Api {
        self.set(|settings| settings.base_url = url.into())
    }

    /// Where a login's code is exchanged. Default:
    /// `https://api.instagram.com`; as for [`with_base_url`](Api::with_base_url).
    pub fn with_login_url(self, url: impl Into<String>) -> Api {
        self.set(|settings| settings.login_url = url.into())
    }

    /// How long one attempt of a call may take, from connecting to the last
    /// byte, its redirects included. Default: 30 s. The default transport
    /// counts in whole seconds, rounded up.
    pub fn with_timeout(self, timeout: Duration) -> Api {
        self.set(|settings| settings.timeout = timeout)
    }

    /// How long a download may take in all. Default: one hour. As for
    /// [`with_timeout`](Api::with_timeout).
    pub fn with_download_timeout(self, timeout: Duration) -> Api {
        self.set(|settings| settings.download_timeout = timeout)
    }

    /// The largest reply that is taken, in bytes; downloads are not bounded.
    /// Default: 8 MiB. A page of 100 media is some 100 KB, and with albums
    /// opened may be 3 MB. Structs take more room than their text: those of an
    /// honest page about as much again, and those of a reply that is made to
    /// (nothing but short ids) up to some 45 times as much.
    pub fn with_body_limit(self, bytes: usize) -> Api {
        self.set(|settings| settings.body_limit = bytes)
    }

    /// The `User-Agent` header, plain ASCII of at most 512 bytes. Default: `mingram/` and its version.
    pub fn with_user_agent(self, name: impl Into<String>) -> Api {
        self.set(|settings| settings.user_agent = name.into())
    }

    /// How often a call is tried again that failed for a passing reason
    /// ([`Error::is_transient`](crate::Error::is_transient)): no connection, a
    /// broken one, a 5xx that no lasting error explains, or an error that the
    /// service calls temporary. Default: 2; 0 turns it off, and more than 10
    /// counts as 10.
    ///
    /// Before each retry it waits: half a second, doubled each time up to 8 s,
    /// of which a random part between half and the whole. Reads and downloads
    /// (up to the first byte) are retried; login calls, timeouts and rate
    /// limits are not.
    pub fn with_retries(self, retries: u32) -> Api {
        self.set(|settings| settings.retries = retries.min(MOST))
    }

    /// How requests are sent. Default: [`DefaultTransport`](crate::DefaultTransport).
    pub fn with_transport(self, transport: impl Transport + 'static) -> Api {
        self.set(|settings| settings.transport = Arc::new(transport))
    }

    /// What tells the time and waits. Default: the machine's clock.
    pub fn with_clock(self, clock: impl Clock + 'static) -> Api {
        self.set(|settings| settings.clock = Arc::new(clock))
    }

    /// The user that the token belongs to (`GET /me`). With no fields, the id
    /// alone.
    pub fn me(&self, fields: &[UserField<'_>]) -> Result<User> {
        self.user("me", fields)
    }

    /// A user by id (`GET /{user-id}`). With no fields, the id alone.
    pub fn user(&self, id: &str, fields: &[UserField<'_>]) -> Result<User> {
        self.node(node_path(id, ""), &list(fields), &[])
    }

    /// The media of the user that the token belongs to (`GET /me/media`),
    /// newest first; the service gives the 10,000 newest at most. With no
    /// fields, ids alone.
    pub fn my_media(&self, fields: &[MediaField<'_>]) -> Edge<Media> {
        self.user_media("me", fields)
    }

    /// A user's media (`GET /{user-id}/media`), as [`my_media`](Api::my_media).
    pub fn user_media(&self, id: &str, fields: &[MediaField<'_>]) -> Edge<Media> {
        Edge::new(&self.settings, node_path(id, "media"), list(fields))
    }

    /// One media by id (`GET /{media-id}`). With no fields, the id alone.
    pub fn media(&self, id: &str, fields: &[MediaField<'_>]) -> Result<Media> {
        self.node(node_path(id, ""), &list(fields), &[])
    }

    /// The pictures and videos of an album (`GET /{media-id}/children`). With
    /// no fields, ids alone; children have no caption, so ask for
    /// [`MediaField::CHILD`] at most.
    pub fn children(&self, album_id: &str, fields: &[MediaField<'_>]) -> Edge<Media> {
        Edge::new(
            &self.settings,
            node_path(album_id, "children"),
            list(fields),
        )
    }

    /// Any other node or path, into a type of the caller's; a node may come
    /// wrapped in `{"data":[…]}`. Where every field of the type is optional, any
    /// object is one: let one field be required (an `id`), or a wrapped node
    /// reads as an empty one.
    ///
    /// ```no_run
    /// use miniserde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Insights { data: Vec<Metric> }
    /// #[derive(Deserialize)]
    /// struct Metric { name: String }
    ///
    /// # fn main() -> mingram::Result<()> {
    /// # let api = mingram::Api::new("IGQVJ...");
    /// let insights: Insights = api.get("17895695668004550/insights", &[("metric", "reach")])?;
    /// # Ok(()) }
    /// ```
    pub fn get<T: Deserialize>(&self, path: &str, params: &[(&str, &str)]) -> Result<T> {
        self.node(encoded_path(path), "", params)
    }

    /// Any other edge, its items read into a type of the caller's.
    ///
    /// ```no_run
    /// # #[derive(miniserde::Deserialize)]
    /// # struct Comment { id: String, text: Option<String> }
    /// # fn main() -> mingram::Result<()> {
    /// # let api = mingram::Api::new("IGQVJ...");
    /// for comment in api.edge::<Comment>("17895695668004550/comments").param("fields", "id,text") {
    ///     println!("{:?}", comment?.text);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn edge<T: Deserialize>(&self, path: &str) -> Edge<T> {
        Edge::new(&self.settings, encoded_path(path), String::new())
    }

    /// Downloads a file, a `media_url` say, into `writer`, and answers its
    /// length in bytes.
    ///
    /// It is streamed through 32 KiB, whatever its size. The access token is
    /// not sent. The address must be https (or lead to a loopback address), as
    /// must be every address it redirects to (up to five, to any host). Nothing
    /// is retried once the
    /// first byte is written: what the writer holds after an error is a part of
    /// the file. A `media_url` that has expired is fetched anew from its node.
    ///
    /// # Errors
    ///
    /// Besides those of every call: [`Truncated`](crate::ErrorKind::Truncated)
    /// where the connection ended early,
    /// [`UnknownLength`](crate::ErrorKind::UnknownLength) where nobody can tell,
    /// [`Status`](crate::ErrorKind::Status) for any refusal, and
    /// [`Io`](crate::ErrorKind::Io) where the writer failed.
    pub fn download(&self, url: &str, writer: &mut dyn Write) -> Result<u64> {
        self.file(url).write_to(writer)
    }

    /// A download with its settings: resumed, watched, or read as it comes.
    pub fn file<'a>(&'a self, url: &'a str) -> Download<'a> {
        Download::new(&self.settings, url)
    }

    /// A login's code for a short-lived token
    /// (`POST https://api.instagram.com/oauth/access_token`). A code is good
    /// for one hour, and once. Needs no token.
    pub fn exchange_code(&self, app: &App, code: &Code) -> Result<ShortLivedToken> {
        let (secret, code) = (app.secret()?, code.checked()?);
        let mut url = self
            .settings
            .checked_url(&self.settings.login_url, "login address")?;
        url.push_str("/oauth/access_token");
        let mut body = String::new();
        push_param(&mut body, "client_id", &app.client_id);
        push_param(&mut body, "client_secret", secret);
        push_param(&mut body, "grant_type", "authorization_code");
        push_param(&mut body, "redirect_uri", &app.redirect_uri);
        push_param(&mut body, "code", code);
        let mut call =
            self.settings
                .call(Method::Post, "POST /oauth/access_token".to_owned(), url)?;
        call.body = Some(body);
        call.secrets = vec![secret, code, self.settings.token.expose()];
        self.token_reply(call, "ShortLivedToken", TokenReply::into_short_lived)
    }

    /// The short-lived token of this `Api` for a long-lived one
    /// (`GET /access_token`).
    pub fn exchange_token(&self, app: &App) -> Result<LongLivedToken> {
        let secret = app.secret()?;
        self.long_lived("/access_token?grant_type=ig_exchange_token", Some(secret))
    }

    /// The long-lived token of this `Api` for a fresh one
    /// (`GET /refresh_access_token`). It must be at least 24 hours old and not
    /// expired; a short-lived token cannot be refreshed (code 190).
    pub fn refresh_token(&self) -> Result<LongLivedToken> {
        self.long_lived("/refresh_access_token?grant_type=ig_refresh_token", None)
    }

    fn long_lived(&self, path: &str, secret: Option<&str>) -> Result<LongLivedToken> {
        let token = self.settings.token.checked()?;
        let mut url = self
            .settings
            .checked_url(&self.settings.base_url, "base address")?;
        url.push_str(path);
        if let Some(secret) = secret {
            push_param(&mut url, "client_secret", secret);
        }
        push_param(&mut url, "access_token", token);
        let name = format!("GET {}", path.split('?').next().unwrap_or_default());
        let mut call = self.settings.call(Method::Get, name, url)?;
        call.secrets = vec![token, secret.unwrap_or_default()];
        self.token_reply(call, "LongLivedToken", |reply| {
            reply.into_long_lived(self.now())
        })
    }

    /// Sends a login call once: a code is good for one attempt only.
    fn token_reply<T>(
        &self,
        mut call: Call<'_>,
        name: &str,
        read: impl Fn(TokenReply) -> Option<T>,
    ) -> Result<T> {
        call.secret_reply = true;
        let reply = self.settings.send(&call)?;
        let flat = read_json::<TokenReply>(&reply.text).ok().and_then(&read);
        let token = flat.or_else(|| unwrapped::<TokenReply>(&reply.text).and_then(read));
        token.ok_or_else(|| call.not_a(name, &reply, miniserde::Error))
    }

    /// A node, flat or wrapped in `{"data":[…]}` as on Meta's newer pages.
    fn node<T: Deserialize>(
        &self,
        path: Option<String>,
        fields: &str,
        params: &[(&str, &str)],
    ) -> Result<T> {
        let call = self.settings.graph_call(path.as_deref(), fields, params)?;
        let reply = self.settings.send(&call)?;
        read_json(&reply.text)
            .or_else(|error| unwrapped(&reply.text).ok_or(error))
            .map_err(|error| call.not_a(std::any::type_name::<T>(), &reply, error))
    }

    /// The time of day, by the clock in use.
    pub(crate) fn now(&self) -> SystemTime {
        self.settings.clock.now()
    }

    /// What the rate-limit headers said, the last time they came with a call of
    /// this `Api` or of a clone of it.
    pub fn usage(&self) -> Usage {
        self.settings
            .usage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The first of `{"data":[…]}`.
fn unwrapped<T: Deserialize>(text: &str) -> Option<T> {
    #[derive(Deserialize)]
    struct Wrapped<T> {
        data: Vec<T>,
    }
    read_json::<Wrapped<T>>(text).ok()?.data.into_iter().next()
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What its documentation says.
    #[test]
    fn an_api_is_one_pointer() {
        assert_eq!(size_of::<Api>(), size_of::<usize>());
        assert_eq!(size_of::<Option<Api>>(), size_of::<usize>());
    }
}
