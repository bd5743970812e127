//! Parses one page, as often as told, with mingram.
use mingram::{Media, Page};
fn main() {
    let (text, times) = parse::input();
    for _ in 0..times {
        let page: Page<Media> = miniserde::json::from_str(&text).expect("a page");
        parse::done(page.data.len());
    }
}
