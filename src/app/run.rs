//! Life of a run that writes: lock, checks ahead of the first request, stored report.

use super::observer::{Observer, Warning};
use super::{Error, Session};
use crate::engine::{self, MendedJournal};
use crate::i18n::Text;
use crate::model::{PortalId, ReadTrust, RunId};
use crate::ports::{
    JournalLoss, PlannedCard, ReadPortal as _, RunHeader, RunPurpose, SalvagedJournal, StoreError,
};
use crate::store::WriteGuard;

/// Takes the lock of the session's portal, waiting for it for a time.
pub(super) async fn lock(
    session: &Session,
    command: &str,
    timeout: std::time::Duration,
    observer: &impl Observer,
) -> Result<WriteGuard, Error> {
    let owner = session.origin.lock_owner(command, session.now());
    let clock = std::sync::Arc::clone(&session.clock);
    let (locked, note) = match &session.claim {
        Some(claim) => session.store.adopt(claim, owner, clock).await?,
        None => session.store.lock_waiting(owner, clock, timeout).await?,
    };
    if let Some(note) = note {
        observer.warn(Warning::Lock(note));
    }
    Ok(locked)
}

/// Returns the interrupted run, if there is one, and warns of the ended runs whose journals cannot
/// be read.
pub(super) async fn find_unfinished(
    session: &Session,
    observer: &impl Observer,
) -> Result<Option<RunId>, StoreError> {
    let mut unread = Vec::new();
    let found = session.store.find_unfinished(&mut unread).await;
    unread.into_iter().map(Warning::UnreadJournal).for_each(|warning| observer.warn(warning));
    found
}

/// Refuses to start a run after an interrupted one, or after one that may be.
pub(super) async fn refuse_unfinished(
    session: &Session,
    observer: &impl Observer,
) -> Result<(), Error> {
    let found = match find_unfinished(session, observer).await {
        Err(problem @ StoreError::Unreadable { .. }) => return Err(Error::UnreadableRun(problem)),
        found => found?,
    };
    let Some(run) = found else { return Ok(()) };
    let salvaged = session.store.salvage(&run, session.caller.user).await?;
    if let Some(header) = salvaged.header {
        refuse_other_portal(session, &run, &header.portal)?;
    }
    Err(Error::Unfinished(run))
}

/// Refuses to write for a run of another portal, in whatever folder it lies: the same id is another
/// person there.
pub(super) fn refuse_other_portal(
    session: &Session,
    run: &RunId,
    of: &PortalId,
) -> Result<(), Error> {
    let portal = session.store.portal();
    if of == portal {
        return Ok(());
    }
    Err(Error::OtherPortal { run: run.clone(), of: of.clone(), portal: portal.clone() })
}

/// Reads the journal of a run of this portal for a way back, damaged or not, and warns of what is
/// lost.
pub(super) async fn salvage(
    session: &Session,
    run: &RunId,
    observer: &impl Observer,
) -> Result<(SalvagedJournal, MendedJournal), Error> {
    let mut salvaged = session.store.salvage(run, session.caller.user).await?;
    let Some(header) = salvaged.header.take() else {
        return Err(Error::NoHeader { run: run.clone(), damage: salvaged.damage.map(Box::new) });
    };
    refuse_other_portal(session, run, &header.portal)?;
    let mended = engine::mend(header, &salvaged, &session.store).await;
    if let Some(damage) = &salvaged.damage {
        observer.warn(Warning::DamagedJournal(Text::from_display(damage)));
    }
    if salvaged.lost == JournalLoss::Lines {
        let losses = [
            (mended.doubtful.len(), Warning::LostIntents as fn(usize) -> Warning),
            (mended.unplanned.len(), Warning::LostPreImages),
            (mended.unnamed_backups, Warning::UnnamedBackups),
        ];
        for (count, warning) in losses.into_iter().filter(|(count, _)| *count > 0) {
            observer.warn(warning(count));
        }
    }
    Ok((salvaged, mended))
}

/// Continues over a damaged audit log, with a warning: a way back does not need the log.
pub(super) async fn continue_over_damage(
    locked: &mut WriteGuard,
    observer: &impl Observer,
) -> Result<(), Error> {
    if let Some(damage) = locked.accept_damaged_audit_log().await? {
        observer.warn(Warning::DamagedAudit(Text::from_display(&damage)));
    }
    Ok(())
}

/// Returns a name for a run that starts now. It sorts behind every run of the store: `last` means
/// the last one.
pub(super) async fn new_run_id(session: &Session, locked: &WriteGuard) -> Result<RunId, Error> {
    let started = session.now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let run = RunId::new(&started, rand::random());
    let run = run.map_err(|error| Error::RunName(error.to_string()))?;
    let earlier = locked.store().run_ids().await?;
    let run = match earlier.last() {
        Some(last) => run.behind(last),
        None => run,
    };
    tracing::info!(stored_run = run.as_str(), "run begun");
    Ok(run)
}

/// Returns the first record of a run's journal.
pub(super) fn header(
    session: &Session,
    purpose: RunPurpose,
    trust: ReadTrust,
    targets: Vec<PlannedCard>,
) -> RunHeader {
    RunHeader {
        purpose,
        portal: session.portal.reader().portal().clone(),
        caller: session.caller.user,
        actor: session.origin.actor.clone(),
        manifest: None,
        commit: session.origin.commit.clone(),
        ledger: None,
        reasons: Vec::new(),
        trust: trust.evidence(),
        targets,
    }
}

/// Checks ahead of the first request that the store can take backups.
pub(super) async fn probe(locked: &WriteGuard) -> Result<(), Error> {
    locked.probe().await.map_err(Error::NoBackups)
}

/// Stores the report of a run beside its journal. The journal is what counts, and a report can be
/// made from it at any time, so that a failure is worth a warning and no more.
pub(super) async fn save_report(
    session: &Session,
    locked: &mut WriteGuard,
    run: &RunId,
    observer: &impl Observer,
) {
    let saved = async {
        match session.store.summary(run).await?.into_report() {
            None => Ok(()),
            Some(report) => locked.write_run_report(&report).await,
        }
    };
    if let Err(error) = saved.await {
        observer.warn(Warning::ReportNotSaved(error));
    }
}
