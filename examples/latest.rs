//! Prints the newest media: `INSTAGRAM_TOKEN=… cargo run --example latest`

use mingram::{Api, MediaField};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(&Api::new(std::env::var("INSTAGRAM_TOKEN")?))?;
    Ok(())
}

pub fn run(api: &Api) -> mingram::Result<()> {
    // `take` also sets the page size, so this is one request.
    for media in api.my_media(MediaField::WITH_CHILDREN).take(4) {
        let media = media?;
        let date = media.timestamp.unwrap_or_default();
        let caption = media.caption.unwrap_or_default();
        println!(
            "{date} {}",
            caption.lines().next().unwrap_or("(no caption)")
        );
    }
    Ok(())
}
