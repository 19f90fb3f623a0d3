//! Outcomes as they stand in journals.

use serde::{Deserialize, Serialize};

use super::FormatError;
use crate::model::Outcome;

/// An outcome: its word, and the texts that some carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutcomeForm {
    outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl From<&Outcome> for OutcomeForm {
    fn from(outcome: &Outcome) -> Self {
        let (code, text) = match outcome {
            Outcome::Reset
            | Outcome::ResetBlind
            | Outcome::AlreadyDefault
            | Outcome::Changed
            | Outcome::PutBack
            | Outcome::Restored
            | Outcome::NewerKept
            | Outcome::StillCustomised => (None, None),
            Outcome::RestoredInPart(text)
            | Outcome::Lost(text)
            | Outcome::Unknown(text)
            | Outcome::NotAttempted(text) => (None, Some(text.clone())),
            Outcome::Refused { code, message } => (Some(code.clone()), Some(message.clone())),
        };
        Self { outcome: outcome.word().to_owned(), code, text }
    }
}

impl TryFrom<OutcomeForm> for Outcome {
    type Error = FormatError;

    fn try_from(form: OutcomeForm) -> Result<Self, FormatError> {
        let OutcomeForm { outcome, code, text } = form;
        let text = text.unwrap_or_default();
        Ok(match outcome.as_str() {
            "reset" => Self::Reset,
            "reset-blind" => Self::ResetBlind,
            "already-default" => Self::AlreadyDefault,
            "changed" => Self::Changed,
            "put-back" => Self::PutBack,
            "restored" => Self::Restored,
            "restored-in-part" => Self::RestoredInPart(text),
            "newer-kept" => Self::NewerKept,
            "refused" => Self::Refused { code: code.unwrap_or_default(), message: text },
            "still-customised" => Self::StillCustomised,
            "lost" => Self::Lost(text),
            "unknown" => Self::Unknown(text),
            "not-attempted" => Self::NotAttempted(text),
            other => return Err(FormatError::Damaged(format!("there is no outcome {other:?}"))),
        })
    }
}
