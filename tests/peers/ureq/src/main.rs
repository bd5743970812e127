//! Own profile, then media in pages of 100, printed. With ureq and serde_json.

#[allow(dead_code, reason = "read, not used")]
#[path = "../../model/serde.rs"]
mod model;

use model::{Failure, MEDIA_FIELDS, Page, USER_FIELDS, User};
use serde::de::DeserializeOwned;
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

struct Client {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Client {
    fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Box<dyn Error>> {
        let mut reply = self
            .agent
            .get(format!("{}{path}", self.base))
            .query_pairs(query.iter().copied())
            .query("access_token", &self.token)
            .call()?;
        if !reply.status().is_success() {
            let status = reply.status();
            return Err(match reply.body_mut().read_json::<Failure>() {
                Ok(Failure { error }) => format!("error {}: {}", error.code, error.message).into(),
                Err(_) => format!("HTTP {status}").into(),
            });
        }
        Ok(reply.body_mut().read_json()?)
    }
}

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).map_or(Ok(250), |n| n.parse())?;
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build();
    let client = Client {
        agent: config.into(),
        base: std::env::var("INSTAGRAM_URL").unwrap_or("https://graph.instagram.com".into()),
        token: std::env::var("INSTAGRAM_TOKEN")?,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let me: User = client.get("/me", &[("fields", USER_FIELDS)])?;
    me.print(&mut out)?;
    let (mut left, mut after) = (count, String::new());
    while left > 0 {
        let mut query = vec![("fields", MEDIA_FIELDS), ("limit", "100")];
        if !after.is_empty() {
            query.push(("after", &after));
        }
        let mut page: Page = client.get("/me/media", &query)?;
        for media in page.data.iter().take(left) {
            media.print(&mut out)?;
        }
        left = left.saturating_sub(page.data.len());
        match page.next() {
            Some(cursor) => after = cursor,
            None => break,
        }
    }
    out.flush()?;
    Ok(())
}
