//! Runs the program as a person or a script would.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// The program; cargo builds it for its tests.
pub fn path() -> &'static str {
    match option_env!("CARGO_BIN_EXE_mingram") {
        Some(path) => path,
        None => panic!("a unit test has no program to run"),
    }
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A program with an environment of its own.
pub struct Program {
    command: Command,
    input: String,
}

impl Program {
    pub fn new(name: &str) -> Program {
        let mut command = Command::new(path());
        command.arg(name).env_clear();
        // Windows programs do not start without.
        for name in ["SystemRoot", "PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        Program {
            command,
            input: String::new(),
        }
    }

    pub fn args(mut self, args: &str) -> Program {
        self.command.args(args.split_whitespace());
        self
    }

    pub fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Program {
        self.command.arg(arg);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Program {
        self.command.env(name, value);
        self
    }

    /// What is on its stdin.
    pub fn input(mut self, text: &str) -> Program {
        self.input = text.to_owned();
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Ended {
        let input = self.input.clone();
        let mut running = self.start();
        running.say(&input);
        running.end()
    }

    pub fn start(mut self) -> Running {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running {
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            out: String::new(),
        }
    }
}

/// A program under way; it is killed where a test forgets it.
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    out: String,
}

impl Running {
    /// Reads its stdout up to a line that holds this.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.stdout.read_line(&mut line).unwrap(),
                0,
                "it ended without {text}"
            );
            self.out += &line;
            if line.contains(text) {
                return line.trim_end().to_owned();
            }
        }
    }

    /// Puts text on its stdin; that it does not read it is its own affair.
    pub fn say(&mut self, text: &str) {
        if let Some(stdin) = &mut self.child.stdin {
            let _ = stdin.write_all(text.as_bytes());
        }
    }

    /// Kills it; answers the code it ended with where it was quicker.
    pub fn kill(mut self) -> Option<i32> {
        let _ = self.child.kill();
        self.child.wait().unwrap().code()
    }

    pub fn end(mut self) -> Ended {
        drop(self.child.stdin.take());
        let mut err = String::new();
        self.stdout.read_to_string(&mut self.out).unwrap();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut err).unwrap();
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "it does not end"
            );
            std::thread::sleep(Duration::from_millis(1));
        };
        Ended {
            code: status.code(),
            out: std::mem::take(&mut self.out),
            err,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
