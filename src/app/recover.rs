//! Recover: finds out what became of an interrupted run, and closes its journal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::observer::{Declined, Observer};
use super::{Error, Session, read_ledger, run};
use crate::engine::{self, RecoveryError, RecoveryReport};
use crate::model::RunId;
use crate::ports::{JournalLoss, JournalRecord, RunHeader};

/// Options of a recovery.
#[derive(Clone, Debug)]
pub struct RecoverOptions {
    /// The run; the unfinished one if there is none.
    pub run: Option<String>,
    /// File with the ledger of `mode: once`.
    pub ledger: Option<PathBuf>,
    /// Time for requests of the dead process that are still under way.
    pub settle_time: Duration,
    /// Time to wait for the lock of another process.
    pub lock_timeout: Duration,
}

/// End of a recovery.
#[derive(Debug)]
pub struct RecoveredRun {
    /// Outcome of every target.
    pub report: RecoveryReport,
    /// Lines of the journal are lost, so that outcomes may be missing.
    pub is_incomplete: bool,
}

/// Finds out what became of an interrupted run, and closes its journal. None if no run is
/// unfinished.
///
/// # Errors
///
/// If the run cannot be recovered.
pub async fn recover(
    session: &Session,
    options: &RecoverOptions,
    observer: &impl Observer,
) -> Result<Option<RecoveredRun>, Error> {
    let mut locked = run::lock(session, "recover", options.lock_timeout, observer).await?;
    let found = match &options.run {
        Some(text) => Some(session.store.find_run(text).await?),
        None => run::find_unfinished(session, observer).await?,
    };
    let Some(run) = found else { return Ok(None) };
    let (salvaged, mended) = run::salvage(session, &run, observer).await?;
    run::continue_over_damage(&mut locked, observer).await?;
    if let Some(JournalRecord::Opened(header)) = mended.records.first() {
        refuse_without_ledger(&run, header, salvaged.knows_ledger, options.ledger.as_deref())?;
    }
    // A ledger that cannot be read must not end the recovery when its cards are known.
    read_ledger(&session.store, options.ledger.as_deref()).await?;
    observer.begin_writing()?;
    if let Some(path) = &options.ledger {
        locked.keep_ledger_in(path);
    }
    let mut log = locked.reopen_run(&run).await?;
    let progress = observer.progress();
    let writer = session.portal.writer();
    // Before the time for late requests has passed, nothing is read or written, and the wait can be
    // dropped.
    let waits_until = Instant::now() + options.settle_time;
    let stopped_while_waiting = async {
        session.cancellation.cancelled().await;
        if Instant::now() >= waits_until {
            std::future::pending::<()>().await;
        }
    };
    let recovered = tokio::select! {
        biased;
        recovered = engine::recover(
            &writer,
            &mut log,
            &session.store,
            &mended,
            &session.caller,
            options.settle_time,
            &progress,
        ) => recovered,
        () = stopped_while_waiting => return Err(Error::Declined(Declined::Interrupted)),
    };
    drop(progress);
    drop(log);
    if !matches!(recovered, Err(RecoveryError::OtherCaller { .. })) && salvaged.damage.is_none() {
        run::save_report(session, &mut locked, &run, observer).await;
    }
    let is_incomplete = salvaged.lost == JournalLoss::Lines
        && (salvaged.damage.is_some() || !mended.doubtful.is_empty());
    Ok(Some(RecoveredRun { report: recovered?, is_incomplete }))
}

/// Refuses to recover a run without the file of its ledger: it would not be marked there that
/// mode `once` had its reset. A run with a lost header may have had one.
fn refuse_without_ledger(
    run: &RunId,
    header: &RunHeader,
    is_known: bool,
    named: Option<&Path>,
) -> Result<(), Error> {
    let marks = || header.targets.iter().any(|target| target.generation.is_some());
    let is_refused = match &header.ledger {
        Some(ledger) => named.and_then(Path::file_name) != Path::new(ledger).file_name(),
        None => !is_known && named.is_none() && marks(),
    };
    match is_refused {
        true => Err(Error::LedgerNotNamed { run: run.clone(), ledger: header.ledger.clone() }),
        false => Ok(()),
    }
}
