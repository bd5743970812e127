//! Access tokens: the secret itself, the login that gives one, and its life.

use crate::error::{Error, ErrorKind, Result};
use crate::query::{param, push_param};
use crate::secret::Secret;
use crate::slot::{Loose, Slot, read_object};
use miniserde::de::{Seq, Visitor};
use miniserde::make_place;
use std::fmt;
use std::time::{Duration, SystemTime};

/// An access token. It is sent to the configured host and shown nowhere: its
/// `Debug` is `Token(..)`.
///
/// White space around it is taken off. Whether it can be a token at all (not
/// empty, at most 4096 bytes of visible ASCII) is checked once, here; a bad one
/// is refused by [`check`](Token::check) and by the first call, before a byte
/// is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Secret);

impl Token {
    /// A token, as it was handed out.
    pub fn new(text: &str) -> Token {
        Token(Secret::new(text))
    }

    /// Refuses what cannot be a token, with
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput).
    pub fn check(&self) -> Result<()> {
        self.checked().map(drop)
    }

    /// The secret, for storing it. Take care of where it goes.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    pub(crate) fn checked(&self) -> Result<&str> {
        self.0.checked(
            "access token",
            "give the one that the login or Meta's dashboard shows",
        )
    }
}

impl From<&str> for Token {
    fn from(text: &str) -> Token {
        Token::new(text)
    }
}

impl From<String> for Token {
    fn from(text: String) -> Token {
        Token::new(&text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Which of the two logins, and so which authorize address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Login {
    /// Instagram Login, for professional accounts: the one that works today.
    Instagram,
    /// Basic Display, which Meta shut down on 2024-12-04.
    BasicDisplay,
}

impl Login {
    /// The scopes that reading a profile and its media needs.
    pub fn scopes(self) -> &'static [&'static str] {
        match self {
            Login::Instagram => &["instagram_business_basic"],
            Login::BasicDisplay => &["user_profile", "user_media"],
        }
    }
}

/// An app as Meta's dashboard knows it, for logging its users in.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) redirect_uri: String,
}

impl App {
    /// The id, the secret and the redirect address, as the dashboard has them.
    /// The address must be the same to the letter.
    pub fn new(
        client_id: impl Into<String>,
        client_secret: &str,
        redirect_uri: impl Into<String>,
    ) -> App {
        App {
            client_id: client_id.into(),
            client_secret: Secret::new(client_secret),
            redirect_uri: redirect_uri.into(),
        }
    }

    /// The address to open in the user's browser. `state` comes back with the
    /// redirect: give something that cannot be guessed, and hand the same to
    /// [`Code::from_redirect`]; empty, it is left out. (Meta's *Business Login
    /// for Instagram* and *Basic Display: Oauth Authorize* pages.)
    pub fn authorize_url(&self, login: Login, scopes: &[&str], state: &str) -> String {
        let mut url = match login {
            Login::Instagram => "https://www.instagram.com/oauth/authorize?".to_owned(),
            Login::BasicDisplay => "https://api.instagram.com/oauth/authorize?".to_owned(),
        };
        push_param(&mut url, "client_id", &self.client_id);
        push_param(&mut url, "redirect_uri", &self.redirect_uri);
        push_param(&mut url, "scope", &scopes.join(","));
        push_param(&mut url, "response_type", "code");
        if !state.is_empty() {
            push_param(&mut url, "state", state);
        }
        url
    }

    pub(crate) fn secret(&self) -> Result<&str> {
        self.client_secret
            .checked("client secret", "give the one from the app's dashboard")
    }
}

/// What a login ends in: good for one hour, and once.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(pub(crate) Secret);

impl Code {
    /// A code by itself. The `#_` that Instagram adds is no part of it and is
    /// taken off.
    pub fn new(text: &str) -> Code {
        let text = text.trim_ascii();
        Code(Secret::new(text.strip_suffix("#_").unwrap_or(text)))
    }

    /// The code in the address that the browser was sent back to.
    ///
    /// `state` is what [`App::authorize_url`] was given; empty, it is not
    /// compared.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Login`](crate::ErrorKind::Login) where the user or the
    /// service refused (with the reason), where there is no code, and where the
    /// state is another one.
    pub fn from_redirect(address: &str, state: &str) -> Result<Code> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Login, message));
        let address = address.trim_ascii().split('#').next().unwrap_or_default();
        let query = address.split_once('?').map_or(address, |(_, query)| query);
        if let Some(error) = param(query, "error") {
            let reason = param(query, "error_reason").unwrap_or(error);
            return refuse(match param(query, "error_description") {
                Some(description) => format!("the login was refused ({reason}): {description}"),
                None => format!("the login was refused ({reason})"),
            });
        }
        let Some(code) = param(query, "code").filter(|code| !code.is_empty()) else {
            return refuse("there is no `code` in this address: give the whole address of the page after the login".to_owned());
        };
        if !state.is_empty() && param(query, "state").as_deref() != Some(state) {
            return refuse(
                "the state of this address is not the one of this login: begin again".to_owned(),
            );
        }
        Ok(Code::new(&code))
    }

    pub(crate) fn checked(&self) -> Result<&str> {
        self.0.checked(
            "login code",
            "take it from the redirect address, by Code::from_redirect",
        )
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// What a code is exchanged for: good for an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShortLivedToken {
    /// The token.
    pub token: Token,
    /// Whose it is, where the service said so.
    pub user_id: Option<String>,
    /// What the user granted, where the service said so.
    pub permissions: Vec<String>,
}

/// What a short-lived token is exchanged for: good for 60 days as a rule, and
/// as long again each time it is refreshed. [`expires_in`](Self::expires_in)
/// is what the service said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LongLivedToken {
    /// The token.
    pub token: Token,
    /// `bearer`, where the service said so.
    pub token_type: Option<String>,
    /// How long the service said it is good for, from the moment it answered;
    /// zero where it gave a negative time. `None` where it did not say: then
    /// assume nothing.
    pub expires_in: Option<Duration>,
    /// When the service answered, by this machine's clock.
    pub obtained_at: SystemTime,
}

/// A younger token is not refreshed by the service (Meta's *Refresh Access
/// Token* page).
const REFRESHABLE: Duration = Duration::from_secs(24 * 3600);

/// With less than this left, a token is due for a refresh.
const MARGIN: Duration = Duration::from_secs(7 * 24 * 3600);

impl LongLivedToken {
    /// A token from elsewhere, Meta's dashboard say: how long it is good for,
    /// counted from `obtained_at`, or `None` where nobody said.
    pub fn new(
        token: impl Into<Token>,
        expires_in: Option<Duration>,
        obtained_at: SystemTime,
    ) -> LongLivedToken {
        LongLivedToken {
            token: token.into(),
            token_type: None,
            expires_in,
            obtained_at,
        }
    }

    /// When it is old enough to be refreshed: 24 hours after it was obtained.
    pub fn refreshable_at(&self) -> SystemTime {
        let at = self.obtained_at.checked_add(REFRESHABLE);
        at.unwrap_or(self.obtained_at)
    }

    /// When a refresh is due: with a third of its life or seven days left,
    /// whichever comes first. Where its life is not known, as soon as it is
    /// [refreshable](LongLivedToken::refreshable_at), and never before.
    pub fn refresh_due_at(&self) -> SystemTime {
        let life = self.expires_in.unwrap_or_default();
        let due = (life - life / 3).min(life.saturating_sub(MARGIN));
        let at = self.obtained_at.checked_add(due.max(REFRESHABLE));
        at.unwrap_or_else(|| self.refreshable_at())
    }

    /// When it expires; `None` where the service did not say, or said
    /// something that no clock can show.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.obtained_at.checked_add(self.expires_in?)
    }
}

/// Every shape of the token calls' replies; wrapped in `data` or not is decided
/// by the caller.
#[derive(Default)]
pub(crate) struct TokenReply {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Loose>,
    user_id: Option<String>,
    permissions: Option<Permissions>,
}

read_object!(TokenReply {
    "access_token" => access_token,
    "token_type" => token_type,
    "expires_in" => expires_in,
    "user_id" => user_id,
    "permissions" => permissions,
});

impl TokenReply {
    /// `None` where there is no token in it that can be one.
    fn token(&self) -> Option<Token> {
        let token = Token::new(self.access_token.as_deref()?);
        token.check().is_ok().then_some(token)
    }

    pub(crate) fn into_short_lived(self) -> Option<ShortLivedToken> {
        Some(ShortLivedToken {
            token: self.token()?,
            user_id: self.user_id,
            permissions: self
                .permissions
                .map_or_else(Vec::new, |permissions| permissions.0),
        })
    }

    pub(crate) fn into_long_lived(self, obtained_at: SystemTime) -> Option<LongLivedToken> {
        let seconds = self.expires_in.as_ref().and_then(Loose::number);
        Some(LongLivedToken {
            token: self.token()?,
            token_type: self.token_type,
            expires_in: seconds.map(|seconds| Duration::from_secs(seconds.try_into().unwrap_or(0))),
            obtained_at,
        })
    }
}

/// Names in one comma string, or in an array.
struct Permissions(Vec<String>);

make_place!(Place);

impl Slot for Permissions {
    fn slot(out: &mut Option<Permissions>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<Permissions> {
    fn null(&mut self) -> miniserde::Result<()> {
        self.out = None;
        Ok(())
    }

    fn string(&mut self, names: &str) -> miniserde::Result<()> {
        let names = names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        self.out = Some(Permissions(names.map(str::to_owned).collect()));
        Ok(())
    }

    fn seq(&mut self) -> miniserde::Result<Box<dyn Seq + '_>> {
        let names = &mut self.out.insert(Permissions(Vec::new())).0;
        Ok(Box::new(NameSeq { names, name: None }))
    }
}

struct NameSeq<'a> {
    names: &'a mut Vec<String>,
    name: Option<String>,
}

impl Seq for NameSeq<'_> {
    fn element(&mut self) -> miniserde::Result<&mut dyn Visitor> {
        self.names.extend(self.name.take());
        Ok(String::slot(&mut self.name))
    }

    fn finish(&mut self) -> miniserde::Result<()> {
        self.names.extend(self.name.take());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniserde::json;

    fn short(text: &str) -> ShortLivedToken {
        json::from_str::<TokenReply>(text)
            .unwrap()
            .into_short_lived()
            .unwrap()
    }

    #[test]
    fn reads_every_shape_of_a_short_lived_token() {
        let number = short(r#"{"access_token":"IGQ","user_id":17841405793187218}"#);
        assert_eq!(number.user_id.as_deref(), Some("17841405793187218"));
        assert!(number.permissions.is_empty());
        for permissions in [r#""a, b""#, r#"["a","b"]"#] {
            let token = short(&format!(
                r#"{{"access_token":"IGQ","user_id":"1","permissions":{permissions}}}"#
            ));
            assert_eq!(token.permissions, ["a", "b"]);
            assert_eq!(
                (token.token.expose(), token.user_id.as_deref()),
                ("IGQ", Some("1"))
            );
        }
    }

    #[test]
    fn expiry_is_what_the_server_said() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let expires = |expires_in: &str| {
            let text = format!(r#"{{"access_token":"IGQ"{expires_in}}}"#);
            let token = json::from_str::<TokenReply>(&text)
                .unwrap()
                .into_long_lived(now)
                .unwrap();
            token
                .expires_at()
                .map(|at| at.duration_since(now).unwrap().as_secs())
        };
        assert_eq!(expires(r#","expires_in":5183944"#), Some(5_183_944));
        assert_eq!(expires(r#","expires_in":"5012""#), Some(5012));
        assert_eq!(expires(r#","expires_in":0"#), Some(0));
        assert_eq!(expires(r#","expires_in":-5"#), Some(0));
        assert_eq!(expires(r#","expires_in":18446744073709551615"#), None);
        assert_eq!(expires(r#","expires_in":null"#), None);
        assert_eq!(expires(""), None);
    }

    #[test]
    fn a_refresh_is_due_late_in_life() {
        const DAY: u64 = 24 * 3600;
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let due_after = |expires_in: Option<u64>| {
            let token = LongLivedToken::new("IGQ", expires_in.map(Duration::from_secs), now);
            assert_eq!(token.refreshable_at(), now + Duration::from_secs(DAY));
            let due = token.refresh_due_at().duration_since(now).unwrap();
            due.as_secs()
        };
        assert_eq!(due_after(Some(60 * DAY)), 40 * DAY);
        assert_eq!(due_after(Some(5_183_944)), 3_455_962);
        assert_eq!(due_after(Some(12 * DAY)), 5 * DAY);
        assert_eq!(due_after(Some(5 * DAY)), DAY);
        assert_eq!(due_after(Some(5012)), DAY);
        assert_eq!(due_after(Some(0)), DAY);
        assert_eq!(due_after(Some(u64::MAX)), DAY);
        assert_eq!(due_after(None), DAY);
    }

    #[test]
    fn a_reply_without_a_token_is_none() {
        for text in [
            "{}",
            r#"{"access_token":""}"#,
            r#"{"access_token":"a b"}"#,
            r#"{"access_token":null}"#,
        ] {
            assert!(
                json::from_str::<TokenReply>(text)
                    .unwrap()
                    .into_short_lived()
                    .is_none(),
                "{text}"
            );
        }
    }

    #[test]
    fn reads_the_code_out_of_a_redirect() {
        for address in [
            "https://example.com/auth?code=AQ-x_1&state=s%26t#_",
            " https://example.com/auth?state=s%26t&code=AQ-x_1#_\n",
            "code=AQ-x_1&state=s%26t",
        ] {
            assert_eq!(
                Code::from_redirect(address, "s&t").unwrap().0.expose(),
                "AQ-x_1"
            );
        }
        assert_eq!(Code::new(" AQ-x_1#_\n").0.expose(), "AQ-x_1");
        assert_eq!(
            Code::from_redirect("?code=a%23_", "").unwrap().0.expose(),
            "a"
        );
    }

    #[test]
    fn a_refused_login_says_why() {
        let message = |address, state| {
            let error = Code::from_redirect(address, state).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Login);
            error.to_string()
        };
        assert_eq!(
            message(
                "https://example.com/auth?error=access_denied&error_reason=user_denied\
                 &error_description=The+user+denied+your+request",
                "s"
            ),
            "the login was refused (user_denied): The user denied your request"
        );
        assert_eq!(
            message("?error=access_denied", ""),
            "the login was refused (access_denied)"
        );
        assert!(message("?code=a&state=t", "s").contains("state"));
        assert!(message("?code=a", "s").contains("state"));
        assert!(message("https://example.com/", "").contains("no `code`"));
        assert!(message("https://example.com/", "s").contains("no `code`"));
        assert!(message("?code=", "").contains("no `code`"));
    }

    #[test]
    fn authorize_addresses() {
        let app = App::new("99", "SECRET", "https://example.com/auth?x=1");
        assert_eq!(
            app.authorize_url(Login::Instagram, Login::Instagram.scopes(), "a b"),
            "https://www.instagram.com/oauth/authorize?client_id=99&redirect_uri=https%3A%2F%2Fexample.com%2Fauth%3Fx%3D1\
             &scope=instagram_business_basic&response_type=code&state=a%20b"
        );
        let basic = app.authorize_url(Login::BasicDisplay, Login::BasicDisplay.scopes(), "");
        assert!(basic.starts_with("https://api.instagram.com/oauth/authorize?client_id=99&"));
        assert!(basic.ends_with("&scope=user_profile,user_media&response_type=code"));
    }
}
