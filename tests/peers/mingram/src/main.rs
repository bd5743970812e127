//! Own profile, then media in pages of 100, printed. With mingram.

use mingram::{Api, MediaField, UserField};
use std::error::Error;
use std::io::{self, Write};

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).map_or(Ok(250), |n| n.parse())?;
    let mut api = Api::new(std::env::var("INSTAGRAM_TOKEN")?);
    if let Ok(url) = std::env::var("INSTAGRAM_URL") {
        api = api.with_base_url(url);
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let me = api.me(UserField::BASIC)?;
    writeln!(
        out,
        "{} ({}), {} media",
        me.username.unwrap_or_default(),
        me.id,
        me.media_count.unwrap_or_default()
    )?;
    let feed = api.my_media(MediaField::BASIC).page_size(100);
    for media in feed.take(count) {
        let media = media?;
        writeln!(
            out,
            "{} {} {} {}",
            media.id,
            media
                .timestamp
                .as_deref()
                .and_then(|t| t.get(..10))
                .unwrap_or("-"),
            media.media_type.as_ref().map_or("-", |t| t.as_str()),
            media
                .caption
                .as_deref()
                .and_then(|c| c.lines().next())
                .unwrap_or("")
        )?;
    }
    out.flush()?;
    Ok(())
}
