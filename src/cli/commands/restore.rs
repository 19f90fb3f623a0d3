//! `recard restore`: puts back what a run removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::cli::args::{Global, Lead, RestoreArguments};
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
use crate::engine::{self, NewerLayouts, RestoreDecision, RestorePlan, RestoreTarget};
use crate::language::Text;
use crate::model::{CardKey, LeadCustomerType, PersonName, RunId, UserId};
use crate::plan::diff::diff;
use crate::port::{Archive as _, RunPurpose};
use crate::report::{Held, NAME_WIDTH, Purpose, SettledRun, Subject, column_width, fitted, visible};
use crate::store::Locked;

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
    let users = users(arguments)?;
    let address = Address::find(global, Need::Write).await?;
    let session = address.connect(global, ui, interrupt).await?;
    let mut locked = running::lock(ui, global, &session, "restore").await?;
    running::refuse_unfinished(&session)?;
    let outcome = restore(outputs, arguments, &users, interrupt, &session, &mut locked).await;
    drop(locked);
    session.close(ui)?;
    outcome
}

fn users(arguments: &RestoreArguments) -> Result<BTreeSet<UserId>, Failure> {
    let user = |id: &u64| {
        UserId::new(*id).map_err(|problem| Failure::new(exit::USAGE, tr!("--user {id}: {problem}", id, problem)))
    };
    arguments.which.user.iter().map(user).collect()
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
    let of = session.store.find_run(&arguments.run)?;
    let records = session.store.journal(&of)?;
    let keys: Vec<CardKey> =
        engine::restorable(&records)?.into_iter().filter(|key| is_wanted(arguments, users, *key)).collect();
    let progress = Progress::new(ui, session.forecast());
    let snapshot = engine::observe(&session.portal.reader(), &session.caller, &keys, &progress).await;
    progress.finish();
    let snapshot = snapshot.map_err(|problem| Failure::from(problem).while_doing(tr!("cannot read the cards")))?;
    let newer = if arguments.overwrite_newer { NewerLayouts::Overwrite } else { NewerLayouts::Keep };
    let plan = engine::plan_restore(&of, &records, &session.store, &snapshot, newer)?;

    let actions = u32::try_from(plan.actions().count()).unwrap_or(u32::MAX);
    let names = names::of_cards(session, &of, &keys).await;
    outputs.preview_text(&text(&of, &plan, &names, arguments))?;
    let settled =
        SettledRun { held: held(&plan), names: Some(&names), ..SettledRun::not_begun(snapshot.portal.as_str()) };
    let kept_back = !settled.held.is_empty();
    if actions == 0 {
        outputs.write(Subject::Run(&settled))?;
        return Ok(if kept_back { exit::PARTIAL } else { exit::DONE });
    }
    let question =
        tr!("Write {n} card on {portal}?" | "Write {n} cards on {portal}?" % actions, portal = snapshot.portal);
    running::approve(ui, interrupt, Approval::of(arguments.auto_approve), &question).await?;
    running::probe(locked)?;
    let header = running::header(session, RunPurpose::Restore(of), plan.planned_cards());
    let run = running::new_run(locked)?;
    let mut log = locked.start_run(run.clone(), header)?;
    let progress = Progress::new(ui, session.forecast());
    let writer = session.portal.writer();
    let restored = engine::restore(&writer, &mut log, &plan, interrupt.signal(), &progress).await;
    progress.finish();
    drop(log);
    running::keep_report(ui, session, locked, &run);
    let (report, failure) = match restored {
        Ok(report) => (report, None),
        Err(problem) => (problem.report().clone(), Some(Failure::from(problem))),
    };
    let settled =
        SettledRun { run: Some(&report.run), targets: &report.targets, stopped: report.stopped.as_deref(), ..settled };
    outputs.write(Subject::Run(&settled))?;
    match failure {
        Some(failure) => Err(failure),
        None if kept_back => Ok(exit::PARTIAL),
        None => Ok(running::exit_code(&report)),
    }
}

fn is_wanted(arguments: &RestoreArguments, users: &BTreeSet<UserId>, key: CardKey) -> bool {
    let which = &arguments.which;
    let lead = match which.lead {
        None => true,
        Some(Lead::Simple) => key.lead == LeadCustomerType::Simple,
        Some(Lead::Repeat) => key.lead == LeadCustomerType::Repeat,
    };
    // A kind of lead alone means everybody's cards of that kind.
    let everything = which.all || (users.is_empty() && !which.common);
    let whose = match key.user() {
        None => which.common,
        Some(user) => users.contains(&user),
    };
    lead && (everything || whose)
}

/// What is not put back although it was asked for.
fn held(plan: &RestorePlan) -> Vec<Held> {
    let held = |target: &RestoreTarget| {
        let reason = match &target.decision {
            RestoreDecision::NewerKept(_) => "newer-kept",
            RestoreDecision::Unreadable(_) => "unreadable",
            RestoreDecision::NoBackup => "no-backup",
            RestoreDecision::BackupUnusable(_) => "backup-unusable",
            RestoreDecision::PutBack { .. } | RestoreDecision::Remove(_) | RestoreDecision::AsBefore => return None,
        };
        Some(Held { key: target.key, reason, text: words(&target.decision).1 })
    };
    plan.targets.iter().filter_map(held).collect()
}

fn text(of: &RunId, plan: &RestorePlan, names: &BTreeMap<UserId, PersonName>, arguments: &RestoreArguments) -> String {
    let mut text = format!("{}\n\n", tr!("Restore of the run {of}", of));
    let name = |key: CardKey| key.user().and_then(|user| names.get(&user)).map_or("", PersonName::as_str);
    let width = plan.targets.iter().map(|target| target.key.to_string().len()).max().unwrap_or(0);
    let name_width = column_width(plan.targets.iter().map(|target| name(target.key)), NAME_WIDTH);
    let length = |target: &RestoreTarget| words(&target.decision).0.chars().count();
    let words_width = plan.targets.iter().map(length).max().unwrap_or(0).max(5);
    for target in &plan.targets {
        let key = target.key.to_string();
        let (word, what) = words(&target.decision);
        let _ = write!(text, "{word:<words_width$}  {key:<width$}  ");
        if name_width > 0 {
            let _ = write!(text, "{:<name_width$}  ", fitted(&visible(name(target.key)), name_width));
        }
        let _ = writeln!(text, "{what}");
        if arguments.shown.detail
            && let RestoreDecision::PutBack { wanted, over } = &target.decision
        {
            for line in diff(over.as_ref(), Some(wanted)) {
                let _ = writeln!(text, "       {}{}", line.change.sign(), line.text);
            }
        }
    }
    if plan.actions().next().is_none() {
        let _ = writeln!(text, "{}", tr!("Nothing to put back."));
    } else {
        text.push('\n');
    }
    text
}

/// A decision in a word, and why.
fn words(decision: &RestoreDecision) -> (Text, Text) {
    match decision {
        RestoreDecision::PutBack { wanted, over: None } => {
            let sections = tr!("{n} section" | "{n} sections" % wanted.sections());
            let fields = tr!("{n} field" | "{n} fields" % wanted.fields());
            (tr!("put"), tr!("puts back {sections}, {fields}", sections, fields))
        }
        RestoreDecision::PutBack { over: Some(_), .. } => {
            (tr!("put"), tr!("overwrites a newer layout, which is backed up first"))
        }
        RestoreDecision::Remove(_) => (tr!("reset"), tr!("was at its default before the run")),
        RestoreDecision::AsBefore => (tr!("keep"), tr!("is as before the run")),
        RestoreDecision::NewerKept(_) => (tr!("hold"), tr!("holds a newer layout; --overwrite-newer would replace it")),
        RestoreDecision::Unreadable(_) => (tr!("hold"), tr!("cannot be read, or the read cannot be believed")),
        RestoreDecision::NoBackup => (tr!("hold"), tr!("was reset without a backup")),
        RestoreDecision::BackupUnusable(problem) => (tr!("hold"), tr!("its backup cannot be used: {problem}", problem)),
    }
}
