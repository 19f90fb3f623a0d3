//! Rows of the work queue of one folder: every step of the queue as a change of values.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Digest, PortalId};
use crate::ports::{
    Claim, ClaimId, ClaimState, Extension, LaneLimits, ParkReason, Parked, QueueLane,
    QueueOverview, Release, RevisionRounds, RoundClass, RoundEnd, RoundResult, SecretMark, Worker,
};
use crate::records::fleet::QueueRow;

/// Portal of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePortal {
    /// The portal.
    pub portal: PortalId,
    /// The revision that it is reconciled with.
    pub revision: Digest,
    /// The interval of its rounds.
    pub every: Duration,
    /// `true` if it is paused.
    pub is_paused: bool,
}

/// Rows of the queue, and the portals that changed since they were last taken.
#[derive(Debug, Default)]
pub struct QueueRows {
    rows: BTreeMap<PortalId, QueueRow>,
    /// The portals that are reconciled; rows of others stay as they are.
    portals: BTreeMap<PortalId, QueuePortal>,
    changed: BTreeSet<PortalId>,
}

impl QueueRows {
    /// Replaces the portals of the queue. A portal without a row is due at once, and so is one
    /// with another revision. A shorter interval holds at once, but for a portal that is failing.
    pub fn set_portals(&mut self, portals: impl IntoIterator<Item = QueuePortal>, now: Timestamp) {
        let before = std::mem::take(&mut self.portals);
        for portal in portals {
            let name = portal.portal.clone();
            let before = before.get(&name);
            let is_other = before.is_none_or(|before| before.revision != portal.revision);
            let is_shorter = before.is_none_or(|before| portal.every < before.every);
            let latest = after(now, portal.every);
            let row = self.rows.entry(name.clone()).or_default();
            let on = row.state.rounds.as_ref().map(|rounds| rounds.revision);
            if row.state.due.is_none() || (is_other && on != Some(portal.revision)) {
                row.state.due = Some(now);
                row.changed = now;
                self.changed.insert(name.clone());
            } else if is_shorter
                && row.state.failures == 0
                && row.state.due.is_some_and(|due| due > latest)
            {
                row.state.due = Some(latest);
                row.changed = now;
                self.changed.insert(name.clone());
            }
            self.portals.insert(name, portal);
        }
    }

    /// Takes a row from its file, in place of the one in memory.
    pub fn put(&mut self, portal: PortalId, row: QueueRow) {
        self.rows.insert(portal, row);
    }

    /// Returns the row of a portal.
    pub fn get(&self, portal: &PortalId) -> Option<&QueueRow> {
        self.rows.get(portal)
    }

    /// Returns the portals that are parked.
    pub fn parked(&self) -> Vec<PortalId> {
        let parked = self.rows.iter().filter(|(_, row)| row.state.parked.is_some());
        parked.map(|(portal, _)| portal.clone()).collect()
    }

    /// Takes the portals whose rows have changed.
    pub fn take_changed(&mut self) -> BTreeSet<PortalId> {
        std::mem::take(&mut self.changed)
    }

    /// Marks the row of a portal as changed.
    pub fn mark_changed(&mut self, portal: PortalId) {
        self.changed.insert(portal);
    }

    /// Ends all leases: the process that held them has ended.
    pub fn end_leases(&mut self, now: Timestamp) {
        for (portal, row) in &mut self.rows {
            if let Some((_, until)) = &mut row.claim {
                *until = now;
                self.changed.insert(portal.clone());
            }
        }
    }

    /// Does the step of [`WorkQueue::claim`](crate::ports::WorkQueue::claim).
    pub fn claim(
        &mut self,
        worker: &Worker,
        limits: LaneLimits,
        lease: Duration,
        now: Timestamp,
        new_id: impl Fn() -> ClaimId,
    ) -> Vec<Claim> {
        let mut due: Vec<(Duration, &QueuePortal)> = Vec::new();
        for portal in self.portals.values().filter(|portal| !portal.is_paused) {
            let Some(row) = self.rows.get(&portal.portal) else { continue };
            let is_free = row.state.parked.is_none() && !has_lease(row, now);
            due.extend(overdue(row, now).filter(|_| is_free).map(|overdue| (overdue, portal)));
        }
        due.sort_by_key(|(overdue, _)| std::cmp::Reverse(*overdue));
        let mut taken: BTreeMap<QueueLane, usize> = BTreeMap::new();
        let mut claims = Vec::new();
        for (overdue, portal) in due {
            let Some(row) = self.rows.get_mut(&portal.portal) else { continue };
            let lane = QueueLane::of_row(row.state.attempts, row.state.failures);
            let taken = taken.entry(lane).or_default();
            if *taken >= limits.limit(lane) {
                continue;
            }
            *taken += 1;
            let id = new_id();
            row.token += 1;
            row.state.attempts += 1;
            row.state.worker = Some(worker.id.clone());
            row.claim = Some((id, after(now, lease)));
            row.changed = now;
            self.changed.insert(portal.portal.clone());
            claims.push(Claim {
                id,
                portal: portal.portal.clone(),
                token: row.token,
                revision: portal.revision,
                attempts: row.state.attempts,
                failures: row.state.failures,
                left: lease,
                overdue,
            });
        }
        claims
    }

    /// Does the step of [`WorkQueue::extend`](crate::ports::WorkQueue::extend). Other commands see
    /// by the file that the round goes on.
    pub fn extend(
        &mut self,
        claims: &[ClaimId],
        lease: Duration,
        now: Timestamp,
    ) -> Vec<Extension> {
        let wanted: BTreeSet<&ClaimId> = claims.iter().collect();
        let mut extended = Vec::new();
        for (portal, row) in &mut self.rows {
            if let Some((id, until)) = &mut row.claim
                && wanted.contains(id)
            {
                *until = after(now, lease);
                self.changed.insert(portal.clone());
                extended.push(Extension { claim: *id, left: lease });
            }
        }
        extended
    }

    /// Does the step of [`WorkQueue::release`](crate::ports::WorkQueue::release).
    pub fn release(&mut self, claim: &Claim, release: &Release, now: Timestamp) -> ClaimState {
        let portal = self.portals.get(&claim.portal);
        let is_outdated = portal.is_some_and(|portal| portal.revision != claim.revision);
        let due_in = if is_outdated { Duration::ZERO } else { release.due_in };
        self.end_claim(claim, now, |row| {
            row.state.due = Some(after(now, due_in));
            match &release.end {
                RoundEnd::GivenBack => row.state.attempts = row.state.attempts.saturating_sub(1),
                RoundEnd::Ended(RoundResult { class, people, row: report }) => {
                    row.state.attempts = 0;
                    row.state.failures = match class {
                        Some(RoundClass::Succeeded) => 0,
                        Some(RoundClass::Failed) | None => row.state.failures.saturating_add(1),
                    };
                    row.state.row = Some(report.clone());
                    if let Some(class) = *class {
                        let (rounds, revision) = (row.state.rounds.as_ref(), claim.revision);
                        row.state.rounds =
                            Some(RevisionRounds::with_round(rounds, revision, class, *people, now));
                    }
                }
            }
        })
    }

    /// Does the step of [`WorkQueue::park`](crate::ports::WorkQueue::park).
    pub fn park(&mut self, claim: &Claim, reason: &ParkReason, now: Timestamp) -> ClaimState {
        self.end_claim(claim, now, |row| {
            row.state.attempts = 0;
            row.state.parked = Some(Parked { at: now, reason: reason.clone() });
        })
    }

    fn end_claim(
        &mut self,
        claim: &Claim,
        now: Timestamp,
        change: impl FnOnce(&mut QueueRow),
    ) -> ClaimState {
        let row = self.rows.get_mut(&claim.portal);
        let is_current = |row: &&mut QueueRow| row.claim.is_some_and(|(id, _)| id == claim.id);
        let Some(row) = row.filter(is_current) else { return ClaimState::Lost };
        row.claim = None;
        row.state.worker = None;
        row.changed = now;
        change(row);
        self.changed.insert(claim.portal.clone());
        ClaimState::Current
    }

    /// Returns the portals that are parked for a refused webhook.
    pub fn refused_webhooks(&self) -> Vec<(PortalId, SecretMark)> {
        let of_row = |(portal, row): (&PortalId, &QueueRow)| match &row.state.parked {
            Some(Parked { reason: ParkReason::WebhookRefused(mark), .. }) => {
                Some((portal.clone(), mark.clone()))
            }
            _ => None,
        };
        self.rows.iter().filter_map(of_row).collect()
    }

    /// Frees a portal, and makes it due, if it is parked for a reason that `is_meant`. Returns
    /// `true` if it was.
    pub fn free(
        &mut self,
        portal: &PortalId,
        now: Timestamp,
        is_meant: impl FnOnce(&ParkReason) -> bool,
    ) -> bool {
        let Some(row) = self.rows.get_mut(portal) else { return false };
        if !row.state.parked.as_ref().is_some_and(|parked| is_meant(&parked.reason)) {
            return false;
        }
        row.state.parked = None;
        row.state.due = Some(now);
        row.changed = now;
        self.changed.insert(portal.clone());
        true
    }

    /// Counts the portals of the queue by state.
    pub fn overview(&self, now: Timestamp) -> QueueOverview {
        let mut overview = QueueOverview::default();
        for portal in self.portals.values() {
            let Some(row) = self.rows.get(&portal.portal) else { continue };
            overview.failing += u64::from(row.state.failures > 0);
            let overdue = overdue(row, now);
            let number = match overdue {
                _ if row.state.parked.is_some() => &mut overview.parked,
                _ if portal.is_paused => &mut overview.paused,
                _ if has_lease(row, now) => &mut overview.claimed,
                None => &mut overview.waiting,
                Some(overdue) => {
                    overview.oldest_overdue = overview.oldest_overdue.max(overdue);
                    &mut overview.due
                }
            };
            *number += 1;
        }
        overview
    }
}

fn has_lease(row: &QueueRow, now: Timestamp) -> bool {
    row.claim.is_some_and(|(_, until)| now < until)
}

/// Returns for how long a row has been due; `None` if it is not. A row that was changed in the
/// future is due: the clock was set back.
fn overdue(row: &QueueRow, now: Timestamp) -> Option<Duration> {
    let due = row.state.due?;
    match now < row.changed {
        true => Some(Duration::ZERO),
        false => Duration::try_from(now.duration_since(due)).ok(),
    }
}

fn after(now: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    now.checked_add(time).unwrap_or(Timestamp::MAX)
}
