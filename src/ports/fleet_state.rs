//! Port of the state of fleets: published revisions, the rollout of the current one, and pauses.
//!
//! A *revision* is a document that holds a fleet with its manifests; its digest names it. The
//! *head* of a fleet names its current revision and holds the rollout of it. Each portal of the
//! fleet is on a revision: that of the head once its wave is open, and the one before until then.
//! The layer `fleet` decides which wave opens; the state only stores it.
//!
//! # Time
//!
//! Times of a rollout are those of the clock of the state, which [`FleetView::now`] shows, and
//! never those of the caller.
//!
//! # Laws
//!
//! 1. Of several publications that expect the same revision, exactly one succeeds; the others
//!    answer [`Published::Overtaken`] and change nothing. The one that succeeded changes nothing
//!    either if it comes once more, and answers [`Published::Current`]. Nor does one with a portal
//!    of another fleet change anything.
//! 2. A publication is one step: head, first wave and portals change together or not at all.
//! 3. A change of a rollout is made only if the rollout is still at the step that it was decided
//!    on; else nothing changes.
//! 4. The content of a revision never changes, and never vanishes. A later publication of the same
//!    content replaces what stands beside it: commit, actor and signature.
//! 5. A publication of the current revision changes nothing but that, unless its rollout is halted:
//!    then the rollout begins anew.
//! 6. A portal that the current revision does not name is of no fleet: it is not reconciled, and
//!    its history stays.
//! 7. A rollback brings no portal past its waves to a revision that it was never on, and leaves
//!    none to roll back to.
//! 8. Publications leave the pauses by command, the parked portals and the rounds as they are.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::rollout::{Rollout, RolloutChange, RolloutState, RolloutStep, RolloutWave};
use super::{ParkReason, RoundClass, StoreError, Worker};
use crate::manifest::StopRule;
use crate::model::{Digest, PortalId};

/// State of fleets. Every method is one atomic step; a dropped call may have been executed or not.
pub trait FleetState: Send + Sync {
    /// Returns the fleets with a revision by their names, sorted, and their heads. A head that
    /// cannot be read is the error of its fleet alone, whose name may be that of its file then.
    fn heads(&self) -> impl Future<Output = Result<Vec<NamedHead>, StoreError>> + Send;

    /// Stores a revision and makes it the current one, if the current one is the expected. The
    /// first wave opens, and portals that are on the withdrawn revision leave it at once.
    fn publish(
        &self,
        publication: &Publication,
    ) -> impl Future<Output = Result<Published, StoreError>> + Send;

    /// Returns the document of a revision.
    fn revision(
        &self,
        digest: Digest,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// Returns the head of a fleet and its portals, as of one moment; `None` for a fleet without a
    /// revision.
    fn view(
        &self,
        fleet: &str,
    ) -> impl Future<Output = Result<Option<FleetView>, StoreError>> + Send;

    /// Changes the rollout of a fleet, if it is still at this step. [`RolloutChange::Open`] gives
    /// the portals of the wave the current revision, and notes which of them are failing.
    ///
    /// Returns `false` if the rollout is at another step; then nothing was changed.
    fn change_rollout(
        &self,
        fleet: &str,
        at: RolloutStep,
        change: &RolloutChange,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Pauses portals, or ends their pauses by command. A pause replaces an earlier one.
    fn set_pause(
        &self,
        portals: &[PortalId],
        pause: Option<&CommandPause>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the pauses by command, of portals of any fleet or none. Those that have ended may
    /// be among them.
    fn pauses(
        &self,
    ) -> impl Future<Output = Result<BTreeMap<PortalId, CommandPause>, StoreError>> + Send;

    /// Returns the pause by command of a portal. One that has ended may be returned.
    fn pause(
        &self,
        portal: &PortalId,
    ) -> impl Future<Output = Result<Option<CommandPause>, StoreError>> + Send;

    /// Frees parked portals and makes them due. Returns those that were parked, and those that
    /// cannot be freed with the reason: they do not stop the others.
    fn retry(
        &self,
        portals: &[PortalId],
    ) -> impl Future<Output = Result<Vec<RetriedPortal>, StoreError>> + Send;

    /// Returns the workers that have not signed off, and gave a sign of life within the last hour,
    /// sorted by id.
    fn workers(&self) -> impl Future<Output = Result<Vec<WorkerSign>, StoreError>> + Send;
}

/// Name of a fleet, and its head or the reason why that cannot be read.
pub type NamedHead = (String, Result<FleetHead, StoreError>);

/// Portal that was parked, or the reason why it cannot be freed.
pub type RetriedPortal = (PortalId, Result<(), StoreError>);

/// Sign of life of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSign {
    /// The worker; without a version if the state does not know it.
    pub worker: Worker,
    /// The age of the last sign, by the clock of the state.
    pub age: Duration,
}

/// Revision that is to become the current one of its fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The name of the fleet.
    pub fleet: String,
    /// The digest of the revision.
    pub revision: Digest,
    /// The document of the revision.
    pub document: Vec<u8>,
    /// The revision that must be the current one; `None` if there must be none.
    pub expected: Option<Digest>,
    /// Origin of the publication.
    pub publisher: Publisher,
    /// The waves of the revision, in their order; at least one.
    pub waves: Vec<RolloutWave>,
    /// The stop rule of the revision.
    pub stop: StopRule,
    /// Maximum number of people whose cards the rollout resets; `None` if there is no limit.
    pub max_people: Option<u32>,
    /// The portals of the revision, each once.
    pub portals: Vec<PublishedPortal>,
    /// Revision whose portals leave it at once, whatever their wave: to the new one, or to the one
    /// that they were on if they never had the new one. A rollback has one.
    pub withdrawn: Option<Digest>,
}

/// Origin of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publisher {
    /// The commit of the fleet, if it is known.
    pub commit: Option<String>,
    /// The person or pipeline; may be empty.
    pub actor: String,
}

/// Portal of a publication. All of this holds at once, whatever the wave: only manifests wait for
/// the wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPortal {
    /// The portal.
    pub portal: PortalId,
    /// Index of its wave.
    pub wave: usize,
    /// Labels by key.
    pub labels: BTreeMap<String, String>,
    /// Interval of its rounds.
    pub every: Duration,
    /// Pause in the fleet manifest.
    pub pause: Option<DeclaredPause>,
}

/// Result of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// The revision is the current one.
    Current(Box<FleetHead>),
    /// Another revision than the expected one is the current one; `None` if there is none.
    Overtaken(Option<Digest>),
    /// A portal is of another fleet.
    OfAnotherFleet(PortalId, String),
}

impl Published {
    /// Returns the answer to a publication that changes nothing: the current revision is not the
    /// expected one. `None` if it is.
    pub fn without_change(publication: &Publication, head: Option<&FleetHead>) -> Option<Self> {
        let current = head.map(|head| head.revision);
        if current == publication.expected {
            return None;
        }
        Some(match head.filter(|head| head.is_of(publication)) {
            Some(head) => Self::Current(Box::new(head.clone())),
            None => Self::Overtaken(current),
        })
    }
}

/// Current revision of a fleet, and its rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetHead {
    /// The current revision.
    pub revision: Digest,
    /// The last other revision that was current, to which a rollback leads. A rollback itself
    /// leaves none: the revision that it withdrew must not come back by a second one.
    pub previous: Option<Digest>,
    /// The revision that was withdrawn, if the current one is there by a rollback.
    pub withdrawn: Option<Digest>,
    /// Portals that were not on the previous revision when it was replaced, by the revision that
    /// they were on. A rollback must not bring them past its waves.
    pub behind: BTreeMap<PortalId, Option<Digest>>,
    /// Number of this publication, from 1.
    pub number: u32,
    /// Origin of the publication.
    pub publisher: Publisher,
    /// Time of the publication.
    pub at: Timestamp,
    /// Number of portals.
    pub portals: u32,
    /// The rollout.
    pub rollout: Rollout,
}

impl FleetHead {
    /// Returns the head after a publication, from the head before with the revision that each
    /// portal was on. The first wave is open. A head of the same number is that of the same
    /// rollout: portals stay as they are.
    pub fn new(
        publication: &Publication,
        before: Option<(&Self, &BTreeMap<PortalId, Option<Digest>>)>,
        now: Timestamp,
    ) -> Self {
        let same = before.map(|(before, _)| before);
        let same = same.filter(|before| before.revision == publication.revision);
        if let Some(same) = same
            && !same.is_halted()
        {
            return Self { publisher: publication.publisher.clone(), ..same.clone() };
        }
        let mut rollout = Rollout {
            step: 0,
            waves: publication.waves.clone(),
            stop: publication.stop,
            max_people: publication.max_people,
            state: RolloutState::Running,
        };
        rollout.change(&RolloutChange::Open(0), now);
        let (previous, withdrawn, behind) = match (same, before) {
            (Some(same), _) => (same.previous, same.withdrawn, same.behind.clone()),
            (None, Some((before, on))) if publication.withdrawn.is_none() => {
                let current = Some(before.revision);
                let behind = on.iter().filter(|(_, on)| **on != current);
                (current, None, behind.map(|(portal, on)| (portal.clone(), *on)).collect())
            }
            (None, _) => (None, publication.withdrawn, BTreeMap::new()),
        };
        Self {
            revision: publication.revision,
            previous,
            withdrawn,
            behind,
            number: before.map_or(1, |(before, _)| before.number.saturating_add(1)),
            publisher: publication.publisher.clone(),
            at: now,
            portals: u32::try_from(publication.portals.len()).unwrap_or(u32::MAX),
            rollout,
        }
    }

    /// Returns the revision that the current one replaced, by a publication or a rollback.
    pub fn replaced(&self) -> Option<Digest> {
        self.withdrawn.or(self.previous)
    }

    /// Returns `true` if the rollout is halted.
    pub fn is_halted(&self) -> bool {
        matches!(self.rollout.state, RolloutState::Halted { .. })
    }

    /// Returns `true` if a publication is the one that made this head, once more: its answer was
    /// lost. A halted rollout is not begun anew by chance.
    pub fn is_of(&self, publication: &Publication) -> bool {
        self.revision == publication.revision
            && self.replaced() == publication.expected
            && publication.withdrawn.is_none_or(|withdrawn| self.withdrawn == Some(withdrawn))
            && !self.is_halted()
    }

    /// Returns the step of the rollout.
    pub fn step(&self) -> RolloutStep {
        RolloutStep { publication: self.number, step: self.rollout.step }
    }
}

/// Head and portals of a fleet at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetView {
    /// The time, by the clock of the state.
    pub now: Timestamp,
    /// The head.
    pub head: FleetHead,
    /// The portals, sorted by name.
    pub portals: Vec<PortalState>,
}

/// Portal of a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalState {
    /// The portal, as it was published.
    pub published: PublishedPortal,
    /// The revision that it is on; `None` before the wave of a new portal opens.
    pub revision: Option<Digest>,
    /// `true` if the portal was failing or parked when its wave opened.
    pub failed_before: bool,
    /// Pause by command.
    pub pause: Option<CommandPause>,
    /// `true` if the records of the portal have moved to another store: nobody works on it here.
    pub is_moved: bool,
    /// What the queue knows.
    pub queue: QueueState,
}

impl PortalState {
    /// Returns `true` if a pause of either kind holds.
    pub fn is_paused(&self, now: Timestamp) -> bool {
        let declared = self.published.pause.as_ref().map(|pause| pause.until);
        declared.is_some_and(|until| until.is_none_or(|until| now < until))
            || self.pause.as_ref().is_some_and(|pause| pause.holds(now))
    }

    /// Returns `true` if the portal is left alone: it is paused, or has moved to another store.
    pub fn is_left_alone(&self, now: Timestamp) -> bool {
        self.is_moved || self.is_paused(now)
    }

    /// Returns for how long the portal has been due, if it is waited for: it has a revision, and
    /// is neither left alone nor parked.
    pub fn overdue(&self, now: Timestamp) -> Option<Duration> {
        let is_waited_for =
            self.revision.is_some() && self.queue.parked.is_none() && !self.is_left_alone(now);
        let due = self.queue.due.filter(|_| is_waited_for)?;
        let late: SignedDuration = now.duration_since(due);
        Duration::try_from(late).ok()
    }
}

/// Pause in a fleet manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredPause {
    /// The end; `None` if there is none.
    pub until: Option<Timestamp>,
    /// The reason.
    pub reason: String,
}

/// Pause by command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandPause {
    /// The end; `None` if there is none.
    pub until: Option<Timestamp>,
    /// The time of the command.
    pub at: Timestamp,
    /// The person or pipeline; may be empty.
    pub by: String,
    /// The reason.
    pub reason: String,
}

impl CommandPause {
    /// Returns `true` if the pause has not ended.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// What the work queue keeps of a portal between rounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    /// The time from which the portal is due; `None` before its first round is scheduled.
    pub due: Option<Timestamp>,
    /// Claims since the last release.
    pub attempts: u32,
    /// Failed rounds since the last one that did not fail.
    pub failures: u32,
    /// Reason and time, if the portal is parked.
    pub parked: Option<Parked>,
    /// The rounds on the last revision that had one.
    pub rounds: Option<RevisionRounds>,
    /// The row of the portal in the report over the fleet, from its last round, as `records`
    /// writes it.
    pub row: Option<String>,
    /// The id of the worker that holds a living claim.
    pub worker: Option<String>,
}

/// Parked portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The time.
    pub at: Timestamp,
    /// The reason.
    pub reason: ParkReason,
}

/// Rounds of a portal on one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionRounds {
    /// The revision.
    pub revision: Digest,
    /// The class of the last round that reached the portal.
    pub class: RoundClass,
    /// The most people whose cards one of these rounds has reset. A sum would grow with the time
    /// that a wave is open.
    pub people: u32,
    /// The end of that round.
    pub at: Timestamp,
}

impl RevisionRounds {
    /// Returns the rounds with one more: those on another revision are left behind.
    pub fn with_round(
        before: Option<&Self>,
        revision: Digest,
        class: RoundClass,
        people: u32,
        at: Timestamp,
    ) -> Self {
        let earlier = before.filter(|before| before.revision == revision);
        let people = earlier.map_or(0, |before| before.people).max(people);
        Self { revision, class, people, at }
    }
}
