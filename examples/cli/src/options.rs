//! The command line: a command, its own options, and the options that all commands share.

use crate::exit::{self, Failure, Result};
use crate::output::{self, Level};
use std::ffi::OsString;
use std::path::PathBuf;

pub const VERSION: &str = concat!("mingram ", env!("CARGO_PKG_VERSION"), "\n");

/// Where the access token comes from, and the environment.
const TOKEN_HELP: &str = "\
The access token is $INSTAGRAM_TOKEN, or else the one in the token file, which
is refreshed when it is due:
  --token-file FILE, else $MINGRAM_TOKEN_FILE, else
  $XDG_CONFIG_HOME/mingram/token.json, else ~/.config/mingram/token.json

Environment:
  INSTAGRAM_API_VERSION  a version for the paths, for example v25.0
  INSTAGRAM_BASE_URL     default: https://graph.instagram.com
  INSTAGRAM_LOGIN_URL    exchanges codes; default: https://api.instagram.com
";

/// One of the commands of the program.
pub struct Command {
    pub name: &'static str,
    /// One line for the overview.
    pub about: &'static str,
    /// What it does, its usage, and its own options.
    pub help: &'static str,
    /// Whether it takes `--json`.
    pub json: bool,
    pub run: fn(Args) -> Result<u8>,
}

impl Command {
    pub fn help(&self) -> String {
        let json = match self.json {
            true => "      --json             print JSON for scripts\n",
            false => "",
        };
        format!(
            "{}
Options of all commands:
      --token-file FILE  where the access token is stored, see below
{json}  -q, --quiet            report errors only
  -v, --verbose          report more, every request and wait included
  -h, --help             print this text
  -V, --version          print the version

{}
{}",
            self.help,
            TOKEN_HELP,
            exit::HELP
        )
    }
}

/// The arguments after the name of the command.
pub struct Args {
    parser: lexopt::Parser,
    pub command: &'static Command,
    pub token_file: Option<PathBuf>,
    pub json: bool,
}

/// An option, as `--count` or `-n`, or else a value.
pub enum Arg {
    Option(String),
    Value(OsString),
}

impl Arg {
    /// The name of the option.
    pub fn option(&self) -> Option<&str> {
        match self {
            Arg::Option(name) => Some(name),
            Arg::Value(_) => None,
        }
    }

    /// The failure for an argument that the command does not have. Names no value: it may
    /// be a token that was meant for stdin.
    pub fn unexpected(&self) -> Failure {
        match self {
            Arg::Option(name) => Failure::usage(format!("invalid option '{name}'")),
            Arg::Value(_) => Failure::usage("there is one argument too many"),
        }
    }
}

impl Args {
    pub fn new(parser: lexopt::Parser, command: &'static Command) -> Args {
        Args {
            parser,
            command,
            token_file: None,
            json: false,
        }
    }

    /// The next argument that is not an option of all commands. `Err` also ends a command
    /// that was asked for help.
    pub fn next(&mut self) -> Result<Option<Arg>> {
        loop {
            let name = match self.parser.next()? {
                None => return Ok(None),
                Some(lexopt::Arg::Value(value)) => return Ok(Some(Arg::Value(value))),
                Some(lexopt::Arg::Long(name)) => format!("--{name}"),
                Some(lexopt::Arg::Short(name)) => format!("-{name}"),
            };
            match name.as_str() {
                "-h" | "--help" => {
                    output::print(self.command.help())?;
                    return Err(Failure::done());
                }
                "-V" | "--version" => {
                    output::print(VERSION)?;
                    return Err(Failure::done());
                }
                "-q" | "--quiet" => output::set_level(Level::Quiet),
                "-v" | "--verbose" => output::set_level(Level::Verbose),
                "--json" if self.command.json => self.json = true,
                "--token-file" => self.token_file = Some(self.value()?.into()),
                _ => return Ok(Some(Arg::Option(name))),
            }
        }
    }

    /// The value of the option before.
    pub fn value(&mut self) -> Result<OsString> {
        Ok(self.parser.value()?)
    }

    pub fn text(&mut self) -> Result<String> {
        let value = self.value()?.into_string();
        value.map_err(|_| Failure::usage("an argument is not valid UTF-8"))
    }

    /// A whole number in this range.
    pub fn number(&mut self, option: &str, min: u32, max: u32) -> Result<u32> {
        let value = self.value()?;
        let number = value.to_str().and_then(|text| text.parse().ok());
        number
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| {
                Failure::usage(format!("{option} takes a whole number from {min} to {max}"))
            })
    }
}
