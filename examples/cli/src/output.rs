//! What people read: lines on stderr, text on stdout.

use crate::exit::{CANNOT_WRITE, Failure, Result};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// How much is reported, set by `--quiet` and `--verbose`.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Level {
    /// Errors only.
    Quiet,
    Normal,
    Verbose,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Normal as u8);

/// Whether the last line of the terminal shows progress.
static PROGRESS: AtomicBool = AtomicBool::new(false);

pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

pub fn is_quiet() -> bool {
    LEVEL.load(Ordering::Relaxed) == Level::Quiet as u8
}

pub fn is_verbose() -> bool {
    LEVEL.load(Ordering::Relaxed) == Level::Verbose as u8
}

/// An error, always reported.
pub fn error(command: &str, message: &str) {
    match command {
        "" => line(&format!("mingram: {message}")),
        _ => line(&format!("mingram {command}: {message}")),
    }
}

/// A warning of no command in particular, unless `--quiet` is set.
pub fn warn(message: &str) {
    if !is_quiet() {
        line(message);
    }
}

/// Something worth knowing, unless `--quiet` is set.
pub fn note(command: &str, message: &str) {
    if !is_quiet() {
        error(command, message);
    }
}

/// A detail, with `--verbose`.
pub fn detail(command: &str, message: &str) {
    if is_verbose() {
        error(command, message);
    }
}

/// One line on stderr.
pub fn line(text: &str) {
    clear_progress();
    let line = plain(text) + "\n";
    // If nobody reads stderr, there is nobody to tell.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Text on one line, with spaces instead of characters that control a terminal, or hide or
/// reorder text: it may come from strangers.
pub fn plain(text: &str) -> String {
    text.replace(is_unseen, " ")
}

/// Control characters, line separators, and the format characters that can hide or reorder
/// text. What emoji and Persian need (U+200C, U+200D) is not among them.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes to stdout. A reader that has left (`| head`) is no failure.
pub fn print(text: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let message = format!("cannot write to stdout: {error}");
            Err(Failure::new(CANNOT_WRITE, message))
        }
        _ => Ok(()),
    }
}

/// A result for people on stdout, unless `--quiet` is set.
pub fn report(text: impl Display) -> Result<()> {
    if is_quiet() { Ok(()) } else { print(text) }
}

/// Whether progress is shown: on a terminal, unless `--quiet` is set.
pub fn shows_progress() -> bool {
    !is_quiet() && io::stderr().is_terminal()
}

/// Replaces the last line of the terminal.
pub fn progress(text: &str) {
    PROGRESS.store(true, Ordering::Relaxed);
    let _ = io::stderr().write_all(format!("\r{text}\x1b[K").as_bytes());
}

/// Removes the line that shows progress, if there is one.
pub fn clear_progress() {
    if PROGRESS.swap(false, Ordering::Relaxed) {
        let _ = io::stderr().write_all(b"\r\x1b[K");
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn text_of_strangers_is_one_harmless_line() {
        for (text, shown) in [
            ("a\r\nb\u{1b}[2J", "a  b [2J"),
            ("photo\u{202e}gpj.exe", "photo gpj.exe"),
            ("a\u{2066}b\u{2069}\u{200e}\u{e0041}c", "a b   c"),
            ("one\u{2028}two", "one two"),
            ("👩\u{200d}🍳 é", "👩\u{200d}🍳 é"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }
}
