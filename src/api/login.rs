//! The calls that obtain tokens.

use super::Api;
use crate::auth::age::obtained_at;
use crate::auth::login::{App, Code};
use crate::auth::token::{LongLivedToken, ShortLivedToken};
use crate::client::call::Call;
use crate::error::Result;
use crate::http::query::push_param;
use crate::json::value::Json;
use std::time::SystemTime;

/// When a token was obtained, by the local clock and the `Date` of the reply.
type ObtainedAt<'a> = dyn Fn(SystemTime, Option<SystemTime>) -> SystemTime + 'a;

impl Api {
    /// Exchanges a login's code for a short-lived token
    /// (`POST https://api.instagram.com/oauth/access_token`). A code is valid for one
    /// hour and for one use. Requires no token.
    ///
    /// The [`user_id`](ShortLivedToken::user_id) of the reply is app-scoped: do not store it
    /// as the account's id.
    ///
    /// # Errors
    ///
    /// A failure is [transient](crate::Error::is_transient) only if nothing was sent.
    /// Otherwise the code may be used up, for example if the reply is truncated: start the
    /// login again.
    #[doc(alias = "oauth")]
    #[doc(alias = "login")]
    pub fn exchange_code(&self, app: &App, code: &Code) -> Result<ShortLivedToken> {
        let (secret, code) = (app.secret()?, code.checked()?);
        let mut form = String::new();
        push_param(&mut form, "client_id", &app.client_id);
        push_param(&mut form, "client_secret", secret);
        push_param(&mut form, "grant_type", "authorization_code");
        push_param(&mut form, "redirect_uri", &app.redirect_uri);
        push_param(&mut form, "code", code);
        let mut call = self.client.login_form("/oauth/access_token", form)?;
        call.secrets.extend([secret, code]);
        self.obtain(&call, "ShortLivedToken", |reply, _| {
            ShortLivedToken::from_reply(reply)
        })
    }

    /// Exchanges the short-lived token of this `Api` for a long-lived one
    /// (`GET /access_token`).
    pub fn exchange_token(&self, app: &App) -> Result<LongLivedToken> {
        let secret = app.secret()?;
        let params = [
            ("grant_type", "ig_exchange_token"),
            ("client_secret", secret),
        ];
        let mut call = self.client.login_call("/access_token", &params)?;
        call.secrets.push(secret);
        self.obtain_long_lived(&call, &obtained_at)
    }

    /// Refreshes the long-lived token of this `Api` (`GET /refresh_access_token`). It
    /// must be at least 24 hours old and not expired. Short-lived tokens cannot be
    /// refreshed (code 190).
    ///
    /// [`LongLivedToken::refresh_if_due`] and
    /// [`TokenFile::refresh_if_due`](crate::auth::TokenFile::refresh_if_due) do it when it is
    /// due.
    pub fn refresh_token(&self) -> Result<LongLivedToken> {
        self.refresh_token_at(&obtained_at)
    }

    /// Refreshes the token. `obtained_at` decides between the local clock and the `Date`.
    pub(crate) fn refresh_token_at(&self, obtained_at: &ObtainedAt<'_>) -> Result<LongLivedToken> {
        let params = [("grant_type", "ig_refresh_token")];
        let call = self.client.login_call("/refresh_access_token", &params)?;
        self.obtain_long_lived(&call, obtained_at)
    }

    fn obtain_long_lived(
        &self,
        call: &Call<'_>,
        obtained_at: &ObtainedAt<'_>,
    ) -> Result<LongLivedToken> {
        self.obtain(call, "LongLivedToken", |reply, date| {
            LongLivedToken::from_reply(reply, obtained_at(self.now(), date))
        })
    }

    fn obtain<T>(
        &self,
        call: &Call<'_>,
        type_name: &str,
        token: impl Fn(&Json, Option<SystemTime>) -> Option<T>,
    ) -> Result<T> {
        let (token, _) = self.client.send(call, |reply| {
            let value = reply.parse(type_name)?;
            token(&value, reply.date()).ok_or_else(|| {
                reply.unexpected(type_name, "object, it has no valid `access_token`")
            })
        })?;
        Ok(token)
    }
}
