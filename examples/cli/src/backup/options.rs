//! What the command line says.

use crate::dates;
use crate::exit::{Failure, Result};
use crate::options::{Arg, Args};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

pub struct Options {
    pub dir: PathBuf,
    pub jobs: u32,
    pub since: Option<SystemTime>,
    pub check: bool,
    pub dry_run: bool,
    pub json: bool,
    pub retries: u32,
    pub timeout: Duration,
}

impl Options {
    pub fn read(args: &mut Args) -> Result<Options> {
        let mut options = Options {
            dir: PathBuf::new(),
            jobs: 3,
            since: None,
            check: false,
            dry_run: false,
            json: false,
            retries: 4,
            timeout: Duration::from_secs(300),
        };
        while let Some(arg) = args.next()? {
            match arg.option() {
                Some("-j" | "--jobs") => options.jobs = args.number("--jobs", 1, 16)?,
                Some("--since") => {
                    let since = args.value()?.to_str().and_then(dates::parse_day);
                    let wrong = || Failure::usage("--since takes a date, for example 2026-01-31");
                    options.since = Some(since.ok_or_else(wrong)?);
                }
                Some("--check") => options.check = true,
                Some("-n" | "--dry-run") => options.dry_run = true,
                Some("--retries") => options.retries = args.number("--retries", 0, 10)?,
                Some("--timeout") => {
                    let seconds = args.number("--timeout", 1, 86_400)?;
                    options.timeout = Duration::from_secs(seconds.into());
                }
                _ => match arg {
                    Arg::Value(dir) if options.dir.as_os_str().is_empty() => {
                        options.dir = dir.into();
                    }
                    arg => return Err(arg.unexpected()),
                },
            }
        }
        options.json = args.json;
        match options.dir.as_os_str().is_empty() {
            true => Err(Failure::usage("the directory to copy into is missing")),
            false => Ok(options),
        }
    }
}
