//! Layouts of a page, each of which stands in it once.

use std::collections::BTreeMap;

use serde::Serialize;

use super::markup::data;
use super::privacy::Privacy;
use super::texts::Texts;
use crate::i18n::Text;
use crate::model::{CardLabels, Digest, EntityType, Layout, LeadCustomerType};
use crate::report::card_view::{CardContent, FieldView, SectionView};

/// Card whose content is known.
#[derive(Clone, Debug)]
pub(super) enum KnownCard<'a> {
    /// A card of a type with this layout.
    Layout(EntityType, &'a Layout),
    /// The built-in card of a type of lead.
    BuiltIn(LeadCustomerType),
}

/// Layout as numbers: the indexes of its texts.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum LayoutData {
    /// Sections: name, title, other entries, and the fields in groups of four numbers: code, label,
    /// 1 if the field is always shown, and other entries.
    Sections(Vec<(usize, usize, usize, Vec<usize>)>),
    /// Another value than a list of sections.
    Other(usize),
}

/// Key of a layout. The same layout of two types shows the labels of each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LayoutKey {
    Layout(EntityType, Digest),
    BuiltIn(LeadCustomerType),
}

/// Layouts in the order in which they were first needed.
pub(super) struct Layouts<'a> {
    indexes: BTreeMap<LayoutKey, usize>,
    cards: Vec<KnownCard<'a>>,
    labels: &'a CardLabels,
    privacy: &'a Privacy<'a>,
}

impl<'a> Layouts<'a> {
    /// Returns an empty list.
    pub(super) fn new(labels: &'a CardLabels, privacy: &'a Privacy<'a>) -> Self {
        Self { indexes: BTreeMap::new(), cards: Vec::new(), labels, privacy }
    }

    /// Returns the index of the layout of a card.
    pub(super) fn index(&mut self, card: KnownCard<'a>) -> usize {
        let key = match &card {
            KnownCard::Layout(of, layout) => LayoutKey::Layout(*of, layout.digest()),
            KnownCard::BuiltIn(lead) => LayoutKey::BuiltIn(*lead),
        };
        *self.indexes.entry(key).or_insert_with(|| {
            self.cards.push(card);
            self.cards.len() - 1
        })
    }

    /// Returns the number of layouts.
    pub(super) fn len(&self) -> usize {
        self.cards.len()
    }

    /// Returns the content of a layout.
    pub(super) fn content(&self, index: usize) -> CardContent {
        match self.cards.get(index) {
            Some(KnownCard::Layout(of, layout)) => {
                self.privacy.content(CardContent::from_layout(layout, self.labels.for_type(*of)))
            }
            Some(KnownCard::BuiltIn(lead)) => self
                .privacy
                .fields(CardContent::built_in(*lead, self.labels.for_type(EntityType::Lead))),
            None => CardContent::default(),
        }
    }

    /// Returns the number of sections and fields in words.
    pub(super) fn size(&self, index: usize) -> Text {
        let (sections, fields) = match self.cards.get(index) {
            Some(KnownCard::Layout(_, layout)) => (layout.sections(), layout.fields()),
            Some(KnownCard::BuiltIn(_)) | None => {
                let content = self.content(index);
                let fields = content.fields().count();
                (count(content.sections.len()), count(fields))
            }
        };
        let sections = tr!("{n} section" | "{n} sections" % sections);
        let fields = tr!("{n} field" | "{n} fields" % fields);
        Text::join(&[sections, fields], ", ")
    }

    /// Returns the layouts as numbers, as many as have room for themselves and their texts; those
    /// behind the first without room are missing.
    pub(super) fn within(&self, room: usize, texts: &mut Texts) -> Vec<Option<LayoutData>> {
        let before = texts.size();
        // Each layout that is left out stands as `null` with a comma.
        let mut taken = 5 * self.cards.len();
        let mut is_full = false;
        let mut all = Vec::with_capacity(self.cards.len());
        for index in 0..self.cards.len() {
            if is_full {
                all.push(None);
                continue;
            }
            let length = texts.len();
            let layout = LayoutData::new(&self.content(index), texts);
            let size = data(&layout).len();
            if taken + size + (texts.size() - before) > room {
                texts.truncate(length);
                is_full = true;
                all.push(None);
                continue;
            }
            taken += size;
            all.push(Some(layout));
        }
        all
    }
}

impl LayoutData {
    fn new(content: &CardContent, texts: &mut Texts) -> Self {
        if let Some(other) = &content.other {
            return Self::Other(texts.index(other));
        }
        let section = |section: &SectionView| {
            let SectionView { name, title, fields, other } = section;
            let mut numbers = Vec::with_capacity(4 * fields.len());
            for FieldView { code, label, always_shown, other } in fields {
                let code = texts.index(code);
                let label = label.as_ref().map_or(code, |label| texts.index(label));
                let other = texts.index(&entries(other));
                numbers.extend([code, label, usize::from(*always_shown), other]);
            }
            (texts.index(name), texts.index(title), texts.index(&entries(other)), numbers)
        };
        Self::Sections(content.sections.iter().map(section).collect())
    }
}

fn entries(entries: &[(String, String)]) -> String {
    entries.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
