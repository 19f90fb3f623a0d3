//! `recard man`: the manual, generated from the definition of the command line: a page for recard,
//! and one for each command.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::args::{Cli, ManArgs};
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::help::{self, Example};
use crate::cli::ui::Ui;
use crate::store::write_whole;

/// Environment variables. Options name their own variables, too.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("RECARD_WEBHOOK_URL", "The address of the webhook, which is a secret."),
    ("RECARD_WEBHOOK_URL_FILE", "The name of a file that holds it."),
    (
        "RECARD_READ_WEBHOOK_URL",
        "The address of the webhook for commands that only read. Commands that write never use it.",
    ),
    ("RECARD_READ_WEBHOOK_URL_FILE", "The name of a file that holds that one."),
    (
        "RECARD_PORTAL, RECARD_STORE, RECARD_RATE, RECARD_LANG",
        "In place of the options of these names.",
    ),
    (
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy on the way to the portal, and the hosts that are reached without it.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "A file, or folders of files, with the root certificates to trust (PEM), in place of those of the machine.",
    ),
    ("RECARD_LOG", "Which log lines go to stderr, for example recard=debug."),
    (
        "RECARD_ACTOR, RECARD_COMMIT",
        "Who starts a run and from which commit, for the record; else as the pipeline says.",
    ),
    (
        "NO_COLOR",
        "No colour, whatever it is set to. An empty variable counts as unset, this one and all others.",
    ),
];

/// Files that commands read and write, unless options name others.
const FILES: &[(&str, &str)] = &[
    ("manifests/", "The manifests, if none is named."),
    (
        ".recard/",
        "The store: backups, journals and reports of the runs, the lock, the ledger of mode once and the audit log of each portal.",
    ),
    (".recard/embedded.json", "The state of the emulator of --emulator."),
];

/// Manual page.
struct ManPage {
    /// The name of its file, such as `recard-plan.1`.
    file: String,
    text: String,
}

/// Prints the page of a command, or of recard itself; or writes all pages into a folder.
pub(in crate::cli) fn run(ui: &Ui, arguments: &ManArgs) -> Result<u8, CliError> {
    let pages = pages().map_err(|problem| {
        CliError::general(tr!("cannot make the manual page: {problem}", problem))
    })?;
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(|problem| {
            CliError::general(tr!("cannot make {}: {problem}", folder.display(), problem))
        })?;
        for page in &pages {
            write_whole(&folder.join(&page.file), page.text.as_bytes())?;
        }
        ui.note(tr!(
            "wrote {n} page into {folder}" | "wrote {n} pages into {folder}" % pages.len(),
            folder = folder.display()
        ));
        return Ok(exit::DONE);
    }
    let words = arguments.command.join(" ");
    let file = format!("{}.1", ["recard", &words].join(" ").trim_end().replace(' ', "-"));
    match pages.iter().find(|page| page.file == file) {
        Some(page) => ui.verbatim(&page.text)?,
        None => return Err(CliError::new(exit::USAGE, tr!("there is no command {words}", words))),
    }
    Ok(exit::DONE)
}

fn pages() -> Result<Vec<ManPage>, std::io::Error> {
    let mut program = Cli::command().disable_help_subcommand(true).after_help(None::<&'static str>);
    program.build();
    let mut pages = Vec::new();
    collect_pages(&program, &mut pages)?;
    let named = |(name, what): &(&str, &'static str)| ((*name).to_owned(), *what);
    for page in &mut pages {
        // The page of the program itself has the examples of plan.
        let word = page.file.strip_prefix("recard-").and_then(|rest| rest.split(['-', '.']).next());
        let examples = help::examples(word.unwrap_or("plan")).iter();
        let examples = examples.map(|Example { line, purpose }| ((*line).to_owned(), *purpose));
        for (title, entries) in [
            ("EXAMPLES", examples.collect::<Vec<_>>()),
            (
                "EXIT STATUS",
                exit::TABLE.iter().map(|(code, what)| (code.to_string(), *what)).collect(),
            ),
            ("ENVIRONMENT", ENVIRONMENT.iter().map(named).collect()),
            ("FILES", FILES.iter().map(named).collect()),
        ] {
            if !entries.is_empty() {
                page.text.push_str(&section(title, entries.into_iter()));
            }
        }
    }
    Ok(pages)
}

/// Collects the pages of a command, its own last.
fn collect_pages(command: &Command, pages: &mut Vec<ManPage>) -> Result<(), std::io::Error> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        collect_pages(below, pages)?;
    }
    let page = Man::new(command.clone())
        .source(concat!("recard ", env!("CARGO_PKG_VERSION")))
        .manual("recard");
    let mut text = Vec::new();
    page.render(&mut text)?;
    pages.push(ManPage {
        file: page.get_filename(),
        text: String::from_utf8_lossy(&text).into_owned(),
    });
    Ok(())
}

fn section<'a>(title: &str, entries: impl Iterator<Item = (String, &'a str)>) -> String {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (name, what) in entries {
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(what)]);
    }
    roff.to_roff()
}
