//! Plan of a restore: what it would do with each card. Reads only, by type, and takes no lock.

use std::collections::BTreeSet;

use super::observer::Observer;
use super::person_names::names_of_cards;
use super::planned_restore::PlannedRestoreRun;
use super::restore_filter::TargetFilter;
use super::{Error, Phase, Session, run};
use crate::engine::{self, MendedJournal, NewerLayouts, SnapshotAge};
use crate::model::{CardKey, Identity, RunId};
use crate::ports::{JournalLoss, JournalRecord, RunPurpose};

/// Run that is restored, and the cards of it.
#[derive(Clone, Debug)]
pub struct RestoreSelection {
    /// The run: its name, the start of it, or `last` for the newest apply that sent a write.
    pub run: String,
    /// Cards to be restored.
    pub filter: TargetFilter,
    /// Layouts that people saved since.
    pub newer: NewerLayouts,
}

/// Reads the cards of a run that a restore would write, and plans it.
///
/// # Errors
///
/// If a run was cut before its end, the store or the portal cannot be read, or the filter selects a
/// card that the run does not have.
pub async fn plan_restore(
    session: &Session,
    selection: &RestoreSelection,
    observer: &impl Observer,
) -> Result<PlannedRestoreRun, Error> {
    run::refuse_unfinished(session, observer).await?;
    let of = find_run(session, &selection.run).await?;
    let (salvaged, mended) = run::salvage(session, &of, observer).await?;
    let MendedJournal { records, unplanned, .. } = mended;
    let filter = selection.filter.resolve(session, &of, &cards_of_run(&records)?).await?;
    let mut keys = engine::restorable(&records)?;
    keys.retain(|key| filter.passes(*key) && !unplanned.contains(key));
    let age = SnapshotAge::now();
    let release_sign = session.caller.release_sign.or_earlier(engine::evidence_of_run(&records));
    let caller = Identity { release_sign, ..session.caller.clone() };
    let progress = observer.progress();
    let read = engine::observe(&session.portal.reader(), &caller, &keys, &progress).await;
    drop(progress);
    let snapshot = read.map_err(|error| Error::Portal(Phase::ReadCards, error))?;
    session.save_proof(observer, snapshot.trust).await;
    let plan =
        engine::plan_restore(&of, &records, &session.store, &snapshot, selection.newer).await?;
    Ok(PlannedRestoreRun {
        portal: snapshot.portal.clone(),
        names: names_of_cards(session, &of, &keys).await,
        is_incomplete: salvaged.lost == JournalLoss::Lines,
        plan,
        age,
    })
}

/// Finds the run that a text names. `last` is the newest apply that sent a write, whatever was
/// restored since: the undo of a restore names its run. The undamaged part of a journal counts;
/// lost lines may have held a write.
async fn find_run(session: &Session, text: &str) -> Result<RunId, Error> {
    let store = &session.store;
    if text != "last" {
        return Ok(store.find_run(text).await?);
    }
    for run in store.run_ids().await?.into_iter().rev() {
        let salvaged = store.salvage(&run, session.caller.user).await?;
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

/// Returns the cards of a run: those that it planned, and those that it changed.
fn cards_of_run(records: &[JournalRecord]) -> Result<BTreeSet<CardKey>, Error> {
    let mut cards: BTreeSet<CardKey> = engine::restorable(records)?.into_iter().collect();
    if let Some(JournalRecord::Opened(header)) = records.first() {
        cards.extend(header.targets.iter().map(|target| target.key));
    }
    Ok(cards)
}
