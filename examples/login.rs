//! Logs a user in and stores a token that is valid for 60 days: `cargo run --example login`

use mingram::auth::{App, Code, Login, State, TokenFile};
use mingram::{Api, Result};
use std::env::var;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let id = var("INSTAGRAM_CLIENT_ID")?;
    let secret = var("INSTAGRAM_CLIENT_SECRET")?;
    let app = App::new(id, &secret, var("INSTAGRAM_REDIRECT_URI")?);
    let state = State::random()?;
    let url = app.authorize_url(Login::Instagram, Login::Instagram.scopes(), &state);
    println!("Open this URL in a browser and log in:\n\n{url}\n");
    println!("Then paste the URL of the page that you were sent to:");
    let mut redirect = String::new();
    std::io::stdin().read_line(&mut redirect)?;
    let code = Code::from_redirect(&redirect, &state)?;
    run(
        &Api::without_token(),
        &app,
        &code,
        &TokenFile::new("token.json"),
    )?;
    Ok(())
}

pub fn run(api: &Api, app: &App, code: &Code, file: &TokenFile) -> Result<()> {
    let short = api.exchange_code(app, code)?;
    let long = api.clone().with_token(short).exchange_token(app)?;
    file.save(&long)?;
    println!("stored in {}", file.path().display());
    Ok(())
}
