//! Plan file in every format: its resets, its guards, and its use.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::review::kind_line;
use crate::engine::TargetOutcome;
use crate::i18n::Text;
use crate::model::{CardKey, CardKind, CardState, Layout, Observed, Snapshot};
use crate::plan::PlanCounts;
use crate::records::plan_file::{PlanFile, PlanFileContent, PlanFileTarget, PlannedRemoval};

/// Plan file for `recard show`. It names layouts by their digests alone: a format has their content
/// only if the portal was read again.
#[derive(Clone, Copy, Debug)]
pub struct PlanFileReport<'a> {
    /// The plan file.
    pub file: &'a PlanFile,
    /// The JSON of the file itself, which `apply` reads.
    pub json: &'a str,
    /// The time of its use, if the store knows it.
    pub used: Option<Timestamp>,
    /// The cards as they are now, if the portal was read again.
    pub present: Option<PresentCards<'a>>,
}

/// Cards of a plan file as they are now.
#[derive(Clone, Copy, Debug)]
pub struct PresentCards<'a> {
    /// What was read.
    pub snapshot: &'a Snapshot,
    /// The cards that an apply of the file would leave alone, sorted, with the reason.
    pub settled: &'a [TargetOutcome],
}

impl<'a> PresentCards<'a> {
    /// Returns the present layout of a card; `None` if it is at its default or was not read.
    pub(super) fn layout(&self, key: CardKey) -> Option<&'a Layout> {
        match self.snapshot.card(key)? {
            Observed::Known(CardState::Customized(layout)) => Some(layout),
            Observed::Known(CardState::Default | CardState::CommonDefault)
            | Observed::Unreadable(_) => None,
        }
    }

    /// Returns the common default that the portal shows in place of a card, if there is one.
    pub(super) fn common_default(&self, key: CardKey) -> Option<&'a Layout> {
        key.user().and(self.snapshot.common_defaults.get(&key.kind))
    }

    /// Returns the outcome of a card that an apply of the file would leave alone.
    pub(super) fn settled(&self, key: CardKey) -> Option<&'a TargetOutcome> {
        let index = self.settled.binary_search_by_key(&key, |settled| settled.key).ok()?;
        self.settled.get(index)
    }
}

impl PlanFileReport<'_> {
    fn content(&self) -> &PlanFileContent {
        &self.file.content
    }

    /// Returns the origin of the plan file, its expiry and its use.
    pub(super) fn heading(&self) -> Text {
        let PlanFileContent { portal, caller: user, caller_name: name, .. } = self.content();
        tr!(
            "Plan {plan} for {portal}, as user {user} {name}",
            plan = self.file.id.short(),
            portal,
            user,
            name
        )
    }

    pub(super) fn lines(&self) -> Vec<Text> {
        let content = self.content();
        let mut lines = vec![tr!(
            "made {made}, expires {expires}",
            made = format_time(content.created),
            expires = format_time(content.expires)
        )];
        for manifest in &content.manifests {
            let (name, reason, file) = (&manifest.name, &manifest.reason, &manifest.file);
            lines.push(tr!("manifest {name}: {reason} ({file})", name, reason, file));
        }
        let kinds = content.targets.iter().map(|target| target.key.kind);
        let kinds: BTreeSet<CardKind> = kinds.filter(|kind| kind.lead().is_none()).collect();
        lines.extend(kinds.into_iter().map(|kind| kind_line(kind, &content.kinds, str::to_owned)));
        lines.extend(content.commit.as_ref().map(|commit| tr!("commit {commit}", commit)));
        lines.extend(partial_if(content.narrowed));
        lines.push(use_line(self.used));
        let changed = self.present.map_or(0, |present| present.settled.len());
        if changed > 0 {
            lines.push(changed_line(changed));
        }
        lines
    }

    /// Returns the sums of the decisions.
    pub(super) fn sums(&self) -> Text {
        let PlanCounts { keep, reset, hold } = self.content().counts;
        tr!("{reset} to reset, {keep} to keep, {hold} held.", reset, keep, hold)
    }
}

/// Returns what the reset of a target removes, and for which generation.
pub(super) fn removal(target: &PlanFileTarget) -> Text {
    let removed = match target.removal {
        PlannedRemoval::Layout(digest) => tr!("the layout {}", digest.short()),
        PlannedRemoval::Unread => tr!("without reading: no backup, no undo"),
    };
    match &target.generation {
        Some(generation) => Text::join(&[removed, tr!(", once for {generation}", generation)], ""),
        None => removed,
    }
}

/// Returns the sentence on a narrowed plan, if it was narrowed.
pub(super) fn partial_if(is_narrowed: bool) -> Option<Text> {
    is_narrowed
        .then(|| tr!("Partial: narrowed on the command line; the manifests may select more cards."))
}

/// Returns the use of a plan file.
pub(super) fn use_line(used: Option<Timestamp>) -> Text {
    match used {
        Some(at) => tr!("used {}, and can be used only once", format_time(at)),
        None => tr!("not used here"),
    }
}

/// Returns the number of cards that are not as they were reviewed.
pub(super) fn changed_line(changed: usize) -> Text {
    tr!("read again: {n} card is not as it was reviewed, and would be left alone"
        | "read again: {n} cards are not as they were reviewed, and would be left alone" % changed)
}

/// Returns a time for people and programs, to the second.
pub(super) fn format_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
