//! The list of plan files that were used: a plan is carried out once.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::Format;
use super::{FormatError, parsed, strict};
use crate::model::Digest;

const FORMAT: Format = Format { name: "used-plan", version: 1 };

/// A plan file that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedPlan {
    /// The id of the plan file.
    pub plan: Digest,
    /// When its use began.
    pub at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UsedPlanForm {
    format: String,
    plan: String,
    at: String,
}

/// A used plan as one JSON object on one line.
///
/// # Errors
///
/// If JSON cannot hold it; nothing that recard keeps is such a value.
pub fn encode_used_plan(used: UsedPlan) -> Result<String, FormatError> {
    let UsedPlan { plan, at } = used;
    let form = UsedPlanForm { format: FORMAT.text(), plan: plan.to_string(), at: at.to_string() };
    serde_json::to_string(&form).map_err(FormatError::not_writable)
}

/// The used plan of a line.
///
/// # Errors
///
/// If it is not JSON, of another kind or a newer version, or damaged.
pub fn decode_used_plan(json: &str) -> Result<UsedPlan, FormatError> {
    let object = strict::object(json.as_bytes())?;
    FORMAT.check_object(&object)?;
    let UsedPlanForm { format: _, plan, at } =
        serde_json::from_value(Value::Object(object)).map_err(FormatError::senseless)?;
    Ok(UsedPlan { plan: parsed(&plan)?, at: parsed(&at)? })
}
