//! How a service behaves in a run of a random sequence.

use super::account::Fault;
use super::common::replay::Received;
use super::common::{json, param};

#[derive(Clone, Copy, Debug, Default)]
pub struct Mood {
    pub empty: bool,
    pub unnamed: bool,
    /// A field that it refuses.
    pub refused: Option<&'static str>,
    /// What it does to an album's children: nothing, an empty list, or a refusal.
    pub children: u64,
    /// One of so many files fails.
    pub broken: Option<u64>,
}

pub fn refusal(message: &str) -> Fault {
    let error = format!(r#"{{"error":{{"message":"{message}","code":100}}}}"#);
    Fault::Reply(json("400 Bad Request", &error))
}

impl Mood {
    /// What it answers instead of what the account has. A file that fails gets the first fault
    /// or the second.
    pub fn fault(&self, request: &Received, number: u64, broken: [Fault; 2]) -> Fault {
        let path = request.target.split('?').next().unwrap();
        let fields = param(request, "fields").unwrap_or_default();
        let asks = |name: &&str| fields.split([',', '{', '}']).any(|field| field == *name);
        match path {
            "/me/media" if self.unnamed => refusal("Unsupported request - method type: get"),
            "/me/media" if self.empty => Fault::Reply(json("200 OK", r#"{"data":[]}"#)),
            _ if path.ends_with("/children") && self.children == 1 => {
                Fault::Reply(json("200 OK", r#"{"data":[]}"#))
            }
            _ if path.ends_with("/children") && self.children == 2 => refusal("no such object"),
            "/me" | "/me/media" if self.refused.filter(asks).is_some() => {
                let field = self.refused.unwrap_or_default();
                refusal(&format!("Tried accessing nonexisting field ({field})"))
            }
            _ if path.starts_with("/file/") || path.starts_with("/thumb/") => {
                let [even, odd] = broken;
                match self.broken.is_some_and(|of| number % of == 0) {
                    true if number % 2 == 0 => even,
                    true => odd,
                    false => Fault::None,
                }
            }
            _ => Fault::None,
        }
    }
}

/// The sequences to play: those from 1 on, or the one that `MINGRAM_SEED` names.
pub fn seeds(count: u64) -> std::ops::Range<u64> {
    let seed = std::env::var("MINGRAM_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok());
    seed.map_or(1..count + 1, |seed: u64| seed..seed + 1)
}
