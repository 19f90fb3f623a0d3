//! One decision and its reason.

use std::fmt;

use crate::i18n::Text;
use crate::model::{Generation, Layout, TreeGap, TreeHole, UnreadableReason};

/// Decision about one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Keep the card.
    Keep(KeepReason),
    /// Reset the card.
    Reset(Removal),
    /// Hold the card: no decision is possible, or the reset must not happen now.
    Hold(HoldReason),
}

/// Reason to keep a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeepReason {
    /// The portal has no row for the card.
    AtDefault,
    /// The portal answers with the common default; the person has no layout of their own.
    CommonDefault,
    /// The card had its reset for this once key, and is at its default.
    AlreadyReset(Generation),
    /// The card had its reset for this once key, and was customized again since.
    CustomizedAgain(Generation),
}

/// Content that a reset removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// This layout.
    Layout(Layout),
    /// Unknown content: the portal's reads cannot be trusted, and the run was told to reset without
    /// reading.
    Unread,
}

/// Reason to hold a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// Its state is not known.
    Unreadable(UnreadableReason),
    /// The snapshot has no observation of it.
    NotSeen,
    /// The department tree has a gap, and the manifest may except the person.
    TreeGap(TreeGap),
}

impl Decision {
    /// Returns the stable word for machine output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Keep(_) => "keep",
            Self::Reset(_) => "reset",
            Self::Hold(_) => "hold",
        }
    }

    /// Returns the reason as a stable word for machine output.
    pub fn reason_str(&self) -> &'static str {
        match self {
            Self::Keep(reason) => reason.as_str(),
            Self::Reset(removal) => removal.as_str(),
            Self::Hold(reason) => reason.as_str(),
        }
    }

    /// Returns the layout that would be lost, if there is one and it is known.
    pub fn layout(&self) -> Option<&Layout> {
        match self {
            Self::Reset(Removal::Layout(layout)) => Some(layout),
            Self::Reset(Removal::Unread) | Self::Keep(_) | Self::Hold(_) => None,
        }
    }
}

impl KeepReason {
    /// Returns the stable word for machine output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::AtDefault => "at-default",
            Self::CommonDefault => "common-default",
            Self::AlreadyReset(_) => "already-reset",
            Self::CustomizedAgain(_) => "customized-again",
        }
    }
}

impl Removal {
    /// Returns the stable word for machine output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Layout(_) => "customized",
            Self::Unread => "unread",
        }
    }
}

impl HoldReason {
    /// Returns the stable word for machine output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unreadable(UnreadableReason::Refused { .. }) => "read-refused",
            Self::Unreadable(UnreadableReason::ReadsNotTrusted) => "reads-not-trusted",
            Self::Unreadable(UnreadableReason::ReadsUnproven) => "reads-unproven",
            Self::Unreadable(UnreadableReason::NoPipeline) => "no-pipeline",
            Self::Unreadable(UnreadableReason::NoAnswer(_)) => "no-answer",
            Self::NotSeen => "not-seen",
            Self::TreeGap(_) => "department-unknown",
        }
    }
}

impl fmt::Display for Decision {
    /// Writes the reason for display.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(reason) => reason.fmt(f),
            Self::Reset(removal) => removal.fmt(f),
            Self::Hold(reason) => reason.fmt(f),
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtDefault => f.write_str(&tr!("already at its default")),
            Self::CommonDefault => {
                f.write_str(&tr!("already at its default (shows the card set for all)"))
            }
            Self::AlreadyReset(generation) => {
                f.write_str(&tr!("had its reset for {generation}", generation))
            }
            Self::CustomizedAgain(generation) => {
                f.write_str(&tr!("customized again after its reset for {generation}", generation))
            }
        }
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout(layout) if layout.sections() == 0 => {
                f.write_str(&tr!("customized: a card without sections"))
            }
            Self::Layout(layout) => {
                let sections = tr!("{n} section" | "{n} sections" % layout.sections());
                let fields = tr!("{n} field" | "{n} fields" % layout.fields());
                f.write_str(&tr!("customized: {sections}, {fields}", sections, fields))
            }
            Self::Unread => f.write_str(&tr!("reset without reading: no backup, no undo")),
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(UnreadableReason::Refused { code, message }) if code.is_empty() => {
                f.write_str(&tr!("the portal refuses to show the card: {message}", message))
            }
            Self::Unreadable(UnreadableReason::Refused { code, message }) => {
                f.write_str(&tr!("the portal refuses to show the card: {message} ({code})", message, code))
            }
            Self::Unreadable(UnreadableReason::ReadsNotTrusted) => f.write_str(&tr!(
                "this portal answers with the caller's own card (releases up to 24.200); not readable"
            )),
            Self::Unreadable(UnreadableReason::ReadsUnproven) => f.write_str(&tr!(
                "reads empty, but nothing proves that the portal reads the person's card and not the caller's"
            )),
            Self::Unreadable(UnreadableReason::NoPipeline) => f.write_str(&tr!(
                "the portal lists no pipeline for this card that the webhook's owner may read"
            )),
            Self::Unreadable(UnreadableReason::NoAnswer(what)) => {
                f.write_str(&tr!("no usable answer: {what}", what = Text::from_msgid(what)))
            }
            Self::NotSeen => f.write_str(&tr!("was not read")),
            Self::TreeGap(TreeGap { excepted, department, hole: TreeHole::NotListed(missing) })
                if department == missing =>
            {
                f.write_str(&tr!(
                "may be excepted: the portal does not list department {department}, which may be below department {excepted}",
                department,
                excepted
            ))
            }
            Self::TreeGap(TreeGap { excepted, department, hole: TreeHole::Ring(ring) }) => f.write_str(&tr!(
                "may be excepted: department {ring} is above itself, and department {department} may be below department \
                 {excepted}",
                ring,
                department,
                excepted
            )),
            Self::TreeGap(TreeGap { excepted, department, hole: TreeHole::NotListed(missing) }) => f.write_str(&tr!(
                "may be excepted: the portal does not list department {missing}, through which department {department} may be \
                 below department {excepted}",
                missing,
                department,
                excepted
            )),
        }
    }
}
