//! Outcomes in journals and reports.
//!
//! The field `outcome` is the word of [`Outcome::as_str`]; further fields are the texts of some
//! outcomes.

use serde::{Deserialize, Serialize};

use super::stored::Stored;
use crate::model::Outcome;

// Variants without texts have braces: only then does serde refuse unknown fields beside the word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum OutcomeV2 {
    Reset {},
    ResetUnseen {},
    ResetBlind {},
    AlreadyDefault {},
    Changed {},
    #[serde(rename = "lost-update-restored", alias = "put-back")]
    Compensated {},
    Restored {},
    RestoredUnseen {},
    RestoredInPart {
        missing: String,
    },
    NewerKept {},
    NewerInBackup {
        backup: String,
    },
    Refused {
        code: String,
        message: String,
    },
    #[serde(alias = "still-customised")]
    StillCustomized {},
    Lost {
        advice: String,
    },
    Unknown {
        reason: String,
    },
    NotAttempted {
        reason: String,
    },
}

impl Stored for Outcome {
    type Form = OutcomeV2;
}

impl From<&Outcome> for OutcomeV2 {
    fn from(outcome: &Outcome) -> Self {
        match outcome.clone() {
            Outcome::Reset => Self::Reset {},
            Outcome::ResetUnseen => Self::ResetUnseen {},
            Outcome::ResetBlind => Self::ResetBlind {},
            Outcome::AlreadyDefault => Self::AlreadyDefault {},
            Outcome::Changed => Self::Changed {},
            Outcome::Compensated => Self::Compensated {},
            Outcome::Restored => Self::Restored {},
            Outcome::RestoredUnseen => Self::RestoredUnseen {},
            Outcome::RestoredInPart(missing) => Self::RestoredInPart { missing },
            Outcome::NewerKept => Self::NewerKept {},
            Outcome::NewerInBackup(backup) => Self::NewerInBackup { backup },
            Outcome::Refused { code, message } => Self::Refused { code, message },
            Outcome::StillCustomized => Self::StillCustomized {},
            Outcome::Lost(advice) => Self::Lost { advice },
            Outcome::Unknown(reason) => Self::Unknown { reason },
            Outcome::NotAttempted(reason) => Self::NotAttempted { reason },
        }
    }
}

impl From<OutcomeV2> for Outcome {
    fn from(form: OutcomeV2) -> Self {
        match form {
            OutcomeV2::Reset {} => Self::Reset,
            OutcomeV2::ResetUnseen {} => Self::ResetUnseen,
            OutcomeV2::ResetBlind {} => Self::ResetBlind,
            OutcomeV2::AlreadyDefault {} => Self::AlreadyDefault,
            OutcomeV2::Changed {} => Self::Changed,
            OutcomeV2::Compensated {} => Self::Compensated,
            OutcomeV2::Restored {} => Self::Restored,
            OutcomeV2::RestoredUnseen {} => Self::RestoredUnseen,
            OutcomeV2::RestoredInPart { missing } => Self::RestoredInPart(missing),
            OutcomeV2::NewerKept {} => Self::NewerKept,
            OutcomeV2::NewerInBackup { backup } => Self::NewerInBackup(backup),
            OutcomeV2::Refused { code, message } => Self::Refused { code, message },
            OutcomeV2::StillCustomized {} => Self::StillCustomized,
            OutcomeV2::Lost { advice } => Self::Lost(advice),
            OutcomeV2::Unknown { reason } => Self::Unknown(reason),
            OutcomeV2::NotAttempted { reason } => Self::NotAttempted(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn word_in_a_file_is_the_word_of_the_outcome() {
        for outcome in samples::outcomes() {
            let value = serde_json::to_value(OutcomeV2::from(&outcome)).unwrap();
            assert_eq!(value["outcome"], outcome.as_str());
            let read: OutcomeV2 = serde_json::from_value(value).unwrap();
            assert_eq!(Outcome::from(read), outcome);
        }
    }

    #[test]
    fn words_of_earlier_versions_are_read() {
        for (word, outcome) in
            [("put-back", Outcome::Compensated), ("still-customised", Outcome::StillCustomized)]
        {
            let text = format!(r#"{{"outcome":"{word}"}}"#);
            let read: OutcomeV2 = serde_json::from_str(&text).unwrap();
            assert_eq!(Outcome::from(read), outcome);
        }
    }

    #[test]
    fn text_that_an_outcome_does_not_have_is_refused() {
        for text in [
            r#"{"outcome":"reset","reason":"x"}"#,
            r#"{"outcome":"gone"}"#,
            r#"{"outcome":"lost"}"#,
        ] {
            assert!(serde_json::from_str::<OutcomeV2>(text).is_err(), "{text}");
        }
    }
}
