//! Targets of a report as rows of numbers, with the lists that the numbers point into.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cells::{
    AT_DEFAULT, After, Badge, NOT_READ, NOTHING, OriginData, Seen, Size, at, capitalized, number,
    position,
};
use super::layouts::{KnownCard, LayoutData, Layouts};
use super::privacy::Privacy;
use super::texts::Texts;
use crate::i18n::Text;
use crate::model::{CardKey, CardKind, CardLabels, CardState, Observed, Origin, OutcomeClass};
use crate::plan::{Decision, KeepReason, Plan, PlannedTarget};
use crate::report::PlanReport;
use crate::report::card_view::CardContent;
use crate::report::report_model::{About, ReportModel, Row, RowGroup};
use crate::report::review::{Afterwards, VisibleCard, departments_of};
use crate::report::subject::Commit;

/// Number of columns of a row.
const COLUMNS: usize = 11;

/// Rows and the lists that they point into.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Table<'a> {
    badges: Vec<Badge>,
    kinds: Vec<String>,
    reasons: Vec<usize>,
    manifests: Vec<usize>,
    departments: Vec<usize>,
    department_sets: Vec<Vec<usize>>,
    origins: Vec<OriginData>,
    afters: Vec<After>,
    sizes: Vec<Size>,
    /// Badge, user, name, key, departments, text, origin, kind, layout now, what is seen
    /// afterwards, and reason. The script has the same order.
    rows: Vec<[i64; COLUMNS]>,
    #[serde(skip)]
    texts: Texts,
    #[serde(skip)]
    layouts: Layouts<'a>,
}

/// Row for readers without a script.
pub(super) struct PlainRow {
    /// Decision, name, card and departments.
    pub(super) title: String,
    /// The reason, and the place in the manifests.
    pub(super) lines: Vec<String>,
    /// The card now, and the one afterwards, each below its heading.
    pub(super) cards: Vec<(Text, CardContent)>,
}

/// Builder of a table.
struct Builder<'a> {
    table: Table<'a>,
    privacy: &'a Privacy<'a>,
    plan: Option<&'a Plan>,
    report: Option<&'a PlanReport<'a>>,
    labels: &'a CardLabels,
    origins: BTreeMap<&'a Origin, usize>,
    afters: BTreeMap<(bool, CardKind), usize>,
    kinds: BTreeMap<(bool, CardKind), usize>,
    reasons: BTreeMap<&'static str, (usize, Option<String>)>,
}

impl<'a> Table<'a> {
    /// Returns the table of the targets of a report. Problems and messages are no rows of it.
    pub(super) fn new(
        model: &'a ReportModel<'a>,
        privacy: &'a Privacy<'a>,
        unlabeled: &'a CardLabels,
    ) -> Self {
        let (plan, report, labels) = match &model.about {
            About::Plan(report) => (Some(report.plan), Some(*report), report.labels),
            About::Run(run) => (run.plan, None, run.labels.unwrap_or(unlabeled)),
            About::PlanFile(..) | About::Manifests(_) | About::Command => (None, None, unlabeled),
        };
        let table = Self {
            badges: Vec::new(),
            kinds: Vec::new(),
            reasons: Vec::new(),
            manifests: Vec::new(),
            departments: Vec::new(),
            department_sets: Vec::new(),
            origins: Vec::new(),
            afters: Vec::new(),
            sizes: Vec::new(),
            rows: Vec::new(),
            texts: Texts::default(),
            layouts: Layouts::new(labels, privacy),
        };
        let mut builder = Builder {
            table,
            privacy,
            plan,
            report,
            labels,
            origins: BTreeMap::new(),
            afters: BTreeMap::new(),
            kinds: BTreeMap::new(),
            reasons: BTreeMap::new(),
        };
        if report.is_some() && model.drift.is_none() {
            for badge in
                [Badge::from_word("reset"), Badge::from_word("hold"), Badge::from_word("keep")]
            {
                builder.table.badges.push(badge);
            }
        }
        for row in &model.rows {
            if let Some(key) = row.key {
                builder.row(row, key);
            }
        }
        builder.finish()
    }

    /// Returns the texts so far.
    pub(super) fn texts(&self) -> &[String] {
        self.texts.all()
    }

    /// Returns the number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns the layouts that have room.
    pub(super) fn layouts_within(&mut self, room: usize) -> Vec<Option<LayoutData>> {
        self.layouts.within(room, &mut self.texts)
    }

    /// Iterates over the rows that are not hidden at first, for readers without a script.
    pub(super) fn plain_rows(&self) -> impl Iterator<Item = PlainRow> {
        let badge = |row: &[i64; COLUMNS]| {
            let [badge, ..] = row;
            usize::try_from(*badge).ok().and_then(|index| self.badges.get(index))
        };
        let is_shown = move |row: &&[i64; COLUMNS]| badge(row).is_some_and(|badge| !badge.off);
        self.rows.iter().filter(is_shown).map(move |row| {
            let label = badge(row).map_or("", |badge| badge.label.as_str());
            self.plain_row(row, label)
        })
    }

    fn plain_row(&self, row: &[i64; COLUMNS], label: &str) -> PlainRow {
        let [_, user, name, key, departments, text, origin, _, now, after, _] = *row;
        let departments: Vec<&str> = at(&self.department_sets, departments)
            .into_iter()
            .flatten()
            .filter_map(|department| self.departments.get(*department))
            .filter_map(|text| self.texts.all().get(*text))
            .map(String::as_str)
            .collect();
        let name = match (user, self.text(name)) {
            (0, _) => tr!("everybody in the common view").to_string(),
            (_, name) => name.to_owned(),
        };
        let departments = departments.join(", ");
        let title = [label, &name, self.text(key), &departments];
        let title: Vec<&str> = title.into_iter().filter(|part| !part.is_empty()).collect();
        let mut lines = vec![self.text(text).to_owned()];
        lines.extend(at(&self.origins, origin).map(|origin| {
            let texts = [origin.place, origin.selector, origin.because, origin.commit];
            let texts = texts.iter().filter_map(|text| self.texts.all().get(*text));
            texts.filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join("; ")
        }));
        let mut cards = Vec::new();
        if let Ok(now) = usize::try_from(now) {
            cards.push((tr!("Now"), self.layouts.content(now)));
        }
        let seen = at(&self.afters, after).map(|after| after.own.unwrap_or(after.common));
        if let Some(seen) = seen
            && let Ok(layout) = usize::try_from(seen.layout)
        {
            let heading = tr!("Afterwards: {card}", card = self.text(seen.card));
            cards.push((heading, self.layouts.content(layout)));
        }
        PlainRow { title: title.join(" · "), lines, cards }
    }

    fn text(&self, index: i64) -> &str {
        at(self.texts.all(), index).map_or("", String::as_str)
    }
}

impl<'a> Builder<'a> {
    fn row(&mut self, row: &'a Row<'a>, key: CardKey) {
        let target = self.target(key);
        let decision = target.map(|target| &target.decision);
        let layout = row.layout.or_else(|| decision.and_then(Decision::layout));
        let entity_type = key.kind.entity_type();
        let now = match (layout, row.group) {
            (Some(layout), _) => {
                number(self.table.layouts.index(KnownCard::Layout(entity_type, layout)))
            }
            (None, Some(RowGroup::Reset)) if self.plan.is_some() => NOT_READ,
            (None, Some(RowGroup::PutBack)) if row.afterwards.is_some() => AT_DEFAULT,
            (None, _) => NOTHING,
        };
        let is_known_afterwards = match (row.group, decision) {
            (Some(RowGroup::Reset | RowGroup::Outcome(OutcomeClass::Done)), _) => true,
            (None, Some(Decision::Keep(KeepReason::CustomizedAgain(_)))) => false,
            (None, Some(Decision::Keep(_))) => true,
            (_, _) => false,
        };
        let after = match (row.afterwards, self.plan, row.group) {
            (Some(layout), ..) => {
                Some(self.one_after(row.word, Some(KnownCard::Layout(entity_type, layout))))
            }
            (None, Some(_), _) if is_known_afterwards => self.after(key),
            // The cards of a plan file were read again.
            (None, None, Some(RowGroup::Reset)) if layout.is_some() => {
                Some(self.one_after(row.word, key.kind.lead().map(KnownCard::BuiltIn)))
            }
            (None, ..) => None,
        };
        let told = if self.privacy.replaces() { row.reason.to_owned() } else { row.reason_text() };
        let name = self.privacy.person(row.name);
        let (name, key_text) = (self.text(&name), self.text(&key.to_string()));
        let cells = [
            number(self.badge(row)),
            key.user().map_or(0, |user| i64::from(user.get())),
            name,
            key_text,
            number(self.departments(key)),
            self.text(&told),
            row.origin.map_or(NOTHING, |origin| number(self.origin(origin))),
            number(self.kind(key)),
            now,
            after.map_or(NOTHING, number),
            number(self.reason(row.reason, told)),
        ];
        self.table.rows.push(cells);
    }

    /// Writes what depends on all rows.
    fn finish(mut self) -> Table<'a> {
        let mut cards = vec![0_u32; self.table.layouts.len()];
        for [_, _, _, _, _, _, _, _, now, _, _] in &self.table.rows {
            let slot = usize::try_from(*now).ok().and_then(|now| cards.get_mut(now));
            slot.into_iter().for_each(|cards| *cards += 1);
        }
        for (index, cards) in cards.into_iter().enumerate() {
            let size = self.table.layouts.size(index);
            let more = match cards.saturating_sub(1) {
                0 => Text::default(),
                more => tr!("{n} more card has exactly this layout."
                    | "{n} more cards have exactly this layout." % more),
            };
            let (size, more) = (self.table.texts.index(&size), self.table.texts.index(&more));
            self.table.sizes.push(Size { size, more });
        }
        let mut reasons: Vec<_> = self.reasons.into_iter().collect();
        reasons.sort_by_key(|(_, (index, _))| *index);
        for (word, (_, text)) in reasons {
            let text = self.table.texts.index(text.as_deref().unwrap_or(word));
            self.table.reasons.push(text);
        }
        self.table
    }

    fn text(&mut self, text: &str) -> i64 {
        number(self.table.texts.index(text))
    }

    fn target(&self, key: CardKey) -> Option<&'a PlannedTarget> {
        let targets = &self.plan?.targets;
        let index = targets.binary_search_by_key(&key, |target| target.key).ok()?;
        targets.get(index)
    }

    fn badge(&mut self, row: &Row<'_>) -> usize {
        position(&mut self.table.badges, Badge::of_row(row))
    }

    fn departments(&mut self, key: CardKey) -> usize {
        let names = self.plan.and_then(|plan| departments_of(plan, key)).unwrap_or_default();
        let mut set = Vec::with_capacity(names.len());
        for name in names {
            let text = self.table.texts.index(&self.privacy.text("department", &name));
            set.push(position(&mut self.table.departments, text));
        }
        position(&mut self.table.department_sets, set)
    }

    fn origin(&mut self, origin: &'a Origin) -> usize {
        if let Some(index) = self.origins.get(origin) {
            return *index;
        }
        let Origin { manifest, reason, place, selector } = origin;
        let (reason, manifest) =
            (self.privacy.text("text", reason), self.privacy.text("text", manifest));
        let selector = selector.to_string();
        let commit = self.report.and_then(|report| report.commit(origin));
        let commit = commit.map(|Commit { id, author, date }| {
            let (id, author) = (format_args!("{id:.10}"), self.privacy.person(author));
            tr!("commit {id} of {date} by {author}", id, date, author)
        });
        let place = format!("{}:{}", self.privacy.text("file", &place.file), place.line);
        let texts = &mut self.table.texts;
        let manifest = texts.index(&format!("{manifest}: {reason}"));
        let origin_data = OriginData {
            place: texts.index(&place),
            selector: texts.index(&self.privacy.text("text", &selector)),
            because: texts.index(&tr!("because: {}", &reason)),
            commit: texts.index(&commit.unwrap_or_default()),
            manifest: position(&mut self.table.manifests, manifest),
        };
        self.table.origins.push(origin_data);
        let index = self.table.origins.len() - 1;
        self.origins.insert(origin, index);
        index
    }

    fn kind(&mut self, key: CardKey) -> usize {
        let kind = (key.user().is_none(), key.kind);
        let (kinds, plan, privacy) = (&mut self.table.kinds, self.plan, self.privacy);
        *self.kinds.entry(kind).or_insert_with(|| {
            let (is_common, of) = kind;
            let words = match plan {
                Some(plan) => plan.kinds.words(of, |name| privacy.text("text", name).into_owned()),
                None => of.words(),
            };
            kinds.push(
                if is_common { tr!("common card of {kind}", kind = words) } else { words }.into(),
            );
            kinds.len() - 1
        })
    }

    /// Returns the index of a reason. Where all its rows say the same, people read that.
    fn reason(&mut self, word: &'static str, told: String) -> usize {
        let next = self.reasons.len();
        let (index, text) = self.reasons.entry(word).or_insert_with(|| (next, Some(told.clone())));
        if text.as_ref().is_some_and(|text| *text != told) {
            *text = None;
        }
        *index
    }

    /// Returns the index of the cards that are seen in place of a card at its default.
    fn after(&mut self, key: CardKey) -> Option<usize> {
        let plan = self.plan?;
        let kind @ (is_common, of) = (key.user().is_none(), key.kind);
        if let Some(index) = self.afters.get(&kind) {
            return Some(*index);
        }
        let after = Afterwards::new(plan, self.labels, is_common, of);
        let own = after.personal_view.map(|card| self.seen(card, plan, of));
        let common = self.seen(after.common_view, plan, of);
        let common_now = self.common_now(plan, of);
        self.table.afters.push(After { own, common_now, common });
        let index = self.table.afters.len() - 1;
        self.afters.insert(kind, index);
        Some(index)
    }

    /// Returns the index of a card that takes the place of another one.
    fn one_after(&mut self, word: &str, card: Option<KnownCard<'a>>) -> usize {
        let (text, built_in) = match (&card, word) {
            (Some(KnownCard::BuiltIn(_)) | None, _) => (VisibleCard::BuiltIn.to_string(), true),
            (_, "restore") => (tr!("the layout of the backup").to_string(), false),
            (_, _) => (VisibleCard::CommonDefault.to_string(), false),
        };
        let card_text = self.text(&capitalized(&text));
        let layout = card.map_or(NOTHING, |card| number(self.table.layouts.index(card)));
        let none = Seen { card: NOTHING, layout: NOTHING, built_in: false };
        let common = Seen { card: card_text, layout, built_in };
        position(&mut self.table.afters, After { own: None, common_now: none, common })
    }

    fn seen(&mut self, card: VisibleCard, plan: &'a Plan, kind: CardKind) -> Seen {
        let of_type = |layout| KnownCard::Layout(kind.entity_type(), layout);
        let known = match card {
            VisibleCard::CommonDefault => plan.common_defaults.get(&kind).map(of_type),
            VisibleCard::CommonCard => plan.common_card(kind).map(of_type),
            VisibleCard::BuiltIn => kind.lead().map(KnownCard::BuiltIn),
            VisibleCard::Unknown => None,
        };
        let text = capitalized(&card.to_string());
        Seen {
            card: self.text(&text),
            layout: known.map_or(NOTHING, |card| number(self.table.layouts.index(card))),
            built_in: card == VisibleCard::BuiltIn,
        }
    }

    /// Returns the common card as it is now, before any reset.
    fn common_now(&mut self, plan: &'a Plan, kind: CardKind) -> Seen {
        let target = self.target(CardKey::common(kind));
        let layout = target.and_then(|target| target.decision.layout());
        match (layout, plan.common_cards.get(&kind)) {
            (Some(layout), _) | (None, Some(Observed::Known(CardState::Customized(layout)))) => {
                let layout =
                    number(self.table.layouts.index(KnownCard::Layout(kind.entity_type(), layout)));
                let text = capitalized(&VisibleCard::CommonCard.to_string());
                Seen { card: self.text(&text), layout, built_in: false }
            }
            (None, Some(Observed::Known(_))) => self.seen(VisibleCard::BuiltIn, plan, kind),
            (None, Some(Observed::Unreadable(_)) | None) => {
                self.seen(VisibleCard::Unknown, plan, kind)
            }
        }
    }
}
