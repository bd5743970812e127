//! Access tokens, short-lived and long-lived.

use super::secret::Secret;
use crate::error::{Error, Result};
use crate::json::value::Json;
use crate::timestamp::from_unix;
use miniserde::json;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// An access token. Its `Debug` is `Token(..)`; it is sent to the configured host
/// and never printed.
///
/// White space around the text is trimmed. A token must not be empty and may have
/// at most 4096 bytes of visible ASCII. The first call rejects a malformed token
/// before anything is sent; [`check`](Token::check) rejects it immediately.
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl From<&String> for Token {
    fn from(text: &String) -> Token {
        Token::new(text)
    }
}

/// Unlike [`Token::new`], refuses a malformed token.
impl FromStr for Token {
    type Err = Error;

    fn from_str(text: &str) -> Result<Token> {
        let token = Token::new(text);
        token.check()?;
        Ok(token)
    }
}

impl From<String> for Token {
    fn from(text: String) -> Token {
        Token::new(&text)
    }
}

impl From<ShortLivedToken> for Token {
    fn from(token: ShortLivedToken) -> Token {
        token.token
    }
}

impl From<LongLivedToken> for Token {
    fn from(token: LongLivedToken) -> Token {
        token.token
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
    pub(crate) fn from_reply(reply: &Json) -> Option<ShortLivedToken> {
        let reply = unwrap_data(reply);
        Some(ShortLivedToken {
            token: token(reply)?,
            user_id: optional_text(reply, "user_id")?,
            permissions: match reply.get("permissions") {
                None => Vec::new(),
                Some(Json::Text(names)) => names
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect(),
                Some(Json::List(names)) => names.iter().map(Json::text).collect::<Option<_>>()?,
                Some(_) => return None,
            },
        })
    }
}

/// The token for a short-lived one: usually valid for 60 days, and for 60 more after
/// each refresh. [`expires_in`](Self::expires_in) holds what the service reported.
///
/// Store it with a [`TokenFile`](super::TokenFile), or, if you keep tokens of many users, with
/// [`to_json`](Self::to_json):
///
/// ```no_run
/// use mingram::Api;
/// use mingram::auth::LongLivedToken;
///
/// # fn main() -> mingram::Result<()> {
/// # let stored = String::new();
/// let old = LongLivedToken::from_json(&stored)?;
/// let refresh = old.refresh_if_due(&Api::without_token());
/// if refresh.token != old {
///     let stored = refresh.token.to_json()?;
///     // Write it to the database.
/// }
/// if let Some(error) = refresh.error() {
///     eprintln!("{error}");
/// }
/// let api = Api::new(refresh.token);
/// # Ok(()) }
/// ```
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
    /// When the token was obtained, in whole seconds: by the local clock, or by the `Date` of
    /// the reply if the two differ by more than a day. After a
    /// [refresh](LongLivedToken::refresh_if_due) the earlier of the two that is possible for
    /// a token of this age.
    pub obtained_at: SystemTime,
}

impl LongLivedToken {
    /// A token from another source, such as Meta's dashboard, whose tokens are valid for 60
    /// days. `expires_in` counts from `obtained_at`; `None` if it is not known. Fractions of
    /// a second are dropped.
    pub fn new(
        token: impl Into<Token>,
        expires_in: Option<Duration>,
        obtained_at: SystemTime,
    ) -> LongLivedToken {
        let whole = |time: Duration| Duration::from_secs(time.as_secs());
        LongLivedToken {
            token: token.into(),
            token_type: None,
            expires_in: expires_in.map(whole),
            obtained_at: match obtained_at.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(since) => SystemTime::UNIX_EPOCH + whole(since),
                Err(before) => SystemTime::UNIX_EPOCH - whole(before.duration()),
            },
        }
    }

    /// Reads the reply to an exchange or a refresh, flat or wrapped in
    /// `{"data":[…]}`. `None` if it contains no usable token.
    pub(crate) fn from_reply(reply: &Json, obtained_at: SystemTime) -> Option<LongLivedToken> {
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

    /// The token as a line of JSON, for storing it, in a database for example:
    /// `access_token`, `token_type`, `expires_in` (seconds) and `obtained_at` (Unix seconds).
    /// It contains the secret text: keep it out of logs.
    /// [`from_json`](LongLivedToken::from_json) reads it. A
    /// [`TokenFile`](super::TokenFile) stores the same.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed token, and for times
    /// that would not be read back as they are: with a fraction of a second, or beyond 2^63
    /// seconds.
    pub fn to_json(&self) -> Result<String> {
        let token = json::to_string(self.token.checked()?);
        let mut text = format!(r#"{{"access_token":{token}"#);
        if let Some(token_type) = &self.token_type {
            text += &format!(r#","token_type":{}"#, json::to_string(token_type));
        }
        let number = |name: &str, number: Option<i64>| match number {
            Some(number) => Ok(format!(r#","{name}":{number}"#)),
            None => Err(Error::invalid(format!(
                "the token's `{name}` cannot be stored: use whole seconds, less than 2^63"
            ))),
        };
        if let Some(expires_in) = self.expires_in {
            text += &number("expires_in", whole_seconds(expires_in))?;
        }
        let obtained_at = match self.obtained_at.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => whole_seconds(since),
            Err(before) => whole_seconds(before.duration()).map(|seconds| -seconds),
        };
        Ok(text + &number("obtained_at", obtained_at)? + "}")
    }

    /// Reads what [`to_json`](LongLivedToken::to_json) wrote. Other keys are ignored, and
    /// fractions of a second dropped.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if it has no valid `access_token` and
    /// `obtained_at`, or another key with a value that is not valid.
    pub fn from_json(text: &str) -> Result<LongLivedToken> {
        LongLivedToken::from_stored(text).ok_or_else(|| {
            Error::invalid(
                "the stored token has no valid `access_token` and `obtained_at`: log in again",
            )
        })
    }

    /// A reply of the service with `obtained_at`. A number that is present must be readable.
    pub(crate) fn from_stored(text: &str) -> Option<LongLivedToken> {
        let stored = Json::parse_object(text)?;
        let obtained_at = from_unix(stored.number_of("obtained_at")?)?;
        let token = LongLivedToken::from_reply(&stored, obtained_at)?;
        (token.expires_in.is_some() || stored.get("expires_in").is_none()).then_some(token)
    }
}

/// Whole seconds, if there is no fraction.
fn whole_seconds(time: Duration) -> Option<i64> {
    let seconds = i64::try_from(time.as_secs()).ok()?;
    (time.subsec_nanos() == 0).then_some(seconds)
}

/// The first element of `{"data":[…]}`, unless the token is in the reply itself.
fn unwrap_data(reply: &Json) -> &Json {
    match reply.get("data") {
        Some(Json::List(list)) if reply.get("access_token").is_none() => {
            list.first().unwrap_or(reply)
        }
        _ => reply,
    }
}

/// The text of a key that may be absent; `None` if it is of another type.
fn optional_text(reply: &Json, key: &str) -> Option<Option<String>> {
    match reply.get(key) {
        None => Some(None),
        Some(value) => value.text().map(Some),
    }
}

/// The token in a reply, if it is well-formed.
fn token(reply: &Json) -> Option<Token> {
    let token = Token::new(&reply.text_of("access_token")?);
    token.check().is_ok().then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: &str) -> Option<ShortLivedToken> {
        ShortLivedToken::from_reply(&Json::parse_object(text).unwrap())
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
            let reply = Json::parse_object(&text).unwrap();
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
