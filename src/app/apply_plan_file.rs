//! Apply of a plan file: executes what was reviewed, or less of it.
//!
//! No question is asked: the file was reviewed. Ahead of the first reset the file is marked as
//! used, so that it is executed once, whatever becomes of this process.

use std::collections::BTreeSet;

use super::apply::{ApprovedRun, FinishedRun, ledger_of, use_ledger_file};
use super::observer::{Approver, Observer, Proposal, Warning};
use super::plan::{previous_selections, read_cards, verify, with_employees};
use super::plan_file::check_caller;
use super::{ApplyOptions, Error, ManifestSet, Phase, Session, read_ledger, run};
use crate::engine::{self, CheckedPlanFile, Resolution, SnapshotAge};
use crate::model::{CardKey, DesiredState, Digest};
use crate::plan::{self, ApprovedPlan, BlindReset, Drift, NotApproved, Plan, Policy};
use crate::ports::{PlannedCard, RunHeader, RunPurpose};
use crate::records::plan_file::{
    PlanContent as _, PlanFile, PlanFileContent, PlanFileTarget, PlannedRemoval,
};
use crate::store::{ConsumePlanError, WriteGuard};

/// Plan file that was read, and what belongs to it.
#[derive(Clone, Copy)]
pub struct PlanFileOptions<'a> {
    /// The file.
    pub file: &'a PlanFile,
    /// Its bytes, as they are stored with the run.
    pub bytes: &'a [u8],
    /// Manifests beside it, which must still select its targets.
    pub manifests: Option<ManifestSet<'a>>,
    /// Name and file of each manifest of the plan.
    pub files: &'a [(String, String)],
    /// Ledger and lock.
    pub options: &'a ApplyOptions,
}

/// End of the apply of a plan file.
#[derive(Debug)]
pub struct AppliedPlanFile {
    /// The rest of the plan.
    pub plan: Plan,
    /// The run; none if there was nothing to do.
    pub run: Option<FinishedRun>,
}

/// Executes a plan file, as far as its cards are as they were reviewed.
///
/// # Errors
///
/// If nothing was written. What became of a run that wrote is in its end.
pub async fn apply_plan_file(
    session: &Session,
    options: PlanFileOptions<'_>,
    approver: &impl Approver,
    observer: &impl Observer,
) -> Result<AppliedPlanFile, Error> {
    let PlanFileOptions { file, bytes, manifests, files, options: apply_options } = options;
    let content = &file.content;
    check_caller(session, content.binding())?;
    let mut locked = run::lock(session, "apply", apply_options.lock_timeout, observer).await?;
    run::refuse_unfinished(session, observer).await?;
    use_ledger_file(&mut locked, &apply_options.plan);
    if let Some(used) = session.store.consumed_at(file.id).await? {
        return Err(Error::Consumed(ConsumePlanError::AlreadyUsed(used)));
    }
    let desired = match manifests {
        Some(manifests) => Some(resolve(session, manifests, content, observer).await?),
        None => None,
    };
    let age = SnapshotAge::now();
    let checked = check(session, options, desired.as_ref(), observer).await?;
    let CheckedPlanFile { plan, settled } = checked;
    approver.show(Proposal::PlanFile(file, &plan)).await?;
    if content.targets.is_empty() && plan.new_marks() == 0 {
        return Ok(AppliedPlanFile { plan, run: None });
    }
    let approved = match ApprovedPlan::new(&plan, Vec::new()) {
        Ok(approved) => approved,
        Err(NotApproved::Guards(_)) => return Err(Error::PlanFileGuards(Box::new(plan))),
        Err(NotApproved::Faulty(_)) => return Err(Error::FaultyPlan),
    };
    observer.begin_writing()?;
    run::probe(&locked).await?;
    consume(&mut locked, file.id).await?;
    let approved_run = ApprovedRun {
        approved,
        prior_outcomes: &settled,
        header: RunHeader {
            ledger: ledger_of(&apply_options.plan, &plan),
            ..header(session, content, &plan)
        },
        plan_file: bytes.to_vec(),
        age,
        files,
    };
    let finished = approved_run.execute(session, &mut locked, observer).await?;
    Ok(AppliedPlanFile { plan, run: Some(finished) })
}

/// Marks a plan file as used.
pub(super) async fn consume(locked: &mut WriteGuard, plan: Digest) -> Result<(), Error> {
    locked.consume_plan(plan).await.map_err(|error| match error {
        ConsumePlanError::AlreadyUsed(_) => Error::Consumed(error),
        ConsumePlanError::Store(error) => Error::Store(error),
    })
}

fn header(session: &Session, content: &PlanFileContent, plan: &Plan) -> RunHeader {
    let planned = |target: &PlanFileTarget| PlannedCard {
        key: target.key,
        digest: content.digest_of(target.key),
        generation: target.generation.clone(),
    };
    let targets = content.targets.iter().map(planned).collect();
    let reasons = content.manifests.iter();
    RunHeader {
        manifest: Some(content.manifest),
        commit: content.commit.clone(),
        reasons: reasons.map(|manifest| (manifest.name.clone(), manifest.reason.clone())).collect(),
        ..run::header(session, RunPurpose::Apply, plan.trust, targets)
    }
}

/// Resolves the manifests beside a plan file. What the portal has no more is selected by none of
/// them.
async fn resolve(
    session: &Session,
    manifests: ManifestSet<'_>,
    content: &PlanFileContent,
    observer: &impl Observer,
) -> Result<DesiredState, Error> {
    let resolved = engine::resolve_existing(
        &session.portal.reader(),
        manifests.declaration,
        session.caller.portal_admin,
    )
    .await;
    let Resolution { mut desired, warnings, employees: _, labels: _ } =
        resolved.map_err(|error| Error::Portal(Phase::Lookup, error))?;
    if warnings.iter().any(|found| found.is_error() && !Drift::is_dismissed(found)) {
        return Err(Error::Manifests(warnings));
    }
    observer.warn(Warning::Manifests(warnings));
    desired.guards.lower(content.limits.max_users);
    Ok(desired)
}

/// Reads every target again, and finds out what of the reviewed plan may still be done.
async fn check(
    session: &Session,
    PlanFileOptions { file: PlanFile { content, .. }, files, options, .. }: PlanFileOptions<'_>,
    manifests: Option<&DesiredState>,
    observer: &impl Observer,
) -> Result<CheckedPlanFile, Error> {
    let people = engine::look_up(&session.portal.reader(), engine::reviewed_people(content))
        .await
        .map_err(|error| Error::Portal(Phase::People, error))?;
    let mut desired = engine::reviewed_targets(content, &people, manifests);
    let present = match manifests {
        Some(manifests) => manifests.kinds.clone(),
        None => engine::present_kinds(&session.portal.reader(), content)
            .await
            .map_err(|error| Error::Portal(Phase::Lookup, error))?,
    };
    let renamed = engine::renamed_kinds(content, &present);
    if !renamed.is_empty() {
        let kinds = renamed.iter().copied().collect();
        observer.warn(Warning::RenamedKinds(kinds, content.kinds.clone(), present.clone()));
    }
    let people_renamed = engine::renamed_people(content, &people);
    if !people_renamed.is_empty() {
        observer.warn(Warning::RenamedPeople(people_renamed));
    }
    let named = desired.targets.iter().map(|target| target.key.kind).collect();
    desired.kinds.update(present.narrowed(&named));
    let keys: Vec<CardKey> = desired.targets.iter().map(|target| target.key).collect();
    let snapshot = read_cards(session, &keys, observer).await?;
    let selected = manifests.map_or_else(|| content.selected.clone(), DesiredState::selected);
    let is_blind = |target: &PlanFileTarget| target.removal == PlannedRemoval::Unread;
    let policy = Policy {
        blind: if content.targets.iter().any(is_blind) {
            BlindReset::Allowed
        } else {
            BlindReset::Never
        },
        ledger: read_ledger(&session.store, options.plan.ledger.as_deref()).await?,
        previous_selections: previous_selections(&session.store, files, &selected).await?,
    };
    let now = plan::plan(&desired, &snapshot, &policy);
    verify(&desired, &snapshot, &policy, &now)?;
    let CheckedPlanFile { plan, settled } =
        engine::check_plan_file(content, &people, &renamed, manifests, now);
    let plan = with_employees(session, plan, None).await?;
    // Whatever is about to be reset stands in the file, with the very layout.
    let allowed: BTreeSet<_> =
        content.targets.iter().map(|target| (target.key, target.removal)).collect();
    for target in plan.resets() {
        let removal = match target.decision.layout() {
            Some(layout) => PlannedRemoval::Layout(layout.digest()),
            None => PlannedRemoval::Unread,
        };
        if !allowed.contains(&(target.key, removal)) {
            return Err(Error::NotReviewed(target.key));
        }
    }
    Ok(CheckedPlanFile { plan, settled })
}
