//! Reads a feed of pages of 100, or downloads files from one host.

use mingram::{Api, MediaField};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("INSTAGRAM_BASE_URL")?;
    let api = Api::new("IGQVJsample").with_base_url(&url);
    let mut arguments = std::env::args().skip(1);
    let (what, count) = (
        arguments.next().unwrap_or_default(),
        arguments.next().unwrap_or_default(),
    );
    let count: usize = count.parse()?;
    if what == "files" {
        for i in 0..count {
            let bytes = api
                .download(&format!("{url}/file/{i}.jpg"))
                .write_to(&mut std::io::sink())?;
            assert_eq!(bytes, 20_000);
        }
        return Ok(());
    }
    let mut items = 0;
    for media in api.my_media(MediaField::BASIC).page_size(100) {
        assert!(media?.caption.is_some());
        items += 1;
    }
    assert_eq!(items, count * 100);
    Ok(())
}
