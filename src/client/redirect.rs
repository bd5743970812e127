//! Which redirects are followed.

use super::call::{Call, Kind};
use crate::error::{Error, ErrorKind, Result};
use crate::http::transport::{Method, Response};
use crate::http::url::{Url, check_length, repaired};
use crate::redact::sanitize;

/// The URL that a redirect leads to, if it may be followed.
pub(crate) fn redirect_target(call: &Call<'_>, url: &str, response: &Response) -> Result<String> {
    let status = response.status;
    let refuse = |why: String| {
        let message = format!("redirect (HTTP {status}) not followed: {why}");
        Err(Error::new(ErrorKind::Redirect, message))
    };
    if call.method != Method::Get {
        return refuse("the request contains a secret".to_owned());
    }
    let Some(location) = response.header("location") else {
        return refuse("it has no Location header".to_owned());
    };
    let from = Url::parse(url).map_err(Error::invalid)?;
    let target = from.join(&repaired(location));
    let to = match Url::parse(&target) {
        Ok(to) => to,
        Err(problem) => return refuse(format!("its URL is invalid: {problem}")),
    };
    if call.kind != Kind::Download && !from.same_origin(&to) {
        let host = sanitize(to.host, &call.secrets);
        return refuse(format!(
            "it leads to {host}, which must not receive the access token"
        ));
    }
    if from.https && !to.https {
        return refuse("it leads from https to http".to_owned());
    }
    if check_length(&target).is_err() {
        return refuse(format!("its URL is {} bytes long", target.len()));
    }
    Ok(target)
}
