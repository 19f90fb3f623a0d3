//! What the engine asks of the world, in words of the domain.
//!
//! The engine resolves, observes, applies, resumes and restores through these traits and never sees
//! HTTP or a file. The adapters are `portal` and `store`; the tests bring fakes that fail at every
//! step.
//!
//! Rights are in the types: [`ReadPortal`] has no method that writes, and a [`RunLog`] exists only
//! while its portal's lock is held.

use std::future::Future;
use std::sync::Arc;

use thiserror::Error;

use crate::language::Text;
use crate::model::{
    CardKey, Department, DepartmentId, Digest, Generation, Identity, Layout, LedgerEntry, Outcome,
    Person, PortalId, RunId, TrustEvidence, UserId,
};

/// Which people to ask the portal for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeopleQuery {
    /// These ids, dismissed people included.
    Ids(Vec<UserId>),
    /// These e-mail addresses, dismissed people included.
    Emails(Vec<Arc<str>>),
    /// Active people who belong directly to one of these departments.
    Departments(Vec<DepartmentId>),
    /// All active people.
    AllActive,
}

/// What a read of one card gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardRead {
    /// The portal answered: a layout, or nothing. Whose card it is depends on
    /// [`crate::model::ReadTrust`].
    Read(Option<Layout>),
    /// The portal refused this read.
    Refused(Refusal),
    /// No usable answer, though the portal was asked as often as is reasonable. The text says what
    /// came instead.
    NoAnswer(String),
}

/// The portal's refusal of one command. The texts are the portal's; the code may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error code, numbers as text.
    pub code: String,
    /// The description.
    pub message: String,
}

/// A change of one card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardWrite<'a> {
    /// Deletes the stored layout, so that the card is at its default.
    Reset,
    /// Stores this layout.
    Set(&'a Layout),
}

/// The number of writes in one request: three commands each, of the 50 that the portal takes.
pub const MAX_WRITES_PER_REQUEST: usize = 16;

/// Order in which requests are admitted to the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Requests of the plan, first come, first served. They end at a stop and at the deadline.
    Planned,
    /// Requests that undo the loss of a person's layout: ahead of all others, and also after a stop
    /// or the deadline.
    Compensation,
}

/// The portal's own answer to one command that writes. An answer proves nothing by itself: the
/// reads around it do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandAnswer {
    /// The portal says that it was done.
    Done,
    /// The portal refused the command.
    Refused(Refusal),
    /// The portal refused the command because of a limit.
    Limited(String),
    /// The portal broke down in it, left it out of its answer, or answered what makes no sense.
    Unclear(String),
}

/// The evidence on one write: a read, the write and a read, as neighbours in one request or one
/// after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteEvidence {
    /// The read just before the write.
    pub before: CardRead,
    /// The answer to the write.
    pub answer: CommandAnswer,
    /// The read just after the write.
    pub after: CardRead,
}

/// End of a layout that was stored with a single call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SingleSet {
    /// The read ahead of it was not accepted: nothing was sent.
    NotSent(CardRead),
    /// The read ahead of the call, and how the call ended.
    Sent(CardRead, Result<CommandAnswer, WriteError>),
}

/// Failure of a request that writes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The request surely was not processed: no connection was made, or it was stopped before.
    #[error("{0}")]
    NotSent(PortalError),
    /// The request left, and its answer does not tell which of its commands were executed. Its
    /// cards must be read back before anything is decided, repeated or reported.
    #[error("{reason}")]
    Indeterminate {
        /// The answer in words.
        reason: String,
        /// The kind of answer.
        cause: IndeterminateCause,
    },
}

/// Kind of an answer that leaves a write indeterminate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndeterminateCause {
    /// A refusal of the whole request because of a limit.
    Limit,
    /// Another refusal of the whole request: a credential, a redirect, an error code.
    Refusal(PortalError),
    /// No answer, a cut one, or one that makes no sense. The portal may still be working on the
    /// request.
    NoAnswer,
}

/// Receives the cards of [`ReadPortal::read_cards`] as they come in, in no particular order.
pub trait CardSink: Send {
    /// Takes one card.
    fn take(&mut self, key: CardKey, read: CardRead);
}

impl<F: FnMut(CardKey, CardRead) + Send> CardSink for F {
    fn take(&mut self, key: CardKey, read: CardRead) {
        self(key, read);
    }
}

/// A portal that can only be looked at.
pub trait ReadPortal: Sync {
    /// Which portal it is.
    fn portal(&self) -> &PortalId;

    /// Who the credential acts as, and what the answer gives away about the portal's release.
    /// Always the first request of a run.
    fn identify(&self) -> impl Future<Output = Result<Identity, PortalError>> + Send;

    /// All departments.
    fn departments(&self) -> impl Future<Output = Result<Vec<Department>, PortalError>> + Send;

    /// The people that the portal returns for a query, each once. The caller checks that they are
    /// those asked for.
    fn people(
        &self,
        query: &PeopleQuery,
    ) -> impl Future<Output = Result<Vec<Person>, PortalError>> + Send;

    /// Counts the employees: active users with a department.
    fn employees(&self) -> impl Future<Output = Result<u32, PortalError>> + Send {
        async move {
            let people = self.people(&PeopleQuery::AllActive).await?;
            Ok(u32::try_from(people.iter().filter(|person| person.is_employee()).count())
                .unwrap_or(u32::MAX))
        }
    }

    /// Reads cards, in as few requests and as quickly as the portal's limits allow. Every key is
    /// answered exactly once, unless the whole fails.
    fn read_cards(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> impl Future<Output = Result<(), PortalError>> + Send;
}

/// A portal that can be written to.
pub trait WritePortal: ReadPortal {
    /// How many targets the next request of writes should carry, given how many remain: 1 to 16.
    /// Small requests over several connections are quicker while the rate limit has room, full ones
    /// once it has not.
    fn targets_per_request(&self, remaining: usize) -> usize;

    /// Returns whether a command of a batch can carry a layout unchanged. The portal cuts large
    /// ones, and turns numbers of a command into texts.
    fn fits_batch(&self, key: CardKey, layout: &Layout) -> bool;

    /// Sends `get`, the write and `get` for each target, as neighbours in one request. It is sent
    /// again only if it surely was not processed. Every target is answered exactly once.
    fn write_cards(
        &self,
        writes: &[(CardKey, CardWrite<'_>)],
        lane: Lane,
    ) -> impl Future<Output = Result<Vec<(CardKey, WriteEvidence)>, WriteError>> + Send;

    /// Reads a card, and stores a layout with a single call if `proceed` accepts the read. The rate
    /// limiter admits both requests before the first one leaves, so that one round trip lies
    /// between them. They are sent again only if the call surely was not processed, and then both.
    fn set_card(
        &self,
        key: CardKey,
        layout: &Layout,
        lane: Lane,
        proceed: &(dyn Fn(&CardRead) -> bool + Sync),
    ) -> impl Future<Output = SingleSet> + Send;

    /// Reads cards as [`read_cards`](ReadPortal::read_cards) does, in the lane of compensations.
    fn read_back(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> impl Future<Output = Result<(), PortalError>> + Send;
}

/// Why the portal could not be used at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PortalError {
    /// No request of this credential can succeed. Asking again would be pointless, and in the case
    /// of overload harmful.
    #[error("{rejection}")]
    Rejected {
        /// What kind of refusal it is.
        rejection: Rejection,
        /// The portal's code, if it sent one.
        code: String,
        /// The portal's description, if it sent one.
        message: String,
    },
    /// The request surely had no effect, and the budget for repeating it is used up.
    #[error("{}", tr!("the portal did not take the request: {what}", what = Text::known(.0)))]
    NotExecuted(String),
    /// The request was sent, and what came back does not tell whether it was carried out.
    #[error("{}", tr!("no usable answer from the portal: {what}", what = Text::known(.0)))]
    MaybeExecuted(String),
    /// The answer is not what the portal's interface says, and repeating will not change it.
    #[error("{}", tr!("an answer of the portal makes no sense: {what}", what = Text::known(.0)))]
    Unexpected(String),
    /// The deadline of the run has passed, or somebody asked to stop.
    #[error("{}", tr!("stopped before the portal answered: {what}", what = Text::known(.0)))]
    Stopped(String),
}

/// Why no request of a credential can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// Wrong, expired or switched-off webhook.
    #[error("{}", tr!("the portal does not accept the webhook"))]
    Credentials,
    /// The owner of the webhook was dismissed.
    #[error("{}", tr!("the owner of the webhook was dismissed from the portal"))]
    OwnerDismissed,
    /// The webhook lacks a right.
    #[error("{}", tr!("the webhook lacks a right"))]
    MissingRight,
    /// The owner may not use the CRM at all, or not for others.
    #[error("{}", tr!("the owner of the webhook may not do this in the CRM"))]
    NotAllowed,
    /// Plain http where the portal wants https.
    #[error("{}", tr!("the portal wants https"))]
    HttpsRequired,
    /// The webhook is blocked for overload.
    #[error("{}", tr!("the portal has blocked the webhook for overload"))]
    Overload,
    /// The portal's plan does not include REST.
    #[error("{}", tr!("the portal's plan does not include the REST interface"))]
    PlanWithoutRest,
    /// The portal was closed.
    #[error("{}", tr!("the portal is closed"))]
    PortalClosed,
    /// The address leads elsewhere; redirects are never followed.
    #[error("{}", tr!("the portal answers with a redirect, which recard does not follow"))]
    Redirect,
    /// There is no such method: not a portal, or one without CRM.
    #[error("{}", tr!("the address is not that of a portal's REST interface"))]
    NotAPortal,
    /// The certificate of the portal, or of what answers in its place, is not trusted. Nothing was
    /// sent.
    #[error("{}", tr!("the certificate of the portal is not trusted"))]
    Certificate,
    /// The proxy lets no connection to the portal pass. Nothing was sent.
    #[error("{}", tr!("the proxy refuses the connection to the portal"))]
    ProxyRefuses,
    /// No connection to the proxy comes about. Nothing was sent.
    #[error("{}", tr!("the proxy cannot be reached"))]
    ProxyUnreachable,
}

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
    Settled {
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
    fn back_up(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError>;

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
    fn note(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
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
    fn mark(&mut self, entries: &[(Generation, CardKey, LedgerEntry)]) -> Result<(), StoreError>;
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
    pub lost: Lost,
    /// The backups of the run by their names. Empty where all records of a closed run are there.
    pub backups: Vec<(Option<CardKey>, Digest)>,
}

/// The records that a journal may have had more than it has whole lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
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
    #[error("{}", tr!("{doing} {path}", doing = Text::known(doing), path))]
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

/// Tells the time. Only `cli` has the real one.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> jiff::Timestamp;
}
