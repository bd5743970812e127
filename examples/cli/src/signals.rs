//! Ctrl-C and SIGTERM. Every command may be killed at any time without leaving anything
//! half done under a name that counts, so a signal ends the process soon, even if it
//! waits for a server.

use crate::exit::Result;
use std::time::Duration;

/// At the first signal, calls `first`, and `last` if the process still runs after `grace`;
/// then ends it with this code. If the system refuses another thread, a signal ends the
/// process at once, with the same code.
#[cfg(unix)]
pub fn end_at_signal(
    code: u8,
    grace: Duration,
    first: impl FnOnce() + Send + 'static,
    last: impl FnOnce() + Send + 'static,
) -> Result<()> {
    use crate::exit::{FAILED, Failure};
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::{flag::register_conditional_shutdown, iterator::Signals};
    let failed = |error| Failure::new(FAILED, format!("cannot handle signals: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let handle = signals.handle();
    let waits = std::thread::Builder::new().spawn(move || {
        if signals.forever().next().is_some() {
            first();
            std::thread::sleep(grace);
            last();
            std::process::exit(code.into());
        }
    });
    if waits.is_err() {
        handle.close();
        for signal in [SIGINT, SIGTERM] {
            let always = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
            register_conditional_shutdown(signal, code.into(), always).map_err(failed)?;
        }
    }
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

/// A file that grows beyond the limit of the process (`ulimit -f`, `LimitFSIZE=`) ends the
/// process, unless that signal has a handler: then the write fails, like on a full disk.
pub fn outlive_file_limit() {
    #[cfg(unix)]
    let _ = signal_hook::flag::register(
        signal_hook::consts::SIGXFSZ,
        std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)),
    );
}
