//! Parses one page, as often as told, with miniserde.
#[allow(dead_code, reason = "read, not used")]
#[path = "../../../model/mini.rs"]
mod model;
fn main() {
    let (text, times) = parse::input();
    for _ in 0..times {
        let page: model::Page = miniserde::json::from_str(&text).expect("a page");
        parse::done(page.data.len());
    }
}
