//! `recard completions` and `help-exit-codes`.

use clap::CommandFactory as _;

use crate::cli::args::Cli;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::i18n::Text;

/// Prints completions for a shell.
pub(in crate::cli) fn completions(ui: &Ui, shell: clap_complete::Shell) -> Result<u8, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "recard", &mut text);
    ui.verbatim(&String::from_utf8_lossy(&text))?;
    Ok(exit::DONE)
}

/// Prints the exit codes.
pub(in crate::cli) fn exit_codes(ui: &Ui) -> Result<u8, CliError> {
    let lines: String = exit::TABLE
        .iter()
        .map(|(code, meaning)| format!("{code:>3}  {}\n", Text::from_msgid(meaning)))
        .collect();
    ui.result(lines)?;
    Ok(exit::DONE)
}
