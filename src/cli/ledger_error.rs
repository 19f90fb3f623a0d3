//! Wording of errors about a ledger of mode `once` in a file.

use std::path::Path;

use super::error::CliError;
use crate::model::RunId;
use crate::ports::StoreError;

/// Words the error of a ledger that cannot be used.
pub(super) fn ledger_error(path: &Path, source: StoreError) -> CliError {
    match source {
        StoreError::Missing(_) => CliError::from_store(source).hint(tr!(
            "a ledger that is not there is not taken for an empty one; begin it with: recard ledger new {}",
            path.display()
        )),
        // The hint about a store would name the wrong option.
        StoreError::Io { .. } => CliError::from_store(source).hint(tr!(
            "a ledger is written again after each run, so it must be a regular file that recard can read and write; begin one with: recard ledger new FILE"
        )),
        other => other.into(),
    }
}

/// Words the refusal to recover a run without its ledger, the name of which may be lost.
pub(super) fn ledger_not_named(run: &RunId, ledger: Option<&str>) -> CliError {
    match ledger {
        Some(ledger) => CliError::refused(tr!(
            "the run {run} marks the resets of mode once in {ledger}; nothing was written",
            run,
            ledger
        ))
        .hint(tr!("add --ledger with that file, or those cards would be reset a second time")),
        None => CliError::refused(tr!(
            "the head of the journal of {run} is lost, and with it the name of its ledger file; nothing was written",
            run
        ))
        .hint(tr!(
            "add --ledger with the file that the run used; if it used none, make one with `recard ledger new FILE`, and name that"
        )),
    }
}
