//! Options may stand before the name of a command or after it.
//!
//! Those that every command takes may do so by themselves. Those of a single command (`recard --output json plan`) are moved
//! behind its name here, before the command line is read. Whatever is not understood stays where it is, so that what is said
//! about it is about what was typed.

use std::ffi::OsString;

use clap::{Arg, Command};

/// The words of a command line, the program's name first, with the options of a command behind its name.
pub(super) fn ordered(mut program: Command, words: Vec<OsString>) -> Vec<OsString> {
    program.build();
    let Some((start, moved)) = leading(&program, &words) else { return words };
    let mut name = &program;
    let mut end = start;
    while let Some(next) = words.get(end).and_then(|word| subcommand(name, word)) {
        name = next;
        end += 1;
    }
    let (front, behind) = words.split_at(end);
    let is_moved = |index: &usize| moved.contains(index);
    let front = front.iter().enumerate().filter(|(index, _)| !is_moved(index)).map(|(_, word)| word);
    let moving = moved.iter().filter_map(|index| words.get(*index));
    front.chain(moving).chain(behind).cloned().collect()
}

/// Where the name of the command stands, and which of the words before it are options that only commands know, and their
/// values; nothing if there are none, or something that is not understood.
fn leading(program: &Command, words: &[OsString]) -> Option<(usize, Vec<usize>)> {
    let mut moved = Vec::new();
    let mut index = 1;
    loop {
        let word = words.get(index)?.to_str()?;
        if !word.starts_with('-') {
            subcommand(program, words.get(index)?)?;
            return (!moved.is_empty()).then_some((index, moved));
        }
        let own = find(program, word);
        let (option, has_value) = own.or_else(|| of_any_command(program, word))?;
        let length = if option.get_action().takes_values() && !has_value { 2 } else { 1 };
        if own.is_none() {
            moved.extend(index..index + length);
        }
        index += length;
    }
}

fn subcommand<'a>(of: &'a Command, word: &OsString) -> Option<&'a Command> {
    let word = word.to_str()?;
    of.get_subcommands().find(|command| command.get_name() == word || command.get_all_aliases().any(|one| one == word))
}

/// The option that a word names, and whether the word holds its value, too.
fn find<'a>(command: &'a Command, word: &str) -> Option<(&'a Arg, bool)> {
    let by = |fits: &dyn Fn(&Arg) -> bool| command.get_arguments().find(|option| fits(option));
    if let Some(long) = word.strip_prefix("--") {
        let (name, has_value) = long.split_once('=').map_or((long, false), |(name, _)| (name, true));
        let is = |option: &Arg| {
            let aliases = option.get_all_aliases().unwrap_or_default();
            option.get_long() == Some(name) || aliases.contains(&name)
        };
        return by(&is).map(|option| (option, has_value));
    }
    let mut letters = word.strip_prefix('-')?.chars();
    let letter = letters.next()?;
    let option = by(&|option: &Arg| option.get_short() == Some(letter))?;
    match (letters.next(), option.get_action().takes_values()) {
        (None, _) => Some((option, false)),
        (Some(_), true) => Some((option, true)),
        // Several letters in one word: rare enough to be left to the place behind the name.
        (Some(_), false) => None,
    }
}

fn of_any_command<'a>(program: &'a Command, word: &str) -> Option<(&'a Arg, bool)> {
    program.get_subcommands().find_map(|command| find(command, word).or_else(|| of_any_command(command, word)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::cli::args::Cli;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn put_in_order(line: &str) -> String {
        let words: Vec<String> =
            ordered(Cli::command(), words(line)).into_iter().map(|word| word.into_string().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn options_of_a_command_are_moved_behind_its_name() {
        for (typed, read) in [
            ("recard --output json -f a.yaml plan", "recard plan --output json -f a.yaml"),
            ("recard --quiet -ojson --store s plan --detail", "recard --quiet --store s plan -ojson --detail"),
            ("recard -q --output=json audit show --color never", "recard -q audit show --output=json --color never"),
            ("recard --output plan plan -f x", "recard plan --output plan -f x"),
            ("recard --auto-approve apply p.json", "recard apply --auto-approve p.json"),
        ] {
            assert_eq!(put_in_order(typed), read);
        }
    }

    #[test]
    fn what_needs_no_order_or_is_not_understood_stays_as_it_is() {
        for line in [
            "recard",
            "recard plan --output json",
            "recard --quiet plan",
            "recard --fly plan",
            "recard --output",
            "recard --output json",
            "recard --output json fly",
            "recard -- --output plan",
            "recard --help",
            "recard -qo json plan",
        ] {
            assert_eq!(put_in_order(line), line);
        }
    }

    #[test]
    fn every_global_option_works_before_and_after_the_name_of_a_command() {
        let mut program = Cli::command();
        program.build();
        let values = BTreeMap::from([
            ("portal", "embedded:x.json"),
            ("webhook-url-file", "file"),
            ("store", "elsewhere"),
            ("rate", "enterprise"),
            ("operating-share", "0.5"),
            ("deadline", "90s"),
            ("lock-timeout", "15m"),
            ("color", "always"),
            ("log-format", "json"),
            ("lang", "ru"),
        ]);
        let read = |line: &str| match Cli::try_parse_from(ordered(Cli::command(), words(line))) {
            Ok(cli) => format!("{:?}", cli.global),
            Err(problem) => panic!("{line}: {problem}"),
        };
        let mut seen = 0;
        for option in program.get_arguments().filter(|option| option.is_global_set()) {
            let name = option.get_long().unwrap();
            let typed = match option.get_action().takes_values() {
                true => format!("--{name} {}", values.get(name).unwrap_or_else(|| panic!("a value for --{name}"))),
                false => format!("--{name}"),
            };
            for (command, rest) in [("plan", " -f x"), ("history", ""), ("audit verify", ""), ("doctor", "")] {
                let [before, after, without] = [
                    format!("recard {typed} {command}{rest}"),
                    format!("recard {command}{rest} {typed}"),
                    format!("recard {command}{rest}"),
                ]
                .map(|line| read(&line));
                assert_eq!(before, after, "{typed} {command}");
                assert_ne!(before, without, "{typed} {command}");
            }
            seen += 1;
        }
        assert!(seen >= 10, "only {seen} options are global");
    }

    #[test]
    fn an_option_takes_a_value_with_every_command_or_with_none() {
        fn look(command: &Command, seen: &mut BTreeMap<String, bool>) {
            for option in command.get_arguments() {
                let takes = option.get_action().takes_values();
                let names = option.get_long().map(|name| format!("--{name}"));
                for name in names.into_iter().chain(option.get_short().map(|letter| format!("-{letter}"))) {
                    assert_eq!(*seen.entry(name.clone()).or_insert(takes), takes, "{name} of {}", command.get_name());
                }
            }
            command.get_subcommands().for_each(|command| look(command, seen));
        }
        let mut program = Cli::command();
        program.build();
        look(&program, &mut BTreeMap::new());
    }
}
