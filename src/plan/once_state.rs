//! State of a target in mode `once`.

use std::fmt;

/// State of a card in mode `once`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnceState {
    /// The card has not had its reset, and neither has any other card of that kind.
    NotYetReset,
    /// Other cards had their reset; this person came into the selection later, or customized the
    /// card in between.
    NewInGroup,
    /// The card has not had its reset, and the person was dismissed.
    Dismissed,
    /// The card cannot be read, or the read cannot be trusted.
    OutOfReach,
    /// The card had its reset and was customized since. That is allowed.
    CustomizedAgain,
    /// The card is at its default, or had its reset and stayed so.
    Done,
}

impl OnceState {
    /// Returns the stable word for machine output. Drift uses the same words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotYetReset => "not-yet-reset",
            Self::NewInGroup => "new-in-group",
            Self::Dismissed => "dismissed",
            Self::OutOfReach => "out-of-reach",
            Self::CustomizedAgain => "customized-again",
            Self::Done => "done",
        }
    }
}

impl fmt::Display for OnceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::NotYetReset => tr!("not yet reset"),
            Self::NewInGroup => tr!("new in the group"),
            Self::Dismissed => tr!("gone user"),
            Self::OutOfReach => tr!("out of reach"),
            Self::CustomizedAgain => tr!("customized again after its reset"),
            Self::Done => tr!("done"),
        })
    }
}
