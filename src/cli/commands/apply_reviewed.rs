//! `recard apply PLAN`: carries out a plan file, as it was reviewed or less of it.
//!
//! Nobody is asked: whoever passes the file has reviewed it. Before the first reset the file is
//! marked as used, so that it is carried out once, whatever becomes of this process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::args::{ApplyArguments, Global};
use crate::cli::commands::apply::{self, Undertaking};
use crate::cli::environment::Need;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Outputs;
use crate::cli::progress::Progress;
use crate::cli::session::{Address, Session};
use crate::cli::sources::{self, Manifest};
use crate::cli::ui::Ui;
use crate::cli::{exit, plan_files, planning, running};
use crate::engine::{self, Freshness, Resolution, Reviewed};
use crate::format::plan_file::{PlanFile, PlanFileContent, PlanFileTarget, PlannedRemoval};
use crate::language::Text;
use crate::model::{CardKey, DesiredState};
use crate::plan::{self, BlindReset, Drift, Policy};
use crate::port::{PlannedCard, RunHeader, RunPurpose};
use crate::report::{PlanReport, SettledRun, Subject};
use crate::store::{Locked, UsePlanError};

/// Checks the file against where it is used, and carries it out.
pub(super) async fn with(
    outputs: &Outputs<'_>,
    global: &Global,
    arguments: &ApplyArguments,
    path: &Path,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    if arguments.rules.blind_reset {
        return Err(Failure::new(
            exit::USAGE,
            tr!("a plan file says itself which cards are reset blindly"),
        )
        .hint(tr!("leave out --blind-reset here, and give it to plan")));
    }
    let plan = path.to_owned();
    let (mut file, bytes) = interrupt.beside(move || plan_files::read(&plan)).await??;
    file.content.limits.lower(arguments.rules.max_users);
    let manifest = match arguments.files.as_slice() {
        [] => None,
        files => Some(sources::load(outputs, files, interrupt).await?),
    };
    let address = Address::find(global, Need::Write, interrupt).await?;
    plan_files::check(&file.content, address.name(), manifest.as_ref())?;
    let ui = outputs.ui;
    let session = address.connect(global, ui, interrupt).await?;
    let work = async |session: &Session| {
        plan_files::check_caller(&file.content, session)?;
        let mut locked = running::lock(ui, global, session, "apply").await?;
        running::refuse_unfinished(session)?;
        running::remember(&mut locked, &arguments.rules.memory);
        if let Some(used) = session.store.used(file.id)? {
            return Err(used_before(&UsePlanError::AlreadyUsed(used)));
        }
        let manifests = match &manifest {
            Some(manifest) => Some(resolve(outputs, session, manifest, &file.content).await?),
            None => None,
        };
        let reviewing = Reviewing { file: &file, manifests: manifests.as_ref() };
        carry_out(outputs, arguments, reviewing, bytes, interrupt, session, &mut locked).await
    };
    session.during(ui, work).await
}

/// A plan file that is carried out, and what its manifests mean now, where they are given.
#[derive(Clone, Copy)]
struct Reviewing<'a> {
    file: &'a PlanFile,
    manifests: Option<&'a DesiredState>,
}

/// Returns what the manifests beside a plan file mean on the portal now. What the portal has no
/// more is selected by none of them.
async fn resolve(
    outputs: &Outputs<'_>,
    session: &Session,
    manifest: &Manifest,
    content: &PlanFileContent,
) -> Result<DesiredState, Failure> {
    let resolved = engine::resolve_existing(&session.portal.reader(), &manifest.declaration).await;
    let Resolution { mut desired, warnings, employees: _ } = resolved.map_err(|problem| {
        session
            .told(Failure::from(problem).while_doing(tr!("cannot look up people and departments")))
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

async fn carry_out(
    outputs: &Outputs<'_>,
    arguments: &ApplyArguments,
    reviewing: Reviewing<'_>,
    bytes: Vec<u8>,
    interrupt: &Interrupt,
    session: &Session,
    locked: &mut Locked,
) -> Result<u8, Failure> {
    let file = reviewing.file;
    let content = &file.content;
    let freshness = Freshness::now();
    let Reviewed { plan, settled } = review(outputs.ui, arguments, session, reviewing).await?;
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
        plan_files::moment(content.created)
    ))?;
    // Where nothing of the plan is left, the report says why.
    if plan.counts().reset > 0 || content.targets.is_empty() {
        outputs.preview(Subject::Plan(&planned_report))?;
    }
    let report = SettledRun {
        manifests: planned_report.manifests.clone(),
        plan: Some(&plan),
        ..SettledRun::not_begun(plan.portal.as_str())
    };
    let held = if content.counts.hold > 0 { exit::PARTIAL } else { exit::DONE };
    if content.targets.is_empty() && plan.new_marks() == 0 {
        outputs.write(Subject::Run(&report))?;
        return Ok(held);
    }
    let approved = apply::approved(&plan)
        .inspect_err(|_| outputs.without_stdout_text(Subject::Plan(&planned_report)))?;
    session.begin_writing()?;
    running::probe(locked)?;
    locked.use_plan(file.id).map_err(|problem| match problem {
        UsePlanError::AlreadyUsed(_) => used_before(&problem),
        UsePlanError::Store(problem) => problem.into(),
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
        ..running::header(
            session,
            RunPurpose::Apply,
            plan.trust,
            content.targets.iter().map(planned).collect(),
        )
    };
    let undertaking =
        Undertaking { approved, beforehand: &settled, header, plan_file: bytes, freshness, report };
    let files = manifest_files(content);
    let code = undertaking.carry_out(outputs, interrupt, session, locked, &files).await?;
    Ok(if code == exit::DONE { held } else { code })
}

/// Looks at every target again, and finds out what of the reviewed plan may still be done.
async fn review(
    ui: &Ui,
    arguments: &ApplyArguments,
    session: &Session,
    Reviewing { file: PlanFile { content, .. }, manifests }: Reviewing<'_>,
) -> Result<Reviewed, Failure> {
    let people = engine::look_up(&session.portal.reader(), engine::reviewed_people(content))
        .await
        .map_err(|problem| Failure::from(problem).while_doing(tr!("cannot look up people")))?;
    let desired = engine::reviewed_targets(content, &people, manifests);
    let keys: Vec<CardKey> = desired.targets.iter().map(|target| target.key).collect();
    let progress = Progress::new(ui, session.forecast());
    let snapshot =
        engine::observe(&session.portal.reader(), &session.caller, &keys, &progress).await;
    progress.finish();
    let snapshot = snapshot
        .map_err(|problem| Failure::from(problem).while_doing(tr!("cannot read the cards")))?;
    session.keep_proof(ui, snapshot.trust);
    let selected = manifests.map_or_else(|| content.selected.clone(), DesiredState::selected);
    let is_blind = |target: &PlanFileTarget| target.removal == PlannedRemoval::Unread;
    let policy = Policy {
        blind: if content.targets.iter().any(is_blind) {
            BlindReset::Allowed
        } else {
            BlindReset::Never
        },
        ledger: planning::ledger(&session.store, &arguments.rules.memory)?,
        previous_selections: planning::previous_selections(
            &session.store,
            &manifest_files(content),
            &selected,
        )?,
    };
    let now = plan::plan(&desired, &snapshot, &policy);
    planning::second_opinion(&desired, &snapshot, &policy, &now)?;
    let Reviewed { plan, settled } = engine::review(content, &people, manifests, now);
    let reviewed = Reviewed { plan: planning::with_employees(session, plan, None).await?, settled };
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
            return Err(planning::untrusted(&tr!(
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

fn used_before(problem: &UsePlanError) -> Failure {
    Failure::plan_file(Text::of(problem))
}
