//! What is known of one card.

use super::Layout;

/// The state of one card that was read and can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardState {
    /// The portal has no row for it.
    Default,
    /// The portal has no row for it, but answers with the row that stands in for everybody. No
    /// reset can remove that one, and there is nothing of this person's to remove.
    CommonDefault,
    /// The portal has a row, with this layout.
    Customized(Layout),
}

impl CardState {
    /// What a trusted read means, given the layout that stands in for everybody.
    ///
    /// A person's own row that happens to equal the stand-in cannot be told from it; removing it
    /// would change nothing that anybody sees, so it counts as inherited.
    pub fn from_read(read: Option<Layout>, common_default: Option<&Layout>) -> Self {
        match read {
            None => Self::Default,
            Some(layout) if Some(&layout) == common_default => Self::CommonDefault,
            Some(layout) => Self::Customized(layout),
        }
    }

    /// Whether there is nothing to reset.
    pub fn is_default(&self) -> bool {
        match self {
            Self::Default | Self::CommonDefault => true,
            Self::Customized(_) => false,
        }
    }

    /// The layout that a reset would remove.
    pub fn layout(&self) -> Option<&Layout> {
        match self {
            Self::Default | Self::CommonDefault => None,
            Self::Customized(layout) => Some(layout),
        }
    }
}

/// What a snapshot says about one card: a state, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It was read and can be believed.
    Known(CardState),
    /// It could not be read, or the answer cannot be believed.
    Unreadable(UnreadableReason),
}

/// Why a card's state is not known.
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
    /// The read was empty, and nothing proves that the portal reads the named person's card and not
    /// the caller's.
    ReadsUnproven,
    /// The portal was asked but gave no usable answer.
    NoAnswer(String),
}
