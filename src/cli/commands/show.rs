//! `recard show`: one run, or the content of a plan file. Reads the store alone.

use std::fmt::Write as _;
use std::path::Path;

use crate::app;
use crate::cli::args::{GlobalArgs, ShowArgs};
use crate::cli::commands::history;
use crate::cli::error::CliError;
use crate::cli::output::Outputs;
use crate::cli::ui::Ui;
use crate::cli::{exit, plan_files, session};
use crate::i18n::Text;
use crate::report::{PlanFileReport, Purpose, RunText, Subject, visible};
use crate::store::Store;

/// Shows one run, or a plan file.
pub(in crate::cli) fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &ShowArgs,
) -> Result<u8, CliError> {
    let outputs = Outputs::open(ui, Purpose::Show, &arguments.output_args)?;
    let path = Path::new(&arguments.run);
    // A pipe may hold a plan, and a run id has no separator.
    let is_path =
        arguments.run.contains(std::path::is_separator) || arguments.run.ends_with(".json");
    let shown = match is_path || (path.exists() && !path.is_dir()) {
        true => show_plan(&outputs, global, path),
        false => show_run(&outputs, global, arguments),
    };
    outputs.finish(shown)
}

fn show_run(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &ShowArgs,
) -> Result<u8, CliError> {
    let store = session::store(global)?;
    let summary = store.summary(&store.find_run(&arguments.run)?)?;
    let targets = history::targets(&summary);
    let header = &summary.header;
    let names = app::names_of_run(&store, &summary.run);
    let run = history::reported_run(&summary, &targets, Some(&names));
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
    push(
        &mut text,
        &tr!("as user {user} of {portal}", user = header.caller, portal = header.portal),
    );
    text.push('\n');
    let named = targets.iter().map(|settled| (settled.key, run.person_name(settled.key)));
    let shown = RunText::new(&summary.run, &targets, summary.totals())
        .with_names(named)
        .with_every_target();
    text.push_str(&shown.to_string());
    outputs.write_with(Subject::Run(&run), &text)?;
    Ok(exit::DONE)
}

fn show_plan(outputs: &Outputs<'_>, global: &GlobalArgs, path: &Path) -> Result<u8, CliError> {
    let (file, bytes) = plan_files::read(path)?;
    let used = Store::open(&global.store, &file.content.portal)?.consumed_at(file.id)?;
    let json = String::from_utf8_lossy(&bytes);
    outputs.write(Subject::PlanFile(&PlanFileReport { file: &file, json: &json, used }))?;
    Ok(exit::DONE)
}
fn push(text: &mut String, line: &Text) {
    let _ = writeln!(text, "  {}", visible(line));
}
