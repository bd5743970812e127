//! Own profile, then media in pages of 100, printed. With bitreq and miniserde.

#[allow(dead_code, reason = "read, not used")]
#[path = "../../model/mini.rs"]
mod model;

use miniserde::{Deserialize, json};
use model::{Failure, MEDIA_FIELDS, Page, USER_FIELDS, User};
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

struct Client {
    base: String,
    token: String,
}

impl Client {
    fn get<T: Deserialize>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Box<dyn Error>> {
        let mut request = bitreq::get(format!("{}{path}", self.base))
            .with_timeout(Duration::from_secs(30))
            .with_max_redirects(0)
            .with_param("access_token", &*self.token);
        for (name, value) in query {
            request = request.with_param(*name, *value);
        }
        let reply = request.send()?;
        let text = reply.as_str()?;
        if reply.status_code != 200 {
            return Err(match json::from_str::<Failure>(text) {
                Ok(Failure { error }) => format!("error {}: {}", error.code, error.message).into(),
                Err(_) => format!("HTTP {}", reply.status_code).into(),
            });
        }
        Ok(json::from_str(text)?)
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
    let client = Client {
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
