//! Idle connections.

use super::stream::Stream;
use std::io::BufReader;
use std::time::{Duration, Instant};

/// How long an idle connection is kept. Servers close theirs after a while.
const MAX_AGE: Duration = Duration::from_secs(15);

/// The maximum number of idle connections: enough for eight threads that share an
/// `Api` and download files from other hosts in between.
const MAX_IDLE: usize = 16;

pub(super) type Connection = BufReader<Stream>;

struct Idle {
    origin: String,
    since: Instant,
    connection: Connection,
}

/// Sorted by the time of their last use.
#[derive(Default)]
pub(super) struct Pool {
    idle: Vec<Idle>,
}

impl Pool {
    /// Takes the most recently used connection to this origin. The server may have
    /// closed it.
    pub(super) fn take(&mut self, origin: &str) -> Option<Connection> {
        self.idle.retain(|idle| idle.since.elapsed() < MAX_AGE);
        let at = self.idle.iter().rposition(|idle| idle.origin == origin)?;
        Some(self.idle.remove(at).connection)
    }

    /// Keeps a connection; drops the oldest one if there are too many.
    pub(super) fn put(&mut self, origin: String, connection: Connection) {
        if self.idle.len() == MAX_IDLE {
            self.idle.remove(0);
        }
        self.idle.push(Idle {
            origin,
            since: Instant::now(),
            connection,
        });
    }
}
