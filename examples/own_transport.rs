//! Logs every request: `INSTAGRAM_TOKEN=… cargo run --example own_transport`

use mingram::transport::{DefaultTransport, Request, Response, Transport};
use mingram::{Api, UserField};
use std::time::Instant;

/// Passes requests to another transport, and prints what came back.
pub struct Logged<T>(pub T);

impl<T: Transport> Transport for Logged<T> {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        // The query contains the token, so only what comes before it may be printed.
        let url = request.url.split('?').next().unwrap_or_default();
        let start = Instant::now();
        let response = self.0.send(request)?;
        let (status, ms) = (response.status, start.elapsed().as_millis());
        eprintln!("{} {url}: HTTP {status}, {ms} ms", request.method.as_str());
        Ok(response)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = Api::new(std::env::var("INSTAGRAM_TOKEN")?);
    run(&api.with_transport(Logged(DefaultTransport::default())))?;
    Ok(())
}

pub fn run(api: &Api) -> mingram::Result<()> {
    let me = api.me(UserField::BASIC)?;
    println!("@{}", me.username.unwrap_or_default());
    Ok(())
}
