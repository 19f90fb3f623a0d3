//! Catalog of a portal's pipelines, categories and smart processes, as the caller may read them.

use std::collections::{BTreeMap, BTreeSet};

use super::{CardKind, EntityType, FieldLabels, PipelinedType, SmartProcessType};
use crate::i18n::Text;

/// Pipelines of some types, and the smart processes of the portal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardCatalog {
    /// The types that were asked for.
    pub types: BTreeMap<EntityType, TypeCatalog>,
    /// The smart processes with their titles; a text if the portal does not list them to the
    /// caller, `None` if it was not asked.
    pub processes: Option<Result<Vec<NamedProcess>, String>>,
}

/// Smart process and its title; foreign text.
pub type NamedProcess = (SmartProcessType, Box<str>);

/// Pipelines and labels of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeCatalog {
    /// The pipelines or categories; a text if the portal refuses the list.
    pub pipelines: Result<Vec<Pipeline>, String>,
    /// Ids of pipelines that another list of the portal shows and this one hides from the caller.
    pub hidden: Vec<u32>,
    /// The labels of the fields; `None` if the portal did not tell them.
    pub labels: Option<FieldLabels>,
}

impl Default for TypeCatalog {
    fn default() -> Self {
        Self { pipelines: Ok(Vec::new()), hidden: Vec::new(), labels: None }
    }
}

/// Pipeline or category of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// The id; 0 is the default of deals, contacts and companies.
    pub id: u32,
    /// The name; foreign text.
    pub name: Box<str>,
    /// `true` for the default one of the type.
    pub is_default: bool,
}

/// Labels of the fields of each type of entity, as one portal names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardLabels(BTreeMap<EntityType, FieldLabels>);

impl CardLabels {
    /// Returns the labels of a type; empty if they are not known.
    pub fn for_type(&self, entity_type: EntityType) -> &FieldLabels {
        const UNKNOWN: &FieldLabels = &FieldLabels::EMPTY;
        self.0.get(&entity_type).unwrap_or(UNKNOWN)
    }

    /// Iterates over the types whose labels are known.
    pub fn iter(&self) -> impl Iterator<Item = (EntityType, &FieldLabels)> {
        self.0.iter().map(|(entity_type, labels)| (*entity_type, labels))
    }

    /// Replaces the labels of the types that `newer` knows.
    pub fn update(&mut self, newer: Self) {
        self.0.extend(newer.0);
    }
}

impl FromIterator<(EntityType, FieldLabels)> for CardLabels {
    fn from_iter<I: IntoIterator<Item = (EntityType, FieldLabels)>>(labels: I) -> Self {
        Self(labels.into_iter().collect())
    }
}

impl From<FieldLabels> for CardLabels {
    /// Returns labels of leads.
    fn from(lead: FieldLabels) -> Self {
        [(EntityType::Lead, lead)].into_iter().collect()
    }
}

/// Names of the kinds of cards of a plan. Foreign text: every format escapes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindNames {
    /// The names of pipelines and categories.
    pub pipelines: BTreeMap<CardKind, Box<str>>,
    /// The titles of smart processes.
    pub processes: BTreeMap<SmartProcessType, Box<str>>,
}

impl KindNames {
    /// Returns `true` if no name is known.
    pub fn is_empty(&self) -> bool {
        self.pipelines.is_empty() && self.processes.is_empty()
    }

    /// Replaces the names that `newer` knows.
    pub fn update(&mut self, newer: Self) {
        self.pipelines.extend(newer.pipelines);
        self.processes.extend(newer.processes);
    }

    /// Returns the names of some kinds.
    #[must_use]
    pub fn narrowed(&self, kinds: &BTreeSet<CardKind>) -> Self {
        let is_named = |process: &SmartProcessType| {
            kinds.iter().any(|kind| kind.entity_type() == EntityType::SmartProcess(*process))
        };
        let pipelines = self.pipelines.iter().filter(|(kind, _)| kinds.contains(kind));
        let processes = self.processes.iter().filter(|(process, _)| is_named(process));
        Self {
            pipelines: pipelines.map(|(kind, name)| (*kind, name.clone())).collect(),
            processes: processes.map(|(process, title)| (*process, title.clone())).collect(),
        }
    }

    /// Returns a kind in words, with the names that are known made safe by `escape`.
    pub fn words(&self, kind: CardKind, escape: impl Fn(&str) -> String) -> Text {
        let name = self.pipelines.get(&kind).map(|name| escape(name));
        match (kind, name) {
            (CardKind::Deal(id @ 1..), Some(name)) => {
                tr!("deals of pipeline {name} ({id})", name, id)
            }
            (CardKind::Contact(Some(id)), Some(name)) => {
                tr!("contacts of category {name} ({id})", name, id)
            }
            (CardKind::Company(Some(id)), Some(name)) => {
                tr!("companies of category {name} ({id})", name, id)
            }
            (CardKind::SmartProcess(of, id), name) => {
                let title = match self.processes.get(&of) {
                    Some(title) => format!("{} ({of})", escape(title)),
                    None => tr!("smart process {of}", of).into(),
                };
                match name {
                    Some(name) => tr!("{title}, pipeline {name} ({id})", title, name, id),
                    None => tr!("{title}, pipeline {id}", title, id),
                }
            }
            (CardKind::NoPipeline(PipelinedType::SmartProcess(of)), _) => {
                match self.processes.get(&of) {
                    Some(title) => {
                        let title = escape(title);
                        tr!("{title} ({of}) without a listed pipeline", title, of)
                    }
                    None => kind.words(),
                }
            }
            (kind, _) => kind.words(),
        }
    }
}
