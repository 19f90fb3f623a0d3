//! `recard resume`: settles a run that was cut.

use tokio::time::Instant;

use crate::cli::args::{GlobalArgs, RecoverArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::progress::ProgressReporter;
use crate::cli::session::{PortalEndpoint, Session};
use crate::cli::signals::{Interrupt, interrupted};
use crate::cli::ui::Ui;
use crate::cli::{exit, planning, run_lifecycle};
use crate::engine::{self, RecoveryError};
use crate::ports::JournalLoss;
use crate::report::RunText;

/// Finds the run, asks the portal what became of it, and closes its journal.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &RecoverArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Write, interrupt).await?;
    let session = endpoint.connect(global, ui, interrupt).await?;
    session
        .run_and_close(ui, async |session| recover(ui, global, arguments, session, interrupt).await)
        .await
}

/// Asks the portal what became of the run, in a session.
async fn recover(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &RecoverArgs,
    session: &Session,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let mut locked = run_lifecycle::lock(ui, global, session, "resume").await?;
    let run = match &arguments.run {
        Some(text) => session.store.find_run(text)?,
        None => match session.store.unfinished()? {
            Some(run) => run,
            None => {
                ui.result(format_args!("{}\n", tr!("No run is unfinished.")))?;
                return Ok(exit::DONE);
            }
        },
    };
    let (salvaged, mended) = run_lifecycle::salvage(ui, session, &run)?;
    run_lifecycle::continue_over_damage(ui, &mut locked)?;
    // A ledger that cannot be read must not end the run when its cards are settled.
    planning::ledger(&session.store, &arguments.ledger_args)?;
    session.begin_writing()?;
    run_lifecycle::use_ledger_file(&mut locked, &arguments.ledger_args);
    let mut log = locked.reopen_run(&run)?;
    let progress = ProgressReporter::new(ui, session.duration_estimator());
    let writer = session.portal.writer();
    // Before the time for late requests has passed, nothing is read or written, and the wait can be
    // dropped.
    let waits_until = Instant::now() + arguments.settle_time;
    let stopped_while_waiting = async {
        interrupt.cancelled().await;
        if Instant::now() >= waits_until {
            std::future::pending::<()>().await;
        }
    };
    let resumed = tokio::select! {
        biased;
        resumed = engine::recover_mended(
            &writer,
            &mut log,
            &session.store,
            &mended,
            &session.caller,
            arguments.settle_time,
            &progress,
        ) => resumed,
        () = stopped_while_waiting => {
            progress.finish();
            return Err(interrupted());
        }
    };
    progress.finish();
    drop(log);
    if !matches!(resumed, Err(RecoveryError::OtherCaller { .. })) && salvaged.damage.is_none() {
        run_lifecycle::save_report(ui, session, &mut locked, &run);
    }
    let code = match &resumed {
        Ok(report) => {
            let text =
                RunText::new(&report.run, &report.targets, report.totals).with_every_target();
            ui.result(&text).and_then(|()| ui.stdout_closed().map_or(Ok(()), Err)).map_err(
                |problem| {
                    run_lifecycle::report_write_error(
                        ui,
                        &text,
                        problem,
                        &report.run,
                        session.global_flags(),
                    )
                },
            )?;
            let is_whole = salvaged.lost != JournalLoss::Lines
                || (salvaged.damage.is_none() && mended.doubtful.is_empty());
            if is_whole {
                run_lifecycle::exit_code_from_targets(&report.targets)
            } else {
                exit::PARTIAL
            }
        }
        Err(_) => exit::ERROR,
    };
    resumed?;
    Ok(code)
}
