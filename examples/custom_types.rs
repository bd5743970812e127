//! Reads something that mingram has no type for, here how many posts the account may
//! still publish today: `INSTAGRAM_TOKEN=… cargo run --example custom_types`

use mingram::Api;
use mingram::miniserde::{self, Deserialize};

#[derive(Deserialize)]
pub struct Limit {
    pub quota_usage: u64,
    pub config: Config,
}

#[derive(Deserialize)]
pub struct Config {
    pub quota_total: u64,
    /// In seconds.
    pub quota_duration: Option<u64>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(&Api::new(std::env::var("INSTAGRAM_TOKEN")?))?;
    Ok(())
}

pub fn run(api: &Api) -> mingram::Result<Limit> {
    // `api.edge("…")` iterates over a list in the same way.
    let fields = ("fields", "quota_usage,config");
    let limit: Limit = api.node("me/content_publishing_limit", &[fields])?;
    println!("{} of {}", limit.quota_usage, limit.config.quota_total);
    Ok(limit)
}
