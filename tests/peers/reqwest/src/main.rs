//! Own profile, then media in pages of 100, printed. With reqwest and serde_json.

#[allow(dead_code, reason = "read, not used")]
#[path = "../../model/serde.rs"]
mod model;

use model::{Failure, MEDIA_FIELDS, Page, USER_FIELDS, User};
use serde::de::DeserializeOwned;
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

struct Client {
    client: reqwest::blocking::Client,
    base: String,
    token: String,
}

impl Client {
    fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Box<dyn Error>> {
        let reply = self
            .client
            .get(format!("{}{path}", self.base))
            .query(query)
            .query(&[("access_token", &self.token)])
            .send()
            .map_err(reqwest::Error::without_url)?;
        let status = reply.status();
        if !status.is_success() {
            return Err(match reply.json::<Failure>() {
                Ok(Failure { error }) => format!("error {}: {}", error.code, error.message).into(),
                Err(_) => format!("HTTP {status}").into(),
            });
        }
        Ok(reply.json().map_err(reqwest::Error::without_url)?)
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
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::blocking::Client::builder().timeout(Duration::from_secs(30));
    #[cfg(feature = "roots")]
    let builder = builder.tls_backend_preconfigured({
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth()
    });
    let client = Client {
        client: builder.build()?,
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
