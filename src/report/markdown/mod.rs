//! Markdown for a comment on a pull request: the most important parts first, and never more than
//! the limit.
//!
//! The first line is an invisible comment, by which a pipeline finds and edits its own comment. The
//! same report is rendered with less and less detail until it fits: first with fewer rows, then
//! with fewer layouts before and after, then with counts alone. A limit is therefore never an
//! error.

mod review;
mod rows;

use std::fmt::{Display, Write as _};

use super::RenderOptions;
use super::escape::{markdown, visible_line};
use super::humanize::truncate_to_width;
use super::report_model::{About, Finding, Guards, Headline, ReportModel};
use super::subject::{Commit, FailureReport, Purpose};
use super::text::plan::{apply_takes, portal};
use super::undo;
use crate::i18n::Text;
use crate::plan::DriftKind;
use crate::plan::diff::DiffLine;

/// Amounts of detail, step by step, as layouts, diffs and rows; the last step has counts alone.
const STEPS: &[(usize, usize, usize)] = &[
    (usize::MAX, usize::MAX, 20_000),
    (usize::MAX, usize::MAX, 5_000),
    (usize::MAX, usize::MAX, 2_000),
    (usize::MAX, usize::MAX, 1_000),
    (usize::MAX, usize::MAX, 600),
    (usize::MAX, usize::MAX, 400),
    (usize::MAX, usize::MAX, 250),
    (usize::MAX, usize::MAX, 150),
    (usize::MAX, usize::MAX, 90),
    (usize::MAX, 400, 50),
    (1_000, 150, 50),
    (500, 80, 25),
    (250, 40, 25),
    (120, 20, 25),
    (120, 10, 10),
    (60, 4, 10),
    (40, 0, 10),
    (20, 0, 10),
    (10, 0, 0),
    (0, 0, 0),
];

/// Maximum length of a person's text, in characters.
const MAX_TEXT_CHARS: usize = 300;

/// Number of manifests, guards and selectors that are listed; a report rarely has more.
const MAX_LIST_ITEMS: usize = 20;

/// A longer advice of the guards is left out.
const MAX_ADVICE_BYTES: usize = 2_000;

/// Amount of detail.
#[derive(Clone, Copy)]
struct Detail {
    /// The number of layouts in the table of a plan.
    groups: usize,
    /// The number of layouts that are shown before and after.
    diffs: usize,
    /// The number of rows of the other tables.
    rows: usize,
    /// The limit beyond which the rendering stops, because less detail will be tried.
    limit: usize,
}

/// Renders the report in Markdown, within the limit of the options.
pub(super) fn render(model: &ReportModel<'_>, options: &RenderOptions) -> String {
    let marker = marker(model.purpose, &options.marker);
    let limit = options.markdown_limit;
    let most = usize::MAX;
    let steps = [(most, most, most)].into_iter().chain(STEPS.iter().copied());
    for detail in steps.map(|(groups, diffs, rows)| Detail { groups, diffs, rows, limit }) {
        let text = format!("{marker}\n{}", body(model, detail));
        if text.len() <= options.markdown_limit {
            return text;
        }
    }
    // Reached only with a limit below the size of a headline.
    let headline = format!("{marker}\n{}", headline(model));
    let fits =
        |index: &usize| *index <= options.markdown_limit && headline.is_char_boundary(*index);
    let end = (0..=headline.len()).rev().find(fits).unwrap_or(0);
    headline.get(..end).unwrap_or_default().to_owned()
}

/// Returns the marker line by which a pipeline finds its comment. It depends on the purpose of the
/// command and on the name that the pipeline chose, and on nothing that changes from run to run.
pub(super) fn marker(purpose: Purpose, name: &str) -> String {
    match name {
        "" => format!("<!-- recard:{} -->", purpose.as_str()),
        name => format!("<!-- recard:{}:{name} -->", purpose.as_str()),
    }
}

fn body(model: &ReportModel<'_>, detail: Detail) -> String {
    let mut text = headline(model);
    if let About::Manifests(portal) = model.about {
        problems(&mut text, model, portal, detail);
    }
    if let Some(failed) = &model.failure {
        failure(&mut text, failed);
    }
    if let (Some(review), About::Plan(report)) = (&model.review, &model.about)
        && !review.groups.is_empty()
    {
        let _ = writeln!(text, "\n**{}**", undo::promise(report.plan));
        for limit in undo::limits(report.plan) {
            let _ = writeln!(text, "\n**{limit}**");
        }
    }
    if let Some(reason) = model.stopped {
        let (early, reason) = (tr!("The run ended early:"), short(&Text::from_msgid(reason)));
        let _ = writeln!(text, "\n**{early}** {reason}");
    }
    if let Some(found) = &model.guards {
        guards(&mut text, found);
    }
    about(&mut text, &model.about);
    rows::write(&mut text, model, detail);
    // Drift has told its kinds in its headline.
    if !model.once.is_empty() && model.drift.is_none() {
        text.push('\n');
        // Once keys have letters, digits, dots, hyphens and underscores only.
        list(&mut text, "- ", &model.once, Clone::clone);
    }
    if let Some(cost) = &model.cost {
        let _ = writeln!(text, "\n{}", apply_takes(cost));
    }
    if !model.warnings.is_empty() {
        let _ = writeln!(text, "\n#### {}\n", tr!("Warnings"));
        list(&mut text, "- ", model.warnings, |warning| short(&warning.to_string()));
    }
    text
}

fn headline(model: &ReportModel<'_>) -> String {
    let Headline { sign, title, sums } = &model.headline;
    let mut text = format!("### {sign} {title}\n");
    if let Some(sums) = sums {
        let _ = writeln!(text, "\n{sums}");
    }
    if let (Some(drift), Some(fingerprint)) = (model.drift, model.fingerprint) {
        text.push('\n');
        for kind in DriftKind::ALL.into_iter().filter(|kind| drift.count(*kind) > 0) {
            let allowed =
                if kind.is_pending() { Text::default() } else { tr!(" (allowed by mode once)") };
            let _ = writeln!(text, "- {} {kind}{allowed}", drift.count(kind));
        }
        list(&mut text, "- ", &drift.gone, |found| tr!("gone: {}", short(&found.message)));
        let fingerprint = format_args!("`{fingerprint}`");
        let _ = writeln!(text, "\n{}", tr!("Fingerprint {fingerprint}", fingerprint));
    }
    text
}

/// Writes the guards that block the plan, and the lines that would allow it.
fn guards(text: &mut String, guards: &Guards<'_>) {
    if !guards.violations.is_empty() {
        let _ = writeln!(text, "\n> [!CAUTION]\n> **{}**\n>", tr!("Apply will refuse this plan."));
        list(text, "> - ", &guards.violations, |(found, _)| markdown(&found.words(guards.names)));
        for advice in &guards.advice {
            let length: usize = advice.lines().map(str::len).sum();
            if length >= MAX_ADVICE_BYTES {
                let elsewhere = tr!("`recard plan` shows the lines that would allow exactly this.");
                let _ = writeln!(text, ">\n> {elsewhere}");
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
        list(text, "- ", guards.acknowledged, |found| markdown(&found.words(guards.names)));
    }
}

/// Writes where the report comes from.
fn about(text: &mut String, about: &About<'_>) {
    match about {
        About::Plan(report) => {
            let portal = portal(&markdown(report.plan.portal.as_str()), report.caller.emulator);
            let (user, name) = (report.caller.user, short(report.caller.name.as_str()));
            let read = tr!("{portal}, read as user {user} {name}.", portal, user, name);
            let _ = writeln!(text, "\n{read}");
            manifests(text, &report.manifests);
            for (file, Commit { id, author, date }) in report.commits.iter().take(MAX_LIST_ITEMS) {
                let (id, author) = (short(id), short(author));
                let commit = tr!("commit {id} of {date} by {author}", id, date, author);
                let _ = writeln!(text, "- {}: {commit}", short(file));
            }
        }
        About::Run(run) => {
            let portal = markdown(run.portal);
            let from = match run.run {
                Some(id) => tr!("Portal {portal}, run `{id}`.", portal, id),
                None => {
                    tr!("Portal {portal}; nothing was to be done, and no run was started.", portal)
                }
            };
            let _ = writeln!(text, "\n{from}");
            manifests(text, &run.manifests);
        }
        About::PlanFile(heading, lines) => {
            let _ = writeln!(text, "\n{}\n", short(heading));
            list(text, "- ", lines, |line| short(line));
        }
        About::Manifests(_) | About::Command => {}
    }
}

/// Writes name and reason of each manifest.
fn manifests(text: &mut String, manifests: &[(&str, &str)]) {
    if !manifests.is_empty() {
        text.push('\n');
        list(text, "- ", manifests, |(name, reason)| format!("{}: {}", short(name), short(reason)));
    }
}

fn problems(text: &mut String, model: &ReportModel<'_>, portal: Option<&str>, detail: Detail) {
    if let Some(portal) = portal {
        let _ = writeln!(text, "\n{}", tr!("For the portal {}.", markdown(portal)));
    }
    let findings = model.findings();
    if findings.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n| {} |\n|---|---|---|", tr!("where | code | what"));
    let room = detail.rows.max(5);
    for Finding { level: _, rule, message, help, place } in findings.iter().take(room) {
        let help = help.as_ref().map(|help| format!("<br>{}", short(help))).unwrap_or_default();
        let place = place.as_ref().map(|place| format!("{}:{}", place.file, place.line));
        let (place, message) = (short(&place.unwrap_or_default()), short(message));
        let _ = writeln!(text, "| {place} | {rule} | {message}{help} |");
    }
    if let Some(left @ 1..) = findings.len().checked_sub(room) {
        let _ = writeln!(text, "\n{}", tr!("… and {left} more.", left));
    }
}

fn failure(text: &mut String, failed: &FailureReport<'_>) {
    text.push('\n');
    for message in failed.chain.iter().take(MAX_LIST_ITEMS) {
        let _ = writeln!(text, "- {}", short(message));
    }
    for hint in failed.hints.iter().take(MAX_LIST_ITEMS) {
        let _ = writeln!(text, "\n{}", short(hint));
    }
    let _ = writeln!(text, "\n{}", tr!("Exit code {}.", failed.code));
}

/// Writes the first entries of a list, and how many were left out.
fn list<T, S: Display>(text: &mut String, bullet: &str, items: &[T], shown: impl Fn(&T) -> S) {
    for item in items.iter().take(MAX_LIST_ITEMS) {
        let _ = writeln!(text, "{bullet}{}", shown(item));
    }
    more(text, bullet, items.len());
}

/// Writes the number of entries of a list that were left out, if any were.
fn more(text: &mut String, bullet: &str, count: usize) {
    if let Some(left @ 1..) = count.checked_sub(MAX_LIST_ITEMS) {
        let _ = writeln!(text, "{bullet}{}", tr!("and {left} more", left));
    }
}

/// Writes a diff as a block that GitHub colors; nothing if it is empty.
fn diff_block(text: &mut String, lines: &[DiffLine]) {
    if lines.is_empty() {
        return;
    }
    text.push_str("\n```diff\n");
    for line in lines {
        // A sign or a position is ahead of every text, so no line can end the block.
        let _ = writeln!(text, "{}{}", line.change.sign(), visible_line(&line.text));
    }
    text.push_str("```\n");
}

/// Returns a person's text, cut and escaped.
pub(super) fn short(text: &str) -> String {
    markdown(&truncate_to_width(text, MAX_TEXT_CHARS))
}
