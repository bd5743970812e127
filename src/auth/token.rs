//! Access tokens, short-lived and long-lived.

use super::secret::Secret;
use crate::error::Result;
use crate::json::value::Value;
use std::fmt;
use std::time::{Duration, SystemTime};

/// An access token. Its `Debug` is `Token(..)`; it is sent to the configured host
/// and never printed.
///
/// White space around the text is trimmed. A token must not be empty and may have
/// at most 4096 bytes of visible ASCII. The first call rejects a malformed token
/// before anything is sent; [`check`](Token::check) rejects it immediately.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Secret);

impl Token {
    /// Creates a token from its text.
    pub fn new(text: &str) -> Token {
        Token(Secret::new(text))
    }

    /// Checks that the token is well-formed. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed
    /// token.
    pub fn check(&self) -> Result<()> {
        self.checked().map(drop)
    }

    /// The secret text, for storing it. Keep it out of logs.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    pub(crate) fn checked(&self) -> Result<&str> {
        self.0.checked(
            "access token",
            "use the one from the login or from Meta's dashboard",
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

/// The token for a login's code: valid for one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShortLivedToken {
    /// The token.
    pub token: Token,
    /// The user's app-scoped id, if the service sent it: the same as
    /// [`User::id`](crate::User::id). It is not the professional account's own id, which
    /// webhooks carry and [`User::user_id`](crate::User::user_id) holds (Meta's *Business
    /// Login for Instagram* page calls this one Instagram-scoped).
    pub user_id: Option<String>,
    /// The permissions that the user granted, if the service sent them.
    pub permissions: Vec<String>,
}

impl ShortLivedToken {
    /// Reads the reply to a code exchange, flat or wrapped in `{"data":[…]}`. `None`
    /// if it contains no usable token.
    pub(crate) fn from_reply(reply: &Value) -> Option<ShortLivedToken> {
        let reply = unwrap_data(reply);
        Some(ShortLivedToken {
            token: token(reply)?,
            user_id: optional_text(reply, "user_id")?,
            permissions: match reply.get("permissions") {
                None => Vec::new(),
                Some(Value::Text(names)) => names
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect(),
                Some(Value::List(names)) => names.iter().map(Value::text).collect::<Option<_>>()?,
                Some(_) => return None,
            },
        })
    }
}

/// The token for a short-lived one: usually valid for 60 days, and for 60 more after
/// each refresh. [`expires_in`](Self::expires_in) holds what the service reported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LongLivedToken {
    /// The token.
    pub token: Token,
    /// `bearer`, if the service sent it.
    pub token_type: Option<String>,
    /// How long the token is valid, counted from [`obtained_at`](Self::obtained_at);
    /// zero if the service sent a negative time. `None` if it sent none: then nothing
    /// is known about the expiry.
    pub expires_in: Option<Duration>,
    /// When the token was obtained: by the local clock, or by the `Date` of the reply if the
    /// two differ by more than a day.
    pub obtained_at: SystemTime,
}

/// The minimum age of a token for a refresh (Meta's *Refresh Access Token* page).
const MIN_AGE: Duration = Duration::from_secs(24 * 3600);

/// A token that expires sooner than this is due for a refresh.
const MARGIN: Duration = Duration::from_secs(7 * 24 * 3600);

impl LongLivedToken {
    /// A token from another source, such as Meta's dashboard. `expires_in` counts
    /// from `obtained_at`; `None` if it is not known.
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

    /// Reads the reply to an exchange or a refresh, flat or wrapped in
    /// `{"data":[…]}`. `None` if it contains no usable token.
    pub(crate) fn from_reply(reply: &Value, obtained_at: SystemTime) -> Option<LongLivedToken> {
        let reply = unwrap_data(reply);
        let seconds = reply.number_of("expires_in");
        let mut long_lived = LongLivedToken::new(
            token(reply)?,
            seconds.map(|seconds| Duration::from_secs(seconds.try_into().unwrap_or(0))),
            obtained_at,
        );
        long_lived.token_type = optional_text(reply, "token_type")?;
        Some(long_lived)
    }

    /// When the token is old enough for a refresh: 24 hours after it was obtained.
    pub fn refreshable_at(&self) -> SystemTime {
        let at = self.obtained_at.checked_add(MIN_AGE);
        at.unwrap_or(self.obtained_at)
    }

    /// When a refresh is due: when a third of the token's life or seven days remain,
    /// whichever comes first, but never before it is
    /// [refreshable](LongLivedToken::refreshable_at). If its life is not known, as
    /// soon as it is refreshable.
    pub fn refresh_due_at(&self) -> SystemTime {
        let life = self.expires_in.unwrap_or_default();
        let due = (life - life / 3).min(life.saturating_sub(MARGIN));
        let at = self.obtained_at.checked_add(due.max(MIN_AGE));
        at.unwrap_or_else(|| self.refreshable_at())
    }

    /// When the token expires; `None` if it is not known, or beyond what the clock
    /// can represent.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.obtained_at.checked_add(self.expires_in?)
    }
}

/// The first element of `{"data":[…]}`, unless the token is in the reply itself.
fn unwrap_data(reply: &Value) -> &Value {
    match reply.get("data") {
        Some(Value::List(list)) if reply.get("access_token").is_none() => {
            list.first().unwrap_or(reply)
        }
        _ => reply,
    }
}

/// The text of a key that may be absent; `None` if it is of another type.
fn optional_text(reply: &Value, key: &str) -> Option<Option<String>> {
    match reply.get(key) {
        None => Some(None),
        Some(value) => value.text().map(Some),
    }
}

/// The token in a reply, if it is well-formed.
fn token(reply: &Value) -> Option<Token> {
    let token = Token::new(&reply.text_of("access_token")?);
    token.check().is_ok().then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: &str) -> Option<ShortLivedToken> {
        ShortLivedToken::from_reply(&Value::parse_object(text).unwrap())
    }

    #[test]
    fn reads_every_shape_of_a_short_lived_token() {
        let number = short(r#"{"access_token":"IGQ","user_id":17841405793187218}"#).unwrap();
        assert_eq!(number.user_id.as_deref(), Some("17841405793187218"));
        assert!(number.permissions.is_empty());
        for permissions in [r#""a, b""#, r#"["a","b"]"#] {
            let flat =
                format!(r#"{{"access_token":"IGQ","user_id":"1","permissions":{permissions}}}"#);
            let token = short(&flat).unwrap();
            assert_eq!(
                short(&format!(r#"{{"data":[{flat}]}}"#)),
                Some(token.clone())
            );
            assert_eq!(token.permissions, ["a", "b"]);
            assert_eq!(
                (token.token.expose(), token.user_id.as_deref()),
                ("IGQ", Some("1"))
            );
        }
    }

    #[test]
    fn expiry_is_what_the_service_reported() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let expires = |expires_in: &str| {
            let text = format!(r#"{{"access_token":"IGQ"{expires_in}}}"#);
            let reply = Value::parse_object(&text).unwrap();
            let token = LongLivedToken::from_reply(&reply, now).unwrap();
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
    fn replies_without_a_token_are_none() {
        for text in [
            "{}",
            r#"{"access_token":""}"#,
            r#"{"access_token":"a b"}"#,
            r#"{"access_token":null}"#,
            r#"{"data":[]}"#,
            r#"{"data":[{}]}"#,
        ] {
            assert!(short(text).is_none(), "{text}");
        }
    }
}
