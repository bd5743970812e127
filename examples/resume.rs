//! Lists all media in a file. If it is interrupted, run it again: no media is lost or listed
//! twice. `INSTAGRAM_TOKEN=… cargo run --example resume -- media.txt`

use mingram::{Api, MediaField};
use std::fs::{self, File};
use std::io::Write;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let path = std::env::args().nth(1).ok_or("give a file name")?;
    run(&Api::new(std::env::var("INSTAGRAM_TOKEN")?), &path)
}

pub fn run(api: &Api, path: &str) -> Result<()> {
    let mut file = File::options().append(true).create(true).open(path)?;
    let text = fs::read_to_string(path)?;
    // After each page there is a line `POSITION #`. What follows the last such line is
    // removed and requested again, because it may be incomplete.
    let end = text.rfind(" #\n").map_or(0, |at| at + 3);
    file.set_len(end as u64)?;
    let mut edge = api.my_media(MediaField::WITH_CHILDREN).page_size(4);
    if let Some(line) = text[..end].lines().last() {
        edge = edge.resume(&line.trim_end_matches(" #").parse()?);
    }
    let mut pages = edge.pages();
    while let Some(page) = pages.next() {
        let (page, unreadable) = match page {
            // The next run continues after that item.
            Err(error) if error.is_unreadable_item() => (Vec::new(), Some(error)),
            page => (page?.data, None),
        };
        let ids: String = page.iter().map(|m| m.id.clone() + "\n").collect();
        file.write_all(format!("{ids}{} #\n", pages.position()).as_bytes())?;
        file.sync_data()?;
        unreadable.map_or(Ok(()), Err)?;
    }
    Ok(())
}
