//! Cards that the manifests name, found in the portal's own lists.
//!
//! A pipeline is known by the list of its very type alone. The portal takes any other number for a
//! card that no person sees, or for the default pipeline, and answers `true` (`CARDS.md`, sections
//! 0 and 9).

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::i18n::Text;
use crate::manifest::{CardSelector, Declaration, Located, PipelineName, ProcessName};
use crate::model::{
    CardCatalog, CardKind, EntityType, KindNames, Pipeline, PipelinedType, SmartProcessType,
    SourceLocation,
};
use crate::ports::{CatalogQuery, PortalError, ReadPortal};

/// Number of pipelines or smart processes that an error lists.
const MAX_LISTED: usize = 12;

/// Catalog of the types that the manifests name.
#[derive(Clone, Debug, Default)]
pub(super) struct CardDirectory {
    pub(super) catalog: CardCatalog,
    /// `true` if the caller sees all pipelines.
    is_complete: bool,
}

impl CardDirectory {
    /// Reads the lists. Manifests about leads alone need none.
    pub(super) async fn read<P: ReadPortal>(
        portal: &P,
        declaration: &Declaration,
        is_complete: bool,
    ) -> Result<Self, PortalError> {
        let types: BTreeSet<EntityType> =
            declaration.cards().filter_map(|card| entity_type(&card.value)).collect();
        let processes =
            declaration.cards().any(|card| matches!(card.value, CardSelector::SmartProcess(..)));
        let mut directory = Self { catalog: CardCatalog::default(), is_complete };
        if types.is_empty() && !processes {
            return Ok(directory);
        }
        directory.catalog = portal.catalog(&CatalogQuery { types, processes }).await?;
        // Titles become numbers by the first answer.
        let named: BTreeSet<EntityType> = declaration
            .cards()
            .filter_map(|card| match &card.value {
                CardSelector::SmartProcess(name @ ProcessName::Title(_), _) => {
                    directory.process(name, &card.place).ok().map(EntityType::SmartProcess)
                }
                _ => None,
            })
            .filter(|of| !directory.catalog.types.contains_key(of))
            .collect();
        if !named.is_empty() {
            let more = portal.catalog(&CatalogQuery { types: named, processes: false }).await?;
            directory.catalog.types.extend(more.types);
        }
        Ok(directory)
    }

    /// Returns the kinds of cards of a selector, or the problem with it.
    pub(super) fn kinds(
        &self,
        card: &Located<CardSelector>,
    ) -> Result<Vec<CardKind>, Box<Diagnostic>> {
        let place = &card.place;
        let main_or = |id: u32, of: fn(Option<NonZeroU32>) -> CardKind| of(NonZeroU32::new(id));
        match &card.value {
            CardSelector::Lead(lead) => Ok(vec![CardKind::Lead(*lead)]),
            CardSelector::Quote => Ok(vec![CardKind::Quote]),
            // The main card needs no list.
            CardSelector::Contact(PipelineName::Default) => Ok(vec![CardKind::Contact(None)]),
            CardSelector::Company(PipelineName::Default) => Ok(vec![CardKind::Company(None)]),
            CardSelector::Deal(name) => Ok(self
                .ids(EntityType::Deal, name, place)?
                .into_iter()
                .map(CardKind::Deal)
                .collect()),
            CardSelector::Contact(name) => {
                let ids = self.ids(EntityType::Contact, name, place)?;
                Ok(ids.into_iter().map(|id| main_or(id, CardKind::Contact)).collect())
            }
            CardSelector::Company(name) => {
                let ids = self.ids(EntityType::Company, name, place)?;
                Ok(ids.into_iter().map(|id| main_or(id, CardKind::Company)).collect())
            }
            CardSelector::SmartInvoice => {
                let kind = CardKind::SmartInvoice;
                self.numbered(PipelinedType::SmartInvoice, &PipelineName::Default, place, kind)
            }
            CardSelector::SmartProcess(name, pipeline) => {
                let process = self.process(name, place)?;
                let kind = |id| CardKind::SmartProcess(process, id);
                self.numbered(PipelinedType::SmartProcess(process), pipeline, place, kind)
            }
        }
    }

    /// Returns the kinds of a type whose pipelines all have a number above 0. A type without a
    /// listed pipeline has one card that no request can name; a read would make the portal create a
    /// pipeline (`CARDS.md`, section 5).
    fn numbered(
        &self,
        of: PipelinedType,
        name: &PipelineName,
        place: &SourceLocation,
        kind: impl Fn(NonZeroU32) -> CardKind,
    ) -> Result<Vec<CardKind>, Box<Diagnostic>> {
        let no_pipeline = CardKind::NoPipeline(of);
        let entity_type = no_pipeline.entity_type();
        let listed = self.listed(entity_type, place)?;
        if listed.iter().all(|pipeline| pipeline.id == 0) {
            return Ok(vec![no_pipeline]);
        }
        let ids = self.ids(entity_type, name, place)?;
        let kinds = ids.into_iter().map(|id| NonZeroU32::new(id).map_or(no_pipeline, &kind));
        Ok(kinds.collect())
    }

    /// Returns the ids that a name means within a type.
    fn ids(
        &self,
        of: EntityType,
        name: &PipelineName,
        place: &SourceLocation,
    ) -> Result<Vec<u32>, Box<Diagnostic>> {
        let listed = self.listed(of, place)?;
        let found: Vec<u32> = listed
            .iter()
            .filter(|pipeline| match name {
                PipelineName::All => true,
                PipelineName::Default => pipeline.is_default,
                PipelineName::Id(id) => pipeline.id == *id,
                PipelineName::Name(wanted) => *pipeline.name == **wanted,
            })
            .map(|pipeline| pipeline.id)
            .collect();
        match (name, found.as_slice()) {
            (PipelineName::All, [_, ..]) | (_, [_]) => Ok(found),
            (_, []) => {
                let text = tr!(
                    "the portal lists no pipeline {name} of {type}",
                    name,
                    type = of.words()
                );
                let known = lists(listed.iter().map(shown));
                let help = match self.is_complete {
                    true => known,
                    false => tr!(
                        "{known}; those that the webhook's owner may not read are missing",
                        known
                    ),
                };
                let problem =
                    Diagnostic::error(DiagnosticCode::UnknownPipeline, place.clone(), text);
                Err(Box::new(problem.help(help)))
            }
            (_, [first, ..]) => {
                let ids = list(found.iter().map(ToString::to_string));
                let text = tr!(
                    "several pipelines of {type} are {name}: {ids}",
                    type = of.words(),
                    name,
                    ids
                );
                let help = tr!("select the pipeline by id, such as {first}", first);
                let problem =
                    Diagnostic::error(DiagnosticCode::AmbiguousPipeline, place.clone(), text);
                Err(Box::new(problem.help(help)))
            }
        }
    }

    fn listed(
        &self,
        of: EntityType,
        place: &SourceLocation,
    ) -> Result<&[Pipeline], Box<Diagnostic>> {
        match self.catalog.types.get(&of).map(|catalog| &catalog.pipelines) {
            Some(Ok(listed)) => Ok(listed),
            Some(Err(refusal)) => {
                let text = tr!(
                    "the portal does not list the pipelines of {type}: {refusal}",
                    type = of.words(),
                    refusal
                );
                let help =
                    tr!("check the number of the type, and the rights of the webhook's owner");
                let problem =
                    Diagnostic::error(DiagnosticCode::UnknownPipeline, place.clone(), text);
                Err(Box::new(problem.help(help)))
            }
            None => Ok(&[]),
        }
    }

    /// Returns the number of a smart process.
    fn process(
        &self,
        name: &ProcessName,
        place: &SourceLocation,
    ) -> Result<SmartProcessType, Box<Diagnostic>> {
        let title = match name {
            ProcessName::Id(process) => return Ok(*process),
            ProcessName::Title(title) => title,
        };
        let by_number = tr!("select the smart process by number, such as `type: 177`");
        let problem = |code, text: Text, help: Text| {
            Err(Box::new(Diagnostic::error(code, place.clone(), text).help(help)))
        };
        let listed = match &self.catalog.processes {
            Some(Ok(listed)) => listed.as_slice(),
            Some(Err(refusal)) => {
                let text = tr!("the portal does not list its smart processes: {refusal}", refusal);
                return problem(DiagnosticCode::UnknownPipeline, text, by_number);
            }
            None => &[],
        };
        let named = |(_, known): &&(SmartProcessType, Box<str>)| **known == **title;
        let found: Vec<SmartProcessType> =
            listed.iter().filter(named).map(|(process, _)| *process).collect();
        match found.as_slice() {
            [one] => Ok(*one),
            [] => {
                let text = tr!("the portal has no smart process named {name}", name);
                let known = lists(listed.iter().map(|(id, title)| format!("{id} ({title})")));
                problem(DiagnosticCode::UnknownPipeline, text, known)
            }
            several => {
                let ids = list(several.iter().map(ToString::to_string));
                let text = tr!("several smart processes have the name {name}: {ids}", name, ids);
                problem(DiagnosticCode::AmbiguousPipeline, text, by_number)
            }
        }
    }

    /// Returns the warnings about lists of which a part may be missing.
    pub(super) fn warnings(&self, declaration: &Declaration) -> Vec<Diagnostic> {
        let mut told = BTreeSet::new();
        let all = declaration.cards().filter(|card| asks_for_all(&card.value));
        let warning = |card: &Located<CardSelector>| {
            let kind = self.kinds(card).ok()?.first().copied()?;
            let of = kind.entity_type();
            let hidden = self.catalog.types.get(&of).map_or(&[][..], |catalog| &catalog.hidden);
            if self.is_complete && hidden.is_empty() || !told.insert(of) {
                return None;
            }
            let text = match hidden {
                [] => tr!(
                    "`all` means the pipelines of {type} that the webhook's owner may read; others may exist",
                    type = of.words()
                ),
                hidden => tr!(
                    "`all` leaves out pipelines of {type} that the webhook's owner may not read: {ids}",
                    type = of.words(),
                    ids = list(hidden.iter().map(ToString::to_string))
                ),
            };
            let help = tr!("an administrator of the portal sees all pipelines");
            let code = DiagnosticCode::PartialPipelines;
            Some(Diagnostic::warning(code, card.place.clone(), text).help(help))
        };
        all.filter_map(warning).collect()
    }
}

/// Returns the names of the pipelines and smart processes of a catalog.
pub(super) fn kind_names(catalog: &CardCatalog) -> KindNames {
    let mut names = KindNames::default();
    for (of, one) in &catalog.types {
        for pipeline in one.pipelines.iter().flatten() {
            let kind = CardKind::in_pipeline(*of, pipeline.id);
            names.pipelines.extend(kind.map(|kind| (kind, pipeline.name.clone())));
        }
    }
    names.processes.extend(catalog.processes.iter().flatten().flatten().cloned());
    names
}

/// Returns the type that a selector names by itself; `None` for leads, whose cards need no list,
/// and for titles.
fn entity_type(selector: &CardSelector) -> Option<EntityType> {
    match selector {
        CardSelector::Lead(_) | CardSelector::SmartProcess(ProcessName::Title(_), _) => None,
        CardSelector::Deal(_) => Some(EntityType::Deal),
        CardSelector::Contact(_) => Some(EntityType::Contact),
        CardSelector::Company(_) => Some(EntityType::Company),
        CardSelector::Quote => Some(EntityType::Quote),
        CardSelector::SmartInvoice => Some(EntityType::SmartInvoice),
        CardSelector::SmartProcess(ProcessName::Id(process), _) => {
            Some(EntityType::SmartProcess(*process))
        }
    }
}

fn asks_for_all(selector: &CardSelector) -> bool {
    match selector {
        CardSelector::Deal(name)
        | CardSelector::Contact(name)
        | CardSelector::Company(name)
        | CardSelector::SmartProcess(_, name) => *name == PipelineName::All,
        CardSelector::Lead(_) | CardSelector::Quote | CardSelector::SmartInvoice => false,
    }
}

fn shown(pipeline: &Pipeline) -> String {
    format!("{} ({})", pipeline.id, pipeline.name)
}

/// Returns the help that names what the portal lists.
fn lists(words: impl ExactSizeIterator<Item = String>) -> Text {
    let known = list(words);
    tr!("it lists {known}", known)
}

/// Joins words, the first of many alone.
fn list(words: impl ExactSizeIterator<Item = String>) -> String {
    let more = words.len().saturating_sub(MAX_LISTED);
    let mut shown: Vec<String> = words.take(MAX_LISTED).collect();
    if shown.is_empty() {
        return tr!("none").into();
    }
    if more > 0 {
        shown.push(tr!("{more} more", more).into());
    }
    shown.join(", ")
}
