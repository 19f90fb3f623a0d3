//! Card that a person sees in a view.

use std::fmt;

/// Card that a person sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum VisibleCard {
    /// The common default, set for all users.
    CommonDefault,
    /// The common card, customized by an administrator.
    CommonCard,
    /// The built-in card of the portal.
    BuiltIn,
    /// Not known.
    Unknown,
}

impl VisibleCard {
    /// Returns the stable word for machine output.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::CommonDefault => "set-for-all",
            Self::CommonCard => "common-card",
            Self::BuiltIn => "built-in",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for VisibleCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::CommonDefault => tr!("the card set for all users"),
            Self::CommonCard => tr!("the common card"),
            Self::BuiltIn => tr!("Bitrix24's built-in card"),
            Self::Unknown => tr!("not known"),
        })
    }
}
