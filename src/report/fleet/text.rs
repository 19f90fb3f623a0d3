//! Fleet report as text: at most 60 lines, whatever the size of the fleet.

use std::fmt::Write as _;

use anstyle::Style;

use super::words::{self, RolloutLine};
use crate::records::fleet::{FleetReport, PortalOutcome, PortalRow};
use crate::report::style::{BAD, GOOD, HEADING, WARNING};
use crate::report::visible;

/// Number of groups of failures that are listed, with two lines each.
const MAX_GROUPS: usize = 15;

/// Number of groups beside a rollout, which takes up to nine lines.
const MAX_GROUPS_BESIDE_ROLLOUT: usize = 10;

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
    let failures = report.failures();
    if !failures.is_empty() {
        let _ = writeln!(out, "\n{HEADING}{}{HEADING:#}", tr!("Portals that need a person"));
    }
    let most = if report.rollout.is_some() { MAX_GROUPS_BESIDE_ROLLOUT } else { MAX_GROUPS };
    for group in failures.iter().take(most) {
        let cause: String = line(group.cause).chars().take(MAX_CAUSE).collect();
        let outcome = words::outcome(group.outcome);
        let number = group.portals.len();
        let _ = writeln!(out, "  {BAD}{number} {outcome}{BAD:#}: {cause}{}", new(&group.portals));
        let names = group.portals.iter().map(|row| row.portal.as_str());
        let _ = writeln!(out, "    {}", line(&words::names(names, MAX_NAMED)));
    }
    if let Some(more @ 1..) = failures.len().checked_sub(most) {
        let _ = writeln!(out, "  {}", tr!("and {n} more cause" | "and {n} more causes" % more));
    }
    let largest = report.largest(MAX_LARGEST);
    if !largest.is_empty() {
        let _ = writeln!(out, "\n{HEADING}{}{HEADING:#}", tr!("Largest changes"));
    }
    for row in largest {
        let (reset, people) = (row.counts.reset, row.counts.people);
        let what = tr!("{reset} cards of {people} people", reset, people);
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
        let hint = tr!("If that is meant, write under `spec` of the fleet:");
        let _ = writeln!(out, "{WARNING}{hint}{WARNING:#}\n  {}", words::acknowledgement(report));
    }
    let is_known = |row: &PortalRow| {
        !matches!(row.outcome, PortalOutcome::NeverSeen | PortalOutcome::NotReached)
    };
    let is_quiet = failures.is_empty() && report.violations.is_empty() && report.sums.reset == 0;
    if is_quiet && report.portals.iter().all(is_known) {
        let _ = writeln!(out, "{GOOD}{}{GOOD:#}", tr!("No changes."));
    }
    out
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
