//! Plan file in every format: its resets, its guards, and its use.

use jiff::Timestamp;

use crate::i18n::Text;
use crate::plan::PlanCounts;
use crate::records::plan_file::{PlanFile, PlanFileContent, PlanFileTarget, PlannedRemoval};

/// Plan file for `recard show`. It names layouts by their digests alone, so no format has their
/// content.
#[derive(Clone, Copy, Debug)]
pub struct PlanFileReport<'a> {
    /// The plan file.
    pub file: &'a PlanFile,
    /// The JSON of the file itself, which `apply` reads.
    pub json: &'a str,
    /// The time of its use, if the store knows it.
    pub used: Option<Timestamp>,
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
        lines.extend(content.commit.as_ref().map(|commit| tr!("commit {commit}", commit)));
        lines.push(match self.used {
            Some(at) => tr!("used {}, and a plan is carried out once", format_time(at)),
            None => tr!("not used here"),
        });
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
        PlannedRemoval::Unread => tr!("without reading: no backup, no way back"),
    };
    match &target.generation {
        Some(generation) => Text::join(&[removed, tr!(", once for {generation}", generation)], ""),
        None => removed,
    }
}

/// Returns a time for people and programs, to the second.
fn format_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
