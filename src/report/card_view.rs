//! Content of a card as people see it: sections of fields with their labels.

use super::built_in_card::built_in_card;
use super::labels::label;
use crate::diagnostic::strip_controls;
use crate::i18n::Text;
use crate::model::{Field, FieldLabels, Layout, LeadCustomerType, Outline, Section};
use crate::plan::diff::{DiffLine, LineChange};

/// Content of a card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CardContent {
    /// The sections from top to bottom.
    pub(super) sections: Vec<SectionView>,
    /// The whole layout as JSON, if it is not a list of sections.
    pub(super) other: Option<String>,
}

/// Section of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SectionView {
    /// The name in the portal's API.
    pub(super) name: String,
    /// The title that people see; may be empty.
    pub(super) title: String,
    /// The fields from top to bottom.
    pub(super) fields: Vec<FieldView>,
    /// All other entries: name and canonical JSON.
    pub(super) other: Vec<(String, String)>,
}

/// Field of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldView {
    /// The code in the portal's API.
    pub(super) code: String,
    /// The label that people see, if it is known.
    pub(super) label: Option<String>,
    /// `true` if the field is shown without a value, too (`optionFlags` of 1).
    pub(super) always_shown: bool,
    /// All other entries: name and canonical JSON.
    pub(super) other: Vec<(String, String)>,
}

impl CardContent {
    /// Returns the content of a layout.
    pub(super) fn from_layout(layout: &Layout, labels: &FieldLabels) -> Self {
        Self::from_outline(layout.outline(), labels)
    }

    /// Returns the content of the built-in card.
    pub(super) fn built_in(lead: LeadCustomerType, labels: &FieldLabels) -> Self {
        Self::from_outline(built_in_card(lead, labels), labels)
    }

    fn from_outline(Outline { sections, other }: Outline, labels: &FieldLabels) -> Self {
        let section = |Section { name, title, fields, other }: Section| {
            let fields = fields.into_iter().map(|field| FieldView::from_field(field, labels));
            SectionView { name, title, fields: fields.collect(), other }
        };
        Self { sections: sections.into_iter().map(section).collect(), other }
    }

    /// Iterates over the fields of all sections.
    pub(super) fn fields(&self) -> impl Iterator<Item = &FieldView> {
        self.sections.iter().flat_map(|section| &section.fields)
    }

    /// Returns the content as lines: a line for each section, and its fields indented below it.
    pub(super) fn lines(&self) -> Vec<String> {
        self.marked_lines(|_| LineChange::Same).into_iter().map(|line| line.text).collect()
    }

    /// Returns the lines of the content, each field with its mark.
    pub(super) fn marked_lines(&self, mark: impl Fn(&FieldView) -> LineChange) -> Vec<DiffLine> {
        let same = |text: String| DiffLine { change: LineChange::Same, text };
        let mut lines: Vec<DiffLine> = Vec::new();
        if let Some(other) = &self.other {
            let other = strip_controls(other);
            lines.push(same(tr!("not a list of sections: {other}", other).into()));
        }
        for SectionView { name, title, fields, other } in &self.sections {
            let title = if title.is_empty() { name } else { title };
            lines.push(same(format!("[{}]{}", strip_controls(title), entries(other))));
            lines.extend(fields.iter().map(|field| DiffLine {
                change: mark(field),
                text: format!("  {}", field.line()),
            }));
        }
        lines
    }
}

impl FieldView {
    fn from_field(Field { name, other }: Field, labels: &FieldLabels) -> Self {
        let is_flag = |(entry, _): &(String, String)| entry == "optionFlags";
        let is_set = |(_, value): &(String, String)| matches!(value.as_str(), "1" | "\"1\"");
        // Another value than 0 or 1 stays among the other entries.
        let is_plain =
            |(_, value): &(String, String)| matches!(value.as_str(), "0" | "\"0\"" | "1" | "\"1\"");
        let always_shown = other.iter().any(|entry| is_flag(entry) && is_set(entry));
        let other = other.into_iter().filter(|entry| !(is_flag(entry) && is_plain(entry)));
        let label = label(labels, &name).map(|label| label.to_string());
        let label = label.filter(|label| !label.is_empty() && *label != name);
        Self { label, code: name, always_shown, other: other.collect() }
    }

    /// Returns label and code.
    pub(super) fn name(&self) -> String {
        match &self.label {
            Some(label) => format!("{} ({})", strip_controls(label), strip_controls(&self.code)),
            None => strip_controls(&self.code).into_owned(),
        }
    }

    /// Returns the words for the flag of the field.
    pub(super) fn visibility(&self) -> Text {
        if self.always_shown { tr!("always shown") } else { tr!("hidden when empty") }
    }

    fn line(&self) -> String {
        format!("{}, {}{}", self.name(), self.visibility(), entries(&self.other))
    }
}

fn entries(entries: &[(String, String)]) -> String {
    let shown = |(name, value): &(String, String)| {
        format!("  {}={}", strip_controls(name), strip_controls(value))
    };
    entries.iter().map(shown).collect()
}
