//! `recard completions`, `version` and `help`.

use clap::CommandFactory as _;

use crate::cli::args::Cli;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::cli::{exit, help};
use crate::i18n::Text;

/// Prints completions for a shell.
pub(in crate::cli) fn completions(ui: &Ui, shell: clap_complete::Shell) -> Result<u8, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "recard", &mut text);
    ui.verbatim(&String::from_utf8_lossy(&text))?;
    Ok(exit::DONE)
}

/// Prints the version.
pub(in crate::cli) fn version(ui: &Ui) -> Result<u8, CliError> {
    ui.line(concat!("recard ", env!("CARGO_PKG_VERSION")))?;
    Ok(exit::DONE)
}

/// Prints the help of the program, of a command, or of a topic.
pub(in crate::cli) fn help(ui: &Ui, topic: &[String]) -> Result<u8, CliError> {
    match topic {
        [word] if word == "exit-codes" => return exit_codes(ui),
        [word] if word == "options" => {
            ui.result(help::global_options().ansi())?;
            return Ok(exit::DONE);
        }
        _ => {}
    }
    let mut command = help::command();
    command.build();
    let found = topic
        .iter()
        .try_fold(&mut command, |command, word| command.find_subcommand_mut(word).ok_or(word));
    if let Err(word) = found {
        let unknown = tr!("there is no command {word}", word);
        return Err(CliError::new(exit::USAGE, unknown).hint(tr!(
            "`recard help` lists the commands; further topics are options and exit-codes"
        )));
    }
    // The same text as that of the option.
    let words = std::iter::once("recard").chain(topic.iter().map(String::as_str));
    match command.try_get_matches_from(words.chain(["--help"])) {
        Err(help) => ui.result(help.render().ansi())?,
        Ok(_) => return Err(CliError::general(tr!("the help is not available"))),
    }
    Ok(exit::DONE)
}

fn exit_codes(ui: &Ui) -> Result<u8, CliError> {
    let lines: String = exit::TABLE
        .iter()
        .map(|(code, meaning)| format!("{code:>3}  {}\n", Text::from_msgid(meaning)))
        .collect();
    ui.result(lines)?;
    Ok(exit::DONE)
}
