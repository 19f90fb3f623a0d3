//! Inventory: the number of people with customized cards by department and by kind, as text, JSON
//! and CSV.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::humanize::{column_width, truncate_to_width};
use super::style::{FAINT, HEADING, WARNING};
use super::text::plan::portal;
use super::{csv, visible};
use crate::engine::{CardInventory, CardPresence};
use crate::i18n::Text;
use crate::model::{CardKey, CardKind, DepartmentId, LeadCustomerType, Person};

/// Width at which names of departments are cut, so that a line fits 80 columns.
const NAME_WIDTH: usize = 34;

/// Counts of a portal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard inventory")]
pub struct Inventory {
    /// Always `recard.inventory/v1`.
    format: &'static str,
    /// The portal.
    portal: String,
    /// `true` if the portal is an emulator.
    emulator: bool,
    /// A line for each department with people, sorted by id; the line for people without a
    /// department is the last. A person in several departments counts in each.
    departments: Vec<InventoryLine>,
    /// All people, each once.
    all: Counts,
    /// The common cards.
    common: Vec<CommonCard>,
    /// The kinds of cards besides leads, each in words.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    kinds: BTreeMap<String, String>,
}

/// Department.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct InventoryLine {
    /// The id; absent for people without a department.
    #[serde(skip_serializing_if = "Option::is_none")]
    department: Option<u32>,
    /// The name.
    name: String,
    /// Its people.
    #[serde(flatten)]
    counts: Counts,
}

/// Number of people, and of those with a personal card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Counts {
    /// Active people who belong to it directly.
    people: u32,
    /// People with a personal card for simple leads; absent if these were not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    simple: Option<u32>,
    /// People with a personal card for repeat leads; absent if these were not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat: Option<u32>,
    /// People with a personal card of each other kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, u32>")]
    cards: BTreeMap<CardKind, u32>,
    /// People with a personal card of any of the kinds.
    either: u32,
    /// People with an unreadable card.
    unread: u32,
}

/// Common card.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CommonCard {
    /// `simple` or `repeat`; absent for other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_type: Option<&'static str>,
    /// The kind, such as `deal/0`; absent for leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// `default`, `customized` or `unread`.
    state: &'static str,
}

impl Inventory {
    /// Counts the cards of an inventory.
    pub fn new(survey: &CardInventory) -> Self {
        let with: BTreeSet<DepartmentId> =
            survey.people.values().flat_map(|person| person.departments.iter().copied()).collect();
        let line = |id: DepartmentId| InventoryLine {
            department: Some(id.get()),
            name: survey.departments.get(&id).map_or("", |department| &*department.name).to_owned(),
            counts: Counts::new(survey, |person| person.departments.contains(&id)),
        };
        let mut departments: Vec<InventoryLine> = with.into_iter().map(line).collect();
        let without = Counts::new(survey, |person| person.departments.is_empty());
        if without.people > 0 {
            let name = tr_later!("without a department").to_owned();
            departments.push(InventoryLine { department: None, name, counts: without });
        }
        let common = survey.kinds.iter().map(|kind| CommonCard {
            lead_type: kind.lead().map(LeadCustomerType::as_str),
            kind: kind.lead().is_none().then(|| kind.to_string()),
            state: match survey.card(CardKey::common(*kind)) {
                CardPresence::Nothing => tr_later!("default"),
                CardPresence::Card(_) => tr_later!("customized"),
                CardPresence::Unread => tr_later!("unread"),
            },
        });
        Self {
            format: "recard.inventory/v1",
            portal: survey.snapshot.portal.to_string(),
            emulator: survey.snapshot.caller.emulator,
            departments,
            all: Counts::new(survey, |_| true),
            common: common.collect(),
            kinds: survey
                .kinds
                .iter()
                .filter(|kind| kind.lead().is_none())
                .map(|kind| {
                    (kind.to_string(), survey.names.words(*kind, str::to_owned).to_string())
                })
                .collect(),
        }
    }

    /// Renders the counts as a table with a line of headings (RFC 4180).
    pub fn csv(&self) -> String {
        let kinds = self.all.by_kind();
        let mut headings = vec!["department", "name", "people"];
        headings.extend(kinds.iter().map(|(kind, _)| kind.as_str()));
        headings.extend(["either", "unread"]);
        let mut table = csv::CsvTable::new(&headings);
        for InventoryLine { department, name, counts } in &self.departments {
            let department = department.map(|id| id.to_string()).unwrap_or_default();
            let of_kinds = counts.by_kind();
            let mut row: Vec<&dyn fmt::Display> = vec![&department, name, &counts.people];
            row.extend(of_kinds.iter().map(|(_, count)| count as &dyn fmt::Display));
            row.extend([&counts.either as &dyn fmt::Display, &counts.unread]);
            table.row(&row);
        }
        table.into_text()
    }

    /// Writes a line for each kind of card.
    fn write_kinds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.all.by_kind();
        let width = kinds.iter().map(|(kind, _)| kind.len()).max().unwrap_or(0);
        let (people, common) = (tr!("people"), tr!("common card"));
        let states = self.common.iter().map(|card| Text::from_msgid(card.state).to_string());
        let state_width = column_width(states.collect::<Vec<_>>().iter().map(String::as_str), 20);
        writeln!(f, "{FAINT}{:<width$}  {people:>6}  {common}{FAINT:#}", "")?;
        for ((kind, count), card) in kinds.iter().zip(&self.common) {
            let state = Text::from_msgid(card.state);
            match self.kinds.get(kind) {
                Some(words) => {
                    write!(f, "{kind:<width$}  {count:>6}  {:<state_width$}", state.to_string())?;
                    writeln!(f, "  {FAINT}{}{FAINT:#}", visible(words))?;
                }
                None => writeln!(f, "{kind:<width$}  {count:>6}  {state}")?,
            }
        }
        let Counts { people, either, unread, .. } = &self.all;
        let any = tr!("{either} of {people} people have a card of their own", either, people);
        write!(f, "\n{any}")?;
        if *unread > 0 {
            write!(f, "  {WARNING}{}{WARNING:#}", tr!("{unread} not read", unread))?;
        }
        writeln!(f)
    }
}

impl Counts {
    fn new(survey: &CardInventory, belongs: impl Fn(&Person) -> bool) -> Self {
        let mut counts = Self::default();
        for kind in &survey.kinds {
            *counts.count_mut(*kind) = 0;
        }
        for person in survey.people.values().filter(|person| belongs(person)) {
            counts.people += 1;
            let (mut has_any, mut is_unread) = (false, false);
            for kind in &survey.kinds {
                match survey.card(CardKey::personal(person.id, *kind)) {
                    CardPresence::Card(_) => {
                        has_any = true;
                        *counts.count_mut(*kind) += 1;
                    }
                    CardPresence::Unread => is_unread = true,
                    CardPresence::Nothing => {}
                }
            }
            counts.either += u32::from(has_any);
            counts.unread += u32::from(is_unread);
        }
        counts
    }

    /// Returns the count of a kind.
    fn count_mut(&mut self, kind: CardKind) -> &mut u32 {
        match kind {
            CardKind::Lead(LeadCustomerType::Simple) => self.simple.get_or_insert_default(),
            CardKind::Lead(LeadCustomerType::Repeat) => self.repeat.get_or_insert_default(),
            kind => self.cards.entry(kind).or_default(),
        }
    }

    /// Returns the kinds that were read with their counts.
    fn by_kind(&self) -> Vec<(String, u32)> {
        let leads = [("simple", self.simple), ("repeat", self.repeat)];
        let leads = leads.into_iter().filter_map(|(lead, count)| Some((lead.to_owned(), count?)));
        leads.chain(self.cards.iter().map(|(kind, count)| (kind.to_string(), *count))).collect()
    }

    fn percent(&self) -> u64 {
        let (people, either) = (u64::from(self.people), u64::from(self.either));
        (either * 100 + people / 2).checked_div(people).unwrap_or(0)
    }
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let portal = portal(&self.portal, self.emulator);
        let (Some(_), Some(_), true) = (self.all.simple, self.all.repeat, self.kinds.is_empty())
        else {
            let people =
                tr!("cards of {n} active person" | "cards of {n} active people" % self.all.people);
            writeln!(f, "{HEADING}{portal}{HEADING:#}: {people}\n")?;
            return self.write_kinds(f);
        };
        let people =
            tr!("lead cards of {n} active person"
                | "lead cards of {n} active people" % self.all.people);
        writeln!(f, "{HEADING}{portal}{HEADING:#}: {people}\n")?;
        let id =
            |line: &InventoryLine| line.department.map(|id| id.to_string()).unwrap_or_default();
        let name = |line: &InventoryLine| match line.department {
            Some(_) => visible(&line.name).into_owned(),
            None => Text::from_msgid(&line.name).to_string(),
        };
        let id_width = self.departments.iter().map(|line| id(line).len()).max().unwrap_or(0);
        let names: Vec<String> = self.departments.iter().map(name).collect();
        let (department, all) = (tr!("department"), tr!("all, each once"));
        let labels = names.iter().map(String::as_str).chain([department.as_str(), all.as_str()]);
        let name_width = column_width(labels, NAME_WIDTH);
        let label_width = id_width + 2 + name_width;
        let headings = [tr!("people"), tr!("simple"), tr!("repeat"), tr!("either")];
        let [people_width, simple_width, repeat_width, either_width] =
            headings.each_ref().map(|heading| heading.chars().count().max(6));
        write!(f, "{FAINT}{department:<label_width$}")?;
        for heading in &headings {
            write!(f, "  {heading:>6}")?;
        }
        writeln!(f, "  {}{FAINT:#}", tr!("share"))?;
        let mut line = |label: &str, counts: &Counts| {
            let Counts { people, simple, repeat, cards: _, either, unread } = counts;
            let [simple, repeat] = [simple, repeat].map(|count| count.unwrap_or_default());
            write!(f, "{label:<label_width$}  {people:>people_width$}  {simple:>simple_width$}")?;
            write!(
                f,
                "  {repeat:>repeat_width$}  {either:>either_width$}  {:>3} %",
                counts.percent()
            )?;
            if *unread > 0 {
                write!(f, "  {WARNING}{}{WARNING:#}", tr!("{unread} not read", unread))?;
            }
            writeln!(f)
        };
        for (one, name) in self.departments.iter().zip(&names) {
            let name = truncate_to_width(name, name_width);
            line(&format!("{:<id_width$}  {name}", id(one)), &one.counts)?;
        }
        line(&format!("{:<id_width$}  {}", "", all), &self.all)?;
        let common = |card: &CommonCard| {
            tr!(
                "{lead} {state}",
                lead = Text::from_msgid(card.lead_type.unwrap_or_default()),
                state = Text::from_msgid(card.state)
            )
            .to_string()
        };
        let common: Vec<String> = self.common.iter().map(common).collect();
        writeln!(f, "\n{}", tr!("Common cards: {}", common.join(", ")))
    }
}

/// Returns the JSON Schema of [`Inventory`].
pub fn inventory_schema() -> schemars::Schema {
    super::json::generator().into_root_schema_for::<Inventory>()
}
