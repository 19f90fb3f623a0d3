//! The program `recard`: hands its arguments to the library and ends with the code that comes back.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(recard::cli::run(arguments()))
}

fn arguments() -> std::env::ArgsOs {
    std::env::args_os()
}
