//! `recard history`: what earlier runs did. Reads the store alone.

use std::collections::BTreeMap;

use crate::cli::args::{Global, HistoryArguments};
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;
use crate::cli::{exit, output, session};
use crate::engine::Settled;
use crate::model::{PersonName, UserId};
use crate::port::Interrupted;
use crate::report::{History, SettledRun};
use crate::store::{RunEnd, RunSummary};

/// Lists the runs of the store.
pub(in crate::cli) fn run(
    ui: &Ui,
    global: &Global,
    arguments: &HistoryArguments,
) -> Result<u8, Failure> {
    output::check_paths(&arguments.output)?;
    let store = session::store(global)?;
    let mut runs = Vec::new();
    for run in store.run_ids()?.into_iter().rev() {
        match store.summary(&run) {
            Ok(summary) => runs.push(summary),
            // The good ones are shown all the same.
            Err(problem) => ui.warn(format_args!("{run}: {problem}")),
        }
    }
    let targets: Vec<Vec<Settled>> = runs.iter().map(targets).collect();
    let history = History {
        runs: runs.iter().zip(&targets).map(|(run, targets)| settled(run, targets, None)).collect(),
    };
    output::write(ui, &arguments.output, |format| history.render(format))?;
    Ok(exit::DONE)
}

/// Every target of a run that has an outcome.
pub(super) fn targets(run: &RunSummary) -> Vec<Settled> {
    run.settled
        .iter()
        .map(|(key, outcome)| Settled { key: *key, outcome: outcome.clone() })
        .collect()
}

/// A run of the store, for its report.
pub(super) fn settled<'a>(
    run: &'a RunSummary,
    targets: &'a [Settled],
    names: Option<&'a BTreeMap<UserId, PersonName>>,
) -> SettledRun<'a> {
    SettledRun {
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
        about: Some(&run.header),
    }
}
