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

/// Rule for the content of cards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiffDetail {
    /// The content is hidden.
    #[default]
    Hidden,
    /// The lost layout is shown as a diff, with the position of the target in the manifest.
    Shown,
}
