//! Layouts and groups of a plan, as JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::Layout;
use crate::plan::{Plan, RestoreLoss};
use crate::report::card_view::{CardContent, FieldView, SectionView};
use crate::report::review::{Afterwards, LayoutGroup, Review, VisibleCard};

/// Content of a card.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::report) struct LayoutJson {
    /// The sections from top to bottom.
    sections: Vec<SectionJson>,
    /// The whole layout as JSON text, if it is not a list of sections.
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<String>,
}

/// Section of a card.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SectionJson {
    /// The name in the portal's API.
    name: String,
    /// The title that people see; may be empty.
    title: String,
    /// The fields from top to bottom.
    fields: Vec<FieldJson>,
    /// All other entries of the section, as JSON text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    other: BTreeMap<String, String>,
}

/// Field of a card.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FieldJson {
    /// The code in the portal's API.
    code: String,
    /// The label that people see; absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// `true` if the field is shown without a value, too; such a field is otherwise hidden when
    /// empty.
    always_shown: bool,
    /// All other entries of the field, as JSON text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    other: BTreeMap<String, String>,
}

/// Cards to be reset that have the same layout.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupJson {
    /// The digest of the layout, a key of `layouts`; absent for cards that are reset without
    /// reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    layout: Option<String>,
    /// What an undo brings back: `all`, `part`, or `nothing` of a layout that the portal does not
    /// take again; absent for cards that are reset without reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<&'static str>,
    /// The number of cards.
    cards: usize,
    /// The number of people.
    people: usize,
    /// The targets.
    targets: Vec<String>,
    /// What is seen afterwards, for each kind of card among the targets.
    afterwards: Vec<AfterwardsJson>,
}

/// Cards that are seen in place of a layout after its reset. The view that a person uses cannot be
/// read. The words for cards are `set-for-all`, `common-card`, `built-in` and `unknown`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AfterwardsJson {
    /// `personal` or `common`.
    scope: &'static str,
    /// The kind of card, such as `lead/simple` or `deal/0`.
    kind: String,
    /// The number of cards of which this holds.
    cards: usize,
    /// The card of the personal view; absent for common cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    personal_view: Option<&'static str>,
    /// The card of the common view.
    common_view: &'static str,
    /// The card of the view that the reset changes, a key of `layouts`: a digest, or
    /// `built-in/simple` and `built-in/repeat`, which are known from the vendor's code of May 2026
    /// only; absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    layout: Option<String>,
    /// The codes of the fields that are not on the card afterwards.
    vanishing: Vec<String>,
    /// The codes of the fields that are on the card afterwards, and are not now.
    appearing: Vec<String>,
}

/// Returns the groups of a plan, and the layouts that they name.
pub(super) fn groups(
    review: &Review<'_>,
    plan: &Plan,
) -> (Vec<GroupJson>, BTreeMap<String, LayoutJson>) {
    let mut layouts = BTreeMap::new();
    for group in &review.groups {
        if let Some(layout) = group.layout {
            layouts.insert(layout.digest().to_string(), LayoutJson::new(&group.now()));
        }
        for after in &group.afterwards {
            if let (Some(key), Some(content)) = (key_of(after, plan), &after.content) {
                layouts.entry(key).or_insert_with(|| LayoutJson::new(content));
            }
        }
    }
    (review.groups.iter().map(|group| GroupJson::new(group, plan)).collect(), layouts)
}

/// Returns the key of the card that is seen afterwards.
fn key_of(after: &Afterwards, plan: &Plan) -> Option<String> {
    let digest = |layout: &Layout| layout.digest().to_string();
    match after.card() {
        VisibleCard::BuiltIn => Some(format!("built-in/{}", after.kind.short())),
        VisibleCard::CommonDefault => plan.common_defaults.get(&after.kind).map(digest),
        VisibleCard::CommonCard => plan.common_card(after.kind).map(digest),
        VisibleCard::Unknown => None,
    }
}

impl GroupJson {
    fn new(group: &LayoutGroup<'_>, plan: &Plan) -> Self {
        Self {
            layout: group.layout.map(|layout| layout.digest().to_string()),
            undo: group.loss().map(|loss| match loss {
                RestoreLoss::Nothing => "all",
                RestoreLoss::Part => "part",
                RestoreLoss::Everything => "nothing",
            }),
            cards: group.targets.len(),
            people: group.people,
            targets: group.targets.iter().map(|target| target.key.to_string()).collect(),
            afterwards: group
                .afterwards
                .iter()
                .map(|after| AfterwardsJson::new(group, after, key_of(after, plan)))
                .collect(),
        }
    }
}

impl AfterwardsJson {
    fn new(group: &LayoutGroup<'_>, after: &Afterwards, layout: Option<String>) -> Self {
        let comparison = group.compare(after);
        let codes = |fields: &[FieldView]| fields.iter().map(|field| field.code.clone()).collect();
        Self {
            scope: if after.is_common { "common" } else { "personal" },
            kind: after.kind.to_string(),
            cards: group.cards(after),
            personal_view: after.personal_view.map(VisibleCard::as_str),
            common_view: after.common_view.as_str(),
            layout,
            vanishing: codes(&comparison.vanishing),
            appearing: codes(&comparison.appearing),
        }
    }
}

impl LayoutJson {
    /// Returns the content of a card as JSON.
    pub(in crate::report) fn new(content: &CardContent) -> Self {
        let CardContent { sections, other } = content;
        Self { sections: sections.iter().map(SectionJson::new).collect(), other: other.clone() }
    }
}

impl SectionJson {
    fn new(section: &SectionView) -> Self {
        let SectionView { name, title, fields, other } = section;
        let field = |field: &FieldView| {
            let FieldView { code, label, always_shown, other } = field.clone();
            FieldJson { code, label, always_shown, other: other.into_iter().collect() }
        };
        Self {
            name: name.clone(),
            title: title.clone(),
            fields: fields.iter().map(field).collect(),
            other: other.iter().cloned().collect(),
        }
    }
}
