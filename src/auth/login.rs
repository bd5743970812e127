//! Logging in: the app, the authorize URL and the code.

use super::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use crate::http::query::{param, push_param};
use crate::http::url::without_fragment;
use std::fmt;

/// The login product, which decides the authorize URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Login {
    /// Instagram Login, for professional accounts: the one in service.
    Instagram,
    /// Basic Display, which Meta shut down on 2024-12-04.
    BasicDisplay,
}

impl Login {
    /// The scopes required to read a profile and its media.
    pub fn scopes(self) -> &'static [&'static str] {
        match self {
            Login::Instagram => &["instagram_business_basic"],
            Login::BasicDisplay => &["user_profile", "user_media"],
        }
    }
}

/// An app registered in Meta's dashboard, for logging in its users.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) redirect_uri: String,
}

impl App {
    /// The app's id, secret and redirect URI from the dashboard. The redirect URI
    /// must match exactly.
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

    /// The URL to open in the user's browser (Meta's *Business Login for Instagram*
    /// and *Basic Display: Oauth Authorize* pages).
    ///
    /// The redirect returns `state` unchanged. Choose a value that cannot be guessed
    /// and pass the same one to [`Code::from_redirect`].
    pub fn authorize_url(&self, login: Login, scopes: &[&str], state: Option<&str>) -> String {
        let mut url = match login {
            Login::Instagram => "https://www.instagram.com/oauth/authorize?".to_owned(),
            Login::BasicDisplay => "https://api.instagram.com/oauth/authorize?".to_owned(),
        };
        push_param(&mut url, "client_id", &self.client_id);
        push_param(&mut url, "redirect_uri", &self.redirect_uri);
        push_param(&mut url, "scope", &scopes.join(","));
        push_param(&mut url, "response_type", "code");
        if let Some(state) = state {
            push_param(&mut url, "state", state);
        }
        url
    }

    pub(crate) fn secret(&self) -> Result<&str> {
        self.client_secret
            .checked("client secret", "use the one from the app's dashboard")
    }
}

/// The result of a login: valid for one hour and for one use.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(pub(crate) Secret);

impl Code {
    /// Creates a code from its text. The `#_` that Instagram appends is not part of
    /// the code and is removed.
    pub fn new(text: &str) -> Code {
        let text = text.trim_ascii();
        Code(Secret::new(text.strip_suffix("#_").unwrap_or(text)))
    }

    /// Takes the code from the URL that the browser was redirected to.
    ///
    /// `state` is the value passed to [`App::authorize_url`]; with `None` it is not
    /// compared.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Login`](crate::ErrorKind::Login) if the user or the service
    /// refused the login (with the reason), if the URL contains no code, or if the
    /// state differs.
    pub fn from_redirect(url: &str, state: Option<&str>) -> Result<Code> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Login, message));
        let url = without_fragment(url.trim_ascii());
        let query = url.split_once('?').map_or(url, |(_, query)| query);
        if let Some(error) = param(query, "error") {
            let reason = param(query, "error_reason").unwrap_or(error);
            return refuse(match param(query, "error_description") {
                Some(description) => format!("the login was refused ({reason}): {description}"),
                None => format!("the login was refused ({reason})"),
            });
        }
        let Some(code) = param(query, "code").filter(|code| !code.is_empty()) else {
            return refuse(
                "this URL contains no `code`: copy the complete URL of the page after the login"
                    .to_owned(),
            );
        };
        if state.is_some() && param(query, "state").as_deref() != state {
            return refuse(
                "the state in this URL belongs to another login: start again".to_owned(),
            );
        }
        Ok(Code::new(&code))
    }

    pub(crate) fn checked(&self) -> Result<&str> {
        self.0.checked(
            "login code",
            "take it from the redirect URL with Code::from_redirect",
        )
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_code_from_a_redirect() {
        for url in [
            "https://example.com/auth?code=AQ-x_1&state=s%26t#_",
            " https://example.com/auth?state=s%26t&code=AQ-x_1#_\n",
            "code=AQ-x_1&state=s%26t",
        ] {
            assert_eq!(
                Code::from_redirect(url, Some("s&t")).unwrap().0.expose(),
                "AQ-x_1"
            );
        }
        assert_eq!(Code::new(" AQ-x_1#_\n").0.expose(), "AQ-x_1");
        assert_eq!(
            Code::from_redirect("?code=a%23_", None).unwrap().0.expose(),
            "a"
        );
    }

    #[test]
    fn refused_logins_report_the_reason() {
        let message = |url, state: &'static str| {
            let error = Code::from_redirect(url, Some(state).filter(|state| !state.is_empty()))
                .unwrap_err();
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
    fn authorize_urls() {
        let app = App::new("99", "SECRET", "https://example.com/auth?x=1");
        assert_eq!(
            app.authorize_url(Login::Instagram, Login::Instagram.scopes(), Some("a b")),
            "https://www.instagram.com/oauth/authorize?client_id=99&redirect_uri=https%3A%2F%2Fexample.com%2Fauth%3Fx%3D1\
             &scope=instagram_business_basic&response_type=code&state=a%20b"
        );
        let basic = app.authorize_url(Login::BasicDisplay, Login::BasicDisplay.scopes(), None);
        assert!(basic.starts_with("https://api.instagram.com/oauth/authorize?client_id=99&"));
        assert!(basic.ends_with("&scope=user_profile,user_media&response_type=code"));
    }
}
