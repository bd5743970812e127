//! The state of a login, which proves that a redirect belongs to it.

use crate::error::{Error, ErrorKind, Result};
use crate::http::query::params;
use crate::http::tls;
use crate::http::url::query_of;
use std::fmt;

/// Ties a login to the browser that started it: text that nobody can guess, which the
/// authorize URL contains and the redirect returns unchanged (Meta's *Business Login for
/// Instagram* page). Without it, a link could log your user in to somebody else's account.
///
/// Create one for each login, and check the redirect against it:
///
/// ```
/// use mingram::auth::{App, Code, Login, State};
///
/// # fn main() -> mingram::Result<()> {
/// let app = App::new("990602627938098", "SECRET", "https://example.com/auth");
/// let state = State::random()?;
/// let url = app.authorize_url(Login::Instagram, Login::Instagram.scopes(), &state);
/// // Open `url` in a browser. It is redirected to:
/// let redirect = format!("https://example.com/auth?code=AQBx&state={}#_", state.as_str());
/// let code = Code::from_redirect(&redirect, &state)?;
/// assert!(Code::from_redirect(&redirect, &State::random()?).is_err());
/// # Ok(()) }
/// ```
///
/// In a web server the redirect is another request: store [`as_str`](State::as_str) in the
/// user's session, and take it from there with [`restore`](State::restore).
///
/// Its `Debug` is `State(..)`.
#[derive(Clone)]
pub struct State(String);

impl State {
    /// Creates a state of 128 random bits from the operating system, written as 32
    /// hexadecimal digits.
    ///
    /// The bits come from ring, or in a build without TLS from `/dev/urandom`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system has none, for example outside
    /// of Unix in a build without TLS.
    pub fn random() -> Result<State> {
        let mut bytes = [0; 16];
        tls::fill(&mut bytes).map_err(|error| {
            let message = "the system has no random numbers: enable a feature with TLS, or pass your own to State::restore";
            Error::new(ErrorKind::Io, message).with_source(error)
        })?;
        Ok(State(format!("{:032x}", u128::from_ne_bytes(bytes))))
    }

    /// The state of a login that was started before, by its text. It must have been random.
    /// An empty one matches no redirect.
    pub fn restore(text: impl Into<String>) -> State {
        State(text.into())
    }

    /// The text, to store it in the user's session.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks that a redirect URL, or its query, belongs to this login. The time that this
    /// takes does not depend on the text. [`Code::from_redirect`](super::Code::from_redirect)
    /// does it for you.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Login`](crate::ErrorKind::Login) if the URL has another state, several or
    /// none.
    pub fn check(&self, redirect_url: &str) -> Result<()> {
        let message = match single_param(query_of(redirect_url), "state")? {
            Some(state) if !state.is_empty() && are_equal(&state, &self.0) => return Ok(()),
            Some(_) => {
                "the state in this URL belongs to another login: start again, and use the URL once, in the same browser"
            }
            None => {
                "this URL contains no `state`: start again, and copy the complete URL of the page after the login"
            }
        };
        Err(Error::new(ErrorKind::Login, message))
    }
}

/// A parameter of a redirect, which has each only once (RFC 6749, section 3.1): of two, one
/// may be somebody else's.
pub(super) fn single_param(query: &str, name: &str) -> Result<Option<String>> {
    let mut values = params(query, name);
    let value = values.next();
    match values.next() {
        None => Ok(value),
        Some(_) => Err(Error::new(
            ErrorKind::Login,
            format!("this URL contains `{name}` more than once: start again"),
        )),
    }
}

/// Compares all bytes, wherever the first difference is.
fn are_equal(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).map(|(a, b)| a ^ b);
    a.len() == b.len() && differences.fold(0, |all, difference| all | difference) == 0
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_states_differ() {
        let states: Vec<State> = (0..20).map(|_| State::random().unwrap()).collect();
        for (i, state) in states.iter().enumerate() {
            let text = state.as_str();
            assert_eq!(text.len(), 32);
            assert!(text.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(states[..i].iter().all(|other| other.as_str() != text));
            assert_eq!(format!("{state:?}"), "State(..)");
        }
        // No byte is left as it was.
        for digit in 0..32 {
            let first = states[0].as_str().as_bytes()[digit];
            let same = |state: &State| state.as_str().as_bytes()[digit] == first;
            assert!(!states.iter().all(same), "digit {digit}");
        }
    }

    /// No two differences make up for each other.
    #[test]
    fn every_difference_counts() {
        let state = State::restore("0123456789abcdef");
        for at in 0..16 {
            for other in 0..at {
                let mut bytes = state.as_str().as_bytes().to_vec();
                for at in [at, other] {
                    bytes[at] ^= 1;
                }
                let text = String::from_utf8(bytes).unwrap();
                assert!(state.check(&format!("?state={text}")).is_err(), "{text}");
            }
        }
        for text in ["", "0", "0123456789abcde", "0123456789abcdef0"] {
            assert!(state.check(&format!("?state={text}")).is_err(), "{text}");
        }
    }

    #[test]
    fn a_redirect_belongs_to_one_login() {
        let state = State::restore("s&t=\u{e9}");
        for good in [
            "https://example.com/auth?code=a&state=s%26t%3D%C3%A9#_",
            " https://example.com/auth?state=s%26t%3D%c3%a9&code=a\n",
            "state=s%26t%3D%C3%A9",
        ] {
            state.check(good).unwrap();
        }
        for (bad, says) in [
            ("https://example.com/auth?code=a", "no `state`"),
            (
                "https://example.com/auth?code=a#state=s%26t%3D%C3%A9",
                "no `state`",
            ),
            ("", "no `state`"),
            ("?state=", "another login"),
            ("?state=s%26t%3D", "another login"),
            ("?state=s%26t%3D%C3%A9x", "another login"),
            ("?state=S%26t%3D%C3%A9", "another login"),
            ("?state=s%26t%3D%C3%A9&state=other", "more than once"),
            ("?state=other&%73tate=s%26t%3D%C3%A9", "more than once"),
        ] {
            let error = state.check(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Login);
            let message = error.to_string();
            assert!(
                message.contains(says) && message.contains("start again"),
                "{message}"
            );
        }
        let empty = State::restore("");
        for none in ["?state=", "?code=a", ""] {
            assert!(empty.check(none).is_err());
        }
    }
}
