//! Prints the numbers of the account and of a media:
//! `INSTAGRAM_TOKEN=… cargo run --example insights -- MEDIA_ID`

use mingram::Api;
use mingram::insights::{Insight, Metric, MetricType, Period, Query};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let id = std::env::args().nth(1).ok_or("give the id of a media")?;
    run(&Api::new(std::env::var("INSTAGRAM_TOKEN")?), &id)?;
    Ok(())
}

pub fn run(api: &Api, media_id: &str) -> mingram::Result<()> {
    // Totals of the last 24 hours.
    let query = Query::new(&[Metric::Views, Metric::Likes])
        .period(Period::Day)
        .metric_type(MetricType::TotalValue);
    print(&api.my_insights(query)?);
    print(&api.media_insights(media_id, &[Metric::Reach, Metric::Saved])?);
    Ok(())
}

/// A metric without data is missing from the list; it is never 0.
fn print(insights: &[Insight]) {
    for insight in insights {
        if let (Some(title), Some(number)) = (&insight.title, insight.number()) {
            println!("{title}: {number}");
        }
    }
}
