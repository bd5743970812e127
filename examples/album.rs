//! Prints the files of an album: `INSTAGRAM_TOKEN=… cargo run --example album -- ALBUM_ID`

use mingram::{Api, MediaField};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let id = std::env::args().nth(1).ok_or("give the id of an album")?;
    run(&Api::new(std::env::var("INSTAGRAM_TOKEN")?), &id)?;
    Ok(())
}

pub fn run(api: &Api, album_id: &str) -> mingram::Result<Vec<String>> {
    let mut urls = Vec::new();
    // Children have no caption, and requesting a field that they lack fails the call.
    for child in api.children(album_id, MediaField::CHILD) {
        let child = child?;
        let media_type = child.media_type.as_ref().map_or("?", |t| t.as_str());
        println!("{media_type} {}", child.id);
        // Absent if the file contains copyrighted material.
        urls.extend(child.media_url);
    }
    Ok(urls)
}
