//! Adds up the reach of the newest media, at a pace that the service accepts:
//! `INSTAGRAM_TOKEN=… cargo run --example pace`

use mingram::insights::Metric;
use mingram::{Api, MediaField};
use std::time::Duration;

/// The longest wait before a call.
const MAX_WAIT: Duration = Duration::from_secs(3600);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", run(&Api::new(std::env::var("INSTAGRAM_TOKEN")?))?);
    Ok(())
}

pub fn run(api: &Api) -> mingram::Result<f64> {
    // A call waits if the service asked for it. If it asked for more than an hour, the call
    // fails without being sent, and the error has the time: `retry_after()`.
    let api = api.clone().with_pace(MAX_WAIT);
    let mut reach = 0.0;
    for media in api.my_media([MediaField::Id]).take(100) {
        let id = media?.id;
        let insights = match api.media_insights(&id, &[Metric::Reach]) {
            // Refused: made again, the call waits until calls are accepted.
            Err(error) if error.is_rate_limited() => api.media_insights(&id, &[Metric::Reach])?,
            result => result?,
        };
        reach += insights
            .first()
            .and_then(|insight| insight.number())
            .unwrap_or(0.0);
        // For a pace of your own: `percent` and `wait` are as of now.
        if let Some(percent) = api.usage().percent() {
            eprintln!("{percent} % of the rate limit is used up");
        }
    }
    Ok(reach)
}
