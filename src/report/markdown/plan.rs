//! Plan as Markdown: first the guards that block it, then held cards, then resets.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Detail, MAX_LIST_ITEMS, manifests, more, short};
use crate::diagnostic::strip_controls;
use crate::i18n::Text;
use crate::model::{Origin, SourceLocation};
use crate::plan::diff::diff;
use crate::plan::{Decision, KeepReason, PlannedTarget};
use crate::report::escape::{markdown, references};
use crate::report::report_model::{once_lines, reason_text};
use crate::report::text::plan::{apply_takes, portal};
use crate::report::{Commit, DiffDetail, Effective, PlanReport};

/// Writes the part below the headline.
pub(super) fn write_plan(text: &mut String, report: &PlanReport<'_>, detail: Detail) {
    let plan = report.plan;
    guards(text, report);
    let held = plan.targets.iter().filter(|target| matches!(target.decision, Decision::Hold(_)));
    let held: Vec<&PlannedTarget> = held.collect();
    // Common cards come first by the order of targets, and affect the most people.
    let resets: Vec<&PlannedTarget> = plan.resets().collect();
    let again: Vec<&PlannedTarget> = plan
        .targets
        .iter()
        .filter(|target| matches!(target.decision, Decision::Keep(KeepReason::CustomizedAgain(_))))
        .collect();
    for (title, targets) in [
        (tr!("Held"), held),
        (tr!("To reset"), resets),
        (tr!("Kept, though customised again"), again),
    ] {
        if !targets.is_empty() {
            let _ = writeln!(text, "\n#### {title}: {}", targets.len());
            planned(text, report, &targets, detail);
        }
    }
    let once = once_lines(plan);
    // The headline of drift has the kinds already.
    if !once.is_empty() && report.drift.is_none() {
        text.push('\n');
        for line in once.iter().take(MAX_LIST_ITEMS) {
            // Once keys have letters, digits, dots, hyphens and underscores only.
            let _ = writeln!(text, "- {line}");
        }
        more(text, "- ", once.len());
    }
    let counts = plan.counts();
    if counts.reset > 0 {
        let _ = writeln!(text, "\n{}", apply_takes(&report.cost));
    }
    warnings(text, report);
    let portal = portal(&markdown(plan.portal.as_str()), report.caller.emulator);
    let (user, name) = (report.caller.user, short(report.caller.name.as_str()));
    let _ =
        writeln!(text, "\n{}", tr!("{portal}, read as user {user} {name}.", portal, user, name));
    manifests(text, &report.manifests);
    for (file, Commit { id, author, date }) in report.commits.iter().take(MAX_LIST_ITEMS) {
        let _ = writeln!(
            text,
            "- {}: {}",
            short(file),
            tr!("commit {id} of {date} by {author}", id = short(id), date, author = short(author))
        );
    }
}

/// Writes the guards that block the plan, and the lines that would allow it.
fn guards(text: &mut String, report: &PlanReport<'_>) {
    let guards = &report.plan.guards;
    if !guards.holds() {
        let _ = writeln!(text, "\n> [!CAUTION]\n> **{}**\n>", tr!("Apply will refuse this plan."));
        for breach in guards.violations.iter().take(MAX_LIST_ITEMS) {
            let _ = writeln!(text, "> - {}", markdown(&breach.to_string()));
        }
        more(text, "> - ", guards.violations.len());
        for advice in guards.advice() {
            let length: usize = advice.lines().map(str::len).sum();
            if length >= 2_000 {
                let _ = writeln!(
                    text,
                    ">\n> {}",
                    tr!("`recard plan` shows the lines that would allow exactly this.")
                );
                continue;
            }
            let _ = writeln!(text, ">\n> {advice}");
            if length > 0 {
                text.push_str(">\n> ```yaml\n");
                for line in advice.lines() {
                    let _ = writeln!(text, "> {line}");
                }
                text.push_str("> ```\n");
            }
        }
    }
    if !guards.acknowledged.is_empty() {
        let _ = writeln!(text, "\n{}\n", tr!("Acknowledged in the manifests:"));
        for breach in guards.acknowledged.iter().take(MAX_LIST_ITEMS) {
            let _ = writeln!(text, "- {}", markdown(&breach.to_string()));
        }
        more(text, "- ", guards.acknowledged.len());
    }
}

/// Writes targets by their line in the manifests.
fn planned(text: &mut String, report: &PlanReport<'_>, targets: &[&PlannedTarget], detail: Detail) {
    let mut groups: BTreeMap<&SourceLocation, (&Origin, Vec<&PlannedTarget>)> = BTreeMap::new();
    for target in targets {
        groups
            .entry(&target.origin.place)
            .or_insert_with(|| (&target.origin, Vec::new()))
            .1
            .push(target);
    }
    if detail.rows == 0 {
        text.push('\n');
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|(_, targets)| std::cmp::Reverse(targets.len()));
        for (origin, of_line) in groups.iter().take(MAX_LIST_ITEMS) {
            let _ = writeln!(text, "- {}: {}", cards(of_line.len()), place(origin));
        }
        more(text, "- ", groups.len());
        return;
    }
    let _ = writeln!(text, "\n| {} |\n|---|---|---|---|", tr!("target | who | what | from"));
    for target in targets.iter().take(detail.rows) {
        if text.len() > detail.limit {
            return;
        }
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            target.key,
            short(report.plan.person_name(target.key)),
            short(&reason_text(target)),
            place(&target.origin)
        );
    }
    if let Some(effective) = report.effective {
        write_visible_cards(text, report, targets, effective);
    }
    if let Some(left @ 1..) = targets.len().checked_sub(detail.rows) {
        let _ = writeln!(
            text,
            "\n{}",
            tr!("… and {left} more; `--output json=FILE` or `csv=FILE` has all of them.", left)
        );
    }
    match detail.content {
        DiffDetail::Hidden => {}
        DiffDetail::Shown => contents(text, report, targets, detail.limit),
    }
}

/// Writes the number of people by the cards that they will see afterwards: most of them see the
/// same.
fn write_visible_cards(
    text: &mut String,
    report: &PlanReport<'_>,
    targets: &[&PlannedTarget],
    effective: &Effective,
) {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for target in targets {
        let common = effective.common_view(target.key.lead);
        let sight = match Effective::own_view(report.plan, target) {
            Some(own) => tr!("own view: {own}; common view: {common}", own, common),
            None => tr!("common view: {common}", common),
        };
        *counts.entry(sight.to_string()).or_default() += 1;
    }
    let seen = tr!("Seen afterwards (which view a person looks at cannot be read):");
    let _ = writeln!(text, "\n{seen}\n");
    for (sight, count) in counts {
        let _ = writeln!(text, "- {}: {sight}", cards(count));
    }
}

/// Writes the lost layouts, folded.
fn contents(text: &mut String, report: &PlanReport<'_>, targets: &[&PlannedTarget], limit: usize) {
    for target in targets {
        if text.len() > limit {
            return;
        }
        let Some(layout) = target.decision.layout() else { continue };
        let name = short(report.plan.person_name(target.key));
        let _ = writeln!(text, "\n<details><summary>{} {name}</summary>\n\n<pre>", target.key);
        for line in diff(Some(layout), report.plan.common_default(target.key)) {
            let _ = writeln!(
                text,
                "{}{}",
                references(line.change.sign()),
                references(&strip_controls(&line.text))
            );
        }
        text.push_str("</pre>\n</details>\n");
    }
}

fn warnings(text: &mut String, report: &PlanReport<'_>) {
    if !report.warnings.is_empty() {
        let _ = writeln!(text, "\n#### {}\n", tr!("Warnings"));
        for warning in report.warnings.iter().take(MAX_LIST_ITEMS) {
            let _ = writeln!(text, "- {}", short(&warning.to_string()));
        }
        more(text, "- ", report.warnings.len());
    }
}

/// Returns the line of a target in the manifests, and the selector there.
pub(in crate::report) fn place(origin: &Origin) -> String {
    format!(
        "{} {}",
        short(&format!("{}:{}", origin.place.file, origin.place.line)),
        short(&origin.selector.to_string())
    )
}

fn cards(number: impl TryInto<u64> + Copy + std::fmt::Display) -> Text {
    tr!("{n} card" | "{n} cards" % number)
}
