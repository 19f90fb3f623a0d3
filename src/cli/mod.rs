//! Command line: connects the portal, the store and the engine. It is the only module that prints,
//! reads the environment, asks for the time of day or knows exit codes.

mod args;
mod clock;
mod commands;
mod embedded;
mod env;
mod error;
pub mod exit;
mod explanations;
mod field_labels;
mod file_identity;
mod fleet;
mod git_log;
mod habits;
mod held_portal;
mod help;
mod http_server;
mod ledger_error;
mod log;
mod metrics;
mod named_files;
mod next_command;
mod output;
mod output_format;
mod plan_files;
mod plan_view;
mod portal_messages;
mod progress;
mod restore_error;
mod restore_report;
mod run_report;
mod session;
mod signals;
mod sources;
mod stored_level;
mod ui;
mod use_cases;
mod value_parsers;
mod warnings;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};
use tokio::runtime::Builder;
use tracing::Instrument as _;

use args::{CardAction, Cli, CliCommand, ColorWhen, GlobalArgs};
use error::CliError;
use signals::{Interrupt, Signals};
use ui::{Ui, Verbosity};

use crate::diagnostic::{is_unsafe, visible_lines};
use crate::i18n;

/// Stack size of the command's thread: that of a main thread on most systems.
const COMMAND_STACK: usize = 8 << 20;

/// Exit code of a panic.
const PANICKED: u8 = 101;

/// Runs a command line to its end and returns the exit code; the first argument is the program's
/// name.
///
/// The codes are those of [`exit`].
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    env::register_secrets(&arguments);
    ui::mask_panics();
    let definition = help::command();
    let borrowed = habits::borrowed_option(&definition, &arguments);
    let read = definition.try_get_matches_from(&arguments);
    let read = read.and_then(|words| {
        let command = words.subcommand_name().unwrap_or_default().to_owned();
        Ok((Cli::from_arg_matches(&words)?, words.value_source("store"), command))
    });
    let (mut cli, store, command) = match (read, borrowed) {
        (Ok(read), None) => read,
        // Read as short options, the word has another meaning: `-file x` would name a file `ile`.
        (Ok(_), Some(failure)) => return refuse_borrowed(&failure),
        (Err(problem), borrowed) => {
            let borrowed = borrowed.or_else(|| habits::borrowed_command(&problem));
            if let Some(failure) = borrowed.filter(|_| problem.use_stderr()) {
                return refuse_borrowed(&failure);
            }
            show_usage(&problem, &arguments);
            return match problem.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => exit::DONE,
                _ => exit::USAGE,
            };
        }
    };
    let choice = match cli.global.color {
        ColorWhen::Auto => anstream::ColorChoice::Auto,
        ColorWhen::Always => anstream::ColorChoice::Always,
        ColorWhen::Never => anstream::ColorChoice::Never,
    };
    let one_portal = option_of_one_portal(&cli);
    let completed = env::fill_missing_options(&mut cli.global, store);
    i18n::set_language(cli.global.lang.unwrap_or_else(env::language));
    let ui = Ui::new(choice, if cli.global.quiet { Verbosity::Quiet } else { Verbosity::Normal });
    let ended = completed
        .and_then(|()| one_portal.map_or(Ok(()), |option| Err(for_one_portal(option))))
        .and_then(|()| log::start(&ui, cli.global.log_format))
        .and_then(|()| run_with_signals(&ui, cli, command));
    ended.unwrap_or_else(|failure| {
        ui.fail(&failure);
        failure.code
    })
}

/// Returns an option that names one portal, if the command is over many: it would ignore it.
fn option_of_one_portal(cli: &Cli) -> Option<&'static str> {
    match &cli.global {
        _ if !matches!(cli.command, CliCommand::Fleet(_) | CliCommand::Worker(_)) => None,
        GlobalArgs { portal: Some(_), .. } => Some("--portal"),
        GlobalArgs { emulator: Some(_), .. } => Some("--emulator"),
        GlobalArgs { webhook_url_file: Some(_), .. } => Some("--webhook-url-file"),
        GlobalArgs { .. } => None,
    }
}

fn for_one_portal(option: &str) -> CliError {
    let text = tr!("{option} names one portal, and this command takes those of a fleet", option);
    CliError::new(exit::USAGE, text).hint(tr!("select portals by their labels: -l ring=canary"))
}

/// Runs a command on a thread of its own, until its end or until signals end it.
fn run_with_signals(ui: &Ui, cli: Cli, name: String) -> Result<u8, CliError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|problem| cannot_start(&problem))?;
    let code = runtime.block_on(async {
        // Signals are handled before any other work.
        let (signals, interrupt) = (Signals::new(), Interrupt::new(ui));
        let (done, ended) = tokio::sync::oneshot::channel();
        let command = {
            let (ui, interrupt) = (ui.clone(), interrupt.clone());
            move || {
                let code = log::command_span(&name).in_scope(|| run_to_end(&ui, cli, &interrupt));
                // The receiver is gone if a signal has ended the process.
                let _ = done.send(code);
            }
        };
        let thread =
            std::thread::Builder::new().name("command".to_owned()).stack_size(COMMAND_STACK);
        thread.spawn(command).map_err(|problem| cannot_start(&problem))?;
        Ok(tokio::select! {
            biased;
            code = ended => code.unwrap_or(PANICKED),
            code = interrupt.listen(signals, ui) => code,
        })
    });
    // A thread that is blocked on stderr is not waited for.
    runtime.shutdown_background();
    code
}

/// Runs a command to its end, and prints its failure.
fn run_to_end(ui: &Ui, cli: Cli, interrupt: &Interrupt) -> u8 {
    let outcome =
        runtime_for(&cli.command).enable_all().build().map_err(|problem| cannot_start(&problem));
    let outcome = outcome.and_then(|runtime| {
        let work = async {
            tokio::select! {
                // A received signal takes precedence.
                biased;
                never = interrupt.relay() => match never {},
                outcome = dispatch(ui, &cli.global, cli.command, interrupt) => outcome,
            }
        };
        let outcome = runtime.block_on(work.in_current_span());
        // A thread that is blocked on a prompt is not waited for.
        runtime.shutdown_background();
        outcome
    });
    let code = interrupt.code();
    let code = match outcome {
        Ok(done) => code.unwrap_or(done),
        Err(failure) => {
            ui.fail(&failure);
            let error: Vec<_> = failure.chain.iter().map(|text| text.english()).collect();
            tracing::error!(error = error.join(": "), "failed");
            code.unwrap_or(failure.code)
        }
    };
    tracing::info!(code, "ended");
    code
}

fn cannot_start(problem: &std::io::Error) -> CliError {
    CliError::general(tr!("cannot start: {problem}", problem))
}

/// Prints the error for a habit of another program. The value of `--lang` is not known here.
fn refuse_borrowed(failure: &CliError) -> u8 {
    i18n::set_language(env::language());
    Ui::new(anstream::ColorChoice::Auto, Verbosity::Normal).fail(failure);
    failure.code
}

/// Prints clap's message on a command line. Help and version are results; all others are usage
/// errors.
fn show_usage(problem: &clap::Error, arguments: &[OsString]) {
    let ui = Ui::new(anstream::ColorChoice::Auto, Verbosity::Normal);
    let text = problem.render();
    // Colors in an argument cannot be told from those of clap.
    let is_plain = arguments.iter().any(|argument| argument.to_string_lossy().contains(is_unsafe));
    let text = if is_plain {
        visible_lines(&text.to_string()).into_owned()
    } else {
        text.ansi().to_string()
    };
    if problem.use_stderr() {
        ui.diagnostics(&text);
    } else {
        // A failed write has no further destination.
        let _ = ui.result(text);
    }
}

/// Returns the clap definition, for manual pages and for tests that read commands out of documents.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Builds the runtime of a command. A command that waits for a portal has one thread: an answer is
/// processed where it was received, and nothing moves between cores. Servers have more threads: the
/// emulator as many as there are cores, `reconcile` and `worker` one that answers while files are
/// waited for.
fn runtime_for(command: &CliCommand) -> Builder {
    match command {
        CliCommand::Emulate(_) => Builder::new_multi_thread(),
        CliCommand::Reconcile(_) | CliCommand::Worker(_) => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(1);
            builder
        }
        _ => Builder::new_current_thread(),
    }
}

async fn dispatch(
    ui: &Ui,
    global: &GlobalArgs,
    command: CliCommand,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    named_files::check(global, &command)?;
    match command {
        CliCommand::Validate(arguments) => commands::validate::run(ui, &arguments, interrupt).await,
        CliCommand::Plan(arguments) => commands::plan::run(ui, global, &arguments, interrupt).await,
        CliCommand::Apply(arguments) => {
            commands::apply::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Restore(arguments) => {
            commands::restore::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Recover(arguments) => {
            commands::recover::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::History(arguments) => commands::history::run(ui, global, &arguments).await,
        CliCommand::Show(arguments) => commands::show::run(ui, global, &arguments, interrupt).await,
        CliCommand::Reconcile(arguments) => {
            commands::reconcile::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Init(arguments) => commands::init::run(ui, global, &arguments),
        CliCommand::Drift(arguments) => {
            commands::drift::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Fleet(arguments) => {
            commands::fleet::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Worker(arguments) => {
            commands::worker::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Inventory(arguments) => {
            commands::inventory::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Card(arguments) => {
            let CardAction::Show(arguments) = arguments.action;
            commands::card::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Export(arguments) => {
            commands::export::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Doctor(arguments) => {
            commands::doctor::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Audit(arguments) => commands::audit::run(ui, global, arguments.action).await,
        CliCommand::Ledger(arguments) => commands::ledger::run(ui, global, &arguments.action).await,
        CliCommand::Unlock(arguments) => {
            commands::unlock::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Store(arguments) => {
            commands::store::run(ui, global, &arguments, interrupt).await
        }
        CliCommand::Schema(arguments) => commands::schema::run(ui, arguments.of),
        CliCommand::Emulate(arguments) => commands::emulate::run(ui, &arguments, interrupt).await,
        CliCommand::Demo(arguments) => commands::demo::run(ui, global, &arguments, interrupt).await,
        CliCommand::Explain(arguments) => commands::explain::run(ui, &arguments),
        CliCommand::Completions(arguments) => commands::about::completions(ui, arguments.shell),
        CliCommand::Man(arguments) => commands::man::run(ui, &arguments),
        CliCommand::Version => commands::about::version(ui),
        CliCommand::Help(arguments) => commands::about::help(ui, &arguments.topic),
    }
}
