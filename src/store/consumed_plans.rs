//! List of used plan files.

use super::medium::Medium;
use super::place::{Place, damaged, misread};
use crate::ports::StoreError;
use crate::records::{ConsumedPlan, decode_consumed_plan, read_lines};

/// List that was read.
#[derive(Debug)]
pub(super) struct ConsumedPlans {
    pub(super) plans: Vec<ConsumedPlan>,
    /// The bytes of the complete lines.
    pub(super) whole: Vec<u8>,
}

/// Reads the list. A torn last line is left out: its process was killed before it could use the
/// plan.
pub(super) async fn read(medium: &Medium) -> Result<ConsumedPlans, StoreError> {
    let (name, bytes) = (medium.name(&Place::UsedPlans), medium.read(&Place::UsedPlans).await?);
    let mut bytes = bytes.unwrap_or_default();
    let found = read_lines(&bytes).map_err(|problem| damaged(&name, problem.to_string()))?;
    let mut plans = Vec::with_capacity(found.lines.len());
    for line in &found.lines {
        plans.push(
            decode_consumed_plan(line.json)
                .map_err(|problem| misread(&name, problem, Some(line.number)))?,
        );
    }
    let whole = found.whole;
    bytes.truncate(whole);
    Ok(ConsumedPlans { plans, whole: bytes })
}
