//! `recard apply PLAN`: carries out a plan file, as it was reviewed or less of it.
//!
//! Nobody is asked: whoever passes the file has reviewed it. Before the first reset the file is
//! marked as used, so that it is carried out once, whatever becomes of this process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::args::{ApplyArgs, GlobalArgs};
use crate::cli::commands::apply::{self, ApprovedRun};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::output::Outputs;
use crate::cli::progress::ProgressReporter;
use crate::cli::session::{PortalEndpoint, Session};
use crate::cli::signals::Interrupt;
use crate::cli::sources::{self, LoadedManifests};
use crate::cli::ui::Ui;
use crate::cli::{exit, plan_files, planning, run_lifecycle};
use crate::engine::{self, CheckedPlanFile, Resolution, SnapshotAge};
use crate::i18n::Text;
use crate::model::{CardKey, DesiredState};
use crate::plan::{self, BlindReset, Drift, Policy};
use crate::ports::{PlannedCard, RunHeader, RunPurpose};
use crate::records::plan_file::{PlanFile, PlanFileContent, PlanFileTarget, PlannedRemoval};
use crate::report::{PlanReport, ReportedRun, Subject};
use crate::store::{ConsumePlanError, WriteGuard};

/// Checks the file against where it is used, and carries it out.
pub(super) async fn run_with(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &ApplyArgs,
    path: &Path,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    if arguments.policy_args.blind_reset {
        return Err(CliError::new(
            exit::USAGE,
            tr!("a plan file says itself which cards are reset blindly"),
        )
        .hint(tr!("leave out --blind-reset here, and give it to plan")));
    }
    let plan = path.to_owned();
    let (mut file, bytes) = interrupt.run_blocking(move || plan_files::read(&plan)).await??;
    file.content.limits.lower(arguments.policy_args.max_users);
    let manifest = match arguments.files.as_slice() {
        [] => None,
        files => Some(sources::load(outputs, files, interrupt).await?),
    };
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Write, interrupt).await?;
    plan_files::check(&file.content, endpoint.name(), manifest.as_ref())?;
    let ui = outputs.ui;
    let session = endpoint.connect(global, ui, interrupt).await?;
    let work = async |session: &Session| {
        plan_files::check_caller(&file.content, session)?;
        let mut locked = run_lifecycle::lock(ui, global, session, "apply").await?;
        run_lifecycle::refuse_unfinished(session)?;
        run_lifecycle::use_ledger_file(&mut locked, &arguments.policy_args.ledger_args);
        if let Some(used) = session.store.consumed_at(file.id)? {
            return Err(already_used(&ConsumePlanError::AlreadyUsed(used)));
        }
        let manifests = match &manifest {
            Some(manifest) => Some(resolve(outputs, session, manifest, &file.content).await?),
            None => None,
        };
        let reviewing = PlanFileReview { file: &file, manifests: manifests.as_ref() };
        execute(outputs, arguments, reviewing, bytes, interrupt, session, &mut locked).await
    };
    session.run_and_close(ui, work).await
}

/// A plan file that is carried out, and what its manifests mean now, where they are given.
#[derive(Clone, Copy)]
struct PlanFileReview<'a> {
    file: &'a PlanFile,
    manifests: Option<&'a DesiredState>,
}

/// Returns what the manifests beside a plan file mean on the portal now. What the portal has no
/// more is selected by none of them.
async fn resolve(
    outputs: &Outputs<'_>,
    session: &Session,
    manifest: &LoadedManifests,
    content: &PlanFileContent,
) -> Result<DesiredState, CliError> {
    let resolved = engine::resolve_existing(&session.portal.reader(), &manifest.declaration).await;
    let Resolution { mut desired, warnings, employees: _ } = resolved.map_err(|problem| {
        session.with_webhook_hint(
            CliError::from(problem).context(tr!("cannot look up people and departments")),
        )
    })?;
    if warnings.iter().any(|found| found.is_error() && !Drift::is_gone(found)) {
        return Err(sources::refuse(
            outputs,
            &warnings,
            &manifest.sources,
            &tr!("nothing was written"),
        ));
    }
    sources::show(outputs.ui, &warnings, &manifest.sources);
    desired.guards.lower(content.limits.max_users);
    Ok(desired)
}

async fn execute(
    outputs: &Outputs<'_>,
    arguments: &ApplyArgs,
    reviewing: PlanFileReview<'_>,
    bytes: Vec<u8>,
    interrupt: &Interrupt,
    session: &Session,
    locked: &mut WriteGuard,
) -> Result<u8, CliError> {
    let file = reviewing.file;
    let content = &file.content;
    let snapshot_age = SnapshotAge::now();
    let CheckedPlanFile { plan, settled } =
        review(outputs.ui, arguments, session, reviewing).await?;
    let commits = BTreeMap::new();
    let planned_report = PlanReport {
        plan: &plan,
        caller: &session.caller,
        manifests: content
            .manifests
            .iter()
            .map(|one| (one.name.as_str(), one.reason.as_str()))
            .collect(),
        commits: &commits,
        cost: planning::cost(session, &plan),
        warnings: &[],
        drift: None,
        effective: None,
    };
    outputs.preview_text(&tr!(
        "Plan {} of {}\n",
        file.id.short(),
        plan_files::format_time(content.created)
    ))?;
    // Where nothing of the plan is left, the report says why.
    if plan.counts().reset > 0 || content.targets.is_empty() {
        outputs.preview(Subject::Plan(&planned_report))?;
    }
    let report = ReportedRun {
        manifests: planned_report.manifests.clone(),
        plan: Some(&plan),
        ..ReportedRun::not_begun(plan.portal.as_str())
    };
    let held = if content.counts.hold > 0 { exit::PARTIAL } else { exit::DONE };
    if content.targets.is_empty() && plan.new_marks() == 0 {
        outputs.write(Subject::Run(&report))?;
        return Ok(held);
    }
    let approved = apply::approved(&plan)
        .inspect_err(|_| outputs.write_after_stderr(Subject::Plan(&planned_report)))?;
    session.begin_writing()?;
    run_lifecycle::probe(locked)?;
    locked.consume_plan(file.id).map_err(|problem| match problem {
        ConsumePlanError::AlreadyUsed(_) => already_used(&problem),
        ConsumePlanError::Store(problem) => problem.into(),
    })?;
    let planned = |target: &PlanFileTarget| PlannedCard {
        key: target.key,
        digest: content.digest_of(target.key),
        generation: target.generation.clone(),
    };
    let header = RunHeader {
        manifest: Some(content.manifest),
        commit: content.commit.clone(),
        reasons: content
            .manifests
            .iter()
            .map(|one| (one.name.clone(), one.reason.clone()))
            .collect(),
        ..run_lifecycle::header(
            session,
            RunPurpose::Apply,
            plan.trust,
            content.targets.iter().map(planned).collect(),
        )
    };
    let approved_run = ApprovedRun {
        approved,
        prior_outcomes: &settled,
        header,
        plan_file: bytes,
        snapshot_age,
        report,
    };
    let files = manifest_files(content);
    let code = approved_run.execute(outputs, interrupt, session, locked, &files).await?;
    Ok(if code == exit::DONE { held } else { code })
}

/// Looks at every target again, and finds out what of the reviewed plan may still be done.
async fn review(
    ui: &Ui,
    arguments: &ApplyArgs,
    session: &Session,
    PlanFileReview { file: PlanFile { content, .. }, manifests }: PlanFileReview<'_>,
) -> Result<CheckedPlanFile, CliError> {
    let people = engine::look_up(&session.portal.reader(), engine::reviewed_people(content))
        .await
        .map_err(|problem| CliError::from(problem).context(tr!("cannot look up people")))?;
    let desired = engine::reviewed_targets(content, &people, manifests);
    let keys: Vec<CardKey> = desired.targets.iter().map(|target| target.key).collect();
    let progress = ProgressReporter::new(ui, session.duration_estimator());
    let snapshot =
        engine::observe(&session.portal.reader(), &session.caller, &keys, &progress).await;
    progress.finish();
    let snapshot = snapshot
        .map_err(|problem| CliError::from(problem).context(tr!("cannot read the cards")))?;
    session.keep_proof(ui, snapshot.trust);
    let selected = manifests.map_or_else(|| content.selected.clone(), DesiredState::selected);
    let is_blind = |target: &PlanFileTarget| target.removal == PlannedRemoval::Unread;
    let policy = Policy {
        blind: if content.targets.iter().any(is_blind) {
            BlindReset::Allowed
        } else {
            BlindReset::Never
        },
        ledger: planning::ledger(&session.store, &arguments.policy_args.ledger_args)?,
        previous_selections: planning::previous_selections(
            &session.store,
            &manifest_files(content),
            &selected,
        )?,
    };
    let now = plan::plan(&desired, &snapshot, &policy);
    planning::verify_plan(&desired, &snapshot, &policy, &now)?;
    let CheckedPlanFile { plan, settled } =
        engine::check_plan_file(content, &people, manifests, now);
    let reviewed =
        CheckedPlanFile { plan: planning::with_employees(session, plan, None).await?, settled };
    // A second opinion on the cut: whatever is about to be reset stands in the file, with the very
    // layout.
    let allowed: BTreeSet<_> =
        content.targets.iter().map(|target| (target.key, target.removal)).collect();
    for target in reviewed.plan.resets() {
        let removal = match target.decision.layout() {
            Some(layout) => PlannedRemoval::Layout(layout.digest()),
            None => PlannedRemoval::Unread,
        };
        if !allowed.contains(&(target.key, removal)) {
            return Err(planning::verification_error(&tr!(
                "{} would be reset, but was not reviewed so",
                target.key
            )));
        }
    }
    Ok(reviewed)
}

/// Returns name and file of each manifest, by which a later run knows what they selected.
fn manifest_files(content: &PlanFileContent) -> Vec<(String, String)> {
    content
        .manifests
        .iter()
        .map(|one| (one.name.clone(), sources::selection_file(&one.file)))
        .collect()
}

fn already_used(problem: &ConsumePlanError) -> CliError {
    CliError::plan_file(Text::from_display(problem))
}
