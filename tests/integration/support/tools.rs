//! Programs of the machine that check files. A machine without one leaves its test out, with a
//! message.

use std::process::{Command, Stdio};

use super::browser::find;
use super::env::CommandOutput;

/// Runs a program in the root of the repository; `None`, with a message, if it is not there.
#[allow(clippy::print_stderr, reason = "the message is for whoever runs the tests")]
pub fn run(program: &str, arguments: &[&str], input: &str) -> Option<CommandOutput> {
    let Some(path) = find(&[program]) else {
        eprintln!("{program} is not installed: this check is left out");
        return None;
    };
    let mut command = Command::new(path);
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    Some(CommandOutput::of(child.wait_with_output().unwrap()))
}
