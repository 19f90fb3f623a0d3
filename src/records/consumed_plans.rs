//! List of used plan files: each is executed once.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sealed::RecordFormat;
use super::{FormatError, no_duplicate_keys};
use crate::model::Digest;

const FORMAT: RecordFormat = RecordFormat { name: "used-plan", version: 1 };

/// Plan file that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumedPlan {
    /// The id of the plan file.
    pub plan: Digest,
    /// The start of its use.
    pub at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsumedPlanV1 {
    format: String,
    plan: Digest,
    at: Timestamp,
}

/// Encodes a used plan as one JSON object on one line.
pub fn encode_consumed_plan(used: ConsumedPlan) -> Result<String, FormatError> {
    let ConsumedPlan { plan, at } = used;
    let form = ConsumedPlanV1 { format: FORMAT.text(), plan, at };
    serde_json::to_string(&form).map_err(FormatError::not_writable)
}

/// Decodes the used plan of a line.
///
/// # Errors
///
/// If it is not JSON, of another kind or a newer version, or damaged.
pub fn decode_consumed_plan(json: &str) -> Result<ConsumedPlan, FormatError> {
    let object = no_duplicate_keys::object(json.as_bytes())?;
    FORMAT.check_object(&object)?;
    let ConsumedPlanV1 { format: _, plan, at } =
        serde_json::from_value(Value::Object(object)).map_err(FormatError::invalid)?;
    Ok(ConsumedPlan { plan, at })
}
