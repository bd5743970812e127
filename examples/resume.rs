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
    // A page with a successor ends with the line `CURSOR #`. What follows the last such
    // line is removed and requested again, because it may be incomplete.
    let end = text.rfind(" #\n").map_or(0, |at| at + 3);
    file.set_len(end as u64)?;
    let mut edge = api.my_media(MediaField::WITH_CHILDREN).page_size(4);
    if let Some(line) = text[..end].lines().last() {
        edge = edge.after(line.trim_end_matches(" #"));
    }
    for page in edge.pages() {
        let page = page?;
        let mut lines = String::new();
        for media in &page.data {
            lines += &format!("{}\n", media.id);
        }
        if let Some(cursor) = page.next_cursor() {
            lines += &format!("{cursor} #\n");
        }
        file.write_all(lines.as_bytes())?;
        file.sync_data()?;
    }
    Ok(())
}
