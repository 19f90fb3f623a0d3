//! `recard restore`: puts back what a run removed.

use std::collections::BTreeSet;

use crate::cli::args::{Global, Lead, RestoreArguments, Which};
use crate::cli::environment::Need;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::names;
use crate::cli::output::Outputs;
use crate::cli::progress::Progress;
use crate::cli::running::{self, Approval};
use crate::cli::session::{Address, Session};
use crate::cli::ui::Ui;
use crate::engine::{self, ExecuteOptions, Freshness, MendedJournal, NewerLayouts};
use crate::model::{CardKey, Identity, RunId, UserId};
use crate::port::{JournalRecord, Lost, RunPurpose};
use crate::report::{Held, Purpose, RestoreText, SettledRun, Subject, visible};
use crate::store::Locked;

/// An error lists so many people of a run.
const MOST_LISTED: usize = 20;

/// Plans the restore, shows it, asks, and carries it out.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &Global,
    arguments: &RestoreArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let outputs = Outputs::showing(ui, Purpose::Restore, &arguments.shown)?.with_every_target();
    outputs.finish(with(&outputs, global, arguments, interrupt).await)
}

/// Restores into outputs that were opened.
pub(in crate::cli) async fn with(
    outputs: &Outputs<'_>,
    global: &Global,
    arguments: &RestoreArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let ui = outputs.ui;
    let users = arguments.which.user.iter().copied().collect();
    let address = Address::find(global, Need::Write, interrupt).await?;
    let session = address.connect(global, ui, interrupt).await?;
    let work = async |session: &Session| {
        let mut locked = running::lock(ui, global, session, "restore").await?;
        running::refuse_unfinished(session)?;
        restore(outputs, arguments, &users, interrupt, session, &mut locked).await
    };
    session.during(ui, work).await
}

async fn restore(
    outputs: &Outputs<'_>,
    arguments: &RestoreArguments,
    users: &BTreeSet<UserId>,
    interrupt: &Interrupt,
    session: &Session,
    locked: &mut Locked,
) -> Result<u8, Failure> {
    let ui = outputs.ui;
    let of = chosen(session, &arguments.run)?;
    let (salvaged, MendedJournal { records, unplanned, .. }) = running::salvage(ui, session, &of)?;
    running::go_on_over_damage(ui, locked)?;
    refuse_strangers(session, &of, &records, &arguments.which)?;
    let mut keys = engine::restorable(&records)?;
    keys.retain(|key| is_wanted(arguments, users, *key) && !unplanned.contains(key));
    let freshness = Freshness::now();
    let progress = Progress::new(ui, session.forecast());
    let release_sign = session.caller.release_sign.or_earlier(engine::evidence_of_run(&records));
    let caller = Identity { release_sign, ..session.caller.clone() };
    let snapshot = engine::observe(&session.portal.reader(), &caller, &keys, &progress).await;
    progress.finish();
    let snapshot = snapshot
        .map_err(|problem| Failure::from(problem).while_doing(tr!("cannot read the cards")))?;
    session.keep_proof(ui, snapshot.trust);
    let newer =
        if arguments.overwrite_newer { NewerLayouts::Overwrite } else { NewerLayouts::Keep };
    let plan = engine::plan_restore(&of, &records, &session.store, &snapshot, newer)?;

    let actions = u32::try_from(plan.actions().count()).unwrap_or(u32::MAX);
    let names = names::of_cards(session, &of, &keys).await;
    let content = outputs.options().content;
    outputs.preview_text(&RestoreText { plan: &plan, names: &names, content }.to_string())?;
    let settled = SettledRun {
        held: Held::of_restore(&plan),
        names: Some(&names),
        ..SettledRun::not_begun(snapshot.portal.as_str())
    };
    let kept_back = !settled.held.is_empty() || salvaged.lost == Lost::Lines;
    if actions == 0 {
        outputs.write(Subject::Run(&settled))?;
        return Ok(if kept_back { exit::PARTIAL } else { exit::DONE });
    }
    let question = tr!(
        "Write {n} card on {portal}?" | "Write {n} cards on {portal}?" % actions,
        portal = snapshot.portal
    );
    running::approve(ui, interrupt, Approval::of(arguments.auto_approve), &question).await?;
    // A person may have taken their time for the answer.
    let freshness = if arguments.auto_approve { freshness } else { Freshness::ReadAgain };
    let options = ExecuteOptions::new(freshness);
    session.begin_writing()?;
    running::probe(locked)?;
    let header =
        running::header(session, RunPurpose::Restore(of), snapshot.trust, plan.planned_cards());
    let run = running::new_run(locked)?;
    let mut log = locked.start_run(run.clone(), header)?;
    let progress = Progress::new(ui, session.forecast());
    let writer = session.portal.writer();
    let restored =
        engine::restore(&writer, &mut log, &plan, options, interrupt.signal(), &progress).await;
    progress.finish();
    drop(log);
    running::keep_report(ui, session, locked, &run);
    let (report, failure) = match restored {
        Ok(report) => (report, None),
        Err(problem) => (problem.report().clone(), Some(Failure::from(problem))),
    };
    let settled = SettledRun {
        run: Some(&report.run),
        targets: &report.targets,
        stopped: report.stopped.as_deref(),
        ..settled
    };
    running::report(outputs, session, &settled, failure)?;
    Ok(if kept_back { exit::PARTIAL } else { running::exit_code(&report) })
}

/// Finds the run that a text names. `last` is the newest apply that sent a write, whatever was
/// restored since: a restore is undone by its name. A damaged journal counts as far as it is whole;
/// lost lines may have held a write.
fn chosen(session: &Session, text: &str) -> Result<RunId, Failure> {
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
        if is_apply && (salvaged.lost == Lost::Lines || salvaged.records.iter().any(is_intent)) {
            return Ok(run);
        }
    }
    Err(Failure::error(tr!("no apply in the store has changed a card"))
        .hint(tr!("a restore is undone by its name: `recard history` lists the runs of the store")))
}

/// Refuses a selection that the run has no card for, and lists the people whose cards it has: a
/// mistyped id must not end with "nothing to put back".
fn refuse_strangers(
    session: &Session,
    run: &RunId,
    records: &[JournalRecord],
    which: &Which,
) -> Result<(), Failure> {
    let mut cards: BTreeSet<CardKey> = engine::restorable(records)?.into_iter().collect();
    if let Some(JournalRecord::Opened(header)) = records.first() {
        cards.extend(header.targets.iter().map(|target| target.key));
    }
    let has = |whose: Option<UserId>, lead: Option<Lead>| {
        cards.iter().any(|key| key.user() == whose && lead.is_none_or(|lead| lead.fits(*key)))
    };
    let of_kind = |lead: Lead| cards.iter().any(|key| lead.fits(*key));
    let missing = if let Some(user) = which.user.iter().find(|user| !has(Some(**user), None)) {
        tr!("user {user} is not in the run {run}", user, run)
    } else if which.common && !has(None, None) {
        tr!("the run {run} has no common card", run)
    } else if let Some(lead) = which.lead.filter(|lead| !of_kind(*lead)) {
        tr!("the run {run} has no card for {} leads", lead.word(), run)
    } else if let Some(user) = which.user.iter().find(|user| !has(Some(**user), which.lead)) {
        tr!("user {user} has no card for these leads in the run {run}", user, run)
    } else {
        return Ok(());
    };
    let people: BTreeSet<UserId> = cards.iter().filter_map(|key| key.user()).collect();
    if people.is_empty() {
        return Err(Failure::error(missing).hint(tr!("the run has common cards only")));
    }
    let names = names::of_run(&session.store, run);
    let named = |user: &UserId| match names.get(user) {
        Some(name) => format!("{user} {}", visible(name.as_str())),
        None => user.to_string(),
    };
    let listed = people.iter().take(MOST_LISTED).map(named).collect::<Vec<_>>().join(", ");
    let hint = match people.len().checked_sub(MOST_LISTED) {
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
    Err(Failure::error(missing).hint(hint))
}

fn is_wanted(arguments: &RestoreArguments, users: &BTreeSet<UserId>, key: CardKey) -> bool {
    let which = &arguments.which;
    let lead = match which.lead {
        None => true,
        Some(lead) => lead.fits(key),
    };
    // A kind of lead alone means everybody's cards of that kind.
    let everything = which.all || (users.is_empty() && !which.common);
    let whose = match key.user() {
        None => which.common,
        Some(user) => users.contains(&user),
    };
    lead && (everything || whose)
}
