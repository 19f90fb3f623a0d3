//! Port of the portal: queries, reads and writes of cards, and their errors.
//!
//! [`ReadPortal`] has no method that writes.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use thiserror::Error;

use crate::i18n::Text;
use crate::model::{
    CardCatalog, CardKey, Department, DepartmentId, EntityType, Identity, Layout, Person, PortalId,
    UserId,
};

/// Query for people of the portal.
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

/// Query for the pipelines, smart processes and labels of a portal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogQuery {
    /// The types whose pipelines and labels are wanted.
    pub types: BTreeSet<EntityType>,
    /// `true` if the smart processes are wanted with their titles.
    pub processes: bool,
}

/// Result of the read of one card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardRead {
    /// The portal answered: a layout, or none. The owner of the card depends on
    /// [`crate::model::ReadTrust`].
    Read(Option<Layout>),
    /// The portal refused this read.
    Refused(Refusal),
    /// No usable answer, after all reasonable retries. The text is what came instead.
    NoAnswer(String),
    /// The portal was not asked: it lists no pipeline for this card, and any request would name
    /// another one.
    NoPipeline,
}

/// Text for a card that no request can name.
pub const NO_PIPELINE: &str = tr_later!("the portal lists no pipeline for this card");

/// Refusal of one command by the portal. The texts are the portal's; the code may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error code, numbers as text.
    pub code: String,
    /// The description.
    pub message: String,
}

/// Change of one card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardWrite<'a> {
    /// Deletes the stored layout, so that the card is at its default.
    Reset,
    /// Stores this layout.
    Set(&'a Layout),
}

/// Number of writes in one request: three commands each, of the 50 that the portal takes.
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

/// Answer of the portal to one write command. An answer alone proves nothing: the reads around it
/// do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteAnswer {
    /// The portal reports success.
    Done,
    /// The portal refused the command.
    Refused(Refusal),
    /// The portal refused the command because of a limit.
    Limited(String),
    /// The portal failed in it, left it out of its answer, or gave an invalid answer.
    Unclear(String),
}

/// Evidence on one write: a read, the write and a read, adjacent in one request or one after the
/// other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteEvidence {
    /// The read just before the write.
    pub before: CardRead,
    /// The answer to the write.
    pub answer: WriteAnswer,
    /// The read just after the write.
    pub after: CardRead,
}

/// Result of a layout that was stored with a single call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SingleSet {
    /// The read ahead of it was not accepted, and the call was not sent.
    NotSent(CardRead),
    /// The read ahead of the call, and how the call ended.
    Sent(CardRead, Result<WriteAnswer, WriteError>),
}

/// Failure of a request that writes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The request was certainly not processed: no connection was made, or it was stopped before.
    #[error("{0}")]
    NotSent(PortalError),
    /// The request was sent, and its answer does not tell which of its commands were executed. Its
    /// cards must be read back before any further decision, retry or report.
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
    /// No answer, a cut one, or an invalid one. The portal may still be working on the request.
    NoAnswer,
}

/// Receiver of the cards of [`ReadPortal::read_cards`] as they come in, in no particular order.
pub trait CardSink: Send {
    /// Takes one card.
    fn take(&mut self, key: CardKey, read: CardRead);
}

impl<F: FnMut(CardKey, CardRead) + Send> CardSink for F {
    fn take(&mut self, key: CardKey, read: CardRead) {
        self(key, read);
    }
}

/// Portal without write methods.
pub trait ReadPortal: Sync {
    /// Returns the identity of the portal.
    fn portal(&self) -> &PortalId;

    /// Returns the caller, and the knowledge of the portal's release that the answer gives. Always
    /// the first request of a run.
    fn identify(&self) -> impl Future<Output = Result<Identity, PortalError>> + Send;

    /// Returns all departments.
    fn departments(&self) -> impl Future<Output = Result<Vec<Department>, PortalError>> + Send;

    /// Returns the people that the portal lists for a query, each once. The caller checks that they
    /// match the query.
    fn people(
        &self,
        query: &PeopleQuery,
    ) -> impl Future<Output = Result<Vec<Person>, PortalError>> + Send;

    /// Returns the pipelines, smart processes and labels that the portal shows the caller.
    fn catalog(
        &self,
        query: &CatalogQuery,
    ) -> impl Future<Output = Result<CardCatalog, PortalError>> + Send;

    /// Counts the employees: active users with a department.
    fn employees(&self) -> impl Future<Output = Result<u32, PortalError>> + Send {
        async move {
            let people = self.people(&PeopleQuery::AllActive).await?;
            Ok(u32::try_from(people.iter().filter(|person| person.is_employee()).count())
                .unwrap_or(u32::MAX))
        }
    }

    /// Reads cards, in as few requests and as quickly as the portal's limits allow. Every key is
    /// answered exactly once, unless the whole call fails.
    fn read_cards(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> impl Future<Output = Result<(), PortalError>> + Send;
}

/// Portal with write methods.
pub trait WritePortal: ReadPortal {
    /// Returns the number of targets in each request of a plan of this many: 1 to 16. Small
    /// requests over several connections are quicker while the rate limiter has room, full ones
    /// afterwards.
    fn targets_per_request(&self, targets: usize) -> usize;

    /// Returns `true` if a command of a batch can carry a layout unchanged. The portal cuts large
    /// ones, and turns numbers of a command into texts.
    fn fits_batch(&self, layout: &Layout) -> bool;

    /// Sends `get`, the write and `get` for each target, adjacent in one request. The request is
    /// repeated only if it was certainly not processed. Every target is answered exactly once.
    fn write_cards(
        &self,
        writes: &[(CardKey, CardWrite<'_>)],
        lane: Lane,
    ) -> impl Future<Output = Result<Vec<(CardKey, WriteEvidence)>, WriteError>> + Send;

    /// Reads a card, and stores a layout with a single call if `proceed` accepts the read. The rate
    /// limiter admits both requests before the first one leaves, so that one round trip lies
    /// between them. They are repeated only if the call was certainly not processed, and then both.
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

/// Error: the portal could not be used at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PortalError {
    /// No request of this credential can succeed. A retry would be pointless, and harmful in the
    /// case of overload.
    #[error("{rejection}")]
    Rejected {
        /// The kind of refusal.
        rejection: Rejection,
        /// The portal's code, if it sent one.
        code: String,
        /// The portal's description, if it sent one.
        message: String,
    },
    /// The request certainly had no effect, and the retry budget is used up.
    #[error("{}", tr!("the portal did not take the request: {what}", what = Text::from_msgid(.0)))]
    NotExecuted(String),
    /// Indeterminate: the request was sent, and its effect is not known.
    #[error("{}", tr!("no usable answer from the portal: {what}", what = Text::from_msgid(.0)))]
    MaybeExecuted(String),
    /// The answer differs from the portal's interface, and a retry will not change it.
    #[error("{}", tr!("an answer of the portal makes no sense: {what}", what = Text::from_msgid(.0)))]
    Unexpected(String),
    /// The deadline of the run has passed, or the run was cancelled.
    #[error("{}", tr!("stopped before the portal answered: {what}", what = Text::from_msgid(.0)))]
    Stopped(String),
}

/// Reason why no request of a credential can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// Wrong, expired or disabled webhook.
    #[error("{}", tr!("the portal does not accept the webhook"))]
    Credentials,
    /// The caller was dismissed.
    #[error("{}", tr!("the owner of the webhook was dismissed from the portal"))]
    OwnerDismissed,
    /// The webhook lacks a right.
    #[error("{}", tr!("the webhook lacks a right"))]
    MissingRight,
    /// The caller may not use the CRM at all, or not for others.
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
    /// The URL redirects; redirects are never followed.
    #[error("{}", tr!("the portal answers with a redirect, which recard does not follow"))]
    Redirect,
    /// There is no such method: the host is not a portal, or one without CRM.
    #[error("{}", tr!("the address is not that of a portal's REST interface"))]
    NotAPortal,
    /// The certificate of the portal, or of a host in its place, is not trusted. Nothing was sent.
    #[error("{}", tr!("the certificate of the portal is not trusted"))]
    Certificate,
    /// The proxy refuses connections to the portal. Nothing was sent.
    #[error("{}", tr!("the proxy refuses the connection to the portal"))]
    ProxyRefuses,
    /// The proxy cannot be reached. Nothing was sent.
    #[error("{}", tr!("the proxy cannot be reached"))]
    ProxyUnreachable,
}
