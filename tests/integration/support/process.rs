//! Second process of the test binary, for a test that needs a process of its own.

use std::process::Command;

/// Returns a command that runs one ignored test in a process of its own. `module` is the
/// `module_path!()` of the test.
pub fn of_its_own(module: &str, test: &str) -> Command {
    let (_binary, module) = module.split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("{module}::{test}"), "--ignored", "--nocapture"]);
    command
}
