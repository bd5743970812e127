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
    if let RefreshOutcome::RefreshFailed(error) = &refresh.outcome {
        // Otherwise the old token may be valid for weeks: try again tomorrow.
        if error.is_token_invalid() {
            println!("log in again");
        }
    }
    // The token to use, new or old, is `refresh.token.token`.
    Ok(refresh.outcome)
}
