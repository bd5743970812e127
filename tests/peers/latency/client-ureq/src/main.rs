//! The same two jobs as a good user of ureq would write them.

use serde::Deserialize;
use ureq::tls::{RootCerts, TlsConfig};

#[derive(Deserialize)]
struct Page {
    data: Vec<Media>,
    paging: Paging,
}

#[derive(Deserialize)]
struct Media {
    caption: Option<String>,
}

#[derive(Deserialize)]
struct Paging {
    cursors: Cursors,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Cursors {
    after: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("INSTAGRAM_BASE_URL")?;
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).build().into();
    let mut arguments = std::env::args().skip(1);
    let (what, count) = (
        arguments.next().unwrap_or_default(),
        arguments.next().unwrap_or_default(),
    );
    let count: usize = count.parse()?;
    if what == "files" {
        for i in 0..count {
            let mut reply = agent.get(format!("{url}/file/{i}.jpg")).call()?;
            let bytes = std::io::copy(&mut reply.body_mut().as_reader(), &mut std::io::sink())?;
            assert_eq!(bytes, 20_000);
        }
        return Ok(());
    }
    let (mut items, mut after) = (0, String::new());
    loop {
        let fields = "id,caption,media_type,media_url,permalink,thumbnail_url,timestamp,username";
        let mut request = agent
            .get(format!("{url}/me/media"))
            .query("fields", fields)
            .query("limit", "100");
        if !after.is_empty() {
            request = request.query("after", &after);
        }
        let text = request
            .query("access_token", "IGQVJsample")
            .call()?
            .body_mut()
            .read_to_string()?;
        let page: Page = serde_json::from_str(&text)?;
        assert!(page.data.iter().all(|media| media.caption.is_some()));
        items += page.data.len();
        if page.paging.next.is_none() {
            break;
        }
        after = page.paging.cursors.after;
    }
    assert_eq!(items, count * 100);
    Ok(())
}
