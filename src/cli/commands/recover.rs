//! `recard recover`: completes an interrupted run.

use crate::app::{self, RecoverOptions, RecoveredRun};
use crate::cli::args::{GlobalArgs, RecoverArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::use_cases::{CliObserver, use_case_error};
use crate::cli::{exit, run_report};
use crate::report::RunText;

/// Finds the run, asks the portal for its outcomes, and closes its journal.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &RecoverArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Write, interrupt).await?;
    let session = endpoint.connect(global, ui, interrupt).await?;
    session.run_and_close(ui, async |session| recover(ui, global, arguments, session).await).await
}

/// Recovers in a session.
async fn recover(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &RecoverArgs,
    session: &CliSession,
) -> Result<u8, CliError> {
    let options = RecoverOptions {
        run: arguments.run.clone(),
        ledger: arguments.ledger_args.ledger.clone(),
        settle_time: arguments.settle_time,
        lock_timeout: global.lock_timeout,
    };
    let recovered = app::recover(&session.app, &options, &CliObserver::new(ui, session)).await;
    let recovered = recovered.map_err(|error| use_case_error(session, error))?;
    let Some(RecoveredRun { report, is_incomplete }) = recovered else {
        ui.result(format_args!("{}\n", tr!("No run is unfinished.")))?;
        return Ok(exit::DONE);
    };
    let text = RunText::new(&report.run, &report.targets, report.totals).with_every_target();
    let written = ui.result(&text).and_then(|()| ui.stdout_closed().map_or(Ok(()), Err));
    written.map_err(|problem| {
        run_report::write_error(ui, &text, problem, &report.run, session.global_flags())
    })?;
    Ok(if is_incomplete { exit::PARTIAL } else { run_report::exit_code(&report.targets) })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::args::Cli;

    #[test]
    fn resume_with_every_option_is_the_same_command() {
        let parsed = |name: &str| {
            let run = "20261101T090000Z-1a2b3c";
            let options = ["--settle-time", "5m", "--ledger", "once.json", "--quiet"];
            let words = ["recard", name, run].into_iter().chain(options);
            format!("{:?}", Cli::try_parse_from(words).unwrap())
        };
        assert!(parsed("recover").contains("Recover("), "{}", parsed("recover"));
        assert_eq!(parsed("resume"), parsed("recover"));
    }
}
