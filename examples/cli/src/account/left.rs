//! Whether a post has left the account. A listing that lacks it proves nothing: the service
//! returns short and empty lists at times while nothing has changed (users report).

use mingram::{Api, MediaField as M};

/// Asks for a post, or an album's child, by its id. `Err` says why it is not known to have
/// left; only a refusal that names no such object is a proof.
pub fn prove(api: &Api, id: &str) -> Result<(), String> {
    let why = match api.media(id, [M::Id]) {
        Ok(_) => "the service still has it".to_owned(),
        Err(error) if error.api_error().is_some() && error.is_not_found() => return Ok(()),
        Err(error) => error.to_string(),
    };
    Err(format!("{id} is not listed any more, but stays: {why}"))
}
