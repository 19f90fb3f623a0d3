//! Port of the store: backups and the journal of a run, what earlier runs left, and the errors.
//!
//! A [`RunLog`] exists only while the lock of its portal is held.

use thiserror::Error;

use crate::i18n::Text;
use crate::model::{
    CardKey, Digest, Generation, Layout, LedgerEntry, Outcome, PortalId, RunId, TrustEvidence,
    UserId,
};

/// One line of a run's journal: what is about to happen, or what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalRecord {
    /// The run starts. Nothing was sent yet that writes.
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
        /// The digest of what is sent; a backup with it is synced.
        digest: Digest,
        /// The reason for the `set`.
        purpose: SetPurpose,
    },
    /// A target is settled.
    Completed {
        /// The target.
        target: CardKey,
        /// What became of it.
        outcome: Outcome,
    },
    /// The run is over; every planned target is settled.
    Closed {
        /// Whether somebody asked it to stop before all targets were attempted.
        interrupted: Interrupted,
    },
}

/// Reason for a `set` in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetPurpose {
    /// The plan of a restore.
    Planned,
    /// A write of this run met a layout that its owner had saved since, and this is it. It is
    /// stored again, or only kept where another layout stands by now.
    Compensation,
}

/// Whether a run was stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// It came to its own end.
    No,
    /// A signal, a deadline or a failure that stops everything ended it.
    Yes,
}

/// What a run is about; the first record of its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunHeader {
    /// What the run does.
    pub purpose: RunPurpose,
    /// The portal.
    pub portal: PortalId,
    /// Whose webhook it is.
    pub caller: UserId,
    /// Who started it, as the environment tells; may be empty.
    pub actor: String,
    /// The digest of the manifests' intent; none for a restore.
    pub manifest: Option<Digest>,
    /// The commit of the manifests, if it is known.
    pub commit: Option<String>,
    /// The names and reasons of the manifests.
    pub reasons: Vec<(String, String)>,
    /// The proof that reads of other people's cards could be trusted when the run was planned. None
    /// if there was none, or the run is of a recard that did not record it.
    pub trust: Option<TrustEvidence>,
    /// Every target that the run will settle, with the digest that it was planned with.
    pub targets: Vec<PlannedCard>,
}

/// One target of a run, as it was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCard {
    /// The card.
    pub key: CardKey,
    /// The digest of the layout that it had when planned; none for a blind reset, or a restore of
    /// an empty card.
    pub digest: Option<Digest>,
    /// The generation that the reset is for, in mode `once`.
    pub generation: Option<Generation>,
}

/// What a run does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunPurpose {
    /// Resets what a plan says.
    Apply,
    /// Puts back what another run removed.
    Restore(RunId),
}

/// The journal and the backups of one run. Exists only while the lock of its portal is held.
pub trait RunLog: Send {
    /// The run.
    fn run(&self) -> &RunId;

    /// Writes backups and syncs them. When it returns, they survive a crash.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    fn save_backups(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError>;

    /// Appends records to the journal and syncs it. When it returns, they survive a crash.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    fn append(&mut self, records: &[JournalRecord]) -> Result<(), StoreError>;

    /// Appends records to the journal, for what can be found out again. A killed process loses
    /// nothing of it; a system that goes down may, until something is [appended](Self::append) or
    /// [synced](Self::sync).
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    fn append_unsynced(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        self.append(records)
    }

    /// Syncs what was noted.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Marks targets of `mode: once` as done, and syncs.
    ///
    /// # Errors
    ///
    /// If what is remembered is damaged, or cannot be written.
    fn record_reset(
        &mut self,
        entries: &[(Generation, CardKey, LedgerEntry)],
    ) -> Result<(), StoreError>;
}

/// Reads what earlier runs left.
pub trait Archive {
    /// The records of a run's journal, in order. A torn last line is left out.
    ///
    /// # Errors
    ///
    /// If it is missing or damaged.
    fn journal(&self, run: &RunId) -> Result<Vec<JournalRecord>, StoreError>;

    /// The backup of a target in a run, by the digest that the journal names.
    ///
    /// # Errors
    ///
    /// If it is missing or damaged.
    fn backup(&self, run: &RunId, target: CardKey, digest: Digest) -> Result<Layout, StoreError>;
}

/// A journal as far as its lines are whole, for a way back from a run that damage must not block.
#[derive(Debug)]
pub struct SalvagedJournal {
    /// The head of the run: its first record, or what the files beside the journal say of it. None
    /// if nothing does.
    pub header: Option<RunHeader>,
    /// The whole records behind the head, in the order of their numbers, each once.
    pub records: Vec<JournalRecord>,
    /// The problem of the journal, if it is damaged. It may be without a loss, such as a line that
    /// stands there twice.
    pub damage: Option<StoreError>,
    /// The records that the journal may have had more.
    pub lost: JournalLoss,
    /// The backups of the run by their names. Empty where all records of a closed run are there.
    pub backups: Vec<(Option<CardKey>, Digest)>,
}

/// The records that a journal may have had more than it has whole lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalLoss {
    /// None.
    Nothing,
    /// The last one, in a torn line. A crash leaves it, and then it was promised to nobody.
    TornLine,
    /// Some that were promised: a line is damaged, missing, or was cut off.
    Lines,
}

/// Why the store could not be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The disk or the folder does not let us.
    #[error("{}", tr!("{doing} {path}", doing = Text::from_msgid(doing), path))]
    Io {
        /// What was being done: "cannot write", "cannot read", …
        doing: &'static str,
        /// Which file or folder.
        path: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what recard wrote. Never guessed at.
    #[error("{}", tr!("{path} is damaged: {problem}", path, problem))]
    Damaged {
        /// Which file.
        path: String,
        /// What is wrong with it, and where.
        problem: String,
    },
    /// A file was written by a newer recard.
    #[error("{}", tr!("{path} has format version {found}, and this recard knows versions up to {known}", path, found, known))]
    TooNew {
        /// Which file.
        path: String,
        /// Its version.
        found: u32,
        /// The newest version that this program reads.
        known: u32,
    },
    /// Another process works on this portal.
    #[error("{0}")]
    Locked(LockOwner),
    /// There is no such run, backup or file.
    #[error("{}", tr!("there is no {what}", what = .0))]
    Missing(String),
}

/// Who holds the lock of a portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockOwner {
    /// The process id; 0 if the lock file names no owner.
    pub process: u32,
    /// The host's name.
    pub host: String,
    /// The person or pipeline, as the environment tells; may be empty.
    pub actor: String,
    /// What they are doing: the command's name.
    pub command: String,
    /// Since when, as RFC 3339.
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
