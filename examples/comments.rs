//! Prints the comments on a media with their replies:
//! `INSTAGRAM_TOKEN=… cargo run --example comments -- MEDIA_ID`

use mingram::comments::CommentField as F;
use mingram::{Api, Fields};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let id = std::env::args().nth(1).ok_or("give the id of a media")?;
    run(&Api::new(std::env::var("INSTAGRAM_TOKEN")?), &id)?;
    Ok(())
}

pub fn run(api: &Api, media_id: &str) -> mingram::Result<usize> {
    // The first page of replies comes in the same call.
    let fields = Fields::from([F::Id, F::Text, F::Username]).with(F::Replies, [F::Id, F::Text]);
    let mut count = 0;
    for comment in api.comments(media_id, fields) {
        let comment = comment?;
        // The username requires a permission of its own, so it may be absent.
        let author = comment.username.as_deref().unwrap_or("someone");
        println!("{author}: {}", comment.text.unwrap_or_default());
        count += 1;
        for reply in comment.replies.into_iter().flat_map(|page| page.data) {
            println!("    {}", reply.text.unwrap_or_default());
            count += 1;
        }
    }
    Ok(count)
}
