//! List of used plan files.

use std::path::Path;

use super::file::{MAX_LOG_BYTES, damaged, read_optional};
use super::misread;
use crate::ports::StoreError;
use crate::records::{ConsumedPlan, decode_consumed_plan, read_lines};

/// List that was read.
#[derive(Debug)]
pub(super) struct ConsumedPlans {
    pub(super) plans: Vec<ConsumedPlan>,
    /// The number of bytes in complete lines.
    pub(super) whole: usize,
}

/// Reads the list. A torn last line is left out: its process was killed before it could use the
/// plan.
pub(super) fn read(path: &Path) -> Result<ConsumedPlans, StoreError> {
    let bytes = read_optional(path, MAX_LOG_BYTES)?.unwrap_or_default();
    let found = read_lines(&bytes).map_err(|problem| damaged(path, problem.to_string()))?;
    let mut plans = Vec::with_capacity(found.lines.len());
    for line in &found.lines {
        plans.push(
            decode_consumed_plan(line.json)
                .map_err(|problem| misread(path, problem, Some(line.number)))?,
        );
    }
    Ok(ConsumedPlans { plans, whole: found.whole })
}
