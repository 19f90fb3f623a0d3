//! Head of a page: what happened where, the sums, the guards, and the sentence on data and undo.

use std::fmt::{Display, Write as _};

use super::markup::text;
use super::privacy::Privacy;
use crate::diagnostic::Diagnostic;
use crate::i18n::Text;
use crate::model::{ReadTrust, Totals};
use crate::plan::{Advice, DriftKind, Violation};
use crate::report::escape;
use crate::report::report_model::{About, Finding, FindingLevel, Guards, ReportModel};
use crate::report::subject::{PlanReport, Subject};
use crate::report::text::plan::{partial, trust};
use crate::report::undo;
use crate::report::{Cost, Purpose, RenderOptions};

/// Number of entries of a list that are shown.
const MAX_ITEMS: usize = 50;

/// Banner: the state of the whole.
#[derive(Default)]
struct Banner {
    /// The color: `red`, `amber` or `green`.
    tone: &'static str,
    /// The first line.
    title: String,
    /// The lines below it.
    items: Vec<String>,
    /// Lines to paste, each block below its sentence.
    blocks: Vec<(String, String)>,
}

/// Returns the title of the window.
pub(super) fn title(model: &ReportModel<'_>, privacy: &Privacy<'_>) -> String {
    let portal = portal(model, privacy).map_or_else(String::new, |portal| format!(" · {portal}"));
    format!("recard {}{portal}", model.purpose.as_str())
}

/// Returns the head of the page.
pub(super) fn header(
    model: &ReportModel<'_>,
    options: &RenderOptions,
    privacy: &Privacy<'_>,
) -> String {
    let mut out = String::new();
    let place = place(model, privacy);
    let _ = writeln!(
        out,
        "<div class=\"title\"><h1><span class=\"faint\">recard</span> <b>{}</b> {}</h1><p class=\"faint\">{}</p></div>",
        model.purpose.as_str(),
        text(&place),
        text(&made(model, options, privacy)),
    );
    tiles(&mut out, model);
    banner(&mut out, &banner_of(model, privacy));
    for line in undo_lines(model) {
        let _ = writeln!(out, "<p class=\"promise\">{}</p>", text(&line));
    }
    facts(&mut out, model, privacy);
    warnings(&mut out, model.warnings, privacy);
    escape::xml(&out)
}

/// Returns the sentence on data and undo, and what an undo does not bring back.
fn undo_lines(model: &ReportModel<'_>) -> Vec<String> {
    let (promise, limits) = match (&model.about, model.purpose) {
        (About::Plan(report), _) if model.cost.is_some() && model.drift.is_none() => {
            (undo::promise(report.plan), undo::limits(report.plan))
        }
        (About::Run(run), Purpose::Apply) => match run.run {
            Some(id) => {
                let promise = undo::promise_of_run(run.targets);
                let promise = promise.map(|words| words.replace("RUN", id.as_str()));
                let limits = run.plan.map(|plan| undo::limits_of_run(run.targets, plan));
                (promise, limits.unwrap_or_default())
            }
            None => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    let limits = limits.iter().map(ToString::to_string);
    std::iter::once(promise.replace('`', "")).chain(limits).collect()
}

fn portal(model: &ReportModel<'_>, privacy: &Privacy<'_>) -> Option<String> {
    let portal = match &model.about {
        About::Plan(report) => report.plan.portal.as_str(),
        About::Run(run) => run.portal,
        About::Manifests(portal) => (*portal)?,
        About::PlanFile(..) | About::Command => return None,
    };
    Some(privacy.portal(portal))
}

/// Returns the portal, and the run or plan file, in words.
fn place(model: &ReportModel<'_>, privacy: &Privacy<'_>) -> String {
    let portal = portal(model, privacy).unwrap_or_default();
    match &model.about {
        About::Plan(report) if report.caller.emulator => {
            tr!("of {portal} (an emulator)", portal).into()
        }
        About::Run(run) => match run.run {
            Some(id) => tr!("of {portal}, run {id}", portal, id).into(),
            None => tr!("of {portal}", portal).into(),
        },
        About::Plan(_) => tr!("of {portal}", portal).into(),
        About::Manifests(Some(_)) => tr!("for {portal}", portal).into(),
        About::PlanFile(heading, _) if !privacy.replaces() => heading.to_string(),
        About::PlanFile(..) | About::Manifests(None) | About::Command => String::new(),
    }
}

/// Returns the caller, and the time of the report.
fn made(model: &ReportModel<'_>, options: &RenderOptions, privacy: &Privacy<'_>) -> String {
    let who = match &model.about {
        About::Plan(report) => {
            let (user, name) = (report.caller.user, privacy.person(report.caller.name.as_str()));
            Some(tr!("as user {user} {name}", user, name).to_string())
        }
        About::Run(run) => run.header.map(|header| {
            tr!("as user {user} {name}", user = header.caller, name = "").to_string()
        }),
        About::PlanFile(..) | About::Manifests(_) | About::Command => None,
    };
    let when = options.made.map(|made| made.strftime("%Y-%m-%d %H:%M UTC").to_string());
    let parts: Vec<String> =
        who.into_iter().chain(when).map(|part| part.trim_end().to_owned()).collect();
    parts.join(", ")
}

fn tiles(out: &mut String, model: &ReportModel<'_>) {
    let mut tiles: Vec<(&str, String, Text)> = Vec::new();
    let mut tile =
        |tone, number: &dyn Display, label| tiles.push((tone, number.to_string(), label));
    match model.subject {
        Subject::Plan(PlanReport { plan, drift: None, .. }) => {
            let counts = plan.counts();
            tile("red", &counts.reset, tr!("cards to reset"));
            tile("", &plan.guards.impact.people.len(), tr!("people lose a card"));
            tile("green", &counts.keep, tr!("stay as they are"));
            tile("amber", &counts.hold, tr!("held"));
        }
        Subject::Plan(PlanReport { drift: Some(drift), .. }) => {
            for kind in DriftKind::ALL.into_iter().filter(|kind| drift.count(*kind) > 0) {
                let tone = if kind.is_pending() { "amber" } else { "" };
                tile(tone, &drift.count(kind), kind.to_string().into());
            }
            tile("green", &drift.settled, tr!("as wanted"));
            if !drift.gone.is_empty() {
                tile("amber", &drift.gone.len(), tr!("gone"));
            }
        }
        Subject::Run(run) => {
            let Totals { done, skipped, failed, unknown } = run.totals();
            tile("green", &done, tr!("done"));
            tile("amber", &skipped, tr!("skipped"));
            tile("red", &failed, tr!("failed"));
            tile("red", &unknown, tr!("unknown"));
            tile("amber", &run.held.len(), tr!("held"));
        }
        Subject::PlanFile(shown) => {
            let counts = shown.file.content.counts;
            tile("red", &counts.reset, tr!("cards to reset"));
            tile("green", &counts.keep, tr!("stay as they are"));
            tile("amber", &counts.hold, tr!("held"));
        }
        Subject::Restore(report) => {
            let counts = report.content.counts();
            tile("green", &counts.restore, tr!("put back"));
            tile("red", &counts.reset, tr!("cards to reset"));
            tile("", &counts.keep, tr!("stay as they are"));
            tile("amber", &counts.hold, tr!("held"));
        }
        Subject::Validation(checked) => {
            let errors = checked.diagnostics.iter().filter(|found| found.is_error()).count();
            tile("red", &errors, tr!("problems"));
            tile("amber", &(checked.diagnostics.len() - errors), tr!("warnings"));
        }
        Subject::Failure(failed) => tile("red", &failed.code, tr!("exit code")),
    }
    let cost = model.cost.filter(|_| model.drift.is_none());
    if let Some(Cost { requests, seconds, operating_share }) = cost {
        let seconds = if seconds < 1.0 { "< 1 s".to_owned() } else { format!("{seconds:.0} s") };
        tile("", &seconds, tr!("apply takes"));
        tile("", &requests, tr!("requests"));
        let share = format!("{:.1} %", operating_share * 100.0);
        tile("", &share, tr!("of the operating time"));
    }
    out.push_str("<ul class=\"tiles\">\n");
    for (tone, number, label) in tiles {
        // A sum of nothing raises no alarm.
        let tone = if number == "0" { "" } else { tone };
        let _ =
            writeln!(out, "<li class=\"{tone}\"><b>{}</b> {}</li>", text(&number), text(&label));
    }
    out.push_str("</ul>\n");
}

/// Returns the banner: what stops or worries first.
fn banner_of(model: &ReportModel<'_>, privacy: &Privacy<'_>) -> Banner {
    let tone = match model.headline.sign {
        "🛑" | "❌" => "red",
        "⚠️" => "amber",
        "✅" => "green",
        _ => "",
    };
    let mut found = Banner { tone, title: model.headline.title.to_string(), ..Banner::default() };
    if let Some(reason) = model.stopped {
        let reason = privacy.text("text", reason);
        let reason =
            if privacy.replaces() { Text::from(&*reason) } else { Text::from_msgid(&reason) };
        found.items.push(format!("{} {reason}", tr!("The run ended early:")));
    }
    match (&model.guards, &model.about, &model.failure) {
        (Some(guards), ..) if !guards.violations.is_empty() => refused(guards, privacy),
        (Some(guards), ..) if !guards.acknowledged.is_empty() => Banner {
            tone: "amber",
            title: tr!("Allowed by an acknowledgement in a manifest:").into(),
            items: guards.acknowledged.iter().map(|found| words(guards, found, privacy)).collect(),
            blocks: Vec::new(),
        },
        (Some(_), ..) if model.cost.is_some() || matches!(model.about, About::PlanFile(..)) => Banner {
            tone: "green",
            title: tr!("All guards hold: number and share of people, common cards, user 1, the webhook's owner, protected people, shrunken selection.").into(),
            ..Banner::default()
        },
        (_, About::Manifests(_), _) => {
            found.items.extend(model.findings().iter().map(|finding| problem(finding, privacy)));
            found
        }
        (_, _, Some(_)) if privacy.replaces() => found,
        (_, _, Some(failed)) => {
            found.items.extend(failed.chain.iter().chain(failed.hints).map(ToString::to_string));
            found
        }
        _ => {
            // The sums of a run or a restore stand on its tiles.
            let sums = model.headline.sums.as_ref().filter(|_| !matches!(model.subject, Subject::Run(_) | Subject::Restore(_)));
            found.items.extend(sums.map(ToString::to_string));
            if let Some(drift) = model.drift.filter(|_| !privacy.replaces()) {
                let gone = drift.gone.iter().map(|gone| tr!("gone: {}", gone.message).to_string());
                found.items.extend(gone);
            }
            found
        }
    }
}

/// Returns a violation in words; without names, if they are replaced.
fn words(guards: &Guards<'_>, found: &Violation, privacy: &Privacy<'_>) -> String {
    if privacy.replaces() { found.to_string() } else { found.words(guards.names).into() }
}

/// Returns the banner of a plan that a guard blocks.
fn refused(guards: &Guards<'_>, privacy: &Privacy<'_>) -> Banner {
    let mut items: Vec<String> =
        guards.violations.iter().map(|(found, _)| words(guards, found, privacy)).collect();
    let acknowledged = guards.acknowledged.iter().map(|found| words(guards, found, privacy));
    items.extend(acknowledged.map(|found| format!("{} {found}", tr!("acknowledged:"))));
    let block = |advice: &Advice| {
        let lines: Vec<&str> = advice.lines().collect();
        (advice.to_string(), lines.join("\n"))
    };
    Banner {
        tone: "red",
        title: tr!("Apply will refuse this plan.").into(),
        items,
        blocks: guards.advice.iter().map(block).collect(),
    }
}

fn problem(finding: &Finding, privacy: &Privacy<'_>) -> String {
    let Finding { level, rule, message, help, place } = finding;
    let place = place.as_ref().filter(|_| !privacy.replaces());
    let place = place.map_or_else(String::new, |place| format!("{place}: "));
    let word = if *level == FindingLevel::Error { "" } else { "⚠ " };
    if privacy.replaces() {
        return format!("{word}{rule}");
    }
    let help = help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
    format!("{word}{place}{rule}: {message}{help}")
}

fn banner(out: &mut String, banner: &Banner) {
    let Banner { tone, title, items, blocks } = banner;
    // A single item stands on the line of the title.
    let (only, rest) = match items.as_slice() {
        [only] if blocks.is_empty() => (format!(" {}", text(only)), [].as_slice()),
        all => (String::new(), all),
    };
    let has_more = !(items.is_empty() && blocks.is_empty());
    let title = if has_more { format!("<b>{}</b>", text(title)) } else { text(title) };
    let _ = write!(out, "<div class=\"banner {tone}\" role=\"status\"><p>{title}{only}</p>");
    list(out, rest);
    for (sentence, lines) in blocks {
        let _ = write!(out, "<p>{}</p>", text(sentence));
        if !lines.is_empty() {
            let lines: Vec<String> = lines.lines().map(text).collect();
            let _ = write!(out, "<pre>{}</pre>", lines.join("\n"));
        }
    }
    out.push_str("</div>\n");
}

/// Writes the first entries of a list, and how many were left out.
fn list(out: &mut String, items: &[String]) {
    if items.is_empty() {
        return;
    }
    out.push_str("<ul>");
    for item in items.iter().take(MAX_ITEMS) {
        let _ = write!(out, "<li>{}</li>", text(item));
    }
    if let Some(left @ 1..) = items.len().checked_sub(MAX_ITEMS) {
        let _ = write!(out, "<li>{}</li>", text(&tr!("and {left} more", left)));
    }
    out.push_str("</ul>");
}

/// Writes the manifests, and what else stands behind the report.
fn facts(out: &mut String, model: &ReportModel<'_>, privacy: &Privacy<'_>) {
    let mut facts: Vec<[String; 3]> = Vec::new();
    let line = |line: &dyn Display| [line.to_string(), String::new(), String::new()];
    let manifests = match &model.about {
        About::Plan(report) => report.manifests.as_slice(),
        About::Run(run) => run.manifests.as_slice(),
        About::PlanFile(_, lines) => {
            if !privacy.replaces() {
                facts.extend(lines.iter().map(|text| line(text)));
            }
            &[]
        }
        About::Manifests(_) | About::Command => &[],
    };
    for (name, reason) in manifests.iter().take(MAX_ITEMS) {
        let (name, reason) = (privacy.text("text", name), privacy.text("text", reason));
        facts.push([tr!("Manifest").into(), name.into_owned(), reason.into_owned()]);
    }
    let plan = match &model.about {
        About::Plan(report) => Some(report.plan),
        About::Run(run) => run.plan,
        About::PlanFile(..) | About::Manifests(_) | About::Command => None,
    };
    facts.extend(plan.and_then(partial).map(|partial| line(&partial)));
    if let About::Run(run) = &model.about {
        facts.extend(run.incomplete.as_ref().map(|incomplete| line(incomplete)));
    }
    if let About::Plan(report) = &model.about
        && !matches!(report.plan.trust, ReadTrust::Trusted(_))
    {
        facts.push(line(&tr!("Reads of other users: {}", trust(report.plan.trust))));
    }
    if let Some(fingerprint) = model.fingerprint {
        facts.push(line(&tr!("Fingerprint {fingerprint}", fingerprint)));
    }
    if model.drift.is_none() && !privacy.replaces() {
        facts.extend(model.once.iter().map(|text| line(text)));
    }
    if facts.is_empty() {
        return;
    }
    out.push_str("<ul class=\"facts\">\n");
    for [label, name, value] in facts {
        let (label, name, value) = (text(&label), text(&name), text(&value));
        let _ = match name.as_str() {
            "" => writeln!(out, "<li>{label}</li>"),
            _ => writeln!(out, "<li>{label} <b>{name}</b>: {value}</li>"),
        };
    }
    out.push_str("</ul>\n");
}

fn warnings(out: &mut String, warnings: &[Diagnostic], privacy: &Privacy<'_>) {
    if warnings.is_empty() {
        return;
    }
    let shown = |warning: &Diagnostic| match privacy.replaces() {
        true => warning.code.to_string(),
        false => warning.to_string(),
    };
    let warnings: Vec<String> = warnings.iter().map(shown).collect();
    let head = text(&tr!("Warnings"));
    let _ = write!(out, "<details><summary>{head}: {}</summary>", warnings.len());
    list(out, &warnings);
    out.push_str("</details>\n");
}
