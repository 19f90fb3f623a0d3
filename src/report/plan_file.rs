//! Plan file in every format: its resets, its guards, and its use.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use jiff::Timestamp;

use super::annotation::{Annotation, AnnotationLevel};
use super::humanize::Plural;
use super::junit::{CaseResult, TestCase};
use super::{csv, markdown, visible};
use crate::i18n::Text;
use crate::model::{Origin, SourceLocation};
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
    fn heading(&self) -> Text {
        let PlanFileContent { portal, caller: user, caller_name: name, .. } = self.content();
        tr!(
            "Plan {plan} for {portal}, as user {user} {name}",
            plan = self.file.id.short(),
            portal,
            user,
            name
        )
    }

    fn lines(&self) -> Vec<Text> {
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

    /// Writes the targets and their sums as Markdown, with a maximum number of rows.
    pub(super) fn markdown(&self, text: &mut String, rows: usize, listed: usize) {
        let content = self.content();
        if !content.violations.is_empty() {
            let _ =
                writeln!(text, "\n> [!CAUTION]\n> **{}**\n>", tr!("Apply will refuse this plan."));
            content.violations.iter().take(listed).for_each(|breach| {
                let _ = writeln!(text, "> - {breach}");
            });
        }
        if !content.acknowledged.is_empty() {
            let _ = writeln!(text, "\n{}\n", tr!("Acknowledged in the manifests:"));
            content.acknowledged.iter().take(listed).for_each(|breach| {
                let _ = writeln!(text, "- {breach}");
            });
        }
        if !content.targets.is_empty() {
            let _ = writeln!(text, "\n#### {}: {}", tr!("To reset"), content.targets.len());
        }
        if !content.targets.is_empty() && rows > 0 {
            let _ =
                writeln!(text, "\n| {} |\n|---|---|---|---|", tr!("target | who | what | from"));
            for target in content.targets.iter().take(rows) {
                let (name, what) =
                    (markdown::short(target.name.as_str()), markdown::short(&removal(target)));
                let _ = writeln!(
                    text,
                    "| `{}` | {name} | {what} | {} |",
                    target.key,
                    markdown::place(&target.origin)
                );
            }
        }
        if let Some(left @ 1..) = content.targets.len().checked_sub(rows) {
            let more =
                tr!("… and {left} more; `--output json=FILE` or `csv=FILE` has all of them.", left);
            let _ = writeln!(text, "\n{more}");
        }
        let _ = writeln!(text, "\n{}\n", markdown::short(&self.heading()));
        for line in self.lines().iter().take(listed) {
            let _ = writeln!(text, "- {}", markdown::short(line));
        }
    }

    /// Returns the sums of the decisions.
    pub(super) fn sums(&self) -> Text {
        let PlanCounts { keep, reset, hold } = self.content().counts;
        tr!("{reset} to reset, {keep} to keep, {hold} held.", reset, keep, hold)
    }

    /// Writes the targets as rows, with the headings of a plan.
    pub(super) fn csv(&self, table: &mut csv::Table) {
        table.row(&csv::PLAN_HEADINGS.each_ref().map(|heading| heading as &dyn fmt::Display));
        for PlanFileTarget { key, removal: what, generation, origin, name, also: _ } in
            &self.content().targets
        {
            let reason = match what {
                PlannedRemoval::Layout(_) => "customised",
                PlannedRemoval::Unread => "unread",
            };
            let user = key.user().map(|user| user.to_string()).unwrap_or_default();
            let generation = generation.as_ref().map(ToString::to_string).unwrap_or_default();
            table.row(&[
                key,
                &user,
                name,
                &key.lead,
                &"reset",
                &reason,
                &removal_text(*what),
                &"",
                &"",
                &generation,
                &origin.manifest,
                &origin.place.file,
                &origin.place.line,
                &origin.selector,
                &"",
            ]);
        }
    }

    /// Returns the targets as test cases. A planned reset is not a failure.
    pub(super) fn cases(&self) -> Vec<TestCase> {
        let case = |target: &PlanFileTarget| TestCase {
            class: target.origin.manifest.to_string(),
            name: target.key.to_string(),
            result: CaseResult::Passed(format!("reset: {}", removal(target))),
        };
        self.content().targets.iter().map(case).collect()
    }

    /// Returns the guards that block it, and the lines of the manifests behind its resets.
    pub(super) fn annotations(&self) -> Vec<Annotation> {
        let content = self.content();
        let breach = |breach: &crate::plan::Violation| Annotation {
            level: AnnotationLevel::Error,
            rule: breach.as_str().to_owned(),
            message: breach.to_string(),
            help: None,
            place: None,
        };
        let mut annotations: Vec<Annotation> = content.violations.iter().map(breach).collect();
        let mut resets: BTreeMap<&SourceLocation, (&Origin, u32)> = BTreeMap::new();
        for target in &content.targets {
            resets.entry(&target.origin.place).or_insert((&target.origin, 0)).1 += 1;
        }
        annotations.extend(resets.into_iter().map(|(place, (origin, cards))| Annotation {
            level: AnnotationLevel::Note,
            rule: "reset".to_owned(),
            message: format!("{} to reset ({})", Plural(cards, "card", "cards"), origin.selector),
            help: None,
            place: Some(place.clone()),
        }));
        annotations
    }
}

impl fmt::Display for PlanFileReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.content();
        writeln!(f, "{}", visible(&self.heading()))?;
        for line in self.lines() {
            writeln!(f, "  {}", visible(&line))?;
        }
        writeln!(f)?;
        let width =
            content.targets.iter().map(|target| target.key.to_string().len()).max().unwrap_or(0);
        let names = content
            .targets
            .iter()
            .map(|target| visible(target.name.as_str()).chars().count())
            .max()
            .unwrap_or(0);
        for target in &content.targets {
            let (key, name) = (target.key.to_string(), visible(target.name.as_str()));
            writeln!(f, "{}  {key:<width$}  {name:<names$}  {}", tr!("reset"), removal(target))?;
            let from = format!("{} {}", target.origin.place, target.origin.selector);
            writeln!(f, "       {}", visible(&from))?;
        }
        writeln!(f, "\n{} {}", tr!("Plan:"), self.sums())?;
        for breach in &content.acknowledged {
            writeln!(f, "{} {breach}", tr!("acknowledged:"))?;
        }
        for breach in &content.violations {
            writeln!(f, "{} {breach}", tr!("guard:"))?;
        }
        Ok(())
    }
}

/// Returns the content that the reset of a target removes, and its once key.
fn removal(target: &PlanFileTarget) -> String {
    let once =
        target.generation.as_ref().map(|generation| tr!(", once for {generation}", generation));
    format!("{}{}", removal_text(target.removal), once.unwrap_or_default())
}

fn removal_text(removal: PlannedRemoval) -> Text {
    match removal {
        PlannedRemoval::Layout(digest) => tr!("the layout {}", digest.short()),
        PlannedRemoval::Unread => tr!("without reading: no backup, no way back"),
    }
}

/// Returns a time for people and programs, to the second.
fn format_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
