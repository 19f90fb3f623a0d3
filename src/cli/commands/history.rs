//! `recard history` and `recard show`: what earlier runs did. Reads the store alone.

use crate::cli::args::{Global, HistoryArguments, ShowArguments};
use crate::cli::environment::{self, Need};
use crate::cli::failure::Failure;
use crate::cli::output::{self, Format};
use crate::cli::planning::json;
use crate::cli::ui::Ui;
use crate::cli::{exit, session};
use crate::engine::Settled;
use crate::model::Totals;
use crate::port::{Interrupted, RunPurpose};
use crate::report::{ReportJson, RunText};
use crate::store::{RunEnd, RunSummary, Store};

/// Lists the runs of the store.
pub(in crate::cli) fn run(ui: &Ui, global: &Global, arguments: &HistoryArguments) -> Result<u8, Failure> {
    output::check_paths(&arguments.output)?;
    let store = store(global)?;
    let runs = store.runs()?;
    output::write(ui, &arguments.output, |format| match format {
        Format::Text if runs.is_empty() => "The store has no run for this portal.\n".to_owned(),
        Format::Text => runs.iter().map(line).collect(),
        Format::Json => json(&runs.iter().map(|run| report(run).0).collect::<Vec<_>>()),
    })?;
    Ok(exit::DONE)
}

/// Shows one run.
pub(in crate::cli) fn show(ui: &Ui, global: &Global, arguments: &ShowArguments) -> Result<u8, Failure> {
    output::check_paths(&arguments.output)?;
    let store = store(global)?;
    let summary = store.summary(&store.find_run(&arguments.run)?)?;
    output::write(ui, &arguments.output, |format| match format {
        Format::Text => {
            let (_, targets) = report(&summary);
            let header = &summary.header;
            let mut text = line(&summary);
            for (name, reason) in &header.reasons {
                text.push_str(&format!("  manifest {name}: {reason}\n"));
            }
            if let Some(commit) = &header.commit {
                text.push_str(&format!("  commit {commit}\n"));
            }
            text.push_str(&format!("  as user {} of {}\n\n", header.caller, header.portal));
            text + &RunText::new(&summary.run, &targets, summary.totals()).with_every_target().to_string()
        }
        Format::Json => json(&report(&summary).0),
    })?;
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

fn report(run: &RunSummary) -> (ReportJson, Vec<Settled>) {
    let settled = |(key, outcome): &(crate::model::CardKey, crate::model::Outcome)| Settled {
        key: *key,
        outcome: outcome.clone(),
    };
    let targets: Vec<Settled> = run.settled.iter().map(settled).collect();
    let stopped = match run.end {
        RunEnd::Closed(Interrupted::No) => None,
        RunEnd::Closed(Interrupted::Yes) => Some("interrupted"),
        RunEnd::Unfinished => Some("unfinished"),
    };
    (ReportJson::new(run.header.portal.as_str(), Some(&run.run), &targets, stopped), targets)
}
