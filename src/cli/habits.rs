//! Habits from other programs: hints for commands and options that recard spells differently.
//!
//! A hint never changes what a command line does: the command line is refused as before, and the
//! message says what to write.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::error::CliError;
use super::exit;
use crate::i18n::Text;

/// Commands of other programs, with those of recard.
const COMMANDS: &[(&str, &str)] = &[
    ("diff", "recard plan"),
    ("refresh", "recard plan"),
    ("preview", "recard plan"),
    ("dry-run", "recard plan"),
    ("undo", "recard restore last --all"),
    ("rollback", "recard restore last --all"),
    ("revert", "recard restore last --all"),
    ("up", "recard apply"),
    ("deploy", "recard apply"),
    ("sync", "recard apply"),
    ("status", "recard drift"),
    ("check", "recard validate"),
    ("lint", "recard validate"),
    ("log", "recard history"),
    ("runs", "recard history"),
    ("help-exit-codes", "recard help exit-codes"),
];

/// Options of other programs, without their dashes, with the reason why recard has none.
const OPTIONS: &[(&str, &str)] = &[
    (
        "refresh",
        tr_later!("leave it out: recard keeps no state, and reads every card anew for each plan"),
    ),
    ("refresh-only", tr_later!("`recard drift` shows what differs, and changes nothing")),
    ("input", tr_later!("leave it out: without a terminal recard never asks")),
    ("dry-run", tr_later!("`recard plan` is the dry run of `recard apply`")),
    (
        "force",
        tr_later!("a guard is lifted by an acknowledgement in the manifest, which the plan prints"),
    ),
    (
        "destroy",
        tr_later!(
            "recard resets what the manifests select; `recard restore last --all` undoes an apply"
        ),
    ),
];

/// Returns the error for an option that is written with one dash, or that only other programs have.
/// Read as short options, such a word would be taken apart.
pub(super) fn borrowed_option(program: &Command, arguments: &[OsString]) -> Option<CliError> {
    let words = arguments.iter().skip(1).map(|word| word.to_str().unwrap_or_default());
    let words: Vec<&str> = words.take_while(|word| *word != "--").collect();
    let command = words.iter().find_map(|word| program.find_subcommand(word)).unwrap_or(program);
    let is_option = |name: &str| {
        let of = |command: &Command| command.get_arguments().any(|option| is_named(option, name));
        of(program) || of(command)
    };
    words.iter().find_map(|word| {
        let long = word.strip_prefix("--");
        let rest = long.or_else(|| word.strip_prefix('-'))?;
        let name = rest.split('=').next().unwrap_or(rest);
        // One letter is a short option; what is no name is a number or a file.
        if name.chars().count() < 2 || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let unknown = |hint: Text| {
            Some(CliError::new(exit::USAGE, tr!("there is no option {word}", word)).hint(hint))
        };
        if is_option(name) {
            let single_dash = long.is_none();
            return single_dash
                .then(|| unknown(tr!("write it with two dashes: --{rest}", rest)))
                .flatten();
        }
        let (_, reason) = OPTIONS.iter().find(|(option, _)| *option == name)?;
        unknown(Text::from_msgid(reason))
    })
}

fn is_named(option: &clap::Arg, name: &str) -> bool {
    let aliases = option.get_all_aliases().unwrap_or_default();
    option.get_long() == Some(name) || aliases.contains(&name)
}

/// Returns the error for a command that only other programs have.
pub(super) fn borrowed_command(problem: &clap::Error) -> Option<CliError> {
    let (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) =
        (problem.kind(), problem.get(ContextKind::InvalidSubcommand))
    else {
        return None;
    };
    let (_, ours) = COMMANDS.iter().find(|(theirs, _)| theirs == word)?;
    let error = CliError::new(exit::USAGE, tr!("there is no command {word}", word));
    Some(error.hint(tr!("recard says it so: {ours}", ours)))
}
