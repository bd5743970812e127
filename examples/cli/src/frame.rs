//! `mingram frame`: keeps a directory with the newest pictures of an account, for a photo
//! frame. Runs for months, and waits out what goes wrong.

mod keeper;
mod list;
mod newest;
mod pictures;
#[cfg(test)]
mod tests;
mod trouble;

use crate::account::source::{self as account, Source};
use crate::dates;
use crate::exit::{Failure, Result};
use crate::options::{Arg, Args, Command};
use crate::store::directory::Directory;
use crate::{output, signals};
use keeper::{Frame, Memory, Refreshing};
use mingram::transport::Clock;
use newest::Albums;
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

pub const COMMAND: Command = Command {
    name: "frame",
    about: "keep the newest pictures in a directory, for a photo frame",
    help: HELP,
    json: false,
    run,
};

const HELP: &str = "\
Keep the newest pictures of an Instagram account in a directory, for a photo
frame.

Usage: mingram frame [OPTIONS] DIR

DIR is created if it is missing. A slideshow viewer can show it at any time: a
picture is there completely or not at all. Names sort by date. A video is shown
by its poster. Pictures that are no longer among the newest are removed, and so
are those of a post that is not listed any more if the service, asked for it,
refuses it. Files that `frame` did not put there are never touched, a picture
that you delete stays away, and nothing is written while nothing has changed.
The list of its files, whose they are, and what is not complete yet, lie in the
hidden directory DIR/.frame.

Without --once it runs until Ctrl-C or SIGTERM, which end it with exit code 0.
It waits out a lost network, a service that is down, a rate limit, a full disk,
and a clock that is not set yet, and logs each in one line on stderr.

Options:
      --count N          the number of pictures (default: 20, at most 1000)
      --albums WHICH     `first` or `all` pictures of an album (default: first)
      --every TIME       how often to look, as 90s, 15m, 6h or 1d (default: 15m)
      --once             look once, and end
      --again            bring back the pictures that were deleted by hand
";

/// Where unfinished files lie, in the directory itself: a viewer that shows hidden files
/// shows none of them.
const HIDDEN: &str = ".frame/";

/// After a signal, the time to finish a picture.
const GRACE: Duration = Duration::from_secs(1);

struct Options {
    dir: PathBuf,
    count: usize,
    albums: Albums,
    every: Duration,
    once: bool,
    again: bool,
}

fn options(args: &mut Args) -> Result<Options> {
    let mut options = Options {
        dir: PathBuf::new(),
        count: 20,
        albums: Albums::First,
        every: Duration::from_secs(900),
        once: false,
        again: false,
    };
    while let Some(arg) = args.next()? {
        match arg.option() {
            Some("--count") => options.count = args.number("--count", 1, 1000)? as usize,
            Some("--albums") => {
                options.albums = match args.value()?.to_str() {
                    Some("first") => Albums::First,
                    Some("all") => Albums::All,
                    _ => return Err(Failure::usage("--albums takes `first` or `all`")),
                }
            }
            Some("--every") => {
                let every = args.value()?.to_str().and_then(dates::parse_span);
                let wrong = || Failure::usage("--every takes a time, as 90s, 15m, 6h or 1d");
                options.every = every.ok_or_else(wrong)?;
            }
            Some("--once") => options.once = true,
            Some("--again") => options.again = true,
            _ => match arg {
                Arg::Value(dir) if options.dir.as_os_str().is_empty() => options.dir = dir.into(),
                arg => return Err(arg.unexpected()),
            },
        }
    }
    match options.dir.as_os_str().is_empty() {
        true => Err(Failure::usage("the directory for the pictures is missing")),
        false => Ok(options),
    }
}

fn run(mut args: Args) -> Result<u8> {
    let options = options(&mut args)?;
    let mut source = account::source(&args)?;
    // The sample must not replace pictures only because the token is lost.
    let folder = Directory::look(&options.dir, HIDDEN);
    let fresh = folder.is_empty() || list::is_sample(&folder);
    let mut api = account::api(&args)?;
    if matches!(source, Source::Sample) {
        match fresh {
            true => api = source.open(&args)?,
            false => return source.but_not_the_sample().map(|_| 0),
        }
        source = Source::Sample;
    }
    let folder = Directory::open(&options.dir, HIDDEN)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (stopping, main) = (stop.clone(), thread::current());
    let first = move || {
        stopping.store(true, Ordering::Relaxed);
        main.unpark();
    };
    signals::end_at_signal(0, GRACE, first, || output::note("frame", "ended"))?;
    let frame = Frame {
        api: api.with_clock(Interruptible(stop.clone())),
        source,
        folder,
        count: options.count,
        albums: options.albums,
        every: options.every,
        clock: Arc::new(Interruptible(stop.clone())),
        stop,
        log: Box::new(|line| output::error("frame", line)),
        refresh: Refreshing::default(),
        memory: Memory {
            again: Cell::new(options.again),
            ..Memory::default()
        },
    };
    if !options.once {
        frame.run();
        return Ok(0);
    }
    match frame.look(&mut None) {
        Ok(()) => Ok(0),
        // The signal has interrupted a download.
        Err(_) if frame.stopped() => {
            frame.note("ended");
            Ok(0)
        }
        Err(trouble) => {
            let message = format!("{}: {}", trouble.kind(), trouble.text());
            Err(Failure::new(trouble.code(), message))
        }
    }
}

/// The machine's clock, whose sleep ends when the program is stopped.
struct Interruptible(Arc<AtomicBool>);

impl Clock for Interruptible {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) {
        let begun = Instant::now();
        while !self.0.load(Ordering::Relaxed) {
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return;
            }
            // Only the main thread sleeps, and the signal wakes it.
            thread::park_timeout(left);
        }
    }
}
