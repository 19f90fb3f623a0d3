//! `recard history`: the list of runs. Reads the store alone.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::cli::args::{GlobalArgs, HistoryArgs};
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::cli::value_parsers::Since;
use crate::cli::{exit, output, session};
use crate::engine::TargetOutcome;
use crate::model::{PersonName, RunId, UserId};
use crate::ports::{Clock as _, Interrupted, StoreError};
use crate::report::{ReportedRun, RunHistory};
use crate::store::{RunEnd, RunSummary, Store};

/// Lists the runs of the store.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &HistoryArgs,
) -> Result<u8, CliError> {
    output::check_paths(&arguments.output)?;
    let store = session::store(global).await?;
    let mut runs = Vec::new();
    // A run id begins with the time of the run.
    let since = arguments.since.map(|since| start_of(since).strftime("%Y%m%dT%H%M%SZ").to_string());
    let is_late = |run: &RunId| since.as_ref().is_none_or(|since| run.as_str() >= since.as_str());
    let limit =
        arguments.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    for run in store.run_ids().await?.into_iter().rev().filter(is_late).take(limit) {
        // The undamaged ones are shown all the same.
        match summary(ui, &store, &run).await {
            Ok(summary) => runs.push(summary),
            Err(problem) => ui.warn(format_args!("{run}: {}", CliError::from_store(problem))),
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

/// Returns the summary of a run from its journal, or from its report with a warning.
pub(super) async fn summary(ui: &Ui, store: &Store, run: &RunId) -> Result<RunSummary, StoreError> {
    let problem = match store.summary(run).await {
        Err(problem) => problem,
        found => return found,
    };
    let Some(summary) = store.reported_summary(run).await else { return Err(problem) };
    let problem = CliError::from_store(problem);
    ui.warn(format_args!("{run}: {}", tr!("{problem}; its report is shown", problem)));
    Ok(summary)
}

/// Returns the time at which a period starts.
fn start_of(since: Since) -> Timestamp {
    match since {
        Since::At(time) => time,
        Since::Ago(duration) => {
            SystemClock.now().checked_sub(duration).unwrap_or(Timestamp::UNIX_EPOCH)
        }
    }
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
        incomplete: None,
        plan: None,
        names,
        header: Some(&run.header),
        labels: None,
    }
}
