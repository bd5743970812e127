//! Idle connections.

use super::stream::Stream;
use std::io::BufReader;
use std::time::{Duration, Instant, SystemTime};

/// How long an idle connection is kept. Servers close theirs after a while.
const MAX_AGE: Duration = Duration::from_secs(15);

/// From this age on a router may have forgotten a connection, as after a change of networks.
/// Then nothing that is sent over it arrives, and neither side is told.
const DOUBTFUL_AGE: Duration = Duration::from_secs(2);

/// The maximum number of idle connections: enough for eight threads that share an
/// `Api` and download files from other hosts in between.
const MAX_IDLE: usize = 16;

pub(super) type Connection = BufReader<Stream>;

struct Idle {
    origin: String,
    since: Instant,
    /// The same by the clock of the day, which runs while the machine sleeps.
    date: SystemTime,
    connection: Connection,
}

impl Idle {
    fn age(&self) -> Duration {
        let by_date = self.date.elapsed().unwrap_or_default();
        by_date.max(self.since.elapsed())
    }
}

/// Sorted by the time of their last use.
#[derive(Default)]
pub(super) struct Pool {
    idle: Vec<Idle>,
}

impl Pool {
    /// Takes the most recently used connection to this origin, and whether a router may
    /// have forgotten it. The server may have closed it.
    pub(super) fn take(&mut self, origin: &str) -> Option<(Connection, bool)> {
        self.idle.retain(|idle| idle.age() < MAX_AGE);
        let at = self.idle.iter().rposition(|idle| idle.origin == origin)?;
        let idle = self.idle.remove(at);
        let doubtful = idle.age() >= DOUBTFUL_AGE;
        Some((idle.connection, doubtful))
    }

    /// Drops all connections to this origin.
    pub(super) fn forget(&mut self, origin: &str) {
        self.idle.retain(|idle| idle.origin != origin);
    }

    /// Keeps a connection; drops the oldest one if there are too many.
    pub(super) fn put(&mut self, origin: String, connection: Connection) {
        if self.idle.len() == MAX_IDLE {
            self.idle.remove(0);
        }
        self.idle.push(Idle {
            origin,
            since: Instant::now(),
            date: SystemTime::now(),
            connection,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    /// The machine slept, so the clock that measures times stood still.
    #[test]
    fn sleep_counts() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut pool = Pool::default();
        for (slept, wanted) in [(0, Some(false)), (5, Some(true)), (3600, None)] {
            let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let stream = Stream::new(tcp, Instant::now());
            pool.put("x".to_owned(), BufReader::new(stream));
            pool.idle[0].date -= Duration::from_secs(slept);
            let doubtful = pool.take("x").map(|(_, doubtful)| doubtful);
            assert_eq!(doubtful, wanted, "{slept}");
            assert!(pool.idle.is_empty());
        }
        // A clock that was set back makes nothing younger.
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = Stream::new(tcp, Instant::now());
        pool.put("x".to_owned(), BufReader::new(stream));
        pool.idle[0].since -= DOUBTFUL_AGE;
        pool.idle[0].date += Duration::from_secs(3600);
        assert!(pool.take("x").unwrap().1);
    }
}
