//! The settings of an `Api`, and the request pipeline that all its calls share.

use super::call::{Call, Kind};
use super::event::{self, Event, Observer};
use super::redirect::redirect_target;
use super::reply::Reply;
use super::retry::{self, Attempt, Clock, SystemClock};
use super::timed::Timed;
use super::usage::{Limits, Usage};
use crate::auth::token::Token;
use crate::error::{Error, ErrorKind, Result};
use crate::http::default_transport::DefaultTransport;
use crate::http::query::push_param;
use crate::http::transport::{MAX_TIMEOUT, Request, Response, Transport, check_lengths};
use crate::http::url::{Url, check_length};
use crate::lock::lock;
use crate::redact::redact;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

const MAX_REDIRECTS: usize = 5;

/// The time for an attempt of a call, in timeouts: the headers of all its requests, and the
/// body of its reply.
const CALL_TIMEOUTS: u32 = 5;

const MAX_USER_AGENT_BYTES: usize = 512;

/// The values of parameters that may be secrets have at least this many bytes.
const MIN_SECRET: usize = 8;

/// The parameters that say which call is made: those that calls add, and those that lead to
/// another page.
const OWN_PARAMS: &str = "access_token fields limit after before since until offset \
                          __paging_token __previous metric grant_type client_secret";

/// Settings, and what clones share: the transport and what is known of the rate limits.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) token: Token,
    /// Sent with every call to the graph host.
    pub(crate) params: Vec<(String, String)>,
    pub(crate) version: Option<String>,
    pub(crate) base_url: String,
    pub(crate) login_url: String,
    pub(crate) timeout: Duration,
    pub(crate) download_timeout: Duration,
    pub(crate) body_limit: usize,
    pub(crate) user_agent: String,
    pub(crate) retries: u32,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Arc<Mutex<Limits>>,
    pub(crate) pace: Option<Duration>,
    pub(crate) observer: Option<Arc<Observer>>,
}

impl Client {
    pub(crate) fn new(token: Token) -> Client {
        Client {
            token,
            params: Vec::new(),
            version: None,
            base_url: "https://graph.instagram.com".to_owned(),
            login_url: "https://api.instagram.com".to_owned(),
            timeout: Duration::from_secs(30),
            download_timeout: Duration::from_secs(3600),
            body_limit: 8 * 1024 * 1024,
            user_agent: concat!("mingram/", env!("CARGO_PKG_VERSION")).to_owned(),
            retries: 2,
            transport: Arc::new(DefaultTransport::default()),
            clock: Arc::new(SystemClock),
            limits: Arc::default(),
            pace: None,
            observer: None,
        }
    }

    /// A call to a node or edge of the graph. `path` is encoded; `None` if it could not
    /// be.
    pub(crate) fn graph_call(
        &self,
        path: Option<&str>,
        params: &[(&str, &str)],
    ) -> Result<Call<'_>> {
        self.call_with_token(Kind::Graph, path, params)
    }

    /// A login call to the graph host. It never takes a version.
    pub(crate) fn login_call(&self, path: &str, params: &[(&str, &str)]) -> Result<Call<'_>> {
        self.call_with_token(Kind::Login, Some(path), params)
    }

    fn call_with_token(
        &self,
        kind: Kind,
        path: Option<&str>,
        params: &[(&str, &str)],
    ) -> Result<Call<'_>> {
        let token = self.token.checked()?;
        let path = path.ok_or_else(|| {
            Error::invalid("the id or path is empty or has an empty, `.` or `..` segment: write `node` or `node/edge`")
        })?;
        let mut url = valid_base(&self.base_url, "base URL")?;
        if let (Kind::Graph, Some(version)) = (kind, &self.version) {
            push_version(&mut url, version)?;
        }
        url.push_str(path);
        url.push('?');
        let is_set = |name: &str| params.iter().any(|(set, _)| *set == name);
        let is_token = |(name, _): &(&str, _)| name.eq_ignore_ascii_case("access_token");
        if params.iter().any(is_token) {
            return Err(Error::invalid(
                "the Api adds the access token: remove the parameter `access_token`",
            ));
        }
        for (name, value) in params {
            // Without fields the parameter is omitted, as in Meta's guide.
            if *name != "fields" || !value.is_empty() {
                push_param(&mut url, name, value);
            }
        }
        for (name, value) in &self.params {
            check_param_name(name)?;
            if !is_set(name) {
                push_param(&mut url, name, value);
            }
        }
        push_param(&mut url, "access_token", token);
        check_length(&url)?;
        let mut call = Call::get(kind, format!("GET {path}"), url);
        call.secrets = self.secrets();
        Ok(call)
    }

    /// A login call that posts a form to `path` on the login host.
    pub(crate) fn login_form(&self, path: &str, form: String) -> Result<Call<'_>> {
        let mut url = valid_base(&self.login_url, "login URL")?;
        url.push_str(path);
        check_length(&url)?;
        let mut call = Call::post(Kind::Login, format!("POST {path}"), url, form);
        call.secrets = self.secrets();
        Ok(call)
    }

    /// What messages must not contain: the token, and values of [`params`](Client::params)
    /// that may be secrets. Shorter ones cannot, and are words of other texts.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let mut secrets = vec![self.token.expose()];
        for (_, value) in &self.params {
            if value.len() >= MIN_SECRET {
                secrets.push(value);
            }
        }
        secrets
    }

    /// Refuses plain http, which leads to this machine, unless the base URL leads there
    /// too: the address comes from a reply.
    pub(crate) fn check_download(&self, url: &Url<'_>) -> Result<()> {
        let is_local = |base| Url::parse(base).is_ok_and(|base| base.is_loopback());
        match url.https || is_local(&self.base_url) {
            true => Ok(()),
            false => Err(Error::invalid(
                "the file's URL leads to this machine, but the base URL does not: use https",
            )),
        }
    }

    /// Sends the call, and parses its reply with `parse`.
    pub(crate) fn send<T>(
        &self,
        call: &Call<'_>,
        parse: impl Fn(&Reply<'_>) -> Result<T>,
    ) -> Result<(T, Usage)> {
        self.keep_pace(call)?;
        let result = self.retrying(call, |attempt| {
            let mut response = self.open(call, attempt)?;
            response.body = Box::new(Timed::new(response.body, attempt, call.kind));
            let usage = self.record_usage(call, &response);
            let reply = Reply::read(call, response, usage, self.body_limit, &*self.clock)?;
            Ok((parse(&reply)?, reply.usage))
        });
        if let Err(error) = &result {
            self.record_refusal(call, error);
        }
        result
    }

    /// If a pace is set, waits as long as the service asked for.
    fn keep_pace(&self, call: &Call<'_>) -> Result<()> {
        let (Some(limit), Kind::Graph) = (self.pace, call.kind) else {
            return Ok(());
        };
        let (mut left, mut done) = (limit, None);
        loop {
            let (wait, record) = self.limits().wait(self.clock.elapsed());
            // Its time is over, even if the clock was set back meanwhile.
            if wait.is_zero() || done == Some(record) {
                return Ok(());
            }
            if wait > left {
                return Err(Error::rate_limit(wait, limit).in_call(&call.name, &call.secrets));
            }
            if self.observer.is_some() {
                let call = &redact(&call.name, &call.secrets);
                self.tell(&Event::Pace { call, wait });
            }
            self.clock.sleep(wait);
            (left, done) = (left - wait, Some(record));
        }
    }

    /// Makes attempts until one succeeds or must not be followed by another.
    pub(crate) fn retrying<T>(
        &self,
        call: &Call<'_>,
        mut make: impl FnMut(&Attempt) -> Result<T>,
    ) -> Result<T> {
        let time = match call.kind {
            Kind::Download => self.download_timeout,
            Kind::Graph | Kind::Login => self.timeout.saturating_mul(CALL_TIMEOUTS),
        };
        let mut left = call.time.unwrap_or(time).min(MAX_TIMEOUT);
        let mut number = 1;
        loop {
            let attempt = Attempt::new(number, left);
            match make(&attempt) {
                Ok(value) => return Ok(value),
                Err(error) => left = self.prepare_retry(call, error, &attempt, left)?,
            }
            number += 1;
        }
    }

    /// Sleeps before a retry of a transient failure, except a timeout: the caller's time
    /// limit has been reached already. Gives up if the service asks for a longer delay than
    /// a retry may have, or if the download has no time left for another attempt. Returns the
    /// time of the next attempt.
    fn prepare_retry(
        &self,
        call: &Call<'_>,
        error: Error,
        attempt: &Attempt,
        time: Duration,
    ) -> Result<Duration> {
        let error = match call.form {
            // The only form is the one with a login code.
            Some(_) => error.with_code(),
            None => error,
        };
        let error = error.in_call(&call.name, &call.secrets);
        let retries = match call.kind {
            Kind::Graph | Kind::Download => self.retries,
            Kind::Login => 0,
        };
        let retry = attempt.number - 1;
        let delay = retry::delay(retry).max(error.retry_after().unwrap_or_default());
        if retry >= retries
            || !error.is_transient()
            || error.is_timeout()
            || delay > retry::MAX_DELAY
        {
            return Err(error);
        }
        let left = match call.kind {
            Kind::Download => attempt.left().saturating_sub(delay),
            Kind::Graph | Kind::Login => time,
        };
        if left.is_zero() {
            return Err(error);
        }
        self.wait_for_retry(&error, delay);
        Ok(left)
    }

    /// Sleeps before a retry.
    pub(crate) fn wait_for_retry(&self, error: &Error, wait: Duration) {
        self.tell(&Event::Retry { error, wait });
        self.clock.sleep(wait);
    }

    /// Reports an event to the observer, if there is one. Nothing is locked meanwhile.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        if let Some(observer) = &self.observer {
            event::tell(&**observer, event);
        }
    }

    /// Sends the call once, follows redirects, and returns the response with its body
    /// unread: [`Timed`] reads it in what is left of the attempt's time.
    pub(crate) fn open(&self, call: &Call<'_>, attempt: &Attempt) -> Result<Response> {
        self.check()?;
        let mut headers = vec![
            ("User-Agent", self.user_agent.as_str()),
            ("Accept", "*/*"),
            ("Accept-Encoding", call.kind.accepted_coding()),
        ];
        if call.form.is_some() {
            headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        }
        let further = call.headers.iter();
        headers.extend(further.map(|(name, value)| (*name, value.as_str())));
        let mut url = call.url.clone();
        let mut status = 0;
        for hop in 0..=MAX_REDIRECTS {
            let sent = self.exchange(call, &url, &headers, attempt);
            let response = sent.map_err(|error| match hop {
                0 => error,
                _ => error.after_redirect(),
            })?;
            status = response.status;
            check_lengths(&response.headers).map_err(|error| error.with_status(status))?;
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            url = redirect_target(call, &url, &response)
                .map_err(|error| error.with_status(status))?;
        }
        let message = format!("more than {MAX_REDIRECTS} redirects in a row");
        Err(Error::new(ErrorKind::Redirect, message).with_status(status))
    }

    /// Sends one request, and tells the observer.
    fn exchange(
        &self,
        call: &Call<'_>,
        url: &str,
        headers: &[(&str, &str)],
        attempt: &Attempt,
    ) -> Result<Response> {
        if self.observer.is_none() {
            return self.transmit(call, url, headers, attempt);
        }
        let path = url.split('?').next().unwrap_or_default();
        let request = format!("{} {path}", call.method.as_str());
        let request = redact(&request, &call.secrets);
        let request = request.as_str();
        let event = Event::Request {
            request,
            attempt: attempt.number,
        };
        attempt.pause(|| self.tell(&event));
        let begun = Instant::now();
        let sent = self.transmit(call, url, headers, attempt);
        let time = begun.elapsed();
        let event = match &sent {
            Ok(response) => Event::Reply {
                request,
                status: response.status,
                length: response.length(),
                time,
            },
            Err(error) => Event::NoReply {
                request,
                error,
                time,
            },
        };
        attempt.pause(|| self.tell(&event));
        sent
    }

    fn transmit(
        &self,
        call: &Call<'_>,
        url: &str,
        headers: &[(&str, &str)],
        attempt: &Attempt,
    ) -> Result<Response> {
        let budget = attempt.left();
        if budget.is_zero() {
            return Err(Timed::spent(call.kind, None));
        }
        let sent = self.transport.send(&Request {
            method: call.method,
            url,
            headers,
            body: call.form.as_deref(),
            timeout: self.timeout.min(budget),
            budget,
            once: call.kind == Kind::Login,
            pauses: call.kind == Kind::Download,
        });
        sent.map_err(|error| {
            let error = match error.is_timeout() && attempt.left().is_zero() {
                true => Timed::spent(call.kind, Some(error)),
                false => error,
            };
            error.in_call(&call.name, &call.secrets)
        })
    }

    /// Refuses settings with which nothing can be sent.
    fn check(&self) -> Result<()> {
        let name = &self.user_agent;
        let printable = |byte| byte == b' ' || u8::is_ascii_graphic(&byte);
        let problem = if !(1..=MAX_USER_AGENT_BYTES).contains(&name.trim_ascii().len())
            || name.trim_ascii().len() < name.len()
            || !name.bytes().all(printable)
        {
            "the user agent is empty, longer than 512 bytes, starts or ends with a space, or is not printable ASCII"
        } else if self.timeout.is_zero() {
            "the time limit of requests is zero: set a longer one with `with_timeout`"
        } else if self.download_timeout.is_zero() {
            "the time limit of downloads is zero: set a longer one with `with_download_timeout`"
        } else {
            return Ok(());
        };
        Err(Error::invalid(problem))
    }

    fn record_usage(&self, call: &Call<'_>, response: &Response) -> Usage {
        let usage = Usage::from_headers(
            response.header("x-app-usage"),
            response.header("x-business-use-case-usage"),
            &call.secrets,
            self.clock.now(),
        );
        self.limits().record(&usage, self.clock.elapsed());
        usage
    }

    /// Remembers a refusal. The host of login codes has limits of its own.
    fn record_refusal(&self, call: &Call<'_>, error: &Error) {
        if call.kind == Kind::Graph && error.is_rate_limited() {
            let wait = error.retry_after();
            self.limits().record_refusal(wait, self.clock.elapsed());
        }
    }

    /// The clock is read while this is locked, so that its readings are in order.
    pub(crate) fn limits(&self) -> MutexGuard<'_, Limits> {
        lock(&self.limits)
    }
}

/// Refuses a name that calls set themselves, and one that a server might take for such a one.
fn check_param_name(name: &str) -> Result<()> {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if name.is_empty() || !name.bytes().all(of_name) {
        // It is not shown: a secret may be in its place.
        return Err(Error::invalid(
            "a name given to `with_param` is invalid: use letters, digits, `_` and `-`",
        ));
    }
    let mut own = OWN_PARAMS.split(' ');
    match own.find(|own| name.eq_ignore_ascii_case(own)) {
        Some(own) => Err(Error::invalid(format!(
            "`with_param` must not set `{own}`: calls set it themselves"
        ))),
        None => Ok(()),
    }
}

/// A configured URL without its trailing slash, if calls can be made to it.
fn valid_base(url: &str, what: &str) -> Result<String> {
    let problem = match Url::parse(url) {
        Ok(parsed) if parsed.rest.contains('?') || url.contains('#') => {
            "it has a query or a fragment"
        }
        Ok(_) => return Ok(url.trim_end_matches('/').to_owned()),
        Err(problem) => problem,
    };
    Err(Error::invalid(format!("the {what} is invalid: {problem}")))
}

fn push_version(url: &mut String, version: &str) -> Result<()> {
    let is_number = |part: &str| {
        !part.is_empty() && part.len() < 5 && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let number = version.strip_prefix('v').unwrap_or_default();
    let parts = number.split_once('.');
    if !parts.is_some_and(|(major, minor)| is_number(major) && is_number(minor)) {
        return Err(Error::invalid(
            "the version is invalid: write it like `v25.0`",
        ));
    }
    url.push('/');
    url.push_str(version);
    Ok(())
}

/// Written as `Api`, which has no other content.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("token", &self.token)
            .field("version", &self.version)
            .field("base_url", &redact(&self.base_url, &self.secrets()))
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}
