//! `recard resume`: settles a run that was cut.

use tokio::time::Instant;

use crate::cli::args::{Global, ResumeArguments};
use crate::cli::environment::Need;
use crate::cli::failure::Failure;
use crate::cli::interrupt::{Interrupt, interrupted};
use crate::cli::progress::Progress;
use crate::cli::session::{Address, Session};
use crate::cli::ui::Ui;
use crate::cli::{exit, planning, running};
use crate::engine::{self, ResumeError};
use crate::port::Lost;
use crate::report::RunText;

/// Finds the run, asks the portal what became of it, and closes its journal.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &Global,
    arguments: &ResumeArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let address = Address::find(global, Need::Write, interrupt).await?;
    let session = address.connect(global, ui, interrupt).await?;
    session
        .during(ui, async |session| settle(ui, global, arguments, session, interrupt).await)
        .await
}

/// Asks the portal what became of the run, in a session.
async fn settle(
    ui: &Ui,
    global: &Global,
    arguments: &ResumeArguments,
    session: &Session,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let mut locked = running::lock(ui, global, session, "resume").await?;
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
    let (salvaged, mended) = running::salvage(ui, session, &run)?;
    running::go_on_over_damage(ui, &mut locked)?;
    // A ledger that cannot be read must not end the run when its cards are settled.
    planning::ledger(&session.store, &arguments.memory)?;
    session.begin_writing()?;
    running::remember(&mut locked, &arguments.memory);
    let mut log = locked.reopen_run(&run)?;
    let progress = Progress::new(ui, session.forecast());
    let writer = session.portal.writer();
    // Before the time for late requests has passed, nothing is read or written, and the wait can be
    // dropped.
    let waits_until = Instant::now() + arguments.settle_time;
    let stopped_while_waiting = async {
        interrupt.wished().await;
        if Instant::now() >= waits_until {
            std::future::pending::<()>().await;
        }
    };
    let resumed = tokio::select! {
        biased;
        resumed = engine::resume_mended(
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
    if !matches!(resumed, Err(ResumeError::OtherCaller { .. })) && salvaged.damage.is_none() {
        running::keep_report(ui, session, &mut locked, &run);
    }
    let code = match &resumed {
        Ok(report) => {
            let text =
                RunText::new(&report.run, &report.targets, report.totals).with_every_target();
            ui.result(&text).and_then(|()| ui.unread().map_or(Ok(()), Err)).map_err(|problem| {
                running::unreported(ui, &text, problem, &report.run, session.again())
            })?;
            let is_whole = salvaged.lost != Lost::Lines
                || (salvaged.damage.is_none() && mended.doubtful.is_empty());
            if is_whole { running::exit_code_of(&report.targets) } else { exit::PARTIAL }
        }
        Err(_) => exit::ERROR,
    };
    resumed?;
    Ok(code)
}
