//! From a host name to a connection: looks the name up and tries the addresses one
//! after another, each for its share of the time.

use super::failure::timed_out;
use crate::error::{Error, ErrorKind, Result};
use crate::http::failure::from_io;
use crate::http::system::NO_THREAD;
use crate::http::url::in_brackets;
use crate::lock::lock;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The maximum number of concurrent lookups, and so of threads that a resolver which
/// hangs can block.
const MAX_LOOKUPS: usize = 4;

/// The time limit for an address in the first round, if there are several. A lost
/// SYN is resent after a second; over a slower link the second round succeeds.
const FIRST_ROUND: Duration = Duration::from_secs(2);

/// The maximum number of hosts whose working address is remembered.
const MAX_REMEMBERED: usize = 16;

type Resolve = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (host, port).to_socket_addrs().map(Iterator::collect)
}

pub(super) struct Hosts {
    resolve: Resolve,
    lookups: Arc<Lookups>,
    /// The addresses that worked last, of hosts with several.
    good: Mutex<Vec<SocketAddr>>,
}

impl Default for Hosts {
    fn default() -> Hosts {
        Hosts {
            resolve,
            lookups: Arc::default(),
            good: Mutex::default(),
        }
    }
}

#[derive(Default)]
struct Lookups {
    running: Mutex<usize>,
    changed: Condvar,
}

impl Lookups {
    fn wait<'a>(
        &self,
        running: MutexGuard<'a, usize>,
        deadline: Instant,
    ) -> Result<MutexGuard<'a, usize>> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(timed_out("while looking up the host name"));
        }
        let waited = self.changed.wait_timeout(running, left);
        Ok(waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Hosts {
    pub(super) fn connect(&self, host: &str, port: u16, deadline: Instant) -> Result<TcpStream> {
        let mut addresses = self.look_up(host, port, deadline)?;
        interleave(&mut addresses);
        let good = lock(&self.good);
        let known = addresses.iter().position(|address| good.contains(address));
        drop(good);
        if let Some(at) = known {
            addresses[..=at].rotate_right(1);
        }
        let (tcp, address) = try_all(&addresses, deadline)?;
        if addresses.len() > 1 {
            let mut good = lock(&self.good);
            good.retain(|good| !addresses.contains(good));
            if good.len() == MAX_REMEMBERED {
                good.remove(0);
            }
            good.push(address);
        }
        Ok(tcp)
    }

    /// The system's resolver has no deadline, so it runs on a separate thread, which
    /// ends with the lookup.
    fn look_up(&self, host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>> {
        let host = in_brackets(host).unwrap_or(host);
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let mut running = lock(&self.lookups.running);
        while *running >= MAX_LOOKUPS {
            running = self.lookups.wait(running, deadline)?;
        }
        let answer = Arc::new(Mutex::new(None));
        let (resolve, host) = (self.resolve, host.to_owned());
        let (to, lookups) = (answer.clone(), self.lookups.clone());
        let thread = thread::Builder::new().spawn(move || {
            *lock(&to) = Some(resolve(&host, port));
            *lock(&lookups.running) -= 1;
            lookups.changed.notify_all();
        });
        if let Err(error) = thread {
            return Err(Error::new(ErrorKind::ConnectionLost, NO_THREAD).with_source(error));
        }
        *running += 1;
        loop {
            if let Some(addresses) = lock(&answer).take() {
                return addresses
                    .map_err(|error| from_io(error, "the host name could not be looked up"));
            }
            running = self.lookups.wait(running, deadline)?;
        }
    }
}

/// Alternates between IPv6 and IPv4, so that a network on which one of them is broken
/// costs the time of one address.
fn interleave(addresses: &mut [SocketAddr]) {
    for at in 1..addresses.len() {
        let wanted = !addresses[at - 1].is_ipv4();
        let next = addresses[at..]
            .iter()
            .position(|address| address.is_ipv4() == wanted);
        if let Some(next) = next {
            addresses[at..=at + next].rotate_right(1);
        }
    }
}

/// Connects to the first address that answers, in two rounds: each address gets a
/// short time in the first; those that did not answer share the rest in the second.
fn try_all(addresses: &[SocketAddr], deadline: Instant) -> Result<(TcpStream, SocketAddr)> {
    let mut silent: Vec<usize> = (0..addresses.len()).collect();
    let mut refused = None;
    let mut last = 0;
    let rounds = addresses.len().min(2);
    for more_rounds in (0..rounds).rev() {
        let turn = mem::take(&mut silent);
        for (done, &at) in turn.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            last = at;
            // Every address still to come, and those that get another round.
            let to_come = turn.len() - done;
            let attempts = to_come + more_rounds * (to_come + silent.len());
            let mut share = left / attempts as u32;
            if more_rounds > 0 {
                share = share.min(FIRST_ROUND);
            }
            let share = share.max(Duration::from_millis(1));
            match TcpStream::connect_timeout(&addresses[at], share) {
                Ok(tcp) => return Ok((tcp, addresses[at])),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => silent.push(at),
                Err(error) => refused = Some(error),
            }
        }
    }
    if deadline <= Instant::now() {
        let (last, count) = (last + 1, addresses.len());
        return Err(timed_out(&format!(
            "while connecting (address {last} of {count})"
        )));
    }
    Err(match refused {
        Some(error) => from_io(error, "the connection could not be made"),
        None if addresses.is_empty() => {
            Error::new(ErrorKind::Connect, "the host name has no address")
        }
        // The system's own timeout is shorter than the call's.
        None => Error::new(
            ErrorKind::Connect,
            "the host does not answer: check the network",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn v4(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], port))
    }

    #[test]
    fn families_take_turns() {
        let list = |text: &str| -> Vec<SocketAddr> {
            let address = |word: &str| SocketAddr::new(word.parse().unwrap(), 1);
            text.split(' ').map(address).collect()
        };
        for (before, after) in [
            ("::1 ::2 ::3 1.1.1.1 2.2.2.2", "::1 1.1.1.1 ::2 2.2.2.2 ::3"),
            ("1.1.1.1 ::1 ::2 ::3", "1.1.1.1 ::1 ::2 ::3"),
            ("1.1.1.1 2.2.2.2 ::1", "1.1.1.1 ::1 2.2.2.2"),
            ("1.1.1.1 2.2.2.2", "1.1.1.1 2.2.2.2"),
            ("::1", "::1"),
        ] {
            let mut addresses = list(before);
            interleave(&mut addresses);
            assert_eq!(addresses, list(after), "{before}");
        }
        interleave(&mut []);
    }

    #[test]
    fn literals_are_not_looked_up() {
        let hosts = Hosts {
            resolve: |_, _| panic!("looked up"),
            ..Hosts::default()
        };
        let later = Instant::now() + Duration::from_secs(9);
        for (host, ip) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")] {
            let addresses = hosts.look_up(host, 80, later).unwrap();
            assert_eq!(addresses, [SocketAddr::new(ip.parse().unwrap(), 80)]);
        }
    }

    /// A resolver that hangs blocks a few threads, and no call beyond its timeout.
    #[test]
    fn lookups_that_hang() {
        const HANGS: Duration = Duration::from_secs(2);
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let hosts = Hosts {
            resolve: |_, _| {
                STARTED.fetch_add(1, Ordering::SeqCst);
                thread::sleep(HANGS);
                Ok(Vec::new())
            },
            ..Hosts::default()
        };
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..3 * MAX_LOOKUPS {
                scope.spawn(|| {
                    let soon = Instant::now() + Duration::from_millis(100);
                    let error = hosts.connect("hangs.example", 80, soon).unwrap_err();
                    assert!(error.is_timeout(), "{error}");
                    let message = "the call timed out while looking up the host name";
                    assert_eq!(error.to_string(), message);
                });
            }
        });
        if start.elapsed() < HANGS {
            assert_eq!(STARTED.load(Ordering::SeqCst), MAX_LOOKUPS);
        }
        // A call waits until a lookup ends.
        let later = Instant::now() + Duration::from_secs(30);
        let error = hosts.connect("hangs.example", 80, later).unwrap_err();
        assert!(error.to_string().contains("has no address"), "{error}");
        while *lock(&hosts.lookups.running) > 0 {
            assert!(Instant::now() < later, "a lookup does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn nobody_at_any_address() {
        let hosts = Hosts {
            resolve: |_, _| Ok(vec![v4(1, 1), v4(1, 2)]),
            ..Hosts::default()
        };
        let later = Instant::now() + Duration::from_secs(30);
        let error = hosts.connect("refuses.example", 1, later).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(lock(&hosts.good).is_empty());
    }

    #[test]
    fn few_hosts_are_remembered() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let hosts = Hosts {
            resolve: |_, port| Ok(vec![v4(1, 1), v4(1, port)]),
            ..Hosts::default()
        };
        for host in 0..2 * MAX_REMEMBERED {
            let later = Instant::now() + Duration::from_secs(30);
            let host = format!("{host}.example");
            hosts.connect(&host, port, later).unwrap();
            hosts.connect(&host, port, later).unwrap();
            listener.accept().unwrap();
            listener.accept().unwrap();
            let good = lock(&hosts.good);
            assert!(good.len() <= MAX_REMEMBERED);
            assert_eq!(*good.last().unwrap(), v4(1, port));
        }
    }

    /// Addresses that drop packets: listeners whose queue is full, on Linux, where all
    /// of 127.0.0.0/8 is this machine.
    #[cfg(target_os = "linux")]
    mod silent {
        use super::*;

        struct Silent {
            listener: TcpListener,
            queue: Vec<TcpStream>,
        }

        impl Silent {
            fn at(address: SocketAddr) -> Silent {
                let listener = TcpListener::bind(address).unwrap();
                let mut queue = Vec::new();
                let short = Duration::from_millis(300);
                while let Ok(tcp) = TcpStream::connect_timeout(&address, short) {
                    queue.push(tcp);
                    assert!(queue.len() < 10_000, "the queue is never full");
                }
                Silent { listener, queue }
            }
        }

        /// A listener at the first of these addresses, and its port.
        fn good() -> (TcpListener, u16) {
            let good = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = good.local_addr().unwrap().port();
            (good, port)
        }

        #[test]
        fn the_first_address() {
            let (_good, port) = good();
            let silent = Silent::at(v4(2, port));
            let hosts = Hosts {
                resolve: |_, port| Ok(vec![v4(2, port), v4(1, port)]),
                ..Hosts::default()
            };
            let connect = || {
                let deadline = Instant::now() + Duration::from_secs(30);
                let tcp = hosts.connect("half.example", port, deadline).unwrap();
                assert_eq!(tcp.peer_addr().unwrap(), v4(1, port));
            };
            let start = Instant::now();
            connect();
            // Its time in the first round is 2 s; a share of all of the time is 7.5 s.
            let took = start.elapsed();
            assert!(took < Duration::from_secs(6), "{took:?}");
            // From now on the good address comes first, even if the other one answers.
            drop(silent);
            let _answers = TcpListener::bind(v4(2, port)).unwrap();
            connect();
        }

        #[test]
        fn all_addresses() {
            let (good, port) = good();
            drop(good);
            let _silent = (Silent::at(v4(2, port)), Silent::at(v4(3, port)));
            let hosts = Hosts {
                resolve: |_, port| Ok(vec![v4(2, port), v4(3, port)]),
                ..Hosts::default()
            };
            let start = Instant::now();
            let time = Duration::from_secs(1);
            let error = hosts.connect("dead.example", port, start + time);
            let error = error.unwrap_err();
            let took = start.elapsed();
            assert!(took >= time && took < 3 * time, "{took:?}");
            let message = "the call timed out while connecting (address 2 of 2)";
            assert_eq!(error.to_string(), message);
        }

        /// Slower than the first round allows: the second round waits for it.
        #[test]
        fn an_address_that_is_only_slow() {
            let (good, port) = good();
            drop(good);
            let slow = Silent::at(v4(2, port));
            let opens = thread::spawn(move || {
                thread::sleep(FIRST_ROUND + Duration::from_millis(300));
                for _ in 0..=slow.queue.len() {
                    slow.listener.accept().unwrap();
                }
            });
            let hosts = Hosts {
                resolve: |_, port| Ok(vec![v4(2, port), v4(3, port)]),
                ..Hosts::default()
            };
            let later = Instant::now() + Duration::from_secs(30);
            let tcp = hosts.connect("slow.example", port, later).unwrap();
            assert_eq!(tcp.peer_addr().unwrap(), v4(2, port));
            opens.join().unwrap();
        }
    }
}
