//! Program under test, in a folder of its own and an environment with nothing but the variables of
//! the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder to run in.
#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
    webhook: Option<String>,
}

/// Result of a command.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    /// An empty folder; commands work on the embedded portal unless they are told otherwise.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), webhook: None }
    }

    /// An empty folder, with the webhook of a portal in the environment.
    pub fn with_webhook(webhook: &str) -> Self {
        Self { webhook: Some(webhook.to_owned()), ..Self::new() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file and gives its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        recard::store::write_whole(&path, text.as_bytes()).unwrap();
        path
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recard"));
        command.args(arguments).current_dir(self.path()).env_clear().stdin(Stdio::null());
        if let Some(webhook) = &self.webhook {
            command.env("RECARD_WEBHOOK_URL", webhook);
        }
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }
}

impl Ended {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Everything in one text, for comparing: exit code, stdout, stderr; names of runs are told
    /// alike.
    pub fn shown(&self) -> String {
        steady(&format!(
            "exit {}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.stdout, self.stderr
        ))
    }
}

/// Returns `true` if 23 bytes are a run id, which holds the time.
pub fn is_run(word: &[u8]) -> bool {
    word.len() == 23
        && word.iter().enumerate().all(|(index, byte)| match index {
            8 => *byte == b'T',
            15 => *byte == b'Z',
            16 => *byte == b'-',
            17.. => byte.is_ascii_hexdigit(),
            _ => byte.is_ascii_digit(),
        })
}

/// Puts `RUN` in place of the names of runs, which hold the time.
pub fn steady(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.as_bytes().get(..23).is_some_and(is_run) {
            out.push_str("RUN");
            rest = &rest[23..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}
