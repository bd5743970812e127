//! Ctrl-C and SIGTERM. Every command may be killed at any time without leaving anything
//! half done under a name that counts, so a signal ends the process soon, even if it
//! waits for a server.

use crate::exit::Result;
use std::time::Duration;

/// At the first signal, calls `first`, and `last` if the process still runs after `grace`;
/// then ends it with this code.
#[cfg(unix)]
pub fn end_at_signal(
    code: u8,
    grace: Duration,
    first: impl FnOnce() + Send + 'static,
    last: impl FnOnce() + Send + 'static,
) -> Result<()> {
    use crate::exit::{FAILED, Failure};
    use signal_hook::consts::{SIGINT, SIGTERM};
    let signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]);
    let mut signals =
        signals.map_err(|error| Failure::new(FAILED, format!("cannot handle signals: {error}")))?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            first();
            std::thread::sleep(grace);
            last();
            std::process::exit(code.into());
        }
    });
    Ok(())
}

/// Elsewhere the system ends the process at once.
#[cfg(not(unix))]
pub fn end_at_signal(
    _code: u8,
    _grace: Duration,
    _first: impl FnOnce() + Send + 'static,
    _last: impl FnOnce() + Send + 'static,
) -> Result<()> {
    Ok(())
}
