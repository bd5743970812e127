//! Logging in: the app, the authorize URL and the code.

use super::secret::Secret;
use super::state::{State, single_param};
use crate::error::{Error, ErrorKind, Result};
use crate::http::query::push_param;
use crate::http::url::query_of;

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
#[must_use]
pub struct App {
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) redirect_uri: String,
    force_reauth: Option<bool>,
    facebook_login: Option<bool>,
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
            force_reauth: None,
            facebook_login: None,
        }
    }

    /// Whether the user must enter a password even if the browser is logged in to Instagram
    /// (`force_reauth`; Meta's *Business Login for Instagram* page). Use it to let somebody
    /// log in with another account. Only for [`Login::Instagram`]. Default: not sent.
    pub fn with_force_reauth(mut self, force: bool) -> App {
        self.force_reauth = Some(force);
        self
    }

    /// Whether Instagram's login page, if it is shown, offers to log in with Facebook
    /// (`enable_fb_login`; Meta's *Business Login for Instagram* page). Only for
    /// [`Login::Instagram`]. Default: not sent; Instagram then offers it.
    pub fn with_facebook_login(mut self, offer: bool) -> App {
        self.facebook_login = Some(offer);
        self
    }

    /// The URL to open in the user's browser (Meta's *Business Login for Instagram*
    /// and *Basic Display: Oauth Authorize* pages).
    ///
    /// The redirect returns `state` unchanged: pass the same one to
    /// [`Code::from_redirect`].
    pub fn authorize_url(&self, login: Login, scopes: &[&str], state: &State) -> String {
        let mut url = match login {
            Login::Instagram => "https://www.instagram.com/oauth/authorize?".to_owned(),
            Login::BasicDisplay => "https://api.instagram.com/oauth/authorize?".to_owned(),
        };
        push_param(&mut url, "client_id", &self.client_id);
        push_param(&mut url, "redirect_uri", &self.redirect_uri);
        push_param(&mut url, "scope", &scopes.join(","));
        push_param(&mut url, "response_type", "code");
        push_param(&mut url, "state", state.as_str());
        if login == Login::Instagram {
            for (name, value) in [
                ("force_reauth", self.force_reauth),
                ("enable_fb_login", self.facebook_login),
            ] {
                if let Some(value) = value {
                    push_param(&mut url, name, if value { "true" } else { "false" });
                }
            }
        }
        url
    }

    pub(crate) fn secret(&self) -> Result<&str> {
        self.client_secret
            .checked("client secret", "use the one from the app's dashboard")
    }
}

/// The result of a login: valid for one hour and for one use.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// `state` is the one that was passed to [`App::authorize_url`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Login`](crate::ErrorKind::Login) if the [state differs](State::check); if
    /// the user or the service refused the login (with the reason); if the URL contains no
    /// code, or a parameter more than once. The state is checked first: nothing of another
    /// login's URL is shown.
    pub fn from_redirect(url: &str, state: &State) -> Result<Code> {
        let query = query_of(url);
        let param = |name| single_param(query, name);
        let (code, error) = (param("code")?, param("error")?);
        if error.is_some() && param("state")?.is_none() {
            let message = "this URL is of a refused login, but contains no `state`, so it may be somebody else's and its reason is not shown: start again";
            return Err(Error::new(ErrorKind::Login, message));
        }
        if code.is_some() || error.is_some() {
            // Before anything of the URL is used or shown: it may be somebody else's.
            state.check(url)?;
        }
        let message = match (error, code.filter(|code| !code.is_empty())) {
            (Some(error), _) => {
                let reason = param("error_reason")?.unwrap_or(error);
                let description = param("error_description")?;
                let description = description.map_or(String::new(), |text| format!(": {text}"));
                format!("the login was refused ({reason}){description}")
            }
            (None, Some(code)) => return Ok(Code::new(&code)),
            (None, None) => {
                "this URL contains no `code`: copy the complete URL of the page after the login"
                    .to_owned()
            }
        };
        Err(Error::new(ErrorKind::Login, message))
    }

    pub(crate) fn checked(&self) -> Result<&str> {
        self.0.checked(
            "login code",
            "take it from the redirect URL with Code::from_redirect",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_code_from_a_redirect() {
        let state = State::restore("s&t");
        for url in [
            "https://example.com/auth?code=AQ-x_1&state=s%26t#_",
            " https://example.com/auth?state=s%26t&code=AQ-x_1#_\n",
            "code=AQ-x_1&state=s%26t",
        ] {
            let code = Code::from_redirect(url, &state).unwrap();
            assert_eq!(code.0.expose(), "AQ-x_1");
        }
        assert_eq!(Code::new(" AQ-x_1#_\n").0.expose(), "AQ-x_1");
        let code = Code::from_redirect("?state=s%26t&code=a%23_", &state);
        assert_eq!(code.unwrap().0.expose(), "a");
    }

    #[test]
    fn refused_logins_report_the_reason() {
        let message = |url| {
            let error = Code::from_redirect(url, &State::restore("s")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Login);
            error.to_string()
        };
        assert_eq!(
            message(
                "https://example.com/auth?error=access_denied&error_reason=user_denied\
                 &error_description=The+user+denied+your+request&state=s"
            ),
            "the login was refused (user_denied): The user denied your request"
        );
        for url in [
            "?error=access_denied&state=s",
            "?state=s&error=access_denied&code=a#_",
        ] {
            assert_eq!(message(url), "the login was refused (access_denied)");
        }
        assert!(message("?error=&state=s").contains("was refused ()"));
        assert!(message("https://example.com/").contains("no `code`"));
        assert!(message("?code=&state=s").contains("no `code`"));
    }

    /// It may be sent by anybody, so nothing of it is shown.
    #[test]
    fn a_redirect_of_another_login_is_not_shown() {
        for (url, says) in [
            (
                "?error=evil&error_description=evil&state=t",
                "another login",
            ),
            ("?error=evil&error_reason=evil&state=", "another login"),
            ("?error=evil&error_description=evil", "no `state`"),
            ("?error=evil", "no `state`"),
            ("?code=evil&state=t", "another login"),
            ("?code=evil", "no `state`"),
            ("?code=evil&error=evil&state=t", "another login"),
            ("?code=&state=t", "another login"),
            ("?code=evil&state=s&state=t", "`state` more than once"),
            ("?error=evil&state=t&state=s", "`state` more than once"),
            ("?code=evil&c%6fde=b&state=s", "`code` more than once"),
            ("?error=evil&error=b&state=s", "`error` more than once"),
            ("?error=evil#&state=s", "no `state`"),
        ] {
            let error = Code::from_redirect(url, &State::restore("s")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Login);
            let text = format!("{error} {error:?}");
            assert!(text.contains(says) && !text.contains("evil"), "{text}");
        }
    }

    #[test]
    fn authorize_urls() {
        let app = App::new("99", "SECRET", "https://example.com/auth?x=1");
        let url = |app: &App, login: Login| {
            app.authorize_url(login, login.scopes(), &State::restore("a b"))
        };
        const INSTAGRAM: &str = "https://www.instagram.com/oauth/authorize?client_id=99&redirect_uri=https%3A%2F%2Fexample.com%2Fauth%3Fx%3D1\
             &scope=instagram_business_basic&response_type=code&state=a%20b";
        assert_eq!(url(&app, Login::Instagram), INSTAGRAM);
        let basic = url(&app, Login::BasicDisplay);
        assert!(basic.starts_with("https://api.instagram.com/oauth/authorize?client_id=99&"));
        assert!(basic.ends_with("&scope=user_profile,user_media&response_type=code&state=a%20b"));

        let app = app.with_force_reauth(true).with_facebook_login(false);
        assert_eq!(
            url(&app, Login::Instagram),
            format!("{INSTAGRAM}&force_reauth=true&enable_fb_login=false")
        );
        // Basic Display has neither.
        assert_eq!(url(&app, Login::BasicDisplay), basic);
        let app = app.with_force_reauth(false).with_facebook_login(true);
        assert!(url(&app, Login::Instagram).ends_with("&force_reauth=false&enable_fb_login=true"));
    }
}
