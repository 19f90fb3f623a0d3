//! The command line. It marries the portal, the store and the engine, and is the only module that
//! prints, reads the environment, asks for the time of day or knows about exit codes.

mod again;
mod args;
mod clock;
mod commands;
mod door;
#[cfg(feature = "emulator")]
mod embedded;
mod environment;
pub mod exit;
mod failure;
mod identity;
mod interrupt;
mod log;
mod metrics;
mod named_files;
mod names;
mod number;
mod output;
mod plan_files;
mod planning;
mod progress;
mod provenance;
mod rights;
mod running;
mod session;
mod sources;
mod ui;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};
use tokio::runtime::Builder;

use args::{Cli, Colour, Command, Global};
use failure::Failure;
use interrupt::{Interrupt, Signals};
use ui::{Talk, Ui};

use crate::diagnostic::{is_disturbing, visible_lines};
use crate::language;

/// Stack of the thread that a command works on: that of a main thread on most systems.
const COMMAND_STACK: usize = 8 << 20;

/// Exit code of a program that has panicked.
const PANICKED: u8 = 101;

/// Runs a command line to its end and returns the exit code; the first argument is the program's
/// name.
///
/// The codes are those of [`exit`].
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    environment::learn_secrets(&arguments);
    ui::mask_panics();
    let read = Cli::command().try_get_matches_from(&arguments);
    let read =
        read.and_then(|words| Ok((Cli::from_arg_matches(&words)?, words.value_source("store"))));
    let (mut cli, store) = match read {
        Ok(read) => read,
        Err(problem) => {
            show_usage(&problem, &arguments);
            return match problem.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => exit::DONE,
                _ => exit::USAGE,
            };
        }
    };
    let choice = match cli.global.color {
        Colour::Auto => anstream::ColorChoice::Auto,
        Colour::Always => anstream::ColorChoice::Always,
        Colour::Never => anstream::ColorChoice::Never,
    };
    let completed = environment::complete(&mut cli.global, store);
    language::speak(cli.global.lang.unwrap_or_else(environment::language));
    let ui = Ui::new(choice, if cli.global.quiet { Talk::Quiet } else { Talk::Normal });
    let ended = completed
        .and_then(|()| log::start(&ui, cli.global.log_format))
        .and_then(|()| beside_signals(&ui, cli));
    ended.unwrap_or_else(|failure| {
        ui.fail(&failure);
        failure.code
    })
}

/// Runs a command on a thread of its own, until its end or until signals end it.
fn beside_signals(ui: &Ui, cli: Cli) -> Result<u8, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|problem| cannot_start(&problem))?;
    let code = runtime.block_on(async {
        // Signals are heard before anything is done.
        let (signals, interrupt) = (Signals::new(), Interrupt::new(ui));
        let (done, ended) = tokio::sync::oneshot::channel();
        let command = {
            let (ui, interrupt) = (ui.clone(), interrupt.clone());
            move || {
                let code = end_of(&ui, cli, &interrupt);
                // Nobody waits any more if a signal has ended the process.
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
    // A thread that still waits for stderr is not waited for.
    runtime.shutdown_background();
    code
}

/// Runs a command to its end, and tells why it failed if it did.
fn end_of(ui: &Ui, cli: Cli, interrupt: &Interrupt) -> u8 {
    let outcome =
        runtime_for(&cli.command).enable_all().build().map_err(|problem| cannot_start(&problem));
    let outcome = outcome.and_then(|runtime| {
        let outcome = runtime.block_on(async {
            tokio::select! {
                // A signal that was heard counts before anything else is done.
                biased;
                never = interrupt.relay() => match never {},
                outcome = dispatch(ui, &cli.global, cli.command, interrupt) => outcome,
            }
        });
        // A thread that still waits for an answer at a prompt is not waited for.
        runtime.shutdown_background();
        outcome
    });
    let code = interrupt.code();
    match outcome {
        Ok(done) => code.unwrap_or(done),
        Err(failure) => {
            ui.fail(&failure);
            code.unwrap_or(failure.code)
        }
    }
}

fn cannot_start(problem: &std::io::Error) -> Failure {
    Failure::error(tr!("cannot start: {problem}", problem))
}

/// Prints what clap says of a command line. Help and version are results; everything else is a
/// misunderstanding.
fn show_usage(problem: &clap::Error, arguments: &[OsString]) {
    let ui = Ui::new(anstream::ColorChoice::Auto, Talk::Normal);
    let text = problem.render();
    // Colors that stand in an argument cannot be told from those of clap.
    let is_plain =
        arguments.iter().any(|argument| argument.to_string_lossy().contains(is_disturbing));
    let text = if is_plain {
        visible_lines(&text.to_string()).into_owned()
    } else {
        text.ansi().to_string()
    };
    if problem.use_stderr() {
        ui.diagnostics(&text);
    } else {
        // Nothing can be done if nobody hears it.
        let _ = ui.result(text);
    }
}

/// The command line as clap knows it: for manual pages, and for tests that read commands out of
/// documents.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Whoever waits for a portal does so on one thread: what an answer holds is looked into where it
/// was just received, and nothing is handed from core to core. What serves others has threads for
/// them: an emulated portal as many as there are cores, a loop one that says how it is while files
/// are waited for.
fn runtime_for(command: &Command) -> Builder {
    match command {
        #[cfg(feature = "emulator")]
        Command::Emulate(_) => Builder::new_multi_thread(),
        Command::Reconcile(_) => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(1);
            builder
        }
        _ => Builder::new_current_thread(),
    }
}

async fn dispatch(
    ui: &Ui,
    global: &Global,
    command: Command,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    named_files::check(global, &command)?;
    match command {
        Command::Validate(arguments) => commands::validate::run(ui, &arguments, interrupt).await,
        Command::Plan(arguments) => commands::plan::run(ui, global, &arguments, interrupt).await,
        Command::Apply(arguments) => commands::apply::run(ui, global, &arguments, interrupt).await,
        Command::Restore(arguments) => {
            commands::restore::run(ui, global, &arguments, interrupt).await
        }
        Command::Resume(arguments) => {
            commands::resume::run(ui, global, &arguments, interrupt).await
        }
        Command::History(arguments) => commands::history::run(ui, global, &arguments),
        Command::Show(arguments) => commands::show::run(ui, global, &arguments),
        Command::Reconcile(arguments) => {
            commands::reconcile::run(ui, global, &arguments, interrupt).await
        }
        Command::Init(arguments) => commands::init::run(ui, global, &arguments),
        Command::Drift(arguments) => commands::drift::run(ui, global, &arguments, interrupt).await,
        Command::Inventory(arguments) => {
            commands::inventory::run(ui, global, &arguments, interrupt).await
        }
        Command::Export(arguments) => {
            commands::export::run(ui, global, &arguments, interrupt).await
        }
        Command::Doctor(arguments) => {
            commands::doctor::run(ui, global, &arguments, interrupt).await
        }
        Command::Audit(arguments) => commands::audit::run(ui, global, arguments.action),
        Command::Ledger(arguments) => commands::ledger::run(ui, global, &arguments.action),
        Command::Unlock(arguments) => {
            commands::unlock::run(ui, global, &arguments, interrupt).await
        }
        Command::Schema(arguments) => commands::schema::run(ui, arguments.of),
        #[cfg(feature = "emulator")]
        Command::Emulate(arguments) => commands::emulate::run(ui, &arguments, interrupt).await,
        #[cfg(feature = "emulator")]
        Command::Demo(arguments) => commands::demo::run(ui, global, &arguments, interrupt).await,
        Command::Completions(arguments) => commands::about::completions(ui, arguments.shell),
        Command::Man(arguments) => commands::man::run(ui, &arguments),
        Command::HelpExitCodes => commands::about::exit_codes(ui),
    }
}
