//! Binary `recard`: passes its arguments to the library and exits with the returned code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(recard::cli::run(arguments()))
}

fn arguments() -> std::env::ArgsOs {
    std::env::args_os()
}
