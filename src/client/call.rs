//! One call, ready to be sent.

use crate::http::coding;
use crate::http::transport::Method;
use crate::redact;
use std::time::Duration;

/// The length of an excerpt, in bytes.
const EXCERPT_BYTES: usize = 120;

/// How many of them come before the offset of an error.
const EXCERPT_BEFORE: usize = 40;

/// Instead of an excerpt of a login reply.
const HIDDEN: &str = "(not shown, it may contain a token)";

pub(crate) struct Call<'a> {
    pub(crate) kind: Kind,
    pub(crate) method: Method,
    /// For messages: `GET /me/media`.
    pub(crate) name: String,
    pub(crate) url: String,
    /// The form that a POST sends.
    pub(crate) form: Option<String>,
    /// What messages must not contain.
    pub(crate) secrets: Vec<&'a str>,
    /// Further headers: which part of a file is requested, and on which condition.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The time that is left for it, if an earlier call has used up some of it.
    pub(crate) time: Option<Duration>,
}

/// What a call is for. It decides the timeout, how a call may be sent and what may be
/// shown of it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Reads a node or an edge. The URL contains the token, so redirects must stay at
    /// the same origin. Retried.
    Graph,
    /// Obtains a token. As private as `Graph`. It may use up a code or a token, so it
    /// is sent once, over a new connection. The reply contains a secret, so no excerpt
    /// of it is shown.
    Login,
    /// Downloads a file from any host, without the token. Retried until the body
    /// starts.
    Download,
}

impl Kind {
    /// What `Accept-Encoding` names. The reply of a login is short, and a file is
    /// compressed already.
    pub(crate) fn accepted_coding(self) -> &'static str {
        match self {
            Kind::Graph => coding::OF_CALLS,
            Kind::Login | Kind::Download => coding::IDENTITY,
        }
    }
}

impl<'a> Call<'a> {
    pub(crate) fn get(kind: Kind, name: String, url: String) -> Call<'a> {
        Call {
            kind,
            method: Method::Get,
            name,
            url,
            form: None,
            secrets: Vec::new(),
            headers: Vec::new(),
            time: None,
        }
    }

    pub(crate) fn post(kind: Kind, name: String, url: String, form: String) -> Call<'a> {
        Call {
            method: Method::Post,
            form: Some(form),
            ..Call::get(kind, name, url)
        }
    }

    /// The beginning of a reply, for a message.
    pub(crate) fn excerpt(&self, text: &str) -> String {
        self.excerpt_at(text.trim_start(), 0)
    }

    /// The part of a reply around an offset, for a message.
    pub(crate) fn excerpt_at(&self, text: &str, offset: usize) -> String {
        if self.kind == Kind::Login {
            return HIDDEN.to_owned();
        }
        let start = offset.saturating_sub(EXCERPT_BEFORE);
        match redact::excerpt(text, start, EXCERPT_BYTES, &self.secrets) {
            line if line.is_empty() => "(empty)".to_owned(),
            line => line,
        }
    }
}
