//! Cards of one person as they are now, as text and as JSON.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::card_view::CardContent;
use super::json::LayoutJson;
use super::style::{HEADING, WARNING};
use super::text::plan::portal;
use super::visible;
use crate::model::{CardKey, CardLabels, CardState, Layout, Observed, Person, Snapshot};
use crate::plan::HoldReason;

/// Cards of one person.
#[derive(Clone, Debug)]
pub struct PersonCardsReport<'a> {
    /// The person.
    pub person: &'a Person,
    /// The reads of the person's cards.
    pub snapshot: &'a Snapshot,
    /// The labels of the portal's fields.
    pub labels: &'a CardLabels,
}

/// Cards of one person, as JSON.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard cards of one person")]
pub struct PersonCardsJson<'a> {
    /// Always `recard.card/v1`.
    format: &'static str,
    /// The portal.
    portal: &'a str,
    /// `true` if the portal is an emulator.
    emulator: bool,
    /// The id of the person.
    user: u32,
    /// The name; may be empty.
    name: &'a str,
    /// `false` for a dismissed person.
    active: bool,
    /// The ids of the person's departments.
    departments: Vec<u32>,
    /// The cards, sorted.
    cards: Vec<CardJson>,
}

/// Card.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CardJson {
    /// `personal/42/lead/simple`, and the like.
    target: String,
    /// `customized`; `default`, without a layout; `common-default`, which shows the card set for
    /// all; or `unreadable`.
    state: &'static str,
    /// The reason, if it is unreadable.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The digest of the layout that the portal shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// The layout that the portal shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    layout: Option<LayoutJson>,
}

/// Returns the schema of [`PersonCardsJson`].
pub fn card_schema() -> schemars::Schema {
    super::json::generator().into_root_schema_for::<PersonCardsJson<'_>>()
}

impl<'a> PersonCardsReport<'a> {
    /// Counts the cards that could not be read.
    pub fn unread(&self) -> usize {
        let is_unread =
            |(_, observed): &&(CardKey, Observed)| matches!(observed, Observed::Unreadable(_));
        self.snapshot.cards.iter().filter(is_unread).count()
    }

    /// Converts the cards to JSON.
    pub fn json(&self) -> PersonCardsJson<'a> {
        let Self { person, snapshot, labels: _ } = self;
        PersonCardsJson {
            format: "recard.card/v1",
            portal: snapshot.portal.as_str(),
            emulator: snapshot.caller.emulator,
            user: person.id.get(),
            name: person.name.as_str(),
            active: person.active,
            departments: person.departments.iter().map(|id| id.get()).collect(),
            cards: snapshot.cards.iter().map(|(key, observed)| self.card(*key, observed)).collect(),
        }
    }

    fn card(&self, key: CardKey, observed: &'a Observed) -> CardJson {
        let (state, reason) = match observed {
            Observed::Known(CardState::Customized(_)) => ("customized", None),
            Observed::Known(CardState::Default) => ("default", None),
            Observed::Known(CardState::CommonDefault) => ("common-default", None),
            Observed::Unreadable(reason) => {
                ("unreadable", Some(HoldReason::Unreadable(reason.clone()).to_string()))
            }
        };
        let layout = self.shown(key, observed);
        CardJson {
            target: key.to_string(),
            state,
            reason,
            digest: layout.map(|layout| layout.digest().to_string()),
            layout: layout.map(|layout| {
                LayoutJson::new(&CardContent::from_layout(
                    layout,
                    self.labels.for_type(key.kind.entity_type()),
                ))
            }),
        }
    }

    /// Returns the layout that the portal shows for a card.
    fn shown(&self, key: CardKey, observed: &'a Observed) -> Option<&'a Layout> {
        match observed {
            Observed::Known(CardState::Customized(layout)) => Some(layout),
            Observed::Known(CardState::CommonDefault) => {
                self.snapshot.common_defaults.get(&key.kind)
            }
            Observed::Known(CardState::Default) | Observed::Unreadable(_) => None,
        }
    }
}

impl fmt::Display for PersonCardsReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { person, snapshot, labels: _ } = self;
        let portal = portal(snapshot.portal.as_str(), snapshot.caller.emulator);
        writeln!(f, "{HEADING}{portal}{HEADING:#}")?;
        let (user, name) = (person.id, visible(person.name.as_str()));
        let departments: Vec<String> = person.departments.iter().map(ToString::to_string).collect();
        let departments = departments.join(", ");
        let mut who = tr!("user {user} {name}", user, name).to_string();
        if !departments.is_empty() {
            who = tr!("{who}, department {departments}", who, departments).to_string();
        }
        if !person.active {
            who = tr!("{who}, dismissed", who).to_string();
        }
        writeln!(f, "{who}")?;
        for (key, observed) in &snapshot.cards {
            let layout = self.shown(*key, observed);
            let state = match observed {
                Observed::Known(CardState::Customized(_)) => tr!("customized"),
                Observed::Known(CardState::Default) => tr!("no layout of its own"),
                Observed::Known(CardState::CommonDefault) => {
                    tr!("no layout of its own; shows the card set for all")
                }
                Observed::Unreadable(reason) => {
                    let reason = HoldReason::Unreadable(reason.clone()).to_string();
                    writeln!(f, "\n{WARNING}{key}{WARNING:#}  {}", visible(&reason))?;
                    continue;
                }
            };
            writeln!(f, "\n{HEADING}{key}{HEADING:#}  {state}")?;
            if let Some(layout) = layout {
                for line in
                    CardContent::from_layout(layout, self.labels.for_type(key.kind.entity_type()))
                        .lines()
                {
                    writeln!(f, "  {}", visible(&line))?;
                }
            }
        }
        Ok(())
    }
}
