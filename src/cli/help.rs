//! Help of the command line: commands in groups, examples, and topics beside the commands.

use std::fmt::Write as _;

use anstyle::Style;
use clap::builder::StyledStr;
use clap::{Command, CommandFactory as _};

use super::args::{Cli, GLOBAL_HEADING};

const HEADING: Style = Style::new().bold().underline();
const LITERAL: Style = Style::new().bold();

/// Groups of the commands, in the order of the help.
const GROUPS: &[(&str, &[&str])] = &[
    ("Everyday", &["plan", "apply", "drift", "restore"]),
    ("Review", &["show", "history", "card", "inventory", "export"]),
    ("Set up", &["init", "validate", "doctor", "schema", "completions", "man"]),
    ("Operate", &["reconcile", "recover", "unlock", "audit", "ledger", "store", "fleet", "worker"]),
    ("Learn", &["demo", "emulate", "explain", "version", "help"]),
];

/// Examples of a command: a command line, and what it is for.
pub(super) struct Example {
    /// The command line.
    pub(super) line: &'static str,
    /// Its purpose.
    pub(super) purpose: &'static str,
}

const fn example(line: &'static str, purpose: &'static str) -> Example {
    Example { line, purpose }
}

/// Examples of the commands.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "plan",
        &[
            example("recard plan", "the manifests of the folder manifests"),
            example("recard plan lead.yaml --detail", "with the layouts that are lost"),
            example("recard plan --user anna@example.com", "the cards of one person alone"),
            example("recard plan --out lead.recard-plan.json", "saved, to be reviewed and applied"),
            example("recard plan -o markdown=comment.md -o json=plan.json", "for a pull request"),
            example("recard plan --emulator examples/quickstart.yaml", "without a portal"),
        ],
    ),
    (
        "apply",
        &[
            example("recard apply", "shows the plan, and asks"),
            example("recard apply lead.recard-plan.json", "what was reviewed, or less"),
            example("recard apply lead.yaml --yes --max-users 5", "without a question"),
        ],
    ),
    ("drift", &[example("recard drift manifests -o github", "exits with 2 if there is any")]),
    (
        "restore",
        &[
            example("recard restore last --all", "everything that the last apply removed"),
            example("recard restore last --user 7", "the cards of one person"),
        ],
    ),
    (
        "show",
        &[
            example("recard show last", "the newest run"),
            example("recard show lead.recard-plan.json", "a plan file"),
        ],
    ),
    (
        "history",
        &[
            example("recard history -n 5", "the five newest runs"),
            example("recard history --since 7d --json", "those of a week, for programs"),
        ],
    ),
    (
        "card",
        &[
            example("recard card show anna@example.com", "both cards of a person"),
            example("recard card show 12 --card lead/simple --json", "one card, for programs"),
        ],
    ),
    (
        "inventory",
        &[example("recard inventory -o csv=cards.csv", "customized cards by department")],
    ),
    (
        "export",
        &[example("recard export --out exported", "a manifest and all layouts, as they are now")],
    ),
    (
        "init",
        &[
            example("recard init", "a first manifest in the folder manifests"),
            example("recard init --ci github", "and a pipeline"),
        ],
    ),
    (
        "validate",
        &[
            example("recard validate", "the manifests of the folder manifests"),
            example("recard validate lead.yaml --json", "one file, for programs"),
        ],
    ),
    ("doctor", &[example("recard doctor --read", "the webhook of plan and drift")]),
    ("schema", &[example("recard schema plan", "of the output of plan --output json")]),
    (
        "completions",
        &[example("recard completions bash", "to be put where bash looks for completions")],
    ),
    ("man", &[example("recard man --out man/man1", "a page for each command")]),
    (
        "reconcile",
        &[example("recard reconcile --every 30m --listen 127.0.0.1:9090", "with metrics")],
    ),
    (
        "store",
        &[
            example("recard store check --store STORE", "a folder, or postgres://USER@HOST/NAME"),
            example("recard store copy --portal company.bitrix24.com --to STORE", "moves a portal"),
        ],
    ),
    (
        "worker",
        &[
            example("recard worker -f fleet.yaml --secrets secrets", "the portals of a folder"),
            example("recard worker --listen 127.0.0.1:9090", "with health and metrics"),
        ],
    ),
    ("recover", &[example("recard recover", "the run that was interrupted")]),
    ("unlock", &[example("recard unlock", "asks if the owner is dead")]),
    ("audit", &[example("recard audit verify", "the chain and the journals")]),
    ("ledger", &[example("recard ledger new once.json", "a ledger beside the manifests")]),
    ("demo", &[example("recard demo", "plan, apply, plan and restore on the emulator")]),
    (
        "emulate",
        &[
            example("recard emulate --seed users=600 --ready-file emulator.json", "for tests"),
            example("recard emulate --portals 20 --fleet-out trial", "a fleet to try"),
            example("recard emulate --tls --tls-ca-out authority.pem", "for clients of HTTPS"),
        ],
    ),
    (
        "fleet",
        &[
            example("recard fleet validate fleet.yaml", "the portals and all their manifests"),
            example("recard fleet plan --secrets secrets", "what apply would do, on all portals"),
            example("recard fleet plan -l ring=canary --out fleet.json", "saved, to be reviewed"),
            example("recard fleet apply fleet.json", "what was reviewed, wave by wave"),
            example("recard fleet drift -o html=fleet.html", "a page to sort and filter"),
            example("recard fleet publish --wait", "for workers, until the last wave is over"),
        ],
    ),
    ("explain", &[example("recard explain RC0303", "with a wrong and a right example")]),
    ("help", &[example("recard help exit-codes", "the exit codes and their meaning")]),
];

/// Returns the examples of a command.
pub(super) fn examples(command: &str) -> &'static [Example] {
    EXAMPLES.iter().find(|(name, _)| *name == command).map_or(&[], |(_, examples)| examples)
}

/// Returns the definition of the command line with its help: commands in groups, and the options of
/// every command behind `recard help options`.
pub(super) fn command() -> Command {
    let whole = Cli::command();
    let text = overview(&whole);
    let is_global = |option: &clap::Arg| option.get_help_heading() == Some(GLOBAL_HEADING);
    whole
        .mut_args(|option| if is_global(&option) { option.hide(true) } else { option })
        .mut_subcommands(|command| {
            let examples = examples_text(examples(command.get_name()));
            command.after_help(format!("{examples}Options of every command: recard help options"))
        })
        .override_help(text)
}

/// Returns the examples of a command as a section of its help.
fn examples_text(examples: &[Example]) -> String {
    let mut text = String::new();
    if examples.is_empty() {
        return text;
    }
    let _ = writeln!(text, "{HEADING}EXAMPLES:{HEADING:#}");
    let width = examples.iter().map(|example| example.line.len()).max().unwrap_or_default();
    for Example { line, purpose } in examples {
        let _ = writeln!(text, "  {line:width$}  {purpose}");
    }
    text.push('\n');
    text
}

/// Returns the help of the program: the commands in their groups.
fn overview(program: &Command) -> String {
    let about = |name: &str| {
        let about = program.find_subcommand(name).and_then(Command::get_about);
        about.map(ToString::to_string)
    };
    let mut text = format!(
        "{}\n\n{HEADING}Usage:{HEADING:#} {LITERAL}recard{LITERAL:#} COMMAND [OPTIONS]\n\n",
        program.get_about().map(ToString::to_string).unwrap_or_default()
    );
    for (heading, names) in GROUPS {
        let _ = writeln!(text, "{HEADING}{heading}:{HEADING:#}");
        for name in *names {
            // A program without the emulator lacks its commands.
            if let Some(about) = about(name) {
                let _ = writeln!(text, "  {LITERAL}{name:<12}{LITERAL:#} {about}");
            }
        }
    }
    let _ = write!(
        text,
        "\nMore help: recard help COMMAND, recard help options, recard help exit-codes\n\
         Try it without a portal: recard demo\n"
    );
    text
}

/// Returns the help on the options of every command.
pub(super) fn global_options() -> StyledStr {
    let whole = Cli::command();
    let options =
        whole.get_arguments().filter(|option| option.get_help_heading() == Some(GLOBAL_HEADING));
    Command::new("recard")
        .disable_help_flag(true)
        .max_term_width(100)
        .args(options.cloned())
        .help_template("{all-args}\n")
        .render_help()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_stands_in_one_group_and_has_examples_that_parse() {
        let program = Cli::command();
        let grouped: Vec<&str> =
            GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut all: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
        let mut sorted = grouped.clone();
        sorted.sort_unstable();
        all.sort_unstable();
        assert_eq!(sorted, all);
        for name in grouped.iter().filter(|name| **name != "version") {
            assert!(!examples(name).is_empty(), "{name}");
        }
        for Example { line, purpose } in EXAMPLES.iter().flat_map(|(_, examples)| *examples) {
            let words = shlex::split(line).unwrap();
            assert!(command().try_get_matches_from(words).is_ok(), "{line}");
            assert!(line.len() + purpose.len() < 96, "{line}");
        }
    }
}
