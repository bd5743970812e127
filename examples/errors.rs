//! Reads one media, and decides what to do if that fails:
//! `INSTAGRAM_TOKEN=… cargo run --example errors -- MEDIA_ID`

use mingram::{Api, MediaField};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let id = std::env::args().nth(1).ok_or("give the id of a media")?;
    println!("{}", run(&Api::new(std::env::var("INSTAGRAM_TOKEN")?), &id));
    Ok(())
}

pub fn run(api: &Api, id: &str) -> String {
    let error = match api.media(id, [MediaField::Id, MediaField::Permalink]) {
        Ok(media) => return media.permalink.unwrap_or_default(),
        Err(error) => error,
    };
    // One line that names the call and never contains the token.
    eprintln!("{error}");
    if error.is_token_invalid() {
        "log in again".to_owned()
    } else if error.is_permission_missing() {
        "log in again and grant the permission".to_owned()
    } else if error.is_rate_limited() {
        match error.retry_after() {
            Some(wait) => format!("wait {} minutes", wait.as_secs().div_ceil(60)),
            None => "wait an hour".to_owned(),
        }
    } else if error.is_not_found() {
        "check the id".to_owned()
    } else if error.is_transient() {
        // It was retried twice already: see `Api::with_retries`.
        "try again later".to_owned()
    } else {
        "give up".to_owned()
    }
}
