//! Applies of the plans of a fleet, wave by wave, until the stop rule holds.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use super::portal_session::{ApprovedWithFleet, RoundObserver, Surroundings};
use super::{rows, state};
use crate::app::{self, ApplyOptions, FinishedRun, PlanFileOptions, PortalRound};
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::plan_files;
use crate::cli::session::CliSession;
use crate::cli::signals::INTERRUPTED;
use crate::cli::sources::manifest_files;
use crate::cli::use_cases::{plan_file_error, use_case_error};
use crate::engine::TargetOutcome;
use crate::i18n::{Text, english};
use crate::manifest::{SecretReference, StopRule};
use crate::model::{Outcome, OutcomeClass, PortalId};
use crate::plan::PlanCounts;
use crate::ports::{Clock as _, FleetState as _, PortalError, StoreError};
use crate::records::fleet::{
    FleetCounts, FleetPlanFile, PlannedPortal, PortalOutcome, PortalRow, StoredSecret,
};
use crate::records::plan_file::PlanFile;
use crate::store::{ConsumePlanError, RunSummary, Store};

/// End of the apply of one portal.
pub(in crate::cli) struct Applied {
    outcome: PortalOutcome,
    cause: Option<Text>,
    /// The numbers of a run; `None` if those of the plan stay.
    counts: Option<FleetCounts>,
    run: Option<String>,
    milliseconds: u32,
    /// `true` for a failure that does not count for the stop rule.
    is_excused: bool,
}

impl Applied {
    pub(super) fn without_run(outcome: PortalOutcome, cause: Option<Text>) -> Self {
        Self { outcome, cause, counts: None, run: None, milliseconds: 0, is_excused: false }
    }

    /// Tells the end of a run, if there was something to do; `planned` are the numbers of the whole
    /// plan. A portal with cards that are held is done in part.
    pub(in crate::cli) fn new(planned: PlanCounts, run: Option<FinishedRun>) -> Self {
        let Some(FinishedRun { report, failure, unsaved }) = run else {
            let counts =
                FleetCounts { people: 0, reset: 0, keep: planned.keep, hold: planned.hold };
            let outcome = match planned.hold {
                0 => PortalOutcome::Unchanged,
                _ => PortalOutcome::Partial,
            };
            return Self { counts: Some(counts), ..Self::without_run(outcome, None) };
        };
        let done = |target: &&TargetOutcome| target.outcome.class() == OutcomeClass::Done;
        let people: BTreeSet<_> =
            report.targets.iter().filter(done).filter_map(|target| target.key.user()).collect();
        let left = Left::of(report.targets.iter().map(|target| &target.outcome));
        // With its cause: what the store or the portal refuses.
        let failure = failure.map(|failure| CliError::from_source(exit::ERROR, &failure));
        let failure = failure.or(unsaved.map(CliError::from_store));
        let failure = failure.map(|failure| Text::join(&failure.chain, ": "));
        let has_ended = failure.is_none() && planned.hold == 0;
        let cause = || match left.outcome? {
            PortalOutcome::Unknown => Some(tr!("the outcome of a reset is not known")),
            _ => Some(tr!(
                "cards failed or had changed since the plan; `recard show RUN` names them"
            )),
        };
        Self {
            outcome: match left.outcome {
                Some(outcome) => outcome,
                None if has_ended => PortalOutcome::Applied,
                None => PortalOutcome::Partial,
            },
            cause: failure.or_else(cause),
            counts: Some(FleetCounts {
                people: u32::try_from(people.len()).unwrap_or(u32::MAX),
                reset: report.totals.done,
                keep: planned.keep + left.resolved - report.totals.done,
                hold: planned.hold + left.cards,
            }),
            run: Some(report.run.to_string()),
            milliseconds: 0,
            is_excused: false,
        }
    }

    /// Tells what became of a plan that was used before, by the journal of its run. Its cards are
    /// reset by nobody now: a plan is carried out once. A run that a signal ended says nothing
    /// against the plan, so that the apply of the file goes on.
    fn before(planned: PlanCounts, run: &RunSummary) -> Self {
        let left = Left::of(run.settled.iter().map(|(_, outcome)| outcome));
        let cause = left.outcome.map(|_| {
            tr!("the plan was used before, and its run did not reset every card; `recard show RUN` names them, and a new plan does what is left")
        });
        Self {
            outcome: match left.outcome {
                Some(outcome) => outcome,
                None if planned.hold > 0 => PortalOutcome::Partial,
                None => PortalOutcome::AppliedBefore,
            },
            cause,
            counts: Some(FleetCounts {
                people: 0,
                reset: 0,
                keep: planned.keep + left.resolved,
                hold: planned.hold + left.cards,
            }),
            run: Some(run.run.to_string()),
            milliseconds: 0,
            is_excused: planned.hold == 0
                && run.settled.iter().all(|(_, outcome)| was_interrupted(outcome)),
        }
    }

    /// Fills the row of the portal. The cause of the plan, for which cards are held, stays if there
    /// is no other one.
    pub(in crate::cli) fn fill(self, row: PortalRow) -> PortalRow {
        let Self { outcome, cause, counts, run, milliseconds, is_excused: _ } = self;
        let counts = counts.unwrap_or(row.counts);
        let mut row = PortalRow { outcome, counts, run, milliseconds, ..row };
        if let Some(cause) = cause {
            rows::set_cause(&mut row, &cause);
        }
        row
    }
}

/// Cards of a run that are not as it was to leave them.
struct Left {
    /// The outcome of the portal; `None` if there are no such cards.
    outcome: Option<PortalOutcome>,
    /// Their number.
    cards: u32,
    /// The number of all others.
    resolved: u32,
}

impl Left {
    fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        let mut left = Self { outcome: None, cards: 0, resolved: 0 };
        for outcome in outcomes {
            if outcome.is_resolved() {
                left.resolved += 1;
                continue;
            }
            left.cards += 1;
            left.outcome = match (outcome.class(), left.outcome) {
                (OutcomeClass::Unknown, _) | (_, Some(PortalOutcome::Unknown)) => {
                    Some(PortalOutcome::Unknown)
                }
                _ => Some(PortalOutcome::Partial),
            };
        }
        left
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
    let mut rows: Vec<PortalRow> = file.rows.iter().cloned().map(passed_over).collect();
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
        for row in of_wave.iter().filter(|index| planned.iter().all(|(one, _)| one != *index)) {
            if let Some(row) = rows.get_mut(*row) {
                without_plan(row, is_over);
            }
        }
        let failed = Cell::new(number(&rows, &of_wave, counts_for_stop));
        let is_stopped = || is_over || stop.stops(failed.get(), of_wave.len());
        let work = async |planned: &PlannedPortal| {
            // A portal that has not begun is given up at once; one that writes ends in order.
            if is_stopped() || surroundings.interrupt.code().is_some() {
                return Ok(None);
            }
            let applied = apply_one(surroundings, planned).await;
            let has_failed = match &applied {
                Ok(applied) => applied.outcome.is_failure() && !applied.is_excused,
                Err(failure) => !failure.is_unreachable,
            };
            failed.set(failed.get() + usize::from(has_failed));
            applied.map(Some)
        };
        let plans = planned.iter().map(|(_, planned)| *planned);
        let ends = app::rounds(plans, concurrency, None, work).await;
        let mut excused = 0;
        for ((index, _), end) in planned.into_iter().zip(ends) {
            excused += usize::from(is_excused(&end));
            if let Some(row) = rows.get_mut(index) {
                *row = rows::ended(end, row.clone(), into_row);
            }
        }
        let failed = number(&rows, &of_wave, counts_for_stop) - excused;
        // Nothing is known of the plans then, and no command waits for a portal as a rollout does.
        let has_next = file.waves.last() != Some(wave);
        let is_silent = number(&rows, &of_wave, is_silent) == of_wave.len()
            && number(&rows, &of_wave, |outcome| outcome == PortalOutcome::Unreachable) > 0;
        if !is_over && (stop.stops(failed, of_wave.len()) || (is_silent && has_next)) {
            stopped_in = Some(wave.clone());
            is_over = true;
        }
        is_over |= last_wave == Some(wave.as_str());
    }
    rows.iter_mut().filter(|row| row.run.is_none()).for_each(rows::without_reset);
    AppliedFleet { rows, stopped_in }
}

/// Returns the row of a portal that is only looked at: of all plans, that alone finds drift.
fn passed_over(mut row: PortalRow) -> PortalRow {
    if row.outcome != PortalOutcome::Drifted {
        return row;
    }
    let cards = row.counts.reset;
    row.outcome = PortalOutcome::PassedOver;
    row.counts = FleetCounts { people: 0, reset: 0, ..row.counts };
    let cause = tr!("the mode of the portal is `drift`: {n} card differs, and was left as it is"
        | "the mode of the portal is `drift`: {n} cards differ, and were left as they are" % cards);
    rows::set_cause(&mut row, &cause);
    row
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

/// Returns `true` for a failure that does not count for the stop rule.
fn is_excused(end: &PortalRound<Result<Option<Applied>, CliError>>) -> bool {
    let PortalRound::Ended(Ok(Some(applied))) = end else { return false };
    applied.is_excused && applied.outcome.is_failure()
}

/// Returns `true` for a card that is as planned, or that only a signal kept from it.
fn was_interrupted(outcome: &Outcome) -> bool {
    let in_request = || english(&PortalError::Stopped(INTERRUPTED.to_owned()));
    let is_signal = |reason: &str| reason == INTERRUPTED || reason == in_request();
    outcome.is_resolved() || matches!(outcome, Outcome::NotAttempted(reason) if is_signal(reason))
}

fn into_row(applied: Option<Applied>, row: PortalRow) -> PortalRow {
    applied.unwrap_or_else(not_reached).fill(row)
}

fn not_reached() -> Applied {
    let cause = tr!("the run ended before this portal");
    Applied::without_run(PortalOutcome::NotReached, Some(cause))
}

/// Tells what becomes of a portal with changes and without a plan: all of its cards are held, or no
/// webhook may write.
fn without_plan(row: &mut PortalRow, is_over: bool) {
    if row.outcome != PortalOutcome::Changes {
        return;
    }
    let applied = match row.counts.hold {
        _ if is_over => not_reached(),
        0 => {
            let cause = tr!("the fleet names no place of the webhook");
            Applied::without_run(PortalOutcome::Failed, Some(cause))
        }
        _ => Applied::without_run(PortalOutcome::Partial, None),
    };
    *row = applied.fill(row.clone());
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
    // An apply of many portals takes long: a pause since its begin holds, too.
    let pause = state::open(surroundings.global).pause(&portal).await?;
    if let Some(pause) = pause.filter(|pause| pause.holds(SystemClock.now())) {
        let cause = Some(rows::command_pause(&pause));
        return Ok(Applied::without_run(PortalOutcome::Paused, cause));
    }
    let secret = match &planned.webhook {
        StoredSecret::File(name) => SecretReference::File(name.as_str().into()),
        StoredSecret::Env(name) => SecretReference::Variable(name.as_str().into()),
    };
    let session = surroundings.connect(&portal, &secret).await?;
    let lock_timeout = surroundings.global.lock_timeout;
    let work = async |session: &CliSession| apply_in(session, &file, bytes, lock_timeout).await;
    let applied = session.run_and_close(&surroundings.ui, work).await?;
    Ok(Applied { milliseconds: rows::milliseconds(started), ..applied })
}

async fn apply_in(
    session: &CliSession,
    file: &PlanFile,
    bytes: &[u8],
    lock_timeout: Duration,
) -> Result<Applied, CliError> {
    let apply = ApplyOptions { lock_timeout, ..ApplyOptions::default() };
    let files = manifest_files(&file.content);
    let options = PlanFileOptions { file, bytes, manifests: None, files: &files, options: &apply };
    let observer = RoundObserver { session };
    let applied = app::apply_plan_file(&session.app, options, &ApprovedWithFleet, &observer).await;
    match applied {
        Ok(applied) => Ok(Applied::new(file.content.counts, applied.run)),
        Err(app::Error::Consumed(ConsumePlanError::AlreadyUsed(_))) => {
            Ok(match run_of(&session.app.store, bytes).await? {
                Some(run) => Applied::before(file.content.counts, &run),
                None => {
                    let cause = tr!(
                        "the plan was used before, and the store has no run of it; make a new plan"
                    );
                    Applied::without_run(PortalOutcome::Stale, Some(cause))
                }
            })
        }
        Err(error) => Err(use_case_error(session, error)),
    }
}

/// Returns the run that carried out a plan.
async fn run_of(store: &Store, plan: &[u8]) -> Result<Option<RunSummary>, StoreError> {
    for run in store.run_ids().await?.iter().rev() {
        if store.plan(run).await?.is_some_and(|of_run| of_run == plan) {
            return store.summary(run).await.map(Some);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CardKey;
    use crate::ports::Interrupted;
    use crate::records::samples;
    use crate::store::RunEnd;

    #[test]
    fn plan_that_was_used_before_is_excused_only_if_a_signal_alone_left_its_cards() {
        let planned = PlanCounts { keep: 1, reset: 2, hold: 0 };
        let interrupted = || Outcome::NotAttempted(INTERRUPTED.to_owned());
        let refused = || Outcome::NotAttempted("the portal refuses to work with us".to_owned());
        for (second, outcome, is_excused) in [
            (Outcome::Reset, PortalOutcome::AppliedBefore, true),
            (Outcome::AlreadyDefault, PortalOutcome::AppliedBefore, true),
            (interrupted(), PortalOutcome::Partial, true),
            (refused(), PortalOutcome::Partial, false),
            (Outcome::Changed, PortalOutcome::Partial, false),
            (Outcome::Unknown("no answer".to_owned()), PortalOutcome::Unknown, false),
        ] {
            let keys: [CardKey; 2] = [samples::personal(2), samples::personal(3)];
            let run = RunSummary {
                run: samples::run(),
                header: samples::header(&keys),
                end: RunEnd::Closed(Interrupted::Yes),
                settled: vec![(keys[0], Outcome::Reset), (keys[1], second.clone())],
            };
            let applied = Applied::before(planned, &run);
            assert_eq!((applied.outcome, applied.is_excused), (outcome, is_excused), "{second}");
            let left = u32::from(outcome != PortalOutcome::AppliedBefore);
            let counts = FleetCounts { people: 0, reset: 0, keep: 3 - left, hold: left };
            assert_eq!(applied.counts, Some(counts), "{second}");
        }
    }
}
