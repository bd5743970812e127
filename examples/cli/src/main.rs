//! `mingram`: reads an Instagram account. Each command is a module of its own.

mod backup;
mod dates;
mod exit;
mod feed;
mod frame;
mod gallery;
mod options;
mod output;
mod record;
mod signals;
mod token;

/// What the service says.
mod account {
    pub mod fields;
    pub mod left;
    pub mod listing;
    pub mod sample;
    pub mod source;
}

/// What is kept.
mod store {
    pub mod directory;
    pub mod failure;
    pub mod fetch;
    pub mod index;
    pub mod names;
    pub mod record;
    pub mod sidecar;
}

/// Servers, accounts and folders for the tests.
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

use exit::{Failure, Result};
use lexopt::Arg;
use options::{Args, Command, VERSION};
use std::process::ExitCode;

/// In the order in which a newcomer needs them.
const COMMANDS: [&Command; 6] = [
    &feed::COMMAND,
    &gallery::COMMAND,
    &token::COMMAND,
    &backup::COMMAND,
    &frame::COMMAND,
    &record::COMMAND,
];

fn main() -> ExitCode {
    signals::outlive_file_limit();
    let mut parser = lexopt::Parser::from_env();
    match parser.next() {
        Ok(Some(Arg::Value(name))) if name != "help" => match command(&name) {
            Ok(command) => end(command.name, (command.run)(Args::new(parser, command))),
            Err(failure) => end("", Err(failure)),
        },
        Ok(Some(Arg::Value(_))) => end("", help(parser)),
        Ok(None | Some(Arg::Long("help") | Arg::Short('h'))) => end("", overview()),
        Ok(Some(Arg::Long("version") | Arg::Short('V'))) => {
            end("", output::print(VERSION).map(|()| 0))
        }
        Ok(Some(arg)) => end("", Err(arg.unexpected().into())),
        Err(error) => end("", Err(error.into())),
    }
}

fn command(name: &std::ffi::OsStr) -> Result<&'static Command> {
    let command = COMMANDS.iter().find(|command| name == command.name);
    command.copied().ok_or_else(|| {
        // What is long may be a token in the wrong place.
        let name = name.to_string_lossy();
        let is_word = name.len() < 16 && name.bytes().all(|byte| byte.is_ascii_lowercase());
        Failure::usage(match is_word {
            true => format!("there is no command `{name}`"),
            false => "the first argument is not a command".to_owned(),
        })
    })
}

/// `mingram help COMMAND`
fn help(mut parser: lexopt::Parser) -> Result<u8> {
    match parser.next()? {
        Some(Arg::Value(name)) => output::print(command(&name)?.help()),
        None => return overview(),
        Some(arg) => return Err(arg.unexpected().into()),
    }
    .map(|()| 0)
}

fn overview() -> Result<u8> {
    let mut text = "\
Reads an Instagram account: shows it, keeps copies of it, and makes a gallery.

Usage: mingram COMMAND [OPTIONS]

Commands:
"
    .to_owned();
    for command in COMMANDS {
        text += &format!("  {:<9}{}\n", command.name, command.about);
    }
    text += "
`mingram help COMMAND` lists the options of a command.

Without an access token, `feed`, `gallery`, `backup` and `frame` use a built-in
sample account. To read your own: `mingram help token`.
";
    output::print(text).map(|()| 0)
}

/// Reports the result of a command.
fn end(command: &str, result: Result<u8>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            if failure.code != 0 {
                output::error(command, &failure.message);
            }
            ExitCode::from(failure.code)
        }
    }
}
