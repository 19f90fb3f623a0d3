//! Plan of a restore in every format: what is put back, over what, and what is held.

use jiff::Timestamp;

use super::plan_file::{changed_line, format_time, use_line};
use super::undo;
use crate::engine::{RestorePlan, TargetOutcome};
use crate::i18n::Text;
use crate::model::{CardKey, Digest};
use crate::records::plan_file::{
    LayoutSummary, PlannedRestore, RestoreCounts, RestorePlanContent, RestorePlanTarget,
};

/// Plan of a restore, made now or read from a file.
#[derive(Clone, Copy, Debug)]
pub struct RestoreReport<'a> {
    /// The plan. It names layouts by their digests.
    pub content: &'a RestorePlanContent,
    /// The layouts, if the portal and the backups were read.
    pub layouts: Option<&'a RestorePlan>,
    /// The file, if the plan comes from one or is written to one.
    pub file: Option<RestorePlanUse>,
    /// The cards that changed since the file was made, sorted, if the portal was read again.
    pub settled: &'a [TargetOutcome],
}

/// Restore plan file, and its use.
#[derive(Clone, Copy, Debug)]
pub struct RestorePlanUse {
    /// The id of the file.
    pub id: Digest,
    /// The time of its use, if the store knows it.
    pub used: Option<Timestamp>,
}

impl RestoreReport<'_> {
    /// Returns the title of the plan.
    pub(super) fn heading(&self) -> Text {
        tr!("Restore of the run {of}", of = self.content.run)
    }

    /// Returns the origin of the plan and the use of its file.
    pub(super) fn lines(&self) -> Vec<Text> {
        let RestorePlanContent { portal, caller: user, caller_name: name, .. } = self.content;
        let mut lines = vec![tr!("portal {portal}, as user {user} {name}", portal, user, name)];
        if let Some(RestorePlanUse { id, used }) = self.file {
            lines.push(tr!(
                "plan {plan}, made {made}, expires {expires}",
                plan = id.short(),
                made = format_time(self.content.created),
                expires = format_time(self.content.expires)
            ));
            lines.push(use_line(used));
        }
        if !self.settled.is_empty() {
            lines.push(changed_line(self.settled.len()));
        }
        if self.content.incomplete {
            lines.push(tr!("lines of the run's journal are lost: cards may be missing here"));
        }
        lines.extend(self.layouts.into_iter().flat_map(undo::limits_of_restore));
        lines
    }

    /// Returns the sums of the decisions.
    pub(super) fn sums(&self) -> Text {
        let RestoreCounts { restore, reset, keep, hold } = self.content.counts();
        tr!(
            "{restore} to put back, {reset} to reset, {keep} as before, {hold} held.",
            restore,
            reset,
            keep,
            hold
        )
    }

    /// Returns the outcome of a card that changed since the file was made.
    pub(super) fn settled(&self, key: CardKey) -> Option<&TargetOutcome> {
        let index = self.settled.binary_search_by_key(&key, |settled| settled.key).ok()?;
        self.settled.get(index)
    }
}

/// Returns the decision about a card, and its reason, as words that never change.
pub(super) fn stable_words(decision: &PlannedRestore) -> (&'static str, &'static str) {
    match decision {
        PlannedRestore::Restore { over: None, .. } => ("restore", "removed-by-run"),
        PlannedRestore::Restore { over: Some(_), .. } => ("restore", "over-present-layout"),
        PlannedRestore::Reset(_) => ("reset", "default-before-run"),
        PlannedRestore::AsBefore => ("keep", "as-before"),
        PlannedRestore::NewerKept(_) => ("hold", "newer-kept"),
        PlannedRestore::Unreadable => ("hold", "unreadable"),
        PlannedRestore::NoBackup => ("hold", "no-backup"),
        PlannedRestore::BackupUnusable(_) => ("hold", "backup-unusable"),
    }
}

/// Returns the decision about a card for people.
pub(super) fn text(target: &RestorePlanTarget) -> Text {
    match &target.decision {
        PlannedRestore::Restore { backup, over: None } => {
            tr!("puts back {layout}; now at its default", layout = size(*backup))
        }
        PlannedRestore::Restore { backup, over: Some(over) } => tr!(
            "puts back {layout}, over the layout that stands there ({there}), which is backed up first",
            layout = size(*backup),
            there = size(*over)
        ),
        PlannedRestore::Reset(layout) => tr!(
            "was at its default before the run; the layout that stands there ({there}) is backed up first",
            there = size(*layout)
        ),
        PlannedRestore::AsBefore => tr!("is as before the run"),
        PlannedRestore::NewerKept(layout) => tr!(
            "holds a newer layout ({there}), which stays; --overwrite-newer would replace it",
            there = size(*layout)
        ),
        PlannedRestore::Unreadable => tr!("cannot be read, or the read cannot be believed"),
        PlannedRestore::NoBackup => tr!("was reset without a backup"),
        PlannedRestore::BackupUnusable(problem) => {
            tr!("its backup cannot be used: {problem}", problem)
        }
    }
}

fn size(layout: LayoutSummary) -> Text {
    let sections = tr!("{n} section" | "{n} sections" % layout.sections);
    let fields = tr!("{n} field" | "{n} fields" % layout.fields);
    Text::join(&[sections, fields], ", ")
}
