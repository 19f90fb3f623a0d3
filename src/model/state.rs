//! State of one card, or the reason why it is not known.

use super::Layout;

/// State of one card that was read and can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardState {
    /// The portal has no row for it.
    Default,
    /// The portal has no row for it, and answers with the common default. A reset cannot remove
    /// that one, and the person has no layout to remove.
    CommonDefault,
    /// The portal has a row, with this layout.
    Customized(Layout),
}

impl CardState {
    /// Returns the state that a trusted read shows, given the common default.
    ///
    /// A personal row that equals the common default cannot be told from it. A reset of such a row
    /// would change nothing visible, so it counts as the common default.
    pub fn from_read(read: Option<Layout>, common_default: Option<&Layout>) -> Self {
        match read {
            None => Self::Default,
            Some(layout) if Some(&layout) == common_default => Self::CommonDefault,
            Some(layout) => Self::Customized(layout),
        }
    }

    /// Returns `true` if there is nothing to reset.
    pub fn is_default(&self) -> bool {
        match self {
            Self::Default | Self::CommonDefault => true,
            Self::Customized(_) => false,
        }
    }

    /// Returns the layout that a reset would remove.
    pub fn layout(&self) -> Option<&Layout> {
        match self {
            Self::Default | Self::CommonDefault => None,
            Self::Customized(layout) => Some(layout),
        }
    }
}

/// Observation of one card in a snapshot: a state, or the reason for its absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The card was read and the answer can be trusted.
    Known(CardState),
    /// The card could not be read, or the answer cannot be trusted.
    Unreadable(UnreadableReason),
}

/// Reason why a card's state is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadableReason {
    /// The portal refused the read. The texts are the portal's; the code may be empty.
    Refused {
        /// The error code.
        code: String,
        /// The description.
        message: String,
    },
    /// The portal answers reads of other people's cards with the caller's own (releases up to
    /// 24.200).
    ReadsNotTrusted,
    /// The read was empty, and no evidence shows that the portal reads the named person's card and
    /// not the caller's.
    ReadsUnproven,
    /// The portal lists no pipeline for the card, so that no request can name it: the type has
    /// none, or not that of the card.
    NoPipeline,
    /// The portal gave no usable answer.
    NoAnswer(String),
}
