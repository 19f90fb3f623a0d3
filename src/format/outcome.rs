//! Outcomes as they stand in journals and reports.
//!
//! The field `outcome` is the word of [`Outcome::word`]; further fields are the texts that some
//! outcomes carry.

use serde::{Deserialize, Serialize};

use crate::model::Outcome;

// The variants without texts are written with braces: only then does serde refuse unknown fields
// beside the word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum OutcomeForm {
    Reset {},
    ResetUnseen {},
    ResetBlind {},
    AlreadyDefault {},
    Changed {},
    PutBack {},
    Restored {},
    RestoredUnseen {},
    RestoredInPart { missing: String },
    NewerKept {},
    NewerInBackup { backup: String },
    Refused { code: String, message: String },
    StillCustomised {},
    Lost { advice: String },
    Unknown { reason: String },
    NotAttempted { reason: String },
}

impl From<&Outcome> for OutcomeForm {
    fn from(outcome: &Outcome) -> Self {
        match outcome.clone() {
            Outcome::Reset => Self::Reset {},
            Outcome::ResetUnseen => Self::ResetUnseen {},
            Outcome::ResetBlind => Self::ResetBlind {},
            Outcome::AlreadyDefault => Self::AlreadyDefault {},
            Outcome::Changed => Self::Changed {},
            Outcome::PutBack => Self::PutBack {},
            Outcome::Restored => Self::Restored {},
            Outcome::RestoredUnseen => Self::RestoredUnseen {},
            Outcome::RestoredInPart(missing) => Self::RestoredInPart { missing },
            Outcome::NewerKept => Self::NewerKept {},
            Outcome::NewerInBackup(backup) => Self::NewerInBackup { backup },
            Outcome::Refused { code, message } => Self::Refused { code, message },
            Outcome::StillCustomised => Self::StillCustomised {},
            Outcome::Lost(advice) => Self::Lost { advice },
            Outcome::Unknown(reason) => Self::Unknown { reason },
            Outcome::NotAttempted(reason) => Self::NotAttempted { reason },
        }
    }
}

impl From<OutcomeForm> for Outcome {
    fn from(form: OutcomeForm) -> Self {
        match form {
            OutcomeForm::Reset {} => Self::Reset,
            OutcomeForm::ResetUnseen {} => Self::ResetUnseen,
            OutcomeForm::ResetBlind {} => Self::ResetBlind,
            OutcomeForm::AlreadyDefault {} => Self::AlreadyDefault,
            OutcomeForm::Changed {} => Self::Changed,
            OutcomeForm::PutBack {} => Self::PutBack,
            OutcomeForm::Restored {} => Self::Restored,
            OutcomeForm::RestoredUnseen {} => Self::RestoredUnseen,
            OutcomeForm::RestoredInPart { missing } => Self::RestoredInPart(missing),
            OutcomeForm::NewerKept {} => Self::NewerKept,
            OutcomeForm::NewerInBackup { backup } => Self::NewerInBackup(backup),
            OutcomeForm::Refused { code, message } => Self::Refused { code, message },
            OutcomeForm::StillCustomised {} => Self::StillCustomised,
            OutcomeForm::Lost { advice } => Self::Lost(advice),
            OutcomeForm::Unknown { reason } => Self::Unknown(reason),
            OutcomeForm::NotAttempted { reason } => Self::NotAttempted(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::samples;

    #[test]
    fn the_word_in_a_file_is_the_word_of_the_outcome() {
        for outcome in samples::outcomes() {
            let value = serde_json::to_value(OutcomeForm::from(&outcome)).unwrap();
            assert_eq!(value["outcome"], outcome.word());
            let read: OutcomeForm = serde_json::from_value(value).unwrap();
            assert_eq!(Outcome::from(read), outcome);
        }
    }

    #[test]
    fn a_text_that_an_outcome_does_not_have_is_refused() {
        for text in [
            r#"{"outcome":"reset","reason":"x"}"#,
            r#"{"outcome":"gone"}"#,
            r#"{"outcome":"lost"}"#,
        ] {
            assert!(serde_json::from_str::<OutcomeForm>(text).is_err(), "{text}");
        }
    }
}
