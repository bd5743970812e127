//! The one road that every call walks: address, transport, body, status and
//! error object. Redirects, retries and the rate-limit headers hang on it here.

use crate::error::{Error, ErrorKind, Result};
use crate::page::Page;
use crate::query::{Address, check_length, push_param, without_fragment};
use crate::redact::{beginning, one_line, redact};
use crate::reply::{api_error, ends_early, read_body, read_json, retry_after, short_name, shown};
use crate::retry::{self, Clock, SystemClock};
use crate::token::Token;
use crate::transport::{DefaultTransport, Method, Request, Response, Transport};
use crate::usage::Usage;
use miniserde::Deserialize;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const REDIRECTS: usize = 5;

/// The longest user agent, in bytes.
const USER_AGENT: usize = 512;

/// How much of a reply that is not understood is shown, in characters.
const EXCERPT: usize = 120;

/// It is taken from so many bytes; a long reply is not read to its end for it.
const EXCERPT_OF: usize = 16 * 1024;
/// What can be set, and what is shared: the transport and the latest usage.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) token: Token,
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
    pub(crate) usage: Arc<Mutex<Usage>>,
}

impl Settings {
    pub(crate) fn new(token: Token) -> Settings {
        Settings {
            token,
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
            usage: Arc::default(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("token", &self.token)
            .field("version", &self.version)
            .field("base_url", &redact(&self.base_url, &[self.token.expose()]))
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

/// One call, ready to walk the road.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// For messages: `GET /me/media`.
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) body: Option<String>,
    /// What must not be seen in any message.
    pub(crate) secrets: Vec<&'a str>,
    pub(crate) retries: u32,
    pub(crate) timeout: Duration,
    /// The address or the body carries a secret, so it goes to this host alone.
    pub(crate) private: bool,
    /// A login call: its reply holds a secret, so not even an excerpt of it is
    /// shown, and it may use up a code or a token, so it is sent once.
    pub(crate) secret_reply: bool,
    /// Where to start in a file.
    pub(crate) range_from: u64,
}

/// A reply that is JSON and no error.
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) usage: Usage,
    status: u16,
    content_type: String,
    retry_after: Option<Duration>,
}

impl Settings {
    /// A call to a node or edge of the graph, with the token.
    /// `path` is encoded; it is `None` where it could not be.
    pub(crate) fn graph_call(
        &self,
        path: Option<&str>,
        fields: &str,
        params: &[(&str, &str)],
    ) -> Result<Call<'_>> {
        let token = self.token.checked()?;
        let Some(path) = path else {
            return Err(Error::invalid(
                "the id or path is empty or has an empty, `.` or `..` part: write `node` or `node/edge`",
            ));
        };
        let mut url = self.checked_url(&self.base_url, "base address")?;
        if let Some(version) = &self.version {
            push_version(&mut url, version)?;
        }
        url.push_str(path);
        url.push('?');
        if !fields.is_empty() {
            push_param(&mut url, "fields", fields);
        }
        for (name, value) in params {
            if *name == "access_token" {
                return Err(Error::invalid(
                    "the access token is added by the Api: leave `access_token` out",
                ));
            }
            push_param(&mut url, name, value);
        }
        push_param(&mut url, "access_token", token);
        let mut call = self.call(Method::Get, format!("GET {path}"), url)?;
        call.secrets.push(token);
        call.retries = self.retries;
        Ok(call)
    }

    /// Any call, with nothing but what all calls have in common.
    pub(crate) fn call(&self, method: Method, name: String, url: String) -> Result<Call<'_>> {
        check_length(&url)?;
        Ok(Call {
            method,
            name,
            url,
            body: None,
            secrets: Vec::new(),
            retries: 0,
            timeout: self.timeout,
            private: true,
            secret_reply: false,
            range_from: 0,
        })
    }

    /// A configured host, checked, without a slash at its end.
    pub(crate) fn checked_url(&self, url: &str, what: &str) -> Result<String> {
        let fault = match Address::parse(url) {
            Ok(address) if address.rest.contains('?') || url.contains('#') => {
                "it has a query or a fragment"
            }
            Ok(_) => return Ok(url.trim_end_matches('/').to_owned()),
            Err(fault) => fault,
        };
        Err(Error::invalid(format!("the {what} is not usable: {fault}")))
    }

    /// Sends the call, waits for all of its reply, and lets nothing pass that
    /// is an error or no JSON.
    pub(crate) fn send(&self, call: &Call<'_>) -> Result<Reply> {
        self.retrying(call, || {
            let reply = self.receive(call)?;
            // The word as a key or value, never inside a caption: quotes there
            // are escaped. So most replies are not read twice.
            match reply.text.contains("\"error") {
                true => call.error_in(&reply).map_or(Ok(reply), Err),
                false => Ok(reply),
            }
        })
    }

    /// Sends the call and reads a page, which knows by itself that it is none
    /// where there is an error in it: long as it is, it is not searched first.
    pub(crate) fn send_for_page<T: Deserialize>(&self, call: &Call<'_>) -> Result<Page<T>> {
        self.retrying(call, || {
            let reply = self.receive(call)?;
            match read_json::<Page<T>>(&reply.text) {
                Ok(page) => Ok(Page {
                    usage: reply.usage,
                    ..page
                }),
                Err(error) => Err(call.error_in(&reply).unwrap_or_else(|| {
                    call.not_a(std::any::type_name::<Page<T>>(), &reply, error)
                })),
            }
        })
    }

    /// One attempt, up to a whole reply that is JSON.
    fn receive(&self, call: &Call<'_>) -> Result<Reply> {
        let response = self.open(call)?;
        let usage = self.note_usage(call, &response);
        self.read_reply(call, response, usage)
    }

    /// Tries again, a few times, what failed for a passing reason. A timeout
    /// does not count as one: the time that the caller set is used up.
    pub(crate) fn retrying<T>(
        &self,
        call: &Call<'_>,
        mut attempt: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let mut retry = 0;
        loop {
            let error = match attempt() {
                Ok(value) => return Ok(value),
                Err(error) => error.in_call(&call.name, &call.secrets),
            };
            let wait = retry::wait(retry).max(error.retry_after().unwrap_or_default());
            if retry >= call.retries
                || !error.is_transient()
                || error.is_timeout()
                || wait > retry::LONGEST_WAIT
            {
                return Err(error);
            }
            self.clock.sleep(wait);
            retry += 1;
        }
    }

    /// One attempt, redirects followed where they may be, up to the headers of
    /// a reply.
    pub(crate) fn open(&self, call: &Call<'_>) -> Result<Response> {
        if self.user_agent.is_empty()
            || self.user_agent.len() > USER_AGENT
            || self.user_agent.trim_ascii().len() < self.user_agent.len()
            || !self
                .user_agent
                .bytes()
                .all(|byte| byte == b' ' || byte.is_ascii_graphic())
        {
            return Err(Error::invalid(format!(
                "the user agent is empty, longer than {USER_AGENT} bytes, has a space at an end, \
                 or is not plain ASCII text on one line"
            )));
        }
        let range = format!("bytes={}-", call.range_from);
        let mut headers = vec![("User-Agent", self.user_agent.as_str()), ("Accept", "*/*")];
        if call.body.is_some() {
            headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        }
        if call.range_from > 0 {
            headers.push(("Range", &range));
        }
        let deadline = Instant::now().checked_add(call.timeout);
        let mut url = call.url.clone();
        for _ in 0..=REDIRECTS {
            let timeout = deadline.map_or(call.timeout, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if timeout.is_zero() {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    "the time for this call ran out",
                ));
            }
            let response = self.transport.send(&Request {
                method: call.method,
                url: &url,
                headers: &headers,
                body: call.body.as_deref(),
                timeout,
                once: call.secret_reply,
            })?;
            if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            url = redirected(call, &url, &response)
                .map_err(|error| error.with_status(response.status))?;
        }
        Err(Error::new(
            ErrorKind::Redirect,
            format!("more than {REDIRECTS} redirects, one after another"),
        ))
    }

    fn note_usage(&self, call: &Call<'_>, response: &Response) -> Usage {
        let usage = Usage::from_headers(
            response.header("x-app-usage"),
            response.header("x-business-use-case-usage"),
            &call.secrets,
        );
        if let Some(usage) = &usage {
            *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = usage.clone();
        }
        usage.unwrap_or_default()
    }

    /// The whole body as text, if it is a JSON document that came with success.
    fn read_reply(&self, call: &Call<'_>, response: Response, usage: Usage) -> Result<Reply> {
        let status = response.status;
        let retry_after = usage.wait().or_else(|| retry_after(&response));
        let content_type = response
            .header("content-type")
            .unwrap_or("no content type")
            .to_owned();
        let announced = response.length();
        let body =
            read_body(response, self.body_limit).map_err(|error| error.with_status(status))?;
        let length = body.len();
        let (mut text, utf8) = match String::from_utf8(body) {
            Ok(text) => (text, true),
            Err(error) => (
                String::from_utf8_lossy(error.as_bytes()).into_owned(),
                false,
            ),
        };
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let good = (200..300).contains(&status);
        let excerpt = || call.excerpt(&text);
        let content_shown = || shown(&content_type, &call.secrets);
        if !good {
            if let Some(api) = api_error(&text, status, &call.secrets) {
                return Err(Error::api_error(api, retry_after));
            }
            let message = format!(
                "HTTP {status} ({}, {length} bytes): {}",
                content_shown(),
                excerpt()
            );
            return Err(Error::new(ErrorKind::Status, message)
                .with_status(status)
                .with_retry_after(retry_after));
        }
        let start = text.trim_ascii_start();
        let json = start.starts_with(['{', '[']);
        // Before its bytes are found wanting: a cut may fall inside a character.
        if announced.is_none() && status != 204 && (json || start.is_empty()) && ends_early(&text) {
            let message = format!("the connection ended inside the reply, after {length} bytes");
            return Err(Error::new(ErrorKind::Truncated, message).with_status(status));
        }
        if !json || !utf8 {
            let message = format!(
                "the reply is not {} (HTTP {status}, {}, {length} bytes): {}",
                if utf8 { "JSON" } else { "UTF-8 text" },
                content_shown(),
                excerpt()
            );
            return Err(Error::new(ErrorKind::NotJson, message).with_status(status));
        }
        Ok(Reply {
            text,
            usage,
            status,
            content_type,
            retry_after,
        })
    }
}

impl Call<'_> {
    /// The beginning of a reply, without its secrets; redacted before it is
    /// cut, so that no half of a secret is left.
    pub(crate) fn excerpt(&self, text: &str) -> String {
        if self.secret_reply {
            return "(not shown, it may hold a token)".to_owned();
        }
        let line = one_line(redact(beginning(text, EXCERPT_OF), &self.secrets));
        match line.char_indices().nth(EXCERPT) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None if line.is_empty() => "(empty)".to_owned(),
            None => line,
        }
    }

    /// The error of the service in a reply that came with success.
    fn error_in(&self, reply: &Reply) -> Option<Error> {
        let api = api_error(&reply.text, reply.status, &self.secrets)?;
        Some(Error::api_error(api, reply.retry_after))
    }

    /// JSON, but not this type.
    pub(crate) fn not_a(&self, type_name: &str, reply: &Reply, error: miniserde::Error) -> Error {
        let message = format!(
            "the reply is JSON, but not the {} that was wanted (HTTP {}, {}, {} bytes): {}",
            short_name(type_name),
            reply.status,
            shown(&reply.content_type, &self.secrets),
            reply.text.len(),
            self.excerpt(&reply.text)
        );
        Error::new(ErrorKind::Decode, message)
            .with_status(reply.status)
            .with_source(error)
            .in_call(&self.name, &self.secrets)
    }
}

fn push_version(url: &mut String, version: &str) -> Result<()> {
    let digits = |part: &str| {
        !part.is_empty() && part.len() < 5 && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    match version
        .strip_prefix('v')
        .and_then(|number| number.split_once('.'))
    {
        Some((major, minor)) if digits(major) && digits(minor) => {
            url.push('/');
            url.push_str(version);
            Ok(())
        }
        _ => Err(Error::invalid("the version is not written as `v25.0`")),
    }
}

/// Where a redirect leads, if it may be followed.
fn redirected(call: &Call<'_>, url: &str, response: &Response) -> Result<String> {
    let refuse = |message: String| Err(Error::new(ErrorKind::Redirect, message));
    let status = response.status;
    if call.method != Method::Get {
        return refuse(format!(
            "a redirect (HTTP {status}) of a call that carries a secret is not followed"
        ));
    }
    let Some(location) = response.header("location") else {
        return refuse(format!(
            "a redirect (HTTP {status}) that does not say where to"
        ));
    };
    let from = Address::parse(url).map_err(Error::invalid)?;
    let to = from.join(location);
    let address = match Address::parse(&to) {
        Ok(address) => address,
        Err(fault) => {
            return refuse(format!(
                "a redirect (HTTP {status}) to an address that is not usable: {fault}"
            ));
        }
    };
    if call.private && !from.same_origin(&address) {
        return refuse(format!(
            "a redirect (HTTP {status}) to {}, which the access token must not reach",
            shown(address.host, &call.secrets)
        ));
    }
    if from.https && !address.https {
        return refuse(format!("a redirect (HTTP {status}) from https to http"));
    }
    if check_length(&to).is_err() {
        return refuse(format!(
            "a redirect (HTTP {status}) to an address of {} bytes, which no server takes",
            to.len()
        ));
    }
    Ok(without_fragment(&to).to_owned())
}
