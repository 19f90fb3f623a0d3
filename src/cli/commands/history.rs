//! `recard history` and `recard show`: what earlier runs did, and what a plan file says. Reads the store alone.

use std::fmt::Write as _;
use std::path::Path;

use crate::cli::args::{Global, HistoryArguments, ShowArguments};
use crate::cli::environment::{self, Need};
use crate::cli::failure::Failure;
use crate::cli::output::{self, Output, Outputs};
use crate::cli::plan_files::{self, moment};
use crate::cli::ui::Ui;
use crate::cli::{exit, session};
use crate::engine::Settled;
use crate::format::plan_file::{PlanFile, PlanFileTarget, PlannedRemoval};
use crate::model::Totals;
use crate::plan::PlanCounts;
use crate::port::{Interrupted, RunPurpose};
use crate::report::{Format, Purpose, ReportJson, RunText, SettledRun, Subject, pretty};
use crate::store::{RunEnd, RunSummary, Store};

/// Lists the runs of the store.
pub(in crate::cli) fn run(ui: &Ui, global: &Global, arguments: &HistoryArguments) -> Result<u8, Failure> {
    output::check_paths(&arguments.output)?;
    let store = store(global)?;
    let mut runs = Vec::new();
    for run in store.run_ids()? {
        match store.summary(&run) {
            Ok(summary) => runs.push(summary),
            // The good ones are shown all the same.
            Err(problem) => ui.warn(format_args!("{run}: {problem}")),
        }
    }
    output::write(ui, &arguments.output, |format| match format {
        Format::Json => {
            let json = |run: &RunSummary| ReportJson::new(&settled(run, &targets(run)), Purpose::Show);
            pretty(&runs.iter().map(json).collect::<Vec<_>>())
        }
        _ if runs.is_empty() => "The store has no run for this portal.\n".to_owned(),
        _ => runs.iter().map(|run| line(run) + &about(run)).collect(),
    })?;
    Ok(exit::DONE)
}

/// Shows one run, or a plan file.
pub(in crate::cli) fn show(ui: &Ui, global: &Global, arguments: &ShowArguments) -> Result<u8, Failure> {
    let path = Path::new(&arguments.run);
    if path.is_file() || arguments.run.ends_with(".json") {
        return show_plan(ui, global, &arguments.written.output, path);
    }
    let outputs = Outputs::open(ui, Purpose::Show, &arguments.written)?;
    outputs.finish(show_run(&outputs, global, arguments))
}

fn show_run(outputs: &Outputs<'_>, global: &Global, arguments: &ShowArguments) -> Result<u8, Failure> {
    let store = store(global)?;
    let summary = store.summary(&store.find_run(&arguments.run)?)?;
    let targets = targets(&summary);
    let header = &summary.header;
    let mut text = line(&summary);
    for (name, reason) in &header.reasons {
        text.push_str(&format!("  manifest {name}: {reason}\n"));
    }
    if let Some(digest) = &header.manifest {
        text.push_str(&format!("  manifests' digest {digest}\n"));
    }
    if let Some(commit) = &header.commit {
        text.push_str(&format!("  commit {commit}\n"));
    }
    if !header.actor.is_empty() {
        text.push_str(&format!("  by {}\n", header.actor));
    }
    text.push_str(&format!("  as user {} of {}\n\n", header.caller, header.portal));
    text.push_str(&RunText::new(&summary.run, &targets, summary.totals()).with_every_target().to_string());
    outputs.write_with(Subject::Run(&settled(&summary, &targets)), &text)?;
    Ok(exit::DONE)
}

/// The store of the portal that the command line or the environment names.
pub(super) fn store(global: &Global) -> Result<Store, Failure> {
    let portal = match &global.portal {
        Some(_) => session::named_portal(global)?,
        None => environment::webhook(Need::Read, global.webhook_url_file.as_deref())?.0.portal(),
    };
    Ok(Store::open(&global.store, &portal)?)
}

fn line(run: &RunSummary) -> String {
    let Totals { done, skipped, failed, unknown } = run.totals();
    let what = match &run.header.purpose {
        RunPurpose::Apply => "apply".to_owned(),
        RunPurpose::Restore(of) => format!("restore of {of}"),
    };
    let end = match run.end {
        RunEnd::Closed(Interrupted::No) => "",
        RunEnd::Closed(Interrupted::Yes) => ", interrupted",
        RunEnd::Unfinished => ", unfinished: recard resume",
    };
    let planned = run.header.targets.len();
    format!(
        "{}  {what}: {done} of {planned} done, {skipped} skipped, {failed} failed, {unknown} unknown{end}\n",
        run.run
    )
}

/// From which manifests, by whom and from which commit; a line of its own, or nothing where nothing is known.
fn about(run: &RunSummary) -> String {
    let header = &run.header;
    let mut parts: Vec<String> = header.reasons.iter().map(|(name, _)| name.clone()).collect();
    parts.extend((!header.actor.is_empty()).then(|| format!("by {}", header.actor)));
    parts
        .extend(header.commit.as_ref().map(|commit| format!("commit {}", commit.chars().take(12).collect::<String>())));
    if parts.is_empty() { String::new() } else { format!("    {}\n", parts.join(", ")) }
}

fn targets(run: &RunSummary) -> Vec<Settled> {
    run.settled.iter().map(|(key, outcome)| Settled { key: *key, outcome: outcome.clone() }).collect()
}

fn settled<'a>(run: &'a RunSummary, targets: &'a [Settled]) -> SettledRun<'a> {
    SettledRun {
        run: Some(&run.run),
        portal: run.header.portal.as_str(),
        manifests: run.header.reasons.iter().map(|(name, reason)| (name.as_str(), reason.as_str())).collect(),
        targets,
        stopped: match run.end {
            RunEnd::Closed(Interrupted::No) => None,
            RunEnd::Closed(Interrupted::Yes) => Some("interrupted"),
            RunEnd::Unfinished => Some("unfinished"),
        },
        held: Vec::new(),
        plan: None,
        about: Some(&run.header),
    }
}

fn show_plan(ui: &Ui, global: &Global, outputs: &[Output], path: &Path) -> Result<u8, Failure> {
    output::check_paths(outputs)?;
    if let Some(other) = outputs.iter().find(|output| !matches!(output.format, Format::Text | Format::Json)) {
        return Err(Failure::new(
            exit::USAGE,
            format!("a plan file is shown as text or json, not as {}", other.format),
        ));
    }
    let (file, bytes) = plan_files::read(path)?;
    let used = Store::open(&global.store, &file.content.portal)?.used(file.id)?;
    output::write(ui, outputs, |format| match format {
        Format::Json => String::from_utf8_lossy(&bytes).into_owned(),
        _ => plan_text(&file, used),
    })?;
    Ok(exit::DONE)
}

fn plan_text(file: &PlanFile, used: Option<jiff::Timestamp>) -> String {
    let content = &file.content;
    let mut text = format!("Plan {} for {}, as user {}", file.id.short(), content.portal, content.caller);
    let _ = writeln!(text, " {}", content.caller_name);
    let _ = writeln!(text, "  made {}, expires {}", moment(content.created), moment(content.expires));
    for manifest in &content.manifests {
        let _ = writeln!(text, "  manifest {}: {} ({})", manifest.name, manifest.reason, manifest.file);
    }
    if let Some(commit) = &content.commit {
        let _ = writeln!(text, "  commit {commit}");
    }
    match used {
        Some(at) => text.push_str(&format!("  used {}, and a plan is carried out once\n", moment(at))),
        None => text.push_str("  not used here\n"),
    }
    text.push('\n');
    let width = content.targets.iter().map(|target| target.key.to_string().len()).max().unwrap_or(0);
    let names = content.targets.iter().map(|target| target.name.as_str().chars().count()).max().unwrap_or(0);
    for PlanFileTarget { key, removal, generation, origin, name } in &content.targets {
        let what = match removal {
            PlannedRemoval::Layout(digest) => format!("the layout {}", digest.short()),
            PlannedRemoval::Unread => "without reading: no backup, no way back".to_owned(),
        };
        let once = generation.as_ref().map(|generation| format!(", once for {generation}")).unwrap_or_default();
        let key = key.to_string();
        let _ = writeln!(text, "reset  {key:<width$}  {name:<names$}  {what}{once}");
        let _ = writeln!(text, "       {} {}", origin.place, origin.selector);
    }
    let PlanCounts { keep, reset, hold } = content.counts;
    let _ = writeln!(text, "\nPlan: {reset} to reset, {keep} to keep, {hold} held.");
    for breach in &content.acknowledged {
        let _ = writeln!(text, "acknowledged: {breach}");
    }
    for breach in &content.breaches {
        let _ = writeln!(text, "guard: {breach}");
    }
    text
}
