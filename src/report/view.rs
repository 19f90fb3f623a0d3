//! Choices of what a report shows.

/// Filter of the listed targets of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowFilter {
    /// Reset and held targets; kept ones are counted.
    #[default]
    Changes,
    /// All targets.
    Targets,
}

/// Grouping of the cards that a plan resets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Cards with the same layout are one group.
    #[default]
    Layout,
    /// Each card stands alone.
    None,
}

/// Rule for the content of cards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiffDetail {
    /// The content is hidden.
    #[default]
    Hidden,
    /// The layout is shown with the card that is seen afterwards, and with the position of the
    /// target in the manifest.
    Shown,
}
