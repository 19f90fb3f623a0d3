//! How many people of which department have arranged their cards: as text, JSON and a table for spreadsheets.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::style::{FAINT, HEADING, WARNING};
use super::words::{Counted, column_width, fitted};
use super::{csv, visible};
use crate::engine::{Found, Survey};
use crate::model::{CardKey, DepartmentId, LeadCustomerType, Person};

/// Names of departments are cut here, so that a line fits 80 columns.
const NAME_WIDTH: usize = 34;

/// The counts of a portal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard inventory")]
pub struct Inventory {
    /// Always `recard.inventory/v1`.
    format: &'static str,
    /// The portal.
    portal: String,
    /// Whether the portal is an emulator.
    emulator: bool,
    /// A line for each department with people, sorted by id; those without a department stand last. Whoever belongs to
    /// several departments counts in each.
    departments: Vec<InventoryLine>,
    /// Everybody, each once.
    all: Counts,
    /// The common cards.
    common: Vec<CommonCard>,
}

/// A department.
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

/// How many people, and how many of them have a card of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Counts {
    /// Active people who belong to it directly.
    people: u32,
    /// Those with a card of their own for simple leads.
    simple: u32,
    /// Those with a card of their own for repeat leads.
    repeat: u32,
    /// Those with a card of their own for either.
    either: u32,
    /// Those of whom a card could not be read.
    unread: u32,
}

/// A common card.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CommonCard {
    /// `simple` or `repeat`.
    lead_type: &'static str,
    /// `default`, `customised` or `unread`.
    state: &'static str,
}

impl Inventory {
    /// Counts a survey.
    pub fn new(survey: &Survey) -> Self {
        let with: BTreeSet<DepartmentId> =
            survey.people.values().flat_map(|person| person.departments.iter().copied()).collect();
        let line = |id: DepartmentId| InventoryLine {
            department: Some(id.get()),
            name: survey.departments.get(&id).map_or("", |department| &*department.name).to_owned(),
            counts: Counts::of(survey, |person| person.departments.contains(&id)),
        };
        let mut departments: Vec<InventoryLine> = with.into_iter().map(line).collect();
        let without = Counts::of(survey, |person| person.departments.is_empty());
        if without.people > 0 {
            let name = "without a department".to_owned();
            departments.push(InventoryLine { department: None, name, counts: without });
        }
        let common = LeadCustomerType::ALL.map(|lead| CommonCard {
            lead_type: lead.word(),
            state: match survey.card(CardKey::common(lead)) {
                Found::Nothing => "default",
                Found::Card(_) => "customised",
                Found::Unread => "unread",
            },
        });
        Self {
            format: "recard.inventory/v1",
            portal: survey.snapshot.portal.to_string(),
            emulator: survey.snapshot.caller.emulator,
            departments,
            all: Counts::of(survey, |_| true),
            common: common.into(),
        }
    }

    /// The counts as a table with a line of headings (RFC 4180).
    pub fn csv(&self) -> String {
        let mut table = csv::Table::default();
        table.row(&[&"department", &"name", &"people", &"simple", &"repeat", &"either", &"unread"]);
        for InventoryLine { department, name, counts } in &self.departments {
            let Counts { people, simple, repeat, either, unread } = counts;
            let department = department.map(|id| id.to_string()).unwrap_or_default();
            table.row(&[&department, name, people, simple, repeat, either, unread]);
        }
        table.into_text()
    }
}

impl Counts {
    fn of(survey: &Survey, belongs: impl Fn(&Person) -> bool) -> Self {
        let mut counts = Self::default();
        for person in survey.people.values().filter(|person| belongs(person)) {
            let [simple, repeat] = LeadCustomerType::ALL.map(|lead| survey.card(CardKey::personal(person.id, lead)));
            let has = |found: Found<'_>| u32::from(matches!(found, Found::Card(_)));
            counts.people += 1;
            counts.simple += has(simple);
            counts.repeat += has(repeat);
            counts.either += has(simple).max(has(repeat));
            counts.unread += u32::from(simple == Found::Unread || repeat == Found::Unread);
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
        let kind = if self.emulator { " (an emulator)" } else { "" };
        let people = Counted(self.all.people, "active person", "active people");
        writeln!(f, "{HEADING}Portal {}{kind}{HEADING:#}: lead cards of {people}\n", self.portal)?;
        let id = |line: &InventoryLine| line.department.map(|id| id.to_string()).unwrap_or_default();
        let id_width = self.departments.iter().map(|line| id(line).len()).max().unwrap_or(0);
        let names = self.departments.iter().map(|line| line.name.as_str());
        let name_width = column_width(names.chain(["department"]), NAME_WIDTH);
        let label_width = id_width + 2 + name_width;
        writeln!(f, "{FAINT}{:<label_width$}  people  simple  repeat  either  share{FAINT:#}", "department")?;
        let mut line = |label: &str, counts: Counts| {
            let Counts { people, simple, repeat, either, unread } = counts;
            write!(f, "{label:<label_width$}  {people:>6}  {simple:>6}  {repeat:>6}  {either:>6}")?;
            write!(f, "  {:>3} %", counts.percent())?;
            if unread > 0 {
                write!(f, "  {WARNING}{unread} not read{WARNING:#}")?;
            }
            writeln!(f)
        };
        for one in &self.departments {
            let name = fitted(&visible(&one.name), name_width);
            line(&format!("{:<id_width$}  {name}", id(one)), one.counts)?;
        }
        line(&format!("{:<id_width$}  all, each once", ""), self.all)?;
        let common: Vec<String> = self.common.iter().map(|card| format!("{} {}", card.lead_type, card.state)).collect();
        writeln!(f, "\nCommon cards: {}", common.join(", "))
    }
}

/// The JSON Schema of [`Inventory`].
pub fn inventory_schema() -> schemars::Schema {
    super::json::generator().into_root_schema_for::<Inventory>()
}
