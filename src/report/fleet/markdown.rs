//! Fleet report as Markdown, for a comment that is edited in place: at most 60,000 characters.

use std::fmt::Write as _;

use super::words::{self, RolloutLine};
use crate::records::fleet::FleetReport;
use crate::report::escape::{markdown, visible_line};
use crate::report::markdown::marker;
use crate::report::{Purpose, RenderOptions};

/// Maximum size in bytes, below that of a comment.
const LIMIT: usize = 60_000;

/// Amounts of detail: groups of failures, names in a group, and rows of portals with changes.
const STEPS: &[(usize, usize, usize)] = &[
    (100, 100, 1_000),
    (50, 50, 300),
    (30, 20, 100),
    (20, 10, 30),
    (10, 5, 10),
    (5, 3, 0),
    (0, 0, 0),
];

/// Maximum length of a cause, in characters.
const MAX_CAUSE: usize = 300;

/// Renders the report with as much detail as the limits have room for.
pub(super) fn render(report: &FleetReport, options: &RenderOptions) -> String {
    let limit = LIMIT.min(options.markdown_limit);
    let mut text = String::new();
    for step in STEPS {
        text = with_detail(report, options, *step);
        if text.len() <= limit {
            break;
        }
    }
    text
}

fn with_detail(
    report: &FleetReport,
    options: &RenderOptions,
    (groups, names, rows): (usize, usize, usize),
) -> String {
    let cell = |text: &str| {
        let short: String = text.chars().take(MAX_CAUSE).collect();
        markdown(&visible_line(&short)).replace('|', "\\|")
    };
    let mut out = String::new();
    // That of a command that fails before it knows its fleet.
    let purpose = match report.command.as_str() {
        "plan" => Purpose::Plan,
        "drift" => Purpose::Drift,
        "apply" => Purpose::Apply,
        _ => Purpose::Show,
    };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{}", marker(purpose, &options.marker));
    let _ = writeln!(out, "### {}\n", cell(&words::headline(report)));
    let _ = writeln!(
        out,
        "{}\n",
        cell(&tr!("Only card layouts change. No lead, contact or deal data is touched."))
    );
    let _ = writeln!(out, "**{}**\n", cell(&words::totals(report)));
    let _ = writeln!(out, "{}\n", cell(&words::sums(report)));
    for RolloutLine { text, is_alarm } in words::rollout(report) {
        let (begin, end) = if is_alarm { ("> **", "**") } else { ("", "") };
        let _ = writeln!(out, "{begin}{}{end}\n", cell(&text));
    }
    for found in &report.violations {
        let _ = writeln!(out, "> **{}**\n", cell(&words::violation(found)));
    }
    if !report.violations.is_empty() {
        let _ = writeln!(out, "{}\n", tr!("If this is intended, add under `spec` of the fleet:"));
        let _ = writeln!(out, "```yaml\n{}\n```\n", words::acknowledgement(report));
    }
    if let Some(text) = words::stopped(report) {
        let _ = writeln!(out, "> **{}**\n", cell(&text));
    }
    let listed = [
        (tr!("Portals that need a person"), report.failures()),
        (tr!("Paused portals"), report.paused()),
    ];
    for (heading, listed) in listed.iter().filter(|(_, listed)| !listed.is_empty()) {
        let _ = writeln!(out, "#### {heading}\n");
        let _ = writeln!(out, "| | | {} | {} |\n|---:|---|---|---|", tr!("cause"), tr!("portals"));
        for group in listed.iter().take(groups) {
            let portals = group.portals.iter().map(|row| row.portal.as_str());
            let new = group.portals.iter().filter(|row| row.new).count();
            let new = if new > 0 {
                format!(" ({})", tr!("{number} new", number = new))
            } else {
                String::new()
            };
            let _ = writeln!(
                out,
                "| {} | {}{new} | {} | {} |",
                group.portals.len(),
                words::outcome(group.outcome),
                cell(group.cause),
                markdown(&visible_line(&words::names(portals, names)))
            );
        }
        if let Some(more @ 1..) = listed.len().checked_sub(groups) {
            let _ = writeln!(out, "\n{}", tr!("and {n} more cause" | "and {n} more causes" % more));
        }
        let _ = writeln!(out);
    }
    let changed = report.largest(usize::MAX);
    if !changed.is_empty() && rows > 0 {
        let _ = writeln!(
            out,
            "\n<details><summary>{}</summary>\n\n| {} | {} | {} | {} |\n|---|---|---:|---:|",
            tr!("{n} portal with changes" | "{n} portals with changes" % changed.len()),
            tr!("portal"),
            tr!("wave"),
            tr!("cards"),
            tr!("people")
        );
        for row in changed.iter().take(rows) {
            let new = if row.new { format!(" ({})", tr!("new")) } else { String::new() };
            let (reset, people) = (row.counts.reset, row.counts.people);
            let _ = writeln!(
                out,
                "| {}{new} | {} | {reset} | {people} |",
                cell(&row.portal),
                cell(&row.wave)
            );
        }
        if let Some(more @ 1..) = changed.len().checked_sub(rows) {
            let _ =
                writeln!(out, "\n{}", tr!("and {n} more portal" | "and {n} more portals" % more));
        }
        out.push_str("\n</details>\n");
    }
    out
}
