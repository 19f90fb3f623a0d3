//! `recard show`: one run, or what a plan file says. Reads the store alone.

use std::fmt::Write as _;
use std::path::Path;

use crate::cli::args::{Global, ShowArguments};
use crate::cli::commands::history;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Output, Outputs};
use crate::cli::plan_files::{self, moment};
use crate::cli::ui::Ui;
use crate::cli::{exit, names, session};
use crate::format::plan_file::{PlanFile, PlanFileTarget, PlannedRemoval};
use crate::language::Text;
use crate::plan::PlanCounts;
use crate::report::{Format, Purpose, RunText, Subject};
use crate::store::Store;

/// Shows one run, or a plan file.
pub(in crate::cli) fn run(ui: &Ui, global: &Global, arguments: &ShowArguments) -> Result<u8, Failure> {
    let path = Path::new(&arguments.run);
    if path.is_file() || arguments.run.ends_with(".json") {
        return show_plan(ui, global, &arguments.written.output, path);
    }
    let outputs = Outputs::open(ui, Purpose::Show, &arguments.written)?;
    outputs.finish(show_run(&outputs, global, arguments))
}

fn show_run(outputs: &Outputs<'_>, global: &Global, arguments: &ShowArguments) -> Result<u8, Failure> {
    let store = session::store(global)?;
    let summary = store.summary(&store.find_run(&arguments.run)?)?;
    let targets = history::targets(&summary);
    let header = &summary.header;
    let names = names::of_run(&store, &summary.run);
    let run = history::settled(&summary, &targets, Some(&names));
    let mut text = run.headline() + "\n";
    for (name, reason) in &header.reasons {
        push(&mut text, &tr!("manifest {name}: {reason}", name, reason));
    }
    if let Some(digest) = &header.manifest {
        push(&mut text, &tr!("manifests' digest {digest}", digest));
    }
    if let Some(commit) = &header.commit {
        push(&mut text, &tr!("commit {commit}", commit));
    }
    if !header.actor.is_empty() {
        push(&mut text, &tr!("by {}", header.actor));
    }
    push(&mut text, &tr!("as user {user} of {portal}", user = header.caller, portal = header.portal));
    text.push('\n');
    let named = targets.iter().map(|settled| (settled.key, run.person_name(settled.key)));
    let shown = RunText::new(&summary.run, &targets, summary.totals()).with_names(named).with_every_target();
    text.push_str(&shown.to_string());
    outputs.write_with(Subject::Run(&run), &text)?;
    Ok(exit::DONE)
}

fn show_plan(ui: &Ui, global: &Global, outputs: &[Output], path: &Path) -> Result<u8, Failure> {
    output::check_paths(outputs)?;
    if let Some(other) = outputs.iter().find(|output| !matches!(output.format, Format::Text | Format::Json)) {
        return Err(Failure::new(exit::USAGE, tr!("a plan file is shown as text or json, not as {}", other.format)));
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
    let mut text = String::new();
    let (plan, portal, user, name) = (file.id.short(), &content.portal, content.caller, &content.caller_name);
    let _ = writeln!(text, "{}", tr!("Plan {plan} for {portal}, as user {user} {name}", plan, portal, user, name));
    let (made, expires) = (moment(content.created), moment(content.expires));
    let _ = writeln!(text, "  {}", tr!("made {made}, expires {expires}", made, expires));
    for manifest in &content.manifests {
        let (name, reason, file) = (&manifest.name, &manifest.reason, &manifest.file);
        let _ = writeln!(text, "  {}", tr!("manifest {name}: {reason} ({file})", name, reason, file));
    }
    if let Some(commit) = &content.commit {
        let _ = writeln!(text, "  {}", tr!("commit {commit}", commit));
    }
    match used {
        Some(at) => push(&mut text, &tr!("used {}, and a plan is carried out once", moment(at))),
        None => push(&mut text, &tr!("not used here")),
    }
    text.push('\n');
    let width = content.targets.iter().map(|target| target.key.to_string().len()).max().unwrap_or(0);
    let names = content.targets.iter().map(|target| target.name.as_str().chars().count()).max().unwrap_or(0);
    for PlanFileTarget { key, removal, generation, origin, name } in &content.targets {
        let what = match removal {
            PlannedRemoval::Layout(digest) => tr!("the layout {}", digest.short()),
            PlannedRemoval::Unread => tr!("without reading: no backup, no way back"),
        };
        let once = generation.as_ref().map(|generation| tr!(", once for {generation}", generation)).unwrap_or_default();
        let key = key.to_string();
        let _ = writeln!(text, "{}  {key:<width$}  {name:<names$}  {what}{once}", tr!("reset"));
        let _ = writeln!(text, "       {} {}", origin.place, origin.selector);
    }
    let PlanCounts { keep, reset, hold } = content.counts;
    let sums = tr!("{reset} to reset, {keep} to keep, {hold} held.", reset, keep, hold);
    let _ = writeln!(text, "\n{} {sums}", tr!("Plan:"));
    for breach in &content.acknowledged {
        let _ = writeln!(text, "{} {breach}", tr!("acknowledged:"));
    }
    for breach in &content.breaches {
        let _ = writeln!(text, "{} {breach}", tr!("guard:"));
    }
    text
}

fn push(text: &mut String, line: &Text) {
    let _ = writeln!(text, "  {line}");
}
