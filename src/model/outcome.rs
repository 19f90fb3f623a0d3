//! Final state of one target in a run.

use std::fmt;

use crate::i18n::Text;

/// Final state of one target of a run. Beside success and failure there is the indeterminate state:
/// the effect of a write is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The card was reset, and the read-back shows it at its default.
    Reset,
    /// The card was reset, and the read-back shows it at its default; but the read just before,
    /// which shows the removed layout, has no answer. The backup holds the layout of the plan.
    ResetUnseen,
    /// The portal accepted the reset without a read, because its reads of other people's cards
    /// return the caller's card. There is no backup.
    ResetBlind,
    /// The card was at its default already; nothing was sent.
    AlreadyDefault,
    /// The card changed since the plan. Nothing was sent.
    Changed,
    /// Lost update, restored: the person saved between the last read and the reset. The saved
    /// layout is on the portal again, and the read-back equals it. recard cannot tell if it was its
    /// own write or the same layout saved once more.
    Compensated,
    /// The layout of the backup is on the portal again, and the read-back equals it.
    Restored,
    /// The layout of the backup is on the portal again, and the read-back equals it; but the read
    /// just before, which shows the overwritten layout, has no answer.
    RestoredUnseen,
    /// The layout of the backup was written, but the portal did not keep all of it. The text names
    /// the missing parts.
    RestoredInPart(String),
    /// The card holds a newer layout than the backup; nothing was sent.
    NewerKept,
    /// Lost update, not restored: the person saved while the run wrote to the card, and that layout
    /// is not on the portal. Another layout is there, or it was overwritten three times in a row.
    /// It lies in a backup of the run; the text is its shortened digest.
    NewerInBackup(String),
    /// The portal refused the request. The texts are the portal's; the code may be empty.
    Refused {
        /// The error code.
        code: String,
        /// The description.
        message: String,
    },
    /// The portal accepted the reset, but the card still reads as customized.
    StillCustomized,
    /// A saved layout was lost at the last moment and could not be restored by recard. The text
    /// says how to restore it.
    Lost(String),
    /// Indeterminate: the request was sent and may have been executed; no read has succeeded since.
    /// The text is the reason.
    Unknown(String),
    /// The run stopped before this target; nothing was sent. The text is the reason.
    NotAttempted(String),
}

/// Class of an outcome: the four sums of a report. They add up to the number of planned targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutcomeClass {
    /// The run brought the card to the planned state.
    Done,
    /// Correctly left alone: the card is at its default, or changed since the plan.
    Skipped,
    /// Known not to be in the planned state.
    Failed,
    /// Indeterminate.
    Unknown,
}

impl Outcome {
    /// Returns the class under which the outcome counts.
    pub fn class(&self) -> OutcomeClass {
        match self {
            Self::Reset
            | Self::ResetUnseen
            | Self::ResetBlind
            | Self::Restored
            | Self::RestoredUnseen => OutcomeClass::Done,
            Self::AlreadyDefault | Self::Changed => OutcomeClass::Skipped,
            Self::Compensated
            | Self::RestoredInPart(_)
            | Self::NewerKept
            | Self::NewerInBackup(_)
            | Self::Refused { .. }
            | Self::StillCustomized
            | Self::Lost(_)
            | Self::NotAttempted(_) => OutcomeClass::Failed,
            Self::Unknown(_) => OutcomeClass::Unknown,
        }
    }

    /// Returns `true` if the target needs no further attention. A card that changed since the plan
    /// was correctly skipped, and still needs attention.
    pub fn is_resolved(&self) -> bool {
        match self.class() {
            OutcomeClass::Done => true,
            OutcomeClass::Skipped => *self != Self::Changed,
            OutcomeClass::Failed | OutcomeClass::Unknown => false,
        }
    }

    /// Returns `true` if the write may have removed a layout that no read has shown.
    pub fn is_unseen(&self) -> bool {
        matches!(self, Self::ResetUnseen | Self::RestoredUnseen)
    }

    /// Returns the stable word for machine output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::ResetUnseen => "reset-unseen",
            Self::ResetBlind => "reset-blind",
            Self::AlreadyDefault => "already-default",
            Self::Changed => "changed",
            Self::Compensated => "lost-update-restored",
            Self::Restored => "restored",
            Self::RestoredUnseen => "restored-unseen",
            Self::RestoredInPart(_) => "restored-in-part",
            Self::NewerKept => "newer-kept",
            Self::NewerInBackup(_) => "newer-in-backup",
            Self::Refused { .. } => "refused",
            Self::StillCustomized => "still-customized",
            Self::Lost(_) => "lost",
            Self::Unknown(_) => "unknown",
            Self::NotAttempted(_) => "not-attempted",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset => f.write_str(&tr!("reset, read back at its default")),
            Self::ResetUnseen => f.write_str(&tr!(
                "reset, read back at its default; what it held just before was not seen, the backup is of the plan"
            )),
            Self::ResetBlind => f.write_str(&tr!("reset without a read or a backup")),
            Self::AlreadyDefault => f.write_str(&tr!("already at its default")),
            Self::Changed => f.write_str(&tr!("changed since the plan; not touched")),
            Self::Compensated => f.write_str(&tr!("saved by its owner in the same moment; their layout is there again")),
            Self::Restored => f.write_str(&tr!("restored, read back the same")),
            Self::RestoredUnseen => {
                f.write_str(&tr!("restored, read back the same; what it replaced just before was not seen"))
            }
            Self::RestoredInPart(missing) => {
                f.write_str(&tr!("restored, but the portal did not keep all of it: {missing}", missing))
            }
            Self::NewerKept => f.write_str(&tr!("holds a newer layout; not touched")),
            Self::NewerInBackup(backup) => f.write_str(&tr!(
                "saved by its owner while recard wrote, and not on the portal now; the layout is in the backup {backup}",
                backup
            )),
            Self::Refused { code, message } if code.is_empty() => {
                f.write_str(&tr!("refused by the portal: {message}", message))
            }
            Self::Refused { code, message } => {
                f.write_str(&tr!("refused by the portal: {message} ({code})", message, code))
            }
            Self::StillCustomized => f.write_str(&tr!("reset, but still reads as customized")),
            Self::Lost(advice) => f.write_str(&tr!("lost in the last moment: {advice}", advice = Text::from_msgid(advice))),
            Self::Unknown(reason) => f.write_str(&tr!("unknown: {reason}", reason = Text::from_msgid(reason))),
            Self::NotAttempted(reason) => f.write_str(&tr!("not attempted: {reason}", reason = Text::from_msgid(reason))),
        }
    }
}

/// Number of targets by class of outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Brought to the planned state by this run.
    pub done: u32,
    /// Correctly left alone: at the default already, or changed since the plan.
    pub skipped: u32,
    /// Known not to be in the planned state.
    pub failed: u32,
    /// Indeterminate.
    pub unknown: u32,
}

impl Totals {
    /// Counts outcomes.
    pub fn from_outcomes<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        Self::from_classes(outcomes.into_iter().map(Outcome::class))
    }

    /// Counts the classes of outcomes.
    pub fn from_classes(classes: impl IntoIterator<Item = OutcomeClass>) -> Self {
        let mut totals = Self::default();
        for class in classes {
            match class {
                OutcomeClass::Done => totals.done += 1,
                OutcomeClass::Skipped => totals.skipped += 1,
                OutcomeClass::Failed => totals.failed += 1,
                OutcomeClass::Unknown => totals.unknown += 1,
            }
        }
        totals
    }

    /// Returns the number of all targets.
    pub fn planned(self) -> u32 {
        self.done + self.skipped + self.failed + self.unknown
    }
}
