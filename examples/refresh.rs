//! Refreshes the token in a file if that is due. Run it daily:
//! `cargo run --example refresh -- token.json`

use mingram::Api;
use mingram::auth::{RefreshOutcome, TokenFile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give a token file")?;
    run(&Api::without_token(), &TokenFile::new(path))?;
    Ok(())
}

pub fn run(api: &Api, file: &TokenFile) -> mingram::Result<RefreshOutcome> {
    let refresh = file.refresh_if_due(api)?;
    println!("token: {}", refresh.outcome);
    // The token to use, new or old, is `refresh.token`. A program that has more to do can do it:
    // unless the error `is_token_invalid`, the old token may be valid for weeks. This one fails,
    // so that somebody looks at it.
    match refresh.outcome {
        RefreshOutcome::RefreshFailed(error) | RefreshOutcome::SaveFailed(error) => Err(error),
        outcome => Ok(outcome),
    }
}
