//! Names and texts of people, as they are or replaced.

use std::borrow::Cow;

use crate::model::{FieldLabels, PortalId};
use crate::records::Anonymizer;
use crate::report::card_view::{CardContent, FieldView, SectionView};
use crate::report::labels::label;

/// Prefix of the codes of user fields, which a company has named itself.
const USER_FIELD: &str = "UF_";

/// Rule for names and texts of people. With an anonymizer, equal texts have equal replacements, and
/// what cannot be taken apart is left out.
pub(super) struct Privacy<'a>(Option<&'a Anonymizer>);

impl<'a> Privacy<'a> {
    /// Returns the rule.
    pub(super) fn new(anonymizer: Option<&'a Anonymizer>) -> Self {
        Self(anonymizer)
    }

    /// Returns `true` if texts of people are replaced.
    pub(super) fn replaces(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the name of a person.
    pub(super) fn person<'t>(&self, name: &'t str) -> Cow<'t, str> {
        self.text("person", name)
    }

    /// Returns a text of a kind.
    pub(super) fn text<'t>(&self, kind: &str, text: &'t str) -> Cow<'t, str> {
        match self.0 {
            Some(anonymizer) if !text.is_empty() => Cow::Owned(anonymizer.replaced(kind, text)),
            _ => Cow::Borrowed(text),
        }
    }

    /// Returns the name of a portal.
    pub(super) fn portal(&self, portal: &str) -> String {
        match (self.0, PortalId::new(portal)) {
            (Some(anonymizer), Ok(portal)) => anonymizer.portal(&portal).to_string(),
            (Some(_), Err(_)) => self.text("portal", portal).into_owned(),
            (None, _) => portal.to_owned(),
        }
    }

    /// Returns the content of a card.
    pub(super) fn content(&self, content: CardContent) -> CardContent {
        if !self.replaces() {
            return content;
        }
        let CardContent { sections, other } = content;
        CardContent {
            sections: sections.into_iter().map(|section| self.section(section)).collect(),
            other: other.map(|other| self.text("text", &other).into_owned()),
        }
    }

    /// Returns the content of a card whose sections are those of the vendor.
    pub(super) fn fields(&self, mut content: CardContent) -> CardContent {
        if self.replaces() {
            for section in &mut content.sections {
                let fields = std::mem::take(&mut section.fields);
                section.fields = fields.into_iter().map(|field| self.field(field)).collect();
            }
        }
        content
    }

    fn section(&self, section: SectionView) -> SectionView {
        SectionView {
            name: self.text("name", &section.name).into_owned(),
            title: self.text("title", &section.title).into_owned(),
            fields: section.fields.into_iter().map(|field| self.field(field)).collect(),
            other: Vec::new(),
        }
    }

    fn field(&self, field: FieldView) -> FieldView {
        let FieldView { code, always_shown, label: _, other: _ } = field;
        // Labels that recard itself knows, and codes of the vendor, tell nothing about a company.
        let known = label(&FieldLabels::default(), &code).map(|label| label.to_string());
        let is_own = code.starts_with(USER_FIELD)
            || !code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        let code = if is_own { self.text("name", &code).into_owned() } else { code };
        FieldView { code, label: known, always_shown, other: Vec::new() }
    }
}
