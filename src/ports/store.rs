//! Port of the store: backups and the journal of a run, records of earlier runs, and the errors.
//!
//! A [`RunLog`] exists only while the lock of its portal is held.

use std::future::Future;

use thiserror::Error;

use crate::i18n::Text;
use crate::model::{
    CardKey, Digest, Generation, Layout, LedgerEntry, Outcome, PortalId, RunId, TrustEvidence,
    UserId,
};

/// Line of a run's journal: an intent or an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalRecord {
    /// The run starts. No write was sent yet.
    Opened(RunHeader),
    /// A request is about to leave that may reset these targets. Each has a synced backup with the
    /// digest, unless the reset is blind.
    Intent {
        /// The targets and the digests of their backups.
        targets: Vec<(CardKey, Option<Digest>)>,
    },
    /// A `set` is about to leave.
    SetIntent {
        /// The target.
        target: CardKey,
        /// The digest of the layout in the request; a backup with it is synced.
        digest: Digest,
        /// The reason for the `set`.
        purpose: SetPurpose,
    },
    /// A target has its outcome.
    Completed {
        /// The target.
        target: CardKey,
        /// The outcome.
        outcome: Outcome,
    },
    /// The run is over; every planned target has an outcome.
    Closed {
        /// The end of the run: regular or interrupted.
        interrupted: Interrupted,
    },
}

/// Reason for a `set` in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetPurpose {
    /// The plan of a restore.
    Planned,
    /// Compensation of a lost update: a write of this run met a layout that the person had saved
    /// since. It is stored again, or only kept if another layout stands there now.
    Compensation,
}

/// Way in which a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// The run finished.
    No,
    /// A signal, a deadline or a fatal error ended it.
    Yes,
}

/// Header of a run; the first record of its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunHeader {
    /// The purpose of the run.
    pub purpose: RunPurpose,
    /// The portal.
    pub portal: PortalId,
    /// The caller.
    pub caller: UserId,
    /// The person or pipeline that started it, from the environment; may be empty.
    pub actor: String,
    /// The digest of the manifests' meaning; `None` for a restore.
    pub manifest: Option<Digest>,
    /// The commit of the manifests, if it is known.
    pub commit: Option<String>,
    /// The file with the ledger of `mode: once`, as it was named, if the run marks resets there.
    pub ledger: Option<String>,
    /// The names and reasons of the manifests.
    pub reasons: Vec<(String, String)>,
    /// The evidence that reads of other people's cards could be trusted when the run was planned.
    /// `None` if there was none, or an older recard wrote the run.
    pub trust: Option<TrustEvidence>,
    /// Every target of the run, with its planned digest.
    pub targets: Vec<PlannedCard>,
}

/// Target of a run, as it was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCard {
    /// The card.
    pub key: CardKey,
    /// The digest of its layout when planned; `None` for a blind reset, or a restore of an empty
    /// card.
    pub digest: Option<Digest>,
    /// The once key of the reset, in mode `once`.
    pub generation: Option<Generation>,
}

/// Purpose of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunPurpose {
    /// Resets the targets of a plan.
    Apply,
    /// Restores the layouts that another run removed.
    Restore(RunId),
}

/// Journal and backups of one run. Exists only while the lock of its portal is held.
pub trait RunLog: Send {
    /// Returns the id of the run.
    fn run(&self) -> &RunId;

    /// Writes backups and syncs them. When it returns, they survive a crash.
    fn save_backups(
        &mut self,
        cards: &[(CardKey, &Layout)],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Appends records to the journal and syncs it. When it returns, they survive a crash.
    fn append(
        &mut self,
        records: &[JournalRecord],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Appends records to the journal without a sync, for facts that can be read again. They
    /// survive the end of the process; they survive a crash of the system only after the next
    /// [append](Self::append) or [sync](Self::sync).
    fn append_unsynced(
        &mut self,
        records: &[JournalRecord],
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.append(records)
    }

    /// Syncs the records that were appended without a sync.
    fn sync(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { Ok(()) }
    }

    /// Marks targets of `mode: once` as reset, and syncs.
    ///
    /// # Errors
    ///
    /// If the ledger is damaged or cannot be written.
    fn record_reset(
        &mut self,
        entries: &[(Generation, CardKey, LedgerEntry)],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Read access to the records of earlier runs.
pub trait Archive: Sync {
    /// Returns the records of a run's journal, in order. A torn last line is left out.
    ///
    /// # Errors
    ///
    /// If it is missing or damaged.
    fn journal(
        &self,
        run: &RunId,
    ) -> impl Future<Output = Result<Vec<JournalRecord>, StoreError>> + Send;

    /// Returns the backup of a target in a run, by the digest in the journal.
    ///
    /// # Errors
    ///
    /// If it is missing or damaged.
    fn backup(
        &self,
        run: &RunId,
        target: CardKey,
        digest: Digest,
    ) -> impl Future<Output = Result<Layout, StoreError>> + Send;
}

/// Undamaged lines of a journal, for a restore that damage must not block.
#[derive(Debug)]
pub struct SalvagedJournal {
    /// The header of the run: its first record, or one derived from the files beside the journal.
    /// `None` if neither exists.
    pub header: Option<RunHeader>,
    /// The undamaged records behind the header, in the order of their numbers, each once.
    pub records: Vec<JournalRecord>,
    /// The damage, if there is any. It may be without a loss, such as a repeated line.
    pub damage: Option<StoreError>,
    /// `false` if the header is lost, and no file beside the journal names the file of the ledger.
    pub knows_ledger: bool,
    /// The possible loss of records.
    pub lost: JournalLoss,
    /// The backups of the run by their names. Empty if all records of a closed run are there.
    pub backups: Vec<(Option<CardKey>, Digest)>,
}

/// Loss of records of a journal, beyond its undamaged lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalLoss {
    /// No loss.
    Nothing,
    /// The last record, in a torn line. A crash leaves it; such a record was never synced.
    TornLine,
    /// Synced records: a line is damaged, missing, or was cut off.
    Lines,
}

/// Error: the store could not be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file system refuses.
    #[error("{}", tr!("{doing} {path}", doing = Text::from_msgid(doing), path))]
    Io {
        /// The attempted action: "cannot write", "cannot read", …
        doing: &'static str,
        /// The file or folder.
        path: String,
        /// The error of the system.
        #[source]
        source: std::io::Error,
    },
    /// A file differs from what recard wrote. recard never guesses its content.
    #[error("{}", tr!("{path} is damaged: {problem}", path, problem))]
    Damaged {
        /// The file.
        path: String,
        /// The damage and its place.
        problem: String,
    },
    /// The journal of a run cannot be read. The other runs are not concerned.
    #[error("{source}")]
    Unreadable {
        /// The run.
        run: RunId,
        /// The error of its file.
        #[source]
        source: Box<StoreError>,
    },
    /// A file was written by a newer recard.
    #[error("{}", tr!("{path} has format version {found}, and this recard knows versions up to {known}", path, found, known))]
    TooNew {
        /// The file.
        path: String,
        /// Its version.
        found: u32,
        /// The newest version that this program reads.
        known: u32,
    },
    /// Another process holds the lock of this portal.
    #[error("{0}")]
    Locked(LockOwner),
    /// A database cannot be reached, or refuses.
    #[error("{}", tr!("database {address}: {problem}", address, problem))]
    Database {
        /// Its address, without a secret.
        address: String,
        /// The problem in words.
        problem: String,
        /// `true` if the database was away, or refused this connection: it may answer later.
        is_passing: bool,
    },
    /// The schema of a database is older than this program needs.
    #[error("{}", tr!("the schema of {address} has version {found}, and this recard needs version {wanted}", address, found, wanted))]
    NotMigrated {
        /// The address.
        address: String,
        /// The version; 0 if there is no schema.
        found: u32,
        /// The version that is needed.
        wanted: u32,
    },
    /// The schema of a database needs a newer program.
    #[error("{}", tr!("the schema of {address} needs a program that knows schema version {found}, and this recard knows {known}", address, found, known))]
    SchemaTooNew {
        /// The address.
        address: String,
        /// The version that a program must know.
        found: u32,
        /// The version that this program knows.
        known: u32,
    },
    /// The lease of a portal was lost. The statement changed nothing.
    #[error("{}", tr!("the lease of {portal} was lost, and another process may work on it; nothing more was written", portal))]
    LeaseLost {
        /// The portal.
        portal: PortalId,
    },
    /// The records of a portal were copied to another store, which is in charge since.
    #[error("{}", tr!("the records of {portal} have moved to {to}", portal, to))]
    Moved {
        /// The portal.
        portal: PortalId,
        /// The other store.
        to: String,
    },
    /// There is no such run, backup or file.
    #[error("{}", tr!("there is no {what}", what = .0))]
    Missing(String),
}

impl StoreError {
    /// Returns `true` for an error of a whole database, which no other portal of it is spared.
    pub fn is_of_database(&self) -> bool {
        matches!(self, Self::Database { .. } | Self::NotMigrated { .. } | Self::SchemaTooNew { .. })
    }
}

/// Owner of the lock of a portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockOwner {
    /// The process id; 0 if the lock file names no owner.
    pub process: u32,
    /// The host's name.
    pub host: String,
    /// The person or pipeline, from the environment; may be empty.
    pub actor: String,
    /// The name of the running command.
    pub command: String,
    /// The start of the lock, as RFC 3339.
    pub since: String,
}

impl std::fmt::Display for LockOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { process, host, actor, command, since } = self;
        if *process == 0 {
            return f.write_str(&tr!("locked by a process that the lock file does not name"));
        }
        let actor = if actor.is_empty() { String::new() } else { format!(" ({actor})") };
        f.write_str(&tr!(
            "locked by process {process} on {host}{actor}, which runs `recard {command}` since {since}",
            process,
            host,
            actor,
            command,
            since
        ))
    }
}
