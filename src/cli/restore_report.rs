//! Reports of a restore: its plan, and what became of it.

use super::clock::SystemClock;
use super::error::CliError;
use super::output::Outputs;
use super::session::CliSession;
use super::{exit, run_report};
use crate::app::{PlannedRestoreRun, RestoredRun};
use crate::ports::Clock as _;
use crate::report::{HeldTarget, ReportedRun, RestoreReport, Subject};

/// Shows the report of a plan that was made now.
pub(super) fn with_report<T>(
    session: &CliSession,
    planned: &PlannedRestoreRun,
    show: impl FnOnce(&RestoreReport<'_>) -> T,
) -> T {
    let now = SystemClock.now();
    let content = planned.content(&session.app.caller, now, now);
    let layouts = Some(&planned.plan);
    show(&RestoreReport { content: &content, layouts, file: None, settled: &[] })
}

/// Writes the report of a restore with the targets that were held, and returns the exit code.
pub(super) fn write_restored(
    outputs: &Outputs<'_>,
    session: &CliSession,
    restored: RestoredRun,
    held: Vec<HeldTarget>,
) -> Result<u8, CliError> {
    let RestoredRun { planned: PlannedRestoreRun { portal, names, is_incomplete, .. }, run } =
        restored;
    let report =
        ReportedRun { held, names: Some(&names), ..ReportedRun::not_begun(portal.as_str()) };
    let incomplete = is_incomplete
        .then(|| tr!("lines of the run's journal are lost: cards may be missing here"));
    let report = ReportedRun { incomplete, ..report };
    let kept_back = !report.held.is_empty() || is_incomplete;
    let code = match run {
        None => outputs.write(Subject::Run(&report)).map(|()| exit::DONE)?,
        Some(finished) => {
            // Empty line between the plan and its report. If it cannot be written, neither can the
            // report.
            let _ = outputs.preview_text("\n");
            run_report::write_finished(outputs, session, report, finished)?
        }
    };
    Ok(if kept_back { exit::PARTIAL } else { code })
}
