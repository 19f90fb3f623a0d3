//! Inventory: the number of people with customized cards by department, as text, JSON and CSV.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::humanize::{column_width, truncate_to_width};
use super::style::{FAINT, HEADING, WARNING};
use super::text::plan::portal;
use super::{csv, visible};
use crate::engine::{CardInventory, CardPresence};
use crate::i18n::Text;
use crate::model::{CardKey, DepartmentId, LeadCustomerType, Person};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Counts {
    /// Active people who belong to it directly.
    people: u32,
    /// People with a personal card for simple leads.
    simple: u32,
    /// People with a personal card for repeat leads.
    repeat: u32,
    /// People with a personal card for either.
    either: u32,
    /// People with an unreadable card.
    unread: u32,
}

/// Common card.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CommonCard {
    /// `simple` or `repeat`.
    lead_type: &'static str,
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
        let common = LeadCustomerType::ALL.map(|lead| CommonCard {
            lead_type: lead.as_str(),
            state: match survey.card(CardKey::common(lead)) {
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
            common: common.into(),
        }
    }

    /// Renders the counts as a table with a line of headings (RFC 4180).
    pub fn csv(&self) -> String {
        let mut table = csv::Table::new(&[
            "department",
            "name",
            "people",
            "simple",
            "repeat",
            "either",
            "unread",
        ]);
        for InventoryLine { department, name, counts } in &self.departments {
            let Counts { people, simple, repeat, either, unread } = counts;
            let department = department.map(|id| id.to_string()).unwrap_or_default();
            table.row(&[&department, name, people, simple, repeat, either, unread]);
        }
        table.into_text()
    }
}

impl Counts {
    fn new(survey: &CardInventory, belongs: impl Fn(&Person) -> bool) -> Self {
        let mut counts = Self::default();
        for person in survey.people.values().filter(|person| belongs(person)) {
            let [simple, repeat] =
                LeadCustomerType::ALL.map(|lead| survey.card(CardKey::personal(person.id, lead)));
            let has = |found: CardPresence<'_>| u32::from(matches!(found, CardPresence::Card(_)));
            counts.people += 1;
            counts.simple += has(simple);
            counts.repeat += has(repeat);
            counts.either += has(simple).max(has(repeat));
            counts.unread +=
                u32::from(simple == CardPresence::Unread || repeat == CardPresence::Unread);
        }
        counts
    }

    fn percent(self) -> u64 {
        let (people, either) = (u64::from(self.people), u64::from(self.either));
        (either * 100 + people / 2).checked_div(people).unwrap_or(0)
    }
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let people =
            tr!("lead cards of {n} active person"
                | "lead cards of {n} active people" % self.all.people);
        writeln!(f, "{HEADING}{}{HEADING:#}: {people}\n", portal(&self.portal, self.emulator))?;
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
        let mut line = |label: &str, counts: Counts| {
            let Counts { people, simple, repeat, either, unread } = counts;
            write!(f, "{label:<label_width$}  {people:>people_width$}  {simple:>simple_width$}")?;
            write!(
                f,
                "  {repeat:>repeat_width$}  {either:>either_width$}  {:>3} %",
                counts.percent()
            )?;
            if unread > 0 {
                write!(f, "  {WARNING}{}{WARNING:#}", tr!("{unread} not read", unread))?;
            }
            writeln!(f)
        };
        for (one, name) in self.departments.iter().zip(&names) {
            let name = truncate_to_width(name, name_width);
            line(&format!("{:<id_width$}  {name}", id(one)), one.counts)?;
        }
        line(&format!("{:<id_width$}  {}", "", all), self.all)?;
        let common = |card: &CommonCard| {
            tr!(
                "{lead} {state}",
                lead = Text::from_msgid(card.lead_type),
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
