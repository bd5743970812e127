//! Saves the newest pictures: `INSTAGRAM_TOKEN=… cargo run --example download -- DIRECTORY`

use mingram::{Api, MediaField};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).unwrap_or_default();
    run(
        &Api::new(std::env::var("INSTAGRAM_TOKEN")?),
        directory.as_ref(),
    )?;
    Ok(())
}

pub fn run(api: &Api, directory: &Path) -> mingram::Result<()> {
    for media in api.my_media(MediaField::WITH_CHILDREN).take(4) {
        let media = media?;
        // The image, the poster of a video or the first picture of an album.
        let Some(url) = media.image_url() else {
            continue;
        };
        // The file appears when it is complete. If it breaks off, the next run continues. The
        // URL expires, so it is used at once.
        let path = directory.join(&media.id).with_extension("jpg");
        let saved = api.download(url).save_resumable(&path)?;
        println!("{} ({} bytes)", path.display(), saved.length);
    }
    Ok(())
}
