//! Restore: writes back what a run removed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::apply::age_after;
use super::observer::{Approver, Observer, Proposal};
use super::person_names::names_of_cards;
use super::{Error, FinishedRun, Phase, Session, run};
use crate::engine::{self, ExecuteOptions, MendedJournal, NewerLayouts, RestorePlan, SnapshotAge};
use crate::model::{CardKey, Identity, LeadCustomerType, PersonName, PortalId, RunId, UserId};
use crate::ports::{JournalLoss, JournalRecord, RunPurpose};

/// Filter of cards.
#[derive(Clone, Debug, Default)]
pub struct TargetFilter {
    /// All cards.
    pub all: bool,
    /// Personal cards of these people.
    pub users: BTreeSet<UserId>,
    /// Common cards.
    pub common: bool,
    /// Cards of this lead customer type alone. Without anything else, all cards of it.
    pub lead: Option<LeadCustomerType>,
}

/// Options of a restore.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// The run: its name, the start of it, or `last` for the newest apply that sent a write.
    pub run: String,
    /// Cards to be restored.
    pub filter: TargetFilter,
    /// Layouts that people saved since.
    pub newer: NewerLayouts,
    /// Time to wait for the lock of another process.
    pub lock_timeout: Duration,
}

/// End of a restore.
pub struct RestoredRun {
    /// The portal.
    pub portal: PortalId,
    /// The plan.
    pub plan: RestorePlan,
    /// Names of the people.
    pub names: std::collections::BTreeMap<UserId, PersonName>,
    /// Lines of the journal are lost, so that cards may be missing in the plan.
    pub is_incomplete: bool,
    /// The run; none if there was nothing to do.
    pub run: Option<FinishedRun>,
}

impl TargetFilter {
    /// Returns whether a card passes.
    pub fn passes(&self, key: CardKey) -> bool {
        let everything = self.all || (self.users.is_empty() && !self.common);
        let of_owner = match key.user() {
            None => self.common,
            Some(user) => self.users.contains(&user),
        };
        self.lead.is_none_or(|lead| lead == key.lead) && (everything || of_owner)
    }

    /// Returns whether each part of the filter has a card among `cards`.
    fn is_met(&self, cards: &BTreeSet<CardKey>) -> bool {
        let has = |owner: Option<UserId>, lead: Option<LeadCustomerType>| {
            cards.iter().any(|key| key.user() == owner && lead.is_none_or(|lead| lead == key.lead))
        };
        self.users.iter().all(|user| has(Some(*user), self.lead))
            && (!self.common || has(None, None))
            && self.lead.is_none_or(|lead| cards.iter().any(|key| lead == key.lead))
    }
}

/// Plans the restore, shows the plan, and executes it if the approver allows it.
///
/// # Errors
///
/// If nothing was written. What became of a run that wrote is in its end.
pub async fn restore(
    session: &Session,
    options: &RestoreOptions,
    approver: &impl Approver,
    observer: &impl Observer,
) -> Result<RestoredRun, Error> {
    let mut locked = run::lock(session, "restore", options.lock_timeout, observer).await?;
    run::refuse_unfinished(session)?;
    let of = find_run(session, &options.run)?;
    let (salvaged, mended) = run::salvage(session, &of, observer)?;
    let MendedJournal { records, unplanned, .. } = mended;
    run::continue_over_damage(&mut locked, observer)?;
    check_filter(&of, &records, &options.filter)?;
    let mut keys = engine::restorable(&records)?;
    keys.retain(|key| options.filter.passes(*key) && !unplanned.contains(key));
    let age = SnapshotAge::now();
    let release_sign = session.caller.release_sign.or_earlier(engine::evidence_of_run(&records));
    let caller = Identity { release_sign, ..session.caller.clone() };
    let progress = observer.progress();
    let read = engine::observe(&session.portal.reader(), &caller, &keys, &progress).await;
    drop(progress);
    let snapshot = read.map_err(|error| Error::Portal(Phase::ReadCards, error))?;
    session.save_proof(observer, snapshot.trust);
    let plan = engine::plan_restore(&of, &records, &session.store, &snapshot, options.newer)?;
    let mut restored = RestoredRun {
        portal: snapshot.portal.clone(),
        names: names_of_cards(session, &of, &keys).await,
        is_incomplete: salvaged.lost == JournalLoss::Lines,
        plan,
        run: None,
    };
    let proposal = Proposal::Restore(&restored.plan, &restored.names);
    approver.show(proposal).await?;
    if restored.plan.actions().next().is_none() {
        return Ok(restored);
    }
    let approval = approver.approve(proposal).await?;
    observer.begin_writing()?;
    run::probe(&locked)?;
    let targets = restored.plan.planned_cards();
    let header = run::header(session, RunPurpose::Restore(of), snapshot.trust, targets);
    let run = run::new_run_id(session, &locked)?;
    let mut log = locked.start_run(run.clone(), header)?;
    let progress = observer.progress();
    let ended = engine::restore(
        &session.portal.writer(),
        &mut log,
        &restored.plan,
        ExecuteOptions::new(age_after(approval, age)),
        &session.cancellation,
        &progress,
    )
    .await;
    drop(progress);
    drop(log);
    run::save_report(session, &mut locked, &run, observer);
    let (report, failure) = match ended {
        Ok(report) => (report, None),
        Err(failure) => (failure.report().clone(), Some(failure)),
    };
    restored.run = Some(FinishedRun { report, failure, unsaved: None });
    Ok(restored)
}

/// Finds the run that a text names. `last` is the newest apply that sent a write, whatever was
/// restored since: the undo of a restore names its run. The undamaged part of a journal counts;
/// lost lines may have held a write.
fn find_run(session: &Session, text: &str) -> Result<RunId, Error> {
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
        let may_have_written =
            salvaged.lost == JournalLoss::Lines || salvaged.records.iter().any(is_intent);
        if is_apply && may_have_written {
            return Ok(run);
        }
    }
    Err(Error::NoRun)
}

/// Refuses a filter that the run has no card for: a mistyped id must not end with nothing to do.
fn check_filter(
    run: &RunId,
    records: &[JournalRecord],
    filter: &TargetFilter,
) -> Result<(), Error> {
    let mut cards: BTreeSet<CardKey> = engine::restorable(records)?.into_iter().collect();
    if let Some(JournalRecord::Opened(header)) = records.first() {
        cards.extend(header.targets.iter().map(|target| target.key));
    }
    if filter.is_met(&cards) {
        return Ok(());
    }
    Err(Error::Filter { run: run.clone(), cards: cards.into_iter().collect() })
}
