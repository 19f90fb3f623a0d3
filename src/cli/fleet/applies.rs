//! Applies of the plans of a fleet, wave by wave, until the stop rule holds.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use super::portal_session::{ApprovedWithFleet, RoundObserver, Surroundings};
use super::rows;
use crate::app::{self, ApplyOptions, FinishedRun, PlanFileOptions};
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::plan_files;
use crate::cli::session::Session;
use crate::cli::sources::manifest_files;
use crate::cli::use_cases::{plan_file_error, use_case_error};
use crate::i18n::Text;
use crate::manifest::{SecretReference, StopRule};
use crate::model::{Outcome, OutcomeClass, PortalId};
use crate::plan::Plan;
use crate::ports::Clock as _;
use crate::records::fleet::{
    FleetCounts, FleetPlanFile, PlannedPortal, PortalOutcome, PortalRow, StoredSecret,
};
use crate::records::plan_file::PlanFile;
use crate::store::ConsumePlanError;

/// End of the apply of one portal.
pub(in crate::cli) struct Applied {
    outcome: PortalOutcome,
    cause: Option<Text>,
    counts: FleetCounts,
    run: Option<String>,
    milliseconds: u32,
}

impl Applied {
    fn without_run(outcome: PortalOutcome) -> Self {
        let counts = FleetCounts::default();
        Self { outcome, cause: None, counts, run: None, milliseconds: 0 }
    }

    /// Tells the end of a run, if there was something to do.
    pub(in crate::cli) fn new(plan: &Plan, run: Option<FinishedRun>) -> Self {
        let Some(finished) = run else {
            let counts = kept(plan, 0);
            return Self { counts, ..Self::without_run(PortalOutcome::Unchanged) };
        };
        let totals = finished.report.totals;
        let changed = finished.report.targets.iter().filter(|one| one.outcome == Outcome::Changed);
        let changed = u32::try_from(changed.count()).unwrap_or(u32::MAX);
        let people: BTreeSet<_> = finished
            .report
            .targets
            .iter()
            .filter(|one| one.outcome.class() == OutcomeClass::Done)
            .filter_map(|one| one.key.user())
            .collect();
        let outcome = match () {
            () if totals.unknown > 0 => PortalOutcome::Unknown,
            () if totals.failed > 0 || changed > 0 || finished.failure.is_some() => {
                PortalOutcome::Partial
            }
            () => PortalOutcome::Applied,
        };
        let cause = match (&finished.failure, outcome) {
            (Some(failure), _) => Some(Text::from_display(failure)),
            (None, PortalOutcome::Unknown) => Some(tr!("the outcome of a reset is not known")),
            (None, PortalOutcome::Partial) => Some(tr!(
                "cards failed or had changed since the plan; `recard show RUN` names them"
            )),
            (None, _) => None,
        };
        Self {
            outcome,
            cause,
            counts: FleetCounts {
                people: u32::try_from(people.len()).unwrap_or(u32::MAX),
                reset: totals.done,
                ..kept(plan, totals.failed + totals.unknown + changed)
            },
            run: Some(finished.report.run.to_string()),
            milliseconds: 0,
        }
    }

    /// Fills the row of the portal.
    pub(in crate::cli) fn fill(self, row: PortalRow) -> PortalRow {
        let Self { outcome, cause, counts, run, milliseconds } = self;
        // What is kept stands in the plan, and not in what is left of it to be done.
        let keep = counts.keep.max(if run.is_some() { row.counts.keep } else { 0 });
        let counts = FleetCounts { keep, ..counts };
        let mut row = PortalRow { outcome, counts, run, milliseconds, ..row };
        if let Some(cause) = cause {
            rows::set_cause(&mut row, &cause);
        }
        row
    }
}

/// Rows of all portals of a file, and the wave in which the run stopped.
pub(in crate::cli) struct AppliedFleet {
    pub(in crate::cli) rows: Vec<PortalRow>,
    pub(in crate::cli) stopped_in: Option<String>,
}

/// Applies the plans of a file, up to a wave. A portal without a plan keeps its row.
pub(in crate::cli) async fn apply(
    surroundings: &Surroundings<'_>,
    file: &FleetPlanFile,
    last_wave: Option<&str>,
    concurrency: usize,
) -> AppliedFleet {
    let stop = StopRule { failed: file.stop.failed, failed_percent: file.stop.failed_percent };
    let mut rows = file.rows.clone();
    let (mut stopped_in, mut is_over) = (None, false);
    for wave in &file.waves {
        let of_wave: Vec<usize> = (0..rows.len())
            .filter(|index| rows.get(*index).is_some_and(|row| row.wave == *wave))
            .collect();
        let planned: Vec<(usize, &PlannedPortal)> = of_wave
            .iter()
            .filter_map(|index| {
                let portal = &rows.get(*index)?.portal;
                Some((*index, file.plans.iter().find(|plan| plan.portal == *portal)?))
            })
            .collect();
        let failed = Cell::new(number(&rows, &of_wave, counts_for_stop));
        let is_stopped = || is_over || stop.stops(failed.get(), of_wave.len());
        let work = async |planned: &PlannedPortal| {
            // A portal that has not begun is given up at once; one that writes ends in order.
            if is_stopped() || surroundings.interrupt.code().is_some() {
                return Ok(None);
            }
            let applied = apply_one(surroundings, planned).await;
            let has_failed = match &applied {
                Ok(applied) => applied.outcome.is_failure(),
                Err(failure) => !failure.is_unreachable,
            };
            failed.set(failed.get() + usize::from(has_failed));
            applied.map(Some)
        };
        let plans = planned.iter().map(|(_, planned)| *planned);
        let ends = app::rounds(plans, concurrency, None, work).await;
        for ((index, _), end) in planned.into_iter().zip(ends) {
            if let Some(row) = rows.get_mut(index) {
                *row = rows::ended(end, row.clone(), into_row);
            }
        }
        let failed = number(&rows, &of_wave, counts_for_stop);
        // Nothing is known of the plans then, and no command waits for a portal as a rollout does.
        let has_next = file.waves.last() != Some(wave);
        let is_silent = number(&rows, &of_wave, is_silent) == of_wave.len()
            && number(&rows, &of_wave, |one| one == PortalOutcome::Unreachable) > 0;
        if !is_over && (stop.stops(failed, of_wave.len()) || (is_silent && has_next)) {
            stopped_in = Some(wave.clone());
            is_over = true;
        }
        is_over |= last_wave == Some(wave.as_str());
    }
    AppliedFleet { rows, stopped_in }
}

/// Counts the rows of a wave by their outcome.
fn number(
    rows: &[PortalRow],
    of_wave: &[usize],
    is_meant: impl Fn(PortalOutcome) -> bool,
) -> usize {
    let rows = of_wave.iter().filter_map(|index| rows.get(*index));
    rows.filter(|row| is_meant(row.outcome)).count()
}

/// Returns `true` for an outcome that the plan may be the cause of.
fn counts_for_stop(outcome: PortalOutcome) -> bool {
    outcome.is_failure() && outcome != PortalOutcome::Unreachable
}

/// Returns `true` for an outcome that tells nothing of the plan.
fn is_silent(outcome: PortalOutcome) -> bool {
    use PortalOutcome::{PassedOver, Paused, Unreachable};
    matches!(outcome, Unreachable | Paused | PassedOver)
}

fn into_row(applied: Option<Applied>, row: PortalRow) -> PortalRow {
    applied.unwrap_or_else(|| Applied::without_run(PortalOutcome::NotReached)).fill(row)
}

async fn apply_one(
    surroundings: &Surroundings<'_>,
    planned: &PlannedPortal,
) -> Result<Applied, CliError> {
    let started = Instant::now();
    let bytes = planned.plan.as_bytes();
    let file = plan_files::parse(Path::new(&planned.portal), bytes)?;
    let portal = PortalId::new(&planned.portal)
        .map_err(|problem| CliError::plan_file(tr!("this is no portal: {problem}", problem)))?;
    app::check_plan_file(&file.content, &portal, None, SystemClock.now())
        .map_err(plan_file_error)?;
    if let Some(pause) = surroundings.pauses.get(&portal).filter(|one| one.holds(SystemClock.now()))
    {
        let cause = Some(rows::command_pause(pause));
        return Ok(Applied { cause, ..Applied::without_run(PortalOutcome::Paused) });
    }
    let secret = match &planned.webhook {
        StoredSecret::File(name) => SecretReference::File(name.as_str().into()),
        StoredSecret::Env(name) => SecretReference::Variable(name.as_str().into()),
    };
    let session = surroundings.connect(&portal, &secret).await?;
    let lock_timeout = surroundings.global.lock_timeout;
    let work = async |session: &Session| apply_in(session, &file, bytes, lock_timeout).await;
    let applied = session.run_and_close(&surroundings.ui, work).await?;
    Ok(Applied { milliseconds: rows::milliseconds(started), ..applied })
}

async fn apply_in(
    session: &Session,
    file: &PlanFile,
    bytes: &[u8],
    lock_timeout: Duration,
) -> Result<Applied, CliError> {
    let apply = ApplyOptions { lock_timeout, ..ApplyOptions::default() };
    let files = manifest_files(&file.content);
    let options = PlanFileOptions { file, bytes, manifests: None, files: &files, options: &apply };
    let observer = RoundObserver { session };
    let applied = app::apply_plan_file(&session.app, options, &ApprovedWithFleet, &observer).await;
    let (plan, run) = match applied {
        Ok(applied) => (applied.plan, applied.run),
        Err(app::Error::Consumed(ConsumePlanError::AlreadyUsed(_))) => {
            return Ok(Applied::without_run(PortalOutcome::AppliedBefore));
        }
        Err(error) => return Err(use_case_error(session, error)),
    };
    Ok(Applied::new(&plan, run))
}

fn kept(plan: &Plan, hold: u32) -> FleetCounts {
    FleetCounts { keep: plan.counts().keep, hold, ..FleetCounts::default() }
}
