//! Parses one page, as often as told, with serde_json.
#[allow(dead_code, reason = "read, not used")]
#[path = "../../../model/serde.rs"]
mod model;
fn main() {
    let (text, times) = parse::input();
    for _ in 0..times {
        let page: model::Page = serde_json::from_str(&text).expect("a page");
        parse::done(page.data.len());
    }
}
