//! Before and after of the cards that a plan resets, grouped by layout.
//!
//! A reviewer must see what each card looks like now and what its person sees afterwards. A person
//! uses one of several views of the card: the personal one, the common one, or a custom one. The
//! portal does not tell which, so both answers are given. Without a personal card the personal view
//! shows the common default, else the portal's built-in card; the common view shows the common
//! card, else the built-in one.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::card_view::{CardContent, FieldView};
use super::undo;
pub(super) use super::visible_card::VisibleCard;
use crate::i18n::Text;
use crate::model::{
    CardKey, CardKind, CardLabels, CardState, DepartmentId, Digest, EntityType, KindNames, Layout,
    Observed,
};
use crate::plan::diff::{DiffLine, LineChange};
use crate::plan::{Decision, Plan, PlannedTarget, RestoreLoss};

/// Plan for its reviewer: groups of cards with the same layout.
pub(super) struct Review<'a> {
    /// The groups; the largest comes first.
    pub(super) groups: Vec<LayoutGroup<'a>>,
    /// The position of each card's group.
    positions: BTreeMap<CardKey, usize>,
}

/// Cards to be reset that have the same layout. A plan may have thousands of groups, so the
/// contents of cards are made when a format asks for them.
pub(super) struct LayoutGroup<'a> {
    plan: &'a Plan,
    labels: &'a CardLabels,
    /// The layout; `None` for cards that are reset without reading.
    pub(super) layout: Option<&'a Layout>,
    /// The targets, sorted by key.
    pub(super) targets: Vec<&'a PlannedTarget>,
    /// The number of people among the targets.
    pub(super) people: usize,
    /// What is seen afterwards, for each kind of card among the targets.
    pub(super) afterwards: Vec<Rc<Afterwards>>,
    /// The names of the fields that vanish and appear, for each of `afterwards`; made when a table
    /// first asks for them, because it asks again for each card.
    changed_fields: OnceCell<Vec<[String; 2]>>,
    /// What an undo of the reset loses.
    loss: OnceCell<Option<RestoreLoss>>,
}

/// Cards that are seen in place of cards of one kind after their reset.
pub(super) struct Afterwards {
    /// The kind of card.
    pub(super) kind: CardKind,
    /// `true` for the common card.
    pub(super) is_common: bool,
    /// The card in the personal view; `None` for the common card, which has none.
    pub(super) personal_view: Option<VisibleCard>,
    /// The card in the common view.
    pub(super) common_view: VisibleCard,
    /// The content of the card in the view that the reset changes; `None` if it is not known.
    pub(super) content: Option<CardContent>,
    /// `true` if the same plan resets the common card.
    is_common_reset: bool,
}

/// Content of a group's layout, compared with a card afterwards. Without one of the two, no field
/// changes.
pub(super) struct Comparison<'a> {
    /// The content of the layout.
    now: CardContent,
    /// The content of the card afterwards.
    then: Option<&'a CardContent>,
    /// The fields of the layout that are not on the card afterwards.
    pub(super) vanishing: Vec<FieldView>,
    /// The fields of the card afterwards that are not in the layout.
    pub(super) appearing: Vec<FieldView>,
    /// The fields on both cards that are shown without a value now, and not afterwards.
    pub(super) hidden: Vec<FieldView>,
}

impl<'a> Review<'a> {
    /// Groups the resets of a plan.
    pub(super) fn new(plan: &'a Plan, labels: &'a CardLabels) -> Self {
        // The same layout of two types shows the labels of each.
        let mut groups: BTreeMap<(EntityType, Option<Digest>), Vec<&PlannedTarget>> =
            BTreeMap::new();
        for target in plan.resets() {
            let digest = target.decision.layout().map(Layout::digest);
            groups.entry((target.key.kind.entity_type(), digest)).or_default().push(target);
        }
        let mut kinds = BTreeMap::new();
        let group = |targets| LayoutGroup::new(plan, labels, targets, &mut kinds);
        let mut groups: Vec<LayoutGroup<'_>> = groups.into_values().map(group).collect();
        // Common cards affect the most people.
        groups.sort_by_key(|group| {
            let is_common = group.targets.iter().any(|target| target.key.user().is_none());
            let first = group.targets.first().map(|target| target.key);
            (!is_common, std::cmp::Reverse(group.targets.len()), first)
        });
        let keys = groups.iter().enumerate().flat_map(|(position, group)| {
            group.targets.iter().map(move |target| (target.key, position))
        });
        let positions = keys.collect();
        Self { groups, positions }
    }
}

impl<'a> Review<'a> {
    /// Returns the group of a card.
    pub(super) fn group_of(&self, key: CardKey) -> Option<&LayoutGroup<'a>> {
        self.groups.get(*self.positions.get(&key)?)
    }

    /// Returns what a reviewer must know about the cards now and afterwards.
    pub(super) fn notes(&self) -> Vec<Text> {
        let afterwards = || self.groups.iter().flat_map(|group| &group.afterwards);
        let mut notes = Vec::new();
        if afterwards().any(|after| after.personal_view.is_some()) {
            notes.push(tr!(
                "Which view a person uses cannot be read: personal, common, or one of their own."
            ));
        }
        if self.groups.iter().any(|group| group.layout.is_some()) {
            notes.push(tr!(
                "Of a card with several columns, the portal shows only the first; so backup and restore cover only that one."
            ));
        }
        notes.push(tr!(
            "RUN is the id that the report of the apply names; `--user ID` in place of `--all` restores one person."
        ));
        let is_common_card = |group: &LayoutGroup<'_>| {
            group.afterwards.iter().any(|after| group.is_common_card(after))
        };
        if self.groups.iter().any(is_common_card) {
            notes.push(tr!("Some of the layouts are those of the common card: they are seen in the common view as now."));
        }
        if afterwards().any(|after| after.card() == VisibleCard::BuiltIn && after.content.is_some())
        {
            notes.push(tr!(
                "Bitrix24's built-in card is known from the vendor's code of May 2026 only."
            ));
        }
        notes
    }
}

impl<'a> LayoutGroup<'a> {
    /// Returns what is seen in place of a card of the group.
    pub(super) fn after(&self, key: CardKey) -> Option<&Rc<Afterwards>> {
        self.afterwards.iter().find(|after| after.is_seen_after(key))
    }

    /// Groups targets of one layout. `kinds` holds what is seen afterwards for each kind of card.
    fn new(
        plan: &'a Plan,
        labels: &'a CardLabels,
        targets: Vec<&'a PlannedTarget>,
        kinds: &mut BTreeMap<(bool, CardKind), Rc<Afterwards>>,
    ) -> Self {
        let layout = targets.first().and_then(|target| target.decision.layout());
        let people: BTreeSet<_> = targets.iter().filter_map(|target| target.key.user()).collect();
        let its_kinds: BTreeSet<_> =
            targets.iter().map(|target| (target.key.user().is_none(), target.key.kind)).collect();
        let mut afterwards = |key @ (is_common, kind)| {
            let new = || Rc::new(Afterwards::new(plan, labels, is_common, kind));
            Rc::clone(kinds.entry(key).or_insert_with(new))
        };
        let afterwards = its_kinds.into_iter().map(&mut afterwards).collect();
        let (people, changed_fields, loss) = (people.len(), OnceCell::new(), OnceCell::new());
        Self { plan, labels, layout, people, targets, afterwards, changed_fields, loss }
    }

    /// Returns what an undo of the reset loses; `None` for cards that are reset without reading.
    pub(super) fn loss(&self) -> Option<RestoreLoss> {
        let trust = self.plan.trust;
        *self.loss.get_or_init(|| self.layout.map(|layout| RestoreLoss::from_layout(layout, trust)))
    }

    /// Returns the content of the layout; empty for cards that are reset without reading.
    pub(super) fn now(&self) -> CardContent {
        let Some(target) = self.targets.first() else { return CardContent::default() };
        let labels = self.labels.for_type(target.key.kind.entity_type());
        self.layout.map(|layout| CardContent::from_layout(layout, labels)).unwrap_or_default()
    }

    /// Returns the number of cards in whose place a card is seen.
    pub(super) fn cards(&self, after: &Afterwards) -> usize {
        self.targets.iter().filter(|target| after.is_seen_after(target.key)).count()
    }

    /// Returns `true` if the layout is the common card of the common view, which the reset leaves
    /// as it is.
    pub(super) fn is_common_card(&self, after: &Afterwards) -> bool {
        !after.is_common
            && self.layout.is_some()
            && self.plan.common_card(after.kind) == self.layout
    }

    /// Compares the layout with a card that is seen afterwards.
    pub(super) fn compare<'b>(&self, after: &'b Afterwards) -> Comparison<'b> {
        let (now, then) = (self.now(), after.content.as_ref());
        let (vanishing, appearing, hidden) = match then.filter(|_| self.layout.is_some()) {
            Some(then) => (missing_in(&now, then), missing_in(then, &now), hidden_in(&now, then)),
            None => Default::default(),
        };
        Comparison { now, then, vanishing, appearing, hidden }
    }

    /// Returns labels and codes of the fields that vanish with the reset of a card, and of those
    /// that appear.
    pub(super) fn changed_fields(&self, key: CardKey) -> Option<&[String; 2]> {
        let names = |fields: Vec<FieldView>| {
            fields.iter().map(FieldView::name).collect::<Vec<_>>().join("; ")
        };
        let changed = |after: &Rc<Afterwards>| {
            let Comparison { vanishing, appearing, .. } = self.compare(after);
            [names(vanishing), names(appearing)]
        };
        let all = self.changed_fields.get_or_init(|| self.afterwards.iter().map(changed).collect());
        all.get(self.afterwards.iter().position(|after| after.is_seen_after(key))?)
    }

    /// Returns the layout in words: its first title, made safe by `escape`, its size, and what an
    /// undo loses.
    pub(super) fn title(&self, escape: impl Fn(&str) -> String) -> Text {
        let Some(layout) = self.layout else {
            return tr!("layout not read: no backup, no undo");
        };
        let sections = tr!("{n} section" | "{n} sections" % layout.sections());
        let fields = tr!("{n} field" | "{n} fields" % layout.fields());
        let title = match layout.title().as_deref().map(escape) {
            Some(title) => {
                tr!("layout \"{title}\" ({sections}, {fields})", title, sections, fields)
            }
            None if layout.sections() == 0 => tr!("layout without sections"),
            None => tr!("layout without a title ({sections}, {fields})", sections, fields),
        };
        match self.loss().and_then(undo::limit) {
            Some(limit) => Text::join(&[title, limit], "; "),
            None => title,
        }
    }

    /// Returns the number of cards and people.
    pub(super) fn size(&self) -> Text {
        let cards = tr!("{n} card" | "{n} cards" % self.targets.len());
        match self.people {
            0 => cards,
            people => {
                let people = tr!("{n} person" | "{n} people" % people);
                tr!("{cards} of {people}", cards, people)
            }
        }
    }
}

impl Comparison<'_> {
    /// Returns the card now and the card that is seen afterwards, one below the other. Fields that
    /// vanish are marked in the first, and those that appear in the second.
    pub(super) fn lines(&self) -> Vec<DiffLine> {
        let mut lines = vec![gap(&tr!("now"))];
        lines.extend(self.now.marked_lines(|field| match self.vanishing.contains(field) {
            true => LineChange::Removed,
            false => LineChange::Same,
        }));
        if let Some(content) = self.then {
            lines.push(gap(&tr!("afterwards")));
            lines.extend(content.marked_lines(|field| match self.appearing.contains(field) {
                true => LineChange::Added,
                false => LineChange::Same,
            }));
        }
        lines
    }

    /// Returns the fields that vanish, appear and hide when empty, each list with its word.
    pub(super) fn changes(&self) -> impl Iterator<Item = (Text, &[FieldView])> {
        let lists = [
            (tr!("vanishes"), &*self.vanishing),
            (tr!("appears"), &*self.appearing),
            (tr!("no longer shown when empty"), &*self.hidden),
        ];
        lists.into_iter().filter(|(_, fields)| !fields.is_empty())
    }
}

impl Afterwards {
    /// Returns the cards that are seen afterwards by people with a kind of card.
    pub(super) fn new(plan: &Plan, labels: &CardLabels, is_common: bool, kind: CardKind) -> Self {
        let common_view = common_view(plan, kind);
        let personal_view = match (is_common, plan.common_defaults.contains_key(&kind)) {
            (true, _) => None,
            (false, true) => Some(VisibleCard::CommonDefault),
            (false, false) => Some(VisibleCard::BuiltIn),
        };
        let content = content(plan, labels, personal_view.unwrap_or(common_view), kind);
        Self {
            kind,
            is_common,
            personal_view,
            common_view,
            content,
            is_common_reset: resets_common_card(plan, kind),
        }
    }

    /// Returns `true` if this is seen after the reset of a card.
    fn is_seen_after(&self, key: CardKey) -> bool {
        (self.kind, self.is_common) == (key.kind, key.user().is_none())
    }

    /// Returns the card of the view that the reset changes.
    pub(super) fn card(&self) -> VisibleCard {
        self.personal_view.unwrap_or(self.common_view)
    }

    /// Returns the kind of cards in words, with names made safe by `escape`.
    pub(super) fn kind(&self, names: &KindNames, escape: impl Fn(&str) -> String) -> Text {
        let kind = names.words(self.kind, escape);
        if self.is_common { tr!("common card of {kind}", kind) } else { kind }
    }

    /// Returns what people see afterwards, in words.
    pub(super) fn sight(&self) -> Text {
        let common = self.common_view;
        match self.personal_view {
            Some(own) if self.is_common_reset => {
                tr!("personal view: {own}; common view: {common}", own, common)
            }
            Some(own) => tr!("personal view: {own}; common view: {common}, as now", own, common),
            None => tr!("common view: {common}", common),
        }
    }
}

/// Returns a line for each kind of card of a plan besides leads, with its name made safe by
/// `escape`.
pub(super) fn kind_lines(plan: &Plan, escape: impl Fn(&str) -> String + Copy) -> Vec<Text> {
    let kinds = plan.kinds_besides_leads().into_iter();
    kinds.map(|kind| kind_line(kind, &plan.kinds, escape)).collect()
}

/// Returns the line on a kind of card.
pub(super) fn kind_line(
    kind: CardKind,
    names: &KindNames,
    escape: impl Fn(&str) -> String,
) -> Text {
    let words = names.words(kind, escape);
    tr!("Cards {kind}: {words}", kind, words)
}

/// Returns a heading within a diff.
fn gap(text: &Text) -> DiffLine {
    DiffLine { change: LineChange::Gap, text: format!("@@ {text} @@") }
}

/// Returns the departments of a card's person; `None` for common cards.
pub(super) fn departments_of(plan: &Plan, key: CardKey) -> Option<Vec<String>> {
    let person = plan.people.get(&key.user()?)?;
    let name = |id: &DepartmentId| match plan.departments.get(id) {
        Some(name) => name.to_string(),
        None => tr!("department {id}", id).into(),
    };
    Some(person.departments.iter().map(name).collect())
}

/// Returns the card of the common view after a plan is applied.
fn common_view(plan: &Plan, kind: CardKind) -> VisibleCard {
    if resets_common_card(plan, kind) {
        return VisibleCard::BuiltIn;
    }
    match plan.common_cards.get(&kind) {
        Some(Observed::Known(CardState::Customized(_))) => VisibleCard::CommonCard,
        Some(Observed::Known(CardState::Default | CardState::CommonDefault)) => {
            VisibleCard::BuiltIn
        }
        Some(Observed::Unreadable(_)) | None => VisibleCard::Unknown,
    }
}

/// Returns `true` if a plan resets the common card of a kind.
fn resets_common_card(plan: &Plan, kind: CardKind) -> bool {
    let key = CardKey::common(kind);
    let planned = plan.targets.binary_search_by_key(&key, |target| target.key).ok();
    let planned = planned.and_then(|index| plan.targets.get(index));
    matches!(planned, Some(PlannedTarget { decision: Decision::Reset(_), .. }))
}

/// Returns the fields of one card that another one lacks, each once.
fn missing_in(fields: &CardContent, other: &CardContent) -> Vec<FieldView> {
    let mut seen: BTreeSet<&str> = other.fields().map(|field| &*field.code).collect();
    fields.fields().filter(|field| seen.insert(&field.code)).cloned().collect()
}

/// Returns the fields of one card that are shown without a value there, and not in another one.
fn hidden_in(now: &CardContent, then: &CardContent) -> Vec<FieldView> {
    let hidden: BTreeSet<&str> =
        then.fields().filter(|field| !field.always_shown).map(|field| &*field.code).collect();
    let is_hidden = |field: &&FieldView| field.always_shown && hidden.contains(&*field.code);
    now.fields().filter(is_hidden).cloned().collect()
}

/// Returns the content of a card, if it is known.
fn content(
    plan: &Plan,
    labels: &CardLabels,
    card: VisibleCard,
    kind: CardKind,
) -> Option<CardContent> {
    match card {
        VisibleCard::CommonDefault => plan
            .common_defaults
            .get(&kind)
            .map(|layout| CardContent::from_layout(layout, labels.for_type(kind.entity_type()))),
        VisibleCard::CommonCard => plan
            .common_card(kind)
            .map(|layout| CardContent::from_layout(layout, labels.for_type(kind.entity_type()))),
        VisibleCard::BuiltIn => {
            let labels = labels.for_type(kind.entity_type());
            kind.lead().map(|lead| CardContent::built_in(lead, labels))
        }
        VisibleCard::Unknown => None,
    }
}
