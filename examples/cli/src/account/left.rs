//! Whether a post has left the account. A listing that lacks it proves nothing: the service
//! returns short and empty lists at times while nothing has changed (users report).

use mingram::{Api, MediaField as M};
use std::time::SystemTime;

/// The one of these different ids to ask for in this run: the next after the one that was
/// asked for last and has stayed, so that it does not keep the others.
pub fn next<'a>(ids: &[&'a str], stayed: Option<&str>) -> Option<&'a str> {
    let last = ids.iter().position(|id| Some(*id) == stayed);
    let next = last.and_then(|last| ids.get(last + 1));
    next.or(ids.first()).copied()
}

/// Asks for a post, or an album's child, by its id. `Err` says why it stays; only a refusal
/// that names no such object proves that it has left. One that is still there may go if it
/// `is_beyond` the count by the time of its publication.
pub fn prove(api: &Api, id: &str, is_beyond: &dyn Fn(SystemTime) -> bool) -> Result<(), String> {
    let mut asked = api.media(id, [M::Id, M::Timestamp]);
    if matches!(&asked, Err(error) if error.refused_field().is_some()) {
        asked = api.media(id, [M::Id]);
    }
    let why = match asked {
        Ok(media) if media.published_at().is_some_and(is_beyond) => return Ok(()),
        Ok(_) => "the service still has it".to_owned(),
        Err(error) if error.api_error().is_some() && error.is_not_found() => return Ok(()),
        Err(error) => error.to_string(),
    };
    Err(format!("{id} is not listed any more, but stays: {why}"))
}
