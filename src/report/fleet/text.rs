//! Fleet report as text: at most 60 lines, whatever the size of the fleet.

use std::fmt::Write as _;

use anstyle::Style;

use super::words::{self, RolloutLine};
use crate::records::fleet::{CauseGroup, FleetReport, PortalRow};
use crate::report::style::{BAD, GOOD, HEADING, WARNING};
use crate::report::visible;

/// Number of groups of failures that are listed, with two lines each.
const MAX_GROUPS: usize = 15;

/// Number of groups beside a rollout, which takes up to nine lines.
const MAX_GROUPS_BESIDE_ROLLOUT: usize = 10;

/// Number of groups of paused portals that are listed.
const MAX_PAUSES: usize = 3;

/// Number of portals of a group that are named.
const MAX_NAMED: usize = 5;

/// Number of the largest changes that are listed.
const MAX_LARGEST: usize = 10;

/// Maximum width of a cause, in characters.
const MAX_CAUSE: usize = 200;

/// Renders the report.
pub(super) fn render(report: &FleetReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{HEADING}{}{HEADING:#}", line(&words::headline(report)));
    let _ = writeln!(out, "  {}", line(&words::totals(report)));
    let _ = writeln!(out, "  {}", words::sums(report));
    for RolloutLine { text, is_alarm } in words::rollout(report) {
        let style = if is_alarm { BAD } else { Style::new() };
        let _ = writeln!(out, "  {style}{}{style:#}", line(&text));
    }
    let (failures, paused) = (report.failures(), report.paused());
    let most = if report.rollout.is_some() { MAX_GROUPS_BESIDE_ROLLOUT } else { MAX_GROUPS };
    // The lines of pauses are taken from those of failures.
    let of_pauses = paused.len().min(MAX_PAUSES);
    let most = if of_pauses > 0 { most - of_pauses - 2 } else { most };
    add_groups(&mut out, &tr!("Portals that need a person"), BAD, &failures, most);
    add_groups(&mut out, &tr!("Paused portals"), WARNING, &paused, MAX_PAUSES);
    let largest = report.largest(MAX_LARGEST);
    if !largest.is_empty() {
        let _ = writeln!(out, "\n{HEADING}{}{HEADING:#}", tr!("Largest changes"));
    }
    for row in largest {
        let (reset, people) = (row.counts.reset, row.counts.people);
        let what = words::cards_of(reset, people);
        let new = new(&[row]);
        let _ = writeln!(out, "  {:<32} {what} ({}){new}", line(&row.portal), line(&row.wave));
    }
    if let Some(text) = words::stopped(report) {
        let _ = writeln!(out, "\n{BAD}{}{BAD:#}", line(&text));
    }
    for found in &report.violations {
        let _ = writeln!(out, "\n{BAD}{}{BAD:#}", words::violation(found));
    }
    if !report.violations.is_empty() {
        let hint = tr!("If this is intended, add under `spec` of the fleet:");
        let _ = writeln!(out, "{WARNING}{hint}{WARNING:#}\n  {}", words::acknowledgement(report));
    }
    if report.is_quiet() {
        let _ = writeln!(out, "{GOOD}{}{GOOD:#}", tr!("No changes."));
    }
    out
}

/// Adds groups of portals, with two lines each.
fn add_groups(
    out: &mut String,
    heading: &str,
    style: Style,
    groups: &[CauseGroup<'_>],
    most: usize,
) {
    if !groups.is_empty() {
        let _ = writeln!(out, "\n{HEADING}{heading}{HEADING:#}");
    }
    for group in groups.iter().take(most) {
        let cause: String = line(group.cause).chars().take(MAX_CAUSE).collect();
        let (number, outcome) = (group.portals.len(), words::outcome(group.outcome));
        let new = new(&group.portals);
        let _ = writeln!(out, "  {style}{number} {outcome}{style:#}: {cause}{new}");
        let names = group.portals.iter().map(|row| row.portal.as_str());
        let _ = writeln!(out, "    {}", line(&words::names(names, MAX_NAMED)));
    }
    if let Some(more @ 1..) = groups.len().checked_sub(most) {
        let _ = writeln!(out, "  {}", tr!("and {n} more cause" | "and {n} more causes" % more));
    }
}

fn line(text: &str) -> String {
    visible(text).replace('\n', " ")
}

/// Returns the mark of rows that an earlier report did not have.
fn new(rows: &[&PortalRow]) -> String {
    match rows.iter().filter(|row| row.new).count() {
        0 => String::new(),
        number if number == rows.len() => format!(" [{}]", tr!("new")),
        number => format!(" [{}]", tr!("{number} new", number)),
    }
}
