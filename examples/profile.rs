//! Prints your profile: `INSTAGRAM_TOKEN=… cargo run --example profile`

use mingram::{Api, UserField};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(&Api::new(std::env::var("INSTAGRAM_TOKEN")?))?;
    Ok(())
}

pub fn run(api: &Api) -> mingram::Result<()> {
    // Only requested fields are set, and any of them may be absent.
    let me = api.me(UserField::PROFESSIONAL)?;
    println!("@{}", me.username.unwrap_or_default());
    if let Some(account_type) = me.account_type {
        println!("account type: {account_type}");
    }
    if let Some(count) = me.media_count {
        println!("media: {count}");
    }
    if let Some(count) = me.followers_count {
        println!("followers: {count}");
    }
    Ok(())
}
