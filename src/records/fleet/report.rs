//! Report over many portals: what programs read, what `status` and `--new-since` read back, and
//! the values of all formats.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rollout_report::{RolloutPhase, RolloutReport, WorkerReport};
use crate::records::sealed::RecordFormat;
use crate::records::{FormatError, no_duplicate_keys};

const FORMAT: RecordFormat = RecordFormat { name: "fleet-report", version: 1 };

/// Format of the document.
pub const FLEET_REPORT_FORMAT: &str = "recard.fleet-report/v1";

/// Report of a command over many portals, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard fleet report")]
pub struct FleetReport {
    /// Always `recard.fleet-report/v1`.
    pub format: String,
    /// The command: `plan`, `drift`, `apply`, `status`, `publish`, `halt` or `rollback`.
    pub command: String,
    /// The name of the fleet.
    pub fleet: String,
    /// The reason of the fleet.
    pub reason: String,
    /// The time of its end.
    #[schemars(with = "String")]
    pub made: Timestamp,
    /// The seconds that the command took.
    pub seconds: u32,
    /// The number of portals by outcome. They add up to the portals.
    pub totals: BTreeMap<PortalOutcome, usize>,
    /// The sums over all portals.
    pub sums: FleetCounts,
    /// The limits of the fleet that the run is above; empty if there are none.
    pub violations: Vec<FleetViolation>,
    /// The wave after which the run stopped by its stop rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_in: Option<String>,
    /// The current revision and its rollout; missing if none was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutReport>,
    /// The workers of the store that gave a sign of life within the last hour, in the report of
    /// `status`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<WorkerReport>,
    /// A row for each portal, in the order of the fleet.
    pub portals: Vec<PortalRow>,
}

/// Numbers of people and cards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FleetCounts {
    /// The people whose cards are to be reset, or were.
    pub people: u32,
    /// The cards to be reset, or that were.
    pub reset: u32,
    /// The cards that are as they should be.
    pub keep: u32,
    /// The cards that no decision is possible for; those whose reset failed; and in `apply` those
    /// of portals that it did not write to.
    pub hold: u32,
}

/// Portal in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortalRow {
    /// The portal, or the file of an entry that names none.
    pub portal: String,
    /// The wave.
    pub wave: String,
    /// The labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The outcome.
    pub outcome: PortalOutcome,
    /// The numbers.
    pub counts: FleetCounts,
    /// The cause of a failure, of a pause or of held cards in few words, the same for the same
    /// cause.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// The cause in the language of people.
    #[serde(skip)]
    pub shown_cause: String,
    /// The failure in full.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The run that was begun, for `recard show` and `recard restore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The milliseconds that the portal took.
    pub milliseconds: u32,
    /// The digest of the revision that the portal is on, if one was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The seconds for which the portal has been due, if that is longer than its interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue_seconds: Option<u32>,
    /// The worker or command that works on the portal now, in the report of `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The command and the time of the round, in the report of `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRound>,
    /// `true` if an earlier report had no such outcome and cause of the portal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new: bool,
}

/// Last round of a portal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRound {
    /// The command.
    pub command: String,
    /// The time of its end.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// Limit of a fleet that a run is above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetViolation {
    /// `maxPortals`, `maxPeople` or `lostPortals`.
    pub guard: String,
    /// The number of the run.
    pub number: u32,
    /// The limit.
    pub limit: u32,
    /// The number that `acknowledge` has to repeat.
    pub acknowledge: u32,
}

/// Outcome of a portal.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PortalOutcome {
    /// An error: nothing is known of its cards.
    Failed,
    /// Some cards failed, are held, or had changed since the plan.
    Partial,
    /// The outcome of a write is not known.
    Unknown,
    /// A guard of its manifests refuses the plan.
    Blocked,
    /// The plan is expired, or for another caller.
    Stale,
    /// Another process works on it.
    Locked,
    /// Workers leave it alone until `fleet retry`.
    Parked,
    /// It could not be reached, or gave no usable answer, and nothing was written. It does not
    /// count against `stop`.
    Unreachable,
    /// Cards are to be reset, or are held.
    Changes,
    /// Cards differ from the manifests, and no plan made that.
    Drifted,
    /// Everything was reset as planned.
    Applied,
    /// The plan was used before.
    AppliedBefore,
    /// Everything is as it should be.
    Unchanged,
    /// The portal is paused.
    Paused,
    /// The portal is only looked at: its mode is `drift`.
    PassedOver,
    /// The run stopped before it.
    NotReached,
    /// No round is known.
    NeverSeen,
}

impl PortalOutcome {
    /// All outcomes, the worst first.
    pub const ALL: [Self; 17] = [
        Self::Failed,
        Self::Partial,
        Self::Unknown,
        Self::Blocked,
        Self::Stale,
        Self::Locked,
        Self::Parked,
        Self::Unreachable,
        Self::Changes,
        Self::Drifted,
        Self::Applied,
        Self::AppliedBefore,
        Self::Unchanged,
        Self::Paused,
        Self::PassedOver,
        Self::NotReached,
        Self::NeverSeen,
    ];

    /// Returns `true` if the portal needs a person.
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::Failed
                | Self::Partial
                | Self::Unknown
                | Self::Blocked
                | Self::Stale
                | Self::Locked
                | Self::Parked
                | Self::Unreachable
        )
    }

    /// Returns `true` if cards are to be changed.
    pub fn is_pending(self) -> bool {
        matches!(self, Self::Changes | Self::Drifted)
    }

    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
            Self::Blocked => "blocked",
            Self::Stale => "stale",
            Self::Locked => "locked",
            Self::Parked => "parked",
            Self::Unreachable => "unreachable",
            Self::Changes => "changes",
            Self::Drifted => "drifted",
            Self::Applied => "applied",
            Self::AppliedBefore => "applied-before",
            Self::Unchanged => "unchanged",
            Self::Paused => "paused",
            Self::PassedOver => "passed-over",
            Self::NotReached => "not-reached",
            Self::NeverSeen => "never-seen",
        }
    }
}

impl PortalRow {
    /// Encodes the row, for the work queue.
    pub fn encode(&self) -> String {
        // A row holds texts and numbers only, which JSON always can.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Decodes a row; `None` if another recard wrote it in another way.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// Portals of one outcome and cause.
#[derive(Debug)]
pub struct CauseGroup<'a> {
    /// The outcome.
    pub outcome: PortalOutcome,
    /// The cause, in the language of people if it is known.
    pub cause: &'a str,
    /// The portals.
    pub portals: Vec<&'a PortalRow>,
}

impl FleetReport {
    /// Counts the portals by outcome and sums their numbers up.
    pub fn count(&mut self) {
        self.totals.clear();
        self.sums = FleetCounts::default();
        for row in &self.portals {
            *self.totals.entry(row.outcome).or_default() += 1;
            if !self.is_only_seen(row) {
                self.sums.people += row.counts.people;
                self.sums.reset += row.counts.reset;
            }
            self.sums.keep += row.counts.keep;
            self.sums.hold += row.counts.hold;
        }
    }

    /// Returns `true` for a portal in a plan whose mode is `drift`: what differs on it is shown,
    /// and nothing of it is to be changed.
    fn is_only_seen(&self, row: &PortalRow) -> bool {
        self.command == "plan" && row.outcome == PortalOutcome::Drifted
    }

    /// Returns `true` if cards are to be changed.
    pub fn is_pending(&self) -> bool {
        self.portals.iter().any(|row| row.outcome.is_pending() && !self.is_only_seen(row))
    }

    /// Marks the rows that an earlier report did not have: another outcome of the portal, or
    /// another cause.
    pub fn mark_new(&mut self, earlier: &Self) {
        let known: BTreeMap<&str, (PortalOutcome, &str)> = earlier
            .portals
            .iter()
            .map(|row| (row.portal.as_str(), (row.outcome, row.cause.as_str())))
            .collect();
        for row in &mut self.portals {
            let now = (row.outcome, row.cause.as_str());
            row.new = known.get(row.portal.as_str()).is_none_or(|before| *before != now);
        }
    }

    /// Decodes a report.
    ///
    /// # Errors
    ///
    /// If it is not the report of a fleet.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let value = no_duplicate_keys::value(bytes)?;
        let format = value.get("format").and_then(serde_json::Value::as_str).unwrap_or_default();
        FORMAT.check(format)?;
        serde_json::from_value(value).map_err(FormatError::invalid)
    }

    /// Returns the number of portals that are overdue.
    pub fn overdue(&self) -> usize {
        self.portals.iter().filter(|row| row.overdue_seconds.is_some()).count()
    }

    /// Returns the number of portals that a worker or command works on now.
    pub fn under_way(&self) -> usize {
        self.portals.iter().filter(|row| row.worker.is_some()).count()
    }

    /// Returns `true` if the rollout halted.
    pub fn is_halted(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| rollout.state == RolloutPhase::Halted)
    }

    /// Returns `true` if a portal needs a person.
    pub fn has_failures(&self) -> bool {
        self.portals.iter().any(|row| row.outcome.is_failure())
    }

    /// Returns `true` if nothing is to be done: every portal is known to be as it should be, no
    /// card is held, and no round or wave is waited for.
    pub fn is_quiet(&self) -> bool {
        use PortalOutcome::{Applied, AppliedBefore, Unchanged};
        let is_done = |row: &PortalRow| matches!(row.outcome, Applied | AppliedBefore | Unchanged);
        let is_whole = self.violations.is_empty() && self.stopped_in.is_none();
        let is_awaited = self.overdue() > 0 || self.under_way() > 0;
        let is_left = self.sums.reset > 0 || self.sums.hold > 0 || is_awaited;
        let rollout = self.rollout.as_ref();
        let is_over = rollout.is_none_or(|rollout| rollout.state == RolloutPhase::Complete);
        is_whole && !is_left && is_over && self.portals.iter().all(is_done)
    }

    /// Returns the failures by cause, the largest group first.
    pub fn failures(&self) -> Vec<CauseGroup<'_>> {
        self.groups(PortalOutcome::is_failure)
    }

    /// Returns the paused portals by who paused them, when and why, the largest group first.
    pub fn paused(&self) -> Vec<CauseGroup<'_>> {
        self.groups(|outcome| outcome == PortalOutcome::Paused)
    }

    fn groups(&self, is_meant: impl Fn(PortalOutcome) -> bool) -> Vec<CauseGroup<'_>> {
        let mut groups: BTreeMap<(PortalOutcome, &str), Vec<&PortalRow>> = BTreeMap::new();
        for row in self.portals.iter().filter(|row| is_meant(row.outcome)) {
            groups.entry((row.outcome, &row.cause)).or_default().push(row);
        }
        let mut groups: Vec<CauseGroup<'_>> = groups
            .into_iter()
            .map(|((outcome, cause), portals)| {
                let shown = portals.first().map_or("", |row| row.shown_cause.as_str());
                let cause = if shown.is_empty() { cause } else { shown };
                CauseGroup { outcome, cause, portals }
            })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.portals.len()));
        groups
    }

    /// Returns the portals with the most cards to reset, the largest first.
    pub fn largest(&self, number: usize) -> Vec<&PortalRow> {
        let mut rows: Vec<&PortalRow> = self
            .portals
            .iter()
            .filter(|row| row.counts.reset > 0 && !self.is_only_seen(row))
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.counts.reset));
        rows.truncate(number);
        rows
    }
}
