//! What the job reads, with serde.

use serde::Deserialize;

pub const USER_FIELDS: &str = "id,username,account_type,media_count";
pub const MEDIA_FIELDS: &str =
    "id,caption,media_type,media_url,permalink,thumbnail_url,timestamp,username";

#[derive(Deserialize)]
pub struct User {
    pub id: String,
    pub username: Option<String>,
    pub account_type: Option<String>,
    pub media_count: Option<u64>,
}

#[derive(Deserialize)]
pub struct Media {
    pub id: String,
    pub caption: Option<String>,
    pub media_type: Option<String>,
    pub media_url: Option<String>,
    pub permalink: Option<String>,
    pub thumbnail_url: Option<String>,
    pub timestamp: Option<String>,
    pub username: Option<String>,
}

#[derive(Deserialize)]
pub struct Page {
    pub data: Vec<Media>,
    pub paging: Option<Paging>,
}

#[derive(Deserialize)]
pub struct Paging {
    pub cursors: Option<Cursors>,
    pub next: Option<String>,
}

#[derive(Deserialize)]
pub struct Cursors {
    pub after: Option<String>,
}

#[derive(Deserialize)]
pub struct Failure {
    pub error: Fault,
}

#[derive(Deserialize)]
pub struct Fault {
    pub message: String,
    pub code: i64,
}

impl Page {
    /// The cursor of the next page, if there is one.
    pub fn next(&mut self) -> Option<String> {
        let paging = self.paging.take()?;
        paging.next?;
        paging.cursors?.after
    }
}

impl Media {
    pub fn print(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        writeln!(
            out,
            "{} {} {} {}",
            self.id,
            self.timestamp
                .as_deref()
                .and_then(|t| t.get(..10))
                .unwrap_or("-"),
            self.media_type.as_deref().unwrap_or("-"),
            self.caption
                .as_deref()
                .and_then(|c| c.lines().next())
                .unwrap_or("")
        )
    }
}

impl User {
    pub fn print(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        writeln!(
            out,
            "{} ({}), {} media",
            self.username.as_deref().unwrap_or_default(),
            self.id,
            self.media_count.unwrap_or_default()
        )
    }
}
