//! `recard history` and `recard show`: what earlier runs did. Reads the store alone.

use crate::cli::args::{Global, HistoryArguments, ShowArguments};
use crate::cli::environment::{self, Need};
use crate::cli::failure::Failure;
use crate::cli::output::{self, Outputs};
use crate::cli::ui::Ui;
use crate::cli::{exit, session};
use crate::engine::Settled;
use crate::model::Totals;
use crate::port::{Interrupted, RunPurpose};
use crate::report::{Format, Purpose, ReportJson, RunText, SettledRun, Subject, pretty};
use crate::store::{RunEnd, RunSummary, Store};

/// Lists the runs of the store.
pub(in crate::cli) fn run(ui: &Ui, global: &Global, arguments: &HistoryArguments) -> Result<u8, Failure> {
    output::check_paths(&arguments.output)?;
    let store = store(global)?;
    let runs = store.runs()?;
    output::write(ui, &arguments.output, |format| match format {
        Format::Json => {
            let json = |run: &RunSummary| ReportJson::new(&settled(run, &targets(run)), Purpose::Show);
            pretty(&runs.iter().map(json).collect::<Vec<_>>())
        }
        _ if runs.is_empty() => "The store has no run for this portal.\n".to_owned(),
        _ => runs.iter().map(line).collect(),
    })?;
    Ok(exit::DONE)
}

/// Shows one run.
pub(in crate::cli) fn show(ui: &Ui, global: &Global, arguments: &ShowArguments) -> Result<u8, Failure> {
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
    if let Some(commit) = &header.commit {
        text.push_str(&format!("  commit {commit}\n"));
    }
    text.push_str(&format!("  as user {} of {}\n\n", header.caller, header.portal));
    text.push_str(&RunText::new(&summary.run, &targets, summary.totals()).with_every_target().to_string());
    outputs.write_with(Subject::Run(&settled(&summary, &targets)), &text)?;
    Ok(exit::DONE)
}

/// The store of the portal that the command line or the environment names.
fn store(global: &Global) -> Result<Store, Failure> {
    let portal = match &global.portal {
        Some(_) => session::named_portal(global)?,
        None => environment::webhook(Need::Read, global.webhook_url_file.as_deref())?.portal(),
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
    let actor = if run.header.actor.is_empty() { String::new() } else { format!(" by {}", run.header.actor) };
    let planned = run.header.targets.len();
    format!(
        "{}  {what}{actor}: {done} of {planned} done, {skipped} skipped, {failed} failed, {unknown} unknown{end}\n",
        run.run
    )
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
    }
}
