//! Parses one page, as often as told, with mingram.
#[allow(dead_code, reason = "the crate's own reader, which is not public")]
#[path = "../../../../../src/json"]
mod json {
    pub mod float;
    pub mod reader;
}
use mingram::{Media, Page};
fn main() {
    let (text, times) = parse::input();
    for _ in 0..times {
        let page: Page<Media> = json::reader::read(&text).expect("a page");
        parse::done(page.data.len());
    }
}
