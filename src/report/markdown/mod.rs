//! Markdown for a comment on a pull request: the most important parts first, and never more than
//! the limit.
//!
//! The first line is an invisible comment, by which a pipeline finds and edits its own comment. The
//! same report is rendered with less and less detail until it fits: first without the content of
//! cards, then with fewer rows, then with counts alone. A limit is therefore never an error.

mod plan;
mod run;

pub(super) use plan::place;

use std::fmt::Write as _;

use super::annotation::annotations;
use super::escape::markdown;
use super::humanize::truncate_to_width;
use super::report_model::warnings;
use super::text::plan::{as_wanted, sums};
use super::{
    DiffDetail, FailureReport, PlanFileReport, PlanReport, Purpose, RenderOptions, Report,
    ReportedRun, Subject, ValidationReport,
};
use crate::i18n::Text;
use crate::model::Totals;
use crate::plan::{Drift, DriftKind, Plan};

/// Number of rows of the tables, step by step; the last step has counts alone.
const ROWS: &[usize] =
    &[100_000, 20_000, 5_000, 2_000, 1_000, 600, 400, 250, 150, 90, 50, 25, 10, 0];

/// Maximum length of a person's text, in characters.
const MAX_TEXT_CHARS: usize = 300;

/// Number of manifests, guards and selectors that are listed; a report rarely has more.
const MAX_LIST_ITEMS: usize = 20;

/// Amount of detail.
#[derive(Clone, Copy)]
struct Detail {
    rows: usize,
    content: DiffDetail,
    /// The limit beyond which the rendering stops, because less detail will be tried.
    limit: usize,
}

/// Renders the report in Markdown, within the limit of the options.
pub(super) fn render(report: &Report<'_>, options: &RenderOptions) -> String {
    let marker = marker(report.purpose, &options.marker);
    let limit = options.markdown_limit;
    let steps = ROWS.iter().map(|rows| Detail { rows: *rows, content: DiffDetail::Hidden, limit });
    let whole = Detail { rows: usize::MAX, content: options.content, limit };
    for detail in std::iter::once(whole).chain(steps) {
        let text = format!("{marker}\n{}", body(report, detail));
        if text.len() <= options.markdown_limit {
            return text;
        }
    }
    // Reached only with a limit below the size of a headline.
    let headline = format!("{marker}\n{}", headline(report));
    let fits =
        |index: &usize| *index <= options.markdown_limit && headline.is_char_boundary(*index);
    let end = (0..=headline.len()).rev().find(fits).unwrap_or(0);
    headline.get(..end).unwrap_or_default().to_owned()
}

/// Returns the marker line by which a pipeline finds its comment. It depends on the purpose of the
/// command and on the name that the pipeline chose, and on nothing that changes from run to run.
fn marker(purpose: Purpose, name: &str) -> String {
    match name {
        "" => format!("<!-- recard:{} -->", purpose.as_str()),
        name => format!("<!-- recard:{}:{name} -->", purpose.as_str()),
    }
}

fn headline(report: &Report<'_>) -> String {
    let word = report.purpose.as_str();
    match &report.subject {
        Subject::Plan(PlanReport { drift: Some(drift), .. }) => drifted(drift),
        Subject::Plan(PlanReport { plan, .. }) => planned(word, plan),
        Subject::Run(run) => settled(word, run),
        Subject::PlanFile(shown) => plan_file(word, shown),
        Subject::Validation(checked) => validated(word, checked),
        Subject::Failure(_) => format!("### ❌ {}\n", tr!("recard {word} failed", word)),
    }
}

fn planned(word: &str, plan: &Plan) -> String {
    let counts = plan.counts();
    if plan.is_noop() {
        let title = tr!("recard {word}: nothing to do", word);
        return format!("### ✅ {title}\n\n{}\n", as_wanted(counts.keep));
    }
    let sign = if !plan.guards.holds() {
        "🛑"
    } else if counts.hold > 0 {
        "⚠️"
    } else {
        "📋"
    };
    let title = tr!(
        "recard {word}: {n} card to reset" | "recard {word}: {n} cards to reset" % counts.reset,
        word
    );
    format!("### {sign} {title}\n\n{}\n", sums(plan))
}

fn plan_file(word: &str, shown: &PlanFileReport<'_>) -> String {
    let content = &shown.file.content;
    let sign = if content.violations.is_empty() { "📋" } else { "🛑" };
    let title = tr!(
        "recard {word}: {n} card to reset"
            | "recard {word}: {n} cards to reset" % content.counts.reset,
        word
    );
    format!("### {sign} {title}\n\n{}\n", shown.sums())
}

fn settled(word: &str, run: &ReportedRun<'_>) -> String {
    let totals @ Totals { done, skipped, failed, unknown } = run.totals();
    let held = run.held.len();
    let sign = if failed > 0 || unknown > 0 || run.stopped.is_some() {
        "❌"
    } else if held > 0 {
        "⚠️"
    } else {
        "✅"
    };
    let title = tr!(
        "recard {word}: {done} of {n} card done"
            | "recard {word}: {done} of {n} cards done" % totals.planned(),
        word,
        done
    );
    let sums = tr!(
        "{skipped} skipped, {failed} failed, {unknown} unknown, {held} held.",
        skipped,
        failed,
        unknown,
        held
    );
    format!("### {sign} {title}\n\n{sums}\n")
}

fn validated(word: &str, checked: &ValidationReport<'_>) -> String {
    let errors = checked.diagnostics.iter().filter(|found| found.is_error()).count();
    let warnings = warnings(checked.diagnostics.len() - errors);
    let title = match errors {
        0 => format!("✅ {}", tr!("recard {word}: the manifests are valid", word)),
        _ => {
            let problems = tr!(
                "recard {word}: {n} problem in the manifests"
                    | "recard {word}: {n} problems in the manifests" % errors,
                word
            );
            format!("❌ {problems}")
        }
    };
    format!("### {title}\n\n{warnings}.\n")
}

fn drifted(drift: &Drift) -> String {
    let Some(fingerprint) = drift.fingerprint() else {
        return format!("### ✅ {}\n\n{}\n", tr!("recard drift: none"), as_wanted(drift.settled));
    };
    let title = tr!("recard drift: {n} card drifted"
        | "recard drift: {n} cards drifted" % drift.pending().count());
    let mut text = format!("### ⚠️ {title}\n\n");
    let kinds = DriftKind::ALL.into_iter().filter(|kind| drift.count(*kind) > 0);
    for kind in kinds {
        let allowed =
            if kind.is_pending() { Text::default() } else { tr!(" (allowed by mode once)") };
        let _ = writeln!(text, "- {} {kind}{allowed}", drift.count(kind));
    }
    for problem in drift.gone.iter().take(MAX_LIST_ITEMS) {
        let _ = writeln!(text, "- {}", tr!("gone: {}", short(&problem.message)));
    }
    more(&mut text, "- ", drift.gone.len());
    let _ = writeln!(
        text,
        "\n{}",
        tr!("Fingerprint {fingerprint}", fingerprint = format_args!("`{fingerprint}`"))
    );
    text
}

fn body(report: &Report<'_>, detail: Detail) -> String {
    let mut text = headline(report);
    match &report.subject {
        Subject::Plan(plan) => plan::write_plan(&mut text, plan, detail),
        Subject::Run(run) => run::write_run(&mut text, run, detail),
        Subject::PlanFile(shown) => shown.markdown(&mut text, detail.rows, MAX_LIST_ITEMS),
        Subject::Validation(checked) => write_problems(&mut text, report, checked, detail),
        Subject::Failure(failed) => write_failure(&mut text, failed),
    }
    text
}

/// Writes name and reason of each manifest.
fn manifests(text: &mut String, manifests: &[(&str, &str)]) {
    if !manifests.is_empty() {
        text.push('\n');
        for (name, reason) in manifests.iter().take(MAX_LIST_ITEMS) {
            let _ = writeln!(text, "- {}: {}", short(name), short(reason));
        }
        more(text, "- ", manifests.len());
    }
}

fn write_problems(
    text: &mut String,
    report: &Report<'_>,
    checked: &ValidationReport<'_>,
    detail: Detail,
) {
    if let Some(portal) = checked.portal {
        let _ = writeln!(text, "\n{}", tr!("For the portal {}.", markdown(portal)));
    }
    let annotations = annotations(report);
    if annotations.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n| {} |\n|---|---|---|", tr!("where | code | what"));
    let room = detail.rows.max(5);
    for annotation in annotations.iter().take(room) {
        let help =
            annotation.help.as_ref().map(|help| format!("<br>{}", short(help))).unwrap_or_default();
        let place = annotation
            .place
            .as_ref()
            .map(|place| format!("{}:{}", place.file, place.line))
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "| {} | {} | {}{help} |",
            short(&place),
            annotation.rule,
            short(&annotation.message)
        );
    }
    if let Some(left @ 1..) = annotations.len().checked_sub(room) {
        let _ = writeln!(text, "\n{}", tr!("… and {left} more.", left));
    }
}

fn write_failure(text: &mut String, failed: &FailureReport<'_>) {
    text.push('\n');
    for message in failed.chain.iter().take(MAX_LIST_ITEMS) {
        let _ = writeln!(text, "- {}", short(message));
    }
    for hint in failed.hints.iter().take(MAX_LIST_ITEMS) {
        let _ = writeln!(text, "\n{}", short(hint));
    }
    let _ = writeln!(text, "\n{}", tr!("Exit code {}.", failed.code));
}

/// Writes the number of entries of a list that were left out, if any were.
fn more(text: &mut String, bullet: &str, count: usize) {
    if let Some(left @ 1..) = count.checked_sub(MAX_LIST_ITEMS) {
        let _ = writeln!(text, "{bullet}{}", tr!("and {left} more", left));
    }
}

/// Returns a person's text, cut and escaped.
pub(super) fn short(text: &str) -> String {
    markdown(&truncate_to_width(text, MAX_TEXT_CHARS))
}
