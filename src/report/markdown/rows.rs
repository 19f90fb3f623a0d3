//! Rows of a report as Markdown: a table for each group, with what needs eyes first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Detail, MAX_LIST_ITEMS, diff_block, list, review, short};
use crate::i18n::Text;
use crate::model::{Origin, OutcomeClass, SourceLocation};
use crate::plan::diff::diff;
use crate::report::PlanReport;
use crate::report::alike::fold_alike;
use crate::report::report_model::{About, ReportModel, Row, RowGroup};

/// The groups that are tables, in the order in which they are read.
const TABLES: &[RowGroup] = &[
    RowGroup::Held,
    // The common cards come first by the order of targets, and they affect the most people.
    RowGroup::Reset,
    RowGroup::PutBack,
    RowGroup::CustomizedAgain,
    RowGroup::Outcome(OutcomeClass::Unknown),
    RowGroup::Outcome(OutcomeClass::Failed),
    RowGroup::Outcome(OutcomeClass::Skipped),
    RowGroup::Outcome(OutcomeClass::Done),
];

/// Writes the rows of every group.
pub(super) fn write(text: &mut String, model: &ReportModel<'_>, detail: Detail) {
    let of = |group: RowGroup| -> Vec<&Row<'_>> {
        model.rows.iter().filter(|row| row.group == Some(group)).collect()
    };
    for group in TABLES {
        let rows = of(*group);
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n#### {}: {}", title(*group), rows.len());
        match (group, detail.rows) {
            // Cards of a restore come from no line of the manifests.
            (RowGroup::PutBack | RowGroup::Held, 0) if has_no_origin(&rows) => {
                outcome_counts(text, &rows);
            }
            (RowGroup::PutBack | RowGroup::Held, _) if has_no_origin(&rows) => {
                outcomes(text, &rows, detail);
                contents(text, &rows, detail);
            }
            (RowGroup::Outcome(_), 0) => outcome_counts(text, &rows),
            (RowGroup::Outcome(_), _) => outcomes(text, &rows, detail),
            (RowGroup::Reset, _) => resets(text, model, &rows, detail),
            (_, 0) => line_counts(text, &rows),
            (_, _) => targets(text, &rows, detail),
        }
    }
    let held = of(RowGroup::NotTried);
    if !held.is_empty() {
        let _ = writeln!(text, "\n#### {}\n", tr!("Held, not tried: {}", held.len()));
        let room = detail.rows.min(MAX_LIST_ITEMS);
        for row in held.iter().take(room) {
            let _ = writeln!(text, "- {}: {}", key(row), short(&row.text.to_string()));
        }
        if let Some(left @ 1..) = held.len().checked_sub(room) {
            let _ = writeln!(text, "- {}", tr!("and {left} more", left));
        }
    }
}

fn title(group: RowGroup) -> Text {
    match group {
        RowGroup::Held => tr!("Held"),
        RowGroup::Reset => tr!("To reset"),
        RowGroup::PutBack => tr!("To put back"),
        RowGroup::CustomizedAgain => tr!("Kept, though customized again"),
        RowGroup::Outcome(OutcomeClass::Unknown) => tr!("Unknown"),
        RowGroup::Outcome(OutcomeClass::Failed) => tr!("Failed"),
        RowGroup::Outcome(OutcomeClass::Skipped) => tr!("Skipped"),
        RowGroup::Outcome(OutcomeClass::Done) => tr!("Done"),
        RowGroup::NotTried => Text::default(),
    }
}

/// Writes the cards to be reset: grouped by layout if the layouts are known, and one by one, folded
/// away.
fn resets(text: &mut String, model: &ReportModel<'_>, rows: &[&Row<'_>], detail: Detail) {
    let (About::Plan(PlanReport { plan, .. }), Some(review)) = (&model.about, &model.review) else {
        return match detail.rows {
            0 => line_counts(text, rows),
            _ => targets(text, rows, detail),
        };
    };
    if detail.groups == 0 {
        return line_counts(text, rows);
    }
    review::write(text, review, plan, detail);
    let all = tr!("{n} card, with its line of the manifests"
        | "{n} cards, with their lines of the manifests" % rows.len());
    let _ = writeln!(text, "\n<details><summary>{all}</summary>");
    match detail.rows {
        0 => line_counts(text, rows),
        _ => targets(text, rows, detail),
    }
    text.push_str("\n</details>\n");
}

/// Writes planned targets with the line of the manifests that each comes from.
fn targets(text: &mut String, rows: &[&Row<'_>], detail: Detail) {
    let _ = writeln!(text, "\n| {} |\n|---|---|---|---|", tr!("target | who | what | from"));
    let folded = fold_alike(rows);
    for (row, more) in folded.iter().take(detail.rows) {
        if text.len() > detail.limit {
            return;
        }
        let (name, what) = (short(row.name), short(&row.reason_text()));
        let place = row.origin.map(place).unwrap_or_default();
        let _ = writeln!(text, "| {} | {name} | {what} | {place} |", key(row));
        if *more > 0 {
            let alike = tr!("and {left} more", left = more);
            let _ = writeln!(text, "| {alike} | | {what} | |");
        }
    }
    if let Some(left @ 1..) = folded.len().checked_sub(detail.rows) {
        let more =
            tr!("… and {left} more; `--output json=FILE` or `csv=FILE` has all of them.", left);
        let _ = writeln!(text, "\n{more}");
    }
}

/// Writes the card before and after, folded away.
fn contents(text: &mut String, rows: &[&Row<'_>], detail: Detail) {
    for row in rows.iter().take(detail.diffs) {
        if text.len() > detail.limit {
            return;
        }
        let Some(key) = row.key.filter(|_| row.layout.or(row.afterwards).is_some()) else {
            continue;
        };
        let lines = diff(row.layout, row.afterwards);
        if lines.is_empty() {
            continue;
        }
        let name = short(row.name);
        let _ = writeln!(text, "\n<details><summary>{key} {name}</summary>");
        diff_block(text, &lines);
        text.push_str("\n</details>\n");
    }
}

/// Writes how many targets come from which line of the manifests.
fn line_counts(text: &mut String, rows: &[&Row<'_>]) {
    let mut groups: BTreeMap<&SourceLocation, (&Origin, usize)> = BTreeMap::new();
    for origin in rows.iter().filter_map(|row| row.origin) {
        groups.entry(&origin.place).or_insert((origin, 0)).1 += 1;
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    text.push('\n');
    list(text, "- ", &groups, |(origin, count)| format!("{}: {}", cards(*count), place(origin)));
}

fn outcomes(text: &mut String, rows: &[&Row<'_>], detail: Detail) {
    let _ = writeln!(text, "\n| {} |\n|---|---|---|", tr!("target | who | what"));
    for row in rows.iter().take(detail.rows) {
        let (name, what) = (short(row.name), short(&row.text.to_string()));
        let _ = writeln!(text, "| {} | {name} | {what} |", key(row));
    }
    if let Some(left @ 1..) = rows.len().checked_sub(detail.rows) {
        let is_run = rows.iter().any(|row| matches!(row.group, Some(RowGroup::Outcome(_))));
        let more = match is_run {
            true => tr!("… and {left} more; `recard show` has all of them.", left),
            false => {
                tr!("… and {left} more; `--output json=FILE` or `csv=FILE` has all of them.", left)
            }
        };
        let _ = writeln!(text, "\n{more}");
    }
}

fn has_no_origin(rows: &[&Row<'_>]) -> bool {
    rows.iter().all(|row| row.origin.is_none())
}

/// Writes how many targets have which outcome.
fn outcome_counts(text: &mut String, rows: &[&Row<'_>]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(row.reason).or_default() += 1;
    }
    text.push('\n');
    for (word, count) in counts {
        let _ = writeln!(text, "- {count}: {word}");
    }
}

fn key(row: &Row<'_>) -> String {
    row.key.map(|key| format!("`{key}`")).unwrap_or_default()
}

/// Returns the line of the manifests that a target comes from, and the selector there.
fn place(origin: &Origin) -> String {
    let line = format!("{}:{}", origin.place.file, origin.place.line);
    format!("{} {}", short(&line), short(&origin.selector.to_string()))
}

fn cards(number: impl TryInto<u64> + Copy + std::fmt::Display) -> Text {
    tr!("{n} card" | "{n} cards" % number)
}
