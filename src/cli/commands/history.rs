//! `recard history`: the list of runs. Reads the store alone.

use std::collections::BTreeMap;

use crate::cli::args::{GlobalArgs, HistoryArgs};
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::cli::{exit, output, session};
use crate::engine::TargetOutcome;
use crate::model::{PersonName, UserId};
use crate::ports::Interrupted;
use crate::report::{ReportedRun, RunHistory};
use crate::store::{RunEnd, RunSummary};

/// Lists the runs of the store.
pub(in crate::cli) fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &HistoryArgs,
) -> Result<u8, CliError> {
    output::check_paths(&arguments.output)?;
    let store = session::store(global)?;
    let mut runs = Vec::new();
    for run in store.run_ids()?.into_iter().rev() {
        match store.summary(&run) {
            Ok(summary) => runs.push(summary),
            // The undamaged ones are shown all the same.
            Err(problem) => ui.warn(format_args!("{run}: {problem}")),
        }
    }
    let targets: Vec<Vec<TargetOutcome>> = runs.iter().map(targets).collect();
    let history = RunHistory {
        runs: runs
            .iter()
            .zip(&targets)
            .map(|(run, targets)| reported_run(run, targets, None))
            .collect(),
    };
    output::write(ui, &arguments.output, |format| history.render(format))?;
    Ok(exit::DONE)
}

/// Returns every target of a run with its outcome.
pub(super) fn targets(run: &RunSummary) -> Vec<TargetOutcome> {
    run.settled
        .iter()
        .map(|(key, outcome)| TargetOutcome { key: *key, outcome: outcome.clone() })
        .collect()
}

/// Returns a run of the store for its report.
pub(super) fn reported_run<'a>(
    run: &'a RunSummary,
    targets: &'a [TargetOutcome],
    names: Option<&'a BTreeMap<UserId, PersonName>>,
) -> ReportedRun<'a> {
    ReportedRun {
        run: Some(&run.run),
        portal: run.header.portal.as_str(),
        manifests: run
            .header
            .reasons
            .iter()
            .map(|(name, reason)| (name.as_str(), reason.as_str()))
            .collect(),
        targets,
        stopped: match run.end {
            RunEnd::Closed(Interrupted::No) => None,
            RunEnd::Closed(Interrupted::Yes) => Some(tr_later!("interrupted")),
            RunEnd::Unfinished => Some(tr_later!("unfinished")),
        },
        held: Vec::new(),
        plan: None,
        names,
        header: Some(&run.header),
    }
}
