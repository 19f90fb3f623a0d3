//! From manifests to a plan: what `plan`, `apply` and `demo` have in common.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::args::{LedgerArgs, PolicyArgs};
use super::error::CliError;
use super::git_log::{self, GitQuery};
use super::output::Outputs;
use super::permissions;
use super::progress::ProgressReporter;
use super::session::Session;
use super::sources::{self, LoadedManifests};
use crate::diagnostic::Diagnostic;
use crate::engine::{self, Resolution};
use crate::model::{
    CardKey, CurrentSelection, DesiredState, GuardLimits, Ledger, Snapshot, UserId,
};
use crate::plan::{self, BlindReset, Plan, Policy};
use crate::portal::{Estimate, PlannedWork};
use crate::ports::{PortalError, ReadPortal as _, StoreError};
use crate::report::{Commit, Cost, PlanReport};
use crate::store::Store;

/// A plan, and what was found on the way to it.
pub(super) struct Planned {
    /// The plan. The checker found nothing in it.
    pub(super) plan: Plan,
    /// What was odd in the manifests or on the portal.
    pub(super) warnings: Vec<Diagnostic>,
    /// The last change of each file of manifests, where git knows it.
    pub(super) commits: BTreeMap<String, Commit>,
    /// The limits that its guards were measured against.
    pub(super) limits: GuardLimits,
}

/// Resolves, observes and plans. Sends nothing that writes.
pub(super) async fn make_plan(
    outputs: &Outputs<'_>,
    session: &Session,
    manifest: &LoadedManifests,
    policy_args: &PolicyArgs,
) -> Result<Planned, CliError> {
    let whole = |found: &[Diagnostic]| !found.iter().any(Diagnostic::is_error);
    let git = git_log::query(&manifest.sources);
    let (resolution, snapshot) = resolve_and_observe(outputs, session, manifest, whole).await?;
    match snapshot {
        Some(snapshot) => {
            plan_from_snapshot(session, manifest, policy_args, resolution, &snapshot, git).await
        }
        None => Err(sources::refuse(
            outputs,
            &resolution.warnings,
            &manifest.sources,
            &tr!("nothing was written"),
        )),
    }
}

/// Resolves the manifests, then reads the cards of all targets. `worth` decides by the warnings
/// whether the cards are read.
pub(super) async fn resolve_and_observe(
    outputs: &Outputs<'_>,
    session: &Session,
    manifest: &LoadedManifests,
    worth: impl Fn(&[Diagnostic]) -> bool + Sync,
) -> Result<(Resolution, Option<Snapshot>), CliError> {
    let reader = session.portal.reader();
    let progress = ProgressReporter::new(outputs.ui, session.duration_estimator());
    let failed = |problem: PortalError, doing| {
        session.with_webhook_hint(CliError::from(problem).context(doing))
    };
    progress.start_lookup();
    let resolution = engine::resolve_existing(&reader, &manifest.declaration)
        .await
        .map_err(|problem| failed(problem, tr!("cannot look up people and departments")))?;
    if !worth(&resolution.warnings) {
        return Ok((resolution, None));
    }
    let targets: Vec<CardKey> =
        resolution.desired.targets.iter().map(|target| target.key).collect();
    let snapshot = engine::observe(&reader, &session.caller, &targets, &progress)
        .await
        .map_err(|problem| failed(problem, tr!("cannot read the cards")))?;
    session.keep_proof(outputs.ui, snapshot.trust);
    progress.finish();
    Ok((resolution, Some(snapshot)))
}

/// Plans what manifests were resolved to, and observed. Sends nothing that writes.
pub(super) async fn plan_from_snapshot(
    session: &Session,
    manifest: &LoadedManifests,
    policy_args: &PolicyArgs,
    resolution: Resolution,
    snapshot: &Snapshot,
    git: GitQuery,
) -> Result<Planned, CliError> {
    let Resolution { mut desired, warnings, employees } = resolution;
    desired.guards.lower(policy_args.max_users);
    let blind = if policy_args.blind_reset { BlindReset::Allowed } else { BlindReset::Never };
    let policy = Policy {
        blind,
        ledger: ledger(&session.store, &policy_args.ledger_args)?,
        previous_selections: previous_selections(
            &session.store,
            &manifest.files(),
            &desired.selected(),
        )?,
    };
    let made = plan::plan(&desired, snapshot, &policy);
    verify_plan(&desired, snapshot, &policy, &made)?;
    let made = with_employees(session, made, employees).await?;
    let not_allowed = permissions::warning(session, &made)
        .await
        .map_err(|problem| session.with_webhook_hint(problem.into()))?;
    let warnings = manifest.warnings.iter().cloned().chain(warnings).chain(not_allowed).collect();
    let commits = session.interrupt().unless_cancelled(async { Ok(git.answer().await) }).await?;
    Ok(Planned { plan: made, warnings, commits, limits: desired.guards })
}

/// Counts the employees, unless their number is known, and measures the guards again, where the
/// share of the portal counts.
pub(super) async fn with_employees(
    session: &Session,
    made: Plan,
    known: Option<u32>,
) -> Result<Plan, CliError> {
    let employees = match known {
        Some(employees) => employees,
        None if !made.guards.lacks_employees() => return Ok(made),
        None => session.portal.reader().employees().await.map_err(|problem| {
            session.with_webhook_hint(
                CliError::from(problem).context(tr!("cannot count the employees")),
            )
        })?,
    };
    Ok(Plan { guards: made.guards.with_employees(employees), ..made })
}

/// Has the checker look at a plan.
pub(super) fn verify_plan(
    desired: &DesiredState,
    snapshot: &Snapshot,
    policy: &Policy,
    made: &Plan,
) -> Result<(), CliError> {
    match plan::verify_plan(desired, snapshot, policy, made).first() {
        None => Ok(()),
        Some(finding) => Err(verification_error(&finding.to_string())),
    }
}

/// A plan that must not be, by what was found in it.
pub(super) fn verification_error(finding: &str) -> CliError {
    CliError::general(tr!("recard does not trust its own plan: {finding}", finding))
        .hint(tr!("nothing was written; this is a bug in recard, please report it"))
}

/// The memory of mode once: that of the store, or that in a file.
pub(super) fn ledger(store: &Store, ledger_args: &LedgerArgs) -> Result<Ledger, CliError> {
    match &ledger_args.ledger {
        None => Ok(store.ledger()?),
        Some(path) => store.ledger_file(path).map_err(|problem| match problem {
            StoreError::Missing(_) => CliError::from_store(problem).hint(tr!(
                "a ledger that is not there is not taken for an empty one; begin it with: recard ledger new {}",
                path.display()
            )),
            // The advice about a store would name the wrong option.
            StoreError::Io { .. } => CliError::from_store(problem).hint(tr!(
                "a ledger is written again after each run, so it must be a regular file that recard can read and write; begin one with: recard ledger new FILE"
            )),
            other => other.into(),
        }),
    }
}

/// Returns how many people each manifest selected in its last run; `files` are its name and its
/// file.
pub(super) fn previous_selections(
    store: &Store,
    files: &[(String, String)],
    selected: &BTreeMap<Arc<str>, Vec<UserId>>,
) -> Result<BTreeMap<Arc<str>, u32>, CliError> {
    let run: Vec<CurrentSelection<'_>> = files
        .iter()
        .map(|(manifest, file)| selecting(manifest, file, selected.get(manifest.as_str())))
        .collect();
    let is_gone = |file: &str| !file.is_empty() && !Path::new(file).exists();
    let previous = store.selections()?.previous(&run, is_gone);
    Ok(previous.into_iter().map(|(name, people)| (name.into(), people)).collect())
}

/// Returns what a manifest selects, for comparing and for keeping.
pub(super) fn selecting<'a>(
    manifest: &'a str,
    file: &'a str,
    people: Option<&'a Vec<UserId>>,
) -> CurrentSelection<'a> {
    CurrentSelection { manifest, file, people: people.map_or(&[], Vec::as_slice) }
}

/// What the resets of a plan cost, whose cards were read just now.
pub(super) fn cost(session: &Session, plan: &Plan) -> Cost {
    estimate_cost(session, PlannedWork::Resets(reset_count(plan)))
}

/// What a later apply costs, which reads so many cards first. If there is nothing to reset, there
/// is none.
pub(super) fn apply_cost(session: &Session, plan: &Plan, reads: usize) -> Cost {
    match reset_count(plan) {
        0 => cost(session, plan),
        resets => estimate_cost(session, PlannedWork::ReadsThenResets(reads, resets)),
    }
}

pub(super) fn reset_count(plan: &Plan) -> usize {
    usize::try_from(plan.counts().reset).unwrap_or(usize::MAX)
}

fn estimate_cost(session: &Session, task: PlannedWork) -> Cost {
    let Estimate { requests, time, operating_share } = session.portal.estimate(task);
    Cost { requests, seconds: time.as_secs_f64(), operating_share }
}

impl Planned {
    /// The plan with what its readers want to know around it, and what carrying it out costs.
    pub(super) fn report<'a>(
        &'a self,
        session: &'a Session,
        manifest: &'a LoadedManifests,
        cost: Cost,
    ) -> PlanReport<'a> {
        let documents = &manifest.declaration.documents;
        PlanReport {
            plan: &self.plan,
            caller: &session.caller,
            manifests: documents
                .iter()
                .map(|document| (&*document.name, &*document.reason))
                .collect(),
            commits: &self.commits,
            cost,
            warnings: &self.warnings,
            drift: None,
            effective: None,
        }
    }
}
