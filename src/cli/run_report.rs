//! Report of a run that writes: into the outputs, and on stderr where that fails.

use super::error::CliError;
use super::exit;
use super::output::Outputs;
use super::session::CliSession;
use super::ui::Ui;
use crate::app::FinishedRun;
use crate::engine::TargetOutcome;
use crate::model::{Outcome, RunId};
use crate::report::{ReportedRun, RunText, Subject};

/// Writes the report of an apply, with the way back. Returns the exit code; `held` is that of a run
/// that did all it could.
pub(super) fn write_applied(
    outputs: &Outputs<'_>,
    session: &CliSession,
    report: ReportedRun<'_>,
    run: Option<FinishedRun>,
    held: u8,
) -> Result<u8, CliError> {
    let Some(finished) = run else {
        outputs.write(Subject::Run(&report))?;
        return Ok(held);
    };
    // Empty line between the plan and its report. If it cannot be written, neither can the report.
    let _ = outputs.preview_text("\n");
    // A blind reset has no backup.
    let is_blind = |target: &TargetOutcome| target.outcome == Outcome::ResetBlind;
    let has_written =
        finished.report.totals.done > 0 && !finished.report.targets.iter().all(is_blind);
    let has_blind = finished.report.targets.iter().any(is_blind);
    let is_whole = report.is_undone_whole(&finished.report.targets);
    let run = finished.report.run.clone();
    let code = write_finished(outputs, session, report, finished);
    if has_written && outputs.has_text() {
        let again = session.global_flags();
        outputs.ui.note(match (has_blind, is_whole) {
            (false, true) => {
                tr!("To put everything back: recard restore {run} --all{again}", run, again)
            }
            (false, false) => tr!(
                "To put back what the portal takes again: recard restore {run} --all{again}",
                run,
                again
            ),
            (true, _) => {
                tr!("To put back what has a backup: recard restore {run} --all{again}", run, again)
            }
        });
    }
    let code = code?;
    Ok(if code == exit::DONE { held } else { code })
}

/// Writes the report of a finished run. Returns the exit code of its outcomes.
pub(super) fn write_finished(
    outputs: &Outputs<'_>,
    session: &CliSession,
    report: ReportedRun<'_>,
    finished: FinishedRun,
) -> Result<u8, CliError> {
    let FinishedRun { report: run, failure, unsaved } = finished;
    let report = ReportedRun {
        run: Some(&run.run),
        targets: &run.targets,
        stopped: run.stopped.as_deref(),
        ..report
    };
    write_report(outputs, session, &report, failure.map(CliError::from))?;
    // The run has written, whatever becomes of the selections.
    match unsaved {
        Some(problem) => Err(CliError { code: exit::PARTIAL, ..problem.into() }),
        None => Ok(exit_code(&run.targets)),
    }
}

/// Returns the exit code of the outcomes of a run.
pub(super) fn exit_code(targets: &[TargetOutcome]) -> u8 {
    let is_resolved = |target: &TargetOutcome| target.outcome.is_resolved();
    if targets.iter().all(is_resolved) { exit::DONE } else { exit::PARTIAL }
}

/// Writes the report of a run into all outputs, and returns the failure of the run, if there is
/// one. A report that cannot be written does not hide the run: stderr has it in its place, with the
/// way back, and the exit code is 3.
fn write_report(
    outputs: &Outputs<'_>,
    session: &CliSession,
    report: &ReportedRun<'_>,
    failure: Option<CliError>,
) -> Result<(), CliError> {
    let ui = outputs.ui;
    let written =
        outputs.write(Subject::Run(report)).and_then(|()| ui.stdout_closed().map_or(Ok(()), Err));
    let unwritten = match (written, report.run) {
        (Ok(()), _) => None,
        (Err(problem), None) => Some(problem),
        (Err(problem), Some(run)) => {
            let text =
                RunText::new(run, report.targets, report.totals()).with_reason(report.stopped);
            Some(write_error(ui, &text, problem, run, session.global_flags()))
        }
    };
    match (failure, unwritten) {
        (None, None) => Ok(()),
        (Some(problem), None) | (None, Some(problem)) => Err(problem),
        (Some(failure), Some(unwritten)) => {
            ui.fail(&failure);
            Err(unwritten)
        }
    }
}

/// Prints a run whose report could not be written to stderr.
pub(super) fn write_error(
    ui: &Ui,
    text: &RunText<'_>,
    problem: CliError,
    run: &RunId,
    again: &str,
) -> CliError {
    ui.diagnostics(&text.to_string());
    // The hints of the problem are about outputs before a run.
    CliError { code: exit::PARTIAL, hints: Vec::new(), ..problem }
        .context(tr!("the run {run} is over, but its report could not be written", run))
        .hint(tr!("the store has it: recard show {run}{again}", run, again))
        .hint(tr!("To put everything back: recard restore {run} --all{again}", run, again))
}
