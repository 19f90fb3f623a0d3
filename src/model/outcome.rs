//! What became of one target.

use std::fmt;

use crate::i18n::Text;

/// What became of one target of a run. More than done or failed: what the portal may have done
/// without telling is neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The card was reset, and a read afterwards shows it at its default.
    Reset,
    /// The card was reset, and a read afterwards shows it at its default; but the read just before,
    /// which tells what the reset removed, has no answer. The backup holds what the plan saw.
    ResetUnseen,
    /// The portal accepted the reset; nothing was read, because its reads of other people's cards
    /// are not theirs. There is no backup.
    ResetBlind,
    /// The card was at its default already; nothing was sent.
    AlreadyDefault,
    /// The card is not the one that was planned: it changed since. Nothing was sent.
    Changed,
    /// The person saved between the last read and the reset. What they saved is there again, and
    /// reads back the same: it was put back, or they have saved the very same once more, which
    /// nobody can tell from it.
    Compensated,
    /// The layout of the backup is on the portal again, and reads back the same.
    Restored,
    /// The layout of the backup is on the portal again, and reads back the same; but the read just
    /// before, which tells what was overwritten, has no answer.
    RestoredUnseen,
    /// The layout of the backup was put back, but the portal did not keep all of it. The text names
    /// what is missing.
    RestoredInPart(String),
    /// The card holds a layout already that is newer than the backup; nothing was sent.
    NewerKept,
    /// The person saved while the run wrote to the card, and that layout is not on the portal:
    /// another one is, or it was overwritten three times in a row. It lies in a backup of the run,
    /// whose digest this is, shortened.
    NewerInBackup(String),
    /// The portal refused. The texts are the portal's; the code may be empty.
    Refused {
        /// The error code.
        code: String,
        /// The description.
        message: String,
    },
    /// The portal accepted the reset, but the card still reads as customized.
    StillCustomized,
    /// The card was lost in the last moment and could not be put back by recard. The text says what
    /// to do.
    Lost(String),
    /// The request was sent and may have been carried out; the portal could not be asked since. The
    /// text says why.
    Unknown(String),
    /// Nothing was sent, because the run stopped before. The text says why.
    NotAttempted(String),
}

/// The four sums of a report. They add up to the number of planned targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutcomeClass {
    /// The portal is as the plan wants it, by this run.
    Done,
    /// Rightly nothing was done: the card is at its default, or is not the one that was planned.
    Skipped,
    /// Not as wanted; surely known.
    Failed,
    /// Not known.
    Unknown,
}

impl Outcome {
    /// Under which sum it counts.
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

    /// Returns whether the target needs no further look. A card that changed since the plan was
    /// rightly skipped, and still needs one.
    pub fn is_resolved(&self) -> bool {
        match self.class() {
            OutcomeClass::Done => true,
            OutcomeClass::Skipped => *self != Self::Changed,
            OutcomeClass::Failed | OutcomeClass::Unknown => false,
        }
    }

    /// Returns whether the write may have removed a layout that no read has shown.
    pub fn is_unseen(&self) -> bool {
        matches!(self, Self::ResetUnseen | Self::RestoredUnseen)
    }

    /// The word for machine output; never changes.
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

/// How many targets ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// As the plan wants it, by this run.
    pub done: u32,
    /// Rightly not touched: at its default already, or changed since the plan.
    pub skipped: u32,
    /// Surely not as wanted.
    pub failed: u32,
    /// Not known.
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

    /// All targets.
    pub fn planned(self) -> u32 {
        self.done + self.skipped + self.failed + self.unknown
    }

    /// Whether every target is as the plan wants it.
    pub fn is_clean(self) -> bool {
        self.failed == 0 && self.unknown == 0
    }
}
