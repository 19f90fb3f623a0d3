//! `recard restore`: puts back what a run removed.

use std::collections::BTreeSet;

use crate::cli::args::{GlobalArgs, LeadType, RestoreArgs, TargetFilter};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::output::Outputs;
use crate::cli::person_names;
use crate::cli::progress::ProgressReporter;
use crate::cli::run_lifecycle::{self, Approval};
use crate::cli::session::{PortalEndpoint, Session};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::engine::{self, ExecuteOptions, MendedJournal, NewerLayouts, SnapshotAge};
use crate::model::{CardKey, Identity, RunId, UserId};
use crate::ports::{JournalLoss, JournalRecord, RunPurpose};
use crate::report::{HeldTarget, Purpose, ReportedRun, RestoreText, Subject, visible};
use crate::store::WriteGuard;

/// An error lists so many people of a run.
const MAX_LISTED: usize = 20;

/// Plans the restore, shows it, asks, and carries it out.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &RestoreArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let outputs =
        Outputs::open_for_plan(ui, Purpose::Restore, &arguments.view)?.with_every_target();
    outputs.finish(run_with(&outputs, global, arguments, interrupt).await)
}

/// Restores into outputs that were opened.
pub(in crate::cli) async fn run_with(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &RestoreArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let ui = outputs.ui;
    let users = arguments.filter.user.iter().copied().collect();
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Write, interrupt).await?;
    let session = endpoint.connect(global, ui, interrupt).await?;
    let work = async |session: &Session| {
        let mut locked = run_lifecycle::lock(ui, global, session, "restore").await?;
        run_lifecycle::refuse_unfinished(session)?;
        restore(outputs, arguments, &users, interrupt, session, &mut locked).await
    };
    session.run_and_close(ui, work).await
}

async fn restore(
    outputs: &Outputs<'_>,
    arguments: &RestoreArgs,
    users: &BTreeSet<UserId>,
    interrupt: &Interrupt,
    session: &Session,
    locked: &mut WriteGuard,
) -> Result<u8, CliError> {
    let ui = outputs.ui;
    let of = chosen(session, &arguments.run)?;
    let (salvaged, MendedJournal { records, unplanned, .. }) =
        run_lifecycle::salvage(ui, session, &of)?;
    run_lifecycle::continue_over_damage(ui, locked)?;
    refuse_unknown_targets(session, &of, &records, &arguments.filter)?;
    let mut keys = engine::restorable(&records)?;
    keys.retain(|key| is_wanted(arguments, users, *key) && !unplanned.contains(key));
    let snapshot_age = SnapshotAge::now();
    let progress = ProgressReporter::new(ui, session.duration_estimator());
    let release_sign = session.caller.release_sign.or_earlier(engine::evidence_of_run(&records));
    let caller = Identity { release_sign, ..session.caller.clone() };
    let snapshot = engine::observe(&session.portal.reader(), &caller, &keys, &progress).await;
    progress.finish();
    let snapshot = snapshot
        .map_err(|problem| CliError::from(problem).context(tr!("cannot read the cards")))?;
    session.keep_proof(ui, snapshot.trust);
    let newer =
        if arguments.overwrite_newer { NewerLayouts::Overwrite } else { NewerLayouts::Keep };
    let plan = engine::plan_restore(&of, &records, &session.store, &snapshot, newer)?;

    let actions = u32::try_from(plan.actions().count()).unwrap_or(u32::MAX);
    let names = person_names::for_cards(session, &of, &keys).await;
    let content = outputs.options().content;
    outputs.preview_text(&RestoreText { plan: &plan, names: &names, content }.to_string())?;
    let settled = ReportedRun {
        held: HeldTarget::from_restore_plan(&plan),
        names: Some(&names),
        ..ReportedRun::not_begun(snapshot.portal.as_str())
    };
    let kept_back = !settled.held.is_empty() || salvaged.lost == JournalLoss::Lines;
    if actions == 0 {
        outputs.write(Subject::Run(&settled))?;
        return Ok(if kept_back { exit::PARTIAL } else { exit::DONE });
    }
    let question = tr!(
        "Write {n} card on {portal}?" | "Write {n} cards on {portal}?" % actions,
        portal = snapshot.portal
    );
    run_lifecycle::approve(ui, interrupt, Approval::from_flag(arguments.auto_approve), &question)
        .await?;
    // A person may have taken their time for the answer.
    let snapshot_age = if arguments.auto_approve { snapshot_age } else { SnapshotAge::ReadAgain };
    let options = ExecuteOptions::new(snapshot_age);
    session.begin_writing()?;
    run_lifecycle::probe(locked)?;
    let header = run_lifecycle::header(
        session,
        RunPurpose::Restore(of),
        snapshot.trust,
        plan.planned_cards(),
    );
    let run = run_lifecycle::new_run_id(locked)?;
    let mut log = locked.start_run(run.clone(), header)?;
    let progress = ProgressReporter::new(ui, session.duration_estimator());
    let writer = session.portal.writer();
    let restored =
        engine::restore(&writer, &mut log, &plan, options, interrupt.signal(), &progress).await;
    progress.finish();
    drop(log);
    run_lifecycle::save_report(ui, session, locked, &run);
    let (report, failure) = match restored {
        Ok(report) => (report, None),
        Err(problem) => (problem.report().clone(), Some(CliError::from(problem))),
    };
    let settled = ReportedRun {
        run: Some(&report.run),
        targets: &report.targets,
        stopped: report.stopped.as_deref(),
        ..settled
    };
    run_lifecycle::write_report(outputs, session, &settled, failure)?;
    Ok(if kept_back { exit::PARTIAL } else { run_lifecycle::exit_code(&report) })
}

/// Finds the run that a text names. `last` is the newest apply that sent a write, whatever was
/// restored since: a restore is undone by its name. A damaged journal counts as far as it is whole;
/// lost lines may have held a write.
fn chosen(session: &Session, text: &str) -> Result<RunId, CliError> {
    let store = &session.store;
    if text != "last" {
        return Ok(store.find_run(text)?);
    }
    for run in store.run_ids()?.into_iter().rev() {
        let salvaged = store.salvage(&run, session.caller.user)?;
        let is_apply =
            salvaged.header.as_ref().is_none_or(|header| header.purpose == RunPurpose::Apply);
        let is_intent = |record: &JournalRecord| {
            matches!(record, JournalRecord::Intent { .. } | JournalRecord::SetIntent { .. })
        };
        if is_apply
            && (salvaged.lost == JournalLoss::Lines || salvaged.records.iter().any(is_intent))
        {
            return Ok(run);
        }
    }
    Err(CliError::general(tr!("no apply in the store has changed a card"))
        .hint(tr!("a restore is undone by its name: `recard history` lists the runs of the store")))
}

/// Refuses a selection that the run has no card for, and lists the people whose cards it has: a
/// mistyped id must not end with "nothing to put back".
fn refuse_unknown_targets(
    session: &Session,
    run: &RunId,
    records: &[JournalRecord],
    filter: &TargetFilter,
) -> Result<(), CliError> {
    let mut cards: BTreeSet<CardKey> = engine::restorable(records)?.into_iter().collect();
    if let Some(JournalRecord::Opened(header)) = records.first() {
        cards.extend(header.targets.iter().map(|target| target.key));
    }
    let has = |whose: Option<UserId>, lead: Option<LeadType>| {
        cards.iter().any(|key| key.user() == whose && lead.is_none_or(|lead| lead.fits(*key)))
    };
    let of_kind = |lead: LeadType| cards.iter().any(|key| lead.fits(*key));
    let missing = if let Some(user) = filter.user.iter().find(|user| !has(Some(**user), None)) {
        tr!("user {user} is not in the run {run}", user, run)
    } else if filter.common && !has(None, None) {
        tr!("the run {run} has no common card", run)
    } else if let Some(lead) = filter.lead.filter(|lead| !of_kind(*lead)) {
        tr!("the run {run} has no card for {} leads", lead.as_str(), run)
    } else if let Some(user) = filter.user.iter().find(|user| !has(Some(**user), filter.lead)) {
        tr!("user {user} has no card for these leads in the run {run}", user, run)
    } else {
        return Ok(());
    };
    let people: BTreeSet<UserId> = cards.iter().filter_map(|key| key.user()).collect();
    if people.is_empty() {
        return Err(CliError::general(missing).hint(tr!("the run has common cards only")));
    }
    let names = person_names::for_run(&session.store, run);
    let named = |user: &UserId| match names.get(user) {
        Some(name) => format!("{user} {}", visible(name.as_str())),
        None => user.to_string(),
    };
    let listed = people.iter().take(MAX_LISTED).map(named).collect::<Vec<_>>().join(", ");
    let hint = match people.len().checked_sub(MAX_LISTED) {
        Some(more @ 1..) => {
            tr!(
                "the run has cards of {listed}, and {more} more; `recard show {run}` lists all",
                listed,
                more,
                run
            )
        }
        Some(0) | None => tr!("the run has cards of {listed}", listed),
    };
    Err(CliError::general(missing).hint(hint))
}

fn is_wanted(arguments: &RestoreArgs, users: &BTreeSet<UserId>, key: CardKey) -> bool {
    let filter = &arguments.filter;
    let lead = match filter.lead {
        None => true,
        Some(lead) => lead.fits(key),
    };
    // A kind of lead alone means everybody's cards of that kind.
    let everything = filter.all || (users.is_empty() && !filter.common);
    let whose = match key.user() {
        None => filter.common,
        Some(user) => users.contains(&user),
    };
    lead && (everything || whose)
}
