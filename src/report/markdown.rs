//! Markdown for a comment on a pull request: what matters first, and never more than the limit.
//!
//! The first line is a comment that nobody sees, by which a pipeline finds and edits its own comment. The same report is
//! written with less and less detail until it fits: first without the content of cards, then with fewer rows, then with
//! counts alone. So a limit is never an error.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::escape::{markdown, references};
use super::finding::findings;
use super::plan_text::{apply_takes, as_wanted, portal, sums};
use super::subject::warnings as warnings_of;
use super::subject::{once_lines, told};
use super::{Checked, Commit, Content, Effective, Failed, Options, PlanReport, Purpose, Report, SettledRun, Subject};
use crate::engine::Settled;
use crate::language::Text;
use crate::model::{Origin, OutcomeClass, Place, Totals};
use crate::plan::diff::diff;
use crate::plan::{Decision, Drift, DriftKind, KeepReason, PlannedTarget};

/// How many rows the tables may have, step by step; the last step has counts alone.
const ROWS: &[usize] = &[100_000, 20_000, 5_000, 2_000, 1_000, 600, 400, 250, 150, 90, 50, 25, 10, 0];

/// A text of a person's is cut here, in characters.
const LONGEST_TEXT: usize = 300;

/// How many manifests, guards and selectors are named; a report has rarely more than a few.
const LONGEST_LIST: usize = 20;

/// How much is told.
#[derive(Clone, Copy)]
struct Detail {
    rows: usize,
    content: Content,
    /// Beyond this nothing more is worth writing: less detail will be tried.
    limit: usize,
}

/// The report in Markdown, within the limit of the options.
pub(super) fn render(report: &Report<'_>, options: &Options) -> String {
    let marker = marker(report.purpose, &options.marker);
    let limit = options.markdown_limit;
    let steps = ROWS.iter().map(|rows| Detail { rows: *rows, content: Content::Left, limit });
    let whole = Detail { rows: usize::MAX, content: options.content, limit };
    for detail in std::iter::once(whole).chain(steps) {
        let text = format!("{marker}\n{}", body(report, detail));
        if text.len() <= options.markdown_limit {
            return text;
        }
    }
    // Only a limit below what a headline takes comes here.
    let headline = format!("{marker}\n{}", headline(report));
    let fits = |index: &usize| *index <= options.markdown_limit && headline.is_char_boundary(*index);
    let end = (0..=headline.len()).rev().find(fits).unwrap_or(0);
    headline.get(..end).unwrap_or_default().to_owned()
}

/// By this line a pipeline finds its comment again. It depends on what the command was for and on the name that the
/// pipeline chose, and on nothing that changes from run to run.
fn marker(purpose: Purpose, name: &str) -> String {
    match name {
        "" => format!("<!-- recard:{} -->", purpose.word()),
        name => format!("<!-- recard:{}:{name} -->", purpose.word()),
    }
}

fn headline(report: &Report<'_>) -> String {
    let word = report.purpose.word();
    match &report.subject {
        Subject::Plan(PlanReport { drift: Some(drift), .. }) => drifted(drift),
        Subject::Plan(PlanReport { plan, .. }) => {
            let counts = plan.counts();
            if plan.is_settled() {
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
            let title =
                tr!("recard {word}: {n} card to reset" | "recard {word}: {n} cards to reset" % counts.reset, word);
            format!("### {sign} {title}\n\n{}\n", sums(plan))
        }
        Subject::Run(run) => {
            let Totals { done, skipped, failed, unknown } = run.totals();
            let held = run.held.len();
            let sign = if failed > 0 || unknown > 0 || run.stopped.is_some() {
                "❌"
            } else if held > 0 {
                "⚠️"
            } else {
                "✅"
            };
            let planned = run.totals().planned();
            let title = tr!(
                "recard {word}: {done} of {n} card done" | "recard {word}: {done} of {n} cards done" % planned,
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
        Subject::Validation(checked) => {
            let errors = checked.diagnostics.iter().filter(|found| found.is_error()).count();
            let warnings = warnings_of(checked.diagnostics.len() - errors);
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
        Subject::Failure(_) => format!("### ❌ {}\n", tr!("recard {word} failed", word)),
    }
}

fn drifted(drift: &Drift) -> String {
    let Some(fingerprint) = drift.fingerprint() else {
        return format!("### ✅ {}\n\n{}\n", tr!("recard drift: none"), as_wanted(drift.settled));
    };
    let title = tr!("recard drift: {n} card drifted" | "recard drift: {n} cards drifted" % drift.pending().count());
    let mut text = format!("### ⚠️ {title}\n\n");
    let kinds = DriftKind::ALL.into_iter().filter(|kind| drift.count(*kind) > 0);
    for kind in kinds {
        let allowed = if kind.is_pending() { Text::default() } else { tr!(" (allowed by mode once)") };
        let _ = writeln!(text, "- {} {kind}{allowed}", drift.count(kind));
    }
    for problem in drift.gone.iter().take(LONGEST_LIST) {
        let _ = writeln!(text, "- {}", tr!("gone: {}", short(&problem.message)));
    }
    more(&mut text, "- ", drift.gone.len());
    let _ = writeln!(text, "\n{}", tr!("Fingerprint {fingerprint}", fingerprint = format_args!("`{fingerprint}`")));
    text
}

fn body(report: &Report<'_>, detail: Detail) -> String {
    let mut text = headline(report);
    match &report.subject {
        Subject::Plan(plan) => of_plan(&mut text, plan, detail),
        Subject::Run(run) => of_run(&mut text, run, detail),
        Subject::Validation(checked) => of_problems(&mut text, report, checked, detail),
        Subject::Failure(failed) => of_failure(&mut text, failed),
    }
    text
}

fn of_plan(text: &mut String, report: &PlanReport<'_>, detail: Detail) {
    let plan = report.plan;
    guards(text, report);
    let held = plan.targets.iter().filter(|target| matches!(target.decision, Decision::Hold(_)));
    let held: Vec<&PlannedTarget> = held.collect();
    // The common cards come first by the order of targets, and they are what hits the most people.
    let resets: Vec<&PlannedTarget> = plan.resets().collect();
    let again: Vec<&PlannedTarget> = plan
        .targets
        .iter()
        .filter(|target| matches!(target.decision, Decision::Keep(KeepReason::CustomisedAgain(_))))
        .collect();
    for (title, targets) in
        [(tr!("Held"), held), (tr!("To reset"), resets), (tr!("Kept, though customised again"), again)]
    {
        if !targets.is_empty() {
            let _ = writeln!(text, "\n#### {title}: {}", targets.len());
            planned(text, report, &targets, detail);
        }
    }
    let once = once_lines(plan);
    // Drift has told its kinds in its headline.
    if !once.is_empty() && report.drift.is_none() {
        text.push('\n');
        for line in once.iter().take(LONGEST_LIST) {
            // Generations have letters, digits, dots, hyphens and underscores only.
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
    let _ = writeln!(text, "\n{}", tr!("{portal}, read as user {user} {name}.", portal, user, name));
    manifests(text, &report.manifests);
    for (file, Commit { id, author, date }) in report.commits.iter().take(LONGEST_LIST) {
        let _ = writeln!(
            text,
            "- {}: {}",
            short(file),
            tr!("commit {id} of {date} by {author}", id = short(id), date, author = short(author))
        );
    }
}

/// The guards that stand against the plan, and the lines that would allow it.
fn guards(text: &mut String, report: &PlanReport<'_>) {
    let guards = &report.plan.guards;
    if !guards.holds() {
        let _ = writeln!(text, "\n> [!CAUTION]\n> **{}**\n>", tr!("Apply will refuse this plan."));
        for breach in guards.breaches.iter().take(LONGEST_LIST) {
            let _ = writeln!(text, "> - {breach}");
        }
        more(text, "> - ", guards.breaches.len());
        match guards.acknowledgement() {
            Some(lines) if lines.len() < 2_000 => {
                let would = tr!("These lines under `spec` would allow exactly this:");
                let _ = writeln!(text, ">\n> {would}\n>\n> ```yaml");
                for line in lines.lines() {
                    let _ = writeln!(text, "> {line}");
                }
                text.push_str("> ```\n");
            }
            Some(_) => {
                let _ = writeln!(text, ">\n> {}", tr!("`recard plan` shows the lines that would allow exactly this."));
            }
            None => {
                let nothing = tr!("Nothing lifts a protection; leave the person out with `except`.");
                let _ = writeln!(text, ">\n> {nothing}");
            }
        }
    }
    if !guards.acknowledged.is_empty() {
        let _ = writeln!(text, "\n{}\n", tr!("Acknowledged in the manifests:"));
        for breach in guards.acknowledged.iter().take(LONGEST_LIST) {
            let _ = writeln!(text, "- {breach}");
        }
        more(text, "- ", guards.acknowledged.len());
    }
}

/// Targets by the line of the manifests that they come from.
fn planned(text: &mut String, report: &PlanReport<'_>, targets: &[&PlannedTarget], detail: Detail) {
    let mut groups: BTreeMap<&Place, (&Origin, Vec<&PlannedTarget>)> = BTreeMap::new();
    for target in targets {
        groups.entry(&target.origin.place).or_insert_with(|| (&target.origin, Vec::new())).1.push(target);
    }
    if detail.rows == 0 {
        text.push('\n');
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|(_, targets)| std::cmp::Reverse(targets.len()));
        for (origin, of_line) in groups.iter().take(LONGEST_LIST) {
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
            short(&told(target)),
            place(&target.origin)
        );
    }
    if let Some(effective) = report.effective {
        sights(text, report, targets, effective);
    }
    if let Some(left @ 1..) = targets.len().checked_sub(detail.rows) {
        let _ =
            writeln!(text, "\n{}", tr!("… and {left} more; `--output json=FILE` or `csv=FILE` has all of them.", left));
    }
    match detail.content {
        Content::Left => {}
        Content::Shown => contents(text, report, targets, detail.limit),
    }
}

/// What people will see afterwards, in counts: most of them will see the same.
fn sights(text: &mut String, report: &PlanReport<'_>, targets: &[&PlannedTarget], effective: &Effective) {
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

/// What is lost, folded away.
fn contents(text: &mut String, report: &PlanReport<'_>, targets: &[&PlannedTarget], limit: usize) {
    for target in targets {
        if text.len() > limit {
            return;
        }
        let Some(layout) = target.decision.layout() else { continue };
        let name = short(report.plan.person_name(target.key));
        let _ = writeln!(text, "\n<details><summary>{} {name}</summary>\n\n<pre>", target.key);
        for line in diff(Some(layout), report.plan.stand_in(target.key)) {
            let _ = writeln!(text, "{}{}", references(line.change.sign()), references(&super::visible(&line.text)));
        }
        text.push_str("</pre>\n</details>\n");
    }
}

fn warnings(text: &mut String, report: &PlanReport<'_>) {
    if !report.warnings.is_empty() {
        let _ = writeln!(text, "\n#### {}\n", tr!("Warnings"));
        for warning in report.warnings.iter().take(LONGEST_LIST) {
            let _ = writeln!(text, "- {}", short(&warning.to_string()));
        }
        more(text, "- ", report.warnings.len());
    }
}

fn manifests(text: &mut String, manifests: &[(&str, &str)]) {
    if !manifests.is_empty() {
        text.push('\n');
        for (name, reason) in manifests.iter().take(LONGEST_LIST) {
            let _ = writeln!(text, "- {}: {}", short(name), short(reason));
        }
        more(text, "- ", manifests.len());
    }
}

fn of_run(text: &mut String, run: &SettledRun<'_>, detail: Detail) {
    if let Some(reason) = run.stopped {
        let _ = writeln!(text, "\n**{}** {}", tr!("The run ended early:"), short(&Text::known(reason)));
    }
    let of = |class: OutcomeClass| run.targets.iter().filter(move |settled| settled.outcome.class() == class);
    for (title, class) in [
        (tr!("Unknown"), OutcomeClass::Unknown),
        (tr!("Failed"), OutcomeClass::Failed),
        (tr!("Skipped"), OutcomeClass::Skipped),
        (tr!("Done"), OutcomeClass::Done),
    ] {
        let targets: Vec<&Settled> = of(class).collect();
        if targets.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n#### {title}: {}", targets.len());
        if detail.rows == 0 {
            let mut words: BTreeMap<&str, usize> = BTreeMap::new();
            for settled in &targets {
                *words.entry(settled.outcome.word()).or_default() += 1;
            }
            text.push('\n');
            for (word, count) in words {
                let _ = writeln!(text, "- {count}: {word}");
            }
            continue;
        }
        let _ = writeln!(text, "\n| {} |\n|---|---|---|", tr!("target | who | what"));
        for settled in targets.iter().take(detail.rows) {
            let name = short(run.person_name(settled.key));
            let _ = writeln!(text, "| `{}` | {name} | {} |", settled.key, short(&settled.outcome.to_string()));
        }
        if let Some(left @ 1..) = targets.len().checked_sub(detail.rows) {
            let _ = writeln!(text, "\n{}", tr!("… and {left} more; `recard show` has all of them.", left));
        }
    }
    if !run.held.is_empty() {
        let _ = writeln!(text, "\n#### {}\n", tr!("Held, not tried: {}", run.held.len()));
        for held in run.held.iter().take(detail.rows.min(LONGEST_LIST)) {
            let _ = writeln!(text, "- `{}`: {}", held.key, short(&held.text));
        }
        if let Some(left @ 1..) = run.held.len().checked_sub(detail.rows.min(LONGEST_LIST)) {
            let _ = writeln!(text, "- {}", tr!("and {left} more", left));
        }
    }
    match run.run {
        Some(id) => {
            let run = tr!("Portal {portal}, run `{id}`.", portal = markdown(run.portal), id);
            let _ = writeln!(text, "\n{run}");
        }
        None => {
            let portal = markdown(run.portal);
            let nothing = tr!("Portal {portal}; nothing was to be done, and no run was started.", portal);
            let _ = writeln!(text, "\n{nothing}");
        }
    }
    manifests(text, &run.manifests);
}

fn of_problems(text: &mut String, report: &Report<'_>, checked: &Checked<'_>, detail: Detail) {
    if let Some(portal) = checked.portal {
        let _ = writeln!(text, "\n{}", tr!("For the portal {}.", markdown(portal)));
    }
    let findings = findings(report);
    if findings.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n| {} |\n|---|---|---|", tr!("where | code | what"));
    let room = detail.rows.max(5);
    for finding in findings.iter().take(room) {
        let help = finding.help.as_ref().map(|help| format!("<br>{}", short(help))).unwrap_or_default();
        let place = finding.place.as_ref().map(|place| format!("{}:{}", place.file, place.line)).unwrap_or_default();
        let _ = writeln!(text, "| {} | {} | {}{help} |", short(&place), finding.rule, short(&finding.message));
    }
    if let Some(left @ 1..) = findings.len().checked_sub(room) {
        let _ = writeln!(text, "\n{}", tr!("… and {left} more.", left));
    }
}

fn of_failure(text: &mut String, failed: &Failed<'_>) {
    text.push('\n');
    for message in failed.chain.iter().take(LONGEST_LIST) {
        let _ = writeln!(text, "- {}", short(message));
    }
    for hint in failed.hints.iter().take(LONGEST_LIST) {
        let _ = writeln!(text, "\n{}", short(hint));
    }
    let _ = writeln!(text, "\n{}", tr!("Exit code {}.", failed.code));
}

fn more(text: &mut String, bullet: &str, count: usize) {
    if let Some(left @ 1..) = count.checked_sub(LONGEST_LIST) {
        let _ = writeln!(text, "{bullet}{}", tr!("and {left} more", left));
    }
}

fn place(origin: &Origin) -> String {
    format!(
        "{} {}",
        short(&format!("{}:{}", origin.place.file, origin.place.line)),
        short(&origin.selector.to_string())
    )
}

fn cards(number: impl TryInto<u64> + Copy + std::fmt::Display) -> Text {
    tr!("{n} card" | "{n} cards" % number)
}

/// Somebody's text, cut to a sensible length and made harmless.
fn short(text: &str) -> String {
    markdown(&super::words::fitted(text, LONGEST_TEXT))
}
