//! Rounds of a worker over portals: recover, then apply, or a look where the mode is `drift`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::applies::Applied;
use super::plans;
use super::portal_session::{ApprovedWithFleet, RoundObserver, Surroundings};
use super::rows::{self, Pauses};
use super::worker_fleets::{FleetSource, KnownFleets, portal_of};
use crate::app::{self, ApplyOptions, FinishedRun, ManifestSet, RecoverOptions};
use crate::cli::args::GlobalArgs;
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::held_portal::HeldPortal;
use crate::cli::session::CliSession;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::use_cases::use_case_error;
use crate::engine::{ApplyError, RecoveryError};
use crate::fleet::worker::{LeaseTimes, RoundControl, RoundFailure, RoundOutcome, Rounds};
use crate::manifest::{Fleet, FleetPortal, PortalMode, SecretReference};
use crate::model::PortalId;
use crate::portal::TotalRate;
use crate::ports::{
    Claim, Clock as _, ParkReason, Rejection, RoundClass, RoundResult, SecretMark, StoreError,
};
use crate::records::fleet::{LastRound, PortalOutcome, PortalRow};

/// Time for requests of a dead worker that may still be in flight. A lease ends later than they do,
/// so that only a folder needs it.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// Time until a portal that another process works on is tried again.
const IN_USE: Duration = Duration::from_secs(60);

/// Time until a portal whose records a newer version wrote is tried again.
const FOR_NEWER: Duration = Duration::from_secs(300);

/// Rounds of a worker.
pub(in crate::cli) struct WorkerRounds<'a> {
    pub(in crate::cli) global: &'a GlobalArgs,
    /// Printer without notes.
    pub(in crate::cli) ui: Ui,
    pub(in crate::cli) secrets: Option<&'a Path>,
    pub(in crate::cli) total_rate: Option<Arc<TotalRate>>,
    pub(in crate::cli) lease: LeaseTimes,
    pub(in crate::cli) fleets: KnownFleets,
    pub(in crate::cli) source: FleetSource<'a>,
}

/// End of a round that is not stopped.
enum Worked {
    /// Its row, and the number of people whose cards were reset.
    Row(Box<PortalRow>, u32),
    Outcome(RoundOutcome),
}

impl Rounds for WorkerRounds<'_> {
    async fn round(&self, claim: &Claim, control: &RoundControl) -> RoundOutcome {
        if !self.fleets.are_known().await {
            return RoundOutcome::NotNow { due_in: IN_USE };
        }
        let fleet = match self.source.read(&self.fleets, claim.revision).await {
            Ok(Some(fleet)) => fleet,
            Ok(None) => return RoundOutcome::NotNow { due_in: IN_USE },
            Err(problem) => {
                let problem = problem.chain.first().map(|text| text.english().to_owned());
                tracing::error!(portal = claim.portal.as_str(), problem, "no revision");
                return RoundOutcome::NotNow { due_in: IN_USE };
            }
        };
        let Some(portal) = portal_of(&fleet, &claim.portal) else {
            return RoundOutcome::NotNow { due_in: IN_USE };
        };
        let current = self.fleets.named(&fleet.name);
        let current = current.as_ref().and_then(|fleet| portal_of(fleet, &claim.portal));
        let portals = Portals { of_claim: portal, current };
        let interrupt = Interrupt::child();
        let surroundings = Surroundings {
            global: self.global,
            ui: self.ui.clone(),
            interrupt: &interrupt,
            secrets: self.secrets,
            // The queue gives out no portal that is paused.
            pauses: Pauses::new(),
            total_rate: self.total_rate.clone(),
            held: Some(HeldPortal {
                claim: claim.clone(),
                permit: Arc::clone(&control.permit) as _,
                request_timeout: self.lease.request(),
            }),
        };
        let stopped = async {
            control.cancellation.cancelled().await;
            interrupt.cancel(&control.cancellation.reason().unwrap_or_default());
            std::future::pending::<()>().await;
        };
        let begun = Instant::now();
        let worked = tokio::select! {
            biased;
            worked = work(&surroundings, &fleet, portals) => worked,
            () = stopped => return RoundOutcome::Stopped,
        };
        let is_stopped = control.cancellation.reason().is_some();
        let (row, people) = match worked {
            Ok(Worked::Outcome(outcome)) => return outcome,
            Ok(Worked::Row(row, people)) => (*row, people),
            Err(_) if is_stopped => return RoundOutcome::Stopped,
            Err(failure) if failure.code == exit::LOCKED => {
                return RoundOutcome::NotNow { due_in: IN_USE };
            }
            // The portal has not failed, and a rollout is not halted for it. What was cut is
            // recovered in the next round.
            Err(failure) if failure.is_store_away => {
                let problem = failure.chain.last().map(|text| text.english().to_owned());
                tracing::warn!(portal = claim.portal.as_str(), problem, "the store is away");
                return RoundOutcome::NotNow { due_in: IN_USE };
            }
            Err(failure) => {
                (rows::failed(rows::row(&fleet, portal, PortalOutcome::Failed), &failure), 0)
            }
        };
        if is_stopped && row.outcome.is_failure() {
            return RoundOutcome::Stopped;
        }
        if row.outcome.is_failure() && !row.detail.is_empty() {
            tracing::warn!(portal = claim.portal.as_str(), cause = row.detail, "round failed");
        }
        RoundOutcome::Ended(result(row, people, begun))
    }

    fn failed(&self, claim: &Claim, failure: RoundFailure) -> RoundResult {
        let end = match failure {
            RoundFailure::Late(_) => app::PortalRound::<Result<(), CliError>>::Late,
            RoundFailure::Panicked(text) => app::PortalRound::Panicked(text),
        };
        let fleet = self.fleets.get(claim.revision);
        let row = fleet.as_ref().and_then(|fleet| {
            let portal = portal_of(fleet, &claim.portal)?;
            let row = rows::row(fleet, portal, PortalOutcome::Failed);
            Some(rows::ended(end, row, |(), row| row))
        });
        match row {
            Some(row) => result(row, 0, Instant::now()),
            None => RoundResult { class: Some(RoundClass::Failed), people: 0, row: String::new() },
        }
    }

    fn every(&self, claim: &Claim) -> Duration {
        self.fleets.every(claim)
    }

    fn has_other_secret(&self, portal: &PortalId, refused: &SecretMark) -> bool {
        let Some(fleet) = self.fleets.current(portal) else { return false };
        let interrupt = Interrupt::child();
        let surroundings = Surroundings {
            global: self.global,
            ui: self.ui.clone(),
            interrupt: &interrupt,
            secrets: self.secrets,
            pauses: Pauses::new(),
            total_rate: None,
            held: None,
        };
        let Some(declared) = portal_of(&fleet, portal) else { return false };
        let is_refused = |secret: &SecretReference| {
            let (webhook, _) = surroundings.webhook(portal, secret).ok()?;
            Some(webhook.digest(&refused.salt) == refused.digest)
        };
        let (writes, reads) = (declared.webhook.as_ref(), declared.secret_to_read());
        let needed = if declared.mode == PortalMode::Drift { reads } else { writes };
        // The refused one may be of the revision before, and of its mode.
        needed.and_then(is_refused) == Some(false)
            && [writes, reads].into_iter().flatten().all(|secret| is_refused(secret) != Some(true))
    }
}

/// Portal of a round, as two revisions have it. The manifests are those of the claim; the rest
/// holds for every wave at once.
#[derive(Clone, Copy)]
struct Portals<'a> {
    of_claim: &'a FleetPortal,
    /// `None` if no revision of its fleet can be used but that of the claim.
    current: Option<&'a FleetPortal>,
}

impl Portals<'_> {
    /// Returns `true` if the portal is only looked at. One that is to be written to waits for its
    /// wave, and for a revision that tells its mode.
    fn is_only_looked_at(self) -> bool {
        let is_drift = |portal: &FleetPortal| portal.mode == PortalMode::Drift;
        is_drift(self.of_claim) || self.current.is_none_or(is_drift)
    }
}

fn result(mut row: PortalRow, people: u32, begun: Instant) -> RoundResult {
    row.milliseconds = rows::milliseconds(begun);
    row.last = Some(LastRound { command: "worker".to_owned(), at: SystemClock.now() });
    let class = match row.outcome {
        PortalOutcome::Unreachable => None,
        outcome if outcome.is_failure() => Some(RoundClass::Failed),
        _ => Some(RoundClass::Succeeded),
    };
    RoundResult { class, people, row: row.encode() }
}

/// Works on a portal: a look, or recovery and apply.
async fn work(
    surroundings: &Surroundings<'_>,
    fleet: &Fleet,
    portals: Portals<'_>,
) -> Result<Worked, CliError> {
    let is_only_looked_at = portals.is_only_looked_at();
    let portal = portals.of_claim;
    let current = portals.current.unwrap_or(portal);
    let empty = rows::row(fleet, portal, PortalOutcome::Unchanged);
    // A pause of an earlier revision may have ended. An entry with a problem may have lost its
    // pause or mode, so that nothing is sent on an earlier revision either.
    let without_round = rows::row_without_round(fleet, current, &Pauses::new(), SystemClock.now());
    if let Some(row) = without_round.or_else(|| rows::broken(fleet, portal)) {
        return Ok(Worked::Row(Box::new(row), 0));
    }
    let secret = match is_only_looked_at {
        true => current.secret_to_read(),
        false => current.webhook.as_ref(),
    };
    let (Some(name), Some(secret)) = (&portal.portal, secret) else {
        return Err(CliError::general(tr!("the fleet names no place of the webhook")));
    };
    let before = surroundings.webhook(name, secret)?.0;
    let session = match surroundings.connect(name, secret).await {
        Ok(session) => session,
        Err(failure) if failure.rejection.is_some_and(is_for_good) => {
            let now = surroundings.webhook(name, secret)?.0;
            if !now.is_same(&before) {
                return Err(failure);
            }
            let salt = format!("{:032x}", rand::random::<u128>());
            let mark = SecretMark { digest: before.digest(&salt), salt };
            let parked = RoundOutcome::Parked(ParkReason::WebhookRefused(mark));
            return Ok(Worked::Outcome(parked));
        }
        Err(failure) => return Err(failure),
    };
    let claim = surroundings.held.as_ref().map(|held| &held.claim);
    let is_first_try = claim.is_none_or(|claim| claim.attempts <= 1 && claim.failures == 0);
    let work = async |session: &CliSession| {
        let row = match is_only_looked_at {
            true => plans::drift_of_one(session, portal, empty).await.map(|row| (row, 0)),
            false => reconcile(session, portal, empty, is_first_try).await,
        };
        match row {
            Ok((row, people)) => Ok(Worked::Row(Box::new(row), people)),
            Err(error) => match outcome_of(&error) {
                Some(outcome) => Ok(Worked::Outcome(outcome)),
                None => Err(use_case_error(session, error)),
            },
        }
    };
    session.run_and_close(&surroundings.ui, work).await
}

/// Returns `true` if no request can succeed before the secret is replaced.
fn is_for_good(rejection: Rejection) -> bool {
    matches!(rejection, Rejection::Credentials | Rejection::OwnerDismissed)
}

/// Recovers interrupted runs, and applies. Returns the number of people whose cards were reset: by
/// the run, and by those before it that it continues. A round that died, was stopped or was late
/// has counted nobody.
async fn reconcile(
    session: &CliSession,
    portal: &FleetPortal,
    empty: PortalRow,
    is_first_try: bool,
) -> Result<(PortalRow, u32), app::Error> {
    let Some(declaration) = &portal.declaration else { return Ok((empty, 0)) };
    let observer = RoundObserver { session };
    let lock_timeout = Duration::ZERO;
    let files = plans::manifest_files(declaration);
    let set = ManifestSet { declaration, files: &files };
    let options = ApplyOptions { lock_timeout, ..ApplyOptions::default() };
    let apply = || app::apply(&session.app, set, &options, &ApprovedWithFleet, &observer);
    let mut continues = !is_first_try;
    let applied = match apply().await {
        Err(app::Error::Unfinished(_)) => {
            continues = true;
            let has_leases = session.app.store.has_leases();
            let settle_time = if has_leases { Duration::ZERO } else { SETTLE_TIME };
            let options = RecoverOptions { run: None, ledger: None, settle_time, lock_timeout };
            Box::pin(app::recover(&session.app, &options, &observer)).await?;
            apply().await?
        }
        applied => applied?,
    };
    let (plan, mut row) = (&applied.planned.plan, empty);
    if let Some(cause) = rows::held_cause(plan) {
        rows::set_cause(&mut row, &cause);
    }
    let run = match applied.run {
        Some(FinishedRun {
            failure:
                Some(ApplyError::Store {
                    source: away @ StoreError::Database { is_passing: true, .. },
                    ..
                }),
            ..
        }) => return Err(away.into()),
        run => run,
    };
    let row = Applied::new(plan.counts(), run).fill(row);
    let of_run = if row.run.is_some() { row.counts.people } else { 0 };
    if row.run.is_none() && !continues {
        return Ok((row, of_run));
    }
    let people = session.app.store.people_reset_by(&session.app.origin.actor).await?.len();
    Ok((row, u32::try_from(people).unwrap_or(u32::MAX).max(of_run)))
}

/// Returns the outcome of a round that failed for a reason that is no failure of the portal.
fn outcome_of(error: &app::Error) -> Option<RoundOutcome> {
    match error {
        app::Error::Store(StoreError::TooNew { .. } | StoreError::SchemaTooNew { .. }) => {
            Some(RoundOutcome::NotNow { due_in: FOR_NEWER })
        }
        app::Error::Recovery(RecoveryError::OtherCaller { .. })
        | app::Error::NoHeader { .. }
        | app::Error::LedgerNotNamed { .. }
        | app::Error::UnreadableRun(_) => {
            let problem = crate::i18n::english(error);
            Some(RoundOutcome::Parked(ParkReason::RecoveryNeedsPerson(problem)))
        }
        _ => None,
    }
}
