//! Fleet report as one page that needs no network: a row for each portal, to sort and to filter.
//!
//! The rows stand in the document, so that the page is complete without its script.

use std::fmt::Write as _;

use super::words::{self, RolloutLine};
use crate::i18n::{Language, current_language};
use crate::model::PortalId;
use crate::records::Anonymizer;
use crate::records::fleet::{FleetReport, PortalOutcome, PortalRow};
use crate::report::RenderOptions;
use crate::report::html::{STYLE, filled, policy, text};

const FRAME: &str = include_str!("page.html");
const OWN_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Maximum length of a cause, in characters: a thousand rows stay below two megabytes.
const MAX_CAUSE: usize = 300;

/// Renders the report, with an anonymizer without names and free texts.
pub(super) fn render(report: &FleetReport, options: &RenderOptions) -> String {
    match &options.sanitizer {
        None => page(report),
        Some(anonymizer) => page(&sanitized(report, anonymizer)),
    }
}

/// Returns the report with its names and free texts replaced; equal ones have equal replacements.
fn sanitized(report: &FleetReport, anonymizer: &Anonymizer) -> FleetReport {
    let mut report = report.clone();
    report.fleet = anonymizer.replaced("fleet", &report.fleet);
    report.reason = anonymizer.replaced("text", &report.reason);
    // Waves, actors and causes are names and free texts.
    report.rollout = None;
    report.workers.clear();
    for row in &mut report.portals {
        row.portal = match PortalId::new(&row.portal) {
            Ok(portal) => anonymizer.portal(&portal).to_string(),
            Err(_) => anonymizer.replaced("portal", &row.portal),
        };
        if !row.cause.is_empty() {
            row.cause = anonymizer.replaced("cause", &row.cause);
        }
        row.shown_cause.clear();
        row.labels.values_mut().for_each(|value| *value = anonymizer.replaced("label", value));
    }
    report
}

fn page(report: &FleetReport) -> String {
    let style = format!("{STYLE}{OWN_STYLE}");
    let title = words::headline(report);
    filled(FRAME, |part| match part {
        "lang" => match current_language() {
            Language::Russian => "ru".to_owned(),
            _ => "en".to_owned(),
        },
        "policy" => policy(SCRIPT, &style),
        "version" => env!("CARGO_PKG_VERSION").to_owned(),
        "title" => text(&title),
        "made" => report.made.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        "style" => style.clone(),
        "script" => SCRIPT.to_owned(),
        "header" => header(report),
        "w-search" => text(&tr!("Search portals, labels, causes")),
        "w-outcome" => text(&tr!("outcome")),
        "w-all" => text(&tr!("all outcomes")),
        "outcomes" => outcomes(report),
        "headings" => headings(),
        "rows" => report.portals.iter().map(row).collect(),
        _ => String::new(),
    })
}

fn header(report: &FleetReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<p>{}</p>", text(&report.reason));
    let _ = writeln!(out, "<p><b>{}</b></p>", text(&words::totals(report)));
    let _ = writeln!(out, "<p>{}</p>", text(&words::sums(report)));
    for RolloutLine { text: line, is_alarm } in words::rollout(report) {
        let class = if is_alarm { " class=\"alarm\"" } else { "" };
        let _ = writeln!(out, "<p{class}>{}</p>", text(&line));
    }
    if let Some(stopped) = words::stopped(report) {
        let _ = writeln!(out, "<p class=\"alarm\">{}</p>", text(&stopped));
    }
    for found in &report.violations {
        let _ = writeln!(out, "<p class=\"alarm\">{}</p>", text(&words::violation(found)));
    }
    if !report.violations.is_empty() {
        let _ = writeln!(out, "<pre>{}</pre>", text(&words::acknowledgement(report)));
    }
    out
}

fn outcomes(report: &FleetReport) -> String {
    let there = PortalOutcome::ALL.iter().filter(|outcome| report.totals.contains_key(outcome));
    let option = |outcome: &PortalOutcome| {
        let label = text(&words::outcome(*outcome));
        format!("<option value=\"{}\">{label}</option>", outcome.as_str())
    };
    there.map(option).collect()
}

fn headings() -> String {
    let headings = [
        tr!("portal"),
        tr!("wave"),
        tr!("outcome"),
        tr!("cards"),
        tr!("people"),
        tr!("held"),
        tr!("cause"),
        tr!("labels"),
        tr!("run"),
    ];
    headings.iter().map(|heading| format!("<th>{}</th>", text(heading))).collect()
}

fn row(row: &PortalRow) -> String {
    let class = match row.outcome {
        one if one.is_failure() => " class=\"bad\"",
        one if one.is_pending() => " class=\"pending\"",
        _ => "",
    };
    let labels = row.labels.iter().map(|(key, value)| format!("{key}={value}"));
    let labels = labels.collect::<Vec<_>>().join(" ");
    let cause: String = row.cause.chars().take(MAX_CAUSE).collect();
    let outcome = match row.new {
        true => format!("{} ({})", words::outcome(row.outcome), tr!("new")),
        false => words::outcome(row.outcome).to_string(),
    };
    let counts = &row.counts;
    format!(
        "<tr{class} data-o=\"{}\"><td>{}<td>{}<td>{}<td class=n>{}<td class=n>{}<td class=n>{}<td>{}<td>{}<td>{}\n",
        row.outcome.as_str(),
        text(&row.portal),
        text(&row.wave),
        text(&outcome),
        counts.reset,
        counts.people,
        counts.hold,
        text(&cause),
        text(&labels),
        text(row.run.as_deref().unwrap_or_default()),
    )
}
