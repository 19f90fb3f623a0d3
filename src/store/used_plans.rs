//! The list of used plan files, read from its file.

use std::path::Path;

use super::file::{LARGEST_LOG, damaged, read_if_there};
use super::misread;
use crate::format::{UsedPlan, decode_used_plan, read_lines};
use crate::port::StoreError;

/// A list that was read.
#[derive(Debug)]
pub(super) struct ReadList {
    pub(super) plans: Vec<UsedPlan>,
    /// How many bytes of the file are whole lines.
    pub(super) whole: usize,
}

/// Reads the list. A torn last line is left out: its process was cut before it could use the plan.
pub(super) fn read(path: &Path) -> Result<ReadList, StoreError> {
    let bytes = read_if_there(path, LARGEST_LOG)?.unwrap_or_default();
    let found = read_lines(&bytes).map_err(|problem| damaged(path, problem.to_string()))?;
    let mut plans = Vec::with_capacity(found.lines.len());
    for line in &found.lines {
        plans.push(
            decode_used_plan(line.json)
                .map_err(|problem| misread(path, problem, Some(line.number)))?,
        );
    }
    Ok(ReadList { plans, whole: found.whole })
}
